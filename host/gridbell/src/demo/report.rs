//! What the day came to: one object for scripts, one table for people.

use std::collections::BTreeMap;

use comfy_table::{CellAlignment, Table, presets};
use gridbell_conductor::Host;
use gridbell_model::{Date, HoldReason, PrefectureCode};
use gridbell_state::{RunStatus, StatCounts};
use serde::Serialize;

/// The answer of `demo --once --json`.
#[derive(Debug, Serialize)]
pub(super) struct Report {
    customers: u64,
    runs: Vec<Run>,
    messages: Messages,
    elapsed_ms: u64,
}

#[derive(Debug, Serialize)]
struct Run {
    run: u64,
    prefecture: PrefectureCode,
    policy: String,
    schedule: String,
    plugin: String,
    digest: String,
    status: &'static str,
    customers: u64,
    passed: u64,
    decided: u64,
    queued: u64,
    held: BTreeMap<HoldReason, u64>,
}

#[derive(Debug, Default, Serialize)]
struct Messages {
    queued: u64,
    delivered: u64,
    failed: u64,
    expired: u64,
    cancelled: u64,
}

impl Report {
    pub(super) fn of(host: &Host, customers: u64, elapsed_ms: u64) -> Self {
        let mut runs: Vec<Run> = host
            .state()
            .runs(None, usize::MAX, |run| !run.is_samples())
            .iter()
            .map(|r| Run {
                run: r.id.0,
                prefecture: r.prefecture,
                policy: r.policy.clone(),
                schedule: r.schedule.clone(),
                plugin: format!("{} {}", r.plugin, r.plugin_version),
                digest: r.digest.clone(),
                status: match r.status {
                    RunStatus::Published => "published",
                    RunStatus::Waiting { .. } => "waiting",
                    RunStatus::Failed { .. } => "failed",
                    RunStatus::Refused { .. } => "refused",
                },
                customers: r.customers,
                passed: r.passed,
                decided: r.decided,
                queued: r.queued,
                held: r.held.clone(),
            })
            .collect();
        runs.reverse();
        let mut messages = Messages::default();
        for (_, c) in host.state().stats(Date(i32::MIN), Date(i32::MAX)) {
            messages.queued += c.queued;
            messages.delivered += c.delivered;
            messages.failed += c.failed;
            messages.expired += c.expired;
            messages.cancelled += c.cancelled;
        }
        Self { customers, runs, messages, elapsed_ms }
    }

    /// One line for each prefecture, Chinese first as offices read it.
    pub(super) fn table(&self, host: &Host) -> String {
        let org = host.state().org();
        let by_prefecture = delivered_by_prefecture(host);
        let mut table = Table::new();
        table.load_preset(presets::UTF8_HORIZONTAL_ONLY);
        table.set_header([
            "地市 prefecture",
            "客户 customers",
            "决定 decided",
            "入队 queued",
            "送达 delivered",
            "失败 failed",
            "拦截 held",
        ]);
        for (code, customers) in host.state().prefectures() {
            let mine: Vec<&Run> = self.runs.iter().filter(|r| r.prefecture == code).collect();
            let mut held: BTreeMap<HoldReason, u64> = BTreeMap::new();
            for (why, n) in mine.iter().flat_map(|r| &r.held) {
                *held.entry(*why).or_default() += n;
            }
            let held: Vec<String> = held.iter().map(|(why, n)| format!("{} {n}", why.chinese())).collect();
            let counts = by_prefecture.get(&code).copied().unwrap_or_default();
            table.add_row([
                org.get(code.org()).map_or_else(|| code.to_string(), |u| u.name.clone()),
                customers.to_string(),
                mine.iter().map(|r| r.decided).sum::<u64>().to_string(),
                mine.iter().map(|r| r.queued).sum::<u64>().to_string(),
                counts.delivered.to_string(),
                counts.failed.to_string(),
                held.join("，"),
            ]);
        }
        for column in 1..6 {
            if let Some(column) = table.column_mut(column) {
                column.set_cell_alignment(CellAlignment::Right);
            }
        }
        let m = &self.messages;
        format!(
            "{table}\n{} 条消息 messages: 送达 delivered {}, 失败 failed {}, 过期 expired {}, 取消 cancelled {}; {} 次执行 runs; {:.1} s",
            m.queued,
            m.delivered,
            m.failed,
            m.expired,
            m.cancelled,
            self.runs.len(),
            self.elapsed_ms as f64 / 1000.0
        )
    }
}

fn delivered_by_prefecture(host: &Host) -> BTreeMap<PrefectureCode, StatCounts> {
    let org = host.state().org();
    let mut all: BTreeMap<PrefectureCode, StatCounts> = BTreeMap::new();
    for (key, c) in host.state().stats(Date(i32::MIN), Date(i32::MAX)) {
        if let Some(code) = org.prefecture_of(key.station) {
            let sum = all.entry(code).or_default();
            sum.delivered += c.delivered;
            sum.failed += c.failed;
        }
    }
    all
}
