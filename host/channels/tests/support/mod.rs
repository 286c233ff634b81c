//! An outbox in memory that keeps the port's rules and remembers all that it was told.

#![allow(
    dead_code,
    unreachable_pub,
    missing_docs,
    clippy::unwrap_used,
    reason = "each test and example uses a part of it, and ends where its rules are broken"
)]

use std::collections::{BTreeMap, HashMap, VecDeque};
use std::sync::Arc;
use std::time::Duration;

use gridbell_channels::{
    Action, Answer, Inbound, LinkConfig, LinkName, Outbox, OutboxError, Outcome, Outgoing, PartSet, Report, Unsent,
    Which,
};
use gridbell_clock::Clock;
use gridbell_cmpp::text;
use gridbell_model::{MessageId, Phone, PrefectureCode};
use parking_lot::Mutex;
use tokio::sync::{Notify, watch};

/// What the outbox was told, in order.
#[derive(Clone, Debug, PartialEq)]
pub enum Event {
    Claimed(MessageId),
    Intended(MessageId),
    Answered(Answer),
    Reported(Report),
    /// The call began; it is durable when `Inbound` follows.
    InboundBegun,
    Inbound(Inbound),
    Released(Unsent),
}

#[derive(Default)]
struct Inner {
    urgent: VecDeque<MessageId>,
    bulk: VecDeque<MessageId>,
    later: BTreeMap<(Duration, MessageId), ()>,
    lives: HashMap<MessageId, Life>,
    events: Vec<Event>,
    withdrawn: Vec<MessageId>,
    failing: u32,
    next: u32,
}

struct Life {
    message: Outgoing,
    in_hand: PartSet,
    failed: bool,
    wait: Duration,
}

pub struct MemoryOutbox {
    clock: Clock,
    quiet: bool,
    inner: Mutex<Inner>,
    wake: Notify,
    told: watch::Sender<u64>,
    /// How long each commit takes.
    pub commit: Duration,
    /// While true, `inbound` and `reported` do not return.
    pub gate: watch::Sender<bool>,
}

impl MemoryOutbox {
    pub fn new(clock: &Clock) -> Arc<Self> {
        Self::build(clock, false, Duration::ZERO)
    }

    /// Remembers no events and takes `commit` to make something durable: for measuring.
    pub fn quiet(clock: &Clock, commit: Duration) -> Arc<Self> {
        Self::build(clock, true, commit)
    }

    fn build(clock: &Clock, quiet: bool, commit: Duration) -> Arc<Self> {
        Arc::new(Self {
            clock: clock.clone(),
            quiet,
            inner: Mutex::default(),
            wake: Notify::new(),
            told: watch::Sender::new(0),
            commit,
            gate: watch::Sender::new(false),
        })
    }

    pub fn put(&self, phone: &str, text: &str) -> MessageId {
        self.put_as(phone, text, |_| {})
    }

    pub fn put_as(&self, phone: &str, text: &str, change: impl FnOnce(&mut Outgoing)) -> MessageId {
        let mut inner = self.inner.lock();
        inner.next += 1;
        let id = MessageId::new(PrefectureCode(140_100), inner.next);
        let mut message = Outgoing {
            id,
            to: Phone::from_text(phone).into(),
            sender: "".into(),
            body: text.to_owned().into(),
            open: PartSet::all(text::parts(text)),
            attempt: 0,
            urgent: false,
            valid_until: None,
        };
        change(&mut message);
        let lane = if message.urgent { &mut inner.urgent } else { &mut inner.bulk };
        lane.push_back(id);
        inner.lives.insert(id, Life { message, in_hand: PartSet::NONE, failed: false, wait: Duration::ZERO });
        drop(inner);
        self.wake.notify_one();
        id
    }

    /// These are found paid when their intent is asked for.
    pub fn withdraw(&self, ids: &[MessageId]) {
        self.inner.lock().withdrawn.extend(ids);
    }

    /// The next `times` calls that make something durable fail.
    pub fn fail(&self, times: u32) {
        self.inner.lock().failing = times;
    }

    pub fn events(&self) -> Vec<Event> {
        self.inner.lock().events.clone()
    }

    pub fn answers(&self) -> Vec<Answer> {
        self.pick(|event| if let Event::Answered(answer) = event { Some(answer.clone()) } else { None })
    }

