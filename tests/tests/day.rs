//! The day end to end: `gridbell demo --once` as anyone would start it, its counts against those that were looked at, and every decision, text and
//! message recomputed by plain code that knows the documents and not the product.

use std::collections::{BTreeMap, BTreeSet, HashMap};
use std::sync::OnceLock;

use gridbell_tests::recompute::{self, Day, Inputs, differences, minute};
use gridbell_tests::{Process, root, scratch};
use serde::{Deserialize, Serialize};

const CUSTOMERS: &str = "20000";
const SEED: &str = "12";
/// Parts a second that the gateway's accounts grant: low enough that there is a backlog to pace.
const GRANTS: [(&str, usize); 3] = [("901001", 200), ("power-u", 200), ("power-t", 100)];
/// At which the demo's day begins.
const FIRST_MINUTE: &str = "2026-11-20T00:01";
/// What is expected; `UPDATE_EXPECTED=1 cargo test --workspace --test day` writes it anew, to be looked at before it is committed.
const EXPECTED: &str = "tests/tests/day.expected.json";

#[derive(Deserialize)]
struct Answer {
    customers: u64,
    runs: Vec<Run>,
    messages: BTreeMap<String, u64>,
    elapsed_ms: u64,
}

/// A run as the answer tells it; what is left out here (digest, version, customers that `interest` passed) is others' to test.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
struct Run {
    prefecture: u32,
    policy: String,
    schedule: String,
    status: String,
    customers: u64,
    decided: u64,
    queued: u64,
    held: BTreeMap<String, u64>,
}

#[derive(Debug, PartialEq, Serialize, Deserialize)]
struct Expected {
    messages: BTreeMap<String, u64>,
    runs: Vec<Run>,
}

fn demo(seed: &str, more: &[&str]) -> Answer {
    let arguments = ["demo", "--once", "--json", "--sms-only", "--customers", CUSTOMERS, "--seed", seed];
    let said = Process::gridbell(arguments.iter().chain(more)).succeed();
    serde_json::from_str(&said).unwrap_or_else(|e| panic!("{e} in the answer: {said}"))
}

/// The day that most tests look at, run once: what the product said of it, what the gateway took, and what plain code makes of its inputs.
struct TheDay {
    answer: Answer,
    messages: Vec<HashMap<String, String>>,
    gateway: Vec<Part>,
    recomputed: Day,
    sender: String,
    /// In words; empty for none.
    differences: String,
}

/// One part that a gateway accepted: a line of its log.
#[derive(Clone, Debug, Deserialize)]
struct Part {
    at_us: u64,
    account: String,
    destination: String,
    src_id: String,
    parts: usize,
    part: usize,
    reference: Option<u16>,
    text: String,
    fate: String,
}

fn the_day() -> &'static TheDay {
    static DAY: OnceLock<TheDay> = OnceLock::new();
    DAY.get_or_init(|| {
        let directory = scratch();
        let export = directory.path();
        let (path, log) = (export.to_str().expect("a path in UTF-8"), export.join("gateway.jsonl"));
        let grants = GRANTS.map(|(_, grant)| grant.to_string()).join(",");
        let log_path = log.to_str().expect("a path in UTF-8");
        let answer = demo(SEED, &["--export", path, "--gateway-log", log_path, "--grants", &grants]);
        let mut file = csv::Reader::from_path(export.join("messages.csv")).expect("messages are exported");
        let messages = file.deserialize().map(|row| row.expect("a row of messages")).collect();
        let log = std::fs::read_to_string(log).expect("the gateway's log is there");
        let gateway = log.lines().map(|line| serde_json::from_str(line).expect("a part")).collect();
        let inputs = Inputs::read(export, &root().join("policies"));
        let recomputed = Day::of(&inputs, minute(FIRST_MINUTE));
        let differences = differences(&recomputed, export);
        TheDay { answer, messages, gateway, recomputed, sender: inputs.sender().to_owned(), differences }
    })
}

