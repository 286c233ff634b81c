//! Plugins that fail are isolated: the run ends, the author sees error, input and batch, and three failures in a row take the version out of use.
//! Nothing that a plugin does ends the host.

use gridbell_contract::{ColumnDef, Registry};
use gridbell_engine::{GuestError, Plugin, RunError};
use gridbell_model::{CHUNK_ROWS, ColumnSlice, Date, Fen, Moment, PrefectureCode, RunId, Table};
use gridbell_state::Snapshot;
use serde::{Deserialize, Serialize};
use serde_json::{Value, json};

use super::record::Stage;
use crate::documents::{self, FAULTS};
use crate::error::HostError;
use crate::host::Host;
use crate::runs::{Prepared, RunRequest};

/// Failures that are kept of a version; of the latest with the batch.
pub const MAX_FAULTS: usize = 8;
/// Failures in a row after which a version is retired everywhere.
pub const RETIRED_AFTER: u32 = 3;
/// Largest batch that is kept, in bytes of CSV: 4096 rows of all columns fit.
const MAX_BATCH_BYTES: usize = 768 << 10;

/// One failure of a plugin, with what it takes to see it again.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct Fault {
    /// When.
    pub at: Moment,
    /// Whose run.
    pub prefecture: PrefectureCode,
    /// Of which policy.
    pub policy: String,
    /// The run.
    pub run: RunId,
    /// What it did, in a sentence.
    pub error: String,
    /// Which function.
    pub call: String,
    /// Which batch of the run.
    pub batch: Option<u32>,
    /// The batch's rows, by their number in the prefecture.
    pub rows: Vec<u32>,
    /// What the run told the plugin: time, trigger, schedule, parameters.
    pub told: Value,
}

/// How a version failed lately.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize)]
pub struct FaultLog {
    /// Failures since it last did well.
    pub in_a_row: u32,
    /// The latest, newest last.
    pub faults: Vec<Fault>,
    /// The latest failure's batch as `gridbell plugin run --customers` reads it: columns only, which have no name and no number.
    pub batch_csv: String,
}

impl Host {
    /// How a version failed lately; none if it never did.
    ///
    /// # Errors
    /// When there is no such version, or what is stored cannot be read.
    pub fn faults(&self, reference: &str) -> Result<Option<FaultLog>, HostError> {
        let record = self.version(reference)?;
        Ok(documents::read::<FaultLog>(self.state(), FAULTS, &record.digest)?.map(|(_, log)| log))
    }

    /// Keeps a plugin's failure for its author, and retires what failed too often in a row. What cannot be kept is an alarm and stops nothing.
    pub(crate) async fn isolate(
        &self,
        request: &RunRequest,
        prepared: &Prepared,
        snapshot: &Snapshot,
        run: RunId,
        error: &HostError,
    ) {
        let HostError::Run(RunError::Guest(guest)) = error else { return };
        let kept = self.keep_fault(request, prepared, snapshot, run, guest).await;
        if let Err(e) = kept {
            self.raise("plugin.failure-not-kept", prepared.plugin.label(), e.to_string());
        }
    }

    async fn keep_fault(
        &self,
        request: &RunRequest,
        prepared: &Prepared,
        snapshot: &Snapshot,
        run: RunId,
        guest: &GuestError,
    ) -> Result<(), HostError> {
        let digest = prepared.plugin.digest().to_string();
        let found = documents::read::<FaultLog>(self.state(), FAULTS, &digest)?;
        let (expected, mut log) = found.unwrap_or_default();
        log.in_a_row = log.in_a_row.saturating_add(1);
        let told = &prepared.run;
        log.faults.push(Fault {
            at: self.clock().now(),
            prefecture: request.prefecture,
            policy: request.policy.clone(),
            run,
            error: guest.to_string(),
            call: guest.call.to_string(),
            batch: guest.batch,
            rows: guest.rows.clone(),
            told: json!({
                "now": told.now.to_string(), "trigger": told.trigger.0, "schedule": told.schedule,
                "parameters": serde_json::from_str::<Value>(&told.params).unwrap_or_default(),
            }),
        });
        if log.faults.len() > MAX_FAULTS {
            log.faults.remove(0);
        }
        // Rows of the latest are in its file; older ones are a count and a sentence.
        let last = log.faults.len() - 1;
        log.faults[..last].iter_mut().for_each(|f| f.rows.clear());
        log.batch_csv = batch_csv(&prepared.plugin, prepared.table(snapshot), &guest.rows);
        let doc = documents::put(FAULTS, &digest, &log, Some(expected))?;
        self.state().put_docs(vec![doc], Vec::new()).await?;
        let label = prepared.plugin.label();
        self.raise("plugin.failed", label, format!("{run}: {guest}; `GET /v1/plugins/{digest}/faults` has its input"));
        if log.in_a_row >= RETIRED_AFTER {
            self.retire_failed(&digest, label, log.in_a_row).await?;
        }
        Ok(())
    }

