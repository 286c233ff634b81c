//! Corrections: everybody who may have the wrong message is told what is right, once, on the channel on which it went, and nobody else.

#![expect(clippy::unwrap_used, reason = "a test stops where it fails")]

mod stand;
#[expect(dead_code, reason = "each test takes its part of the world")]
#[path = "../forecast/world.rs"]
mod world;

use std::collections::{BTreeMap, BTreeSet};
use std::time::Duration;

use gridbell_channels::{Action, Outcome as Answered};
use gridbell_conductor::Decision as Decides;
use gridbell_conductor::*;
use gridbell_model::*;
use gridbell_state::{BalanceFact, BillFact, CustomerChange, Facts, Outcome, RunRecord};
use stand::*;
use world::{TAIYUAN, first_day};

#[tokio::test]
async fn whoever_may_have_it_is_told_on_its_channel_once_and_what_has_not_left_is_taken_back() {
    let (world, run) = world().await;
    let all = messages(&world, &run);
    let by_wechat: Vec<MessageId> =
        all.iter().filter(|(.., m)| m.channel == Channel::Wechat).map(|(id, ..)| *id).collect();
    // Of WeChat's the first two are refused and go on by SMS; of the third nothing is heard and it goes on as well, then its report comes late.
    let refused = |id| match by_wechat.iter().position(|w| *w == id) {
        Some(0 | 1) => Answered::Declined { code: "43101".into(), action: Action::NextChannel },
        _ => accepted(id),
    };
    send(&world, &wechat(), usize::MAX, refused).await;
    for id in &by_wechat[3..] {
        report(&world, &wechat(), *id, "DELIVRD").await;
    }
    world.clock.advance(Duration::from_secs(31 * 60));
    assert_eq!(world.host.serve_hops().await, 3);
    let [sms] = carriers();
    let sent = send(&world, &sms, 20, accepted).await;
    assert_eq!(sent.len(), 20);
    report(&world, &sms, sent[0], "DELIVRD").await;
    report(&world, &sms, sent[1], "UNDELIV").await;
    let hops = world.host.state().runs(None, 9, RunRecord::is_hops);
    let followed: BTreeSet<AccountNumber> = messages(&world, &hops[0]).into_iter().map(|(_, a, _)| a).collect();

    let would = world.host.preview_correction(&order(run.id, PLAIN)).await.unwrap();
    let waiting = world.host.state().count_live(|m| m.state == MessageState::Queued);
    assert!(would.waiting == waiting && waiting > 10, "{waiting}");
    assert!(would.counts.told[&Channel::Wechat] > 10 && would.first.iter().all(|r| r.text.is_some()));
    assert_eq!(world.host.state().count_live(|m| m.state == MessageState::Queued), waiting, "it changed nothing");

    let correction = world.host.propose_correction(&order(run.id, PLAIN)).await.unwrap();
    assert_eq!((correction.recalled, correction.counts.clone()), (waiting, would.counts.clone()));
    assert_eq!(
        world.host.state().count_live(|m| m.state == MessageState::Queued),
        0,
        "what has not left is taken back"
    );
    assert_eq!(world.host.serve_corrections().await, 0, "nobody agreed yet");
    let listed = list(&world, &correction).await;
    let accounts: BTreeSet<AccountNumber> = listed.iter().map(|r| r.recipient.account).collect();
    assert_eq!(accounts.len(), listed.len(), "each once");
    // Exactly those of whom some message may have come.
    let mut may: BTreeSet<AccountNumber> = BTreeSet::new();
    for (id, account, _) in all.iter().chain(&messages(&world, &hops[0])) {
        if detail(&world, *id).status.may_have_come() {
            may.insert(*account);
        }
    }
    assert_eq!(accounts, may);
    let failed = detail(&world, sent[1]).decision.account;
    assert!(!accounts.contains(&failed), "what certainly failed is not corrected");

    let own = world.host.decide_proposal(correction.id, Decides::Approve, "", &decider("wang/night")).await;
    assert!(matches!(own, Err(HostError::OwnWork { .. })), "{own:?}");
    // Since it was proposed one more failed, and the third of WeChat's came.
    report(&world, &sms, sent[2], "EXPIRED").await;
    report(&world, &wechat(), by_wechat[2], "DELIVRD").await;
    let changed = world.host.correction_change(&correction).await.unwrap();
    assert_eq!((changed.never_came, changed.not_listed), (1, 0));
    world.host.decide_proposal(correction.id, Decides::Approve, "对", &decider("li")).await.unwrap();
    assert_eq!(world.host.serve_corrections().await, 1);
    world.clock.advance(Duration::from_secs(60));
    assert_eq!(world.host.serve_corrections().await, 0, "once");

    let done = world.host.correction(correction.id).unwrap();
    assert_eq!(done.state(world.clock.now()), CorrectionState::Published);
    let told_by = runs(&world).pop().unwrap();
    assert_eq!((told_by.topic, told_by.correction()), (Topic::Correction, Some(correction.id)));
    assert_eq!(told_by.held, BTreeMap::from([(HoldReason::NeverCame, 1)]));
    let told = messages(&world, &told_by);
    assert_eq!(told.len() + 1, listed.len());
    let wrong: BTreeMap<AccountNumber, &RecipientSeen> = listed.iter().map(|r| (r.recipient.account, r)).collect();
    for (id, account, message) in &told {
        let recipient = &wrong[account].recipient;
        let corrected = detail(&world, recipient.message);
        let Outcome::Queued(before) = &corrected.decision.outcome else { panic!("it was a message") };
        assert_eq!((message.channel, message.phone.number()), (before.channel, before.phone.number()));
        assert_eq!(told_by.corrects(&detail(&world, *id).decision), Some(recipient.message));
        let is_sms = message.channel == Channel::Sms;
        assert!(message.text.contains('歉') && message.text.starts_with('【') == is_sms, "{}", message.text);
        assert!(!message.text.contains("退订") && !message.text.contains("TD"), "{}", message.text);
    }
    // Told on two channels: the one that may have come last.
    let both: Vec<_> = told.iter().filter(|(_, a, _)| followed.contains(a)).collect();
    assert!(!both.is_empty());
    let after = list(&world, &done).await;
    assert_eq!(
        after.iter().map(|r| r.recipient).collect::<Vec<_>>(),
        listed.iter().map(|r| r.recipient).collect::<Vec<_>>()
    );
    assert!(after.iter().all(|r| r.correction.is_some() != (r.held == Some(HoldReason::NeverCame))));

    // Again tells nobody: not whoever was told, not whoever never had it.
    let again = world.host.propose_correction(&order(run.id, PLAIN)).await.unwrap_err().to_string();
    assert!(again.contains("already-said") && again.contains("nobody to tell"), "{again}");
    // A correction is one of the customer's messages, and no occurrence of the policy.
    let (_, account, _) = &told[0];
    assert_eq!(world.host.state().messages_of(*account, 5).unwrap()[0].run, told_by.id);
    assert!(!told_by.is_occurrence());
    let why = world.host.replay(told_by.id, std::sync::Arc::new(|_| ()), &Default::default()).await.unwrap_err();
    assert!(why.to_string().contains("correction"), "{why}");
}