#[test]
fn the_counts_are_those_that_were_looked_at() {
    let Answer { customers, runs, messages, elapsed_ms } = &the_day().answer;
    assert_eq!(customers.to_string(), CUSTOMERS);
    assert!(*elapsed_ms > 0);
    let found = Expected { messages: messages.clone(), runs: runs.clone() };
    let path = root().join(EXPECTED);
    if std::env::var_os("UPDATE_EXPECTED").is_some() {
        std::fs::write(&path, told(&found)).expect("the expected counts can be written");
        return;
    }
    let text = std::fs::read_to_string(&path).expect("the expected counts are committed");
    let expected: Expected = serde_json::from_str(&text).expect("the expected counts are JSON");
    assert_eq!(expected.messages, found.messages, "UPDATE_EXPECTED=1 writes what was found, to be looked at");
    for (n, (expected, found)) in expected.runs.iter().zip(&found.runs).enumerate() {
        assert_eq!(expected, found, "run {}; UPDATE_EXPECTED=1 writes what was found, to be looked at", n + 1);
    }
    assert_eq!(expected.runs.len(), found.runs.len());
}

/// As JSON with a run on each line: a change shows as the runs that changed.
fn told(expected: &Expected) -> String {
    let runs: Vec<String> = expected.runs.iter().map(|run| format!("    {}", json(run))).collect();
    format!("{{\n  \"messages\": {},\n  \"runs\": [\n{}\n  ]\n}}\n", json(&expected.messages), runs.join(",\n"))
}

fn json(value: &impl Serialize) -> String {
    serde_json::to_string(value).expect("plain data")
}

#[test]
fn counts_add_up() {
    let Answer { runs, messages, .. } = &the_day().answer;
    for run in runs {
        assert_eq!(run.decided, run.queued + run.held.values().sum::<u64>(), "{run:?}");
        assert_eq!(run.status, "published", "{run:?}");
    }
    assert_eq!(messages["queued"], runs.iter().map(|r| r.queued).sum::<u64>());
    let ends = ["delivered", "failed", "expired", "cancelled"];
    assert_eq!(messages["queued"], ends.iter().map(|end| messages[*end]).sum::<u64>(), "{messages:?}");
    assert_eq!(messages.len(), 1 + ends.len(), "{messages:?}");
    // All four policies of all eleven prefectures said something, or this day tests little.
    let spoke: BTreeSet<_> = runs.iter().filter(|r| r.queued > 0).map(|r| (r.prefecture, &r.policy)).collect();
    assert_eq!(spoke.len(), 44, "{spoke:?}");
}

#[test]
fn plain_code_comes_to_the_same_decisions_texts_and_times() {
    let day = the_day();
    let found = &day.answer.runs;
    let recomputed: Vec<Run> = day.recomputed.runs.iter().map(of_recomputed).collect();
    for (n, (found, recomputed)) in found.iter().zip(&recomputed).enumerate() {
        assert_eq!(
            found,
            recomputed,
            "run {}: the product's on the left, recomputed on the right\n{}",
            n + 1,
            day.differences
        );
    }
    assert_eq!(found.len(), recomputed.len());
    assert!(day.differences.is_empty(), "\n{}", day.differences);
    let cancelled = day.recomputed.messages.iter().filter(|m| !m.row["cancelled_because"].is_empty()).count();
    assert_eq!(day.answer.messages["cancelled"], cancelled as u64);
    assert!(cancelled > 0, "this day has nobody who pays between a decision and its window: choose another seed");
}

fn of_recomputed(run: &recompute::Run) -> Run {
    Run {
        prefecture: run.prefecture,
        policy: run.policy.clone(),
        schedule: run.schedule.clone(),
        status: "published".to_owned(),
        customers: run.customers,
        decided: run.decided,
        queued: run.queued,
        held: run.held.clone(),
    }
}

