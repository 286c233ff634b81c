//! Data directories of every format that was ever written still open and say what they said. See `tests/formats/README.md`.

mod support;

use std::collections::BTreeMap;
use std::os::unix::fs::PermissionsExt;
use std::path::Path;

use gridbell_tests::root;
use serde_json::Value;
use support::{House, TAIYUAN};

fn copy(from: &Path, to: &Path) {
    std::fs::create_dir_all(to).expect("a folder");
    for entry in std::fs::read_dir(from).expect("a folder of the sources") {
        let entry = entry.expect("an entry");
        let target = to.join(entry.file_name());
        if entry.file_type().expect("a kind").is_dir() {
            copy(&entry.path(), &target);
        } else {
            std::fs::copy(entry.path(), &target).expect("a copy");
        }
    }
}

fn rows(path: &Path) -> Vec<BTreeMap<String, String>> {
    let text = std::fs::read_to_string(path).expect("a file of the sources");
    let mut reader = csv::Reader::from_reader(text.trim_start_matches('\u{feff}').as_bytes());
    reader.deserialize().map(|row| row.expect("a row")).collect()
}

/// Formats that there are folders for.
fn formats() -> Vec<String> {
    let entries = std::fs::read_dir(root().join("tests/formats")).expect("a folder of the sources");
    let names = entries.map(|e| e.expect("an entry").file_name().into_string().expect("text"));
    let mut formats: Vec<String> = names.filter(|name| name.parse::<u32>().is_ok()).collect();
    formats.sort();
    formats
}

#[test]
fn every_format_that_was_ever_written_opens_and_says_what_it_said() {
    let formats = formats();
    assert!(formats.len() >= 5, "{formats:?}");
    for format in formats {
        let folder = root().join("tests/formats").join(&format);
        let house = House::new();
        copy(&folder.join("data"), &house.path("data"));
        // Git keeps no modes, and the host refuses a key that others can read.
        let private = std::fs::Permissions::from_mode(0o600);
        std::fs::set_permissions(house.path("data/contacts.key"), private).expect("the copy is ours");
        assert!(house.run(&["audit", "verify"]).contains("whole"), "the audit chain of format {format}");
        // Nothing may leave for the archives, however late this test runs.
        let rules = std::fs::read_to_string(house.path("rules.toml")).expect("rules");
        let (head, tail) = rules.split_once("[retention_days]").expect("retention in the rules");
        let kept: String = tail.lines().filter(|l| !l.contains('=')).map(|l| format!("{l}\n")).collect();
        let days = ["message", "run", "inbound", "import", "payment", "audit"].map(|kind| format!("{kind} = 36500\n"));
        house.write("rules.toml", format!("{head}[retention_days]\n{}{kept}", days.concat()));
        house.run(&["policy", "rules", &house.text("rules.toml")]);
        let token = house.token("formats", "operator");
        let mut host = house.serve(&token);

        let messages = rows(&folder.join("messages.csv"));
        assert!(messages.len() > 20);
        let mut told: BTreeMap<&str, Vec<&BTreeMap<String, String>>> = BTreeMap::new();
        for message in &messages {
            told.entry(&message["account"]).or_default().push(message);
        }
        for (account, wanted) in told {
            let found = host.all_of(&format!("/v1/messages?account={account}"));
            assert_eq!(found.len(), wanted.len(), "messages to {account} in format {format}");
            for message in wanted {
                let same = |m: &&Value| m["id"] == message["message"].as_str();
                let now =
                    found.iter().find(same).unwrap_or_else(|| panic!("{} of {account}: {found:?}", message["message"]));
                assert_eq!(
                    (&now["state"]["word"], &now["text"]),
                    (&message["state"].as_str().into(), &message["text"].as_str().into())
                );
            }
        }
        let bound = if folder.join("contacts.csv").exists() { rows(&folder.join("contacts.csv")) } else { Vec::new() };
        for contact in bound {
            let path = format!("/v1/customers/{}/contacts", contact["account"]);
            let found = host.all_of(&path);
            let of_channel = found.iter().find(|c| c["channel"]["word"] == contact["channel"].as_str());
            assert!(
                of_channel.is_some_and(|c| c["source"]["word"] == contact["source"].as_str()),
                "{contact:?}: {found:?}"
            );
        }
        let mut owing = 0;
        for bill in rows(&folder.join("bills.csv")) {
            let account = &bill["户号"];
            let customer = host.api.get(&format!("/v1/customers/{account}")).expect(200);
            assert_eq!(customer["account"], account.as_str(), "{customer}");
            let period: u64 = bill["电费年月"].parse().expect("a month");
            assert!(customer["bill"]["period"].as_u64() >= Some(period), "{account} in format {format}: {customer}");
            owing += u64::from(customer["arrears_fen"].as_u64() > Some(0));
        }
        assert!(owing > 10, "{owing} owe something in format {format}");
        // Runs go on as well: the plugins are compiled again, the policies are in force.
        let run = host.run(TAIYUAN, "arrears-reminder");
        assert!(run["customers"].as_u64() > Some(40), "{run}");
        host.process.terminate();
    }
}
