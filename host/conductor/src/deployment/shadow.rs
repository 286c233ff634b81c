//! Shadows: after each run a version that sends nothing decides about the same customers at the same instant, and what it would do otherwise is
//! counted, with a few samples of each kind. A pilot is a shadow for the customers outside its stations. What a shadow does wrong disturbs no run.

use std::collections::BTreeMap;
use std::sync::Arc;

use gridbell_engine::{Plugin, RunError};
use gridbell_model::{AccountNumber, Channel, CivilMinute, Decision, Moment, OrgCode, PrefectureCode, RunId};
use gridbell_planner::{Policy, Verdict};
use gridbell_state::{MAX_DOC_NAME, Snapshot, StateError};
use serde::{Deserialize, Serialize};

use super::{Deployment, KeptShare, Part, Pilot, key};
use crate::documents::{self, SHADOW};
use crate::error::HostError;
use crate::host::Host;
use crate::runs::{Basis, Ground, Prepared, RunRequest, RunTrigger, blocks};

/// Samples that are kept of each kind of difference.
pub const MAX_SHADOW_SAMPLES: usize = 20;

/// As what a version decided and sent nothing.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum Watched {
    /// A shadow: about everybody.
    #[default]
    Shadow,
    /// A pilot: about everybody outside its stations.
    Pilot,
}

impl Watched {
    /// As the API spells it.
    #[must_use]
    pub fn word(self) -> &'static str {
        match self {
            Self::Shadow => "shadow",
            Self::Pilot => "pilot",
        }
    }
}

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

/// What a shadow would have done otherwise since it began; of a pilot, since its stations are these.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct ShadowReport {
    /// Digest of the shadow.
    pub shadow: String,
    /// As what it decided.
    #[serde(default)]
    pub mode: Watched,
    /// Units whose customers are left out: a pilot's own, for whom it decides for real.
    #[serde(default)]
    pub not_under: Vec<OrgCode>,
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
pub(super) struct Sends {
    account: AccountNumber,
    channel: Channel,
    at: CivilMinute,
    notice: String,
    step: u8,
    reason: String,
}

impl Sends {
    pub(super) fn account(&self) -> AccountNumber {
        self.account
    }

    pub(super) fn is_sms(&self) -> bool {
        self.channel == Channel::Sms
    }

    fn words(&self) -> String {
        format!("{} {} {} {} {}", self.at, self.channel, self.notice, self.step, self.reason)
    }
}

/// A version that decides about customers for whom it sends nothing.
struct Watcher {
    plugin: Plugin,
    mode: Watched,
    /// Whom it leaves out: the stations of a pilot.
    but: Option<Part>,
}

impl Watcher {
    /// Under which its report is kept.
    fn report_key(&self, policy: &str) -> String {
        report_key(policy, self.mode, &self.plugin.digest().to_string())
    }

    fn not_under(&self) -> &[OrgCode] {
        self.but.as_ref().map_or(&[], |part| &part.under)
    }

    /// `instant` for the customers about whom it decides.
    fn instant(&self, request: &RunRequest, policy: &Policy, instant: &Instant) -> Instant {
        let key = key(request.prefecture, &policy.name);
        let share = self.but.clone().map(|but| KeptShare { key, only: None, but: vec![but] });
        Instant { ground: Ground { share, ..instant.ground.clone() }, ..instant.clone() }
    }
}

/// A version may be both. Of its digest as much as fits a name: policies have names of up to 63 characters, which leaves 170 bits.
fn report_key(policy: &str, mode: Watched, digest: &str) -> String {
    let mut key = match mode {
        Watched::Shadow => format!("{policy}/{digest}"),
        Watched::Pilot => format!("{policy}/{}/{digest}", mode.word()),
    };
    key.truncate(MAX_DOC_NAME);
    key
}

/// What a version would send at an instant, before caps: these count in order and belong to who is sent.
pub(super) struct Would {
    pub(super) prepared: Arc<Prepared>,
    pub(super) sends: BTreeMap<u32, Sends>,
    /// What was decided of whom it would tell.
    pub(super) decisions: BTreeMap<u32, Decision>,
}

/// The instant at which a run began, for its shadows.
#[derive(Clone)]
pub(crate) struct Instant {
    pub(super) snapshot: Snapshot,
    ground: Ground,
    now: CivilMinute,
}

impl Host {
    /// What is needed to let shadows, and a pilot beyond its stations, decide about what a run decides about; none without them.
    pub(crate) fn shadow_instant(&self, request: &RunRequest, deployment: Option<&Deployment>) -> Option<Instant> {
        deployment.filter(|d| !d.shadows.is_empty() || piloted(request, d).is_some())?;
        let snapshot = self.state().snapshot(request.prefecture)?;
        Some(Instant { snapshot, ground: self.ground(request), now: self.clock().civil_minute() })
    }

