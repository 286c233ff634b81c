//! What every screen shows after any sequence of publishing, correcting, cancelling and waiting, against a simple model; and that a player of the
//! CAP feed that looks only now and then shows the same.
#![allow(clippy::unwrap_used, reason = "a test stops where it fails")]

use std::collections::{BTreeMap, BTreeSet};

use gridbell_cap::{Entry, Feed, Kind as AlertKind};
use gridbell_model::{Moment, PrefectureCode};
use gridbell_screens::{
    AlertName, Book, CancelOrder, Certainty, Community, CommunityKey, Content, Error, Kind, MAX_DAYS, MAX_IN_FORCE,
    MAX_REVISIONS, Notice, NoticeId, NoticeOrder, NoticeState, Screen, ScreenId, ScreenKind, Severity, Urgency,
};
use proptest::prelude::*;

const TAIYUAN: PrefectureCode = PrefectureCode(140_100);
const START: i64 = 1_795_000_000_000;
const MINUTE: i64 = 60_000;

fn at(minutes: i64) -> Moment {
    Moment::from_unix_ms(START + minutes * MINUTE)
}

fn key(n: usize) -> CommunityKey {
    CommunityKey::new(TAIYUAN, &format!("c{n}")).unwrap()
}

fn community(n: usize) -> Community {
    Community {
        key: key(n),
        name: format!("第{n}小区"),
        transformers: [format!("T-{n}"), "T-shared".to_owned()].into(),
        sections: [n as u32].into(),
        contacts: Vec::new(),
    }
}

fn book() -> Book {
    let mut book = Book::default();
    (0..4).for_each(|n| book.put_community(community(n)));
    book
}

fn content(title: &str, expires: Moment) -> Content {
    Content {
        kind: Kind::PlannedOutage,
        severity: Severity::Moderate,
        urgency: Urgency::Future,
        certainty: Certainty::Likely,
        title: title.to_owned(),
        body: "10kV城南线检修，请提前做好准备。".to_owned(),
        begins: None,
        ends: None,
        expires,
    }
}

fn order(content: Content, communities: &[usize]) -> NoticeOrder {
    NoticeOrder {
        prefecture: TAIYUAN,
        origin: String::new(),
        content,
        communities: communities.iter().map(|n| key(*n)).collect(),
        by: "wang".to_owned(),
        why: "计划变更".to_owned(),
        sender: "gridbell@example.com".to_owned(),
    }
}

fn cancel(id: NoticeId) -> CancelOrder {
    CancelOrder {
        id, expected: None, by: "wang".into(), why: "检修取消".into(), sender: "gridbell@example.com".into()
    }
}

#[derive(Clone, Debug)]
enum Step {
    Publish { severity: usize, communities: Vec<usize>, minutes: i64 },
    Correct { which: usize, severity: usize, communities: Vec<usize>, minutes: i64 },
    Cancel { which: usize },
    Wait { minutes: i64 },
}

fn step() -> impl Strategy<Value = Step> {
    let places = || proptest::collection::vec(0..4_usize, 1..4);
    prop_oneof![
        3 => (0..4_usize, places(), 2..600_i64)
            .prop_map(|(severity, communities, minutes)| Step::Publish { severity, communities, minutes }),
        3 => (0..20_usize, 0..4_usize, places(), 2..600_i64)
            .prop_map(|(which, severity, communities, minutes)| Step::Correct { which, severity, communities, minutes }),
        1 => (0..20_usize).prop_map(|which| Step::Cancel { which }),
        3 => (1..120_i64).prop_map(|minutes| Step::Wait { minutes }),
    ]
}

/// What the model knows of a notice.
#[derive(Clone)]
struct Simple {
    severity: Severity,
    revision: u32,
    changed: Moment,
    expires: Moment,
    places: BTreeSet<usize>,
    cancelled: bool,
}

/// A player that knows nothing but its community's feed.
#[derive(Default)]
struct Player(BTreeMap<String, Moment>);

impl Player {
    fn poll(&mut self, feed: &Feed, now: Moment) {
        let mut shown: Vec<&Entry> = feed.shown(now);
        shown.reverse();
        for entry in shown {
            for replaced in entry.alert.kind.references() {
                self.0.remove(&replaced.identifier);
            }
            if !matches!(entry.alert.kind, AlertKind::Cancel(_)) {
                self.0.insert(entry.alert.reference.identifier.clone(), entry.alert.infos[0].expires);
            }
        }
        self.0.retain(|_, expires| now < *expires);
    }
}

