//! Holds ARCHITECTURE.md: who may depend on whom, who may do I/O or read a clock, and what no file may contain.
//!
//! A failure names the file or the edge. If the new state is right, change the rule here and the map in ARCHITECTURE.md in the same commit.

use std::collections::{BTreeMap, BTreeSet};
use std::path::{Path, PathBuf};
use std::process::Command;

use gridbell_tests::root;
use serde_json::Value;

/// Which of our crates each crate may use, beside itself. Names are without `gridbell-`.
const MAY_USE: &[(&str, &[&str])] = &[
    ("model", &[]),
    ("wire", &[]),
    ("cmpp", &["wire"]),
    ("sgip", &["wire"]),
    ("smgp", &["wire"]),
    ("platform", &[]),
    ("alipay", &["model", "platform"]),
    ("wechat", &["model", "platform"]),
    ("aliyun", &["model", "platform"]),
    ("webhook", &["model", "platform"]),
    ("cap", &["model"]),
    ("screens", &["model", "cap"]),
    ("topology", &["model"]),
    ("outages", &["model"]),
    ("mqtt", &["model", "clock", "screens"]),
    ("clock", &["model"]),
    ("exchange", &["clock", "platform"]),
    ("contract", &["model"]),
    ("intake", &["model", "topology"]),
    ("store", &["model", "clock"]),
    ("archive", &["model", "store"]),
    ("state", &["model", "clock", "store", "topology"]),
    ("engine", &["model", "contract", "clock"]),
    ("planner", &["model", "contract"]),
    ("channels", &["model", "clock", "wire", "cmpp", "sgip", "smgp", "platform"]),
    ("providers", &["model", "clock", "platform", "exchange", "channels", "wechat", "alipay", "aliyun", "webhook"]),
    (
        "conductor",
        &[
            "model", "clock", "contract", "engine", "planner", "state", "archive", "channels", "intake", "screens",
            "outages", "topology",
        ],
    ),
    (
        "server",
        &[
            "model",
            "clock",
            "contract",
            "planner",
            "state",
            "intake",
            "conductor",
            "cap",
            "screens",
            "outages",
            "topology",
        ],
    ),
    ("workshop", &["model", "clock", "contract", "engine", "planner"]),
    ("certify", &["model", "clock", "contract", "engine", "planner", "workshop"]),
    ("simulators", &["model", "clock", "cmpp", "sgip", "smgp", "platform", "exchange", "alipay", "wechat", "aliyun"]),
    // A test of all that is below it; nobody may use it.
    (
        "simulation",
        &["model", "clock", "cmpp", "store", "state", "archive", "engine", "planner", "channels", "conductor"],
    ),
    (
        "gridbell",
        &[
            "model",
            "clock",
            "contract",
            "store",
            "state",
            "archive",
            "engine",
            "planner",
            "platform",
            "channels",
            "providers",
            "intake",
            "conductor",
            "server",
            "simulators",
            "workshop",
            "certify",
            "screens",
            "mqtt",
            "topology",
            "outages",
        ],
    ),
    ("tests", &["model", "cmpp", "sgip", "smgp", "simulators", "engine"]),
];

/// What a crate's own tests may use beyond that.
const TESTS_MAY_USE: [&str; 5] = ["model", "clock", "store", "intake", "simulators"];

/// Foreign crates (a name, or the beginning of one before `*`) that belong to one house, and who may name them in a manifest.
const HOUSES: [(&str, &[&str]); 14] = [
    ("sled", &["store"]),
    ("wasmtime*", &["engine"]),
    ("wit-component", &["engine"]),
    ("axum*", &["server"]),
    ("tower*", &["server"]),
    ("utoipa*", &["server"]),
    ("rustls*", &["server", "exchange", "gridbell", "mqtt"]),
    ("hyper*", &["server", "exchange"]),
    ("tokio-rustls", &["server", "exchange"]),
    ("rumqttc", &["mqtt"]),
    ("ureq", &["gridbell", "tests"]),
    ("calamine", &["intake"]),
    ("minijinja", &["planner", "server"]),
    ("clap*", &["gridbell"]),
];

