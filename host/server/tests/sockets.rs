//! What only a socket shows: TLS, callers who say nothing, callers who are too many.
#![allow(clippy::unwrap_used, reason = "a test stops where it fails")]

mod support;

use std::io::{Read, Write};
use std::net::{SocketAddr, TcpStream};
use std::path::PathBuf;
use std::sync::Arc;
use std::time::Duration;

use gridbell_server::{Limits, Server, ServerError, ServerOptions, Tls};
use rustls::pki_types::pem::PemObject;
use rustls::pki_types::{CertificateDer, ServerName};
use support::{Stand, stand};

const ASK: &[u8] = b"GET /healthz HTTP/1.1\r\nHost: localhost\r\n\r\n";

fn pem(name: &str) -> PathBuf {
    PathBuf::from(format!("{}/tests/tls/{name}.pem", env!("CARGO_MANIFEST_DIR")))
}

fn options(stand: &Stand, tls: Option<Tls>, limits: Limits) -> ServerOptions {
    let addr = "127.0.0.1:0".parse().unwrap();
    ServerOptions { addr, tls, behind_tls_proxy: false, limits, host: Arc::new(stand.clone()) }
}

/// Reads until `wanted` came or the other side closed; what came.
fn until(from: &mut impl Read, wanted: &str) -> String {
    let (mut seen, mut some) = (Vec::new(), [0; 4096]);
    loop {
        // A connection that is reset is as closed as one that ends.
        let n = from.read(&mut some).unwrap_or(0);
        seen.extend_from_slice(&some[..n]);
        let text = String::from_utf8_lossy(&seen).into_owned();
        if n == 0 || text.contains(wanted) {
            return text;
        }
    }
}

async fn blocking<T: Send + 'static>(work: impl FnOnce() -> T + Send + 'static) -> T {
    tokio::task::spawn_blocking(work).await.unwrap()
}

#[tokio::test]
async fn a_certificate_makes_every_word_encrypted() {
    let stand = stand(2).await;
    let tls = Tls { certificates: pem("cert"), key: pem("key") };
    let server = Server::start(options(&stand, Some(tls), Limits::default())).await.unwrap();
    let addr = server.addr();
    let answer = blocking(move || {
        let mut roots = rustls::RootCertStore::empty();
        roots.add(CertificateDer::from_pem_file(pem("cert")).unwrap()).unwrap();
        let provider = Arc::new(rustls::crypto::ring::default_provider());
        let config = rustls::ClientConfig::builder_with_provider(provider);
        let config = config.with_safe_default_protocol_versions().unwrap();
        let config = config.with_root_certificates(roots).with_no_client_auth();
        let name = ServerName::try_from("localhost").unwrap();
        let session = rustls::ClientConnection::new(Arc::new(config), name).unwrap();
        let mut stream = rustls::StreamOwned::new(session, TcpStream::connect(addr).unwrap());
        stream.write_all(ASK).unwrap();
        until(&mut stream, "ok\n")
    })
    .await;
    assert!(answer.starts_with("HTTP/1.1 200") && answer.contains("strict-transport-security"), "{answer}");
    // Whoever speaks plainly gets no answer in plain words.
    let plain = blocking(move || {
        let mut stream = TcpStream::connect(addr).unwrap();
        stream.write_all(ASK).unwrap();
        until(&mut stream, "HTTP/1.1")
    })
    .await;
    assert!(!plain.contains("HTTP/1.1 200"), "{plain}");
    server.shutdown().await.unwrap();
}

#[tokio::test]
async fn a_certificate_that_is_none_is_named() {
    let stand = stand(0).await;
    let tls = Tls { certificates: pem("key"), key: pem("cert") };
    let Err(ServerError::Pem { path, .. }) = Server::start(options(&stand, Some(tls), Limits::default())).await else {
        panic!("a certificate was taken for a key");
    };
    assert!(path.ends_with("cert.pem") || path.ends_with("key.pem"));
}

#[tokio::test]
async fn a_caller_who_never_ends_his_request_is_cut_off() {
    let stand = stand(0).await;
    let limits = Limits { header_timeout: Duration::from_millis(50), ..Limits::default() };
    let server = Server::start(options(&stand, None, limits)).await.unwrap();
    let addr = server.addr();
    let rest = blocking(move || {
        let mut stream = TcpStream::connect(addr).unwrap();
        stream.write_all(b"GET /healthz HTTP/1.1\r\nHost: loc").unwrap();
        until(&mut stream, "never said")
    })
    .await;
    assert!(!rest.contains("200"), "{rest}");
    server.shutdown().await.unwrap();
}

fn ask(addr: SocketAddr) -> (TcpStream, String) {
    let mut stream = TcpStream::connect(addr).unwrap();
    // The other side may have closed already: then nothing comes back.
    let _ = stream.write_all(ASK);
    let answer = until(&mut stream, "ok\n");
    (stream, answer)
}

#[tokio::test]
async fn connections_beyond_the_bound_are_turned_away_until_one_is_closed() {
    let stand = stand(0).await;
    let server =
        Server::start(options(&stand, None, Limits { max_connections: 1, ..Limits::default() })).await.unwrap();
    let addr = server.addr();
    blocking(move || {
        let (first, answer) = ask(addr);
        assert!(answer.contains("200"), "{answer}");
        let (_, second) = ask(addr);
        assert_eq!(second, "", "there is one place, and it is taken");
        drop(first);
        // The server hears of the close when it hears of it: then the place is free.
        let answered = std::iter::repeat_with(|| ask(addr).1).take(100_000).find(|a| a.contains("200"));
        assert!(answered.is_some());
    })
    .await;
    server.shutdown().await.unwrap();
}
