//! The outbox as the links see it: claims in memory, everything else durable in the state before it is answered. The last look at the facts
//! happens here, between a claim and the intent to submit.

use std::collections::{BTreeMap, BTreeSet};
use std::sync::Arc;
use std::time::Duration;

use gridbell_channels::{
    Action, Answer, Inbound, LinkName, Outbox, OutboxError, Outcome, Outgoing, PartSet, Report, Unsent, Which,
};
use gridbell_model::{CivilMinute, HoldReason, Lane, MessageId, MessageState, Moment, TopicClass};
use gridbell_planner::{QueuedFacts, recheck};
use gridbell_state::{Contact, MessageEvent, NO_ANSWER, Outcome as Decided, OutgoingMessage, Room, Shares, Telling};

use crate::addresses::{self, addresses_of};
use crate::error::HostError;
use crate::host::Host;
use crate::learn::{self, Lessons};
use crate::together::{Claim, Group, Handed};

/// How long a link waits at most before it asks again: bounds how late a jump of the clock or a released stop is noticed.
const ASK_AGAIN: Duration = Duration::from_millis(200);
/// The outbox of one host for its links.
#[derive(Clone)]
pub struct StateOutbox(pub(crate) Host);

pub(crate) fn failed(e: impl Into<Box<dyn std::error::Error + Send + Sync>>) -> OutboxError {
    OutboxError(e.into())
}

impl Outbox for StateOutbox {
    async fn claim(&self, link: &LinkName, max_parts: usize, which: Which) -> Result<Vec<Outgoing>, OutboxError> {
        if self.0.stops_now().closes_link(link.as_str()) {
            return Ok(Vec::new());
        }
        let stopped = self.0.held_now();
        let settings = self.0.settings().ok();
        let (ids, companions) = {
            let queues = self.0.open_queues(link);
            // The lock is held from the look to the mark, so that two connections never claim the same message.
            let mut claimed = self.0.claimed().lock();
            let mut shares = self.0.shares().lock();
            let held = |id: MessageId, topic| claimed.contains_key(&id) || stopped.has(id, topic);
            let room = Room { queues: &queues, lanes: lanes(which), parts: max_parts };
            let weights = |of, topic| settings.as_ref().map_or((1, 1), |s| s.rules.share.weights(of, topic));
            let ids = self.0.state().ready_of(room, shares.entry(link.clone()).or_default(), weights, held);
            claimed.extend(ids.iter().map(|id| (*id, Claim::default())));
            let companions = self.0.claim_companions(&ids, &mut claimed);
            (ids, Arc::new(companions))
        };
        self.0.took(link, ids.len());
        let host = self.0.clone();
        let (asked, along) = (ids.clone(), Arc::clone(&companions));
        let read = move || {
            let outgoing = host.state().outgoing(&asked)?;
            let addresses = addresses_of(&host, &outgoing)?;
            Ok::<_, HostError>((host.gather_together(outgoing, &along)?, addresses))
        };
        let outgoing = self.0.clock().offload(read).await.map_err(failed)?;
        match outgoing {
            Ok((handed, addresses)) => self.hand_out(&ids, handed, &addresses, max_parts),
            Err(e) => {
                self.unclaim(&ids);
                self.unclaim(&companions.all().collect::<Vec<_>>());
                Err(failed(e))
            }
        }
    }

    async fn ready(&self, link: &LinkName) {
        // Asked for before the look, so that nothing falls between.
        let changed = self.0.state().next_change();
        let now = self.0.clock().now();
        let waiting =
            self.0.open_queues(link).into_iter().any(|q| self.0.state().next_due(q).is_some_and(|at| at <= now));
        let stopped = self.0.stops_now().closes_link(link.as_str());
        if waiting && !stopped && self.has_unclaimed(link, Which::Any) {
            return;
        }
        tokio::select! {
            biased;
            () = changed => {}
            () = self.0.clock().sleep(ASK_AGAIN) => {}
        }
    }

    async fn urgent(&self, link: &LinkName) {
        loop {
            // As above.
            let changed = self.0.state().next_change();
            if !self.0.stops_now().closes_link(link.as_str()) && self.has_unclaimed(link, Which::Urgent) {
                return;
            }
            tokio::select! {
                biased;
                () = changed => {}
                () = self.0.clock().sleep(ASK_AGAIN) => {}
            }
        }
    }

