//! A preview from request to answer: both policies simulated side by side over one snapshot, then counted and compared.

use std::collections::BTreeMap;

use gridbell_engine::Plugin;
use gridbell_model::{Channel, CivilMinute, Date, Lane, OrgCode, OrgLevel, OrgTree};
use gridbell_planner::{LoadForecast, SendTimes, Verdict, Wave, forecast_load};
use gridbell_state::Snapshot;
use rustc_hash::FxHashMap;

use super::ask::{MAX_PREVIEW_DAYS, PreviewRequest};
use super::candidate::{Compared, Deciding};
use super::compare::{compare, customers};
use super::gate::{Control, Waiter};
use super::messages::{Message, SimContext, topics_by_class};
use super::outcome::{
    MAX_PREVIEW_SAMPLES, PolicyPreview, PreviewCount, PreviewDifference, PreviewMove, PreviewPlugin, PreviewRun,
    PreviewSample, PreviewTotals,
};
use super::seen;
use super::simulation::{Side, Simulation};
use super::stage::{Horizon, Setting, Stage};
use crate::error::HostError;
use crate::host::Host;
use crate::settings::Settings;
use crate::settle::Addresses;

impl Host {
    /// Whom a candidate would reach, and what it does that the live policy does not. Writes nothing. Dropping the future, like
    /// [`Host::cancel_preview`], ends it before its next batch.
    ///
    /// # Errors
    /// [`HostError::Busy`] while the office has one under way; [`HostError::Stopped`] when it was ended; when the candidate could not be applied, with
    /// every problem; when a plugin fails, as its run would.
    pub async fn preview_policy(&self, request: PreviewRequest) -> Result<PolicyPreview, HostError> {
        let pass = self.begin_preview(request.prefecture, &request.office)?;
        let _waiter = Waiter(pass.control.stop.clone());
        let host = self.clone();
        let work = move || host.preview_now(&request, &pass.control);
        self.clock().offload(work).await.map_err(|e| HostError::Task(e.to_string()))?
    }

    fn preview_now(&self, request: &PreviewRequest, control: &Control) -> Result<PolicyPreview, HostError> {
        let began = self.clock().monotonic();
        let (settings, horizon) = (self.settings()?, self.horizon(request.at, request.days)?);
        let Compared { live, candidate } = self.compared(request.prefecture, &request.policy, &request.candidate)?;
        let prefecture = request.prefecture;
        let snapshot = self.state().snapshot(prefecture).ok_or(gridbell_state::StateError::NoPrefecture(prefecture))?;
        let setting = Setting { prefecture, scope: &request.scope, settings: &settings, snapshot: &snapshot, horizon };
        let stage = |d: Deciding| Stage::new(self, d.policy, d.plugin, &setting);
        let of = candidate.policy.clone();
        let (candidate, live) = (stage(candidate)?, live.map(stage).transpose()?);
        control.expect(candidate.occurrences.len() + live.as_ref().map_or(0, |l| l.occurrences.len()));
        let simulate = |stage: &Stage| Simulation::new(self, stage, &snapshot).complete(control);
        let (ours, theirs) = rayon::join(|| simulate(&candidate), || live.as_ref().map(simulate).transpose());
        let (ours, theirs) = (ours?, theirs?);
        let org = self.state().org();
        let view = View { host: self, snapshot: &snapshot, org: &org, settings: &settings };
        let live = live.as_ref().zip(theirs.as_ref());
        let mut preview = view.preview(request, &candidate, &ours, live);
        (preview.load, preview.backlog_parts) = self.load(&candidate, &ours);
        preview.digest = seen::digest(&preview)?;
        preview.elapsed_ms =
            u64::try_from(self.clock().monotonic().saturating_sub(began).as_millis()).unwrap_or(u64::MAX);
        self.remember(request, of, &preview);
        Ok(preview)
    }

    /// The time that a preview looks at.
    pub(crate) fn horizon(&self, at: Option<CivilMinute>, days: Option<u8>) -> Result<Horizon, HostError> {
        if days.is_some_and(|d| d == 0 || d > MAX_PREVIEW_DAYS) {
            return Err(HostError::Invalid(format!(
                "a preview looks 1 to {MAX_PREVIEW_DAYS} days ahead (1 至 {MAX_PREVIEW_DAYS} 天)"
            )));
        }
        Ok(Horizon::new(at.unwrap_or_else(|| self.clock().civil_minute()), days, self.clock().today()))
    }

