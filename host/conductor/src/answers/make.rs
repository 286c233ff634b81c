//! From questions to messages: the notice is chosen from what is true now, the guardrails of the class `answer` judge it, its text is the province's.

use gridbell_model::{
    Channel, CivilMinute, CustomerView, Date, Decision, HoldReason, Moment, PrefectureCode, RunId, Topic, TopicClass,
};
use gridbell_planner::{
    ANSWER_VALID_MINUTES, ANSWERS, Guard, GuardContext, GuardSetup, RunScope, Told, Verdict, answers_manifest,
    answers_policy, states_account,
};
use gridbell_state::{DecisionRecord, Outcome, RunRecord, Snapshot};

use super::choose::{Said, choose};
use super::{Asked, Due, is_verified};
use crate::basis::{Sources, Written};
use crate::error::HostError;
use crate::host::Host;
use crate::settings::Settings;
use crate::settle::{Addresses, message};
use crate::ways::Ways;

/// Answers as they are published.
pub(super) struct Made {
    pub(super) records: Vec<DecisionRecord>,
    pub(super) record: Answered,
    pub(super) written: Written,
}

/// Their run but for when it began.
pub(super) struct Answered(RunRecord);

impl Answered {
    pub(super) fn started(mut self, at: Moment) -> RunRecord {
        (self.0.started, self.0.ended) = (at, at);
        self.0
    }
}

/// What the guardrails ask: what was said and how often is counted by what customers write.
struct Context(Addresses);

impl GuardContext for Context {
    fn said(&self, _row: u32, _topic: Topic, _key: u64, _step: u8) -> bool {
        false
    }

    fn told(&self, _row: u32, _phone: u64, _date: Date, _class: TopicClass) -> Told {
        Told::default()
    }

    fn has_address(&self, row: u32, channel: Channel) -> bool {
        self.0.has(row, channel)
    }
}

impl Host {
    /// Answers to `due` from `snapshot`, in order of row. Whoever is no customer of the prefecture any more gets none.
    pub(super) fn make_answers(&self, snapshot: &Snapshot, run: RunId, due: Vec<Due>) -> Result<Made, HostError> {
        let (settings, org, now) = (self.settings()?, self.state().org(), self.clock().civil_minute());
        let (policy, scope, queues) = (answers_policy(&settings.rules.answers), RunScope::default(), self.queues());
        let guard = Guard::new(&GuardSetup {
            rules: &settings.rules,
            policy: &policy,
            manifest: answers_manifest(),
            templates: &settings.templates,
            calendar: &settings.calendar,
            org: &org,
            prefecture: snapshot.prefecture(),
            scope: &scope,
            now,
        })?;
        let context = Context(Addresses::of(snapshot, &queues));
        let ways = Ways::new(&settings.segments, snapshot.ported(), &queues);
        let rows = due.into_iter().filter_map(|due| {
            let (prefecture, view) = self.state().customer(due.account)?;
            (prefecture == snapshot.prefecture()).then(|| snapshot.view(view.row))?.map(|view| (view, due))
        });
        let mut rows: Vec<(CustomerView, Due)> = rows.filter(|(view, due)| view.account == due.account).collect();
        rows.sort_by_key(|(view, due)| (view.row, due.at));
        let records = rows.iter().map(|(view, due)| {
            let judge = |decision: &Decision| match guard.consider(decision, view, &context) {
                Verdict::Held(why) => Err(why),
                Verdict::Queue(planned) => Ok(planned),
            };
            let notices = self.notices_for(due, view, &settings, now);
            self.record_of(due, view, notices, &ways, judge)
        });
        let records = records.collect();
        let sources = Sources {
            policy: &policy,
            settings: &settings,
            org: &org,
            facts: &[],
            scope: &scope,
            carriers: &queues,
            share: None,
            sample: run,
        };
        let record = Answered(record(snapshot, now, self.clock().now()));
        Ok(Made { records, record, written: sources.write()? })
    }

