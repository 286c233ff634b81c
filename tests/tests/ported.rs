//! Numbers that were taken to another carrier (携号转网), with the real host between Mobile's CMPP gateway, which refuses what is not its own, and Telecom's
//! SMGP gateway, which takes it and reports so. The host is killed in the middle of it: every message comes to whoever has its number, none is lost, none
//! goes twice that is not marked, nobody's number is called dead, and what was learned is known.

mod support;

use std::collections::{BTreeMap, BTreeSet};
use std::net::SocketAddr;

use gridbell_clock::Clock;
use gridbell_simulators::sms::{Account, Config, Faults, Mo};
use gridbell_simulators::{NotTheirs, cmpp, smgp};
use gridbell_tests::{PATIENCE, Stream, eventually};
use serde_json::Value;
use support::{COMMIT_GROUP, CONNECTIONS, Host, House, Person, SP_ID, TAIYUAN, WINDOW, people};
use tokio::runtime::Runtime;

/// Customers, all of whom are reminded: half of them of a segment of Mobile's, half of one of Telecom's.
const OWING: u64 = 900;
/// How often the host is killed with messages on their way.
const KILLS: u64 = 4;
/// With what Mobile refuses, and Telecom reports, that a number is not theirs.
const RESULT: u32 = 101;
const REPORT: &str = "54";

/// Whose a number is.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
enum Whose {
    Mobile,
    Telecom,
    Nobody,
}

/// One in four was taken to the other carrier, a few are nobody's.
fn whose(n: usize) -> Whose {
    match (n % 2, n % 8, n % 61) {
        (_, _, 7) => Whose::Nobody,
        (0, 2, _) | (1, 1 | 5, _) | (1, 3, _) => Whose::Telecom,
        (0, _, _) => Whose::Mobile,
        (_, 7, _) => Whose::Mobile,
        _ => Whose::Telecom,
    }
}

fn segment(n: usize) -> &'static str {
    if n.is_multiple_of(2) { "139" } else { "133" }
}

struct World {
    house: House,
    people: Vec<Person>,
    telecom: smgp::Gateway,
    // Last: the gateway's tasks run on it.
    runtime: Runtime,
}

impl World {
    fn new() -> Self {
        let house = House::new();
        let mut people = people(TAIYUAN, OWING, OWING);
        for (n, person) in people.iter_mut().enumerate() {
            person.phone.replace_range(..3, segment(n));
        }
        let not = |its: Whose| -> Vec<String> {
            let others = people.iter().enumerate().filter(|(n, _)| whose(*n) != its);
            others.map(|(_, person)| person.phone.clone()).collect()
        };
        let runtime =
            tokio::runtime::Builder::new_multi_thread().worker_threads(1).enable_all().build().expect("a runtime");
        // As gateways are: they take their time, and report more than once.
        let mobile = cmpp::Faults {
            response_delay_ms: (0, 8),
            report_delay_ms: (0, 40),
            report_repeat: 0.05,
            not_theirs: NotTheirs { numbers: not(Whose::Mobile), result: RESULT, ..NotTheirs::default() },
            ..cmpp::Faults::default()
        };
        house.gateway.set_faults(mobile).expect("faults");
        let telecom = Faults {
            response_delay_ms: (0, 8),
            report_delay_ms: (0, 40),
            report_repeat: 0.05,
            not_theirs: NotTheirs { numbers: not(Whose::Telecom), report: REPORT.into(), ..NotTheirs::default() },
            ..Faults::default()
        };
        let account = Account { rate: 0, max_connections: 8, ..Account::default() };
        let config = Config { faults: telecom, deliver_retry_ms: 50, ..Config::with_account(account) };
        let address = SocketAddr::from(([127, 0, 0, 1], 0));
        let telecom = runtime.block_on(smgp::Gateway::start(config, Clock::system(), address)).expect("a gateway");
        let world = Self { house, people, telecom, runtime };
        world.configure();
        world
    }

    fn configure(&self) {
        let common = format!(
            "secret = {{ file = \"{}\" }}\nservice-id = \"DLFW\"\nsrc-ids = [\"95598\", \"10657\"]\ngrant = 0\nwindow = {WINDOW}\n\
             connections = {CONNECTIONS}\ncommit-group = {COMMIT_GROUP}\n\
             timers = {{ reconnect-min-ms = 10, reconnect-max-s = 1, drain-s = 5 }}\n",
            self.house.text("gateway.secret")
        );
        let config = format!(
            "data = \"data\"\nlisten = \"127.0.0.1:0\"\n\n\
             [[link]]\nname = \"mobile\"\nprotocol = \"cmpp3\"\naddress = \"{}\"\nsp-id = \"{SP_ID}\"\nserves = [\"mobile\"]\n\
             codes = {{ {RESULT} = \"other-carrier\" }}\n{common}\n\
             [[link]]\nname = \"telecom\"\nprotocol = \"smgp3\"\naddress = \"{}\"\nclient-id = \"power\"\nserves = [\"telecom\"]\n\
             report-codes = {{ \"UNDELIV 0{REPORT}\" = \"other-carrier\" }}\n{common}",
            self.house.gateway.addr(),
            self.telecom.addr(),
        );
        self.house.write("gridbell.toml", config);
    }

