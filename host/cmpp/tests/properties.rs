//! What holds for every PDU and every octet: round trips, any cut into chunks, no panic, no appetite.
#![expect(clippy::unwrap_used, reason = "a test that cannot be set up has failed")]

use bytes::BytesMut;
use gridbell_cmpp::assemble::Assembler;
use gridbell_cmpp::{
    Cancel, CancelResp, Connect, ConnectResp, Content, Decoder, Deliver, DeliverResp, Error, Fault, FeeUserType, Frame,
    MAX_PDU_LENGTH, MsgFmt, MsgId, Number, Octets, Pdu, Query, QueryResp, Report, Submit, SubmitResp, Version,
    fault_result, text,
};
use proptest::prelude::*;

fn octets<const N: usize>(limit: usize) -> impl Strategy<Value = Octets<N>> {
    prop::collection::vec(1..=u8::MAX, 0..=limit).prop_map(|value| Octets::new("test", value).unwrap())
}

fn number(version: Version) -> impl Strategy<Value = Number> {
    let width = if version == Version::V2_0 { 21 } else { 32 };
    prop::collection::vec(1..=u8::MAX, 0..=width).prop_map(|value| Number::new("test", value).unwrap())
}

fn content() -> impl Strategy<Value = Content> {
    prop::collection::vec(any::<u8>(), 0..=255).prop_map(|content| Content::new(content).unwrap())
}

fn only_3_0(version: Version) -> impl Strategy<Value = u8> {
    any::<u8>().prop_map(move |octet| if version == Version::V3_0 { octet } else { 0 })
}

fn status(version: Version) -> impl Strategy<Value = u32> {
    any::<u32>().prop_map(move |status| if version == Version::V3_0 { status } else { status & 0xff })
}

fn link_id(version: Version) -> impl Strategy<Value = Octets<20>> {
    octets(if version == Version::V3_0 { 20 } else { 8 })
}

fn submit(version: Version) -> impl Strategy<Value = Pdu> {
    let head = (any::<(u64, [u8; 4], u8, [u8; 3])>(), octets(10), number(version), only_3_0(version));
    let middle = (octets(6), octets(2), octets(6), octets(17), octets(17), octets(21));
    let tail = (prop::collection::vec(number(version), 1..=99), only_3_0(version), content(), link_id(version));
    (head, middle, tail).prop_map(|(head, middle, tail)| {
        let (
            (id, [pk_total, pk_number, registered_delivery, msg_level], payer, tp),
            service_id,
            fee_terminal,
            fee_kind,
        ) = head;
        let (msg_src, fee_type, fee_code, valid_time, at_time, src_id) = middle;
        let (destinations, destination_type, content, link_id) = tail;
        Pdu::Submit(Submit {
            msg_id: MsgId(id),
            pk_total,
            pk_number,
            registered_delivery,
            msg_level,
            service_id,
            fee_user_type: FeeUserType(payer),
            fee_terminal,
            fee_terminal_type: fee_kind,
            tp_pid: tp[0],
            tp_udhi: tp[1],
            msg_fmt: MsgFmt(tp[2]),
            msg_src,
            fee_type,
            fee_code,
            valid_time,
            at_time,
            src_id,
            destinations,
            destination_type,
            content,
            link_id,
        })
    })
}

fn deliver(version: Version) -> impl Strategy<Value = Pdu> {
    let fields = (any::<(u64, [u8; 3], u8)>(), octets(21), octets(10), number(version), only_3_0(version));
    (fields, content(), link_id(version)).prop_map(|(fields, content, link_id)| {
        let ((id, tp, registered_delivery), dest_id, service_id, src_terminal, src_terminal_type) = fields;
        Pdu::Deliver(Deliver {
            msg_id: MsgId(id),
            dest_id,
            service_id,
            tp_pid: tp[0],
            tp_udhi: tp[1],
            msg_fmt: MsgFmt(tp[2]),
            src_terminal,
            src_terminal_type,
            registered_delivery,
            content,
            link_id,
        })
    })
}

