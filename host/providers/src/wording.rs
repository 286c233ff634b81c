//! From a text as the host says it to a platform's own template with its values: Aliyun sends nothing but templates that it has approved, the host's SMS
//! are whole texts that any link may take. It must never send a text that is not one of the templates to the letter, nor show a value.

use std::sync::Arc;

use regex::Regex;
use serde::{Deserialize, Serialize};

/// The most templates of an account.
pub const MAX_TEMPLATES: usize = 256;
/// The most characters of a template's text, as Aliyun has it.
const MAX_TEXT: usize = 500;
/// The most variables of a template.
const MAX_VARIABLES: usize = 30;

/// A template as the platform approved it.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case", deny_unknown_fields)]
pub struct TemplateConfig {
    /// The platform's name for it, as `SMS_154950909`.
    pub code: String,
    /// Its text to the letter, with `${name}` for what is filled in, without signature.
    pub text: String,
}

/// A template of the platform's, and what is filled into it.
pub(crate) type Filled = (Arc<str>, Vec<(Arc<str>, String)>);

/// What a text is held against.
#[derive(Debug)]
struct Wording {
    code: Arc<str>,
    names: Vec<Arc<str>>,
    pattern: Regex,
}

/// All templates of an account.
#[derive(Debug)]
pub(crate) struct Wordings {
    /// What every text begins with, and the platform adds by itself.
    signature: String,
    list: Vec<Wording>,
}

impl Wordings {
    /// Reads the templates of an account with this signature.
    ///
    /// # Errors
    /// What is wrong with the first that cannot be, with its code.
    pub(crate) fn read(sign_name: &str, templates: &[TemplateConfig]) -> Result<Self, String> {
        if templates.len() > MAX_TEMPLATES {
            return Err(format!("has more than {MAX_TEMPLATES} templates"));
        }
        let mut list: Vec<Wording> = Vec::new();
        for template in templates {
            let wrong = |why: String| format!("has the template `{}`, which {why}", template.code);
            if template.code.is_empty() || list.iter().any(|known| *known.code == *template.code) {
                return Err(wrong("has no code, or one that stands above already".to_owned()));
            }
            list.push(Wording::read(template).map_err(wrong)?);
        }
        Ok(Self { signature: format!("【{sign_name}】"), list })
    }

    /// The first template that `text` is, with its values; none where it is none of them or has another signature.
    pub(crate) fn fill(&self, text: &str) -> Option<Filled> {
        let said = text.strip_prefix(&self.signature)?;
        self.list.iter().find_map(|wording| {
            let found = wording.pattern.captures(said)?;
            let value = |(n, name): (usize, &Arc<str>)| Some((Arc::clone(name), found.get(n + 1)?.as_str().to_owned()));
            Some((Arc::clone(&wording.code), wording.names.iter().enumerate().map(value).collect::<Option<_>>()?))
        })
    }
}

impl Wording {
    fn read(template: &TemplateConfig) -> Result<Self, String> {
        if template.text.chars().count() > MAX_TEXT {
            return Err(format!("has more than {MAX_TEXT} characters"));
        }
        let (mut names, mut pattern, mut rest) = (Vec::<Arc<str>>::new(), String::from("^"), template.text.as_str());
        while let Some((before, after)) = rest.split_once("${") {
            let (name, next) = after.split_once('}').ok_or("has `${` without `}`")?;
            let is_name = |c: char| c.is_ascii_alphanumeric() || c == '_';
            if name.is_empty() || !name.chars().all(is_name) {
                return Err(format!("has `${{{name}}}`: write letters, digits and `_` there"));
            }
            if names.iter().any(|known| **known == *name) {
                return Err(format!("has `${{{name}}}` twice: which value would it be"));
            }
            if before.is_empty() && !names.is_empty() {
                return Err(format!("has `${{{name}}}` right behind another: nothing says where one ends"));
            }
            pattern += &format!("{}(.+?)", regex::escape(before));
            names.push(name.into());
            rest = next;
        }
        if names.len() > MAX_VARIABLES {
            return Err(format!("has more than {MAX_VARIABLES} variables"));
        }
        pattern += &format!("{}$", regex::escape(rest));
        let pattern = Regex::new(&pattern).map_err(|error| format!("cannot be read: {error}"))?;
        Ok(Self { code: template.code.as_str().into(), names, pattern })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn wordings(texts: &[(&str, &str)]) -> Result<Wordings, String> {
        let template = |(code, text): &(&str, &str)| TemplateConfig { code: (*code).into(), text: (*text).into() };
        Wordings::read("国网山西电力", &texts.iter().map(template).collect::<Vec<_>>())
    }

    #[test]
    fn a_text_is_a_template_to_the_letter_or_none() {
        let known = wordings(&[
            ("SMS_1", "您好！户号尾号${tail}有电费${amount}元待缴，${day}起计违约金。"),
            ("SMS_2", "您好！户号尾号${tail}已缴清（谢谢）。"),
        ])
        .unwrap();
        let (code, values) =
            known.fill("【国网山西电力】您好！户号尾号0007有电费128.50元待缴，11月28日起计违约金。").unwrap();
        let shown: Vec<_> = values.iter().map(|(name, value)| (&**name, value.as_str())).collect();
        assert_eq!((&*code, shown), ("SMS_1", vec![("tail", "0007"), ("amount", "128.50"), ("day", "11月28日")]));
        assert_eq!(&*known.fill("【国网山西电力】您好！户号尾号0007已缴清（谢谢）。").unwrap().0, "SMS_2");
        for other in [
            "您好！户号尾号0007已缴清（谢谢）。",
            "【别家】您好！户号尾号0007已缴清（谢谢）。",
            "【国网山西电力】您好！户号尾号0007已缴清（谢谢）。退订回T",
            "【国网山西电力】您好！户号尾号已缴清（谢谢）。",
            "【国网山西电力】",
        ] {
            assert!(known.fill(other).is_none(), "{other}");
        }
    }

    #[test]
    fn what_cannot_be_a_template_is_named() {
        for (text, says) in [
            ("您好${a", "without `}`"),
            ("您好${金额}元", "`${金额}`"),
            ("您好${a}和${a}", "twice"),
            ("您好${a}${b}", "right behind"),
            (&"长".repeat(501), "500 characters"),
        ] {
            let error = wordings(&[("SMS_1", text)]).unwrap_err();
            assert!(error.contains(says) && error.contains("`SMS_1`"), "{error}");
        }
        assert!(wordings(&[("SMS_1", "a"), ("SMS_1", "b")]).unwrap_err().contains("stands above"));
    }
}
