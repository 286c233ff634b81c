//! Values of the registry's columns as people write and read them: yuan, dates, names of traits.

use gridbell_contract::{ColumnDef, Registry};
use gridbell_model::{CivilMinute, Date, Fen};

/// Words for "none".
const NONE: [&str; 4] = ["none", "无", "-", ""];
/// What stands between names of traits in a text.
const BETWEEN_TRAITS: [char; 5] = [',', '，', '、', '|', ' '];

/// The value of column `def` that `text` means: yuan with decimals for money (`"20.00"`), a date (`2026-11-28`), a month (`2026-11`), names of traits
/// (`important prepaid`), a number for everything else; `none` or nothing where the column has a "none".
///
/// # Errors
/// What is wrong, and how it is written.
pub fn parse_value(def: &ColumnDef, text: &str) -> Result<i64, String> {
    let text = text.trim();
    if let Some(none) = def.none
        && NONE.contains(&text)
    {
        return Ok(none);
    }
    let value = match &*def.unit {
        "bits" => traits(text)?,
        unit => parse_unit(unit, text).map_err(|how| format!("`{text}` is no value of `{}`: {how}", def.name))?,
    };
    in_range(def, value)
}

/// The number in `unit` that `text` means.
///
/// # Errors
/// How it is written.
pub(crate) fn parse_unit(unit: &str, text: &str) -> Result<i64, &'static str> {
    match unit {
        "fen" => text.parse::<Fen>().map(|v| v.0).map_err(|_| "write yuan with at most two decimals, such as 20.00"),
        "date" => text.parse::<Date>().map(|v| v.0.into()).map_err(|_| "write a date such as 2026-11-28"),
        "civil-minute" => text.parse::<CivilMinute>().map(|v| v.0).map_err(|_| "write a time such as 2026-11-28 09:00"),
        "yyyymm" => {
            let digits: String = text.chars().filter(char::is_ascii_digit).collect();
            digits.parse().ok().filter(|_| digits.len() == 6).ok_or("write a month such as 2026-11")
        }
        _ => text.parse().map_err(|_| "write a whole number"),
    }
}

/// `value` if the column can hold it.
///
/// # Errors
/// The column's range.
pub(crate) fn in_range(def: &ColumnDef, value: i64) -> Result<i64, String> {
    let (low, high) = def.range;
    if def.none == Some(value) || (low..=high).contains(&value) {
        return Ok(value);
    }
    let shown = |v| show_value(def, v);
    Err(format!("{} is outside what `{}` can hold: {} to {}", shown(value), def.name, shown(low), shown(high)))
}

fn traits(text: &str) -> Result<i64, String> {
    let mut bits = 0;
    for name in text.split(BETWEEN_TRAITS).filter(|name| !name.is_empty()) {
        bits |= trait_bit(name)?;
    }
    Ok(bits)
}

/// The bit of the trait `name`.
pub(crate) fn trait_bit(name: &str) -> Result<i64, String> {
    let all = Registry::get().traits();
    match all.iter().find(|t| t.name == name) {
        Some(t) => Ok(1 << t.bit),
        None => {
            let known: Vec<&str> = all.iter().map(|t| &*t.name).collect();
            Err(format!("there is no trait `{name}`; there are {}", known.join(", ")))
        }
    }
}

/// `value` of column `def` as [`parse_value`] reads it.
#[must_use]
pub fn show_value(def: &ColumnDef, value: i64) -> String {
    if def.none == Some(value) {
        return "none".to_owned();
    }
    if def.unit == "bits" {
        let set = |bit: u8| value >> bit & 1 == 1;
        let names: Vec<&str> = Registry::get().traits().iter().filter(|t| set(t.bit)).map(|t| &*t.name).collect();
        return names.join(" ");
    }
    show_unit(&def.unit, value)
}

/// `value` in `unit`, as a person reads it.
pub(crate) fn show_unit(unit: &str, value: i64) -> String {
    match unit {
        "fen" => Fen(value).yuan(),
        "date" => i32::try_from(value).map_or_else(|_| value.to_string(), |days| Date(days).to_string()),
        "civil-minute" => CivilMinute(value).to_string().replace('T', " "),
        "yyyymm" => format!("{:04}-{:02}", value / 100, value % 100),
        _ => value.to_string(),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_column_reads_what_it_shows() {
        for def in Registry::get().columns() {
            let mut values = vec![def.range.0.max(0)];
            values.extend(def.none);
            values.push(match &*def.unit {
                "bits" => 0b110,
                "yyyymm" => 202_611,
                "date" => 20_000,
                _ => def.range.1.min(120),
            });
            for value in values {
                let shown = show_value(def, value);
                assert_eq!(parse_value(def, &shown), Ok(value), "{} shows {value} as `{shown}`", def.name);
            }
        }
    }

    #[test]
    fn what_is_wrong_is_said_with_the_way_to_write_it() {
        let column = |name: &str| Registry::get().column_named(name).expect("in the registry");
        for (name, text, said) in [
            ("arrears", "20.005", "two decimals"),
            ("arrears", "-1", "outside"),
            ("late-fee-from", "28.11", "2026-11-28"),
            ("traits", "importent", "there is no trait `importent`; there are resident, important"),
            ("reminded-step", "256", "outside"),
        ] {
            let error = parse_value(column(name), text).expect_err(text);
            assert!(error.contains(said), "{error}");
        }
    }
}
