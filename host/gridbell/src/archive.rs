//! `gridbell archive`: what left the online store. While a host runs on the data directory, `list` and `verify --files-only` work beside it, and
//! the API searches.

use std::collections::BTreeMap;

use comfy_table::{Table, presets};
use gridbell_archive::{Kind, Verified};
use gridbell_conductor::{ArchiveSearch, ArchivedRecord, search_archive};
use gridbell_model::{AccountNumber, Date, Phone};
use gridbell_state::AuditNote;
use serde_json::{Value, json};
use tokio_util::sync::CancellationToken;

use crate::admin::{Place, who};
use crate::error::CommandError;
use crate::open;

#[derive(clap::Subcommand, Debug)]
pub(crate) enum ArchiveCommand {
    /// Move what is older than the province keeps online into the archives, as the host does once a day
    Run(RunArgs),
    /// List the archives: which days and how many records each holds; works beside a running host
    List {
        /// Print JSON
        #[arg(long)]
        json: bool,
        #[command(flatten)]
        place: Place,
    },
    /// Verify that no archive was changed, damaged, exchanged or taken away
    Verify(VerifyArgs),
    /// Find what was said to an account or a number, and why; the search is written to the audit log
    Search(SearchArgs),
}

#[derive(clap::Args, Debug)]
#[command(after_help = "\
How long each kind stays online is in the province's rules, [retention_days]. Only what has ended leaves: a message that is not delivered,
failed, expired or cancelled stays, with its run. What leaves is written to a file first; killed in between, nothing is lost and the next run
completes it.

EXAMPLES
  gridbell archive run --data d --dry-run
  gridbell archive run --config gridbell.toml --json
  gridbell archive run --data d --before 2026-10-01      to make room on a disk that fills")]
pub(crate) struct RunArgs {
    /// Move everything that ended before this civil day, whatever the rules keep online: to make room
    #[arg(long, value_name = "DATE")]
    before: Option<Date>,
    /// Only say what would leave
    #[arg(long)]
    dry_run: bool,
    /// Print JSON
    #[arg(long)]
    json: bool,
    #[command(flatten)]
    place: Place,
}

#[derive(clap::Args, Debug)]
#[command(after_help = "\
Ends with 0 when every byte is as it was written, with 4 and the file and block when not. Whether the newest file is the one that the store
knows is asked of the store, which a running host has open: --files-only leaves that out.

EXAMPLES
  gridbell archive verify --data d
  gridbell archive verify --config gridbell.toml --files-only")]
pub(crate) struct VerifyArgs {
    /// Look at the files alone, beside a running host
    #[arg(long)]
    files_only: bool,
    /// Print JSON
    #[arg(long)]
    json: bool,
    #[command(flatten)]
    place: Place,
}

#[derive(clap::Args, Debug)]
#[command(after_help = "\
Numbers are masked. The search, and whom it was about, is written to the audit log before anything is shown. A number that was erased since
finds nothing.

EXAMPLES
  gridbell archive search --account 0012345678 --data d
  gridbell archive search --phone 13812341234 --from 2026-01-01 --to 2026-03-31 --data d
  gridbell archive search --account 0012345678 --kind message --kind decision --data d --json")]
pub(crate) struct SearchArgs {
    /// 户号: messages, decisions that became none, audit entries
    #[arg(long, required_unless_present_any = ["phone", "kind"], conflicts_with = "phone")]
    account: Option<AccountNumber>,
    /// A telephone number: messages to it, replies from it
    #[arg(long)]
    phone: Option<String>,
    /// Only this kind, several may be given: message, decision, run, inbound, audit, document
    #[arg(long)]
    kind: Vec<Kind>,
    /// From this civil day on
    #[arg(long)]
    from: Option<Date>,
    /// Up to this civil day
    #[arg(long)]
    to: Option<Date>,
    /// So many at most, the newest first
    #[arg(long, default_value_t = 1000, value_parser = clap::value_parser!(u16).range(1..=10_000))]
    limit: u16,
    /// Print a JSON object a line, with everything that is known
    #[arg(long)]
    json: bool,
    #[command(flatten)]
    place: Place,
}

pub(crate) async fn archive(command: ArchiveCommand) -> Result<(), CommandError> {
    match command {
        ArchiveCommand::Run(args) => run(args).await,
        ArchiveCommand::List { json, place } => list(json, &place),
        ArchiveCommand::Verify(args) => verify(args).await,
        ArchiveCommand::Search(args) => search(args).await,
    }
}

