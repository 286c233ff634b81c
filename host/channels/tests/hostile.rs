//! Links against gateways that break the rules, and against the specification's timers: pipes in place of sockets, a clock that stands
//! still in place of the machine's. One thread, so that "everybody has had a turn" is a matter of counting turns.

#![expect(clippy::unwrap_used, reason = "a test ends where its stage is not as built")]

mod support;

use std::io;
use std::sync::Arc;
use std::time::Duration;

use bytes::BytesMut;
use gridbell_channels::{AlarmKind, Anomaly, Connector, LinkHandle, LinkState, Outcome, Secret, start};
use gridbell_clock::{Clock, Seed};
use gridbell_cmpp::{
    Connect, ConnectResp, Content, Decoder, Deliver, Frame, MsgFmt, MsgId, Number, Octets, Pdu, Submit, SubmitResp,
    Version, auth,
};
use gridbell_model::Date;
use support::{MemoryOutbox, config};
use tokio::io::{AsyncReadExt, AsyncWriteExt, DuplexStream, duplex};
use tokio::sync::{Mutex, mpsc};

/// Octets that a pipe holds.
const PIPE: usize = 64 * 1024;
/// Turns after which every task of these tests has come to rest.
const TURNS: usize = 200;

/// Hundredths of a second that [`Stage::until`] lets pass before it gives up.
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
    clock: Clock,
    calls: Mutex<mpsc::UnboundedReceiver<DuplexStream>>,
}

impl Stage {
    fn new(more: &str) -> Self {
        let clock = Clock::manual(Date::from_ymd(2026, 11, 21).unwrap().at(12, 0).moment());
        let outbox = MemoryOutbox::new(&clock);
        let (pipes, calls) = mpsc::unbounded_channel();
        let config = config("gateway:7890", more);
        let link =
            start(config, Secret::new("secret"), Arc::clone(&outbox), Pipes(pipes), clock.clone(), Seed(1)).unwrap();
        Self { outbox, link, clock, calls: Mutex::new(calls) }
    }

    /// The next connection, not logged in. Time passes until it comes.
    async fn call(&self) -> Gateway {
        let mut calls = self.calls.lock().await;
        loop {
            rest().await;
            if let Ok(stream) = calls.try_recv() {
                return Gateway { stream, input: BytesMut::new(), version: Version::V3_0 };
            }
            self.clock.advance(Duration::from_millis(100));
        }
    }

    /// The next connection, logged in.
    async fn gateway(&self) -> Gateway {
        let mut gateway = self.call().await;
        gateway.accept(|resp| resp).await;
        rest().await;
        gateway
    }

    async fn pass(&self, seconds: u64) {
        self.clock.advance(Duration::from_secs(seconds));
        rest().await;
    }

    /// Lets time pass until `holds`.
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
    version: Version,
}

impl Gateway {
    async fn accept(&mut self, change: impl FnOnce(ConnectResp) -> ConnectResp) -> Connect {
        let Frame { sequence, pdu: Pdu::Connect(connect) } = self.hear().await.unwrap() else {
            panic!("something before the login");
        };
        let authenticator = auth::ismg(0, &connect.authenticator, b"secret", self.version);
        let resp = ConnectResp { status: 0, authenticator, version: self.version.octet() };
        self.say(sequence, Pdu::ConnectResp(change(resp))).await;
        connect
    }

    /// The next PDU; none at the end.
    async fn hear(&mut self) -> Option<Frame> {
        let decoder = Decoder::new(self.version);
        loop {
            if let Some(frame) = decoder.decode(&mut self.input).unwrap() {
                return Some(frame);
            }
            if self.stream.read_buf(&mut self.input).await.unwrap() == 0 {
                return None;
            }
        }
    }

    async fn hear_submit(&mut self) -> (u32, Submit) {
        match self.hear().await {
            Some(Frame { sequence, pdu: Pdu::Submit(submit) }) => (sequence, submit),
            other => panic!("no SUBMIT but {other:?}"),
        }
    }

