//! A pilot's samples: they go to the office's test numbers and tell no customer anything, whatever happens: a kill, a release, a rollback, a dead test
//! number, an opt-out word in answer to one.

mod support;

use std::collections::BTreeSet;

use gridbell_simulators::cmpp::{Faults, Mo};
use gridbell_tests::eventually;
use serde_json::{Value, json};
use support::deployed::{MUCH, NEW, POLICY, deploy, deployment, drained, house, path, phones, token};
use support::guest::Guest;
use support::{Host, House, Person, SP_ID, TAIYUAN, people};

const TEST_NUMBER: &str = "13912340001";
const OTHER_NUMBER: &str = "13912340002";
/// In front of every sample.
const MARK: &str = "【试点样张】";

/// `inside` of `all` customers are in the pilot's station; everybody owes.
fn office(all: u64, inside: u64) -> Vec<Person> {
    let mut people = people(TAIYUAN, all, all);
    people[(all - inside) as usize..].iter_mut().for_each(|p| p.station = 502);
    people
}

/// A version that tells nobody, or everybody.
fn tells(version: &str, everybody: bool) -> Guest {
    Guest::choosing(version, if everybody { 1 } else { MUCH }, MUCH, MUCH, 0)
}

fn pilot(stations: &[u32], numbers: &[&str]) -> Value {
    let stations: Vec<u32> = stations.iter().map(|s| TAIYUAN * 1_000 + s).collect();
    json!({ "mode": "pilot", "version": NEW, "stations": stations, "test_numbers": numbers })
}

fn stop(host: &Host) {
    host.api.post("/v1/stops", &json!({ "scope": "province", "why": "试验" })).expect(201);
}

fn lift(host: &Host) {
    assert_eq!(host.api.delete("/v1/stops/province").status, 204);
}

fn queued(host: &Host) -> f64 {
    host.metric("gridbell_outbox_messages", "state=\"queued\"")
}

/// Texts of the samples that the gateway took for `number`, each by its first part.
fn samples(house: &House, number: &str) -> Vec<String> {
    let first = house.gateway.log().into_iter().filter(|e| e.destination == number && e.pk_number <= 1);
    first.map(|e| e.text).filter(|text| text.contains(MARK)).collect()
}

/// Records of samples, as runs are listed.
fn records(host: &Host) -> Vec<Value> {
    host.all("/v1/runs").into_iter().filter(|r| r["samples"] == true).collect()
}

#[test]
fn samples_go_to_the_test_number_once_and_tell_no_customer() {
    // Sixty owe; the last twenty are in the pilot's station. The live version tells nobody yet, the pilot everybody.
    let people = office(60, 20);
    let house = house(&people, &tells("1.0.0", false), &[tells("1.1.0", true)], "");
    let token_of_ops = house.token("ops", "operator");
    let mut host = house.serve(&token_of_ops);
    let approver = token(&host, "approver", "approver");
    let landline = json!({ "change": pilot(&[502], &["03511234567"]), "why": "试验" });
    let wrong = host.api.post(&path(TAIYUAN, "deployment"), &landline);
    assert!((400..500).contains(&wrong.status) && !wrong.body.contains("03511234567"), "{}", wrong.body);
    deploy(&host, &approver, TAIYUAN, pilot(&[502], &[TEST_NUMBER]));
    assert_eq!(deployment(&host)["pilot"]["test_numbers"], json!(["139****0001"]));
    let seen = [host.all("/v1/audit"), host.all("/v1/proposals")].map(|all| Value::from(all).to_string());
    assert!(seen.iter().all(|s| s.contains("139****0001") && !s.contains(TEST_NUMBER)), "{seen:?}");

    // Published, and killed before anything is sent.
    stop(&host);
    host.run(TAIYUAN, POLICY);
    assert!(host.process.kill());
    host = house.serve(&token_of_ops);
    lift(&host);
    drained(&host);
    let sent = || samples(&house, TEST_NUMBER);
    assert_eq!(sent().len(), 20, "as many as a run may have, each once");
    assert_eq!(sent().into_iter().collect::<BTreeSet<_>>().len(), 20, "about twenty customers");
    let mut reached = house.reached();
    assert!(reached.remove(TEST_NUMBER));
    assert_eq!(reached, phones(&people[40..]), "nobody outside the pilot's station is told");
    assert!(people[..40].iter().all(|p| host.message(&p.account).is_none()), "nor was anything said to them");

    // What waits when the pilot ends is taken back.
    stop(&host);
    host.run(TAIYUAN, POLICY);
    assert_eq!(queued(&host), 20.0, "the pilot's own customers were told; samples are drawn anew");
    deploy(&host, &approver, TAIYUAN, json!({ "mode": "end-pilot" }));
    assert_eq!(queued(&host), 0.0);
    lift(&host);

    // Promoted, it tells those who were only sampled, and samples tell no one again.
    deploy(&host, &approver, TAIYUAN, json!({ "mode": "live", "version": NEW }));
    assert_eq!(host.run(TAIYUAN, POLICY)["queued"], 40);
    drained(&host);
    let mut reached = house.reached();
    assert!(reached.remove(TEST_NUMBER) && sent().len() == 20);
    assert_eq!(reached, phones(&people));
    let received = house.received();
    assert!(received.iter().all(|((to, _), times)| *times == 1 || to == TEST_NUMBER), "{received:?}");
}

