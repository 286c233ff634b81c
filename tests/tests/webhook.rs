//! A webhook as the first channel of a route, through the real host: a receiver of our own that knows the format from its specification alone, refuses
//! some, breaks off, tells by signed callbacks what became of the others; and the host is killed meanwhile.

mod support;

use std::collections::BTreeMap;
use std::io::{BufRead as _, BufReader, Read as _, Write as _};
use std::net::{SocketAddr, TcpListener, TcpStream};
use std::sync::{Arc, Mutex};

use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use gridbell_clock::Clock;
use gridbell_tests::eventually;
use ring::hmac;
use serde_json::{Value, json};
use support::{House, TAIYUAN, people, policy};

const OWING: u64 = 120;
/// 32 octets of a secret, as receivers are given it.
const SECRET: [u8; 32] = *b"a secret of thirty-two octets ..";
/// The most octets that the receiver reads of a body.
const MAX_BODY: usize = 64 * 1024;

/// What the specification says that is signed: the id, the time in seconds and the body's octets, with full stops between them.
fn signature(id: &str, timestamp: &str, body: &[u8]) -> String {
    let mut context = hmac::Context::with_key(&hmac::Key::new(hmac::HMAC_SHA256, &SECRET));
    for piece in [id.as_bytes(), b".", timestamp.as_bytes(), b".", body] {
        context.update(piece);
    }
    format!("v1,{}", STANDARD.encode(context.sign()))
}

/// What became of a delivery: by the last digit of the number, so that a repetition is treated alike.
fn fate(phone: &str) -> &'static str {
    match phone.as_bytes()[10] {
        b'0'..=b'2' => "refused",
        b'3' | b'4' => "failed",
        _ => "delivered",
    }
}

/// Every delivery: its id, and the numbers to which it came, once for each attempt.
type Deliveries = Arc<Mutex<BTreeMap<String, Vec<String>>>>;

/// Takes deliveries until the test ends. The first attempt of every seventh is taken and not answered.
fn receiver() -> (SocketAddr, Deliveries) {
    let listener = TcpListener::bind("127.0.0.1:0").expect("a port");
    let (address, deliveries) = (listener.local_addr().expect("its address"), Deliveries::default());
    let kept = Arc::clone(&deliveries);
    std::thread::spawn(move || {
        for stream in listener.incoming().flatten() {
            let kept = Arc::clone(&kept);
            std::thread::spawn(move || while answer(&stream, &kept).is_some() {});
        }
    });
    (address, deliveries)
}

/// Reads one request and answers it; none at the connection's end.
fn answer(mut stream: &TcpStream, kept: &Deliveries) -> Option<()> {
    let mut reader = BufReader::new(stream);
    let (mut headers, mut line) = (BTreeMap::new(), String::new());
    reader.read_line(&mut line).ok().filter(|n| *n > 0)?;
    assert!(line.starts_with("POST /hook "), "{line}");
    loop {
        line.clear();
        reader.read_line(&mut line).ok().filter(|n| *n > 0)?;
        match line.trim_end().split_once(": ") {
            Some((name, value)) => headers.insert(name.to_ascii_lowercase(), value.to_owned()),
            None => break,
        };
    }
    let length: usize = headers.get("content-length")?.parse().ok().filter(|n| *n <= MAX_BODY)?;
    let mut body = vec![0; length];
    reader.read_exact(&mut body).ok()?;
    let (id, time) = (&headers["webhook-id"], &headers["webhook-timestamp"]);
    let signed = headers["webhook-signature"].split(' ').any(|s| s == signature(id, time, &body));
    let message: Value = serde_json::from_slice(&body).expect("JSON");
    assert!(signed && message["id"] == id.as_str(), "{headers:?} {message}");
    let phone = message["to"]["phone"].as_str().expect("a number").to_owned();
    let attempts = {
        let mut kept = kept.lock().expect("nobody panicked");
        let attempts = kept.entry(id.clone()).or_default();
        attempts.push(phone.clone());
        attempts.len()
    };
    if attempts == 1 && id.bytes().map(u32::from).sum::<u32>().is_multiple_of(7) {
        return None;
    }
    let status = match (fate(&phone), phone.as_bytes()[10]) {
        // Of the one the format says it, of the other the operator's configuration.
        ("refused", b'0') => "404 Not Found",
        ("refused", _) => "422 Unprocessable Entity",
        _ => "200 OK",
    };
    write!(stream, "HTTP/1.1 {status}\r\ncontent-type: application/json\r\ncontent-length: 2\r\n\r\n{{}}").ok()
}

