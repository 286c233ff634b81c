//! The stream of octets to PDUs, whatever the chunks it comes in.

use bytes::{Buf, BytesMut};

use crate::error::Error;
use crate::header::{HEADER_LENGTH, Header};
use crate::pdu::Frame;
use crate::version::Version;

/// The longest PDU read. The longest there is, a 3.0 submit to 99 terminals with 255 octets of content, takes 3586.
pub const MAX_PDU_LENGTH: u32 = 4096;

/// Takes whole PDUs off the front of a buffer; half ones wait for the rest.
///
/// It keeps no octets itself: a buffer never needs to hold more than one PDU of [`MAX_PDU_LENGTH`] plus one read.
#[derive(Clone, Debug)]
pub struct Decoder {
    version: Version,
    max_length: u32,
}

impl Decoder {
    /// Reads PDUs of `version` up to [`MAX_PDU_LENGTH`].
    #[must_use]
    pub const fn new(version: Version) -> Self {
        Self::with_max_length(version, MAX_PDU_LENGTH)
    }

    /// Reads PDUs of `version` up to `max_length` octets.
    #[must_use]
    pub const fn with_max_length(version: Version, max_length: u32) -> Self {
        Self { version, max_length }
    }

    /// The version in force.
    #[must_use]
    pub const fn version(&self) -> Version {
        self.version
    }

    /// Reads the PDUs that follow by the tables of `version`: a gateway learns it from CONNECT, whose own layout is the
    /// same in both.
    pub const fn set_version(&mut self, version: Version) {
        self.version = version;
    }

    /// The next PDU, or none while it is not there whole.
    ///
    /// # Errors
    /// [`Error::Framing`] where the length cannot be a PDU's: nothing is taken, close the connection.
    /// [`Error::Malformed`] where one PDU is not as its table says: it is taken, the next call reads on.
    pub fn decode(&self, buffer: &mut BytesMut) -> Result<Option<Frame>, Error> {
        let whole = gridbell_wire::whole(buffer, HEADER_LENGTH, self.max_length)
            .map_err(|out| Error::Framing { length: out.length, max: self.max_length })?;
        let (Some(octets), Some(header)) = (whole, header(buffer)) else {
            return Ok(None);
        };
        let size = octets.len();
        let frame = Frame::decode(header, octets, self.version);
        buffer.advance(size);
        frame.map(Some)
    }
}

fn header(octets: &[u8]) -> Option<Header> {
    let (length, rest) = octets.split_first_chunk()?;
    let (command, rest) = rest.split_first_chunk()?;
    let sequence = rest.first_chunk()?;
    Some(Header {
        length: u32::from_be_bytes(*length),
        command: u32::from_be_bytes(*command),
        sequence: u32::from_be_bytes(*sequence),
    })
}
