//! Files while the host runs: imports, the province's own files, backups.
#![allow(clippy::unwrap_used, reason = "a test stops where it fails")]

mod support;

use axum::body::Body;
use axum::http::Request;
use gridbell_conductor::{Backups, Imports, MAX_IMPORT_BYTES};
use gridbell_server::{Conduct, Role};
use gridbell_state::DocChange;
use serde_json::{Value, json};
use support::{Answer, Desk, MAX_FILE, Stand, ended, stand, token};

const HEADER: &str = "户号,供电单位,户名,手机号\n";

async fn send(desk: &Desk, token: &str, method: &str, path: &str, media: &str, body: impl Into<Body>) -> Answer {
    keyed(desk, token, method, path, media, body, "").await
}

async fn keyed(
    desk: &Desk,
    token: &str,
    method: &str,
    path: &str,
    media: &str,
    body: impl Into<Body>,
    key: &str,
) -> Answer {
    let mut request = Request::builder().method(method).uri(path);
    request = request.header("authorization", format!("Bearer {token}")).header("content-type", media);
    if !key.is_empty() {
        request = request.header("idempotency-key", key);
    }
    desk.send(request.body(body.into()).unwrap()).await
}

fn counts(view: &Value) -> [u64; 6] {
    ["rows", "accepted", "created", "changed", "flagged", "rejected"].map(|k| view[k].as_u64().unwrap())
}

/// What lies in the directory of imports.
fn left(stand: &Stand) -> Vec<String> {
    let read = std::fs::read_dir(stand.files.path().join("imports"));
    let mut names: Vec<String> = read.map_or_else(
        |_| Vec::new(),
        |all| all.map(|e| e.unwrap().file_name().to_string_lossy().into_owned()).collect(),
    );
    names.sort();
    names
}

#[tokio::test]
async fn a_file_goes_in_while_the_host_runs_and_its_rejects_come_out_masked() {
    let stand = stand(8).await;
    let desk = Desk::of(&stand);
    let feed = token(&stand, Role::Feed, None).await;
    let text = format!(
        "{HEADER}0010000001,14010501,李敏,13900000001\n1.2E+12,14010501,王强,13900000002\n0010000003,14010501,赵云,1390000\n0010000004,14999999,孙三,13900000004\n"
    );
    let bytes = text.into_bytes();
    let path = "/v1/imports/customers?file=%E6%A1%A3%E6%A1%88.csv";
    let first = send(&desk, &feed, "POST", path, "text/csv", bytes.clone()).await;
    assert_eq!(first.status, 202, "{}", first.text);
    assert_eq!((first.json()["id"].as_str(), first.json()["file"].as_str()), (Some("I1"), Some("档案.csv")));
    ended(&stand, "I1").await;
    let done = desk.get(&feed, "/v1/imports/I1").await.json();
    assert_eq!(done["state"]["word"], "done", "{done}");
    assert_eq!((counts(&done), done["progress"].as_u64()), ([4, 2, 2, 0, 1, 2], Some(100)), "{done}");
    let codes: Vec<&str> = done["reasons"].as_array().unwrap().iter().map(|r| r["code"].as_str().unwrap()).collect();
    assert_eq!(codes, ["account-float", "unknown-station"]);
    assert_eq!(done["warnings"][0]["chinese"], "电话号码有误，已标记");
    let rejects = desk.get(&feed, "/v1/imports/I1/rejects").await;
    assert_eq!((rejects.status.as_u16(), rejects.header("content-type")), (200, "text/csv; charset=utf-8"));
    assert!(rejects.text.contains("account-float") && rejects.text.contains("unknown-station"), "{}", rejects.text);
    assert!(!rejects.text.contains("139000000"), "no number is shown: {}", rejects.text);
    assert_eq!(left(&stand), ["I1.rejects.csv"], "the file itself is gone when it was read");

    send(&desk, &feed, "POST", path, "text/csv", bytes).await;
    ended(&stand, "I2").await;
    let second = desk.get(&feed, "/v1/imports/I2").await.json();
    assert_eq!((counts(&second), second["unchanged"].as_u64()), ([4, 2, 0, 0, 1, 2], Some(2)), "{second}");
    let list = desk.get(&feed, "/v1/imports?limit=1").await.json();
    assert_eq!((list["items"][0]["id"].as_str(), list["next"].as_str()), (Some("I2"), Some("2")));
    assert_eq!(desk.get(&feed, "/v1/imports?limit=1&cursor=2").await.json()["items"][0]["id"], "I1");
    let log = stand.state.audit(1, 100).unwrap();
    let told: Vec<(&str, &str)> = log.iter().map(|e| (e.note.action.as_str(), e.note.subject.as_str())).collect();
    assert!(told.ends_with(&[("import.start", "I1"), ("import", "I1"), ("import.start", "I2"), ("import", "I2")]));
    assert!(log.iter().all(|e| !e.note.detail.contains("李敏") && !e.note.detail.contains("139000000")));
}

