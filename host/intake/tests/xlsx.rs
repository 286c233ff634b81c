//! Workbooks, and what spreadsheets do to account numbers, amounts and dates.
#![expect(clippy::unwrap_used, reason = "a test that fails here has found something")]

use std::path::PathBuf;
use std::sync::Arc;

use gridbell_intake::{
    BillRow, CustomerRow, Import, IntakeError, Options, PaymentRow, Reason, Reject, Row, Summary, read_segments,
};
use gridbell_model::{Date, Fen};
use rust_xlsxwriter::{Format, Formula, Workbook, Worksheet};

struct Sheet {
    dir: tempfile::TempDir,
    book: Workbook,
}

impl Sheet {
    fn new() -> Self {
        Self { dir: tempfile::tempdir().unwrap(), book: Workbook::new() }
    }

    fn add(&mut self, name: &str) -> &mut Worksheet {
        self.book.add_worksheet().set_name(name).unwrap()
    }

    fn save(&mut self) -> PathBuf {
        // The name does not say what it is.
        let path = self.dir.path().join("customers.dat");
        self.book.save(&path).unwrap();
        path
    }
}

fn options() -> Options {
    let segments = read_segments(include_str!("../../../policies/segments.toml")).unwrap();
    Options::new("2026-11-21".parse().unwrap(), Arc::new(segments))
}

fn headers(sheet: &mut Worksheet, row: u32, names: &[&str]) {
    for (column, name) in names.iter().enumerate() {
        sheet.write_string(row, u16::try_from(column).unwrap(), *name).unwrap();
    }
}

fn read<T: Row>(path: &std::path::Path, options: &Options) -> Result<(Vec<T>, Vec<Reject>, Summary), IntakeError> {
    let mut import = Import::<T>::open(path, options)?;
    let (mut rows, mut rejects) = (Vec::new(), Vec::new());
    while let Some(batch) = import.next_batch()? {
        rows.extend(batch.rows);
        rejects.extend(batch.rejects);
    }
    assert_eq!(import.progress().total_bytes(), Some(import.progress().bytes_read()));
    Ok((rows, rejects, import.summary().clone()))
}

#[test]
fn account_numbers_that_a_spreadsheet_spoilt_are_refused_with_the_cell_named() {
    let mut book = Sheet::new();
    headers(book.add("封面"), 0, &["太原供电公司"]);
    let sheet = book.add("客户");
    headers(sheet, 0, &["2026年11月客户档案"]);
    headers(sheet, 2, &["户号", "供电单位", "手机号", "地址"]);
    for row in 3..8 {
        sheet.write_number(row, 1, 14_010_501.0).unwrap();
        sheet.write_number(row, 2, 13_812_341_234.0).unwrap();
        sheet.write_string(row, 3, "x").unwrap();
    }
    sheet.write_string(3, 0, "0012345678").unwrap();
    sheet.write_number(4, 0, 1.2e12).unwrap();
    sheet.write_string(5, 0, "1.2E+12").unwrap();
    sheet.write_number(6, 0, 1_234_567_890.5).unwrap();
    sheet.write_formula(7, 0, Formula::new("NA()").set_result("#N/A")).unwrap();
    let path = book.save();
    let (rows, rejects, summary) = read::<CustomerRow>(&path, &options()).unwrap();
    assert_eq!(rows.len(), 1);
    assert_eq!(rows[0].account.to_string(), "0012345678");
    assert_eq!(rows[0].phone.unwrap().number(), 13_812_341_234);
    let told: Vec<_> = rejects.iter().map(|r| (r.place.cell.as_deref().unwrap(), r.reason)).collect();
    assert_eq!(told[0], ("客户!A5", Reason::NumericCell));
    assert_eq!(told[1], ("客户!A6", Reason::AccountFloat));
    assert_eq!(told[2], ("客户!A7", Reason::AccountFloat));
    assert_eq!(told[3].0, "客户!A8");
    assert!(matches!(told[3].1, Reason::CellError | Reason::Account), "{:?}", told[3]);
    assert_eq!(summary.ignored_columns, ["地址"]);

    // Where the utility says how long its numbers are, the zeros can be put back.
    let knowing = Options { account_digits: Some(13), ..options() };
    let (rows, ..) = read::<CustomerRow>(&path, &knowing).unwrap();
    assert_eq!(rows.iter().map(|r| r.account.to_string()).collect::<Vec<_>>(), ["0012345678", "1200000000000"]);
}

