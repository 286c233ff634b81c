//! The host: everything that runs, held together. Cheap to clone; the API, the schedules and the links share it.

use std::collections::BTreeMap;
use std::path::PathBuf;
use std::sync::Arc;

use gridbell_archive::Archive;
use gridbell_channels::http::Desks;
use gridbell_channels::{ChannelError, LinkConfig, LinkHandle, LinkName, Reception};
use gridbell_clock::{Clock, Seed};
use gridbell_engine::{ArtifactStore, CompileLimits, CompilerCommand, Digest, Engine, EngineConfig, Plugin};
use gridbell_model::{Channel, MessageId, Moment, PrefectureCode, RunId, Served, Topic};
use gridbell_planner::{LinkCapacity, Policy, PolicySet, SendTimes, VersionReq};
use gridbell_state::{Shares, State};
use parking_lot::{Mutex, RwLock};
use rustc_hash::{FxHashMap, FxHashSet};

use crate::alarms::{Alarm, Alarms};
use crate::answers::Inbox;
use crate::any_link::AnyLink;
use crate::backups::{BackupFile, Backups};
use crate::deployment::UnderWay;
use crate::documents::{self, PLUGIN, POLICY};
use crate::error::HostError;

use crate::forecast::Previews;
use crate::imports::Imports;
use crate::settings::Settings;
use crate::stops::Stops;
use crate::together::Claim;
use crate::turns::Turns;
use crate::versions::{Catalog, Certifier, Pipeline, PluginInfo};

/// What a host is made of.
pub struct HostOptions {
    /// The province's state.
    pub state: State,
    /// The clock that everything reads.
    pub clock: Clock,
    /// The seed from which samples and jitter are drawn.
    pub seed: Seed,
    /// Where plugins and their artifacts are kept; only the host writes there.
    pub artifacts: PathBuf,
    /// The program that compiles uploads in a process of its own.
    pub compiler: CompilerCommand,
    /// Who certifies uploads: a process of its own in production.
    pub certifier: Arc<dyn Certifier>,
    /// How the engine is made.
    pub engine: EngineConfig,
    /// Where records go that are older than the province keeps online.
    pub archive: Archive,
    /// Where files of people are kept.
    pub files: Files,
}

/// Where files of people are kept, and how large they may be.
pub struct Files {
    /// Files that are imported, and their reject reports; only the host reads and writes there.
    pub imports: PathBuf,
    /// The most bytes of a file that is imported; [`crate::MAX_IMPORT_BYTES`] where the operator says nothing else.
    pub max_import_bytes: u64,
    /// Where backups are written while the host runs; none for none.
    pub backups: Option<PathBuf>,
}

/// The host.
#[derive(Clone)]
pub struct Host(Arc<Inner>);

struct Inner {
    state: State,
    clock: Clock,
    seed: Seed,
    engine: Engine,
    artifacts: ArtifactStore,
    artifacts_dir: PathBuf,
    pipeline: Pipeline,
    under_way: UnderWay,
    compiler: CompilerCommand,
    imports: Imports,
    backups: Backups,
    replays: crate::replay::Replays,
    screens: crate::screens::Screens,
    outages: crate::outages::Outages,
    settings: RwLock<Option<Settings>>,
    policies: RwLock<BTreeMap<PrefectureCode, Arc<PolicySet>>>,
    catalog: RwLock<Arc<Catalog>>,
    pub(crate) stops: RwLock<Arc<Stops>>,
    links: RwLock<Vec<AnyLink>>,
    queues: RwLock<FxHashSet<u8>>,
    /// Which queues each link takes messages from.
    serving: RwLock<FxHashMap<LinkName, Vec<u8>>>,
    /// Links that a stop holds.
    held_links: Mutex<FxHashSet<String>>,
    alarms: Mutex<Alarms>,
    /// Runs whose next hops could not be published, until when they are left alone.
    hop_pauses: Mutex<FxHashMap<RunId, Moment>>,
    /// What carriers took of each segment.
    taken: Mutex<crate::learn::Taken>,
    corrections: crate::correction::Work,
    run_locks: Mutex<BTreeMap<PrefectureCode, Arc<tokio::sync::Mutex<()>>>>,
    /// Messages in a link's hands, with the parts that it was given; in memory only, it ends with the process.
    claimed: Mutex<FxHashMap<MessageId, Claim>>,
    shares: Mutex<BTreeMap<LinkName, Shares>>,
    turns: Mutex<Turns>,
    times: Mutex<FxHashMap<(PrefectureCode, String), Arc<SendTimes>>>,
    archive: Archive,
    /// One pass over the archives at a time.
    archiving: tokio::sync::Mutex<()>,
    previews: Previews,
    /// Links that were declared without being started: what a forecast counts with where none is up.
    declared: RwLock<Vec<LinkCapacity>>,
    /// Where gateways call, by the address at which we listen.
    receptions: Mutex<FxHashMap<String, Reception>>,
    /// Where platforms call.
    desks: RwLock<Desks>,
    /// The province's account at each platform that a link was started for.
    apps: RwLock<BTreeMap<Channel, String>>,
    /// What customers wrote lately, and whom we answered how often.
    inbox: Mutex<Inbox>,
}

