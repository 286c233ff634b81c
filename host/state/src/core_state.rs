//! The state in memory and how an op changes it. Deterministic: journal replay goes through the same functions. Never touches the store.

use std::collections::BTreeMap;
use std::sync::Arc;

use gridbell_model::{
    CHUNK_ROWS, CarrierKey, CivilMinute, Date, MessageId, MessageState, Moment, OrgCode, OrgTree, PrefectureCode,
    RunId, Topic,
};
use gridbell_topology::Grid;
use parking_lot::RwLock;
use rustc_hash::{FxHashMap, FxHashSet};
use serde::{Deserialize, Serialize};

use crate::columns::PAGE_ROWS;
use crate::facts::{FactOutcome, FactReject};
use crate::hops::Hopped;
use crate::ops::{Applied, Op};
use crate::outbox::{MessageEvent, Outbox, Step};
use crate::ported::Ported;
use crate::prefecture::{self, Prefecture};
use crate::runs::{Publication, RunRecord, RunStatus, StatCounts, StatKey};

/// Trigger id of payments in `wit/registry.toml`: a published run of it has seen the payments up to its snapshot.
pub const TRIGGER_PAYMENT_RECEIVED: u16 = 2;
/// Days for which the daily counts of messages per customer and phone are kept: caps never look further back.
const TOLD_DAYS: i32 = 3;

/// How often a customer or a phone is told on a day, by topic: caps count the messages of a class, and which topics are in one is the province's
/// to say.
#[derive(Debug, Default, Clone, Serialize, Deserialize)]
pub(crate) struct Told {
    pub(crate) by_phone: BTreeMap<i32, FxHashMap<(u64, Topic), u8>>,
    pub(crate) by_row: BTreeMap<i32, FxHashMap<(u32, u32, Topic), u8>>,
}

impl Told {
    /// `number` where it counts for the number too.
    fn count(&mut self, prefecture: PrefectureCode, topic: Topic, data: &Publication, by: i8, number: bool) {
        let day = CivilMinute(data.send_after).date();
        let phone = gridbell_model::Phone::from_packed(data.phone).number();
        let change = |n: &mut u8| *n = n.saturating_add_signed(by);
        if number {
            change(self.by_phone.entry(day.0).or_default().entry((phone, topic)).or_default());
        }
        change(self.by_row.entry(day.0).or_default().entry((prefecture.0, data.row, topic)).or_default());
    }

    fn prune(&mut self, today: Date) {
        let oldest = today.0.saturating_sub(TOLD_DAYS);
        self.by_phone = self.by_phone.split_off(&oldest);
        self.by_row = self.by_row.split_off(&oldest);
    }
}

/// Everything that ops change. The prefectures lock each for itself, so that a look-up in one never waits for an import into another.
#[derive(Debug, Default)]
pub(crate) struct Core {
    pub(crate) org: RwLock<Arc<OrgTree>>,
    pub(crate) prefectures: RwLock<BTreeMap<PrefectureCode, Arc<RwLock<Prefecture>>>>,
    pub(crate) outbox: RwLock<Outbox>,
    pub(crate) runs: RwLock<RunIndex>,
    pub(crate) stats: RwLock<BTreeMap<StatKey, StatCounts>>,
    pub(crate) told: RwLock<Told>,
    pub(crate) ported: RwLock<Ported>,
    pub(crate) grid: RwLock<Grid>,
}

/// Runs by number, and which run a message belongs to.
#[derive(Debug, Default)]
pub(crate) struct RunIndex {
    pub(crate) by_id: BTreeMap<RunId, Arc<RunRecord>>,
    by_message: BTreeMap<(PrefectureCode, u32), RunId>,
}

impl RunIndex {
    pub(crate) fn insert(&mut self, record: RunRecord) {
        if record.queued > 0 {
            self.by_message.insert((record.prefecture, record.first_message), record.id);
        }
        self.by_id.insert(record.id, Arc::new(record));
    }

