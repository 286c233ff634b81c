//! Files as offices send them, what is told about their rows, and backups: through the command line, as an operator uses it.

mod support;

use std::collections::BTreeMap;
use std::process::Command;

use gridbell_tests::{Http, Process, Stream, gridbell};
use nix::sys::signal::Signal;
use rust_xlsxwriter::Workbook;
use serde_json::{Value, json};
use support::{House, TAIYUAN, people};

const HEADER: &str = "户号,供电单位,抄表段,户名,手机号";

/// A reject file's rows: line, cell and code.
fn rejects(house: &House, file: &str) -> Vec<(String, String, String)> {
    let bytes = std::fs::read(house.path(file)).expect("a reject file");
    let text = bytes.strip_prefix(b"\xef\xbb\xbf").expect("a byte order mark, for spreadsheets");
    let mut rows = csv::Reader::from_reader(text);
    let headers = rows.headers().expect("headers").clone();
    let at = |name: &str| headers.iter().position(|h| h.contains(name)).expect("a column");
    let (line, cell, code) = (at("line"), at("cell"), at("code"));
    let row = |r: csv::StringRecord| (r[line].to_owned(), r[cell].to_owned(), r[code].to_owned());
    rows.records().map(|r| row(r.expect("a row"))).collect()
}

fn report(said: &str) -> Value {
    serde_json::from_str(said.lines().last().unwrap_or_default()).unwrap_or_else(|e| panic!("no report ({e}): {said}"))
}

#[test]
fn a_file_in_gb18030_keeps_its_good_rows_names_the_bad_ones_and_changes_nothing_twice() {
    let house = House::new();
    let text = format!(
        "{HEADER}\n\
         0010000001,140100501,1401005011,李敏,13900000001\n\
         1.2E+12,140100501,1401005011,王强,13900000002\n\
         0010000003,140100501,1401005011,𠮷田,1390000\n\
         0010000004,149999999,1401005011,赵云,13900000004\n\
         0010000005,140100501,1401005011,\"孙,三\",0351-1234567\n"
    );
    let (bytes, _, lossy) = encoding_rs::GB18030.encode(&text);
    assert!(!lossy);
    house.write("用户档案.csv", &bytes);
    let (file, org) = (house.text("用户档案.csv"), house.text("org.json"));
    let mut import = house.start(&["import", "customers", &file, "--org", &org, "--json"]);
    assert_eq!(import.wait().code(), Some(3), "some rows were refused: {}", import.output(Stream::Err));
    let first = report(&import.output(Stream::Out));
    let counts = |r: &Value| ["rows", "created", "changed", "unchanged", "rejected"].map(|k| r[k].as_u64());
    assert_eq!(counts(&first), [5, 3, 0, 0, 2].map(Some), "{first}");
    let said = import.output(Stream::Err);
    assert!(said.contains("2 rows were rejected") && said.contains("用户档案.csv.rejects.csv"), "{said}");
    assert!(!said.contains("1390000000"), "no number is ever printed: {said}");
    let told = |line: &str, code: &str| (line.to_owned(), String::new(), code.to_owned());
    let mut found = rejects(&house, "用户档案.csv.rejects.csv");
    found.sort();
    assert_eq!(found, [told("3", "account-float"), told("5", "unknown-station")]);

    let mut again = house.start(&["import", "customers", &file, "--json"]);
    assert_eq!(again.wait().code(), Some(3));
    let second = report(&again.output(Stream::Out));
    assert_eq!(counts(&second), [5, 0, 0, 3, 2].map(Some), "the same file twice changes nothing: {second}");

    let host = house.serve(&house.token("ops", "operator"));
    let class = |account: &str| host.api.get(&format!("/v1/customers/{account}")).expect(200)["phone"]["class"].clone();
    assert_eq!(
        (class("0010000001"), class("0010000003")),
        (json!("mobile"), json!("bad")),
        "a bad phone keeps its row"
    );
    assert_eq!(class("0010000005"), "landline");
    assert_eq!(host.api.get("/v1/customers/0010000004").status, 404);
}

