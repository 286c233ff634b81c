//! What goes wrong on request, and rubbish that a client sends.

use std::time::Duration;

use bytes::BytesMut;
use gridbell_clock::Seed;
use gridbell_cmpp::{Cancel, MsgId, Pdu, Submit, Version};
use gridbell_simulators::NotTheirs;
use gridbell_simulators::cmpp::{Account, Faults, Gateway, ResultFault};
use rand_core::RngCore as _;
use tokio::io::{AsyncReadExt, AsyncWriteExt};

use crate::client::*;

#[tokio::test]
async fn malformed_pdus_are_answered_and_read_over() {
    let (gateway, _clock) = gateway(config(Account::default(), Faults::default())).await;
    let mut client = Client::login(&gateway, Version::V3_0).await;
    let mut submit = BytesMut::new();
    Pdu::Submit(message("13800001234", "停电")).encode(50, Version::V3_0, &mut submit).unwrap();
    // Msg_Length announces more than there is.
    let mut cut = submit.to_vec();
    let at = cut.len() - 20 - 4 - 1;
    cut[at] = 200;
    // A submit of 2.0 on a connection of 3.0.
    let mut other_version = BytesMut::new();
    Pdu::Submit(message("13800001234", "停电")).encode(51, Version::V2_0, &mut other_version).unwrap();
    let unknown = [0, 0, 0, 12, 0, 0, 0, 99, 0, 0, 0, 52];
    client.stream.write_all(&[&cut[..], &other_version, &unknown].concat()).await.unwrap();
    assert_eq!(client.answer(50).await.result, 4);
    assert!([1, 4].contains(&client.answer(51).await.result));
    assert_eq!(client.answer(52).await.result, 2);
    assert_eq!(client.submit(message("13800001234", "停电")).await.result, 0);
    assert_eq!(gateway.stats().account(SP).malformed, 3);
    // A length that cannot be: the stream is out of step, the connection ends.
    client.stream.write_all(&[0xff; 12]).await.unwrap();
    while client.next().await.is_some() {}
    gateway.wait_until(|stats| stats.account(SP).open == 0 && stats.protocol_errors == 1).await;
    // So does anything before a login.
    let mut stranger = Client::open(&gateway, Version::V3_0).await;
    stranger.send(&Pdu::ActiveTest).await;
    assert_eq!(stranger.next().await, None);
    assert_eq!(gateway.stats().protocol_errors, 2);
}

#[tokio::test]
async fn reports_are_reordered_repeated_lost_and_early_on_request() {
    let (gateway, clock) = gateway(config(Account::default(), Faults::default())).await;
    let mut client = Client::login(&gateway, Version::V3_0).await;
    let set = |faults| gateway.set_faults(faults).unwrap();

    set(Faults { report_repeat: 1.0, report_accepted: 1.0, ..Faults::default() });
    let id = client.submit(message("13800001234", "停电")).await.msg_id;
    for stat in ["ACCEPTD", "DELIVRD", "DELIVRD"] {
        let report = client.report().await;
        assert_eq!((report.msg_id, report.stat.text()), (id, stat.into()));
    }

    set(Faults { report_lose: 1.0, ..Faults::default() });
    client.submit(message("13800001234", "停电")).await;
    clock.advance(Duration::from_secs(3600));
    // An hour of silence asks for a heartbeat; nothing else comes.
    assert_eq!(client.next().await.unwrap().pdu, Pdu::ActiveTest);

    set(Faults { report_first: 1.0, short_reports: true, ..Faults::default() });
    let sequence = client.send(&Pdu::Submit(message("13800001234", "停电"))).await;
    let early = client.deliver().await;
    assert_eq!(early.content.len(), 60);
    assert_eq!(early.report().unwrap().unwrap().msg_id, client.answer(sequence).await.msg_id);

    set(Faults { report_reorder: 0.5, report_reorder_ms: 500, report_delay_ms: (10, 10), ..Faults::default() });
    let mut sent = Vec::new();
    for _ in 0..16 {
        sent.push(client.submit(message("13800001234", "停电")).await.msg_id);
    }
    clock.advance(Duration::from_millis(510));
    let mut reported = Vec::new();
    for _ in 0..16 {
        reported.push(client.report().await.msg_id);
    }
    assert_ne!(reported, sent);
    reported.sort();
    assert_eq!(reported, sent);
}

