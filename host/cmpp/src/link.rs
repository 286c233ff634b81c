//! Login. TERMINATE and ACTIVE_TEST have no body worth a type; they are plain variants of [`Pdu`](crate::Pdu).

use bytes::{BufMut, BytesMut};
use gridbell_wire::{Error, Fault, Octets, Reader, put_padded};

use crate::status::{put_status, read_status};
use crate::version::Version;

/// Octets of a CONNECT_RESP body with a status of one octet.
const RESP_LENGTH_2_0: usize = 18;

/// `CMPP_CONNECT`: 27 octets in both versions.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Connect {
    /// `Source_Addr`: the SP_Id, the enterprise code of six digits.
    pub sp_id: Octets<6>,
    /// `AuthenticatorSource`, see [`auth::source`](crate::auth::source).
    pub authenticator: [u8; 16],
    /// `Version` as announced, see [`Version::from_octet`].
    pub version: u8,
    /// `Timestamp`: MMDDHHMMSS read as a decimal number.
    pub timestamp: u32,
}

impl Connect {
    pub(crate) fn decode(body: &[u8]) -> Result<Self, Fault> {
        let mut body = Reader::new(body);
        let connect = Self {
            sp_id: body.text("Source_Addr", 6)?,
            authenticator: body.array("AuthenticatorSource")?,
            version: body.octet("Version")?,
            timestamp: body.u32("Timestamp")?,
        };
        body.end().map(|()| connect)
    }

    pub(crate) fn encode(&self, out: &mut BytesMut) -> Result<(), Error> {
        put_padded(out, "Source_Addr", self.sp_id.as_bytes(), 6)?;
        out.put_slice(&self.authenticator);
        out.put_u8(self.version);
        out.put_u32(self.timestamp);
        Ok(())
    }
}

/// `CMPP_CONNECT_RESP`: 18 octets in 2.0, 21 in 3.0.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct ConnectResp {
    /// `Status`: 0 accepted, else see [`connect_disposition`](crate::connect_disposition).
    pub status: u32,
    /// `AuthenticatorISMG`, see [`auth::ismg`](crate::auth::ismg).
    pub authenticator: [u8; 16],
    /// `Version`: the highest that the gateway speaks.
    pub version: u8,
}

impl ConnectResp {
    /// Takes the version from the length: a gateway that only speaks 2.0 refuses a 3.0 login in its own layout.
    pub(crate) fn decode(body: &[u8]) -> Result<Self, Fault> {
        let version = if body.len() == RESP_LENGTH_2_0 { Version::V2_0 } else { Version::V3_0 };
        let mut body = Reader::new(body);
        let response = Self {
            status: read_status(&mut body, "Status", version)?,
            authenticator: body.array("AuthenticatorISMG")?,
            version: body.octet("Version")?,
        };
        body.end().map(|()| response)
    }

    pub(crate) fn encode(&self, version: Version, out: &mut BytesMut) -> Result<(), Error> {
        put_status(out, "Status", self.status, version)?;
        out.put_slice(&self.authenticator);
        out.put_u8(self.version);
        Ok(())
    }
}
