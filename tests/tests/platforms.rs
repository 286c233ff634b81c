//! The real host between customers and three platforms: WeChat, Alipay and a province's SMS platform, each simulated, each telling by callback what
//! became of its messages. It is killed while messages are on their way: none is lost, and none goes twice that is not marked.

mod support;

use std::collections::BTreeMap;
use std::net::{SocketAddr, TcpListener};

use gridbell_clock::Clock;
use gridbell_simulators::web::{Callbacks, Faults, Gateway, LogEntry, Platform};
use gridbell_simulators::{alipay, http_sms, wechat};
use gridbell_tests::{Stream, eventually, root};
use serde_json::{Value, json};
use support::{DATONG, Host, House, Person, TAIYUAN, now, people, policy};
use tokio::runtime::Runtime;

/// Customers who are reminded: a third each is bound at WeChat, at Alipay, and nowhere.
const OWING: u64 = 600;
const APPID: &str = "wx0123456789abcdef";
const AES: &str = "abcdefghijklmnopqrstuvwxyz0123456789ABCDEFG";
/// Calls under way, and messages intended ahead, of each link.
const WINDOW: u64 = 16;
const COMMIT_GROUP: u64 = 64;
const LINKS: [&str; 3] = ["wechat", "alipay", "province"];

fn loopback(port: u16) -> SocketAddr {
    SocketAddr::from(([127, 0, 0, 1], port))
}

/// The platforms, and where the host listens for their callbacks.
struct Platforms {
    wechat: wechat::Gateway,
    alipay: Gateway<alipay::Alipay>,
    province: Gateway<http_sms::HttpSms>,
    host: SocketAddr,
    // Last: the platforms' tasks run on it.
    runtime: Runtime,
}

impl Platforms {
    fn new(day_quota: u64) -> Self {
        Self::with(day_quota, |_| ())
    }

    /// The same with more that goes wrong at WeChat.
    fn with(day_quota: u64, more: impl FnOnce(&mut Faults)) -> Self {
        let runtime =
            tokio::runtime::Builder::new_multi_thread().worker_threads(1).enable_all().build().expect("a runtime");
        // Free now, and the host's from its start on: platforms know the address of callbacks beforehand.
        let host = TcpListener::bind(loopback(0)).and_then(|l| l.local_addr()).expect("a free port");
        // As platforms are: they take their time, lose an answer, and tell things late, twice and out of order.
        let faults = Faults {
            answer_delay_ms: (0, 8),
            lose_answer: 0.02,
            report_delay_ms: (0, 40),
            report_reorder: 0.1,
            report_reorder_ms: 50,
            report_repeat: 0.1,
            ..Faults::default()
        };
        // A host that is killed is away for a while.
        let callbacks = |account: &str| Callbacks {
            url: Some(format!("http://{host}/callbacks/{account}")),
            tries: 2_000,
            retry_ms: 50,
        };
        let mut of_wechat = faults.clone();
        more(&mut of_wechat);
        let config = wechat::Config {
            appid: APPID.into(),
            aes_key: Some(AES.into()),
            day_quota,
            faults: of_wechat,
            callbacks: callbacks("wechat"),
            ..wechat::Config::default()
        };
        let wechat = start::<wechat::WeChat>(&runtime, config);
        let config =
            alipay::Config { faults: faults.clone(), callbacks: callbacks("alipay"), ..alipay::Config::default() };
        let alipay = start::<alipay::Alipay>(&runtime, config);
        let config = http_sms::Config { faults, callbacks: callbacks("province"), ..http_sms::Config::default() };
        let province = start::<http_sms::HttpSms>(&runtime, config);
        Self { wechat, alipay, province, host, runtime }
    }

