//! One connection, whoever opened it: PDUs in, answers out, reports and inbound messages sent and acknowledged, one timer.

use std::cmp::Reverse;
use std::collections::{BinaryHeap, HashMap, HashSet, VecDeque};
use std::sync::Arc;
use std::time::Duration;

use bytes::BytesMut;
use gridbell_model::Moment;
use tokio::io::{AsyncReadExt as _, AsyncWriteExt as _};
use tokio::net::TcpStream;
use tokio_util::sync::CancellationToken;

use super::account::{AccountShared, Waiting};
use super::config::Account;
use super::gateway::Shared;
use super::protocol::{Broken, Civil, Directions, Incoming, LoginRequest, Protocol, Wrote};

/// Octets of one read.
const READ_SIZE: usize = 16 * 1024;
/// How long a connection may take to log in.
const LOGIN_TIME: Duration = Duration::from_secs(30);
/// How long a client may take to close after the gateway has.
const CLOSE_TIME: Duration = Duration::from_secs(1);
/// Malformed PDUs after which a connection is closed.
const MAX_MALFORMED: u32 = 100;
/// The login that was accepted.
const ACCEPTED: u32 = 0;

/// How a connection is ended from outside.
#[derive(Clone)]
pub(super) struct Ends {
    /// Politely.
    pub(super) stop: CancellationToken,
    /// At once, as a broken line would.
    pub(super) drop: CancellationToken,
}

/// Whether a connection goes on.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Flow {
    Continue,
    /// Write what waits, then close.
    Close,
    /// Close at once.
    Abort,
}

/// Now, on both clocks: one reading for each batch.
#[derive(Clone, Copy)]
pub(super) struct Now {
    pub(super) monotonic: Duration,
    pub(super) moment: Moment,
    pub(super) civil: Civil,
}

/// An answer held back, sorted by when it is due: sequence, number, result.
type Held<P> = Reverse<(Duration, u64, <P as Protocol>::Sequence, Option<<P as Protocol>::Id>, u32)>;

pub(super) struct Connection<P: Protocol> {
    pub(super) shared: Arc<Shared<P>>,
    pub(super) number: u64,
    stream: TcpStream,
    input: BytesMut,
    pub(super) out: BytesMut,
    account: Option<Arc<AccountShared<P>>>,
    directions: Directions,
    /// The gateway opened this connection and has not been answered yet.
    reverse: Option<Arc<AccountShared<P>>>,
    in_flight: HashMap<P::Sequence, Waiting<P>>,
    /// When they went out, oldest first; those acknowledged since are skipped.
    sent: VecDeque<(Duration, P::Sequence)>,
    held: BinaryHeap<Held<P>>,
    held_order: u64,
    /// Submits in this read: none of them can have been answered when the client sent the last.
    pub(super) unanswered: usize,
    pub(super) recent: VecDeque<P::Sequence>,
    pub(super) recent_set: HashSet<P::Sequence>,
    idle_due: Duration,
    heartbeats: u32,
    malformed: u32,
}

/// Serves a connection that a client opened, to its end.
pub(super) async fn serve<P: Protocol>(shared: Arc<Shared<P>>, stream: TcpStream, number: u64, ends: Ends) {
    Connection::new(shared, stream, number).run(&ends).await;
}

/// Logs in on a connection that the gateway opened for `account`, and serves it to its end; false where it was not taken.
pub(super) async fn serve_reverse<P: Protocol>(
    shared: Arc<Shared<P>>,
    stream: TcpStream,
    number: u64,
    account: Arc<AccountShared<P>>,
    ends: Ends,
) -> bool {
    let mut connection = Connection::new(shared, stream, number);
    let sequence = connection.next_sequence();
    let Account { id, secret, .. } = &account.config;
    if !matches!(P::reverse_login(sequence, id, secret, &mut connection.out), Some(Ok(()))) {
        return false;
    }
    connection.reverse = Some(account);
    connection.run(&ends).await
}

impl<P: Protocol> Connection<P> {
    fn new(shared: Arc<Shared<P>>, stream: TcpStream, number: u64) -> Self {
        let idle_due = shared.clock.monotonic() + LOGIN_TIME;
        Self {
            shared,
            number,
            stream,
            input: BytesMut::new(),
            out: BytesMut::new(),
            account: None,
            directions: Directions { submits: false, delivers: false },
            reverse: None,
            in_flight: HashMap::new(),
            sent: VecDeque::new(),
            held: BinaryHeap::new(),
            held_order: 0,
            unanswered: 0,
            recent: VecDeque::new(),
            recent_set: HashSet::new(),
            idle_due,
            heartbeats: 0,
            malformed: 0,
        }
    }

