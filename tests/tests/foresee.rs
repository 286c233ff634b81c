//! `gridbell policy preview` as its help says: on a data directory and of a running host, ended by Ctrl-C, one at a time for each office, over TLS;
//! and what is said of each wrong input. Nothing is written, and a mistyped data directory is refused, not made.

mod support;

use std::path::PathBuf;
use std::process::Command;

use gridbell_tests::{Process, Stream, eventually, gridbell, root};
use nix::sys::signal::Signal;
use serde_json::{Value, json};
use support::guest::Guest;
use support::{Host, House, TAIYUAN, minds_interrupt, people, policy};

const POLICY: &str = "arrears-reminder";
/// A command that opens no data directory.
fn command(arguments: &[&str]) -> Process {
    let mut command = Command::new(gridbell());
    command.args(arguments).current_dir(root()).env("USER", "test");
    Process::spawn(command)
}

#[track_caller]
fn fails(code: i32, mut process: Process) -> String {
    let status = process.wait();
    let said = process.output(Stream::Err);
    assert_eq!(status.code(), Some(code), "{said}");
    said
}

fn parsed(said: &str) -> Value {
    serde_json::from_str(said.lines().last().unwrap_or_default()).unwrap_or_else(|e| panic!("no JSON ({e}): {said}"))
}

fn preview<'a>(more: &[&'a str]) -> Vec<&'a str> {
    [&["policy", "preview", "140100", POLICY], more].concat()
}

/// A policy file whose plugin takes its time, each half hour of a month.
fn slow(house: &House) -> String {
    // Some hundredths of a second for each batch: far below the engine's deadline, and a minute for all runs.
    house.write("slow.wasm", Guest::choosing("1.0.0", 1, 0, 0, 30_000_000).bytes());
    house.write("slow.toml", policy(TAIYUAN, "hand-made", "").replace("0 0 29 2 *", "*/30 * * * *"));
    house.text("slow.toml")
}

/// The reference plugin under the next version: a component that no host has.
fn candidate(house: &House) -> String {
    let mut bytes = std::fs::read(root().join("plugins/prebuilt/arrears-reminder.wasm")).expect("a plugin");
    let at = bytes.windows(21).position(|w| w == b"arrears-reminder0.1.0").expect("name and version side by side");
    bytes[at + 20] = b'1';
    house.write("candidate.wasm", bytes);
    house.text("candidate.wasm")
}

fn audited(house: &House) -> usize {
    house.run(&["audit", "list", "--limit", "1000"]).lines().count()
}

