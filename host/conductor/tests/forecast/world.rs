//! A small prefecture with everything that guardrails look at, and a real host on it whose clock is moved by hand.

use std::collections::{BTreeMap, BTreeSet};
use std::path::PathBuf;
use std::sync::Arc;

use gridbell_archive::Archive;
use gridbell_clock::{Clock, Seed};
use gridbell_conductor::*;
use gridbell_engine::{ArtifactStore, CompilerCommand, EngineConfig, compile};
use gridbell_model::*;
use gridbell_planner::{Policy, PolicyFile};
use gridbell_state::*;
use gridbell_store::{Key, MemStore, Sealer};
use rustc_hash::FxHashMap;
use tokio_util::sync::CancellationToken;

pub(crate) const TAIYUAN: PrefectureCode = PrefectureCode(140_100);
pub(crate) const CUSTOMERS: u64 = 900;

const PLUGINS: [&[u8]; 4] = [
    include_bytes!("../../../../plugins/prebuilt/payment-received.wasm"),
    include_bytes!("../../../../plugins/prebuilt/arrears-reminder.wasm"),
    include_bytes!("../../../../plugins/prebuilt/bill-notice.wasm"),
    include_bytes!("../../../../plugins/prebuilt/balance-warning.wasm"),
];

/// Two schedules on most days, one of them on working days only; windows that end before the last run; caps that hold; a fact's limit.
pub(crate) const POLICIES: &str = r#"
prefecture = 140100
name = "太原"

[[policy]]
name = "arrears-reminder"
title = "电费催缴"
plugin = "arrears-reminder"
version = "0.1"
topic = "arrears-reminder"
windows = ["09:00-11:30", "15:00-17:30"]
days = "working"
caps = { per_customer = 1, per_phone = 1 }
validity_minutes = 2880
freshness_days = 2
cost_per_part_milli_fen = 3500
routes = { sms = [{ channel = "sms" }] }
lane = "bulk"
[policy.parameters]
steps = [7, 3, 1]
counting = "working"
minimum = 100
important_steps = [10, 5, 2]
overdue_every = 3
overdue_times = 2
[[policy.schedule]]
name = "daily"
cron = "30 8 * * *"
catch_up_minutes = 240
[[policy.schedule]]
name = "evening"
cron = "0 18 * * 1-5"
catch_up_minutes = 240

[[policy]]
name = "balance-warning"
title = "余额预警"
plugin = "balance-warning"
version = "0.1"
topic = "balance-warning"
windows = ["09:00-11:30"]
cost_per_part_milli_fen = 3600
routes = { sms = [{ channel = "sms" }] }
lane = "urgent"
[policy.parameters]
threshold = 3000
half = true
negative = true
[[policy.schedule]]
name = "daily"
cron = "45 8 * * *"
catch_up_minutes = 240
"#;

/// The reminder otherwise: earlier and fewer steps, other windows, prepaid customers too.
pub(crate) fn candidate() -> Policy {
    let text = POLICIES
        .replace("steps = [7, 3, 1]\n", "steps = [9, 3]\nprepaid_steps = [4]\n")
        .replace("days = \"working\"", "days = \"all\"")
        .replace("minimum = 100", "minimum = 900");
    PolicyFile::parse("candidate", &text).unwrap().set.policy("arrears-reminder").unwrap().clone()
}

/// A message as both sides tell it: account, policy, step, when it may go, channel, parts and text.
pub(crate) type Sent = (AccountNumber, String, u8, CivilMinute, Channel, u8, String);

pub(crate) struct World {
    pub(crate) host: Host,
    pub(crate) clock: Clock,
    _directory: tempfile::TempDir,
}

pub(crate) fn first_day() -> Date {
    // A Thursday; the last days of September and the long holiday after them lie ahead.
    Date::from_ymd(2026, 9, 24).unwrap()
}

pub(crate) fn account(n: u64) -> AccountNumber {
    format!("{n:010}").parse().unwrap()
}

