//! Throws mutated PDUs at the decoder for a given number of rounds: `cargo run --example fuzz_smgp -- 20000000 [seed]`.
//!
//! Deterministic: the seed printed with a failure reproduces it. A round asserts that the decoder does not panic, that it
//! takes whole PDUs or nothing, and that what it read is written and read again as the same.

use std::process::ExitCode;

use bytes::BytesMut;
use gridbell_smgp::{
    Content, Decoder, Deliver, Error, Frame, Login, LoginResp, MsgFmt, MsgId, Number, Octets, Pdu, Report, Response,
    Submit, Tag, Tlvs, text,
};

const DEFAULT_ROUNDS: u64 = 1_000_000;
const DEFAULT_SEED: u64 = 0x0067_7269_6462_656c;
/// Octets put back into a buffer between rounds are cut off here.
const MAX_STREAM: usize = 16 * 1024;

/// SplitMix64: enough to choose mutations, and the same everywhere.
struct Dice(u64);

impl Dice {
    fn next(&mut self) -> u64 {
        self.0 = self.0.wrapping_add(0x9e37_79b9_7f4a_7c15);
        let mut mixed = self.0;
        mixed = (mixed ^ (mixed >> 30)).wrapping_mul(0xbf58_476d_1ce4_e5b9);
        mixed = (mixed ^ (mixed >> 27)).wrapping_mul(0x94d0_49bb_1331_11eb);
        mixed ^ (mixed >> 31)
    }

    fn below(&mut self, bound: usize) -> usize {
        (self.next() % bound.max(1) as u64) as usize
    }
}

fn main() -> ExitCode {
    let mut arguments = std::env::args().skip(1);
    let mut number = |default| arguments.next().map_or(Ok(default), |argument| argument.parse());
    let (Ok(rounds), Ok(seed)) = (number(DEFAULT_ROUNDS), number(DEFAULT_SEED)) else {
        eprintln!("usage: fuzz_smgp [rounds] [seed], both whole numbers");
        return ExitCode::FAILURE;
    };
    let seeds = corpus();
    let mut tally = [0_u64; 3];
    for round in 0..rounds {
        let octets = mutated(&seeds, &mut Dice(seed.wrapping_add(round)));
        match std::panic::catch_unwind(|| consume(&octets)) {
            Ok(counts) => tally.iter_mut().zip(counts).for_each(|(sum, count)| *sum += count),
            Err(_) => {
                eprintln!("failed: reproduce with `fuzz_smgp 1 {}`", seed.wrapping_add(round));
                return ExitCode::FAILURE;
            }
        }
    }
    let [read, malformed, framing] = tally;
    println!(
        "{rounds} rounds from seed {seed}: {read} PDUs read, {malformed} malformed, {framing} streams out of step"
    );
    ExitCode::SUCCESS
}

/// Reads a stream to its end and checks what must hold for each PDU.
fn consume(octets: &[u8]) -> [u64; 3] {
    let decoder = Decoder::new();
    let mut buffer = BytesMut::from(octets);
    let mut counts = [0; 3];
    loop {
        let before = buffer.len();
        match decoder.decode(&mut buffer) {
            Ok(Some(frame)) => {
                assert!(buffer.len() < before, "a PDU was read and nothing taken");
                counts[0] += 1;
                check(&frame);
            }
            Ok(None) => {
                assert_eq!(buffer.len(), before, "half a PDU was taken");
                return counts;
            }
            Err(Error::Malformed { header, .. }) => {
                assert_eq!(buffer.len() + header.length as usize, before, "not one whole PDU was taken");
                counts[1] += 1;
            }
            Err(error) => {
                assert!(matches!(error, Error::Framing { .. }), "{error}");
                assert_eq!(buffer.len(), before, "a stream out of step was read on");
                counts[2] += 1;
                return counts;
            }
        }
    }
}

/// Written and read again it is the same; whatever it carries can be looked at.
fn check(frame: &Frame) {
    let mut again = BytesMut::new();
    assert_eq!(frame.encode(&mut again), Ok(()), "what was read cannot be written");
    assert_eq!(Decoder::new().decode(&mut again).as_ref(), Ok(&Some(frame.clone())), "read again it differs");
    if let Pdu::Deliver(deliver) = &frame.pdu {
        if let Some(Ok(report)) = deliver.report() {
            let _ = report.outcome(&[]);
            let again = report.encode().map(|content| Report::decode(&content));
            assert!(matches!(again, Ok(Ok(_))), "a report that was read cannot be read again");
        }
        let (_, octets) = text::split_header(&deliver.content);
        let _ = text::decode(deliver.msg_format, octets);
    }
}

