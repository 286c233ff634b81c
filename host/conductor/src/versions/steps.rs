//! The steps of a version's life that people take, and the one commit through which each step goes.

use gridbell_engine::{Digest, Plugin};
use gridbell_state::DocChange;

use super::record::{self, PluginInfo, Stage, VersionRecord};
use super::{Catalog, catalog};
use crate::documents::{self, PLUGIN, VERSION, note};
use crate::error::HostError;
use crate::host::Host;
use crate::person::same_person;

/// Shortest beginning of a digest that names it.
const SHORT_DIGEST: usize = 12;

impl Host {
    /// All plugin versions, by name and version.
    #[must_use]
    pub fn versions(&self) -> Vec<VersionRecord> {
        record::all(self.state())
    }

    /// The version that `reference` names: `name@version`, a digest, or the beginning of one of at least 12 digits.
    ///
    /// # Errors
    /// When there is none, or several begin so.
    pub fn version(&self, reference: &str) -> Result<VersionRecord, HostError> {
        Ok(self.version_at(reference)?.1)
    }

    fn version_at(&self, reference: &str) -> Result<(u64, VersionRecord), HostError> {
        let none = || HostError::NoVersion(reference.chars().take(100).collect());
        let digest = if reference.contains('@') {
            documents::read::<PluginInfo>(self.state(), PLUGIN, reference)?.ok_or_else(none)?.1.digest
        } else if reference.len() >= SHORT_DIGEST {
            let all = self.versions();
            let mut found = all.into_iter().filter(|r| r.digest.starts_with(reference));
            match (found.next(), found.next()) {
                (Some(one), None) => one.digest,
                _ => return Err(none()),
            }
        } else {
            return Err(none());
        };
        record::read(self.state(), &digest)?.ok_or_else(none)
    }

    /// The loaded plugin of a version, whatever its stage: for previews and shadows.
    ///
    /// # Errors
    /// When there is no such version, or it is not loaded.
    pub fn version_plugin(&self, reference: &str) -> Result<Plugin, HostError> {
        let record = self.version(reference)?;
        self.catalog().get(&record.digest).cloned().ok_or_else(|| {
            HostError::Refused(format!("`{}` is {} and not loaded", record.label(), record.stage.word()))
        })
    }

    /// The plugin that decided what is on record under `digest`: loaded, or read from where it is kept. A retired one, too; never for a run.
    ///
    /// # Errors
    /// When its files are gone or damaged beyond repair.
    pub fn recorded_plugin(&self, digest: &str) -> Result<Plugin, HostError> {
        if let Some(plugin) = self.catalog().get(digest) {
            return Ok(plugin.clone());
        }
        let digest: Digest = digest.parse().map_err(|_| HostError::NoVersion(digest.to_owned()))?;
        Ok(catalog::load(self.engine(), self.artifacts(), self.compiler(), digest)?)
    }

    /// What the version `digest` says of itself, whatever became of it; none until it was compiled.
    #[must_use]
    pub fn recorded_manifest(&self, digest: &str) -> Option<gridbell_contract::Manifest> {
        if let Some(plugin) = self.catalog().get(digest) {
            return Some(plugin.manifest().clone());
        }
        self.artifacts().get(digest.parse().ok()?).ok().map(|stored| stored.manifest)
    }

    /// Approves a certified version for use by policies. Nobody approves his own. Policies go on with the version that they have.
    ///
    /// # Errors
    /// When it is not certified, or `who` uploaded it.
    pub async fn approve_version(&self, reference: &str, why: &str, who: &str) -> Result<VersionRecord, HostError> {
        let (expected, record) = self.version_at(reference)?;
        if record.stage != Stage::Certified {
            return Err(wrong_stage(&record, "approved", "certified"));
        }
        if same_person(&record.uploaded_by, who) {
            return Err(HostError::OwnWork { who: who.to_owned(), what: record.label() });
        }
        // What decides now by being the newest must not change by this.
        let pins = self.pins(&record.name)?;
        self.step_version(expected, record, Some(Stage::Certified), Stage::Approved, who, why, pins).await
    }

    /// Takes a version out of use everywhere: less goes out by it, so nobody else is asked. Policies that have it live stop, or go on with their
    /// last good one, as they say.
    ///
    /// # Errors
    /// When it was never in use, or is retired.
    pub async fn retire_version(&self, reference: &str, why: &str, who: &str) -> Result<VersionRecord, HostError> {
        let (expected, record) = self.version_at(reference)?;
        if !matches!(record.stage, Stage::Certified | Stage::Approved | Stage::Live) {
            return Err(wrong_stage(&record, "retired", "certified, approved or live"));
        }
        let from = record.stage;
        self.step_version(expected, record, Some(from), Stage::Retired, who, why, Vec::new()).await
    }

