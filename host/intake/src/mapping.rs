//! The mapping file: for a utility whose headers we do not know.
//!
//! ```toml
//! [customers]
//! account = "用户标识"
//! phone = ["首选电话", "备用电话"] # the first of them that the file has
//! ```

use std::collections::BTreeMap;

use serde::Deserialize;

use crate::error::IntakeError;
use crate::field::Kind;

/// Which of the file's headers is which of our fields; by kind of file.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Mapping(BTreeMap<(&'static str, &'static str), Vec<String>>);

#[derive(Deserialize)]
#[serde(untagged)]
enum Headers {
    One(String),
    Several(Vec<String>),
}

impl Mapping {
    /// Reads a mapping file's text.
    ///
    /// # Errors
    /// Not TOML of this shape, or a table or field that there is not.
    pub fn parse(text: &str) -> Result<Self, IntakeError> {
        let tables: BTreeMap<String, BTreeMap<String, Headers>> = toml::from_str(text)
            .map_err(|e| IntakeError::Mapping { reason: e.to_string().trim_end().replace('\n', "; ") })?;
        let mut map = BTreeMap::new();
        for (table, fields) in tables {
            let kind: Kind = table
                .parse()
                .map_err(|e: gridbell_model::ModelError| IntakeError::Mapping { reason: e.to_string() })?;
            for (field, headers) in fields {
                let Some(spec) = kind.fields().iter().find(|f| f.name == field) else {
                    return Err(IntakeError::MappingField {
                        kind,
                        field,
                        known: kind.fields().iter().map(|f| f.name).collect::<Vec<_>>().join(", "),
                    });
                };
                let headers = match headers {
                    Headers::One(h) => vec![h],
                    Headers::Several(hs) => hs,
                };
                map.insert((kind.word(), spec.name), headers);
            }
        }
        Ok(Self(map))
    }

    /// The headers given for a field.
    pub(crate) fn headers(&self, kind: Kind, field: &str) -> Option<&[String]> {
        self.0.iter().find(|((k, f), _)| *k == kind.word() && *f == field).map(|(_, headers)| headers.as_slice())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_mapping_names_our_field_and_their_header() {
        let m = Mapping::parse("[bills]\naccount = \"标识\"\namount = [\"甲\", \"乙\"]\n").unwrap();
        assert_eq!(m.headers(Kind::Bills, "amount").unwrap(), ["甲", "乙"]);
        assert_eq!(m.headers(Kind::Payments, "amount"), None);
        let e = Mapping::parse("[bills]\namont = \"x\"").unwrap_err().to_string();
        assert!(e.contains("`amont`") && e.contains("late-fee-from"), "{e}");
        let e = Mapping::parse("[bill]\namount = \"x\"").unwrap_err().to_string();
        assert!(e.contains("`bill`") && e.contains("payments"), "{e}");
        assert!(Mapping::parse("[bills]\naccount = 3").unwrap_err().to_string().contains("line 2"));
    }
}
