//! Screens on the command line and in the configuration: what alerts say of us, the broker, and communities and screens from CSV.

use std::collections::BTreeMap;
use std::path::{Path, PathBuf};
use std::sync::Arc;

use gridbell_channels::SecretRef;
use gridbell_conductor::{Host, ScreenSettings, Screens};
use gridbell_mqtt::{Broker, BrokerTls, MqttError, Publisher, Saved, Source};
use gridbell_screens::{Notice, check_sender};
use serde::{Deserialize, Serialize};
use serde_json::{Value, json};
use tokio::sync::watch;
use tokio::task::JoinHandle;
use tokio_util::sync::CancellationToken;

use crate::error::CommandError;
use crate::remote::{Remote, path_part};

/// What alerts and pages say of who speaks, `[screens]`.
#[derive(Clone, Debug, Default, Serialize, Deserialize)]
#[serde(deny_unknown_fields, rename_all = "kebab-case")]
pub(crate) struct ScreensConfig {
    /// Where televisions and players reach this host; the address of each request without.
    #[serde(default)]
    public_url: Option<String>,
    /// The sender of CAP alerts; `gridbell` without.
    #[serde(default)]
    sender: Option<String>,
    /// Who speaks, for people; the name of the prefecture's unit without.
    #[serde(default)]
    author: Option<String>,
}

/// The broker of `[mqtt]`.
#[derive(Clone, Debug, Serialize, Deserialize)]
#[serde(deny_unknown_fields, rename_all = "kebab-case")]
pub(crate) struct MqttConfig {
    /// Its name or address.
    host: String,
    /// 8883 with `tls`, else 1883.
    #[serde(default)]
    port: Option<u16>,
    /// TLS; `{}` believes the authorities of this machine.
    #[serde(default)]
    tls: Option<MqttTls>,
    /// The name that we sign in with.
    #[serde(default)]
    user: Option<String>,
    /// Its password.
    #[serde(default)]
    password: Option<SecretRef>,
    /// Who we are to the broker.
    #[serde(default = "default_client_id")]
    client_id: String,
    /// What topics begin with.
    #[serde(default = "default_topic")]
    topic: String,
}

/// TLS to the broker.
#[derive(Clone, Debug, Serialize, Deserialize)]
#[serde(deny_unknown_fields, rename_all = "kebab-case")]
pub(crate) struct MqttTls {
    /// PEM of the authorities that vouch for it.
    #[serde(default)]
    ca: Option<PathBuf>,
}

fn default_client_id() -> String {
    "gridbell".to_owned()
}

fn default_topic() -> String {
    "gridbell/screens".to_owned()
}

impl ScreensConfig {
    fn settings(&self) -> Result<ScreenSettings, CommandError> {
        let wrong = |field: &str, why: &str| CommandError::Refused(format!("`[screens]` {field}: {why}"));
        if let Some(url) = &self.public_url {
            let scheme = url.starts_with("https://") || url.starts_with("http://");
            if !scheme || url.len() > 255 || !url.bytes().all(|b| b.is_ascii_graphic()) {
                return Err(wrong("public-url", "is no address: write it as https://screens.example.cn"));
            }
        }
        let sender = self.sender.clone().unwrap_or_else(|| ScreenSettings::default().sender);
        check_sender(&sender).map_err(|e| wrong("sender", &e.to_string()))?;
        Ok(ScreenSettings { sender, author: self.author.clone(), public_url: self.public_url.clone() })
    }
}

impl MqttConfig {
    /// Makes paths relative to the configuration file's directory.
    pub(crate) fn based_on(&mut self, base: &Path) {
        if let Some(SecretRef::File(file)) = &mut self.password {
            *file = base.join(&file);
        }
        if let Some(ca) = self.tls.as_mut().and_then(|t| t.ca.as_mut()) {
            *ca = base.join(&ca);
        }
    }

