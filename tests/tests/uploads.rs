//! Bad input and a running host: dozens of hostile uploads meet their codes while it decides and sends, and what was damaged on disk is left out, said
//! and healed.

mod support;

/// The engine's own corpus of artifacts: each with the code that it must meet.
#[expect(clippy::unwrap_used, reason = "a test that cannot go on says so by panicking")]
#[path = "."]
mod artifacts {
    #[path = "../../host/engine/tests/corpus/mod.rs"]
    pub(super) mod corpus;
    #[path = "../../host/engine/tests/support/guest.rs"]
    pub(super) mod support;
}

use std::collections::BTreeSet;
use std::path::PathBuf;

use artifacts::corpus::{Artifact, Fate, corpus};
use gridbell_tests::{Http, Reply, eventually, root};
use serde_json::{Value, json};
use support::{DATONG, Host, House, TAIYUAN, people};

/// Of the corpus, each so many-th: the engine's own test has them all.
const EACH: usize = 3;
/// Larger ones are left to the engine's own test: what is tried here is the way of an upload.
const MAX_BYTES: usize = 1 << 20;
/// Uploads one after another, while a run is decided and sent beside them.
const GROUP: usize = 12;
const POLICY: &str = "arrears-reminder";
/// The plugin whose files are damaged.
const PLUGIN: &str = "arrears-reminder-c";

fn upload(api: &Http, bytes: &[u8]) -> Reply {
    api.call("POST", "/v1/plugins", &[("content-type", "application/wasm")], bytes)
}

/// What is refused at upload, and small: each with its bytes.
fn chosen() -> Vec<(Artifact, Vec<u8>)> {
    let refused = |a: &Artifact| {
        // What compiles until its time is over takes minutes of a core under production's limits.
        !matches!(a.fate, Fate::FailsAtWork(_))
            && !matches!(a.fate, Fate::Refused(code) if code.word() == "compile.cpu")
    };
    let chosen = corpus().into_iter().filter(refused).step_by(EACH).map(|a| {
        let bytes = a.bytes();
        (a, bytes)
    });
    chosen.filter(|(_, bytes)| !bytes.is_empty() && bytes.len() <= MAX_BYTES).collect()
}

/// What became of an upload: the codes that the host gave, the nearest first, and its words. It is looked into in the background.
fn verdict(api: &Http, name: &str, bytes: &[u8]) -> (Vec<String>, String) {
    let words =
        |list: &Value| list.as_array().into_iter().flatten().filter_map(|v| v.as_str().map(str::to_owned)).collect();
    let taken = upload(api, bytes).expect(202);
    let path = format!("/v1/plugins/{}", taken["digest"].as_str().expect("a digest"));
    let version = eventually(name, || {
        let version = api.get(&path).expect(200);
        let word = version["stage"]["word"].as_str().unwrap_or_default();
        (!matches!(word, "uploaded" | "checked")).then_some(version)
    });
    assert_eq!(version["stage"]["word"], "refused", "{name}: {version}");
    let report = &version["report"];
    let mut codes: Vec<String> = report["code"].as_str().map(str::to_owned).into_iter().collect();
    codes.extend::<Vec<String>>(words(&report["causes"]));
    (codes, report["summary"].to_string())
}

fn expected(fate: Fate) -> Vec<&'static str> {
    match fate {
        Fate::Refused(code) | Fate::FailsAtWork(code) => vec![code.word()],
        Fate::FailsAtOnce(cause) => vec!["upload.manifest-call", cause.word()],
    }
}

/// Plugins that policies may use.
fn usable(host: &Host) -> BTreeSet<String> {
    let list = host.all("/v1/plugins");
    let is = |p: &&Value| matches!(p["stage"]["word"].as_str(), Some("approved" | "live"));
    list.iter().filter(is).map(|p| p["digest"].to_string()).collect()
}