fn feed(book: &Book, community: &CommunityKey, now: Moment) -> Feed {
    let entry = |n: &std::sync::Arc<Notice>| {
        let said = n.last_said(community, now)?;
        let address = format!("https://example.com/cap/alerts/{}.xml", n.alert_name(said));
        Some(Entry { alert: n.alert(said, "太原供电公司")?, address })
    };
    Feed {
        address: format!("https://example.com/cap/{community}.atom"),
        title: "停电公告".into(),
        author: "太原供电公司".into(),
        updated: at(0),
        entries: book.said_in(community).filter_map(entry).collect(),
    }
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(400))]

    #[test]
    fn every_screen_shows_the_latest_of_each_in_force_and_so_does_a_player(steps in proptest::collection::vec(step(), 1..40)) {
        let mut book = book();
        let mut model: BTreeMap<NoticeId, Simple> = BTreeMap::new();
        let mut players: Vec<Player> = (0..4).map(|_| Player::default()).collect();
        let mut minute = 0;
        let mut change = 0;
        for (n, step) in steps.into_iter().enumerate() {
            // Later by the step's number in milliseconds, so that no two revisions are of one instant.
            let now = at(minute).plus_ms(n as i64);
            match step {
                Step::Publish { severity, communities, minutes } => {
                    let said = Content { severity: Severity::ALL[severity], ..content("停电公告", now.plus_ms(minutes * MINUTE)) };
                    let places: BTreeSet<usize> = communities.iter().copied().collect();
                    let full = places.iter().any(|p| model.values().filter(|m| !m.cancelled && now < m.expires && m.places.contains(p)).count() >= MAX_IN_FORCE);
                    match book.publish(order(said.clone(), &communities), now) {
                        Ok(notice) => {
                            prop_assert!(!full && notice.change > change);
                            change = notice.change;
                            model.insert(notice.id, Simple { severity: said.severity, revision: 1, changed: now, expires: said.expires, places, cancelled: false });
                            book.put_notice(notice);
                        }
                        Err(e) => prop_assert!(full && matches!(e, Error::Full(_)), "{e}"),
                    }
                }
                Step::Correct { which, severity, communities, minutes } => {
                    let Some((&id, known)) = model.iter_mut().nth(which) else { continue };
                    let said = Content { severity: Severity::ALL[severity], ..content("更正的公告", now.plus_ms(minutes * MINUTE)) };
                    match book.correct(id, None, order(said.clone(), &communities), now) {
                        Ok(Some(notice)) => {
                            prop_assert!(notice.change > change);
                            change = notice.change;
                            let places = communities.iter().copied().collect();
                            *known = Simple { severity: said.severity, revision: known.revision + 1, changed: now, expires: said.expires, places, cancelled: false };
                            book.put_notice(notice);
                        }
                        Ok(None) => prop_assert!(false, "a later expiry is a change"),
                        Err(Error::Ended(_)) => prop_assert!(known.cancelled || known.expires <= now),
                        Err(Error::Full(_)) => {}
                        Err(e) => prop_assert!(false, "{e}"),
                    }
                }
                Step::Cancel { which } => {
                    let Some((&id, known)) = model.iter_mut().nth(which) else { continue };
                    match book.cancel(cancel(id), now) {
                        Ok(notice) => {
                            prop_assert!(!known.cancelled && now < known.expires);
                            change = notice.change;
                            known.cancelled = true;
                            book.put_notice(notice);
                        }
                        Err(Error::Ended(_)) => prop_assert!(known.cancelled || known.expires <= now),
                        Err(e) => prop_assert!(false, "{e}"),
                    }
                }
                Step::Wait { minutes } => minute += minutes,
            }
            let now = at(minute).plus_ms(n as i64);
            for (c, player) in players.iter_mut().enumerate() {
                let mut wanted: Vec<(Severity, Moment, NoticeId, u32)> = model
                    .iter()
                    .filter(|(_, m)| !m.cancelled && now < m.expires && m.places.contains(&c))
                    .map(|(id, m)| (m.severity, m.changed, *id, m.revision))
                    .collect();
                wanted.sort_unstable();
                wanted.reverse();
                let shown: Vec<(NoticeId, u32)> = book.shown(&key(c), now).iter().map(|n| (n.id, n.latest().unwrap().number)).collect();
                prop_assert_eq!(&shown, &wanted.iter().map(|w| (w.2, w.3)).collect::<Vec<_>>());
                prop_assert!(shown.len() <= MAX_IN_FORCE);
                // Each player at moments of its own: some miss a whole revision.
                if (n + c) % (c + 1) == 0 {
                    player.poll(&feed(&book, &key(c), now), now);
                    let on: BTreeSet<String> = player.0.keys().cloned().collect();
                    let right: BTreeSet<String> = shown.iter().map(|(id, r)| format!("140100-{id}-r{r}")).collect();
                    prop_assert_eq!(on, right);
                }
            }
        }
        minute += 1;
        // Every document that a player may ask for is one that the standard allows, under its own name.
        for notice in book.notices() {
            for community in notice.communities() {
                let said = notice.last_said(&community, at(minute)).unwrap();
                let name = notice.alert_name(said).to_string();
                prop_assert_eq!(name.parse::<AlertName>().unwrap(), notice.alert_name(said));
                let xml = notice.alert(said, "太原供电公司").unwrap().xml();
                prop_assert!(xml.is_ok(), "{:?}", xml);
            }
            let text = serde_json::to_string(&**notice).unwrap();
            prop_assert_eq!(&serde_json::from_str::<Notice>(&text).unwrap(), &**notice);
        }
    }
}

