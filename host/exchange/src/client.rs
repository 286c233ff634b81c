//! Calls to one origin: connections kept for the next call, everything bounded.

use std::future::Future;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::time::Duration;

use bytes::Bytes;
use gridbell_clock::Clock;
use gridbell_platform::{Answer, CallError, Exchange, MAX_ANSWER, Method, Request};
use http_body_util::{BodyExt, Full, Limited};
use hyper::client::conn::http1::{self, SendRequest};
use hyper_util::rt::TokioIo;
use parking_lot::Mutex;
use rustls::pki_types::ServerName;
use tokio::io::{AsyncRead, AsyncWrite};
use tokio::net::TcpStream;
use tokio::sync::Semaphore;
use tokio_rustls::TlsConnector;

use crate::error::ExchangeError;
use crate::origin::Origin;
use crate::tls::Trust;

/// How long a connection may take to open, TLS included.
pub const CONNECT_LIMIT: Duration = Duration::from_secs(3);
/// How long a call may take, the wait for a connection included.
pub const CALL_LIMIT: Duration = Duration::from_secs(10);
/// How long a connection is kept for the next call. Shorter than any front end's own patience that is known, so that a call rarely meets a
/// connection that is just being closed: such a call would be uncertain.
pub const IDLE_LIMIT: Duration = Duration::from_secs(8);
/// Connections at once; more calls wait within their own limit.
pub const MAX_CONNECTIONS: usize = 64;
/// Connections kept for the next call.
pub const MAX_IDLE: usize = 32;
/// Octets of an answer's head.
const MAX_HEAD: usize = 32 * 1024;
/// Headers of an answer.
const MAX_HEADERS: usize = 100;

type Sender = SendRequest<Full<Bytes>>;

/// A client for one origin. Share it behind an `Arc`; it needs a tokio runtime while it calls.
pub struct Client {
    origin: Origin,
    tls: Option<TlsConnector>,
    clock: Clock,
    permits: Semaphore,
    /// With the time since which each is idle, the longest first.
    idle: Mutex<Vec<(Duration, Sender)>>,
}

impl std::fmt::Debug for Client {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Client").field("origin", &self.origin).finish_non_exhaustive()
    }
}

impl Client {
    /// A client for `origin`.
    ///
    /// # Errors
    /// Where the certificates to believe cannot be had.
    pub fn new(origin: Origin, trust: &Trust, clock: Clock) -> Result<Self, ExchangeError> {
        let tls = if origin.is_secure() { Some(TlsConnector::from(Arc::new(trust.config()?))) } else { None };
        let (permits, idle) = (Semaphore::new(MAX_CONNECTIONS), Mutex::default());
        Ok(Self { origin, tls, clock, permits, idle })
    }

    /// Where it calls.
    #[must_use]
    pub const fn origin(&self) -> &Origin {
        &self.origin
    }

    async fn attempt(&self, request: &Request, left: &AtomicBool) -> Result<Answer, CallError> {
        let mut message = self.message(request)?;
        loop {
            let mut sender = match self.take_idle() {
                Some(mut sender) => {
                    // It may have been closed while it was idle.
                    if sender.ready().await.is_err() {
                        continue;
                    }
                    sender
                }
                None => self.connect().await?,
            };
            left.store(true, Ordering::SeqCst);
            match sender.try_send_request(message).await {
                Ok(response) => return self.read(response, sender).await,
                Err(mut error) => match error.take_message() {
                    // The connection ended before an octet of it was written.
                    Some(unwritten) => {
                        left.store(false, Ordering::SeqCst);
                        message = unwritten;
                    }
                    None => return Err(CallError::Uncertain { why: said(error.error()) }),
                },
            }
        }
    }

    async fn read(
        &self,
        response: hyper::Response<hyper::body::Incoming>,
        sender: Sender,
    ) -> Result<Answer, CallError> {
        let status = response.status().as_u16();
        let body = Limited::new(response.into_body(), MAX_ANSWER).collect().await;
        let body = body.map_err(|e| CallError::Uncertain { why: format!("its answer could not be read: {e}") })?;
        self.keep(sender);
        Ok(Answer { status, body: body.to_bytes().to_vec() })
    }

