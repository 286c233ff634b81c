//! SMGP 3.0: both sides prove that they know the secret; everything goes over the connection that we open with mode 2.

use bytes::BytesMut;
use gridbell_model::CarrierKey;
use gridbell_smgp::{
    self as smgp, Command, Decoder, Deliver, Disposition, Error, Frame, Login, LoginMode, LoginResp, MT, MsgFmt,
    Octets, Pdu, Response, Submit, Tlvs, VERSION, auth,
};
use gridbell_wire::assemble::Piece;
use gridbell_wire::text::Part;

use super::{Broken, Dialect, Event, Greeting, Ground, Verdict, fixed, minute, phone, stamp, stat};
use crate::config::LinkConfig;
use crate::port::{Report, ReportOutcome};
use crate::queue::Head;

/// The sequence number of the LOGIN.
const LOGIN: u32 = 1;
/// `Status` of a DELIVER_RESP: structure; and system busy, after which it comes again.
const BAD_STRUCTURE: u32 = 10;
const LATER: u32 = 1;
/// `Priority` of what is urgent, and of the rest.
const HIGHEST: u8 = 3;
const NORMAL: u8 = 1;
/// `FeeType`: free to whoever receives it.
const FEE_TYPE: &str = "00";
/// `FeeCode` and `FixedFee`, in fen.
const FEE: &str = "000000";

/// A connection.
pub(crate) struct Smgp {
    decoder: Decoder,
    /// The SUBMIT with all that does not change.
    submit: Submit,
    sequence: u32,
}

/// An answer to a DELIVER.
#[derive(Debug)]
pub(crate) struct Ack {
    sequence: u32,
    resp: Response,
}

impl Smgp {
    fn new(config: &LinkConfig) -> Self {
        let submit = Submit {
            msg_type: MT,
            need_report: 1,
            service_id: fixed("ServiceID", &config.service_id),
            fee_type: fixed("FeeType", FEE_TYPE),
            fee_code: fixed("FeeCode", FEE),
            fixed_fee: fixed("FixedFee", FEE),
            msg_format: MsgFmt::UCS2,
            ..Submit::default()
        };
        Self { decoder: Decoder::new(), submit, sequence: LOGIN }
    }
}

/// Only SUBMITs, which go another way, carry anything that could not fit.
fn say(sequence: u32, pdu: &Pdu, out: &mut BytesMut) {
    if let Err(error) = pdu.encode(sequence, out) {
        tracing::error!(%error, "an answer could not be written");
    }
}

impl Dialect for Smgp {
    type Seq = u32;
    type Ack = Ack;
    type Offer = ();
    /// `AuthenticatorClient`.
    type Hello = [u8; 16];

    const HEARTBEAT: bool = true;
    const CALLS: bool = false;

    fn offer(_: &LinkConfig) {}

    fn hello(ground: &Ground<'_>, (): (), out: &mut BytesMut) -> Result<[u8; 16], String> {
        let [month, day, hour, minute, second] = stamp(ground.clock.now());
        let timestamp = auth::stamp(month, day, hour, minute, second).ok_or("the clock shows no date")?;
        let client_id = &ground.config.client_id;
        let authenticator = auth::client(client_id.as_bytes(), ground.secret.expose(), timestamp);
        let client_id = Octets::new("ClientID", client_id).map_err(|e| e.to_string())?;
        let login = Login { client_id, authenticator, mode: LoginMode::BOTH, timestamp, version: VERSION };
        Pdu::Login(login).encode(LOGIN, out).map_err(|e| e.to_string())?;
        Ok(authenticator)
    }

    fn greet(ground: &Ground<'_>, hello: &[u8; 16], input: &mut BytesMut) -> Result<Option<Greeting<Self>>, String> {
        let frame = Decoder::new().decode(input).map_err(|error| error.to_string())?;
        Ok(frame.map(|frame| match frame.pdu {
            Pdu::LoginResp(resp) if frame.sequence == LOGIN => judge(ground, hello, &resp),
            Pdu::Exit => Greeting::Bye,
            _ => Greeting::Other,
        }))
    }

