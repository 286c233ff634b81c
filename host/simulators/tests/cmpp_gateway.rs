//! The gateway through its socket, with a plain client made of the codec. Time stands still unless a test moves it.

#![expect(clippy::unwrap_used, clippy::panic, reason = "a test that cannot be set up has failed")]

use std::time::Duration;

use bytes::BytesMut;
use gridbell_clock::{Clock, Seed};
use gridbell_cmpp::assemble::Assembler;
use gridbell_cmpp::{
    Cancel, Connect, ConnectResp, Content, Decoder, Deliver, DeliverResp, FeeUserType, Frame, MsgFmt, MsgId, Number,
    Octets, Pdu, Query, QueryResp, Report, Stamp, Submit, SubmitResp, Version, auth, text,
};
use gridbell_model::{Date, Moment};
use gridbell_simulators::cmpp::{Account, Config, Faults, Gateway, LogEntry, Mo, ResultFault};
use rand_core::RngCore as _;
use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::TcpStream;

const SP: &str = "901234";
const BOTH: [Version; 2] = [Version::V2_0, Version::V3_0];

fn noon() -> Moment {
    Date::from_ymd(2026, 11, 22).unwrap().at(12, 0).moment()
}

async fn gateway(config: Config) -> (Gateway, Clock) {
    let clock = Clock::manual(noon());
    let gateway = Gateway::start(config, clock.clone(), "127.0.0.1:0".parse().unwrap()).await.unwrap();
    (gateway, clock)
}

fn config(account: Account, faults: Faults) -> Config {
    Config { faults, seed: 7, ..Config::with_account(account) }
}

struct Client {
    stream: TcpStream,
    decoder: Decoder,
    buffer: BytesMut,
    sequence: u32,
}

impl Client {
    async fn open(gateway: &Gateway, version: Version) -> Self {
        let stream = TcpStream::connect(gateway.addr()).await.unwrap();
        Self { stream, decoder: Decoder::new(version), buffer: BytesMut::new(), sequence: 0 }
    }

    async fn login(gateway: &Gateway, version: Version) -> Self {
        let mut client = Self::open(gateway, version).await;
        let response = client.connect(SP, "secret", version.octet()).await;
        assert_eq!((response.status, response.version), (0, 0x30));
        client
    }

    async fn connect(&mut self, sp_id: &str, secret: &str, version: u8) -> ConnectResp {
        let stamp = Stamp::new(11, 22, 12, 0, 0).unwrap();
        let authenticator = auth::source(sp_id.as_bytes(), secret.as_bytes(), stamp);
        let sp_id = Octets::new("sp", sp_id).unwrap();
        self.send(&Pdu::Connect(Connect { sp_id, authenticator, version, timestamp: stamp.number() })).await;
        match self.next().await.unwrap().pdu {
            Pdu::ConnectResp(response) => response,
            other => panic!("{other:?}"),
        }
    }

    async fn send(&mut self, pdu: &Pdu) -> u32 {
        self.sequence += 1;
        self.send_as(self.sequence, pdu).await;
        self.sequence
    }

    async fn send_as(&mut self, sequence: u32, pdu: &Pdu) {
        let mut octets = BytesMut::new();
        pdu.encode(sequence, self.decoder.version(), &mut octets).unwrap();
        self.stream.write_all(&octets).await.unwrap();
    }

    /// All in one write, so that the gateway cannot answer between them.
    async fn send_all(&mut self, pdus: &[Pdu]) {
        let mut octets = BytesMut::new();
        for pdu in pdus {
            self.sequence += 1;
            pdu.encode(self.sequence, self.decoder.version(), &mut octets).unwrap();
        }
        self.stream.write_all(&octets).await.unwrap();
    }

    /// The next PDU, or none at the end of the stream.
    async fn next(&mut self) -> Option<Frame> {
        loop {
            if let Some(frame) = self.decoder.decode(&mut self.buffer).unwrap() {
                return Some(frame);
            }
            match self.stream.read_buf(&mut self.buffer).await {
                Ok(0) | Err(_) => return None,
                Ok(_) => {}
            }
        }
    }

    async fn submit(&mut self, submit: Submit) -> SubmitResp {
        let sequence = self.send(&Pdu::Submit(submit)).await;
        self.answer(sequence).await
    }

    async fn answer(&mut self, sequence: u32) -> SubmitResp {
        match self.next().await.unwrap() {
            Frame { sequence: answered, pdu: Pdu::SubmitResp(response) } if answered == sequence => response,
            other => panic!("{other:?}"),
        }
    }

    async fn results(&mut self, count: usize) -> Vec<u32> {
        let mut results = Vec::new();
        for _ in 0..count {
            match self.next().await.unwrap().pdu {
                Pdu::SubmitResp(response) => results.push(response.result),
                other => panic!("{other:?}"),
            }
        }
        results
    }

    /// The next DELIVER, not acknowledged.
    async fn unacknowledged(&mut self) -> (u32, Deliver) {
        match self.next().await.unwrap() {
            Frame { sequence, pdu: Pdu::Deliver(deliver) } => (sequence, deliver),
            other => panic!("{other:?}"),
        }
    }

