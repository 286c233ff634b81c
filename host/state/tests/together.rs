//! Messages of several accounts of one number that leave as one: each stands where the one that left stands, is paid once, and whatever is lost, late or
//! repeated, and wherever the process ends, nobody is untold and nobody is told twice unmarked.

#![expect(clippy::unwrap_used, reason = "a test stops where it fails")]

mod common;

use std::collections::BTreeMap;
use std::time::Duration;

use common::*;
use gridbell_model::{CarrierKey, HoldReason, MessageId, MessageState, Phone, Sharing, Topic};
use gridbell_state::*;
use proptest::prelude::*;

const WAIT: u32 = 30;
const HOPS: u8 = 2;
const NUMBER: u64 = 13_900_000_001;
/// What a part costs, and so the message of one account.
const COST: u32 = 3_500;

async fn landlord(accounts: u64) -> World {
    let world = World::new().await;
    let phone = Some(Phone::from_text(&NUMBER.to_string()));
    world.facts(Facts::Customers((0..accounts).map(|n| CustomerFact { phone, ..customer(n) }).collect())).await;
    world.facts(Facts::Bills((0..accounts).map(|n| bill(n, 202_611, 100)).collect())).await;
    world
}

fn sharing(mut record: DecisionRecord, nth: usize) -> DecisionRecord {
    if let Outcome::Queued(message) = &mut record.outcome {
        message.sharing = if nth == 0 { Sharing::Counted } else { Sharing::Rides };
        message.cost_milli_fen = COST;
    }
    record
}

fn waits() -> Vec<Vec<u32>> {
    vec![vec![WAIT; usize::from(HOPS) - 1]]
}

/// Publishes a reminder to each of Taiyuan's accounts; their messages.
async fn publish(state: &State) -> Vec<MessageId> {
    let mut run = state.begin_run(TAIYUAN).await.unwrap();
    run.follow(waits());
    let snapshot = run.snapshot().clone();
    let views: Vec<_> = (0..snapshot.rows()).map(|row| snapshot.view(row).unwrap()).collect();
    let records = views.iter().enumerate().map(|(nth, view)| sharing(queued(view, 1, 1), nth));
    run.push(records.collect()).await.unwrap();
    let run = run.publish(record(1), vec![], vec![]).await.unwrap().0;
    (0..views.len() as u32).map(|n| MessageId::new(TAIYUAN, run.first_message + n)).collect()
}

fn telling(bearer: MessageId, carried: &[MessageId], parts: u8) -> Telling {
    let text = format!("{} accounts", carried.len() + 1);
    let cost_milli_fen = COST * u32::from(parts);
    Telling { bearer, carried: carried.to_vec(), link: "a".into(), text, parts, cost_milli_fen }
}

fn status(state: &State, id: MessageId) -> MessageStatus {
    state.message_status(id).unwrap().unwrap()
}

fn states(state: &State, ids: &[MessageId]) -> Vec<MessageState> {
    ids.iter().map(|id| status(state, *id).state).collect()
}

async fn accepted(state: &State, id: MessageId, part: u8, key: u64) {
    let event = MessageEvent::accepted(part, &CarrierKey::Number(key));
    assert_eq!(state.message_events(vec![(id, event)]).await.unwrap().stale_events, 0);
}

async fn report(state: &State, key: u64, stat: &str) {
    state.reports("a", vec![(CarrierKey::Number(key), stat.to_owned())]).await.unwrap();
}

fn back(part: u8, not_before: gridbell_model::Moment, may_go_twice: bool) -> MessageEvent {
    MessageEvent::PartBack { part, not_before, code: String::new(), may_go_twice, counted: true }
}

fn told(state: &State) -> (u8, u8) {
    let view = view(state, 0);
    state.told(TAIYUAN, view.row, NUMBER, today(), &[Topic::ArrearsReminder])
}

