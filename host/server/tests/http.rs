//! The API's promises: idempotency, pages, problems, masking, bounds, the document; and the console's doors.
#![allow(clippy::unwrap_used, reason = "a test stops where it fails")]

mod support;

use std::sync::Arc;
use std::time::Duration;

use gridbell_model::{Initiator, OrgCode};
use gridbell_server::{MAX_BODY_BYTES, Role, RunOrder, Scope, Server, ServerOptions, bootstrap, create_user};
use serde_json::{Value, json};
use support::{Desk, Stand, TAIYUAN, deliver, stand, token};

const ACCOUNT: &str = "/v1/customers/0000000008";

fn order() -> RunOrder {
    RunOrder {
        prefecture: TAIYUAN,
        policy: "arrears-reminder".into(),
        orgs: vec![],
        sections: vec![],
        exclude: vec![],
        dry_run: false,
        who: "system".into(),
    }
}

fn payment(id: &str, fen: i64) -> Value {
    json!({ "rows": [{ "account": "0000000008", "payment_id": id, "amount_fen": fen, "paid_at": "2026-11-21T09:00" }] })
}

fn actions(stand: &Stand) -> Vec<(String, String, String)> {
    let log = stand.state.audit(1, 1_000).unwrap();
    assert!(stand.state.verify_audit().unwrap().is_ok());
    log.into_iter().map(|e| (e.note.who, e.note.action, e.note.subject)).collect()
}

#[tokio::test]
async fn the_same_key_gives_the_same_answer_and_changes_nothing_twice() {
    let stand = stand(20).await;
    let desk = Desk::of(&stand);
    let feed = token(&stand, Role::Feed, None).await;
    let key = [("idempotency-key", "k-1")];
    let first = desk.ask(&feed, "POST", "/v1/payments", Some(payment("p1", 100)), &key).await;
    assert_eq!((first.status.as_u16(), first.json()["changed"].as_u64()), (200, Some(1)), "{}", first.text);
    let seq = stand.state.seq();
    let again = desk.ask(&feed, "POST", "/v1/payments", Some(payment("p1", 100)), &key).await;
    assert_eq!((again.text.as_str(), again.header("idempotency-replayed")), (first.text.as_str(), "true"));
    assert_eq!(stand.state.seq(), seq, "nothing was told to the state");
    // Without the key the payment's own id still makes it count once.
    let bare = desk.ask(&feed, "POST", "/v1/payments", Some(payment("p1", 100)), &[]).await;
    assert_eq!(bare.json()["unchanged"], 1);
    let other = desk.ask(&feed, "POST", "/v1/payments", Some(payment("p2", 100)), &key).await;
    assert_eq!((other.status.as_u16(), other.json()["code"].as_str()), (422, Some("idempotency-reused")));
    // Another caller's key is another key.
    let operator = token(&stand, Role::Operator, None).await;
    let theirs = desk.ask(&operator, "POST", "/v1/payments", Some(payment("p2", 100)), &key).await;
    assert_eq!((theirs.status.as_u16(), theirs.header("idempotency-replayed")), (200, ""));
    stand.clock.advance(Duration::from_secs(25 * 3600));
    let expired = desk.ask(&feed, "POST", "/v1/payments", Some(payment("p3", 100)), &key).await;
    assert_eq!((expired.status.as_u16(), expired.header("idempotency-replayed")), (200, ""), "{}", expired.text);
}

#[tokio::test]
async fn two_requests_beside_each_other_with_one_key_are_worked_on_once() {
    let stand = stand(20).await;
    let desk = Desk::of(&stand);
    let feed = token(&stand, Role::Feed, None).await;
    let key = [("idempotency-key", "beside")];
    let ask = || desk.ask(&feed, "POST", "/v1/payments", Some(payment("p1", 100)), &key);
    let answers: [_; 4] = tokio::join!(ask(), ask(), ask(), ask()).into();
    let fresh = answers.iter().filter(|a| a.status == 200 && a.header("idempotency-replayed").is_empty()).count();
    assert_eq!(fresh, 1);
    for answer in answers.iter().filter(|a| a.status != 200) {
        assert_eq!((answer.status.as_u16(), answer.json()["code"].as_str()), (409, Some("idempotency-busy")));
    }
}

