//! `gridbell outage`: the life of outages on a running host, fault reports, and the answer to a customer who asks.

use serde_json::{Map, Value, json};

use crate::error::CommandError;
use crate::remote::{Remote, path_part};

#[derive(clap::Subcommand, Debug)]
#[command(after_help = "\
An outage is a draft, is approved by another person than wrote it, published, changed as often as it must, begun, restored part by part or in whole, or
cancelled. A fault needs no second person: `draft --kind fault --publish`. Each revision is kept with who and why. Customers who
ask are answered by it; no message goes out by itself in this version. Planned outages are announced 7 days ahead and temporary ones a day, unless the
prefecture's rules say otherwise; for less somebody who may approve answers with a reason.

EXAMPLES
  gridbell outage draft --prefecture 140100 --kind planned --line L12 --from 2026-12-01T08:00 --until 2026-12-01T12:00 \\
      --reason 10kV城南线检修 --dry-run --url http://127.0.0.1:8080 --token gb_…
  gridbell outage approve O00000012 --url … --token …
  gridbell outage publish O00000012 --dry-run --url … --token …     whom it would concern
  gridbell outage change O00000012 --until 2026-12-01T14:00 --why 缺陷处理延长 --url … --token …
  gridbell outage restore O00000012 --transformer T0117 --url … --token …     a part; without it, all
  gridbell outage list --phase open --url … --token …")]
pub(crate) enum OutageCommand {
    /// Enter an outage as a draft; a fault with --publish counts at once
    Draft(Box<DraftArgs>),
    /// Approve a draft that another person wrote
    Approve(ApproveArgs),
    /// Publish an approved outage, or a draft of a fault
    Publish(StepArgs),
    /// Change what was published: time, scope, reason; what is left out stays
    Change(Box<ChangeArgs>),
    /// Say that the power went off
    Begin(StepArgs),
    /// Say that the power is back: for all, or for the part that is named
    Restore(Box<RestoreArgs>),
    /// Call an outage off: it does not take place, or never was one
    Cancel(CancelArgs),
    /// Say what the crew of a fault did
    Crew(CrewArgs),
    /// Enter a fault report (报修) by account or transformer
    Report(ReportArgs),
    /// List outages, the last entered first
    List(ListArgs),
    /// Show an outage with all its revisions
    Show(OneArgs),
    /// What a customer who asks about the power is answered
    Answer(AnswerArgs),
}

#[derive(clap::Args, Debug)]
pub(crate) struct Common {
    #[command(flatten)]
    remote: Remote,
    /// Print JSON
    #[arg(long)]
    json: bool,
}

#[derive(clap::Args, Debug)]
pub(crate) struct ScopeArgs {
    /// A whole line, by its code; may be given several times
    #[arg(long = "line", value_name = "CODE")]
    lines: Vec<String>,
    /// A switch that opens, with all behind it
    #[arg(long = "switch", value_name = "CODE")]
    switches: Vec<String>,
    /// A transformer
    #[arg(long = "transformer", value_name = "CODE")]
    transformers: Vec<String>,
    /// A single customer, by account (户号)
    #[arg(long = "customer", value_name = "ACCOUNT")]
    customers: Vec<String>,
    /// A transformer that keeps its power
    #[arg(long = "except-transformer", value_name = "CODE")]
    except_transformers: Vec<String>,
    /// A customer who keeps it
    #[arg(long = "except-customer", value_name = "ACCOUNT")]
    except_customers: Vec<String>,
}

impl ScopeArgs {
    fn is_given(&self) -> bool {
        let sets = [&self.lines, &self.switches, &self.transformers, &self.customers];
        sets.iter().any(|set| !set.is_empty())
    }

    fn body(&self) -> Value {
        json!({
            "lines": self.lines, "switches": self.switches, "transformers": self.transformers, "customers": self.customers,
            "except_transformers": self.except_transformers, "except_customers": self.except_customers,
        })
    }
}

#[derive(clap::Args, Debug)]
pub(crate) struct DraftArgs {
    /// Whose: 140100
    #[arg(long)]
    prefecture: u32,
    /// planned, temporary, fault, rationing
    #[arg(long)]
    kind: String,
    #[command(flatten)]
    scope: ScopeArgs,
    /// When the power goes off: 2026-12-01T08:00
    #[arg(long)]
    from: String,
    /// When it is expected back; a fault may be without
    #[arg(long)]
    until: Option<String>,
    /// Why, for everybody: no account, no telephone number
    #[arg(long)]
    reason: String,
    /// minor, serious, major
    #[arg(long)]
    class: Option<String>,
    /// Why it is entered, for the record
    #[arg(long, default_value = "")]
    why: String,
    /// Publish it at once: a fault only
    #[arg(long)]
    publish: bool,
    /// Only say whom it would concern
    #[arg(long)]
    dry_run: bool,
    #[command(flatten)]
    common: Common,
}

