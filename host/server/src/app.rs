//! What every handler shares: the conductor, the doors' watchmen, the metrics. Holds nothing that is true of the province.

use std::sync::Arc;

use gridbell_clock::Clock;
use gridbell_model::{CustomerView, OrgTree};
use gridbell_planner::DEFAULT_SHARED_PHONE_ACCOUNTS;
use gridbell_state::State;
use tokio::sync::Semaphore;
use tokio_util::sync::CancellationToken;

use crate::access::{Passwords, Sessions, Throttle};
use crate::callbacks::MAX_CALLBACKS;
use crate::conduct::Conduct;
use crate::console::Pages;
use crate::metrics::Metrics;
use crate::problem::{Code, Problem};

/// Reads from the store at the same time: each takes a thread.
pub const MAX_READS: usize = 16;
/// Requests under way at the same time; beyond it callers are told to come back.
pub const MAX_REQUESTS: usize = 512;
/// Live views at the same time.
pub const MAX_LIVE_VIEWS: usize = 64;
/// Screens whose question waits for news at the same time; others are answered at once and ask again. Well below the requests at a time.
pub const MAX_WAITING_SCREENS: usize = 256;

/// Shared by all handlers; cheap to clone.
#[derive(Clone)]
pub(crate) struct App(Arc<Inner>);

pub(crate) struct Inner {
    pub(crate) conduct: Arc<dyn Conduct>,
    pub(crate) passwords: Passwords,
    pub(crate) throttle: Throttle,
    pub(crate) metrics: Metrics,
    pub(crate) pages: Pages,
    pub(crate) requests: Arc<Semaphore>,
    pub(crate) live_views: Arc<Semaphore>,
    pub(crate) waiting_screens: Arc<Semaphore>,
    pub(crate) callbacks: Semaphore,
    /// Whether cookies may only travel encrypted.
    pub(crate) secure: bool,
    /// Cancelled when the server shuts down: live views end.
    pub(crate) closing: CancellationToken,
    reads: Semaphore,
}

impl std::ops::Deref for App {
    type Target = Inner;
    fn deref(&self) -> &Inner {
        &self.0
    }
}

impl App {
    pub(crate) fn new(conduct: Arc<dyn Conduct>, secure: bool, closing: CancellationToken) -> Result<Self, Problem> {
        Ok(Self(Arc::new(Inner {
            conduct,
            passwords: Passwords::new()?,
            throttle: Throttle::default(),
            metrics: Metrics::default(),
            pages: Pages::new()?,
            requests: Arc::new(Semaphore::new(MAX_REQUESTS)),
            live_views: Arc::new(Semaphore::new(MAX_LIVE_VIEWS)),
            waiting_screens: Arc::new(Semaphore::new(MAX_WAITING_SCREENS)),
            callbacks: Semaphore::new(MAX_CALLBACKS),
            secure,
            closing,
            reads: Semaphore::new(MAX_READS),
        })))
    }

    pub(crate) fn state(&self) -> &State {
        self.conduct.state()
    }

    pub(crate) fn clock(&self) -> &Clock {
        self.conduct.clock()
    }

    pub(crate) fn org(&self) -> Arc<OrgTree> {
        self.state().org()
    }

    pub(crate) fn sessions(&self) -> Sessions<'_> {
        Sessions { state: self.state(), clock: self.clock() }
    }

    /// Marks the contacts whose number serves more accounts than the province's rule says. Looks over columns: only where it may block.
    pub(crate) fn mark_shared<'r>(&self, rows: impl IntoIterator<Item = &'r mut CustomerView>) {
        let rules = self.conduct.rules();
        let more_than = rules.map_or(DEFAULT_SHARED_PHONE_ACCOUNTS, |r| r.shared_phone_accounts);
        let mut rows: Vec<&mut CustomerView> = rows.into_iter().collect();
        let mut numbers: Vec<u64> = rows.iter().map(|r| r.phone.number()).filter(|n| *n != 0).collect();
        numbers.sort_unstable();
        numbers.dedup();
        let shared = self.state().shared_phones(more_than, &numbers);
        for row in &mut rows {
            row.phone = row.phone.with_shared(shared.contains(&row.phone.number()));
        }
    }

    /// Reads from the store on a thread where it may block.
    pub(crate) async fn read<T: Send + 'static>(
        &self,
        work: impl FnOnce(&Self) -> Result<T, Problem> + Send + 'static,
    ) -> Result<T, Problem> {
        let _slot = self.reads.acquire().await.map_err(|_| Problem::new(Code::Unavailable))?;
        let app = self.clone();
        tokio::task::spawn_blocking(move || work(&app)).await.map_err(|e| Problem::internal(&e))?
    }
}
