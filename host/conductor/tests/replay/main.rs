//! Runs done again: the same whatever came after, through checkpoints and crashes; what was tampered with is found; without history the decided
//! alone are proved; and a customer's story is what was true then.

#![expect(clippy::unwrap_used, reason = "a test stops where it fails")]

mod ported;
mod samples;
mod world;

use gridbell_conductor::*;
use gridbell_model::{Fen, OrgCode, OrgLevel, OrgUnit};
use gridbell_planner::RunScope;
use gridbell_state::*;
use world::{PEOPLE, PLUGINS, POLICIES, TAIYUAN, World, account, first_day, policies, workshop};

#[tokio::test(flavor = "multi_thread")]
async fn every_run_is_the_same_again_whatever_came_after() {
    let mut w = World::new().await;
    let mut runs = Vec::new();
    for day in 0..3_u64 {
        w.clock.advance_to(first_day().plus_days(i32::try_from(day).unwrap()).at(9, 0).moment());
        w.a_day(day).await;
        for policy in POLICIES {
            runs.push(w.by_clock(policy).await);
            w.pays(day, day * 50..day * 50 + 60).await;
        }
        runs.push(w.run("payment-received", RunTrigger::Payments, RunScope::default()).await);
        if day == 0 {
            w.host.state().checkpoint().await.unwrap();
        }
        if day == 1 {
            w = w.reopened();
        }
        let scope = RunScope { sections: [1, 3].into_iter().collect(), ..RunScope::default() };
        runs.push(w.run("arrears-reminder", RunTrigger::Person, scope).await);
        let change = vec![CustomerChange::Suspend(true)];
        w.host.state().change_customer(account(3 + day), change, vec![], vec![]).await.unwrap();
    }
    assert!(
        runs.iter().filter(|r| r.queued > 20).count() >= 6,
        "{:?}",
        runs.iter().map(|r| r.queued).collect::<Vec<_>>()
    );
    assert!(runs.iter().any(|r| r.trigger == TRIGGER_PAYMENT_RECEIVED && r.queued > 0));
    // Everything changes afterwards: rules, texts, the org tree, the policy, and the facts.
    let mut tree = (*w.host.state().org()).clone();
    let renamed = OrgUnit {
        code: OrgCode(14_010_501),
        parent: Some(OrgCode(140_100)),
        level: OrgLevel::Station,
        name: "改名所".into(),
    };
    tree.insert(renamed);
    w.host.state().set_org(tree, vec![]).await.unwrap();
    let file = policies("140100-taiyuan.toml").replace("steps = [7, 3, 1]", "steps = [9, 2]");
    w.host.apply_policies("140100-taiyuan.toml", &file, None, "li", false).await.unwrap();
    let rules = policies("province.toml").replace("hotline = \"95598\"", "hotline = \"12398\"");
    w.host.apply_rules("province.toml", &rules, "li").await.unwrap();
    w.pays(9, 0..400).await;
    w.host.state().checkpoint().await.unwrap();
    w = w.reopened();
    let mut silent = 0;
    for run in &runs {
        silent += w.same(run).await.silent;
    }
    assert!(silent > 1_000, "silences are proved too: {silent}");
    let status = w.host.state().history().unwrap();
    assert!(!status.head.journals.is_empty() && status.failure.is_none());
}

#[tokio::test(flavor = "multi_thread")]
async fn a_run_that_waits_is_the_same_again_and_two_runs_are_told_apart() {
    let w = World::new().await;
    let low = policies("140100-taiyuan.toml").replacen("ceiling = 320000", "ceiling = 10", 1);
    w.host.apply_policies("140100-taiyuan.toml", &low, None, "li", false).await.unwrap();
    w.a_day(0).await;
    let waiting = w.by_clock("arrears-reminder").await;
    assert!(matches!(waiting.status, RunStatus::Waiting { .. }) && waiting.decided > 100, "{waiting:?}");
    w.pays(1, 0..30).await;
    w.same(&waiting).await;
    let released = w.host.release_run(waiting.id, "wang").await.unwrap().record;
    w.same(&released).await;
    let diff = w.host.diff_runs(waiting.id, released.id).await.unwrap();
    assert!(!diff.same && diff.only_a == 0 && diff.only_b == released.queued, "{diff:?}");
    assert!(diff.held > 0 && !diff.samples.is_empty() && diff.samples.len() <= 7 * MAX_DIFF_SAMPLES);
    let itself = w.host.diff_runs(released.id, released.id).await.unwrap();
    assert!(itself.same && itself.both == released.queued && itself.samples.is_empty(), "{itself:?}");
}

