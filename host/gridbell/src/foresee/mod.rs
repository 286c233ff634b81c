//! `gridbell policy preview`: whom a candidate would reach, before it is live. Asks a running host, or reads a data directory; writes nothing.

mod remote;
mod show;

use std::io::IsTerminal;
use std::path::{Path, PathBuf};
use std::time::Duration;

use gridbell_conductor::{Candidate, Host, HostError, MAX_PREVIEW_DAYS, PluginChoice, PolicyPreview, PreviewRequest};
use gridbell_model::{CivilMinute, PrefectureCode};
use gridbell_planner::{Policy, PolicyFile, RunScope};
use serde_json::{Map, Value};

use crate::admin::{Place, who};
use crate::error::{CommandError, with_causes};
use crate::plugin;
use crate::remote::MaybeRemote;

/// How often progress is told.
const LOOK: Duration = Duration::from_millis(250);

#[derive(clap::Args, Debug)]
#[command(after_help = "\
The candidate is the live policy with whatever is given instead: parameters, a plugin, or a whole policy. Both run over the same customers as they
are now; nothing is written and nothing is sent. With --days both run by their own schedules: what each run says counts for the next ones, and
figures are taken as computed again each day; there are no payments, new bills or drift. Without it both run once at that moment.
While a host runs, say which by --url and --token; else name the data directory. A plugin's FILE is tried as it is on a data directory; a running
host tries only what was uploaded to it, certified or not. Each office has one preview at a time. Ctrl-C ends it before its next batch, on the host,
too.

EXAMPLES
  gridbell policy preview 140100 arrears-reminder --parameters '{\"steps\":[10,5,1]}' --days 30 --data d
  gridbell policy preview 140100 arrears-reminder --plugin arrears-reminder@0.2.0 --data d
  gridbell policy preview 140100 arrears-reminder --plugin my.wasm --at 2026-11-25T08:30 --data d --json | jq .difference
  gridbell policy preview 140100 arrears-reminder --policy new.toml --days 30 --url https://gridbell.example.cn --token gb_…")]
pub(crate) struct PreviewArgs {
    /// GB/T 2260 code
    prefecture: u32,
    /// Name of the policy
    #[arg(value_name = "POLICY")]
    policy: String,
    /// What changes of its parameters: JSON, or a file of JSON or TOML; null takes one away
    #[arg(long, value_name = "JSON|FILE")]
    parameters: Option<String>,
    /// The plugin that would decide: a file, a version that was uploaded, or the SHA-256 of its upload
    #[arg(long, value_name = "FILE|NAME@VERSION")]
    plugin: Option<String>,
    /// A policy file with the policy as it would be
    #[arg(long = "policy", value_name = "FILE")]
    policy_file: Option<PathBuf>,
    /// From when on, as 2026-11-25T08:30; now by default
    #[arg(long, value_name = "TIME")]
    at: Option<CivilMinute>,
    /// How many days of the policies' own schedules; without it one run
    #[arg(long, value_name = "N", value_parser = clap::value_parser!(u8).range(1..=i64::from(MAX_PREVIEW_DAYS)))]
    days: Option<u8>,
    /// Print everything as one JSON object
    #[arg(long)]
    json: bool,
    #[command(flatten)]
    remote: MaybeRemote,
    #[command(flatten)]
    place: Place,
}

/// Previews and prints.
pub(crate) async fn run(args: PreviewArgs) -> Result<(), CommandError> {
    let prefecture = PrefectureCode(args.prefecture);
    let parameters = args.parameters.as_deref().map(parameters).transpose()?;
    let policy = args.policy_file.as_deref().map(|file| policy(file, prefecture, &args.policy)).transpose()?;
    let tell = !args.json && std::io::stderr().is_terminal();
    if let Some(remote) = args.remote.given(&args.place)? {
        let asked = remote::Asked {
            prefecture,
            name: args.policy,
            parameters,
            policy,
            plugin: args.plugin,
            at: args.at,
            days: args.days,
        };
        return print(&remote::preview(remote, asked, tell).await?, args.json);
    }
    let host = args.place.host().await?;
    let plugin = match &args.plugin {
        Some(word) => Some(plugin_of(&host, word).await?),
        None => None,
    };
    let request = PreviewRequest {
        prefecture,
        policy: args.policy,
        candidate: Candidate { policy, parameters, plugin },
        at: args.at,
        days: args.days,
        scope: RunScope::default(),
        office: who(),
    };
    let preview = watched(&host, request, tell).await;
    let known = host.policies_by_prefecture();
    host.state().close().await;
    let preview = preview.map_err(|e| match e {
        HostError::NoPolicies(_) if !known.is_empty() => {
            let known: Vec<String> = known.keys().map(ToString::to_string).collect();
            CommandError::Refused(format!("{e}; there are policies for {}", known.join(", ")))
        }
        other => other.into(),
    })?;
    print(&preview, args.json)
}

