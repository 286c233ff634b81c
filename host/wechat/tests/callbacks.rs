//! Callbacks in both modes: Tencent's published values, npm's `@wecom/crypto`, forgeries, and XML that must not be read.

#[path = "../../platform/tests/support/peers.rs"]
mod peers;

use std::path::Path;

use gridbell_model::Moment;
use gridbell_platform::{Code, PlatformId, Secret, bytes};
use gridbell_wechat::{AesKey, Callback, CallbackQuery, Door, Error, Mode, SendStatus, text_reply};
use proptest::prelude::*;
use ring::digest::{SHA1_FOR_LEGACY_USE_ONLY, digest};
use serde_json::{Value, json};

/// The key of all of Tencent's samples.
const KEY: &str = "abcdefghijklmnopqrstuvwxyz0123456789ABCDEFG";

fn sha1(parts: &[&str]) -> String {
    let mut parts = parts.to_vec();
    parts.sort_unstable();
    bytes::hex(digest(&SHA1_FOR_LEGACY_USE_ONLY, parts.concat().as_bytes()).as_ref())
}

fn door(token: &str, appid: &str, mode: Mode) -> Door {
    Door::new(appid, Secret::new(token), mode).expect("a door")
}

fn aes() -> Mode {
    Mode::Aes(AesKey::read(KEY).expect("a key"))
}

fn at(seconds: i64) -> Moment {
    Moment::from_unix_ms(seconds * 1000)
}

/// A query that is signed as the platform does.
fn query(token: &str, timestamp: &str, nonce: &str, encrypted: Option<&str>) -> CallbackQuery {
    CallbackQuery {
        signature: sha1(&[token, timestamp, nonce]),
        timestamp: timestamp.into(),
        nonce: nonce.into(),
        msg_signature: encrypted.map(|encrypted| sha1(&[token, timestamp, nonce, encrypted])),
        echostr: None,
    }
}

fn plain(xml: &str) -> Result<Callback, Error> {
    let query = query("spamtest", "1409735669", "1", None);
    door("spamtest", "wx1", Mode::Plain).open(&query, xml.as_bytes(), at(1_409_735_669))
}

#[test]
fn tencents_samples_open_and_close() {
    // From the demonstrations that Tencent publishes beside its libraries: a message that the platform sent, with its signature.
    let encrypted = "hyzAe4OzmOMbd6TvGdIOO6uBmdJoD0Fk53REIHvxYtJlE2B655HuD0m8KUePWB3+LrPXo87wzQ1QLvbeUgmBM4x6F8PGHQHFVAFmOD2LdJF9FrXpbUAh0B5GIItb52sn896wVsMSHGuPE328HnRGBcrS7C41IzDWyWNlZkyyXwon8T332jisa+h6tEDYsVticbSnyU8dKOIbgU6ux5VTjg3yt+WGzjlpKn6NPhRjpA912xMezR4kw6KWwMrCVKSVCZciVGCgavjIQ6X8tCOp3yZbGpy0VxpAe+77TszTfRd5RJSVO/HTnifJpXgCSUdUue1v6h0EIBYYI1BD1DlD+C0CR8e6OewpusjZ4uBl9FyJvnhvQl+q5rv1ixrcpCumEPo5MJSgM9ehVsNPfUM669WuMyVWQLCzpu9GhglF2PE=";
    let mut query = query("spamtest", "1409735669", "1320562132", None);
    query.msg_signature = Some("5d197aaffba7e9b25a30732f161a50dee96bd5fa".into());
    let body = format!(
        "<xml><ToUserName><![CDATA[gh_10f6c3c3ac5a]]></ToUserName><Encrypt><![CDATA[{encrypted}]]></Encrypt></xml>"
    );
    let door_of = |appid| door("spamtest", appid, aes());
    let opened = door_of("wx2c2769f8efd9abc2").open(&query, body.as_bytes(), at(1_409_735_700)).unwrap();
    let text = Callback::Text {
        openid: "oyORnuP8q7ou2gfYjqLzSIWZf0rs".into(),
        account: "gh_10f6c3c3ac5a".into(),
        id: PlatformId::new("6054768590064713728").unwrap(),
        content: "abcdteT".into(),
        at: at(1_409_735_668),
    };
    assert_eq!(opened, text);
    assert!(!format!("{opened:?}").contains("abcdteT"));
    let other = door_of("wx2c2769f8efd9abc3").open(&query, body.as_bytes(), at(1_409_735_700));
    assert_eq!(other, Err(Error::Refused { why: "it is for another appid" }));

    // And what its test encrypts with known random octets.
    let reply = door("pamtest", "wxb11529c136998cb6", aes())
        .reply("我是中文abcd123", at(1_409_304_348), "xxxxxx", *b"aaaabbbbccccdddd")
        .unwrap();
    let known = "jn1L23DB+6ELqJ+6bruv21Y6MD7KeIfP82D6gU39rmkgczbWwt5+3bnyg5K55bgVtVzd832WzZGMhkP72vVOfg==";
    assert!(reply.contains(&format!("<Encrypt><![CDATA[{known}]]></Encrypt>")), "{reply}");
    let signature = sha1(&["pamtest", "1409304348", "xxxxxx", known]);
    assert!(reply.contains(&format!("<MsgSignature><![CDATA[{signature}]]></MsgSignature>")), "{reply}");
}

