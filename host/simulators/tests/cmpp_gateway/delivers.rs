//! What the gateway brings: reports and inbound messages.

use std::time::Duration;

use gridbell_clock::Clock;
use gridbell_cmpp::assemble::Assembler;
use gridbell_cmpp::{MsgFmt, MsgId, Pdu, Version, text};
use gridbell_simulators::cmpp::{Account, Faults, Gateway, Mo};

use crate::client::*;

#[tokio::test]
async fn reports_wait_for_the_next_connection() {
    let faults = Faults { report_delay_ms: (1000, 1000), ..Faults::default() };
    let (gateway, clock) = gateway(config(Account::default(), faults)).await;
    let mut ids = Vec::new();
    let mut client = Client::login(&gateway, Version::V2_0).await;
    for _ in 0..3 {
        ids.push(client.submit(message("13800001234", "停电")).await.msg_id);
    }
    client.nothing_waits().await;
    clock.advance(Duration::from_secs(1));
    // One is acknowledged, the others are lost with the line.
    assert_eq!(client.report().await.msg_id, ids[0]);
    client.nothing_waits_but_reports(2).await;
    gateway.drop_connections();
    while client.next().await.is_some() {}
    let stats = gateway.wait_until(|stats| stats.account(SP).open == 0).await.account(SP);
    assert_eq!((stats.delivers_acknowledged, stats.delivers_queued), (1, 2));
    // They come again on a connection of the other version, in order.
    let mut client = Client::login(&gateway, Version::V3_0).await;
    assert_eq!(client.report().await.msg_id, ids[1]);
    assert_eq!(client.report().await.msg_id, ids[2]);
    let stats = gateway.wait_until(|stats| stats.account(SP).delivers_acknowledged == 3).await.account(SP);
    assert_eq!((stats.delivers_resent, stats.delivers_queued), (2, 0));
}

#[tokio::test]
async fn what_is_not_acknowledged_is_sent_again_and_then_the_line_is_given_up() {
    let (gateway, clock) = gateway(config(Account::default(), Faults::default())).await;
    let mut client = Client::login(&gateway, Version::V3_0).await;
    let id = client.submit(message("13800001234", "停电")).await.msg_id;
    for _ in 0..3 {
        let (_, deliver) = client.unacknowledged().await;
        assert_eq!(deliver.report().unwrap().unwrap().msg_id, id);
        client.nothing_waits().await;
        clock.advance(Duration::from_secs(60));
    }
    assert_eq!(client.next().await, None);
    // Refused ones are offered again after a while, three times in all.
    let mut client = Client::login(&gateway, Version::V3_0).await;
    for _ in 0..3 {
        let (sequence, deliver) = client.unacknowledged().await;
        client.acknowledge(sequence, deliver.msg_id, 8).await;
        client.nothing_waits().await;
        clock.advance(Duration::from_secs(1));
    }
    client.nothing_waits().await;
    assert_eq!(gateway.stats().account(SP).delivers_given_up, 1);
}

#[tokio::test]
async fn delivers_keep_to_their_window() {
    let account = Account { deliver_window: 2, ..Account::default() };
    let (gateway, _clock) = gateway(config(account, Faults::default())).await;
    for index in 0..5 {
        gateway.inject_mo(&Mo::new(SP, "13800001234", "1065795598", &index.to_string())).unwrap();
    }
    let mut client = Client::login(&gateway, Version::V3_0).await;
    let (first, _) = client.unacknowledged().await;
    client.unacknowledged().await;
    client.nothing_waits().await;
    client.acknowledge(first, MsgId(0), 0).await;
    let (_, third) = client.unacknowledged().await;
    assert_eq!(third.content[..], *text::utf16be("2"));
    client.nothing_waits().await;
}

#[tokio::test]
async fn inbound_messages_come_whole_and_in_every_coding() {
    let (gateway, _clock) = gateway(config(Account::default(), Faults::default())).await;
    let mut client = Client::login(&gateway, Version::V3_0).await;
    let long = "我家昨天已经交过电费了，请核实后不要再发。".repeat(5);
    let mo = Mo { link_id: "LINK01".into(), ..Mo::new(SP, "13800001234", "106579559801", &long) };
    assert_eq!(gateway.inject_mo(&mo).unwrap(), 2);
    gateway.inject_mo(&Mo { format: MsgFmt::ASCII, ..Mo::new(SP, "13800001234", "1065795598", "TD") }).unwrap();
    let mut assembler = Assembler::default();
    let mut texts = Vec::new();
    for _ in 0..3 {
        let deliver = client.deliver().await;
        assert_eq!((deliver.registered_delivery, deliver.src_terminal), (0, number("13800001234")));
        texts.extend(assembler.push(&deliver, Duration::ZERO).into_iter().map(|message| message.text));
    }
    assert_eq!(texts, [long, "TD".into()]);
    assert_eq!(gateway.stats().account(SP).inbound, 3);
    let stranger = Mo::new("000000", "13800001234", "1065795598", "TD");
    assert!(gateway.inject_mo(&stranger).is_err());
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn on_the_machines_own_clock_delayed_reports_come_by_themselves() {
    let faults = Faults { report_delay_ms: (1, 20), response_delay_ms: (0, 5), ..Faults::default() };
    let account = Account { rate: 0, window: 64, ..Account::default() };
    let gateway =
        Gateway::start(config(account, faults), Clock::system(), "127.0.0.1:0".parse().unwrap()).await.unwrap();
    // Two connections share the account: whichever is free gets a report, and one leaves in the middle.
    let mut leaving = Client::login(&gateway, Version::V2_0).await;
    let mut client = Client::login(&gateway, Version::V3_0).await;
    leaving.send_all(&vec![Pdu::Submit(message("13800001234", "停电")); 30]).await;
    let mut submitted = std::collections::BTreeSet::new();
    while submitted.len() < 30 {
        // Reports that come here are not acknowledged, so the other connection gets them in the end.
        if let Pdu::SubmitResp(response) = leaving.next().await.unwrap().pdu {
            submitted.insert(response.msg_id);
        }
    }
    drop(leaving);
    let mut reported = std::collections::BTreeSet::new();
    while reported.len() < 30 {
        reported.insert(client.report().await.msg_id);
    }
    assert_eq!(reported, submitted);
    let stats = gateway.wait_until(|stats| stats.account(SP).delivers_queued == 0).await.account(SP);
    assert_eq!((stats.delivers_acknowledged, stats.open), (30, 1));
}
