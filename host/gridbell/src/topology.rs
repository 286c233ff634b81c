//! `gridbell topology`: the grid of a running host: what feeds something and what hangs on it, what of it should be looked at, and feeding for a while.

use serde_json::{Map, Value, json};

use crate::error::CommandError;
use crate::remote::{Remote, path_part};

#[derive(clap::Args, Debug)]
#[command(after_help = "\
The grid comes from files: gridbell import substations|lines|sections|transformers|supply FILE, in this order. What is affected by an outage is what is fed at
the moment: feeding for a while (转供电) is told here, and ends by itself at --until or with --end.

EXAMPLES
  gridbell topology show L0701 --url http://127.0.0.1:8080 --token gb_…
  gridbell topology check --url … --token …
  gridbell topology feed --section L0701-03 --from-section L0802-02 --until 2026-11-21T18:00 --why 线路检修 --url … --token …
  gridbell topology feed --section L0701-03 --end --why 检修结束 --url … --token …
  gridbell topology remove transformer T0701017 --why 已拆除 --url … --token …")]
pub(crate) struct TopologyArgs {
    #[command(subcommand)]
    command: Topology,
}

#[derive(clap::Subcommand, Debug)]
enum Topology {
    /// What has a code: what feeds it now, what hangs on it, whom it takes along
    Show {
        /// Code of a substation, line, section, switch or transformer
        code: String,
        #[command(flatten)]
        remote: Remote,
        /// Print JSON
        #[arg(long)]
        json: bool,
    },
    /// What should be looked at: what has nothing hanging on it, supply over borders, customers without a transformer
    Check {
        #[command(flatten)]
        remote: Remote,
        /// Print JSON
        #[arg(long)]
        json: bool,
    },
    /// Feeds a section or transformer otherwise for a while, or normally again
    Feed(Box<Feed>),
    /// What is fed otherwise, is to be, or was in the last days
    Feeds {
        #[command(flatten)]
        remote: Remote,
        /// Print JSON
        #[arg(long)]
        json: bool,
    },
    /// Takes a thing out of the grid, where nothing hangs on it
    Remove {
        /// substation, line, section, switch or transformer
        kind: String,
        /// Its code
        code: String,
        /// Why, for the audit log
        #[arg(long)]
        why: String,
        #[command(flatten)]
        remote: Remote,
    },
}

#[derive(clap::Args, Debug)]
struct Feed {
    /// The section that is fed otherwise, with all that it feeds
    #[arg(long, conflicts_with = "transformer", required_unless_present = "transformer")]
    section: Option<String>,
    /// The transformer that is
    #[arg(long)]
    transformer: Option<String>,
    /// The section that feeds it meanwhile
    #[arg(long = "from-section", visible_alias = "from", conflicts_with = "from_line")]
    from_section: Option<String>,
    /// The line whose first section does
    #[arg(long)]
    from_line: Option<String>,
    /// From this minute on, as 2026-11-21T09:00; now if left out
    #[arg(long)]
    since: Option<String>,
    /// Up to this minute; until it is taken back if left out
    #[arg(long)]
    until: Option<String>,
    /// Feed it normally again, from now or --since on
    #[arg(long, conflicts_with_all = ["from_section", "from_line", "until"])]
    end: bool,
    /// Why, for the audit log
    #[arg(long)]
    why: String,
    #[command(flatten)]
    remote: Remote,
    /// Print JSON
    #[arg(long)]
    json: bool,
}

pub(crate) async fn topology(args: TopologyArgs) -> Result<(), CommandError> {
    // The client blocks: not on the runtime's threads.
    let work = move || match args.command {
        Topology::Show { code, remote, json } => {
            let found = remote.get(&format!("/v1/topology/things?code={}", path_part(&code)))?;
            each(&found, json, show_thing);
            Ok(())
        }
        Topology::Check { remote, json } => {
            let found = remote.get_at_length("/v1/topology/check")?;
            if !json && found["items"].as_array().is_some_and(Vec::is_empty) {
                eprintln!("没有需要核对的 nothing to look at");
            }
            each(&found, json, show_finding);
            Ok(())
        }
        Topology::Feeds { remote, json } => {
            each(&remote.get("/v1/topology/feeds")?, json, show_feed);
            Ok(())
        }
        Topology::Feed(feed) => self::feed(&feed),
        Topology::Remove { kind, code, why, remote } => {
            remote.post("/v1/topology/remove", &json!({ "kind": kind, "code": code, "why": why }))?;
            println!("已删除 removed {kind} {code}");
            Ok(())
        }
    };
    tokio::task::spawn_blocking(work).await.map_err(|e| CommandError::Failed(e.to_string()))?
}

