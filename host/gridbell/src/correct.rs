//! `gridbell correct`: telling everybody who may have a wrong message what is right, on a running host: proposed by one person, agreed to by another.

use std::collections::BTreeMap;

use serde_json::{Map, Value, json};

use crate::error::CommandError;
use crate::output;
use crate::remote::{MaybeRemote, Remote, path_part};

/// Customers of the list asked for at once.
const PAGE: usize = 500;

#[derive(clap::Args, Debug)]
#[command(
    args_conflicts_with_subcommands = true,
    after_help = "\
Whoever may have the wrong message (it was submitted and has not definitely failed) gets the text once, on the channel on which the wrong one went; whose
number is not theirs any more gets nothing and is listed. What has not left is taken back at once, for good. Nobody is told before another person agrees
to the list: `gridbell correct approve` or 变更审批 in the console, within 24 hours. Placeholders of the text are filled with the facts of now: {{ amount }}
with {{ as_of }}, {{ account_tail }}, {{ hotline }}, {{ station }} and those of the topic. Without --text the province's approved text of corrections is said.

EXAMPLES
  gridbell correct --run R9 --text '昨日短信金额有误，深表歉意。截至{{ as_of }}您欠费{{ amount }}元。' --why 价目有误 --dry-run --url http://127.0.0.1:8080 --token gb_…
  gridbell correct --run R9 --text '…' --why 价目有误 --url … --token gb_…            take back the rest, propose
  gridbell correct --template arrears-reminder/reminder/sms@3 --text '…' --why 模板有误 --url …
  gridbell correct --campaign tariff-news --prefecture 140100 --from 2026-11-20 --text '…' --why … --url …
  gridbell correct recipients C12 --csv --url … > 名单.csv                             the list, with what became of each
  gridbell correct approve C12 --why 名单已核对 --url … --token gb_…                   by another person"
)]
pub(crate) struct CorrectArgs {
    #[command(subcommand)]
    command: Option<CorrectCommand>,
    #[command(flatten)]
    order: OrderArgs,
}

#[derive(clap::Subcommand, Debug)]
pub(crate) enum CorrectCommand {
    /// List the corrections, newest first
    List(LookArgs),
    /// Show a correction: who proposed and agreed, what changed since, how its messages stand
    Show(OneArgs),
    /// The list of a correction, with what became of each customer; numbers masked
    Recipients {
        /// Its name: C12
        id: String,
        /// As CSV
        #[arg(long, conflicts_with = "json")]
        csv: bool,
        #[command(flatten)]
        look: LookArgs,
    },
    /// Agree: exactly the customers on the list are told, at once; by another person than its author
    Approve(DecideArgs),
    /// Refuse: nobody is told
    Refuse(DecideArgs),
    /// Take one's own back: nobody is told
    Withdraw(DecideArgs),
}

#[derive(clap::Args, Debug)]
pub(crate) struct LookArgs {
    #[command(flatten)]
    remote: Remote,
    /// Print JSON
    #[arg(long)]
    json: bool,
}

#[derive(clap::Args, Debug)]
pub(crate) struct OneArgs {
    /// Its name: C12
    id: String,
    #[command(flatten)]
    look: LookArgs,
}

#[derive(clap::Args, Debug)]
pub(crate) struct DecideArgs {
    /// Its name: C12
    id: String,
    /// Why, for the audit log
    #[arg(long)]
    why: String,
    #[command(flatten)]
    look: LookArgs,
}

#[derive(clap::Args, Debug)]
pub(crate) struct OrderArgs {
    #[command(flatten)]
    wrong: WrongArgs,
    /// Only in this prefecture: 140100
    #[arg(long, value_name = "CODE")]
    prefecture: Option<u32>,
    /// Only runs of this day and later: 2026-11-20
    #[arg(long, value_name = "DATE")]
    from: Option<String>,
    /// Only runs up to this day, which counts
    #[arg(long, value_name = "DATE")]
    to: Option<String>,
    /// What is right, with an apology, as an SMS without signature
    #[arg(long)]
    text: Option<String>,
    /// The same for WeChat: a line `template: ID`, then a line for each field
    #[arg(long)]
    wechat_text: Option<String>,
    /// The same for Alipay
    #[arg(long)]
    alipay_text: Option<String>,
    /// Why, for the approver and the audit log; needed
    #[arg(long)]
    why: Option<String>,
    /// Only show whom it would tell, and what it would cost
    #[arg(long)]
    dry_run: bool,
    #[command(flatten)]
    remote: MaybeRemote,
    /// Print JSON
    #[arg(long)]
    json: bool,
}

