//! `arrears-reminder` in every language: over one year of days and the same 100 000 customers, each guest decides what the rule in plain Rust below
//! decides, on the production engine.
//!
//! The guests in Rust and C are those of `plugins/prebuilt`. The others are built by `plugins/build-guests` into `target/plugins/guests`
//! (`GRIDBELL_GUESTS` names another folder); one that is not there is skipped, and CI counts that. A guest in a further language is one more test.

#![expect(clippy::unwrap_used, reason = "a test that cannot go on says so by panicking")]

mod support;

use std::io::Write as _;
use std::path::{Path, PathBuf};

use gridbell_clock::{Clock, Seed};
use gridbell_contract::{Run, Workdays, column};
use gridbell_engine::{Engine, EngineConfig, EvalOptions, Plugin, compile};
use gridbell_model::{CHUNK_ROWS, CivilMinute, ColumnId, ColumnSlice, Date, Decision, Table};
use rand_core::RngCore as _;
use serde_json::{Value, json};
use support::{MEMORY, run};

const CUSTOMERS: usize = 100_000;
const DAYS: i32 = 365;
const FIRST: (i32, u32, u32) = (2026, 1, 1);

/// Days off of 2026 and weekends that are worked instead (调休), as the State Council published them.
const OFF: [((u32, u32), (u32, u32)); 7] = [
    ((1, 1), (1, 3)),
    ((2, 15), (2, 23)),
    ((4, 4), (4, 6)),
    ((5, 1), (5, 5)),
    ((6, 19), (6, 21)),
    ((9, 25), (9, 27)),
    ((10, 1), (10, 7)),
];
const WORKED: [(u32, u32); 6] = [(1, 4), (2, 14), (2, 28), (5, 9), (9, 20), (10, 10)];

/// What offices may set, near what they do set.
fn parameters() -> [Value; 5] {
    [
        json!({}),
        json!({"steps": [7, 3, 1], "important_steps": [10, 5, 2], "overdue_every": 7, "overdue_times": 2}),
        json!({"steps": [1, 3, 9], "counting": "working", "minimum": 3000, "important_steps": [], "prepaid_steps": [4], "overdue_every": 10, "overdue_times": 3}),
        json!({"steps": [], "prepaid_steps": [2, 1], "overdue_times": 12, "overdue_every": 1}),
        json!({"steps": [60, 20], "counting": "working", "overdue_times": 0}),
    ]
}

/// The columns that the rule looks at.
struct Customers {
    traits: Vec<u32>,
    arrears: Vec<i64>,
    due: Vec<i32>,
    said: Vec<u8>,
}

impl Customers {
    fn generate() -> Self {
        let (year, month, day) = FIRST;
        let first = Date::from_ymd(year, month, day).unwrap().0;
        let mut rng = Seed(365).stream("guests");
        let mut draw = |n: u64| (rng.next_u64() >> 8) % n;
        let mut all = Self { traits: Vec::new(), arrears: Vec::new(), due: Vec::new(), said: Vec::new() };
        for _ in 0..CUSTOMERS {
            let important = if draw(10) == 0 { 1 << 1 } else { 0 };
            let prepaid = if draw(5) == 0 { 1 << 2 } else { 0 };
            all.traits.push((draw(1 << 20) as u32 & !0b110) | important | prepaid);
            let near = [-1, 0, 1, 99, 100, 2999, 3000, 3001, 100_000, 1_000_000_000_000][draw(10) as usize];
            all.arrears.push(near + draw(3) as i64 - 1);
            // One in eight has no date; the others' lie in the year and around it.
            all.due.push(if draw(8) == 0 { Date::NONE.0 } else { first - 60 + draw(500) as i32 });
            all.said.push(if draw(3) == 0 { draw(16) as u8 } else { 0 });
        }
        all
    }
}

impl Table for Customers {
    fn chunks(&self) -> usize {
        CUSTOMERS.div_ceil(CHUNK_ROWS)
    }
    fn rows(&self, chunk: usize) -> usize {
        CUSTOMERS.saturating_sub(chunk * CHUNK_ROWS).min(CHUNK_ROWS)
    }
    fn column(&self, chunk: usize, id: ColumnId) -> Option<ColumnSlice<'_>> {
        let rows = chunk * CHUNK_ROWS..CUSTOMERS.min((chunk + 1) * CHUNK_ROWS);
        match id {
            column::TRAITS => self.traits.get(rows).map(ColumnSlice::U32),
            column::ARREARS => self.arrears.get(rows).map(ColumnSlice::S64),
            column::LATE_FEE_FROM => self.due.get(rows).map(ColumnSlice::S32),
            column::REMINDED_STEP => self.said.get(rows).map(ColumnSlice::U8),
            _ => None,
        }
    }
}

