//! What the measurements stand on: a generated province's files, data directories made from them, and a host with the bench's policies.

use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::time::Duration;

use gridbell_clock::{Clock, Seed};
use gridbell_conductor::{Extent, Host};
use gridbell_model::{Date, PrefectureCode};
use gridbell_simulators::province::{CsvKind, Province};
use gridbell_state::State;

use super::SEED;
use crate::config::Config;
use crate::defaults;
use crate::error::CommandError;
use crate::import::{ImportKind, Target};
use crate::open;

/// What is imported, in this order.
const FILES: [(CsvKind, ImportKind, &str); 3] = [
    (CsvKind::Customers, ImportKind::Customers, "customers.csv"),
    (CsvKind::Bills, ImportKind::Bills, "bills.csv"),
    (CsvKind::Balances, ImportKind::Balances, "balances.csv"),
];

/// Who the audit log says did it.
pub(super) const WHO: &str = "bench";

/// A directory for the bench's files, removed at the end.
pub(super) struct Scratch(pub(super) PathBuf);

impl Scratch {
    pub(super) fn new(base: Option<PathBuf>) -> Result<Self, CommandError> {
        let base = base.unwrap_or_else(std::env::temp_dir);
        let path = base.join(format!("gridbell-bench-{}", std::process::id()));
        std::fs::create_dir_all(&path).map_err(CommandError::file("create", &path))?;
        Ok(Self(path))
    }
}

impl Drop for Scratch {
    fn drop(&mut self) {
        // What cannot be removed is left to the system's own cleaning of temporary files.
        let _ = std::fs::remove_dir_all(&self.0);
    }
}

/// How long each file took.
#[derive(Default, Clone)]
pub(super) struct Imported {
    pub(super) rows: u64,
    pub(super) elapsed: Duration,
    /// Name, rows and time of each file.
    pub(super) files: Vec<(&'static str, u64, Duration)>,
}

impl Imported {
    pub(super) fn rows_per_s(&self) -> f64 {
        self.rows as f64 / self.elapsed.as_secs_f64()
    }
}

/// A province with its files.
pub(super) struct Rig {
    pub(super) province: Province,
    pub(super) clock: Clock,
    inputs: PathBuf,
}

impl Rig {
    /// Generates the files of a province of `customers` in `dir`. Its clock stands at ten in the morning, when messages may go.
    pub(super) fn new(customers: u64, today: Date, dir: &Path) -> Result<Self, CommandError> {
        let inputs = dir.join(format!("inputs-{customers}"));
        std::fs::create_dir_all(&inputs).map_err(CommandError::file("create", &inputs))?;
        let province = Province::new(Seed(SEED), customers, today);
        for (kind, _, name) in FILES {
            let path = inputs.join(name);
            let file = std::fs::File::create(&path).map_err(CommandError::file("create", &path))?;
            let mut out = std::io::BufWriter::with_capacity(1 << 20, file);
            province.write_csv(kind, None, &mut out).map_err(CommandError::file("write", &path))?;
            std::io::Write::flush(&mut out).map_err(CommandError::file("write", &path))?;
        }
        Ok(Self { province, clock: Clock::starting_at(today.at(10, 0).moment()), inputs })
    }

    /// Removes the input files: they are large.
    pub(super) fn drop_inputs(&self) {
        let _ = std::fs::remove_dir_all(&self.inputs);
    }

    /// Imports everything into a new data directory `data`, checkpoints and closes it.
    pub(super) async fn import(&self, data: &Path, show: bool) -> Result<Imported, CommandError> {
        let config = Config::of_data(data.to_owned());
        let (state, ..) = open::open_state(&config, &self.clock)?;
        state.set_org(self.province.org_tree(), Vec::new()).await?;
        let segments =
            gridbell_intake::read_segments(defaults::SEGMENTS.1).map_err(|e| CommandError::Failed(e.to_string()))?;
        let target =
            Target { state: &state, clock: &self.clock, segments: Arc::new(segments), who: WHO, show_progress: show };
        let mut imported = Imported::default();
        for (_, kind, name) in FILES {
            let began = self.clock.monotonic();
            let rejects = data.join(format!("{name}.rejects.csv"));
            let report = target.import(kind, &self.inputs.join(name), &target.options(), &rejects).await?;
            if report.rejected > 0 {
                let text = format!("{} rows of {name} were rejected: see {}", report.rejected, rejects.display());
                return Err(CommandError::Found(text));
            }
            let took = self.clock.monotonic() - began;
            imported.rows += report.rows;
            imported.elapsed += took;
            imported.files.push((name, report.rows, took));
        }
        close(state).await?;
        Ok(imported)
    }