/// Crates that compute and do nothing else.
const PURE: &[&str] = &[
    "model", "contract", "planner", "wire", "cmpp", "sgip", "smgp", //
    "platform", "alipay", "wechat", "aliyun", "webhook", "cap", "screens", "topology", "outages",
];

/// Foreign crates through which a pure crate could reach the world, however far away.
const WORLDLY: [&str; 10] =
    ["tokio", "mio", "socket2", "hyper", "ureq", "reqwest", "rustls", "tempfile", "sled", "wasmtime"];

/// What a pure crate's sources must not say.
const IO: [&str; 9] = [
    "std::fs",
    "std::net",
    "std::env",
    "std::process",
    "std::thread",
    "std::io::stdin",
    "tokio::",
    "File::open",
    "File::create",
];

/// How time or randomness is had from the system. `ring::rand` is not among them: secrets need the system's entropy.
const CLOCKS: [&str; 12] = [
    "SystemTime::now",
    "Instant::now",
    "Utc::now",
    "Local::now",
    "UNIX_EPOCH.elapsed",
    "clock_gettime",
    "thread_rng",
    "rand::rng(",
    "OsRng",
    "from_entropy",
    "from_os_rng",
    "getrandom",
];

/// A source file longer than this is telling something.
const MAX_LINES: usize = 600;

/// Files that may be longer, and why.
const LONGER: [(&str, usize, &str); 0] = [];

#[test]
fn crates_depend_on_each_other_as_the_map_says() {
    let allowed: BTreeMap<_, _> = MAY_USE.iter().copied().collect();
    let mut broken = Vec::new();
    for package in packages() {
        let Some(may_use) = allowed.get(package.name.as_str()) else {
            broken.push(format!("{} is not in the test's table", package.name));
            continue;
        };
        for dependency in &package.ours {
            let fine = may_use.contains(&dependency.name.as_str())
                || dependency.dev && TESTS_MAY_USE.contains(&dependency.name.as_str());
            if !fine {
                let kind = if dependency.dev { "in its tests " } else { "" };
                broken.push(format!("{} must not use {} {kind}", package.name, dependency.name));
            }
        }
    }
    none(broken, "a dependency against the map of ARCHITECTURE.md");
}

#[test]
fn the_map_names_every_crate() {
    let text = read(&root().join("ARCHITECTURE.md"));
    let first_cells = text
        .lines()
        .filter_map(|line| line.strip_prefix("| `host/").or(line.strip_prefix("| `tests")).and(line.split('|').nth(1)));
    let paths = first_cells.flat_map(|cell| cell.split('`').skip(1).step_by(2));
    let mapped: BTreeSet<String> = paths.map(|path| path.trim_start_matches("host/").to_owned()).collect();
    let existing: BTreeSet<String> = packages().into_iter().map(|package| package.name).collect();
    assert_eq!(mapped, existing, "ARCHITECTURE.md (left) and the workspace (right) must list the same crates");
}

#[test]
fn foreign_crates_stay_in_their_houses() {
    let mut broken = Vec::new();
    for package in packages() {
        for dependency in &package.foreign {
            for (pattern, houses) in HOUSES {
                let meant =
                    pattern.strip_suffix('*').map_or(dependency == pattern, |start| dependency.starts_with(start));
                if meant && !houses.contains(&package.name.as_str()) {
                    broken.push(format!("{} names {dependency}, which belongs to {houses:?}", package.name));
                }
            }
        }
    }
    none(broken, "a foreign crate outside its house");
}

