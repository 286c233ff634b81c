//! What a run was made from besides its customers, written down with the run so that it can be understood, and done again, years later: policy,
//! rules, texts, calendar, number segments and org tree as documents by their SHA-256, and beside them what else decided. What the plugin saw of
//! each decided customer is kept with the decision. Decides nothing.

use std::collections::BTreeMap;
use std::sync::Arc;

use gridbell_contract::{Fact, FactId};
use gridbell_engine::Plugin;
use gridbell_model::{AccountNumber, CHUNK_ROWS, ColumnId, Decision, OrgCode, OrgTree, RunId, Segments, Table};
use gridbell_planner::{Calendar, Policy, ProvinceRules, RunScope, TemplateSet};
use gridbell_state::{ContentHash, KeptRun, RunWriter, SeenFacts, Snapshot, State, content_hash};
use rayon::prelude::*;
use rustc_hash::FxHashSet;
use serde::de::DeserializeOwned;
use serde::{Deserialize, Serialize};

use crate::archived::hex;
use crate::deployment::KeptShare;
use crate::error::HostError;
use crate::host::Host;
use crate::runs::{Prepared, RunRequest};
use crate::settings::{Settings, read_segments};

const POLICY: &str = "policy";
const RULES: &str = "rules";
const TEMPLATES: &str = "templates";
const CALENDAR: &str = "calendar";
const SEGMENTS: &str = "segments";
const ORG: &str = "org";

/// What decided a run besides the customers, as it is written down. Grows by fields with defaults.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct RunBasis {
    /// SHA-256 of each document, hex, by what it is.
    pub documents: BTreeMap<String, String>,
    /// Numbers about the trigger: registry id and value.
    pub facts: Vec<(u16, i64)>,
    /// Whom it could reach within the policy's scope.
    pub scope: KeptScope,
    /// Carriers that a link served.
    pub carriers: Vec<u8>,
    /// What the sample outside the plugin's interest was drawn with.
    pub sample_seed: u64,
    /// The customers whom its version decided for, where others decided for the rest; none for all.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub share: Option<KeptShare>,
}

/// [`RunScope`] as it is written down.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct KeptScope {
    /// Customers under any of these units; all if empty.
    pub orgs: Vec<OrgCode>,
    /// Customers in any of these reading sections; all if empty.
    pub sections: Vec<u32>,
    /// Not these customers.
    pub exclude: Vec<AccountNumber>,
}

impl KeptScope {
    fn of(scope: &RunScope) -> Self {
        let mut sections: Vec<u32> = scope.sections.iter().copied().collect();
        sections.sort_unstable();
        let mut exclude: Vec<AccountNumber> = scope.exclude.iter().copied().collect();
        exclude.sort_unstable();
        Self { orgs: scope.orgs.clone(), sections, exclude }
    }

    /// As a run takes it.
    #[must_use]
    pub fn scope(&self) -> RunScope {
        RunScope {
            orgs: self.orgs.clone(),
            sections: self.sections.iter().copied().collect(),
            exclude: self.exclude.iter().copied().collect(),
        }
    }
}

/// What is written down with a run, ready for its commit.
pub(crate) struct Written {
    pub(crate) basis: Vec<u8>,
    pub(crate) documents: Vec<Arc<[u8]>>,
}

/// What a run is written down from.
pub(crate) struct Sources<'a> {
    pub(crate) policy: &'a Policy,
    pub(crate) settings: &'a Settings,
    pub(crate) org: &'a OrgTree,
    pub(crate) facts: &'a [Fact],
    pub(crate) scope: &'a RunScope,
    pub(crate) carriers: &'a FxHashSet<u8>,
    pub(crate) share: Option<&'a KeptShare>,
    pub(crate) sample: RunId,
}

impl Sources<'_> {
    /// Writes it down.
    pub(crate) fn write(&self) -> Result<Written, HostError> {
        let settings = self.settings;
        let documents: [(&str, Arc<[u8]>); 6] = [
            (POLICY, json(POLICY, self.policy)?),
            (RULES, json(RULES, &*settings.rules)?),
            (TEMPLATES, json(TEMPLATES, &*settings.templates)?),
            (CALENDAR, json(CALENDAR, &*settings.calendar)?),
            (SEGMENTS, settings.segments_text.as_bytes().into()),
            (ORG, json(ORG, self.org)?),
        ];
        let mut carriers: Vec<u8> = self.carriers.iter().copied().collect();
        carriers.sort_unstable();
        let basis = RunBasis {
            documents: documents.iter().map(|(what, d)| ((*what).to_owned(), hex(&content_hash(d)))).collect(),
            facts: self.facts.iter().map(|f| (f.id.0, f.value)).collect(),
            scope: KeptScope::of(self.scope),
            carriers,
            sample_seed: self.sample.0,
            share: self.share.cloned(),
        };
        let documents = documents.into_iter().map(|(_, d)| d).collect();
        Ok(Written { basis: json("basis", &basis)?.to_vec(), documents })
    }
}

fn json<T: Serialize>(what: &str, value: &T) -> Result<Arc<[u8]>, HostError> {
    let bytes = serde_json::to_vec(value).map_err(|source| HostError::Document { name: what.to_owned(), source })?;
    Ok(bytes.into())
}

