//! The rule in GoRules: a decision graph of an input and an expression node, compiled once. A batch of customers is one evaluation, whose
//! expression maps over them: much quicker than an evaluation for each, and than the node's own loop.

use std::sync::atomic::Ordering::Relaxed;

use gridbell_model::Date;
use serde_json::json;
use tokio::runtime::Runtime;
use zen_engine::model::GraphContent;
use zen_engine::{Decision, Variable, ZEN_CONFIG};
use zen_types::symbol::Symbol;
use zen_types::variable::VariableMap;

use crate::customers::{Customer, Customers};
use crate::{BATCH, Decided, Failed, Peer, rule};

pub(crate) struct Zen {
    decision: Decision,
    runtime: Runtime,
    keys: [Symbol; 5],
}

impl Zen {
    pub(crate) fn new(today: Date) -> Result<Self, Failed> {
        // The rule looks at no other node's result, so none need be kept for it.
        ZEN_CONFIG.nodes_in_context.store(false, Relaxed);
        let rule = rule::expression(today, "#.", |of, by| format!("floor(({of}) / {by})")).replace("||", "or");
        let value = format!("map(customers, {rule})");
        let graph = json!({
            "nodes": [
                { "id": "in", "name": "customers", "type": "inputNode", "content": {} },
                { "id": "rule", "name": "rule", "type": "expressionNode",
                  "content": { "expressions": [{ "id": "1", "key": "decisions", "value": value }] } },
            ],
            "edges": [{ "id": "a", "sourceId": "in", "targetId": "rule", "type": "edge" }],
        });
        let mut decision = Decision::from(serde_json::from_value::<GraphContent>(graph)?);
        decision.compile();
        decision.validate().map_err(|e| e.to_string())?;
        let runtime = tokio::runtime::Builder::new_current_thread().build()?;
        let keys = ["arrears", "due", "said", "prepaid", "important"].map(Symbol::from_static);
        Ok(Self { decision, runtime, keys })
    }

    fn told(&self, customer: &Customer) -> Variable {
        let values = [
            Variable::Number(customer.arrears.into()),
            Variable::Number(customer.due.into()),
            Variable::Number(customer.said.into()),
            Variable::Bool(customer.prepaid),
            Variable::Bool(customer.important),
        ];
        Variable::from_object(self.keys.iter().cloned().zip(values).collect())
    }
}

impl Peer for Zen {
    fn name(&self) -> &'static str {
        "zen"
    }

    fn decide(&mut self, customers: &Customers, rows: usize, out: &mut Vec<Decided>) -> Result<(), Failed> {
        for first in (0..rows).step_by(BATCH) {
            let told = customers.each(first..rows.min(first + BATCH)).map(|c| self.told(&c)).collect();
            let mut input = VariableMap::with_capacity(1);
            input.insert(Symbol::from_static("customers"), Variable::from_array(told));
            let answer = self.runtime.block_on(self.decision.evaluate(Variable::from_object(input)));
            let answer = answer.map_err(|e| e.to_string())?.result;
            let list =
                answer.dot("decisions").and_then(|d| d.as_array()).ok_or("zen answered something else than a list")?;
            for (n, decision) in list.borrow().iter().enumerate() {
                let Some(decision) = decision.as_array() else { continue };
                let mut numbers = [0; 6];
                for (number, value) in numbers.iter_mut().zip(decision.borrow().iter()) {
                    let decimal = value.as_number().ok_or("zen answered something else than numbers")?;
                    *number = i64::try_from(decimal).map_err(|e| e.to_string())?;
                }
                out.push(Decided::of(first + n, numbers));
            }
        }
        Ok(())
    }
}
