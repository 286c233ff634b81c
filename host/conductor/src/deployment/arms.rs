//! Who of the customers a version decides for: the live one for all, or all but a canary's share and a pilot's stations.

use std::sync::Arc;
use std::sync::atomic::AtomicBool;

use gridbell_engine::{Digest, Plugin};
use gridbell_model::{AccountNumber, OrgCode, OrgTree};
use gridbell_state::Snapshot;
use serde::{Deserialize, Serialize};

use super::{Canary, Pilot};

/// A version and the customers that it decides for in one run.
#[derive(Clone)]
pub(crate) struct Arm {
    /// The version.
    pub(crate) plugin: Plugin,
    /// Whom it decides for; none for everybody.
    pub(crate) share: Option<KeptShare>,
    /// In the run's record; empty for the live version.
    pub(crate) words: String,
    /// Whether its run, if it decides, serves the schedule's occurrence.
    pub(crate) serves: bool,
    /// Whether its run serves the occurrence even if it fails: no other version is tried after it.
    pub(crate) last: bool,
    /// Set when the run is to end before its next batch.
    pub(crate) stop: Arc<AtomicBool>,
}

impl Arm {
    /// The scope of its run in words: of like runs the like share is compared.
    pub(crate) fn scope_words(&self, scope: String) -> String {
        let parts = [self.words.clone(), scope];
        parts.into_iter().filter(|p| !p.is_empty()).collect::<Vec<_>>().join(", ")
    }
}

/// The customers whom one version decides for where several do, as it is kept with the run: a replay finds the same.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct KeptShare {
    /// Prefecture and policy: each policy draws its own hundredths.
    pub key: String,
    /// Only these; everybody if none.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub only: Option<Part>,
    /// Nobody of these: others decided for them.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub but: Vec<Part>,
}

/// Some of the customers: those of whom everything holds that is said here.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct Part {
    /// Under one of these units; anywhere if empty.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub under: Vec<OrgCode>,
    /// Under none of these.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub not_under: Vec<OrgCode>,
    /// In the first so many hundredths, by a hash of the account number.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub percent: Option<u8>,
}

impl Part {
    /// A pilot's.
    pub(crate) fn pilot(pilot: &Pilot) -> Self {
        Self { under: pilot.stations.clone(), ..Self::default() }
    }

    /// A canary's: of those whom the pilot leaves.
    pub(crate) fn canary(canary: &Canary, pilot: Option<&Pilot>) -> Self {
        let not_under = pilot.map(|p| p.stations.clone()).unwrap_or_default();
        Self { under: Vec::new(), not_under, percent: Some(canary.percent) }
    }

    /// Its rows among `among` (all when none), ascending.
    fn rows(&self, salt: u64, org: &OrgTree, snapshot: &Snapshot, among: &[u32]) -> Vec<u32> {
        let under = |units: &[OrgCode], station| units.iter().any(|u| org.is_within(station, *u));
        let here = |station: OrgCode, _| {
            (self.under.is_empty() || under(&self.under, station)) && !under(&self.not_under, station)
        };
        let everywhere = self.under.is_empty() && self.not_under.is_empty();
        let mut stations = if everywhere { Vec::new() } else { snapshot.select(here) };
        stations.sort_unstable();
        let inside = |row: &u32| {
            let drawn = |percent| snapshot.account(*row).is_some_and(|a| bucket(a, salt) < u64::from(percent));
            (everywhere || stations.binary_search(row).is_ok()) && self.percent.is_none_or(drawn)
        };
        among.iter().copied().filter(inside).collect()
    }
}

impl KeptShare {
    /// Its rows among `among` (all when none), ascending.
    #[must_use]
    pub fn rows(&self, org: &OrgTree, snapshot: &Snapshot, among: Option<Vec<u32>>) -> Vec<u32> {
        let salt = salt(&self.key);
        let mut rows = among.unwrap_or_else(|| (0..snapshot.rows()).collect());
        rows.sort_unstable();
        if let Some(only) = &self.only {
            rows = only.rows(salt, org, snapshot, &rows);
        }
        for but in &self.but {
            let others = but.rows(salt, org, snapshot, &rows);
            rows.retain(|row| others.binary_search(row).is_err());
        }
        rows
    }
}

/// A customer's place in a hundred: the same for one policy in every run, and another for another policy.
fn bucket(account: AccountNumber, salt: u64) -> u64 {
    // splitmix64's finish: every bit of the account and the salt moves every bit of the answer.
    let mut x = account.packed() ^ salt;
    x = (x ^ (x >> 30)).wrapping_mul(0xbf58_476d_1ce4_e5b9);
    x = (x ^ (x >> 27)).wrapping_mul(0x94d0_49bb_1331_11eb);
    (x ^ (x >> 31)) % 100
}

fn salt(key: &str) -> u64 {
    let digest = Digest::of(key.as_bytes());
    let mut eight = [0; 8];
    eight.copy_from_slice(&digest.as_bytes()[..8]);
    u64::from_le_bytes(eight)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_share_is_near_its_percent_stays_the_same_and_differs_by_policy() {
        let account = |n: u64| format!("{n:010}").parse::<AccountNumber>().unwrap();
        let of = |key: &str| (0..20_000).filter(|n| bucket(account(*n), salt(key)) < 10).collect::<Vec<_>>();
        let (a, again, b) = (of("140100/a"), of("140100/a"), of("140100/b"));
        assert_eq!(a, again);
        assert!((1_800..2_200).contains(&a.len()), "{} of 20000", a.len());
        let both = a.iter().filter(|n| b.contains(n)).count();
        assert!(both < 400, "{both} are in both shares: each policy draws its own");
    }
}
