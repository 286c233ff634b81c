//! Both sides' proof of the shared secret. MD5 is the protocol's choice; it proves nothing against a listener.

use md5::{Digest, Md5};

use crate::msg_id::Stamp;
use crate::version::Version;

/// `AuthenticatorSource`: MD5(SP_Id + nine zero octets + secret + MMDDHHMMSS).
#[must_use]
pub fn source(sp_id: &[u8], secret: &[u8], stamp: Stamp) -> [u8; 16] {
    source_of_number(sp_id, secret, stamp.number())
}

/// The same from `Timestamp` as a gateway received it; fewer than ten digits are filled with zeros on the left.
#[must_use]
pub fn source_of_number(sp_id: &[u8], secret: &[u8], timestamp: u32) -> [u8; 16] {
    let digits = format!("{timestamp:010}");
    Md5::new().chain_update(sp_id).chain_update([0; 9]).chain_update(secret).chain_update(digits).finalize().into()
}

/// `AuthenticatorISMG`: MD5(status + AuthenticatorSource + secret), the status as wide as the version writes it.
#[must_use]
pub fn ismg(status: u32, source: &[u8; 16], secret: &[u8], version: Version) -> [u8; 16] {
    let status = status.to_be_bytes();
    let width = match version {
        Version::V2_0 => &status[3..],
        Version::V3_0 => &status[..],
    };
    Md5::new().chain_update(width).chain_update(source).chain_update(secret).finalize().into()
}

/// Whether two authenticators are equal, in a time that does not tell where they differ.
#[must_use]
pub fn matches(left: &[u8; 16], right: &[u8; 16]) -> bool {
    let difference = left.iter().zip(right).fold(0, |difference, (a, b)| difference | (a ^ b));
    std::hint::black_box(difference) == 0
}
