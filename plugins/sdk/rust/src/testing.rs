//! For a policy's own tests: a run to decide in, and the proof that `interest` leaves nobody out whom `decide` chooses.

use alloc::vec::Vec;

use crate::abi::{Customer, Plugin, RawFact};
use crate::answer::Answer;
use crate::registry::columns;
use crate::run::{Fact, Run, Trigger, Workdays};
use crate::value::{CivilMinute, Date};
use crate::{Column, String, triggers};

/// A run for tests; begins as a schedule at nine in the morning with plain weekdays as the calendar.
#[derive(Clone, Debug)]
pub struct TestRun {
    now: CivilMinute,
    trigger: Trigger,
    schedule: String,
    facts: Vec<RawFact>,
    params: String,
    first: Date,
    bits: Vec<u64>,
    days: i32,
}

impl TestRun {
    /// On `date` at 09:00, with `params` as a policy's file would hold them in JSON.
    #[must_use]
    pub fn on(date: Date, params: &str) -> Self {
        let first = date.plus(-90);
        let mut run = Self {
            now: date.at(9, 0),
            trigger: triggers::SCHEDULE,
            schedule: String::from("daily"),
            facts: Vec::new(),
            params: String::from(params),
            first,
            bits: Vec::new(),
            days: 240,
        };
        run.bits.resize((run.days as usize).div_ceil(64), 0);
        for n in 0..run.days {
            run.works(first.plus(n), first.plus(n).weekday() < 5);
        }
        run
    }

    /// At another time of the day.
    #[must_use]
    pub fn at(mut self, hour: u32, minute: u32) -> Self {
        self.now = self.now.date().at(hour, minute);
        self
    }

    /// For another reason than a schedule.
    #[must_use]
    pub fn because_of(mut self, trigger: Trigger) -> Self {
        self.trigger = trigger;
        self
    }

    /// With a fact about the trigger.
    #[must_use]
    pub fn fact(mut self, fact: Fact, value: i64) -> Self {
        self.facts.push(RawFact { id: fact.0, value });
        self
    }

    /// A day off, or a day worked on a weekend (调休).
    #[must_use]
    pub fn day(mut self, date: Date, works: bool) -> Self {
        self.works(date, works);
        self
    }

    /// The calendar ends on `date`.
    #[must_use]
    pub fn calendar_until(mut self, date: Date) -> Self {
        self.days = date.since(self.first) as i32 + 1;
        self
    }

    fn works(&mut self, date: Date, works: bool) {
        let n = date.since(self.first) as usize;
        let bit = 1_u64 << (n % 64);
        self.bits[n / 64] = if works { self.bits[n / 64] | bit } else { self.bits[n / 64] & !bit };
    }

    /// The run as a policy sees it.
    #[must_use]
    pub fn run(&self) -> Run<'_> {
        Run {
            prefecture: 140_100,
            now: self.now,
            trigger: self.trigger.id,
            schedule: &self.schedule,
            facts: &self.facts,
            params: &self.params,
            workdays: Workdays { first: self.first, known_until: self.first.plus(self.days - 1), bits: &self.bits },
        }
    }

    /// What rule `P` answers about `customer`.
    ///
    /// # Panics
    /// If the rule refuses the run.
    #[must_use]
    pub fn ask<P: Plugin>(&self, customer: &P::Customer) -> Answer<P::Reason> {
        self.policy::<P>().decide(customer)
    }

    fn policy<P: Plugin>(&self) -> P {
        match P::prepare(&self.run()) {
            Ok(policy) => policy,
            Err(problem) => panic!("the rule refuses the run: {problem}"),
        }
    }
}

/// Asks rule `P` about `customers` made-up customers and fails if it chooses one whom its `interest` leaves out. Values lie close to what
/// rules look at: around today, around `amounts` (fen), small steps, any traits, and "none". Returns how many it chose and how many
/// were of interest, so that a test can see that both happened.
///
/// # Panics
/// If a chosen customer lies outside, or the rule refuses the run.
pub fn prove_interest<P: Plugin>(run: &TestRun, amounts: &[i64], customers: u32, seed: u64) -> (u32, u32) {
    let policy = run.policy::<P>();
    let interest = policy.interest();
    let ids = P::Customer::ids();
    let (mut chosen, mut inside) = (0, 0);
    let mut dice = Dice(seed | 1);
    for _ in 0..customers {
        let mut customer = P::Customer::unknown();
        for (index, id) in ids.iter().enumerate() {
            let value = dice.value(*id, customer.number(index), run.now.date(), amounts);
            customer.set(index, value);
        }
        let value = |id: u16| match ids.iter().position(|i| *i == id) {
            Some(index) => customer.number(index),
            None => panic!("`interest` uses column {id}, which the policy does not ask for"),
        };
        let contains = interest.contains(value, |id, v| none_of(id) == Some(v));
        let says = policy.decide(&customer).say.is_some();
        inside += u32::from(contains);
        chosen += u32::from(says);
        if says && !contains {
            let row: Vec<(u16, i64)> = ids.iter().enumerate().map(|(i, id)| (*id, customer.number(i))).collect();
            panic!("chosen, but outside of interest: {row:?} (column id, value) with {interest:?}");
        }
    }
    (chosen, inside)
}

/// The columns whose "none" no `between` bound matches.
fn none_of(id: u16) -> Option<i64> {
    macro_rules! nones {
        ($($column:ident),*) => {
            $(if id == <columns::$column as Column>::ID { return Some(<columns::$column as Column>::UNKNOWN.into()); })*
        };
    }
    nones!(arrears_period, late_fee_from, bill_period, bill_issued, balance_as_of, threshold, paid_on, arrears_as_of);
    None
}

/// A small deterministic source of numbers (xorshift).
struct Dice(u64);

impl Dice {
    fn roll(&mut self, sides: i64) -> i64 {
        self.0 ^= self.0 << 13;
        self.0 ^= self.0 >> 7;
        self.0 ^= self.0 << 17;
        (self.0 >> 16) as i64 % sides.max(1)
    }

    fn value(&mut self, id: u16, unknown: i64, today: Date, amounts: &[i64]) -> i64 {
        if self.roll(16) == 0 {
            return unknown;
        }
        let days = [
            <columns::late_fee_from as Column>::ID,
            <columns::bill_issued as Column>::ID,
            <columns::balance_as_of as Column>::ID,
            <columns::paid_on as Column>::ID,
            <columns::arrears_as_of as Column>::ID,
        ];
        let steps = [
            <columns::reminded_step as Column>::ID,
            <columns::bill_said as Column>::ID,
            <columns::balance_said as Column>::ID,
        ];
        if days.contains(&id) {
            i64::from(today.0) + self.roll(121) - 60
        } else if steps.contains(&id) {
            self.roll(6)
        } else if id == <columns::traits as Column>::ID {
            // Few bits at a time, so that rules which want none or one of them are met.
            (self.roll(1 << 20) & self.roll(1 << 20)) | (self.roll(1 << 20) & self.roll(8))
        } else {
            let around = amounts.get(self.roll(amounts.len() as i64) as usize).copied().unwrap_or(0);
            around + self.roll(5) - 2
        }
    }
}
