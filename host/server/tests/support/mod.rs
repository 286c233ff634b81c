//! A small province to test the server on: a real state in memory, the repository's own policies, texts and manifests, and a conductor that
//! decides "whoever owes is reminded" by itself, so that no test here waits for a sandbox.
#![allow(
    clippy::unwrap_used,
    dead_code,
    unreachable_pub,
    unused_imports,
    reason = "test helpers: a panic is the failure, and each file uses its own part"
)]

mod ask;
mod correct;
pub mod previews;
mod release;
mod stand;

use std::sync::Arc;

use gridbell_clock::Clock;
use gridbell_model::{AccountNumber, Date, Fen, OrgCode, OrgLevel, OrgTree, OrgUnit, Phone, PrefectureCode, Traits};
use gridbell_server::{NewToken, Role, Scope, create_token};
use gridbell_state::{BalanceFact, BillFact, CustomerFact, Facts, InboundMessage, MessageEvent, State};
use gridbell_store::{Key, MemStore, Sealer};

pub use ask::{Answer, Desk};
pub use stand::{MAX_FILE, Stand, alarm};

pub const TAIYUAN: PrefectureCode = PrefectureCode(140_100);
pub const DATONG: PrefectureCode = PrefectureCode(140_200);

pub fn today() -> Date {
    "2026-11-21".parse().unwrap()
}

pub fn repo(file: &str) -> String {
    std::fs::read_to_string(format!("{}/../../{file}", env!("CARGO_MANIFEST_DIR"))).unwrap()
}

fn org() -> OrgTree {
    let rows: [(u32, Option<u32>, OrgLevel, &str); 12] = [
        (14, None, OrgLevel::Province, "山西省电力公司"),
        (140_100, Some(14), OrgLevel::Prefecture, "太原"),
        (140_105, Some(140_100), OrgLevel::County, "小店"),
        (140_106, Some(140_100), OrgLevel::County, "迎泽"),
        (14_010_501, Some(140_105), OrgLevel::Station, "坞城供电所"),
        (14_010_502, Some(140_105), OrgLevel::Station, "北格供电所"),
        (14_010_601, Some(140_106), OrgLevel::Station, "柳巷供电所"),
        (140_200, Some(14), OrgLevel::Prefecture, "大同"),
        (140_213, Some(140_200), OrgLevel::County, "平城"),
        (14_021_301, Some(140_213), OrgLevel::Station, "古城供电所"),
        (140_300, Some(14), OrgLevel::Prefecture, "阳泉"),
        (140_302, Some(140_300), OrgLevel::County, "城区"),
    ];
    let mut tree = OrgTree::default();
    for (code, parent, level, name) in rows {
        tree.insert(OrgUnit { code: OrgCode(code), parent: parent.map(OrgCode), level, name: name.to_owned() });
    }
    tree
}

/// The `n`-th account.
pub fn account(n: u64) -> AccountNumber {
    format!("{n:010}").parse().unwrap()
}

pub fn station_of(n: u64) -> OrgCode {
    OrgCode([14_010_501, 14_010_502, 14_010_601, 14_021_301][(n % 4) as usize])
}

pub fn phone_of(n: u64) -> String {
    format!("139{:08}", 35_100_000 + n)
}

fn customer(n: u64) -> CustomerFact {
    const FAMILY: [&str; 8] = ["李", "王", "张", "刘", "陈", "杨", "赵", "欧阳"];
    const GIVEN: [&str; 6] = ["敏", "建国", "秀英", "晓明", "志强", "丽华"];
    let prepaid = n.is_multiple_of(5);
    CustomerFact {
        account: account(n),
        station: station_of(n),
        section: Some(1000 + (n % 6) as u32),
        traits: Traits::RESIDENT
            .with(Traits::PREPAID, prepaid)
            .with(Traits::SUBSCRIBES_BILL, n.is_multiple_of(3))
            .with(Traits::DO_NOT_REMIND, n % 11 == 7),
        traits_given: Traits::RESIDENT | Traits::PREPAID | Traits::SUBSCRIBES_BILL | Traits::DO_NOT_REMIND,
        name: Some(format!("{}{}", FAMILY[(n % 8) as usize], GIVEN[(n % 6) as usize])),
        phone: (n % 13 != 12).then(|| Phone::from_text(&phone_of(n))),
        threshold: prepaid.then_some(5_000),
    }
}

/// A stand with `customers` customers, two of three in arrears, and the tokens to ask with.
pub async fn stand(customers: u64) -> Stand {
    stand_at(Clock::manual(today().at(9, 30).moment()), customers).await
}