    fn broker(&self) -> Result<Broker, CommandError> {
        let wrong = |field: &str, why: String| CommandError::Refused(format!("`[mqtt]` {field}: {why}"));
        let login = match (&self.user, &self.password) {
            (None, None) => None,
            (Some(user), Some(password)) => {
                let secret = password.resolve().map_err(|e| wrong("password", e.to_string()))?;
                let text = secret.text().ok_or_else(|| wrong("password", "is no text".to_owned()))?;
                Some((user.clone(), text.to_owned()))
            }
            (Some(_), None) => {
                return Err(wrong("password", "is missing: { env = \"NAME\" } or { file = \"…\" }".to_owned()));
            }
            (None, Some(_)) => return Err(wrong("user", "is missing: whose password is it?".to_owned())),
        };
        Ok(Broker {
            host: self.host.clone(),
            port: self.port.unwrap_or(if self.tls.is_some() { 8883 } else { 1883 }),
            tls: self.tls.as_ref().map(|t| BrokerTls { ca: t.ca.clone() }),
            login,
            client_id: self.client_id.clone(),
            topic: self.topic.clone(),
        })
    }
}

/// Who takes notices to the broker, for the position that is kept.
const LISTENER: &str = "mqtt";

/// The host's notices, as the publisher sees them.
struct Notices(Host);

impl Notices {
    fn screens(&self) -> &Screens {
        self.0.screens()
    }
}

impl Source for Notices {
    fn changed_after(&self, after: u64, most: usize) -> Vec<Arc<Notice>> {
        self.screens().changed_after(after, most)
    }

    fn in_force(&self) -> Vec<Arc<Notice>> {
        self.screens().in_force()
    }

    fn position(&self) -> u64 {
        self.screens().position(LISTENER)
    }

    fn save(&self, change: u64) -> Saved<'_> {
        Box::pin(async move { self.screens().save_position(LISTENER, change).await.map_err(|e| e.to_string()) })
    }

    fn changes(&self) -> watch::Receiver<u64> {
        self.screens().changes()
    }

    fn trouble(&self, why: Option<&MqttError>) {
        match why {
            Some(why) => {
                let text = format!(
                    "屏幕公告暂时送不到 MQTT 服务器，恢复后自动补发: {why}; notices are published when it is back"
                );
                self.0.raise("mqtt.lost", LISTENER, text);
            }
            None => self.0.clear_alarm("mqtt.lost", LISTENER),
        }
    }
}

/// Starts what screens need beside the server.
pub(crate) fn start(
    screens: &ScreensConfig,
    mqtt: Option<&MqttConfig>,
    host: &Host,
    stop: &CancellationToken,
) -> Result<Vec<JoinHandle<()>>, CommandError> {
    host.screens().set_settings(screens.settings()?);
    let mut tasks = Vec::new();
    if let Some(mqtt) = mqtt {
        let source = Arc::new(Notices(host.clone()));
        let publisher = Publisher::new(mqtt.broker()?, source, host.clock().clone(), host.seed());
        let publisher = publisher.map_err(|e| CommandError::Refused(e.to_string()))?;
        tasks.push(tokio::spawn(publisher.run(stop.clone())));
    }
    let (keeper, stop) = (host.screens().clone(), stop.clone());
    tasks.push(tokio::spawn(async move { keeper.keep_house(stop).await }));
    Ok(tasks)
}

#[derive(clap::Subcommand, Debug)]
pub(crate) enum ScreensCommand {
    /// Enter or change communities from a CSV file on a running host
    ///
    /// Columns: community (140100-jinxiu), name, transformers and sections (several with `;` between them), and for a contact role, title,
    /// address, phone; or 小区, 名称, 变压器, 抄表段, 联系人角色, 联系人, 地址, 电话. A community of several contacts has several rows.
    Communities(FileArgs),
    /// Enter screens from a CSV file on a running host; their secret addresses are written into a file of their own
    ///
    /// Columns: community, place, kind (kiosk, cap, mqtt); or 小区, 位置, 类型.
    Add {
        #[command(flatten)]
        file: FileArgs,
        /// Where the addresses go: whoever has one sees what its screen shows
        #[arg(long, value_name = "FILE")]
        out: PathBuf,
    },
    /// List the screens of a running host
    List {
        #[command(flatten)]
        remote: Remote,
        /// Print JSON
        #[arg(long)]
        json: bool,
    },
}

#[derive(clap::Args, Debug)]
pub(crate) struct FileArgs {
    /// The CSV file, UTF-8
    file: PathBuf,
    #[command(flatten)]
    remote: Remote,
    /// Where rejected rows go; beside the file without
    #[arg(long, value_name = "FILE")]
    rejects: Option<PathBuf>,
}

