//! A notice as Common Alerting Protocol: each revision an alert, with references to all that it replaces. A community that a revision leaves out
//! gets a cancellation of its own, since its players would go on showing what they have.

use std::fmt;
use std::str::FromStr;

use gridbell_cap as cap;
use gridbell_model::{Moment, PrefectureCode};
use serde::Serialize;

use crate::community::CommunityKey;
use crate::error::Error;
use crate::notice::{Content, Notice, NoticeId, Place, Revision};
use crate::text::SERVICE_NUMBER;
use crate::word::{Certainty, Kind, Severity, Urgency};

/// The most octets of a sender, as the standard's names here.
const MAX_SENDER: usize = 64;
/// How long a cancellation is told at least: a player that was off over night learns of it.
const TOLD_MS: i64 = 24 * 3_600_000;

/// Which of a notice's alerts.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum Said {
    /// What this revision says.
    Revision(u32),
    /// That this revision is not for a community any more in which the one before was.
    Left(u32),
    /// That it was taken back.
    Cancelled,
    /// That it is over, earlier than a revision before the last had said: who has only that one must be told.
    Over,
}

/// The identifier of an alert: `140100-N00000012-r3`, `…-r3-c`, `…-x`, `…-e`. It never changes.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub struct AlertName {
    /// Whose.
    pub prefecture: PrefectureCode,
    /// Of which notice.
    pub notice: NoticeId,
    /// Which of its alerts.
    pub said: Said,
}

impl fmt::Display for AlertName {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}-{}", self.prefecture, self.notice)?;
        match self.said {
            Said::Revision(n) => write!(f, "-r{n}"),
            Said::Left(n) => write!(f, "-r{n}-c"),
            Said::Cancelled => f.write_str("-x"),
            Said::Over => f.write_str("-e"),
        }
    }
}

impl FromStr for AlertName {
    type Err = Error;

    fn from_str(s: &str) -> Result<Self, Error> {
        let read = || {
            let mut parts = s.split('-');
            let prefecture = PrefectureCode(parts.next()?.parse().ok()?);
            let notice = parts.next()?.parse().ok()?;
            let number = |text: &str| text.strip_prefix('r')?.parse().ok();
            let said = match (parts.next()?, parts.next(), parts.next()) {
                ("x", None, None) => Said::Cancelled,
                ("e", None, None) => Said::Over,
                (revision, None, None) => Said::Revision(number(revision)?),
                (revision, Some("c"), None) => Said::Left(number(revision)?),
                _ => return None,
            };
            Some(Self { prefecture, notice, said })
        };
        let name: Option<Self> = read();
        name.filter(|n| n.to_string() == s).ok_or_else(|| Error::field("identifier", "is none of an alert"))
    }
}

/// Whether alerts may name `sender`.
///
/// # Errors
/// Where it is empty, longer than 64, or has signs that references are written with.
pub fn check_sender(sender: &str) -> Result<(), Error> {
    let signs = sender.bytes().all(|b| b.is_ascii_graphic() && !b",<&".contains(&b));
    if sender.is_empty() || sender.len() > MAX_SENDER || !signs {
        return Err(Error::field("sender", "is empty, longer than 64, or has a space, comma, `<`, `&` or other signs"));
    }
    Ok(())
}

impl Notice {
    /// The last that was said of it to `community`; none where it never concerned it.
    #[must_use]
    pub fn last_said(&self, community: &CommunityKey, now: Moment) -> Option<Said> {
        let latest = self.latest()?;
        if latest.is_at(community) {
            return Some(match self.cancelled {
                Some(_) => Said::Cancelled,
                None if latest.content.expires <= now && self.longest(u32::MAX) > now => Said::Over,
                None => Said::Revision(latest.number),
            });
        }
        let left = |r: &&Revision| r.left.iter().any(|p| p.community == *community);
        self.revisions.iter().rev().find(left).map(|r| Said::Left(r.number))
    }

    /// One of its alerts, signed for people by `author`; none where there is no such.
    #[must_use]
    pub fn alert(&self, said: Said, author: &str) -> Option<cap::Alert> {
        let reference = self.reference(said)?;
        let (revision, places) = match said {
            Said::Revision(n) => self.numbered(n).map(|r| (r, &r.places))?,
            Said::Left(n) => self.numbered(n).map(|r| (r, &r.left))?,
            Said::Cancelled | Said::Over => self.latest().map(|r| (r, &r.places))?,
        };
        let (kind, note, info) = match said {
            Said::Revision(1) => (cap::Kind::Alert, String::new(), info(&revision.content, author)),
            Said::Revision(n) => {
                let note = format!("更正（第{n}版），替代此前内容");
                (cap::Kind::Update(self.before(n)), note, info(&revision.content, author))
            }
            Said::Left(n) => {
                let before = &self.numbered(n.checked_sub(1)?)?.content;
                let until = self.longest(n).max(reference.sent.plus_ms(TOLD_MS));
                (cap::Kind::Cancel(self.before(n)), "不再涉及本小区".to_owned(), taken_back(before, author, until))
            }
            Said::Cancelled | Said::Over => {
                let note = if said == Said::Over { "公告已到期" } else { "公告已撤销" };
                let until = self.longest(u32::MAX).max(reference.sent.plus_ms(TOLD_MS));
                let info = taken_back(&revision.content, author, until);
                (cap::Kind::Cancel(self.before(u32::MAX)), note.to_owned(), info)
            }
        };
        let info = cap::Info { areas: places.iter().map(area).collect(), ..info };
        let (status, scope) = (cap::Status::Actual, cap::Scope::Public);
        Some(cap::Alert { reference, status, kind, scope, note, infos: vec![info] })
    }

