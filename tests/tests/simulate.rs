//! `gridbell simulate`: each gateway on its own, spoken to by a client made of the codec, and what it says of it.
#![expect(clippy::unwrap_used, reason = "a test that cannot be set up has failed")]

use std::io::{Read, Write};
use std::net::{TcpListener, TcpStream};

use bytes::BytesMut;
use gridbell_clock::Clock;
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

/// One request over the wire, as its own connection; the status and the body of the answer.
fn post(address: &str, path: &str, headers: &[(&str, &str)], body: &str) -> (u16, String) {
    let mut stream = TcpStream::connect(address).unwrap();
    let headers: String = headers.iter().map(|(name, value)| format!("{name}: {value}\r\n")).collect();
    let head = format!(
        "POST {path} HTTP/1.1\r\nhost: {address}\r\nconnection: close\r\n{headers}content-length: {}\r\n\r\n",
        body.len()
    );
    stream.write_all(&[head.as_bytes(), body.as_bytes()].concat()).unwrap();
    let mut answer = String::new();
    stream.read_to_string(&mut answer).unwrap();
    let (head, body) = answer.split_once("\r\n\r\n").unwrap();
    (head[9..12].parse().unwrap(), body.to_owned())
}

/// Started on a port of its own: the process and where it listens.
fn listening(arguments: &[&str]) -> (Process, String) {
    let mut process = Process::gridbell([&["simulate"], arguments, &["--listen", "127.0.0.1:0"]].concat());
    let line = process.wait_for_err("listening on ");
    let address = line.after("listening on ").unwrap().trim().to_owned();
    (process, address)
}

/// Takes one callback, answers it, and gives its query and body.
fn callback(listener: &TcpListener, answer: &str) -> (String, String) {
    let (mut stream, _) = listener.accept().unwrap();
    let (mut heard, mut octets) = (String::new(), [0; 4096]);
    loop {
        let read = stream.read(&mut octets).unwrap();
        heard.push_str(std::str::from_utf8(&octets[..read]).unwrap());
        let Some((head, body)) = heard.split_once("\r\n\r\n") else { continue };
        let length =
            head.lines().find_map(|line| line.strip_prefix("content-length: ")).unwrap().parse::<usize>().unwrap();
        if body.len() == length {
            let query = head.split(' ').nth(1).unwrap().to_owned();
            let answer =
                format!("HTTP/1.1 200 OK\r\ncontent-length: {}\r\nconnection: close\r\n\r\n{answer}", answer.len());
            stream.write_all(answer.as_bytes()).unwrap();
            return (query, body.to_owned());
        }
    }
}

#[test]
fn wechat_alone_gives_a_token_takes_a_message_once_and_says_what_became_of_it() {
    let folder = scratch();
    let ours = TcpListener::bind("127.0.0.1:0").unwrap();
    let config = folder.path().join("wechat.json");
    let url = format!("http://{}/callbacks/wechat", ours.local_addr().unwrap());
    std::fs::write(&config, json!({"callbacks": {"url": url}}).to_string()).unwrap();
    let (process, address) = listening(&["wechat", "--config", config.to_str().unwrap()]);
    let ask = json!({"grant_type": "client_credential", "appid": "wx0123456789abcdef", "secret": "secret"});
    let token = |ask: &Value| {
        let (status, body) = post(&address, "/cgi-bin/stable_token", &[], &ask.to_string());
        assert_eq!(status, 200);
        serde_json::from_str::<Value>(&body).unwrap()
    };
    let first = token(&ask);
    assert_eq!(first["expires_in"].as_i64().unwrap() / 10, 720 - i64::from(first["expires_in"] != 7200));
    assert_eq!(token(&ask)["access_token"], first["access_token"], "the stable one");
    let mut wrong = ask.clone();
    wrong["secret"] = "other".into();
    assert_eq!(token(&wrong)["errcode"], 40125);
    let message = json!({
        "touser": "oABCDEFGHIJKLMNOPQRSTUVWXYZ0", "template_id": "TM1", "client_msg_id": "m-1",
        "data": {"first": {"value": WORDS}},
    });
    let send = |token: &str| {
        let path = format!("/cgi-bin/message/template/send?access_token={token}");
        serde_json::from_str::<Value>(&post(&address, &path, &[], &message.to_string()).1).unwrap()
    };
    assert_eq!(send("nobody")["errcode"], 40001);
    let token = first["access_token"].as_str().unwrap();
    let answer = send(token);
    assert_eq!((&answer["errcode"], &send(token)["msgid"]), (&json!(0), &answer["msgid"]), "known again");
    let (query, body) = callback(&ours, "success");
    assert!(query.starts_with("/callbacks/wechat?signature="), "{query}");
    assert!(body.contains("TEMPLATESENDJOBFINISH") && body.contains(&answer["msgid"].to_string()), "{body}");
    let (entry, counters) = said(process, Signal::SIGINT);
    assert_eq!((&entry["client_id"], &entry["fate"]), (&json!("m-1"), &json!("success")));
    assert_eq!((&counters["accepted"], &counters["repeated"]), (&json!(1), &json!(1)));
}