    pub fn reports(&self) -> Vec<Report> {
        self.pick(|event| if let Event::Reported(report) = event { Some(report.clone()) } else { None })
    }

    pub fn inbox(&self) -> Vec<Inbound> {
        self.pick(|event| if let Event::Inbound(inbound) = event { Some(inbound.clone()) } else { None })
    }

    pub fn released(&self) -> Vec<Unsent> {
        self.pick(|event| if let Event::Released(unsent) = event { Some(*unsent) } else { None })
    }

    pub fn accepted(&self) -> usize {
        self.answers().iter().filter(|answer| matches!(answer.outcome, Outcome::Accepted { .. })).count()
    }

    fn pick<T>(&self, of: impl Fn(&Event) -> Option<T>) -> Vec<T> {
        self.inner.lock().events.iter().filter_map(of).collect()
    }

    /// Parts in the link's hands.
    pub fn in_hand(&self) -> usize {
        self.inner.lock().lives.values().map(|life| life.in_hand.len()).sum()
    }

    /// Waits until `holds`, looked at after each thing the outbox is told.
    pub async fn until(&self, holds: impl Fn(&Self) -> bool) {
        let mut told = self.told.subscribe();
        while !holds(self) {
            told.changed().await.unwrap();
        }
    }

    fn note(&self, events: impl IntoIterator<Item = Event>) {
        if !self.quiet {
            self.inner.lock().events.extend(events);
        }
        self.told.send_modify(|n| *n += 1);
    }

    async fn commit(&self) -> Result<(), OutboxError> {
        if self.commit > Duration::ZERO {
            self.clock.sleep(self.commit).await;
        }
        let mut inner = self.inner.lock();
        if inner.failing > 0 {
            inner.failing -= 1;
            return Err(OutboxError("no space left on device".into()));
        }
        Ok(())
    }

    async fn gate(&self) {
        self.gate.subscribe().wait_for(|closed| !closed).await.unwrap();
    }
}

impl Inner {
    /// A part leaves the link's hands.
    fn leave(&mut self, id: MessageId, parts: PartSet, now: Duration) {
        let life = self.lives.get_mut(&id).unwrap();
        for part in parts.iter() {
            assert!(life.in_hand.contains(part), "part {part} of {id:?} is in no link's hands");
            life.in_hand = life.in_hand.without(part);
        }
        if life.in_hand.is_empty() && !life.failed && !life.message.open.is_empty() {
            let wait = std::mem::take(&mut life.wait);
            let urgent = life.message.urgent;
            if wait > Duration::ZERO {
                self.later.insert((now + wait, id), ());
            } else if urgent {
                self.urgent.push_front(id);
            } else {
                self.bulk.push_front(id);
            }
        }
    }

    fn answer(&mut self, answer: &Answer, now: Duration) {
        let life = self.lives.get_mut(&answer.message).unwrap();
        let mut parts = PartSet::one(answer.part);
        match &answer.outcome {
            Outcome::Accepted { .. } => life.message.open = life.message.open.without(answer.part),
            Outcome::Refused { action, .. } | Outcome::Declined { action, .. } => match action {
                Action::Retry { after } => {
                    life.message.attempt += 1;
                    life.wait = life.wait.max(*after);
                }
                Action::Requeue => {}
                _ => life.failed = true,
            },
            // Its part is not in hand.
            Outcome::Late { .. } => {
                life.message.open = life.message.open.without(answer.part);
                if life.message.open.is_empty() {
                    self.urgent.retain(|id| *id != answer.message);
                    self.bulk.retain(|id| *id != answer.message);
                }
                return;
            }
            Outcome::Unanswered { again } => {
                life.message.attempt += 1;
                life.failed |= !again;
            }
            Outcome::Unsendable { .. } => {
                life.failed = true;
                parts = if answer.part == 0 { life.in_hand } else { parts };
            }
        }
        self.leave(answer.message, parts, now);
    }
}