fn link(version: Version) -> impl Strategy<Value = Pdu> {
    prop_oneof![
        (octets(6), any::<([u8; 16], u8, u32)>()).prop_map(|(sp_id, (authenticator, version, timestamp))| {
            Pdu::Connect(Connect { sp_id, authenticator, version, timestamp })
        }),
        (status(version), any::<([u8; 16], u8)>()).prop_map(|(status, (authenticator, version))| {
            Pdu::ConnectResp(ConnectResp { status, authenticator, version })
        }),
        Just(Pdu::Terminate),
        Just(Pdu::TerminateResp),
        Just(Pdu::ActiveTest),
        any::<u8>().prop_map(|reserved| Pdu::ActiveTestResp { reserved }),
    ]
}

fn small(version: Version) -> impl Strategy<Value = Pdu> {
    let id = || any::<u64>().prop_map(MsgId);
    prop_oneof![
        (id(), status(version)).prop_map(|(msg_id, result)| Pdu::SubmitResp(SubmitResp { msg_id, result })),
        (id(), status(version)).prop_map(|(msg_id, result)| Pdu::DeliverResp(DeliverResp { msg_id, result })),
        id().prop_map(|msg_id| Pdu::Cancel(Cancel { msg_id })),
        status(version).prop_map(|success_id| Pdu::CancelResp(CancelResp { success_id })),
        (octets(8), any::<u8>(), octets(10), octets(8)).prop_map(|(day, query_type, query_code, reserve)| {
            Pdu::Query(Query { day, query_type, query_code, reserve })
        }),
        (octets(8), any::<(u8, [u32; 8])>(), octets(10)).prop_map(|(day, (query_type, counts), query_code)| {
            Pdu::QueryResp(QueryResp {
                day,
                query_type,
                query_code,
                mt_messages: counts[0],
                mt_users: counts[1],
                mt_succeeded: counts[2],
                mt_waiting: counts[3],
                mt_failed: counts[4],
                mo_succeeded: counts[5],
                mo_waiting: counts[6],
                mo_failed: counts[7],
            })
        }),
    ]
}

fn version() -> impl Strategy<Value = Version> {
    prop_oneof![Just(Version::V2_0), Just(Version::V3_0)]
}

fn frame(version: Version) -> impl Strategy<Value = Frame> {
    let pdu = prop_oneof![submit(version), deliver(version), link(version), small(version)];
    (any::<u32>(), pdu).prop_map(|(sequence, pdu)| Frame { sequence, pdu })
}

fn frames() -> impl Strategy<Value = (Version, Vec<Frame>)> {
    version().prop_flat_map(|version| (Just(version), prop::collection::vec(frame(version), 1..6)))
}

/// A CONNECT_RESP is read by its own length, so any version's decoder reads every stream.
fn read_all(decoder: &Decoder, buffer: &mut BytesMut, into: &mut Vec<Frame>) -> Result<(), Error> {
    while let Some(frame) = decoder.decode(buffer)? {
        into.push(frame);
    }
    Ok(())
}

/// Octets of a CONNECT_RESP's body in 3.0; in 2.0 it has 18.
const CONNECT_RESP_OF_3_0: usize = 21;