    async fn acknowledge(&mut self, sequence: u32, msg_id: MsgId, result: u32) {
        self.send_as(sequence, &Pdu::DeliverResp(DeliverResp { msg_id, result })).await;
    }

    /// The next DELIVER, acknowledged.
    async fn deliver(&mut self) -> Deliver {
        let (sequence, deliver) = self.unacknowledged().await;
        self.acknowledge(sequence, deliver.msg_id, 0).await;
        deliver
    }

    async fn report(&mut self) -> Report {
        self.deliver().await.report().unwrap().unwrap()
    }

    /// Fails if anything else comes before the heartbeat's answer.
    async fn nothing_waits(&mut self) {
        let sequence = self.send(&Pdu::ActiveTest).await;
        let answer = Frame { sequence, pdu: Pdu::ActiveTestResp { reserved: 0 } };
        assert_eq!(self.next().await, Some(answer));
    }
}

fn number(value: &str) -> Number {
    Number::new("test", value).unwrap()
}

fn message(to: &str, words: &str) -> Submit {
    long(to, words, 1).remove(0)
}

fn long(to: &str, words: &str, reference: u8) -> Vec<Submit> {
    let submit = |part: text::Part| Submit {
        pk_total: part.total,
        pk_number: part.number,
        tp_udhi: part.udhi,
        content: part.content,
        registered_delivery: 1,
        service_id: Octets::new("test", "POWER").unwrap(),
        fee_user_type: FeeUserType::SP,
        msg_fmt: MsgFmt::UCS2,
        msg_src: Octets::new("test", SP).unwrap(),
        fee_type: Octets::new("test", "01").unwrap(),
        fee_code: Octets::new("test", "000000").unwrap(),
        src_id: Octets::new("test", "1065795598").unwrap(),
        destinations: vec![number(to)],
        ..Submit::default()
    };
    text::split(words, reference).unwrap().into_iter().map(submit).collect()
}

#[tokio::test]
async fn logins_are_proved_on_both_sides() {
    let (gateway, _clock) =
        gateway(config(Account { max_connections: 1, ..Account::default() }, Faults::default())).await;
    for version in BOTH {
        let mut client = Client::open(&gateway, version).await;
        let response = client.connect(SP, "secret", version.octet()).await;
        let source = auth::source(SP.as_bytes(), b"secret", Stamp::new(11, 22, 12, 0, 0).unwrap());
        assert_eq!(response.status, 0);
        assert_eq!(response.authenticator, auth::ismg(0, &source, b"secret", version));
        // One connection is granted; the second is told so.
        let mut second = Client::open(&gateway, version).await;
        assert_eq!(second.connect(SP, "secret", version.octet()).await.status, 5);
        assert_eq!(second.next().await, None);
        client.send(&Pdu::Terminate).await;
        assert_eq!(client.next().await.unwrap().pdu, Pdu::TerminateResp);
        assert_eq!(client.next().await, None);
        gateway.wait_until(|stats| stats.account(SP).open == 0).await;
    }
    for (sp_id, secret, version, status) in
        [("000000", "secret", 0x30, 2), (SP, "wrong", 0x30, 3), (SP, "secret", 0x40, 4), (SP, "secret", 0x10, 5)]
    {
        let mut client = Client::open(&gateway, Version::V3_0).await;
        assert_eq!(client.connect(sp_id, secret, version).await.status, status);
        assert_eq!(client.next().await, None, "a refused login is closed");
    }
    // A login of the wrong length.
    let mut client = Client::open(&gateway, Version::V3_0).await;
    client.stream.write_all(&[0, 0, 0, 13, 0, 0, 0, 1, 0, 0, 0, 9, 7]).await.unwrap();
    let refused = client.next().await.unwrap();
    assert_eq!(refused.sequence, 9);
    assert!(matches!(refused.pdu, Pdu::ConnectResp(ConnectResp { status: 1, .. })));
    let refused = gateway.stats().logins_refused;
    assert_eq!(refused.into_iter().collect::<Vec<_>>(), [(1, 1), (2, 1), (3, 1), (4, 1), (5, 3)]);
}

#[tokio::test]
async fn a_gateway_of_2_0_refuses_3_0_in_its_own_layout() {
    let (gateway, _clock) = gateway(Config { speaks_3_0: false, ..Config::with_account(Account::default()) }).await;
    let mut client = Client::open(&gateway, Version::V3_0).await;
    let response = client.connect(SP, "secret", 0x30).await;
    assert_eq!((response.status, response.version), (4, 0x20));
    let mut client = Client::open(&gateway, Version::V2_0).await;
    assert_eq!(client.connect(SP, "secret", 0x20).await.status, 0);
}