#[test]
fn dozens_of_hostile_uploads_meet_their_codes_and_the_host_goes_on_deciding_and_sending() {
    let (taiyuan, datong) = (people(TAIYUAN, 40, 40), people(DATONG, 30, 30));
    let everyone: Vec<_> = taiyuan.iter().chain(&datong).cloned().collect();
    let house = House::with(&everyone);
    let host = house.serve(&house.token("ops", "operator"));
    let before = usable(&host);
    let chosen = chosen();
    assert!(chosen.len() >= 36, "{}", chosen.len());
    let mut runs = [(TAIYUAN, 40), (DATONG, 30)].into_iter();
    for group in chosen.chunks(GROUP) {
        std::thread::scope(|scope| {
            let api = host.api.clone();
            let uploading = scope.spawn(move || {
                for (artifact, bytes) in group {
                    let (codes, said) = verdict(&api, artifact.name, bytes);
                    assert_eq!(codes, expected(artifact.fate), "{}: {said}", artifact.name);
                    assert!(said.len() > 30, "{}: {said}", artifact.name);
                }
            });
            // Decided and sent beside them.
            if let Some((prefecture, owing)) = runs.next() {
                assert_eq!(host.run(prefecture, POLICY)["queued"], owing);
            }
            assert_eq!(host.api.get("/healthz").status, 200);
            uploading.join().expect("the uploads are refused as they must be");
        });
    }
    for p in &everyone {
        eventually("a delivered message", || {
            host.message(&p.account).filter(|m| m["state"]["word"] == "delivered").map(|_| ())
        });
    }
    assert_eq!(usable(&host), before, "none of them became a plugin that policies may use");
}

/// The files of the plugin with this digest.
fn files(house: &House, digest: &str) -> Vec<PathBuf> {
    let dir = std::fs::read_dir(house.path("data/plugins")).expect("the plugins' directory");
    let mut files: Vec<PathBuf> = dir.map(|entry| entry.expect("an entry").path()).collect();
    files.retain(|f| f.file_name().is_some_and(|n| n.to_string_lossy().starts_with(digest)));
    files
}

fn alarms(host: &Host) -> Vec<String> {
    host.all_of("/v1/alarms").iter().map(Value::to_string).filter(|a| a.contains("plugin.broken")).collect()
}

#[test]
fn a_damaged_plugin_is_left_out_and_said_at_start_and_an_upload_heals_it() {
    let person = people(TAIYUAN, 3, 3);
    let house = House::with(&person);
    let token = house.token("ops", "operator");
    // Not one that the house brings along: those it puts back by itself.
    let file = root().join("plugins/prebuilt/arrears-reminder-c.wasm");
    let whole = std::fs::read(&file).expect("the plugin");
    house.run(&["plugin", "install", &file.display().to_string()]);
    let policy = support::policy(TAIYUAN, PLUGIN, "").replace("version = \"1\"", "version = \"0.1\"");
    house.write("c.toml", policy);
    house.run(&["policy", "apply", &house.text("c.toml")]);
    let mut host = house.serve(&token);
    let list = host.all("/v1/plugins");
    let found = list.iter().find(|p| p["name"] == PLUGIN).expect("it is there");
    let digest = found["digest"].as_str().expect("a digest").to_owned();
    assert!(alarms(&host).is_empty());
    let others = list.len() - 1;
    // Code alone is made again from the upload; the upload alone is not missed before it is needed.
    host.process.kill();
    for file in files(&house, &digest).iter().filter(|f| f.extension().is_some_and(|e| e == "cwasm")) {
        std::fs::write(file, b"\x7fELF and nothing else").expect("a file can be damaged");
    }
    host = house.serve(&token);
    assert!(alarms(&host).is_empty(), "what can be made again is, without a word");
    assert_eq!(host.run(TAIYUAN, POLICY)["queued"], 3);
    // All of it damaged, then all of it gone.
    for damage in [true, false] {
        host.process.kill();
        for file in files(&house, &digest) {
            let bytes = std::fs::read(&file).expect("a file of the plugin");
            if damage {
                std::fs::write(&file, &bytes[..bytes.len() / 2]).expect("a file can be damaged");
            } else {
                std::fs::remove_file(&file).expect("a file can be removed");
            }
        }
        host = house.serve(&token);
        assert_eq!(host.api.get("/healthz").status, 200);
        let said = alarms(&host);
        assert!(said.len() == 1 && said[0].contains(PLUGIN), "{said:?}");
        let loaded = |p: &&Value| p["manifest"].is_object();
        assert_eq!(host.all("/v1/plugins").iter().filter(loaded).count(), others, "the others are there");
        let order = json!({ "prefecture": TAIYUAN, "policy": POLICY });
        let failed = host.api.post("/v1/runs", &order);
        assert!((400..500).contains(&failed.status), "{failed:?}");
        assert!(failed.body.contains(PLUGIN) && failed.body.contains("upload"), "{}", failed.body);
        let again = upload(&host.api, &whole);
        assert_eq!(again.status, 202, "{again:?}");
        eventually("the end of the alarm", || alarms(&host).is_empty().then_some(()));
        assert_eq!(host.run(TAIYUAN, POLICY)["queued"], 0, "it decides again: everybody was told already");
    }
}