/// The working days that a run on `today` is told: nothing of the next year, which is not published.
fn workdays(today: Date) -> Workdays {
    let (first, end) = (today.plus_days(-60), Date::from_ymd(FIRST.0 + 1, 1, 1).unwrap());
    let works = |date: Date| {
        let (year, month, day) = date.ymd();
        let (own, monthly) = (year == FIRST.0, (month, day));
        let off = own && OFF.iter().any(|(from, to)| (*from..=*to).contains(&monthly));
        !off && ((own && WORKED.contains(&monthly)) || (date.0 + 3).rem_euclid(7) < 5)
    };
    let days = (end.0 - first.0).min(460);
    Workdays::from_days(first, (0..days).map(|n| works(first.plus_days(n)))).unwrap()
}

/// The rule once more, after what the parameters say in Chinese and nothing else.
struct Native {
    today: i32,
    minimum: i64,
    /// Of ordinary, important and prepaid customers: up to which date each step is due, the furthest first.
    ladders: [Vec<i32>; 3],
    every: i32,
    times: i32,
}

impl Native {
    fn new(run: &Run) -> Self {
        let params: Value = serde_json::from_str(&run.params).unwrap();
        let today = run.now.date();
        let up_to = |days: i64| {
            if params["counting"] != "working" {
                return today.0 + days as i32;
            }
            let (mut date, mut left) = (today, days);
            loop {
                if run.workdays.is_workday_or_weekday(date) {
                    if left == 0 {
                        return date.0;
                    }
                    left -= 1;
                }
                date = date.plus_days(1);
            }
        };
        let ladder = |name: &str| {
            let given = params.get(name).unwrap_or(&params["steps"]);
            let mut days: Vec<i64> = given.as_array().unwrap().iter().map(|d| d.as_i64().unwrap()).collect();
            days.sort_unstable();
            days.dedup();
            days.into_iter().rev().map(up_to).collect()
        };
        let number = |name: &str| params[name].as_i64().unwrap();
        Self {
            today: today.0,
            minimum: number("minimum"),
            ladders: [ladder("steps"), ladder("important_steps"), ladder("prepaid_steps")],
            every: number("overdue_every") as i32,
            times: number("overdue_times") as i32,
        }
    }

    /// Notice, step, reason and the day after which it is pointless; or the reason for nothing.
    fn one(&self, traits: u32, arrears: i64, due: i32, said: u8) -> Result<(u16, u8, u16, i32), u16> {
        let (important, prepaid) = (traits & 2 != 0, traits & 4 != 0);
        let kind = if prepaid { 2 } else { usize::from(important) };
        let ladder = &self.ladders[kind];
        if arrears <= 0 || due == Date::NONE.0 {
            return Err(0);
        }
        if arrears < self.minimum {
            return Err(1);
        }
        if ladder.is_empty() {
            return Err([4, 3, 2][kind]);
        }
        if due > self.today {
            let step = ladder.iter().filter(|up_to| due <= **up_to).count() as u8;
            return match step {
                0 => Err(5),
                step if step <= said => Err(6),
                step => Ok((u16::from(important), step, 7, due)),
            };
        }
        if self.times == 0 {
            return Err(8);
        }
        let round = (self.today - due) / self.every;
        if round >= self.times {
            return Err(9);
        }
        let step = (ladder.len() as i32 + 1 + round) as u8;
        if step <= said { Err(6) } else { Ok((2, step, 10, due + (round + 1) * self.every)) }
    }

    fn decide(&self, all: &Customers) -> (Vec<Decision>, Vec<u16>) {
        let (mut decisions, mut reasons) = (Vec::new(), Vec::new());
        for row in 0..CUSTOMERS {
            let (arrears, due) = (all.arrears[row], all.due[row]);
            let answer = self.one(all.traits[row], arrears, due, all.said[row]);
            reasons.push(answer.map_or_else(|reason| reason, |(_, _, reason, _)| reason));
            if let Ok((notice, step, reason, until)) = answer {
                decisions.push(Decision {
                    row: row as u32,
                    notice,
                    step,
                    reason,
                    route: 0,
                    arg0: arrears,
                    arg1: due.into(),
                    not_before: CivilMinute::NONE,
                    expires: Date(until).at(0, 0),
                });
            }
        }
        (decisions, reasons)
    }
}

