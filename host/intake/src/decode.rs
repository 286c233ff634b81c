//! Bytes of a file to UTF-8, streaming: which encoding it is, is found out on the way.

use std::fmt;
use std::io::{self, Read};
use std::str::FromStr;
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};

use encoding_rs::{CoderResult, Decoder as Conversion, GB18030, UTF_16BE, UTF_16LE};
use gridbell_model::ModelError;

/// How much is read and converted at a time.
const CHUNK: usize = 64 * 1024;

/// The encoding of a CSV file.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum Encoding {
    /// UTF-8, with or without byte order mark.
    Utf8,
    /// GB18030, and with it GBK and GB2312.
    Gb18030,
    /// UTF-16, little end first: what spreadsheets call "Unicode text".
    Utf16Le,
    /// UTF-16, big end first.
    Utf16Be,
}

impl Encoding {
    /// The word for it.
    #[must_use]
    pub fn word(self) -> &'static str {
        match self {
            Self::Utf8 => "utf-8",
            Self::Gb18030 => "gb18030",
            Self::Utf16Le => "utf-16le",
            Self::Utf16Be => "utf-16be",
        }
    }

    fn conversion(self) -> Option<Conversion> {
        match self {
            Self::Utf8 => None,
            Self::Gb18030 => Some(GB18030.new_decoder_without_bom_handling()),
            Self::Utf16Le => Some(UTF_16LE.new_decoder_without_bom_handling()),
            Self::Utf16Be => Some(UTF_16BE.new_decoder_without_bom_handling()),
        }
    }
}

impl fmt::Display for Encoding {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.word())
    }
}

impl FromStr for Encoding {
    type Err = ModelError;
    fn from_str(s: &str) -> Result<Self, ModelError> {
        Ok(match s.to_ascii_lowercase().as_str() {
            "utf-8" | "utf8" => Self::Utf8,
            "gb18030" | "gbk" | "gb2312" => Self::Gb18030,
            "utf-16le" => Self::Utf16Le,
            "utf-16be" => Self::Utf16Be,
            _ => {
                return Err(ModelError::Word {
                    what: "encoding",
                    value: s.chars().take(40).collect(),
                    known: "utf-8, gb18030, utf-16le, utf-16be".to_owned(),
                });
            }
        })
    }
}

/// Reads a file as UTF-8. A file without a mark is taken as it is while it is plain ASCII; its first other bytes decide between UTF-8 and GB18030.
pub(crate) struct Decoder<R> {
    inner: R,
    /// None while everything was plain ASCII.
    encoding: Option<Encoding>,
    /// Set where bytes have to be converted.
    conversion: Option<Conversion>,
    raw: Vec<u8>,
    started: bool,
    ended: bool,
    read: Arc<AtomicU64>,
}

impl<R: Read> Decoder<R> {
    /// `forced` is what the operator said; `read` counts the bytes taken from `inner`.
    pub(crate) fn new(inner: R, forced: Option<Encoding>, read: Arc<AtomicU64>) -> Self {
        Self { inner, encoding: forced, conversion: None, raw: Vec::new(), started: false, ended: false, read }
    }

    /// The encoding; none if all was plain ASCII so far.
    #[cfg(test)]
    fn encoding(&self) -> Option<Encoding> {
        self.encoding
    }

    /// Appends to `out` until it holds `until` bytes or a little more; whether the file ended.
    pub(crate) fn fill(&mut self, out: &mut Vec<u8>, until: usize) -> io::Result<bool> {
        while out.len() < until && !self.ended {
            if self.started && self.encoding == Some(Encoding::Utf8) {
                // Nothing to find out and nothing to convert.
                let want = (until - out.len()).max(CHUNK) as u64;
                let got = self.inner.by_ref().take(want).read_to_end(out)?;
                self.read.fetch_add(got as u64, Ordering::Relaxed);
                self.ended = (got as u64) < want;
            } else {
                self.chunk(out)?;
            }
        }
        Ok(self.ended)
    }

    fn chunk(&mut self, out: &mut Vec<u8>) -> io::Result<()> {
        self.raw.clear();
        let got = self.inner.by_ref().take(CHUNK as u64).read_to_end(&mut self.raw)?;
        self.read.fetch_add(got as u64, Ordering::Relaxed);
        self.ended = got < CHUNK;
        let mut raw = std::mem::take(&mut self.raw);
        let mut body = raw.as_slice();
        if !self.started {
            self.started = true;
            let marked = mark(body);
            if let Some((encoding, length)) = marked.filter(|(e, _)| self.encoding.is_none_or(|forced| forced == *e)) {
                self.encoding = Some(encoding);
                body = &body[length..];
            }
            self.conversion = self.encoding.and_then(Encoding::conversion);
        }
        if self.encoding.is_none() && !body.is_ascii() {
            // A character may begin at the chunk's very end; then the chunk says nothing, and either guess reads it.
            let encoding = guess(body);
            self.encoding = Some(encoding);
            self.conversion = encoding.conversion();
        }
        match &mut self.conversion {
            None => out.extend_from_slice(body),
            Some(conversion) => convert(conversion, body, out, self.ended),
        }
        raw.clear();
        self.raw = raw;
        Ok(())
    }
}