#[tokio::test]
async fn a_token_is_shown_once_and_never_replayed() {
    let stand = stand(4).await;
    let desk = Desk::of(&stand);
    let operator = token(&stand, Role::Operator, None).await;
    let body = json!({ "name": "billing", "role": "feed", "scope": 140100, "days": 30 });
    let key = [("idempotency-key", "t")];
    let made = desk.ask(&operator, "POST", "/v1/tokens", Some(body.clone()), &key).await;
    assert_eq!(made.status, 201);
    let text = made.json()["token"].as_str().unwrap().to_owned();
    let again = desk.ask(&operator, "POST", "/v1/tokens", Some(body), &key).await;
    assert_eq!((again.status.as_u16(), again.json()["code"].as_str()), (409, Some("idempotency-done")));
    let secret = text.rsplit('_').next().unwrap();
    for kind in ["token", "idempotency"] {
        for (key, doc) in stand.state.docs(kind) {
            assert!(!String::from_utf8_lossy(&doc.value).contains(secret), "{kind}/{key} holds the secret");
        }
    }
    assert_eq!(desk.get(&text, "/v1/me").await.json()["scope"]["name"], "太原");
    assert!(!desk.get(&operator, "/v1/tokens").await.text.contains(secret));
    stand.clock.advance(Duration::from_secs(31 * 86_400));
    assert_eq!(desk.get(&text, "/v1/me").await.status, 401, "expired");
}

#[tokio::test]
async fn pages_follow_each_other_without_gap_or_repetition() {
    let stand = stand(90).await;
    stand.run(order(), Initiator::System).await.unwrap();
    let desk = Desk::of(&stand);
    let operator = token(&stand, Role::Operator, None).await;
    for (list, key, total) in
        [("/v1/customers?", "account", 90), ("/v1/runs/R1/decisions?", "account", 45), ("/v1/audit?", "number", 1)]
    {
        let (mut seen, mut path) = (Vec::new(), format!("{list}limit=7"));
        loop {
            let page = desk.get(&operator, &path).await.json();
            let items = page["items"].as_array().unwrap();
            assert!(items.len() <= 7);
            seen.extend(items.iter().map(|i| i[key].to_string()));
            let Some(next) = page["next"].as_str() else { break };
            path = format!("{list}limit=7&cursor={next}");
        }
        let mut once = seen.clone();
        once.sort_unstable();
        once.dedup();
        assert_eq!((seen.len(), once.len()), (total, total), "{list}");
    }
    for bad in ["/v1/customers?limit=0", "/v1/customers?limit=501"] {
        assert_eq!(desk.get(&operator, bad).await.json()["errors"][0]["field"], "limit");
    }
    assert_eq!(desk.get(&operator, "/v1/customers?cursor=nonsense").await.status, 400);
}