#[test]
fn a_candidate_is_tried_on_a_data_directory_and_nothing_is_written() {
    let house = House::with(&people(TAIYUAN, 30, 20));
    let (before, file) = (audited(&house), candidate(&house));
    let seen = parsed(&house.run(&preview(&["--plugin", &file, "--json"])));
    assert_eq!((&seen["plugin"]["version"], &seen["live_plugin"]["version"]), (&json!("0.1.1"), &json!("0.1.0")));
    assert_eq!((&seen["totals"]["messages"], &seen["difference"]["same"]), (&json!(20), &json!(20)), "{seen}");
    let shown = house.run(&preview(&["--plugin", &file]));
    assert!(shown.contains("合计 totals") && shown.contains("没有写入"), "{shown}");
    // Nobody owes for so long yet: everybody is dropped.
    house.write("other.toml", policy(TAIYUAN, POLICY, "").replace("steps = [7]", "steps = [2]"));
    let seen = parsed(&house.run(&preview(&["--policy", &house.text("other.toml"), "--json"])));
    assert_eq!((&seen["difference"]["dropped"], &seen["difference"]["added"]), (&json!(20), &json!(0)), "{seen}");
    house.write("patch.toml", "steps = [2]\n");
    let same = parsed(&house.run(&preview(&["--parameters", &house.text("patch.toml"), "--json"])));
    assert_eq!(same["difference"], seen["difference"]);

    let said = |more: &[&str]| house.fails(3, &preview(more));
    let nowhere = said(&["--plugin", &house.text("nothing.wasm")]);
    assert!(nowhere.contains("nothing.wasm") && nowhere.contains("NAME@VERSION"), "{nowhere}");
    let text = said(&["--plugin", &house.text("other.toml")]);
    assert!(text.contains("other.toml") && text.contains("not WebAssembly"), "{text}");
    let unknown = said(&["--plugin", "arrears-reminder@9.9.9"]);
    assert!(unknown.contains("arrears-reminder@9.9.9") && unknown.contains("name@version"), "{unknown}");
    let parameter = said(&["--parameters", r#"{"stepz":[2]}"#]);
    assert!(parameter.contains("parameters") && parameter.contains("stepz"), "{parameter}");
    let word = said(&["--parameters", "steps=2"]);
    assert!(word.contains("`steps=2`") && word.contains("JSON"), "{word}");
    house.write("elsewhere.toml", policy(support::DATONG, POLICY, ""));
    let elsewhere = said(&["--policy", &house.text("elsewhere.toml")]);
    assert!(elsewhere.contains("elsewhere.toml") && elsewhere.contains("140200"), "{elsewhere}");
    let prefecture = house.fails(3, &["policy", "preview", "999999", POLICY]);
    assert!(prefecture.contains("999999") && prefecture.contains("there are policies for 140100"), "{prefecture}");
    let name = house.fails(3, &["policy", "preview", "140100", "nothing"]);
    assert!(name.contains("`nothing`") && name.contains(POLICY), "{name}");
    let missing = house.fails(1, &preview(&["--policy", &house.text("nothing.toml")]));
    assert!(missing.contains("nothing.toml"), "{missing}");
    house.fails(2, &preview(&["--days", "99"]));

    // Ctrl-C ends it before its next batch.
    let month = slow(&house);
    house.run(&["plugin", "install", &house.text("slow.wasm")]);
    let before = before + 1;
    let mut process = house.start(&preview(&["--policy", &month, "--days", "31"]));
    eventually("a preview that minds Ctrl-C", || minds_interrupt(&process).then_some(()));
    process.signal(Signal::SIGINT);
    assert_eq!(process.wait().code(), Some(130));
    assert!(process.output(Stream::Err).contains("预览已取消"));
    assert!(process.output(Stream::Out).is_empty());
    assert_eq!(audited(&house), before, "a preview leaves no trace");
}

/// A preview of a running host.
fn ask(host: &Host, token: &str, more: &[&str]) -> Process {
    command(&preview(&[&["--url", host.base.as_str(), "--token", token], more].concat()))
}

#[test]
fn a_running_host_previews_once_for_each_office_and_ctrl_c_ends_it_there() {
    let house = House::with(&people(TAIYUAN, 30, 20));
    let month = slow(&house);
    house.run(&["plugin", "install", &house.text("slow.wasm")]);
    let token = house.token("ops", "operator");
    let host = house.serve(&token);
    let path = format!("/v1/policies/{TAIYUAN}/{POLICY}/preview");
    let quick = ["--parameters", r#"{"steps":[2]}"#];

    let mut process = ask(&host, &token, &["--policy", &month, "--days", "31"]);
    let under_way = || {
        assert!(!process.has_ended(), "{}", process.output(Stream::Err));
        let seen = host.api.get(&path);
        (seen.status == 200 && seen.expect(200)["done"].as_u64() > Some(0)).then_some(())
    };
    eventually("a preview under way", under_way);
    let busy = fails(1, ask(&host, &token, &quick));
    assert!(busy.contains("本单位已有预览"), "{busy}");
    let made = json!({ "name": "office", "role": "city-office", "scope": TAIYUAN, "days": 1 });
    let made = host.api.post("/v1/tokens", &made).expect(201);
    let office = made["token"].as_str().expect("a token");
    let theirs = parsed(&ask(&host, office, &[&quick[..], &["--json"]].concat()).succeed());
    assert_eq!(theirs["difference"]["dropped"], 20, "another office is not in the way: {theirs}");

    process.signal(Signal::SIGINT);
    assert_eq!(process.wait().code(), Some(130), "{}", process.output(Stream::Err));
    assert!(process.output(Stream::Err).contains("预览已取消"));
    // It has ended on the host when the command has: the office begins another at once.
    assert_eq!(host.api.get(&path).status, 404);
    let shown = ask(&host, &token, &quick).succeed();
    assert!(shown.contains("合计 totals") && shown.contains("减少样例 dropped"), "{shown}");

    propose_what_was_seen(&host, &token, &parsed(&ask(&host, &token, &[&quick[..], &["--json"]].concat()).succeed()));
    propose_a_file(&house, &host);

    let said = |code: i32, more: &[&str]| fails(code, ask(&host, &token, more));
    let file = candidate(&house);
    let first = said(3, &["--plugin", &file]);
    assert!(first.contains("gridbell plugin upload"), "{first}");
    let parameter = said(3, &["--parameters", r#"{"stepz":[2]}"#]);
    assert!(parameter.contains("stepz"), "{parameter}");
    let nowhere = ["policy", "preview", "999999", POLICY, "--url", host.base.as_str(), "--token", &token];
    fails(3, command(&nowhere));
    let tokenless = fails(2, command(&preview(&["--url", host.base.as_str()])));
    assert!(tokenless.contains("GRIDBELL_TOKEN"), "{tokenless}");
    assert!(fails(3, ask(&host, "gb_wrong", &[])).contains("401"));
    assert!(fails(2, command(&preview(&["--url", "ftp://h", "--token", "x"]))).contains("`ftp://h`"));

    // What was uploaded is tried by its file too, whatever becomes of its certification.
    command(&["plugin", "upload", &file, "--no-wait", "--url", host.base.as_str(), "--token", &token]).succeed();
    let seen = eventually("a version that is compiled", || {
        let mut tried = ask(&host, &token, &["--plugin", &file, "--json"]);
        tried.wait().success().then(|| parsed(&tried.output(Stream::Out)))
    });
    assert_eq!(seen["plugin"]["version"], "0.1.1", "{seen}");
}

/// A proposal keeps what its author saw, of this change and no other; the second person sees the same figures, and what happened since.
fn propose_what_was_seen(host: &Host, token: &str, seen: &Value) {
    let patch = |digest: &str, steps: u8| {
        let path = format!("/v1/policies/{TAIYUAN}/{POLICY}/parameters?preview={digest}");
        host.api.patch(&path, &json!({ "steps": [steps] }))
    };
    let digest = seen["digest"].as_str().expect("a digest");
    for (digest, steps) in [("00", 2), (digest, 3)] {
        let refused = patch(digest, steps).expect(422);
        assert!(refused.to_string().contains("请重新预览"), "{refused}");
    }
    let proposed = patch(digest, 2).expect(202);
    host.run(TAIYUAN, POLICY);
    let id = proposed["proposal"].to_string();
    let kept = host.api.get(&format!("/v1/proposals/{id}")).expect(200)["preview"].clone();
    assert_eq!((&kept["digest"], &kept["messages"]), (&json!(digest), &seen["totals"]["messages"]), "{kept}");
    assert_eq!((&kept["difference"]["dropped"], &kept["difference"]["added"]), (&json!(20), &json!(0)), "{kept}");
    assert_eq!((&kept["runs_since"], kept["steps_since"].as_u64() > Some(0)), (&json!(1), true), "{kept}");
    let more = ["--url", host.base.as_str(), "--token", token];
    let list = command(&[&["proposal", "list"], &more[..]].concat()).succeed();
    assert!(list.contains("减少 dropped 20") && list.contains("待审批"), "{list}");
    let shown = command(&[&["proposal", "show", &id], &more[..]].concat()).succeed();
    assert!(shown.contains(digest) && shown.contains("执行 1 次"), "{shown}");
    let withdrawn = command(&[&["proposal", "withdraw", &id, "--why", "试验"], &more[..]].concat()).succeed();
    assert!(withdrawn.contains("已撤回"), "{withdrawn}");
    // Without one nothing is said of a preview.
    let bare =
        host.api.patch(&format!("/v1/policies/{TAIYUAN}/{POLICY}/parameters"), &json!({ "steps": [4] })).expect(202);
    let shown = command(&[&["proposal", "show", &bare["proposal"].to_string()], &more[..]].concat()).succeed();
    assert!(shown.contains("没有附上预览"), "{shown}");
}

/// A file for a running host becomes a proposal, and its mistakes are told with their lines before anything is asked.
fn propose_a_file(house: &House, host: &Host) {
    house.write("next.toml", policy(TAIYUAN, POLICY, "").replace("steps = [7]", "steps = [9]"));
    let next = house.text("next.toml");
    let looked = house.ask(host, &["policy", "apply", &next, "--dry-run"]);
    assert!(looked.contains("7 → 9") && looked.contains("nothing was proposed"), "{looked}");
    let proposed = house.ask(host, &["policy", "apply", &next, "--why", "改为 9 天"]);
    assert!(proposed.contains("7 → 9") && proposed.contains("提案已提交"), "{proposed}");
    let open = host.api.get("/v1/proposals?state=open").expect(200).to_string();
    assert!(open.contains("改为 9 天"), "{open}");
    house.write("next.toml", "prefecture = 140100\n[[policy]]\nname = 3\n");
    let (url, token) = (host.base.as_str(), host.api.token().expect("a token"));
    let wrong = fails(3, command(&["policy", "apply", &next, "--url", url, "--token", token]));
    assert!(wrong.contains("next.toml:3"), "{wrong}");
}

#[test]
fn a_mistyped_data_directory_is_refused_and_not_made() {
    let house = House::with(&people(TAIYUAN, 2, 2));
    let (nowhere, above) = (house.text("no-such"), house.dir.path().display().to_string());
    for arguments in [
        &["policy", "preview", "140100", POLICY][..],
        &["policy", "explain", "0010000001"],
        &["policy", "apply", "--dry-run", "policies/140100-taiyuan.toml"],
        &["run", POLICY, "--prefecture", "140100"],
        &["run", "replay", "R1"],
        &["audit", "verify"],
        &["audit", "list"],
        &["archive", "list"],
        &["archive", "verify"],
        &["archive", "run", "--dry-run"],
        &["archive", "search", "--account", "0010000001"],
        &["backup", "never.backup"],
        &["policy", "rollback", "140100", POLICY, "--why", "试验"],
    ] {
        let said = fails(3, command(&[arguments, &["--data", &nowhere]].concat()));
        assert!(said.contains(&nowhere) && said.contains("no data directory"), "{arguments:?}: {said}");
        assert!(!house.path("no-such").exists(), "{arguments:?}");
    }
    let said = fails(3, command(&["audit", "list", "--data", &above]));
    assert!(said.contains("did you mean") && said.contains(&house.text("data")), "{said}");
    // Setting up makes one, and says so.
    let mut made = command(&["token", "add", "first", "--role", "operator", "--data", &nowhere]);
    made.succeed();
    let said = made.output(Stream::Err);
    assert!(said.contains(&format!("made a new data directory: {nowhere}")) && said.contains("contacts.key"), "{said}");
    let mut again = command(&["token", "add", "second", "--role", "operator", "--data", &nowhere]);
    again.succeed();
    assert!(again.output(Stream::Err).is_empty(), "{}", again.output(Stream::Err));
}

#[test]
fn commands_ask_a_host_over_tls_and_say_what_is_wrong_with_its_certificate() {
    let house = House::with(&people(TAIYUAN, 2, 2));
    let token = house.token("ops", "operator");
    let pem = |name: &str| root().join("host/server/tests/tls").join(name);
    let config = std::fs::read_to_string(house.path("gridbell.toml")).expect("a configuration");
    let tls = format!("{config}\n[tls]\ncertificates = {:?}\nkey = {:?}\n", pem("cert.pem"), pem("key.pem"));
    house.write("gridbell.toml", tls);
    let mut host = house.start(&["serve"]);
    let line = host.wait_for_out("gridbell is ready on ");
    let address = line.after("ready on ").expect("an address").to_owned();
    let port = address.rsplit(':').next().expect("a port");
    let status = |url: &str, ca: Option<PathBuf>| {
        let ca = ca.map(|c| c.display().to_string());
        let ca: Vec<&str> = ca.iter().flat_map(|c| ["--ca", c.as_str()]).collect();
        command(&[&["plugin", "status", "--url", url, "--token", &token, "--json"], &ca[..]].concat())
    };
    let url = format!("https://localhost:{port}");
    let found = parsed(&status(&url, Some(pem("cert.pem"))).succeed());
    assert!(found["items"].as_array().is_some_and(|items| !items.is_empty()), "{found}");
    let other = root().join("tests/tls/other.pem");
    let said = fails(1, status(&url, Some(other)));
    assert!(said.contains("certificate is not believed") && said.contains("other.pem"), "{said}");
    let said = fails(1, status(&url, None));
    assert!(said.contains("--ca FILE"), "{said}");
    let said = fails(3, status(&url, Some(pem("key.pem"))));
    assert!(said.contains("key.pem") && said.contains("private key"), "{said}");
    let said = fails(3, status(&url, Some(root().join("README.md"))));
    assert!(said.contains("-----BEGIN CERTIFICATE-----"), "{said}");
    assert!(fails(1, status(&format!("http://127.0.0.1:{port}"), None)).contains("http://127.0.0.1"));
    assert_eq!(host.terminate().code(), Some(0));
    // Nobody is there any more.
    let said = fails(1, status(&url, Some(pem("cert.pem"))));
    assert!(said.contains(&format!("nothing listens at `{url}`")) && said.contains("gridbell serve"), "{said}");
    // A host without a certificate.
    house.write("gridbell.toml", config);
    let host = house.serve(&token);
    let said = fails(1, status(&host.base.replace("http:", "https:"), Some(pem("cert.pem"))));
    assert!(said.contains("does not speak TLS"), "{said}");
}