pub async fn stand_at(clock: Clock, customers: u64) -> Stand {
    let sealer = Arc::new(Sealer::new(&Key::parse(&"07".repeat(32), "test").unwrap()));
    let (state, _) = State::open(Arc::new(MemStore::new()), sealer, clock.clone()).unwrap();
    state.set_org(org(), vec![]).await.unwrap();
    let all: Vec<u64> = (1..=customers).collect();
    let day = clock.today();
    for some in all.chunks(10_000) {
        state.facts(Facts::Customers(some.iter().map(|n| customer(*n)).collect()), false, vec![]).await.unwrap();
        let bills = some.iter().filter(|n| *n % 3 != 1).map(|n| BillFact {
            account: account(*n),
            period: 202_610,
            amount: Fen(3_000 + (*n as i64 * 137) % 40_000),
            kwh: 60 + (*n as u32 * 7) % 400,
            issued: day.plus_days(-5),
            late_fee_from: day.plus_days(3),
            as_of: day,
        });
        state.facts(Facts::Bills(bills.collect()), false, vec![]).await.unwrap();
        let balances = some.iter().filter(|n| *n % 5 == 0).map(|n| BalanceFact {
            account: account(*n),
            balance: Fen((*n as i64 * 211) % 9_000 - 1_000),
            as_of: day,
            debit_pending: None,
        });
        state.facts(Facts::Balances(balances.collect()), false, vec![]).await.unwrap();
    }
    Stand::new(state, clock).await
}

/// A token of `role` over `scope`.
pub async fn token(stand: &Stand, role: Role, scope: Option<u32>) -> String {
    let name = format!("t-{role}-{}", scope.unwrap_or(0));
    let new = NewToken { name, person: None, role, scope: Scope::from(scope.map(OrgCode)), days: 30 };
    create_token(&stand.state, &stand.clock, new).await.unwrap()
}

/// Lets the carrier take and report what waits: most delivered, some failed.
pub async fn deliver(stand: &Stand) {
    let ids: Vec<_> =
        stand.state.live(100_000, |l| l.state == gridbell_model::MessageState::Queued).iter().map(|l| l.id).collect();
    for (n, id) in (1u64..).zip(ids) {
        if n % 9 == 0 {
            continue;
        }
        let accept = |part| MessageEvent::PartAccepted { part, carrier_id: n * 10 + u64::from(part) };
        let mut events = vec![(id, MessageEvent::Submitting { link: "mobile".into() })];
        events.extend((0..8).map(|part| (id, accept(part))));
        stand.state.message_events(events).await.unwrap();
        let stat = if n % 7 == 0 { "UNDELIV" } else { "DELIVRD" };
        if n % 5 != 0 {
            let reports = (0..8).map(|part| ((n * 10 + part).into(), stat.to_owned()));
            stand.state.reports("mobile", reports.collect()).await.unwrap();
        }
    }
}

/// A customer's reply.
pub async fn reply(stand: &Stand, n: u64, text: &str) {
    let message = InboundMessage {
        number: 0,
        at: stand.clock.now(),
        link: "mobile".into(),
        from: Phone::from_text(&phone_of(n)),
        to: "95598".into(),
        text: text.into(),
        handled: "inbox".into(),
        key: String::new(),
        answer: String::new(),
    };
    stand.state.inbound(message, vec![], vec![]).await.unwrap();
}

/// Waits until an import has ended.
pub async fn ended(stand: &Stand, id: &str) -> gridbell_conductor::ImportRecord {
    let id: gridbell_conductor::ImportId = id.parse().unwrap();
    loop {
        let record = gridbell_server::Conduct::imports(stand).get(id).unwrap();
        if record.state.is_final() {
            return record;
        }
        tokio::task::yield_now().await;
    }
}

/// An outage of one customer of Taiyuan's, as it is entered.
pub fn outage(kind: &str) -> serde_json::Value {
    serde_json::json!({
        "prefecture": 140100, "kind": kind, "scope": { "customers": ["0000000008"] }, "from": "2026-12-20T08:00", "until": "2026-12-20T12:00",
        "reason": "10kV城南线检修",
    })
}

/// The community of Taiyuan's in which tests hang their screens.
pub async fn community(stand: &Stand) {
    let contacts = serde_json::json!([{ "role": "property-manager", "title": "锦绣物业", "phone": "13800001234" }]);
    let community = serde_json::json!({
        "key": "140100-jinxiu", "name": "锦绣花园", "transformers": ["T-1", "T-2"], "sections": [1001], "contacts": contacts,
    });
    stand.screens.put_community(serde_json::from_value(community).unwrap(), "system").await.unwrap();
}

/// A notice for it.
pub fn notice(title: &str) -> serde_json::Value {
    serde_json::json!({
        "prefecture": 140_100, "kind": "planned-outage", "severity": "moderate", "urgency": "future", "certainty": "likely",
        "title": title, "body": "10kV城南线检修，请提前做好准备。", "begins": "2026-11-25T08:00", "ends": "2026-11-25T12:00",
        "expires": "2026-11-25T13:00", "communities": ["140100-jinxiu"], "why": "计划变更",
    })
}
