//! CMPP 2.0 and 3.0: both sides prove that they know the secret; everything goes over the connection that we open.

use bytes::BytesMut;
use gridbell_cmpp::{
    self as cmpp, Command, Connect, ConnectResp, Decoder, Deliver, DeliverResp, Disposition, Error, FeeUserType, Frame,
    MsgFmt, Number, Octets, Pdu, Stamp, StatClass, Submit, Version, auth,
};
use gridbell_wire::assemble::Piece;
use gridbell_wire::text::Part;

use super::{Broken, Dialect, Event, Greeting, Ground, Verdict, fixed, minute, phone, stamp, stat};
use crate::config::{LinkConfig, Protocol};
use crate::port::{Report, ReportOutcome};
use crate::queue::Head;

/// The sequence number of the CONNECT.
const LOGIN: u32 = 1;
/// `Result` of a DELIVER_RESP: structure; and flow control, after which it comes again.
const BAD_STRUCTURE: u32 = 1;
const LATER: u32 = 8;
/// "Flow control": too many a second for the gateway.
const FLOW_CONTROL: u32 = 8;
/// Who pays for messages: the utility, always.
const PAYER: FeeUserType = FeeUserType::SP;
/// `FeeType`: free to whoever receives it.
const FEE_TYPE: &str = "01";
/// `FeeCode`, in fen.
const FEE_CODE: &str = "000000";

/// A connection.
pub(crate) struct Cmpp {
    decoder: Decoder,
    /// The SUBMIT with all that does not change.
    submit: Pdu,
    sequence: u32,
}

/// A CONNECT under way.
pub(crate) struct Hello {
    version: Version,
    authenticator: [u8; 16],
}

/// An answer to a DELIVER.
#[derive(Debug)]
pub(crate) struct Ack {
    sequence: u32,
    resp: DeliverResp,
}

impl Cmpp {
    fn new(config: &LinkConfig, version: Version) -> Self {
        let submit = Pdu::Submit(Submit {
            registered_delivery: 1,
            service_id: fixed("Service_Id", &config.service_id),
            fee_user_type: PAYER,
            msg_fmt: MsgFmt::UCS2,
            msg_src: fixed("Msg_src", &config.sp_id),
            fee_type: fixed("FeeType", FEE_TYPE),
            fee_code: fixed("FeeCode", FEE_CODE),
            destinations: vec![Number::EMPTY],
            ..Submit::default()
        });
        Self { decoder: Decoder::new(version), submit, sequence: LOGIN }
    }

    /// Only SUBMITs, which go another way, carry anything that could not fit.
    fn say(&self, sequence: u32, pdu: &Pdu, out: &mut BytesMut) {
        if let Err(error) = pdu.encode(sequence, self.decoder.version(), out) {
            tracing::error!(%error, "an answer could not be written");
        }
    }
}

impl Dialect for Cmpp {
    type Seq = u32;
    type Ack = Ack;
    type Offer = Version;
    type Hello = Hello;

    const HEARTBEAT: bool = true;
    const CALLS: bool = false;

    fn offer(config: &LinkConfig) -> Version {
        if config.protocol == Protocol::Cmpp2 { Version::V2_0 } else { Version::V3_0 }
    }

    fn hello(ground: &Ground<'_>, version: Version, out: &mut BytesMut) -> Result<Hello, String> {
        let stamp = login_stamp(ground).ok_or_else(|| "the clock shows no date".to_owned())?;
        let sp_id = &ground.config.sp_id;
        let authenticator = auth::source(sp_id.as_bytes(), ground.secret.expose(), stamp);
        let sp_id = Octets::new("Source_Addr", sp_id).map_err(|e| e.to_string())?;
        let connect = Connect { sp_id, authenticator, version: version.octet(), timestamp: stamp.number() };
        Pdu::Connect(connect).encode(LOGIN, version, out).map_err(|e| e.to_string())?;
        Ok(Hello { version, authenticator })
    }