#[test]
fn alipay_alone_believes_no_stranger_and_signs_what_it_says() {
    let (mut process, address) = listening(&["alipay"]);
    let path = "/gateway.do?app_id=2021000000000001&charset=utf-8&method=alipay.open.public.message.single.send\
                &sign_type=RSA2&timestamp=2026-11-22%2008%3A09%3A10&version=1.0&sign=AAAA";
    let kind = [("content-type", "application/x-www-form-urlencoded")];
    let (status, body) = post(&address, path, &kind, "biz_content=%7B%7D");
    let answer: Value = serde_json::from_str(&body).unwrap();
    let response = &answer["alipay_open_public_message_single_send_response"];
    assert_eq!((status, &response["sub_code"]), (200, &json!("isv.invalid-signature")));
    assert_eq!(answer["sign"].as_str().unwrap().len(), 344);
    let (_, body) = post(&address, "/gateway.do?app_id=1", &kind, "");
    assert!(body.contains("error_response") && body.contains("isv.invalid-app-id"), "{body}");
    process.signal(Signal::SIGTERM);
    assert_eq!(process.wait().code(), Some(0));
    let counters: Value = serde_json::from_str(process.output(Stream::Err).lines().last().unwrap()).unwrap();
    assert_eq!((&counters["strangers"], &counters["accepted"]), (&json!(2), &json!(0)));
}

#[test]
fn http_sms_alone_takes_a_signed_text_and_posts_a_signed_receipt() {
    let folder = scratch();
    let ours = TcpListener::bind("127.0.0.1:0").unwrap();
    let config = folder.path().join("sms.json");
    let url = format!("http://{}/callbacks/sms?key=k", ours.local_addr().unwrap());
    std::fs::write(&config, json!({"callbacks": {"url": url}}).to_string()).unwrap();
    let (process, address) = listening(&["http-sms", "--config", config.to_str().unwrap()]);
    let key = ring::hmac::Key::new(ring::hmac::HMAC_SHA256, b"secret");
    let sign = |text: &str| -> String {
        ring::hmac::sign(&key, text.as_bytes()).as_ref().iter().map(|octet| format!("{octet:02x}")).collect()
    };
    let time = (Clock::system().now().unix_ms() / 1000).to_string();
    let mut message =
        json!({"account": "LTAI5tSimulated", "time": time, "phone": "13800001234", "text": WORDS, "id": "m1"});
    let send = |message: &Value| {
        serde_json::from_str::<Value>(&post(&address, "/sms/send", &[], &message.to_string()).1).unwrap()
    };
    assert_eq!(send(&message)["code"], "11", "not signed");
    message["sign"] = sign(&format!("LTAI5tSimulated{time}13800001234m1{WORDS}")).into();
    let answer = send(&message);
    assert_eq!((&answer["code"], &send(&message)["data"]), (&json!("0"), &answer["data"]), "known again");
    let (path, body) = callback(&ours, r#"{"code": 0}"#);
    let report: Value = serde_json::from_str(&body).unwrap();
    assert_eq!((path.as_str(), &report[0]["msgid"]), ("/callbacks/sms?key=k", &answer["data"]["msgid"]));
    // Aliyun's interface stands on the same address.
    let (status, body) = post(&address, "/?PhoneNumbers=13800001234", &[("x-acs-action", "SendSms")], "");
    assert!(status == 400 && body.contains("MissingSignature"), "{status} {body}");
    let (entry, counters) = said(process, Signal::SIGINT);
    assert_eq!((&entry["to"], &entry["interface"]), (&json!("13800001234"), &json!("plain")));
    assert_eq!((&counters["accepted"], &counters["strangers"]), (&json!(1), &json!(2)));
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
    for (platform, text, words) in [
        ("wechat", r#"{"aes_key": "short"}"#, "aes_key"),
        ("wechat", r#"{"faults": {"hang": 2}}"#, "hang"),
        ("alipay", r#"{"app_public_key": "x"}"#, "app_public_key"),
        ("http-sms", r#"{"callbacks": {"url": "nowhere"}}"#, "callbacks.url"),
    ] {
        std::fs::write(&config, text).unwrap();
        let mut process = Process::gridbell(["simulate", platform, "--listen", "127.0.0.1:0", "--config", path]);
        assert_eq!(process.wait().code(), Some(3), "{text}");
        assert!(process.output(Stream::Err).contains(words), "{text}");
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
