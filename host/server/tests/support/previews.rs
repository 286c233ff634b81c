//! A preview with every field filled in.

use std::collections::BTreeMap;

use gridbell_conductor::{
    PolicyPreview, PreviewCount, PreviewDifference, PreviewMove, PreviewPlugin, PreviewRequest, PreviewRun,
    PreviewSample, PreviewTotals, SeenDifference, SeenPreview,
};
use gridbell_model::{Channel, Date, HoldReason, OrgCode, Topic};
use gridbell_planner::{DayLoad, HourLoad, LinkLoad, LoadForecast};

/// What the stand answers; its title says whom it was asked about.
pub fn seen(request: &PreviewRequest) -> PolicyPreview {
    let day = Date::from_ymd(2026, 11, 25).unwrap();
    let at = request.at.unwrap_or(day.at(8, 30));
    let plugin = PreviewPlugin { name: "arrears-reminder".into(), version: "0.2.0".into(), digest: "ab".repeat(32) };
    let totals = PreviewTotals {
        decided: 5,
        messages: 3,
        customers: 3,
        parts: 4,
        cost_milli_fen: 14_000,
        held: BTreeMap::from([(HoldReason::OptedOut, 2)]),
    };
    let sample = PreviewSample {
        account: "0000000008".parse().unwrap(),
        county: "小店".into(),
        notice: "reminder".into(),
        step: 1,
        reason: "临近违约金起算日".into(),
        channel: Channel::Sms,
        decided_at: at,
        send_after: day.at(9, 0),
        parts: 1,
        cost_milli_fen: 3_500,
        text: "【国网山西电力】您好".into(),
    };
    let load = LinkLoad {
        link: "mobile".into(),
        grant: 100,
        parts: 4,
        days: vec![DayLoad { day, parts: 4, peak_hour: day.at(9, 0), peak_parts: 4, clears_at: Some(day.at(9, 1)) }],
        hours: vec![HourLoad { hour: day.at(9, 0), parts: 4 }],
    };
    PolicyPreview {
        digest: "cd".repeat(32),
        prefecture: request.prefecture,
        policy: request.policy.clone(),
        title: format!("{:?} {}", request.scope.orgs, request.office),
        topic: Topic::ArrearsReminder,
        plugin: plugin.clone(),
        parameters: serde_json::json!(request.candidate.parameters),
        live_plugin: Some(plugin),
        from: at,
        until: at,
        days: request.days,
        sequence: 7,
        customers: 60,
        totals: totals.clone(),
        live_totals: Some(totals),
        runs: vec![PreviewRun {
            at,
            schedule: "daily".into(),
            passed: 9,
            decided: 5,
            messages: 3,
            parts: 4,
            cost_milli_fen: 14_000,
            waits_above: Some(2),
        }],
        counts: vec![PreviewCount {
            county: OrgCode(140_105),
            county_name: "小店".into(),
            channel: Channel::Sms,
            day,
            messages: 3,
            parts: 4,
            cost_milli_fen: 14_000,
            live_messages: 2,
            live_parts: 2,
            live_cost_milli_fen: 7_000,
        }],
        difference: Some(PreviewDifference {
            added: 2,
            dropped: 1,
            moved: 1,
            moved_channel: 0,
            moved_day: 1,
            same: 0,
            customers_added: 1,
            customers_dropped: 1,
            added_samples: vec![sample.clone()],
            dropped_samples: vec![sample.clone()],
            moved_samples: vec![PreviewMove { from: sample.clone(), to: sample.clone() }],
        }),
        load: LoadForecast { links: vec![load], expired_parts: 1, waiting_parts: 2 },
        backlog_parts: 12,
        samples: vec![sample],
        assumptions: vec!["no payments".into()],
        warnings: vec!["look".into()],
        elapsed_ms: 41,
    }
}

/// A preview as a proposal keeps it.
pub fn remembered(digest: String, at: gridbell_model::Moment) -> SeenPreview {
    SeenPreview {
        digest,
        at,
        office: "140100".into(),
        policy: "arrears-reminder".into(),
        from: at.civil_minute(),
        days: Some(30),
        sequence: 7,
        customers: 1_234,
        messages: 2_345,
        parts: 3_456,
        cost_milli_fen: 12_345_600,
        difference: Some(SeenDifference { added: 5, dropped: 6, moved: 7, same: 2_333 }),
    }
}