    /// Parts that the gateways took.
    fn taken(&self) -> u64 {
        self.house.gateway.stats().account(SP_ID).parts_accepted + self.telecom.stats().account("power").parts_accepted
    }

    /// How many times each part came to whoever has the number, by number and place.
    fn came(&self) -> BTreeMap<(String, u8), usize> {
        let mut came: BTreeMap<_, usize> = BTreeMap::new();
        for entry in self.house.gateway.log() {
            *came.entry((entry.destination, entry.pk_number)).or_default() += 1;
        }
        for entry in self.telecom.log_since(0).into_iter().filter(|e| e.fate == "delivered") {
            *came.entry((entry.destination, entry.part.map_or(1, |(_, n)| n))).or_default() += 1;
        }
        came
    }

    /// Numbers of Mobile's segment that were taken to Telecom.
    fn moved(&self) -> Vec<&Person> {
        let all = self.people.iter().enumerate();
        all.filter(|(n, _)| segment(*n) == "139" && whose(*n) == Whose::Telecom).map(|(_, p)| p).collect()
    }
}

/// What the host knows of a number: the carrier and the source.
fn known(host: &Host, number: &str) -> (Option<String>, Option<String>) {
    let found = host.api.get(&format!("/v1/ported/number?number={number}")).expect(200);
    assert!(!found.to_string().contains(number), "masked: {found}");
    let word = |field: &str| found[field]["word"].as_str().map(str::to_owned);
    (word("carrier"), word("source"))
}

fn imported(host: &Host, rows: &str) -> Value {
    let headers = [("content-type", "text/csv")];
    let begun = host.api.call("POST", "/v1/imports/ported?file=携号转网.csv", &headers, rows.as_bytes()).expect(202);
    let path = format!("/v1/imports/{}", begun["id"].as_str().expect("an id"));
    eventually("the import's end", || {
        Some(host.api.get(&path).expect(200))
            .filter(|i| !matches!(i["state"]["word"].as_str(), Some("waiting" | "running")))
    })
}

#[test]
fn every_message_comes_to_whoever_has_its_number_through_kills_and_what_was_learned_is_known() {
    let world = World::new();
    let (house, people) = (&world.house, &world.people);
    house.files(people);
    house.run(&["import", "customers", &house.text("customers.csv"), "--org", &house.text("org.json")]);
    house.run(&["import", "bills", &house.text("bills.csv")]);
    house.settle(people);
    // Of those that were taken to Telecom the operator's list has some; a row of nonsense stops nothing.
    let listed: BTreeSet<&str> = world.moved().iter().take(20).map(|p| p.phone.as_str()).collect();
    let rows: String = listed.iter().map(|number| format!("{number},中国电信,2024-05-01\n")).collect();
    house.write("ported.csv", format!("手机号码,转入运营商,携转日期\n13900000000,某某通信,\n{rows}"));
    let mut import = house.start(&["import", "ported", &house.text("ported.csv"), "--json"]);
    assert_eq!(import.wait().code(), Some(3), "one row was refused: {}", import.output(Stream::Err));
    let report: Value = serde_json::from_str(&import.output(Stream::Out)).expect("a report");
    assert_eq!((&report["created"], &report["rejected"]), (&20.into(), &1.into()), "{report}");
    let rejects = std::fs::read_to_string(house.path("ported.csv.rejects.csv")).expect("rejects");
    assert!(rejects.contains("carrier") && !rejects.contains("13900000000"), "{rejects}");

    let token = house.token("ops", "operator");
    let mut host = house.serve(&token);
    let run = host.run(TAIYUAN, "arrears-reminder");
    assert_eq!(run["queued"], OWING, "{run}");
    let parts = run["parts"].as_u64().expect("a number");
    for kill in 1..=KILLS {
        eventually("the gateways get their parts", || (world.taken() >= parts * kill / (KILLS + 2)).then_some(()));
        assert!(host.process.kill(), "the host ended by itself");
        host = house.serve(&token);
    }
    let open = ["queued", "submitting", "submitted"].map(|s| format!("state=\"{s}\""));
    eventually("every message's end", || {
        let left: f64 = open.iter().map(|s| host.metric("gridbell_outbox_messages", s)).sum();
        (left == 0.0).then_some(())
    });

    let came = world.came();
    let (mut marked, mut learned) = (0, BTreeMap::<&str, u64>::new());
    for (n, person) in people.iter().enumerate() {
        let message = host.message(&person.account).expect("a message");
        let message = host.api.get(&format!("/v1/messages/{}", message["id"].as_str().expect("an id"))).expect(200);
        let maybe_twice = message["maybe_twice"] == true;
        marked += u64::from(maybe_twice);
        let (link, state) = match whose(n) {
            Whose::Mobile => ("mobile", "delivered"),
            Whose::Telecom => ("telecom", "delivered"),
            // The last that was asked.
            Whose::Nobody => (if segment(n) == "139" { "telecom" } else { "mobile" }, "failed"),
        };
        assert_eq!((&message["state"]["word"], &message["link"]), (&state.into(), &link.into()), "{message}");
        for part in 1..=u8::try_from(message["parts"].as_u64().expect("a number")).expect("few parts") {
            let times = came.get(&(person.phone.clone(), part)).copied().unwrap_or(0);
            assert_eq!(times > 0, state == "delivered", "{message}");
            assert!(times <= 1 || maybe_twice, "went twice and is not marked: {message}");
        }
        let customer = host.api.get(&format!("/v1/customers/{}", person.account)).expect(200);
        assert_eq!(customer["phone"]["class"], "mobile", "nobody's number is dead: {customer}");
        let own = if segment(n) == "139" { Whose::Mobile } else { Whose::Telecom };
        let is = known(&host, &person.phone);
        if whose(n) == own || whose(n) == Whose::Nobody {
            assert_eq!(is, (None, None), "{n}");
        } else {
            let source = if listed.contains(person.phone.as_str()) { "file" } else { "learned" };
            assert_eq!(is, (Some(link.to_owned()), Some(source.to_owned())), "{n}");
            *learned.entry(link).or_default() += u64::from(source == "learned");
        }
    }
    assert!(learned.values().all(|n| *n > 50) && learned.len() == 2, "{learned:?}");
    for (carrier, numbers) in &learned {
        let label = format!("carrier=\"{carrier}\",source=\"learned\"");
        assert_eq!(host.metric("gridbell_ported_numbers", &label), *numbers as f64);
    }
    let bound = KILLS * 2 * (WINDOW * CONNECTIONS + COMMIT_GROUP);
    assert!(marked <= bound, "{marked} messages are marked, {KILLS} kills can expose {bound}");

    the_next_message_goes_where_the_number_was_taken(&world, &host, &listed);
    people_say_otherwise(&world, &host, &listed);
    assert_eq!(host.process.terminate().code(), Some(0));
}

