//! The manifest's text, from a policy's declarations. For [`crate::policy!`]; authors do not call this.

use alloc::string::String;

use crate::json::{Writer, is_kebab};
use crate::parameter::{Optional, Parameter};
use crate::run::Trigger;
use crate::value::Arg;

/// Whether `text` names the identifier `name`.
#[must_use]
pub fn is_name(text: &[u8], name: &str) -> bool {
    is_kebab(text, name)
}

/// What a parameter without a default is when it is left out.
#[must_use]
pub fn absent<T: Optional>() -> T {
    T::absent()
}

/// Begins a manifest; parameters follow.
#[must_use]
pub fn begin(name: &str, version: &str, topic: &str, doc: &[&str], triggers: &[Trigger], columns: &[&str]) -> Writer {
    let mut out = Writer::default();
    out.open('{').key("name").text(name).key("version").text(version);
    out.key("description").text(&joined(doc)).key("topic").text(topic);
    out.key("triggers").open('[');
    for trigger in triggers {
        out.text(trigger.name);
    }
    out.close(']').key("columns").open('[');
    for column in columns {
        out.text(column);
    }
    out.close(']').key("parameters").open('{').key("type").text("object");
    out.key("additionalProperties").boolean(false).key("properties").open('{');
    out
}

/// One parameter: the first line of its comment is the title, the rest the description.
pub fn parameter<T: Parameter>(
    out: &mut Writer,
    name: &str,
    doc: &[&str],
    default: Option<&T>,
    range: Option<core::ops::RangeInclusive<i64>>,
) {
    out.key(name).open('{').key("title").text(doc.first().map_or("", |line| line.trim()));
    if doc.len() > 1 {
        out.key("description").text(&joined(&doc[1..]));
    }
    T::schema(out, range.map(|r| (*r.start(), *r.end())));
    if let Some(default) = default {
        out.key("default");
        default.write(out);
    }
    out.close('}');
}

/// Ends the parameters and begins the notices.
pub fn notices(out: &mut Writer) {
    out.close('}').close('}').key("notices").open('[');
}

/// Begins a notice.
pub fn notice(out: &mut Writer, name: &str, doc: &[&str]) {
    out.open('{').key("name").kebab(name).key("title").text(&joined(doc));
}

/// A number of the notice.
pub fn arg<T: Arg>(out: &mut Writer, key: &str, name: &str) {
    out.key(key).open('{').key("name").text(name).key("unit").text(T::UNIT).close('}');
}

/// Ends the notices and begins the reasons.
pub fn reasons(out: &mut Writer) {
    out.close(']').key("reasons").open('[');
}

/// A reason.
pub fn reason(out: &mut Writer, name: &str, doc: &[&str]) {
    out.open('{').key("name").kebab(name).key("title").text(&joined(doc)).close('}');
}

/// Ends the reasons, writes the routes, and ends the manifest.
#[must_use]
pub fn routes(mut out: Writer, names: &[&str]) -> String {
    out.close(']').key("routes").open('[');
    for name in names {
        out.kebab(name);
    }
    out.close(']').close('}');
    out.finish()
}

/// The lines of a comment as one text.
fn joined(lines: &[&str]) -> String {
    let mut text = String::new();
    for line in lines.iter().map(|line| line.trim()).filter(|line| !line.is_empty()) {
        // Chinese runs on without a space; Latin does not.
        if text.as_bytes().last().is_some_and(u8::is_ascii) {
            text.push(' ');
        }
        text.push_str(line);
    }
    text
}
