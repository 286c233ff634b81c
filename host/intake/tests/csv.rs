//! Files as offices send them, through the front door.
#![expect(clippy::unwrap_used, reason = "a test that fails here has found something")]

use std::io::{Cursor, Read};
use std::sync::Arc;

use gridbell_intake::{
    BalanceRow, BillRow, ContactRow, CustomerInput, CustomerRow, Encoding, Import, IntakeError, Mapping, Options,
    PaymentRow, PortedRow, Reason, Reject, RejectFile, Row, Summary, SupplyRow, Warning, read_segments,
};
use gridbell_model::{
    BindingSource, Carrier, Channel, ContactSource, Date, Fen, OrgCode, Phone, PhoneClass, Segments, Traits,
};
use gridbell_topology::{LineFact, SectionFact, Spot, SubstationFact, TransformerFact};
use proptest::prelude::*;

fn segments() -> Arc<Segments> {
    Arc::new(read_segments(include_str!("../../../policies/segments.toml")).unwrap())
}

fn today() -> Date {
    "2026-11-21".parse().unwrap()
}

fn options() -> Options {
    Options { parsers: 0, ..Options::new(today(), segments()) }
}

struct Outcome<T> {
    rows: Vec<T>,
    lines: Vec<u64>,
    rejects: Vec<Reject>,
    summary: Summary,
}

fn try_read<T: Row>(bytes: &[u8], options: &Options) -> Result<Outcome<T>, IntakeError> {
    let mut import = Import::<T>::csv(Box::new(Cursor::new(bytes.to_vec())), "f.csv", None, options)?;
    let (mut rows, mut lines, mut rejects) = (Vec::new(), Vec::new(), Vec::new());
    while let Some(batch) = import.next_batch()? {
        rows.extend(batch.rows);
        lines.extend(batch.lines);
        rejects.extend(batch.rejects);
    }
    let summary = import.summary().clone();
    assert_eq!(summary.records, summary.accepted + summary.rejected + summary.blank);
    Ok(Outcome { rows, lines, rejects, summary })
}

fn read<T: Row>(text: &str) -> Outcome<T> {
    try_read(text.as_bytes(), &options()).unwrap()
}

fn reasons<T>(outcome: &Outcome<T>) -> Vec<(u64, Reason)> {
    outcome.rejects.iter().map(|r| (r.place.line, r.reason)).collect()
}

#[test]
fn a_customers_file_in_chinese() {
    let o = read::<CustomerRow>(
        "\u{feff}户号,供电单位,抄表段,户名,手机号,用电类别,费控,是否免催,预警阈值,核实日期,地址,,\r\n\
         0012345678,14010501,1401050107,王小明,13812341234,居民,是,否,30.00,2025-01-11,\"迎泽大街1号,3楼\",,\r\n\
         0012345679,14010501,,,,,,,,,,,\r\n",
    );
    assert_eq!(o.rejects, []);
    assert_eq!(o.summary.ignored_columns, ["地址"]);
    let first = &o.rows[0];
    assert_eq!(first.account.to_string(), "0012345678");
    assert_eq!((first.station, first.section), (OrgCode(14_010_501), Some(1_401_050_107)));
    assert_eq!(first.name.as_deref(), Some("王小明"));
    let phone = first.phone.unwrap();
    assert_eq!((phone.number(), phone.class()), (13_812_341_234, PhoneClass::Mobile));
    assert_eq!((phone.source(), phone.verified_on()), (ContactSource::Archive, "2025-01-11".parse().unwrap()));
    assert_eq!(first.threshold, Some(Fen(3000)));
    assert_eq!(first.traits, Traits::RESIDENT | Traits::PREPAID);
    assert!(first.traits_given.has(Traits::DO_NOT_REMIND | Traits::FIRM));
    assert!(!first.traits_given.has_any(Traits::IMPORTANT));
    // What is not given stays as it is.
    let mut bare = CustomerRow::new("0012345679".parse().unwrap(), OrgCode(14_010_501));
    assert_eq!(o.rows[1], bare);
    bare.section = Some(1);
    assert_ne!(o.rows[1], bare);
    // Whoever prints a row does not print a person.
    assert!(!format!("{first:?}").contains("王小明") && !format!("{first:?}").contains("13812341234"));
}

