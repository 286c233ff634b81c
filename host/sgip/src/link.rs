//! Login, and the answer that all commands share. UNBIND has no body; it is a plain variant of [`Pdu`](crate::Pdu).

use std::fmt;

use bytes::{BufMut, BytesMut};
use gridbell_wire::{Error, Fault, Octets, Reader, put_padded};

/// `Login Type`: who opened the connection, and what may come on it. Any octet may come from the wire.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Hash)]
pub struct LoginType(pub u8);

impl LoginType {
    /// The SP to the gateway: submits.
    pub const SP_TO_SMG: Self = Self(1);
    /// The gateway to the SP: reports and inbound messages.
    pub const SMG_TO_SP: Self = Self(2);
    /// Between gateways.
    pub const SMG_TO_SMG: Self = Self(3);
    /// A test connection between SP and gateway.
    pub const TEST: Self = Self(11);
}

/// `Login Password`, in clear on the wire; it shows itself as `****`.
#[derive(Clone, Copy, Default, PartialEq, Eq)]
pub struct Password(Octets<16>);

impl Password {
    /// Keeps `password`.
    ///
    /// # Errors
    /// Where it is longer than 16 octets or contains a zero.
    pub fn new(password: impl AsRef<[u8]>) -> Result<Self, Error> {
        Octets::new("Login Password", password).map(Self)
    }

    /// Whether it is `other`, in a time that does not tell where they differ.
    #[must_use]
    pub fn is(&self, other: &Self) -> bool {
        let (left, right) = (self.0.as_bytes(), other.0.as_bytes());
        let difference = (0..16).fold(0, |difference, at| {
            difference | (left.get(at).copied().unwrap_or(0) ^ right.get(at).copied().unwrap_or(0))
        });
        std::hint::black_box(difference) == 0
    }
}

impl fmt::Debug for Password {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("****")
    }
}

/// `SGIP_BIND`: 41 octets.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Bind {
    /// `Login Type`.
    pub login_type: LoginType,
    /// `Login Name`.
    pub name: Octets<16>,
    /// `Login Password`.
    pub password: Password,
    /// `Reserve`.
    pub reserve: Octets<8>,
}

impl Bind {
    pub(crate) fn decode(body: &[u8]) -> Result<Self, Fault> {
        let mut body = Reader::new(body);
        let bind = Self {
            login_type: LoginType(body.octet("Login Type")?),
            name: body.text("Login Name", 16)?,
            password: Password(body.text("Login Password", 16)?),
            reserve: body.text("Reserve", 8)?,
        };
        body.end().map(|()| bind)
    }

    pub(crate) fn encode(&self, out: &mut BytesMut) -> Result<(), Error> {
        out.put_u8(self.login_type.0);
        put_padded(out, "Login Name", self.name.as_bytes(), 16)?;
        put_padded(out, "Login Password", self.password.0.as_bytes(), 16)?;
        put_padded(out, "Reserve", self.reserve.as_bytes(), 8)
    }
}

/// The answer to BIND, SUBMIT, DELIVER and REPORT alike: 9 octets.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Response {
    /// `Result`: 0 taken, else see [`disposition`](crate::disposition).
    pub result: u8,
    /// `Reserve`.
    pub reserve: Octets<8>,
}

impl Response {
    /// An answer with nothing in reserve.
    #[must_use]
    pub const fn new(result: u8) -> Self {
        Self { result, reserve: Octets::EMPTY }
    }

    pub(crate) fn decode(body: &[u8]) -> Result<Self, Fault> {
        let mut body = Reader::new(body);
        let response = Self { result: body.octet("Result")?, reserve: body.text("Reserve", 8)? };
        body.end().map(|()| response)
    }

    pub(crate) fn encode(&self, out: &mut BytesMut) -> Result<(), Error> {
        out.put_u8(self.result);
        put_padded(out, "Reserve", self.reserve.as_bytes(), 8)
    }
}
