//! The office's test numbers, to which a pilot's samples go. Personal data of the office's people: whole only in documents that are sealed at rest.

use std::collections::BTreeSet;
use std::fmt;

use gridbell_model::{Moment, Phone, PhoneClass, Segments};
use serde::{Deserialize, Serialize};

use super::{Deployment, Pilot};
use crate::error::HostError;

/// Test numbers of a pilot at most.
pub const MAX_TEST_NUMBERS: usize = 10;
/// For so many days after a pilot's end an answer from its test number is taken for one to a sample: people answer late, and a telephone that was off
/// gets its messages days after.
pub const FORMER_TEST_NUMBER_DAYS: i64 = 30;
/// Former test numbers that a policy's deployment keeps at most; of more, the latest: sixteen pilots with ten numbers each in thirty days.
pub const MAX_FORMER_TEST_NUMBERS: usize = 160;

/// A test number of a pilot that has ended.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct FormerTestNumber {
    /// The number.
    pub number: TestNumber,
    /// When its pilot ended.
    pub ended: Moment,
}

impl FormerTestNumber {
    /// Whether what it answers at `now` is about samples still.
    fn counts(&self, now: Moment) -> bool {
        now < self.ended.plus_ms(FORMER_TEST_NUMBER_DAYS * 86_400_000)
    }
}

/// The test numbers that `old` had and `pilot` has no more, the latest first.
pub(super) fn former(old: &Deployment, pilot: Option<&Pilot>, now: Moment) -> Vec<FormerTestNumber> {
    let has = |number: TestNumber| pilot.is_some_and(|p| p.test_numbers.contains(&number));
    let ends = old.pilot.iter().flat_map(|p| &p.test_numbers).map(|n| FormerTestNumber { number: *n, ended: now });
    let mut kept: Vec<FormerTestNumber> = ends.filter(|f| !has(f.number)).collect();
    for before in old.former_test_numbers.iter().filter(|f| f.counts(now) && !has(f.number)) {
        if kept.iter().all(|f| f.number != before.number) {
            kept.push(*before);
        }
    }
    kept.truncate(MAX_FORMER_TEST_NUMBERS);
    kept
}

/// Whether what `number` answers at `now` is about samples of `deployment`'s pilot, or of one that ended not long ago.
pub(super) fn answers(deployment: &Deployment, number: u64, now: Moment) -> bool {
    let is = |n: &TestNumber| n.phone().number() == number;
    deployment.pilot.iter().flat_map(|p| &p.test_numbers).any(is)
        || deployment.former_test_numbers.iter().any(|f| is(&f.number) && f.counts(now))
}

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
                *field = if name.ends_with("test_numbers") { mask_all(old) } else { masked(old) };
            }
        }
        serde_json::Value::Array(items) => {
            items.iter_mut().for_each(|item| *item = masked(std::mem::take(item)));
        }
        _ => {}
    }
    value
}

/// Nothing but strings is kept of a list of numbers, each masked: what is not a number there is nobody's to see either.
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

    fn deployment(numbers: &[&str]) -> Deployment {
        let test_numbers = numbers.iter().map(|n| TestNumber::try_from((*n).to_owned()).unwrap()).collect();
        let pilot = Pilot { digest: "d".into(), stations: Vec::new(), test_numbers };
        let pilot = Some(pilot).filter(|p| !p.test_numbers.is_empty());
        Deployment { pilot, ..Deployment::of("l", "li", Moment::from_unix_ms(0), "试验") }
    }

    #[test]
    fn a_former_number_counts_for_thirty_days_after_its_last_pilot_and_few_are_kept() {
        let day = |n: i64| Moment::from_unix_ms(n * 86_400_000);
        let (one, other) = ("13800000001", "13800000002");
        let of = |n: &str| Phone::from_text(n).number();
        let follow = |old: &Deployment, numbers: &[&str], now| {
            let mut new = deployment(numbers);
            new.remember_numbers(old, now);
            new
        };
        let first = deployment(&[one, other]);
        let second = follow(&first, &[other], day(1));
        assert!(answers(&second, of(one), day(30)) && !answers(&second, of(one), day(31)));
        assert!(answers(&second, of(other), day(400)), "it is a pilot's now");
        let third = follow(&second, &[], day(10));
        assert!(answers(&third, of(one), day(30)) && answers(&third, of(other), day(39)));
        assert!(!answers(&third, of(one), day(31)) && !answers(&third, of(other), day(40)));
        let again = follow(&third, &[one], day(20));
        assert_eq!(again.former_test_numbers.len(), 1, "{again:?}");
        assert_eq!(follow(&again, &[], day(60)).former_test_numbers.len(), 1, "what is over is dropped");
        let mut many = deployment(&[]);
        for n in 0..40 {
            let numbers: Vec<String> = (0..10).map(|i| format!("139{:08}", n * 10 + i)).collect();
            let numbers: Vec<&str> = numbers.iter().map(String::as_str).collect();
            many = follow(&many, &numbers, day(0));
        }
        assert_eq!(many.former_test_numbers.len(), MAX_FORMER_TEST_NUMBERS);
        assert!(answers(&many, 13_900_000_381, day(1)) && !answers(&many, 13_900_000_001, day(1)));
    }

    #[test]
    fn deployments_from_before_there_were_test_numbers_read() {
        let written = serde_json::json!({
            "live": "a", "last_good": null, "shadows": ["s"], "canary": { "digest": "c", "percent": 5 },
            "pilot": { "digest": "p", "stations": [140_100_502] }, "by": "li", "at": 1_795_000_000_000_i64, "why": "试点",
        });
        let read: Deployment = serde_json::from_value(written.clone()).unwrap();
        assert!(read.former_test_numbers.is_empty() && read.pilot.as_ref().is_some_and(|p| p.test_numbers.is_empty()));
        assert_eq!(serde_json::to_value(&read).unwrap(), written, "without numbers it is written as it was");
    }
}
