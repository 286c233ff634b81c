//! A TOML document as fields to take one by one; what nobody took is unknown.

use std::cell::RefCell;
use std::fmt::Display;
use std::ops::{Range, RangeInclusive};
use std::str::FromStr;

use serde_json::Value;
use toml::Spanned;
use toml::de::{DeTable, DeValue};

use crate::error::{Place, Problem, Problems};

/// The longest document that is read: the eleven policy files have about 5 kB, a province's templates 20 kB.
pub(crate) const MAX_DOCUMENT_BYTES: usize = 1 << 20;

/// A document being read, and what was found wrong with it so far.
pub(crate) struct Document<'a> {
    text: &'a str,
    problems: RefCell<Vec<Problem>>,
}

impl<'a> Document<'a> {
    pub(crate) fn new(text: &'a str) -> Self {
        Self { text, problems: RefCell::new(Vec::new()) }
    }

    /// The document's table; none, with the problem noted, if it is no TOML.
    pub(crate) fn parse(&self) -> Option<Spanned<DeTable<'a>>> {
        if self.text.len() > MAX_DOCUMENT_BYTES {
            self.note(None, "", format!("the document has more than {MAX_DOCUMENT_BYTES} bytes: split it"));
            return None;
        }
        match DeTable::parse(self.text) {
            Ok(table) => Some(table),
            Err(e) => {
                let message = e.message().trim().replace('\n', ", ");
                self.note(e.span(), "", format!("not TOML: {message}"));
                None
            }
        }
    }

    pub(crate) fn note(&self, span: Option<Range<usize>>, field: &str, message: impl Into<String>) {
        let place = span.map(|s| self.place(s.start));
        self.problems.borrow_mut().push(Problem { place, field: field.to_owned(), message: message.into() });
    }

    /// Line and column of a byte offset.
    pub(crate) fn place(&self, offset: usize) -> Place {
        let mut end = offset.min(self.text.len());
        while !self.text.is_char_boundary(end) {
            end -= 1;
        }
        let before = &self.text[..end];
        let line_start = before.rfind('\n').map_or(0, |i| i + 1);
        let count = |n: usize| u32::try_from(n).unwrap_or(u32::MAX);
        Place {
            line: count(before.bytes().filter(|b| *b == b'\n').count() + 1),
            column: count(before[line_start..].chars().count() + 1),
        }
    }

    /// `value` if nothing was wrong.
    pub(crate) fn finish<T>(self, name: &str, value: Option<T>) -> Result<T, Problems> {
        let list = self.problems.into_inner();
        Problems::refuse(name, list)?;
        value.ok_or_else(|| Problems { document: name.to_owned(), list: Vec::new() })
    }
}

/// The fields of one table.
pub(crate) struct Fields<'d, 'a> {
    doc: &'d Document<'a>,
    path: String,
    span: Range<usize>,
    rest: Vec<(&'d Spanned<std::borrow::Cow<'a, str>>, &'d Spanned<DeValue<'a>>)>,
    known: Vec<&'static str>,
}

impl<'d, 'a> Fields<'d, 'a> {
    pub(crate) fn new(doc: &'d Document<'a>, path: &str, span: Range<usize>, table: &'d DeTable<'a>) -> Self {
        Self { doc, path: path.to_owned(), span, rest: table.iter().collect(), known: Vec::new() }
    }

    fn name_of(&self, field: &str) -> String {
        if self.path.is_empty() { field.to_owned() } else { format!("{}.{field}", self.path) }
    }

    /// The field `name` if it is there.
    pub(crate) fn optional(&mut self, name: &'static str) -> Option<Item<'d, 'a>> {
        self.known.push(name);
        let at = self.rest.iter().position(|(k, _)| k.get_ref() == name)?;
        let (key, value) = self.rest.remove(at);
        Some(Item { doc: self.doc, path: self.name_of(name), key_span: Some(key.span()), value })
    }

