//! Every PDU in both versions, written octet by octet from the specification's field tables.
#![expect(clippy::unwrap_used, reason = "a test that cannot be set up has failed")]

use bytes::BytesMut;
use gridbell_cmpp::{
    Cancel, CancelResp, Connect, ConnectResp, Content, Decoder, Deliver, DeliverResp, FeeUserType, Frame, MsgFmt,
    MsgId, Number, Octets, Pdu, Query, QueryResp, Report, Stamp, Stat, Submit, SubmitResp, Version, auth,
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
fn check(pdu: Pdu, version: Version, table: &[u8]) {
    let frame = Frame { sequence: 0x0102, pdu };
    let mut octets = BytesMut::new();
    frame.encode(version, &mut octets).unwrap();
    assert_eq!(&octets[..], table, "{} {version}", frame.pdu.command().name());
    assert_eq!(Decoder::new(version).decode(&mut octets).unwrap(), Some(frame));
    assert!(octets.is_empty());
}

fn text<const N: usize>(value: &str) -> Octets<N> {
    Octets::new("test", value).unwrap()
}

fn number(value: &str) -> Number {
    Number::new("test", value).unwrap()
}

const BOTH: [Version; 2] = [Version::V2_0, Version::V3_0];

#[test]
fn connect() {
    let authenticator = *b"0123456789abcdef";
    for version in BOTH {
        // 1231235959 = 0x49632B77
        let table = golden(39, 1, &[b"901234", b"0123456789abcdef", &[version.octet()], &[0x49, 0x63, 0x2B, 0x77]]);
        let timestamp = Stamp::new(12, 31, 23, 59, 59).unwrap().number();
        let sp_id = text("901234");
        check(Pdu::Connect(Connect { sp_id, authenticator, version: version.octet(), timestamp }), version, &table);
    }
}

#[test]
fn connect_resp() {
    let authenticator = *b"0123456789abcdef";
    let response = ConnectResp { status: 3, authenticator, version: 0x20 };
    let table = golden(30, 0x8000_0001, &[&[3], b"0123456789abcdef", &[0x20]]);
    check(Pdu::ConnectResp(response.clone()), Version::V2_0, &table);
    // A 3.0 client understands the refusal of a gateway that speaks 2.0 only.
    let mut octets = BytesMut::from(&table[..]);
    let read = Decoder::new(Version::V3_0).decode(&mut octets).unwrap().unwrap();
    assert_eq!(read.pdu, Pdu::ConnectResp(response));

    let response = ConnectResp { status: 4, authenticator, version: 0x30 };
    let table = golden(33, 0x8000_0001, &[&[0, 0, 0, 4], b"0123456789abcdef", &[0x30]]);
    check(Pdu::ConnectResp(response), Version::V3_0, &table);
}

#[test]
fn bodiless() {
    for version in BOTH {
        check(Pdu::Terminate, version, &golden(12, 2, &[]));
        check(Pdu::TerminateResp, version, &golden(12, 0x8000_0002, &[]));
        check(Pdu::ActiveTest, version, &golden(12, 8, &[]));
        check(Pdu::ActiveTestResp { reserved: 0 }, version, &golden(13, 0x8000_0008, &[&[0]]));
    }
}

fn submit() -> Submit {
    Submit {
        msg_id: MsgId(0),
        pk_total: 2,
        pk_number: 1,
        registered_delivery: 1,
        msg_level: 3,
        service_id: text("POWER"),
        fee_user_type: FeeUserType::SP,
        fee_terminal: Number::EMPTY,
        fee_terminal_type: 0,
        tp_pid: 0,
        tp_udhi: 1,
        msg_fmt: MsgFmt::UCS2,
        msg_src: text("901234"),
        fee_type: text("01"),
        fee_code: text("000010"),
        valid_time: text("261122200000032+"),
        at_time: Octets::EMPTY,
        src_id: text("1065795598"),
        destinations: vec![number("13800001234"), number("8613900005678")],
        destination_type: 0,
        content: Content::new(vec![5, 0, 3, 0x2a, 2, 1, 0x75, 0x35]).unwrap(),
        link_id: Octets::EMPTY,
    }
}

#[test]
fn submit_2_0() {
    // 12 + 126 + 21 × 2 + 8
    let table = golden(
        188,
        4,
        &[
            &[0; 8],                            // Msg_Id
            &[2],                               // Pk_total
            &[1],                               // Pk_number
            &[1],                               // Registered_Delivery
            &[3],                               // Msg_level
            &padded("POWER", 10),               // Service_Id
            &[2],                               // Fee_UserType
            &[0; 21],                           // Fee_terminal_Id
            &[0],                               // TP_pId
            &[1],                               // TP_udhi
            &[8],                               // Msg_Fmt
            b"901234",                          // Msg_src
            b"01",                              // FeeType
            b"000010",                          // FeeCode
            &padded("261122200000032+", 17),    // ValId_Time
            &[0; 17],                           // At_Time
            &padded("1065795598", 21),          // Src_Id
            &[2],                               // DestUsr_tl
            &padded("13800001234", 21),         // Dest_terminal_Id
            &padded("8613900005678", 21),       // Dest_terminal_Id
            &[8],                               // Msg_Length
            &[5, 0, 3, 0x2a, 2, 1, 0x75, 0x35], // Msg_Content
            &[0; 8],                            // Reserve
        ],
    );
    check(Pdu::Submit(submit()), Version::V2_0, &table);
}

#[test]
fn submit_3_0() {
    // 12 + 151 + 32 × 2 + 8
    let table = golden(
        235,
        4,
        &[
            &[0; 8],                            // Msg_Id
            &[2],                               // Pk_total
            &[1],                               // Pk_number
            &[1],                               // Registered_Delivery
            &[3],                               // Msg_level
            &padded("POWER", 10),               // Service_Id
            &[3],                               // Fee_UserType
            &padded("13700001111", 32),         // Fee_terminal_Id
            &[1],                               // Fee_terminal_type
            &[0],                               // TP_pId
            &[1],                               // TP_udhi
            &[8],                               // Msg_Fmt
            b"901234",                          // Msg_src
            b"01",                              // FeeType
            b"000010",                          // FeeCode
            &padded("261122200000032+", 17),    // ValId_Time
            &[0; 17],                           // At_Time
            &padded("1065795598", 21),          // Src_Id
            &[2],                               // DestUsr_tl
            &padded("13800001234", 32),         // Dest_terminal_Id
            &padded("8613900005678", 32),       // Dest_terminal_Id
            &[1],                               // Dest_terminal_type
            &[8],                               // Msg_Length
            &[5, 0, 3, 0x2a, 2, 1, 0x75, 0x35], // Msg_Content
            &padded("LINK0000000000000001", 20),
        ],
    );
    let submit = Submit {
        fee_user_type: FeeUserType::FEE_TERMINAL,
        fee_terminal: number("13700001111"),
        fee_terminal_type: 1,
        destination_type: 1,
        link_id: text("LINK0000000000000001"),
        ..submit()
    };
    check(Pdu::Submit(submit), Version::V3_0, &table);
}

#[test]
fn submit_resp_and_deliver_resp() {
    let msg_id = MsgId(0x0102_0304_0506_0708);
    let id = [1, 2, 3, 4, 5, 6, 7, 8];
    check(Pdu::SubmitResp(SubmitResp { msg_id, result: 8 }), Version::V2_0, &golden(21, 0x8000_0004, &[&id, &[8]]));
    check(
        Pdu::SubmitResp(SubmitResp { msg_id, result: 8 }),
        Version::V3_0,
        &golden(24, 0x8000_0004, &[&id, &[0, 0, 0, 8]]),
    );
    check(Pdu::DeliverResp(DeliverResp { msg_id, result: 0 }), Version::V2_0, &golden(21, 0x8000_0005, &[&id, &[0]]));
    check(
        Pdu::DeliverResp(DeliverResp { msg_id, result: 0x0102 }),
        Version::V3_0,
        &golden(24, 0x8000_0005, &[&id, &[0, 0, 1, 2]]),
    );
}

#[test]
fn deliver_inbound_3_0() {
    // 12 + 97 + 4
    let table = golden(
        113,
        5,
        &[
            &[1, 2, 3, 4, 5, 6, 7, 8],           // Msg_Id
            &padded("1065795598", 21),           // Dest_Id
            &padded("POWER", 10),                // Service_Id
            &[0],                                // TP_pid
            &[0],                                // TP_udhi
            &[8],                                // Msg_Fmt
            &padded("13800001234", 32),          // Src_terminal_Id
            &[1],                                // Src_terminal_type
            &[0],                                // Registered_Delivery
            &[4],                                // Msg_Length
            &[0x90, 0x00, 0x8b, 0xa2],           // Msg_Content: 退订
            &padded("LINK0000000000000001", 20), // LinkID
        ],
    );
    let deliver = Deliver {
        msg_id: MsgId(0x0102_0304_0506_0708),
        dest_id: text("1065795598"),
        service_id: text("POWER"),
        msg_fmt: MsgFmt::UCS2,
        src_terminal: number("13800001234"),
        src_terminal_type: 1,
        content: Content::new(vec![0x90, 0x00, 0x8b, 0xa2]).unwrap(),
        link_id: text("LINK0000000000000001"),
        ..Deliver::default()
    };
    assert_eq!(deliver.report(), None);
    check(Pdu::Deliver(deliver), Version::V3_0, &table);
}

#[test]
fn deliver_report_2_0() {
    let content = [
        &[0, 0, 0, 0, 0, 0, 0, 9][..], // Msg_Id
        b"DELIVRD",                    // Stat
        b"2611222001",                 // Submit_time
        b"2611222002",                 // Done_time
        &padded("13800001234", 21),    // Dest_terminal_Id
        &[0, 0, 0, 7],                 // SMSC_sequence
    ]
    .concat();
    // 12 + 73 + 60
    let table = golden(
        145,
        5,
        &[
            &[0, 0, 0, 0, 0, 0, 0, 3],  // Msg_Id
            &padded("1065795598", 21),  // Dest_Id
            &padded("POWER", 10),       // Service_Id
            &[0, 0, 0],                 // TP_pid, TP_udhi, Msg_Fmt
            &padded("13800001234", 21), // Src_terminal_Id
            &[1],                       // Registered_Delivery
            &[60],                      // Msg_Length
            &content,                   // Msg_Content
            &[0; 8],                    // Reserved
        ],
    );
    let report = report();
    let deliver = Deliver {
        msg_id: MsgId(3),
        dest_id: text("1065795598"),
        service_id: text("POWER"),
        src_terminal: number("13800001234"),
        registered_delivery: 1,
        content: report.encode(Version::V2_0).unwrap(),
        ..Deliver::default()
    };
    assert_eq!(deliver.report(), Some(Ok(report)));
    check(Pdu::Deliver(deliver), Version::V2_0, &table);
}

fn report() -> Report {
    Report {
        msg_id: MsgId(9),
        stat: Stat::new("DELIVRD").unwrap(),
        submit_time: text("2611222001"),
        done_time: text("2611222002"),
        destination: number("13800001234"),
        smsc_sequence: 7,
    }
}

#[test]
fn a_report_in_either_layout_whatever_the_version() {
    let long = [
        &[0, 0, 0, 0, 0, 0, 0, 9][..],
        b"DELIVRD",
        b"2611222001",
        b"2611222002",
        &padded("13800001234", 32),
        &[0, 0, 0, 7],
    ]
    .concat();
    assert_eq!(&report().encode(Version::V3_0).unwrap()[..], &long[..]);
    for layout in BOTH {
        let content = report().encode(layout).unwrap();
        let deliver = Deliver { registered_delivery: 1, content, ..Deliver::default() };
        let mut octets = BytesMut::new();
        Frame { sequence: 1, pdu: Pdu::Deliver(deliver) }.encode(Version::V3_0, &mut octets).unwrap();
        let frame = Decoder::new(Version::V3_0).decode(&mut octets).unwrap().unwrap();
        let Pdu::Deliver(deliver) = frame.pdu else { panic!("a DELIVER was written") };
        assert_eq!(deliver.report(), Some(Ok(report())));
    }
    assert!(Report::decode(&long[..70]).is_err());
}

#[test]
fn query_and_cancel() {
    let mut counts =
        QueryResp { day: text("20261122"), query_type: 1, query_code: text("POWER"), ..QueryResp::default() };
    (counts.mt_messages, counts.mt_users, counts.mt_succeeded, counts.mt_waiting) = (1, 2, 3, 4);
    (counts.mt_failed, counts.mo_succeeded, counts.mo_waiting, counts.mo_failed) = (5, 6, 7, 8);
    for version in BOTH {
        let query = Query { day: text("20261122"), query_type: 1, query_code: text("POWER"), reserve: Octets::EMPTY };
        let table = golden(39, 6, &[b"20261122", &[1], &padded("POWER", 10), &[0; 8]]);
        check(Pdu::Query(query), version, &table);

        let numbers: Vec<u8> = (1..=8_u32).flat_map(u32::to_be_bytes).collect();
        let table = golden(63, 0x8000_0006, &[b"20261122", &[1], &padded("POWER", 10), &numbers]);
        check(Pdu::QueryResp(counts.clone()), version, &table);

        let table = golden(20, 7, &[&[0, 0, 0, 0, 0, 0, 0, 9]]);
        check(Pdu::Cancel(Cancel { msg_id: MsgId(9) }), version, &table);
    }
    check(Pdu::CancelResp(CancelResp { success_id: 1 }), Version::V2_0, &golden(13, 0x8000_0007, &[&[1]]));
    check(Pdu::CancelResp(CancelResp { success_id: 1 }), Version::V3_0, &golden(16, 0x8000_0007, &[&[0, 0, 0, 1]]));
}

#[test]
fn authenticators() {
    // `printf '901234\0\0\0\0\0\0\0\0\0secret1122200102' | md5sum`
    let stamp = Stamp::new(11, 22, 20, 1, 2).unwrap();
    let source = auth::source(b"901234", b"secret", stamp);
    assert_eq!(hex(&source), "633cbcf2bf827653031b75441ff26742");
    // A month below ten keeps its zero in the digest though not in the number.
    let stamp = Stamp::new(1, 2, 3, 4, 5).unwrap();
    assert_eq!(stamp.number(), 102_030_405);
    assert_eq!(hex(&auth::source(b"901234", b"secret", stamp)), "1c39df8b9c01798a8f35c3c785cf91ce");
    // The status before it, one octet or four: `printf '\0' …`, `printf '\0\0\0\0' …`.
    assert_eq!(hex(&auth::ismg(0, &source, b"secret", Version::V2_0)), "91069b950497f022c0c9e59eb2863256");
    assert_eq!(hex(&auth::ismg(0, &source, b"secret", Version::V3_0)), "2102169213f4879233524fd740b4b45a");
    assert!(auth::matches(&source, &source.clone()));
    for bit in 0..128 {
        let mut other = source;
        other[bit / 8] ^= 1 << (bit % 8);
        assert!(!auth::matches(&source, &other));
    }
}

fn hex(octets: &[u8]) -> String {
    octets.iter().map(|octet| format!("{octet:02x}")).collect()
}

#[test]
fn message_numbers() {
    // 1011 11001 10111 111010 111001 | gateway 0x2AAAAA | sequence 0xBEEF
    let id = MsgId::pack(Stamp::new(11, 25, 23, 58, 57).unwrap(), 0x2A_AAAA, 0xBEEF);
    let bits = "1011110011011111101011100110101010101010101010101011111011101111";
    assert_eq!(id.0, u64::from_str_radix(bits, 2).unwrap());
    assert_eq!(id.stamp(), Stamp::new(11, 25, 23, 58, 57));
    assert_eq!((id.gateway(), id.sequence()), (0x2A_AAAA, 0xBEEF));
    assert_eq!(id.nth(2).sequence(), 0xBEF1);
    assert_eq!(MsgId(0).stamp(), None);
}