/// Whatever became of each message by lot: told is whoever has one that came, or of which nobody knows that it did not.
#[tokio::test]
async fn whoever_may_have_it_is_on_the_list_whatever_became_of_the_messages() {
    for seed in 0..3_u64 {
        let (world, run) = world().await;
        let lot = |id: MessageId, what: u64| gridbell_clock::Seed(seed).child(&format!("{id}/{what}")).0;
        let mut may: BTreeSet<AccountNumber> = BTreeSet::new();
        for link in [wechat(), carriers()[0].clone()] {
            let fate = |id: MessageId| match lot(id, 1) % 5 {
                0 => Answered::Declined { code: "9".into(), action: Action::GiveUp },
                1 => Answered::Unanswered { again: false },
                2 => Answered::Unanswered { again: true },
                _ => accepted(id),
            };
            for (id, accounts) in send_told(&world, &link, 60, fate).await {
                match (lot(id, 1) % 5, lot(id, 2) % 3) {
                    (0, _) => {}
                    (3.., 0) => report(&world, &link, id, "UNDELIV").await,
                    (3.., 1) => {
                        report(&world, &link, id, "DELIVRD").await;
                        may.extend(accounts);
                    }
                    // Nothing is heard of it, or nobody knows whether the carrier has it: some of those wait to go again and are taken back.
                    _ => may.extend(accounts),
                }
            }
        }
        let correction = world.host.propose_correction(&order(run.id, PLAIN)).await.unwrap();
        let listed: BTreeSet<AccountNumber> =
            list(&world, &correction).await.iter().map(|r| r.recipient.account).collect();
        assert_eq!(listed, may, "seed {seed}");
        assert!(correction.recalled > 0 && may.len() > 20);
    }
}

