//! From the upload to a certified version, beside everything that the host does: compiled and tried in processes of their own, one at a time,
//! taken up again where a restart cut it off.

use std::collections::BTreeMap;
use std::sync::Arc;

use gridbell_engine::{CompileLimits, Digest, EngineError, Plugin};
use gridbell_state::Snapshot;
use parking_lot::Mutex;
use serde_json::json;
use tokio::sync::Semaphore;

use super::certifier::{Certified, Certifier, CertifyOrder, CertifyWatch, NotCertified};
use super::record::{self, PluginInfo, Progress, Stage, VersionRecord};
use crate::documents::{self, PLUGIN, VERSION, note};
use crate::error::HostError;
use crate::host::Host;

/// Versions that wait for their check or certification at most; more are refused until some are done.
pub const MAX_WAITING_VERSIONS: usize = 16;
/// Versions that are compiled or certified at the same time: each takes a core, and runs need theirs.
pub const CERTIFIED_AT_ONCE: usize = 1;
/// How often a certification that was ended from outside (a signal to its process, the machine's shutdown) is begun, until a person has to upload the
/// version again: what the machine does to it each time, it would do for ever.
pub const MAX_INTERRUPTIONS: u32 = 3;
/// Largest report that is kept, in bytes of JSON.
const MAX_REPORT_BYTES: usize = 256 << 10;

/// What is under way.
pub(crate) struct Pipeline {
    turns: Semaphore,
    jobs: Mutex<BTreeMap<String, Arc<CertifyWatch>>>,
    certifier: Arc<dyn Certifier>,
}

impl Pipeline {
    pub(crate) fn new(certifier: Arc<dyn Certifier>) -> Self {
        Self { turns: Semaphore::new(CERTIFIED_AT_ONCE), jobs: Mutex::default(), certifier }
    }

    /// Ends what is under way of `digest`.
    pub(crate) fn stop(&self, digest: &str) {
        if let Some(watch) = self.jobs.lock().get(digest) {
            watch.stop();
        }
    }

    /// Takes the place of a job; none if it is under way or too many are.
    fn enter(&self, digest: &str) -> Result<Option<Arc<CertifyWatch>>, HostError> {
        let mut jobs = self.jobs.lock();
        if jobs.contains_key(digest) {
            return Ok(None);
        }
        if jobs.len() >= MAX_WAITING_VERSIONS {
            let text = format!("{MAX_WAITING_VERSIONS} uploads wait for their check; send it again when some are done");
            return Err(HostError::Busy(text));
        }
        let watch = Arc::new(CertifyWatch::default());
        watch.tell("waiting", 0);
        jobs.insert(digest.to_owned(), Arc::clone(&watch));
        Ok(Some(watch))
    }
}

impl Host {
    /// Takes an upload: keeps it on disk and answers at once; check and certification follow in the background. The same content again is the
    /// version that is there; one that was cancelled, or whose certification failed or was interrupted, is tried again.
    ///
    /// # Errors
    /// When it is too large, or too many wait.
    pub async fn upload_version(&self, upload: Vec<u8>, who: &str) -> Result<VersionRecord, HostError> {
        let digest = Digest::of(&upload);
        let key = digest.to_string();
        let known = record::read(self.state(), &key)?;
        let again = |r: &VersionRecord| {
            use Stage::{Cancelled, FailedCertification, Interrupted, Refused};
            matches!(r.stage, Cancelled | Refused | FailedCertification | Interrupted)
        };
        if let Some((_, known)) = &known
            && !again(known)
            && (!known.stage.is_loaded() || known.stage.is_under_way() || self.catalog().get(&key).is_some())
        {
            return Ok(known.clone());
        }
        let Some(watch) = self.pipeline().enter(&key)? else {
            return known.map(|(_, r)| r).ok_or_else(|| HostError::Busy("it is being taken already".to_owned()));
        };
        let begun = self.begin_version(upload, digest, known, who).await;
        match &begun {
            Ok(record) if record.stage.is_under_way() => self.spawn_version(key, watch),
            _ => {
                self.pipeline().jobs.lock().remove(&key);
            }
        }
        begun
    }