#[test]
fn two_stations_two_numbers_and_a_rollback_that_counts_samples_apart() {
    // Forty are the live version's, fifty in the two stations of the pilot; both versions tell everybody.
    let mut people = office(90, 50);
    people[60..].iter_mut().for_each(|p| p.station = 503);
    let house = house_with_three_stations(&people);
    let host = house.serve(&house.token("ops", "operator"));
    let approver = token(&host, "approver", "approver");
    deploy(&host, &approver, TAIYUAN, pilot(&[502, 503], &[TEST_NUMBER, OTHER_NUMBER]));
    stop(&host);
    let run = host.run(TAIYUAN, POLICY);
    assert_eq!((&run["queued"], queued(&host)), (&json!(40), 110.0), "{run}");

    // In turn, and recognisable wherever a person looks.
    let live: BTreeSet<&str> = people[..40].iter().map(|p| p.account.as_str()).collect();
    let mut about = BTreeSet::new();
    for number in [TEST_NUMBER, OTHER_NUMBER] {
        let found = host.all_of(&format!("/v1/messages?phone={number}"));
        assert_eq!(found.len(), 10, "{found:?}");
        for sample in &found {
            assert_eq!(sample["sample"], true, "{sample}");
            assert!(sample["text"].as_str().is_some_and(|t| t.contains(MARK)), "{sample}");
            about.extend(sample["account"].as_str().map(str::to_owned));
        }
    }
    assert!(about.len() == 20 && about.iter().all(|a| live.contains(a.as_str())), "{about:?}");
    let account = about.first().expect("a sample");
    let own = host.all_of(&format!("/v1/messages?account={account}"));
    assert_eq!((own.len(), &own[0]["sample"]), (1, &json!(false)), "its own message is the live version's: {own:?}");
    let marked = records(&host);
    assert_eq!((marked.len(), &marked[0]["queued"], &marked[0]["scope"]), (1, &json!(20), &json!("pilot samples")));
    assert_eq!(host.all("/v1/runs").len(), 3, "the pilot's, the live version's, the samples");
    let at = support::now().to_string();
    let said = house.ask(&host, &["policy", "explain", account, "--policy", POLICY, "--at", &at]);
    let lines: Vec<&str> = said.lines().filter(|l| l.contains("试点样张 ")).collect();
    assert!(lines.len() == 1 && lines[0].contains("139****000") && lines[0].contains("没有收到"), "{said}");
    let watch = token(&host, "watch", "auditor");
    let story = watch.get(&format!("/v1/customers/{account}/explain?policy={POLICY}&at={at}")).expect(200);
    let sample = &story["policies"][0]["samples"][0];
    assert!(sample["id"].is_string() && sample.get("text").is_none(), "no text for who may not see it: {story}");
    let id = sample["id"].as_str().expect("an id");
    assert_eq!(host.api.get(&format!("/v1/messages/{id}")).expect(200)["sample"], true);
    let samples_of = marked[0]["id"].as_str().expect("an id");
    assert!(house.refuses(&host, &["run", "diff", samples_of, samples_of]).contains("samples"));

    let said = house.ask(&host, &["policy", "rollback", "140100", POLICY, "--why", "误发"]);
    assert!(said.contains("50 messages were taken back, 0 had left") && said.contains("20 samples"), "{said}");
    let done = &deployment(&host)["rollback"];
    assert_eq!((&done["recalled"], &done["left"], &done["samples"]), (&json!(50), &json!(0), &json!(20)), "{done}");
    assert_eq!(queued(&host), 40.0);
    lift(&host);
    drained(&host);
    assert_eq!(house.reached(), phones(&people[..40]), "the live version's were told, no sample left");
    assert_eq!(host.run(TAIYUAN, POLICY)["queued"], 50, "whom it was taken back from the live version tells");
    drained(&host);
    assert_eq!(house.reached(), phones(&people));
    assert!(house.received().values().all(|times| *times == 1), "{:?}", house.received());
    assert_eq!(records(&host).len(), 1, "no pilot, no samples");
}

