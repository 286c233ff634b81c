//! A file's rows into the state: read on a thread of its own, taken in through the bulk lane batch by batch, refused rows into a report. The
//! command and the API import through this one function. Must never hold more of a file than a few batches.

use std::collections::{BTreeMap, VecDeque};
use std::path::PathBuf;

use gridbell_intake::{
    BalanceRow, Batch, BillRow, ContactRow, CustomerRow, Import, IntakeError, Kind, Options, PaymentRow, Places,
    PortedRow, Reason, Reject, RejectFile, Row, Summary, SupplyRow, Warning,
};
use gridbell_model::OrgCode;
use gridbell_state::{FactReject, Facts, Handed, State};
use gridbell_topology::{GridFact, LineFact, SectionFact, SubstationFact, TransformerFact};
use serde::{Deserialize, Serialize};

use crate::error::HostError;
use crate::facts::{IntoFact, Subject};

use super::grid::{Later, reject, resolve};

/// Batches that are on their way to the state while the next are parsed.
const UNDER_WAY: usize = 3;
/// A batch is taken in as one op.
const _: () = assert!(Import::<CustomerRow>::MAX_BATCH_ROWS <= gridbell_state::MAX_FACTS_PER_OP);

/// A file to take in.
#[derive(Clone, Debug)]
pub struct ImportFile {
    /// What it holds.
    pub kind: Kind,
    /// Where it is.
    pub path: PathBuf,
    /// What those who sent it call it.
    pub name: String,
    /// How it is to be read.
    pub options: Options,
    /// The unit to whose subtree its rows must belong; none for the whole province.
    pub scope: Option<OrgCode>,
}

/// What an import did so far; at its end, what it did.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct ImportTally {
    /// Rows of the file, header and blank lines left out.
    pub rows: u64,
    /// Customers that are new.
    pub created: u64,
    /// Rows that changed something.
    pub changed: u64,
    /// Rows that were known already.
    pub unchanged: u64,
    /// Rows not taken: each is in the reject report with its reason.
    pub rejected: u64,
    /// Things to look at in rows that were taken, by the code of the warning.
    pub warnings: BTreeMap<String, u64>,
    /// Rows not taken, by the code of the reason.
    pub reasons: BTreeMap<String, u64>,
    /// Bytes of the file read.
    pub bytes_read: u64,
    /// Bytes of the file.
    pub bytes: u64,
}

impl ImportTally {
    /// Rows that were taken.
    #[must_use]
    pub fn accepted(&self) -> u64 {
        self.created + self.changed + self.unchanged
    }

    /// Things to look at in rows that were taken.
    #[must_use]
    pub fn flagged(&self) -> u64 {
        self.warnings.values().sum()
    }

    fn refuse(&mut self, reason: Reason) {
        self.rejected += 1;
        *self.reasons.entry(reason.code().to_owned()).or_default() += 1;
    }

    fn flag(&mut self, warning: Warning, count: usize) {
        if count > 0 {
            *self.warnings.entry(warning.code().to_owned()).or_default() += count as u64;
        }
    }
}

/// Where a row says that it belongs, if it says so itself.
trait Claims {
    fn station(&self) -> Option<OrgCode> {
        None
    }
}

impl Claims for CustomerRow {
    fn station(&self) -> Option<OrgCode> {
        Some(self.station)
    }
}
impl Claims for BillRow {}
impl Claims for BalanceRow {}
impl Claims for PaymentRow {}
impl Claims for ContactRow {}
impl Claims for PortedRow {}
impl Claims for SubstationFact {}
impl Claims for LineFact {}
impl Claims for SectionFact {}
impl Claims for TransformerFact {}
impl Claims for SupplyRow {}

/// Takes `file` into `state`; rows that are not taken go to `rejects`. `watch` is told after each batch and says whether to go on: where it says
/// no, what was taken stands and the second value is false.
///
/// # Errors
/// When the file cannot be read as a whole, the reject report cannot be written or the state refuses. What was taken before stands.
pub async fn take_file(
    state: &State,
    file: &ImportFile,
    rejects: RejectFile,
    watch: &(dyn Fn(&ImportTally) -> bool + Send + Sync),
) -> Result<(ImportTally, bool), HostError> {
    match file.kind {
        Kind::Customers => take::<CustomerRow>(state, file, rejects, watch, Facts::Customers).await,
        Kind::Bills => take::<BillRow>(state, file, rejects, watch, Facts::Bills).await,
        Kind::Balances => take::<BalanceRow>(state, file, rejects, watch, Facts::Balances).await,
        Kind::Payments => take::<PaymentRow>(state, file, rejects, watch, Facts::Payments).await,
        Kind::Contacts => take::<ContactRow>(state, file, rejects, watch, Facts::Contacts).await,
        Kind::Ported => take::<PortedRow>(state, file, rejects, watch, Facts::Ported).await,
        Kind::Substations => take::<SubstationFact>(state, file, rejects, watch, Facts::Grid).await,
        Kind::Lines => take::<LineFact>(state, file, rejects, watch, Facts::Grid).await,
        Kind::Sections => take::<SectionFact>(state, file, rejects, watch, Facts::Grid).await,
        Kind::Transformers => take::<TransformerFact>(state, file, rejects, watch, Facts::Grid).await,
        Kind::Supply => {
            let facts = |rows| Facts::Supply(resolve(&state.grid(), rows));
            take::<SupplyRow>(state, file, rejects, watch, facts).await
        }
    }
}

