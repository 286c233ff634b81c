//! What holds for every PDU and every octet: round trips, any cut into chunks, no panic, no appetite.
#![expect(clippy::unwrap_used, reason = "a test that cannot be set up has failed")]

use bytes::BytesMut;
use gridbell_smgp::{
    Content, Decoder, Deliver, Error, Frame, Login, LoginMode, LoginResp, MAX_PDU_LENGTH, MsgFmt, MsgId, Number,
    Octets, Pdu, Report, Response, Submit, Tag, Tlvs,
};
use proptest::prelude::*;

fn octets<const N: usize>() -> impl Strategy<Value = Octets<N>> {
    prop::collection::vec(1..=u8::MAX, 0..=N).prop_map(|value| Octets::new("test", value).unwrap())
}

fn number() -> impl Strategy<Value = Number> {
    prop::collection::vec(1..=u8::MAX, 0..=21).prop_map(|value| Number::new("test", value).unwrap())
}

fn content() -> impl Strategy<Value = Content> {
    prop::collection::vec(any::<u8>(), 0..=255).prop_map(|content| Content::new(content).unwrap())
}

fn id() -> impl Strategy<Value = MsgId> {
    any::<[u8; 10]>().prop_map(MsgId)
}

fn tlvs() -> impl Strategy<Value = Tlvs> {
    let field = (any::<u16>(), prop::collection::vec(any::<u8>(), 0..30));
    prop::collection::vec(field, 0..10).prop_map(|fields| {
        let mut tlvs = Tlvs::default();
        for (tag, value) in fields {
            tlvs.set(Tag(tag), &value).unwrap();
        }
        tlvs
    })
}

fn submit() -> impl Strategy<Value = Pdu> {
    let head = (any::<[u8; 4]>(), octets(), octets(), octets(), octets(), octets(), octets(), octets());
    let tail = (number(), prop::collection::vec(number(), 1..=100), content(), octets(), tlvs());
    (head, tail).prop_map(|(head, tail)| {
        let (
            [msg_type, need_report, priority, format],
            service_id,
            fee_type,
            fee_code,
            fixed_fee,
            valid_time,
            at_time,
            src_term,
        ) = head;
        let (charge_term, destinations, content, reserve, tlvs) = tail;
        Pdu::Submit(Submit {
            msg_type,
            need_report,
            priority,
            service_id,
            fee_type,
            fee_code,
            fixed_fee,
            msg_format: MsgFmt(format),
            valid_time,
            at_time,
            src_term,
            charge_term,
            destinations,
            content,
            reserve,
            tlvs,
        })
    })
}

fn pdu() -> impl Strategy<Value = Pdu> {
    let response = || (id(), any::<u32>()).prop_map(|(msg_id, status)| Response { msg_id, status });
    prop_oneof![
        submit(),
        (octets(), any::<([u8; 16], u8, u32, u8)>()).prop_map(
            |(client_id, (authenticator, mode, timestamp, version))| {
                Pdu::Login(Login { client_id, authenticator, mode: LoginMode(mode), timestamp, version })
            }
        ),
        any::<(u32, [u8; 16], u8)>().prop_map(|(status, authenticator, version)| {
            Pdu::LoginResp(LoginResp { status, authenticator, version })
        }),
        (id(), any::<[u8; 2]>(), octets(), number(), octets(), content(), octets(), tlvs()).prop_map(
            |(msg_id, [is_report, format], recv_time, src_term, dest_term, content, reserve, tlvs)| {
                let msg_format = MsgFmt(format);
                Pdu::Deliver(Deliver {
                    msg_id,
                    is_report,
                    msg_format,
                    recv_time,
                    src_term,
                    dest_term,
                    content,
                    reserve,
                    tlvs,
                })
            }
        ),
        response().prop_map(Pdu::SubmitResp),
        response().prop_map(Pdu::DeliverResp),
        Just(Pdu::ActiveTest),
        Just(Pdu::ActiveTestResp),
        Just(Pdu::Exit),
        Just(Pdu::ExitResp),
    ]
}

fn frames() -> impl Strategy<Value = Vec<Frame>> {
    prop::collection::vec((any::<u32>(), pdu()).prop_map(|(sequence, pdu)| Frame { sequence, pdu }), 1..6)
}

fn read_all(buffer: &mut BytesMut, into: &mut Vec<Frame>) {
    while let Some(frame) = Decoder::new().decode(buffer).unwrap() {
        into.push(frame);
    }
}

