//! `plugin certify`: what certification would find at upload.

use std::io::{BufReader, IsTerminal as _};
use std::path::{Path, PathBuf};

use gridbell_certify::{
    Budget, Cancel, Certificate, CertifyError, CertifyRequest, MAX_REAL, Progress, RealCustomers, Terms,
    certify_in_child,
};
use gridbell_clock::{Clock, Seed};
use gridbell_engine::{ArtifactStore, CompileLimits, EngineConfig, EngineError};
use gridbell_model::CivilMinute;
use gridbell_workshop::Sheet;
use indicatif::{ProgressBar, ProgressStyle};

use crate::error::CommandError;
use crate::open;

#[derive(clap::Args, Debug)]
#[command(after_help = "\
What is proved by trial: the same input twice gives the same answer; splitting, merging and reordering batches changes nothing; no customer's
decision depends on its neighbours; `interest` leaves out nobody whom `decide` chooses; `explain` agrees with `decide`; empty batches, month ends,
29 February, moved weekends, extreme amounts, missing values, missed days, every trigger and the parameters that the schema allows break nothing;
fuel and memory are within the budget. What fails is shrunk to the smallest input, as a case for `gridbell plugin test`. Exit code 3 if the host
would refuse the plugin, 4 if a check fails.

The customers are made up from the registry, around the plugin's own limits; --customers adds real ones, as `plugin run` reads them.

EXAMPLE
  gridbell plugin certify my-policy.wasm --customers customers.csv")]
pub(crate) struct CertifyArgs {
    /// A component or core module, or a project's folder
    file: PathBuf,
    /// Customers to try beside those made up, CSV
    #[arg(long, value_name = "FILE.csv")]
    customers: Option<PathBuf>,
    /// The same seed makes the same customers
    #[arg(long, default_value_t = 1)]
    seed: u64,
    /// Civil time around which customers are made up, such as "2026-11-21 09:00"; now by default
    #[arg(long, value_name = "TIME")]
    at: Option<CivilMinute>,
    /// Units of fuel that a customer may cost
    #[arg(long, value_name = "UNITS", default_value_t = Budget::default().fuel_per_customer)]
    fuel: u64,
    /// Working days, instead of those that the house brings along
    #[arg(long, value_name = "FILE")]
    calendar: Option<PathBuf>,
    /// Print the certificate as one JSON object
    #[arg(long)]
    json: bool,
}

/// A store of its own for one plugin, removed at the end.
struct Store(PathBuf);

impl Store {
    fn new() -> Self {
        Self(std::env::temp_dir().join(format!("gridbell-certify-{}", std::process::id())))
    }
}

impl Drop for Store {
    fn drop(&mut self) {
        // What cannot be removed is left to the system's own cleaning of temporary files.
        let _ = std::fs::remove_dir_all(&self.0);
    }
}

pub(super) fn certify(args: &CertifyArgs) -> Result<(), CommandError> {
    let upload = super::bytes(&super::artifact(&args.file)?)?;
    let dir = Store::new();
    let engine = EngineConfig::default();
    let refused = |e: EngineError| super::refused(&args.file, e.into());
    let store = ArtifactStore::open(&dir.0).map_err(refused)?;
    let memory = engine.guest_memory_bytes;
    let stored = store.add(&upload, &open::compiler()?, memory, CompileLimits::default()).map_err(refused)?;
    let seed = Seed(args.seed);
    let real = args.customers.as_deref().map(|path| customers(path, stored.manifest.columns(), seed)).transpose()?;
    let now = args.at.unwrap_or_else(|| Clock::system().civil_minute());
    let budget = Budget { fuel_per_customer: args.fuel, ..Budget::default() };
    let terms = Terms { real, budget, ..Terms::new(super::calendar(args.calendar.as_deref())?, now, seed) };
    let request = CertifyRequest { artifacts: dir.0.clone(), digest: stored.digest, engine, terms };
    let bar = bar(args.json);
    let mut progress = |p: Progress| {
        bar.set_length(p.of as u64);
        bar.set_position(p.done as u64);
        bar.set_message(format!("{}, {} customers", p.check, p.tried));
    };
    let certificate = certify_in_child(&open::certifier()?, &request, &mut progress, &Cancel::default());
    bar.finish_and_clear();
    let certificate = certificate.map_err(|e| failed(&args.file, e))?;
    if args.json {
        println!("{}", serde_json::to_string_pretty(&certificate)?);
    } else {
        print(&certificate);
    }
    let failed = certificate.checks.iter().filter(|c| !c.passed).count();
    match certificate.passed {
        true => Ok(()),
        false => Err(CommandError::Found(format!("{failed} of {} checks failed", certificate.checks.len()))),
    }
}

fn customers(path: &Path, columns: &[gridbell_model::ColumnId], seed: Seed) -> Result<RealCustomers, CommandError> {
    let input = std::fs::File::open(path).map_err(CommandError::file("open", path))?;
    let document = path.display().to_string();
    let sheet =
        Sheet::read(&document, BufReader::new(input), columns).map_err(|e| CommandError::Refused(e.to_string()))?;
    for row in &sheet.rejected {
        eprintln!("{document}, line {}, {}: {}", row.line, row.column, row.reason);
    }
    Ok(RealCustomers::draw(&sheet.rows, MAX_REAL, seed))
}

fn bar(quiet: bool) -> ProgressBar {
    if quiet || !std::io::stderr().is_terminal() {
        return ProgressBar::hidden();
    }
    let bar = ProgressBar::new(1);
    if let Ok(style) = ProgressStyle::with_template("{bar:30} {pos}/{len} {msg}") {
        bar.set_style(style);
    }
    bar
}

/// A machine that cannot has exit code 1; a plugin that felled the certifier is refused.
fn failed(file: &Path, e: CertifyError) -> CommandError {
    let text = format!("{}: {e}", file.display());
    match e {
        CertifyError::Signalled { .. } | CertifyError::TimedOut { .. } | CertifyError::OutOfCpu { .. } => {
            CommandError::Refused(text)
        }
        _ => CommandError::Failed(text),
    }
}

fn print(c: &Certificate) {
    println!("{} {}: {}", c.plugin, c.version, if c.passed { "certified" } else { "NOT certified" });
    for check in &c.checks {
        let mark = if check.passed { "ok" } else { "FAILED" };
        println!("  {mark:<7} {:<12} {:>9}  {}", check.name, check.tried, check.detail);
    }
    println!("  {} customers made up, {} real; seed {}", c.generated, c.real, c.seed);
    println!(
        "  dearest customer {} units of fuel of {}; a full batch of such is certified at {:.3} ms, an ordinary one took {:.3} ms of CPU; {:.1} MiB",
        c.fuel_per_customer,
        c.fuel_budget,
        c.batch_cost_us as f64 / 1e3,
        c.batch_cpu_us as f64 / 1e3,
        c.memory_bytes as f64 / f64::from(1 << 20)
    );
    if c.cut_short {
        println!("  time ran out: what lies beyond each check's minimum was left out");
    }
    for failure in &c.failures {
        println!(
            "\n{}: {}\nto paste into a file of cases:\n\n{}",
            failure.check, failure.explanation, failure.case_toml
        );
    }
}
