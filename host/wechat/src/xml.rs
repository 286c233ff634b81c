//! The platform's XML: one level of fields below `<xml>`. No document type, no entity but the five of XML itself, everything bounded.

use quick_xml::Reader;
use quick_xml::events::{BytesRef, Event};

use crate::error::Error;

/// The most octets of a callback's body that are read; the platform's are below 4 KiB, a text message at most a few more.
pub const MAX_XML: usize = 64 * 1024;

/// The most fields below the root.
pub const MAX_FIELDS: usize = 64;

/// The deepest nesting, the root included.
pub const MAX_DEPTH: usize = 8;

/// The fields of a callback: those of its elements below `<xml>` that hold text. What lies deeper is passed over.
pub(crate) struct Fields(Vec<(String, String)>);

impl Fields {
    pub(crate) fn get(&self, name: &str) -> Option<&str> {
        self.0.iter().find(|(known, _)| known == name).map(|(_, value)| value.as_str())
    }

    pub(crate) fn read(body: &[u8]) -> Result<Self, Error> {
        let wrong = |why| Error::Xml { why };
        if body.len() > MAX_XML {
            return Err(wrong("it is longer than 64 KiB"));
        }
        let text = std::str::from_utf8(body).map_err(|_| wrong("it is not UTF-8"))?;
        let mut reader = Reader::from_str(text);
        reader.config_mut().enable_all_checks(true);
        let mut walk = Walk::default();
        loop {
            match reader.read_event().map_err(|_| wrong("it is not well-formed"))? {
                Event::Start(start) => walk.open(start.name().into_inner())?,
                Event::Empty(empty) => {
                    walk.open(empty.name().into_inner())?;
                    walk.close()?;
                }
                Event::End(_) => walk.close()?,
                Event::Text(text) => walk.text(&text)?,
                Event::CData(text) => walk.text(&text)?,
                Event::GeneralRef(reference) => walk.text(resolve(&reference)?.encode_utf8(&mut [0; 4]))?,
                Event::Decl(_) | Event::Comment(_) => {}
                Event::DocType(_) => return Err(wrong("it has a document type")),
                Event::PI(_) => return Err(wrong("it has a processing instruction")),
                Event::Eof => return walk.end(),
            }
        }
    }
}

/// Where the reader stands.
#[derive(Default)]
struct Walk {
    depth: usize,
    rooted: bool,
    /// Whether the field at hand has elements of its own.
    nested: bool,
    fields: Vec<(String, String)>,
}

impl Walk {
    fn open(&mut self, name: &str) -> Result<(), Error> {
        let wrong = |why| Error::Xml { why };
        match self.depth {
            0 if self.rooted || name != "xml" => return Err(wrong("its root is not one `<xml>`")),
            0 => self.rooted = true,
            1 if self.fields.len() == MAX_FIELDS => return Err(wrong("it has more than 64 fields")),
            1 if self.fields.iter().any(|(known, _)| known == name) => return Err(wrong("it has a field twice")),
            1 => {
                self.fields.push((name.to_owned(), String::new()));
                self.nested = false;
            }
            MAX_DEPTH => return Err(wrong("it is nested deeper than 8")),
            _ => self.nested = true,
        }
        self.depth += 1;
        Ok(())
    }

    fn close(&mut self) -> Result<(), Error> {
        self.depth = self.depth.checked_sub(1).ok_or(Error::Xml { why: "it is not well-formed" })?;
        if self.depth == 1 && self.nested {
            // The name stays, so that it cannot come again; what lies between its elements is white space.
            if let Some((_, value)) = self.fields.last_mut() {
                value.clear();
            }
        }
        Ok(())
    }

    fn text(&mut self, text: &str) -> Result<(), Error> {
        match (self.depth, self.fields.last_mut()) {
            (2, Some((_, value))) => value.push_str(text),
            (0 | 1, _) if !text.trim().is_empty() => {
                return Err(Error::Xml { why: "it has text outside of its fields" });
            }
            _ => {}
        }
        Ok(())
    }

    fn end(self) -> Result<Fields, Error> {
        if self.depth != 0 || !self.rooted {
            return Err(Error::Xml { why: "it ends too early" });
        }
        Ok(Fields(self.fields))
    }
}

fn resolve(reference: &BytesRef<'_>) -> Result<char, Error> {
    let unknown = || Error::Xml { why: "it has an entity that is not XML's own" };
    if let Some(character) = reference.resolve_char_ref().map_err(|_| unknown())? {
        return Ok(character);
    }
    Ok(match &**reference {
        "amp" => '&',
        "lt" => '<',
        "gt" => '>',
        "quot" => '"',
        "apos" => '\'',
        _ => return Err(unknown()),
    })
}

/// A text as a CDATA section, or several where it holds the mark that ends one; characters that XML has not are left out.
pub(crate) fn cdata(text: &str) -> String {
    let legal = |c: &char| matches!(c, '\t' | '\n' | '\r' | ' '..='\u{fffd}' | '\u{10000}'..);
    let text: String = text.chars().filter(legal).collect();
    format!("<![CDATA[{}]]>", text.replace("]]>", "]]]]><![CDATA[>"))
}
