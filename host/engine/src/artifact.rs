//! Where plugins are kept: the upload as it came under its SHA-256, its precompiled code, and a record that says what belongs together. Only the host
//! writes here, and nothing read from here is trusted before its digest was checked: precompiled code runs as the host itself.

use std::fmt;
use std::fs::{self, DirBuilder, File, OpenOptions, Permissions};
use std::io::{self, Read as _, Write as _};
use std::os::unix::fs::{DirBuilderExt as _, OpenOptionsExt as _, PermissionsExt as _};
use std::path::{Path, PathBuf};
use std::str::FromStr;
use std::sync::atomic::{AtomicU64, Ordering};

use gridbell_contract::Manifest;
use serde::{Deserialize, Serialize};
use sha2::{Digest as _, Sha256};

use crate::compile::{Compiled, Variant};
use crate::error::EngineError;
use crate::limits::{MAX_ARTIFACT_BYTES, MAX_UPLOAD_BYTES};

/// Format of a record. A record of another one is stale.
const FORMAT: u32 = 1;
/// Largest record: a manifest and a few lines.
const MAX_RECORD_BYTES: usize = 4 << 20;

/// A SHA-256, written as 64 lower-case hex digits.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct Digest([u8; 32]);

impl Digest {
    /// The digest of `bytes`.
    #[must_use]
    pub fn of(bytes: &[u8]) -> Self {
        Self(Sha256::digest(bytes).into())
    }

    /// Its 32 bytes.
    #[must_use]
    pub fn as_bytes(&self) -> &[u8; 32] {
        &self.0
    }
}

impl fmt::Display for Digest {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let hex: String = self.0.iter().map(|b| format!("{b:02x}")).collect();
        f.pad(&hex)
    }
}

impl fmt::Debug for Digest {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{self}")
    }
}

/// Not 64 hex digits.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
#[error("a digest is 64 hex digits")]
pub struct NotADigest;

impl FromStr for Digest {
    type Err = NotADigest;

    fn from_str(s: &str) -> Result<Self, NotADigest> {
        let mut bytes = [0; 32];
        if s.len() != 64 || !s.bytes().all(|b| b.is_ascii_hexdigit()) {
            return Err(NotADigest);
        }
        for (byte, pair) in bytes.iter_mut().zip(s.as_bytes().chunks(2)) {
            let text = std::str::from_utf8(pair).map_err(|_| NotADigest)?;
            *byte = u8::from_str_radix(text, 16).map_err(|_| NotADigest)?;
        }
        Ok(Self(bytes))
    }
}

impl Serialize for Digest {
    fn serialize<S: serde::Serializer>(&self, s: S) -> Result<S::Ok, S::Error> {
        s.collect_str(self)
    }
}

impl<'de> Deserialize<'de> for Digest {
    fn deserialize<D: serde::Deserializer<'de>>(d: D) -> Result<Self, D::Error> {
        String::deserialize(d)?.parse().map_err(serde::de::Error::custom)
    }
}

/// What is stored about a plugin.
#[derive(Debug, Clone, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
struct Record {
    format: u32,
    digest: Digest,
    manifest: String,
    artifacts: Vec<StoredArtifact>,
}

#[derive(Debug, Clone, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
struct StoredArtifact {
    variant: Variant,
    compatibility: String,
    sha256: Digest,
}

/// A plugin in the store.
#[derive(Debug, Clone)]
pub struct StoredPlugin {
    /// SHA-256 of the upload.
    pub digest: Digest,
    /// What it says of itself.
    pub manifest: Manifest,
}

/// The directory of plugins.
#[derive(Debug, Clone)]
pub struct ArtifactStore {
    dir: PathBuf,
}

impl ArtifactStore {
    /// Opens `dir`, making it if it is not there.
    ///
    /// # Errors
    /// [`EngineError::Exposed`] if others may write there, [`EngineError::Io`] if it cannot be made.
    pub fn open(dir: impl Into<PathBuf>) -> Result<Self, EngineError> {
        let dir = dir.into();
        let failed = |action| {
            let path = dir.clone();
            move |source| EngineError::Io { action, path, source }
        };
        DirBuilder::new().recursive(true).mode(0o700).create(&dir).map_err(failed("made"))?;
        let mode = fs::metadata(&dir).map_err(failed("read"))?.permissions().mode();
        if mode & 0o022 != 0 {
            return Err(EngineError::Exposed { path: dir, mode: mode & 0o777 });
        }
        fs::set_permissions(&dir, Permissions::from_mode(0o700)).map_err(failed("closed to others"))?;
        Ok(Self { dir })
    }