fn prebuilt(name: &str) -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("../../plugins/prebuilt").join(format!("{name}.wasm"))
}

fn built(name: &str) -> Option<PathBuf> {
    let folder = std::env::var_os("GRIDBELL_GUESTS")
        .map_or_else(|| Path::new(env!("CARGO_MANIFEST_DIR")).join("../../target/plugins/guests"), PathBuf::from);
    Some(folder.join(format!("{name}.wasm"))).filter(|file| file.is_file())
}

/// How many days ask about all customers; on the others those inside the interest are asked about, as production does.
#[derive(Clone, Copy)]
enum Pace {
    /// Machine code of its own.
    Compiled,
    /// An interpreter inside.
    Interpreted,
}

fn open(engine: &Engine, file: &Path) -> Plugin {
    engine.adopt(&compile(&std::fs::read(file).unwrap(), MEMORY).unwrap()).unwrap()
}

/// Fails at the first day on which the guest in `file` decides anything else than the rule, or explains it otherwise.
fn decides_as_the_rule_for_a_year(file: &Path, pace: Pace) {
    // Production's deadlines: an interpreter on a busy machine needs them.
    let engine = Engine::new(EngineConfig::default(), Clock::system()).unwrap();
    let (guest, rust) = (open(&engine, file), open(&engine, &prebuilt("arrears-reminder")));
    let (own, reference) = (guest.manifest(), rust.manifest());
    assert_eq!(own.parameters(), reference.parameters());
    assert_eq!(
        (own.columns(), own.triggers(), own.routes()),
        (reference.columns(), reference.triggers(), reference.routes())
    );
    assert_eq!(
        format!("{:?}{:?}", own.notices(), own.reasons()),
        format!("{:?}{:?}", reference.notices(), reference.reasons())
    );

    let table = Customers::generate();
    let first = Date::from_ymd(FIRST.0, FIRST.1, FIRST.2).unwrap();
    let everybody_each = match pace {
        Pace::Compiled => 9,
        Pace::Interpreted => 120,
    };
    let mut chosen = 0;
    for (n, given) in parameters().iter().enumerate() {
        for day in 0..DAYS {
            let today = first.plus_days(day);
            let params = own.check_parameters(given).unwrap().to_string();
            let run =
                Run { now: today.at(9, 30), params, trigger: own.triggers()[0], workdays: workdays(today), ..run() };
            let (expected, reasons) = Native::new(&run).decide(&table);
            let everybody = (day + n as i32) % everybody_each == 0;
            let options = EvalOptions { use_interest: !everybody, ..EvalOptions::default() };
            let decided = engine.evaluate(&guest, &run, &table, &options).unwrap().decisions;
            if decided != expected {
                let differs = expected.iter().zip(&decided).find(|(a, b)| a != b);
                panic!("{today} with {given}: {} instead of {}, {differs:?}", decided.len(), expected.len());
            }
            chosen += decided.len();
            if everybody && day % 5 == 0 {
                let some: Vec<u32> = (0..CUSTOMERS as u32).step_by(23).collect();
                let explained = engine.explain(&guest, &run, &table, &some).unwrap();
                let wanted: Vec<u16> = some.iter().map(|row| reasons[*row as usize]).collect();
                assert!(explained == wanted, "{today} with {given}: explained otherwise");
            }
        }
    }
    assert!(chosen > 100_000, "{chosen} chosen are too few to compare");
}

/// The same for a guest that a build put beside the tree, if it is there.
fn if_built(name: &str, pace: Pace) {
    match built(name) {
        Some(file) => decides_as_the_rule_for_a_year(&file, pace),
        None => {
            // Past the capture of the test runner, for people and for CI's count.
            let line = format!("SKIPPED: {name}.wasm is not built: plugins/build-guests\n");
            let _ = std::io::stdout().lock().write_all(line.as_bytes());
        }
    }
}

#[test]
fn rust() {
    decides_as_the_rule_for_a_year(&prebuilt("arrears-reminder"), Pace::Compiled);
}

#[test]
fn c() {
    decides_as_the_rule_for_a_year(&prebuilt("arrears-reminder-c"), Pace::Compiled);
}

#[test]
fn go() {
    if_built("arrears-reminder-go", Pace::Compiled);
}

#[test]
fn js() {
    if_built("arrears-reminder-js", Pace::Interpreted);
}

#[test]
fn ts() {
    if_built("arrears-reminder-ts", Pace::Interpreted);
}

#[test]
fn python() {
    if_built("arrears-reminder-python", Pace::Interpreted);
}
