//! Fallback by receipt: where a message failed, or no report of it came within its route's wait, the next hop of the same decision goes through all
//! guardrails again and is published as a run of its own, in one commit with the end of the wait. A kill in between leaves either none or both.
//!
//! It must never tell a customer anew: it decides about nobody, and what the policy said, the guardrails judge with what is true now.

use std::collections::{BTreeMap, BTreeSet};
use std::sync::Arc;
use std::time::Duration;

use gridbell_model::{CustomerView, HoldReason, MessageId, MessageState, Moment, PrefectureCode, RunId, Sharing};
use gridbell_planner::{Earlier, Planned, RunScope, Verdict};
use gridbell_state::{
    DecisionRecord, DueHop, HopDecision, MAX_EVENTS_PER_OP, MessageDetail, MessageEvent, Outcome, QueuedMessage,
    RunRecord, Snapshot,
};

use crate::basis::Recorded;
use crate::error::HostError;
use crate::host::Host;
use crate::runs::{Basis, Ground, Prepared, RunRequest, RunTrigger};
use crate::settle::{Context, message};
use crate::ways::Ways;

/// Next hops of one run and one look at most; the others are due still and follow with the next.
pub const MAX_HOPS: usize = 16_384;
/// For how long ordinary messages' next hops are gathered, so that a night's failures are a few hundred records and not one each. Urgent ones are not.
pub const GATHER_HOPS_MS: i64 = 60_000;
/// As many are gathered no longer.
const GATHERED: usize = 4_096;
/// How long a run's hops are left alone after they could not be published: the operator was told.
const TRY_AGAIN_MS: i64 = 60_000;
/// Runs of next hops that a recall follows at most.
const MAX_HOP_RUNS: usize = 65_536;

/// What the next hops of one run are made from.
struct Following {
    original: Arc<RunRecord>,
    /// The run that decided: of a second hop not the one before.
    first: RunId,
    request: RunRequest,
    prepared: Arc<Prepared>,
}

impl Host {
    /// Publishes the next hops that are due. Returns how many messages' waits ended.
    pub async fn serve_hops(&self) -> usize {
        let now = self.clock().now();
        let mut ended = 0;
        let paused = {
            let mut pauses = self.hop_pauses().lock();
            pauses.retain(|_, until| now < *until);
            pauses.clone()
        };
        // A run that cannot go on keeps no other from it, however many wait.
        let due = self.state().hops_due(now, MAX_HOPS, |run| paused.contains_key(&run));
        for (run, ids) in gathered(due, now) {
            match self.hop(run, &ids).await {
                Ok(()) => {
                    ended += ids.len();
                    self.clear_alarm("hops.not-done", &run.to_string());
                }
                Err(e) => {
                    self.hop_pauses().lock().insert(run, now.plus_ms(TRY_AGAIN_MS));
                    self.raise("hops.not-done", &run.to_string(), e.to_string());
                }
            }
        }
        ended
    }

    /// Takes messages back whose channel has had no way out for as long as their hop may wait: their next hop is due then.
    ///
    /// # Errors
    /// When the state refuses.
    pub async fn give_up_stuck(&self) -> Result<(), HostError> {
        if self.state().awaiting_hops() == 0 {
            return Ok(());
        }
        let now = self.clock().now();
        for queue in self.state().queues_waiting() {
            let Some(unable) = self.unable_for(queue) else { continue };
            let unable = i64::try_from(unable.as_millis()).unwrap_or(i64::MAX);
            let overdue = |since: Moment, wait: u32| {
                let wait = i64::from(wait) * 60_000;
                unable >= wait && since.plus_ms(wait) <= now
            };
            let stuck = self.state().stuck(queue, MAX_EVENTS_PER_OP, overdue);
            let events: Vec<_> = {
                let claimed = self.claimed().lock();
                let free = stuck.into_iter().filter(|id| !claimed.contains_key(id));
                free.map(|id| (id, MessageEvent::Cancelled { reason: HoldReason::NoLink })).collect()
            };
            if !events.is_empty() {
                self.state().message_events(events).await?;
            }
        }
        Ok(())
    }

