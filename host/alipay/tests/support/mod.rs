//! An account for the tests, and the platform's side of it.
#![allow(dead_code, clippy::unwrap_used, reason = "a test's own; each test file uses some of it")]

use std::sync::LazyLock;

use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use gridbell_alipay::{Account, AlipayKey, AppKey, Call, Colored, Recipient, Template};
use gridbell_model::{Date, Moment};
use gridbell_platform::form;
use ring::rand::SystemRandom;
use ring::signature::{RSA_PKCS1_SHA256, RsaKeyPair};

pub(crate) const APP_ID: &str = "2021000000000001";

pub(crate) fn pem(name: &str) -> String {
    let file = format!("{}/tests/keys/{name}.pem", env!("CARGO_MANIFEST_DIR"));
    std::fs::read_to_string(file).unwrap()
}

pub(crate) fn account() -> Account {
    let keys = (AppKey::read(&pem("app-pkcs8")).unwrap(), AlipayKey::read(&pem("alipay-public")).unwrap());
    Account::new(APP_ID, keys.0, keys.1).unwrap()
}

/// One account for tests that ask often.
pub(crate) fn shared() -> &'static Account {
    static ACCOUNT: LazyLock<Account> = LazyLock::new(account);
    &ACCOUNT
}

pub(crate) fn now() -> Moment {
    Date::from_ymd(2026, 11, 22).unwrap().at(8, 9).moment().plus_ms(10_999)
}

pub(crate) fn recipient() -> Recipient {
    Recipient::UserId("2088102122458832".into())
}

pub(crate) fn template() -> Template {
    let colored = |value: &str| Colored { value: value.into(), color: "#173177".into() };
    Template {
        id: "d905fa60b99e47d7".into(),
        head_color: "#173177".into(),
        url: "https://example.com/bill?a=1&b=2".into(),
        action_name: "查看详情".into(),
        first: Some(colored("您有一笔电费待缴")),
        keywords: vec![colored("0123456789"), Colored { value: "88.50元 & more=+".into(), color: "#85be53".into() }],
        remark: Some(colored("如已缴费请忽略")),
    }
}

/// The platform's signature of a text.
pub(crate) fn sign(text: &str) -> String {
    let bare: String = pem("alipay-private").lines().filter(|line| !line.starts_with('-')).collect();
    let key = RsaKeyPair::from_pkcs8(&STANDARD.decode(bare).unwrap()).unwrap();
    let mut signature = vec![0; key.public().modulus_len()];
    key.sign(&RSA_PKCS1_SHA256, &SystemRandom::new(), text.as_bytes(), &mut signature).unwrap();
    STANDARD.encode(signature)
}

pub(crate) fn answer_of(call: Call, raw: &str) -> String {
    format!(r#"{{"{}":{raw},"sign":"{}"}}"#, call.response(), sign(raw))
}

pub(crate) fn notice_of(fields: &[(&str, &str)]) -> String {
    let mut sorted = fields.to_vec();
    sorted.sort_unstable();
    let text: Vec<String> = sorted.iter().map(|(name, value)| format!("{name}={value}")).collect();
    let sign = sign(&text.join("&"));
    form::encode_pairs(fields.iter().copied().chain([("sign", sign.as_str()), ("sign_type", "RSA2")]))
}
