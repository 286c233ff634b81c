//! A corpus of hostile and broken artifacts: each meets a clear error with a stable code, in bounded time and memory, and the host decides beside it.

#![expect(clippy::unwrap_used, reason = "a test that cannot go on says so by panicking")]

mod corpus;
mod support;

use std::collections::BTreeSet;
use std::panic::{AssertUnwindSafe, catch_unwind};
use std::path::PathBuf;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::sync::mpsc::{Receiver, RecvTimeoutError, channel};
use std::time::Duration;

use corpus::{Artifact, Fate, corpus};
use gridbell_engine::{
    CompileLimits, CompilerCommand, Engine, EngineError, ErrorCode, EvalOptions, Plugin, Refusal, compile_in_child,
};
use gridbell_model::CHUNK_ROWS;
use nix::sys::resource::{Usage, UsageWho, getrusage};
use nix::sys::time::TimeValLike as _;
use support::{Guest, MEMORY, arrears, engine, run};

/// What a policy's compilation may take here. In production it is more, since a Python guest takes more.
const LIMITS: CompileLimits =
    CompileLimits { wall: Duration::from_secs(100), cpu: Duration::from_secs(12), memory_bytes: 1 << 30 };
/// Beyond its writable memory a process has its program's pages.
const PROGRAM_BYTES: i64 = 200 << 20;
/// Between two rounds of the plugin next door.
const REST: Duration = Duration::from_millis(20);
/// The kernel looks at CPU time once a tick, and a process needs some to begin and to end.
const CPU_SLACK: Duration = Duration::from_secs(2);
/// What this process may come to: the largest artifacts have 48 MiB, and there are few copies of one.
const HOST_BYTES: i64 = 700 << 20;

fn compiler() -> CompilerCommand {
    CompilerCommand { program: PathBuf::from(env!("CARGO_BIN_EXE_gridbell-compile")), args: Vec::new() }
}

fn usage(who: UsageWho) -> Usage {
    getrusage(who).unwrap()
}

fn cpu(usage: &Usage) -> Duration {
    Duration::from_micros(u64::try_from((usage.user_time() + usage.system_time()).num_microseconds()).unwrap())
}

/// The plugin next door: decides about the same customers again and again, and must be right each time.
fn neighbour(engine: &Engine, plugin: &Plugin, rounds: &AtomicUsize, over: &Receiver<()>) {
    let table = arrears(CHUNK_ROWS + 700);
    let expected: Vec<u32> = (0..table.0.len() as u32).filter(|i| i % 7 == 3).collect();
    // Decides and rests, by turns: it is there to be right beside the others, not to take their time.
    while over.recv_timeout(REST) == Err(RecvTimeoutError::Timeout) {
        let options = EvalOptions { threads: Some(1), ..EvalOptions::default() };
        let done = engine.evaluate(plugin, &run(), &table, &options).unwrap();
        assert!(done.decisions.iter().map(|d| d.row).eq(expected.iter().copied()), "the neighbour decides wrongly");
        rounds.fetch_add(1, Ordering::Relaxed);
    }
}

/// Why an upload was refused; none if it was not.
fn upload(engine: &Engine, artifact: &Artifact) -> Result<Plugin, EngineError> {
    let compiled = compile_in_child(&compiler(), &artifact.bytes(), MEMORY, LIMITS)?;
    Ok(engine.adopt(&compiled).unwrap_or_else(|e| panic!("`{}` was accepted and cannot be loaded: {e}", artifact.name)))
}

