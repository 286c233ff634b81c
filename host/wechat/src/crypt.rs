//! AES mode of callbacks: AES-256-CBC under the EncodingAESKey, initial vector its first 16 octets, PKCS#7 to blocks of 32.
//!
//! Inside: 16 random octets, the text's length as 4 octets big-endian, the text, the appid. The mode has no authentication of its own; the
//! signature over the ciphertext is verified first, by [`Door`](crate::Door).

use std::fmt;

use aes::Aes256;
use aes::cipher::block_padding::NoPadding;
use aes::cipher::{BlockDecryptMut, BlockEncryptMut, KeyIvInit};
use base64::Engine as _;
use base64::alphabet;
use base64::engine::general_purpose::STANDARD;
use base64::engine::{DecodePaddingMode, GeneralPurpose, GeneralPurposeConfig};

use crate::error::Error;

/// PKCS#7 is to this many octets, though AES has 16.
const BLOCK: usize = 32;
/// Octets before the text: random ones and the length.
const HEAD: usize = 20;

/// 43 characters are 258 bits: the last two are whatever the console drew.
const KEY_TEXT: GeneralPurpose = GeneralPurpose::new(
    &alphabet::STANDARD,
    GeneralPurposeConfig::new()
        .with_decode_padding_mode(DecodePaddingMode::RequireNone)
        .with_decode_allow_trailing_bits(true),
);

/// The console's EncodingAESKey.
#[derive(Clone)]
pub struct AesKey([u8; 32]);

impl fmt::Debug for AesKey {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("AesKey(***)")
    }
}

impl AesKey {
    /// Reads the 43 characters.
    ///
    /// # Errors
    /// [`Error::Field`] where they are not.
    pub fn read(text: &str) -> Result<Self, Error> {
        let key = if text.len() == 43 { KEY_TEXT.decode(text).ok() } else { None };
        let key = key.and_then(|key| <[u8; 32]>::try_from(key).ok());
        key.map(Self).ok_or(Error::Field { field: "EncodingAESKey", why: "is not 43 letters, digits, `+` and `/`" })
    }

    fn iv(&self) -> &[u8] {
        &self.0[..16]
    }

    /// The base64 of `text` for `appid`.
    pub(crate) fn encrypt(&self, text: &str, appid: &str, random: [u8; 16]) -> Result<String, Error> {
        let too_long = Error::Field { field: "Encrypt", why: "is too long" };
        let length = u32::try_from(text.len()).map_err(|_| too_long.clone())?;
        let mut plain = [&random[..], &length.to_be_bytes(), text.as_bytes(), appid.as_bytes()].concat();
        let padding = BLOCK - plain.len() % BLOCK;
        plain.resize(plain.len() + padding, u8::try_from(padding).unwrap_or(32));
        let length = plain.len();
        let cipher = cbc::Encryptor::<Aes256>::new_from_slices(&self.0, self.iv()).map_err(|_| too_long.clone())?;
        cipher.encrypt_padded_mut::<NoPadding>(&mut plain, length).map_err(|_| too_long)?;
        Ok(STANDARD.encode(plain))
    }

    /// The text in a base64 ciphertext for `appid`.
    pub(crate) fn decrypt(&self, text: &str, appid: &str) -> Result<String, Error> {
        let refused = |why| Error::Refused { why };
        let mut octets = STANDARD.decode(text.trim()).map_err(|_| refused("its ciphertext is not base64"))?;
        let cipher = cbc::Decryptor::<Aes256>::new_from_slices(&self.0, self.iv());
        let cipher = cipher.map_err(|_| refused("its ciphertext cannot be read"))?;
        let plain = cipher.decrypt_padded_mut::<NoPadding>(&mut octets);
        let plain = plain.map_err(|_| refused("its ciphertext is not whole blocks"))?;
        let (inside, after) = open(plain).ok_or_else(|| refused("the EncodingAESKey does not fit it"))?;
        if after != appid.as_bytes() {
            return Err(refused("it is for another appid"));
        }
        String::from_utf8(inside.to_vec()).map_err(|_| refused("the EncodingAESKey does not fit it"))
    }
}

/// The text and the appid of a decrypted block.
fn open(plain: &[u8]) -> Option<(&[u8], &[u8])> {
    let padding = *plain.last()?;
    let content = plain.len().checked_sub(usize::from(padding))?;
    let padded = (1..=32).contains(&padding) && plain[content..].iter().all(|octet| *octet == padding);
    let head = plain[..content].get(..HEAD).filter(|_| padded)?;
    let length = u32::from_be_bytes(head[16..].try_into().ok()?);
    plain[HEAD..content].split_at_checked(usize::try_from(length).ok()?)
}
