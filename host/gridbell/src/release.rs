//! `gridbell plugin upload` and what follows it, on a running host; `plugin install` and `policy rollback` on a data directory, too.

use std::path::PathBuf;
use std::time::Duration;

use gridbell_conductor::{RollbackOrder, RolledBack};
use gridbell_model::PrefectureCode;
use serde_json::{Value, json};

use crate::admin::{Place, who};
use crate::error::CommandError;
use crate::remote::{MaybeRemote, Remote};

/// How often the host is asked how far an upload is.
const ASK_AGAIN: Duration = Duration::from_millis(300);
/// After how many answers in a row without progress an upload is taken for one that nobody works at.
const STALLED_AFTER: u32 = 20;

#[derive(clap::Subcommand, Debug)]
pub(crate) enum VersionCommand {
    /// Upload a plugin to a running host and wait until it is certified
    Upload(UploadArgs),
    /// Install a plugin into a data directory while no host runs: set-up work, without certification and second person
    Install {
        /// The plugin, .wasm
        file: PathBuf,
        #[command(flatten)]
        place: Place,
    },
    /// Show the versions on a running host, or one with its report
    Status {
        /// name@version or digest; all without
        // `version` is the flag that prints this program's.
        #[arg(id = "which", value_name = "VERSION")]
        version: Option<String>,
        #[command(flatten)]
        remote: Remote,
        /// Print JSON
        #[arg(long)]
        json: bool,
    },
    /// Approve a certified version: by an approver of the province's who did not upload it
    Approve(StepArgs),
    /// Take a version out of use everywhere
    Retire(StepArgs),
    /// Give up an upload that is not certified yet
    Cancel(StepArgs),
}

#[derive(clap::Args, Debug)]
#[command(after_help = "\
The host keeps the file and answers at once; it is then compiled and certified in processes of their own. This waits, with progress, and ends with
  0  certified: an approver of the province's can approve it
  3  refused: it is no plugin of the contract
  4  a promise of the contract is broken: the report has a case to paste into `gridbell plugin test`

EXAMPLE
  gridbell plugin upload my-policy.wasm --url http://127.0.0.1:8080 --token gb_…")]
pub(crate) struct UploadArgs {
    /// The plugin, .wasm
    file: PathBuf,
    #[command(flatten)]
    remote: Remote,
    /// Do not wait for the certification
    #[arg(long)]
    no_wait: bool,
    /// Print the version as JSON at the end
    #[arg(long)]
    json: bool,
}

#[derive(clap::Args, Debug)]
pub(crate) struct StepArgs {
    /// name@version or digest
    #[arg(id = "which", value_name = "VERSION")]
    version: String,
    /// Why, for the audit log
    #[arg(long)]
    why: String,
    #[command(flatten)]
    remote: Remote,
}

pub(crate) async fn version(command: VersionCommand) -> Result<(), CommandError> {
    if let VersionCommand::Install { file, place } = command {
        let bytes = std::fs::read(&file).map_err(CommandError::file("read", &file))?;
        let host = place.host_or_new().await?;
        let installed = host.install_plugin(bytes, &who()).await;
        host.state().close().await;
        let info = installed?;
        println!("{}@{} ({:.12}) is installed; policies may use it", info.name, info.version, info.digest);
        return Ok(());
    }
    // The client blocks: not on the runtime's threads.
    let work = move || match command {
        VersionCommand::Upload(args) => upload(&args),
        VersionCommand::Status { version, remote, json } => status(version.as_deref(), &remote, json),
        VersionCommand::Approve(args) => step(&args, "approve"),
        VersionCommand::Retire(args) => step(&args, "retire"),
        VersionCommand::Cancel(args) => step(&args, "cancel"),
        VersionCommand::Install { .. } => Ok(()),
    };
    tokio::task::spawn_blocking(work).await.map_err(|e| CommandError::Failed(e.to_string()))?
}

fn word<'a>(v: &'a Value, path: &str) -> &'a str {
    v.pointer(path).and_then(Value::as_str).unwrap_or_default()
}

