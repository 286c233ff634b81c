//! All communities, screens and notices, and what is shown where.

use std::cmp::Reverse;
use std::collections::{BTreeMap, BTreeSet};
use std::sync::Arc;

use gridbell_model::{Moment, PrefectureCode};

use crate::community::{Community, CommunityKey, MAX_SCREENS, Screen, ScreenId};
use crate::error::Error;
use crate::notice::{Notice, NoticeId};

/// The most communities: a province has some 100 000 transformers, several to a community.
const MAX_COMMUNITIES: usize = 50_000;
/// The most screens of all communities together.
const MAX_ALL_SCREENS: usize = 20_000;
/// The most notices that are kept; of those that ended the oldest go first, and the audit log has them.
const MAX_KEPT: usize = 10_000;

/// The book. It knows what it was told; whoever tells it has made it durable before.
#[derive(Clone, Debug, Default)]
pub struct Book {
    communities: BTreeMap<CommunityKey, Community>,
    screens: BTreeMap<ScreenId, Screen>,
    notices: BTreeMap<NoticeId, Arc<Notice>>,
    /// The highest numbers ever given: what was removed is not given again while the book lives.
    last: (u64, u64, u64),
    by_secret: BTreeMap<String, ScreenId>,
    hang: BTreeMap<CommunityKey, BTreeSet<ScreenId>>,
    said: BTreeMap<CommunityKey, BTreeSet<NoticeId>>,
    origins: BTreeMap<String, NoticeId>,
    transformers: BTreeMap<(PrefectureCode, String), BTreeSet<CommunityKey>>,
    sections: BTreeMap<(PrefectureCode, u32), BTreeSet<CommunityKey>>,
}

fn forget<K: Ord, V: Ord>(index: &mut BTreeMap<K, BTreeSet<V>>, key: &K, value: &V) {
    if let Some(set) = index.get_mut(key) {
        set.remove(value);
        if set.is_empty() {
            index.remove(key);
        }
    }
}

impl Book {
    /// A community.
    #[must_use]
    pub fn community(&self, key: &CommunityKey) -> Option<&Community> {
        self.communities.get(key)
    }

    /// All communities.
    pub fn communities(&self) -> impl Iterator<Item = &Community> {
        self.communities.values()
    }

    /// Whether `community` may be put in.
    ///
    /// # Errors
    /// Where it breaks a rule or there are too many.
    pub fn check_community(&self, community: &Community) -> Result<(), Error> {
        community.check()?;
        if !self.communities.contains_key(&community.key) && self.communities.len() >= MAX_COMMUNITIES {
            return Err(Error::Full(format!("there are {MAX_COMMUNITIES} communities; remove some first")));
        }
        Ok(())
    }

    /// Puts a community in, or in the place of the one with its key.
    pub fn put_community(&mut self, community: Community) {
        self.forget_members(&community.key);
        let (key, prefecture) = (&community.key, community.key.prefecture());
        for transformer in &community.transformers {
            self.transformers.entry((prefecture, transformer.clone())).or_default().insert(key.clone());
        }
        for section in &community.sections {
            self.sections.entry((prefecture, *section)).or_default().insert(key.clone());
        }
        self.communities.insert(key.clone(), community);
    }

    /// Whether a community may be removed.
    ///
    /// # Errors
    /// While there are screens in it or a notice is shown.
    pub fn check_removal(&self, key: &CommunityKey, now: Moment) -> Result<(), Error> {
        if !self.communities.contains_key(key) {
            return Err(Error::NoCommunity(key.clone()));
        }
        let screens = self.hang.get(key).map_or(0, BTreeSet::len);
        let notices = self.shown(key, now).len();
        if screens + notices > 0 {
            let text =
                format!("community `{key}` has {screens} screens and {notices} notices in force; end them first");
            return Err(Error::InUse(text));
        }
        Ok(())
    }

    /// Removes a community.
    pub fn remove_community(&mut self, key: &CommunityKey) {
        self.forget_members(key);
        self.communities.remove(key);
    }

    fn forget_members(&mut self, key: &CommunityKey) {
        let Some(known) = self.communities.get(key) else { return };
        for transformer in &known.transformers {
            forget(&mut self.transformers, &(key.prefecture(), transformer.clone()), key);
        }
        for section in &known.sections {
            forget(&mut self.sections, &(key.prefecture(), *section), key);
        }
    }

