//! The thread that moves the epoch while guests run. Its pace is a safety net, not knowledge of the time: nothing reads a clock here.

use std::sync::Arc;
use std::thread::JoinHandle;

use parking_lot::{Condvar, Mutex};

use crate::limits::EPOCH_TICK;

#[derive(Debug, Default)]
struct State {
    /// Calls under way. Nobody running: the thread sleeps and an idle host is not woken 200 times a second.
    running: usize,
    stop: bool,
}

#[derive(Debug, Default)]
struct Shared {
    state: Mutex<State>,
    changed: Condvar,
}

/// Moves the epochs of `engines` by one each [`EPOCH_TICK`] while a [`Running`] lives.
#[derive(Debug)]
pub(crate) struct Ticker {
    shared: Arc<Shared>,
    thread: Option<JoinHandle<()>>,
}

/// Keeps the epoch moving while it lives.
#[derive(Debug)]
pub(crate) struct Running<'a>(&'a Shared);

impl Ticker {
    /// Starts the thread.
    pub(crate) fn start(engines: Vec<wasmtime::Engine>) -> std::io::Result<Self> {
        let shared = Arc::new(Shared::default());
        let own = Arc::clone(&shared);
        let thread =
            std::thread::Builder::new().name("gridbell-epoch".to_owned()).spawn(move || tick(&own, &engines))?;
        Ok(Self { shared, thread: Some(thread) })
    }

    /// Says that guests run from now until the guard is dropped.
    pub(crate) fn running(&self) -> Running<'_> {
        let mut state = self.shared.state.lock();
        state.running += 1;
        if state.running == 1 {
            self.shared.changed.notify_one();
        }
        Running(&self.shared)
    }
}

impl Drop for Running<'_> {
    fn drop(&mut self) {
        self.0.state.lock().running -= 1;
    }
}

impl Drop for Ticker {
    fn drop(&mut self) {
        self.shared.state.lock().stop = true;
        self.shared.changed.notify_one();
        if let Some(thread) = self.thread.take() {
            // The thread cannot panic: it only waits and increments.
            let _ = thread.join();
        }
    }
}

fn tick(shared: &Shared, engines: &[wasmtime::Engine]) {
    let mut state = shared.state.lock();
    while !state.stop {
        if state.running == 0 {
            shared.changed.wait(&mut state);
        } else {
            shared.changed.wait_for(&mut state, EPOCH_TICK);
            engines.iter().for_each(wasmtime::Engine::increment_epoch);
        }
    }
}