    /// To its end; whether anybody was logged in on it.
    async fn run(mut self, ends: &Ends) -> bool {
        let flow = self.work(ends).await;
        let logged_in = self.leave();
        self.shared.changed.notify_waiters();
        if flow == Flow::Close {
            self.close(ends).await;
        }
        logged_in
    }

    async fn work(&mut self, ends: &Ends) -> Flow {
        loop {
            let now = self.now();
            let mut flow = self.pump(&now);
            if flow == Flow::Continue && self.out.is_empty() {
                flow = self.wait(ends).await;
            }
            self.shared.changed.notify_waiters();
            if flow == Flow::Abort || !self.write(ends).await {
                return Flow::Abort;
            }
            if flow == Flow::Close {
                return Flow::Close;
            }
        }
    }

    /// For octets, for time, for something to deliver, or for the end.
    async fn wait(&mut self, ends: &Ends) -> Flow {
        let deadline = self.deadline();
        let clock = self.shared.clock.clone();
        let time = clock.sleep_until(deadline);
        // Whoever only submits must not take the call from whoever delivers.
        let account = self.account.clone().filter(|_| self.directions.delivers);
        let woken = async {
            match &account {
                Some(account) => account.wake.notified().await,
                None => std::future::pending().await,
            }
        };
        self.input.reserve(READ_SIZE);
        tokio::select! {
            read = self.stream.read_buf(&mut self.input) => match read {
                Ok(0) | Err(_) => Flow::Abort,
                Ok(_) => self.receive(),
            },
            () = woken => Flow::Continue,
            () = time => Flow::Continue,
            () = ends.drop.cancelled() => Flow::Abort,
            () = ends.stop.cancelled() => {
                if self.account.is_none() {
                    // Nobody is there yet to say goodbye to, and nobody may ever close the other side.
                    return Flow::Abort;
                }
                let sequence = self.next_sequence();
                let wrote = P::goodbye(sequence, &mut self.out);
                self.wrote(wrote);
                Flow::Close
            }
        }
    }

    async fn write(&mut self, ends: &Ends) -> bool {
        if self.out.is_empty() {
            return true;
        }
        let octets = self.out.split().freeze();
        tokio::select! {
            written = self.stream.write_all(&octets) => written.is_ok(),
            () = ends.drop.cancelled() => false,
        }
    }

    pub(super) fn now(&self) -> Now {
        let moment = self.shared.clock.now();
        Now { monotonic: self.shared.clock.monotonic(), moment, civil: Civil::of(moment) }
    }

    /// Takes all whole PDUs off the input.
    fn receive(&mut self) -> Flow {
        let now = self.now();
        self.unanswered = self.held.len();
        loop {
            let flow = match P::decode(&mut self.input) {
                Ok(None) => return Flow::Continue,
                Ok(Some((sequence, incoming))) => self.take(sequence, incoming, &now),
                Err(Broken::Framing) => self.protocol_error(),
                Err(Broken::Malformed { sequence, answer, code }) => self.refuse(sequence, answer, code, &now),
            };
            if flow != Flow::Continue {
                return flow;
            }
        }
    }

    fn take(&mut self, sequence: P::Sequence, incoming: Incoming<P>, now: &Now) -> Flow {
        let Some(account) = self.account.clone() else {
            return match incoming {
                Incoming::Login(request) if self.reverse.is_none() => self.login(sequence, &request, now),
                Incoming::LoginAnswer(ACCEPTED) => self.reverse_taken(now),
                Incoming::LoginAnswer(_) => Flow::Abort,
                _ => self.protocol_error(),
            };
        };
        self.heard(now);
        match incoming {
            Incoming::Submit(offer) if self.directions.submits => return self.submit(&account, sequence, &offer, now),
            Incoming::Submit(_) => self.answer(&account, sequence, None, P::CODES.direction),
            Incoming::DeliverAnswer(taken) => self.acknowledged(&account, sequence, taken, now),
            Incoming::Heartbeat => {
                account.state.lock().stats.heartbeats += 1;
                let wrote = P::heartbeat_answer(sequence, &mut self.out);
                self.wrote(wrote);
            }
            Incoming::HeartbeatAnswer => {}
            Incoming::Goodbye => {
                let wrote = P::goodbye_answer(sequence, &mut self.out);
                self.wrote(wrote);
                return Flow::Close;
            }
            Incoming::GoodbyeAnswer => return Flow::Close,
            Incoming::Login(_) | Incoming::LoginAnswer(_) | Incoming::Unexpected => return self.protocol_error(),
        }
        Flow::Continue
    }