#[tokio::test]
async fn a_message_is_answered_reported_and_logged_in_both_versions() {
    let (gateway, clock) = gateway(config(Account::default(), Faults::default())).await;
    clock.advance(Duration::from_micros(1500));
    for (index, version) in BOTH.into_iter().enumerate() {
        let mut client = Client::login(&gateway, version).await;
        let link_id = if version == Version::V3_0 { "LINK01" } else { "" };
        let submit =
            Submit { link_id: Octets::new("test", link_id).unwrap(), ..message("13800001234", "您家明日停电") };
        let answer = client.submit(submit).await;
        assert_eq!(answer.result, 0);
        assert_eq!(answer.msg_id.stamp(), Stamp::new(11, 22, 12, 0, 0));
        let deliver = client.deliver().await;
        assert_eq!((deliver.dest_id.text(), deliver.link_id.text()), ("1065795598".into(), link_id.into()));
        let report = deliver.report().unwrap().unwrap();
        assert_eq!((report.msg_id, report.stat.text()), (answer.msg_id, "DELIVRD".into()));
        assert_eq!((report.submit_time.text(), report.done_time.text()), ("2611221200".into(), "2611221200".into()));
        assert_eq!(report.destination, number("13800001234"));
        client.nothing_waits().await;
        let logged = gateway.log_since(index as u64);
        let expected = LogEntry {
            at_us: 1500,
            sp_id: SP.into(),
            connection: index as u64 + 1,
            msg_id: answer.msg_id.to_string(),
            destination: "13800001234".into(),
            src_id: "1065795598".into(),
            service_id: "POWER".into(),
            pk_total: 1,
            pk_number: 1,
            reference: None,
            text: "您家明日停电".into(),
            sequence: 2,
            link_id: link_id.into(),
            stat: "DELIVRD".into(),
        };
        assert_eq!(logged, [expected]);
    }
    let stats = gateway.wait_until(|stats| stats.account(SP).delivers_acknowledged == 2).await.account(SP);
    assert_eq!((stats.parts_accepted, stats.reports["DELIVRD"], stats.delivers_queued), (2, 2, 0));
}

#[tokio::test]
async fn a_submit_to_several_reserves_numbers_and_counts_for_each() {
    let (gateway, _clock) = gateway(config(Account { rate: 5, ..Account::default() }, Faults::default())).await;
    let mut client = Client::login(&gateway, Version::V3_0).await;
    let three = Submit {
        destinations: vec![number("13800000001"), number("8613800000002"), number("13800000003")],
        ..message("13800000001", "停电")
    };
    let first = client.submit(three.clone()).await;
    for index in 0..3 {
        assert_eq!(client.report().await.msg_id, first.msg_id.nth(index));
    }
    // Three more would be six in one second.
    assert_eq!(client.submit(three.clone()).await.result, 8);
    // One bad number refuses them all.
    let bad = Submit { destinations: vec![number("13800000001"), number("0351123456")], ..three };
    assert_eq!(client.submit(bad).await.result, 13);
    let stats = gateway.stats().account(SP);
    assert_eq!((stats.parts_offered, stats.parts_accepted, stats.rate_violations), (8, 3, 1));
    assert_eq!((stats.peak_offered, stats.peak_accepted), (8, 3));
}

#[tokio::test]
async fn the_rate_holds_in_any_second() {
    let (gateway, clock) = gateway(config(Account { rate: 5, ..Account::default() }, Faults::default())).await;
    let mut client = Client::login(&gateway, Version::V2_0).await;
    let quiet = || Submit { registered_delivery: 0, ..message("13800001234", "停电") };
    let mut results = Vec::new();
    // 3 at 0 ms, 3 at 900 ms, 3 at 1000 ms, 3 at 1899 ms, 1 at 1900 ms
    for (advance, count) in [(0, 3), (900, 3), (100, 3), (899, 3), (1, 1)] {
        clock.advance(Duration::from_millis(advance));
        for _ in 0..count {
            results.push(client.submit(quiet()).await.result);
        }
    }
    assert_eq!(results, [0, 0, 0, 0, 0, 8, 0, 0, 0, 8, 8, 8, 0]);
    let stats = gateway.stats().account(SP);
    assert_eq!((stats.rate_violations, stats.peak_accepted), (4, 5));
    assert_eq!(
        (gateway.peak_offered(SP), stats.peak_offered),
        (9, 9),
        "the second up to 1899 ms, refused ones included"
    );
    clock.advance(Duration::from_secs(2));
    gateway.reset_peaks();
    assert_eq!(gateway.peak_offered(SP), 0);
}

#[tokio::test]
async fn more_than_the_window_unanswered_is_refused() {
    let (gateway, _clock) =
        gateway(config(Account { rate: 0, window: 4, ..Account::default() }, Faults::default())).await;
    let mut client = Client::login(&gateway, Version::V3_0).await;
    let quiet = Pdu::Submit(Submit { registered_delivery: 0, ..message("13800001234", "停电") });
    client.send_all(&vec![quiet.clone(); 6]).await;
    assert_eq!(client.results(6).await, [0, 0, 0, 0, 8, 8]);
    client.send_all(&vec![quiet; 4]).await;
    assert_eq!(client.results(4).await, [0; 4], "answers free their places");
    assert_eq!(gateway.stats().account(SP).window_violations, 2);
}

