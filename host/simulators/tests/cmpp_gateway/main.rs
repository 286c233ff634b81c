//! The gateway through its socket, with a plain client made of the codec. Time stands still unless a test moves it.

#![expect(clippy::unwrap_used, clippy::panic, reason = "a test that cannot be set up has failed")]

mod client;
mod delivers;
mod faults;

use std::time::Duration;

use gridbell_clock::Clock;
use gridbell_cmpp::{
    Cancel, ConnectResp, Content, FeeUserType, MsgFmt, MsgId, Octets, Pdu, Query, QueryResp, Stamp, Submit, Version,
    auth,
};
use gridbell_simulators::cmpp::{Account, Config, Faults, Gateway, LogEntry};
use tokio::io::AsyncWriteExt;

use client::*;

#[tokio::test]
async fn logins_are_proved_on_both_sides() {
    let (gateway, _clock) =
        gateway(config(Account { max_connections: 1, ..Account::default() }, Faults::default())).await;
    for version in BOTH {
        let mut client = Client::open(&gateway, version).await;
        let response = client.connect(SP, "secret", version.octet()).await;
        let source = auth::source(SP.as_bytes(), b"secret", Stamp::new(11, 22, 12, 0, 0).unwrap());
        assert_eq!(response.status, 0);
        assert_eq!(response.authenticator, auth::ismg(0, &source, b"secret", version));
        // One connection is granted; the second is told so.
        let mut second = Client::open(&gateway, version).await;
        assert_eq!(second.connect(SP, "secret", version.octet()).await.status, 5);
        assert_eq!(second.next().await, None);
        client.send(&Pdu::Terminate).await;
        assert_eq!(client.next().await.unwrap().pdu, Pdu::TerminateResp);
        assert_eq!(client.next().await, None);
        gateway.wait_until(|stats| stats.account(SP).open == 0).await;
    }
    for (sp_id, secret, version, status) in
        [("000000", "secret", 0x30, 2), (SP, "wrong", 0x30, 3), (SP, "secret", 0x40, 4), (SP, "secret", 0x10, 5)]
    {
        let mut client = Client::open(&gateway, Version::V3_0).await;
        assert_eq!(client.connect(sp_id, secret, version).await.status, status);
        assert_eq!(client.next().await, None, "a refused login is closed");
    }
    // A login of the wrong length.
    let mut client = Client::open(&gateway, Version::V3_0).await;
    client.stream.write_all(&[0, 0, 0, 13, 0, 0, 0, 1, 0, 0, 0, 9, 7]).await.unwrap();
    let refused = client.next().await.unwrap();
    assert_eq!(refused.sequence, 9);
    assert!(matches!(refused.pdu, Pdu::ConnectResp(ConnectResp { status: 1, .. })));
    let refused = gateway.stats().logins_refused;
    assert_eq!(refused.into_iter().collect::<Vec<_>>(), [(1, 1), (2, 1), (3, 1), (4, 1), (5, 3)]);
}

#[tokio::test]
async fn a_gateway_of_2_0_refuses_3_0_in_its_own_layout() {
    let (gateway, _clock) = gateway(Config { speaks_3_0: false, ..Config::with_account(Account::default()) }).await;
    let mut client = Client::open(&gateway, Version::V3_0).await;
    let response = client.connect(SP, "secret", 0x30).await;
    assert_eq!((response.status, response.version), (4, 0x20));
    let mut client = Client::open(&gateway, Version::V2_0).await;
    assert_eq!(client.connect(SP, "secret", 0x20).await.status, 0);
}