#[test]
fn a_pilot_that_waits_for_a_release_has_no_samples_before() {
    // Five are the pilot's, more than a run of this policy may reach; the live version tells nobody.
    let people = office(45, 5);
    let house = house(&people, &tells("1.0.0", false), &[tells("1.1.0", true)], "ceiling = 3");
    let host = house.serve(&house.token("ops", "operator"));
    let approver = token(&host, "approver", "approver");
    deploy(&host, &approver, TAIYUAN, pilot(&[502], &[TEST_NUMBER]));
    host.run(TAIYUAN, POLICY);
    let waiting = host.all_of("/v1/runs?status=waiting");
    assert_eq!((waiting.len(), &waiting[0]["scope"]), (1, &json!("pilot")), "{waiting:?}");
    assert!(records(&host).is_empty() && queued(&host) == 0.0, "nothing goes for a run that a person has not seen");
    let id = waiting[0]["id"].as_str().expect("an id");
    approver.post(&format!("/v1/runs/{id}/release"), &json!({})).expect(200);
    drained(&host);
    assert_eq!((records(&host).len(), samples(&house, TEST_NUMBER).len()), (1, 20));
    let mut reached = house.reached();
    assert!(reached.remove(TEST_NUMBER));
    assert_eq!(reached, phones(&people[40..]));
}

#[test]
fn a_dead_test_number_is_an_alarm_and_its_opt_out_word_changes_nothing_also_after_the_pilot() {
    // The office's telephone is a customer's besides.
    let people = office(45, 5);
    let (telephone, account) = (people[0].phone.as_str(), people[0].account.as_str());
    let house = house(&people, &tells("1.0.0", false), &[tells("1.1.0", true)], "");
    let host = house.serve(&house.token("ops", "operator"));
    let approver = token(&host, "approver", "approver");
    deploy(&host, &approver, TAIYUAN, pilot(&[502], &[telephone]));
    host.run(TAIYUAN, POLICY);
    drained(&host);
    assert_eq!(samples(&house, telephone).len(), 20);
    let answers = |from: &str, word: &str, n: usize| {
        house.gateway.inject_mo(&Mo::new(SP_ID, from, "95598", word)).expect("an inbound message");
        let replies = eventually("the reply", || Some(host.all("/v1/inbound")).filter(|r| r.len() == n));
        replies.iter().find(|r| r["text"] == word).expect("the newest")["handled"].clone()
    };
    let customer = || host.api.get(&format!("/v1/customers/{account}")).expect(200);
    assert_eq!(answers(telephone, "TD", 1), "test-number");
    assert_eq!(customer()["preferences"], json!([]), "it was said about samples");

    // The carrier knows the number no more: the office is told, and nobody's contact is touched.
    house.gateway.set_faults(Faults { bad_number: 1.0, ..Faults::default() }).expect("faults");
    host.run(TAIYUAN, POLICY);
    let alarm = eventually("the alarm", || {
        let alarms = host.all_of("/v1/alarms");
        alarms.into_iter().find(|a| a["code"] == "pilot.test-number")
    });
    assert_eq!(alarm["subject"], format!("{TAIYUAN}/{POLICY}"), "{alarm}");
    assert!(alarm.to_string().contains("139****0000") && !alarm.to_string().contains(telephone), "{alarm}");
    drained(&host);
    assert_eq!(customer()["phone"]["class"], "mobile");
    house.gateway.set_faults(Faults::default()).expect("no faults");

    deploy(&host, &approver, TAIYUAN, json!({ "mode": "end-pilot" }));
    assert_eq!(answers(telephone, "退订", 2), "test-number", "people answer late");
    assert_eq!(answers(&people[1].phone, "QX", 3), "opt-out", "everybody else's word counts");
    assert_eq!(customer()["preferences"], json!([]));
    deploy(&host, &approver, TAIYUAN, json!({ "mode": "live", "version": NEW }));
    assert_eq!(host.run(TAIYUAN, POLICY)["queued"], 39, "all but the five who were told and the one who opted out");
    drained(&host);
    assert!(host.message(account).is_some_and(|m| m["sample"] == false && m["state"]["word"] == "delivered"));
}

/// A house whose prefecture has a third station.
fn house_with_three_stations(people: &[Person]) -> House {
    let versions = (tells("1.0.0", true), tells("1.1.0", true));
    support::deployed::house_on(people, &versions.0, &[versions.1], "", |org| {
        let units = org.as_array_mut().expect("units");
        let mut third = units.iter().find(|u| u["code"] == TAIYUAN * 1_000 + 502).expect("a station").clone();
        third["code"] = json!(TAIYUAN * 1_000 + 503);
        units.push(third);
    })
}
