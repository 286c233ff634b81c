//! Several accounts of one number, one message: which of the messages that leave now are told by one, and with what text. Looked for when a link
//! claims, looked at once more when it intends. Publishes nothing, and changes no message but through the commit of its intent.
//!
//! One that may not go by itself goes with nobody: each is judged alone, by the same last look. Nothing is merged that would take more parts than the
//! messages by themselves, so that what was foreseen of cost is never exceeded.

use std::collections::{BTreeMap, BTreeSet};
use std::sync::Arc;

use gridbell_channels::PartSet;
use gridbell_model::{CivilMinute, CustomerView, MessageId, Moment, OrgTree};
use gridbell_planner::{Compiled, Facts, MAX_TOGETHER, TextPlan};
use gridbell_state::{Outcome, OutgoingMessage, QueuedMessage};
use rustc_hash::FxHashMap;

use crate::error::HostError;
use crate::host::Host;
use crate::port::verdict;
use crate::settings::Settings;
use crate::stops::Held;

/// What a link has of a message.
#[derive(Clone, Debug, Default)]
pub(crate) struct Claim {
    /// The parts that it was handed.
    pub(crate) parts: PartSet,
    /// The messages that it tells besides itself.
    pub(crate) group: Option<Arc<Group>>,
}

/// Messages that leave as one, before that is durable.
#[derive(Debug)]
pub(crate) struct Group {
    pub(crate) carried: Vec<MessageId>,
    /// The text for all of them.
    pub(crate) text: TextPlan,
    /// When the first of them ends to be valid.
    pub(crate) expires: Moment,
}

impl Group {
    /// All parts of its text.
    pub(crate) fn parts(&self) -> PartSet {
        (1..=self.text.parts).fold(PartSet::NONE, PartSet::with)
    }
}

impl Claim {
    /// That of a message that leaves for `group`.
    pub(crate) fn of(group: &Arc<Group>) -> Self {
        Self { parts: group.parts(), group: Some(Arc::clone(group)) }
    }
}

/// What a link is given of what it claimed.
pub(crate) struct Handed {
    pub(crate) outgoing: Vec<OutgoingMessage>,
    /// By the message that leaves for the others; those are not among the outgoing.
    pub(crate) groups: BTreeMap<MessageId, Arc<Group>>,
}

/// Messages that may go along with those that a link claims, by these; claimed with them, so that no other connection takes one by itself.
#[derive(Debug, Default)]
pub(crate) struct Companions(BTreeMap<MessageId, Vec<MessageId>>);

impl Companions {
    /// All of them, those that the link claims anyway as well.
    pub(crate) fn all(&self) -> impl Iterator<Item = MessageId> {
        self.0.values().flatten().copied()
    }
}

impl Host {
    /// Claims, beside `ids`, what may go along with each.
    pub(crate) fn claim_companions(&self, ids: &[MessageId], claimed: &mut FxHashMap<MessageId, Claim>) -> Companions {
        if !self.state().may_share() {
            return Companions::default();
        }
        let mut ours: BTreeSet<MessageId> = ids.iter().copied().collect();
        let mut companions = BTreeMap::new();
        for id in ids {
            let taken = |other: MessageId| claimed.contains_key(&other) && !ours.contains(&other);
            let found = self.state().companions(*id, MAX_TOGETHER - 1, taken);
            for other in &found {
                claimed.entry(*other).or_default();
                ours.insert(*other);
            }
            if !found.is_empty() {
                companions.insert(*id, found);
            }
        }
        Companions(companions)
    }

    /// Finds out which of `outgoing`, which a link claimed, leave as one, with their `companions`. Ends the claims of those that go along with nobody.
    /// Reads the store.
    ///
    /// # Errors
    /// When it cannot be read; no claim is ended then.
    pub(crate) fn gather_together(
        &self,
        outgoing: Vec<OutgoingMessage>,
        companions: &Companions,
    ) -> Result<Handed, HostError> {
        if companions.0.is_empty() {
            return Ok(Handed { outgoing, groups: BTreeMap::new() });
        }
        let mut gathering = Gathering::new(self, &outgoing)?;
        let mut groups = BTreeMap::new();
        for message in &outgoing {
            let Some(found) = companions.0.get(&message.id).filter(|_| !gathering.carried.contains(&message.id)) else {
                gathering.done.insert(message.id);
                continue;
            };
            groups.extend(gathering.group_of(message, found)?.map(|group| (message.id, Arc::new(group))));
            gathering.done.insert(message.id);
        }
        let Gathering { carried, ours, .. } = gathering;
        let alone: Vec<MessageId> =
            companions.all().filter(|id| !carried.contains(id) && !ours.contains_key(id)).collect();
        let outgoing = outgoing.iter().filter(|m| !carried.contains(&m.id)).cloned().collect();
        let mut claimed = self.claimed().lock();
        for id in alone {
            claimed.remove(&id);
        }
        Ok(Handed { outgoing, groups })
    }
}

/// The search of one claim.
struct Gathering<'a> {
    host: &'a Host,
    settings: Settings,
    org: Arc<OrgTree>,
    at: (Moment, CivilMinute),
    /// What stops hold.
    held: Held,
    /// What the link claimed, by id.
    ours: BTreeMap<MessageId, &'a OutgoingMessage>,
    /// Of those, which were looked at.
    done: BTreeSet<MessageId>,
    carried: BTreeSet<MessageId>,
    /// Texts by plugin, notice and version.
    texts: BTreeMap<(String, u16, u32), Option<Arc<Compiled>>>,
}

