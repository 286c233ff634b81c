//! SGIP's two connections, against a gateway that a test plays: pipes in place of sockets, a clock that stands still. Who may call, what
//! is acknowledged when, how connections end that have nothing to say.

#![expect(clippy::unwrap_used, reason = "a test ends where its stage is not as built")]

mod support;

use std::io;
use std::sync::Arc;
use std::time::Duration;

use bytes::BytesMut;
use gridbell_channels::{
    AlarmKind, Anomaly, ChannelError, Connector, LinkConfig, LinkHandle, LinkState, Outcome, Reception, ReportOutcome,
    Secret, start,
};
use gridbell_clock::{Clock, Seed};
use gridbell_model::{CarrierKey, Date};
use gridbell_sgip::{
    Bind, Content, Decoder, Deliver, Frame, LoginType, MsgFmt, Octets, Password, Pdu, Report, ReportState, Response,
    Sequence, Submit, number,
};
use support::MemoryOutbox;
use tokio::io::{AsyncReadExt, AsyncWriteExt, DuplexStream, duplex};
use tokio::sync::{Mutex, mpsc};

const PIPE: usize = 64 * 1024;
/// Turns after which every task of these tests has come to rest.
const TURNS: usize = 200;
/// Tenths of a second that [`Stage::until`] lets pass before it gives up.
const PATIENCE: usize = 20_000;

struct Pipes(mpsc::UnboundedSender<DuplexStream>);

impl Connector for Pipes {
    type Stream = DuplexStream;

    async fn connect(&self, _: &str) -> io::Result<DuplexStream> {
        let (ours, theirs) = duplex(PIPE);
        self.0.send(theirs).map_err(|_| io::ErrorKind::ConnectionRefused)?;
        Ok(ours)
    }
}

struct Stage {
    outbox: Arc<MemoryOutbox>,
    link: LinkHandle,
    reception: Arc<Reception>,
    clock: Clock,
    calls: Mutex<mpsc::UnboundedReceiver<DuplexStream>>,
}

fn config(name: &str, more: &str) -> LinkConfig {
    let text = format!(
        "name = \"{name}\"\nprotocol = \"sgip1\"\naddress = \"gateway:8801\"\nlogin-name = \"{name}\"\ncorp-id = \"12345\"\n\
         node = 3035112345\nlisten = \"127.0.0.1:8802\"\nsecret = {{ env = \"UNUSED\" }}\nservice-id = \"DLFW\"\n\
         src-ids = [\"95598\"]\nserves = [\"unicom\"]\ngrant = 0\n{more}"
    );
    toml::from_str(&text).unwrap()
}

impl Stage {
    fn new(more: &str) -> Self {
        let clock = Clock::manual(Date::from_ymd(2026, 11, 21).unwrap().at(12, 0).moment());
        let outbox = MemoryOutbox::new(&clock);
        let (pipes, calls) = mpsc::unbounded_channel();
        let reception = Arc::new(Reception::new(clock.clone()));
        let (secret, pipes) = (Secret::new("secret"), Pipes(pipes));
        let link = start(config("power", more), secret, Arc::clone(&outbox), pipes, clock.clone(), Seed(1)).unwrap();
        reception.add(&link).unwrap();
        Self { outbox, link, reception, clock, calls: Mutex::new(calls) }
    }

    /// The next connection that the link opens, not logged in. Time passes until it comes.
    async fn dialled(&self) -> Gateway {
        let mut calls = self.calls.lock().await;
        loop {
            rest().await;
            if let Ok(stream) = calls.try_recv() {
                return Gateway { stream, input: BytesMut::new(), counter: 0 };
            }
            self.clock.advance(Duration::from_millis(100));
        }
    }

    /// The next one, logged in.
    async fn gateway(&self) -> Gateway {
        let mut gateway = self.dialled().await;
        let (sequence, Pdu::Bind(bind)) = gateway.hear().await.unwrap() else { panic!("something before the login") };
        assert_eq!((bind.login_type, bind.name.as_bytes()), (LoginType::SP_TO_SMG, &b"power"[..]));
        assert!(bind.password.is(&Password::new("secret").unwrap()));
        gateway.say(sequence, Pdu::BindResp(Response::new(0))).await;
        rest().await;
        gateway
    }

