//! One connection's side of the protocol: PDUs in, PDUs out, at a given time. It does no I/O; its connection moves the octets.

mod submit;

use std::cmp::Reverse;
use std::collections::{BinaryHeap, HashMap, HashSet, VecDeque};
use std::sync::Arc;
use std::time::Duration;

use bytes::BytesMut;
use gridbell_cmpp::{
    CancelResp, Command, Connect, ConnectResp, Decoder, DeliverResp, Error, Fault, Frame, Header, MsgId, Pdu,
    SubmitResp, Version, auth,
};
use gridbell_model::Moment;

use super::account::{AccountShared, State};
use super::config::Faults;
use super::gateway::Shared;
use super::log::Stored;
use super::mint::Calendar;
use super::outgoing::Outgoing;

/// Octets waiting to be written above which nothing more is read or delivered: a client that does not read is not fed.
pub(super) const HIGH_WATER: usize = 256 * 1024;
/// How long a connection may take to log in.
const LOGIN_TIME: Duration = Duration::from_secs(30);
/// Malformed PDUs after which a connection is closed.
const MAX_MALFORMED: u32 = 100;

/// Statuses of CONNECT_RESP, as the specification numbers them.
mod status {
    pub(super) const ACCEPTED: u32 = 0;
    pub(super) const STRUCTURE: u32 = 1;
    pub(super) const SOURCE: u32 = 2;
    pub(super) const AUTHENTICATION: u32 = 3;
    pub(super) const VERSION_TOO_HIGH: u32 = 4;
    pub(super) const OTHER: u32 = 5;
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
    pub(super) civil: Moment,
}

/// An answer held back, sorted by when it is due.
type HeldAnswer = Reverse<(Duration, u64, u32, MsgId, u32)>;

pub(super) struct Session {
    shared: Arc<Shared>,
    account: Option<Arc<AccountShared>>,
    connection: u64,
    decoder: Decoder,
    /// What is to be written.
    pub(super) out: BytesMut,
    /// What was accepted and is not in the log yet: it must be there before `out` is written.
    pub(super) accepted: Vec<Stored>,
    sequence: u32,
    in_flight: HashMap<u32, Outgoing>,
    /// When the DELIVERs went out, oldest first; those acknowledged since are skipped.
    sent: VecDeque<(Duration, u32)>,
    held: BinaryHeap<HeldAnswer>,
    held_order: u64,
    /// Submits in this read: none of them can have been answered when the client sent the last.
    unanswered: usize,
    recent: VecDeque<u32>,
    recent_set: HashSet<u32>,
    heartbeat_due: Duration,
    heartbeats_unanswered: u32,
    malformed: u32,
    calendar: Calendar,
}

impl Session {
    pub(super) fn new(shared: Arc<Shared>, connection: u64, now: Duration) -> Self {
        Self {
            shared,
            account: None,
            connection,
            decoder: Decoder::new(Version::V3_0),
            out: BytesMut::new(),
            accepted: Vec::new(),
            sequence: 0,
            in_flight: HashMap::new(),
            sent: VecDeque::new(),
            held: BinaryHeap::new(),
            held_order: 0,
            unanswered: 0,
            recent: VecDeque::new(),
            recent_set: HashSet::new(),
            heartbeat_due: now + LOGIN_TIME,
            heartbeats_unanswered: 0,
            malformed: 0,
            calendar: Calendar::default(),
        }
    }

    pub(super) const fn account(&self) -> Option<&Arc<AccountShared>> {
        self.account.as_ref()
    }

    /// Takes all whole PDUs off `input`.
    pub(super) fn receive(&mut self, input: &mut BytesMut, now: Now) -> Flow {
        let faults = self.shared.faults();
        self.unanswered = self.held.len();
        loop {
            let flow = match self.decoder.decode(input) {
                Ok(None) => return Flow::Continue,
                Ok(Some(frame)) => self.take(frame, &faults, now),
                Err(Error::Malformed { header, fault }) => self.refuse(header, fault, now.monotonic),
                Err(_) => self.protocol_error(),
            };
            if flow != Flow::Continue {
                return flow;
            }
        }
    }