#[test]
fn npms_wecom_crypto_agrees_both_ways() {
    let (token, appid, nonce) = ("QDG6eK", "wx5823bf96d3bd56c7", "372623558");
    let door = door(token, appid, aes());
    let answer = text_reply("oia2Tj", "gh_1", "电费 ]]> <88.50元>", at(1_409_659_589));
    let reply = door.reply(&answer, at(1_409_659_589), nonce, [7; 16]).unwrap();
    let between = |from: &str, to: &str| {
        let start = reply.find(from).unwrap() + from.len();
        reply[start..start + reply[start..].find(to).unwrap()].to_owned()
    };
    let encrypt = between("<Encrypt><![CDATA[", "]]>");
    let message = "<xml><ToUserName>gh_1</ToUserName><FromUserName>oia2Tj</FromUserName><CreateTime>1409659589</CreateTime>\
                   <MsgType>event</MsgType><Event>TEMPLATESENDJOBFINISH</Event><MsgID>200163836</MsgID>\
                   <Status>failed:user block</Status></xml>";
    let input = json!({
        "key": KEY, "token": token, "appid": appid, "timestamp": "1409659589", "nonce": nonce, "message": message,
        "reply": {"encrypt": encrypt, "timestamp": between("<TimeStamp>", "</"), "nonce": nonce},
    });
    let script = Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/peer.cjs");
    let Some(said) = peers::ask(&script, "@wecom/crypto", &input.to_string()) else { return };
    let said: Value = serde_json::from_str(&said).unwrap();
    let text = |name: &str| said[name].as_str().unwrap();
    assert_eq!((text("replyMessage"), text("replyId")), (answer.as_str(), appid));
    assert_eq!(text("replySignature"), between("<MsgSignature><![CDATA[", "]]>"));

    let mut query = query(token, "1409659589", nonce, None);
    query.msg_signature = Some(text("signature").into());
    let body = format!("<xml><Encrypt>{}</Encrypt></xml>", text("encrypted"));
    let finished = Callback::SendFinished { id: PlatformId::new("200163836").unwrap(), status: SendStatus::Blocked };
    assert_eq!(door.open(&query, body.as_bytes(), at(1_409_659_589)), Ok(finished));
}