#[tokio::test]
async fn problems_are_told_the_same_way_everywhere() {
    let stand = stand(20).await;
    let desk = Desk::of(&stand);
    let operator = token(&stand, Role::Operator, None).await;
    let json_type = [("content-type", "application/json")];
    let mut told = String::new();
    let wrong_bill = json!({ "rows": [{ "account": "0000000008", "period": 202613, "amount_fen": 1, "issued": "2026-11-21", "late_fee_from": "2026-11-28", "as_of": "2026-11-21" }, { "account": "1.2E+12" }] });
    let asks = [
        ("unknown route", desk.get(&operator, "/v1/nothing").await),
        ("wrong method", desk.ask(&operator, "DELETE", "/v1/customers", None, &[]).await),
        ("no media type", desk.ask(&operator, "POST", "/v1/bills", None, &[]).await),
        ("no json", desk.ask(&operator, "POST", "/v1/bills", None, &json_type).await),
        ("wrong rows", desk.ask(&operator, "POST", "/v1/bills", Some(wrong_bill), &[]).await),
        ("wrong parameter", desk.ask(&operator, "PATCH", "/v1/policies/140100/arrears-reminder/parameters", Some(json!({ "minimum": 0 })), &[]).await),
        ("wrong version", desk.ask(&operator, "PATCH", "/v1/policies/140100/arrears-reminder/parameters", Some(json!({ "minimum": 7 })), &[("if-match", "\"9\"")]).await),
        ("unknown field", desk.ask(&operator, "PATCH", ACCOUNT, Some(json!({ "nmae": "x" })), &[]).await),
        ("wrong kind", desk.ask(&operator, "POST", "/v1/runs", Some(json!({ "prefecture": "太原", "policy": "x" })), &[]).await),
        ("unmask without a reason", desk.get(&operator, &format!("{ACCOUNT}?unmask=true")).await),
        ("wrong template", desk.ask(&operator, "POST", "/v1/templates/preview", Some(json!({ "topic": "arrears-reminder", "notice": "reminder", "channel": "sms", "text": "{{ name }}" })), &[]).await),
    ];
    for (name, answer) in asks {
        assert_eq!(answer.header("content-type"), "application/problem+json", "{name}: {}", answer.text);
        assert!(!answer.header("x-request-id").is_empty());
        assert!(!answer.text.contains("u32") && !answer.text.contains("::"), "{name} names a type: {}", answer.text);
        told.push_str(&format!("--- {name}\n{}\n", serde_json::to_string_pretty(&answer.json()).unwrap()));
    }
    insta::assert_snapshot!("problems", told);
}

#[tokio::test]
async fn numbers_are_masked_until_somebody_says_why_and_then_it_is_written_down() {
    let stand = stand(20).await;
    stand.run(order(), Initiator::System).await.unwrap();
    deliver(&stand).await;
    support::reply(&stand, 8, "收到").await;
    let desk = Desk::of(&stand);
    let (agent, auditor) = (token(&stand, Role::Agent, None).await, token(&stand, Role::Auditor, None).await);
    let number = support::phone_of(8);
    for path in [
        ACCOUNT,
        "/v1/customers?org=140100",
        "/v1/messages?account=0000000008",
        "/v1/messages/140100-1",
        "/v1/inbound",
        "/metrics",
        "/v1/runs/R1/decisions",
    ] {
        let operator = token(&stand, Role::Operator, None).await;
        let answer = desk.get(&operator, path).await;
        assert_eq!(answer.status, 200, "{path}: {}", answer.text);
        assert!(!answer.text.contains(&number), "{path}");
    }
    assert_eq!(desk.get(&agent, ACCOUNT).await.json()["phone"]["number"], "139****0008");
    let path = format!("{ACCOUNT}?unmask=true&reason=95598");
    assert_eq!(desk.get(&auditor, &path).await.status, 403);
    let before = actions(&stand).len();
    let clear = desk.get(&agent, &path).await.json();
    assert_eq!((clear["phone"]["number"].as_str(), clear["name"].as_str()), (Some(number.as_str()), Some("李秀英")));
    let log = actions(&stand);
    assert_eq!(log.len(), before + 1);
    assert_eq!(log[before], ("token:t-agent-0".to_owned(), "customer.unmask".to_owned(), "0000000008".to_owned()));
    // The exact text is for those who may unmask; by phone it is the same message.
    let texts = |answer: &Value| answer["items"][0]["text"].as_str().map(str::to_owned);
    let by_phone = desk.get(&agent, &format!("/v1/messages?phone={number}")).await.json();
    assert!(texts(&by_phone).unwrap().contains("【国网山西电力】"));
    assert_eq!(texts(&desk.get(&auditor, "/v1/messages?account=0000000008").await.json()), None);
    // The audit log itself repeats neither name nor number.
    let log = desk.get(&auditor, "/v1/audit?limit=500").await.text;
    assert!(!log.contains(&number) && !log.contains("李秀英"));
}

