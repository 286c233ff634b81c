//! Where two runs differ: whom they reached, by which channel, when and why. Reads what was recorded; writes nothing.

use std::borrow::Cow;

use std::sync::Arc;

use gridbell_engine::Plugin;
use gridbell_model::{AccountNumber, CivilMinute, RunId};
use gridbell_state::{DecisionRecord, Outcome, RunRecord, StateError};
use serde::{Deserialize, Serialize};

use super::Side;
use super::decided::{Decided, side};
use crate::archive::blocking;
use crate::error::HostError;
use crate::host::Host;

/// Customers of each kind of difference that are named; all are counted.
pub const MAX_DIFF_SAMPLES: usize = 20;

/// Where two runs differ.
#[derive(Clone, Debug, Serialize, Deserialize)]
pub struct RunDiff {
    /// The one.
    pub a: RunSide,
    /// The other.
    pub b: RunSide,
    /// Messages to whom only the one had any.
    pub only_a: u64,
    /// Messages to whom only the other had any.
    pub only_b: u64,
    /// Messages that both had.
    pub both: u64,
    /// Of those, how many go by another channel.
    pub channel: u64,
    /// Of those, how many go at another time, counted from the day of the run.
    pub time: u64,
    /// Of those, how many have another notice or step.
    pub notice: u64,
    /// Decisions of both, messages or not, with another reason of the plugin.
    pub reason: u64,
    /// Decisions of both that one held and the other did not, or for another reason.
    pub held: u64,
    /// Whether nothing differs.
    pub same: bool,
    /// Some of each kind.
    pub samples: Vec<DiffSample>,
}

/// One of two runs.
#[derive(Clone, Debug, Serialize, Deserialize)]
pub struct RunSide {
    /// Its name.
    pub run: String,
    /// Its policy.
    pub policy: String,
    /// Its plugin and version.
    pub plugin: String,
    /// The time that the plugin was told.
    pub now: CivilMinute,
    /// Customers that it looked at.
    pub customers: u64,
    /// Decisions.
    pub decided: u64,
    /// Messages.
    pub queued: u64,
}

/// A customer about whom two runs differ.
#[derive(Clone, Debug, Serialize, Deserialize)]
pub struct DiffSample {
    /// 户号
    pub account: AccountNumber,
    /// `only-a`, `only-b`, `channel`, `time`, `notice`, `reason`, `held`.
    pub kinds: Vec<Cow<'static, str>>,
    /// What the one decided; none for nothing.
    pub a: Option<Side>,
    /// What the other decided; none for nothing.
    pub b: Option<Side>,
}

impl Host {
    /// Where the runs `a` and `b` differ.
    ///
    /// # Errors
    /// When there is no such run, they are of two prefectures, or the decisions of one left for the archives.
    pub async fn diff_runs(&self, a: RunId, b: RunId) -> Result<RunDiff, HostError> {
        let host = self.clone();
        blocking(self.clock(), move || host.diff(a, b)).await
    }

    fn diff(&self, a: RunId, b: RunId) -> Result<RunDiff, HostError> {
        let (a, b) = (self.comparable(a)?, self.comparable(b)?);
        if a.prefecture != b.prefecture {
            let text =
                format!("{} is of prefecture {}, {} of {}: compare two of one", a.id, a.prefecture, b.id, b.prefecture);
            return Err(HostError::Invalid(text));
        }
        let plugins = [&a, &b].map(|r| self.plugin_of_digest(&r.digest).ok());
        let mut diff = Differ {
            plugins: [plugins[0].as_ref(), plugins[1].as_ref()],
            now: [a.now, b.now],
            counts: std::collections::BTreeMap::new(),
            out: empty(&a, &b),
        };
        let (mut ours, mut theirs) = (Decided::of(self.state(), &a), Decided::of(self.state(), &b));
        loop {
            let rows = (ours.peek()?.map(|k| k.record.row), theirs.peek()?.map(|k| k.record.row));
            let (take_a, take_b) = match rows {
                (None, None) => break,
                (Some(_), None) => (true, false),
                (None, Some(_)) => (false, true),
                (Some(x), Some(y)) => (x <= y, y <= x),
            };
            let one = if take_a { ours.next()? } else { None };
            let other = if take_b { theirs.next()? } else { None };
            diff.pair(one.map(|k| k.record).as_ref(), other.map(|k| k.record).as_ref());
        }
        let o = &mut diff.out;
        o.same = o.only_a + o.only_b + o.channel + o.time + o.notice + o.reason + o.held == 0;
        Ok(diff.out)
    }

