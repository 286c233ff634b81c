//! Numbers that were taken to another carrier (携号转网): a message goes on to each carrier at most once until one takes it, what that teaches is remembered,
//! nobody's number is marked dead for it, and a segment that seems to be another's is told.

#![expect(clippy::unwrap_used, reason = "a test stops where it fails")]

#[expect(dead_code, reason = "each test takes its part of the world")]
#[path = "forecast/world.rs"]
mod world;

use std::collections::{BTreeMap, BTreeSet};
use std::time::Duration;

use gridbell_channels::{Action, Answer, Inbound, LinkName, Outbox, Outcome as Answered, Report, ReportOutcome, Which};
use gridbell_conductor::*;
use gridbell_model::*;
use gridbell_state::{Carriers, MessageStatus, Outcome, PortedFact, PortedNumber, PortedSaid, PortedSource, RunRecord};
use proptest::prelude::*;
use world::{TAIYUAN, World, first_day};

const REMINDER: &str = "arrears-reminder";
const LINKS: [Carrier; 3] = [Carrier::Mobile, Carrier::Unicom, Carrier::Telecom];

fn link(carrier: Carrier) -> LinkName {
    LinkName::new(carrier.word()).unwrap()
}

/// A message of the run: where it goes, and its carriers' numbers for its parts begin with this.
#[derive(Clone, Copy, Debug)]
struct Sent {
    id: MessageId,
    account: AccountNumber,
    number: u64,
    parts: u8,
    queue: u8,
}

async fn run(world: &World) -> Vec<Sent> {
    for carrier in LINKS {
        world.host.serve_link(&link(carrier), &[Served::Carrier(carrier)]);
    }
    world.clock.advance_to(first_day().at(9, 30).moment());
    let record = world.host.run_policy(RunRequest::by_person(TAIYUAN, REMINDER, "a")).await.unwrap().record;
    messages(world, &record)
}

fn messages(world: &World, record: &RunRecord) -> Vec<Sent> {
    let segments = 0..u32::try_from(record.segments.len()).unwrap();
    let decisions = segments.flat_map(|s| world.host.state().decisions(record.id, s).unwrap());
    let sent = decisions.filter_map(|d| match d.outcome {
        Outcome::Queued(m) => Some(Sent {
            id: MessageId::new(record.prefecture, m.number),
            account: d.account,
            number: m.phone.number(),
            parts: m.parts,
            queue: m.queue,
        }),
        Outcome::Held(_) => None,
    });
    sent.collect()
}

fn key(id: MessageId, part: u8) -> CarrierKey {
    CarrierKey::Number(u64::from(id.number()) * 100 + u64::from(part))
}

/// Everything that waits goes until nothing does; a carrier takes what `theirs` says. How often each carrier was asked for each message.
async fn pump(world: &World, theirs: impl Fn(Carrier, u64) -> bool) -> BTreeMap<(MessageId, Carrier), usize> {
    let outbox = world.host.outbox();
    let mut asked: BTreeMap<(MessageId, Carrier), usize> = BTreeMap::new();
    loop {
        let mut idle = true;
        for carrier in LINKS {
            let name = link(carrier);
            let claimed = outbox.claim(&name, 300, Which::Any).await.unwrap();
            idle &= claimed.is_empty();
            let ids: Vec<MessageId> = claimed.iter().map(|m| m.id).collect();
            let going: BTreeSet<MessageId> = outbox.intend(&name, &ids).await.unwrap().into_iter().collect();
            for message in claimed.iter().filter(|m| going.contains(&m.id)) {
                // With a message those are asked for that it tells as well.
                let told = world.host.state().told_together(message.id).unwrap();
                for id in std::iter::once(message.id).chain(told.into_iter().flat_map(|t| t.carried)) {
                    *asked.entry((id, carrier)).or_default() += 1;
                }
                let number = message.to.phone().unwrap().number();
                let outcome = |part| match theirs(carrier, number) {
                    true => Answered::Accepted { key: key(message.id, part) },
                    false => Answered::Refused { code: 101, action: Action::OtherCarrier },
                };
                let parts = (1..=gridbell_channels::MAX_PARTS).filter(|p| message.open.contains(*p));
                // Each part's answer by itself: a long message goes on only when the last is there.
                for part in parts {
                    let answer = Answer { message: message.id, part, outcome: outcome(part) };
                    outbox.answered(&name, &[answer]).await.unwrap();
                }
            }
        }
        if idle {
            return asked;
        }
    }
}