    /// The gateway calls; not logged in.
    fn call(&self) -> Gateway {
        let (ours, theirs) = duplex(PIPE);
        let reception = Arc::clone(&self.reception);
        tokio::spawn(async move { reception.serve(ours).await });
        Gateway { stream: theirs, input: BytesMut::new(), counter: 0 }
    }

    /// The gateway calls and is let in.
    async fn caller(&self) -> Gateway {
        let mut caller = self.call();
        assert_eq!(caller.bind(LoginType::SMG_TO_SP, "power", "secret").await, Some(0));
        caller
    }

    async fn pass(&self, seconds: u64) {
        self.clock.advance(Duration::from_secs(seconds));
        rest().await;
    }

    async fn until(&self, holds: impl Fn(&Self) -> bool) {
        for _ in 0..PATIENCE {
            if holds(self) {
                return;
            }
            self.clock.advance(Duration::from_millis(10));
            rest().await;
        }
        panic!("it never came to that: {:?}", self.link.status());
    }

    fn anomaly(&self, kind: Anomaly) -> u64 {
        self.link.status().anomalies.iter().find(|(of, _)| *of == kind).map_or(0, |(_, count)| *count)
    }
}

async fn rest() {
    for _ in 0..TURNS {
        tokio::task::yield_now().await;
    }
}

struct Gateway {
    stream: DuplexStream,
    input: BytesMut,
    counter: u32,
}

impl Gateway {
    /// The next PDU; none at the end.
    async fn hear(&mut self) -> Option<(Sequence, Pdu)> {
        loop {
            if let Some(Frame { sequence, pdu }) = Decoder::new().decode(&mut self.input).unwrap() {
                return Some((sequence, pdu));
            }
            if self.stream.read_buf(&mut self.input).await.unwrap() == 0 {
                return None;
            }
        }
    }

    async fn hear_submit(&mut self) -> (Sequence, Submit) {
        match self.hear().await {
            Some((sequence, Pdu::Submit(submit))) => (sequence, submit),
            other => panic!("no SUBMIT but {other:?}"),
        }
    }

    async fn say(&mut self, sequence: Sequence, pdu: Pdu) {
        let mut output = BytesMut::new();
        pdu.encode(sequence, &mut output).unwrap();
        self.raw(&output).await;
    }

    /// Asks under a sequence of its own, which it gives.
    async fn ask(&mut self, pdu: Pdu) -> Sequence {
        self.counter += 1;
        let sequence = Sequence { node: 10, stamp: 1_121_120_000, counter: self.counter };
        self.say(sequence, pdu).await;
        sequence
    }

    async fn raw(&mut self, octets: &[u8]) {
        // A link that has hung up is no surprise here.
        let _ = self.stream.write_all(octets).await;
    }

    /// Logs in; the result, or none where it is hung up on.
    async fn bind(&mut self, login_type: LoginType, name: &str, password: &str) -> Option<u8> {
        let (name, password) = (Octets::new("name", name).unwrap(), Password::new(password).unwrap());
        let asked = self.ask(Pdu::Bind(Bind { login_type, name, password, reserve: Octets::EMPTY })).await;
        match self.hear().await? {
            (sequence, Pdu::BindResp(resp)) if sequence == asked => Some(resp.result),
            other => panic!("{other:?}"),
        }
    }
}

fn report(submit: Sequence, state: ReportState) -> Pdu {
    Pdu::Report(Report { submit, state, user: number::user("13012341234").unwrap(), ..Report::default() })
}

fn mo() -> Pdu {
    Pdu::Deliver(Deliver {
        user: number::user("13012341234").unwrap(),
        sp_number: Octets::new("n", "95598").unwrap(),
        coding: MsgFmt::ASCII,
        content: Content::new(&b"TD"[..]).unwrap(),
        ..Deliver::default()
    })
}