    /// Gives up an upload that is not certified yet.
    ///
    /// # Errors
    /// When nothing is under way.
    pub async fn cancel_version(&self, reference: &str, why: &str, who: &str) -> Result<VersionRecord, HostError> {
        let (expected, record) = self.version_at(reference)?;
        if !record.stage.is_under_way() {
            return Err(wrong_stage(&record, "cancelled", "uploaded or checked"));
        }
        self.pipeline().stop(&record.digest);
        let from = record.stage;
        self.step_version(expected, record, Some(from), Stage::Cancelled, who, why, Vec::new()).await
    }

    /// Installs a plugin as set-up work on a host that nobody uses yet, or one of the house's own: compiled, approved by whoever installs it and
    /// said so in the audit log; no certification, no second person. What the API does is [`Host::upload_version`].
    ///
    /// # Errors
    /// When the upload is refused: the error says what, where and what to do.
    pub async fn install_plugin(&self, upload: Vec<u8>, who: &str) -> Result<PluginInfo, HostError> {
        let (host, bytes) = (self.clone(), upload.len() as u64);
        let work = move || {
            let memory = host.engine().config().guest_memory_bytes;
            let limits = gridbell_engine::CompileLimits::default();
            let stored = host.artifacts().add(&upload, host.compiler(), memory, limits)?;
            let plugin = host.engine().load(host.artifacts(), stored.digest)?;
            Ok::<_, HostError>((stored.digest, plugin))
        };
        let (digest, plugin) = self.clock().offload(work).await.map_err(|e| HostError::Task(e.to_string()))??;
        let manifest = plugin.manifest();
        let info = PluginInfo {
            name: manifest.name().to_owned(),
            version: manifest.version().to_owned(),
            digest: digest.to_string(),
            uploaded_by: who.to_owned(),
        };
        let key = format!("{}@{}", info.name, info.version);
        if let Some((_, known)) = documents::read::<PluginInfo>(self.state(), PLUGIN, &key)? {
            if known.digest != info.digest {
                let text = format!(
                    "`{key}` is there with another content ({}); raise the version in its manifest",
                    known.digest
                );
                return Err(HostError::Invalid(text));
            }
            // It may have been left out at the start because its files were missing: they are here again.
            if let Some((_, record)) = record::read(self.state(), &known.digest)? {
                self.load_version(plugin, &record);
            }
            self.clear_alarm("plugin.broken", &key);
            return Ok(known);
        }
        let mut record = VersionRecord::new(digest, bytes, who, self.clock().now(), "installed");
        (record.name, record.version) = (info.name.clone(), info.version.clone());
        let mut docs = self.pins(&record.name)?;
        docs.push(documents::put(PLUGIN, &key, &info, Some(0))?);
        self.load_version(plugin, &record);
        let why = "set up without certification and second person";
        self.step_version(0, record, None, Stage::Approved, who, why, docs).await?;
        Ok(info)
    }

    /// Loads `plugin` as what its record says.
    pub(crate) fn load_version(&self, plugin: Plugin, record: &VersionRecord) {
        self.change_catalog(|catalog| catalog.insert(plugin, record));
    }

    /// Takes a version to `to`, in one commit with its audit note and `docs`; `expected` is its document's version, and `from` where it must
    /// stand. The catalog follows.
    #[expect(clippy::too_many_arguments, reason = "what a step is: from, to, who, why and what belongs to it")]
    pub(crate) async fn step_version(
        &self,
        expected: u64,
        mut record: VersionRecord,
        from: Option<Stage>,
        to: Stage,
        who: &str,
        why: &str,
        mut docs: Vec<DocChange>,
    ) -> Result<VersionRecord, HostError> {
        debug_assert!(from.is_none_or(|from| from == record.stage), "a step begins where the record stands");
        if !(record.stage == to && record.steps.len() == 1) {
            record.go(to, who, self.clock().now(), why);
        }
        docs.push(documents::put(VERSION, &record.digest, &record, Some(expected))?);
        let detail = serde_json::json!({ "digest": record.digest, "why": why });
        let audit = vec![note(who, &format!("plugin.{}", to.word()), &record.label(), detail)];
        self.state().put_docs(docs, audit).await?;
        self.change_catalog(|catalog| catalog.rule(&record));
        Ok(record)
    }

    fn change_catalog(&self, change: impl FnOnce(&mut Catalog)) {
        self.with_catalog(|shared| change(std::sync::Arc::make_mut(shared)));
    }
}

fn wrong_stage(record: &VersionRecord, done: &str, needs: &str) -> HostError {
    let text = format!("`{}` is {}; only what is {needs} can be {done}", record.label(), record.stage.word());
    HostError::Refused(text)
}
