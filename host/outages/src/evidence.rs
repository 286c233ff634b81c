//! Evidence of one outage: who was affected, who was told what on which channel, who was not reached and why, and who has a station's task instead.

use std::collections::BTreeMap;

use gridbell_model::{AccountNumber, Moment, OrgCode};
use serde::Serialize;

use crate::facts::Told;
use crate::outage::{Outage, OutageId};
use crate::scope::Concerned;
use crate::word::{Receipt, Say};

/// The columns of [`Row::cells`]. No telephone number is among them.
pub const COLUMNS: [&str; 13] = [
    "户号",
    "供电单位",
    "影响",
    "应告知",
    "告知",
    "版本",
    "时间",
    "渠道",
    "回执",
    "消息",
    "未到达原因",
    "工单",
    "工单状态",
];

/// A customer whom an outage concerned, and what is known of telling him.
#[derive(Clone, Debug)]
pub struct Case<'a> {
    /// Who, and how.
    pub concerned: Concerned,
    /// His station.
    pub station: OrgCode,
    /// What he was told of the outage, the first first.
    pub told: &'a [Told],
    /// Why he could not be told, in a code's own words; empty where he was.
    pub not_reached: &'a str,
    /// The station's task to bring him paper, with how it stands.
    pub task: Option<(&'a str, &'a str)>,
}

/// One line: one thing told to one customer, or that nothing was.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
pub struct Row {
    /// Who.
    pub account: AccountNumber,
    /// His station.
    pub station: OrgCode,
    /// Whether it was certain that he was affected.
    pub sure: bool,
    /// Whether he was told, or has a task.
    pub covered: bool,
    /// What he was told; none for nothing.
    pub say: Option<Say>,
    /// In which revision.
    pub revision: Option<u32>,
    /// When.
    pub at: Option<Moment>,
    /// On which channel.
    pub channel: &'static str,
    /// What became of it.
    pub receipt: Option<Receipt>,
    /// In which message.
    pub message: String,
    /// Why he was not reached.
    pub not_reached: String,
    /// The station's task.
    pub task: String,
    /// How it stands.
    pub task_state: String,
}

impl Row {
    /// As cells of a table with [`COLUMNS`].
    #[must_use]
    pub fn cells(&self) -> [String; COLUMNS.len()] {
        let or_nothing = |text: Option<&str>| text.unwrap_or_default().to_owned();
        [
            self.account.to_string(),
            self.station.to_string(),
            or_nothing(Some(if self.sure { "受影响" } else { "可能受影响" })),
            or_nothing(Some(if self.covered { "是" } else { "否" })),
            or_nothing(self.say.map(Say::chinese)),
            self.revision.map_or_else(String::new, |r| r.to_string()),
            self.at.map_or_else(String::new, |at| at.to_string()),
            self.channel.to_owned(),
            or_nothing(self.receipt.map(Receipt::chinese)),
            self.message.clone(),
            self.not_reached.clone(),
            self.task.clone(),
            self.task_state.clone(),
        ]
    }
}

/// What can be shown of an outage.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize)]
pub struct Evidence {
    /// Customers whom it concerned.
    pub affected: u64,
    /// Of them, those to whom a message was delivered.
    pub delivered: u64,
    /// Those who were told, without a receipt.
    pub unconfirmed: u64,
    /// Those who were not told and have a task of their station.
    pub tasked: u64,
    /// Those who were neither told nor tasked, by why.
    pub not_reached: BTreeMap<String, u64>,
    /// Minutes by which the publication, or a change, fell short of its lead time, for each revision.
    pub short: BTreeMap<u32, u32>,
}

impl Evidence {
    /// What is known before any customer is looked at.
    #[must_use]
    pub fn begin(outage: &Outage) -> Self {
        let short = outage.revisions().iter().filter_map(|r| Some((r.number, r.short.as_ref()?)));
        Self { short: short.map(|(n, s)| (n, s.needed.saturating_sub(s.had))).collect(), ..Self::default() }
    }

    /// Counts a customer, and hands each of his lines to `line`; one after another, so that a province needs no room.
    pub fn add(&mut self, outage: OutageId, case: &Case<'_>, mut line: impl FnMut(Row)) {
        let own = || case.told.iter().filter(|t| t.outage == outage);
        let has = |receipt| own().any(|t| t.receipt == receipt);
        self.affected += 1;
        let told = has(Receipt::Delivered) || has(Receipt::Unknown);
        if has(Receipt::Delivered) {
            self.delivered += 1;
        } else if has(Receipt::Unknown) {
            self.unconfirmed += 1;
        } else if case.task.is_some() {
            self.tasked += 1;
        } else {
            *self.not_reached.entry(case.not_reached.to_owned()).or_default() += 1;
        }
        let (task, state) = case.task.unwrap_or_default();
        let row = |told_of: Option<&Told>| Row {
            account: case.concerned.account,
            station: case.station,
            sure: case.concerned.lost != 0,
            covered: told || case.task.is_some(),
            say: told_of.map(|t| t.say),
            revision: told_of.map(|t| t.revision),
            at: told_of.map(|t| t.at),
            channel: told_of.map_or("", |t| t.channel.chinese()),
            receipt: told_of.map(|t| t.receipt),
            message: told_of.and_then(|t| t.message).map_or_else(String::new, |m| m.to_string()),
            not_reached: case.not_reached.to_owned(),
            task: task.to_owned(),
            task_state: state.to_owned(),
        };
        let mut any = false;
        for told in own() {
            line(row(Some(told)));
            any = true;
        }
        if !any {
            line(row(None));
        }
    }

    /// Statutory coverage: of those affected the share, in ten-thousandths, who were told or have a task. All where nobody was affected.
    #[must_use]
    pub fn coverage(&self) -> u32 {
        let covered = self.delivered + self.unconfirmed + self.tasked;
        let share = covered.saturating_mul(10_000).checked_div(self.affected).unwrap_or(10_000);
        u32::try_from(share).unwrap_or(10_000)
    }
}
