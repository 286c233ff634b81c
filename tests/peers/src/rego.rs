//! The rule in Rego: compiled once to a program of `regorus`'s own virtual machine, which is kept, with parameters and today as data.

use gridbell_model::Date;
use regorus::languages::rego::compiler::Compiler;
use regorus::rvm::RegoVM;
use regorus::{Engine, Rc, Value};
use serde_json::json;

use crate::customers::Customers;
use crate::{Decided, Failed, PARAMETERS, Peer};

const RULE: &str = "
package arrears

import rego.v1

default decision := null

ladder := data.parameters.prepaid_steps if {
    input.prepaid
} else := data.parameters.important_steps if {
    input.important
} else := data.parameters.steps

notice := 1 if {
    input.important
} else := 0

owing if {
    input.arrears > 0
    input.due != data.none
    input.arrears >= data.parameters.minimum
    count(ladder) > 0
}

decision := [2, step, 10, input.arrears, input.due, expires] if {
    owing
    input.due <= data.today
    round := floor((data.today - input.due) / data.parameters.overdue_every)
    round < data.parameters.overdue_times
    step := (count(ladder) + 1) + round
    step > input.said
    expires := input.due + ((round + 1) * data.parameters.overdue_every)
} else := [notice, step, 7, input.arrears, input.due, input.due] if {
    owing
    input.due > data.today
    step := count([days | some days in ladder; input.due <= data.today + days])
    step > input.said
}
";
const ENTRY: &str = "data.arrears.decision";

pub(crate) struct Rego {
    vm: RegoVM,
    keys: [Value; 5],
}

impl Rego {
    pub(crate) fn new(today: Date) -> Result<Self, Failed> {
        let p = PARAMETERS;
        let data = json!({
            "today": today.0, "none": Date::NONE.0,
            "parameters": {
                "steps": p.steps, "important_steps": p.important_steps, "prepaid_steps": p.prepaid_steps, "minimum": p.minimum,
                "overdue_every": p.overdue_every, "overdue_times": p.overdue_times,
            },
        });
        let data = Value::from_json_str(&data.to_string()).map_err(|e| e.to_string())?;
        let mut engine = Engine::new();
        engine.add_policy("arrears.rego".to_owned(), RULE.to_owned()).map_err(|e| e.to_string())?;
        engine.add_data(data.clone()).map_err(|e| e.to_string())?;
        let entry: Rc<str> = ENTRY.into();
        let compiled = engine.compile_with_entrypoint(&entry).map_err(|e| e.to_string())?;
        let program = Compiler::compile_from_policy(&compiled, &[ENTRY]).map_err(|e| e.to_string())?;
        let mut vm = RegoVM::new();
        vm.load_program(program);
        vm.set_data(data).map_err(|e| e.to_string())?;
        let keys = ["arrears", "due", "said", "prepaid", "important"].map(|k| Value::from(k.to_owned()));
        Ok(Self { vm, keys })
    }
}

impl Peer for Rego {
    fn name(&self) -> &'static str {
        "rego"
    }

    fn decide(&mut self, customers: &Customers, rows: usize, out: &mut Vec<Decided>) -> Result<(), Failed> {
        for (n, customer) in customers.each(rows).enumerate() {
            let values = [
                Value::from(customer.arrears),
                Value::from(customer.due),
                Value::from(customer.said),
                Value::from(customer.prepaid),
                Value::from(customer.important),
            ];
            let mut input = Value::new_object();
            let object = input.as_object_mut().map_err(|e| e.to_string())?;
            for (key, value) in self.keys.iter().zip(values) {
                object.insert(key.clone(), value);
            }
            self.vm.set_input(input);
            let answer = self.vm.execute().map_err(|e| e.to_string())?;
            if answer == Value::Null {
                continue;
            }
            let list = answer.as_array().map_err(|e| e.to_string())?;
            let mut numbers = [0; 6];
            for (number, value) in numbers.iter_mut().zip(list.iter()) {
                *number = value.as_i64().map_err(|e| e.to_string())?;
            }
            out.push(Decided::of(n, numbers));
        }
        Ok(())
    }
}