    async fn retire_failed(&self, digest: &str, label: &str, times: u32) -> Result<(), HostError> {
        let usable = self.version(digest).is_ok_and(|r| r.stage.is_usable() || r.stage == Stage::Certified);
        if usable {
            let why = format!("failed {times} times in a row");
            self.retire_version(digest, &why, "system").await?;
            let text = format!("{why}: it decides nowhere any more; make another version live where it did");
            self.raise("plugin.retired", label, text);
        }
        Ok(())
    }

    /// A version that decided without failing begins to count anew.
    pub(crate) async fn did_well(&self, plugin: &Plugin) {
        let digest = plugin.digest().to_string();
        let Ok(Some((expected, mut log))) = documents::read::<FaultLog>(self.state(), FAULTS, &digest) else { return };
        if log.in_a_row == 0 {
            return;
        }
        log.in_a_row = 0;
        let put = documents::put(FAULTS, &digest, &log, Some(expected));
        let kept = match put {
            Ok(doc) => self.state().put_docs(vec![doc], Vec::new()).await.map(|_| ()).map_err(HostError::from),
            Err(e) => Err(e),
        };
        if let Err(e) = kept {
            // Counting one too many retires a version too early, which a person sees; nothing goes out by it.
            tracing::warn!(error = %e, "plugin.count: a plugin's success was not counted");
        }
    }
}

/// The columns of `rows` that the plugin asks for, as a file for `gridbell plugin run`; cut where it would be too large.
fn batch_csv(plugin: &Plugin, table: &dyn Table, rows: &[u32]) -> String {
    let defs: Vec<&ColumnDef> =
        plugin.manifest().columns().iter().filter_map(|id| Registry::get().column(*id)).collect();
    let mut text = defs.iter().map(|d| d.name.as_str()).collect::<Vec<_>>().join(",") + "\n";
    for row in rows {
        let (chunk, at) = (*row as usize / CHUNK_ROWS, *row as usize % CHUNK_ROWS);
        let value = |def: &&ColumnDef| shown(def, table.column(chunk, def.id).and_then(|c| at_of(&c, at)));
        let line = defs.iter().map(value).collect::<Vec<_>>().join(",");
        if text.len() + line.len() >= MAX_BATCH_BYTES {
            break;
        }
        text.push_str(&line);
        text.push('\n');
    }
    text
}

fn at_of(column: &ColumnSlice<'_>, at: usize) -> Option<i64> {
    column.get(at)
}

/// A value as `gridbell plugin run` reads it: yuan, dates, names of traits; nothing for "none".
fn shown(def: &ColumnDef, value: Option<i64>) -> String {
    let Some(value) = value.filter(|v| def.none != Some(*v)) else { return String::new() };
    match &*def.unit {
        "fen" => Fen(value).yuan(),
        "date" => i32::try_from(value).map_or_else(|_| value.to_string(), |d| Date(d).to_string()),
        "bits" => {
            let names = Registry::get().traits().iter().filter(|t| value >> t.bit & 1 == 1);
            names.map(|t| t.name.as_str()).collect::<Vec<_>>().join(" ")
        }
        _ => value.to_string(),
    }
}