    /// Takes out what left for an archive. Deterministic and harmless when repeated, as replay needs it.
    fn archived(&mut self, decisions: &[RunId], runs: &[RunId]) {
        for id in decisions {
            if let Some(record) = self.by_id.get_mut(id) {
                Arc::make_mut(record).segments.clear();
            }
        }
        for id in runs {
            if let Some(record) = self.by_id.remove(id) {
                self.by_message.remove(&(record.prefecture, record.first_message));
            }
        }
    }

    /// The run that queued message `id`.
    pub(crate) fn of_message(&self, id: MessageId) -> Option<&Arc<RunRecord>> {
        let key = (id.prefecture(), id.number());
        let (_, run) = self.by_message.range((key.0, 0)..=key).next_back()?;
        let record = self.by_id.get(run)?;
        (u64::from(id.number()) < u64::from(record.first_message) + record.queued).then_some(record)
    }
}

/// Pages that a checkpoint wrote later than its marker says: what the journal tells of them is in them already.
#[derive(Debug, Default)]
pub(crate) struct PageSeqs {
    seqs: FxHashMap<(PrefectureCode, u32), u64>,
    /// The one prefecture whose customers are there at all; of the others every row is left alone.
    only: Option<PrefectureCode>,
}

impl PageSeqs {
    pub(crate) fn set(&mut self, prefecture: PrefectureCode, page: u32, seq: u64) {
        self.seqs.insert((prefecture, page), seq);
    }

    pub(crate) fn only(&mut self, prefecture: PrefectureCode) {
        self.only = Some(prefecture);
    }

    pub(crate) fn covers(&self, prefecture: PrefectureCode, row: u32, seq: u64) -> bool {
        self.only.is_some_and(|only| only != prefecture)
            || self.seqs.get(&(prefecture, row / PAGE_ROWS as u32)).is_some_and(|s| *s >= seq)
    }
}

/// Where an op stands: its sequence, its time, and during replay which pages know it already.
pub(crate) struct Context<'a> {
    pub(crate) seq: u64,
    pub(crate) at: Moment,
    pub(crate) replay: Option<&'a PageSeqs>,
}

impl Core {
    pub(crate) fn prefecture(&self, code: PrefectureCode) -> Option<Arc<RwLock<Prefecture>>> {
        self.prefectures.read().get(&code).cloned()
    }

    pub(crate) fn prefecture_or_new(&self, code: PrefectureCode) -> Arc<RwLock<Prefecture>> {
        if let Some(p) = self.prefecture(code) {
            return p;
        }
        Arc::clone(self.prefectures.write().entry(code).or_insert_with(|| Arc::new(RwLock::new(Prefecture::new()))))
    }

    /// The prefecture in which `account` is a customer, trying `hint` first: rows of one file mostly follow each other.
    pub(crate) fn find(
        &self,
        account: gridbell_model::AccountNumber,
        hint: Option<PrefectureCode>,
    ) -> Option<(PrefectureCode, u32)> {
        let all = self.prefectures.read();
        if let Some(code) = hint
            && let Some(row) = all.get(&code).and_then(|p| p.read().row_of(account))
        {
            return Some((code, row));
        }
        all.iter().find_map(|(code, p)| Some((*code, p.read().row_of(account)?)))
    }

