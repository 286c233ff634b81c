//! What can be wrong with octets read or with a PDU to write. Messages never carry field contents: they may be personal.

use gridbell_wire::Fault;

use crate::header::Header;

/// Every failure of this crate.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum Error {
    /// The length field cannot be that of a PDU: the stream is out of step for good.
    #[error("the PDU length field is `{length}`, outside 12 to {max}: the stream is out of step, close the connection")]
    Framing {
        /// `PacketLength` as read.
        length: u32,
        /// The bound in force.
        max: u32,
    },
    /// One PDU is not as its table says. It has been taken off the buffer; the ones after it can be read.
    #[error("{header} is malformed: {fault}")]
    Malformed {
        /// Its header, for an answer.
        header: Header,
        /// What is wrong.
        #[source]
        fault: Fault,
    },
    /// A field to write does not fit its place.
    #[error(transparent)]
    Field(#[from] gridbell_wire::Error),
}