#[tokio::test]
async fn answers_are_lost_and_lines_break_after_acceptance_on_request() {
    let (gateway, _clock) =
        gateway(config(Account::default(), Faults { lose_response: 1.0, ..Faults::default() })).await;
    let mut client = Client::login(&gateway, Version::V3_0).await;
    client.send(&Pdu::Submit(message("13800001234", "一"))).await;
    let lost = client.report().await.msg_id;
    assert_eq!(gateway.log()[0].msg_id, lost.to_string(), "accepted though unanswered");
    gateway.set_faults(Faults { drop_connection: 1.0, ..Faults::default() }).unwrap();
    client.send(&Pdu::Submit(message("13800001234", "二"))).await;
    assert_eq!(client.next().await, None);
    let texts: Vec<_> = gateway.log().into_iter().map(|entry| entry.text).collect();
    assert_eq!(texts, ["一", "二"]);
    // The report of the second waits for whoever comes back.
    gateway.set_faults(Faults { refuse_connections: true, ..Faults::default() }).unwrap();
    assert_eq!(Client::open(&gateway, Version::V3_0).await.next().await, None);
    gateway.set_faults(Faults::default()).unwrap();
    let mut client = Client::login(&gateway, Version::V3_0).await;
    assert_ne!(client.report().await.msg_id, lost);
}

#[tokio::test]
async fn refusals_and_failures_are_made_in_their_shares() {
    let account = Account { rate: 0, window: 2000, deliver_window: 2000, ..Account::default() };
    let results = vec![ResultFault { result: 150, probability: 0.1 }];
    let faults = Faults { throttle: 0.1, bad_number: 0.1, results, failure_share: 0.2, ..Faults::default() };
    let (gateway, _clock) = gateway(config(account, faults)).await;
    let mut client = Client::login(&gateway, Version::V3_0).await;
    let to = |index: u64| message(&(13_800_000_000 + index).to_string(), "停电");
    for index in 0..1000 {
        client.send(&Pdu::Submit(to(index))).await;
        while !matches!(client.next().await.unwrap().pdu, Pdu::SubmitResp(_)) {}
    }
    let stats = gateway.stats().account(SP);
    for result in [8, 13, 150] {
        assert!((50..150).contains(&stats.results[&result]), "{result}: {}", stats.results[&result]);
    }
    let failed = stats.reports.iter().filter(|(stat, _)| *stat != "DELIVRD").map(|(_, count)| count).sum::<u64>();
    assert!((80..220).contains(&failed), "{failed} of {}", stats.parts_accepted);
    // The same seed gives the same fates, whatever the order and the other faults.
    let stats_by_number = |gateway: &Gateway| {
        gateway
            .log()
            .into_iter()
            .map(|entry| (entry.destination, entry.stat))
            .collect::<std::collections::BTreeMap<_, _>>()
    };
    let first = stats_by_number(&gateway);
    let account = Account { rate: 0, ..Account::default() };
    let (again, _clock) = self::gateway(config(account, Faults { failure_share: 0.2, ..Faults::default() })).await;
    let mut client = Client::login(&again, Version::V2_0).await;
    for index in (0..1000).rev() {
        client.submit(Submit { registered_delivery: 0, ..to(index) }).await;
    }
    let second = stats_by_number(&again);
    assert_eq!(second.len(), 1000);
    assert!(first.iter().all(|(number, stat)| second[number] == *stat));
}

