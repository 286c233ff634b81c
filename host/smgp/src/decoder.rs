//! The stream of octets to PDUs, whatever the chunks it comes in.

use bytes::{Buf, BytesMut};
use gridbell_wire::{Reader, whole};

use crate::error::Error;
use crate::header::{HEADER_LENGTH, Header};
use crate::pdu::Frame;

/// The longest PDU read. A submit to 100 terminals with 255 octets of content takes 2481 before its optional fields, which take
/// some hundred octets; those of a gateway's own have the rest.
pub const MAX_PDU_LENGTH: u32 = 4096;

/// Takes whole PDUs off the front of a buffer; half ones wait for the rest.
///
/// It keeps no octets itself: a buffer never needs to hold more than one PDU of [`MAX_PDU_LENGTH`] plus one read.
#[derive(Clone, Debug)]
pub struct Decoder {
    max_length: u32,
}

impl Default for Decoder {
    fn default() -> Self {
        Self::new()
    }
}

impl Decoder {
    /// Reads PDUs up to [`MAX_PDU_LENGTH`].
    #[must_use]
    pub const fn new() -> Self {
        Self::with_max_length(MAX_PDU_LENGTH)
    }

    /// Reads PDUs up to `max_length` octets.
    #[must_use]
    pub const fn with_max_length(max_length: u32) -> Self {
        Self { max_length }
    }

    /// The next PDU, or none while it is not there whole.
    ///
    /// # Errors
    /// [`Error::Framing`] where the length cannot be a PDU's: nothing is taken, close the connection.
    /// [`Error::Malformed`] where one PDU is not as its table says: it is taken, the next call reads on.
    pub fn decode(&self, buffer: &mut BytesMut) -> Result<Option<Frame>, Error> {
        let whole = whole(buffer, HEADER_LENGTH, self.max_length)
            .map_err(|out| Error::Framing { length: out.length, max: self.max_length })?;
        let Some((octets, header)) = whole.and_then(|octets| Some((octets, header(octets)?))) else {
            return Ok(None);
        };
        let size = octets.len();
        let frame = Frame::decode(header, octets);
        buffer.advance(size);
        frame.map(Some)
    }
}

fn header(octets: &[u8]) -> Option<Header> {
    let mut octets = Reader::new(octets);
    Some(Header {
        length: octets.u32("PacketLength").ok()?,
        command: octets.u32("RequestID").ok()?,
        sequence: octets.u32("SequenceID").ok()?,
    })
}
