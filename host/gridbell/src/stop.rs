//! `gridbell stop`: holding what would leave, letting something run out, and releasing either, on a running host.

use clap::Subcommand;
use serde_json::{Value, json};

use crate::error::CommandError;
use crate::remote::{Remote, path_part};

const SCOPES: &str = "\
SCOPES
  province                 everything
  prefecture:140100        one prefecture's customers
  topic:arrears-reminder   one topic
  link:mobile              one link
  run:R9                   what one run queued, with its next channels (hold only)

EXAMPLES
  gridbell stop hold topic:arrears-reminder --why 模板文字有误 --url http://127.0.0.1:8080 --token gb_…
  gridbell stop drain link:mobile --why 换专线 --url …
  gridbell stop list --url …
  gridbell stop release link:mobile --url …";

#[derive(Subcommand, Debug)]
pub(crate) enum StopCommand {
    /// Stops in force, and how much is unsettled within each
    List(ListArgs),
    /// Nothing within the scope leaves, within a second; decisions go on and wait. Nothing is lost
    #[command(after_help = SCOPES)]
    Hold(SetArgs),
    /// Nothing new begins within the scope, and what waits leaves: before work on a line, or the end of a topic. A link claims no more, and others of
    /// its carrier take over; schedules that fall due meanwhile run late after the release, within their catch-up time
    #[command(after_help = SCOPES)]
    Drain(SetArgs),
    /// What was held goes on, what ran out begins again
    #[command(after_help = SCOPES)]
    Release(ReleaseArgs),
}

#[derive(clap::Args, Debug)]
pub(crate) struct ListArgs {
    #[command(flatten)]
    remote: Remote,
    /// Print one JSON object a line
    #[arg(long)]
    json: bool,
}

#[derive(clap::Args, Debug)]
pub(crate) struct SetArgs {
    /// What: see below
    scope: String,
    /// Why, for the audit log and for whoever sees it
    #[arg(long)]
    why: String,
    #[command(flatten)]
    remote: Remote,
    /// Print JSON
    #[arg(long)]
    json: bool,
}

#[derive(clap::Args, Debug)]
pub(crate) struct ReleaseArgs {
    /// What: as `gridbell stop list` shows it
    scope: String,
    #[command(flatten)]
    remote: Remote,
}

pub(crate) async fn stop(command: StopCommand) -> Result<(), CommandError> {
    // The client blocks: not on the runtime's threads.
    let work = move || match command {
        StopCommand::List(args) => list(&args),
        StopCommand::Hold(args) => set(&args, "hold"),
        StopCommand::Drain(args) => set(&args, "drain"),
        StopCommand::Release(args) => release(&args),
    };
    tokio::task::spawn_blocking(work).await.map_err(|e| CommandError::Failed(e.to_string()))?
}

fn list(args: &ListArgs) -> Result<(), CommandError> {
    let page = args.remote.get("/v1/stops")?;
    let stops = page["items"].as_array().map(Vec::as_slice).unwrap_or_default();
    for stop in stops {
        show(stop, args.json);
    }
    if stops.is_empty() && !args.json {
        println!("nothing is stopped");
    }
    Ok(())
}

fn set(args: &SetArgs, mode: &str) -> Result<(), CommandError> {
    let order = json!({ "scope": args.scope, "mode": mode, "why": args.why });
    show(&args.remote.post("/v1/stops", &order)?, args.json);
    Ok(())
}

fn release(args: &ReleaseArgs) -> Result<(), CommandError> {
    args.remote.call("DELETE", &format!("/v1/stops/{}", path_part(&args.scope)), "application/json", &[])?;
    println!("{} is released", args.scope);
    Ok(())
}

fn show(stop: &Value, json: bool) {
    if json {
        println!("{stop}");
        return;
    }
    let word = |name: &str| stop[name].as_str().unwrap_or_default().to_owned();
    let unsettled = stop["unsettled"].as_u64().map_or_else(|| "–".to_owned(), |n| n.to_string());
    let does = if stop["mode"] == "drain" { "runs out" } else { "is held" };
    println!(
        "{} {does}: {unsettled} messages unsettled; {}, {} since {}",
        word("scope"),
        word("why"),
        word("by"),
        word("since")
    );
}
