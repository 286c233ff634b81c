//! As much JSON as a policy needs: the manifest is written once, the parameters are read for each batch.

use alloc::string::String;

/// Why a text is not what was expected, for the host's error.
pub(crate) type ReadError = &'static str;

/// Reads a JSON text value by value. The host has checked the parameters against the manifest's schema; this still refuses what it
/// cannot read.
pub struct Reader<'a> {
    text: &'a [u8],
    at: usize,
}

/// Deepest value that [`Reader::skip`] steps over.
const MAX_DEPTH: u32 = 64;

impl<'a> Reader<'a> {
    /// Reads `text` from its beginning.
    #[must_use]
    pub fn new(text: &'a str) -> Self {
        Self { text: text.as_bytes(), at: 0 }
    }

    fn peek(&mut self) -> u8 {
        while let Some(b' ' | b'\n' | b'\r' | b'\t') = self.text.get(self.at) {
            self.at += 1;
        }
        self.text.get(self.at).copied().unwrap_or(0)
    }

    fn take(&mut self, byte: u8) -> bool {
        let found = self.peek() == byte;
        self.at += usize::from(found);
        found
    }

    fn word(&mut self, word: &str) -> bool {
        self.peek();
        let found = self.text[self.at..].starts_with(word.as_bytes());
        self.at += if found { word.len() } else { 0 };
        found
    }

    /// Calls `each` with every key of an object, to read its value.
    ///
    /// # Errors
    /// If there is no object, or `each` fails.
    pub fn object(
        &mut self,
        mut each: impl FnMut(&'a [u8], &mut Self) -> Result<(), ReadError>,
    ) -> Result<(), ReadError> {
        if !self.take(b'{') {
            return Err("parameters: expected an object");
        }
        if self.take(b'}') {
            return Ok(());
        }
        loop {
            let key = self.string()?;
            if !self.take(b':') {
                return Err("parameters: expected a colon");
            }
            each(key, self)?;
            if self.take(b'}') {
                return Ok(());
            }
            if !self.take(b',') {
                return Err("parameters: expected a comma or the end of an object");
            }
        }
    }

    /// Calls `each` before every value of a list, to read it.
    ///
    /// # Errors
    /// If there is no list, or `each` fails.
    pub fn array(&mut self, mut each: impl FnMut(&mut Self) -> Result<(), ReadError>) -> Result<(), ReadError> {
        if !self.take(b'[') {
            return Err("parameters: expected a list");
        }
        if self.take(b']') {
            return Ok(());
        }
        loop {
            each(self)?;
            if self.take(b']') {
                return Ok(());
            }
            if !self.take(b',') {
                return Err("parameters: expected a comma or the end of a list");
            }
        }
    }

    /// A whole number; 7.0 is one.
    ///
    /// # Errors
    /// If there is none, or it does not fit.
    pub fn integer(&mut self) -> Result<i64, ReadError> {
        let negative = self.take(b'-');
        self.peek();
        let (mut value, first) = (0_i64, self.at);
        while let Some(digit @ b'0'..=b'9') = self.text.get(self.at) {
            value = value
                .checked_mul(10)
                .and_then(|v| v.checked_add(i64::from(digit - b'0')))
                .ok_or("parameters: a number is too large")?;
            self.at += 1;
        }
        if self.at == first {
            return Err("parameters: expected a whole number");
        }
        if self.text.get(self.at) == Some(&b'.') {
            self.at += 1;
            while self.text.get(self.at) == Some(&b'0') {
                self.at += 1;
            }
        }
        match self.text.get(self.at) {
            Some(b'0'..=b'9' | b'e' | b'E' | b'.') => Err("parameters: expected a whole number"),
            _ => Ok(if negative { -value } else { value }),
        }
    }

    /// True or false.
    ///
    /// # Errors
    /// If there is neither.
    pub fn boolean(&mut self) -> Result<bool, ReadError> {
        if self.word("true") {
            Ok(true)
        } else if self.word("false") {
            Ok(false)
        } else {
            Err("parameters: expected true or false")
        }
    }

    /// Whether null comes; reads it if so.
    pub fn null(&mut self) -> bool {
        self.word("null")
    }

    /// The bytes between the quotes, escapes left as they are: names and choices have none.
    ///
    /// # Errors
    /// If there is no text.
    pub fn string(&mut self) -> Result<&'a [u8], ReadError> {
        if !self.take(b'"') {
            return Err("parameters: expected a text");
        }
        let first = self.at;
        loop {
            match self.text.get(self.at) {
                Some(b'"') => break,
                Some(b'\\') => self.at += 2,
                Some(_) => self.at += 1,
                None => return Err("parameters: a text does not end"),
            }
        }
        let text = self.text.get(first..self.at).unwrap_or(&[]);
        self.at += 1;
        Ok(text)
    }

