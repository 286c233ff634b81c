//! A correction on the real binary: proposed by one person, agreed to by another, told once to exactly those on the list, through kills in the middle.

mod support;

use std::collections::{BTreeMap, BTreeSet};

use gridbell_simulators::cmpp::Faults;
use gridbell_tests::{Http, eventually};
use serde_json::{Value, json};
use support::{COMMIT_GROUP, CONNECTIONS, Host, House, Person, TAIYUAN, WINDOW, people};

const OWING: u64 = 240;
/// So slow that a stop catches part of a run.
const GRANT: u64 = 60;
const TEXT: &str = "昨日的电费提醒金额有误，深表歉意。如有疑问请拨打{{ hotline }}。";

/// A city's office worker's token.
fn office(host: &Host, person: &str, scope: u32) -> Http {
    let body = json!({ "name": format!("{person}-{scope}"), "person": person, "role": "city-office", "scope": scope, "days": 1 });
    let token = host.api.post("/v1/tokens", &body).expect(201)["token"].as_str().expect("a token").to_owned();
    host.as_other(&token)
}

/// A province whose gateway is slow, with a run of which part has left when its topic is stopped.
fn half_sent(house: &House, people: &[Person]) -> (Host, String, String) {
    let config = std::fs::read_to_string(house.path("gridbell.toml")).expect("a configuration");
    house.write("gridbell.toml", config.replace("grant = 0", &format!("grant = {GRANT}")));
    let faults = Faults { response_delay_ms: (0, 8), report_delay_ms: (0, 40), ..Faults::default() };
    house.gateway.set_faults(faults).expect("faults");
    let token = house.token("ops", "operator");
    let host = house.serve(&token);
    let run = host.run(TAIYUAN, "arrears-reminder");
    assert_eq!(run["queued"].as_u64(), Some(people.iter().filter(|p| p.owes_fen > 0).count() as u64), "{run}");
    house.accepted(100);
    host.api.post("/v1/stops", &json!({ "scope": "topic:arrears-reminder", "why": "金额有误" })).expect(201);
    eventually("what is on its way comes to its end", || {
        let out = ["state=\"submitting\"", "state=\"submitted\""].map(|s| host.metric("gridbell_outbox_messages", s));
        (out.iter().sum::<f64>() == 0.0).then_some(())
    });
    let run = run["run"].as_str().expect("an id").to_owned();
    (host, run, token)
}

fn queued(host: &Host) -> u64 {
    host.metric("gridbell_outbox_messages", "state=\"queued\"") as u64
}

fn recipients(host: &Host, id: &str) -> Vec<Value> {
    host.all(&format!("/v1/corrections/{id}/recipients"))
}