#[tokio::test]
async fn told_on_two_channels_is_corrected_on_the_one_that_delivered() {
    let (world, run) = world().await;
    let all = messages(&world, &run);
    let (first, who, _) = all.iter().find(|(.., m)| m.channel == Channel::Wechat).unwrap();
    send(&world, &wechat(), usize::MAX, accepted).await;
    world.clock.advance(Duration::from_secs(31 * 60));
    world.host.serve_hops().await;
    let [sms] = carriers();
    send(&world, &sms, usize::MAX, accepted).await;
    // Both may have come, the SMS later; then WeChat says that its one did.
    report(&world, &wechat(), *first, "DELIVRD").await;
    let done = approved(&world, &order(run.id, PLAIN)).await;
    let told = messages(&world, &runs(&world)[0]);
    let channel = |account: &AccountNumber| {
        let of: Vec<Channel> = told.iter().filter(|(_, a, _)| a == account).map(|(.., m)| m.channel).collect();
        assert!(of.len() <= 1, "one correction for each: {of:?}");
        of.first().copied()
    };
    assert_eq!(channel(who), Some(Channel::Wechat));
    let other =
        all.iter().find(|(id, a, m)| m.channel == Channel::Wechat && id != first && channel(a) == Some(Channel::Sms));
    assert!(other.is_some(), "whoever has no delivery is told where the last one went: {:?}", done.counts);
}

#[tokio::test]
async fn nothing_of_an_account_is_said_to_a_number_that_is_not_its_customers() {
    let (world, run) = world().await;
    let [sms] = carriers();
    let sent = send(&world, &sms, usize::MAX, accepted).await;
    let who = |n: usize| detail(&world, sent[n]).decision.account;
    let state = world.host.state();
    let change = async |n: usize, change: CustomerChange| {
        state.change_customer(who(n), vec![change], vec![], vec![]).await.unwrap();
    };
    let set = |phone: Phone| CustomerChange::Phone { phone, source: ContactSource::Counter, verified_on: first_day() };
    change(0, CustomerChange::Suspend(true)).await;
    change(1, set(Phone::from_text("13911112222"))).await;
    change(2, CustomerChange::Erase).await;
    change(3, CustomerChange::Traits { bits: Traits::CLOSED, on: true }).await;
    let dead = state.customer(who(4)).unwrap().1.phone.with_class(PhoneClass::Bad);
    change(4, set(dead)).await;
    change(5, CustomerChange::Preferences { bits: Preferences::NO_SMS_SERVICE, on: true }).await;
    let held = [
        HoldReason::SuspendedAddress,
        HoldReason::AddressChanged,
        HoldReason::Erased,
        HoldReason::Closed,
        HoldReason::BadAddress,
        HoldReason::OptedOut,
    ];
    let done = approved(&world, &order(run.id, WITH_FACTS)).await;
    let seen = list(&world, &done).await;
    let by_account: BTreeMap<AccountNumber, &RecipientSeen> = seen.iter().map(|r| (r.recipient.account, r)).collect();
    for (n, why) in held.into_iter().enumerate() {
        let one = by_account[&who(n)];
        assert_eq!((one.recipient.held, one.correction), (Some(why), None), "{n}");
    }
    assert!(by_account[&who(6)].correction.is_some());
    // The counts are those of the list.
    for (why, n) in &done.counts.held {
        assert_eq!(seen.iter().filter(|r| r.recipient.held == Some(*why)).count() as u64, *n, "{why}");
    }
    assert_eq!(done.counts.all_told(), runs(&world)[0].queued);

    // Whoever is suspended between the approval and the submit gets nothing either.
    let told = messages(&world, &runs(&world)[0]);
    let (late, account, _) = &told[0];
    state.change_customer(*account, vec![CustomerChange::Suspend(true)], vec![], vec![]).await.unwrap();
    send(&world, &sms, usize::MAX, accepted).await;
    assert_eq!(detail(&world, *late).status.reason, Some(HoldReason::SuspendedAddress));
    assert_eq!(detail(&world, told[1].0).status.state, MessageState::Submitted);
    // A plain apology says nothing of an account: it goes to where the wrong message went.
    let next = world.host.preview_correction(&order(run.id, PLAIN)).await.unwrap();
    assert!(!next.counts.held.contains_key(&HoldReason::Closed), "{:?}", next.counts);
}

