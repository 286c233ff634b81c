//! What a plugin saw, in words for an office. Values come from the registry's columns and are never personal.

use gridbell_contract::{ColumnDef, Registry};
use gridbell_model::{ColumnId, Date, Fen};
use serde::{Deserialize, Serialize};

/// One value that a plugin saw.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct FactShown {
    /// The column's name in the registry.
    pub column: String,
    /// What an office reads.
    pub title: String,
    /// The value as the plugin saw it.
    pub value: i64,
    /// The same for an office: yuan, dates, words for bits; "无" for none.
    pub words: String,
}

/// What an office calls the columns; those that are not here go by their registry name.
const TITLES: [(&str, &str); 19] = [
    ("traits", "客户属性"),
    ("arrears", "欠费金额"),
    ("arrears-period", "最早欠费月份"),
    ("late-fee-from", "违约金起算日"),
    ("months-owed", "欠费月数"),
    ("reminded-step", "已催缴级别"),
    ("bill-period", "账单月份"),
    ("bill-issued", "电费发行日"),
    ("bill-amount", "账单金额"),
    ("bill-kwh", "账单电量"),
    ("bill-said", "账单已通知"),
    ("balance", "余额"),
    ("balance-as-of", "余额截至"),
    ("threshold", "预警阈值"),
    ("balance-episode", "余额预警轮次"),
    ("balance-said", "已预警级别"),
    ("paid-amount", "最近缴费金额"),
    ("paid-on", "最近缴费日"),
    ("arrears-as-of", "欠费截至"),
];

/// Names an office reads for the bits of `traits`; others go by their registry name.
const TRAITS: [(&str, &str); 20] = [
    ("resident", "居民"),
    ("prepaid", "预付费"),
    ("important", "重要客户"),
    ("school", "学校"),
    ("elderly", "老年"),
    ("firm", "企业"),
    ("public", "公用"),
    ("bank-debit", "银行批扣"),
    ("rebilled", "已改账"),
    ("multiple-sources", "多电源"),
    ("reads-wechat", "看微信"),
    ("reads-alipay", "看支付宝"),
    ("has-mobile", "有手机"),
    ("disputed", "争议"),
    ("debit-pending", "批扣中"),
    ("do-not-remind", "免催"),
    ("paused", "暂停催缴"),
    ("closed", "已销户"),
    ("subscribes-bill", "订阅账单"),
    ("subscribes-balance", "订阅余额"),
];

fn title<'a>(table: &[(&str, &'a str)], name: &'a str) -> &'a str {
    table.iter().find(|(n, _)| *n == name).map_or(name, |(_, title)| title)
}

/// The values of one row in words.
pub(crate) fn shown(seen: &[(ColumnId, i64)]) -> Vec<FactShown> {
    seen.iter().filter_map(|(id, value)| Some(one(Registry::get().column(*id)?, *value))).collect()
}

/// The same from an archive's object of names and values.
pub(crate) fn shown_by_name(facts: &serde_json::Value) -> Vec<FactShown> {
    let Some(map) = facts.as_object() else { return Vec::new() };
    let registry = Registry::get();
    map.iter().filter_map(|(name, value)| Some(one(registry.column_named(name)?, value.as_i64()?))).collect()
}

fn one(def: &ColumnDef, value: i64) -> FactShown {
    FactShown { column: def.name.clone(), title: title(&TITLES, &def.name).to_owned(), value, words: words(def, value) }
}

fn words(def: &ColumnDef, value: i64) -> String {
    if def.none == Some(value) {
        return "无".to_owned();
    }
    match def.unit.as_str() {
        "fen" => format!("{}元", Fen(value).yuan()),
        "date" => i32::try_from(value).map_or_else(|_| value.to_string(), |days| Date(days).to_string()),
        "kwh" => format!("{value}千瓦时"),
        "yyyymm" => format!("{}-{:02}", value / 100, value % 100),
        "bits" => {
            let set = Registry::get().traits().iter().filter(|t| value >> t.bit & 1 == 1);
            let names: Vec<&str> = set.map(|t| title(&TRAITS, &t.name)).collect();
            if names.is_empty() { "无".to_owned() } else { names.join("、") }
        }
        _ => value.to_string(),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn values_read_as_an_office_writes_them() {
        let read = |name: &str, value| {
            let def = Registry::get().column_named(name).unwrap();
            one(def, value).words
        };
        assert_eq!(read("arrears", 12_345), "123.45元");
        assert_eq!(read("arrears-period", 202_610), "2026-10");
        assert_eq!(read("arrears-period", 0), "无");
        assert_eq!(read("late-fee-from", i64::from(i32::MIN)), "无");
        assert_eq!(read("late-fee-from", i64::from(Date::from_ymd(2026, 11, 30).unwrap().0)), "2026-11-30");
    }

    #[test]
    fn every_column_that_is_passed_and_every_trait_has_a_title() {
        for def in Registry::get().columns().iter().filter(|d| !d.reserved) {
            assert!(TITLES.iter().any(|(name, _)| *name == def.name), "{}", def.name);
        }
        for def in Registry::get().traits() {
            assert!(TRAITS.iter().any(|(name, _)| *name == def.name), "{}", def.name);
        }
    }
}