proptest! {
    #[test]
    fn frames_survive_any_cut_into_chunks((version, frames) in frames(), cuts in prop::collection::vec(1_usize..200, 1..50)) {
        let mut stream = BytesMut::new();
        for frame in &frames {
            frame.encode(version, &mut stream).unwrap();
        }
        let decoder = Decoder::new(version);
        let (mut buffer, mut read) = (BytesMut::new(), Vec::new());
        for size in cuts.iter().cycle() {
            if stream.is_empty() {
                break;
            }
            buffer.extend_from_slice(&stream.split_to((*size).min(stream.len())));
            read_all(&decoder, &mut buffer, &mut read).unwrap();
        }
        prop_assert!(buffer.is_empty());
        prop_assert_eq!(read, frames);
    }

    #[test]
    fn garbage_never_panics_and_always_ends(octets in prop::collection::vec(any::<u8>(), 0..6000), version in version()) {
        let decoder = Decoder::new(version);
        let mut buffer = BytesMut::from(&octets[..]);
        loop {
            let before = buffer.len();
            match decoder.decode(&mut buffer) {
                Ok(None) => break,
                // Each one read or refused takes a whole PDU off, so the loop ends.
                Ok(Some(_)) | Err(Error::Malformed { .. }) => prop_assert!(buffer.len() + 12 <= before),
                Err(error) => {
                    let framing = matches!(error, Error::Framing { .. });
                    prop_assert!(framing);
                    break;
                }
            }
        }
    }

    #[test]
    fn garbage_in_a_good_header_is_one_fault(
        body in prop::collection::vec(any::<u8>(), 0..400),
        command in prop_oneof![0_u32..10, 0x8000_0000_u32..0x8000_000a],
        version in version(),
    ) {
        let mut buffer = BytesMut::new();
        buffer.extend_from_slice(&(12 + body.len() as u32).to_be_bytes());
        buffer.extend_from_slice(&command.to_be_bytes());
        buffer.extend_from_slice(&7_u32.to_be_bytes());
        buffer.extend_from_slice(&body);
        match Decoder::new(version).decode(&mut buffer) {
            Ok(Some(frame)) => {
                prop_assert_eq!(frame.sequence, 7);
                // CONNECT_RESP takes its version from its length: its status may need the four octets of 3.0.
                let version = match frame.pdu {
                    Pdu::ConnectResp(_) if body.len() == CONNECT_RESP_OF_3_0 => Version::V3_0,
                    Pdu::ConnectResp(_) => Version::V2_0,
                    _ => version,
                };
                let mut again = BytesMut::new();
                frame.encode(version, &mut again).unwrap();
                prop_assert_eq!(Decoder::new(version).decode(&mut again).unwrap(), Some(frame));
            }
            Err(Error::Malformed { header, .. }) => prop_assert_eq!((header.command, header.sequence), (command, 7)),
            other => prop_assert!(false, "{other:?}"),
        }
        prop_assert!(buffer.is_empty());
    }

    #[test]
    fn a_length_out_of_bounds_is_refused_at_once(length in prop_oneof![0_u32..12, MAX_PDU_LENGTH + 1..=u32::MAX]) {
        let mut buffer = BytesMut::from(&length.to_be_bytes()[..]);
        let capacity = buffer.capacity();
        let refused = Decoder::new(Version::V3_0).decode(&mut buffer);
        prop_assert_eq!(refused, Err(Error::Framing { length, max: MAX_PDU_LENGTH }));
        prop_assert_eq!(buffer.capacity(), capacity, "nothing is reserved for it");
    }

    #[test]
    fn reports_of_any_octets_never_panic(content in prop::collection::vec(any::<u8>(), 0..256)) {
        match Report::decode(&content) {
            Ok(report) => {
                let layout = if content.len() == 60 { Version::V2_0 } else { Version::V3_0 };
                let again = Report::decode(&report.encode(layout).unwrap()).unwrap();
                prop_assert_eq!(again, report);
            }
            Err(_) => prop_assert!(content.len() != 60 && content.len() != 71),
        }
    }

    #[test]
    fn texts_survive_cut_and_assembly(text in "[\u{20}-\u{7e}\u{4e00}-\u{9fff}\u{1f600}-\u{1f64f}]{0,400}", reference in any::<u8>(), turn in any::<prop::sample::Index>()) {
        let mut parts = text::split(&text, reference).unwrap();
        prop_assert_eq!(parts.len(), usize::from(text::parts(&text)));
        let turn = turn.index(parts.len());
        parts.rotate_left(turn);
        let mut assembler = Assembler::default();
        let mut given = Vec::new();
        for part in &parts {
            prop_assert!(part.content.len() <= 140);
            let deliver = Deliver { tp_udhi: part.udhi, msg_fmt: MsgFmt::UCS2, content: part.content.clone(), ..Deliver::default() };
            prop_assert!(given.is_empty());
            given = assembler.push(&deliver, std::time::Duration::ZERO);
        }
        prop_assert_eq!(given.len(), 1);
        prop_assert_eq!(&given[0].text, &text);
        prop_assert!(given[0].exact);
    }

    #[test]
    fn inbound_garbage_never_panics(contents in prop::collection::vec((prop::collection::vec(any::<u8>(), 0..256), 0_u8..2, any::<u8>()), 1..20)) {
        let mut assembler = Assembler::default();
        for (content, tp_udhi, format) in contents {
            let deliver = Deliver { tp_udhi, msg_fmt: MsgFmt(format), content: Content::new(content).unwrap(), ..Deliver::default() };
            assembler.push(&deliver, std::time::Duration::ZERO);
        }
        assembler.expire(std::time::Duration::MAX, std::time::Duration::ZERO);
    }
}

