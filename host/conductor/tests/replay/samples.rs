//! A pilot's samples are no run and nothing that a customer was told: in the store, in the archives, in a customer's story.

use gridbell_archive::Kind;
use gridbell_conductor::*;
use gridbell_model::{AccountNumber, Date, OrgCode, OrgLevel, OrgUnit, Phone, RunId};
use gridbell_state::*;
use tokio_util::sync::CancellationToken;

use crate::world::{PEOPLE, PLUGINS, TAIYUAN, World, account, customer, first_day, workshop};

const POLICY: &str = "arrears-reminder";
/// Of the pilot: every tenth customer's.
const STATION: OrgCode = OrgCode(14_010_502);

/// The newer version is a pilot in one station, with a test number for everybody else.
async fn piloted() -> World {
    let w = World::new().await;
    w.list(&workshop().1[PLUGINS.len()..]).await;
    let w = w.reopened();
    let mut tree = (*w.host.state().org()).clone();
    let parent = Some(OrgCode(140_100));
    tree.insert(OrgUnit { code: STATION, parent, level: OrgLevel::Station, name: "试点所".into() });
    w.host.state().set_org(tree, vec![]).await.unwrap();
    let moved = (0..PEOPLE).filter(|n| n % 10 == 8).map(|n| CustomerFact { station: STATION, ..customer(n) });
    w.facts(Facts::Customers(moved.collect())).await;
    w.a_day(0).await;
    deploy(&w, r#"{ "mode": "pilot", "version": "arrears-reminder@0.1.1", "stations": [14010502], "test_numbers": ["13912340001"] }"#)
        .await;
    w
}

async fn deploy(w: &World, change: &str) {
    let change: DeployChange = serde_json::from_str(change).unwrap();
    let (policy, why, who) = (POLICY.into(), "试点".into(), "li".into());
    w.host.deploy(&DeployOrder { prefecture: TAIYUAN, policy, change, why, who }).await.unwrap();
}

/// The record of the samples, and the accounts that they are about.
fn sampled(w: &World) -> (RunId, Vec<AccountNumber>) {
    let records = w.host.state().runs(None, 10, |r| r.is_samples());
    assert_eq!(records.len(), 1);
    let about = w.host.state().decisions(records[0].id, 0).unwrap().iter().map(|d| d.account).collect();
    (records[0].id, about)
}

fn number(account: AccountNumber) -> u64 {
    account.to_string().parse().unwrap()
}

#[tokio::test(flavor = "multi_thread")]
async fn a_customers_story_tells_samples_apart_also_from_the_archives() {
    let w = piloted().await;
    let run = w.by_clock(POLICY).await;
    assert_eq!(run.plugin_version, "0.1.0", "the live version's is the run that is told of");
    let (samples, about) = sampled(&w);
    assert_eq!(about.len(), SAMPLES_PER_RUN);
    // Those whom the live version told, too, and whom a cap held there.
    let told = *about.iter().find(|a| !w.host.state().messages_of(**a, 1).unwrap().is_empty()).unwrap();
    let then = "2026-11-16T09:00";
    let story = w.explain(number(told), Some(then), POLICY, false).await;
    let text = |m: &MessageLife| m.text.clone().unwrap();
    assert_eq!((story.decisions.len(), story.samples.len()), (1, 1), "{story:?}");
    let (own, sample) = (story.decisions[0].message.as_ref().unwrap(), &story.samples[0]);
    assert!(text(sample).contains(SAMPLE_MARK) && !text(own).contains(SAMPLE_MARK), "{sample:?} {own:?}");
    assert_eq!(sample.phone, "139****0001");
    assert_eq!(story.run.unwrap().id, run.id.to_string());
    assert!(!story.summary.contains(&sample.id), "{}", story.summary);
    let before = w.explain(number(told), Some("2026-11-16T08:59"), POLICY, false).await;
    assert!(before.samples.is_empty());
    let other = w.explain(number(told), Some(then), "bill-notice", false).await;
    assert!(other.samples.is_empty(), "they are another policy's: {other:?}");
    // There is nothing to do again, and nothing to compare.
    for refused in [w.replay(samples).await.map(|_| ()), w.host.diff_runs(run.id, samples).await.map(|_| ())] {
        assert!(refused.unwrap_err().to_string().contains("samples"));
    }
    w.same(&run).await;

    // Nobody takes them: they expire, and leave.
    w.clock.advance_to(first_day().plus_days(40).at(9, 0).moment());
    while w.host.sweep(0).await.unwrap() > 0 {}
    w.by_clock(POLICY).await;
    while w.host.sweep(0).await.unwrap() > 0 {}
    let before = first_day().plus_days(30);
    w.host.run_archive("li", Some(before), &CancellationToken::new()).await.unwrap();
    assert!(w.host.state().run(samples).unwrap().is_archived());
    let story = w.explain(number(told), Some(then), POLICY, false).await;
    assert_eq!((story.decisions.len(), story.samples.len()), (1, 1), "{story:?}");
    let own = story.decisions[0].message.as_ref().unwrap();
    assert!(story.decisions[0].source.starts_with("archive") && !text(own).contains(SAMPLE_MARK), "{story:?}");
    assert!(text(&story.samples[0]).contains(SAMPLE_MARK) && story.samples[0].phone == "139****0001");

    let search = ArchiveSearch {
        account: Some(told),
        phone: None,
        kinds: vec![Kind::Message],
        from: Date::NONE,
        to: Date::NONE,
        limit: 10,
    };
    let found = w.host.search_archive(search.clone()).await.unwrap();
    let marks: Vec<(bool, bool)> =
        found.iter().map(|r| (r.is_sample(), r.body["text"].as_str().unwrap().contains(SAMPLE_MARK))).collect();
    assert!(marks.contains(&(true, true)) && marks.contains(&(false, false)), "{marks:?}");
    assert!(marks.iter().all(|(marked, is)| marked == is), "{marks:?}");
    let by_number = ArchiveSearch { account: None, phone: Some(Phone::from_text("13912340001")), ..search };
    let found = w.host.search_archive(by_number).await.unwrap();
    assert!(found.len() == 10 && found.iter().all(ArchivedRecord::is_sample), "{found:?}");
    // An entry of an archive from before there were samples says nothing of them.
    let mut older = found[0].clone();
    older.body.as_object_mut().unwrap().remove("sample");
    assert!(!older.is_sample());
}

#[tokio::test(flavor = "multi_thread")]
async fn a_state_rebuilt_from_the_history_knows_its_samples() {
    let mut w = piloted().await;
    let run = w.by_clock(POLICY).await;
    let (_, about) = sampled(&w);
    // They wait in the checkpoint, and are taken back from what it says.
    w.host.state().checkpoint().await.unwrap();
    w = w.reopened();
    deploy(&w, r#"{ "mode": "end-pilot" }"#).await;
    let step = |w: &World, a: AccountNumber| w.host.state().customer(a).unwrap().1.reminded_step;
    let of_run = w.host.state().decisions(run.id, 0).unwrap();
    let told = |a: &AccountNumber| of_run.iter().any(|d| d.account == *a && matches!(d.outcome, Outcome::Queued(_)));
    assert!(about.iter().any(told), "{about:?}");
    for a in about.iter().filter(|a| told(a)) {
        assert!(step(&w, *a) > 0, "a sample that is taken back takes back no step of {}", account(number(*a)));
    }
    // Later runs of everybody are decided again from checkpoints in which samples were.
    w.clock.advance_to(first_day().plus_days(1).at(9, 0).moment());
    w.a_day(1).await;
    let next = w.by_clock(POLICY).await;
    w.host.state().checkpoint().await.unwrap();
    w = w.reopened();
    w.same(&run).await;
    w.same(&next).await;
}