    fn version(&self) -> &'static str {
        "3.0"
    }

    fn seq(&mut self, _: &Ground<'_>) -> u32 {
        self.sequence = self.sequence.wrapping_add(1).max(1);
        self.sequence
    }

    fn decode(&mut self, input: &mut BytesMut) -> Result<Option<Event<Self>>, Broken<Self>> {
        match self.decoder.decode(input) {
            Ok(frame) => Ok(frame.map(event)),
            Err(Error::Malformed { header, fault }) => {
                let resp = Response { status: smgp::fault_status(fault), ..Response::default() };
                let deliver = header.command == Command::Deliver.word();
                let refusal = deliver.then_some(Ack { sequence: header.sequence, resp });
                Err(Broken::Malformed { what: format!("{header} is malformed: {fault}"), refusal })
            }
            Err(error) => Err(Broken::OutOfStep(error.to_string())),
        }
    }

    fn submit(&mut self, sequence: u32, head: &Head, part: Part, out: &mut BytesMut) -> Result<(), String> {
        let tlvs = if part.total > 1 { Tlvs::part(part.udhi, part.total, part.number) } else { Ok(Tlvs::default()) };
        let submit = Submit {
            priority: if head.urgent { HIGHEST } else { NORMAL },
            valid_time: head.valid_time,
            src_term: head.sender,
            destinations: vec![head.number],
            content: part.content,
            tlvs: tlvs.map_err(|error| error.to_string())?,
            ..self.submit.clone()
        };
        Pdu::Submit(submit).encode(sequence, out).map_err(|error| error.to_string())
    }

    fn answer(&self, ack: &Ack, out: &mut BytesMut) {
        say(ack.sequence, &Pdu::DeliverResp(ack.resp), out);
    }

    fn later(ack: Ack) -> Ack {
        Ack { resp: Response { status: LATER, ..ack.resp }, ..ack }
    }

    fn probe(&self, sequence: u32, out: &mut BytesMut) {
        say(sequence, &Pdu::ActiveTest, out);
    }

    fn answer_probe(&self, sequence: u32, out: &mut BytesMut) {
        say(sequence, &Pdu::ActiveTestResp, out);
    }

    fn bye(&self, sequence: u32, out: &mut BytesMut) {
        say(sequence, &Pdu::Exit, out);
    }

    fn answer_bye(&self, sequence: u32, out: &mut BytesMut) {
        say(sequence, &Pdu::ExitResp, out);
    }

    fn verdict(code: u32) -> Verdict {
        match smgp::status_disposition(code, &[]) {
            Ok(()) | Err(Disposition::Vendor(_)) => Verdict::Vendor,
            Err(Disposition::BackOffRetry) => Verdict::SlowDown,
            Err(Disposition::AnotherHour) => Verdict::AnotherHour,
            Err(Disposition::AnotherDay) => Verdict::AnotherDay,
            Err(Disposition::NumberBad) => Verdict::BadNumber,
            Err(Disposition::StopLink) => Verdict::StopLink,
            Err(Disposition::OurBug) => Verdict::OurBug,
        }
    }
}

/// What the gateway answered to the LOGIN.
fn judge(ground: &Ground<'_>, client: &[u8; 16], resp: &LoginResp) -> Greeting<Smgp> {
    if let Err(disposition) = smgp::status_disposition(resp.status, &[]) {
        let last = matches!(disposition, Disposition::StopLink | Disposition::OurBug);
        return Greeting::Refused { status: resp.status, last, why: explain(resp.status) };
    }
    let proof = auth::server(resp.status, client, ground.secret.expose());
    if !auth::matches(&proof, &resp.authenticator) {
        return Greeting::NotGenuine;
    }
    Greeting::In(Smgp::new(ground.config))
}

const fn explain(status: u32) -> &'static str {
    match status {
        1 => " (system busy)",
        2 => " (too many connections)",
        10 => " (structure)",
        20 => " (address not allowed)",
        21 => " (authentication: check `client-id`, the secret and the clock)",
        22 => " (version)",
        _ => "",
    }
}

