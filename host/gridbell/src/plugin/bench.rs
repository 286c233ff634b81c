//! `plugin bench`: speed, fuel and memory.

use std::path::PathBuf;

use gridbell_clock::Seed;
use gridbell_workshop::{BenchOptions, Share};
use serde_json::json;

use super::Told;
use crate::error::CommandError;

#[derive(clap::Args, Debug)]
#[command(after_help = "\
The customers are made up from the registry: one in eight owes something, dates lie around --at. Times are CPU time of one thread.

EXAMPLE
  gridbell plugin bench my-policy.wasm --at \"2026-11-21 09:00\"")]
pub(crate) struct BenchArgs {
    /// The plugin, or the folder of a project that was built
    #[arg(value_name = "FILE|DIR")]
    file: PathBuf,
    #[command(flatten)]
    told: Told,
    /// How many customers
    #[arg(long, default_value_t = 1_000_000, value_parser = clap::value_parser!(u32).range(1..=20_000_000))]
    customers: u32,
    /// Repetitions, at least
    #[arg(long, default_value_t = 7, value_parser = clap::value_parser!(u8).range(1..=100))]
    rounds: u8,
    /// The same seed makes the same customers
    #[arg(long, default_value_t = 1)]
    seed: u64,
    /// Print one JSON object
    #[arg(long)]
    json: bool,
}

pub(super) fn bench(args: &BenchArgs) -> Result<(), CommandError> {
    let desk = super::open(&args.file, args.told.calendar.as_deref())?;
    let options = BenchOptions {
        customers: args.customers as usize,
        rounds: args.rounds.into(),
        seed: Seed(args.seed),
        facts: args.told.facts()?,
    };
    let r = gridbell_workshop::bench(&desk, &options).map_err(|e| super::refused(&args.file, e))?;
    if args.json {
        let share = |s: Share| json!({ "used": s.used, "allowed": s.allowed, "share": s.part() });
        println!(
            "{}",
            json!({
                "plugin": desk.plugin().label(), "customers": r.customers, "passed": r.passed, "decided": r.decided,
                "interest_misses": r.interest_misses, "ns_per_customer": r.ns_per_customer,
                "customers_per_s": r.customers_per_s, "customers_per_s_with_interest": r.customers_per_s_with_interest,
                "fuel_per_customer": r.fuel_per_customer, "batch_ms": share(r.batch_ms),
                "memory_bytes": share(r.memory_bytes),
            })
        );
    } else {
        println!(
            "{}: {} customers, {} inside the interest, {} chosen",
            desk.plugin().label(),
            r.customers,
            r.passed,
            r.decided
        );
        println!(
            "  {:>10.1} M customers a second on one core, without the interest ({:.1} ns each)",
            r.customers_per_s / 1e6,
            r.ns_per_customer
        );
        println!(
            "  {:>10.1} M customers a second on one core, with it: what production does",
            r.customers_per_s_with_interest / 1e6
        );
        println!("  {:>10.1} units of fuel for each customer", r.fuel_per_customer);
        println!(
            "  {:>10.3} ms for a batch of 4096, of {} that it may take: {:.3} %",
            r.batch_ms.used,
            r.batch_ms.allowed,
            r.batch_ms.part() * 100.0
        );
        println!(
            "  {:>10.1} MiB of memory, of {:.0} that it may have: {:.2} %",
            r.memory_bytes.used / 1048576.0,
            r.memory_bytes.allowed / 1048576.0,
            r.memory_bytes.part() * 100.0
        );
    }
    if r.interest_misses > 0 {
        return Err(CommandError::Found(format!(
            "`interest` leaves out {} customers whom `decide` chooses, of 256 tried",
            r.interest_misses
        )));
    }
    Ok(())
}
