//! The figures of a whole host: import, start-up, single payments, decisions to outbox, outbox to carrier, and memory.

use std::path::Path;
use std::process::Stdio;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, AtomicU64, Ordering};
use std::time::Duration;

use gridbell_clock::Clock;
use gridbell_conductor::{Host, RunRequest};
use gridbell_model::{AccountNumber, Date, Fen, PrefectureCode};
use gridbell_state::{Facts, PaymentFact, payment_key};

use super::carrier::{COMMIT_GROUP, Carrier, DELIVER_WINDOW, WINDOW};
use super::figures::{Report, median};
use super::rig::{POLICY, Rig, Scratch, WHO, close};
use super::{BenchArgs, Part, SEED, machine};
use crate::config::Config;
use crate::error::CommandError;
use crate::open;

/// Repetitions of each measurement.
const ROUNDS: usize = 3;
/// Writers of single payments at once.
const WRITERS: usize = 64;
/// How long single payments are written.
const UPDATE_TIME: Duration = Duration::from_secs(3);
/// Cache of the store while memory is measured.
const MEMORY_CACHE_BYTES: u64 = 8 << 20;

/// Measures the parts that were asked for.
pub(super) async fn measure(
    args: &BenchArgs,
    today: Date,
    scratch: &Scratch,
    report: &mut Report,
    say: &dyn Fn(String),
) -> Result<(), CommandError> {
    say(format!("  generating {} customers", args.customers));
    let rig = Rig::new(args.customers, today, &scratch.0)?;
    let data = scratch.0.join("data");
    let mut rates = Vec::new();
    let mut files: Vec<(&'static str, Vec<f64>)> = Vec::new();
    for round in 0..if args.wants(Part::Import) { ROUNDS } else { 1 } {
        if round > 0 {
            std::fs::remove_dir_all(&data).map_err(CommandError::file("remove", &data))?;
        }
        say(format!("  importing, round {}", round + 1));
        std::fs::create_dir_all(&data).map_err(CommandError::file("create", &data))?;
        let imported = rig.import(&data, false).await?;
        rates.push(imported.rows_per_s());
        for (name, rows, took) in imported.files {
            let rate = rows as f64 / took.as_secs_f64();
            match files.iter_mut().find(|(n, _)| *n == name) {
                Some((_, rates)) => rates.push(rate),
                None => files.push((name, vec![rate])),
            }
        }
    }
    if args.wants(Part::Import) {
        report.set_median("import.rows_per_s", &rates);
        for (name, rates) in &files {
            report.set_median(&format!("import.{}_per_s", name.trim_end_matches(".csv")), rates);
        }
        report.note(format!(
            "import: customers, bills and balances as UTF-8 CSV into a new data directory, medians of {ROUNDS}"
        ));
    }
    rig.drop_inputs();
    if args.wants(Part::Memory) {
        memory(args, today, scratch, &data, report, say).await?;
    }
    if args.wants(Part::Load) {
        load(&rig, &data, report, say).await?;
    }
    if [Part::Update, Part::Outbox, Part::Cmpp].iter().any(|p| args.wants(*p)) {
        live(args, &rig, &data, scratch, report, say).await?;
    }
    Ok(())
}

async fn load(rig: &Rig, data: &Path, report: &mut Report, say: &dyn Fn(String)) -> Result<(), CommandError> {
    let mut rates = Vec::new();
    for round in 0..ROUNDS {
        say(format!("  starting up, round {}", round + 1));
        let (host, took) = rig.open(data).await?;
        rates.push(customers(&host) as f64 / took.as_secs_f64());
        host.state().close().await;
    }
    report.set_median("load.rows_per_s", &rates);
    report.note(format!(
        "load: store and engine opened, columns and index built; files in the system's cache; medians of {ROUNDS}"
    ));
    Ok(())
}

fn customers(host: &Host) -> u64 {
    host.state().prefectures().values().map(|n| u64::from(*n)).sum()
}

/// The slope of resident memory between half of the customers and all of them, each in a process of its own that has only started up.
async fn memory(
    args: &BenchArgs,
    today: Date,
    scratch: &Scratch,
    whole: &Path,
    report: &mut Report,
    say: &dyn Fn(String),
) -> Result<(), CommandError> {
    say("  memory".to_owned());
    let fewer = args.customers / 2;
    let rig = Rig::new(fewer, today, &scratch.0)?;
    let half = scratch.0.join("half");
    rig.import(&half, false).await?;
    rig.drop_inputs();
    let mut slopes = Vec::new();
    for _ in 0..ROUNDS {
        let (few, many) = (resident(&half).await?, resident(whole).await?);
        slopes.push((many - few) / (args.customers - fewer) as f64);
    }
    std::fs::remove_dir_all(&half).map_err(CommandError::file("remove", &half))?;
    report.set_median("memory.bytes_per_customer", &slopes);
    report.note(format!(
        "memory: resident memory after start-up in processes of their own, {fewer} and {} customers, store cache {} MiB, medians of {ROUNDS}",
        args.customers,
        MEMORY_CACHE_BYTES >> 20
    ));
    Ok(())
}

/// Has a process of its own open `data` and say how much memory is resident then.
async fn resident(data: &Path) -> Result<f64, CommandError> {
    let program = std::env::current_exe().map_err(CommandError::file("find", "gridbell"))?;
    let mut command = std::process::Command::new(program);
    command.args(["bench", "--resident-of"]).arg(data).stderr(Stdio::inherit());
    let output = tokio::task::spawn_blocking(move || command.output())
        .await
        .map_err(|e| CommandError::Failed(e.to_string()))??;
    let text = String::from_utf8_lossy(&output.stdout);
    text.trim().parse().map_err(|_| CommandError::Failed("the process that measures memory failed".to_owned()))
}

/// What that process does: opens the state, has the store give back what start-up took, and prints.
pub(super) async fn print_resident(data: &Path, today: Date) -> Result<(), CommandError> {
    let clock = Clock::starting_at(today.at(10, 0).moment());
    let config = Config { cache_bytes: Some(MEMORY_CACHE_BYTES), seed: SEED, ..Config::of_data(data.to_owned()) };
    let (state, ..) = tokio::task::spawn_blocking(move || open::open_state(&config, &clock))
        .await
        .map_err(|e| CommandError::Failed(e.to_string()))??;
    state.store().trim()?;
    let bytes = machine::resident_bytes()
        .ok_or_else(|| CommandError::Failed("this system does not tell how much memory is resident".to_owned()))?;
    println!("{bytes}");
    state.close().await;
    Ok(())
}

/// Figures of a running host, interleaved: in each round a third of the prefectures is decided, carried, and single payments come in.
async fn live(
    args: &BenchArgs,
    rig: &Rig,
    data: &Path,
    scratch: &Scratch,
    report: &mut Report,
    say: &dyn Fn(String),
) -> Result<(), CommandError> {
    let (host, _) = rig.open(data).await?;
    rig.prepare(&host).await?;
    let carrier = Carrier::start(&host, &rig.clock, &scratch.0).await?;
    let messages = args.wants(Part::Outbox) || args.wants(Part::Cmpp);
    let (mut outbox, mut cmpp, mut update) = (Vec::new(), Vec::new(), Vec::new());
    let (mut queued, mut carried) = (0, 0);
    for (round, group) in groups(rig).iter().enumerate() {
        if messages {
            say(format!("  deciding and sending, round {}", round + 1));
            let decided = decide(&host, group).await?;
            outbox.push(decided.queued as f64 / decided.took.as_secs_f64());
            queued += decided.queued;
            say(format!("    {} messages in {:.2} s", decided.queued, decided.took.as_secs_f64()));
            let (ended, took) = carrier.carry(decided.parts).await?;
            cmpp.push(ended as f64 / took.as_secs_f64());
            carried += ended;
            say(format!("    carried {ended} in {:.2} s", took.as_secs_f64()));
        }
        if args.wants(Part::Update) {
            say(format!("  single payments, round {}", round + 1));
            update.push(payments(&host, rig, round).await?);
        }
    }
    if messages {
        report.set_median("outbox.messages_per_s", &outbox);
        report.note(format!(
            "outbox: runs of {POLICY} one after another, {queued} messages, evaluation included, medians of {ROUNDS}"
        ));
        report.set_median("cmpp.messages_per_s", &cmpp);
        report.note(format!(
            "cmpp: {carried} messages of one part, 3 links with 1 connection each, window {WINDOW}, commit group {COMMIT_GROUP}, \
             {DELIVER_WINDOW} reports under way, gateway in the same process, medians of {ROUNDS}"
        ));
    }
    if args.wants(Part::Update) {
        report.set_median("update.durable_per_s", &update);
        report.note(format!(
            "update: {WRITERS} writers, each waits for its payment, {} s, medians of {ROUNDS}",
            UPDATE_TIME.as_secs()
        ));
    }
    carrier.shutdown().await;
    close(host.state().clone()).await
}

/// The prefectures in as many groups as there are rounds, of about the same number of customers.
fn groups(rig: &Rig) -> Vec<Vec<PrefectureCode>> {
    let mut all: Vec<(u64, PrefectureCode)> =
        rig.province.prefectures().map(|(p, customers)| (customers, PrefectureCode(p.code))).collect();
    all.sort_unstable_by(|a, b| b.cmp(a));
    let mut groups = vec![(0, Vec::new()); ROUNDS];
    for (customers, code) in all {
        if let Some(least) = groups.iter_mut().min_by_key(|(sum, _)| *sum) {
            least.0 += customers;
            least.1.push(code);
        }
    }
    groups.into_iter().map(|(_, codes)| codes).collect()
}

/// What runs queued, and how long they took.
#[derive(Default)]
pub(super) struct Decided {
    pub(super) queued: u64,
    pub(super) decided: u64,
    pub(super) parts: u64,
    pub(super) took: Duration,
}

/// Runs the bench's policy in `prefectures`, one after another, as the schedules do.
pub(super) async fn decide(host: &Host, prefectures: &[PrefectureCode]) -> Result<Decided, CommandError> {
    let mut sum = Decided::default();
    for code in prefectures {
        let began = host.clock().monotonic();
        let summary = host.run_policy(RunRequest::by_person(*code, POLICY, WHO)).await?;
        sum.took += host.clock().monotonic() - began;
        sum.queued += summary.record.queued;
        sum.decided += summary.record.decided;
        sum.parts += summary.record.parts;
    }
    if sum.queued == 0 {
        return Err(CommandError::Found("no message was queued: the bench's policy does not fit the rules".to_owned()));
    }
    Ok(sum)
}

/// Single payments by [`WRITERS`] writers, each waiting until its own is durable; how many a second.
async fn payments(host: &Host, rig: &Rig, round: usize) -> Result<f64, CommandError> {
    let today = host.clock().today();
    let (done, stop) = (Arc::new(AtomicU64::new(0)), Arc::new(AtomicBool::new(false)));
    let codes: Vec<PrefectureCode> = rig.province.prefectures().map(|(p, _)| PrefectureCode(p.code)).collect();
    let mut writers = tokio::task::JoinSet::new();
    for writer in 0..WRITERS {
        let code = codes[writer % codes.len()];
        // Each its own customers, spread over its prefecture.
        let accounts: Vec<AccountNumber> =
            rig.province.customers(code).skip(writer / codes.len() * 7).step_by(97).map(|c| c.account).collect();
        let (host, done, stop) = (host.clone(), Arc::clone(&done), Arc::clone(&stop));
        writers.spawn(async move {
            for (n, account) in accounts.iter().cycle().enumerate() {
                let key = payment_key(&format!("bench-{round}-{writer}-{n}"));
                let fact = PaymentFact { account: *account, key, amount: Fen(100), paid_on: today };
                host.state().facts(Facts::Payments(vec![fact]), false, Vec::new()).await?;
                done.fetch_add(1, Ordering::Relaxed);
                if stop.load(Ordering::Relaxed) {
                    break;
                }
            }
            Ok::<(), gridbell_state::StateError>(())
        });
    }
    let (from, began) = (done.load(Ordering::Relaxed), host.clock().monotonic());
    host.clock().sleep(UPDATE_TIME).await;
    let (made, took) = (done.load(Ordering::Relaxed) - from, host.clock().monotonic() - began);
    stop.store(true, Ordering::Relaxed);
    while let Some(joined) = writers.join_next().await {
        joined.map_err(|e| CommandError::Failed(e.to_string()))??;
    }
    Ok(made as f64 / took.as_secs_f64())
}

/// Import, start-up, run, carriage and restart of a whole province, once, with peaks of memory and the disk taken.
pub(super) async fn province(
    customers_wanted: u64,
    today: Date,
    scratch: &Scratch,
    report: &mut Report,
    say: &dyn Fn(String),
) -> Result<(), CommandError> {
    say(format!("  generating {customers_wanted} customers"));
    let rig = Rig::new(customers_wanted, today, &scratch.0)?;
    let data = scratch.0.join("data");
    std::fs::create_dir_all(&data).map_err(CommandError::file("create", &data))?;
    let peak = |report: &mut Report, phase: &str| {
        if let Some(bytes) = machine::peak_bytes() {
            report.set(&format!("province.{phase}_peak_mib"), bytes as f64 / f64::from(1 << 20));
        }
        report.set(&format!("province.{phase}_disk_mib"), machine::disk_bytes(&data) as f64 / f64::from(1 << 20));
        machine::forget_peak();
    };
    machine::forget_peak();
    say("  importing".to_owned());
    let imported = rig.import(&data, true).await?;
    report.set("import.rows_per_s", imported.rows_per_s());
    report.set("province.import_rows", imported.rows as f64);
    report.set("province.import_s", imported.elapsed.as_secs_f64());
    peak(report, "import");
    rig.drop_inputs();
    say("  starting up".to_owned());
    let (host, took) = rig.open(&data).await?;
    report.set("province.load_s", took.as_secs_f64());
    report.set("load.rows_per_s", customers(&host) as f64 / took.as_secs_f64());
    peak(report, "load");
    rig.prepare(&host).await?;
    // Before the runs: messages that no link serves are held.
    let carrier = Carrier::start(&host, &rig.clock, &scratch.0).await?;
    say("  deciding".to_owned());
    let codes: Vec<PrefectureCode> = rig.province.prefectures().map(|(p, _)| PrefectureCode(p.code)).collect();
    let decided = decide(&host, &codes).await?;
    report.set("province.run_s", decided.took.as_secs_f64());
    report.set("province.run_decided", decided.decided as f64);
    report.set("province.run_queued", decided.queued as f64);
    report.set("outbox.messages_per_s", decided.queued as f64 / decided.took.as_secs_f64());
    peak(report, "run");
    say(format!("  sending {} messages", decided.queued));
    let (ended, took) = carrier.carry(decided.parts).await?;
    report.set("province.carry_s", took.as_secs_f64());
    report.set("cmpp.messages_per_s", ended as f64 / took.as_secs_f64());
    peak(report, "carry");
    carrier.shutdown().await;
    let mut rates = Vec::new();
    for round in 0..ROUNDS {
        rates.push(payments(&host, &rig, round).await?);
    }
    report.set("update.durable_per_s", median(&rates).unwrap_or_default());
    close(host.state().clone()).await?;
    drop(host);
    machine::forget_peak();
    say("  starting again".to_owned());
    let (host, took) = rig.open(&data).await?;
    report.set("province.restart_s", took.as_secs_f64());
    peak(report, "restart");
    host.state().close().await;
    report.note(format!("province: {customers_wanted} customers, once; peaks are of this process, gateway included"));
    Ok(())
}
