//! `Msg_Id`, the gateway's 64-bit number for a message, and the month-to-second stamp that it shares with the login.

use std::fmt;

/// Month to second in Asia/Shanghai; the protocol carries no year.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct Stamp {
    month: u8,
    day: u8,
    hour: u8,
    minute: u8,
    second: u8,
}

impl Stamp {
    /// The stamp, or none where a part is outside 1–12, 1–31, 0–23, 0–59, 0–59.
    #[must_use]
    pub const fn new(month: u8, day: u8, hour: u8, minute: u8, second: u8) -> Option<Self> {
        let valid = month >= 1 && month <= 12 && day >= 1 && day <= 31 && hour < 24 && minute < 60 && second < 60;
        if valid { Some(Self { month, day, hour, minute, second }) } else { None }
    }

    /// MMDDHHMMSS read as a decimal number: `Timestamp` of CONNECT.
    #[must_use]
    pub fn number(self) -> u32 {
        [self.day, self.hour, self.minute, self.second]
            .into_iter()
            .fold(u32::from(self.month), |number, part| number * 100 + u32::from(part))
    }

    /// Month, day, hour, minute, second.
    #[must_use]
    pub const fn parts(self) -> [u8; 5] {
        [self.month, self.day, self.hour, self.minute, self.second]
    }
}

/// A gateway's number for one message to one terminal.
///
/// From the highest bit: month 4, day 5, hour 5, minute 6, second 6, gateway 22, sequence 16. Gateways are known to put
/// anything there, so a client compares the whole and never relies on the parts.
#[derive(Clone, Copy, Default, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct MsgId(pub u64);

impl MsgId {
    /// The largest gateway number: 22 bits.
    pub const MAX_GATEWAY: u32 = (1 << 22) - 1;

    /// Packs the parts; a gateway number above [`Self::MAX_GATEWAY`] keeps its low 22 bits.
    #[must_use]
    pub fn pack(stamp: Stamp, gateway: u32, sequence: u16) -> Self {
        let time = u64::from(stamp.month) << 22
            | u64::from(stamp.day) << 17
            | u64::from(stamp.hour) << 12
            | u64::from(stamp.minute) << 6
            | u64::from(stamp.second);
        Self(time << 38 | u64::from(gateway & Self::MAX_GATEWAY) << 16 | u64::from(sequence))
    }

    /// When the gateway took the message, if those bits are a time.
    #[must_use]
    pub const fn stamp(self) -> Option<Stamp> {
        let bits = self.0 >> 38;
        Stamp::new(
            (bits >> 22) as u8,
            (bits >> 17 & 0x1f) as u8,
            (bits >> 12 & 0x1f) as u8,
            (bits >> 6 & 0x3f) as u8,
            (bits & 0x3f) as u8,
        )
    }

    /// The gateway's own number.
    #[must_use]
    pub const fn gateway(self) -> u32 {
        (self.0 >> 16) as u32 & Self::MAX_GATEWAY
    }

    /// The sequence within that second.
    #[must_use]
    pub const fn sequence(self) -> u16 {
        self.0 as u16
    }

    /// The number of the `index`th terminal of a submit to several: the gateway returns the first and reserves the rest.
    #[must_use]
    pub const fn nth(self, index: u8) -> Self {
        Self(self.0.wrapping_add(index as u64))
    }
}

impl fmt::Display for MsgId {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{:016x}", self.0)
    }
}

impl fmt::Debug for MsgId {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{self}")
    }
}
