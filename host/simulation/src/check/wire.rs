//! What went over the lines: how fast, how often, when and to whom.

use std::collections::BTreeMap;
use std::time::Duration;

use gridbell_conductor::Extent;
use gridbell_model::{MessageState, Topic};

use super::messages::{Message, Messages, Seen};
use crate::gateway::{Arrival, civil};
use crate::process::LINKS;
use crate::province::{PREFECTURES, WINDOWS};
use crate::simulation::Simulation;

/// How long an intent counts before the facts are looked at again; `channels` gives back what is older.
const INTENT: Duration = Duration::from_secs(5);
/// How long a stop may take to hold.
const STOPS_WITHIN: Duration = Duration::from_secs(1);
/// Tries of one message at most.
const ATTEMPTS: usize = 9;

fn seen(arrival: &Arrival) -> Seen {
    (arrival.phone.clone(), arrival.part, arrival.text.clone())
}

/// Never above the grant in any one second, over all lives of the host.
pub(super) fn rate(simulation: &Simulation) -> Result<(), String> {
    for (gateway, (name, _, _, _, grant)) in simulation.gateways.iter().zip(LINKS) {
        let mut times: Vec<Duration> = gateway.log.iter().map(|arrival| arrival.at).collect();
        times.sort_unstable();
        let grant = grant as usize;
        let tight = times.windows(grant + 1).find(|some| some[grant] - some[0] < Duration::from_secs(1));
        if let Some(some) = tight {
            return Err(format!(
                "link {name} sent {} parts within one second from {}, with a grant of {grant}",
                grant + 1,
                civil(simulation.start, some[0])
            ));
        }
    }
    Ok(())
}

/// Nothing twice that is not marked, nothing that was taken back, and nothing delivered that no gateway has.
pub(super) fn copies(simulation: &Simulation, messages: &Messages) -> Result<(), String> {
    let mut copies: BTreeMap<Seen, usize> = BTreeMap::new();
    for arrival in simulation.gateways.iter().flat_map(|g| &g.log).filter(|a| a.result == 0) {
        *copies.entry(seen(arrival)).or_default() += 1;
    }
    for (part, same) in &messages.by_part {
        let accepted = copies.get(part).copied().unwrap_or(0);
        let all = || same.iter().map(|at| &messages.all[*at]);
        let most: usize = all().map(|m| most(m, m.together)).sum();
        if accepted > most {
            let told: Vec<String> = all().map(|m| format!("{} {:?}", m.id, m.status)).collect();
            return Err(format!(
                "part {} to {} was accepted {accepted} times, at most {most} may be: {}",
                part.1,
                part.0,
                told.join("; ")
            ));
        }
        let least = all().filter(|m| is_sure(m) && !m.together).count().min(1);
        if accepted < least {
            return Err(format!("part {} of a message is said to be with the carrier, who has none", part.1));
        }
    }
    for (part, groups) in &messages.told {
        let accepted = copies.get(part).copied().unwrap_or(0);
        let bearers = || groups.iter().map(|members| &messages.all[members[0]]);
        let most: usize = bearers().map(|m| most(m, false)).sum();
        let least = bearers().filter(|m| is_sure(m)).count().min(1);
        if !(least..=most).contains(&accepted) {
            let told: Vec<String> = bearers().map(|m| format!("{} {:?}", m.id, m.status)).collect();
            return Err(format!(
                "part {} for several to {} was accepted {accepted} times, {least} to {most} may be: {}",
                part.1,
                part.0,
                told.join("; ")
            ));
        }
    }
    Ok(())
}

/// How often a part of the message's own text may be with carriers; `otherwise` where another text told it in the end.
fn most(message: &Message, otherwise: bool) -> usize {
    if message.status.maybe_twice { ATTEMPTS } else { usize::from(!otherwise && may_be_there(message)) }
}

/// Whether the state says that a carrier has the message.
fn is_sure(message: &Message) -> bool {
    matches!(message.status.state, MessageState::Delivered | MessageState::Submitted)
}

