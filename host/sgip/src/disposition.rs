//! What each result code asks of a client: the tables from the gateway's numbers to what we do, as data. A link's own codes come
//! before them, as overrides.
//!
//! | act | bind and submit result | report error |
//! |---|---|---|
//! | back off and retry | 11 node busy, 33 queue of the message centre full; at bind 2, 3 connections | the same; 25 not reachable, 26 memory full |
//! | the number is bad for good | 6 number, 29 unknown user | the same; 27 takes no messages |
//! | configuration: stop the link, alarm | 1 login, 4 login type | – |
//! | our own bug | 5 parameter, 7 message id, 8 length, 9 sequence | – |
//! | the operator's table decides | all others: 10, 21–24, 28, 30–32, 34, and those of single gateways (57 address, 93 node, 101 on) | the same |
//!
//! 25 to 27 are about the terminal, so they are told in reports; a submit answered with one is treated alike.

use gridbell_wire::Fault;

/// What a refusal asks of us.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum Disposition {
    /// Nothing is wrong with the message: slow down, then send it again.
    BackOffRetry,
    /// This number will never take it.
    NumberBad,
    /// The account or its configuration is wrong: nothing will go through, stop the link and raise an alarm.
    StopLink,
    /// We wrote a PDU that the gateway cannot take: give the message up, raise an alarm, never retry it as it is.
    OurBug,
    /// A code without a fixed meaning; the link's configuration says what it means.
    Vendor(u8),
}

/// The result of a SUBMIT that was taken.
pub const ACCEPTED: u8 = 0;

/// What the specification's results of a SUBMIT ask of us; codes that are missing are the operator's.
pub const RESULTS: [(u8, Disposition); 13] = [
    (1, Disposition::StopLink),
    (4, Disposition::StopLink),
    (5, Disposition::OurBug),
    (6, Disposition::NumberBad),
    (7, Disposition::OurBug),
    (8, Disposition::OurBug),
    (9, Disposition::OurBug),
    (11, Disposition::BackOffRetry),
    (25, Disposition::BackOffRetry),
    (26, Disposition::BackOffRetry),
    (27, Disposition::NumberBad),
    (29, Disposition::NumberBad),
    (33, Disposition::BackOffRetry),
];

/// What only a BIND answers: a second login or connection too many passes when the old one is gone.
pub const BIND_RESULTS: [(u8, Disposition); 2] = [(2, Disposition::BackOffRetry), (3, Disposition::BackOffRetry)];

fn look(code: u8, tables: &[&[(u8, Disposition)]]) -> Disposition {
    let found = tables.iter().copied().flatten().find(|(known, _)| *known == code);
    found.map_or(Disposition::Vendor(code), |(_, disposition)| *disposition)
}

/// What the `Result` of a BIND_RESP asks of us; `overrides` come first.
///
/// # Errors
/// For every result but 0: the errand it sends us on.
pub fn bind_disposition(result: u8, overrides: &[(u8, Disposition)]) -> Result<(), Disposition> {
    if result == ACCEPTED { Ok(()) } else { Err(look(result, &[overrides, &BIND_RESULTS, &RESULTS])) }
}

/// What the `Result` of a SUBMIT_RESP asks of us; `overrides` come first.
///
/// # Errors
/// For every result but 0: the errand it sends us on.
pub fn submit_disposition(result: u8, overrides: &[(u8, Disposition)]) -> Result<(), Disposition> {
    if result == ACCEPTED { Ok(()) } else { Err(look(result, &[overrides, &RESULTS])) }
}

/// What the `ErrorCode` of a failed REPORT asks of us; `overrides` come first. A report never stops a link: what went wrong with one
/// message says nothing about the others.
#[must_use]
pub fn report_disposition(error_code: u8, overrides: &[(u8, Disposition)]) -> Disposition {
    match look(error_code, &[overrides, &RESULTS]) {
        kept @ (Disposition::BackOffRetry | Disposition::NumberBad) => kept,
        Disposition::StopLink | Disposition::OurBug | Disposition::Vendor(_) => Disposition::Vendor(error_code),
    }
}

/// The result with which a peer answers a PDU that has this fault: 5 parameter, 7 message id, 8 length.
#[must_use]
pub const fn fault_result(fault: Fault) -> u8 {
    match fault {
        Fault::Value { .. } => 5,
        Fault::UnknownCommand => 7,
        Fault::TooShort { .. } | Fault::Trailing { .. } => 8,
    }
}
