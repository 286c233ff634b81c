//! The SGIP gateway through its sockets, with a plain client made of the codec, and a listener for the reverse connection. Time stands
//! still unless a test moves it.

#![expect(clippy::unwrap_used, clippy::panic, reason = "a test that cannot be set up has failed")]

use std::time::Duration;

use bytes::BytesMut;
use gridbell_clock::Clock;
use gridbell_model::{Date, Moment};
use gridbell_sgip::{
    Bind, Decoder, Disposition, Frame, LoginType, MsgFmt, Octets, Outcome, Password, Pdu, Report, ReportFlag, Response,
    Sequence, Submit, number, text,
};
use gridbell_simulators::sgip::{Account, CodeWeight, Config, Faults, Gateway, Mo, ResultFault};
use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::{TcpListener, TcpStream};

fn noon() -> Moment {
    Date::from_ymd(2026, 11, 22).unwrap().at(12, 0).moment()
}

async fn gateway(account: Account, faults: Faults) -> (Gateway, Clock) {
    let clock = Clock::manual(noon());
    let config = Config { faults, seed: 7, ..Config::with_account(account) };
    let gateway = Gateway::start(config, clock.clone(), "127.0.0.1:0".parse().unwrap()).await.unwrap();
    (gateway, clock)
}

/// An account whose reverse connection comes to the listener.
async fn reversed(account: Account) -> (Account, TcpListener) {
    let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
    (Account { reverse: Some(listener.local_addr().unwrap()), ..account }, listener)
}

/// Lets the second go by for which the gateway pauses, once it does.
async fn a_second(clock: &Clock) {
    let pause = Duration::from_secs(1);
    while clock.next_waiter().is_none_or(|due| due > clock.monotonic() + pause) {
        tokio::task::yield_now().await;
    }
    clock.advance(pause);
}

struct Client {
    stream: TcpStream,
    buffer: BytesMut,
    counter: u32,
}

impl Client {
    fn of(stream: TcpStream) -> Self {
        Self { stream, buffer: BytesMut::new(), counter: 0 }
    }

    async fn bind_as(gateway: &Gateway, login_type: LoginType, name: &str, password: &str) -> (Self, u8) {
        let mut client = Self::of(TcpStream::connect(gateway.addr()).await.unwrap());
        let name = Octets::new("name", name).unwrap();
        let password = Password::new(password).unwrap();
        let sequence = client.send(&Pdu::Bind(Bind { login_type, name, password, reserve: Octets::EMPTY })).await;
        match client.next().await.unwrap() {
            Frame { sequence: answered, pdu: Pdu::BindResp(response) } if answered == sequence => {
                (client, response.result)
            }
            other => panic!("{other:?}"),
        }
    }

    async fn bind(gateway: &Gateway) -> Self {
        let (client, result) = Self::bind_as(gateway, LoginType::SP_TO_SMG, "power", "secret").await;
        assert_eq!(result, 0);
        client
    }

    /// The next reverse connection, bound.
    async fn reverse(listener: &TcpListener) -> Self {
        let mut client = Self::of(listener.accept().await.unwrap().0);
        match client.next().await.unwrap() {
            Frame { sequence, pdu: Pdu::Bind(bind) } => {
                assert_eq!((bind.login_type, &*bind.name.text()), (LoginType::SMG_TO_SP, "power"));
                assert!(bind.password.is(&Password::new("secret").unwrap()));
                client.send_as(sequence, &Pdu::BindResp(Response::new(0))).await;
            }
            other => panic!("{other:?}"),
        }
        client
    }

    fn sequence(&mut self) -> Sequence {
        self.counter += 1;
        Sequence { node: 3_037_112_345, stamp: 1_122_120_000, counter: self.counter }
    }

    async fn send(&mut self, pdu: &Pdu) -> Sequence {
        let sequence = self.sequence();
        self.send_as(sequence, pdu).await;
        sequence
    }

    async fn send_as(&mut self, sequence: Sequence, pdu: &Pdu) {
        let mut octets = BytesMut::new();
        pdu.encode(sequence, &mut octets).unwrap();
        self.stream.write_all(&octets).await.unwrap();
    }

    /// All in one write, so that the gateway cannot answer between them; the results.
    async fn submit_all(&mut self, submits: Vec<Submit>) -> Vec<u8> {
        let mut octets = BytesMut::new();
        let count = submits.len();
        for submit in submits {
            Pdu::Submit(submit).encode(self.sequence(), &mut octets).unwrap();
        }
        self.stream.write_all(&octets).await.unwrap();
        let mut results = Vec::new();
        for _ in 0..count {
            match self.next().await.unwrap().pdu {
                Pdu::SubmitResp(response) => results.push(response.result),
                other => panic!("{other:?}"),
            }
        }
        results
    }

