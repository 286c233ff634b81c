//! Every PDU, written octet by octet from the specification's field tables; and the result codes.
#![expect(clippy::unwrap_used, reason = "a test that cannot be set up has failed")]

use bytes::BytesMut;
use gridbell_sgip::{
    Bind, Command, Content, Decoder, Deliver, Disposition, Fault, Frame, LoginType, MsgFmt, Number, Octets, Outcome,
    Password, Pdu, Report, ReportFlag, ReportState, Response, Sequence, Submit, bind_disposition, fault_result, number,
    submit_disposition,
};

/// Node 3 0371 12345 = 3037112345 = 0xB506A819, 1122200102 = 0x42E36A26, counter 7.
const SEQUENCE: [u8; 12] = [0xB5, 0x06, 0xA8, 0x19, 0x42, 0xE3, 0x6A, 0x26, 0, 0, 0, 7];

fn sequence() -> Sequence {
    Sequence {
        node: Sequence::sp_node(371, 12_345).unwrap(),
        stamp: Sequence::stamp(11, 22, 20, 1, 2).unwrap(),
        counter: 7,
    }
}

/// A text field: `value`, then zeros up to `width`.
fn padded(value: &str, width: usize) -> Vec<u8> {
    let mut field = value.as_bytes().to_vec();
    field.resize(width, 0);
    field
}

/// Header and fields; `length` is stated, not computed.
fn golden(length: u32, command: u32, fields: &[&[u8]]) -> Vec<u8> {
    let mut octets = [&length.to_be_bytes()[..], &command.to_be_bytes(), &SEQUENCE].concat();
    octets.extend(fields.concat());
    assert_eq!(octets.len(), length as usize, "the table's own length");
    octets
}

/// The PDU is written as the table says and read back as it was.
fn check(pdu: Pdu, table: &[u8]) {
    let frame = Frame { sequence: sequence(), pdu };
    let mut octets = BytesMut::new();
    frame.encode(&mut octets).unwrap();
    assert_eq!(&octets[..], table, "{}", frame.pdu.command().name());
    assert_eq!(Decoder::new().decode(&mut octets).unwrap(), Some(frame));
    assert!(octets.is_empty());
}

fn text<const N: usize>(value: &str) -> Octets<N> {
    Octets::new("test", value).unwrap()
}

#[test]
fn sequences() {
    assert_eq!(sequence().to_string(), "3037112345-1122200102-7");
    // A month below ten has nine digits as a number and ten to read.
    let early = Sequence { stamp: Sequence::stamp(1, 2, 3, 4, 5).unwrap(), ..sequence() };
    assert_eq!((early.stamp, &*early.to_string()), (102_030_405, "3037112345-0102030405-7"));
    assert_eq!(Sequence::stamp(13, 1, 0, 0, 0), None);
    assert_eq!(Sequence::sp_node(9_999, 99_999), Some(3_999_999_999));
    assert_eq!(Sequence::sp_node(371, 100_000), None);
}

#[test]
fn bind() {
    // 20 + 41
    let table = golden(61, 1, &[&[1], &padded("power", 16), &padded("secret", 16), &[0; 8]]);
    let password = Password::new("secret").unwrap();
    let bind = Bind { login_type: LoginType::SP_TO_SMG, name: text("power"), password, reserve: Octets::EMPTY };
    assert!(!format!("{bind:?}").contains("secret"));
    check(Pdu::Bind(bind), &table);
    for (other, same) in [("secret", true), ("secre", false), ("secret1", false), ("Secret", false), ("", false)] {
        assert_eq!(password.is(&Password::new(other).unwrap()), same, "{other}");
    }
}

#[test]
fn answers_and_unbind() {
    let response = Response { result: 11, reserve: text("r") };
    // 20 + 9
    let table = |command| golden(29, command, &[&[11], &padded("r", 8)]);
    check(Pdu::BindResp(response), &table(0x8000_0001));
    check(Pdu::SubmitResp(response), &table(0x8000_0003));
    check(Pdu::DeliverResp(response), &table(0x8000_0004));
    check(Pdu::ReportResp(response), &table(0x8000_0005));
    check(Pdu::Unbind, &golden(20, 2, &[]));
    check(Pdu::UnbindResp, &golden(20, 0x8000_0002, &[]));
}

#[test]
fn submit() {
    // 20 + 123 + 21 × 2 + 8
    let table = golden(
        193,
        3,
        &[
            &padded("1065512345", 21),          // SPNumber
            b"000000000000000000000",           // ChargeNumber: the sender pays
            &[2],                               // UserCount
            &padded("8613000001234", 21),       // UserNumber
            &padded("8613100005678", 21),       // UserNumber
            b"12345",                           // CorpId
            &padded("POWER", 10),               // ServiceType
            &[1],                               // FeeType
            &padded("0", 6),                    // FeeValue
            &padded("5", 6),                    // GivenValue
            &[0],                               // AgentFlag
            &[2],                               // MorelatetoMTFlag
            &[9],                               // Priority
            b"261122200000032+",                // ExpireTime
            &[0; 16],                           // ScheduleTime
            &[1],                               // ReportFlag
            &[0],                               // TP_pid
            &[1],                               // TP_udhi
            &[8],                               // MessageCoding
            &[0],                               // MessageType
            &[0, 0, 0, 8],                      // MessageLength
            &[5, 0, 3, 0x2a, 2, 1, 0x75, 0x35], // MessageContent
            &padded("LINK", 8),                 // Reserve
        ],
    );
    let submit = Submit {
        sp_number: text("1065512345"),
        charge_number: Number::new("test", number::SENDER_PAYS).unwrap(),
        users: vec![number::user("13000001234").unwrap(), number::user("8613100005678").unwrap()],
        corp_id: text("12345"),
        service_type: text("POWER"),
        fee_type: 1,
        fee_value: text("0"),
        given_value: text("5"),
        agent_flag: 0,
        mo_relate_to_mt: 2,
        priority: 9,
        expire_time: text("261122200000032+"),
        schedule_time: Octets::EMPTY,
        report_flag: ReportFlag::ALWAYS,
        tp_pid: 0,
        tp_udhi: 1,
        coding: MsgFmt::UCS2,
        message_type: 0,
        content: Content::new(vec![5, 0, 3, 0x2a, 2, 1, 0x75, 0x35]).unwrap(),
        reserve: text("LINK"),
    };
    let shown = format!("{submit:?}");
    assert!(!shown.contains("13000001234") && shown.contains("861****1234"), "{shown}");
    check(Pdu::Submit(submit), &table);
}

