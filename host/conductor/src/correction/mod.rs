//! Corrections: everybody to whom a wrong message was submitted and has not definitely failed is told what is right, with an apology, on the channel on
//! which the wrong one went. What has not left is taken back first. One person proposes, with the list of recipients; another agrees, and exactly that list
//! is told, once. It must never tell anybody who is not on the list, nor say anything of an account to a number that is not its customer's.

mod gather;
mod judge;
mod look;
mod publish;
mod record;
mod scope;
mod seen;

use std::collections::BTreeMap;
use std::sync::Arc;

use gridbell_model::{Channel, Phone, PrefectureCode, RunId, Topic};
use gridbell_planner::{Change, TextPlan};
use gridbell_state::{LiveMessage, RunRecord};
use rustc_hash::FxHashSet;
use serde_json::json;

pub(crate) use look::last_look;
pub(crate) use publish::Work;
pub(crate) use record::key;
pub use record::{
    CORRECTION_HOURS, Correction, CorrectionCounts, CorrectionPart, CorrectionState, MAX_CORRECTED,
    MAX_KEPT_CORRECTIONS, Recipient,
};
pub use scope::{CorrectionScope, MAX_CORRECTED_RUNS, Wrong};
pub use seen::{CorrectionChange, CorrectionEnds, RecipientSeen};

use crate::documents::{self, CORRECTION, CORRECTION_LIST, note};
use crate::error::HostError;
use crate::host::Host;
use crate::proposals::{Draft, Needs, Proposed};
use gather::{PartKey, Told};
use record::write_list;

/// Customers whom a preview shows one by one at most; the whole list is kept with the proposal.
pub const MAX_CORRECTION_ROWS: usize = 20;
/// The longest text of a correction that a proposal's line shows, in characters.
const SHOWN_TEXT: usize = 300;

/// A correction that somebody wants.
#[derive(Clone, Debug)]
pub struct CorrectionOrder {
    /// Which messages were wrong.
    pub scope: CorrectionScope,
    /// What is right, by channel; where a channel has none, the province's approved text of corrections about the topic.
    pub texts: BTreeMap<Channel, String>,
    /// The prefectures in which the proposer may correct; all if empty.
    pub within: Vec<PrefectureCode>,
    /// Why.
    pub why: String,
    /// Who.
    pub who: String,
}

/// A customer as a preview shows it.
#[derive(Clone, Debug)]
pub struct CorrectionRow {
    /// As it would be on the list.
    pub recipient: Recipient,
    /// The number that the wrong message went to; shows itself masked.
    pub phone: Phone,
    /// What would be said; none to whom nothing is.
    pub text: Option<TextPlan>,
}

/// What a correction would do.
#[derive(Clone, Debug)]
pub struct CorrectionPreview {
    /// What the wrong messages are about.
    pub topic: Topic,
    /// Whose runs' messages they are.
    pub runs: Vec<RunId>,
    /// Messages that have not left and are taken back.
    pub waiting: u64,
    /// What would be said.
    pub texts: BTreeMap<Channel, String>,
    /// How many it would tell.
    pub counts: CorrectionCounts,
    /// The first customers.
    pub first: Vec<CorrectionRow>,
}

/// What a correction comes to, with the lists that are kept of it.
struct Computed {
    preview: CorrectionPreview,
    waiting: FxHashSet<gridbell_model::MessageId>,
    parts: Vec<(CorrectionPart, Vec<String>)>,
    says: (bool, bool),
}

impl Host {
    /// What a correction would do; changes nothing.
    ///
    /// # Errors
    /// When nothing of it was sent, it is too large, or a text cannot be sent, with its line and column.
    pub async fn preview_correction(&self, order: &CorrectionOrder) -> Result<CorrectionPreview, HostError> {
        let runs = self.wrong_runs(&order.scope, &order.within)?;
        Ok(self.compute(order, runs).await?.preview)
    }