#[test]
fn pure_crates_reach_no_crate_that_talks_to_the_world() {
    let lock: toml::Table = read(&root().join("Cargo.lock")).parse().expect("Cargo.lock is TOML");
    let uses = |name: &str| -> Vec<String> {
        let of_name = lock["package"].as_array().expect("packages").iter().filter(|p| p["name"].as_str() == Some(name));
        let listed = of_name.filter_map(|p| p.get("dependencies")?.as_array()).flatten().filter_map(|d| d.as_str());
        listed.map(|d| d.split(' ').next().unwrap_or(d).to_owned()).collect()
    };
    let mut broken = Vec::new();
    for package in packages().into_iter().filter(|package| PURE.contains(&package.name.as_str())) {
        // Its own normal dependencies; from there on what Cargo.lock says. Our crates that it uses are pure themselves.
        let mut next: Vec<String> = package.foreign_normal.clone();
        let mut reached = BTreeSet::new();
        while let Some(name) = next.pop() {
            if reached.insert(name.clone()) {
                next.extend(uses(&name));
            }
        }
        assert!(package.name == "model" || !reached.is_empty(), "{} uses nothing: was Cargo.lock read?", package.name);
        broken
            .extend(WORLDLY.iter().filter(|w| reached.contains(**w)).map(|w| format!("{} reaches {w}", package.name)));
    }
    none(broken, "a pure crate that could do I/O");
}

#[test]
fn pure_crates_do_no_io() {
    let mut broken = Vec::new();
    for name in PURE {
        for file in rust_files(&root().join("host").join(name).join("src")) {
            broken.extend(said(&file, &IO));
        }
    }
    none(broken, "I/O in a crate that must do none");
}

#[test]
fn only_the_clock_reads_time_and_randomness() {
    let mut broken = Vec::new();
    for package in packages().into_iter().filter(|package| !["clock", "tests"].contains(&package.name.as_str())) {
        for file in rust_files(&package.directory.join("src")) {
            broken.extend(said(&file, &CLOCKS));
        }
    }
    none(broken, "time or randomness that does not come through gridbell-clock");
}

#[test]
fn source_files_are_short_enough_to_read() {
    let mut broken = Vec::new();
    for file in rust_files(&root().join("host")).into_iter().filter(|file| file.iter().any(|part| part == "src")) {
        let (lines, name) = (read(&file).lines().count(), shown(&file));
        let limit = LONGER.iter().find(|(longer, ..)| *longer == name).map_or(MAX_LINES, |(_, limit, _)| *limit);
        if lines > limit {
            broken.push(format!("{name} has {lines} lines, {limit} are allowed"));
        }
    }
    for (name, _, reason) in LONGER {
        let lines = read(&root().join(name)).lines().count();
        if lines <= MAX_LINES {
            broken.push(format!("{name} needs its exception no more ({reason})"));
        }
    }
    none(broken, "a file that should be divided by reason to change");
}

#[test]
fn every_source_file_says_what_it_is_for() {
    let mut broken = Vec::new();
    for package in packages() {
        for file in rust_files(&package.directory.join("src")) {
            if !read(&file).starts_with("//!") {
                broken.push(shown(&file));
            }
        }
    }
    none(broken, "a source file that does not begin with `//!`");
}

#[test]
fn nothing_in_the_tree_belongs_to_one_machine() {
    // Written in two parts, so that this file does not find itself.
    let forbidden = [
        concat!("/wo", "rk/"),
        concat!("/ro", "ot/"),
        concat!("/ho", "me/"),
        concat!("/tmp/ba", "sh_jobs"),
        concat!("/tmp/he", "lpers"),
        concat!("index.crates", ".io"),
        concat!("static.crates", ".io"),
        concat!("registry.np", "mjs"),
        concat!("pypi", ".org"),
        concat!("pythonho", "sted"),
        concat!("deb.de", "bian"),
    ];
    let mut broken = Vec::new();
    let mut files = 0;
    for file in tracked_files() {
        // Cargo.lock names the registry by the address that cargo gives it, whatever machine it is made on.
        if file.file_name().is_some_and(|name| name == "Cargo.lock") {
            continue;
        }
        files += 1;
        let bytes = std::fs::read(&file).unwrap_or_else(|e| panic!("{}: {e}", file.display()));
        for word in forbidden {
            if bytes.windows(word.len()).any(|window| window == word.as_bytes()) {
                broken.push(format!("{} says `{word}`", shown(&file)));
            }
        }
    }
    assert!(files > 50, "only {files} files were looked at");
    none(broken, "a path or host that others do not have");
}

