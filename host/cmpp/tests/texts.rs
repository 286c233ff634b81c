//! Texts cut and put together, report words, and what each result code asks for.
#![expect(clippy::unwrap_used, reason = "a test that cannot be set up has failed")]

use std::time::Duration;

use gridbell_cmpp::assemble::{Assembled, Assembler, MAX_PENDING};
use gridbell_cmpp::text::{self, MAX_PARTS, PART_UNITS};
use gridbell_cmpp::{
    Content, Deliver, Disposition, FeeUserType, MsgFmt, Number, Octets, Outcome, Stat, StatClass, connect_disposition,
    submit_disposition,
};

#[test]
fn lengths_at_the_edges() {
    for (characters, parts) in [(0, 1), (1, 1), (70, 1), (71, 2), (134, 2), (135, 3), (201, 3), (202, 4)] {
        let text = "电".repeat(characters);
        assert_eq!(text::parts(&text), parts, "{characters}");
        assert_eq!(text::split(&text, 1).unwrap().len(), usize::from(parts), "{characters}");
    }
    // Units are counted, not octets: ASCII takes as much as Han.
    assert_eq!(text::parts(&"a".repeat(71)), 2);
    assert_eq!(text::parts(&"💡".repeat(35)), 1);
    assert_eq!(text::parts(&"💡".repeat(36)), 2);
}

#[test]
fn one_message_has_no_header() {
    let parts = text::split("停电", 9).unwrap();
    assert_eq!(parts.len(), 1);
    assert_eq!((parts[0].total, parts[0].number, parts[0].udhi), (1, 1, 0));
    assert_eq!(parts[0].content[..], [0x50, 0x5c, 0x75, 0x35]);
}

#[test]
fn a_long_message_is_cut_behind_headers() {
    let parts = text::split(&"电".repeat(71), 0x2a).unwrap();
    assert_eq!((parts[0].udhi, parts[1].udhi), (1, 1));
    assert_eq!(parts[0].content[..8], [5, 0, 3, 0x2a, 2, 1, 0x75, 0x35]);
    assert_eq!(parts[0].content.len(), 140);
    assert_eq!(parts[1].content[..6], [5, 0, 3, 0x2a, 2, 2]);
    assert_eq!(parts[1].content.len(), 6 + 2 * 4);
}

#[test]
fn a_surrogate_pair_stays_whole() {
    // The pair would lie across the 67th unit.
    let text = format!("{}💡{}", "电".repeat(66), "电".repeat(66));
    let parts = text::split(&text, 1).unwrap();
    let lengths: Vec<_> = parts.iter().map(|part| (part.content.len() - 6) / 2).collect();
    // 134 units would fit two parts; the pair makes it three.
    assert_eq!(lengths, [66, 67, 1]);
    assert_eq!(text::parts(&text), 3);
}

#[test]
fn a_text_that_no_part_count_can_carry_is_refused() {
    let longest = "电".repeat(PART_UNITS * usize::from(MAX_PARTS));
    assert_eq!(text::parts(&longest), MAX_PARTS);
    assert_eq!(text::split(&longest, 1).unwrap().len(), usize::from(MAX_PARTS));
    for excess in [1, 100, 100_000] {
        let text = longest.clone() + &"电".repeat(excess);
        assert_eq!(text::parts(&text), u8::MAX);
        assert!(text::split(&text, 1).is_err());
    }
}