    pub(crate) fn apply(&self, op: &Op, ctx: &Context<'_>) -> Applied {
        let mut applied = Applied { seq: ctx.seq, ..Applied::default() };
        match op {
            Op::Org(tree) => *self.org.write() = Arc::new(tree.clone()),
            Op::Customers(rows) => applied.facts = self.apply_customers(rows, ctx),
            Op::Bills(rows) => {
                applied.facts = self.each(rows, ctx, |r| r.account, |p, r| p.apply_bill(r));
            }
            Op::Balances(rows) => {
                applied.facts = self.each(rows, ctx, |r| r.account, |p, r| p.apply_balance(r));
            }
            Op::Payments(rows) => {
                let (seq, today) = (ctx.seq, ctx.at.date().0);
                applied.facts = self.each(rows, ctx, |r| r.account, |p, r| p.apply_payment(r, seq, today));
            }
            Op::Change(account, change) => {
                applied.facts = self.each(
                    std::slice::from_ref(change),
                    ctx,
                    |_| *account,
                    |p, c| p.apply_change(*account, c, ctx.at),
                );
            }
            Op::Publish(record, publications) => self.publish(record, publications, &[], ctx),
            Op::PublishSamples(record, publications) => self.publish_samples(record, publications, ctx),
            Op::RunStatus(id, status) => {
                let mut runs = self.runs.write();
                if let Some(record) = runs.by_id.get_mut(id) {
                    Arc::make_mut(record).status = status.clone();
                }
            }
            Op::Messages(events) => {
                for (id, event) in events {
                    let step = self.outbox.write().apply(*id, event, ctx.at);
                    match step {
                        Some(step) => {
                            self.after(step, event, ctx);
                            self.follow(step, ctx);
                            self.carry(step.id, event, ctx);
                        }
                        None => applied.stale_events += 1,
                    }
                }
            }
            Op::Contacts(facts) => {
                applied.facts = self.each(facts, ctx, |f| f.account, |p, f| p.apply_contact(f, ctx.at));
            }
            Op::Void(accounts) => {
                // What goes with another change is counted there.
                self.each(accounts, ctx, |a| *a, Prefecture::void_holder);
            }
            Op::Await(run, prefecture, waits) => self.await_hops(*run, *prefecture, waits),
            Op::PublishHops(record, publications, hopped) => self.publish_hops(record, publications, hopped, ctx),
            Op::Share(prefecture, shares) => {
                let mut outbox = self.outbox.write();
                for (number, sharing) in shares {
                    outbox.together.allow(MessageId::new(*prefecture, *number), *sharing);
                }
            }
            Op::Tell(tellings) => applied.stale_events += self.tell(tellings, ctx),
            Op::EndHops(runs) => self.outbox.write().hops.end_runs(runs),
            Op::Ported(facts) => applied.facts = self.apply_ported(facts),
            Op::Grid(facts) => applied.grid = self.apply_grid(facts, ctx),
            Op::Supply(facts) => applied.facts = self.apply_supply(facts, ctx),
            Op::Archived { decisions, runs } => self.runs.write().archived(decisions, runs),
            Op::Reports(link, reports) => {
                for (carrier_id, stat) in reports {
                    self.report(link, CarrierKey::Number(*carrier_id), stat, ctx);
                }
            }
            Op::ReportsAs(link, reports) => {
                for (key, stat) in reports {
                    self.report(link, CarrierKey::text(key), stat, ctx);
                }
            }
        }
        applied
    }

    fn report(&self, link: &str, key: CarrierKey, stat: &str, ctx: &Context<'_>) {
        let step = self.outbox.write().report(link, key, stat, ctx.at);
        if let Some(step) = step {
            self.count(step);
            self.follow(step, ctx);
            self.carry_reported(step.id, ctx);
        }
    }

    fn apply_customers(&self, rows: &[crate::CustomerFact], ctx: &Context<'_>) -> FactOutcome {
        let org = Arc::clone(&self.org.read());
        let mut outcome = FactOutcome::default();
        let mut last: Option<(OrgCode, PrefectureCode, Arc<RwLock<Prefecture>>)> = None;
        for (i, row) in (0u32..).zip(rows) {
            let target = match &last {
                Some((station, code, p)) if *station == row.station => Some((*code, Arc::clone(p))),
                _ => org.prefecture_of(row.station).map(|code| (code, self.prefecture_or_new(code))),
            };
            let Some((code, target)) = target else {
                outcome.rejected.push((i, FactReject::UnknownStation));
                continue;
            };
            let known_elsewhere = target.read().row_of(row.account).is_none()
                && self.find(row.account, None).is_some_and(|(other, _)| other != code);
            if known_elsewhere {
                outcome.rejected.push((i, FactReject::OtherPrefecture));
            } else {
                let mut p = target.write();
                let covered = p.row_of(row.account).is_some_and(|r| covered(ctx, code, r));
                tally(
                    &mut outcome,
                    i,
                    if covered { Ok(prefecture::Applied::Unchanged) } else { p.apply_customer(row) },
                );
            }
            last = Some((row.station, code, target));
        }
        outcome
    }

