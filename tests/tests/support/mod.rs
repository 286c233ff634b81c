//! A province of a few customers on disk, a gateway in this process and the real host between them.

#![allow(dead_code, reason = "each test file uses its part")]

pub(crate) mod deployed;
pub(crate) mod guest;

use std::collections::BTreeMap;
use std::fmt::Write as _;
use std::net::SocketAddr;
use std::path::{Path, PathBuf};
use std::process::Command;

use gridbell_clock::Clock;
use gridbell_model::{CivilMinute, Date};
use gridbell_simulators::cmpp::{Account, Config, Gateway};
use gridbell_tests::{Http, Process, Stream, gridbell, root, scratch};
use nix::sys::signal::Signal;
use serde_json::{Value, json};
use tempfile::TempDir;
use tokio::runtime::Runtime;

/// 太原.
pub(crate) const TAIYUAN: u32 = 140_100;
/// 大同.
pub(crate) const DATONG: u32 = 140_200;
/// The account at the gateway.
pub(crate) const SP_ID: &str = "901234";
/// Unanswered parts that a connection of the link may have.
pub(crate) const WINDOW: u64 = 16;
/// Connections of the link.
pub(crate) const CONNECTIONS: u64 = 2;
/// Parts that the link intends ahead of its windows.
pub(crate) const COMMIT_GROUP: u64 = 64;

/// A customer of the test.
#[derive(Clone, Debug)]
pub(crate) struct Person {
    /// 户号
    pub(crate) account: String,
    /// Whole number.
    pub(crate) phone: String,
    /// 140100 or 140200.
    pub(crate) prefecture: u32,
    /// The last digits of its station: 501 or 502.
    pub(crate) station: u32,
    /// What is owed, in fen; 0 for nothing.
    pub(crate) owes_fen: i64,
}

/// `n` customers of a prefecture, each with a number of its own; the first `owing` of them owe.
pub(crate) fn people(prefecture: u32, n: u64, owing: u64) -> Vec<Person> {
    let of_prefecture = u64::from(prefecture / 100 % 100);
    (0..n)
        .map(|i| Person {
            account: format!("{of_prefecture:03}{i:07}"),
            phone: format!("139{of_prefecture:02}{i:06}"),
            prefecture,
            station: 501,
            owes_fen: if i < owing { 1_000 + i as i64 } else { 0 },
        })
        .collect()
}

/// Everything that outlives a host: its data directory, its configuration and the gateway.
pub(crate) struct House {
    /// The gateway that its link goes to.
    pub(crate) gateway: Gateway,
    /// Where the files lie; the data is in `data`.
    pub(crate) dir: TempDir,
    // Last: the gateway's tasks run on it.
    runtime: Runtime,
}

/// A host that runs.
pub(crate) struct Host {
    /// Its process.
    pub(crate) process: Process,
    /// The API with an operator's token.
    pub(crate) api: Http,
    pub(crate) base: String,
}

impl House {
    /// A house without data, its gateway, and its files: the org tree, rules without quiet hours, the configuration.
    pub(crate) fn new() -> Self {
        let dir = scratch();
        let runtime =
            tokio::runtime::Builder::new_multi_thread().worker_threads(1).enable_all().build().expect("a runtime");
        let account = Account { sp_id: SP_ID.into(), secret: "secret".into(), rate: 0, ..Account::default() };
        let config = Config::with_account(account);
        let start = Gateway::start(config, Clock::system(), SocketAddr::from(([127, 0, 0, 1], 0)));
        let gateway = runtime.block_on(start).expect("a gateway");
        let house = Self { gateway, dir, runtime };
        let rules = std::fs::read_to_string(root().join("policies/province.toml")).expect("the province's rules");
        // The real clock may show any time of day.
        let awake: String = rules.lines().filter(|l| !l.starts_with("quiet =")).map(|l| format!("{l}\n")).collect();
        house.write("rules.toml", &awake);
        house.write("org.json", org().to_string());
        house.write("gateway.secret", "secret");
        house.write(
            "gridbell.toml",
            format!(
                r#"data = "data"
listen = "127.0.0.1:0"

[[link]]
name = "mobile"
protocol = "cmpp3"
address = "{}"
sp-id = "{SP_ID}"
secret = {{ file = "{}" }}
service-id = "DLFW"
src-ids = ["95598", "10657"]
grant = 0
window = {WINDOW}
connections = {CONNECTIONS}
commit-group = {COMMIT_GROUP}
serves = ["mobile", "unicom", "telecom", "broadnet"]
timers = {{ reconnect-min-ms = 10, reconnect-max-s = 1, drain-s = 5 }}
"#,
                house.gateway.addr(),
                house.path("gateway.secret").display(),
            ),
        );
        house
    }