    async fn say(&mut self, sequence: u32, pdu: Pdu) {
        let mut output = BytesMut::new();
        pdu.encode(sequence, self.version, &mut output).unwrap();
        self.raw(&output).await;
    }

    async fn answer(&mut self, sequence: u32, id: u64, result: u32) {
        self.say(sequence, Pdu::SubmitResp(SubmitResp { msg_id: MsgId(id), result })).await;
    }

    async fn raw(&mut self, octets: &[u8]) {
        // A link that has hung up is no surprise here.
        let _ = self.stream.write_all(octets).await;
    }
}

fn mo(n: u64) -> Deliver {
    Deliver {
        msg_id: MsgId(n),
        dest_id: Octets::new("d", "95598").unwrap(),
        src_terminal: Number::new("s", "13812341234").unwrap(),
        msg_fmt: MsgFmt::ASCII,
        content: Content::new(&b"TD"[..]).unwrap(),
        ..Deliver::default()
    }
}

#[tokio::test]
async fn a_gateway_that_cannot_prove_itself_gets_nothing() {
    let stage = Stage::new("");
    stage.outbox.put("13812341234", "短信");
    let mut gateway = stage.call().await;
    gateway.accept(|resp| ConnectResp { authenticator: [7; 16], ..resp }).await;
    let status = stage.link.wait_for(|status| status.state == LinkState::Stopped).await;
    assert_eq!(status.alarms[0].kind, AlarmKind::GatewayNotGenuine);
    assert_eq!(gateway.hear().await, None);
    assert!(stage.outbox.events().is_empty());
}

#[tokio::test]
async fn the_login_proves_the_secret_at_the_time_it_names() {
    let stage = Stage::new("");
    let connect = stage.call().await.accept(|resp| resp).await;
    assert_eq!(connect.timestamp / 100_000, 11_211, "November 21st, in the morning hours' tens");
    assert_eq!(connect.authenticator, auth::source_of_number(b"901234", b"secret", connect.timestamp));
    assert_eq!((connect.version, connect.sp_id.as_bytes()), (0x30, &b"901234"[..]));
}

#[tokio::test]
async fn heartbeats_come_after_three_minutes_and_three_unanswered_end_the_connection() {
    let stage = Stage::new("");
    let mut gateway = stage.gateway().await;
    stage.pass(180).await;
    let first = gateway.hear().await.unwrap();
    assert_eq!(first.pdu, Pdu::ActiveTest);
    gateway.say(first.sequence, Pdu::ActiveTestResp { reserved: 0 }).await;
    rest().await;
    // Answered: silence counts anew.
    for wait in [180, 60, 60] {
        stage.pass(wait).await;
        assert_eq!(gateway.hear().await.unwrap().pdu, Pdu::ActiveTest);
    }
    stage.pass(60).await;
    assert_eq!(gateway.hear().await, None);
    let mut next = stage.gateway().await;
    // And the link answers heartbeats itself.
    next.say(9, Pdu::ActiveTest).await;
    assert_eq!(next.hear().await, Some(Frame { sequence: 9, pdu: Pdu::ActiveTestResp { reserved: 0 } }));
}

#[tokio::test]
async fn an_answer_overdue_leaves_the_window_and_halts_it_until_the_gateway_speaks() {
    let stage = Stage::new("window = 1");
    let mut gateway = stage.gateway().await;
    let first = stage.outbox.put("13812341234", "一");
    stage.until(|stage| stage.link.status().window_used == 1).await;
    assert_eq!(gateway.hear_submit().await.1.destinations[0].expose(), b"13812341234");
    stage.outbox.put("13812341235", "二");
    stage.pass(60).await;
    assert_eq!(stage.outbox.answers()[0].message, first);
    assert_eq!(stage.outbox.answers()[0].outcome, Outcome::Unanswered { again: true });
    // Not another SUBMIT but a question whether anybody is there.
    let probe = gateway.hear().await.unwrap();
    assert_eq!(probe.pdu, Pdu::ActiveTest);
    gateway.say(probe.sequence, Pdu::ActiveTestResp { reserved: 0 }).await;
    stage.until(|stage| stage.link.status().window_used == 1).await;
    gateway.hear_submit().await;
    assert_eq!(stage.anomaly(Anomaly::NoAnswer), 1);
}

