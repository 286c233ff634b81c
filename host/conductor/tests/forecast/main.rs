//! What a preview says is what the host does: a real host lives through the days that were previewed, and both are compared message by message.

#![expect(clippy::unwrap_used, reason = "a test stops where it fails")]

mod world;

use std::collections::{BTreeMap, BTreeSet};
use std::task::Poll;

use gridbell_clock::Clock;
use gridbell_conductor::*;
use gridbell_model::{AccountNumber, Channel, CivilMinute, HoldReason, OrgCode};
use gridbell_planner::RunScope;
use world::{CUSTOMERS, POLICIES, Sent, TAIYUAN, World, account, candidate, first_day};

const REMINDER: &str = "arrears-reminder";
/// Over the last working days of September and most of the long holiday.
const DAYS: u8 = 13;

fn ask(policy: &str, days: Option<u8>) -> PreviewRequest {
    PreviewRequest {
        prefecture: TAIYUAN,
        policy: policy.to_owned(),
        candidate: Candidate::default(),
        at: None,
        days,
        scope: RunScope::default(),
        office: "太原".to_owned(),
    }
}

fn candidate_of(days: Option<u8>) -> PreviewRequest {
    let candidate = Candidate { policy: Some(candidate()), ..Candidate::default() };
    PreviewRequest { candidate, ..ask(REMINDER, days) }
}

/// Held decisions of all runs by reason.
fn held(world: &World, policy: &str) -> BTreeMap<HoldReason, u64> {
    let mut all = BTreeMap::new();
    for run in world.runs(policy) {
        for (why, n) in &run.held {
            *all.entry(*why).or_default() += n;
        }
    }
    all
}

fn counts(preview: &PolicyPreview) -> BTreeMap<(OrgCode, gridbell_model::Date, Channel), (u64, u64, u64)> {
    let each = preview.counts.iter().filter(|c| c.messages > 0);
    each.map(|c| ((c.county, c.day, c.channel), (c.messages, c.parts, c.cost_milli_fen))).collect()
}

