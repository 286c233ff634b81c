//! What comes from the gateway in DELIVERs, in the outbox's words: reports, and customers' messages put together from their parts.
//!
//! A long message's parts are acknowledged when the whole is durable, so that a broken connection loses none of them.

use std::time::Duration;

use gridbell_cmpp::assemble::{Assembled, Assembler};
use gridbell_cmpp::{self as cmpp, Deliver, DeliverResp, Number, Octets, StatClass, text};
use gridbell_model::{CivilMinute, Date, Phone};
use rustc_hash::FxHashMap;

use crate::intake::{Ack, Batch};
use crate::port::{Inbound, Report, ReportOutcome};

/// How long the parts of a long message may take to come; below the minute after which gateways send an unacknowledged one again.
pub(crate) const LONG_WAIT: Duration = Duration::from_secs(30);
/// Long messages under way on one connection; below [`gridbell_cmpp::assemble::MAX_PENDING`], so that none is pushed out.
const MAX_LONG: usize = 128;
/// Parts of one long message that are kept unacknowledged, repetitions included.
const MAX_ACKS: usize = 512;
/// The result that makes a gateway send a DELIVER again later: flow control.
const LATER: u32 = 8;

#[derive(Clone, PartialEq, Eq, Hash)]
struct Key {
    from: Number,
    to: Octets<21>,
    reference: u16,
    total: u8,
}

#[derive(Debug)]
struct Long {
    since: Duration,
    acks: Vec<Ack>,
}

/// Inbound messages of one connection.
#[derive(Default)]
pub(crate) struct Mailbox {
    assembler: Assembler,
    long: FxHashMap<Key, Long>,
}

impl Mailbox {
    /// Takes a customer's message; what is complete goes into `batch`.
    ///
    /// # Errors
    /// The answer that puts the gateway off, where too much is under way.
    pub(crate) fn take(
        &mut self,
        sequence: u32,
        deliver: &Deliver,
        now: Duration,
        batch: &mut Batch,
    ) -> Result<(), DeliverResp> {
        let ack = Ack { sequence, resp: DeliverResp { msg_id: deliver.msg_id, result: 0 } };
        let key = (deliver.tp_udhi != 0)
            .then(|| text::split_header(&deliver.content).0)
            .flatten()
            .filter(|part| part.total > 1)
            .map(|part| Key {
                from: deliver.src_terminal,
                to: deliver.dest_id,
                reference: part.reference,
                total: part.total,
            });
        let Some(key) = key else {
            batch.acks.push(ack);
            let wholes = self.assembler.push(deliver, now);
            batch.inbound.extend(wholes.into_iter().map(|whole| inbound(deliver.msg_id.0, whole)));
            return Ok(());
        };
        let full = self.long.len() >= MAX_LONG && !self.long.contains_key(&key);
        let long = self.long.entry(key.clone()).or_insert_with(|| Long { since: now, acks: Vec::new() });
        if full || long.acks.len() >= MAX_ACKS {
            if full {
                self.long.remove(&key);
            }
            return Err(DeliverResp { msg_id: deliver.msg_id, result: LATER });
        }
        long.acks.push(ack);
        let wholes = self.assembler.push(deliver, now);
        if wholes.is_empty() {
            return Ok(());
        }
        let acks = self.long.remove(&key).map(|long| long.acks).unwrap_or_default();
        batch.inbound.extend(wholes.into_iter().map(|whole| inbound(first_id(&acks), whole)));
        batch.acks.extend(acks);
        Ok(())
    }

    /// Gives out incomplete what has waited too long.
    pub(crate) fn expire(&mut self, now: Duration, batch: &mut Batch) {
        // The assembler's own rule, so that both give out the same.
        let mut old: Vec<Key> = self
            .long
            .iter()
            .filter(|(_, long)| now.saturating_sub(long.since) > LONG_WAIT)
            .map(|(key, _)| key.clone())
            .collect();
        for whole in self.assembler.expire(now, LONG_WAIT) {
            let same = |key: &Key| (key.from, key.to, key.total) == (whole.from, whole.to, whole.parts.1);
            let key = old.iter().position(same).map(|at| old.swap_remove(at));
            let acks = key.and_then(|key| self.long.remove(&key)).map(|long| long.acks).unwrap_or_default();
            batch.inbound.push(inbound(first_id(&acks), whole));
            batch.acks.extend(acks);
        }
    }

    /// When [`Mailbox::expire`] next has something to do.
    pub(crate) fn next_expiry(&self) -> Option<Duration> {
        // A moment more: the rule is "longer than".
        self.long.values().map(|long| long.since + LONG_WAIT + Duration::from_millis(1)).min()
    }
}

/// The least of a long message's numbers: the same in whatever order its parts come again.
fn first_id(acks: &[Ack]) -> u64 {
    acks.iter().map(|ack| ack.resp.msg_id.0).min().unwrap_or_default()
}

fn inbound(carrier_id: u64, whole: Assembled) -> Inbound {
    Inbound {
        key: carrier_id.into(),
        from: phone(&whole.from),
        to: whole.to.text().into_owned(),
        text: whole.text,
        exact: whole.exact,
    }
}

/// Gateways write numbers with and without the country code, some without its `+`.
fn phone(number: &Number) -> Phone {
    let text = number.expose_text();
    let bare = if text.len() == 13 { text.strip_prefix("86").unwrap_or(&text) } else { &text };
    Phone::from_text(bare)
}

/// A report in the outbox's words.
pub(crate) fn report(report: &cmpp::Report) -> Report {
    let outcome = match report.stat.class() {
        StatClass::Delivered => ReportOutcome::Delivered,
        StatClass::Accepted => ReportOutcome::Pending,
        StatClass::Expired => ReportOutcome::Expired,
        StatClass::Deleted
        | StatClass::Undeliverable
        | StatClass::Unknown
        | StatClass::Rejected
        | StatClass::Vendor => ReportOutcome::Failed,
    };
    Report {
        key: report.msg_id.0.into(),
        phone: phone(&report.destination),
        stat: report.stat.text().trim().to_owned(),
        outcome,
        submitted: minute(&report.submit_time),
        done: minute(&report.done_time),
    }
}

/// YYMMDDHHMM; none where it is no time.
fn minute(time: &Octets<10>) -> CivilMinute {
    let digits = time.as_bytes();
    let pair = |at: usize| -> Option<u32> {
        let pair = digits.get(at..at + 2).filter(|pair| pair.iter().all(u8::is_ascii_digit))?;
        Some(pair.iter().fold(0, |number, digit| number * 10 + u32::from(digit - b'0')))
    };
    let read = || {
        let (year, month, day) = (pair(0)?, pair(2)?, pair(4)?);
        let (hour, minute) = (pair(6).filter(|hour| *hour < 24)?, pair(8).filter(|minute| *minute < 60)?);
        Some(Date::from_ymd(2000 + i32::try_from(year).ok()?, month, day)?.at(hour, minute))
    };
    read().unwrap_or(CivilMinute::NONE)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_reports_time_is_read_or_none() {
        let read = |text: &str| minute(&Octets::new("Done_time", text).unwrap()).to_string();
        assert_eq!(read("2611212359"), "2026-11-21T23:59");
        for text in ["2611212360", "2613212359", "261121", "", "26 1212359", "2602302359"] {
            assert_eq!(read(text), "none", "{text}");
        }
    }

    #[test]
    fn numbers_are_known_with_and_without_the_country_code() {
        for text in ["13812341234", "8613812341234", "+8613812341234"] {
            assert_eq!(phone(&Number::new("n", text).unwrap()).number(), 13_812_341_234, "{text}");
        }
    }
}
