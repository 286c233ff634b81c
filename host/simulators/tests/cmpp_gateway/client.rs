//! A plain client made of the codec, and the gateway that it talks to.

use bytes::BytesMut;
use gridbell_clock::Clock;
use gridbell_cmpp::{
    Connect, ConnectResp, Decoder, Deliver, DeliverResp, FeeUserType, Frame, MsgFmt, MsgId, Number, Octets, Pdu,
    Report, Stamp, Submit, SubmitResp, Version, auth, text,
};
use gridbell_model::{Date, Moment};
use gridbell_simulators::cmpp::{Account, Config, Faults, Gateway};
use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::TcpStream;

pub(crate) const SP: &str = "901234";
pub(crate) const BOTH: [Version; 2] = [Version::V2_0, Version::V3_0];

pub(crate) fn noon() -> Moment {
    Date::from_ymd(2026, 11, 22).unwrap().at(12, 0).moment()
}

pub(crate) async fn gateway(config: Config) -> (Gateway, Clock) {
    let clock = Clock::manual(noon());
    let gateway = Gateway::start(config, clock.clone(), "127.0.0.1:0".parse().unwrap()).await.unwrap();
    (gateway, clock)
}

pub(crate) fn config(account: Account, faults: Faults) -> Config {
    Config { faults, seed: 7, ..Config::with_account(account) }
}

pub(crate) struct Client {
    pub(crate) stream: TcpStream,
    decoder: Decoder,
    buffer: BytesMut,
    sequence: u32,
}

impl Client {
    pub(crate) async fn open(gateway: &Gateway, version: Version) -> Self {
        let stream = TcpStream::connect(gateway.addr()).await.unwrap();
        Self { stream, decoder: Decoder::new(version), buffer: BytesMut::new(), sequence: 0 }
    }

    pub(crate) async fn login(gateway: &Gateway, version: Version) -> Self {
        let mut client = Self::open(gateway, version).await;
        let response = client.connect(SP, "secret", version.octet()).await;
        assert_eq!((response.status, response.version), (0, 0x30));
        client
    }

    pub(crate) async fn connect(&mut self, sp_id: &str, secret: &str, version: u8) -> ConnectResp {
        let stamp = Stamp::new(11, 22, 12, 0, 0).unwrap();
        let authenticator = auth::source(sp_id.as_bytes(), secret.as_bytes(), stamp);
        let sp_id = Octets::new("sp", sp_id).unwrap();
        self.send(&Pdu::Connect(Connect { sp_id, authenticator, version, timestamp: stamp.number() })).await;
        match self.next().await.unwrap().pdu {
            Pdu::ConnectResp(response) => response,
            other => panic!("{other:?}"),
        }
    }

    pub(crate) async fn send(&mut self, pdu: &Pdu) -> u32 {
        self.sequence += 1;
        self.send_as(self.sequence, pdu).await;
        self.sequence
    }

    pub(crate) async fn send_as(&mut self, sequence: u32, pdu: &Pdu) {
        let mut octets = BytesMut::new();
        pdu.encode(sequence, self.decoder.version(), &mut octets).unwrap();
        self.stream.write_all(&octets).await.unwrap();
    }

    /// All in one write, so that the gateway cannot answer between them.
    pub(crate) async fn send_all(&mut self, pdus: &[Pdu]) {
        let mut octets = BytesMut::new();
        for pdu in pdus {
            self.sequence += 1;
            pdu.encode(self.sequence, self.decoder.version(), &mut octets).unwrap();
        }
        self.stream.write_all(&octets).await.unwrap();
    }

    /// The next PDU, or none at the end of the stream.
    pub(crate) async fn next(&mut self) -> Option<Frame> {
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

    pub(crate) async fn submit(&mut self, submit: Submit) -> SubmitResp {
        let sequence = self.send(&Pdu::Submit(submit)).await;
        self.answer(sequence).await
    }

    pub(crate) async fn answer(&mut self, sequence: u32) -> SubmitResp {
        match self.next().await.unwrap() {
            Frame { sequence: answered, pdu: Pdu::SubmitResp(response) } if answered == sequence => response,
            other => panic!("{other:?}"),
        }
    }

    pub(crate) async fn results(&mut self, count: usize) -> Vec<u32> {
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
    pub(crate) async fn unacknowledged(&mut self) -> (u32, Deliver) {
        match self.next().await.unwrap() {
            Frame { sequence, pdu: Pdu::Deliver(deliver) } => (sequence, deliver),
            other => panic!("{other:?}"),
        }
    }

    pub(crate) async fn acknowledge(&mut self, sequence: u32, msg_id: MsgId, result: u32) {
        self.send_as(sequence, &Pdu::DeliverResp(DeliverResp { msg_id, result })).await;
    }

    /// The next DELIVER, acknowledged.
    pub(crate) async fn deliver(&mut self) -> Deliver {
        let (sequence, deliver) = self.unacknowledged().await;
        self.acknowledge(sequence, deliver.msg_id, 0).await;
        deliver
    }

    pub(crate) async fn report(&mut self) -> Report {
        self.deliver().await.report().unwrap().unwrap()
    }

    /// Fails if anything else comes before the heartbeat's answer.
    pub(crate) async fn nothing_waits(&mut self) {
        let sequence = self.send(&Pdu::ActiveTest).await;
        let answer = Frame { sequence, pdu: Pdu::ActiveTestResp { reserved: 0 } };
        assert_eq!(self.next().await, Some(answer));
    }
}

pub(crate) fn number(value: &str) -> Number {
    Number::new("test", value).unwrap()
}

pub(crate) fn message(to: &str, words: &str) -> Submit {
    long(to, words, 1).remove(0)
}

pub(crate) fn long(to: &str, words: &str, reference: u8) -> Vec<Submit> {
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

impl Client {
    /// Reads `count` DELIVERs without acknowledging them, then the heartbeat's answer.
    pub(crate) async fn nothing_waits_but_reports(&mut self, count: usize) {
        for _ in 0..count {
            self.unacknowledged().await;
        }
        self.nothing_waits().await;
    }
}

impl Client {
    /// Takes what other connections left behind.
    pub(crate) async fn acknowledge_everything(&mut self) {
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
