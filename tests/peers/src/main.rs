//! The arrears reminder in CEL, Rego and GoRules, and as our plugin: the same customers, the same run, the same state of the machine, one core.
//!
//! Everybody is set up once, outside the clock: rule compiled, parameters in it, and each in the form that was quickest. Then the candidates take turns, round by round, and for each round the time for a customer is compared with
//! ours; the medians are printed. Time is CPU time of the thread. What a peer is told of a customer is made from the host's columns within its
//! time, as passing the columns is within ours. Before anything is timed each peer must give our decisions on its sample, field for field.
//!
//! It must never be linked into the product: it is a workspace of its own.

mod cel;
mod customers;
mod rego;
mod rule;
mod zen;

use std::hint::black_box;
use std::process::ExitCode;

use gridbell_clock::{Clock, thread_cpu};
use gridbell_contract::{Run, TriggerId, Workdays};
use gridbell_engine::{Engine, EngineConfig, EvalOptions, Evaluation, Plugin, compile};
use gridbell_model::{Date, PrefectureCode};
use serde_json::{Map, Value, json};

use crate::cel::Cel;
use crate::customers::Customers;
use crate::rego::Rego;
use crate::zen::Zen;

#[global_allocator]
static ALLOCATOR: mimalloc::MiMalloc = mimalloc::MiMalloc;

/// What went wrong.
type Failed = Box<dyn std::error::Error>;

const HELP: &str = "\
Decides about the same customers by the arrears reminder as a plugin and by the same rule in CEL, Rego and GoRules, all on one core, and
says how many times our CPU time each of them takes. Fails if one of them decides differently.

Usage: gridbell-peers [--json]

      --json  one JSON object instead of the table
  -h, --help  this text

peers.NAME_ratio                our plugin decides about every customer, as the peer does; must be 100 or more
peers.NAME_ratio_with_interest  our plugin as a run of the host has it: only those inside its `interest` are passed to it

Takes some seconds. Build it with --release, and run it on a machine that does nothing else.
";

/// The plugin, as it is delivered.
const PLUGIN: &[u8] = include_bytes!("../../../plugins/prebuilt/arrears-reminder.wasm");
/// Customers that our plugin decides about in each round.
const CUSTOMERS: usize = 1_000_000;
/// Of those, how many a peer decides about in each round: a fraction of a second for each.
const SAMPLE: usize = 40_000;
/// Customers that a peer which takes many at once takes at once: as many as our plugin.
const BATCH: usize = 4096;
/// Rounds that count, after one that only warms up.
const ROUNDS: usize = 9;
/// What each ratio must be at least.
const MUST: f64 = 100.0;

/// The policy's parameters, the same for everybody.
struct Parameters {
    steps: &'static [i64],
    important_steps: &'static [i64],
    prepaid_steps: &'static [i64],
    minimum: i64,
    overdue_every: i64,
    overdue_times: i64,
}

const PARAMETERS: Parameters = Parameters {
    steps: &[7, 3, 1],
    important_steps: &[10, 5, 2],
    prepaid_steps: &[],
    minimum: 100,
    overdue_every: 7,
    overdue_times: 1,
};

/// A decision, as far as the rule makes it: the route is the same for all, and nothing is sent before a time.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
struct Decided {
    row: usize,
    /// Notice, step, reason, amount, due date, date of expiry.
    fields: [i64; 6],
}

impl Decided {
    fn of(row: usize, fields: [i64; 6]) -> Self {
        Self { row, fields }
    }
}

/// Somebody who can decide by the rule.
trait Peer {
    /// Its name in the figures.
    fn name(&self) -> &'static str;

    /// Decides about the first `rows` customers.
    fn decide(&mut self, customers: &Customers, rows: usize, out: &mut Vec<Decided>) -> Result<(), Failed>;
}

fn main() -> ExitCode {
    let arguments: Vec<String> = std::env::args().skip(1).collect();
    let json = match arguments.as_slice() {
        [] => false,
        [only] if only == "--json" => true,
        [only] if only == "--help" || only == "-h" => {
            print!("{HELP}");
            return ExitCode::SUCCESS;
        }
        _ => {
            eprint!("gridbell-peers: the command line cannot be\n\n{HELP}");
            return ExitCode::from(2);
        }
    };
    match measure() {
        Ok(figures) if json => println!("{figures}"),
        Ok(figures) => print_table(&figures),
        Err(e) => {
            eprintln!("gridbell-peers: {e}");
            return ExitCode::FAILURE;
        }
    }
    ExitCode::SUCCESS
}

fn ours() -> Result<(Engine, Plugin), Failed> {
    let engine = Engine::new(EngineConfig::default(), Clock::system())?;
    let plugin = engine.adopt(&compile(PLUGIN, engine.config().guest_memory_bytes)?)?;
    Ok((engine, plugin))
}

fn run(today: Date) -> Result<Run, Failed> {
    let p = PARAMETERS;
    let params = json!({
        "steps": p.steps, "counting": "calendar", "minimum": p.minimum, "important_steps": p.important_steps,
        "prepaid_steps": p.prepaid_steps, "overdue_every": p.overdue_every, "overdue_times": p.overdue_times,
    });
    Ok(Run {
        prefecture: PrefectureCode(140_100),
        now: today.at(9, 0),
        trigger: TriggerId(1),
        schedule: "daily".to_owned(),
        facts: Vec::new(),
        params: params.to_string(),
        workdays: Workdays::weekdays(today.plus_days(-60), 400)?,
    })
}