    async fn intend(&self, link: &LinkName, messages: &[MessageId]) -> Result<Vec<MessageId>, OutboxError> {
        let host = self.0.clone();
        let handed = self.handed(messages);
        let (name, looked) = (link.clone(), handed.clone());
        let judged = self.0.clock().offload(move || last_look(&host, &name, &looked)).await.map_err(failed)?;
        let Judged { events, tellings, mut going, mut gone } = judged.map_err(failed)?;
        self.0.state().submitting(events, tellings).await.map_err(failed)?;
        // What a person recalled, or a late answer settled, between the look and the commit does not go.
        going.retain(|id| {
            let goes = self.0.state().is_submitting(*id);
            if !goes {
                gone.push(*id);
            }
            goes
        });
        self.unclaim(&gone);
        // A part that a report opened again meanwhile was not handed out: it goes by itself when the others are settled.
        let now = self.0.clock().now();
        let not_handed = handed.iter().flat_map(|(id, claim)| {
            let out = self.0.state().parts_out(*id).into_iter().filter(|part| !claim.parts.contains(*part));
            out.map(|part| (*id, back_untried(part, now)))
        });
        let not_handed: Vec<(MessageId, MessageEvent)> = not_handed.collect();
        if !not_handed.is_empty() {
            self.0.state().message_events(not_handed).await.map_err(failed)?;
        }
        Ok(going)
    }

    async fn answered(&self, link: &LinkName, answers: &[Answer]) -> Result<(), OutboxError> {
        let now = self.0.clock().now();
        let mut events = Vec::with_capacity(answers.len());
        let _turn = learn::turn_of_answers(&self.0, link).await;
        self.mark_by_answers(link, answers).await?;
        let mut lessons = Lessons::of_answers(&self.0, link, answers).await;
        for answer in answers {
            let parts = if answer.part == 0 { self.0.state().open_parts(answer.message) } else { vec![answer.part] };
            let sent_on = lessons.of_answer(answer);
            let event = |part| sent_on.as_ref().map_or_else(|| event_of(link, answer, part, now), |on| on.event(part));
            events.extend(parts.into_iter().map(|part| (answer.message, event(part))));
        }
        let applied = self.0.state().message_events_with(events, lessons.facts()).await.map_err(failed)?;
        self.0.told_of_lessons(&applied);
        // A late answer is about a part that left the link's hands before; its message may be claimed again.
        let settled = answers.iter().filter(|a| !matches!(a.outcome, Outcome::Late { .. }));
        self.settle_claims(settled.map(|a| a.message));
        Ok(())
    }

    async fn reported(&self, link: &LinkName, reports: &[Report]) -> Result<(), OutboxError> {
        let _turn = learn::turn_of_reports(&self.0, link, reports).await;
        self.mark_by_reports(link, reports).await?;
        let mut lessons = Lessons::of_reports(&self.0, link, reports).await;
        let (mut events, mut told) = (Vec::new(), Vec::with_capacity(reports.len()));
        for report in reports {
            match lessons.of_report(report) {
                Some(event) => events.push(event),
                None => told.push((report.key.clone(), report.stat.clone())),
            }
        }
        let learned = lessons.facts();
        if !events.is_empty() || !learned.is_empty() {
            let applied = self.0.state().message_events_with(events, learned).await.map_err(failed)?;
            self.0.told_of_lessons(&applied);
        }
        self.0.state().reports(link.as_str(), told).await.map_err(failed)?;
        Ok(())
    }

    async fn inbound(&self, link: &LinkName, messages: &[Inbound]) -> Result<(), OutboxError> {
        for message in messages {
            self.take_inbound(link, message).await.map_err(failed)?;
        }
        Ok(())
    }

    async fn release(&self, _link: &LinkName, parts: &[Unsent]) -> Result<(), OutboxError> {
        let now = self.0.clock().now();
        let mut events = Vec::new();
        for unsent in parts {
            let numbers = (1..=gridbell_channels::MAX_PARTS).filter(|p| unsent.parts.contains(*p));
            events.extend(numbers.map(|p| (unsent.message, back_untried(p, now))));
        }
        // Those that were claimed and never intended have no part out: their events change nothing, and the claim ends below.
        self.0.state().message_events(events).await.map_err(failed)?;
        self.settle_claims(parts.iter().map(|u| u.message));
        Ok(())
    }
}