/// One to three PDUs of the corpus with up to eight octets changed, pieces cut out, doubled or swapped.
fn mutated(corpus: &[Vec<u8>], dice: &mut Dice) -> Vec<u8> {
    let mut octets = Vec::new();
    for _ in 0..=dice.below(3) {
        octets.extend_from_slice(&corpus[dice.below(corpus.len())]);
    }
    for _ in 0..dice.below(9) {
        let length = octets.len();
        let at = dice.below(length);
        let end = (at + 1 + dice.below(32)).min(length);
        match dice.below(6) {
            0 if length > 0 => octets[at] ^= 1 << dice.below(8),
            1 if length > 0 => octets[at] = dice.next() as u8,
            2 if length > 0 => octets[at] = [0, 1, 0x7f, 0x80, 0xff][dice.below(5)],
            3 => drop(octets.drain(at..end)),
            4 => octets.extend_from_within(at..end),
            _ => octets.truncate(end),
        }
        if dice.below(4) == 0 {
            fix_length(&mut octets);
        }
    }
    octets.truncate(MAX_STREAM);
    octets
}

/// Makes the first length agree with the octets, so that mutations reach past the frame.
fn fix_length(octets: &mut [u8]) {
    let length = (octets.len() as u32).to_be_bytes();
    if let Some(field) = octets.first_chunk_mut::<4>() {
        *field = length;
    }
}

#[expect(clippy::unwrap_used, reason = "the corpus is written here and fits")]
fn corpus() -> Vec<Vec<u8>> {
    let user = Number::new("corpus", "13300001234").unwrap();
    let report = Report {
        msg_id: MsgId::pack(1001, 11_222_001, 7),
        stat: Octets::new("corpus", "DELIVRD").unwrap(),
        err: Octets::new("corpus", "000").unwrap(),
        ..Report::default()
    };
    let spelt =
        [&b"id:"[..], &[0x10; 10], b"sSub:001sDlvrd:001sSubmit_Date:1805301550sStat:UNDELIVsErr:004sText:"].concat();
    let report_deliver =
        |content| Pdu::Deliver(Deliver { is_report: 1, src_term: user, content, ..Deliver::default() });
    let mut odd = Tlvs::part(1, 2, 1).unwrap();
    odd.set(Tag(0x1234), b"unknown").unwrap();
    let mut pdus = vec![
        Pdu::Login(Login { client_id: Octets::new("corpus", "power").unwrap(), ..Login::default() }),
        Pdu::LoginResp(LoginResp::default()),
        Pdu::Exit,
        Pdu::ExitResp,
        Pdu::ActiveTest,
        Pdu::ActiveTestResp,
        Pdu::SubmitResp(Response::default()),
        Pdu::DeliverResp(Response::default()),
        report_deliver(report.encode().unwrap()),
        report_deliver(Content::new(spelt).unwrap()),
        Pdu::Submit(Submit { destinations: vec![user; 3], tlvs: odd, ..Submit::default() }),
    ];
    for part in text::split(&"截至今日，您家电费余额不足💡，请及时缴费。".repeat(4), 9).unwrap() {
        let tlvs = Tlvs::part(part.udhi, part.total, part.number).unwrap();
        pdus.push(Pdu::Submit(Submit {
            destinations: vec![user; 2],
            msg_format: MsgFmt::UCS2,
            content: part.content.clone(),
            tlvs: tlvs.clone(),
            ..Submit::default()
        }));
        pdus.push(Pdu::Deliver(Deliver {
            src_term: user,
            msg_format: MsgFmt::UCS2,
            content: part.content,
            tlvs,
            ..Deliver::default()
        }));
    }
    let encoded = |pdu: Pdu| {
        let mut out = BytesMut::new();
        pdu.encode(7, &mut out).unwrap();
        out.to_vec()
    };
    pdus.into_iter().map(encoded).collect()
}