#[test]
fn the_same_file_in_every_encoding_and_delimiter() {
    let text = "户号,供电单位,户名,手机号\n0012345678,14010501,王小明,13812341234\n";
    let expected = read::<CustomerRow>(text).rows;
    assert_eq!(expected.len(), 1);
    let (gb, _, _) = encoding_rs::GB18030.encode(text);
    assert_eq!(try_read::<CustomerRow>(&gb, &options()).unwrap().rows, expected);
    let forced = Options { encoding: Some(Encoding::Gb18030), ..options() };
    assert_eq!(try_read::<CustomerRow>(&gb, &forced).unwrap().rows, expected);
    for delimiter in ["\t", ";", "|"] {
        assert_eq!(read::<CustomerRow>(&text.replace(',', delimiter)).rows, expected, "{delimiter}");
    }
    // What a spreadsheet calls "Unicode text".
    let mut utf16 = vec![0xff, 0xfe];
    text.replace(',', "\t").encode_utf16().for_each(|u| utf16.extend(u.to_le_bytes()));
    assert_eq!(try_read::<CustomerRow>(&utf16, &options()).unwrap().rows, expected);
    // A title above the header, all fields quoted, English headers.
    let english = "Customers of November\n\n\"Account Number\",\"Station\",\"Name\",\"Mobile\"\n\"0012345678\",\"14010501\",\"王小明\",\"13812341234\"";
    let o = read::<CustomerRow>(english);
    assert_eq!((o.rows, o.lines), (expected, vec![4]));
}

#[test]
fn a_wrong_identity_or_amount_is_refused_and_the_rest_goes_on() {
    let o = read::<BillRow>(
        "户号,电费年月,应收金额（元）,发行日期,违约金起算日,电量\n\
         0012345678,202611,12.50,2026-11-01,2026-12-01,300\n\
         1.2E+12,202611,12.50,2026-11-01,2026-12-01,300\n\
         张三,202611,12.50,2026-11-01,2026-12-01,300\n\
         0012345678,202613,12.50,2026-11-01,2026-12-01,300\n\
         0012345678,202611,12.505,2026-11-01,2026-12-01,300\n\
         0012345678,202611,1,234.50,2026-11-01,2026-12-01,300\n\
         0012345678,202611,-3,2026-11-01,2026-12-01,300\n\
         0012345678,202611,3,2026-11-31,2026-12-01,300\n\
         0012345678,202611,3,2026-11-01,2026-10-01,300\n\
         ,202611,3,2026-11-01,2026-12-01,300\n\
         0012345679,202611,3,2026-11-01,2026-12-01,three hundred\n\
         ,,,,,\n\
         0012345680,202611\n",
    );
    assert_eq!(
        reasons(&o),
        [
            (3, Reason::AccountFloat),
            (4, Reason::Account),
            (5, Reason::Period),
            (6, Reason::Amount),
            (7, Reason::TooManyFields),
            (8, Reason::Negative),
            (9, Reason::Date),
            (10, Reason::DateOrder),
            (11, Reason::Missing),
            (14, Reason::Missing),
        ]
    );
    assert_eq!(o.lines, [2, 12]);
    assert_eq!(o.summary.blank, 1);
    assert_eq!((o.rows[0].amount, o.rows[0].kwh, o.rows[0].as_of), (Fen(1250), 300, today()));
    // Energy is neither identity nor money.
    assert_eq!(o.rows[1].kwh, 0);
    assert_eq!(o.summary.warning(Warning::UnreadEnergy).count, 1);
    // The report names the column as the file does, and shows no name whole.
    assert_eq!(o.rejects[0].place.column.as_deref(), Some("户号"));
    assert_eq!((o.rejects[0].value.as_str(), o.rejects[1].value.as_str()), ("1.2E+12", "张*"));
    assert_eq!(o.rejects[3].place.to_string(), "line 6, `应收金额（元）`");
}

