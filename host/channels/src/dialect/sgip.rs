//! SGIP 1.2: name and password in clear, no heartbeat. Submits go over the connection that we open; reports and inbound messages come over
//! one that the gateway opens to us, which is let in by [`Caller`]. A report names its message by the sequence of our submit.

use std::sync::atomic::Ordering;

use bytes::BytesMut;
use gridbell_model::{CarrierKey, CivilMinute};
use gridbell_sgip::{
    self as sgip, Bind, Command, Decoder, Deliver, Disposition, Error, Frame, LoginType, MsgFmt, Number, Octets,
    Password, Pdu, ReportFlag, Response, Sequence, Submit, number,
};
use gridbell_wire::assemble::Piece;
use gridbell_wire::text::Part;

use super::{Broken, Dialect, Event, Greeting, Ground, Verdict, fixed, phone, stamp, stat};
use crate::config::LinkConfig;
use crate::port::{Report, ReportOutcome};
use crate::queue::Head;
use crate::secret::Secret;

/// `Result`: login type; and node busy, after which it comes again.
const LOGIN_TYPE: u8 = 4;
const LATER: u8 = 11;
/// `Result`s that say that we send too fast: node busy, queue of the message centre full. The others that pass are about one terminal.
const TOO_FAST: [u32; 2] = [11, 33];
/// `Priority` of what is urgent.
const HIGHEST: u8 = 9;
/// `FeeType`: free to whoever receives it; its amounts, in fen.
const FEE_TYPE: u8 = 1;
const FEE: &str = "000000";
/// `MorelatetoMTFlag`: no inbound message is the cause.
const NOT_ASKED_FOR: u8 = 2;
/// `ReportType` about a submit.
const ABOUT_SUBMIT: u8 = 0;

/// A connection, whoever opened it.
pub(crate) struct Sgip {
    decoder: Decoder,
    /// The SUBMIT with all that does not change.
    submit: Submit,
}

/// An answer to a REPORT or a DELIVER.
#[derive(Debug)]
pub(crate) struct Ack {
    sequence: Sequence,
    to_report: bool,
    result: u8,
}

impl Sgip {
    fn new(config: &LinkConfig) -> Self {
        let submit = Submit {
            charge_number: Number::new("ChargeNumber", number::SENDER_PAYS).unwrap_or_default(),
            corp_id: fixed("CorpId", &config.corp_id),
            service_type: fixed("ServiceType", &config.service_id),
            fee_type: FEE_TYPE,
            fee_value: fixed("FeeValue", FEE),
            given_value: fixed("GivenValue", FEE),
            mo_relate_to_mt: NOT_ASKED_FOR,
            report_flag: ReportFlag::ALWAYS,
            coding: MsgFmt::UCS2,
            ..Submit::default()
        };
        Self { decoder: Decoder::new(), submit }
    }
}

/// Only SUBMITs, which go another way, carry anything that could not fit.
fn say(sequence: Sequence, pdu: &Pdu, out: &mut BytesMut) {
    if let Err(error) = pdu.encode(sequence, out) {
        tracing::error!(%error, "an answer could not be written");
    }
}

/// The link's next sequence: no two of its connections, and no two processes within a second, have the same.
fn next(ground: &Ground<'_>) -> Sequence {
    let [month, day, hour, minute, second] = stamp(ground.clock.now());
    let stamp = Sequence::stamp(month, day, hour, minute, second).unwrap_or_default();
    let counter = ground.counter.fetch_add(1, Ordering::Relaxed);
    Sequence { node: ground.config.node, stamp, counter }
}

impl Dialect for Sgip {
    type Seq = Sequence;
    type Ack = Ack;
    type Offer = ();
    /// The BIND's sequence.
    type Hello = Sequence;

    const HEARTBEAT: bool = false;
    const CALLS: bool = true;

    fn offer(_: &LinkConfig) {}

    fn hello(ground: &Ground<'_>, (): (), out: &mut BytesMut) -> Result<Sequence, String> {
        let sequence = next(ground);
        let bind = Bind {
            login_type: LoginType::SP_TO_SMG,
            name: Octets::new("Login Name", &ground.config.login_name).map_err(|e| e.to_string())?,
            password: Password::new(ground.secret.expose()).map_err(|e| e.to_string())?,
            reserve: Octets::EMPTY,
        };
        Pdu::Bind(bind).encode(sequence, out).map_err(|e| e.to_string())?;
        Ok(sequence)
    }

    fn greet(ground: &Ground<'_>, hello: &Sequence, input: &mut BytesMut) -> Result<Option<Greeting<Self>>, String> {
        let frame = Decoder::new().decode(input).map_err(|error| error.to_string())?;
        Ok(frame.map(|frame| match frame.pdu {
            Pdu::BindResp(resp) if frame.sequence == *hello => judge(ground, resp.result),
            Pdu::Unbind => Greeting::Bye,
            _ => Greeting::Other,
        }))
    }

