//! The field types: zero-padded text, terminal numbers, message content; and the cursors that read and write them.
//! Numbers and content never show themselves whole.

use std::borrow::Cow;
use std::fmt;
use std::ops::Deref;

use bytes::{BufMut, Bytes, BytesMut};

use crate::error::{Error, Fault};

/// The most octets that `Msg_Length`, one octet, can announce. (Carriers take 160 of ASCII and 140 of anything else.)
pub const MAX_CONTENT: usize = 255;

/// An `Octet String` of at most `N` octets, kept in place; on the wire it is padded with zeros to its field's width.
#[derive(Clone, Copy, PartialEq, Eq, Hash)]
pub struct Octets<const N: usize> {
    /// Everything from `len` on is zero, so that equality and hash may look at the whole array.
    bytes: [u8; N],
    len: u8,
}

impl<const N: usize> Octets<N> {
    /// Nothing, all zeros on the wire.
    pub const EMPTY: Self = Self { bytes: [0; N], len: 0 };

    /// Keeps `value`.
    ///
    /// # Errors
    /// Where it is longer than `N` octets or contains a zero; `field` names it in the error.
    pub fn new(field: &'static str, value: impl AsRef<[u8]>) -> Result<Self, Error> {
        let value = value.as_ref();
        if value.len() > N || value.len() > usize::from(u8::MAX) {
            return Err(Error::TooLong { field, limit: N, length: value.len() });
        }
        if value.contains(&0) {
            return Err(Error::ZeroOctet { field });
        }
        Ok(Self::from_padded(value))
    }

    /// What stands before the first zero; some gateways leave rubbish after it.
    pub(crate) fn from_padded(padded: &[u8]) -> Self {
        let mut bytes = [0; N];
        let mut len = 0;
        for (to, from) in bytes.iter_mut().zip(padded.iter().take_while(|&&octet| octet != 0)) {
            *to = *from;
            len += 1;
        }
        Self { bytes, len }
    }

    /// The octets without padding.
    #[must_use]
    pub fn as_bytes(&self) -> &[u8] {
        &self.bytes[..usize::from(self.len)]
    }

    /// The octets as text; what is not UTF-8 becomes U+FFFD.
    #[must_use]
    pub fn text(&self) -> Cow<'_, str> {
        String::from_utf8_lossy(self.as_bytes())
    }

    /// Whether there are none.
    #[must_use]
    pub const fn is_empty(&self) -> bool {
        self.len == 0
    }
}

impl<const N: usize> Default for Octets<N> {
    fn default() -> Self {
        Self::EMPTY
    }
}

impl<const N: usize> fmt::Debug for Octets<N> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{:?}", self.text())
    }
}

/// A terminal's number: personal, so it shows itself as 138****1234.
#[derive(Clone, Copy, Default, PartialEq, Eq, Hash)]
pub struct Number(Octets<32>);

impl Number {
    /// No number.
    pub const EMPTY: Self = Self(Octets::EMPTY);

    /// Keeps `number` as it is written, country code or not.
    ///
    /// # Errors
    /// Where it is longer than 32 octets or contains a zero. (2.0 takes 21, checked when it is written.)
    pub fn new(field: &'static str, number: impl AsRef<[u8]>) -> Result<Self, Error> {
        Octets::new(field, number).map(Self)
    }

    pub(crate) fn from_padded(padded: &[u8]) -> Self {
        Self(Octets::from_padded(padded))
    }

    /// The whole number, for the wire and for matching; never for a log.
    #[must_use]
    pub fn expose(&self) -> &[u8] {
        self.0.as_bytes()
    }

    /// The whole number as text; what is not UTF-8 becomes U+FFFD.
    #[must_use]
    pub fn expose_text(&self) -> Cow<'_, str> {
        self.0.text()
    }

    /// Whether there is none.
    #[must_use]
    pub const fn is_empty(&self) -> bool {
        self.0.is_empty()
    }
}

impl fmt::Display for Number {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let number: Vec<char> = self.0.text().chars().collect();
        if number.is_empty() {
            return Ok(());
        }
        if number.len() < 9 {
            return f.write_str("****");
        }
        let (head, tail) = (&number[..3], &number[number.len() - 4..]);
        write!(f, "{}****{}", String::from_iter(head), String::from_iter(tail))
    }
}

impl fmt::Debug for Number {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{self}")
    }
}

/// `Msg_Content`: personal, so it shows only its length. Cheap to clone.
#[derive(Clone, Default, PartialEq, Eq, Hash)]
pub struct Content(Bytes);

impl Content {
    /// Keeps `content`.
    ///
    /// # Errors
    /// Where it is longer than [`MAX_CONTENT`].
    pub fn new(content: impl Into<Bytes>) -> Result<Self, Error> {
        let content = content.into();
        if content.len() > MAX_CONTENT {
            return Err(Error::TooLong { field: "Msg_Content", limit: MAX_CONTENT, length: content.len() });
        }
        Ok(Self(content))
    }
}

impl Deref for Content {
    type Target = [u8];

    fn deref(&self) -> &[u8] {
        &self.0
    }
}

