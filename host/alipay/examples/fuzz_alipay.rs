//! Throws mutated answers, notices and keys at an account for a given number of rounds: `cargo run --example fuzz_alipay -- 1000000 [seed]`.
//!
//! Deterministic: the seed printed with a failure reproduces it. A round asserts that nothing panics, and that an answer or a notice is believed
//! only where what was signed stands in it untouched. About fifty thousand rounds take a second.

use std::process::ExitCode;

use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use gridbell_alipay::{Account, AlipayKey, AppKey, Call};
use gridbell_platform::{Outcome, form};
use ring::rand::SystemRandom;
use ring::signature::{RSA_PKCS1_SHA256, RsaKeyPair};

const DEFAULT_ROUNDS: u64 = 30_000;
const DEFAULT_SEED: u64 = 0x0067_7269_6462_656c;
const APP_ID: &str = "2021000000000001";
const RAW: &str = r#"{"code":"10000","msg":"a \"sign\" }","msg_id":"1100AB-7"}"#;

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

/// What is mutated.
struct Corpus {
    account: Account,
    answer: Vec<u8>,
    notice: Vec<u8>,
    key: Vec<u8>,
}

fn main() -> ExitCode {
    let mut arguments = std::env::args().skip(1);
    let mut number = |default| arguments.next().map_or(Ok(default), |argument| argument.parse());
    let (Ok(rounds), Ok(seed)) = (number(DEFAULT_ROUNDS), number(DEFAULT_SEED)) else {
        eprintln!("usage: fuzz_alipay [rounds] [seed], both whole numbers");
        return ExitCode::FAILURE;
    };
    let corpus = match corpus() {
        Ok(corpus) => corpus,
        Err(error) => {
            eprintln!("the keys of the crate's tests could not be used: {error}");
            return ExitCode::FAILURE;
        }
    };
    let mut believed = 0_u64;
    for round in 0..rounds {
        let seed = seed.wrapping_add(round);
        let round = std::panic::AssertUnwindSafe(|| consume(&corpus, &mut Dice(seed)));
        match std::panic::catch_unwind(round) {
            Ok(count) => believed += count,
            Err(_) => {
                eprintln!("failed: reproduce with `fuzz_alipay 1 {seed}`");
                return ExitCode::FAILURE;
            }
        }
    }
    println!("{rounds} rounds, {believed} answers and notices believed");
    ExitCode::SUCCESS
}

fn corpus() -> Result<Corpus, Box<dyn std::error::Error>> {
    let pem = |name: &str| std::fs::read_to_string(format!("{}/tests/keys/{name}.pem", env!("CARGO_MANIFEST_DIR")));
    let octets = |pem: &str| STANDARD.decode(pem.lines().filter(|line| !line.starts_with('-')).collect::<String>());
    let platform = RsaKeyPair::from_pkcs8(&octets(&pem("alipay-private")?)?).map_err(|error| error.to_string())?;
    let sign = |text: &str| {
        let mut signature = vec![0; platform.public().modulus_len()];
        let signed = platform.sign(&RSA_PKCS1_SHA256, &SystemRandom::new(), text.as_bytes(), &mut signature);
        signed.map(|()| STANDARD.encode(signature)).map_err(|error| error.to_string())
    };
    let public = pem("alipay-public")?;
    let account = Account::new(APP_ID, AppKey::read(&pem("app-pkcs8")?)?, AlipayKey::read(&public)?)?;
    let answer = format!(r#"{{"{}":{RAW},"sign":"{}"}}"#, Call::Send.response(), sign(RAW)?);
    let notice = [("app_id", APP_ID), ("biz_content", "{\"电\":\"1\"}"), ("notify_id", "n-1")];
    let signed = sign(&notice.map(|(name, value)| format!("{name}={value}")).join("&"))?;
    let notice = form::encode_pairs(notice.into_iter().chain([("sign", signed.as_str()), ("sign_type", "RSA2")]));
    Ok(Corpus { account, answer: answer.into_bytes(), notice: notice.into_bytes(), key: octets(&public)? })
}

fn mutated(of: &[u8], dice: &mut Dice) -> Vec<u8> {
    let mut octets = of.to_vec();
    for _ in 0..dice.below(4) {
        let at = dice.below(octets.len() + 1);
        let end = (at + dice.below(40)).min(octets.len());
        match dice.below(6) {
            0 => octets.truncate(at),
            1 => drop(octets.drain(at..end)),
            2 => octets.insert(at, b"{}[]\":,\\ &=%+"[dice.below(13)]),
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

/// How many were believed.
fn consume(corpus: &Corpus, dice: &mut Dice) -> u64 {
    let Corpus { account, answer, notice, key } = corpus;
    let (answer, notice, key) = (mutated(answer, dice), mutated(notice, dice), mutated(key, dice));
    let mut believed = 0;
    if let Ok(Outcome::Accepted { id }) = account.answer(Call::Send, &answer) {
        assert!(answer.windows(RAW.len()).any(|window| window == RAW.as_bytes()), "what was signed is not in it");
        assert_eq!(id.as_ref().map(|id| id.as_str()), Some("1100AB-7"), "it says what was not signed");
        believed += 1;
    }
    if let Ok(notice) = account.notice(&notice) {
        assert_eq!((notice.id(), notice.get("app_id")), (Some("n-1"), Some(APP_ID)), "it says what was not signed");
        assert_eq!(notice.get("biz_content"), Some("{\"电\":\"1\"}"), "it says what was not signed");
        believed += 1;
    }
    let _ = AlipayKey::read(&STANDARD.encode(key));
    believed
}
