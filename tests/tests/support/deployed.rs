//! A house in which several versions of one policy, made by hand, decide beside each other.

use std::collections::BTreeSet;

use gridbell_tests::{Http, eventually};
use serde_json::{Value, json};

use super::guest::Guest;
use super::{Host, House, Person, TAIYUAN, policy};

/// The policy that the hand-made guests decide for.
pub(crate) const POLICY: &str = "arrears-reminder";
/// What is live at first.
pub(crate) const OLD: &str = "hand-made@1.0.0";
/// What is tried.
pub(crate) const NEW: &str = "hand-made@1.1.0";
/// More than anybody owes.
pub(crate) const MUCH: i64 = 1 << 40;

/// A house whose policies are decided by version 1.0.0 of a plugin made by hand, with these versions beside it, approved and used by nobody.
/// Certification would refuse some of them; set-up work on a data directory asks nobody.
pub(crate) fn house(people: &[Person], live: &Guest, others: &[Guest], more: &str) -> House {
    house_on(people, live, others, more, |_| ())
}

/// The same with another org tree.
pub(crate) fn house_on(
    people: &[Person],
    live: &Guest,
    others: &[Guest],
    more: &str,
    org: impl Fn(&mut Value),
) -> House {
    let house = House::new();
    let text = std::fs::read_to_string(house.path("org.json")).expect("the org tree");
    let mut tree: Value = serde_json::from_str(&text).expect("JSON");
    org(&mut tree);
    house.write("org.json", tree.to_string());
    house.files(people);
    house.run(&["import", "customers", &house.text("customers.csv"), "--org", &house.text("org.json")]);
    house.run(&["import", "bills", &house.text("bills.csv")]);
    house.run(&["policy", "rules", &house.text("rules.toml")]);
    let install = |guest: &Guest| {
        let file = format!("{}.wasm", guest.version);
        house.write(&file, guest.bytes());
        house.run(&["plugin", "install", &house.text(&file)]);
    };
    install(live);
    for prefecture in people.iter().map(|p| p.prefecture).collect::<BTreeSet<u32>>() {
        let name = format!("{prefecture}.toml");
        house.write(&name, policy(prefecture, "hand-made", more));
        house.run(&["policy", "apply", &house.text(&name)]);
    }
    others.iter().for_each(install);
    house
}

/// The API with a new token of `role`.
pub(crate) fn token(host: &Host, name: &str, role: &str) -> Http {
    let made = host
        .api
        .post("/v1/tokens", &json!({ "name": name, "person": name, "role": role, "scope": null, "days": 1 }))
        .expect(201);
    host.as_other(made["token"].as_str().expect("a token"))
}

/// The path of something of the policy in `prefecture`.
pub(crate) fn path(prefecture: u32, what: &str) -> String {
    format!("/v1/policies/{prefecture}/{POLICY}/{what}")
}

/// Changes who decides; what needs another person is agreed to.
#[track_caller]
pub(crate) fn deploy(host: &Host, approver: &Http, prefecture: u32, change: Value) {
    let asked = host.api.post(&path(prefecture, "deployment"), &json!({ "change": change, "why": "试验" }));
    match asked.status {
        200 => {}
        _ => host.agree(approver.token().expect("a token"), &asked.expect(202)["id"]),
    }
}

/// Who decides in 太原.
pub(crate) fn deployment(host: &Host) -> Value {
    host.api.get(&path(TAIYUAN, "deployment")).expect(200)
}

/// Nobody is on the way any more.
pub(crate) fn drained(host: &Host) {
    let waiting = ["queued", "submitting", "submitted"].map(|s| format!("state=\"{s}\""));
    eventually("every message's end", || {
        let left: f64 = waiting.iter().map(|s| host.metric("gridbell_outbox_messages", s)).sum();
        (left == 0.0).then_some(())
    });
}

/// Their numbers.
pub(crate) fn phones<'a>(people: impl IntoIterator<Item = &'a Person>) -> BTreeSet<String> {
    people.into_iter().map(|p| p.phone.clone()).collect()
}