#[test]
fn who_got_the_wrong_one_is_told_once_through_kills_and_nobody_else() {
    let people = people(TAIYUAN, OWING + 20, OWING);
    let house = House::with(&people);
    let (mut host, run, token) = half_sent(&house, &people);
    let told: BTreeSet<String> = house.reached();
    assert!(told.len() > 40 && told.len() < OWING as usize - 20, "{} of {OWING} left", told.len());
    // One of them says that the number is not the customer's.
    let wrong = people.iter().find(|p| told.contains(&p.phone)).expect("somebody was told").clone();
    let path = format!("/v1/customers/{}", wrong.account);
    host.api.patch(&path, &json!({ "suspended": true })).expect(200);

    // What it would do, and what is refused.
    let dry = ["correct", "--run", &run, "--text", TEXT, "--why", "价目有误", "--dry-run"];
    let would = house.ask(&host, &dry);
    assert!(would.contains("dry run: nothing was changed") && would.contains("suspended-address"), "{would}");
    let would: Value = serde_json::from_str(&house.ask(&host, &[&dry[..], &["--json"]].concat())).expect("JSON");
    assert_eq!(would["counts"]["customers"].as_u64(), Some(told.len() as u64 - 1), "{would}");
    assert!(would["first"].to_string().contains("歉意") && !would.to_string().contains(&wrong.phone), "{would}");
    // What is half sent goes on and is corrected like what is sent.
    let (queued, waiting) = (queued(&host), would["taken_back"].as_u64().expect("a number"));
    assert!(waiting > 20 && queued - waiting <= WINDOW * CONNECTIONS + COMMIT_GROUP, "{waiting} of {queued}");
    let rude = house.refuses(&host, &["correct", "--run", &run, "--text", "金额有误", "--why", "价目有误"]);
    assert!(rude.contains("apologises") && rude.contains("歉"), "{rude}");
    let body = |dry_run: bool| json!({ "run": run, "texts": { "sms": TEXT }, "why": "价目有误", "dry_run": dry_run });
    let (wang, li) = (office(&host, "wang", TAIYUAN), office(&host, "li", TAIYUAN));
    assert_eq!(office(&host, "zhao", 140_200).post("/v1/corrections", &body(true)).status, 404);
    let both = json!({ "run": run, "campaign": "arrears-reminder", "why": "试验" });
    assert_eq!(wang.post("/v1/corrections", &both).status, 422);
    assert_eq!(wang.post("/v1/corrections", &json!({ "run": "R999", "why": "试验" })).status, 404);
    assert_eq!(self::queued(&host), queued, "nothing was changed");

    // Proposed, twice with one key: once.
    let headers = [("content-type", "application/json"), ("idempotency-key", "correct-1")];
    let ask = || wang.try_call("POST", "/v1/corrections", &headers, body(false).to_string().as_bytes());
    let first = ask().expect("an answer").expect(201);
    assert_eq!(ask().expect("an answer").expect(201), first, "the same request gets the same answer");
    let id = first["id"].as_str().expect("a name").to_owned();
    assert_eq!(first["taken_back"].as_u64(), Some(waiting));
    assert_eq!(self::queued(&host), queued - waiting, "what had not left is taken back");
    assert_eq!(host.api.delete("/v1/stops/topic:arrears-reminder").status, 204);
    let proposal = id.trim_start_matches('C').to_owned();
    let approve = format!("/v1/proposals/{proposal}/approve");
    let own = wang.post(&approve, &json!({ "why": "自己同意" }));
    assert_eq!(own.status, 403, "nobody approves his own: {}", own.body);
    assert_eq!(host.api.post(&approve, &json!({ "why": "运维" })).status, 403, "an operator approves nothing");
    let listed = recipients(&host, &id);
    let sha = host.api.get(&format!("/v1/corrections/{id}")).expect(200)["list"].clone();

    // Killed before it is told, and twice while it is.
    li.post(&approve, &json!({ "why": "名单已核对" })).expect(200);
    assert!(host.process.kill(), "the host ended by itself");
    let mut kills = 1;
    let before = house.gateway.stats().account(support::SP_ID).parts_accepted;
    for parts in [5, 25] {
        host = house.serve(&token);
        house.accepted(before + parts);
        assert!(host.process.kill(), "the host ended by itself");
        kills += 1;
    }
    host = house.serve(&token);
    eventually("every message's end", || {
        let states = ["queued", "submitting", "submitted"].map(|s| format!("state=\"{s}\""));
        let left: f64 = states.iter().map(|s| host.metric("gridbell_outbox_messages", s)).sum();
        (left == 0.0 && host.api.get(&format!("/v1/corrections/{id}")).expect(200)["state"]["word"] == "published")
            .then_some(())
    });
    told_once(&house, &host, &people, (&told, &wrong.phone), (&id, &listed), kills);
    let done = host.api.get(&format!("/v1/corrections/{id}")).expect(200);
    assert_eq!((&done["list"], &done["decided_by"]), (&sha, &json!("li/li-140100")), "{done}");
    looked_at(&house, &host, &id, &run, &listed);

    // Again: nobody is told, and nothing of it is an occurrence of the policy.
    let sent = house.received().values().sum::<u32>();
    let again = office(&host, "sun", TAIYUAN).post("/v1/corrections", &body(false));
    assert!(again.status == 409 && again.body.contains("already-said"), "{}", again.body);
    assert_eq!(house.received().values().sum::<u32>(), sent);
    assert_eq!(host.process.terminate().code(), Some(0));
    let verified = house.run(&["audit", "verify"]);
    assert!(verified.contains("the chain is whole"), "{verified}");
}

