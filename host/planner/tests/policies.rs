//! Policy files: what is refused and in which words, what changed, and the province's own eleven.

#![expect(clippy::unwrap_used, reason = "a panic is the failure")]

mod common;

use common::{OnePlugin, POLICY, manifest, policy, repo, rules};
use gridbell_contract::Manifest;
use gridbell_model::{Channel, PrefectureCode, Topic};
use gridbell_planner::{
    Plugins, PolicyFile, PolicySet, ProvinceRules, TemplateFile, Version, VersionReq, answers_manifest, check_policies,
    check_policy, diff,
};

fn parse_error(text: &str) -> String {
    PolicyFile::parse("policies/140100.toml", text).unwrap_err().to_string()
}

fn check_error(text: &str) -> String {
    let plugins = OnePlugin(manifest(Topic::BalanceWarning));
    PolicyFile::parse("policies/140100.toml", text).unwrap().check(&plugins, &rules()).unwrap_err().to_string()
}

fn with(from: &str, to: &str) -> String {
    assert!(POLICY.contains(from), "{from}");
    POLICY.replace(from, to)
}

#[test]
fn a_right_file_is_read_whole() {
    let file = PolicyFile::parse("policies/140100.toml", POLICY).unwrap();
    file.check(&OnePlugin(manifest(Topic::BalanceWarning)), &rules()).unwrap();
    assert_eq!((file.set.prefecture, file.set.name.as_str()), (PrefectureCode(140_100), "太原"));
    let p = file.set.policy("balance").unwrap();
    assert_eq!(p.parameters["steps"], serde_json::json!([7, 3, 1]));
    assert_eq!(p.windows.iter().map(ToString::to_string).collect::<Vec<_>>(), ["09:00-11:30", "15:00-17:30"]);
    assert_eq!((p.schedules[0].cron.to_string().as_str(), p.schedules[0].catch_up_minutes), ("0 9 * * *", 120));
    let hops: Vec<_> = p.routes["app-first"].iter().map(|h| (h.channel, h.wait_minutes)).collect();
    assert_eq!(hops, [(Channel::Wechat, 30), (Channel::Sms, 0)]);
    let json = serde_json::to_string(&file.set).unwrap();
    assert_eq!(serde_json::from_str::<PolicySet>(&json).unwrap(), file.set);
}

#[test]
fn every_mistake_is_told_at_once_with_line_column_and_field() {
    let text = r#"prefecture = 1401
name = "太原"

[[policy]]
name = "Balance"
title = "余额预警"
plugin = "sample"
version = "new"
topic = "balance"
windos = ["09:00-11:30"]
windows = ["21:00-08:00", "9 to 5"]
days = "weekdays"
caps = { per_customer = 0 }
cost_per_part_milli_fen = 3.5
routes = { default = [{ chanel = "sms" }], empty = [] }

[[policy.schedule]]
name = "morning"
cron = "0 25 * * *"
"#;
    assert_eq!(
        parse_error(text),
        "policies/140100.toml:1:14: prefecture: `1401` is out of range, 100000 to 999999 is allowed\n\
         policies/140100.toml:4:1: policy[0]: the field `parameters` is missing\n\
         policies/140100.toml:5:8: policy[0].name: `Balance` is not a name: use lower-case letters, digits and hyphens, a letter first\n\
         policies/140100.toml:8:11: policy[0].version: `new` is not a version: unexpected character 'n' while parsing major version number; write `=0.1.0` for exactly one, `0.1` for compatible ones\n\
         policies/140100.toml:9:9: policy[0].topic: `balance` is not a topic: use one of arrears-reminder, bill-notice, balance-warning, payment-received, outage, cut-off, restore, campaign, staff, correction, answer\n\
         policies/140100.toml:10:1: policy[0]: unknown field `windos`: did you mean `windows`\n\
         policies/140100.toml:11:12: policy[0].windows[0]: `21:00-08:00` passes midnight: write it as two windows\n\
         policies/140100.toml:11:27: policy[0].windows[1]: `9 to 5` is not a time span: write it as 08:30-11:30\n\
         policies/140100.toml:12:8: policy[0].days: `weekdays` is not a choice of days: use `all` or `working`\n\
         policies/140100.toml:13:25: policy[0].caps.per_customer: `0` is out of range, 1 to 1000 is allowed\n\
         policies/140100.toml:14:27: policy[0].cost_per_part_milli_fen: this is a number with decimals, a whole number is expected\n\
         policies/140100.toml:15:23: policy[0].routes.default[0]: the field `channel` is missing\n\
         policies/140100.toml:15:25: policy[0].routes.default[0]: unknown field `chanel`: did you mean `channel`\n\
         policies/140100.toml:15:52: policy[0].routes.empty: a route needs at least one hop, as `[{ channel = \"sms\" }]`\n\
         policies/140100.toml:19:8: policy[0].schedule[0].cron: `0 25 * * *` is not a schedule: number out of bounds; write minute, hour, day, month and weekday, as `0 9 * * *`"
    );
}

