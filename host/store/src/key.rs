//! Where the key for sealing comes from: a file or an environment variable. Never shows the key, and wipes it from memory.

use std::fs::{self, File};
use std::io::{self, Read, Write};
use std::os::unix::fs::{OpenOptionsExt, PermissionsExt};
use std::path::Path;

use ring::digest::{SHA256, digest};
use ring::rand::{SecureRandom, SystemRandom};
use zeroize::{Zeroize, Zeroizing};

use crate::error::{KeyError, hex};

/// Length of a key: AES-256.
pub const KEY_BYTES: usize = 32;

/// Permissions of a key file that is made here: its owner only.
pub const KEY_FILE_MODE: u32 = 0o600;

/// Longest key file that is read: a key in hex with some white space.
const MAX_KEY_FILE_BYTES: u64 = 1024;

/// What tells keys apart, without telling anything about them: the first bytes of a digest. Stored with every sealed value.
pub type KeyId = [u8; 4];

/// A key for sealing. Wiped from memory when dropped.
pub struct Key([u8; KEY_BYTES]);

/// Where [`Key::load_or_create`] found the key.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum KeyOrigin {
    /// In the file.
    Existing,
    /// Nowhere: it was made, and the operator must be told to keep a copy apart from the data.
    Created,
}

impl Key {
    /// A key from 64 hex digits or 44 characters of base64, white space around it ignored. `origin` names the source in the error.
    ///
    /// # Errors
    /// [`KeyError::Malformed`], which does not repeat the text.
    pub fn parse(text: &str, origin: &str) -> Result<Self, KeyError> {
        let text = text.trim();
        let bytes = match text.len() {
            64 => from_hex(text.as_bytes()),
            44 => from_base64(text.as_bytes()),
            _ => None,
        };
        bytes.map(|bytes| Self(*bytes)).ok_or_else(|| KeyError::Malformed { origin: origin.to_owned() })
    }

    /// The key in the environment variable `name`.
    ///
    /// # Errors
    /// [`KeyError::NotSet`] or [`KeyError::Malformed`].
    pub fn from_env(name: &str) -> Result<Self, KeyError> {
        let text = std::env::var(name).map(Zeroizing::new).map_err(|_| KeyError::NotSet { name: name.to_owned() })?;
        Self::parse(&text, &format!("the environment variable `{name}`"))
    }

    /// The key in the file at `path`.
    ///
    /// # Errors
    /// [`KeyError::File`], [`KeyError::FileTooOpen`] when every user may read or change it, or [`KeyError::Malformed`].
    pub fn from_file(path: &Path) -> Result<Self, KeyError> {
        let failed = |source| KeyError::File { path: path.to_owned(), source };
        let file = File::open(path).map_err(failed)?;
        let mode = file.metadata().map_err(failed)?.permissions().mode() & 0o777;
        if mode & 0o007 != 0 {
            return Err(KeyError::FileTooOpen { path: path.to_owned(), mode });
        }
        let mut text = Zeroizing::new(String::new());
        file.take(MAX_KEY_FILE_BYTES).read_to_string(&mut text).map_err(failed)?;
        Self::parse(&text, &format!("the key file `{}`", path.display()))
    }

    /// The key in the file at `path`; when there is no such file a new key is made, durably and for its owner only. What was sealed with it
    /// cannot be read without it: a caller that is told [`KeyOrigin::Created`] says so.
    ///
    /// # Errors
    /// As [`Key::from_file`], and [`KeyError::Entropy`].
    pub fn load_or_create(path: &Path) -> Result<(Self, KeyOrigin), KeyError> {
        match Self::from_file(path) {
            Err(KeyError::File { source, .. }) if source.kind() == io::ErrorKind::NotFound => {}
            loaded => return loaded.map(|key| (key, KeyOrigin::Existing)),
        }
        let key = Self::generate()?;
        match key.write_new(path) {
            // Another process was quicker: its key is the one.
            Err(e) if e.kind() == io::ErrorKind::AlreadyExists => Ok((Self::from_file(path)?, KeyOrigin::Existing)),
            Err(source) => Err(KeyError::File { path: path.to_owned(), source }),
            Ok(()) => Ok((key, KeyOrigin::Created)),
        }
    }

