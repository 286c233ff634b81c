//! Workbooks: a sheet's cells, typed as the spreadsheet left them, to the same texts that a CSV file has.
//!
//! What a spreadsheet may have spoilt is refused with the cell named: an account number or a payment's id in a numeric cell has lost its leading
//! zeros, if it had any, and nobody can tell. Cells are read one after another; the workbook's table of texts is in memory, which
//! [`MAX_UNPACKED`] bounds.

use std::fs::File;
use std::io::BufReader;
use std::sync::atomic::{AtomicU64, Ordering};

use calamine::{DataRef, Reader, Xlsx};
use crossbeam_channel::Sender;
use zip::ZipArchive;

use crate::batch::Batch;
use crate::error::IntakeError;
use crate::field::{Kind, MAX_FIELDS, Sort};
use crate::import::Options;
use crate::layout::{Candidate, Layout, MAX_COLUMNS, MAX_HEADER_ROWS};
use crate::mask::shown;
use crate::parse::{Bad, Context, Row, Texts};
use crate::reject::{Place, Reason, Reject};
use crate::summary::Warning;

/// The most bytes that a workbook may unpack to. A sheet has at most 1 048 576 rows; full ones of our kinds unpack to about a third of this.
pub(crate) const MAX_UNPACKED: u64 = 1 << 30;
/// Rows of a batch.
const BATCH_ROWS: usize = 4096;
/// The most bytes of a cell that are looked at.
const MAX_CELL: usize = 4096;
/// Days from a spreadsheet's day 0, 1899-12-30, to 1970-01-01.
const SERIAL_OF_1970: f64 = 25_569.0;
/// Serial dates of 1990-01-01 to 2200-12-31.
const SERIALS: std::ops::Range<f64> = 32_874.0..109_940.0;

/// An open workbook with the sheet that has the columns.
pub(crate) struct Workbook {
    xlsx: Xlsx<BufReader<File>>,
    sheet: String,
    layout: Layout,
    /// The header's row, from 0.
    header_row: u32,
    file: String,
    kind: Kind,
    account_digits: Option<usize>,
    /// What is added to serial dates: workbooks of old Macintoshes count from 1904.
    epoch: f64,
}

impl Workbook {
    /// Opens it and finds sheet and header.
    pub(crate) fn open(mut file: File, kind: Kind, name: &str, options: &Options) -> Result<Self, IntakeError> {
        let bad = |reason: String| IntakeError::Workbook { file: name.to_owned(), reason };
        let bytes = unpacked(&mut file).map_err(|e| bad(e.to_string()))?;
        if bytes > MAX_UNPACKED {
            return Err(IntakeError::WorkbookTooLarge {
                file: name.to_owned(),
                mib: bytes >> 20,
                limit_mib: MAX_UNPACKED >> 20,
            });
        }
        let mut xlsx = Xlsx::new(BufReader::new(file)).map_err(|e| bad(e.to_string()))?;
        let names = xlsx.sheet_names();
        if let Some(wanted) = options.sheet.as_ref().filter(|wanted| !names.contains(wanted)) {
            return Err(IntakeError::Sheet { file: name.to_owned(), sheet: wanted.clone(), known: names.join(", ") });
        }
        let mut first_error = None;
        for sheet in names.into_iter().filter(|n| options.sheet.as_ref().is_none_or(|wanted| wanted == n)) {
            let rows = head(&mut xlsx, &sheet).map_err(|e| bad(e.to_string()))?;
            match Layout::find(kind, &rows, options.mapping.as_ref(), &format!("{name}, {sheet}")) {
                Ok((layout, index)) => {
                    let header_row = u32::try_from(rows[index].line - 1).unwrap_or(0);
                    let account_digits = options.account_digits.map(usize::from);
                    let epoch = if xlsx.has_1904_epoch() { 1462.0 } else { 0.0 };
                    return Ok(Self {
                        epoch,
                        xlsx,
                        sheet,
                        layout,
                        header_row,
                        file: name.to_owned(),
                        kind,
                        account_digits,
                    });
                }
                // A cover sheet is no mistake; what the first sheet with anything in it lacks is the best that can be said.
                Err(IntakeError::Empty { .. }) => {}
                Err(error) => {
                    first_error.get_or_insert(error);
                }
            }
        }
        Err(first_error.unwrap_or(IntakeError::Empty { file: name.to_owned() }))
    }