#[test]
fn what_is_no_toml_is_told_with_its_place() {
    let e = parse_error("prefecture = 140100\nname = \"太原\n");
    assert!(e.starts_with("policies/140100.toml:2:"), "{e}");
    assert!(e.contains("not TOML: "), "{e}");
    let e = parse_error("");
    assert!(e.contains("the field `prefecture` is missing") && e.contains("the field `policy` is missing"), "{e}");
}

#[test]
fn parameters_are_refused_in_the_schemas_words_at_their_own_line() {
    let e = check_error(&with("steps = [7, 3, 1]", "calendar = \"lunar\"\nsteps = [7,\n  90]"));
    assert_eq!(
        e,
        "policies/140100.toml:16:1: policy `balance`, parameters/calendar: \"lunar\" is not one of \"calendar\" or \"working\"\n\
         policies/140100.toml:18:3: policy `balance`, parameters/steps/1: 提前天数: 90 is greater than the maximum of 60"
    );
    let e = check_error(&with("steps = [7, 3, 1]", "step = [7]"));
    assert!(e.starts_with("policies/140100.toml:15:9: policy `balance`, parameters"), "{e}");
    assert!(e.contains("'step' was unexpected") && e.contains("\"steps\" is a required property"), "{e}");
}

#[test]
fn what_the_plugin_and_the_province_do_not_allow_is_told() {
    let e = check_error(&with("version = \"0.1\"", "version = \"=0.2.0\""));
    assert_eq!(
        e,
        "policies/140100.toml:8:1: policy `balance`, version: no version of `sample` fits `=0.2.0`: there are 0.1.0"
    );
    let e = check_error(&with("plugin = \"sample\"", "plugin = \"smaple\""));
    assert_eq!(e, "policies/140100.toml:7:1: policy `balance`, plugin: there is no plugin `smaple`: upload it first");
    let e = check_error(&with("app-first =", "other ="));
    assert_eq!(
        e,
        "policies/140100.toml:13:1: policy `balance`, routes: plugin `sample` chooses the route `app-first`: say which channels it tries\n\
         policies/140100.toml:13:45: policy `balance`, routes.other: plugin `sample` never chooses this route: it knows default, app-first"
    );
    let e = check_error(&with(
        "windows = [\"09:00-11:30\", \"15:00-17:30\"]",
        "windows = [\"21:00-23:00\"]\nfreshness_days = 9\nevents = [\"bill-issued\"]",
    ));
    assert_eq!(
        e,
        "policies/140100.toml:10:1: policy `balance`, windows: every window lies in the province's quiet hours 21:00-08:00: nothing could ever be sent\n\
         policies/140100.toml:11:1: policy `balance`, freshness_days: 9 days is older than the province allows for balance-warning: at most 2\n\
         policies/140100.toml:12:11: policy `balance`, events[0]: plugin `sample` does not run on bill-issued"
    );
    let e = check_error(&with("\"balance-warning\"", "\"campaign\""));
    assert!(e.contains("topic: plugin `sample` decides about balance-warning, not campaign"), "{e}");
}

#[test]
fn names_are_unique() {
    let (_, second) = POLICY.split_once("[[policy]]").unwrap();
    let e = parse_error(&format!("{POLICY}\n[[policy]]{second}"));
    assert!(e.contains("policy[1]: a second policy is called `balance`"), "{e}");
    let e = parse_error(&format!("{POLICY}\n[[policy.schedule]]\nname = \"morning\"\ncron = \"0 10 * * *\"\n"));
    assert!(e.contains("policy[0].schedule[1]: another schedule of this policy has the same name"), "{e}");
}

