//! Texts for platforms that keep the wording themselves: WeChat's and Alipay's messages name a template of theirs and fill its fields. Here such a
//! text is lines, so that a person reads it, a reviewer compares it and the record of years ago says what was said:
//!
//! ```text
//! template: OPENTM412543817
//! url: https://example.cn/bill
//! first: 您好，您有一笔电费待缴纳
//! keyword1: {{ amount }} 元
//! ```

use gridbell_model::Channel;

/// The longest name of a template or a field, in bytes.
const MAX_NAME: usize = 64;
/// Most fields of a text; the platforms' templates have fewer than twenty.
const MAX_FIELDS: usize = 20;

/// A text for a platform, taken apart.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct PlatformText<'t> {
    /// The platform's name for its template.
    pub template: &'t str,
    /// Where a tap leads; empty for nowhere.
    pub url: &'t str,
    /// Its fields with what they say, in the order of the lines.
    pub fields: Vec<(&'t str, String)>,
}

/// Why a text is none for a platform, and at which byte.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct NoPlatformText {
    pub(crate) offset: usize,
    pub(crate) message: String,
}

/// Whether texts for `channel` are of this form.
pub(crate) fn is_for(channel: Channel) -> bool {
    channel.is_platform()
}

impl<'t> PlatformText<'t> {
    /// Takes a rendered text apart; none if it is not of this form. A line without a field's name goes on with the field before it.
    #[must_use]
    pub fn parse(text: &'t str) -> Option<Self> {
        let mut lines = text.lines();
        let template = lines.next()?.strip_prefix("template: ").filter(|name| is_name(name))?;
        let mut read = Self { template, url: "", fields: Vec::new() };
        for line in lines {
            match (line.split_once(": "), read.fields.last_mut()) {
                (Some(("url", url)), None) => read.url = url,
                (Some((name, value)), _) if is_name(name) => read.fields.push((name, value.to_owned())),
                (_, Some((_, value))) => {
                    value.push('\n');
                    value.push_str(line);
                }
                (_, None) => return None,
            }
        }
        (!read.fields.is_empty()).then_some(read)
    }

    /// Checks a text as it is written, tags and all.
    pub(crate) fn check(text: &str) -> Result<(), NoPlatformText> {
        let (mut offset, mut names) = (0, Vec::new());
        for (n, line) in text.split('\n').enumerate() {
            let bad = |message: &str| Err(NoPlatformText { offset, message: message.to_owned() });
            let Some((name, value)) =
                line.split_once(": ").filter(|(name, value)| is_name(name) && !value.trim().is_empty())
            else {
                return bad("a line is a field's name, a colon, a space and what it says, as `keyword1: {{ amount }}`");
            };
            match (n, name) {
                (0, "template") if is_name(value) => {}
                (0, _) => return bad("the first line names the platform's template, as `template: OPENTM412543817`"),
                (1, "url") if value.starts_with("https://") && !value.contains(char::is_whitespace) => {}
                (1, "url") => return bad("an address is `https://` and has no spaces"),
                (_, "url" | "template") => {
                    return bad("`template` stands in the first line and `url`, if any, in the second");
                }
                _ if names.contains(&name) => return bad("this field stands above already"),
                _ if names.len() == MAX_FIELDS => return bad("a text has at most 20 fields"),
                _ => names.push(name),
            }
            offset += line.len() + 1;
        }
        if names.is_empty() {
            return Err(NoPlatformText { offset: text.len(), message: "the text fills no field".to_owned() });
        }
        Ok(())
    }
}

fn is_name(name: &str) -> bool {
    (1..=MAX_NAME).contains(&name.len()) && name.bytes().all(|b| b.is_ascii_alphanumeric() || matches!(b, b'_' | b'-'))
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    const TEXT: &str =
        "template: OPENTM412543817\nurl: https://example.cn/bill\nfirst: 您好\nkeyword1: {{ amount }} 元";

    #[test]
    fn a_text_is_its_template_its_address_and_its_fields() {
        PlatformText::check(TEXT).unwrap();
        let rendered = TEXT.replace("{{ amount }}", "12.30");
        let read = PlatformText::parse(&rendered).unwrap();
        assert_eq!((read.template, read.url), ("OPENTM412543817", "https://example.cn/bill"));
        assert_eq!(read.fields, [("first", "您好".to_owned()), ("keyword1", "12.30 元".to_owned())]);
    }

    #[test]
    fn what_is_no_such_text_is_refused_at_its_line() {
        for (text, offset, words) in [
            ("您好，您有电费待缴", 0, "a field's name"),
            ("first: 您好", 0, "names the platform's template"),
            ("template: A B\nfirst: 您好", 0, "names the platform's template"),
            ("template: A", 11, "fills no field"),
            ("template: A\nurl: http://x\nfirst: 1", 12, "https://"),
            ("template: A\nfirst: 1\nurl: https://x", 21, "in the second"),
            ("template: A\nfirst: 1\nfirst: 2", 21, "above already"),
            ("template: A\n{% if months_owed > 1 %}\nfirst: 2{% endif %}", 12, "a field's name"),
            ("template: A\nfirst: ", 12, "a field's name"),
        ] {
            let refused = PlatformText::check(text).unwrap_err();
            assert!(refused.offset == offset && refused.message.contains(words), "{text:?}: {refused:?}");
        }
    }

    proptest! {
        #[test]
        fn any_values_are_found_again(values in proptest::collection::vec("[^\n\r]{1,20}", 1..6)) {
            let lines: Vec<String> = values.iter().enumerate().map(|(n, v)| format!("\nkeyword{n}: {v}")).collect();
            let text = format!("template: T-1{}", lines.concat());
            let read = PlatformText::parse(&text).unwrap();
            prop_assert_eq!(read.fields.into_iter().map(|(_, v)| v).collect::<Vec<_>>(), values);
        }

        #[test]
        fn any_text_is_read_or_not(text in ".{0,80}") {
            let _ = (PlatformText::parse(&text), PlatformText::check(&text));
        }
    }
}