    pub(crate) fn sheet(&self) -> &str {
        &self.sheet
    }

    pub(crate) fn layout(&self) -> &Layout {
        &self.layout
    }

    /// Reads all rows below the header into `batches`, until nobody takes them any more. `read` rises to `total` with the rows.
    pub(crate) fn read<T: Row>(
        mut self,
        context: &Context,
        batches: &Sender<Result<Batch<T>, IntakeError>>,
        read: &AtomicU64,
        total: u64,
    ) {
        if let Err(reason) = self.rows(context, batches, read, total) {
            // Nobody may be there to hear it.
            let _ = batches.send(Err(IntakeError::Workbook { file: self.file, reason }));
        }
    }

    fn rows<T: Row>(
        &mut self,
        context: &Context,
        batches: &Sender<Result<Batch<T>, IntakeError>>,
        read: &AtomicU64,
        total: u64,
    ) -> Result<(), String> {
        let mut cells = self.xlsx.worksheet_cells_reader(&self.sheet).map_err(|e| e.to_string())?;
        let last_row = u64::from(cells.dimensions().end.0).max(1);
        let mut batch = Batch::default();
        let mut row = SheetRow::new(self.kind, self.account_digits, self.epoch);
        let mut current = None;
        loop {
            let cell = cells.next_cell().map_err(|e| e.to_string())?;
            let at = cell.as_ref().map(|c| c.get_position());
            if let Some(number) = current.filter(|row| at.is_none_or(|at| at.0 != *row)) {
                row.finish(number, &self.sheet, context, &mut batch);
                row.clear();
                if batch.lines.len() + batch.rejects.len() >= BATCH_ROWS {
                    // Dimensions are the writer's claim, so that the share may not fit.
                    let share = u128::from(total) * u128::from(number) / u128::from(last_row);
                    read.store(u64::try_from(share).unwrap_or(total).min(total), Ordering::Relaxed);
                    if batches.send(Ok(std::mem::take(&mut batch))).is_err() {
                        return Ok(());
                    }
                }
            }
            let (Some(cell), Some((number, column))) = (cell, at) else { break };
            current = (number > self.header_row).then_some(number);
            if let Some(field) = current.and(self.layout.field_of(column as usize)) {
                row.set(field, cell.get_value());
            }
        }
        read.store(total, Ordering::Relaxed);
        // Nobody may be there to take it.
        let _ = batches.send(Ok(batch));
        Ok(())
    }
}

/// What the workbook's directory says that it unpacks to.
fn unpacked(file: &mut File) -> Result<u64, zip::result::ZipError> {
    let mut archive = ZipArchive::new(BufReader::new(&mut *file))?;
    let mut sum = 0u64;
    for i in 0..archive.len() {
        sum = sum.saturating_add(archive.by_index_raw(i)?.size());
    }
    drop(archive);
    std::io::Seek::rewind(file)?;
    Ok(sum)
}

/// The sheet's first rows.
fn head(xlsx: &mut Xlsx<BufReader<File>>, sheet: &str) -> Result<Vec<Candidate>, calamine::XlsxError> {
    let mut rows: Vec<Candidate> = Vec::new();
    let Ok(mut cells) = xlsx.worksheet_cells_reader(sheet) else { return Ok(rows) };
    while let Some(cell) = cells.next_cell()? {
        let (row, column) = cell.get_position();
        let (line, column) = (u64::from(row) + 1, column as usize);
        let text = plain(cell.get_value());
        if text.trim().is_empty() || column >= MAX_COLUMNS {
            continue;
        }
        if rows.last().is_none_or(|r| r.line != line) {
            if rows.len() == MAX_HEADER_ROWS {
                break;
            }
            rows.push(Candidate { line, cells: Vec::new() });
        }
        if let Some(last) = rows.last_mut() {
            last.cells.resize(last.cells.len().max(column + 1), String::new());
            last.cells[column] = text.trim().to_owned();
        }
    }
    Ok(rows)
}