async fn run(args: RunArgs) -> Result<(), CommandError> {
    let host = args.place.host().await?;
    if args.dry_run {
        let due = host.archive_due(args.before).await?;
        let queued: u64 = due.decisions.iter().filter_map(|r| host.state().run(r.id)).map(|r| r.queued).sum();
        let decided: u64 = due.decisions.iter().map(|r| r.decided).sum();
        host.state().close().await;
        let counts = [
            (Kind::Message, queued),
            (Kind::Decision, decided - queued.min(decided)),
            (Kind::Run, due.runs.len() as u64),
            (Kind::Inbound, due.replies),
            (Kind::Audit, due.audit_entries),
        ];
        let counts: BTreeMap<Kind, u64> = counts.into_iter().filter(|(_, n)| *n > 0).collect();
        if args.json {
            println!("{}", json!({ "dry_run": true, "entries": words(&counts) }));
        } else {
            println!("将归档 would leave: {}; nothing was moved", line(&counts));
        }
        return Ok(());
    }
    // Ctrl-C ends it between two files.
    let stop = CancellationToken::new();
    let on_signal = stop.clone();
    let watch = tokio::spawn(async move {
        let _ = tokio::signal::ctrl_c().await;
        on_signal.cancel();
    });
    let pass = host.run_archive(&who(), args.before, &stop).await;
    watch.abort();
    host.state().close().await;
    let pass = pass?;
    if args.json {
        let files: Vec<Value> = pass.files.iter().map(|f| json!({ "number": f.number, "path": f.path, "bytes": f.bytes, "head": hex(&f.head), "entries": words(&f.entries) })).collect();
        println!(
            "{}",
            json!({ "dry_run": false, "completed": pass.completed, "files": files, "entries": words(&pass.entries) })
        );
        return Ok(());
    }
    if pass.completed > 0 {
        println!("已补完 completed: {} 个文件 files of a pass that had been killed", pass.completed);
    }
    for file in &pass.files {
        println!("{}: {}, {} bytes", file.path.display(), line(&file.entries), file.bytes);
    }
    println!("已归档 left: {}", line(&pass.entries));
    Ok(())
}

fn words(counts: &BTreeMap<Kind, u64>) -> Value {
    counts.iter().map(|(kind, n)| (kind.word().to_owned(), Value::from(*n))).collect::<serde_json::Map<_, _>>().into()
}

fn line(counts: &BTreeMap<Kind, u64>) -> String {
    if counts.is_empty() {
        return "没有到期记录 nothing is due".to_owned();
    }
    counts.iter().map(|(kind, n)| format!("{} {kind} {n}", kind.chinese())).collect::<Vec<_>>().join(", ")
}

fn hex(bytes: &[u8]) -> String {
    bytes.iter().map(|b| format!("{b:02x}")).collect()
}

fn list(as_json: bool, place: &Place) -> Result<(), CommandError> {
    let config = place.existing()?;
    let archive = open::archive(&config)?;
    let files = archive.list()?;
    if as_json {
        for f in &files {
            println!(
                "{}",
                json!({
                    "number": f.number, "path": f.path, "made": f.made.to_string(), "from": f.from, "to": f.to, "entries": f.entries,
                    "blocks": f.blocks, "bytes": f.bytes, "head": hex(&f.head),
                })
            );
        }
        return Ok(());
    }
    let mut table = Table::new();
    table.load_preset(presets::UTF8_HORIZONTAL_ONLY);
    table.set_header(["文件 file", "归档时间 made", "起 from", "止 to", "记录 records", "字节 bytes", "链 head"]);
    for f in &files {
        table.add_row([
            f.path.file_name().map(|n| n.to_string_lossy().into_owned()).unwrap_or_default(),
            f.made.civil_minute().to_string(),
            f.from.to_string(),
            f.to.to_string(),
            f.entries.to_string(),
            f.bytes.to_string(),
            hex(&f.head[..8]),
        ]);
    }
    println!("{table}");
    println!("{} 个文件 files in {}", files.len(), archive.directory().display());
    Ok(())
}

async fn verify(args: VerifyArgs) -> Result<(), CommandError> {
    let config = args.place.existing()?;
    let archive = open::archive(&config)?;
    let last = if args.files_only {
        None
    } else {
        let (state, _) = args.place.state().await?;
        let head = state.archive_head();
        state.close().await;
        Some((head.file, head.hash))
    };
    let checked = tokio::task::spawn_blocking(move || archive.verify(last))
        .await
        .map_err(|e| CommandError::Failed(e.to_string()))?;
    print_verified(&checked?, last.map(|(number, _)| number), args.json);
    Ok(())
}