#[test]
fn dates_amounts_and_periods_as_cells_hold_them() {
    let mut book = Sheet::new();
    let sheet = book.add("Sheet1");
    headers(sheet, 0, &["户号", "电费年月", "应收金额", "发行日期", "违约金起算日", "数据日期", "电量"]);
    let date = Format::new().set_num_format("yyyy-mm-dd");
    for row in 1..4 {
        sheet.write_string(row, 0, format!("001234567{row}")).unwrap();
        sheet.write_number(row, 1, 202_611.0).unwrap();
        sheet.write_number(row, 6, 300.0).unwrap();
    }
    // 2026-11-01 is serial day 46327.
    sheet.write_number(1, 2, 19.529999999999998).unwrap();
    sheet.write_number_with_format(1, 3, 46_327.0, &date).unwrap();
    sheet.write_number(1, 4, 46_357.0).unwrap();
    sheet.write_string(1, 5, "2026年11月20日").unwrap();
    sheet.write_number(2, 2, 19.535).unwrap();
    sheet.write_number(2, 3, 20_261_101.0).unwrap();
    sheet.write_number(2, 4, 46_357.0).unwrap();
    sheet.write_string(3, 2, "1,234.50").unwrap();
    sheet.write_number(3, 3, 20_261_101.0).unwrap();
    sheet.write_number(3, 4, 46_357.0).unwrap();
    let (rows, rejects, _) = read::<BillRow>(&book.save(), &options()).unwrap();
    let (issued, late): (Date, Date) = ("2026-11-01".parse().unwrap(), "2026-12-01".parse().unwrap());
    assert_eq!(rows.iter().map(|r| r.amount).collect::<Vec<_>>(), [Fen(1953), Fen(123_450)]);
    for row in &rows {
        assert_eq!((row.issued, row.late_fee_from, row.period, row.kwh), (issued, late, 202_611, 300));
    }
    assert_eq!(rows[0].as_of, "2026-11-20".parse().unwrap());
    assert_eq!(rejects.len(), 1);
    assert_eq!((rejects[0].place.to_string().as_str(), rejects[0].reason), ("Sheet1!C3 (`应收金额`)", Reason::Amount));
}

#[test]
fn a_payment_id_in_a_numeric_cell_would_count_twice() {
    let mut book = Sheet::new();
    let sheet = book.add("流水");
    headers(sheet, 0, &["户号", "流水号", "缴费金额", "缴费时间"]);
    let time = Format::new().set_num_format("yyyy-mm-dd hh:mm");
    for row in 1..3 {
        sheet.write_string(row, 0, "0012345678").unwrap();
        sheet.write_number(row, 2, 50.0).unwrap();
        sheet.write_number_with_format(row, 3, 46_347.0 + 9.5 / 24.0, &time).unwrap();
    }
    sheet.write_string(1, 1, "0000000017").unwrap();
    sheet.write_number(2, 1, 17.0).unwrap();
    let (rows, rejects, _) = read::<PaymentRow>(&book.save(), &options()).unwrap();
    assert_eq!(&*rows[0].payment_id, "0000000017");
    assert_eq!(rows[0].paid_at, "2026-11-21T09:30".parse().unwrap());
    assert_eq!((rejects[0].place.cell.as_deref(), rejects[0].reason), (Some("流水!B3"), Reason::NumericCell));
}

#[test]
fn more_rows_than_a_batch_keep_their_order() {
    let mut book = Sheet::new();
    let sheet = book.add("S");
    headers(sheet, 0, &["account", "station"]);
    for row in 1..10_000u32 {
        sheet.write_string(row, 0, format!("{row:010}")).unwrap();
        sheet.write_number(row, 1, 14_010_501.0).unwrap();
    }
    let (rows, rejects, summary) = read::<CustomerRow>(&book.save(), &options()).unwrap();
    assert_eq!((rows.len(), rejects.len(), summary.accepted), (9_999, 0, 9_999));
    assert!(rows.windows(2).all(|w| w[0].account < w[1].account));
}

#[test]
fn what_is_no_workbook_of_ours_is_said() {
    let mut book = Sheet::new();
    headers(book.add("甲"), 0, &["户号", "x"]);
    let path = book.save();
    let e = read::<CustomerRow>(&path, &options()).unwrap_err().to_string();
    assert!(e.contains("甲") && e.contains("供电单位"), "{e}");
    let elsewhere = Options { sheet: Some("乙".to_owned()), ..options() };
    let e = read::<CustomerRow>(&path, &elsewhere).unwrap_err().to_string();
    assert!(e.contains("`乙`") && e.contains("甲"), "{e}");
    let file = |name: &str, bytes: &[u8]| {
        let path = book.dir.path().join(name);
        std::fs::write(&path, bytes).unwrap();
        read::<CustomerRow>(&path, &options()).unwrap_err()
    };
    assert!(matches!(file("old.csv", &[0xd0, 0xcf, 0x11, 0xe0, 0xa1, 0xb1]), IntakeError::OldWorkbook { .. }));
    assert!(matches!(file("torn.csv", b"PK\x03\x04 and then nothing"), IntakeError::Workbook { .. }));
    let missing = Import::<CustomerRow>::open(&book.dir.path().join("none.csv"), &options()).err().unwrap();
    assert!(matches!(missing, IntakeError::Read { .. }));
}
