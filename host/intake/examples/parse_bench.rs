//! How fast a customers file is read, on one core and with threads beside it: `cargo run --release -p gridbell-intake --example parse_bench [ROWS | FILE]`.
#![expect(clippy::print_stdout, reason = "an example talks to whoever runs it")]

use std::fmt::Write;
use std::io::Cursor;
use std::sync::Arc;

use gridbell_clock::Clock;
use gridbell_intake::{BillRow, CustomerRow, Import, Options, Row, read_segments};
use gridbell_model::Date;

fn main() -> Result<(), Box<dyn std::error::Error>> {
    let segments = Arc::new(read_segments(include_str!("../../../policies/segments.toml"))?);
    let today = Date::from_ymd(2026, 11, 21).ok_or("no such day")?;
    let options = |parsers| Options { parsers, ..Options::new(today, segments.clone()) };

    let argument = std::env::args().nth(1).unwrap_or_else(|| "1000000".to_owned());
    let Ok(rows) = argument.parse() else {
        // A customers file as it lies on the disk.
        for parsers in [0, 1, 2] {
            let path = std::path::Path::new(&argument);
            run(&argument, Import::<CustomerRow>::open(path, &options(parsers))?, parsers)?;
        }
        return Ok(());
    };

    let customers = customers(rows)?;
    let (gb18030, _, _) = encoding_rs::GB18030.encode(&customers);
    let gb18030 = gb18030.into_owned();
    let quoted: String = customers.lines().map(|l| format!("\"{}\"\n", l.replace(',', "\",\""))).collect();
    let bills = bills(rows)?;
    for parsers in [0, 1, 2] {
        for (name, bytes) in [("utf-8", customers.as_bytes()), ("gb18030", &gb18030), ("all quoted", quoted.as_bytes())]
        {
            read::<CustomerRow>(name, bytes.to_vec(), &options(parsers))?;
        }
        read::<BillRow>("bills", bills.as_bytes().to_vec(), &options(parsers))?;
    }
    Ok(())
}

fn read<T: Row>(name: &str, bytes: Vec<u8>, options: &Options) -> Result<(), Box<dyn std::error::Error>> {
    let size = bytes.len() as u64;
    run(name, Import::<T>::csv(Box::new(Cursor::new(bytes)), name, Some(size), options)?, options.parsers)
}

fn run<T: Row>(name: &str, mut import: Import<T>, parsers: usize) -> Result<(), Box<dyn std::error::Error>> {
    let clock = Clock::system();
    let started = clock.monotonic();
    while import.next_batch()?.is_some() {}
    let took = (clock.monotonic() - started).as_secs_f64();
    let s = import.summary();
    println!(
        "{} {name}, {parsers} parsers: {:.2} M rows/s, {:.0} MB/s, {} rows, {} refused",
        T::KIND,
        s.records as f64 / took / 1e6,
        import.progress().bytes_read() as f64 / took / 1e6,
        s.accepted,
        s.rejected
    );
    Ok(())
}

fn customers(rows: u64) -> Result<String, std::fmt::Error> {
    let mut csv =
        "户号,供电单位,抄表段,户名,手机号,用电类别,费控,重要客户,银行批扣,订阅账单,预警阈值,核实日期\n".to_owned();
    for i in 0..rows {
        let (phone, station) = (13_500_000_000 + i * 7919 % 400_000_000, 14_010_501 + i % 97);
        writeln!(
            csv,
            "{:010},{station},{}{:02},王小明,{phone},居民,{},否,否,是,{},2025-0{}-11",
            12_345_678 + i * 3,
            station,
            i % 40,
            if i % 2 == 0 { "是" } else { "否" },
            i % 100,
            i % 9 + 1
        )?;
    }
    Ok(csv)
}

fn bills(rows: u64) -> Result<String, std::fmt::Error> {
    let mut csv = "户号,电费年月,应收金额,电量,发行日期,违约金起算日,数据日期\n".to_owned();
    for i in 0..rows {
        writeln!(
            csv,
            "{:010},202611,{}.{:02},{},2026-11-{:02},2026-12-{:02},2026-11-21",
            12_345_678 + i * 3,
            i % 900,
            i % 100,
            i % 1200,
            i % 20 + 1,
            i % 20 + 1
        )?;
    }
    Ok(csv)
}
