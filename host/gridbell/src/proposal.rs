//! `gridbell proposal`: changes that wait for a second person on a running host, with what their author saw before.

use serde_json::{Value, json};

use crate::error::CommandError;
use crate::remote::Remote;

#[derive(clap::Subcommand, Debug)]
pub(crate) enum ProposalCommand {
    /// List the changes that wait for a second person
    List {
        /// All of them, decided ones too
        #[arg(long)]
        all: bool,
        #[command(flatten)]
        remote: Remote,
        /// Print JSON
        #[arg(long)]
        json: bool,
    },
    /// Show a change: every difference, and the preview that its author saw
    Show {
        /// Its number
        id: u64,
        #[command(flatten)]
        remote: Remote,
        /// Print JSON
        #[arg(long)]
        json: bool,
    },
    /// Agree: the change is made; by another person than its author
    Approve(DecideArgs),
    /// Refuse: nothing is changed
    Refuse(DecideArgs),
    /// Take one's own back
    Withdraw(DecideArgs),
}

#[derive(clap::Args, Debug)]
pub(crate) struct DecideArgs {
    /// Its number
    id: u64,
    /// Why, for the audit log
    #[arg(long)]
    why: String,
    #[command(flatten)]
    remote: Remote,
}

pub(crate) async fn proposal(command: ProposalCommand) -> Result<(), CommandError> {
    // The client blocks: not on the runtime's threads.
    let work = move || match command {
        ProposalCommand::List { all, remote, json } => list(all, &remote, json),
        ProposalCommand::Show { id, remote, json } => show(id, &remote, json),
        ProposalCommand::Approve(args) => decide(&args, "approve"),
        ProposalCommand::Refuse(args) => decide(&args, "refuse"),
        ProposalCommand::Withdraw(args) => decide(&args, "withdraw"),
    };
    tokio::task::spawn_blocking(work).await.map_err(|e| CommandError::Failed(e.to_string()))?
}

fn word<'a>(v: &'a Value, path: &str) -> &'a str {
    v.pointer(path).and_then(Value::as_str).unwrap_or_default()
}

fn list(all: bool, remote: &Remote, as_json: bool) -> Result<(), CommandError> {
    let found = remote.get(if all { "/v1/proposals" } else { "/v1/proposals?state=open" })?;
    if as_json {
        println!("{found}");
        return Ok(());
    }
    let items = found["items"].as_array().map(Vec::as_slice).unwrap_or_default();
    for p in items {
        println!("{}", head(p));
        if let Some(seen) = seen(p) {
            println!("      {seen}");
        }
    }
    if items.is_empty() {
        println!("没有待审批的变更 nothing waits");
    }
    Ok(())
}

/// A proposal on one line.
fn head(p: &Value) -> String {
    let place = match word(p, "/prefecture/name") {
        "" => "全省",
        name => name,
    };
    let changes = p["changes"].as_array().map_or(0, Vec::len) as u64 + p["more"].as_u64().unwrap_or(0);
    format!(
        "{:<5} {} {place} {}：{changes} 处变更 changes，{} 提出 by {}，须由{}同意",
        p["id"],
        word(p, "/state/chinese"),
        word(p, "/kind/chinese"),
        word(p, "/at"),
        word(p, "/by"),
        word(p, "/needs/chinese")
    )
}

/// What its author saw, on one line.
fn seen(p: &Value) -> Option<String> {
    let seen = p.get("preview").filter(|v| v.is_object())?;
    let number = |key: &str| seen[key].as_u64().unwrap_or(0);
    let cost = number("cost_milli_fen");
    let mut text = format!(
        "预览 preview {}：{} 户 customers，{} 条消息 messages，{} 条短信 parts，{}.{:02} 元",
        word(seen, "/at"),
        number("customers"),
        number("messages"),
        number("parts"),
        cost / 100_000,
        cost % 100_000 / 1_000
    );
    if let Some(d) = seen.get("difference").filter(|d| d.is_object()) {
        text = format!("{text}；新增 added {}，减少 dropped {}，改期 moved {}", d["added"], d["dropped"], d["moved"]);
    }
    let (runs, steps) = (number("runs_since"), number("steps_since"));
    Some(format!("{text}；此后 since: 执行 {runs} 次 runs，全省数据推进 {steps} 步 steps of the state"))
}

fn show(id: u64, remote: &Remote, as_json: bool) -> Result<(), CommandError> {
    let p = remote.get(&format!("/v1/proposals/{id}"))?;
    if as_json {
        println!("{p}");
        return Ok(());
    }
    println!("{}", head(&p));
    println!("  理由 why: {}；到期 expires {}", word(&p, "/why"), word(&p, "/expires"));
    for change in p["changes"].as_array().into_iter().flatten() {
        let side = |key: &str| change[key].as_str().unwrap_or("（无）").to_owned();
        println!("  {}：{} → {}", word(change, "/label"), side("from"), side("to"));
    }
    if let Some(more) = p["more"].as_u64().filter(|n| *n > 0) {
        println!("  另有 {more} 处 more");
    }
    match seen(&p) {
        Some(seen) => println!("  {seen}\n  预览编号 digest {}", word(&p, "/preview/digest")),
        None if word(&p, "/kind/word") != "rules" => println!("  提案人没有附上预览 no preview was named"),
        None => {}
    }
    if let Some(by) = p["decided_by"].as_str() {
        println!("  审批人 decided by {by}：{}", word(&p, "/decided_why"));
    }
    Ok(())
}

fn decide(args: &DecideArgs, step: &str) -> Result<(), CommandError> {
    let done = args.remote.post(&format!("/v1/proposals/{}/{step}", args.id), &json!({ "why": args.why }))?;
    println!("{}", head(&done));
    Ok(())
}