#[tokio::test]
async fn held_answers_keep_their_places_in_the_window() {
    let faults = Faults { response_delay_ms: (100, 100), ..Faults::default() };
    let (gateway, clock) = gateway(config(Account { window: 2, ..Account::default() }, faults)).await;
    let mut client = Client::login(&gateway, Version::V3_0).await;
    let quiet = Pdu::Submit(Submit { registered_delivery: 0, ..message("13800001234", "停电") });
    client.send_all(&vec![quiet.clone(); 2]).await;
    client.nothing_waits().await;
    client.send(&quiet).await;
    client.nothing_waits().await;
    clock.advance(Duration::from_millis(100));
    assert_eq!(client.results(3).await, [0, 0, 8]);
}

#[tokio::test]
async fn faulty_submits_get_the_specifications_results() {
    let account = Account {
        src_prefix: "10657".into(),
        services: vec!["POWER".into()],
        billed_prefixes: vec!["138".into()],
        ..Account::default()
    };
    let (gateway, _clock) = gateway(config(account, Faults::default())).await;
    let mut client = Client::login(&gateway, Version::V3_0).await;
    let good = || message("13800001234", "停电");
    let long = long("13800001234", &"停".repeat(71), 9).remove(1);
    let cases: Vec<(&str, u32, Submit)> = vec![
        ("good", 0, good()),
        ("long", 0, long.clone()),
        ("part 0", 1, Submit { pk_number: 0, ..good() }),
        ("part beyond total", 1, Submit { pk_number: 2, ..good() }),
        ("header that says another part", 1, Submit { pk_number: 1, ..long }),
        ("header announced and absent", 1, Submit { tp_udhi: 1, ..good() }),
        ("unknown format", 1, Submit { msg_fmt: MsgFmt(7), ..good() }),
        ("half a unit", 1, Submit { content: Content::new(vec![1; 3]).unwrap(), ..good() }),
        ("no such time", 1, Submit { valid_time: Octets::new("test", "tomorrow").unwrap(), ..good() }),
        ("fee type", 5, Submit { fee_type: Octets::new("test", "09").unwrap(), ..good() }),
        ("fee code", 5, Submit { fee_code: Octets::new("test", "free").unwrap(), ..good() }),
        ("141 octets", 6, Submit { content: Content::new(vec![0; 141]).unwrap(), ..good() }),
        ("service", 7, Submit { service_id: Octets::new("test", "OTHER").unwrap(), ..good() }),
        (
            "payer of another network",
            9,
            Submit { fee_user_type: FeeUserType::DESTINATION, ..message("13000001234", "停电") },
        ),
        ("sender's number", 10, Submit { src_id: Octets::new("test", "95598").unwrap(), ..good() }),
        ("sender", 11, Submit { msg_src: Octets::new("test", "901235").unwrap(), ..good() }),
        ("paying number", 12, Submit { fee_user_type: FeeUserType::FEE_TERMINAL, ..good() }),
        ("landline", 13, message("03511234567", "停电")),
    ];
    for (name, result, submit) in cases {
        let quiet = Submit { registered_delivery: 0, ..submit };
        assert_eq!(client.submit(quiet).await.result, result, "{name}");
    }
    // The same sequence again.
    client.send_as(2, &Pdu::Submit(good())).await;
    assert_eq!(client.answer(2).await.result, 3);
}

#[tokio::test]
async fn malformed_pdus_are_answered_and_read_over() {
    let (gateway, _clock) = gateway(config(Account::default(), Faults::default())).await;
    let mut client = Client::login(&gateway, Version::V3_0).await;
    let mut submit = BytesMut::new();
    Pdu::Submit(message("13800001234", "停电")).encode(50, Version::V3_0, &mut submit).unwrap();
    // Msg_Length announces more than there is.
    let mut cut = submit.to_vec();
    let at = cut.len() - 20 - 4 - 1;
    cut[at] = 200;
    // A submit of 2.0 on a connection of 3.0.
    let mut other_version = BytesMut::new();
    Pdu::Submit(message("13800001234", "停电")).encode(51, Version::V2_0, &mut other_version).unwrap();
    let unknown = [0, 0, 0, 12, 0, 0, 0, 99, 0, 0, 0, 52];
    client.stream.write_all(&[&cut[..], &other_version, &unknown].concat()).await.unwrap();
    assert_eq!(client.answer(50).await.result, 4);
    assert!([1, 4].contains(&client.answer(51).await.result));
    assert_eq!(client.answer(52).await.result, 2);
    assert_eq!(client.submit(message("13800001234", "停电")).await.result, 0);
    assert_eq!(gateway.stats().account(SP).malformed, 3);
    // A length that cannot be: the stream is out of step, the connection ends.
    client.stream.write_all(&[0xff; 12]).await.unwrap();
    while client.next().await.is_some() {}
    gateway.wait_until(|stats| stats.account(SP).open == 0 && stats.protocol_errors == 1).await;
    // So does anything before a login.
    let mut stranger = Client::open(&gateway, Version::V3_0).await;
    stranger.send(&Pdu::ActiveTest).await;
    assert_eq!(stranger.next().await, None);
    assert_eq!(gateway.stats().protocol_errors, 2);
}

