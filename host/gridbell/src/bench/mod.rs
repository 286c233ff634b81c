//! `gridbell bench`: speed and memory on this machine, against what the product promises.
//!
//! It measures the product's own paths, put together as `serve` does. It must never take a shortcut that a host does not take.

mod carrier;
mod compiled;
mod crowd;
mod dispatch;
mod evaluate;
mod fallback;
mod figures;
mod guests;
mod host;
mod machine;
mod mixed;
mod preview;
mod rig;
mod topology;
mod upload;

use std::path::PathBuf;

use gridbell_model::Date;

use crate::error::CommandError;
use figures::Report;
use rig::Scratch;

/// Customers of one province, prepaid ones of Jilin: the run that took hours.
const PROVINCE: u64 = 12_840_000;
/// From which the bench's customers are drawn.
const SEED: u64 = 20_261_120;
/// The day on which the bench runs: inside the calendar that comes with the house.
const DAY: (i32, u32, u32) = (2026, 11, 20);

#[derive(clap::Args, Debug)]
#[command(after_help = "\
EXAMPLES
  gridbell bench                             all figures at 2 million customers, some minutes
  gridbell bench --json | jq '.\"cmpp.messages_per_s\"'
  gridbell bench --only evaluate,outbox,cmpp
  plugins/build-guests && gridbell bench --only guests
  gridbell bench --province                  12.84 million customers: import, start-up, run, sending, restart

Run it on an idle machine and from a release build: a busy machine or a debug build measures itself.")]
pub(crate) struct BenchArgs {
    /// How many customers the province has
    #[arg(long, default_value_t = 2_000_000, value_parser = clap::value_parser!(u64).range(10_000..=20_000_000))]
    customers: u64,
    /// Only these figures
    #[arg(long, value_delimiter = ',', value_name = "FIGURES")]
    only: Vec<Part>,
    /// A whole province of 12.84 million customers, each phase once, with peak memory and disk
    #[arg(long)]
    province: bool,
    /// Print one JSON object instead of the table
    #[arg(long)]
    json: bool,
    /// Where the components of `plugins/build-guests` are; those that are not there are skipped
    #[arg(long, value_name = "DIR", default_value = "target/plugins/guests")]
    guests: PathBuf,
    /// Where the bench keeps its files meanwhile, instead of the system's temporary directory
    #[arg(long, value_name = "DIR")]
    dir: Option<PathBuf>,
    /// Print how much memory is resident once this data directory is open; the bench calls this in a process of its own
    #[arg(long, hide = true, value_name = "DIR")]
    resident_of: Option<PathBuf>,
}

/// What can be measured by itself.
#[derive(Clone, Copy, Debug, PartialEq, Eq, clap::ValueEnum)]
enum Part {
    /// The plugin against native Rust
    Evaluate,
    /// The plugin in C, Go, JavaScript, TypeScript and Python
    Guests,
    /// An upload to its certificate
    Upload,
    /// Previews of a candidate over a large prefecture
    Preview,
    /// Bytes for each customer
    Memory,
    /// CSV to columns
    Import,
    /// Start-up
    Load,
    /// Single payments
    Update,
    /// Decisions to outbox
    Outbox,
    /// Outbox to carrier
    Cmpp,
    /// A backlog under carriers' grants, and urgent notices beside it
    Dispatch,
    /// All channels at once
    Mixed,
    /// Who is told nothing or twice by a host that is killed
    Fallback,
    /// The grid: files to columns, and whom a line takes along
    Topology,
}

impl BenchArgs {
    fn wants(&self, part: Part) -> bool {
        self.only.is_empty() || self.only.contains(&part)
    }
}

/// Runs the bench.
pub(crate) async fn run(args: BenchArgs) -> Result<(), CommandError> {
    let (year, month, day) = DAY;
    let today = Date::from_ymd(year, month, day).unwrap_or(Date::NONE);
    if let Some(data) = &args.resident_of {
        return host::print_resident(data, today).await;
    }
    let scratch = Scratch::new(args.dir.clone())?;
    let say = |text: String| eprintln!("{text}");
    let mut report = Report::default();
    if cfg!(debug_assertions) {
        report.note("a debug build: these figures say nothing about the product");
    }
    if args.wants(Part::Evaluate) {
        say("  evaluating".to_owned());
        let few = usize::try_from(args.customers).unwrap_or(usize::MAX);
        report = tokio::task::spawn_blocking(move || evaluate::measure(few, today, &mut report).map(|()| report))
            .await
            .map_err(|e| CommandError::Failed(e.to_string()))??;
    }
    if args.wants(Part::Guests) {
        say("  evaluating the guests of plugins/build-guests".to_owned());
        let folder = args.guests.clone();
        report = tokio::task::spawn_blocking(move || guests::measure(&folder, today, &mut report).map(|()| report))
            .await
            .map_err(|e| CommandError::Failed(e.to_string()))??;
    }
    if args.wants(Part::Upload) {
        say("  uploading".to_owned());
        let dir = scratch.0.join("upload");
        report = tokio::task::spawn_blocking(move || upload::measure(today, &dir, &mut report).map(|()| report))
            .await
            .map_err(|e| CommandError::Failed(e.to_string()))??;
    }
    let previewed = if args.wants(Part::Preview) && !args.province {
        preview::measure(&args.guests, today, &scratch, &mut report, &say).await
    } else {
        Ok(())
    };
    let dispatched = if args.wants(Part::Dispatch) && !args.province {
        dispatch::measure(&args, today, &scratch, &mut report, &say).await
    } else {
        Ok(())
    };
    let mixed = if args.wants(Part::Mixed) && !args.province {
        mixed::measure(today, &scratch, &mut report, &say).await
    } else {
        Ok(())
    };
    let fallen = if args.wants(Part::Fallback) && !args.province {
        fallback::measure(&scratch, &mut report, &say).await
    } else {
        Ok(())
    };
    let mapped = if args.wants(Part::Topology) && !args.province {
        topology::measure(args.customers, today, &scratch, &mut report, &say).await
    } else {
        Ok(())
    };
    let on_host = [Part::Memory, Part::Import, Part::Load, Part::Update, Part::Outbox, Part::Cmpp];
    let measured = if args.province {
        host::province(PROVINCE, today, &scratch, &mut report, &say).await
    } else if on_host.into_iter().any(|part| args.wants(part)) {
        host::measure(&args, today, &scratch, &mut report, &say).await
    } else {
        Ok(())
    };
    report.note(machine::describe());
    // What was measured before something failed is worth the time that it took.
    if args.json {
        println!("{}", report.json())
    } else {
        println!("{}", report.table())
    }
    previewed.and(dispatched).and(mixed).and(fallen).and(mapped).and(measured)
}
