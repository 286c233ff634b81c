//! Links against the gateway simulator, over real sockets.

#![expect(clippy::unwrap_used, reason = "a test ends where its bench is not as built")]

mod support;

use std::collections::{BTreeMap, BTreeSet};
use std::net::{Ipv4Addr, SocketAddr};
use std::sync::Arc;

use gridbell_channels::{
    Action, AlarmKind, LinkConfig, LinkHandle, LinkState, Outcome, ReportOutcome, Secret, Tcp, start,
};
use gridbell_clock::{Clock, Seed};
use gridbell_cmpp::MsgId;
use gridbell_model::{CarrierKey, MessageId};
use gridbell_simulators::cmpp::{Account, Config, Faults, Gateway, LogEntry, Mo, ResultFault};
use support::{Event, MemoryOutbox, config};

const SP: &str = "901234";
const LONG: &str = "【国网山西电力】尊敬的客户，您好！因线路检修，您所在的台区计划于明日八时至十二时停电，请您提前做好准备。如提前送电，恕不另行通知，\
    给您带来不便，敬请谅解。如有疑问请拨打供电服务热线九五五九八，我们将竭诚为您服务。";

struct Bench {
    gateway: Gateway,
    outbox: Arc<MemoryOutbox>,
    clock: Clock,
}

impl Bench {
    async fn new(account: Account, faults: Faults) -> Self {
        Self::with(Config { faults, seed: 7, ..Config::with_account(account) }).await
    }

    async fn with(config: Config) -> Self {
        let clock = Clock::system();
        let gateway = Gateway::start(config, clock.clone(), SocketAddr::from((Ipv4Addr::LOCALHOST, 0))).await.unwrap();
        Self { gateway, outbox: MemoryOutbox::new(&clock), clock }
    }

    fn config(&self, more: &str) -> LinkConfig {
        config(&self.gateway.addr().to_string(), more)
    }

    fn link(&self, more: &str) -> LinkHandle {
        self.link_with(more, "secret")
    }

    fn link_with(&self, more: &str, secret: &str) -> LinkHandle {
        let outbox = Arc::clone(&self.outbox);
        start(self.config(more), Secret::new(secret), outbox, Tcp, self.clock.clone(), Seed(1)).unwrap()
    }

    fn put_many(&self, count: usize) -> Vec<MessageId> {
        (0..count).map(|n| self.outbox.put(&phone(n), &format!("【国网山西电力】第{n}条"))).collect()
    }
}

fn phone(n: usize) -> String {
    (13_800_000_000 + n).to_string()
}

fn open() -> Account {
    Account { rate: 0, ..Account::default() }
}

async fn drained(link: &LinkHandle) {
    link.drain();
    link.closed().await;
}

#[tokio::test]
async fn both_versions_log_in_send_and_match_reports() {
    for (protocol, version) in [("cmpp2", "2.0"), ("cmpp3", "3.0")] {
        let bench = Bench::new(open(), Faults::default()).await;
        let link = bench.link(&format!("protocol = \"{protocol}\""));
        bench.put_many(100);
        bench.outbox.until(|outbox| outbox.reports().len() == 100).await;
        assert_eq!(link.status().version.as_deref(), Some(version));
        drained(&link).await;

        let accepted: BTreeMap<CarrierKey, MessageId> = carrier_ids(&bench.outbox);
        assert_eq!(accepted.len(), 100);
        for report in bench.outbox.reports() {
            assert!(accepted.contains_key(&report.key));
            assert_eq!((report.stat.as_str(), report.outcome), ("DELIVRD", ReportOutcome::Delivered));
            assert!(report.done.is_some() && report.submitted.is_some());
        }
        let stats = bench.gateway.stats().account(SP);
        assert_eq!((stats.window_violations, stats.malformed, stats.delivers_acknowledged), (0, 0, 100));
        assert_eq!(bench.gateway.log().iter().map(|e| &e.destination).collect::<BTreeSet<_>>().len(), 100);
        let status = link.status();
        assert_eq!((status.state, status.window_used, bench.outbox.in_hand()), (LinkState::Closed, 0, 0));
        assert_eq!((status.counts.sent, status.counts.accepted, status.counts.reports), (100, 100, 100));
        assert!(status.alarms.is_empty() && status.anomalies.is_empty(), "{status:?}");
    }
}

fn carrier_ids(outbox: &MemoryOutbox) -> BTreeMap<CarrierKey, MessageId> {
    let id = |outcome: &Outcome| if let Outcome::Accepted { key } = outcome { Some(key.clone()) } else { None };
    outbox.answers().iter().filter_map(|answer| Some((id(&answer.outcome)?, answer.message))).collect()
}

