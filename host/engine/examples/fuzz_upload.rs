//! Throws mutated plugins at the check of uploads, and mutated manifests at the contract's: `fuzz_upload [rounds] [seed]`.
//!
//! Whatever the bytes are, the check ends without a panic, within a bound of CPU time and memory, and never takes a component that imports
//! something. Mutations know the format: sections are swapped, doubled, dropped, moved between modules and components, their lengths kept right,
//! so that what is behind the first length is reached too. Same rounds and seed, same inputs.

use std::process::ExitCode;
use std::time::Duration;

use gridbell_clock::thread_cpu;
use gridbell_contract::Manifest;
use gridbell_engine::{Refusal, check};

const DEFAULT_ROUNDS: u64 = 20_000;
const DEFAULT_SEED: u64 = 1;
/// Largest input: a C guest has 3 KB, the Rust one 20 KB.
const MAX_INPUT: usize = 96 << 10;
/// CPU time that one input of that size may take; a good one takes a few milliseconds even without optimisation.
const MAX_CPU: Duration = Duration::from_secs(2);
/// Most that one check may make of an input: the component of a module is a few kilobytes larger than it.
const MAX_COMPONENT: usize = 4 * MAX_INPUT;

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

    fn of<'a, T>(&mut self, list: &'a [T]) -> Option<&'a T> {
        list.get(self.below(list.len()))
    }
}

/// A section: its id and what it holds.
type Section = (u8, Vec<u8>);

/// What is mutated.
struct Seeds {
    plugins: Vec<Vec<u8>>,
    manifests: Vec<String>,
    /// Sections of all plugins, and of the modules in them.
    sections: Vec<Section>,
}

#[derive(Default)]
struct Tally {
    taken: u64,
    refused: std::collections::BTreeMap<&'static str, u64>,
    manifests: u64,
    slowest: Duration,
}

fn main() -> ExitCode {
    let mut arguments = std::env::args().skip(1);
    let mut number = |default| arguments.next().map_or(Ok(default), |argument| argument.parse());
    let (Ok(rounds), Ok(seed)) = (number(DEFAULT_ROUNDS), number(DEFAULT_SEED)) else {
        eprintln!("usage: fuzz_upload [rounds] [seed], both whole numbers");
        return ExitCode::FAILURE;
    };
    // The encoder's assertions are caught and become refusals; their words would only fill the screen.
    std::panic::set_hook(Box::new(|_| {}));
    let seeds = seeds();
    let mut tally = Tally::default();
    for round in 0..rounds {
        let mut dice = Dice(seed.wrapping_add(round));
        let before = thread_cpu();
        let outcome = std::panic::catch_unwind(std::panic::AssertUnwindSafe(|| one(&seeds, &mut dice, &mut tally)));
        let took = thread_cpu().saturating_sub(before);
        tally.slowest = tally.slowest.max(took);
        let wrong = match outcome {
            Err(_) => Some("it panicked".to_owned()),
            Ok(Err(wrong)) => Some(wrong),
            Ok(Ok(())) if took > MAX_CPU => Some(format!("it took {took:?} of CPU")),
            Ok(Ok(())) => None,
        };
        if let Some(wrong) = wrong {
            eprintln!("{wrong}: reproduce with `fuzz_upload 1 {}`", seed.wrapping_add(round));
            return ExitCode::FAILURE;
        }
    }
    let refused: Vec<String> = tally.refused.iter().map(|(code, n)| format!("{n} {code}")).collect();
    println!(
        "{rounds} rounds from seed {seed}: {} taken, {} manifests taken, slowest {} ms; refused: {}",
        tally.taken,
        tally.manifests,
        tally.slowest.as_millis(),
        refused.join(", ")
    );
    ExitCode::SUCCESS
}

