//! The kill test: SIGKILL during first start, import, run and dispatch. Nothing acknowledged is lost, nothing half done is left, and whoever may
//! have got a message twice is marked.
//!
//! A kill comes when the process has written so many bytes, or the gateway has taken so many parts: progress that a seed draws, not time.

mod support;

use std::collections::{BTreeMap, BTreeSet};
use std::time::Duration;

use gridbell_clock::Seed;
use gridbell_simulators::cmpp::Faults;
use gridbell_tests::{PATIENCE, Process, eventually};
use serde_json::{Value, json};
use support::{COMMIT_GROUP, CONNECTIONS, Host, House, Person, TAIYUAN, WINDOW, now, people, written};

/// Customers, and how many of them owe something and are reminded.
const CUSTOMERS: u64 = 20_000;
const OWING: u64 = 3_000;
/// Kills at least, all phases together.
const KILLS: u64 = 20;
/// Owing customers who pay while their message may be on its way.
const PAYING: usize = 200;
/// Between two looks at how much a process has written.
const LOOK: Duration = Duration::from_millis(1);

/// Numbers that follow from a seed.
struct Draw(u64);

impl Draw {
    /// A number in a range.
    fn within(&mut self, range: std::ops::Range<u64>) -> u64 {
        self.0 += 1;
        range.start + Seed(20_261_121).child(&format!("kill/{}", self.0)).0 % (range.end - range.start)
    }
}

/// Kills a process once it has written so many bytes; false if it was through before.
fn kill_after(process: &mut Process, bytes: u64) -> bool {
    for _ in 0..PATIENCE.as_millis() / LOOK.as_millis() {
        match written(process) {
            Some(so_far) if so_far < bytes => std::thread::sleep(LOOK),
            _ => break,
        }
        if process.has_ended() {
            break;
        }
    }
    process.kill()
}

/// Repeats a command that is killed further and further on, until it gets through. Returns how often it was killed.
fn killed_until_through(house: &House, draw: &mut Draw, step: u64, arguments: &[&str]) -> u64 {
    for kills in 0.. {
        let mut process = house.start(arguments);
        let bytes = draw.within(kills * step..(kills + 1) * step);
        if !kill_after(&mut process, bytes) {
            let status = process.wait();
            assert!(status.success(), "{arguments:?} after {kills} kills: {status}");
            return kills;
        }
    }
    unreachable!("a command writes only so many bytes")
}

/// What became of every decision.
struct Books {
    /// Accounts with the ids of their messages.
    queued: BTreeMap<String, Vec<String>>,
    runs: Vec<Value>,
}

fn books(host: &Host) -> Books {
    let runs = host.all("/v1/runs");
    let mut queued: BTreeMap<String, Vec<String>> = BTreeMap::new();
    for run in &runs {
        let decisions = host.all(&format!("/v1/runs/{}/decisions", run["id"].as_str().expect("an id")));
        assert_eq!(run["decided"], decisions.len(), "a run is there as a whole: {run}");
        for d in decisions {
            if let Some(id) = d["message"].as_str() {
                queued.entry(d["account"].as_str().expect("an account").to_owned()).or_default().push(id.to_owned());
            }
        }
    }
    Books { queued, runs }
}