    fn greet(ground: &Ground<'_>, hello: &Hello, input: &mut BytesMut) -> Result<Option<Greeting<Self>>, String> {
        let frame = Decoder::new(hello.version).decode(input).map_err(|error| error.to_string())?;
        Ok(frame.map(|frame| match frame.pdu {
            Pdu::ConnectResp(resp) if frame.sequence == LOGIN => judge(ground, hello, &resp),
            Pdu::Terminate => Greeting::Bye,
            _ => Greeting::Other,
        }))
    }

    fn version(&self) -> &'static str {
        match self.decoder.version() {
            Version::V2_0 => "2.0",
            Version::V3_0 => "3.0",
        }
    }

    fn seq(&mut self, _: &Ground<'_>) -> u32 {
        self.sequence = self.sequence.wrapping_add(1).max(1);
        self.sequence
    }

    fn decode(&mut self, input: &mut BytesMut) -> Result<Option<Event<Self>>, Broken<Self>> {
        match self.decoder.decode(input) {
            Ok(frame) => Ok(frame.map(event)),
            Err(Error::Malformed { header, fault }) => {
                let resp = DeliverResp { result: cmpp::fault_result(fault), ..DeliverResp::default() };
                let deliver = header.command == Command::Deliver.word();
                let refusal = deliver.then_some(Ack { sequence: header.sequence, resp });
                Err(Broken::Malformed { what: format!("{header} is malformed: {fault}"), refusal })
            }
            Err(error) => Err(Broken::OutOfStep(error.to_string())),
        }
    }

    fn submit(&mut self, sequence: u32, head: &Head, part: Part, out: &mut BytesMut) -> Result<(), String> {
        let version = self.decoder.version();
        let Pdu::Submit(submit) = &mut self.submit else {
            return Err("no SUBMIT is prepared".to_owned());
        };
        submit.msg_level = u8::from(head.urgent);
        submit.valid_time = head.valid_time;
        submit.src_id = head.sender;
        submit.destinations[0] = head.number;
        (submit.pk_total, submit.pk_number, submit.tp_udhi) = (part.total, part.number, part.udhi);
        submit.content = part.content;
        self.submit.encode(sequence, version, out).map_err(|error| error.to_string())
    }

    fn answer(&self, ack: &Ack, out: &mut BytesMut) {
        self.say(ack.sequence, &Pdu::DeliverResp(ack.resp), out);
    }

    fn later(ack: Ack) -> Ack {
        Ack { resp: DeliverResp { result: LATER, ..ack.resp }, ..ack }
    }

    fn probe(&self, sequence: u32, out: &mut BytesMut) {
        self.say(sequence, &Pdu::ActiveTest, out);
    }

    fn answer_probe(&self, sequence: u32, out: &mut BytesMut) {
        self.say(sequence, &Pdu::ActiveTestResp { reserved: 0 }, out);
    }

    fn bye(&self, sequence: u32, out: &mut BytesMut) {
        self.say(sequence, &Pdu::Terminate, out);
    }

    fn answer_bye(&self, sequence: u32, out: &mut BytesMut) {
        self.say(sequence, &Pdu::TerminateResp, out);
    }

    fn verdict(code: u32) -> Verdict {
        match cmpp::submit_disposition(code, PAYER) {
            Ok(()) | Err(Disposition::Vendor(_)) => Verdict::Vendor,
            Err(Disposition::BackOffRetry) if code == FLOW_CONTROL => Verdict::SlowDown,
            Err(Disposition::BackOffRetry) => Verdict::Retry,
            Err(Disposition::NumberBad) => Verdict::BadNumber,
            Err(Disposition::StopLink) => Verdict::StopLink,
            Err(Disposition::OurBug) => Verdict::OurBug,
        }
    }
}