    /// The field `name`; its absence is noted.
    pub(crate) fn required(&mut self, name: &'static str) -> Option<Item<'d, 'a>> {
        let found = self.optional(name);
        if found.is_none() {
            self.doc.note(Some(self.span.clone()), &self.path, format!("the field `{name}` is missing"));
        }
        found
    }

    /// All fields whatever their names, with the names.
    pub(crate) fn all(&mut self) -> Vec<(String, Item<'d, 'a>)> {
        std::mem::take(&mut self.rest)
            .into_iter()
            .map(|(key, value)| {
                let name = key.get_ref().to_string();
                let path = self.name_of(&name);
                (name, Item { doc: self.doc, path, key_span: Some(key.span()), value })
            })
            .collect()
    }

    /// Notes what is wrong with this table as a whole.
    pub(crate) fn note(&self, message: impl Into<String>) {
        self.doc.note(Some(self.span.clone()), &self.path, message);
    }

    /// Notes every field that nobody took.
    pub(crate) fn finish(self) {
        for (key, _) in &self.rest {
            let name: &str = key.get_ref();
            let hint = nearest(name, &self.known)
                .map_or_else(|| format!("known are {}", self.known.join(", ")), |k| format!("did you mean `{k}`"));
            self.doc.note(Some(key.span()), &self.path, format!("unknown field `{name}`: {hint}"));
        }
    }
}

