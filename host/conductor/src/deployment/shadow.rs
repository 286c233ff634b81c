//! Shadows: after each run a version that sends nothing decides about the same customers at the same instant, and what it would do otherwise is
//! counted, with a few samples of each kind. What a shadow does wrong disturbs no run.

use std::collections::BTreeMap;
use std::sync::Arc;

use gridbell_engine::{Plugin, RunError};
use gridbell_model::{AccountNumber, Channel, CivilMinute, Moment, PrefectureCode, RunId};
use gridbell_planner::{Policy, Verdict};
use gridbell_state::{Snapshot, StateError};
use serde::{Deserialize, Serialize};

use super::{Deployment, key};
use crate::documents::{self, SHADOW};
use crate::error::HostError;
use crate::host::Host;
use crate::runs::{Basis, Ground, Prepared, RunRequest, blocks};

/// Samples that are kept of each kind of difference.
pub const MAX_SHADOW_SAMPLES: usize = 20;

/// In what a shadow differs about a customer.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum Difference {
    /// The shadow would send; the live version does not.
    Added,
    /// The live version sends; the shadow would not.
    Dropped,
    /// Both send, by another channel.
    Channel,
    /// Both send, at another time.
    Time,
    /// Both send, with another notice, step or reason.
    Reason,
}

impl Difference {
    /// As the API spells it.
    #[must_use]
    pub fn word(self) -> &'static str {
        match self {
            Self::Added => "added",
            Self::Dropped => "dropped",
            Self::Channel => "channel",
            Self::Time => "time",
            Self::Reason => "reason",
        }
    }
}

/// A customer about whom they differ.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct ShadowSample {
    /// 户号
    pub account: AccountNumber,
    /// What the live version does; empty for nothing.
    pub live: String,
    /// What the shadow would do; empty for nothing.
    pub shadow: String,
}

/// What a shadow would have done otherwise since it began.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct ShadowReport {
    /// Digest of the shadow.
    pub shadow: String,
    /// Digest of the version that was live at the latest run.
    pub live: String,
    /// The first run that it saw.
    pub since: Moment,
    /// The latest.
    pub latest: Moment,
    /// Runs that it saw.
    pub runs: u64,
    /// Messages that the live version would send, before caps.
    pub live_sends: u64,
    /// Messages that the shadow would send, before caps.
    pub shadow_sends: u64,
    /// Customers whom both would tell the same.
    pub same: u64,
    /// Customers by how they differ.
    pub differences: BTreeMap<Difference, u64>,
    /// The first of each kind in the latest run that had any.
    pub samples: BTreeMap<Difference, Vec<ShadowSample>>,
    /// How it failed last; none if it did not in its latest run.
    pub failed: Option<String>,
}

/// What a version would send to a customer.
#[derive(PartialEq)]
struct Sends {
    account: AccountNumber,
    channel: Channel,
    at: CivilMinute,
    notice: String,
    step: u8,
    reason: String,
}

impl Sends {
    fn words(&self) -> String {
        format!("{} {} {} {} {}", self.at, self.channel, self.notice, self.step, self.reason)
    }
}

/// The instant at which a run began, for its shadows.
pub(crate) struct Instant {
    snapshot: Snapshot,
    ground: Ground,
    now: CivilMinute,
}

impl Host {
    /// What is needed to let shadows decide about what a run decides about; none without shadows.
    pub(crate) fn shadow_instant(&self, request: &RunRequest, deployment: Option<&Deployment>) -> Option<Instant> {
        deployment.filter(|d| !d.shadows.is_empty())?;
        let snapshot = self.state().snapshot(request.prefecture)?;
        Some(Instant { snapshot, ground: self.ground(request), now: self.clock().civil_minute() })
    }