#[test]
fn no_test_is_switched_off() {
    let switch = concat!("#[ign", "ore");
    let mut broken = Vec::new();
    for top in ["host", "plugins", "tests"] {
        for file in rust_files(&root().join(top)) {
            broken.extend(
                read(&file)
                    .lines()
                    .enumerate()
                    .filter(|(_, line)| line.trim_start().starts_with(switch))
                    .map(|(number, _)| format!("{}:{}", shown(&file), number + 1)),
            );
        }
    }
    none(broken, "a test that never runs");
}

struct Package {
    name: String,
    directory: PathBuf,
    ours: Vec<Ours>,
    foreign: Vec<String>,
    foreign_normal: Vec<String>,
}

struct Ours {
    name: String,
    dev: bool,
}

/// The workspace as its manifests state it: no network, no lock on the build directory.
fn packages() -> Vec<Package> {
    let cargo = std::env::var_os("CARGO").unwrap_or_else(|| "cargo".into());
    let output = Command::new(cargo)
        .args(["metadata", "--no-deps", "--offline", "--format-version", "1"])
        .current_dir(root())
        .output()
        .expect("cargo starts");
    assert!(output.status.success(), "{}", String::from_utf8_lossy(&output.stderr));
    let metadata: Value = serde_json::from_slice(&output.stdout).expect("cargo prints JSON");
    let packages: Vec<Package> = metadata["packages"].as_array().expect("packages").iter().map(package).collect();
    assert!(packages.len() >= MAY_USE.len(), "only {} crates found", packages.len());
    packages
}

fn package(value: &Value) -> Package {
    let text = |value: &Value| value.as_str().expect("a text").to_owned();
    let short = |name: &str| name.strip_prefix("gridbell-").unwrap_or(name).to_owned();
    let manifest = PathBuf::from(text(&value["manifest_path"]));
    let dependencies = value["dependencies"].as_array().expect("dependencies");
    let (ours, foreign): (Vec<_>, Vec<_>) = dependencies.iter().partition(|d| d["path"].is_string());
    let dev = |dependency: &Value| dependency["kind"] == "dev";
    Package {
        name: short(&text(&value["name"])),
        directory: manifest.parent().expect("a manifest lies in a directory").to_owned(),
        ours: ours.iter().map(|d| Ours { name: short(&text(&d["name"])), dev: dev(d) }).collect(),
        foreign: foreign.iter().map(|d| text(&d["name"])).collect(),
        foreign_normal: foreign.iter().filter(|d| !dev(d)).map(|d| text(&d["name"])).collect(),
    }
}

/// Where a file's code, without comments and without its tests at the end, says one of these words.
fn said(file: &Path, words: &[&str]) -> Vec<String> {
    let text = read(file);
    let lines: Vec<&str> = text.lines().collect();
    let tests = |at: &[&str]| at[0] == "#[cfg(test)]" && at[1].starts_with("mod ") && at[1].ends_with('{');
    let end = lines.windows(2).position(tests).unwrap_or(lines.len());
    let mut found = Vec::new();
    for (number, line) in lines[..end].iter().enumerate() {
        let code = line.split("//").next().unwrap_or(line);
        let code = format!("{code} {}", spelled_out(code, &lines[number + 1..end]));
        let hits = words.iter().filter(|word| code.contains(**word));
        found.extend(hits.map(|word| format!("{}:{}: `{word}`", shown(file), number + 1)));
    }
    found
}

