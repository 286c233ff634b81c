//! Retention through the command line: what ended leaves the store for files that are searched and verified, and nothing else changes.

mod support;

use std::path::PathBuf;
use std::process::Command;

use gridbell_simulators::cmpp::Mo;
use gridbell_tests::{Process, Stream, eventually, gridbell};
use serde_json::Value;
use support::{Host, House, Person, SP_ID, TAIYUAN, people, today};

const POLICY: &str = "arrears-reminder";

fn lines(said: &str) -> Vec<Value> {
    said.lines().map(|l| serde_json::from_str(l).unwrap_or_else(|e| panic!("no JSON ({e}): {l}"))).collect()
}

fn one(said: &str) -> Value {
    lines(said).pop().unwrap_or_else(|| panic!("nothing was said"))
}

fn tomorrow() -> String {
    today().plus_days(1).to_string()
}

/// The first archive of the house.
fn file(house: &House, number: u32) -> PathBuf {
    house.path(&format!("data/archives/archive-{number:06}.gba"))
}

/// Reminds everybody who owes and waits until each message is delivered, with one reply; then the host ends.
fn a_day(house: &House, people: &[Person], token: &str) -> Value {
    let mut host = house.serve(token);
    let run = host.run(TAIYUAN, POLICY);
    for p in people.iter().filter(|p| p.owes_fen > 0) {
        eventually("a delivered message", || delivered(&host, p));
    }
    house.gateway.inject_mo(&Mo::new(SP_ID, &people[0].phone, "95598", "收到了")).expect("an inbound message");
    house.gateway.inject_mo(&Mo::new(SP_ID, &people[1].phone, "95598", "再说")).expect("an inbound message");
    eventually("two replies", || (host.all("/v1/inbound").len() == 2).then_some(()));
    assert_eq!(host.process.terminate().code(), Some(0));
    run
}

fn delivered(host: &Host, p: &Person) -> Option<()> {
    (host.message(&p.account)?["state"]["word"] == "delivered").then_some(())
}

#[test]
fn what_ended_leaves_is_found_by_account_and_by_number_and_the_house_goes_on() {
    let people = people(TAIYUAN, 8, 5);
    let house = House::with(&people);
    let token = house.token("ops", "operator");
    let run = a_day(&house, &people, &token);
    assert_eq!((&run["queued"], &run["decided"]), (&5.into(), &5.into()), "{run}");

    // By the rules nothing is due on the day itself.
    assert!(house.run(&["archive", "run"]).contains("没有到期记录"));
    assert!(house.run(&["archive", "list"]).contains("0 个文件"));
    let due = one(&house.run(&["archive", "run", "--before", &tomorrow(), "--dry-run", "--json"]));
    assert_eq!((&due["entries"]["message"], &due["entries"]["inbound"]), (&5.into(), &1.into()), "{due}");
    assert!(!file(&house, 1).exists(), "a dry run moves nothing");
    let far = today().plus_days(30).to_string();
    assert!(house.fails(3, &["archive", "run", "--before", &far]).contains("later than tomorrow"));

    let left = one(&house.run(&["archive", "run", "--before", &tomorrow(), "--json"]));
    let entries = &left["entries"];
    assert_eq!((&entries["message"], &entries["inbound"]), (&5.into(), &1.into()), "the newest reply stays: {left}");
    assert_eq!(entries["run"], Value::Null, "the newest run of its kind stays: {left}");
    assert!(file(&house, 1).exists());

    let of_account = lines(&house.run(&["archive", "search", "--account", &people[0].account, "--json"]));
    let message = &of_account[0]["record"];
    assert_eq!((of_account.len(), &of_account[0]["kind"]), (1, &"message".into()), "{of_account:?}");
    assert_eq!((&message["state"], &message["code"]), (&"delivered".into(), &"DELIVRD".into()), "{message}");
    assert!(message["text"].as_str().is_some_and(|t| t.contains("10.00元")), "{message}");
    assert!(message["reason"].as_str().is_some_and(|r| !r.is_empty()), "explained without the plugin: {message}");
    assert_eq!(message["run"], run["run"]);
    let of_number = house.run(&["archive", "search", "--phone", &people[0].phone, "--json"]);
    let kinds: Vec<Value> = lines(&of_number).iter().map(|r| r["kind"].clone()).collect();
    assert_eq!(kinds, ["inbound", "message"], "{of_number}");
    assert!(!of_number.contains(&people[0].phone) && of_number.contains("139****0000"), "{of_number}");
    let table = house.run(&["archive", "search", "--phone", &people[0].phone, "--kind", "message"]);
    assert!(table.contains("送达") && table.contains("139****0000") && table.contains("1 条记录"), "{table}");
    assert!(house.run(&["archive", "search", "--phone", "13700000000"]).contains("0 条记录"));
    assert!(house.fails(2, &["archive", "search", "--phone", "12"]).contains("not a phone number"));
    assert!(house.fails(2, &["archive", "search"]).contains("--account"));

    // Every search was audited, and the chain is whole although most of it has left.
    let log = lines(&house.run(&["audit", "list"]));
    let searches = log.iter().filter(|e| e["note"]["action"] == "archive.search").count();
    assert_eq!(searches, 4, "{log:?}");
    assert!(log.iter().all(|e| !e.to_string().contains(&people[0].phone)));
    assert!(log.iter().any(|e| e["note"]["action"] == "archive.run"));
    let verified = house.run(&["audit", "verify"]);
    assert!(verified.contains("the chain is whole") && verified.contains("in the archives"), "{verified}");

    let auditor = house.token("audit", "auditor");
    let datong = house.run(&["token", "add", "datong", "--role", "city-office", "--scope", "140200"]).trim().to_owned();
    // Online: the message is gone, the run with its counts is there, and nothing is said twice.
    let mut host = house.serve(&token);
    assert!(host.message(&people[0].account).is_none());
    let path = format!("/v1/runs/{}", run["run"].as_str().expect("an id"));
    let online = host.api.get(&path).expect(200);
    assert_eq!((&online["queued"], &online["decided"]), (&5.into(), &5.into()), "{online}");
    assert_eq!(host.api.get(&format!("{path}/decisions")).expect(200)["items"], Value::Array(vec![]));
    assert_eq!(host.all("/v1/inbound").len(), 1);
    let found = host.api.get(&format!("/v1/archive?account={}", people[0].account)).expect(200);
    assert_eq!(found["items"][0]["record"]["text"], message["text"], "{found}");
    let auditor = host.as_other(&auditor);
    for by in [format!("account={}", people[0].account), format!("phone={}", people[0].phone)] {
        let found = auditor.get(&format!("/v1/archive?{by}")).expect(200);
        let items = found["items"].as_array().expect("a list");
        assert_eq!((items.len(), &items[0]["kind"]), (1, &"message".into()), "{found}");
        assert_eq!(items[0]["record"]["phone"], "139****0000", "{found}");
        assert!(items[0]["record"].get("text").is_none(), "no text for who may not unmask: {found}");
    }
    let outside = host.as_other(&datong);
    assert_eq!(outside.get(&format!("/v1/archive?account={}", people[0].account)).status, 404);
    let found = outside.get(&format!("/v1/archive?phone={}", people[0].phone)).expect(200);
    assert_eq!(found["items"], Value::Array(vec![]), "another city's");
    assert_eq!(host.run(TAIYUAN, POLICY)["queued"], 0, "it was said, wherever the message is now");
    assert_eq!(host.metric("gridbell_archived_records_total", "kind=\"decision\""), 5.0);
    assert_eq!(house.reached().len(), 5, "nobody was reached twice");
    assert_eq!(host.process.terminate().code(), Some(0));
}