async fn take<T: Row + IntoFact + Claims>(
    state: &State,
    file: &ImportFile,
    rejects: RejectFile,
    watch: &(dyn Fn(&ImportTally) -> bool + Send + Sync),
    facts: impl Fn(Vec<T::Fact>) -> Facts,
) -> Result<(ImportTally, bool), HostError>
where
    T::Fact: Send + 'static,
{
    let import = Import::<T>::open_as(&file.path, &file.name, &file.options)?;
    let progress = import.progress();
    let places = import.places();
    let (tally, later) = (ImportTally::default(), Later::default());
    let mut work = Work { state, places, rejects, tally, later, waiting: VecDeque::new() };
    work.tally.bytes = progress.total_bytes().unwrap_or(0);
    // The file is read on a thread of its own; the channel is the back-pressure.
    let (tx, mut rx) = tokio::sync::mpsc::channel::<Batch<T>>(UNDER_WAY);
    let reader = tokio::task::spawn_blocking(move || read_all(import, &tx));
    let mut whole = true;
    while let Some(batch) = rx.recv().await {
        work.tally.bytes_read = progress.bytes_read();
        work.tally.rows += (batch.rows.len() + batch.rejects.len()) as u64;
        for reject in &batch.rejects {
            work.refuse(reject)?;
        }
        let (rows, lines) = work.within(batch, file.scope)?;
        if !rows.is_empty() {
            let places = rows.iter().map(IntoFact::subject).zip(lines).collect();
            let facts = facts(rows.into_iter().map(IntoFact::into_fact).collect());
            work.hand(facts, places).await?;
        }
        if !watch(&work.tally) {
            whole = false;
            break;
        }
    }
    // Dropped, so that a reader that was stopped in the middle does not wait for room.
    drop(rx);
    work.settle_all().await?;
    work.try_again().await?;
    let summary = reader.await.map_err(|e| HostError::Task(e.to_string()))??;
    let mut tally = work.tally;
    if whole {
        tally.bytes_read = tally.bytes.max(tally.bytes_read);
    }
    summary.warnings().for_each(|(w, n)| tally.flag(w, usize::try_from(n.count).unwrap_or(usize::MAX)));
    work.rejects.finish()?;
    watch(&tally);
    Ok((tally, whole))
}

/// A batch on its way: the places of its rows, and of facts about the grid what may have to be tried again.
struct Waiting {
    places: Vec<(Subject, u64)>,
    facts: Vec<GridFact>,
    taken: Handed,
}

struct Work<'a> {
    state: &'a State,
    places: Places,
    rejects: RejectFile,
    tally: ImportTally,
    later: Later,
    waiting: VecDeque<Waiting>,
}