    /// The communities that one of these transformers feeds.
    pub fn fed_by<'a>(
        &self,
        prefecture: PrefectureCode,
        transformers: impl IntoIterator<Item = &'a str>,
    ) -> BTreeSet<CommunityKey> {
        let of = |t: &str| self.transformers.get(&(prefecture, t.to_owned())).cloned().unwrap_or_default();
        transformers.into_iter().flat_map(of).collect()
    }

    /// The communities that one of these reading sections belongs to.
    #[must_use]
    pub fn of_sections(&self, prefecture: PrefectureCode, sections: &[u32]) -> BTreeSet<CommunityKey> {
        sections.iter().filter_map(|s| self.sections.get(&(prefecture, *s))).flatten().cloned().collect()
    }

    /// A screen.
    #[must_use]
    pub fn screen(&self, id: ScreenId) -> Option<&Screen> {
        self.screens.get(&id)
    }

    /// The screen whose secret has this SHA-256.
    #[must_use]
    pub fn screen_of(&self, secret: &str) -> Option<&Screen> {
        self.screens.get(self.by_secret.get(secret)?)
    }

    /// All screens.
    pub fn screens(&self) -> impl Iterator<Item = &Screen> {
        self.screens.values()
    }

    /// The screens of a community.
    pub fn screens_of(&self, community: &CommunityKey) -> impl Iterator<Item = &Screen> {
        self.hang.get(community).into_iter().flatten().filter_map(|id| self.screens.get(id))
    }

    /// The number of the next screen.
    #[must_use]
    pub fn next_screen(&self) -> ScreenId {
        ScreenId(self.last.0 + 1)
    }

    /// Whether `screen` may be put in.
    ///
    /// # Errors
    /// Where it breaks a rule, its community is unknown, or there are too many.
    pub fn check_screen(&self, screen: &Screen) -> Result<(), Error> {
        screen.check()?;
        if !self.communities.contains_key(&screen.community) {
            return Err(Error::NoCommunity(screen.community.clone()));
        }
        if self.screens.contains_key(&screen.id) {
            return Ok(());
        }
        let here = self.hang.get(&screen.community).map_or(0, BTreeSet::len);
        if here >= MAX_SCREENS || self.screens.len() >= MAX_ALL_SCREENS {
            let text =
                format!("a community has {MAX_SCREENS} screens at most, the host {MAX_ALL_SCREENS}; remove some first");
            return Err(Error::Full(text));
        }
        Ok(())
    }

    /// Puts a screen in, or in the place of the one with its number.
    pub fn put_screen(&mut self, screen: Screen) {
        self.remove_screen(screen.id);
        self.last.0 = self.last.0.max(screen.id.0);
        self.by_secret.insert(screen.secret.clone(), screen.id);
        self.hang.entry(screen.community.clone()).or_default().insert(screen.id);
        self.screens.insert(screen.id, screen);
    }

    /// Removes a screen: its address is worth nothing any more.
    pub fn remove_screen(&mut self, id: ScreenId) {
        if let Some(screen) = self.screens.remove(&id) {
            self.by_secret.remove(&screen.secret);
            forget(&mut self.hang, &screen.community, &id);
        }
    }

    /// A notice.
    #[must_use]
    pub fn notice(&self, id: NoticeId) -> Option<&Arc<Notice>> {
        self.notices.get(&id)
    }

    /// All notices that are kept, the first published first.
    pub fn notices(&self) -> impl DoubleEndedIterator<Item = &Arc<Notice>> {
        self.notices.values()
    }

    /// The notice in force about `origin`.
    #[must_use]
    pub fn of_origin(&self, origin: &str, now: Moment) -> Option<&Arc<Notice>> {
        let notice = self.notices.get(self.origins.get(origin)?)?;
        notice.in_force(now).then_some(notice)
    }

    /// Whatever was ever said in a community and is kept, the first published first.
    pub fn said_in(&self, community: &CommunityKey) -> impl Iterator<Item = &Arc<Notice>> {
        self.said.get(community).into_iter().flatten().filter_map(|id| self.notices.get(id))
    }

    /// What a screen of `community` shows: the gravest first, of those alike the newest.
    #[must_use]
    pub fn shown(&self, community: &CommunityKey, now: Moment) -> Vec<&Arc<Notice>> {
        let mut shown: Vec<&Arc<Notice>> = self.said_in(community).filter(|n| n.is_shown(community, now)).collect();
        shown.sort_by_key(|n| Reverse((n.latest().map(|r| r.content.severity), n.changed_at(), n.id)));
        shown
    }

    pub(crate) fn next_notice(&self) -> NoticeId {
        NoticeId(self.last.1 + 1)
    }

    pub(crate) fn next_change(&self) -> u64 {
        self.last.2 + 1
    }

    /// The number of the last change of any notice.
    #[must_use]
    pub fn last_change(&self) -> u64 {
        self.last.2
    }

    /// Puts a notice in, or in the place of the one with its number.
    pub fn put_notice(&mut self, notice: Notice) {
        self.remove_notice(notice.id);
        (self.last.1, self.last.2) = (self.last.1.max(notice.id.0), self.last.2.max(notice.change));
        for community in notice.communities() {
            self.said.entry(community).or_default().insert(notice.id);
        }
        if !notice.origin.is_empty() {
            // A later notice of the same origin is the one that counts.
            let latest = self.origins.entry(notice.origin.clone()).or_insert(notice.id);
            *latest = (*latest).max(notice.id);
        }
        self.notices.insert(notice.id, Arc::new(notice));
    }

    /// Forgets a notice.
    pub fn remove_notice(&mut self, id: NoticeId) {
        let Some(notice) = self.notices.remove(&id) else { return };
        for community in notice.communities() {
            forget(&mut self.said, &community, &id);
        }
        if self.origins.get(&notice.origin) == Some(&id) {
            self.origins.remove(&notice.origin);
        }
    }

    /// The notices to forget before another is kept: ended ones beyond what is kept, the first that ended first.
    ///
    /// # Errors
    /// Where all that is kept is in force.
    pub fn over(&self, now: Moment) -> Result<Vec<NoticeId>, Error> {
        let over = (self.notices.len() + 1).saturating_sub(MAX_KEPT);
        if over == 0 {
            return Ok(Vec::new());
        }
        let mut ended: Vec<&Arc<Notice>> = self.notices.values().filter(|n| !n.in_force(now)).collect();
        if ended.len() < over {
            return Err(Error::Full(format!("{MAX_KEPT} notices are in force; cancel some of them first")));
        }
        ended.sort_by_key(|n| (n.ended_at(), n.id));
        Ok(ended.into_iter().take(over).map(|n| n.id).collect())
    }
}
