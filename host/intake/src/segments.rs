//! The operator's file of carrier number segments; `policies/segments.toml` is the one that comes with the house.

use gridbell_model::{Carrier, Segments};
use serde::Deserialize;

use crate::error::IntakeError;

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct File {
    carrier: Vec<Entry>,
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields, rename_all = "kebab-case")]
struct Entry {
    name: String,
    segments: Vec<u32>,
    #[serde(default)]
    virtual_operators: Vec<u32>,
}

/// Reads the text of a segments file. Four digits override three, wherever in the file they stand.
///
/// # Errors
/// Not TOML of this shape, a carrier that there is not, a segment that cannot be one, or one given to two carriers.
pub fn read_segments(text: &str) -> Result<Segments, IntakeError> {
    let bad = |reason: String| IntakeError::Segments { reason };
    let file: File = toml::from_str(text).map_err(|e| bad(e.to_string().trim_end().replace('\n', "; ")))?;
    let mut given: Vec<(u32, Carrier)> = Vec::new();
    for entry in file.carrier {
        let carrier: Carrier = entry.name.parse().map_err(|e: gridbell_model::ModelError| bad(e.to_string()))?;
        given.extend(entry.segments.iter().chain(&entry.virtual_operators).map(|s| (*s, carrier)));
    }
    // Shorter ones first, so that longer ones override them.
    given.sort_unstable();
    if let Some(pair) = given.windows(2).find(|p| p[0].0 == p[1].0) {
        return Err(bad(format!("segment `{}` is given to {} and to {}", pair[0].0, pair[0].1, pair[1].1)));
    }
    let mut segments = Segments::NONE;
    for (segment, carrier) in given {
        segments.give(segment, carrier).map_err(|e| bad(e.to_string()))?;
    }
    Ok(segments)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn four_digits_override_three_in_any_order() {
        let s = read_segments(
            "[[carrier]]\nname = \"telecom\"\nsegments = [1349]\n[[carrier]]\nname = \"mobile\"\nsegments = [134]\nvirtual-operators = [165]",
        )
        .unwrap();
        assert_eq!(s.carrier_of(13_491_234_567), Some(Carrier::Telecom));
        assert_eq!(s.carrier_of(13_481_234_567), Some(Carrier::Mobile));
        assert_eq!(s.carrier_of(16_512_345_678), Some(Carrier::Mobile));
    }

    #[test]
    fn a_wrong_file_says_what_is_wrong() {
        for (text, says) in [
            ("[[carrier]]\nname = \"orange\"\nsegments = []", "`orange`"),
            ("[[carrier]]\nname = \"mobile\"\nsegments = [12]", "`12`"),
            (
                "[[carrier]]\nname = \"mobile\"\nsegments = [134]\n[[carrier]]\nname = \"unicom\"\nsegments = [134]",
                "`134`",
            ),
            ("[[carrier]]\nname = 1", "line 2"),
        ] {
            let e = read_segments(text).unwrap_err().to_string();
            assert!(e.contains(says), "{e}");
        }
    }
}