#[tokio::test(flavor = "multi_thread")]
async fn what_was_tampered_with_is_found_and_named() {
    let w = World::new().await;
    w.a_day(0).await;
    let run = w.by_clock("arrears-reminder").await;
    w.same(&run).await;
    let original = w.host.state().decisions(run.id, 0).unwrap();
    let restore = |w: &World| w.tamper(run.id, |all| all.clone_from(&original));

    w.tamper(run.id, |all| all[3].arg0 += 1);
    let report = w.replay(run.id).await.unwrap();
    assert!(!report.same && report.differences == 1, "{report:?}");
    let found = &report.first[0];
    assert_eq!(
        (found.account, &*found.kind, found.fields.as_slice()),
        (Some(original[3].account), "decision", &["arg0".into()][..])
    );
    assert_ne!(found.recorded, found.replayed);
    restore(&w);

    w.tamper(run.id, |all| drop(all.remove(5)));
    let report = w.replay(run.id).await.unwrap();
    assert!(
        report.kinds.contains_key("only-replayed")
            && report.first.iter().any(|d| d.account == Some(original[5].account))
    );
    restore(&w);

    // Somebody who got no decision has one in the record.
    let silent = (0..PEOPLE as u32).find(|row| original.iter().all(|d| d.row != *row)).unwrap();
    w.tamper(run.id, |all| {
        let at = all.partition_point(|d| d.row < silent);
        let forged = DecisionRecord { row: silent, ..all[0].clone() };
        all.insert(at, forged);
    });
    let report = w.replay(run.id).await.unwrap();
    assert!(report.kinds.contains_key("only-recorded"), "{report:?}");
    restore(&w);

    w.tamper(run.id, |all| {
        let queued = all.iter_mut().find_map(|d| match &mut d.outcome {
            Outcome::Queued(m) => Some(m),
            Outcome::Held(_) => None,
        });
        queued.unwrap().text.push('!');
    });
    let report = w.replay(run.id).await.unwrap();
    assert_eq!(report.first[0].fields, ["text"], "{report:?}");
    restore(&w);
    w.same(&run).await;
}

#[tokio::test(flavor = "multi_thread")]
async fn without_history_the_decided_are_proved_and_it_is_said() {
    let w = World::new().await;
    w.a_day(0).await;
    let run = w.by_clock("arrears-reminder").await;
    w.pays(1, 0..200).await;
    w.host.state().checkpoint().await.unwrap();
    w.same(&run).await;
    std::fs::remove_dir_all(w.dir.path().join("history")).unwrap();
    let report = w.replay(run.id).await.unwrap();
    assert!(report.same && report.proved == "decided" && report.why.contains("missing"), "{report:?}");
    assert_eq!(report.silent, 0, "silences are not proved");
    w.tamper(run.id, |all| all[7].reason = (all[7].reason + 1) % 3);
    let report = w.replay(run.id).await.unwrap();
    assert!(!report.same && report.first[0].fields == ["reason"], "{report:?}");
}

#[tokio::test(flavor = "multi_thread")]
async fn a_newer_version_that_is_live_changes_nothing_about_an_older_run() {
    let w = World::new().await;
    w.a_day(0).await;
    let old = w.by_clock("arrears-reminder").await;
    assert_eq!(old.plugin_version, "0.1.0");
    w.list(&workshop().1[PLUGINS.len()..]).await;
    let w = w.reopened();
    let change = DeployChange::Live { version: "arrears-reminder@0.1.1".into() };
    let (policy, why, who) = ("arrears-reminder".into(), "newer".into(), "test".into());
    w.host.deploy(&DeployOrder { prefecture: TAIYUAN, policy, change, why, who }).await.unwrap();
    w.clock.advance_to(first_day().plus_days(1).at(9, 0).moment());
    w.a_day(1).await;
    let new = w.by_clock("arrears-reminder").await;
    assert_eq!(new.plugin_version, "0.1.1", "the newer one is live");
    assert_eq!(w.same(&old).await.digest, old.digest);
    assert_eq!(w.same(&new).await.digest, new.digest);
    assert_ne!(old.digest, new.digest);
}