#[test]
fn the_bound_lets_the_longest_submit_through() {
    let number = Number::new("test", [b'1'; 32]).unwrap();
    let submit =
        Submit { destinations: vec![number; 99], content: Content::new(vec![0; 255]).unwrap(), ..Submit::default() };
    let mut buffer = BytesMut::new();
    Pdu::Submit(submit).encode(1, Version::V3_0, &mut buffer).unwrap();
    assert_eq!(buffer.len(), 3586);
    assert!(Decoder::new(Version::V3_0).decode(&mut buffer).unwrap().is_some());
}

#[test]
fn what_does_not_fit_is_refused_and_leaves_nothing_behind() {
    let long = Number::new("test", "1".repeat(22)).unwrap();
    let number = Number::new("test", "13800001234").unwrap();
    let submit = |destinations| Pdu::Submit(Submit { destinations, ..Submit::default() });
    for (pdu, fits_3_0) in [
        (submit(vec![long]), true),
        (submit(vec![]), false),
        (submit(vec![number; 100]), false),
        (Pdu::SubmitResp(SubmitResp { msg_id: MsgId(1), result: 256 }), true),
    ] {
        let mut out = BytesMut::from(&b"before"[..]);
        assert!(pdu.encode(1, Version::V2_0, &mut out).is_err());
        assert_eq!(&out[..], b"before");
        assert_eq!(pdu.encode(1, Version::V3_0, &mut out).is_ok(), fits_3_0);
    }
    assert!(Octets::<6>::new("Msg_src", "1234567").is_err());
    assert!(Octets::<6>::new("Msg_src", "12\x0034").is_err());
    assert!(Content::new(vec![0; 256]).is_err());
}

#[test]
fn faults_carry_the_results_a_gateway_answers() {
    let number = Number::new("test", "13800001234").unwrap();
    let mut good = BytesMut::new();
    Pdu::Submit(Submit { destinations: vec![number], ..Submit::default() })
        .encode(7, Version::V2_0, &mut good)
        .unwrap();
    let fault = |change: &dyn Fn(&mut Vec<u8>)| {
        let mut octets = good.to_vec();
        change(&mut octets);
        let length = octets.len() as u32;
        octets[..4].copy_from_slice(&length.to_be_bytes());
        match Decoder::new(Version::V2_0).decode(&mut BytesMut::from(&octets[..])) {
            Err(Error::Malformed { fault, .. }) => fault,
            other => panic!("a fault was planted: {other:?}"),
        }
    };
    // DestUsr_tl is the 117th octet of a body of 2.0.
    assert_eq!(fault(&|octets| octets[12 + 116] = 0), Fault::Value { field: "DestUsr_tl" });
    assert_eq!(fault_result(fault(&|octets| octets[12 + 116] = 2)), 4);
    assert_eq!(fault(&|octets| octets.push(0)), Fault::Trailing { extra: 1 });
    assert_eq!(fault(&|octets| octets[7] = 9), Fault::UnknownCommand);
    assert_eq!(fault_result(Fault::UnknownCommand), 2);
    assert_eq!(fault_result(Fault::Trailing { extra: 1 }), 4);
    assert_eq!(fault_result(Fault::Value { field: "DestUsr_tl" }), 1);
}