proptest! {
    #[test]
    fn frames_survive_any_cut_into_chunks(frames in frames(), cuts in prop::collection::vec(1_usize..200, 1..50)) {
        let mut stream = BytesMut::new();
        for frame in &frames {
            frame.encode(&mut stream).unwrap();
        }
        let (mut buffer, mut read) = (BytesMut::new(), Vec::new());
        for size in cuts.iter().cycle() {
            if stream.is_empty() {
                break;
            }
            buffer.extend_from_slice(&stream.split_to((*size).min(stream.len())));
            read_all(&mut buffer, &mut read);
        }
        prop_assert!(buffer.is_empty());
        prop_assert_eq!(read, frames);
    }

    #[test]
    fn any_change_of_any_octets_is_read_or_refused(
        frames in frames(),
        changes in prop::collection::vec((any::<prop::sample::Index>(), any::<u8>()), 1..20),
    ) {
        let mut stream = BytesMut::new();
        for frame in &frames {
            frame.encode(&mut stream).unwrap();
        }
        for (at, octet) in &changes {
            let at = at.index(stream.len());
            stream[at] = *octet;
        }
        loop {
            let before = stream.len();
            match Decoder::new().decode(&mut stream) {
                Ok(None) => {
                    prop_assert_eq!(stream.len(), before);
                    break;
                }
                Ok(Some(frame)) => {
                    prop_assert!(stream.len() + 12 <= before);
                    let mut again = BytesMut::new();
                    frame.encode(&mut again).unwrap();
                    prop_assert_eq!(Decoder::new().decode(&mut again).unwrap(), Some(frame));
                }
                Err(Error::Malformed { header, .. }) => prop_assert_eq!(stream.len() + header.length as usize, before),
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
        command in prop_oneof![0_u32..7, 0x8000_0000_u32..0x8000_0007],
    ) {
        let mut buffer = BytesMut::new();
        buffer.extend_from_slice(&(12 + body.len() as u32).to_be_bytes());
        buffer.extend_from_slice(&command.to_be_bytes());
        buffer.extend_from_slice(&7_u32.to_be_bytes());
        buffer.extend_from_slice(&body);
        match Decoder::new().decode(&mut buffer) {
            Ok(Some(frame)) => prop_assert_eq!(frame.sequence, 7),
            Err(Error::Malformed { header, .. }) => prop_assert_eq!((header.command, header.sequence), (command, 7)),
            other => prop_assert!(false, "{other:?}"),
        }
        prop_assert!(buffer.is_empty());
    }

    #[test]
    fn a_length_out_of_bounds_is_refused_at_once(length in prop_oneof![0_u32..12, MAX_PDU_LENGTH + 1..=u32::MAX]) {
        let mut buffer = BytesMut::from(&length.to_be_bytes()[..]);
        let capacity = buffer.capacity();
        let refused = Decoder::new().decode(&mut buffer);
        prop_assert_eq!(refused, Err(Error::Framing { length, max: MAX_PDU_LENGTH }));
        prop_assert_eq!(buffer.capacity(), capacity, "nothing is reserved for it");
    }

    #[test]
    fn reports_of_any_octets_are_read_or_refused(
        head in prop::sample::select(vec![&b""[..], b"id:", b"id:0123456789", b"id:0123456789 stat:", b"ID:0123456789sErr:"]),
        octets in prop::collection::vec(any::<u8>(), 0..255),
    ) {
        if let Ok(report) = Report::decode(&[head, &octets].concat()) {
            let _ = report.outcome(&[]);
            prop_assert!(Report::decode(&report.encode().unwrap()).is_ok());
        }
    }
}

#[test]
fn the_bound_lets_the_longest_submit_through() {
    let number = Number::new("test", [b'1'; 21]).unwrap();
    let submit =
        Submit { destinations: vec![number; 100], content: Content::new(vec![0; 255]).unwrap(), ..Submit::default() };
    let mut buffer = BytesMut::new();
    Pdu::Submit(submit).encode(1, &mut buffer).unwrap();
    assert_eq!(buffer.len(), 2481);
    assert!(Decoder::new().decode(&mut buffer).unwrap().is_some());
}

#[test]
fn what_does_not_fit_is_refused_and_leaves_nothing_behind() {
    let long = Number::new("test", "1".repeat(22)).unwrap();
    let number = Number::new("test", "13300001234").unwrap();
    for destinations in [vec![long], vec![], vec![number; 101]] {
        let mut out = BytesMut::from(&b"before"[..]);
        assert!(Pdu::Submit(Submit { destinations, ..Submit::default() }).encode(1, &mut out).is_err());
        assert_eq!(&out[..], b"before");
    }
}