    /// The next PDU, or none at the end of the stream.
    async fn next(&mut self) -> Option<Frame> {
        loop {
            if let Some(frame) = Decoder::new().decode(&mut self.buffer).unwrap() {
                return Some(frame);
            }
            match self.stream.read_buf(&mut self.buffer).await {
                Ok(0) | Err(_) => return None,
                Ok(_) => {}
            }
        }
    }

    async fn submit(&mut self, submit: Submit) -> (Sequence, u8) {
        let sequence = self.send(&Pdu::Submit(submit)).await;
        match self.next().await.unwrap() {
            Frame { sequence: answered, pdu: Pdu::SubmitResp(response) } if answered == sequence => {
                (sequence, response.result)
            }
            other => panic!("{other:?}"),
        }
    }

    /// The next report, answered with `result`.
    async fn report(&mut self, result: u8) -> Report {
        match self.next().await.unwrap() {
            Frame { sequence, pdu: Pdu::Report(report) } => {
                self.send_as(sequence, &Pdu::ReportResp(Response::new(result))).await;
                report
            }
            other => panic!("{other:?}"),
        }
    }
}

fn long(to: &[&str], words: &str) -> Vec<Submit> {
    let submit = |part: text::Part| Submit {
        sp_number: Octets::new("test", "1065512345").unwrap(),
        users: to.iter().map(|to| number::user(to).unwrap()).collect(),
        corp_id: Octets::new("test", "12345").unwrap(),
        service_type: Octets::new("test", "POWER").unwrap(),
        report_flag: ReportFlag::ALWAYS,
        tp_udhi: part.udhi,
        coding: MsgFmt::UCS2,
        content: part.content,
        ..Submit::default()
    };
    text::split(words, 9).unwrap().into_iter().map(submit).collect()
}

fn message(to: &str) -> Submit {
    long(&[to], "停电通知").remove(0)
}

#[tokio::test]
async fn logins_are_checked_and_counted() {
    let (gateway, _clock) = gateway(Account { max_connections: 1, ..Account::default() }, Faults::default()).await;
    for (kind, name, password, result) in [
        (LoginType::SP_TO_SMG, "power", "wrong", 1),
        (LoginType::SP_TO_SMG, "nobody", "secret", 1),
        (LoginType::SMG_TO_SP, "power", "secret", 4),
    ] {
        let (mut client, refused) = Client::bind_as(&gateway, kind, name, password).await;
        assert_eq!(refused, result);
        assert_eq!(client.next().await, None);
    }
    let mut client = Client::bind(&gateway).await;
    assert_eq!(Client::bind_as(&gateway, LoginType::SP_TO_SMG, "power", "secret").await.1, 3);
    client.send(&Pdu::Unbind).await;
    assert_eq!(client.next().await.unwrap().pdu, Pdu::UnbindResp);
    assert_eq!(client.next().await, None);
    gateway.wait_until(|stats| stats.account("power").open == 0).await;
    Client::bind(&gateway).await;
    let stats = gateway.stats();
    assert_eq!(stats.logins_refused.into_iter().collect::<Vec<_>>(), [(1, 2), (3, 1), (4, 1)]);
}

#[tokio::test]
async fn what_comes_before_a_login_and_octets_out_of_step_end_a_connection() {
    let (gateway, _clock) = gateway(Account::default(), Faults::default()).await;
    let mut client = Client::of(TcpStream::connect(gateway.addr()).await.unwrap());
    client.send(&Pdu::Submit(message("13000001234"))).await;
    assert_eq!(client.next().await, None);
    let mut client = Client::bind(&gateway).await;
    client.stream.write_all(&[0xff; 20]).await.unwrap();
    assert_eq!(client.next().await, None);
    assert_eq!(gateway.stats().protocol_errors, 2);
}

#[tokio::test]
async fn a_long_message_to_several_is_answered_logged_and_reported_on_the_reverse_connection() {
    let (account, listener) = reversed(Account::default()).await;
    let (gateway, _clock) = gateway(account, Faults::default()).await;
    let mut client = Client::bind(&gateway).await;
    let words = "截至今日，您家电费余额不足💡，请及时缴费。".repeat(4);
    let mut sequences = Vec::new();
    for submit in long(&["13000001234", "13100005678"], &words) {
        let (sequence, result) = client.submit(submit).await;
        assert_eq!(result, 0);
        sequences.push(sequence);
    }
    assert_eq!(sequences.len(), 2);
    let log = gateway.log_since(0);
    assert_eq!(log.len(), 4);
    let first: String =
        log.iter().filter(|entry| entry.destination == "8613000001234").map(|entry| &*entry.text).collect();
    assert_eq!(first, words);
    assert_eq!((log[0].part, log[2].part, log[0].reference), (Some((2, 1)), Some((2, 2)), Some(9)));
    assert_eq!(log[0].msg_id, sequences[0].to_string());

    let mut reverse = Client::reverse(&listener).await;
    let mut reported = Vec::new();
    for _ in 0..4 {
        let report = reverse.report(0).await;
        assert_eq!(report.outcome(&[]), Outcome::Delivered);
        reported.push((report.submit, report.user.expose_text().into_owned()));
    }
    let expected = sequences
        .iter()
        .flat_map(|sequence| ["8613000001234", "8613100005678"].map(|user| (*sequence, user.to_owned())));
    assert_eq!(reported, expected.collect::<Vec<_>>());
    let stats = gateway.wait_until(|stats| stats.account("power").delivers_acknowledged == 4).await.account("power");
    assert_eq!((stats.parts_accepted, stats.delivers_queued, stats.reverse_logins), (4, 0, 1));
}

