//! `SGIP_REPORT`, what became of one message to one terminal: a PDU of its own, about the submit whose sequence it repeats.

use bytes::{BufMut, BytesMut};
use gridbell_wire::{Error, Fault, Number, Octets, Reader, put_padded};

use crate::disposition::{Disposition, report_disposition};
use crate::header::Sequence;
use crate::submit::NUMBER;

/// `SGIP_REPORT`: 44 octets.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Report {
    /// `SubmitSequenceNumber`: the sequence of the submit that this is about; with the user it names one message.
    pub submit: Sequence,
    /// `ReportType`: 0 about a submit, 1 about a deliver that was forwarded.
    pub report_type: u8,
    /// `UserNumber`: the terminal, with `86` before it.
    pub user: Number,
    /// `State`.
    pub state: ReportState,
    /// `ErrorCode`: why, where the state is 2; the codes of the results.
    pub error_code: u8,
    /// `Reserve`.
    pub reserve: Octets<8>,
}

/// `State`. Any octet may come from the wire.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Hash)]
pub struct ReportState(pub u8);

impl ReportState {
    /// On the terminal.
    pub const DELIVERED: Self = Self(0);
    /// Waiting: another report follows.
    pub const WAITING: Self = Self(1);
    /// Failed for good.
    pub const FAILED: Self = Self(2);
}

/// What a report says.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum Outcome {
    /// Final: it arrived.
    Delivered,
    /// Final: it did not, and this is what the error code asks of us.
    Failed(Disposition),
    /// Not final: another report follows.
    Pending,
}

impl Report {
    /// What it says. `overrides` come before the specification's table, as for
    /// [`submit_disposition`](crate::submit_disposition). A state outside the table is a failure: only 0 is success.
    #[must_use]
    pub fn outcome(&self, overrides: &[(u8, Disposition)]) -> Outcome {
        match self.state {
            ReportState::DELIVERED => Outcome::Delivered,
            ReportState::WAITING => Outcome::Pending,
            _ => Outcome::Failed(report_disposition(self.error_code, overrides)),
        }
    }

    pub(crate) fn decode(body: &[u8]) -> Result<Self, Fault> {
        let mut body = Reader::new(body);
        let report = Self {
            submit: Sequence::from_octets(body.array("SubmitSequenceNumber")?),
            report_type: body.octet("ReportType")?,
            user: body.number("UserNumber", NUMBER)?,
            state: ReportState(body.octet("State")?),
            error_code: body.octet("ErrorCode")?,
            reserve: body.text("Reserve", 8)?,
        };
        body.end().map(|()| report)
    }

    pub(crate) fn encode(&self, out: &mut BytesMut) -> Result<(), Error> {
        self.submit.encode(out);
        out.put_u8(self.report_type);
        put_padded(out, "UserNumber", self.user.expose(), NUMBER)?;
        out.put_slice(&[self.state.0, self.error_code]);
        put_padded(out, "Reserve", self.reserve.as_bytes(), 8)
    }
}
