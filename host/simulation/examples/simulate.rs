//! Simulates seeds one after another and stops at the first that fails:
//! `cargo run --workspace --example simulate -- --seed 1 --seeds 1000 --customers 600 --days 5 [--trace]`.

use std::process::ExitCode;

use gridbell_simulation::{Options, simulate};

fn main() -> ExitCode {
    let mut options = Options { seed: 1, customers: 600, days: 5, connections: 1, keep_trace: false };
    let mut seeds = 1;
    let mut args = std::env::args().skip(1);
    while let Some(arg) = args.next() {
        let mut number = || args.next().and_then(|text| text.parse::<u64>().ok());
        let read = match arg.as_str() {
            "--trace" => {
                options.keep_trace = true;
                true
            }
            "--log" => {
                tracing_subscriber::fmt().with_writer(std::io::stderr).init();
                true
            }
            "--seed" => number().map(|n| options.seed = n).is_some(),
            "--seeds" => number().map(|n| seeds = n).is_some(),
            "--customers" => number().map(|n| options.customers = usize::try_from(n).unwrap_or(600)).is_some(),
            "--connections" => number().map(|n| options.connections = n).is_some(),
            "--days" => number().map(|n| options.days = i32::try_from(n).unwrap_or(5)).is_some(),
            _ => false,
        };
        if !read {
            eprintln!(
                "`{arg}` is not known here: --seed N --seeds N --customers N --days N --connections N --trace --log"
            );
            return ExitCode::FAILURE;
        }
    }
    for seed in options.seed..options.seed + seeds {
        match simulate(Options { seed, ..options }) {
            Ok(mut report) => {
                for line in std::mem::take(&mut report.words) {
                    println!("{line}");
                }
                println!("seed {seed}: {report:?}");
            }
            Err(error) => {
                eprintln!("{error}");
                return ExitCode::FAILURE;
            }
        }
    }
    ExitCode::SUCCESS
}