fn known(world: &World, number: u64) -> Option<PortedNumber> {
    world.host.state().ported().get(number)
}

fn status(world: &World, id: MessageId) -> MessageStatus {
    world.host.state().message_status(id).unwrap().unwrap()
}

async fn say(world: &World, number: u64, said: PortedSaid) {
    world.host.state().say_carriers(vec![PortedFact { number, said }], vec![]).await.unwrap();
}

fn own(number: u64) -> Carrier {
    [(138, Carrier::Mobile), (131, Carrier::Unicom), (133, Carrier::Telecom), (192, Carrier::Broadnet)]
        .into_iter()
        .find_map(|(segment, carrier)| (number / 100_000_000 == segment).then_some(carrier))
        .unwrap()
}

#[tokio::test]
async fn each_carrier_is_asked_once_and_who_takes_it_is_remembered_until_it_refuses() {
    let world = World::new().await;
    let sent = run(&world).await;
    let by = |segment: u64| sent.iter().filter(move |m| m.number / 100_000_000 == segment).copied();
    // Some of Mobile's were taken to Telecom, one to nobody.
    // Of a number of its own each.
    let single = |m: &Sent| world.host.state().by_phone(m.number, 2).len() == 1;
    let moved: Vec<Sent> = by(138).filter(single).take(4).collect();
    let (nobodys, rest) = (moved[3], &moved[..3]);
    let is_nobodys = |number| number == nobodys.number;
    let theirs = |carrier: Carrier, number: u64| {
        let ported = rest.iter().any(|m| m.number == number);
        !is_nobodys(number) && carrier == if ported { Carrier::Telecom } else { own(number) }
    };
    let asked = pump(&world, theirs).await;
    for message in &sent {
        let status = status(&world, message.id);
        let times = |carrier| asked.get(&(message.id, carrier)).copied().unwrap_or(0);
        let all = LINKS.map(times);
        if is_nobodys(message.number) {
            assert_eq!((status.state, status.code.as_str()), (MessageState::Failed, "result 101"));
            assert_eq!((all, known(&world, message.number)), ([1, 1, 1], None), "nothing is worth knowing of it");
        } else if rest.iter().any(|m| m.number == message.number) {
            assert_eq!((status.state, status.link.as_str()), (MessageState::Submitted, "telecom"));
            assert!(times(Carrier::Telecom) == 1 && !status.maybe_twice, "{status:?}");
            let known = known(&world, message.number).unwrap();
            assert_eq!((known.carrier, known.source), (Some(Carrier::Telecom), PortedSource::Learned));
            assert_eq!(known.on, Some(first_day()));
        } else {
            assert_eq!((status.state, all.iter().sum::<usize>()), (MessageState::Submitted, 1));
            assert_eq!(known(&world, message.number), None);
        }
        let (_, view) = world.host.state().customer(message.account).unwrap();
        assert_eq!(view.phone.class(), PhoneClass::Mobile, "no number is marked dead");
    }
    // The next message to it goes where it was taken; refused there too, it is asked at home, and nothing is left of what was learned.
    let asks = rest[0];
    let (from, to, text) = (Phone::from_text(&asks.number.to_string()), "95598".to_owned(), "余额".to_owned());
    let inbound = Inbound { key: CarrierKey::Number(1), from, to, text, exact: true };
    world.host.outbox().inbound(&link(Carrier::Telecom), &[inbound]).await.unwrap();
    world.clock.advance(Duration::from_millis(GATHER_ANSWERS_MS.unsigned_abs()));
    assert_eq!(world.host.serve_answers().await, 1);
    let answers = world.host.state().runs(None, 1, RunRecord::is_answers).remove(0);
    let back = messages(&world, &answers)[0];
    assert_eq!((back.number, back.queue), (asks.number, Carrier::Telecom as u8));
    let asked = pump(&world, |carrier, number| carrier == own(number)).await;
    assert_eq!(LINKS.map(|c| asked.get(&(back.id, c)).copied().unwrap_or(0)), [1, 0, 1]);
    assert_eq!((status(&world, back.id).link, known(&world, back.number)), ("mobile".to_owned(), None));
}