#[derive(clap::Args, Debug)]
#[group(id = "wrong", multiple = false)]
pub(crate) struct WrongArgs {
    /// The run whose messages were wrong, with their next channels: R9
    #[arg(long)]
    run: Option<String>,
    /// The text that was wrong: TOPIC/NOTICE/CHANNEL, or TOPIC/NOTICE/CHANNEL@VERSION
    #[arg(long, value_name = "NAME")]
    template: Option<String>,
    /// The policy whose messages were wrong
    #[arg(long, value_name = "POLICY")]
    campaign: Option<String>,
}

pub(crate) async fn correct(args: CorrectArgs) -> Result<(), CommandError> {
    // The client blocks: not on the runtime's threads.
    let work = move || match args.command {
        Some(CorrectCommand::List(look)) => list(&look),
        Some(CorrectCommand::Show(args)) => show(&args),
        Some(CorrectCommand::Recipients { id, csv, look }) => recipients(&id, csv, &look),
        Some(CorrectCommand::Approve(args)) => decide(&args, "approve"),
        Some(CorrectCommand::Refuse(args)) => decide(&args, "refuse"),
        Some(CorrectCommand::Withdraw(args)) => decide(&args, "withdraw"),
        None => propose(&args.order),
    };
    tokio::task::spawn_blocking(work).await.map_err(|e| CommandError::Failed(e.to_string()))?
}

fn word<'a>(v: &'a Value, path: &str) -> &'a str {
    v.pointer(path).and_then(Value::as_str).unwrap_or_default()
}

fn number(v: &Value, path: &str) -> u64 {
    v.pointer(path).and_then(Value::as_u64).unwrap_or(0)
}

/// The number of a correction and of its proposal.
fn number_of(id: &str) -> Result<u64, CommandError> {
    let wrong = || CommandError::Failed(format!("`{id}` is no correction: name it as C12"));
    id.strip_prefix(['C', 'c']).unwrap_or(id).parse().map_err(|_| wrong())
}

fn body(order: &OrderArgs) -> Value {
    let texts: BTreeMap<&str, &String> =
        [("sms", &order.text), ("wechat", &order.wechat_text), ("alipay", &order.alipay_text)]
            .into_iter()
            .filter_map(|(channel, text)| Some((channel, text.as_ref()?)))
            .collect();
    let mut body = Map::new();
    let mut set = |key: &str, value: Option<Value>| body.extend(value.map(|v| (key.to_owned(), v)));
    set("run", order.wrong.run.clone().map(Value::from));
    set("template", order.wrong.template.clone().map(Value::from));
    set("campaign", order.wrong.campaign.clone().map(Value::from));
    set("prefecture", order.prefecture.map(Value::from));
    set("from", order.from.clone().map(Value::from));
    set("to", order.to.clone().map(Value::from));
    set("texts", Some(json!(texts)));
    set("why", Some(order.why.clone().into()));
    set("dry_run", Some(order.dry_run.into()));
    Value::Object(body)
}

fn propose(order: &OrderArgs) -> Result<(), CommandError> {
    let wrong = &order.wrong;
    if wrong.run.is_none() && wrong.template.is_none() && wrong.campaign.is_none() {
        let text = "say what was wrong, by --run, --template or --campaign, or what to do: see --help";
        return Err(CommandError::Usage(text.to_owned()));
    }
    if order.why.is_none() {
        return Err(CommandError::Usage("say why, by --why: the approver and the audit log read it".to_owned()));
    }
    let answer = order.remote.needed()?.post_at_length("/v1/corrections", &body(order))?;
    if order.json {
        output::line(format_args!("{answer}"));
        return Ok(());
    }
    output::line(format_args!(
        "{}（{}）：告知 {} 户 customers，{} 条 parts，{} 元 yuan；{} {} 条未发出的消息 messages that had not left",
        word(&answer, "/wrong"),
        word(&answer, "/topic/chinese"),
        number(&answer, "/counts/customers"),
        number(&answer, "/counts/parts"),
        output::yuan(number(&answer, "/counts/cost_milli_fen")),
        if order.dry_run { "会撤回 would take back" } else { "已撤回 took back" },
        number(&answer, "/taken_back"),
    ));
    counts(&answer["counts"]);
    for row in answer["first"].as_array().into_iter().flatten() {
        output::line(format_args!("  {}", line(row)));
    }
    match answer["id"].as_str() {
        None => output::line(format_args!("dry run: nothing was changed")),
        Some(id) => output::line(format_args!(
            "{id} 等待另一人审批 waits for another person until {}: gridbell correct approve {id} --why …",
            word(&answer, "/expires")
        )),
    }
    Ok(())
}

fn counts(counts: &Value) {
    for told in counts["told"].as_array().into_iter().flatten() {
        output::line(format_args!(
            "  {} {}：{}",
            word(told, "/channel/word"),
            word(told, "/channel/chinese"),
            told["count"]
        ));
    }
    for held in counts["held"].as_array().into_iter().flatten() {
        let (reason, chinese) = (word(held, "/reason"), word(held, "/chinese"));
        output::line(format_args!("  不发送 held {reason} {chinese}：{}", held["count"]));
    }
}