#[test]
fn a_bad_phone_flags_the_contact_and_keeps_the_row() {
    let o = read::<CustomerRow>(
        "户号,供电单位,手机号,来源\n\
         0012345671,14010501,12345,\n\
         0012345672,14010501,0351-4123456,营业厅\n\
         0012345673,14010501,14812345678,大概\n\
         0012345674,14010501,无,\n\
         0012345675,14010501,138 1234 1234/0351-4123456,95598\n",
    );
    assert_eq!(o.rejects, []);
    let classes: Vec<_> = o.rows.iter().map(|r| r.phone.unwrap().class()).collect();
    use PhoneClass as C;
    assert_eq!(classes, [C::Bad, C::Landline, C::UnknownSegment, C::None, C::Mobile]);
    assert_eq!(o.rows[3].phone, Some(Phone::NONE), "said to have none: the known one goes");
    assert_eq!(o.rows[1].phone.unwrap().source(), ContactSource::Counter);
    assert_eq!(o.rows[4].phone.unwrap().source(), ContactSource::Hotline);
    for w in [Warning::BadPhone, Warning::Landline, Warning::UnknownSegment, Warning::UnreadContact] {
        assert_eq!(o.summary.warning(w).count, 1, "{w}");
    }
    assert_eq!(o.summary.warning(Warning::Landline).first_line, 3);
}

#[test]
fn an_unclosed_quote_costs_its_own_row_and_no_other() {
    let o = read::<CustomerRow>(
        "户号,供电单位,户名,备注\n\
         0012345671,14010501,\"王小明,\n\
         0012345672,14010501,\"李四\",x\n\
         0012345673,14010501,\"赵\n六\",x\n\
         0012345674,14010501,钱七,\"多\n行\"\n\
         0012345675,14010501,孙八,\"x\n",
    );
    let accounts: Vec<_> = o.rows.iter().map(|r| r.account.to_string()).collect();
    assert_eq!(accounts, ["0012345672", "0012345673", "0012345674"]);
    assert_eq!(reasons(&o), [(2, Reason::Quote), (8, Reason::Quote)]);
    // A name over two lines is no name; a remark may be.
    assert_eq!(o.rows[1].name, None);
    assert_eq!(o.rows[2].name.as_deref(), Some("钱七"));
    assert!(!o.rejects[0].value.contains("王小明"), "{}", o.rejects[0].value);
}

#[test]
fn balances_and_payments() {
    let o = read::<BalanceRow>(
        "用电户号,可用余额,数据日期,批扣在途\n0012345678,-19.53,2026-11-20,是\n0012345679,7,,\n0012345680,1,2026-11-25,\n",
    );
    assert_eq!((o.rows[0].balance, o.rows[0].debit_pending), (Fen(-1953), Some(true)));
    assert_eq!((o.rows[1].as_of, o.rows[1].debit_pending), (today(), None));
    assert_eq!(reasons(&o), [(4, Reason::Future)]);
    let o = read::<PaymentRow>(
        "户号,缴费流水号,缴费金额,缴费时间,冲正\n\
         0012345678,A-1,50.00,2026-11-21 09:30:12,否\n\
         0012345678,A-2,-50.00,2026-11-21 10:00,\n\
         0012345678,A-3,50,20261121,是\n\
         0012345678,A-4,-50,2026-11-21,否\n\
         0012345678,A-5,0,2026-11-21,\n\
         0012345678,A 6,5,2026-11-21,\n\
         0012345678,A-7,5,2026-11-21,大概\n",
    );
    let rows: Vec<_> = o.rows.iter().map(|r| (&*r.payment_id, r.amount, r.paid_at, r.reversal)).collect();
    let d = today();
    assert_eq!(
        rows,
        [
            ("A-1", Fen(5000), d.at(9, 30), false),
            ("A-2", Fen(5000), d.at(10, 0), true),
            ("A-3", Fen(5000), d.at(0, 0), true)
        ]
    );
    assert_eq!(reasons(&o), [(5, Reason::Reversal), (6, Reason::Zero), (7, Reason::PaymentId), (8, Reason::Reversal)]);
}

