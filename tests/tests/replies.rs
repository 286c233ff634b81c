//! What customers answer: a wrong number is suspended for the one account that it was told of and becomes a work order, words subscribe, questions are
//! answered once, sentences wait for a person; all of it there again after a kill.

mod support;

use gridbell_simulators::cmpp::Mo;
use gridbell_tests::eventually;
use serde_json::{Value, json};
use support::{Host, House, SP_ID, TAIYUAN, people, today};

const OWING: u64 = 10;

#[test]
fn a_wrong_number_is_suspended_once_and_its_work_order_closes_with_the_archive() {
    let mut people = people(TAIYUAN, OWING + 5, OWING);
    // A second account of the first number, which is told nothing.
    people[OWING as usize].phone = people[0].phone.clone();
    let house = House::with(&people);
    let token = house.token("ops", "operator");
    let mut host = house.serve(&token);
    assert_eq!(host.run(TAIYUAN, "arrears-reminder")["queued"], OWING);
    house.accepted(OWING);

    let mut replies = 0;
    let mut reply = |host: &Host, from: usize, text: &str| -> Value {
        house.gateway.inject_mo(&Mo::new(SP_ID, &people[from].phone, "95598", text)).expect("an inbound message");
        replies += 1;
        eventually("the reply", || host.all_of("/v1/inbound").into_iter().find(|m| m["number"] == replies))
    };
    assert_eq!(reply(&host, 0, "不是本人！")["handled"], "wrong-number");
    assert_eq!(reply(&host, 0, "发错了")["handled"], "wrong-number", "said again");
    assert_eq!(reply(&host, 1, " 错号 ")["handled"], "wrong-number");
    assert_eq!(reply(&host, 2, "是不是本人来缴？")["handled"], "inbox");
    assert_eq!(reply(&host, 3, "订阅账单")["handled"], "subscribe");
    assert_eq!(reply(&host, 4, "ＤＹＴＤ")["handled"], "subscribe");

    for _ in 0..2 {
        let customer = |n: usize| host.api.get(&format!("/v1/customers/{}", people[n].account)).expect(200);
        let suspended = [0, 1, 2, OWING as usize].map(|n| customer(n)["phone"]["suspended"] == true);
        assert_eq!(suspended, [true, true, false, false], "only the account that was told");
        let open = host.all_of("/v1/work-orders");
        let accounts: Vec<_> = open.iter().map(|o| o["account"].as_str().expect("an account")).collect();
        assert_eq!(accounts, [people[1].account.as_str(), &people[0].account], "{open:?}");
        let phone = open[1]["phone"].as_str().expect("a number");
        assert!(phone.contains("****") && !phone.contains(&people[0].phone), "{phone}");
        assert!(open[0]["due"].as_str() > open[0]["opened"].as_str().map(|at| &at[..10]), "{open:?}");
        assert!(host.all_of("/v1/work-orders?overdue=true").is_empty());
        let has = |n: usize, list: &str, word: &str| {
            customer(n)[list].as_array().is_some_and(|l| l.iter().any(|t| t == word || t["word"] == word))
        };
        assert!(has(3, "traits", "subscribes-bill"), "{}", customer(3));
        // A reply is in the list once it is durable, a moment before what it changes is visible.
        eventually("the last subscription", || has(4, "preferences", "subscribes-outage").then_some(()));
        assert!(host.process.kill(), "the host ended by itself");
        host = house.serve(&token);
    }

    let patch =
        |n: usize, body: Value| host.api.patch(&format!("/v1/customers/{}", people[n].account), &body).expect(200);
    patch(0, json!({ "phone": "13700000001", "contact_source": "hotline" }));
    patch(1, json!({ "suspended": false }));
    assert!(host.all_of("/v1/work-orders").is_empty());
    let all = host.all_of("/v1/work-orders?all=true");
    let states: Vec<_> = all.iter().map(|o| o["state"].as_str().expect("a word")).collect();
    assert_eq!(states, ["confirmed", "corrected"], "{all:?}");
    let elsewhere = json!({ "name": "datong", "person": "datong", "role": "city-office", "scope": 140_200, "days": 1 });
    let elsewhere = host.api.post("/v1/tokens", &elsewhere).expect(201);
    let theirs = host.as_other(elsewhere["token"].as_str().expect("a token"));
    assert_eq!(theirs.get("/v1/work-orders?all=true").expect(200)["items"], json!([]), "another city's");
}

