//! The life of an outage on the real host, by API and command line, with a kill after each step: what was answered is there afterwards, once.

mod support;

use serde_json::{Value, json};
use support::{Host, House, TAIYUAN, people, today};

const WHO: [&str; 2] = ["0010000000", "0010000001"];

fn outage(kind: &str) -> Value {
    let day = today().plus_days(9);
    json!({
        "prefecture": TAIYUAN, "kind": kind, "scope": { "customers": WHO }, "from": format!("{day}T08:00"), "until": format!("{day}T12:00"),
        "reason": "10kV城南线检修", "why": "年度检修计划",
    })
}

fn state(host: &Host, id: &str) -> (String, u64, u64) {
    let story = host.api.get(&format!("/v1/outages/{id}")).expect(200);
    let number = |value: &Value| value.as_u64().expect("a number");
    let phase = story["phase"]["word"].as_str().expect("a phase").to_owned();
    (phase, number(&story["latest"]["number"]), number(&story["customers"]))
}

#[test]
fn an_outage_lives_through_kills_from_draft_to_restoration() {
    let house = House::with(&people(TAIYUAN, 3, 0));
    let token = house.token("ops", "operator");
    let second = house.token("second", "approver");
    let mut host = house.serve(&token);
    let trial = host.api.post("/v1/outages?dry_run=true", &outage("planned")).expect(200);
    assert_eq!((&trial["outage"], &trial["customers"]), (&json!(""), &json!(2)));
    assert!(host.all("/v1/outages").is_empty(), "a trial enters nothing");
    let entered = host.api.post("/v1/outages", &outage("planned")).expect(201);
    let id = entered["outage"].as_str().expect("a number").to_owned();
    let path = |step: &str| format!("/v1/outages/{id}{step}");
    assert!(host.process.kill());

    let mut host = house.serve(&token);
    assert_eq!(state(&host, &id), ("draft".to_owned(), 1, 0));
    let refused = host.api.post(&path("/publish"), &json!({})).expect(409);
    assert!(refused["detail"].as_str().expect("why").contains("what can: edit, approve, cancel"), "{refused}");
    host.api.post(&path("/approve"), &json!({})).expect(403);
    let edited = json!({ "scope": { "customers": WHO }, "from": outage("")["from"], "until": outage("")["until"], "reason": "线路消缺" });
    host.api.put(&path(""), &edited).expect(200);
    let read = host.api.get(&path("")).header("etag").expect("an etag").to_owned();
    host.as_other(&second).post(&path("/approve"), &json!({})).expect(200);
    // What was read before the approval is not what is there now.
    let late =
        host.api.call("POST", &path("/publish"), &[("if-match", &read), ("content-type", "application/json")], b"{}");
    assert_eq!(late.status, 412, "{}", late.body);
    assert!(host.process.kill());

    let mut host = house.serve(&token);
    let said = house.ask(&host, &["outage", "publish", &id, "--dry-run"]);
    assert!(said.contains("试算") && said.contains("涉及 2 户，其中 2 户无电"), "{said}");
    assert_eq!(state(&host, &id).0, "approved");
    house.ask(&host, &["outage", "publish", &id]);
    assert!(host.process.kill());

    let mut host = house.serve(&token);
    assert_eq!(state(&host, &id), ("published".to_owned(), 1, 2));
    let later = format!("{}T14:00", today().plus_days(9));
    let said = house.ask(&host, &["outage", "change", &id, "--until", &later, "--why", "缺陷处理延长"]);
    assert!(said.contains("14:00"), "{said}");
    let short = host.api.post(
        &path("/change"),
        &json!({
            "from": format!("{}T08:00", today().plus_days(2)), "why": "提前检修",
            "short_notice": { "approved_by": "nobody", "why": "设备缺陷" },
        }),
    );
    assert_eq!(short.status, 422, "{}", short.body);
    assert!(host.process.kill());

    let mut host = house.serve(&token);
    assert_eq!(state(&host, &id), ("published".to_owned(), 2, 2));
    let answer = house.ask(&host, &["outage", "answer", WHO[0]]);
    assert!(answer.contains("计划停电（线路消缺）") && answer.contains("有变更：延迟送电"), "{answer}");
    assert!(house.ask(&host, &["outage", "answer", "0010000002"]).contains("没有查询到"));
    host.api.post(&path("/begin"), &json!({})).expect(422);
    let begun = support::now().plus_minutes(-3).to_string();
    let fault = json!({
        "prefecture": TAIYUAN, "kind": "fault", "scope": { "customers": WHO }, "from": begun, "reason": "电缆故障", "publish": true,
    });
    let fault = host.api.post("/v1/outages", &fault).expect(201)["outage"].as_str().expect("a number").to_owned();
    let part = house.ask(&host, &["outage", "restore", &fault, "--customer", WHO[0]]);
    assert!(part.contains("涉及 1 户"), "{part}");
    let report = host.api.post("/v1/fault-reports", &json!({ "account": WHO[1], "what": "电话13800001234" }));
    assert_eq!(report.status, 422, "{}", report.body);
    host.api.post("/v1/fault-reports", &json!({ "account": WHO[1], "what": "家里没电" })).expect(201);
    assert!(host.process.kill());

    let mut host = house.serve(&token);
    assert_eq!(state(&host, &fault), ("partly-restored".to_owned(), 2, 1));
    let reports = host.all("/v1/fault-reports");
    assert_eq!((reports.len(), &reports[0]["outage"]), (1, &json!(fault)));
    host.api.post(&path("/cancel"), &json!({ "why": "误登记" })).expect(200);
    assert!(host.process.kill());

    let mut host = house.serve(&token);
    assert_eq!(state(&host, &id), ("cancelled".to_owned(), 3, 0));
    let audit = host.all("/v1/audit");
    let steps: Vec<&str> =
        audit.iter().filter_map(|a| a["action"].as_str()).filter(|a| a.starts_with("outage.")).collect();
    assert_eq!(
        steps,
        [
            "outage.draft",
            "outage.edit",
            "outage.approve",
            "outage.publish",
            "outage.change",
            "outage.declare",
            "outage.restore-part",
            "outage.cancel"
        ],
        "each step once"
    );
    let audited = audit.iter().map(Value::to_string).collect::<String>();
    assert!(!audited.contains(WHO[0]), "an account is not the log's to tell");
    let shown = house.ask(&host, &["outage", "show", &id]);
    assert!(shown.contains("第2版") && shown.contains("缺陷处理延长") && shown.contains("下一步可做: 无"), "{shown}");
    let fault =
        ["outage", "draft", "--prefecture", "140100", "--kind", "fault", "--customer", WHO[0], "--reason", "电缆故障"];
    let said = house.ask(&host, &[&fault[..], &["--from", &begun, "--publish"]].concat());
    assert!(said.contains("停电中") && said.contains("待定"), "{said}");
    assert_eq!(house.ask(&host, &["outage", "list", "--phase", "open"]).lines().count(), 2);
    assert_eq!(host.process.terminate().code(), Some(0));
}
