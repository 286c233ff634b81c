//! Evaluation alone: arrears-reminder as a plugin, as native Rust over the same columns, over a whole province, and with its interest.
//!
//! All variants are interleaved in one process and the medians kept, so that a busy machine disturbs them alike. Figures of one thread are CPU
//! time; those of the province are wall-clock time on all cores.

use std::hint::black_box;
use std::time::Duration;

use gridbell_clock::{Clock, Seed, thread_cpu};
use gridbell_contract::{Run, TriggerId, Workdays, column};
use gridbell_engine::{Engine, EngineConfig, EvalOptions, Plugin, compile};
use gridbell_model::{CHUNK_ROWS, CivilMinute, ColumnId, ColumnSlice, Date, Decision, PrefectureCode, Table, Traits};
use rand_core::RngCore as _;

use super::figures::Report;
use super::{PROVINCE, SEED};
use crate::defaults;
use crate::error::CommandError;

/// Measured repetitions, after one that only touches the memory.
const ROUNDS: usize = 9;

/// One chunk of the columns that the rule asks for.
pub(super) struct Chunk {
    traits: Vec<u32>,
    arrears: Vec<i64>,
    late_fee_from: Vec<i32>,
    reminded_step: Vec<u8>,
}

/// Chunks in memory, as a state's snapshot has them: the first `rows` rows count, whole chunks.
pub(super) struct Customers<'a> {
    pub(super) chunks: &'a [Chunk],
    pub(super) rows: usize,
}

/// One in eight owes something; of those about half are in reach of a reminder, and some were reminded before.
pub(super) fn generate(rows: usize, today: Date) -> Vec<Chunk> {
    let mut rng = Seed(SEED).stream("bench/customers");
    let mut chunk_of = |n: usize| {
        let mut chunk = Chunk {
            traits: Vec::with_capacity(n),
            arrears: Vec::with_capacity(n),
            late_fee_from: Vec::with_capacity(n),
            reminded_step: Vec::with_capacity(n),
        };
        for _ in 0..n {
            let r = rng.next_u64();
            let important = if r.is_multiple_of(100) { Traits::IMPORTANT.0 } else { 0 };
            let prepaid = if (r >> 8) % 10 < 3 { Traits::PREPAID.0 } else { 0 };
            let owes = (r >> 16).is_multiple_of(8);
            chunk.traits.push(1 | important | prepaid);
            chunk.arrears.push(if owes { 20 + ((r >> 24) % 40_000) as i64 } else { 0 });
            chunk.late_fee_from.push(if owes { today.0 - 15 + ((r >> 40) % 40) as i32 } else { Date::NONE.0 });
            chunk.reminded_step.push(if owes { ((r >> 50) % 4) as u8 } else { 0 });
        }
        chunk
    };
    (0..rows).step_by(CHUNK_ROWS).map(|from| chunk_of(CHUNK_ROWS.min(rows - from))).collect()
}

impl Table for Customers<'_> {
    fn chunks(&self) -> usize {
        self.rows.div_ceil(CHUNK_ROWS).min(self.chunks.len())
    }
    fn rows(&self, chunk: usize) -> usize {
        self.chunks.get(chunk).map_or(0, |c| c.traits.len())
    }
    fn column(&self, chunk: usize, id: ColumnId) -> Option<ColumnSlice<'_>> {
        let chunk = self.chunks.get(chunk)?;
        match id {
            column::TRAITS => Some(ColumnSlice::U32(&chunk.traits)),
            column::ARREARS => Some(ColumnSlice::S64(&chunk.arrears)),
            column::LATE_FEE_FROM => Some(ColumnSlice::S32(&chunk.late_fee_from)),
            column::REMINDED_STEP => Some(ColumnSlice::U8(&chunk.reminded_step)),
            _ => None,
        }
    }
}

/// The rule of plugins/arrears-reminder in plain Rust, with the parameters of [`parameters`]: the same questions in the same order.
pub(super) struct Native {
    today: i32,
    minimum: i64,
    /// Up to which late-fee date each step is due.
    ordinary: [i32; 3],
    important: [i32; 3],
    overdue_every: i32,
    overdue_times: i32,
}

const REMINDER: u16 = 0;
const REMINDER_IMPORTANT: u16 = 1;
const OVERDUE: u16 = 2;
const DUE_SOON: u16 = 7;
const BECAUSE_OVERDUE: u16 = 10;

/// JSON for the plugin; [`Native::new`] holds the same figures.
fn parameters() -> String {
    r#"{"steps":[7,3,1],"counting":"calendar","minimum":100,"important_steps":[10,5,2],"prepaid_steps":[],"overdue_every":7,"overdue_times":1}"#
        .to_owned()
}

impl Native {
    pub(super) fn new(today: Date) -> Self {
        Self {
            today: today.0,
            minimum: 100,
            ordinary: [7, 3, 1].map(|d| today.0 + d),
            important: [10, 5, 2].map(|d| today.0 + d),
            overdue_every: 7,
            overdue_times: 1,
        }
    }

