//! The grid (站 → 线 → 变 → 户) from files as offices send them, bad ones among them, through the command line and the API of the real host: what hangs
//! on what, what is fed otherwise for a while, whom a switch takes along, and the same after a kill.

mod support;

use gridbell_tests::{Stream, eventually};
use serde_json::{Value, json};
use support::{DATONG, Host, House, TAIYUAN, people};

/// A reject file's rows: line, column, value and code.
fn rejects(text: &str) -> Vec<[String; 4]> {
    let mut rows = csv::Reader::from_reader(text.trim_start_matches('\u{feff}').as_bytes());
    let row = |r: csv::StringRecord| [0, 1, 3, 6].map(|n| r[n].to_owned());
    let mut all: Vec<_> = rows.records().map(|r| row(r.expect("a row"))).collect();
    all.sort();
    all
}

/// Sends a file to the running host; its record and its rejects.
fn imported(host: &Host, kind: &str, rows: &str) -> (Value, Vec<[String; 4]>) {
    let headers = [("content-type", "text/csv")];
    let begun = host.api.call("POST", &format!("/v1/imports/{kind}"), &headers, rows.as_bytes()).expect(202);
    let path = format!("/v1/imports/{}", begun["id"].as_str().expect("an id"));
    let ended = eventually("the import's end", || {
        let seen = host.api.get(&path).expect(200);
        (seen["state"]["word"] == "done").then_some(seen)
    });
    let report = host.api.get(&format!("{path}/rejects"));
    (ended, rejects(&report.body))
}

fn warned(record: &Value) -> Vec<(String, u64)> {
    let one = |w: &Value| (w["code"].as_str().unwrap_or_default().to_owned(), w["count"].as_u64().unwrap_or(0));
    record["warnings"].as_array().into_iter().flatten().map(one).collect()
}

fn thing(host: &Host, code: &str) -> Value {
    host.api.get(&format!("/v1/topology/things?code={code}")).expect(200)["items"][0].clone()
}

/// Dead transformers, customers without power, and those who lose one of several sources.
fn takes_along(host: &Host, code: &str) -> [u64; 3] {
    let seen = thing(host, code);
    ["transformers", "customers_out", "customers_one_source"].map(|field| seen[field].as_u64().expect("a number"))
}

fn four(all: &[[&str; 4]]) -> Vec<[String; 4]> {
    all.iter().map(|row| row.map(str::to_owned)).collect()
}