#[tokio::test]
async fn an_office_imports_its_own_customers_and_nobody_elses() {
    let stand = stand(8).await;
    let desk = Desk::of(&stand);
    let office = token(&stand, Role::CityOffice, Some(140_100)).await;
    // Account 3 belongs to Datong; the second row would move it, the third makes a customer there.
    let text = format!(
        "{HEADER}0010000001,14010501,李敏,13900000001\n0000000003,14010501,王强,13900000002\n0010000003,14021301,赵云,13900000003\n"
    );
    let path = "/v1/imports/customers";
    assert_eq!(send(&desk, &office, "POST", path, "text/csv", text).await.status, 202);
    let record = ended(&stand, "I1").await;
    assert_eq!((record.tally.created, record.tally.reasons.get("outside-scope")), (1, Some(&2)), "{record:?}");
    assert_eq!(stand.state.customer(support::account(3)).unwrap().1.station.0, 14_021_301, "it stays where it was");
    let bills = "户号,电费年月,应收金额,发行日期,违约金起算日\n0010000001,202611,12.00,2026-11-20,2026-12-10\n0000000003,202611,12.00,2026-11-20,2026-12-10\n0099999999,202611,12.00,2026-11-20,2026-12-10\n";
    assert_eq!(send(&desk, &office, "POST", "/v1/imports/bills", "text/csv", bills).await.status, 202);
    let record = ended(&stand, "I2").await;
    // Outside the scope an account is as unknown as one that is not there.
    assert_eq!((record.tally.accepted(), record.tally.reasons.get("unknown-account")), (1, Some(&2)), "{record:?}");
    // Another city does not see these imports, and a clerk none at all.
    let datong = token(&stand, Role::CityOffice, Some(140_200)).await;
    assert_eq!(desk.get(&datong, "/v1/imports").await.json()["items"], json!([]));
    assert_eq!(desk.get(&datong, "/v1/imports/I1/rejects").await.status, 404);
    let clerk = token(&stand, Role::Clerk, Some(140_100)).await;
    assert_eq!(send(&desk, &clerk, "POST", path, "text/csv", HEADER).await.status, 403);
}

