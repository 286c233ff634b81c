//! An account against itself, with a platform's key of its own: requests, answers, notices, keys, and what is refused.

mod support;

use gridbell_alipay::{Account, AlipayKey, AppKey, Call, Colored, Error, Recipient, act_of};
use gridbell_platform::{Act, Code, Method, Outcome, PlatformId, form};
use proptest::prelude::*;
use support::{APP_ID, account, answer_of, notice_of, now, pem, recipient, template};

#[test]
fn a_message_is_signed_over_all_of_it() {
    let account = account();
    let request = account.send(&recipient(), &template(), now()).unwrap();
    assert_eq!(request.method, Method::Post);
    assert_eq!(request.endpoint(), "/gateway.do");
    let query = form::decode_pairs(request.path.split_once('?').unwrap().1.as_bytes()).unwrap();
    let body = form::decode_pairs(&request.body).unwrap();
    let value = |name: &str| query.iter().find(|(known, _)| known == name).unwrap().1.as_str();
    assert_eq!(value("method"), "alipay.open.public.message.single.send");
    assert_eq!(value("timestamp"), "2026-11-22 08:09:10");
    assert_eq!(value("app_id"), APP_ID);
    assert_eq!((value("charset"), value("sign_type"), value("version")), ("utf-8", "RSA2", "1.0"));
    assert_eq!(body.len(), 1);
    assert_eq!(
        body[0].1,
        r##"{"to_user_id":"2088102122458832","template":{"template_id":"d905fa60b99e47d7","context":{"head_color":"#173177","url":"https://example.com/bill?a=1&b=2","action_name":"查看详情","first":{"color":"#173177","value":"您有一笔电费待缴"},"keyword1":{"color":"#173177","value":"0123456789"},"keyword2":{"color":"#85be53","value":"88.50元 & more=+"},"remark":{"color":"#173177","value":"如已缴费请忽略"}}}}"##
    );
    // The same octets give the same signature, whichever form the key came in: PKCS#1 v1.5 has no salt.
    let bare = pem("app-pkcs1").lines().filter(|line| !line.starts_with('-')).collect::<String>();
    for other in [pem("app-pkcs1"), pem("app-pkcs8"), bare] {
        let other =
            Account::new(APP_ID, AppKey::read(&other).unwrap(), AlipayKey::read(&pem("alipay-public")).unwrap());
        assert_eq!(other.unwrap().send(&recipient(), &template(), now()).unwrap(), request);
    }
    let recall = account.recall("20000000-1", now()).unwrap();
    assert_eq!(form::decode_pairs(&recall.body).unwrap()[0].1, r#"{"message_id":"20000000-1"}"#);
}

#[test]
fn answers_become_outcomes() {
    let refused = |act, code: &str| Outcome::Refused { act, code: Code::new(code) };
    let cases = [
        (
            r#"{"code":"10000","msg":"Success","msg_id":"1100AB-7"}"#,
            Outcome::Accepted { id: PlatformId::new("1100AB-7") },
        ),
        (r#"{ "code" : "10000" , "msg":"a \"sign\" of } success" }"#, Outcome::Accepted { id: None }),
        (
            r#"{"code":"40004","msg":"Business Failed","sub_code":"PUB.MSG_SD_NOFOLLOW","sub_msg":"没有关注者"}"#,
            refused(Act::NextChannel, "PUB.MSG_SD_NOFOLLOW"),
        ),
        (
            r#"{"code":"40004","msg":"Business Failed","sub_code":"PUB.MSG_TEMPLATE_NOT_EXIST"}"#,
            refused(Act::Configuration, "PUB.MSG_TEMPLATE_NOT_EXIST"),
        ),
        (r#"{"code":"20000","msg":"Service","sub_code":"isp.unknow-error"}"#, refused(Act::Retry, "isp.unknow-error")),
        (r#"{"code":"40004","msg":"?","sub_code":"PUB.NEW"}"#, refused(Act::Unlisted, "PUB.NEW")),
        (r#"{"code":"40006","msg":"Insufficient Permissions"}"#, refused(Act::Configuration, "40006")),
    ];
    for (raw, outcome) in cases {
        assert_eq!(account().answer(Call::Send, answer_of(Call::Send, raw).as_bytes()), Ok(outcome), "{raw}");
    }
    assert_eq!(act_of("40005", ""), Act::SlowDown);
    assert_eq!(act_of("10086", ""), Act::Unlisted);
}

#[test]
fn an_answer_that_was_touched_is_not_believed() {
    let account = account();
    let answer = answer_of(Call::Send, r#"{"code":"10000","msg":"Success","msg_id":"1"}"#);
    assert!(account.answer(Call::Send, answer.as_bytes()).is_ok());
    let signature = |answer: &str| {
        matches!(account.answer(Call::Send, answer.as_bytes()), Err(Error::Signature { what: "answer", .. }))
    };
    // White space, another code, another order: each is another text than what was signed.
    assert!(signature(&answer.replace(r#""code":"10000""#, r#""code": "10000""#)));
    assert!(signature(&answer.replace("10000", "20000")));
    assert!(signature(&answer.split(",\"sign\"").next().map(|cut| format!("{cut}}}")).unwrap()));
    // Signed, but for another interface.
    let other = account.answer(Call::Recall, answer.as_bytes());
    assert_eq!(other, Err(Error::Answer { why: "it names no response of this call" }));
    // The same name twice: which one was signed?
    let twice = answer.replacen('{', r#"{"alipay_open_public_message_single_send_response":{"code":"10000"},"#, 1);
    assert_eq!(account.answer(Call::Send, twice.as_bytes()), Err(Error::Answer { why: "it is not a JSON object" }));
}

#[test]
fn an_unsigned_complaint_of_the_gateway_can_only_mean_configuration_or_later() {
    let account = account();
    let answer = |text: &str| account.answer(Call::Send, text.as_bytes());
    let wrong_app = r#"{"error_response":{"code":"40002","msg":"Invalid Arguments","sub_code":"isv.invalid-app-id"}}"#;
    assert_eq!(answer(wrong_app), Ok(Outcome::refused(Act::Configuration, "isv.invalid-app-id")));
    let busy = r#"{"error_response":{"code":"20000","msg":"Service Currently Unavailable"}}"#;
    assert_eq!(answer(busy), Ok(Outcome::refused(Act::Retry, "20000")));
    for forged in [
        r#"{"error_response":{"code":"10000","msg":"Success"}}"#,
        r#"{"error_response":{"code":"40004","sub_code":"PUB.MSG_SD_NOFOLLOW"}}"#,
        r#"{"alipay_open_public_message_single_send_response":{"code":"10000"}}"#,
        r#"{"alipay_open_public_message_single_send_response":{"code":"40002"}}"#,
    ] {
        assert!(matches!(answer(forged), Err(Error::Signature { .. })), "{forged}");
    }
}

#[test]
fn what_is_no_answer_is_said_to_be_none() {
    let account = account();
    let long = vec![b' '; 65 * 1024];
    for (body, why) in [
        (&b"<html><body>502</body></html>"[..], "it is not a JSON object"),
        (b"", "it is not a JSON object"),
        (b"{\"a\":1,}", "it is not a JSON object"),
        (b"{\"a\":1 \"b\":2}", "it is not a JSON object"),
        (b"{\"a\":[1}", "it is not a JSON object"),
        (b"\xff\xfe", "it is not UTF-8"),
        (b"{}", "it names no response of this call"),
        (b"{\"error_response\":[1]}", "its response is not as documented"),
        (&long, "it is longer than 64 KiB"),
    ] {
        assert_eq!(account.answer(Call::Send, body), Err(Error::Answer { why }));
    }
}

#[test]
fn a_notice_is_believed_if_signed_and_ours() {
    let account = account();
    let fields = [
        ("notify_id", "n-1"),
        ("app_id", APP_ID),
        ("msg_method", "x"),
        ("biz_content", "{\"a\":\"电 &=+\"}"),
        ("empty", ""),
    ];
    let body = notice_of(&fields);
    let notice = account.notice(body.as_bytes()).unwrap();
    assert_eq!(notice.id(), Some("n-1"));
    assert_eq!(notice.get("biz_content"), Some("{\"a\":\"电 &=+\"}"));
    assert!(!format!("{notice:?}").contains("电"), "{notice:?}");
    let wrong = |body: &str| account.notice(body.as_bytes()).unwrap_err();
    assert!(matches!(wrong(&body.replace("n-1", "n-2")), Error::Signature { .. }));
    assert!(matches!(wrong(&format!("{body}&more=1")), Error::Signature { .. }));
    assert!(matches!(wrong("notify_id=1"), Error::Signature { why: "it has no `sign`", .. }));
    assert!(matches!(wrong(&body.replace("sign_type=RSA2", "sign_type=RSA")), Error::Signature { .. }));
    assert!(matches!(wrong(&format!("{body}&app_id=1")), Error::Form(_)));
    assert_eq!(wrong(&notice_of(&[("app_id", "2021000000000002")])), Error::OtherApplication);
    assert_eq!(wrong(&notice_of(&[("notify_id", "1")])), Error::OtherApplication);
}

#[test]
fn keys_that_cannot_do_are_refused_with_what_to_do() {
    let encrypted = "-----BEGIN ENCRYPTED PRIVATE KEY-----\nAAAA\n-----END ENCRYPTED PRIVATE KEY-----";
    for (text, why) in [
        (pem("short"), "it is not an RSA key of 2048 to 4096 bits in PKCS#8 or PKCS#1"),
        (pem("app-public"), "it is not a PEM `PRIVATE KEY` or `RSA PRIVATE KEY`"),
        (encrypted.to_owned(), "it is encrypted: decrypt it first, for example with `openssl pkcs8`"),
        (pem("app-pkcs8").replace("-----END", "---"), "its last line is missing, or other text follows it"),
        ("no key".to_owned(), "it is neither PEM nor base64"),
        ("A".repeat(17 * 1024), "it is longer than 16 KiB"),
    ] {
        assert_eq!(AppKey::read(&text).unwrap_err(), Error::Key { which: "application's private key", why });
    }
    for (text, why) in [
        (pem("short-public"), "it has fewer than 2048 or more than 8192 bits, which RSA2 does not take"),
        (pem("app-pkcs8"), "it is not a PEM `PUBLIC KEY` or `RSA PUBLIC KEY`"),
        ("AAAA".to_owned(), "it is not an RSA public key"),
    ] {
        assert_eq!(AlipayKey::read(&text).unwrap_err(), Error::Key { which: "platform's public key", why });
    }
    assert_eq!(format!("{:?}", AlipayKey::read(&pem("alipay-public-pkcs1")).unwrap()), "AlipayKey(RSA 2048)");
    assert_eq!(format!("{:?}", AppKey::read(&pem("app-pkcs8")).unwrap()), "AppKey(RSA 2048, ***)");
}

#[test]
fn fields_have_limits_and_nothing_personal_is_shown() {
    let account = account();
    let send = |to: &Recipient, change: &dyn Fn(&mut gridbell_alipay::Template)| {
        let mut template = template();
        change(&mut template);
        account.send(to, &template, now()).unwrap_err().to_string()
    };
    let nobody = Recipient::OpenId(String::new());
    assert_eq!(send(&nobody, &|_| ()), "field `to_open_id` is empty, too long, or not an id");
    let pink = |template: &mut gridbell_alipay::Template| template.head_color = "pink".into();
    assert_eq!(send(&recipient(), &pink), "field `head_color` has a colour that is not written `#RRGGBB`");
    let long = |template: &mut gridbell_alipay::Template| template.url = "x".repeat(17_000);
    assert_eq!(send(&recipient(), &long), "field `biz_content` is longer than 16 KiB: shorten the texts");
    let shown = format!("{:?} {:?} {account:?}", recipient(), template());
    assert!(!["2088", "电费", "0123456789", "example.com"].iter().any(|personal| shown.contains(personal)), "{shown}");
    assert_eq!(
        format!("{:?}", Colored { value: "张三".into(), color: "#000000".into() }),
        "Colored { color: \"#000000\", .. }"
    );
}

proptest! {
    #[test]
    fn any_octets_are_read_or_refused(octets in proptest::collection::vec(any::<u8>(), 0..400), text in "[\\[\\]{}:,\"\\\\a-z0-9 ]{0,200}") {
        let account = support::shared();
        for body in [&octets[..], text.as_bytes()] {
            prop_assert!(account.answer(Call::Send, body).is_err());
            prop_assert!(account.notice(body).is_err());
            let text = String::from_utf8_lossy(body);
            let _ = (AppKey::read(&text), AlipayKey::read(&text));
        }
    }

    #[test]
    fn a_key_with_a_changed_octet_is_read_or_refused(at in any::<proptest::sample::Index>(), to in any::<u8>()) {
        use base64::Engine as _;
        let bare: String = pem("alipay-public").lines().filter(|line| !line.starts_with('-')).collect();
        let mut der = base64::engine::general_purpose::STANDARD.decode(bare).unwrap();
        let at = at.index(der.len());
        der[at] = to;
        der.truncate(der.len() - usize::from(to) % 7);
        let _ = AlipayKey::read(&base64::engine::general_purpose::STANDARD.encode(der));
    }

    #[test]
    fn any_signed_value_is_found_as_it_was_written(text in any::<String>(), before in any::<bool>()) {
        let raw = serde_json::json!({"code": "10000", "msg": text, "msg_id": "m", "more": [{"sign": "x"}, "}"]}).to_string();
        let mut answer = answer_of(Call::Send, &raw);
        if before {
            answer = answer.replacen('{', "{ \"alipay_cert_sn\" : \"},{\" , ", 1);
        }
        let outcome = support::shared().answer(Call::Send, answer.as_bytes()).unwrap();
        prop_assert_eq!(outcome, Outcome::Accepted { id: PlatformId::new("m") });
    }
}
