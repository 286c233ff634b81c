//! A notice and its revisions.

use std::collections::BTreeSet;
use std::fmt;
use std::str::FromStr;

use gridbell_model::{Moment, PrefectureCode};
use serde::{Deserialize, Serialize};

use crate::community::{CommunityKey, number};
use crate::error::Error;
use crate::text::{self, MAX_BODY, MAX_TITLE};
use crate::word::{Certainty, Kind, Severity, Urgency};

/// The most revisions of a notice: an outage that changes more often is published anew. As CAP's references: at most 64, two for each.
pub const MAX_REVISIONS: usize = 32;
/// The most communities of a notice, as many as an alert has areas.
pub const MAX_PLACES: usize = 256;
/// The most notices in force in a community: more would not be read.
pub const MAX_IN_FORCE: usize = 12;
/// The most days that a notice stays.
pub const MAX_DAYS: i64 = 90;

number! {
    /// A notice's number, written `N00000012`.
    NoticeId, "N", "notice"
}

/// What a revision says.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Content {
    /// What it is about.
    pub kind: Kind,
    /// How grave.
    pub severity: Severity,
    /// When to act.
    pub urgency: Urgency,
    /// How sure.
    pub certainty: Certainty,
    /// The headline.
    pub title: String,
    /// The text; lines are kept.
    pub body: String,
    /// When what it is about begins.
    #[serde(default)]
    pub begins: Option<Moment>,
    /// When it ends.
    #[serde(default)]
    pub ends: Option<Moment>,
    /// When it comes down by itself.
    pub expires: Moment,
}

impl Content {
    /// Whether it may be shown from `now` on.
    ///
    /// # Errors
    /// Names the field.
    pub fn check(&self, now: Moment) -> Result<(), Error> {
        text::shown("title", &self.title, MAX_TITLE)?;
        if self.title.contains('\n') {
            return Err(Error::field("title", "has two lines: write one"));
        }
        text::shown("body", &self.body, MAX_BODY)?;
        if let (Some(begins), Some(ends)) = (self.begins, self.ends)
            && ends < begins
        {
            return Err(Error::field("ends", "is before `begins`"));
        }
        if self.expires.unix_ms() - now.unix_ms() < 1000 {
            return Err(Error::field("expires", "is over: nobody would see it"));
        }
        if self.expires > now.plus_ms(MAX_DAYS * 86_400_000) {
            return Err(Error::field("expires", format!("is more than {MAX_DAYS} days ahead")));
        }
        Ok(())
    }

    /// When what it is about is, as people read it: `11月25日 08:00–12:00`. Empty where nothing is said of it.
    #[must_use]
    pub fn when(&self) -> String {
        let day = |m: Moment| {
            let date = m.date().to_string();
            let mut parts = date.split('-').skip(1).filter_map(|p| p.parse::<u32>().ok());
            format!("{}月{}日", parts.next().unwrap_or(0), parts.next().unwrap_or(0))
        };
        let time = |m: Moment| {
            let minute = m.civil_minute().minute_of_day();
            format!("{:02}:{:02}", minute / 60, minute % 60)
        };
        match (self.begins, self.ends) {
            (None, None) => String::new(),
            (Some(b), None) => format!("{} {} 起", day(b), time(b)),
            (None, Some(e)) => format!("至 {} {}", day(e), time(e)),
            (Some(b), Some(e)) if b.date() == e.date() => format!("{} {}–{}", day(b), time(b), time(e)),
            (Some(b), Some(e)) => format!("{} {} – {} {}", day(b), time(b), day(e), time(e)),
        }
    }
}

/// A community as it was called when a revision was made.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Place {
    /// Which.
    pub community: CommunityKey,
    /// What it was called.
    pub name: String,
}

/// One revision: it replaces all before it, everywhere.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Revision {
    /// From 1.
    pub number: u32,
    /// What it says.
    pub content: Content,
    /// Where it is shown.
    pub places: Vec<Place>,
    /// Where the revision before was shown and this one is not: it is taken down there.
    #[serde(default)]
    pub left: Vec<Place>,
    /// Who made it.
    pub by: String,
    /// When.
    pub at: Moment,
    /// Why. Empty for the first.
    #[serde(default)]
    pub why: String,
    /// Whom its alerts named as their sender, which later ones must repeat.
    pub sender: String,
}