#[test]
fn deliver() {
    // 20 + 57 + 4
    let table = golden(
        81,
        4,
        &[
            &padded("8613000001234", 21), // UserNumber
            &padded("1065512345", 21),    // SPNumber
            &[0, 0, 8],                   // TP_pid, TP_udhi, MessageCoding
            &[0, 0, 0, 4],                // MessageLength
            &[0x90, 0x00, 0x8b, 0xa2],    // MessageContent: 退订
            &[0; 8],                      // Reserve
        ],
    );
    let deliver = Deliver {
        user: number::user("13000001234").unwrap(),
        sp_number: text("1065512345"),
        coding: MsgFmt::UCS2,
        content: Content::new(vec![0x90, 0x00, 0x8b, 0xa2]).unwrap(),
        ..Deliver::default()
    };
    check(Pdu::Deliver(deliver), &table);
}

#[test]
fn report() {
    // 20 + 44
    let submit = [0xB5, 0x06, 0xA8, 0x19, 0x42, 0xE3, 0x6A, 0x26, 0, 0, 0, 9];
    let table = golden(64, 5, &[&submit, &[0], &padded("8613000001234", 21), &[2], &[27], &[0; 8]]);
    let report = Report {
        submit: Sequence { counter: 9, ..sequence() },
        report_type: 0,
        user: number::user("13000001234").unwrap(),
        state: ReportState::FAILED,
        error_code: 27,
        reserve: Octets::EMPTY,
    };
    check(Pdu::Report(report), &table);
}

#[test]
fn numbers_get_their_country_code_once() {
    for number in ["13000001234", "8613000001234", "+8613000001234", "008613000001234"] {
        let user = number::user(number).unwrap();
        assert_eq!(user.expose_text(), "8613000001234", "{number}");
        assert_eq!(number::bare(user.expose()), b"13000001234");
    }
    // A number that begins with 86 and is too short to have a country code is one of ours.
    assert_eq!(number::user("86123").unwrap().expose_text(), "8686123");
    assert_eq!(number::SENDER_PAYS.len(), 21);
    assert!(number::user(&"1".repeat(31)).is_err());
}

#[test]
fn result_codes() {
    use Disposition::{BackOffRetry, NumberBad, OurBug, StopLink, Vendor};
    assert_eq!(submit_disposition(0, &[]), Ok(()));
    for (codes, act) in
        [(&[11, 33, 25, 26][..], BackOffRetry), (&[6, 29, 27], NumberBad), (&[1, 4], StopLink), (&[5, 7, 8, 9], OurBug)]
    {
        for &code in codes {
            assert_eq!(submit_disposition(code, &[]), Err(act), "{code}");
        }
    }
    for code in [2, 10, 21, 24, 28, 34, 57, 93, 101, 255] {
        assert_eq!(submit_disposition(code, &[]), Err(Vendor(code)));
    }
    assert_eq!(bind_disposition(3, &[]), Err(BackOffRetry));
    assert_eq!(bind_disposition(1, &[]), Err(StopLink));
    // A gateway's own words come first.
    assert_eq!(submit_disposition(93, &[(93, StopLink), (11, NumberBad)]), Err(StopLink));
    assert_eq!(submit_disposition(11, &[(93, StopLink), (11, NumberBad)]), Err(NumberBad));

    assert_eq!(fault_result(Fault::UnknownCommand), 7);
    assert_eq!(fault_result(Fault::Value { field: "UserCount" }), 5);
    assert_eq!(fault_result(Fault::Trailing { extra: 1 }), 8);
    assert_eq!(Command::from_word(6), None);
}

#[test]
fn reports_say_what_became_of_a_message() {
    use Disposition::{BackOffRetry, NumberBad, Vendor};
    let outcome = |state, error_code| {
        Report { state: ReportState(state), error_code, ..Report::default() }.outcome(&[(40, NumberBad)])
    };
    assert_eq!(outcome(0, 0), Outcome::Delivered);
    assert_eq!(outcome(1, 25), Outcome::Pending);
    assert_eq!(outcome(2, 25), Outcome::Failed(BackOffRetry));
    assert_eq!(outcome(2, 26), Outcome::Failed(BackOffRetry));
    assert_eq!(outcome(2, 27), Outcome::Failed(NumberBad));
    assert_eq!(outcome(2, 40), Outcome::Failed(NumberBad));
    // One message's fate stops no link, and a state that no table has is no success.
    assert_eq!(outcome(2, 1), Outcome::Failed(Vendor(1)));
    assert_eq!(outcome(7, 28), Outcome::Failed(Vendor(28)));
}
