//! What the server asks of the conductor: the seam between HTTP and the order of things. The server never runs a policy, sends a message or
//! changes a document of the conductor's by itself.

use std::collections::BTreeMap;
use std::future::Future;
use std::pin::Pin;
use std::sync::Arc;

use gridbell_clock::Clock;
use gridbell_conductor::{
    BackupFile, Backups, CallbackReply, Extent, Imports, IncomingCallback, Outages, PolicyPreview, PreviewProgress,
    PreviewRequest, ProvinceOutcome, ProvinceProposal, Screens, StopMode,
};
use gridbell_intake::{BalanceRow, BillRow, ContactRow, CustomerRow, PaymentRow};
use gridbell_model::{
    AccountNumber, Channel, Date, HoldReason, Moment, OrgCode, Phone, PrefectureCode, RunId, Segments, Topic,
};
use gridbell_planner::{Change, PolicySet, ProvinceRules, Template, TemplateSet, TextPlan};
use gridbell_state::{AuditNote, FactOutcome, State, StateError};
use serde_json::Value;

/// An answer that takes a while.
pub type Pending<'a, T> = Pin<Box<dyn Future<Output = Result<T, ConductError>> + Send + 'a>>;

/// The answer to a callback, which there always is.
pub type Answering<'a> = Pin<Box<dyn Future<Output = CallbackReply> + Send + 'a>>;

