//! The same behaviour in SMGP and SGIP, over real sockets against their simulated gateways; CMPP's is in `simulator.rs`. What only one
//! protocol does is in `calls.rs` (SGIP's reverse connection) and at the end of this file.

#![expect(clippy::unwrap_used, reason = "a test ends where its bench is not as built")]

mod support;

use std::collections::{BTreeMap, BTreeSet};
use std::net::SocketAddr;
use std::sync::Arc;
use std::time::Duration;

use gridbell_channels::{
    Action, AlarmKind, LinkConfig, LinkHandle, LinkState, Outcome, Reception, ReportOutcome, Secret, Tcp, start,
};
use gridbell_clock::{Clock, Seed};
use gridbell_model::{CarrierKey, MessageId};
use gridbell_simulators::sgip::Sgip;
use gridbell_simulators::smgp::Smgp;
use gridbell_simulators::sms::{
    Account, AccountStats, CodeWeight, Config, Faults, Gateway, LogEntry, Mo, Protocol, ResultFault,
};
use support::{Event, MemoryOutbox};

const ACCOUNT: &str = "power";
const LONG: &str = "【国网山西电力】尊敬的客户，您好！因线路检修，您所在的台区计划于明日八时至十二时停电，请您提前做好准备。如提前送电，恕不另行通知，\
    给您带来不便，敬请谅解。如有疑问请拨打供电服务热线九五五九八，我们将竭诚为您服务。";