    /// For how long no link has taken messages of `queue`; none where one does, or where a stop holds one: what a person holds waits.
    fn unable_for(&self, queue: u8) -> Option<Duration> {
        if !self.queues().contains(&queue) {
            return Some(Duration::MAX);
        }
        let stops = self.stops_now();
        let links = self.link_handles();
        let its = links.iter().filter(|l| self.queues_of(l.name()).contains(&queue));
        let unable: Vec<Option<Duration>> =
            its.map(|l| l.unable_for().filter(|_| !stops.holds_link(l.name().as_str()))).collect();
        unable.into_iter().collect::<Option<Vec<_>>>()?.into_iter().min()
    }

    /// Publishes the next hops of messages of `run`.
    async fn hop(&self, run: RunId, ids: &[MessageId]) -> Result<(), HostError> {
        let Some(original) = self.state().run(run) else {
            // Its record left for the archives: nobody waits any more.
            self.state().end_hops(vec![run]).await?;
            return Ok(());
        };
        let lock = self.run_lock(original.prefecture);
        let _one_at_a_time = lock.lock().await;
        let mut writer = self.state().begin_hops(original.prefecture).await?;
        let started = self.clock().now();
        let snapshot = writer.snapshot().clone();
        let (host, ids, its) = (self.clone(), ids.to_vec(), snapshot.clone());
        let work = move || {
            let following = host.following(original, &its)?;
            let messages = host.state().messages_at(&ids)?;
            let hops = host.judge_hops(&following, &its, messages);
            Ok::<_, HostError>((following, hops))
        };
        let (following, hops) = self.clock().offload(work).await.map_err(|e| HostError::Task(e.to_string()))??;
        let Following { original, first, request, prepared } = following;
        let id = writer.id();
        self.keep(&mut writer, &request, &prepared, id)?;
        writer.follow(prepared.guard.waits());
        writer.push_hops(hops).await?;
        let mut record = self.record(&request, &prepared, started);
        record.scope = RunRecord::hop_scope(first);
        record.params.clone_from(&original.params);
        let (record, _) = writer.publish(record, Vec::new(), Vec::new()).await?;
        tracing::info!(
            run = %record.id, prefecture = %record.prefecture, policy = %record.policy, after = %original.id,
            decided = record.decided, queued = record.queued, "hops.published"
        );
        Ok(())
    }

    /// What the next hops of messages of `original` are made from: its policy and plugin as they were, everything else as it is now.
    fn following(&self, original: Arc<RunRecord>, snapshot: &Snapshot) -> Result<Following, HostError> {
        let first = original.hop_of().unwrap_or(original.id);
        let recorded = Recorded::read(self.state(), original.id)?;
        let (policy, scope) = match recorded {
            Some(recorded) => (recorded.policy, recorded.basis.scope.scope()),
            None => (self.policy(original.prefecture, &original.policy)?, RunScope::default()),
        };
        let request = RunRequest {
            prefecture: original.prefecture,
            policy: original.policy.clone(),
            trigger: RunTrigger::Person,
            scope,
            initiator: original.initiator.clone(),
            dry_run: false,
            release_of: None,
        };
        let plugin = self.plugin_of_digest(&original.digest)?;
        let basis = Basis { policy, plugin, settings: self.settings()?, now: self.clock().civil_minute() };
        let ground = Ground { org: self.state().org(), facts: Vec::new(), share: None };
        let prepared = Arc::new(Self::prepare_on(ground, basis, &request, snapshot)?);
        Ok(Following { original, first, request, prepared })
    }