/// Why the conductor did not do it. Sentences are for the caller: no personal data, no cause that only a developer understands.
#[derive(Debug, thiserror::Error)]
pub enum ConductError {
    /// There is no such thing.
    #[error("there is no `{0}`")]
    NotFound(String),
    /// Fields that break a rule: where, and what to do.
    #[error("{}", .0.iter().map(|(f, m)| format!("{f}: {m}")).collect::<Vec<_>>().join("; "))]
    Invalid(Vec<(String, String)>),
    /// An upload that is refused.
    #[error("{message}")]
    Upload {
        /// Its stable code, and that of what lies behind it.
        causes: Vec<&'static str>,
        /// What is wrong and what to do.
        message: String,
    },
    /// A run that failed.
    #[error("{message}")]
    Run {
        /// Its stable code.
        cause: &'static str,
        /// What is wrong and what to do.
        message: String,
    },
    /// The state of things does not allow it.
    #[error("{0}")]
    Conflict(String),
    /// Somebody changed it meanwhile.
    #[error("{0}")]
    Changed(String),
    /// Another person must do it.
    #[error("{0}")]
    NotYou(String),
    /// It cannot be done now.
    #[error("{0}")]
    Unavailable(String),
    /// The host's own fault: for the log, callers are told no more than that.
    #[error("{0}")]
    Defect(String),
    /// Too much waits already.
    #[error("{0}")]
    Busy(String),
    /// More than the operator allows.
    #[error("{0}")]
    TooLarge(String),
    /// The state refused.
    #[error(transparent)]
    State(#[from] StateError),
}

/// A policy file to apply.
#[derive(Clone, Debug)]
pub struct PolicyProposal {
    /// Whose policies it may change: a file for another prefecture is refused.
    pub prefecture: PrefectureCode,
    /// The file's name, for errors.
    pub document: String,
    /// TOML.
    pub text: String,
    /// Who applies it.
    pub who: String,
    /// Only say what would change.
    pub dry_run: bool,
    /// The version that the caller has read; none for any.
    pub expected: Option<u64>,
}

/// New parameters of one policy.
#[derive(Clone, Debug)]
pub struct ParameterChange {
    /// Whose.
    pub prefecture: PrefectureCode,
    /// The policy's name.
    pub policy: String,
    /// The whole parameters, as the plugin's schema wants them.
    pub parameters: Value,
    /// Who changes them.
    pub who: String,
    /// Only say what would change.
    pub dry_run: bool,
    /// The version that the caller has read; none for any.
    pub expected: Option<u64>,
}

/// What a change of policies comes to.
#[derive(Clone, Debug, Default)]
pub struct PolicyOutcome {
    /// The differences; empty if nothing changes.
    pub changes: Vec<Change>,
    /// The version in force afterwards.
    pub version: u64,
}

/// A run by hand.
#[derive(Clone, Debug)]
pub struct RunOrder {
    /// Where.
    pub prefecture: PrefectureCode,
    /// The policy's name.
    pub policy: String,
    /// Only customers under these units; all when empty.
    pub orgs: Vec<OrgCode>,
    /// Only these reading sections; all when empty.
    pub sections: Vec<u32>,
    /// Not these accounts.
    pub exclude: Vec<AccountNumber>,
    /// Only say whom it would reach.
    pub dry_run: bool,
    /// Who starts it.
    pub who: String,
}

/// Rows that came one by one or in a small batch, checked by their own rules already.
#[derive(Clone, Debug)]
pub enum Rows {
    /// Customers of the archive.
    Customers(Vec<CustomerRow>),
    /// Bills.
    Bills(Vec<BillRow>),
    /// Prepaid balances.
    Balances(Vec<BalanceRow>),
    /// Payments and reversals.
    Payments(Vec<PaymentRow>),
    /// Addresses at platforms.
    Contacts(Vec<ContactRow>),
}

/// What a run by hand came to, or would come to.
#[derive(Clone, Debug, Default)]
pub struct RunReport {
    /// The run; none for a dry run.
    pub run: Option<RunId>,
    /// Customers looked at.
    pub customers: u64,
    /// Decisions.
    pub decided: u64,
    /// Messages.
    pub queued: u64,
    /// Decisions held, by reason.
    pub held: BTreeMap<HoldReason, u64>,
    /// Sum of parts.
    pub parts: u64,
    /// Sum of cost in 1/1000 fen.
    pub cost_milli_fen: u64,
    /// The first accounts that it would reach.
    pub sample: Vec<AccountNumber>,
    /// Why it waits for a person's release; none if it does not.
    pub waiting: Option<String>,
}

/// What a recall came to.
#[derive(Clone, Copy, PartialEq, Eq, Debug, Default)]
pub struct Recalled {
    /// Messages taken back; of a dry run those that would be.
    pub taken_back: u64,
    /// Messages that are out already and of which no end is known.
    pub left: u64,
}

/// A stop in force; there is at most one for each scope.
#[derive(Clone, Debug)]
pub struct Stop {
    /// What it holds.
    pub scope: Extent,
    /// What it does.
    pub mode: StopMode,
    /// Why.
    pub why: String,
    /// Who set it.
    pub by: String,
    /// Since when.
    pub since: Moment,
}

/// Connections that a gateway opens to bring reports and inbound messages.
#[derive(Clone, Copy, Debug)]
pub struct ReverseEntry {
    /// Those that are up; it closes them when it has nothing to bring.
    pub connections: usize,
    /// How often it called and was let in since the link started.
    pub calls: u64,
    /// When it was last let in.
    pub last: Option<Moment>,
}

/// A link as of now. Rates are in parts a second.
#[derive(Clone, Debug)]
pub struct LinkEntry {
    /// Its name.
    pub name: String,
    /// What offices call it, as 山西移动.
    pub title: String,
    /// What is spoken on it: `cmpp2`, `cmpp3`, `smgp3`, `sgip1`, or `http` for a platform.
    pub protocol: String,
    /// `connecting`, `up`, `held`, `stopped`, `draining`, `closed`.
    pub state: String,
    /// Connections that are up.
    pub connections: usize,
    /// The connections that its gateway opens to us, where its protocol has them.
    pub reverse: Option<ReverseEntry>,
    /// Parts granted a second; 0 for no pacing.
    pub grant: u32,
    /// Parts written in the last whole second.
    pub rate: u64,
    /// What waits for it.
    pub backlog: Backlog,
    /// Parts unanswered.
    pub window_used: usize,
    /// Parts that may be.
    pub window: usize,
    /// Parts written since it started.
    pub sent: u64,
    /// Parts accepted.
    pub accepted: u64,
    /// Parts refused.
    pub refused: u64,
    /// Reports taken.
    pub reports: u64,
    /// Inbound messages taken.
    pub inbound: u64,
    /// How often the other side did what it should not, by kind.
    pub anomalies: Vec<(&'static str, u64)>,
    /// The last failure in a sentence.
    pub last_error: Option<String>,
    /// What a person should know of, oldest first.
    pub alarms: Vec<LinkAlarm>,
}

/// What waits in the queues that a link takes from; links of one carrier share it.
#[derive(Clone, Copy, Debug, Default)]
pub struct Backlog {
    /// Urgent messages.
    pub urgent: u64,
    /// All others, those whose time has not come too.
    pub bulk: u64,
    /// Parts of all of them.
    pub parts: u64,
    /// When the last of them will have left at the present pace; none where nothing waits, or nothing goes.
    pub clears_at: Option<Moment>,
}

/// Something that a person should know of a link.
#[derive(Clone, Debug)]
pub struct LinkAlarm {
    /// `login-refused`, `gateway-not-genuine`, `submits-refused`, `our-fault`, `unreachable`, `not-called`, `quota-used`, `outbox-failing`, `defect`.
    pub kind: String,
    /// The gateway's status or result, where it gave one.
    pub code: Option<u32>,
    /// Since when.
    pub since: Moment,
    /// How often since.
    pub count: u64,
}

/// Something that a person should know of.
#[derive(Clone, Debug)]
pub struct AlarmEntry {
    /// Stable word, dotted: `link.login-refused`.
    pub code: String,
    /// What it is about: a link, a prefecture, a run.
    pub subject: String,
    /// What happened and what to do, Chinese first.
    pub text: String,
    /// Since when.
    pub since: Moment,
    /// How often since.
    pub count: u64,
}

/// What is looked for in the archives: messages and held decisions of an account or a number.
#[derive(Clone, Debug)]
pub struct ArchiveQuery {
    /// 户号
    pub account: Option<AccountNumber>,
    /// The number that was told.
    pub phone: Option<Phone>,
    /// From this civil day on; none for from the first.
    pub from: Date,
    /// Up to this civil day, included; none for to the last.
    pub to: Date,
    /// So many at most, the newest first.
    pub limit: usize,
}

/// A record of the archives.
#[derive(Clone, Debug)]
pub struct ArchiveHit {
    /// `message` or `decision`.
    pub kind: String,
    /// When its run ended.
    pub at: Moment,
    /// The number of its file.
    pub file: u64,
    /// What it says; the number masked.
    pub body: serde_json::Value,
}

/// The conductor, as the server sees it.
pub trait Conduct: crate::release::Release + crate::insight::Insight + crate::correct::Correct {
    /// What is true.
    fn state(&self) -> &State;
    /// What time it is.
    fn clock(&self) -> &Clock;
    /// The province's rules in force; none before they were applied for the first time.
    fn rules(&self) -> Option<Arc<ProvinceRules>>;
    /// The carriers' number segments.
    ///
    /// # Errors
    /// Before they were applied for the first time.
    fn segments(&self) -> Result<Arc<Segments>, ConductError>;
    /// Whether the host takes and sends; else why not.
    ///
    /// # Errors
    /// With the reason, in a sentence.
    fn ready(&self) -> Result<(), String>;