    /// Opens `data` as a host; how long that took.
    pub(super) async fn open(&self, data: &Path) -> Result<(Host, Duration), CommandError> {
        let began = self.clock.monotonic();
        let host = open_at(data, self.clock.clone()).await?;
        Ok((host, self.clock.monotonic() - began))
    }

    /// Gives a host plugins, rules, the bench's texts and policies, and holds its links until they are measured.
    pub(super) async fn prepare(&self, host: &Host) -> Result<(), CommandError> {
        open::install_defaults(host).await?;
        host.apply_templates("bench-templates.toml", TEXTS, WHO).await?;
        for (prefecture, _) in self.province.prefectures() {
            let text = policy(PrefectureCode(prefecture.code), prefecture.name);
            host.apply_policies("bench-policy.toml", &text, None, WHO, false).await?;
        }
        host.stop(Extent::Province, "bench", WHO).await?;
        Ok(())
    }
}

/// Opens `data`, or makes it, as a host of this clock.
pub(super) async fn open_at(data: &Path, clock: Clock) -> Result<Host, CommandError> {
    let config = Config { seed: SEED, ..Config::of_data(data.to_owned()) };
    let opened = tokio::task::spawn_blocking(move || open::open(&config, clock));
    Ok(opened.await.map_err(|e| CommandError::Failed(e.to_string()))??.host)
}

/// Folds the journal and closes, so that the next start reads pages.
pub(super) async fn close(state: State) -> Result<(), CommandError> {
    state.checkpoint().await?;
    state.close().await;
    Ok(())
}

/// The policy that the bench runs: reaches more customers than a real one, and its messages may go all day.
pub(super) const POLICY: &str = "arrears-reminder";

fn policy(code: PrefectureCode, name: &str) -> String {
    format!(
        r#"
prefecture = {code}
name = "{name}"

[[policy]]
name = "{POLICY}"
title = "电费催缴"
plugin = "arrears-reminder"
version = "0.1"
topic = "arrears-reminder"
windows = ["08:00-21:00"]
days = "all"
validity_minutes = 2880
freshness_days = 2
cost_per_part_milli_fen = 3500
routes = {{ sms = [{{ channel = "sms" }}] }}
ceiling = 10000000
lane = "bulk"

[policy.parameters]
steps = [30, 15, 7, 3, 1]
counting = "calendar"
minimum = 1
important_steps = [30, 10, 5, 2]
prepaid_steps = [30, 10, 5, 2]
overdue_every = 7
overdue_times = 4

[[policy.schedule]]
name = "daily"
cron = "30 8 * * *"
catch_up_minutes = 0
"#
    )
}

/// Texts of one part each, so that a message is one SUBMIT.
pub(super) const TEXTS: &str = r#"
[[template]]
topic = "arrears-reminder"
notice = "reminder"
channel = "sms"
version = 1
status = "approved"
text = "截至{{ as_of }}，尾号{{ account_tail }}欠电费{{ amount }}元，{{ late_fee_from }}起计违约金。已缴请忽略。"

[[template]]
topic = "arrears-reminder"
notice = "reminder-important"
channel = "sms"
version = 1
status = "approved"
text = "截至{{ as_of }}，尾号{{ account_tail }}欠电费{{ amount }}元，{{ late_fee_from }}起计违约金。烦请安排缴纳。"

[[template]]
topic = "arrears-reminder"
notice = "overdue"
channel = "sms"
version = 1
status = "approved"
text = "截至{{ as_of }}，尾号{{ account_tail }}仍欠电费{{ amount }}元，违约金自{{ late_fee_from }}起计。请尽早缴纳。"
"#;