#[test]
fn a_question_is_answered_once_whenever_the_host_is_killed() {
    let people = people(TAIYUAN, 4, 1);
    let house = House::with(&people);
    let token = house.token("ops", "operator");
    let mut host = house.serve(&token);
    let customer = |n: usize| format!("/v1/customers/{}", people[n].account);
    let verified = json!({ "phone": people[0].phone, "contact_source": "counter", "verified": today().to_string() });
    host.api.patch(&customer(0), &verified).expect(200);

    let asked = [(0, "查询余额", "balance"), (1, "余额", "balance"), (2, "？", "help"), (3, "停电", "outage")];
    for (n, (from, text, handled)) in (1..).zip(asked) {
        house.gateway.inject_mo(&Mo::new(SP_ID, &people[from].phone, "95598", text)).expect("an inbound message");
        let find = || host.all_of("/v1/inbound").into_iter().find(|m| m["number"] == n);
        let kept = eventually("the question", find);
        assert_eq!((&kept["handled"], &kept["answer"]), (&json!(handled), &json!("due")), "{kept}");
        // Between question and answer, or between the answer and its way out: whichever it is this time.
        assert!(host.process.kill(), "the host ended by itself");
        host = house.serve(&token);
    }
    let answers = |host: &Host, from: usize| host.all_of(&format!("/v1/messages?account={}", people[from].account));
    for (from, ..) in asked {
        eventually("the answer's report", || {
            answers(&host, from).first().filter(|m| m["state"]["word"] == "delivered").cloned()
        });
    }
    assert!(host.process.kill(), "the host ended by itself");
    host = house.serve(&token);
    let texts: Vec<String> = asked
        .iter()
        .map(|(from, ..)| {
            let told = answers(&host, *from);
            assert_eq!(told.len(), 1, "{told:?}");
            assert_eq!(
                (&told[0]["topic"]["word"], &told[0]["initiator"]),
                (&json!("answer"), &json!("system")),
                "{told:?}"
            );
            let times = house.received().into_iter().filter(|((to, _), _)| *to == people[*from].phone).map(|(_, n)| n);
            assert!(times.max() == Some(1) || told[0]["maybe_twice"] == true, "{told:?}");
            told[0]["text"].as_str().expect("a text").to_owned()
        })
        .collect();
    let tail = |n: usize| &people[n].account[people[n].account.len() - 4..];
    assert!(texts[0].contains(tail(0)) && texts[0].contains("截至"), "{}", texts[0]);
    assert!(texts[1].contains("尚未核实") && !texts[1].contains(tail(1)), "{}", texts[1]);
    assert!(texts[2].contains("退订") && texts[3].contains("未查询到"), "{texts:?}");

    let set = ["preferences", &people[1].account, "--set", "service-sms=off", "--source", "counter"];
    assert!(house.ask(&host, &set).contains("法定通知不能退订"));
    let kept = host.api.get(&format!("{}/preferences", customer(1))).expect(200);
    let said =
        kept["items"].as_array().and_then(|items| items.iter().find(|i| i["preference"]["word"] == "service-sms"));
    assert!(
        said.is_some_and(|i| i["on"] == false && i["source"]["word"] == "counter" && i["at"].is_string()),
        "{kept}"
    );
    assert!(house.ask(&host, &["policy", "explain", &people[1].account, "--policy", "answers"]).contains("自动答复"));
}