#[test]
fn a_community_that_a_correction_leaves_out_is_told_and_may_come_back() {
    let mut book = book();
    let first = book.publish(order(content("停电", at(600)), &[0, 1]), at(0)).unwrap();
    book.put_notice(first.clone());
    let narrowed = book.correct(first.id, Some(1), order(content("停电", at(600)), &[0]), at(1)).unwrap().unwrap();
    book.put_notice(narrowed.clone());
    assert!(book.shown(&key(1), at(2)).is_empty());
    let left = narrowed.last_said(&key(1), at(2)).unwrap();
    let alert = narrowed.alert(left, "太原").unwrap();
    assert_eq!(alert.reference.identifier, "140100-N00000001-r2-c");
    assert_eq!(alert.kind.references().len(), 1);
    assert_eq!(alert.infos[0].areas.len(), 1, "only the community that is left out");
    let again = book.correct(first.id, None, order(content("停电", at(600)), &[0, 1]), at(3)).unwrap().unwrap();
    let update = again.alert(again.last_said(&key(1), at(4)).unwrap(), "太原").unwrap();
    assert_eq!(update.kind.references().len(), 3, "both revisions and the cancellation");
    book.put_notice(again.clone());
    assert_eq!(again.state_of(&again.revisions[0], at(4)), NoticeState::Replaced);
    assert_eq!(again.state_of(&again.revisions[2], at(4)), NoticeState::InForce);
    assert_eq!(again.state(at(600)), NoticeState::Expired);
}

#[test]
fn the_longest_history_has_no_more_references_than_an_alert_may() {
    let mut book = book();
    let first = book.publish(order(content("停电", at(60)), &[0, 1]), at(0)).unwrap();
    let id = first.id;
    book.put_notice(first);
    for n in 1..MAX_REVISIONS as i64 {
        let places: &[usize] = if n % 2 == 0 { &[0, 1] } else { &[2] };
        let next = book.correct(id, None, order(content("停电", at(60 + n)), places), at(n)).unwrap().unwrap();
        book.put_notice(next);
    }
    let more = book.correct(id, None, order(content("停电", at(1000)), &[0]), at(40)).unwrap_err();
    assert!(matches!(more, Error::Full(_)), "{more}");
    let ended = book.cancel(cancel(id), at(40)).unwrap();
    let alert = ended.alert(ended.last_said(&key(2), at(41)).unwrap(), "太原").unwrap();
    assert_eq!(alert.kind.references().len(), 2 * MAX_REVISIONS - 1);
    alert.xml().unwrap();
}

#[test]
fn what_breaks_a_rule_is_refused_by_its_field() {
    let book = book();
    let good = || order(content("停电", at(60)), &[0]);
    let with = |change: fn(&mut NoticeOrder)| {
        let mut order = good();
        change(&mut order);
        book.publish(order, at(0)).unwrap_err().to_string()
    };
    for (field, error) in [
        ("title", with(|o| o.content.title = "请致电13800001234".into())),
        ("title", with(|o| o.content.title = "停".repeat(41))),
        ("title", with(|o| o.content.title = "停电\n通知".into())),
        ("body", with(|o| o.content.body = "户号0100000008停电".into())),
        ("body", with(|o| o.content.body = String::new())),
        ("expires", with(|o| o.content.expires = at(0))),
        ("expires", with(|o| o.content.expires = at((MAX_DAYS + 1) * 1440))),
        ("ends", with(|o| (o.content.begins, o.content.ends) = (Some(at(9)), Some(at(8))))),
        ("communities", with(|o| o.communities.clear())),
        ("communities", with(|o| o.prefecture = PrefectureCode(140_200))),
        ("sender", with(|o| o.sender = "a b".into())),
        ("origin", with(|o| o.origin = "a b".into())),
        ("140100-elsewhere", with(|o| o.communities.push("140100-elsewhere".parse().unwrap()))),
    ] {
        assert!(error.contains(&format!("`{field}`")), "{field}: {error}");
    }
    book.publish(good(), at(0)).unwrap();
}

