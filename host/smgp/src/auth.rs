//! Both sides' proof of the shared secret. MD5 is the protocol's choice; it proves nothing against a listener.

use md5::{Digest, Md5};

/// `AuthenticatorClient`: MD5(ClientID + seven zero octets + secret + timestamp), the timestamp MMDDhhmmss in ten digits.
#[must_use]
pub fn client(client_id: &[u8], secret: &[u8], timestamp: u32) -> [u8; 16] {
    let digits = format!("{timestamp:010}");
    Md5::new().chain_update(client_id).chain_update([0; 7]).chain_update(secret).chain_update(digits).finalize().into()
}

/// `AuthenticatorServer`: MD5(status in four octets + AuthenticatorClient + secret).
#[must_use]
pub fn server(status: u32, client: &[u8; 16], secret: &[u8]) -> [u8; 16] {
    Md5::new().chain_update(status.to_be_bytes()).chain_update(client).chain_update(secret).finalize().into()
}

/// MMDDhhmmss as the number that `TimeStamp` is; none where a part is outside 1–12, 1–31, 0–23, 0–59, 0–59.
#[must_use]
pub const fn stamp(month: u32, day: u32, hour: u32, minute: u32, second: u32) -> Option<u32> {
    let valid = month >= 1 && month <= 12 && day >= 1 && day <= 31 && hour < 24 && minute < 60 && second < 60;
    if valid { Some((((month * 100 + day) * 100 + hour) * 100 + minute) * 100 + second) } else { None }
}

/// Whether two authenticators are equal, in a time that does not tell where they differ.
#[must_use]
pub fn matches(left: &[u8; 16], right: &[u8; 16]) -> bool {
    let difference = left.iter().zip(right).fold(0, |difference, (a, b)| difference | (a ^ b));
    std::hint::black_box(difference) == 0
}