    /// Keeps `upload` before anything came of it: [`ArtifactStore::rebuild`] compiles it later, also after a crash.
    ///
    /// # Errors
    /// [`crate::Refusal::TooLarge`], or [`EngineError::Io`] if it cannot be written.
    pub fn keep(&self, upload: &[u8]) -> Result<Digest, EngineError> {
        if upload.len() > MAX_UPLOAD_BYTES {
            return Err(crate::Refusal::TooLarge { bytes: upload.len(), limit: MAX_UPLOAD_BYTES }.into());
        }
        let digest = Digest::of(upload);
        self.write(&self.upload_path(digest), upload)?;
        Ok(digest)
    }

    /// Drops an upload that was refused or given up. One that was compiled stays: runs that it decided name it.
    ///
    /// # Errors
    /// [`EngineError::Io`] if it cannot be removed.
    pub fn discard(&self, digest: Digest) -> Result<(), EngineError> {
        let path = self.upload_path(digest);
        if self.record_path(digest).exists() {
            return Ok(());
        }
        match fs::remove_file(&path) {
            Err(source) if source.kind() != io::ErrorKind::NotFound => {
                Err(EngineError::Io { action: "removed", path, source })
            }
            _ => Ok(()),
        }
    }

    /// Keeps what came of `upload`. The record is written last: without it there is no plugin, so a crash leaves nothing half stored.
    ///
    /// # Errors
    /// [`EngineError::Io`] if it cannot be written; then the plugin is not stored.
    pub fn put(&self, upload: &[u8], compiled: &Compiled) -> Result<StoredPlugin, EngineError> {
        let digest = compiled.digest;
        if Digest::of(upload) != digest {
            return Err(EngineError::Damaged { digest, detail: "it is not what was compiled".to_owned() });
        }
        self.write(&self.upload_path(digest), upload)?;
        let mut artifacts = Vec::new();
        for a in &compiled.artifacts {
            self.write(&self.artifact_path(digest, a.variant, &a.compatibility), &a.bytes)?;
            let (variant, compatibility) = (a.variant, a.compatibility.clone());
            artifacts.push(StoredArtifact { variant, compatibility, sha256: Digest::of(&a.bytes) });
        }
        let record = Record { format: FORMAT, digest, manifest: compiled.manifest_json.clone(), artifacts };
        let json = serde_json::to_vec_pretty(&record)
            .map_err(|e| EngineError::Damaged { digest, detail: format!("its record cannot be written: {e}") })?;
        self.write(&self.record_path(digest), &json)?;
        Ok(StoredPlugin { digest, manifest: compiled.manifest.clone() })
    }

    /// What is stored under `digest`.
    ///
    /// # Errors
    /// [`EngineError::Unknown`], or [`EngineError::Damaged`] if its record cannot be read.
    pub fn get(&self, digest: Digest) -> Result<StoredPlugin, EngineError> {
        let record = self.record(digest)?;
        let manifest = Manifest::parse(&record.manifest)
            .map_err(|e| EngineError::Damaged { digest, detail: format!("its manifest: {e}") })?;
        Ok(StoredPlugin { digest, manifest })
    }

    /// The upload as it came.
    ///
    /// # Errors
    /// [`EngineError::Unknown`], or [`EngineError::Damaged`] if it is not what was uploaded.
    pub fn upload(&self, digest: Digest) -> Result<Vec<u8>, EngineError> {
        let bytes = self.read(digest, &self.upload_path(digest), MAX_UPLOAD_BYTES)?;
        if Digest::of(&bytes) != digest {
            return Err(EngineError::Damaged { digest, detail: "the upload has another digest".to_owned() });
        }
        Ok(bytes)
    }

