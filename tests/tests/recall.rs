//! Taking back what waits: seen before, done once, for good through a kill, and by nobody who may not.

mod support;

use serde_json::{Value, json};
use support::{House, TAIYUAN, people};

const OWING: u64 = 60;

#[test]
fn what_waits_is_taken_back_after_it_was_shown_and_the_customers_can_be_told_again() {
    let people = people(TAIYUAN, OWING + 20, OWING);
    let house = House::with(&people);
    let token = house.token("ops", "operator");
    let mut host = house.serve(&token);
    let hold = json!({ "scope": "topic:arrears-reminder", "why": "核对文字" });
    host.api.post("/v1/stops", &hold).expect(201);
    let run = host.run(TAIYUAN, "arrears-reminder");
    assert_eq!(run["queued"], OWING, "{run}");
    let scope = format!("run:{}", run["run"].as_str().expect("an id"));

    let would = house.ask(&host, &["recall", &scope, "--why", "文字有误", "--dry-run"]);
    assert!(would.contains(&format!("{OWING} messages would be taken back, 0 have left")), "{would}");
    let said = house.refuses(&host, &["recall", &scope, "--why", "文字有误"]);
    assert!(said.contains("nothing was taken back") && said.contains("--yes"), "{said}");
    assert_eq!(waiting(&host), OWING);
    for (scope, status) in [("run:R999", 404), ("run:9x", 422), ("link:nobody", 404), ("street:1", 422)] {
        let reply = host.api.post("/v1/recalls", &json!({ "scope": scope, "why": "试验" }));
        assert_eq!(reply.status, status, "{scope}: {}", reply.body);
    }
    let unsaid = host.api.post("/v1/recalls", &json!({ "scope": scope, "why": " " }));
    assert_eq!(unsaid.status, 422, "{}", unsaid.body);
    let clerk = host.as_other(&token_of(&host, "clerk", TAIYUAN));
    assert_eq!(clerk.post("/v1/recalls", &json!({ "scope": scope, "why": "试验" })).status, 403);
    let elsewhere = host.as_other(&token_of(&host, "city-office", 140_200));
    assert!(elsewhere.post("/v1/recalls", &json!({ "scope": scope, "why": "试验" })).status >= 403);
    assert_eq!(waiting(&host), OWING, "nobody took anything back");

    let done: Value =
        serde_json::from_str(&house.ask(&host, &["recall", &scope, "--why", "文字有误", "--yes", "--json"]))
            .expect("JSON");
    assert_eq!((done["taken_back"].as_u64(), done["left"].as_u64()), (Some(OWING), Some(0)), "{done}");
    assert!(host.process.kill(), "the host ended by itself");
    host = house.serve(&token);
    assert_eq!(waiting(&host), 0);
    let message = host.message(&people[0].account).expect("a message");
    assert_eq!(message["cancelled_because"]["word"], "recalled", "{message}");
    let log = host.all_of("/v1/audit");
    let entry = log.iter().find(|e| e["action"] == "message.recall").expect("an entry");
    assert!(entry["subject"] == scope.as_str() && entry["detail"].to_string().contains("文字有误"), "{entry}");

    // Nobody was told, so everybody is when the text is right.
    assert_eq!(host.api.delete("/v1/stops/topic:arrears-reminder").status, 204);
    assert_eq!(host.run(TAIYUAN, "arrears-reminder")["queued"], OWING);
    house.accepted(OWING);
    let none = house.ask(&host, &["recall", &scope, "--why", "再试", "--yes"]);
    assert!(none.contains("0 messages were taken back"), "{none}");
}

fn waiting(host: &support::Host) -> u64 {
    host.metric("gridbell_outbox_messages", "state=\"queued\"") as u64
}

fn token_of(host: &support::Host, role: &str, scope: u32) -> String {
    let body = json!({ "name": role, "person": role, "role": role, "scope": scope, "days": 1 });
    host.api.post("/v1/tokens", &body).expect(201)["token"].as_str().expect("a token").to_owned()
}