#[test]
fn a_contacts_file_takes_platforms_in_two_tongues_and_shows_no_id() {
    let o = read::<ContactRow>(
        "户号,渠道,标识,来源,绑定时间,公众号\n\
         0012345678,微信,oLVPpjqs9BhvzwPj5A-vTYAX3GLc,网站,2026-11-01 09:30,wx01\n\
         0012345678,alipay,2088102122458832,,,\n\
         0012345679,短信,13812341234,柜台,,\n\
         0012345679,wechat,openid of 张三,柜台,,\n\
         0012345679,wechat,oLVPpjqs9BhvzwPj5A-vTYAX3GLc,朋友,,\n\
         0012345679,wechat,oLVPpjqs9BhvzwPj5A-vTYAX3GLc,营业厅,2026-11-25,\n\
         0012345679,wechat,,营业厅,,\n",
    );
    let d = today();
    let rows: Vec<_> =
        o.rows.iter().map(|r| (r.channel, r.id.expose(), r.app.as_str(), r.source, r.bound_at)).collect();
    let nov = "2026-11-01".parse::<Date>().unwrap();
    assert_eq!(
        rows,
        [
            (Channel::Wechat, "oLVPpjqs9BhvzwPj5A-vTYAX3GLc", "wx01", BindingSource::Website, nov.at(9, 30)),
            (Channel::Alipay, "2088102122458832", "", BindingSource::Import, d.at(0, 0)),
        ]
    );
    let why = [
        (4, Reason::Channel),
        (5, Reason::PlatformId),
        (6, Reason::BindingSource),
        (7, Reason::Future),
        (8, Reason::Missing),
    ];
    assert_eq!(reasons(&o), why);
    assert!(o.rejects.iter().all(|r| !r.value.contains("张三")), "{:?}", o.rejects);
}

#[test]
fn repeats_are_handed_on_in_order_and_said() {
    let o = read::<BillRow>(
        "account,period,amount,issued,late-fee-from\n\
         0012345678,202611,1,2026-11-01,2026-12-01\n\
         0012345678,202610,2,2026-10-01,2026-11-01\n\
         0012345678,202611,3,2026-11-01,2026-12-01\n",
    );
    assert_eq!(o.rows.iter().map(|r| r.amount.0).collect::<Vec<_>>(), [100, 200, 300]);
    let repeated = o.summary.warning(Warning::Repeated);
    assert_eq!((repeated.count, repeated.first_line), (1, 4));
    assert!(o.summary.repeats_checked);
}

#[test]
fn a_header_that_is_not_understood_says_what_was_seen_and_expected() {
    let error = |text: &str| try_read::<BillRow>(text.as_bytes(), &options()).err().unwrap().to_string();
    let e = error("户号,电费年月,金额\n0012345678,202611,3\n");
    for part in ["line 1", "户号, 电费年月, 金额", "应收金额", "违约金起算日", "[bills] amount"] {
        assert!(e.contains(part), "{part} in {e}");
    }
    assert!(error("").contains("empty"));
    let e = error("户号,用电户号,电费年月,应收金额,发行日期,违约金起算日\n");
    assert!(e.contains("`户号` and `用电户号`"), "{e}");
    // A file without a header has a person in its first line.
    let e = error("0012345678,202611,王小明,13812341234\n");
    assert!(!e.contains("王小明") && !e.contains("13812341234"), "{e}");
    // A header and nothing below it is a file with no rows.
    let o = read::<BillRow>("户号,电费年月,应收金额,发行日期,违约金起算日");
    assert_eq!((o.rows.len(), o.summary.records), (0, 0));
}

#[test]
fn a_mapping_file_names_the_columns() {
    let mapping = Mapping::parse("[balances]\naccount = \"标识\"\nbalance = [\"甲\", \"乙\"]\n").unwrap();
    let options = Options { mapping: Some(mapping), ..options() };
    let o = try_read::<BalanceRow>("标识,乙,丙\n0012345678,3,x\n".as_bytes(), &options).unwrap();
    assert_eq!(o.rows[0].balance, Fen(300));
    let o = try_read::<BalanceRow>("标识,乙,甲\n0012345678,3,4\n".as_bytes(), &options).unwrap();
    assert_eq!(o.rows[0].balance, Fen(400), "the first of the list counts");
    let e = try_read::<BalanceRow>("户号,甲\n".as_bytes(), &options).err().unwrap().to_string();
    assert!(e.contains("`标识`") && e.contains("户号, 甲"), "{e}");
}

