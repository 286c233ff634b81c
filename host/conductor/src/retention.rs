//! The province's retention periods at work: the daily pass in a quiet hour, passes by hand, and looking into the archives.

use std::collections::BTreeSet;
use std::time::Duration;

use gridbell_archive::{Archive, Found, Kind, Query};
use gridbell_model::{AccountNumber, Date, Phone};
use gridbell_planner::{ProvinceRules, RecordKind};
use gridbell_state::{Cutoffs, Ended, Leaving, RunRecord, State};
use serde_json::Value;
use tokio_util::sync::CancellationToken;

use crate::archive::{ArchivePass, Archiver, Titles, blocking};
use crate::error::HostError;
use crate::host::Host;
use crate::runs::like_runs;

/// Records that one search finds at most.
pub const MAX_FOUND: usize = 10_000;
/// The civil minutes of the day in which the daily pass begins: 03:30 to 06:00, when nothing is sent.
const QUIET: std::ops::Range<u32> = 210..360;
/// How often the clock is looked at.
const LOOK: Duration = Duration::from_secs(30);
/// The alarm when a pass fails.
const FAILED: &str = "archive.failed";
/// The alarm when the history cannot be written.
const HISTORY_FAILED: &str = "history.failed";

/// What is looked for in the archives.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct ArchiveSearch {
    /// Records about this account.
    pub account: Option<AccountNumber>,
    /// Records about this number.
    pub phone: Option<Phone>,
    /// Of these kinds; empty for all.
    pub kinds: Vec<Kind>,
    /// From this civil day on; [`Date::NONE`] from the first.
    pub from: Date,
    /// Up to this civil day, included; [`Date::NONE`] to the last.
    pub to: Date,
    /// So many at most, the newest first; never more than [`MAX_FOUND`].
    pub limit: usize,
}

/// A record that was found.
#[derive(Clone, Debug, PartialEq)]
pub struct ArchivedRecord {
    /// The number of its file.
    pub file: u64,
    /// What it tells of.
    pub kind: Kind,
    /// The civil time by which it is found.
    pub at: gridbell_model::Moment,
    /// What it says. Numbers are masked.
    pub body: Value,
}

impl ArchivedRecord {
    /// Whether it is a pilot's sample to a test number, or the record of such: nothing that the customer was told. Archives from before there were
    /// any say nothing of it.
    #[must_use]
    pub fn is_sample(&self) -> bool {
        self.body["sample"] == true
    }
}

/// Documents that are changed or taken away in one commit.
const TIDIED_AT_ONCE: usize = 500;

impl Host {
    fn archiver(&self) -> Archiver {
        let host = self.clone();
        let titles = move |run: &RunRecord| host.titles_of(run);
        Archiver::new(self.state().clone(), self.archive().clone(), self.clock().clone(), titles)
    }

    fn titles_of(&self, run: &RunRecord) -> Titles {
        if run.is_answers() {
            return Titles::of(gridbell_planner::answers_manifest());
        }
        let plugins = self.loaded_plugins();
        let of_run = plugins.iter().find(|p| p.digest().to_string() == run.digest);
        of_run.map_or_else(Titles::default, |p| Titles::of(p.manifest()))
    }

    fn cutoffs(&self, before: Option<Date>) -> Result<Cutoffs, HostError> {
        let (rules, today) = (self.settings()?.rules, self.clock().today());
        match before {
            None => Ok(cutoffs(&rules, today)),
            Some(day) if day <= today.plus_days(1) => Ok(Cutoffs::before(day, like_runs(&rules.blast_radius))),
            Some(day) => {
                Err(HostError::Invalid(format!("`{day}` is later than tomorrow: nothing ends before its day")))
            }
        }
    }

