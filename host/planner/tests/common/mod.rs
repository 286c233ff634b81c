//! A small province for the tests: a plugin's manifest, rules, a policy, one customer whom nothing holds.
#![allow(
    clippy::unwrap_used,
    dead_code,
    unreachable_pub,
    reason = "test helpers: a panic is the failure, and each file uses its own part"
)]

use std::sync::Arc;

use gridbell_contract::Manifest;
use gridbell_model::{
    CivilMinute, CustomerView, Date, Decision, Fen, OrgCode, OrgLevel, OrgTree, OrgUnit, Phone, PrefectureCode,
    Preferences, Topic, TopicClass, Traits,
};
use gridbell_planner::{
    Calendar, Guard, GuardContext, GuardSetup, HOST_PLACEHOLDERS, PlannerError, Plugins, Policy, PolicyFile,
    ProvinceRules, RunScope, Template, TemplateSet, TemplateStatus, Told, TopicRule, Version, VersionReq,
};

pub fn minute(text: &str) -> CivilMinute {
    text.parse().unwrap()
}

pub fn date(text: &str) -> Date {
    text.parse().unwrap()
}

/// A Saturday, 10:00, inside the sample's windows.
pub fn now() -> CivilMinute {
    minute("2026-11-21T10:00")
}

pub fn repo(file: &str) -> String {
    std::fs::read_to_string(format!("{}/../../policies/{file}", env!("CARGO_MANIFEST_DIR"))).unwrap()
}

pub fn rules() -> ProvinceRules {
    ProvinceRules::parse("province.toml", &repo("province.toml")).unwrap()
}

pub fn calendar() -> Arc<Calendar> {
    Arc::new(Calendar::parse("calendar.toml", &repo("calendar.toml")).unwrap())
}

pub fn manifest(topic: Topic) -> Manifest {
    Manifest::parse(
        &r#"{
            "name": "sample", "version": "0.1.0", "topic": "TOPIC", "triggers": ["schedule", "payment-received"],
            "columns": ["balance", "threshold"],
            "parameters": {
                "type": "object", "additionalProperties": false, "required": ["steps"],
                "properties": {
                    "steps": { "type": "array", "title": "提前天数", "items": { "type": "integer", "minimum": 1, "maximum": 60 } },
                    "calendar": { "enum": ["calendar", "working"], "default": "calendar" }
                }
            },
            "notices": [
                { "name": "low", "title": "余额不足", "arg0": { "name": "amount", "unit": "fen" }, "arg1": { "name": "days", "unit": "days" } },
                { "name": "empty", "title": "余额用完" }
            ],
            "reasons": [{ "name": "low", "title": "余额低于阈值" }],
            "routes": ["default", "app-first"]
        }"#
        .replace("TOPIC", topic.word()),
    )
    .unwrap()
}

pub const POLICY: &str = r#"prefecture = 140100
name = "太原"

[[policy]]
name = "balance"
title = "余额预警"
plugin = "sample"
version = "0.1"
topic = "balance-warning"
windows = ["09:00-11:30", "15:00-17:30"]
cost_per_part_milli_fen = 3500
ceiling = 1000
routes = { default = [{ channel = "sms" }], app-first = [{ channel = "wechat", wait_minutes = 30 }, { channel = "sms" }] }

[policy.parameters]
steps = [7, 3, 1]

[[policy.schedule]]
name = "morning"
cron = "0 9 * * *"
catch_up_minutes = 120
"#;

pub fn policy(topic: Topic) -> Policy {
    let text = POLICY.replace("\"balance-warning\"", &format!("\"{topic}\""));
    PolicyFile::parse("policy.toml", &text).unwrap().set.policies.remove(0)
}

pub struct OnePlugin(pub Manifest);

impl Plugins for OnePlugin {
    fn manifest(&self, name: &str, version: &VersionReq) -> Option<&Manifest> {
        let fits = self.versions(name).iter().any(|v| version.matches(v));
        fits.then_some(&self.0)
    }

    fn versions(&self, name: &str) -> Vec<Version> {
        let own = self.0.version().parse().unwrap();
        if name == self.0.name() { vec![own] } else { Vec::new() }
    }
}

pub fn template(topic: Topic, notice: &str, text: &str) -> Template {
    // The sample's texts leave out what they do not need.
    let has_date = HOST_PLACEHOLDERS.iter().any(|p| p.name == "as_of" && p.is_for(topic));
    let has_numbers = notice == "low";
    let omits = [has_date.then_some("as_of"), has_numbers.then_some("amount"), has_numbers.then_some("days")];
    Template {
        topic,
        notice: notice.to_owned(),
        channel: gridbell_model::Channel::Sms,
        version: 1,
        status: TemplateStatus::Approved,
        text: text.to_owned(),
        omits: omits.into_iter().flatten().map(str::to_owned).collect(),
        merged: None,
    }
}