fn print_verified(v: &Verified, known: Option<u64>, as_json: bool) {
    let pending = known.map(|k| v.last.saturating_sub(k));
    if as_json {
        println!(
            "{}",
            json!({
                "files": v.files, "first": v.first, "last": v.last, "blocks": v.blocks, "entries": words(&v.entries), "head": hex(&v.head),
                "compared_with_store": known.is_some(), "pending": pending,
            })
        );
        return;
    }
    println!("{} 个文件 files, {} blocks, 完好 whole: {}; head {}", v.files, v.blocks, line(&v.entries), hex(&v.head));
    if v.first > 1 {
        println!("the series begins with file {}: those before it are elsewhere", v.first);
    }
    match pending {
        None => println!("whether the newest file is the one that the store knows was not asked"),
        Some(0) => {}
        Some(n) => println!("{n} files are of a pass that was killed; the next pass completes it"),
    }
}

async fn search(args: SearchArgs) -> Result<(), CommandError> {
    let phone = args.phone.as_deref().map(Phone::from_text);
    if phone.is_some_and(|p| p.number() == 0) {
        return Err(CommandError::Usage("--phone: this is not a phone number (不是有效的电话号码)".to_owned()));
    }
    let search = ArchiveSearch {
        account: args.account,
        phone,
        kinds: args.kind.clone(),
        from: args.from.unwrap_or(Date::NONE),
        to: args.to.unwrap_or(Date::NONE),
        limit: usize::from(args.limit),
    };
    let config = args.place.existing()?;
    let archive = open::archive(&config)?;
    let (state, _) = args.place.state().await?;
    let of_phone = phone.map(|p| p.to_string());
    let note = AuditNote {
        who: who(),
        action: "archive.search".to_owned(),
        subject: args.account.map(|a| a.to_string()).or(of_phone).unwrap_or_default(),
        detail:
            json!({ "kinds": args.kind.iter().map(|k| k.word()).collect::<Vec<_>>(), "from": args.from, "to": args.to })
                .to_string(),
    };
    // The entry first: what is shown was audited.
    state.put_docs(Vec::new(), vec![note]).await?;
    let looking = state.clone();
    let found = tokio::task::spawn_blocking(move || search_archive(&looking, &archive, &search))
        .await
        .map_err(|e| CommandError::Failed(e.to_string()))?;
    state.close().await;
    let found = found?;
    if args.json {
        for record in &found {
            println!(
                "{}",
                json!({ "file": record.file, "kind": record.kind.word(), "at": record.at.to_string(), "record": record.body })
            );
        }
        return Ok(());
    }
    print_found(&found, usize::from(args.limit));
    Ok(())
}

fn print_found(found: &[ArchivedRecord], limit: usize) {
    let mut table = Table::new();
    table.load_preset(presets::UTF8_HORIZONTAL_ONLY);
    table.set_header(["时间 time", "类别 kind", "户号 account", "号码 number", "结果 outcome", "内容 text or reason"]);
    for record in found {
        let text = |field: &str| record.body[field].as_str().unwrap_or_default().to_owned();
        let (number, outcome, content) = match record.kind {
            Kind::Message => (text("phone"), text("state_zh"), text("text")),
            Kind::Decision => (String::new(), format!("拦截：{}", text("held_zh")), text("reason")),
            Kind::Run => (
                String::new(),
                format!("决定 {}，入队 {}", record.body["decided"], record.body["queued"]),
                format!("{} {} {}", text("id"), text("policy"), record.body["prefecture"]),
            ),
            Kind::Inbound => (text("from"), text("handled"), text("text")),
            Kind::Audit => (String::new(), text("who"), format!("{} {}", text("action"), text("subject"))),
            Kind::Document => (String::new(), text("document"), text("sha256")),
        };
        table.add_row([
            record.at.civil_minute().to_string(),
            if record.is_sample() {
                format!("试点样张（{}）", record.kind.chinese())
            } else {
                record.kind.chinese().to_owned()
            },
            text("account"),
            number,
            outcome,
            content,
        ]);
    }
    println!("{table}");
    println!("{} 条记录 records", found.len());
    if found.len() >= limit {
        println!("there may be more: narrow it with --from, --to or --kind, or raise --limit");
    }
}
