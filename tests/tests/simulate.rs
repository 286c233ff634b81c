//! `gridbell simulate`: each gateway on its own, spoken to by a client made of the codec, and what it says of it.
#![expect(clippy::unwrap_used, reason = "a test that cannot be set up has failed")]

use std::io::{Read, Write};
use std::net::{TcpListener, TcpStream};

use bytes::BytesMut;
use gridbell_cmpp as cmpp;
use gridbell_sgip as sgip;
use gridbell_smgp as smgp;
use gridbell_tests::{Process, Stream, scratch};
use nix::sys::signal::Signal;
use serde_json::{Value, json};

const WORDS: &str = "停电通知";

/// Started on a port of its own, and connected to.
fn start(arguments: &[&str]) -> (Process, TcpStream) {
    let mut process = Process::gridbell([&["simulate"], arguments, &["--listen", "127.0.0.1:0"]].concat());
    let line = process.wait_for_err("listening on ");
    let stream = TcpStream::connect(line.after("listening on ").unwrap()).unwrap();
    (process, stream)
}

/// Sends what was written and reads until an answer is whole.
fn ask<T>(stream: &mut TcpStream, out: &BytesMut, read: impl FnMut(&mut BytesMut) -> Option<T>) -> T {
    stream.write_all(out).unwrap();
    hear(stream, read)
}

fn hear<T>(stream: &mut TcpStream, mut read: impl FnMut(&mut BytesMut) -> Option<T>) -> T {
    let mut buffer = BytesMut::new();
    loop {
        if let Some(answer) = read(&mut buffer) {
            return answer;
        }
        let mut octet = [0];
        stream.read_exact(&mut octet).unwrap();
        buffer.extend_from_slice(&octet);
    }
}

/// The part as it was printed, then the counters when the process is asked to end.
fn said(mut process: Process, signal: Signal) -> (Value, Value) {
    let entry = process.wait_for_out(WORDS).json().unwrap();
    process.signal(signal);
    assert_eq!(process.wait().code(), Some(0), "{}", process.output(Stream::Err));
    let counters = process.output(Stream::Err).lines().last().map(|line| serde_json::from_str(line).unwrap());
    (entry, counters.unwrap())
}

#[test]
fn cmpp_alone() {
    let (process, mut stream) = start(&["cmpp"]);
    let decoder = cmpp::Decoder::new(cmpp::Version::V2_0);
    let stamp = cmpp::Stamp::new(11, 22, 12, 0, 0).unwrap();
    let connect = cmpp::Connect {
        sp_id: cmpp::Octets::new("test", "901234").unwrap(),
        authenticator: cmpp::auth::source(b"901234", b"secret", stamp),
        version: 0x20,
        timestamp: stamp.number(),
    };
    let mut out = BytesMut::new();
    cmpp::Pdu::Connect(connect).encode(1, cmpp::Version::V2_0, &mut out).unwrap();
    let answer = ask(&mut stream, &out, |buffer| decoder.decode(buffer).unwrap());
    assert!(matches!(answer.pdu, cmpp::Pdu::ConnectResp(response) if response.status == 0));
    let submit = cmpp::Submit {
        pk_total: 1,
        pk_number: 1,
        fee_user_type: cmpp::FeeUserType::SP,
        msg_fmt: cmpp::MsgFmt::UCS2,
        msg_src: cmpp::Octets::new("test", "901234").unwrap(),
        fee_type: cmpp::Octets::new("test", "01").unwrap(),
        fee_code: cmpp::Octets::new("test", "000000").unwrap(),
        src_id: cmpp::Octets::new("test", "1065795598").unwrap(),
        destinations: vec![cmpp::Number::new("test", "13800001234").unwrap()],
        content: cmpp::text::split(WORDS, 1).unwrap().remove(0).content,
        ..cmpp::Submit::default()
    };
    out.clear();
    cmpp::Pdu::Submit(submit).encode(2, cmpp::Version::V2_0, &mut out).unwrap();
    let answer = ask(&mut stream, &out, |buffer| decoder.decode(buffer).unwrap());
    assert!(matches!(answer.pdu, cmpp::Pdu::SubmitResp(response) if response.result == 0), "{answer:?}");
    drop(stream);
    let (entry, counters) = said(process, Signal::SIGINT);
    assert_eq!((&entry["destination"], &entry["text"]), (&json!("13800001234"), &json!(WORDS)));
    assert_eq!(counters["accounts"]["901234"]["parts_accepted"], 1);
}