#[tokio::test]
async fn one_customer_is_corrected_subscribed_exempted_and_erased() {
    let stand = stand(20).await;
    let desk = Desk::of(&stand);
    let office = token(&stand, Role::CityOffice, Some(140_100)).await;
    let patch = |body: Value| desk.ask(&office, "PATCH", ACCOUNT, Some(body), &[]);
    let corrected =
        patch(json!({ "phone": "139 0000 1111", "contact_source": "counter", "verified": "2026-11-20" })).await.json();
    assert_eq!(
        (corrected["phone"]["number"].as_str(), corrected["phone"]["verified"].as_str()),
        (Some("139****1111"), Some("2026-11-20"))
    );
    assert_eq!(
        patch(json!({ "phone": "10086", "contact_source": "counter" })).await.json()["errors"][0]["field"],
        "phone"
    );
    assert_eq!(patch(json!({ "traits": { "do-not-remind": true } })).await.json()["errors"][0]["field"], "reason");
    let exempt = patch(json!({ "traits": { "do-not-remind": true }, "reason": "保电" })).await.json();
    assert!(exempt["traits"].as_array().unwrap().contains(&json!("do-not-remind")));
    let clerk = token(&stand, Role::Clerk, Some(140_105)).await;
    let not_theirs =
        desk.ask(&clerk, "PATCH", ACCOUNT, Some(json!({ "traits": { "do-not-remind": false } })), &[]).await;
    assert_eq!(not_theirs.status, 403);
    let path = format!("{ACCOUNT}/preferences");
    let say = |body: Value| desk.ask(&clerk, "PUT", &path, Some(body), &[]);
    assert_eq!(say(json!({ "preferences": { "marketing": false } })).await.status, 422, "from where is to be said");
    let unknown = say(json!({ "source": "counter", "preferences": { "statutory": false } })).await.json();
    assert_eq!(unknown["errors"][0]["field"], "preferences/statutory");
    let wishes = json!({ "source": "counter", "preferences": { "bill-notice": true, "marketing": false } });
    let kept = say(wishes.clone()).await.json();
    let entry = |kept: &Value, word: &str| {
        let items = kept["items"].as_array().cloned().unwrap_or_default();
        items.into_iter().find(|i| i["preference"]["word"] == word).unwrap_or_default()
    };
    let (bill, marketing) = (entry(&kept, "bill-notice"), entry(&kept, "marketing"));
    assert_eq!((bill["on"].as_bool(), marketing["on"].as_bool()), (Some(true), Some(false)));
    assert_eq!((bill["source"]["word"].as_str(), bill["at"].is_string()), (Some("counter"), true), "{kept}");
    assert_eq!(entry(&kept, "service-sms")["source"], Value::Null, "nobody said anything of it");
    let answer = kept["answer"].as_str().unwrap();
    assert!(answer.contains("宣传类") && answer.contains("法定通知不能退订"), "{answer}");
    assert!(kept["cannot_stop"].as_array().unwrap().iter().any(|t| t["word"] == "cut-off"));
    assert_eq!(say(wishes).await.json(), kept, "said again it is the same");
    assert_eq!(desk.ask(&office, "DELETE", &format!("{ACCOUNT}/contact"), None, &[]).await.status, 204);
    let erased = desk.get(&office, ACCOUNT).await.json();
    assert_eq!((erased["phone"]["class"].as_str(), erased["name"].as_str()), (Some("none"), Some("")));
    assert_eq!(erased["arrears_fen"], 4_096, "what is owed stays");
    let done: Vec<String> =
        actions(&stand).into_iter().map(|(_, action, _)| action).filter(|a| a.starts_with("customer.")).collect();
    assert_eq!(done, ["customer.change", "customer.change", "customer.erase"]);
}

