//! The real host between customers and two carriers that do not speak CMPP: Unicom's SGIP, whose gateway calls back with reports, and
//! Telecom's SMGP. It is killed while messages are on their way: none is lost, and none goes twice that is not marked.

mod support;

use std::collections::{BTreeMap, BTreeSet};
use std::net::{SocketAddr, TcpListener};

use gridbell_clock::Clock;
use gridbell_simulators::sms::{Account, CodeWeight, Config, Faults, Gateway, LogEntry, Mo, Protocol, Stats};
use gridbell_simulators::{sgip, smgp};
use gridbell_tests::{PATIENCE, eventually};
use serde_json::Value;
use support::{COMMIT_GROUP, CONNECTIONS, DATONG, Host, House, Person, TAIYUAN, WINDOW, people};
use tokio::runtime::Runtime;

/// Customers who are reminded, half of them at each carrier.
const OWING: u64 = 1_200;
/// The errors with which the carriers report that a number is dead, and what a message says then.
const UNICOM_DEAD: u8 = 27;
const TELECOM_DEAD: u8 = 5;
const DEAD: [&str; 2] = ["error 27", "UNDELIV 005"];
/// How often the host is killed with messages on their way.
const KILLS: u64 = 4;

fn loopback() -> SocketAddr {
    SocketAddr::from(([127, 0, 0, 1], 0))
}

/// The gateways, and where the host listens for the calls of one.
struct Carriers {
    unicom: sgip::Gateway,
    telecom: smgp::Gateway,
    calls: SocketAddr,
    // Last: the gateways' tasks run on it.
    runtime: Runtime,
}

impl Carriers {
    fn new() -> Self {
        let runtime =
            tokio::runtime::Builder::new_multi_thread().worker_threads(1).enable_all().build().expect("a runtime");
        // Free now, and the host's from its start on.
        let calls = TcpListener::bind(loopback()).and_then(|l| l.local_addr()).expect("a free port");
        // As gateways are: they take their time, report out of order, more than once, in stages and in spellings of their own.
        let faults = Faults {
            response_delay_ms: (0, 8),
            report_delay_ms: (0, 40),
            report_reorder: 0.1,
            report_reorder_ms: 50,
            report_repeat: 0.05,
            report_pending: 0.1,
            report_spellings: true,
            failure_share: 0.05,
            ..Faults::default()
        };
        let dead = |code| Faults { failure_codes: vec![CodeWeight { code, weight: 1 }], ..faults.clone() };
        let account = Account { rate: 0, max_connections: 8, ..Account::default() };
        let config = |account, faults| Config { faults, deliver_retry_ms: 50, ..Config::with_account(account) };
        let unicom = config(Account { reverse: Some(calls), ..account.clone() }, dead(UNICOM_DEAD));
        let telecom = config(account, dead(TELECOM_DEAD));
        let unicom = runtime.block_on(sgip::Gateway::start(unicom, Clock::system(), loopback())).expect("a gateway");
        let telecom = runtime.block_on(smgp::Gateway::start(telecom, Clock::system(), loopback())).expect("a gateway");
        Self { unicom, telecom, calls, runtime }
    }

    fn links(&self, secret: &str) -> String {
        let common = format!(
            "secret = {{ file = \"{secret}\" }}\nservice-id = \"DLFW\"\nsrc-ids = [\"95598\", \"10657\"]\ngrant = 0\nwindow = {WINDOW}\n\
             connections = {CONNECTIONS}\ncommit-group = {COMMIT_GROUP}\n\
             timers = {{ reconnect-min-ms = 10, reconnect-max-s = 1, drain-s = 5 }}\n"
        );
        format!(
            "data = \"data\"\nlisten = \"127.0.0.1:0\"\n\n\
             [[link]]\nname = \"unicom\"\nprotocol = \"sgip1\"\naddress = \"{}\"\nlogin-name = \"power\"\ncorp-id = \"12345\"\n\
             node = 3035112345\nlisten = \"{}\"\nserves = [\"unicom\"]\n{common}\n\
             [[link]]\nname = \"telecom\"\nprotocol = \"smgp3\"\naddress = \"{}\"\nclient-id = \"power\"\n\
             serves = [\"telecom\", \"mobile\", \"broadnet\"]\n{common}",
            self.unicom.addr(),
            self.calls,
            self.telecom.addr(),
        )
    }