#[tokio::test]
async fn reports_wait_for_the_next_connection() {
    let faults = Faults { report_delay_ms: (1000, 1000), ..Faults::default() };
    let (gateway, clock) = gateway(config(Account::default(), faults)).await;
    let mut ids = Vec::new();
    let mut client = Client::login(&gateway, Version::V2_0).await;
    for _ in 0..3 {
        ids.push(client.submit(message("13800001234", "停电")).await.msg_id);
    }
    client.nothing_waits().await;
    clock.advance(Duration::from_secs(1));
    // One is acknowledged, the others are lost with the line.
    assert_eq!(client.report().await.msg_id, ids[0]);
    client.nothing_waits_but_reports(2).await;
    gateway.drop_connections();
    while client.next().await.is_some() {}
    let stats = gateway.wait_until(|stats| stats.account(SP).open == 0).await.account(SP);
    assert_eq!((stats.delivers_acknowledged, stats.delivers_queued), (1, 2));
    // They come again on a connection of the other version, in order.
    let mut client = Client::login(&gateway, Version::V3_0).await;
    assert_eq!(client.report().await.msg_id, ids[1]);
    assert_eq!(client.report().await.msg_id, ids[2]);
    let stats = gateway.wait_until(|stats| stats.account(SP).delivers_acknowledged == 3).await.account(SP);
    assert_eq!((stats.delivers_resent, stats.delivers_queued), (2, 0));
}

impl Client {
    /// Reads `count` DELIVERs without acknowledging them, then the heartbeat's answer.
    async fn nothing_waits_but_reports(&mut self, count: usize) {
        for _ in 0..count {
            self.unacknowledged().await;
        }
        self.nothing_waits().await;
    }
}

#[tokio::test]
async fn what_is_not_acknowledged_is_sent_again_and_then_the_line_is_given_up() {
    let (gateway, clock) = gateway(config(Account::default(), Faults::default())).await;
    let mut client = Client::login(&gateway, Version::V3_0).await;
    let id = client.submit(message("13800001234", "停电")).await.msg_id;
    for _ in 0..3 {
        let (_, deliver) = client.unacknowledged().await;
        assert_eq!(deliver.report().unwrap().unwrap().msg_id, id);
        client.nothing_waits().await;
        clock.advance(Duration::from_secs(60));
    }
    assert_eq!(client.next().await, None);
    // Refused ones are offered again after a while, three times in all.
    let mut client = Client::login(&gateway, Version::V3_0).await;
    for _ in 0..3 {
        let (sequence, deliver) = client.unacknowledged().await;
        client.acknowledge(sequence, deliver.msg_id, 8).await;
        client.nothing_waits().await;
        clock.advance(Duration::from_secs(1));
    }
    client.nothing_waits().await;
    assert_eq!(gateway.stats().account(SP).delivers_given_up, 1);
}

#[tokio::test]
async fn delivers_keep_to_their_window() {
    let account = Account { deliver_window: 2, ..Account::default() };
    let (gateway, _clock) = gateway(config(account, Faults::default())).await;
    for index in 0..5 {
        gateway.inject_mo(&Mo::new(SP, "13800001234", "1065795598", &index.to_string())).unwrap();
    }
    let mut client = Client::login(&gateway, Version::V3_0).await;
    let (first, _) = client.unacknowledged().await;
    client.unacknowledged().await;
    client.nothing_waits().await;
    client.acknowledge(first, MsgId(0), 0).await;
    let (_, third) = client.unacknowledged().await;
    assert_eq!(third.content[..], *text::utf16be("2"));
    client.nothing_waits().await;
}

#[tokio::test]
async fn inbound_messages_come_whole_and_in_every_coding() {
    let (gateway, _clock) = gateway(config(Account::default(), Faults::default())).await;
    let mut client = Client::login(&gateway, Version::V3_0).await;
    let long = "我家昨天已经交过电费了，请核实后不要再发。".repeat(5);
    let mo = Mo { link_id: "LINK01".into(), ..Mo::new(SP, "13800001234", "106579559801", &long) };
    assert_eq!(gateway.inject_mo(&mo).unwrap(), 2);
    gateway.inject_mo(&Mo { format: MsgFmt::ASCII, ..Mo::new(SP, "13800001234", "1065795598", "TD") }).unwrap();
    let mut assembler = Assembler::default();
    let mut texts = Vec::new();
    for _ in 0..3 {
        let deliver = client.deliver().await;
        assert_eq!((deliver.registered_delivery, deliver.src_terminal), (0, number("13800001234")));
        texts.extend(assembler.push(&deliver, Duration::ZERO).into_iter().map(|message| message.text));
    }
    assert_eq!(texts, [long, "TD".into()]);
    assert_eq!(gateway.stats().account(SP).inbound, 3);
    let stranger = Mo::new("000000", "13800001234", "1065795598", "TD");
    assert!(gateway.inject_mo(&stranger).is_err());
}