#[tokio::test]
async fn an_address_is_bound_masked_and_ended_with_its_source() {
    let stand = stand(20).await;
    let desk = Desk::of(&stand);
    let office = token(&stand, Role::CityOffice, Some(140_100)).await;
    let openid = "oLVPpjqs9BhvzwPj5A-vTYAX3GLc";
    let put = |channel: &str, body: Value| {
        let (desk, office, path) = (&desk, &office, format!("{ACCOUNT}/contacts/{channel}"));
        async move { desk.ask(office, "PUT", &path, Some(body), &[]).await }
    };
    assert_eq!(put("wechat", json!({ "id": openid, "app": "wx01", "source": "website" })).await.status, 200);
    assert_eq!(put("sms", json!({ "id": openid, "source": "website" })).await.json()["errors"][0]["field"], "channel");
    let refused = put("wechat", json!({ "id": "张三", "source": "website" })).await;
    assert_eq!(refused.json()["errors"][0]["field"], "id");
    assert!(!refused.text.contains("张三"));
    assert_eq!(put("wechat", json!({ "id": openid, "source": "friend" })).await.json()["errors"][0]["field"], "source");
    let path = format!("{ACCOUNT}/contacts");
    let shown = desk.get(&office, &path).await;
    assert!(!shown.text.contains(openid), "{}", shown.text);
    let item = shown.json()["items"][0].clone();
    assert_eq!(
        (&item["id"], &item["source"]["word"], &item["app"]),
        (&json!("oLV****GLc"), &json!("website"), &json!("wx01"))
    );
    let agent = token(&stand, Role::Agent, None).await;
    let clear = desk.get(&agent, &format!("{path}?unmask=true&reason=95598")).await.json();
    assert_eq!(clear["items"][0]["id"], openid);
    let ended = format!("{path}/wechat?source=platform");
    assert_eq!(desk.ask(&office, "DELETE", &ended, None, &[]).await.status, 204);
    assert_eq!(desk.get(&office, &path).await.json()["items"], json!([]));
    let done: Vec<String> =
        actions(&stand).into_iter().map(|(_, action, _)| action).filter(|a| a.starts_with("contact.")).collect();
    assert_eq!(done, ["contact.bind", "contact.unmask", "contact.unbind"]);
}

#[tokio::test]
async fn bodies_are_bounded_whether_announced_or_not() {
    let stand = stand(4).await;
    let desk = Desk::of(&stand);
    let feed = token(&stand, Role::Feed, None).await;
    let large = json!({ "rows": [], "pad": "x".repeat(MAX_BODY_BYTES) });
    let announced =
        desk.ask(&feed, "POST", "/v1/payments", Some(large.clone()), &[("content-length", "99999999")]).await;
    let silent = desk.ask(&feed, "POST", "/v1/payments", Some(large.clone()), &[]).await;
    let keyed = desk.ask(&feed, "POST", "/v1/payments", Some(large), &[("idempotency-key", "large")]).await;
    for answer in [announced, silent, keyed] {
        assert_eq!((answer.status.as_u16(), answer.json()["code"].as_str()), (413, Some("too-large")));
    }
    let many: Vec<Value> = (0..1_001).map(|n| payment(&format!("p{n}"), 1)["rows"][0].clone()).collect();
    let refused = desk.ask(&feed, "POST", "/v1/payments", Some(json!({ "rows": many })), &[]).await;
    assert_eq!(refused.json()["errors"][0]["field"], "rows");
}

#[tokio::test]
async fn parameters_change_with_a_difference_and_only_from_the_version_that_was_read() {
    let stand = stand(4).await;
    let desk = Desk::of(&stand);
    let office = token(&stand, Role::CityOffice, Some(140_100)).await;
    let path = "/v1/policies/140100/arrears-reminder/parameters";
    let etag = desk.get(&office, "/v1/policies/140100").await.header("etag").to_owned();
    let dry = desk
        .ask(&office, "PATCH", &format!("{path}?dry_run=true"), Some(json!({ "minimum": 500 })), &[("if-match", &etag)])
        .await
        .json();
    assert_eq!((dry["applied"].as_bool(), dry["changes"][0]["to"].as_str()), (Some(false), Some("500")));
    let proposed = desk.ask(&office, "PATCH", path, Some(json!({ "minimum": 500 })), &[("if-match", &etag)]).await;
    assert_eq!((proposed.status.as_u16(), proposed.json()["applied"].as_bool()), (202, Some(false)));
    assert_eq!(proposed.header("etag"), etag, "nothing is in force yet");
    let approve = format!("/v1/proposals/{}/approve", proposed.json()["proposal"]);
    let why = || Some(json!({ "why": "同意" }));
    assert_eq!(desk.ask(&office, "POST", &approve, why(), &[]).await.status, 403, "nobody agrees with himself");
    let second = token(&stand, Role::Approver, Some(140_100)).await;
    assert_eq!(desk.ask(&second, "POST", &approve, why(), &[]).await.json()["state"]["word"], "applied");
    assert_ne!(desk.get(&office, "/v1/policies/140100").await.header("etag"), etag);
    let late = desk.ask(&office, "PATCH", path, Some(json!({ "minimum": 600 })), &[("if-match", &etag)]).await;
    assert_eq!((late.status.as_u16(), late.json()["code"].as_str()), (412, Some("precondition-failed")));
    let file = json!({ "document": "t.toml", "text": "prefecture = 140100\nname = 3" });
    let wrong = desk.ask(&office, "PUT", "/v1/policies/140100", Some(file), &[]).await;
    assert_eq!(wrong.status, 422);
    assert!(wrong.text.contains("2:8"), "names line and column: {}", wrong.text);
}