    /// Lets the shadows and the pilot decide, and keeps what they would do otherwise; the pilot's samples go if `sampled`. What fails is in the
    /// report and an alarm.
    pub(crate) async fn let_shadows_decide(
        &self,
        request: &RunRequest,
        policy: &Policy,
        deployment: &Deployment,
        instant: Instant,
        sampled: bool,
    ) {
        let Ok(live) = self.live_plugin(request.prefecture, policy) else { return };
        let everybody = match self.would_send(request, policy, &live, &instant).await {
            Ok(would) => would.sends,
            Err(e) => return self.raise("shadow.failed", live.label(), e.to_string()),
        };
        for watcher in self.watchers(request, policy, deployment) {
            let instant = watcher.instant(request, policy, &instant);
            let outside = match &instant.ground.share {
                Some(share) => self.rows_of_share(share, &instant).await.map(Some),
                None => Ok(None),
            };
            let kept = match outside {
                Ok(rows) => {
                    let found = self.would_send(request, policy, &watcher.plugin, &instant).await;
                    let counted = |row: &u32| rows.as_ref().is_none_or(|rows| rows.binary_search(row).is_ok());
                    let sends = everybody.iter().filter(|(row, _)| counted(row)).map(|(row, s)| (*row, s)).collect();
                    if let (true, Ok(would)) = (sampled, &found) {
                        self.sample(request, deployment, &watcher, &instant, would).await;
                    }
                    self.keep_shadow(request, &live, &watcher, &sends, found.map(|would| would.sends)).await
                }
                Err(e) => Err(e),
            };
            if let Err(e) = kept {
                self.raise("shadow.failed", watcher.plugin.label(), e.to_string());
            }
        }
    }

    /// The samples of a pilot whose own run waited for a person and was released: what it would tell everybody else now. Its report had that run.
    pub(crate) async fn sample_released(
        &self,
        request: &RunRequest,
        policy: &Policy,
        deployment: &Deployment,
        instant: Instant,
    ) {
        for watcher in self.watchers(request, policy, deployment).iter().filter(|w| w.mode == Watched::Pilot) {
            let instant = watcher.instant(request, policy, &instant);
            match self.would_send(request, policy, &watcher.plugin, &instant).await {
                Ok(would) => self.sample(request, deployment, watcher, &instant, &would).await,
                Err(e) => self.raise("pilot.samples", watcher.plugin.label(), e.to_string()),
            }
        }
    }

    /// Sends what a pilot would tell to its test numbers; a shadow has none.
    async fn sample(
        &self,
        request: &RunRequest,
        deployment: &Deployment,
        watcher: &Watcher,
        instant: &Instant,
        would: &Would,
    ) {
        if let (Watched::Pilot, Some(pilot)) = (watcher.mode, &deployment.pilot)
            && let Err(e) = self.queue_samples(request, pilot, instant, would).await
        {
            self.raise("pilot.samples", watcher.plugin.label(), e.to_string());
        }
    }

    /// The versions that decide about customers for whom they send nothing.
    fn watchers(&self, request: &RunRequest, policy: &Policy, deployment: &Deployment) -> Vec<Watcher> {
        let catalog = self.catalog();
        let shadows = deployment.shadows.iter().filter_map(|digest| catalog.get(digest).cloned());
        let shadows = shadows.map(|plugin| Watcher { plugin, mode: Watched::Shadow, but: None });
        let pilot = piloted(request, deployment).and_then(|pilot| {
            // One that was retired decides for nobody, and so for nobody else either.
            let plugin = self.usable_plugin(policy, &pilot.digest).ok()?;
            Some(Watcher { plugin, mode: Watched::Pilot, but: Some(Part::pilot(pilot)) })
        });
        shadows.chain(pilot).collect()
    }

    /// The rows of a share at an instant, ascending. Looks over columns.
    async fn rows_of_share(&self, share: &KeptShare, instant: &Instant) -> Result<Vec<u32>, HostError> {
        let (share, instant) = (share.clone(), instant.clone());
        let work = move || share.rows(&instant.ground.org, &instant.snapshot, None);
        self.clock().offload(work).await.map_err(|e| HostError::Task(e.to_string()))
    }

    /// Whom `plugin` would tell what at `instant`, before caps: these count in order and belong to who is sent.
    async fn would_send(
        &self,
        request: &RunRequest,
        policy: &Policy,
        plugin: &Plugin,
        instant: &Instant,
    ) -> Result<Would, HostError> {
        let basis =
            Basis { policy: policy.clone(), plugin: plugin.clone(), settings: self.settings()?, now: instant.now };
        let (asked, at) = (request.clone(), instant.clone());
        let work = move || Self::prepare_on(at.ground, basis, &asked, &at.snapshot);
        let prepared = self.clock().offload(work).await.map_err(|e| HostError::Task(e.to_string()))??;
        let prepared = Arc::new(prepared);
        let evaluation = self.evaluate(&prepared, &instant.snapshot, RunId(instant.snapshot.seq())).await?;
        let decisions = Arc::new(evaluation.decisions);
        let (mut sends, mut told_of) = (BTreeMap::new(), BTreeMap::new());
        for block in blocks(decisions.len()) {
            for (decision, view, verdict) in self.consider(&prepared, &instant.snapshot, &decisions, block).await? {
                if let Verdict::Queue(planned) = verdict {
                    told_of.insert(decision.row, decision);
                    sends.insert(decision.row, told(&prepared, &decision, view.account, &planned));
                }
            }
        }
        Ok(Would { prepared, sends, decisions: told_of })
    }