    /// What links would carry of `side`, and the parts that wait in the outbox now.
    fn load(&self, stage: &Stage, side: &Side) -> (LoadForecast, u64) {
        let mut waves: FxHashMap<(u8, CivilMinute, CivilMinute), u64> = FxHashMap::default();
        for m in side.messages.iter().filter(|m| m.channel == Channel::Sms) {
            *waves.entry((m.queue, m.send_after(), m.expires())).or_default() += u64::from(m.parts);
        }
        let lane = stage.policy.lane;
        let own = waves.into_iter().map(|((queue, from, expires), parts)| Wave {
            queue,
            lane,
            from,
            expires,
            parts,
            windowed: true,
        });
        let from = stage.horizon.from;
        let waiting = self.state().waiting_parts();
        let backlog = waiting.values().sum();
        let before = waiting.into_iter().map(|((queue, lane, at, expires), parts)| Wave {
            queue,
            lane,
            from: at.civil_minute().max(from),
            expires: expires.civil_minute(),
            parts,
            windowed: false,
        });
        let waves: Vec<Wave> = own.chain(before).collect();
        let rules = &stage.settings.rules;
        let quiet = rules.class(rules.topic(stage.policy.topic).class).quiet;
        let calendar = stage.settings.calendar.clone();
        let times = SendTimes::new(&stage.policy.windows, quiet, stage.policy.days, calendar);
        // What the last run queues is followed until it is gone or worthless.
        let until = waves.iter().map(|w| w.expires).max().unwrap_or(from).max(stage.horizon.until);
        (forecast_load(&self.capacities(), &waves, &times, until), backlog)
    }
}

/// What turns simulated messages into an answer.
struct View<'a> {
    host: &'a Host,
    snapshot: &'a Snapshot,
    org: &'a OrgTree,
    settings: &'a Settings,
}

type Key = (OrgCode, Date, Channel);