#[tokio::test]
async fn an_answer_that_comes_late_is_told_once_with_its_number() {
    let stage = Stage::new("window = 2");
    let mut gateway = stage.gateway().await;
    let first = stage.outbox.put("13812341234", "一");
    stage.outbox.put("13812341235", "二");
    stage.until(|stage| stage.link.status().window_used == 2).await;
    let (kept, refused) = (gateway.hear_submit().await.0, gateway.hear_submit().await.0);
    stage.pass(60).await;
    assert_eq!(stage.outbox.answers().len(), 2, "both are told as unanswered");
    for _ in 0..2 {
        gateway.answer(kept, 7, 0).await;
        gateway.answer(refused, 0, 8).await;
    }
    stage.until(|stage| stage.outbox.answers().len() > 2).await;
    let late = &stage.outbox.answers()[2];
    assert_eq!((late.message, late.part, &late.outcome), (first, 1, &Outcome::Late { key: 7.into() }));
    // A late no changes nothing, the same answers again are answers to nothing.
    stage.until(|stage| stage.anomaly(Anomaly::UnknownAnswer) == 2).await;
    assert_eq!(stage.outbox.answers().len(), 3);
}

#[tokio::test]
async fn answers_to_nothing_are_counted_and_change_nothing() {
    let stage = Stage::new("");
    let mut gateway = stage.gateway().await;
    gateway.answer(77, 1, 0).await;
    stage.outbox.put("13812341234", "短信");
    stage.until(|stage| stage.link.status().window_used == 1).await;
    let (sequence, _) = gateway.hear_submit().await;
    gateway.answer(sequence + 1, 2, 0).await;
    gateway.answer(sequence, 3, 0).await;
    gateway.answer(sequence, 4, 8).await;
    stage.until(|stage| stage.anomaly(Anomaly::UnknownAnswer) == 3).await;
    let outcomes: Vec<_> = stage.outbox.answers().into_iter().map(|answer| answer.outcome).collect();
    assert_eq!(outcomes, [Outcome::Accepted { key: 3.into() }]);
}

#[tokio::test]
async fn octets_that_are_no_pdus_end_the_connection_and_the_next_one_works() {
    for nonsense in [
        &b"HTTP/1.1 400 Bad Request\r\n\r\n"[..],
        &[0xff; 64],
        &[0, 0, 0, 3, 0, 0, 0, 8],
        &u32::MAX.to_be_bytes(),
        &[0, 0, 0x10, 1, 0, 0, 0, 5],
    ] {
        let stage = Stage::new("");
        let mut gateway = stage.gateway().await;
        gateway.raw(nonsense).await;
        assert_eq!(gateway.hear().await, None);
        assert_eq!(stage.anomaly(Anomaly::OutOfStep), 1);
        // Before the login too.
        stage.call().await.raw(nonsense).await;
        let mut gateway = stage.gateway().await;
        stage.outbox.put("13812341234", "短信");
        stage.until(|stage| stage.link.status().window_used == 1).await;
        gateway.hear_submit().await;
    }
}