/// The known word that a slip of the keyboard may have turned into `name`.
fn nearest(name: &str, known: &[&'static str]) -> Option<&'static str> {
    let distance = |a: &str, b: &str| -> usize {
        let b: Vec<char> = b.chars().collect();
        let mut row: Vec<usize> = (0..=b.len()).collect();
        for (i, x) in a.chars().enumerate() {
            let mut diagonal = std::mem::replace(&mut row[0], i + 1);
            for (j, y) in b.iter().enumerate() {
                let cost = diagonal + usize::from(x != *y);
                diagonal = row[j + 1];
                row[j + 1] = cost.min(row[j] + 1).min(diagonal + 1);
            }
        }
        row[b.len()]
    };
    known.iter().map(|k| (distance(name, k), *k)).filter(|(d, _)| *d <= 2).min().map(|(_, k)| k)
}

/// One value with its field's name and place.
#[derive(Clone)]
pub(crate) struct Item<'d, 'a> {
    doc: &'d Document<'a>,
    pub(crate) path: String,
    key_span: Option<Range<usize>>,
    value: &'d Spanned<DeValue<'a>>,
}

impl<'d, 'a> Item<'d, 'a> {
    pub(crate) fn span(&self) -> Range<usize> {
        self.value.span()
    }

    pub(crate) fn note(&self, message: impl Into<String>) {
        self.doc.note(Some(self.span()), &self.path, message);
    }

    fn wrong(&self, expected: &str) {
        let found = match self.value.get_ref() {
            DeValue::String(_) => "a text",
            DeValue::Integer(_) => "a whole number",
            DeValue::Float(_) => "a number with decimals",
            DeValue::Boolean(_) => "true or false",
            DeValue::Datetime(_) => "a date",
            DeValue::Array(_) => "a list",
            DeValue::Table(_) => "a table",
        };
        self.note(format!("this is {found}, {expected} is expected"));
    }

    pub(crate) fn text(&self) -> Option<String> {
        let text = self.value.get_ref().as_str().map(str::to_owned);
        if text.is_none() {
            self.wrong("a text in quotes");
        }
        text
    }

    /// A text of at least one and at most `max` characters.
    pub(crate) fn short_text(&self, max: usize) -> Option<String> {
        let text = self.text()?;
        let count = text.chars().count();
        if count == 0 || count > max {
            self.note(format!("this text has {count} characters, 1 to {max} are allowed"));
            return None;
        }
        Some(text)
    }

    pub(crate) fn boolean(&self) -> Option<bool> {
        let value = self.value.get_ref().as_bool();
        if value.is_none() {
            self.wrong("true or false");
        }
        value
    }

    pub(crate) fn integer<T: TryFrom<i64>>(&self, range: RangeInclusive<i64>) -> Option<T> {
        let Some(number) = self.value.get_ref().as_integer() else {
            self.wrong("a whole number");
            return None;
        };
        let value = i64::from_str_radix(number.as_str(), number.radix()).ok().filter(|n| range.contains(n));
        if value.is_none() {
            self.note(format!("`{number}` is out of range, {} to {} is allowed", range.start(), range.end()));
        }
        value.and_then(|n| T::try_from(n).ok())
    }

    /// A text that `T` can read, with `T`'s own words where it cannot.
    pub(crate) fn parsed<T: FromStr<Err: Display>>(&self) -> Option<T> {
        let text = self.text()?;
        text.parse().map_err(|e: T::Err| self.note(e.to_string())).ok()
    }

    pub(crate) fn list(&self, max: usize) -> Vec<Self> {
        let Some(array) = self.value.get_ref().as_array() else {
            self.wrong("a list");
            return Vec::new();
        };
        if array.len() > max {
            self.note(format!("this list has {} entries, at most {max} are allowed", array.len()));
            return Vec::new();
        }
        let item = |(i, value)| Item { doc: self.doc, path: format!("{}[{i}]", self.path), key_span: None, value };
        array.iter().enumerate().map(item).collect()
    }

    pub(crate) fn fields(&self) -> Option<Fields<'d, 'a>> {
        let table = self.value.get_ref().as_table();
        if table.is_none() {
            self.wrong("a table");
        }
        let span = self.key_span.clone().unwrap_or_else(|| self.span());
        table.map(|t| Fields::new(self.doc, &self.path, span, t))
    }

    /// The value as JSON; dates become texts, what JSON cannot hold is noted.
    pub(crate) fn json(&self) -> Value {
        self.to_json(self.value)
    }

    fn to_json(&self, value: &Spanned<DeValue<'a>>) -> Value {
        match value.get_ref() {
            DeValue::String(s) => Value::String(s.to_string()),
            DeValue::Boolean(b) => Value::Bool(*b),
            DeValue::Datetime(d) => Value::String(d.to_string()),
            DeValue::Array(a) => Value::Array(a.iter().map(|v| self.to_json(v)).collect()),
            DeValue::Table(t) => {
                Value::Object(t.iter().map(|(k, v)| (k.get_ref().to_string(), self.to_json(v))).collect())
            }
            DeValue::Integer(n) => i64::from_str_radix(n.as_str(), n.radix()).map_or_else(
                |_| {
                    self.doc.note(Some(value.span()), &self.path, format!("`{n}` is too large a number"));
                    Value::Null
                },
                Value::from,
            ),
            DeValue::Float(x) => {
                let number = x.as_str().parse().ok().and_then(serde_json::Number::from_f64);
                number.map_or_else(
                    || {
                        self.doc.note(Some(value.span()), &self.path, format!("`{}` is not a number", x.as_str()));
                        Value::Null
                    },
                    Value::Number,
                )
            }
        }
    }

    /// The place of the value at the JSON pointer `pointer`, or of the nearest value around it: keys rather than values, since that is where a
    /// clerk looks.
    pub(crate) fn pointers(&self) -> Vec<(String, Place)> {
        let mut found = Vec::new();
        let start = self.key_span.clone().unwrap_or_else(|| self.span()).start;
        self.walk(String::new(), start, self.value, &mut found);
        found
    }

    fn walk(&self, pointer: String, start: usize, value: &Spanned<DeValue<'a>>, found: &mut Vec<(String, Place)>) {
        match value.get_ref() {
            DeValue::Array(a) => {
                for (i, v) in a.iter().enumerate() {
                    self.walk(format!("{pointer}/{i}"), v.span().start, v, found);
                }
            }
            DeValue::Table(t) => {
                for (k, v) in t {
                    let key = k.get_ref().replace('~', "~0").replace('/', "~1");
                    self.walk(format!("{pointer}/{key}"), k.span().start, v, found);
                }
            }
            _ => {}
        }
        found.push((pointer, self.doc.place(start)));
    }
}