#[test]
fn one_thing_has_one_notice_and_who_says_it_again_corrects_it() {
    let mut book = book();
    let about = |content| NoticeOrder { origin: "outage/7".into(), ..order(content, &[0]) };
    let first = book.say(about(content("停电", at(60))), at(0)).unwrap().unwrap();
    book.put_notice(first.clone());
    assert!(book.say(about(content("停电", at(60))), at(1)).unwrap().is_none(), "the same again is nothing");
    let twice = book.publish(about(content("停电", at(60))), at(1)).unwrap_err();
    assert!(matches!(twice, Error::Told { .. }), "{twice}");
    let second = book.say(about(content("停电延迟", at(90))), at(2)).unwrap().unwrap();
    assert_eq!((second.id, second.revisions.len()), (first.id, 2));
    book.put_notice(second);
    let stale = book.correct(first.id, Some(1), about(content("x", at(90))), at(3)).unwrap_err();
    assert!(matches!(stale, Error::Changed { found: 2, .. }), "{stale}");
    book.put_notice(book.cancel(cancel(first.id), at(4)).unwrap());
    let new = book.say(about(content("再次停电", at(90))), at(5)).unwrap().unwrap();
    assert_ne!(new.id, first.id, "what was taken back stays so");
    book.put_notice(new.clone());
    assert_eq!(book.of_origin("outage/7", at(6)).unwrap().id, new.id);
}

#[test]
fn communities_are_found_by_what_feeds_them_and_removed_when_nothing_is_there() {
    let mut book = book();
    let found = book.fed_by(TAIYUAN, ["T-1", "T-3", "T-9"]);
    assert_eq!(found, BTreeSet::from([key(1), key(3)]));
    assert_eq!(book.fed_by(TAIYUAN, ["T-shared"]).len(), 4);
    assert_eq!(book.fed_by(PrefectureCode(140_200), ["T-1"]).len(), 0);
    assert_eq!(book.of_sections(TAIYUAN, &[2]), BTreeSet::from([key(2)]));
    book.put_community(Community { transformers: BTreeSet::new(), ..community(1) });
    assert!(book.fed_by(TAIYUAN, ["T-1"]).is_empty());
    let screen = Screen {
        id: book.next_screen(),
        community: key(0),
        place: "南门门厅".into(),
        kind: ScreenKind::Kiosk,
        secret: "ab".into(),
        by: "wang".into(),
        at: at(0),
    };
    book.check_screen(&screen).unwrap();
    book.put_screen(screen.clone());
    assert_eq!(book.screen_of("ab").unwrap().id, ScreenId(1));
    let e = book.check_removal(&key(0), at(0)).unwrap_err();
    assert!(matches!(e, Error::InUse(_)), "{e}");
    book.put_screen(Screen { secret: "cd".into(), ..screen });
    assert!(book.screen_of("ab").is_none(), "an address that was changed is worth nothing");
    book.remove_screen(ScreenId(1));
    book.check_removal(&key(0), at(0)).unwrap();
    book.remove_community(&key(0));
    assert_eq!(book.fed_by(TAIYUAN, ["T-shared"]).len(), 3 - 1);
}

#[test]
fn a_phone_number_of_a_contact_shows_itself_masked() {
    let text = r#"{"key":"140100-c0","name":"锦绣花园","contacts":[{"role":"property-manager","title":"锦绣物业","phone":"138-0000-1234"}]}"#;
    let community: Community = serde_json::from_str(text).unwrap();
    community.check().unwrap();
    let shown = format!("{community:?}");
    assert!(shown.contains("138****1234") && !shown.contains("0000"), "{shown}");
    assert!(serde_json::from_str::<Community>(&text.replace("138-0000-1234", "abc")).is_err());
}
