//! Understanding what left the online store: a run that went to the archives whole is told of with its decisions, the verdicts of the checks and the
//! messages' lives, and what no archive holds is named with the rule by which it went.

mod support;

use gridbell_tests::eventually;
use serde_json::{Value, json};
use support::{House, TAIYUAN, people, today};

const POLICY: &str = "arrears-reminder";

fn explain(house: &House, account: &str, more: &[&str]) -> Value {
    let said = house.run(&[&["policy", "explain", account, "--policy", POLICY, "--json"], more].concat());
    let all: Value = serde_json::from_str(said.lines().last().unwrap_or_default()).expect("JSON");
    all["policies"][0].clone()
}

fn fact<'a>(story: &'a Value, column: &str) -> &'a Value {
    let facts = story["facts"].as_array().expect("facts");
    &facts.iter().find(|f| f["column"] == column).unwrap_or_else(|| panic!("no {column}: {story}"))["value"]
}

#[test]
fn a_run_that_left_whole_is_told_from_the_archives_and_what_is_gone_is_named_with_its_rule() {
    let people = people(TAIYUAN, 4, 2);
    let house = House::with(&people);
    // Four of like runs stay for the guard of the run's reach, however old they are.
    let rules = std::fs::read_to_string(house.path("rules.toml")).expect("rules");
    let few = rules.replace("history = 14", "history = 1").replace("least_history = 3", "least_history = 1");
    house.write("few.toml", few);
    house.run(&["policy", "rules", &house.text("few.toml")]);
    let mut host = house.serve(&house.token("ops", "operator"));
    let run = host.run(TAIYUAN, POLICY);
    assert_eq!(run["queued"], 2, "{run}");
    let minute = support::now().to_string();
    let delivered = |n: usize| {
        let message = host.message(&people[n].account)?;
        (message["state"]["word"] == "delivered").then_some(())
    };
    (0..2).for_each(|n| eventually("a delivered message", || delivered(n)));
    eventually("the next minute", || (support::now().to_string() > minute).then_some(()));
    (0..6).for_each(|_| assert_eq!(host.run(TAIYUAN, POLICY)["queued"], 0));
    assert_eq!(host.process.terminate().code(), Some(0));
    house.run(&["archive", "run", "--before", &today().plus_days(1).to_string()]);

    let story = explain(&house, &people[0].account, &["--at", &minute]);
    assert_eq!((&story["run"]["id"], &story["run"]["source"]), (&run["run"], &json!("archive 1")), "{story}");
    assert_eq!(
        (&story["run"]["status"], &story["run"]["plugin"]),
        (&json!("published"), &json!("arrears-reminder 0.1.0"))
    );
    assert_eq!(story["run"]["parameters"]["steps"], json!([7]), "{story}");
    let decision = &story["decisions"][0];
    assert_eq!((fact(decision, "arrears"), &decision["message"]["state"]), (&1_000.into(), &"delivered".into()));
    assert!(decision["checks"].as_array().is_some_and(|c| c.iter().any(|c| c["verdict"] == "passed")), "{story}");
    assert!(decision["message"]["steps"].to_string().contains("状态报告"), "{story}");
    assert!(story["not_kept"].to_string().contains("[retention_days] run = 366"), "{story}");
    // Of who was not chosen nothing was archived.
    let silent = explain(&house, &people[3].account, &["--at", &minute]);
    assert_eq!((&silent["decisions"], &silent["run"]), (&json!([]), &Value::Null), "{silent}");
    assert!(silent["not_kept"].to_string().contains("[retention_days] run = 366"), "{silent}");
    let said = house.run(&["policy", "explain", &people[3].account, "--at", &minute, "--policy", POLICY]);
    assert!(said.contains("不再保留") && !said.contains("此前没有执行过"), "{said}");
}