fn assert_lived(world: &World, preview: &PolicyPreview) {
    let policy = &preview.policy;
    let runs = world.runs(policy);
    let lived: Vec<_> =
        runs.iter().map(|r| (r.now, r.schedule.as_str(), r.decided, r.queued, r.parts, r.cost_milli_fen)).collect();
    let seen: Vec<_> = preview
        .runs
        .iter()
        .map(|r| (r.at, r.schedule.as_str(), r.decided, r.messages, r.parts, r.cost_milli_fen))
        .collect();
    assert_eq!(seen, lived, "{policy}");
    assert_eq!(preview.totals.held, held(world, policy), "{policy}");
    assert_eq!(counts(preview), world.counted(policy), "{policy}");
    let sent = world.sent(policy);
    let reached: BTreeSet<AccountNumber> = sent.iter().map(|(_, _, s)| s.0).collect();
    assert_eq!(preview.totals.customers, reached.len() as u64);
    for sample in &preview.samples {
        let same = |(run, _, s): &&(CivilMinute, u64, Sent)| {
            (s.0, s.2, *run, s.3) == (sample.account, sample.step, sample.decided_at, sample.send_after)
        };
        let (_, _, message) = sent.iter().find(same).unwrap();
        assert_eq!((&message.6, message.5), (&sample.text, sample.parts));
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn a_month_ahead_is_what_the_host_then_does() {
    let world = World::new().await;
    let before = world.host.state().seq();
    let reminder = world.host.preview_policy(ask(REMINDER, Some(DAYS))).await.unwrap();
    let warning = world.host.preview_policy(ask("balance-warning", Some(DAYS))).await.unwrap();
    assert_eq!(world.host.state().seq(), before, "nothing is written");
    assert!(world.runs(REMINDER).is_empty() && world.host.state().waiting_parts().is_empty());
    assert!(reminder.difference.is_none(), "the live policy is not compared with itself");

    world.live(i32::from(DAYS)).await;
    assert_lived(&world, &reminder);
    assert_lived(&world, &warning);
    // The days were worth living through: every schedule, several steps, caps, windows and old figures had their say.
    assert!(reminder.runs.len() > 20 && reminder.totals.messages > 300, "{:?}", reminder.totals);
    for why in [HoldReason::PhoneCap, HoldReason::StaleFacts, HoldReason::DoNotRemind, HoldReason::NoWindow] {
        assert!(reminder.totals.held.contains_key(&why), "{why} in {:?}", reminder.totals.held);
    }
    let kinds: BTreeSet<(&str, u8)> = reminder.samples.iter().map(|s| (s.notice.as_str(), s.step)).collect();
    assert!(reminder.samples.len() == MAX_PREVIEW_SAMPLES && kinds.len() > 5, "{kinds:?}");
    assert!(warning.totals.messages > 50);
}

#[tokio::test(flavor = "multi_thread")]
async fn one_accounts_future_is_what_then_comes() {
    // Numbers that serve several accounts are counted over all of them, which one account's future cannot know: no cap for each number here.
    let world = World::with(&POLICIES.replace(", per_phone = 1", "")).await;
    let mut foreseen = Vec::new();
    let mut silent = 0;
    for n in 0..CUSTOMERS {
        for policy in [REMINDER, "balance-warning"] {
            let request = ForeseeRequest {
                prefecture: TAIYUAN,
                policy: policy.to_owned(),
                candidate: Candidate::default(),
                account: account(n),
                at: None,
                days: DAYS,
            };
            let foresight = world.host.foresee(request).await.unwrap();
            silent += usize::from(foresight.messages.is_empty() && foresight.silences.len() == 1);
            assert!(foresight.silences.iter().all(|s| !s.reason.is_empty() && s.from <= s.to));
            foreseen.extend(foresight.messages.into_iter().map(|m| {
                (m.decided_at, (account(n), policy.to_owned(), m.step, m.send_after, m.channel, m.parts, m.text))
            }));
        }
    }
    assert!(silent > 100, "most are silent for one reason: {silent}");
    world.live(i32::from(DAYS)).await;
    let lived = [REMINDER, "balance-warning"].iter().flat_map(|p| world.sent(p));
    let mut lived: Vec<_> = lived.map(|(run, _, sent)| (run, sent)).collect();
    lived.sort();
    foreseen.sort();
    assert!(lived.len() > 400);
    assert_eq!(foreseen, lived);
}

#[tokio::test(flavor = "multi_thread")]
async fn the_difference_is_that_of_two_hosts() {
    let (live, other) = (World::new().await, World::new().await);
    let preview = live.host.preview_policy(candidate_of(Some(DAYS))).await.unwrap();
    let text = serde_json::to_value(candidate()).unwrap();
    let parameters = text["parameters"].as_object().unwrap().clone();
    let changed = POLICIES.replace("days = \"working\"", "days = \"all\"");
    other.host.apply_policies("changed", &changed, None, "b", false).await.unwrap();
    other.host.set_parameters(TAIYUAN, REMINDER, parameters, None, "b", false).await.unwrap();
    live.live(i32::from(DAYS)).await;
    other.live(i32::from(DAYS)).await;
    assert_lived(&other, &preview);
    // Nobody gets the same step of the same bill twice, so account and step are the message.
    let by_step = |world: &World| -> BTreeMap<(AccountNumber, u64, u8), (CivilMinute, Channel)> {
        world.sent(REMINDER).into_iter().map(|(_, key, s)| ((s.0, key, s.2), (s.3, s.4))).collect()
    };
    let (before, after) = (by_step(&live), by_step(&other));
    let added: BTreeSet<_> = after.keys().filter(|k| !before.contains_key(k)).collect();
    let dropped: BTreeSet<_> = before.keys().filter(|k| !after.contains_key(k)).collect();
    let moved: BTreeSet<_> = after
        .iter()
        .filter(|(k, (at, _))| before.get(k).is_some_and(|b| b.0.date() != at.date()))
        .map(|(k, _)| k)
        .collect();
    let who = |world: &BTreeMap<(AccountNumber, u64, u8), _>| world.keys().map(|k| k.0).collect::<BTreeSet<_>>();
    let difference = preview.difference.as_ref().unwrap();
    assert_eq!(
        (difference.added, difference.dropped, difference.moved_day, difference.moved_channel),
        (added.len() as u64, dropped.len() as u64, moved.len() as u64, 0)
    );
    assert_eq!(difference.same, (after.len() - added.len() - moved.len()) as u64);
    let (old, new) = (who(&before), who(&after));
    assert_eq!(difference.customers_added, new.difference(&old).count() as u64);
    assert_eq!(difference.customers_dropped, old.difference(&new).count() as u64);
    assert!(difference.added > 0 && difference.dropped > 0 && difference.moved > 0, "{difference:?}");
    let key = |s: &PreviewSample| (s.account, 202_608, s.step);
    assert!(difference.added_samples.iter().all(|s| added.contains(&key(s))));
    assert!(difference.dropped_samples.iter().all(|s| dropped.contains(&key(s))));
    assert!(difference.moved_samples.iter().all(|m| moved.contains(&key(&m.to)) && key(&m.from) == key(&m.to)));
    assert_eq!(difference.moved_samples.len(), MAX_PREVIEW_SAMPLES.min(moved.len()));
    let live_messages: u64 = preview.counts.iter().map(|c| c.live_messages).sum();
    assert_eq!(
        (live_messages, preview.live_totals.as_ref().unwrap().messages),
        (before.len() as u64, before.len() as u64)
    );
}

#[tokio::test(flavor = "multi_thread")]
async fn a_moment_is_a_dry_run_and_no_phone_number_leaves() {
    let world = World::new().await;
    let at = first_day().at(8, 30);
    world.clock.advance_to(at.moment());
    let preview = world.host.preview_policy(ask(REMINDER, None)).await.unwrap();
    let order = RunRequest { dry_run: true, ..RunRequest::by_person(TAIYUAN, REMINDER, "li") };
    let dry = world.host.run_policy(order).await.unwrap();
    assert_eq!(preview.runs.len(), 1);
    assert_eq!((preview.from, preview.until, preview.totals.decided), (at, at, dry.record.decided));
    assert_eq!((preview.totals.messages, preview.totals.parts), (dry.record.queued, dry.record.parts));
    assert_eq!(preview.totals.held, dry.record.held);
    for sample in &preview.samples {
        let row = dry.preview.iter().find(|r| r.account == sample.account).unwrap();
        assert_eq!((row.text.as_ref(), row.send_after), (Some(&sample.text), Some(sample.send_after)));
    }
    // Numbers are eleven digits and begin with these; nothing in the answer does, and no name is in it.
    let json = serde_json::to_string(&candidate_answer(&world).await).unwrap();
    let digits: Vec<&str> = json.split(|c: char| !c.is_ascii_digit()).filter(|d| d.len() == 11).collect();
    assert!(digits.is_empty(), "{digits:?}");
    assert!(!json.contains("客户1"), "a name");
    assert!(json.contains("no payments, new bills or drift"));
}

async fn candidate_answer(world: &World) -> PolicyPreview {
    world.host.preview_policy(candidate_of(Some(3))).await.unwrap()
}

/// A policy that runs so often that its preview takes a while.
fn busy() -> PreviewRequest {
    let mut policy = candidate();
    policy.schedules[0].cron = "0,30 * * * *".parse().unwrap();
    policy.schedules.truncate(1);
    let candidate = Candidate { policy: Some(policy), ..Candidate::default() };
    PreviewRequest { candidate, ..ask(REMINDER, Some(31)) }
}

#[tokio::test(flavor = "multi_thread")]
async fn an_office_has_one_preview_at_a_time_and_may_end_it() {
    // A clock that goes, so that previews run beside whoever asked.
    let world = World::on(Clock::starting_at(first_day().at(0, 30).moment()), POLICIES).await;
    let host = &world.host;
    #[expect(clippy::async_yields_async, reason = "it goes on while others ask")]
    let begin = async |office: &str| {
        let mut preview = Box::pin(host.preview_policy(PreviewRequest { office: office.to_owned(), ..busy() }));
        let pending = std::future::poll_fn(|cx| Poll::Ready(preview.as_mut().poll(cx).is_pending())).await;
        assert!(pending, "it takes longer than being asked for");
        preview
    };
    let first = begin("太原").await;
    let second = host.preview_policy(ask(REMINDER, None)).await;
    assert!(matches!(&second, Err(HostError::Busy(why)) if why.contains("预览")), "{second:?}");
    assert!(host.preview_progress(TAIYUAN, "太原").is_some());
    assert!(host.cancel_preview(TAIYUAN, "太原"));
    let another = begin("小店").await;
    assert!(host.cancel_preview(TAIYUAN, "小店"), "another office has its own");
    assert!(matches!(first.await, Err(HostError::Stopped)));
    assert!(matches!(another.await, Err(HostError::Stopped)));
    assert!(!host.cancel_preview(TAIYUAN, "太原"), "there is none any more");

    // Nobody waits any more: it ends by itself, and its place is free.
    drop(begin("太原").await);
    while host.preview_progress(TAIYUAN, "太原").is_some() {
        tokio::task::yield_now().await;
    }
    assert!(host.preview_policy(ask(REMINDER, None)).await.is_ok());
}

#[tokio::test(flavor = "multi_thread")]
async fn bounds_and_mistakes_are_told() {
    let world = World::new().await;
    let refused = async |request: PreviewRequest| world.host.preview_policy(request).await.unwrap_err().to_string();
    for days in [0, 32] {
        assert!(refused(ask(REMINDER, Some(days))).await.contains("1 to 31 days"));
    }
    let mut policy = candidate();
    policy.schedules[0].cron = "* * * * *".parse().unwrap();
    let with = |candidate| PreviewRequest { candidate, ..ask(REMINDER, Some(31)) };
    let often = refused(with(Candidate { policy: Some(policy), ..Candidate::default() })).await;
    assert!(often.contains("preview fewer days"), "{often}");
    let parameters = serde_json::json!({ "steps": "soon" }).as_object().cloned();
    let bad = refused(with(Candidate { parameters, ..Candidate::default() })).await;
    assert!(bad.contains("parameters/steps"), "{bad}");
    let plugin = |word: &str| Some(PluginChoice::Uploaded(word.to_owned()));
    let none = refused(with(Candidate { plugin: plugin("arrears-reminder@9.9.9"), ..Candidate::default() })).await;
    assert!(none.contains("arrears-reminder"), "{none}");
    let none = refused(with(Candidate { plugin: plugin("00ff"), ..Candidate::default() })).await;
    assert!(none.contains("name@version"), "{none}");
    let wrong = refused(with(Candidate { plugin: plugin("bill-notice@0.1.0"), ..Candidate::default() })).await;
    assert!(wrong.contains("bill-notice"), "{wrong}");
    let nobody = refused(ask("no-such", None)).await;
    assert!(nobody.contains("no-such"), "{nobody}");
    assert_eq!(world.host.alarms().len(), 0, "a preview raises no alarm");
}

#[tokio::test(flavor = "multi_thread")]
async fn a_version_that_was_uploaded_is_found_by_name_and_by_digest() {
    let world = World::new().await;
    let info = world.host.plugins().into_iter().find(|p| p.name == REMINDER).unwrap();
    for word in [format!("{}@{}", info.name, info.version), info.digest.clone()] {
        let candidate = Candidate { plugin: Some(PluginChoice::Uploaded(word)), ..Candidate::default() };
        let preview = world.host.preview_policy(PreviewRequest { candidate, ..ask(REMINDER, Some(5)) }).await.unwrap();
        let difference = preview.difference.unwrap();
        assert_eq!((difference.added, difference.dropped, difference.moved), (0, 0, 0), "it is the live plugin");
        assert_eq!((difference.same, preview.plugin.digest), (preview.totals.messages, info.digest.clone()));
    }
}
