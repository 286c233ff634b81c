//! Every code of the platforms' tables, and what a link does about it.
#![expect(clippy::unwrap_used, reason = "a test ends where its bench is not as built")]

use std::collections::BTreeMap;

use gridbell_channels::http::{Meaning, PlatformAction, Verdict, verdict_of};
use gridbell_model::{CarrierKey, Date, Moment};
use gridbell_platform::{Act, Outcome, PlatformId, of_status};

fn noon() -> Moment {
    Date::from_ymd(2026, 11, 22).unwrap().at(12, 0).moment()
}

fn midnight() -> Meaning {
    Meaning::NextChannelUntil { until: Date::from_ymd(2026, 11, 23).unwrap().at(0, 0).moment() }
}

/// What one refusal becomes: its meaning, `None` for a refresh of credentials or an uncertain end.
fn means(act: Act, code: &str, codes: &BTreeMap<String, PlatformAction>) -> Result<Meaning, &'static str> {
    match verdict_of(Outcome::refused(act, code), CarrierKey::from(0), codes, noon()) {
        Verdict::Declined { means, code: kept } => {
            assert_eq!(kept.as_str(), code);
            Ok(means)
        }
        Verdict::Refresh { .. } => Err("refresh"),
        Verdict::Uncertain { .. } => Err("uncertain"),
        Verdict::Accepted { .. } => Err("accepted"),
    }
}

const SLOW: Meaning = Meaning::SlowDown { until: None };

#[test]
fn wechat() {
    let none = BTreeMap::new();
    for (code, expected) in [
        (-1, Ok(Meaning::Retry)),
        (40001, Err("refresh")),
        (40014, Err("refresh")),
        (42001, Err("refresh")),
        (40003, Ok(Meaning::NextChannel)),
        (43004, Ok(Meaning::NextChannel)),
        (43101, Ok(Meaning::NextChannel)),
        (45009, Ok(midnight())),
        (45011, Ok(SLOW)),
        (40037, Ok(Meaning::Configuration)),
        (47001, Ok(Meaning::Configuration)),
        (45047, Ok(Meaning::Retry)),
    ] {
        let act = gridbell_wechat::answer::act_of(code).unwrap();
        assert_eq!(means(act, &code.to_string(), &none), expected, "{code}");
    }
    assert_eq!(gridbell_wechat::answer::act_of(0), None);
}

#[test]
fn alipay() {
    let none = BTreeMap::new();
    for (code, sub, expected) in [
        ("20000", "isp.unknow-error", Ok(Meaning::Retry)),
        ("20001", "aop.invalid-auth-token", Ok(Meaning::Configuration)),
        ("40001", "isv.missing-signature", Ok(Meaning::Configuration)),
        ("40002", "isv.invalid-signature", Ok(Meaning::Configuration)),
        ("40003", "", Ok(Meaning::Configuration)),
        ("40006", "isv.insufficient-isv-permissions", Ok(Meaning::Configuration)),
        ("40004", "PUB.MSG_SD_NOFOLLOW", Ok(Meaning::NextChannel)),
        ("40004", "PUB.MSG_TEMPLATE_NOT_EXIST", Ok(Meaning::Configuration)),
        ("40004", "isv.invalid-parameter", Ok(Meaning::Configuration)),
        ("40004", "isp.unknow-error", Ok(Meaning::Retry)),
        ("40005", "isv.app-call-limited", Ok(SLOW)),
        ("40004", "PUB.SOMETHING", Ok(Meaning::Retry)),
    ] {
        let shown = if sub.is_empty() { code } else { sub };
        assert_eq!(means(gridbell_alipay::act_of(code, sub), shown, &none), expected, "{code} {sub}");
    }
}