#[tokio::test]
async fn what_is_shown_as_held_or_not_listed_is_not_told_whatever_changes() {
    let (world, run) = world().await;
    let [sms] = carriers();
    let sent = send(&world, &sms, usize::MAX, accepted).await;
    let held = detail(&world, sent[0]).decision.account;
    let state = world.host.state();
    state.change_customer(held, vec![CustomerChange::Suspend(true)], vec![], vec![]).await.unwrap();
    let correction = world.host.propose_correction(&order(run.id, PLAIN)).await.unwrap();
    state.change_customer(held, vec![CustomerChange::Suspend(false)], vec![], vec![]).await.unwrap();
    world.host.decide_proposal(correction.id, Decides::Approve, "对", &decider("li")).await.unwrap();
    world.host.serve_corrections().await;
    let seen = list(&world, &world.host.correction(correction.id).unwrap()).await;
    let one = seen.iter().find(|r| r.recipient.account == held).unwrap();
    assert_eq!((one.held, one.correction), (Some(HoldReason::SuspendedAddress), None));
    // It is corrected for them by a further one, and for them alone.
    let next = approved(&world, &order(run.id, PLAIN)).await;
    assert_eq!((next.counts.all_told(), runs(&world).len()), (1, 2));
    assert_eq!(messages(&world, &runs(&world)[1])[0].1, held);
}

#[tokio::test]
async fn it_waits_for_the_window_and_says_what_is_so_when_it_goes() {
    let (world, run) = world().await;
    let [sms] = carriers();
    send(&world, &sms, 30, accepted).await;
    // The evening: the windows of the policy are over.
    world.clock.advance_to(first_day().at(19, 0).moment());
    approved(&world, &order(run.id, WITH_FACTS)).await;
    let first = runs(&world).remove(0);
    let told = messages(&world, &first);
    assert!(told.iter().all(|(.., m)| m.send_after == first_day().plus_days(1).at(9, 0)), "{:?}", told[0].2.send_after);
    assert!(send(&world, &sms, usize::MAX, accepted).await.is_empty(), "nothing goes in the evening");
    let amount = |id: MessageId| match detail(&world, id).decision.outcome {
        Outcome::Queued(m) => (m.stated, m.text),
        Outcome::Held(_) => panic!("a message"),
    };
    assert!(told.iter().all(|(id, ..)| amount(*id).1.contains(&format!("欠费{}元", amount(*id).0))));
    // In the night one of them is billed anew.
    let (late, account, _) = told[0].clone();
    let day = first_day().plus_days(1);
    let bill = BillFact {
        account,
        period: 202_609,
        amount: Fen(98_765),
        kwh: 9,
        issued: day,
        late_fee_from: day.plus_days(20),
        as_of: day,
    };
    world.host.state().facts(Facts::Bills(vec![bill]), false, vec![]).await.unwrap();
    world.clock.advance_to(day.at(9, 0).moment());
    send(&world, &sms, usize::MAX, accepted).await;
    assert_eq!(detail(&world, late).status.reason, Some(HoldReason::FactsChanged));
    assert_eq!(detail(&world, told[1].0).status.state, MessageState::Submitted);
    assert_eq!(world.host.serve_corrections().await, 1, "what it says is looked up anew");
    let again = messages(&world, &runs(&world)[1]);
    assert_eq!(again.iter().map(|(_, a, _)| *a).collect::<Vec<_>>(), [account]);
    assert!(again[0].2.stated != amount(late).0 && again[0].2.text.contains(&format!("欠费{}元", again[0].2.stated)));
    send(&world, &sms, usize::MAX, accepted).await;
    assert_eq!(detail(&world, again[0].0).status.state, MessageState::Submitted);
    world.clock.advance(Duration::from_secs(60));
    assert_eq!(world.host.serve_corrections().await, 0);
    assert!(world.host.correction(1).unwrap().parts[0].settled);
}