/// What became of it, in the words of [`Fate`]; and what was said.
fn fate(engine: &Engine, artifact: &Artifact) -> (Fate, String) {
    let plugin = match upload(engine, artifact) {
        Ok(plugin) => plugin,
        Err(EngineError::Refused(refusal)) => {
            let fate = match refusal {
                Refusal::ManifestCall { cause: Some(cause), .. } => Fate::FailsAtOnce(cause),
                _ => Fate::Refused(refusal.code()),
            };
            return (fate, refusal.to_string());
        }
        Err(e) => return (Fate::Refused(e.code()), e.to_string()),
    };
    let options = EvalOptions { use_interest: true, threads: Some(1), ..EvalOptions::default() };
    let passed = |_| panic!("`{}` passed for a good plugin", artifact.name);
    // All rows at once first, then through its interest: an interest that leaves everybody out would hide what `decide` does.
    let everyone = EvalOptions { use_interest: false, ..options.clone() };
    let table = arrears(2 * CHUNK_ROWS);
    let error = [everyone, options]
        .iter()
        .find_map(|options| engine.evaluate(&plugin, &run(), &table, options).err())
        .unwrap_or_else(|| passed(()));
    (Fate::FailsAtWork(error.code()), error.to_string())
}

#[test]
fn every_artifact_meets_its_code_within_bounds_and_the_host_decides_beside_it() {
    let engine = engine();
    let good = Guest::default().load(&engine);
    let (rounds, (end, over)) = (AtomicUsize::new(0), channel());
    let only = std::env::var("GRIDBELL_CORPUS").unwrap_or_default();
    let mut wrong = Vec::new();
    std::thread::scope(|scope| {
        let (engine, good, rounds) = (&engine, &good, &rounds);
        let beside = scope.spawn(move || neighbour(engine, good, rounds, &over));
        // Its end ends the neighbour too, whatever happens here.
        let end = end;
        for artifact in corpus().iter().filter(|a| a.name.contains(&only)) {
            let before = usage(UsageWho::RUSAGE_CHILDREN);
            let Ok((met, said)) = catch_unwind(AssertUnwindSafe(|| fate(engine, artifact))) else {
                wrong.push(format!("`{}` felled the host or was taken", artifact.name));
                continue;
            };
            let after = usage(UsageWho::RUSAGE_CHILDREN);
            let (took, rss) = (cpu(&after).saturating_sub(cpu(&before)), after.max_rss() * 1024);
            let name = artifact.name;
            if met != artifact.fate {
                wrong.push(format!("`{name}` should be {:?} and is {met:?}: {said}", artifact.fate));
            }
            if took > LIMITS.cpu + CPU_SLACK || rss > LIMITS.memory_bytes as i64 + PROGRAM_BYTES {
                wrong.push(format!("`{name}` took {took:?} of CPU, and up to it a child had {rss} bytes"));
            }
            if said.len() < 40 || said.len() > 1200 || said.chars().any(char::is_control) {
                wrong.push(format!("`{name}`: what is said is no sentence: {said}"));
            }
            println!("{name}: {met:?}, {} ms: {said}", took.as_millis());
        }
        drop(end);
        beside.join().unwrap();
    });
    assert!(wrong.is_empty(), "{}", wrong.join("\n"));
    assert!(rounds.into_inner() > 0, "the neighbour never decided");
    let host = usage(UsageWho::RUSAGE_SELF).max_rss() * 1024;
    assert!(host < HOST_BYTES, "the host came to {host} bytes");
}

#[test]
fn the_corpus_is_large_and_tries_every_code_of_an_upload_and_of_a_guest() {
    let all = corpus();
    let names: BTreeSet<&str> = all.iter().map(|a| a.name).collect();
    assert_eq!(names.len(), all.len(), "each has a name of its own");
    assert!(all.len() >= 60, "{}", all.len());
    let tried: BTreeSet<ErrorCode> = all
        .iter()
        .map(|a| match a.fate {
            Fate::Refused(code) | Fate::FailsAtOnce(code) | Fate::FailsAtWork(code) => code,
        })
        .collect();
    let untried: Vec<&str> = ErrorCode::ALL
        .iter()
        .filter(|c| (c.word().starts_with("upload.") || c.word().starts_with("guest.")) && !tried.contains(c))
        .map(|c| c.word())
        .collect();
    // What the family stands for itself; what only a run with fuel or `explain` meets, which hostile.rs tries; what no input is known for.
    assert_eq!(untried, ["upload.not-compilable", "upload.manifest-call", "guest.out-of-fuel", "guest.explain-length"]);
}