#[tokio::test]
async fn a_wrong_secret_stops_the_link_until_a_person_resumes_it() {
    for protocol in ["cmpp2", "cmpp3"] {
        let bench = Bench::new(open(), Faults::default()).await;
        let link = bench.link_with(&format!("protocol = \"{protocol}\""), "other");
        let status = link.wait_for(|status| status.state == LinkState::Stopped).await;
        assert_eq!(status.alarms[0].kind, AlarmKind::LoginRefused { status: 3 });
        assert_eq!(bench.gateway.stats().logins_refused[&3], 1);
        link.resume();
        bench.gateway.wait_until(|stats| stats.logins_refused[&3] == 2).await;
        drained(&link).await;
    }
}

#[tokio::test]
async fn a_gateway_of_2_0_gets_2_0() {
    let bench = Bench::with(Config { speaks_3_0: false, ..Config::with_account(open()) }).await;
    let link = bench.link("protocol = \"cmpp3\"");
    bench.put_many(1);
    bench.outbox.until(|outbox| outbox.reports().len() == 1).await;
    assert_eq!(link.status().version.as_deref(), Some("2.0"));
    drained(&link).await;
}

#[tokio::test]
async fn a_long_message_goes_in_parts_that_join_again() {
    let bench = Bench::new(open(), Faults::default()).await;
    let link = bench.link("");
    let id = bench.outbox.put_as("13812341234", LONG, |m| m.sender = "9559801".into());
    bench.outbox.until(|outbox| outbox.reports().len() == 2).await;
    drained(&link).await;
    let log = bench.gateway.log();
    assert_eq!(joined(&log), LONG);
    assert_eq!(log.iter().map(|e| (e.pk_total, e.pk_number)).collect::<Vec<_>>(), [(2, 1), (2, 2)]);
    assert_eq!(log[0].reference, log[1].reference);
    assert!(log.iter().all(|e| e.src_id == "9559801" && e.service_id == "DLFW"));
    let parts: Vec<_> = bench.outbox.answers().iter().map(|answer| (answer.message, answer.part)).collect();
    assert_eq!(parts, [(id, 1), (id, 2)]);
}

fn joined(log: &[LogEntry]) -> String {
    log.iter().map(|entry| entry.text.as_str()).collect()
}

#[tokio::test]
async fn the_window_is_kept_full_and_never_exceeded() {
    let faults = Faults { response_delay_ms: (0, 5), ..Faults::default() };
    let bench = Bench::new(Account { window: 8, ..open() }, faults).await;
    let link = bench.link("window = 8\nconnections = 2");
    bench.put_many(600);
    bench.outbox.until(|outbox| outbox.accepted() == 600).await;
    drained(&link).await;
    let stats = bench.gateway.stats().account(SP);
    assert_eq!((stats.window_violations, stats.logins, stats.parts_accepted), (0, 2, 600));
}

#[tokio::test]
async fn intent_comes_before_the_write_and_what_was_paid_meanwhile_is_not_sent() {
    let bench = Bench::new(open(), Faults::default()).await;
    let ids = bench.put_many(50);
    bench.outbox.withdraw(&ids[10..20]);
    let link = bench.link("");
    bench.outbox.until(|outbox| outbox.accepted() == 40).await;
    drained(&link).await;
    let log: BTreeSet<String> = bench.gateway.log().into_iter().map(|entry| entry.destination).collect();
    let expected: BTreeSet<String> = (0..10).chain(20..50).map(phone).collect();
    assert_eq!(log, expected);
    let mut intended = BTreeSet::new();
    for event in bench.outbox.events() {
        match event {
            Event::Intended(id) => drop(intended.insert(id)),
            Event::Answered(answer) => assert!(intended.contains(&answer.message)),
            _ => {}
        }
    }
}

#[tokio::test]
async fn a_report_before_its_answer_reaches_the_outbox_all_the_same() {
    let faults = Faults { report_first: 1.0, report_repeat: 1.0, ..Faults::default() };
    let bench = Bench::new(open(), faults).await;
    let link = bench.link("");
    bench.put_many(20);
    bench.outbox.until(|outbox| outbox.reports().len() == 40 && outbox.accepted() == 20).await;
    let accepted = carrier_ids(&bench.outbox);
    assert!(bench.outbox.reports().iter().all(|report| accepted.contains_key(&report.key)));
    drained(&link).await;
}

