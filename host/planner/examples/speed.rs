//! How fast decisions become messages on one core: `cargo run --release -p gridbell-planner --example speed`.
//!
//! The median of nine runs over the same 200 000 customers, texts included, with a context that answers at once; then texts alone, laid out
//! as segments and by the engine.

#![expect(clippy::unwrap_used, reason = "a measurement that cannot be set up should say so loudly")]

use std::hint::black_box;
use std::sync::Arc;
use std::time::Duration;

use gridbell_clock::Clock;
use gridbell_contract::Manifest;
use gridbell_model::{
    CivilMinute, CustomerView, Date, Decision, Fen, OrgCode, OrgLevel, OrgTree, OrgUnit, Phone, PrefectureCode,
    Preferences, Topic, TopicClass, Traits,
};
use gridbell_planner::{
    Calendar, Facts, Guard, GuardContext, GuardSetup, PolicyFile, ProvinceRules, RunScope, TemplateFile, Told, Verdict,
};

const CUSTOMERS: u32 = 200_000;
const RUNS: usize = 9;

struct Nobody;
impl GuardContext for Nobody {
    fn said(&self, _: u32, _: Topic, _: u64, _: u8) -> bool {
        false
    }
    fn told(&self, _: u32, _: u64, _: Date, _: TopicClass) -> Told {
        Told::default()
    }
}

fn read(file: &str) -> String {
    std::fs::read_to_string(format!("{}/{file}", env!("CARGO_MANIFEST_DIR"))).unwrap()
}

fn org() -> OrgTree {
    let mut tree = OrgTree::default();
    let mut add = |code, parent: Option<u32>, level| {
        let (code, parent, name) = (OrgCode(code), parent.map(OrgCode), "城西供电所".to_owned());
        tree.insert(OrgUnit { code, parent, level, name });
    };
    add(14, None, OrgLevel::Province);
    add(140_100, Some(14), OrgLevel::Prefecture);
    add(140_105, Some(140_100), OrgLevel::County);
    for n in 0..200 {
        add(14_010_500 + n, Some(140_105), OrgLevel::Station);
    }
    tree
}

fn customer(row: u32, today: Date) -> (Decision, CustomerView) {
    let arrears = Fen(100 + i64::from(row) * 7 % 1_000_000);
    let view = CustomerView {
        row,
        account: format!("0{:09}", 100_000_000 + row).parse().unwrap(),
        phone: Phone::from_text(&format!("138{:08}", row)),
        station: OrgCode(14_010_500 + row % 200),
        section: row % 500,
        traits: Traits::RESIDENT | Traits::HAS_MOBILE,
        preferences: Preferences::default(),
        arrears,
        arrears_period: 202_610,
        late_fee_from: today.plus_days(7),
        months_owed: 1,
        reminded_step: 0,
        bill_period: 202_610,
        bill_issued: today.plus_days(-10),
        bill_amount: arrears,
        bill_kwh: 256,
        bill_said: 0,
        arrears_as_of: today.plus_days(-1),
        balance: Fen::ZERO,
        balance_as_of: Date::NONE,
        threshold: u32::MAX,
        balance_episode: 0,
        balance_said: 0,
        paid_amount: Fen::ZERO,
        paid_on: Date::NONE,
        payment_key: 0,
        payment_said: false,
        last_message: 0,
    };
    let decision = Decision {
        row,
        notice: 0,
        step: 1,
        reason: 0,
        route: 0,
        arg0: arrears.0,
        arg1: i64::from(view.late_fee_from.0),
        not_before: CivilMinute::NONE,
        expires: CivilMinute::NONE,
    };
    (decision, view)
}

/// The median time of [`RUNS`] runs of `work`, for each of `count`.
fn median(name: &str, count: u32, mut work: impl FnMut() -> u64) {
    let clock = Clock::system();
    let mut times: Vec<Duration> = (0..RUNS)
        .map(|_| {
            let start = clock.monotonic();
            black_box(work());
            clock.monotonic() - start
        })
        .collect();
    times.sort_unstable();
    let seconds = times[RUNS / 2].as_secs_f64();
    println!("{name:28} {:7.3} µs each, {:9.0} a second", seconds * 1e6 / f64::from(count), f64::from(count) / seconds);
}

fn main() {
    let rules = ProvinceRules::parse("province.toml", &read("../../policies/province.toml")).unwrap();
    let calendar = Arc::new(Calendar::parse("calendar.toml", &read("../../policies/calendar.toml")).unwrap());
    let mut templates = TemplateFile::parse("templates.toml", &read("../../policies/templates.toml")).unwrap().set;
    let policies = PolicyFile::parse("taiyuan", &read("../../policies/140100-taiyuan.toml")).unwrap().set;
    let manifest = Manifest::parse(&read("../../plugins/prebuilt/arrears-reminder.json")).unwrap();
    let now: CivilMinute = "2026-11-21T09:30".parse().unwrap();
    let (org, scope) = (org(), RunScope::default());
    let guard = |templates: &_| {
        Guard::new(&GuardSetup {
            rules: &rules,
            policy: &policies.policies[0],
            manifest: &manifest,
            templates,
            calendar: &calendar,
            org: &org,
            prefecture: PrefectureCode(140_100),
            scope: &scope,
            now,
        })
        .unwrap()
    };
    let rows: Vec<_> = (0..CUSTOMERS).map(|row| customer(row, now.date())).collect();
    let run = |guard: &Guard| {
        let mut caps = guard.day_caps();
        let queued = rows.iter().filter(|(d, v)| matches!(guard.judge(d, v, &Nobody, &mut caps), Verdict::Queue(_)));
        queued.count() as u64
    };

    let plain = guard(&templates);
    assert_eq!(run(&plain), u64::from(CUSTOMERS), "nothing is held");
    median("judge with caps", CUSTOMERS, || run(&plain));
    median("judge without caps", CUSTOMERS, || {
        rows.iter().filter(|(d, v)| matches!(plain.consider(d, v, &Nobody), Verdict::Queue(_))).count() as u64
    });

    let text = templates.templates.iter().find(|t| t.notice == "reminder").unwrap().clone();
    let notice = &manifest.notices()[0];
    let render = |name: &str, text: &gridbell_planner::Template| {
        let compiled = text.compile(notice, &rules).unwrap();
        median(name, CUSTOMERS, || {
            let plan = |(d, v): &(Decision, CustomerView)| {
                let facts = Facts::of(Topic::ArrearsReminder, v, [d.arg0, d.arg1], "城西供电所", "太原", "95598");
                u64::from(compiled.plan(&facts, 3500).unwrap().parts)
            };
            rows.iter().map(plan).sum()
        });
    };
    render("text, segments", &text);
    let mut choosing = text.clone();
    choosing.text += "{% if months_owed > 1 %}（{{ months_owed }}个月）{% endif %}";
    render("text, engine", &choosing);
    templates.templates.push(gridbell_planner::Template { version: 2, ..choosing });
    let engine = guard(&templates);
    median("judge, text by the engine", CUSTOMERS, || run(&engine));
}
