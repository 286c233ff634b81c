//! Throws mutated mappings, answers and receipts at an SMS platform's account for a given number of rounds:
//! `cargo run --example fuzz_http_sms -- 100000 [seed]`.
//!
//! Deterministic: the seed printed with a failure reproduces it. A round asserts that nothing panics, that only the code that is configured is an
//! acceptance, that no receipt is believed that is not signed, and that no request or error shows the secret.

use std::process::ExitCode;

use gridbell_channels::http::{Callback, Prepared, Provider, Verdict};
use gridbell_channels::{Outgoing, PartSet};
use gridbell_model::{MessageId, Moment, Phone};
use gridbell_platform::{Answer, Method, Secret};
use gridbell_providers::{HttpSms, HttpSmsConfig};

const DEFAULT_ROUNDS: u64 = 30_000;
const DEFAULT_SEED: u64 = 0x0067_7269_6462_656c;
const SECRET: &str = "s3cr3t-of-the-account";
const MAPPING: &str = r#"
account = "acc"
secret = { env = "UNUSED" }
[request]
path = "/sms/send"
encoding = "json"
time = "compact"
fields = { account = "{account}", phone = "86{phone}", text = "{text}", id = "{id}", time = "{time}", sign = "{sign}" }
headers = { x-sign = "{sign}" }
[sign]
kind = "md5"
over = "{account}{secret}{time}{phone}"
[answer]
code = "/code"
ok = ["0"]
id = "/data/msgid"
codes = { 21 = "bad-address" }
[receipt]
list = "/list"
id = "/msgid"
status = "/status"
delivered = ["DELIVRD"]
acknowledge = "ok"
proof = { header = { name = "x-sign", kind = "hmac-sha256" } }
"#;
const ANSWER: &[u8] = br#"{"code":"0","data":{"msgid":"S000000000001"}}"#;
const RECEIPTS: &[u8] = br#"{"list":[{"msgid":"S000000000001","status":"DELIVRD"}]}"#;

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
        eprintln!("usage: fuzz_http_sms [rounds] [seed], both whole numbers");
        return ExitCode::FAILURE;
    };
    let mut read = 0_u64;
    for round in 0..rounds {
        let seed = seed.wrapping_add(round);
        match std::panic::catch_unwind(|| consume(&mut Dice(seed))) {
            Ok(count) => read += count,
            Err(_) => {
                eprintln!("failed: reproduce with `fuzz_http_sms 1 {seed}`");
                return ExitCode::FAILURE;
            }
        }
    }
    println!("{rounds} rounds, {read} mappings, answers and receipts read");
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
    let now = Moment::from_unix_ms(1_795_000_000_000);
    // Every other round has the mapping as it is, so that answers and receipts come to the reader.
    let whole = dice.below(2) == 0;
    let text = if whole { MAPPING.as_bytes().to_vec() } else { mutated(MAPPING.as_bytes(), dice) };
    let Ok(config) = toml::from_str::<HttpSmsConfig>(&String::from_utf8_lossy(&text)) else { return 0 };
    let ok = config.answer.ok.clone();
    let platform = match HttpSms::new("fuzz", config, Secret::new(SECRET), Some(Secret::new("0123456789abcdef"))) {
        Ok(platform) => platform,
        Err(error) => {
            assert!(!error.to_string().contains(SECRET), "an error shows the secret");
            return 1;
        }
    };
    let message = Outgoing {
        id: MessageId(7),
        to: Phone::from_text("13800001234").into(),
        sender: "95598".into(),
        body: "【电力】停电 {secret}".to_owned().into(),
        open: PartSet::one(1),
        attempt: 0,
        urgent: false,
        valid_until: None,
    };
    if let Prepared::Go { request, .. } = platform.prepare(&message, now) {
        let sent = String::from_utf8_lossy(&request.body).into_owned() + &request.path;
        assert!(!sent.contains(SECRET), "the secret goes out");
        let shown = format!("{request:?}");
        assert!(!shown.contains("13800001234") && !shown.contains("停电"), "a log shows whom or what");
    }
    let body = mutated(ANSWER, dice);
    let answer = Answer { status: [200, 200, 200, 302, 400, 502][dice.below(6)], body };
    if let Verdict::Accepted { .. } = platform.read(&message, 0, &answer, now) {
        let text = String::from_utf8_lossy(&answer.body).into_owned();
        assert!(ok.iter().any(|code| text.contains(code.as_str())) || text.contains('\\'), "accepted by another code");
    }
    let body = mutated(RECEIPTS, dice);
    let sign = String::from_utf8_lossy(&mutated(&[b'0'; 64], dice)).into_owned();
    let headers = [("x-sign", sign.as_str())];
    let callback = Callback { method: Method::Post, query: "", headers: &headers, body: &body };
    assert!(platform.callback(&callback, now).is_err(), "a receipt is believed that nobody signed");
    1
}
