//! What other compiled languages cost: arrears-reminder in C and in Go, one thread, a fresh instance for each batch, against the Rust plugin over the
//! same customers in the same rounds.

use std::path::Path;

use gridbell_contract::Run;
use gridbell_engine::{Engine, EvalOptions, Plugin, compile};
use gridbell_model::Table;

use super::figures::Report;
use crate::defaults;
use crate::error::CommandError;

/// Measured repetitions, after one that only touches the memory.
const ROUNDS: usize = 9;
/// The guest in C comes with the house; Go's has its runtime in it, and `plugins/build-guests` makes it.
const C: &[u8] = include_bytes!("../../../../plugins/prebuilt/arrears-reminder-c.wasm");

/// Measures them over `table`; the one in Go, if it is in `folder`.
pub(super) fn measure(
    engine: &Engine,
    run: &Run,
    table: &dyn Table,
    folder: &Path,
    report: &mut Report,
) -> Result<(), CommandError> {
    let rust = engine.adopt(&compile(defaults::PLUGINS[0], engine.config().guest_memory_bytes)?)?;
    ratio(engine, &rust, C, run, table, "guests.c_ratio", report)?;
    let go = folder.join("arrears-reminder-go.wasm");
    if !go.is_file() {
        report.skip("guests.go_ratio", format!("there is no {}; `plugins/build-guests` makes it", go.display()));
        return Ok(());
    }
    let upload = std::fs::read(&go).map_err(CommandError::file("read", &go))?;
    ratio(engine, &rust, &upload, run, table, "guests.go_ratio", report)
}

fn ratio(
    engine: &Engine,
    rust: &Plugin,
    upload: &[u8],
    run: &Run,
    table: &dyn Table,
    key: &str,
    report: &mut Report,
) -> Result<(), CommandError> {
    let guest = engine.adopt(&compile(upload, engine.config().guest_memory_bytes)?)?;
    let failed = |e: gridbell_engine::RunError| CommandError::Failed(e.to_string());
    let one_thread = EvalOptions { threads: Some(1), ..EvalOptions::default() };
    let mut ratios = Vec::new();
    for round in 0..=ROUNDS {
        let reference = engine.evaluate(rust, run, table, &one_thread).map_err(failed)?;
        let measured = engine.evaluate(&guest, run, table, &one_thread).map_err(failed)?;
        if measured.decisions != reference.decisions {
            return Err(CommandError::Found(format!("{} decides otherwise than {}", guest.label(), rust.label())));
        }
        if round > 0 {
            ratios.push(measured.cpu.as_secs_f64() / reference.cpu.as_secs_f64().max(f64::EPSILON));
        }
    }
    report.set_median(key, &ratios);
    Ok(())
}
