//! What the day came to: one object for scripts, one table for people.

use std::collections::BTreeMap;

use comfy_table::{CellAlignment, Table, presets};
use gridbell_conductor::Host;
use gridbell_model::{Channel, Date, HoldReason, MessageId, MessageState, PrefectureCode};
use gridbell_state::{Outcome, RunStatus, StatCounts};
use serde::Serialize;

use crate::error::CommandError;

/// The answer of `demo --once --json`.
#[derive(Debug, Serialize)]
pub(super) struct Report {
    customers: u64,
    runs: Vec<Run>,
    messages: Messages,
    channels: Vec<ByChannel>,
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

/// What became of the messages of one channel; one that went on to its next channel counts on each.
#[derive(Debug, Serialize)]
struct ByChannel {
    channel: Channel,
    queued: u64,
    delivered: u64,
    failed: u64,
    /// Of those that a carrier or platform took.
    cost_milli_fen: u64,
}

impl Report {
    pub(super) fn of(host: &Host, customers: u64, elapsed_ms: u64) -> Result<Self, CommandError> {
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
        Ok(Self { customers, runs, messages, channels: by_channel(host)?, elapsed_ms })
    }

    /// One line for each channel.
    fn channels(&self) -> Table {
        let mut table = Table::new();
        table.load_preset(presets::UTF8_HORIZONTAL_ONLY);
        table.set_header(["渠道 channel", "入队 queued", "送达 delivered", "失败 failed", "费用 cost (元)"]);
        for c in &self.channels {
            let yuan = c.cost_milli_fen as f64 / 100_000.0;
            table.add_row([
                c.channel.chinese().to_owned(),
                c.queued.to_string(),
                c.delivered.to_string(),
                c.failed.to_string(),
                format!("{yuan:.2}"),
            ]);
        }
        for column in 1..5 {
            if let Some(column) = table.column_mut(column) {
                column.set_cell_alignment(CellAlignment::Right);
            }
        }
        table
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
        let channels = self.channels();
        format!(
            "{table}\n{channels}\n{} 条消息 messages: 送达 delivered {}, 失败 failed {}, 过期 expired {}, 取消 cancelled {}; {} 次执行 runs; {:.1} s",
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

fn by_channel(host: &Host) -> Result<Vec<ByChannel>, CommandError> {
    let mut all: BTreeMap<Channel, ByChannel> = BTreeMap::new();
    for run in host.state().runs(None, usize::MAX, |run| !run.is_samples()) {
        for segment in 0..u32::try_from(run.segments.len()).unwrap_or(0) {
            for decision in host.state().decisions(run.id, segment)? {
                let Outcome::Queued(message) = decision.outcome else { continue };
                let channel = message.channel;
                let sum = all.entry(channel).or_insert(ByChannel {
                    channel,
                    queued: 0,
                    delivered: 0,
                    failed: 0,
                    cost_milli_fen: 0,
                });
                sum.queued += 1;
                let Some(status) = host.state().message_status(MessageId::new(run.prefecture, message.number))? else {
                    continue;
                };
                sum.delivered += u64::from(status.state == MessageState::Delivered);
                sum.failed += u64::from(status.state == MessageState::Failed);
                if status.submitted_at.is_some() {
                    sum.cost_milli_fen += u64::from(message.cost_milli_fen);
                }
            }
        }
    }
    Ok(all.into_values().collect())
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
