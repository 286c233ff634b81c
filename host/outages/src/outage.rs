//! An outage and its revisions.

use std::collections::BTreeSet;

use gridbell_model::{Moment, PrefectureCode};
use serde::{Deserialize, Serialize};

use crate::error::Error;
use crate::scope::{Affected, Reach, Scope};
use crate::text::{self, MAX_REASON};
use crate::word::{Change, Class, Crew, Kind, Phase};

/// The most revisions of an outage that are changes; it can always be ended by one more.
pub const MAX_REVISIONS: usize = 64;
/// The most events of a crew that an outage keeps.
pub const MAX_EVENTS: usize = 32;
/// The longest outage, in days.
pub const MAX_DAYS: i64 = 60;
/// How far ahead one may begin, in days.
pub const MAX_AHEAD_DAYS: i64 = 180;
/// Milliseconds of a day.
const DAY_MS: i64 = 86_400_000;
/// Milliseconds of a minute: times of an outage are whole ones.
pub(crate) const MINUTE_MS: i64 = 60_000;

macro_rules! number {
    ($($(#[$doc:meta])* $name:ident, $letter:literal, $field:literal)*) => {$(
        $(#[$doc])*
        #[derive(Clone, Copy, Debug, Default, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
        #[serde(try_from = "String", into = "String")]
        pub struct $name(pub u64);

        impl std::fmt::Display for $name {
            fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
                write!(f, concat!($letter, "{:08}"), self.0)
            }
        }

        impl std::str::FromStr for $name {
            type Err = Error;

            fn from_str(s: &str) -> Result<Self, Error> {
                let number = s.strip_prefix($letter).and_then(|n| n.parse().ok()).map(Self);
                number.filter(|n| n.0 > 0 && n.to_string() == s).ok_or_else(|| {
                    Error::field($field, concat!("is none: ", $letter, " and eight digits, as ", $letter, "00000012"))
                })
            }
        }

        impl TryFrom<String> for $name {
            type Error = Error;

            fn try_from(text: String) -> Result<Self, Error> {
                text.parse()
            }
        }

        impl From<$name> for String {
            fn from(number: $name) -> Self {
                number.to_string()
            }
        }
    )*};
}
pub(crate) use number;

number! {
    /// An outage's number, written `O00000012`.
    OutageId, "O", "outage"
}

/// What an outage is: where, when and why.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Content {
    /// Where.
    pub scope: Scope,
    /// When the power goes off: a whole minute.
    pub from: Moment,
    /// When it is expected back: a whole minute. None where nobody knows yet, which is a fault's alone.
    #[serde(default)]
    pub until: Option<Moment>,
    /// Why, for everybody: 10kV城南线检修.
    pub reason: String,
    /// How grave.
    pub class: Class,
}

impl Content {
    /// Whether an outage of this kind may be so.
    ///
    /// # Errors
    /// Names the field.
    pub fn check(&self, kind: Kind, now: Moment) -> Result<(), Error> {
        self.scope.check()?;
        text::public("reason", &self.reason, MAX_REASON)?;
        let whole = |m: Moment| m.unix_ms() % MINUTE_MS == 0;
        if !whole(self.from) || !self.until.is_none_or(whole) {
            return Err(Error::field("from", "or `until` is no whole minute: leave the seconds out"));
        }
        if self.from > now.plus_ms(MAX_AHEAD_DAYS * DAY_MS) {
            return Err(Error::field("from", format!("is more than {MAX_AHEAD_DAYS} days ahead")));
        }
        if self.until.is_none() && self.from > now {
            return Err(Error::field(
                "until",
                "is missing: only what has begun may be without the time at which power is expected",
            ));
        }
        match self.until {
            None if kind.needs_approval() => Err(Error::field(
                "until",
                "is missing: only a fault may be without the time at which power is expected",
            )),
            Some(until) if until <= self.from => Err(Error::field("until", "is not after `from`")),
            Some(until) if until > self.from.plus_ms(MAX_DAYS * DAY_MS) => {
                Err(Error::field("until", format!("is more than {MAX_DAYS} days after `from`")))
            }
            _ => Ok(()),
        }
    }

    /// What it changes against `before`.
    #[must_use]
    pub fn changes(&self, before: &Self) -> BTreeSet<Change> {
        // A time that is not known is later than any that is.
        let end = |c: &Self| c.until.map_or(i64::MAX, Moment::unix_ms);
        let found = [
            (self.from != before.from, Change::Rescheduled),
            (self.from == before.from && end(self) > end(before), Change::Delayed),
            (self.from == before.from && end(self) < end(before), Change::Shortened),
            (self.scope.is_wider_than(&before.scope), Change::Widened),
            (before.scope.is_wider_than(&self.scope), Change::Narrowed),
            (self.reason != before.reason || self.class != before.class, Change::Reworded),
        ];
        found.into_iter().filter_map(|(is, change)| is.then_some(change)).collect()
    }
}

/// That a second person agreed.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Approval {
    /// Who.
    pub by: String,
    /// When.
    pub at: Moment,
    /// Why a notice shorter than the rule asks for is right; none where that was not approved.
    #[serde(default)]
    pub short_notice: Option<String>,
}

/// That somebody answers for a notice shorter than the rule asks for.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct ShortNotice {
    /// Who: another than whoever publishes.
    pub approved_by: String,
    /// Why.
    pub why: String,
}