#[tokio::test(flavor = "multi_thread")]
async fn those_that_are_carried_stand_where_their_bearer_stands_and_are_paid_once() {
    let mut world = landlord(4).await;
    let ids = publish(&world.state).await;
    assert_eq!(told(&world.state), (1, 1), "accounts that may share a message count once for their number");
    assert_eq!(world.state.companions(ids[0], 10, |_| false), ids[1..]);
    assert_eq!(world.state.companions(ids[0], 10, |id| id == ids[2]), [ids[1], ids[3]]);
    assert_eq!(world.state.companions(ids[1], 2, |_| false), [ids[0], ids[2]]);

    let applied = world.state.submitting(vec![], vec![telling(ids[0], &ids[1..3], 2)]).await.unwrap();
    assert_eq!(applied.stale_events, 0);
    use MessageState as S;
    assert_eq!(states(&world.state, &ids), [S::Submitting, S::Submitting, S::Submitting, S::Queued]);
    assert_eq!(world.state.ready(1, 10, |_, _| false), [ids[3]], "only the one that goes by itself waits");
    assert!(world.state.companions(ids[3], 10, |_| false).is_empty());

    // Half of it is with the carrier: they stay together, also through a crash, and only the bearer goes on.
    accepted(&world.state, ids[0], 1, 71).await;
    for checkpoint in [false, true] {
        if checkpoint {
            world.state.checkpoint().await.unwrap();
        }
        world.crash();
        assert_eq!(states(&world.state, &ids), [S::Queued; 4], "checkpoint {checkpoint}");
        assert_eq!(world.state.ready(1, 10, |_, _| false), [ids[0], ids[3]], "checkpoint {checkpoint}");
    }
    let out = world.state.outgoing(&[ids[0]]).unwrap().remove(0);
    assert_eq!((out.open, out.parts, out.told.as_deref()), (vec![2], 2, Some("3 accounts")));
    let paid = |id| (id, MessageEvent::Cancelled { reason: HoldReason::Paid });
    assert_eq!(world.state.message_events(vec![paid(ids[1])]).await.unwrap().stale_events, 1, "it is half there");
    world.state.message_events(vec![(ids[0], MessageEvent::Submitting { link: "a".into() })]).await.unwrap();
    accepted(&world.state, ids[0], 2, 72).await;
    assert_eq!(states(&world.state, &ids), [S::Submitted, S::Submitted, S::Submitted, S::Queued]);
    report(&world.state, 71, "DELIVRD").await;
    report(&world.state, 72, "DELIVRD").await;
    assert_eq!(states(&world.state, &ids), [S::Delivered, S::Delivered, S::Delivered, S::Queued]);
    let marked: Vec<bool> = ids.iter().map(|id| status(&world.state, *id).maybe_twice).collect();
    assert_eq!(marked, [true, true, true, false], "the second half was cut off once: all of them are marked");

    let days = world.state.link_days(today(), today());
    assert_eq!((days[0].2.accepted, days[0].2.cost_milli_fen), (2, u64::from(2 * COST)), "counted once");
    let stats = world.state.stats(today(), today());
    let sum = |of: fn(&StatCounts) -> u64| stats.iter().map(|(_, counts)| of(counts)).sum::<u64>();
    assert_eq!((sum(|c| c.queued), sum(|c| c.submitted), sum(|c| c.delivered)), (4, 3, 3), "each account's own");
    assert_eq!((sum(|c| c.parts), sum(|c| c.cost_milli_fen)), (2, u64::from(2 * COST)), "paid once");

    for on_disk in [false, true] {
        if on_disk {
            world.state.checkpoint().await.unwrap();
            world.crash();
        }
        let of = |nth: usize| world.state.told_together(ids[nth]).unwrap();
        let bearer = of(0).unwrap();
        assert_eq!((bearer.bearer, bearer.accounts, &*bearer.text), (ids[0], 3, "3 accounts"), "on disk {on_disk}");
        assert_eq!((&bearer.carried[..], bearer.parts), (&ids[1..3], 2));
        let carried = of(2).unwrap();
        assert_eq!((carried.bearer, carried.accounts, carried.carried.len()), (ids[0], 3, 0));
        assert_eq!(of(3), None);
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn a_bearer_that_comes_back_leaves_each_by_itself_and_one_that_fails_sends_each_its_own_way() {
    let world = landlord(3).await;
    let ids = publish(&world.state).await;
    world.state.submitting(vec![], vec![telling(ids[1], &[ids[0], ids[2]], 2)]).await.unwrap();
    let later = world.clock.now().plus_ms(60_000);
    let both = (1..=2).map(|part| (ids[1], back(part, later, false))).collect();
    world.state.message_events(both).await.unwrap();
    assert_eq!(states(&world.state, &ids), [MessageState::Queued; 3]);
    assert!(world.state.ready(1, 10, |_, _| false).is_empty(), "none before its time");
    world.clock.advance(Duration::from_secs(60));
    assert_eq!(world.state.ready(1, 10, |_, _| false), ids);
    let alone = world.state.outgoing(&[ids[1]]).unwrap().remove(0);
    assert_eq!((alone.open, alone.parts, alone.told), (vec![1], 1, None), "its own text again");
    assert!(
        ids.iter()
            .all(|id| !status(&world.state, *id).maybe_twice && world.state.told_together(*id).unwrap().is_none())
    );

    world.state.submitting(vec![], vec![telling(ids[0], &ids[1..], 1)]).await.unwrap();
    accepted(&world.state, ids[0], 1, 5).await;
    report(&world.state, 5, "UNDELIV").await;
    assert_eq!(states(&world.state, &ids), [MessageState::Failed; 3]);
    let due: Vec<MessageId> =
        world.state.hops_due(world.clock.now(), 10, |_| false).into_iter().map(|hop| hop.id).collect();
    assert_eq!(due, ids, "each account's next hop is its own");
}

#[tokio::test(flavor = "multi_thread")]
async fn whoever_counts_for_the_number_is_followed_by_one_that_rode_along() {
    let mut world = landlord(3).await;
    let ids = publish(&world.state).await;
    let cancel = |nth: usize| vec![(ids[nth], MessageEvent::Cancelled { reason: HoldReason::Paid })];
    for (nth, number) in [(0, 1), (2, 1), (1, 0)] {
        world.state.message_events(cancel(nth)).await.unwrap();
        assert_eq!(told(&world.state).1, number, "after {nth}");
        world.state.checkpoint().await.unwrap();
        world.crash();
        assert_eq!(told(&world.state).1, number, "after {nth}, from a checkpoint");
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn a_telling_of_which_somebody_is_gone_changes_nothing() {
    let world = landlord(3).await;
    let ids = publish(&world.state).await;
    let recalled = (ids[2], MessageEvent::Cancelled { reason: HoldReason::Recalled });
    let others: [Vec<MessageId>; 3] = [vec![ids[1], ids[2]], vec![ids[1], ids[1]], vec![]];
    for (nth, carried) in others.iter().enumerate() {
        let events = if nth == 0 { vec![recalled.clone()] } else { vec![] };
        let applied = world.state.submitting(events, vec![telling(ids[0], carried, 1)]).await.unwrap();
        assert_eq!(applied.stale_events, 1, "{carried:?}");
        assert!(!world.state.is_submitting(ids[0]) && !world.state.is_submitting(ids[1]));
    }
    // What may share nothing, as a sample or a text without another, is nobody's companion.
    let other = remind(&world.state, 1).await;
    let stranger = MessageId::new(TAIYUAN, other.first_message);
    assert!(world.state.companions(stranger, 10, |_| false).is_empty());
    let applied = world.state.submitting(vec![], vec![telling(ids[0], &[stranger], 1)]).await.unwrap();
    assert_eq!(applied.stale_events, 1);
}

#[derive(Clone, Copy, Debug)]
enum Answer {
    Accepted,
    /// The first part that is open is accepted, the others come back.
    Half,
    /// Nothing left.
    Back,
    /// It is with the carrier, and nobody answered in time.
    Lost,
    /// The process ends before the answer: it is with the carrier.
    Cut,
    Refused,
}

#[derive(Clone, Copy, Debug)]
enum Act {
    /// The link takes the first that is ready with those of its companions that the bits name, in so many parts.
    Submit {
        along: u8,
        parts: u8,
        answer: Answer,
    },
    /// The answer comes late.
    Late {
        nth: usize,
    },
    Report {
        nth: usize,
        good: bool,
    },
    Paid {
        nth: usize,
    },
    Wait,
    Hop,
    Checkpoint,
    Crash,
}

fn act() -> impl Strategy<Value = Act> {
    let answer = prop_oneof![
        4 => Just(Answer::Accepted),
        2 => Just(Answer::Half),
        1 => Just(Answer::Back),
        2 => Just(Answer::Lost),
        1 => Just(Answer::Cut),
        1 => Just(Answer::Refused),
    ];
    prop_oneof![
        8 => (any::<u8>(), 1..=2_u8, answer).prop_map(|(along, parts, answer)| Act::Submit { along, parts, answer }),
        2 => (0..6_usize).prop_map(|nth| Act::Late { nth }),
        5 => (0..6_usize, any::<bool>()).prop_map(|(nth, good)| Act::Report { nth, good }),
        1 => (0..4_usize).prop_map(|nth| Act::Paid { nth }),
        1 => Just(Act::Wait),
        3 => Just(Act::Hop),
        1 => Just(Act::Checkpoint),
        1 => Just(Act::Crash),
    ]
}

/// What the carrier has of one message.
#[derive(Debug)]
struct Left {
    bearer: MessageId,
    /// Whom it tells.
    rows: Vec<u32>,
    parts: u8,
    /// Its parts there, with their numbers, and whether we were told.
    there: BTreeMap<u8, (u64, bool)>,
    /// Whether it came; none while nobody knows.
    came: Option<bool>,
}

impl Left {
    fn is_whole(&self) -> bool {
        self.there.len() == usize::from(self.parts)
    }
}

struct Play {
    world: World,
    left: Vec<Left>,
    keys: u64,
    /// Parts of which the carrier told us that it has them.
    known: u64,
}

impl Play {
    fn row(&self, id: MessageId) -> u32 {
        self.world.state.message(id).unwrap().decision.row
    }

    async fn submit(&mut self, along: u8, parts: u8, answer: Answer) {
        let state = self.world.state.clone();
        let Some(bearer) = state.ready(1, 1, |_, _| false).first().copied() else { return };
        let out = state.outgoing(&[bearer]).unwrap().remove(0);
        let chosen = |nth: usize| along >> (nth % 8) & 1 == 1;
        let companions = state.companions(bearer, 8, |_| false).into_iter().enumerate();
        let carried: Vec<MessageId> = companions.filter(|(nth, _)| chosen(*nth)).map(|(_, id)| id).collect();
        if carried.is_empty() {
            state.message_events(vec![(bearer, MessageEvent::Submitting { link: "a".into() })]).await.unwrap();
        } else {
            let applied = state.submitting(vec![], vec![telling(bearer, &carried, parts)]).await.unwrap();
            assert_eq!(applied.stale_events, 0);
        }
        let out = if carried.is_empty() { out } else { state.outgoing(&[bearer]).unwrap().remove(0) };
        // Whoever goes on half sent tells those that it told.
        let known = self.left.iter().rposition(|l| l.bearer == bearer && out.open.len() < usize::from(out.parts));
        let at = known.unwrap_or_else(|| {
            let rows = std::iter::once(bearer).chain(carried).map(|id| self.row(id)).collect();
            self.left.push(Left { bearer, rows, parts: out.parts, there: BTreeMap::new(), came: None });
            self.left.len() - 1
        });
        self.answer(at, &out.open, answer).await;
    }

    async fn answer(&mut self, at: usize, open: &[u8], answer: Answer) {
        let (state, now) = (self.world.state.clone(), self.world.clock.now());
        let bearer = self.left[at].bearer;
        let mut events = Vec::new();
        for (nth, part) in open.iter().copied().enumerate() {
            self.keys += 1;
            let accepted = MessageEvent::accepted(part, &CarrierKey::Number(self.keys));
            let (there, event) = match answer {
                Answer::Accepted => (Some(true), Some(accepted)),
                Answer::Half if nth == 0 => (Some(true), Some(accepted)),
                Answer::Half | Answer::Back => (None, Some(back(part, now, false))),
                Answer::Lost => (Some(false), Some(back(part, now, true))),
                Answer::Cut => (Some(false), None),
                Answer::Refused => (None, Some(MessageEvent::PartRefused { part, code: "result 9".into() })),
            };
            if let Some(known) = there {
                self.known += u64::from(known);
                self.left[at].there.insert(part, (self.keys, known));
            }
            events.extend(event.map(|event| (bearer, event)));
        }
        assert_eq!(state.message_events(events).await.unwrap().stale_events, 0);
        if matches!(answer, Answer::Cut) {
            self.world.crash();
        }
    }

    /// What the carrier had not answered it answers now. Not what went out again meanwhile: a connection has one answer for each.
    async fn late(&mut self, nth: usize) {
        let Some(left) = self.left.get_mut(nth) else { return };
        let mut events = Vec::new();
        for (part, (key, known)) in &mut left.there {
            if !*known {
                *known = true;
                self.known += 1;
                events.push((left.bearer, MessageEvent::late(*part, "a".into(), &CarrierKey::Number(*key))));
            }
        }
        self.world.state.message_events(events).await.unwrap();
    }

    async fn report(&mut self, nth: usize, good: bool) {
        let Some(left) = self.left.get_mut(nth).filter(|l| l.is_whole() && l.came.is_none()) else { return };
        left.came = Some(good);
        for (key, _) in left.there.clone().into_values() {
            report(&self.world.state, key, if good { "DELIVRD" } else { "UNDELIV" }).await;
        }
    }

    async fn hop(&self) {
        let state = &self.world.state;
        let ids: Vec<_> = state.hops_due(self.world.clock.now(), 100, |_| false).into_iter().map(|h| h.id).collect();
        if ids.is_empty() {
            return;
        }
        let mut writer = state.begin_hops(TAIYUAN).await.unwrap();
        writer.follow(waits());
        let mut hops = Vec::new();
        for detail in state.messages_at(&ids).unwrap() {
            let mut next = sharing(detail.decision.clone(), 0);
            let Outcome::Queued(message) = &mut next.outcome else { panic!("it was queued") };
            message.hop += 1;
            if message.hop == HOPS {
                next.outcome = Outcome::Held(HoldReason::NoAddress);
            }
            let unsure = detail.status.may_have_come();
            hops.push(HopDecision { from: detail.id, record: next, counted: false, unsure });
        }
        hops.sort_by_key(|hop| hop.record.row);
        let first = state.run_of(ids[0]).unwrap();
        writer.push_hops(hops).await.unwrap();
        let scope = RunRecord::hop_scope(first.hop_of().unwrap_or(first.id));
        writer.publish(RunRecord { scope, ..record(1) }, vec![], vec![]).await.unwrap();
    }

    /// All that is known of every message, from memory or disk.
    fn picture(&self) -> Vec<(MessageStatus, Option<ToldTogether>)> {
        let all = (0..4).flat_map(|n| self.world.state.messages_of(account(n), 20).unwrap_or_default());
        all.map(|m| (m.status, self.world.state.told_together(m.id).unwrap())).collect()
    }
}

async fn play(acts: Vec<Act>) {
    let world = landlord(4).await;
    let first = publish(&world.state).await;
    let mut play = Play { world, left: Vec::new(), keys: 0, known: 0 };
    let mut paid = Vec::new();
    let end = [Act::Submit { along: 0xff, parts: 1, answer: Answer::Accepted }, Act::Hop, Act::Wait];
    for act in acts.iter().copied().chain(std::iter::repeat_n(end, 12).flatten()) {
        match act {
            Act::Submit { along, parts, answer } => play.submit(along, parts, answer).await,
            Act::Late { nth } => play.late(nth).await,
            Act::Report { nth, good } => play.report(nth, good).await,
            Act::Paid { nth } => {
                let cancel = MessageEvent::Cancelled { reason: HoldReason::Paid };
                let applied = play.world.state.message_events(vec![(first[nth], cancel)]).await.unwrap();
                if applied.stale_events == 0 {
                    paid.push(play.row(first[nth]));
                }
            }
            Act::Wait => play.world.clock.advance(Duration::from_secs(u64::from(WAIT) * 60)),
            Act::Hop => play.hop().await,
            Act::Checkpoint => play.world.state.checkpoint().await.unwrap(),
            Act::Crash => {
                let before = play.picture();
                play.world.crash();
                assert_eq!(play.picture(), before, "what a crash changes");
            }
        }
    }
    judge(&play, &first, &paid);
    // What the carrier has and told us of is counted, once; what it says of a message that is on disk at its end is nobody's to count.
    let days = play.world.state.link_days(today(), today());
    let accepted: u64 = days.iter().map(|(.., counts)| counts.accepted).sum();
    let forgot = acts.iter().any(|act| matches!(act, Act::Checkpoint));
    assert!(accepted == play.known || forgot && accepted < play.known, "{accepted} of {}: {:?}", play.known, play.left);
}

fn judge(play: &Play, first: &[MessageId], paid: &[u32]) {
    let state = &play.world.state;
    for id in first {
        let row = play.row(*id);
        let who = state.message(*id).unwrap().decision.account;
        let messages = state.messages_of(who, 20).unwrap();
        // Without a report the worst is that it came.
        let got = play.left.iter().filter(|l| l.rows.contains(&row) && l.is_whole() && l.came != Some(false)).count();
        let marked = messages.iter().any(|m| m.status.maybe_twice);
        assert!(got < 2 || marked, "{who} was told {got} times, unmarked: {:?}", play.left);
        let tried = messages.len() == usize::from(HOPS) && messages.iter().all(|m| m.status.state.is_final());
        assert!(got > 0 || tried || paid.contains(&row), "{who} was not told: {:?}", play.left);
        let waits = messages.iter().any(|m| matches!(m.status.state, MessageState::Queued | MessageState::Submitting));
        assert!(!waits, "{who} waits for ever: {messages:?}");
    }
}

proptest! {
    #![proptest_config(ProptestConfig { cases: 400, ..ProptestConfig::default() })]

    #[test]
    fn together_or_not_nobody_is_untold_and_nobody_told_twice_unmarked(acts in prop::collection::vec(act(), 0..24)) {
        tokio::runtime::Runtime::new().unwrap().block_on(play(acts));
    }
}