    fn comparable(&self, run: RunId) -> Result<Arc<RunRecord>, HostError> {
        let record = self.state().run(run).ok_or(StateError::NoRun(run))?;
        super::check(&record)?;
        Ok(record)
    }
}

fn empty(a: &RunRecord, b: &RunRecord) -> RunDiff {
    let of = |r: &RunRecord| RunSide {
        run: r.id.to_string(),
        policy: r.policy.clone(),
        plugin: format!("{} {}", r.plugin, r.plugin_version),
        now: r.now,
        customers: r.customers,
        decided: r.decided,
        queued: r.queued,
    };
    RunDiff {
        a: of(a),
        b: of(b),
        only_a: 0,
        only_b: 0,
        both: 0,
        channel: 0,
        time: 0,
        notice: 0,
        reason: 0,
        held: 0,
        same: false,
        samples: Vec::new(),
    }
}

struct Differ<'a> {
    plugins: [Option<&'a Plugin>; 2],
    now: [CivilMinute; 2],
    counts: std::collections::BTreeMap<&'static str, usize>,
    out: RunDiff,
}

impl Differ<'_> {
    fn pair(&mut self, a: Option<&DecisionRecord>, b: Option<&DecisionRecord>) {
        let queued = |r: Option<&DecisionRecord>| r.is_some_and(|r| matches!(r.outcome, Outcome::Queued(_)));
        let mut kinds = Vec::new();
        match (queued(a), queued(b)) {
            (true, true) => self.out.both += 1,
            (true, false) => {
                self.out.only_a += 1;
                kinds.push("only-a");
            }
            (false, true) => {
                self.out.only_b += 1;
                kinds.push("only-b");
            }
            (false, false) => {}
        }
        if let (Some(a), Some(b)) = (a, b) {
            self.both(a, b, &mut kinds);
        }
        // Of each kind some, so that a common one does not crowd out a rare one.
        let rare = kinds.iter().any(|k| self.counts.get(k).copied().unwrap_or(0) < MAX_DIFF_SAMPLES);
        if rare {
            kinds.iter().for_each(|k| *self.counts.entry(k).or_default() += 1);
            let account = a.or(b).map(|r| r.account);
            self.out.samples.extend(account.map(|account| DiffSample {
                account,
                kinds: kinds.into_iter().map(Into::into).collect(),
                a: a.map(|r| side(r, self.plugins[0])),
                b: b.map(|r| side(r, self.plugins[1])),
            }));
        }
    }

    fn both(&mut self, a: &DecisionRecord, b: &DecisionRecord, kinds: &mut Vec<&'static str>) {
        let mut note = |kind: &'static str, count: &mut u64, differs: bool| {
            if differs {
                *count += 1;
                kinds.push(kind);
            }
        };
        // By name: two versions may number them otherwise.
        let name = |n: usize, r: &DecisionRecord| {
            let manifest = self.plugins[n].map(Plugin::manifest);
            let notice = manifest.and_then(|m| m.notices().get(usize::from(r.notice)));
            let reason = manifest.and_then(|m| m.reasons().get(usize::from(r.reason)));
            (
                notice.map_or_else(|| r.notice.to_string(), |n| n.name.clone()),
                reason.map_or_else(|| r.reason.to_string(), |r| r.name.clone()),
            )
        };
        let (x, y) = (name(0, a), name(1, b));
        note("reason", &mut self.out.reason, x.1 != y.1);
        match (&a.outcome, &b.outcome) {
            (Outcome::Queued(p), Outcome::Queued(q)) => {
                note("channel", &mut self.out.channel, p.channel != q.channel);
                let from = |at: CivilMinute, now: CivilMinute| (at.date().0 - now.date().0, at.minute_of_day());
                let differs = from(p.send_after, self.now[0]) != from(q.send_after, self.now[1]);
                note("time", &mut self.out.time, differs);
                note("notice", &mut self.out.notice, x.0 != y.0 || a.step != b.step);
            }
            (Outcome::Held(p), Outcome::Held(q)) => note("held", &mut self.out.held, p != q),
            _ => note("held", &mut self.out.held, true),
        }
    }
}