#[tokio::test]
async fn a_broken_connection_leaves_exactly_the_written_unanswered() {
    let faults = Faults { lose_response: 1.0, ..Faults::default() };
    let bench = Bench::new(open(), faults).await;
    let link = bench.link("timers = { reconnect-min-ms = 1 }");
    bench.put_many(100);
    // The window is full of what the gateway has and does not answer.
    bench.gateway.wait_until(|stats| stats.account(SP).parts_accepted == 16).await;
    bench.gateway.set_faults(Faults::default()).unwrap();
    let before: BTreeSet<String> = bench.gateway.log().into_iter().map(|entry| entry.destination).collect();
    bench.gateway.drop_connections();
    bench.outbox.until(|outbox| outbox.accepted() == 100).await;
    drained(&link).await;

    let unanswered: Vec<_> = bench
        .outbox
        .answers()
        .into_iter()
        .filter(|answer| answer.outcome == Outcome::Unanswered { again: true })
        .map(|answer| phone(answer.message.number() as usize - 1))
        .collect();
    assert_eq!(unanswered.len(), 16);
    assert_eq!(unanswered.into_iter().collect::<BTreeSet<_>>(), before);
    assert_eq!(link.status().counts.unanswered, 16);
    // Only those went twice.
    assert_eq!(bench.gateway.stats().account(SP).parts_accepted, 116);
    assert_eq!((bench.outbox.released().len(), bench.outbox.in_hand()), (84, 0));
}

#[tokio::test]
async fn flow_control_is_retried_until_it_passes() {
    let faults = Faults { throttle: 0.3, ..Faults::default() };
    let bench = Bench::new(open(), faults).await;
    let link = bench.link("attempts = 50\ntimers = { throttle-min-ms = 1, throttle-max-s = 1 }");
    bench.put_many(60);
    bench.outbox.until(|outbox| outbox.accepted() == 60).await;
    drained(&link).await;
    assert!(link.status().counts.refused > 0);
    assert_eq!(bench.gateway.stats().account(SP).parts_accepted, 60);
}

#[tokio::test]
async fn a_message_is_not_retried_without_end() {
    let faults = Faults { results: vec![ResultFault { result: 120, probability: 1.0 }], ..Faults::default() };
    let bench = Bench::new(open(), faults).await;
    let link = bench.link("attempts = 3\ntimers = { throttle-min-ms = 1 }");
    bench.outbox.put("13812341234", "短信");
    let gave_up = Outcome::Refused { code: 120, action: Action::GiveUp };
    bench.outbox.until(|outbox| outbox.answers().last().is_some_and(|answer| answer.outcome == gave_up)).await;
    assert_eq!(bench.outbox.answers().len(), 3);
    drained(&link).await;
}

#[tokio::test]
async fn vendor_codes_mean_what_the_operator_says() {
    let bench = Bench::new(open(), Faults::default()).await;
    let codes = "101 = \"give-up\", 102 = \"bad-number\", 103 = \"defer-day\", 104 = \"stop\", 105 = \"other-carrier\"";
    let link = bench.link(&format!("codes = {{ {codes} }}"));
    let day = std::time::Duration::from_secs(86_400);
    let actions = [
        (101, Action::GiveUp),
        (102, Action::BadNumber),
        (103, Action::Retry { after: day }),
        (105, Action::OtherCarrier),
        (13, Action::BadNumber),
        (4, Action::GiveUp),
        (104, Action::Requeue),
    ];
    for (n, (code, action)) in actions.into_iter().enumerate() {
        let results = vec![ResultFault { result: code, probability: 1.0 }];
        bench.gateway.set_faults(Faults { results, ..Faults::default() }).unwrap();
        bench.outbox.put("13812341234", "短信");
        bench.outbox.until(|outbox| outbox.answers().len() == n + 1).await;
        assert_eq!(bench.outbox.answers()[n].outcome, Outcome::Refused { code, action });
    }
    let status = link.wait_for(|status| status.state == LinkState::Stopped).await;
    assert!(status.alarms.iter().any(|alarm| alarm.kind == AlarmKind::SubmitsRefused { code: 104 }));
    assert!(status.alarms.iter().any(|alarm| alarm.kind == AlarmKind::OurFault { code: 4 }));
    drained(&link).await;
}

#[tokio::test]
async fn a_stopped_link_keeps_messages_takes_replies_and_goes_on_when_resumed() {
    let account = Account { services: vec!["OTHER".into()], ..open() };
    let bench = Bench::new(account, Faults::default()).await;
    let link = bench.link("");
    bench.put_many(100);
    let status = link.wait_for(|status| status.state == LinkState::Stopped).await;
    assert_eq!(status.alarms[0].kind, AlarmKind::SubmitsRefused { code: 7 });
    bench.outbox.until(|outbox| outbox.in_hand() == 0).await;
    let offered = bench.gateway.stats().account(SP).parts_offered;
    assert!(offered <= 16, "{offered} were offered to a gateway that refuses all");
    bench.gateway.inject_mo(&Mo::new(SP, "13812341234", "95598", "TD")).unwrap();
    bench.outbox.until(|outbox| outbox.inbox().len() == 1).await;
    link.resume();
    bench.gateway.wait_until(|stats| stats.account(SP).parts_offered > offered).await;
    drained(&link).await;
}