    /// Applies rows that name an existing account.
    pub(crate) fn each<T>(
        &self,
        rows: &[T],
        ctx: &Context<'_>,
        account: impl Fn(&T) -> gridbell_model::AccountNumber,
        apply: impl Fn(&mut Prefecture, &T) -> Result<prefecture::Applied, FactReject>,
    ) -> FactOutcome {
        let mut outcome = FactOutcome::default();
        let mut at = 0;
        let mut hint = None;
        while at < rows.len() {
            let Some((code, _)) = self.find(account(&rows[at]), hint) else {
                outcome.rejected.push((u32::try_from(at).unwrap_or(u32::MAX), FactReject::UnknownAccount));
                at += 1;
                continue;
            };
            hint = Some(code);
            let Some(p) = self.prefecture(code) else { continue };
            // One lock for as many rows in a row as belong to the prefecture.
            let mut p = p.write();
            while at < rows.len() {
                let Some(row) = p.row_of(account(&rows[at])) else { break };
                let result =
                    if covered(ctx, code, row) { Ok(prefecture::Applied::Unchanged) } else { apply(&mut p, &rows[at]) };
                tally(&mut outcome, u32::try_from(at).unwrap_or(u32::MAX), result);
                at += 1;
            }
        }
        outcome
    }

    /// `hopped` has the messages that caps know already, by the one before them.
    pub(crate) fn publish(
        &self,
        record: &RunRecord,
        publications: &[Publication],
        hopped: &[Hopped],
        ctx: &Context<'_>,
    ) {
        let uncounted: FxHashSet<u32> = hopped.iter().filter(|h| !h.counted).filter_map(|h| h.to).collect();
        let p = self.prefecture_or_new(record.prefecture);
        let mut p = p.write();
        let mut outbox = self.outbox.write();
        let mut stats = self.stats.write();
        let mut told = self.told.write();
        told.prune(ctx.at.date());
        let threshold = policy_threshold(record);
        for data in publications {
            if !covered(ctx, record.prefecture, data.row) {
                p.say(data.row, record.topic, (data.key, data.step), data.number, threshold);
            }
            let day = CivilMinute(data.send_after).date();
            if !uncounted.contains(&data.number) {
                let number = outbox.together.counts(MessageId::new(record.prefecture, data.number));
                told.count(record.prefecture, record.topic, data, 1, number);
            }
            stats.entry(StatKey { day, station: OrgCode(data.station), topic: record.topic }).or_default().queued += 1;
            outbox.publish(
                MessageId::new(record.prefecture, data.number),
                record.id,
                record.topic,
                data.clone(),
                ctx.at,
            );
            p.next_message = p.next_message.max(data.number.saturating_add(1));
        }
        if record.trigger == TRIGGER_PAYMENT_RECEIVED && record.status == RunStatus::Published {
            p.payments_seen(record.snapshot, |row| covered(ctx, record.prefecture, row));
        }
        drop((outbox, stats, told, p));
        self.runs.write().insert(record.clone());
    }

    /// Samples go the way of messages from the queue on, and that is all: what was said, caps, and the customer's last message are of customers who
    /// were told, and so are statistics but for what the carrier bills.
    fn publish_samples(&self, record: &RunRecord, publications: &[Publication], ctx: &Context<'_>) {
        let p = self.prefecture_or_new(record.prefecture);
        let mut p = p.write();
        let mut outbox = self.outbox.write();
        for data in publications {
            let id = MessageId::new(record.prefecture, data.number);
            outbox.publish(id, record.id, record.topic, data.clone(), ctx.at);
            outbox.set_sample(id);
            p.next_message = p.next_message.max(data.number.saturating_add(1));
        }
        drop((outbox, p));
        self.runs.write().insert(record.clone());
    }