#[tokio::test]
async fn reports_wait_for_a_reverse_connection_and_come_again_until_they_are_taken() {
    let (account, listener) = reversed(Account::default()).await;
    let (gateway, clock) = gateway(account, Faults::default()).await;
    let mut client = Client::bind(&gateway).await;
    let (sequence, _) = client.submit(message("13000001234")).await;
    // The client's side refuses the bind: nothing is lost.
    let mut refused = Client::of(listener.accept().await.unwrap().0);
    let bind = refused.next().await.unwrap();
    refused.send_as(bind.sequence, &Pdu::BindResp(Response::new(1))).await;
    assert_eq!(refused.next().await, None);
    gateway.wait_until(|stats| stats.account("power").reverse_failed == 1).await;
    a_second(&clock).await;
    // It breaks before the report is answered: the report comes again on the next one.
    let mut broken = Client::reverse(&listener).await;
    assert!(matches!(broken.next().await.unwrap().pdu, Pdu::Report(report) if report.submit == sequence));
    drop(broken);
    let mut reverse = Client::reverse(&listener).await;
    // Refused once, it is offered again after the pause.
    assert_eq!(reverse.report(11).await.submit, sequence);
    a_second(&clock).await;
    assert_eq!(reverse.report(0).await.submit, sequence);
    gateway.wait_until(|stats| stats.account("power").delivers_queued == 0).await;
}

#[tokio::test]
async fn an_idle_connection_is_closed_since_there_is_no_heartbeat() {
    let (gateway, clock) = gateway(Account::default(), Faults::default()).await;
    let mut client = Client::bind(&gateway).await;
    client.submit(message("13000001234")).await;
    clock.advance(Duration::from_secs(60));
    assert_eq!(client.next().await.unwrap().pdu, Pdu::Unbind);
    assert_eq!(client.next().await, None);
}

#[tokio::test]
async fn inbound_messages_come_on_the_reverse_connection_whole() {
    let (account, listener) = reversed(Account::default()).await;
    let (gateway, _clock) = gateway(account, Faults::default()).await;
    let words = "我家没有停电，请核实。".repeat(10);
    let mo = |account: &str| Mo {
        account: account.into(),
        from: "13000001234".into(),
        to: "1065512345".into(),
        text: words.clone(),
    };
    assert_eq!(gateway.inject_mo(&mo("power")).unwrap(), 2);
    assert!(gateway.inject_mo(&mo("nobody")).is_err());
    let mut reverse = Client::reverse(&listener).await;
    let mut read = String::new();
    for number in 1..=2 {
        let frame = reverse.next().await.unwrap();
        let Pdu::Deliver(deliver) = frame.pdu else { panic!("{frame:?}") };
        reverse.send_as(frame.sequence, &Pdu::DeliverResp(Response::new(0))).await;
        assert_eq!((&*deliver.user.expose_text(), &*deliver.sp_number.text()), ("8613000001234", "1065512345"));
        let (header, octets) = text::split_header(&deliver.content);
        assert_eq!(header.map(|part| (part.total, part.number)), Some((2, number)));
        read += &text::decode(deliver.coding, octets).text;
    }
    assert_eq!(read, words);
}

#[tokio::test]
async fn the_grant_and_the_window_are_enforced_with_node_busy() {
    let account = Account { rate: 3, window: 5, ..Account::default() };
    let (gateway, clock) = gateway(account, Faults::default()).await;
    let mut client = Client::bind(&gateway).await;
    let four = || vec![message("13000001234"); 4];
    assert_eq!(client.submit_all(four()).await, [0, 0, 0, 11]);
    clock.advance(Duration::from_millis(999));
    assert_eq!(client.submit_all(four()).await, [11; 4]);
    clock.advance(Duration::from_millis(1));
    // A submit to two counts as two.
    let two = long(&["13000001234", "13100005678"], "停电").remove(0);
    assert_eq!(client.submit_all(vec![two.clone(), two]).await, [0, 11]);
    let stats = gateway.stats().account("power");
    assert_eq!((stats.rate_violations, stats.window_violations), (6, 0));
    clock.advance(Duration::from_secs(2));
    assert_eq!(client.submit_all(vec![message("13000001234"); 7]).await, [0, 0, 0, 11, 11, 11, 11]);
    assert_eq!(gateway.stats().account("power").window_violations, 2);
}