#[tokio::test]
async fn a_submit_goes_one_way_and_its_report_comes_the_other() {
    let stage = Stage::new("");
    let mut gateway = stage.gateway().await;
    let until = stage.clock.now().plus_ms(3_600_000);
    let id = stage.outbox.put_as("13012341234", "短信", |m| m.valid_until = Some(until));
    stage.until(|stage| stage.link.status().window_used == 1).await;
    let (sequence, submit) = gateway.hear_submit().await;
    assert_eq!((sequence.node, sequence.stamp), (3_035_112_345, 1_121_120_000));
    assert_eq!((submit.users[0].expose(), submit.sp_number.as_bytes()), (&b"8613012341234"[..], &b"95598"[..]));
    assert_eq!((submit.corp_id.as_bytes(), submit.service_type.as_bytes()), (&b"12345"[..], &b"DLFW"[..]));
    assert_eq!(submit.charge_number.expose(), number::SENDER_PAYS.as_bytes());
    assert_eq!((submit.report_flag.0, submit.expire_time.as_bytes()), (1, &b"261121130000032+"[..]));
    // The report is there before the answer.
    let mut caller = stage.caller().await;
    caller.ask(report(sequence, ReportState::DELIVERED)).await;
    assert!(matches!(caller.hear().await, Some((_, Pdu::ReportResp(resp))) if resp.result == 0));
    gateway.say(sequence, Pdu::SubmitResp(Response::new(0))).await;
    stage.until(|stage| stage.outbox.accepted() == 1).await;
    let key = CarrierKey::text(&sequence.to_string());
    assert_eq!(
        (stage.outbox.answers()[0].message, &stage.outbox.answers()[0].outcome),
        (id, &Outcome::Accepted { key: key.clone() })
    );
    assert_eq!((&stage.outbox.reports()[0].key, stage.outbox.reports()[0].outcome), (&key, ReportOutcome::Delivered));
    let reverse = stage.link.status().reverse.unwrap();
    assert_eq!((reverse.connections, reverse.calls, reverse.last.is_some()), (1, 1, true));
}

#[tokio::test]
async fn only_its_own_gateway_is_let_in() {
    let stage = Stage::new("");
    for (login_type, name, password, result) in [
        (LoginType::SMG_TO_SP, "power", "guessed", 1),
        (LoginType::SMG_TO_SP, "somebody", "secret", 1),
        (LoginType::SP_TO_SMG, "power", "secret", 4),
    ] {
        let mut caller = stage.call();
        assert_eq!(caller.bind(login_type, name, password).await, Some(result), "{name}");
        assert_eq!(caller.hear().await, None);
    }
    assert_eq!(stage.anomaly(Anomaly::CallRefused), 2);
    // Anything else before a login, or nothing at all.
    let mut early = stage.call();
    early.ask(mo()).await;
    assert_eq!(early.hear().await, None);
    for nonsense in [&b"GET / HTTP/1.1\r\n\r\n"[..], &[0xff; 64], &u32::MAX.to_be_bytes()] {
        let mut caller = stage.call();
        caller.raw(nonsense).await;
        assert_eq!(caller.hear().await, None);
    }
    let mut silent = stage.call();
    rest().await;
    stage.pass(30).await;
    assert_eq!(silent.hear().await, None);
    assert!(stage.outbox.inbox().is_empty());
    assert_eq!(stage.link.status().reverse.unwrap().calls, 0);
}

#[tokio::test]
async fn strangers_and_connections_are_bounded() {
    let stage = Stage::new("");
    let mut strangers: Vec<_> = (0..64).map(|_| stage.call()).collect();
    rest().await;
    let mut one_more = stage.call();
    assert_eq!(one_more.bind(LoginType::SMG_TO_SP, "power", "secret").await, None, "it is not heard");
    for caller in strangers.iter_mut().take(16) {
        assert_eq!(caller.bind(LoginType::SMG_TO_SP, "power", "secret").await, Some(0));
    }
    rest().await;
    assert_eq!(stage.call().bind(LoginType::SMG_TO_SP, "power", "secret").await, Some(3));
    assert_eq!(stage.link.status().reverse.unwrap().connections, 16);
    drop(strangers);
    rest().await;
    assert_eq!(stage.link.status().reverse.unwrap().connections, 0);
    stage.caller().await;
}