#[tokio::test]
async fn reports_are_reordered_repeated_lost_and_early_on_request() {
    let (gateway, clock) = gateway(config(Account::default(), Faults::default())).await;
    let mut client = Client::login(&gateway, Version::V3_0).await;
    let set = |faults| gateway.set_faults(faults).unwrap();

    set(Faults { report_repeat: 1.0, report_accepted: 1.0, ..Faults::default() });
    let id = client.submit(message("13800001234", "停电")).await.msg_id;
    for stat in ["ACCEPTD", "DELIVRD", "DELIVRD"] {
        let report = client.report().await;
        assert_eq!((report.msg_id, report.stat.text()), (id, stat.into()));
    }

    set(Faults { report_lose: 1.0, ..Faults::default() });
    client.submit(message("13800001234", "停电")).await;
    clock.advance(Duration::from_secs(3600));
    // An hour of silence asks for a heartbeat; nothing else comes.
    assert_eq!(client.next().await.unwrap().pdu, Pdu::ActiveTest);

    set(Faults { report_first: 1.0, short_reports: true, ..Faults::default() });
    let sequence = client.send(&Pdu::Submit(message("13800001234", "停电"))).await;
    let early = client.deliver().await;
    assert_eq!(early.content.len(), 60);
    assert_eq!(early.report().unwrap().unwrap().msg_id, client.answer(sequence).await.msg_id);

    set(Faults { report_reorder: 0.5, report_reorder_ms: 500, report_delay_ms: (10, 10), ..Faults::default() });
    let mut sent = Vec::new();
    for _ in 0..16 {
        sent.push(client.submit(message("13800001234", "停电")).await.msg_id);
    }
    clock.advance(Duration::from_millis(510));
    let mut reported = Vec::new();
    for _ in 0..16 {
        reported.push(client.report().await.msg_id);
    }
    assert_ne!(reported, sent);
    reported.sort();
    assert_eq!(reported, sent);
}

#[tokio::test]
async fn answers_are_lost_and_lines_break_after_acceptance_on_request() {
    let (gateway, _clock) =
        gateway(config(Account::default(), Faults { lose_response: 1.0, ..Faults::default() })).await;
    let mut client = Client::login(&gateway, Version::V3_0).await;
    client.send(&Pdu::Submit(message("13800001234", "一"))).await;
    let lost = client.report().await.msg_id;
    assert_eq!(gateway.log()[0].msg_id, lost.to_string(), "accepted though unanswered");
    gateway.set_faults(Faults { drop_connection: 1.0, ..Faults::default() }).unwrap();
    client.send(&Pdu::Submit(message("13800001234", "二"))).await;
    assert_eq!(client.next().await, None);
    let texts: Vec<_> = gateway.log().into_iter().map(|entry| entry.text).collect();
    assert_eq!(texts, ["一", "二"]);
    // The report of the second waits for whoever comes back.
    gateway.set_faults(Faults { refuse_connections: true, ..Faults::default() }).unwrap();
    assert_eq!(Client::open(&gateway, Version::V3_0).await.next().await, None);
    gateway.set_faults(Faults::default()).unwrap();
    let mut client = Client::login(&gateway, Version::V3_0).await;
    assert_ne!(client.report().await.msg_id, lost);
}

#[tokio::test]
async fn refusals_and_failures_are_made_in_their_shares() {
    let account = Account { rate: 0, window: 2000, deliver_window: 2000, ..Account::default() };
    let results = vec![ResultFault { result: 150, probability: 0.1 }];
    let faults = Faults { throttle: 0.1, bad_number: 0.1, results, failure_share: 0.2, ..Faults::default() };
    let (gateway, _clock) = gateway(config(account, faults)).await;
    let mut client = Client::login(&gateway, Version::V3_0).await;
    let to = |index: u64| message(&(13_800_000_000 + index).to_string(), "停电");
    for index in 0..1000 {
        client.send(&Pdu::Submit(to(index))).await;
        while !matches!(client.next().await.unwrap().pdu, Pdu::SubmitResp(_)) {}
    }
    let stats = gateway.stats().account(SP);
    for result in [8, 13, 150] {
        assert!((50..150).contains(&stats.results[&result]), "{result}: {}", stats.results[&result]);
    }
    let failed = stats.reports.iter().filter(|(stat, _)| *stat != "DELIVRD").map(|(_, count)| count).sum::<u64>();
    assert!((80..220).contains(&failed), "{failed} of {}", stats.parts_accepted);
    // The same seed gives the same fates, whatever the order and the other faults.
    let stats_by_number = |gateway: &Gateway| {
        gateway
            .log()
            .into_iter()
            .map(|entry| (entry.destination, entry.stat))
            .collect::<std::collections::BTreeMap<_, _>>()
    };
    let first = stats_by_number(&gateway);
    let account = Account { rate: 0, ..Account::default() };
    let (again, _clock) = self::gateway(config(account, Faults { failure_share: 0.2, ..Faults::default() })).await;
    let mut client = Client::login(&again, Version::V2_0).await;
    for index in (0..1000).rev() {
        client.submit(Submit { registered_delivery: 0, ..to(index) }).await;
    }
    let second = stats_by_number(&again);
    assert_eq!(second.len(), 1000);
    assert!(first.iter().all(|(number, stat)| second[number] == *stat));
}

