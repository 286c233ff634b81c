//! The figures of the grid: how quickly its files are in and durable, and how quickly a line says whom it takes along.

use std::path::Path;
use std::sync::Arc;
use std::time::Duration;

use gridbell_clock::{Clock, Seed};
use gridbell_model::Date;
use gridbell_simulators::province::{CsvKind, Province};
use gridbell_state::State;
use gridbell_topology::Scope;

use super::SEED;
use super::figures::{Report, median};
use super::rig::{Scratch, WHO, close};
use crate::config::Config;
use crate::defaults;
use crate::error::CommandError;
use crate::import::{ImportKind, Target};
use crate::open;

/// Lines that are asked for one after another, from all over the province.
const LINES: usize = 400;

/// The files of the grid, in the order in which each needs the one before.
pub(crate) const FILES: [(CsvKind, ImportKind, &str); 5] = [
    (CsvKind::Substations, ImportKind::Substations, "substations.csv"),
    (CsvKind::Lines, ImportKind::Lines, "lines.csv"),
    (CsvKind::Sections, ImportKind::Sections, "sections.csv"),
    (CsvKind::Transformers, ImportKind::Transformers, "transformers.csv"),
    (CsvKind::Supply, ImportKind::Supply, "supply.csv"),
];

/// Measures them over a province of `customers`.
pub(super) async fn measure(
    customers: u64,
    today: Date,
    scratch: &Scratch,
    report: &mut Report,
    say: &dyn Fn(String),
) -> Result<(), CommandError> {
    say(format!("  generating the grid of {customers} customers"));
    let (province, dir) = (Province::new(Seed(SEED), customers, today), scratch.0.join("topology"));
    let clock = Clock::starting_at(today.at(10, 0).moment());
    std::fs::create_dir_all(&dir).map_err(CommandError::file("create", &dir))?;
    let (state, ..) = open::open_state(&Config::of_data(dir.join("data")), &clock)?;
    state.set_org(province.org_tree(), Vec::new()).await?;
    let segments =
        gridbell_intake::read_segments(defaults::SEGMENTS.1).map_err(|e| CommandError::Failed(e.to_string()))?;
    let target = Target { state: &state, clock: &clock, segments: Arc::new(segments), who: WHO, show_progress: false };
    take(&province, &target, &dir, (CsvKind::Customers, ImportKind::Customers, "customers.csv")).await?;
    let (mut rows, mut took) = (0, Duration::ZERO);
    for file in FILES {
        say(format!("  importing {}", file.2));
        let (its, time) = take(&province, &target, &dir, file).await?;
        report.set(&format!("topology.{}_per_s", file.2.trim_end_matches(".csv")), its as f64 / time.as_secs_f64());
        (rows, took) = (rows + its, took + time);
    }
    report.set("topology.import_rows_per_s", rows as f64 / took.as_secs_f64());
    report.set("topology.supply_bytes_per_customer", state.supply_bytes() as f64 / customers as f64);
    affected(&state, &clock, report)?;
    close(state).await?;
    std::fs::remove_dir_all(&dir).map_err(CommandError::file("remove", &dir))?;
    report.note(format!(
        "topology: a grid of {customers} customers from CSV, rows of all five files; {LINES} lines asked one after another, medians"
    ));
    Ok(())
}

/// Writes a file and imports it: its rows, and how long the import took.
async fn take(
    province: &Province,
    target: &Target<'_>,
    dir: &Path,
    (csv, kind, name): (CsvKind, ImportKind, &str),
) -> Result<(u64, Duration), CommandError> {
    let path = dir.join(name);
    let file = std::fs::File::create(&path).map_err(CommandError::file("create", &path))?;
    let mut out = std::io::BufWriter::with_capacity(1 << 20, file);
    province.write_csv(csv, None, &mut out).map_err(CommandError::file("write", &path))?;
    std::io::Write::flush(&mut out).map_err(CommandError::file("write", &path))?;
    drop(out);
    let (rejects, began) = (dir.join(format!("{name}.rejects.csv")), target.clock.monotonic());
    let report = target.import(kind, &path, &target.options(), &rejects).await?;
    let took = target.clock.monotonic() - began;
    if report.rejected > 0 {
        let text = format!("{} rows of {name} were rejected: see {}", report.rejected, rejects.display());
        return Err(CommandError::Found(text));
    }
    std::fs::remove_file(&path).map_err(CommandError::file("remove", &path))?;
    Ok((report.rows, took))
}

/// From a line's code to the rows of everybody on it.
fn affected(state: &State, clock: &Clock, report: &mut Report) -> Result<(), CommandError> {
    let grid = state.grid();
    let codes: Vec<_> = grid.lines().map(|(_, line)| line.code.clone()).collect();
    let step = (codes.len() / LINES).max(1);
    let (mut times, mut most) = (Vec::new(), 0);
    for code in codes.iter().step_by(step) {
        let began = clock.monotonic();
        let grid = state.grid();
        let dead = grid.dead(&Scope { lines: vec![code.clone()], ..Scope::default() }, clock.now());
        let fed = state.fed_by(&dead);
        times.push((clock.monotonic() - began).as_secs_f64() * 1e3);
        most = most.max(fed.values().map(Vec::len).sum::<usize>());
    }
    report.set("outage.affected_customers", most as f64);
    report.set("outage.affected_ms_max", times.iter().copied().fold(0.0, f64::max));
    if let Some(middle) = median(&times) {
        report.set("outage.affected_ms", middle);
    }
    Ok(())
}