/// A customer of a list on one line.
fn line(row: &Value) -> String {
    let mut text = format!(
        "{} {} {} {}（{}）",
        word(row, "/account"),
        word(row, "/channel/word"),
        word(row, "/phone"),
        word(row, "/corrects"),
        word(row, "/was/chinese")
    );
    for (path, before) in [("/message", " → "), ("/state/chinese", " "), ("/held/chinese", " 不发送 "), ("/text", " ")]
    {
        if let Some(said) = row.pointer(path).and_then(Value::as_str) {
            text.push_str(before);
            text.push_str(said);
        }
    }
    text
}

/// A correction on one line.
fn head(c: &Value) -> String {
    format!(
        "{:<5} {} {}（{}）：告知 {} 户 customers，{} 提出 by {}",
        word(c, "/id"),
        word(c, "/state/chinese"),
        word(c, "/wrong"),
        word(c, "/topic/chinese"),
        number(c, "/counts/customers"),
        word(c, "/at"),
        word(c, "/by")
    )
}

fn list(look: &LookArgs) -> Result<(), CommandError> {
    let found = look.remote.get("/v1/corrections")?;
    if look.json {
        output::line(format_args!("{found}"));
        return Ok(());
    }
    let items = found["items"].as_array().map(Vec::as_slice).unwrap_or_default();
    for c in items {
        output::line(format_args!("{}", head(c)));
    }
    if items.is_empty() {
        output::line(format_args!("没有更正 no corrections"));
    }
    Ok(())
}

fn show(args: &OneArgs) -> Result<(), CommandError> {
    let id = number_of(&args.id)?;
    let c = args.look.remote.get_at_length(&format!("/v1/corrections/C{id}"))?;
    if args.look.json {
        output::line(format_args!("{c}"));
        return Ok(());
    }
    output::line(format_args!("{}", head(&c)));
    output::line(format_args!("  理由 why: {}；到期 expires {}", word(&c, "/why"), word(&c, "/expires")));
    for (channel, text) in c["texts"].as_object().into_iter().flatten() {
        output::line(format_args!("  {channel}: {}", text.as_str().unwrap_or_default()));
    }
    counts(&c["counts"]);
    if let Some(by) = c["decided_by"].as_str() {
        output::line(format_args!("  审批人 decided by {by}：{}", word(&c, "/decided_why")));
    }
    if let Some(change) = c.get("change").filter(|v| v.is_object()) {
        output::line(format_args!(
            "  提出以后 since: 未送达 never came {}，不在名单上 not on the list {}",
            change["never_came"], change["not_listed"]
        ));
        for held in change["held"].as_array().into_iter().flatten() {
            output::line(format_args!("  提出以后 since: {} {}", word(held, "/chinese"), held["count"]));
        }
    }
    for end in c["ends"].as_array().into_iter().flatten() {
        output::line(format_args!("  {}：{}", word(end, "/state/chinese"), end["count"]));
    }
    Ok(())
}

fn recipients(id: &str, csv: bool, look: &LookArgs) -> Result<(), CommandError> {
    let id = number_of(id)?;
    let mut cursor = String::new();
    if csv {
        output::line(format_args!("户号,渠道,号码,错误消息,当时状态,更正消息,结果,不发送原因"));
    }
    loop {
        let path = format!("/v1/corrections/C{id}/recipients?limit={PAGE}{cursor}");
        let page = look.remote.get_at_length(&path)?;
        for row in page["items"].as_array().into_iter().flatten() {
            if look.json {
                output::line(format_args!("{row}"));
            } else if csv {
                let cell = |path: &str| word(row, path).to_owned();
                let cells = ["/account", "/channel/chinese", "/phone", "/corrects", "/was/chinese", "/message"];
                let cells: Vec<String> =
                    cells.into_iter().chain(["/state/chinese", "/held/chinese"]).map(cell).collect();
                output::line(format_args!("{}", cells.join(",")));
            } else {
                output::line(format_args!("{}", line(row)));
            }
        }
        match page["next"].as_str() {
            Some(next) => cursor = format!("&cursor={}", path_part(next)),
            None => return Ok(()),
        }
    }
}

fn decide(args: &DecideArgs, step: &str) -> Result<(), CommandError> {
    let id = number_of(&args.id)?;
    let done = args.look.remote.post(&format!("/v1/proposals/{id}/{step}"), &json!({ "why": args.why }))?;
    if args.look.json {
        output::line(format_args!("{done}"));
    } else {
        output::line(format_args!("C{id} {} {}", word(&done, "/state/word"), word(&done, "/state/chinese")));
    }
    Ok(())
}
