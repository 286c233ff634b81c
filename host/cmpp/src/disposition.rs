//! What each result code asks of a client: the one table from the gateway's numbers to what we do.
//!
//! | act | connect status | submit result |
//! |---|---|---|
//! | back off and retry | 5 (other: too many connections, gateway busy) | 8 flow control |
//! | the number is bad for good | – | 13 `Dest_terminal_Id`; 9 and 12 where the destination pays |
//! | configuration: stop the link, alarm | 2 source, 3 authentication, 4 version | 5 fee code, 7 service, 10 `Src_Id`, 11 `Msg_src`; 9 and 12 where anyone else pays |
//! | our own bug | 1 structure | 1 structure, 2 command, 3 sequence, 4 length, 6 too long |
//! | the operator's table decides | all others | all others, 100–199 by custom |
//!
//! 9 ("this gateway does not serve the paying number") and 12 ("`Fee_terminal_Id` wrong") are about whoever pays. Where the
//! destination pays, that is one customer's number: stopping the link for it would silence a province. Where the SP or a
//! fixed number pays, every message gets the same answer: calling the numbers bad would throw the day away.

use gridbell_wire::Fault;

use crate::fee::FeeUserType;

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
    /// A code outside the specification; the link's configuration says what it means.
    Vendor(u32),
}

/// What the `Status` of a CONNECT_RESP asks of us.
///
/// # Errors
/// For every status but 0: the errand it sends us on.
pub const fn connect_disposition(status: u32) -> Result<(), Disposition> {
    Err(match status {
        0 => return Ok(()),
        1 => Disposition::OurBug,
        2..=4 => Disposition::StopLink,
        5 => Disposition::BackOffRetry,
        vendor => Disposition::Vendor(vendor),
    })
}

/// What the `Result` of a SUBMIT_RESP asks of us; `payer` is the submit's `Fee_UserType`, see the module's note on 9 and 12.
///
/// # Errors
/// For every result but 0: the errand it sends us on.
pub const fn submit_disposition(result: u32, payer: FeeUserType) -> Result<(), Disposition> {
    Err(match result {
        0 => return Ok(()),
        8 => Disposition::BackOffRetry,
        13 => Disposition::NumberBad,
        9 | 12 if payer.0 == FeeUserType::DESTINATION.0 => Disposition::NumberBad,
        5 | 7 | 9..=12 => Disposition::StopLink,
        1..=4 | 6 => Disposition::OurBug,
        vendor => Disposition::Vendor(vendor),
    })
}

/// The result with which a gateway answers a SUBMIT that has this fault: 1 structure, 2 command word, 4 length.
#[must_use]
pub const fn fault_result(fault: Fault) -> u32 {
    match fault {
        Fault::Value { .. } => 1,
        Fault::UnknownCommand => 2,
        Fault::TooShort { .. } | Fault::Trailing { .. } => 4,
    }
}