    fn message(&self, request: &Request) -> Result<hyper::Request<Full<Bytes>>, CallError> {
        let method = match request.method {
            Method::Get => hyper::Method::GET,
            Method::Post => hyper::Method::POST,
        };
        let mut builder = hyper::Request::builder().method(method).uri(&request.path);
        if request.header("host").is_none() {
            builder = builder.header("host", self.origin.authority());
        }
        for (name, value) in &request.headers {
            builder = builder.header(*name, value);
        }
        let message = builder.body(Full::new(Bytes::copy_from_slice(&request.body)));
        message.map_err(|_| CallError::Unsent { why: "the request is not one that HTTP can carry".to_owned() })
    }

    fn take_idle(&self) -> Option<Sender> {
        let now = self.clock.monotonic();
        let mut idle = self.idle.lock();
        let old = idle.iter().take_while(|(since, _)| now.saturating_sub(*since) > IDLE_LIMIT).count();
        idle.drain(..old);
        idle.pop().map(|(_, sender)| sender)
    }

    fn keep(&self, sender: Sender) {
        let now = self.clock.monotonic();
        let mut idle = self.idle.lock();
        if !sender.is_closed() && idle.len() < MAX_IDLE {
            idle.push((now, sender));
        }
    }

    async fn connect(&self) -> Result<Sender, CallError> {
        let unsent = |why: String| CallError::Unsent { why };
        tokio::select! {
            biased;
            opened = self.open() => opened.map_err(unsent),
            () = self.clock.sleep(CONNECT_LIMIT) => {
                Err(unsent(format!("no connection to {} within {} s", self.origin, CONNECT_LIMIT.as_secs())))
            }
        }
    }

    async fn open(&self) -> Result<Sender, String> {
        let failed = |e: &dyn std::fmt::Display| format!("connecting to {} failed: {e}", self.origin);
        let stream = TcpStream::connect((self.origin.host(), self.origin.port())).await.map_err(|e| failed(&e))?;
        stream.set_nodelay(true).map_err(|e| failed(&e))?;
        let Some(tls) = &self.tls else {
            return speak(stream).await.map_err(|e| failed(&e));
        };
        let name = ServerName::try_from(self.origin.host().to_owned()).map_err(|e| failed(&e))?;
        let stream = tls.connect(name, stream).await.map_err(|e| failed(&e))?;
        speak(stream).await.map_err(|e| failed(&e))
    }
}

impl Exchange for Client {
    async fn call(&self, request: &Request) -> Result<Answer, CallError> {
        let left = AtomicBool::new(false);
        let call = async {
            // The semaphore is never closed.
            let _permit = self.permits.acquire().await;
            self.attempt(request, &left).await
        };
        within(call, &self.clock, &left).await
    }
}

async fn within<F: Future<Output = Result<Answer, CallError>>>(
    call: F,
    clock: &Clock,
    left: &AtomicBool,
) -> Result<Answer, CallError> {
    tokio::select! {
        biased;
        answer = call => answer,
        () = clock.sleep(CALL_LIMIT) => {
            let why = format!("no answer within {} s", CALL_LIMIT.as_secs());
            Err(if left.load(Ordering::SeqCst) { CallError::Uncertain { why } } else { CallError::Unsent { why } })
        }
    }
}

async fn speak<S: AsyncRead + AsyncWrite + Send + Unpin + 'static>(stream: S) -> Result<Sender, hyper::Error> {
    let mut builder = http1::Builder::new();
    builder.max_buf_size(MAX_HEAD).max_headers(MAX_HEADERS);
    let (sender, connection) = builder.handshake(TokioIo::new(stream)).await?;
    // It ends with its socket, or when the sender is dropped.
    tokio::spawn(async move {
        if let Err(error) = connection.await {
            tracing::debug!(error = %error, "exchange.connection: a connection to a platform ended");
        }
    });
    Ok(sender)
}

/// hyper's words, which say nothing of what was sent.
fn said(error: &hyper::Error) -> String {
    match std::error::Error::source(error) {
        Some(source) => format!("{error}: {source}"),
        None => error.to_string(),
    }
}