    /// Takes back what has not left, keeps the list of those who may have the wrong message, and proposes to tell them.
    ///
    /// # Errors
    /// As [`Host::preview_correction`], and when nobody would be told: then nothing is taken back.
    pub async fn propose_correction(&self, order: &CorrectionOrder) -> Result<Correction, HostError> {
        let _one_at_a_time = self.correction_work().proposing.lock().await;
        let mut runs = self.wrong_runs(&order.scope, &order.within)?;
        let would = self.compute(order, runs.clone()).await?;
        if would.preview.counts.all_told() == 0 && would.preview.waiting == 0 {
            return Err(nobody(&would.preview.counts));
        }
        if order.scope.takes_whole_runs() {
            // What would be published by the next channel meanwhile ends here.
            self.end_hops(runs.iter().map(|r| r.id).collect()).await?;
            runs = self.wrong_runs(&order.scope, &order.within)?;
        }
        let whole: FxHashSet<RunId> = runs.iter().filter(|_| order.scope.takes_whole_runs()).map(|r| r.id).collect();
        let waiting = would.waiting;
        let recalled = self.take_back(&|m: &LiveMessage| whole.contains(&m.run) || waiting.contains(&m.id)).await?;
        if recalled > 0 {
            let detail = json!({ "why": order.why, "taken_back": recalled });
            let note = note(&order.who, "message.recall", &order.scope.wrong.to_string(), detail);
            self.state().put_docs(Vec::new(), vec![note]).await?;
        }
        let computed = self.compute(order, runs).await?;
        if computed.preview.counts.all_told() == 0 {
            let held = nobody(&computed.preview.counts);
            return Err(HostError::Refused(format!("{recalled} messages were taken back: {held}")));
        }
        self.keep_correction(order, computed, recalled).await
    }

    async fn keep_correction(
        &self,
        order: &CorrectionOrder,
        computed: Computed,
        recalled: u64,
    ) -> Result<Correction, HostError> {
        let Computed { preview, parts, says, .. } = computed;
        self.drop_stray_lists().await?;
        for (part, chunks) in &parts {
            for (key, chunk) in part.keys().zip(chunks) {
                let value = Some(chunk.as_bytes().to_vec());
                let kind = CORRECTION_LIST.to_owned();
                let doc = gridbell_state::DocChange { kind, key, value, expected: None };
                self.state().put_docs(vec![doc], Vec::new()).await?;
            }
        }
        let parts: Vec<CorrectionPart> = parts.into_iter().map(|(part, _)| part).collect();
        let now = self.clock().now();
        let digest = record::digest_of(parts.iter().map(|p| p.list.as_bytes()));
        let correction = Correction {
            id: 0,
            scope: order.scope.clone(),
            topic: preview.topic,
            texts: preview.texts,
            states_fact: says.0,
            tells_account: says.1,
            wrong: preview.runs,
            counts: preview.counts,
            recalled,
            digest,
            by: order.who.clone(),
            why: order.why.chars().take(crate::versions::MAX_WHY).collect(),
            at: now,
            expires: now.plus_ms(CORRECTION_HOURS * 3_600_000),
            decision: CorrectionState::Open,
            decided: None,
            parts,
        };
        let proposed = self.open_proposal(correction.draft(), |id| self.with_number(&correction, id)).await?;
        let correction = Correction { id: proposed.id, ..correction };
        self.correction_work().look();
        let text = format!(
            "{} tells {} customers that {} was wrong, and waits for a second person until {}",
            correction.name(),
            correction.counts.all_told(),
            correction.scope.wrong,
            correction.expires
        );
        self.raise(publish::WAITING, &correction.name(), text);
        Ok(correction)
    }

    /// The proposal and the documents of `correction` under the number `id`.
    fn with_number(
        &self,
        correction: &Correction,
        id: u64,
    ) -> Result<(Proposed, Vec<gridbell_state::DocChange>), HostError> {
        let numbered = Correction { id, ..correction.clone() };
        let mut docs = vec![numbered.put(0)?];
        let kept = self.corrections();
        let over = (kept.len() + 1).saturating_sub(MAX_KEPT_CORRECTIONS);
        let now = self.clock().now();
        let ended = |c: &&Correction| !matches!(c.state(now), CorrectionState::Open | CorrectionState::Approved);
        let old = kept.iter().rev().filter(ended).take(over);
        docs.extend(old.map(|c| documents::delete(CORRECTION, &c.key())));
        Ok((numbered.proposed(), docs))
    }

    /// Lists whose proposal was never kept: its host was killed. Nobody else writes lists meanwhile.
    async fn drop_stray_lists(&self) -> Result<(), HostError> {
        let known: FxHashSet<String> =
            self.corrections().iter().flat_map(|c| &c.parts).flat_map(CorrectionPart::keys).collect();
        let stray = self.state().docs(CORRECTION_LIST).into_iter().map(|(key, _)| key).filter(|k| !known.contains(k));
        let docs: Vec<_> = stray.map(|key| documents::delete(CORRECTION_LIST, &key)).collect();
        if !docs.is_empty() {
            self.state().put_docs(docs, Vec::new()).await?;
        }
        Ok(())
    }

