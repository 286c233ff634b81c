//! `gridbell policy explain`: why a customer was told something, was not, or will be; of a data directory, or asked of a running host.

use gridbell_conductor::{DecisionStory, ExplainRequest, Explanation, FactShown, MessageLife, PolicyStory, Present};
use gridbell_model::{AccountNumber, CivilMinute};
use gridbell_planner::{GuardVerdict, Judgement};
use gridbell_platform::form::encode_pairs;
use gridbell_state::AuditNote;
use serde_json::json;

use crate::admin::{Place, who};
use crate::error::CommandError;
use crate::remote::{MaybeRemote, Remote};

#[derive(clap::Args, Debug)]
#[command(after_help = "\
Answers with what was recorded when it was decided: the plugin's reason, what the plugin saw, every guardrail's verdict, the message's life. What
left the online store is read from the archives. Who got no decision is explained by asking the plugin of that run again; with --rebuild about the
state as it was then. Without --at also: what the policy would do now, and when it runs next. Numbers are masked; that it was asked is written to
the audit log first.

EXAMPLES
  gridbell policy explain 0012345678 --data d
  gridbell policy explain 0012345678 --at 2026-11-21T09:30 --policy arrears-reminder --rebuild --data d
  gridbell policy explain 0012345678 --json --config gridbell.toml
  gridbell policy explain 0012345678 --url https://gridbell.example.cn --token gb_…")]
pub(crate) struct ExplainArgs {
    /// 户号
    account: AccountNumber,
    /// As of the end of this civil minute, such as 2026-11-21T09:30; now without
    #[arg(long, value_name = "TIME")]
    at: Option<CivilMinute>,
    /// Only about this policy
    #[arg(long)]
    policy: Option<String>,
    /// Ask the plugin about the state as it was then, rebuilt from the history: seconds to minutes
    #[arg(long)]
    rebuild: bool,
    /// Print JSON
    #[arg(long)]
    json: bool,
    #[command(flatten)]
    remote: MaybeRemote,
    #[command(flatten)]
    place: Place,
}

pub(crate) async fn explain(args: ExplainArgs) -> Result<(), CommandError> {
    let json = args.json;
    let explanation = match args.remote.clone().given(&args.place)? {
        Some(remote) => there(remote, &args).await?,
        None => here(args).await?,
    };
    if json {
        println!("{}", serde_json::to_string(&explanation)?);
    } else {
        print(&explanation);
    }
    Ok(())
}

/// As a running host tells it.
async fn there(remote: Remote, args: &ExplainArgs) -> Result<Explanation, CommandError> {
    let (rebuild, at) = (args.rebuild.to_string(), args.at.map(|at| at.to_string()));
    let given = [("at", at.as_deref()), ("policy", args.policy.as_deref())];
    let given = given.into_iter().filter_map(|(name, value)| Some((name, value?)));
    let query = encode_pairs([("rebuild", rebuild.as_str())].into_iter().chain(given));
    let path = format!("/v1/customers/{}/explain?{query}", args.account);
    let asked = tokio::task::spawn_blocking(move || remote.get_at_length(&path)).await;
    Ok(serde_json::from_value(asked.map_err(|e| CommandError::Failed(e.to_string()))??)?)
}

async fn here(args: ExplainArgs) -> Result<Explanation, CommandError> {
    let host = args.place.host().await?;
    let note = AuditNote {
        who: who(),
        action: "policy.explain".to_owned(),
        subject: args.account.to_string(),
        detail: json!({ "at": args.at, "policy": args.policy }).to_string(),
    };
    host.state().put_docs(Vec::new(), vec![note]).await?;
    let request = ExplainRequest { account: args.account, at: args.at, policy: args.policy, rebuild: args.rebuild };
    let explanation = host.explain(request).await;
    host.state().close().await;
    Ok(explanation?)
}

fn print(e: &Explanation) {
    let phone = if e.phone.is_empty() { "无号码" } else { &e.phone };
    println!("户号 {}  供电单位 {}  手机 {phone}  时间 {}", e.account, e.station.0, e.at);
    for story in &e.policies {
        print_story(story);
    }
}