impl StateOutbox {
    fn has_unclaimed(&self, link: &LinkName, which: Which) -> bool {
        let queues = self.0.open_queues(link);
        let (stopped, claimed) = (self.0.held_now(), self.0.claimed().lock());
        let held = |id: MessageId, topic| claimed.contains_key(&id) || stopped.has(id, topic);
        let room = Room { queues: &queues, lanes: lanes(which), parts: 1 };
        !self.0.state().ready_of(room, &mut Shares::default(), |_, _| (1, 1), held).is_empty()
    }

    /// The parts with which each message was handed out.
    fn handed(&self, ids: &[MessageId]) -> Vec<(MessageId, Claim)> {
        let claimed = self.0.claimed().lock();
        ids.iter().map(|id| (*id, claimed.get(id).cloned().unwrap_or_default())).collect()
    }

    /// Ends the claims of `ids`, with those of the messages that they would tell.
    fn unclaim(&self, ids: &[MessageId]) {
        let mut claimed = self.0.claimed().lock();
        for id in ids {
            let group = claimed.remove(id).and_then(|claim| claim.group);
            for carried in group.iter().flat_map(|g| &g.carried) {
                claimed.remove(carried);
            }
        }
    }

    /// Ends the claims of messages that are out of the link's hands.
    fn settle_claims(&self, ids: impl Iterator<Item = MessageId>) {
        let settled: Vec<MessageId> = ids.filter(|id| !self.0.state().is_submitting(*id)).collect();
        self.unclaim(&settled);
    }

    /// Messages with their texts, as many as fit; the claims of the others end.
    fn hand_out(
        &self,
        ids: &[MessageId],
        Handed { outgoing, groups }: Handed,
        addresses: &BTreeMap<MessageId, Contact>,
        max_parts: usize,
    ) -> Result<Vec<Outgoing>, OutboxError> {
        self.0.claimed().lock().extend(groups.iter().map(|(id, group)| (*id, Claim::of(group))));
        let settings = self.0.settings().map_err(|e| {
            self.unclaim(ids);
            failed(e)
        })?;
        let (mut handed, mut parts, mut kept) = (Vec::with_capacity(outgoing.len()), 0, BTreeSet::new());
        for message in outgoing {
            let group = groups.get(&message.id);
            let its = group.map_or(message.open.len(), |g| usize::from(g.text.parts));
            if !handed.is_empty() && parts + its > max_parts {
                break;
            }
            parts += its;
            kept.insert(message.id);
            kept.extend(group.iter().flat_map(|g| g.carried.iter().copied()));
            let class = settings.rules.topic(message.topic).class;
            let contact = addresses.get(&message.id);
            handed.extend(hand(message, contact, settings.rules.sender(class), group.map(|g| &**g)));
        }
        {
            let mut claimed = self.0.claimed().lock();
            for message in &handed {
                claimed.entry(message.id).or_default().parts = message.open;
            }
        }
        let bearers = groups.keys().chain(ids);
        let rest: Vec<MessageId> = bearers.filter(|id| !kept.contains(id)).copied().collect();
        self.unclaim(&rest);
        Ok(handed)
    }
}

/// Part `part` was never written: it waits again as if nothing had been.
fn back_untried(part: u8, now: Moment) -> MessageEvent {
    MessageEvent::PartBack { part, not_before: now, code: String::new(), may_go_twice: false, counted: false }
}

/// The lanes from which is claimed, in their order.
const fn lanes(which: Which) -> &'static [Lane] {
    match which {
        Which::Any => &[Lane::Urgent, Lane::Bulk],
        Which::Urgent => &[Lane::Urgent],
    }
}

/// What the last look came to: events to make durable in one go, messages that tell several accounts, ids that go and ids that are out of the
/// link's hands.
#[derive(Default)]
struct Judged {
    events: Vec<(MessageId, MessageEvent)>,
    tellings: Vec<Telling>,
    going: Vec<MessageId>,
    gone: Vec<MessageId>,
}