impl Host {
    /// Opens the host on a state: reads its documents and loads its plugins. One that cannot be loaded is left out and told as an alarm.
    /// Blocks while plugins are compiled again after an update.
    ///
    /// # Errors
    /// When the engine or the artifact store cannot be opened, or a document cannot be read.
    pub fn open(options: HostOptions) -> Result<Self, HostError> {
        let HostOptions { state, clock, seed, artifacts, compiler, certifier, engine, archive, files } = options;
        let imports = Imports::open(state.clone(), clock.clone(), files.imports, files.max_import_bytes);
        let backups = Backups::new(state.clone(), files.backups);
        let screens = crate::screens::Screens::open(state.clone(), clock.clone())?;
        let outages = crate::outages::Outages::open(state.clone(), clock.clone())?;
        let engine = Engine::new(engine, clock.clone())?;
        let artifacts_dir = artifacts.clone();
        let artifacts = ArtifactStore::open(artifacts)?;
        let (catalog, broken) = Catalog::load(&state, &engine, &artifacts, &compiler);
        let settings = Settings::load(&state)?;
        let inbox = Inbox::load(&state, clock.now())?;
        let host = Self(Arc::new(Inner {
            state,
            clock,
            seed,
            engine,
            artifacts,
            artifacts_dir,
            pipeline: Pipeline::new(certifier),
            under_way: UnderWay::default(),
            compiler,
            imports,
            backups,
            replays: crate::replay::Replays::default(),
            screens,
            outages,
            settings: RwLock::new(settings),
            policies: RwLock::default(),
            catalog: RwLock::new(Arc::new(catalog)),
            stops: RwLock::default(),
            links: RwLock::default(),
            queues: RwLock::default(),
            serving: RwLock::default(),
            held_links: Mutex::default(),
            alarms: Mutex::default(),
            hop_pauses: Mutex::default(),
            taken: Mutex::default(),
            corrections: crate::correction::Work::default(),
            run_locks: Mutex::default(),
            claimed: Mutex::default(),
            shares: Mutex::default(),
            turns: Mutex::default(),
            times: Mutex::default(),
            archive,
            archiving: tokio::sync::Mutex::default(),
            previews: Previews::default(),
            declared: RwLock::default(),
            receptions: Mutex::default(),
            desks: RwLock::default(),
            apps: RwLock::default(),
            inbox: Mutex::new(inbox),
        }));
        for (name, error) in broken {
            host.raise("plugin.broken", &name, format!("the plugin was left out: {error}"));
        }
        host.keep_history();
        host.reload_policies()?;
        host.reload_stops()?;
        Ok(host)
    }

    /// The province's state.
    #[must_use]
    pub fn state(&self) -> &State {
        &self.0.state
    }

    /// The clock.
    #[must_use]
    pub fn clock(&self) -> &Clock {
        &self.0.clock
    }

    /// The seed.
    #[must_use]
    pub fn seed(&self) -> Seed {
        self.0.seed
    }

    /// The engine.
    #[must_use]
    pub fn engine(&self) -> &Engine {
        &self.0.engine
    }

    /// Imports of files.
    #[must_use]
    pub fn imports(&self) -> &Imports {
        &self.0.imports
    }

    /// Backups.
    #[must_use]
    pub fn backups(&self) -> &Backups {
        &self.0.backups
    }

    /// Replays that were started here.
    #[must_use]
    pub fn replays(&self) -> &crate::replay::Replays {
        &self.0.replays
    }

    /// Screens of communities, and the notices on them.
    #[must_use]
    pub fn screens(&self) -> &crate::screens::Screens {
        &self.0.screens
    }

    /// Outages and fault reports.
    #[must_use]
    pub fn outages(&self) -> &crate::outages::Outages {
        &self.0.outages
    }

    /// Begins a backup beside everything that goes on; one that fails raises an alarm.
    ///
    /// # Errors
    /// Without a directory for backups, and while another is written.
    pub fn start_backup(&self, who: &str) -> Result<BackupFile, HostError> {
        let (file, whole) = self.0.backups.start(self.clock().now().unix_ms(), who)?;
        let host = self.clone();
        tokio::spawn(async move { host.backup_ended(whole.await) });
        Ok(file)
    }

