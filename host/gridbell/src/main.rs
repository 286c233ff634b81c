//! The `gridbell` command: every city's notification policy as a WebAssembly plugin, over all of a province's customers.
//!
//! This crate parses what people type, puts the pieces together and prints. It must hold no logic that the API lacks.

// First: its macros shadow the standard library's in all modules below.
#[macro_use]
mod output;

mod admin;
mod archive;
mod bench;
mod certifier;
mod config;
mod correct;
mod defaults;
mod demo;
mod error;
mod explain;
mod foresee;
mod import;
mod number;
mod open;
mod outage;
mod platforms;
mod plugin;
mod policy;
mod preferences;
mod preview;
mod proposal;
mod recall;
mod reconcile;
mod release;
mod remote;
mod replay;
mod screens;
mod serve;
mod simulate;
mod simulated;
mod stop;
mod topology;
mod undelivered;

use std::process::ExitCode;

use clap::{CommandFactory, Parser, Subcommand};

use crate::error::CommandError;

/// Every city's notification policy as a WebAssembly plugin, over all of a province's electricity customers
#[derive(Parser, Debug)]
#[command(
    name = "gridbell",
    version,
    propagate_version = true,
    after_help = "\
EXIT CODES
  0  done
  1  failed: disk, network, another process has the data directory
  2  the command line cannot be
  3  something given was refused: rejected rows, a policy file, a plugin; the message says what, where and what to do
  4  a check found what it looks for: a broken audit chain, a damaged backup or archive, a case that fails, a run
     that comes out otherwise
  130  ended by Ctrl-C before it was done: a preview, an upload that is waited for
A reader who stops reading the output (| head) changes neither the work nor the code.

FIRST STEPS
  gridbell demo                       see the whole product at work on a generated province
  gridbell serve --config gridbell.toml
  gridbell completions bash           completions for your shell"
)]
struct Cli {
    #[command(subcommand)]
    command: Command,
    /// Logs as JSON lines on standard error
    #[arg(long, global = true)]
    log_json: bool,
}

#[derive(Subcommand, Debug)]
enum Command {
    /// Run a generated province through one day: policies, guardrails, a simulated carrier, the console
    Demo(demo::DemoArgs),
    /// Run the host: API, console, schedules, links
    Serve(serve::ServeArgs),
    /// Import customers, bills, balances, payments, bindings or ported numbers from CSV or XLSX
    Import(admin::ImportArgs),
    /// Run a policy once by hand: list whom it would reach, then send; do a run again, compare two
    Run(replay::RunCommand),
    /// Check and apply policy files; why a customer was told something or was not
    #[command(subcommand)]
    Policy(policy::PolicyCommand),
    /// A plugin before it is uploaded, and its versions on a host
    #[command(subcommand)]
    Plugin(plugin::PluginCommand),
    /// Changes that wait for a second person, on a running host: what its author saw, and what you decide
    #[command(subcommand)]
    Proposal(proposal::ProposalCommand),
    /// Outages on a running host: drafts, approval, publication, changes, restoration; fault reports, and the answer to a customer
    #[command(subcommand)]
    Outage(outage::OutageCommand),
    /// Communities and screens of a running host: from CSV, and a list of them
    #[command(subcommand)]
    Screens(screens::ScreensCommand),
    /// Versions that decide and send nothing
    #[command(subcommand)]
    Shadow(release::ShadowCommand),
    /// Hold what would leave, or let something run out, on a running host: the province, a prefecture, a topic, a link, a run
    #[command(subcommand)]
    Stop(stop::StopCommand),
    /// Take back messages that have not left, on a running host: of a run, a link, a topic, a prefecture
    Recall(recall::RecallArgs),
    /// Tell everybody who may have a wrong message what is right, on a running host, once another person agreed
    Correct(Box<correct::CorrectArgs>),
    /// What a customer wants to be told and what not, on a running host: show it, and take down what is said at a counter
    Preferences(preferences::PreferencesArgs),
    /// Whose a number is (携号转网), on a running host: from a file, learned from carriers' answers, or by its segment
    Number(number::NumberArgs),
    /// The grid (站 → 线 → 变 → 户): what hangs on what, what to look at, and feeding for a while
    Topology(topology::TopologyArgs),
    /// Subscriptions that were due on a day and did not come, with the reason of each, on a running host
    Undelivered(undelivered::UndeliveredArgs),
    /// Compare what the links did each day with what their carriers counted (对账), on a running host
    Reconcile(reconcile::ReconcileArgs),
    /// Users of the console
    #[command(subcommand)]
    User(admin::UserCommand),
    /// Bearer tokens of the API
    #[command(subcommand)]
    Token(admin::TokenCommand),
    /// Write a backup of the data directory to one file
    Backup(admin::BackupArgs),
    /// Restore a backup into an empty data directory
    Restore(admin::RestoreArgs),
    /// The audit log
    #[command(subcommand)]
    Audit(admin::AuditCommand),
    /// What left the online store: move what is due, list, verify, search
    #[command(subcommand)]
    Archive(archive::ArchiveCommand),
    /// Run one simulated carrier's gateway on its own, to try a client or this host's links against
    #[command(subcommand)]
    Simulate(simulate::SimulateCommand),
    /// Measure speed and memory on this machine
    Bench(bench::BenchArgs),
    /// Print shell completions
    Completions {
        /// For which shell
        shell: clap_complete::Shell,
    },
    /// Compile an upload from standard input; the host calls this in a process of its own
    #[command(name = open::COMPILE_COMMAND, hide = true)]
    CompilePlugin,
    /// Certify a stored plugin named on standard input; the host calls this in a process of its own
    #[command(name = open::CERTIFY_COMMAND, hide = true)]
    CertifyPlugin,
}