    async fn begin_version(
        &self,
        upload: Vec<u8>,
        digest: Digest,
        known: Option<(u64, VersionRecord)>,
        who: &str,
    ) -> Result<VersionRecord, HostError> {
        let (host, bytes) = (self.clone(), upload.len() as u64);
        let keep = move || host.artifacts().keep(&upload);
        self.clock().offload(keep).await.map_err(|e| HostError::Task(e.to_string()))??;
        match known {
            Some((_, known)) if known.stage.is_loaded() => {
                // Its files were missing: compiled again, it is what it was.
                self.reload_version(&known).await?;
                Ok(known)
            }
            Some((expected, mut record)) => {
                record.uploaded_by = who.to_owned();
                (record.report, record.interruptions) = (None, 0);
                let (from, why) = (record.stage, "uploaded again");
                self.step_version(expected, record, Some(from), Stage::Uploaded, who, why, Vec::new()).await
            }
            None => {
                let record = VersionRecord::new(digest, bytes, who, self.clock().now(), "");
                self.step_version(0, record, None, Stage::Uploaded, who, "", Vec::new()).await
            }
        }
    }

    /// Takes up what a restart cut off. Call it once, when the host serves.
    pub fn resume_versions(&self) {
        for record in self.versions().into_iter().filter(|r| r.stage.is_under_way()) {
            match self.pipeline().enter(&record.digest) {
                Ok(Some(watch)) => self.spawn_version(record.digest, watch),
                Ok(None) => {}
                Err(e) => self.raise("plugin.not-checked", &record.label(), e.to_string()),
            }
        }
    }

    /// How far the check or certification of `digest` is; none when nothing is under way.
    #[must_use]
    pub fn version_progress(&self, digest: &str) -> Option<Progress> {
        Some(self.pipeline().jobs.lock().get(digest)?.progress())
    }

    fn spawn_version(&self, digest: String, watch: Arc<CertifyWatch>) {
        let host = self.clone();
        tokio::spawn(async move {
            let outcome = host.advance_version(&digest, &watch).await;
            host.pipeline().jobs.lock().remove(&digest);
            match outcome {
                Ok(()) => host.clear_alarm("plugin.not-checked", &digest),
                // Somebody took it elsewhere meanwhile: cancelled, most likely.
                Err(HostError::State(gridbell_state::StateError::Conflict { .. })) => {}
                Err(e) => host.raise("plugin.not-checked", &digest, format!("{e}; it goes on at the next start")),
            }
        });
    }

    /// Takes a version as far as the host can by itself.
    async fn advance_version(&self, digest: &str, watch: &Arc<CertifyWatch>) -> Result<(), HostError> {
        let turn = self.pipeline().turns.acquire().await;
        let _turn = turn.map_err(|e| HostError::Task(e.to_string()))?;
        while let Some((expected, record)) = record::read(self.state(), digest)? {
            if watch.is_stopped() {
                return Ok(());
            }
            match record.stage {
                Stage::Uploaded => self.check_version(expected, record, watch).await?,
                Stage::Checked => self.certify_version(expected, record, watch).await?,
                _ => return Ok(()),
            }
        }
        Ok(())
    }

    /// Compiles an upload in a process of its own and loads it: it is a plugin of the contract, or it is refused.
    async fn check_version(
        &self,
        expected: u64,
        mut record: VersionRecord,
        watch: &CertifyWatch,
    ) -> Result<(), HostError> {
        watch.tell("compiling", 5);
        let digest: Digest = record.digest.parse().map_err(|_| HostError::NoVersion(record.digest.clone()))?;
        let compiled = self.compile_version(digest).await?;
        let from = Some(Stage::Uploaded);
        let refused = |record: VersionRecord, report: serde_json::Value, why: String| async move {
            let record = VersionRecord { report: Some(report), ..record };
            self.step_version(expected, record, from, Stage::Refused, "system", &why, Vec::new()).await.map(|_| ())
        };
        let plugin = match compiled {
            Ok(plugin) => plugin,
            Err(e) if e.is_of_the_upload() => {
                let (why, code) = (e.to_string(), e.code().word());
                let causes: Vec<&str> = e.cause().map(|c| c.word()).into_iter().collect();
                let report = json!({ "passed": false, "code": code, "causes": causes, "summary": why });
                return refused(record, report, why).await;
            }
            Err(e) => return Err(e.into()),
        };
        let manifest = plugin.manifest();
        (record.name, record.version) = (manifest.name().to_owned(), manifest.version().to_owned());
        let key = record.label();
        if let Some((_, known)) = documents::read::<PluginInfo>(self.state(), PLUGIN, &key)?
            && known.digest != record.digest
        {
            let why =
                format!("`{key}` is there with another content ({}); raise the version in its manifest", known.digest);
            // It has no claim to the name.
            (record.name, record.version) = (String::new(), String::new());
            return refused(record, json!({ "passed": false, "summary": why }), why.clone()).await;
        }
        let info = PluginInfo {
            name: record.name.clone(),
            version: record.version.clone(),
            digest: record.digest.clone(),
            uploaded_by: record.uploaded_by.clone(),
        };
        let listed = self.state().doc(PLUGIN, &key).map_or(0, |d| d.version);
        let doc = documents::put(PLUGIN, &key, &info, Some(listed))?;
        self.load_version(plugin, &record);
        self.step_version(expected, record, from, Stage::Checked, "system", "", vec![doc]).await?;
        Ok(())
    }

