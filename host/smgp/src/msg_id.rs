//! `MsgID`, the gateway's number for a message: ten octets of binary-coded decimal.

use std::fmt;

/// `MsgID`: gateway in six digits, MMDDhhmm, sequence in six digits. Kept as its octets: gateways write what they like into them.
#[derive(Clone, Copy, Default, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct MsgId(pub [u8; 10]);

impl MsgId {
    /// Packs the parts as the specification does; of each the last digits that fit.
    #[must_use]
    pub fn pack(gateway: u32, month_to_minute: u32, sequence: u32) -> Self {
        let mut octets = [0; 10];
        bcd(gateway, &mut octets[..3]);
        bcd(month_to_minute, &mut octets[3..7]);
        bcd(sequence, &mut octets[7..]);
        Self(octets)
    }

    /// Reads twenty hexadecimal digits, as some gateways write the number into reports.
    pub(crate) fn from_hex(digits: &[u8; 20]) -> Option<Self> {
        let nibble = |digit: u8| char::from(digit).to_digit(16).and_then(|value| u8::try_from(value).ok());
        let mut octets = [0; 10];
        let (pairs, _) = digits.as_chunks::<2>();
        for (octet, [high, low]) in octets.iter_mut().zip(pairs) {
            *octet = nibble(*high)? << 4 | nibble(*low)?;
        }
        Some(Self(octets))
    }
}

/// Two digits an octet, the last ones last.
fn bcd(mut value: u32, octets: &mut [u8]) {
    for octet in octets.iter_mut().rev() {
        // Below 100 by the remainder.
        let pair = (value % 100) as u8;
        *octet = ((pair / 10) << 4) | (pair % 10);
        value /= 100;
    }
}

impl fmt::Display for MsgId {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.0.iter().try_for_each(|octet| write!(f, "{octet:02x}"))
    }
}

impl fmt::Debug for MsgId {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{self}")
    }
}
