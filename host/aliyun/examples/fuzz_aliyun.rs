//! Throws mutated answers, details and receipts at the reader for a given number of rounds: `cargo run --example fuzz_aliyun -- 1000000 [seed]`.
//!
//! Deterministic: the seed printed with a failure reproduces it. A round asserts that nothing panics, that only `OK` is an acceptance, and
//! that no more is read than the platform documents.

use std::process::ExitCode;

use gridbell_aliyun::{answer, receipts};
use gridbell_platform::{MAX_CODE, MAX_ID, Outcome};

const DEFAULT_ROUNDS: u64 = 30_000;
const DEFAULT_SEED: u64 = 0x0067_7269_6462_656c;
const ANSWER: &[u8] = br#"{"Code":"OK","Message":"OK","BizId":"900619746936498440^0","RequestId":"F655A8D5-B967-440B-8683-DAD6FF8DE990"}"#;
const DETAILS: &str = r#"{"TotalCount":"2","Code":"OK","Message":"OK","SmsSendDetailDTOs":{"SmsSendDetailDTO":[{"OutId":"140100-7","SendStatus":3,"ErrCode":"DELIVERED","PhoneNum":"13800001234","Content":"【电力】停电"},{"SendStatus":1}]}}"#;
const RECEIPTS: &[u8] = br#"[{"phone_number":"13800001234","send_time":"2026-11-22 08:09:10","report_time":"2026-11-22 08:09:15","success":true,"err_code":"DELIVERED","err_msg":"","sms_size":"1","biz_id":"900619746936498440^0","out_id":"140100-7"}]"#;

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
        eprintln!("usage: fuzz_aliyun [rounds] [seed], both whole numbers");
        return ExitCode::FAILURE;
    };
    let mut read = 0_u64;
    for round in 0..rounds {
        let seed = seed.wrapping_add(round);
        match std::panic::catch_unwind(|| consume(&mut Dice(seed))) {
            Ok(count) => read += count,
            Err(_) => {
                eprintln!("failed: reproduce with `fuzz_aliyun 1 {seed}`");
                return ExitCode::FAILURE;
            }
        }
    }
    println!("{rounds} rounds, {read} answers, details and receipts read");
    ExitCode::SUCCESS
}

fn mutated(of: &[u8], dice: &mut Dice) -> Vec<u8> {
    let mut octets = of.to_vec();
    for _ in 0..dice.below(4) {
        let at = dice.below(octets.len() + 1);
        let end = (at + dice.below(40)).min(octets.len());
        match dice.below(6) {
            0 => octets.truncate(at),
            1 => drop(octets.drain(at..end)),
            2 => octets.insert(at, b"{}[]\":,\\ 0123-"[dice.below(14)]),
            3 => octets.insert(at, dice.next() as u8),
            4 if at < octets.len() => octets[at] ^= 1 << dice.below(8),
            _ => {
                let again = octets[at..end].to_vec();
                octets.splice(at..at, again);
            }
        }
    }
    octets
}

/// How many were read.
fn consume(dice: &mut Dice) -> u64 {
    let (body, details, pushed) = (mutated(ANSWER, dice), mutated(DETAILS.as_bytes(), dice), mutated(RECEIPTS, dice));
    let mut read = 0;
    match answer::read(&body) {
        Ok(Outcome::Accepted { id }) => {
            assert!(body.windows(2).any(|two| two == b"OK") || body.contains(&b'\\'), "accepted without a word of it");
            assert!(id.is_none_or(|id| id.as_str().len() <= MAX_ID));
            read += 1;
        }
        Ok(Outcome::Refused { code, .. }) => {
            assert!(code.as_str().len() <= MAX_CODE && code.as_str().is_ascii(), "a code that a log cannot take");
            read += 1;
        }
        Err(_) => {}
    }
    if let Ok(Ok((details, total))) = answer::details(&details) {
        assert!(total >= details.len() as u64);
        read += 1;
    }
    if let Ok(receipts) = receipts::read(&pushed) {
        assert!(receipts.len() <= receipts::MAX_REPORTS);
        let shown = format!("{receipts:?}");
        assert!(!shown.contains("13800001234"), "a number stands in a log");
        read += 1;
    }
    read
}
