//! Measures an evaluation of arrears-reminder: as a plugin, as native Rust over the same columns, over a province, and with its interest.
//!
//! `cargo run --release -p gridbell-engine --example evaluate -- [--plugin FILE] [--customers N] [--rounds N] [--json]`
//!
//! All variants are interleaved in one process and the medians printed, so that a busy machine disturbs them alike. Single-threaded figures are CPU
//! time; those of the whole province are wall-clock time on all cores.

use std::error::Error;
use std::hint::black_box;
use std::time::Duration;

use gridbell_clock::{Clock, Seed};
use gridbell_contract::{Run, TriggerId, Workdays, column};
use gridbell_engine::{Engine, EngineConfig, EvalOptions, Plugin, compile};
use gridbell_model::{CHUNK_ROWS, CivilMinute, ColumnId, ColumnSlice, Date, Decision, PrefectureCode, Table};
use nix::sys::resource::{UsageWho, getrusage};
use nix::sys::time::TimeValLike as _;
use rand_core::RngCore as _;

/// Prepaid customers of one province (Jilin): the run that took hours.
const PROVINCE: usize = 12_840_000;
const IMPORTANT: u32 = 1 << 1;
const PREPAID: u32 = 1 << 2;

/// One chunk of the columns that the rule asks for.
struct Chunk {
    traits: Vec<u32>,
    arrears: Vec<i64>,
    late_fee_from: Vec<i32>,
    reminded_step: Vec<u8>,
}

/// Chunks in memory, as a state's snapshot has them; `rows` of them count.
struct Customers {
    chunks: Vec<Chunk>,
    rows: usize,
}

impl Customers {
    /// One in eight owes something; of those about half are in reach of a reminder, and some were reminded before.
    fn generate(rows: usize, today: Date, seed: Seed) -> Self {
        let mut rng = seed.stream("customers");
        let mut chunks = Vec::new();
        let mut left = rows;
        while left > 0 {
            let n = left.min(CHUNK_ROWS);
            let mut chunk = Chunk {
                traits: Vec::with_capacity(n),
                arrears: Vec::with_capacity(n),
                late_fee_from: Vec::with_capacity(n),
                reminded_step: Vec::with_capacity(n),
            };
            for _ in 0..n {
                let r = rng.next_u64();
                let important = if r.is_multiple_of(100) { IMPORTANT } else { 0 };
                let prepaid = if (r >> 8) % 10 < 3 { PREPAID } else { 0 };
                let owes = (r >> 16).is_multiple_of(8);
                chunk.traits.push(1 | important | prepaid);
                chunk.arrears.push(if owes { 20 + ((r >> 24) % 40_000) as i64 } else { 0 });
                chunk.late_fee_from.push(if owes { today.0 - 15 + ((r >> 40) % 40) as i32 } else { Date::NONE.0 });
                chunk.reminded_step.push(if owes { ((r >> 50) % 4) as u8 } else { 0 });
            }
            chunks.push(chunk);
            left -= n;
        }
        Self { chunks, rows }
    }

    /// The first `rows` of them.
    fn first(&self, rows: usize) -> First<'_> {
        First { customers: self, rows: rows.min(self.rows) }
    }
}

/// A part of the customers: whole chunks.
struct First<'a> {
    customers: &'a Customers,
    rows: usize,
}

