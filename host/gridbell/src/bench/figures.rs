//! The figures that the product promises: what each must be and is to become, and how they are printed.

use std::collections::BTreeMap;

use comfy_table::{CellAlignment, Table, presets};
use serde_json::{Map, Value};

/// One promised figure.
pub(super) struct Figure {
    /// Its key in the JSON object.
    pub(super) key: &'static str,
    /// What it is, for the table.
    what: &'static str,
    must: f64,
    aim: f64,
    better: Better,
}

#[derive(Clone, Copy, PartialEq, Eq)]
enum Better {
    Less,
    More,
}

impl Figure {
    fn met(&self, value: f64, bound: f64) -> bool {
        match self.better {
            Better::Less => value <= bound,
            Better::More => value >= bound,
        }
    }
}

const fn less(key: &'static str, what: &'static str, must: f64, aim: f64) -> Figure {
    Figure { key, what, must, aim, better: Better::Less }
}

const fn more(key: &'static str, what: &'static str, must: f64, aim: f64) -> Figure {
    Figure { key, what, must, aim, better: Better::More }
}

/// Every promised figure, in the order in which it is printed.
pub(super) const FIGURES: [Figure; 29] = [
    less("evaluate.ratio_to_native", "arrears-reminder as a plugin to the same rule in native Rust", 2.7, 1.5),
    more("evaluate.customers_per_s_per_core", "customers decided a second, one core", 40e6, 100e6),
    less("evaluate.province_s", "12.84 M customers, all cores, without interest, s", 0.5, 0.2),
    less("evaluate.province_interest_s", "the same with interest, s", 0.10, 0.03),
    less("guests.c_ratio", "arrears-reminder in C to the Rust plugin", 1.2, 1.0),
    less("guests.go_ratio", "arrears-reminder in Go to the Rust plugin", 4.0, 2.0),
    more("guests.js_customers_per_s", "arrears-reminder in JavaScript, customers a second, one core", 0.3e6, 1e6),
    more("guests.python_customers_per_s", "arrears-reminder in Python, customers a second, one core", 0.2e6, 1e6),
    less("guests.province_s.js", "12.84 M customers in JavaScript with interest, all cores, s", 2.0, 1.0),
    less("guests.province_s.python", "the same in Python, s", 3.0, 1.0),
    less("preview.prefecture_ms", "1.2 M customers, a day, candidate against live policy, ms", 150.0, 40.0),
    less("preview.month_s.rust", "the same over 30 days, s", 2.0, 0.5),
    less("preview.month_s.js", "the same with JavaScript on both sides, s", 6.0, 2.0),
    less("preview.month_s.python", "the same with Python on both sides, s", 10.0, 3.0),
    less("memory.bytes_per_customer", "resident bytes for each further customer", 130.0, 90.0),
    more("import.rows_per_s", "CSV rows a second, durable and in columns", 200e3, 500e3),
    more("load.rows_per_s", "customers a second at start-up, store to ready", 2e6, 4e6),
    more("update.durable_per_s", "single payments a second, 64 writers", 5e3, 30e3),
    more("outbox.messages_per_s", "decisions to rendered, durable messages a second", 50e3, 150e3),
    less("upload.rust_ms", "a plugin of 100 KB, upload to certified, ms", 3000.0, 1000.0),
    more("cmpp.messages_per_s", "outbox to carrier, answers and reports durable, a second", 15e3, 50e3),
    more("dispatch.pacing_used", "share of 100/100/50 granted parts a second that is used", 0.98, 1.0),
    less("dispatch.pacing_over", "parts above a grant in the second with most", 0.0, 0.0),
    more("dispatch.messages_per_s", "outbox to all channels, answers and receipts durable, a second", 15e3, 40e3),
    less("dispatch.event_to_submit_ms_p99", "urgent notice to SUBMIT beside a backlog, ms", 100.0, 20.0),
    less("fallback.untold", "customers told nothing, through refusals, lost receipts and 10 kills", 0.0, 0.0),
    less("fallback.unmarked_twice", "customers told twice of whom no message is marked", 0.0, 0.0),
    less("outage.affected_ms", "a line's customers out of all, transformers to rows, ms", 5.0, 0.5),
    more("topology.import_rows_per_s", "rows of the grid's CSV files a second, durable and in memory", 200e3, 200e3),
];

