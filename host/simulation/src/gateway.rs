//! A carrier's gateway without sockets: octets in, octets out, at a given time, with whatever goes wrong at one. It keeps the log against which
//! the host is judged.

use std::collections::BTreeMap;
use std::time::Duration;

use bytes::{Bytes, BytesMut};
use gridbell_clock::{Clock, Seed};
use gridbell_cmpp::{
    Connect, ConnectResp, Content, Decoder, Deliver, MsgFmt, MsgId, Number, Octets, Pdu, Report, Stat, Submit,
    SubmitResp, Version, auth, text,
};
use gridbell_model::Moment;

use crate::dice::Dice;
use crate::net::{Heard, Net};

/// What every gateway and link knows.
pub(crate) const SECRET: &str = "simulated";
/// How long a DELIVER may go without its answer before it is sent again.
const DELIVER_PATIENCE: Duration = Duration::from_secs(60);
/// `Result` of a SUBMIT_RESP: flow control, bad number; one that no specification has.
const FLOW_CONTROL: u32 = 8;
const BAD_NUMBER: u32 = 13;
const VENDOR: u32 = 101;

/// What is wrong with a gateway for a while. In thousandths where not said otherwise.
#[derive(Clone, Copy, Debug, Default)]
pub(crate) struct Mood {
    /// It reads and says nothing.
    pub(crate) silent: bool,
    /// It refuses logins for now.
    pub(crate) full: bool,
    pub(crate) throttles: u64,
    pub(crate) refuses: u64,
    pub(crate) loses_answers: u64,
    /// Answers that come after the link's patience.
    pub(crate) late_answers: u64,
    pub(crate) hangs_up: u64,
}

/// A SUBMIT as it arrived.
#[derive(Clone, Debug)]
pub(crate) struct Arrival {
    pub(crate) gateway: usize,
    pub(crate) line: usize,
    /// When the host let its last octet go.
    pub(crate) at: Duration,
    pub(crate) phone: String,
    /// Of this part.
    pub(crate) text: String,
    pub(crate) part: u8,
    pub(crate) result: u32,
    pub(crate) msg_id: u64,
    /// When the host had its answer at hand, if it was sent one.
    pub(crate) answered: Option<Duration>,
}

/// A customer's message, and whether the host said that it has it.
#[derive(Clone, Debug)]
pub(crate) struct Reply {
    pub(crate) phone: String,
    pub(crate) text: &'static str,
    pub(crate) acknowledged: Option<Duration>,
}

#[derive(Clone, Debug)]
enum Parcel {
    Report(Report),
    Reply(usize),
}

enum Due {
    Answer {
        arrival: usize,
        line: usize,
        sequence: u32,
    },
    Parcel(Parcel),
    /// Whether the DELIVER `sequence` of `line` was answered.
    Patience {
        line: usize,
        sequence: u32,
    },
    /// A customer writes.
    Write(usize),
}

struct Session {
    decoder: Decoder,
    input: BytesMut,
    heard: u64,
    logged_in: bool,
    sequence: u32,
    unanswered: BTreeMap<u32, Parcel>,
}

/// One carrier's gateway.
pub(crate) struct Gateway {
    number: usize,
    sp_id: &'static str,
    version: Version,
    clock: Clock,
    dice: Dice,
    pub(crate) mood: Mood,
    sessions: BTreeMap<usize, Session>,
    due: BTreeMap<(Duration, u64), Due>,
    order: u64,
    waiting: Vec<Parcel>,
    next_id: u64,
    pub(crate) log: Vec<Arrival>,
    pub(crate) replies: Vec<Reply>,
    /// Lines that are gone, and since when.
    pub(crate) gone: BTreeMap<usize, Duration>,
}

impl Gateway {
    pub(crate) fn new(number: usize, sp_id: &'static str, version: Version, clock: Clock, seed: Seed) -> Self {
        Self {
            number,
            sp_id,
            version,
            clock,
            dice: Dice::new(seed, &format!("gateway {number}")),
            mood: Mood::default(),
            sessions: BTreeMap::new(),
            due: BTreeMap::new(),
            order: 0,
            waiting: Vec::new(),
            next_id: 1,
            log: Vec::new(),
            replies: Vec::new(),
            gone: BTreeMap::new(),
        }
    }

    /// When it next does something by itself.
    pub(crate) fn next_due(&self) -> Option<Duration> {
        self.due.keys().next().map(|(at, _)| *at)
    }

    fn after(&mut self, wait: Duration, due: Due) {
        self.order += 1;
        self.due.insert((self.clock.monotonic() + wait, self.order), due);
    }

    /// Takes what arrived on `line`.
    pub(crate) fn hear(&mut self, net: &Net, line: usize, heard: Heard) {
        match heard {
            Heard::Gone => {
                self.gone.insert(line, self.clock.monotonic());
                if let Some(session) = self.sessions.remove(&line) {
                    self.waiting.extend(session.unanswered.into_values());
                }
            }
            Heard::Octets(octets) => {
                let session = self.sessions.entry(line).or_insert_with(|| Session {
                    decoder: Decoder::new(Version::V3_0),
                    input: BytesMut::new(),
                    heard: 0,
                    logged_in: false,
                    sequence: 0,
                    unanswered: BTreeMap::new(),
                });
                session.heard += octets.len() as u64;
                session.input.extend_from_slice(&octets);
                self.understand(net, line);
            }
        }
    }

