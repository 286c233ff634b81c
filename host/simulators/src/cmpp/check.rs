//! What a gateway looks at before it takes a submit, and the result with which it refuses one.

use gridbell_cmpp::{FeeUserType, MsgFmt, Number, Submit, text};

use super::config::Account;
use super::fate::bare;

/// Results of SUBMIT_RESP, as the specification numbers them.
pub(super) mod result {
    pub(in crate::cmpp) const ACCEPTED: u32 = 0;
    pub(in crate::cmpp) const STRUCTURE: u32 = 1;
    pub(in crate::cmpp) const REPEATED_SEQUENCE: u32 = 3;
    pub(in crate::cmpp) const FEE_CODE: u32 = 5;
    pub(in crate::cmpp) const TOO_LONG: u32 = 6;
    pub(in crate::cmpp) const SERVICE: u32 = 7;
    pub(in crate::cmpp) const FLOW_CONTROL: u32 = 8;
    pub(in crate::cmpp) const NOT_BILLED_HERE: u32 = 9;
    pub(in crate::cmpp) const SRC_ID: u32 = 10;
    pub(in crate::cmpp) const MSG_SRC: u32 = 11;
    pub(in crate::cmpp) const FEE_TERMINAL: u32 = 12;
    pub(in crate::cmpp) const DESTINATION: u32 = 13;
}

/// Octets that fit a message in ASCII.
const MAX_ASCII: usize = 160;
/// Octets that fit a message in any other format.
const MAX_OTHER: usize = 140;

/// Whether `account` may send `submit`.
pub(super) fn submit(submit: &Submit, account: &Account) -> Result<(), u32> {
    let refuse = |holds: bool, result| if holds { Ok(()) } else { Err(result) };
    refuse(well_formed(submit), result::STRUCTURE)?;
    let limit = if submit.msg_fmt == MsgFmt::ASCII { MAX_ASCII } else { MAX_OTHER };
    refuse(submit.content.len() <= limit, result::TOO_LONG)?;
    refuse(content_fits_its_fields(submit), result::STRUCTURE)?;
    refuse(fee_is_valid(submit), result::FEE_CODE)?;
    let service = submit.service_id.as_bytes();
    let offered = account.services.is_empty() || account.services.iter().any(|known| known.as_bytes() == service);
    refuse(offered, result::SERVICE)?;
    let src_id = submit.src_id.as_bytes();
    let ours = digits(src_id) && src_id.starts_with(account.src_prefix.as_bytes());
    refuse(ours, result::SRC_ID)?;
    refuse(submit.msg_src.as_bytes() == account.sp_id.as_bytes(), result::MSG_SRC)?;
    let fee_terminal_pays = submit.fee_user_type == FeeUserType::FEE_TERMINAL;
    refuse(!fee_terminal_pays || is_mobile(&submit.fee_terminal, submit.fee_terminal_type), result::FEE_TERMINAL)?;
    let reachable = |number| is_mobile(number, submit.destination_type);
    refuse(submit.destinations.iter().all(reachable), result::DESTINATION)?;
    let billed = |number: &Number| bills(account, number);
    let billed = match submit.fee_user_type {
        FeeUserType::DESTINATION => submit.destinations.iter().all(billed),
        FeeUserType::FEE_TERMINAL => billed(&submit.fee_terminal),
        _ => true,
    };
    refuse(billed, result::NOT_BILLED_HERE)
}

/// Fields with a small set of values have one of them.
fn well_formed(submit: &Submit) -> bool {
    (1..=submit.pk_total).contains(&submit.pk_number)
        && submit.registered_delivery <= 2
        && submit.msg_level <= 9
        && submit.fee_user_type.0 <= 3
        && submit.fee_terminal_type <= 1
        && submit.tp_udhi <= 1
        && submit.destination_type <= 1
        && matches!(submit.msg_fmt, MsgFmt::ASCII | MsgFmt::SIM | MsgFmt::BINARY | MsgFmt::UCS2 | MsgFmt::GB)
        && is_time(submit.valid_time.as_bytes())
        && is_time(submit.at_time.as_bytes())
}

/// A long message's header says the same as `Pk_total` and `Pk_number`; UCS2 has whole units.
fn content_fits_its_fields(submit: &Submit) -> bool {
    let mut text = &submit.content[..];
    if submit.tp_udhi == 1 {
        let (concatenation, rest) = text::split_header(text);
        let agrees = concatenation.is_some_and(|part| (part.total, part.number) == (submit.pk_total, submit.pk_number));
        if !agrees {
            return false;
        }
        text = rest;
    }
    submit.msg_fmt != MsgFmt::UCS2 || text.len().is_multiple_of(2)
}

/// `FeeType` is 01 to 05, `FeeCode` a number of fen.
fn fee_is_valid(submit: &Submit) -> bool {
    matches!(submit.fee_type.as_bytes(), [b'0', b'1'..=b'5']) && digits(submit.fee_code.as_bytes())
}

fn bills(account: &Account, number: &Number) -> bool {
    let number = bare(number.expose());
    account.billed_prefixes.is_empty()
        || account.billed_prefixes.iter().any(|prefix| number.starts_with(prefix.as_bytes()))
}

/// Eleven digits from 1, with or without country code; a pseudonym (type 1) is anything.
fn is_mobile(number: &Number, kind: u8) -> bool {
    let bare = bare(number.expose());
    if kind == 1 { !number.is_empty() } else { bare.len() == 11 && bare[0] == b'1' && digits(bare) }
}

/// Empty, or `YYMMDDhhmmsstnnp` of SMPP 3.3.
fn is_time(time: &[u8]) -> bool {
    match time {
        [] => true,
        [head @ .., b'+' | b'-' | b'R'] => head.len() == 15 && digits(head),
        _ => false,
    }
}

fn digits(octets: &[u8]) -> bool {
    !octets.is_empty() && octets.iter().all(u8::is_ascii_digit)
}