#[tokio::test]
async fn caps_do_not_hold_it_and_a_restart_in_the_middle_neither_loses_nor_repeats_it() {
    let (world, run) = world().await;
    let [sms] = carriers();
    // The policy's caps are one a day, and each of these was told today.
    let sent = send_told(&world, &sms, usize::MAX, accepted).await;
    let sent: Vec<AccountNumber> = sent.into_iter().flat_map(|(_, accounts)| accounts).collect();
    let correction = world.host.propose_correction(&order(run.id, PLAIN)).await.unwrap();
    let world = world.restarted();
    world.host.decide_proposal(correction.id, Decides::Approve, "对", &decider("li")).await.unwrap();
    let world = world.restarted();
    assert_eq!(world.host.serve_corrections().await, 1, "a new process goes on");
    let told = messages(&world, &runs(&world)[0]);
    assert_eq!(told.len(), sent.len(), "{:?}", runs(&world)[0].held);
    let world = world.restarted();
    assert_eq!(world.host.serve_corrections().await, 0);
    assert_eq!(runs(&world).len(), 1);
}

#[tokio::test]
async fn a_text_or_a_policy_was_wrong_and_a_correction_can_be_corrected() {
    let (world, run) = world().await;
    let [sms] = carriers();
    let sent = send(&world, &sms, usize::MAX, accepted).await;
    let by = |wrong: &str| CorrectionOrder {
        scope: CorrectionScope { wrong: wrong.parse().unwrap(), prefecture: None, from: None, to: None },
        ..order(run.id, PLAIN)
    };
    let version = match detail(&world, sent[0]).decision.outcome {
        Outcome::Queued(m) => m.template,
        Outcome::Held(_) => 0,
    };
    let of_text = |version: u32| by(&format!("template:arrears-reminder/reminder/sms@{version}"));
    let text = world.host.preview_correction(&of_text(version)).await.unwrap();
    assert!(text.counts.all_told() > 0 && text.counts.all_told() <= sent.len() as u64);
    assert_eq!(text.waiting, 0, "what waits for WeChat is worded otherwise");
    let other = world.host.preview_correction(&of_text(version + 1)).await.unwrap();
    assert_eq!((other.counts.all_told(), other.waiting), (0, 0));
    let policy = world.host.preview_correction(&by("campaign:arrears-reminder")).await.unwrap();
    assert!(policy.counts.all_told() >= text.counts.all_told() && policy.waiting > 0);
    let missing = world.host.preview_correction(&by("campaign:nothing")).await.unwrap_err().to_string();
    assert!(missing.contains("campaign:nothing"), "{missing}");
    let scoped = CorrectionOrder { within: vec![PrefectureCode(140_200)], ..by("campaign:arrears-reminder") };
    assert!(world.host.preview_correction(&scoped).await.is_err(), "nothing beyond where one may correct");

    let first = approved(&world, &of_text(version)).await;
    // What waits for WeChat still waits: only a text was wrong.
    assert!(world.host.state().count_live(|m| m.state == MessageState::Queued && m.run == run.id) > 0);
    assert_eq!(
        world.host.preview_correction(&by("campaign:arrears-reminder")).await.unwrap().counts.held
            [&HoldReason::AlreadySaid],
        first.counts.all_told()
    );
    // The apology was wrong itself: it is a run like others.
    send(&world, &sms, usize::MAX, accepted).await;
    let wrong = runs(&world)[0].clone();
    let second = approved(&world, &order(wrong.id, "上一条更正短信有误，再次致歉。")).await;
    assert_eq!((second.topic, second.counts.all_told()), (Topic::ArrearsReminder, wrong.queued));
}