    /// Takes rows in, exactly as an import takes those of a file; durable when this is answered. With an audit note each.
    fn take(&self, rows: Rows, audit: Vec<AuditNote>) -> Pending<'_, FactOutcome>;

    /// Imports of files.
    fn imports(&self) -> &Imports;
    /// Screens of communities, and the notices on them.
    fn screens(&self) -> &Screens;
    /// Outages and fault reports.
    fn outages(&self) -> &Outages;
    /// Backups that are there.
    fn backups(&self) -> &Backups;
    /// Begins a backup.
    ///
    /// # Errors
    /// Without a directory for backups, and while another is written.
    fn start_backup(&self, who: String) -> Result<BackupFile, ConductError>;
    /// Replaces one of the province's files, or says what would change.
    fn apply_province(&self, proposal: ProvinceProposal) -> Pending<'_, ProvinceOutcome>;

    /// The prefecture's policies in force and their version.
    fn policies(&self, prefecture: PrefectureCode) -> Option<(Arc<PolicySet>, u64)>;
    /// Applies a policy file, or says what it would change.
    fn apply_policies(&self, proposal: PolicyProposal) -> Pending<'_, PolicyOutcome>;
    /// Changes one policy's parameters, or says what would change.
    fn set_parameters(&self, change: ParameterChange) -> Pending<'_, PolicyOutcome>;

