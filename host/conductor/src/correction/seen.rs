//! Corrections as an office looks at them: what changed since one was proposed, the list with what became of each customer, and how all of it ended.
//! Changes nothing.

use std::collections::BTreeMap;

use gridbell_model::{HoldReason, MessageId, MessageState, Phone, RunId};
use gridbell_state::{DecisionRecord, MessageStatus, Outcome, RunRecord};
use serde::{Deserialize, Serialize};

use super::record::{Correction, CorrectionPart, CorrectionState, Recipient};
use crate::error::HostError;
use crate::host::Host;

/// What is otherwise than when a correction was proposed. None of it changes the list.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct CorrectionChange {
    /// Customers on the list whose wrong message turned out not to have come: they are not told.
    pub never_came: u64,
    /// Customers who would be told by the list and are held by now, by reason.
    pub held: BTreeMap<HoldReason, u64>,
    /// Customers who may have the wrong message and are not on the list: they are not told. Correct again for them.
    pub not_listed: u64,
}

/// How the messages of a correction stand.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct CorrectionEnds {
    /// By state.
    pub states: BTreeMap<MessageState, u64>,
    /// Held when they were to be queued, by reason.
    pub held: BTreeMap<HoldReason, u64>,
}

/// A customer of a list with what became of the correction.
#[derive(Clone, Debug)]
pub struct RecipientSeen {
    /// As the list has it.
    pub recipient: Recipient,
    /// The number that the wrong message went to, which shows itself masked; none where it left for the archives or was none.
    pub phone: Phone,
    /// The message that told; none before it is queued, and where it is held.
    pub correction: Option<MessageId>,
    /// Where that stands; none where it left for the archives.
    pub state: Option<MessageState>,
    /// Why there is none, or why it was taken back.
    pub held: Option<HoldReason>,
}

/// What a correction came to: its message, where that stands, and why there is none.
type Told = (Option<MessageId>, Option<MessageStatus>, Option<HoldReason>);

impl Host {
    /// What changed since a correction that waits was proposed.
    ///
    /// # Errors
    /// When something cannot be read.
    pub async fn correction_change(&self, correction: &Correction) -> Result<CorrectionChange, HostError> {
        if correction.state(self.clock().now()) != CorrectionState::Open {
            return Ok(CorrectionChange::default());
        }
        let (host, correction) = (self.clone(), correction.clone());
        let work = move || host.change_now(&correction);
        self.clock().offload(work).await.map_err(|e| HostError::Task(e.to_string()))?
    }

    fn change_now(&self, correction: &Correction) -> Result<CorrectionChange, HostError> {
        let mut change = CorrectionChange::default();
        let runs: Vec<_> = correction.wrong.iter().filter_map(|run| self.state().run(*run)).collect();
        let gathered = self.gather(&correction.scope, &runs)?;
        let bench = self.bench(correction.topic, &correction.texts)?;
        for part in &correction.parts {
            let Some(list) = self.listed(part)? else { continue };
            let key = (part.prefecture, part.policy.clone(), part.plugin.2.clone());
            let told = gathered.parts.get(&key).map_or(&[][..], Vec::as_slice);
            let by_account: BTreeMap<_, _> = told.iter().map(|t| (t.account, t)).collect();
            let before = self.corrected(part.prefecture, correction.id)?;
            let policy = self.policy(part.prefecture, &part.policy).ok();
            let corrector = bench.corrector(part.prefecture, policy.as_ref(), part.cost_per_part_milli_fen)?;
            let lost = self.lost(part.prefecture, told)?;
            let lost: BTreeMap<_, _> = told.iter().map(|t| t.account).zip(lost).collect();
            for recipient in &list {
                let Some(told) = by_account.get(&recipient.account) else {
                    change.never_came += 1;
                    continue;
                };
                if recipient.held.is_some() {
                    continue;
                }
                let view = self.state().customer_at(part.prefecture, told.row);
                let lost = lost.get(&told.account).copied().flatten();
                let held = match before.has(self, told)? {
                    true => Some(HoldReason::AlreadySaid),
                    false => bench.judge(&corrector, told, view, lost).err(),
                };
                if let Some(why) = held {
                    *change.held.entry(why).or_default() += 1;
                }
            }
            let listed: std::collections::BTreeSet<_> = list.iter().map(|r| r.account).collect();
            change.not_listed += told.iter().filter(|t| !listed.contains(&t.account)).count() as u64;
        }
        Ok(change)
    }

    /// How the messages of a correction stand, as far as they are here.
    ///
    /// # Errors
    /// When something cannot be read.
    pub async fn correction_ends(&self, correction: &Correction) -> Result<CorrectionEnds, HostError> {
        let (host, runs) = (self.clone(), correction.runs().collect::<Vec<_>>());
        let work = move || {
            let mut ends = CorrectionEnds::default();
            for run in runs.into_iter().filter_map(|run| host.state().run(run)) {
                for (why, n) in &run.held {
                    *ends.held.entry(*why).or_default() += n;
                }
                for segment in 0..u32::try_from(run.segments.len()).unwrap_or(u32::MAX) {
                    for (_, status) in host.state().decisions_and_states(&run, segment)? {
                        if let Some(status) = status {
                            *ends.states.entry(status.state).or_default() += 1;
                        }
                    }
                }
            }
            Ok(ends)
        };
        self.clock().offload(work).await.map_err(|e| HostError::Task(e.to_string()))?
    }