#[tokio::test]
async fn a_connection_that_ends_inside_a_pdu_leaves_what_was_written_unanswered() {
    let stage = Stage::new("");
    let mut gateway = stage.gateway().await;
    for _ in 0..3 {
        stage.outbox.put("13812341234", "短信");
    }
    stage.until(|stage| stage.link.status().window_used == 3).await;
    let (sequence, _) = gateway.hear_submit().await;
    gateway.answer(sequence, 1, 0).await;
    gateway.raw(&[0, 0, 0, 24, 0x80, 0]).await;
    drop(gateway);
    stage.until(|stage| stage.outbox.in_hand() == 0).await;
    let outcomes: Vec<_> = stage.outbox.answers().into_iter().map(|answer| answer.outcome).collect();
    let unanswered = Outcome::Unanswered { again: true };
    assert_eq!(outcomes, [Outcome::Accepted { key: 1.into() }, unanswered.clone(), unanswered]);
}

#[tokio::test]
async fn what_the_pipe_did_not_take_was_not_sent() {
    // A pipe of 64 KiB and a window that does not fit it: the rest never left.
    let stage = Stage::new("window = 4096\ncommit-group = 4096");
    let gateway = stage.gateway().await;
    let text = "【国网山西电力】截至2月13日，您家电费余额为19.53元。";
    for _ in 0..2_000 {
        stage.outbox.put("13812341234", text);
    }
    stage.until(|stage| stage.link.status().window_used > 0).await;
    drop(gateway);
    stage.until(|stage| stage.outbox.in_hand() == 0).await;
    let unanswered = stage.outbox.answers().len();
    // A header, a body of 3.0 and its text; a PDU cut in half was not sent.
    let octets = 12 + 151 + 32 + 2 * text.encode_utf16().count();
    assert_eq!(unanswered, PIPE / octets);
    assert_eq!(stage.outbox.released().len(), 2_000 - unanswered);
}

#[tokio::test]
async fn malformed_pdus_are_refused_and_too_many_end_the_connection() {
    let stage = Stage::new("");
    let mut gateway = stage.gateway().await;
    // A DELIVER of one octet.
    gateway.raw(&[0, 0, 0, 13, 0, 0, 0, 5, 0, 0, 0, 9, 1]).await;
    let answer = gateway.hear().await.unwrap();
    assert!(matches!(answer, Frame { sequence: 9, pdu: Pdu::DeliverResp(resp) } if resp.result == 4), "{answer:?}");
    // Command words of nobody.
    for _ in 0..100 {
        gateway.raw(&[0, 0, 0, 12, 0, 0, 0, 99, 0, 0, 0, 1]).await;
    }
    assert_eq!(gateway.hear().await, None);
    assert_eq!(stage.anomaly(Anomaly::Malformed), 101);
}

#[tokio::test]
async fn what_a_gateway_does_not_send_is_counted() {
    let stage = Stage::new("");
    let mut gateway = stage.gateway().await;
    gateway.say(1, Pdu::Connect(Connect::default())).await;
    gateway.say(2, Pdu::TerminateResp).await;
    let report = Deliver { registered_delivery: 1, ..mo(5) };
    gateway.say(3, Pdu::Deliver(report)).await;
    let Some(Frame { sequence: 3, pdu: Pdu::DeliverResp(resp) }) = gateway.hear().await else {
        panic!("no answer");
    };
    assert_eq!((resp.msg_id, resp.result), (MsgId(5), 1));
    assert_eq!((stage.anomaly(Anomaly::Unexpected), stage.anomaly(Anomaly::BadReport)), (2, 1));
    assert_eq!(stage.link.status().state, LinkState::Up);
}

#[tokio::test]
async fn one_octet_at_a_time_is_understood() {
    let stage = Stage::new("");
    let mut gateway = stage.gateway().await;
    let mut octets = BytesMut::new();
    Pdu::Deliver(mo(1)).encode(4, Version::V3_0, &mut octets).unwrap();
    for octet in octets {
        gateway.raw(&[octet]).await;
        rest().await;
    }
    assert!(matches!(gateway.hear().await, Some(Frame { sequence: 4, pdu: Pdu::DeliverResp(_) })));
    assert_eq!(stage.outbox.inbox()[0].text, "TD");
}

