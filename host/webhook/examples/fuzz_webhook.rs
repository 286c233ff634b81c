//! Throws mutated webhooks at a receiver for a given number of rounds: `cargo run --example fuzz_webhook -- 1000000 [seed]`.
//!
//! Deterministic: the seed printed with a failure reproduces it. A round asserts that nothing panics, that a webhook is let in only where its id, its time
//! and its body are those that were signed, and then once.

use std::process::ExitCode;

use gridbell_model::Moment;
use gridbell_webhook::{Headers, ID_HEADER, SIGNATURE_HEADER, Signer, TIMESTAMP_HEADER, Verifier, WebhookSecret};

const DEFAULT_ROUNDS: u64 = 30_000;
const DEFAULT_SEED: u64 = 0x0067_7269_6462_656c;
const SECRET: &str = "whsec_MfKQ9r8GKYqrTwjUPD8ILPZIo2LaLaSwMfKQ9r8GKYqr";
const ID: &str = "140100-7";
const BODY: &str = r#"[{"id":"140100-7","status":"delivered"}]"#;
const NOW_MS: i64 = 1_795_000_000_000;

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
        eprintln!("usage: fuzz_webhook [rounds] [seed], both whole numbers");
        return ExitCode::FAILURE;
    };
    let mut read = 0_u64;
    for round in 0..rounds {
        let seed = seed.wrapping_add(round);
        match std::panic::catch_unwind(|| consume(&mut Dice(seed))) {
            Ok(count) => read += count,
            Err(_) => {
                eprintln!("failed: reproduce with `fuzz_webhook 1 {seed}`");
                return ExitCode::FAILURE;
            }
        }
    }
    println!("{rounds} rounds, {read} webhooks let in");
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

/// How many were let in.
fn consume(dice: &mut Dice) -> u64 {
    let Ok(secret) = WebhookSecret::read(SECRET) else { return 0 };
    let now = Moment::from_unix_ms(NOW_MS);
    let Ok(request) = Signer::new(secret.clone(), None).request("/hook", ID, BODY.into(), now) else { return 0 };
    let of = |name: &str| request.header(name).unwrap_or_default().to_owned();
    let (id, time, signature) = (of(ID_HEADER), of(TIMESTAMP_HEADER), of(SIGNATURE_HEADER));
    // One of the four is mutated, or none.
    let text = |text: &str, dice: &mut Dice| String::from_utf8_lossy(&mutated(text.as_bytes(), dice)).into_owned();
    let (mut forged_id, mut forged_time, mut forged, mut body) =
        (id.clone(), time.clone(), signature, request.body.clone());
    match dice.below(5) {
        0 => forged_id = text(&forged_id, dice),
        1 => forged_time = text(&forged_time, dice),
        2 => forged = text(&forged, dice),
        3 => body = mutated(&body, dice),
        _ => {}
    }
    let headers = Headers { id: &forged_id, timestamp: &forged_time, signature: &forged };
    let mut verifier = Verifier::new(secret, 4);
    if verifier.admit(headers, &body, now).is_err() {
        return 0;
    }
    assert!(forged_id == id && forged_time == time && body == BODY.as_bytes(), "what was not signed is let in");
    assert!(verifier.admit(headers, &body, now).is_err(), "it is let in twice");
    1
}
