//! What somebody wants said, and what a notice is after it was said: the rules of publishing, correcting and cancelling.

use std::collections::BTreeSet;

use gridbell_model::{Moment, PrefectureCode};

use crate::alert::check_sender;
use crate::book::Book;
use crate::community::CommunityKey;
use crate::error::Error;
use crate::notice::{
    Cancellation, Content, MAX_IN_FORCE, MAX_PLACES, MAX_REVISIONS, Notice, NoticeId, Place, Revision,
};
use crate::text::{self, MAX_WHY};

/// The most octets of an origin.
const MAX_ORIGIN: usize = 120;

/// A notice to publish, or what one is to say from now on.
#[derive(Clone, Debug)]
pub struct NoticeOrder {
    /// Whose.
    pub prefecture: PrefectureCode,
    /// What it is about (`outage/1234`); empty for nothing. A correction keeps the one of its notice.
    pub origin: String,
    /// What it says.
    pub content: Content,
    /// Where it is shown.
    pub communities: Vec<CommunityKey>,
    /// Who says it.
    pub by: String,
    /// Why; may be empty for the first revision.
    pub why: String,
    /// Whom its alert names as sender.
    pub sender: String,
}

/// A notice to take back.
#[derive(Clone, Debug)]
pub struct CancelOrder {
    /// Which.
    pub id: NoticeId,
    /// The revision that whoever cancels has read; none for any.
    pub expected: Option<u32>,
    /// Who.
    pub by: String,
    /// Why.
    pub why: String,
    /// Whom its alert names as sender.
    pub sender: String,
}

impl Book {
    /// The notice that `order` makes. It counts when it is [put in](Book::put_notice).
    ///
    /// # Errors
    /// Where a rule is broken, a community is unknown or full, or what it is about has a notice in force.
    pub fn publish(&self, order: NoticeOrder, now: Moment) -> Result<Notice, Error> {
        if order.origin.len() > MAX_ORIGIN || order.origin.bytes().any(|b| !b.is_ascii_graphic()) {
            return Err(Error::field("origin", "is longer than 120 or has a space or other signs"));
        }
        if let Some(told) = self.of_origin(&order.origin, now) {
            return Err(Error::Told { origin: order.origin, id: told.id });
        }
        let (prefecture, origin) = (order.prefecture, order.origin.clone());
        let revision = self.revision(order, None, now)?;
        Ok(Notice {
            id: self.next_notice(),
            prefecture,
            origin,
            revisions: vec![revision],
            cancelled: None,
            change: self.next_change(),
        })
    }

    /// Notice `id` as `order` makes it; none where it says that already.
    ///
    /// # Errors
    /// As [`Book::publish`], and where it is no longer in force or at another revision.
    pub fn correct(
        &self,
        id: NoticeId,
        expected: Option<u32>,
        order: NoticeOrder,
        now: Moment,
    ) -> Result<Option<Notice>, Error> {
        let notice = self.changeable(id, expected, now)?;
        let last = notice.latest().ok_or(Error::NoNotice(id))?;
        if notice.revisions.len() >= MAX_REVISIONS {
            let text = format!("notice `{id}` has {MAX_REVISIONS} revisions; cancel it and publish another");
            return Err(Error::Full(text));
        }
        if order.prefecture != notice.prefecture {
            return Err(Error::field("prefecture", "is another than the notice's: publish one there"));
        }
        let revision = self.revision(order, Some((id, last)), now)?;
        if revision.content == last.content && revision.places == last.places {
            return Ok(None);
        }
        text::plain("why", &revision.why, MAX_WHY)?;
        let mut corrected = notice.clone();
        corrected.revisions.push(revision);
        corrected.change = self.next_change();
        Ok(Some(corrected))
    }

    /// Publishes, or corrects the notice in force of the same origin: for whoever says the same thing again whenever it changes.
    /// None where it says that already.
    ///
    /// # Errors
    /// As [`Book::publish`] and [`Book::correct`].
    pub fn say(&self, order: NoticeOrder, now: Moment) -> Result<Option<Notice>, Error> {
        match self.of_origin(&order.origin, now).map(|n| n.id) {
            Some(id) => self.correct(id, None, order, now),
            None => self.publish(order, now).map(Some),
        }
    }

    /// The notice taken back.
    ///
    /// # Errors
    /// Where it is no longer in force or at another revision, or no reason is given.
    pub fn cancel(&self, order: CancelOrder, now: Moment) -> Result<Notice, Error> {
        let notice = self.changeable(order.id, order.expected, now)?;
        text::plain("why", &order.why, MAX_WHY)?;
        check_sender(&order.sender)?;
        let mut cancelled = notice.clone();
        let at = now.max(notice.changed_at());
        cancelled.cancelled = Some(Cancellation { by: order.by, at, why: order.why, sender: order.sender });
        cancelled.change = self.next_change();
        Ok(cancelled)
    }

    fn changeable(&self, id: NoticeId, expected: Option<u32>, now: Moment) -> Result<&Notice, Error> {
        let notice = self.notice(id).ok_or(Error::NoNotice(id))?;
        let found = notice.latest().map_or(0, |r| r.number);
        if let Some(expected) = expected.filter(|e| *e != found) {
            return Err(Error::Changed { id, expected, found });
        }
        if notice.in_force(now) { Ok(notice) } else { Err(Error::Ended(id)) }
    }

    /// The revision that follows `before`.
    fn revision(
        &self,
        order: NoticeOrder,
        before: Option<(NoticeId, &Revision)>,
        now: Moment,
    ) -> Result<Revision, Error> {
        order.content.check(now)?;
        check_sender(&order.sender)?;
        if !order.why.is_empty() {
            text::plain("why", &order.why, MAX_WHY)?;
        }
        let places = self.places(&order, before.map(|(id, _)| id), now)?;
        let stays = |p: &&Place| places.iter().all(|q| q.community != p.community);
        let left = before.map_or_else(Vec::new, |(_, b)| b.places.iter().filter(stays).cloned().collect());
        Ok(Revision {
            number: before.map_or(0, |(_, b)| b.number) + 1,
            content: order.content,
            places,
            left,
            by: order.by,
            // A clock that was set back must not make a correction older than what it corrects.
            at: before.map_or(now, |(_, b)| now.max(b.at)),
            why: order.why,
            sender: order.sender,
        })
    }

    /// The communities with their names, in order and each once.
    fn places(&self, order: &NoticeOrder, own: Option<NoticeId>, now: Moment) -> Result<Vec<Place>, Error> {
        let wanted: BTreeSet<&CommunityKey> = order.communities.iter().collect();
        if wanted.is_empty() {
            return Err(Error::field("communities", "is empty: nobody would see it"));
        }
        if wanted.len() > MAX_PLACES {
            return Err(Error::field("communities", format!("has more than {MAX_PLACES}: publish several notices")));
        }
        let mut places = Vec::with_capacity(wanted.len());
        for key in wanted {
            let community = self.community(key).ok_or_else(|| Error::NoCommunity(key.clone()))?;
            if key.prefecture() != order.prefecture {
                let why = format!("has `{key}` of another prefecture: publish a notice there");
                return Err(Error::field("communities", why));
            }
            let others = self.shown(key, now).into_iter().filter(|n| Some(n.id) != own).count();
            if others >= MAX_IN_FORCE {
                let text = format!("community `{key}` has {MAX_IN_FORCE} notices in force; cancel one of them first");
                return Err(Error::Full(text));
            }
            places.push(Place { community: key.clone(), name: community.name.clone() });
        }
        Ok(places)
    }
}
