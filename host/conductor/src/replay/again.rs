//! Deciding again: everyone over the state of then, or the decided alone over what was kept of them.

use std::sync::Arc;

use gridbell_contract::{ColumnType, Registry, Run};
use gridbell_engine::{EvalOptions, Plugin};
use gridbell_model::{CHUNK_ROWS, ColumnId, ColumnSlice, Decision, RunId, Table};
use gridbell_state::{DecisionRecord, RunRecord, RunStatus, SeenFacts, State};
use rustc_hash::FxHashSet;

use super::compare::{Findings, decision_fields};
use super::decided::{Decided, RecordedQueues, side};
use super::{MAX_DIFFERENCES, ReplayDifference, ReplayReport, ReplayStep, ReplayTold};
use crate::archive::blocking;
use crate::basis::{Recorded, seen};
use crate::error::HostError;
use crate::explain::{prepare_recorded, run_of};
use crate::host::Host;
use crate::runs::blocks;
use crate::settle::{Context, settle_with};
use crate::ways::Ways;

/// Segments of decided customers that are decided again at a time: 32 768 rows.
const SEGMENTS_AT_ONCE: usize = 64;

/// Everyone, over the state of then.
pub(super) async fn everyone(
    host: &Host,
    record: &Arc<RunRecord>,
    recorded: &Recorded,
    plugin: Plugin,
    then: State,
    told: &ReplayTold,
    report: &mut ReplayReport,
) -> Result<(), HostError> {
    let none = || HostError::State(gridbell_state::StateError::NoPrefecture(record.prefecture));
    let snapshot = then.snapshot(record.prefecture).ok_or_else(none)?;
    let prepared = Arc::new(prepare_recorded(recorded, plugin.clone(), record, &snapshot)?);
    told(ReplayStep::Deciding);
    let evaluation = host.evaluate(&prepared, &snapshot, RunId(recorded.basis.sample_seed)).await?;
    let mut findings = Findings {
        report,
        plugin: &plugin,
        next_message: record.first_message,
        waited: matches!(record.status, RunStatus::Waiting { .. } | RunStatus::Refused { .. }),
    };
    for (field, differs) in [
        ("parameters", prepared.run.params != record.params),
        ("customers", u64::from(snapshot.rows()) != record.customers),
        ("passed", evaluation.passed as u64 != record.passed),
        ("interest-misses", evaluation.interest_misses.len() as u64 != record.interest_misses),
    ] {
        if differs {
            findings.run(field);
        }
    }
    let customers = evaluation.customers as u64;
    let decisions = Arc::new(evaluation.decisions);
    let carriers: FxHashSet<u8> = recorded.basis.carriers.iter().copied().collect();
    let context = Context::new(&then, &prepared, &snapshot, &carriers);
    let mut caps = prepared.guard.day_caps();
    let mut kept = Decided::of(host.state(), record);
    let mut queues = RecordedQueues::of(host.state(), record);
    for block in blocks(decisions.len()) {
        told(ReplayStep::Comparing { decisions: block.start as u64, of: decisions.len() as u64 });
        let (its, snap, all, range) = (Arc::clone(&prepared), snapshot.clone(), Arc::clone(&decisions), block.clone());
        let saw = blocking(host.clock(), move || Ok(seen(&its.plugin, its.table(&snap), &all[range]))).await?;
        let verdicts = host.consider_in(&then, &carriers, &prepared, &snapshot, &decisions, block).await?;
        let by_row = queues.up_to(verdicts.last().map_or(0, |(decision, ..)| decision.row))?;
        let ways = Ways::recorded(&prepared.settings.segments, &by_row, &carriers);
        let records = settle_with(&prepared, &context, &ways, verdicts, &mut caps);
        let replayed: Vec<_> = records.into_iter().enumerate().map(|(at, record)| (record, saw.row(at))).collect();
        findings.block(&mut kept, &replayed)?;
    }
    findings.rest(&mut kept)?;
    report.silent = customers.saturating_sub(report.decided);
    Ok(())
}