/// `Sheet1!C17` for row 17, the third column (2).
pub(crate) fn cell_name(sheet: &str, line: u64, column: usize) -> String {
    let (mut letters, mut n) = (Vec::new(), column + 1);
    while n > 0 {
        letters.push(char::from(b'A' + u8::try_from((n - 1) % 26).unwrap_or(0)));
        n = (n - 1) / 26;
    }
    let letters: String = letters.iter().rev().collect();
    format!("{sheet}!{letters}{line}")
}

/// A cell's text.
#[derive(Clone, Debug, Default)]
struct CellText {
    text: String,
    refused: Option<Reason>,
}

/// The cells of a row, by field.
struct SheetRow {
    cells: Vec<CellText>,
    kind: Kind,
    account_digits: Option<usize>,
    epoch: f64,
}

impl Texts for SheetRow {
    fn text(&self, field: usize) -> Result<&str, Reason> {
        let Some(cell) = self.cells.get(field) else { return Ok("") };
        match cell.refused {
            Some(reason) => Err(reason),
            None if cell.text.trim().contains(['\n', '\r']) => Err(Reason::LineBreak),
            None => Ok(cell.text.trim()),
        }
    }
}

impl SheetRow {
    fn new(kind: Kind, account_digits: Option<usize>, epoch: f64) -> Self {
        Self { cells: vec![CellText::default(); MAX_FIELDS], kind, account_digits, epoch }
    }

    fn clear(&mut self) {
        for cell in &mut self.cells {
            cell.text.clear();
            cell.refused = None;
        }
    }

    fn set(&mut self, field: usize, value: &DataRef<'_>) {
        let Some(spec) = self.kind.fields().get(field) else { return };
        let (text, refused) = match (spec.sort, value) {
            (_, DataRef::Error(e)) => (e.to_string(), Some(Reason::CellError)),
            (Sort::Identifier, DataRef::Int(n)) => self.numeric_identifier(field, *n as f64),
            (Sort::Identifier, DataRef::Float(n)) => self.numeric_identifier(field, *n),
            (Sort::Identifier, DataRef::DateTime(_) | DataRef::Bool(_)) => (plain(value), Some(Reason::NumericCell)),
            (Sort::Amount, DataRef::Float(n)) => (amount(*n), None),
            (Sort::Date | Sort::Minute | Sort::Period, DataRef::DateTime(when)) => {
                let (y, m, d, hour, minute, ..) = when.to_ymd_hms_milli();
                (format!("{y:04}-{m:02}-{d:02} {hour:02}:{minute:02}"), None)
            }
            (Sort::Date | Sort::Minute, DataRef::Float(n)) if SERIALS.contains(&(n + self.epoch)) => {
                (serial(n + self.epoch), None)
            }
            (Sort::Date | Sort::Minute, DataRef::Int(n)) if SERIALS.contains(&(*n as f64 + self.epoch)) => {
                (serial(*n as f64 + self.epoch), None)
            }
            _ => (plain(value), None),
        };
        self.cells[field] = CellText { text, refused };
    }

    /// An account number or a payment's id that a spreadsheet holds as a number.
    fn numeric_identifier(&self, field: usize, number: f64) -> (String, Option<Reason>) {
        let text = float(number);
        // Spreadsheets keep 15 digits.
        let whole = number.fract() == 0.0 && (0.0..1e15).contains(&number);
        let is_account = self.kind.fields().get(field).is_some_and(|f| f.name == "account");
        match self.account_digits {
            _ if is_account && !whole => (text, Some(Reason::AccountFloat)),
            Some(digits) if is_account && text.len() <= digits => (format!("{text:0>digits$}"), None),
            _ => (text, Some(Reason::NumericCell)),
        }
    }