fn mark(bytes: &[u8]) -> Option<(Encoding, usize)> {
    match bytes {
        [0xef, 0xbb, 0xbf, ..] => Some((Encoding::Utf8, 3)),
        [0xff, 0xfe, ..] => Some((Encoding::Utf16Le, 2)),
        [0xfe, 0xff, ..] => Some((Encoding::Utf16Be, 2)),
        [0x84, 0x31, 0x95, 0x33, ..] => Some((Encoding::Gb18030, 4)),
        _ => None,
    }
}

/// UTF-8 or GB18030. GB18030 text is hardly ever valid UTF-8, while UTF-8 text often reads as GB18030, so that only UTF-8 is asked.
fn guess(bytes: &[u8]) -> Encoding {
    match std::str::from_utf8(bytes) {
        Ok(_) => return Encoding::Utf8,
        // Only the last character is cut off.
        Err(e) if e.error_len().is_none() && !bytes[..e.valid_up_to()].is_ascii() => return Encoding::Utf8,
        Err(_) => {}
    }
    // A UTF-8 file with a broken byte here and there is still one; of GB18030 text hardly anything reads as UTF-8.
    let text = String::from_utf8_lossy(bytes);
    let mistakes = text.matches('\u{fffd}').count();
    let others = text.chars().filter(|c| !c.is_ascii() && *c != '\u{fffd}').count();
    if others > 4 * mistakes { Encoding::Utf8 } else { Encoding::Gb18030 }
}

/// Converts all of `body`; what cannot be converted becomes U+FFFD, which the fields' rules find.
fn convert(conversion: &mut Conversion, mut body: &[u8], out: &mut Vec<u8>, last: bool) {
    loop {
        let need = conversion.max_utf8_buffer_length(body.len()).unwrap_or(body.len() * 3 + 16);
        let start = out.len();
        out.resize(start + need, 0);
        let (result, read, written, _) = conversion.decode_to_utf8(body, &mut out[start..], last);
        out.truncate(start + written);
        body = &body[read..];
        if result == CoderResult::InputEmpty {
            return;
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    fn decode(bytes: &[u8]) -> (String, Option<Encoding>) {
        let mut d = Decoder::new(bytes, None, Arc::default());
        let mut out = Vec::new();
        while !d.fill(&mut out, usize::MAX / 2).unwrap() {}
        assert_eq!(d.read.load(Ordering::Relaxed), bytes.len() as u64);
        (String::from_utf8(out).unwrap(), d.encoding())
    }

    proptest! {
        #[test]
        fn gb18030_is_recognised_and_round_trips(text in "[\u{4e00}-\u{9fff}a-z0-9,\n]{12,200}", pad in 0usize..70_000) {
            // Real text, wherever in the file it begins.
            let text = format!("{}户号,户名,供电单位,手机号\n{text}", "1".repeat(pad));
            let (bytes, _, _) = GB18030.encode(&text);
            prop_assert_eq!(decode(&bytes), (text.clone(), Some(Encoding::Gb18030)));
            prop_assert_eq!(decode(text.as_bytes()), (text, Some(Encoding::Utf8)));
        }

        #[test]
        fn any_bytes_are_read(bytes in proptest::collection::vec(any::<u8>(), 0..300)) {
            let mut d = Decoder::new(bytes.as_slice(), None, Arc::default());
            let mut out = Vec::new();
            while !d.fill(&mut out, 100).unwrap() { out.clear(); }
        }
    }

    #[test]
    fn marks_are_obeyed_and_not_read() {
        assert_eq!(decode(b"\xef\xbb\xbfa"), ("a".to_owned(), Some(Encoding::Utf8)));
        assert_eq!(decode(b"\xff\xfea\0"), ("a".to_owned(), Some(Encoding::Utf16Le)));
        assert_eq!(decode(b"\xfe\xff\0a"), ("a".to_owned(), Some(Encoding::Utf16Be)));
        assert_eq!(decode(b"abc"), ("abc".to_owned(), None));
    }

    #[test]
    fn one_broken_byte_does_not_make_a_utf8_file_gb18030() {
        let mut bytes = "户号,户名\n0012345678,张三\n0012345679,李四\n".repeat(20).into_bytes();
        bytes.extend_from_slice(b"0012345680,\xff\n");
        let mut d = Decoder::new(bytes.as_slice(), None, Arc::default());
        let mut out = Vec::new();
        while !d.fill(&mut out, usize::MAX / 2).unwrap() {}
        assert_eq!(d.encoding(), Some(Encoding::Utf8));
        assert_eq!(out, bytes, "UTF-8 is passed through; the field's rule finds the byte");
    }
}