fn upload(args: &UploadArgs) -> Result<(), CommandError> {
    let bytes = std::fs::read(&args.file).map_err(CommandError::file("read", &args.file))?;
    let mut version = args.remote.call("POST", "/v1/plugins", "application/wasm", &bytes)?;
    let path = format!("/v1/plugins/{}", word(&version, "/digest"));
    let (mut shown, mut idle) = (String::new(), 0);
    while !args.no_wait && matches!(word(&version, "/stage/word"), "uploaded" | "checked") {
        idle = if version["progress"].is_null() { idle + 1 } else { 0 };
        if idle == STALLED_AFTER {
            let text = format!(
                "the host does not go on with `{}`: its alarm `plugin.not-checked` (GET /v1/alarms, or the host's log) says why; it tries again \
                 when it is started next",
                word(&version, "/digest")
            );
            return Err(CommandError::Failed(text));
        }
        let percent = version.pointer("/progress/percent").and_then(Value::as_u64).unwrap_or(0);
        let line = format!("{:3} % {}", percent, word(&version, "/progress/doing"));
        if !args.json && line != shown {
            eprintln!("{line}");
            shown = line;
        }
        std::thread::sleep(ASK_AGAIN);
        version = args.remote.get(&path)?;
    }
    if args.json {
        println!("{version}");
    } else {
        print_version(&version);
    }
    let why = word(&version, "/report/summary").to_owned();
    match word(&version, "/stage/word") {
        "refused" => Err(CommandError::Refused(why)),
        "failed-certification" => Err(CommandError::Found("the certification failed; see the report above".to_owned())),
        "interrupted" => Err(CommandError::Failed(why)),
        "cancelled" => Err(CommandError::Refused("somebody cancelled it".to_owned())),
        _ => Ok(()),
    }
}

fn print_version(v: &Value) {
    let (name, version) = (word(v, "/name"), word(v, "/version"));
    let label = if name.is_empty() { "?".to_owned() } else { format!("{name}@{version}") };
    println!("{label}  {} {}  {:.12}", word(v, "/stage/word"), word(v, "/stage/chinese"), word(v, "/digest"));
    for step in v["steps"].as_array().into_iter().flatten() {
        let why = word(step, "/why");
        println!("  {}  {:<21} {}  {why}", word(step, "/at"), word(step, "/stage/word"), word(step, "/who"));
    }
    for failure in v.pointer("/report/failures").and_then(Value::as_array).into_iter().flatten() {
        println!("\n# {}: {}\n{}", word(failure, "/check"), word(failure, "/explanation"), word(failure, "/case_toml"));
    }
}

fn status(version: Option<&str>, remote: &Remote, json: bool) -> Result<(), CommandError> {
    let found = match version {
        Some(version) => remote.get(&format!("/v1/plugins/{version}"))?,
        None => remote.get("/v1/plugins")?,
    };
    if json {
        println!("{found}");
        return Ok(());
    }
    match found["items"].as_array() {
        Some(items) => {
            for v in items {
                let label = format!("{}@{}", word(v, "/name"), word(v, "/version"));
                println!(
                    "{label:<32} {:<21} {:.12}  {}",
                    word(v, "/stage/word"),
                    word(v, "/digest"),
                    word(v, "/uploaded_by")
                );
            }
        }
        None => print_version(&found),
    }
    Ok(())
}

fn step(args: &StepArgs, step: &str) -> Result<(), CommandError> {
    let done = args.remote.post(&format!("/v1/plugins/{}/{step}", args.version), &json!({ "why": args.why }))?;
    println!("{}@{} is {}", word(&done, "/name"), word(&done, "/version"), word(&done, "/stage/word"));
    Ok(())
}

#[derive(clap::Args, Debug)]
#[command(after_help = "\
The version before decides from the next batch of a run under way on, and what the bad version queued and has not left is taken back. Nobody else is
asked: less goes out by it. While a host runs, say which by --url and --token; else name the data directory.

