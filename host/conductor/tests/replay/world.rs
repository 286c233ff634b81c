//! A prefecture over a store in memory, with a manual clock: days of facts, runs of the reference policies, kills.

use std::path::Path;
use std::sync::{Arc, OnceLock};

use gridbell_archive::Archive;
use gridbell_clock::{Clock, Seed};
use gridbell_conductor::*;
use gridbell_engine::{ArtifactStore, CompilerCommand, EngineConfig, compile};
use gridbell_model::{
    AccountNumber, Carrier, Date, Fen, Initiator, OrgCode, OrgLevel, OrgTree, OrgUnit, Phone, PrefectureCode, RunId,
    Traits,
};
use gridbell_planner::RunScope;
use gridbell_state::*;
use gridbell_store::{Batch, Durability, Key, MemStore, Sealer, Store as _};
use tokio_util::sync::CancellationToken;

pub(crate) const TAIYUAN: PrefectureCode = PrefectureCode(140_100);
pub(crate) const PEOPLE: u64 = 1_500;
pub(crate) const REMINDER: &[u8] = include_bytes!("../../../../plugins/prebuilt/arrears-reminder.wasm");
pub(crate) const PLUGINS: [&[u8]; 4] = [
    REMINDER,
    include_bytes!("../../../../plugins/prebuilt/bill-notice.wasm"),
    include_bytes!("../../../../plugins/prebuilt/balance-warning.wasm"),
    include_bytes!("../../../../plugins/prebuilt/payment-received.wasm"),
];
pub(crate) const POLICIES: [&str; 3] = ["arrears-reminder", "bill-notice", "balance-warning"];

pub(crate) fn first_day() -> Date {
    Date::from_ymd(2026, 11, 16).unwrap()
}

pub(crate) fn account(n: u64) -> AccountNumber {
    format!("{n:010}").parse().unwrap()
}

pub(crate) fn policies(file: &str) -> String {
    std::fs::read_to_string(format!("{}/../../policies/{file}", env!("CARGO_MANIFEST_DIR"))).unwrap()
}

/// Plugins compiled once for all tests.
pub(crate) fn workshop() -> &'static (tempfile::TempDir, Vec<PluginInfo>) {
    static MADE: OnceLock<(tempfile::TempDir, Vec<PluginInfo>)> = OnceLock::new();
    MADE.get_or_init(|| {
        let dir = tempfile::tempdir().unwrap();
        let store = ArtifactStore::open(dir.path().join("plugins")).unwrap();
        let newer = patched(REMINDER, b"arrears-reminder0.1.0", b"arrears-reminder0.1.1");
        let uploads = PLUGINS.into_iter().chain([newer.as_slice()]);
        let listed = uploads.map(|upload| {
            let compiled = compile(upload, EngineConfig::default().guest_memory_bytes).unwrap();
            let digest = store.put(upload, &compiled).unwrap().digest.to_string();
            let (name, version) = (compiled.manifest().name().to_owned(), compiled.manifest().version().to_owned());
            PluginInfo { name, version, digest, uploaded_by: "test".into() }
        });
        let listed = listed.collect();
        (dir, listed)
    })
}

/// `bytes` with every `from` as `to`, of the same length: another version of the same plugin.
pub(crate) fn patched(bytes: &[u8], from: &[u8], to: &[u8]) -> Vec<u8> {
    let mut bytes = bytes.to_vec();
    let mut at = 0;
    while let Some(found) = bytes[at..].windows(from.len()).position(|w| w == from) {
        bytes[at + found..at + found + to.len()].copy_from_slice(to);
        at += found + to.len();
    }
    assert!(at > 0, "nothing to change");
    bytes
}

pub(crate) struct World {
    pub(crate) store: MemStore,
    pub(crate) sealer: Arc<Sealer>,
    pub(crate) clock: Clock,
    pub(crate) dir: tempfile::TempDir,
    pub(crate) host: Host,
}