#[tokio::test]
async fn a_flood_is_held_back_while_the_outbox_is_slow() {
    let stage = Stage::new("");
    let mut gateway = stage.gateway().await;
    stage.outbox.gate.send_replace(true);
    let mut pushed = 0_u64;
    let mut octets = BytesMut::new();
    Pdu::Deliver(mo(1)).encode(1, Version::V3_0, &mut octets).unwrap();
    // Push until nothing is taken any more.
    loop {
        rest().await;
        let taken = tokio::select! {
            biased;
            () = gateway.raw(&octets) => true,
            () = rest() => false,
        };
        if !taken {
            break;
        }
        pushed += 1;
    }
    // What the link holds, what its reader and the pipe hold.
    let bound = 4096 + (2 * PIPE + 128 * 1024) / octets.len();
    assert!(pushed > 4096 && pushed < bound as u64, "{pushed}");
    stage.outbox.gate.send_replace(false);
    rest().await;
    assert!(stage.outbox.inbox().len() as u64 >= pushed);
}

#[tokio::test]
async fn a_long_message_that_stays_incomplete_is_given_out_and_acknowledged_in_time() {
    let stage = Stage::new("");
    let mut gateway = stage.gateway().await;
    let part = Deliver {
        tp_udhi: 1,
        msg_fmt: MsgFmt::UCS2,
        content: Content::new(vec![5, 0, 3, 9, 2, 1, 0x90, 0x00, 0x8b, 0xa2]).unwrap(),
        ..mo(8)
    };
    gateway.say(4, Pdu::Deliver(part)).await;
    rest().await;
    stage.pass(29).await;
    assert!(stage.outbox.inbox().is_empty());
    stage.pass(2).await;
    assert!(matches!(gateway.hear().await, Some(Frame { sequence: 4, pdu: Pdu::DeliverResp(_) })));
    let inbound = stage.outbox.inbox().remove(0);
    assert_eq!((inbound.text.as_str(), inbound.exact, inbound.key), ("退订", false, 8.into()));
}

#[tokio::test]
async fn a_gateway_that_says_goodbye_is_answered_and_called_again() {
    let stage = Stage::new("");
    let mut gateway = stage.gateway().await;
    gateway.say(5, Pdu::Terminate).await;
    assert_eq!(gateway.hear().await, Some(Frame { sequence: 5, pdu: Pdu::TerminateResp }));
    assert_eq!(gateway.hear().await, None);
    stage.gateway().await;
    stage.until(|stage| stage.link.status().counts.logins == 2).await;
}

#[tokio::test]
async fn a_silent_gateway_is_unreachable_after_three_tries_and_tries_grow_apart() {
    let stage = Stage::new("");
    let mut silent = Vec::new();
    let mut calls = Vec::new();
    for _ in 0..4 {
        silent.push(stage.call().await);
        calls.push(stage.clock.monotonic());
        stage.pass(60).await;
    }
    let waits: Vec<_> = calls.windows(2).map(|pair| pair[1] - pair[0] - Duration::from_secs(60)).collect();
    assert!(waits[0] < waits[1] && waits[1] < waits[2], "{waits:?}");
    assert_eq!(stage.link.status().alarms[0].kind, AlarmKind::Unreachable);
    // It comes right by itself.
    stage.gateway().await;
    assert!(stage.link.status().alarms.is_empty());
}

#[tokio::test]
async fn intents_that_wait_too_long_are_checked_again() {
    let stage = Stage::new("window = 1");
    let mut gateway = stage.gateway().await;
    stage.outbox.put("13812341234", "一");
    stage.until(|stage| stage.link.status().window_used == 1).await;
    let (sequence, _) = gateway.hear_submit().await;
    let paid = stage.outbox.put("13812341235", "二");
    stage.pass(1).await;
    assert_eq!(stage.outbox.in_hand(), 2);
    stage.outbox.withdraw(&[paid]);
    stage.pass(6).await;
    stage.pass(1).await;
    gateway.answer(sequence, 1, 0).await;
    stage.until(|stage| stage.outbox.in_hand() == 0).await;
    assert_eq!(stage.link.status().counts.sent, 1, "paid while it waited");
}