#[tokio::test]
async fn a_message_is_answered_reported_and_logged_in_both_versions() {
    let (gateway, clock) = gateway(config(Account::default(), Faults::default())).await;
    clock.advance(Duration::from_micros(1500));
    for (index, version) in BOTH.into_iter().enumerate() {
        let mut client = Client::login(&gateway, version).await;
        let link_id = if version == Version::V3_0 { "LINK01" } else { "" };
        let submit =
            Submit { link_id: Octets::new("test", link_id).unwrap(), ..message("13800001234", "您家明日停电") };
        let answer = client.submit(submit).await;
        assert_eq!(answer.result, 0);
        assert_eq!(answer.msg_id.stamp(), Stamp::new(11, 22, 12, 0, 0));
        let deliver = client.deliver().await;
        assert_eq!((deliver.dest_id.text(), deliver.link_id.text()), ("1065795598".into(), link_id.into()));
        let report = deliver.report().unwrap().unwrap();
        assert_eq!((report.msg_id, report.stat.text()), (answer.msg_id, "DELIVRD".into()));
        assert_eq!((report.submit_time.text(), report.done_time.text()), ("2611221200".into(), "2611221200".into()));
        assert_eq!(report.destination, number("13800001234"));
        client.nothing_waits().await;
        let logged = gateway.log_since(index as u64);
        let expected = LogEntry {
            at_us: 1500,
            sp_id: SP.into(),
            connection: index as u64 + 1,
            msg_id: answer.msg_id.to_string(),
            destination: "13800001234".into(),
            src_id: "1065795598".into(),
            service_id: "POWER".into(),
            pk_total: 1,
            pk_number: 1,
            reference: None,
            text: "您家明日停电".into(),
            sequence: 2,
            link_id: link_id.into(),
            stat: "DELIVRD".into(),
        };
        assert_eq!(logged, [expected]);
    }
    let stats = gateway.wait_until(|stats| stats.account(SP).delivers_acknowledged == 2).await.account(SP);
    assert_eq!((stats.parts_accepted, stats.reports["DELIVRD"], stats.delivers_queued), (2, 2, 0));
}

#[tokio::test]
async fn a_submit_to_several_reserves_numbers_and_counts_for_each() {
    let (gateway, _clock) = gateway(config(Account { rate: 5, ..Account::default() }, Faults::default())).await;
    let mut client = Client::login(&gateway, Version::V3_0).await;
    let three = Submit {
        destinations: vec![number("13800000001"), number("8613800000002"), number("13800000003")],
        ..message("13800000001", "停电")
    };
    let first = client.submit(three.clone()).await;
    for index in 0..3 {
        assert_eq!(client.report().await.msg_id, first.msg_id.nth(index));
    }
    // Three more would be six in one second.
    assert_eq!(client.submit(three.clone()).await.result, 8);
    // One bad number refuses them all.
    let bad = Submit { destinations: vec![number("13800000001"), number("0351123456")], ..three };
    assert_eq!(client.submit(bad).await.result, 13);
    let stats = gateway.stats().account(SP);
    assert_eq!((stats.parts_offered, stats.parts_accepted, stats.rate_violations), (8, 3, 1));
    assert_eq!((stats.peak_offered, stats.peak_accepted), (8, 3));
}

#[tokio::test]
async fn the_rate_holds_in_any_second() {
    let (gateway, clock) = gateway(config(Account { rate: 5, ..Account::default() }, Faults::default())).await;
    let mut client = Client::login(&gateway, Version::V2_0).await;
    let quiet = || Submit { registered_delivery: 0, ..message("13800001234", "停电") };
    let mut results = Vec::new();
    // 3 at 0 ms, 3 at 900 ms, 3 at 1000 ms, 3 at 1899 ms, 1 at 1900 ms
    for (advance, count) in [(0, 3), (900, 3), (100, 3), (899, 3), (1, 1)] {
        clock.advance(Duration::from_millis(advance));
        for _ in 0..count {
            results.push(client.submit(quiet()).await.result);
        }
    }
    assert_eq!(results, [0, 0, 0, 0, 0, 8, 0, 0, 0, 8, 8, 8, 0]);
    let stats = gateway.stats().account(SP);
    assert_eq!((stats.rate_violations, stats.peak_accepted), (4, 5));
    assert_eq!(
        (gateway.peak_offered(SP), stats.peak_offered),
        (9, 9),
        "the second up to 1899 ms, refused ones included"
    );
    clock.advance(Duration::from_secs(2));
    gateway.reset_peaks();
    assert_eq!(gateway.peak_offered(SP), 0);
}

#[tokio::test]
async fn more_than_the_window_unanswered_is_refused() {
    let (gateway, _clock) =
        gateway(config(Account { rate: 0, window: 4, ..Account::default() }, Faults::default())).await;
    let mut client = Client::login(&gateway, Version::V3_0).await;
    let quiet = Pdu::Submit(Submit { registered_delivery: 0, ..message("13800001234", "停电") });
    client.send_all(&vec![quiet.clone(); 6]).await;
    assert_eq!(client.results(6).await, [0, 0, 0, 0, 8, 8]);
    client.send_all(&vec![quiet; 4]).await;
    assert_eq!(client.results(4).await, [0; 4], "answers free their places");
    assert_eq!(gateway.stats().account(SP).window_violations, 2);
}

