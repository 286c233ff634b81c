//! Where gateways call us: SGIP sends reports and inbound messages over connections that the gateway opens. One reception serves any number
//! of links, told apart by their login names.
//!
//! Whoever calls is unknown until he has proved who he is: he gets a bounded time, one PDU and one answer.

use std::future::Future;
use std::net::SocketAddr;
use std::pin::Pin;
use std::sync::{Arc, Weak};
use std::time::Duration;

use bytes::BytesMut;
use gridbell_clock::Clock;
use parking_lot::Mutex;
use tokio::io::{AsyncRead, AsyncReadExt, AsyncWrite, AsyncWriteExt};
use tokio::net::TcpListener;
use tokio::sync::Semaphore;
use tokio::task::AbortHandle;

use crate::core::{Core, End};
use crate::dialect::{Caller, Sgip};
use crate::driver;
use crate::error::ChannelError;
use crate::link::LinkHandle;
use crate::login::Login;
use crate::port::Outbox;
use crate::shared::Shared;
use crate::status::Anomaly;

/// Connections at once that have not proved who they are; more are closed.
const MAX_STRANGERS: usize = 64;
/// Connections of one link; more are refused.
const MAX_RECEIVING: usize = 16;
/// How long a connection may take to say who it is.
const LOGIN_TIME: Duration = Duration::from_secs(30);
/// How long accepting rests after it failed.
const ACCEPT_PAUSE: Duration = Duration::from_millis(100);

/// Takes the connections that gateways open. Dropping it takes no more.
pub struct Reception {
    inner: Arc<Inner>,
    accepting: Option<AbortHandle>,
    address: Option<SocketAddr>,
}

struct Inner {
    clock: Clock,
    links: Mutex<Vec<Known>>,
    strangers: Semaphore,
}

/// A link that may be called. Weak, so that a link's end is not the reception's matter.
#[derive(Clone)]
struct Known {
    shared: Arc<Shared>,
    receive: Weak<dyn Receive>,
}

impl Reception {
    /// A reception that is handed its connections by [`Reception::serve`].
    #[must_use]
    pub fn new(clock: Clock) -> Self {
        let inner = Inner { clock, links: Mutex::default(), strangers: Semaphore::new(MAX_STRANGERS) };
        Self { inner: Arc::new(inner), accepting: None, address: None }
    }

    /// One that listens on `address`, on the current runtime.
    ///
    /// # Errors
    /// Where the address cannot be used.
    ///
    /// # Panics
    /// Outside a tokio runtime.
    pub fn listen(address: &str, clock: Clock) -> Result<Self, ChannelError> {
        let failed =
            |error: std::io::Error| ChannelError::Listen { address: address.to_owned(), why: error.to_string() };
        let listener = std::net::TcpListener::bind(address).map_err(failed)?;
        listener.set_nonblocking(true).map_err(failed)?;
        let listener = TcpListener::from_std(listener).map_err(failed)?;
        let local = listener.local_addr().map_err(failed)?;
        let mut reception = Self::new(clock);
        let accepting = tokio::spawn(accept(Arc::clone(&reception.inner), listener)).abort_handle();
        (reception.accepting, reception.address) = (Some(accepting), Some(local));
        Ok(reception)
    }

    /// Where it listens.
    #[must_use]
    pub const fn address(&self) -> Option<SocketAddr> {
        self.address
    }

    /// From now on gateways may call for `link`; without effect for a link that needs no calls.
    ///
    /// # Errors
    /// Where a link with the same login name is here: a caller could not be told whose he is.
    pub fn add(&self, link: &LinkHandle) -> Result<(), ChannelError> {
        let Some(receive) = link.receiver() else { return Ok(()) };
        let mut links = self.inner.links.lock();
        links.retain(|known| !known.shared.is_closed());
        let config = link.config();
        if let Some(known) = links.iter().find(|known| known.shared.config.login_name == config.login_name) {
            return Err(ChannelError::Config {
                link: config.name.to_string(),
                field: "login-name",
                value: config.login_name.clone(),
                why: format!(
                    "link `{}` has it too and listens on the same address: give one another `listen`",
                    known.shared.config.name
                ),
            });
        }
        links.push(Known { shared: Arc::clone(link.shared()), receive });
        Ok(())
    }

    /// Serves one connection to its end.
    pub async fn serve<S: AsyncRead + AsyncWrite + Send + Unpin + 'static>(&self, stream: S) {
        serve(&self.inner, stream).await;
    }
}

impl Drop for Reception {
    fn drop(&mut self) {
        if let Some(accepting) = &self.accepting {
            accepting.abort();
        }
    }
}