#[test]
fn whom_the_receiver_refuses_or_does_not_reach_is_told_by_sms_and_nobody_twice_who_is_not_marked() {
    let (receiver, deliveries) = receiver();
    let people = people(TAIYUAN, OWING, OWING);
    let house = House::new();
    // Free now, and the host's from its start on.
    let port = TcpListener::bind("127.0.0.1:0").and_then(|l| l.local_addr()).expect("a free port").port();
    house.write("hook.secret", format!("whsec_{}", STANDARD.encode(SECRET)));
    let platform = format!(
        r#"
[[platform]]
address = "http://{receiver}"
plain-http = true
[platform.link]
name = "push"
window = 8
commit-group = 16
attempts = 50
codes = {{ http-404 = "next-channel" }}
timers = {{ breaker-min-ms = 20, breaker-max-s = 1, throttle-min-ms = 20, repeat-min-ms = 20 }}
[platform.account]
kind = "webhook"
path = "/hook"
secret = {{ file = "hook.secret" }}
"#
    );
    let before = std::fs::read_to_string(house.path("gridbell.toml")).expect("a configuration");
    let listens = before.replace("listen = \"127.0.0.1:0\"", &format!("listen = \"127.0.0.1:{port}\""));
    house.write("gridbell.toml", listens + &platform);
    house.files(&people);
    house.run(&["import", "customers", &house.text("customers.csv"), "--org", &house.text("org.json")]);
    house.run(&["import", "bills", &house.text("bills.csv")]);
    house.run(&["policy", "rules", &house.text("rules.toml")]);
    let (sms, route) = (
        "routes = { sms = [{ channel = \"sms\" }] }",
        "routes = { sms = [{ channel = \"webhook\", wait_minutes = 1 }, { channel = \"sms\" }] }",
    );
    // Urgent: next channels are not gathered for a minute.
    let written = policy(TAIYUAN, "arrears-reminder", "").replace(sms, route);
    assert!(written.contains("webhook"));
    house.write("policy.toml", written.replace("lane = \"bulk\"", "lane = \"urgent\""));
    house.run(&["policy", "apply", &house.text("policy.toml")]);
    let (token, other) = (house.token("ops", "operator"), house.token("second", "approver"));
    let mut host = house.serve(&token);
    let text =
        "您户号尾号{{ account_tail }}有电费{{ amount }}元待缴，{{ late_fee_from }}起计违约金，数据截至{{ as_of }}";
    let text = json!({ "topic": "arrears-reminder", "notice": "reminder", "channel": "webhook", "text": text });
    let version = host.api.post("/v1/templates", &text).expect(201)["version"].clone();
    let approval =
        json!({ "topic": "arrears-reminder", "notice": "reminder", "channel": "webhook", "version": version });
    host.as_other(&other).post("/v1/templates/approval", &approval).expect(204);

    assert_eq!(host.run(TAIYUAN, "arrears-reminder")["queued"], OWING);
    let first = host.message(&people[0].account).expect("a message");
    assert_eq!(first["channel"]["word"], "webhook", "{first}");
    eventually("some deliveries", || (deliveries.lock().expect("a lock").len() as u64 >= OWING / 3).then_some(()));
    assert!(host.process.kill(), "the host ended by itself");
    host = house.serve(&token);
    eventually("every delivery", || (deliveries.lock().expect("a lock").len() as u64 >= OWING).then_some(()));

    // What nobody signed is not believed; what the receiver tells, twice, is.
    let told: Vec<(String, String)> =
        deliveries.lock().expect("a lock").iter().map(|(id, to)| (id.clone(), to[0].clone())).collect();
    let reports: Vec<Value> = told
        .iter()
        .filter(|(_, to)| fate(to) != "refused")
        .map(|(id, to)| json!({ "id": id, "status": fate(to) }))
        .collect();
    let body = Value::from(reports).to_string();
    let call = |secret: bool| {
        let time = (Clock::system().now().unix_ms() / 1000).to_string();
        let signed = if secret { signature("r-1", &time, body.as_bytes()) } else { "v1,AAAA".to_owned() };
        let headers = [("webhook-id", "r-1"), ("webhook-timestamp", time.as_str()), ("webhook-signature", &signed)];
        host.api.call("POST", "/callbacks/push", &headers, body.as_bytes()).status
    };
    assert_eq!((call(false), call(true), call(true)), (403, 200, 200));
    let unreached = people.iter().filter(|p| fate(&p.phone) != "delivered").count() as u64;
    assert!(unreached > 20 && unreached < OWING - 20, "{unreached}");
    house.accepted(unreached);
    eventually("every message's end", || {
        let waiting = ["queued", "submitting", "submitted"].map(|s| format!("state=\"{s}\""));
        (waiting.iter().map(|s| host.metric("gridbell_outbox_messages", s)).sum::<f64>() == 0.0).then_some(())
    });

    let by_sms = house.reached();
    for person in &people {
        let by_push = told.iter().filter(|(_, to)| *to == person.phone).count();
        assert_eq!(by_push, 1, "repetitions have the same id");
        assert_eq!(by_sms.contains(&person.phone), fate(&person.phone) != "delivered", "{}", person.account);
    }
    let link = host.all_of("/v1/links").into_iter().find(|l| l["name"] == "push").expect("the link");
    assert_eq!(link["anomalies"]["call-refused"], 1, "{link}");
}
