//! From a conductor to a listening socket and back: routes, layers, TLS, shutdown.

use std::io;
use std::net::SocketAddr;
use std::path::PathBuf;
use std::sync::Arc;
use std::time::Duration;

use axum::Router;
use axum::extract::{Request, State};
use axum::http::header;
use axum::response::{IntoResponse, Response};
use axum::routing::get;
use axum_server::Handle;
use axum_server::tls_rustls::RustlsConfig;
use hyper_util::rt::{TokioExecutor, TokioTimer};
use hyper_util::server::conn::auto::Builder;
use rustls::pki_types::pem::PemObject;
use rustls::pki_types::{CertificateDer, PrivateKeyDer};
use tokio::task::JoinHandle;
use tokio_util::sync::CancellationToken;

use crate::app::App;
use crate::bounded::Bounded;
use crate::conduct::Conduct;
use crate::problem::{Code, Problem};
use crate::{api, callbacks, console, health, idempotency, metrics, observe, screens};

/// How long a shutdown waits for requests under way.
pub const DRAIN: Duration = Duration::from_secs(15);

/// Why the server does not run.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum ServerError {
    /// The address cannot be listened on.
    #[error("cannot listen on `{addr}`; is another program there, or is the address not this machine's?")]
    Bind {
        /// The address.
        addr: SocketAddr,
        /// The system's reason.
        #[source]
        source: io::Error,
    },
    /// Certificate or key cannot be read.
    #[error("cannot read `{}` as {what}: {reason}", path.display())]
    Pem {
        /// The file.
        path: PathBuf,
        /// Certificate chain or private key.
        what: &'static str,
        /// Why.
        reason: String,
    },
    /// Certificate and key do not make a TLS server.
    #[error("certificate and key cannot be used together: {0}")]
    Tls(#[from] rustls::Error),
    /// The server cannot be set up.
    #[error("the server cannot be set up: {0}")]
    Setup(String),
    /// The first user cannot be made.
    #[error("users and tokens cannot be changed: {0}")]
    Access(String),
    /// The server's task ended badly.
    #[error("the server ended badly: {0}")]
    Ended(String),
}

/// Certificate and key, PEM files.
#[derive(Clone, Debug)]
pub struct Tls {
    /// The certificate and those that it leads to.
    pub certificates: PathBuf,
    /// The private key.
    pub key: PathBuf,
}

/// How long a caller may take to send a request's head; a connection on which nothing is asked ends after it, too.
pub const HEADER_TIMEOUT: Duration = Duration::from_secs(30);
/// Open connections; beyond it new ones are closed at once. More than the requests that are worked on at a time, and the live views.
pub const MAX_CONNECTIONS: usize = 1_024;

/// What callers may take of the server.
#[derive(Clone, Copy, Debug)]
pub struct Limits {
    /// [`HEADER_TIMEOUT`] where the operator says nothing else.
    pub header_timeout: Duration,
    /// [`MAX_CONNECTIONS`] where the operator says nothing else.
    pub max_connections: usize,
}

impl Default for Limits {
    fn default() -> Self {
        Self { header_timeout: HEADER_TIMEOUT, max_connections: MAX_CONNECTIONS }
    }
}

/// What a server needs.
pub struct ServerOptions {
    /// Where to listen; port 0 takes a free one.
    pub addr: SocketAddr,
    /// TLS when given; else plain HTTP, for loopback or behind a proxy that ends TLS.
    pub tls: Option<Tls>,
    /// Whether cookies may only travel encrypted although this server speaks plain HTTP: behind a proxy that ends TLS.
    pub behind_tls_proxy: bool,
    /// What callers may take.
    pub limits: Limits,
    /// The conductor.
    pub host: Arc<dyn Conduct>,
}

impl ServerOptions {
    /// Plain HTTP, as on loopback, with the usual limits.
    #[must_use]
    pub fn plain(addr: SocketAddr, host: Arc<dyn Conduct>) -> Self {
        Self { addr, tls: None, behind_tls_proxy: false, limits: Limits::default(), host }
    }
}

/// A running server.
pub struct Server {
    addr: SocketAddr,
    handle: Handle<SocketAddr>,
    closing: CancellationToken,
    task: JoinHandle<io::Result<()>>,
}

