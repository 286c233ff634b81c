//! An SMGP 3.0 gateway: submits, reports and inbound messages on the connections that the client opens, as their login mode says, with
//! reports in the specification's text or in the spellings of other gateways. What it can do besides is in [`sms`](crate::sms).

use bytes::BytesMut;
use gridbell_sgip::number::bare;
use gridbell_smgp::{
    Command, Content, Decoder, Deliver, Error, FieldError, Login, LoginMode, LoginResp, MT, MsgFmt, MsgId, Number,
    Octets, Pdu, Report, Response, Submit, Tag, Tlvs, VERSION, auth, fault_status, text,
};

pub use crate::sms::{Account, CodeWeight, Config, Faults, LogEntry, Mo, ResultFault, Stats};
use crate::sms::{
    Broken, Civil, Codes, Directions, Fate, Incoming, LoginRequest, Offer, Outgoing, Protocol, Read, ReportWish, Wrote,
};

/// A running gateway.
pub type Gateway = crate::sms::Gateway<Smgp>;

/// SMGP, as a gateway sees it.
pub enum Smgp {}

/// Octets that fit a message in ASCII, and in any other format.
const MAX_ASCII: usize = 160;
const MAX_OTHER: usize = 140;
/// `Status`: structure, version, type, length, number.
const STRUCTURE: u32 = 10;
const TOO_NEW: u32 = 22;
const TYPE: u32 = 30;
const LENGTH: u32 = 36;
const NUMBER: u32 = 47;

impl Protocol for Smgp {
    type Sequence = u32;
    type Id = MsgId;
    type Login = Login;

    const CODES: Codes =
        Codes { authentication: 21, connections: 2, busy: 1, bad_number: 47, repeated: 12, source: 46, direction: 10 };
    const LONGEST_ID: usize = 8;

    fn decode(input: &mut BytesMut) -> Read<Self> {
        match Decoder::new().decode(input) {
            Ok(None) => Ok(None),
            Ok(Some(frame)) => Ok(Some((frame.sequence, incoming(frame.pdu)))),
            Err(Error::Malformed { header, fault }) => Err(Broken::Malformed {
                sequence: header.sequence,
                answer: matches!(Command::from_word(header.command), Some(Command::Submit) | None),
                code: fault_status(fault),
            }),
            Err(_) => Err(Broken::Framing),
        }
    }

    fn proves(login: &Login, secret: &str) -> bool {
        let expected = auth::client(login.client_id.as_bytes(), secret.as_bytes(), login.timestamp);
        auth::matches(&expected, &login.authenticator)
    }

    fn sequence(_gateway: u32, counter: u32, _now: &Civil) -> u32 {
        counter
    }

    fn id(gateway: u32, counter: u32, _submit: u32, now: &Civil) -> MsgId {
        MsgId::pack(gateway, ((now.month * 100 + now.day) * 100 + now.hour) * 100 + now.minute, counter)
    }

    fn login_answer(sequence: u32, login: &Login, secret: &str, code: u32, out: &mut BytesMut) -> Wrote {
        let authenticator =
            if code == 0 { auth::server(code, &login.authenticator, secret.as_bytes()) } else { [0; 16] };
        write(Pdu::LoginResp(LoginResp { status: code, authenticator, version: VERSION }), sequence, out)
    }

    fn submit_answer(sequence: u32, id: Option<MsgId>, code: u32, out: &mut BytesMut) -> Wrote {
        write(Pdu::SubmitResp(Response { msg_id: id.unwrap_or_default(), status: code }), sequence, out)
    }

    fn heartbeat(sequence: u32, out: &mut BytesMut) -> bool {
        write(Pdu::ActiveTest, sequence, out).is_ok()
    }

    fn heartbeat_answer(sequence: u32, out: &mut BytesMut) -> Wrote {
        write(Pdu::ActiveTestResp, sequence, out)
    }

    fn goodbye(sequence: u32, out: &mut BytesMut) -> Wrote {
        write(Pdu::Exit, sequence, out)
    }

    fn goodbye_answer(sequence: u32, out: &mut BytesMut) -> Wrote {
        write(Pdu::ExitResp, sequence, out)
    }

    fn reverse_login(_sequence: u32, _id: &str, _secret: &str, _out: &mut BytesMut) -> Option<Wrote> {
        None
    }

    fn deliver(sequence: u32, outgoing: &Outgoing<Self>, now: &Civil, out: &mut BytesMut) -> Wrote {
        let Civil { year, month, day, hour, minute, second } = now;
        let recv_time = Octets::new("RecvTime", format!("{year:04}{month:02}{day:02}{hour:02}{minute:02}{second:02}"))?;
        // A delivery's own number, which its answer repeats: nobody looks it up.
        let msg_id = MsgId::pack(0, 0, sequence);
        let deliver = Deliver { msg_id, recv_time, ..Deliver::default() };
        let deliver = match outgoing {
            Outgoing::Report { id, destination, src, fate, submitted, spelling } => {
                let report = report(*id, *fate, &Civil::of(*submitted), now)?;
                let content = spelt(&report, *spelling)?;
                Deliver { is_report: 1, src_term: *destination, dest_term: *src, content, ..deliver }
            }
            Outgoing::Inbound(inbound) => Deliver {
                msg_format: MsgFmt::UCS2,
                src_term: inbound.from,
                dest_term: inbound.to,
                content: inbound.content.clone(),
                tlvs: Tlvs::part(inbound.udhi, inbound.part.0, inbound.part.1)?,
                ..deliver
            },
        };
        write(Pdu::Deliver(deliver), sequence, out)
    }
}

