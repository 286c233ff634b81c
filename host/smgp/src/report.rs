//! Delivery reports: what a DELIVER with `IsReport` = 1 carries as its content. The specification has one text of 122 octets; gateways
//! write keys in any case, with `_`, a space or nothing inside, put any octet between the fields, and leave some out. So fields
//! are found by their keys.

use std::borrow::Cow;

use bytes::{BufMut, BytesMut};
use gridbell_wire::{Content, Error, Fault, Octets, put_padded};

use crate::disposition::{Disposition, report_disposition};
use crate::msg_id::MsgId;

/// Octets of a report as the specification writes it.
pub const REPORT_LENGTH: usize = 122;

/// What became of one message to one terminal, which is the `SrcTermID` of the DELIVER.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Report {
    /// `id`: the one that the SUBMIT_RESP gave.
    pub msg_id: MsgId,
    /// `sub`: messages submitted, three digits; empty where it is missing, as all below.
    pub sub: Octets<3>,
    /// `dlvrd`: messages delivered, three digits.
    pub dlvrd: Octets<3>,
    /// `submit date`: YYMMDDhhmm, kept as the gateway wrote it.
    pub submit_date: Octets<10>,
    /// `done date`: YYMMDDhhmm, kept as the gateway wrote it.
    pub done_date: Octets<10>,
    /// `stat`: the carrier's word for the outcome, kept verbatim.
    pub stat: Octets<7>,
    /// `err`: the carrier's code, three digits, kept verbatim.
    pub err: Octets<3>,
}

/// What a report says.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum Outcome {
    /// Final: it arrived.
    Delivered,
    /// Final: it did not, and this is what the code asks of us.
    Failed(Disposition),
    /// Not final: another report follows.
    Pending,
}

const ID: [&[u8]; 1] = [b"id:"];
const SUB: [&[u8]; 1] = [b"sub:"];
const DLVRD: [&[u8]; 1] = [b"dlvrd:"];
const SUBMIT_DATE: [&[u8]; 3] = [b"submit date:", b"submit_date:", b"submitdate:"];
const DONE_DATE: [&[u8]; 3] = [b"done date:", b"done_date:", b"donedate:"];
const STAT: [&[u8]; 1] = [b"stat:"];
const ERR: [&[u8]; 1] = [b"err:"];
const TEXT: [&[u8]; 2] = [b"text:", b"txt:"];

impl Report {
    /// Reads a report by its keys. The number behind `id` is ten raw octets, or twenty hexadecimal digits.
    ///
    /// # Errors
    /// Where there is no number, or neither `stat` nor `err`.
    pub fn decode(content: &[u8]) -> Result<Self, Fault> {
        let (msg_id, rest) = behind(content, &ID).and_then(id).ok_or(Fault::Value { field: "id" })?;
        // The text is a customer's or our own words: no key in it counts.
        let fields = before(rest, &TEXT);
        let report = Self {
            msg_id,
            sub: value(fields, &SUB),
            dlvrd: value(fields, &DLVRD),
            submit_date: value(fields, &SUBMIT_DATE),
            done_date: value(fields, &DONE_DATE),
            stat: value(fields, &STAT),
            err: value(fields, &ERR),
        };
        if report.stat.is_empty() && report.err.is_empty() {
            return Err(Fault::Value { field: "stat" });
        }
        Ok(report)
    }

    /// Writes the report as the specification does, 122 octets, with an empty text.
    ///
    /// # Errors
    /// Never: every field fits its place.
    pub fn encode(&self) -> Result<Content, Error> {
        let mut out = BytesMut::with_capacity(REPORT_LENGTH);
        out.put_slice(b"id:");
        out.put_slice(&self.msg_id.0);
        for (key, field, width) in [
            (" sub:", self.sub.as_bytes(), 3),
            (" dlvrd:", self.dlvrd.as_bytes(), 3),
            (" submit date:", self.submit_date.as_bytes(), 10),
            (" done date:", self.done_date.as_bytes(), 10),
            (" stat:", self.stat.as_bytes(), 7),
            (" err:", self.err.as_bytes(), 3),
            (" text:", b"", 20),
        ] {
            out.put_slice(key.as_bytes());
            put_padded(&mut out, key, field, width)?;
        }
        Content::new(out.freeze())
    }

    /// `stat` as text.
    #[must_use]
    pub fn stat_text(&self) -> Cow<'_, str> {
        self.stat.text()
    }

    /// What it says. `overrides`, by the number in `err`, come before the specification's table. Only `DELIVRD` is success, and where
    /// `stat` is missing an `err` of zeros.
    #[must_use]
    pub fn outcome(&self, overrides: &[(u32, Disposition)]) -> Outcome {
        let stat = self.stat.as_bytes();
        let says = |word: &[u8]| stat.eq_ignore_ascii_case(word);
        let err = self.err.as_bytes();
        let no_error = !err.is_empty() && err.iter().all(|digit| *digit == b'0');
        if says(b"DELIVRD") || stat.is_empty() && no_error {
            Outcome::Delivered
        } else if says(b"ACCEPTD") {
            Outcome::Pending
        } else {
            let code = std::str::from_utf8(err).ok().and_then(|digits| digits.parse().ok()).unwrap_or(0);
            Outcome::Failed(report_disposition(code, overrides))
        }
    }
}

/// The number at the front of `rest`, and what follows it.
fn id(rest: &[u8]) -> Option<(MsgId, &[u8])> {
    if let Some((digits, following)) = rest.split_first_chunk::<20>()
        && let Some(id) = MsgId::from_hex(digits)
    {
        return Some((id, following));
    }
    rest.split_first_chunk::<10>().map(|(octets, following)| (MsgId(*octets), following))
}

/// Where the first of the keys begins and ends.
fn find(octets: &[u8], keys: &[&[u8]]) -> Option<(usize, usize)> {
    let at = |key: &&[u8]| {
        let place = octets.windows(key.len()).position(|window| window.eq_ignore_ascii_case(key))?;
        Some((place, place + key.len()))
    };
    keys.iter().filter_map(at).min()
}

fn behind<'a>(octets: &'a [u8], keys: &[&[u8]]) -> Option<&'a [u8]> {
    find(octets, keys).and_then(|(_, end)| octets.get(end..))
}

fn before<'a>(octets: &'a [u8], keys: &[&[u8]]) -> &'a [u8] {
    find(octets, keys).and_then(|(start, _)| octets.get(..start)).unwrap_or(octets)
}

/// At most `N` octets behind the key, up to what cannot be in a value; empty where the key is missing.
fn value<const N: usize>(octets: &[u8], keys: &[&[u8]]) -> Octets<N> {
    let rest = behind(octets, keys).unwrap_or_default().trim_ascii_start();
    let ends = |octet: &u8| octet.is_ascii_whitespace() || matches!(octet, 0 | b',' | b';' | b'_');
    let end = rest.iter().take(N).position(ends).unwrap_or(N.min(rest.len()));
    Octets::from_padded(rest.get(..end).unwrap_or_default())
}
