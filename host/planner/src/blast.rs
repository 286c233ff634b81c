//! The blast-radius guard: a run that reaches far more customers than its like sends nothing until a person has looked.

use std::fmt;

use serde::{Deserialize, Serialize};

use crate::rules::BlastRules;

/// Whether a run may go out by itself.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum BlastVerdict {
    /// It may.
    Pass,
    /// It waits for a person who did not make the change.
    Hold {
        /// The most messages that would have passed.
        limit: u64,
        /// Which rule set that limit.
        why: BlastReason,
    },
}

/// Which rule holds a run.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum BlastReason {
    /// The policy's own ceiling.
    Ceiling,
    /// A multiple of what its like runs reached.
    Median {
        /// Median reach of the like runs.
        median: u64,
        /// How many there were.
        runs: u16,
    },
}

impl fmt::Display for BlastVerdict {
    /// As an office reads it.
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Pass => f.write_str("规模正常"),
            Self::Hold { limit, why: BlastReason::Ceiling } => write!(f, "超过策略规模上限 {limit} 条"),
            Self::Hold { limit, why: BlastReason::Median { median, runs } } => {
                write!(f, "超过近 {runs} 次同类执行中位数 {median} 条的允许倍数（上限 {limit} 条）")
            }
        }
    }
}

/// Judges a run that would send `reach` messages.
///
/// `history` is what its last like runs reached, latest first: runs of the same policy by the same schedule or event over the same scope that
/// were published. Runs that reached nobody say nothing about size and are passed over, since a monthly cycle has many of them; of the rest the
/// latest `rules.history` count, and fewer than `rules.least_history` are no measure. The limit by median is never below `rules.floor`, so
/// that a small prefecture is not stopped by noise. The ceiling holds always.
#[must_use]
pub fn blast(history: &[u64], ceiling: Option<u64>, reach: u64, rules: &BlastRules) -> BlastVerdict {
    if let Some(limit) = ceiling.filter(|c| reach > *c) {
        return BlastVerdict::Hold { limit, why: BlastReason::Ceiling };
    }
    let mut like: Vec<u64> = history.iter().copied().filter(|n| *n > 0).take(usize::from(rules.history)).collect();
    if like.is_empty() || like.len() < usize::from(rules.least_history) {
        return BlastVerdict::Pass;
    }
    like.sort_unstable();
    // Of an even number the lower of the two middle ones: the guard errs on the side of asking.
    let median = like[(like.len() - 1) / 2];
    let limit = median.saturating_mul(u64::from(rules.multiple)).max(rules.floor);
    let runs = u16::try_from(like.len()).unwrap_or(u16::MAX);
    if reach > limit {
        BlastVerdict::Hold { limit, why: BlastReason::Median { median, runs } }
    } else {
        BlastVerdict::Pass
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const RULES: BlastRules = BlastRules { multiple: 3, history: 14, least_history: 3, floor: 500 };

    #[test]
    fn more_than_three_times_the_median_waits() {
        let history = [900, 1000, 1100, 1000, 0, 0, 950];
        assert_eq!(blast(&history, None, 3000, &RULES), BlastVerdict::Pass);
        let held = blast(&history, None, 3001, &RULES);
        assert_eq!(held, BlastVerdict::Hold { limit: 3000, why: BlastReason::Median { median: 1000, runs: 5 } });
        assert!(held.to_string().contains("中位数 1000"));
    }

    #[test]
    fn only_the_last_fourteen_count() {
        let mut history = vec![1000; 14];
        history.extend([1_000_000; 100]);
        assert_ne!(blast(&history, None, 3001, &RULES), BlastVerdict::Pass);
    }

    #[test]
    fn noise_and_beginnings_are_let_through_but_never_past_the_ceiling() {
        assert_eq!(blast(&[2, 3, 1, 2], None, 500, &RULES), BlastVerdict::Pass);
        assert_ne!(blast(&[2, 3, 1, 2], None, 501, &RULES), BlastVerdict::Pass);
        assert_eq!(blast(&[], None, 1_000_000, &RULES), BlastVerdict::Pass);
        assert_eq!(blast(&[10, 10], None, 1_000_000, &RULES), BlastVerdict::Pass);
        let held = BlastVerdict::Hold { limit: 400, why: BlastReason::Ceiling };
        assert_eq!(blast(&[], Some(400), 401, &RULES), held);
        assert_eq!(blast(&[400; 14], Some(400), 401, &RULES), held);
        assert_eq!(blast(&[400; 14], Some(400), 400, &RULES), BlastVerdict::Pass);
    }
}
