//! A host at work, as a city office, an operator and a carrier see it: payments, stops, opt-outs, parameters, the blast radius, and the end.

mod support;

use std::collections::BTreeSet;

use gridbell_simulators::cmpp::{Faults, Mo};
use gridbell_tests::eventually;
use serde_json::{Value, json};
use support::{COMMIT_GROUP, CONNECTIONS, Host, House, Person, SP_ID, TAIYUAN, WINDOW, now, people, policy};

const POLICY: &str = "arrears-reminder";

fn phones<'a>(people: impl IntoIterator<Item = &'a Person>) -> BTreeSet<String> {
    people.into_iter().map(|p| p.phone.clone()).collect()
}

fn state(host: &Host, account: &str) -> Option<String> {
    host.message(account).and_then(|m| m["state"]["word"].as_str().map(str::to_owned))
}

/// Waits until the messages of all these are delivered.
fn delivered(host: &Host, people: &[Person]) {
    for p in people {
        eventually("a delivered message", || (state(host, &p.account).as_deref() == Some("delivered")).then_some(()));
    }
}

/// A stop of the whole prefecture, in force when this returns.
fn stop(host: &Host) {
    let stop = json!({ "scope": format!("prefecture:{TAIYUAN}"), "why": "试验" });
    host.api.post("/v1/stops", &stop).expect(201);
}

fn release(host: &Host) {
    host.api.delete(&format!("/v1/stops/prefecture:{TAIYUAN}")).expect(204);
}

fn held(run: &Value, reason: &str) -> u64 {
    let list = run["held"].as_array().expect("a list");
    list.iter().find(|h| h["reason"] == reason).map_or(0, |h| h["count"].as_u64().expect("a number"))
}

#[test]
fn who_pays_before_the_submit_is_not_reminded() {
    let people = people(TAIYUAN, 5, 3);
    let house = House::with(&people);
    let host = house.serve(&house.token("ops", "operator"));
    stop(&host);
    assert_eq!(host.run(TAIYUAN, POLICY)["queued"], 3);
    let payment = |p: &Person| json!({ "account": p.account, "payment_id": "P1", "amount_fen": p.owes_fen, "paid_at": now().to_string() });
    assert_eq!(host.api.post("/v1/payments", &json!({ "rows": [payment(&people[0])] })).expect(200)["changed"], 1);
    assert_eq!(
        state(&host, &people[0].account).as_deref(),
        Some("queued"),
        "only the last look before the submit cancels"
    );
    release(&host);
    delivered(&host, &people[1..3]);
    let message = eventually("the cancelled message", || {
        host.message(&people[0].account).filter(|m| m["state"]["word"] == "cancelled")
    });
    assert_eq!(message["cancelled_because"]["word"], "paid", "{message}");
    assert_eq!(house.reached(), phones(&people[1..3]));
}

#[test]
fn a_stop_holds_at_once_survives_a_restart_loses_nothing_and_is_released_by_a_person() {
    let people = people(TAIYUAN, 300, 300);
    let house = House::with(&people);
    // Slow enough that the stop comes in the middle.
    house.gateway.set_faults(Faults { response_delay_ms: (40, 60), ..Faults::default() }).expect("faults");
    let token = house.token("ops", "operator");
    let mut host = house.serve(&token);
    assert_eq!(host.run(TAIYUAN, POLICY)["queued"], 300);
    house.accepted(40);
    stop(&host);
    let at_the_stop = house.gateway.log().len() as u64;
    // What was under way is answered; the link then has nothing unanswered, and nothing new.
    eventually("a quiet link", || {
        (host.metric("gridbell_outbox_messages", "state=\"submitting\"") == 0.0).then_some(())
    });
    let held_at = house.gateway.log().len() as u64;
    let under_way = WINDOW * CONNECTIONS + COMMIT_GROUP;
    assert!(held_at <= at_the_stop + under_way, "{held_at} parts, {at_the_stop} when the stop was answered");
    assert!(house.reached().len() < 300, "the stop came too late to show anything");
    assert_eq!(host.run(TAIYUAN, POLICY)["queued"], 0, "decided already");
    assert_eq!(host.process.terminate().code(), Some(0), "SIGTERM drains");

    let host = house.serve(&token);
    let stops = host.all("/v1/stops");
    assert_eq!((stops.len(), &stops[0]["by"], &stops[0]["why"]), (1, &json!("token:ops"), &json!("试验")));
    eventually("the link", || (host.metric("gridbell_link_up", "") == 1.0).then_some(()));
    // A later submit would be in the log before the answer to a reply that the host takes after it.
    house.gateway.inject_mo(&Mo::new(SP_ID, "13800000000", "95598", "收到")).expect("an inbound message");
    eventually("the reply", || (!host.all("/v1/inbound").is_empty()).then_some(()));
    assert_eq!(house.gateway.log().len() as u64, held_at, "sent while stopped");
    let agent = host.as_other(&house_token(&host, "agent"));
    assert_eq!(agent.delete(&format!("/v1/stops/prefecture:{TAIYUAN}")).status, 403);
    release(&host);
    delivered(&host, &people);
    assert_eq!(house.reached(), phones(&people));
    let repeated: Vec<_> = house.received().into_iter().filter(|(_, n)| *n > 1).collect();
    assert!(repeated.is_empty(), "drained and stopped, so nothing goes twice: {repeated:?}");
    let actions: Vec<String> =
        host.all("/v1/audit").iter().map(|e| e["action"].as_str().unwrap_or_default().to_owned()).collect();
    for action in ["stop.set", "stop.release"] {
        assert_eq!(actions.iter().filter(|a| *a == action).count(), 1, "{action} in {actions:?}");
    }
}

