//! The rule in CEL: one program, compiled once; one context, whose variables a resolver answers without allocating.

use std::sync::atomic::{AtomicBool, AtomicI64, Ordering::Relaxed};

use cel::common::types::{CelBool, CelInt};
use cel::common::value::CowVal;
use cel::context::VariableResolver;
use cel::{Context, Program, Value};
use gridbell_model::Date;

use crate::customers::{Customer, Customers};
use crate::{Decided, Failed, PARAMETERS, Peer};

/// CEL has no local names: a list of one, mapped, stands for one.
const RULE: &str = "
arrears <= 0 || due == none || arrears < minimum ? null :
[prepaid ? prepaid_steps : important ? important_steps : steps].map(ladder,
  size(ladder) == 0 ? null :
  due <= today ?
    [(today - due) / overdue_every].map(round,
      round >= overdue_times || size(ladder) + 1 + round <= said ? null :
        [2, size(ladder) + 1 + round, 10, arrears, due, due + (round + 1) * overdue_every])[0] :
    [size(ladder.filter(days, due <= today + days))].map(step,
      step <= said ? null : [important ? 1 : 0, step, 7, arrears, due, due])[0])[0]";

/// The customer who is decided about.
#[derive(Default)]
struct Row {
    arrears: AtomicI64,
    due: AtomicI64,
    said: AtomicI64,
    prepaid: AtomicBool,
    important: AtomicBool,
}

impl Row {
    fn set(&self, c: &Customer) {
        self.arrears.store(c.arrears, Relaxed);
        self.due.store(c.due, Relaxed);
        self.said.store(c.said, Relaxed);
        self.prepaid.store(c.prepaid, Relaxed);
        self.important.store(c.important, Relaxed);
    }
}

impl VariableResolver for Row {
    fn resolve<'b>(&'b self, variable: &str) -> Option<CowVal<'b, 'b>> {
        match variable {
            "arrears" => Some(CowVal::owned(CelInt::from(self.arrears.load(Relaxed)))),
            "due" => Some(CowVal::owned(CelInt::from(self.due.load(Relaxed)))),
            "said" => Some(CowVal::owned(CelInt::from(self.said.load(Relaxed)))),
            "prepaid" => Some(CowVal::owned(CelBool::from(self.prepaid.load(Relaxed)))),
            "important" => Some(CowVal::owned(CelBool::from(self.important.load(Relaxed)))),
            _ => None,
        }
    }
}

pub(crate) struct Cel {
    program: Program,
    today: i64,
}

impl Cel {
    pub(crate) fn new(today: Date) -> Result<Self, Failed> {
        Ok(Self { program: Program::compile(RULE).map_err(|e| e.to_string())?, today: i64::from(today.0) })
    }
}

impl Peer for Cel {
    fn name(&self) -> &'static str {
        "cel"
    }

    fn decide(&mut self, customers: &Customers, rows: usize, out: &mut Vec<Decided>) -> Result<(), Failed> {
        let row = Row::default();
        let mut context = Context::default();
        let p = PARAMETERS;
        let lists = [("steps", p.steps), ("important_steps", p.important_steps), ("prepaid_steps", p.prepaid_steps)];
        for (name, list) in lists {
            context.add_variable_from_value(name, list.to_vec());
        }
        let numbers = [
            ("today", self.today),
            ("none", i64::from(Date::NONE.0)),
            ("minimum", p.minimum),
            ("overdue_every", p.overdue_every),
            ("overdue_times", p.overdue_times),
        ];
        for (name, number) in numbers {
            context.add_variable_from_value(name, number);
        }
        context.set_variable_resolver(&row);
        for (n, customer) in customers.each(rows).enumerate() {
            row.set(&customer);
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