/// What the gateway answered to the CONNECT.
fn judge(ground: &Ground<'_>, hello: &Hello, resp: &ConnectResp) -> Greeting<Cmpp> {
    let theirs = Version::from_octet(resp.version);
    if resp.status == 4 && theirs.is_some_and(|theirs| theirs < hello.version) {
        return Greeting::Older(Version::V2_0);
    }
    if let Err(disposition) = cmpp::connect_disposition(resp.status) {
        let last = !matches!(disposition, Disposition::BackOffRetry | Disposition::Vendor(_));
        return Greeting::Refused { status: resp.status, last, why: explain(resp.status) };
    }
    // A gateway that speaks less than we offered has hashed the status in its own width.
    let proof = |version| auth::ismg(0, &hello.authenticator, ground.secret.expose(), version);
    let genuine = |version| auth::matches(&proof(version), &resp.authenticator);
    if !(genuine(hello.version) || genuine(Version::V2_0) || genuine(Version::V3_0)) {
        return Greeting::NotGenuine;
    }
    let version = theirs.map_or(hello.version, |theirs| theirs.min(hello.version));
    Greeting::In(Cmpp::new(ground.config, version))
}

const fn explain(status: u32) -> &'static str {
    match status {
        1 => " (structure)",
        2 => " (`sp-id` unknown or address not allowed)",
        3 => " (authentication: check the secret and the clock)",
        4 => " (version too high)",
        _ => "",
    }
}

/// MMDDHHMMSS of the login.
fn login_stamp(ground: &Ground<'_>) -> Option<Stamp> {
    let [month, day, hour, minute, second] = stamp(ground.clock.now()).map(|part| u8::try_from(part).ok());
    Stamp::new(month?, day?, hour?, minute?, second?)
}

fn event(frame: Frame) -> Event<Cmpp> {
    let sequence = frame.sequence;
    match frame.pdu {
        Pdu::SubmitResp(resp) => {
            let result = if resp.result == 0 { Ok(resp.msg_id.0.into()) } else { Err(resp.result) };
            Event::Answer { seq: sequence, result }
        }
        Pdu::Deliver(deliver) => delivered(sequence, &deliver),
        Pdu::ActiveTest => Event::Probe(sequence),
        Pdu::ActiveTestResp { .. } => Event::ProbeAnswer,
        Pdu::Terminate => Event::Bye(sequence),
        Pdu::TerminateResp => Event::ByeAnswer,
        other => Event::Unexpected(other.command().name()),
    }
}

fn delivered(sequence: u32, deliver: &Deliver) -> Event<Cmpp> {
    let ack = Ack { sequence, resp: DeliverResp { msg_id: deliver.msg_id, result: 0 } };
    match deliver.report() {
        Some(Ok(of)) => Event::Report { ack, report: report(&of) },
        Some(Err(fault)) => {
            let ack = Ack { resp: DeliverResp { result: BAD_STRUCTURE, ..ack.resp }, ..ack };
            Event::BadReport { ack, why: format!("a report is malformed: {fault}") }
        }
        None => Event::Inbound { ack, key: deliver.msg_id.0.into(), piece: Piece::from(deliver) },
    }
}

/// A report in the outbox's words.
fn report(report: &cmpp::Report) -> Report {
    let outcome = match report.stat.class() {
        StatClass::Delivered => ReportOutcome::Delivered,
        StatClass::Accepted => ReportOutcome::Pending,
        StatClass::Expired => ReportOutcome::Expired,
        StatClass::Deleted
        | StatClass::Undeliverable
        | StatClass::Unknown
        | StatClass::Rejected
        | StatClass::Vendor => ReportOutcome::Failed,
    };
    Report {
        key: report.msg_id.0.into(),
        phone: phone(&report.destination),
        stat: stat(outcome, || report.stat.text().trim().to_owned()),
        outcome,
        submitted: minute(&report.submit_time),
        done: minute(&report.done_time),
    }
}
