//! Every decision and message of the day as CSV, beside the inputs and what came in during the day, so that anyone can recompute it. The demo's
//! names and numbers are invented; numbers are written in the clear here and nowhere else.

use std::path::Path;

use gridbell_conductor::Host;
use gridbell_model::{MessageId, PrefectureCode};
use gridbell_simulators::province::Province;
use gridbell_state::{DecisionRecord, Outcome, RunRecord};

use super::day::comes_in;
use crate::error::CommandError;

pub(super) fn write(host: &Host, province: &Province, dir: &Path) -> Result<(), CommandError> {
    write_units(host, dir)?;
    write_day_payments(province, dir)?;
    write_decisions(host, dir)
}

/// The org units: texts name stations, customers.csv has their codes.
fn write_units(host: &Host, dir: &Path) -> Result<(), CommandError> {
    let mut units = create(&dir.join("org-units.csv"))?;
    let failed = |e: csv::Error| CommandError::Failed(e.to_string());
    units.write_record(["code", "parent", "name"]).map_err(failed)?;
    for unit in host.state().org().iter() {
        let parent = unit.parent.map(|p| p.0.to_string()).unwrap_or_default();
        units.write_record([unit.code.0.to_string(), parent, unit.name.clone()]).map_err(failed)?;
    }
    Ok(units.flush()?)
}

/// The day's payments in the order in which they came in, each with the minute. The columns before the last are those of payments.csv.
fn write_day_payments(province: &Province, dir: &Path) -> Result<(), CommandError> {
    let mut payments = create(&dir.join("day-payments.csv"))?;
    let failed = |e: csv::Error| CommandError::Failed(e.to_string());
    payments.write_record(["户号", "缴费流水号", "缴费金额（元）", "缴费时间", "冲正", "到账时间"]).map_err(failed)?;
    let codes: Vec<PrefectureCode> = province.prefectures().map(|(p, _)| PrefectureCode(p.code)).collect();
    let mut all: Vec<_> = codes.into_iter().flat_map(|code| province.day_payments(code)).collect();
    // Stable: those that come in together stay in the order of prefectures, then of minutes.
    all.sort_by_key(|p| comes_in(p.paid_at));
    for p in all {
        let row = [
            p.account.to_string(),
            p.payment_id,
            p.amount.to_string(),
            p.paid_at.to_string(),
            if p.reversal { "是" } else { "否" }.to_owned(),
            comes_in(p.paid_at).to_string(),
        ];
        payments.write_record(row).map_err(failed)?;
    }
    Ok(payments.flush()?)
}

fn write_decisions(host: &Host, dir: &Path) -> Result<(), CommandError> {
    let mut decisions = create(&dir.join("decisions.csv"))?;
    let mut messages = create(&dir.join("messages.csv"))?;
    let failed = |e: csv::Error| CommandError::Failed(e.to_string());
    decisions
        .write_record([
            "run",
            "prefecture",
            "policy",
            "schedule",
            "now",
            "account",
            "notice",
            "step",
            "reason",
            "arg0",
            "arg1",
            "held",
            "message",
        ])
        .map_err(failed)?;
    messages
        .write_record([
            "message",
            "run",
            "account",
            "phone",
            "channel",
            "send_after",
            "expires",
            "parts",
            "cost_milli_fen",
            "state",
            "code",
            "cancelled_because",
            "link",
            "queued_at",
            "submitted_at",
            "final_at",
            "maybe_twice",
            "text",
            "told_by",
            "told_text",
        ])
        .map_err(failed)?;
    let mut runs = host.state().runs(None, usize::MAX, |run| !run.is_samples());
    runs.reverse();
    for run in runs {
        for segment in 0..u32::try_from(run.segments.len()).unwrap_or(0) {
            for d in host.state().decisions(run.id, segment)? {
                decisions.write_record(decision_row(host, &run, &d)).map_err(failed)?;
                if let Some(row) = message_row(host, &run, &d)? {
                    messages.write_record(row).map_err(failed)?;
                }
            }
        }
    }
    decisions.flush()?;
    messages.flush()?;
    Ok(())
}

fn create(path: &Path) -> Result<csv::Writer<std::fs::File>, CommandError> {
    let file = std::fs::File::create(path).map_err(CommandError::file("create", path))?;
    Ok(csv::Writer::from_writer(file))
}

fn decision_row(host: &Host, run: &RunRecord, d: &DecisionRecord) -> Vec<String> {
    let plugin = host.loaded_plugin(&run.plugin, &format!("={}", run.plugin_version)).ok();
    let manifest = plugin.as_ref().map(gridbell_engine::Plugin::manifest);
    let notice =
        manifest.and_then(|m| m.notices().get(usize::from(d.notice))).map(|n| n.name.clone()).unwrap_or_default();
    let reason =
        manifest.and_then(|m| m.reasons().get(usize::from(d.reason))).map(|r| r.name.clone()).unwrap_or_default();
    let (held, message) = match &d.outcome {
        Outcome::Held(why) => (why.word().to_owned(), String::new()),
        Outcome::Queued(m) => (String::new(), MessageId::new(run.prefecture, m.number).to_string()),
    };
    vec![
        run.id.to_string(),
        run.prefecture.to_string(),
        run.policy.clone(),
        run.schedule.clone(),
        run.now.to_string(),
        d.account.to_string(),
        notice,
        d.step.to_string(),
        reason,
        d.arg0.to_string(),
        d.arg1.to_string(),
        held,
        message,
    ]
}

fn message_row(host: &Host, run: &RunRecord, d: &DecisionRecord) -> Result<Option<Vec<String>>, CommandError> {
    let Outcome::Queued(m) = &d.outcome else { return Ok(None) };
    let id = MessageId::new(run.prefecture, m.number);
    let Some(status) = host.state().message_status(id)? else { return Ok(None) };
    let together = host.state().told_together(id)?;
    let (told_by, told_text) = together.map(|t| (t.bearer.to_string(), t.text)).unwrap_or_default();
    let moment = |at: Option<gridbell_model::Moment>| at.map(|m| m.to_string()).unwrap_or_default();
    Ok(Some(vec![
        id.to_string(),
        run.id.to_string(),
        d.account.to_string(),
        m.phone.expose(),
        m.channel.word().to_owned(),
        m.send_after.to_string(),
        m.expires.to_string(),
        m.parts.to_string(),
        m.cost_milli_fen.to_string(),
        status.state.word().to_owned(),
        status.code,
        status.reason.map(|r| r.word().to_owned()).unwrap_or_default(),
        status.link,
        status.queued_at.to_string(),
        moment(status.submitted_at),
        moment(status.final_at),
        status.maybe_twice.to_string(),
        m.text.clone(),
        told_by,
        told_text,
    ]))
}