pub(crate) fn open(store: &MemStore, sealer: &Arc<Sealer>, clock: &Clock, dir: &Path) -> Host {
    let history = Some(dir.join("history"));
    let state =
        State::open_with_history(Arc::new(store.clone()), Arc::clone(sealer), clock.clone(), history).unwrap().0;
    let host = Host::open(HostOptions {
        state,
        clock: clock.clone(),
        seed: Seed(1),
        artifacts: workshop().0.path().join("plugins"),
        // Never asked: every plugin is compiled already.
        compiler: CompilerCommand { program: "/".into(), args: Vec::new() },
        certifier: Arc::new(NoCertifier),
        engine: EngineConfig { threads: 2, ..EngineConfig::default() },
        archive: Archive::new(dir.join("archives"), Arc::clone(sealer)),
        files: Files { imports: dir.join("imports"), max_import_bytes: MAX_IMPORT_BYTES, backups: None },
    });
    let host = host.unwrap();
    host.serve_carriers(&[Carrier::Mobile, Carrier::Unicom, Carrier::Telecom]);
    host
}

impl World {
    pub(crate) async fn new() -> Self {
        let store = MemStore::new();
        let sealer = Arc::new(Sealer::new(&Key::parse(&"07".repeat(32), "test").unwrap()));
        let clock = Clock::manual(first_day().at(9, 0).moment());
        let dir = tempfile::tempdir().unwrap();
        let host = open(&store, &sealer, &clock, dir.path());
        let w = Self { store, sealer, clock, dir, host };
        w.list(&workshop().1[..PLUGINS.len()]).await;
        let w = w.reopened();
        let mut tree = OrgTree::default();
        for (code, parent, level) in [
            (14, None, OrgLevel::Province),
            (140_100, Some(14), OrgLevel::Prefecture),
            (14_010_501, Some(140_100), OrgLevel::Station),
            (140_200, Some(14), OrgLevel::Prefecture),
            (14_020_001, Some(140_200), OrgLevel::Station),
        ] {
            let name = format!("单位{code}");
            tree.insert(OrgUnit { code: OrgCode(code), parent: parent.map(OrgCode), level, name });
        }
        let state = w.host.state();
        state.set_org(tree, vec![]).await.unwrap();
        w.host.apply_rules("province.toml", &policies("province.toml"), "li").await.unwrap();
        w.host.apply_calendar("calendar.toml", &policies("calendar.toml"), "li").await.unwrap();
        w.host.apply_segments("segments.toml", &policies("segments.toml"), "li").await.unwrap();
        w.host.apply_templates("templates.toml", &policies("templates.toml"), "li").await.unwrap();
        let file = policies("140100-taiyuan.toml");
        w.host.apply_policies("140100-taiyuan.toml", &file, None, "li", false).await.unwrap();
        w.facts(Facts::Customers((0..PEOPLE).map(customer).collect())).await;
        w
    }

    pub(crate) async fn list(&self, plugins: &[PluginInfo]) {
        let doc = |p: &PluginInfo| DocChange {
            kind: PLUGIN.into(),
            key: format!("{}@{}", p.name, p.version),
            value: Some(serde_json::to_vec(p).unwrap()),
            expected: None,
        };
        self.host.state().put_docs(plugins.iter().map(doc).collect(), vec![]).await.unwrap();
    }

    /// Kill -9 and start again.
    pub(crate) fn reopened(self) -> Self {
        let store = self.store.crash();
        let host = open(&store, &self.sealer, &self.clock, self.dir.path());
        Self { store, host, ..self }
    }

    pub(crate) async fn facts(&self, facts: Facts) {
        self.host.state().facts(facts, true, vec![]).await.unwrap();
    }

    /// What comes in on a day.
    pub(crate) async fn a_day(&self, day: u64) {
        let today = self.clock.today();
        let bill = |n: u64| BillFact {
            account: account(n),
            period: 202_600 + u32::try_from(day % 11 + 1).unwrap(),
            amount: Fen(1_000 + i64::try_from(n * 7 + day).unwrap()),
            kwh: 100,
            issued: today.plus_days(-1),
            late_fee_from: today.plus_days(i32::try_from(n % 9).unwrap()),
            as_of: today,
        };
        self.facts(Facts::Bills((0..PEOPLE).filter(|n| (n + day).is_multiple_of(3)).map(bill).collect())).await;
        let balance = |n: u64| BalanceFact {
            account: account(n),
            balance: Fen(i64::try_from(n % 60 * 100).unwrap() - 500),
            as_of: today,
            debit_pending: Some(n.is_multiple_of(17)),
        };
        self.facts(Facts::Balances((0..PEOPLE).filter(|n| n % 4 == day % 4).map(balance).collect())).await;
    }