    /// A new key from the system's entropy.
    ///
    /// # Errors
    /// [`KeyError::Entropy`].
    pub fn generate() -> Result<Self, KeyError> {
        let mut key = Self([0; KEY_BYTES]);
        SystemRandom::new().fill(&mut key.0).map_err(|_| KeyError::Entropy)?;
        Ok(key)
    }

    /// Writes the file under another name first, so that nobody ever reads half a key.
    fn write_new(&self, path: &Path) -> io::Result<()> {
        let mut name = path.file_name().ok_or(io::ErrorKind::InvalidInput)?.to_owned();
        name.push(format!(".{}.new", std::process::id()));
        let unfinished = path.with_file_name(name);
        let written = (|| {
            let mut file = File::options().write(true).create_new(true).mode(KEY_FILE_MODE).open(&unfinished)?;
            let mut text = Zeroizing::new(hex(&self.0));
            text.push('\n');
            file.write_all(text.as_bytes())?;
            file.sync_all()?;
            // Unlike a rename, a link never replaces a key that is there.
            fs::hard_link(&unfinished, path)
        })();
        let _ = fs::remove_file(&unfinished);
        written?;
        match path.parent().filter(|p| !p.as_os_str().is_empty()) {
            Some(parent) => File::open(parent)?.sync_all(),
            None => File::open(".")?.sync_all(),
        }
    }

    /// What tells this key from others.
    #[must_use]
    pub fn id(&self) -> KeyId {
        let mut labelled = Zeroizing::new(b"gridbell key id: ".to_vec());
        labelled.extend_from_slice(&self.0);
        let digest = digest(&SHA256, &labelled);
        let mut id = KeyId::default();
        id.copy_from_slice(&digest.as_ref()[..4]);
        id
    }

    pub(crate) fn bytes(&self) -> &[u8; KEY_BYTES] {
        &self.0
    }
}

impl Drop for Key {
    fn drop(&mut self) {
        self.0.zeroize();
    }
}

impl std::fmt::Debug for Key {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        write!(f, "Key({})", hex(&self.id()))
    }
}

fn from_hex(text: &[u8]) -> Option<Zeroizing<[u8; KEY_BYTES]>> {
    let mut key = Zeroizing::new([0; KEY_BYTES]);
    for (byte, pair) in key.iter_mut().zip(text.chunks_exact(2)) {
        let digit = |c: u8| char::from(c).to_digit(16).and_then(|d| u8::try_from(d).ok());
        *byte = digit(pair[0])? << 4 | digit(pair[1])?;
    }
    Some(key)
}

/// 32 bytes are 43 characters and one `=`; the last character carries four bits and two zeroes.
fn from_base64(text: &[u8]) -> Option<Zeroizing<[u8; KEY_BYTES]>> {
    let (digits, padding) = text.split_at_checked(43)?;
    let mut key = Zeroizing::new([0; KEY_BYTES]);
    let (mut bits, mut held, mut bytes) = (0_u32, 0, key.iter_mut());
    for &c in digits {
        let value = match c {
            b'A'..=b'Z' => c - b'A',
            b'a'..=b'z' => c - b'a' + 26,
            b'0'..=b'9' => c - b'0' + 52,
            b'+' | b'-' => 62,
            b'/' | b'_' => 63,
            _ => return None,
        };
        (bits, held) = ((bits << 6 | u32::from(value)) & 0x3fff, held + 6);
        if held >= 8 {
            held -= 8;
            *bytes.next()? = u8::try_from(bits >> held & 0xff).ok()?;
        }
    }
    (padding == b"=" && bits & 0b11 == 0).then_some(key)
}
