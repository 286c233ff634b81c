//! All messages that were ever queued, as the state tells of them, and by what a gateway sees of each part.

use std::collections::BTreeMap;

use gridbell_cmpp::{MsgFmt, text};
use gridbell_conductor::Host;
use gridbell_model::{AccountNumber, CivilMinute, MessageId, MessageState, Moment, Topic};
use gridbell_state::{MessageStatus, Outcome, RunStatus, StatKey};

/// One message.
pub(super) struct Message {
    pub(super) id: MessageId,
    pub(super) topic: Topic,
    pub(super) account: AccountNumber,
    pub(super) queued_at: Moment,
    pub(super) expires: CivilMinute,
    pub(super) status: MessageStatus,
    pub(super) phone: String,
    /// The amount that it states, in fen.
    pub(super) stated: i64,
    /// Whether another text told it, with others.
    pub(super) together: bool,
    stat: StatKey,
}

/// What a gateway sees of a part: number, part, text.
pub(super) type Seen = (String, u8, String);

/// All of them.
pub(super) struct Messages {
    pub(super) all: Vec<Message>,
    /// By their own texts.
    pub(super) by_part: BTreeMap<Seen, Vec<usize>>,
    /// By the texts that told several at once: those that each told, the one that left first.
    pub(super) told: BTreeMap<Seen, Vec<Vec<usize>>>,
}

/// The parts of `text` to `phone` as a gateway sees them.
fn seen_parts(phone: &str, text: &str) -> Result<Vec<Seen>, String> {
    let content = |part: &text::Part| {
        let content = if part.udhi == 0 { &part.content[..] } else { text::split_header(&part.content).1 };
        text::decode(MsgFmt::UCS2, content).text
    };
    let parts = text::split(text, 0).map_err(|e| e.to_string())?;
    Ok(parts.iter().map(|part| (phone.to_owned(), part.number, content(part))).collect())
}

impl Messages {
    /// Reads every published run: what cannot be found is lost.
    pub(super) fn read(host: &Host) -> Result<Self, String> {
        let mut messages = Self { all: Vec::new(), by_part: BTreeMap::new(), told: BTreeMap::new() };
        let mut groups: BTreeMap<MessageId, (String, Vec<usize>)> = BTreeMap::new();
        let mut runs = host.state().runs(None, usize::MAX, |run| run.status == RunStatus::Published);
        runs.reverse();
        for run in runs {
            let before = messages.all.len();
            for segment in 0..u32::try_from(run.segments.len()).unwrap_or(u32::MAX) {
                let decisions = host.state().decisions(run.id, segment).map_err(|e| format!("run {}: {e}", run.id))?;
                for decision in decisions {
                    let Outcome::Queued(queued) = decision.outcome else { continue };
                    let id = MessageId::new(run.prefecture, queued.number);
                    let status = host.state().message_status(id).map_err(|e| format!("message {id}: {e}"))?;
                    let status = status.ok_or_else(|| format!("message {id} of run {} is lost", run.id))?;
                    let at = messages.all.len();
                    let phone = queued.phone.expose();
                    for seen in seen_parts(&phone, &queued.text)? {
                        messages.by_part.entry(seen).or_default().push(at);
                    }
                    let together = host.state().told_together(id).map_err(|e| format!("message {id}: {e}"))?;
                    if let Some(told) = &together {
                        let group = groups.entry(told.bearer).or_insert_with(|| (told.text.clone(), Vec::new()));
                        let first = if told.bearer == id { 0 } else { group.1.len() };
                        group.1.insert(first, at);
                    }
                    messages.all.push(Message {
                        id,
                        topic: run.topic,
                        account: decision.account,
                        queued_at: status.queued_at,
                        expires: queued.expires,
                        phone,
                        stated: queued.stated.0,
                        together: together.is_some(),
                        stat: StatKey { day: queued.send_after.date(), station: queued.station, topic: run.topic },
                        status,
                    });
                }
            }
            let found = (messages.all.len() - before) as u64;
            if found != run.queued {
                return Err(format!("run {} queued {} messages; {found} are there", run.id, run.queued));
            }
        }
        for (text, members) in groups.into_values() {
            let phone = messages.all[members[0]].phone.clone();
            for seen in seen_parts(&phone, &text)? {
                messages.told.entry(seen).or_default().push(members.clone());
            }
        }
        Ok(messages)
    }

    /// Queued, delivered, failed, expired, cancelled.
    pub(super) fn statistics(&self) -> BTreeMap<StatKey, [u64; 5]> {
        let mut counted: BTreeMap<StatKey, [u64; 5]> = BTreeMap::new();
        for message in &self.all {
            let counts = counted.entry(message.stat).or_default();
            counts[0] += 1;
            match message.status.state {
                MessageState::Delivered => counts[1] += 1,
                MessageState::Failed => counts[2] += 1,
                MessageState::Expired => counts[3] += 1,
                MessageState::Cancelled => counts[4] += 1,
                MessageState::Queued | MessageState::Submitting | MessageState::Submitted => {}
            }
        }
        counted
    }
}