    pub(crate) async fn pays(&self, day: u64, some: std::ops::Range<u64>) {
        let payment = |n: u64| PaymentFact {
            account: account(n),
            key: payment_key(&format!("{day}/{n}")),
            amount: Fen(700 + i64::try_from(n).unwrap()),
            paid_on: self.clock.today(),
        };
        self.facts(Facts::Payments(some.map(payment).collect())).await;
    }

    pub(crate) async fn run(&self, policy: &str, trigger: RunTrigger, scope: RunScope) -> RunRecord {
        let request = RunRequest {
            prefecture: TAIYUAN,
            policy: policy.into(),
            trigger,
            scope,
            initiator: Initiator::System,
            dry_run: false,
            release_of: None,
        };
        self.host.run_policy(request).await.unwrap().record
    }

    pub(crate) async fn by_clock(&self, policy: &str) -> RunRecord {
        let at = self.clock.civil_minute();
        let trigger = RunTrigger::Schedule { name: "daily".into(), scheduled_at: at, late_minutes: 3 };
        self.run(policy, trigger, RunScope::default()).await
    }

    pub(crate) async fn replay(&self, run: RunId) -> Result<ReplayReport, HostError> {
        self.host.replay(run, Arc::new(|_| ()), &CancellationToken::new()).await
    }

    pub(crate) async fn same(&self, run: &RunRecord) -> ReplayReport {
        let report = self.replay(run.id).await.unwrap();
        assert!(report.same && report.proved == "everyone", "{} {}: {report:?}", run.id, run.policy);
        assert_eq!(report.decided, run.decided);
        report
    }

    /// Changes a segment of decisions as nobody may, seals and all.
    pub(crate) fn tamper(&self, run: RunId, change: impl FnOnce(&mut Vec<DecisionRecord>)) {
        let mut key = vec![b'G'];
        key.extend_from_slice(&run.0.to_be_bytes());
        key.extend_from_slice(&0_u32.to_be_bytes());
        let sealed = self.store.get(&key).unwrap().unwrap();
        let bytes = lz4_flex::decompress_size_prepended(&self.sealer.open(&key, &sealed).unwrap()).unwrap();
        let mut records: Vec<DecisionRecord> = postcard::from_bytes(&bytes).unwrap();
        change(&mut records);
        let bytes = lz4_flex::compress_prepend_size(&postcard::to_stdvec(&records).unwrap());
        let mut batch = Batch::new();
        batch.put(key.clone(), self.sealer.seal(&key, &bytes).unwrap());
        self.store.commit(batch, Durability::Durable).unwrap();
    }

    pub(crate) async fn explain(&self, n: u64, at: Option<&str>, policy: &str, rebuild: bool) -> PolicyStory {
        let request = ExplainRequest {
            account: account(n),
            at: at.map(|t| t.parse().unwrap()),
            policy: Some(policy.into()),
            rebuild,
        };
        let mut e = self.host.explain(request).await.unwrap();
        assert_eq!(e.policies.len(), 1);
        e.policies.remove(0)
    }
}

pub(crate) fn customer(n: u64) -> CustomerFact {
    let subscribes = Traits::SUBSCRIBES_BALANCE | Traits::SUBSCRIBES_BILL;
    CustomerFact {
        account: account(n),
        station: OrgCode(if n % 10 == 9 { 14_020_001 } else { 14_010_501 }),
        section: Some(u32::try_from(n % 7).unwrap()),
        traits: Traits::RESIDENT.with(subscribes, n.is_multiple_of(2)).with(Traits::PREPAID, n.is_multiple_of(5)),
        traits_given: Traits::RESIDENT | subscribes | Traits::PREPAID,
        name: Some(format!("客户{n}")),
        // Some share a number, so that caps by number hold somebody.
        phone: Some(Phone::from_text(&format!("138{:08}", if n.is_multiple_of(31) { 5 } else { n }))),
        threshold: None,
    }
}