fn feed(feed: &Feed) -> Result<(), CommandError> {
    let mut body = Map::new();
    let mut put = |name: &str, value: &Option<String>| {
        body.extend(value.iter().map(|v| (name.to_owned(), Value::from(v.as_str()))));
    };
    put("section", &feed.section);
    put("transformer", &feed.transformer);
    put("why", &Some(feed.why.clone()));
    if feed.end {
        put("at", &feed.since);
        feed.remote.post("/v1/topology/feeds/end", &Value::Object(body))?;
        println!("已恢复正常供电方式");
        return Ok(());
    }
    put("from_section", &feed.from_section);
    put("from_line", &feed.from_line);
    put("since", &feed.since);
    put("until", &feed.until);
    let said = feed.remote.post("/v1/topology/feeds", &Value::Object(body))?;
    if feed.json {
        println!("{said}");
    } else {
        show_feed(&said);
    }
    Ok(())
}

fn each(found: &Value, json: bool, say: fn(&Value)) {
    if json {
        println!("{found}");
        return;
    }
    found["items"].as_array().into_iter().flatten().for_each(say);
}

fn text(value: &Value) -> &str {
    value.as_str().unwrap_or_default()
}

/// 线路 L0701 锦绣线
fn named(thing: &Value) -> String {
    format!("{} {} {}", text(&thing["kind"]["chinese"]), text(&thing["code"]), text(&thing["name"])).trim().to_owned()
}

fn list(things: &Value) -> String {
    things.as_array().into_iter().flatten().map(named).collect::<Vec<_>>().join("，")
}

fn show_thing(thing: &Value) {
    println!("{}", named(thing));
    let unit = text(&thing["prefecture"]["name"]);
    if !unit.is_empty() {
        println!("  所属 {unit}");
    }
    for (title, field) in [("地点", "place"), ("性质", "ownership")] {
        let value = &thing[field];
        let value = value["chinese"].as_str().or_else(|| value.as_str()).unwrap_or_default();
        if !value.is_empty() {
            println!("  {title} {value}");
        }
    }
    if !thing["manager"].is_null() {
        println!("  台区经理 {} {}", text(&thing["manager"]["name"]), text(&thing["manager"]["phone"]));
    }
    if !thing["switch"].is_null() {
        println!("  经 {} 供电", named(&thing["switch"]));
    }
    let above = list(&thing["fed_by"]);
    if !above.is_empty() {
        println!("  电源 {above}");
    }
    if !thing["fed_otherwise"].is_null() {
        show_feed(&thing["fed_otherwise"]);
    }
    if thing["below_count"] != 0 {
        let (count, shown) = (&thing["below_count"], thing["below"].as_array().map_or(0, Vec::len));
        let more = if count.as_u64() > Some(shown as u64) { " …" } else { "" };
        println!("  下接 {count}: {}{more}", list(&thing["below"]));
    }
    println!(
        "  停电影响 {} 台变压器，{} 户停电，{} 户失去一路电源",
        thing["transformers"], thing["customers_out"], thing["customers_one_source"]
    );
}

fn show_feed(feed: &Value) {
    let until = feed["until"].as_str().map_or_else(|| "，至撤回为止".to_owned(), |at| format!(" 至 {at}"));
    let now = if feed["now"] == true { "（当前）" } else { "" };
    println!(
        "  转供电{now} {} 由 {} 供电，自 {}{until}，{}（{}）",
        named(&feed["what"]),
        named(&feed["from"]),
        text(&feed["since"]),
        text(&feed["why"]),
        text(&feed["by"])
    );
}

fn show_finding(finding: &Value) {
    let unit = text(&finding["prefecture"]["name"]);
    println!("{}{unit}: {}", text(&finding["what"]["chinese"]), finding["count"]);
    let first: Vec<&str> = finding["first"].as_array().into_iter().flatten().map(text).collect();
    if !first.is_empty() {
        println!("  {}", first.join("，"));
    }
}