/// The decided alone, over what the plugin saw of them.
pub(super) fn decided(
    host: &Host,
    record: &RunRecord,
    recorded: &Recorded,
    plugin: &Plugin,
    told: &(dyn Fn(ReplayStep) + Send + Sync),
    report: &mut ReplayReport,
) -> Result<(), HostError> {
    let run = run_of(recorded, plugin, record)?;
    if run.params != record.params {
        Findings { report, plugin, next_message: 0, waited: false }.run("parameters");
    }
    let mut kept = Decided::of(host.state(), record);
    let mut done = 0;
    loop {
        let mut piece: (Vec<DecisionRecord>, Vec<SeenFacts>) = Default::default();
        while piece.1.len() < SEGMENTS_AT_ONCE {
            let Some((records, saw)) = kept.segment()? else { break };
            if saw.len() != records.len() {
                let text = format!("what the plugin saw is not kept with every decision of {}", record.id);
                return Err(HostError::Refused(text));
            }
            piece.0.extend(records);
            piece.1.push(saw);
        }
        if piece.0.is_empty() {
            return Ok(());
        }
        told(ReplayStep::Comparing { decisions: done, of: record.decided });
        done += piece.0.len() as u64;
        decide_again(host, plugin, &run, &piece.0, &piece.1, report)?;
    }
}

fn decide_again(
    host: &Host,
    plugin: &Plugin,
    run: &Run,
    records: &[DecisionRecord],
    saw: &[SeenFacts],
    report: &mut ReplayReport,
) -> Result<(), HostError> {
    let table = KeptTable::of(saw);
    let evaluation = host.engine().evaluate(plugin, run, &table, &EvalOptions::default())?;
    let mut again = evaluation.decisions.into_iter().peekable();
    for (row, record) in (0_u32..).zip(records) {
        let decision: Option<Decision> = again.next_if(|d| d.row == row);
        let fields = match &decision {
            Some(decision) => decision_fields(record, decision),
            None => vec!["decision"],
        };
        if fields.is_empty() {
            continue;
        }
        report.differences += 1;
        let kind = if decision.is_some() { "decision" } else { "only-recorded" };
        *report.kinds.entry(kind.into()).or_default() += 1;
        if report.first.len() < MAX_DIFFERENCES {
            let replayed = decision.map(|d| DecisionRecord::new(&d, record.account, record.outcome.clone()));
            report.first.push(ReplayDifference {
                account: Some(record.account),
                row: record.row,
                kind: kind.into(),
                fields: fields.into_iter().map(Into::into).collect(),
                recorded: Some(side(record, Some(plugin))),
                replayed: replayed.map(|r| side(&r, Some(plugin))),
            });
        }
    }
    Ok(())
}

/// What was kept of decided customers, as the table that a plugin reads.
struct KeptTable {
    rows: usize,
    columns: Vec<(ColumnId, Values)>,
}

/// Values of a column in the type that the contract gives it.
enum Values {
    U8(Vec<u8>),
    U16(Vec<u16>),
    U32(Vec<u32>),
    S32(Vec<i32>),
    S64(Vec<i64>),
}

impl KeptTable {
    fn of(saw: &[SeenFacts]) -> Self {
        let ids = saw.first().map(|s| s.columns().to_vec()).unwrap_or_default();
        let column = |(n, id): (usize, &ColumnId)| {
            let def = Registry::get().column(*id)?;
            // What was kept came out of columns of these very types.
            let all = saw.iter().flat_map(|s| s.column(n)).copied();
            let values = match def.ty {
                ColumnType::U8 => Values::U8(all.map(|v| v as u8).collect()),
                ColumnType::U16 => Values::U16(all.map(|v| v as u16).collect()),
                ColumnType::U32 => Values::U32(all.map(|v| v as u32).collect()),
                ColumnType::S32 => Values::S32(all.map(|v| v as i32).collect()),
                ColumnType::S64 => Values::S64(all.collect()),
            };
            Some((*id, values))
        };
        Self {
            rows: saw.iter().map(SeenFacts::len).sum(),
            columns: ids.iter().enumerate().filter_map(column).collect(),
        }
    }
}

impl Table for KeptTable {
    fn chunks(&self) -> usize {
        self.rows.div_ceil(CHUNK_ROWS)
    }

    fn rows(&self, chunk: usize) -> usize {
        self.rows.saturating_sub(chunk * CHUNK_ROWS).min(CHUNK_ROWS)
    }

    fn column(&self, chunk: usize, id: ColumnId) -> Option<ColumnSlice<'_>> {
        let range = chunk * CHUNK_ROWS..chunk * CHUNK_ROWS + Table::rows(self, chunk);
        let (_, values) = self.columns.iter().find(|(i, _)| *i == id)?;
        Some(match values {
            Values::U8(v) => ColumnSlice::U8(v.get(range)?),
            Values::U16(v) => ColumnSlice::U16(v.get(range)?),
            Values::U32(v) => ColumnSlice::U32(v.get(range)?),
            Values::S32(v) => ColumnSlice::S32(v.get(range)?),
            Values::S64(v) => ColumnSlice::S64(v.get(range)?),
        })
    }
}
