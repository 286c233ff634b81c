//! The order of things: triggers go through policy, guardrails, outbox and links in that one direction.
//!
//! It holds state, engine, planner and channels together and knows none of what is beneath them: no sled, no wasmtime, no CMPP, no HTTP.

mod addresses;
mod alarms;
mod answers;
mod any_link;
mod apply;
mod archive;
mod archived;
mod backlog;
mod backups;
mod basis;
mod control;
mod correction;
mod dead;
mod deployment;
mod documents;
mod error;
mod explain;
mod extent;
mod facts;
mod followers;
mod forecast;
mod hops;
mod host;
mod imports;
mod inbound;
mod learn;
mod links;
mod outages;
mod person;
mod platforms;
mod port;
mod preview;
mod proposals;
mod province;
mod publication;
mod recall;
mod reconcile;
mod replay;
mod retention;
mod runs;
mod schedule;
mod screens;
mod settings;
mod settle;
mod stops;
mod together;
mod turns;
mod undelivered;
mod versions;
mod ways;
mod words;
mod work_orders;

pub use alarms::{Alarm, MAX_ALARMS};
pub use answers::{GATHER_ANSWERS_MS, MAX_ACCOUNTS_ANSWERED, MAX_DUE_ANSWERS};
pub use archive::{ArchivePass, Archiver, MAX_FILE_RECORDS, Titles, Written};
pub use backlog::LinkBacklog;
pub use backups::{BackupFile, Backups, MAX_LISTED_BACKUPS, write_backup};
pub use basis::{KeptScope, RunBasis};
pub use correction::{
    CORRECTION_HOURS, Correction, CorrectionChange, CorrectionCounts, CorrectionEnds, CorrectionOrder, CorrectionPart,
    CorrectionPreview, CorrectionRow, CorrectionScope, CorrectionState, MAX_CORRECTED, MAX_CORRECTED_RUNS,
    MAX_CORRECTION_ROWS, MAX_KEPT_CORRECTIONS, Recipient, RecipientSeen, Wrong,
};
pub use deployment::{
    Canary, DeployChange, DeployOrder, Deployment, Difference, FORMER_TEST_NUMBER_DAYS, FormerTestNumber, KeptShare,
    MAX_FORMER_TEST_NUMBERS, MAX_PILOT_STATIONS, MAX_SHADOW_SAMPLES, MAX_SHADOWS, MAX_TEST_NUMBERS, Part, Pilot,
    RecallRecord, RollbackOrder, RolledBack, SAMPLE_MARK, SAMPLES_PER_RUN, ShadowReport, ShadowSample, TestNumber,
    Watched,
};
pub use documents::{CHANGED_BY, IMPORT, PLUGIN, POLICY, PROVINCE, SCHEDULE, STOP};
pub use error::HostError;
pub use explain::{
    CorrectionStory, DecisionStory, ExplainRequest, Explanation, FORESEEN_DAYS, FactShown, Forecast, HopStory,
    MessageLife, NoDecision, NotKept, PolicyStory, Present, RunBrief, TogetherLife,
};
pub use extent::{Extent, NoExtent};
pub use facts::{IntoFact, Subject};
pub use forecast::{
    Candidate, ForeseeRequest, ForeseenMessage, Foresight, MAX_PREVIEW_DAYS, MAX_PREVIEW_MESSAGES, MAX_PREVIEW_RUNS,
    MAX_PREVIEW_SAMPLES, MAX_PREVIEWS_AT_ONCE, MAX_SEEN_PREVIEWS, PluginChoice, PolicyPreview, PreviewCount,
    PreviewDifference, PreviewMove, PreviewPlugin, PreviewProgress, PreviewRequest, PreviewRun, PreviewSample,
    PreviewTotals, SeenDifference, SeenPreview, Silence, merge_patch,
};
pub use gridbell_archive::Kind as ArchiveKind;
pub use gridbell_channels::http::{CallbackReply, MAX_CALLBACK};
pub use gridbell_channels::{
    Alarm as LinkAlarm, AlarmKind as LinkAlarmKind, Anomaly as LinkAnomaly, LinkState, LinkStatus,
};
pub use gridbell_state::BackupSummary;
pub use hops::{GATHER_HOPS_MS, MAX_HOPS};
pub use host::{Files, Host, HostOptions};
pub use imports::{
    ImportFile, ImportId, ImportOrder, ImportRecord, ImportState, ImportTally, Imports, MAX_IMPORT_BYTES,
    MAX_KEPT_IMPORTS, MAX_UPLOADS, MAX_WAITING_IMPORTS, Upload, take_file,
};
pub use learn::{SEGMENT_NUMBERS, SEGMENT_PERCENT};
pub use links::REPORT_WAIT_MS;
pub use outages::{OutageOutcome, OutageRules, OutageStep, Outages};
pub use person::{BY_TOKEN, person_of, same_person};
pub use platforms::{IncomingCallback, PlatformLink};
pub use port::StateOutbox;
pub use preview::{MAX_PREVIEW, PreviewRow};
pub use proposals::{
    Decided, Decider, Decision, MAX_KEPT_PROPOSALS, MAX_OPEN_PROPOSALS, Needs, PROPOSAL_DAYS, Proposal, ProposalOrder,
    ProposalState, Proposed,
};
pub use province::{
    MAX_CHANGES, MAX_ORG_UNITS, ProvinceFile, ProvinceOutcome, ProvinceProposal, ProvinceValue, apply_province,
    org_version, province_text,
};
pub use recall::RecallOutcome;
pub use reconcile::{
    CarrierCount, CountDifference, CountOf, KEPT_COUNT_DAYS, KeptCount, ReconciledDay, keep_carrier_count,
    reconciliation,
};
pub use replay::{
    DiffSample, MAX_DIFF_SAMPLES, MAX_DIFFERENCES, ReplayDifference, ReplayReport, ReplayState, ReplayStep, ReplayTold,
    Replays, RunDiff, RunSide, Side,
};
pub use retention::{ArchiveSearch, ArchivedRecord, MAX_FOUND, search_archive};
pub use runs::{RunRequest, RunSummary, RunTrigger};
pub use schedule::TICK;
pub use screens::{Acknowledged, MAX_SHOWN, NewScreen, SEEN_EVERY, ScreenSettings, Screens};
pub use settings::Settings;
pub use stops::{MAX_STOPS, Stop, StopMode};
pub use turns::WEIGHTS_GIVE_WAY;
pub use undelivered::{MAX_UNDELIVERED, NotTold, Undelivered, UndeliveredQuery};
pub use versions::{
    CERTIFIED_AT_ONCE, Certified, Certifier, CertifyOrder, CertifyWatch, Fault, FaultLog, MAX_FAULTS,
    MAX_INTERRUPTIONS, MAX_STEPS, MAX_WAITING_VERSIONS, NoCertifier, NotCertified, PluginInfo, Progress, RETIRED_AFTER,
    Stage, Step, VersionRecord,
};
pub use work_orders::{KEPT_CLOSED_DAYS, WRONG_NUMBER_DAYS, WorkOrder, WorkOrderEntry, WorkOrderState, work_orders};