impl Revision {
    /// Whether it is shown in `community`.
    #[must_use]
    pub fn is_at(&self, community: &CommunityKey) -> bool {
        self.places.iter().any(|p| p.community == *community)
    }
}

/// How a notice was taken back.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Cancellation {
    /// Who.
    pub by: String,
    /// When.
    pub at: Moment,
    /// Why.
    pub why: String,
    /// Whom its alert named as its sender.
    pub sender: String,
}

/// How a notice stands.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum NoticeState {
    /// It is shown.
    InForce,
    /// Another revision is: said of a revision only.
    Replaced,
    /// Somebody took it back.
    Cancelled,
    /// Its time is over.
    Expired,
}

impl NoticeState {
    /// Its word in the API.
    #[must_use]
    pub const fn word(self) -> &'static str {
        match self {
            Self::InForce => "in-force",
            Self::Replaced => "replaced",
            Self::Cancelled => "cancelled",
            Self::Expired => "expired",
        }
    }

    /// What an office reads.
    #[must_use]
    pub const fn chinese(self) -> &'static str {
        match self {
            Self::InForce => "生效中",
            Self::Replaced => "已被更正",
            Self::Cancelled => "已撤销",
            Self::Expired => "已过期",
        }
    }
}

/// A notice with its history.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Notice {
    /// Which.
    pub id: NoticeId,
    /// Whose.
    pub prefecture: PrefectureCode,
    /// What it is about, in the words of whoever keeps that (`outage/1234`); at most one notice of it is in force. Empty for nothing.
    #[serde(default)]
    pub origin: String,
    /// From the first to the last; never empty.
    pub revisions: Vec<Revision>,
    /// How it was taken back.
    #[serde(default)]
    pub cancelled: Option<Cancellation>,
    /// When it last changed, counted over all notices: what a player has to catch up with.
    pub change: u64,
}

impl Notice {
    /// The revision that counts. None only of a document that nobody here wrote.
    #[must_use]
    pub fn latest(&self) -> Option<&Revision> {
        self.revisions.last()
    }

    /// How it stands.
    #[must_use]
    pub fn state(&self, now: Moment) -> NoticeState {
        match (&self.cancelled, self.latest()) {
            (Some(_), _) => NoticeState::Cancelled,
            (None, Some(r)) if now < r.content.expires => NoticeState::InForce,
            (None, _) => NoticeState::Expired,
        }
    }

    /// How one of its revisions stands.
    #[must_use]
    pub fn state_of(&self, revision: &Revision, now: Moment) -> NoticeState {
        let last = self.latest().is_some_and(|r| r.number == revision.number);
        if last { self.state(now) } else { NoticeState::Replaced }
    }

    /// Whether it is shown somewhere.
    #[must_use]
    pub fn in_force(&self, now: Moment) -> bool {
        self.state(now) == NoticeState::InForce
    }

    /// Whether it is shown in `community`.
    #[must_use]
    pub fn is_shown(&self, community: &CommunityKey, now: Moment) -> bool {
        self.in_force(now) && self.latest().is_some_and(|r| r.is_at(community))
    }

    /// Every community in which one of its revisions was.
    #[must_use]
    pub fn communities(&self) -> BTreeSet<CommunityKey> {
        let places = self.revisions.iter().flat_map(|r| &r.places);
        places.map(|p| p.community.clone()).collect()
    }

    /// When it last changed.
    #[must_use]
    pub fn changed_at(&self) -> Moment {
        let revised = self.latest().map_or_else(Moment::default, |r| r.at);
        self.cancelled.as_ref().map_or(revised, |c| c.at.max(revised))
    }

    /// When its last word is over: it came down by itself or was taken back.
    #[must_use]
    pub fn ended_at(&self) -> Moment {
        let expires = self.latest().map_or_else(Moment::default, |r| r.content.expires);
        self.cancelled.as_ref().map_or(expires, |c| c.at)
    }
}