EXAMPLE
  gridbell policy rollback 140100 arrears-reminder --why 误发 --url http://127.0.0.1:8080 --token gb_…")]
pub(crate) struct RollbackArgs {
    /// GB/T 2260 code
    prefecture: u32,
    /// Name of the policy
    policy: String,
    /// name@version to go to; without it the live one where a canary or pilot is under way, else the one before the live one
    #[arg(long, value_name = "VERSION")]
    to: Option<String>,
    /// Why, for the audit log
    #[arg(long)]
    why: String,
    #[command(flatten)]
    remote: MaybeRemote,
    #[command(flatten)]
    place: Place,
}

pub(crate) async fn rollback(args: RollbackArgs) -> Result<(), CommandError> {
    let done = match args.remote.given(&args.place)? {
        Some(remote) => {
            let path = format!("/v1/policies/{}/{}/rollback", args.prefecture, args.policy);
            let body = json!({ "to": args.to, "why": args.why });
            let asked = tokio::task::spawn_blocking(move || remote.post(&path, &body)).await;
            serde_json::from_value::<RolledBack>(asked.map_err(|e| CommandError::Failed(e.to_string()))??)?
        }
        None => {
            let host = args.place.host().await?;
            let order = RollbackOrder {
                prefecture: PrefectureCode(args.prefecture),
                policy: args.policy.clone(),
                to: args.to,
                why: args.why,
                who: who(),
            };
            let done = host.rollback(&order).await;
            host.state().close().await;
            done?
        }
    };
    println!("{} decides for {}/{} instead of {}", done.to, args.prefecture, args.policy, done.from.join(", "));
    println!("{} messages were taken back, {} had left", done.recalled, done.left);
    if done.samples > 0 {
        println!("{} samples to test numbers were taken back as well", done.samples);
    }
    Ok(())
}

#[derive(clap::Subcommand, Debug)]
pub(crate) enum ShadowCommand {
    /// What the shadows of a policy would have done otherwise, and its pilots outside their stations, with samples
    Report {
        /// GB/T 2260 code
        prefecture: u32,
        /// Name of the policy
        policy: String,
        #[command(flatten)]
        remote: Remote,
        /// Print JSON
        #[arg(long)]
        json: bool,
    },
}

pub(crate) async fn shadow(command: ShadowCommand) -> Result<(), CommandError> {
    let ShadowCommand::Report { prefecture, policy, remote, json } = command;
    let path = format!("/v1/policies/{prefecture}/{policy}/shadow");
    let asked = tokio::task::spawn_blocking(move || remote.get(&path)).await;
    let found = asked.map_err(|e| CommandError::Failed(e.to_string()))??;
    if json {
        println!("{found}");
        return Ok(());
    }
    let reports = found["items"].as_array().cloned().unwrap_or_default();
    if reports.is_empty() {
        println!("policy {prefecture}/{policy} has had no shadow and no pilot");
    }
    for report in &reports {
        let number = |key: &str| report[key].as_u64().unwrap_or(0);
        let mode = word(report, "/mode");
        let units: Vec<String> = report["not_under"].as_array().into_iter().flatten().map(Value::to_string).collect();
        let beyond = if units.is_empty() { String::new() } else { format!(" outside {}", units.join(", ")) };
        println!(
            "{}: {mode}{beyond}: runs seen {}, since {}; live would send {}, {mode} {}, same {}",
            word(report, "/version"),
            number("runs"),
            word(report, "/since"),
            number("live_sends"),
            number("shadow_sends"),
            number("same")
        );
        if let Some(why) = report["failed"].as_str() {
            println!("  it failed in its latest run: {why}");
        }
        for (kind, count) in report["differences"].as_object().into_iter().flatten() {
            println!("  {kind}: {count}");
            for sample in report["samples"][kind].as_array().into_iter().flatten().take(3) {
                let (live, shadow) = (word(sample, "/live"), word(sample, "/shadow"));
                println!("    {}  live [{live}]  {mode} [{shadow}]", word(sample, "/account"));
            }
        }
    }
    Ok(())
}
