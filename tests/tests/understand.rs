//! Understanding after, through the command line and the API: why a customer was told something or was not, a run done again after payments, a
//! kill, a checkpoint and an archive, and two runs beside each other.

mod support;

use gridbell_tests::eventually;
use serde_json::{Value, json};
use support::{House, TAIYUAN, people, policy, today};

const POLICY: &str = "arrears-reminder";

fn parsed(said: &str) -> Value {
    serde_json::from_str(said.lines().last().unwrap_or_default()).unwrap_or_else(|e| panic!("no JSON ({e}): {said}"))
}

fn replay(house: &House, run: &str) -> Value {
    parsed(&house.run(&["run", "replay", run, "--json"]))
}

fn explain(house: &House, account: &str, more: &[&str]) -> Value {
    let said = house.run(&[&["policy", "explain", account, "--policy", POLICY, "--json"], more].concat());
    parsed(&said)["policies"][0].clone()
}

fn fact<'a>(story: &'a Value, column: &str) -> &'a Value {
    let facts = story["facts"].as_array().expect("facts");
    &facts.iter().find(|f| f["column"] == column).unwrap_or_else(|| panic!("no {column}: {story}"))["value"]
}

#[test]
fn a_run_is_explained_and_done_again_after_everything_changed() {
    let people = people(TAIYUAN, 30, 20);
    let house = House::with(&people);
    let token = house.token("ops", "operator");
    let mut host = house.serve(&token);
    let run = host.run(TAIYUAN, POLICY);
    assert_eq!(run["queued"], 20, "{run}");
    let id = run["run"].as_str().expect("an id").to_owned();
    let delivered = |n: usize| {
        let message = host.message(&people[n].account)?;
        (message["state"]["word"] == "delivered").then_some(())
    };
    (0..20).for_each(|n| eventually("a delivered message", || delivered(n)));

    // The API tells the story to who may see it, and replays.
    let path = format!("/v1/customers/{}/explain", people[0].account);
    let story = host.api.get(&path).expect(200)["policies"][0].clone();
    assert_eq!(story["decisions"][0]["message"]["state"], "delivered", "{story}");
    assert!(story["decisions"][0]["message"]["text"].is_string(), "{story}");
    assert_eq!(story["present"]["chosen"], false, "it was said: {story}");
    let auditor = house_token(&host, "watch", "auditor");
    let masked = host.as_other(&auditor).get(&path).expect(200);
    assert!(!masked.to_string().contains(&people[0].phone) && masked.to_string().contains("139****0000"));
    assert!(masked["policies"][0]["decisions"][0]["message"].get("text").is_none(), "{masked}");
    assert_eq!(host.api.get(&format!("{path}?at=2999-01-01T00:00")).status, 422);
    assert_eq!(host.api.get(&format!("{path}?policy=nothing")).status, 404);
    assert_eq!(host.api.get("/v1/customers/9999999999/explain").status, 404);
    let at = format!("/v1/runs/{id}/replay");
    assert_eq!(host.api.get(&at).status, 404, "none was started");
    host.api.post(&at, &json!({})).expect(202);
    let done = eventually("a replay", || {
        let state = host.api.get(&at).expect(200);
        (state["state"] != "running").then_some(state)
    });
    assert_eq!((&done["report"]["same"], &done["report"]["proved"]), (&true.into(), &"everyone".into()), "{done}");
    assert_eq!((&done["report"]["decided"], &done["report"]["silent"]), (&20.into(), &10.into()), "{done}");
    // The command line asks the running host the same.
    assert!(house.ask(&host, &["run", "replay", &id]).contains("完全一致"));
    assert!(house.ask(&host, &["run", "diff", &id, &id]).contains("没有差异"));
    let told = house.ask(&host, &["policy", "explain", &people[0].account, "--policy", POLICY]);
    assert!(told.contains("依据") && told.contains("139****0000"), "{told}");

    // Payments, a number that is wrong; then the host is killed.
    let payments: Vec<Value> = (0..5)
        .map(|n| json!({ "account": people[n].account, "payment_id": format!("p{n}"), "amount_fen": 1_000, "paid_at": support::now().to_string() }))
        .collect();
    host.api.post("/v1/payments", &json!({ "rows": payments })).expect(200);
    assert!(host.process.kill());
    let again = replay(&house, &id);
    assert_eq!((&again["same"], &again["proved"]), (&true.into(), &"everyone".into()), "{again}");
    assert!(house.run(&["run", "replay", &id]).contains("完全一致"));

    // What is told is what was true then, not now.
    let minute = support::now().to_string();
    let story = explain(&house, &people[0].account, &["--at", &minute]);
    assert_eq!(fact(&story["decisions"][0], "arrears"), 1_000, "{story}");
    let silent = explain(&house, &people[25].account, &["--at", &minute, "--rebuild"]);
    assert_eq!((&silent["silence"]["asked"], &silent["decisions"]), (&"then".into(), &json!([])), "{silent}");
    assert!(house.run(&["policy", "explain", &people[0].account]).contains("依据"));
    assert!(house.run(&["audit", "list"]).contains("policy.explain"));

    eventually("the next minute", || (support::now().to_string() > minute).then_some(()));
    // Ten more owe, and a policy that may not reach so many: the run waits. A checkpoint and the archives come in between.
    house.write(&format!("{TAIYUAN}.toml"), policy(TAIYUAN, "arrears-reminder", "ceiling = 3"));
    house.run(&["policy", "apply", &house.text(&format!("{TAIYUAN}.toml"))]);
    let mut more = people.clone();
    more[20..].iter_mut().for_each(|p| p.owes_fen = 7_700);
    house.files(&more);
    house.run(&["import", "bills", &house.text("bills.csv")]);
    let waiting = parsed(&house.run(&["run", POLICY, "--prefecture", "140100", "--yes", "--json"]));
    assert!(waiting["status"].to_string().contains("waiting"), "{waiting}");
    let second = waiting["run"].as_str().expect("an id").to_owned();
    let diff = parsed(&house.run(&["run", "diff", &id, &second, "--json"]));
    assert_eq!((&diff["only_a"], &diff["only_b"], &diff["same"]), (&20.into(), &0.into(), &false.into()), "{diff}");
    assert!(house.run(&["run", "diff", &id, &id]).contains("没有差异"));
    house.run(&["archive", "run", "--before", &today().plus_days(1).to_string()]);
    let files = || std::fs::read_dir(house.path("data/history")).map_or(0, Iterator::count);
    assert!(files() > 0, "the checkpoint put the journal into the history");
    let again = replay(&house, &second);
    assert_eq!((&again["same"], &again["proved"]), (&true.into(), &"everyone".into()), "{again}");
    // The first run's decisions left: the same command tells its story from the archives, with what the plugin saw.
    let story = explain(&house, &people[1].account, &["--at", &minute]);
    let decision = &story["decisions"][0];
    assert_eq!(decision["source"], "archive 1", "{story}");
    assert_eq!(
        (fact(decision, "arrears"), &decision["message"]["state"]),
        (&1_001.into(), &"delivered".into()),
        "{story}"
    );
    assert!(house.fails(1, &["run", "replay", &id]).contains("left for the archives"));

    // Without its history a run is proved as far as it can be, and that is said.
    std::fs::remove_dir_all(house.path("data/history")).expect("removed");
    let partly = replay(&house, &second);
    assert_eq!((&partly["same"], &partly["proved"], &partly["silent"]), (&true.into(), &"decided".into(), &0.into()));
    assert!(partly["why"].as_str().is_some_and(|w| w.contains("history")), "{partly}");
    assert!(house.fails(1, &["run", "replay", "R999"]).contains("R999"));
    assert!(house.fails(2, &["run"]).contains("<POLICY>"), "without a policy it is no run");
}

fn house_token(host: &support::Host, name: &str, role: &str) -> String {
    let body = json!({ "name": name, "role": role, "scope": null, "days": 1 });
    let made = host.api.post("/v1/tokens", &body).expect(201);
    made["token"].as_str().expect("a token").to_owned()
}