#[tokio::test]
async fn two_links_share_an_address_under_two_names() {
    let stage = Stage::new("");
    let outbox = MemoryOutbox::new(&stage.clock);
    let begin = |name: &str| {
        let (pipes, _) = mpsc::unbounded_channel();
        let (secret, outbox) = (Secret::new("other"), Arc::clone(&outbox));
        start(config(name, ""), secret, outbox, Pipes(pipes), stage.clock.clone(), Seed(2)).unwrap()
    };
    stage.reception.add(&begin("city")).unwrap();
    let mut caller = stage.call();
    assert_eq!(caller.bind(LoginType::SMG_TO_SP, "city", "other").await, Some(0));
    caller.ask(mo()).await;
    caller.hear().await.unwrap();
    assert_eq!((outbox.inbox().len(), stage.outbox.inbox().len()), (1, 0));
    let error = stage.reception.add(&begin("power")).unwrap_err();
    assert!(matches!(error, ChannelError::Config { field: "login-name", .. }), "{error}");
}

#[tokio::test]
async fn what_is_malformed_is_refused_and_what_is_about_no_submit_is_taken_and_counted() {
    let stage = Stage::new("");
    let mut caller = stage.caller().await;
    let forwarded = Report { report_type: 1, ..Report::default() };
    caller.ask(Pdu::Report(forwarded)).await;
    assert!(matches!(caller.hear().await, Some((_, Pdu::ReportResp(resp))) if resp.result == 0));
    // A REPORT of one octet.
    caller.raw(&[0, 0, 0, 21, 0, 0, 0, 5, 0, 0, 0, 1, 0, 0, 0, 2, 0, 0, 0, 3, 9]).await;
    let (sequence, pdu) = caller.hear().await.unwrap();
    assert_eq!((sequence.counter, &pdu), (3, &Pdu::ReportResp(Response::new(8))));
    // An answer to a submit has no business here.
    caller.ask(Pdu::SubmitResp(Response::new(0))).await;
    caller.ask(mo()).await;
    assert!(matches!(caller.hear().await, Some((_, Pdu::DeliverResp(resp))) if resp.result == 0));
    let count = |kind| stage.anomaly(kind);
    assert_eq!([count(Anomaly::BadReport), count(Anomaly::Malformed), count(Anomaly::UnknownAnswer)], [1, 1, 1]);
    assert!(stage.outbox.reports().is_empty());
}

#[tokio::test]
async fn a_connection_with_nothing_to_say_is_closed_and_opened_again() {
    let stage = Stage::new("");
    let mut gateway = stage.gateway().await;
    for _ in 0..3 {
        stage.pass(49).await;
        stage.pass(2).await;
        let (sequence, pdu) = gateway.hear().await.unwrap();
        assert_eq!(pdu, Pdu::Unbind);
        gateway.say(sequence, Pdu::UnbindResp).await;
        assert_eq!(gateway.hear().await, None);
        gateway = stage.gateway().await;
    }
    // Or the gateway closes it first, politely or not: that is no failure either.
    stage.pass(20).await;
    let asked = gateway.ask(Pdu::Unbind).await;
    assert_eq!(gateway.hear().await, Some((asked, Pdu::UnbindResp)));
    let gateway = stage.gateway().await;
    stage.pass(20).await;
    drop(gateway);
    let mut gateway = stage.gateway().await;
    let status = stage.link.status();
    assert_eq!((status.last_error, status.alarms.len(), status.counts.logins), (None, 0, 6));
    // It works when something is to be said.
    stage.outbox.put("13012341234", "短信");
    stage.until(|stage| stage.link.status().window_used == 1).await;
    gateway.hear_submit().await;
}

