//! The store of plugins and the compiler's process: what is kept is what was uploaded, and nothing else is ever loaded.

#![expect(clippy::unwrap_used, reason = "a test that cannot go on says so by panicking")]

mod support;

use std::fs;
use std::os::unix::fs::PermissionsExt as _;
use std::path::{Path, PathBuf};
use std::time::Duration;

use gridbell_engine::{
    ArtifactStore, CompileFailure, CompileLimits, CompilerCommand, Digest, EngineError, EvalOptions, Refusal, compile,
    compile_in_child,
};
use support::{Guest, MEMORY, arrears, engine, run};

fn compiler() -> CompilerCommand {
    CompilerCommand { program: PathBuf::from(env!("CARGO_BIN_EXE_gridbell-compile")), args: Vec::new() }
}

fn shell(script: &str) -> CompilerCommand {
    CompilerCommand { program: PathBuf::from("/bin/sh"), args: vec!["-c".to_owned(), script.to_owned()] }
}

fn failure(command: &CompilerCommand, upload: &[u8], limits: CompileLimits) -> CompileFailure {
    match compile_in_child(command, upload, MEMORY, limits) {
        Err(EngineError::Compiler { failure }) => failure,
        other => panic!("{other:?}"),
    }
}

fn files(dir: &Path, ending: &str) -> Vec<PathBuf> {
    let mut files: Vec<PathBuf> = fs::read_dir(dir).unwrap().map(|e| e.unwrap().path()).collect();
    files.retain(|f| f.to_str().unwrap().ends_with(ending));
    files
}

#[test]
fn an_upload_is_compiled_in_a_child_kept_and_run() {
    let dir = tempfile::tempdir().unwrap();
    let store = ArtifactStore::open(dir.path().join("plugins")).unwrap();
    let upload = Guest::default().bytes();
    let stored = store.add(&upload, &compiler(), MEMORY, CompileLimits::default()).unwrap();
    assert_eq!((stored.digest, stored.manifest.name()), (Digest::of(&upload), "hand-made"));
    assert_eq!(store.list().unwrap(), [stored.digest]);
    assert_eq!(store.upload(stored.digest).unwrap(), upload);
    let mode = |path: &Path| fs::metadata(path).unwrap().permissions().mode() & 0o777;
    assert_eq!(mode(&dir.path().join("plugins")), 0o700);
    assert!(files(&dir.path().join("plugins"), "").iter().all(|f| mode(f) == 0o600));

    // Another start of the host: another engine, the same store.
    let (engine, store) = (engine(), ArtifactStore::open(dir.path().join("plugins")).unwrap());
    let plugin = engine.load(&store, stored.digest).unwrap();
    assert_eq!(plugin.label(), "hand-made 1.0.0");
    let options = EvalOptions { fuel: Some(1_000_000), ..EvalOptions::default() };
    assert_eq!(engine.evaluate(&plugin, &run(), &arrears(700), &options).unwrap().decisions.len(), 100);
}

#[test]
fn a_child_and_this_process_make_the_same_code() {
    let upload = Guest::default().bytes();
    let engine = engine();
    for compiled in [compile(&upload, MEMORY), compile_in_child(&compiler(), &upload, MEMORY, CompileLimits::default())]
    {
        let plugin = engine.adopt(&compiled.unwrap()).unwrap();
        assert_eq!(
            engine.evaluate(&plugin, &run(), &arrears(70), &EvalOptions::default()).unwrap().decisions.len(),
            10
        );
    }
}

