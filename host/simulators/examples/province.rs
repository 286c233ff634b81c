//! How fast the province is generated and written: `cargo run --release -p gridbell-simulators --example province [CUSTOMERS] [DIR]`.
//! With a directory its files are left there.
#![expect(clippy::print_stdout, reason = "an example talks to whoever runs it")]

use std::fs::File;
use std::io::{Write, sink};
use std::path::PathBuf;

use gridbell_clock::{Clock, Seed};
use gridbell_model::{Date, PrefectureCode};
use gridbell_simulators::province::{CsvKind, Province};

fn main() -> Result<(), Box<dyn std::error::Error>> {
    let mut args = std::env::args().skip(1);
    let customers: u64 = args.next().map_or(Ok(1_000_000), |n| n.parse())?;
    let dir = args.next().map(PathBuf::from);
    let today = Date::from_ymd(2026, 11, 21).ok_or("no such day")?;
    let province = Province::new(Seed(7), customers, today);
    let clock = Clock::system();
    let report = |what: &str, rows: u64, started: std::time::Duration| {
        let took = (clock.monotonic() - started).as_secs_f64();
        println!("{what}: {rows} rows, {:.2} M rows/s", rows as f64 / took / 1e6);
    };

    let started = clock.monotonic();
    let codes: Vec<_> = province.prefectures().map(|(p, _)| PrefectureCode(p.code)).collect();
    let rows: usize = codes.iter().map(|c| province.customers(*c).filter(|c| !c.name.is_empty()).count()).sum();
    report("customers", rows as u64, started);
    for (kind, name) in [
        (CsvKind::Customers, "customers.csv"),
        (CsvKind::Bills, "bills.csv"),
        (CsvKind::Balances, "balances.csv"),
        (CsvKind::Payments, "payments.csv"),
        (CsvKind::DayPayments, "day-payments.csv"),
    ] {
        let mut out: Box<dyn Write> = match &dir {
            Some(dir) => Box::new(File::create(dir.join(name))?),
            None => Box::new(sink()),
        };
        let started = clock.monotonic();
        let rows = province.write_csv(kind, None, &mut out)?;
        report(name, rows, started);
    }
    Ok(())
}