    /// Anything that comes shows that the client lives.
    fn heard(&mut self, now: &Now) {
        self.idle_due = now.monotonic + Duration::from_millis(self.shared.config.idle_ms);
        self.heartbeats = 0;
    }

    fn protocol_error(&self) -> Flow {
        self.shared.links.lock().protocol_errors += 1;
        Flow::Abort
    }

    fn refuse(&mut self, sequence: P::Sequence, answer: bool, code: u32, now: &Now) -> Flow {
        let Some(account) = self.account.clone() else {
            return self.protocol_error();
        };
        self.heard(now);
        self.malformed += 1;
        account.state.lock().stats.malformed += 1;
        if answer {
            self.answer(&account, sequence, None, code);
        }
        if self.malformed < MAX_MALFORMED { Flow::Continue } else { self.protocol_error() }
    }

    fn login(&mut self, sequence: P::Sequence, request: &LoginRequest<P>, now: &Now) -> Flow {
        let known = self.shared.accounts.get(&request.id).cloned();
        let proved = known.filter(|account| P::proves(&request.login, &account.config.secret));
        let code = match (&proved, request.refusal) {
            (_, Some(code)) => code,
            (None, _) => P::CODES.authentication,
            (Some(account), None) => {
                let mut state = account.state.lock();
                if state.stats.open >= account.config.max_connections as u64 {
                    P::CODES.connections
                } else {
                    state.stats.open += 1;
                    state.stats.logins += 1;
                    ACCEPTED
                }
            }
        };
        let secret = proved.as_ref().map_or("", |account| &account.config.secret);
        let wrote = P::login_answer(sequence, &request.login, secret, code, &mut self.out);
        self.wrote(wrote);
        if code != ACCEPTED {
            *self.shared.links.lock().logins_refused.entry(code).or_default() += 1;
            return Flow::Close;
        }
        self.account = proved;
        self.directions = request.directions;
        self.heard(now);
        Flow::Continue
    }

    fn reverse_taken(&mut self, now: &Now) -> Flow {
        let Some(account) = self.reverse.clone() else {
            return self.protocol_error();
        };
        account.state.lock().stats.reverse_logins += 1;
        self.account = Some(account);
        self.directions = Directions { submits: false, delivers: true };
        self.heard(now);
        Flow::Continue
    }

    /// Answers a submit now.
    pub(super) fn answer(&mut self, account: &AccountShared<P>, sequence: P::Sequence, id: Option<P::Id>, code: u32) {
        *account.state.lock().stats.results.entry(code).or_default() += 1;
        let wrote = P::submit_answer(sequence, id, code, &mut self.out);
        self.wrote(wrote);
    }

    /// Answers a submit at `due`.
    pub(super) fn hold(&mut self, due: Duration, sequence: P::Sequence, id: Option<P::Id>, code: u32) {
        self.held_order += 1;
        self.held.push(Reverse((due, self.held_order, sequence, id, code)));
    }

    fn acknowledged(&mut self, account: &AccountShared<P>, sequence: P::Sequence, taken: bool, now: &Now) {
        // An answer to a copy that was sent again meanwhile finds nothing.
        let Some(mut waiting) = self.in_flight.remove(&sequence) else {
            return;
        };
        let mut state = account.state.lock();
        state.in_flight = state.in_flight.saturating_sub(1);
        if taken {
            state.stats.delivers_acknowledged += 1;
            return;
        }
        waiting.refusals += 1;
        waiting.tries = 0;
        if waiting.refusals >= self.shared.config.deliver_tries {
            state.stats.delivers_given_up += 1;
        } else if !state.queue.push(waiting, now.monotonic + Duration::from_millis(self.shared.config.deliver_retry_ms))
        {
            state.stats.delivers_overflowed += 1;
        }
    }

    /// Does what time asks for: held answers, deliveries that are due or unanswered, heartbeats.
    fn pump(&mut self, now: &Now) -> Flow {
        let Some(account) = self.account.clone() else {
            return if now.monotonic < self.idle_due { Flow::Continue } else { Flow::Abort };
        };
        while let Some(&Reverse((due, _, sequence, id, code))) = self.held.peek() {
            if due > now.monotonic {
                break;
            }
            self.held.pop();
            self.answer(&account, sequence, id, code);
        }
        if self.directions.delivers {
            if self.resend_unanswered(&account, now) == Flow::Abort {
                return Flow::Abort;
            }
            while self.in_flight.len() < account.config.deliver_window {
                let Some(waiting) = account.state.lock().queue.pop(now.monotonic) else {
                    break;
                };
                self.deliver(&account, waiting, now);
            }
        }
        self.beat(now)
    }

