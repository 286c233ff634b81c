//! Previews: a candidate against the live policy over a large prefecture, for a day and for a month, by plugins in Rust and in the languages that
//! bring an interpreter along.
//!
//! The host is one as `serve` opens it. The live policy ran the day before, so that what was said is as on an ordinary day.

use std::path::Path;

use gridbell_clock::{Clock, Seed};
use gridbell_conductor::{Candidate, Host, PolicyPreview, PreviewRequest, RunRequest};
use gridbell_model::{AccountNumber, Date, Fen, OrgCode, OrgLevel, Phone, PrefectureCode, Traits};
use gridbell_planner::RunScope;
use gridbell_simulators::province::Province;
use gridbell_state::{BillFact, CustomerFact, Facts};
use rand_core::RngCore as _;

use super::SEED;
use super::figures::Report;
use super::rig::{Scratch, WHO};
use crate::config::Config;
use crate::error::CommandError;
use crate::{defaults, open};

/// Customers of the prefecture: the largest of a province of 12.84 million has about as many.
const CUSTOMERS: u64 = 1_200_000;
/// Rows of one batch of facts.
const BATCH: u64 = 20_000;
/// Repetitions, after one that only touches the memory.
const ROUNDS: usize = 5;
const TAIYUAN: PrefectureCode = PrefectureCode(140_100);
const POLICY: &str = "arrears-reminder";
/// Days of a month.
const MONTH: u8 = 30;
/// Languages whose components `plugins/build-guests` makes.
const LANGUAGES: [&str; 2] = ["js", "python"];

/// Measures; components of other languages are looked for in `guests`, and those that are not there are skipped with a note.
pub(super) async fn measure(
    guests: &Path,
    today: Date,
    scratch: &Scratch,
    report: &mut Report,
    say: &dyn Fn(String),
) -> Result<(), CommandError> {
    say(format!("  previews: a prefecture of {CUSTOMERS} customers"));
    let clock = Clock::starting_at(today.at(10, 0).moment());
    let config = Config { seed: SEED, ..Config::of_data(scratch.0.join("preview")) };
    let opened = tokio::task::spawn_blocking(move || open::open(&config, clock))
        .await
        .map_err(|e| CommandError::Failed(e.to_string()))??;
    let host = opened.host;
    prepare(&host, today).await?;
    let queued = host.run_policy(RunRequest::by_person(TAIYUAN, POLICY, WHO)).await?.record.queued;
    say("  previews: a day".to_owned());
    let mut day = Vec::new();
    for round in 0..=ROUNDS {
        let preview = preview(&host, today, 1).await?;
        if round > 0 {
            day.push(preview.1 * 1e3);
        }
    }
    report.set_median("preview.prefecture_ms", &day);
    let (seen, _) = preview(&host, today, 1).await?;
    report.note(format!(
        "preview: {CUSTOMERS} customers, {queued} messages the day before; a day is {} messages against {} of the live policy, medians of {ROUNDS}",
        seen.totals.messages,
        seen.live_totals.map_or(0, |t| t.messages),
    ));
    month(&host, today, "rust", report, say).await?;
    for language in LANGUAGES {
        let path = guests.join(format!("arrears-reminder-{language}.wasm"));
        if !path.is_file() {
            report.note(format!(
                "preview.month_s.{language}: skipped: there is no {}; `plugins/build-guests` makes it",
                path.display()
            ));
            continue;
        }
        let upload = std::fs::read(&path).map_err(CommandError::file("read", &path))?;
        let info = host.install_plugin(upload, WHO).await?;
        let plugin = format!("plugin = \"{}\"\nversion = \"={}\"", info.name, info.version);
        host.apply_policies("bench-policy.toml", &policy(&plugin), None, WHO, false).await?;
        month(&host, today, language, report, say).await?;
    }
    host.state().close().await;
    Ok(())
}

/// A month by the live policy's plugin on both sides.
async fn month(
    host: &Host,
    today: Date,
    language: &str,
    report: &mut Report,
    say: &dyn Fn(String),
) -> Result<(), CommandError> {
    say(format!("  previews: a month, {language}"));
    let mut took = Vec::new();
    for _ in 0..ROUNDS.div_ceil(2) {
        took.push(preview(host, today, MONTH).await?.1);
    }
    report.set_median(&format!("preview.month_s.{language}"), &took);
    Ok(())
}