#[test]
fn formats_are_read() {
    let read = |format, octets: &[u8]| {
        let decoded = text::decode(format, octets);
        (decoded.text, decoded.exact)
    };
    assert_eq!(read(MsgFmt::ASCII, b"TD"), ("TD".into(), true));
    assert_eq!(read(MsgFmt::UCS2, &[0x90, 0, 0x8b, 0xa2]), ("退订".into(), true));
    assert_eq!(read(MsgFmt::GB, &[0xcd, 0xcb, 0xb6, 0xa9]), ("退订".into(), true));
    assert_eq!(read(MsgFmt::ASCII, &[0xcd, 0xcb, 0xb6, 0xa9]), ("退订".into(), true));
    assert_eq!(read(MsgFmt::BINARY, b"TD"), ("TD".into(), true));
    assert_eq!(read(MsgFmt::BINARY, &[0, 0xff]), ("00ff".into(), false));
    assert_eq!(read(MsgFmt::UCS2, &[0x90, 0, 0x8b]), ("退".into(), false));
    assert_eq!(read(MsgFmt::UCS2, &[0xd8, 0]), ("\u{fffd}".into(), false));
    assert_eq!(read(MsgFmt::GB, &[0xcd]), ("\u{fffd}".into(), false));
}

fn inbound(from: &str, udhi: u8, content: Vec<u8>) -> Deliver {
    Deliver {
        src_terminal: Number::new("test", from).unwrap(),
        dest_id: Octets::new("test", "1065795598").unwrap(),
        tp_udhi: udhi,
        msg_fmt: MsgFmt::UCS2,
        content: Content::new(content).unwrap(),
        ..Deliver::default()
    }
}

fn texts(assembled: Vec<Assembled>) -> Vec<(String, bool, (u8, u8))> {
    assembled.into_iter().map(|message| (message.text, message.exact, message.parts)).collect()
}

#[test]
fn parts_are_put_together_in_any_order() {
    let long = "我家昨天已经交过电费了，请核实。".repeat(12);
    let parts = text::split(&long, 7).unwrap();
    let mut assembler = Assembler::default();
    let mut given = Vec::new();
    // Backwards, each twice, with another customer's message of the same reference between.
    for part in parts.iter().rev() {
        for from in ["13800000001", "13800000001", "13800000002"] {
            given.extend(assembler.push(&inbound(from, 1, part.content.to_vec()), Duration::ZERO));
        }
    }
    let total = parts.len() as u8;
    assert_eq!(texts(given), vec![(long.clone(), true, (total, total)), (long, true, (total, total))][..2].to_vec());
}

#[test]
fn a_part_that_never_comes_is_not_waited_for_forever() {
    let parts = text::split(&"电".repeat(100), 7).unwrap();
    let mut assembler = Assembler::default();
    let second = Duration::from_secs(1);
    assert!(assembler.push(&inbound("13800000001", 1, parts[1].content.to_vec()), second).is_empty());
    assert!(assembler.expire(second * 60, second * 60).is_empty());
    assert_eq!(texts(assembler.expire(second * 62, second * 60)), [("电".repeat(33), false, (1, 2))]);
    assert!(assembler.expire(second * 99, second).is_empty());
}

#[test]
fn pending_messages_are_bounded() {
    let parts = text::split(&"电".repeat(100), 7).unwrap();
    let mut assembler = Assembler::default();
    for customer in 0..=MAX_PENDING as u64 {
        let from = (13_800_000_000 + customer).to_string();
        let given = assembler.push(&inbound(&from, 1, parts[0].content.to_vec()), Duration::from_millis(customer));
        let oldest: Vec<_> = given.iter().map(|message| message.from.expose_text().into_owned()).collect();
        let expected: &[&str] = if customer < MAX_PENDING as u64 { &[] } else { &["13800000000"] };
        assert_eq!(oldest, expected);
    }
}