    /// Moves what is older than the province keeps online to the archives; with `before`, whatever ended before that civil day.
    ///
    /// # Errors
    /// While the province has no rules; when a file cannot be written or the state refuses. What is in earlier files has left, the rest stays.
    pub async fn run_archive(
        &self,
        who: &str,
        before: Option<Date>,
        stop: &CancellationToken,
    ) -> Result<ArchivePass, HostError> {
        let _one_at_a_time = self.archiving().lock().await;
        self.archiver().pass(&self.cutoffs(before)?, who, stop).await
    }

    /// What [`Host::run_archive`] would move now.
    ///
    /// # Errors
    /// While the province has no rules, or when the store cannot be read.
    pub async fn archive_due(&self, before: Option<Date>) -> Result<Leaving, HostError> {
        self.archiver().due(&self.cutoffs(before)?, u64::MAX / 2, Ended::Known).await
    }

    /// Runs a pass once each civil day in the quiet hours, or at any hour when a day was missed, until `stop`. A pass that a killed host had begun
    /// is completed first.
    pub async fn keep_archives(&self, stop: CancellationToken) {
        let begun = {
            let _one_at_a_time = self.archiving().lock().await;
            self.archiver().complete("system").await
        };
        self.tell(begun.map(|_| ()));
        // A host that is never up in the quiet hours archives too: what counts is when something left last.
        let head = self.state().archive_head();
        let mut last = if head.file > 0 { head.at.date() } else { Date::NONE };
        loop {
            tokio::select! {
                () = stop.cancelled() => return,
                () = self.clock().sleep(LOOK) => {}
            }
            self.watch_history();
            let now = self.clock().civil_minute();
            if !is_time(last, now) {
                continue;
            }
            last = now.date();
            let pass = self.run_archive("system", None, &stop).await;
            if let Ok(pass) = &pass
                && !pass.files.is_empty()
            {
                let entries: u64 = pass.entries.values().sum();
                tracing::info!(files = pass.files.len(), entries, "archive.written");
            }
            self.tell(pass.map(|_| ()));
            self.tell(self.tidy_documents().await.map(|_| ()));
        }
    }

    /// Takes documents away that nobody needs any more: work orders that were closed long ago, and carriers' counts of months that were settled.
    /// What they said is in the audit log. Returns how many went.
    ///
    /// # Errors
    /// When a document cannot be read or the state refuses.
    pub async fn tidy_documents(&self) -> Result<usize, HostError> {
        let host = self.clone();
        let work = move || {
            let mut tidied = crate::work_orders::tidied(host.state(), host.clock().now())?;
            tidied.extend(crate::reconcile::outdated(host.state(), host.clock().today()));
            Ok::<_, HostError>(tidied)
        };
        let changes = blocking(self.clock(), work).await?;
        let mut gone = 0;
        for some in changes.chunks(TIDIED_AT_ONCE) {
            let count = some.iter().filter(|doc| doc.value.is_none()).count();
            let detail = serde_json::json!({ "documents": count });
            let audit = (count > 0).then(|| crate::documents::note("system", "documents.tidy", "documents", detail));
            // Each is changed as it was read, or not at all: the next day it is looked at again.
            self.state().put_docs(some.to_vec(), audit.into_iter().collect()).await?;
            gone += count;
        }
        Ok(gone)
    }

    /// Tells the state for how long the province keeps its history.
    pub(crate) fn keep_history(&self) {
        if let Ok(settings) = self.settings() {
            self.state().keep_history(settings.rules.retention(RecordKind::History));
        }
    }

    /// Raises or takes back the alarm about the history.
    pub(crate) fn watch_history(&self) {
        match self.state().history().and_then(|h| h.failure) {
            None => self.clear_alarm(HISTORY_FAILED, "history"),
            Some(why) => self.raise(
                HISTORY_FAILED,
                "history",
                format!("the journal stays in the store until the next checkpoint can write it: {why}"),
            ),
        }
    }

    fn tell(&self, result: Result<(), HostError>) {
        match result {
            Ok(()) => self.clear_alarm(FAILED, "archives"),
            Err(e) => self.raise(FAILED, "archives", format!("nothing was lost, it is tried again tomorrow: {e}")),
        }
    }