/// Whether the state says that a carrier may have the message.
fn may_be_there(message: &Message) -> bool {
    let status = &message.status;
    match status.state {
        MessageState::Cancelled => !status.accepted.is_empty(),
        MessageState::Expired => status.submitted_at.is_some() || !status.accepted.is_empty(),
        _ => true,
    }
}

/// Each SUBMIT is of a message that was decided, and might go when it went.
pub(super) fn submits(simulation: &Simulation, messages: &Messages) -> Result<(), String> {
    let mut begun = Begun::new();
    let accounts: BTreeMap<_, _> =
        simulation.province.customers.iter().enumerate().map(|(at, c)| (c.account, at)).collect();
    let mut arrivals: Vec<&Arrival> = simulation.gateways.iter().flat_map(|g| &g.log).collect();
    arrivals.sort_by_key(|arrival| arrival.at);
    for arrival in arrivals {
        let at = civil(simulation.start, arrival.at);
        let same = messages.by_part.get(&seen(arrival)).map(Vec::as_slice).unwrap_or_default();
        if same.is_empty() {
            let members = together(simulation, messages, &accounts, &begun, arrival)
                .map_err(|why| format!("a SUBMIT on link {} at {at}: {why}", LINKS[arrival.gateway].0))?;
            for member in members.into_iter().filter(|_| arrival.result == 0) {
                begun.entry((member, arrival.part)).or_insert(arrival.at);
            }
            continue;
        }
        let queued: Vec<usize> = same.iter().copied().filter(|m| messages.all[*m].queued_at <= at).collect();
        let mut wrongs = Vec::new();
        for candidate in &queued {
            let message = &messages.all[*candidate];
            let who = accounts.get(&message.account).copied().unwrap_or(usize::MAX);
            wrongs.extend(wrong(simulation, message, who, arrival, follows(&begun, *candidate, arrival)));
        }
        if queued.is_empty() || wrongs.len() == queued.len() {
            let why = wrongs.first().cloned().unwrap_or_else(|| "nobody decided it".to_owned());
            return Err(format!("a SUBMIT on link {} at {at}: {why}", LINKS[arrival.gateway].0));
        }
        if arrival.result == 0 {
            for candidate in queued {
                begun.entry((candidate, arrival.part)).or_insert(arrival.at);
            }
        }
    }
    Ok(())
}

/// Parts that are with a carrier, by message and part.
type Begun = BTreeMap<(usize, u8), Duration>;

/// Whether another part of the message is with a carrier already.
fn follows(begun: &Begun, message: usize, arrival: &Arrival) -> bool {
    begun.range((message, 0)..=(message, u8::MAX)).any(|((_, part), _)| *part != arrival.part)
}

/// Whom an arrival told that is no message's own text: of those that left as one all may have gone then. What parted since is found by what it
/// said: so many accounts of the number that owe so much; where the gateway took it, all of them are marked.
fn together(
    simulation: &Simulation,
    messages: &Messages,
    accounts: &BTreeMap<gridbell_model::AccountNumber, usize>,
    begun: &Begun,
    arrival: &Arrival,
) -> Result<Vec<usize>, String> {
    let at = civil(simulation.start, arrival.at);
    let why_not = |candidate: usize| {
        let message = &messages.all[candidate];
        if message.queued_at > at {
            return Some(format!("message {} was not decided yet", message.id));
        }
        let who = accounts.get(&message.account).copied().unwrap_or(usize::MAX);
        wrong(simulation, message, who, arrival, follows(begun, candidate, arrival))
    };
    let groups = messages.told.get(&seen(arrival)).map(Vec::as_slice).unwrap_or_default();
    let mut wrongs = Vec::new();
    for members in groups {
        let found: Vec<String> = members.iter().filter_map(|m| why_not(*m)).collect();
        if found.is_empty() {
            return Ok(members.clone());
        }
        wrongs.extend(found);
    }
    let (count, sum) = said(&arrival.text).ok_or_else(|| wrongs.pop().unwrap_or("nobody decided it".to_owned()))?;
    let may = |(at, message): (usize, &Message)| {
        let reminds = message.topic == Topic::ArrearsReminder && message.phone == arrival.phone;
        let marked = message.status.maybe_twice || arrival.result != 0;
        (reminds && marked && why_not(at).is_none()).then_some((at, message.stated))
    };
    let may: Vec<(usize, i64)> = messages.all.iter().enumerate().filter_map(may).collect();
    choose(&may, count, sum)
        .ok_or_else(|| format!("no {count} accounts of {} owe {sum} fen: {wrongs:?}", arrival.phone))
}