    /// What a message's step means for columns, caps and statistics.
    pub(crate) fn after(&self, step: Step, event: &MessageEvent, ctx: &Context<'_>) {
        self.count(step);
        let ended = matches!(step.to, MessageState::Cancelled | MessageState::Expired);
        let never_left = step.from == MessageState::Queued && ended;
        if !never_left {
            return;
        }
        let outbox = self.outbox.read();
        if outbox.is_sample(step.id) {
            return;
        }
        let Some(live) = outbox.live.get(&step.id) else { return };
        let told_otherwise = outbox.is_told_otherwise(step.id);
        // An expired message keeps its step: the policy's next step follows. A cancelled one is taken back.
        let prefecture = step.id.prefecture();
        if matches!(event, MessageEvent::Cancelled { .. })
            && !told_otherwise
            && !covered(ctx, prefecture, live.data.row)
            && let Some(p) = self.prefecture(prefecture)
        {
            p.write().unsay(live.data.row, live.topic, live.data.key, live.data.step, live.data.said_before);
        }
        if outbox.hops.is_counted(step.id) {
            let (topic, data) = (live.topic, live.data.clone());
            drop(outbox);
            let number = self.outbox.write().uncount(step.id);
            self.told.write().count(prefecture, topic, &data, -1, number);
        }
    }

    pub(crate) fn count(&self, step: Step) {
        if step.from == step.to {
            return;
        }
        let outbox = self.outbox.read();
        let sample = outbox.is_sample(step.id);
        let Some(live) = outbox.live.get(&step.id) else { return };
        let key = StatKey { day: CivilMinute(live.data.send_after).date(), station: live.station(), topic: live.topic };
        let mut stats = self.stats.write();
        let counts = stats.entry(key).or_default();
        // From the queue where a late answer was the last one missing.
        let before = matches!(step.from, MessageState::Submitting | MessageState::Queued);
        let accepted_now = live.status.submitted_at.is_some() && before;
        if accepted_now && matches!(step.to, MessageState::Submitted | MessageState::Delivered | MessageState::Failed) {
            counts.submitted += u64::from(!sample && !outbox.rerouted.is_counted(step.id));
            // What leaves for several accounts is paid once, with the one that bears the others.
            if !outbox.together.is_borne(step.id) {
                counts.parts += u64::from(live.data.parts);
                counts.cost_milli_fen += u64::from(live.data.cost_milli_fen);
            }
        }
        if sample {
            return;
        }
        match step.to {
            MessageState::Delivered => counts.delivered += 1,
            MessageState::Failed => counts.failed += 1,
            MessageState::Expired => counts.expired += 1,
            MessageState::Cancelled => counts.cancelled += 1,
            MessageState::Queued | MessageState::Submitting | MessageState::Submitted => {}
        }
    }

    /// Rows of all prefectures.
    pub(crate) fn rows(&self) -> u64 {
        self.prefectures.read().values().map(|p| u64::from(p.read().rows())).sum()
    }

    /// Bytes that columns take.
    pub(crate) fn column_bytes(&self) -> u64 {
        let chunks: usize = self.prefectures.read().values().map(|p| p.read().chunks.len()).sum();
        (chunks * CHUNK_ROWS * crate::columns::Chunk::ROW_BYTES) as u64
    }
}

/// The value of the parameter `threshold` of a policy that warns of low balances, as `wit/registry.toml` explains it at `balance-episode`.
fn policy_threshold(record: &RunRecord) -> Option<u32> {
    if record.topic != Topic::BalanceWarning {
        return None;
    }
    let params: serde_json::Value = serde_json::from_str(&record.params).ok()?;
    let fen = params.get("threshold")?.as_i64()?;
    Some(u32::try_from(fen.max(0)).unwrap_or(u32::MAX))
}

fn covered(ctx: &Context<'_>, prefecture: PrefectureCode, row: u32) -> bool {
    ctx.replay.is_some_and(|pages| pages.covers(prefecture, row, ctx.seq))
}

pub(crate) fn tally(outcome: &mut FactOutcome, row: u32, result: Result<prefecture::Applied, FactReject>) {
    match result {
        Ok(prefecture::Applied::Created) => outcome.created += 1,
        Ok(prefecture::Applied::Changed) => outcome.changed += 1,
        Ok(prefecture::Applied::Unchanged) => outcome.unchanged += 1,
        Err(why) => outcome.rejected.push((row, why)),
    }
}