    /// Lets the shadows decide, and keeps what they would do otherwise. What fails is in the report and an alarm.
    pub(crate) async fn let_shadows_decide(
        &self,
        request: &RunRequest,
        policy: &Policy,
        deployment: &Deployment,
        instant: Instant,
    ) {
        let Ok(live) = self.live_plugin(request.prefecture, policy) else { return };
        let sends = match self.would_send(request, policy, &live, &instant).await {
            Ok(sends) => sends,
            Err(e) => return self.raise("shadow.failed", live.label(), e.to_string()),
        };
        for digest in &deployment.shadows {
            let Some(shadow) = self.catalog().get(digest).cloned() else { continue };
            let found = self.would_send(request, policy, &shadow, &instant).await;
            if let Err(e) = self.keep_shadow(request, &live, &shadow, &sends, found).await {
                self.raise("shadow.failed", shadow.label(), e.to_string());
            }
        }
    }

    /// Whom `plugin` would tell what at `instant`, before caps: these count in order and belong to who is sent.
    async fn would_send(
        &self,
        request: &RunRequest,
        policy: &Policy,
        plugin: &Plugin,
        instant: &Instant,
    ) -> Result<BTreeMap<u32, Sends>, HostError> {
        let basis =
            Basis { policy: policy.clone(), plugin: plugin.clone(), settings: self.settings()?, now: instant.now };
        let prepared = Self::prepare_on(instant.ground.clone(), basis, request, &instant.snapshot)?;
        let prepared = Arc::new(prepared);
        let evaluation = self.evaluate(&prepared, &instant.snapshot, RunId(instant.snapshot.seq())).await?;
        let decisions = Arc::new(evaluation.decisions);
        let mut sends = BTreeMap::new();
        for block in blocks(decisions.len()) {
            for (decision, view, verdict) in self.consider(&prepared, &instant.snapshot, &decisions, block).await? {
                if let Verdict::Queue(planned) = verdict {
                    sends.insert(decision.row, told(&prepared, &decision, view.account, &planned));
                }
            }
        }
        Ok(sends)
    }

    async fn keep_shadow(
        &self,
        request: &RunRequest,
        live: &Plugin,
        shadow: &Plugin,
        sends: &BTreeMap<u32, Sends>,
        found: Result<BTreeMap<u32, Sends>, HostError>,
    ) -> Result<(), HostError> {
        let digest = shadow.digest().to_string();
        let name = format!("{}/{digest}", key(request.prefecture, &request.policy));
        let now = self.clock().now();
        let kept = documents::read::<ShadowReport>(self.state(), SHADOW, &name)?;
        let (expected, mut report) = kept.unwrap_or_else(|| (0, ShadowReport::new(&digest, now)));
        report.live = live.digest().to_string();
        report.latest = now;
        match found {
            Ok(would) => report.add(sends, &would),
            Err(e) => {
                report.failed = Some(e.to_string());
                if let HostError::Run(RunError::Guest(guest)) = &e {
                    self.raise("shadow.failed", shadow.label(), guest.to_string());
                }
            }
        }
        let doc = documents::put(SHADOW, &name, &report, Some(expected))?;
        match self.state().put_docs(vec![doc], Vec::new()).await {
            // Two runs of one policy follow each other; somebody who ended the shadow meanwhile wins.
            Ok(_) | Err(StateError::Conflict { .. }) => Ok(()),
            Err(e) => Err(e.into()),
        }
    }

    /// What the shadows of a policy would have done otherwise: those that there are, and those that there were.
    ///
    /// # Errors
    /// When what is stored cannot be read.
    pub fn shadow_reports(&self, prefecture: PrefectureCode, policy: &str) -> Result<Vec<ShadowReport>, HostError> {
        let prefix = format!("{}/", key(prefecture, policy));
        let docs = self.state().docs(SHADOW).into_iter().filter(|(key, _)| key.starts_with(&prefix));
        docs.map(|(key, doc)| documents::parse(SHADOW, &key, &doc.value)).collect()
    }
}

fn told(
    prepared: &Prepared,
    decision: &gridbell_model::Decision,
    account: AccountNumber,
    planned: &gridbell_planner::Planned,
) -> Sends {
    let manifest = prepared.plugin.manifest();
    let notice = manifest.notices().get(usize::from(decision.notice)).map(|n| n.name.clone()).unwrap_or_default();
    let reason = manifest.reasons().get(usize::from(decision.reason)).map(|r| r.name.clone()).unwrap_or_default();
    Sends { account, channel: planned.channel, at: planned.not_before, notice, step: decision.step, reason }
}

