//! `gridbell undelivered`: the daily list of subscriptions that were due and did not come, with the reason of each.

use gridbell_model::{Date, Topic};
use gridbell_platform::form::encode_pairs;
use serde_json::Value;

use crate::error::CommandError;
use crate::remote::Remote;

/// Items of one question.
const PAGE: usize = 500;

#[derive(clap::Args, Debug)]
#[command(after_help = "\
Whoever subscribed to bill notices or balance warnings, should have been told on that day and was not: held by a check, failed, expired, cancelled, on its
way still, or decided by no run (a bill was issued that day, or a balance fell below the customer's own threshold, and nothing was said of it since). --csv
prints a table for a spreadsheet.

EXAMPLES
  gridbell undelivered --prefecture 140100 --url http://127.0.0.1:8080 --token gb_…
  gridbell undelivered --prefecture 140100 --day 2026-11-21 --topic bill-notice --csv --url … --token … > list.csv")]
pub(crate) struct UndeliveredArgs {
    /// The prefecture's code: 140100
    #[arg(long)]
    prefecture: u32,
    /// The day on which it was due; today without
    #[arg(long)]
    day: Option<Date>,
    /// Only of this topic: bill-notice, balance-warning
    #[arg(long)]
    topic: Option<Topic>,
    #[command(flatten)]
    remote: Remote,
    /// Print one JSON object a line
    #[arg(long, conflicts_with = "csv")]
    json: bool,
    /// Print CSV
    #[arg(long)]
    csv: bool,
}

pub(crate) async fn undelivered(args: UndeliveredArgs) -> Result<(), CommandError> {
    // The client blocks: not on the runtime's threads.
    let work = move || list(&args);
    tokio::task::spawn_blocking(work).await.map_err(|e| CommandError::Failed(e.to_string()))?
}

/// Page after page, so that no list is in memory as a whole.
fn list(args: &UndeliveredArgs) -> Result<(), CommandError> {
    let (prefecture, limit) = (args.prefecture.to_string(), PAGE.to_string());
    let (day, topic) = (args.day.map(|d| d.to_string()), args.topic.map(|t| t.to_string()));
    let (mut cursor, mut count) = (None::<String>, 0_u64);
    if args.csv {
        println!("\u{feff}户号,供电所编码,供电所,主题,原因,说明,执行批次,消息");
    }
    loop {
        let given = [
            ("prefecture", Some(prefecture.as_str())),
            ("limit", Some(limit.as_str())),
            ("day", day.as_deref()),
            ("topic", topic.as_deref()),
            ("cursor", cursor.as_deref()),
        ];
        let query = encode_pairs(given.into_iter().filter_map(|(name, value)| Some((name, value?))));
        let page = args.remote.get(&format!("/v1/undelivered?{query}"))?;
        for item in page["items"].as_array().into_iter().flatten() {
            count += 1;
            show(item, args);
        }
        match page["next"].as_str() {
            Some(next) => cursor = Some(next.to_owned()),
            None => break,
        }
    }
    if !args.json && !args.csv {
        println!("共 {count} 户次");
    }
    Ok(())
}

fn show(item: &Value, args: &UndeliveredArgs) {
    if args.json {
        println!("{item}");
        return;
    }
    let text = |value: &Value| value.as_str().unwrap_or_default().to_owned();
    let cells = [
        text(&item["account"]),
        item["station"]["code"].to_string(),
        text(&item["station"]["name"]),
        text(&item["topic"]["chinese"]),
        text(&item["why"]["word"]),
        text(&item["why"]["chinese"]),
        text(&item["run"]),
        text(&item["message"]),
    ];
    if args.csv {
        println!("{}", cells.map(|cell| quoted(&cell)).join(","));
    } else {
        println!("{}  {}  {}  {}  {}", cells[0], cells[2], cells[3], cells[5], cells[7]);
    }
}

/// A cell: quoted where needed, and never the start of a formula.
fn quoted(text: &str) -> String {
    let safe = text.trim_start_matches(['=', '+', '-', '@', '\t', '\r']);
    if safe.contains([',', '"', '\n', '\r']) { format!("\"{}\"", safe.replace('"', "\"\"")) } else { safe.to_owned() }
}
