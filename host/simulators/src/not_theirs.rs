//! Numbers that are not the gateway's: taken to another carrier (携号转网), or of a segment that is another's.

use gridbell_clock::Seed;
use gridbell_cmpp::Number;
use serde::{Deserialize, Serialize};

use crate::cmpp::fate;

/// Numbers that a gateway refuses as not its own.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize)]
#[serde(default, deny_unknown_fields)]
pub struct NotTheirs {
    /// These numbers, and all that begin so.
    pub numbers: Vec<String>,
    /// Share of numbers, always the same ones for a seed, beside those.
    pub share: f64,
    /// The result that refuses a submit to one; 0 takes it.
    pub result: u32,
    /// With what a submit that was taken is reported as failed: CMPP's word, SGIP's or SMGP's code; empty for as any other number.
    pub report: String,
}

impl NotTheirs {
    /// Whether `number` is one of them.
    pub(crate) fn has(&self, seed: Seed, number: &Number) -> bool {
        let bare = fate::bare(number.expose());
        self.numbers.iter().any(|begin| bare.starts_with(begin.as_bytes()))
            || fate::lies_below(seed, b"elsewhere", number, self.share)
    }

    /// The result that refuses a submit to `number`.
    pub(crate) fn refusal(&self, seed: Seed, number: &Number) -> Option<u32> {
        (self.result > 0 && self.has(seed, number)).then_some(self.result)
    }

    /// What a report of a submit to `number` says.
    pub(crate) fn reported(&self, seed: Seed, number: &Number) -> Option<&str> {
        (!self.report.is_empty() && self.has(seed, number)).then_some(self.report.as_str())
    }
}
