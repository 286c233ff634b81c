//! What changed between two versions of a prefecture's policies, as a clerk reads it.

use std::collections::BTreeSet;
use std::fmt;

use serde::{Deserialize, Serialize};
use serde_json::Value;

use super::PolicySet;

/// One difference.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Change {
    /// Policy and field, as `arrears-reminder.windows`; the policy alone where it is new or gone.
    pub path: String,
    /// The same in Chinese where the house knows the field: 发送时段.
    pub label: String,
    /// Before; none if it was not there.
    pub from: Option<String>,
    /// Now; none if it is gone.
    pub to: Option<String>,
}

impl fmt::Display for Change {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let none = "（无）";
        let (from, to) = (self.from.as_deref().unwrap_or(none), self.to.as_deref().unwrap_or(none));
        write!(f, "{} ({}): {from} → {to}", self.label, self.path)
    }
}

/// Chinese words for the fields of a policy.
const LABELS: &[(&str, &str)] = &[
    ("name", "名称"),
    ("title", "标题"),
    ("plugin", "插件"),
    ("version", "插件版本"),
    ("topic", "主题"),
    ("enabled", "启用"),
    ("scope", "适用单位"),
    ("parameters", "参数"),
    ("schedules", "执行计划"),
    ("cron", "执行时间"),
    ("catch_up_minutes", "补跑时限（分钟）"),
    ("events", "触发事件"),
    ("windows", "发送时段"),
    ("days", "发送日"),
    ("caps", "每日上限"),
    ("per_customer", "每户"),
    ("per_phone", "每号码"),
    ("validity_minutes", "有效期（分钟）"),
    ("freshness_days", "数据时效（天）"),
    ("cost_per_part_milli_fen", "每条成本（毫分）"),
    ("routes", "渠道顺序"),
    ("ceiling", "规模上限"),
    ("lane", "优先级"),
    ("on_failure", "插件出错时"),
    ("parameter_limits", "参数上下限"),
    ("prefecture", "地市"),
    ("holds_from", "生效日期"),
    ("signature", "签名"),
    ("hotline", "客服热线"),
    ("opt_out", "退订提示"),
    ("senders", "发送号码"),
    ("customer", "用户"),
    ("staff", "员工"),
    ("topics", "主题"),
    ("classes", "类别"),
    ("class", "类别"),
    ("quiet", "静默时段"),
    ("reissues", "补发次数"),
    ("blast_radius", "规模保护"),
    ("multiple", "倍数"),
    ("history", "参考批次数"),
    ("least_history", "最少批次数"),
    ("floor", "起算条数"),
    ("retention_days", "保留天数"),
    ("known_from", "已知起始日"),
    ("known_until", "已知截止日"),
    ("exceptions", "是否上班"),
    ("segments", "号段"),
    ("virtual-operators", "虚拟运营商号段"),
    ("parent", "上级单位"),
    ("level", "层级"),
];

/// The differences between `old` (none for the first time) and `new`: policies by name, whatever their order.
#[must_use]
pub fn diff(old: Option<&PolicySet>, new: &PolicySet) -> Vec<Change> {
    let mut changes = Vec::new();
    if let Some(old) = old {
        let (from, to) = (Value::from(old.name.as_str()), Value::from(new.name.as_str()));
        compare("name", "名称", Some(&from), Some(&to), &mut changes);
        let (from, to) = (Value::from(old.prefecture.0), Value::from(new.prefecture.0));
        compare("prefecture", "地市", Some(&from), Some(&to), &mut changes);
    }
    let olds = old.map(|o| o.policies.as_slice()).unwrap_or_default();
    let names: BTreeSet<&str> = olds.iter().chain(&new.policies).map(|p| p.name.as_str()).collect();
    for name in names {
        let before = olds.iter().find(|p| p.name == name);
        let after = new.policy(name);
        let title = after.or(before).map_or(name, |p| p.title.as_str());
        let whole = |p: &super::Policy| format!("{} {}", p.plugin, p.version);
        match (before, after) {
            (Some(b), Some(a)) => {
                // A policy always becomes JSON: its keys are texts and its numbers whole or finite.
                let [b, a] = [b, a].map(|p| by_name(serde_json::to_value(p).unwrap_or_default()));
                compare(name, title, Some(&b), Some(&a), &mut changes);
            }
            (b, a) => changes.push(Change {
                path: name.to_owned(),
                label: title.to_owned(),
                from: b.map(whole),
                to: a.map(whole),
            }),
        }
    }
    changes
}

