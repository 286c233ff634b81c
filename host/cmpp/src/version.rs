//! The two versions of the protocol and the octet that names them at login.

use std::fmt;

/// A version of the protocol; it decides the widths of several fields.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum Version {
    /// CMPP 2.0: terminal numbers of 21 octets, results of one.
    V2_0,
    /// CMPP 3.0: terminal numbers of 32 octets, results of four, `LinkID`.
    V3_0,
}

impl Version {
    /// The octet of CONNECT: the major version in the high four bits, the minor in the low.
    #[must_use]
    pub const fn octet(self) -> u8 {
        match self {
            Self::V2_0 => 0x20,
            Self::V3_0 => 0x30,
        }
    }

    /// The version whose tables a peer announcing `octet` follows; minor versions share their major's tables.
    #[must_use]
    pub const fn from_octet(octet: u8) -> Option<Self> {
        match octet >> 4 {
            2 => Some(Self::V2_0),
            3 => Some(Self::V3_0),
            _ => None,
        }
    }

    /// Width of a terminal number in octets.
    pub(crate) const fn number_width(self) -> usize {
        match self {
            Self::V2_0 => 21,
            Self::V3_0 => 32,
        }
    }

    /// Width of the last field of SUBMIT and DELIVER: `Reserve` in 2.0, `LinkID` in 3.0.
    pub(crate) const fn link_id_width(self) -> usize {
        match self {
            Self::V2_0 => 8,
            Self::V3_0 => 20,
        }
    }
}

impl fmt::Display for Version {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Self::V2_0 => "2.0",
            Self::V3_0 => "3.0",
        })
    }
}
