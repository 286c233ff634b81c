//! XML as it is written: elements with texts, in memory.

use gridbell_model::Moment;
use quick_xml::Writer;
use quick_xml::events::{BytesDecl, BytesEnd, BytesStart, BytesText, Event};

/// A document in the making. Writing into memory cannot fail.
pub(crate) struct Document(Writer<Vec<u8>>);

impl Document {
    pub(crate) fn new() -> Self {
        let mut document = Self(Writer::new_with_indent(Vec::new(), b' ', 2));
        document.event(Event::Decl(BytesDecl::new("1.0", Some("UTF-8"), None)));
        document
    }

    /// An element with others in it.
    pub(crate) fn nest(&mut self, name: &str, attributes: &[(&str, &str)], inside: impl FnOnce(&mut Self)) {
        self.event(Event::Start(start(name, attributes)));
        inside(self);
        self.event(Event::End(BytesEnd::new(name)));
    }

    /// An element with a text.
    pub(crate) fn text(&mut self, name: &str, text: &str) {
        self.event(Event::Start(BytesStart::new(name)));
        self.event(Event::Text(BytesText::new(text)));
        self.event(Event::End(BytesEnd::new(name)));
    }

    /// An element with a text, where there is one.
    pub(crate) fn optional(&mut self, name: &str, text: &str) {
        if !text.is_empty() {
            self.text(name, text);
        }
    }

    /// An element with nothing in it.
    pub(crate) fn empty(&mut self, name: &str, attributes: &[(&str, &str)]) {
        self.event(Event::Empty(start(name, attributes)));
    }

    pub(crate) fn finish(self) -> String {
        String::from_utf8(self.0.into_inner()).unwrap_or_default()
    }

    fn event(&mut self, event: Event<'_>) {
        // Into memory: cannot fail.
        let _ = self.0.write_event(event);
    }
}

fn start<'a>(name: &'a str, attributes: &[(&'a str, &'a str)]) -> BytesStart<'a> {
    BytesStart::new(name).with_attributes(attributes.iter().copied())
}

/// `2026-11-22T08:09:10+08:00`: the standard's form, which has an offset and never `Z`.
pub(crate) fn time(moment: Moment) -> String {
    let minute = moment.civil_minute();
    let of_day = minute.minute_of_day();
    let second = moment.unix_ms().div_euclid(1000).rem_euclid(60);
    format!("{}T{:02}:{:02}:{second:02}+08:00", minute.date(), of_day / 60, of_day % 60)
}

/// Whether XML 1.0 has all of the characters, and a reader gets them as they were written: a carriage return would become a line feed.
pub(crate) fn is_xml(text: &str) -> bool {
    text.chars().all(|c| matches!(c, '\t' | '\n' | ' '..='\u{d7ff}' | '\u{e000}'..='\u{fffd}' | '\u{10000}'..))
}
