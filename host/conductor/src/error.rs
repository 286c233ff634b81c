//! What the host refuses, and what failed.

use gridbell_model::{PrefectureCode, RunId};

/// Why the host did not do what it was asked.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum HostError {
    /// The state refused.
    #[error(transparent)]
    State(#[from] gridbell_state::StateError),
    /// A plugin was refused or the engine failed.
    #[error(transparent)]
    Engine(#[from] gridbell_engine::EngineError),
    /// A run of a plugin failed.
    #[error(transparent)]
    Run(#[from] gridbell_engine::RunError),
    /// A document is wrong: every problem with its line.
    #[error(transparent)]
    Problems(#[from] gridbell_planner::Problems),
    /// A policy, text or calendar cannot be used.
    #[error(transparent)]
    Planner(#[from] gridbell_planner::PlannerError),
    /// A community, a screen or a notice breaks a rule.
    #[error(transparent)]
    Screens(#[from] gridbell_screens::Error),
    /// An outage or a fault report breaks a rule.
    #[error(transparent)]
    Outages(#[from] gridbell_outages::Error),
    /// A link cannot be.
    #[error(transparent)]
    Channel(#[from] gridbell_channels::ChannelError),
    /// An archive was not written, or is not to be believed.
    #[error(transparent)]
    Archive(#[from] gridbell_archive::ArchiveError),
    /// There is no such prefecture or it has no policies.
    #[error("prefecture `{0}` has no policies; apply a policy file for it first")]
    NoPolicies(PrefectureCode),
    /// There is no such policy.
    #[error("prefecture `{prefecture}` has no policy `{policy}`; it has {known}")]
    NoPolicy {
        /// Where.
        prefecture: PrefectureCode,
        /// What was asked for.
        policy: String,
        /// What there is.
        known: String,
    },
    /// The policy's plugin is not there.
    #[error("no version of plugin `{plugin}` fits `{version}`; upload it first")]
    NoPlugin {
        /// Its name.
        plugin: String,
        /// What the policy asks for.
        version: String,
    },
    /// A run cannot be released or refused.
    #[error("run `{0}` is not waiting for a release")]
    NotWaiting(RunId),
    /// Somebody wants to approve what is his own.
    #[error("`{who}` made the change that run `{run}` waits for; another person must release it")]
    OwnChange {
        /// Who.
        who: String,
        /// The run.
        run: RunId,
    },
    /// Somebody wants to approve a text of his own.
    #[error("`{who}` wrote this text; another person must approve it")]
    OwnText {
        /// Who.
        who: String,
    },
    /// There is no such plugin version.
    #[error("there is no plugin version `{0}`; name it as name@version or by its digest")]
    NoVersion(String),
    /// Somebody wants to approve what is his own.
    #[error("`{what}` is the work of `{who}`; another person must approve it")]
    OwnWork {
        /// Who.
        who: String,
        /// What.
        what: String,
    },
    /// There is no such proposal.
    #[error("there is no proposal `{0}`")]
    NoProposal(u64),
    /// There is no such correction.
    #[error("there is no correction `C{0}`")]
    NoCorrection(u64),
    /// Somebody wants to decide what is another's to decide.
    #[error("{0}")]
    NotYours(String),
    /// A version that a policy cannot use.
    #[error("policy `{policy}` cannot use `{version}`: make an approved version live that fits it, or roll back")]
    NotUsable {
        /// The policy.
        policy: String,
        /// The version and its stage.
        version: String,
    },
    /// A version whose files cannot be loaded; the alarm `plugin.broken` has the cause.
    #[error(
        "policy `{policy}` cannot use `{version}`: its files are damaged or missing; upload it again, or roll back"
    )]
    Broken {
        /// The policy.
        policy: String,
        /// The version.
        version: String,
    },
    /// There is no such link.
    #[error("there is no link `{name}`; there are {known}")]
    NoLink {
        /// What was asked for.
        name: String,
        /// What there is.
        known: String,
    },
    /// A document in the state cannot be read.
    #[error("the stored document `{name}` cannot be read; apply it again")]
    Document {
        /// Which.
        name: String,
        /// Why.
        #[source]
        source: serde_json::Error,
    },
    /// Something that a person gave is wrong.
    #[error("{0}")]
    Invalid(String),
    /// A text that names nothing to hold or to take back.
    #[error(transparent)]
    Extent(#[from] crate::extent::NoExtent),
    /// A file cannot be imported as a whole.
    #[error(transparent)]
    Intake(#[from] gridbell_intake::IntakeError),
    /// A backup cannot be written.
    #[error(transparent)]
    Backup(#[from] gridbell_state::BackupError),
    /// A file of the host's own cannot be read or written.
    #[error("cannot {what}: {source}")]
    File {
        /// What was tried.
        what: &'static str,
        /// What the system said.
        source: std::io::Error,
    },
    /// What was sent is larger than the operator allows.
    #[error("the file is over its bound of {bound} bytes; send it in parts, or raise `max-import-bytes`")]
    TooLarge {
        /// The bound.
        bound: u64,
    },
    /// Too much waits already.
    #[error("{0}")]
    Busy(String),
    /// Whoever asked for a preview ended it.
    #[error("the preview was ended (预览已取消)")]
    Stopped,
    /// The way things are does not allow it.
    #[error("{0}")]
    Refused(String),
    /// A background task ended badly.
    #[error("the host is closing or a task of it failed: {0}")]
    Task(String),
}
