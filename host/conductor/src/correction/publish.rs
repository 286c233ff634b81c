//! Approved corrections: each part becomes a run, in one commit with the document that says so. A kill leaves it before or after; done again, it does
//! nothing. Whoever the list does not name is told nothing, and whoever it names is judged once more.

use std::collections::{BTreeMap, BTreeSet};
use std::sync::Arc;

use gridbell_model::{
    AccountNumber, CivilMinute, HoldReason, Initiator, MessageId, MessageState, Moment, RunId, Topic,
};
use gridbell_state::{DecisionRecord, Outcome, RunRecord, RunWriter, Snapshot, TRIGGER_CORRECTION, content_hash};
use parking_lot::Mutex;
use serde_json::json;

use super::gather::{Told, may_have};
use super::judge::{Bench, Corrected};
use super::record::{Correction, CorrectionPart, CorrectionState, Recipient, Words, list_name};
use crate::archived::hex;
use crate::basis::RunBasis;
use crate::documents::{self, CORRECTION, note};
use crate::error::HostError;
use crate::host::Host;
use crate::settle::message;

/// The alarm that a correction waits for its second person.
pub(super) const WAITING: &str = "correction.waiting";
/// The alarm that one could not be told.
const NOT_DONE: &str = "correction.not-done";
/// Customers judged in one piece: bounds the texts in memory.
const BLOCK: usize = 32_768;
/// How often what was told is looked at again, while something may follow.
const LOOK_AGAIN_MS: i64 = 30_000;
/// Runs of one part at most: what a text states may change again before it leaves, but not for ever.
const MAX_ROUNDS: usize = 8;

/// What the host keeps in memory of its corrections.
#[derive(Default)]
pub(crate) struct Work {
    /// One proposal is made at a time.
    pub(super) proposing: tokio::sync::Mutex<()>,
    /// When something is to be looked at; none at the start, which looks.
    next: Mutex<Option<Moment>>,
}

impl Work {
    /// Something is to be done at once.
    pub(crate) fn look(&self) {
        *self.next.lock() = None;
    }
}

impl Host {
    /// Tells what was approved and not told yet. Returns how many runs it published.
    pub async fn serve_corrections(&self) -> usize {
        let now = self.clock().now();
        {
            let mut next = self.correction_work().next.lock();
            if next.is_some_and(|at| now < at) {
                return 0;
            }
            *next = Some(now.plus_ms(LOOK_AGAIN_MS));
        }
        let mut published = 0;
        for correction in self.corrections() {
            let name = correction.name();
            match correction.state(now) {
                CorrectionState::Approved | CorrectionState::Published => {}
                CorrectionState::Open => continue,
                CorrectionState::Expired => {
                    self.clear_alarm(WAITING, &name);
                    if let Err(e) = self.drop_lists(&correction).await {
                        self.raise(NOT_DONE, &name, e.to_string());
                    }
                    continue;
                }
                CorrectionState::Refused | CorrectionState::Withdrawn => continue,
            }
            let open = correction.parts.iter().enumerate().filter(|(_, part)| !part.settled);
            for (part, _) in open {
                match self.serve_part(correction.id, part).await {
                    Ok(runs) => {
                        published += runs;
                        self.clear_alarm(NOT_DONE, &name);
                    }
                    Err(e) => self.raise(NOT_DONE, &name, format!("{name} is tried again: {e}")),
                }
            }
        }
        published
    }

    async fn drop_lists(&self, correction: &Correction) -> Result<(), HostError> {
        let there = |key: &String| self.state().doc(documents::CORRECTION_LIST, key).is_some();
        if correction.parts.iter().flat_map(CorrectionPart::keys).any(|key| there(&key)) {
            let docs = correction.parts.iter().flat_map(CorrectionPart::drop_list).collect();
            self.state().put_docs(docs, Vec::new()).await?;
        }
        Ok(())
    }