pub(crate) async fn screens(command: ScreensCommand) -> Result<(), CommandError> {
    // The client blocks: not on the runtime's threads.
    let work = move || match command {
        ScreensCommand::Communities(args) => communities(&args),
        ScreensCommand::Add { file, out } => add(&file, &out),
        ScreensCommand::List { remote, json } => list(&remote, json),
    };
    tokio::task::spawn_blocking(work).await.map_err(|e| CommandError::Failed(e.to_string()))?
}

/// A row of a file with its line.
struct Row {
    line: u64,
    cells: BTreeMap<&'static str, String>,
}

impl Row {
    fn cell(&self, name: &str) -> &str {
        self.cells.get(name).map_or("", String::as_str)
    }

    fn several(&self, name: &str) -> Vec<&str> {
        self.cell(name).split([';', '；', '、', ' ']).map(str::trim).filter(|s| !s.is_empty()).collect()
    }
}

/// What a column is called here and by an office.
type Columns = &'static [(&'static str, &'static str)];

const COMMUNITY_COLUMNS: Columns = &[
    ("community", "小区"),
    ("name", "名称"),
    ("transformers", "变压器"),
    ("sections", "抄表段"),
    ("role", "联系人角色"),
    ("title", "联系人"),
    ("address", "地址"),
    ("phone", "电话"),
];
const SCREEN_COLUMNS: Columns = &[("community", "小区"), ("place", "位置"), ("kind", "类型")];

fn rows(path: &Path, columns: Columns) -> Result<Vec<Row>, CommandError> {
    let wrong = |e: &dyn std::fmt::Display| CommandError::Refused(format!("{}: {e}", path.display()));
    let mut reader =
        csv::ReaderBuilder::new().flexible(true).trim(csv::Trim::All).from_path(path).map_err(|e| wrong(&e))?;
    let headers = reader.headers().map_err(|e| wrong(&e))?.clone();
    let known = |h: &str| columns.iter().find(|(a, b)| *a == h || *b == h).map(|(a, _)| *a);
    let mut names = Vec::new();
    for header in headers.iter().map(|h| h.trim_start_matches('\u{feff}')) {
        let all: Vec<&str> = columns.iter().flat_map(|(a, b)| [*a, *b]).collect();
        names.push(
            known(header)
                .ok_or_else(|| wrong(&format!("line 1: there is no column `{header}`; use {}", all.join(", "))))?,
        );
    }
    if !names.contains(&"community") {
        return Err(wrong(&"line 1: the column `community` (小区) is missing"));
    }
    let mut rows = Vec::new();
    for record in reader.records() {
        let record = record.map_err(|e| wrong(&e))?;
        let line = record.position().map_or(0, csv::Position::line);
        let cells = names.iter().zip(record.iter()).map(|(n, c)| (*n, c.to_owned())).collect();
        rows.push(Row { line, cells });
    }
    Ok(rows)
}

/// Rows that were refused, with why.
#[derive(Default)]
struct Rejects(Vec<(u64, String, String)>);

impl Rejects {
    /// Keeps a refusal; any other failure ends the command: the host is not there, and the rows behind would fail alike.
    fn keep(&mut self, row: &Row, error: CommandError) -> Result<(), CommandError> {
        match error {
            CommandError::Refused(why) => self.0.push((row.line, row.cell("community").to_owned(), why)),
            other => return Err(other),
        }
        Ok(())
    }

    fn end(self, args: &FileArgs, taken: usize) -> Result<(), CommandError> {
        println!("{taken} 行已录入 rows taken, {} 行被拒绝 rejected", self.0.len());
        if self.0.is_empty() {
            return Ok(());
        }
        let path = args.rejects.clone().unwrap_or_else(|| {
            let mut name = args.file.clone().into_os_string();
            name.push(".rejects.csv");
            PathBuf::from(name)
        });
        let failed = |e: csv::Error| CommandError::Failed(format!("cannot write `{}`: {e}", path.display()));
        let mut out = csv::Writer::from_path(&path).map_err(failed)?;
        out.write_record(["line", "community", "reason"]).map_err(failed)?;
        for (line, community, why) in &self.0 {
            out.write_record([&line.to_string(), community, why]).map_err(failed)?;
        }
        out.flush().map_err(CommandError::file("write", &path))?;
        let text = format!("{} rows were rejected; each with its reason in {}", self.0.len(), path.display());
        Err(CommandError::Refused(text))
    }
}