pub fn org() -> OrgTree {
    let mut tree = OrgTree::default();
    for (code, parent, level, name) in [
        (14, None, OrgLevel::Province, "山西"),
        (140_100, Some(14), OrgLevel::Prefecture, "太原"),
        (140_105, Some(140_100), OrgLevel::County, "小店"),
        (140_106, Some(140_100), OrgLevel::County, "迎泽"),
        (14_010_501, Some(140_105), OrgLevel::Station, "城西供电所"),
        (14_010_601, Some(140_106), OrgLevel::Station, "城东供电所"),
        (140_200, Some(14), OrgLevel::Prefecture, "大同"),
        (14_020_001, Some(140_200), OrgLevel::Station, "口泉供电所"),
    ] {
        let unit = OrgUnit { code: OrgCode(code), parent: parent.map(OrgCode), level, name: name.to_owned() };
        tree.insert(unit);
    }
    tree
}

/// A customer whom nothing holds, for any topic and class.
pub fn customer() -> CustomerView {
    CustomerView {
        row: 7,
        account: "0123456789".parse().unwrap(),
        phone: Phone::from_text("13812341234"),
        station: OrgCode(14_010_501),
        section: 11,
        traits: Traits::PREPAID | Traits::SUBSCRIBES_BALANCE | Traits::SUBSCRIBES_BILL | Traits::HAS_MOBILE,
        preferences: Preferences::MARKETING_CONSENT | Preferences::SUBSCRIBES_OUTAGE,
        arrears: Fen(12_345),
        arrears_period: 202_610,
        late_fee_from: date("2026-11-28"),
        months_owed: 1,
        reminded_step: 0,
        bill_period: 202_610,
        bill_issued: date("2026-11-05"),
        bill_amount: Fen(12_345),
        bill_kwh: 256,
        bill_said: 0,
        arrears_as_of: date("2026-11-20"),
        balance: Fen(1953),
        balance_as_of: date("2026-11-20"),
        threshold: 5000,
        balance_episode: 4,
        balance_said: 0,
        paid_amount: Fen(10_000),
        paid_on: date("2026-11-20"),
        payment_key: 99,
        payment_said: false,
        last_message: 0,
    }
}

pub fn decision() -> Decision {
    Decision {
        row: 7,
        notice: 0,
        step: 1,
        reason: 0,
        route: 0,
        arg0: 1953,
        arg1: 3,
        not_before: CivilMinute::NONE,
        expires: CivilMinute::NONE,
    }
}

/// What was told before, and what is said: nothing unless set.
#[derive(Default)]
pub struct Context {
    pub told: Told,
    pub said: bool,
    pub wechat: bool,
}

impl GuardContext for Context {
    fn said(&self, _: u32, _: Topic, _: u64, _: u8) -> bool {
        self.said
    }
    fn told(&self, _: u32, _: u64, _: Date, _: TopicClass) -> Told {
        self.told
    }
    fn has_address(&self, _: u32, _: gridbell_model::Channel) -> bool {
        self.wechat
    }
}

/// Everything a guard is made from, to change before it is.
pub struct Sample {
    pub rules: ProvinceRules,
    pub policy: Policy,
    pub manifest: Manifest,
    pub templates: TemplateSet,
    pub calendar: Arc<Calendar>,
    pub org: OrgTree,
    pub scope: RunScope,
    pub now: CivilMinute,
}

impl Sample {
    pub fn of(topic: Topic) -> Self {
        // An answer of another name than those that state an account's data cannot say whose it is.
        let whose = if topic == Topic::Answer { "" } else { "户号尾号{{ account_tail }}" };
        let low = template(topic, "low", &format!("您好，{whose}当前余额{{{{ amount }}}}元，请留意。"));
        Self {
            rules: rules(),
            policy: policy(topic),
            manifest: manifest(topic),
            templates: TemplateSet { templates: vec![low, template(topic, "empty", "您好，余额已用完。")] },
            calendar: calendar(),
            org: org(),
            scope: RunScope::default(),
            now: now(),
        }
    }

    /// The guard's complaints about texts.
    pub fn warnings(&self) -> Vec<String> {
        self.guard().unwrap().warnings().to_vec()
    }

    /// The topic in `class`, whatever the province's file says.
    pub fn in_class(topic: Topic, class: TopicClass) -> Self {
        let mut sample = Self::of(topic);
        let rule = TopicRule { class, ..sample.rules.topic(topic) };
        sample.rules.topics.insert(topic, rule);
        sample
    }

    pub fn guard(&self) -> Result<Guard, PlannerError> {
        Guard::new(&GuardSetup {
            rules: &self.rules,
            policy: &self.policy,
            manifest: &self.manifest,
            templates: &self.templates,
            calendar: &self.calendar,
            org: &self.org,
            prefecture: PrefectureCode(140_100),
            scope: &self.scope,
            now: self.now,
        })
    }
}
