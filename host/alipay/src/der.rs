//! As much of DER as a public key needs: definite lengths, three tags, no copy.

/// SEQUENCE.
const SEQUENCE: u8 = 0x30;
/// INTEGER.
const INTEGER: u8 = 0x02;
/// BIT STRING.
const BIT_STRING: u8 = 0x03;
/// `AlgorithmIdentifier` of rsaEncryption (RFC 8017, appendix C): its object identifier and NULL.
const RSA: [u8; 13] = [0x06, 0x09, 0x2a, 0x86, 0x48, 0x86, 0xf7, 0x0d, 0x01, 0x01, 0x01, 0x05, 0x00];

/// The `RSAPublicKey` inside a `SubjectPublicKeyInfo` for RSA.
pub(crate) fn rsa_of_spki(der: &[u8]) -> Option<&[u8]> {
    let (spki, rest) = take(SEQUENCE, der)?;
    let (algorithm, bits) = take(SEQUENCE, spki)?;
    let (bits, after) = take(BIT_STRING, bits)?;
    let (unused, key) = bits.split_first()?;
    (rest.is_empty() && after.is_empty() && algorithm == RSA && *unused == 0).then_some(key)
}

/// The bits of the modulus of an `RSAPublicKey`.
pub(crate) fn modulus_bits(der: &[u8]) -> Option<usize> {
    let (key, rest) = take(SEQUENCE, der)?;
    let (modulus, exponent) = take(INTEGER, key)?;
    let (exponent, after) = take(INTEGER, exponent)?;
    if !rest.is_empty() || !after.is_empty() || exponent.is_empty() {
        return None;
    }
    let start = modulus.iter().position(|byte| *byte != 0)?;
    let leading = usize::try_from(modulus[start].leading_zeros()).ok()?;
    Some(8 * (modulus.len() - start) - leading)
}

/// The contents of the element at the front, and what follows it.
fn take(tag: u8, der: &[u8]) -> Option<(&[u8], &[u8])> {
    let (found, rest) = der.split_first()?;
    let (first, rest) = rest.split_first()?;
    let (length, rest) = match first {
        0..=0x7f => (usize::from(*first), rest),
        0x81 => (usize::from(*rest.first()?), &rest[1..]),
        0x82 => (usize::from(u16::from_be_bytes([*rest.first()?, *rest.get(1)?])), &rest[2..]),
        _ => return None,
    };
    (*found == tag && length <= rest.len()).then(|| rest.split_at(length))
}