#[test]
fn whoever_applies_the_rows_may_refuse_them_too() {
    let text = "户号,供电单位,手机号\n0012345678,14010501,13812341234\n0012345679,99,\n";
    let mut import = Import::<CustomerRow>::csv(Box::new(Cursor::new(text)), "f.csv", None, &options()).unwrap();
    let batch = import.next_batch().unwrap().unwrap();
    assert_eq!(batch.lines, [2, 3]);
    let reject = import.refuse(3, "station", "99", Reason::UnknownStation);
    assert_eq!(reject.place.column.as_deref(), Some("供电单位"));
    assert!(import.next_batch().unwrap().is_none());
    let s = import.summary();
    assert_eq!((s.records, s.accepted, s.rejected), (2, 1, 1));
    assert_eq!(s.reasons().collect::<Vec<_>>(), [(Reason::UnknownStation, 1)]);
}

#[test]
fn the_reject_file_opens_in_a_spreadsheet() {
    let dir = tempfile::tempdir().unwrap();
    let path = dir.path().join("rejects.csv");
    let none = RejectFile::at(&path);
    assert_eq!(none.finish().unwrap(), 0);
    assert!(!path.exists(), "no reject, no file");
    let o = read::<BalanceRow>("户号,余额\n=cmd|' /C calc'!A1,5\n1.2E+12,5\n");
    let mut file = RejectFile::at(&path);
    o.rejects.iter().for_each(|r| file.write(r).unwrap());
    assert_eq!(file.finish().unwrap(), 2);
    let bytes = std::fs::read(&path).unwrap();
    assert!(bytes.starts_with(b"\xef\xbb\xbf") && bytes.ends_with(b"\r\n"));
    let text = String::from_utf8(bytes).unwrap();
    assert!(text.contains("行号 line") && text.contains("account-float") && text.contains("科学计数法"), "{text}");
    assert!(text.contains("'=cmd"), "a formula is defused: {text}");
}

/// A reader that counts how far it was read.
struct Endless(Arc<std::sync::atomic::AtomicU64>);

impl Read for Endless {
    fn read(&mut self, buf: &mut [u8]) -> std::io::Result<usize> {
        let line = b"0012345678,14010501,13812341234\n";
        let n = buf.len().min(1 << 16);
        let at = self.0.fetch_add(n as u64, std::sync::atomic::Ordering::SeqCst) as usize;
        let header = "户号,供电单位,手机号\n".as_bytes();
        for (i, b) in buf[..n].iter_mut().enumerate() {
            let p = at + i;
            *b = if p < header.len() { header[p] } else { line[(p - header.len()) % line.len()] };
        }
        Ok(n)
    }
}

#[test]
fn an_endless_file_is_held_back_until_somebody_takes_its_rows() {
    let read = Arc::new(std::sync::atomic::AtomicU64::new(0));
    let options = Options { parsers: 2, ..options() };
    let mut import = Import::<CustomerRow>::csv(Box::new(Endless(read.clone())), "endless", None, &options).unwrap();
    let mut rows = 0;
    for _ in 0..30 {
        rows += import.next_batch().unwrap().unwrap().rows.len() as u64;
    }
    // What was read ahead of what was taken is a few blocks, however long one waits.
    let ahead = read.load(std::sync::atomic::Ordering::SeqCst) - rows * 32;
    assert!(ahead < 16 << 20, "{ahead} bytes under way");
    assert!(import.summary().records == rows && import.progress().bytes_read() > 0);
}

#[test]
fn a_failing_disk_ends_the_import_with_its_cause() {
    struct Failing(u32);
    impl Read for Failing {
        fn read(&mut self, buf: &mut [u8]) -> std::io::Result<usize> {
            self.0 += 1;
            if self.0 > 40 {
                return Err(std::io::Error::other("the disk is gone"));
            }
            let line = b"account,station\n";
            buf.iter_mut().enumerate().for_each(|(i, b)| *b = line[i % line.len()]);
            Ok(buf.len() / line.len() * line.len())
        }
    }
    for parsers in [0, 1] {
        let options = Options { parsers, ..options() };
        let mut import = Import::<CustomerRow>::csv(Box::new(Failing(0)), "f", None, &options);
        let error = loop {
            match &mut import {
                Ok(import) => match import.next_batch() {
                    Ok(Some(_)) => {}
                    Ok(None) => panic!("it did not end well"),
                    Err(e) => break e,
                },
                Err(e) => panic!("{e}"),
            }
        };
        assert!(matches!(error, IntakeError::Read { .. }), "{error}");
    }
}

