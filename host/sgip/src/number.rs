//! Numbers as SGIP writes them: a terminal has its country code before it, and a payer of 21 zeros is the sender.

use gridbell_wire::{Error, Number};

/// `ChargeNumber` where the sender pays.
pub const SENDER_PAYS: &str = "000000000000000000000";

const COUNTRY: &[u8] = b"86";
/// Digits of a mobile number.
const MOBILE: usize = 11;

/// A terminal's number with `86` before it: one that has it (`86…`, `+86…`, `0086…`) keeps it, any other gets it.
///
/// # Errors
/// Where it is too long for the field or contains a zero octet.
pub fn user(number: &str) -> Result<Number, Error> {
    Number::new("UserNumber", [COUNTRY, bare(number.as_bytes())].concat())
}

/// A terminal's number without its country code, to compare it with ours.
#[must_use]
pub fn bare(number: &[u8]) -> &[u8] {
    let digits = number.strip_prefix(b"+").or_else(|| number.strip_prefix(b"00")).unwrap_or(number);
    match digits.strip_prefix(COUNTRY) {
        Some(bare) if bare.len() >= MOBILE => bare,
        _ => number,
    }
}