#[tokio::test]
async fn a_file_says_where_to_go_and_a_carrier_without_a_link_leaves_it_to_the_segments_own() {
    let world = World::new().await;
    for n in 0..900_u64 {
        let number = 13_800_000_000 + n;
        let carrier = if n.is_multiple_of(2) { Carrier::Unicom } else { Carrier::Broadnet };
        say(&world, number, PortedSaid::Listed(carrier, None)).await;
    }
    let sent = run(&world).await;
    let mobile: Vec<&Sent> = sent.iter().filter(|m| m.number / 100_000_000 == 138).collect();
    assert!(mobile.len() > 20);
    for message in mobile {
        let expected = if message.number.is_multiple_of(2) { Carrier::Unicom } else { Carrier::Mobile };
        assert_eq!(message.queue, expected as u8, "{}", message.number % 1_000);
    }
    assert!(sent.iter().all(|m| m.number / 100_000_000 != 192), "no link takes Broadnet's");
    // Unicom knows nothing of them: newer than the file.
    pump(&world, |carrier, number| carrier == own(number)).await;
    assert!(sent.iter().all(|m| status(&world, m.id).state == MessageState::Submitted));
    let told = sent.iter().filter(|m| m.queue != own(m.number) as u8);
    assert!(told.map(|m| known(&world, m.number)).all(|k| k.is_none()), "they are their segment's");
}

#[tokio::test]
async fn a_report_sends_a_message_on_as_a_refusal_does() {
    let world = World::new().await;
    let sent = run(&world).await;
    pump(&world, |carrier, number| carrier == own(number)).await;
    let message = *sent.iter().find(|m| own(m.number) == Carrier::Unicom).unwrap();
    let never = CivilMinute::NONE;
    let report = |outcome, stat: &str, part| Report {
        key: key(message.id, part),
        phone: Phone::NONE,
        stat: stat.to_owned(),
        outcome,
        submitted: never,
        done: never,
    };
    let elsewhere: Vec<Report> =
        (1..=message.parts).map(|part| report(ReportOutcome::OtherCarrier, "error 36", part)).collect();
    for _ in 0..2 {
        // The second time as after a break: it says nothing new.
        world.host.outbox().reported(&link(Carrier::Unicom), &elsewhere).await.unwrap();
        let status = status(&world, message.id);
        assert_eq!((status.state, status.code.as_str()), (MessageState::Queued, "error 36"));
    }
    let asked = pump(&world, |carrier, _| carrier == Carrier::Telecom).await;
    assert_eq!(LINKS.map(|c| asked.get(&(message.id, c)).copied().unwrap_or(0)), [1, 0, 1], "Unicom said no already");
    for part in 1..=message.parts {
        let came = report(ReportOutcome::Delivered, "DELIVRD", part);
        world.host.outbox().reported(&link(Carrier::Telecom), &[came]).await.unwrap();
    }
    assert_eq!(status(&world, message.id).state, MessageState::Delivered);
    let known = known(&world, message.number).unwrap();
    assert_eq!((known.carrier, known.source), (Some(Carrier::Telecom), PortedSource::Learned));
    let day = world.host.state().stats(first_day(), first_day());
    let submitted: u64 = day.iter().map(|(_, c)| c.submitted).sum();
    assert_eq!(submitted, sent.len() as u64, "it is one message");
}

