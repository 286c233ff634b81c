//! What a link says of itself. No phone number and no text gets in here.

use std::sync::atomic::{AtomicU64, Ordering};
use std::time::Duration;

use gridbell_model::Moment;
use parking_lot::Mutex;
use serde::Serialize;

use crate::config::LinkName;

/// Where a link stands.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize)]
#[serde(rename_all = "kebab-case")]
pub enum LinkState {
    /// No connection is up; it is trying.
    Connecting,
    /// Sending.
    Up,
    /// Held by a person: connected, taking reports and inbound messages, sending nothing.
    Held,
    /// The gateway refused it as a whole (see the alarms): nothing is sent until a person resumes it.
    Stopped,
    /// Finishing what is unanswered before it closes.
    Draining,
    /// Closed for good.
    Closed,
}

/// A link as of now.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
pub struct LinkStatus {
    /// Its name.
    pub name: LinkName,
    /// What is spoken on it, in the word of configurations; `http` for a platform.
    pub protocol: &'static str,
    /// Where it stands.
    pub state: LinkState,
    /// Connections that are up.
    pub connections: usize,
    /// Since when the first of them has been up; none while none is.
    pub connected_since: Option<Moment>,
    /// The connections that the gateway opens to us, where the protocol has them (SGIP).
    pub reverse: Option<Reverse>,
    /// The protocol version in force, such as `3.0`; none before the first login.
    pub version: Option<String>,
    /// Parts written and not answered.
    pub window_used: usize,
    /// Parts that may be, all connections together.
    pub window: usize,
    /// Parts a second granted, 0 for no pacing.
    pub grant: u32,
    /// Parts written in the last whole second.
    pub rate: u64,
    /// What it has done since it started.
    pub counts: Counts,
    /// What a person should know of, oldest first; cleared by resuming the link or by what they are about coming right.
    pub alarms: Vec<Alarm>,
    /// The last failure, in a sentence.
    pub last_error: Option<String>,
    /// How often the gateway did what it should not, by kind.
    pub anomalies: Vec<(Anomaly, u64)>,
}

/// The connections that a gateway opens to bring reports and inbound messages. It closes them when it has none.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize)]
pub struct Reverse {
    /// Those that are up.
    pub connections: usize,
    /// How often it called and was let in since the link started.
    pub calls: u64,
    /// When it was last let in.
    pub last: Option<Moment>,
}

/// Something that a person should know of.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
pub struct Alarm {
    /// What.
    pub kind: AlarmKind,
    /// Since when.
    pub since: Moment,
    /// How often since.
    pub count: u64,
}

/// What an alarm is about.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Serialize)]
#[serde(rename_all = "kebab-case", tag = "kind")]
pub enum AlarmKind {
    /// The gateway refused the login: account, secret or version. Stops the link.
    LoginRefused {
        /// The gateway's status.
        status: u32,
    },
    /// The gateway could not prove that it knows the secret. Stops the link.
    GatewayNotGenuine,
    /// The gateway refused a submit for the account's configuration. Stops the link.
    SubmitsRefused {
        /// The gateway's result.
        code: u32,
    },
    /// The gateway found fault with our PDUs; after a row of them the link stops.
    OurFault {
        /// The gateway's result.
        code: u32,
    },
    /// The gateway cannot be reached.
    Unreachable,
    /// The day's quota of a platform is used: messages go on to their next channel until midnight.
    QuotaUsed,
    /// The gateway takes submits and has not called since to report any: it cannot reach the address at which we listen.
    NotCalled,
    /// The outbox cannot make things durable.
    OutboxFailing,
    /// A connection's task died; a defect.
    Defect,
}

/// What a gateway should not do.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize)]
#[serde(rename_all = "kebab-case")]
#[repr(usize)]
pub enum Anomaly {
    /// An answer to nothing that is unanswered: late, repeated or invented.
    UnknownAnswer = 0,
    /// A PDU that is not as its table says.
    Malformed = 1,
    /// Octets that are no PDUs.
    OutOfStep = 2,
    /// A PDU that a gateway does not send.
    Unexpected = 3,
    /// A report whose content is none.
    BadReport = 4,
    /// More long inbound messages under way than are held.
    TooManyLong = 5,
    /// A submit was not answered in time.
    NoAnswer = 6,
    /// It refused for flow control although the grant was kept.
    FlowControl = 7,
    /// A call of the gateway's was refused: its password, its login type, or too many at once.
    CallRefused = 8,
}

impl Anomaly {
    const ALL: [Self; 9] = [
        Self::UnknownAnswer,
        Self::Malformed,
        Self::OutOfStep,
        Self::Unexpected,
        Self::BadReport,
        Self::TooManyLong,
        Self::NoAnswer,
        Self::FlowControl,
        Self::CallRefused,
    ];
}