impl Server {
    /// Starts to listen; the server runs until [`Server::shutdown`].
    ///
    /// # Errors
    /// See [`ServerError`].
    pub async fn start(options: ServerOptions) -> Result<Self, ServerError> {
        let limits = options.limits;
        let secure = options.tls.is_some() || options.behind_tls_proxy;
        let tls = options.tls.as_ref().map(tls_config).transpose()?;
        let closing = CancellationToken::new();
        let app = build(options.host, secure, closing.clone())?;
        let service = app.into_make_service_with_connect_info::<SocketAddr>();
        let bind = |source| ServerError::Bind { addr: options.addr, source };
        let listener = std::net::TcpListener::bind(options.addr).map_err(bind)?;
        listener.set_nonblocking(true).map_err(bind)?;
        let addr = listener.local_addr().map_err(bind)?;
        let handle = Handle::new();
        let task = match tls {
            Some(tls) => {
                let server = axum_server::from_tcp_rustls(listener, tls).map_err(bind)?;
                let mut server = server.handle(handle.clone()).map(|tls| Bounded::new(tls, limits.max_connections));
                limit(server.http_builder(), limits);
                tokio::spawn(server.serve(service))
            }
            None => {
                let server = axum_server::from_tcp(listener).map_err(bind)?;
                let mut server = server.handle(handle.clone()).map(|tcp| Bounded::new(tcp, limits.max_connections));
                limit(server.http_builder(), limits);
                tokio::spawn(server.serve(service))
            }
        };
        tracing::info!(%addr, tls = options.tls.is_some(), "server.listening: {addr}");
        Ok(Self { addr, handle, closing, task })
    }

    /// Where it listens.
    #[must_use]
    pub fn addr(&self) -> SocketAddr {
        self.addr
    }

    /// Takes no more connections, waits for requests under way at most [`DRAIN`], then closes.
    ///
    /// # Errors
    /// When the server had ended badly before.
    pub async fn shutdown(self) -> Result<(), ServerError> {
        self.closing.cancel();
        self.handle.graceful_shutdown(Some(DRAIN));
        let ended = self.task.await.map_err(|e| ServerError::Ended(e.to_string()))?;
        ended.map_err(|e| ServerError::Ended(e.to_string()))
    }
}

fn limit(builder: &mut Builder<TokioExecutor>, limits: Limits) {
    builder.http1().timer(TokioTimer::new()).header_read_timeout(limits.header_timeout);
}

fn tls_config(tls: &Tls) -> Result<RustlsConfig, ServerError> {
    let pem = |path: &PathBuf, what| {
        let path = path.clone();
        move |e: rustls::pki_types::pem::Error| ServerError::Pem { path, what, reason: e.to_string() }
    };
    let chain: Result<Vec<CertificateDer<'static>>, _> =
        CertificateDer::pem_file_iter(&tls.certificates).and_then(Iterator::collect);
    let chain = chain.map_err(pem(&tls.certificates, "a certificate chain"))?;
    let key = PrivateKeyDer::from_pem_file(&tls.key).map_err(pem(&tls.key, "a private key"))?;
    let provider = Arc::new(rustls::crypto::ring::default_provider());
    let mut config = rustls::ServerConfig::builder_with_provider(provider)
        .with_safe_default_protocol_versions()?
        .with_no_client_auth()
        .with_single_cert(chain, key)?;
    config.alpn_protocols = vec![b"http/1.1".to_vec()];
    Ok(RustlsConfig::from_config(Arc::new(config)))
}

fn build(host: Arc<dyn Conduct>, secure: bool, closing: CancellationToken) -> Result<Router, ServerError> {
    let app = App::new(host, secure, closing).map_err(|p| ServerError::Setup(p.sentence()))?;
    let (v1, document) = api::router();
    let document = document.to_pretty_json().map_err(|e| ServerError::Setup(e.to_string()))?;
    let document: Arc<str> = document.into();
    let json = move || {
        let document = Arc::clone(&document);
        async move { ([(axum::http::header::CONTENT_TYPE, "application/json")], document.to_string()) }
    };
    let v1 = v1.layer(axum::middleware::from_fn_with_state(app.clone(), idempotency::idempotent));
    Ok(Router::new()
        .merge(v1)
        .merge(console::router(&app))
        .merge(screens::router())
        .route("/openapi.json", get(json))
        .route("/healthz", get(health::healthz))
        .route("/readyz", get(health::readyz))
        .route("/metrics", get(metrics::metrics))
        .route("/callbacks/{account}", get(callbacks::take).post(callbacks::take))
        .fallback(nothing)
        .method_not_allowed_fallback(wrong_method)
        .layer(axum::middleware::from_fn_with_state(app.clone(), observe::observe))
        .with_state(app))
}

/// The whole server as a service, for tests without a socket.
///
/// # Errors
/// When the system gives no random bytes.
pub fn router(host: Arc<dyn Conduct>) -> Result<Router, ServerError> {
    build(host, false, CancellationToken::new())
}

/// The OpenAPI 3.1 document of `/v1`, as `/openapi.json` gives it.
///
/// # Errors
/// When it cannot be written as JSON.
pub fn openapi() -> Result<String, ServerError> {
    api::router().1.to_pretty_json().map_err(|e| ServerError::Setup(e.to_string()))
}

/// Whoever reads pages gets one that says so; programs get the problem.
async fn nothing(State(app): State<App>, request: Request) -> Response {
    let reads_pages =
        request.headers().get(header::ACCEPT).and_then(|a| a.to_str().ok()).is_some_and(|a| a.contains("text/html"));
    if reads_pages && !request.uri().path().starts_with("/v1/") {
        return console::as_page(&app, &request, Problem::not_found());
    }
    Problem::not_found().into_response()
}

async fn wrong_method() -> Response {
    Problem::new(Code::MethodNotAllowed).into_response()
}
