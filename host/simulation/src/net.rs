//! The lines between links and gateways: octets under way, each with the moment at which it arrives, and cuts at any octet. No sockets.

use std::collections::VecDeque;
use std::io;
use std::pin::Pin;
use std::sync::Arc;
use std::task::{Context, Poll, Waker};
use std::time::Duration;

use bytes::{Buf as _, Bytes, BytesMut};
use gridbell_channels::Connector;
use gridbell_clock::{Clock, Seed};
use parking_lot::Mutex;
use tokio::io::{AsyncRead, AsyncWrite, ReadBuf};

use crate::dice::Dice;

/// Octets on their way in one direction, in order.
#[derive(Debug, Default)]
struct Way {
    under_way: VecDeque<(Duration, Bytes)>,
    last: Duration,
}

impl Way {
    fn send(&mut self, octets: Bytes, at: Duration) {
        // A line never reorders.
        self.last = self.last.max(at);
        self.under_way.push_back((self.last, octets));
    }

    fn arrived(&mut self, now: Duration) -> Option<Bytes> {
        self.under_way.pop_front_if(|(at, _)| *at <= now).map(|(_, octets)| octets)
    }
}

/// When an octet was let go by the host: everything up to `end` at `at`.
#[derive(Clone, Copy, Debug)]
struct Mark {
    end: u64,
    at: Duration,
}

/// One connection.
#[derive(Debug)]
struct Line {
    gateway: usize,
    /// Its own, so that what one line draws does not depend on another's turn.
    dice: Dice,
    up: Way,
    down: Way,
    readable: BytesMut,
    /// Octets that the host has let go, and how many it may before the line breaks.
    written: u64,
    breaks_after: u64,
    marks: VecDeque<Mark>,
    cut: bool,
    closed: bool,
    /// The gateway was told that it is gone.
    buried: bool,
    reader: Option<Waker>,
}

struct Inner {
    clock: Clock,
    seed: Seed,
    addresses: Vec<String>,
    /// Gateways that cannot be reached now.
    down: Vec<bool>,
    lines: Vec<Line>,
    /// Mean octets that a line carries before it breaks; 0 for no such faults.
    break_after: u64,
}

/// All lines. Cheap to clone; outlives the processes that connect through it.
#[derive(Clone)]
pub(crate) struct Net(Arc<Mutex<Inner>>);

/// What happened to a line, for its gateway.
pub(crate) enum Heard {
    /// Octets arrived.
    Octets(Bytes),
    /// Nothing more will.
    Gone,
}

impl Net {
    pub(crate) fn new(clock: Clock, seed: Seed, addresses: Vec<String>) -> Self {
        let down = vec![false; addresses.len()];
        Self(Arc::new(Mutex::new(Inner { clock, seed, addresses, down, lines: Vec::new(), break_after: 0 })))
    }

    /// Lets lines break after `mean` octets on average, in the middle of whatever they carry; 0 for never.
    pub(crate) fn set_breaks(&self, mean: u64) {
        self.0.lock().break_after = mean;
    }

    /// Whether `gateway` can be reached.
    pub(crate) fn set_down(&self, gateway: usize, down: bool) {
        if let Some(flag) = self.0.lock().down.get_mut(gateway) {
            *flag = down;
        }
    }

    /// Breaks every line of `gateway`, or all lines: what is under way arrives up to a drawn octet.
    pub(crate) fn cut(&self, gateway: Option<usize>) {
        let mut inner = self.0.lock();
        let lines: Vec<usize> = (0..inner.lines.len()).collect();
        for at in lines {
            if gateway.is_none_or(|g| inner.lines[at].gateway == g) {
                inner.cut(at);
            }
        }
    }

    /// What arrived at the gateways by now, in order of line.
    pub(crate) fn heard(&self) -> Vec<(usize, usize, Heard)> {
        let mut inner = self.0.lock();
        let now = inner.clock.monotonic();
        let mut heard = Vec::new();
        for (number, line) in inner.lines.iter_mut().enumerate() {
            while let Some(octets) = line.up.arrived(now) {
                heard.push((number, line.gateway, Heard::Octets(octets)));
            }
            if (line.cut || line.closed) && !line.buried && line.up.under_way.is_empty() {
                line.buried = true;
                heard.push((number, line.gateway, Heard::Gone));
            }
        }
        heard
    }

    /// Has octets that arrived at the host by now read by it. True if there were any.
    pub(crate) fn deliver(&self) -> bool {
        let mut inner = self.0.lock();
        let now = inner.clock.monotonic();
        let mut any = false;
        for line in &mut inner.lines {
            let before = line.readable.len();
            while let Some(octets) = line.down.arrived(now) {
                line.readable.extend_from_slice(&octets);
            }
            if line.readable.len() > before {
                any = true;
                if let Some(waker) = line.reader.take() {
                    waker.wake();
                }
            }
        }
        any
    }

    /// A gateway's octets, on their way to the host. Returns when they arrive; none where the line is gone.
    pub(crate) fn send(&self, line: usize, octets: Bytes) -> Option<Duration> {
        let mut inner = self.0.lock();
        let now = inner.clock.monotonic();
        let line = inner.lines.get_mut(line).filter(|line| !line.cut && !line.closed)?;
        let at = now + line.dice.millis(1, 25);
        line.down.send(octets, at);
        Some(line.down.last)
    }