impl Table for First<'_> {
    fn chunks(&self) -> usize {
        self.rows.div_ceil(CHUNK_ROWS)
    }
    fn rows(&self, chunk: usize) -> usize {
        self.customers.chunks.get(chunk).map_or(0, |c| c.traits.len())
    }
    fn column(&self, chunk: usize, id: ColumnId) -> Option<ColumnSlice<'_>> {
        let chunk = self.customers.chunks.get(chunk)?;
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
struct Native {
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
    fn new(today: Date) -> Self {
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
            if arrears <= 0 || due == Date::NONE.0 || arrears < self.minimum || traits & PREPAID != 0 {
                continue;
            }
            let important = traits & IMPORTANT != 0;
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

    fn evaluate(&self, table: &First<'_>) -> Vec<Decision> {
        let mut out = Vec::new();
        for (n, chunk) in table.customers.chunks.iter().take(table.chunks()).enumerate() {
            self.decide(chunk, (n * CHUNK_ROWS) as u32, &mut out);
        }
        out
    }
}

fn thread_cpu() -> Duration {
    getrusage(UsageWho::RUSAGE_THREAD).map_or(Duration::ZERO, |u| {
        Duration::from_micros((u.user_time() + u.system_time()).num_microseconds().unsigned_abs())
    })
}

fn median(mut values: Vec<f64>) -> f64 {
    values.sort_by(f64::total_cmp);
    values.get(values.len() / 2).copied().unwrap_or_default()
}

#[derive(Default)]
struct Samples {
    native_ns: Vec<f64>,
    plugin_ns: Vec<f64>,
    province_s: Vec<f64>,
    province_cpu_s: Vec<f64>,
    interest_s: Vec<f64>,
    interest_cpu_s: Vec<f64>,
    passed: f64,
    decided: f64,
}

fn measure(
    engine: &Engine,
    plugin: &Plugin,
    customers: &Customers,
    few: usize,
    rounds: usize,
) -> Result<Samples, Box<dyn Error>> {
    let today = Date::from_ymd(2026, 11, 21).ok_or("no such day")?;
    let run = Run {
        prefecture: PrefectureCode(140_100),
        now: today.at(9, 0),
        trigger: TriggerId(1),
        schedule: "daily".to_owned(),
        facts: Vec::new(),
        params: parameters(),
        workdays: Workdays::weekdays(today.plus_days(-60), 400)?,
    };
    let (part, all, native) = (customers.first(few), customers.first(customers.rows), Native::new(today));
    let one_thread = EvalOptions { threads: Some(1), ..EvalOptions::default() };
    let with_interest = EvalOptions { use_interest: true, ..EvalOptions::default() };
    let mut s = Samples::default();
    for round in 0..=rounds {
        let before = thread_cpu();
        let expected = black_box(native.evaluate(&part));
        let native_cpu = thread_cpu() - before;
        let plain = engine.evaluate(plugin, &run, &part, &one_thread)?;
        if plain.decisions != expected {
            return Err("the plugin and the native rule decide differently".into());
        }
        let province = engine.evaluate(plugin, &run, &all, &EvalOptions::default())?;
        let interested = engine.evaluate(plugin, &run, &all, &with_interest)?;
        if interested.decisions != province.decisions {
            return Err("the interest changes decisions".into());
        }
        if round == 0 {
            // Memory is touched for the first time.
            continue;
        }
        let per_row = |cpu: Duration| cpu.as_secs_f64() * 1e9 / part.rows as f64;
        s.native_ns.push(per_row(native_cpu));
        s.plugin_ns.push(per_row(plain.cpu));
        s.province_s.push(province.elapsed.as_secs_f64());
        s.province_cpu_s.push(province.cpu.as_secs_f64());
        s.interest_s.push(interested.elapsed.as_secs_f64());
        s.interest_cpu_s.push(interested.cpu.as_secs_f64());
        s.passed = interested.passed as f64 / interested.customers as f64;
        s.decided = province.decisions.len() as f64 / province.customers as f64;
    }
    Ok(s)
}

fn main() -> Result<(), Box<dyn Error>> {
    let (mut file, mut few, mut rounds, mut json) =
        ("plugins/prebuilt/arrears-reminder.wasm".to_owned(), 2_000_000, 9, false);
    let mut args = std::env::args().skip(1);
    while let Some(arg) = args.next() {
        let mut value = || args.next().ok_or(format!("`{arg}` needs a value"));
        match arg.as_str() {
            "--plugin" => file = value()?,
            "--customers" => few = value()?.parse()?,
            "--rounds" => rounds = value()?.parse()?,
            "--json" => json = true,
            _ => return Err(format!("`{arg}` is not an option").into()),
        }
    }
    let engine = Engine::new(EngineConfig::default(), Clock::system())?;
    let plugin = engine.adopt(&compile(&std::fs::read(&file)?, engine.config().guest_memory_bytes)?)?;
    let today = Date::from_ymd(2026, 11, 21).ok_or("no such day")?;
    let customers = Customers::generate(PROVINCE, today, Seed(20_261_121));
    let s = measure(&engine, &plugin, &customers, few, rounds)?;
    let (native, guest) = (median(s.native_ns), median(s.plugin_ns));
    let figures = [
        ("evaluate.ratio_to_native", guest / native),
        ("evaluate.customers_per_s_per_core", 1e9 / guest),
        ("evaluate.province_s", median(s.province_s)),
        ("evaluate.province_interest_s", median(s.interest_s)),
        ("evaluate.province_interest_share_passed", s.passed),
        ("evaluate.share_decided", s.decided),
        ("evaluate.native_ns_per_customer", native),
        ("evaluate.plugin_ns_per_customer", guest),
        ("evaluate.province_cpu_s", median(s.province_cpu_s)),
        ("evaluate.province_interest_cpu_s", median(s.interest_cpu_s)),
    ];
    if json {
        let object: serde_json::Map<_, _> = figures.iter().map(|(k, v)| ((*k).to_owned(), (*v).into())).collect();
        println!("{}", serde_json::Value::Object(object));
    } else {
        println!("{} on {} threads, medians of {rounds}", plugin.label(), engine.threads());
        figures.iter().for_each(|(key, value)| println!("{key:42} {value:>16.4}"));
    }
    Ok(())
}