/// What the suite must know of a protocol.
trait Spoken: Protocol {
    const WINDOW: usize;
    /// Whether the gateway opens connections to us.
    const CALLS: bool;
    /// The version as a link shows it.
    const VERSION: &'static str;
    /// The status that refuses a wrong secret.
    const WRONG_SECRET: u32;
    /// A result that says that a number is bad, one that stops the link, one that finds fault with us.
    const BAD_NUMBER: u8;
    const STOP: u8;
    const FAULT: u8;
    /// A failure that says that the number is dead, and one that does not, with what their reports say.
    const DEAD: (u8, &'static str);
    const FAILED: (u8, &'static str);
    /// The link's own fields.
    fn fields(reception: &Reception) -> String;
    /// Whether a key looks as the carrier's people write it.
    fn is_key(key: &str) -> bool;
}

impl Spoken for Smgp {
    const WINDOW: usize = 16;
    const CALLS: bool = false;
    const VERSION: &'static str = "3.0";
    const WRONG_SECRET: u32 = 21;
    const BAD_NUMBER: u8 = 47;
    const STOP: u8 = 43;
    const FAULT: u8 = 36;
    const DEAD: (u8, &'static str) = (5, "UNDELIV 005");
    const FAILED: (u8, &'static str) = (17, "UNDELIV 017");

    fn fields(_: &Reception) -> String {
        "protocol = \"smgp3\"\nclient-id = \"power\"\n".to_owned()
    }

    fn is_key(key: &str) -> bool {
        key.len() == 20 && key.bytes().all(|b| b.is_ascii_digit())
    }
}

impl Spoken for Sgip {
    const WINDOW: usize = 32;
    const CALLS: bool = true;
    const VERSION: &'static str = "1.2";
    const WRONG_SECRET: u32 = 1;
    const BAD_NUMBER: u8 = 6;
    const STOP: u8 = 4;
    const FAULT: u8 = 8;
    const DEAD: (u8, &'static str) = (27, "error 27");
    const FAILED: (u8, &'static str) = (25, "error 25");

    fn fields(reception: &Reception) -> String {
        let listen = reception.address().unwrap();
        format!(
            "protocol = \"sgip1\"\nlogin-name = \"power\"\ncorp-id = \"12345\"\nnode = 3035112345\nlisten = \"{listen}\"\n"
        )
    }

    fn is_key(key: &str) -> bool {
        key.starts_with("3035112345-") && key.matches('-').count() == 2
    }
}

struct Bench<P: Protocol> {
    gateway: Gateway<P>,
    outbox: Arc<MemoryOutbox>,
    reception: Reception,
    clock: Clock,
}

impl<P: Spoken> Bench<P> {
    async fn new(account: Account, faults: Faults) -> Self {
        let clock = Clock::system();
        let loopback: SocketAddr = "127.0.0.1:0".parse().unwrap();
        let reception = Reception::listen("127.0.0.1:0", clock.clone()).unwrap();
        let account = Account { reverse: P::CALLS.then(|| reception.address()).flatten(), ..account };
        let config = Config { faults, seed: 7, deliver_retry_ms: 20, ..Config::with_account(account) };
        let gateway = Gateway::start(config, clock.clone(), loopback).await.unwrap();
        Self { gateway, outbox: MemoryOutbox::new(&clock), reception, clock }
    }

    async fn open() -> Self {
        Self::new(open(), Faults::default()).await
    }

    fn config(&self, more: &str) -> LinkConfig {
        let grant = if more.contains("grant =") { "" } else { "grant = 0\n" };
        let fields = P::fields(&self.reception);
        let text = format!(
            "name = \"link\"\naddress = \"{}\"\nsecret = {{ env = \"UNUSED\" }}\nservice-id = \"DLFW\"\nsrc-ids = [\"95598\"]\n\
             serves = [\"unicom\"]\n{fields}{grant}{more}",
            self.gateway.addr()
        );
        toml::from_str(&text).unwrap()
    }

    fn link(&self, more: &str) -> LinkHandle {
        self.link_with(more, "secret")
    }

    fn link_with(&self, more: &str, secret: &str) -> LinkHandle {
        let outbox = Arc::clone(&self.outbox);
        let link = start(self.config(more), Secret::new(secret), outbox, Tcp, self.clock.clone(), Seed(1)).unwrap();
        self.reception.add(&link).unwrap();
        link
    }

    fn put_many(&self, count: usize) -> Vec<MessageId> {
        (0..count).map(|n| self.outbox.put(&phone(n), &format!("【国网山西电力】第{n}条"))).collect()
    }

    fn stats(&self) -> AccountStats {
        self.gateway.stats().account(ACCOUNT)
    }

    fn log(&self) -> Vec<LogEntry> {
        self.gateway.log_since(0)
    }

    fn accepted(&self) -> BTreeMap<CarrierKey, MessageId> {
        let key = |outcome: &Outcome| if let Outcome::Accepted { key } = outcome { Some(key.clone()) } else { None };
        self.outbox.answers().iter().filter_map(|answer| Some((key(&answer.outcome)?, answer.message))).collect()
    }
}

fn phone(n: usize) -> String {
    (13_000_000_000 + n).to_string()
}

/// As the gateway logs it, without the country code that SGIP has.
fn bare(number: &str) -> String {
    number.strip_prefix("86").filter(|bare| bare.len() == 11).unwrap_or(number).to_owned()
}

fn open() -> Account {
    Account { rate: 0, window: 64, ..Account::default() }
}

async fn drained(link: &LinkHandle) {
    link.drain();
    link.closed().await;
}

async fn it_logs_in_sends_and_matches_reports<P: Spoken>() {
    let faults = Faults { report_pending: 0.3, report_repeat: 0.2, report_delay_ms: (0, 5), ..Faults::default() };
    let bench = Bench::<P>::new(Account { window: P::WINDOW, ..open() }, faults).await;
    let link = bench.link("");
    bench.put_many(200);
    let delivered = |outbox: &MemoryOutbox| {
        let reports = outbox.reports();
        reports.iter().filter(|r| r.outcome == ReportOutcome::Delivered).map(|r| r.key.clone()).collect::<BTreeSet<_>>()
    };
    bench.outbox.until(|outbox| delivered(outbox).len() == 200).await;
    assert_eq!(link.status().version.as_deref(), Some(P::VERSION));
    drained(&link).await;
    let accepted = bench.accepted();
    assert_eq!(accepted.len(), 200, "no two parts have the same key");
    assert!(accepted.keys().all(|key| P::is_key(&key.to_string())), "{accepted:?}");
    for report in bench.outbox.reports() {
        assert!(accepted.contains_key(&report.key));
        let word = if report.outcome == ReportOutcome::Pending { "ACCEPTD" } else { "DELIVRD" };
        assert_eq!((report.stat.as_str(), report.phone.is_sendable()), (word, true));
    }
    let stats = bench.stats();
    assert_eq!((stats.window_violations, stats.malformed, stats.parts_accepted), (0, 0, 200));
    let status = link.status();
    assert_eq!((status.state, status.window_used, bench.outbox.in_hand()), (LinkState::Closed, 0, 0));
    assert_eq!((status.counts.sent, status.counts.accepted, status.window), (200, 200, P::WINDOW));
    assert!(status.alarms.is_empty() && status.anomalies.is_empty(), "{status:?}");
}

async fn failures_say_why<P: Spoken>() {
    // What the operator says of a word goes before what the specification says.
    let elsewhere = format!("report-codes = {{ \"{}\" = \"other-carrier\" }}", P::DEAD.1);
    for ((code, word), outcome, more) in [
        (P::FAILED, ReportOutcome::Failed, &*elsewhere),
        (P::DEAD, ReportOutcome::BadNumber, ""),
        (P::DEAD, ReportOutcome::OtherCarrier, &elsewhere),
    ] {
        let codes = vec![CodeWeight { code, weight: 1 }];
        let faults = Faults { failure_share: 1.0, failure_codes: codes, ..Faults::default() };
        let bench = Bench::<P>::new(open(), faults).await;
        let link = bench.link(more);
        bench.put_many(1);
        bench.outbox.until(|outbox| outbox.reports().len() == 1).await;
        let report = &bench.outbox.reports()[0];
        assert_eq!((report.stat.as_str(), report.outcome), (word, outcome));
        let dead = link.config().protocol.calls_number_dead(&report.stat);
        assert_eq!(dead, outcome != ReportOutcome::Failed, "{report:?}");
        drained(&link).await;
    }
}

async fn a_wrong_secret_stops_the_link_until_a_person_resumes_it<P: Spoken>() {
    let bench = Bench::<P>::open().await;
    let link = bench.link_with("", "other");
    let status = link.wait_for(|status| status.state == LinkState::Stopped).await;
    assert_eq!(status.alarms[0].kind, AlarmKind::LoginRefused { status: P::WRONG_SECRET });
    assert_eq!(bench.gateway.stats().logins_refused[&P::WRONG_SECRET], 1);
    link.resume();
    bench.gateway.wait_until(|stats| stats.logins_refused[&P::WRONG_SECRET] == 2).await;
    drained(&link).await;
}

async fn a_long_message_goes_in_parts_that_join_again<P: Spoken>() {
    let bench = Bench::<P>::open().await;
    let link = bench.link("");
    let id = bench.outbox.put_as("13012341234", LONG, |m| m.sender = "9559801".into());
    bench.outbox.until(|outbox| outbox.reports().len() == 2).await;
    drained(&link).await;
    let log = bench.log();
    assert_eq!(log.iter().map(|entry| entry.text.as_str()).collect::<String>(), LONG);
    assert_eq!(log.iter().map(|e| e.part).collect::<Vec<_>>(), [Some((2, 1)), Some((2, 2))]);
    assert_eq!(log[0].reference, log[1].reference);
    assert!(log.iter().all(|e| e.src_id == "9559801" && e.service == "DLFW" && bare(&e.destination) == "13012341234"));
    let parts: Vec<_> = bench.outbox.answers().iter().map(|answer| (answer.message, answer.part)).collect();
    assert_eq!(parts, [(id, 1), (id, 2)]);
    let keys: BTreeSet<_> = bench.outbox.reports().into_iter().map(|report| report.key).collect();
    assert_eq!(keys, bench.accepted().into_keys().collect());
}

async fn the_window_is_kept_over_all_connections<P: Spoken>() {
    let faults = Faults { response_delay_ms: (0, 5), ..Faults::default() };
    let bench = Bench::<P>::new(Account { window: 8, ..open() }, faults).await;
    let link = bench.link("window = 8\nconnections = 2");
    bench.put_many(600);
    bench.outbox.until(|outbox| outbox.accepted() == 600).await;
    drained(&link).await;
    let stats = bench.stats();
    assert_eq!((stats.window_violations, stats.logins, stats.parts_accepted), (0, 2, 600));
    assert_eq!(bench.accepted().len(), 600, "no two connections give a part the same key");
}

async fn a_broken_connection_leaves_exactly_the_written_unanswered<P: Spoken>() {
    let bench = Bench::<P>::new(open(), Faults { lose_response: 1.0, ..Faults::default() }).await;
    let link = bench.link("timers = { reconnect-min-ms = 1 }");
    bench.put_many(100);
    bench.gateway.wait_until(|stats| stats.account(ACCOUNT).parts_accepted == P::WINDOW as u64).await;
    bench.gateway.set_faults(Faults::default()).unwrap();
    let before: BTreeSet<String> = bench.log().into_iter().map(|entry| bare(&entry.destination)).collect();
    bench.gateway.drop_connections();
    bench.outbox.until(|outbox| outbox.accepted() == 100).await;
    drained(&link).await;
    let unanswered: BTreeSet<_> = bench
        .outbox
        .answers()
        .into_iter()
        .filter(|answer| answer.outcome == Outcome::Unanswered { again: true })
        .map(|answer| phone(answer.message.number() as usize - 1))
        .collect();
    assert_eq!((unanswered.len(), &unanswered), (P::WINDOW, &before));
    // Only those went twice.
    assert_eq!(bench.stats().parts_accepted, 100 + P::WINDOW as u64);
    assert_eq!(bench.outbox.in_hand(), 0);
}

async fn flow_control_is_retried_until_it_passes<P: Spoken>() {
    let bench = Bench::<P>::new(open(), Faults { throttle: 0.3, ..Faults::default() }).await;
    let link = bench.link("attempts = 50\ntimers = { throttle-min-ms = 1, throttle-max-s = 1 }");
    bench.put_many(60);
    bench.outbox.until(|outbox| outbox.accepted() == 60).await;
    drained(&link).await;
    assert!(link.status().counts.refused > 0);
    assert_eq!(bench.stats().parts_accepted, 60);
}

async fn codes_mean_what_the_operator_says_then_what_the_specification_says<P: Spoken>() {
    let bench = Bench::<P>::open().await;
    let own = |code: u8, action: &str| format!("{code} = \"{action}\"");
    let table = [own(201, "give-up"), own(202, "bad-number"), own(203, "defer-day"), own(P::STOP, "defer-hour")];
    let link = bench.link(&format!("codes = {{ {}, 204 = \"stop\" }}", table.join(", ")));
    let hours = |n: u64| Action::Retry { after: Duration::from_secs(n * 3600) };
    let actions = [
        (201, Action::GiveUp),
        (202, Action::BadNumber),
        (203, hours(24)),
        (P::STOP, hours(1)),
        (P::BAD_NUMBER, Action::BadNumber),
        (P::FAULT, Action::GiveUp),
        (204, Action::Requeue),
    ];
    for (n, (code, action)) in actions.into_iter().enumerate() {
        let results = vec![ResultFault { result: code, probability: 1.0 }];
        bench.gateway.set_faults(Faults { results, ..Faults::default() }).unwrap();
        bench.outbox.put("13012341234", "短信");
        bench.outbox.until(|outbox| outbox.answers().len() == n + 1).await;
        assert_eq!(bench.outbox.answers()[n].outcome, Outcome::Refused { code: code.into(), action });
    }
    let status = link.wait_for(|status| status.state == LinkState::Stopped).await;
    let fault = AlarmKind::OurFault { code: P::FAULT.into() };
    for kind in [AlarmKind::SubmitsRefused { code: 204 }, fault] {
        assert!(status.alarms.iter().any(|alarm| alarm.kind == kind), "{status:?}");
    }
    drained(&link).await;
}

async fn a_stopped_link_keeps_messages_and_goes_on_when_resumed<P: Spoken>() {
    let results = vec![ResultFault { result: P::STOP, probability: 1.0 }];
    let bench = Bench::<P>::new(open(), Faults { results, ..Faults::default() }).await;
    let link = bench.link("");
    bench.put_many(100);
    let status = link.wait_for(|status| status.state == LinkState::Stopped).await;
    assert_eq!(status.alarms[0].kind, AlarmKind::SubmitsRefused { code: P::STOP.into() });
    bench.outbox.until(|outbox| outbox.in_hand() == 0).await;
    assert!(bench.stats().parts_offered <= P::WINDOW as u64);
    bench.gateway.inject_mo(&Mo { from: "13012341234".into(), ..mo("TD") }).unwrap();
    bench.outbox.until(|outbox| outbox.inbox().len() == 1).await;
    bench.gateway.set_faults(Faults::default()).unwrap();
    link.resume();
    bench.outbox.until(|outbox| outbox.accepted() == 100).await;
    drained(&link).await;
}

fn mo(text: &str) -> Mo {
    Mo { account: ACCOUNT.into(), from: "8613012341234".into(), to: "95598".into(), text: text.into() }
}

async fn what_the_gateway_brings_is_acknowledged_when_durable<P: Spoken>() {
    let bench = Bench::<P>::open().await;
    let link = bench.link("");
    bench.outbox.gate.send_replace(true);
    bench.gateway.inject_mo(&mo("退订")).unwrap();
    bench.put_many(1);
    bench.outbox.until(|outbox| outbox.events().contains(&Event::InboundBegun)).await;
    bench.gateway.wait_until(|stats| stats.account(ACCOUNT).delivers_sent == 2).await;
    assert_eq!(bench.stats().delivers_acknowledged, 0);
    bench.outbox.gate.send_replace(false);
    bench.gateway.wait_until(|stats| stats.account(ACCOUNT).delivers_acknowledged == 2).await;
    let inbox = bench.outbox.inbox();
    let told = (inbox[0].text.as_str(), inbox[0].from.number(), inbox[0].to.as_str(), inbox[0].exact);
    assert_eq!(told, ("退订", 13_012_341_234, "95598", true));
    assert_eq!(bench.outbox.reports().len(), 1);
    drained(&link).await;
}

async fn what_was_not_acknowledged_comes_again<P: Spoken>() {
    let bench = Bench::<P>::open().await;
    let link = bench.link("timers = { reconnect-min-ms = 1 }");
    bench.outbox.gate.send_replace(true);
    bench.gateway.inject_mo(&mo("退订")).unwrap();
    bench.outbox.until(|outbox| outbox.events().contains(&Event::InboundBegun)).await;
    bench.gateway.drop_connections();
    bench.outbox.gate.send_replace(false);
    bench.gateway.wait_until(|stats| stats.account(ACCOUNT).delivers_acknowledged == 1).await;
    assert_eq!(bench.outbox.inbox().len(), 2, "durable, and once more since its acknowledgement was lost");
    drained(&link).await;
}

async fn a_long_inbound_message_arrives_whole<P: Spoken>() {
    let bench = Bench::<P>::open().await;
    let link = bench.link("");
    bench.gateway.inject_mo(&mo(LONG)).unwrap();
    bench.gateway.wait_until(|stats| stats.account(ACCOUNT).delivers_acknowledged == 2).await;
    let inbox = bench.outbox.inbox();
    assert_eq!((inbox.len(), inbox[0].text.as_str(), inbox[0].exact), (1, LONG, true));
    drained(&link).await;
}

async fn a_hold_writes_no_more_and_a_release_goes_on<P: Spoken>() {
    let bench = Bench::<P>::new(open(), Faults { response_delay_ms: (1, 3), ..Faults::default() }).await;
    let link = bench.link("");
    bench.put_many(2_000);
    bench.outbox.until(|outbox| outbox.accepted() >= 100).await;
    link.pause();
    bench.outbox.until(|outbox| outbox.in_hand() == 0).await;
    let (offered, sent) = (bench.stats().parts_offered, link.status().counts.sent);
    assert_eq!((link.status().state, offered), (LinkState::Held, sent));
    assert!(offered < 2_000);
    bench.gateway.inject_mo(&mo("收到")).unwrap();
    bench.outbox.until(|outbox| outbox.inbox().len() == 1).await;
    assert_eq!(bench.stats().parts_offered, sent);
    link.resume();
    bench.outbox.until(|outbox| outbox.accepted() == 2_000).await;
    drained(&link).await;
    assert_eq!(bench.stats().parts_accepted, 2_000, "none twice");
}

async fn a_drain_waits_for_answers_and_says_goodbye<P: Spoken>() {
    let bench = Bench::<P>::new(open(), Faults { response_delay_ms: (20, 40), ..Faults::default() }).await;
    let link = bench.link("");
    bench.put_many(500);
    bench.gateway.wait_until(|stats| stats.account(ACCOUNT).parts_accepted >= 16).await;
    drained(&link).await;
    let stats = bench.gateway.wait_until(|stats| stats.account(ACCOUNT).open == 0).await.account(ACCOUNT);
    assert_eq!(bench.outbox.accepted() as u64, stats.parts_accepted);
    assert_eq!((bench.outbox.in_hand(), link.status().counts.unanswered), (0, 0));
    assert!(stats.parts_accepted < 500);
}

async fn a_grant_is_never_exceeded<P: Spoken>() {
    let bench = Bench::<P>::new(Account { rate: 200, ..open() }, Faults::default()).await;
    bench.put_many(500);
    let link = bench.link("grant = 200");
    bench.outbox.until(|outbox| outbox.accepted() == 500).await;
    drained(&link).await;
    let stats = bench.stats();
    assert_eq!(stats.rate_violations, 0);
    assert!(stats.peak_offered <= 200, "{}", stats.peak_offered);
}

macro_rules! suite {
    ($($name:ident)*) => {
        mod smgp {
            $(#[tokio::test] async fn $name() { super::$name::<super::Smgp>().await; })*
        }
        mod sgip {
            $(#[tokio::test] async fn $name() { super::$name::<super::Sgip>().await; })*
        }
    };
}

suite! {
    it_logs_in_sends_and_matches_reports
    failures_say_why
    a_wrong_secret_stops_the_link_until_a_person_resumes_it
    a_long_message_goes_in_parts_that_join_again
    the_window_is_kept_over_all_connections
    a_broken_connection_leaves_exactly_the_written_unanswered
    flow_control_is_retried_until_it_passes
    codes_mean_what_the_operator_says_then_what_the_specification_says
    a_stopped_link_keeps_messages_and_goes_on_when_resumed
    what_the_gateway_brings_is_acknowledged_when_durable
    what_was_not_acknowledged_comes_again
    a_long_inbound_message_arrives_whole
    a_hold_writes_no_more_and_a_release_goes_on
    a_drain_waits_for_answers_and_says_goodbye
    a_grant_is_never_exceeded
}

#[tokio::test]
async fn smgps_reports_are_known_in_every_spelling() {
    let codes = vec![CodeWeight { code: 4, weight: 1 }];
    let faults = Faults { report_spellings: true, failure_share: 0.3, failure_codes: codes, ..Faults::default() };
    let bench = Bench::<Smgp>::new(open(), faults).await;
    let link = bench.link("");
    bench.put_many(100);
    bench.outbox.until(|outbox| outbox.reports().len() == 100).await;
    drained(&link).await;
    let accepted = bench.accepted();
    let fates: BTreeMap<String, String> = bench.log().into_iter().map(|e| (e.msg_id, e.fate)).collect();
    for report in bench.outbox.reports() {
        assert!(accepted.contains_key(&report.key));
        let expected = if fates[&report.key.to_string()] == "delivered" { "DELIVRD" } else { "UNDELIV 004" };
        assert_eq!(report.stat, expected);
    }
    assert!(link.status().anomalies.is_empty());
}
