//! A CSV file in blocks that end where a record ends, and a block's records as rows: the first is done by one reader, the second by any number
//! of parsers at once.

use std::io::Read;

use memchr::{memchr, memchr_iter, memrchr};

use crate::batch::Batch;
use crate::decode::Decoder;
use crate::error::IntakeError;
use crate::field::Kind;
use crate::layout::{Candidate, Layout, MAX_HEADER_ROWS, recognised};
use crate::mapping::Mapping;
use crate::mask::shown;
use crate::parse::{Bad, Context, Row, Texts};
use crate::reject::{Place, Reason, Reject};
use crate::token::{Fields, MAX_RECORD, Token};

/// Bytes of a block: about four thousand customers. Large enough that handing it over costs nothing, small enough that a dozen of them do not
/// matter.
pub(crate) const BLOCK_BYTES: usize = 512 * 1024;
/// The shortest record that is a row of any kind: ten digits, a delimiter, a digit and a line end.
const MIN_ROW_BYTES: usize = 13;
/// The most rows of a block.
pub(crate) const MAX_BLOCK_ROWS: usize = (BLOCK_BYTES + 64 * 1024) / MIN_ROW_BYTES;
/// The delimiters that are tried.
const DELIMITERS: [u8; 4] = [b',', b'\t', b';', b'|'];

/// Whole records.
#[derive(Debug, Default)]
pub(crate) struct Block {
    bytes: Vec<u8>,
    /// The line of the first byte, from 1.
    first_line: u64,
    /// Lines too long to hold, between the last block and this one.
    too_long: Vec<u64>,
}

/// Cuts a file into blocks.
pub(crate) struct Splitter<R> {
    source: Decoder<R>,
    delimiter: u8,
    /// Read and not yet handed on; begins where a record begins.
    rest: Vec<u8>,
    line: u64,
    ended: bool,
    file: String,
}

impl<R: Read> Splitter<R> {
    /// Reads as far as the header, which it passes over.
    pub(crate) fn open(
        source: Decoder<R>,
        kind: Kind,
        delimiter: Option<u8>,
        mapping: Option<&Mapping>,
        file: &str,
    ) -> Result<(Self, Layout), IntakeError> {
        let file = file.to_owned();
        let mut splitter =
            Self { source, delimiter: delimiter.unwrap_or(b','), rest: Vec::new(), line: 1, ended: false, file };
        splitter.fill(BLOCK_BYTES)?;
        if splitter.rest.trim_ascii().is_empty() && splitter.ended {
            return Err(IntakeError::Empty { file: splitter.file });
        }
        if delimiter.is_none() {
            // The first of those that make most sense of the header.
            let score = |d: &u8| recognised(kind, &splitter.candidates(*d).0, mapping);
            let best = DELIMITERS.iter().copied().rev().max_by_key(score);
            splitter.delimiter = best.unwrap_or(b',');
        }
        let (rows, ends) = splitter.candidates(splitter.delimiter);
        let (layout, index) = Layout::find(kind, &rows, mapping, &splitter.file)?;
        let end = ends.get(index).copied().unwrap_or(0);
        splitter.line += count_lines(&splitter.rest[..end]);
        splitter.rest.drain(..end);
        Ok((splitter, layout))
    }

    /// The delimiter that was found or given.
    pub(crate) fn delimiter(&self) -> u8 {
        self.delimiter
    }

    /// The first records, and where each ends.
    fn candidates(&self, delimiter: u8) -> (Vec<Candidate>, Vec<usize>) {
        let (mut rows, mut ends) = (Vec::new(), Vec::new());
        let (mut fields, mut at) = (Fields::default(), 0);
        while rows.len() < MAX_HEADER_ROWS {
            let token = fields.next(&self.rest, at, delimiter, self.ended);
            let (Token::Record { end } | Token::Malformed { end, .. }) = token else { break };
            if matches!(token, Token::Record { .. }) && !fields.is_blank(&self.rest) {
                let cell = |i| String::from_utf8_lossy(fields.get(&self.rest, i).unwrap_or_default()).trim().to_owned();
                let line = self.line + count_lines(&self.rest[..at]);
                rows.push(Candidate { line, cells: (0..fields.len()).map(cell).collect() });
                ends.push(end);
            }
            at = end;
        }
        (rows, ends)
    }

    fn fill(&mut self, until: usize) -> Result<(), IntakeError> {
        if !self.ended {
            self.ended = self
                .source
                .fill(&mut self.rest, until)
                .map_err(|source| IntakeError::Read { file: self.file.clone(), source })?;
        }
        Ok(())
    }

    /// The next whole records; none at the end of the file.
    pub(crate) fn next_block(&mut self) -> Result<Option<Block>, IntakeError> {
        let mut block = Block::default();
        loop {
            self.fill(BLOCK_BYTES)?;
            if self.rest.is_empty() && self.ended {
                return Ok((!block.too_long.is_empty()).then_some(block));
            }
            let end = if self.ended { self.rest.len() } else { self.boundary() };
            if end > 0 {
                let tail = self.rest[end..].to_vec();
                block.first_line = self.line;
                self.rest.truncate(end);
                // A block's worth of capacity for the next, so that filling it does not move it again and again.
                let mut next = Vec::with_capacity(BLOCK_BYTES + MAX_RECORD);
                next.extend_from_slice(&tail);
                block.bytes = std::mem::replace(&mut self.rest, next);
                self.line += count_lines(&block.bytes);
                return Ok(Some(block));
            }
            // A whole block without a record's end: no row of ours. Skip to the end of the line.
            block.too_long.push(self.line);
            self.skip_line()?;
        }
    }

