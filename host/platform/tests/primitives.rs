//! The primitives that several platforms' signatures stand on.

use gridbell_platform::form::{FormError, decode_pairs, encode, encode_pairs};
use gridbell_platform::{Act, Code, Method, PlatformId, Request, Secret, bytes, of_status};
use proptest::prelude::*;

#[test]
fn what_is_shown_holds_no_secret() {
    let request = Request {
        method: Method::Post,
        path: "/cgi-bin/send?access_token=TOKEN".into(),
        headers: vec![("authorization", "SIGNATURE".into())],
        body: b"13800001234".to_vec(),
    };
    assert_eq!(
        format!("{request:?}"),
        "Request { method: Post, endpoint: \"/cgi-bin/send\", headers: [\"authorization\"], body_bytes: 11 }"
    );
    assert_eq!(format!("{:?}", Secret::new("hush")), "***");
}

#[test]
fn codes_and_ids_cannot_forge_a_line() {
    assert_eq!(Code::new("isv.BUSINESS\n2026 ERROR <b>").as_str(), "isv.BUSINESS?2026?ERROR??b?");
    assert_eq!(Code::new("x".repeat(1000)).as_str().len(), 64);
    assert!(PlatformId::new("1398732417").is_some());
    assert_eq!(["", "a b", "编号", &"9".repeat(129)].map(PlatformId::new), [None, None, None, None]);
}

#[test]
fn a_status_alone() {
    assert_eq!(of_status(200), None);
    assert_eq!(of_status(302), Some(Act::Configuration));
    assert_eq!(of_status(401), Some(Act::Configuration));
    assert_eq!(of_status(429), Some(Act::SlowDown));
    assert_eq!(of_status(503), Some(Act::Retry));
    assert_eq!(of_status(504), Some(Act::Uncertain));
}

#[test]
fn forms_that_cannot_be_read_are_refused() {
    assert_eq!(decode_pairs(b"a=1&a=2"), Err(FormError::Twice { index: 2 }));
    assert_eq!(decode_pairs(b"a=1&b=%e7%94"), Err(FormError::Encoding { index: 2 }));
    assert_eq!(decode_pairs(b"a=%4"), Err(FormError::Encoding { index: 1 }));
    assert_eq!(decode_pairs(b"a=%+1"), Err(FormError::Encoding { index: 1 }));
    let many: Vec<String> = (0..129).map(|i| format!("k{i}=v")).collect();
    assert_eq!(decode_pairs(many.join("&").as_bytes()), Err(FormError::TooMany));
    assert_eq!(decode_pairs(&[b'a'; 65 * 1024]), Err(FormError::TooLong));
    assert_eq!(encode("电 a+/~*"), "%E7%94%B5%20a%2B%2F~%2A");
}

proptest! {
    #[test]
    fn pairs_come_back(values in proptest::collection::vec(any::<String>(), 0..8)) {
        let pairs: Vec<(String, String)> =
            values.into_iter().enumerate().map(|(i, value)| (format!("k{i} 名"), value)).collect();
        let text = encode_pairs(pairs.iter().map(|(name, value)| (name.as_str(), value.as_str())));
        prop_assert!(text.is_ascii());
        prop_assert_eq!(decode_pairs(text.as_bytes()).unwrap(), pairs);
    }

    #[test]
    fn any_octets_are_read_or_refused(octets in proptest::collection::vec(any::<u8>(), 0..300)) {
        let _ = decode_pairs(&octets);
    }

    #[test]
    fn hexadecimal_comes_back(octets in proptest::collection::vec(any::<u8>(), 0..64), at in any::<proptest::sample::Index>()) {
        let text = bytes::hex(&octets);
        prop_assert_eq!(bytes::unhex(&text).unwrap(), octets.clone());
        prop_assert!(bytes::same(&octets, &octets));
        if !octets.is_empty() {
            let mut other = octets.clone();
            other[at.index(octets.len())] ^= 1;
            prop_assert!(!bytes::same(&octets, &other));
        }
    }
}
