//! Messages whose intent is durable, cut into parts, waiting for the window and the pacer.

use std::collections::VecDeque;
use std::time::Duration;

use gridbell_model::{MessageId, Moment, SHANGHAI_OFFSET_MINUTES};
use gridbell_wire::text::{self, Part};
use gridbell_wire::{Number, Octets};

use crate::config::LinkConfig;
use crate::parts::{MAX_PARTS, PartSet};
use crate::port::{Outgoing, Unsent};

/// What all parts of a message have in common on the wire.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Head {
    /// The terminal, without a country code.
    pub(crate) number: Number,
    /// The number that it shows.
    pub(crate) sender: Octets<21>,
    /// When it ends to be of use, in SMPP 3.3's form.
    pub(crate) valid_time: Octets<17>,
    /// Overtakes what is not.
    pub(crate) urgent: bool,
}

/// A message ready for the wire.
#[derive(Debug)]
pub(crate) struct Ready {
    pub(crate) id: MessageId,
    pub(crate) head: Head,
    pub(crate) valid_until: Option<Moment>,
    pub(crate) attempt: u8,
    /// Those still to be written, first first.
    parts: VecDeque<Part>,
    /// When its intent became durable.
    pub(crate) since: Duration,
}

impl Ready {
    /// Makes a message ready.
    ///
    /// # Errors
    /// Why it never can be.
    pub(crate) fn new(message: &Outgoing, config: &LinkConfig) -> Result<Self, &'static str> {
        let phone = message.to.phone().filter(|phone| phone.is_sendable()).ok_or("号码不能接收短信")?;
        let text = message.body.text().ok_or("短信通道只发送文本")?;
        let number = phone.expose();
        let number = Number::new("Dest_terminal_Id", &number).map_err(|_| "号码不能接收短信")?;
        let sender = config.sender(&message.sender).ok_or("主叫号码未在通道上授权")?;
        if text::parts(text) > MAX_PARTS {
            return Err("短信内容过长");
        }
        let mut parts: VecDeque<Part> = text::split(text, reference(message.id)).map_err(|_| "短信内容过长")?.into();
        if message.open != PartSet::all(MAX_PARTS) {
            parts.retain(|part| message.open.contains(part.number));
        }
        if parts.is_empty() {
            return Err("没有待发的分段");
        }
        Ok(Self {
            id: message.id,
            head: Head {
                number,
                sender,
                valid_time: message.valid_until.map_or(Octets::EMPTY, valid_time),
                urgent: message.urgent,
            },
            valid_until: message.valid_until,
            attempt: message.attempt,
            parts,
            since: Duration::ZERO,
        })
    }

    pub(crate) fn len(&self) -> usize {
        self.parts.len()
    }

    pub(crate) fn unsent(&self) -> Unsent {
        let parts = self.parts.iter().fold(PartSet::NONE, |set, part| set.with(part.number));
        Unsent { message: self.id, parts }
    }
}

/// Ties the parts of a long message together on the terminal. The same at every try, so that parts sent after a break still join; spread
/// so that neighbouring messages to one number differ.
fn reference(id: MessageId) -> u8 {
    (id.0.wrapping_mul(0x9e37_79b9_7f4a_7c15) >> 56) as u8
}

/// `ValId_Time` in SMPP 3.3's absolute form: YYMMDDhhmmss, tenths, quarters of an hour from UTC, direction.
fn valid_time(until: Moment) -> Octets<17> {
    let minute = until.civil_minute();
    let (year, month, day) = minute.date().ymd();
    let (hour, min) = (minute.minute_of_day() / 60, minute.minute_of_day() % 60);
    let second = until.unix_ms().rem_euclid(60_000) / 1000;
    let quarters = SHANGHAI_OFFSET_MINUTES / 15;
    let text = format!("{:02}{month:02}{day:02}{hour:02}{min:02}{second:02}0{quarters:02}+", year.rem_euclid(100));
    // Sixteen digits and signs always fit.
    Octets::new("ValId_Time", text).unwrap_or(Octets::EMPTY)
}

/// Urgent before bulk; a message begun is finished first, so that its parts arrive together.
#[derive(Debug, Default)]
pub(crate) struct Queue {
    begun: Option<Ready>,
    urgent: VecDeque<Ready>,
    bulk: VecDeque<Ready>,
    parts: usize,
}

impl Queue {
    pub(crate) fn push(&mut self, message: Ready) {
        self.parts += message.len();
        if message.head.urgent { self.urgent.push_back(message) } else { self.bulk.push_back(message) }
    }

    /// Parts waiting.
    pub(crate) const fn parts(&self) -> usize {
        self.parts
    }

    /// Parts of urgent messages among them.
    pub(crate) fn urgent_parts(&self) -> usize {
        let begun = self.begun.iter().filter(|begun| begun.head.urgent);
        self.urgent.iter().chain(begun).map(Ready::len).sum()
    }

    /// The message whose part is next.
    pub(crate) fn front(&self) -> Option<&Ready> {
        self.begun.as_ref().or_else(|| self.urgent.front()).or_else(|| self.bulk.front())
    }

    fn take_front(&mut self) -> Option<Ready> {
        let front = self.begun.take().or_else(|| self.urgent.pop_front()).or_else(|| self.bulk.pop_front())?;
        self.parts -= front.len();
        Some(front)
    }

    /// Takes the front message's next part.
    pub(crate) fn pop_part(&mut self) -> Option<Part> {
        let mut front = self.take_front()?;
        let part = front.parts.pop_front();
        if front.len() > 0 {
            self.parts += front.len();
            self.begun = Some(front);
        }
        part
    }

    /// Takes the front message with what is left of it.
    pub(crate) fn drop_front(&mut self) -> Option<Unsent> {
        self.take_front().map(|front| front.unsent())
    }

    /// Takes what is left of the message begun, if it is `id`: one of its parts failed for good.
    pub(crate) fn drop_begun(&mut self, id: MessageId) -> Option<Unsent> {
        if self.begun.as_ref().is_some_and(|begun| begun.id == id) { self.drop_front() } else { None }
    }

    /// Since when the longest waiting of those not begun has waited.
    pub(crate) fn oldest(&self) -> Option<Duration> {
        [self.urgent.front(), self.bulk.front()].into_iter().flatten().map(|message| message.since).min()
    }

    /// Takes those not begun.
    pub(crate) fn take_waiting(&mut self) -> Vec<Unsent> {
        let waiting: Vec<_> =
            self.urgent.drain(..).chain(self.bulk.drain(..)).map(|message| message.unsent()).collect();
        self.parts = self.begun.as_ref().map_or(0, Ready::len);
        waiting
    }

    /// Takes everything.
    pub(crate) fn take_all(&mut self) -> Vec<Unsent> {
        let mut all = self.take_waiting();
        all.extend(self.drop_front());
        all
    }
}