#[test]
fn the_gateway_got_each_message_once_and_whole() {
    let day = the_day();
    // Long messages by terminal and reference: a reference is not used again for one terminal within a day.
    let mut long: BTreeMap<(&str, u16), Vec<&Part>> = BTreeMap::new();
    let mut arrived: BTreeMap<(&str, String), Vec<&Part>> = BTreeMap::new();
    for part in &day.gateway {
        assert_eq!(part.src_id, day.sender, "customers see the customers' number");
        match part.reference {
            Some(reference) => long.entry((&part.destination, reference)).or_default().push(part),
            None => {
                assert_eq!((part.parts, part.part), (1, 1), "{part:?}");
                let twice = arrived.insert((&part.destination, part.text.clone()), vec![part]);
                assert!(twice.is_none(), "twice at the gateway: {part:?}");
            }
        }
    }
    for ((terminal, reference), mut parts) in long {
        parts.sort_by_key(|p| p.part);
        let numbers: Vec<usize> = parts.iter().map(|p| p.part).collect();
        let all: Vec<usize> = (1..=parts[0].parts).collect();
        assert_eq!(numbers, all, "parts of the message {reference} to {terminal}: {parts:?}");
        let text: String = parts.iter().map(|p| p.text.as_str()).collect();
        let twice = arrived.insert((terminal, text), parts);
        assert!(twice.is_none(), "twice at the gateway: message {reference} to {terminal}");
    }
    let accounts: HashMap<&str, &str> = ["mobile", "unicom", "telecom"].into_iter().zip(GRANTS.map(|g| g.0)).collect();
    // What one message told several accounts: found at the gateway once, with the bearer, and of the others the end is the same.
    let mut carried = 0;
    let mut told: HashMap<&str, (&HashMap<String, String>, Vec<&Part>)> = HashMap::new();
    let bearers = day.messages.iter().filter(|m| m["told_by"] == m["message"]);
    for bearer in bearers {
        let parts = arrived.remove(&(bearer["phone"].as_str(), bearer["told_text"].clone()));
        told.insert(&bearer["message"], (bearer, parts.unwrap_or_default()));
    }
    for message in &day.messages {
        let parts = match message["told_by"].as_str() {
            "" => arrived.remove(&(message["phone"].as_str(), message["text"].clone())),
            by => {
                let (bearer, parts) = &told[by];
                for field in ["phone", "told_text", "state", "code", "link", "submitted_at", "final_at", "maybe_twice"]
                {
                    assert_eq!(message[field], bearer[field], "{field} of {message:?}");
                }
                carried += usize::from(by != message["message"]);
                Some(parts.clone()).filter(|parts| !parts.is_empty())
            }
        };
        let alone = message["told_by"].is_empty();
        let fate = parts.as_ref().map(|p| p[0].fate.as_str());
        match (message["state"].as_str(), message["code"].as_str()) {
            ("cancelled", "") => assert!(parts.is_none(), "cancelled and sent: {message:?}"),
            // Refused by the gateway, which therefore accepted no part.
            ("failed", code) if code.starts_with("result ") => {
                assert!(parts.is_none(), "refused and sent: {message:?}")
            }
            ("delivered", "DELIVRD") => assert!(matches!(fate, Some("DELIVRD" | "delivered")), "{message:?} {fate:?}"),
            // CMPP's reports have a word, as MA:0001, the others end with a number.
            ("failed", code) => {
                let number = code.rsplit_once(' ').and_then(|(_, n)| n.parse::<u8>().ok());
                let same = number.map_or_else(|| code.to_owned(), |n| format!("failed {n}"));
                assert!(code != "DELIVRD" && fate == Some(same.as_str()), "{message:?} {fate:?}");
            }
            _ => panic!("a message that did not end: {message:?}"),
        }
        if let Some(parts) = parts {
            // One text for several takes no more than theirs would, and has as many parts as the gateway counts, as was seen above.
            assert!(!alone || message["parts"] == parts.len().to_string(), "{message:?}");
            assert!(parts.iter().all(|p| p.account == accounts[message["link"].as_str()]), "{message:?} {parts:?}");
        }
    }
    assert!(arrived.is_empty(), "at the gateway, and no message of ours: {arrived:?}");
    assert!(carried > 0, "this day has no number of several accounts that are told at once: choose another seed");
}

#[test]
fn no_second_has_more_parts_than_granted() {
    for (account, grant) in GRANTS {
        let mut times: Vec<u64> = the_day().gateway.iter().filter(|p| p.account == account).map(|p| p.at_us).collect();
        times.sort_unstable();
        let mut first = 0;
        for (n, at) in times.iter().enumerate() {
            while at - times[first] >= 1_000_000 {
                first += 1;
            }
            assert!(n + 1 - first <= grant, "{account}: {} parts within the second before {at} us", n + 1 - first);
        }
        assert!(times.len() > grant, "{account}: {} parts test no pacing", times.len());
    }
}

#[test]
fn the_seed_is_the_day() {
    let ran = |answer: &Answer| (answer.customers, answer.messages.clone(), answer.runs.clone());
    let (same, other) = std::thread::scope(|scope| {
        // At the gateways' usual pace: how fast messages go changes none of them.
        let same = scope.spawn(|| demo(SEED, &[]));
        let other = scope.spawn(|| demo("8", &[]));
        (same.join().expect("the same seed runs"), other.join().expect("another seed runs"))
    });
    assert_eq!(ran(&same), ran(&the_day().answer));
    assert_ne!(ran(&other), ran(&same));
    assert_ne!(other.messages, same.messages);
}