    async fn keep_shadow(
        &self,
        request: &RunRequest,
        live: &Plugin,
        watcher: &Watcher,
        sends: &BTreeMap<u32, &Sends>,
        found: Result<BTreeMap<u32, Sends>, HostError>,
    ) -> Result<(), HostError> {
        let shadow = &watcher.plugin;
        let name = watcher.report_key(&key(request.prefecture, &request.policy));
        let now = self.clock().now();
        let kept = documents::read::<ShadowReport>(self.state(), SHADOW, &name)?;
        let (expected, report) = kept.map_or((0, None), |(version, report)| (version, Some(report)));
        // Of other stations the counts are of other customers: they begin again.
        let report = report.filter(|r| r.not_under == watcher.not_under());
        let mut report = report.unwrap_or_else(|| ShadowReport::new(watcher, now));
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

    /// What the shadows of a policy would have done otherwise, and its pilots outside their stations: those that there are, and those that there were.
    ///
    /// # Errors
    /// When what is stored cannot be read.
    pub fn shadow_reports(&self, prefecture: PrefectureCode, policy: &str) -> Result<Vec<ShadowReport>, HostError> {
        let prefix = format!("{}/", key(prefecture, policy));
        let docs = self.state().docs(SHADOW).into_iter().filter(|(key, _)| key.starts_with(&prefix));
        docs.map(|(key, doc)| documents::parse(SHADOW, &key, &doc.value)).collect()
    }
}

/// The pilot that decides about others too in this run: payments are seen by one run, and have no pilot.
fn piloted<'a>(request: &RunRequest, deployment: &'a Deployment) -> Option<&'a Pilot> {
    deployment.pilot.as_ref().filter(|_| request.trigger != RunTrigger::Payments)
}

fn told(
    prepared: &Prepared,
    decision: &Decision,
    account: AccountNumber,
    planned: &gridbell_planner::Planned,
) -> Sends {
    let manifest = prepared.plugin.manifest();
    let notice = manifest.notices().get(usize::from(decision.notice)).map(|n| n.name.clone()).unwrap_or_default();
    let reason = manifest.reasons().get(usize::from(decision.reason)).map(|r| r.name.clone()).unwrap_or_default();
    Sends { account, channel: planned.channel, at: planned.not_before, notice, step: decision.step, reason }
}

impl ShadowReport {
    fn new(watcher: &Watcher, at: Moment) -> Self {
        let shadow = watcher.plugin.digest().to_string();
        Self { mode: watcher.mode, not_under: watcher.not_under().to_vec(), ..Self::empty(shadow, at) }
    }

    fn empty(shadow: String, at: Moment) -> Self {
        Self {
            shadow,
            mode: Watched::Shadow,
            not_under: Vec::new(),
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
    fn add(&mut self, live: &BTreeMap<u32, &Sends>, shadow: &BTreeMap<u32, Sends>) {
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
                Some(theirs) if theirs == *ours => self.same += 1,
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
        let live: BTreeMap<u32, Sends> =
            [sms(1, 5, "a"), sms(2, 5, "a"), sms(3, 5, "a"), sms(4, 5, "a"), sms(5, 5, "a")].into();
        let mut shadow: BTreeMap<_, _> =
            [sms(1, 5, "a"), sms(2, 6, "a"), sms(3, 5, "b"), sends(4, Channel::Wechat, 5, "a")].into();
        shadow.extend((100..200).map(|n| sms(n, 5, "a")));
        let live = live.iter().map(|(row, s)| (*row, s)).collect();
        let mut report = ShadowReport::empty("x".to_owned(), Moment::from_unix_ms(0));
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

    #[test]
    fn a_report_from_before_pilots_had_any_reads_as_a_shadows() {
        let mut written = serde_json::to_value(ShadowReport::empty("x".to_owned(), Moment::from_unix_ms(0))).unwrap();
        let fields = written.as_object_mut().unwrap();
        assert!(fields.remove("mode").is_some() && fields.remove("not_under").is_some());
        let read: ShadowReport = serde_json::from_value(written).unwrap();
        assert_eq!((read.mode, read.not_under), (Watched::Shadow, Vec::new()));
    }

    #[test]
    fn reports_of_the_longest_policy_name_have_names_that_differ_by_mode_and_version() {
        let policy = format!("140100/{}", "x".repeat(63));
        let (one, other) = ("0".repeat(64), format!("{}{}", "0".repeat(42), "1".repeat(22)));
        let both = [Watched::Shadow, Watched::Pilot];
        let keys: Vec<String> =
            both.iter().flat_map(|m| [&one, &other].map(|digest| report_key(&policy, *m, digest))).collect();
        assert!(keys.iter().all(|k| k.len() == MAX_DOC_NAME && k.starts_with(&policy)), "{keys:?}");
        assert_eq!(keys.iter().collect::<std::collections::BTreeSet<_>>().len(), 4, "{keys:?}");
    }
}
