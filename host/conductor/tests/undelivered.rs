//! The daily list of subscriptions that were due and did not come: each with its reason, once, in pages that come to the whole.

#![expect(clippy::unwrap_used, reason = "a test stops where it fails")]

#[expect(dead_code, reason = "each test takes its part of the world")]
#[path = "forecast/world.rs"]
mod world;

use std::collections::BTreeMap;

use gridbell_conductor::*;
use gridbell_model::*;
use gridbell_state::{CustomerChange, MessageEvent, Outcome};
use world::{CUSTOMERS, TAIYUAN, World, account, first_day};

fn query(day: Date, limit: usize, after: Option<(u32, Topic)>) -> UndeliveredQuery {
    UndeliveredQuery { prefecture: TAIYUAN, day, topic: None, after, limit }
}

async fn list(world: &World, day: Date) -> Vec<Undelivered> {
    world.host.undelivered(query(day, MAX_UNDELIVERED, None), |_| true).await.unwrap()
}

#[tokio::test]
async fn what_was_held_failed_or_waits_is_listed_and_what_came_or_was_refused_is_not() {
    let world = World::new().await;
    let state = world.host.state().clone();
    world.clock.advance_to(first_day().at(9, 0).moment());
    assert!(list(&world, first_day().plus_days(-1)).await.is_empty(), "nothing was due yesterday");
    world.host.run_policy(RunRequest::by_person(TAIYUAN, "balance-warning", "a")).await.unwrap();
    let run = (*world.runs("balance-warning").pop().unwrap()).clone();
    let (mut queued, mut held) = (Vec::new(), BTreeMap::new());
    for segment in 0..u32::try_from(run.segments.len()).unwrap() {
        for d in state.decisions(run.id, segment).unwrap() {
            match d.outcome {
                Outcome::Queued(m) => queued.push((d.row, MessageId::new(TAIYUAN, m.number), m.parts)),
                Outcome::Held(why) => drop(held.insert(d.row, why)),
            }
        }
    }
    assert!(queued.len() > 20 && held.len() > 20, "{} and {}", queued.len(), held.len());
    let owed = |why: &HoldReason| !matches!(why, HoldReason::NoConsent | HoldReason::OptedOut);
    assert!(held.values().any(|why| !owed(why)), "somebody did not subscribe");
    let waiting = list(&world, first_day()).await;
    let decided = |u: &&Undelivered| u.run == Some(run.id);
    let expected = queued.len() + held.values().filter(|why| owed(why)).count();
    assert_eq!(waiting.iter().filter(decided).count(), expected);

    // The first fails, the second expires, the others come.
    let link = || "mobile".to_owned();
    let submit = |id: &MessageId| (*id, MessageEvent::Submitting { link: link() });
    let (fails, expires) = (queued[0].1, queued[1].1);
    let going: Vec<_> = queued.iter().filter(|(_, id, _)| *id != expires).collect();
    state.message_events(going.iter().map(|(_, id, _)| submit(id)).collect()).await.unwrap();
    state.message_events(vec![(expires, MessageEvent::Expired)]).await.unwrap();
    let mut reports = Vec::new();
    for (_, id, parts) in going {
        for part in 1..=*parts {
            let carrier_id = u64::from(id.number()) << 8 | u64::from(part);
            state.message_events(vec![(*id, MessageEvent::PartAccepted { part, carrier_id })]).await.unwrap();
            let stat = if *id == fails { "UNDELIV" } else { "DELIVRD" };
            reports.push((CarrierKey::Number(carrier_id), stat.to_owned()));
        }
    }
    state.reports("mobile", reports).await.unwrap();
    for round in 0..2 {
        let all = list(&world, first_day()).await;
        let messages: BTreeMap<_, _> = all.iter().filter_map(|u| Some((u.message?, u.why.word()))).collect();
        assert_eq!(messages, BTreeMap::from([(fails, "failed"), (expires, "expired")]), "{round}");
        let why: BTreeMap<u32, HoldReason> =
            all.iter().filter_map(|u| if let NotTold::Held(why) = u.why { Some((u.row, why)) } else { None }).collect();
        let due: BTreeMap<u32, HoldReason> = held.iter().filter(|(_, w)| owed(w)).map(|(r, w)| (*r, *w)).collect();
        assert_eq!(why, due, "{round}");
        // Pages come to the whole, none twice.
        let (mut pages, mut after) = (Vec::new(), None);
        loop {
            let page = world.host.undelivered(query(first_day(), 7, after), |_| true).await.unwrap();
            let Some(last) = page.last() else { break };
            after = Some((last.row, last.topic));
            pages.extend(page);
        }
        assert_eq!(pages, all, "{round}");
        let station = all[0].view.station;
        let of_station = world.host.undelivered(query(first_day(), 1_000, None), move |v| v.station == station).await;
        assert_eq!(of_station.unwrap().len(), all.iter().filter(|u| u.view.station == station).count());
        // From the store as from memory.
        state.checkpoint().await.unwrap();
    }
}

#[tokio::test]
async fn a_bill_that_no_policy_speaks_of_is_listed_on_the_day_of_its_issue() {
    let world = World::new().await;
    let issued = first_day().plus_days(-10);
    let who: Vec<AccountNumber> = (0..CUSTOMERS)
        .map(account)
        .filter(|a| {
            let view = world.host.state().customer(*a).unwrap().1;
            view.bill_issued == issued && !view.traits.has(Traits::CLOSED)
        })
        .take(3)
        .collect();
    assert!(list(&world, issued).await.is_empty(), "nobody subscribed");
    for account in &who {
        let change = CustomerChange::Asked { wish: Wish::BillNotice, on: true, source: WishSource::Website };
        world.host.state().change_customer(*account, vec![change], vec![], vec![]).await.unwrap();
    }
    let found: Vec<_> = list(&world, issued).await.into_iter().map(|u| (u.account, u.topic, u.why)).collect();
    let due = |a: &AccountNumber| (*a, Topic::BillNotice, NotTold::NoPolicy);
    assert_eq!(found, who.iter().map(due).collect::<Vec<_>>());
    assert!(list(&world, issued.plus_days(1)).await.is_empty());
}