fn write(pdu: Pdu, sequence: u32, out: &mut BytesMut) -> Wrote {
    pdu.encode(sequence, out).map_err(|error| match error {
        Error::Field(error) => error,
        // Only reading gives the others.
        Error::Framing { .. } | Error::Malformed { .. } => FieldError::ZeroOctet { field: "PacketLength" },
    })
}

fn incoming(pdu: Pdu) -> Incoming<Smgp> {
    match pdu {
        Pdu::Login(login) => Incoming::Login(LoginRequest {
            id: login.client_id.as_bytes().to_vec(),
            directions: Directions {
                submits: login.mode != LoginMode::RECEIVE,
                delivers: login.mode != LoginMode::SEND,
            },
            refusal: if login.mode.0 > 2 { Some(STRUCTURE) } else { (login.version > VERSION).then_some(TOO_NEW) },
            login,
        }),
        Pdu::Submit(submit) => Incoming::Submit(Box::new(offer(submit))),
        Pdu::DeliverResp(response) => Incoming::DeliverAnswer(response.status == 0),
        Pdu::ActiveTest => Incoming::Heartbeat,
        Pdu::ActiveTestResp => Incoming::HeartbeatAnswer,
        Pdu::Exit => Incoming::Goodbye,
        Pdu::ExitResp => Incoming::GoodbyeAnswer,
        Pdu::LoginResp(_) | Pdu::SubmitResp(_) | Pdu::Deliver(_) => Incoming::Unexpected,
    }
}

fn offer(submit: Submit) -> Offer {
    let refusal = refusal(&submit);
    Offer {
        udhi: submit.tp_udhi() == 1,
        destinations: submit.destinations,
        src: submit.src_term,
        service: submit.service_id,
        format: submit.msg_format,
        content: submit.content,
        report: if submit.need_report == 1 { ReportWish::Always } else { ReportWish::Never },
        refusal,
    }
}

/// The status that refuses a submit by SMGP's own rules.
fn refusal(submit: &Submit) -> Option<u32> {
    let limit = if submit.msg_format == MsgFmt::ASCII { MAX_ASCII } else { MAX_OTHER };
    if submit.msg_type != MT {
        Some(TYPE)
    } else if submit.content.len() > limit {
        Some(LENGTH)
    } else if !parts_agree(submit) {
        Some(STRUCTURE)
    } else if !submit.destinations.iter().all(is_mobile) {
        Some(NUMBER)
    } else {
        None
    }
}

/// A long message's header says the same as `PkTotal` and `PkNumber`.
fn parts_agree(submit: &Submit) -> bool {
    if submit.tp_udhi() != 1 {
        return true;
    }
    let stated = (submit.tlvs.octet(Tag::PK_TOTAL), submit.tlvs.octet(Tag::PK_NUMBER));
    let (header, _) = text::split_header(&submit.content);
    header.is_some_and(|part| (Some(part.total), Some(part.number)) == stated)
}

fn is_mobile(number: &Number) -> bool {
    let number = bare(number.expose());
    number.len() == 11 && number.starts_with(b"1") && number.iter().all(u8::is_ascii_digit)
}

fn report(msg_id: MsgId, fate: Fate, submitted: &Civil, now: &Civil) -> Result<Report, FieldError> {
    let (dlvrd, stat, err) = match fate {
        Fate::Delivered => ("001", "DELIVRD", 0),
        Fate::Pending => ("000", "ACCEPTD", 0),
        Fate::Failed(code) => ("000", "UNDELIV", code),
    };
    Ok(Report {
        msg_id,
        sub: Octets::new("sub", "001")?,
        dlvrd: Octets::new("dlvrd", dlvrd)?,
        submit_date: submitted.minute_text(),
        done_date: now.minute_text(),
        stat: Octets::new("stat", stat)?,
        err: Octets::new("err", format!("{err:03}"))?,
    })
}

/// The report as the specification writes it, or as gateways do: underscores and capitals, `s` between the fields, fields missing,
/// the number in digits.
fn spelt(report: &Report, spelling: u32) -> Result<Content, FieldError> {
    let Report { msg_id, submit_date, done_date, stat, err, .. } = report;
    let (submit, done, stat, err) = (submit_date.text(), done_date.text(), stat.text(), err.text());
    let fields = match spelling % 4 {
        0 => return report.encode(),
        1 => format!(" Sub:001 Dlvrd:001 Submit_Date:{submit} Done_Date:{done} Stat:{stat} Err:{err} Text:"),
        2 => format!("sSub:001sDlvrd:001sSubmit_Date:{submit}sDone_Date:{done}sStat:{stat}sErr:{err}sText:"),
        _ => return Content::new(format!("ID:{msg_id} STAT:{stat} ERR:{err}").into_bytes()),
    };
    Content::new([b"id:", &msg_id.0[..], fields.as_bytes()].concat())
}
