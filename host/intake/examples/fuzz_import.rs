//! Throws damaged files at the importer: `cargo run -p gridbell-intake --example fuzz_import [ITERATIONS] [SEED]`.
//!
//! Each iteration takes a sound file, damages it by a few random changes and reads it in every way. Nothing may panic, every way must give the
//! same rows and rejects, and rows, rejects and blank records must add up. The seed of a failure is in its message.
#![expect(clippy::print_stdout, reason = "an example talks to whoever runs it")]

use std::io::Cursor;
use std::sync::Arc;

use gridbell_clock::Seed;
use gridbell_intake::{
    BalanceRow, BillRow, ContactRow, CustomerRow, Import, IntakeError, Options, PaymentRow, Reject, Row, Summary,
    read_segments,
};
use gridbell_model::{Date, Segments};
use rand_core::RngCore;

/// Files to damage: with every way of writing a field that the importer knows.
const SOUND: [&str; 5] = [
    "户号,供电单位,抄表段,户名,手机号,用电类别,费控,标签,预警阈值,核实日期,备注\r\n0012345678,14010501,1401050101,王小明,13812341234,居民,是,老人、重要客户,30.00,2025-01-11,\"住\"\"东\"\"院\n三楼\"\r\n=\"0012345679\",14010502,,\"李, 四\",0351-4123456,企业,否,,,,\r\n",
    "account\tperiod\tamount\tissued\tlate-fee-from\tkwh\tas-of\n0012345678\t202611\t1234.50\t2026-11-01\t2026-12-01\t300\t2026-11-20\n0012345679\t2026年10月\t\"1,234.50\"\t2026/10/01\t20261101\t\t\n",
    "用电户号;可用余额（元）;数据日期\n0012345678;-19.53;2026-11-20\n0012345679;１２.5元;2026年11月19日\n",
    "户号,缴费流水号,缴费金额,缴费时间,冲正\n0012345678,A-1,50,2026-11-21 09:30:12,否\n0012345678,A-2,-50.00,20261121093012,\n",
    "户号,渠道,标识,来源,绑定时间\n0012345678,微信,oLVPpjqs9BhvzwPj5A-vTYAX3GLc,网站,2026-11-01 09:30\n0012345679,alipay,2088102122458832,,\n",
];
/// Bytes that mean something to a reader.
const SPITEFUL: &[u8] = b"\"\"\",,\n\r\t;|=\x00\xff\xfe\xef\xbb\xbf\x81\x30\xb9\xb7-.eE09 ";

fn main() -> Result<(), Box<dyn std::error::Error>> {
    let mut args = std::env::args().skip(1);
    let iterations: u64 = args.next().map_or(Ok(20_000), |n| n.parse())?;
    let seed: u64 = args.next().map_or(Ok(1), |n| n.parse())?;
    let segments = Arc::new(read_segments(include_str!("../../../policies/segments.toml"))?);
    let (mut opened, mut rows, mut rejects) = (0u64, 0u64, 0u64);
    for i in 0..iterations {
        let mut rng = Seed(seed).child(&i.to_string()).stream("damage");
        let kind = (rng.next_u32() % 5) as usize;
        let file = damaged(SOUND[kind], &mut rng);
        let read = match kind {
            0 => every_way::<CustomerRow>(&file, &segments),
            1 => every_way::<BillRow>(&file, &segments),
            2 => every_way::<BalanceRow>(&file, &segments),
            3 => every_way::<PaymentRow>(&file, &segments),
            _ => every_way::<ContactRow>(&file, &segments),
        };
        match read.map_err(|e| format!("iteration {i} of seed {seed}: {e}"))? {
            Some(summary) => {
                opened += 1;
                rows += summary.accepted;
                rejects += summary.rejected;
            }
            None => continue,
        }
    }
    println!("{iterations} files, {opened} with a header, {rows} rows, {rejects} rejects");
    if rows == 0 || rejects == 0 {
        return Err("the damage is too small or too large to say anything".into());
    }
    Ok(())
}

/// `sound` with its rows repeated and some bytes changed, put in, taken out, doubled or cut off.
fn damaged(sound: &str, rng: &mut impl RngCore) -> Vec<u8> {
    let (header, body) = sound.split_once('\n').unwrap_or((sound, ""));
    // Now and then a file of several blocks.
    let times = if rng.next_u32().is_multiple_of(256) { 3_000 } else { 1 + rng.next_u32() as usize % 4 };
    let text = format!("{header}\n{}", body.repeat(times));
    let mut bytes = if rng.next_u32().is_multiple_of(3) {
        encoding_rs::GB18030.encode(&text).0.into_owned()
    } else {
        text.into_bytes()
    };
    // Half of the damage leaves the header alone, so that rows are reached.
    let keep = if rng.next_u32().is_multiple_of(2) { bytes.iter().position(|b| *b == b'\n').unwrap_or(0) } else { 0 };
    for _ in 0..rng.next_u32() % 6 {
        let at = keep + rng.next_u32() as usize % (bytes.len() - keep).max(1);
        let spite = SPITEFUL[rng.next_u32() as usize % SPITEFUL.len()];
        match rng.next_u32() % 6 {
            0 if at < bytes.len() => bytes[at] = rng.next_u32() as u8,
            1 if at < bytes.len() => bytes[at] = spite,
            2 => bytes.insert(at.min(bytes.len()), spite),
            3 if at < bytes.len() => drop(bytes.remove(at)),
            4 => {
                let end = (at + 1 + rng.next_u32() as usize % 30).min(bytes.len());
                let piece = bytes.get(at..end).unwrap_or_default().to_vec();
                let to = rng.next_u32() as usize % (bytes.len() + 1);
                bytes.splice(to..to, piece);
            }
            _ => bytes.truncate(at.max(1)),
        }
    }
    bytes
}

/// Reads `file` here and with parsers beside; none if it cannot be opened.
fn every_way<T: Row + PartialEq + std::fmt::Debug>(
    file: &[u8],
    segments: &Arc<Segments>,
) -> Result<Option<Summary>, String> {
    let here = read::<T>(file, segments, 0);
    let beside = read::<T>(file, segments, 2);
    match (here, beside) {
        (Ok(here), Ok(beside)) if here == beside => {
            let (rows, rejects, summary) = here;
            if rows.len() as u64 != summary.accepted || rejects.len() as u64 != summary.rejected {
                return Err("the summary counts otherwise".to_owned());
            }
            if summary.records != summary.accepted + summary.rejected + summary.blank {
                return Err("records are lost".to_owned());
            }
            Ok(Some(summary))
        }
        (Err(here), Err(beside)) if here.to_string() == beside.to_string() => Ok(None),
        (here, beside) => Err(format!("read differently: {here:?} and {beside:?}")),
    }
}

type Read<T> = (Vec<(u64, T)>, Vec<Reject>, Summary);

fn read<T: Row>(file: &[u8], segments: &Arc<Segments>, parsers: usize) -> Result<Read<T>, IntakeError> {
    let today = Date::from_ymd(2026, 11, 21).unwrap_or(Date::NONE);
    let options = Options { parsers, ..Options::new(today, segments.clone()) };
    let mut import = Import::<T>::csv(Box::new(Cursor::new(file.to_vec())), "fuzz.csv", None, &options)?;
    let (mut rows, mut rejects) = (Vec::new(), Vec::new());
    while let Some(batch) = import.next_batch()? {
        rows.extend(batch.lines.into_iter().zip(batch.rows));
        rejects.extend(batch.rejects);
    }
    Ok((rows, rejects, import.summary().clone()))
}