    /// A house with these customers, rules and a reminder policy for each of their prefectures.
    pub(crate) fn with(people: &[Person]) -> Self {
        let house = Self::new();
        house.files(people);
        house.run(&["import", "customers", &house.text("customers.csv"), "--org", &house.text("org.json")]);
        house.run(&["import", "bills", &house.text("bills.csv")]);
        house.settle(people);
        house
    }

    /// Applies rules and policies.
    pub(crate) fn settle(&self, people: &[Person]) {
        self.run(&["policy", "rules", &self.text("rules.toml")]);
        let mut prefectures: Vec<u32> = people.iter().map(|p| p.prefecture).collect();
        prefectures.dedup();
        for prefecture in prefectures {
            let name = format!("{prefecture}.toml");
            self.write(&name, policy(prefecture, "arrears-reminder", ""));
            self.run(&["policy", "apply", &self.text(&name)]);
        }
    }

    /// Writes customers and bills as an office would send them.
    pub(crate) fn files(&self, people: &[Person]) {
        let today = today();
        let mut customers = String::from("户号,供电单位,抄表段,户名,手机号\n");
        let mut bills = String::from("户号,电费年月,应收金额（元）,发行日期,违约金起算日,数据日期\n");
        let (y, m, _) = today.plus_days(-10).ymd();
        for p in people {
            let station = p.prefecture * 1_000 + p.station;
            let _ = writeln!(customers, "{},{station},{station}1,客户{},{}", p.account, p.account, p.phone);
            if p.owes_fen > 0 {
                let amount = format!("{}.{:02}", p.owes_fen / 100, p.owes_fen % 100);
                let (issued, due) = (today.plus_days(-10), today.plus_days(5));
                let _ = writeln!(bills, "{},{y}{m:02},{amount},{issued},{due},{today}", p.account);
            }
        }
        self.write("customers.csv", &customers);
        self.write("bills.csv", &bills);
    }

    /// A path in the house's directory.
    pub(crate) fn path(&self, name: &str) -> PathBuf {
        self.dir.path().join(name)
    }

    /// The same as text.
    pub(crate) fn text(&self, name: &str) -> String {
        self.path(name).display().to_string()
    }

    /// Writes a file into the house's directory.
    pub(crate) fn write(&self, name: &str, text: impl AsRef<[u8]>) {
        std::fs::write(self.path(name), text).expect("a file can be written");
    }

    /// Starts a command on the data directory.
    pub(crate) fn start(&self, arguments: &[&str]) -> Process {
        let mut command = Command::new(gridbell());
        command.args(arguments).arg("--config").arg(self.path("gridbell.toml"));
        // Who did it is in the audit log; the machine's user is no part of the test.
        command.current_dir(root()).env("USER", "test").env("RUST_LOG", "warn");
        Process::spawn(command)
    }

    /// Runs a command to its end, which must be a success; gives its standard output.
    #[track_caller]
    pub(crate) fn run(&self, arguments: &[&str]) -> String {
        self.start(arguments).succeed()
    }

    /// Runs a command that must end with `code`; gives what it said on standard error.
    #[track_caller]
    pub(crate) fn fails(&self, code: i32, arguments: &[&str]) -> String {
        let mut process = self.start(arguments);
        let status = process.wait();
        let said = process.output(Stream::Err);
        assert_eq!(status.code(), Some(code), "{arguments:?}: {said}");
        said
    }