#[derive(clap::Args, Debug)]
pub(crate) struct ApproveArgs {
    /// Which: O00000012
    outage: String,
    /// Why a notice shorter than the rule asks for is right
    #[arg(long, value_name = "WHY")]
    short_notice: Option<String>,
    #[command(flatten)]
    common: Common,
}

#[derive(clap::Args, Debug)]
pub(crate) struct StepArgs {
    /// Which: O00000012
    outage: String,
    /// Why, for the record
    #[arg(long, default_value = "")]
    why: String,
    /// Only say whom it would concern
    #[arg(long)]
    dry_run: bool,
    #[command(flatten)]
    common: Common,
}

#[derive(clap::Args, Debug)]
pub(crate) struct ChangeArgs {
    /// Which: O00000012
    outage: String,
    #[command(flatten)]
    scope: ScopeArgs,
    /// When the power goes off
    #[arg(long)]
    from: Option<String>,
    /// When it is expected back
    #[arg(long, conflicts_with = "until_unknown")]
    until: Option<String>,
    /// Nobody knows any more when it is back: a fault only
    #[arg(long)]
    until_unknown: bool,
    /// Why, for everybody
    #[arg(long)]
    reason: Option<String>,
    /// minor, serious, major
    #[arg(long)]
    class: Option<String>,
    /// Why it changes, for the record
    #[arg(long)]
    why: String,
    /// Who answers for a notice shorter than the rule asks for: a user who may approve outages
    #[arg(long, value_name = "USER", requires = "short_notice")]
    short_notice_by: Option<String>,
    /// Why the short notice is right
    #[arg(long, value_name = "WHY", requires = "short_notice_by")]
    short_notice: Option<String>,
    /// Only say whom it would concern
    #[arg(long)]
    dry_run: bool,
    #[command(flatten)]
    common: Common,
}

#[derive(clap::Args, Debug)]
pub(crate) struct RestoreArgs {
    /// Which: O00000012
    outage: String,
    #[command(flatten)]
    part: ScopeArgs,
    /// When all had power again: 2026-12-01T11:40; now without
    #[arg(long)]
    at: Option<String>,
    /// Why, for the record
    #[arg(long, default_value = "")]
    why: String,
    /// Only say whom it would still concern
    #[arg(long)]
    dry_run: bool,
    #[command(flatten)]
    common: Common,
}

#[derive(clap::Args, Debug)]
pub(crate) struct CancelArgs {
    /// Which: O00000012
    outage: String,
    /// Why
    #[arg(long)]
    why: String,
    /// Only say what it would come to
    #[arg(long)]
    dry_run: bool,
    #[command(flatten)]
    common: Common,
}

#[derive(clap::Args, Debug)]
pub(crate) struct CrewArgs {
    /// Which: O00000012
    outage: String,
    /// dispatched, arrived, repaired
    event: String,
    #[command(flatten)]
    common: Common,
}

#[derive(clap::Args, Debug)]
pub(crate) struct ReportArgs {
    /// Whose power (户号)
    #[arg(long)]
    account: Option<String>,
    /// Behind which transformer; the one that feeds the account without
    #[arg(long, value_name = "CODE")]
    transformer: Option<String>,
    /// Where, if no account is named: 140100
    #[arg(long)]
    prefecture: Option<u32>,
    /// What was said; no names and no telephone numbers
    #[arg(long, default_value = "")]
    what: String,
    /// customer, agent, sms
    #[arg(long, default_value = "agent")]
    via: String,
    #[command(flatten)]
    common: Common,
}

#[derive(clap::Args, Debug)]
pub(crate) struct ListArgs {
    /// Only of this prefecture
    #[arg(long)]
    prefecture: Option<u32>,
    /// open for those that count; or draft, approved, published, in-progress, partly-restored, restored, cancelled
    #[arg(long)]
    phase: Option<String>,
    /// planned, temporary, fault, rationing
    #[arg(long)]
    kind: Option<String>,
    /// Only those that concern this account
    #[arg(long)]
    account: Option<String>,
    /// Only those that keep this transformer without power
    #[arg(long, value_name = "CODE")]
    transformer: Option<String>,
    /// Only those whose time includes this: 2026-12-01T08:00
    #[arg(long)]
    time: Option<String>,
    #[command(flatten)]
    common: Common,
}

