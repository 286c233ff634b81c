//! Webhooks there and back, against npm's `standardwebhooks`, and everything that must not be let in.

#[path = "../../platform/tests/support/peers.rs"]
mod peers;

use std::path::Path;

use gridbell_model::Moment;
use gridbell_platform::Act;
use gridbell_webhook::{Error, Headers, ReplayWindow, Signer, TOLERANCE_MS, Verifier, WebhookSecret, act_of};
use proptest::prelude::*;
use serde_json::{Value, json};

/// The specification's own example.
const SECRET: &str = "whsec_MfKQ9r8GKYqrTwjUPD8ILPZIo2LaLaSw";
const OTHER: &str = "whsec_C2FVsBQIhrscChlQIMV+b5sSYspob7oD";

fn secret(text: &str) -> WebhookSecret {
    WebhookSecret::read(text).expect("a secret")
}

fn at(seconds: i64) -> Moment {
    Moment::from_unix_ms(seconds * 1000)
}

fn headers(request: &gridbell_platform::Request) -> Headers<'_> {
    let value = |name| request.header(name).unwrap_or_default();
    Headers { id: value("webhook-id"), timestamp: value("webhook-timestamp"), signature: value("webhook-signature") }
}

#[test]
fn the_specifications_example() {
    let body = br#"{"test": 2432232314}"#;
    let signer = Signer::new(secret(SECRET), None);
    let request = signer.request("/hook", "msg_p5jXN8AQM9LWM0D4loKWxJek", body.to_vec(), at(1_614_265_330)).unwrap();
    assert_eq!(request.header("webhook-signature"), Some("v1,g0hM9SsE+OTPJTGt/tmIKtSyZlE3uFJELVlNIOLJ1OE="));
    let mut verifier = Verifier::new(secret(SECRET), 10);
    assert_eq!(verifier.admit(headers(&request), body, at(1_614_265_331)), Ok(()));
    assert_eq!(verifier.admit(headers(&request), body, at(1_614_265_332)), Err(Error::Replay));
    verifier.forget("msg_p5jXN8AQM9LWM0D4loKWxJek");
    assert_eq!(verifier.admit(headers(&request), body, at(1_614_265_333)), Ok(()));
}

#[test]
fn npms_standardwebhooks_agrees_both_ways() {
    let body = "{\"文\":\"停电 .1.\"}";
    let signer = Signer::new(secret(SECRET), Some(secret(OTHER)));
    let request = signer.request("/hook", "d-1", body.as_bytes().to_vec(), at(1_795_320_000)).unwrap();
    let all: serde_json::Map<String, Value> =
        request.headers.iter().map(|(name, value)| ((*name).to_owned(), value.as_str().into())).collect();
    let script = Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/peer.cjs");
    // A receiver with the new secret, and one that still has the old.
    for theirs in [SECRET, OTHER] {
        let input = json!({"secret": theirs, "headers": all, "body": body, "id": "d-2", "timestamp": 1_795_320_010});
        let Some(said) = peers::ask(&script, "standardwebhooks", &input.to_string()) else { return };
        let said: Value = serde_json::from_str(&said).unwrap();
        assert_eq!((&said["accepted"], &said["changed"]), (&json!(true), &json!(false)), "{theirs}");
        let signed = Headers { id: "d-2", timestamp: "1795320010", signature: said["signature"].as_str().unwrap() };
        assert_eq!(Verifier::new(secret(theirs), 10).admit(signed, body.as_bytes(), at(1_795_320_011)), Ok(()));
    }
}