#[test]
fn killed_again_and_again_nothing_is_lost_and_every_repetition_is_marked() {
    let mut draw = Draw(0);
    let people = people(TAIYUAN, CUSTOMERS, OWING);
    let house = House::new();
    // Answers and reports take a while, so that each kill finds some on their way, and come as gateways send them.
    let faults = Faults {
        response_delay_ms: (0, 8),
        report_delay_ms: (0, 40),
        report_first: 0.05,
        report_repeat: 0.05,
        report_accepted: 0.05,
        ..Faults::default()
    };
    house.gateway.set_faults(faults).expect("faults");
    house.files(&people);

    // First start and import: what was cut off is repeated, and the whole is there once.
    let mut kills = 0;
    let (customers, org, bills) = (house.text("customers.csv"), house.text("org.json"), house.text("bills.csv"));
    kills += killed_until_through(&house, &mut draw, 200_000, &["import", "customers", &customers, "--org", &org]);
    kills += killed_until_through(&house, &mut draw, 40_000, &["import", "bills", &bills]);
    assert!(kills >= 4, "first start and import were killed {kills} times only");
    for (kind, file, rows) in [("customers", &customers, CUSTOMERS), ("bills", &bills, OWING)] {
        let said = house.run(&["import", kind, file, "--json"]);
        let report: Value = serde_json::from_str(&said).expect("a report");
        assert_eq!((&report["rows"], &report["unchanged"]), (&json!(rows), &json!(rows)), "{report}");
    }
    house.settle(&people);
    let token = house.token("ops", "operator");

    // Runs: cut off further and further on, until one is published, and once more afterwards.
    let mut in_runs = 0;
    loop {
        let mut host = house.serve(&token);
        let before = written(&host.process).expect("it runs");
        let bytes = before + draw.within(in_runs * 30_000..(in_runs + 1) * 30_000);
        let api = host.api.clone();
        let asked = std::thread::spawn(move || {
            let order = json!({ "prefecture": TAIYUAN, "policy": "arrears-reminder" }).to_string();
            api.try_call("POST", "/v1/runs", &[("content-type", "application/json")], order.as_bytes())
        });
        assert!(kill_after(&mut host.process, bytes), "the host ended by itself");
        in_runs += 1;
        let answer = asked.join().expect("the asking thread ends");
        let host = house.serve(&token);
        let books = books(&host);
        let all: usize = books.queued.values().map(Vec::len).sum();
        assert!(all == 0 || all as u64 == OWING, "half a run is there: {all} messages of {OWING}");
        assert!(answer.is_err() || all > 0, "an acknowledged run is gone");
        if all > 0 {
            break;
        }
    }
    assert!(in_runs >= 3, "{in_runs} runs were cut off only");
    kills += in_runs;

    // Dispatch: people pay meanwhile, and the run is asked for again after each restart.
    let mut exposed = in_runs;
    let payers: Vec<&Person> = people[..OWING as usize].iter().rev().take(PAYING).collect();
    let mut paid = payers.chunks(20);
    let mut parts = 0;
    while kills < KILLS || paid.len() > 0 {
        let mut host = house.serve(&token);
        if let Some(group) = paid.next() {
            let rows: Vec<Value> = group.iter().map(|p| payment(p)).collect();
            host.api.post("/v1/payments", &json!({ "rows": rows })).expect(200);
        }
        let again = host.run(TAIYUAN, "arrears-reminder");
        assert_eq!(again["queued"], 0, "a repeated run queued somebody twice: {again}");
        // Restarts are slow and the link is not: what is left must last for the kills that are to come.
        parts = (parts + draw.within(20..260)).min(2 * (OWING - PAYING as u64) - 300);
        house.accepted(parts);
        assert!(host.process.kill(), "the host ended by itself");
        (kills, exposed) = (kills + 1, exposed + 1);
    }

    // The end: everything drains.
    let mut host = house.serve(&token);
    let waiting = ["queued", "submitting", "submitted"].map(|s| format!("state=\"{s}\""));
    eventually("every message's end", || {
        let left: f64 = waiting.iter().map(|s| host.metric("gridbell_outbox_messages", s)).sum();
        (left == 0.0).then_some(())
    });
    for p in &payers {
        let customer = host.api.get(&format!("/v1/customers/{}", p.account)).expect(200);
        assert_eq!(customer["arrears_fen"], 0, "an acknowledged payment is gone: {customer}");
    }
    let books = books(&host);
    compare(&house, &host, &people, &books, exposed);
    println!("{kills} kills, {} of them with messages on their way; {} runs", exposed, books.runs.len());
    assert_eq!(host.process.terminate().code(), Some(0));
    let verified = house.run(&["audit", "verify"]);
    assert!(verified.contains("the chain is whole"), "{verified}");
}

fn payment(p: &Person) -> Value {
    json!({ "account": p.account, "payment_id": format!("P{}", p.account), "amount_fen": p.owes_fen, "paid_at": now().to_string().replace(' ', "T") })
}

/// The gateway's log against the decisions.
fn compare(house: &House, host: &Host, people: &[Person], books: &Books, kills: u64) {
    let owing: BTreeSet<&String> = people.iter().filter(|p| p.owes_fen > 0).map(|p| &p.account).collect();
    assert_eq!(books.queued.keys().collect::<BTreeSet<_>>(), owing, "whoever owes was decided about");
    let received = house.received();
    let (mut marked, mut twice, mut cancelled) = (0, 0, 0);
    for p in &people[..OWING as usize] {
        let ids = &books.queued[&p.account];
        assert_eq!(ids.len(), 1, "`{}` was queued twice", p.account);
        let message = host.api.get(&format!("/v1/messages/{}", ids[0])).expect(200);
        let maybe_twice = message["maybe_twice"] == true;
        let parts = u8::try_from(message["parts"].as_u64().expect("a number")).expect("few parts");
        let times: Vec<u32> = (1..=parts).map(|n| received.get(&(p.phone.clone(), n)).copied().unwrap_or(0)).collect();
        marked += u64::from(maybe_twice);
        if times.iter().any(|n| *n > 1) {
            twice += 1;
            assert!(maybe_twice, "went twice and is not marked: {message} {times:?}");
        }
        match message["state"]["word"].as_str() {
            Some("delivered") => assert!(times.iter().all(|n| *n >= 1), "lost: {message} {times:?}"),
            Some("cancelled") => {
                cancelled += 1;
                assert_eq!(message["cancelled_because"]["word"], "paid", "{message}");
                assert!(maybe_twice || times.iter().all(|n| *n == 0), "cancelled and sent: {message} {times:?}");
            }
            _ => panic!("not at its end: {message}"),
        }
    }
    let stray: Vec<&(String, u8)> =
        received.keys().filter(|(to, _)| !people.iter().any(|p| p.phone == *to && p.owes_fen > 0)).collect();
    assert!(stray.is_empty(), "sent to whom nothing was decided for: {stray:?}");
    let bound = kills * (WINDOW * CONNECTIONS + COMMIT_GROUP);
    assert!(marked <= bound, "{marked} messages are marked, {kills} kills can expose {bound}");
    println!("{marked} marked, {twice} went twice, {cancelled} cancelled as paid");
}
