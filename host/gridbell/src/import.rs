//! `gridbell import`: a file into the state, streaming, with a progress bar, a reject file and a summary.

use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::time::Duration;

use gridbell_clock::Clock;
use gridbell_conductor::{Host, IntoFact};
use gridbell_intake::{
    BalanceRow, Batch, BillRow, CustomerRow, Import, Options, PaymentRow, Places, Reason, RejectFile, Row, Summary,
};
use gridbell_model::{AccountNumber, Segments};
use gridbell_state::{AuditNote, FactOutcome, FactReject, Facts, SharedCount, State};
use indicatif::{ProgressBar, ProgressStyle};
use serde::Serialize;

use crate::error::CommandError;

/// Batches that are on their way to the state while the next are parsed.
const UNDER_WAY: usize = 3;
/// A batch is taken in as one op.
const _: () = assert!(Import::<CustomerRow>::MAX_BATCH_ROWS <= gridbell_state::MAX_FACTS_PER_OP);

/// What an import did.
#[derive(Debug, Default, Serialize)]
pub(crate) struct ImportReport {
    /// The file.
    pub(crate) file: String,
    /// Rows of the file, header and blank lines left out.
    pub(crate) rows: u64,
    /// Customers that are new.
    pub(crate) created: u64,
    /// Rows that changed something.
    pub(crate) changed: u64,
    /// Rows that were known already.
    pub(crate) unchanged: u64,
    /// Rows not taken: each is in the reject file with its reason.
    pub(crate) rejected: u64,
    /// Things to look at in rows that were taken, by kind.
    pub(crate) warnings: std::collections::BTreeMap<String, u64>,
    /// After an import of customers: numbers of more accounts than the province's rule takes for a household's, in the whole province.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub(crate) shared_phones: Option<SharedCount>,
    /// Where the rejected rows are; none when there are none.
    pub(crate) reject_file: Option<PathBuf>,
    /// How long it took.
    pub(crate) elapsed_ms: u64,
}

/// What kind of rows a file has.
#[derive(Clone, Copy, Debug, PartialEq, Eq, clap::ValueEnum)]
pub(crate) enum ImportKind {
    /// 用户档案: account, station, section, name, phone, traits, threshold
    Customers,
    /// 电费: account, period, amount, kWh, issued, late fee from
    Bills,
    /// 余额: account, balance, as of
    Balances,
    /// 缴费: account, payment id, amount, paid at
    Payments,
}

/// Where an import goes, and how.
pub(crate) struct Target<'a> {
    pub(crate) state: &'a State,
    pub(crate) clock: &'a Clock,
    pub(crate) segments: Arc<Segments>,
    pub(crate) who: &'a str,
    pub(crate) show_progress: bool,
}

impl<'a> Target<'a> {
    pub(crate) fn of(host: &'a Host, who: &'a str, show_progress: bool) -> Result<Self, CommandError> {
        let segments = host.settings()?.segments;
        Ok(Self { state: host.state(), clock: host.clock(), segments, who, show_progress })
    }

    pub(crate) fn options(&self) -> Options {
        Options::new(self.clock.today(), Arc::clone(&self.segments))
    }

    /// Imports `file`.
    pub(crate) async fn import(
        &self,
        kind: ImportKind,
        file: &Path,
        options: &Options,
        rejects: &Path,
    ) -> Result<ImportReport, CommandError> {
        match kind {
            ImportKind::Customers => self.rows::<CustomerRow>(file, options, rejects, Facts::Customers).await,
            ImportKind::Bills => self.rows::<BillRow>(file, options, rejects, Facts::Bills).await,
            ImportKind::Balances => self.rows::<BalanceRow>(file, options, rejects, Facts::Balances).await,
            ImportKind::Payments => self.rows::<PaymentRow>(file, options, rejects, Facts::Payments).await,
        }
    }