impl Outbox for MemoryOutbox {
    async fn claim(&self, _: &LinkName, max_parts: usize, which: Which) -> Result<Vec<Outgoing>, OutboxError> {
        let (now, civil) = (self.clock.monotonic(), self.clock.now());
        let mut inner = self.inner.lock();
        while let Some(entry) = inner.later.first_entry().filter(|entry| entry.key().0 <= now) {
            let (_, id) = *entry.key();
            entry.remove();
            inner.bulk.push_front(id);
        }
        let (mut claimed, mut parts) = (Vec::new(), 0);
        let bulk = which == Which::Any;
        while let Some(id) = inner.urgent.front().or(inner.bulk.front().filter(|_| bulk)).copied() {
            let life = inner.lives.get_mut(&id).unwrap();
            if life.message.valid_until.is_some_and(|until| until <= civil) {
                life.failed = true;
                if inner.urgent.pop_front().is_none() {
                    inner.bulk.pop_front();
                }
                continue;
            }
            parts += life.message.open.len();
            if parts > max_parts && !claimed.is_empty() {
                break;
            }
            life.in_hand = life.message.open;
            claimed.push(life.message.clone());
            if inner.urgent.pop_front().is_none() {
                inner.bulk.pop_front();
            }
        }
        drop(inner);
        if !claimed.is_empty() {
            self.note(claimed.iter().map(|message| Event::Claimed(message.id)));
        }
        Ok(claimed)
    }

    async fn ready(&self, _: &LinkName) {
        tokio::select! {
            () = self.wake.notified() => {}
            () = self.clock.sleep(Duration::from_millis(20)) => {}
        }
    }

    async fn urgent(&self, _: &LinkName) {
        while self.inner.lock().urgent.is_empty() {
            tokio::select! {
                () = self.wake.notified() => {}
                () = self.clock.sleep(Duration::from_millis(20)) => {}
            }
        }
    }

    async fn intend(&self, _: &LinkName, messages: &[MessageId]) -> Result<Vec<MessageId>, OutboxError> {
        self.commit().await?;
        let mut left = messages.to_vec();
        {
            let mut inner = self.inner.lock();
            let withdrawn = inner.withdrawn.clone();
            left.retain(|id| !withdrawn.contains(id));
            for id in messages.iter().filter(|id| withdrawn.contains(id)) {
                let life = inner.lives.get_mut(id).unwrap();
                life.failed = true;
                life.in_hand = PartSet::NONE;
            }
        }
        self.note(left.iter().map(|id| Event::Intended(*id)));
        Ok(left)
    }

    async fn answered(&self, _: &LinkName, answers: &[Answer]) -> Result<(), OutboxError> {
        self.commit().await?;
        let now = self.clock.monotonic();
        {
            let mut inner = self.inner.lock();
            answers.iter().for_each(|answer| inner.answer(answer, now));
        }
        self.note(answers.iter().map(|answer| Event::Answered(answer.clone())));
        self.wake.notify_one();
        Ok(())
    }

    async fn reported(&self, _: &LinkName, reports: &[Report]) -> Result<(), OutboxError> {
        self.gate().await;
        self.commit().await?;
        self.note(reports.iter().map(|report| Event::Reported(report.clone())));
        Ok(())
    }

    async fn inbound(&self, _: &LinkName, messages: &[Inbound]) -> Result<(), OutboxError> {
        self.note([Event::InboundBegun]);
        self.gate().await;
        self.commit().await?;
        self.note(messages.iter().map(|message| Event::Inbound(message.clone())));
        Ok(())
    }

    async fn release(&self, _: &LinkName, parts: &[Unsent]) -> Result<(), OutboxError> {
        self.commit().await?;
        let now = self.clock.monotonic();
        {
            let mut inner = self.inner.lock();
            parts.iter().for_each(|unsent| inner.leave(unsent.message, unsent.parts, now));
        }
        self.note(parts.iter().map(|unsent| Event::Released(*unsent)));
        self.wake.notify_one();
        Ok(())
    }
}

/// A link to `address` without a grant.
pub fn config(address: &str, more: &str) -> LinkConfig {
    let mut text = format!(
        "name = \"mobile\"\naddress = \"{address}\"\nsp-id = \"901234\"\nsecret = {{ env = \"UNUSED\" }}\n\
         service-id = \"DLFW\"\nsrc-ids = [\"95598\"]\nserves = [\"mobile\"]\n"
    );
    for (key, default) in [("protocol", "\"cmpp3\""), ("grant", "0")] {
        if !more.contains(&format!("{key} =")) {
            text += &format!("{key} = {default}\n");
        }
    }
    toml::from_str(&(text + more)).unwrap()
}
