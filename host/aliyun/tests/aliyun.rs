//! Requests against npm's `@alicloud/openapi-core`, answers, details, and reports.

#[path = "../../platform/tests/support/peers.rs"]
mod peers;

use std::path::Path;

use gridbell_aliyun::answer::{self, Detail, SendStatus, act_of, details};
use gridbell_aliyun::{Access, Error, Parcel, Stamp, Template, receipts};
use gridbell_model::{CivilMinute, Date, Phone};
use gridbell_platform::{Act, Code, Outcome, PlatformId, Request, Secret, form};
use proptest::prelude::*;
use serde_json::{Value, json};

const KEY_ID: &str = "LTAI5tExample";
const SECRET: &str = "A1b2C3d4E5f6+/=";

fn access() -> Access {
    Access::new("dysmsapi.aliyuncs.com", KEY_ID, Secret::new(SECRET)).expect("an access")
}

fn day() -> Date {
    Date::from_ymd(2026, 11, 22).expect("a day")
}

fn stamp() -> Stamp {
    Stamp { now: day().at(7, 9).moment().plus_ms(10_999), nonce: "3156853299f313e23d1673dc12e1703d".into() }
}

fn template() -> Template {
    Template { sign_name: "城南供电".into(), code: "SMS_12345678".into() }
}

fn values() -> Vec<(String, String)> {
    vec![("name".into(), "张*".into()), ("sum".into(), "88.50 (元) ~*'!".into())]
}

fn send() -> Request {
    access().send(&template(), &["13800001234", "13900005678"], &values(), "m-42", &stamp()).expect("a request")
}

fn batch() -> Request {
    let parcels = [
        Parcel { number: "13800001234".into(), values: values() },
        Parcel { number: "13900005678".into(), values: vec![] },
    ];
    access().send_batch(&template(), &parcels, "b-7", &stamp()).expect("a request")
}

