//! Every PDU, written octet by octet from the specification's field tables; authenticators, message numbers and status codes.
#![expect(clippy::unwrap_used, reason = "a test that cannot be set up has failed")]

use bytes::BytesMut;
use gridbell_smgp::{
    Command, Content, Decoder, Deliver, Disposition, Error, Fault, Frame, Login, LoginMode, LoginResp, MAX_TLVS, MT,
    MsgFmt, MsgId, Number, Octets, Pdu, Response, Submit, Tag, Tlvs, VERSION, auth, fault_status, status_disposition,
};

const SEQUENCE: [u8; 4] = [0, 0, 1, 2];

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
    let frame = Frame { sequence: 0x0102, pdu };
    let mut octets = BytesMut::new();
    frame.encode(&mut octets).unwrap();
    assert_eq!(&octets[..], table, "{}", frame.pdu.command().name());
    assert_eq!(Decoder::new().decode(&mut octets).unwrap(), Some(frame));
    assert!(octets.is_empty());
}

fn text<const N: usize>(value: &str) -> Octets<N> {
    Octets::new("test", value).unwrap()
}

fn number(value: &str) -> Number {
    Number::new("test", value).unwrap()
}

#[test]
fn login() {
    let authenticator = *b"0123456789abcdef";
    // 12 + 30; 1231235959 = 0x49632B77
    let table = golden(42, 1, &[&padded("power", 8), b"0123456789abcdef", &[2], &[0x49, 0x63, 0x2B, 0x77], &[0x30]]);
    let timestamp = auth::stamp(12, 31, 23, 59, 59).unwrap();
    let login = Login { client_id: text("power"), authenticator, mode: LoginMode::BOTH, timestamp, version: VERSION };
    check(Pdu::Login(login), &table);
    // 12 + 21
    let table = golden(33, 0x8000_0001, &[&[0, 0, 0, 21], b"0123456789abcdef", &[0x30]]);
    check(Pdu::LoginResp(LoginResp { status: 21, authenticator, version: VERSION }), &table);
}

#[test]
fn bodiless() {
    check(Pdu::ActiveTest, &golden(12, 4, &[]));
    check(Pdu::ActiveTestResp, &golden(12, 0x8000_0004, &[]));
    check(Pdu::Exit, &golden(12, 6, &[]));
    check(Pdu::ExitResp, &golden(12, 0x8000_0006, &[]));
    assert_eq!(Command::from_word(5), None);
    assert_eq!(Command::from_word(7), None);
}

#[test]
fn answers() {
    let msg_id = MsgId([1, 2, 3, 4, 5, 6, 7, 8, 9, 0x10]);
    // 12 + 14
    let table = |command| golden(26, command, &[&[1, 2, 3, 4, 5, 6, 7, 8, 9, 0x10], &[0, 0, 0, 75]]);
    check(Pdu::SubmitResp(Response { msg_id, status: 75 }), &table(0x8000_0002));
    check(Pdu::DeliverResp(Response { msg_id, status: 75 }), &table(0x8000_0003));
}

#[test]
fn submit() {
    // 12 + 114 + 21 × 2 + 8 + 3 × 5
    let table = golden(
        191,
        2,
        &[
            &[6],                               // MsgType
            &[1],                               // NeedReport
            &[3],                               // Priority
            &padded("POWER", 10),               // ServiceID
            b"00",                              // FeeType
            b"000010",                          // FeeCode
            b"000020",                          // FixedFee
            &[8],                               // MsgFormat
            &padded("261122200000032+", 17),    // ValidTime
            &[0; 17],                           // AtTime
            &padded("1065912345", 21),          // SrcTermID
            &padded("13300009999", 21),         // ChargeTermID
            &[2],                               // DestTermIDCount
            &padded("13300001234", 21),         // DestTermID
            &padded("18900005678", 21),         // DestTermID
            &[8],                               // MsgLength
            &[5, 0, 3, 0x2a, 2, 1, 0x75, 0x35], // MsgContent
            &[0; 8],                            // Reserve
            &[0, 2, 0, 1, 1],                   // TP_udhi
            &[0, 9, 0, 1, 2],                   // PkTotal
            &[0, 10, 0, 1, 1],                  // PkNumber
        ],
    );
    let submit = Submit {
        msg_type: MT,
        need_report: 1,
        priority: 3,
        service_id: text("POWER"),
        fee_type: text("00"),
        fee_code: text("000010"),
        fixed_fee: text("000020"),
        msg_format: MsgFmt::UCS2,
        valid_time: text("261122200000032+"),
        at_time: Octets::EMPTY,
        src_term: text("1065912345"),
        charge_term: number("13300009999"),
        destinations: vec![number("13300001234"), number("18900005678")],
        content: Content::new(vec![5, 0, 3, 0x2a, 2, 1, 0x75, 0x35]).unwrap(),
        reserve: Octets::EMPTY,
        tlvs: Tlvs::part(1, 2, 1).unwrap(),
    };
    assert_eq!(submit.tp_udhi(), 1);
    let shown = format!("{submit:?}");
    assert!(!shown.contains("13300001234") && shown.contains("133****1234"), "{shown}");
    check(Pdu::Submit(submit), &table);
}

