//! One life of the host: opened on what the store kept, on a runtime of one thread, until it is killed. Dropping the runtime is the kill.

use std::path::{Path, PathBuf};
use std::sync::{Arc, OnceLock};

use gridbell_archive::Archive;
use gridbell_channels::LinkConfig;
use gridbell_clock::{Clock, Seed};
use gridbell_conductor::{Files, Host, HostError, HostOptions, MAX_IMPORT_BYTES, NoCertifier, PLUGIN, PluginInfo};
use gridbell_engine::{ArtifactStore, CompilerCommand, EngineConfig, compile};
use gridbell_state::{DocChange, LoadReport, State};
use gridbell_store::{Key, MemStore, Sealer};
use tokio::runtime::Runtime;
use tokio::sync::Notify;
use tokio_util::sync::CancellationToken;

use crate::gateway::SECRET;
use crate::net::{Lines, Net};
use crate::province::{CALENDAR, CARRIERS, PLUGINS, PREFECTURES, Province, TEMPLATES, Terms, rules};
use crate::simulation::SimulationError;

/// Name, SP_Id, protocol, carriers and grant of each link. The grants are small, so that pacing matters.
pub(crate) const LINKS: [(&str, &str, &str, &[&str], u32); 3] = [
    ("mobile", "901001", "cmpp2", &["mobile", "broadnet"], 20),
    ("unicom", "901002", "cmpp3", &["unicom"], 8),
    ("telecom", "901003", "cmpp3", &["telecom"], 5),
];
/// Unanswered parts of a connection, and parts intended ahead.
pub(crate) const WINDOW: u64 = 8;
pub(crate) const GROUP: u64 = 32;
/// Who does what a person does.
pub(crate) const CLERK: &str = "li";

/// Plugins compiled once for all simulations of this process, and the links' secret.
pub(crate) struct Workshop {
    dir: tempfile::TempDir,
    plugins: Vec<PluginInfo>,
}

impl Workshop {
    /// The one of this process, made at the first use.
    pub(crate) fn get() -> Result<&'static Self, SimulationError> {
        static MADE: OnceLock<Result<Workshop, String>> = OnceLock::new();
        MADE.get_or_init(|| Self::make().map_err(|e| e.to_string()))
            .as_ref()
            .map_err(|e| SimulationError::Setup(e.clone()))
    }

    fn make() -> Result<Self, Box<dyn std::error::Error>> {
        let dir = tempfile::tempdir()?;
        let artifacts = ArtifactStore::open(dir.path().join("plugins"))?;
        let mut plugins = Vec::new();
        for upload in PLUGINS {
            let compiled = compile(upload, EngineConfig::default().guest_memory_bytes)?;
            let stored = artifacts.put(upload, &compiled)?;
            let manifest = compiled.manifest();
            plugins.push(PluginInfo {
                name: manifest.name().to_owned(),
                version: manifest.version().to_owned(),
                digest: stored.digest.to_string(),
                uploaded_by: "simulation".to_owned(),
            });
        }
        std::fs::write(dir.path().join("secret"), SECRET)?;
        Ok(Self { dir, plugins })
    }

    fn path(&self, name: &str) -> PathBuf {
        self.dir.path().join(name)
    }
}

/// A runtime of one thread, and a way to wait until nothing on it can go on without time, octets or a request.
pub(crate) fn runtime() -> Result<(Runtime, Arc<Notify>), SimulationError> {
    let idle = Arc::new(Notify::new());
    let told = Arc::clone(&idle);
    let runtime = tokio::runtime::Builder::new_current_thread()
        .on_thread_park(move || told.notify_waiters())
        .build()
        .map_err(|e| SimulationError::Setup(e.to_string()))?;
    Ok((runtime, idle))
}

fn sealer() -> Result<Arc<Sealer>, SimulationError> {
    let key = Key::parse(&"07".repeat(32), "the simulation").map_err(|e| SimulationError::Setup(e.to_string()))?;
    Ok(Arc::new(Sealer::new(&key)))
}

/// Opens the state in `store` on the current runtime.
pub(crate) fn open_state(store: &MemStore, clock: &Clock) -> Result<(State, LoadReport), SimulationError> {
    State::open_on_runtime(Arc::new(store.clone()), sealer()?, clock.clone())
        .map_err(|e| SimulationError::Setup(format!("the state could not be opened again: {e}")))
}

