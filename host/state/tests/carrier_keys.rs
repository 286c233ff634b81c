//! Carriers whose numbers are no numbers of 64 bits: answers, late answers and reports find each other by text, through crashes and checkpoints.

mod common;

use common::*;
use gridbell_model::{CarrierKey, MessageId, MessageState};
use gridbell_state::*;

fn key(n: u32) -> CarrierKey {
    CarrierKey::text(&format!("3035100001-1121120000-{n}"))
}

fn delivered(n: u32) -> (CarrierKey, String) {
    (key(n), "DELIVRD".to_owned())
}

#[tokio::test(flavor = "multi_thread")]
async fn reports_find_their_parts_by_text() {
    let mut w = World::new().await;
    w.facts(Facts::Customers((0..20).map(customer).collect())).await;
    w.facts(Facts::Bills((0..20).map(|n| bill(n, 202_610, 50)).collect())).await;
    remind(&w.state, 2).await;
    let ids = w.state.ready(1, 4, |_, _| false);
    let [first, second] = ids[..] else { panic!("two messages of two parts: {ids:?}") };
    let submitting = |id| (id, MessageEvent::Submitting { link: "unicom".into() });
    let status = |w: &World, id: MessageId| w.state.message_status(id).unwrap().unwrap();
    w.state.message_events(vec![submitting(first), submitting(second)]).await.unwrap();
    // A report before its answer, one of another link under the same text, and one under the text as a number.
    w.state.reports("unicom", vec![delivered(1)]).await.unwrap();
    w.state.reports("telecom", vec![delivered(2)]).await.unwrap();
    w.state.reports("unicom", vec![(7.into(), "DELIVRD".into()), delivered(7)]).await.unwrap();
    w.state.checkpoint().await.unwrap();
    w.crash();
    assert_eq!(w.state.depth().parked, 4);
    // Both are cut off by the crash: the answers of the first come late.
    let late = |part| (first, MessageEvent::late(part, "unicom".into(), &key(part.into())));
    w.state.message_events(vec![late(1), late(2), late(2)]).await.unwrap();
    assert_eq!(status(&w, first).state, MessageState::Submitted);
    assert_eq!(status(&w, first).reports, [(1, "DELIVRD".to_owned())]);
    let accepted = |part: u8| (second, MessageEvent::accepted(part, &key(10 + u32::from(part))));
    w.state.message_events(vec![submitting(second), accepted(1), accepted(2)]).await.unwrap();
    w.crash();
    w.state.checkpoint().await.unwrap();
    w.crash();
    let parts: Vec<_> = status(&w, second).accepted.into_iter().map(|a| (a.part, a.link, a.key)).collect();
    assert_eq!(parts, [(1, "unicom".to_owned(), key(11)), (2, "unicom".to_owned(), key(12))]);
    w.state.reports("unicom", vec![delivered(2), delivered(11), delivered(12)]).await.unwrap();
    w.state.checkpoint().await.unwrap();
    w.crash();
    assert_eq!([first, second].map(|id| status(&w, id).state), [MessageState::Delivered; 2]);
    assert_eq!(w.state.depth().parked, 3);
}

#[tokio::test(flavor = "multi_thread")]
async fn one_key_of_a_platform_stands_for_all_parts() {
    for report_first in [false, true] {
        for (stat, end) in [("DELIVRD", MessageState::Delivered), ("UNDELIV", MessageState::Failed)] {
            let mut w = World::new().await;
            w.facts(Facts::Customers((0..5).map(customer).collect())).await;
            w.facts(Facts::Bills((0..5).map(|n| bill(n, 202_610, 50)).collect())).await;
            remind(&w.state, 3).await;
            let id = w.state.ready(1, 1, |_, _| false)[0];
            w.state.message_events(vec![(id, MessageEvent::Submitting { link: "province".into() })]).await.unwrap();
            let report = || vec![(key(1), stat.to_owned())];
            if report_first {
                w.state.reports("province", report()).await.unwrap();
                w.crash();
                w.state.message_events(vec![(id, MessageEvent::Submitting { link: "province".into() })]).await.unwrap();
            }
            let accepted = (1..=3).map(|part| (id, MessageEvent::accepted(part, &key(1)))).collect();
            w.state.message_events(accepted).await.unwrap();
            w.crash();
            if !report_first {
                assert_eq!(w.state.message_status(id).unwrap().unwrap().state, MessageState::Submitted);
                w.state.reports("province", report()).await.unwrap();
                w.state.reports("province", report()).await.unwrap();
            }
            w.state.checkpoint().await.unwrap();
            w.crash();
            let status = w.state.message_status(id).unwrap().unwrap();
            assert_eq!((status.state, status.code.as_str()), (end, stat), "report first: {report_first}");
            assert_eq!(status.reports.len(), 3);
        }
    }
}