impl fmt::Debug for Content {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "<{} octets>", self.0.len())
    }
}

/// `Msg_Fmt`: how the content is coded. Any octet may come from the wire; the constants are those with a meaning here.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Hash)]
pub struct MsgFmt(pub u8);

impl MsgFmt {
    /// 7-bit ASCII, one character an octet.
    pub const ASCII: Self = Self(0);
    /// Write to the SIM card.
    pub const SIM: Self = Self(3);
    /// Binary.
    pub const BINARY: Self = Self(4);
    /// UCS2, which is UTF-16BE in practice.
    pub const UCS2: Self = Self(8);
    /// GB characters, GBK in practice.
    pub const GB: Self = Self(15);
}

/// `Fee_UserType`: who pays for the message.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Hash)]
pub struct FeeUserType(pub u8);

impl FeeUserType {
    /// The terminal that receives it.
    pub const DESTINATION: Self = Self(0);
    /// The terminal that caused it.
    pub const SOURCE: Self = Self(1);
    /// The sender, as utilities do.
    pub const SP: Self = Self(2);
    /// The number in `Fee_terminal_Id`.
    pub const FEE_TERMINAL: Self = Self(3);
}

/// Reads a body field by field; running out of octets is a fault that names the field.
pub(crate) struct Reader<'a>(&'a [u8]);

impl<'a> Reader<'a> {
    pub(crate) const fn new(body: &'a [u8]) -> Self {
        Self(body)
    }

    pub(crate) fn take(&mut self, field: &'static str, width: usize) -> Result<&'a [u8], Fault> {
        let (taken, rest) = self.0.split_at_checked(width).ok_or(Fault::TooShort { field })?;
        self.0 = rest;
        Ok(taken)
    }

    pub(crate) fn array<const N: usize>(&mut self, field: &'static str) -> Result<[u8; N], Fault> {
        let (taken, rest) = self.0.split_first_chunk::<N>().ok_or(Fault::TooShort { field })?;
        self.0 = rest;
        Ok(*taken)
    }

    pub(crate) fn octet(&mut self, field: &'static str) -> Result<u8, Fault> {
        self.array::<1>(field).map(|[octet]| octet)
    }

    pub(crate) fn u32(&mut self, field: &'static str) -> Result<u32, Fault> {
        self.array(field).map(u32::from_be_bytes)
    }

    pub(crate) fn u64(&mut self, field: &'static str) -> Result<u64, Fault> {
        self.array(field).map(u64::from_be_bytes)
    }

    pub(crate) fn text<const N: usize>(&mut self, field: &'static str, width: usize) -> Result<Octets<N>, Fault> {
        self.take(field, width).map(Octets::from_padded)
    }

    pub(crate) fn number(&mut self, field: &'static str, width: usize) -> Result<Number, Fault> {
        self.take(field, width).map(Number::from_padded)
    }

    /// `Msg_Length` and as many octets, copied: a slice would keep the whole read buffer alive.
    pub(crate) fn content(&mut self) -> Result<Content, Fault> {
        let length = self.octet("Msg_Length")?;
        self.take("Msg_Content", usize::from(length)).map(|content| Content(Bytes::copy_from_slice(content)))
    }

    /// A status: one octet in 2.0, four in 3.0.
    pub(crate) fn status(&mut self, field: &'static str, version: crate::Version) -> Result<u32, Fault> {
        match version {
            crate::Version::V2_0 => self.octet(field).map(u32::from),
            crate::Version::V3_0 => self.u32(field),
        }
    }

    pub(crate) const fn end(self) -> Result<(), Fault> {
        if self.0.is_empty() { Ok(()) } else { Err(Fault::Trailing { extra: self.0.len() }) }
    }
}

/// Writes zero-padded text into a field of `width` octets.
pub(crate) fn put_padded(out: &mut BytesMut, field: &'static str, value: &[u8], width: usize) -> Result<(), Error> {
    let padding = width.checked_sub(value.len()).ok_or(Error::TooLong { field, limit: width, length: value.len() })?;
    out.put_slice(value);
    out.put_bytes(0, padding);
    Ok(())
}

/// Writes `Msg_Length` and the content.
pub(crate) fn put_content(out: &mut BytesMut, content: &Content) -> Result<(), Error> {
    let length = u8::try_from(content.len()).map_err(|_| Error::TooLong {
        field: "Msg_Content",
        limit: MAX_CONTENT,
        length: content.len(),
    })?;
    out.put_u8(length);
    out.put_slice(content);
    Ok(())
}

/// Writes a status: one octet in 2.0, four in 3.0.
pub(crate) fn put_status(
    out: &mut BytesMut,
    field: &'static str,
    status: u32,
    version: crate::Version,
) -> Result<(), Error> {
    match version {
        crate::Version::V2_0 => out.put_u8(u8::try_from(status).map_err(|_| Error::OutOfRange {
            field,
            limit: u64::from(u8::MAX),
            value: u64::from(status),
        })?),
        crate::Version::V3_0 => out.put_u32(status),
    }
    Ok(())
}
