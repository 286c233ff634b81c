//! One connection's octets: many PDUs a read, answers and reports gathered into one write, one timer.

use std::future::Future;
use std::io;
use std::pin::Pin;
use std::sync::Arc;
use std::time::Duration;

use bytes::{Buf as _, BytesMut};
use tokio::io::{AsyncWriteExt as _, Interest, Ready};
use tokio::net::TcpStream;
use tokio_util::sync::CancellationToken;

use super::gateway::Shared;
use super::session::{Flow, HIGH_WATER, Now, Session};

/// Octets of one read.
const READ_SIZE: usize = 64 * 1024;
/// How long a client may take to close after the gateway has.
const CLOSE_TIME: Duration = Duration::from_secs(1);

/// How a connection is ended from outside.
#[derive(Clone)]
pub(super) struct Ends {
    /// Politely, with a TERMINATE.
    pub(super) stop: CancellationToken,
    /// At once, as a broken line would.
    pub(super) drop: CancellationToken,
}

/// Serves one connection to its end.
pub(super) async fn serve(shared: Arc<Shared>, stream: TcpStream, number: u64, ends: Ends) {
    let now = shared.clock.monotonic();
    let session = Session::new(Arc::clone(&shared), number, now);
    let timer = Timer::default();
    let mut connection = Connection { shared, stream, session, input: BytesMut::new(), timer, closing: None };
    let end = connection.run(&ends).await;
    connection.session.leave();
    connection.shared.changed.notify_waiters();
    if end == Flow::Close {
        connection.close(&ends).await;
    }
}

struct Connection {
    shared: Arc<Shared>,
    stream: TcpStream,
    session: Session,
    input: BytesMut,
    timer: Timer,
    /// Until when what waits may still be written.
    closing: Option<Duration>,
}

enum Event {
    Ready(Ready),
    Time,
    Stop,
    Gone,
}

impl Connection {
    async fn run(&mut self, ends: &Ends) -> Flow {
        loop {
            let now = self.now();
            let flow = match self.closing {
                None => self.session.pump(now),
                Some(until) if now.monotonic < until => Flow::Continue,
                Some(_) => Flow::Abort,
            };
            if flow == Flow::Abort {
                return Flow::Abort;
            }
            if !self.record().await || self.write().is_err() {
                return Flow::Abort;
            }
            if self.closing.is_some() && self.session.out.is_empty() {
                return Flow::Close;
            }
            let flow = match self.wait(ends).await {
                Event::Ready(ready) => self.read(ready),
                Event::Time => Flow::Continue,
                Event::Stop => {
                    self.session.terminate();
                    Flow::Close
                }
                Event::Gone => Flow::Abort,
            };
            match flow {
                Flow::Continue => {}
                Flow::Close => self.closing = Some(now.monotonic + CLOSE_TIME),
                Flow::Abort => {
                    // What was accepted was accepted, answered or not.
                    self.record().await;
                    return Flow::Abort;
                }
            }
        }
    }

    fn now(&self) -> Now {
        Now { monotonic: self.shared.clock.monotonic(), civil: self.shared.clock.now() }
    }

    async fn wait(&mut self, ends: &Ends) -> Event {
        let mut interest = Interest::ERROR;
        if self.closing.is_none() && self.session.out.len() < HIGH_WATER {
            interest = interest.add(Interest::READABLE);
        }
        if !self.session.out.is_empty() {
            interest = interest.add(Interest::WRITABLE);
        }
        let deadline = self.closing.unwrap_or_else(|| self.session.deadline());
        self.timer.arm(&self.shared, deadline);
        let account = self.session.account().cloned();
        let woken = async {
            match &account {
                Some(account) => account.wake.notified().await,
                None => std::future::pending().await,
            }
        };
        tokio::select! {
            ready = self.stream.ready(interest) => ready.map_or(Event::Gone, Event::Ready),
            () = woken => Event::Time,
            () = self.timer.wait() => Event::Time,
            () = ends.drop.cancelled() => Event::Gone,
            () = ends.stop.cancelled(), if self.closing.is_none() => Event::Stop,
        }
    }

    fn read(&mut self, ready: Ready) -> Flow {
        if self.closing.is_some() || !(ready.is_readable() || ready.is_read_closed() || ready.is_error()) {
            return Flow::Continue;
        }
        self.input.reserve(READ_SIZE);
        match self.stream.try_read_buf(&mut self.input) {
            Ok(0) => Flow::Abort,
            Ok(_) => {
                let now = self.now();
                self.session.receive(&mut self.input, now)
            }
            Err(error) if error.kind() == io::ErrorKind::WouldBlock => Flow::Continue,
            Err(_) => Flow::Abort,
        }
    }

    /// Puts what was accepted into the logs; false where the file cannot be written, and then nothing may be answered.
    async fn record(&mut self) -> bool {
        if !self.session.accepted.is_empty() {
            if let Some(journal) = &self.shared.journal
                && !journal.write(&self.session.accepted).await
            {
                return false;
            }
            let parts = self.session.accepted.len();
            self.shared.log.lock().append(&mut self.session.accepted);
            // Counted only now, so that whoever waits for the counter finds the log complete.
            if let Some(account) = self.session.account() {
                account.state.lock().stats.parts_accepted += parts as u64;
            }
        }
        self.shared.changed.notify_waiters();
        true
    }

    /// Writes as much as the socket takes.
    fn write(&mut self) -> io::Result<()> {
        while !self.session.out.is_empty() {
            match self.stream.try_write(&self.session.out) {
                Ok(written) => self.session.out.advance(written),
                Err(error) if error.kind() == io::ErrorKind::WouldBlock => break,
                Err(error) => return Err(error),
            }
        }
        Ok(())
    }

    /// Closes our side and lets the client read to the end: closing over unread octets would reset the line and could
    /// take the last answer with it.
    async fn close(&mut self, ends: &Ends) {
        let shared = Arc::clone(&self.shared);
        let drained = async {
            self.stream.shutdown().await?;
            loop {
                self.stream.readable().await?;
                self.input.clear();
                self.input.reserve(READ_SIZE);
                match self.stream.try_read_buf(&mut self.input) {
                    Ok(0) => return Ok(()),
                    Err(error) if error.kind() != io::ErrorKind::WouldBlock => return Err(error),
                    _ => {}
                }
            }
        };
        tokio::select! {
            // Broken or closed: either way it is over.
            _ = drained => {}
            () = shared.clock.sleep(CLOSE_TIME) => {}
            () = ends.drop.cancelled() => {}
        }
    }
}

/// One pending sleep, replaced only when something is due before it: deadlines mostly move away, and an early wake does no harm.
#[derive(Default)]
struct Timer(Option<(Duration, Sleep)>);

type Sleep = Pin<Box<dyn Future<Output = ()> + Send>>;

impl Timer {
    fn arm(&mut self, shared: &Arc<Shared>, deadline: Duration) {
        if self.0.as_ref().is_some_and(|(armed, _)| *armed <= deadline) {
            return;
        }
        let clock = shared.clock.clone();
        self.0 = Some((deadline, Box::pin(async move { clock.sleep_until(deadline).await })));
    }

    async fn wait(&mut self) {
        match &mut self.0 {
            Some((_, sleep)) => {
                sleep.await;
                self.0 = None;
            }
            None => std::future::pending().await,
        }
    }
}