/// Puts the title that the plugin's schema gives a parameter beside its key: 提前天数 (steps) says more than either alone.
pub fn title_parameters(changes: &mut [Change], set: &PolicySet, plugins: &dyn super::Plugins) {
    for change in changes {
        let Some((name, rest)) = change.path.split_once(".parameters.") else { continue };
        let Some(policy) = set.policy(name) else { continue };
        let Some(manifest) = plugins.manifest(&policy.plugin, &policy.version) else { continue };
        let key = rest.split('.').next().unwrap_or_default();
        let title = manifest.parameters().get("properties").and_then(|p| p.get(key)?.get("title")?.as_str());
        if let Some(title) = title {
            let from = format!(" · {key}");
            change.label = change.label.replacen(&from, &format!(" · {title}（{key}）"), 1);
        }
    }
}

/// The differences between two versions of any document, field by field; `old` is none for the first time. At most `limit`, and how many more.
#[must_use]
pub fn diff_values(old: Option<&Value>, new: &Value, limit: usize) -> (Vec<Change>, usize) {
    let mut changes = Vec::new();
    let nothing = Value::Object(serde_json::Map::new());
    compare("", "", Some(old.unwrap_or(&nothing)), Some(new), &mut changes);
    for change in &mut changes {
        change.path = change.path.trim_start_matches('.').to_owned();
        change.label = change.label.trim_start_matches(" · ").to_owned();
    }
    let more = changes.len().saturating_sub(limit);
    changes.truncate(limit);
    (changes, more)
}

/// Schedules by name, so that adding one does not look as if all of them had changed.
fn by_name(mut policy: Value) -> Value {
    if let Some(Value::Array(list)) = policy.get_mut("schedules").map(Value::take) {
        let named = |s: Value| (s["name"].as_str().unwrap_or_default().to_owned(), s);
        policy["schedules"] = Value::Object(list.into_iter().map(named).collect());
    }
    policy
}

fn compare(path: &str, label: &str, from: Option<&Value>, to: Option<&Value>, changes: &mut Vec<Change>) {
    if from == to {
        return;
    }
    if let (Some(Value::Object(a)), Some(Value::Object(b))) = (from, to) {
        let keys: BTreeSet<&String> = a.keys().chain(b.keys()).collect();
        for key in keys {
            let word = LABELS.iter().find(|(k, _)| k == key).map_or(key.as_str(), |(_, w)| w);
            compare(&format!("{path}.{key}"), &format!("{label} · {word}"), a.get(key), b.get(key), changes);
        }
        return;
    }
    changes.push(Change {
        path: path.to_owned(),
        label: label.to_owned(),
        from: from.map(readable),
        to: to.map(readable),
    });
}

/// A value without the brackets and quotes that only programs need.
fn readable(value: &Value) -> String {
    match value {
        Value::Null => "（无）".to_owned(),
        Value::Bool(true) => "是".to_owned(),
        Value::Bool(false) => "否".to_owned(),
        Value::String(s) => s.clone(),
        Value::Array(list) => list.iter().map(readable).collect::<Vec<_>>().join(", "),
        Value::Object(map) => {
            let entry = |(k, v): (&String, &Value)| {
                let word = LABELS.iter().find(|(l, _)| l == k).map_or(k.as_str(), |(_, w)| w);
                format!("{word} {}", readable(v))
            };
            map.iter().map(entry).collect::<Vec<_>>().join(" ")
        }
        Value::Number(n) => n.to_string(),
    }
}
