//! The envelope of every stored value: one byte of format and flags, a checksum over key and content, the content, perhaps compressed.
//! Knows nothing of the engine below or the meaning above.
//!
//! `[format:4 bits | flags:4 bits] [crc32, LE] [content]`; with [`LZ4`] set the content is `[length, u32 LE] [lz4 block]`. The checksum covers
//! the first byte, the key and the content, so that a value found under another key is noticed too.

use std::borrow::Cow;

use crate::error::{StoreError, hex};
use crate::store::MAX_VALUE_BYTES;

/// Format that is written, in the upper half of the first byte.
const FORMAT: u8 = 1;
/// Flag: the content is an lz4 block behind its length.
const LZ4: u8 = 0b0001;
/// First byte and checksum.
const HEADER: usize = 5;
/// Length before an lz4 block.
const LENGTH: usize = 4;

/// Values from this length on are compressed. Shorter ones gain less than the two copies cost, and the engine compresses a whole leaf anyway.
pub(crate) const COMPRESS_FROM_BYTES: usize = 1024;

/// Puts `value` into its envelope; compression is kept only where it saves a sixteenth.
pub(crate) fn encode(key: &[u8], value: &[u8]) -> Vec<u8> {
    if value.len() >= COMPRESS_FROM_BYTES {
        let mut stored = vec![0; HEADER + LENGTH + lz4_flex::block::get_maximum_output_size(value.len())];
        let packed = lz4_flex::block::compress_into(value, &mut stored[HEADER + LENGTH..]);
        if let (Ok(packed), Ok(length)) = (packed, u32::try_from(value.len()))
            && packed < value.len() - value.len() / 16
        {
            stored.truncate(HEADER + LENGTH + packed);
            stored[HEADER..HEADER + LENGTH].copy_from_slice(&length.to_le_bytes());
            return finish(key, FORMAT << 4 | LZ4, stored);
        }
    }
    let mut stored = Vec::with_capacity(HEADER + value.len());
    stored.resize(HEADER, 0);
    stored.extend_from_slice(value);
    finish(key, FORMAT << 4, stored)
}

fn finish(key: &[u8], first: u8, mut stored: Vec<u8>) -> Vec<u8> {
    let crc = checksum(key, first, &stored[HEADER..]);
    stored[0] = first;
    stored[1..HEADER].copy_from_slice(&crc.to_le_bytes());
    stored
}

fn checksum(key: &[u8], first: u8, content: &[u8]) -> u32 {
    let mut hasher = crc32fast::Hasher::new();
    hasher.update(&[first]);
    hasher.update(key);
    hasher.update(content);
    hasher.finalize()
}

/// Takes a value out of its envelope, borrowed where it was not compressed.
pub(crate) fn decode<'a>(key: &[u8], stored: &'a [u8]) -> Result<Cow<'a, [u8]>, StoreError> {
    let Some((header, content)) = stored.split_at_checked(HEADER) else {
        return Err(StoreError::corrupt(key, "shorter than its header"));
    };
    let (first, crc) = (header[0], u32::from_le_bytes([header[1], header[2], header[3], header[4]]));
    if checksum(key, first, content) != crc {
        return Err(StoreError::corrupt(key, "its checksum does not fit"));
    }
    match (first >> 4, first & 0x0f) {
        (FORMAT, 0) => Ok(Cow::Borrowed(content)),
        (FORMAT, LZ4) => unpack(key, content).map(Cow::Owned),
        (format, _) => Err(StoreError::NewerFormat { key: hex(key), format }),
    }
}

fn unpack(key: &[u8], content: &[u8]) -> Result<Vec<u8>, StoreError> {
    let damaged = || StoreError::corrupt(key, "it cannot be uncompressed");
    let (length, packed) = content.split_first_chunk::<LENGTH>().ok_or_else(damaged)?;
    let length = usize::try_from(u32::from_le_bytes(*length)).map_err(|_| damaged())?;
    if length > MAX_VALUE_BYTES {
        return Err(damaged());
    }
    let value = lz4_flex::block::decompress(packed, length).map_err(|_| damaged())?;
    if value.len() == length { Ok(value) } else { Err(damaged()) }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    #[test]
    fn long_text_is_compressed_and_noise_is_not() {
        let text = b"gridbell ".repeat(4096);
        assert!(encode(b"k", &text).len() < text.len() / 10);
        let noise: Vec<u8> =
            (0..8192_u32).flat_map(|i| i.wrapping_mul(0x9e37_79b9).rotate_left(i % 31).to_le_bytes()).collect();
        assert_eq!(encode(b"k", &noise).len(), noise.len() + HEADER);
    }

    #[test]
    fn a_later_format_is_named() {
        let stored = finish(b"key", 2 << 4, vec![0; HEADER]);
        assert!(matches!(decode(b"key", &stored), Err(StoreError::NewerFormat { format: 2, .. })));
    }

    proptest! {
        #[test]
        fn round_trip(key in prop::collection::vec(any::<u8>(), 1..40), value in prop::collection::vec(0..4_u8, 0..5000)) {
            let stored = encode(&key, &value);
            prop_assert_eq!(decode(&key, &stored).unwrap().into_owned(), value);
        }

        #[test]
        fn one_changed_bit_is_noticed(value in prop::collection::vec(0..4_u8, 0..3000), at in any::<prop::sample::Index>(), bit in 0..8_u8) {
            let mut stored = encode(b"key", &value);
            let at = at.index(stored.len());
            stored[at] ^= 1 << bit;
            prop_assert!(decode(b"key", &stored).is_err());
        }

        #[test]
        fn a_value_under_another_key_is_noticed(value in prop::collection::vec(any::<u8>(), 0..100)) {
            prop_assert!(decode(b"kez", &encode(b"key", &value)).is_err());
        }

        #[test]
        fn anything_else_is_refused_without_a_panic(bytes in prop::collection::vec(any::<u8>(), 0..200)) {
            let _ = decode(b"key", &bytes);
        }
    }
}
