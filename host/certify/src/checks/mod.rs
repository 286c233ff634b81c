//! What is tried, check by check. Never how an answer is judged: that is `trial`'s and `probe`'s.

pub(crate) mod cost;
pub(crate) mod gap;
pub(crate) mod independence;
pub(crate) mod ordinary;
pub(crate) mod scenes;

use std::collections::{BTreeMap, BTreeSet};

use gridbell_contract::{TriggerId, trigger};

use crate::customer::Customer;
use crate::make::Aims;
use crate::subject::{Answer, Scene, Subject};

/// Customers of one kind that are kept.
const KEPT: usize = 12;

/// What the plugin says of a customer, as far as kinds are concerned: notice, step, reason. Chosen customers come first.
type Kind = (bool, u16, u8, u16);

/// Customers of one scene by what the plugin says of them.
#[derive(Debug)]
pub(crate) struct Cast {
    pub(crate) scene: Scene,
    pub(crate) aims: Aims,
    kinds: BTreeMap<Kind, Vec<Customer>>,
    /// Others, to fill batches with.
    rest: Vec<Customer>,
}

impl Cast {
    fn new(scene: Scene, aims: Aims) -> Self {
        Self { scene, aims, kinds: BTreeMap::new(), rest: Vec::new() }
    }

    fn add(&mut self, customers: &[Customer], answers: &[Answer]) {
        for (customer, answer) in customers.iter().zip(answers) {
            let kind = match answer.decision {
                Some(d) => (false, d.notice, d.step, d.reason),
                None => (true, 0, 0, answer.reason),
            };
            let kept = self.kinds.entry(kind).or_default();
            if kept.len() < KEPT {
                kept.push(customer.clone());
            } else if self.rest.len() < gridbell_model::CHUNK_ROWS {
                self.rest.push(customer.clone());
            }
        }
    }

    /// One customer of each kind in turn, chosen ones first, then the others; each different in what the plugin sees, at most `most`.
    pub(crate) fn pool(&self, subject: &Subject<'_>, most: usize) -> Vec<Customer> {
        let mut seen = BTreeSet::new();
        let turns = (0..KEPT).flat_map(|n| self.kinds.values().filter_map(move |kept| kept.get(n)));
        let different = turns.chain(&self.rest).filter(|c| seen.insert(c.seen_as(subject.columns())));
        different.take(most).cloned().collect()
    }

    /// Customers whom the plugin chooses, some of each kind.
    pub(crate) fn chosen(&self) -> Vec<Customer> {
        self.kinds.iter().filter(|(kind, _)| !kind.0).flat_map(|(_, kept)| kept).cloned().collect()
    }

    /// One customer of each kind.
    pub(crate) fn one_each(&self) -> Vec<Customer> {
        self.kinds.values().filter_map(|kept| kept.first()).cloned().collect()
    }
}

/// A schedule's name, for triggers that have one.
pub(crate) fn schedule_of(id: TriggerId) -> String {
    if id == trigger::SCHEDULE { "daily".to_owned() } else { String::new() }
}