impl View<'_> {
    fn preview(
        &self,
        request: &PreviewRequest,
        stage: &Stage,
        side: &Side,
        live: Option<(&Stage, &Side)>,
    ) -> PolicyPreview {
        let base = stage.bases.first();
        let parameters = base.and_then(|b| serde_json::from_str(&b.prepared.run.params).ok());
        let mut warnings = side.warnings.clone();
        warnings.extend(base.iter().flat_map(|b| b.prepared.guard.warnings().iter().cloned()));
        if stage.occurrences.is_empty() {
            warnings.push("这段时间内没有执行计划 (no run falls into this time)".to_owned());
        }
        PolicyPreview {
            digest: String::new(),
            prefecture: request.prefecture,
            policy: request.policy.clone(),
            title: stage.policy.title.clone(),
            topic: stage.policy.topic,
            plugin: plugin(&stage.plugin),
            parameters: parameters.unwrap_or_else(|| serde_json::Value::Object(stage.policy.parameters.clone())),
            live_plugin: live.map(|(l, _)| plugin(&l.plugin)),
            from: stage.horizon.from,
            until: stage.horizon.until,
            days: request.days,
            sequence: self.snapshot.seq(),
            customers: u64::from(self.snapshot.rows()),
            totals: totals(side),
            live_totals: live.map(|(_, side)| totals(side)),
            runs: runs(stage, side),
            counts: self.counts(side, live.map(|(_, side)| side)),
            difference: live.map(|live| self.difference((stage, side), live)),
            load: LoadForecast::default(),
            backlog_parts: 0,
            samples: self.samples(stage, side, &varied(&side.messages)),
            assumptions: assumptions(stage, request.days.is_some()),
            warnings,
            elapsed_ms: 0,
        }
    }

    fn county(&self, station: OrgCode) -> OrgCode {
        let county = self.org.chain(station).find(|u| u.level == OrgLevel::County);
        county.map_or_else(|| self.snapshot.prefecture().org(), |u| u.code)
    }

    fn counts(&self, side: &Side, live: Option<&Side>) -> Vec<PreviewCount> {
        let mut counties: FxHashMap<OrgCode, OrgCode> = FxHashMap::default();
        let mut all: BTreeMap<Key, PreviewCount> = BTreeMap::new();
        let mut by_station: FxHashMap<Key, [u64; 6]> = FxHashMap::default();
        for (messages, at) in [(Some(side), 0), (live, 3)] {
            for m in messages.iter().flat_map(|s| &s.messages) {
                let sums = by_station.entry((m.station, m.day(), m.channel)).or_default();
                sums[at] += 1;
                sums[at + 1] += u64::from(m.parts);
                sums[at + 2] += u64::from(m.cost_milli_fen);
            }
        }
        for ((station, day, channel), [messages, parts, cost, live_messages, live_parts, live_cost]) in by_station {
            let county = *counties.entry(station).or_insert_with(|| self.county(station));
            let count = all.entry((county, day, channel)).or_insert_with(|| PreviewCount {
                county,
                county_name: self.name(county),
                channel,
                day,
                messages: 0,
                parts: 0,
                cost_milli_fen: 0,
                live_messages: 0,
                live_parts: 0,
                live_cost_milli_fen: 0,
            });
            count.messages += messages;
            count.parts += parts;
            count.cost_milli_fen += cost;
            count.live_messages += live_messages;
            count.live_parts += live_parts;
            count.live_cost_milli_fen += live_cost;
        }
        all.into_values().collect()
    }

    fn name(&self, unit: OrgCode) -> String {
        self.org.get(unit).map(|u| u.name.clone()).unwrap_or_default()
    }

    fn difference(&self, ours: (&Stage, &Side), live: (&Stage, &Side)) -> PreviewDifference {
        let changes = compare(&ours.1.messages, &live.1.messages);
        let of = |(stage, side): (&Stage, &Side), at: &[u32]| self.samples(stage, side, &spread(at));
        let moved = spread(&(0u32..).take(changes.moved.len()).collect::<Vec<_>>());
        let moved = moved.iter().filter_map(|n| changes.moved.get(*n as usize));
        let one = |(stage, side): (&Stage, &Side), at: u32| self.sample(stage, side, at);
        PreviewDifference {
            added: changes.added.len() as u64,
            dropped: changes.dropped.len() as u64,
            moved: changes.moved.len() as u64,
            moved_channel: changes.moved_channel,
            moved_day: changes.moved_day,
            same: changes.same,
            customers_added: changes.customers_added,
            customers_dropped: changes.customers_dropped,
            added_samples: of(ours, &changes.added),
            dropped_samples: of(live, &changes.dropped),
            moved_samples: moved
                .filter_map(|(to, from)| Some(PreviewMove { from: one(live, *from)?, to: one(ours, *to)? }))
                .collect(),
        }
    }

    fn samples(&self, stage: &Stage, side: &Side, at: &[u32]) -> Vec<PreviewSample> {
        at.iter().filter_map(|n| self.sample(stage, side, *n)).collect()
    }

    fn sample(&self, stage: &Stage, side: &Side, at: u32) -> Option<PreviewSample> {
        let message = side.messages.get(at as usize)?;
        let manifest = stage.plugin.manifest();
        Some(PreviewSample {
            account: self.snapshot.account(message.row)?,
            county: self.name(self.county(message.station)),
            notice: manifest.notices().get(usize::from(message.notice)).map(|n| n.name.clone())?,
            step: message.step,
            reason: manifest.reasons().get(usize::from(message.reason)).map(|r| r.title.clone())?,
            channel: message.channel,
            decided_at: stage.occurrences.get(usize::from(message.run))?.at,
            send_after: message.send_after(),
            parts: message.parts,
            cost_milli_fen: message.cost_milli_fen,
            text: text_of(self.host, stage, self.snapshot, self.settings, message)?,
        })
    }
}

/// The exact text of a simulated message.
pub(crate) fn text_of(
    host: &Host,
    stage: &Stage,
    snapshot: &Snapshot,
    settings: &Settings,
    message: &Message,
) -> Option<String> {
    let n = usize::from(message.run);
    let occurrence = stage.occurrences.get(n)?;
    let mut view = stage.bases.get(occurrence.base)?.prepared.view(snapshot, message.table_row)?;
    // A text states facts as they will be then; what was said before it is not in it.
    (view.reminded_step, view.bill_said, view.balance_said, view.payment_said) = (0, 0, 0, false);
    let shift = stage.horizon.shift(occurrence.at);
    let later = |d: Date| d.some().map_or(Date::NONE, |d| d.plus_days(shift));
    (view.balance_as_of, view.arrears_as_of) = (later(view.balance_as_of), later(view.arrears_as_of));
    let (topics, counted) = (topics_by_class(&settings.rules), super::messages::Counted::default());
    let addresses = Addresses::of(snapshot, &host.queues());
    let context = SimContext::new(host.state(), snapshot.prefecture(), &topics, &counted, &addresses);
    match stage.guard(n).consider(&message.decision(), &view, &context) {
        Verdict::Queue(planned) => Some(planned.text.text),
        Verdict::Held(_) => None,
    }
}