fn print(preview: &PolicyPreview, json: bool) -> Result<(), CommandError> {
    if json {
        println!("{}", serde_json::to_string(preview)?);
    } else {
        println!("{}", show::tables(preview));
    }
    Ok(())
}

/// Waits for the preview; Ctrl-C ends it.
async fn watched(host: &Host, request: PreviewRequest, tell: bool) -> Result<PolicyPreview, HostError> {
    let (prefecture, office) = (request.prefecture, request.office.clone());
    let mut preview = std::pin::pin!(host.preview_policy(request));
    let mut interrupt = std::pin::pin!(tokio::signal::ctrl_c());
    let mut told = false;
    let outcome = loop {
        tokio::select! {
            biased;
            outcome = &mut preview => break outcome,
            _ = &mut interrupt => {
                host.cancel_preview(prefecture, &office);
                break preview.await;
            }
            () = host.clock().sleep(LOOK) => {}
        }
        if let Some(progress) = host.preview_progress(prefecture, &office).filter(|_| tell) {
            eprint!("\r  预览 {} / {} 次执行 runs", progress.done, progress.of);
            told = true;
        }
    };
    if told {
        eprintln!("");
    }
    outcome
}

fn parameters(given: &str) -> Result<Map<String, Value>, CommandError> {
    match plugin::parameters(given)? {
        Value::Object(map) => Ok(map),
        other => Err(CommandError::Refused(format!(
            "the parameters are `{other}`: write an object, as {{\"steps\": [7, 3]}}"
        ))),
    }
}

fn policy(file: &Path, prefecture: PrefectureCode, name: &str) -> Result<Policy, CommandError> {
    let text = std::fs::read_to_string(file).map_err(CommandError::file("read", file))?;
    let shown = file.display();
    let set = PolicyFile::parse(&file.to_string_lossy(), &text).map_err(HostError::from)?.set;
    if set.prefecture != prefecture {
        return Err(CommandError::Refused(format!("{shown} is of prefecture {}, not of {prefecture}", set.prefecture)));
    }
    let known = || set.policies.iter().map(|p| p.name.as_str()).collect::<Vec<_>>().join(", ");
    set.policy(name)
        .cloned()
        .ok_or_else(|| CommandError::Refused(format!("{shown} has no policy `{name}`; it has {}", known())))
}

/// A file if there is one of this name, else what was uploaded under it.
async fn plugin_of(host: &Host, word: &str) -> Result<PluginChoice, CommandError> {
    match file_of(word)? {
        Some(path) => {
            let tried = host.try_plugin(plugin::bytes(path)?).await;
            Ok(PluginChoice::Loaded(
                tried.map_err(|e| CommandError::Refused(format!("`{word}`: {}", with_causes(&e))))?,
            ))
        }
        None => Ok(PluginChoice::Uploaded(word.to_owned())),
    }
}

/// The file that `word` names, if it names one rather than a version.
fn file_of(word: &str) -> Result<Option<&Path>, CommandError> {
    let path = Path::new(word);
    if path.is_file() {
        return Ok(Some(path));
    }
    if path.extension().is_some_and(|e| e == "wasm") || word.contains('/') {
        let text =
            format!("there is no file `{word}`: name the .wasm that the build made, or a version as NAME@VERSION");
        return Err(CommandError::Refused(text));
    }
    Ok(None)
}