#[tokio::test]
async fn a_bad_part_takes_its_message_with_it_and_only_it() {
    let faults = Faults { bad_number: 0.2, ..Faults::default() };
    let bench = Bench::new(open(), faults).await;
    let link = bench.link("window = 1");
    for n in 0..40 {
        bench.outbox.put(&phone(n), LONG);
    }
    bench
        .outbox
        .until(|outbox| {
            let bad = outbox.answers().iter().filter(|a| matches!(a.outcome, Outcome::Refused { .. })).count();
            outbox.accepted() + 2 * bad == 80 && outbox.in_hand() == 0
        })
        .await;
    drained(&link).await;
    let refused: Vec<_> = bench.outbox.answers().into_iter().filter(|a| a.outcome.is_refused()).collect();
    assert!(!refused.is_empty());
    for answer in refused {
        assert_eq!(answer.outcome, Outcome::Refused { code: 13, action: Action::BadNumber });
        assert_eq!(answer.part, 1, "the second part is not tried");
    }
}

trait IsRefused {
    fn is_refused(&self) -> bool;
}

impl IsRefused for Outcome {
    fn is_refused(&self) -> bool {
        matches!(self, Outcome::Refused { .. })
    }
}

#[tokio::test]
async fn inbound_messages_and_reports_are_acknowledged_when_durable() {
    let bench = Bench::new(open(), Faults::default()).await;
    let link = bench.link("");
    bench.outbox.gate.send_replace(true);
    bench.gateway.inject_mo(&Mo::new(SP, "8613812341234", "95598", "退订")).unwrap();
    bench.gateway.inject_report(SP, MsgId(77), "13812341234", "EXPIRED").unwrap();
    bench.outbox.until(|outbox| outbox.events().contains(&Event::InboundBegun)).await;
    bench.gateway.wait_until(|stats| stats.account(SP).delivers_sent == 2).await;
    assert_eq!(bench.gateway.stats().account(SP).delivers_acknowledged, 0);
    bench.outbox.gate.send_replace(false);
    bench.gateway.wait_until(|stats| stats.account(SP).delivers_acknowledged == 2).await;
    let inbox = bench.outbox.inbox();
    assert_eq!(
        (inbox[0].text.as_str(), inbox[0].from.number(), inbox[0].to.as_str()),
        ("退订", 13_812_341_234, "95598")
    );
    let report = &bench.outbox.reports()[0];
    assert_eq!((report.key.clone(), report.outcome), (77.into(), ReportOutcome::Expired));
    drained(&link).await;
}

#[tokio::test]
async fn a_long_inbound_message_arrives_whole() {
    let bench = Bench::new(open(), Faults::default()).await;
    let link = bench.link("");
    bench.gateway.inject_mo(&Mo::new(SP, "13812341234", "95598", LONG)).unwrap();
    bench.gateway.wait_until(|stats| stats.account(SP).delivers_acknowledged == 2).await;
    let inbox = bench.outbox.inbox();
    assert_eq!((inbox.len(), inbox[0].text.as_str(), inbox[0].exact), (1, LONG, true));
    drained(&link).await;
}

#[tokio::test]
async fn a_hold_writes_no_more_and_a_release_goes_on() {
    let faults = Faults { response_delay_ms: (1, 3), ..Faults::default() };
    let bench = Bench::new(open(), faults).await;
    let link = bench.link("");
    bench.put_many(2_000);
    bench.outbox.until(|outbox| outbox.accepted() >= 100).await;
    link.pause();
    // What was written is answered, the rest is given back; then nothing is in the link's hands.
    bench.outbox.until(|outbox| outbox.in_hand() == 0).await;
    let (offered, sent) = (bench.gateway.stats().account(SP).parts_offered, link.status().counts.sent);
    assert_eq!((link.status().state, offered), (LinkState::Held, sent));
    assert!(offered < 2_000);
    // The hold does not deafen it.
    bench.gateway.inject_mo(&Mo::new(SP, "13812341234", "95598", "收到")).unwrap();
    bench.gateway.wait_until(|stats| stats.account(SP).delivers_acknowledged > 0).await;
    bench.outbox.until(|outbox| outbox.inbox().len() == 1).await;
    assert_eq!(bench.gateway.stats().account(SP).parts_offered, sent);
    link.resume();
    bench.outbox.until(|outbox| outbox.accepted() == 2_000).await;
    drained(&link).await;
    assert_eq!(bench.gateway.stats().account(SP).parts_accepted, 2_000, "none twice");
}

