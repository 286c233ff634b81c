//! Throws mutated callbacks at the door for a given number of rounds: `cargo run --example fuzz_wechat -- 1000000 [seed]`.
//!
//! Deterministic: the seed printed with a failure reproduces it. A round asserts that nothing panics, that a callback says the same in clear
//! and encrypted, and that one whose signature is another's is never let in. About seventy thousand rounds take a second.

use std::process::ExitCode;

use gridbell_model::Moment;
use gridbell_platform::{Secret, bytes};
use gridbell_wechat::{AesKey, CallbackQuery, Door, Mode, answer, token};
use ring::digest::{SHA1_FOR_LEGACY_USE_ONLY, digest};

const DEFAULT_ROUNDS: u64 = 100_000;
const DEFAULT_SEED: u64 = 0x0067_7269_6462_656c;
const TOKEN: &str = "spamtest";
const KEY: &str = "abcdefghijklmnopqrstuvwxyz0123456789ABCDEFG";
const NOW: i64 = 1_409_735_669_000;

/// What mutations are made from, beside single octets.
const PIECES: [&str; 18] = [
    "<xml>",
    "</xml>",
    "<MsgType>",
    "</MsgType>",
    "<![CDATA[",
    "]]>",
    "<!--",
    "-->",
    "<!DOCTYPE xml [",
    "<!ENTITY a \"b\">",
    "&amp;",
    "&#x41;",
    "&a;",
    "<?pi?>",
    "<a>",
    "</a>",
    "<a/>",
    "]]]]><![CDATA[>",
];

const SEEDS: [&str; 4] = [
    "<xml><ToUserName><![CDATA[gh_1]]></ToUserName><FromUserName><![CDATA[oX]]></FromUserName><CreateTime>1409735668</CreateTime>\
     <MsgType><![CDATA[text]]></MsgType><Content><![CDATA[退订]]></Content><MsgId>6054768590064713728</MsgId></xml>",
    "<xml><FromUserName>oX</FromUserName><CreateTime>1395658920</CreateTime><MsgType>event</MsgType>\
     <Event>TEMPLATESENDJOBFINISH</Event><MsgID>200163836</MsgID><Status>failed:user block</Status></xml>",
    "<xml><FromUserName>oX</FromUserName><CreateTime>1395658920</CreateTime><MsgType>event</MsgType><Event>subscribe</Event>\
     <EventKey>qrscene_&lt;1&#62;</EventKey></xml>",
    "{\"errcode\":0,\"errmsg\":\"ok\",\"msgid\":200163840,\"access_token\":\"66_abc\",\"expires_in\":7200}",
];

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
        eprintln!("usage: fuzz_wechat [rounds] [seed], both whole numbers");
        return ExitCode::FAILURE;
    };
    let (Some(plain), Some(aes)) = (door(false), door(true)) else {
        eprintln!("the doors of this fuzzer could not be made");
        return ExitCode::FAILURE;
    };
    let mut read = 0_u64;
    for round in 0..rounds {
        let mut dice = Dice(seed.wrapping_add(round));
        let octets = mutated(&mut dice);
        match std::panic::catch_unwind(|| consume(&plain, &aes, &octets, &mut Dice(seed ^ round))) {
            Ok(let_in) => read += u64::from(let_in),
            Err(_) => {
                eprintln!("failed: reproduce with `fuzz_wechat 1 {}`", seed.wrapping_add(round));
                return ExitCode::FAILURE;
            }
        }
    }
    println!("{rounds} rounds, {read} callbacks read, {} refused", rounds - read);
    ExitCode::SUCCESS
}

fn door(encrypted: bool) -> Option<Door> {
    let mode = if encrypted { Mode::Aes(AesKey::read(KEY).ok()?) } else { Mode::Plain };
    Door::new("wx1", Secret::new(TOKEN), mode).ok()
}

fn mutated(dice: &mut Dice) -> Vec<u8> {
    let mut octets = SEEDS[dice.below(SEEDS.len())].as_bytes().to_vec();
    for _ in 0..dice.below(6) {
        let at = dice.below(octets.len() + 1);
        match dice.below(5) {
            0 => octets.truncate(at),
            1 => drop(octets.splice(at..at, PIECES[dice.below(PIECES.len())].bytes())),
            2 => {
                let end = (at + dice.below(20)).min(octets.len());
                octets.drain(at..end);
            }
            3 => octets.insert(at, dice.next() as u8),
            _ => {
                let end = (at + dice.below(60)).min(octets.len());
                let again = octets[at..end].to_vec();
                octets.splice(at..at, again);
            }
        }
    }
    octets
}

/// Whether the callback was let in.
fn consume(plain: &Door, aes: &Door, octets: &[u8], dice: &mut Dice) -> bool {
    let _ = (answer::read(octets), token::read(octets));
    let now = Moment::from_unix_ms(NOW);
    let timestamp = (NOW / 1000).to_string();
    let mut parts = [TOKEN, "n", &timestamp];
    parts.sort_unstable();
    let signature = bytes::hex(digest(&SHA1_FOR_LEGACY_USE_ONLY, parts.concat().as_bytes()).as_ref());
    let mut query = CallbackQuery { signature, timestamp, nonce: "n".into(), msg_signature: None, echostr: None };
    let read = plain.open(&query, octets, now);
    if let Ok(text) = std::str::from_utf8(octets)
        && let Ok(sealed) = aes.reply(text, now, "n", [dice.next() as u8; 16])
    {
        let sections: Vec<&str> =
            sealed.split("<![CDATA[").filter_map(|part| part.split_once("]]>").map(|(inside, _)| inside)).collect();
        query.msg_signature = sections.get(1).map(|signature| (*signature).to_owned());
        assert_eq!(aes.open(&query, sealed.as_bytes(), now), read, "in clear and encrypted it says the same");
        query.msg_signature = Some("0".repeat(40));
        assert!(aes.open(&query, sealed.as_bytes(), now).is_err(), "it is let in with another's signature");
        assert!(aes.open(&query, octets, now).is_err(), "it is let in in clear");
    }
    read.is_ok()
}