#[test]
fn the_grid_comes_from_files_and_says_whom_a_switch_takes_along_through_a_kill() {
    let mut everybody = people(TAIYUAN, 60, 0);
    everybody.extend(people(DATONG, 5, 0));
    let house = House::with(&everybody);
    let mut host = house.serve(&house.token("ops", "operator"));

    let substations = "变电站编码,变电站名称,地市,电压等级\nA1,城西站,140100,110kV\nA2,城东站,140200,110kV\n";
    assert_eq!(imported(&host, "substations", substations).0["created"], 2);
    let lines = "线路编码,线路名称,所属变电站\nL1,锦绣线,A1\nL2,汾河线,A1\nL3,孤线,A9\nL4,云冈线,A2\n";
    let (record, refused) = imported(&host, "lines", lines);
    assert_eq!((record["created"].as_u64(), record["rejected"].as_u64()), (Some(3), Some(1)));
    assert_eq!(refused, four(&[["4", "所属变电站", "A9", "unknown-substation"]]));

    // In no order at all: children before parents, two that name each other, one whose upstream is nowhere, one of another line.
    let sections = "区段编码,所属线路,上级区段,开关编码,开关名称\n\
        L1-3,L1,L1-2,K13,3号开关\n\
        L1-2,L1,L1-1,K12,2号开关\n\
        L1-1,L1,,,\n\
        L2-2,L2,L2,K22,\n\
        X1,L1,X2,,\n\
        X2,L1,X3,,\n\
        X3,L1,X1,,\n\
        X4,L1,L1-9,,\n\
        X5,L2,L1-1,,\n\
        X6,L1,L1-1,K22,\n\
        X7,L1,,,\n";
    let (record, refused) = imported(&host, "sections", sections);
    assert_eq!((record["created"].as_u64(), record["rejected"].as_u64()), (Some(4), Some(7)), "{record} {refused:?}");
    let expected = four(&[
        ["10", "上级区段", "L1-1", "other-line"],
        ["11", "开关编码", "K22", "switch-taken"],
        ["12", "所属线路", "L1", "second-first-section"],
        ["6", "上级区段", "X1 < X2 < X3 < X1", "cycle"],
        ["7", "上级区段", "X2 < X3 < X1 < X2", "cycle"],
        ["8", "上级区段", "X3 < X1 < X2 < X3", "cycle"],
        ["9", "上级区段", "L1-9", "unknown-section"],
    ]);
    assert_eq!(refused, expected);

    let mut transformers =
        "台区编号,台区名称,地市,所属区段,所属线路,小区,经度,纬度,公专变,台区经理,台区经理电话\n".to_owned();
    for (n, on) in (1..).zip(["L1-1,", "L1-2,", "L1-3,", "L2-2,", ",L2"]) {
        transformers += &format!("T{n},锦绣{n}号公变,140100,{on},锦绣花园,112.55,37.87,公变,王经理,0351-1234567\n");
    }
    // Of another prefecture, twice in the file, on nothing.
    transformers += "T6,边界公变,140200,,L1,,,,,,\nT6,边界1号公变,140200,,L1,,,,,,\nT7,无源公变,140100,L9-1,,,,,,,\n";
    let (record, refused) = imported(&host, "transformers", &transformers);
    assert_eq!((record["created"].as_u64(), record["changed"].as_u64()), (Some(6), Some(1)));
    assert_eq!(warned(&record), [("across-prefectures".to_owned(), 2), ("repeated".to_owned(), 1)]);
    assert_eq!(refused, four(&[["9", "所属区段", "L9-1", "unknown-section"]]));

    // Ten on each of five transformers, two of them with a second source; ten of Taiyuan's and all but one of Datong's on none.
    let mut supply = "户号,台区编号,电源序号\n".to_owned();
    for (n, person) in everybody[..50].iter().enumerate() {
        supply += &format!("{},T{},\n", person.account, n / 10 + 1);
    }
    supply += &format!("{},T4,2\n{},T5,2\n", everybody[20].account, everybody[21].account);
    supply += &format!("{},T1,1\n{},T8,1\n0019999999,T1,1\n", everybody[60].account, everybody[61].account);
    let (record, refused) = imported(&host, "supply", &supply);
    assert_eq!((record["created"].as_u64(), record["rejected"].as_u64()), (Some(53), Some(2)), "{record}");
    assert_eq!(warned(&record), [("across-prefectures".to_owned(), 1)]);
    assert_eq!(refused[0][1..], ["台区编号", "T8", "unknown-transformer"].map(str::to_owned));
    assert_eq!(refused[1][3], "unknown-account");

    for round in 0..2 {
        assert_eq!(takes_along(&host, "L1"), [4, 29, 2], "round {round}: T1, T2, T3 and T6; two go on by T4 and T5");
        assert_eq!(takes_along(&host, "K13"), [1, 8, 2]);
        assert_eq!(takes_along(&host, "T1"), [1, 11, 0], "one of Datong's among them");
        assert_eq!(takes_along(&host, "A2"), [0, 0, 0]);
        if round == 0 {
            // Killed with everything in the journal, then asked again.
            assert!(host.process.kill());
            host = house.serve(&house.token("again", "operator"));
        }
    }

    let cli = |host: &Host, arguments: &[&str]| house.ask(host, &[&["topology"], arguments].concat());
    let feed = ["feed", "--section", "L1-3", "--from-section", "L2-2", "--why", "线路检修"];
    let said = cli(&host, &feed);
    assert!(said.contains("转供电（当前） 区段 L1-3 由 区段 L2-2 供电"), "{said}");
    assert_eq!(takes_along(&host, "L1"), [3, 21, 0], "what another line feeds meanwhile stays");
    assert_eq!(takes_along(&host, "K22"), [2, 19, 1], "both sources of one are on it now, the other's second is T5");
    assert_eq!(takes_along(&host, "K13"), [0, 0, 0], "its own switch feeds nothing meanwhile");
    let shown = cli(&host, &["show", "T3"]);
    assert!(shown.contains("电源 区段 L1-3，区段 L2-2，区段 L2，线路 L2 汾河线，变电站 A1 城西站"), "{shown}");
    assert!(shown.contains("台区经理 王经理 0351-1234567"), "{shown}");
    let round_and_round = json!({ "section": "L2-2", "from_section": "L1-3", "why": "试验" });
    let refused = host.api.post("/v1/topology/feeds", &round_and_round).expect(422);
    let why = refused["errors"][0]["message"].as_str().unwrap_or_default();
    assert!(why.contains("`L2-2` ← `L1-3` ← `L2-2`") && why.contains("成环"), "{refused}");
    assert!(host.process.kill());
    let host = house.serve(&house.token("third", "operator"));
    assert_eq!(takes_along(&host, "L1"), [3, 21, 0], "a feed outlives a kill");
    cli(&host, &["feed", "--section", "L1-3", "--end", "--why", "检修结束"]);
    assert_eq!(takes_along(&host, "L1"), [4, 29, 2]);

    let found: Value = serde_json::from_str(&cli(&host, &["check", "--json"])).expect("JSON");
    let of = |what: &str| {
        let all = found["items"].as_array().expect("findings").iter().filter(|f| f["what"]["word"] == what);
        all.map(|f| (f["count"].as_u64().expect("a count"), f["first"].clone())).collect::<Vec<_>>()
    };
    assert_eq!(of("empty-line"), [(1, json!(["L4"]))]);
    assert_eq!(of("other-prefecture"), [(1, json!(["T6"]))]);
    assert_eq!(of("without-customers"), [(1, json!(["T6"]))]);
    let without = of("without-transformer");
    assert_eq!(without.iter().map(|(count, _)| *count).collect::<Vec<_>>(), [10, 4]);
    assert_eq!(without[0].1[0], everybody[50].account.as_str());

    let gone = |kind: &str, code: &str| {
        let body = json!({ "kind": kind, "code": code, "why": "已拆除" });
        host.api.post("/v1/topology/remove", &body).status
    };
    assert_eq!((gone("transformer", "T1"), gone("section", "L1-2"), gone("transformer", "T6")), (422, 422, 204));
    let audit = host.all("/v1/audit");
    let done: Vec<&str> =
        audit.iter().filter_map(|e| e["action"].as_str()).filter(|a| a.starts_with("topology.")).collect();
    let expected = ["topology.feed", "topology.feed-end", "topology.remove"];
    assert_eq!(done.iter().copied().collect::<std::collections::BTreeSet<_>>(), expected.into(), "{done:?}");
    // Nobody who looks after a transformer is in a log.
    let logged = host.process.output(Stream::Err);
    assert!(!logged.contains("王经理") && !logged.contains("1234567"), "{logged}");
}