    fn resend_unanswered(&mut self, account: &AccountShared<P>, now: &Now) -> Flow {
        let patience = Duration::from_millis(self.shared.config.deliver_answer_ms);
        while let Some(&(sent, sequence)) = self.sent.front() {
            match self.in_flight.get(&sequence) {
                None => {}
                Some(_) if sent + patience > now.monotonic => break,
                Some(waiting) if waiting.tries >= self.shared.config.deliver_tries => return Flow::Abort,
                Some(_) => {}
            }
            self.sent.pop_front();
            if let Some(waiting) = self.in_flight.remove(&sequence) {
                let mut state = account.state.lock();
                state.in_flight = state.in_flight.saturating_sub(1);
                drop(state);
                self.deliver(account, waiting, now);
            }
        }
        Flow::Continue
    }

    /// Sends one and waits for its answer.
    fn deliver(&mut self, account: &AccountShared<P>, mut waiting: Waiting<P>, now: &Now) {
        let sequence = self.next_sequence();
        let wrote = P::deliver(sequence, &waiting.outgoing, &now.civil, &mut self.out);
        let mut state = account.state.lock();
        if let Err(error) = wrote {
            tracing::warn!(%error, "a message cannot be delivered, dropped");
            state.stats.delivers_given_up += 1;
            return;
        }
        state.stats.delivers_sent += 1;
        state.in_flight += 1;
        waiting.tries += 1;
        self.in_flight.insert(sequence, waiting);
        self.sent.push_back((now.monotonic, sequence));
    }

    fn beat(&mut self, now: &Now) -> Flow {
        if now.monotonic < self.idle_due {
            return Flow::Continue;
        }
        if self.heartbeats >= self.shared.config.heartbeat_tries {
            return Flow::Abort;
        }
        self.heartbeats += 1;
        self.idle_due = now.monotonic + Duration::from_millis(self.shared.config.heartbeat_answer_ms);
        let sequence = self.next_sequence();
        if P::heartbeat(sequence, &mut self.out) {
            return Flow::Continue;
        }
        let wrote = P::goodbye(sequence, &mut self.out);
        self.wrote(wrote);
        Flow::Close
    }

    /// When `pump` has something to do at the latest, if nothing comes before.
    fn deadline(&self) -> Duration {
        let mut deadline = self.idle_due;
        if let Some(Reverse((due, ..))) = self.held.peek() {
            deadline = deadline.min(*due);
        }
        if let Some((sent, _)) = self.sent.front() {
            deadline = deadline.min(*sent + Duration::from_millis(self.shared.config.deliver_answer_ms));
        }
        if let Some(account) = &self.account
            && self.directions.delivers
            && self.in_flight.len() < account.config.deliver_window
            && let Some(due) = account.state.lock().queue.next_due()
        {
            deadline = deadline.min(due);
        }
        deadline
    }

    /// Gives back what was not acknowledged, in the order in which it went out; whether anybody was logged in.
    fn leave(&mut self) -> bool {
        let Some(account) = self.account.take() else {
            return false;
        };
        let unanswered: Vec<_> =
            self.sent.drain(..).filter_map(|(_, sequence)| self.in_flight.remove(&sequence)).collect();
        let mut state = account.state.lock();
        state.in_flight = state.in_flight.saturating_sub(unanswered.len() as u64);
        state.queue.put_back(unanswered.into_iter());
        if self.reverse.is_none() {
            state.stats.open = state.stats.open.saturating_sub(1);
        }
        drop(state);
        account.wake.notify_waiters();
        true
    }

    /// Closes our side and lets the client read to the end: closing over unread octets could take the last answer with it.
    async fn close(&mut self, ends: &Ends) {
        let clock = self.shared.clock.clone();
        let drained = async {
            self.stream.shutdown().await?;
            loop {
                self.input.clear();
                self.input.reserve(READ_SIZE);
                if self.stream.read_buf(&mut self.input).await? == 0 {
                    return std::io::Result::Ok(());
                }
            }
        };
        tokio::select! {
            // Broken or closed: either way it is over.
            _ = drained => {}
            () = clock.sleep(CLOSE_TIME) => {}
            () = ends.drop.cancelled() => {}
        }
    }

    fn next_sequence(&self) -> P::Sequence {
        P::sequence(self.shared.config.gateway_id, self.shared.next_counter(), &Civil::of(self.shared.clock.now()))
    }

    fn wrote(&self, wrote: Wrote) {
        if let Err(error) = wrote {
            tracing::error!(%error, "an answer cannot be written");
        }
    }
}
