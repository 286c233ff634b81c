//! `gridbell recall`: taking back what has not left, on a running host, after showing how much it is.

use std::io::{BufRead as _, IsTerminal as _, Write as _};

use serde_json::{Value, json};

use crate::error::CommandError;
use crate::remote::Remote;

#[derive(clap::Args, Debug)]
#[command(after_help = "\
Messages that wait are cancelled for good, with their next channels; what a carrier or a platform has already is counted and cannot be taken back. While
runs go on, set an emergency stop of the same scope first, which loses nothing: what they queue meanwhile would stay.

EXAMPLES
  gridbell recall run:R9 --why 模板文字有误 --dry-run --url http://127.0.0.1:8080 --token gb_…
  gridbell recall run:R9 --why 模板文字有误 --yes --url http://127.0.0.1:8080 --token gb_…
  gridbell recall topic:arrears-reminder --why … --url …")]
pub(crate) struct RecallArgs {
    /// run:R9, prefecture:140100, topic:arrears-reminder, link:mobile (all that waits in the queues that it takes from), or province
    scope: String,
    /// Why, for the audit log
    #[arg(long)]
    why: String,
    /// Only show how many
    #[arg(long)]
    dry_run: bool,
    /// Do not ask before
    #[arg(long)]
    yes: bool,
    #[command(flatten)]
    remote: Remote,
    /// Print JSON
    #[arg(long)]
    json: bool,
}

pub(crate) async fn recall(args: RecallArgs) -> Result<(), CommandError> {
    // The client blocks: not on the runtime's threads.
    tokio::task::spawn_blocking(move || ask_and_recall(&args)).await.map_err(|e| CommandError::Failed(e.to_string()))?
}

fn ask_and_recall(args: &RecallArgs) -> Result<(), CommandError> {
    let order = |dry_run: bool| json!({ "scope": args.scope, "why": args.why, "dry_run": dry_run });
    if args.dry_run || !args.yes {
        let would = args.remote.post("/v1/recalls", &order(true))?;
        if args.dry_run {
            show(&would, args.json);
            return Ok(());
        }
        confirm(&would)?;
    }
    show(&args.remote.post_at_length("/v1/recalls", &order(false))?, args.json);
    Ok(())
}

fn confirm(would: &Value) -> Result<(), CommandError> {
    let text = "nothing was taken back: say --yes where nobody can be asked, or --dry-run to see how many";
    if !std::io::stdin().is_terminal() {
        return Err(CommandError::Failed(text.to_owned()));
    }
    eprint!("{} messages are taken back for good, {} have left. Go on? [y/N] ", would["taken_back"], would["left"]);
    std::io::stderr().flush()?;
    let mut answer = String::new();
    std::io::stdin().lock().read_line(&mut answer)?;
    if matches!(answer.trim(), "y" | "Y" | "yes") { Ok(()) } else { Err(CommandError::Failed(text.to_owned())) }
}

fn show(done: &Value, json: bool) {
    let scope = done["scope"].as_str().unwrap_or_default();
    if json {
        println!("{done}");
    } else if done["dry_run"] == true {
        println!("{scope}: {} messages would be taken back, {} have left", done["taken_back"], done["left"]);
    } else {
        println!("{scope}: {} messages were taken back, {} had left", done["taken_back"], done["left"]);
    }
}
