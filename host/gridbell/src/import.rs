//! `gridbell import`: a file into the state, streaming, with a progress bar, a reject file and a summary.

use std::path::{Path, PathBuf};
use std::sync::Arc;

use gridbell_clock::Clock;
use gridbell_conductor::{Host, ImportFile, ImportTally, take_file};
use gridbell_intake::{Kind, Options, RejectFile};
use gridbell_model::Segments;
use gridbell_state::{AuditNote, SharedCount, State};
use indicatif::{ProgressBar, ProgressStyle};
use serde::Serialize;

use crate::error::CommandError;

/// What an import did.
#[derive(Debug, Default, Serialize)]
pub(crate) struct ImportReport {
    /// The file.
    pub(crate) file: String,
    /// Rows of the file, header and blank lines left out.
    pub(crate) rows: u64,
    /// Customers that are new.
    pub(crate) created: u64,
    /// Rows that changed something.
    pub(crate) changed: u64,
    /// Rows that were known already.
    pub(crate) unchanged: u64,
    /// Rows not taken: each is in the reject file with its reason.
    pub(crate) rejected: u64,
    /// Things to look at in rows that were taken, by kind.
    pub(crate) warnings: std::collections::BTreeMap<String, u64>,
    /// After an import of customers: numbers of more accounts than the province's rule takes for a household's, in the whole province.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub(crate) shared_phones: Option<SharedCount>,
    /// After an import of customers' transformers: customers of whom none is known, in the whole province.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub(crate) without_supply: Option<u64>,
    /// Where the rejected rows are; none when there are none.
    pub(crate) reject_file: Option<PathBuf>,
    /// How long it took.
    pub(crate) elapsed_ms: u64,
}

/// What kind of rows a file has.
#[derive(Clone, Copy, Debug, PartialEq, Eq, clap::ValueEnum)]
pub(crate) enum ImportKind {
    /// 用户档案: account, station, section, name, phone, traits, threshold
    Customers,
    /// 电费: account, period, amount, kWh, issued, late fee from
    Bills,
    /// 余额: account, balance, as of
    Balances,
    /// 缴费: account, payment id, amount, paid at
    Payments,
    /// 渠道绑定: account, channel (wechat, alipay), id there, app, source, bound at
    Contacts,
    /// 携号转网: number, carrier, ported on
    Ported,
    /// 变电站: code, name, prefecture
    Substations,
    /// 线路: code, name, substation
    Lines,
    /// 线路区段: code, line, section upstream, switch
    Sections,
    /// 变压器: code, name, prefecture, section or line, place, position, ownership, 台区经理
    Transformers,
    /// 户变关系: account, transformer, source
    Supply,
}

impl From<ImportKind> for Kind {
    fn from(kind: ImportKind) -> Self {
        match kind {
            ImportKind::Customers => Self::Customers,
            ImportKind::Bills => Self::Bills,
            ImportKind::Balances => Self::Balances,
            ImportKind::Payments => Self::Payments,
            ImportKind::Contacts => Self::Contacts,
            ImportKind::Ported => Self::Ported,
            ImportKind::Substations => Self::Substations,
            ImportKind::Lines => Self::Lines,
            ImportKind::Sections => Self::Sections,
            ImportKind::Transformers => Self::Transformers,
            ImportKind::Supply => Self::Supply,
        }
    }
}

/// Where an import goes, and how.
pub(crate) struct Target<'a> {
    pub(crate) state: &'a State,
    pub(crate) clock: &'a Clock,
    pub(crate) segments: Arc<Segments>,
    pub(crate) who: &'a str,
    pub(crate) show_progress: bool,
}

impl<'a> Target<'a> {
    pub(crate) fn of(host: &'a Host, who: &'a str, show_progress: bool) -> Result<Self, CommandError> {
        let segments = host.settings()?.segments;
        Ok(Self { state: host.state(), clock: host.clock(), segments, who, show_progress })
    }

    pub(crate) fn options(&self) -> Options {
        Options::new(self.clock.today(), Arc::clone(&self.segments))
    }

    /// Imports `file`.
    pub(crate) async fn import(
        &self,
        kind: ImportKind,
        file: &Path,
        options: &Options,
        rejects: &Path,
    ) -> Result<ImportReport, CommandError> {
        let began = self.clock.monotonic();
        let name = file.file_name().unwrap_or(file.as_os_str()).to_string_lossy().into_owned();
        let path = file.to_owned();
        let file = ImportFile { kind: kind.into(), path, name, options: options.clone(), scope: None };
        let bar = self.bar(std::fs::metadata(&file.path).ok().map(|m| m.len()));
        let shown = bar.clone();
        let watch = move |tally: &ImportTally| {
            shown.set_position(tally.bytes_read);
            true
        };
        let taken = take_file(self.state, &file, RejectFile::at(rejects), &watch).await;
        bar.finish_and_clear();
        let (tally, _) = taken?;
        let report = ImportReport {
            file: file.name,
            rows: tally.rows,
            created: tally.created,
            changed: tally.changed,
            unchanged: tally.unchanged,
            rejected: tally.rejected,
            warnings: tally.warnings,
            shared_phones: None,
            without_supply: None,
            reject_file: (tally.rejected > 0).then(|| rejects.to_owned()),
            elapsed_ms: u64::try_from((self.clock.monotonic() - began).as_millis()).unwrap_or(u64::MAX),
        };
        let note = AuditNote {
            who: self.who.to_owned(),
            action: "import".to_owned(),
            subject: report.file.clone(),
            detail: serde_json::to_string(&report)?,
        };
        self.state.put_docs(Vec::new(), vec![note]).await?;
        Ok(report)
    }

    fn bar(&self, total: Option<u64>) -> ProgressBar {
        if !self.show_progress {
            return ProgressBar::hidden();
        }
        let bar = total.map_or_else(ProgressBar::new_spinner, ProgressBar::new);
        let style = "{bar:40} {bytes}/{total_bytes} {bytes_per_sec} 剩余 {eta}";
        bar.set_style(ProgressStyle::with_template(style).unwrap_or_else(|_| ProgressStyle::default_bar()));
        bar
    }
}
