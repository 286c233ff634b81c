//! Whom we believe: the machine's certificate authorities, and one file more where the operator names it.

use std::path::{Path, PathBuf};
use std::sync::Arc;

use rustls::pki_types::CertificateDer;
use rustls::pki_types::pem::PemObject;
use rustls::{ClientConfig, RootCertStore};

use crate::error::ExchangeError;

/// The most octets of a file of certificates that are read.
const MAX_FILE: u64 = 4 * 1024 * 1024;

/// Which certificates are believed. There is no way to believe all of them.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Trust {
    /// A PEM file with authorities beside those of the machine, for a province's own platform.
    pub extra_ca: Option<PathBuf>,
}

impl Trust {
    pub(crate) fn config(&self) -> Result<ClientConfig, ExchangeError> {
        let mut roots = RootCertStore::empty();
        let native = rustls_native_certs::load_native_certs();
        for error in native.errors {
            tracing::warn!(error = %error, "exchange.authorities: some of the machine's certificate authorities cannot be read");
        }
        roots.add_parsable_certificates(native.certs);
        if let Some(file) = &self.extra_ca {
            extend(&mut roots, file)?;
        }
        if roots.is_empty() {
            return Err(ExchangeError::NoAuthority);
        }
        let provider = Arc::new(rustls::crypto::ring::default_provider());
        let config = ClientConfig::builder_with_provider(provider).with_safe_default_protocol_versions()?;
        Ok(config.with_root_certificates(roots).with_no_client_auth())
    }
}

fn extend(roots: &mut RootCertStore, file: &Path) -> Result<(), ExchangeError> {
    let wrong = |why: String| ExchangeError::Certificates { file: file.display().to_string(), why };
    let length = std::fs::metadata(file).map_err(|e| wrong(e.to_string()))?.len();
    if length > MAX_FILE {
        return Err(wrong("it is longer than 4 MiB".to_owned()));
    }
    let pem = std::fs::read(file).map_err(|e| wrong(e.to_string()))?;
    let mut found = false;
    for certificate in CertificateDer::pem_slice_iter(&pem) {
        let certificate = certificate.map_err(|e| wrong(format!("it is no PEM file of certificates: {e}")))?;
        roots.add(certificate).map_err(|e| wrong(e.to_string()))?;
        found = true;
    }
    if found { Ok(()) } else { Err(wrong("it has no `BEGIN CERTIFICATE`".to_owned())) }
}
