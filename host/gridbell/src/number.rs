//! `gridbell number`: whose a number is (携号转网), on a running host, and taking back what is known of it.

use serde_json::{Value, json};

use crate::error::CommandError;
use crate::remote::Remote;

#[derive(clap::Args, Debug)]
#[command(after_help = "\
A message goes to the carrier to which its number was taken, where a link serves it, or else to the one to which its segment was given. Numbers that were
taken to another carrier come from files (`gridbell import ported`), and are learned where a gateway refuses a number as not its own and another takes it.
Without a number it prints how many are known.

EXAMPLES
  gridbell number 13800000000 --url http://127.0.0.1:8080 --token gb_…
  gridbell number 13800000000 --forget --why 用户已转回 --url … --token …
  gridbell number --url … --token …")]
pub(crate) struct NumberArgs {
    /// A mobile number; without it, how many are known
    number: Option<String>,
    /// Forget what is known of it: its segment's carrier gets its messages again
    #[arg(long, requires = "why", requires = "number")]
    forget: bool,
    /// Why, for the audit log
    #[arg(long, requires = "forget")]
    why: Option<String>,
    #[command(flatten)]
    remote: Remote,
    /// Print JSON
    #[arg(long)]
    json: bool,
}

pub(crate) async fn number(args: NumberArgs) -> Result<(), CommandError> {
    // The client blocks: not on the runtime's threads.
    let work = move || {
        let Some(number) = &args.number else {
            let counts = args.remote.get("/v1/ported")?;
            show(&counts, args.json, show_counts);
            return Ok(());
        };
        if !number.bytes().all(|b| b.is_ascii_digit()) {
            return Err(CommandError::Usage("write the number with its 11 digits and nothing else".to_owned()));
        }
        let found = if args.forget {
            args.remote.post("/v1/ported/forget", &json!({ "number": number, "why": args.why }))?
        } else {
            args.remote.get(&format!("/v1/ported/number?number={number}"))?
        };
        show(&found, args.json, show_number);
        Ok(())
    };
    tokio::task::spawn_blocking(work).await.map_err(|e| CommandError::Failed(e.to_string()))?
}

fn show(value: &Value, json: bool, say: fn(&Value)) {
    if json {
        println!("{value}");
    } else {
        say(value);
    }
}

fn chinese(value: &Value) -> &str {
    value["chinese"].as_str().unwrap_or("未知")
}

fn show_number(found: &Value) {
    println!("号码 {}", found["number"].as_str().unwrap_or_default());
    println!("号段 {}", chinese(&found["segment"]));
    if found["source"].is_null() {
        println!("未登记携号转网，按号段发送");
        return;
    }
    let since = found["since"].as_str().map(|day| format!("，{day} 起")).unwrap_or_default();
    println!("现运营商 {}（{}{since}）", chinese(&found["carrier"]), chinese(&found["source"]));
    for carrier in found["refused_by"].as_array().into_iter().flatten() {
        println!("  {} 答复：不是本网号码", chinese(carrier));
    }
}

fn show_counts(counts: &Value) {
    println!("携号转网号码 {}（上限 {}）", counts["numbers"], counts["bound"]);
    for count in counts["counts"].as_array().into_iter().flatten().filter(|c| c["numbers"] != 0) {
        let carrier = if count["carrier"].is_null() { "归属待定" } else { chinese(&count["carrier"]) };
        println!("  {carrier}（{}）: {}", chinese(&count["source"]), count["numbers"]);
    }
}
