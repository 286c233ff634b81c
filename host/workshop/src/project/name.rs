//! Names of projects: a plugin's name in kebab case, and the forms that languages need of it.

use crate::error::WorkshopError;

/// The name that templates have.
const TEMPLATE: &str = "my-policy";
/// As in `wit/manifest.schema.json`.
const MAX_CHARS: usize = 63;
/// Words that a compiler has another use for, or that would stand for a library of its own.
const TAKEN: [&str; 60] = [
    "abstract",
    "alloc",
    "as",
    "async",
    "await",
    "become",
    "box",
    "break",
    "const",
    "continue",
    "core",
    "crate",
    "def",
    "del",
    "do",
    "dyn",
    "elif",
    "else",
    "enum",
    "except",
    "extern",
    "false",
    "final",
    "fn",
    "for",
    "func",
    "function",
    "go",
    "gridbell",
    "gridbell-plugin",
    "if",
    "impl",
    "import",
    "in",
    "int",
    "let",
    "loop",
    "macro",
    "main",
    "match",
    "mod",
    "move",
    "mut",
    "null",
    "override",
    "package",
    "pass",
    "priv",
    "proc-macro",
    "pub",
    "ref",
    "return",
    "self",
    "static",
    "std",
    "struct",
    "test",
    "try",
    "type",
    "use",
];

/// A plugin's name, fit for every language.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct Name(String);

impl Name {
    /// Reads `text`.
    pub(super) fn parse(text: &str) -> Result<Self, WorkshopError> {
        let refuse = |why: &str| Err(WorkshopError::Name { name: text.to_owned(), why: why.to_owned() });
        if text.is_empty() || text.len() > MAX_CHARS {
            return refuse("it has 1 to 63 characters");
        }
        if !text.starts_with(|c: char| c.is_ascii_lowercase()) {
            return refuse("it begins with a letter from a to z, such as `arrears-reminder`");
        }
        if let Some(c) = text.chars().find(|c| !(c.is_ascii_lowercase() || c.is_ascii_digit() || *c == '-')) {
            return refuse(&format!("`{c}` cannot be in it; letters from a to z, digits and `-` can"));
        }
        if text.ends_with('-') || text.contains("--") {
            return refuse("`-` stands between two words");
        }
        if TAKEN.contains(&text) {
            return refuse("compilers have another use for that word; add one more");
        }
        Ok(Self(text.to_owned()))
    }

    pub(super) fn kebab(&self) -> &str {
        &self.0
    }

    /// `my_policy`.
    pub(super) fn snake(&self) -> String {
        self.0.replace('-', "_")
    }

    /// `MyPolicy`.
    fn pascal(&self) -> String {
        let upper = |word: &str| word[..1].to_ascii_uppercase() + &word[1..];
        self.0.split('-').map(upper).collect()
    }

    /// The text of a template with this name in it.
    pub(super) fn fill(&self, template: &str) -> String {
        let named = Self(TEMPLATE.to_owned());
        template
            .replace(TEMPLATE, &self.0)
            .replace(&named.snake(), &self.snake())
            .replace(&named.pascal(), &self.pascal())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn names_are_those_of_manifests() {
        for good in ["a", "arrears-reminder", "tou-7", &"x".repeat(63)] {
            assert!(Name::parse(good).is_ok(), "{good}");
        }
        for bad in ["", "7a", "-a", "a-", "a--b", "A", "a_b", "a/b", "..", "催缴", "fn", "test", &"x".repeat(64)] {
            assert!(Name::parse(bad).is_err(), "{bad}");
        }
    }

    #[test]
    fn a_template_takes_the_name_in_each_of_its_forms() {
        let name = Name::parse("tou-bill-2").unwrap();
        assert_eq!(name.fill("my-policy my_policy MyPolicy mypolicy"), "tou-bill-2 tou_bill_2 TouBill2 mypolicy");
    }
}