#[tokio::test]
async fn a_drain_waits_for_answers_and_says_goodbye() {
    let faults = Faults { response_delay_ms: (20, 40), ..Faults::default() };
    let bench = Bench::new(open(), faults).await;
    let link = bench.link("");
    bench.put_many(500);
    bench.gateway.wait_until(|stats| stats.account(SP).parts_accepted >= 16).await;
    drained(&link).await;
    let stats = bench.gateway.wait_until(|stats| stats.account(SP).open == 0).await.account(SP);
    assert_eq!(bench.outbox.accepted() as u64, stats.parts_accepted);
    assert_eq!((bench.outbox.in_hand(), link.status().counts.unanswered), (0, 0));
    assert!(stats.parts_accepted < 500);
}

#[tokio::test]
async fn urgent_overtakes_bulk() {
    let bench = Bench::new(open(), Faults::default()).await;
    bench.put_many(50);
    bench.outbox.put_as("13912341234", "加急", |m| m.urgent = true);
    let link = bench.link("");
    bench.outbox.until(|outbox| outbox.accepted() == 51).await;
    drained(&link).await;
    assert_eq!(bench.gateway.log()[0].text, "加急");
}

#[tokio::test]
async fn urgent_overtakes_what_is_intended_already() {
    let faults = Faults { response_delay_ms: (500, 500), ..Faults::default() };
    let bench = Bench::new(open(), faults).await;
    bench.put_many(64);
    // Four without an answer, and all others intended: sixteen must leave before the next errand is worth it.
    let link = bench.link("window = 4\ncommit-group = 64");
    bench.outbox.until(|outbox| outbox.in_hand() == 64).await;
    let id = bench.outbox.put_as("13912341234", "加急", |m| m.urgent = true);
    bench.outbox.until(|outbox| outbox.answers().iter().any(|answer| answer.message == id)).await;
    let place = bench.gateway.log().iter().position(|entry| entry.text == "加急");
    assert!(place.is_some_and(|place| place < 16), "{place:?}");
    drop(link);
}

#[tokio::test]
async fn what_can_never_be_sent_is_told_and_stops_nothing() {
    let bench = Bench::new(open(), Faults::default()).await;
    bench.outbox.put("0351-4123456", "座机");
    bench.outbox.put_as("13812341234", "主叫", |m| m.sender = "10086".into());
    bench.outbox.put("13812341234", &"长".repeat(67 * 65));
    let good = bench.outbox.put("13812341234", "短信");
    let link = bench.link("");
    bench.outbox.until(|outbox| outbox.answers().len() == 4).await;
    let unsendable = |outcome: &Outcome| matches!(outcome, Outcome::Unsendable { .. });
    for answer in bench.outbox.answers() {
        assert_eq!(unsendable(&answer.outcome), answer.message != good, "{answer:?}");
    }
    drained(&link).await;
}

#[tokio::test]
async fn a_failing_outbox_raises_an_alarm_and_loses_nothing() {
    let bench = Bench::new(open(), Faults::default()).await;
    bench.put_many(1);
    bench.outbox.fail(1);
    let link = bench.link("");
    link.wait_for(|status| status.alarms.iter().any(|alarm| alarm.kind == AlarmKind::OutboxFailing)).await;
    bench.outbox.until(|outbox| outbox.reports().len() == 1).await;
    drained(&link).await;
    assert!(link.status().alarms.is_empty(), "it came right");
    assert_eq!(bench.gateway.stats().account(SP).parts_accepted, 1);
}

#[tokio::test]
async fn a_grant_is_never_exceeded_at_the_gateway_even_by_a_second_process() {
    let bench = Bench::new(Account { rate: 200, ..Account::default() }, Faults::default()).await;
    bench.put_many(700);
    let first = bench.link("grant = 200");
    bench.outbox.until(|outbox| outbox.accepted() >= 300).await;
    // The next process knows nothing of the first's last second.
    drained(&first).await;
    let second = bench.link("grant = 200");
    bench.outbox.until(|outbox| outbox.accepted() == 700).await;
    drained(&second).await;
    let stats = bench.gateway.stats().account(SP);
    assert_eq!(stats.rate_violations, 0);
    assert!(stats.peak_offered <= 200, "{}", stats.peak_offered);
}