#[tokio::test]
async fn statistics_add_up_and_open_in_a_spreadsheet() {
    let stand = stand(90).await;
    stand.run(order(), Initiator::System).await.unwrap();
    deliver(&stand).await;
    let desk = Desk::of(&stand);
    let operator = token(&stand, Role::Operator, None).await;
    let sum = |page: &Value, field: &str| {
        page["items"].as_array().unwrap().iter().map(|l| l[field].as_u64().unwrap()).sum::<u64>()
    };
    let by_city = desk.get(&operator, "/v1/statistics").await.json();
    let by_station = desk.get(&operator, "/v1/statistics?level=station").await.json();
    let run = desk.get(&operator, "/v1/runs/R1").await.json();
    assert_eq!(
        (sum(&by_city, "queued"), sum(&by_station, "queued")),
        (run["queued"].as_u64().unwrap(), run["queued"].as_u64().unwrap())
    );
    assert!(by_station["items"].as_array().unwrap().len() > by_city["items"].as_array().unwrap().len());
    let csv = desk.get(&operator, "/v1/statistics?format=csv").await;
    assert!(csv.text.starts_with("\u{feff}日期,单位编码"), "{}", csv.text);
    assert_eq!(csv.text.lines().count(), 1 + by_city["items"].as_array().unwrap().len());
    assert_eq!(
        desk.get(&operator, "/v1/statistics?from=2026-01-01&to=2027-06-01").await.json()["errors"][0]["field"],
        "to"
    );
}

#[tokio::test]
async fn health_and_metrics_say_how_it_stands() {
    let stand = stand(20).await;
    let desk = Desk::of(&stand);
    desk.get("", ACCOUNT).await;
    assert_eq!(
        (desk.get("", "/healthz").await.status.as_u16(), desk.get("", "/readyz").await.status.as_u16()),
        (200, 200)
    );
    *stand.not_ready.lock() = Some("the province's rules are missing".into());
    assert_eq!(desk.get("", "/readyz").await.status, 503);
    let metrics = desk.get("", "/metrics").await.text;
    assert!(metrics.contains("gridbell_customers{prefecture=\"140100\"} 15"), "{metrics}");
    assert!(
        metrics.contains("route=\"/v1/customers/{account}\",status=\"401\"") && !metrics.contains("0000000008"),
        "routes, never paths"
    );
    for line in metrics.lines().filter(|l| !l.starts_with('#')) {
        let (name, value) = line.rsplit_once(' ').unwrap();
        assert!(name.starts_with("gridbell_") && value.parse::<f64>().is_ok(), "{line}");
    }
}

#[test]
fn the_document_is_as_reviewed() {
    insta::assert_snapshot!("openapi", gridbell_server::openapi().unwrap());
}

async fn with_users(customers: u64) -> (Stand, Desk) {
    let stand = stand(customers).await;
    for (name, role, scope) in [
        ("boss", Role::Operator, Scope::All),
        ("approver", Role::Approver, Scope::All),
        ("agent", Role::Agent, Scope::Unit(OrgCode(140_100))),
    ] {
        create_user(&stand.state, name, "某人", role, scope, "correct horse").await.unwrap();
    }
    let desk = Desk::of(&stand);
    (stand, desk)
}

