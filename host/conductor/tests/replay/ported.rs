//! Numbers that were taken to another carrier: a run done again waits in the same queues, whatever is known of numbers since.

use gridbell_conductor::ReplayReport;
use gridbell_model::{Carrier, Phone};
use gridbell_state::{CustomerChange, Outcome, PortedFact, PortedSaid, RunRecord, RunStatus};

use crate::world::{PEOPLE, TAIYUAN, World, account, first_day, policies};

/// Customers whose numbers are Broadnet's, which no link serves.
const BROADNET: std::ops::Range<u64> = 300..420;

async fn say(w: &World, said: impl Fn(u64) -> Option<PortedSaid>) {
    let number = |n: u64| w.host.state().customer(account(n)).unwrap().1.phone.number();
    let facts = (0..PEOPLE).filter_map(|n| Some(PortedFact { number: number(n), said: said(n)? })).collect();
    w.host.state().say_carriers(facts, vec![]).await.unwrap();
}

/// A list as an operator has it: to Unicom, to Telecom, and to a carrier without a link; some refused by their own.
fn list(n: u64) -> Option<PortedSaid> {
    let carrier = match n % 4 {
        0 => Carrier::Unicom,
        1 => Carrier::Telecom,
        2 if !BROADNET.contains(&n) => Carrier::Broadnet,
        _ if BROADNET.contains(&n) => return None,
        _ => {
            return Some(PortedSaid::Not(gridbell_state::Carriers::of([Carrier::Mobile]), first_day()));
        }
    };
    Some(PortedSaid::Listed(carrier, None))
}

async fn world() -> World {
    let w = World::new().await;
    for n in BROADNET {
        let phone = Phone::from_text(&format!("192{n:08}"));
        let source = gridbell_model::ContactSource::Counter;
        let change = CustomerChange::Phone { phone, source, verified_on: first_day() };
        w.host.state().change_customer(account(n), vec![change], vec![], vec![]).await.unwrap();
    }
    say(&w, list).await;
    w
}

fn queues(w: &World, run: &RunRecord) -> Vec<u8> {
    let decisions =
        (0..u32::try_from(run.segments.len()).unwrap()).flat_map(|s| w.host.state().decisions(run.id, s).unwrap());
    let queue = |outcome| match outcome {
        Outcome::Queued(m) => Some(m.queue),
        Outcome::Held(_) => None,
    };
    decisions.filter_map(|d| queue(d.outcome)).collect()
}

/// The same, of an otherwise unchanged run, when every number went elsewhere since, and when nothing is known of any.
async fn same_whatever_is_known(mut w: World, run: &RunRecord) -> (World, ReplayReport) {
    w.same(run).await;
    say(&w, |n| Some(PortedSaid::Listed(Carrier::ALL[(n % 3 + 1) as usize], None))).await;
    w.host.state().checkpoint().await.unwrap();
    w = w.reopened();
    w.same(run).await;
    say(&w, |_| Some(PortedSaid::Own(None))).await;
    assert!(w.host.state().ported().is_empty());
    let report = w.same(run).await;
    (w, report)
}

#[tokio::test(flavor = "multi_thread")]
async fn a_run_is_the_same_again_whatever_was_ported_since() {
    let w = world().await;
    w.a_day(0).await;
    let run = w.by_clock("arrears-reminder").await;
    let queues = queues(&w, &run);
    for carrier in [Carrier::Mobile, Carrier::Unicom, Carrier::Telecom] {
        let its = queues.iter().filter(|q| **q == carrier as u8).count();
        assert!(its > 20, "{carrier}: {its}");
    }
    assert!(!queues.contains(&(Carrier::Broadnet as u8)));
    let (w, report) = same_whatever_is_known(w, &run).await;
    // What is found still: a message in a queue that no link served, and one that the number's segment does not explain is the record's word.
    assert!(report.silent > 100);
    let broken = |all: &mut Vec<gridbell_state::DecisionRecord>| {
        let queued = all.iter_mut().find_map(|d| match &mut d.outcome {
            Outcome::Queued(m) => Some(m),
            Outcome::Held(_) => None,
        });
        queued.unwrap().queue = Carrier::Broadnet as u8;
    };
    w.tamper(run.id, broken);
    let report = w.replay(run.id).await.unwrap();
    assert_eq!((report.same, &report.first[0].fields[..]), (false, &["carrier".into()][..]), "{report:?}");
}

#[tokio::test(flavor = "multi_thread")]
async fn so_is_a_run_that_waited() {
    let w = world().await;
    let low = policies("140100-taiyuan.toml").replacen("ceiling = 320000", "ceiling = 10", 1);
    w.host.apply_policies("140100-taiyuan.toml", &low, None, "li", false).await.unwrap();
    w.a_day(0).await;
    let waiting = w.by_clock("arrears-reminder").await;
    assert!(matches!(waiting.status, RunStatus::Waiting { .. }) && waiting.decided > 100, "{waiting:?}");
    assert_eq!(waiting.prefecture, TAIYUAN);
    same_whatever_is_known(w, &waiting).await;
}