#[test]
fn a_workbook_that_spoilt_account_numbers_is_told_cell_by_cell() {
    let house = House::new();
    let mut book = Workbook::new();
    let sheet = book.add_worksheet().set_name("用户").expect("a name");
    for (column, name) in (0u16..).zip(HEADER.split(',')) {
        sheet.write_string(0, column, name).expect("a cell");
    }
    for row in 1..5 {
        sheet.write_number(row, 1, 140_100_501.0).expect("a cell");
        sheet.write_number(row, 4, 13_900_000_000.0 + f64::from(row)).expect("a cell");
    }
    sheet.write_string(1, 0, "0010000001").expect("a cell");
    sheet.write_string(2, 0, "1.2E+12").expect("a cell");
    sheet.write_number(3, 0, 1.2e12).expect("a cell");
    sheet.write_string(4, 0, "0010000004").expect("a cell");
    book.save(house.path("用户.xlsx")).expect("a workbook");
    let (file, org) = (house.text("用户.xlsx"), house.text("org.json"));
    let said = house.fails(3, &["import", "customers", &file, "--org", &org, "--rejects", &house.text("bad.csv")]);
    assert!(said.contains("bad.csv"), "{said}");
    let told = |line: &str, cell: &str, code: &str| (line.to_owned(), cell.to_owned(), code.to_owned());
    let expected = [told("3", "用户!A3", "account-float"), told("4", "用户!A4", "numeric-cell")];
    assert_eq!(rejects(&house, "bad.csv"), expected);
    // What only the state can refuse has its cell, too.
    sheet_with_a_wrong_station(&house);
    house.fails(3, &["import", "customers", &house.text("站.xlsx"), "--rejects", &house.text("bad.csv")]);
    assert_eq!(rejects(&house, "bad.csv"), [told("3", "站!A3", "unknown-station")]);
    // Who knows how long the numbers are may say so.
    let digits =
        ["import", "customers", &file, "--account-digits", "13", "--rejects", &house.text("bad.csv"), "--json"];
    let mut import = house.start(&digits);
    assert_eq!(import.wait().code(), Some(3));
    assert_eq!(report(&import.output(Stream::Out))["created"], 1);
}

fn sheet_with_a_wrong_station(house: &House) {
    let mut book = Workbook::new();
    let sheet = book.add_worksheet().set_name("站").expect("a name");
    for (column, name) in (0u16..).zip(HEADER.split(',')) {
        sheet.write_string(0, column, name).expect("a cell");
    }
    for (row, station) in [(1, 140_100_501.0), (2, 149_999_999.0)] {
        sheet.write_string(row, 0, format!("001000000{row}")).expect("a cell");
        sheet.write_number(row, 1, station).expect("a cell");
    }
    book.save(house.path("站.xlsx")).expect("a workbook");
}

#[test]
fn a_number_of_many_accounts_is_marked_until_it_is_put_right() {
    let house = House::new();
    let rules = std::fs::read_to_string(house.path("rules.toml")).expect("rules");
    house.write("fewer.toml", rules.replace("shared_phone_accounts = 5", "shared_phone_accounts = 2"));
    house.run(&["policy", "rules", &house.text("fewer.toml")]);
    let mut said = String::new();
    for (file, accounts) in [("a.csv", [1, 2]), ("b.csv", [3, 4])] {
        let row =
            |n: &u32| format!("001000000{n},140100501,1401005011,李敏,139000000{}\n", if *n < 4 { 77 } else { 78 });
        house.write(file, format!("{HEADER}\n{}", accounts.iter().map(row).collect::<String>()));
        let (file, org) = (house.text(file), house.text("org.json"));
        said = house.run(&["import", "customers", &file, "--org", &org, "--json"]);
    }
    assert_eq!(report(&said)["shared_phones"], json!({ "numbers": 1, "accounts": 3 }), "{said}");
    let host = house.serve(&house.token("ops", "operator"));
    let one = |n: u32| host.api.get(&format!("/v1/customers/001000000{n}")).expect(200)["phone"]["shared"].clone();
    assert_eq!([one(1), one(2), one(3), one(4)], [true, true, true, false].map(|b| json!(b)));
    let listed = host.all("/v1/customers");
    assert_eq!(listed.iter().filter(|c| c["phone"]["shared"] == true).count(), 3, "{listed:?}");
    host.api
        .patch("/v1/customers/0010000002", &json!({ "phone": "13900000079", "contact_source": "counter" }))
        .expect(200);
    assert_eq!([one(1), one(2), one(3)], [false; 3].map(|b| json!(b)), "two accounts are a household");
}