impl Work<'_> {
    fn refuse(&mut self, reject: &Reject) -> Result<(), HostError> {
        self.tally.refuse(reject.reason);
        Ok(self.rejects.write(reject)?)
    }

    /// The rows that belong to `scope`; the others are refused.
    fn within<T: IntoFact + Claims>(
        &mut self,
        batch: Batch<T>,
        scope: Option<OrgCode>,
    ) -> Result<(Vec<T>, Vec<u64>), HostError> {
        let Some(scope) = scope else { return Ok((batch.rows, batch.lines)) };
        let org = self.state.org();
        let (mut rows, mut lines) = (Vec::with_capacity(batch.rows.len()), Vec::with_capacity(batch.rows.len()));
        for (row, line) in batch.rows.into_iter().zip(batch.lines) {
            let (field, value) = row.subject().field();
            let known = match row.subject() {
                Subject::Account(account) | Subject::Supply(account, _) => {
                    self.state.customer(account).map(|(_, view)| view.station)
                }
                // Whose numbers are, and the grid, are the province's: who may import it has no scope.
                Subject::Number(_) | Subject::Thing(_) => None,
            };
            let (column, value, reason) = match (row.station(), known) {
                (Some(station), _) if !org.is_within(station, scope) => {
                    ("station", station.to_string(), Reason::OutsideScope)
                }
                (Some(_), Some(known)) if !org.is_within(known, scope) => (field, value, Reason::OutsideScope),
                (Some(_), _) => {
                    rows.push(row);
                    lines.push(line);
                    continue;
                }
                (None, Some(known)) if org.is_within(known, scope) => {
                    rows.push(row);
                    lines.push(line);
                    continue;
                }
                // Outside the scope an account is as unknown as one that is not there.
                (None, _) => (field, value, Reason::UnknownAccount),
            };
            let reject = self.places.reject(line, column, &value, reason);
            self.refuse(&reject)?;
        }
        Ok((rows, lines))
    }

    /// Hands a batch over, and waits for the oldest where enough are under way.
    async fn hand(&mut self, facts: Facts, places: Vec<(Subject, u64)>) -> Result<(), HostError> {
        let again = match &facts {
            Facts::Grid(facts) if matches!(facts.first(), Some(GridFact::Section(_))) => facts.clone(),
            _ => Vec::new(),
        };
        // Handed over here and not by a task for each: two tasks may begin in either order.
        let taken = self.state.hand_facts(facts, true, Vec::new()).await?;
        self.waiting.push_back(Waiting { places, facts: again, taken });
        if self.waiting.len() >= UNDER_WAY {
            self.settle().await?;
        }
        Ok(())
    }

    /// Waits for the oldest batch under way; rows that the state did not take go to the reject report with their line.
    async fn settle(&mut self) -> Result<(), HostError> {
        let Some(Waiting { places, facts, taken }) = self.waiting.pop_front() else { return Ok(()) };
        let applied = taken.durable().await?;
        for (row, why) in &applied.facts.rejected {
            let Some((subject, line)) = places.get(*row as usize) else { continue };
            let (field, value) = match (subject, why) {
                (Subject::Supply(_, code), FactReject::UnknownTransformer) => ("transformer", code.to_string()),
                _ => subject.field(),
            };
            let reject = self.places.reject(*line, field, &value, reason(*why));
            self.refuse(&reject)?;
        }
        for (row, why) in &applied.grid.refused {
            let Some((subject, line)) = places.get(*row as usize) else { continue };
            let may_be_later = facts.get(*row as usize).is_some_and(|f| self.later.keep(f, subject, *line, why));
            if !may_be_later && let Subject::Thing(code) = subject {
                let (field, value, why) = reject(why, code);
                let reject = self.places.reject(*line, field, &value, why);
                self.refuse(&reject)?;
            }
        }
        self.tally.flag(Warning::OtherPrefecture, applied.facts.flagged.len() + applied.grid.warned.len());
        self.tally.created += applied.facts.created + applied.grid.created;
        self.tally.changed += applied.facts.changed + applied.grid.changed;
        self.tally.unchanged += applied.facts.unchanged + applied.grid.unchanged;
        Ok(())
    }

    async fn settle_all(&mut self) -> Result<(), HostError> {
        while !self.waiting.is_empty() {
            self.settle().await?;
        }
        Ok(())
    }

    /// Tries what named something that came later in the file, as long as each round takes some of it.
    async fn try_again(&mut self) -> Result<(), HostError> {
        let mut left = usize::MAX;
        while (1..left).contains(&self.later.len()) {
            left = self.later.len();
            let mut rows = self.later.take().into_iter().peekable();
            while rows.peek().is_some() {
                let some = rows.by_ref().take(Import::<SectionFact>::MAX_BATCH_ROWS);
                let (facts, places) = some.map(|(fact, subject, line)| (fact, (subject, line))).unzip();
                self.hand(Facts::Grid(facts), places).await?;
            }
            self.settle_all().await?;
        }
        for (line, code, why) in self.later.refused() {
            let (_, value, why) = reject(&why, &code);
            let reject = self.places.reject(line, "upstream", &value, why);
            self.refuse(&reject)?;
        }
        Ok(())
    }
}

fn read_all<T: Row>(mut import: Import<T>, to: &tokio::sync::mpsc::Sender<Batch<T>>) -> Result<Summary, IntakeError> {
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
        FactReject::NoPlatform => Reason::Channel,
        FactReject::NoMobile => Reason::Mobile,
        FactReject::TooManyPorted => Reason::PortedFull,
        FactReject::UnknownTransformer => Reason::UnknownTransformer,
        FactReject::NoSource => Reason::Source,
    }
}