#[test]
fn a_form_is_checked_as_a_file_is() {
    let plugins = OnePlugin(manifest(Topic::BalanceWarning));
    let mut p = policy(Topic::BalanceWarning);
    assert_eq!(check_policy(&p, &plugins, &rules()), []);
    p.name = "No Name".to_owned();
    p.schedules.push(p.schedules[0].clone());
    p.routes.insert("default".to_owned(), Vec::new());
    p.windows.push("22:00-06:00".parse().unwrap());
    let list: Vec<String> = check_policy(&p, &plugins, &rules()).iter().map(ToString::to_string).collect();
    let fields: Vec<&str> = list.iter().map(|p| p.split(": ").next().unwrap()).collect();
    let mut set = PolicyFile::parse("a", POLICY).unwrap().set;
    assert_eq!(check_policies(&set, &plugins, &rules()), []);
    set.policies.push(set.policies[0].clone());
    set.policies[1].topic = Topic::Campaign;
    let all: Vec<String> = check_policies(&set, &plugins, &rules()).iter().map(ToString::to_string).collect();
    assert_eq!(all[0], "policies[1].name: a second policy is called `balance`: names are unique");
    assert!(all[1].starts_with("policy `balance`, topic: "), "{all:?}");
    assert_eq!(fields, ["name", "schedules[1].name", "windows[2]", "routes.default"], "{list:?}");
}

#[test]
fn a_clerk_reads_what_changed() {
    let old = PolicyFile::parse("a", POLICY).unwrap().set;
    let text = with("steps = [7, 3, 1]", "steps = [5, 2]")
        .replace("\"15:00-17:30\"", "\"16:00-18:00\"")
        .replace("cron = \"0 9 * * *\"", "cron = \"30 8 * * *\"")
        + "\n[[policy.schedule]]\nname = \"late\"\ncron = \"0 15 * * *\"\n";
    let new = PolicyFile::parse("b", &text).unwrap().set;
    let lines: Vec<String> = diff(Some(&old), &new).iter().map(ToString::to_string).collect();
    assert_eq!(
        lines,
        [
            "余额预警 · 参数 · steps (balance.parameters.steps): 7, 3, 1 → 5, 2",
            "余额预警 · 执行计划 · late (balance.schedules.late): （无） → 名称 late 执行时间 0 15 * * * 补跑时限（分钟） 0",
            "余额预警 · 执行计划 · morning · 执行时间 (balance.schedules.morning.cron): 0 9 * * * → 30 8 * * *",
            "余额预警 · 发送时段 (balance.windows): 09:00-11:30, 15:00-17:30 → 09:00-11:30, 16:00-18:00",
        ]
    );
    assert_eq!(diff(Some(&new), &new), []);
    let first: Vec<String> = diff(None, &old).iter().map(ToString::to_string).collect();
    assert_eq!(first, ["余额预警 (balance): （无） → sample ^0.1"]);
    let gone = PolicySet { policies: Vec::new(), ..old.clone() };
    assert_eq!(diff(Some(&old), &gone)[0].to, None);
}

#[test]
fn the_provinces_rules_are_read_and_checked() {
    let rules = rules();
    let json = serde_json::to_string(&rules).unwrap();
    assert_eq!(serde_json::from_str::<ProvinceRules>(&json).unwrap(), rules);
    // Rules kept by a version that did not know of shared phones.
    let earlier = json.replace("\"shared_phone_accounts\":5,", "");
    assert_ne!(earlier, json);
    assert_eq!(serde_json::from_str::<ProvinceRules>(&earlier).unwrap(), rules);
    let fewer = repo("province.toml").replace("shared_phone_accounts = 5", "shared_phone_accounts = 2");
    assert_eq!(ProvinceRules::parse("province.toml", &fewer).unwrap().shared_phone_accounts, 2);
    let shared = "[share.prefecture]\n140100 = 3\n[share.topic]\nbill-notice = 2\n";
    let shared = ProvinceRules::parse("province.toml", &format!("{}\n{shared}", repo("province.toml"))).unwrap();
    assert_eq!(shared.share.weights(PrefectureCode(140_100), Topic::BillNotice), (3, 2));
    assert_eq!(shared.share.weights(PrefectureCode(140_200), Topic::Outage), (1, 1));
    assert_ne!(serde_json::to_string(&shared).unwrap(), json);
    let text = format!("{}\n[share.prefecture]\n14 = 3\n140100 = 0\n", repo("province.toml"));
    let e = ProvinceRules::parse("province.toml", &text).unwrap_err().to_string();
    assert!(e.contains("`14` is not a prefecture") && e.contains("140100"), "{e}");
    for topic in Topic::ALL {
        assert_eq!(rules.topic(*topic).class, topic.default_class(), "{topic}");
    }
    let text = repo("province.toml")
        .replace("【国网山西电力】", "国网山西电力")
        .replace("quiet = \"20:00-09:00\"", "quiet = \"night\"")
        .replace("[topic.staff]\nclass = \"staff\"", "[topic.staff]\nclass = \"stuff\"");
    let e = ProvinceRules::parse("province.toml", &text).unwrap_err().to_string();
    assert!(e.contains("topic.staff.class: `stuff` is not a topic class"), "{e}");
    assert!(e.contains("class.marketing.quiet: `night` is not a time span"), "{e}");
    let text = repo("province.toml")
        .replace("【国网山西电力】", "国网山西电力")
        .replace("[topic.campaign]\nclass = \"marketing\"", "[topic.campaign]\nclass = \"subscribed\"");
    let e = ProvinceRules::parse("province.toml", &text).unwrap_err().to_string();
    let mut lines = e.lines();
    assert_eq!(
        lines.next().unwrap(),
        "province.toml:6:1: signature: `国网山西电力` is not a signature: write it as 【国网山西电力】"
    );
    assert!(
        lines
            .next()
            .unwrap()
            .ends_with("topic.campaign.class: nobody can subscribe to campaign: put it into another class")
    );
}