#[test]
fn a_reader_who_leaves_stops_neither_the_work_nor_the_code() {
    let house = House::new();
    let unread = |arguments: &[&str]| {
        let (reader, writer) = std::io::pipe().expect("a pipe");
        drop(reader);
        let mut command = Command::new(gridbell());
        command.args(arguments).current_dir(house.dir.path()).stdout(writer).stderr(std::process::Stdio::piped());
        let output = command.output().expect("it runs");
        (output.status.code(), String::from_utf8_lossy(&output.stderr).into_owned())
    };
    assert_eq!(unread(&["completions", "bash"]), (Some(0), String::new()));
    house.write("customers.csv", format!("{HEADER}\n0010000001,140100501,1401005011,李敏,13900000001\n"));
    let import = ["import", "customers", "customers.csv", "--org", "org.json", "--config", "gridbell.toml"];
    let (code, said) = unread(&import);
    assert!(code == Some(0) && said.lines().all(|line| line.starts_with("made a new ")), "{code:?}: {said}");
    let again = house.run(&["import", "customers", &house.text("customers.csv"), "--json"]);
    assert_eq!(report(&again)["unchanged"], 1, "the import was done: {again}");
}

#[test]
fn a_file_that_is_none_is_refused_as_a_whole() {
    let house = House::new();
    house.write("wrong.csv", "甲,乙\n1,2\n");
    let said = house.fails(3, &["import", "bills", &house.text("wrong.csv")]);
    assert!(said.contains("wrong.csv"), "{said}");
    let said = house.fails(3, &["import", "bills", &house.text("nowhere.csv")]);
    assert!(said.contains("nowhere.csv"), "{said}");
}

/// A host on another data directory, without links.
fn bare(house: &House, data: &str, token: &str) -> (Process, Http) {
    let name = format!("{data}.toml");
    house.write(&name, format!("data = \"{data}\"\nlisten = \"127.0.0.1:0\"\n"));
    let mut command = Command::new(gridbell());
    command.arg("serve").arg("--config").arg(house.path(&name));
    let mut process = Process::spawn(command);
    let line = process.wait_for_out("ready on ");
    let api = Http::new(&format!("http://{}", line.after("ready on ").expect("an address"))).bearer(token);
    (process, api)
}

/// Customers, messages and runs of a data directory, as the API tells them.
fn contents(house: &House, data: &str, token: &str, accounts: &[String]) -> BTreeMap<String, Value> {
    let (mut process, api) = bare(house, data, token);
    let mut all = BTreeMap::new();
    for account in accounts {
        for path in [format!("/v1/customers/{account}"), format!("/v1/messages?account={account}")] {
            let answer = api.get(&path).expect(200);
            all.insert(path, answer);
        }
    }
    all.insert("runs".to_owned(), api.get("/v1/runs").expect(200));
    assert_eq!(process.terminate().code(), Some(0));
    all
}

/// A command with `--data` instead of the house's configuration.
fn on(house: &House, data: &str, arguments: &[&str]) -> Process {
    let mut command = Command::new(gridbell());
    command.args(arguments).arg("--data").arg(house.path(data));
    Process::spawn(command)
}

#[test]
fn a_backup_restored_is_the_same_house() {
    let people = people(TAIYUAN, 20, 5);
    let house = House::with(&people);
    let token = house.token("ops", "operator");
    house.run(&["run", "arrears-reminder", "--prefecture", "140100", "--yes"]);
    house.run(&["backup", &house.text("house.backup")]);
    assert!(on(&house, "data", &["backup", &house.text("house.backup")]).wait().code() == Some(1), "never overwritten");

    let backup = house.text("house.backup");
    std::fs::create_dir(house.path("copy")).expect("a directory");
    std::fs::copy(house.path("data/contacts.key"), house.path("copy/contacts.key")).expect("the key, kept apart");
    on(&house, "copy", &["restore", &backup]).succeed();
    let verified = on(&house, "copy", &["audit", "verify"]).succeed();
    assert!(verified.contains("the chain is whole"), "{verified}");
    // Before a host starts on either: its first start makes a user, which is an entry of its own.
    let audit = |data| on(&house, data, &["audit", "list"]).succeed();
    assert_eq!(audit("copy"), audit("data"));
    assert!(audit("copy").contains("policy.apply"));
    let accounts: Vec<String> = people.iter().map(|p| p.account.clone()).collect();
    let original = contents(&house, "data", &token, &accounts);
    assert_eq!(contents(&house, "copy", &token, &accounts), original);
    let queued = accounts
        .iter()
        .filter(|a| original[&format!("/v1/messages?account={a}")]["items"][0]["state"]["word"] == "queued");
    assert_eq!(queued.count(), 5, "what waited, waits");

    // Its plugins directory was not kept: the house's own plugins are there all the same.
    let again = on(&house, "copy", &["run", "arrears-reminder", "--prefecture", "140100", "--json"]).succeed();
    assert_eq!((&report(&again)["customers"], &report(&again)["queued"]), (&json!(20), &json!(0)), "{again}");

    let mut into_full = on(&house, "copy", &["restore", &backup]);
    assert_eq!(into_full.wait().code(), Some(3));
    assert!(into_full.output(Stream::Err).contains("is not empty"), "{}", into_full.output(Stream::Err));
}