/// A customer who writes is answered by the carrier that was learned, and the other is not asked any more.
fn the_next_message_goes_where_the_number_was_taken(world: &World, host: &Host, listed: &BTreeSet<&str>) {
    let moved = world.moved();
    let person = moved.iter().find(|p| !listed.contains(p.phone.as_str())).expect("one that was learned");
    let refused = || world.house.gateway.stats().account(SP_ID).results.get(&RESULT).copied().unwrap_or(0);
    let before = refused();
    let to = |number: &str| world.telecom.log_since(0).into_iter().filter(|e| e.destination == number).count();
    let parts = to(&person.phone);
    let mo = Mo { account: "power".into(), from: person.phone.clone(), to: "95598".into(), text: "余额".into() };
    world.telecom.inject_mo(&mo).expect("a reply");
    let wait = world.telecom.wait_until(|stats| stats.account("power").delivers_queued == 0);
    world.runtime.block_on(async { tokio::time::timeout(PATIENCE, wait).await }).expect("it is taken");
    eventually("the answer", || (to(&person.phone) > parts).then_some(()));
    assert_eq!(refused(), before, "Mobile was not asked again");
    assert_eq!(host.all_of("/v1/inbound").len(), 1);
}

/// A later list outweighs what was learned; one that names a number's own carrier, and a person, take it back.
fn people_say_otherwise(world: &World, host: &Host, listed: &BTreeSet<&str>) {
    let moved = world.moved();
    let [first, second, ..] = moved.iter().filter(|p| !listed.contains(p.phone.as_str())).collect::<Vec<_>>()[..]
    else {
        panic!("two that were learned")
    };
    let rows = format!("号码,运营商\n{},联通\n{},移动\n", first.phone, second.phone);
    let done = imported(host, &rows);
    assert_eq!((&done["changed"], &done["rejected"]), (&2.into(), &0.into()), "{done}");
    assert_eq!(known(host, &first.phone), (Some("unicom".to_owned()), Some("file".to_owned())));
    assert_eq!(known(host, &second.phone), (None, None), "it came back");
    let said = world.house.ask(host, &["number", &first.phone]);
    assert!(said.contains("中国联通") && said.contains("携号转网名单") && !said.contains(&first.phone), "{said}");
    world.house.ask(host, &["number", &first.phone, "--forget", "--why", "用户来电说明"]);
    assert_eq!(known(host, &first.phone), (None, None));
    let counts = world.house.ask(host, &["number"]);
    assert!(counts.contains("中国电信（网关应答）"), "{counts}");
    let audit = host.all("/v1/audit");
    let note = audit.iter().find(|e| e["action"] == "ported.forget").expect("an audit note");
    assert!(!note.to_string().contains(&first.phone), "{note}");
}
