//! Signatures against npm's `alipay-sdk`, both ways.

#[path = "../../platform/tests/support/peers.rs"]
mod peers;
mod support;

use std::path::Path;

use gridbell_alipay::Call;
use gridbell_platform::{Outcome, PlatformId, form};
use serde_json::{Value, json};
use support::{APP_ID, account, now, pem, recipient, template};

#[test]
fn npms_alipay_sdk_agrees_both_ways() {
    let account = account();
    let request = account.send(&recipient(), &template(), now()).unwrap();
    let query = request.path.split_once('?').unwrap().1;
    let input = json!({
        "request": {"query": query, "body": std::str::from_utf8(&request.body).unwrap()},
        "appPrivate": pem("app-pkcs8"),
        "appPublic": pem("app-public"),
        "alipayPrivate": pem("alipay-private"),
        "alipayPublic": pem("alipay-public"),
        "raw": r#"{"code":"10000", "msg":"Success 成功 \"sign\" }","msg_id":"77"}"#,
        "notice": {"notify_id": "n-1", "app_id": APP_ID, "biz_content": "{\"文\":\"a&b=c +\"}", "empty": ""},
    });
    let script = Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/peer.cjs");
    let Some(output) = peers::ask(&script, "alipay-sdk", &input.to_string()) else { return };
    let said: Value = serde_json::from_str(&output).unwrap();

    // Ours, checked by theirs.
    assert_eq!(said["requestAccepted"], true);
    assert_eq!(said["tamperedAccepted"], false);
    // Theirs has the same parameters, and more that are its own.
    let theirs = form::decode_pairs(said["theirQuery"].as_str().unwrap().as_bytes()).unwrap();
    let ours = form::decode_pairs(query.as_bytes()).unwrap();
    let find =
        |pairs: &[(String, String)], name: &str| pairs.iter().find(|(known, _)| known == name).unwrap().1.clone();
    for name in ["app_id", "charset", "method", "sign_type", "version"] {
        assert_eq!(find(&ours, name), find(&theirs, name), "{name}");
    }
    assert_eq!(find(&ours, "timestamp").len(), find(&theirs, "timestamp").len());
    let body = form::decode_pairs(&request.body).unwrap();
    assert_eq!(find(&body, "biz_content"), find(&theirs, "biz_content"));

    // Theirs, checked by ours.
    assert_eq!(said["answerAccepted"], true);
    let answer = account.answer(Call::Send, said["answer"].as_str().unwrap().as_bytes());
    assert_eq!(answer, Ok(Outcome::Accepted { id: PlatformId::new("77") }));
    assert_eq!(said["noticeAccepted"], true);
    let notice = account.notice(said["notice"].as_str().unwrap().as_bytes()).unwrap();
    assert_eq!(notice.get("biz_content"), Some("{\"文\":\"a&b=c +\"}"));
}