/// A token that the API gives.
fn house_token(host: &Host, role: &str) -> String {
    let made = host
        .api
        .post("/v1/tokens", &json!({ "name": role, "person": role, "role": role, "scope": null, "days": 1 }))
        .expect(201);
    made["token"].as_str().expect("a token").to_owned()
}

#[test]
fn sigterm_in_the_middle_of_a_dispatch_leaves_the_rest_for_the_next_start() {
    let people = people(TAIYUAN, 400, 400);
    let house = House::with(&people);
    house.gateway.set_faults(Faults { response_delay_ms: (20, 40), ..Faults::default() }).expect("faults");
    let token = house.token("ops", "operator");
    let mut host = house.serve(&token);
    let run = host.run(TAIYUAN, POLICY);
    assert_eq!(run["queued"], 400);
    house.accepted(60);
    let decisions = host.all(&format!("/v1/runs/{}/decisions", run["run"].as_str().expect("an id")));
    assert_eq!(host.process.terminate().code(), Some(0));
    assert!(house.reached().len() < 400, "the end came too late to show anything");

    let host = house.serve(&token);
    assert_eq!(host.all(&format!("/v1/runs/{}/decisions", run["run"].as_str().expect("an id"))), decisions);
    delivered(&host, &people);
    let received = house.received();
    assert!(received.values().all(|n| *n == 1), "a drain waits for the answers, so nothing goes twice");
    for p in &people {
        assert_eq!(host.message(&p.account).expect("a message")["maybe_twice"], false);
    }
    assert_eq!(house.reached(), phones(&people));
}

#[test]
fn a_reply_that_opts_out_is_kept_and_obeyed_by_the_next_run() {
    let people = people(TAIYUAN, 4, 4);
    let house = House::with(&people);
    let host = house.serve(&house.token("ops", "operator"));
    house.gateway.inject_mo(&Mo::new(SP_ID, &people[0].phone, "95598", " td ")).expect("an inbound message");
    house.gateway.inject_mo(&Mo::new(SP_ID, &people[1].phone, "95598", "收到")).expect("an inbound message");
    let replies = eventually("two replies", || Some(host.all("/v1/inbound")).filter(|r| r.len() == 2));
    let handled: BTreeSet<(&str, &str)> =
        replies.iter().map(|r| (r["text"].as_str().unwrap_or(""), r["handled"].as_str().unwrap_or(""))).collect();
    assert_eq!(handled, BTreeSet::from([(" td ", "opt-out"), ("收到", "inbox")]));
    assert!(replies.iter().all(|r| r["from"].as_str().is_some_and(|f| f.contains("****"))), "{replies:?}");
    let run = host.run(TAIYUAN, POLICY);
    assert_eq!((&run["queued"], held(&run, "opted-out")), (&json!(3), 1), "{run}");
    delivered(&host, &people[1..]);
    // Whoever opted out is told that, and nothing else.
    let confirmed = || host.message(&people[0].account).filter(|m| m["state"]["word"] == "delivered");
    assert_eq!(eventually("the confirmation", confirmed)["topic"]["word"], "answer");
    assert_eq!(host.all_of(&format!("/v1/messages?account={}", people[0].account)).len(), 1);
    assert_eq!(house.reached(), phones(&people));
}

