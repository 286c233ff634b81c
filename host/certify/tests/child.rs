//! The certifier's process: it comes to what this process comes to, and whatever happens to it is one clear error.

#![expect(clippy::unwrap_used, reason = "a test that cannot go on says so by panicking")]

mod support;

use std::path::{Path, PathBuf};
use std::time::Duration;

use gridbell_certify::{
    Budget, Cancel, CertifierCommand, CertifyError, CertifyRequest, Check, RealCustomers, Terms, certify_in_child,
};
use gridbell_clock::Seed;
use gridbell_contract::column;
use gridbell_engine::{ArtifactStore, Digest, EngineConfig, compile};
use gridbell_workshop::Rows;
use support::{Guest, MEMORY, certificate, terms};

fn certifier() -> CertifierCommand {
    CertifierCommand { program: PathBuf::from(env!("CARGO_BIN_EXE_gridbell-certify")), args: Vec::new() }
}

fn shell(script: &str) -> CertifierCommand {
    CertifierCommand { program: PathBuf::from("/bin/sh"), args: vec!["-c".to_owned(), script.to_owned()] }
}

/// A store with the upload of `guest` in it.
fn stored(dir: &Path, guest: &Guest) -> (Digest, Vec<u8>) {
    let upload = guest.bytes();
    let store = ArtifactStore::open(dir).unwrap();
    (store.put(&upload, &compile(&upload, MEMORY).unwrap()).unwrap().digest, upload)
}

fn request(dir: &Path, digest: Digest) -> CertifyRequest {
    CertifyRequest { artifacts: dir.to_owned(), digest, engine: EngineConfig::default(), terms: terms() }
}

fn error(command: &CertifierCommand, request: &CertifyRequest) -> CertifyError {
    certify_in_child(command, request, &mut |_| {}, &Cancel::default()).unwrap_err()
}

#[test]
fn a_process_of_its_own_comes_to_the_same_certificate() {
    let dir = tempfile::tempdir().unwrap();
    let (digest, upload) = stored(dir.path(), &Guest::default());
    let mut rows = Rows::new(&[column::ARREARS, column::LATE_FEE_FROM]);
    (0..9_000_i64).for_each(|n| rows.push(|id| if id == column::ARREARS { n } else { 20_700 + n % 90 }));
    let terms = Terms { real: Some(RealCustomers::draw(&rows, 4_500, Seed(3))), ..terms() };
    let mut seen = Vec::new();
    let request = CertifyRequest { terms: terms.clone(), ..request(dir.path(), digest) };
    let mut c = certify_in_child(&certifier(), &request, &mut |p| seen.push(p.check), &Cancel::default()).unwrap();
    assert!(c.passed, "{:#?}", c.failures);
    assert_eq!(seen, Check::ALL, "each check is told when it begins");
    assert_eq!(c.real, 4_500);
    let here = certificate(&upload, &terms);
    (c.batch_cost_us, c.batch_cpu_us) = (here.batch_cost_us, here.batch_cpu_us);
    assert_eq!(c, here);
    // What it costs is the plugin's cost from then on.
    let engine = support::engine();
    let plugin = engine.load(&ArtifactStore::open(dir.path()).unwrap(), digest).unwrap();
    assert_eq!(c.on(&plugin).cost(), c.batch_cost());
    let other =
        engine.adopt(&compile(&Guest { interest_days: Some(8), ..Guest::default() }.bytes(), MEMORY).unwrap()).unwrap();
    assert_eq!(c.on(&other).cost(), other.cost(), "another upload's certificate");
}

#[test]
fn a_relative_folder_is_the_callers() {
    let here = std::env::current_dir().unwrap();
    let dir = tempfile::tempdir_in(&here).unwrap();
    let (digest, _) = stored(dir.path(), &Guest::default());
    let relative = dir.path().strip_prefix(&here).unwrap();
    let found = certify_in_child(&certifier(), &request(relative, digest), &mut |_| {}, &Cancel::default()).unwrap();
    assert!(found.passed);
}

#[test]
fn a_fault_is_a_certificate_and_no_error() {
    let dir = tempfile::tempdir().unwrap();
    let (digest, _) = stored(dir.path(), &Guest { interest_days: Some(3), ..Guest::default() });
    let c = certify_in_child(&certifier(), &request(dir.path(), digest), &mut |_| {}, &Cancel::default()).unwrap();
    assert!(!c.passed);
    assert_eq!(c.failure().map(|f| f.check), Some(Check::Interest));
}

