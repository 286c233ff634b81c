//! Login. ACTIVE_TEST and EXIT have no body; they are plain variants of [`Pdu`](crate::Pdu).

use bytes::{BufMut, BytesMut};
use gridbell_wire::{Error, Fault, Octets, Reader, put_padded};

/// `ClientVersion` of 3.0.
pub const VERSION: u8 = 0x30;

/// `LoginMode`: what the connection is for. Any octet may come from the wire.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Hash)]
pub struct LoginMode(pub u8);

impl LoginMode {
    /// Submits only.
    pub const SEND: Self = Self(0);
    /// Reports and inbound messages only.
    pub const RECEIVE: Self = Self(1);
    /// Both.
    pub const BOTH: Self = Self(2);
}

/// `SMGP_LOGIN`: 30 octets.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Login {
    /// `ClientID`.
    pub client_id: Octets<8>,
    /// `AuthenticatorClient`, see [`auth::client`](crate::auth::client).
    pub authenticator: [u8; 16],
    /// `LoginMode`.
    pub mode: LoginMode,
    /// `TimeStamp`: MMDDhhmmss read as a decimal number.
    pub timestamp: u32,
    /// `ClientVersion`: [`VERSION`].
    pub version: u8,
}

impl Login {
    pub(crate) fn decode(body: &[u8]) -> Result<Self, Fault> {
        let mut body = Reader::new(body);
        let login = Self {
            client_id: body.text("ClientID", 8)?,
            authenticator: body.array("AuthenticatorClient")?,
            mode: LoginMode(body.octet("LoginMode")?),
            timestamp: body.u32("TimeStamp")?,
            version: body.octet("ClientVersion")?,
        };
        body.end().map(|()| login)
    }

    pub(crate) fn encode(&self, out: &mut BytesMut) -> Result<(), Error> {
        put_padded(out, "ClientID", self.client_id.as_bytes(), 8)?;
        out.put_slice(&self.authenticator);
        out.put_u8(self.mode.0);
        out.put_u32(self.timestamp);
        out.put_u8(self.version);
        Ok(())
    }
}

/// `SMGP_LOGIN_RESP`: 21 octets.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct LoginResp {
    /// `Status`: 0 accepted, else see [`status_disposition`](crate::status_disposition).
    pub status: u32,
    /// `AuthenticatorServer`, see [`auth::server`](crate::auth::server).
    pub authenticator: [u8; 16],
    /// `ServerVersion`: the highest that the gateway speaks.
    pub version: u8,
}

impl LoginResp {
    pub(crate) fn decode(body: &[u8]) -> Result<Self, Fault> {
        let mut body = Reader::new(body);
        let response = Self {
            status: body.u32("Status")?,
            authenticator: body.array("AuthenticatorServer")?,
            version: body.octet("ServerVersion")?,
        };
        body.end().map(|()| response)
    }

    pub(crate) fn encode(&self, out: &mut BytesMut) {
        out.put_u32(self.status);
        out.put_slice(&self.authenticator);
        out.put_u8(self.version);
    }
}