#[test]
fn aliyun() {
    let none = BTreeMap::new();
    let configuration = [
        "isv.ACCOUNT_ABNORMAL",
        "isv.ACCOUNT_NOT_EXISTS",
        "isv.AMOUNT_NOT_ENOUGH",
        "isv.DENY_IP_RANGE",
        "isv.INVALID_JSON_PARAM",
        "isv.INVALID_PARAMETERS",
        "isv.OUT_OF_SERVICE",
        "isv.PARAM_LENGTH_LIMIT",
        "isv.PRODUCT_UNSUBSCRIBE",
        "isv.PRODUCT_UN_SUBSCRIPT",
        "isp.RAM_PERMISSION_DENY",
        "isv.SMS_SIGNATURE_ILLEGAL",
        "isv.SMS_SIGNATURE_SCENE_ILLEGAL",
        "isv.SMS_SIGN_ILLEGAL",
        "isv.SMS_TEMPLATE_ILLEGAL",
        "isv.TEMPLATE_MISSING_PARAMETERS",
        "isv.TEMPLATE_PARAMS_ILLEGAL",
        "isv.EXTEND_CODE_ERROR",
        "SignatureDoesNotMatch",
        "InvalidAccessKeyId.NotFound",
        "InvalidTimeStamp.Expired",
        "Forbidden.RAM",
    ];
    for code in configuration {
        let act = gridbell_aliyun::answer::act_of(code).unwrap();
        assert_eq!(means(act, code, &none), Ok(Meaning::Configuration), "{code}");
    }
    for (code, expected) in [
        ("isv.MOBILE_NUMBER_ILLEGAL", Ok(Meaning::BadAddress)),
        ("isv.BUSINESS_LIMIT_CONTROL", Ok(Meaning::NextChannel)),
        ("isv.BLACK_KEY_CONTROL_LIMIT", Ok(Meaning::NextChannel)),
        ("isv.CUSTOMER_REFUSED", Ok(Meaning::NextChannel)),
        ("isv.DAY_LIMIT_CONTROL", Ok(midnight())),
        ("isv.MONTH_LIMIT_CONTROL", Ok(midnight())),
        ("isv.SMS_CONTENT_ILLEGAL", Ok(Meaning::OurBug)),
        ("SignatureNonceUsed", Ok(Meaning::Retry)),
        ("Throttling.User", Ok(SLOW)),
        ("isp.SYSTEM_ERROR", Err("uncertain")),
        ("InternalError", Err("uncertain")),
        ("isv.NEW_WORD", Ok(Meaning::Retry)),
    ] {
        let act = gridbell_aliyun::answer::act_of(code).unwrap();
        assert_eq!(means(act, code, &none), expected, "{code}");
    }
    assert_eq!(gridbell_aliyun::answer::act_of("OK"), None);
}

#[test]
fn http_and_webhooks() {
    let none = BTreeMap::new();
    for (status, expected) in [
        (301, Ok(Meaning::Configuration)),
        (302, Ok(Meaning::Configuration)),
        (400, Ok(Meaning::Configuration)),
        (404, Ok(Meaning::Configuration)),
        (408, Err("uncertain")),
        (429, Ok(SLOW)),
        (500, Ok(Meaning::Retry)),
        (502, Err("uncertain")),
        (503, Ok(Meaning::Retry)),
        (504, Err("uncertain")),
    ] {
        assert_eq!(means(of_status(status).unwrap(), "x", &none), expected, "{status}");
    }
    assert_eq!((of_status(200), gridbell_webhook::act_of(204)), (None, None));
    // A receiver that knows a webhook again is simply asked again.
    for status in [408, 500, 502, 504] {
        assert_eq!(means(gridbell_webhook::act_of(status).unwrap(), "x", &none), Ok(Meaning::Retry), "{status}");
    }
    assert_eq!(means(gridbell_webhook::act_of(410).unwrap(), "x", &none), Ok(Meaning::Configuration));
    assert_eq!(means(gridbell_webhook::act_of(422).unwrap(), "x", &none), Ok(Meaning::NextChannel));
}

#[test]
fn what_is_in_no_table_is_the_operators_to_say() {
    let codes: BTreeMap<String, PlatformAction> = [
        ("1", PlatformAction::Retry),
        ("2", PlatformAction::SlowDown),
        ("3", PlatformAction::NextChannel),
        ("4", PlatformAction::NextChannelUntilMidnight),
        ("5", PlatformAction::BadAddress),
        ("6", PlatformAction::GiveUp),
        ("7", PlatformAction::Stop),
    ]
    .map(|(code, action)| (code.to_owned(), action))
    .into();
    let expected = [
        Meaning::Retry,
        SLOW,
        Meaning::NextChannel,
        midnight(),
        Meaning::BadAddress,
        Meaning::GiveUp,
        Meaning::Configuration,
        Meaning::Retry,
    ];
    for (code, expected) in (1..).zip(expected) {
        assert_eq!(means(Act::Unlisted, &code.to_string(), &codes), Ok(expected), "{code}");
    }
    // What is in a table is not.
    assert_eq!(means(Act::NextChannel, "1", &codes), Ok(Meaning::NextChannel));
    let accepted = |id: Option<&str>| {
        let id = id.map(|id| PlatformId::new(id).unwrap());
        verdict_of(Outcome::Accepted { id }, CarrierKey::text("ours"), &codes, noon())
    };
    assert_eq!(accepted(Some("7")), Verdict::Accepted { key: CarrierKey::text("7") });
    assert_eq!(accepted(None), Verdict::Accepted { key: CarrierKey::text("ours") });
}