#[tokio::test]
async fn held_answers_keep_their_places_in_the_window() {
    let faults = Faults { response_delay_ms: (100, 100), ..Faults::default() };
    let (gateway, clock) = gateway(config(Account { window: 2, ..Account::default() }, faults)).await;
    let mut client = Client::login(&gateway, Version::V3_0).await;
    let quiet = Pdu::Submit(Submit { registered_delivery: 0, ..message("13800001234", "停电") });
    client.send_all(&vec![quiet.clone(); 2]).await;
    client.nothing_waits().await;
    client.send(&quiet).await;
    client.nothing_waits().await;
    clock.advance(Duration::from_millis(100));
    assert_eq!(client.results(3).await, [0, 0, 8]);
}

#[tokio::test]
async fn faulty_submits_get_the_specifications_results() {
    let account = Account {
        src_prefix: "10657".into(),
        services: vec!["POWER".into()],
        billed_prefixes: vec!["138".into()],
        ..Account::default()
    };
    let (gateway, _clock) = gateway(config(account, Faults::default())).await;
    let mut client = Client::login(&gateway, Version::V3_0).await;
    let good = || message("13800001234", "停电");
    let long = long("13800001234", &"停".repeat(71), 9).remove(1);
    let cases: Vec<(&str, u32, Submit)> = vec![
        ("good", 0, good()),
        ("long", 0, long.clone()),
        ("part 0", 1, Submit { pk_number: 0, ..good() }),
        ("part beyond total", 1, Submit { pk_number: 2, ..good() }),
        ("header that says another part", 1, Submit { pk_number: 1, ..long }),
        ("header announced and absent", 1, Submit { tp_udhi: 1, ..good() }),
        ("unknown format", 1, Submit { msg_fmt: MsgFmt(7), ..good() }),
        ("half a unit", 1, Submit { content: Content::new(vec![1; 3]).unwrap(), ..good() }),
        ("no such time", 1, Submit { valid_time: Octets::new("test", "tomorrow").unwrap(), ..good() }),
        ("fee type", 5, Submit { fee_type: Octets::new("test", "09").unwrap(), ..good() }),
        ("fee code", 5, Submit { fee_code: Octets::new("test", "free").unwrap(), ..good() }),
        ("141 octets", 6, Submit { content: Content::new(vec![0; 141]).unwrap(), ..good() }),
        ("service", 7, Submit { service_id: Octets::new("test", "OTHER").unwrap(), ..good() }),
        (
            "payer of another network",
            9,
            Submit { fee_user_type: FeeUserType::DESTINATION, ..message("13000001234", "停电") },
        ),
        ("sender's number", 10, Submit { src_id: Octets::new("test", "95598").unwrap(), ..good() }),
        ("sender", 11, Submit { msg_src: Octets::new("test", "901235").unwrap(), ..good() }),
        ("paying number", 12, Submit { fee_user_type: FeeUserType::FEE_TERMINAL, ..good() }),
        ("landline", 13, message("03511234567", "停电")),
    ];
    for (name, result, submit) in cases {
        let quiet = Submit { registered_delivery: 0, ..submit };
        assert_eq!(client.submit(quiet).await.result, result, "{name}");
    }
    // The same sequence again.
    client.send_as(2, &Pdu::Submit(good())).await;
    assert_eq!(client.answer(2).await.result, 3);
}

