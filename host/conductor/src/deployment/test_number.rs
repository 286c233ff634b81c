//! The office's test numbers, to which a pilot's samples go. Personal data of the office's people: whole only in documents that are sealed at rest.

use std::collections::BTreeSet;
use std::fmt;

use gridbell_model::{Phone, PhoneClass, Segments};
use serde::{Deserialize, Serialize};

use crate::error::HostError;

/// Test numbers of a pilot at most.
pub const MAX_TEST_NUMBERS: usize = 10;

/// A mobile number of the office's. Shows itself masked; written to a document it is whole.
#[derive(Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(try_from = "String", into = "String")]
pub struct TestNumber(Phone);

impl TestNumber {
    /// The number to send to.
    pub(crate) fn phone(self) -> Phone {
        self.0
    }
}

impl TryFrom<String> for TestNumber {
    type Error = String;

    fn try_from(text: String) -> Result<Self, String> {
        let phone = Phone::from_text(&text);
        let mobile = phone.class() == PhoneClass::Mobile;
        let shown = gridbell_model::mask_digits(&text.chars().take(20).collect::<String>());
        mobile.then_some(Self(phone)).ok_or_else(|| format!("`{shown}` is no mobile number: 11 digits, as 13800001234"))
    }
}

impl From<TestNumber> for String {
    fn from(number: TestNumber) -> Self {
        number.0.expose()
    }
}

impl fmt::Display for TestNumber {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        fmt::Display::fmt(&self.0, f)
    }
}

impl fmt::Debug for TestNumber {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        fmt::Display::fmt(self, f)
    }
}

/// What a pilot may have: none, so that nothing is sampled, or up to [`MAX_TEST_NUMBERS`] different ones of known carriers.
pub(super) fn check(numbers: &[TestNumber], segments: &Segments) -> Result<(), HostError> {
    if numbers.len() > MAX_TEST_NUMBERS {
        let text = format!("a pilot has {MAX_TEST_NUMBERS} test numbers at most, not {}", numbers.len());
        return Err(HostError::Invalid(text));
    }
    let mut seen = BTreeSet::new();
    for number in numbers {
        if !seen.insert(number.0.number()) {
            return Err(HostError::Invalid(format!("test number `{number}` is named twice")));
        }
        if segments.carrier_of(number.0.number()).is_none() {
            let text = format!("test number `{number}` is in no number segment that is loaded: no link would take it");
            return Err(HostError::Invalid(text));
        }
    }
    Ok(())
}

/// `value` with the test numbers that it holds anywhere under `test_numbers` masked: for the audit log and for whoever reads a proposal.
pub(crate) fn masked(mut value: serde_json::Value) -> serde_json::Value {
    match &mut value {
        serde_json::Value::Object(fields) => {
            for (name, field) in fields.iter_mut() {
                let old = std::mem::take(field);
                *field = if name == "test_numbers" { mask_all(old) } else { masked(old) };
            }
        }
        serde_json::Value::Array(items) => {
            items.iter_mut().for_each(|item| *item = masked(std::mem::take(item)));
        }
        _ => {}
    }
    value
}

fn mask_all(numbers: serde_json::Value) -> serde_json::Value {
    let serde_json::Value::Array(numbers) = numbers else { return serde_json::Value::Null };
    numbers.iter().map(|n| gridbell_model::mask_digits(n.as_str().unwrap_or_default())).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_test_number_is_whole_in_its_document_and_masked_everywhere_else() {
        let number: TestNumber = serde_json::from_str("\"138 0000-1234\"").unwrap();
        assert_eq!(serde_json::to_string(&number).unwrap(), "\"13800001234\"");
        assert_eq!(format!("{number} {number:?}"), "138****1234 138****1234");
        let shown = masked(serde_json::json!({ "change": { "stations": [1], "test_numbers": [number] } }));
        assert_eq!(shown, serde_json::json!({ "change": { "stations": [1], "test_numbers": ["138****1234"] } }));
        for wrong in ["03511234567", "", "1380000123", "138000012345", "abc"] {
            let refused = serde_json::from_value::<TestNumber>(serde_json::json!(wrong)).unwrap_err().to_string();
            assert!(refused.contains("no mobile number"), "{refused}");
        }
    }
}