    /// Waits until the gateways have accepted so many parts together.
    fn accepted(&self, parts: u64) {
        eventually("the gateways get their parts", || {
            let both = accepted(&self.unicom.stats()) + accepted(&self.telecom.stats());
            (both >= parts).then_some(())
        });
    }

    /// How many times the gateways took each part, by number and place, and the keys under which.
    fn received(&self) -> BTreeMap<(String, u8), Vec<String>> {
        let mut received: BTreeMap<_, Vec<_>> = BTreeMap::new();
        for entry in self.log() {
            received.entry((bare(&entry), entry.part.map_or(1, |(_, n)| n))).or_default().push(entry.msg_id);
        }
        received
    }

    /// The numbers that are dead.
    fn dead(&self) -> BTreeSet<String> {
        self.log().into_iter().filter(|entry| entry.fate != "delivered").map(|entry| bare(&entry)).collect()
    }

    fn log(&self) -> Vec<LogEntry> {
        let mut log = self.unicom.log_since(0);
        log.extend(self.telecom.log_since(0));
        log
    }

    fn replied<P: Protocol>(&self, gateway: &Gateway<P>, phone: &str) {
        let mo =
            Mo { account: "power".into(), from: phone.into(), to: "95598".into(), text: "请问怎么缴费".into() };
        gateway.inject_mo(&mo).expect("a reply");
        let wait = gateway.wait_until(|stats| stats.account("power").delivers_queued == 0);
        self.runtime.block_on(async { tokio::time::timeout(PATIENCE, wait).await }).expect("it is taken");
    }
}

/// A terminal's number without the country code that SGIP has.
fn bare(entry: &LogEntry) -> String {
    entry.destination.strip_prefix("86").unwrap_or(&entry.destination).to_owned()
}

fn accepted(stats: &Stats) -> u64 {
    stats.account("power").parts_accepted
}

/// Every second one is Unicom's, the others Telecom's.
fn customers() -> Vec<Person> {
    let mut people = people(TAIYUAN, OWING + 100, OWING);
    for (n, person) in people.iter_mut().enumerate() {
        let segment = if n % 2 == 0 { "130" } else { "133" };
        person.phone.replace_range(..3, segment);
    }
    people
}

fn messages(host: &Host) -> Vec<Value> {
    let mut messages = Vec::new();
    for run in host.all("/v1/runs") {
        let decisions = host.all(&format!("/v1/runs/{}/decisions", run["id"].as_str().expect("an id")));
        for id in decisions.iter().filter_map(|d| d["message"].as_str()) {
            messages.push(host.api.get(&format!("/v1/messages/{id}")).expect(200));
        }
    }
    messages
}

