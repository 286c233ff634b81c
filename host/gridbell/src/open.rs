//! Opening a data directory: store, key, state, host. The one place where the pieces are put together.

use std::path::{Path, PathBuf};
use std::sync::Arc;

use gridbell_archive::Archive;
use gridbell_certify::CertifierCommand;
use gridbell_clock::{Clock, Seed};
use gridbell_conductor::{Files, Host, HostOptions, MAX_IMPORT_BYTES};
use gridbell_engine::{CompilerCommand, EngineConfig};
use gridbell_state::{LoadReport, State};
use gridbell_store::{Key, KeyOrigin, Sealer, SledOptions, SledStore};

use crate::certifier::InChild;
use crate::config::{Config, KeyPlace};
use crate::defaults;
use crate::error::CommandError;

/// The hidden subcommand that compiles uploads.
pub(crate) const COMPILE_COMMAND: &str = "compile-plugin";
/// The hidden subcommand that certifies plugins.
pub(crate) const CERTIFY_COMMAND: &str = "certify-plugin";

/// What was opened.
pub(crate) struct Opened {
    pub(crate) host: Host,
    pub(crate) report: LoadReport,
    pub(crate) made: Made,
}

/// What was made because it was not there yet.
#[derive(Default)]
pub(crate) struct Made {
    /// The data directory.
    directory: Option<PathBuf>,
    /// The key: the operator must keep it.
    key: Option<PathBuf>,
}

impl Made {
    /// Says on standard error what was made, and what to do about it.
    pub(crate) fn say(&self) {
        if let Some(directory) = &self.directory {
            eprintln!("made a new data directory: {}", directory.display());
        }
        if let Some(key) = &self.key {
            eprintln!(
                "made a new key for contacts at {}: keep a copy apart from the data, without it no backup can be read",
                key.display()
            );
        }
    }
}

/// Whether there is a data directory in `directory`.
pub(crate) fn is_data(directory: &Path) -> bool {
    directory.join("store").exists()
}

/// Opens the state alone, for commands that need no plugins.
pub(crate) fn open_state(config: &Config, clock: &Clock) -> Result<(State, LoadReport, Made), CommandError> {
    let directory = (!is_data(&config.data)).then(|| config.data.clone());
    std::fs::create_dir_all(&config.data).map_err(CommandError::file("create", &config.data))?;
    let (key, made) = key(config)?;
    let mut options = SledOptions::default();
    if let Some(bytes) = config.cache_bytes {
        options.cache_bytes = usize::try_from(bytes).unwrap_or(usize::MAX);
    }
    let store = SledStore::open(&config.data.join("store"), options)?;
    let (state, report) = State::open_with_history(
        Arc::new(store),
        Arc::new(Sealer::new(&key)),
        clock.clone(),
        Some(config.data.join("history")),
    )?;
    Ok((state, report, Made { directory, key: made }))
}

/// Opens everything.
pub(crate) fn open(config: &Config, clock: Clock) -> Result<Opened, CommandError> {
    let (state, report, made) = open_state(config, &clock)?;
    let archive = archive(config)?;
    let host = Host::open(HostOptions {
        state,
        clock,
        seed: Seed(config.seed),
        artifacts: config.data.join("plugins"),
        compiler: compiler()?,
        certifier: Arc::new(InChild::of_this_program()?),
        engine: EngineConfig::default(),
        archive,
        files: Files {
            imports: config.data.join("imports"),
            max_import_bytes: config.max_import_bytes.unwrap_or(MAX_IMPORT_BYTES),
            backups: Some(config.backups.clone().unwrap_or_else(|| config.data.join("backups"))),
        },
    })?;
    Ok(Opened { host, report, made })
}

/// The archives of a data directory, which has its key.
pub(crate) fn archive(config: &Config) -> Result<Archive, CommandError> {
    let (key, _) = key(config)?;
    Ok(Archive::new(config.archives(), Arc::new(Sealer::new(&key))))
}