/// Starts the host on an opened state: links, sweeps, and schedules until `schedules` is cancelled.
pub(crate) fn start(
    state: State,
    clock: &Clock,
    seed: Seed,
    net: &Net,
    connections: u64,
    schedules: &CancellationToken,
) -> Result<Host, SimulationError> {
    let workshop = Workshop::get()?;
    let failed = |e: HostError| SimulationError::Setup(e.to_string());
    let host = Host::open(HostOptions {
        state,
        clock: clock.clone(),
        seed,
        artifacts: workshop.path("plugins"),
        // Never asked: every plugin is compiled already.
        compiler: CompilerCommand { program: PathBuf::from("/"), args: Vec::new() },
        certifier: Arc::new(NoCertifier),
        engine: EngineConfig { threads: 1, ..EngineConfig::default() },
        // Nothing is old enough for it within these days.
        archive: Archive::new(workshop.path("archive"), sealer()?),
        files: Files { imports: workshop.path("imports"), max_import_bytes: MAX_IMPORT_BYTES, backups: None },
    })
    .map_err(failed)?;
    for at in 0..LINKS.len() {
        host.start_link(link(at, connections, &workshop.path("secret"))?, Lines(net.clone())).map_err(failed)?;
    }
    let (clocked, house, until) = (host.clone(), host.clone(), schedules.clone());
    tokio::spawn(async move { clocked.run_schedules(until).await });
    tokio::spawn(async move { house.keep_house(CancellationToken::new()).await });
    Ok(host)
}

/// The address under which the lines know gateway `at`.
pub(crate) fn address(at: usize) -> String {
    format!("{}:7890", LINKS[at].0)
}

fn link(at: usize, connections: u64, secret: &Path) -> Result<LinkConfig, SimulationError> {
    let (name, sp_id, protocol, serves, grant) = LINKS[at];
    let text = serde_json::json!({
        "name": name, "protocol": protocol, "address": address(at), "sp-id": sp_id, "secret": { "file": secret },
        "service-id": "DLFW", "src-ids": ["95598", "10657"], "grant": grant, "serves": serves, "window": WINDOW,
        "commit-group": GROUP, "connections": connections, "timers": { "answer-s": 30, "heartbeat-s": 120 },
    });
    serde_json::from_value(text).map_err(|e| SimulationError::Setup(e.to_string()))
}

/// Puts plugins, org tree and customers into an empty state, before the host is opened on it.
pub(crate) async fn furnish(state: &State, province: &Province) -> Result<(), SimulationError> {
    let failed = |e: gridbell_state::StateError| SimulationError::Setup(e.to_string());
    let mut docs = Vec::new();
    for plugin in &Workshop::get()?.plugins {
        let value = serde_json::to_vec(plugin).map_err(|e| SimulationError::Setup(e.to_string()))?;
        let key = format!("{}@{}", plugin.name, plugin.version);
        docs.push(DocChange { kind: PLUGIN.to_owned(), key, value: Some(value), expected: None });
    }
    state.put_docs(docs, Vec::new()).await.map_err(failed)?;
    state.set_org(province.org.clone(), Vec::new()).await.map_err(failed)?;
    state.facts(gridbell_state::Facts::Customers(province.facts()), true, Vec::new()).await.map_err(failed)?;
    Ok(())
}

/// Applies the province's documents and first policies.
pub(crate) async fn install(host: &Host, terms: Terms) -> Result<(), SimulationError> {
    let failed = |e: HostError| SimulationError::Setup(e.to_string());
    host.apply_rules("province.toml", &rules(), CLERK).await.map_err(failed)?;
    host.apply_calendar("calendar.toml", CALENDAR, CLERK).await.map_err(failed)?;
    host.apply_segments("segments.toml", CARRIERS, CLERK).await.map_err(failed)?;
    host.apply_templates("templates.toml", TEMPLATES, CLERK).await.map_err(failed)?;
    for (code, name) in PREFECTURES {
        let file = terms.file(code, name);
        host.apply_policies("simulation.toml", &file, None, CLERK, false).await.map_err(failed)?;
    }
    Ok(())
}