#[tokio::test]
async fn an_emergency_stop_of_a_topic_takes_back_what_is_not_written() {
    let stage = Stage::new("window = 1");
    let mut gateway = stage.gateway().await;
    let ids: Vec<_> = (0..20).map(|_| stage.outbox.put("13812341234", "短信")).collect();
    stage.until(|stage| stage.link.status().window_used == 1).await;
    let (sequence, _) = gateway.hear_submit().await;
    stage.outbox.withdraw(&ids[10..]);
    stage.link.give_back();
    gateway.answer(sequence, 1, 0).await;
    for n in 1..10 {
        stage.until(|stage| stage.link.status().window_used == 1).await;
        let (sequence, _) = gateway.hear_submit().await;
        gateway.answer(sequence, n + 1, 0).await;
        stage.until(|stage| stage.outbox.accepted() as u64 == n + 1).await;
    }
    stage.until(|stage| stage.outbox.in_hand() == 0).await;
    assert_eq!(stage.link.status().counts.sent, 10);
}

#[tokio::test]
async fn what_expired_in_the_queue_is_given_back_and_validity_is_told_to_the_carrier() {
    let stage = Stage::new("window = 1");
    let mut gateway = stage.gateway().await;
    let soon = stage.clock.now().plus_ms(3_000);
    stage.outbox.put_as("13812341234", "一", |m| m.valid_until = Some(soon));
    stage.until(|stage| stage.link.status().window_used == 1).await;
    let (sequence, submit) = gateway.hear_submit().await;
    assert_eq!(submit.valid_time.as_bytes(), b"261121120003032+");
    let late = stage.outbox.put_as("13812341235", "二", |m| m.valid_until = Some(soon));
    stage.pass(1).await;
    stage.pass(3).await;
    gateway.answer(sequence, 1, 0).await;
    stage.until(|stage| stage.outbox.released().iter().any(|unsent| unsent.message == late)).await;
    assert_eq!(stage.link.status().counts.sent, 1);
}

#[tokio::test]
async fn sixteen_faults_of_ours_in_a_row_stop_the_link_before_the_day_is_thrown_away() {
    let stage = Stage::new("window = 1");
    let mut gateway = stage.gateway().await;
    for _ in 0..40 {
        stage.outbox.put("13812341234", "短信");
    }
    for _ in 0..16 {
        stage.until(|stage| stage.link.status().window_used == 1).await;
        let (sequence, _) = gateway.hear_submit().await;
        gateway.answer(sequence, 0, 4).await;
        rest().await;
    }
    stage.until(|stage| stage.outbox.in_hand() == 0).await;
    let status = stage.link.status();
    assert_eq!((status.state, status.counts.refused), (LinkState::Stopped, 16));
    assert!(status.alarms.iter().any(|alarm| alarm.kind == AlarmKind::OurFault { code: 4 }));
}

#[tokio::test]
async fn a_drain_ends_in_time_even_if_nobody_answers() {
    let stage = Stage::new("timers = { drain-s = 20 }");
    let mut gateway = stage.gateway().await;
    stage.outbox.put("13812341234", "短信");
    stage.until(|stage| stage.link.status().window_used == 1).await;
    gateway.hear_submit().await;
    stage.link.drain();
    rest().await;
    assert_eq!(stage.link.status().state, LinkState::Draining);
    stage.pass(20).await;
    assert_eq!(stage.link.status().state, LinkState::Closed);
    // It stays marked: the outbox was never told that it is safe.
    assert_eq!(stage.outbox.in_hand(), 1);
}