    /// Writes a backup beside everything that goes on and waits for it; where it is, and none when it failed: then an alarm says why.
    pub async fn back_up(&self, who: &str) -> Option<PathBuf> {
        let begun = self.0.backups.start(self.clock().now().unix_ms(), who);
        let (ended, path) = match begun {
            Ok((file, whole)) => (whole.await, self.0.backups.path(&file)),
            Err(e) => (Err(e), None),
        };
        self.backup_ended(ended).then_some(path)?
    }

    /// Raises or takes back the alarm about backups; whether it went well.
    fn backup_ended(&self, ended: Result<(), HostError>) -> bool {
        match ended {
            Ok(()) => self.clear_alarm("backup.failed", "backup"),
            Err(e) => {
                self.raise("backup.failed", "backup", e.to_string());
                return false;
            }
        }
        true
    }

    pub(crate) fn compiler(&self) -> &CompilerCommand {
        &self.0.compiler
    }

    pub(crate) fn artifacts(&self) -> &ArtifactStore {
        &self.0.artifacts
    }

    pub(crate) fn artifacts_dir(&self) -> &std::path::Path {
        &self.0.artifacts_dir
    }

    pub(crate) fn pipeline(&self) -> &Pipeline {
        &self.0.pipeline
    }

    pub(crate) fn under_way(&self) -> &UnderWay {
        &self.0.under_way
    }

    pub(crate) fn with_catalog(&self, change: impl FnOnce(&mut Arc<Catalog>)) {
        change(&mut self.0.catalog.write());
    }

    /// What the province sets.
    ///
    /// # Errors
    /// While rules, texts, calendar or segments were never applied.
    pub fn settings(&self) -> Result<Settings, HostError> {
        self.0.settings.read().clone().ok_or_else(|| {
            HostError::Invalid(
                "the province's rules, texts, calendar or segments are missing: apply them first".to_owned(),
            )
        })
    }

    pub(crate) fn reload_settings(&self) -> Result<(), HostError> {
        *self.0.settings.write() = Settings::load(self.state())?;
        self.keep_history();
        self.0.times.lock().clear();
        Ok(())
    }

    pub(crate) fn reload_policies(&self) -> Result<(), HostError> {
        let mut all = BTreeMap::new();
        for (key, doc) in self.state().docs(POLICY) {
            let set: PolicySet = documents::parse(POLICY, &key, &doc.value)?;
            all.insert(set.prefecture, Arc::new(set));
        }
        *self.0.policies.write() = all;
        self.0.times.lock().clear();
        Ok(())
    }

    // ---- policies and plugins ----

    /// The policies of all prefectures.
    #[must_use]
    pub fn policies_by_prefecture(&self) -> BTreeMap<PrefectureCode, Arc<PolicySet>> {
        self.0.policies.read().clone()
    }

    /// The policies of `prefecture` and the version of their document.
    #[must_use]
    pub fn policies(&self, prefecture: PrefectureCode) -> Option<(u64, Arc<PolicySet>)> {
        let set = self.0.policies.read().get(&prefecture).cloned()?;
        Some((self.state().doc(POLICY, &prefecture.to_string())?.version, set))
    }

    pub(crate) fn policy(&self, prefecture: PrefectureCode, name: &str) -> Result<Policy, HostError> {
        let all = self.0.policies.read();
        let set = all.get(&prefecture).ok_or(HostError::NoPolicies(prefecture))?;
        set.policy(name).cloned().ok_or_else(|| HostError::NoPolicy {
            prefecture,
            policy: name.to_owned(),
            known: set.policies.iter().map(|p| p.name.as_str()).collect::<Vec<_>>().join(", "),
        })
    }

    /// How old a fact may be by a policy of its own; none where it leaves that to the topic, or is no more there.
    pub(crate) fn freshness_days(&self, prefecture: PrefectureCode, policy: &str) -> Option<u16> {
        self.0.policies.read().get(&prefecture)?.policy(policy)?.freshness_days
    }

    pub(crate) fn plugin(&self, name: &str, version: &VersionReq) -> Result<Plugin, HostError> {
        self.catalog().find(name, version).cloned()
    }

    /// The plugin whose upload has the SHA-256 `hex`, where it is listed.
    pub(crate) fn listed_plugin(&self, hex: &str) -> Option<Plugin> {
        self.catalog().plugins().find(|p| p.digest().to_string() == hex).cloned()
    }