/// The last look: what still goes, what is cancelled, postponed or expired. Of messages that would leave as one all go, or none does: the others are
/// claimed anew.
fn last_look(host: &Host, link: &LinkName, handed: &[(MessageId, Claim)]) -> Result<Judged, HostError> {
    let at = (host.clock().now(), host.clock().civil_minute());
    let (settings, held) = (host.settings()?, host.held_now());
    let link_is_held = host.stops_now().holds_link(link.as_str());
    let carried = |claim: &Claim| claim.group.iter().flat_map(|g| g.carried.clone()).collect::<Vec<_>>();
    let ids: Vec<MessageId> =
        handed.iter().flat_map(|(id, claim)| std::iter::once(*id).chain(carried(claim))).collect();
    let outgoing = host.state().outgoing(&ids)?;
    let contacts = addresses_of(host, &outgoing)?;
    let by_id: BTreeMap<MessageId, OutgoingMessage> = outgoing.into_iter().map(|m| (m.id, m)).collect();
    let mut judged = Judged::default();
    for (id, claim) in handed {
        // Parts that are with the carrier since it was handed out must not go again.
        let same = |message: &&OutgoingMessage| match &claim.group {
            None => set_of(&message.open) == claim.parts,
            Some(_) => message.told.is_none() && message.open.len() == usize::from(message.parts),
        };
        let Some(message) = by_id.get(id).filter(same) else {
            judged.gone.push(*id);
            continue;
        };
        if link_is_held || held.has(*id, message.topic) {
            judged.gone.push(*id);
            continue;
        }
        let look = |id: &MessageId| match by_id.get(id) {
            // A stop of its run alone holds all that would leave with it.
            Some(message) if held.has(*id, message.topic) => Some(None),
            Some(message) => verdict(host, &settings.rules, message, contacts.get(id), at).map(Some),
            // At its end since it was claimed.
            None => Some(None),
        };
        let all = std::iter::once(*id).chain(carried(claim));
        let kept: Vec<_> = all.filter_map(|id| Some((id, look(&id)?))).collect();
        if kept.is_empty() {
            judged.goes(*id, link, claim.group.as_deref());
        } else {
            judged.events.extend(kept.into_iter().filter_map(|(id, event)| Some((id, event?))));
            judged.gone.push(*id);
        }
    }
    Ok(judged)
}

impl Judged {
    fn goes(&mut self, id: MessageId, link: &LinkName, group: Option<&Group>) {
        self.going.push(id);
        match group {
            None => self.events.push((id, MessageEvent::Submitting { link: link.to_string() })),
            Some(Group { carried, text, .. }) => self.tellings.push(Telling {
                bearer: id,
                carried: carried.clone(),
                link: link.to_string(),
                text: text.text.clone(),
                parts: text.parts,
                cost_milli_fen: text.cost_milli_fen,
            }),
        }
    }
}

/// What keeps a message from being submitted now; none when nothing does.
pub(crate) fn verdict(
    host: &Host,
    rules: &gridbell_planner::ProvinceRules,
    message: &OutgoingMessage,
    contact: Option<&Contact>,
    (now, minute): (Moment, CivilMinute),
) -> Option<MessageEvent> {
    let Decided::Queued(queued) = &message.decision.outcome else { return Some(MessageEvent::Expired) };
    if now >= message.expires {
        return Some(MessageEvent::Expired);
    }
    // Half of a long message is worse than one that changed: while it is valid, the others follow a part that is with the carrier.
    let begun = usize::from(message.parts) != message.open.len();
    if begun {
        return None;
    }
    let cancelled = |reason| Some(MessageEvent::Cancelled { reason });
    let Some(view) = host.state().customer_at(message.id.prefecture(), message.decision.row) else {
        return cancelled(HoldReason::Closed);
    };
    let run = host.state().run_of(message.id);
    if let Some(reason) = addresses::address_lost(message, queued, contact) {
        return cancelled(reason);
    }
    if let Some(run) = run.as_ref().filter(|run| run.is_correction()) {
        return crate::correction::last_look(host, rules, (message, queued), run, &view, minute);
    }
    let facts = QueuedFacts {
        topic: message.topic,
        channel: queued.channel,
        business_key: queued.key,
        stated: queued.stated,
        phone: queued.phone,
        sample: run.as_ref().is_some_and(|run| run.is_samples()),
    };
    if facts.sample && !run.as_ref().is_some_and(|run| host.sample_goes(run, queued.phone.number())) {
        return cancelled(HoldReason::Recalled);
    }
    let policy_days = run.as_ref().and_then(|run| host.freshness_days(message.id.prefecture(), &run.policy));
    if let Some(reason) = recheck(rules, &facts, &view, policy_days, minute) {
        return cancelled(reason);
    }
    let run = run?;
    let times = host.send_times(message.id.prefecture(), &run.policy, message.topic)?;
    if times.allows(minute) || rules.topic(message.topic).class == TopicClass::Staff {
        return None;
    }
    match times.next(minute, queued.expires) {
        Some(next) => Some(MessageEvent::Postponed { until: next.moment() }),
        None => cancelled(HoldReason::NoWindow),
    }
}