/// Something like a random number that is the same everywhere.
fn draw(n: u64, what: u64) -> u64 {
    let mut x = n.wrapping_mul(0x9e37_79b9_7f4a_7c15) ^ what.wrapping_mul(0xd1b5_4a32_d192_ed03);
    x ^= x >> 29;
    x = x.wrapping_mul(0xbf58_476d_1ce4_e5b9);
    x ^ (x >> 32)
}

fn customer(n: u64) -> CustomerFact {
    let traits = [
        (Traits::RESIDENT, draw(n, 1) % 10 < 8),
        (Traits::IMPORTANT, draw(n, 2).is_multiple_of(9)),
        (Traits::PREPAID, draw(n, 3).is_multiple_of(3)),
        (Traits::DISPUTED, draw(n, 4).is_multiple_of(23)),
        (Traits::CLOSED, draw(n, 5).is_multiple_of(29)),
        (Traits::DO_NOT_REMIND, draw(n, 6).is_multiple_of(19)),
        (Traits::SUBSCRIBES_BALANCE, !draw(n, 7).is_multiple_of(5)),
    ];
    let bits = traits.iter().fold(Traits(0), |all, (bit, on)| all.with(*bit, *on));
    let given = traits.iter().fold(Traits(0), |all, (bit, _)| all | *bit);
    // Some share a number, some have one that is none, some none at all.
    let shared = if draw(n, 8).is_multiple_of(6) { n % 40 } else { n };
    let segment = ["138", "131", "133", "192"][(shared % 4) as usize];
    let phone = match draw(n, 9) % 20 {
        0 => Phone::from_text("12"),
        1 => Phone::from_text(""),
        _ => Phone::from_text(&format!("{segment}{shared:08}")),
    };
    CustomerFact {
        account: account(n),
        station: OrgCode([14_010_501, 14_010_502, 14_010_601][(n % 3) as usize]),
        section: Some(u32::try_from(n % 7).unwrap()),
        traits: bits,
        traits_given: given,
        name: Some(format!("客户{n}")),
        phone: Some(phone),
        threshold: draw(n, 10).is_multiple_of(8).then_some(5_000),
    }
}

/// Customers whose facts are computed every day; the others' grow old.
fn is_fresh(n: u64) -> bool {
    !draw(n, 11).is_multiple_of(12)
}

fn sealer() -> Arc<Sealer> {
    Arc::new(Sealer::new(&Key::parse(&"07".repeat(32), "test").unwrap()))
}

/// A host on `state` that serves SMS.
fn open(state: State, clock: &Clock, directory: &std::path::Path) -> Host {
    let path = |name: &str| directory.join(name);
    let host = Host::open(HostOptions {
        state,
        clock: clock.clone(),
        seed: Seed(1),
        artifacts: path("plugins"),
        compiler: CompilerCommand { program: PathBuf::from("/"), args: Vec::new() },
        certifier: std::sync::Arc::new(gridbell_conductor::NoCertifier),
        engine: EngineConfig::default(),
        archive: Archive::new(path("archive"), sealer()),
        files: Files { imports: path("imports"), max_import_bytes: MAX_IMPORT_BYTES, backups: None },
    })
    .unwrap();
    host.serve_carriers(&[Carrier::Mobile, Carrier::Unicom, Carrier::Telecom]);
    host
}

impl World {
    /// The same province with a host that was started again and has no links but those for SMS.
    #[allow(dead_code, reason = "tests of forecasts restart nothing")]
    pub(crate) fn restarted(self) -> Self {
        let host = open(self.host.state().clone(), &self.clock, self._directory.path());
        Self { host, ..self }
    }

    pub(crate) async fn new() -> Self {
        Self::with(POLICIES).await
    }

    pub(crate) async fn with(policies: &str) -> Self {
        // A manual clock: nothing passes by itself, and what is offloaded runs on the spot.
        Self::on(Clock::manual(first_day().at(0, 30).moment()), policies).await
    }