#[tokio::test]
async fn what_is_no_file_or_too_large_leaves_nothing_behind() {
    let stand = stand(2).await;
    let desk = Desk::of(&stand);
    let feed = token(&stand, Role::Feed, None).await;
    let path = "/v1/imports/bills";
    let large = vec![b'x'; usize::try_from(MAX_FILE).unwrap() + 1];
    let silent = Body::from_stream(futures_util::stream::iter([Ok::<_, std::io::Error>(large.clone())]));
    for answer in [
        send(&desk, &feed, "POST", path, "text/csv", silent).await,
        keyed(&desk, &feed, "POST", path, "text/csv", large, "key").await,
    ] {
        assert_eq!((answer.status.as_u16(), answer.json()["code"].as_str()), (413, Some("too-large")));
        assert!(answer.text.contains("max-import-bytes"), "{}", answer.text);
    }
    assert_eq!(send(&desk, &feed, "POST", path, "text/csv", "").await.json()["errors"][0]["field"], "body");
    assert_eq!(send(&desk, &feed, "POST", path, "multipart/form-data; boundary=x", "--x").await.status, 415);
    let mapping = send(&desk, &feed, "POST", "/v1/imports/bills?mapping=%5Bbill%5D", "text/csv", "a").await;
    assert_eq!(mapping.json()["errors"][0]["field"], "mapping");
    let digits = send(&desk, &feed, "POST", "/v1/imports/bills?account_digits=9", "text/csv", "a").await;
    assert_eq!(digits.json()["errors"][0]["field"], "account_digits");
    assert!(left(&stand).is_empty(), "{:?}", left(&stand));
    // A file without the columns is told as a whole.
    assert_eq!(send(&desk, &feed, "POST", path, "text/csv", "甲,乙\n1,2\n").await.status, 202);
    let failed = ended(&stand, "I1").await;
    let view = desk.get(&feed, "/v1/imports/I1").await.json();
    assert_eq!(view["state"]["word"], "failed");
    assert!(failed.error.unwrap().contains("no column for"), "{view}");
}

#[tokio::test]
async fn one_key_imports_a_file_once() {
    let stand = stand(2).await;
    let desk = Desk::of(&stand);
    let feed = token(&stand, Role::Feed, None).await;
    let file = |n: u64| format!("{HEADER}001000000{n},14010501,李敏,13900000001\n");
    let path = "/v1/imports/customers";
    let first = keyed(&desk, &feed, "POST", path, "text/csv", file(1), "k").await;
    let again = keyed(&desk, &feed, "POST", path, "text/csv", file(1), "k").await;
    assert_eq!((first.json()["id"].as_str(), again.text.as_str()), (Some("I1"), first.text.as_str()));
    assert_eq!(again.header("idempotency-replayed"), "true");
    let other = keyed(&desk, &feed, "POST", path, "text/csv", file(2), "k").await;
    assert_eq!(other.json()["code"], "idempotency-reused");
    ended(&stand, "I1").await;
    assert_eq!(stand.imports().list().len(), 1);
}

#[tokio::test]
async fn an_import_that_was_cut_off_says_so_and_its_file_is_gone_at_the_next_start() {
    let stand = stand(2).await;
    let desk = Desk::of(&stand);
    let feed = token(&stand, Role::Feed, None).await;
    let file = format!("{HEADER}0010000001,14010501,李敏,13900000001\n");
    send(&desk, &feed, "POST", "/v1/imports/customers", "text/csv", file.clone()).await;
    let record = ended(&stand, "I1").await;
    // As a process leaves it that dies while the file is read: the document says running, and nobody runs it.
    let mut cut_off = serde_json::to_value(&record).unwrap();
    (cut_off["state"], cut_off["ended"]) = (json!("running"), Value::Null);
    let value = Some(cut_off.to_string().into_bytes());
    let doc = DocChange { kind: "import".into(), key: "0000000001".into(), value, expected: None };
    stand.state.put_docs(vec![doc], vec![]).await.unwrap();
    let imports = stand.files.path().join("imports");
    std::fs::write(imports.join("7-1.upload"), "half a file").unwrap();
    let next = Imports::open(stand.state.clone(), stand.clock.clone(), imports, MAX_IMPORT_BYTES);
    assert!(left(&stand).is_empty(), "{:?}", left(&stand));
    assert_eq!(next.list()[0].state.word(), "interrupted");
    let shown = desk.get(&feed, "/v1/imports/I1").await.json();
    assert_eq!(shown["state"]["word"], "interrupted");
    assert_eq!(desk.get(&feed, "/v1/imports/I1/rejects").await.status, 409);
    // The same file again changes nothing twice.
    send(&desk, &feed, "POST", "/v1/imports/customers", "text/csv", file.clone()).await;
    assert_eq!(ended(&stand, "I2").await.tally.unchanged, 1);
    // A host that closes takes what was received no further, and says so.
    stand.imports().close().await;
    send(&desk, &feed, "POST", "/v1/imports/customers", "text/csv", file).await;
    assert_eq!(ended(&stand, "I3").await.state.word(), "interrupted");
}

