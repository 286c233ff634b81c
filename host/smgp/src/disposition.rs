//! What each status asks of a client: the tables from the gateway's numbers to what we do, as data. A link's own codes come before
//! them, as overrides.
//!
//! | act | status of login and submit | report `err` |
//! |---|---|---|
//! | back off and retry | 1 system busy, 2 connections | – |
//! | wait for another hour | 74 hours in which the SP may not send | – |
//! | wait for another day | 75 the day's quota is used up | – |
//! | the number is bad for good | 47 `DestTermID` | 004, 005 |
//! | configuration: stop the link, alarm | 20 address, 21 authentication, 22 version, 43 `ServiceID`, 46 `SrcTermID`; fees 32, 33, 40, 48; SP 49, 69, 70, 73, 76 | – |
//! | our own bug | 10 structure, 11 command, 12 sequence, 36 length; 30 type, 31 priority, 34 format, 35, 44, 45 times | – |
//! | the operator's table decides | all others, 128–255 by custom | all others |

use gridbell_wire::Fault;

/// What a refusal asks of us.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum Disposition {
    /// Nothing is wrong with the message: slow down, then send it again.
    BackOffRetry,
    /// Nothing is wrong with the message: nothing may be sent at this hour.
    AnotherHour,
    /// Nothing is wrong with the message: nothing more may be sent today.
    AnotherDay,
    /// This number will never take it.
    NumberBad,
    /// The account or its configuration is wrong: nothing will go through, stop the link and raise an alarm.
    StopLink,
    /// We wrote a PDU that the gateway cannot take: give the message up, raise an alarm, never retry it as it is.
    OurBug,
    /// A code without a fixed meaning; the link's configuration says what it means.
    Vendor(u32),
}

/// The status of what was taken.
pub const ACCEPTED: u32 = 0;

/// What the specification's statuses ask of us; codes that are missing are the operator's.
pub const STATUSES: [(u32, Disposition); 29] = [
    (1, Disposition::BackOffRetry),
    (2, Disposition::BackOffRetry),
    (10, Disposition::OurBug),
    (11, Disposition::OurBug),
    (12, Disposition::OurBug),
    (20, Disposition::StopLink),
    (21, Disposition::StopLink),
    (22, Disposition::StopLink),
    (30, Disposition::OurBug),
    (31, Disposition::OurBug),
    (32, Disposition::StopLink),
    (33, Disposition::StopLink),
    (34, Disposition::OurBug),
    (35, Disposition::OurBug),
    (36, Disposition::OurBug),
    (40, Disposition::StopLink),
    (43, Disposition::StopLink),
    (44, Disposition::OurBug),
    (45, Disposition::OurBug),
    (46, Disposition::StopLink),
    (47, Disposition::NumberBad),
    (48, Disposition::StopLink),
    (49, Disposition::StopLink),
    (69, Disposition::StopLink),
    (70, Disposition::StopLink),
    (73, Disposition::StopLink),
    (74, Disposition::AnotherHour),
    (75, Disposition::AnotherDay),
    (76, Disposition::StopLink),
];

/// What the `err` of a report asks of us.
pub const REPORT_ERRORS: [(u32, Disposition); 2] = [(4, Disposition::NumberBad), (5, Disposition::NumberBad)];

fn look(code: u32, tables: &[&[(u32, Disposition)]]) -> Disposition {
    let found = tables.iter().copied().flatten().find(|(known, _)| *known == code);
    found.map_or(Disposition::Vendor(code), |(_, disposition)| *disposition)
}

/// What the `Status` of a LOGIN_RESP or SUBMIT_RESP asks of us; `overrides` come first.
///
/// # Errors
/// For every status but 0: the errand it sends us on.
pub fn status_disposition(status: u32, overrides: &[(u32, Disposition)]) -> Result<(), Disposition> {
    if status == ACCEPTED { Ok(()) } else { Err(look(status, &[overrides, &STATUSES])) }
}

/// What the `err` of a failed report asks of us; `overrides` come first.
#[must_use]
pub fn report_disposition(err: u32, overrides: &[(u32, Disposition)]) -> Disposition {
    look(err, &[overrides, &REPORT_ERRORS])
}

/// The status with which a peer answers a PDU that has this fault: 10 structure, 11 command.
#[must_use]
pub const fn fault_status(fault: Fault) -> u32 {
    match fault {
        Fault::Value { .. } | Fault::TooShort { .. } | Fault::Trailing { .. } => 10,
        Fault::UnknownCommand => 11,
    }
}