#[test]
fn nobody_else_comes_in() {
    let door = door("spamtest", "wx1", aes());
    let sealed = |xml: &str| {
        let reply = door.reply(xml, at(1000), "n", [0; 16]).unwrap();
        let start = reply.find("CDATA[").unwrap() + 6;
        reply[start..start + reply[start..].find("]]>").unwrap()].to_owned()
    };
    let inner = "<xml><MsgType>event</MsgType><Event>VIEW</Event></xml>";
    let encrypted = sealed(inner);
    let body = format!("<xml><Encrypt>{encrypted}</Encrypt></xml>");
    let good = query("spamtest", "1000", "n", Some(&encrypted));
    let open = |query: &CallbackQuery, body: &str, now: i64| door.open(query, body.as_bytes(), at(now));
    assert_eq!(open(&good, &body, 1000), Ok(Callback::Other { kind: Code::new("VIEW") }));

    let why = |result: Result<Callback, Error>| match result {
        Err(Error::Refused { why }) => why,
        other => panic!("{other:?}"),
    };
    assert_eq!(why(open(&good, &body, 1301)), "its `timestamp` is more than 5 minutes from our clock");
    assert_eq!(why(open(&good, &body, 699)), "its `timestamp` is more than 5 minutes from our clock");
    assert_eq!(why(open(&good, inner, 1000)), "it is not encrypted, and the mode is AES");
    let no_signature = CallbackQuery { msg_signature: None, ..good.clone() };
    assert_eq!(why(open(&no_signature, &body, 1000)), "`msg_signature` is missing in its query");
    let other = sealed("<xml><MsgType>event</MsgType><Event>CLICK</Event></xml>");
    assert_eq!(why(open(&good, &body.replace(&encrypted, &other), 1000)), "its `msg_signature` does not fit the token");
    let mut wrong = good.clone();
    wrong.nonce = "m".into();
    assert_eq!(why(open(&wrong, &body, 1000)), "its `signature` does not fit the token");
    for (text, why_not) in [
        ("AAAA", "its ciphertext is not whole blocks"),
        ("!", "its ciphertext is not base64"),
        (&"A".repeat(64), "the EncodingAESKey does not fit it"),
        (&format!("{}==", "A".repeat(86)), "the EncodingAESKey does not fit it"),
    ] {
        let body = format!("<xml><Encrypt>{text}</Encrypt></xml>");
        assert_eq!(why(open(&query("spamtest", "1000", "n", Some(text)), &body, 1000)), why_not, "{text}");
    }
}

#[test]
fn the_console_tries_the_address() {
    let door = door("spamtest", "wx1", aes());
    let signature = sha1(&["spamtest", "1000", "abc"]);
    let text = format!("signature={signature}&timestamp=1000&nonce=abc&echostr=4075181314397890557");
    let query = CallbackQuery::read(&text).unwrap();
    assert_eq!(door.greet(&query, at(1001)).unwrap(), "4075181314397890557");
    assert!(door.greet(&CallbackQuery::read(&text.replace("nonce=abc", "nonce=abd")).unwrap(), at(1001)).is_err());
    let script = CallbackQuery::read(&text.replace("4075181314397890557", "%3Cscript%3E%20")).unwrap();
    assert_eq!(door.greet(&script, at(1001)), Err(Error::Refused { why: "`echostr` is missing in its query" }));
    assert!(CallbackQuery::read("timestamp=1&nonce=2").is_err());
    assert!(CallbackQuery::read("signature=a&signature=b&timestamp=1&nonce=2").is_err());
}

#[test]
fn what_the_platform_tells() {
    let finished = |status: &str| {
        let xml = format!(
            "<?xml version=\"1.0\"?>\n<xml>\n<ToUserName><![CDATA[gh_1]]></ToUserName><FromUserName><![CDATA[oX]]></FromUserName>\
             <CreateTime>1395658920</CreateTime><MsgType><![CDATA[event]]></MsgType><Event><![CDATA[TEMPLATESENDJOBFINISH]]></Event>\
             <MsgID>200163836</MsgID><Status><![CDATA[{status}]]></Status></xml>"
        );
        match plain(&xml).unwrap() {
            Callback::SendFinished { status, .. } => status,
            other => panic!("{other:?}"),
        }
    };
    assert_eq!(finished("success"), SendStatus::Delivered);
    assert_eq!(finished("failed:user block"), SendStatus::Blocked);
    assert_eq!(finished("failed: system failed"), SendStatus::Failed(Code::new("failed:system-failed")));
    assert_eq!(finished("failed:freq limit"), SendStatus::TooMany);
    let event = |name: &str, key: &str| {
        plain(&format!(
            "<xml><ToUserName>gh_1</ToUserName><FromUserName>oX</FromUserName><CreateTime>1395658920</CreateTime>\
             <MsgType>event</MsgType><Event>{name}</Event><EventKey>{key}</EventKey></xml>"
        ))
    };
    let at = at(1_395_658_920);
    let scene = Some("qrscene_<0123>".to_owned());
    assert_eq!(
        event("subscribe", "qrscene_&lt;0123&#62;"),
        Ok(Callback::Subscribed { openid: "oX".into(), scene, at })
    );
    assert_eq!(event("subscribe", ""), Ok(Callback::Subscribed { openid: "oX".into(), scene: None, at }));
    assert_eq!(event("unsubscribe", ""), Ok(Callback::Unsubscribed { openid: "oX".into(), at }));
    let nested =
        "<xml><MsgType>event</MsgType><Event>subscribe_msg_popup_event</Event><List><a><b>x</b></a></List></xml>";
    assert_eq!(plain(nested), Ok(Callback::Other { kind: Code::new("subscribe_msg_popup_event") }));
}

