//! Directories that vanish with their test, and conditions that come true by themselves.

use std::time::Duration;

use tempfile::TempDir;

use crate::PATIENCE;

/// Between two looks of [`eventually`].
const PAUSE: Duration = Duration::from_millis(20);

/// An empty directory, removed when dropped. Put a data directory or an export in it.
///
/// # Panics
///
/// When the system has no room for it.
pub fn scratch() -> TempDir {
    tempfile::Builder::new().prefix("gridbell-test-").tempdir().expect("a scratch directory can be made")
}

/// Asks until there is an answer, for what the product does on its own and only its API tells: a message delivered, a run ended.
///
/// Prefer a line that the product prints ([`crate::Process::wait_for`]) where there is one. `what` completes "waited in vain for …".
///
/// # Panics
///
/// When nothing came within [`PATIENCE`].
pub fn eventually<T>(what: &str, mut look: impl FnMut() -> Option<T>) -> T {
    for _ in 0..PATIENCE.as_millis() / PAUSE.as_millis() {
        if let Some(found) = look() {
            return found;
        }
        std::thread::sleep(PAUSE);
    }
    panic!("waited in vain for {what}");
}
