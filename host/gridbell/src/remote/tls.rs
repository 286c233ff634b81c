//! TLS towards a running host: which certificates are believed, and what is said of one that is not. Nothing turns the check off.

use std::path::{Path, PathBuf};
use std::sync::Arc;

use rustls::CertificateError;
use ureq::tls::{Certificate, PemItem, RootCerts, TlsConfig, TlsProvider, parse_pem};

use crate::error::CommandError;

/// Longest file of certificates that is read.
const MAX_PEM_BYTES: u64 = 4 << 20;

/// Believes the authorities of `ca` and nobody else, or those that this machine believes.
pub(super) fn config(ca: Option<&Path>) -> Result<TlsConfig, CommandError> {
    let roots = match ca {
        Some(file) => of_file(file)?,
        None => of_machine()?,
    };
    Ok(TlsConfig::builder()
        .provider(TlsProvider::Rustls)
        .unversioned_rustls_crypto_provider(Arc::new(rustls::crypto::ring::default_provider()))
        .root_certs(RootCerts::Specific(Arc::new(roots)))
        .build())
}

fn of_file(file: &Path) -> Result<Vec<Certificate<'static>>, CommandError> {
    use std::io::Read;
    let mut pem = Vec::new();
    let opened = std::fs::File::open(file).map_err(CommandError::file("open", file))?;
    opened.take(MAX_PEM_BYTES).read_to_end(&mut pem).map_err(CommandError::file("read", file))?;
    let refused = |why: String| CommandError::Refused(format!("--ca {}: {why}", file.display()));
    let mut roots = Vec::new();
    for item in parse_pem(&pem) {
        match item.map_err(|e| refused(format!("it is no PEM: {e}")))? {
            PemItem::Certificate(certificate) => roots.push(certificate),
            _ => {
                return Err(refused("there is a private key in it; give the authority's certificate alone".to_owned()));
            }
        }
    }
    if roots.is_empty() {
        return Err(refused("there is no certificate in it; it begins with -----BEGIN CERTIFICATE-----".to_owned()));
    }
    Ok(roots)
}

fn of_machine() -> Result<Vec<Certificate<'static>>, CommandError> {
    let found = rustls_native_certs::load_native_certs();
    if found.certs.is_empty() {
        let text = "this machine has no list of certificate authorities: install ca-certificates, or name the host's by --ca FILE";
        return Err(CommandError::Failed(text.to_owned()));
    }
    Ok(found.certs.iter().map(|c| Certificate::from_der(c).to_owned()).collect())
}

/// What to do about a connection that failed for the host's certificate; none where it failed otherwise.
pub(super) fn advice(e: &ureq::Error, ca: Option<&PathBuf>) -> Option<String> {
    let wrong = match e {
        ureq::Error::Rustls(e) => Some(e),
        ureq::Error::Io(e) => e.get_ref().and_then(|e| e.downcast_ref::<rustls::Error>()),
        _ => None,
    }?;
    let believed = match ca {
        Some(file) => format!("--ca {} does not vouch for it", file.display()),
        None => "no authority of this machine vouches for it: name the one that does by --ca FILE".to_owned(),
    };
    Some(match wrong {
        rustls::Error::InvalidCertificate(why) => match why {
            CertificateError::NotValidForName | CertificateError::NotValidForNameContext { .. } => {
                "the host's certificate is for another name: use a name that is in it, or have it made for this one"
                    .to_owned()
            }
            CertificateError::Expired | CertificateError::ExpiredContext { .. } => {
                "the host's certificate has expired: renew it on the host, or look at this machine's clock".to_owned()
            }
            // An unknown authority, or a known one's name with another key.
            _ => format!("the host's certificate is not believed: {believed}"),
        },
        rustls::Error::InvalidMessage(_) => {
            "what answers there does not speak TLS: use http:// for a host without a certificate".to_owned()
        }
        other => format!("no TLS connection: {other}"),
    })
}