/// How many accounts a text tells of, and how many fen.
fn said(text: &str) -> Option<(usize, i64)> {
    let (count, rest) = text.split_once("本号码登记的")?.1.split_once("户共有电费")?;
    let (yuan, cents) = rest.split_once('元')?.0.split_once('.')?;
    Some((count.parse().ok()?, format!("{yuan}{cents}").parse().ok()?))
}

/// `count` of `from` that come to `sum`.
fn choose(from: &[(usize, i64)], count: usize, sum: i64) -> Option<Vec<usize>> {
    if count == 0 {
        return (sum == 0).then(Vec::new);
    }
    (0..from.len()).find_map(|n| {
        let mut rest = choose(&from[n + 1..], count - 1, sum - from[n].1)?;
        rest.push(from[n].0);
        Some(rest)
    })
}

/// Why `message` must not have gone as `arrival`, if so.
fn wrong(s: &Simulation, message: &Message, who: usize, arrival: &Arrival, follows: bool) -> Option<String> {
    let (at, id) = (arrival.at, message.id);
    let held = s.ledger.stops.iter().find(|stop| {
        let covered = match &stop.scope {
            Extent::Province => true,
            Extent::Prefecture(code) => *code == id.prefecture(),
            Extent::Topic(topic) => *topic == message.topic,
            Extent::Link(name) => name == LINKS[arrival.gateway].0,
            // The agenda stops no run.
            Extent::Run(_) => false,
        };
        covered && at > stop.from + STOPS_WITHIN && stop.to.is_none_or(|to| at < to)
    });
    if let Some(stop) = held {
        return Some(format!("message {id} went although a stop of `{}` holds", stop.scope));
    }
    // A message that is begun is finished, whatever changed.
    if follows {
        return None;
    }
    let intended = at.saturating_sub(INTENT);
    if civil(s.start, intended).civil_minute() >= message.expires {
        return Some(format!("message {id} went after its validity, which ended at {}", message.expires));
    }
    let known = s.ledger.customers.get(who)?;
    let since = |then: Option<Duration>| then.is_some_and(|then| then < intended);
    if message.topic == Topic::ArrearsReminder && since(known.paid) {
        return Some(format!("message {id} went to who had paid"));
    }
    if message.topic == Topic::ArrearsReminder && since(known.exempt) {
        return Some(format!("message {id} went to who is on the do-not-remind list"));
    }
    if since(known.opted_out) {
        return Some(format!("message {id} went to who had opted out"));
    }
    if known.corrected.iter().any(|(then, old)| *old == arrival.phone && *then < intended) {
        return Some(format!("message {id} went to a number that was corrected"));
    }
    let minute = |at| civil(s.start, at).civil_minute().minute_of_day();
    let prefecture = PREFECTURES.iter().position(|(code, _)| *code == id.prefecture())?;
    let open = |windows: &[(u16, u16)]| {
        let inside = |m: u32| windows.iter().any(|(from, to)| (u32::from(*from)..u32::from(*to)).contains(&m));
        inside(minute(at)) || inside(minute(intended))
    };
    let allowed = match message.topic {
        Topic::PaymentReceived => open(&[(480, 1_260)]),
        _ => s.ledger.terms(prefecture, intended, at).iter().any(|terms| open(WINDOWS[terms.windows])),
    };
    (!allowed).then(|| format!("message {id} ({}) went outside its send windows", message.topic))
}