    fn version(&self) -> &'static str {
        "1.2"
    }

    fn seq(&mut self, ground: &Ground<'_>) -> Sequence {
        next(ground)
    }

    fn decode(&mut self, input: &mut BytesMut) -> Result<Option<Event<Self>>, Broken<Self>> {
        match self.decoder.decode(input) {
            Ok(frame) => Ok(frame.map(event)),
            Err(Error::Malformed { header, fault }) => {
                let result = sgip::fault_result(fault);
                let refusal = |to_report| Ack { sequence: header.sequence, to_report, result };
                let refusal = match Command::from_word(header.command) {
                    Some(Command::Report) => Some(refusal(true)),
                    Some(Command::Deliver) => Some(refusal(false)),
                    _ => None,
                };
                Err(Broken::Malformed { what: format!("{header} is malformed: {fault}"), refusal })
            }
            Err(error) => Err(Broken::OutOfStep(error.to_string())),
        }
    }

    fn submit(&mut self, sequence: Sequence, head: &Head, part: Part, out: &mut BytesMut) -> Result<(), String> {
        let user = number::user(&head.number.expose_text()).map_err(|error| error.to_string())?;
        let submit = Submit {
            sp_number: head.sender,
            users: vec![user],
            priority: if head.urgent { HIGHEST } else { 0 },
            // Sixteen characters in a field of sixteen.
            expire_time: Octets::from_padded(head.valid_time.as_bytes()),
            tp_udhi: part.udhi,
            content: part.content,
            ..self.submit.clone()
        };
        Pdu::Submit(submit).encode(sequence, out).map_err(|error| error.to_string())
    }

    fn answer(&self, ack: &Ack, out: &mut BytesMut) {
        let resp = Response::new(ack.result);
        let pdu = if ack.to_report { Pdu::ReportResp(resp) } else { Pdu::DeliverResp(resp) };
        say(ack.sequence, &pdu, out);
    }

    fn later(ack: Ack) -> Ack {
        Ack { result: LATER, ..ack }
    }

    fn probe(&self, _: Sequence, _: &mut BytesMut) {}

    fn answer_probe(&self, _: Sequence, _: &mut BytesMut) {}

    fn bye(&self, sequence: Sequence, out: &mut BytesMut) {
        say(sequence, &Pdu::Unbind, out);
    }

    fn answer_bye(&self, sequence: Sequence, out: &mut BytesMut) {
        say(sequence, &Pdu::UnbindResp, out);
    }

    fn verdict(code: u32) -> Verdict {
        let Ok(result) = u8::try_from(code) else { return Verdict::Vendor };
        match sgip::submit_disposition(result, &[]) {
            Ok(()) | Err(Disposition::Vendor(_)) => Verdict::Vendor,
            Err(Disposition::BackOffRetry) if TOO_FAST.contains(&code) => Verdict::SlowDown,
            Err(Disposition::BackOffRetry) => Verdict::Retry,
            Err(Disposition::NumberBad) => Verdict::BadNumber,
            Err(Disposition::StopLink) => Verdict::StopLink,
            Err(Disposition::OurBug) => Verdict::OurBug,
        }
    }
}

/// What the gateway answered to the BIND.
fn judge(ground: &Ground<'_>, result: u8) -> Greeting<Sgip> {
    match sgip::bind_disposition(result, &[]) {
        Ok(()) => Greeting::In(Sgip::new(ground.config)),
        Err(disposition) => {
            let last = !matches!(disposition, Disposition::BackOffRetry | Disposition::Vendor(_));
            Greeting::Refused { status: result.into(), last, why: explain(result) }
        }
    }
}

const fn explain(result: u8) -> &'static str {
    match result {
        1 => " (login: check `login-name`, the password and whether this address is allowed)",
        2 => " (logged in already)",
        3 => " (too many connections)",
        4 => " (login type)",
        11 => " (node busy)",
        _ => "",
    }
}

fn event(frame: Frame) -> Event<Sgip> {
    let sequence = frame.sequence;
    match frame.pdu {
        Pdu::SubmitResp(resp) => {
            let result = if resp.result == 0 { Ok(key(sequence)) } else { Err(resp.result.into()) };
            Event::Answer { seq: sequence, result }
        }
        Pdu::Report(report) => reported(sequence, &report),
        Pdu::Deliver(deliver) => {
            let ack = Ack { sequence, to_report: false, result: 0 };
            Event::Inbound { ack, key: key(sequence), piece: piece(&deliver) }
        }
        Pdu::Unbind => Event::Bye(sequence),
        Pdu::UnbindResp => Event::ByeAnswer,
        other => Event::Unexpected(other.command().name()),
    }
}