    pub(crate) async fn on(clock: Clock, policies: &str) -> Self {
        let directory = tempfile::tempdir().unwrap();
        let path = |name: &str| directory.path().join(name);
        let (state, _) = State::open(Arc::new(MemStore::new()), sealer(), clock.clone()).unwrap();
        let artifacts = ArtifactStore::open(path("plugins")).unwrap();
        let mut docs = Vec::new();
        for upload in PLUGINS {
            let compiled = compile(upload, EngineConfig::default().guest_memory_bytes).unwrap();
            let stored = artifacts.put(upload, &compiled).unwrap();
            let (name, version) = (compiled.manifest().name().to_owned(), compiled.manifest().version().to_owned());
            let key = format!("{name}@{version}");
            let info = PluginInfo { name, version, digest: stored.digest.to_string(), uploaded_by: "test".into() };
            let value = serde_json::to_vec(&info).unwrap();
            docs.push(DocChange { kind: PLUGIN.into(), key, value: Some(value), expected: None });
        }
        state.put_docs(docs, vec![]).await.unwrap();
        state.set_org(org(), vec![]).await.unwrap();
        state.facts(Facts::Customers((0..CUSTOMERS).map(customer).collect()), false, vec![]).await.unwrap();
        let host = open(state, &clock, directory.path());
        host.apply_rules("province", include_str!("../../../../policies/province.toml"), "a").await.unwrap();
        host.apply_calendar("calendar", include_str!("../../../../policies/calendar.toml"), "a").await.unwrap();
        host.apply_segments("segments", include_str!("../../../../policies/segments.toml"), "a").await.unwrap();
        host.apply_templates("templates", include_str!("../../../../policies/templates.toml"), "a").await.unwrap();
        host.apply_policies("policies", policies, None, "a", false).await.unwrap();
        let world = Self { host, clock, _directory: directory };
        world.facts(first_day(), true).await;
        world.preferences().await;
        world
    }

    /// Figures of `day`, the same as on every day, of those customers whose figures are computed daily; with `all` those of the others too, which
    /// are older than texts may state.
    async fn facts(&self, day: Date, all: bool) {
        let as_of = |n: u64| if is_fresh(n) { day } else { day.plus_days(-5) };
        let who = || (0..CUSTOMERS).filter(move |n| all || is_fresh(*n));
        let bill = |n: u64| BillFact {
            account: account(n),
            period: 202_608,
            amount: Fen(i64::try_from(draw(n, 20) % 2_000).unwrap()),
            kwh: 100,
            issued: first_day().plus_days(-10),
            late_fee_from: first_day().plus_days(i32::try_from(draw(n, 21) % 30).unwrap() - 8),
            as_of: as_of(n),
        };
        let balance = |n: u64| BalanceFact {
            account: account(n),
            balance: Fen(i64::try_from(draw(n, 22) % 9_000).unwrap() - 2_000),
            as_of: as_of(n),
            debit_pending: None,
        };
        let owes = who().filter(|n| !draw(*n, 23).is_multiple_of(4));
        self.host.state().facts(Facts::Bills(owes.map(bill).collect()), false, vec![]).await.unwrap();
        let prepaid = who().filter(|n| draw(*n, 3).is_multiple_of(3));
        self.host.state().facts(Facts::Balances(prepaid.map(balance).collect()), false, vec![]).await.unwrap();
    }

    async fn preferences(&self) {
        for n in (0..CUSTOMERS).filter(|n| draw(*n, 30).is_multiple_of(17)) {
            let bits = Preferences::NO_SMS_SERVICE | Preferences::NO_SMS_SUBSCRIBED;
            let change = CustomerChange::Preferences { bits, on: true };
            self.host.state().change_customer(account(n), vec![change], vec![], vec![]).await.unwrap();
        }
    }

    /// The host lives through `days`: figures come each night, schedules run, carriers deliver.
    pub(crate) async fn live(&self, days: i32) {
        let mut delivered = BTreeSet::new();
        for day in (0..days).map(|d| first_day().plus_days(d)) {
            self.facts(day, false).await;
            for quarter in 0..96 {
                let at = day.at(quarter / 4, quarter % 4 * 15).moment();
                if at > self.clock.now() {
                    self.clock.advance_to(at);
                }
                self.host.serve_due(&CancellationToken::new()).await;
                self.host.serve_hops().await;
                self.deliver(&mut delivered).await;
            }
        }
    }