    /// The plugin whose upload has the SHA-256 `hex`, whether it is listed still or only kept.
    pub(crate) fn plugin_of_digest(&self, hex: &str) -> Result<Plugin, HostError> {
        if let Some(plugin) = self.listed_plugin(hex) {
            return Ok(plugin);
        }
        let none = || HostError::Refused(format!("the plugin with the digest {hex} is not kept here any more"));
        let digest: Digest = hex.parse().map_err(|_| none())?;
        let (engine, store) = (self.engine(), &self.0.artifacts);
        let loaded = engine.load(store, digest).or_else(|_| {
            // Another version of the engine has no artifact of its own yet: the upload is kept and compiled again.
            let memory = engine.config().guest_memory_bytes;
            store.rebuild(digest, self.compiler(), memory, CompileLimits::default())?;
            engine.load(store, digest)
        });
        loaded.map_err(|e| match e {
            gridbell_engine::EngineError::Unknown { .. } => none(),
            other => HostError::Engine(other),
        })
    }

    pub(crate) fn catalog(&self) -> Arc<Catalog> {
        Arc::clone(&self.0.catalog.read())
    }

    /// The newest approved plugin of `name` that fits `version`, as `^0.1`.
    ///
    /// # Errors
    /// When there is none or `version` is no requirement.
    pub fn loaded_plugin(&self, name: &str, version: &str) -> Result<Plugin, HostError> {
        let req =
            VersionReq::parse(version).map_err(|e| HostError::Invalid(format!("`{version}` is no version: {e}")))?;
        self.plugin(name, &req)
    }

    /// Plugins that are there.
    #[must_use]
    pub fn plugins(&self) -> Vec<PluginInfo> {
        let docs = self.state().docs(PLUGIN);
        docs.iter().filter_map(|(key, doc)| documents::parse(PLUGIN, key, &doc.value).ok()).collect()
    }

    /// All plugins that policies may use.
    #[must_use]
    pub fn loaded_plugins(&self) -> Vec<Plugin> {
        self.catalog().plugins().cloned().collect()
    }

    // ---- alarms ----

    /// Raises an alarm: `code` as in the operator's guide.
    pub fn raise(&self, code: &'static str, subject: &str, text: String) {
        let at = self.clock().now();
        self.0.alarms.lock().raise(code, subject, text, at);
    }

    /// Takes an alarm back.
    pub fn clear_alarm(&self, code: &str, subject: &str) {
        self.0.alarms.lock().clear(code, subject);
    }

    /// What the operator must know.
    #[must_use]
    pub fn alarms(&self) -> Vec<Alarm> {
        self.0.alarms.lock().list()
    }

    // ---- shared by runs, links and stops ----

    pub(crate) fn run_lock(&self, prefecture: PrefectureCode) -> Arc<tokio::sync::Mutex<()>> {
        Arc::clone(self.0.run_locks.lock().entry(prefecture).or_default())
    }

    pub(crate) fn taken(&self) -> &Mutex<crate::learn::Taken> {
        &self.0.taken
    }

    pub(crate) fn hop_pauses(&self) -> &Mutex<FxHashMap<RunId, Moment>> {
        &self.0.hop_pauses
    }

    pub(crate) fn correction_work(&self) -> &crate::correction::Work {
        &self.0.corrections
    }

    pub(crate) fn stops_now(&self) -> Arc<Stops> {
        Arc::clone(&self.0.stops.read())
    }

    pub(crate) fn set_stops(&self, stops: Stops) {
        *self.0.stops.write() = Arc::new(stops);
    }

    pub(crate) fn link_handles(&self) -> Vec<AnyLink> {
        self.0.links.read().clone()
    }

    pub(crate) fn push_link(&self, link: AnyLink) {
        self.0.links.write().push(link);
    }

    pub(crate) fn desks(&self) -> &RwLock<Desks> {
        &self.0.desks
    }

    pub(crate) fn inbox(&self) -> &Mutex<Inbox> {
        &self.0.inbox
    }

    /// The province's account at the platform of `channel`, where a link to it was started.
    pub(crate) fn app_of(&self, channel: Channel) -> Option<String> {
        self.0.apps.read().get(&channel).cloned()
    }

    /// Says which account the link `name` has. One of each platform: a customer has one address there, and a queue has one way out.
    pub(crate) fn set_app(&self, channel: Channel, name: &LinkName, app: String) -> Result<(), HostError> {
        let mut apps = self.0.apps.write();
        if apps.contains_key(&channel) {
            let why =
                format!("link `{name}` is a second account for {channel}: keep one of them, a host has one for each");
            return Err(HostError::Invalid(why));
        }
        apps.insert(channel, app);
        Ok(())
    }

