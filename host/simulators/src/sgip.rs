//! An SGIP 1.2 gateway (SMG): submits on connections that the client opens, reports and inbound messages on the reverse connection that
//! the gateway dials and binds with type 2 ([`Account::reverse`]). What it can do besides is in [`sms`](crate::sms).

use bytes::BytesMut;
use gridbell_sgip::{
    Bind, Decoder, Deliver, Error, FieldError, LoginType, MsgFmt, Octets, Password, Pdu, Report, ReportFlag,
    ReportState, Response, Sequence, Submit, fault_result, number,
};

use crate::cmpp::fate;
pub use crate::sms::{Account, CodeWeight, Config, Faults, LogEntry, Mo, ResultFault, Stats};
use crate::sms::{
    Broken, Civil, Codes, Directions, Fate, Incoming, LoginRequest, Offer, Outgoing, Protocol, Read, ReportWish, Wrote,
};

/// A running gateway.
pub type Gateway = crate::sms::Gateway<Sgip>;

/// SGIP, as a gateway sees it.
pub enum Sgip {}

/// Octets that fit a message in ASCII, and in any other format.
const MAX_ASCII: usize = 160;
const MAX_OTHER: usize = 140;
/// `Result`: login type, parameter, number, length.
const LOGIN_TYPE: u32 = 4;
const PARAMETER: u32 = 5;
const NUMBER: u32 = 6;
const LENGTH: u32 = 8;

impl Protocol for Sgip {
    type Sequence = Sequence;
    /// A message is named by its submit's sequence and its terminal.
    type Id = Sequence;
    type Login = Password;

    const CODES: Codes =
        Codes { authentication: 1, connections: 3, busy: 11, bad_number: 6, repeated: 9, source: 5, direction: 4 };
    const LONGEST_ID: usize = 16;

    fn decode(input: &mut BytesMut) -> Read<Self> {
        match Decoder::new().decode(input) {
            Ok(None) => Ok(None),
            Ok(Some(frame)) => Ok(Some((frame.sequence, incoming(frame.pdu)))),
            Err(Error::Malformed { header, fault }) => Err(Broken::Malformed {
                sequence: header.sequence,
                answer: matches!(
                    gridbell_sgip::Command::from_word(header.command),
                    Some(gridbell_sgip::Command::Submit) | None
                ),
                code: fault_result(fault).into(),
            }),
            Err(_) => Err(Broken::Framing),
        }
    }

    fn proves(login: &Password, secret: &str) -> bool {
        Password::new(secret).is_ok_and(|secret| secret.is(login))
    }

    fn sequence(gateway: u32, counter: u32, now: &Civil) -> Sequence {
        let stamp = Sequence::stamp(now.month, now.day, now.hour, now.minute, now.second).unwrap_or_default();
        Sequence { node: gateway, stamp, counter }
    }

    fn id(_gateway: u32, _counter: u32, submit: Sequence, _now: &Civil) -> Sequence {
        submit
    }

    fn login_answer(sequence: Sequence, _login: &Password, _secret: &str, code: u32, out: &mut BytesMut) -> Wrote {
        write(Pdu::BindResp(response(code)), sequence, out)
    }

    fn submit_answer(sequence: Sequence, _id: Option<Sequence>, code: u32, out: &mut BytesMut) -> Wrote {
        write(Pdu::SubmitResp(response(code)), sequence, out)
    }

    fn heartbeat(_sequence: Sequence, _out: &mut BytesMut) -> bool {
        false
    }

    fn heartbeat_answer(_sequence: Sequence, _out: &mut BytesMut) -> Wrote {
        Ok(())
    }

    fn goodbye(sequence: Sequence, out: &mut BytesMut) -> Wrote {
        write(Pdu::Unbind, sequence, out)
    }

    fn goodbye_answer(sequence: Sequence, out: &mut BytesMut) -> Wrote {
        write(Pdu::UnbindResp, sequence, out)
    }

    fn reverse_login(sequence: Sequence, id: &str, secret: &str, out: &mut BytesMut) -> Option<Wrote> {
        let bind = || -> Result<Bind, FieldError> {
            Ok(Bind {
                login_type: LoginType::SMG_TO_SP,
                name: Octets::new("Login Name", id)?,
                password: Password::new(secret)?,
                reserve: Octets::EMPTY,
            })
        };
        Some(bind().and_then(|bind| write(Pdu::Bind(bind), sequence, out)))
    }