    /// The host's configuration, its secrets in files of the house.
    fn configure(&self, house: &House) -> String {
        for (name, secret) in [
            ("wechat.secret", "secret"),
            ("wechat.token", "gridbell"),
            ("wechat.aes", AES),
            ("province.secret", "secret"),
        ] {
            house.write(name, secret);
        }
        for (key, name) in [("app-pkcs8.pem", "app.pem"), ("alipay-public.pem", "alipay.pem")] {
            house.write(name, std::fs::read(root().join("host/alipay/tests/keys").join(key)).expect("a key"));
        }
        let link = |name: &str| {
            format!(
                "[platform.link]\nname = \"{name}\"\nwindow = {WINDOW}\ncommit-group = {COMMIT_GROUP}\nattempts = 50\n\
                 timers = {{ breaker-min-ms = 20, breaker-max-s = 1, throttle-min-ms = 20, repeat-min-ms = 20 }}\n"
            )
        };
        format!(
            r##"data = "data"
listen = "{host}"

[[platform]]
address = "http://{wechat}"
plain-http = true
{wechat_link}
[platform.account]
kind = "wechat"
appid = "{APPID}"
secret = {{ file = "wechat.secret" }}
callback-token = {{ file = "wechat.token" }}
callback-aes-key = {{ file = "wechat.aes" }}

[[platform]]
address = "http://{alipay}"
plain-http = true
{alipay_link}
[platform.account]
kind = "alipay"
app-id = "2021000000000001"
app-key = "app.pem"
alipay-key = "alipay.pem"

[[platform]]
address = "http://{province}"
plain-http = true
serves = ["mobile", "unicom", "telecom", "broadnet"]
{province_link}
[platform.account]
kind = "http-sms"
account = "LTAI5tSimulated"
secret = {{ file = "province.secret" }}
knows-repetitions = true
[platform.account.request]
path = "/sms/send"
fields = {{ account = "{{account}}", time = "{{time}}", phone = "{{phone}}", text = "{{text}}", sender = "{{sender}}", id = "{{id}}", sign = "{{sign}}" }}
[platform.account.sign]
kind = "hmac-sha256"
over = "{{account}}{{time}}{{phone}}{{id}}{{text}}"
[platform.account.answer]
code = "/code"
ok = ["0"]
id = "/data/msgid"
[platform.account.receipt]
id = "/msgid"
status = "/status"
delivered = ["DELIVRD"]
acknowledge = '{{"code": 0}}'
proof = {{ header = {{ name = "x-sign", kind = "hmac-sha256" }} }}
"##,
            host = self.host,
            wechat = self.wechat.addr(),
            alipay = self.alipay.addr(),
            province = self.province.addr(),
            wechat_link = link("wechat"),
            alipay_link = link("alipay"),
            province_link = link("province"),
        )
    }

    fn log(&self, link: &str) -> Vec<LogEntry> {
        match link {
            "wechat" => self.wechat.log(),
            "alipay" => self.alipay.log(),
            _ => self.province.log(),
        }
    }

    /// What a follower does, posted until the host has taken it.
    fn event(&self, openid: &str, rest: &str) {
        let seconds = Clock::system().now().unix_ms() / 1000;
        let xml = format!(
            "<xml><ToUserName>gh_1</ToUserName><FromUserName>{openid}</FromUserName><CreateTime>{seconds}</CreateTime>{rest}</xml>"
        );
        let _in = self.runtime.enter();
        self.wechat.post(self.wechat.platform().event(xml, [7; 16]));
    }
}

fn start<P: Platform>(runtime: &Runtime, config: P::Config) -> Gateway<P> {
    runtime.block_on(Gateway::start(config, Clock::system(), loopback(0))).expect("a platform")
}

/// By which link the `n`-th customer is told.
fn link_of(n: usize) -> &'static str {
    LINKS[n % 3]
}

fn openid(n: usize) -> String {
    format!("oLVPpjqs9BhvzwPj5A-{n:09}")
}

/// By what a platform knows the `n`-th customer.
fn address_of(n: usize, person: &Person) -> String {
    match link_of(n) {
        "wechat" => openid(n),
        "alipay" => format!("2088{n:012}"),
        _ => person.phone.clone(),
    }
}

/// A template of a platform, by which the reminder is told there.
fn text(channel: &str) -> Value {
    let text = "template: TM00001\nurl: https://example.cn/bill\nfirst: 您好！户号尾号{{ account_tail }}有电费待缴\n\
                keyword1: {{ amount }} 元\nkeyword2: {{ late_fee_from }}\nremark: 数据截至{{ as_of }}，已缴请忽略";
    json!({ "topic": "arrears-reminder", "notice": "reminder", "channel": channel, "text": text })
}

