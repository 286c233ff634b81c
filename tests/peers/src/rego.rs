//! The rule in Rego: compiled once to a program of `regorus`'s own virtual machine, which is kept. A batch of customers is one input, which is
//! quicker than an input for each; the parameters stand in the policy as numbers, which is quicker than `data`.

use gridbell_model::Date;
use regorus::languages::rego::compiler::Compiler;
use regorus::rvm::RegoVM;
use regorus::{Engine, Rc, Value};

use crate::customers::{Customer, Customers};
use crate::{BATCH, Decided, Failed, PARAMETERS, Peer};

/// Upper-case words are replaced by what they stand for. Conditions that nearly all customers fail come first.
const RULE: &str = "
package arrears

import rego.v1

ladder(c) := PREPAID if {
    c.prepaid
} else := IMPORTANT if {
    c.important
} else := ORDINARY

notice(c) := 1 if {
    c.important
} else := 0

decide(c) := [2, step, 10, c.arrears, c.due, expires] if {
    c.due <= TODAY
    round := floor((TODAY - c.due) / EVERY)
    round < TIMES
    step := (count(ladder(c)) + 1) + round
    step > c.said
    expires := c.due + ((round + 1) * EVERY)
} else := [notice(c), step, 7, c.arrears, c.due, c.due] if {
    c.due > TODAY
    step := count([days | some days in ladder(c); c.due <= TODAY + days])
    step > c.said
}

decisions := [[i, d] |
    some i, c in input
    c.arrears > 0
    c.due != NONE
    c.arrears >= MINIMUM
    count(ladder(c)) > 0
    d := decide(c)
]
";
const ENTRY: &str = "data.arrears.decisions";
/// The virtual machine's own limit of instructions is for one customer, not for a batch.
const INSTRUCTIONS: usize = 100_000_000;

pub(crate) struct Rego {
    vm: RegoVM,
    keys: [Value; 5],
}

impl Rego {
    pub(crate) fn new(today: Date) -> Result<Self, Failed> {
        let p = PARAMETERS;
        let list = |steps: &[i64]| serde_json::Value::from(steps).to_string();
        let rule = RULE
            .replace("PREPAID", &list(p.prepaid_steps))
            .replace("IMPORTANT", &list(p.important_steps))
            .replace("ORDINARY", &list(p.steps))
            .replace("NONE", &Date::NONE.0.to_string())
            .replace("MINIMUM", &p.minimum.to_string())
            .replace("TODAY", &today.0.to_string())
            .replace("EVERY", &p.overdue_every.to_string())
            .replace("TIMES", &p.overdue_times.to_string());
        let mut engine = Engine::new();
        engine.add_policy("arrears.rego".to_owned(), rule).map_err(|e| e.to_string())?;
        let entry: Rc<str> = ENTRY.into();
        let compiled = engine.compile_with_entrypoint(&entry).map_err(|e| e.to_string())?;
        let program = Compiler::compile_from_policy(&compiled, &[ENTRY]).map_err(|e| e.to_string())?;
        let mut vm = RegoVM::new();
        vm.load_program(program);
        vm.set_max_instructions(INSTRUCTIONS);
        let keys = ["arrears", "due", "said", "prepaid", "important"].map(|k| Value::from(k.to_owned()));
        Ok(Self { vm, keys })
    }

    fn told(&self, customer: &Customer) -> Result<Value, Failed> {
        let values = [
            Value::from(customer.arrears),
            Value::from(customer.due),
            Value::from(customer.said),
            Value::from(customer.prepaid),
            Value::from(customer.important),
        ];
        let mut told = Value::new_object();
        let object = told.as_object_mut().map_err(|e| e.to_string())?;
        for (key, value) in self.keys.iter().zip(values) {
            object.insert(key.clone(), value);
        }
        Ok(told)
    }
}

impl Peer for Rego {
    fn name(&self) -> &'static str {
        "rego"
    }

    fn decide(&mut self, customers: &Customers, rows: usize, out: &mut Vec<Decided>) -> Result<(), Failed> {
        for first in (0..rows).step_by(BATCH) {
            let told: Result<Vec<Value>, Failed> =
                customers.each(first..rows.min(first + BATCH)).map(|c| self.told(&c)).collect();
            self.vm.set_input(Value::from(told?));
            let answer = self.vm.execute().map_err(|e| e.to_string())?;
            for pair in answer.as_array().map_err(|e| e.to_string())? {
                // A customer about whom the function has no answer: the comprehension should leave him out, and does not.
                if *pair == Value::Undefined {
                    continue;
                }
                let [row, decision] = pair.as_array().map_err(|e| e.to_string())?.as_slice() else {
                    return Err("rego answered something else than pairs".into());
                };
                let row = usize::try_from(row.as_i64().map_err(|e| e.to_string())?)?;
                let mut numbers = [0; 6];
                for (number, value) in numbers.iter_mut().zip(decision.as_array().map_err(|e| e.to_string())?.iter()) {
                    *number = value.as_i64().map_err(|e| e.to_string())?;
                }
                out.push(Decided::of(first + row, numbers));
            }
        }
        Ok(())
    }
}
