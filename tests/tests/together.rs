//! Several accounts of one number on the real binary: told by one message, through kills while they are, and each explained by itself.

mod support;

use std::collections::BTreeMap;

use gridbell_simulators::cmpp::Faults;
use gridbell_tests::eventually;
use serde_json::Value;
use support::{COMMIT_GROUP, CONNECTIONS, Host, House, Person, TAIYUAN, WINDOW, people};

const NUMBERS: usize = 120;
/// Accounts of each number.
const EACH: usize = 3;
/// So slow that a kill catches part of a run.
const GRANT: u64 = 60;

/// Accounts that owe, of which `EACH` have one number; they lie far from each other, as a landlord's do.
fn landlords() -> Vec<Person> {
    let mut people = people(TAIYUAN, (NUMBERS * EACH) as u64, (NUMBERS * EACH) as u64);
    for n in NUMBERS..people.len() {
        people[n].phone = people[n % NUMBERS].phone.clone();
    }
    people
}

fn says(accounts: &[&Person]) -> String {
    let sum: i64 = accounts.iter().map(|p| p.owes_fen).sum();
    format!("本号码登记的{}户共有电费{}.{:02}元待缴", accounts.len(), sum / 100, sum % 100)
}

fn ended(host: &Host) {
    eventually("every message's end", || {
        let states = ["queued", "submitting", "submitted"].map(|s| format!("state=\"{s}\""));
        let left: f64 = states.iter().map(|s| host.metric("gridbell_outbox_messages", s)).sum();
        (left == 0.0).then_some(())
    });
}

#[test]
fn each_number_is_told_once_of_all_its_accounts_through_kills() {
    let people = landlords();
    let house = House::with(&people);
    let config = std::fs::read_to_string(house.path("gridbell.toml")).expect("a configuration");
    house.write("gridbell.toml", config.replace("grant = 0", &format!("grant = {GRANT}")));
    let faults = Faults { response_delay_ms: (0, 8), report_delay_ms: (0, 40), ..Faults::default() };
    house.gateway.set_faults(faults).expect("faults");
    let token = house.token("ops", "operator");
    let mut host = house.serve(&token);
    let run = host.run(TAIYUAN, "arrears-reminder");
    assert_eq!(run["queued"].as_u64(), Some((NUMBERS * EACH) as u64), "each account keeps its own message: {run}");
    let mut kills = 0;
    for parts in [10, 45, 80] {
        house.accepted(parts);
        assert!(host.process.kill(), "the host ended by itself");
        kills += 1;
        host = house.serve(&token);
    }
    ended(&host);

    let mut received: BTreeMap<String, Vec<String>> = BTreeMap::new();
    for entry in house.gateway.log() {
        received.entry(entry.destination).or_default().push(entry.text);
    }
    let mut marked = 0;
    for number in 0..NUMBERS {
        let accounts: Vec<&Person> = people.iter().skip(number).step_by(NUMBERS).collect();
        let got = received.remove(&accounts[0].phone).unwrap_or_default();
        let messages: Vec<Value> =
            accounts.iter().map(|p| host.message(&p.account).expect("a message of its own")).collect();
        assert!(messages.iter().all(|m| m["state"]["word"] == "delivered"), "{messages:?}");
        let maybe = messages.iter().filter(|m| m["maybe_twice"] == true).count();
        marked += maybe;
        // Whoever is told again after a kill is told the same, together.
        assert!(got.iter().all(|text| text.contains(&says(&accounts))), "{got:?}");
        assert!(got.len() == 1 || maybe == EACH, "told {} times, {maybe} marked: {messages:?}", got.len());
        let bearer = &messages[0]["together"]["bearer"];
        for (nth, message) in messages.iter().enumerate() {
            let together = &message["together"];
            assert_eq!((&together["bearer"], &together["accounts"]), (bearer, &Value::from(EACH)), "{message}");
            let cost = message["cost_milli_fen"].as_u64().expect("a cost");
            assert_eq!(cost > 0, message["id"] == *bearer, "paid with the one that left: {nth} {message}");
        }
    }
    assert!(received.is_empty(), "nobody else is told anything");
    let bound = kills * (WINDOW * CONNECTIONS + COMMIT_GROUP) as usize * EACH;
    assert!(marked <= bound, "{marked} are marked, {kills} kills can expose {bound}");
    println!("{NUMBERS} numbers of {EACH} accounts told, {marked} messages marked");
    looked_at(&house, &host, &people);
    assert_eq!(host.process.terminate().code(), Some(0));
}

/// What an office finds of one of them, whoever carried whom.
fn looked_at(house: &House, host: &Host, people: &[Person]) {
    for person in [&people[0], &people[NUMBERS]] {
        let path = format!("/v1/customers/{}/explain?policy=arrears-reminder", person.account);
        let story = host.api.get(&path).expect(200);
        let message = &story["policies"][0]["decisions"][0]["message"];
        assert_eq!(message["together"]["others"], EACH - 1, "{message}");
        let told = house.ask(host, &["policy", "explain", &person.account]);
        assert!(told.contains(&format!("与同一号码的另外 {} 户合并为一条发送", EACH - 1)), "{told}");
    }
}