    fn take(&mut self, frame: Frame, faults: &Faults, now: Now) -> Flow {
        let Frame { sequence, pdu } = frame;
        let Some(account) = self.account.clone() else {
            return match pdu {
                Pdu::Connect(connect) => self.login(sequence, &connect, now.monotonic),
                _ => self.protocol_error(),
            };
        };
        self.heard(now.monotonic);
        match pdu {
            Pdu::Submit(submit) => return self.submit(&account, faults, sequence, &submit, now),
            Pdu::DeliverResp(response) => self.acknowledged(&account, sequence, response, now.monotonic),
            Pdu::ActiveTest => {
                account.state.lock().stats.heartbeats += 1;
                self.write(sequence, &Pdu::ActiveTestResp { reserved: 0 });
            }
            Pdu::ActiveTestResp { .. } => {}
            Pdu::Query(query) => {
                let state = account.state.lock();
                let mut counts = state.query(&query);
                counts.mt_waiting = u32::try_from(state.queue.len()).unwrap_or(u32::MAX);
                drop(state);
                self.write(sequence, &Pdu::QueryResp(counts));
            }
            Pdu::Cancel(cancel) => {
                let withdrawn = account.state.lock().queue.cancel(cancel.msg_id);
                let success_id = u32::from(!withdrawn);
                self.write(sequence, &Pdu::CancelResp(CancelResp { success_id }));
            }
            Pdu::Terminate => {
                self.write(sequence, &Pdu::TerminateResp);
                return Flow::Close;
            }
            Pdu::TerminateResp => return Flow::Close,
            // What only a gateway sends, or a second login.
            Pdu::Connect(_)
            | Pdu::ConnectResp(_)
            | Pdu::SubmitResp(_)
            | Pdu::Deliver(_)
            | Pdu::QueryResp(_)
            | Pdu::CancelResp(_) => return self.protocol_error(),
        }
        Flow::Continue
    }

    /// Anything that comes shows that the client lives.
    fn heard(&mut self, now: Duration) {
        self.heartbeat_due = now + Duration::from_millis(self.shared.config.heartbeat_ms);
        self.heartbeats_unanswered = 0;
    }

    fn protocol_error(&self) -> Flow {
        self.shared.links.lock().protocol_errors += 1;
        Flow::Abort
    }

    fn login(&mut self, sequence: u32, connect: &Connect, now: Duration) -> Flow {
        let highest = if self.shared.config.speaks_3_0 { Version::V3_0 } else { Version::V2_0 };
        let version = Version::from_octet(connect.version).unwrap_or(highest).min(highest);
        let (status, account) = self.judge_login(connect, highest);
        let authenticator = account.as_ref().map_or([0; 16], |account| {
            auth::ismg(status, &connect.authenticator, account.config.secret.as_bytes(), version)
        });
        self.decoder.set_version(version);
        self.write(sequence, &Pdu::ConnectResp(ConnectResp { status, authenticator, version: highest.octet() }));
        if status != status::ACCEPTED {
            *self.shared.links.lock().logins_refused.entry(status).or_default() += 1;
            return Flow::Close;
        }
        self.account = account;
        self.heard(now);
        Flow::Continue
    }

    /// The status, and the account where its secret was proved; it then has this connection counted.
    fn judge_login(&self, connect: &Connect, highest: Version) -> (u32, Option<Arc<AccountShared>>) {
        match Version::from_octet(connect.version) {
            Some(version) if version <= highest => {}
            None if connect.version < Version::V2_0.octet() => return (status::OTHER, None),
            _ => return (status::VERSION_TOO_HIGH, None),
        }
        let Some(account) = self.shared.accounts.get(connect.sp_id.as_bytes()) else {
            return (status::SOURCE, None);
        };
        let secret = account.config.secret.as_bytes();
        let expected = auth::source_of_number(account.sp_id.as_bytes(), secret, connect.timestamp);
        if !auth::matches(&expected, &connect.authenticator) {
            return (status::AUTHENTICATION, None);
        }
        let mut state = account.state.lock();
        if state.stats.open >= account.config.max_connections as u64 {
            return (status::OTHER, Some(Arc::clone(account)));
        }
        state.stats.open += 1;
        state.stats.logins += 1;
        (status::ACCEPTED, Some(Arc::clone(account)))
    }

