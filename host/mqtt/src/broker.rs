//! Where the broker is and how we sign in.

use std::path::PathBuf;
use std::sync::Arc;
use std::time::Duration;

use rumqttc::v5::MqttOptions;
use rumqttc::{TlsConfiguration, Transport};
use rustls::pki_types::CertificateDer;
use rustls::pki_types::pem::PemObject;
use rustls::{ClientConfig, RootCertStore};

/// How often a quiet connection says that it is there.
const KEEP_ALIVE: Duration = Duration::from_secs(20);
/// How long a connection may take to be made, in seconds.
const CONNECT_S: u64 = 15;
/// The largest packet that we read: acknowledgements are a handful of octets.
const MAX_INCOMING: u32 = 64 << 10;

/// Why we do not publish.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum MqttError {
    /// What the operator wrote cannot be.
    #[error("`[mqtt]` {field}: {why}")]
    Configuration {
        /// Which field.
        field: &'static str,
        /// What is wrong, and what to do.
        why: String,
    },
    /// The broker cannot be reached, or the connection broke off.
    #[error("the broker does not answer: {0}")]
    Connection(String),
    /// The broker says no.
    #[error("the broker refuses: {0}")]
    Refused(String),
    /// The broker took too long.
    #[error("the broker did not acknowledge within {} s", .0.as_secs())]
    Late(Duration),
    /// How far changes were taken cannot be kept.
    #[error("the position cannot be kept: {0}")]
    Position(String),
}

/// Whom TLS believes.
#[derive(Clone, Debug, Default)]
pub struct BrokerTls {
    /// PEM of the authorities that vouch for the broker; none for those that this machine believes.
    pub ca: Option<PathBuf>,
}

/// A broker.
#[derive(Clone)]
pub struct Broker {
    /// Its name or address.
    pub host: String,
    /// Its port: 1883, or 8883 with TLS.
    pub port: u16,
    /// With TLS; none for a broker on the same machine or a closed network.
    pub tls: Option<BrokerTls>,
    /// Name and password.
    pub login: Option<(String, String)>,
    /// Who we are to it.
    pub client_id: String,
    /// What topics begin with: `gridbell/screens`.
    pub topic: String,
}

impl Broker {
    /// Whether it can be used at all: for the start, so that a typing error is not told by an alarm at night.
    ///
    /// # Errors
    /// Names the field.
    pub fn check(&self) -> Result<(), MqttError> {
        let wrong = |field, why: &str| Err(MqttError::Configuration { field, why: why.to_owned() });
        if self.host.is_empty() || self.host.len() > 255 || self.host.contains([' ', '/']) {
            return wrong("host", "is no name or address of a machine");
        }
        if self.client_id.is_empty() || self.client_id.len() > 64 || !self.client_id.is_ascii() {
            return wrong("client-id", "is empty, longer than 64 or not ASCII");
        }
        let parts = self.topic.split('/').all(|part| !part.is_empty());
        if !parts || self.topic.len() > 120 || self.topic.contains(['+', '#', '\0', '$']) {
            return wrong("topic", "is no beginning of a topic: words with `/` between them, as gridbell/screens");
        }
        self.options().map(|_| ())
    }

    pub(crate) fn options(&self) -> Result<MqttOptions, MqttError> {
        let mut options = MqttOptions::new(&self.client_id, &self.host, self.port);
        options.set_keep_alive(KEEP_ALIVE).set_clean_start(true).set_connection_timeout(CONNECT_S);
        options.set_max_packet_size(Some(MAX_INCOMING));
        if let Some((name, password)) = &self.login {
            options.set_credentials(name, password);
        }
        if let Some(tls) = &self.tls {
            let config = Arc::new(tls.config()?);
            options.set_transport(Transport::Tls(TlsConfiguration::Rustls(config)));
        }
        Ok(options)
    }
}

impl BrokerTls {
    fn config(&self) -> Result<ClientConfig, MqttError> {
        let wrong = |why: String| MqttError::Configuration { field: "tls.ca", why };
        let mut roots = RootCertStore::empty();
        match &self.ca {
            Some(path) => {
                let unreadable = |e| wrong(format!("cannot read `{}`: {e}", path.display()));
                for certificate in CertificateDer::pem_file_iter(path).map_err(unreadable)? {
                    let added = roots.add(certificate.map_err(unreadable)?);
                    added.map_err(|e| wrong(format!("`{}`: {e}", path.display())))?;
                }
            }
            None => {
                roots.add_parsable_certificates(rustls_native_certs::load_native_certs().certs);
            }
        }
        if roots.is_empty() {
            return Err(wrong("there is no certificate of an authority; name a PEM file".to_owned()));
        }
        let provider = Arc::new(rustls::crypto::ring::default_provider());
        let config = ClientConfig::builder_with_provider(provider).with_safe_default_protocol_versions();
        let config = config.map_err(|e| wrong(e.to_string()))?;
        Ok(config.with_root_certificates(roots).with_no_client_auth())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_cannot_be_is_told_with_its_field() {
        let good = Broker {
            host: "broker.example.cn".into(),
            port: 1883,
            tls: None,
            login: None,
            client_id: "gridbell".into(),
            topic: "gridbell/screens".into(),
        };
        good.check().unwrap();
        let missing = BrokerTls { ca: Some("no-such-file.pem".into()) };
        for (field, bad) in [
            ("host", Broker { host: "mqtt://x".into(), ..good.clone() }),
            ("client-id", Broker { client_id: String::new(), ..good.clone() }),
            ("topic", Broker { topic: "a/#".into(), ..good.clone() }),
            ("topic", Broker { topic: "/a".into(), ..good.clone() }),
            ("tls.ca", Broker { tls: Some(missing), ..good }),
        ] {
            let error = bad.check().unwrap_err().to_string();
            assert!(error.starts_with(&format!("`[mqtt]` {field}: ")), "{error}");
        }
    }
}
