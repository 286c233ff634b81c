//! Fault reports (报修): who has no power says so, and many at one transformer are a fault before anybody enters it.

use std::collections::{BTreeMap, BTreeSet};
use std::sync::Arc;

use gridbell_model::{AccountNumber, Moment, PrefectureCode};
use serde::{Deserialize, Serialize};

use crate::book::Book;
use crate::change::DraftOrder;
use crate::error::Error;
use crate::outage::{Content, MINUTE_MS, OutageId, number};
use crate::scope::Scope;
use crate::text::{self, MAX_WHAT};
use crate::word::{Class, Kind, Via};

/// The most fault reports that are kept; the oldest go first.
pub const MAX_REPORTS: usize = 20_000;
/// Who a fault is from that the host proposes.
pub const SYSTEM: &str = "system";

number! {
    /// A fault report's number, written `F00000012`.
    ReportId, "F", "report"
}

/// That somebody has no power.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Report {
    /// Which.
    pub id: ReportId,
    /// Where.
    pub prefecture: PrefectureCode,
    /// Whose power; none where nobody knows.
    #[serde(default)]
    pub account: Option<AccountNumber>,
    /// Behind which transformer: as it was given, or the one that feeds the account.
    #[serde(default)]
    pub transformer: Option<String>,
    /// By which way it came.
    pub via: Via,
    /// When.
    pub at: Moment,
    /// What it says. May be empty.
    #[serde(default)]
    pub what: String,
    /// The fault to which it belongs.
    #[serde(default)]
    pub outage: Option<OutageId>,
    /// How many of the crew's events were shared with whoever reported.
    #[serde(default)]
    pub shared: u32,
}

/// A fault report to enter.
#[derive(Clone, Debug)]
pub struct ReportOrder {
    /// Where.
    pub prefecture: PrefectureCode,
    /// Whose power.
    pub account: Option<AccountNumber>,
    /// Behind which transformer; whoever asks fills in the one that feeds the account.
    pub transformer: Option<String>,
    /// By which way it came.
    pub via: Via,
    /// What it says. May be empty.
    pub what: String,
}

/// When reports are a fault.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct ProposalRule {
    /// So many different customers at one transformer; 0 for never.
    pub reports: u32,
    /// Within so many minutes.
    pub minutes: u32,
}

impl Default for ProposalRule {
    /// Three within a quarter of an hour: a guess, for the operator to change.
    fn default() -> Self {
        Self { reports: 3, minutes: 15 }
    }
}

impl Book {
    /// A fault report.
    #[must_use]
    pub fn report(&self, id: ReportId) -> Option<&Arc<Report>> {
        self.reports_by_number().get(&id)
    }

    /// All fault reports that are kept, the first entered first.
    pub fn reports(&self) -> impl DoubleEndedIterator<Item = &Arc<Report>> {
        self.reports_by_number().values()
    }

    /// The report that `order` makes, attached to the fault that explains it. It counts when it is [put in](Book::put_report).
    ///
    /// # Errors
    /// Where it names neither account nor transformer, or its text may not be kept.
    pub fn take_report(&self, order: ReportOrder, now: Moment) -> Result<Report, Error> {
        let ReportOrder { prefecture, account, transformer, via, what } = order;
        if account.is_none() && transformer.is_none() {
            return Err(Error::field("account", "is missing, and so is `transformer`: one of both says where it is"));
        }
        if let Some(code) = &transformer {
            Scope::transformer(code).check().map_err(|_| Error::field("transformer", "is no transformer's code"))?;
        }
        if !what.is_empty() {
            text::public("what", &what, MAX_WHAT)?;
        }
        let id = self.next_report();
        let mut report = Report { id, prefecture, account, transformer, via, at: now, what, outage: None, shared: 0 };
        report.outage = self.explains(&report, now);
        Ok(report)
    }