fn event(frame: Frame) -> Event<Smgp> {
    let sequence = frame.sequence;
    match frame.pdu {
        Pdu::SubmitResp(resp) => {
            let result = if resp.status == 0 { Ok(key(resp.msg_id)) } else { Err(resp.status) };
            Event::Answer { seq: sequence, result }
        }
        Pdu::Deliver(deliver) => delivered(sequence, &deliver),
        Pdu::ActiveTest => Event::Probe(sequence),
        Pdu::ActiveTestResp => Event::ProbeAnswer,
        Pdu::Exit => Event::Bye(sequence),
        Pdu::ExitResp => Event::ByeAnswer,
        other => Event::Unexpected(other.command().name()),
    }
}

/// Twenty digits, as the carrier's people write it.
fn key(id: smgp::MsgId) -> CarrierKey {
    CarrierKey::text(&id.to_string())
}

fn delivered(sequence: u32, deliver: &Deliver) -> Event<Smgp> {
    let ack = Ack { sequence, resp: Response { msg_id: deliver.msg_id, status: 0 } };
    match deliver.report() {
        Some(Ok(of)) => Event::Report { ack, report: report(&of, deliver) },
        Some(Err(fault)) => {
            let ack = Ack { resp: Response { status: BAD_STRUCTURE, ..ack.resp }, ..ack };
            Event::BadReport { ack, why: format!("a report is malformed: {fault}") }
        }
        None => {
            let piece = Piece {
                from: deliver.src_term,
                to: deliver.dest_term,
                udhi: deliver.tp_udhi(),
                format: deliver.msg_format,
                content: deliver.content.clone(),
            };
            Event::Inbound { ack, key: key(deliver.msg_id), piece }
        }
    }
}

/// A report in the outbox's words. The error tells more than the word, where there is one: `UNDELIV 005`.
fn report(report: &smgp::Report, deliver: &Deliver) -> Report {
    let word = report.stat.text().trim().to_owned();
    let outcome = match report.outcome(&[]) {
        smgp::Outcome::Delivered => ReportOutcome::Delivered,
        smgp::Outcome::Pending => ReportOutcome::Pending,
        smgp::Outcome::Failed(Disposition::NumberBad) => ReportOutcome::BadNumber,
        smgp::Outcome::Failed(_) if word.eq_ignore_ascii_case("EXPIRED") => ReportOutcome::Expired,
        smgp::Outcome::Failed(_) => ReportOutcome::Failed,
    };
    let err = report.err.text();
    let told = !err.is_empty() && !err.bytes().all(|digit| digit == b'0');
    let verbatim = || match (word.is_empty(), told) {
        (false, false) => word.clone(),
        (false, true) => format!("{word} {err}"),
        (true, _) => format!("error {err}"),
    };
    Report {
        key: key(report.msg_id),
        phone: phone(&deliver.src_term),
        stat: stat(outcome, verbatim),
        outcome,
        submitted: minute(&report.submit_date),
        done: minute(&report.done_date),
    }
}

/// Whether the word of a report, which [`report`] wrote, is about the number.
pub(super) fn calls_number_dead(stat: &str) -> bool {
    let code = stat.rsplit_once(' ').and_then(|(_, err)| err.parse().ok());
    code.is_some_and(|code| smgp::report_disposition(code, &[]) == Disposition::NumberBad)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_word_of_a_report_tells_again_whether_the_number_is_dead() {
        let mut dead = 0;
        for (stat, code) in
            ["UNDELIV", "EXPIRED", "DELIVRD", ""].into_iter().flat_map(|s| (0..1000).map(move |c| (s, c)))
        {
            let failed = smgp::Report {
                stat: fixed("stat", stat),
                err: fixed("err", &format!("{code:03}")),
                ..Default::default()
            };
            let told = report(&failed, &Deliver::default());
            assert_eq!(calls_number_dead(&told.stat), told.outcome == ReportOutcome::BadNumber, "{told:?}");
            dead += u32::from(told.outcome == ReportOutcome::BadNumber);
        }
        assert!(dead > 0);
        assert!(!["DELIVRD", "ACCEPTD", "", "UNDELIV", "UNDELIV x"].into_iter().any(calls_number_dead));
    }
}