#[tokio::test]
async fn the_console_opens_for_whoever_knows_the_password_and_shows_what_the_role_may_see() {
    let (stand, desk) = with_users(40).await;
    stand.run(order(), Initiator::System).await.unwrap();
    for path in ["/", "/runs", "/stops", "/lookup?q=0000000008"] {
        let answer = desk.page("", path).await;
        assert_eq!((answer.status.as_u16(), answer.header("location")), (303, "/signin"), "{path}");
    }
    let (boss, _) = desk.sign_in("boss", "correct horse").await;
    let pages = [
        "/",
        "/lookup",
        "/lookup?q=0000000008",
        "/runs",
        "/runs/R1",
        "/run",
        "/templates",
        "/templates/edit?topic=arrears-reminder&notice=reminder&channel=sms",
        "/policies",
        "/policies/140100/arrears-reminder",
        "/stops",
        "/statistics",
    ];
    for path in pages {
        let answer = desk.page(&boss, path).await;
        assert_eq!(answer.status, 200, "{path}: {}", answer.text);
        assert!(answer.header("content-security-policy").contains("default-src 'none'"));
        assert!(
            !answer.text.contains("style=\"") && !answer.text.contains("<script>"),
            "{path} would break its own policy"
        );
        assert!(!answer.text.contains(&support::phone_of(8)), "{path}");
    }
    let found = desk.page(&boss, &format!("/lookup?q={}", support::phone_of(8))).await;
    assert!(found.text.contains("户号 0000000008") && found.text.contains("发往 139****0008"));
    let (agent, _) = desk.sign_in("agent", "correct horse").await;
    assert_eq!(desk.page(&agent, "/").await.header("location"), "/lookup");
    let refused = desk.page(&agent, "/runs").await;
    assert_eq!(refused.status, 403);
    assert!(refused.text.contains("您的角色无权执行此操作") && refused.text.contains("<nav"));
    // Account 3 belongs to Datong.
    assert!(desk.page(&agent, "/lookup?q=0000000003").await.text.contains("没有查到"));
}

#[tokio::test]
async fn a_form_without_its_token_does_nothing() {
    let (stand, desk) = with_users(20).await;
    let (cookie, csrf) = desk.sign_in("boss", "correct horse").await;
    let stop = |token: &'static str| [("csrf", token), ("scope", "province"), ("why", "试验")];
    for token in ["", "0000000000000000000000000000000000000000000000000000000000000000"] {
        assert_eq!(desk.form(&cookie, "/stops", &stop(token)).await.status, 403);
    }
    let (other, _) = desk.sign_in("agent", "correct horse").await;
    assert_eq!(
        desk.form(&other, "/stops", &[("csrf", &csrf), ("scope", "province"), ("why", "试验")]).await.status,
        403,
        "another session's token"
    );
    assert!(gridbell_server::Conduct::stops(&stand).is_empty());
    assert_eq!(
        desk.form(&cookie, "/stops", &[("csrf", &csrf), ("scope", "province"), ("why", "试验")]).await.status,
        303
    );
    assert_eq!(gridbell_server::Conduct::stops(&stand).len(), 1);
    assert!(desk.page(&cookie, "/").await.text.contains("紧急停发：全省"));
    assert_eq!(desk.form(&cookie, "/signout", &[("csrf", &csrf)]).await.status, 303);
    assert_eq!(desk.page(&cookie, "/runs").await.status, 303, "the session has ended");
}

#[tokio::test]
async fn guessing_passwords_gets_slower_and_tells_nothing() {
    let (stand, desk) = with_users(4).await;
    let attempt =
        async |name: &str, password: &str| desk.form("", "/signin", &[("name", name), ("password", password)]).await;
    let (known, unknown) = (attempt("boss", "wrong").await, attempt("nobody", "wrong").await);
    assert_eq!((known.status.as_u16(), unknown.status.as_u16()), (401, 401));
    assert_eq!(known.text.replace("boss", "X"), unknown.text.replace("nobody", "X"), "one answer for both");
    for _ in 0..gridbell_server::FREE_TRIES {
        attempt("boss", "wrong").await;
    }
    let held = attempt("boss", "correct horse").await;
    assert_eq!(held.status, 429);
    assert!(held.header("retry-after").parse::<u64>().unwrap() >= 1);
    stand.clock.advance(gridbell_server::LONGEST_WAIT);
    assert_eq!(attempt("boss", "correct horse").await.status, 303);
}

