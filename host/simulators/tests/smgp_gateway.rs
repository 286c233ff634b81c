//! The SMGP gateway through its socket, with a plain client made of the codec. Time stands still unless a test moves it.

#![expect(clippy::unwrap_used, clippy::panic, reason = "a test that cannot be set up has failed")]

use std::collections::BTreeSet;
use std::time::Duration;

use bytes::BytesMut;
use gridbell_clock::Clock;
use gridbell_model::{Date, Moment};
use gridbell_simulators::smgp::{Account, CodeWeight, Config, Faults, Gateway, Mo};
use gridbell_smgp::{
    Decoder, Deliver, Disposition, Frame, Login, LoginMode, LoginResp, MT, MsgFmt, MsgId, Number, Octets, Outcome, Pdu,
    Report, Response, Submit, Tlvs, VERSION, auth, text,
};
use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::TcpStream;

fn noon() -> Moment {
    Date::from_ymd(2026, 11, 22).unwrap().at(12, 0).moment()
}

async fn gateway(account: Account, faults: Faults) -> (Gateway, Clock) {
    let clock = Clock::manual(noon());
    let config = Config { faults, seed: 7, ..Config::with_account(account) };
    let gateway = Gateway::start(config, clock.clone(), "127.0.0.1:0".parse().unwrap()).await.unwrap();
    (gateway, clock)
}

struct Client {
    stream: TcpStream,
    buffer: BytesMut,
    sequence: u32,
}

impl Client {
    async fn open(gateway: &Gateway) -> Self {
        let stream = TcpStream::connect(gateway.addr()).await.unwrap();
        Self { stream, buffer: BytesMut::new(), sequence: 0 }
    }

    async fn try_login(gateway: &Gateway, login: Login, secret: &str) -> (Self, LoginResp) {
        let mut client = Self::open(gateway).await;
        let authenticator = auth::client(login.client_id.as_bytes(), secret.as_bytes(), login.timestamp);
        client.send(&Pdu::Login(Login { authenticator, ..login })).await;
        match client.next().await.unwrap().pdu {
            Pdu::LoginResp(response) => (client, response),
            other => panic!("{other:?}"),
        }
    }

    async fn login(gateway: &Gateway, mode: LoginMode) -> Self {
        let (client, response) = Self::try_login(gateway, login(mode), "secret").await;
        assert_eq!(response.status, 0);
        client
    }

    async fn send(&mut self, pdu: &Pdu) -> u32 {
        self.sequence += 1;
        self.send_as(self.sequence, pdu).await;
        self.sequence
    }

