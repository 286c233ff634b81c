//! The rule in GoRules: a decision of input, expressions and output, compiled once; parameters stand in the expressions, as its editor puts them
//! there, so that they are not passed again for each customer.

use std::rc::Rc;

use gridbell_model::Date;
use serde_json::json;
use tokio::runtime::Runtime;
use zen_engine::model::DecisionContent;
use zen_engine::{Decision, Variable};

use crate::customers::Customers;
use crate::{Decided, Failed, PARAMETERS, Peer};

pub(crate) struct Zen {
    decision: Decision,
    runtime: Runtime,
    keys: [Rc<str>; 5],
}

impl Zen {
    pub(crate) fn new(today: Date) -> Result<Self, Failed> {
        let p = PARAMETERS;
        let (today, none, minimum, every, times) = (today.0, Date::NONE.0, p.minimum, p.overdue_every, p.overdue_times);
        let ladder = |steps: &[i64]| serde_json::Value::from(steps.to_vec()).to_string();
        let [prepaid, important, ordinary] = [p.prepaid_steps, p.important_steps, p.steps].map(ladder);
        let round = format!("floor(({today} - due) / {every})");
        // Its expressions have no local names either; `$` is what the expressions before gave.
        let expressions = json!([
            { "id": "1", "key": "ladder", "value": format!(
                "arrears <= 0 or due == {none} or arrears < {minimum} ? [] : prepaid ? {prepaid} : important ? {important} : {ordinary}") },
            { "id": "2", "key": "step", "value": format!(
                "len($.ladder) == 0 ? 0 : due <= {today} ? ({round} >= {times} ? 0 : len($.ladder) + 1 + {round}) : count($.ladder, due <= {today} + #)") },
            { "id": "3", "key": "decision", "value": format!(
                "$.step <= said ? null : due <= {today} ? [2, $.step, 10, arrears, due, due + ({round} + 1) * {every}] : [important ? 1 : 0, $.step, 7, arrears, due, due]") },
        ]);
        let graph = json!({
            "nodes": [
                { "id": "in", "name": "customer", "type": "inputNode", "content": {} },
                { "id": "rule", "name": "rule", "type": "expressionNode", "content": { "expressions": expressions } },
                { "id": "out", "name": "decision", "type": "outputNode", "content": {} },
            ],
            "edges": [
                { "id": "a", "sourceId": "in", "targetId": "rule", "type": "edge" },
                { "id": "b", "sourceId": "rule", "targetId": "out", "type": "edge" },
            ],
        });
        let content: DecisionContent = serde_json::from_value(graph)?;
        let mut decision = Decision::from(content);
        decision.compile();
        decision.validate().map_err(|e| e.to_string())?;
        let runtime = tokio::runtime::Builder::new_current_thread().build()?;
        Ok(Self { decision, runtime, keys: ["arrears", "due", "said", "prepaid", "important"].map(Rc::from) })
    }
}

impl Peer for Zen {
    fn name(&self) -> &'static str {
        "zen"
    }

    fn decide(&mut self, customers: &Customers, rows: usize, out: &mut Vec<Decided>) -> Result<(), Failed> {
        let Self { decision, runtime, keys } = self;
        runtime.block_on(async {
            for (n, customer) in customers.each(rows).enumerate() {
                let values = [
                    Variable::Number(customer.arrears.into()),
                    Variable::Number(customer.due.into()),
                    Variable::Number(customer.said.into()),
                    Variable::Bool(customer.prepaid),
                    Variable::Bool(customer.important),
                ];
                let input = Variable::empty_object();
                if let Some(object) = input.as_object() {
                    let mut object = object.borrow_mut();
                    for (key, value) in keys.iter().zip(values) {
                        object.insert(key.clone(), value);
                    }
                }
                let response = decision.evaluate(input).await.map_err(|e| e.to_string())?;
                let Some(list) = response.result.dot("decision").and_then(|d| d.as_array()) else { continue };
                let mut numbers = [0; 6];
                for (number, value) in numbers.iter_mut().zip(list.borrow().iter()) {
                    let decimal = value.as_number().ok_or("zen answered something else than numbers")?;
                    *number = i64::try_from(decimal).map_err(|e| e.to_string())?;
                }
                out.push(Decided::of(n, numbers));
            }
            Ok(())
        })
    }
}