#[test]
fn requests_say_what_they_were_given() {
    let request = send();
    let query = form::decode_pairs(request.path.strip_prefix("/?").unwrap().as_bytes()).unwrap();
    let value = |name: &str| query.iter().find(|(known, _)| known == name).unwrap().1.as_str();
    assert_eq!(value("PhoneNumbers"), "13800001234,13900005678");
    assert_eq!(value("TemplateParam"), r#"{"name":"张*","sum":"88.50 (元) ~*'!"}"#);
    assert_eq!((value("SignName"), value("TemplateCode"), value("OutId")), ("城南供电", "SMS_12345678", "m-42"));
    assert_eq!(request.header("x-acs-action"), Some("SendSms"));
    // Seven in the morning in Shanghai is the evening before elsewhere.
    assert_eq!(request.header("x-acs-date"), Some("2026-11-21T23:09:10Z"));
    assert!(request.body.is_empty());

    let body = form::decode_pairs(&batch().body).unwrap();
    let value = |name: &str| body.iter().find(|(known, _)| known == name).unwrap().1.as_str();
    assert_eq!(value("PhoneNumberJson"), r#"["13800001234","13900005678"]"#);
    assert_eq!(value("SignNameJson"), r#"["城南供电","城南供电"]"#);
    assert_eq!(value("TemplateParamJson"), r#"[{"name":"张*","sum":"88.50 (元) ~*'!"},{}]"#);

    let query = access().query("13800001234", day(), Some("1234^0"), 2, &stamp()).unwrap();
    assert_eq!(query.path, "/?BizId=1234%5E0&CurrentPage=2&PageSize=50&PhoneNumber=13800001234&SendDate=20261122");

    let shown = format!(
        "{:?} {:?} {:?} {:?}",
        send(),
        batch(),
        access(),
        Parcel { number: "13800001234".into(), values: values() }
    );
    assert!(!["138000", "张", SECRET, "Signature="].iter().any(|secret| shown.contains(secret)), "{shown}");
}

#[test]
fn the_signature_is_that_of_the_rules() {
    // Written out step by step as the platform's page has it, for machines without the peer below.
    use ring::{digest, hmac};
    let sha = |text: &str| gridbell_platform::bytes::hex(digest::digest(&digest::SHA256, text.as_bytes()).as_ref());
    let request = access().query("13800001234", day(), None, 1, &stamp()).unwrap();
    let empty = "e3b0c44298fc1c149afbf4c8996fb92427ae41e4649b934ca495991b7852b855";
    let canonical = format!(
        "POST\n/\nCurrentPage=1&PageSize=50&PhoneNumber=13800001234&SendDate=20261122\n\
         host:dysmsapi.aliyuncs.com\nx-acs-action:QuerySendDetails\nx-acs-content-sha256:{empty}\n\
         x-acs-date:2026-11-21T23:09:10Z\nx-acs-signature-nonce:3156853299f313e23d1673dc12e1703d\nx-acs-version:2017-05-25\n\n\
         host;x-acs-action;x-acs-content-sha256;x-acs-date;x-acs-signature-nonce;x-acs-version\n{empty}"
    );
    let key = hmac::Key::new(hmac::HMAC_SHA256, SECRET.as_bytes());
    let tag = hmac::sign(&key, format!("ACS3-HMAC-SHA256\n{}", sha(&canonical)).as_bytes());
    let signature = gridbell_platform::bytes::hex(tag.as_ref());
    assert_eq!(
        request.header("authorization").unwrap(),
        format!(
            "ACS3-HMAC-SHA256 Credential=LTAI5tExample,SignedHeaders=host;x-acs-action;x-acs-content-sha256;x-acs-date;\
             x-acs-signature-nonce;x-acs-version,Signature={signature}"
        )
    );
}

#[test]
fn npms_openapi_core_signs_the_same() {
    let query = access().query("13800001234", day(), Some("1234^0"), 1, &stamp()).unwrap();
    for request in [send(), batch(), query] {
        let body = std::str::from_utf8(&request.body).unwrap();
        let headers: serde_json::Map<String, Value> = request
            .headers
            .iter()
            .filter(|(name, _)| *name != "authorization")
            .map(|(name, value)| ((*name).to_owned(), value.as_str().into()))
            .collect();
        let input = json!({"path": request.path, "headers": headers, "body": body, "keyId": KEY_ID, "secret": SECRET});
        let script = Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/peer.cjs");
        let Some(said) = peers::ask(&script, "@alicloud/openapi-core", &input.to_string()) else { return };
        let said: Value = serde_json::from_str(&said).unwrap();
        assert_eq!(said["authorization"].as_str(), request.header("authorization"));
        assert_ne!(said["other"].as_str(), request.header("authorization"));
        for (name, value) in form::decode_pairs(&request.body).unwrap() {
            assert_eq!(said["form"][&name].as_str(), Some(value.as_str()));
        }
    }
}

#[test]
fn fields_have_limits() {
    let access = access();
    let many = vec!["13800001234"; 1001];
    let of = |numbers: &[&str], out_id: &str| {
        access.send(&template(), numbers, &[], out_id, &stamp()).map(|_| ()).map_err(|error| error.to_string())
    };
    let numbers = Err("field `PhoneNumbers` is not 1 to 1000 numbers of eleven digits".to_owned());
    assert_eq!(
        [of(&[], "1"), of(&many, "1"), of(&["+8613800001234"], "1")],
        [numbers.clone(), numbers.clone(), numbers]
    );
    assert_eq!(of(&many[..1000], "1"), Ok(()));
    assert!(of(&["13800001234"], "a b").unwrap_err().contains("OutId"));
    let parcels = vec![Parcel { number: "13800001234".into(), values: vec![] }; 101];
    assert!(access.send_batch(&template(), &parcels, "1", &stamp()).is_err());
    assert!(access.send_batch(&template(), &parcels[..100], "1", &stamp()).is_ok());
    let twice = vec![("a".to_owned(), "1".to_owned()), ("a".to_owned(), "2".to_owned())];
    assert!(access.send(&template(), &["13800001234"], &twice, "1", &stamp()).is_err());
    let brackets = Template { sign_name: "【城南】".into(), ..template() };
    assert!(access.send(&brackets, &["13800001234"], &[], "1", &stamp()).is_err());
    let short = Stamp { nonce: "1".into(), ..stamp() };
    assert!(access.query("13800001234", day(), None, 1, &short).is_err());
    assert!(access.query("13800001234", day(), None, 0, &stamp()).is_err());
    assert!(Access::new("https://x", KEY_ID, Secret::new(SECRET)).is_err());
    assert!(Access::new("x", "", Secret::new(SECRET)).is_err());
}

#[test]
fn answers_become_outcomes() {
    let ok = answer::read(br#"{"Message":"OK","RequestId":"F655","Code":"OK","BizId":"900619746936498440^0"}"#);
    assert_eq!(ok, Ok(Outcome::Accepted { id: PlatformId::new("900619746936498440^0") }));
    for (code, act) in [
        ("isv.BUSINESS_LIMIT_CONTROL", Act::NextChannel),
        ("isv.MOBILE_NUMBER_ILLEGAL", Act::BadAddress),
        ("isv.DAY_LIMIT_CONTROL", Act::NextChannelUntilMidnight),
        ("isv.AMOUNT_NOT_ENOUGH", Act::Configuration),
        ("isv.SMS_TEMPLATE_ILLEGAL", Act::Configuration),
        ("InvalidAccessKeyId.NotFound", Act::Configuration),
        ("SignatureDoesNotMatch", Act::Configuration),
        ("isp.RAM_PERMISSION_DENY", Act::Configuration),
        ("Throttling.User", Act::SlowDown),
        ("isp.SYSTEM_ERROR", Act::Uncertain),
        ("isp.GATEWAY_ERROR", Act::Uncertain),
        ("isv.SOMETHING_NEW", Act::Unlisted),
    ] {
        let body = format!(r#"{{"Message":"x","RequestId":"1","Code":"{code}"}}"#);
        assert_eq!(answer::read(body.as_bytes()), Ok(Outcome::refused(act, code)));
    }
    assert_eq!(act_of("OK"), None);
    for body in ["", "<html/>", "{}", "[]", r#"{"Code":1}"#] {
        assert_eq!(answer::read(body.as_bytes()), Err(Error::Answer { why: "it is not JSON with a `Code`" }), "{body}");
    }
    assert!(answer::read(&vec![b' '; 65 * 1024]).is_err());
}

#[test]
fn details_of_a_day() {
    let body = r#"{"TotalCount":3,"Message":"OK","RequestId":"1","Code":"OK","SmsSendDetailDTOs":{"SmsSendDetailDTO":[
        {"SendDate":"2026-11-22 08:00:00","OutId":"m-42","SendStatus":3,"ReceiveDate":"2026-11-22 08:00:09","ErrCode":"DELIVERED","TemplateCode":"SMS_1","Content":"张三","PhoneNum":"13800001234"},
        {"SendStatus":1,"PhoneNum":"13800001234"},
        {"SendStatus":2,"ErrCode":"MK:0001","OutId":""}]}}"#;
    let detail =
        |out_id: &str, status, code: &str| Detail { out_id: PlatformId::new(out_id), status, code: Code::new(code) };
    let expected = vec![
        detail("m-42", SendStatus::Delivered, "DELIVERED"),
        detail("", SendStatus::Pending, ""),
        detail("", SendStatus::Failed, "MK:0001"),
    ];
    assert_eq!(details(body.as_bytes()), Ok(Ok((expected, 3))));
    let refused = details(br#"{"Code":"isp.SYSTEM_ERROR"}"#).unwrap().unwrap_err();
    assert_eq!(refused, Outcome::refused(Act::Uncertain, "isp.SYSTEM_ERROR"));
    assert_eq!(details(br#"{"Code":"OK","TotalCount":"51"}"#), Ok(Ok((vec![], 51))));
    let strange = br#"{"Code":"OK","SmsSendDetailDTOs":{"SmsSendDetailDTO":[{"SendStatus":4}]}}"#;
    assert_eq!(details(strange), Err(Error::Answer { why: "it has a `SendStatus` other than 1, 2 and 3" }));
}

#[test]
fn reports_are_read() {
    let push = r#"[{"phone_number":"13800001234","send_time":"2026-11-22 08:00:00","report_time":"2026-11-22 08:09:10","success":true,"err_code":"DELIVERED","err_msg":"用户接收成功","sms_size":"2","biz_id":"12345","out_id":"m-42"},
        {"phone_number":"x","success":false,"biz_id":"12346","report_time":"later"}]"#;
    let read = receipts::read(push.as_bytes()).unwrap();
    assert_eq!(read[0].phone, Phone::from_text("13800001234"));
    assert_eq!((read[0].biz_id.as_str(), read[0].delivered, read[0].parts), ("12345", true, 2));
    assert_eq!(read[0].out_id, PlatformId::new("m-42"));
    assert_eq!((read[0].code.as_str(), read[0].done), ("DELIVERED", day().at(8, 9)));
    assert_eq!((read[1].delivered, read[1].done, read[1].parts), (false, CivilMinute::NONE, 1));
    assert!(!read[1].phone.is_sendable());
    assert!(!format!("{read:?}").contains("13800001234"), "{read:?}");
    let many = format!("[{}]", vec![r#"{"phone_number":"1","success":true,"biz_id":"1"}"#; 1001].join(","));
    assert_eq!(receipts::read(many.as_bytes()), Err(Error::Reports { why: "they are more than 1000" }));
    for bad in ["", "{}", "[1]", r#"[{"phone_number":"1","success":"yes","biz_id":"1"}]"#] {
        assert_eq!(
            receipts::read(bad.as_bytes()),
            Err(Error::Reports { why: "they are no JSON array as documented" }),
            "{bad}"
        );
    }
    let nameless = r#"[{"phone_number":"1","success":true,"biz_id":""}]"#;
    assert_eq!(receipts::read(nameless.as_bytes()), Err(Error::Reports { why: "one has no `biz_id`" }));
}

proptest! {
    #[test]
    fn any_octets_are_read_or_refused(octets in proptest::collection::vec(any::<u8>(), 0..200), time in "[0-9: -]{0,24}") {
        let _ = (answer::read(&octets), details(&octets), receipts::read(&octets));
        let push = json!([{"phone_number": "13800001234", "success": true, "biz_id": "1", "report_time": time}]).to_string();
        let read = receipts::read(push.as_bytes()).unwrap();
        prop_assert_eq!(read.len(), 1);
    }
}
