//! What goes in: the exported CSV files, and the TOML files of province and cities.

use std::collections::{BTreeMap, HashMap};
use std::path::Path;

use serde::Deserialize;

use super::calendar::{Calendar, date, minute};

/// A row of a CSV file by its headers.
pub(super) type Row = HashMap<String, String>;

/// Everything from which a day follows.
pub struct Inputs {
    pub(super) customers: Vec<Row>,
    pub(super) bills: Vec<BillRow>,
    pub(super) balances: Vec<Row>,
    /// Known in the morning.
    pub(super) payments: Vec<PaymentRow>,
    /// In the order in which they come in, each with the minute.
    pub(super) day_payments: Vec<(i64, PaymentRow)>,
    /// Names of org units by code.
    pub(super) units: HashMap<String, String>,
    pub(super) province: Province,
    pub(super) calendar: Calendar,
    /// Topic and notice to text.
    pub(super) texts: HashMap<(String, String), String>,
    /// The same for the text that several accounts share.
    pub(super) merged: HashMap<(String, String), String>,
    /// Carrier by the first four digits.
    pub(super) segments: HashMap<u64, String>,
    /// By prefecture, in the order of the file.
    pub(super) policies: BTreeMap<u32, Vec<Policy>>,
}

pub(super) struct BillRow {
    pub(super) account: String,
    pub(super) period: u32,
    pub(super) amount: i64,
    pub(super) kwh: i64,
    pub(super) issued: i64,
    pub(super) late_fee_from: i64,
    pub(super) as_of: i64,
}

pub(super) struct PaymentRow {
    pub(super) account: String,
    /// Negative for a reversal.
    pub(super) amount: i64,
    pub(super) paid_on: i64,
}

#[derive(Deserialize)]
pub(super) struct Province {
    pub(super) signature: String,
    pub(super) hotline: String,
    pub(super) senders: HashMap<String, String>,
    pub(super) topic: HashMap<String, Topic>,
    pub(super) class: HashMap<String, Class>,
    pub(super) blast_radius: BlastRadius,
}

#[derive(Deserialize)]
pub(super) struct Topic {
    pub(super) class: String,
    pub(super) freshness_days: Option<i64>,
    pub(super) validity_minutes: i64,
}

#[derive(Deserialize)]
pub(super) struct Class {
    pub(super) quiet: Option<String>,
    pub(super) per_customer: Option<u32>,
    pub(super) per_phone: Option<u32>,
}

#[derive(Deserialize)]
pub(super) struct BlastRadius {
    pub(super) floor: usize,
}

#[derive(Deserialize)]
struct CityFile {
    prefecture: u32,
    policy: Vec<Policy>,
}

/// What the shipped files say of a policy. Whatever else could be said of one stops the reading.
#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
pub(super) struct Policy {
    pub(super) name: String,
    #[serde(rename = "title")]
    _title: String,
    pub(super) plugin: String,
    #[serde(rename = "version")]
    _version: String,
    pub(super) topic: String,
    #[serde(default)]
    pub(super) events: Vec<String>,
    pub(super) windows: Vec<String>,
    pub(super) days: Option<String>,
    #[serde(default)]
    pub(super) caps: Caps,
    pub(super) validity_minutes: Option<i64>,
    pub(super) freshness_days: Option<i64>,
    pub(super) cost_per_part_milli_fen: i64,
    #[serde(rename = "routes")]
    _routes: SmsOnly,
    pub(super) ceiling: usize,
    #[serde(rename = "lane")]
    _lane: String,
    pub(super) parameters: toml::Table,
    #[serde(default)]
    pub(super) schedule: Vec<Schedule>,
}

