//! Encrypts values at rest: AES-256-GCM, bound to the key of the record that they are stored under. Never decides which values are secret.
//!
//! `[format: 1] [key id: 4 bytes] [nonce: 12 bytes] [ciphertext and 16 bytes of tag]`. The tag covers format, key id and the record's key, so
//! that a value copied to another record does not open. A nonce is random: with 96 bits, two billion values per key keep the chance of a
//! repetition below one in ten billion; rotate the key before.

use ring::aead::{AES_256_GCM, Aad, LessSafeKey, NONCE_LEN, Nonce, UnboundKey};
use ring::hmac;
use ring::rand::{SecureRandom, SystemRandom};

use crate::error::{SealError, hex};
use crate::key::{Key, KeyId};

const FORMAT: u8 = 1;
const HEADER_BYTES: usize = 1 + size_of::<KeyId>();
const TAG_BYTES: usize = 16;

/// Bytes that sealing adds to a value.
pub const SEAL_OVERHEAD_BYTES: usize = HEADER_BYTES + NONCE_LEN + TAG_BYTES;

/// Seals with the current key, opens with that one and older ones.
pub struct Sealer {
    current: KeyId,
    keys: Vec<(KeyId, LessSafeKey)>,
    /// For fingerprints, in the same order: keys of their own, made from the sealing keys, so that neither use helps against the other.
    marks: Vec<hmac::Key>,
    random: SystemRandom,
}

impl Sealer {
    /// Seals and opens with `key`.
    #[must_use]
    pub fn new(key: &Key) -> Self {
        Self {
            current: key.id(),
            keys: vec![(key.id(), cipher(key))],
            marks: vec![mark(key)],
            random: SystemRandom::new(),
        }
    }

    /// Opens with `key` too: what was sealed before the current key took over.
    #[must_use]
    pub fn with_older(mut self, key: &Key) -> Self {
        self.keys.push((key.id(), cipher(key)));
        self.marks.push(mark(key));
        self
    }

    /// What finds `value` again among values of the kind `label` without being it: the first eight bytes of an HMAC-SHA-256 under each key, the
    /// current one first. Without the keys nobody can tell which value it is of, not even by trying all telephone numbers.
    #[must_use]
    pub fn fingerprints(&self, label: &str, value: &[u8]) -> Vec<u64> {
        let one = |key: &hmac::Key| {
            let mut context = hmac::Context::with_key(key);
            // The length keeps label and value apart.
            context.update(&(label.len() as u64).to_le_bytes());
            context.update(label.as_bytes());
            context.update(value);
            let tag = context.sign();
            let mut first = [0; 8];
            first.copy_from_slice(&tag.as_ref()[..8]);
            u64::from_le_bytes(first)
        };
        self.marks.iter().map(one).collect()
    }

    /// Whether `sealed` was sealed with an older key and should be sealed again.
    #[must_use]
    pub fn is_outdated(&self, sealed: &[u8]) -> bool {
        sealed.get(1..HEADER_BYTES).is_some_and(|id| *id != self.current)
    }

    /// `value`, sealed to the record under `record_key`.
    ///
    /// # Errors
    /// [`SealError::Entropy`] when the system gives no nonce.
    pub fn seal(&self, record_key: &[u8], value: &[u8]) -> Result<Vec<u8>, SealError> {
        let mut nonce = [0; NONCE_LEN];
        self.random.fill(&mut nonce).map_err(|_| SealError::Entropy)?;
        let mut sealed = Vec::with_capacity(value.len() + SEAL_OVERHEAD_BYTES);
        sealed.push(FORMAT);
        sealed.extend_from_slice(&self.current);
        sealed.extend_from_slice(&nonce);
        let aad = associated(&sealed[..HEADER_BYTES], record_key);
        let start = sealed.len();
        sealed.extend_from_slice(value);
        let cipher = self.cipher(self.current)?;
        let tag = cipher
            .seal_in_place_separate_tag(Nonce::assume_unique_for_key(nonce), Aad::from(aad), &mut sealed[start..])
            .map_err(|_| SealError::Malformed)?;
        sealed.extend_from_slice(tag.as_ref());
        Ok(sealed)
    }

    /// What was sealed to the record under `record_key`.
    ///
    /// # Errors
    /// [`SealError::WrongKey`] when the key that it was sealed with is not at hand, [`SealError::Broken`] when it was changed or moved,
    /// [`SealError::Malformed`] when it is no sealed value.
    pub fn open(&self, record_key: &[u8], sealed: &[u8]) -> Result<Vec<u8>, SealError> {
        let (header, rest) = sealed.split_first_chunk::<HEADER_BYTES>().ok_or(SealError::Malformed)?;
        let [FORMAT, id @ ..] = *header else { return Err(SealError::Malformed) };
        let (nonce, ciphertext) = rest.split_first_chunk::<NONCE_LEN>().ok_or(SealError::Malformed)?;
        if ciphertext.len() < TAG_BYTES {
            return Err(SealError::Malformed);
        }
        let cipher = self.cipher(id)?;
        let mut value = ciphertext.to_vec();
        let aad = Aad::from(associated(header, record_key));
        let length = cipher
            .open_in_place(Nonce::assume_unique_for_key(*nonce), aad, &mut value)
            .map_err(|_| SealError::Broken)?
            .len();
        value.truncate(length);
        Ok(value)
    }

    fn cipher(&self, id: KeyId) -> Result<&LessSafeKey, SealError> {
        self.keys.iter().find(|(known, _)| *known == id).map(|(_, cipher)| cipher).ok_or_else(|| SealError::WrongKey {
            sealed_with: hex(&id),
            given: self.keys.iter().map(|(id, _)| hex(id)).collect::<Vec<_>>().join(", "),
        })
    }
}

impl std::fmt::Debug for Sealer {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        write!(f, "Sealer({})", hex(&self.current))
    }
}

fn associated(header: &[u8], record_key: &[u8]) -> Vec<u8> {
    [header, record_key].concat()
}

#[expect(clippy::expect_used, reason = "a key has the cipher's length by its type")]
fn cipher(key: &Key) -> LessSafeKey {
    LessSafeKey::new(UnboundKey::new(&AES_256_GCM, key.bytes()).expect("32 bytes are an AES-256 key"))
}

fn mark(key: &Key) -> hmac::Key {
    let own = hmac::sign(&hmac::Key::new(hmac::HMAC_SHA256, key.bytes()), b"gridbell fingerprints");
    hmac::Key::new(hmac::HMAC_SHA256, own.as_ref())
}