async fn accept(inner: Arc<Inner>, listener: TcpListener) {
    loop {
        match listener.accept().await {
            Ok((stream, _)) => {
                let _ = stream.set_nodelay(true);
                let inner = Arc::clone(&inner);
                tokio::spawn(async move { serve(&inner, stream).await });
            }
            Err(error) => {
                tracing::warn!(%error, "a gateway's connection could not be taken");
                inner.clock.sleep(ACCEPT_PAUSE).await;
            }
        }
    }
}

async fn serve<S: AsyncRead + AsyncWrite + Send + Unpin + 'static>(inner: &Inner, mut stream: S) {
    let mut input = BytesMut::with_capacity(4096);
    let caller = {
        // More strangers than places are not heard at all.
        let Ok(_place) = inner.strangers.try_acquire() else { return };
        tokio::select! {
            biased;
            caller = hear(&mut stream, &mut input) => caller,
            () = inner.clock.sleep(LOGIN_TIME) => None,
        }
    };
    let Some(caller) = caller else { return };
    let link = inner.links.lock().iter().find(|link| caller.calls(&link.shared.config)).cloned();
    let mut output = BytesMut::new();
    let Some(Known { shared, receive }) = link else {
        tracing::warn!("a gateway called under a login name that no link has: check `login-name` with the carrier");
        caller.answer(Caller::UNKNOWN, &mut output);
        return turn_away(&mut stream, &output).await;
    };
    let Some(receive) = receive.upgrade() else { return };
    if let Err(result) = judge(&shared, &caller) {
        shared.anomaly(Anomaly::CallRefused, &format_args!("its call is refused with result {result}"));
        caller.answer(result, &mut output);
        return turn_away(&mut stream, &output).await;
    }
    caller.answer(0, &mut output);
    let login = Login { dialect: caller.enter(&shared.config), input, output };
    receive.receive(Box::new(stream), login).await;
}

/// The first PDU; none where it is no login or the connection ends.
async fn hear<S: AsyncRead + Unpin>(stream: &mut S, input: &mut BytesMut) -> Option<Caller> {
    loop {
        match Caller::hear(input) {
            Ok(Some(caller)) => return Some(caller),
            Ok(None) => {}
            Err(why) => {
                tracing::warn!("a caller is no gateway: {why}");
                return None;
            }
        }
        match stream.read_buf(input).await {
            Ok(0) | Err(_) => return None,
            Ok(_) => {}
        }
    }
}

fn judge(shared: &Shared, caller: &Caller) -> Result<(), u8> {
    caller.judge(&shared.secret)?;
    if shared.is_ending() {
        return Err(Caller::ENDING);
    }
    if shared.receiving() >= MAX_RECEIVING { Err(Caller::TOO_MANY) } else { Ok(()) }
}

/// Writes the refusal and closes.
async fn turn_away<S: AsyncWrite + Unpin>(stream: &mut S, output: &[u8]) {
    // Whoever does not take it has gone already.
    if stream.write_all(output).await.is_ok() {
        let _ = stream.shutdown().await;
    }
}

/// Octets both ways, whatever carries them.
pub(crate) trait Line: AsyncRead + AsyncWrite + Send + Unpin {}

impl<S: AsyncRead + AsyncWrite + Send + Unpin> Line for S {}

/// A link, as the reception sees it.
pub(crate) trait Receive: Send + Sync {
    /// Takes what comes over a connection that was let in, to its end.
    fn receive(&self, stream: Box<dyn Line>, login: Login<Sgip>) -> Pin<Box<dyn Future<Output = ()> + Send + '_>>;
}

/// A link with its outbox.
pub(crate) struct Receiver<O> {
    pub(crate) shared: Arc<Shared>,
    pub(crate) outbox: Arc<O>,
}

impl<O: Outbox> Receive for Receiver<O> {
    fn receive(&self, stream: Box<dyn Line>, login: Login<Sgip>) -> Pin<Box<dyn Future<Output = ()> + Send + '_>> {
        Box::pin(async move {
            let shared = &self.shared;
            let _up = Up::new(shared);
            let core = Core::receiving(Arc::clone(shared), login, shared.clock.monotonic());
            let end = tokio::select! {
                biased;
                end = driver::run(stream, core, Arc::clone(&self.outbox), Arc::clone(shared)) => end,
                () = shared.until_closed() => return,
            };
            if let End::Lost(why) = end {
                shared.failed(why);
            }
        })
    }
}

/// Counts a connection while it lasts, however it ends.
struct Up<'a>(&'a Shared);

impl<'a> Up<'a> {
    fn new(shared: &'a Shared) -> Self {
        shared.called();
        Self(shared)
    }
}

impl Drop for Up<'_> {
    fn drop(&mut self) {
        self.0.hung_up();
    }
}