#[test]
fn a_changed_byte_a_missing_file_and_a_killed_pass_are_told() {
    let people = people(TAIYUAN, 6, 6);
    let house = House::with(&people);
    a_day(&house, &people, &house.token("ops", "operator"));
    house.run(&["backup", &house.text("before.backup")]);
    house.run(&["archive", "run", "--before", &tomorrow()]);
    let whole = one(&house.run(&["archive", "verify", "--json"]));
    let files = whole["files"].as_u64().expect("a number");
    assert!(files >= 1 && whole["entries"]["message"] == 6, "{whole}");
    assert_eq!((&whole["compared_with_store"], &whole["pending"]), (&true.into(), &0.into()));
    house.run(&["archive", "verify", "--files-only"]);

    let good = std::fs::read(file(&house, 1)).expect("an archive");
    for at in [20, 70, good.len() / 2, good.len() - 40] {
        let mut bad = good.clone();
        bad[at] ^= 4;
        house.write("data/archives/archive-000001.gba", &bad);
        for more in [&["archive", "verify"][..], &["archive", "verify", "--files-only"]] {
            let said = house.fails(4, more);
            assert!(said.contains("archive-000001.gba") && said.contains("put back a copy"), "byte {at}: {said}");
        }
    }
    let mut bad = good.clone();
    bad[100] ^= 1;
    house.write("data/archives/archive-000001.gba", &bad);
    assert!(house.fails(4, &["archive", "verify"]).contains("block 1"));
    house.fails(4, &["archive", "search", "--account", &people[0].account]);
    house.write("data/archives/archive-000001.gba", &good);
    house.run(&["archive", "verify"]);
    let last = file(&house, u32::try_from(files).expect("few files"));
    std::fs::rename(&last, house.path("kept.gba")).expect("moved");
    assert!(house.fails(4, &["archive", "verify"]).contains("is missing"));
    std::fs::rename(house.path("kept.gba"), &last).expect("moved back");

    // A store from before the pass beside its archives is what a kill between the file and the commit leaves: the next pass completes it.
    let restore = |arguments: &[&str]| {
        let mut command = Command::new(gridbell());
        command.args(arguments).arg("--data").arg(house.path("copy")).env("USER", "test");
        Process::spawn(command)
    };
    restore(&["restore", &house.text("before.backup")]).succeed();
    std::fs::copy(house.path("data/contacts.key"), house.path("copy/contacts.key")).expect("the key");
    std::fs::create_dir_all(house.path("copy/archives")).expect("a directory");
    for number in 1..=u32::try_from(files).expect("few files") {
        let name = format!("copy/archives/archive-{number:06}.gba");
        std::fs::copy(file(&house, number), house.path(&name)).expect("a copy");
    }
    let said = restore(&["archive", "verify", "--json"]).succeed();
    assert_eq!(one(&said)["pending"], files, "{said}");
    let search = ["archive", "search", "--account", &people[0].account, "--json"];
    assert_eq!(lines(&restore(&search).succeed()).len(), 0, "not twice: it is online still");
    let mut run = restore(&["archive", "run", "--json"]);
    assert_eq!(run.wait().code(), Some(0), "{}", run.output(Stream::Err));
    assert_eq!(one(&run.output(Stream::Out))["completed"], files);
    assert_eq!(lines(&restore(&search).succeed()).len(), 1);
    restore(&["audit", "verify"]).succeed();
    assert_eq!(one(&restore(&["archive", "verify", "--json"]).succeed())["pending"], 0);
}