/// Another person agrees to what was proposed.
async fn agree(desk: &Desk, who: &str, proposed: &Value) {
    let path = format!("/v1/proposals/{}/approve", proposed["proposal"]);
    let agreed = desk.ask(who, "POST", &path, Some(json!({ "why": "同意" })), &[]).await;
    assert_eq!(agreed.json()["state"]["word"], "applied", "{}", agreed.text);
}

#[tokio::test]
async fn the_provinces_files_are_got_as_they_are_put_and_looked_at_first() {
    let stand = stand(2).await;
    let desk = Desk::of(&stand);
    let operator = token(&stand, Role::Operator, None).await;
    let approver = token(&stand, Role::Approver, None).await;
    let toml = "application/toml";
    for (path, file) in [
        ("/v1/rules", "policies/province.toml"),
        ("/v1/calendar", "policies/calendar.toml"),
        ("/v1/segments", "policies/segments.toml"),
    ] {
        assert_eq!(desk.get(&operator, path).await.status, 404, "{path}");
        let text = support::repo(file);
        let dry = send(&desk, &operator, "PUT", &format!("{path}?dry_run=true"), toml, text.clone()).await;
        assert_eq!((dry.status.as_u16(), dry.json()["applied"].as_bool()), (200, Some(false)), "{}", dry.text);
        assert!(!dry.json()["changes"].as_array().unwrap().is_empty(), "{path}");
        let put = send(&desk, &operator, "PUT", path, toml, text.clone()).await;
        if path == "/v1/rules" {
            // Limits are for two people of the province's.
            assert_eq!((put.status.as_u16(), put.header("etag")), (202, "\"0\""), "{}", put.text);
            agree(&desk, &approver, &put.json()).await;
        } else {
            assert_eq!((put.json()["applied"].as_bool(), put.header("etag")), (Some(true), "\"1\""), "{}", put.text);
        }
        let got = desk.get(&operator, path).await;
        assert_eq!((got.text.as_str(), got.header("etag")), (text.as_str(), "\"1\""));
        let again = send(&desk, &operator, "PUT", path, toml, text).await;
        assert_eq!((again.json()["changes"].clone(), again.header("etag")), (json!([]), "\"1\""));
        let bad = send(&desk, &operator, "PUT", &format!("{path}?document=neu.toml"), toml, "\n\nnonsense = [").await;
        let errors = bad.json()["errors"].to_string();
        assert_eq!(bad.status, 422, "{}", bad.text);
        assert!(errors.contains("line 3"), "{path}: {errors}");
        assert_eq!(send(&desk, &operator, "PUT", path, "application/json", "{}").await.status, 415);
    }
    let rules = support::repo("policies/province.toml").replace("hotline = \"95598\"", "hotline = \"95599\"");
    let changed = send(&desk, &operator, "PUT", "/v1/rules", toml, rules.clone()).await.json();
    assert_eq!(changed["changes"], json!([{ "path": "hotline", "label": "客服热线", "from": "95598", "to": "95599" }]));
    agree(&desk, &approver, &changed).await;
    let mut request = Request::builder().method("PUT").uri("/v1/rules").header("if-match", "\"1\"");
    request = request.header("authorization", format!("Bearer {operator}")).header("content-type", toml);
    let late = desk.send(request.body(Body::from(rules)).unwrap()).await;
    assert_eq!((late.status.as_u16(), late.json()["code"].as_str()), (412, Some("precondition-failed")));
    let log = stand.state.audit(1, 100).unwrap();
    let last = &log.last().unwrap().note;
    assert_eq!((last.action.as_str(), last.subject.as_str()), ("rules.apply", "province/rules"));
    assert!(last.detail.contains("95599"), "{}", last.detail);
}

