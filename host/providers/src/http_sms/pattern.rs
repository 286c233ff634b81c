//! Texts with names in braces, as a mapping has them.

use std::fmt::Write;

/// The most octets of a pattern.
const MAX_PATTERN: usize = 1024;

/// What a pattern may name.
pub(super) struct Known<'a> {
    pub(super) account: &'a str,
    pub(super) secret: &'a str,
    pub(super) phone: &'a str,
    pub(super) text: &'a str,
    pub(super) sender: &'a str,
    pub(super) id: &'a str,
    pub(super) time: &'a str,
    pub(super) sign: String,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Name {
    Account,
    Secret,
    Phone,
    Text,
    Sender,
    Id,
    Time,
    Sign,
}

#[derive(Clone, Debug, PartialEq, Eq)]
enum Piece {
    Fixed(String),
    Of(Name),
}

/// A pattern, read once.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) struct Pattern(Vec<Piece>);

impl Pattern {
    /// Reads a pattern: of a field, which may name the signature, or of what is signed, which may name the secret.
    pub(super) fn read(text: &str, field: bool) -> Result<Self, String> {
        if text.len() > MAX_PATTERN {
            return Err(format!("has a pattern longer than {MAX_PATTERN} octets"));
        }
        let (mut pieces, mut rest) = (Vec::new(), text);
        while let Some(open) = rest.find('{') {
            if open > 0 {
                pieces.push(Piece::Fixed(rest[..open].to_owned()));
            }
            let Some(close) = rest[open..].find('}') else {
                return Err("has a `{` without its `}`".to_owned());
            };
            pieces.push(Piece::Of(name(&rest[open + 1..open + close], field)?));
            rest = &rest[open + close + 1..];
        }
        if !rest.is_empty() {
            pieces.push(Piece::Fixed(rest.to_owned()));
        }
        Ok(Self(pieces))
    }

    pub(super) fn fill(&self, known: &Known<'_>) -> String {
        let mut filled = String::new();
        for piece in &self.0 {
            let text = match piece {
                Piece::Fixed(text) => text,
                Piece::Of(Name::Account) => known.account,
                Piece::Of(Name::Secret) => known.secret,
                Piece::Of(Name::Phone) => known.phone,
                Piece::Of(Name::Text) => known.text,
                Piece::Of(Name::Sender) => known.sender,
                Piece::Of(Name::Id) => known.id,
                Piece::Of(Name::Time) => known.time,
                Piece::Of(Name::Sign) => &known.sign,
            };
            // Writing to a String cannot fail.
            let _ = filled.write_str(text);
        }
        filled
    }
}

fn name(text: &str, field: bool) -> Result<Name, String> {
    Ok(match text {
        "account" => Name::Account,
        "phone" => Name::Phone,
        "text" => Name::Text,
        "sender" => Name::Sender,
        "id" => Name::Id,
        "time" => Name::Time,
        "sign" if field => Name::Sign,
        "secret" if !field => Name::Secret,
        other => {
            let own = if field { "sign" } else { "secret" };
            let shown: String = other.chars().take(40).collect();
            return Err(format!(
                "names `{{{shown}}}`: write {{account}}, {{phone}}, {{text}}, {{sender}}, {{id}}, {{time}} or {{{own}}}"
            ));
        }
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn names_are_filled_once_and_what_is_filled_in_is_not_read_again() {
        let known = Known {
            account: "acc",
            secret: "s",
            phone: "13800001234",
            text: "{secret}",
            sender: "95598",
            id: "1",
            time: "9",
            sign: "x".into(),
        };
        let fill = |text, field| Pattern::read(text, field).unwrap().fill(&known);
        assert_eq!(fill("{account}:{text}:{sign}", true), "acc:{secret}:x");
        assert_eq!(fill("{account}{secret}{time}", false), "accs9");
        assert_eq!(fill("86{phone}", true), "8613800001234");
        for (text, field) in [("{secret}", true), ("{sign}", false), ("{nothing}", true), ("{text", true)] {
            assert!(Pattern::read(text, field).is_err(), "{text}");
        }
    }
}
