//! What holds for every PDU and every octet: round trips, any cut into chunks, no panic, no appetite.
#![expect(clippy::unwrap_used, reason = "a test that cannot be set up has failed")]

use bytes::BytesMut;
use gridbell_sgip::{
    Bind, Content, Decoder, Deliver, Error, Fault, Frame, LoginType, MAX_PDU_LENGTH, MsgFmt, Number, Octets, Password,
    Pdu, Report, ReportFlag, ReportState, Response, Sequence, Submit,
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

fn sequence() -> impl Strategy<Value = Sequence> {
    any::<[u32; 3]>().prop_map(|[node, stamp, counter]| Sequence { node, stamp, counter })
}

fn submit() -> impl Strategy<Value = Pdu> {
    let head = (octets(), number(), prop::collection::vec(number(), 1..=100), octets(), octets(), any::<[u8; 10]>());
    let tail = (octets(), octets(), octets(), octets(), content(), octets());
    (head, tail).prop_map(|(head, tail)| {
        let (sp_number, charge_number, users, corp_id, service_type, flags) = head;
        let (fee_value, given_value, expire_time, schedule_time, content, reserve) = tail;
        Pdu::Submit(Submit {
            sp_number,
            charge_number,
            users,
            corp_id,
            service_type,
            fee_type: flags[0],
            fee_value,
            given_value,
            agent_flag: flags[1],
            mo_relate_to_mt: flags[2],
            priority: flags[3],
            expire_time,
            schedule_time,
            report_flag: ReportFlag(flags[4]),
            tp_pid: flags[5],
            tp_udhi: flags[6],
            coding: MsgFmt(flags[7]),
            message_type: flags[8],
            content,
            reserve,
        })
    })
}

fn pdu() -> impl Strategy<Value = Pdu> {
    let response = || (any::<u8>(), octets()).prop_map(|(result, reserve)| Response { result, reserve });
    let password = prop::collection::vec(1..=u8::MAX, 0..=16).prop_map(|value| Password::new(value).unwrap());
    prop_oneof![
        submit(),
        (any::<u8>(), octets(), password, octets()).prop_map(|(kind, name, password, reserve)| {
            Pdu::Bind(Bind { login_type: LoginType(kind), name, password, reserve })
        }),
        (number(), octets(), any::<[u8; 3]>(), content(), octets()).prop_map(
            |(user, sp_number, tp, content, reserve)| {
                let (tp_pid, tp_udhi, coding) = (tp[0], tp[1], MsgFmt(tp[2]));
                Pdu::Deliver(Deliver { user, sp_number, tp_pid, tp_udhi, coding, content, reserve })
            }
        ),
        (sequence(), number(), any::<[u8; 3]>(), octets()).prop_map(
            |(submit, user, [report_type, state, error_code], reserve)| {
                Pdu::Report(Report { submit, report_type, user, state: ReportState(state), error_code, reserve })
            }
        ),
        response().prop_map(Pdu::BindResp),
        response().prop_map(Pdu::SubmitResp),
        response().prop_map(Pdu::DeliverResp),
        response().prop_map(Pdu::ReportResp),
        Just(Pdu::Unbind),
        Just(Pdu::UnbindResp),
    ]
}

fn frames() -> impl Strategy<Value = Vec<Frame>> {
    prop::collection::vec((sequence(), pdu()).prop_map(|(sequence, pdu)| Frame { sequence, pdu }), 1..6)
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
                    prop_assert!(stream.len() + 20 <= before);
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
        buffer.extend_from_slice(&(20 + body.len() as u32).to_be_bytes());
        buffer.extend_from_slice(&command.to_be_bytes());
        buffer.extend_from_slice(&[0, 0, 0, 1, 0, 0, 0, 2, 0, 0, 0, 3]);
        buffer.extend_from_slice(&body);
        let sequence = Sequence { node: 1, stamp: 2, counter: 3 };
        match Decoder::new().decode(&mut buffer) {
            Ok(Some(frame)) => prop_assert_eq!(frame.sequence, sequence),
            Err(Error::Malformed { header, .. }) => prop_assert_eq!((header.command, header.sequence), (command, sequence)),
            other => prop_assert!(false, "{other:?}"),
        }
        prop_assert!(buffer.is_empty());
    }

    #[test]
    fn a_length_out_of_bounds_is_refused_at_once(length in prop_oneof![0_u32..20, MAX_PDU_LENGTH + 1..=u32::MAX]) {
        let mut buffer = BytesMut::from(&length.to_be_bytes()[..]);
        let capacity = buffer.capacity();
        let refused = Decoder::new().decode(&mut buffer);
        prop_assert_eq!(refused, Err(Error::Framing { length, max: MAX_PDU_LENGTH }));
        prop_assert_eq!(buffer.capacity(), capacity, "nothing is reserved for it");
    }

    #[test]
    fn a_content_longer_than_a_message_is_refused_before_it_is_copied(length in 256_u32..=u32::MAX) {
        let mut buffer = BytesMut::new();
        Pdu::Deliver(Deliver::default()).encode(Sequence::default(), &mut buffer).unwrap();
        // MessageLength stands behind two numbers and three octets.
        buffer[20 + 45..20 + 49].copy_from_slice(&length.to_be_bytes());
        let refused = matches!(
            Decoder::new().decode(&mut buffer),
            Err(Error::Malformed { fault: Fault::Value { field: "MessageLength" }, .. })
        );
        prop_assert!(refused);
    }
}

#[test]
fn the_bound_lets_the_longest_submit_through() {
    let number = Number::new("test", [b'1'; 21]).unwrap();
    let submit = Submit { users: vec![number; 100], content: Content::new(vec![0; 255]).unwrap(), ..Submit::default() };
    let mut buffer = BytesMut::new();
    Pdu::Submit(submit).encode(Sequence::default(), &mut buffer).unwrap();
    assert_eq!(buffer.len(), 2498);
    assert!(Decoder::new().decode(&mut buffer).unwrap().is_some());
}

#[test]
fn what_does_not_fit_is_refused_and_leaves_nothing_behind() {
    let long = Number::new("test", "1".repeat(22)).unwrap();
    let number = Number::new("test", "8613000001234").unwrap();
    for users in [vec![long], vec![], vec![number; 101]] {
        let mut out = BytesMut::from(&b"before"[..]);
        let pdu = Pdu::Submit(Submit { users, ..Submit::default() });
        assert!(pdu.encode(Sequence::default(), &mut out).is_err());
        assert_eq!(&out[..], b"before");
    }
    assert!(Password::new("12345678901234567").is_err());
}
