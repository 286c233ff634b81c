//! The guests that bring an interpreter along: arrears-reminder in JavaScript, TypeScript and Python, each held to the native rule; and those that are
//! compiled, with [`compiled`].
//!
//! Their components are too large to be part of the program: `plugins/build-guests` makes them, and a component that is not there is skipped
//! with a note that says so.

use std::path::Path;

use gridbell_clock::Clock;
use gridbell_engine::{Engine, EngineConfig, EvalOptions, compile};
use gridbell_model::{CHUNK_ROWS, Date};

use super::evaluate::{self, Customers, Native};
use super::figures::Report;
use super::{PROVINCE, compiled};
use crate::error::CommandError;

/// Measured repetitions, after one that only touches the memory: they are slow, and a median needs few.
const ROUNDS: usize = 3;
/// Customers of a round without interest: enough batches for an average, few enough for a guest at a microsecond each.
const CUSTOMERS: usize = 64 * CHUNK_ROWS;
/// Languages, as they are in the components' names and in the figures' keys.
const LANGUAGES: [&str; 3] = ["js", "ts", "python"];

/// Measures what is in `folder`; blocks for some seconds, longer for a compiler that is given 18 MB.
pub(super) fn measure(folder: &Path, today: Date, report: &mut Report) -> Result<(), CommandError> {
    let components = LANGUAGES.map(|language| (language, folder.join(format!("arrears-reminder-{language}.wasm"))));
    let (there, missing): (Vec<_>, Vec<_>) = components.into_iter().partition(|(_, path)| path.is_file());
    for (_, path) in missing {
        report.note(format!("guests: skipped: there is no {}; `plugins/build-guests` makes it", path.display()));
    }
    let engine = Engine::new(EngineConfig::default(), Clock::system())?;
    let chunks = evaluate::generate(if there.is_empty() { CUSTOMERS } else { PROVINCE as usize }, today);
    let part = Customers { chunks: &chunks, rows: CUSTOMERS };
    compiled::measure(&engine, &evaluate::run(today)?, &part, folder, report)?;
    if there.is_empty() {
        return Ok(());
    }
    let all = Customers { chunks: &chunks, rows: PROVINCE as usize };
    let native = Native::new(today);
    for (language, path) in there {
        let upload = std::fs::read(&path).map_err(CommandError::file("read", &path))?;
        rounds(&engine, &upload, &part, &all, &native, today, language, report)?;
    }
    report.note(format!(
        "guests: {CUSTOMERS} customers on one thread without interest, {PROVINCE} on {} threads with it, a fresh instance for each batch, \
         medians of {ROUNDS}",
        engine.threads()
    ));
    Ok(())
}

#[expect(clippy::too_many_arguments, reason = "what is measured, on what, against what, and where it is put")]
fn rounds(
    engine: &Engine,
    upload: &[u8],
    part: &Customers<'_>,
    all: &Customers<'_>,
    native: &Native,
    today: Date,
    language: &str,
    report: &mut Report,
) -> Result<(), CommandError> {
    let compiled = compile(upload, engine.config().guest_memory_bytes)?;
    let plugin = engine.adopt(&compiled)?;
    let run = evaluate::run(today)?;
    let failed = |e: gridbell_engine::RunError| CommandError::Failed(e.to_string());
    let one_thread = EvalOptions { threads: Some(1), ..EvalOptions::default() };
    let with_interest = EvalOptions { use_interest: true, ..EvalOptions::default() };
    let (expected, all_expected) = (native.evaluate(part), native.evaluate(all));
    let (mut per_s, mut province) = (Vec::new(), Vec::new());
    for round in 0..=ROUNDS {
        let plain = engine.evaluate(&plugin, &run, part, &one_thread).map_err(failed)?;
        let inside = engine.evaluate(&plugin, &run, all, &with_interest).map_err(failed)?;
        if plain.decisions != expected || inside.decisions != all_expected {
            let text = format!("{} and the native rule decide differently", plugin.label());
            return Err(CommandError::Found(text));
        }
        if round > 0 {
            per_s.push(plain.customers as f64 / plain.cpu.as_secs_f64());
            province.push(inside.elapsed.as_secs_f64());
        }
    }
    report.set_median(&format!("guests.{language}_customers_per_s"), &per_s);
    report.set_median(&format!("guests.province_s.{language}"), &province);
    Ok(())
}