fn contact(row: &Row) -> Option<Value> {
    let given = !row.cell("title").is_empty();
    let role = match row.cell("role") {
        "" | "物业" => "property-manager",
        "电视台" => "tv-station",
        "台区经理" => "district-manager",
        "居委会" => "committee",
        other => other,
    };
    let phone = Some(row.cell("phone")).filter(|p| !p.is_empty());
    given.then(|| json!({ "role": role, "title": row.cell("title"), "address": row.cell("address"), "phone": phone }))
}

fn communities(args: &FileArgs) -> Result<(), CommandError> {
    let rows = rows(&args.file, COMMUNITY_COLUMNS)?;
    let mut rejects = Rejects::default();
    let mut taken = 0;
    // Rows of one community stand together: its contacts.
    for some in rows.chunk_by(|a, b| a.cell("community") == b.cell("community")) {
        let Some(first) = some.first() else { continue };
        let sections: Result<Vec<u32>, _> = first.several("sections").into_iter().map(str::parse).collect();
        let Ok(sections) = sections else {
            let why = format!("`{}`: reading sections are whole numbers (抄表段须为数字)", first.cell("sections"));
            rejects.keep(first, CommandError::Refused(why))?;
            continue;
        };
        let mut body =
            json!({ "name": first.cell("name"), "transformers": first.several("transformers"), "sections": sections });
        let contacts: Vec<Value> = some.iter().filter_map(contact).collect();
        if !contacts.is_empty() {
            body["contacts"] = Value::Array(contacts);
        }
        let path = format!("/v1/communities/{}", path_part(first.cell("community")));
        match args.remote.call("PUT", &path, "application/json", body.to_string().as_bytes()) {
            Ok(_) => taken += some.len(),
            Err(e) => rejects.keep(first, e)?,
        }
    }
    rejects.end(args, taken)
}

fn add(args: &FileArgs, out: &Path) -> Result<(), CommandError> {
    let rows = rows(&args.file, SCREEN_COLUMNS)?;
    let failed = |e: csv::Error| CommandError::Failed(format!("cannot write `{}`: {e}", out.display()));
    let mut addresses = csv::Writer::from_writer(secret_file(out)?);
    addresses.write_record(["screen", "community", "place", "url"]).map_err(failed)?;
    let mut rejects = Rejects::default();
    let mut taken = 0;
    for row in &rows {
        let kind = if row.cell("kind").is_empty() { "kiosk" } else { row.cell("kind") };
        let body = json!({ "community": row.cell("community"), "place": row.cell("place"), "kind": kind });
        match args.remote.post("/v1/screens", &body) {
            Ok(made) => {
                let word = |key: &str| made[key].as_str().unwrap_or_default().to_owned();
                let record = [word("screen"), word("community"), word("place"), word("url")];
                addresses.write_record(record).map_err(failed)?;
                // Told this once: on the disk before the next is asked for.
                addresses.flush().map_err(CommandError::file("write", out))?;
                taken += 1;
            }
            Err(e) => rejects.keep(row, e)?,
        }
    }
    rejects.end(args, taken)
}

/// A new file that nobody else reads.
fn secret_file(path: &Path) -> Result<std::fs::File, CommandError> {
    use std::os::unix::fs::OpenOptionsExt;
    let mut options = std::fs::OpenOptions::new();
    options.write(true).create_new(true).mode(0o600).open(path).map_err(CommandError::file("create", path))
}

fn list(remote: &Remote, as_json: bool) -> Result<(), CommandError> {
    let mut items = Vec::new();
    let mut path = "/v1/screens?limit=500".to_owned();
    loop {
        let mut page = remote.get(&path)?;
        if let Some(some) = page["items"].as_array_mut() {
            items.append(some);
        }
        match page["next"].as_str() {
            Some(next) => path = format!("/v1/screens?limit=500&cursor={next}"),
            None => break,
        }
    }
    if as_json {
        println!("{}", Value::Array(items));
        return Ok(());
    }
    for s in &items {
        let word = |path: &str| s.pointer(path).and_then(Value::as_str).unwrap_or_default();
        let state = if s["online"] == json!(true) { "在线 online" } else { "离线 offline" };
        println!(
            "{}  {}  {}  {}  {state}，最近 last heard {}",
            word("/screen"),
            word("/community"),
            word("/kind/chinese"),
            word("/place"),
            s["last_heard"].as_str().unwrap_or("从未 never")
        );
    }
    if items.is_empty() {
        println!("没有屏幕 no screens");
    }
    Ok(())
}
