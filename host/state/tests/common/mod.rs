//! A small province for the tests of this crate: a store in memory, a manual clock, facts by the number of a customer.

#![allow(dead_code, reason = "each test file uses its part")]
#![allow(clippy::unwrap_used, reason = "a test stops where it fails")]

use std::sync::Arc;

use gridbell_clock::Clock;
use gridbell_model::{
    AccountNumber, Channel, CivilMinute, Date, Decision, Fen, HoldReason, Lane, MessageId, OrgCode, OrgLevel, OrgTree,
    OrgUnit, Phone, PrefectureCode, Topic, Traits,
};
use gridbell_state::*;
use gridbell_store::{Key, MemStore, Sealer};

pub(crate) const TAIYUAN: PrefectureCode = PrefectureCode(140_100);
pub(crate) const DATONG: PrefectureCode = PrefectureCode(140_200);

pub(crate) fn today() -> Date {
    Date::from_ymd(2026, 11, 21).unwrap()
}

pub(crate) fn org() -> OrgTree {
    let mut tree = OrgTree::default();
    let rows = [
        (14, None, OrgLevel::Province),
        (140_100, Some(14), OrgLevel::Prefecture),
        (140_105, Some(140_100), OrgLevel::County),
        (14_010_501, Some(140_105), OrgLevel::Station),
        (140_200, Some(14), OrgLevel::Prefecture),
        (14_020_001, Some(140_200), OrgLevel::Station),
    ];
    for (code, parent, level) in rows {
        tree.insert(OrgUnit { code: OrgCode(code), parent: parent.map(OrgCode), level, name: format!("u{code}") });
    }
    tree
}

pub(crate) struct World {
    pub(crate) store: MemStore,
    pub(crate) sealer: Arc<Sealer>,
    pub(crate) clock: Clock,
    pub(crate) state: State,
}

impl World {
    pub(crate) async fn new() -> Self {
        Self::on(MemStore::new()).await
    }

    pub(crate) async fn on(store: MemStore) -> Self {
        let sealer = Arc::new(Sealer::new(&Key::parse(&"07".repeat(32), "test").unwrap()));
        let clock = Clock::manual(today().at(9, 0).moment());
        let (state, _) = State::open(Arc::new(store.clone()), Arc::clone(&sealer), clock.clone()).unwrap();
        state.set_org(org(), vec![]).await.unwrap();
        Self { store, sealer, clock, state }
    }

    /// Kill -9 and start again: only what was durable is there.
    pub(crate) fn crash(&mut self) -> LoadReport {
        let survivor = self.store.crash();
        let (state, report) =
            State::open(Arc::new(survivor.clone()), Arc::clone(&self.sealer), self.clock.clone()).unwrap();
        self.store = survivor;
        self.state = state;
        report
    }

    pub(crate) async fn facts(&self, facts: Facts) -> FactOutcome {
        self.state.facts(facts, false, vec![]).await.unwrap().facts
    }
}

pub(crate) fn account(n: u64) -> AccountNumber {
    format!("{n:010}").parse().unwrap()
}

pub(crate) fn customer(n: u64) -> CustomerFact {
    CustomerFact {
        account: account(n),
        station: OrgCode(if n % 5 == 4 { 14_020_001 } else { 14_010_501 }),
        section: Some((n % 7) as u32),
        traits: Traits::RESIDENT,
        traits_given: Traits::RESIDENT | Traits::PREPAID,
        name: Some(format!("客户{n}")),
        phone: Some(Phone::from_text(&format!("138{n:08}"))),
        threshold: None,
    }
}

pub(crate) fn bill(n: u64, period: u32, yuan: i64) -> BillFact {
    BillFact {
        account: account(n),
        period,
        amount: Fen(yuan * 100),
        kwh: 100,
        issued: today(),
        late_fee_from: today().plus_days(7),
        as_of: today(),
    }
}

pub(crate) fn payment(n: u64, id: &str, yuan: i64) -> PaymentFact {
    PaymentFact { account: account(n), key: payment_key(id), amount: Fen(yuan * 100), paid_on: today() }
}