#[test]
fn headers_of_both_widths_and_nonsense() {
    let concatenation = |content: &[u8]| {
        let (found, rest) = text::split_header(content);
        (found.map(|c| (c.reference, c.total, c.number)), rest.to_vec())
    };
    assert_eq!(concatenation(&[5, 0, 3, 9, 3, 2, b'x']), (Some((9, 3, 2)), b"x".to_vec()));
    assert_eq!(concatenation(&[6, 8, 4, 1, 2, 3, 2, b'x']), (Some((0x102, 3, 2)), b"x".to_vec()));
    // Another element before it.
    assert_eq!(concatenation(&[8, 1, 1, 0, 0, 3, 9, 3, 2, b'x']), (Some((9, 3, 2)), b"x".to_vec()));
    assert_eq!(concatenation(&[5, 0, 3, 9, 3, 0, b'x']), (None, b"x".to_vec()));
    assert_eq!(concatenation(&[5, 0, 3, 9, 3, 4, b'x']), (None, b"x".to_vec()));
    assert_eq!(concatenation(&[5, 0, 9, 9, 3, 1, b'x']), (None, b"x".to_vec()));
    assert_eq!(concatenation(&[50, 0, 3]), (None, vec![50, 0, 3]));
    assert_eq!(concatenation(&[]), (None, vec![]));
}

#[test]
fn report_words() {
    use StatClass::{Accepted, Deleted, Delivered, Expired, Rejected, Undeliverable, Unknown, Vendor};
    for (word, class, outcome) in [
        ("DELIVRD", Delivered, Outcome::Delivered),
        ("delivrd", Delivered, Outcome::Delivered),
        ("EXPIRED", Expired, Outcome::Failed),
        ("DELETED", Deleted, Outcome::Failed),
        ("UNDELIV", Undeliverable, Outcome::Failed),
        ("UNKNOWN", Unknown, Outcome::Failed),
        ("REJECTD", Rejected, Outcome::Failed),
        ("ACCEPTD", Accepted, Outcome::Pending),
        ("MA:0001", Vendor, Outcome::Failed),
        ("MB:1041", Vendor, Outcome::Failed),
        ("CA:0051", Vendor, Outcome::Failed),
        ("DA:0054", Vendor, Outcome::Failed),
        ("IA:0053", Vendor, Outcome::Failed),
        ("", Vendor, Outcome::Failed),
    ] {
        let stat = Stat::new(word).unwrap();
        assert_eq!((stat.class(), stat.outcome()), (class, outcome), "{word}");
        assert_eq!(stat.text(), word);
    }
}

#[test]
fn result_codes() {
    use Disposition::{BackOffRetry, NumberBad, OurBug, StopLink, Vendor};
    let connect = [Ok(()), Err(OurBug), Err(StopLink), Err(StopLink), Err(StopLink), Err(BackOffRetry), Err(Vendor(6))];
    for (status, expected) in (0..).zip(connect) {
        assert_eq!(connect_disposition(status), expected, "status {status}");
    }
    let refused = |result| submit_disposition(result, FeeUserType::SP).err();
    assert_eq!(refused(0), None);
    assert_eq!(refused(8), Some(BackOffRetry));
    assert_eq!(refused(13), Some(NumberBad));
    for result in [5, 7, 9, 10, 11, 12] {
        assert_eq!(refused(result), Some(StopLink), "result {result}");
    }
    for result in [1, 2, 3, 4, 6] {
        assert_eq!(refused(result), Some(OurBug), "result {result}");
    }
    for result in [14, 99, 100, 199, 200, u32::MAX] {
        assert_eq!(refused(result), Some(Vendor(result)));
    }
    for result in [9, 12] {
        assert_eq!(submit_disposition(result, FeeUserType::DESTINATION), Err(NumberBad));
        assert_eq!(submit_disposition(result, FeeUserType::FEE_TERMINAL), Err(StopLink));
    }
}

#[test]
fn numbers_and_contents_do_not_show_themselves() {
    let deliver = inbound("13800001234", 0, b"secret".to_vec());
    let shown = format!("{deliver:?}");
    assert!(shown.contains("138****1234") && shown.contains("<6 octets>"), "{shown}");
    assert!(!shown.contains("13800001234") && !shown.contains("secret"), "{shown}");
    assert_eq!(Number::new("test", "12345678").unwrap().to_string(), "****");
}
