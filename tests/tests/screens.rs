//! Screens from an office's file to the television: published, corrected and cancelled with kills between, as a page, a feed and a broker get it.

mod support;

use std::net::TcpListener;
use std::path::PathBuf;
use std::process::{Command, Stdio};

use gridbell_tests::{Process, Stream, skip};
use serde_json::{Value, json};
use support::{Host, House, TAIYUAN, today};

const COMMUNITIES: &str = "\
小区,名称,变压器,抄表段,联系人角色,联系人,电话
140100-jinxiu,锦绣花园,T-1;T-2,1401005011,物业,锦绣物业,13800001234
140100-jinxiu,锦绣花园,,,电视台,太原电视台,
140100-xingfu,幸福里,T-3,,,,
140100-BAD,坏编码,,,,,
140100-dianhua,请拨13800001234,,,,,
";
const SCREENS: &str = "\
小区,位置,类型
140100-jinxiu,南门门厅,
140100-xingfu,1号楼大厅,kiosk
140100-nowhere,门厅,kiosk
";

fn notice(title: &str) -> Value {
    let day = today().plus_days(2);
    json!({
        "prefecture": TAIYUAN, "kind": "planned-outage", "severity": "moderate", "urgency": "future", "certainty": "likely",
        "title": title, "body": "10kV城南线检修，请提前做好准备。", "begins": format!("{day}T08:00"), "ends": format!("{day}T12:00"),
        "expires": format!("{day}T13:00"), "communities": ["140100-jinxiu", "140100-xingfu"], "origin": "outage/7", "why": "计划变更",
    })
}

/// The paths of the screens' pages, by community, from the file with their addresses.
fn pages(house: &House, file: &str) -> Vec<(String, String)> {
    let text = std::fs::read_to_string(house.path(file)).expect("the file with addresses");
    let mut reader = csv::Reader::from_reader(text.as_bytes());
    let rows = reader.records().map(|r| r.expect("a row"));
    rows.map(|r| (r[1].to_owned(), r[3].split_once("example.cn").expect("the public address").1.to_owned())).collect()
}

fn titles(host: &Host, page: &str) -> Vec<String> {
    let state = host.api.get(&format!("{page}/state")).expect(200);
    let notices = state["notices"].as_array().expect("a list").iter();
    notices.map(|n| format!("{} r{}", n["title"].as_str().unwrap_or_default(), n["revision"])).collect()
}

#[test]
fn what_an_office_says_is_on_every_screen_through_kills_until_it_is_taken_back() {
    let house = House::with(&[]);
    let config = std::fs::read_to_string(house.path("gridbell.toml")).expect("the configuration");
    let screens = "\n[screens]\npublic-url = \"https://screens.example.cn\"\nsender = \"notices@95598.example\"\n";
    house.write("gridbell.toml", format!("{config}{screens}"));
    let token = house.token("ops", "operator");
    let mut host = house.serve(&token);
    house.write("communities.csv", COMMUNITIES);
    house.write("screens.csv", SCREENS);
    let said = house.refuses(&host, &["screens", "communities", "communities.csv"]);
    assert!(said.contains("2 rows were rejected"), "{said}");
    let rejects = std::fs::read_to_string(house.path("communities.csv.rejects.csv")).expect("the reject report");
    assert!(rejects.contains("5,140100-BAD,") && rejects.contains("6,140100-dianhua,"), "{rejects}");
    assert!(!rejects.contains("13800001234"), "{rejects}");
    let said = house.refuses(&host, &["screens", "add", "screens.csv", "--out", "addresses.csv"]);
    assert!(said.contains("1 rows were rejected"), "{said}");
    let pages = pages(&house, "addresses.csv");
    assert_eq!(pages.iter().map(|(c, _)| c.as_str()).collect::<Vec<_>>(), ["140100-jinxiu", "140100-xingfu"]);
    let community = host.api.get("/v1/communities/140100-jinxiu").expect(200);
    assert_eq!(
        (community["contacts"].as_array().map(Vec::len), &community["contacts"][0]["phone"]),
        (Some(2), &json!("138****1234"))
    );
    let page = host.api.get(&pages[0].1);
    assert!(page.body.contains("<!doctype html>") && page.header("content-security-policy").is_some());

    assert_eq!(host.api.post("/v1/notices?dry_run=true", &notice("计划停电")).expect(200)["screens"], 2);
    let id =
        host.api.post("/v1/notices", &notice("计划停电")).expect(201)["notice"].as_str().expect("a number").to_owned();
    let shown = json!({ "shown": [{ "notice": id, "revision": 1 }] });
    assert_eq!(host.api.post(&format!("{}/shown", pages[0].1), &shown).expect(200)["taken"], 1);
    assert!(host.process.kill());
    // What was answered before the kill is there after it: notice and acknowledgement.
    let mut host = house.serve(&token);
    for (_, page) in &pages {
        assert_eq!(titles(&host, page), ["计划停电 r1"]);
    }
    let story = host.api.get(&format!("/v1/notices/{id}")).expect(200);
    assert_eq!((&story["shown"], &story["screens"]), (&json!(1), &json!(2)));
    let mut later = notice("停电推迟一天");
    later["communities"] = json!(["140100-jinxiu"]);
    host.api.post(&format!("/v1/notices/{id}/correct"), &later).expect(200);
    assert!(host.process.kill());
    let mut host = house.serve(&token);
    assert_eq!(titles(&host, &pages[0].1), ["停电推迟一天 r2"]);
    assert!(titles(&host, &pages[1].1).is_empty(), "the correction is not for it");
    let feed = |host: &Host, community: &str| host.api.get(&format!("/cap/{community}.atom"));
    let here = feed(&host, "140100-jinxiu");
    assert!(here.body.contains(&format!("https://screens.example.cn/cap/alerts/140100-{id}-r2.xml")), "{}", here.body);
    assert!(feed(&host, "140100-xingfu").body.contains(&format!("140100-{id}-r2-c.xml")));
    let alert = host.api.get(&format!("/cap/alerts/140100-{id}-r2.xml")).body;
    assert!(
        alert.contains("<msgType>Update</msgType>")
            && alert.contains(&format!("notices@95598.example,140100-{id}-r1,")),
        "{alert}"
    );
    let etag = here.header("etag").expect("an etag").to_owned();
    assert_eq!(host.api.call("GET", "/cap/140100-jinxiu.atom", &[("if-none-match", &etag)], &[]).status, 304);

    host.api.post(&format!("/v1/notices/{id}/cancel"), &json!({ "why": "检修取消" })).expect(200);
    assert!(host.process.kill());
    let mut host = house.serve(&token);
    assert!(pages.iter().all(|(_, page)| titles(&host, page).is_empty()));
    assert!(feed(&host, "140100-jinxiu").body.contains(&format!("140100-{id}-x.xml")));
    let story = host.api.get(&format!("/v1/notices/{id}")).expect(200);
    assert_eq!((&story["state"]["word"], &story["cancelled"]["why"]), (&json!("cancelled"), &json!("检修取消")));
    let listed = house.ask(&host, &["screens", "list"]);
    assert!(listed.contains("南门门厅") && !listed.contains("https://"), "{listed}");
    assert_eq!(host.process.terminate().code(), Some(0));
}