/// A house whose customers are bound, with texts and a route for each channel; the operator's token.
fn settled(platforms: &Platforms, people: &[Person], route: &str) -> (House, String) {
    settled_in(platforms, people, route, "bulk")
}

/// The same with messages of this lane.
fn settled_in(platforms: &Platforms, people: &[Person], route: &str, lane: &str) -> (House, String) {
    let house = House::new();
    house.write("gridbell.toml", platforms.configure(&house));
    house.files(people);
    house.run(&["import", "customers", &house.text("customers.csv"), "--org", &house.text("org.json")]);
    house.run(&["import", "bills", &house.text("bills.csv")]);
    let mut contacts = String::from("户号,渠道,标识,应用,来源,绑定时间\n");
    for (n, person) in people.iter().enumerate().filter(|(n, _)| link_of(*n) != "province") {
        // Half of the followers of WeChat say which account they follow.
        let app = if n % 6 == 0 { APPID } else { "" };
        let bound = now().plus_minutes(-60);
        contacts += &format!("{},{},{},{app},website,{bound}\n", person.account, link_of(n), address_of(n, person));
    }
    house.write("contacts.csv", contacts);
    house.run(&["import", "contacts", &house.text("contacts.csv")]);
    house.run(&["policy", "rules", &house.text("rules.toml")]);
    for prefecture in [TAIYUAN, DATONG] {
        let name = format!("{prefecture}.toml");
        let sms = "routes = { sms = [{ channel = \"sms\" }] }";
        let written = policy(prefecture, "arrears-reminder", "");
        assert!(written.contains(sms));
        house.write(&name, written.replace(sms, route).replace("lane = \"bulk\"", &format!("lane = \"{lane}\"")));
        if people.iter().any(|p| p.prefecture == prefecture) {
            house.run(&["policy", "apply", &house.text(&name)]);
        }
    }
    let (token, other) = (house.token("ops", "operator"), house.token("second", "approver"));
    let mut host = house.serve(&token);
    for channel in ["wechat", "alipay"] {
        let version = host.api.post("/v1/templates", &text(channel)).expect(201)["version"].clone();
        let approval =
            json!({ "topic": "arrears-reminder", "notice": "reminder", "channel": channel, "version": version });
        host.as_other(&other).post("/v1/templates/approval", &approval).expect(204);
    }
    assert_eq!(host.process.terminate().code(), Some(0));
    (house, token)
}

fn messages(host: &Host) -> Vec<Value> {
    let mut messages = Vec::new();
    for run in host.all("/v1/runs") {
        let decisions = host.all(&format!("/v1/runs/{}/decisions", run["id"].as_str().expect("an id")));
        for id in decisions.iter().filter_map(|d| d["message"].as_str()) {
            messages.push(host.api.get(&format!("/v1/messages/{id}")).expect(200));
        }
    }
    messages
}

fn ended(host: &Host) {
    let waiting = ["queued", "submitting", "submitted"].map(|s| format!("state=\"{s}\""));
    eventually("every message's end", || {
        let left: f64 = waiting.iter().map(|s| host.metric("gridbell_outbox_messages", s)).sum();
        (left == 0.0).then_some(())
    });
}

fn accepted(platforms: &Platforms, links: &[&str], at_least: usize) {
    eventually("the platforms get their messages", || {
        let count: usize = links.iter().map(|link| platforms.log(link).len()).sum();
        (count >= at_least).then_some(())
    });
}

