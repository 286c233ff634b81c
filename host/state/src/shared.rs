//! What the handle, the writer and the checkpoint share.

use std::collections::BTreeSet;
use std::path::PathBuf;
use std::sync::Arc;
use std::sync::atomic::AtomicU64;

use gridbell_clock::Clock;
use gridbell_model::PrefectureCode;
use gridbell_store::{Sealer, Store};
use parking_lot::{Mutex, RwLock};
use tokio::sync::{Notify, watch};

use crate::core_state::Core;
use crate::docs::Docs;
use crate::history::History;
use crate::leaving::ArchiveHead;
use crate::shared_phones::SharedPhones;

pub(crate) struct Shared {
    pub(crate) core: Core,
    pub(crate) docs: RwLock<Docs>,
    pub(crate) store: Arc<dyn Store>,
    pub(crate) sealer: Arc<Sealer>,
    pub(crate) clock: Clock,
    /// Sequence of the last group that is visible.
    pub(crate) visible: AtomicU64,
    /// Generation of the last complete checkpoint.
    pub(crate) generation: AtomicU64,
    pub(crate) next_run: AtomicU64,
    pub(crate) next_inbound: AtomicU64,
    /// Beyond the last message of a customer whose changes are visible too.
    pub(crate) shown_inbound: AtomicU64,
    /// What has left for the archives.
    pub(crate) archived: RwLock<ArchiveHead>,
    /// Held while a group is applied, so that whoever holds it sees whole groups.
    pub(crate) applying: RwLock<()>,
    /// Where what the journal said is kept; none where nobody wants to rebuild.
    pub(crate) history: Option<History>,
    /// Prefectures with a run between its begin and its publication.
    pub(crate) publishing: Mutex<BTreeSet<PrefectureCode>>,
    /// Why the writer stopped, once it did.
    pub(crate) failed: RwLock<Option<String>>,
    pub(crate) shared_phones: SharedPhones,
    /// Told of every visible group.
    pub(crate) changed: watch::Sender<u64>,
    /// The same; wakes in the order in which it was asked, which a watch does not.
    pub(crate) next_change: Notify,
}

impl Shared {
    /// Nothing in memory yet.
    pub(crate) fn of(store: Arc<dyn Store>, sealer: Arc<Sealer>, clock: Clock, history: Option<PathBuf>) -> Self {
        Self {
            core: Core::default(),
            docs: RwLock::new(Docs::default()),
            store,
            sealer,
            clock,
            visible: AtomicU64::new(0),
            generation: AtomicU64::new(0),
            next_run: AtomicU64::new(1),
            next_inbound: AtomicU64::new(1),
            shown_inbound: AtomicU64::new(1),
            archived: RwLock::default(),
            applying: RwLock::default(),
            history: history.map(History::new),
            publishing: Mutex::default(),
            failed: RwLock::new(None),
            shared_phones: SharedPhones::default(),
            changed: watch::Sender::new(0),
            next_change: Notify::new(),
        }
    }
}