#[tokio::test]
async fn silence_is_probed_three_times_then_closed() {
    let (gateway, clock) = gateway(config(Account::default(), Faults::default())).await;
    let mut client = Client::login(&gateway, Version::V3_0).await;
    client.nothing_waits().await;
    clock.advance(Duration::from_secs(180));
    let probe = client.next().await.unwrap();
    assert_eq!(probe.pdu, Pdu::ActiveTest);
    client.send_as(probe.sequence, &Pdu::ActiveTestResp { reserved: 0 }).await;
    client.nothing_waits().await;
    for wait in [180, 60, 60] {
        clock.advance(Duration::from_secs(wait));
        assert_eq!(client.next().await.unwrap().pdu, Pdu::ActiveTest);
    }
    clock.advance(Duration::from_secs(60));
    assert_eq!(client.next().await, None);
    // Nor is a stranger waited for.
    let mut stranger = Client::open(&gateway, Version::V3_0).await;
    gateway.wait_until(|stats| stats.connections == 2).await;
    while clock.next_waiter().is_none() {
        tokio::task::yield_now().await;
    }
    clock.advance(Duration::from_secs(30));
    assert_eq!(stranger.next().await, None);
}

#[tokio::test]
async fn counts_are_told_and_messages_withdrawn() {
    let faults = Faults { report_delay_ms: (5000, 5000), ..Faults::default() };
    let (gateway, clock) = gateway(config(Account::default(), faults)).await;
    let mut client = Client::login(&gateway, Version::V2_0).await;
    let kept = client.submit(message("13800001234", "停电")).await.msg_id;
    let withdrawn = client.submit(message("13800001235", "停电")).await.msg_id;
    for (id, success) in [(withdrawn, 0), (MsgId(1), 1)] {
        client.send(&Pdu::Cancel(Cancel { msg_id: id })).await;
        let Pdu::CancelResp(answer) = client.next().await.unwrap().pdu else { panic!("a CANCEL_RESP is due") };
        assert_eq!(answer.success_id, success);
    }
    for (query_type, code, messages) in [(0, "", 2), (1, "POWER", 2), (1, "OTHER", 0)] {
        let query_code = Octets::new("test", code).unwrap();
        let day = Octets::new("test", "20261122").unwrap();
        client.send(&Pdu::Query(Query { day, query_type, query_code, reserve: Octets::EMPTY })).await;
        let Pdu::QueryResp(QueryResp { mt_messages, mt_waiting, .. }) = client.next().await.unwrap().pdu else {
            panic!("a QUERY_RESP is due")
        };
        assert_eq!((mt_messages, mt_waiting), (messages, 2));
    }
    clock.advance(Duration::from_secs(5));
    let reports = [client.report().await, client.report().await];
    let stats: Vec<_> = reports.iter().map(|report| (report.msg_id, report.stat.text())).collect();
    assert_eq!(stats, [(kept, "DELIVRD".into()), (withdrawn, "DELETED".into())]);
}

#[tokio::test]
async fn the_log_file_has_what_was_answered() {
    let directory = tempfile::tempdir().unwrap();
    let path = directory.path().join("accepted.jsonl");
    for run in 0..2 {
        let config = Config {
            log_file: Some(path.clone()),
            log_capacity: 2,
            ..Config::with_account(Account { rate: 0, ..Account::default() })
        };
        let (gateway, _clock) = gateway(config).await;
        let mut client = Client::login(&gateway, Version::V3_0).await;
        for part in long("13800001234", &"停".repeat(150), 9) {
            let answer = client.submit(Submit { registered_delivery: 0, ..part }).await;
            let file = std::fs::read_to_string(&path).unwrap();
            let last: LogEntry = serde_json::from_str(file.lines().last().unwrap()).unwrap();
            assert_eq!(last.msg_id, answer.msg_id.to_string());
            assert_eq!((last.pk_total, last.reference), (3, Some(9)));
        }
        assert_eq!((gateway.log().len(), gateway.stats().log_forgotten), (2, 1));
        let lines = std::fs::read_to_string(&path).unwrap().lines().count();
        assert_eq!(lines, 3 * (run + 1), "appended to, never begun anew");
    }
}

#[tokio::test]
async fn shutdown_says_goodbye_and_frees_the_port() {
    let (gateway, clock) = gateway(config(Account::default(), Faults::default())).await;
    let mut client = Client::login(&gateway, Version::V3_0).await;
    let address = gateway.addr();
    let (goodbye, ()) = tokio::join!(
        async {
            let goodbye = client.next().await.unwrap().pdu;
            drop(client);
            goodbye
        },
        gateway.shutdown()
    );
    assert_eq!(goodbye, Pdu::Terminate);
    Gateway::start(config(Account::default(), Faults::default()), clock, address).await.unwrap();
}

