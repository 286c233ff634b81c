//! `gridbell plugin`: what an author does before an upload. Prints what `gridbell_workshop` found; opens no data directory.

mod bench;
mod cases;
mod certify;
mod inspect;
mod project;
mod run;

use std::io::Read;
use std::path::{Path, PathBuf};

use clap::Subcommand;
use gridbell_engine::MAX_UPLOAD_BYTES;
use gridbell_model::CivilMinute;
use gridbell_planner::Calendar;
use gridbell_workshop::{Desk, Facts, Project, Shelf, WorkshopError};
use serde_json::Value;

use crate::defaults;
use crate::error::CommandError;
use crate::open;

/// Longest file of parameters, cases or a calendar.
const MAX_TEXT_BYTES: u64 = 16 << 20;

#[derive(Subcommand, Debug)]
pub(crate) enum PluginCommand {
    /// Begin a policy: a project that builds at once, in the language of your choice
    New(project::NewArgs),
    /// Build a project with its language's own tools, and say what the host would say
    Build(project::BuildArgs),
    /// Say what the host would say at upload
    Check(inspect::CheckArgs),
    /// Show manifest, parameters, digest, sizes and by what it was built
    Inspect(inspect::InspectArgs),
    /// Ask a plugin about the cases of a TOML file, and compare with what they expect
    Test(cases::TestArgs),
    /// Decide about the customers of a CSV file, under production's limits
    Run(run::RunArgs),
    /// Measure speed, fuel and memory, and what share of the budget that is
    Bench(bench::BenchArgs),
    /// Prove by trial what the contract asks, as the host does before a plugin may go live
    Certify(certify::CertifyArgs),
    #[command(flatten)]
    Life(crate::release::VersionCommand),
}

pub(crate) async fn plugin(command: PluginCommand) -> Result<(), CommandError> {
    if let PluginCommand::Life(command) = command {
        return crate::release::version(command).await;
    }
    // Compiling and deciding block for seconds: not on the runtime's threads.
    let work = move || match command {
        PluginCommand::New(args) => project::new(&args),
        PluginCommand::Build(args) => project::build(&args),
        PluginCommand::Check(args) => inspect::check(&args),
        PluginCommand::Inspect(args) => inspect::inspect(&args),
        PluginCommand::Test(args) => cases::test(&args),
        PluginCommand::Run(args) => run::run(&args),
        PluginCommand::Bench(args) => bench::bench(&args),
        PluginCommand::Certify(args) => certify::certify(&args),
        PluginCommand::Life(_) => Ok(()),
    };
    tokio::task::spawn_blocking(work).await.map_err(|e| CommandError::Failed(e.to_string()))?
}

/// What a trial is told.
#[derive(clap::Args, Debug)]
struct Told {
    /// Civil time of the decision, such as "2026-11-21 09:00"
    #[arg(long, value_name = "TIME")]
    at: CivilMinute,
    /// Parameters as JSON, or a JSON or TOML file of them; the plugin's defaults fill in what is missing
    #[arg(long, value_name = "JSON|FILE", default_value = "{}")]
    parameters: String,
    /// Name of the trigger; the plugin's first by default
    #[arg(long)]
    trigger: Option<String>,
    /// Name of the schedule
    #[arg(long, default_value = "")]
    schedule: String,
    /// Working days, instead of those that the house brings along
    #[arg(long, value_name = "FILE")]
    calendar: Option<PathBuf>,
}

impl Told {
    fn facts(&self) -> Result<Facts, CommandError> {
        Ok(Facts {
            now: self.at,
            trigger: self.trigger.clone(),
            schedule: self.schedule.clone(),
            parameters: parameters(&self.parameters)?,
            numbers: Vec::new(),
        })
    }
}