/// What a link has done since it started, in parts.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize)]
pub struct Counts {
    /// Written to the gateway.
    pub sent: u64,
    /// Accepted by it.
    pub accepted: u64,
    /// Refused by it.
    pub refused: u64,
    /// Written and never answered.
    pub unanswered: u64,
    /// Reports taken.
    pub reports: u64,
    /// Inbound messages taken.
    pub inbound: u64,
    /// Logins that succeeded.
    pub logins: u64,
}

#[derive(Debug, Default)]
pub(crate) struct Counters {
    pub(crate) sent: AtomicU64,
    pub(crate) accepted: AtomicU64,
    pub(crate) refused: AtomicU64,
    pub(crate) unanswered: AtomicU64,
    pub(crate) reports: AtomicU64,
    pub(crate) inbound: AtomicU64,
    pub(crate) logins: AtomicU64,
}

impl Counters {
    pub(crate) fn add(counter: &AtomicU64, n: usize) {
        counter.fetch_add(n as u64, Ordering::Relaxed);
    }

    pub(crate) fn snapshot(&self) -> Counts {
        let read = |counter: &AtomicU64| counter.load(Ordering::Relaxed);
        Counts {
            sent: read(&self.sent),
            accepted: read(&self.accepted),
            refused: read(&self.refused),
            unanswered: read(&self.unanswered),
            reports: read(&self.reports),
            inbound: read(&self.inbound),
            logins: read(&self.logins),
        }
    }
}

/// How often a repeated anomaly is logged.
const LOG_EVERY: Duration = Duration::from_secs(60);

/// Counts anomalies and logs each kind's first, then at most one line a minute with the count.
#[derive(Debug, Default)]
pub(crate) struct Anomalies([Mutex<Noted>; Anomaly::ALL.len()]);

#[derive(Debug, Default)]
struct Noted {
    count: u64,
    logged: Option<Duration>,
}

impl Anomalies {
    /// `detail` must not carry anything personal.
    pub(crate) fn note(&self, link: &LinkName, kind: Anomaly, now: Duration, detail: &dyn std::fmt::Display) {
        let mut noted = self.0[kind as usize].lock();
        noted.count += 1;
        if noted.logged.is_none_or(|at| now.saturating_sub(at) >= LOG_EVERY) {
            noted.logged = Some(now);
            let count = noted.count;
            tracing::warn!(link = %link, anomaly = ?kind, count, "gateway of link {link}: {detail} ({count} of the kind)");
        }
    }

    pub(crate) fn snapshot(&self) -> Vec<(Anomaly, u64)> {
        let count = |kind: Anomaly| (kind, self.0[kind as usize].lock().count);
        Anomaly::ALL.into_iter().map(count).filter(|(_, count)| *count > 0).collect()
    }
}

/// Parts written in the last whole second, to a tenth.
#[derive(Debug, Default)]
pub(crate) struct RateMeter {
    tenths: [u64; 11],
    at: u64,
}

impl RateMeter {
    fn turn(&mut self, now: Duration) {
        let tenth = u64::try_from(now.as_millis() / 100).unwrap_or(u64::MAX);
        let passed = tenth.saturating_sub(self.at).min(self.tenths.len() as u64);
        for n in 0..passed {
            self.tenths[((tenth - n) % 11) as usize] = 0;
        }
        self.at = self.at.max(tenth);
    }

    pub(crate) fn add(&mut self, parts: usize, now: Duration) {
        self.turn(now);
        self.tenths[(self.at % 11) as usize] += parts as u64;
    }

    /// The ten tenths before the running one.
    pub(crate) fn last_second(&mut self, now: Duration) -> u64 {
        self.turn(now);
        self.tenths.iter().sum::<u64>() - self.tenths[(self.at % 11) as usize]
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_rate_is_of_the_last_second() {
        let mut meter = RateMeter::default();
        for ms in (0..3000).step_by(10) {
            meter.add(1, Duration::from_millis(ms));
        }
        assert_eq!(meter.last_second(Duration::from_millis(3000)), 100);
        assert_eq!(meter.last_second(Duration::from_millis(3500)), 50);
        assert_eq!(meter.last_second(Duration::from_secs(60)), 0);
    }

    #[test]
    fn anomalies_are_counted_by_kind() {
        let anomalies = Anomalies::default();
        let link = LinkName::new("mobile").unwrap();
        for _ in 0..3 {
            anomalies.note(&link, Anomaly::BadReport, Duration::ZERO, &"a report without content");
        }
        assert_eq!(anomalies.snapshot(), [(Anomaly::BadReport, 3)]);
    }
}