/// Other days ahead from tomorrow on, against the live policy; with the seconds that it took.
async fn preview(host: &Host, today: Date, days: u8) -> Result<(PolicyPreview, f64), CommandError> {
    let parameters = serde_json::json!({ "steps": [10, 5, 1] }).as_object().cloned();
    let request = PreviewRequest {
        prefecture: TAIYUAN,
        policy: POLICY.to_owned(),
        candidate: Candidate { parameters, ..Candidate::default() },
        at: Some(today.plus_days(1).at(0, 0)),
        days: Some(days),
        scope: RunScope::default(),
        office: WHO.to_owned(),
    };
    let began = host.clock().monotonic();
    let preview = host.preview_policy(request).await?;
    Ok((preview, (host.clock().monotonic() - began).as_secs_f64()))
}

/// The house's own policy, texts and rules; links with the grants of the three carriers.
async fn prepare(host: &Host, today: Date) -> Result<(), CommandError> {
    open::install_defaults(host).await?;
    for (name, carrier, grant) in [("mobile", "mobile", 100), ("unicom", "unicom", 100), ("telecom", "telecom", 50)] {
        let link = serde_json::json!({
            "name": name, "protocol": "cmpp3", "address": "127.0.0.1:7890", "sp-id": "901234", "secret": { "env": "NONE" },
            "service-id": "DLFW", "src-ids": ["95598"], "grant": grant, "serves": [carrier],
        });
        host.declare_links([&serde_json::from_value(link)?]);
    }
    let state = host.state();
    let org = Province::new(Seed(SEED), CUSTOMERS, today).org_tree();
    let here = |code: OrgCode| org.prefecture_of(code) == Some(TAIYUAN);
    let stations: Vec<OrgCode> =
        org.iter().filter(|u| u.level == OrgLevel::Station && here(u.code)).map(|u| u.code).collect();
    state.set_org(org.clone(), Vec::new()).await?;
    host.apply_policies(
        "bench-policy.toml",
        &policy("plugin = \"arrears-reminder\"\nversion = \"0.1\""),
        None,
        WHO,
        false,
    )
    .await?;
    let mut rng = Seed(SEED).stream("bench/preview");
    for first in (0..CUSTOMERS).step_by(BATCH as usize) {
        let (mut customers, mut bills) = (Vec::new(), Vec::new());
        for n in first..CUSTOMERS.min(first + BATCH) {
            let r = rng.next_u64();
            let account: AccountNumber = format!("{n:010}")
                .parse()
                .map_err(|_| CommandError::Failed("an account number of ten digits was refused".to_owned()))?;
            customers.push(customer(account, n, r, &stations));
            // One in eight owes something; of those about half are in reach of a reminder.
            if (r >> 16).is_multiple_of(8) {
                let due = today.plus_days(((r >> 40) % 40) as i32 - 15);
                bills.push(BillFact {
                    account,
                    period: 202_611,
                    amount: Fen(200 + ((r >> 24) % 40_000) as i64),
                    kwh: 100,
                    issued: due.plus_days(-20),
                    late_fee_from: due,
                    as_of: today,
                });
            }
        }
        state.facts(Facts::Customers(customers), true, Vec::new()).await?;
        state.facts(Facts::Bills(bills), true, Vec::new()).await?;
    }
    Ok(())
}

fn customer(account: AccountNumber, n: u64, r: u64, stations: &[OrgCode]) -> CustomerFact {
    let prepaid = (r >> 8) % 10 < 3;
    let traits = Traits::RESIDENT.with(Traits::IMPORTANT, r.is_multiple_of(100)).with(Traits::PREPAID, prepaid);
    let segment = ["138", "131", "133"][(r >> 4) as usize % 3];
    CustomerFact {
        account,
        station: stations.get(n as usize % stations.len().max(1)).copied().unwrap_or(TAIYUAN.org()),
        section: Some((n % 400) as u32),
        traits,
        traits_given: Traits::RESIDENT | Traits::IMPORTANT | Traits::PREPAID,
        name: None,
        phone: Some(Phone::from_text(&format!("{segment}{n:08}"))),
        threshold: None,
    }
}

/// The house's policies of the prefecture, their reminder decided by `plugin`.
fn policy(plugin: &str) -> String {
    let (_, text) = defaults::POLICIES[0];
    text.replacen("plugin = \"arrears-reminder\"\nversion = \"0.1\"", plugin, 1)
}