#[tokio::test]
async fn silence_is_probed_three_times_then_closed() {
    let (gateway, clock) = gateway(config(Account::default(), Faults::default())).await;
    let mut client = Client::login(&gateway, Version::V3_0).await;
    client.nothing_waits().await;
    clock.advance(Duration::from_secs(180));
    let probe = client.next().await.unwrap();
    assert_eq!(probe.pdu, Pdu::ActiveTest);
    client.send_as(probe.sequence, &Pdu::ActiveTestResp { reserved: 0 }).await;
    client.nothing_waits().await;
    for wait in [180, 60, 60] {
        clock.advance(Duration::from_secs(wait));
        assert_eq!(client.next().await.unwrap().pdu, Pdu::ActiveTest);
    }
    clock.advance(Duration::from_secs(60));
    assert_eq!(client.next().await, None);
    // Nor is a stranger waited for.
    let mut stranger = Client::open(&gateway, Version::V3_0).await;
    gateway.wait_until(|stats| stats.connections == 2).await;
    while clock.next_waiter().is_none() {
        tokio::task::yield_now().await;
    }
    clock.advance(Duration::from_secs(30));
    assert_eq!(stranger.next().await, None);
}

#[tokio::test]
async fn rubbish_ends_a_connection_at_worst() {
    let (gateway, _clock) = gateway(config(Account { rate: 0, ..Account::default() }, Faults::default())).await;
    let mut good = BytesMut::new();
    for pdu in [Pdu::Submit(message("13800001234", "停电")), Pdu::ActiveTest, Pdu::Cancel(Cancel { msg_id: MsgId(1) })]
    {
        pdu.encode(99, Version::V3_0, &mut good).unwrap();
    }
    let mut dice = Seed(11).stream("rubbish");
    for round in 0..300 {
        let mut client = Client::login(&gateway, BOTH[round % 2]).await;
        let mut octets = good.to_vec();
        for _ in 0..=dice.next_u32() % 8 {
            let at = dice.next_u32() as usize % octets.len();
            octets[at] = dice.next_u32() as u8;
        }
        client.stream.write_all(&octets).await.unwrap();
        client.stream.shutdown().await.unwrap();
        // Read as octets: what the gateway answers to rubbish is not this test's matter, that it lets go is.
        let mut answered = Vec::new();
        let _ = client.stream.read_to_end(&mut answered).await;
    }
    let stats = gateway.wait_until(|stats| stats.account(SP).open == 0).await;
    assert!(stats.account(SP).malformed > 0 && stats.protocol_errors > 0);
    let mut client = Client::login(&gateway, Version::V3_0).await;
    client.acknowledge_everything().await;
    assert_eq!(client.submit(message("13800001234", "停电")).await.result, 0);
}

#[tokio::test]
async fn numbers_that_are_not_its_own_are_refused_or_reported_so() {
    let account = Account { rate: 0, window: 2000, deliver_window: 2000, ..Account::default() };
    let theirs = NotTheirs { numbers: vec!["1380000000".into()], share: 0.2, ..NotTheirs::default() };
    let refused = Faults { not_theirs: NotTheirs { result: 101, ..theirs.clone() }, ..Faults::default() };
    let (gateway, _clock) = gateway(config(account, refused)).await;
    let mut client = Client::login(&gateway, Version::V3_0).await;
    let to = |index: u64| message(&(13_800_000_000 + index).to_string(), "停电");
    let reported = Faults { not_theirs: NotTheirs { report: "MK:0045".into(), ..theirs }, ..Faults::default() };
    for faults in [None, Some(reported)] {
        if let Some(faults) = faults {
            gateway.set_faults(faults).unwrap();
        }
        for index in 0..500 {
            client.send(&Pdu::Submit(to(index))).await;
            while !matches!(client.next().await.unwrap().pdu, Pdu::SubmitResp(_)) {}
        }
    }
    let stats = gateway.stats().account(SP);
    let refused = stats.results[&101];
    assert!((60..160).contains(&refused), "{refused}: ten by their first digits, a fifth of the others");
    assert_eq!(stats.reports["MK:0045"], refused, "the same numbers");
    let reached: std::collections::BTreeSet<String> = gateway.log().into_iter().map(|e| e.destination).collect();
    assert_eq!(reached.len(), 500, "the second time all were taken");
}