#[test]
fn three_platforms_get_every_message_through_kills_and_tell_what_became_of_it() {
    let platforms = Platforms::new(100_000);
    let people = people(TAIYUAN, OWING, OWING);
    let route = "routes = { sms = [{ channel = \"wechat\", wait_minutes = 60 }, { channel = \"alipay\", wait_minutes = 60 }, { channel = \"sms\" }] }";
    let (house, token) = settled(&platforms, &people, route);
    let mut host = house.serve(&token);
    // What waits for WeChat waits until somebody left, and the token that it has is void.
    host.api.put("/v1/links/wechat/hold", &json!({})).expect(204);
    let run = host.run(TAIYUAN, "arrears-reminder");
    assert_eq!(run["queued"], OWING, "{run}");
    let third = (OWING / 3) as usize;
    accepted(&platforms, &["alipay", "province"], third / 2);
    assert!(host.process.kill(), "the host ended by itself");
    host = house.serve(&token);
    let gone = &people[0];
    let contacts = format!("/v1/customers/{}/contacts", gone.account);
    assert_eq!(host.all_of(&contacts).len(), 1);
    platforms.event(&openid(0), "<MsgType>event</MsgType><Event>unsubscribe</Event>");
    eventually("the binding's end", || host.all_of(&contacts).is_empty().then_some(()));
    assert!(platforms.wechat.log().is_empty(), "it is held, after a restart too");
    platforms.wechat.platform().void_tokens();
    host.api.delete("/v1/links/wechat/hold").expect(204);
    for part in [3, 2] {
        accepted(&platforms, &LINKS, 2 * third + third / part);
        assert!(host.process.kill(), "the host ended by itself");
        host = house.serve(&token);
    }
    ended(&host);

    let mut received: BTreeMap<(&str, String), usize> = BTreeMap::new();
    for link in LINKS {
        for entry in platforms.log(link) {
            *received.entry((link, entry.to)).or_default() += 1;
        }
    }
    let (mut marked, mut twice, mut delivered) = (0, 0, 0);
    for message in messages(&host) {
        let account = message["account"].as_str().expect("an account");
        let n = people.iter().position(|p| p.account == account).expect("one of ours");
        if n == 0 && message["link"] != "province" {
            assert_ne!(message["state"]["word"], "delivered", "{message}");
            continue;
        }
        delivered += usize::from(n > 0);
        assert_eq!(message["state"]["word"], "delivered", "{message}");
        let link = if n == 0 { "province" } else { link_of(n) };
        assert_eq!(message["link"], link, "{message}");
        let times = received.get(&(link, address_of(n, &people[n]))).copied().unwrap_or(0);
        let maybe_twice = message["maybe_twice"] == true;
        (marked, twice) = (marked + u64::from(maybe_twice), twice + usize::from(times > 1));
        assert!(n == 0 || times >= 1, "lost: {message}");
        assert!(times <= 1 || maybe_twice, "went twice and is not marked: {message}");
        // Only Alipay cannot tell a message that comes again.
        assert!(times <= 1 || link == "alipay", "{message}");
    }
    assert_eq!(delivered as u64, OWING - 1);
    assert!(!received.contains_key(&("wechat", openid(0))), "he had left");
    // Each kill exposes what was under way or intended; each answer that Alipay lost is one more.
    let lost = platforms.alipay.stats().answers_lost;
    let bound = 3 * 3 * (WINDOW + COMMIT_GROUP) + lost;
    assert!(marked <= bound, "{marked} messages are marked, {bound} can be");
    println!("{marked} marked, {twice} went twice");

    the_door_is_shut_for_strangers(&platforms, &host, &people);
    assert_eq!(host.process.terminate().code(), Some(0));
    let told = house.run(&["policy", "explain", &people[3].account, "--policy", "arrears-reminder"]);
    let known = platforms.wechat.log().into_iter().find(|e| e.to == openid(3)).expect("his message");
    assert!(told.contains(&known.msg_id), "{told}");
}