    fn understand(&mut self, net: &Net, line: usize) {
        loop {
            let Some(session) = self.sessions.get_mut(&line) else { return };
            let Ok(Some(frame)) = session.decoder.decode(&mut session.input) else { return };
            let end = session.heard - session.input.len() as u64;
            match frame.pdu {
                Pdu::Connect(connect) => self.login(net, line, frame.sequence, &connect),
                Pdu::Submit(submit) => self.submit(net, line, frame.sequence, &submit, net.let_go(line, end)),
                Pdu::DeliverResp(resp) => self.answered(line, frame.sequence, resp.result),
                Pdu::ActiveTest => self.say(net, line, frame.sequence, &Pdu::ActiveTestResp { reserved: 0 }),
                Pdu::Terminate => {
                    self.say(net, line, frame.sequence, &Pdu::TerminateResp);
                }
                _ => {}
            }
        }
    }

    /// When what is said arrives; none where nothing is said.
    fn speak(&mut self, net: &Net, line: usize, sequence: u32, pdu: &Pdu) -> Option<Duration> {
        let session = self.sessions.get(&line).filter(|_| !self.mood.silent)?;
        let mut out = BytesMut::new();
        pdu.encode(sequence, session.decoder.version(), &mut out).ok()?;
        net.send(line, Bytes::from(out))
    }

    fn say(&mut self, net: &Net, line: usize, sequence: u32, pdu: &Pdu) {
        self.speak(net, line, sequence, pdu);
    }

    fn login(&mut self, net: &Net, line: usize, sequence: u32, connect: &Connect) {
        let version = Version::from_octet(connect.version).unwrap_or(self.version);
        let expected = auth::source_of_number(self.sp_id.as_bytes(), SECRET.as_bytes(), connect.timestamp);
        let status = match () {
            () if version > self.version => 4,
            () if !auth::matches(&expected, &connect.authenticator) => 3,
            () if self.mood.full => 5,
            () => 0,
        };
        let used = version.min(self.version);
        let authenticator = auth::ismg(status, &connect.authenticator, SECRET.as_bytes(), used);
        if let Some(session) = self.sessions.get_mut(&line) {
            session.decoder.set_version(used);
            session.logged_in = status == 0;
        }
        let resp = ConnectResp { status, authenticator, version: self.version.octet() };
        self.say(net, line, sequence, &Pdu::ConnectResp(resp));
        if status == 0 {
            for parcel in std::mem::take(&mut self.waiting) {
                self.deliver(net, parcel);
            }
        }
    }

    fn submit(&mut self, net: &Net, line: usize, sequence: u32, submit: &Submit, at: Duration) {
        let number = submit.destinations.first().copied().unwrap_or(Number::EMPTY);
        let phone = number.expose_text().into_owned();
        let (concatenation, content) = text::split_header(&submit.content);
        let content = if submit.tp_udhi == 0 { &submit.content[..] } else { content };
        let result = match () {
            // One number in a hundred is dead.
            () if phone.ends_with("77") => BAD_NUMBER,
            () if self.dice.chance(self.mood.throttles) => FLOW_CONTROL,
            () if self.dice.chance(self.mood.refuses) => VENDOR,
            () => 0,
        };
        let msg_id = if result == 0 { self.next_id } else { 0 };
        self.next_id += 1;
        self.log.push(Arrival {
            gateway: self.number,
            line,
            at,
            phone,
            text: text::decode(MsgFmt::UCS2, content).text,
            part: concatenation.map_or(1, |c| c.number),
            result,
            msg_id,
            answered: None,
        });
        let arrival = self.log.len() - 1;
        if result == 0 {
            self.accepted(net, arrival, number);
        }
        if self.dice.chance(self.mood.hangs_up) {
            return net.hang_up(line);
        }
        let wait = match () {
            () if self.dice.chance(self.mood.loses_answers) => return,
            () if self.dice.chance(self.mood.late_answers) => self.dice.millis(31_000, 90_000),
            () if self.dice.chance(200) => self.dice.millis(100, 3_000),
            () => Duration::ZERO,
        };
        self.after(wait, Due::Answer { arrival, line, sequence });
    }

