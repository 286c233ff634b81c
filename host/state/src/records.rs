//! How a record becomes bytes for the store: postcard, lz4, sealed. Everything that can hold a name, a number or a text is sealed.

use gridbell_store::Sealer;
use serde::Serialize;
use serde::de::DeserializeOwned;

use crate::error::StateError;

/// Largest record after decompression; a record that claims more is refused before memory is taken.
const MAX_RECORD_BYTES: usize = 64 << 20;

/// Packs and seals `bytes` for the place `key`.
pub(crate) fn seal(sealer: &Sealer, key: &[u8], bytes: &[u8]) -> Result<Vec<u8>, StateError> {
    let packed = lz4_flex::compress_prepend_size(bytes);
    sealer.seal(key, &packed).map_err(|e| StateError::Record { table: table(key), why: e.to_string() })
}

/// Opens and unpacks what [`seal`] made for `key`.
pub(crate) fn open(sealer: &Sealer, key: &[u8], sealed: &[u8]) -> Result<Vec<u8>, StateError> {
    let bad = |why: String| StateError::Record { table: table(key), why };
    let packed = sealer.open(key, sealed).map_err(|e| bad(e.to_string()))?;
    let size =
        packed.get(..4).and_then(|s| Some(u32::from_le_bytes(s.try_into().ok()?) as usize)).unwrap_or(usize::MAX);
    if size > MAX_RECORD_BYTES {
        return Err(bad(format!("it claims {size} bytes, more than {MAX_RECORD_BYTES}")));
    }
    lz4_flex::decompress_size_prepended(&packed).map_err(|e| bad(e.to_string()))
}

/// A value as a sealed record.
pub(crate) fn write<T: Serialize>(sealer: &Sealer, key: &[u8], value: &T) -> Result<Vec<u8>, StateError> {
    let bytes = postcard::to_stdvec(value).map_err(|e| StateError::Record { table: table(key), why: e.to_string() })?;
    seal(sealer, key, &bytes)
}

/// A value from a sealed record.
pub(crate) fn read<T: DeserializeOwned>(sealer: &Sealer, key: &[u8], sealed: &[u8]) -> Result<T, StateError> {
    read_with(sealer, key, sealed, |bytes| postcard::from_bytes(bytes))
}

/// The same by `decode`, which knows earlier formats.
pub(crate) fn read_with<T>(
    sealer: &Sealer,
    key: &[u8],
    sealed: &[u8],
    decode: impl Fn(&[u8]) -> Result<T, postcard::Error>,
) -> Result<T, StateError> {
    let bytes = open(sealer, key, sealed)?;
    decode(&bytes).map_err(|e| StateError::Record { table: table(key), why: e.to_string() })
}

fn table(key: &[u8]) -> char {
    key.first().map_or('?', |b| char::from(*b))
}