fn print_story(story: &PolicyStory) {
    println!("\n{}（{}，{}）", story.title, story.policy, story.topic.chinese());
    println!("  {}", story.summary);
    if let Some(run) = &story.run {
        let left = if run.source == "store" { String::new() } else { format!("（来源 {}）", run.source) };
        println!("  执行 {}  {}  插件 {}  状态序号 {}{left}", run.id, run.now, run.plugin, run.snapshot);
        if !run.why.is_empty() {
            println!("    {}", run.why);
        }
    }
    story.decisions.iter().for_each(print_decision);
    story.samples.iter().for_each(print_sample);
    if let Some(silence) = &story.silence {
        let asked = match &*silence.asked {
            "then" => "按当时的数据重算",
            "now" => "按现在的数据询问",
            _ => "未询问插件",
        };
        println!("  未选中：{}（{asked}）", silence.reason);
        print_facts(&silence.facts);
    }
    for gone in &story.not_kept {
        println!("  不再保留：{}（{}）", gone.what, gone.rule);
    }
    if let Some(present) = &story.present {
        print_present(present);
    }
}

fn print_decision(d: &DecisionStory) {
    println!("  决定：{}，{} 第{}级（来源 {}）", d.reason, d.notice, d.step, d.source);
    print_facts(&d.facts);
    print_checks(&d.checks);
    let Some(message) = &d.message else { return };
    print_life(message);
    for hop in &d.hops {
        println!("  下一渠道（{}，执行 {}，来源 {}）", hop.at, hop.run, hop.source);
        match &hop.message {
            Some(message) => print_life(message),
            None => println!("    未发送：{}", hop.held),
        }
    }
}

fn print_life(message: &MessageLife) {
    println!("  {} {}  {}  {}", message.channel_title, message.id, message.phone, message.state_title);
    if let Some(text) = &message.text {
        println!("    {}", text.replace('\n', "\n    "));
    }
    if let Some(together) = &message.together {
        println!("    {}", together.sentence());
        if let Some(text) = &together.text {
            println!("    实际发送：{}", text.replace('\n', "\n    "));
        }
    }
    for step in &message.steps {
        println!("    {}  {}", step.at, step.what);
    }
    if message.maybe_twice {
        println!("    可能收到两次");
    }
}

/// A sample is told apart from what the customer was told.
fn print_sample(message: &MessageLife) {
    println!("  试点样张 {}  发往测试号码 {}  {}（该户没有收到）", message.id, message.phone, message.state_title);
    if let Some(text) = &message.text {
        println!("    {text}");
    }
}

fn print_present(present: &Present) {
    println!("  现在：{}", present.sentence());
    print_facts(&present.facts);
    print_checks(&present.checks);
    for message in present.forecast.coming.iter().flat_map(|c| &c.messages) {
        println!("    预计 {}  {}  {}", message.send_after, message.reason, message.text);
    }
    if let Some(at) = present.send_after {
        println!("    若现在执行，最早 {at} 发送");
    }
}

fn print_facts(facts: &[FactShown]) {
    if !facts.is_empty() {
        let words: Vec<String> = facts.iter().map(|f| format!("{} {}", f.title, f.words)).collect();
        println!("    依据：{}", words.join("，"));
    }
}

fn print_checks(checks: &[GuardVerdict]) {
    if checks.is_empty() {
        return;
    }
    let held = checks.iter().filter(|c| c.verdict == Judgement::Held);
    let held: Vec<String> =
        held.map(|c| format!("{}（{}）", c.title, c.reason_title.as_deref().unwrap_or_default())).collect();
    let passed: Vec<&str> = checks.iter().filter(|c| c.verdict == Judgement::Passed).map(|c| &*c.title).collect();
    if !held.is_empty() {
        println!("    拦截：{}", held.join("、"));
    }
    if !passed.is_empty() {
        println!("    通过：{}", passed.join("、"));
    }
}
