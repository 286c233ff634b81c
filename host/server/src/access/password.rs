//! Passwords: argon2id, checked on threads of their own so that a burst of log-ins neither blocks the runtime nor fills the memory.

use std::sync::Arc;

use argon2::password_hash::{PasswordHash, PasswordHasher, PasswordVerifier, SaltString};
use argon2::{Algorithm, Argon2, Params, Version};
use ring::rand::{SecureRandom, SystemRandom};
use tokio::sync::Semaphore;

use crate::problem::{Code, Problem};

/// Memory of one hash, in KiB; with [`PASSES`] the first choice of OWASP's password storage cheat sheet for argon2id.
const MEMORY_KIB: u32 = 19 * 1024;
/// Passes over it.
const PASSES: u32 = 2;
/// Hashes at the same time: bounds the memory that log-ins take to twice [`MEMORY_KIB`].
const AT_ONCE: usize = 2;

#[derive(Clone)]
pub(crate) struct Passwords {
    slots: Arc<Semaphore>,
    /// Checked when there is no such user, so that the time tells nothing.
    decoy: Arc<str>,
}

fn argon() -> Argon2<'static> {
    // The parameters are constants within argon2's bounds; its own defaults are the same.
    let params = Params::new(MEMORY_KIB, PASSES, 1, None).unwrap_or_default();
    Argon2::new(Algorithm::Argon2id, Version::V0x13, params)
}

fn hash_now(password: &str) -> Result<String, Problem> {
    let mut salt = [0; 16];
    SystemRandom::new()
        .fill(&mut salt)
        .map_err(|_| Problem::because(Code::Unavailable, "the system gives no random bytes; try again"))?;
    let salt = SaltString::encode_b64(&salt).map_err(|e| Problem::internal(&e))?;
    let hash = argon().hash_password(password.as_bytes(), &salt).map_err(|e| Problem::internal(&e))?;
    Ok(hash.to_string())
}

impl Passwords {
    pub(crate) fn new() -> Result<Self, Problem> {
        Ok(Self { slots: Arc::new(Semaphore::new(AT_ONCE)), decoy: hash_now("no such user")?.into() })
    }

    /// The hash of `password`, as a PHC string.
    pub(crate) async fn hash(&self, password: String) -> Result<String, Problem> {
        self.off_runtime(move || hash_now(&password)).await?
    }

    /// Whether `password` fits `hash`; takes as long when there is no hash.
    pub(crate) async fn verify(&self, password: String, hash: Option<String>) -> Result<bool, Problem> {
        let decoy = Arc::clone(&self.decoy);
        self.off_runtime(move || {
            let known = hash.is_some();
            let text = hash.as_deref().unwrap_or(&decoy);
            let parsed = PasswordHash::new(text).map_err(|e| Problem::internal(&e))?;
            Ok(argon().verify_password(password.as_bytes(), &parsed).is_ok() && known)
        })
        .await?
    }

    async fn off_runtime<T: Send + 'static>(&self, work: impl FnOnce() -> T + Send + 'static) -> Result<T, Problem> {
        let _slot = self.slots.acquire().await.map_err(|e| Problem::internal(&e))?;
        tokio::task::spawn_blocking(work).await.map_err(|e| Problem::internal(&e))
    }
}