#[test]
fn data_without_its_key_is_not_given_a_new_one() {
    let house = House::with(&people(TAIYUAN, 3, 1));
    house.run(&["backup", &house.text("house.backup")]);
    on(&house, "copy", &["restore", &house.text("house.backup")]).succeed();
    for _ in 0..2 {
        let mut verify = on(&house, "copy", &["audit", "verify"]);
        assert_ne!(verify.wait().code(), Some(0));
        let said = verify.output(Stream::Err);
        assert!(said.contains("no key") && said.contains("put back"), "{said}");
        assert!(!house.path("copy/contacts.key").exists());
    }
    std::fs::copy(house.path("data/contacts.key"), house.path("copy/contacts.key")).expect("the key, kept apart");
    on(&house, "copy", &["audit", "verify"]).succeed();
}

#[test]
fn a_backup_written_while_messages_go_out_is_one_instant() {
    let people = people(TAIYUAN, 300, 300);
    let house = House::with(&people);
    let token = house.token("ops", "operator");
    let mut host = house.serve(&token);
    assert_eq!(host.run(TAIYUAN, "arrears-reminder")["queued"], 300);
    house.accepted(50);
    host.process.signal(Signal::SIGUSR1);
    let line = host.process.wait_for_err("wrote the backup ");
    let file = line.after("wrote the backup ").expect("a path").to_owned();
    assert_eq!(host.process.terminate().code(), Some(0));
    on(&house, "copy", &["restore", &file]).succeed();
    std::fs::copy(house.path("data/contacts.key"), house.path("copy/contacts.key")).expect("the key, kept apart");
    let verified = on(&house, "copy", &["audit", "verify"]).succeed();
    assert!(verified.contains("the chain is whole"), "{verified}");
    let (mut process, api) = bare(&house, "copy", &token);
    for p in &people {
        let messages = api.get(&format!("/v1/messages?account={}", p.account)).expect(200);
        assert_eq!(messages["items"].as_array().map(Vec::len), Some(1), "{messages}");
    }
    assert_eq!(process.terminate().code(), Some(0));
}

#[test]
fn a_damaged_backup_is_found_and_restores_nothing() {
    let house = House::with(&people(TAIYUAN, 20, 5));
    house.run(&["backup", &house.text("good.backup")]);
    on(&house, "new", &["restore", &house.text("good.backup"), "--check"]).succeed();
    let good = std::fs::read(house.path("good.backup")).expect("a backup");
    for (name, at) in [("head", 3), ("middle", good.len() / 2), ("end", good.len() - 2)] {
        let mut bad = good.clone();
        bad[at] ^= 0x10;
        house.write(name, &bad);
    }
    house.write("short", &good[..good.len() * 2 / 3]);
    for name in ["head", "middle", "end", "short"] {
        for check in [true, false] {
            let (file, target) = (house.text(name), format!("new-{name}"));
            let mut arguments = vec!["restore", &file];
            arguments.extend(check.then_some("--check"));
            let mut restore = on(&house, &target, &arguments);
            let status = restore.wait();
            assert_eq!(status.code(), Some(4), "{name}: {}", restore.output(Stream::Err));
            let store = house.path(&target).join("store");
            let left = std::fs::read_dir(&store).map_or(0, Iterator::count);
            assert_eq!(left, 0, "{name}: something was restored");
        }
    }
}

#[test]
fn a_data_directory_serves_one_process() {
    let house = House::with(&people(TAIYUAN, 5, 1));
    let mut host = house.serve(&house.token("ops", "operator"));
    let said = house.fails(1, &["import", "bills", &house.text("bills.csv")]);
    assert!(said.contains("in use by another process") && said.contains("one host at a time"), "{said}");
    let said = house.fails(1, &["serve"]);
    assert!(said.contains("in use by another process"), "{said}");
    assert_eq!(host.api.get("/healthz").status, 200);
    assert_eq!(host.process.terminate().code(), Some(0));
    house.run(&["import", "bills", &house.text("bills.csv")]);
}