#[test]
fn deliver() {
    // 12 + 77 + 4 + 24
    let table = golden(
        117,
        3,
        &[
            &[1, 2, 3, 4, 5, 6, 7, 8, 9, 0x10],                      // MsgID
            &[0],                                                    // IsReport
            &[8],                                                    // MsgFormat
            b"20261122200102",                                       // RecvTime
            &padded("13300001234", 21),                              // SrcTermID
            &padded("1065912345", 21),                               // DestTermID
            &[4],                                                    // MsgLength
            &[0x90, 0x00, 0x8b, 0xa2],                               // MsgContent: 退订
            &[0; 8],                                                 // Reserve
            &[&[0, 3, 0, 20][..], b"LINK0000000000000001"].concat(), // LinkID
        ],
    );
    let mut tlvs = Tlvs::default();
    tlvs.set(Tag::LINK_ID, b"LINK0000000000000001").unwrap();
    let deliver = Deliver {
        msg_id: MsgId([1, 2, 3, 4, 5, 6, 7, 8, 9, 0x10]),
        msg_format: MsgFmt::UCS2,
        recv_time: text("20261122200102"),
        src_term: number("13300001234"),
        dest_term: text("1065912345"),
        content: Content::new(vec![0x90, 0x00, 0x8b, 0xa2]).unwrap(),
        tlvs,
        ..Deliver::default()
    };
    assert_eq!((deliver.report(), deliver.tp_udhi()), (None, 0));
    check(Pdu::Deliver(deliver), &table);
}

/// A deliver with these octets as its optional fields.
fn with_tlvs(octets: &[u8]) -> Result<Tlvs, Fault> {
    let mut buffer = BytesMut::new();
    Pdu::Deliver(Deliver::default()).encode(1, &mut buffer).unwrap();
    buffer.extend_from_slice(octets);
    let length = buffer.len() as u32;
    buffer[..4].copy_from_slice(&length.to_be_bytes());
    match Decoder::new().decode(&mut buffer) {
        Ok(Some(Frame { pdu: Pdu::Deliver(deliver), .. })) => Ok(deliver.tlvs),
        Err(Error::Malformed { fault, .. }) => Err(fault),
        other => panic!("a deliver was written: {other:?}"),
    }
}