    fn numbered(&self, number: u32) -> Option<&Revision> {
        self.revisions.iter().find(|r| r.number == number)
    }

    /// The name of one of its alerts.
    #[must_use]
    pub fn alert_name(&self, said: Said) -> AlertName {
        AlertName { prefecture: self.prefecture, notice: self.id, said }
    }

    fn reference(&self, said: Said) -> Option<cap::Reference> {
        let (sender, sent) = match said {
            Said::Revision(n) => self.numbered(n).map(|r| (&r.sender, r.at))?,
            Said::Left(n) => self.numbered(n).filter(|r| !r.left.is_empty()).map(|r| (&r.sender, r.at))?,
            Said::Cancelled => self.cancelled.as_ref().map(|c| (&c.sender, c.at))?,
            Said::Over => self.latest().filter(|_| self.cancelled.is_none()).map(|r| (&r.sender, r.content.expires))?,
        };
        Some(cap::Reference { sender: sender.clone(), identifier: self.alert_name(said).to_string(), sent })
    }

    /// The latest moment at which a revision before `number` comes down by itself at players that learned of no other.
    fn longest(&self, number: u32) -> Moment {
        let earlier = self.revisions.iter().filter(|r| r.number < number);
        earlier.map(|r| r.content.expires).max().unwrap_or_default()
    }

    /// All alerts before revision `number`: whichever of them a player has, it is replaced.
    fn before(&self, number: u32) -> Vec<cap::Reference> {
        let earlier = self.revisions.iter().filter(|r| r.number < number);
        let both = earlier.flat_map(|r| [Said::Revision(r.number), Said::Left(r.number)]);
        both.filter_map(|said| self.reference(said)).collect()
    }
}

fn area(place: &Place) -> cap::Area {
    let code = |system: &str, code: String| cap::Geocode { system: system.to_owned(), code };
    let prefecture = code("GB/T 2260", place.community.prefecture().to_string());
    cap::Area {
        description: place.name.clone(),
        geocodes: vec![code("community", place.community.to_string()), prefecture],
    }
}

fn info(content: &Content, author: &str) -> cap::Info {
    let when = content.when();
    let description = if when.is_empty() { content.body.clone() } else { format!("时间：{when}\n{}", content.body) };
    cap::Info {
        language: "zh-CN".to_owned(),
        categories: vec![if content.kind == Kind::Safety { cap::Category::Safety } else { cap::Category::Infra }],
        event: content.kind.chinese().to_owned(),
        response: match content.kind {
            Kind::PlannedOutage | Kind::TemporaryOutage | Kind::Rationing => cap::ResponseType::Prepare,
            Kind::Fault => cap::ResponseType::Monitor,
            Kind::Restored => cap::ResponseType::AllClear,
            Kind::Safety | Kind::Service => cap::ResponseType::None,
        },
        urgency: match content.urgency {
            Urgency::Past => cap::Urgency::Past,
            Urgency::Future => cap::Urgency::Future,
            Urgency::Expected => cap::Urgency::Expected,
            Urgency::Immediate => cap::Urgency::Immediate,
        },
        severity: match content.severity {
            Severity::Minor => cap::Severity::Minor,
            Severity::Moderate => cap::Severity::Moderate,
            Severity::Severe => cap::Severity::Severe,
            Severity::Extreme => cap::Severity::Extreme,
        },
        certainty: match content.certainty {
            Certainty::Possible => cap::Certainty::Possible,
            Certainty::Likely => cap::Certainty::Likely,
            Certainty::Observed => cap::Certainty::Observed,
        },
        onset: content.begins,
        expires: content.expires,
        sender_name: author.to_owned(),
        headline: content.title.clone(),
        description,
        instruction: String::new(),
        contact: SERVICE_NUMBER.to_owned(),
        areas: Vec::new(),
    }
}

fn taken_back(content: &Content, author: &str, until: Moment) -> cap::Info {
    cap::Info {
        response: cap::ResponseType::AllClear,
        urgency: cap::Urgency::Past,
        severity: cap::Severity::Minor,
        certainty: cap::Certainty::Observed,
        expires: until,
        headline: format!("【撤销】{}", content.title),
        description: "此前发布的本条公告不再有效。".to_owned(),
        ..info(content, author)
    }
}

/// A notice as a page or a player shows it: texts ready, moments in milliseconds since the Unix epoch. Holds nothing of who said it and why.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
pub struct Shown {
    /// Which.
    pub id: String,
    /// Which revision: from 2 on it is a correction.
    pub revision: u32,
    /// What it is about.
    pub kind: &'static str,
    /// The same for people.
    pub kind_text: &'static str,
    /// How grave.
    pub severity: &'static str,
    /// The same for people.
    pub severity_text: &'static str,
    /// How sure, for people.
    pub certainty_text: &'static str,
    /// The headline.
    pub title: String,
    /// The text.
    pub body: String,
    /// When it is, for people. May be empty.
    pub when: String,
    /// When this revision was made.
    pub published_ms: i64,
    /// When it comes down by itself.
    pub expires_ms: i64,
}

impl Notice {
    /// As it is shown now.
    #[must_use]
    pub fn as_shown(&self) -> Option<Shown> {
        let revision = self.latest()?;
        let content = &revision.content;
        Some(Shown {
            id: self.id.to_string(),
            revision: revision.number,
            kind: content.kind.word(),
            kind_text: content.kind.chinese(),
            severity: content.severity.word(),
            severity_text: content.severity.chinese(),
            certainty_text: content.certainty.chinese(),
            title: content.title.clone(),
            body: content.body.clone(),
            when: content.when(),
            published_ms: revision.at.unix_ms(),
            expires_ms: content.expires.unix_ms(),
        })
    }
}
