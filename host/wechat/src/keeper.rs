//! When the access token is fetched: one token for all tasks, as a state machine that is told the time and does nothing itself.
//!
//! ```text
//! next → Fetch → (the owner asks the platform) → fetched | failed → next → At …
//! any task: token → send → 40001 → rejected → next → Fetch …
//! ```
//!
//! A token that is rejected is first asked for again without force: if another process or the platform itself has made a new one, that is it,
//! and a forced refresh would void it. Only if the platform gives the rejected one again is it forced, within the platform's limits.

use std::collections::VecDeque;

use gridbell_model::Moment;
use gridbell_platform::{Act, Secret, bytes};

/// How long before its end a token is asked for anew, in milliseconds: old and new are both valid for this long.
pub const REFRESH_EARLY_MS: i64 = 5 * 60 * 1000;

/// Forced refreshes in any 24 hours; the platform counts by its own day, so this is never above.
pub const FORCED_PER_DAY: usize = 20;

/// Milliseconds between two forced refreshes.
pub const FORCED_APART_MS: i64 = 30 * 1000;

/// After this many milliseconds a fetch that nobody answered for counts as failed.
pub const UNANSWERED_MS: i64 = 60 * 1000;

/// Milliseconds from the answer that brought a token to the first question after it was rejected: if every token is rejected, the fault is
/// another, and asking in a circle would only use up the platform's patience.
const REJECTED_APART_MS: i64 = 1000;

const DAY_MS: i64 = 24 * 3600 * 1000;
const BACKOFF_MIN_MS: i64 = 1000;
const BACKOFF_MAX_MS: i64 = 60 * 1000;
/// A wrong secret does not heal by asking; the platform bars who asks too often.
const CONFIGURATION_WAIT_MS: i64 = 5 * 60 * 1000;
/// Where a token comes again that has little life left, the least time to the next question.
const LEAST_REFRESH_MS: i64 = 5 * 1000;

/// A token and which one it is.
#[derive(Clone, Debug)]
pub struct Token {
    /// For the request.
    pub secret: Secret,
    /// For [`TokenKeeper::rejected`]: grows with each new token.
    pub generation: u64,
}

/// What the owner does next.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Next {
    /// Ask the platform now, and tell [`TokenKeeper::fetched`] or [`TokenKeeper::failed`] with the ticket.
    Fetch {
        /// Which fetch.
        ticket: u64,
        /// `force_refresh`.
        force: bool,
    },
    /// Nothing before this moment, or before a token is rejected.
    At(Moment),
}

/// What a task does whose token was rejected.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Rejection {
    /// There is a newer token already: take it and send again.
    Newer,
    /// It is being refreshed: keep the message until [`TokenKeeper::token`] gives one.
    Refreshing,
}

/// The one keeper of an account's token.
#[derive(Debug, Default)]
pub struct TokenKeeper {
    held: Option<Held>,
    generation: u64,
    tickets: u64,
    in_flight: Option<(u64, Moment)>,
    not_before: Option<Moment>,
    failures: u32,
    /// The platform gave a rejected token again.
    must_force: bool,
    forced: VecDeque<Moment>,
}

#[derive(Debug)]
struct Held {
    token: Token,
    fetched_at: Moment,
    expires_at: Moment,
    refresh_at: Moment,
    rejected: bool,
}

impl TokenKeeper {
    /// A keeper without a token.
    #[must_use]
    pub fn new() -> Self {
        Self::default()
    }

    /// The token to send with; none while there is none that is valid.
    #[must_use]
    pub fn token(&self, now: Moment) -> Option<Token> {
        self.held.as_ref().filter(|held| !held.rejected && now < held.expires_at).map(|held| held.token.clone())
    }