    /// Says what the link `name` takes from the outbox: links of SMS say it by their configuration, those of platforms when they are started.
    pub fn serve_link(&self, name: &LinkName, serves: &[Served]) {
        let queues: Vec<u8> = serves.iter().map(|s| s.queue()).collect();
        self.0.queues.write().extend(&queues);
        self.0.serving.write().insert(name.clone(), queues);
    }

    /// The queues that the link `name` takes messages from.
    pub(crate) fn queues_of(&self, name: &LinkName) -> Vec<u8> {
        self.0.serving.read().get(name).cloned().unwrap_or_default()
    }

    /// Lets the gateway of a link call, where its protocol has it call; listens at the link's address if nobody does yet.
    pub(crate) fn receive_calls(&self, link: &LinkHandle) -> Result<(), ChannelError> {
        let address = &link.config().listen;
        if address.is_empty() {
            return Ok(());
        }
        let mut receptions = self.0.receptions.lock();
        if !receptions.contains_key(address) {
            receptions.insert(address.clone(), Reception::listen(address, self.clock().clone())?);
        }
        receptions.get(address).map_or(Ok(()), |reception| reception.add(link))
    }

    pub(crate) fn held_links(&self) -> &Mutex<FxHashSet<String>> {
        &self.0.held_links
    }

    /// Queues that some link serves.
    pub(crate) fn queues(&self) -> FxHashSet<u8> {
        self.0.queues.read().clone()
    }

    /// Says which carriers will be served before their links are started: messages for others are held.
    pub fn serve_carriers(&self, carriers: &[gridbell_model::Carrier]) {
        self.0.queues.write().extend(carriers.iter().map(|c| Served::Carrier(*c).queue()));
    }

    /// Says which links there will be: their carriers count as served, and forecasts count with their grants until links are started.
    pub fn declare_links<'a>(&self, links: impl IntoIterator<Item = &'a LinkConfig>) {
        for link in links {
            self.0.queues.write().extend(link.serves.iter().map(|s| s.queue()));
            self.0.declared.write().push(crate::links::capacity(link));
        }
    }

    /// As [`Host::declare_links`], of a link to a platform: its name, what it serves, and its grant.
    pub fn declare_platform(&self, name: &LinkName, serves: &[Served], grant: u32) {
        let queues: Vec<u8> = serves.iter().map(|s| s.queue()).collect();
        self.0.queues.write().extend(&queues);
        let capacity = LinkCapacity { name: name.to_string(), serves: queues, parts_per_s: grant };
        self.0.declared.write().push(capacity);
    }

    /// The links that a forecast counts with: those that were started, else those that were declared.
    pub(crate) fn capacities(&self) -> Vec<LinkCapacity> {
        let started: Vec<LinkCapacity> =
            self.0.links.read().iter().map(|l| l.capacity(self.queues_of(l.name()))).collect();
        if started.is_empty() { self.0.declared.read().clone() } else { started }
    }

    pub(crate) fn previews(&self) -> &Previews {
        &self.0.previews
    }

    /// The archives.
    #[must_use]
    pub fn archive(&self) -> &Archive {
        &self.0.archive
    }

    pub(crate) fn archiving(&self) -> &tokio::sync::Mutex<()> {
        &self.0.archiving
    }

    /// What each link's room went to, while something is claimed: taken after [`Self::claimed`].
    pub(crate) fn turns(&self) -> &Mutex<Turns> {
        &self.0.turns
    }

    pub(crate) fn shares(&self) -> &Mutex<BTreeMap<LinkName, Shares>> {
        &self.0.shares
    }

    pub(crate) fn claimed(&self) -> &Mutex<FxHashMap<MessageId, Claim>> {
        &self.0.claimed
    }

    /// The minutes at which messages of a policy may go; none when the policy is no more there: then nothing holds back what it queued.
    pub(crate) fn send_times(&self, prefecture: PrefectureCode, policy: &str, topic: Topic) -> Option<Arc<SendTimes>> {
        let key = (prefecture, policy.to_owned());
        if let Some(times) = self.0.times.lock().get(&key) {
            return Some(Arc::clone(times));
        }
        let settings = self.settings().ok()?;
        let policy = self.policy(prefecture, policy).ok()?;
        let quiet = settings.rules.class(settings.rules.topic(topic).class).quiet;
        let times = Arc::new(SendTimes::new(&policy.windows, quiet, policy.days, settings.calendar));
        self.0.times.lock().insert(key, Arc::clone(&times));
        Some(times)
    }
}
