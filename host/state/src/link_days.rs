//! What each link did on each day, for the comparison with the carrier's own count (对账). A part counts on the day on which its message was accepted
//! as a whole, so that a report of the day after counts where the carrier counts it. Deterministic; reads no clock.

use std::collections::BTreeMap;

use gridbell_model::Date;
use serde::{Deserialize, Serialize};

/// Days that are kept: two years and a quarter, as long as a bill can be disputed and the next one compared with it.
pub const LINK_DAYS: i32 = 820;

/// What a link did on a day, in parts as the carrier counts them.
#[derive(Clone, Copy, PartialEq, Eq, Debug, Default, Serialize, Deserialize)]
pub struct LinkCounts {
    /// Accepted.
    pub accepted: u64,
    /// Refused by the carrier.
    pub refused: u64,
    /// Sent and never answered: the carrier may count them.
    pub unanswered: u64,
    /// Of the accepted: reported delivered.
    pub delivered: u64,
    /// Of the accepted: reported failed, expired or refused by the terminal.
    pub failed: u64,
    /// What the accepted ones cost by the policies' price, in 1/1000 fen.
    pub cost_milli_fen: u64,
}

impl LinkCounts {
    /// Accepted parts of which no end was reported.
    #[must_use]
    pub fn unreported(&self) -> u64 {
        self.accepted.saturating_sub(self.delivered + self.failed)
    }
}

impl LinkCounts {
    /// Counts the carrier's word on a part, of which `before` was reported so far: the first one that says how it ended.
    pub(crate) fn reported(&mut self, before: &[(u8, String)], part: u8, stat: &str) {
        let ends = |stat: &str| stat != "ACCEPTD";
        if !ends(stat) || before.iter().any(|(p, s)| *p == part && ends(s)) {
            return;
        }
        match stat {
            "DELIVRD" => self.delivered += 1,
            _ => self.failed += 1,
        }
    }
}

/// By day and link.
#[derive(Debug, Default)]
pub(crate) struct LinkDays(BTreeMap<Date, BTreeMap<String, LinkCounts>>);

impl LinkDays {
    /// The counts of `link` on `day`.
    pub(crate) fn of(&mut self, day: Date, link: &str) -> &mut LinkCounts {
        if !self.0.contains_key(&day) {
            self.0 = self.0.split_off(&day.plus_days(-LINK_DAYS));
        }
        // A name is copied when a link counts anything: some ten octets beside a message of several hundred.
        self.0.entry(day).or_default().entry(link.to_owned()).or_default()
    }

    pub(crate) fn range(&self, from: Date, to: Date) -> impl Iterator<Item = (Date, &str, LinkCounts)> {
        let days = self.0.range(from..=to);
        days.flat_map(|(day, links)| links.iter().map(|(link, counts)| (*day, link.as_str(), *counts)))
    }

    pub(crate) fn all(&self) -> impl Iterator<Item = (Date, &str, LinkCounts)> {
        self.range(Date(i32::MIN), Date(i32::MAX))
    }

    pub(crate) fn restore(&mut self, day: Date, link: String, counts: LinkCounts) {
        self.0.entry(day).or_default().insert(link, counts);
    }
}
