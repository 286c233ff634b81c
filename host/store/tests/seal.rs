//! Keys come in and stay secret; what is sealed opens only with its key and under its record.

use std::fs;
use std::os::unix::fs::PermissionsExt;

use gridbell_store::{Key, KeyError, KeyOrigin, SEAL_OVERHEAD_BYTES, SealError, Sealer};
use proptest::prelude::*;

const HEX: &str = "000102030405060708090a0b0c0d0e0f101112131415161718191A1B1C1D1E1F";
const BASE64: &str = "AAECAwQFBgcICQoLDA0ODxAREhMUFRYXGBkaGxwdHh8=";

fn key(fill: u8) -> Key {
    Key::parse(&format!("{fill:02x}").repeat(32), "the test").unwrap_or_else(|e| panic!("{e}"))
}

#[test]
fn hex_and_base64_name_the_same_key() {
    let id = Key::parse(HEX, "the test").unwrap().id();
    assert_eq!(Key::parse(&format!(" {BASE64}\n"), "the test").unwrap().id(), id);
    assert_ne!(key(1).id(), id);
}

#[test]
fn what_is_no_key_is_refused_without_being_repeated() {
    for text in [
        "",
        "secret",
        &HEX[2..],
        &"g".repeat(64),
        &"=".repeat(44),
        &BASE64.replace('8', "9"),
        &BASE64.replace('=', "A"),
    ] {
        let error = Key::parse(text, "the key file `k`").unwrap_err();
        assert!(matches!(error, KeyError::Malformed { .. }), "{text}");
        assert!(text.is_empty() || !error.to_string().contains(text));
    }
    assert!(matches!(Key::from_env("GRIDBELL_TEST_NO_SUCH_KEY"), Err(KeyError::NotSet { .. })));
}

#[test]
fn a_missing_file_is_made_once_for_its_owner_only() {
    let dir = tempfile::tempdir().unwrap();
    let path = dir.path().join("contacts.key");
    let (made, origin) = Key::load_or_create(&path).unwrap();
    assert_eq!(origin, KeyOrigin::Created);
    assert_eq!(fs::metadata(&path).unwrap().permissions().mode() & 0o777, 0o600);
    assert_eq!(fs::read_dir(dir.path()).unwrap().count(), 1);
    let (loaded, origin) = Key::load_or_create(&path).unwrap();
    assert_eq!((loaded.id(), origin), (made.id(), KeyOrigin::Existing));
    fs::set_permissions(&path, fs::Permissions::from_mode(0o644)).unwrap();
    let error = Key::load_or_create(&path).unwrap_err();
    assert!(error.to_string().contains("chmod 600"), "{error}");
    fs::set_permissions(&path, fs::Permissions::from_mode(0o600)).unwrap();
    fs::write(&path, "no key").unwrap();
    assert!(matches!(Key::load_or_create(&path), Err(KeyError::Malformed { .. })), "a spoilt file is never replaced");
}

#[test]
fn a_wrong_key_is_named_and_an_older_one_opens() {
    let sealed = Sealer::new(&key(1)).seal(b"record", b"13812345678").unwrap();
    let other = Sealer::new(&key(2));
    assert!(other.is_outdated(&sealed));
    let error = other.open(b"record", &sealed).unwrap_err();
    assert!(matches!(error, SealError::WrongKey { .. }));
    assert!(error.to_string().contains("key file"));
    let rotated = other.with_older(&key(1));
    assert_eq!(rotated.open(b"record", &sealed).unwrap(), b"13812345678");
    assert!(!rotated.is_outdated(&rotated.seal(b"record", b"x").unwrap()));
}

#[test]
fn debugging_shows_no_key() {
    let key = Key::parse(HEX, "the test").unwrap();
    assert!(!format!("{key:?} {:?}", Sealer::new(&key)).contains("0001020304"));
}

proptest! {
    #[test]
    fn sealed_values_open_under_their_record_only(record in prop::collection::vec(any::<u8>(), 1..40), value in prop::collection::vec(any::<u8>(), 0..300)) {
        let sealer = Sealer::new(&key(7));
        let sealed = sealer.seal(&record, &value).unwrap();
        prop_assert_eq!(sealed.len(), value.len() + SEAL_OVERHEAD_BYTES);
        prop_assert_eq!(sealer.open(&record, &sealed).unwrap(), value.clone());
        prop_assert_ne!(sealer.seal(&record, &value).unwrap(), sealed.clone(), "nonces differ");
        let mut elsewhere = record.clone();
        elsewhere.push(0);
        prop_assert_eq!(sealer.open(&elsewhere, &sealed), Err(SealError::Broken));
    }

    #[test]
    fn a_changed_bit_never_opens(at in any::<prop::sample::Index>(), bit in 0..8_u8) {
        let sealer = Sealer::new(&key(7));
        let mut sealed = sealer.seal(b"record", b"13812345678").unwrap();
        let at = at.index(sealed.len());
        sealed[at] ^= 1 << bit;
        prop_assert!(sealer.open(b"record", &sealed).is_err());
    }

    #[test]
    fn anything_else_is_refused_without_a_panic(bytes in prop::collection::vec(any::<u8>(), 0..80)) {
        prop_assert!(Sealer::new(&key(7)).open(b"record", &bytes).is_err());
    }
}
