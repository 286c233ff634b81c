//! Moves a connection's octets and runs its errands. Everything it decides is in [`Core`].

use std::sync::Arc;
use std::time::Duration;

use gridbell_clock::Clock;
use tokio::io::{AsyncRead, AsyncReadExt, AsyncWrite, AsyncWriteExt};
use tokio::sync::watch;

use crate::core::{Core, End};
use crate::dialect::Dialect;
use crate::fetching::{Errand, Fetching, errand};
use crate::intake::{self, Batch, Taken};
use crate::port::{Outbox, Which};
use crate::shared::{Shared, Wish};

/// Octets that one read may bring: some 300 answers and reports.
const READ: usize = 64 * 1024;

/// Runs one connection to its end; then the outbox knows what became of every part that it had.
pub(crate) async fn run<S, O, D>(stream: S, mut core: Core<D>, outbox: Arc<O>, shared: Arc<Shared>) -> End
where
    S: AsyncRead + AsyncWrite + Send + Unpin,
    O: Outbox,
    D: Dialect,
{
    let clock = shared.clock.clone();
    let mut wish = shared.wish.subscribe();
    let (mut reader, mut writer) = tokio::io::split(stream);
    let mut fetching = Fetching::Idle;
    let (mut settling, mut hurry) = (None::<Errand<Batch<D::Ack>>>, false);
    let mut timer = Timer::new(clock.clone());
    let end = loop {
        let now = clock.monotonic();
        if let Err(end) = core.turn(now) {
            break end;
        }
        if settling.is_none() {
            settling = core.take_batch().map(|batch| settle(&outbox, &shared, batch));
        }
        if fetching.is_free() {
            let urgent = core.wants_urgent(now);
            let any = core.wants(now).map(|parts| (parts, Which::Any));
            if let Some((parts, which)) = any.or_else(|| Some((urgent.filter(|_| hurry)?, Which::Urgent))) {
                core.asking(parts);
                let errand = intake::take(Arc::clone(&outbox), Arc::clone(&shared), parts, which);
                fetching = Fetching::Taking(Box::pin(errand));
            } else if matches!(fetching, Fetching::Idle) && urgent.is_some() {
                fetching = Fetching::watch(&outbox, &shared.config.name);
            }
            hurry = false;
        }
        timer.set(core.next_turn(now), now);
        if core.input.capacity() - core.input.len() < READ / 4 {
            core.input.reserve(READ);
        }
        // Should everything always be at hand, other tasks have their turn all the same.
        tokio::task::consume_budget().await;
        let (can_read, can_write) = (core.can_read(), !core.output.is_empty());
        tokio::select! {
            biased;
            written = writer.write_buf(&mut core.output), if can_write => match written {
                Ok(0) => break core.lost("the gateway closed the connection".to_owned()),
                Ok(octets) => core.wrote(octets, clock.monotonic()),
                Err(error) => break core.lost(format!("writing failed: {error}")),
            },
            batch = errand(&mut settling) => {
                settling = None;
                core.settled(batch);
            }
            taken = fetching.ended() => {
                hurry = matches!(fetching, Fetching::Watching(_));
                fetching = Fetching::Idle;
                match taken {
                    Some(taken) if taken.nothing => {
                        core.took(taken);
                        fetching = Fetching::wait(&outbox, &shared.config.name);
                    }
                    Some(taken) => core.took(taken),
                    None => {}
                }
            }
            read = reader.read_buf(&mut core.input), if can_read => match read {
                Ok(0) => break core.lost("the gateway closed the connection".to_owned()),
                Ok(_) => {}
                Err(error) => break core.lost(format!("reading failed: {error}")),
            },
            () = timer.due() => {}
            () = changed(&mut wish) => {}
        }
    };
    finish(core, fetching, settling, &outbox, &shared).await;
    end
}

/// Tells the outbox the rest.
async fn finish<O: Outbox, D: Dialect>(
    mut core: Core<D>,
    fetching: Fetching<Taken>,
    mut settling: Option<Errand<Batch<D::Ack>>>,
    outbox: &Arc<O>,
    shared: &Arc<Shared>,
) {
    if let Fetching::Taking(errand) = fetching {
        core.took(errand.await);
    }
    core.abandon(shared.clock.monotonic());
    loop {
        if let Some(errand) = settling.take() {
            core.settled(errand.await);
        }
        match core.take_batch() {
            Some(batch) => settling = Some(settle(outbox, shared, batch)),
            None => break,
        }
    }
}

fn settle<O: Outbox, A: Send + Sync + 'static>(
    outbox: &Arc<O>,
    shared: &Arc<Shared>,
    batch: Batch<A>,
) -> Errand<Batch<A>> {
    Box::pin(intake::settle(Arc::clone(outbox), Arc::clone(shared), batch))
}

/// Also resolves when the sender is gone, which outlives every connection.
async fn changed(wish: &mut watch::Receiver<Wish>) {
    let _ = wish.changed().await;
}

/// One sleep, made anew only when something is due earlier.
pub(crate) struct Timer {
    clock: Clock,
    due: Duration,
    sleep: Option<Errand<()>>,
}

impl Timer {
    pub(crate) fn new(clock: Clock) -> Self {
        Self { clock, due: Duration::ZERO, sleep: None }
    }

    pub(crate) fn set(&mut self, due: Duration, now: Duration) {
        if self.sleep.is_some() && self.due <= due {
            return;
        }
        let clock = self.clock.clone();
        let wait = due.saturating_sub(now);
        self.due = due;
        self.sleep = Some(Box::pin(async move { clock.sleep(wait).await }));
    }

    pub(crate) async fn due(&mut self) {
        errand(&mut self.sleep).await;
        self.sleep = None;
    }
}