#[tokio::test]
async fn a_text_that_does_not_apologise_or_states_a_fact_without_its_day_is_refused() {
    let (world, run) = world().await;
    let [sms] = carriers();
    send(&world, &sms, 5, accepted).await;
    for (text, words) in [
        ("此前的短信有误。", "apologises"),
        ("致歉，您欠费{{ amount }}元。", "as_of"),
        ("致歉，【某某】", "【】"),
        ("致歉，{{ name }}", "unknown placeholder `name`"),
        ("", "characters"),
    ] {
        let error = world.host.preview_correction(&order(run.id, text)).await.unwrap_err().to_string();
        assert!(error.contains(words) && error.contains("sms"), "{text}: {error}");
    }
    let none = CorrectionOrder { texts: BTreeMap::new(), ..order(run.id, "") };
    let error = world.host.preview_correction(&none).await.unwrap_err().to_string();
    assert!(error.contains("say what is right"), "{error}");
}

#[tokio::test]
async fn what_nobody_decides_about_is_over_and_what_is_refused_tells_nobody() {
    let (world, run) = world().await;
    let [sms] = carriers();
    send(&world, &sms, 10, accepted).await;
    let correction = world.host.propose_correction(&order(run.id, PLAIN)).await.unwrap();
    assert!(world.host.alarms().iter().any(|a| a.code == "correction.waiting"));
    world.host.decide_proposal(correction.id, Decides::Refuse, "不对", &decider("li")).await.unwrap();
    assert!(world.host.alarms().iter().all(|a| a.code != "correction.waiting"));
    assert_eq!(world.host.correction(correction.id).unwrap().state(world.clock.now()), CorrectionState::Refused);
    let second = world.host.propose_correction(&order(run.id, PLAIN)).await.unwrap();
    world.clock.advance(Duration::from_secs(3_600 * CORRECTION_HOURS as u64 + 1));
    assert_eq!(world.host.serve_corrections().await, 0);
    let late = world.host.decide_proposal(second.id, Decides::Approve, "", &decider("li")).await;
    assert!(late.unwrap_err().to_string().contains("expired"));
    assert!(runs(&world).is_empty());
    let empty = world.host.state().docs("correction-list");
    assert!(empty.is_empty(), "no list stays of what is told to nobody");
}

#[tokio::test]
async fn explained_it_is_the_correction_of_the_message_that_was_wrong() {
    let (world, run) = world().await;
    let [sms] = carriers();
    let sent = send(&world, &sms, 10, accepted).await;
    approved(&world, &order(run.id, PLAIN)).await;
    let asked = ExplainRequest {
        account: detail(&world, sent[0]).decision.account,
        at: None,
        policy: Some(REMINDER.into()),
        rebuild: false,
    };
    let story = world.host.explain(asked).await.unwrap().policies.remove(0);
    assert_eq!(story.run.as_ref().unwrap().id, run.id.to_string(), "the policy's own run");
    let correction = &story.decisions[0].corrections[0];
    assert_eq!(
        (correction.run.as_str(), correction.corrects.as_str()),
        (runs(&world)[0].id.to_string().as_str(), sent[0].to_string().as_str(),)
    );
    assert!(story.summary.contains("更正"), "{}", story.summary);
}

/// Balances are told by another policy; its corrections state the balance of now.
#[tokio::test]
async fn a_balance_is_corrected_with_the_balance_of_now() {
    let (world, _) = world().await;
    world.host.run_policy(RunRequest::by_person(TAIYUAN, "balance-warning", "a")).await.unwrap();
    let run = (*world.runs("balance-warning").pop().unwrap()).clone();
    let [sms] = carriers();
    send(&world, &sms, usize::MAX, accepted).await;
    let text = "余额提醒有误，致歉。截至{{ as_of }}余额{{ amount }}元。";
    let told = messages(&world, &run);
    let balance = |account: AccountNumber, fen: i64| BalanceFact {
        account,
        balance: Fen(fen),
        as_of: first_day(),
        debit_pending: None,
    };
    let facts = vec![balance(told[0].1, 12_345)];
    world.host.state().facts(Facts::Balances(facts), false, vec![]).await.unwrap();
    approved(&world, &order(run.id, text)).await;
    let said = messages(&world, &runs(&world)[0]);
    let (.., first) = said.iter().find(|(_, a, _)| *a == told[0].1).unwrap();
    assert!(first.text.contains("余额123.45元") && first.text.contains("截至9月24日"), "{}", first.text);
}
