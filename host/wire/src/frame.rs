//! Where one PDU ends in a stream: every one of these protocols begins with its length, four octets that count themselves.

/// A length that cannot be that of a PDU: the stream is out of step for good.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct OutOfStep {
    /// The length as read.
    pub length: u32,
}

/// The octets of the PDU at the front of `buffer`, or none while it is not there whole.
///
/// The length is judged before the rest has come, so that a bad one is never waited or allocated for.
///
/// # Errors
/// Where the length is below `header` or above `max`.
pub fn whole(buffer: &[u8], header: usize, max: u32) -> Result<Option<&[u8]>, OutOfStep> {
    let Some(&length) = buffer.first_chunk::<4>() else {
        return Ok(None);
    };
    let length = u32::from_be_bytes(length);
    if (length as usize) < header || length > max {
        return Err(OutOfStep { length });
    }
    Ok(buffer.get(..length as usize))
}