    /// Sends the reports on their way, with what goes wrong with reports; some customers write back.
    fn accepted(&mut self, net: &Net, arrival: usize, destination: Number) {
        let msg_id = MsgId(self.log[arrival].msg_id);
        let word = match self.dice.between(0, 99) {
            0..=4 => "UNDELIV",
            5 => "EXPIRED",
            6 => "MA:0012",
            _ => "DELIVRD",
        };
        let report =
            |word: &str| Report { msg_id, stat: Stat::new(word).unwrap_or_default(), destination, ..Report::default() };
        if self.dice.chance(50) {
            let wait = self.dice.millis(0, 2_000);
            self.after(wait, Due::Parcel(Parcel::Report(report("ACCEPTD"))));
        }
        if self.dice.chance(40) {
            // Before its answer.
            self.deliver(net, Parcel::Report(report(word)));
        } else if !self.dice.chance(30) {
            let wait = match self.dice.between(0, 99) {
                0..=69 => self.dice.millis(50, 20_000),
                70..=94 => self.dice.millis(20_000, 3_600_000),
                _ => self.dice.millis(3_600_000, 40_000_000),
            };
            self.after(wait, Due::Parcel(Parcel::Report(report(word))));
            if self.dice.chance(80) {
                let again = wait + self.dice.millis(0, 600_000);
                self.after(again, Due::Parcel(Parcel::Report(report(word))));
            }
        }
        let text = match self.dice.between(0, 99) {
            0..=2 => "R",
            3 => "退订。",
            4..=5 => "收到，谢谢",
            _ => return,
        };
        let phone = self.log[arrival].phone.clone();
        self.replies.push(Reply { phone, text, acknowledged: None });
        let wait = self.dice.millis(2_000, 10_000_000);
        self.after(wait, Due::Write(self.replies.len() - 1));
    }

    /// Does what is due by now. True if there was something.
    pub(crate) fn work(&mut self, net: &Net) -> bool {
        let now = self.clock.monotonic();
        let mut any = false;
        while let Some(entry) = self.due.first_entry().filter(|entry| entry.key().0 <= now) {
            any = true;
            match entry.remove() {
                Due::Answer { arrival, line, sequence } => {
                    let Arrival { msg_id, result, .. } = self.log[arrival];
                    let resp = SubmitResp { msg_id: MsgId(msg_id), result };
                    self.log[arrival].answered = self.speak(net, line, sequence, &Pdu::SubmitResp(resp));
                }
                Due::Parcel(parcel) => self.deliver(net, parcel),
                Due::Write(reply) => self.deliver(net, Parcel::Reply(reply)),
                Due::Patience { line, sequence } => {
                    let session = self.sessions.get_mut(&line);
                    if let Some(parcel) = session.and_then(|session| session.unanswered.remove(&sequence)) {
                        self.deliver(net, parcel);
                    }
                }
            }
        }
        any
    }

    fn deliver(&mut self, net: &Net, parcel: Parcel) {
        let lines: Vec<usize> = self.sessions.iter().filter(|(_, s)| s.logged_in).map(|(line, _)| *line).collect();
        let Some(line) = self.dice.one(&lines).copied() else { return self.waiting.push(parcel) };
        self.next_id += 1;
        let msg_id = MsgId(1 << 48 | self.next_id);
        let Some(session) = self.sessions.get_mut(&line) else { return };
        session.sequence += 1;
        let (sequence, version) = (session.sequence, session.decoder.version());
        session.unanswered.insert(sequence, parcel.clone());
        if let Some(deliver) = self.pdu(&parcel, msg_id, version) {
            self.say(net, line, sequence, &Pdu::Deliver(deliver));
        }
        self.after(DELIVER_PATIENCE, Due::Patience { line, sequence });
    }

    fn pdu(&self, parcel: &Parcel, msg_id: MsgId, version: Version) -> Option<Deliver> {
        let dest_id = Octets::new("Dest_Id", "95598").ok()?;
        Some(match parcel {
            Parcel::Report(report) => Deliver {
                msg_id,
                dest_id,
                src_terminal: report.destination,
                registered_delivery: 1,
                content: report.encode(version).ok()?,
                ..Deliver::default()
            },
            Parcel::Reply(at) => {
                let reply = self.replies.get(*at)?;
                Deliver {
                    msg_id,
                    dest_id,
                    msg_fmt: MsgFmt::UCS2,
                    src_terminal: Number::new("Src_terminal_Id", &reply.phone).ok()?,
                    content: Content::new(text::utf16be(reply.text)).ok()?,
                    ..Deliver::default()
                }
            }
        })
    }

    fn answered(&mut self, line: usize, sequence: u32, result: u32) {
        let Some(session) = self.sessions.get_mut(&line) else { return };
        let Some(parcel) = session.unanswered.remove(&sequence) else { return };
        if result != 0 {
            return self.after(DELIVER_PATIENCE, Due::Parcel(parcel));
        }
        if let Parcel::Reply(at) = parcel {
            self.replies[at].acknowledged.get_or_insert(self.clock.monotonic());
        }
    }

    /// Whether everything that it had to say was said and heard.
    pub(crate) fn is_done(&self) -> bool {
        self.due.is_empty() && self.waiting.is_empty() && self.sessions.values().all(|s| s.unanswered.is_empty())
    }
}

/// The civil moment of monotonic time `at` on a clock that started at `start`.
pub(crate) fn civil(start: Moment, at: Duration) -> Moment {
    start.plus_ms(i64::try_from(at.as_millis()).unwrap_or(i64::MAX))
}
