//! Percent encoding (RFC 3986) and the bodies of HTML forms.

use std::fmt::Write;

/// The most parameters of a form that are read; the platforms send fewer than thirty.
pub const MAX_PARAMETERS: usize = 128;

/// The most octets of a form that are read.
pub const MAX_FORM: usize = 64 * 1024;

/// What is wrong with a form.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
pub enum FormError {
    /// It is too long.
    #[error("the form has more than {MAX_FORM} octets")]
    TooLong,
    /// It has too many parameters.
    #[error("the form has more than {MAX_PARAMETERS} parameters")]
    TooMany,
    /// `%` without two hexadecimal digits, or octets that are not UTF-8.
    #[error("parameter {index} of the form is not percent-encoded UTF-8: the sender must use charset utf-8")]
    Encoding {
        /// Which, from 1.
        index: usize,
    },
    /// A name comes twice: which of the two was signed cannot be said.
    #[error("parameter {index} of the form repeats the name of an earlier one")]
    Twice {
        /// Which, from 1.
        index: usize,
    },
}

/// Percent-encodes all but the unreserved characters, a space as `%20`: right for paths, queries, forms, and Aliyun's canonical requests.
#[must_use]
pub fn encode(text: &str) -> String {
    let mut encoded = String::with_capacity(text.len());
    for byte in text.bytes() {
        if byte.is_ascii_alphanumeric() || matches!(byte, b'-' | b'_' | b'.' | b'~') {
            encoded.push(char::from(byte));
        } else {
            // Writing to a String cannot fail.
            let _ = write!(encoded, "%{byte:02X}");
        }
    }
    encoded
}

/// `name=value&…`, both encoded, in the order given.
#[must_use]
pub fn encode_pairs<'a>(pairs: impl IntoIterator<Item = (&'a str, &'a str)>) -> String {
    let pairs = pairs.into_iter().map(|(name, value)| format!("{}={}", encode(name), encode(value)));
    pairs.collect::<Vec<_>>().join("&")
}

/// The parameters of a form or a query, in their order, `+` read as a space.
///
/// # Errors
/// See [`FormError`].
pub fn decode_pairs(form: &[u8]) -> Result<Vec<(String, String)>, FormError> {
    if form.len() > MAX_FORM {
        return Err(FormError::TooLong);
    }
    let mut pairs: Vec<(String, String)> = Vec::new();
    for (place, pair) in form.split(|byte| *byte == b'&').filter(|pair| !pair.is_empty()).enumerate() {
        let index = place + 1;
        if index > MAX_PARAMETERS {
            return Err(FormError::TooMany);
        }
        let (name, value) = match pair.iter().position(|byte| *byte == b'=') {
            Some(equals) => (&pair[..equals], &pair[equals + 1..]),
            None => (pair, &[][..]),
        };
        let (Some(name), Some(value)) = (decode(name), decode(value)) else {
            return Err(FormError::Encoding { index });
        };
        if pairs.iter().any(|(known, _)| *known == name) {
            return Err(FormError::Twice { index });
        }
        pairs.push((name, value));
    }
    Ok(pairs)
}

fn decode(text: &[u8]) -> Option<String> {
    let mut decoded = Vec::with_capacity(text.len());
    let mut rest = text;
    while let Some((first, after)) = rest.split_first() {
        rest = after;
        match first {
            b'+' => decoded.push(b' '),
            b'%' => {
                let digits = std::str::from_utf8(after.get(..2)?).ok()?;
                decoded.extend(crate::bytes::unhex(digits)?);
                rest = &after[2..];
            }
            byte => decoded.push(*byte),
        }
    }
    String::from_utf8(decoded).ok()
}