#[test]
fn whatever_was_tampered_with_is_refused_and_can_be_rebuilt() {
    let dir = tempfile::tempdir().unwrap();
    let store = ArtifactStore::open(dir.path()).unwrap();
    let (upload, engine) = (Guest::default().bytes(), engine());
    let digest = store.put(&upload, &compile(&upload, MEMORY).unwrap()).unwrap().digest;
    let code = files(dir.path(), ".cwasm");
    assert_eq!(code.len(), 2, "with fuel and without");
    for file in &code {
        let good = fs::read(file).unwrap();
        let mut bad = good.clone();
        let middle = bad.len() / 2;
        bad[middle] ^= 1;
        for bytes in [&bad[..], &good[..middle], &[]] {
            fs::write(file, bytes).unwrap();
            assert!(matches!(engine.load(&store, digest), Err(EngineError::Damaged { .. })));
        }
        fs::remove_file(file).unwrap();
        assert!(matches!(engine.load(&store, digest), Err(EngineError::Damaged { .. })));
        store.rebuild(digest, &compiler(), MEMORY, CompileLimits::default()).unwrap();
        assert!(engine.load(&store, digest).is_ok());
    }
    let record = dir.path().join(format!("{digest}.json"));
    let text = fs::read_to_string(&record).unwrap();
    fs::write(&record, &text.as_bytes()[..text.len() / 2]).unwrap();
    assert!(matches!(engine.load(&store, digest), Err(EngineError::Damaged { .. })));
    let other_engine = text.replace(&engine.compatibility(gridbell_engine::Variant::Plain), "0123456789abcdef");
    fs::write(&record, other_engine).unwrap();
    assert!(matches!(engine.load(&store, digest), Err(EngineError::Stale { .. })));
    fs::write(dir.path().join(format!("{digest}.wasm")), b"\0asm").unwrap();
    let rebuilt = store.rebuild(digest, &compiler(), MEMORY, CompileLimits::default());
    assert!(matches!(rebuilt, Err(EngineError::Damaged { .. })), "the upload is checked too");
}

#[test]
fn a_store_that_others_may_write_is_refused() {
    let dir = tempfile::tempdir().unwrap();
    fs::set_permissions(dir.path(), fs::Permissions::from_mode(0o770)).unwrap();
    assert!(matches!(ArtifactStore::open(dir.path()), Err(EngineError::Exposed { mode: 0o770, .. })));
    let store = ArtifactStore::open(dir.path().join("own")).unwrap();
    assert!(matches!(engine().load(&store, Digest::of(b"none")), Err(EngineError::Unknown { .. })));
}

#[test]
fn a_refusal_comes_back_from_the_child_in_full() {
    let refused = compile_in_child(&compiler(), b"\0asm\x09\0\0\0", MEMORY, CompileLimits::default());
    assert!(matches!(refused, Err(EngineError::Refused(Refusal::Invalid { .. }))), "{refused:?}");
    let guest = Guest { imports: r#"(import "env" "now" (func))"#.to_owned(), ..Guest::default() };
    let refused = compile_in_child(&compiler(), &guest.bytes(), MEMORY, CompileLimits::default());
    assert!(matches!(refused, Err(EngineError::Refused(Refusal::Imports { import, .. })) if import == "env.now"));
}

#[test]
fn a_child_over_its_time_is_killed() {
    // The guest loops while it starts: the child would give up by itself after two seconds.
    let guest = Guest { more: "(func $start (loop $again (br $again))) (start $start)".to_owned(), ..Guest::default() };
    let wall = Duration::from_millis(400);
    let limits = CompileLimits { wall, ..CompileLimits::default() };
    assert_eq!(failure(&compiler(), &guest.bytes(), limits), CompileFailure::TimedOut { seconds: 0 });
    assert_eq!(failure(&shell("exec sleep 600"), b"\0asm", limits), CompileFailure::TimedOut { seconds: 0 });
}

#[test]
fn a_child_over_its_memory_or_processor_time_ends_and_is_reported() {
    let upload = Guest::default().bytes();
    let starved = CompileLimits { memory_bytes: 1 << 20, ..CompileLimits::default() };
    let how = compile_in_child(&compiler(), &upload, MEMORY, starved);
    assert!(matches!(how, Err(EngineError::Compiler { .. } | EngineError::Setup { .. })), "{how:?}");
    let busy = failure(&shell("ulimit -t 1; while :; do :; done"), &upload, CompileLimits::default());
    assert!(matches!(busy, CompileFailure::Signalled { .. }), "{busy:?}");
}

#[test]
fn a_child_that_talks_nonsense_is_not_believed() {
    let limits = CompileLimits::default();
    let say = |script: &str| failure(&shell(script), b"\0asm", limits);
    assert!(matches!(say("echo hello"), CompileFailure::BadAnswer { .. }));
    assert_eq!(say("echo 'no `room`' >&2; exit 3"), CompileFailure::Exited { code: 3, stderr: "no 'room'".to_owned() });
    let nobody = CompilerCommand { program: PathBuf::from("/nonexistent/compiler"), args: Vec::new() };
    assert!(matches!(compile_in_child(&nobody, b"", MEMORY, limits), Err(EngineError::Spawn { .. })));
    let other =
        format!(r#"{{"answer":"compiled","digest":"{}","manifest":"{{}}","artifacts":[]}}"#, Digest::of(b"else"));
    assert!(matches!(say(&format!("echo '{other}'")), CompileFailure::BadAnswer { .. }));
}