/// By how much a publication fell short of its lead time: for the report.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Shortfall {
    /// Minutes that the rule asked for.
    pub needed: u32,
    /// Minutes that there were.
    pub had: u32,
    /// Who answers for it, and why.
    #[serde(flatten)]
    pub approval: ShortNotice,
}

/// One revision: it replaces all before it. The first is the draft until it is published.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Revision {
    /// From 1.
    pub number: u32,
    /// What it changed; empty for a draft.
    #[serde(default)]
    pub changes: BTreeSet<Change>,
    /// How the outage stands with it.
    pub phase: Phase,
    /// What the outage is.
    pub content: Content,
    /// The parts of the scope for which the power is back, as they came back; together within [`MAX_SCOPE`](crate::MAX_SCOPE).
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub back: Vec<Scope>,
    /// When the power was back for all.
    #[serde(default)]
    pub restored: Option<Moment>,
    /// Who made it: of a draft, who wrote it last.
    pub by: String,
    /// When it was made; of the first, once it is published, when that was.
    pub at: Moment,
    /// Why. May be empty for the first.
    #[serde(default)]
    pub why: String,
    /// Who wrote the draft: none of them may approve it.
    #[serde(default, skip_serializing_if = "BTreeSet::is_empty")]
    pub authors: BTreeSet<String>,
    /// Who agreed.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub approved: Option<Approval>,
    /// By how much it fell short of its lead time.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub short: Option<Shortfall>,
}

impl Revision {
    /// Whom it leaves without power, as the grid was at `at`: its scope less the part that is back. Nobody where it is no longer, or not yet, in force.
    #[must_use]
    pub fn affected(&self, prefecture: PrefectureCode, reach: &impl Reach, at: Moment) -> Affected {
        if !self.phase.is_public() || self.phase.is_over() {
            return Affected::default();
        }
        reach.affected(prefecture, &self.content.scope, &self.back, at)
    }
}

/// What a crew did about an outage.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct CrewEvent {
    /// What.
    pub what: Crew,
    /// Who said so.
    pub by: String,
    /// When.
    pub at: Moment,
}

/// An outage without its revisions: small, for a document of its own that is written with each change.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Head {
    /// Which.
    pub id: OutageId,
    /// Whose.
    pub prefecture: PrefectureCode,
    /// What kind.
    pub kind: Kind,
    /// Rises with everything that happens to it: what somebody has read.
    pub edition: u32,
    /// When it was published.
    #[serde(default)]
    pub published: Option<Moment>,
    /// The last revision of which everybody was told; 0 for none.
    #[serde(default)]
    pub told: u32,
    /// What the crew did.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub events: Vec<CrewEvent>,
}

/// An outage with its history. It is kept as a document for its [`Head`] and one for each revision, since all of them in one could be too large.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Outage {
    /// All but the revisions.
    pub head: Head,
    /// From the first to the last; never empty.
    revisions: Vec<Revision>,
}

impl Outage {
    /// From its documents.
    ///
    /// # Errors
    /// Where revisions are missing or out of order.
    pub fn new(head: Head, revisions: Vec<Revision>) -> Result<Self, Error> {
        let numbered = revisions.iter().zip(1..).all(|(r, n)| r.number == n);
        if revisions.is_empty() || !numbered {
            return Err(Error::field("revisions", format!("of outage `{}` are not all there", head.id)));
        }
        Ok(Self { head, revisions })
    }

    /// Which.
    #[must_use]
    pub fn id(&self) -> OutageId {
        self.head.id
    }

    /// All revisions, the first one first.
    #[must_use]
    pub fn revisions(&self) -> &[Revision] {
        &self.revisions
    }

    pub(crate) fn revisions_mut(&mut self) -> &mut Vec<Revision> {
        &mut self.revisions
    }

    /// The revision that counts.
    #[must_use]
    pub fn latest(&self) -> &Revision {
        // Never empty, as `new` says: the last of one slice is the last of the other.
        &self.revisions[self.revisions.len() - 1]
    }

    /// The last revision of which everybody was told.
    #[must_use]
    pub fn told(&self) -> Option<&Revision> {
        self.revisions.get(usize::try_from(self.head.told.checked_sub(1)?).ok()?)
    }

    /// How it stands.
    #[must_use]
    pub fn phase(&self) -> Phase {
        self.latest().phase
    }

    /// Whether it counts: published, and neither restored nor cancelled.
    #[must_use]
    pub fn is_open(&self) -> bool {
        self.phase().is_public() && !self.phase().is_over()
    }

    /// Whether customers have not been told of its last revision yet.
    #[must_use]
    pub fn is_untold(&self) -> bool {
        self.head.published.is_some() && self.head.told < self.latest().number
    }

    /// Whether its time includes `at`: from its beginning to its expected end, which while it goes on is never past.
    #[must_use]
    pub fn covers(&self, at: Moment) -> bool {
        let content = &self.latest().content;
        let ends = content.until.is_none_or(|until| at < until) || self.phase().is_running();
        self.is_open() && content.from <= at && ends
    }

    /// All that its revisions changed since everybody was told: revisions that follow each other quickly are told as one.
    #[must_use]
    pub fn untold_changes(&self) -> BTreeSet<Change> {
        let told = usize::try_from(self.head.told).unwrap_or(usize::MAX);
        self.revisions.iter().skip(told).flat_map(|r| &r.changes).copied().collect()
    }
}