#[tokio::test]
async fn wrong_configurations_are_named() {
    let wrong = [
        (Config::with_account(Account { sp_id: "1234567".into(), ..Account::default() }), "accounts.sp_id"),
        (config(Account::default(), Faults { throttle: 1.5, ..Faults::default() }), "throttle"),
        (config(Account::default(), Faults { report_delay_ms: (2, 1), ..Faults::default() }), "report_delay_ms"),
    ];
    for (config, field) in wrong {
        let error = Gateway::start(config, Clock::manual(noon()), "127.0.0.1:0".parse().unwrap()).await.err().unwrap();
        assert!(error.to_string().contains(field), "{error}");
    }
    let read: Config =
        serde_json::from_str(r#"{"accounts": [{"sp_id": "900001", "rate": 50}], "faults": {"throttle": 0.1}}"#)
            .unwrap();
    assert_eq!((read.accounts[0].rate, read.accounts[0].window, read.faults.throttle), (50, 16, 0.1));
    let written = serde_json::to_string(&read).unwrap();
    assert_eq!(serde_json::from_str::<Config>(&written).unwrap(), read);
    assert!(serde_json::from_str::<Config>(r#"{"acounts": []}"#).is_err());
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn on_the_machines_own_clock_delayed_reports_come_by_themselves() {
    let faults = Faults { report_delay_ms: (1, 20), response_delay_ms: (0, 5), ..Faults::default() };
    let account = Account { rate: 0, window: 64, ..Account::default() };
    let gateway =
        Gateway::start(config(account, faults), Clock::system(), "127.0.0.1:0".parse().unwrap()).await.unwrap();
    // Two connections share the account: whichever is free gets a report, and one leaves in the middle.
    let mut leaving = Client::login(&gateway, Version::V2_0).await;
    let mut client = Client::login(&gateway, Version::V3_0).await;
    leaving.send_all(&vec![Pdu::Submit(message("13800001234", "停电")); 30]).await;
    let mut submitted = std::collections::BTreeSet::new();
    while submitted.len() < 30 {
        // Reports that come here are not acknowledged, so the other connection gets them in the end.
        if let Pdu::SubmitResp(response) = leaving.next().await.unwrap().pdu {
            submitted.insert(response.msg_id);
        }
    }
    drop(leaving);
    let mut reported = std::collections::BTreeSet::new();
    while reported.len() < 30 {
        reported.insert(client.report().await.msg_id);
    }
    assert_eq!(reported, submitted);
    let stats = gateway.wait_until(|stats| stats.account(SP).delivers_queued == 0).await.account(SP);
    assert_eq!((stats.delivers_acknowledged, stats.open), (30, 1));
}

#[tokio::test]
async fn rubbish_ends_a_connection_at_worst() {
    let (gateway, _clock) = gateway(config(Account { rate: 0, ..Account::default() }, Faults::default())).await;
    let mut good = BytesMut::new();
    for pdu in [Pdu::Submit(message("13800001234", "停电")), Pdu::ActiveTest, Pdu::Cancel(Cancel { msg_id: MsgId(1) })]
    {
        pdu.encode(99, Version::V3_0, &mut good).unwrap();
    }
    let mut dice = Seed(11).stream("rubbish");
    for round in 0..300 {
        let mut client = Client::login(&gateway, BOTH[round % 2]).await;
        let mut octets = good.to_vec();
        for _ in 0..=dice.next_u32() % 8 {
            let at = dice.next_u32() as usize % octets.len();
            octets[at] = dice.next_u32() as u8;
        }
        client.stream.write_all(&octets).await.unwrap();
        client.stream.shutdown().await.unwrap();
        // Read as octets: what the gateway answers to rubbish is not this test's matter, that it lets go is.
        let mut answered = Vec::new();
        let _ = client.stream.read_to_end(&mut answered).await;
    }
    let stats = gateway.wait_until(|stats| stats.account(SP).open == 0).await;
    assert!(stats.account(SP).malformed > 0 && stats.protocol_errors > 0);
    let mut client = Client::login(&gateway, Version::V3_0).await;
    client.acknowledge_everything().await;
    assert_eq!(client.submit(message("13800001234", "停电")).await.result, 0);
}

impl Client {
    /// Takes what other connections left behind.
    async fn acknowledge_everything(&mut self) {
        let mut sequence = self.send(&Pdu::ActiveTest).await;
        let mut delivered = false;
        loop {
            match self.next().await.unwrap() {
                Frame { sequence, pdu: Pdu::Deliver(deliver) } => {
                    delivered = true;
                    self.acknowledge(sequence, deliver.msg_id, 0).await;
                }
                Frame { sequence: answered, pdu: Pdu::ActiveTestResp { .. } } if answered == sequence => {
                    if !delivered {
                        return;
                    }
                    delivered = false;
                    sequence = self.send(&Pdu::ActiveTest).await;
                }
                other => panic!("{other:?}"),
            }
        }
    }
}