    /// A PDU that is not as its table says; SUBMIT_RESP is the only answer that can say so, beside the login's.
    fn refuse(&mut self, header: Header, fault: Fault, now: Duration) -> Flow {
        let command = Command::from_word(header.command);
        let Some(account) = self.account.clone() else {
            if command != Some(Command::Connect) {
                return self.protocol_error();
            }
            let response = ConnectResp { status: status::STRUCTURE, ..ConnectResp::default() };
            *self.shared.links.lock().logins_refused.entry(response.status).or_default() += 1;
            self.write(header.sequence, &Pdu::ConnectResp(response));
            return Flow::Close;
        };
        self.heard(now);
        self.malformed += 1;
        let mut state = account.state.lock();
        state.stats.malformed += 1;
        if matches!(command, Some(Command::Submit) | None) {
            self.answer(&mut state, header.sequence, MsgId(0), gridbell_cmpp::fault_result(fault));
        }
        drop(state);
        if self.malformed < MAX_MALFORMED { Flow::Continue } else { self.protocol_error() }
    }

    fn answer(&mut self, state: &mut State, sequence: u32, msg_id: MsgId, result: u32) {
        *state.stats.results.entry(result).or_default() += 1;
        self.write(sequence, &Pdu::SubmitResp(SubmitResp { msg_id, result }));
    }

    fn acknowledged(&mut self, account: &AccountShared, sequence: u32, response: DeliverResp, now: Duration) {
        // An answer to a copy that was sent again meanwhile finds nothing.
        let Some(mut outgoing) = self.in_flight.remove(&sequence) else {
            return;
        };
        let mut state = account.state.lock();
        state.in_flight = state.in_flight.saturating_sub(1);
        if response.result == 0 {
            state.stats.delivers_acknowledged += 1;
            if outgoing.is_inbound() {
                let day = self.calendar.write(self.shared.clock.now()).1;
                state.day(day, gridbell_cmpp::Octets::EMPTY).mo_succeeded += 1;
            }
            return;
        }
        outgoing.refusals += 1;
        outgoing.tries = 0;
        if outgoing.refusals >= self.shared.config.deliver_tries {
            state.stats.delivers_given_up += 1;
            return;
        }
        let due = now + Duration::from_millis(self.shared.config.deliver_retry_ms);
        if !state.queue.push(outgoing, now, due) {
            state.stats.delivers_overflowed += 1;
        }
    }

    /// Does what time asks for: held answers, DELIVERs that are due or unanswered, heartbeats.
    pub(super) fn pump(&mut self, now: Now) -> Flow {
        let Some(account) = self.account.clone() else {
            return if now.monotonic < self.heartbeat_due { Flow::Continue } else { Flow::Abort };
        };
        let faults = self.shared.faults();
        let mut state = account.state.lock();
        while let Some(&Reverse((due, _, sequence, msg_id, result))) = self.held.peek() {
            if due > now.monotonic {
                break;
            }
            self.held.pop();
            self.answer(&mut state, sequence, msg_id, result);
        }
        if self.resend_unanswered(&mut state, &faults, now) == Flow::Abort {
            return Flow::Abort;
        }
        while self.in_flight.len() < account.config.deliver_window && self.out.len() < HIGH_WATER {
            let Some(outgoing) = state.queue.pop(now.monotonic) else {
                break;
            };
            self.deliver(&mut state, &faults, outgoing, now);
        }
        drop(state);
        self.beat(now.monotonic)
    }

