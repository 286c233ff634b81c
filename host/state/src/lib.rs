//! A province's state: customers as columns in memory, messages on their way, runs, documents and the audit log.
//!
//! A change is durable first, then visible, then acknowledged; one writer does it all in groups. This crate decides nothing, talks to no network
//! and does not know what its documents mean. How it is laid out, and why, is in ARCHITECTURE.md, "State".

mod accepted;
mod apply_hops;
mod audit;
mod audit_log;
mod beside;
mod checkpoint;
mod columns;
mod contacts;
mod core_state;
mod docs;
mod error;
mod facts;
mod grid;
mod history;
mod hop_api;
mod hops;
mod kept;
mod keys;
mod leaving;
mod ledger;
mod link_days;
mod lives;
mod load;
mod messages;
mod ops;
mod outbox;
mod parked;
mod payments;
mod ported;
mod prefecture;
mod records;
mod replies;
mod rerouted;
mod run_writer;
mod runs;
mod shared;
mod shared_phones;
mod snapshot;
mod state;
mod supply;
mod together;
mod together_api;
mod waiting;
mod wishes;
mod writer;

pub use accepted::AcceptedPart;
pub use audit::{AuditBreak, AuditEntry, AuditMark};
pub use checkpoint::DATA_FORMAT;
pub use columns::PAGE_ROWS;
pub use contacts::{Address, Contact, ContactFact};
pub use core_state::TRIGGER_PAYMENT_RECEIVED;
pub use docs::{Doc, MAX_DOC_BYTES, MAX_DOC_NAME};
pub use error::StateError;
pub use facts::{
    BalanceFact, BillFact, CustomerChange, CustomerFact, FactOutcome, FactReject, FactWarning, PaymentFact, payment_key,
};
pub use grid::GridOutcome;
pub use gridbell_store::{BackupError, BackupSummary};
pub use history::{
    DEFAULT_HISTORY_DAYS, FileRef, HistoryHead, HistoryStatus, Kind as HistoryKind, MAX_HISTORY_BYTES,
    MAX_KEPT_JOURNAL_BYTES, Rebuild, RebuildStep,
};
pub use hops::{DueHop, NO_ANSWER};
pub use kept::{ContentHash, KeptRun, MAX_RUN_DOCUMENTS, SeenFacts, content_hash};
pub use leaving::{ArchiveHead, Cutoffs, Ended, Leaving, LeavingRun};
pub use ledger::{DEFAULT_THRESHOLD, PAYMENT_MEMORY_DAYS};
pub use link_days::{LINK_DAYS, LinkCounts};
pub use load::LoadReport;
pub use messages::{LiveMessage, MAX_HISTORY, MAX_SAMPLES_LOOKED, OutboxDepth, OutgoingMessage, RecallStates};
pub use ops::{Applied, AuditNote, DocChange, Facts, MAX_FACTS_PER_OP};
pub use outbox::{MAX_PARKED_REPORTS, MessageEvent, MessageStatus, PARKED_FOR_MS};
pub use payments::Payments;
pub use ported::{Carriers, MAX_PORTED, Ported, PortedCount, PortedFact, PortedNumber, PortedSaid, PortedSource};
pub use replies::InboundMessage;
pub use rerouted::Routing;
pub use run_writer::{HopDecision, RunWriter};
pub use runs::{
    DecisionRecord, MessageDetail, Outcome, QueuedMessage, RunRecord, RunStatus, SEGMENT_DECISIONS, SegmentInfo,
    StatCounts, StatKey, TRIGGER_ANSWERS, TRIGGER_CORRECTION, TRIGGER_HOPS, TRIGGER_SAMPLES,
};
pub use shared_phones::SharedCount;
pub use snapshot::Snapshot;
pub use state::{Handed, MAX_EVENTS_PER_OP, State};
pub use supply::{Affected, MAX_SOURCES, Sources, SupplyFact};
pub use together::{MAX_CARRIED, Telling, ToldTogether};
pub use waiting::{QueueBacklog, Room, Shares};
pub use wishes::WishEntry;
pub use writer::{BULK_QUEUE, CHECKPOINT_JOURNAL_BYTES, MAX_GROUP_CHANGES, SINGLE_QUEUE};