#[test]
fn parameters_take_effect_in_the_next_run_and_bad_ones_are_refused_in_the_schemas_words() {
    let people = people(TAIYUAN, 10, 10);
    let house = House::with(&people);
    let host = house.serve(&house.token("ops", "operator"));
    let path = format!("/v1/policies/{TAIYUAN}/{POLICY}");
    let patch = |body: Value| {
        let headers = [("content-type", "application/json")];
        host.api.call("PATCH", &format!("{path}/parameters"), &headers, body.to_string().as_bytes())
    };
    let before = host.api.get(&path).expect(200);
    for (bad, words) in [
        (json!({ "minimum": 0 }), ["minimum", "最低欠费金额"]),
        (json!({ "counting": "sometimes" }), ["counting", "天数口径"]),
        (json!({ "steps": [7, 7] }), ["steps", "提前天数"]),
        (json!({ "grace": 3 }), ["grace", "grace"]),
    ] {
        let refused = patch(bad).expect(422);
        for word in words {
            assert!(refused["errors"].to_string().contains(word), "`{word}` in {refused}");
        }
    }
    assert_eq!(host.api.get(&path).expect(200), before, "a refused change leaves the policy as it was");
    // The people owe 10.00, 10.01, … yuan.
    let approver = house_token(&host, "approver");
    let agreed = |body: Value| {
        let proposed = patch(body).expect(202);
        assert_eq!(proposed["applied"], false, "{proposed}");
        host.agree(&approver, &proposed["proposal"]);
    };
    agreed(json!({ "minimum": 1_005 }));
    let run = host.run(TAIYUAN, POLICY);
    assert_eq!(run["queued"], 5, "{run}");
    agreed(json!({ "minimum": 100 }));
    assert_eq!(host.run(TAIYUAN, POLICY)["queued"], 5, "the others, and nobody twice");
    delivered(&host, &people);
    let runs = host.all("/v1/runs");
    let minimum: Vec<&Value> = runs.iter().map(|r| &r["parameters"]["minimum"]).collect();
    assert_eq!(minimum, [&json!(100), &json!(1_005)], "each run keeps what it ran with");
}

#[test]
fn a_run_over_its_ceiling_waits_for_somebody_else() {
    let people = people(TAIYUAN, 10, 10);
    let house = House::with(&people);
    let host = house.serve(&house.token("ops", "operator"));
    let text = support::policy(TAIYUAN, POLICY, "ceiling = 5\n");
    let applied =
        host.api.put(&format!("/v1/policies/{TAIYUAN}"), &json!({ "document": "taiyuan.toml", "text": text }));
    let (office, approver) = (house_token(&host, "city-office"), house_token(&host, "approver"));
    host.agree(&approver, &applied.expect(202)["proposal"]);
    let order = json!({ "prefecture": TAIYUAN, "policy": POLICY });
    let run = host.as_other(&office).post("/v1/runs", &order).expect(200);
    assert!(run["waiting"].as_str().is_some_and(|why| why.contains("上限 5")), "{run}");
    assert_eq!(run["queued"], 0, "{run}");
    let id = run["run"].as_str().expect("an id");
    assert_eq!(host.api.get(&format!("/v1/runs/{id}")).expect(200)["status"], "waiting");
    let release = format!("/v1/runs/{id}/release");
    assert_eq!(host.api.post(&release, &json!({})).status, 403, "who changed the policy");
    assert_eq!(host.as_other(&office).post(&release, &json!({})).status, 403, "who started the run");
    assert!(house.reached().is_empty());
    let released = host.as_other(&approver).post(&release, &json!({})).expect(200);
    delivered(&host, &people);
    assert_eq!(house.reached(), phones(&people));
    assert_eq!(host.as_other(&approver).post(&release, &json!({})).status, 409, "released once: {released}");
}