    /// Where the last whole record ends; 0 if there is none.
    fn boundary(&self) -> usize {
        if memchr(b'"', &self.rest).is_none() {
            return memrchr(b'\n', &self.rest).map_or(0, |n| n + 1);
        }
        let (mut fields, mut at) = (Fields::default(), 0);
        while let Token::Record { end } | Token::Malformed { end, .. } =
            fields.next(&self.rest, at, self.delimiter, false)
        {
            // Without its line's end in sight a malformed record is not whole.
            if end == self.rest.len() && self.rest.last() != Some(&b'\n') {
                break;
            }
            at = end;
        }
        at
    }

    fn skip_line(&mut self) -> Result<(), IntakeError> {
        loop {
            if let Some(newline) = memchr(b'\n', &self.rest) {
                self.rest.drain(..=newline);
                self.line += 1;
                return Ok(());
            }
            self.rest.clear();
            if self.ended {
                return Ok(());
            }
            self.fill(BLOCK_BYTES)?;
        }
    }
}

fn count_lines(bytes: &[u8]) -> u64 {
    memchr_iter(b'\n', bytes).count() as u64
}

/// A record of a block, its fields by the layout.
struct Record<'a> {
    bytes: &'a [u8],
    fields: &'a Fields,
    layout: &'a Layout,
}

impl Record<'_> {
    fn raw(&self, field: usize) -> &[u8] {
        self.layout.column(field).and_then(|c| self.fields.get(self.bytes, c)).unwrap_or_default()
    }
}

impl Texts for Record<'_> {
    fn text(&self, field: usize) -> Result<&str, Reason> {
        let raw = self.raw(field);
        let ([first, ..], [.., last]) = (raw, raw) else { return Ok("") };
        let (first, last) = (*first, *last);
        // Most fields have nothing to trim: looking at their ends is a quarter of the time of an import.
        let raw = if first <= b' ' || last <= b' ' { raw.trim_ascii() } else { raw };
        let text = std::str::from_utf8(raw).map_err(|_| Reason::Encoding)?;
        if self.fields.may_hold_lines() && raw.contains(&b'\n') {
            return Err(Reason::LineBreak);
        }
        // Blanks beyond ASCII: full-width and no-break spaces.
        Ok(if first.is_ascii() && last.is_ascii() { text } else { text.trim() })
    }
}

/// The rows of a block.
pub(crate) fn parse<T: Row>(block: &Block, delimiter: u8, context: &Context) -> Batch<T> {
    let mut batch = Batch::default();
    for line in &block.too_long {
        batch.rejects.push(reject(*line, None, String::new(), Reason::TooLong));
        batch.last_line = *line;
    }
    let expected = block.bytes.len() / 64;
    batch.rows.reserve(expected);
    batch.lines.reserve(expected);
    let (mut fields, mut at, mut line) = (Fields::default(), 0, block.first_line);
    loop {
        let token = fields.next(&block.bytes, at, delimiter, true);
        let end = match token {
            Token::Record { end } => {
                let lines = if fields.may_hold_lines() { count_lines(&block.bytes[at..end]) } else { 1 };
                record(&block.bytes, &fields, line, context, &mut batch);
                batch.last_line = line;
                line += lines;
                end
            }
            Token::Malformed { reason, end } => {
                let start = String::from_utf8_lossy(&block.bytes[at..end.min(at + 160)]);
                batch.rejects.push(reject(line, None, shown(&start, None), reason));
                batch.last_line = line;
                line += 1;
                end
            }
            Token::Incomplete | Token::End => break,
        };
        at = end;
    }
    batch
}

fn record<T: Row>(bytes: &[u8], fields: &Fields, line: u64, context: &Context, batch: &mut Batch<T>) {
    let layout = &context.layout;
    if fields.len() > layout.width()
        && let Some(extra) = (layout.width()..fields.len()).find_map(|i| not_blank(fields.get(bytes, i)))
    {
        let value = shown(&String::from_utf8_lossy(extra), None);
        batch.rejects.push(reject(line, None, value, Reason::TooManyFields));
        return;
    }
    let texts = Record { bytes, fields, layout };
    let warnings = &mut batch.warnings;
    // Warnings of a row that is refused after all would count a row that is not there.
    let mut noted = [None; 8];
    let mut count = 0;
    let parsed = T::parse(&texts, context, &mut |w| {
        if let Some(slot) = noted.get_mut(count) {
            *slot = Some(w);
            count += 1;
        }
    });
    match parsed {
        Ok(row) => {
            noted.iter().flatten().for_each(|w| warnings.note(*w, line));
            batch.rows.push(row);
            batch.lines.push(line);
        }
        Err(_) if fields.is_blank(bytes) => batch.blank += 1,
        Err(Bad { field, reason }) => {
            let sort = T::KIND.fields().get(field).map(|f| f.sort);
            let value = shown(&String::from_utf8_lossy(texts.raw(field)), sort);
            batch.rejects.push(reject(line, Some(layout.header(field)), value, reason));
        }
    }
}

fn not_blank(field: Option<&[u8]>) -> Option<&[u8]> {
    field.filter(|f| !f.trim_ascii().is_empty())
}

fn reject(line: u64, column: Option<String>, value: String, reason: Reason) -> Reject {
    Reject { place: Place { line, column, cell: None }, value, reason }
}
