//! The field types: zero-padded text, terminal numbers, message content; and the cursors that read and write them.
//! Numbers and content never show themselves whole.

use std::borrow::Cow;
use std::fmt;
use std::ops::Deref;

use bytes::{BufMut, Bytes, BytesMut};

use crate::error::{Error, Fault};

/// The most octets that a length of one octet, which CMPP and SMGP have, can announce. (Carriers take 160 of ASCII and 140 of anything else.)
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

    /// What stands before the first zero; some gateways leave rubbish after it. What is beyond `N` octets is left out.
    #[must_use]
    pub fn from_padded(padded: &[u8]) -> Self {
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
    /// Where it is longer than 32 octets or contains a zero. (Most fields take 21, checked when it is written.)
    pub fn new(field: &'static str, number: impl AsRef<[u8]>) -> Result<Self, Error> {
        Octets::new(field, number).map(Self)
    }

    /// What stands before the first zero.
    #[must_use]
    pub fn from_padded(padded: &[u8]) -> Self {
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

/// The content of a message: personal, so it shows only its length. Cheap to clone.
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
            return Err(Error::TooLong { field: "message content", limit: MAX_CONTENT, length: content.len() });
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

/// How a content is coded (`Msg_Fmt`, `MessageCoding`, `MsgFormat`). Any octet may come from the wire; the constants are those with a meaning here.
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

/// Reads a body field by field; running out of octets is a fault that names the field.
pub struct Reader<'a>(&'a [u8]);

impl<'a> Reader<'a> {
    /// Reads `body` from its first octet.
    #[must_use]
    pub const fn new(body: &'a [u8]) -> Self {
        Self(body)
    }

    /// Octets not yet read.
    #[must_use]
    pub const fn left(&self) -> usize {
        self.0.len()
    }

    /// The next `width` octets.
    ///
    /// # Errors
    /// Where there are fewer.
    pub fn take(&mut self, field: &'static str, width: usize) -> Result<&'a [u8], Fault> {
        let (taken, rest) = self.0.split_at_checked(width).ok_or(Fault::TooShort { field })?;
        self.0 = rest;
        Ok(taken)
    }

    /// The next `N` octets, copied.
    ///
    /// # Errors
    /// Where there are fewer.
    pub fn array<const N: usize>(&mut self, field: &'static str) -> Result<[u8; N], Fault> {
        let (taken, rest) = self.0.split_first_chunk::<N>().ok_or(Fault::TooShort { field })?;
        self.0 = rest;
        Ok(*taken)
    }

    /// The next octet.
    ///
    /// # Errors
    /// Where there is none.
    pub fn octet(&mut self, field: &'static str) -> Result<u8, Fault> {
        self.array::<1>(field).map(|[octet]| octet)
    }

    /// The next two octets as a number.
    ///
    /// # Errors
    /// Where there are fewer.
    pub fn u16(&mut self, field: &'static str) -> Result<u16, Fault> {
        self.array(field).map(u16::from_be_bytes)
    }

    /// The next four octets as a number.
    ///
    /// # Errors
    /// Where there are fewer.
    pub fn u32(&mut self, field: &'static str) -> Result<u32, Fault> {
        self.array(field).map(u32::from_be_bytes)
    }

    /// The next eight octets as a number.
    ///
    /// # Errors
    /// Where there are fewer.
    pub fn u64(&mut self, field: &'static str) -> Result<u64, Fault> {
        self.array(field).map(u64::from_be_bytes)
    }

    /// A text in a field of `width` octets.
    ///
    /// # Errors
    /// Where there are fewer.
    pub fn text<const N: usize>(&mut self, field: &'static str, width: usize) -> Result<Octets<N>, Fault> {
        self.take(field, width).map(Octets::from_padded)
    }

    /// A terminal's number in a field of `width` octets.
    ///
    /// # Errors
    /// Where there are fewer.
    pub fn number(&mut self, field: &'static str, width: usize) -> Result<Number, Fault> {
        self.take(field, width).map(Number::from_padded)
    }

    /// `count` terminals' numbers of `width` octets each. Nothing is allocated before the octets are known to be there.
    ///
    /// # Errors
    /// Where there are fewer.
    pub fn numbers(&mut self, field: &'static str, count: u8, width: usize) -> Result<Vec<Number>, Fault> {
        let octets = self.take(field, usize::from(count) * width)?;
        Ok(octets.chunks_exact(width.max(1)).map(Number::from_padded).collect())
    }

    /// A content of `length` octets, copied: a slice would keep the whole read buffer alive.
    ///
    /// # Errors
    /// Where there are fewer, or where it is longer than [`MAX_CONTENT`].
    pub fn content(&mut self, field: &'static str, length: u32) -> Result<Content, Fault> {
        let length = usize::try_from(length).ok().filter(|length| *length <= MAX_CONTENT);
        let length = length.ok_or(Fault::Value { field })?;
        self.take(field, length).map(|content| Content(Bytes::copy_from_slice(content)))
    }

    /// Ends the body.
    ///
    /// # Errors
    /// Where octets are left.
    pub const fn end(self) -> Result<(), Fault> {
        if self.0.is_empty() { Ok(()) } else { Err(Fault::Trailing { extra: self.0.len() }) }
    }
}

/// Writes zero-padded text into a field of `width` octets.
///
/// # Errors
/// Where it is longer.
pub fn put_padded(out: &mut BytesMut, field: &'static str, value: &[u8], width: usize) -> Result<(), Error> {
    let padding = width.checked_sub(value.len()).ok_or(Error::TooLong { field, limit: width, length: value.len() })?;
    out.put_slice(value);
    out.put_bytes(0, padding);
    Ok(())
}

/// Writes a length of one octet and the content.
///
/// # Errors
/// Never: a [`Content`] is bounded by [`MAX_CONTENT`]. The signature is that of its neighbours.
pub fn put_content(out: &mut BytesMut, content: &Content) -> Result<(), Error> {
    let length = u8::try_from(content.len()).map_err(|_| Error::TooLong {
        field: "message content",
        limit: MAX_CONTENT,
        length: content.len(),
    })?;
    out.put_u8(length);
    out.put_slice(content);
    Ok(())
}
