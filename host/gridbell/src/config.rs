//! The configuration of a host: `gridbell serve --config FILE`.

use std::collections::BTreeSet;
use std::net::SocketAddr;
use std::path::{Path, PathBuf};

use gridbell_channels::{LinkConfig, SecretRef};
use gridbell_providers::AccountConfig;
use serde::{Deserialize, Serialize};

use crate::error::CommandError;

/// A host's configuration, TOML.
#[derive(Clone, Debug, Serialize, Deserialize)]
#[serde(deny_unknown_fields, rename_all = "kebab-case")]
pub(crate) struct Config {
    /// Where everything is kept; made at the first start.
    pub(crate) data: PathBuf,
    /// The key that contacts are encrypted with.
    #[serde(default)]
    pub(crate) key: KeyPlace,
    /// Where records go that are older than the province keeps online; `archives` in `data` without.
    #[serde(default)]
    pub(crate) archives: Option<PathBuf>,
    /// Where the API and the console listen.
    #[serde(default = "default_listen")]
    pub(crate) listen: SocketAddr,
    /// Certificate and key, PEM; plain HTTP without.
    #[serde(default)]
    pub(crate) tls: Option<TlsFiles>,
    /// Whether a proxy before this host ends TLS.
    #[serde(default)]
    pub(crate) behind_tls_proxy: bool,
    /// Bytes that the store may cache.
    #[serde(default)]
    pub(crate) cache_bytes: Option<u64>,
    /// Where backups are written while the host runs; `backups` in `data` without it.
    #[serde(default)]
    pub(crate) backups: Option<PathBuf>,
    /// The most bytes of a file that is imported through the API or the console.
    #[serde(default)]
    pub(crate) max_import_bytes: Option<u64>,
    /// Connections to the API and the console at the same time.
    #[serde(default)]
    pub(crate) max_connections: Option<usize>,
    /// Seconds that a caller may take to send a request's head.
    #[serde(default)]
    pub(crate) header_timeout_s: Option<u64>,
    /// From which samples and jitter are drawn.
    #[serde(default)]
    pub(crate) seed: u64,
    /// What alerts and pages on screens say of who speaks.
    #[serde(default)]
    pub(crate) screens: crate::screens::ScreensConfig,
    /// The broker that notices for screens are published to.
    #[serde(default)]
    pub(crate) mqtt: Option<crate::screens::MqttConfig>,
    /// Links to carriers.
    #[serde(default, rename = "link")]
    pub(crate) links: Vec<LinkConfig>,
    /// Accounts at platforms.
    #[serde(default, rename = "platform")]
    pub(crate) platforms: Vec<AccountConfig>,
    /// The file itself, which messages name.
    #[serde(skip)]
    pub(crate) file: PathBuf,
}

/// Where the key is.
#[derive(Clone, Debug, Default, Serialize, Deserialize)]
#[serde(deny_unknown_fields, rename_all = "kebab-case")]
pub(crate) enum KeyPlace {
    /// `data/contacts.key`, made at the first start.
    #[default]
    DataDirectory,
    /// A file.
    File(PathBuf),
    /// An environment variable, hex or base64.
    Env(String),
}

/// Certificate and key.
#[derive(Clone, Debug, Serialize, Deserialize)]
#[serde(deny_unknown_fields, rename_all = "kebab-case")]
pub(crate) struct TlsFiles {
    /// The certificate and those that it leads to, PEM.
    pub(crate) certificates: PathBuf,
    /// The private key, PEM.
    pub(crate) key: PathBuf,
}

fn default_listen() -> SocketAddr {
    SocketAddr::from(([127, 0, 0, 1], 8080))
}

impl Config {
    /// A configuration that keeps everything in `data`, without links.
    pub(crate) fn of_data(data: PathBuf) -> Self {
        Self {
            data,
            key: KeyPlace::default(),
            archives: None,
            listen: default_listen(),
            tls: None,
            behind_tls_proxy: false,
            cache_bytes: None,
            backups: None,
            max_import_bytes: None,
            max_connections: None,
            header_timeout_s: None,
            seed: 0,
            screens: crate::screens::ScreensConfig::default(),
            mqtt: None,
            links: Vec::new(),
            platforms: Vec::new(),
            file: PathBuf::new(),
        }
    }

    /// Where the archives are.
    pub(crate) fn archives(&self) -> PathBuf {
        self.archives.clone().unwrap_or_else(|| self.data.join("archives"))
    }

    /// Reads a configuration file; relative paths in it are relative to it.
    pub(crate) fn read(path: &Path) -> Result<Self, CommandError> {
        let text = std::fs::read_to_string(path).map_err(CommandError::file("read", path))?;
        let mut config: Self = toml::from_str(&text)
            .map_err(|e| CommandError::Refused(format!("{}: {}", path.display(), e.to_string().trim_end())))?;
        config.check_names(path)?;
        config.file = path.to_owned();
        let base = path.parent().unwrap_or(Path::new("."));
        config.data = base.join(&config.data);
        config.backups = config.backups.map(|dir| base.join(dir));
        if let KeyPlace::File(file) = &mut config.key {
            *file = base.join(&file);
        }
        config.archives = config.archives.map(|dir| base.join(dir));
        for link in &mut config.links {
            if let SecretRef::File(file) = &mut link.secret {
                *file = base.join(&file);
            }
        }
        if let Some(mqtt) = &mut config.mqtt {
            mqtt.based_on(base);
        }
        for account in &mut config.platforms {
            account.relative_to(base);
        }
        if let Some(tls) = &mut config.tls {
            (tls.certificates, tls.key) = (base.join(&tls.certificates), base.join(&tls.key));
        }
        Ok(config)
    }

    /// Carriers' and platforms' links share their names: receipts, stops, alarms and callback addresses say no more.
    fn check_names(&self, path: &Path) -> Result<(), CommandError> {
        let carriers = self.links.iter().map(|link| &link.name);
        let mut known = BTreeSet::new();
        for name in carriers.chain(self.platforms.iter().map(|account| &account.link.name)) {
            if !known.insert(name) {
                let tables = "[[link]] and [[platform]]";
                return Err(CommandError::Refused(format!(
                    "{}: two links of {tables} have the name `{name}`: give one of them another `name`",
                    path.display()
                )));
            }
        }
        Ok(())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_small_file_is_enough_and_a_typing_error_is_named() {
        let config: Config = toml::from_str("data = \"d\"").unwrap();
        assert_eq!(config.listen.port(), 8080);
        let e = toml::from_str::<Config>("data = \"d\"\nlisten-on = \"x\"").unwrap_err().to_string();
        assert!(e.contains("listen-on") && e.contains("line 2"), "{e}");
    }
}
