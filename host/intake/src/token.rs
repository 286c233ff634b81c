//! Records of a CSV file and their fields (RFC 4180), found one at a time in bytes already in memory.
//!
//! Not the csv crate's reader, for one reason: that one takes whatever follows an unclosed quote, line after line, as one field and reports nothing.
//! Here such a record is [`Token::Malformed`] and reading goes on at the next physical line, so that one stray quote costs one row.

use memchr::memchr;

use crate::reject::Reason;

/// The longest record, in bytes. Rows of our kinds have hundreds.
pub(crate) const MAX_RECORD: usize = 64 * 1024;

/// What was found at a position that begins a record.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub(crate) enum Token {
    /// A record; the next one begins at `end`.
    Record { end: usize },
    /// No record; reading goes on at `end`, the next physical line.
    Malformed { reason: Reason, end: usize },
    /// The bytes end within the record and more are to come.
    Incomplete,
    /// The bytes end here.
    End,
}

/// Where the fields of the current record are; reused from record to record.
#[derive(Debug, Default)]
pub(crate) struct Fields {
    spans: Vec<Span>,
    /// Quoted fields without their doubled quotes.
    unescaped: Vec<u8>,
    /// Whether the record has a quote, without which it ends with its line.
    quoted: bool,
}

#[derive(Clone, Copy, Debug)]
struct Span {
    start: u32,
    end: u32,
    in_unescaped: bool,
}

impl Fields {
    /// Number of fields.
    pub(crate) fn len(&self) -> usize {
        self.spans.len()
    }

    /// Whether the record may run over several lines.
    pub(crate) fn may_hold_lines(&self) -> bool {
        self.quoted
    }

    /// Field `index` of the record that was found in `bytes`.
    pub(crate) fn get<'a>(&'a self, bytes: &'a [u8], index: usize) -> Option<&'a [u8]> {
        let span = self.spans.get(index)?;
        let from = if span.in_unescaped { &self.unescaped } else { bytes };
        from.get(span.start as usize..span.end as usize)
    }

    /// Whether all fields are blank.
    pub(crate) fn is_blank(&self, bytes: &[u8]) -> bool {
        (0..self.len()).all(|i| self.get(bytes, i).is_none_or(|f| f.trim_ascii().is_empty()))
    }

    /// Finds the record that begins at `at`. `last` says that no bytes follow `bytes`.
    pub(crate) fn next(&mut self, bytes: &[u8], at: usize, delimiter: u8, last: bool) -> Token {
        let rest = bytes.get(at..).unwrap_or_default();
        if rest.is_empty() {
            return if last { Token::End } else { Token::Incomplete };
        }
        self.spans.clear();
        let newline = memchr(b'\n', rest);
        let line = &rest[..newline.unwrap_or(rest.len())];
        self.quoted = memchr(b'"', line).is_some();
        if self.quoted {
            self.unescaped.clear();
            return self.quoted(bytes, at, delimiter, last);
        }
        match newline {
            None if !last && rest.len() <= MAX_RECORD => Token::Incomplete,
            _ if line.len() > MAX_RECORD => {
                Token::Malformed { reason: Reason::TooLong, end: at + newline.map_or(rest.len(), |n| n + 1) }
            }
            _ => {
                let line = line.strip_suffix(b"\r").unwrap_or(line);
                let mut start = at;
                for comma in memchr::memchr_iter(delimiter, line) {
                    self.push(start, at + comma, false);
                    start = at + comma + 1;
                }
                self.push(start, at + line.len(), false);
                Token::Record { end: at + newline.map_or(rest.len(), |n| n + 1) }
            }
        }
    }

    fn push(&mut self, start: usize, end: usize, in_unescaped: bool) {
        // Records are below 64 KiB and blocks below 4 GiB, so that positions fit.
        let narrow = |n: usize| u32::try_from(n).unwrap_or(u32::MAX);
        self.spans.push(Span { start: narrow(start), end: narrow(end), in_unescaped });
    }

    /// A record with a quote in its first line.
    fn quoted(&mut self, bytes: &[u8], at: usize, delimiter: u8, last: bool) -> Token {
        let window = bytes.len().min(at + MAX_RECORD);
        // Seeing the window's end means: too long, unless the bytes end there.
        let cut_short = |reason: Reason| {
            if window == bytes.len() && !last && window - at < MAX_RECORD {
                return Token::Incomplete;
            }
            malformed(bytes, at, reason, last)
        };
        let mut pos = at;
        loop {
            if bytes[pos..window].first() == Some(&b'"') {
                let Some(close) = self.closing_quote(bytes, pos + 1, window) else { return cut_short(Reason::Quote) };
                pos = close + 1;
                // Offices pad columns: blanks between the quote and the delimiter are no content.
                while pos < window && bytes[pos] == b' ' {
                    pos += 1;
                }
            } else {
                let end = bytes[pos..window].iter().position(|b| *b == delimiter || *b == b'\n');
                let Some(end) = end.map(|n| pos + n).or((last && window == bytes.len()).then_some(window)) else {
                    return cut_short(Reason::TooLong);
                };
                let at_line_end = end == window || bytes[end] == b'\n';
                let trimmed = if at_line_end && end > pos && bytes[end - 1] == b'\r' { end - 1 } else { end };
                self.push(pos, trimmed, false);
                pos = end;
            }
            match bytes[pos..window] {
                [] if last && window == bytes.len() => return Token::Record { end: pos },
                [] => return cut_short(Reason::TooLong),
                [b'\n', ..] => return Token::Record { end: pos + 1 },
                [b'\r', b'\n', ..] => return Token::Record { end: pos + 2 },
                [b'\r'] if last && window == bytes.len() => return Token::Record { end: pos + 1 },
                [b'\r'] => return cut_short(Reason::TooLong),
                [b, ..] if b == delimiter => pos += 1,
                _ => return malformed(bytes, at, Reason::Quote, last),
            }
        }
    }