#[test]
fn each_payment_is_told_by_itself_and_none_twice() {
    let people = people(TAIYUAN, 3, 3);
    let house = House::with(&people);
    let told = r#"
[[policy]]
name = "payment-received"
title = "缴费成功"
plugin = "payment-received"
version = "0.1"
topic = "payment-received"
events = ["payment-received"]
days = "all"
cost_per_part_milli_fen = 3500
routes = { sms = [{ channel = "sms" }] }
lane = "urgent"

[policy.parameters]
"#;
    house.write("payments.toml", format!("{}{told}", policy(TAIYUAN, POLICY, "")));
    house.run(&["policy", "apply", &house.text("payments.toml")]);
    let again = told.replace("name = \"payment-received\"", "name = \"and-again\"");
    house.write("twice.toml", format!("{}{told}{again}", policy(TAIYUAN, POLICY, "")));
    let refused = house.fails(3, &["policy", "apply", &house.text("twice.toml")]);
    assert!(refused.contains("one policy of a prefecture"), "{refused}");

    let host = house.serve(&house.token("ops", "operator"));
    let pay = |of: &Person, id: &str, fen: i64, days_ago: i32| {
        let paid_at = now().plus_minutes(-1440 * i64::from(days_ago)).to_string();
        json!({ "account": of.account, "payment_id": id, "amount_fen": fen, "paid_at": paid_at })
    };
    // Two payments of one customer and one of another, in one request; then one that was entered late, and the same again.
    let rows = [pay(&people[0], "A", 300, 0), pay(&people[1], "B", 400, 0), pay(&people[0], "C", 200, 0)];
    assert_eq!(host.api.post("/v1/payments", &json!({ "rows": rows })).expect(200)["changed"], 3);
    let late = [pay(&people[1], "D", 100, 2), pay(&people[0], "A", 300, 0)];
    assert_eq!(host.api.post("/v1/payments", &json!({ "rows": late })).expect(200)["changed"], 1);
    let of = |p: &Person| host.all_of(&format!("/v1/messages?account={}", p.account));
    let count = |p: &Person| of(p).iter().filter(|m| m["state"]["word"] == "delivered").count();
    eventually("a message for each payment", || (count(&people[0]) + count(&people[1]) == 4).then_some(()));
    assert_eq!((of(&people[0]).len(), of(&people[1]).len(), of(&people[2]).len()), (2, 2, 0));
    let sent: Vec<String> = house.gateway.log().into_iter().map(|e| e.text).collect();
    for yuan in ["3.00元", "4.00元", "2.00元", "1.00元"] {
        assert_eq!(sent.iter().filter(|t| t.contains(yuan)).count(), 1, "{yuan} in {sent:?}");
    }
    let customer = host.api.get(&format!("/v1/customers/{}", people[1].account)).expect(200);
    assert_eq!(customer["paid_fen"], 400, "the payment that was entered late is no news: {customer}");
}

#[test]
fn a_message_is_found_by_the_number_that_it_went_to() {
    let people = people(TAIYUAN, 2, 2);
    let house = House::with(&people);
    let mut host = house.serve(&house.token("ops", "operator"));
    host.run(TAIYUAN, POLICY);
    delivered(&host, &people);
    let (account, old, new) = (&people[0].account, &people[0].phone, "13899990001");
    let sent_to = |host: &Host, number: &str| -> Vec<Value> {
        let all = host.all_of(&format!("/v1/messages?phone={number}"));
        all.into_iter().map(|m| m["account"].clone()).collect()
    };
    assert_eq!(sent_to(&host, old), [json!(account)]);
    let corrected = json!({ "phone": new, "contact_source": "counter" });
    host.api.patch(&format!("/v1/customers/{account}"), &corrected).expect(200);
    let both = |host: &Host| (sent_to(host, old), sent_to(host, new));
    assert_eq!(both(&host), (vec![json!(account)], vec![]), "it went to the number of that time");
    host.process.terminate();
    let host = house.serve(&house.token("again", "operator"));
    assert_eq!(both(&host), (vec![json!(account)], vec![]), "after a restart too");
    // Whoever has the number now was told nothing under it.
    let other = json!({ "phone": old, "contact_source": "counter" });
    host.api.patch(&format!("/v1/customers/{}", people[1].account), &other).expect(200);
    assert_eq!(sent_to(&host, old), [json!(account)]);
    host.api.delete(&format!("/v1/customers/{account}/contact")).expect(204);
    assert_eq!(sent_to(&host, old), [] as [Value; 0], "an erased contact is not searched by its numbers");
}