#[test]
fn the_api_takes_the_same_rows() {
    let json = r#"{"account":"0012345678","station":14010501,"name":"王小明","phone":"13812341234",
        "contact_source":"counter","verified":"2026-11-01","traits":{"prepaid":true,"elderly":false},"threshold_fen":3000}"#;
    let input: CustomerInput = serde_json::from_str(json).unwrap();
    let (row, warnings) = input.clone().into_row(&segments(), today()).unwrap();
    assert_eq!(warnings, []);
    let file = read::<CustomerRow>(
        "户号,供电单位,户名,手机号,来源,核实日期,费控,老人,预警阈值\n0012345678,14010501,王小明,13812341234,counter,2026-11-01,是,否,30\n",
    );
    assert_eq!(row, file.rows[0]);
    let wrong = CustomerInput { station: OrgCode(1), ..input.clone() }.into_row(&segments(), today()).unwrap_err();
    assert_eq!((wrong.field, wrong.reason), ("station", Reason::Station));
    let (_, warnings) = CustomerInput { phone: Some("1".to_owned()), ..input }.into_row(&segments(), today()).unwrap();
    assert_eq!(warnings, [Warning::BadPhone]);
    let bill: BillRow = serde_json::from_str(
        r#"{"account":"0012345678","period":202611,"amount_fen":1250,"issued":"2026-11-01","late_fee_from":"2026-10-01","as_of":"2026-11-21"}"#,
    )
    .unwrap();
    assert_eq!(bill.check(today()).unwrap_err().reason, Reason::DateOrder);
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(64))]

    /// Whatever is in the fields, wherever the blocks end, however many parsers there are: the same rows, in order, and none lost.
    #[test]
    fn rows_survive_quoting_blocks_and_threads(
        rows in proptest::collection::vec(("[0-9]{10,13}", "[\u{4e00}-\u{4e10}a\",;]{1,8}", "[ ,\"\n\r\u{6237}]{0,200}"), 1..60),
        repeat in 1usize..200, gb: bool, parsers in 0usize..3,
    ) {
        let mut w = csv::WriterBuilder::new().flexible(true).from_writer(Vec::new());
        w.write_record(["户号", "供电单位", "户名", "备注"]).unwrap();
        for _ in 0..repeat {
            for (account, name, note) in &rows { w.write_record([account, "14010501", name, note]).unwrap(); }
        }
        let text = String::from_utf8(w.into_inner().unwrap()).unwrap();
        let bytes = if gb { encoding_rs::GB18030.encode(&text).0.into_owned() } else { text.into_bytes() };
        let o = try_read::<CustomerRow>(&bytes, &Options { parsers, ..options() }).unwrap();
        prop_assert_eq!(o.rejects, vec![]);
        prop_assert_eq!(o.rows.len(), rows.len() * repeat);
        for (read, (account, name, _)) in o.rows.iter().zip(rows.iter().cycle()) {
            prop_assert_eq!(&read.account.to_string(), account);
            prop_assert_eq!(read.name.as_deref(), Some(name.as_str()));
        }
        prop_assert!(o.lines.windows(2).all(|w| w[0] < w[1]));
    }

    #[test]
    fn any_bytes_are_read_or_refused(bytes in proptest::collection::vec(any::<u8>(), 0..400), header: bool) {
        let mut file = if header { "account,station,phone\n".as_bytes().to_vec() } else { Vec::new() };
        file.extend(bytes);
        let _ = try_read::<CustomerRow>(&file, &options());
    }
}

#[test]
fn a_list_of_ported_numbers() {
    let o = read::<PortedRow>(
        "手机号码,转入运营商,携转日期\n\
         13812341234,中国联通,2024-05-01\n\
         +86 138 1234 1235,电信,\n\
         13812341236,MOBILE,2023-01-01\n\
         13812341237,某某通信,\n\
         0351-4123456,移动,\n\
         17412341234,移动,\n\
         13812341238,broadnet,2026-12-01\n\
         ,联通,\n",
    );
    let rows: Vec<_> =
        o.rows.iter().map(|r| (r.phone.number(), r.carrier, r.own, r.on.map(|d| d.to_string()))).collect();
    let day = |text: &str| Some(text.to_owned());
    assert_eq!(
        rows,
        [
            (13_812_341_234, Carrier::Unicom, false, day("2024-05-01")),
            (13_812_341_235, Carrier::Telecom, false, None),
            (13_812_341_236, Carrier::Mobile, true, day("2023-01-01")),
        ]
    );
    let why =
        [(5, Reason::Carrier), (6, Reason::Mobile), (7, Reason::Segment), (8, Reason::Future), (9, Reason::Missing)];
    assert_eq!(reasons(&o), why);
    assert!(o.rejects.iter().all(|r| !r.value.contains("12341234")), "masked: {:?}", o.rejects);
    assert!(!format!("{:?}", o.rows).contains("12341234"));
}