    /// The quote that closes the field whose content begins at `start`; pushes the field.
    fn closing_quote(&mut self, bytes: &[u8], start: usize, window: usize) -> Option<usize> {
        let mut from = start;
        let unescaped_start = self.unescaped.len();
        let mut doubled = false;
        loop {
            let quote = from + memchr(b'"', bytes.get(from..window)?)?;
            if bytes[..window].get(quote + 1) != Some(&b'"') {
                if doubled {
                    self.unescaped.extend_from_slice(&bytes[from..quote]);
                    self.push(unescaped_start, self.unescaped.len(), true);
                } else {
                    self.push(start, quote, false);
                }
                return Some(quote);
            }
            doubled = true;
            self.unescaped.extend_from_slice(&bytes[from..=quote]);
            from = quote + 2;
        }
    }
}

/// What begins at `at` is no record: its first physical line is passed over. Without that line's end in sight a reader waits for it, unless the
/// line is too long anyhow; then the reader has to skip to its end.
fn malformed(bytes: &[u8], at: usize, reason: Reason, last: bool) -> Token {
    match memchr(b'\n', &bytes[at..]) {
        Some(newline) => Token::Malformed { reason, end: at + newline + 1 },
        None if !last && bytes.len() - at <= MAX_RECORD => Token::Incomplete,
        None => Token::Malformed { reason, end: bytes.len() },
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    /// All records of `bytes`, and the reasons of what was none.
    fn all(bytes: &[u8]) -> (Vec<Vec<String>>, Vec<Reason>) {
        let (mut records, mut bad, mut at) = (Vec::new(), Vec::new(), 0);
        let mut fields = Fields::default();
        loop {
            match fields.next(bytes, at, b',', true) {
                Token::Record { end } => {
                    let get = |i| String::from_utf8_lossy(fields.get(bytes, i).unwrap()).into_owned();
                    records.push((0..fields.len()).map(get).collect());
                    assert!(end > at);
                    at = end;
                }
                Token::Malformed { reason, end } => {
                    bad.push(reason);
                    assert!(end > at);
                    at = end;
                }
                Token::End => return (records, bad),
                Token::Incomplete => panic!("nothing is incomplete at the end"),
            }
        }
    }

    proptest! {
        #[test]
        fn what_the_csv_crate_writes_is_read_back(
            records in proptest::collection::vec(proptest::collection::vec("[a\" ,\r\n\u{6237}]{0,6}", 2..5), 0..20),
            crlf: bool, always: bool,
        ) {
            let mut w = csv::WriterBuilder::new()
                .flexible(true)
                .terminator(if crlf { csv::Terminator::CRLF } else { csv::Terminator::Any(b'\n') })
                .quote_style(if always { csv::QuoteStyle::Always } else { csv::QuoteStyle::Necessary })
                .from_writer(Vec::new());
            for r in &records { w.write_record(r).unwrap(); }
            let bytes = w.into_inner().unwrap();
            let (read, bad) = all(&bytes);
            prop_assert_eq!(read, records);
            prop_assert_eq!(bad, vec![]);
        }

        #[test]
        fn any_cut_of_the_bytes_gives_the_same_records(text in "[a,\"\r\n]{0,60}", cut in 0usize..60) {
            let bytes = text.as_bytes();
            let cut = cut.min(bytes.len());
            let mut fields = Fields::default();
            let (mut at, mut whole) = (0, Vec::new());
            loop {
                let token = fields.next(bytes, at, b',', true);
                whole.push(token);
                match token {
                    Token::Record { end } | Token::Malformed { end, .. } => at = end,
                    _ => break,
                }
            }
            // A reader that has only the bytes before the cut either agrees or waits for more.
            at = 0;
            for expected in whole {
                match fields.next(&bytes[..cut], at, b',', false) {
                    Token::Incomplete => break,
                    token => prop_assert_eq!(token, expected),
                }
                match expected {
                    Token::Record { end } | Token::Malformed { end, .. } => at = end,
                    _ => break,
                }
            }
        }
    }

    #[test]
    fn a_stray_quote_costs_one_row() {
        let (records, bad) = all(b"1,\"a\n2,\"b\",x\n3,c,y\n");
        assert_eq!(bad, [Reason::Quote]);
        assert_eq!(records, [vec!["2", "b", "x"], vec!["3", "c", "y"]]);
        let (records, bad) = all(b"1,a\n2,\"b\n3,c");
        assert_eq!(bad, [Reason::Quote]);
        assert_eq!(records, [vec!["1", "a"], vec!["3", "c"]]);
    }

    #[test]
    fn a_quote_within_a_field_is_text() {
        let (records, bad) = all(b"=\"0012\",5\" pipe\n\"x\" ,\"y\"\r\n");
        assert_eq!(records, [vec!["=\"0012\"", "5\" pipe"], vec!["x", "y"]]);
        assert_eq!(bad, []);
    }

    #[test]
    fn a_record_beyond_measure_is_passed_over() {
        let long = "x".repeat(MAX_RECORD + 1);
        let (records, bad) = all(format!("1,a\n{long}\n2,b\n\"{long}\n3,c").as_bytes());
        assert_eq!(bad, [Reason::TooLong, Reason::Quote]);
        assert_eq!(records, [vec!["1", "a"], vec!["2", "b"], vec!["3", "c"]]);
    }
}