    /// Steps over any value.
    ///
    /// # Errors
    /// If there is none, or it is nested too deep.
    pub fn skip(&mut self) -> Result<(), ReadError> {
        self.skip_within(MAX_DEPTH)
    }

    fn skip_within(&mut self, depth: u32) -> Result<(), ReadError> {
        if depth == 0 {
            return Err("parameters: nested too deep");
        }
        match self.peek() {
            b'{' => self.object(|_, r| r.skip_within(depth - 1)),
            b'[' => self.array(|r| r.skip_within(depth - 1)),
            b'"' => self.string().map(drop),
            b't' | b'f' => self.boolean().map(drop),
            b'n' if self.null() => Ok(()),
            b'-' | b'0'..=b'9' => {
                while let Some(b'-' | b'+' | b'.' | b'e' | b'E' | b'0'..=b'9') = self.text.get(self.at) {
                    self.at += 1;
                }
                Ok(())
            }
            _ => Err("parameters: expected a value"),
        }
    }
}

/// Writes a JSON text; the caller opens and closes what it nests.
#[derive(Default)]
pub struct Writer {
    out: String,
}

impl Writer {
    /// The text.
    #[must_use]
    pub fn finish(self) -> String {
        self.out
    }

    /// Opens an object or a list.
    pub fn open(&mut self, bracket: char) -> &mut Self {
        self.comma();
        self.out.push(bracket);
        self
    }

    /// Closes an object or a list.
    pub fn close(&mut self, bracket: char) -> &mut Self {
        self.out.push(bracket);
        self
    }

    /// A key; its value follows.
    pub fn key(&mut self, key: &str) -> &mut Self {
        self.text(key);
        self.out.push(':');
        self
    }

    /// A text.
    pub fn text(&mut self, text: &str) -> &mut Self {
        self.comma();
        self.out.push('"');
        for c in text.chars() {
            match c {
                '"' | '\\' => {
                    self.out.push('\\');
                    self.out.push(c);
                }
                c if c < ' ' => self.out.push(' '),
                c => self.out.push(c),
            }
        }
        self.out.push('"');
        self
    }

    /// The name of an identifier, kebab case: `BelowMinimum` and `below_minimum` are `below-minimum`.
    pub fn kebab(&mut self, name: &str) -> &mut Self {
        let mut text = String::new();
        for c in name.chars() {
            match c {
                '_' => text.push('-'),
                c if c.is_ascii_uppercase() => {
                    if !text.is_empty() {
                        text.push('-');
                    }
                    text.push(c.to_ascii_lowercase());
                }
                c => text.push(c),
            }
        }
        self.text(&text)
    }

    /// A whole number.
    pub fn integer(&mut self, value: i64) -> &mut Self {
        self.comma();
        if value < 0 {
            self.out.push('-');
        }
        let (mut rest, mut digits, mut n) = (value.unsigned_abs(), [0_u8; 20], 0);
        loop {
            digits[n] = b'0' + (rest % 10) as u8;
            n += 1;
            rest /= 10;
            if rest == 0 {
                break;
            }
        }
        for digit in digits[..n].iter().rev() {
            self.out.push(char::from(*digit));
        }
        self
    }

    /// True or false.
    pub fn boolean(&mut self, value: bool) -> &mut Self {
        self.comma();
        self.out.push_str(if value { "true" } else { "false" });
        self
    }

    fn comma(&mut self) {
        if !matches!(self.out.as_bytes().last(), None | Some(b'{' | b'[' | b':')) {
            self.out.push(',');
        }
    }
}

/// Whether `text` is the kebab case of identifier `name`.
#[must_use]
pub(crate) fn is_kebab(text: &[u8], name: &str) -> bool {
    let mut w = Writer::default();
    w.kebab(name);
    w.out.as_bytes().get(1..w.out.len() - 1) == Some(text)
}