#[tokio::test]
async fn the_org_tree_is_seen_by_scope_and_replaced_as_a_whole() {
    let stand = stand(2).await;
    let desk = Desk::of(&stand);
    let operator = token(&stand, Role::Operator, None).await;
    let clerk = token(&stand, Role::Clerk, Some(140_105)).await;
    let codes = |v: Value| -> Vec<u64> { v.as_array().unwrap().iter().map(|u| u["code"].as_u64().unwrap()).collect() };
    assert_eq!(codes(desk.get(&clerk, "/v1/org-units").await.json()), [140_105, 14_010_501, 14_010_502]);
    let mut units = desk.get(&operator, "/v1/org-units").await.json();
    assert_eq!(units.as_array().unwrap().len(), 12);
    let new = json!({ "code": 14_010_503, "parent": 140_105, "level": "station", "name": "新设所" });
    units.as_array_mut().unwrap().push(new);
    let path = "/v1/org-units";
    let ask = async |path: &str, units: &Value| desk.ask(&operator, "PUT", path, Some(units.clone()), &[]).await;
    let dry = ask("/v1/org-units?dry_run=true", &units).await.json();
    assert_eq!(
        (dry["applied"].as_bool(), dry["changes"][0]["path"].as_str()),
        (Some(false), Some("14010503")),
        "{dry}"
    );
    assert_eq!(ask(path, &units).await.json()["applied"], true);
    assert_eq!(codes(desk.get(&clerk, path).await.json()).len(), 4, "in force at once");
    units[3]["parent"] = json!(999_999);
    let wrong = ask(path, &units).await.json();
    assert_eq!(wrong["errors"][0]["field"], "units/3/parent", "{wrong}");
    assert_eq!(codes(desk.get(&clerk, path).await.json()).len(), 4, "a bad tree changes nothing");
}

#[tokio::test]
async fn a_backup_is_made_beside_the_work_and_without_a_directory_it_says_so() {
    let stand = stand(4).await;
    let desk = Desk::of(&stand);
    let operator = token(&stand, Role::Operator, None).await;
    let mut changed = stand.state.changed();
    let begun = desk.ask(&operator, "POST", "/v1/backups", None, &[]).await;
    assert_eq!((begun.status.as_u16(), begun.json()["writing"].as_bool()), (202, Some(true)), "{}", begun.text);
    let name = begun.json()["name"].as_str().unwrap().to_owned();
    // Its audit note is the last thing that it does.
    let noted = |s: &Stand| s.state.audit(1, 100).unwrap().iter().any(|e| e.note.subject == name);
    while !noted(&stand) {
        changed.changed().await.unwrap();
    }
    let list = desk.get(&operator, "/v1/backups").await.json();
    assert_eq!(
        (list["items"][0]["name"].as_str(), list["items"][0]["writing"].as_bool()),
        (Some(name.as_str()), Some(false))
    );
    let file = stand.files.path().join("backups").join(&name);
    let summary = gridbell_store::verify_backup(&mut std::fs::File::open(&file).unwrap()).unwrap();
    assert!(summary.records > 0);
    let at_once = gridbell_conductor::write_backup(&stand.state, &file).unwrap_err().to_string();
    assert!(at_once.contains("is there already"), "a backup is never overwritten: {at_once}");
    let mut bare = stand.clone();
    bare.backups = Backups::new(stand.state.clone(), None);
    let desk = Desk::of(&bare);
    for method in ["GET", "POST"] {
        let refused = desk.ask(&operator, method, "/v1/backups", None, &[]).await;
        assert_eq!(refused.status, 409, "{method}");
        assert!(refused.text.contains("`backups` in the configuration"), "{}", refused.text);
    }
}