/// What comes to the callback addresses from those who are not the platform; and from a follower who writes.
fn the_door_is_shut_for_strangers(platforms: &Platforms, host: &Host, people: &[Person]) {
    let forged = "<xml><ToUserName>gh_1</ToUserName><Encrypt><![CDATA[AAAA]]></Encrypt></xml>";
    let signed = "signature=00&timestamp=1795000000&nonce=1&encrypt_type=aes&msg_signature=00";
    for (path, status) in [
        (format!("/callbacks/wechat?{signed}"), 403),
        (format!("/callbacks/nobody?{signed}"), 404),
        ("/callbacks/alipay".to_owned(), 403),
        ("/callbacks/province".to_owned(), 403),
    ] {
        let body =
            if path.contains("alipay") { "message_id=1&status=SUCCESS&sign=AAAA&sign_type=RSA2" } else { forged };
        let form = [("content-type", "application/x-www-form-urlencoded")];
        assert_eq!(host.api.call("POST", &path, &form, body.as_bytes()).status, status, "{path}");
    }
    let long = vec![b'x'; 1024 * 1024 + 1];
    assert_eq!(host.api.call("POST", "/callbacks/wechat", &[], &long).status, 413);
    let links = host.all_of("/v1/links");
    for link in LINKS {
        let shown = links.iter().find(|l| l["name"] == link).expect("the link");
        assert_eq!((shown["protocol"].as_str(), shown["anomalies"]["call-refused"].as_u64()), (Some("http"), Some(1)));
    }
    let said = "<MsgType>text</MsgType><Content>请问怎么缴费</Content><MsgId>1234567890123456</MsgId>";
    for _ in 0..3 {
        platforms.event(&openid(3), said);
    }
    let inbox = eventually("what he wrote", || Some(host.all_of("/v1/inbound")).filter(|inbox| !inbox.is_empty()));
    eventually("each is acknowledged", || {
        let taken =
            host.metric("gridbell_http_request_duration_seconds_count", "/callbacks/{account}\",status=\"200\"");
        (taken >= 3.0).then_some(())
    });
    let masked = format!("{}****{}", &people[3].phone[..3], &people[3].phone[7..]);
    assert_eq!((inbox[0]["link"].as_str(), inbox[0]["from"].as_str()), (Some("wechat"), Some(masked.as_str())));
    assert_eq!(host.all_of("/v1/inbound").len(), 1, "told thrice, kept once");
}

#[test]
fn whom_wechat_does_not_reach_is_told_by_sms_through_kills_and_twice_only_where_it_is_marked() {
    // A third of the followers is refused, some fail after all, of some nobody ever hears.
    let platforms = Platforms::with(100_000, |faults| {
        (faults.unreachable, faults.failure_share, faults.report_lose) = (0.3, 0.1, 0.05);
    });
    let people = people(TAIYUAN, OWING, OWING);
    let route = "routes = { sms = [{ channel = \"wechat\", wait_minutes = 1 }, { channel = \"sms\" }] }";
    // Urgent: next channels are not gathered for a minute.
    let (house, token) = settled_in(&platforms, &people, route, "urgent");
    let mut host = house.serve(&token);
    assert_eq!(host.run(TAIYUAN, "arrears-reminder")["queued"], OWING);
    for share in [3, 2] {
        accepted(&platforms, &["wechat", "province"], (OWING / share) as usize);
        assert!(host.process.kill(), "the host ended by itself");
        host = house.serve(&token);
    }
    let third = (OWING / 3) as usize;
    let came = |link: &str, delivered: &str| -> BTreeMap<String, usize> {
        let mut came = BTreeMap::new();
        for entry in platforms.log(link).into_iter().filter(|entry| entry.fate == delivered) {
            *came.entry(entry.to).or_default() += 1;
        }
        came
    };
    let untold = || {
        let (wechat, sms) = (came("wechat", "success"), came("province", "DELIVRD"));
        people
            .iter()
            .enumerate()
            .filter(|(n, p)| !wechat.contains_key(&openid(*n)) && !sms.contains_key(&p.phone))
            .count()
    };
    eventually("somebody of every account", || (untold() == 0).then_some(()));
    // A minute after its submit the next channel of whom nothing is heard; killed once more meanwhile.
    assert!(host.process.kill(), "the host ended by itself");
    host = house.serve(&token);
    eventually("nobody awaits anything", || {
        (host.metric("gridbell_hops_awaited", "gridbell_hops_awaited") == 0.0).then_some(())
    });
    assert_eq!(host.metric("gridbell_alarms", "gridbell_alarms"), 0.0, "{:?}", host.all_of("/v1/alarms"));

    let (wechat, sms) = (came("wechat", "success"), came("province", "DELIVRD"));
    let marked: std::collections::BTreeSet<String> = messages(&host)
        .into_iter()
        .filter(|m| m["maybe_twice"] == true)
        .map(|m| m["account"].as_str().expect("an account").to_owned())
        .collect();
    let (mut followed, mut twice) = (0, 0);
    for (n, person) in people.iter().enumerate() {
        let by_wechat = wechat.get(&openid(n)).copied().unwrap_or(0);
        let by_sms = sms.get(&person.phone).copied().unwrap_or(0);
        followed += usize::from(n % 3 == 0 && by_sms > 0);
        twice += usize::from(by_wechat + by_sms > 1);
        assert!(by_wechat + by_sms >= 1, "told nothing: {}", person.account);
        let said = by_wechat + by_sms == 1 || marked.contains(&person.account);
        assert!(said, "told twice and not marked: {}, {by_wechat} and {by_sms}", person.account);
    }
    assert!((third / 5..third).contains(&followed), "{followed} of {third} followers were told by SMS");
    println!(
        "{followed} of {third} followers were told by SMS; {} accounts are marked, {twice} were told twice",
        marked.len()
    );
    let hops = host.all("/v1/runs").into_iter().filter(|run| run["hop_of"].is_string()).count();
    assert!(hops >= 1, "no run of next channels");
}

