//! `gridbell policy`: what its other commands do is in modules of their own; here files are checked and applied, or proposed to a running host.
//! A running host is never changed by one person alone: there a file becomes a proposal.

use std::path::{Path, PathBuf};

use gridbell_conductor::HostError;
use gridbell_planner::PolicyFile;
use gridbell_platform::form::encode_pairs;
use serde_json::{Value, json};

use crate::admin::{Place, who};
use crate::error::CommandError;
use crate::foresee;
use crate::remote::{MaybeRemote, Remote};

#[derive(clap::Subcommand, Debug)]
pub(crate) enum PolicyCommand {
    /// Check a policy file and apply it, or propose it to a running host; the difference is shown; a bad file leaves the old policy running
    Apply(ApplyArgs),
    /// See whom a candidate would reach that the live policy would not, before it is live; nothing is written
    Preview(foresee::PreviewArgs),
    /// Go back to the version before, and take back what the bad one queued and has not left
    Rollback(crate::release::RollbackArgs),
    /// Why a customer was told something, was not, or will be and when
    Explain(crate::explain::ExplainArgs),
    /// Check the province's rules and put them in force: topics, classes, quiet hours, caps; a bad file leaves the old rules in force
    Rules {
        /// TOML, as policies/province.toml
        file: PathBuf,
        #[command(flatten)]
        place: Place,
    },
}

#[derive(clap::Args, Debug)]
#[command(after_help = "\
On the data directory of a stopped host the file is applied: set-up work, without a second person. A running host, named by --url and --token, makes
a proposal of it that another person must approve: `gridbell proposal list` shows it. Every mistake is told with its line; a bad file changes
nothing.

EXAMPLES
  gridbell policy apply policies/140100-taiyuan.toml --dry-run --data d
  gridbell policy apply policies/140100-taiyuan.toml --data d
  gridbell policy apply 140100.toml --why 提前天数改为十天 --url https://gridbell.example.cn --token gb_…")]
pub(crate) struct ApplyArgs {
    /// TOML, one prefecture
    file: PathBuf,
    /// Only show the difference
    #[arg(long)]
    dry_run: bool,
    /// Why, for whoever is to agree; a running host only
    #[arg(long, default_value = "")]
    why: String,
    /// The `digest` of the preview of this change that you saw, for whoever is to agree; a running host only
    #[arg(long, value_name = "DIGEST")]
    preview: Option<String>,
    #[command(flatten)]
    remote: MaybeRemote,
    #[command(flatten)]
    place: Place,
}

pub(crate) async fn run(command: PolicyCommand) -> Result<(), CommandError> {
    match command {
        PolicyCommand::Apply(args) => apply(args).await,
        PolicyCommand::Preview(args) => foresee::run(args).await,
        PolicyCommand::Rollback(args) => crate::release::rollback(args).await,
        PolicyCommand::Explain(args) => crate::explain::explain(args).await,
        PolicyCommand::Rules { file, place } => {
            let text = read(&file)?;
            let host = place.host_or_new().await?;
            host.apply_rules(&file.to_string_lossy(), &text, &who()).await?;
            host.state().close().await;
            println!("the rules of {} are in force", file.display());
            Ok(())
        }
    }
}

fn read(file: &Path) -> Result<String, CommandError> {
    std::fs::read_to_string(file).map_err(CommandError::file("read", file))
}

async fn apply(args: ApplyArgs) -> Result<(), CommandError> {
    let text = read(&args.file)?;
    if let Some(remote) = args.remote.clone().given(&args.place)? {
        return propose(remote, &args, text).await;
    }
    if !args.why.is_empty() || args.preview.is_some() {
        let text =
            "--why and --preview are for whoever is to agree, and on a stopped host nobody is asked: leave them out";
        return Err(CommandError::Usage(text.to_owned()));
    }
    let host = if args.dry_run { args.place.host().await? } else { args.place.host_or_new().await? };
    let changes = host.apply_policies(&args.file.to_string_lossy(), &text, None, &who(), args.dry_run).await?;
    host.state().close().await;
    for change in &changes {
        println!("{change}");
    }
    println!("{} changes{}", changes.len(), if args.dry_run { "; nothing was applied" } else { "" });
    Ok(())
}

/// Proposes the file to a running host.
async fn propose(remote: Remote, args: &ApplyArgs, text: String) -> Result<(), CommandError> {
    let document = args.file.to_string_lossy().into_owned();
    // Read here, too: the address has the prefecture in it, and mistakes are told with their lines.
    let prefecture = PolicyFile::parse(&document, &text).map_err(HostError::from)?.set.prefecture;
    let dry_run = args.dry_run.to_string();
    let query = [("dry_run", dry_run.as_str()), ("why", &args.why)];
    let query = query.into_iter().chain(args.preview.as_deref().map(|digest| ("preview", digest)));
    let path = format!("/v1/policies/{prefecture}?{}", encode_pairs(query));
    let body = json!({ "document": document, "text": text }).to_string();
    let asked = move || remote.call("PUT", &path, "application/json", body.as_bytes());
    let answer = tokio::task::spawn_blocking(asked).await.map_err(|e| CommandError::Failed(e.to_string()))??;
    let shown = |v: &Value| v.as_str().unwrap_or("（无）").to_owned();
    let changes = answer["changes"].as_array().map_or(&[][..], Vec::as_slice);
    for change in changes {
        println!("{}: {} → {}", shown(&change["label"]), shown(&change["from"]), shown(&change["to"]));
    }
    match (answer["proposal"].as_u64(), changes.is_empty()) {
        (Some(id), _) => println!("proposal {id} 提案已提交，须由{}同意后生效", shown(&answer["needs"]["chinese"])),
        (None, true) => println!("nothing would change 没有变化"),
        (None, false) => println!("{} changes; nothing was proposed", changes.len()),
    }
    Ok(())
}