/// One input, and what must hold for it.
fn one(seeds: &Seeds, dice: &mut Dice, tally: &mut Tally) -> Result<(), String> {
    if dice.below(4) == 0 {
        if let Some(manifest) = dice.of(&seeds.manifests) {
            let text = mutated_text(manifest, dice);
            tally.manifests += u64::from(Manifest::parse(&text).is_ok());
        }
        return Ok(());
    }
    let bytes = mutated(seeds, dice);
    match check(&bytes) {
        Ok(checked) => {
            tally.taken += 1;
            if checked.component().len() > MAX_COMPONENT {
                return Err(format!("{} bytes became {}", bytes.len(), checked.component().len()));
            }
            // What was taken is a component now, and must be taken as such.
            check(checked.component()).map(drop).map_err(|e| format!("taken once and not again: {e}"))
        }
        Err(refusal) => {
            *tally.refused.entry(refusal.code().word()).or_default() += 1;
            let said = refusal.to_string();
            let sound = said.len() > 30 && said.len() < 2400 && !said.chars().any(char::is_control);
            let placed = !matches!(refusal, Refusal::Invalid { offset, .. } if offset > MAX_COMPONENT as u64);
            if sound && placed { Ok(()) } else { Err(format!("no sentence: {said}")) }
        }
    }
}

/// A plugin of the corpus with a few changes, mostly one or two, of bytes or of whole sections.
fn mutated(seeds: &Seeds, dice: &mut Dice) -> Vec<u8> {
    let mut bytes = dice.of(&seeds.plugins).cloned().unwrap_or_default();
    let most = [1, 1, 2, 6][dice.below(4)];
    for _ in 0..=dice.below(most) {
        if dice.below(3) < 2 {
            bytes = of_sections(&bytes, seeds, dice);
        } else {
            of_bytes(&mut bytes, dice);
        }
    }
    bytes.truncate(MAX_INPUT);
    bytes
}

/// Changes a section, or what is in one, and writes all lengths anew.
fn of_sections(bytes: &[u8], seeds: &Seeds, dice: &mut Dice) -> Vec<u8> {
    let Some((header, mut sections)) = split(bytes) else { return bytes.to_vec() };
    let (n, m) = (dice.below(sections.len()), dice.below(sections.len()));
    if n < sections.len() {
        match dice.below(7) {
            0 => sections.swap(n, m),
            1 => drop(sections.remove(n)),
            2 => {
                let again = sections[n].clone();
                sections.insert(m, again);
            }
            3 => sections.extend(dice.of(&seeds.sections).cloned()),
            4 => sections[n].0 = dice.below(16) as u8,
            // A module or component within: its own sections.
            5 if split(&sections[n].1).is_some() => sections[n].1 = of_sections(&sections[n].1, seeds, dice),
            _ => of_bytes(&mut sections[n].1, dice),
        }
    }
    join(&header, &sections)
}

fn of_bytes(bytes: &mut Vec<u8>, dice: &mut Dice) {
    let length = bytes.len();
    let at = dice.below(length);
    let end = (at + 1 + dice.below(24)).min(length);
    match dice.below(8) {
        0 if length > 0 => bytes[at] ^= 1 << dice.below(8),
        1 if length > 0 => bytes[at] = dice.next() as u8,
        2 if length > 0 => bytes[at] = [0, 1, 0x40, 0x7f, 0x80, 0xff][dice.below(6)],
        // Numbers that are huge, in as few bytes as they take.
        3 if length > 0 => drop(bytes.splice(at..at + 1, [0xff, 0xff, 0xff, 0xff, 0x0f])),
        4 if length > 0 => drop(bytes.drain(at..end)),
        5 if length > 0 => bytes.extend_from_within(at..end),
        6 if length > 0 => {
            let piece = bytes[at..end].to_vec();
            let to = dice.below(length);
            drop(bytes.splice(to..to, piece));
        }
        _ => bytes.truncate(end),
    }
}