    /// A gateway ends a line.
    pub(crate) fn hang_up(&self, line: usize) {
        self.0.lock().cut(line);
    }

    /// When the host let the octet before `end` go.
    pub(crate) fn let_go(&self, line: usize, end: u64) -> Duration {
        let mut inner = self.0.lock();
        let Some(line) = inner.lines.get_mut(line) else { return Duration::ZERO };
        while line.marks.front().is_some_and(|mark| mark.end < end) {
            line.marks.pop_front();
        }
        line.marks.front().map_or(Duration::ZERO, |mark| mark.at)
    }

    /// When the next octets arrive anywhere.
    pub(crate) fn next_arrival(&self) -> Option<Duration> {
        let inner = self.0.lock();
        let ways = inner.lines.iter().flat_map(|line| [&line.up, &line.down]);
        ways.filter_map(|way| way.under_way.front().map(|(at, _)| *at)).min()
    }
}

impl Inner {
    fn cut(&mut self, at: usize) {
        let line = &mut self.lines[at];
        if line.cut || line.closed {
            return;
        }
        line.cut = true;
        // Up to a drawn octet it arrives; what was on its way to the host is lost.
        let under_way: u64 = line.up.under_way.iter().map(|(_, octets)| octets.len() as u64).sum();
        let mut kept = usize::try_from(line.dice.between(0, under_way)).unwrap_or(0);
        for (_, octets) in &mut line.up.under_way {
            octets.truncate(kept);
            kept -= octets.len();
        }
        line.down.under_way.clear();
        if let Some(waker) = line.reader.take() {
            waker.wake();
        }
    }
}

/// How a simulated process reaches the gateways.
#[derive(Clone)]
pub(crate) struct Lines(pub(crate) Net);

impl Connector for Lines {
    type Stream = Stream;

    async fn connect(&self, address: &str) -> io::Result<Stream> {
        let mut inner = self.0.0.lock();
        let found = inner.addresses.iter().position(|known| known == address);
        let gateway = found.filter(|at| !inner.down[*at]).ok_or(io::ErrorKind::ConnectionRefused)?;
        let earlier = inner.lines.iter().filter(|line| line.gateway == gateway).count();
        let mut dice = Dice::new(inner.seed, &format!("line {earlier} of gateway {gateway}"));
        let breaks_after = match inner.break_after {
            0 => u64::MAX,
            mean => dice.between(20, 2 * mean),
        };
        inner.lines.push(Line {
            gateway,
            dice,
            up: Way::default(),
            down: Way::default(),
            readable: BytesMut::new(),
            written: 0,
            breaks_after,
            marks: VecDeque::new(),
            cut: false,
            closed: false,
            buried: false,
            reader: None,
        });
        Ok(Stream { net: self.0.clone(), line: inner.lines.len() - 1 })
    }
}

/// The host's end of a line.
pub(crate) struct Stream {
    net: Net,
    line: usize,
}

impl AsyncRead for Stream {
    fn poll_read(self: Pin<&mut Self>, cx: &mut Context<'_>, buf: &mut ReadBuf<'_>) -> Poll<io::Result<()>> {
        let mut inner = self.net.0.lock();
        let line = &mut inner.lines[self.line];
        if !line.readable.is_empty() {
            let take = line.readable.len().min(buf.remaining());
            buf.put_slice(&line.readable[..take]);
            line.readable.advance(take);
            return Poll::Ready(Ok(()));
        }
        if line.cut {
            return Poll::Ready(Err(io::ErrorKind::ConnectionReset.into()));
        }
        line.reader = Some(cx.waker().clone());
        Poll::Pending
    }
}

impl AsyncWrite for Stream {
    fn poll_write(self: Pin<&mut Self>, _: &mut Context<'_>, octets: &[u8]) -> Poll<io::Result<usize>> {
        let mut inner = self.net.0.lock();
        let now = inner.clock.monotonic();
        let line = &mut inner.lines[self.line];
        if line.cut {
            return Poll::Ready(Err(io::ErrorKind::BrokenPipe.into()));
        }
        let at = now + line.dice.millis(1, 25);
        // Sockets take what they like.
        let taken = line.dice.between(1, octets.len().max(1) as u64).min(octets.len() as u64);
        let taken = taken.min(line.breaks_after.saturating_sub(line.written));
        let breaks = line.written + taken >= line.breaks_after;
        line.written += taken;
        line.marks.push_back(Mark { end: line.written, at: now });
        let taken = usize::try_from(taken).unwrap_or(0);
        line.up.send(Bytes::copy_from_slice(&octets[..taken]), at);
        if breaks {
            inner.cut(self.line);
        }
        if taken == 0 { Poll::Ready(Err(io::ErrorKind::BrokenPipe.into())) } else { Poll::Ready(Ok(taken)) }
    }

    fn poll_flush(self: Pin<&mut Self>, _: &mut Context<'_>) -> Poll<io::Result<()>> {
        Poll::Ready(Ok(()))
    }

    fn poll_shutdown(self: Pin<&mut Self>, _: &mut Context<'_>) -> Poll<io::Result<()>> {
        Poll::Ready(Ok(()))
    }
}

impl Drop for Stream {
    fn drop(&mut self) {
        // What was let go still arrives: a process's death loses nothing of it.
        let mut inner = self.net.0.lock();
        let line = &mut inner.lines[self.line];
        line.closed = true;
        line.reader = None;
        line.down.under_way.clear();
    }
}