fn main() -> ExitCode {
    let cli = Cli::parse();
    // The compiler's process is limited and may be killed: it starts no runtime and logs nothing.
    if matches!(cli.command, Command::CompilePlugin) {
        return gridbell_engine::child_main();
    }
    if matches!(cli.command, Command::CertifyPlugin) {
        return gridbell_certify::child_main();
    }
    output::logs(cli.log_json);
    let runtime = match tokio::runtime::Builder::new_multi_thread().enable_all().build() {
        Ok(runtime) => runtime,
        Err(e) => return output::failed(&CommandError::from(e)),
    };
    let result = runtime.block_on(dispatch(cli.command));
    // A look-up that still blocks must not keep the process.
    runtime.shutdown_timeout(std::time::Duration::from_secs(5));
    match result.and_then(|()| output::all_printed()) {
        Ok(()) => ExitCode::SUCCESS,
        Err(e) => output::failed(&e),
    }
}

async fn dispatch(command: Command) -> Result<(), CommandError> {
    match command {
        Command::Demo(args) => demo::run(args).await,
        Command::Serve(args) => serve::run(args).await,
        Command::Import(args) => admin::import(args).await,
        Command::Run(command) => replay::run(command).await,
        Command::Policy(command) => policy::run(command).await,
        Command::Plugin(command) => plugin::plugin(command).await,
        Command::Proposal(command) => proposal::proposal(command).await,
        Command::Stop(command) => stop::stop(command).await,
        Command::Recall(args) => recall::recall(args).await,
        Command::Correct(args) => correct::correct(*args).await,
        Command::Preferences(args) => preferences::preferences(args).await,
        Command::Number(args) => number::number(args).await,
        Command::Topology(args) => topology::topology(args).await,
        Command::Undelivered(args) => undelivered::undelivered(args).await,
        Command::Reconcile(args) => reconcile::reconcile(args).await,
        Command::Outage(command) => outage::outage(command).await,
        Command::Screens(command) => screens::screens(command).await,
        Command::Shadow(command) => release::shadow(command).await,
        Command::User(command) => admin::user(command).await,
        Command::Token(command) => admin::token(command).await,
        Command::Backup(args) => admin::backup(args).await,
        Command::Restore(args) => admin::restore(args).await,
        Command::Audit(command) => admin::audit(command).await,
        Command::Archive(command) => archive::archive(command).await,
        Command::Simulate(command) => simulate::run(command).await,
        Command::Bench(args) => bench::run(args).await,
        Command::Completions { shell } => {
            let mut script = Vec::new();
            clap_complete::generate(shell, &mut Cli::command(), "gridbell", &mut script);
            output::write(&String::from_utf8_lossy(&script), "");
            Ok(())
        }
        Command::CompilePlugin | Command::CertifyPlugin => Ok(()),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_command_line_is_sound() {
        Cli::command().debug_assert();
    }
}