/// The paths of a grouped import that begins on this line: `std::fs std::io` for `use std::{fs, io};`.
fn spelled_out(line: &str, rest: &[&str]) -> String {
    let Some((path, first)) = line.split_once("::{").filter(|(path, _)| path.contains("use ")) else {
        return String::new();
    };
    let path = path.split("use ").last().unwrap_or(path);
    let text = [&[first], rest].concat().join(" ");
    let group = text.split(';').next().unwrap_or_default();
    let names = group.split(|c: char| !c.is_alphanumeric() && c != '_').filter(|name| !name.is_empty());
    names.map(|name| format!("{path}::{name}")).collect::<Vec<_>>().join(" ")
}

#[test]
fn a_grouped_import_hides_nothing() {
    assert!(spelled_out("use std::{collections::BTreeMap, fs};", &[]).contains("std::fs"));
    assert!(
        spelled_out("    pub use std::{", &["    io,", "    net::TcpStream,", "};", "fs"]).ends_with("std::TcpStream")
    );
    assert_eq!(spelled_out("let a = Some::{", &[]), "");
}

/// All Rust files under a directory, build results apart.
fn rust_files(directory: &Path) -> Vec<PathBuf> {
    let mut files = Vec::new();
    let mut next = vec![directory.to_owned()];
    while let Some(directory) = next.pop() {
        let entries = std::fs::read_dir(&directory).unwrap_or_else(|e| panic!("{}: {e}", directory.display()));
        for entry in entries {
            let path = entry.expect("a directory can be listed").path();
            if path.is_dir() && path.file_name().is_some_and(|name| name != "target") {
                next.push(path);
            } else if path.extension().is_some_and(|extension| extension == "rs") {
                files.push(path);
            }
        }
    }
    files.sort();
    files
}

/// What git keeps or would keep: everything but what .gitignore leaves out.
fn tracked_files() -> Vec<PathBuf> {
    let output = Command::new("git")
        .args(["ls-files", "-z", "--cached", "--others", "--exclude-standard"])
        .current_dir(root())
        .output()
        .expect("git starts: the tree is a clone");
    assert!(output.status.success(), "{}", String::from_utf8_lossy(&output.stderr));
    let names = String::from_utf8(output.stdout).expect("file names are UTF-8");
    let files = names.split('\0').filter(|name| !name.is_empty()).map(|name| root().join(name));
    // A file that was removed and not yet committed is listed still.
    files.filter(|file| file.is_file()).collect()
}

fn shown(file: &Path) -> String {
    file.strip_prefix(root()).unwrap_or(file).display().to_string()
}

fn read(file: &Path) -> String {
    std::fs::read_to_string(file).unwrap_or_else(|e| panic!("{}: {e}", file.display()))
}

fn none(broken: Vec<String>, what: &str) {
    assert!(broken.is_empty(), "{what}:\n{}", broken.join("\n"));
}

/// Below `dialect/` alone: everything else in `channels` speaks of events and verdicts.
#[test]
fn only_dialects_name_a_codec() {
    let root = gridbell_tests::root().join("host/channels/src");
    let mut named = Vec::new();
    let mut directories = vec![root.clone()];
    while let Some(directory) = directories.pop() {
        for entry in std::fs::read_dir(&directory).expect("a directory of sources") {
            let path = entry.expect("an entry").path();
            if path.is_dir() {
                directories.push(path);
                continue;
            }
            let text = std::fs::read_to_string(&path).expect("a source");
            let codecs = ["gridbell_cmpp", "gridbell_sgip", "gridbell_smgp"];
            if codecs.iter().any(|codec| text.contains(codec)) {
                named.push(path.strip_prefix(&root).expect("below the root").display().to_string());
            }
        }
    }
    named.sort();
    assert_eq!(named, ["dialect/cmpp.rs", "dialect/sgip.rs", "dialect/smgp.rs"]);
}