    /// What answers, first for whoever asked and then for whoever only has the number: the second where the first would go there.
    fn notices_for(&self, due: &Due, view: &CustomerView, settings: &Settings, now: CivilMinute) -> [Said; 2] {
        let outage = if due.asked == Asked::Outage { self.outage_of(due.prefecture, view) } else { None };
        // Who follows on a platform was bound to the account by somebody who knew him; the number is another matter.
        let may_know = if due.channel == Channel::Sms { is_verified(view) } else { true };
        let rules = (&*settings.rules, now.date());
        [choose(due.asked, view, may_know, outage, rules), choose(due.asked, view, is_verified(view), outage, rules)]
    }

    /// What is known of an outage at a customer's: of the outages that count on him, else of the notices where he lives.
    pub(crate) fn outage_of(&self, prefecture: PrefectureCode, view: &CustomerView) -> Option<super::Outage> {
        let now = self.clock().now();
        let own = self.outages().book(|book| super::own_outage(book, view.account, now));
        own.or_else(|| self.screens().book(|book| super::outage(book, prefecture, view.section, now)))
    }

    fn record_of(
        &self,
        due: &Due,
        view: &CustomerView,
        [first, second]: [Said; 2],
        ways: &Ways<'_>,
        judge: impl Fn(&Decision) -> Result<Box<gridbell_planner::Planned>, HoldReason>,
    ) -> DecisionRecord {
        let queued = |said: &Said| {
            let (decision, names_account) = (decision(due, view, said), states_account(said.notice));
            let planned = judge(&decision)?;
            let by_sms = planned.channel == Channel::Sms;
            // The number that asked is not the customer's any more.
            if by_sms && !due.is_for(view.phone) {
                return Err(HoldReason::AddressChanged);
            }
            if by_sms && names_account && !is_verified(view) {
                return Err(HoldReason::BadAddress);
            }
            let queue = ways.of(&planned, view.row)?;
            let mut queued = message(*planned, view, Topic::Answer, queue);
            queued.key = u64::from(names_account);
            Ok(Outcome::Queued(Box::new(queued)))
        };
        let (said, outcome) = match queued(&first) {
            Ok(outcome) => (first, outcome),
            Err(_) => (second, queued(&second).unwrap_or_else(Outcome::Held)),
        };
        DecisionRecord::new(&decision(due, view, &said), view.account, outcome)
    }
}

fn decision(due: &Due, view: &CustomerView, said: &Said) -> Decision {
    let manifest = answers_manifest();
    let at = |found: Option<usize>| u16::try_from(found.unwrap_or_default()).unwrap_or_default();
    let route = due.channel.word();
    Decision {
        row: view.row,
        notice: at(manifest.notices().iter().position(|n| n.name == said.notice)),
        step: 1,
        reason: at(manifest.reasons().iter().position(|r| r.name == due.asked.reason())),
        route: at(manifest.routes().iter().position(|r| r == route)),
        arg0: said.args[0],
        arg1: said.args[1],
        not_before: CivilMinute::NONE,
        expires: due.at.civil_minute().plus_minutes(i64::from(ANSWER_VALID_MINUTES)),
    }
}

fn record(snapshot: &Snapshot, now: CivilMinute, at: Moment) -> RunRecord {
    let manifest = answers_manifest();
    RunRecord {
        plugin: manifest.name().to_owned(),
        plugin_version: manifest.version().to_owned(),
        snapshot: snapshot.seq(),
        ..RunRecord::blank(snapshot.prefecture(), ANSWERS.to_owned(), Topic::Answer, now, at)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_is_asked_has_its_reason_and_route_in_the_manifest() {
        let manifest = answers_manifest();
        for asked in [
            Asked::Help,
            Asked::Balance,
            Asked::TooMany,
            Asked::Outage,
            Asked::OptOut,
            Asked::OptOutChannel,
            Asked::SubscribedBill,
            Asked::WrongNumber,
        ] {
            assert!(manifest.reasons().iter().any(|r| r.name == asked.reason()), "{asked:?}");
        }
        for channel in [Channel::Sms, Channel::Wechat, Channel::Alipay] {
            assert!(manifest.routes().iter().any(|r| r == channel.word()), "{channel}");
        }
    }
}