    /// All plugins, by digest.
    ///
    /// # Errors
    /// [`EngineError::Io`] if the directory cannot be read.
    pub fn list(&self) -> Result<Vec<Digest>, EngineError> {
        let failed = |source| EngineError::Io { action: "read", path: self.dir.clone(), source };
        let mut digests = Vec::new();
        for entry in fs::read_dir(&self.dir).map_err(failed)? {
            let name = entry.map_err(failed)?.file_name();
            digests.extend(name.to_str().and_then(|n| n.strip_suffix(".json")).and_then(|n| n.parse::<Digest>().ok()));
        }
        digests.sort_unstable();
        Ok(digests)
    }

    /// Precompiled code, its digest checked.
    pub(crate) fn artifact(
        &self,
        digest: Digest,
        variant: Variant,
        compatibility: &str,
    ) -> Result<Vec<u8>, EngineError> {
        let record = self.record(digest)?;
        let stored = record
            .artifacts
            .iter()
            .find(|a| a.variant == variant && a.compatibility == compatibility)
            .ok_or(EngineError::Stale { digest })?;
        let path = self.artifact_path(digest, variant, compatibility);
        let damaged =
            |detail: &str| EngineError::Damaged { digest, detail: format!("{} code {detail}", variant.word()) };
        let bytes = match self.read(digest, &path, MAX_ARTIFACT_BYTES) {
            Err(EngineError::Unknown { .. }) => return Err(damaged("is missing")),
            read => read?,
        };
        // The very bytes that are checked are those that are loaded: nothing can change in between.
        if Digest::of(&bytes) == stored.sha256 {
            Ok(bytes)
        } else {
            Err(damaged("has another digest than was recorded"))
        }
    }

    fn record(&self, digest: Digest) -> Result<Record, EngineError> {
        let json = self.read(digest, &self.record_path(digest), MAX_RECORD_BYTES)?;
        let damaged = |detail: String| EngineError::Damaged { digest, detail };
        let record: Record = serde_json::from_slice(&json).map_err(|e| damaged(format!("its record: {e}")))?;
        if record.format != FORMAT {
            return Err(EngineError::Stale { digest });
        }
        if record.digest != digest {
            return Err(damaged("its record is another plugin's".to_owned()));
        }
        Ok(record)
    }

    fn upload_path(&self, digest: Digest) -> PathBuf {
        self.dir.join(format!("{digest}.wasm"))
    }

    fn record_path(&self, digest: Digest) -> PathBuf {
        self.dir.join(format!("{digest}.json"))
    }

    fn artifact_path(&self, digest: Digest, variant: Variant, compatibility: &str) -> PathBuf {
        // Only the engine's own names come here; a record is compared with them before a path is made.
        self.dir.join(format!("{digest}.{}.{compatibility}.cwasm", variant.word()))
    }

    fn read(&self, digest: Digest, path: &Path, limit: usize) -> Result<Vec<u8>, EngineError> {
        let read = || {
            let mut bytes = Vec::new();
            File::open(path)?.take(limit as u64 + 1).read_to_end(&mut bytes)?;
            Ok::<_, io::Error>(bytes)
        };
        match read() {
            Ok(bytes) if bytes.len() > limit => {
                Err(EngineError::Damaged { digest, detail: format!("`{}` is too large", path.display()) })
            }
            Ok(bytes) => Ok(bytes),
            Err(e) if e.kind() == io::ErrorKind::NotFound => Err(EngineError::Unknown { digest }),
            Err(source) => Err(EngineError::Io { action: "read", path: path.to_owned(), source }),
        }
    }

    /// Writes beside, makes it durable, then renames: `path` is always whole, before or after.
    fn write(&self, path: &Path, bytes: &[u8]) -> Result<(), EngineError> {
        static NUMBER: AtomicU64 = AtomicU64::new(0);
        let number = NUMBER.fetch_add(1, Ordering::Relaxed);
        let beside = self.dir.join(format!(".{}-{number}.tmp", std::process::id()));
        let write = || {
            // A file of a crashed process with our number may lie here.
            let _ = fs::remove_file(&beside);
            let mut file = OpenOptions::new().write(true).create_new(true).mode(0o600).open(&beside)?;
            file.write_all(bytes)?;
            file.sync_all()?;
            fs::rename(&beside, path)?;
            File::open(&self.dir)?.sync_all()
        };
        write().map_err(|source| {
            let _ = fs::remove_file(&beside);
            EngineError::Io { action: "written", path: path.to_owned(), source }
        })
    }
}