    async fn compute(&self, order: &CorrectionOrder, runs: Vec<Arc<RunRecord>>) -> Result<Computed, HostError> {
        let (host, order) = (self.clone(), order.clone());
        let work = move || host.compute_now(&order, &runs);
        self.clock().offload(work).await.map_err(|e| HostError::Task(e.to_string()))?
    }

    fn compute_now(&self, order: &CorrectionOrder, runs: &[Arc<RunRecord>]) -> Result<Computed, HostError> {
        let topic = runs.last().map_or(Topic::Correction, |r| scope::topic_of(r));
        let gathered = self.gather(&order.scope, runs)?;
        let texts = self.texts_for(order, topic, gathered.parts.values().flatten())?;
        let bench = self.bench(topic, &texts)?;
        let mut counts = CorrectionCounts::default();
        let (mut first, mut says, mut parts) = (Vec::new(), (false, false), Vec::with_capacity(gathered.parts.len()));
        let mut before: BTreeMap<PrefectureCode, judge::Corrected> = BTreeMap::new();
        let customers = gathered.customers();
        for (key, told) in &gathered.parts {
            let policy = self.policy(key.0, &key.1).ok();
            let corrector = bench.corrector(key.0, policy.as_ref(), cost_of(told))?;
            for text in Channel::ALL.iter().filter_map(|c| corrector.text(*c)) {
                says = (says.0 | text.states_fact(), says.1 | text.tells_account());
            }
            let earlier = match before.entry(key.0) {
                std::collections::btree_map::Entry::Occupied(e) => e.into_mut(),
                std::collections::btree_map::Entry::Vacant(e) => e.insert(self.corrected(key.0, 0)?),
            };
            let lost = self.lost(key.0, told)?;
            let mut list = Vec::with_capacity(told.len());
            for (told, lost) in told.iter().zip(lost) {
                let judged = match earlier.has(self, told)? {
                    true => Err(gridbell_model::HoldReason::AlreadySaid),
                    false => bench.judge(&corrector, told, self.state().customer_at(key.0, told.row), lost),
                };
                let recipient = counted(&mut counts, told, &judged);
                if first.len() < MAX_CORRECTION_ROWS {
                    let text = judged.ok().map(|(planned, ..)| planned.text);
                    first.push(CorrectionRow { recipient, phone: told.wrong.phone, text });
                }
                list.push(recipient);
            }
            parts.push(part_of(key, runs, told, &list));
        }
        tracing::debug!(customers, told = counts.all_told(), "correction.computed");
        let preview = CorrectionPreview {
            topic,
            runs: runs.iter().map(|r| r.id).collect(),
            waiting: gathered.waiting.len() as u64,
            texts,
            counts,
            first,
        };
        Ok(Computed { preview, waiting: gathered.waiting, parts, says })
    }

    /// What is said on each channel: as ordered, and where a channel of `told` has nothing the province's approved text.
    fn texts_for<'t>(
        &self,
        order: &CorrectionOrder,
        topic: Topic,
        told: impl Iterator<Item = &'t Told>,
    ) -> Result<BTreeMap<Channel, String>, HostError> {
        let settings = self.settings()?;
        let mut texts = order.texts.clone();
        // Channels that nobody was told by are checked too: what is sent along is what is approved.
        for channel in told.map(|t| t.wrong.channel).collect::<std::collections::BTreeSet<_>>() {
            if !texts.contains_key(&channel)
                && let Some(approved) = settings.templates.approved(Topic::Correction, topic.word(), channel)
            {
                texts.insert(channel, approved.text.clone());
            }
        }
        for (channel, text) in &texts {
            gridbell_planner::CorrectionText::new(text, *channel, topic, &settings.rules)
                .map_err(|e| HostError::Invalid(format!("the text for {channel}: {e}")))?;
        }
        if texts.is_empty() {
            let text = format!(
                "say what is right: there is no text, and no approved text `{}/{}` for any channel",
                Topic::Correction,
                topic
            );
            return Err(HostError::Invalid(text));
        }
        Ok(texts)
    }
}

fn nobody(counts: &CorrectionCounts) -> HostError {
    let held: Vec<String> = counts.held.iter().map(|(why, n)| format!("{n} {why}")).collect();
    let held = if held.is_empty() { "nobody may have it".to_owned() } else { format!("held: {}", held.join(", ")) };
    HostError::Refused(format!("there is nobody to tell ({held})"))
}