#[tokio::test]
async fn submits_are_refused_with_the_protocols_codes() {
    let (gateway, _clock) =
        gateway(Account { rate: 0, src_prefix: "10655".into(), ..Account::default() }, Faults::default()).await;
    let mut client = Client::bind(&gateway).await;
    let good = message("13000001234");
    let bare = gridbell_sgip::Number::new("test", "13000001234").unwrap();
    let content = gridbell_sgip::Content::new(vec![0; 141]).unwrap();
    for (submit, result) in [
        (good.clone(), 0),
        (Submit { users: vec![bare], ..good.clone() }, 6),
        (Submit { content, ..good.clone() }, 8),
        (Submit { sp_number: Octets::new("test", "95598").unwrap(), ..good.clone() }, 5),
        (Submit { priority: 10, ..good.clone() }, 5),
    ] {
        assert_eq!(client.submit(submit).await.1, result);
    }
    // The same sequence again.
    let sequence = client.send(&Pdu::Submit(good.clone())).await;
    client.next().await.unwrap();
    client.send_as(sequence, &Pdu::Submit(good)).await;
    assert_eq!(client.next().await.unwrap().pdu, Pdu::SubmitResp(Response::new(9)));
    // A malformed one is answered too, and the next is read.
    let mut octets = BytesMut::new();
    Pdu::Submit(message("13000001234")).encode(client.sequence(), &mut octets).unwrap();
    octets[20 + 42] = 0;
    client.stream.write_all(&octets).await.unwrap();
    assert_eq!(client.next().await.unwrap().pdu, Pdu::SubmitResp(Response::new(5)));
    assert_eq!(client.submit(message("13000001234")).await.1, 0);
}

#[tokio::test]
async fn faults_are_made_as_asked() {
    let faults = Faults {
        failure_share: 1.0,
        failure_codes: vec![CodeWeight { code: 27, weight: 1 }],
        report_pending: 1.0,
        report_repeat: 1.0,
        report_delay_ms: (500, 500),
        ..Faults::default()
    };
    let (account, listener) = reversed(Account { rate: 0, ..Account::default() }).await;
    let (gateway, clock) = gateway(account, faults.clone()).await;
    let mut client = Client::bind(&gateway).await;
    client.submit(message("13000001234")).await;
    clock.advance(Duration::from_millis(500));
    let mut reverse = Client::reverse(&listener).await;
    let outcomes =
        [reverse.report(0).await, reverse.report(0).await, reverse.report(0).await].map(|report| report.outcome(&[]));
    let failed = Outcome::Failed(Disposition::NumberBad);
    assert_eq!(outcomes, [Outcome::Pending, failed, failed]);

    gateway
        .set_faults(Faults { report_lose: 1.0, results: vec![ResultFault { result: 33, probability: 1.0 }], ..faults })
        .unwrap();
    assert_eq!(client.submit(message("13000001234")).await.1, 33);
    gateway.set_faults(Faults { throttle: 1.0, ..Faults::default() }).unwrap();
    assert_eq!(client.submit(message("13000001234")).await.1, 11);
    gateway.set_faults(Faults { bad_number: 1.0, ..Faults::default() }).unwrap();
    assert_eq!(client.submit(message("13000001234")).await.1, 6);
    assert!(gateway.set_faults(Faults { throttle: 1.1, ..Faults::default() }).is_err());

    // Accepted, never answered; then accepted, and the line breaks.
    gateway.set_faults(Faults { lose_response: 1.0, ..Faults::default() }).unwrap();
    client.send(&Pdu::Submit(message("13000001234"))).await;
    gateway.wait_until(|stats| stats.account("power").responses_lost == 1).await;
    gateway.set_faults(Faults { drop_connection: 1.0, ..Faults::default() }).unwrap();
    client.send(&Pdu::Submit(message("13000001234"))).await;
    assert_eq!(client.next().await, None);
    assert_eq!(gateway.stats().account("power").parts_accepted, 3);
    gateway.set_faults(Faults { refuse_connections: true, ..Faults::default() }).unwrap();
    let mut client = Client::of(TcpStream::connect(gateway.addr()).await.unwrap());
    assert_eq!(client.next().await, None);
    drop(reverse);
    gateway.shutdown().await;
}