/// One account of a group.
struct Account<'a> {
    message: &'a OutgoingMessage,
    queued: &'a QueuedMessage,
    view: CustomerView,
    text: Arc<Compiled>,
}

impl<'a> Gathering<'a> {
    fn new(host: &'a Host, outgoing: &'a [OutgoingMessage]) -> Result<Self, HostError> {
        Ok(Self {
            host,
            settings: host.settings()?,
            org: host.state().org(),
            at: (host.clock().now(), host.clock().civil_minute()),
            held: host.held_now(),
            ours: outgoing.iter().map(|m| (m.id, m)).collect(),
            done: BTreeSet::new(),
            carried: BTreeSet::new(),
            texts: BTreeMap::new(),
        })
    }

    /// The group of those `found` that `bearer` can leave for; none where it goes by itself.
    fn group_of(&mut self, bearer: &OutgoingMessage, found: &[MessageId]) -> Result<Option<Group>, HostError> {
        let free = |id: &&MessageId| !self.done.contains(id) && !self.carried.contains(id);
        let free: Vec<MessageId> = found.iter().filter(free).copied().collect();
        let strangers: Vec<MessageId> = free.iter().copied().filter(|id| !self.ours.contains_key(id)).collect();
        let read = self.host.state().outgoing(&strangers)?;
        let theirs = free.iter().filter_map(|id| self.ours.get(id).copied().or(read.iter().find(|m| m.id == *id)));
        let group = self.compose(bearer, theirs.collect());
        self.carried.extend(group.iter().flat_map(|g| g.carried.iter().copied()));
        Ok(group)
    }

    fn compose(&mut self, bearer: &OutgoingMessage, others: Vec<&OutgoingMessage>) -> Option<Group> {
        let first = self.account(bearer)?;
        let merged = first.text.merged()?;
        let prefecture = self.prefecture(bearer.id);
        let first_facts = self.facts(&first, &prefecture)?;
        let same = merged.sameness(&first_facts)?;
        let mut along = Vec::new();
        for message in others {
            let Some(other) = self.account(message) else { continue };
            let alike = (other.queued.template, other.queued.hop) == (first.queued.template, first.queued.hop)
                && Arc::ptr_eq(&other.text, &first.text);
            let facts = self.facts(&other, &prefecture).filter(|_| alike);
            if facts.is_some_and(|facts| merged.sameness(&facts) == Some(same)) {
                along.push(other);
            }
        }
        let all = || std::iter::once(&first).chain(&along);
        let facts: Option<Vec<Facts<'_>>> = all().map(|account| self.facts(account, &prefecture)).collect();
        let each = first.queued.cost_milli_fen / u32::from(first.queued.parts.max(1));
        let text = merged.plan(&facts?, each).ok().flatten().filter(|_| !along.is_empty())?;
        let alone: usize = all().map(|account| usize::from(account.queued.parts)).sum();
        let expires = all().map(|account| account.message.expires).min()?;
        let carried = along.iter().map(|account| account.message.id).collect();
        (usize::from(text.parts) <= alone).then_some(Group { carried, text, expires })
    }

    /// One account's part in a group; none where its message has begun to leave, or would not go now.
    fn account<'m>(&mut self, message: &'m OutgoingMessage) -> Option<Account<'m>> {
        let Outcome::Queued(queued) = &message.decision.outcome else { return None };
        let untried = message.told.is_none() && message.open.len() == usize::from(message.parts);
        if !untried
            || self.held.has(message.id, message.topic)
            || verdict(self.host, &self.settings.rules, message, None, self.at).is_some()
        {
            return None;
        }
        let text = self.text(message, queued)?;
        let view = self.host.state().customer_at(message.id.prefecture(), message.decision.row)?;
        Some(Account { message, queued, view, text })
    }

    /// The text that `message` was worded by.
    fn text(&mut self, message: &OutgoingMessage, queued: &QueuedMessage) -> Option<Arc<Compiled>> {
        let run = self.host.state().run_of(message.id)?;
        let key = (run.digest.clone(), message.decision.notice, queued.template);
        if let Some(known) = self.texts.get(&key) {
            return known.clone();
        }
        let compile = || {
            // What is only kept and not listed any more would have to be loaded, at each claim anew: its messages go by themselves.
            let plugin = self.host.listed_plugin(&run.digest)?;
            let notice = plugin.manifest().notices().get(usize::from(message.decision.notice))?.clone();
            let is_it = |t: &&gridbell_planner::Template| {
                (t.topic, t.notice.as_str(), t.channel, t.version)
                    == (message.topic, notice.name.as_str(), queued.channel, queued.template)
            };
            let template = self.settings.templates.templates.iter().find(is_it)?;
            template.compile(&notice, &self.settings.rules).ok().map(Arc::new)
        };
        let text = compile();
        self.texts.insert(key, text.clone());
        text
    }

    fn facts<'f>(&'f self, account: &Account<'_>, prefecture: &'f str) -> Option<Facts<'f>> {
        let decision = &account.message.decision;
        let station = self.org.get(account.view.station)?.name.as_str();
        let args = [decision.arg0, decision.arg1];
        let hotline = &self.settings.rules.hotline;
        Some(Facts::of(account.message.topic, &account.view, args, station, prefecture, hotline))
    }

    fn prefecture(&self, id: MessageId) -> String {
        let unit = self.org.get(id.prefecture().org());
        unit.map_or("", |u| u.name.trim_end_matches("供电公司")).to_owned()
    }
}