pub(crate) fn parameters(given: &str) -> Result<Value, CommandError> {
    let refused = |what: &str, e: String| CommandError::Refused(format!("the parameters, {what}: {e}"));
    if given.trim_start().starts_with('{') {
        return serde_json::from_str(given).map_err(|e| refused("given as JSON", e.to_string()));
    }
    let path = Path::new(given);
    if !path.exists() {
        let said =
            format!("the parameters are `{given}`: neither JSON, which begins with {{, nor a file that is there");
        return Err(CommandError::Refused(said));
    }
    let text = text(path)?;
    match path.extension().and_then(|e| e.to_str()) {
        Some("toml") => toml::from_str(&text).map_err(|e| refused(given, e.to_string())),
        _ => serde_json::from_str(&text).map_err(|e| refused(given, e.to_string())),
    }
}

/// The plugin in `file`, as an upload would become one; of a project's folder, the one that was built there.
fn open(file: &Path, calendar: Option<&Path>) -> Result<Desk, CommandError> {
    let file = artifact(file)?;
    opened(&file, calendar)?.map_err(|e| refused(&file, e))
}

/// The plugin in `file` or in the project that it is, or why the host would refuse it.
fn opened(file: &Path, calendar: Option<&Path>) -> Result<Result<Desk, WorkshopError>, CommandError> {
    desk(&bytes(&artifact(file)?)?, calendar)
}

/// `file`, or the artifact of the project in that folder.
fn artifact(file: &Path) -> Result<PathBuf, CommandError> {
    if !file.is_dir() {
        return Ok(file.to_owned());
    }
    let built = Project::open(file).map_err(project::failed)?.artifact;
    if built.is_file() {
        return Ok(built);
    }
    Err(CommandError::Usage(format!("{} is not built yet: gridbell plugin build {}", built.display(), file.display())))
}

/// The plugin `upload`, or why the host would refuse it.
fn desk(upload: &[u8], calendar: Option<&Path>) -> Result<Result<Desk, WorkshopError>, CommandError> {
    let compiler = open::compiler()?;
    Ok(Desk::open(upload, &compiler, Shelf::of_this_user(&compiler).as_ref(), self::calendar(calendar)?))
}

/// The working days of `file`, or those that the house brings along.
fn calendar(file: Option<&Path>) -> Result<Calendar, CommandError> {
    let (name, text) = match file {
        Some(path) => (path.display().to_string(), text(path)?),
        None => (defaults::CALENDAR.0.to_owned(), defaults::CALENDAR.1.to_owned()),
    };
    Calendar::parse(&name, &text).map_err(|e| CommandError::Refused(e.to_string()))
}

pub(crate) fn bytes(file: &Path) -> Result<Vec<u8>, CommandError> {
    let mut bytes = Vec::new();
    // One byte more than allowed, so that the check says "too large" itself.
    let opened = std::fs::File::open(file).map_err(CommandError::file("open", file))?;
    opened.take(MAX_UPLOAD_BYTES as u64 + 1).read_to_end(&mut bytes).map_err(CommandError::file("read", file))?;
    Ok(bytes)
}

fn text(file: &Path) -> Result<String, CommandError> {
    let mut text = String::new();
    let opened = std::fs::File::open(file).map_err(CommandError::file("open", file))?;
    opened.take(MAX_TEXT_BYTES + 1).read_to_string(&mut text).map_err(CommandError::file("read", file))?;
    if text.len() as u64 > MAX_TEXT_BYTES {
        let said = format!("{} is longer than {} MiB; split it", file.display(), MAX_TEXT_BYTES >> 20);
        return Err(CommandError::Refused(said));
    }
    Ok(text)
}

/// A plugin or input that is refused has exit code 3, a machine that cannot has 1.
fn refused(file: &Path, e: WorkshopError) -> CommandError {
    use gridbell_engine::EngineError as E;
    let code = match &e {
        WorkshopError::Engine(e) => Some(e.code()),
        WorkshopError::Run(e) => Some(e.code()),
        _ => None,
    };
    let code = code.map_or_else(String::new, |c| format!("{c}: "));
    let text = format!("{}: {code}{e}", file.display());
    match e {
        WorkshopError::Engine(E::Setup { .. } | E::Spawn { .. } | E::Io { .. }) => CommandError::Failed(text),
        _ => CommandError::Refused(text),
    }
}