#[test]
fn unicom_and_telecom_get_every_message_through_kills_and_the_host_knows_what_became_of_it() {
    let carriers = Carriers::new();
    let people = customers();
    let house = House::new();
    house.write("gridbell.toml", carriers.links(&house.text("gateway.secret")));
    house.files(&people);
    house.run(&["import", "customers", &house.text("customers.csv"), "--org", &house.text("org.json")]);
    house.run(&["import", "bills", &house.text("bills.csv")]);
    house.settle(&people);
    let token = house.token("ops", "operator");

    let mut host = house.serve(&token);
    let run = host.run(TAIYUAN, "arrears-reminder");
    assert_eq!(run["queued"], OWING, "{run}");
    let parts = run["parts"].as_u64().expect("a number");
    for kill in 1..=KILLS {
        carriers.accepted(parts * kill / (KILLS + 2));
        assert!(host.process.kill(), "the host ended by itself");
        host = house.serve(&token);
    }
    let waiting = ["queued", "submitting", "submitted"].map(|s| format!("state=\"{s}\""));
    eventually("every message's end", || {
        let left: f64 = waiting.iter().map(|s| host.metric("gridbell_outbox_messages", s)).sum();
        (left == 0.0).then_some(())
    });

    let (received, dead) = (carriers.received(), carriers.dead());
    assert!(dead.len() > 10, "{dead:?}");
    let messages = messages(&host);
    let (mut marked, mut twice) = (0, 0);
    for message in &messages {
        let account = message["account"].as_str().expect("an account");
        let person = people.iter().find(|p| p.account == account).expect("one of ours");
        if dead.contains(&person.phone) {
            // A kill cut its answer off, and another report called the number dead before it went again.
            if message["state"]["word"] == "cancelled" && message["maybe_twice"] == true {
                assert_eq!(message["cancelled_because"]["word"], "bad-address", "{message}");
            } else {
                assert_eq!(message["state"]["word"], "failed", "{message}");
                assert!(DEAD.contains(&message["code"].as_str().unwrap_or_default()), "{message}");
            }
            // Marked at the customer, so that nothing is tried until it changes.
            eventually("the number's mark", || {
                let customer = host.api.get(&format!("/v1/customers/{account}")).expect(200);
                (customer["phone"]["class"] == "bad").then_some(())
            });
        } else {
            assert_eq!(message["state"]["word"], "delivered", "{message}");
        }
        let link = if person.phone.starts_with("130") { "unicom" } else { "telecom" };
        assert_eq!(message["link"], link, "{message}");
        let parts = u8::try_from(message["parts"].as_u64().expect("a number")).expect("few parts");
        let maybe_twice = message["maybe_twice"] == true;
        marked += u64::from(maybe_twice);
        for part in 1..=parts {
            let times = received.get(&(person.phone.clone(), part)).map_or(0, Vec::len);
            assert!(times >= 1, "lost: {message}");
            twice += usize::from(times > 1);
            assert!(times == 1 || maybe_twice, "went twice and is not marked: {message}");
        }
    }
    assert_eq!(messages.len() as u64, OWING);
    let bound = KILLS * 2 * (WINDOW * CONNECTIONS + COMMIT_GROUP);
    assert!(marked <= bound, "{marked} messages are marked, {KILLS} kills can expose {bound}");
    println!("{marked} marked, {twice} parts went twice");

    // Replies come over either.
    carriers.replied(&carriers.unicom, &people[0].phone);
    carriers.replied(&carriers.telecom, &people[1].phone);
    // One that is on its way is no longer queued at the carrier and not yet in the inbox.
    let inbox = eventually("both replies", || Some(host.all_of("/v1/inbound")).filter(|inbox| inbox.len() >= 2));
    let mut links: Vec<_> = inbox.iter().map(|m| m["link"].as_str().expect("a link").to_owned()).collect();
    links.sort();
    assert_eq!(links, ["telecom", "unicom"], "{inbox:?}");
    let shown = host.all_of("/v1/links");
    let unicom = shown.iter().find(|l| l["name"] == "unicom").expect("the link");
    assert_eq!((unicom["protocol"].as_str(), unicom["reverse"]["calls"].as_u64() > Some(0)), (Some("sgip1"), true));
    assert_eq!(shown.iter().map(|l| l["alarms"].as_array().map_or(9, Vec::len)).sum::<usize>(), 0, "{shown:?}");
    assert_eq!(host.process.terminate().code(), Some(0));
    // What the carriers' people call a message by is what the house shows.
    for person in &people[..2] {
        let told = house.run(&["policy", "explain", &person.account, "--policy", "arrears-reminder"]);
        let known = received[&(person.phone.clone(), 1)].iter().any(|key| told.contains(key));
        assert!(known, "{told}");
    }
}