    /// The list of a correction from its `from`-th customer on, `limit` of them at most, with what became of each; whether there are more.
    ///
    /// # Errors
    /// When the list cannot be read, or left for the archives.
    pub async fn correction_recipients(
        &self,
        correction: &Correction,
        from: usize,
        limit: usize,
    ) -> Result<(Vec<RecipientSeen>, bool), HostError> {
        let (host, correction) = (self.clone(), correction.clone());
        let work = move || host.recipients_now(&correction, from, limit);
        self.clock().offload(work).await.map_err(|e| HostError::Task(e.to_string()))?
    }

    fn recipients_now(
        &self,
        correction: &Correction,
        mut from: usize,
        limit: usize,
    ) -> Result<(Vec<RecipientSeen>, bool), HostError> {
        let all: u64 = correction.parts.iter().map(|p| p.listed).sum();
        let (mut seen, begun) = (Vec::new(), from);
        for part in &correction.parts {
            let listed = usize::try_from(part.listed).unwrap_or(usize::MAX);
            if from >= listed {
                from -= listed;
                continue;
            }
            let gone = || {
                let text = format!("the list of {} in {} is no longer here", correction.name(), part.prefecture);
                HostError::Refused(format!("{text}: it left with its run, look in the archives (`archive search`)"))
            };
            let list = match self.listed(part)? {
                Some(list) => list,
                None if part.runs.is_empty() => return Ok((seen, false)),
                None => return Err(gone()),
            };
            let room = limit.saturating_sub(seen.len());
            let page: Vec<Recipient> = list.into_iter().skip(from).take(room).collect();
            from = 0;
            seen.extend(self.seen_of(part, page)?);
            if seen.len() >= limit {
                break;
            }
        }
        let more = begun.saturating_add(seen.len()) < usize::try_from(all).unwrap_or(usize::MAX);
        Ok((seen, more))
    }

    fn seen_of(&self, part: &CorrectionPart, page: Vec<Recipient>) -> Result<Vec<RecipientSeen>, HostError> {
        let ids: Vec<MessageId> = page.iter().map(|r| r.message).collect();
        let phones: BTreeMap<MessageId, Phone> = self
            .state()
            .messages_at(&ids)?
            .into_iter()
            .filter_map(|detail| match detail.decision.outcome {
                Outcome::Queued(message) => Some((detail.id, message.phone)),
                Outcome::Held(_) => None,
            })
            .collect();
        let mut outcomes: BTreeMap<MessageId, Told> = BTreeMap::new();
        // Of what was told anew the last counts.
        for run in part.runs.iter().filter_map(|run| self.state().run(*run)) {
            for (wrong, decision, status) in self.decided_about(&run, &page)? {
                let (message, held) = match &decision.outcome {
                    Outcome::Queued(queued) => {
                        let id = MessageId::new(part.prefecture, queued.number);
                        (Some(id), status.as_ref().and_then(|s| s.reason))
                    }
                    Outcome::Held(why) => (None, Some(*why)),
                };
                outcomes.insert(wrong, (message, status, held));
            }
        }
        let one = |recipient: Recipient| {
            let (correction, status, held) = outcomes.remove(&recipient.message).unwrap_or_default();
            RecipientSeen {
                recipient,
                phone: phones.get(&recipient.message).copied().unwrap_or(Phone::NONE),
                correction,
                state: status.map(|s| s.state),
                held: held.or(recipient.held),
            }
        };
        Ok(page.into_iter().map(one).collect())
    }

    /// What `run` decided about those of `page`, which is in order of row: segments that have none of them are not read.
    fn decided_about(
        &self,
        run: &RunRecord,
        page: &[Recipient],
    ) -> Result<Vec<(MessageId, DecisionRecord, Option<MessageStatus>)>, HostError> {
        let wanted: std::collections::BTreeSet<MessageId> = page.iter().map(|r| r.message).collect();
        let rows = page.iter().filter_map(|r| self.state().customer(r.account)).map(|(_, view)| view.row);
        let rows: Vec<u32> = rows.collect();
        let segments: std::collections::BTreeSet<usize> =
            rows.iter().map(|row| run.segments.partition_point(|s| s.first_row <= *row).saturating_sub(1)).collect();
        let mut found = Vec::new();
        for segment in segments.into_iter().filter(|s| *s < run.segments.len()) {
            let segment = u32::try_from(segment).unwrap_or(u32::MAX);
            for (decision, status) in self.state().decisions_and_states(run, segment)? {
                if let Some(wrong) = run.corrects(&decision).filter(|wrong| wanted.contains(wrong)) {
                    found.push((wrong, decision, status));
                }
            }
        }
        Ok(found)
    }

    /// The correction whose run `run` is.
    #[must_use]
    pub fn correction_of(&self, run: RunId) -> Option<Correction> {
        self.correction(self.state().run(run)?.correction()?).ok()
    }
}
