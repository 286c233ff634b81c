//! What is published when: changes in their order, everything in force on a new connection, and a pause that grows while the broker is away.

use std::collections::BTreeSet;
use std::future::Future;
use std::pin::Pin;
use std::sync::Arc;
use std::time::Duration;

use gridbell_clock::{Clock, Seed};
use gridbell_model::Moment;
use gridbell_screens::{CommunityKey, Notice, Shown};
use rand_core::RngCore;
use serde::Serialize;
use tokio::sync::watch;
use tokio_util::sync::CancellationToken;

use crate::broker::{Broker, MqttError};
use crate::session::{Item, Session};

/// Changes that are taken before the position is kept.
const AT_ONCE: usize = 32;
/// The first pause after a lost connection; it doubles up to the longest.
const FIRST_PAUSE: Duration = Duration::from_secs(1);
/// The longest pause.
const LONGEST_PAUSE: Duration = Duration::from_secs(60);

/// The end of keeping a position.
pub type Saved<'a> = Pin<Box<dyn Future<Output = Result<(), String>> + Send + 'a>>;

/// The notices, and how far they were taken.
pub trait Source: Send + Sync + 'static {
    /// Notices that changed after change number `after`, in that order; at most `most`.
    fn changed_after(&self, after: u64, most: usize) -> Vec<Arc<Notice>>;
    /// Notices that are shown somewhere.
    fn in_force(&self) -> Vec<Arc<Notice>>;
    /// The last change that the broker has; 0 for none.
    fn position(&self) -> u64;
    /// Keeps the last change that the broker has: durable when it is done.
    fn save(&self, change: u64) -> Saved<'_>;
    /// Counts up when notices change.
    fn changes(&self) -> watch::Receiver<u64>;
    /// What keeps us from publishing; none when all is well again.
    fn trouble(&self, why: Option<&MqttError>);
}

/// Publishes what a source has.
pub struct Publisher<S> {
    broker: Broker,
    source: Arc<S>,
    clock: Clock,
    seed: Seed,
}

#[derive(Serialize)]
struct Payload<'a> {
    community: &'a CommunityKey,
    community_name: &'a str,
    #[serde(flatten)]
    shown: &'a Shown,
}

impl<S: Source> Publisher<S> {
    /// A publisher to `broker`.
    ///
    /// # Errors
    /// Where the broker cannot be as it was written down.
    pub fn new(broker: Broker, source: Arc<S>, clock: Clock, seed: Seed) -> Result<Self, MqttError> {
        broker.check()?;
        Ok(Self { broker, source, clock, seed: seed.child("mqtt") })
    }

    /// Publishes until `stop`.
    pub async fn run(self, stop: CancellationToken) {
        let mut draw = self.seed.stream("pause");
        let mut pause = FIRST_PAUSE;
        while !stop.is_cancelled() {
            let (ended, published) = self.session(&stop).await;
            let Some(why) = ended else { return };
            if published {
                pause = FIRST_PAUSE;
            }
            tracing::warn!(cause = %why, pause_s = pause.as_secs(), "mqtt.lost: {why}");
            self.source.trouble(Some(&why));
            // Between half and all of it, so that hosts do not come back together.
            let share = 0.5 + f64::from(draw.next_u32()) / f64::from(u32::MAX) / 2.0;
            tokio::select! {
                () = stop.cancelled() => return,
                () = self.clock.sleep(pause.mul_f64(share)) => {}
            }
            pause = (pause * 2).min(LONGEST_PAUSE);
        }
    }

    /// One connection: why it ended (none for `stop`), and whether anything was published on it.
    async fn session(&self, stop: &CancellationToken) -> (Option<MqttError>, bool) {
        let options = match self.broker.options() {
            Ok(options) => options,
            Err(e) => return (Some(e), false),
        };
        let opened = tokio::select! {
            () = stop.cancelled() => return (None, false),
            opened = Session::open(options, self.clock.clone()) => opened,
        };
        let mut session = match opened {
            Ok(session) => session,
            Err(e) => return (Some(e), false),
        };
        let mut changes = self.source.changes();
        let published = tokio::select! {
            () = stop.cancelled() => return (None, false),
            done = self.all(&mut session) => done,
        };
        if let Err(e) = published {
            return (Some(e), false);
        }
        tracing::info!(host = %self.broker.host, "mqtt.up");
        self.source.trouble(None);
        loop {
            tokio::select! {
                () = stop.cancelled() => break,
                why = session.lost() => return (Some(why), true),
                changed = changes.changed() => if changed.is_err() { break },
            }
            // Not cut off by `stop`: what is out is acknowledged, and kept as such, or tried again after the start.
            if let Err(e) = self.catch_up(&mut session).await {
                return (Some(e), true);
            }
        }
        session.close().await;
        (None, true)
    }

    /// What changed since the position, then whatever is in force: the broker may have lost what it kept.
    async fn all(&self, session: &mut Session) -> Result<(), MqttError> {
        self.catch_up(session).await?;
        let now = self.clock.now();
        for notice in self.source.in_force() {
            session.publish(items(&self.broker.topic, &notice, now)).await?;
        }
        Ok(())
    }

    async fn catch_up(&self, session: &mut Session) -> Result<(), MqttError> {
        loop {
            let changed = self.source.changed_after(self.source.position(), AT_ONCE);
            let Some(last) = changed.last().map(|n| n.change) else { return Ok(()) };
            let now = self.clock.now();
            for notice in &changed {
                session.publish(items(&self.broker.topic, notice, now)).await?;
            }
            self.source.save(last).await.map_err(MqttError::Position)?;
        }
    }
}

/// A notice as it stands: a message where it is shown, an empty one wherever else it was.
fn items(topic: &str, notice: &Notice, now: Moment) -> Vec<Item> {
    let mut everywhere: BTreeSet<CommunityKey> = notice.communities();
    let topic = |c: &CommunityKey| format!("{topic}/{}/{}/{}", c.prefecture(), c.code(), notice.id);
    let mut items = Vec::new();
    if let (true, Some(latest), Some(shown)) = (notice.in_force(now), notice.latest(), notice.as_shown()) {
        let left_s = (latest.content.expires.unix_ms() - now.unix_ms()) / 1000;
        let expiry_s = Some(u32::try_from(left_s.max(1)).unwrap_or(u32::MAX));
        for place in &latest.places {
            everywhere.remove(&place.community);
            let payload = Payload { community: &place.community, community_name: &place.name, shown: &shown };
            // Texts and numbers: cannot fail.
            let payload = serde_json::to_vec(&payload).unwrap_or_default();
            items.push(Item { topic: topic(&place.community), payload, expiry_s });
        }
    }
    items.extend(everywhere.iter().map(|c| Item { topic: topic(c), payload: Vec::new(), expiry_s: None }));
    items
}
