//! A series of archives through its public face: what goes in comes out, and whatever is done to a file shows.

#![expect(clippy::unwrap_used, reason = "a test stops where it fails")]

use std::path::Path;
use std::sync::Arc;

use gridbell_archive::{Archive, ArchiveError, BLOCK_BYTES, Entry, Kind, Query};
use gridbell_model::{AccountNumber, Date, Moment, Phone};
use gridbell_store::{Key, Sealer};
use proptest::prelude::*;

fn sealer(fill: u8) -> Arc<Sealer> {
    Arc::new(Sealer::new(&Key::parse(&format!("{fill:02x}").repeat(32), "the test").unwrap()))
}

fn series(directory: &Path) -> Archive {
    Archive::new(directory, sealer(7))
}

fn account(n: u64) -> AccountNumber {
    format!("{n:010}").parse().unwrap()
}

fn phone(n: u64) -> Phone {
    Phone::from_text(&format!("138{n:08}"))
}

fn day(n: i32) -> Date {
    Date::from_ymd(2026, 1, 1).unwrap().plus_days(n)
}

fn message(archive: &Archive, n: u64, on: i32) -> Entry {
    Entry {
        kind: if n.is_multiple_of(3) { Kind::Decision } else { Kind::Message },
        at: day(on).at(9, 0).moment(),
        keys: [Some(archive.account_key(account(n))), archive.phone_key(phone(n))].into_iter().flatten().collect(),
        body: format!("{{\"account\":\"{}\",\"text\":\"第{n}条\"}}", account(n)),
    }
}

/// Writes one file behind the last, about accounts `from..to`.
fn write(archive: &Archive, from: u64, to: u64, on: i32) {
    let last = archive.list().unwrap().pop();
    let (number, head) = last.map_or((1, [0; 32]), |f| (f.number + 1, f.head));
    let mut out = archive.begin(number, head, Moment::from_unix_ms(number as i64)).unwrap();
    for n in from..to {
        out.push(message(archive, n, on)).unwrap();
    }
    let finished = out.finish(format!("note {number}").as_bytes()).unwrap();
    assert_eq!(finished.entries.values().sum::<u64>(), to - from);
    assert_eq!(finished.bytes, std::fs::metadata(&finished.path).unwrap().len());
}

fn all() -> Query {
    Query { keys: vec![], kinds: vec![], from: Date::NONE, to: Date::NONE, limit: usize::MAX }
}

#[test]
fn entries_are_found_by_account_number_kind_and_day_over_all_files() {
    let dir = tempfile::tempdir().unwrap();
    let archive = series(&dir.path().join("archives"));
    assert_eq!(archive.list().unwrap(), vec![]);
    assert_eq!(archive.verify(None).unwrap().files, 0);
    // The first is of several blocks.
    let many = (3 * BLOCK_BYTES / 60) as u64;
    write(&archive, 0, many, 0);
    write(&archive, 5, 8, 40);
    let files = archive.list().unwrap();
    assert!(files[0].blocks > 2, "{files:?}");
    assert_eq!((files[1].from, files[1].to, files[1].entries), (day(40), day(40), 3));
    let find = |query: &Query| {
        let found = archive.search(2, query).unwrap();
        found.iter().map(|f| (f.file, f.entry.kind, f.entry.at.date())).collect::<Vec<_>>()
    };
    let of = |n| Query { keys: archive.account_keys(account(n)), ..all() };
    assert_eq!(find(&of(5)), [(2, Kind::Message, day(40)), (1, Kind::Message, day(0))], "the newest first");
    assert_eq!(find(&Query { from: day(1), ..of(5) }), [(2, Kind::Message, day(40))]);
    assert_eq!(find(&Query { to: day(39), ..of(5) }), [(1, Kind::Message, day(0))]);
    assert_eq!(find(&Query { limit: 1, ..of(5) }).len(), 1);
    assert_eq!(find(&Query { kinds: vec![Kind::Decision], ..of(5) }), []);
    assert_eq!(find(&Query { kinds: vec![Kind::Decision], from: day(1), ..all() }), [(2, Kind::Decision, day(40))]);
    assert_eq!(find(&Query { keys: archive.phone_keys(phone(many - 1)), ..all() }).len(), 1);
    assert_eq!(find(&of(many)), []);
    assert_eq!(archive.search(1, &of(5)).unwrap().len(), 1, "what the store does not know is not found");
    let verified = archive.verify(Some((2, files[1].head))).unwrap();
    assert_eq!((verified.files, verified.first, verified.last, verified.head), (2, 1, 2, files[1].head));
    assert_eq!(verified.entries.values().sum::<u64>(), many + 3);
    assert_eq!(archive.note_of(2, &files[0].head).unwrap(), (b"note 2".to_vec(), files[1].head));
}