    /// What to do at `now`. At most one fetch is under way.
    pub fn next(&mut self, now: Moment) -> Next {
        if let Some((_, since)) = self.in_flight {
            let until = since.plus_ms(UNANSWERED_MS);
            if now < until {
                return Next::At(until);
            }
            self.wait(now, Act::Retry);
        }
        let due = match &self.held {
            Some(held) if !held.rejected => held.refresh_at.min(held.expires_at),
            Some(held) if !self.must_force => held.fetched_at.plus_ms(REJECTED_APART_MS).max(now),
            _ => now,
        };
        let force = self.must_force;
        let due = due.max(self.not_before.unwrap_or(due)).max(if force { self.may_force_at(now) } else { due });
        if now < due {
            return Next::At(due);
        }
        if force {
            self.forced.push_back(now);
        }
        self.tickets += 1;
        self.in_flight = Some((self.tickets, now));
        Next::Fetch { ticket: self.tickets, force }
    }

    /// The platform gave a token. An answer to a fetch that is not under way any more changes nothing.
    pub fn fetched(&mut self, ticket: u64, secret: Secret, expires_in_s: u32, now: Moment) {
        if self.in_flight.is_none_or(|(under_way, _)| under_way != ticket) {
            return;
        }
        self.in_flight = None;
        self.not_before = None;
        self.failures = 0;
        let same = |held: &Held| bytes::same(held.token.secret.expose().as_bytes(), secret.expose().as_bytes());
        let life = i64::from(expires_in_s) * 1000;
        let early = (life - REFRESH_EARLY_MS).max(life / 2).max(LEAST_REFRESH_MS);
        let (expires_at, refresh_at) = (now.plus_ms(life), now.plus_ms(early));
        match self.held.as_mut().filter(|held| same(held)) {
            Some(held) if held.rejected => self.must_force = true,
            Some(held) => (held.expires_at, held.refresh_at) = (expires_at, refresh_at),
            None => {
                self.generation += 1;
                self.must_force = false;
                let token = Token { secret, generation: self.generation };
                self.held = Some(Held { token, fetched_at: now, expires_at, refresh_at, rejected: false });
            }
        }
    }

    /// The platform gave none, or could not be reached (`act` is then [`Act::Retry`]).
    pub fn failed(&mut self, ticket: u64, act: Act, now: Moment) {
        if self.in_flight.is_some_and(|(under_way, _)| under_way == ticket) {
            self.wait(now, act);
        }
    }

    /// A message was answered [`Act::Refresh`] when it was sent with the token of this generation.
    pub fn rejected(&mut self, generation: u64) -> Rejection {
        match &mut self.held {
            Some(held) if held.token.generation > generation && !held.rejected => Rejection::Newer,
            Some(held) => {
                held.rejected |= held.token.generation == generation;
                Rejection::Refreshing
            }
            None => Rejection::Refreshing,
        }
    }

    fn wait(&mut self, now: Moment, act: Act) {
        let doubled = BACKOFF_MIN_MS << self.failures.min(6);
        self.in_flight = None;
        self.failures = self.failures.saturating_add(1);
        self.not_before = Some(match act {
            Act::Configuration => now.plus_ms(CONFIGURATION_WAIT_MS),
            Act::NextChannelUntilMidnight => now.date().plus_days(1).at(0, 0).moment(),
            Act::SlowDown => now.plus_ms(BACKOFF_MAX_MS),
            _ => now.plus_ms(doubled.min(BACKOFF_MAX_MS)),
        });
    }

    /// The first moment at which a forced refresh is within the limits.
    fn may_force_at(&mut self, now: Moment) -> Moment {
        while self.forced.front().is_some_and(|first| first.plus_ms(DAY_MS) <= now) {
            self.forced.pop_front();
        }
        let apart = self.forced.back().map_or(now, |last| last.plus_ms(FORCED_APART_MS));
        let full = self.forced.len() >= FORCED_PER_DAY;
        let day = self.forced.front().filter(|_| full).map_or(now, |first| first.plus_ms(DAY_MS));
        apart.max(day)
    }
}