/// What a part cost, for where the policy is gone.
fn cost_of(told: &[Told]) -> u32 {
    told.iter().map(|t| t.paid.1 / u32::from(t.paid.0.max(1))).max().unwrap_or(0)
}

fn counted(counts: &mut CorrectionCounts, told: &Told, judged: &judge::Judged) -> Recipient {
    match judged {
        Ok((planned, ..)) => {
            *counts.told.entry(planned.channel).or_default() += 1;
            counts.parts += u64::from(planned.text.parts);
            counts.cost_milli_fen += u64::from(planned.text.cost_milli_fen);
        }
        Err(why) => *counts.held.entry(*why).or_default() += 1,
    }
    Recipient {
        account: told.account,
        message: told.message,
        channel: told.wrong.channel,
        state: told.state,
        held: judged.as_ref().err().copied(),
    }
}

fn part_of(key: &PartKey, runs: &[Arc<RunRecord>], told: &[Told], list: &[Recipient]) -> (CorrectionPart, Vec<String>) {
    let (chunks, digest) = write_list(list);
    let run = runs.iter().rev().find(|r| (r.prefecture, &r.policy, &r.digest) == (key.0, &key.1, &key.2));
    let (name, version) = run.map(|r| (r.plugin.clone(), r.plugin_version.clone())).unwrap_or_default();
    let part = CorrectionPart {
        prefecture: key.0,
        policy: key.1.clone(),
        plugin: (name, version, key.2.clone()),
        listed: list.len() as u64,
        chunks: u32::try_from(chunks.len()).unwrap_or(u32::MAX),
        list: digest,
        cost_per_part_milli_fen: cost_of(told),
        runs: Vec::new(),
        settled: false,
    };
    (part, chunks)
}

impl Correction {
    /// The prefecture that it is in, where it is in one.
    #[must_use]
    pub fn prefecture(&self) -> Option<PrefectureCode> {
        let first = self.parts.first()?.prefecture;
        self.parts.iter().all(|p| p.prefecture == first).then_some(first)
    }

    fn draft(&self) -> Draft {
        let prefecture = self.prefecture();
        Draft {
            prefecture,
            base: 1,
            changes: self.changes(),
            // Of several prefectures nobody below the province sees all.
            needs: if prefecture.is_some() { Needs::City } else { Needs::Province },
            by: self.by.clone(),
            why: self.why.clone(),
            expires: self.expires,
            preview: None,
        }
    }

    fn proposed(&self) -> Proposed {
        Proposed::Correction {
            correction: self.id,
            scope: self.scope.wrong.to_string(),
            topic: self.topic,
            texts: self.texts.clone(),
            told: self.counts.all_told(),
            held: self.counts.all_held(),
            parts: self.counts.parts,
            cost_milli_fen: self.counts.cost_milli_fen,
            list: self.digest.clone(),
        }
    }

    /// What an approver reads.
    fn changes(&self) -> Vec<Change> {
        let line = |path: &str, label: &str, to: String| Change {
            path: format!("correction.{path}"),
            label: format!("{} · {label}", Topic::Correction.chinese()),
            from: None,
            to: Some(to),
        };
        let listed = |pairs: Vec<(&str, u64)>| {
            pairs.into_iter().map(|(what, n)| format!("{what} {n}")).collect::<Vec<_>>().join("，")
        };
        let told = listed(self.counts.told.iter().map(|(c, n)| (c.chinese(), *n)).collect());
        let held = listed(self.counts.held.iter().map(|(h, n)| (h.chinese(), *n)).collect());
        let yuan = gridbell_model::Fen(i64::try_from(self.counts.cost_milli_fen / 1000).unwrap_or(i64::MAX));
        let mut lines = vec![
            line("wrong", "错误消息", format!("{}（{}）", self.scope.wrong, self.topic.chinese())),
            line("told", "发送更正的户数", format!("{}（{told}）", self.counts.all_told())),
            line("held", "不发送的户数", format!("{}（{held}）", self.counts.all_held())),
            line("recalled", "已撤回未发出的消息", self.recalled.to_string()),
            line("cost", "条数与费用", format!("{} 条，{yuan} 元", self.counts.parts)),
        ];
        for (channel, text) in &self.texts {
            let shown: String = text.chars().take(SHOWN_TEXT).collect();
            lines.push(line(&format!("text.{channel}"), &format!("{}文本", channel.chinese()), shown));
        }
        lines
    }
}