    /// All templates and the version of the set.
    fn templates(&self) -> (Arc<TemplateSet>, u64);
    /// A likely text of `template`, checked as when it is saved.
    ///
    /// # Errors
    /// [`ConductError::Invalid`] with line and column within the text.
    fn preview(&self, template: &Template) -> Result<TextPlan, ConductError>;
    /// Saves a text as a new draft; its version within the key (topic, notice, channel).
    fn put_template(&self, template: Template, who: String, expected: Option<u64>) -> Pending<'_, u32>;
    /// Approves a draft, by somebody who did not write it.
    fn approve_template(
        &self,
        topic: Topic,
        notice: String,
        channel: Channel,
        version: u32,
        who: String,
    ) -> Pending<'_, ()>;

    /// Runs a policy by hand, or says whom it would reach.
    fn run_policy(&self, order: RunOrder) -> Pending<'_, RunReport>;
    /// What a candidate would do that the live policy does not; ends when nobody waits for it any more.
    fn preview_policy(&self, request: PreviewRequest) -> Pending<'_, PolicyPreview>;
    /// How far the preview of `office` is; none when there is none.
    fn preview_progress(&self, prefecture: PrefectureCode, office: &str) -> Option<PreviewProgress>;
    /// Ends the preview of `office`; whether there was one.
    fn cancel_preview(&self, prefecture: PrefectureCode, office: &str) -> bool;
    /// Releases (or refuses) a run that waits; never by the person who changed its policy or started it. The run that a release made.
    fn decide_run(&self, run: RunId, release: bool, who: String) -> Pending<'_, Option<RunId>>;

    /// The stops in force.
    fn stops(&self) -> Vec<Stop>;
    /// Holds everything within `scope`, or lets it run out; returns when it is in force.
    fn stop(&self, scope: Extent, mode: StopMode, why: String, who: String) -> Pending<'_, Stop>;
    /// Messages within `scope` that have not come to their end; none where there is no such link or run any more.
    fn unsettled(&self, scope: &Extent) -> Option<u64>;
    /// Releases a stop.
    fn release_stop(&self, scope: Extent, who: String) -> Pending<'_, ()>;
    /// Takes back what waits within `scope`; a dry run only counts it.
    fn recall(&self, scope: Extent, why: String, who: String, dry_run: bool) -> Pending<'_, Recalled>;

    /// Looks into the archives.
    fn search_archive(&self, query: ArchiveQuery) -> Pending<'_, Vec<ArchiveHit>>;

    /// The links.
    fn links(&self) -> Vec<LinkEntry>;
    /// Holds a link, or lets it go on.
    fn hold_link(&self, link: String, held: bool, who: String) -> Pending<'_, ()>;
    /// Takes what came to the callback address of an account, whoever sent it: the account's provider verifies it.
    fn callback(&self, account: String, callback: IncomingCallback) -> Answering<'_>;
    /// What a person should know of, oldest first.
    fn alarms(&self) -> Vec<AlarmEntry>;
}
