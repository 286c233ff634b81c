//! A small server for simulated platforms, with faults that a framework would never make: an answer that never comes, a connection that breaks.

use std::convert::Infallible;
use std::future::Future;
use std::sync::Arc;
use std::time::Duration;

use bytes::Bytes;
use gridbell_clock::Clock;
use http_body_util::{BodyExt, Full, Limited};
use hyper::server::conn::http1;
use hyper::service::service_fn;
use hyper_util::rt::TokioIo;
use tokio::net::{TcpListener, TcpStream};
use tokio::sync::Semaphore;
use tokio_util::sync::CancellationToken;
use tokio_util::task::TaskTracker;

/// The most octets of a request's body that are read; a longer one is answered 413.
pub const MAX_BODY: usize = 1024 * 1024;
/// Connections at once; more wait to be taken.
pub const MAX_SERVED: usize = 1024;
/// How long accepting rests after it failed.
const ACCEPT_PAUSE: Duration = Duration::from_millis(100);

/// A request as it came.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Incoming {
    /// `GET`, `POST` or another.
    pub method: String,
    /// The path without its query.
    pub path: String,
    /// The query without its `?`.
    pub query: String,
    /// Headers with their values, names in lower case.
    pub headers: Vec<(String, String)>,
    /// The body.
    pub body: Vec<u8>,
}

impl Incoming {
    /// A header's value; its name in lower case.
    #[must_use]
    pub fn header(&self, name: &str) -> Option<&str> {
        self.headers.iter().find(|(known, _)| known == name).map(|(_, value)| value.as_str())
    }
}

/// What becomes of a request.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Reply {
    /// It is answered.
    Answer {
        /// The status.
        status: u16,
        /// `Content-Type`.
        kind: &'static str,
        /// The body.
        body: Vec<u8>,
    },
    /// It is answered with another place to ask.
    Redirect {
        /// `Location`.
        to: String,
    },
    /// Its connection breaks without a word.
    Break,
}

impl Reply {
    /// 200 with JSON.
    #[must_use]
    pub fn json(body: &str) -> Self {
        Self::Answer { status: 200, kind: "application/json", body: body.as_bytes().to_vec() }
    }

    /// A status with a sentence.
    #[must_use]
    pub fn text(status: u16, body: &str) -> Self {
        Self::Answer { status, kind: "text/plain; charset=utf-8", body: body.as_bytes().to_vec() }
    }
}

/// Who answers.
pub trait Handler: Send + Sync + 'static {
    /// Answers one request. One that waits keeps its connection waiting.
    fn handle(&self, request: Incoming) -> impl Future<Output = Reply> + Send;
}

/// Serves until `stop`; then connections are broken, and it returns.
pub async fn serve<H: Handler>(listener: TcpListener, handler: Arc<H>, clock: Clock, stop: CancellationToken) {
    let tasks = TaskTracker::new();
    let permits = Arc::new(Semaphore::new(MAX_SERVED));
    loop {
        let accepted = async {
            let permit = Arc::clone(&permits).acquire_owned().await;
            (listener.accept().await, permit)
        };
        tokio::select! {
            biased;
            () = stop.cancelled() => break,
            (accepted, permit) = accepted => match accepted {
                Ok((stream, _)) => {
                    let (handler, stop) = (Arc::clone(&handler), stop.clone());
                    tasks.spawn(async move {
                        connection(stream, handler, stop).await;
                        drop(permit);
                    });
                }
                Err(error) => {
                    tracing::warn!(error = %error, "exchange.accept: a connection could not be taken");
                    clock.sleep(ACCEPT_PAUSE).await;
                }
            }
        }
    }
    tasks.close();
    tasks.wait().await;
}

async fn connection<H: Handler>(stream: TcpStream, handler: Arc<H>, stop: CancellationToken) {
    let broken = CancellationToken::new();
    let service = service_fn(|request| {
        let (handler, broken) = (Arc::clone(&handler), broken.clone());
        async move {
            let reply = match incoming(request).await {
                Ok(request) => handler.handle(request).await,
                Err(reply) => reply,
            };
            if reply == Reply::Break {
                broken.cancel();
                std::future::pending::<()>().await;
            }
            Ok::<_, Infallible>(response(reply))
        }
    });
    let serving = http1::Builder::new().serve_connection(TokioIo::new(stream), service);
    tokio::select! {
        biased;
        () = broken.cancelled() => {}
        () = stop.cancelled() => {}
        // Whatever ended it, the next connection is another.
        _ = serving => {}
    }
}

async fn incoming(request: hyper::Request<hyper::body::Incoming>) -> Result<Incoming, Reply> {
    let (head, body) = request.into_parts();
    let body = Limited::new(body, MAX_BODY).collect().await;
    let body = body.map_err(|_| Reply::text(413, "the body is longer than 1 MiB, or broke off"))?;
    let header = |(name, value): (&hyper::header::HeaderName, &hyper::header::HeaderValue)| {
        Some((name.as_str().to_owned(), value.to_str().ok()?.to_owned()))
    };
    Ok(Incoming {
        method: head.method.as_str().to_owned(),
        path: head.uri.path().to_owned(),
        query: head.uri.query().unwrap_or_default().to_owned(),
        headers: head.headers.iter().filter_map(header).collect(),
        body: body.to_bytes().to_vec(),
    })
}

fn response(reply: Reply) -> hyper::Response<Full<Bytes>> {
    let (status, name, value, body) = match reply {
        Reply::Answer { status, kind, body } => (status, "content-type", kind.to_owned(), body),
        Reply::Redirect { to } => (302, "location", to, Vec::new()),
        Reply::Break => (500, "content-type", "text/plain".to_owned(), Vec::new()),
    };
    let built = hyper::Response::builder().status(status).header(name, value).body(Full::new(Bytes::from(body)));
    // A status or a place that HTTP cannot carry is a fault of the simulation's configuration.
    built.unwrap_or_else(|_| hyper::Response::new(Full::new(Bytes::new())))
}