    /// Publishes a part that was not, or what follows it. Returns how many runs.
    async fn serve_part(&self, id: u64, part: usize) -> Result<usize, HostError> {
        let at = |correction: &Correction| correction.parts.get(part).map(|p| (p.prefecture, p.settled));
        let Some((prefecture, settled)) = at(&self.correction(id)?) else { return Ok(0) };
        if settled {
            return Ok(0);
        }
        let lock = self.run_lock(prefecture);
        let _one_at_a_time = lock.lock().await;
        let (version, correction) = self.kept_correction(id)?;
        let Some(its) = correction.parts.get(part) else { return Ok(0) };
        match its.runs.last() {
            None => {
                let (host, its) = (self.clone(), its.clone());
                let read = move || host.listed(&its);
                let list = self.clock().offload(read).await.map_err(|e| HostError::Task(e.to_string()))??;
                let lost = || HostError::Refused(format!("the list of {} is not there", correction.name()));
                self.queue_correction(&correction, part, version, list.ok_or_else(lost)?).await.map(|()| 1)
            }
            Some(run) => self.go_on(&correction, part, version, *run).await,
        }
    }

    /// What follows `run`: whose text stated a fact that changed before it left is told anew with the facts of now.
    async fn go_on(&self, correction: &Correction, part: usize, version: u64, run: RunId) -> Result<usize, HostError> {
        let waits = |m: &gridbell_state::LiveMessage| {
            m.run == run && matches!(m.state, MessageState::Queued | MessageState::Submitting)
        };
        if correction.states_fact && self.state().count_live(waits) > 0 {
            return Ok(0);
        }
        let rounds = correction.parts.get(part).map_or(0, |p| p.runs.len());
        let (host, states) = (self.clone(), correction.states_fact);
        let read = move || if states { host.outdated(run) } else { Ok(Vec::new()) };
        let again = self.clock().offload(read).await.map_err(|e| HostError::Task(e.to_string()))??;
        if !again.is_empty() && rounds < MAX_ROUNDS {
            return self.queue_correction(correction, part, version, again).await.map(|()| 1);
        }
        let mut settled = correction.clone();
        settled.parts.iter_mut().skip(part).take(1).for_each(|p| p.settled = true);
        self.state().put_docs(vec![settled.put(version)?], Vec::new()).await?;
        Ok(0)
    }

    /// Customers whose correction in `run` was taken back because what it stated was no longer so. Blocks.
    fn outdated(&self, run: RunId) -> Result<Vec<Recipient>, HostError> {
        let Some(run) = self.state().run(run) else { return Ok(Vec::new()) };
        let mut again = Vec::new();
        for segment in 0..u32::try_from(run.segments.len()).unwrap_or(u32::MAX) {
            for (decision, status) in self.state().decisions_and_states(&run, segment)? {
                let changed = status.is_some_and(|s| s.reason == Some(HoldReason::FactsChanged));
                let (Outcome::Queued(queued), Some(message)) = (&decision.outcome, run.corrects(&decision)) else {
                    continue;
                };
                if changed {
                    let (account, channel) = (decision.account, queued.channel);
                    let state = MessageState::Submitted;
                    again.push(Recipient { account, message, channel, state, held: None });
                }
            }
        }
        Ok(again)
    }