    /// Everything that may go now goes, and is reported delivered.
    async fn deliver(&self, delivered: &mut BTreeSet<MessageId>) {
        let state = self.host.state();
        let due: Vec<MessageId> = [Carrier::Mobile, Carrier::Unicom, Carrier::Telecom]
            .iter()
            .flat_map(|c| state.ready(*c as u8, 100_000, |_, _| false))
            .collect();
        if due.is_empty() {
            return;
        }
        let submit = |id: &MessageId| (*id, MessageEvent::Submitting { link: "mobile".into() });
        state.message_events(due.iter().map(submit).collect()).await.unwrap();
        let (mut accepted, mut reports) = (Vec::new(), Vec::new());
        for message in state.outgoing(&due).unwrap() {
            let Outcome::Queued(queued) = &message.decision.outcome else { continue };
            for part in 1..=queued.parts {
                let carrier_id = u64::from(message.id.number()) << 8 | u64::from(part);
                accepted.push((message.id, MessageEvent::PartAccepted { part, carrier_id }));
                reports.push((carrier_id.into(), "DELIVRD".to_owned()));
            }
            delivered.insert(message.id);
        }
        state.message_events(accepted).await.unwrap();
        state.reports("mobile", reports).await.unwrap();
    }

    /// Runs of `policy`, oldest first.
    pub(crate) fn runs(&self, policy: &str) -> Vec<Arc<RunRecord>> {
        let mut runs = self.host.state().runs(None, 10_000, |r| r.policy == policy);
        runs.reverse();
        runs
    }

    /// What `policy` sent, with the run's time.
    pub(crate) fn sent(&self, policy: &str) -> Vec<(CivilMinute, u64, Sent)> {
        let mut all = Vec::new();
        for run in self.runs(policy) {
            for segment in 0..run.segments.len() {
                for d in self.host.state().decisions(run.id, u32::try_from(segment).unwrap()).unwrap() {
                    let Outcome::Queued(m) = d.outcome else { continue };
                    let sent = (d.account, run.policy.clone(), d.step, m.send_after, m.channel, m.parts, m.text);
                    all.push((run.now, m.key, sent));
                }
            }
        }
        all
    }

    /// Messages, parts and cost by county, day and channel.
    pub(crate) fn counted(&self, policy: &str) -> BTreeMap<(OrgCode, Date, Channel), (u64, u64, u64)> {
        let mut all: BTreeMap<_, (u64, u64, u64)> = BTreeMap::new();
        let county: FxHashMap<AccountNumber, OrgCode> =
            (0..CUSTOMERS).map(|n| (account(n), OrgCode(if n % 3 == 2 { 140_106 } else { 140_105 }))).collect();
        let price = if policy == "balance-warning" { 3_600 } else { 3_500 };
        for (_, _, (who, _, _, at, channel, parts, _)) in self.sent(policy) {
            let sums = all.entry((county[&who], at.date(), channel)).or_default();
            *sums = (sums.0 + 1, sums.1 + u64::from(parts), sums.2 + u64::from(parts) * price);
        }
        all
    }
}

fn org() -> OrgTree {
    let mut tree = OrgTree::default();
    for (code, parent, level, name) in [
        (14, None, OrgLevel::Province, "山西"),
        (140_100, Some(14), OrgLevel::Prefecture, "太原供电公司"),
        (140_105, Some(140_100), OrgLevel::County, "小店"),
        (140_106, Some(140_100), OrgLevel::County, "迎泽"),
        (14_010_501, Some(140_105), OrgLevel::Station, "城西供电所"),
        (14_010_502, Some(140_105), OrgLevel::Station, "城南供电所"),
        (14_010_601, Some(140_106), OrgLevel::Station, "迎泽供电所"),
    ] {
        tree.insert(OrgUnit { code: OrgCode(code), parent: parent.map(OrgCode), level, name: name.into() });
    }
    tree
}