#[test]
fn a_standby_link_takes_over_while_the_carriers_own_is_down() {
    let carriers = Carriers::new();
    let served = "serves = [\"mobile\", \"unicom\", \"telecom\", \"broadnet\"]";
    let house = House::new();
    let links = carriers.links(&house.text("gateway.secret"));
    let links = links.replace("serves = [\"telecom\", \"mobile\", \"broadnet\"]", served);
    // Slow, so that there is something left when the carrier's own comes back.
    let links = links.replacen("serves = [\"unicom\"]", &format!("standby = true\n{served}"), 1);
    let links = links.replacen("grant = 0", "grant = 40", 1).replace("drain-s = 5", "drain-s = 5, standby-s = 1");
    house.write("gridbell.toml", links);
    let (mut near, mut far) = (people(TAIYUAN, 100, 100), people(DATONG, 600, 600));
    near.append(&mut far);
    house.files(&near);
    house.run(&["import", "customers", &house.text("customers.csv"), "--org", &house.text("org.json")]);
    house.run(&["import", "bills", &house.text("bills.csv")]);
    house.settle(&near);
    let mut host = house.serve(&house.token("ops", "operator"));
    let taken = || (accepted(&carriers.unicom.stats()), accepted(&carriers.telecom.stats()));
    let ended = |what: &str| {
        let waiting = ["queued", "submitting"].map(|s| format!("state=\"{s}\""));
        eventually(what, || {
            let left: f64 = waiting.iter().map(|s| host.metric("gridbell_outbox_messages", s)).sum();
            (left == 0.0).then_some(())
        });
    };

    let first = host.run(TAIYUAN, "arrears-reminder")["parts"].as_u64().expect("a number");
    ended("the first run's end");
    assert_eq!(taken(), (0, first), "it stands by while the other sends");

    carriers.telecom.set_faults(Faults { refuse_connections: true, ..Faults::default() }).expect("faults");
    carriers.telecom.drop_connections();
    let second = host.run(DATONG, "arrears-reminder")["parts"].as_u64().expect("a number");
    eventually("the standby link sends", || (taken().0 >= 60).then_some(()));
    carriers.telecom.set_faults(Faults::default()).expect("faults");
    ended("the second run's end");
    let (unicom, telecom) = taken();
    assert_eq!(unicom + telecom, first + second, "each part went once");
    assert!(telecom >= first + 100, "the carrier's own took over again: {unicom} of {second} went by the standby link");
    assert_eq!(host.process.terminate().code(), Some(0));
}

#[test]
fn links_that_cannot_be_are_said_before_anything_is_sent() {
    let carriers = Carriers::new();
    let house = House::new();
    let good = carriers.links(&house.text("gateway.secret"));
    let taken = TcpListener::bind(loopback()).expect("a port");
    let taken_address = taken.local_addr().expect("its address").to_string();
    for (from, to, said) in [
        (
            "client-id = \"power\"",
            "client-id = \"much-too-long\"",
            "field `client-id` is `much-too-long`: it has at most 8 characters",
        ),
        (
            "client-id = \"power\"",
            "sp-id = \"901234\"",
            "field `sp-id` is `901234`: another protocol's links have it: remove it",
        ),
        ("node = 3035112345", "node = 12345", "field `node` is `12345`: write ten digits"),
        ("corp-id = \"12345\"", "corp-id = \"1234x\"", "field `corp-id` is `1234x`: write its digits"),
        (
            &format!("listen = \"{}\"", carriers.calls),
            &format!("listen = \"{taken_address}\""),
            "give `listen` another address",
        ),
        ("protocol = \"smgp3\"", "protocol = \"smgp4\"", "unknown variant `smgp4`"),
    ] {
        assert!(good.contains(from), "{from}");
        house.write("gridbell.toml", good.replace(from, to));
        let mut process = house.start(&["serve"]);
        assert_ne!(process.wait().code(), Some(0));
        let error = process.output(gridbell_tests::Stream::Err);
        assert!(error.contains(said), "{to}: {error}");
    }
}