/// A manifest with up to eight changes: letters, or pieces of JSON that a schema may have.
fn mutated_text(text: &str, dice: &mut Dice) -> String {
    const PIECES: [&str; 14] = [
        r##"{"$ref":"#/properties/steps"}"##,
        r##"{"$ref":"#"}"##,
        r#"{"$ref":"http://a.example/"}"#,
        r#"{"allOf":[{},{}]}"#,
        r#""pattern":"(a{9}){9}","#,
        r#""pattern":"[","#,
        r#""default":null,"#,
        r#""minimum":1e308,"#,
        r#""type":["object","null"],"#,
        "[[[[[[[[",
        "{}",
        "-0.5",
        "\u{0}",
        "\\ud800",
    ];
    let mut chars: Vec<char> = text.chars().collect();
    for _ in 0..=dice.below(8) {
        let at = dice.below(chars.len());
        let end = (at + 1 + dice.below(40)).min(chars.len());
        let piece: Vec<char> = match dice.below(4) {
            0 => PIECES[dice.below(PIECES.len())].chars().collect(),
            1 => chars[at..end].to_vec(),
            2 => chars[at..end].repeat(1 + dice.below(30)),
            _ => Vec::new(),
        };
        let to = dice.below(chars.len());
        let keep = if dice.below(2) == 0 { to } else { (to + 1 + dice.below(12)).min(chars.len()) };
        drop(chars.splice(to..keep, piece));
    }
    chars.into_iter().collect()
}

/// Header and sections, if that is what `bytes` are.
fn split(bytes: &[u8]) -> Option<(Vec<u8>, Vec<Section>)> {
    let (header, mut rest) = bytes.split_at_checked(8)?;
    if !header.starts_with(b"\0asm") {
        return None;
    }
    let mut sections = Vec::new();
    while let [id, after @ ..] = rest {
        let digits = after.iter().take(5).position(|b| *b < 0x80)? + 1;
        let size = after[..digits].iter().rev().fold(0_u64, |n, b| n << 7 | u64::from(b & 0x7f));
        let (content, behind) = after[digits..].split_at_checked(usize::try_from(size).ok()?)?;
        sections.push((*id, content.to_vec()));
        rest = behind;
    }
    Some((header.to_vec(), sections))
}

fn join(header: &[u8], sections: &[Section]) -> Vec<u8> {
    let mut bytes = header.to_vec();
    for (id, content) in sections {
        bytes.push(*id);
        let mut size = content.len();
        while size >= 0x80 {
            bytes.push((size & 0x7f) as u8 | 0x80);
            size >>= 7;
        }
        bytes.push(size as u8);
        bytes.extend_from_slice(content);
    }
    bytes
}

#[expect(clippy::unwrap_used, reason = "the seeds are part of the repository")]
fn seeds() -> Seeds {
    let prebuilt: [(&[u8], &str); 5] = [
        (
            include_bytes!("../../../plugins/prebuilt/arrears-reminder.wasm"),
            include_str!("../../../plugins/prebuilt/arrears-reminder.json"),
        ),
        (
            include_bytes!("../../../plugins/prebuilt/arrears-reminder-c.wasm"),
            include_str!("../../../plugins/prebuilt/arrears-reminder-c.json"),
        ),
        (
            include_bytes!("../../../plugins/prebuilt/balance-warning.wasm"),
            include_str!("../../../plugins/prebuilt/balance-warning.json"),
        ),
        (
            include_bytes!("../../../plugins/prebuilt/bill-notice.wasm"),
            include_str!("../../../plugins/prebuilt/bill-notice.json"),
        ),
        (
            include_bytes!("../../../plugins/prebuilt/payment-received.wasm"),
            include_str!("../../../plugins/prebuilt/payment-received.json"),
        ),
    ];
    let mut plugins: Vec<Vec<u8>> = Vec::new();
    for (bytes, _) in prebuilt {
        // As it is, and the other kind: a module becomes a component here, and a component has its module within.
        plugins.push(check(bytes).unwrap().component().to_vec());
        plugins.push(bytes.to_vec());
        let within = |(id, content): Section| (id == 1).then_some(content);
        plugins.extend(split(&plugins[plugins.len() - 2]).unwrap().1.into_iter().filter_map(within));
    }
    plugins.sort();
    plugins.dedup();
    let sections = plugins.iter().filter_map(|p| split(p)).flat_map(|(_, sections)| sections).collect();
    Seeds { plugins, manifests: prebuilt.iter().map(|(_, m)| (*m).to_owned()).collect(), sections }
}