#[tokio::test]
async fn parameters_are_edited_in_a_form_that_shows_the_difference_first() {
    let (stand, desk) = with_users(4).await;
    let (cookie, csrf) = desk.sign_in("boss", "correct horse").await;
    let path = "/policies/140100/arrears-reminder";
    let page = desk.page(&cookie, path).await.text;
    assert!(
        page.contains("提前天数") && page.contains("工作日（含调休）") && page.contains("最低欠费金额（元）"),
        "{page}"
    );
    let fields = [
        ("csrf", csrf.as_str()),
        ("version", "1"),
        ("act", "preview"),
        ("steps", "5、2"),
        ("counting", "working"),
        ("minimum", "20.00"),
        ("important_steps", "10、5、2"),
        ("prepaid_steps", ""),
        ("overdue_every", "7"),
        ("overdue_times", "2"),
    ];
    let shown = desk.form(&cookie, path, &fields).await.text;
    assert!(
        shown.contains("确认以下改动") && shown.contains("<ins>5, 2</ins>") && shown.contains("<ins>2000</ins>"),
        "{shown}"
    );
    let set = || gridbell_server::Conduct::policies(&stand, TAIYUAN).unwrap().0;
    assert_eq!(set().policy("arrears-reminder").unwrap().parameters["minimum"], 100, "nothing is saved by looking");
    let pending = set()
        .policy("arrears-reminder")
        .map(|p| {
            let mut m = p.parameters.clone();
            m["minimum"] = json!(2000);
            Value::Object(m).to_string()
        })
        .unwrap();
    let saved =
        desk.form(&cookie, path, &[("csrf", &csrf), ("version", "1"), ("act", "save"), ("json", &pending)]).await;
    assert!(saved.text.contains("已提交审批（提案 1）"), "{}", saved.text);
    assert_eq!(set().policy("arrears-reminder").unwrap().parameters["minimum"], 100, "another person agrees first");
    let wrong =
        desk.form(&cookie, path, &[("csrf", &csrf), ("version", "1"), ("act", "preview"), ("minimum", "很多")]).await;
    assert!(wrong.text.contains("内容不符合规则") && wrong.text.contains("很多"), "{}", wrong.text);
}

#[tokio::test]
async fn the_first_start_makes_one_operator_and_only_once() {
    let stand = stand(0).await;
    let made = bootstrap(&stand.state, &stand.clock).await.unwrap().unwrap();
    assert!(bootstrap(&stand.state, &stand.clock).await.unwrap().is_none());
    let desk = Desk::of(&stand);
    assert_eq!(desk.get(&made.token, "/v1/me").await.json()["role"], "operator");
    desk.sign_in(&made.user, &made.password).await;
    for (key, doc) in stand.state.docs("user") {
        assert!(!String::from_utf8_lossy(&doc.value).contains(&made.password), "{key}");
    }
}

#[tokio::test]
async fn a_socket_answers_and_a_shutdown_ends_live_views() {
    use tokio::io::{AsyncReadExt, AsyncWriteExt};
    let (stand, desk) = with_users(20).await;
    let (cookie, _) = desk.sign_in("boss", "correct horse").await;
    let options = ServerOptions::plain("127.0.0.1:0".parse().unwrap(), Arc::new(stand.clone()));
    let server = Server::start(options).await.unwrap();
    let mut live = tokio::net::TcpStream::connect(server.addr()).await.unwrap();
    live.write_all(format!("GET /live HTTP/1.1\r\nHost: x\r\nCookie: {cookie}\r\n\r\n").as_bytes()).await.unwrap();
    let mut seen = String::new();
    while !seen.contains("event: dashboard") {
        let mut some = [0; 4096];
        let n = live.read(&mut some).await.unwrap();
        assert!(n > 0, "{seen}");
        seen.push_str(&String::from_utf8_lossy(&some[..n]));
    }
    assert!(seen.contains("text/event-stream"));
    server.shutdown().await.unwrap();
    let mut rest = Vec::new();
    live.read_to_end(&mut rest).await.unwrap();
}