    fn decide(&self, chunk: &Chunk, first: u32, out: &mut Vec<Decision>) {
        let columns = chunk.traits.iter().zip(&chunk.arrears).zip(&chunk.late_fee_from).zip(&chunk.reminded_step);
        for (row, (((traits, arrears), due), said)) in (first..).zip(columns) {
            let (traits, arrears, due, said) = (*traits, *arrears, *due, i32::from(*said));
            if arrears <= 0 || due == Date::NONE.0 || arrears < self.minimum || traits & Traits::PREPAID.0 != 0 {
                continue;
            }
            let important = traits & Traits::IMPORTANT.0 != 0;
            let ladder = if important { &self.important } else { &self.ordinary };
            let (notice, step, reason, expires) = if due <= self.today {
                let round = (self.today - due) / self.overdue_every;
                if round >= self.overdue_times {
                    continue;
                }
                (OVERDUE, ladder.len() as i32 + 1 + round, BECAUSE_OVERDUE, due + (round + 1) * self.overdue_every)
            } else {
                let step = ladder.iter().map(|up_to| i32::from(due <= *up_to)).sum();
                (if important { REMINDER_IMPORTANT } else { REMINDER }, step, DUE_SOON, due)
            };
            if step == 0 || step <= said {
                continue;
            }
            out.push(Decision {
                row,
                notice,
                step: step as u8,
                reason,
                route: 0,
                arg0: arrears,
                arg1: i64::from(due),
                not_before: CivilMinute::NONE,
                expires: Date(expires).at(0, 0),
            });
        }
    }

    pub(super) fn evaluate(&self, table: &Customers<'_>) -> Vec<Decision> {
        let mut out = Vec::new();
        for (n, chunk) in table.chunks.iter().take(table.chunks()).enumerate() {
            self.decide(chunk, (n * CHUNK_ROWS) as u32, &mut out);
        }
        out
    }
}

/// A scheduled run on `today` with the parameters that [`Native`] holds too.
pub(super) fn run(today: Date) -> Result<Run, CommandError> {
    let workdays = Workdays::weekdays(today.plus_days(-60), 400).map_err(|e| CommandError::Failed(e.to_string()))?;
    Ok(Run {
        prefecture: PrefectureCode(140_100),
        now: today.at(9, 0),
        trigger: TriggerId(1),
        schedule: "daily".to_owned(),
        facts: Vec::new(),
        params: parameters(),
        workdays,
    })
}

/// Measures; blocks for some seconds.
pub(super) fn measure(customers: usize, today: Date, report: &mut Report) -> Result<(), CommandError> {
    let engine = Engine::new(EngineConfig::default(), Clock::system())?;
    let compiled = compile(defaults::PLUGINS[0], engine.config().guest_memory_bytes)?;
    let plugin = engine.adopt(&compiled)?;
    let run = run(today)?;
    let chunks = generate(PROVINCE as usize, today);
    let part = Customers { chunks: &chunks, rows: customers.min(PROVINCE as usize) };
    let all = Customers { chunks: &chunks, rows: PROVINCE as usize };
    rounds(&engine, &plugin, &run, &part, &all, &Native::new(today), report)?;
    report.note(format!(
        "evaluate: {} on {} threads, {} and {} customers in memory, a fresh instance for each batch, deadline and limits on, medians of {ROUNDS}",
        plugin.label(),
        engine.threads(),
        part.rows,
        all.rows,
    ));
    Ok(())
}

fn rounds(
    engine: &Engine,
    plugin: &Plugin,
    run: &Run,
    part: &Customers<'_>,
    all: &Customers<'_>,
    native: &Native,
    report: &mut Report,
) -> Result<(), CommandError> {
    let failed = |e: gridbell_engine::RunError| CommandError::Failed(e.to_string());
    let one_thread = EvalOptions { threads: Some(1), ..EvalOptions::default() };
    let with_interest = EvalOptions { use_interest: true, ..EvalOptions::default() };
    let (mut native_ns, mut plugin_ns, mut ratio) = (Vec::new(), Vec::new(), Vec::new());
    let (mut province, mut interest) = (Vec::new(), Vec::new());
    for round in 0..=ROUNDS {
        let before = thread_cpu();
        let expected = black_box(native.evaluate(part));
        let native_cpu = thread_cpu().saturating_sub(before);
        let plain = engine.evaluate(plugin, run, part, &one_thread).map_err(failed)?;
        let whole = engine.evaluate(plugin, run, all, &EvalOptions::default()).map_err(failed)?;
        let inside = engine.evaluate(plugin, run, all, &with_interest).map_err(failed)?;
        if plain.decisions != expected {
            return Err(CommandError::Found("the plugin and the native rule decide differently".to_owned()));
        }
        if inside.decisions != whole.decisions {
            return Err(CommandError::Found("the interest changes decisions".to_owned()));
        }
        if round == 0 {
            continue;
        }
        let per_row = |cpu: Duration| cpu.as_secs_f64() * 1e9 / plain.customers as f64;
        native_ns.push(per_row(native_cpu));
        plugin_ns.push(per_row(plain.cpu));
        ratio.push(per_row(plain.cpu) / per_row(native_cpu));
        province.push(whole.elapsed.as_secs_f64());
        interest.push(inside.elapsed.as_secs_f64());
        report.set("evaluate.province_interest_share_passed", inside.passed as f64 / inside.customers as f64);
        report.set("evaluate.share_decided", whole.decisions.len() as f64 / whole.customers as f64);
    }
    report.set_median("evaluate.ratio_to_native", &ratio);
    let per_s: Vec<f64> = plugin_ns.iter().map(|ns| 1e9 / ns).collect();
    report.set_median("evaluate.customers_per_s_per_core", &per_s);
    report.set_median("evaluate.native_ns_per_customer", &native_ns);
    report.set_median("evaluate.province_s", &province);
    report.set_median("evaluate.province_interest_s", &interest);
    Ok(())
}