#[test]
fn a_days_quota_that_is_used_is_said_and_nothing_waits_for_it() {
    let quota = 20;
    let platforms = Platforms::new(quota);
    let people = people(TAIYUAN, 150, 150);
    // Nothing follows here, so that what was refused says so.
    let (house, token) = settled(&platforms, &people, "routes = { sms = [{ channel = \"wechat\" }] }");
    let mut host = house.serve(&token);
    let run = host.run(TAIYUAN, "arrears-reminder");
    assert_eq!(run["queued"], 50, "{run}");
    ended(&host);
    let mut ends: BTreeMap<String, u64> = BTreeMap::new();
    for message in messages(&host) {
        let state = message["state"]["word"].as_str().expect("a state").to_owned();
        if state == "failed" {
            assert!(["45009", "day-quota"].contains(&message["code"].as_str().unwrap_or_default()), "{message}");
        }
        *ends.entry(state).or_default() += 1;
    }
    assert_eq!(ends, [("delivered".to_owned(), quota), ("failed".to_owned(), 50 - quota)].into());
    let link = host.all_of("/v1/links").into_iter().find(|l| l["name"] == "wechat").expect("the link");
    assert_eq!(link["alarms"][0]["kind"]["word"], "quota-used", "{link}");
    eventually("the operator is told", || {
        host.all_of("/v1/alarms").iter().any(|a| a["code"] == "link.quota" && a["subject"] == "wechat").then_some(())
    });
    assert_eq!(host.process.terminate().code(), Some(0));
}

#[test]
fn platforms_that_cannot_be_are_said_before_anything_is_opened() {
    let platforms = Platforms::new(1);
    let house = House::new();
    let good = platforms.configure(&house);
    let carrier = "[[link]]\nname = \"wechat\"\nprotocol = \"cmpp3\"\naddress = \"127.0.0.1:9\"\nsp-id = \"901234\"\n\
                   secret = { file = \"gateway.secret\" }\nservice-id = \"DLFW\"\nsrc-ids = [\"95598\"]\ngrant = 1\nserves = [\"mobile\"]\n\n[[platform]]";
    for (from, to, said) in [
        ("[[platform]]", carrier, "two links of [[link]] and [[platform]] have the name `wechat`"),
        ("name = \"alipay\"", "name = \"wechat\"", "have the name `wechat`: give one of them another `name`"),
        ("file = \"wechat.secret\"", "file = \"nothing\"", "[[platform]] `wechat`: account `wechat`: field `secret`"),
        (
            "app-key = \"app.pem\"",
            "app-key = \"wechat.secret\"",
            "[[platform]] `alipay`: account `alipay`: field `app-key`",
        ),
        (
            "serves = [\"mobile\", \"unicom\", \"telecom\", \"broadnet\"]",
            "",
            "field `serves` is missing: name the carriers",
        ),
        ("plain-http = true", "", "field `address` begins with `http://`"),
        ("kind = \"wechat\"", "kind = \"weixin\"", "unknown variant `weixin`"),
        ("appid = ", "app-id = ", "unknown field `app-id`"),
        ("code = \"/code\"", "code = \"code\"", "field `answer`"),
    ] {
        assert!(good.contains(from), "{from}");
        house.write("gridbell.toml", good.replacen(from, to, 1));
        let mut process = house.start(&["serve"]);
        assert_ne!(process.wait().code(), Some(0), "{to}");
        let error = process.output(Stream::Err);
        assert!(error.contains(said) && error.contains("gridbell.toml"), "{to}: {error}");
        assert!(!house.path("data").exists(), "{to}");
        assert!(!error.contains(AES), "{error}");
    }
}