    /// The outage that explains a report: a fault before another kind, and the newest.
    #[must_use]
    pub fn explains(&self, report: &Report, now: Moment) -> Option<OutageId> {
        let by_account = report.account.into_iter().flat_map(|account| self.on_customer(account));
        let code = report.transformer.iter();
        let by_transformer = code.flat_map(|code| self.on_transformer(report.prefecture, code));
        let explaining = by_account.chain(by_transformer).filter(|o| o.covers(now));
        explaining.max_by_key(|o| (o.head.kind == Kind::Fault, o.id())).map(|o| o.id())
    }

    /// The reports to attach now that `id` counts: those that were open and that it explains. They count when they are [put in](Book::put_report).
    #[must_use]
    pub fn attached_by(&self, id: OutageId, now: Moment) -> Vec<Report> {
        let Some(affected) = self.affected(id) else { return Vec::new() };
        let Some(outage) = self.outage(id).filter(|o| o.covers(now)) else { return Vec::new() };
        let of = |r: &&Arc<Report>| {
            let account = r.account.is_some_and(|a| affected.of(a).is_some());
            let code = r.transformer.as_ref().is_some_and(|t| affected.has_transformer(t));
            r.outage.is_none() && r.prefecture == outage.head.prefecture && (account || code)
        };
        self.reports().filter(of).map(|r| Report { outage: Some(id), ..r.as_ref().clone() }).collect()
    }

    /// The reports of a fault.
    pub fn reports_of(&self, id: OutageId) -> impl Iterator<Item = &Arc<Report>> {
        self.reports().filter(move |r| r.outage == Some(id))
    }

    /// Faults that reports speak for and nobody entered: a draft each, by [`SYSTEM`], for a person to publish.
    #[must_use]
    pub fn proposals(&self, prefecture: PrefectureCode, rule: ProposalRule, now: Moment) -> Vec<DraftOrder> {
        if rule.reports == 0 {
            return Vec::new();
        }
        let since = now.plus_ms(-i64::from(rule.minutes) * MINUTE_MS);
        let mut by_code: BTreeMap<&str, BTreeSet<Option<AccountNumber>>> = BTreeMap::new();
        let mut first: BTreeMap<&str, Moment> = BTreeMap::new();
        let here = |r: &&Arc<Report>| r.prefecture == prefecture && r.outage.is_none() && r.at > since;
        for report in self.reports().filter(here) {
            let Some(code) = report.transformer.as_deref() else { continue };
            by_code.entry(code).or_default().insert(report.account);
            first.entry(code).or_insert(report.at);
        }
        let enough = |accounts: &BTreeSet<_>| u32::try_from(accounts.len()).unwrap_or(u32::MAX) >= rule.reports;
        let found = by_code.iter().filter(|(code, accounts)| enough(accounts) && !self.is_proposed(prefecture, code));
        let draft = |code: &str| {
            let begun = first.get(code).copied().unwrap_or(now).unix_ms();
            DraftOrder {
                prefecture,
                kind: Kind::Fault,
                content: Content {
                    scope: Scope::transformer(code),
                    from: Moment::from_unix_ms(begun - begun.rem_euclid(MINUTE_MS)),
                    until: None,
                    reason: "故障抢修".to_owned(),
                    class: Class::Minor,
                },
                by: SYSTEM.to_owned(),
                why: "同一台区多户报修".to_owned(),
            }
        };
        found.map(|(code, _)| draft(code)).collect()
    }

    /// Whether a draft names the transformer already, or an outage keeps it without power.
    fn is_proposed(&self, prefecture: PrefectureCode, code: &str) -> bool {
        let named = self.outages().rev().filter(|o| !o.phase().is_over() && o.head.prefecture == prefecture);
        self.on_transformer(prefecture, code).next().is_some()
            || named.into_iter().any(|o| o.latest().content.scope.transformers.contains(code))
    }

    /// The reports to forget before another is kept: the oldest.
    #[must_use]
    pub fn old_reports(&self) -> Vec<ReportId> {
        let over = (self.reports_by_number().len() + 1).saturating_sub(MAX_REPORTS);
        self.reports_by_number().keys().take(over).copied().collect()
    }
}