    async fn rows<T: Row + IntoFact + Send + 'static>(
        &self,
        file: &Path,
        options: &Options,
        rejects: &Path,
        facts: fn(Vec<T::Fact>) -> Facts,
    ) -> Result<ImportReport, CommandError>
    where
        T::Fact: Send + 'static,
    {
        let began = self.clock.monotonic();
        let failed = |e: gridbell_intake::IntakeError| CommandError::Refused(e.to_string());
        let import = Import::<T>::open(file, options).map_err(failed)?;
        let bar = self.bar(import.progress().total_bytes());
        let (progress, places) = (import.progress(), import.places());
        let mut reject_file = RejectFile::at(rejects);
        // The file is read on a thread of its own; the channel is the back-pressure.
        let (tx, mut rx) = tokio::sync::mpsc::channel::<Batch<T>>(UNDER_WAY);
        let reader = tokio::task::spawn_blocking(move || read_all(import, &tx));
        let mut outcome = FactOutcome::default();
        let mut waiting = std::collections::VecDeque::new();
        while let Some(batch) = rx.recv().await {
            for reject in &batch.rejects {
                reject_file.write(reject).map_err(failed)?;
            }
            bar.set_position(progress.bytes_read());
            let (rows, lines) = (batch.rows, batch.lines);
            let accounts = rows.iter().map(IntoFact::account).zip(lines).collect();
            if rows.is_empty() {
                continue;
            }
            let state = self.state.clone();
            let taken = tokio::spawn(async move {
                let facts = facts(rows.into_iter().map(IntoFact::into_fact).collect());
                state.facts(facts, true, Vec::new()).await
            });
            waiting.push_back((accounts, taken));
            if waiting.len() >= UNDER_WAY {
                settle(&mut waiting, &mut outcome, &places, &mut reject_file).await?;
            }
        }
        while !waiting.is_empty() {
            settle(&mut waiting, &mut outcome, &places, &mut reject_file).await?;
        }
        let summary = reader.await.map_err(|e| CommandError::Failed(e.to_string()))?.map_err(failed)?;
        bar.finish_and_clear();
        let written = reject_file.finish().map_err(failed)?;
        let report = self.report(file, &summary, &outcome, (written > 0).then(|| rejects.to_owned()), began);
        let note = AuditNote {
            who: self.who.to_owned(),
            action: "import".to_owned(),
            subject: report.file.clone(),
            detail: serde_json::to_string(&report)?,
        };
        self.state.put_docs(Vec::new(), vec![note]).await?;
        Ok(report)
    }

    fn report(
        &self,
        file: &Path,
        summary: &Summary,
        outcome: &FactOutcome,
        reject_file: Option<PathBuf>,
        began: Duration,
    ) -> ImportReport {
        ImportReport {
            file: file.file_name().unwrap_or(file.as_os_str()).to_string_lossy().into_owned(),
            rows: summary.records,
            created: outcome.created,
            changed: outcome.changed,
            unchanged: outcome.unchanged,
            rejected: summary.rejected + outcome.rejected.len() as u64,
            warnings: summary.warnings().map(|(w, n)| (w.code().to_owned(), n.count)).collect(),
            shared_phones: None,
            reject_file,
            elapsed_ms: u64::try_from((self.clock.monotonic() - began).as_millis()).unwrap_or(u64::MAX),
        }
    }

    fn bar(&self, total: Option<u64>) -> ProgressBar {
        if !self.show_progress {
            return ProgressBar::hidden();
        }
        let bar = total.map_or_else(ProgressBar::new_spinner, ProgressBar::new);
        let style = "{bar:40} {bytes}/{total_bytes} {bytes_per_sec} 剩余 {eta}";
        bar.set_style(ProgressStyle::with_template(style).unwrap_or_else(|_| ProgressStyle::default_bar()));
        bar
    }
}

/// Waits for the oldest batch under way; rows that the state did not take go to the reject file with their line and cell.
async fn settle(
    waiting: &mut std::collections::VecDeque<(Vec<(AccountNumber, u64)>, Taken)>,
    outcome: &mut FactOutcome,
    places: &Places,
    rejects: &mut RejectFile,
) -> Result<(), CommandError> {
    let Some((accounts, taken)) = waiting.pop_front() else { return Ok(()) };
    let applied = taken.await.map_err(|e| CommandError::Failed(e.to_string()))??;
    for (row, why) in &applied.facts.rejected {
        let Some((account, line)) = accounts.get(*row as usize) else { continue };
        let reject = places.reject(*line, "account", &account.to_string(), reason(*why));
        rejects.write(&reject).map_err(|e| CommandError::Failed(e.to_string()))?;
    }
    outcome.merge(&applied.facts, 0);
    Ok(())
}

type Taken = tokio::task::JoinHandle<Result<gridbell_state::Applied, gridbell_state::StateError>>;

fn read_all<T: Row>(
    mut import: Import<T>,
    to: &tokio::sync::mpsc::Sender<Batch<T>>,
) -> Result<Summary, gridbell_intake::IntakeError> {
    while let Some(batch) = import.next_batch()? {
        if to.blocking_send(batch).is_err() {
            break;
        }
    }
    Ok(import.summary().clone())
}

fn reason(why: FactReject) -> Reason {
    match why {
        FactReject::UnknownAccount => Reason::UnknownAccount,
        FactReject::UnknownStation => Reason::UnknownStation,
        FactReject::OtherPrefecture => Reason::OtherPrefecture,
        FactReject::Outdated => Reason::Outdated,
        FactReject::TooManyUnits => Reason::Full,
    }
}