    fn deliver(sequence: Sequence, outgoing: &Outgoing<Self>, _now: &Civil, out: &mut BytesMut) -> Wrote {
        let pdu = match outgoing {
            Outgoing::Report { id, destination, fate, .. } => {
                let (state, error_code) = match fate {
                    Fate::Delivered => (ReportState::DELIVERED, 0),
                    Fate::Pending => (ReportState::WAITING, 0),
                    Fate::Failed(code) => (ReportState::FAILED, *code),
                };
                Pdu::Report(Report { submit: *id, user: *destination, state, error_code, ..Report::default() })
            }
            Outgoing::Inbound(inbound) => Pdu::Deliver(Deliver {
                user: number::user(&inbound.from.expose_text())?,
                sp_number: inbound.to,
                tp_udhi: inbound.udhi,
                coding: MsgFmt::UCS2,
                content: inbound.content.clone(),
                ..Deliver::default()
            }),
        };
        write(pdu, sequence, out)
    }
}

fn write(pdu: Pdu, sequence: Sequence, out: &mut BytesMut) -> Wrote {
    pdu.encode(sequence, out).map_err(|error| match error {
        Error::Field(error) => error,
        // Only reading gives the others.
        Error::Framing { .. } | Error::Malformed { .. } => FieldError::ZeroOctet { field: "Message Length" },
    })
}

/// The gateway's own codes fit an octet.
fn response(code: u32) -> Response {
    Response::new(u8::try_from(code).unwrap_or(u8::MAX))
}

fn incoming(pdu: Pdu) -> Incoming<Sgip> {
    match pdu {
        Pdu::Bind(bind) => Incoming::Login(LoginRequest {
            id: bind.name.as_bytes().to_vec(),
            login: bind.password,
            directions: Directions { submits: true, delivers: false },
            refusal: (bind.login_type != LoginType::SP_TO_SMG).then_some(LOGIN_TYPE),
        }),
        Pdu::BindResp(response) => Incoming::LoginAnswer(response.result.into()),
        Pdu::Submit(submit) => Incoming::Submit(Box::new(offer(submit))),
        Pdu::DeliverResp(response) | Pdu::ReportResp(response) => Incoming::DeliverAnswer(response.result == 0),
        Pdu::Unbind => Incoming::Goodbye,
        Pdu::UnbindResp => Incoming::GoodbyeAnswer,
        Pdu::SubmitResp(_) | Pdu::Deliver(_) | Pdu::Report(_) => Incoming::Unexpected,
    }
}

fn offer(submit: Submit) -> Offer {
    let refusal = refusal(&submit);
    Offer {
        destinations: submit.users,
        src: submit.sp_number,
        service: submit.service_type,
        udhi: submit.tp_udhi == 1,
        format: submit.coding,
        content: submit.content,
        report: match submit.report_flag {
            ReportFlag::ALWAYS => ReportWish::Always,
            ReportFlag::ON_ERROR => ReportWish::OnFailure,
            _ => ReportWish::Never,
        },
        refusal,
    }
}

/// The result that refuses a submit by SGIP's own rules.
fn refusal(submit: &Submit) -> Option<u32> {
    let limit = if submit.coding == MsgFmt::ASCII { MAX_ASCII } else { MAX_OTHER };
    let user = |octets: &[u8]| octets.starts_with(b"86") && octets.len() == 13 && is_mobile(fate::bare(octets));
    let small = submit.report_flag.0 <= 3 && submit.tp_udhi <= 1 && submit.priority <= 9 && submit.message_type == 0;
    if !small || !digits(submit.sp_number.as_bytes()) {
        Some(PARAMETER)
    } else if submit.content.len() > limit {
        Some(LENGTH)
    } else if !submit.users.iter().all(|number| user(number.expose())) {
        Some(NUMBER)
    } else {
        None
    }
}

fn is_mobile(number: &[u8]) -> bool {
    number.len() == 11 && number.starts_with(b"1") && digits(number)
}

fn digits(octets: &[u8]) -> bool {
    !octets.is_empty() && octets.iter().all(u8::is_ascii_digit)
}