#[test]
fn nobody_without_the_key_reads_a_text_or_tries_numbers() {
    let dir = tempfile::tempdir().unwrap();
    let archive = series(dir.path());
    write(&archive, 0, 50, 0);
    let other = Archive::new(dir.path(), sealer(8));
    assert!(matches!(other.verify(None), Err(ArchiveError::Sealed { block: 1, .. })));
    assert!(!other.verify(None).unwrap_err().is_finding(), "the wrong key is no damage");
    assert_ne!(other.phone_keys(phone(1)), archive.phone_keys(phone(1)));
    assert_eq!(archive.phone_keys(Phone::NONE), vec![]);
    let bytes = std::fs::read(archive.path(1)).unwrap();
    for clear in ["第1条".as_bytes(), b"13800000001", b"0000000001"] {
        assert!(!bytes.windows(clear.len()).any(|w| w == clear), "{}", String::from_utf8_lossy(clear));
    }
    // Both keys at hand, as after a change of the key: what the older one wrote is found.
    let key = |fill: u8| Key::parse(&format!("{fill:02x}").repeat(32), "the test").unwrap();
    let both = Archive::new(dir.path(), Arc::new(Sealer::new(&key(8)).with_older(&key(7))));
    let query = Query { keys: both.account_keys(account(1)), ..all() };
    assert_eq!(both.search(1, &query).unwrap().len(), 1);
}

#[test]
fn files_that_are_missing_exchanged_or_of_another_series_are_named() {
    let dir = tempfile::tempdir().unwrap();
    let archive = series(dir.path());
    for n in 0..3 {
        write(&archive, n * 10, n * 10 + 10, n as i32);
    }
    let head = archive.list().unwrap()[2].head;
    let keep = std::fs::read(archive.path(3)).unwrap();
    std::fs::remove_file(archive.path(3)).unwrap();
    assert!(archive.verify(None).is_ok(), "only the store knows that there was one more");
    let e = archive.verify(Some((3, head))).unwrap_err();
    assert!(matches!(e, ArchiveError::Missing { .. }) && e.to_string().contains("archive-000003.gba"), "{e}");
    // Another file with this number, written to follow: whole, but the store knows it as another.
    write(&archive, 99, 100, 3);
    assert!(archive.verify(None).is_ok());
    assert!(archive.verify(Some((3, head))).unwrap_err().to_string().contains("the store knows another"));
    std::fs::write(archive.path(3), &keep).unwrap();
    // One of another series.
    let elsewhere = tempfile::tempdir().unwrap();
    let other = series(elsewhere.path());
    (0..3).for_each(|_| write(&other, 7, 9, 1));
    std::fs::copy(other.path(3), archive.path(3)).unwrap();
    assert!(matches!(archive.verify(None), Err(ArchiveError::Unchained { .. })));
    std::fs::copy(archive.path(2), archive.path(3)).unwrap();
    let e = archive.verify(None).unwrap_err();
    assert!(e.to_string().contains("archive-000003.gba") && e.is_finding(), "{e}");
    std::fs::write(archive.path(3), &keep).unwrap();
    std::fs::rename(archive.path(2), dir.path().join("elsewhere")).unwrap();
    assert!(matches!(archive.verify(None), Err(ArchiveError::Missing { .. })), "a gap");
    std::fs::remove_file(archive.path(1)).unwrap();
    assert_eq!(archive.verify(Some((3, head))).unwrap().first, 3, "old files may be taken elsewhere");
}

#[test]
fn a_writer_that_is_dropped_or_killed_leaves_no_file() {
    let dir = tempfile::tempdir().unwrap();
    let archive = series(dir.path());
    let mut out = archive.begin(1, [0; 32], Moment::from_unix_ms(0)).unwrap();
    out.push(message(&archive, 1, 0)).unwrap();
    drop(out);
    assert_eq!(std::fs::read_dir(dir.path()).unwrap().count(), 0);
    // Killed: the drop never came.
    std::fs::write(dir.path().join("archive-000001.unfinished"), b"half").unwrap();
    assert_eq!(archive.numbers().unwrap(), Vec::<u64>::new());
    write(&archive, 0, 5, 0);
    assert_eq!(std::fs::read_dir(dir.path()).unwrap().count(), 1);
    archive.verify(None).unwrap();
    // A file that is there is never replaced.
    let out = archive.begin(1, [0; 32], Moment::from_unix_ms(0)).unwrap();
    assert!(out.finish(b"").is_err());
    assert_eq!(archive.verify(None).unwrap().entries.values().sum::<u64>(), 5);
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(200))]

    #[test]
    fn a_changed_byte_anywhere_is_found_and_its_file_named(at in any::<prop::sample::Index>(), bit in 0..8_u8) {
        let dir = tempfile::tempdir().unwrap();
        let archive = series(dir.path());
        write(&archive, 0, 30, 0);
        write(&archive, 30, 40, 1);
        let mut bytes = std::fs::read(archive.path(1)).unwrap();
        let at = at.index(bytes.len());
        bytes[at] ^= 1 << bit;
        std::fs::write(archive.path(1), &bytes).unwrap();
        let e = archive.verify(None).unwrap_err();
        prop_assert!(e.to_string().contains("archive-000001.gba"), "byte {}: {}", at, e);
    }

    #[test]
    fn any_bytes_are_read_or_refused(mut bytes in prop::collection::vec(any::<u8>(), 0..400), cut in any::<prop::sample::Index>(), real in any::<bool>()) {
        let dir = tempfile::tempdir().unwrap();
        let archive = series(dir.path());
        if real {
            write(&archive, 0, 10, 0);
            let whole = std::fs::read(archive.path(1)).unwrap();
            let cut = cut.index(whole.len());
            bytes = [&whole[..cut], &bytes].concat();
        }
        std::fs::write(archive.path(1), &bytes).unwrap();
        prop_assert!(archive.verify(None).is_err());
        let _ = archive.list();
        let _ = archive.search(9, &all());
        let _ = archive.note_of(1, &[0; 32]);
    }
}