#[derive(Deserialize, Default)]
#[serde(deny_unknown_fields)]
pub(super) struct Caps {
    pub(super) per_customer: Option<u32>,
    pub(super) per_phone: Option<u32>,
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct SmsOnly {
    #[serde(rename = "sms")]
    _sms: [SmsHop; 1],
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct SmsHop {
    #[serde(rename = "channel")]
    _channel: Sms,
}

#[derive(Deserialize)]
#[serde(rename_all = "lowercase")]
enum Sms {
    Sms,
}

#[derive(Deserialize)]
pub(super) struct Schedule {
    pub(super) name: String,
    pub(super) cron: String,
}

impl Schedule {
    /// Whether it is due at the minute of the day on the weekday. Fields as the shipped files use them: numbers, `*`, and `1-5` for weekdays.
    pub(super) fn is_due(&self, of_day: i64, weekday: i64) -> bool {
        let fields: Vec<&str> = self.cron.split(' ').collect();
        let [minute, hour, "*", "*", days] = fields[..] else { panic!("`{}` is more than this code reads", self.cron) };
        let number =
            |n: &str| n.parse::<i64>().unwrap_or_else(|_| panic!("`{}` is more than this code reads", self.cron));
        let on_day = match days.split_once('-') {
            None => days == "*" || number(days) == weekday,
            Some((first, last)) => (number(first)..=number(last)).contains(&weekday),
        };
        on_day && number(hour) * 60 + number(minute) == of_day
    }
}

impl Policy {
    pub(super) fn number(&self, parameter: &str) -> i64 {
        self.parameters[parameter].as_integer().unwrap_or_else(|| panic!("`{parameter}` is a number"))
    }

    pub(super) fn flag(&self, parameter: &str) -> bool {
        self.parameters[parameter].as_bool().unwrap_or_else(|| panic!("`{parameter}` is true or false"))
    }

    /// Whether days are counted as working days.
    pub(super) fn counts_working_days(&self) -> bool {
        self.parameters["counting"].as_str() == Some("working")
    }

    /// A list of days, the furthest first; none if it is not given.
    pub(super) fn steps(&self, parameter: &str) -> Option<Vec<i64>> {
        let list = self.parameters.get(parameter)?.as_array().expect("a list");
        let mut days: Vec<i64> = list.iter().map(|d| d.as_integer().expect("a number of days")).collect();
        days.sort_unstable_by(|a, b| b.cmp(a));
        Some(days)
    }
}

impl Inputs {
    /// Reads the files of an export, and those of province and cities from the directory `policies`.
    ///
    /// # Panics
    /// When a file is missing or says what this code does not cover.
    #[must_use]
    pub fn read(export: &Path, policies: &Path) -> Self {
        let text = |name: &str| std::fs::read_to_string(policies.join(name)).unwrap_or_else(|e| panic!("{name}: {e}"));
        let rows = |name: &str| rows(&export.join(name));
        let mut cities = BTreeMap::new();
        for entry in std::fs::read_dir(policies).expect("policies can be listed") {
            let name = entry.expect("an entry has a name").file_name().into_string().expect("a name in UTF-8");
            if name.starts_with("14") {
                let city: CityFile = toml::from_str(&text(&name)).unwrap_or_else(|e| panic!("{name}: {e}"));
                cities.insert(city.prefecture, city.policy);
            }
        }
        Self {
            customers: rows("customers.csv"),
            bills: rows("bills.csv").iter().map(bill).collect(),
            balances: rows("balances.csv"),
            payments: rows("payments.csv").iter().map(payment).collect(),
            day_payments: rows("day-payments.csv").iter().map(|r| (minute(&r["到账时间"]), payment(r))).collect(),
            units: rows("org-units.csv").into_iter().map(|r| (r["code"].clone(), r["name"].clone())).collect(),
            province: toml::from_str(&text("province.toml")).expect("province.toml"),
            calendar: Calendar::read(&text("calendar.toml")),
            texts: texts(&text("templates.toml"), "text"),
            merged: texts(&text("templates.toml"), "merged"),
            segments: segments(&text("segments.toml")),
            policies: cities,
        }
    }

    /// The number that customers see.
    #[must_use]
    pub fn sender(&self) -> &str {
        &self.province.senders["customer"]
    }
}

/// All rows of a CSV file.
pub(super) fn rows(path: &Path) -> Vec<Row> {
    let mut reader = csv::Reader::from_path(path).unwrap_or_else(|e| panic!("{}: {e}", path.display()));
    reader.deserialize().map(|row| row.unwrap_or_else(|e| panic!("{}: {e}", path.display()))).collect()
}

/// `19.53` as 1953 fen.
pub(super) fn fen(yuan: &str) -> i64 {
    let (whole, cents) = yuan.split_once('.').unwrap_or_else(|| panic!("`{yuan}` is no amount"));
    assert_eq!(cents.len(), 2, "`{yuan}` is no amount");
    format!("{whole}{cents}").parse().unwrap_or_else(|_| panic!("`{yuan}` is no amount"))
}

fn bill(row: &Row) -> BillRow {
    BillRow {
        account: row["户号"].clone(),
        period: row["电费年月"].parse().expect("a period"),
        amount: fen(&row["应收金额（元）"]),
        kwh: row["电量（千瓦时）"].parse().expect("an energy"),
        issued: date(&row["发行日期"]),
        late_fee_from: date(&row["违约金起算日"]),
        as_of: date(&row["数据日期"]),
    }
}

fn payment(row: &Row) -> PaymentRow {
    let amount = fen(&row["缴费金额（元）"]);
    PaymentRow {
        account: row["户号"].clone(),
        amount: if row["冲正"] == "是" { -amount } else { amount },
        paid_on: minute(&row["缴费时间"]).div_euclid(super::calendar::DAY),
    }
}

/// The text called `which` of each newest version, where that has one.
fn texts(file: &str, which: &str) -> HashMap<(String, String), String> {
    let file: toml::Table = file.parse().expect("templates.toml is TOML");
    let mut newest: HashMap<(String, String), (i64, Option<String>)> = HashMap::new();
    for t in file["template"].as_array().expect("templates") {
        let word = |name: &str| t[name].as_str().expect("a word").to_owned();
        if word("channel") != "sms" || word("status") != "approved" {
            continue;
        }
        let version = t["version"].as_integer().expect("a version");
        let slot = newest.entry((word("topic"), word("notice"))).or_default();
        if version > slot.0 {
            *slot = (version, t.get(which).and_then(|text| text.as_str()).map(str::to_owned));
        }
    }
    newest.into_iter().filter_map(|(key, (_, text))| Some((key, text?))).collect()
}

fn segments(file: &str) -> HashMap<u64, String> {
    let file: toml::Table = file.parse().expect("segments.toml is TOML");
    let mut given: Vec<(u64, String)> = Vec::new();
    for carrier in file["carrier"].as_array().expect("carriers") {
        let name = carrier["name"].as_str().expect("a carrier's name");
        for list in ["segments", "virtual-operators"] {
            for segment in carrier[list].as_array().expect("a list of segments") {
                given.push((segment.as_integer().expect("a segment").unsigned_abs(), name.to_owned()));
            }
        }
    }
    // Four digits override a part of three.
    given.sort_by_key(|(segment, _)| *segment);
    let mut table = HashMap::new();
    for (segment, name) in given {
        let all = if segment < 1000 { segment * 10..segment * 10 + 10 } else { segment..segment + 1 };
        table.extend(all.map(|four| (four, name.clone())));
    }
    table
}
