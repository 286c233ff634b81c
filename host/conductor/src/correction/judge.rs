//! What becomes of each customer of a correction: a message, or the reason why there is none. It must never tell anybody twice, and never say
//! anything of an account to a number that is not its customer's.

use std::collections::BTreeMap;

use gridbell_engine::Plugin;
use gridbell_model::{Channel, CivilMinute, CustomerView, HoldReason, MessageState, OrgTree, PrefectureCode, Topic};
use gridbell_planner::{CorrectionSetup, Corrector, Planned, Policy, WrongMessage};
use gridbell_state::{Contact, Ported, RunRecord};
use rustc_hash::{FxHashMap, FxHashSet};

use super::gather::{Told, may_have};
use super::record::Correction;
use crate::documents::{self, CORRECTION};
use crate::error::HostError;
use crate::host::Host;
use crate::settings::Settings;
use crate::ways::Ways;

/// What corrections of one part are judged by, taken at one moment.
pub(super) struct Bench {
    pub(super) settings: Settings,
    pub(super) org: std::sync::Arc<OrgTree>,
    pub(super) queues: FxHashSet<u8>,
    pub(super) ported: Ported,
    pub(super) now: CivilMinute,
    pub(super) topic: Topic,
    pub(super) texts: Vec<(Channel, String)>,
}

/// What a customer is told, and the queue in which it waits.
pub(super) type Judged = Result<(Planned, CustomerView, u8), HoldReason>;

impl Bench {
    pub(super) fn corrector<'a>(
        &'a self,
        prefecture: PrefectureCode,
        policy: Option<&'a Policy>,
        cost_per_part_milli_fen: u32,
    ) -> Result<Corrector<'a>, HostError> {
        Ok(Corrector::new(CorrectionSetup {
            rules: &self.settings.rules,
            calendar: &self.settings.calendar,
            org: &self.org,
            prefecture,
            topic: self.topic,
            policy,
            cost_per_part_milli_fen,
            texts: &self.texts,
            now: self.now,
        })?)
    }

    /// The verdict on one customer, who is seen as `view`.
    pub(super) fn judge(
        &self,
        corrector: &Corrector<'_>,
        told: &Told,
        view: Option<CustomerView>,
        lost: Option<HoldReason>,
    ) -> Judged {
        let view = view.filter(|v| v.account == told.account).ok_or(HoldReason::Closed)?;
        let wrong = WrongMessage { address_lost: lost, ..told.wrong };
        let planned = corrector.judge(&wrong, &view)?;
        let ways = Ways::new(&self.settings.segments, &self.ported, &self.queues);
        let queue = ways.of(&planned, view.row)?;
        Ok((planned, view, queue))
    }
}

/// Who was told by corrections before, by row of the prefecture: the corrections, as they are kept.
pub(super) struct Corrected {
    corrections: Vec<Correction>,
    by_row: FxHashMap<u32, Vec<usize>>,
}

impl Corrected {
    /// Whether the customer of `told` has a correction of the message already, or one of it waits.
    pub(super) fn has(&self, host: &Host, told: &Told) -> Result<bool, HostError> {
        let Some(by) = self.by_row.get(&told.row) else { return Ok(false) };
        for correction in by.iter().filter_map(|n| self.corrections.get(*n)) {
            if correction.wrong.contains(&told.run) && host.covers(correction, told)? {
                return Ok(true);
            }
        }
        Ok(false)
    }
}

impl Host {
    pub(super) fn bench(&self, topic: Topic, texts: &BTreeMap<Channel, String>) -> Result<Bench, HostError> {
        Ok(Bench {
            settings: self.settings()?,
            org: self.state().org(),
            queues: self.queues(),
            ported: self.state().ported(),
            now: self.clock().civil_minute(),
            topic,
            texts: texts.iter().map(|(channel, text)| (*channel, text.clone())).collect(),
        })
    }

    /// Whether the message of `told`, of a run that `correction` looked at, was among those that it corrected.
    fn covers(&self, correction: &Correction, told: &Told) -> Result<bool, HostError> {
        if correction.scope.takes_whole_runs() {
            return Ok(true);
        }
        let run = self.state().run(told.run).ok_or(gridbell_state::StateError::NoRun(told.run))?;
        let plugin = self.manifest_for(&correction.scope, &run)?;
        Ok(correction.scope.takes(plugin.as_ref().map(Plugin::manifest), told.wording()))
    }

    /// Who was told by corrections other than `but` in `prefecture`: theirs came, may have come, or waits still. One that certainly did not come
    /// corrects nothing. Blocks.
    pub(super) fn corrected(&self, prefecture: PrefectureCode, but: u64) -> Result<Corrected, HostError> {
        let mut all = Corrected { corrections: Vec::new(), by_row: FxHashMap::default() };
        for (key, doc) in self.state().docs(CORRECTION) {
            let correction: Correction = documents::parse(CORRECTION, &key, &doc.value)?;
            if correction.id == but {
                continue;
            }
            let at = all.corrections.len();
            let parts = correction.parts.iter().filter(|p| p.prefecture == prefecture);
            for run in parts.flat_map(|p| p.runs.clone()) {
                // What its messages correct left for the archives before them.
                let Some(run) = self.state().run(run) else { continue };
                self.told_by(&run, |row| all.by_row.entry(row).or_default().push(at))?;
            }
            all.corrections.push(correction);
        }
        Ok(all)
    }

    fn told_by(&self, run: &RunRecord, mut tell: impl FnMut(u32)) -> Result<(), HostError> {
        for segment in 0..u32::try_from(run.segments.len()).unwrap_or(u32::MAX) {
            for (decision, status) in self.state().decisions_and_states(run, segment)? {
                let stands = status.is_some_and(|s| may_have(&s) || s.state == MessageState::Queued);
                if stands {
                    tell(decision.row);
                }
            }
        }
        Ok(())
    }

    /// Why the address of each of `told` that went to a platform is not the customer's any more, in their order. Blocks.
    pub(super) fn lost(&self, prefecture: PrefectureCode, told: &[Told]) -> Result<Vec<Option<HoldReason>>, HostError> {
        let mut lost = vec![None; told.len()];
        for channel in Channel::PLATFORMS {
            let here: Vec<usize> = (0..told.len()).filter(|n| told[*n].wrong.channel == channel).collect();
            let rows: Vec<u32> = here.iter().map(|n| told[*n].row).collect();
            let app = self.app_of(channel);
            let contacts = self.state().contacts_at(prefecture, &rows, channel)?;
            for (n, contact) in here.into_iter().zip(contacts) {
                lost[n] = lost_since(contact, app.as_deref(), &told[n]);
            }
        }
        Ok(lost)
    }
}

fn lost_since(contact: Option<Contact>, app: Option<&str>, told: &Told) -> Option<HoldReason> {
    let ours = |c: &Contact| c.app.is_empty() || app.is_none_or(|app| app == c.app);
    match contact.filter(ours) {
        None => Some(HoldReason::NoAddress),
        Some(contact) => (contact.since > told.queued_at).then_some(HoldReason::AddressChanged),
    }
}