fn plugin(plugin: &Plugin) -> PreviewPlugin {
    let manifest = plugin.manifest();
    PreviewPlugin {
        name: manifest.name().to_owned(),
        version: manifest.version().to_owned(),
        digest: plugin.digest().to_string(),
    }
}

fn totals(side: &Side) -> PreviewTotals {
    let sum = |of: fn(&super::simulation::SimRun) -> u64| side.runs.iter().map(of).sum();
    PreviewTotals {
        decided: sum(|r| r.decided),
        messages: sum(|r| r.queued),
        customers: customers(&side.messages),
        parts: sum(|r| r.parts),
        cost_milli_fen: sum(|r| r.cost_milli_fen),
        held: side.held.clone(),
    }
}

fn runs(stage: &Stage, side: &Side) -> Vec<PreviewRun> {
    let each = stage.occurrences.iter().zip(&side.runs);
    each.map(|(occurrence, run)| PreviewRun {
        at: occurrence.at,
        schedule: stage.bases[occurrence.base].prepared.run.schedule.clone(),
        passed: run.passed,
        decided: run.decided,
        messages: run.queued,
        parts: run.parts,
        cost_milli_fen: run.cost_milli_fen,
        waits_above: run.over,
    })
    .collect()
}

/// Places of up to [`MAX_PREVIEW_SAMPLES`] of `at`, evenly over all of it.
fn spread(at: &[u32]) -> Vec<u32> {
    let n = at.len().min(MAX_PREVIEW_SAMPLES);
    (0..n).map(|i| at[i * at.len() / n]).collect()
}

/// Places of up to [`MAX_PREVIEW_SAMPLES`] messages: of every notice and step in turn, each evenly over all of its messages.
fn varied(messages: &[Message]) -> Vec<u32> {
    let mut kinds: BTreeMap<(u16, u8), u32> = BTreeMap::new();
    for m in messages {
        *kinds.entry((m.notice, m.step)).or_default() += 1;
    }
    let each = MAX_PREVIEW_SAMPLES.div_ceil(kinds.len().max(1)).max(1) as u32;
    // Of each kind every so-many-th; a second pass finds them without keeping a list for each kind.
    let mut seen: BTreeMap<(u16, u8), u32> = BTreeMap::new();
    let mut chosen = Vec::new();
    for (at, m) in (0u32..).zip(messages) {
        let kind = (m.notice, m.step);
        let n = seen.entry(kind).or_default();
        let every = kinds.get(&kind).copied().unwrap_or(1).div_ceil(each).max(1);
        if n.is_multiple_of(every) {
            chosen.push(at);
        }
        *n += 1;
    }
    spread(&chosen)
}

fn assumptions(stage: &Stage, ahead: bool) -> Vec<String> {
    let mut all =
        vec!["不计新缴费、新账单和余额变化；欠费与余额按快照不变 (no payments, new bills or drift)".to_owned()];
    if ahead {
        all.push("每次执行后已通知的步骤计入以后各次；数据日期逐日顺延，即每天重新核算且数值不变 (what was said and dates advance)".to_owned());
    }
    all.push(
        "只计本策略；其他策略和其他地市今后的消息不计，待发队列中现有的计入通道负荷 (other policies' and cities' future messages are not counted, the outbox is)"
            .to_owned(),
    );
    all.push("通道按授权速率满载计算，不计重发和拒绝 (links at their full grant)".to_owned());
    if stage.bases.iter().any(|b| b.limit != gridbell_planner::BlastVerdict::Pass) {
        all.push("超过规模上限的执行按已放行计算 (runs above their limit count as released)".to_owned());
    }
    if stage.policy.lane == Lane::Urgent {
        all.push("加急消息先于待发的普通消息 (urgent goes first)".to_owned());
    }
    all
}