pub(crate) fn record(trigger: u16) -> RunRecord {
    let now = CivilMinute(today().at(9, 0).0);
    RunRecord {
        plugin: "arrears-reminder".into(),
        plugin_version: "0.1.0".into(),
        digest: "00".into(),
        trigger,
        schedule: "morning".into(),
        scheduled_at: now,
        ..RunRecord::blank(TAIYUAN, "arrears-reminder".into(), Topic::ArrearsReminder, now, now.moment())
    }
}

pub(crate) fn queued(view: &gridbell_model::CustomerView, step: u8, parts: u8) -> DecisionRecord {
    let decision = Decision {
        row: view.row,
        notice: 0,
        step,
        reason: 0,
        route: 0,
        arg0: view.arrears.0,
        arg1: 0,
        not_before: CivilMinute::NONE,
        expires: CivilMinute::NONE,
    };
    let message = QueuedMessage {
        number: 0,
        previous: 0,
        channel: Channel::Sms,
        phone: view.phone,
        station: view.station,
        text: format!("【国网山西电力】您的电费{}元未缴", view.arrears.yuan()),
        template: 1,
        parts,
        cost_milli_fen: 3500,
        send_after: today().at(9, 0),
        expires: today().at(18, 0),
        lane: Lane::Bulk,
        queue: 1,
        key: view.business_key(Topic::ArrearsReminder),
        said_before: view.reminded_step,
        hop: 0,
        stated: view.arrears,
        sharing: gridbell_model::Sharing::Alone,
    };
    DecisionRecord::new(&decision, view.account, Outcome::Queued(Box::new(message)))
}

pub(crate) fn view(state: &State, n: u64) -> gridbell_model::CustomerView {
    state.customer(account(n)).unwrap().1
}

/// A message of `topic` to the customer of `view`, about what it is about now.
pub(crate) fn about(view: &gridbell_model::CustomerView, topic: Topic, step: u8) -> DecisionRecord {
    let mut decision = queued(view, step, 1);
    if let Outcome::Queued(message) = &mut decision.outcome {
        message.key = view.business_key(topic);
        message.said_before = view.said_step(topic).unwrap_or(0);
    }
    decision
}

/// Payments of Taiyuan that no run has seen.
pub(crate) fn waiting(state: &State) -> Vec<gridbell_model::CustomerView> {
    let Some(snapshot) = state.snapshot(TAIYUAN) else { return Vec::new() };
    let payments = snapshot.payments();
    (0..payments.len() as u32).map(|n| payments.view(n).unwrap()).collect()
}

/// Publishes a run of payments that tells of every one that waits; what it was about, and the messages' numbers.
pub(crate) async fn tell_payments(state: &State) -> Vec<(gridbell_model::CustomerView, MessageId)> {
    let mut run = state.begin_run(TAIYUAN).await.unwrap();
    let payments = run.snapshot().payments();
    let views: Vec<_> = (0..payments.len() as u32).map(|n| payments.view(n).unwrap()).collect();
    run.push(views.iter().map(|v| about(v, Topic::PaymentReceived, 1)).collect()).await.unwrap();
    let record = RunRecord { topic: Topic::PaymentReceived, ..record(TRIGGER_PAYMENT_RECEIVED) };
    let record = run.publish(record, vec![], vec![]).await.unwrap().0;
    let ids = (record.first_message..).map(|n| MessageId::new(TAIYUAN, n));
    views.into_iter().zip(ids).collect()
}

/// Publishes a reminder to every customer who owes, with step 1.
pub(crate) async fn remind(state: &State, parts: u8) -> RunRecord {
    let mut run = state.begin_run(TAIYUAN).await.unwrap();
    let snapshot = run.snapshot().clone();
    let mut decisions = vec![];
    for row in 0..snapshot.rows() {
        let view = snapshot.view(row).unwrap();
        if view.arrears > Fen::ZERO {
            decisions.push(queued(&view, 1, parts));
        } else {
            let mut held = queued(&view, 1, parts);
            held.outcome = Outcome::Held(HoldReason::NoAddress);
            decisions.push(held);
        }
    }
    run.push(decisions).await.unwrap();
    run.publish(record(1), vec![], vec![]).await.unwrap().0
}