#[test]
fn optional_fields_known_or_not() {
    // An unknown one between known ones is kept, an empty one too; of a repeated one the first counts.
    let octets = [0x12, 0x34, 0, 3, b'a', b'b', b'c', 0, 2, 0, 1, 1, 0, 2, 0, 1, 0, 0x40, 0, 0, 0];
    let tlvs = with_tlvs(&octets).unwrap();
    assert_eq!(tlvs.get(Tag(0x1234)), Some(&b"abc"[..]));
    assert_eq!(tlvs.octet(Tag::TP_UDHI), Some(1));
    assert_eq!(tlvs.get(Tag(0x4000)), Some(&b""[..]));
    assert_eq!((tlvs.octet(Tag(0x1234)), tlvs.get(Tag::PK_TOTAL)), (None, None));
    assert_eq!(tlvs.iter().count(), 3);
    assert!(!format!("{tlvs:?}").contains("abc"));
    // One that ends early is a fault, and so are more than the bound, repeated or not.
    for cut in [1, 2, 3, 5] {
        assert_eq!(with_tlvs(&octets[..cut]), Err(Fault::TooShort { field: "TLV" }), "{cut}");
    }
    assert!(with_tlvs(&[0, 1, 0, 1, 9].repeat(MAX_TLVS)).is_ok());
    assert_eq!(with_tlvs(&[0, 1, 0, 1, 9].repeat(MAX_TLVS + 1)), Err(Fault::Value { field: "TLV" }));
    assert_eq!(with_tlvs(&[&[0, 1, 1, 0][..], &[7; 256]].concat()), Err(Fault::Value { field: "TLV" }));

    let mut tlvs = Tlvs::default();
    for tag in 0..MAX_TLVS as u16 {
        tlvs.set(Tag(tag), &[1; 255]).unwrap();
    }
    assert!(tlvs.set(Tag(999), &[]).is_err());
    tlvs.set(Tag(0), &[2]).unwrap();
    assert_eq!(tlvs.octet(Tag(0)), Some(2));
    assert!(tlvs.set(Tag(0), &[2; 256]).is_err());
    // What nobody would read is not written.
    let mut out = BytesMut::from(&b"before"[..]);
    assert!(Pdu::Deliver(Deliver { tlvs, ..Deliver::default() }).encode(1, &mut out).is_err());
    assert_eq!(&out[..], b"before");
}

#[test]
fn authenticators() {
    // `printf 'power\0\0\0\0\0\0\0secret1122200102' | md5sum`
    let stamp = auth::stamp(11, 22, 20, 1, 2).unwrap();
    let client = auth::client(b"power", b"secret", stamp);
    assert_eq!(hex(&client), "3fb58be8fc6cb5ac4dfcafc2fe117bfd");
    // A month below ten keeps its zero in the digest though not in the number: `…secret0102030405`.
    let early = auth::stamp(1, 2, 3, 4, 5).unwrap();
    assert_eq!(
        (early, &*hex(&auth::client(b"power", b"secret", early))),
        (102_030_405, "b12799a62f410496b8d6dffd73985005")
    );
    // `printf '\0\0\0\0' | cat - client | …`
    assert_eq!(hex(&auth::server(0, &client, b"secret")), "8c7aba43570d5d717f3c353b4cfac619");
    assert_eq!(auth::stamp(1, 32, 0, 0, 0), None);
    assert!(auth::matches(&client, &client.clone()));
    for bit in 0..128 {
        let mut other = client;
        other[bit / 8] ^= 1 << (bit % 8);
        assert!(!auth::matches(&client, &other));
    }
}

fn hex(octets: &[u8]) -> String {
    octets.iter().map(|octet| format!("{octet:02x}")).collect()
}

#[test]
fn message_numbers_are_decimal_digits() {
    let id = MsgId::pack(371_001, 11_222_359, 42);
    assert_eq!(id.0, [0x37, 0x10, 0x01, 0x11, 0x22, 0x23, 0x59, 0x00, 0x00, 0x42]);
    assert_eq!(id.to_string(), "37100111222359000042");
    // What is too large loses its first digits.
    assert_eq!(MsgId::pack(1_234_567, 0, 1_000_000).to_string(), "23456700000000000000");
}

#[test]
fn status_codes() {
    use Disposition::{AnotherDay, AnotherHour, BackOffRetry, NumberBad, OurBug, StopLink, Vendor};
    assert_eq!(status_disposition(0, &[]), Ok(()));
    for (codes, act) in [
        (&[1, 2][..], BackOffRetry),
        (&[74], AnotherHour),
        (&[75], AnotherDay),
        (&[47], NumberBad),
        (&[20, 21, 22, 43, 46], StopLink),
        (&[10, 11, 12, 36], OurBug),
    ] {
        for &code in codes {
            assert_eq!(status_disposition(code, &[]), Err(act), "{code}");
        }
    }
    for code in [3, 37, 39, 58, 128, 255, u32::MAX] {
        assert_eq!(status_disposition(code, &[]), Err(Vendor(code)));
    }
    // A gateway's own words come first.
    assert_eq!(status_disposition(128, &[(128, BackOffRetry), (47, OurBug)]), Err(BackOffRetry));
    assert_eq!(status_disposition(47, &[(128, BackOffRetry), (47, OurBug)]), Err(OurBug));
    assert_eq!(fault_status(Fault::UnknownCommand), 11);
    assert_eq!(fault_status(Fault::TooShort { field: "MsgID" }), 10);
}