/// What was measured: promised figures, and others that explain them.
#[derive(Default)]
pub(super) struct Report {
    values: BTreeMap<String, f64>,
    skipped: BTreeMap<String, String>,
    notes: Vec<String>,
}

impl Report {
    /// Keeps a value under its key.
    pub(super) fn set(&mut self, key: &str, value: f64) {
        self.values.insert(key.to_owned(), value);
    }

    /// Keeps the median of `samples`; nothing when there are none.
    pub(super) fn set_median(&mut self, key: &str, samples: &[f64]) {
        if let Some(value) = median(samples) {
            self.set(key, value);
        }
    }

    /// Says why a figure was not measured.
    pub(super) fn skip(&mut self, key: &str, why: String) {
        self.note(format!("{key}: skipped: {why}"));
        self.skipped.insert(key.to_owned(), why);
    }

    /// A sentence for below the table: how something was measured.
    pub(super) fn note(&mut self, text: impl Into<String>) {
        self.notes.push(text.into());
    }

    /// Everything as one JSON object.
    pub(super) fn json(&self) -> Value {
        let mut object: Map<String, Value> =
            self.values.iter().map(|(key, value)| (key.clone(), (*value).into())).collect();
        object.extend(self.skipped.iter().map(|(key, why)| (key.clone(), format!("skipped: {why}").into())));
        object.insert("notes".to_owned(), self.notes.clone().into());
        Value::Object(object)
    }

    /// The table: promised figures with their bounds, then the others, then how they were measured.
    pub(super) fn table(&self) -> String {
        let mut table = Table::new();
        table.load_preset(presets::ASCII_MARKDOWN);
        table.set_header(["figure", "", "value", "must", "aim", "met?"]);
        for figure in &FIGURES {
            let Some(value) = self.values.get(figure.key).copied() else { continue };
            let met = match (figure.met(value, figure.must), figure.met(value, figure.aim)) {
                (_, true) => "aim",
                (true, false) => "must",
                (false, false) => "MISSED",
            };
            table.add_row([
                figure.key.to_owned(),
                figure.what.to_owned(),
                number(value),
                number(figure.must),
                number(figure.aim),
                met.to_owned(),
            ]);
        }
        for (key, value) in &self.values {
            if FIGURES.iter().all(|f| f.key != key) {
                table.add_row([
                    key.clone(),
                    String::new(),
                    number(*value),
                    String::new(),
                    String::new(),
                    String::new(),
                ]);
            }
        }
        for column in 2..5 {
            if let Some(column) = table.column_mut(column) {
                column.set_cell_alignment(CellAlignment::Right);
            }
        }
        let notes: String = self.notes.iter().map(|n| format!("\n· {n}")).collect();
        format!("{table}{notes}")
    }
}

/// The middle one; the upper of two.
pub(super) fn median(samples: &[f64]) -> Option<f64> {
    let mut sorted = samples.to_vec();
    sorted.sort_by(f64::total_cmp);
    sorted.get(sorted.len() / 2).copied()
}

/// Three significant digits, thousands and millions by their letter.
fn number(value: f64) -> String {
    match value.abs() {
        v if v >= 1e9 => format!("{:.2} G", value / 1e9),
        v if v >= 1e6 => format!("{:.2} M", value / 1e6),
        v if v >= 1e4 => format!("{:.1} k", value / 1e3),
        v if v >= 100.0 => format!("{value:.0}"),
        v if v >= 1.0 => format!("{value:.2}"),
        _ => format!("{value:.4}"),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_table_says_what_is_missed_and_json_has_every_key() {
        let mut report = Report::default();
        for figure in &FIGURES {
            report.set(figure.key, if figure.better == Better::Less { 1e12 } else { 0.0 });
        }
        assert_eq!(report.table().matches("MISSED").count(), FIGURES.len());
        let json = report.json();
        assert!(FIGURES.iter().all(|f| json[f.key].is_number()));
    }

    #[test]
    fn a_bound_that_is_just_reached_is_met() {
        let mut report = Report::default();
        report.set("memory.bytes_per_customer", 130.0);
        report.set("import.rows_per_s", 500e3);
        let table = report.table();
        assert!(!table.contains("MISSED") && table.contains("must") && table.contains("aim"), "{table}");
    }

    #[test]
    fn medians() {
        assert_eq!(median(&[3.0, 1.0, 2.0]), Some(2.0));
        assert_eq!(median(&[]), None);
    }
}