    async fn send_as(&mut self, sequence: u32, pdu: &Pdu) {
        let mut octets = BytesMut::new();
        pdu.encode(sequence, &mut octets).unwrap();
        self.stream.write_all(&octets).await.unwrap();
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

    async fn submit(&mut self, submit: Submit) -> Response {
        let sequence = self.send(&Pdu::Submit(submit)).await;
        match self.next().await.unwrap() {
            Frame { sequence: answered, pdu: Pdu::SubmitResp(response) } if answered == sequence => response,
            other => panic!("{other:?}"),
        }
    }

    /// The next deliver, answered.
    async fn deliver(&mut self) -> Deliver {
        match self.next().await.unwrap() {
            Frame { sequence, pdu: Pdu::Deliver(deliver) } => {
                let response = Response { msg_id: deliver.msg_id, status: 0 };
                self.send_as(sequence, &Pdu::DeliverResp(response)).await;
                deliver
            }
            other => panic!("{other:?}"),
        }
    }

    async fn report(&mut self) -> Report {
        self.deliver().await.report().unwrap().unwrap()
    }

    /// Fails if anything else comes before the heartbeat's answer.
    async fn nothing_waits(&mut self) {
        let sequence = self.send(&Pdu::ActiveTest).await;
        assert_eq!(self.next().await, Some(Frame { sequence, pdu: Pdu::ActiveTestResp }));
    }
}

fn login(mode: LoginMode) -> Login {
    let client_id = Octets::new("test", "power").unwrap();
    Login { client_id, mode, timestamp: 1_122_120_000, version: VERSION, ..Login::default() }
}

fn long(to: &[&str], words: &str) -> Vec<Submit> {
    let submit = |part: text::Part| Submit {
        msg_type: MT,
        need_report: 1,
        service_id: Octets::new("test", "POWER").unwrap(),
        msg_format: MsgFmt::UCS2,
        src_term: Octets::new("test", "1065912345").unwrap(),
        destinations: to.iter().map(|to| Number::new("test", to).unwrap()).collect(),
        tlvs: Tlvs::part(part.udhi, part.total, part.number).unwrap(),
        content: part.content,
        ..Submit::default()
    };
    text::split(words, 9).unwrap().into_iter().map(submit).collect()
}

fn message(to: &str) -> Submit {
    long(&[to], "停电通知").remove(0)
}

#[tokio::test]
async fn logins_are_proved_on_both_sides() {
    let (gateway, _clock) = gateway(Account { max_connections: 1, ..Account::default() }, Faults::default()).await;
    let stranger = Login { client_id: Octets::new("test", "nobody").unwrap(), ..login(LoginMode::BOTH) };
    let newer = Login { version: 0x40, ..login(LoginMode::BOTH) };
    for (login, secret, status) in [
        (login(LoginMode::BOTH), "wrong", 21),
        (stranger, "secret", 21),
        (newer, "secret", 22),
        (login(LoginMode(3)), "secret", 10),
    ] {
        let (mut client, response) = Client::try_login(&gateway, login, secret).await;
        assert_eq!(response.status, status);
        assert_eq!(client.next().await, None);
    }
    let (mut client, response) = Client::try_login(&gateway, login(LoginMode::BOTH), "secret").await;
    let source = auth::client(b"power", b"secret", 1_122_120_000);
    assert_eq!(response.authenticator, auth::server(0, &source, b"secret"));
    assert_eq!(Client::try_login(&gateway, login(LoginMode::BOTH), "secret").await.1.status, 2);
    client.send(&Pdu::Exit).await;
    assert_eq!(client.next().await.unwrap().pdu, Pdu::ExitResp);
    assert_eq!(client.next().await, None);
}

#[tokio::test]
async fn a_long_message_to_several_is_answered_logged_and_reported() {
    let (gateway, _clock) = gateway(Account::default(), Faults::default()).await;
    let mut client = Client::login(&gateway, LoginMode::BOTH).await;
    let words = "截至今日，您家电费余额不足💡，请及时缴费。".repeat(4);
    let mut ids = Vec::new();
    let mut reported = BTreeSet::new();
    for submit in long(&["13300001234", "18900005678"], &words) {
        let response = client.submit(submit).await;
        assert_eq!(response.status, 0);
        ids.push(response.msg_id);
        for _ in 0..2 {
            let deliver = client.deliver().await;
            let report = deliver.report().unwrap().unwrap();
            assert_eq!((deliver.content.len(), report.outcome(&[])), (122, Outcome::Delivered));
            assert_eq!(&*report.done_date.text(), "2611221200");
            reported.insert((report.msg_id, deliver.src_term.expose_text().into_owned()));
        }
    }
    let log = gateway.log_since(0);
    let first: String =
        log.iter().filter(|entry| entry.destination == "13300001234").map(|entry| &*entry.text).collect();
    assert_eq!(first, words);
    // Every part to every terminal has a number of its own, the first's is answered, and each is reported once.
    let logged: BTreeSet<_> = log.iter().map(|entry| (entry.msg_id.clone(), entry.destination.clone())).collect();
    assert_eq!(logged, reported.iter().map(|(id, to)| (id.to_string(), to.clone())).collect());
    assert_eq!(reported.iter().map(|(id, _)| *id).collect::<BTreeSet<MsgId>>().len(), 4);
    assert_eq!([log[0].msg_id.clone(), log[2].msg_id.clone()], [ids[0].to_string(), ids[1].to_string()]);
    client.nothing_waits().await;
}

#[tokio::test]
async fn a_connection_brings_what_its_login_mode_says_and_reports_wait_for_one() {
    let (gateway, _clock) = gateway(Account::default(), Faults::default()).await;
    let mut sender = Client::login(&gateway, LoginMode::SEND).await;
    let response = sender.submit(message("13300001234")).await;
    sender.nothing_waits().await;
    // It breaks before the report is answered: the report comes again on the next one.
    let mut broken = Client::login(&gateway, LoginMode::RECEIVE).await;
    assert!(matches!(broken.next().await.unwrap().pdu, Pdu::Deliver(_)));
    drop(broken);
    let mut receiver = Client::login(&gateway, LoginMode::RECEIVE).await;
    assert_eq!(receiver.report().await.msg_id, response.msg_id);
    assert_eq!(receiver.submit(message("13300001234")).await.status, 10);
    gateway.wait_until(|stats| stats.account("power").delivers_queued == 0).await;
}

#[tokio::test]
async fn the_grant_the_window_and_the_rules_are_enforced_with_the_protocols_codes() {
    let account = Account { rate: 2, src_prefix: "10659".into(), ..Account::default() };
    let (gateway, clock) = gateway(account, Faults::default()).await;
    let mut client = Client::login(&gateway, LoginMode::SEND).await;
    let good = message("13300001234");
    let statuses =
        [client.submit(good.clone()).await, client.submit(good.clone()).await, client.submit(good.clone()).await];
    assert_eq!(statuses.map(|response| response.status), [0, 0, 1]);
    clock.advance(Duration::from_secs(1));
    let number = |value: &str| vec![Number::new("test", value).unwrap()];
    let content = gridbell_smgp::Content::new(vec![0; 141]).unwrap();
    let disagreeing =
        Submit { tlvs: Tlvs::part(1, 3, 1).unwrap(), ..long(&["13300001234"], &"电".repeat(71)).remove(0) };
    for (submit, status) in [
        (Submit { destinations: number("95598"), ..good.clone() }, 47),
        (Submit { content, ..good.clone() }, 36),
        (Submit { src_term: Octets::new("test", "95598").unwrap(), ..good.clone() }, 46),
        (Submit { msg_type: 0, ..good.clone() }, 30),
        (disagreeing, 10),
        (good.clone(), 0),
    ] {
        assert_eq!(client.submit(submit).await.status, status);
    }
    client.send_as(client.sequence, &Pdu::Submit(good)).await;
    assert!(matches!(client.next().await.unwrap().pdu, Pdu::SubmitResp(response) if response.status == 12));
    assert_eq!(gateway.stats().account("power").rate_violations, 1);
}

#[tokio::test]
async fn reports_come_in_the_spellings_of_many_gateways_late_and_out_of_order() {
    let faults = Faults {
        failure_share: 1.0,
        failure_codes: vec![CodeWeight { code: 5, weight: 1 }],
        report_spellings: true,
        report_reorder: 0.5,
        report_delay_ms: (100, 200),
        ..Faults::default()
    };
    let (gateway, clock) = gateway(Account { rate: 0, ..Account::default() }, faults).await;
    let mut client = Client::login(&gateway, LoginMode::BOTH).await;
    let mut ids = Vec::new();
    for _ in 0..12 {
        ids.push(client.submit(message("13300001234")).await.msg_id);
    }
    client.nothing_waits().await;
    let mut reported = Vec::new();
    let mut lengths = BTreeSet::new();
    clock.advance(Duration::from_secs(3));
    for _ in 0..12 {
        let deliver = client.deliver().await;
        let report = deliver.report().unwrap().unwrap();
        assert_eq!(report.outcome(&[]), Outcome::Failed(Disposition::NumberBad));
        lengths.insert(deliver.content.len());
        reported.push(report.msg_id);
    }
    assert!(lengths.len() > 1, "{lengths:?}");
    assert_ne!(reported, ids, "none overtook another");
    reported.sort();
    ids.sort();
    assert_eq!(reported, ids);
}

#[tokio::test]
async fn inbound_messages_come_whole() {
    let (gateway, _clock) = gateway(Account::default(), Faults::default()).await;
    let words = "我家没有停电，请核实。".repeat(10);
    let mo = Mo { account: "power".into(), from: "13300001234".into(), to: "1065912345".into(), text: words.clone() };
    assert_eq!(gateway.inject_mo(&mo).unwrap(), 2);
    let mut client = Client::login(&gateway, LoginMode::BOTH).await;
    let mut read = String::new();
    for _ in 0..2 {
        let deliver = client.deliver().await;
        assert_eq!((deliver.tp_udhi(), deliver.report()), (1, None));
        assert_eq!(&*deliver.recv_time.text(), "20261122120000");
        read += &text::decode(deliver.msg_format, text::split_header(&deliver.content).1).text;
    }
    assert_eq!(read, words);
}

#[tokio::test]
async fn a_silent_client_is_asked_three_times_and_let_go() {
    let (gateway, clock) = gateway(Account::default(), Faults::default()).await;
    let mut client = Client::login(&gateway, LoginMode::BOTH).await;
    for _ in 0..3 {
        clock.advance(Duration::from_secs(60));
        assert_eq!(client.next().await.unwrap().pdu, Pdu::ActiveTest);
    }
    clock.advance(Duration::from_secs(60));
    assert_eq!(client.next().await, None);
    gateway.shutdown().await;
}