#[tokio::test(flavor = "multi_thread")]
async fn a_customers_story_is_what_was_true_then() {
    let w = World::new().await;
    w.a_day(0).await;
    let run = w.by_clock("arrears-reminder").await;
    let decisions = w.host.state().decisions(run.id, 0).unwrap();
    let told = decisions.iter().find(|d| matches!(d.outcome, Outcome::Queued(_))).unwrap();
    let silent = (0..500).find(|n| {
        let (code, view) = w.host.state().customer(account(*n)).unwrap();
        code == TAIYUAN && view.arrears == Fen::ZERO && decisions.iter().all(|d| d.row != view.row)
    });
    let silent = silent.unwrap();
    let then = "2026-11-16T09:00";
    // Everything is paid, and who was silent owes: what is told about then does not change.
    w.clock.advance_to(first_day().plus_days(1).at(10, 0).moment());
    w.pays(1, 0..PEOPLE).await;
    w.facts(Facts::Bills(vec![BillFact {
        account: account(silent),
        period: 202_611,
        amount: Fen(77_700),
        kwh: 9,
        issued: w.clock.today(),
        late_fee_from: w.clock.today().plus_days(3),
        as_of: w.clock.today(),
    }]))
    .await;
    let n: u64 = told.account.to_string().parse().unwrap();
    let story = w.explain(n, Some(then), "arrears-reminder", false).await;
    let decision = &story.decisions[0];
    let arrears = decision.facts.iter().find(|f| f.column == "arrears").unwrap();
    assert_eq!(arrears.value, told.arg0, "what was owed then: {:?}", decision.facts);
    assert!(decision.checks.iter().all(|c| c.verdict != gridbell_planner::Judgement::Held));
    let message = decision.message.as_ref().unwrap();
    assert!(message.phone.contains("****") && message.state == "queued" && message.text.is_some(), "{message:?}");
    assert!(story.present.is_none() && story.summary.contains(&decision.reason), "{}", story.summary);
    let by_now = w.explain(silent, Some(then), "arrears-reminder", false).await;
    let by_then = w.explain(silent, Some(then), "arrears-reminder", true).await;
    let (by_now, by_then) = (by_now.silence.unwrap(), by_then.silence.unwrap());
    assert_eq!((&*by_now.asked, &*by_then.asked), ("now", "then"));
    let owed = |s: &NoDecision| s.facts.iter().find(|f| f.column == "arrears").unwrap().value;
    assert_eq!((owed(&by_now), owed(&by_then)), (77_700, 0));
    // Now: the one who owes would be told, and when; nothing was written by asking.
    let seq = w.host.state().seq();
    let story = w.explain(silent, None, "arrears-reminder", false).await;
    let present = story.present.unwrap();
    assert!(present.chosen && present.held.is_empty() && present.send_after.is_some(), "{present:?}");
    assert_eq!(present.forecast.runs[0].to_string(), "2026-11-18T08:30");
    let coming = present.forecast.coming.as_ref().unwrap();
    assert!(coming.messages.iter().any(|m| m.text.contains("777.00")), "{coming:?}");
    assert_eq!(w.host.state().seq(), seq);
    // Before the first run nothing had been decided; the future is not told.
    let before = w.explain(n, Some("2026-11-16T08:59"), "arrears-reminder", false).await;
    assert!(before.run.is_none() && before.decisions.is_empty());
    let future = ExplainRequest {
        account: account(n),
        at: Some("2027-01-01T00:00".parse().unwrap()),
        policy: None,
        rebuild: false,
    };
    assert!(w.host.explain(future).await.is_err());
    // A held decision names the check.
    let held = decisions.iter().find(|d| matches!(d.outcome, Outcome::Held(_)));
    if let Some(held) = held {
        let n: u64 = held.account.to_string().parse().unwrap();
        let story = w.explain(n, Some(then), "arrears-reminder", false).await;
        assert!(!story.decisions[0].held.is_empty());
        let holding: Vec<_> =
            story.decisions[0].checks.iter().filter(|c| c.verdict == gridbell_planner::Judgement::Held).collect();
        assert_eq!(holding.len(), 1, "{:?}", story.decisions[0].checks);
    }
}