#[tokio::test]
async fn counts_are_told_and_messages_withdrawn() {
    let faults = Faults { report_delay_ms: (5000, 5000), ..Faults::default() };
    let (gateway, clock) = gateway(config(Account::default(), faults)).await;
    let mut client = Client::login(&gateway, Version::V2_0).await;
    let kept = client.submit(message("13800001234", "停电")).await.msg_id;
    let withdrawn = client.submit(message("13800001235", "停电")).await.msg_id;
    for (id, success) in [(withdrawn, 0), (MsgId(1), 1)] {
        client.send(&Pdu::Cancel(Cancel { msg_id: id })).await;
        let Pdu::CancelResp(answer) = client.next().await.unwrap().pdu else { panic!("a CANCEL_RESP is due") };
        assert_eq!(answer.success_id, success);
    }
    for (query_type, code, messages) in [(0, "", 2), (1, "POWER", 2), (1, "OTHER", 0)] {
        let query_code = Octets::new("test", code).unwrap();
        let day = Octets::new("test", "20261122").unwrap();
        client.send(&Pdu::Query(Query { day, query_type, query_code, reserve: Octets::EMPTY })).await;
        let Pdu::QueryResp(QueryResp { mt_messages, mt_waiting, .. }) = client.next().await.unwrap().pdu else {
            panic!("a QUERY_RESP is due")
        };
        assert_eq!((mt_messages, mt_waiting), (messages, 2));
    }
    clock.advance(Duration::from_secs(5));
    let reports = [client.report().await, client.report().await];
    let stats: Vec<_> = reports.iter().map(|report| (report.msg_id, report.stat.text())).collect();
    assert_eq!(stats, [(kept, "DELIVRD".into()), (withdrawn, "DELETED".into())]);
}

#[tokio::test]
async fn the_log_file_has_what_was_answered() {
    let directory = tempfile::tempdir().unwrap();
    let path = directory.path().join("accepted.jsonl");
    for run in 0..2 {
        let config = Config {
            log_file: Some(path.clone()),
            log_capacity: 2,
            ..Config::with_account(Account { rate: 0, ..Account::default() })
        };
        let (gateway, _clock) = gateway(config).await;
        let mut client = Client::login(&gateway, Version::V3_0).await;
        for part in long("13800001234", &"停".repeat(150), 9) {
            let answer = client.submit(Submit { registered_delivery: 0, ..part }).await;
            let file = std::fs::read_to_string(&path).unwrap();
            let last: LogEntry = serde_json::from_str(file.lines().last().unwrap()).unwrap();
            assert_eq!(last.msg_id, answer.msg_id.to_string());
            assert_eq!((last.pk_total, last.reference), (3, Some(9)));
        }
        assert_eq!((gateway.log().len(), gateway.stats().log_forgotten), (2, 1));
        let lines = std::fs::read_to_string(&path).unwrap().lines().count();
        assert_eq!(lines, 3 * (run + 1), "appended to, never begun anew");
    }
}

#[tokio::test]
async fn shutdown_says_goodbye_and_frees_the_port() {
    let (gateway, clock) = gateway(config(Account::default(), Faults::default())).await;
    let mut client = Client::login(&gateway, Version::V3_0).await;
    let address = gateway.addr();
    let (goodbye, ()) = tokio::join!(
        async {
            let goodbye = client.next().await.unwrap().pdu;
            drop(client);
            goodbye
        },
        gateway.shutdown()
    );
    assert_eq!(goodbye, Pdu::Terminate);
    Gateway::start(config(Account::default(), Faults::default()), clock, address).await.unwrap();
}

#[tokio::test]
async fn wrong_configurations_are_named() {
    let wrong = [
        (Config::with_account(Account { sp_id: "1234567".into(), ..Account::default() }), "accounts.sp_id"),
        (config(Account::default(), Faults { throttle: 1.5, ..Faults::default() }), "throttle"),
        (config(Account::default(), Faults { report_delay_ms: (2, 1), ..Faults::default() }), "report_delay_ms"),
    ];
    for (config, field) in wrong {
        let error = Gateway::start(config, Clock::manual(noon()), "127.0.0.1:0".parse().unwrap()).await.err().unwrap();
        assert!(error.to_string().contains(field), "{error}");
    }
    let read: Config =
        serde_json::from_str(r#"{"accounts": [{"sp_id": "900001", "rate": 50}], "faults": {"throttle": 0.1}}"#)
            .unwrap();
    assert_eq!((read.accounts[0].rate, read.accounts[0].window, read.faults.throttle), (50, 16, 0.1));
    let written = serde_json::to_string(&read).unwrap();
    assert_eq!(serde_json::from_str::<Config>(&written).unwrap(), read);
    assert!(serde_json::from_str::<Config>(r#"{"acounts": []}"#).is_err());
}