    /// Runs a command that asks a running host; gives its standard output.
    #[track_caller]
    pub(crate) fn ask(&self, host: &Host, arguments: &[&str]) -> String {
        Process::spawn(self.asking(host, arguments)).succeed()
    }

    /// Runs a command that asks a running host and is refused; gives what it said on standard error.
    #[track_caller]
    pub(crate) fn refuses(&self, host: &Host, arguments: &[&str]) -> String {
        let mut process = Process::spawn(self.asking(host, arguments));
        let status = process.wait();
        let said = process.output(Stream::Err);
        assert!(!status.success(), "{arguments:?}: {said}");
        said
    }

    fn asking(&self, host: &Host, arguments: &[&str]) -> Command {
        let mut command = Command::new(gridbell());
        command.args(arguments).current_dir(self.dir.path()).env("RUST_LOG", "warn");
        command.env("GRIDBELL_URL", &host.base).env("GRIDBELL_TOKEN", host.api.token().expect("a token"));
        command
    }

    /// A token made on the command line.
    pub(crate) fn token(&self, name: &str, role: &str) -> String {
        self.run(&["token", "add", name, "--role", role]).trim().to_owned()
    }

    /// Starts the host and waits until it is ready; `token` is an operator's.
    #[track_caller]
    pub(crate) fn serve(&self, token: &str) -> Host {
        let mut process = self.start(&["serve"]);
        let line = process.wait_for_out("gridbell is ready on ");
        let base = format!("http://{}", line.after("ready on ").expect("an address"));
        Host { process, api: Http::new(&base).bearer(token), base }
    }

    /// Waits until the gateway accepted `parts` parts in all.
    pub(crate) fn accepted(&self, parts: u64) {
        let wait = self.gateway.wait_until(|stats| stats.account(SP_ID).parts_accepted >= parts);
        self.runtime
            .block_on(async { tokio::time::timeout(gridbell_tests::PATIENCE, wait).await })
            .expect("the gateway gets its parts");
    }

    /// How many times the gateway took each part, by number and place.
    pub(crate) fn received(&self) -> BTreeMap<(String, u8), u32> {
        let mut received = BTreeMap::new();
        for entry in self.gateway.log() {
            *received.entry((entry.destination, entry.pk_number)).or_insert(0) += 1;
        }
        received
    }

    /// Customers' numbers that the gateway took something for.
    pub(crate) fn reached(&self) -> std::collections::BTreeSet<String> {
        self.gateway.log().into_iter().map(|e| e.destination).collect()
    }
}

impl Host {
    /// The API with another token.
    pub(crate) fn as_other(&self, token: &str) -> Http {
        Http::new(&self.base).bearer(token)
    }

    /// Has the holder of `token` agree to a proposal.
    #[track_caller]
    pub(crate) fn agree(&self, token: &str, proposal: &Value) {
        let path = format!("/v1/proposals/{proposal}/approve");
        let agreed = self.as_other(token).post(&path, &json!({ "why": "同意" })).expect(200);
        assert_eq!(agreed["state"]["word"], "applied", "{agreed}");
    }

    /// Runs a policy by hand.
    #[track_caller]
    pub(crate) fn run(&self, prefecture: u32, policy: &str) -> Value {
        self.api.post("/v1/runs", &json!({ "prefecture": prefecture, "policy": policy })).expect(200)
    }

    /// All items of a list, page by page.
    #[track_caller]
    pub(crate) fn all(&self, path: &str) -> Vec<Value> {
        let (mut items, mut cursor) = (Vec::new(), String::new());
        loop {
            let page = self.api.get(&format!("{path}?limit=500{cursor}")).expect(200);
            items.extend(page["items"].as_array().expect("a list").iter().cloned());
            match page["next"].as_str() {
                Some(next) => cursor = format!("&cursor={next}"),
                None => return items,
            }
        }
    }

    /// The items of a list that fits one page.
    #[track_caller]
    pub(crate) fn all_of(&self, path: &str) -> Vec<Value> {
        self.api.get(path).expect(200)["items"].as_array().expect("a list").clone()
    }