    fn finish<T: Row>(&self, row: u32, sheet: &str, context: &Context, batch: &mut Batch<T>) {
        let line = u64::from(row) + 1;
        batch.last_line = line;
        let mut noted: Vec<Warning> = Vec::new();
        match T::parse(self, context, &mut |w| noted.push(w)) {
            Ok(parsed) => {
                noted.into_iter().for_each(|w| batch.warnings.note(w, line));
                batch.rows.push(parsed);
                batch.lines.push(line);
            }
            Err(_) if self.cells.iter().all(|c| c.text.trim().is_empty()) => batch.blank += 1,
            Err(Bad { field, reason }) => {
                let sort = self.kind.fields().get(field).map(|f| f.sort);
                let value = self.cells.get(field).map(|c| shown(&c.text, sort)).unwrap_or_default();
                let column = Some(context.layout.header(field));
                let cell = context.layout.column(field).map(|c| cell_name(sheet, line, c));
                batch.rejects.push(Reject { place: Place { line, column, cell }, value, reason });
            }
        }
    }
}

/// A cell as text, whatever it is.
fn plain(value: &DataRef<'_>) -> String {
    match value {
        DataRef::Empty => String::new(),
        DataRef::String(s) | DataRef::DateTimeIso(s) | DataRef::DurationIso(s) => bounded(s),
        DataRef::SharedString(s) => bounded(s),
        DataRef::Int(n) => n.to_string(),
        DataRef::Float(n) => float(*n),
        DataRef::Bool(b) => b.to_string(),
        DataRef::DateTime(when) => float(when.as_f64()),
        DataRef::Error(e) => e.to_string(),
    }
}

fn bounded(text: &str) -> String {
    text.char_indices().take_while(|(at, _)| *at < MAX_CELL).map(|(_, c)| c).collect()
}

/// A number as a spreadsheet's user knows it: whole ones without a point, those beyond 15 digits in the notation that shows what is lost.
fn float(n: f64) -> String {
    if n.fract() == 0.0 && n.abs() < 1e15 {
        format!("{n:.0}")
    } else if n.abs() >= 1e15 {
        format!("{n:E}")
    } else {
        n.to_string()
    }
}

/// A numeric cell as an amount. Spreadsheets calculate in binary fractions and show 15 digits: 19.53 may be stored as 19.529999999999998. What is
/// within a ten-thousandth of a fen of a whole fen is that fen; anything else is left as it is, and refused.
fn amount(n: f64) -> String {
    let fen = n * 100.0;
    let whole = fen.round();
    // Up to ten billion yuan, where binary fractions are still finer than this.
    if (fen - whole).abs() < 1e-4 && whole.abs() <= 1e12 {
        let fen = whole as i64;
        let sign = if fen < 0 { "-" } else { "" };
        return format!("{sign}{}.{:02}", fen.unsigned_abs() / 100, fen.unsigned_abs() % 100);
    }
    n.to_string()
}

/// A serial date, with its minute.
fn serial(n: f64) -> String {
    let minutes = ((n - SERIAL_OF_1970) * 1440.0 + 1e-4).floor() as i64;
    gridbell_model::CivilMinute(minutes).to_string()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn cells_are_named_as_the_spreadsheet_names_them() {
        for (column, name) in [(0, "S!A17"), (25, "S!Z17"), (26, "S!AA17"), (701, "S!ZZ17"), (702, "S!AAA17")] {
            assert_eq!(cell_name("S", 17, column), name);
        }
    }

    #[test]
    fn binary_fractions_are_the_fen_that_they_mean() {
        assert_eq!(amount(19.529999999999998), "19.53");
        assert_eq!(amount(-0.07), "-0.07");
        assert_eq!(amount(1_234_567_890.12), "1234567890.12");
        assert_eq!(amount(1.005), "1.005", "half a fen is nobody's");
        assert_eq!(amount(f64::NAN), "NaN");
    }

    #[test]
    fn serial_dates_are_days_and_minutes() {
        assert_eq!(serial(45_943.5), "2025-10-13T12:00");
        assert_eq!(serial(45_943.0 + 9.5 / 24.0), "2025-10-13T09:30");
        assert_eq!(serial(32_874.0), "1990-01-01T00:00");
    }
}