    fn resend_unanswered(&mut self, state: &mut State, faults: &Faults, now: Now) -> Flow {
        let patience = Duration::from_millis(self.shared.config.deliver_answer_ms);
        while let Some(&(sent, sequence)) = self.sent.front() {
            match self.in_flight.get(&sequence) {
                None => {}
                Some(_) if sent + patience > now.monotonic => break,
                Some(outgoing) if outgoing.tries >= self.shared.config.deliver_tries => return Flow::Abort,
                Some(_) => {}
            }
            self.sent.pop_front();
            if let Some(outgoing) = self.in_flight.remove(&sequence) {
                state.in_flight = state.in_flight.saturating_sub(1);
                self.deliver(state, faults, outgoing, now);
            }
        }
        Flow::Continue
    }

    /// Writes a DELIVER and waits for its answer.
    fn deliver(&mut self, state: &mut State, faults: &Faults, mut outgoing: Outgoing, now: Now) {
        let version = self.decoder.version();
        let layout = if faults.short_reports { Version::V2_0 } else { version };
        let msg_id = self.shared.deliver_ids.lock().mint(now.civil, 1);
        let sequence = self.next_sequence();
        let written = outgoing
            .deliver(msg_id, version, layout)
            .map_err(gridbell_cmpp::Error::from)
            .and_then(|deliver| Pdu::Deliver(deliver).encode(sequence, version, &mut self.out));
        if let Err(error) = written {
            tracing::warn!(%error, "a message cannot be delivered on a connection of this version, dropped");
            state.stats.delivers_given_up += 1;
            return;
        }
        state.stats.delivers_sent += 1;
        state.stats.delivers_resent += u64::from(outgoing.sent_before);
        state.in_flight += 1;
        outgoing.sent_before = true;
        outgoing.tries += 1;
        self.in_flight.insert(sequence, outgoing);
        self.sent.push_back((now.monotonic, sequence));
    }

    fn beat(&mut self, now: Duration) -> Flow {
        if now < self.heartbeat_due {
            return Flow::Continue;
        }
        if self.heartbeats_unanswered >= self.shared.config.heartbeat_tries {
            return Flow::Abort;
        }
        self.heartbeats_unanswered += 1;
        self.heartbeat_due = now + Duration::from_millis(self.shared.config.heartbeat_answer_ms);
        let sequence = self.next_sequence();
        self.write(sequence, &Pdu::ActiveTest);
        Flow::Continue
    }

    /// When `pump` has something to do at the latest, if nothing comes before.
    pub(super) fn deadline(&self) -> Duration {
        let mut deadline = self.heartbeat_due;
        if let Some(Reverse((due, ..))) = self.held.peek() {
            deadline = deadline.min(*due);
        }
        if let Some((sent, _)) = self.sent.front() {
            deadline = deadline.min(*sent + Duration::from_millis(self.shared.config.deliver_answer_ms));
        }
        if let Some(account) = &self.account
            && self.in_flight.len() < account.config.deliver_window
            && self.out.len() < HIGH_WATER
            && let Some(due) = account.state.lock().queue.next_due()
        {
            deadline = deadline.min(due);
        }
        deadline
    }

    /// Says goodbye.
    pub(super) fn terminate(&mut self) {
        let sequence = self.next_sequence();
        self.write(sequence, &Pdu::Terminate);
    }

    /// Gives back what was not acknowledged, in the order in which it went out.
    pub(super) fn leave(&mut self) {
        let Some(account) = self.account.take() else {
            return;
        };
        let unanswered: Vec<_> =
            self.sent.drain(..).filter_map(|(_, sequence)| self.in_flight.remove(&sequence)).collect();
        let mut state = account.state.lock();
        state.in_flight = state.in_flight.saturating_sub(unanswered.len() as u64);
        state.queue.put_back(unanswered.into_iter().map(|outgoing| Outgoing { tries: 0, ..outgoing }));
        state.stats.open = state.stats.open.saturating_sub(1);
        drop(state);
        account.wake.notify_waiters();
    }

    fn next_sequence(&mut self) -> u32 {
        self.sequence = self.sequence.wrapping_add(1);
        self.sequence
    }

    fn write(&mut self, sequence: u32, pdu: &Pdu) {
        if let Err(error) = pdu.encode(sequence, self.decoder.version(), &mut self.out) {
            tracing::error!(%error, "an answer cannot be written");
        }
    }
}