/// A program of the broker's; none where it is not installed.
fn program(name: &str) -> Option<PathBuf> {
    let path = std::env::var_os("PATH").unwrap_or_default();
    let sbin = ["/usr/sbin", "/usr/local/sbin"].map(PathBuf::from);
    std::env::split_paths(&path).chain(sbin).map(|dir| dir.join(name)).find(|p| p.is_file())
}

#[test]
fn a_broker_gets_every_change_though_the_host_is_killed_before_it_has_it() {
    let (Some(mosquitto), Some(subscriber)) = (program("mosquitto"), program("mosquitto_sub")) else {
        skip!("mosquitto is not here: apt-get install mosquitto mosquitto-clients");
    };
    let house = House::with(&[]);
    let port = TcpListener::bind("127.0.0.1:0").and_then(|l| l.local_addr()).expect("a port").port();
    let config = std::fs::read_to_string(house.path("gridbell.toml")).expect("the configuration");
    house.write(
        "gridbell.toml",
        format!("{config}\n[mqtt]\nhost = \"127.0.0.1\"\nport = {port}\nuser = \"gridbell\"\n"),
    );
    let token = house.token("ops", "operator");
    assert!(house.fails(3, &["serve"]).contains("`[mqtt]` password"), "the field is named");
    house.write("gridbell.toml", format!("{config}\n[mqtt]\nhost = \"127.0.0.1\"\nport = {port}\n"));
    // Nobody listens at the broker's address: the office is not kept waiting, the operator is told.
    let mut host = house.serve(&token);
    for (code, name) in [("jinxiu", "锦绣花园"), ("xingfu", "幸福里")] {
        host.api.put(&format!("/v1/communities/140100-{code}"), &json!({ "name": name })).expect(201);
    }
    host.api.post("/v1/notices", &notice("计划停电")).expect(201);
    let told = || {
        let alarms = host.all_of("/v1/alarms");
        alarms.iter().any(|a| a["code"] == "mqtt.lost").then_some(())
    };
    gridbell_tests::eventually("an alarm", told);
    assert!(host.process.kill());

    house.write("mosquitto.conf", format!("listener {port} 127.0.0.1\nallow_anonymous true\npersistence false\n"));
    let mut broker = Command::new(mosquitto);
    broker.arg("-c").arg(house.path("mosquitto.conf")).stdin(Stdio::null());
    let mut broker = Process::spawn(broker);
    gridbell_tests::eventually("the broker", || std::net::TcpStream::connect(("127.0.0.1", port)).ok());
    let mut player = Command::new(subscriber);
    player.args([
        "-V",
        "mqttv5",
        "-h",
        "127.0.0.1",
        "-p",
        &port.to_string(),
        "-q",
        "1",
        "-t",
        "gridbell/screens/#",
        "-F",
        "%t %p;",
    ]);
    let mut player = Process::spawn(player);
    let mut sees = |topic: &str, wanted: &str| {
        let line = |l: &str| l.starts_with(&format!("gridbell/screens/140100/{topic} ")) && l.contains(wanted);
        player.wait_for(Stream::Out, wanted, line);
    };
    let mut host = house.serve(&token);
    sees("jinxiu/N00000001", "\"title\":\"计划停电\"");
    sees("xingfu/N00000001", "\"title\":\"计划停电\"");
    let mut later = notice("停电推迟一天");
    later["communities"] = json!(["140100-jinxiu"]);
    host.api.post("/v1/notices/N00000001/correct", &later).expect(200);
    assert!(host.process.kill());
    let mut host = house.serve(&token);
    sees("jinxiu/N00000001", "\"title\":\"停电推迟一天\"");
    // An empty message takes it down.
    sees("xingfu/N00000001", "N00000001 ;");
    host.api.post("/v1/notices/N00000001/cancel", &json!({ "why": "检修取消" })).expect(200);
    assert!(host.process.kill());
    let mut host = house.serve(&token);
    sees("jinxiu/N00000001", "N00000001 ;");
    assert_eq!(host.process.terminate().code(), Some(0));
    assert!(broker.kill());
}