#[derive(clap::Args, Debug)]
pub(crate) struct OneArgs {
    /// Which: O00000012
    outage: String,
    #[command(flatten)]
    common: Common,
}

#[derive(clap::Args, Debug)]
pub(crate) struct AnswerArgs {
    /// Whose (户号)
    account: String,
    /// For when: 2026-12-01T08:00; now without
    #[arg(long)]
    time: Option<String>,
    #[command(flatten)]
    common: Common,
}

pub(crate) async fn outage(command: OutageCommand) -> Result<(), CommandError> {
    // The client blocks: not on the runtime's threads.
    tokio::task::spawn_blocking(move || run(command)).await.map_err(|e| CommandError::Failed(e.to_string()))?
}

fn run(command: OutageCommand) -> Result<(), CommandError> {
    match command {
        OutageCommand::Draft(args) => draft(&args),
        OutageCommand::Approve(args) => {
            step(&args.common, &args.outage, "approve", &json!({ "short_notice": args.short_notice }), false)
        }
        OutageCommand::Publish(args) => {
            step(&args.common, &args.outage, "publish", &json!({ "why": args.why }), args.dry_run)
        }
        OutageCommand::Change(args) => change(&args),
        OutageCommand::Begin(args) => {
            step(&args.common, &args.outage, "begin", &json!({ "why": args.why }), args.dry_run)
        }
        OutageCommand::Restore(args) => restore(&args),
        OutageCommand::Cancel(args) => {
            step(&args.common, &args.outage, "cancel", &json!({ "why": args.why }), args.dry_run)
        }
        OutageCommand::Crew(args) => step(&args.common, &args.outage, "crew", &json!({ "event": args.event }), false),
        OutageCommand::Report(args) => report(&args),
        OutageCommand::List(args) => list(&args),
        OutageCommand::Show(args) => {
            let story = args.common.remote.get(&format!("/v1/outages/{}", path_part(&args.outage)))?;
            say(&args.common, &story, show_story);
            Ok(())
        }
        OutageCommand::Answer(args) => {
            let time = args.time.as_deref().map(|t| format!("?time={}", path_part(t))).unwrap_or_default();
            let answer =
                args.common.remote.get(&format!("/v1/customers/{}/outages{time}", path_part(&args.account)))?;
            say(&args.common, &answer, |a| println!("{}", text(&a["text"])));
            Ok(())
        }
    }
}

fn trial(dry_run: bool) -> &'static str {
    if dry_run { "?dry_run=true" } else { "" }
}

fn draft(args: &DraftArgs) -> Result<(), CommandError> {
    let body = json!({
        "prefecture": args.prefecture, "kind": args.kind, "scope": args.scope.body(), "from": args.from, "until": args.until,
        "reason": args.reason, "class": args.class, "why": args.why, "publish": args.publish,
    });
    let made = args.common.remote.post(&format!("/v1/outages{}", trial(args.dry_run)), &body)?;
    say(&args.common, &made, |made| show(made, args.dry_run));
    Ok(())
}

fn step(common: &Common, outage: &str, step: &str, body: &Value, dry_run: bool) -> Result<(), CommandError> {
    let path = format!("/v1/outages/{}/{step}{}", path_part(outage), trial(dry_run));
    let made = common.remote.post(&path, body)?;
    say(common, &made, |made| show(made, dry_run));
    Ok(())
}

fn change(args: &ChangeArgs) -> Result<(), CommandError> {
    let mut body = Map::new();
    let mut give = |key: &str, value: Option<Value>| value.map(|v| body.insert(key.to_owned(), v));
    give("scope", args.scope.is_given().then(|| args.scope.body()));
    give("from", args.from.as_ref().map(|v| json!(v)));
    give("until", args.until.as_ref().map(|v| json!(v)));
    give("until_unknown", Some(json!(args.until_unknown)));
    give("reason", args.reason.as_ref().map(|v| json!(v)));
    give("class", args.class.as_ref().map(|v| json!(v)));
    give("why", Some(json!(args.why)));
    let answers = args.short_notice_by.as_ref().map(|by| json!({ "approved_by": by, "why": args.short_notice }));
    give("short_notice", answers);
    step(&args.common, &args.outage, "change", &Value::Object(body), args.dry_run)
}

fn restore(args: &RestoreArgs) -> Result<(), CommandError> {
    if !args.part.is_given() {
        let body = json!({ "at": args.at, "why": args.why });
        return step(&args.common, &args.outage, "restore", &body, args.dry_run);
    }
    if args.at.is_some() {
        return Err(CommandError::Usage(
            "`--at` is for when all have power again; leave it or the part out".to_owned(),
        ));
    }
    let body = json!({ "scope": args.part.body(), "why": args.why });
    step(&args.common, &args.outage, "restore-part", &body, args.dry_run)
}

