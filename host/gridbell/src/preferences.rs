//! `gridbell preferences`: what a customer asked for and refused, and taking down what is said at a counter.

use gridbell_model::AccountNumber;
use serde_json::{Map, Value, json};

use crate::error::CommandError;
use crate::remote::Remote;

#[derive(clap::Args, Debug)]
#[command(after_help = "\
Preferences: service-sms, service-wechat, service-alipay (service messages on that channel), subscribed (all subscriptions), marketing,
bill-notice, balance-warning, outage-news (subscriptions). `on` is: the customer is told. Statutory notices (outage, cut-off, restore) are none of
them: nobody can refuse them. What is set holds at once, for messages that wait too, and the same said again changes nothing.

EXAMPLES
  gridbell preferences 1401100000088 --url http://127.0.0.1:8080 --token gb_…
  gridbell preferences 1401100000088 --set marketing=off --set bill-notice=on --source counter --url … --token …")]
pub(crate) struct PreferencesArgs {
    /// 户号
    account: AccountNumber,
    /// What the customer says, as marketing=off; may be given several times
    #[arg(long, value_name = "PREFERENCE=on|off", requires = "source", value_parser = wish)]
    set: Vec<(String, bool)>,
    /// From where: counter, website, app, hotline, sms-word, wechat, alipay
    #[arg(long, requires = "set")]
    source: Option<String>,
    /// Why, for the audit log
    #[arg(long, requires = "set")]
    reason: Option<String>,
    #[command(flatten)]
    remote: Remote,
    /// Print JSON
    #[arg(long)]
    json: bool,
}

fn wish(text: &str) -> Result<(String, bool), String> {
    match text.split_once('=') {
        Some((name, "on")) => Ok((name.to_owned(), true)),
        Some((name, "off")) => Ok((name.to_owned(), false)),
        _ => Err("write it as marketing=off or bill-notice=on".to_owned()),
    }
}

pub(crate) async fn preferences(args: PreferencesArgs) -> Result<(), CommandError> {
    // The client blocks: not on the runtime's threads.
    let work = move || {
        let path = format!("/v1/customers/{}/preferences", args.account);
        let kept = if args.set.is_empty() {
            args.remote.get(&path)?
        } else {
            let set: Map<String, Value> = args.set.iter().map(|(name, on)| (name.clone(), json!(on))).collect();
            let body = json!({ "source": args.source, "preferences": set, "reason": args.reason });
            args.remote.call("PUT", &path, "application/json", body.to_string().as_bytes())?
        };
        show(&kept, args.json);
        Ok(())
    };
    tokio::task::spawn_blocking(work).await.map_err(|e| CommandError::Failed(e.to_string()))?
}

fn show(kept: &Value, json: bool) {
    if json {
        println!("{kept}");
        return;
    }
    println!("口令             状态  来源      时间                            含义");
    for item in kept["items"].as_array().into_iter().flatten() {
        let text = |value: &Value| value.as_str().unwrap_or_default().to_owned();
        let on = if item["on"] == true { "发送" } else { "停发" };
        println!(
            "{:<16} {on}  {:<8}  {:<30}  {}",
            text(&item["preference"]["word"]),
            text(&item["source"]["chinese"]),
            text(&item["at"]),
            text(&item["preference"]["chinese"]),
        );
    }
    println!("{}", kept["answer"].as_str().unwrap_or_default());
}