/// The three words as the carrier's people write them. Each of our submits has one terminal, so they name one part.
fn key(sequence: Sequence) -> CarrierKey {
    CarrierKey::text(&sequence.to_string())
}

fn piece(deliver: &Deliver) -> Piece {
    Piece {
        from: deliver.user,
        to: deliver.sp_number,
        udhi: deliver.tp_udhi,
        format: deliver.coding,
        content: deliver.content.clone(),
    }
}

/// With which the word of a failure begins; its number follows.
const ERROR: &str = "error ";

/// A report in the outbox's words: the error is all that it says, and there are no times in it.
fn reported(sequence: Sequence, report: &sgip::Report) -> Event<Sgip> {
    let ack = Ack { sequence, to_report: true, result: 0 };
    if report.report_type != ABOUT_SUBMIT {
        return Event::BadReport { ack, why: format!("a report of type {} is about no submit", report.report_type) };
    }
    let outcome = match report.outcome(&[]) {
        sgip::Outcome::Delivered => ReportOutcome::Delivered,
        sgip::Outcome::Pending => ReportOutcome::Pending,
        sgip::Outcome::Failed(Disposition::NumberBad) => ReportOutcome::BadNumber,
        sgip::Outcome::Failed(_) => ReportOutcome::Failed,
    };
    let report = Report {
        key: key(report.submit),
        phone: phone(&report.user),
        stat: stat(outcome, || format!("{ERROR}{}", report.error_code)),
        outcome,
        submitted: CivilMinute::NONE,
        done: CivilMinute::NONE,
    };
    Event::Report { ack, report }
}

/// Whether the word of a report, which [`reported`] wrote, is about the number.
pub(super) fn calls_number_dead(stat: &str) -> bool {
    let code = stat.strip_prefix(ERROR).and_then(|code| code.parse().ok());
    code.is_some_and(|code| sgip::report_disposition(code, &[]) == Disposition::NumberBad)
}

/// A gateway that opened a connection to us and says who it is.
pub(crate) struct Caller {
    sequence: Sequence,
    bind: Bind,
}

impl Caller {
    /// The first PDU of a connection; none while it is not there whole.
    ///
    /// # Errors
    /// Where it is anything but a BIND.
    pub(crate) fn hear(input: &mut BytesMut) -> Result<Option<Self>, String> {
        match Decoder::new().decode(input).map_err(|error| error.to_string())? {
            None => Ok(None),
            Some(Frame { sequence, pdu: Pdu::Bind(bind) }) => Ok(Some(Self { sequence, bind })),
            Some(frame) => Err(format!("{} came before a BIND", frame.pdu.command().name())),
        }
    }

    /// Whether it says that it is this link's.
    pub(crate) fn calls(&self, config: &LinkConfig) -> bool {
        self.bind.name.as_bytes() == config.login_name.as_bytes()
    }

    /// Judges what it says against what the link knows.
    ///
    /// # Errors
    /// The result that refuses it.
    pub(crate) fn judge(&self, secret: &Secret) -> Result<(), u8> {
        if !Password::new(secret.expose()).is_ok_and(|secret| secret.is(&self.bind.password)) {
            return Err(Self::UNKNOWN);
        }
        if self.bind.login_type == LoginType::SMG_TO_SP { Ok(()) } else { Err(LOGIN_TYPE) }
    }

    /// `Result` for a login that is none, and for one too many.
    pub(crate) const UNKNOWN: u8 = 1;
    pub(crate) const TOO_MANY: u8 = 3;
    /// For a link that ends.
    pub(crate) const ENDING: u8 = LATER;

    /// Writes the answer to the BIND.
    pub(crate) fn answer(&self, result: u8, out: &mut BytesMut) {
        say(self.sequence, &Pdu::BindResp(Response::new(result)), out);
    }

    /// The connection as what it is once it is let in.
    pub(crate) fn enter(&self, config: &LinkConfig) -> Sgip {
        Sgip::new(config)
    }
}

#[cfg(test)]
mod tests {
    use sgip::ReportState;

    use super::*;

    #[test]
    fn the_word_of_a_report_tells_again_whether_the_number_is_dead() {
        let mut dead = 0;
        for error_code in 0..=u8::MAX {
            let failed = sgip::Report {
                report_type: ABOUT_SUBMIT,
                state: ReportState::FAILED,
                error_code,
                ..Default::default()
            };
            let Event::Report { report, .. } = reported(Sequence::default(), &failed) else { panic!("it is a report") };
            assert_eq!(calls_number_dead(&report.stat), report.outcome == ReportOutcome::BadNumber, "{report:?}");
            dead += u32::from(report.outcome == ReportOutcome::BadNumber);
        }
        assert!(dead > 0);
        assert!(!["DELIVRD", "ACCEPTD", "", "error", "error x", "27"].into_iter().any(calls_number_dead));
    }
}