    /// Publishes the run that tells `list`.
    async fn queue_correction(
        &self,
        correction: &Correction,
        part: usize,
        version: u64,
        list: Vec<Recipient>,
    ) -> Result<(), HostError> {
        let Some(its) = correction.parts.get(part).cloned() else { return Ok(()) };
        let mut writer = self.state().begin_run(its.prefecture).await?;
        let started = self.clock().now();
        let snapshot = writer.snapshot().clone();
        let bench = Arc::new(self.bench(correction.topic, &correction.texts)?);
        let (host, id, prefecture) = (self.clone(), correction.id, its.prefecture);
        let find = move || host.corrected(prefecture, id);
        let before = self.clock().offload(find).await.map_err(|e| HostError::Task(e.to_string()))??;
        let before = Arc::new(before);
        for block in list.chunks(BLOCK) {
            let (host, its, bench, before) = (self.clone(), its.clone(), Arc::clone(&bench), Arc::clone(&before));
            let (block, snapshot) = (block.to_vec(), snapshot.clone());
            let judge = move || host.judge_listed(&bench, &its, &block, &before, &snapshot);
            let records = self.clock().offload(judge).await.map_err(|e| HostError::Task(e.to_string()))??;
            writer.push(records).await?;
        }
        let mut told = correction.clone();
        let run = writer.id();
        let first = its.runs.is_empty();
        told.parts.iter_mut().skip(part).take(1).for_each(|p| p.runs.push(run));
        let mut docs = vec![told.put(version)?];
        if first {
            self.keep_list(&mut writer, correction, &its, &bench)?;
            docs.extend(its.drop_list());
        }
        let detail = json!({ "list": its.list, "listed": list.len(), "wrong": correction.scope.wrong });
        let who = correction.decided.as_ref().map_or(correction.by.as_str(), |d| d.by.as_str());
        let audit = vec![note(who, "correction.publish", &format!("{} {run}", correction.name()), detail)];
        let record = self.correction_record(correction, &its, (started, bench.now), list.len() as u64)?;
        let (record, _) = writer.publish(record, docs, audit).await?;
        self.correction_work().look();
        tracing::info!(
            run = %record.id, correction = correction.id, prefecture = %record.prefecture, decided = record.decided,
            queued = record.queued, "correction.published"
        );
        Ok(())
    }

    /// What becomes of each customer on a list, in order of row. Blocks.
    fn judge_listed(
        &self,
        bench: &Bench,
        part: &CorrectionPart,
        list: &[Recipient],
        before: &Corrected,
        snapshot: &Snapshot,
    ) -> Result<Vec<DecisionRecord>, HostError> {
        let ids: Vec<MessageId> = list.iter().map(|r| r.message).collect();
        let details = self.state().messages_at(&ids)?;
        let mut told: BTreeMap<MessageId, (Told, bool)> = BTreeMap::new();
        for detail in details {
            let Outcome::Queued(message) = &detail.decision.outcome else { continue };
            let one = Told::new(detail.id, detail.run, &detail.decision, message, &detail.status);
            told.insert(detail.id, (one, may_have(&detail.status)));
        }
        let known: Vec<Told> = list.iter().filter_map(|r| told.get(&r.message)).map(|(t, _)| t.clone()).collect();
        let lost = self.lost(part.prefecture, &known)?;
        let lost: BTreeMap<MessageId, Option<HoldReason>> = known.iter().map(|t| t.message).zip(lost).collect();
        let policy = self.policy(part.prefecture, &part.policy).ok();
        let corrector = bench.corrector(part.prefecture, policy.as_ref(), part.cost_per_part_milli_fen)?;
        let mut records = Vec::with_capacity(list.len());
        for recipient in list {
            let Some((told, may_have_come)) = told.get(&recipient.message) else {
                // It left for the archives since: whom it went to is not known here any more.
                records.extend(self.lost_record(recipient));
                continue;
            };
            let judged = match recipient.held {
                // Whoever was shown as held stays so: nobody agreed to tell them.
                Some(why) => Err(why),
                None if !may_have_come => Err(HoldReason::NeverCame),
                None if before.has(self, told)? => Err(HoldReason::AlreadySaid),
                None => {
                    let lost = lost.get(&told.message).copied().flatten();
                    bench.judge(&corrector, told, snapshot.view(told.row), lost)
                }
            };
            let outcome = match judged {
                Err(why) => Outcome::Held(why),
                Ok((planned, view, queue)) => {
                    Outcome::Queued(Box::new(message(planned, &view, Topic::Correction, queue)))
                }
            };
            records.push(decided((told.row, told.account), told.message, told, outcome));
        }
        Ok(records)
    }

    fn lost_record(&self, recipient: &Recipient) -> Option<DecisionRecord> {
        let (_, view) = self.state().customer(recipient.account)?;
        let outcome = Outcome::Held(recipient.held.unwrap_or(HoldReason::NoAddress));
        Some(DecisionRecord {
            row: view.row,
            account: recipient.account,
            notice: 0,
            step: 0,
            reason: 0,
            route: 0,
            arg0: i64::from(recipient.message.number()),
            arg1: 0,
            not_before: CivilMinute::NONE,
            expires: CivilMinute::NONE,
            outcome,
        })
    }