#[tokio::test]
async fn a_segment_that_seems_to_be_another_carriers_is_told_and_one_with_some_ported_numbers_is_not() {
    let world = World::new().await;
    let sent = run(&world).await;
    let of = |carrier| sent.iter().filter(|m| own(m.number) == carrier).map(|m| m.number).collect::<BTreeSet<u64>>();
    let (mobile, unicom) = (of(Carrier::Mobile), of(Carrier::Unicom));
    assert!(mobile.len() > SEGMENT_NUMBERS && unicom.len() > SEGMENT_NUMBERS + 8, "{} {}", mobile.len(), unicom.len());
    // All of 1380 are Telecom's; of 1310 there are as many, beside those that stayed.
    let some: BTreeSet<u64> = unicom.iter().copied().take(SEGMENT_NUMBERS).collect();
    pump(&world, |carrier, number| {
        let moved = mobile.contains(&number) || some.contains(&number);
        carrier == if moved { Carrier::Telecom } else { own(number) }
    })
    .await;
    world.host.doubt_segments();
    let told = || -> Vec<(String, String)> {
        let alarms = world.host.alarms();
        alarms.into_iter().filter(|a| a.code == "segments.mistaken").map(|a| (a.subject, a.text)).collect()
    };
    let found = told();
    assert_eq!(found.len(), 1, "{found:?}");
    assert!(
        found[0].0 == "1380" && found[0].1.contains("中国电信") && found[0].1.contains("segments.toml"),
        "{found:?}"
    );
    assert_eq!(world.host.settings().unwrap().segments.carrier_of(13_800_000_000), Some(Carrier::Mobile));
    // Somebody corrects the table.
    let text = world.host.settings().unwrap().segments_text.replace("1349, # satellite", "1349, 1380,");
    world.host.apply_segments("segments.toml", &text, "li").await.unwrap();
    world.host.doubt_segments();
    assert!(told().is_empty());
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(8))]
    /// Whoever has the numbers, and whatever was said of them before: no message is lost, none is asked of a carrier twice, one that a carrier has goes
    /// there, and one that nobody has fails. What is known afterwards is true.
    #[test]
    fn every_message_finds_its_carrier(seed in any::<u64>(), lies in prop::collection::vec((0usize..4, 0usize..3), 0..200)) {
        let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build().unwrap();
        runtime.block_on(async {
            let world = World::new().await;
            for (n, (listed, how)) in (0u64..).zip(&lies) {
                let carrier = Carrier::ALL[*listed];
                let said = match how {
                    0 => PortedSaid::Listed(carrier, None),
                    1 => PortedSaid::Learned(carrier, first_day()),
                    _ => PortedSaid::Not(Carriers::of([carrier]), first_day()),
                };
                for segment in [138, 131, 133] {
                    say(&world, segment * 100_000_000 + n * 4 + (segment == 131) as u64 + 2 * (segment == 133) as u64, said).await;
                }
            }
            // One in three is its segment's, the others are anybody's, some of them of one without a link.
            let whose = |number: u64| {
                let drawn = (number ^ seed).wrapping_mul(0x9e37_79b9_7f4a_7c15) >> 40;
                if drawn.is_multiple_of(3) { own(number) } else { Carrier::ALL[(drawn % 4) as usize] }
            };
            let before = world.host.state().ported();
            let sent = run(&world).await;
            let asked = pump(&world, |carrier, number| carrier == whose(number)).await;
            for ((id, carrier), times) in asked {
                assert_eq!(times, 1, "{id} was asked of {carrier} twice");
            }
            for message in &sent {
                let (status, whose) = (status(&world, message.id), whose(message.number));
                let known = known(&world, message.number);
                if LINKS.contains(&whose) {
                    assert_eq!((status.state, status.link.as_str()), (MessageState::Submitted, whose.word()));
                    let listed = known.filter(|k| k.source == PortedSource::File);
                    match listed {
                        // A file stands where nothing that has a link speaks against it.
                        Some(listed) => assert_eq!(before.get(message.number), Some(listed)),
                        None => {
                            let moved = known.and_then(|k| k.carrier);
                            assert_eq!(moved, (whose != own(message.number)).then_some(whose));
                        }
                    }
                } else {
                    assert_eq!(status.state, MessageState::Failed);
                }
                assert!(!status.maybe_twice && status.attempts == 0);
            }
        });
    }
}

#[tokio::test]
async fn a_number_that_a_report_calls_dead_is_marked_though_its_answer_comes_in_at_the_same_moment() {
    let world = World::new().await;
    let sent = run(&world).await;
    let mobile = link(Carrier::Mobile);
    let queue = Served::Carrier(Carrier::Mobile).queue();
    let ours: Vec<&Sent> = sent.iter().filter(|s| s.queue == queue).take(20).collect();
    assert!(!ours.is_empty());
    let outbox = world.host.outbox();
    outbox.claim(&mobile, 100_000, Which::Any).await.unwrap();
    outbox.intend(&mobile, &ours.iter().map(|s| s.id).collect::<Vec<_>>()).await.unwrap();
    for sent in ours {
        let key = CarrierKey::Number(u64::from(sent.id.number()) * 8);
        let accepted = Answered::Accepted { key: key.clone() };
        let answer = [Answer { message: sent.id, part: 1, outcome: accepted }];
        let report = [Report {
            key,
            phone: Phone::NONE,
            stat: "MK:0001".into(),
            outcome: ReportOutcome::BadNumber,
            submitted: CivilMinute::NONE,
            done: CivilMinute::NONE,
        }];
        let (answered, reported) = tokio::join!(outbox.answered(&mobile, &answer), outbox.reported(&mobile, &report));
        answered.unwrap();
        reported.unwrap();
        let (_, view) = world.host.state().customer(sent.account).unwrap();
        assert_eq!(view.phone.class(), PhoneClass::Bad, "{}", sent.id);
    }
}