#[test]
fn xml_that_must_not_be_read() {
    let deep = format!("<xml>{}{}</xml>", "<a>".repeat(9), "</a>".repeat(9));
    let wide = format!("<xml>{}</xml>", (0..65).map(|i| format!("<f{i}/>")).collect::<String>());
    let long = format!("<xml><a>{}</a></xml>", "x".repeat(65 * 1024));
    for (xml, why) in [
        ("<!DOCTYPE xml [<!ENTITY a \"b\">]><xml><MsgType>&a;</MsgType></xml>", "it has a document type"),
        ("<xml><MsgType>&secret;</MsgType></xml>", "it has an entity that is not XML's own"),
        ("<?php x ?><xml/>", "it has a processing instruction"),
        ("<xml><MsgType>text</MsgType><MsgType>event</MsgType></xml>", "it has a field twice"),
        ("<xml><a></b></xml>", "it is not well-formed"),
        ("<xml><a>", "it ends too early"),
        ("", "it ends too early"),
        ("{\"a\":1}", "it has text outside of its fields"),
        ("<html/>", "its root is not one `<xml>`"),
        ("<xml/><xml/>", "its root is not one `<xml>`"),
        ("<xml/>", "a field is missing that its kind must have"),
        (&deep, "it is nested deeper than 8"),
        (&wide, "it has more than 64 fields"),
        (&long, "it is longer than 64 KiB"),
    ] {
        assert_eq!(plain(xml), Err(Error::Xml { why }), "{}", &xml[..xml.len().min(60)]);
    }
}

proptest! {
    #[test]
    fn any_octets_are_read_or_refused(octets in proptest::collection::vec(any::<u8>(), 0..300), xml in "(<[a-c/!?\\[]{0,3}>|[&;x\\]]|<xml>|</xml>|<!\\[CDATA\\[){0,30}") {
        let _ = plain(&String::from_utf8_lossy(&octets));
        let _ = plain(&xml);
        let _ = CallbackQuery::read(&String::from_utf8_lossy(&octets));
        let _ = AesKey::read(&String::from_utf8_lossy(&octets));
    }

    #[test]
    fn what_is_sealed_opens_and_a_changed_bit_does_not(content in "\\PC{0,80}", random in any::<[u8; 16]>(), at_octet in any::<proptest::sample::Index>()) {
        let door = door("spamtest", "wx1", aes());
        let xml = text_reply("oX", "gh_1", &content, at(1000)).replace("</Content>", "</Content><MsgId>9</MsgId>");
        let reply = door.reply(&xml, at(1000), "n", random).unwrap();
        let pairs: Vec<&str> = reply.split("<![CDATA[").filter_map(|part| part.split_once("]]>").map(|(text, _)| text)).collect();
        let query = |signature: &str| CallbackQuery { msg_signature: Some(signature.into()), ..query("spamtest", "1000", "n", None) };
        let opened = door.open(&query(pairs[1]), reply.as_bytes(), at(1000)).unwrap();
        let is_text = matches!(&opened, Callback::Text { content: read, .. } if *read == content);
        prop_assert!(is_text, "{:?}", opened);
        let mut forged = pairs[0].as_bytes().to_vec();
        let place = at_octet.index(forged.len() - 4);
        forged[place] = if forged[place] == b'A' { b'B' } else { b'A' };
        let forged = String::from_utf8(forged).unwrap();
        let body = format!("<xml><Encrypt>{forged}</Encrypt></xml>");
        prop_assert!(door.open(&query(pairs[1]), body.as_bytes(), at(1000)).is_err());
        // Signed too, as only the platform could: still never a panic.
        let _ = door.open(&query(&sha1(&["spamtest", "1000", "n", &forged])), body.as_bytes(), at(1000));
    }
}

#[test]
fn secrets_are_not_shown_and_names_are_checked() {
    let shown = format!("{:?}", door("spamtest", "wx1", aes()));
    assert_eq!(shown, "Door { appid: \"wx1\", token: ***, mode: Aes(AesKey(***)) }");
    assert!(Door::new("wx1", Secret::new("a b"), Mode::Plain).is_err());
    assert!(AesKey::read("short").is_err());
}