    fn judge_hops(
        &self,
        following: &Following,
        snapshot: &Snapshot,
        mut messages: Vec<MessageDetail>,
    ) -> Vec<HopDecision> {
        let prepared = &following.prepared;
        let queues = self.queues();
        let context = Context::new(self.state(), prepared, snapshot, &queues);
        let ways = Ways::new(&prepared.settings.segments, snapshot.ported(), &queues);
        let mut caps = prepared.guard.day_caps();
        messages.sort_by_key(|m| (m.decision.row, m.id));
        let mut hops = Vec::with_capacity(messages.len());
        for detail in messages {
            let Outcome::Queued(before) = &detail.decision.outcome else { continue };
            let mut counted = true;
            let judged = judge(following, snapshot, &ways, &context, &detail).and_then(|(planned, view, queue)| {
                // One telling counts once a day: the caps let its first message pass.
                counted = planned.not_before.date() != before.send_after.date();
                let sharing = match planned.shares {
                    _ if counted => caps.admit(&planned, &context)?,
                    Some(_) => Sharing::Counted,
                    None => Sharing::Alone,
                };
                let next = message(*planned, &view, prepared.policy.topic, queue);
                Ok(QueuedMessage { said_before: before.said_before, sharing, ..next })
            });
            let outcome = judged.map_or_else(Outcome::Held, |next| Outcome::Queued(Box::new(next)));
            let unsure = detail.status.may_have_come();
            let record = DecisionRecord { outcome, ..detail.decision };
            hops.push(HopDecision { from: detail.id, record, counted, unsure });
        }
        hops
    }

    /// These runs and those of their messages' next hops.
    pub(crate) fn with_hops(&self, runs: BTreeSet<RunId>) -> BTreeSet<RunId> {
        let of = |r: &RunRecord| r.hop_of().is_some_and(|first| runs.contains(&first));
        let hops: Vec<RunId> = self.state().runs(None, MAX_HOP_RUNS, of).iter().map(|r| r.id).collect();
        runs.into_iter().chain(hops).collect()
    }

    /// Ends the waits of messages of these runs, and gives them with the runs of next hops: what is published from now on is taken back at once.
    pub(crate) async fn end_hops(&self, runs: BTreeSet<RunId>) -> Result<BTreeSet<RunId>, HostError> {
        let runs = self.with_hops(runs);
        if self.state().awaiting_hops() > 0 {
            self.state().end_hops(runs.iter().copied().collect()).await?;
        }
        // One that was being published meanwhile.
        Ok(self.with_hops(runs))
    }
}

/// The guardrails over the next hop of a message, caps left out: what it would be, and the queue that it waits in.
fn judge(
    following: &Following,
    snapshot: &Snapshot,
    ways: &Ways<'_>,
    context: &Context,
    detail: &MessageDetail,
) -> Result<(Box<Planned>, CustomerView, u8), HoldReason> {
    let Outcome::Queued(before) = &detail.decision.outcome else { return Err(HoldReason::FactsChanged) };
    let prepared = &following.prepared;
    let same = |view: &CustomerView| view.account == detail.decision.account;
    let view = snapshot.view(detail.decision.row).filter(same).ok_or(HoldReason::Closed)?;
    let earlier = Earlier {
        hop: before.hop,
        business_key: before.key,
        stated: before.stated,
        said: detail.status.state != MessageState::Cancelled,
    };
    match prepared.guard.follow(&detail.decision.decision(), &view, context, &earlier) {
        Verdict::Held(why) => Err(why),
        Verdict::Queue(planned) => {
            let queue = ways.of(&planned, view.row)?;
            Ok((planned, view, queue))
        }
    }
}

/// The hops that are not gathered any longer, by run.
fn gathered(due: Vec<DueHop>, now: Moment) -> BTreeMap<RunId, Vec<MessageId>> {
    let mut by_run: BTreeMap<(RunId, PrefectureCode), Vec<DueHop>> = BTreeMap::new();
    for hop in due {
        by_run.entry((hop.run, hop.id.prefecture())).or_default().push(hop);
    }
    let is_time = |hops: &Vec<DueHop>| {
        let urgent = hops.iter().any(|h| h.urgent);
        urgent || hops.len() >= GATHERED || hops.iter().any(|h| h.since.plus_ms(GATHER_HOPS_MS) <= now)
    };
    let ready = by_run.into_iter().filter(|(_, hops)| is_time(hops));
    ready.map(|((run, _), hops)| (run, hops.into_iter().map(|h| h.id).collect())).collect()
}