#[test]
fn files_of_the_grid() {
    let o = read::<SubstationFact>(
        "变电站编码,变电站名称,地市\nA1,城西110kV变电站,140100\nA 2,城东站,140100\nA3,,140100\nA4,城北站,太原\nA1,城西站,140100\n",
    );
    assert_eq!(o.rows.iter().map(|s| (s.code.as_str(), s.prefecture.0)).collect::<Vec<_>>(), [("A1", 140_100); 2]);
    assert_eq!(reasons(&o), [(3, Reason::Code), (4, Reason::Missing), (5, Reason::Prefecture)]);
    assert_eq!(o.summary.warning(Warning::Repeated).count, 1, "the same code twice");
    let o = read::<LineFact>("code,name,substation\nL1,锦绣线,A1\n");
    assert_eq!((o.rows[0].code.as_str(), o.rows[0].substation.as_str()), ("L1", "A1"));
    let o = read::<SectionFact>(
        "区段编码,所属线路,上级区段,开关编码,开关名称\nS1,L1,,,\nS2,L1,S1,K2,2号杆开关\nS3,,S1,,\n",
    );
    let switch = o.rows[1].switch.as_ref().unwrap();
    assert_eq!((o.rows[0].upstream.as_ref(), switch.code.as_str(), switch.name.as_str()), (None, "K2", "2号杆开关"));
    assert_eq!(reasons(&o), [(4, Reason::Missing)]);

    let o = read::<TransformerFact>(
        "台区编号,台区名称,地市,所属区段,所属线路,小区,经度,纬度,公专变,台区经理,台区经理电话\n\
         T1,锦绣1号,140100,S2,,锦绣花园,112.5492480001,37.87,公变,张三丰,13812341234\n\
         T2,锦绣2号,140100,,L1,,-0.5,,,,\n\
         T3,锦绣3号,140100,,,,,,,,\n\
         T4,锦绣4号,140100,,L1,,112.549248,北纬37,,,\n\
         T5,锦绣5号,140100,,L1,,,,共用,,\n\
         T6,锦绣6号,140100,,L1,,,,专变,,\n",
    );
    let first = &o.rows[0];
    assert_eq!(first.hangs_on, Spot::Section("S2".parse().unwrap()));
    let at = first.position.unwrap();
    assert_eq!((at.longitude, at.latitude, first.private), (112_549_248, 37_870_000, Some(false)));
    assert_eq!((o.rows[1].private, &o.rows[1].hangs_on), (Some(true), &Spot::Line("L1".parse().unwrap())));
    let why = [(3, Reason::Position), (4, Reason::HangsOn), (5, Reason::Position), (6, Reason::Ownership)];
    assert_eq!(reasons(&o), why);
    let shown = format!("{:?}{:?}", o.rows, o.rejects);
    assert!(!shown.contains("张三丰") && !shown.contains("13812341234"), "staff are shown nowhere: {shown}");

    let o = read::<SupplyRow>(
        "户号,台区编号,电源序号,是否解除\n\
         0010000001,T1,,\n\
         0010000001,T2,2,否\n\
         0010000002,T1,9,\n\
         0010000003,T1,1,也许\n\
         10000004x,T1,1,\n\
         0010000001,T3,2,是\n",
    );
    let rows: Vec<_> = o.rows.iter().map(|r| (r.transformer.as_str(), r.source, r.ended)).collect();
    assert_eq!(rows, [("T1", 1, false), ("T2", 2, false), ("T3", 2, true)]);
    assert_eq!(reasons(&o), [(4, Reason::Source), (5, Reason::Ended), (6, Reason::Account)]);
    assert_eq!(o.summary.warning(Warning::Repeated).count, 1, "the same source of the same customer");
}
