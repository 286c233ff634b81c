//! Daily reconciliation: the host's counts are the gateway's own, through a kill, and a carrier's bill is compared line by line.

mod support;

use gridbell_tests::eventually;
use serde_json::Value;
use support::{House, TAIYUAN, people, today};

const OWING: u64 = 80;

#[test]
fn the_hosts_counts_are_the_gateways_and_a_bill_that_differs_is_told() {
    let people = people(TAIYUAN, OWING + 10, OWING);
    let house = House::with(&people);
    let token = house.token("ops", "operator");
    let mut host = house.serve(&token);
    let run = host.run(TAIYUAN, "arrears-reminder");
    let parts = run["parts"].as_u64().expect("a number");
    eventually("every report", || {
        (host.metric("gridbell_outbox_messages", "state=\"delivered\"") == OWING as f64).then_some(())
    });
    assert!(host.process.kill(), "the host ended by itself");
    host = house.serve(&token);

    // Midnight may have passed meanwhile.
    let (yesterday, today) = (today().plus_days(-1).to_string(), today().to_string());
    let days = |differing: &str| -> Vec<Value> {
        let path = format!("/v1/reconciliation?from={yesterday}&to={today}&differing={differing}");
        host.all_of(&path)
    };
    let ours = days("false");
    let sum = |what: &str| ours.iter().map(|d| d[what].as_u64().expect("a number")).sum::<u64>();
    assert_eq!(sum("accepted"), house.gateway.log().len() as u64, "{ours:?}");
    assert_eq!((sum("accepted"), sum("delivered"), sum("failed"), sum("refused")), (parts, parts, 0, 0), "{ours:?}");
    assert_eq!(sum("cost_milli_fen"), run["cost_milli_fen"].as_u64().expect("a number"));
    assert!(days("true").is_empty(), "nobody entered the carrier's count");
    let shown = house.ask(&host, &["reconcile", "--from", &yesterday, "--to", &today]);
    assert!(shown.contains("对方数据未录入"), "{shown}");

    let day = &ours[0]["day"].as_str().expect("a day");
    let own = ours[0]["accepted"].as_u64().expect("a number");
    house.write("same.csv", format!("\u{feff}day,link,accepted,delivered\n{day},mobile,{own},\n"));
    let same = house.ask(&host, &["reconcile", "--import", &house.text("same.csv")]);
    assert!(same.contains("与对方一致（same.csv"), "{same}");
    let bill = format!(
        "day,link,accepted,delivered\n{day},mobile,{},{own}\nyesterday,mobile,1,1\n{day},mobile,many,1\n9999-01-01,mobile,1,1\n",
        own + 3
    );
    house.write("bill.csv", bill);
    let said = house.refuses(&host, &["reconcile", "--import", &house.text("bill.csv")]);
    for line in ["line 3: day:", "line 4: accepted: `many`", "line 5:", "3 lines were refused, 1 were entered"] {
        assert!(said.contains(line), "{line}: {said}");
    }
    let differing = days("true");
    assert_eq!(differing.len(), 1, "{differing:?}");
    let difference = &differing[0]["differences"];
    assert_eq!(difference.as_array().map(Vec::len), Some(1), "{difference}");
    assert_eq!((difference[0]["what"].as_str(), difference[0]["carrier"].as_u64()), (Some("accepted"), Some(own + 3)));
    let shown = house.ask(&host, &["reconcile", "--from", day, "--differing"]);
    assert!(shown.contains(&format!("差异 接收条数：本系统 {own}，对方 {}", own + 3)), "{shown}");
    house.write("odd.csv", "day,street\n");
    assert!(
        house.refuses(&host, &["reconcile", "--import", &house.text("odd.csv")]).contains("unknown columns `street`")
    );
}