#[test]
fn a_plugin_that_is_not_there_is_said() {
    let dir = tempfile::tempdir().unwrap();
    let (digest, _) = stored(dir.path(), &Guest::default());
    let unknown = Digest::of(b"something else");
    let e = error(&certifier(), &request(dir.path(), unknown));
    assert!(matches!(&e, CertifyError::Failed { detail } if detail.contains("no plugin")), "{e}");
    // Code that was tampered with is not run.
    for file in std::fs::read_dir(dir.path()).unwrap() {
        let path = file.unwrap().path();
        if path.extension().is_some_and(|e| e == "cwasm") {
            let mut bytes = std::fs::read(&path).unwrap();
            let middle = bytes.len() / 2;
            bytes[middle] ^= 1;
            std::fs::write(&path, bytes).unwrap();
        }
    }
    let e = error(&certifier(), &request(dir.path(), digest));
    assert!(matches!(&e, CertifyError::Failed { detail } if detail.contains("another digest")), "{e}");
}

#[test]
fn a_process_that_does_not_end_is_killed_when_its_time_is_over_or_somebody_cancels() {
    let dir = tempfile::tempdir().unwrap();
    let (digest, _) = stored(dir.path(), &Guest::default());
    let mut request = request(dir.path(), digest);
    request.terms.budget.wall = Duration::from_millis(200);
    assert!(matches!(error(&shell("exec sleep 600"), &request), CertifyError::TimedOut { .. }));
    request.terms.budget.wall = Duration::from_secs(600);
    let cancel = Cancel::default();
    cancel.cancel();
    let e = certify_in_child(&shell("exec sleep 600"), &request, &mut |_| {}, &cancel).unwrap_err();
    assert!(matches!(e, CertifyError::Cancelled));
}

#[test]
fn cancelling_from_the_first_progress_ends_it() {
    let dir = tempfile::tempdir().unwrap();
    let (digest, _) = stored(dir.path(), &Guest::default());
    let cancel = Cancel::default();
    let other = cancel.clone();
    let mut heard = 0;
    let mut progress = |_| {
        heard += 1;
        other.cancel();
    };
    let e = certify_in_child(&certifier(), &request(dir.path(), digest), &mut progress, &cancel).unwrap_err();
    assert!(matches!(e, CertifyError::Cancelled));
    assert_eq!(heard, 1);
}

#[test]
fn whatever_else_happens_to_the_process_is_said() {
    let dir = tempfile::tempdir().unwrap();
    let (digest, _) = stored(dir.path(), &Guest::default());
    let request = request(dir.path(), digest);
    let e = error(&shell("echo out of luck >&2; exit 7"), &request);
    assert!(matches!(&e, CertifyError::Exited { code: 7, stderr } if stderr == "out of luck"), "{e}");
    let e = error(&shell("kill -SEGV $$"), &request);
    assert!(matches!(e, CertifyError::Signalled { signal: 11, .. }), "{e}");
    // What comes from outside is no fault of the plugin's; a limit that it met is, and is named.
    // (INT, HUP and QUIT are, too; but a shell that was started in the background or under nohup ignores them, and so do its children.)
    for (name, number) in [("KILL", 9), ("TERM", 15)] {
        let e = error(&shell(&format!("kill -{name} $$")), &request);
        assert!(matches!(e, CertifyError::Interrupted { signal } if signal == number), "{name}: {e}");
    }
    let e = error(&shell("ulimit -S -t 1; while :; do :; done"), &request);
    let limit = request.terms.budget.cpu.as_secs();
    assert!(matches!(e, CertifyError::OutOfCpu { seconds } if seconds == limit), "{e}");
    assert!(e.to_string().contains(&format!("{limit} s of CPU time")), "{e}");
    assert!(matches!(error(&shell("echo nonsense"), &request), CertifyError::BadAnswer { .. }));
    let nobody = CertifierCommand { program: PathBuf::from("/nonexistent/certifier"), args: Vec::new() };
    assert!(matches!(error(&nobody, &request), CertifyError::Spawn { .. }));
    // Not enough memory for the trial: the process ends, this one does not.
    let poor = Budget { memory_bytes: 4 << 20, ..Budget::default() };
    let poor = CertifyRequest { terms: Terms { budget: poor, ..request.terms.clone() }, ..request };
    let e = error(&certifier(), &poor);
    assert!(
        matches!(e, CertifyError::Signalled { .. } | CertifyError::Exited { .. } | CertifyError::Failed { .. }),
        "{e}"
    );
}