fn set_of(parts: &[u8]) -> PartSet {
    parts.iter().fold(PartSet::NONE, |set, part| set.with(*part))
}

fn hand(message: OutgoingMessage, contact: Option<&Contact>, sender: &str, group: Option<&Group>) -> Option<Outgoing> {
    let Decided::Queued(queued) = &message.decision.outcome else { return None };
    // Half of a message for several accounts is followed by its other half.
    let told = group.map(|g| &g.text.text).or(message.told.as_ref());
    Some(Outgoing {
        id: message.id,
        to: addresses::address(queued, contact),
        sender: sender.into(),
        body: told.map_or_else(|| addresses::body(queued), |text| text.clone().into()),
        open: group.map_or_else(|| set_of(&message.open), Group::parts),
        attempt: message.attempts,
        urgent: queued.lane == gridbell_model::Lane::Urgent,
        valid_until: Some(group.map_or(message.expires, |g| g.expires)),
    })
}

fn event_of(link: &LinkName, answer: &Answer, part: u8, now: Moment) -> MessageEvent {
    let after = |d: Duration| now.plus_ms(i64::try_from(d.as_millis()).unwrap_or(i64::MAX));
    let back = |not_before, code: String, may_go_twice, counted| MessageEvent::PartBack {
        part,
        not_before,
        code,
        may_go_twice,
        counted,
    };
    let refused = |action, code| match action {
        Action::Retry { after: wait } => back(after(wait), code, false, true),
        Action::Requeue => back(now, code, false, false),
        // Of another carrier's only on a link that serves no carrier.
        Action::BadNumber
        | Action::OtherCarrier
        | Action::GiveUp
        | Action::NextChannel
        | Action::NextChannelUntil { .. } => MessageEvent::PartRefused { part, code },
    };
    match &answer.outcome {
        Outcome::Accepted { key } => MessageEvent::accepted(part, key),
        Outcome::Refused { code, action } => refused(*action, format!("result {code}")),
        Outcome::Declined { code, action } => refused(*action, code.to_string()),
        Outcome::Late { key } => MessageEvent::late(part, link.to_string(), key),
        Outcome::Unanswered { again: true } => back(now, String::new(), true, true),
        Outcome::Unanswered { again: false } => MessageEvent::PartRefused { part, code: NO_ANSWER.to_owned() },
        Outcome::Unsendable { reason } => MessageEvent::PartRefused { part, code: (*reason).to_owned() },
    }
}

impl Host {
    /// Ends what waited too long: messages whose validity ended in the queue, and submitted ones without a report after `report_wait_ms`.
    /// Returns how many.
    ///
    /// # Errors
    /// When the state refuses.
    pub async fn sweep(&self, report_wait_ms: i64) -> Result<usize, HostError> {
        let now = self.clock().now();
        let over = self.state().live(gridbell_state::MAX_EVENTS_PER_OP, |m| match m.state {
            // Its end is that of the one that bears it.
            _ if m.carried => false,
            MessageState::Queued => m.expires <= now,
            MessageState::Submitted => m.submitted_at.is_some_and(|at| at.plus_ms(report_wait_ms) <= now),
            _ => false,
        });
        let claimed: Vec<MessageId> = {
            let claimed = self.claimed().lock();
            over.iter().map(|m| m.id).filter(|id| !claimed.contains_key(id)).collect()
        };
        let count = claimed.len();
        if count > 0 {
            self.state().message_events(claimed.into_iter().map(|id| (id, MessageEvent::Expired)).collect()).await?;
        }
        Ok(count)
    }
}