    /// Compiles and loads what is kept under `digest`.
    async fn compile_version(&self, digest: Digest) -> Result<Result<Plugin, EngineError>, HostError> {
        let host = self.clone();
        let work = move || {
            let memory = host.engine().config().guest_memory_bytes;
            host.artifacts().rebuild(digest, host.compiler(), memory, CompileLimits::default())?;
            host.engine().load(host.artifacts(), digest)
        };
        self.clock().offload(work).await.map_err(|e| HostError::Task(e.to_string()))
    }

    async fn reload_version(&self, record: &VersionRecord) -> Result<(), HostError> {
        let digest: Digest = record.digest.parse().map_err(|_| HostError::NoVersion(record.digest.clone()))?;
        let plugin = self.compile_version(digest).await??;
        self.load_version(plugin, record);
        self.clear_alarm("plugin.broken", &record.label());
        Ok(())
    }

    /// Tries a version in a process of its own.
    async fn certify_version(
        &self,
        expected: u64,
        mut record: VersionRecord,
        watch: &Arc<CertifyWatch>,
    ) -> Result<(), HostError> {
        let digest: Digest = record.digest.parse().map_err(|_| HostError::NoVersion(record.digest.clone()))?;
        let order = CertifyOrder {
            artifacts: self.artifacts_dir().to_owned(),
            digest,
            engine: self.engine().config().clone(),
            calendar: self.settings()?.calendar,
            now: self.clock().civil_minute(),
            seed: self.seed(),
            customers: self.largest_prefecture(),
        };
        let (host, watching) = (self.clone(), Arc::clone(watch));
        watch.tell("certifying", 10);
        let work = move || host.pipeline().certifier.certify(order, &watching);
        let found = self.clock().offload(work).await.map_err(|e| HostError::Task(e.to_string()))?;
        if watch.is_stopped() {
            return Ok(());
        }
        let Certified { passed, summary, report, batch_cost_us } = match found {
            Ok(certified) => certified,
            Err(NotCertified::Interrupted(why)) => return self.interrupted(expected, record, &why).await,
            Err(NotCertified::Unable(why)) => return Err(HostError::Refused(why)),
        };
        record.interruptions = 0;
        record.report = Some(bounded(report, &summary));
        record.batch_cost_us = batch_cost_us;
        let to = if passed { Stage::Certified } else { Stage::FailedCertification };
        self.step_version(expected, record, Some(Stage::Checked), to, "system", &summary, Vec::new()).await?;
        Ok(())
    }

    /// Keeps that a certification was ended from outside: it is begun again, [`MAX_INTERRUPTIONS`] times at most.
    async fn interrupted(&self, expected: u64, mut record: VersionRecord, why: &str) -> Result<(), HostError> {
        record.interruptions += 1;
        let label = record.label();
        if record.interruptions >= MAX_INTERRUPTIONS {
            let summary = format!("{why}; {MAX_INTERRUPTIONS} times: upload it again to have it tried again");
            record.report = Some(json!({ "passed": false, "summary": summary }));
            self.step_version(
                expected,
                record,
                Some(Stage::Checked),
                Stage::Interrupted,
                "system",
                &summary,
                Vec::new(),
            )
            .await?;
            self.raise("plugin.interrupted", &label, summary);
            return Ok(());
        }
        let why =
            format!("interrupted {} of {MAX_INTERRUPTIONS} times: {why}; it is tried again", record.interruptions);
        record.go(Stage::Checked, "system", self.clock().now(), &why);
        let doc = documents::put(VERSION, &record.digest, &record, Some(expected))?;
        let detail = json!({ "digest": record.digest, "why": why });
        self.state().put_docs(vec![doc], vec![note("system", "plugin.interrupted", &label, detail)]).await?;
        Ok(())
    }

    /// The customers that certifications draw their sample from: where there are most.
    fn largest_prefecture(&self) -> Option<Snapshot> {
        let (code, _) = self.state().prefectures().into_iter().max_by_key(|(_, customers)| *customers)?;
        self.state().snapshot(code)
    }
}

/// A report that fits its document.
fn bounded(report: serde_json::Value, summary: &str) -> serde_json::Value {
    let bytes = serde_json::to_vec(&report).map_or(usize::MAX, |b| b.len());
    if bytes <= MAX_REPORT_BYTES {
        return report;
    }
    json!({ "summary": summary, "cut": format!("the report has {bytes} bytes, {MAX_REPORT_BYTES} are kept") })
}