/// Our decisions about the first `rows`, as the peers write them.
fn decided(evaluation: &Evaluation, rows: usize) -> Vec<Decided> {
    let inside = evaluation.decisions.iter().filter(|d| (d.row as usize) < rows);
    inside
        .map(|d| {
            let (notice, step, reason) = (i64::from(d.notice), i64::from(d.step), i64::from(d.reason));
            Decided::of(d.row as usize, [notice, step, reason, d.arg0, d.arg1, i64::from(d.expires.date().0)])
        })
        .collect()
}

fn measure() -> Result<Value, Failed> {
    let today = Date::from_ymd(2026, 11, 21).ok_or("21 November 2026 is a day")?;
    let customers = Customers::generate(CUSTOMERS, today);
    let ((engine, plugin), run) = (ours()?, run(today)?);
    let mut peers: Vec<Box<dyn Peer>> =
        vec![Box::new(Cel::new(today)?), Box::new(Rego::new(today)?), Box::new(Zen::new(today)?)];
    let one_core = EvalOptions { threads: Some(1), ..EvalOptions::default() };
    let with_interest = EvalOptions { use_interest: true, ..one_core.clone() };
    let expected = decided(&engine.evaluate(&plugin, &run, &customers, &one_core)?, SAMPLE);
    for peer in &mut peers {
        let mut out = Vec::new();
        peer.decide(&customers, SAMPLE, &mut out).map_err(|e| format!("{}: {e}", peer.name()))?;
        if let Some(n) = (0..expected.len().max(out.len())).find(|&n| expected.get(n) != out.get(n)) {
            let (name, ours, theirs) = (peer.name(), expected.get(n), out.get(n));
            return Err(format!("{name} decides differently: {theirs:?} where the plugin has {ours:?}").into());
        }
    }
    let (mut own, mut own_inside) = (Vec::new(), Vec::new());
    let [mut theirs, mut ratios, mut inside] = [const { Vec::new() }; 3].map(|none: Vec<Vec<f64>>| {
        let mut for_each = none;
        for_each.resize(peers.len(), Vec::new());
        for_each
    });
    for round in 0..=ROUNDS {
        let done = engine.evaluate(&plugin, &run, &customers, &one_core)?;
        let filtered = engine.evaluate(&plugin, &run, &customers, &with_interest)?;
        if filtered.decisions != done.decisions {
            return Err("the interest changes decisions".into());
        }
        let [ours_ns, inside_ns] = [&done, &filtered].map(|e| e.cpu.as_secs_f64() * 1e9 / e.customers as f64);
        for (n, peer) in peers.iter_mut().enumerate() {
            let mut out = Vec::with_capacity(expected.len());
            let before = thread_cpu();
            peer.decide(&customers, SAMPLE, &mut out)?;
            let ns = thread_cpu().saturating_sub(before).as_secs_f64() * 1e9 / SAMPLE as f64;
            black_box(out);
            if round > 0 {
                theirs[n].push(ns);
                ratios[n].push(ns / ours_ns);
                inside[n].push(ns / inside_ns);
            }
        }
        if round > 0 {
            own.push(ours_ns);
            own_inside.push(inside_ns);
        }
    }
    let mut figures = Map::new();
    for (n, peer) in peers.iter().enumerate() {
        figures.insert(format!("peers.{}_ratio", peer.name()), median(&mut ratios[n]).into());
        figures.insert(format!("peers.{}_ratio_with_interest", peer.name()), median(&mut inside[n]).into());
        figures.insert(format!("peers.{}_ns_per_customer", peer.name()), median(&mut theirs[n]).into());
    }
    figures.insert("peers.ours_ns_per_customer".to_owned(), median(&mut own).into());
    figures.insert("peers.ours_with_interest_ns_per_customer".to_owned(), median(&mut own_inside).into());
    let note = format!(
        "{} on one thread, a fresh instance for each batch, deadline and limits on; {CUSTOMERS} customers, of whom peers decide \
         about {SAMPLE}, {} decisions, the same by all; CPU time, medians of {ROUNDS} rounds, all taking turns",
        plugin.label(),
        expected.len(),
    );
    figures.insert("notes".to_owned(), json!([note]));
    Ok(Value::Object(figures))
}

fn median(samples: &mut [f64]) -> f64 {
    samples.sort_by(f64::total_cmp);
    samples.get(samples.len() / 2).copied().unwrap_or_default()
}

fn print_table(figures: &Value) {
    println!("| figure | value | must | met? |\n|---|---:|---:|---|");
    for (key, value) in figures.as_object().into_iter().flatten() {
        let Some(value) = value.as_f64() else { continue };
        if key.ends_with("_ratio") {
            let met = if value >= MUST { "must" } else { "MISSED" };
            println!("| {key} | {value:.0} | {MUST:.0} | {met} |");
        } else {
            println!("| {key} | {value:.1} | | |");
        }
    }
    for note in figures["notes"].as_array().into_iter().flatten().filter_map(Value::as_str) {
        println!("\n· {note}");
    }
}