/// The gateway's log against the list.
fn told_once(
    house: &House,
    host: &Host,
    people: &[Person],
    (told, suspended): (&BTreeSet<String>, &str),
    (id, listed): (&str, &[Value]),
    kills: u64,
) {
    let mut apologies: BTreeMap<String, u64> = BTreeMap::new();
    for entry in house.gateway.log().into_iter().filter(|e| e.text.contains('歉')) {
        *apologies.entry(entry.destination).or_default() += 1;
    }
    let should: BTreeSet<String> = told.iter().filter(|phone| *phone != suspended).cloned().collect();
    assert_eq!(apologies.keys().cloned().collect::<BTreeSet<_>>(), should, "exactly those who got the wrong one");
    let after = recipients(host, id);
    let line = |r: &Value| (r["account"].clone(), r["corrects"].clone(), r["channel"].clone());
    assert_eq!(
        after.iter().map(line).collect::<Vec<_>>(),
        listed.iter().map(line).collect::<Vec<_>>(),
        "the same list"
    );
    let mut marked = 0;
    for row in &after {
        let account = row["account"].as_str().expect("an account");
        let phone = &people.iter().find(|p| p.account == account).expect("one of them").phone;
        let Some(message) = row["message"].as_str() else {
            assert_eq!((phone.as_str(), &row["held"]["word"]), (suspended, &json!("suspended-address")), "{row}");
            continue;
        };
        let message = host.api.get(&format!("/v1/messages/{message}")).expect(200);
        assert_eq!(
            (&message["state"]["word"], &message["corrects"]),
            (&json!("delivered"), &row["corrects"]),
            "{message}"
        );
        let maybe_twice = message["maybe_twice"] == true;
        marked += u64::from(maybe_twice);
        assert!(maybe_twice || apologies[phone] == 1, "told {} times and not marked: {message}", apologies[phone]);
    }
    let bound = kills * (WINDOW * CONNECTIONS + COMMIT_GROUP);
    assert!(marked <= bound, "{marked} are marked, {kills} kills can expose {bound}");
    println!("{} told, {marked} marked", should.len());
}

/// What an office finds of it afterwards.
fn looked_at(house: &House, host: &Host, id: &str, run: &str, listed: &[Value]) {
    let csv = house.ask(host, &["correct", "recipients", id, "--csv"]);
    assert_eq!(csv.lines().count(), listed.len() + 1);
    assert!(csv.starts_with("户号,") && csv.contains("已送达") && csv.contains("****"), "{csv}");
    let shown = house.ask(host, &["correct", "show", id]);
    assert!(shown.contains(&format!("run:{run}")) && shown.contains("已发送"), "{shown}");
    let list = house.ask(host, &["correct", "list"]);
    assert!(list.contains(id), "{list}");
    let none = house.refuses(host, &["correct", "show", "C99"]);
    assert!(none.contains("there is no such thing"), "{none}");
    let account = listed.iter().find(|r| r["held"].is_null()).expect("somebody was told")["account"].clone();
    let account = account.as_str().expect("an account");
    let asked = format!("/v1/customers/{account}/explain?policy=arrears-reminder");
    let story = host.api.get(&asked).expect(200);
    let corrections = &story["policies"][0]["decisions"][0]["corrections"];
    assert_eq!(
        (&corrections[0]["correction"], &story["policies"][0]["run"]["id"]),
        (&json!(id), &json!(run)),
        "{story}"
    );
    let told_by = corrections[0]["run"].as_str().expect("a run");
    let record = host.api.get(&format!("/v1/runs/{told_by}")).expect(200);
    assert_eq!((&record["correction"], &record["topic"]["word"]), (&json!(id), &json!("correction")), "{record}");
    let log = host.all_of("/v1/audit");
    for (action, words) in
        [("proposal.create", id), ("proposal.approve", "名单已核对"), ("correction.publish", told_by)]
    {
        let found = log.iter().any(|e| e["action"] == action && e.to_string().contains(words));
        assert!(found, "{action}: {log:?}");
    }
}

#[test]
fn what_is_refused_or_taken_back_tells_nobody() {
    let people = people(TAIYUAN, OWING, OWING);
    let house = House::with(&people);
    let (mut host, run, _) = half_sent(&house, &people);
    let sent = house.received().values().sum::<u32>();
    let correct = ["correct", "--run", &run, "--text", TEXT, "--why", "价目有误", "--json"];
    let first: Value = serde_json::from_str(&house.ask(&host, &correct)).expect("JSON");
    let refused = office(&host, "li", TAIYUAN)
        .post(
            &format!("/v1/proposals/{}/refuse", &first["id"].as_str().expect("a name")[1..]),
            &json!({ "why": "名单不对" }),
        )
        .expect(200);
    assert_eq!(refused["state"]["word"], "refused", "{refused}");
    let second: Value = serde_json::from_str(&house.ask(&host, &correct)).expect("JSON");
    assert_eq!(second["taken_back"], 0, "the rest was taken back before: {second}");
    let id = second["id"].as_str().expect("a name");
    let withdrawn = house.ask(&host, &["correct", "withdraw", id, "--why", "再核对"]);
    assert!(withdrawn.contains("withdrawn"), "{withdrawn}");
    let late = house.refuses(&host, &["correct", "withdraw", id, "--why", "再核对"]);
    assert!(late.contains("withdrawn"), "{late}");
    assert!(host.process.kill(), "the host ended by itself");
    assert_eq!(house.received().values().sum::<u32>(), sent, "nobody was told");
}
