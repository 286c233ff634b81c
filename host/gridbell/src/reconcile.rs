//! `gridbell reconcile`: each link's days beside its carrier's counts, which come from a CSV file of the carrier's bill.

use std::path::{Path, PathBuf};

use gridbell_model::Date;
use gridbell_platform::form::encode_pairs;
use serde_json::{Map, Value, json};

use crate::error::CommandError;
use crate::remote::{Remote, path_part};

/// Lines of a file of counts at most: ten links over the two years that are kept.
const MAX_LINES: usize = 10_000;
const COLUMNS: [&str; 6] = ["day", "link", "accepted", "delivered", "failed", "cost_milli_fen"];

#[derive(clap::Args, Debug)]
#[command(after_help = "\
Parts count on the day on which their message was accepted. Parts that were never answered may be in the carrier's count or not: neither is a
difference. The file of --import has the columns day, link, accepted, delivered, failed, cost_milli_fen (UTF-8, with a header; what the carrier does
not say stays empty). A line that is refused is told with its number and the others are entered. Exit code 1 where a line was refused.

EXAMPLES
  gridbell reconcile --from 2026-11-01 --to 2026-11-30 --url http://127.0.0.1:8080 --token gb_…
  gridbell reconcile --import bill-2026-11.csv --url … --token …
  gridbell reconcile --from 2026-11-01 --to 2026-11-30 --differing --json --url …")]
pub(crate) struct ReconcileArgs {
    /// First day; yesterday without
    #[arg(long)]
    from: Option<Date>,
    /// Last day, included; the first without
    #[arg(long)]
    to: Option<Date>,
    /// Only days that differ
    #[arg(long)]
    differing: bool,
    /// Enter the carrier's counts of this CSV file, and show those days
    #[arg(long, value_name = "FILE", conflicts_with_all = ["from", "to", "differing"])]
    import: Option<PathBuf>,
    #[command(flatten)]
    remote: Remote,
    /// Print JSON
    #[arg(long)]
    json: bool,
}

pub(crate) async fn reconcile(args: ReconcileArgs) -> Result<(), CommandError> {
    // The client blocks: not on the runtime's threads.
    let work = move || match &args.import {
        Some(file) => import(&args, file),
        None => list(&args),
    };
    tokio::task::spawn_blocking(work).await.map_err(|e| CommandError::Failed(e.to_string()))?
}

fn list(args: &ReconcileArgs) -> Result<(), CommandError> {
    let (from, to) = (args.from.map(|d| d.to_string()), args.to.map(|d| d.to_string()));
    let given = [("from", from.as_deref()), ("to", to.as_deref())];
    let given = given.into_iter().filter_map(|(name, day)| Some((name, day?)));
    let query = encode_pairs(given.chain([("differing", if args.differing { "true" } else { "false" })]));
    let page = args.remote.get(&format!("/v1/reconciliation?{query}"))?;
    let days = page["items"].as_array().cloned().unwrap_or_default();
    show(&days, args.json);
    Ok(())
}

fn import(args: &ReconcileArgs, file: &Path) -> Result<(), CommandError> {
    let failed = |e: csv::Error| CommandError::Failed(format!("{}: {e}", file.display()));
    let mut reader = csv::ReaderBuilder::new().trim(csv::Trim::All).from_path(file).map_err(failed)?;
    let headers = reader.headers().map_err(failed)?.clone();
    let unknown: Vec<&str> =
        headers.iter().map(|h| h.trim_start_matches('\u{feff}')).filter(|h| !COLUMNS.contains(h)).collect();
    if !unknown.is_empty() {
        let text = format!(
            "{}: line 1: unknown columns `{}`: use {}",
            file.display(),
            unknown.join("`, `"),
            COLUMNS.join(", ")
        );
        return Err(CommandError::Failed(text));
    }
    let (mut days, mut refused) = (Vec::new(), 0u32);
    for record in reader.into_records().take(MAX_LINES) {
        let record = record.map_err(failed)?;
        let line = record.position().map_or(0, csv::Position::line);
        let fields: Map<String, Value> = headers
            .iter()
            .map(|h| h.trim_start_matches('\u{feff}').to_owned())
            .zip(record.iter())
            .filter(|(_, value)| !value.is_empty())
            .map(|(name, value)| (name, Value::from(value)))
            .collect();
        match enter(args, file, &fields) {
            Ok(day) => days.push(day),
            Err(why) => {
                refused += 1;
                eprintln!("{}: line {line}: {why}", file.display());
            }
        }
    }
    show(&days, args.json);
    if refused > 0 {
        return Err(CommandError::Failed(format!("{refused} lines were refused, {} were entered", days.len())));
    }
    Ok(())
}

fn enter(args: &ReconcileArgs, file: &Path, fields: &Map<String, Value>) -> Result<Value, String> {
    let text = |name: &str| fields.get(name).and_then(Value::as_str).ok_or(format!("the `{name}` is missing"));
    let (day, link) = (text("day")?, text("link")?);
    let day: Date = day.parse().map_err(|e| format!("day: {e}"))?;
    let source = file.file_name().map(|n| n.to_string_lossy().into_owned()).unwrap_or_default();
    let mut body = Map::from_iter([("source".to_owned(), Value::from(source))]);
    for name in &COLUMNS[2..] {
        if let Some(value) = fields.get(*name).and_then(Value::as_str) {
            let count: u64 = value.parse().map_err(|_| format!("{name}: `{value}` is no whole number"))?;
            body.insert((*name).to_owned(), json!(count));
        }
    }
    let path = format!("/v1/reconciliation/{day}/{}", path_part(link));
    args.remote
        .call("PUT", &path, "application/json", Value::from(body).to_string().as_bytes())
        .map_err(|e| e.to_string())
}

fn show(days: &[Value], json: bool) {
    if json {
        println!("{}", Value::from(days.to_vec()));
        return;
    }
    println!("日期        通道              接收      拒绝      未应答    送达      失败      无回执    费用（元）");
    for d in days {
        let n = |name: &str| d[name].as_u64().unwrap_or(0);
        let cost = n("cost_milli_fen");
        println!(
            "{}  {:<16}  {:<8}  {:<8}  {:<8}  {:<8}  {:<8}  {:<8}  {}.{:03}",
            d["day"].as_str().unwrap_or_default(),
            d["link"].as_str().unwrap_or_default(),
            n("accepted"),
            n("refused"),
            n("unanswered"),
            n("delivered"),
            n("failed"),
            n("unreported"),
            cost / 100_000,
            cost / 100 % 1_000,
        );
        let differences = d["differences"].as_array().into_iter().flatten();
        for difference in differences {
            let title = difference["title"].as_str().unwrap_or_default();
            println!("            差异 {title}：本系统 {}，对方 {}", difference["ours"], difference["carrier"]);
        }
        match &d["carrier"] {
            Value::Null => println!("            对方数据未录入"),
            kept if d["differences"] == json!([]) => {
                println!(
                    "            与对方一致（{}，{} 录入）",
                    kept["source"].as_str().unwrap_or_default(),
                    kept["by"].as_str().unwrap_or_default()
                );
            }
            _ => {}
        }
    }
}
