//! What the handle, the writer and the checkpoint share.

use std::collections::BTreeSet;
use std::sync::Arc;
use std::sync::atomic::AtomicU64;

use gridbell_clock::Clock;
use gridbell_model::PrefectureCode;
use gridbell_store::{Sealer, Store};
use parking_lot::{Mutex, RwLock};
use tokio::sync::{Notify, watch};

use crate::core_state::Core;
use crate::docs::Docs;
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
    /// What has left for the archives.
    pub(crate) archived: RwLock<ArchiveHead>,
    /// Held while a group is applied, so that whoever holds it sees whole groups.
    pub(crate) applying: RwLock<()>,
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