    /// Keeps the list, the texts and the rules with the run.
    fn keep_list(
        &self,
        writer: &mut RunWriter,
        correction: &Correction,
        part: &CorrectionPart,
        bench: &Bench,
    ) -> Result<(), HostError> {
        let as_json = |what: &str, value: serde_json::Result<Vec<u8>>| -> Result<Arc<[u8]>, HostError> {
            value.map(Into::into).map_err(|source| HostError::Document { name: what.to_owned(), source })
        };
        let chunks = self.list_of(part)?.unwrap_or_default();
        let mut documents: Vec<(String, Arc<[u8]>)> =
            chunks.into_iter().enumerate().map(|(n, chunk)| (list_name(n), chunk.into())).collect();
        documents.push((CORRECTION.to_owned(), as_json(CORRECTION, serde_json::to_vec(correction))?));
        let rules = as_json("rules", serde_json::to_vec(&*bench.settings.rules))?;
        documents.push(("rules".to_owned(), rules));
        let basis = RunBasis {
            documents: documents.iter().map(|(name, d)| (name.clone(), hex(&content_hash(d)))).collect(),
            facts: Vec::new(),
            scope: crate::basis::KeptScope::default(),
            carriers: bench.queues.iter().copied().collect::<BTreeSet<u8>>().into_iter().collect(),
            sample_seed: 0,
            share: None,
        };
        let basis = as_json("basis", serde_json::to_vec(&basis))?;
        writer.keep(basis.to_vec(), documents.into_iter().map(|(_, d)| d).collect())?;
        Ok(())
    }

    fn correction_record(
        &self,
        correction: &Correction,
        part: &CorrectionPart,
        (started, now): (Moment, CivilMinute),
        listed: u64,
    ) -> Result<RunRecord, HostError> {
        let words = Words {
            correction: correction.id,
            topic: correction.topic,
            states_fact: correction.states_fact,
            tells_account: correction.tells_account,
        };
        let params =
            serde_json::to_string(&words).map_err(|source| HostError::Document { name: correction.key(), source })?;
        let (plugin, plugin_version, digest) = part.plugin.clone();
        Ok(RunRecord {
            plugin,
            plugin_version,
            digest,
            params,
            trigger: TRIGGER_CORRECTION,
            initiator: Initiator::Person(correction.by.clone()),
            scope: RunRecord::correction_scope(correction.id),
            passed: listed,
            ..RunRecord::blank(part.prefecture, part.policy.clone(), Topic::Correction, now, started)
        })
    }

    /// All corrections, newest first.
    #[must_use]
    pub fn corrections(&self) -> Vec<Correction> {
        let docs = self.state().docs(CORRECTION).into_iter().rev();
        docs.filter_map(|(key, doc)| documents::parse(CORRECTION, &key, &doc.value).ok()).collect()
    }

    /// One correction.
    ///
    /// # Errors
    /// When there is none.
    pub fn correction(&self, id: u64) -> Result<Correction, HostError> {
        self.kept_correction(id).map(|(_, correction)| correction)
    }

    pub(crate) fn kept_correction(&self, id: u64) -> Result<(u64, Correction), HostError> {
        documents::read(self.state(), CORRECTION, &super::key(id))?.ok_or(HostError::NoCorrection(id))
    }
}

/// The decision about a customer of a list: that about the wrong message, with its number in the place of the plugin's.
fn decided((row, account): (u32, AccountNumber), wrong: MessageId, told: &Told, outcome: Outcome) -> DecisionRecord {
    let (notice, route, step) = told.wrong.decision;
    DecisionRecord {
        row,
        account,
        notice,
        step,
        reason: told.reason,
        route,
        arg0: i64::from(wrong.number()),
        arg1: 0,
        not_before: CivilMinute::NONE,
        expires: CivilMinute::NONE,
        outcome,
    }
}