#[tokio::test]
async fn an_answer_overdue_ends_the_connection_and_leaves_what_was_written_unanswered() {
    let stage = Stage::new("window = 1");
    let mut gateway = stage.gateway().await;
    let id = stage.outbox.put("13012341234", "一");
    stage.until(|stage| stage.link.status().window_used == 1).await;
    gateway.hear_submit().await;
    stage.pass(29).await;
    assert!(stage.outbox.answers().is_empty());
    stage.pass(1).await;
    assert_eq!(gateway.hear().await, None);
    let answer = stage.outbox.answers().remove(0);
    assert_eq!((answer.message, answer.outcome), (id, Outcome::Unanswered { again: true }));
    let mut again = stage.gateway().await;
    stage.until(|stage| stage.link.status().window_used == 1).await;
    again.hear_submit().await;
}

#[tokio::test]
async fn a_gateway_that_takes_messages_and_never_calls_is_told_of() {
    let stage = Stage::new("timers = { idle-s = 3600 }");
    let mut gateway = stage.gateway().await;
    stage.outbox.put("13012341234", "短信");
    stage.until(|stage| stage.link.status().window_used == 1).await;
    let (sequence, _) = gateway.hear_submit().await;
    gateway.say(sequence, Pdu::SubmitResp(Response::new(0))).await;
    stage.until(|stage| stage.outbox.accepted() == 1).await;
    stage.pass(14 * 60).await;
    assert!(stage.link.status().alarms.is_empty());
    stage.pass(61).await;
    stage.until(|stage| !stage.link.status().alarms.is_empty()).await;
    assert_eq!(stage.link.status().alarms[0].kind, AlarmKind::NotCalled);
    assert!(stage.link.status().last_error.unwrap().contains("127.0.0.1:8802"));
    // It comes right by itself.
    let mut caller = stage.caller().await;
    caller.ask(report(sequence, ReportState::DELIVERED)).await;
    caller.hear().await.unwrap();
    assert!(stage.link.status().alarms.is_empty());
    // And what went while it was connected, and hung up since, is no reason.
    stage.outbox.put("13012341234", "短信");
    stage.until(|stage| stage.link.status().window_used == 1).await;
    let (sequence, _) = gateway.hear_submit().await;
    gateway.say(sequence, Pdu::SubmitResp(Response::new(0))).await;
    stage.until(|stage| stage.outbox.accepted() == 2).await;
    drop(caller);
    for _ in 0..20 {
        stage.pass(60).await;
    }
    assert!(stage.link.status().alarms.is_empty());
}

#[tokio::test]
async fn a_drain_ends_both_sides() {
    let stage = Stage::new("");
    let mut gateway = stage.gateway().await;
    let mut caller = stage.caller().await;
    stage.link.drain();
    let (sequence, pdu) = gateway.hear().await.unwrap();
    assert_eq!(pdu, Pdu::Unbind);
    gateway.say(sequence, Pdu::UnbindResp).await;
    rest().await;
    assert_eq!(stage.link.status().state, LinkState::Draining);
    let (sequence, pdu) = caller.hear().await.unwrap();
    assert_eq!(pdu, Pdu::Unbind);
    caller.say(sequence, Pdu::UnbindResp).await;
    stage.link.closed().await;
    assert_eq!(stage.call().bind(LoginType::SMG_TO_SP, "power", "secret").await, None);
}

#[test]
fn a_password_that_does_not_fit_is_said_at_once() {
    let runtime = tokio::runtime::Builder::new_current_thread().build().unwrap();
    runtime.block_on(async {
        let clock = Clock::system();
        let (pipes, _) = mpsc::unbounded_channel();
        let outbox = MemoryOutbox::new(&clock);
        let started =
            start(config("power", ""), Secret::new("seventeen octets!"), outbox, Pipes(pipes), clock, Seed(1));
        let error = started.err().unwrap().to_string();
        assert!(error.contains("`secret`") && !error.contains("seventeen"), "{error}");
    });
}