#[test]
fn sgip_alone_reports_on_the_reverse_connection() {
    let folder = scratch();
    let reverse = TcpListener::bind("127.0.0.1:0").unwrap();
    let config = folder.path().join("gateway.json");
    let account = json!({ "id": "city", "secret": "s", "reverse": reverse.local_addr().unwrap() });
    std::fs::write(&config, json!({ "accounts": [account] }).to_string()).unwrap();
    let (process, mut stream) = start(&["sgip", "--config", config.to_str().unwrap()]);
    let decoder = sgip::Decoder::new();
    let sequence = |counter| sgip::Sequence { node: 3_037_112_345, stamp: 1_122_120_000, counter };
    let bind = sgip::Bind {
        login_type: sgip::LoginType::SP_TO_SMG,
        name: sgip::Octets::new("test", "city").unwrap(),
        password: sgip::Password::new("s").unwrap(),
        ..sgip::Bind::default()
    };
    let mut out = BytesMut::new();
    sgip::Pdu::Bind(bind).encode(sequence(1), &mut out).unwrap();
    let answer = ask(&mut stream, &out, |buffer| decoder.decode(buffer).unwrap());
    assert_eq!(answer.pdu, sgip::Pdu::BindResp(sgip::Response::new(0)));
    let submit = sgip::Submit {
        sp_number: sgip::Octets::new("test", "1065512345").unwrap(),
        users: vec![sgip::number::user("13000001234").unwrap()],
        report_flag: sgip::ReportFlag::ALWAYS,
        coding: sgip::MsgFmt::UCS2,
        content: sgip::text::split(WORDS, 1).unwrap().remove(0).content,
        ..sgip::Submit::default()
    };
    out.clear();
    sgip::Pdu::Submit(submit).encode(sequence(2), &mut out).unwrap();
    let answer = ask(&mut stream, &out, |buffer| decoder.decode(buffer).unwrap());
    assert_eq!(answer.pdu, sgip::Pdu::SubmitResp(sgip::Response::new(0)));

    let (mut back, _) = reverse.accept().unwrap();
    let bound = hear(&mut back, |buffer| decoder.decode(buffer).unwrap());
    out.clear();
    sgip::Pdu::BindResp(sgip::Response::new(0)).encode(bound.sequence, &mut out).unwrap();
    let report = ask(&mut back, &out, |buffer| decoder.decode(buffer).unwrap());
    assert!(matches!(&report.pdu, sgip::Pdu::Report(report) if report.submit == sequence(2)), "{report:?}");
    out.clear();
    sgip::Pdu::ReportResp(sgip::Response::new(0)).encode(report.sequence, &mut out).unwrap();
    back.write_all(&out).unwrap();
    drop((stream, back));
    let (entry, counters) = said(process, Signal::SIGTERM);
    assert_eq!((&entry["account"], &entry["msg_id"]), (&json!("city"), &json!(sequence(2).to_string())));
    assert_eq!(counters["accounts"]["city"]["reverse_logins"], 1);
}

#[test]
fn smgp_alone() {
    let (process, mut stream) = start(&["smgp"]);
    let decoder = smgp::Decoder::new();
    let timestamp = 1_122_120_000;
    let login = smgp::Login {
        client_id: smgp::Octets::new("test", "power").unwrap(),
        authenticator: smgp::auth::client(b"power", b"secret", timestamp),
        mode: smgp::LoginMode::SEND,
        timestamp,
        version: smgp::VERSION,
    };
    let mut out = BytesMut::new();
    smgp::Pdu::Login(login).encode(1, &mut out).unwrap();
    let answer = ask(&mut stream, &out, |buffer| decoder.decode(buffer).unwrap());
    assert!(matches!(answer.pdu, smgp::Pdu::LoginResp(response) if response.status == 0));
    let submit = smgp::Submit {
        msg_type: smgp::MT,
        msg_format: smgp::MsgFmt::UCS2,
        destinations: vec![smgp::Number::new("test", "13300001234").unwrap()],
        content: smgp::text::split(WORDS, 1).unwrap().remove(0).content,
        ..smgp::Submit::default()
    };
    out.clear();
    smgp::Pdu::Submit(submit).encode(2, &mut out).unwrap();
    let answer = ask(&mut stream, &out, |buffer| decoder.decode(buffer).unwrap());
    assert!(matches!(answer.pdu, smgp::Pdu::SubmitResp(response) if response.status == 0), "{answer:?}");
    drop(stream);
    let (entry, counters) = said(process, Signal::SIGINT);
    assert_eq!((&entry["destination"], &entry["text"]), (&json!("13300001234"), &json!(WORDS)));
    assert_eq!(counters["accounts"]["power"]["parts_accepted"], 1);
}

#[test]
fn what_cannot_be_is_refused_and_says_where() {
    let folder = scratch();
    let config = folder.path().join("gateway.json");
    let path = config.to_str().unwrap();
    for (text, code, words) in [
        (r#"{"accounts": [{"name": "x"}]}"#, 3, ["`name`", "gateway.json"]),
        ("{", 3, ["line 1", "gateway.json"]),
        (r#"{"accounts": [{"id": "longer than its field"}]}"#, 3, ["accounts.id", "fits its field"]),
        (r#"{"faults": {"throttle": 2}}"#, 3, ["throttle", "from 0 to 1"]),
    ] {
        std::fs::write(&config, text).unwrap();
        let mut process = Process::gridbell(["simulate", "smgp", "--listen", "127.0.0.1:0", "--config", path]);
        assert_eq!(process.wait().code(), Some(code), "{text}");
        let said = process.output(Stream::Err);
        assert!(words.iter().all(|word| said.contains(word)), "{text}: {said}");
    }
    let mut process = Process::gridbell(["simulate", "cmpp", "--config", "no-such-file.json"]);
    assert_eq!(process.wait().code(), Some(1));
    assert!(process.output(Stream::Err).contains("no-such-file.json"));
    // A port that is taken.
    let taken = TcpListener::bind("127.0.0.1:0").unwrap();
    let address = taken.local_addr().unwrap().to_string();
    let mut process = Process::gridbell(["simulate", "sgip", "--listen", &address]);
    assert_eq!(process.wait().code(), Some(1));
    assert!(process.output(Stream::Err).contains(&address));
}