#[test]
fn what_is_not_let_in() {
    let signer = Signer::new(secret(SECRET), None);
    let request = signer.request("/hook", "d-1", b"{}".to_vec(), at(1000)).unwrap();
    let good = headers(&request);
    let admit =
        |headers: Headers<'_>, body: &[u8], now: Moment| Verifier::new(secret(SECRET), 1).admit(headers, body, now);
    assert_eq!(admit(good, b"{}", at(1300)), Ok(()));
    assert_eq!(admit(good, b"{}", at(700)), Ok(()));
    assert_eq!(admit(good, b"{}", at(1301)), Err(Error::Time));
    assert_eq!(admit(good, b"{}", at(699)), Err(Error::Time));
    assert_eq!(admit(good, b"{ }", at(1000)), Err(Error::Signature));
    assert_eq!(admit(Headers { id: "d-2", ..good }, b"{}", at(1000)), Err(Error::Signature));
    assert_eq!(admit(Headers { timestamp: "1001", ..good }, b"{}", at(1000)), Err(Error::Signature));
    let other = good.signature.replace("v1,", "v2,");
    assert_eq!(admit(Headers { signature: &other, ..good }, b"{}", at(1000)), Err(Error::Signature));
    let ninth = format!("{}{}", "v1,x ".repeat(8), good.signature);
    assert_eq!(admit(Headers { signature: &ninth, ..good }, b"{}", at(1000)), Err(Error::Signature));
    assert!(matches!(admit(Headers { signature: "", ..good }, b"{}", at(1000)), Err(Error::Header { .. })));
    for timestamp in ["", "+1000", "1e3", "99999999999999999999"] {
        assert!(
            matches!(admit(Headers { timestamp, ..good }, b"{}", at(1000)), Err(Error::Header { .. })),
            "{timestamp}"
        );
    }
    // A dot in the id would let the parts of one text be read as those of another.
    assert!(matches!(admit(Headers { id: "d.1", ..good }, b"{}", at(1000)), Err(Error::Header { .. })));
    assert_eq!(admit(good, &vec![0; 257 * 1024], at(1000)), Err(Error::TooLong));
    assert_eq!(signer.request("/", "a.b", vec![], at(0)), Err(Error::Id));
    assert_eq!(signer.request("/", "a", vec![0; 257 * 1024], at(0)), Err(Error::TooLong));
}

#[test]
fn secrets_are_long_and_not_shown() {
    for text in ["", "whsec_", "whsec_c2hvcnQ=", "not base64!", &"A".repeat(400)] {
        assert!(matches!(WebhookSecret::read(text), Err(Error::Secret)), "{text}");
    }
    let shown = format!("{:?}", Signer::new(secret(SECRET), None));
    assert_eq!(shown, "Signer { secret: WebhookSecret(***), previous: None }");
}

#[test]
fn a_full_memory_refuses_and_recovers() {
    let mut window = ReplayWindow::new(2);
    assert_eq!(window.admit("a", at(10), at(0)), Ok(()));
    assert_eq!(window.admit("b", at(20), at(0)), Ok(()));
    assert_eq!(window.admit("c", at(20), at(10)), Err(Error::Full));
    assert_eq!(window.admit("a", at(10), at(10)), Err(Error::Replay));
    assert_eq!(window.admit("c", at(21), at(11)), Ok(()));
    assert_eq!(window.len(), 2);
}

#[test]
fn a_receivers_status() {
    assert_eq!([200, 204, 299].map(act_of), [None; 3]);
    assert_eq!([408, 500, 503, 504].map(act_of), [Some(Act::Retry); 4]);
    assert_eq!([302, 400, 401, 404, 410].map(act_of), [Some(Act::Configuration); 5]);
    assert_eq!(act_of(429), Some(Act::SlowDown));
}

proptest! {
    #[test]
    fn each_comes_in_once_whatever_the_order(deliveries in proptest::collection::vec((0_u8..30, 0_i64..1200, 0_i64..1200), 0..200)) {
        let signer = Signer::new(secret(SECRET), None);
        let mut verifier = Verifier::new(secret(SECRET), 16);
        let (mut now, mut entered) = (0, std::collections::HashMap::<u8, i64>::new());
        for (id, sent, pass) in deliveries {
            now += pass / 8;
            let sent = now + sent - 600;
            let Ok(request) = signer.request("/", &format!("d{id}"), vec![id], at(sent.max(0))) else { unreachable!() };
            let before = now - TOLERANCE_MS / 1000;
            if verifier.admit(headers(&request), &[id], at(now)).is_ok() {
                prop_assert!((sent.max(0) - now).abs() <= 300);
                // In again only where the earlier one's time had passed.
                prop_assert!(entered.insert(id, sent.max(0)).is_none_or(|earlier| earlier < before));
            }
        }
    }

    #[test]
    fn any_headers_are_read_or_refused(id in any::<String>(), timestamp in any::<String>(), signature in any::<String>(), body in any::<Vec<u8>>()) {
        let headers = Headers { id: &id, timestamp: &timestamp, signature: &signature };
        prop_assert!(Verifier::new(secret(SECRET), 4).admit(headers, &body, at(0)).is_err());
    }
}