impl Host {
    /// Writes down with the run what it is made from.
    pub(crate) fn keep(
        &self,
        writer: &mut RunWriter,
        request: &RunRequest,
        prepared: &Prepared,
        sample: RunId,
    ) -> Result<(), HostError> {
        let sources = Sources {
            policy: &prepared.policy,
            settings: &prepared.settings,
            org: &prepared.org,
            facts: &prepared.run.facts,
            scope: &request.scope,
            carriers: &self.queues(),
            share: prepared.share.as_ref(),
            sample,
        };
        let written = sources.write()?;
        Ok(writer.keep(written.basis, written.documents)?)
    }

    /// What the plugin saw of the customers whom it decided about.
    pub(crate) async fn seen(
        &self,
        prepared: &Arc<Prepared>,
        snapshot: &Snapshot,
        decisions: &Arc<Vec<Decision>>,
        block: std::ops::Range<usize>,
    ) -> Result<SeenFacts, HostError> {
        let (prepared, snapshot, decisions) = (Arc::clone(prepared), snapshot.clone(), Arc::clone(decisions));
        let work = move || seen(&prepared.plugin, prepared.table(&snapshot), &decisions[block]);
        self.clock().offload(work).await.map_err(|e| HostError::Task(e.to_string()))
    }
}

/// What decided a run, read back.
#[derive(Clone, Debug)]
pub(crate) struct Recorded {
    pub(crate) policy: Policy,
    pub(crate) settings: Settings,
    pub(crate) org: Arc<OrgTree>,
    pub(crate) basis: RunBasis,
}

impl Recorded {
    /// What was written down with `run`; none of runs of earlier programs.
    ///
    /// # Errors
    /// When it cannot be read.
    pub(crate) fn read(state: &State, run: RunId) -> Result<Option<Self>, HostError> {
        let Some(kept) = state.kept_run(run)? else { return Ok(None) };
        let basis = basis_of(run, &kept)?;
        let documents = kept.documents.iter().map(|hash| Ok((hex(hash), state.kept_document(hash)?)));
        let documents: BTreeMap<String, Option<Vec<u8>>> = documents.collect::<Result<_, HostError>>()?;
        let bytes = |what: &str| {
            let found = basis.documents.get(what).and_then(|hash| documents.get(hash)).and_then(Option::as_deref);
            found.ok_or_else(|| HostError::Invalid(format!("{run}: the `{what}` that it was made from is not kept")))
        };
        fn read<T: DeserializeOwned>(run: RunId, what: &str, bytes: &[u8]) -> Result<T, HostError> {
            let name = format!("{run}: {what}");
            serde_json::from_slice(bytes).map_err(|source| HostError::Document { name, source })
        }
        let segments_text = String::from_utf8_lossy(bytes(SEGMENTS)?).into_owned();
        let segments: Segments = read_segments(&segments_text)?;
        Ok(Some(Self {
            policy: read(run, POLICY, bytes(POLICY)?)?,
            settings: Settings {
                rules: Arc::new(read::<ProvinceRules>(run, RULES, bytes(RULES)?)?),
                templates: Arc::new(read::<TemplateSet>(run, TEMPLATES, bytes(TEMPLATES)?)?),
                calendar: Arc::new(read::<Calendar>(run, CALENDAR, bytes(CALENDAR)?)?),
                segments: Arc::new(segments),
                segments_text: segments_text.into(),
            },
            org: Arc::new(read::<OrgTree>(run, ORG, bytes(ORG)?)?),
            basis,
        }))
    }

    /// The trigger's numbers as the plugin was told them.
    pub(crate) fn facts(&self) -> Vec<Fact> {
        self.basis.facts.iter().map(|(id, value)| Fact { id: FactId(*id), value: *value }).collect()
    }
}

/// What was written down with `run`, without its documents.
pub(crate) fn basis_of(run: RunId, kept: &KeptRun) -> Result<RunBasis, HostError> {
    serde_json::from_slice(&kept.basis)
        .map_err(|source| HostError::Document { name: format!("{run}: what it was made from"), source })
}

/// The SHA-256 of a document from its hex.
pub(crate) fn hash_of(hex: &str) -> Option<ContentHash> {
    let bytes: Vec<u8> =
        (0..hex.len() / 2).map_while(|i| u8::from_str_radix(hex.get(2 * i..2 * i + 2)?, 16).ok()).collect();
    bytes.try_into().ok()
}

/// What `plugin` saw in `table` of the rows of `decisions`, in their order. None where the table lacks a row: then nothing is kept.
pub(crate) fn seen(plugin: &Plugin, table: &dyn Table, decisions: &[Decision]) -> SeenFacts {
    let columns: Vec<ColumnId> = plugin.manifest().columns().to_vec();
    let of_column = |id: &ColumnId| -> Option<Vec<i64>> {
        let mut values = Vec::with_capacity(decisions.len());
        for same_chunk in decisions.chunk_by(|a, b| a.row / CHUNK_ROWS as u32 == b.row / CHUNK_ROWS as u32) {
            let chunk = same_chunk.first().map_or(0, |d| d.row as usize / CHUNK_ROWS);
            let slice = table.column(chunk, *id)?;
            for decision in same_chunk {
                values.push(slice.get(decision.row as usize % CHUNK_ROWS)?);
            }
        }
        Some(values)
    };
    let values: Option<Vec<Vec<i64>>> = columns.par_iter().map(of_column).collect();
    values.and_then(|values| SeenFacts::new(columns, values, decisions.len())).unwrap_or_default()
}