/// What the reference plugins say of themselves.
struct Reference(Vec<Manifest>);

impl Plugins for Reference {
    fn manifest(&self, name: &str, version: &VersionReq) -> Option<&Manifest> {
        self.0.iter().find(|m| m.name() == name && version.matches(&m.version().parse().unwrap()))
    }
    fn versions(&self, name: &str) -> Vec<Version> {
        self.0.iter().filter(|m| m.name() == name).map(|m| m.version().parse().unwrap()).collect()
    }
}

fn reference() -> Reference {
    let names = ["arrears-reminder", "bill-notice", "balance-warning", "payment-received"];
    let read = |name| {
        let path = format!("{}/../../plugins/prebuilt/{name}.json", env!("CARGO_MANIFEST_DIR"));
        Manifest::parse(&std::fs::read_to_string(path).unwrap()).unwrap()
    };
    Reference(names.map(read).into())
}

#[test]
fn the_eleven_prefectures_files_fit_the_reference_plugins() {
    let plugins = reference();
    let mut steps = std::collections::BTreeSet::new();
    for (code, file) in [
        (140_100, "140100-taiyuan"),
        (140_200, "140200-datong"),
        (140_300, "140300-yangquan"),
        (140_400, "140400-changzhi"),
        (140_500, "140500-jincheng"),
        (140_600, "140600-shuozhou"),
        (140_700, "140700-jinzhong"),
        (140_800, "140800-yuncheng"),
        (140_900, "140900-xinzhou"),
        (141_000, "141000-linfen"),
        (141_100, "141100-lvliang"),
    ] {
        let name = format!("{file}.toml");
        let file = PolicyFile::parse(&name, &repo(&name)).unwrap();
        file.check(&plugins, &rules()).unwrap();
        assert_eq!(file.set.prefecture, PrefectureCode(code), "{name}");
        let names: Vec<&str> = file.set.policies.iter().map(|p| p.name.as_str()).collect();
        assert_eq!(names, ["arrears-reminder", "bill-notice", "balance-warning", "payment-received"], "{name}");
        steps.insert(file.set.policies[0].parameters["steps"].to_string());
    }
    assert_eq!(steps.len(), 11, "each city has its own N: {steps:?}");
}

#[test]
fn the_provinces_texts_fit_the_reference_plugins() {
    let (rules, plugins) = (rules(), reference());
    let file = TemplateFile::parse("templates.toml", &repo("templates.toml")).unwrap();
    file.check(&plugins.0, &rules).unwrap();
    for manifest in plugins.0.iter().chain([answers_manifest()]) {
        for notice in manifest.notices() {
            let template = file.set.approved(manifest.topic(), &notice.name, Channel::Sms);
            let plan = template.unwrap().compile(notice, &rules).unwrap().sample().clone();
            assert!(plan.text.starts_with("【国网山西电力】"), "{}", plan.text);
            assert!(plan.parts <= 2, "{} parts: {}", plan.parts, plan.text);
        }
    }
}