    /// Records of the archives that answer `search`.
    ///
    /// # Errors
    /// When a file cannot be read or was changed.
    pub async fn search_archive(&self, search: ArchiveSearch) -> Result<Vec<ArchivedRecord>, HostError> {
        let (state, archive) = (self.state().clone(), self.archive().clone());
        blocking(self.clock(), move || search_archive(&state, &archive, &search)).await
    }
}

/// Whether the pass of the day is due at `now`, when the last one was on `last`.
fn is_time(last: Date, now: gridbell_model::CivilMinute) -> bool {
    let days = now.date().0.saturating_sub(last.0);
    days > 1 || days == 1 && QUIET.contains(&now.minute_of_day())
}

/// Until when records may leave, on `today`.
fn cutoffs(rules: &ProvinceRules, today: Date) -> Cutoffs {
    let days = |kind| rules.retention(kind);
    Cutoffs::of_days(
        today,
        days(RecordKind::Message),
        days(RecordKind::Run),
        days(RecordKind::Inbound),
        days(RecordKind::Audit),
        like_runs(&rules.blast_radius),
    )
}

/// Records of `archive` that answer `search`, as far as they may still be shown: the number of a customer whose contact was erased since finds
/// nothing and is not shown, nor is a reply of a number that is nobody's any more.
///
/// # Errors
/// When a file cannot be read or was changed.
pub fn search_archive(
    state: &State,
    archive: &Archive,
    search: &ArchiveSearch,
) -> Result<Vec<ArchivedRecord>, HostError> {
    let mut keys = Vec::new();
    if let Some(account) = search.account {
        keys.extend(archive.account_keys(account));
    }
    if let Some(phone) = search.phone {
        keys.extend(archive.phone_keys(phone));
    }
    let query = Query {
        keys,
        kinds: search.kinds.clone(),
        from: search.from,
        to: search.to,
        limit: search.limit.min(MAX_FOUND),
    };
    let found = archive.search(state.archive_head().file, &query)?;
    let by_number = search.phone.map(Phone::number).filter(|n| *n != 0);
    let known = by_number.is_none_or(|n| !state.known_numbers(&BTreeSet::from([n])).is_empty());
    Ok(found.into_iter().filter_map(|found| shown(state, found, search, known)).collect())
}

fn shown(state: &State, found: Found, search: &ArchiveSearch, known: bool) -> Option<ArchivedRecord> {
    let Found { file, entry } = found;
    let mut body: Value = serde_json::from_str(&entry.body).unwrap_or(Value::String(entry.body));
    let account = body["account"].as_str().and_then(|a| a.parse::<AccountNumber>().ok());
    let erased = account.is_some_and(|a| state.customer(a).is_none_or(|(_, view)| view.phone.number() == 0));
    if erased {
        // Asked by number alone, it would tell whose the number was.
        if search.account.is_none() && search.phone.is_some() {
            return None;
        }
        if let Some(map) = body.as_object_mut() {
            map.remove("phone");
        }
    }
    if entry.kind == Kind::Inbound && !known {
        return None;
    }
    Some(ArchivedRecord { file, kind: entry.kind, at: entry.at, body })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_pass_comes_once_a_day_in_the_quiet_hours_or_when_a_day_was_missed() {
        let day = |d: u32| Date::from_ymd(2026, 11, d).unwrap_or(Date::NONE);
        for (last, now, due) in [
            (20, day(20).at(4, 0), false),
            (20, day(21).at(3, 29), false),
            (20, day(21).at(3, 30), true),
            (20, day(21).at(6, 0), false),
            (20, day(22).at(0, 0), true),
            (20, day(19).at(4, 0), false),
        ] {
            assert_eq!(is_time(day(last), now), due, "{last} {now}");
        }
        assert!(is_time(Date::NONE, day(20).at(12, 0)), "never yet");
    }
}