fn report(args: &ReportArgs) -> Result<(), CommandError> {
    let body = json!({
        "account": args.account, "transformer": args.transformer, "prefecture": args.prefecture, "what": args.what, "via": args.via,
    });
    let made = args.common.remote.post("/v1/fault-reports", &body)?;
    say(&args.common, &made, |made| {
        let outage = made["outage"].as_str().map_or("尚无对应停电".to_owned(), |o| format!("已关联停电 {o}"));
        println!("报修 {}: {outage}", text(&made["report"]));
        if let Some(proposed) = made["proposed"].as_str() {
            println!("同一台区多户报修，已生成故障草稿 {proposed}，请核实后发布");
        }
    });
    Ok(())
}

fn list(args: &ListArgs) -> Result<(), CommandError> {
    let mut query = String::from("limit=500");
    let prefecture = args.prefecture.map(|p| p.to_string());
    let wanted = [
        ("prefecture", &prefecture),
        ("phase", &args.phase),
        ("kind", &args.kind),
        ("account", &args.account),
        ("transformer", &args.transformer),
        ("time", &args.time),
    ];
    for (key, value) in wanted {
        if let Some(value) = value {
            query.push_str(&format!("&{key}={}", path_part(value)));
        }
    }
    let mut all: Vec<Value> = Vec::new();
    let mut cursor = String::new();
    loop {
        let mut page = args.common.remote.get(&format!("/v1/outages?{query}{cursor}"))?;
        all.extend(page["items"].as_array_mut().map(std::mem::take).into_iter().flatten());
        match page["next"].as_str() {
            Some(next) => cursor = format!("&cursor={}", path_part(next)),
            None => break,
        }
    }
    say(&args.common, &Value::Array(all), |all| all.as_array().into_iter().flatten().for_each(line));
    Ok(())
}

fn say(common: &Common, value: &Value, show: impl Fn(&Value)) {
    if common.json {
        println!("{value}");
    } else {
        show(value);
    }
}

fn text(value: &Value) -> &str {
    value.as_str().unwrap_or_default()
}

fn line(outage: &Value) {
    let latest = &outage["latest"];
    let until = latest["until"].as_str().unwrap_or("待定");
    println!(
        "{} {} {} {} – {until} {} 户 {}",
        text(&outage["outage"]),
        text(&outage["kind"]["chinese"]),
        text(&outage["phase"]["chinese"]),
        text(&latest["from"]),
        outage["customers"],
        text(&latest["reason"]),
    );
}

fn show(outage: &Value, dry_run: bool) {
    if dry_run {
        println!("试算，未生效");
    }
    line(outage);
    println!(
        "  涉及 {} 户，其中 {} 户无电，台区 {} 个，报修 {} 件",
        outage["customers"], outage["without_power"], outage["transformers"], outage["reports"]
    );
    if outage["overdue"] == true {
        println!("  已超过预计恢复时间：请变更时间或恢复供电");
    }
    let may: Vec<&str> = outage["may"].as_array().into_iter().flatten().map(|s| text(&s["word"])).collect();
    println!("  下一步可做: {}", if may.is_empty() { "无".to_owned() } else { may.join(", ") });
}

fn show_story(outage: &Value) {
    show(outage, false);
    for revision in outage["revisions"].as_array().into_iter().flatten() {
        let changes: Vec<&str> =
            revision["changes"].as_array().into_iter().flatten().map(|c| text(&c["chinese"])).collect();
        let what =
            if changes.is_empty() { text(&revision["phase"]["chinese"]).to_owned() } else { changes.join("、") };
        println!(
            "  第{}版 {} {what} {} – {} {} {}",
            revision["number"],
            text(&revision["at"]),
            text(&revision["from"]),
            revision["until"].as_str().unwrap_or("待定"),
            text(&revision["by"]),
            text(&revision["why"]),
        );
        let short = &revision["short"];
        if short.is_object() {
            println!(
                "    提前 {} 分钟，规定 {} 分钟，{} 批准: {}",
                short["had"],
                short["needed"],
                text(&short["approved_by"]),
                text(&short["why"])
            );
        }
    }
    for event in outage["crew"].as_array().into_iter().flatten() {
        println!("  {} {} {}", text(&event["at"]), text(&event["event"]["chinese"]), text(&event["by"]));
    }
}
