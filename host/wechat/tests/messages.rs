//! Messages, their answers, and the token's.

use gridbell_platform::{Act, Outcome, PlatformId, Secret};
use gridbell_wechat::message::{Message, MiniProgram, subscription, template};
use gridbell_wechat::{Error, answer, token};
use proptest::prelude::*;

fn message() -> Message {
    Message {
        openid: "oia2TjuEGTNoeX76QEjQNrcURxG8".into(),
        template_id: "ngqIpbwh8bUfcSsECmogfXcV14J0tQlEpBO27izEYtY".into(),
        url: "https://example.com/bill".into(),
        mini_program: Some(MiniProgram { appid: "wx9".into(), page: "index?a=b".into() }),
        data: vec![("amount2".into(), "88.50元".into()), ("thing1".into(), "\"城南\"供电所".into())],
    }
}

fn token() -> Secret {
    Secret::new("ACCESS_TOKEN+/")
}

#[test]
fn a_template_message_and_a_notice() {
    let request = template(&message(), "m-42", &token()).unwrap();
    assert_eq!(request.path, "/cgi-bin/message/template/send?access_token=ACCESS_TOKEN%2B%2F");
    assert_eq!(
        std::str::from_utf8(&request.body).unwrap(),
        r#"{"touser":"oia2TjuEGTNoeX76QEjQNrcURxG8","template_id":"ngqIpbwh8bUfcSsECmogfXcV14J0tQlEpBO27izEYtY","url":"https://example.com/bill","miniprogram":{"appid":"wx9","pagepath":"index?a=b"},"data":{"amount2":{"value":"88.50元"},"thing1":{"value":"\"城南\"供电所"}},"client_msg_id":"m-42"}"#
    );
    let shown = format!("{request:?} {:?}", message());
    assert!(!["ACCESS_TOKEN", "oia2", "88.50", "城南"].iter().any(|secret| shown.contains(secret)), "{shown}");

    let plain = Message { mini_program: None, ..message() };
    let notice = subscription(&plain, &token()).unwrap();
    assert_eq!(notice.endpoint(), "/cgi-bin/message/subscribe/bizsend");
    assert_eq!(
        std::str::from_utf8(&notice.body).unwrap(),
        r#"{"touser":"oia2TjuEGTNoeX76QEjQNrcURxG8","template_id":"ngqIpbwh8bUfcSsECmogfXcV14J0tQlEpBO27izEYtY","page":"https://example.com/bill","data":{"amount2":{"value":"88.50元"},"thing1":{"value":"\"城南\"供电所"}}}"#
    );
}

#[test]
fn fields_have_limits() {
    let wrong = |message: Message, id: &str| template(&message, id, &token()).unwrap_err().to_string();
    let id = "field `client_msg_id` is not 1 to 64 letters, digits, `-` and `_`";
    assert_eq!(wrong(message(), ""), id);
    assert_eq!(wrong(message(), &"x".repeat(65)), id);
    assert_eq!(
        wrong(Message { openid: "张".into(), ..message() }, "1"),
        "field `touser` is empty, too long, or no openid"
    );
    assert_eq!(wrong(Message { data: vec![], ..message() }, "1"), "field `data` has no value, or more than 32");
    let twice = vec![("a".to_owned(), "1".to_owned()), ("a".to_owned(), "2".to_owned())];
    assert_eq!(wrong(Message { data: twice, ..message() }, "1"), "field `data` has a key twice");
    let long = Message { url: "x".repeat(17_000), ..message() };
    assert_eq!(wrong(long, "1"), "field `data` makes the message longer than 16 KiB: shorten the texts");
}

#[test]
fn codes_become_outcomes() {
    let read =
        |errcode: i64| answer::read(format!(r#"{{"errcode":{errcode},"errmsg":"x hint: [a]"}}"#).as_bytes()).unwrap();
    let accepted = answer::read(br#"{"errcode":0,"errmsg":"ok","msgid":200163840}"#).unwrap();
    assert_eq!(accepted, Outcome::Accepted { id: PlatformId::new("200163840") });
    assert_eq!(read(0), Outcome::Accepted { id: None });
    for (act, codes) in [
        (Act::Refresh, &[40001, 40014, 42001][..]),
        (Act::NextChannel, &[40003, 43004, 43101]),
        (Act::NextChannelUntilMidnight, &[45009]),
        (Act::Configuration, &[40037, 47001]),
        (Act::Retry, &[-1]),
        (Act::SlowDown, &[45011]),
        (Act::Unlisted, &[1, 99999, i64::MIN]),
    ] {
        for code in codes {
            assert_eq!(read(*code), Outcome::refused(act, code.to_string()), "{code}");
        }
    }
    for body in ["<html></html>", "", "{}", "[]", r#"{"errcode":"0"}"#, r#"{"errcode":1e400}"#] {
        assert_eq!(
            answer::read(body.as_bytes()),
            Err(Error::Answer { why: "it is not JSON with an `errcode`" }),
            "{body}"
        );
    }
    assert!(answer::read(&vec![b' '; 65 * 1024]).is_err());
}

#[test]
fn the_tokens_request_and_answers() {
    let request = token::request("wx1", &Secret::new("s\"3"), true);
    assert_eq!(request.path, "/cgi-bin/stable_token");
    assert_eq!(
        std::str::from_utf8(&request.body).unwrap(),
        r#"{"grant_type":"client_credential","appid":"wx1","secret":"s\"3","force_refresh":true}"#
    );
    let given = token::read(br#"{"access_token":"66_abc","expires_in":7200}"#).unwrap();
    assert!(matches!(&given, token::Answer::Token { secret, expires_in_s: 7200 } if secret.expose() == "66_abc"));
    assert!(!format!("{given:?}").contains("66_abc"));
    let refused = |code: i64| match token::read(format!(r#"{{"errcode":{code},"errmsg":"x"}}"#).as_bytes()).unwrap() {
        token::Answer::Refused(Outcome::Refused { act, .. }) => act,
        other => panic!("{other:?}"),
    };
    assert_eq!(
        [-1, 40125, 40164, 45009, 45011].map(refused),
        [Act::Retry, Act::Configuration, Act::Configuration, Act::NextChannelUntilMidnight, Act::SlowDown]
    );
    for body in [
        r#"{"access_token":"","expires_in":1}"#,
        r#"{"access_token":"a b","expires_in":1}"#,
        r#"{"access_token":"a"}"#,
        "{}",
    ] {
        assert!(token::read(body.as_bytes()).is_err(), "{body}");
    }
    let long = token::read(br#"{"access_token":"a","expires_in":4000000000}"#).unwrap();
    assert!(matches!(long, token::Answer::Token { expires_in_s: 7200, .. }));
}

proptest! {
    #[test]
    fn any_octets_are_read_or_refused(octets in proptest::collection::vec(any::<u8>(), 0..200), json in "[{}\\[\\]\":,a-z0-9.e-]{0,60}") {
        for body in [&octets[..], json.as_bytes()] {
            let _ = (answer::read(body), token::read(body));
        }
    }
}
