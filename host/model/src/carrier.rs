//! Which carrier a mobile number's segment was given to.

use std::fmt;
use std::str::FromStr;

use serde::{Deserialize, Serialize};

use crate::error::ModelError;
use crate::message::Channel;

/// A mainland mobile carrier.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Debug, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
#[repr(u8)]
pub enum Carrier {
    /// 中国移动
    Mobile = 1,
    /// 中国联通
    Unicom = 2,
    /// 中国电信
    Telecom = 3,
    /// 中国广电
    Broadnet = 4,
}

impl Carrier {
    /// Every carrier.
    pub const ALL: &'static [Self] = &[Self::Mobile, Self::Unicom, Self::Telecom, Self::Broadnet];

    /// The word for it in files and in the API.
    #[must_use]
    pub fn word(self) -> &'static str {
        match self {
            Self::Mobile => "mobile",
            Self::Unicom => "unicom",
            Self::Telecom => "telecom",
            Self::Broadnet => "broadnet",
        }
    }

    /// Its Chinese name.
    #[must_use]
    pub fn chinese(self) -> &'static str {
        match self {
            Self::Mobile => "中国移动",
            Self::Unicom => "中国联通",
            Self::Telecom => "中国电信",
            Self::Broadnet => "中国广电",
        }
    }
}

/// The first queue of channels: those below are carriers'.
const FIRST_CHANNEL_QUEUE: u8 = 64;

/// What a link takes: messages to a carrier's numbers, or those of a channel whose addresses are no numbers.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Debug, Serialize, Deserialize)]
#[serde(untagged)]
pub enum Served {
    /// A carrier's numbers.
    Carrier(Carrier),
    /// A channel; never SMS, whose messages are the carriers'.
    Channel(Channel),
}

impl Served {
    /// The queue of the outbox in which its messages wait: 1 to 63 are carriers, from 64 on channels.
    #[must_use]
    pub const fn queue(self) -> u8 {
        match self {
            Self::Carrier(carrier) => carrier as u8,
            Self::Channel(channel) => FIRST_CHANNEL_QUEUE + channel as u8,
        }
    }

    /// What waits in `queue`.
    #[must_use]
    pub fn of_queue(queue: u8) -> Option<Self> {
        match queue.checked_sub(FIRST_CHANNEL_QUEUE) {
            Some(channel) => Channel::from_code(channel).map(Self::Channel),
            None => Carrier::ALL.iter().copied().find(|c| *c as u8 == queue).map(Self::Carrier),
        }
    }

    /// The word for it in files and in the API.
    #[must_use]
    pub fn word(self) -> &'static str {
        match self {
            Self::Carrier(carrier) => carrier.word(),
            Self::Channel(channel) => channel.word(),
        }
    }

    /// What an office reads.
    #[must_use]
    pub fn chinese(self) -> &'static str {
        match self {
            Self::Carrier(carrier) => carrier.chinese(),
            Self::Channel(channel) => channel.chinese(),
        }
    }
}

impl From<Carrier> for Served {
    fn from(carrier: Carrier) -> Self {
        Self::Carrier(carrier)
    }
}

impl fmt::Display for Carrier {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.word())
    }
}

impl FromStr for Carrier {
    type Err = ModelError;
    fn from_str(s: &str) -> Result<Self, ModelError> {
        Self::ALL.iter().copied().find(|c| c.word() == s || c.chinese() == s).ok_or_else(|| ModelError::Word {
            what: "carrier",
            value: s.chars().take(40).collect(),
            known: Self::ALL.iter().map(|c| c.word()).collect::<Vec<_>>().join(", "),
        })
    }
}

/// The mobile number segments (号段) and the carriers they were given to. A number that its owner took to another carrier (携号转网) keeps its
/// segment: this table says who was given it, which is how carriers accept messages for it, too.
#[derive(Clone, PartialEq, Eq)]
pub struct Segments {
    /// By the first four digits, 1000 to 1999.
    table: [Option<Carrier>; 1000],
}

impl Segments {
    /// No segment at all: every mobile number's segment is unknown.
    pub const NONE: Self = Self { table: [None; 1000] };

    /// Gives the segment `prefix`, three digits or four, to `carrier`. A four-digit segment given after its three-digit one takes precedence.
    ///
    /// # Errors
    /// A prefix that is no three- or four-digit mobile segment (13x to 19x).
    pub fn give(&mut self, prefix: u32, carrier: Carrier) -> Result<(), ModelError> {
        let range = match prefix {
            130..=199 => prefix * 10..prefix * 10 + 10,
            1300..=1999 => prefix..prefix + 1,
            _ => return Err(ModelError::Segment { value: prefix.to_string() }),
        };
        for four in range {
            self.table[four as usize - 1000] = Some(carrier);
        }
        Ok(())
    }

    /// The carrier that the 11-digit mobile number `number` was given to; none for an unknown segment and for anything but a mobile number.
    #[must_use]
    pub fn carrier_of(&self, number: u64) -> Option<Carrier> {
        let four = usize::try_from(number / 10_000_000).ok()?;
        self.table.get(four.checked_sub(1000)?).copied().flatten()
    }
}

impl fmt::Debug for Segments {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{} of 1000 four-digit segments", self.table.iter().flatten().count())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_longer_segment_takes_precedence() {
        let mut s = Segments::NONE;
        s.give(170, Carrier::Unicom).unwrap();
        s.give(1703, Carrier::Mobile).unwrap();
        assert_eq!(s.carrier_of(17_012_345_678), Some(Carrier::Unicom));
        assert_eq!(s.carrier_of(17_031_234_567), Some(Carrier::Mobile));
        for n in [0, 13_912_345_678, 3_514_123_456, 99_999_999_999, u64::MAX] {
            assert_eq!(s.carrier_of(n), None, "{n}");
        }
        assert!(s.give(17, Carrier::Mobile).is_err());
        assert!(s.give(120, Carrier::Mobile).unwrap_err().to_string().contains("`120`"));
    }
}
