//! The optional fields behind a body: tag 2, length 2, value. What nobody knows is kept, so that it can be looked at and passed on.

use std::fmt;

use bytes::{BufMut, Bytes, BytesMut};
use gridbell_wire::{Error, Fault, Reader};

/// The most optional fields of one PDU; the specification defines 18. More are refused, repeated ones included.
pub const MAX_TLVS: usize = 32;
/// Octets of a value: far more than the longest of the specification, 21.
const MAX_VALUE: usize = 255;

/// The tag of an optional field.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct Tag(pub u16);

impl Tag {
    /// `TP_pid`, 1 octet.
    pub const TP_PID: Self = Self(0x0001);
    /// `TP_udhi`, 1 octet: 1 where the content starts with a user data header.
    pub const TP_UDHI: Self = Self(0x0002);
    /// `LinkID`, 20 octets.
    pub const LINK_ID: Self = Self(0x0003);
    /// `ChargeUserType`, 1 octet.
    pub const CHARGE_USER_TYPE: Self = Self(0x0004);
    /// `ChargeTermType`, 1 octet.
    pub const CHARGE_TERM_TYPE: Self = Self(0x0005);
    /// `ChargeTermPseudo`.
    pub const CHARGE_TERM_PSEUDO: Self = Self(0x0006);
    /// `DestTermType`, 1 octet.
    pub const DEST_TERM_TYPE: Self = Self(0x0007);
    /// `DestTermPseudo`.
    pub const DEST_TERM_PSEUDO: Self = Self(0x0008);
    /// `PkTotal`, 1 octet: parts of the message, from 1.
    pub const PK_TOTAL: Self = Self(0x0009);
    /// `PkNumber`, 1 octet: which part this is, from 1.
    pub const PK_NUMBER: Self = Self(0x000A);
    /// `SubmitMsgType`, 1 octet.
    pub const SUBMIT_MSG_TYPE: Self = Self(0x000B);
    /// `SPDealReslt`, 1 octet.
    pub const SP_DEAL_RESULT: Self = Self(0x000C);
    /// `SrcTermType`, 1 octet.
    pub const SRC_TERM_TYPE: Self = Self(0x000D);
    /// `SrcTermPseudo`.
    pub const SRC_TERM_PSEUDO: Self = Self(0x000E);
    /// `NodesCount`, 1 octet.
    pub const NODES_COUNT: Self = Self(0x000F);
    /// `MsgSrc`, 8 octets: the SP's code.
    pub const MSG_SRC: Self = Self(0x0010);
    /// `SrcType`, 1 octet.
    pub const SRC_TYPE: Self = Self(0x0011);
    /// `MServiceID`, 21 octets.
    pub const M_SERVICE_ID: Self = Self(0x0012);
}

/// One optional field. Its value may be a number or a pseudonym, so it shows only its length.
#[derive(Clone, PartialEq, Eq)]
pub struct Tlv {
    /// Its tag, known or not.
    pub tag: Tag,
    value: Bytes,
}

impl Tlv {
    /// The value.
    #[must_use]
    pub fn value(&self) -> &[u8] {
        &self.value
    }
}

impl fmt::Debug for Tlv {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{:#06x} <{} octets>", self.tag.0, self.value.len())
    }
}

/// The optional fields of a PDU in the order in which they came, each tag once: of a repeated one the first counts and the others are
/// left out.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Tlvs(Vec<Tlv>);

impl Tlvs {
    /// Those of one part of a message: `TP_udhi`, `PkTotal`, `PkNumber`.
    ///
    /// # Errors
    /// Never: three fields of one octet fit.
    pub fn part(udhi: u8, total: u8, number: u8) -> Result<Self, Error> {
        let mut tlvs = Self::default();
        tlvs.set(Tag::TP_UDHI, &[udhi])?;
        tlvs.set(Tag::PK_TOTAL, &[total])?;
        tlvs.set(Tag::PK_NUMBER, &[number])?;
        Ok(tlvs)
    }

    /// Puts a field in, or replaces its value.
    ///
    /// # Errors
    /// Where the value is longer than 255 octets, or there are [`MAX_TLVS`] others.
    pub fn set(&mut self, tag: Tag, value: &[u8]) -> Result<(), Error> {
        if value.len() > MAX_VALUE {
            return Err(Error::TooLong { field: "TLV", limit: MAX_VALUE, length: value.len() });
        }
        let value = Bytes::copy_from_slice(value);
        if let Some(known) = self.0.iter_mut().find(|tlv| tlv.tag == tag) {
            known.value = value;
            return Ok(());
        }
        if self.0.len() >= MAX_TLVS {
            return Err(Error::OutOfRange { field: "TLV", limit: MAX_TLVS as u64, value: self.0.len() as u64 + 1 });
        }
        self.0.push(Tlv { tag, value });
        Ok(())
    }

    /// The value of a field.
    #[must_use]
    pub fn get(&self, tag: Tag) -> Option<&[u8]> {
        self.0.iter().find(|tlv| tlv.tag == tag).map(Tlv::value)
    }

    /// The value of a field of one octet; none where it is missing or longer.
    #[must_use]
    pub fn octet(&self, tag: Tag) -> Option<u8> {
        self.get(tag).and_then(|value| value.try_into().ok()).map(|[octet]: [u8; 1]| octet)
    }

    /// All fields.
    pub fn iter(&self) -> impl Iterator<Item = &Tlv> {
        self.0.iter()
    }

    /// Reads what is left of a body.
    pub(crate) fn decode(mut body: Reader<'_>) -> Result<Self, Fault> {
        let mut tlvs: Vec<Tlv> = Vec::new();
        let mut count = 0;
        while body.left() > 0 {
            count += 1;
            if count > MAX_TLVS {
                return Err(Fault::Value { field: "TLV" });
            }
            let tag = Tag(body.u16("TLV")?);
            let length = usize::from(body.u16("TLV")?);
            let value = body.take("TLV", length)?;
            if length > MAX_VALUE {
                return Err(Fault::Value { field: "TLV" });
            }
            if tlvs.iter().all(|known| known.tag != tag) {
                tlvs.push(Tlv { tag, value: Bytes::copy_from_slice(value) });
            }
        }
        Ok(Self(tlvs))
    }

    pub(crate) fn encode(&self, out: &mut BytesMut) {
        for Tlv { tag, value } in &self.0 {
            out.put_u16(tag.0);
            // At most 255 octets, whoever made it.
            out.put_u16(value.len() as u16);
            out.put_slice(value);
        }
    }
}