    /// The latest message of an account.
    #[track_caller]
    pub(crate) fn message(&self, account: &str) -> Option<Value> {
        let page = self.api.get(&format!("/v1/messages?account={account}")).expect(200);
        page["items"].as_array().and_then(|items| items.first()).cloned()
    }

    /// One line of the metrics, summed over labels that contain `label`.
    pub(crate) fn metric(&self, name: &str, label: &str) -> f64 {
        let text = self.api.get("/metrics").body;
        let of = |line: &str| line.split(['{', ' ']).next() == Some(name) && line.contains(label);
        text.lines().filter(|l| of(l)).filter_map(|l| l.rsplit(' ').next()?.parse::<f64>().ok()).sum()
    }
}

/// Today where the host runs.
pub(crate) fn today() -> Date {
    Clock::system().today()
}

/// This minute where the host runs.
pub(crate) fn now() -> CivilMinute {
    Clock::system().civil_minute()
}

/// A file with one reminder policy that may send at any time of day.
pub(crate) fn policy(prefecture: u32, plugin: &str, more: &str) -> String {
    let parameters = if plugin == "arrears-reminder" { "steps = [7]\n" } else { "" };
    let version = if plugin == "arrears-reminder" { "0.1" } else { "1" };
    format!(
        r#"prefecture = {prefecture}
name = "测试"

[[policy]]
name = "arrears-reminder"
title = "电费催缴"
plugin = "{plugin}"
version = "{version}"
topic = "arrears-reminder"
days = "all"
cost_per_part_milli_fen = 3500
routes = {{ sms = [{{ channel = "sms" }}] }}
lane = "bulk"
{more}
[policy.parameters]
{parameters}
[[policy.schedule]]
name = "yearly"
cron = "0 0 29 2 *"
"#
    )
}

/// The reference plugin as version 0.1.`last`: other bytes, the same decisions.
pub(crate) fn reference_version(last: u8) -> Vec<u8> {
    let mut bytes = std::fs::read(root().join("plugins/prebuilt/arrears-reminder.wasm")).expect("a plugin");
    let at = bytes.windows(21).position(|w| w == b"arrears-reminder0.1.0");
    let at =
        at.expect("name and version lie side by side in the plugin's data; if they no longer do, build a second one");
    bytes[at + 20] = last;
    bytes
}

fn org() -> Value {
    let mut units = vec![json!({ "code": 140_000, "parent": null, "level": "province", "name": "山西" })];
    for (code, name) in [(TAIYUAN, "太原"), (DATONG, "大同")] {
        let county = code + 5;
        units.push(json!({ "code": code, "parent": 140_000, "level": "prefecture", "name": name }));
        units.push(json!({ "code": county, "parent": code, "level": "county", "name": format!("{name}县") }));
        for (station, n) in [(501, "一"), (502, "二")] {
            let station = code * 1_000 + station;
            units
                .push(json!({ "code": station, "parent": county, "level": "station", "name": format!("{name}{n}所") }));
        }
    }
    Value::Array(units)
}

/// Whether a process, once it runs, ends on Ctrl-C by itself, rather than being ended by it.
pub(crate) fn minds_interrupt(process: &Process) -> bool {
    let text = std::fs::read_to_string(Path::new("/proc").join(process.id().to_string()).join("status"));
    let text = text.unwrap_or_default();
    let mask =
        text.lines().find_map(|l| l.strip_prefix("SigCgt:")).and_then(|m| u64::from_str_radix(m.trim(), 16).ok());
    mask.is_some_and(|mask| mask & (1 << (Signal::SIGINT as i32 - 1)) != 0)
}

/// Bytes that a process has written so far, files and sockets together: how far it is. None when it has ended.
pub(crate) fn written(process: &Process) -> Option<u64> {
    let text = std::fs::read_to_string(Path::new("/proc").join(process.id().to_string()).join("io")).ok()?;
    text.lines().find_map(|l| l.strip_prefix("wchar: "))?.trim().parse().ok()
}