/// This very program, asked to compile: uploads never run in the host's own process before they were checked.
pub(crate) fn compiler() -> Result<CompilerCommand, CommandError> {
    let program = std::env::current_exe().map_err(CommandError::file("find", "gridbell"))?;
    Ok(CompilerCommand { program, args: vec![COMPILE_COMMAND.to_owned()] })
}

/// This very program, asked to certify.
pub(crate) fn certifier() -> Result<CertifierCommand, CommandError> {
    let program = std::env::current_exe().map_err(CommandError::file("find", "gridbell"))?;
    Ok(CertifierCommand { program, args: vec![CERTIFY_COMMAND.to_owned()] })
}

pub(crate) fn key(config: &Config) -> Result<(Key, Option<PathBuf>), CommandError> {
    let failed = |e: gridbell_store::KeyError| CommandError::Failed(e.to_string());
    let created = |path: &Path| -> Result<_, CommandError> {
        // A new key cannot read old data: a restored directory needs the key that was kept apart from its backup.
        if !path.exists() && is_data(&config.data) {
            let text = format!(
                "there is data but no key at {}: put back the key that the data was written with",
                path.display()
            );
            return Err(CommandError::Refused(text));
        }
        let (key, origin) = Key::load_or_create(path).map_err(failed)?;
        let made = matches!(origin, KeyOrigin::Created).then(|| path.to_owned());
        Ok((key, made))
    };
    match &config.key {
        KeyPlace::DataDirectory => created(&config.data.join("contacts.key")),
        KeyPlace::File(path) => created(path),
        KeyPlace::Env(name) => Ok((Key::from_env(name).map_err(failed)?, None)),
    }
}

/// Gives a host without documents the house's own: plugins, rules, texts, calendar, segments. What is there already stays.
pub(crate) async fn install_defaults(host: &Host) -> Result<(), CommandError> {
    const WHO: &str = "first-start";
    let has = |kind: &str, key: &str| host.state().doc(kind, key).is_some();
    // The texts come last: without them an earlier first start was cut off, perhaps between two plugins. One that is there stays as it is.
    if host.plugins().is_empty() || !has(gridbell_conductor::PROVINCE, "templates") {
        for plugin in defaults::PLUGINS {
            host.install_plugin(plugin.to_vec(), WHO).await?;
        }
    } else if host.loaded_plugins().len() < host.plugins().len() {
        // A backup restored without its plugins directory: the house's own are in this program and heal by themselves.
        for plugin in defaults::PLUGINS {
            if let Err(e) = host.install_plugin(plugin.to_vec(), WHO).await {
                tracing::warn!(error = %e, "plugin.not_healed: a plugin of the house could not be put back");
            }
        }
    }
    if !has(gridbell_conductor::PROVINCE, "rules") {
        host.apply_rules(defaults::RULES.0, defaults::RULES.1, WHO).await?;
    }
    if !has(gridbell_conductor::PROVINCE, "calendar") {
        host.apply_calendar(defaults::CALENDAR.0, defaults::CALENDAR.1, WHO).await?;
    }
    if !has(gridbell_conductor::PROVINCE, "segments") {
        host.apply_segments(defaults::SEGMENTS.0, defaults::SEGMENTS.1, WHO).await?;
    }
    if !has(gridbell_conductor::PROVINCE, "templates") {
        host.apply_templates(defaults::TEMPLATES.0, defaults::TEMPLATES.1, WHO).await?;
    }
    Ok(())
}

/// Applies the house's policies for prefectures that have none.
pub(crate) async fn install_policies(host: &Host) -> Result<(), CommandError> {
    let there = host.policies_by_prefecture();
    for (name, text) in defaults::POLICIES {
        let code: Option<u32> = name.split('-').next().and_then(|c| c.parse().ok());
        if code.is_some_and(|c| there.contains_key(&gridbell_model::PrefectureCode(c))) {
            continue;
        }
        host.apply_policies(name, text, None, "first-start", false).await?;
    }
    Ok(())
}