impl ShadowReport {
    fn new(digest: &str, at: Moment) -> Self {
        Self {
            shadow: digest.to_owned(),
            live: String::new(),
            since: at,
            latest: at,
            runs: 0,
            live_sends: 0,
            shadow_sends: 0,
            same: 0,
            differences: BTreeMap::new(),
            samples: BTreeMap::new(),
            failed: None,
        }
    }

    /// Counts one run in.
    fn add(&mut self, live: &BTreeMap<u32, Sends>, shadow: &BTreeMap<u32, Sends>) {
        self.failed = None;
        self.runs += 1;
        self.live_sends += live.len() as u64;
        self.shadow_sends += shadow.len() as u64;
        let mut samples: BTreeMap<Difference, Vec<ShadowSample>> = BTreeMap::new();
        let mut differ = |kind, live: Option<&Sends>, shadow: Option<&Sends>| {
            *self.differences.entry(kind).or_default() += 1;
            let list = samples.entry(kind).or_default();
            let words = |s: Option<&Sends>| s.map(Sends::words).unwrap_or_default();
            let account = live.or(shadow).map(|s| s.account);
            if let Some(account) = account.filter(|_| list.len() < MAX_SHADOW_SAMPLES) {
                list.push(ShadowSample { account, live: words(live), shadow: words(shadow) });
            }
        };
        for (row, ours) in live {
            match shadow.get(row) {
                None => differ(Difference::Dropped, Some(ours), None),
                Some(theirs) if theirs == ours => self.same += 1,
                Some(theirs) => {
                    let kind = if theirs.channel != ours.channel {
                        Difference::Channel
                    } else if theirs.at != ours.at {
                        Difference::Time
                    } else {
                        Difference::Reason
                    };
                    differ(kind, Some(ours), Some(theirs));
                }
            }
        }
        for theirs in shadow.iter().filter(|(row, _)| !live.contains_key(row)).map(|(_, s)| s) {
            differ(Difference::Added, None, Some(theirs));
        }
        self.samples.extend(samples);
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn sends(n: u32, channel: Channel, minute: i64, reason: &str) -> (u32, Sends) {
        let account = format!("{n:010}").parse().unwrap();
        let (notice, reason) = ("reminder".to_owned(), reason.to_owned());
        (n, Sends { account, channel, at: CivilMinute(minute), notice, step: 1, reason })
    }

    #[test]
    fn each_customer_is_counted_once_by_how_they_differ_and_samples_are_bounded() {
        let sms = |n, at, reason| sends(n, Channel::Sms, at, reason);
        let live: BTreeMap<_, _> =
            [sms(1, 5, "a"), sms(2, 5, "a"), sms(3, 5, "a"), sms(4, 5, "a"), sms(5, 5, "a")].into();
        let mut shadow: BTreeMap<_, _> =
            [sms(1, 5, "a"), sms(2, 6, "a"), sms(3, 5, "b"), sends(4, Channel::Wechat, 5, "a")].into();
        shadow.extend((100..200).map(|n| sms(n, 5, "a")));
        let mut report = ShadowReport::new("x", Moment::from_unix_ms(0));
        report.add(&live, &shadow);
        report.add(&live, &shadow);
        let expected = BTreeMap::from([
            (Difference::Added, 200),
            (Difference::Dropped, 2),
            (Difference::Channel, 2),
            (Difference::Time, 2),
            (Difference::Reason, 2),
        ]);
        assert_eq!((report.runs, report.same, &report.differences), (2, 2, &expected));
        assert_eq!((report.live_sends, report.shadow_sends), (10, 208));
        assert!(report.samples.values().all(|list| list.len() <= MAX_SHADOW_SAMPLES));
        assert_eq!(report.samples[&Difference::Dropped][0].account.to_string(), "0000000005");
    }
}
