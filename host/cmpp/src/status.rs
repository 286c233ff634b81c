//! Fields that CMPP has its own way with: a status, one octet in 2.0 and four in 3.0, and a content behind `Msg_Length`.

use bytes::{BufMut, BytesMut};
use gridbell_wire::{Content, Error, Fault, Reader};

use crate::version::Version;

/// Reads a status.
pub(crate) fn read_status(body: &mut Reader<'_>, field: &'static str, version: Version) -> Result<u32, Fault> {
    match version {
        Version::V2_0 => body.octet(field).map(u32::from),
        Version::V3_0 => body.u32(field),
    }
}

/// Writes a status.
pub(crate) fn put_status(out: &mut BytesMut, field: &'static str, status: u32, version: Version) -> Result<(), Error> {
    match version {
        Version::V2_0 => out.put_u8(u8::try_from(status).map_err(|_| Error::OutOfRange {
            field,
            limit: u64::from(u8::MAX),
            value: u64::from(status),
        })?),
        Version::V3_0 => out.put_u32(status),
    }
    Ok(())
}

/// Reads `Msg_Length`, one octet, and as much content.
pub(crate) fn content(body: &mut Reader<'_>) -> Result<Content, Fault> {
    let length = body.octet("Msg_Length")?;
    body.content("Msg_Content", length.into())
}
