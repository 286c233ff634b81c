//! The rule in CEL: one program, compiled once; one context, whose variables a resolver lends without allocating.

use cel::common::types::{CelBool, CelInt};
use cel::common::value::{CowVal, Val};
use cel::context::VariableResolver;
use cel::{Context, Program, Value};
use gridbell_model::Date;

use crate::customers::{Customer, Customers};
use crate::{Decided, Failed, Peer, rule};

/// The customer who is decided about, as values that the program borrows.
struct Row {
    arrears: CelInt,
    due: CelInt,
    said: CelInt,
    prepaid: CelBool,
    important: CelBool,
}

impl Row {
    fn of(c: &Customer) -> Self {
        Self {
            arrears: CelInt::from(c.arrears),
            due: CelInt::from(c.due),
            said: CelInt::from(c.said),
            prepaid: CelBool::from(c.prepaid),
            important: CelBool::from(c.important),
        }
    }
}

impl VariableResolver for Row {
    fn resolve<'b>(&'b self, variable: &str) -> Option<CowVal<'b, 'b>> {
        let value: &dyn Val = match variable {
            "arrears" => &self.arrears,
            "due" => &self.due,
            "said" => &self.said,
            "prepaid" => &self.prepaid,
            "important" => &self.important,
            _ => return None,
        };
        Some(CowVal::Borrowed(value))
    }
}

pub(crate) struct Cel {
    program: Program,
}

impl Cel {
    pub(crate) fn new(today: Date) -> Result<Self, Failed> {
        // Division of integers rounds towards zero; nothing is divided before `due`.
        let rule = rule::expression(today, "", |of, by| format!("({of}) / {by}"));
        Ok(Self { program: Program::compile(&rule).map_err(|e| e.to_string())? })
    }
}

impl Peer for Cel {
    fn name(&self) -> &'static str {
        "cel"
    }

    fn decide(&mut self, customers: &Customers, rows: usize, out: &mut Vec<Decided>) -> Result<(), Failed> {
        let told: Vec<Row> = customers.each(0..rows).map(|c| Row::of(&c)).collect();
        let mut context = Context::default();
        for (n, row) in told.iter().enumerate() {
            context.set_variable_resolver(row);
            match self.program.execute(&context).map_err(|e| e.to_string())? {
                Value::Null => {}
                Value::List(list) => {
                    let number = |i: usize| match list.get(i) {
                        Some(Value::Int(n)) => Ok(*n),
                        other => Err(Failed::from(format!("cel answered {other:?}"))),
                    };
                    out.push(Decided::of(n, [number(0)?, number(1)?, number(2)?, number(3)?, number(4)?, number(5)?]));
                }
                other => return Err(format!("cel answered {other:?}").into()),
            }
        }
        Ok(())
    }
}
