//! The life of an outage: who may do what when, lead times, editions, what is told as one, documents, fault reports, answers and evidence.
#![allow(clippy::unwrap_used, reason = "a test stops where it fails")]

use gridbell_model::{AccountNumber, Channel, Moment, OrgCode, PrefectureCode};
use gridbell_outages::{
    Affected, Answer, Book, COLUMNS, Case, Change, Class, Concerned, Content, Crew, DraftOrder, Error, Evidence,
    EvidenceCase, FOLD_MS, Facts, Head, Hit, Judge, Kind, LeadRules, Level, MAX_FOLD_MS, MAX_SCOPE, Outage, OutageId,
    Owed, Phase, ProposalRule, Quiet, Receipt, Report, ReportOrder, Revision, SYSTEM, Say, Scope, ShortNotice, Step,
    StepOrder, Stretch, Told, Via, may_follow,
};

const CITY: PrefectureCode = PrefectureCode(140_100);
const HOUR: i64 = 3_600_000;

/// 2026-11-20T08:00 and so many hours.
fn at(hours: i64) -> Moment {
    Moment::from_unix_ms(1_795_132_800_000 + hours * HOUR)
}

fn account(n: u64) -> AccountNumber {
    format!("{n:010}").parse().unwrap()
}

fn content(from: i64, until: Option<i64>) -> Content {
    Content {
        scope: Scope::transformer("T1"),
        from: at(from),
        until: until.map(at),
        reason: "10kV城南线检修".into(),
        class: Class::Minor,
    }
}

fn draft(kind: Kind, content: Content) -> DraftOrder {
    DraftOrder { prefecture: CITY, kind, content, by: "wang".into(), why: String::new() }
}

fn step(id: OutageId, by: &str) -> StepOrder {
    StepOrder { id, expected: None, by: by.into(), why: "检修计划调整".into() }
}

fn concerned(n: u64) -> Concerned {
    Concerned { account: account(n), lost: 1, maybe: 0, sources: 1 }
}

fn put(book: &mut Book, outage: Outage) -> OutageId {
    let id = outage.id();
    book.put(outage);
    book.set_affected(id, Affected::new((1..4).map(concerned).collect(), vec!["T1".into()]));
    id
}

/// Puts what a step of a book came to into it.
macro_rules! put {
    ($book:ident, $made:expr) => {{
        let made = $made;
        put(&mut $book, made)
    }};
}

/// An outage of `kind` that begins and ends so many hours from now, published with a word on its short notice.
fn published(mut book: &mut Book, kind: Kind, from: i64, until: i64) -> OutageId {
    let id = put!(book, book.draft(draft(kind, content(from, Some(until))), at(0)).unwrap());
    if kind.needs_approval() {
        put!(book, book.approve(step(id, "li"), Some("设备缺陷".into()), at(0)).unwrap());
    }
    put!(book, book.publish(step(id, "wang"), &LeadRules::default(), at(0)).unwrap())
}

/// A book with an outage in `phase`.
fn in_phase(phase: Phase) -> (Book, OutageId) {
    let mut book = Book::default();
    let id = put!(book, book.draft(draft(Kind::Planned, content(200, Some(204))), at(0)).unwrap());
    let steps: &[Phase] = match phase {
        Phase::Draft => &[],
        Phase::Approved => &[Phase::Approved],
        Phase::Published => &[Phase::Approved, Phase::Published],
        Phase::InProgress => &[Phase::Approved, Phase::Published, Phase::InProgress],
        other => &[Phase::Approved, Phase::Published, Phase::InProgress, other][..],
    };
    for next in steps {
        let now = at(if next.is_public() && *next != Phase::Published { 200 } else { 0 });
        let order = step(id, "li");
        let made = match next {
            Phase::Approved => book.approve(order, None, now),
            Phase::Published => book.publish(order, &LeadRules::default(), now),
            Phase::InProgress => book.begin(order, now),
            Phase::PartlyRestored => book.restore_part(order, Scope::transformer("T1"), now),
            Phase::Restored => book.restore(order, now, now),
            _ => book.cancel(order, now),
        };
        put!(book, made.unwrap());
    }
    assert_eq!(book.outage(id).unwrap().phase(), phase);
    (book, id)
}

#[test]
fn a_step_is_taken_exactly_where_the_table_has_it() {
    for phase in Phase::ALL {
        for wanted in Step::ALL {
            let (book, id) = in_phase(*phase);
            let begins = phase.is_running() || *wanted == Step::Begin;
            let (order, now) = (step(id, "zhao"), at(if begins { 201 } else { 1 }));
            let later = Content { until: Some(at(206)), ..content(200, None) };
            let rules = LeadRules::default();
            let made = match wanted {
                Step::Edit => book.edit(order, later, now).map(|_| ()),
                Step::Approve => book.approve(order, None, now).map(|_| ()),
                Step::Publish => book.publish(order, &rules, now).map(|_| ()),
                Step::Change => book.change(order, later, None, &rules, now).map(|_| ()),
                Step::Begin => book.begin(order, now).map(|_| ()),
                Step::RestorePart => book.restore_part(order, Scope::transformer("T1"), now).map(|_| ()),
                Step::Restore => book.restore(order, now, now).map(|_| ()),
                Step::Cancel => book.cancel(order, now).map(|_| ()),
            };
            let may = may_follow(*phase, true);
            match made {
                Ok(()) => assert!(may.contains(wanted), "{phase:?} {wanted:?}"),
                Err(Error::Step { may: said, .. }) => {
                    assert!(!may.contains(wanted) && said == may, "{phase:?} {wanted:?}")
                }
                Err(other) => panic!("{phase:?} {wanted:?}: {other}"),
            }
        }
    }
}

#[test]
fn a_planned_outage_needs_another_person_and_its_lead_time() {
    let mut book = Book::default();
    let id = put!(book, book.draft(draft(Kind::Planned, content(100, Some(104))), at(0)).unwrap());
    assert!(matches!(book.publish(step(id, "li"), &LeadRules::default(), at(0)), Err(Error::Step { .. })));
    assert!(matches!(book.approve(step(id, "wang"), None, at(0)), Err(Error::OwnWork { .. })));
    put!(book, book.approve(step(id, "li"), None, at(0)).unwrap());
    let edited = book.edit(step(id, "zhao"), content(100, Some(105)), at(0)).unwrap();
    assert!(edited.latest().approved.is_none(), "what was approved is not what is there now");
    put!(book, edited);
    assert!(
        matches!(book.approve(step(id, "zhao"), None, at(0)), Err(Error::OwnWork { .. })),
        "an editor is an author"
    );
    assert!(
        matches!(book.approve(step(id, "wang"), None, at(0)), Err(Error::OwnWork { .. })),
        "who wrote it first, too"
    );
    put!(book, book.approve(step(id, "li"), None, at(0)).unwrap());
    let refused = book.publish(step(id, "wang"), &LeadRules::default(), at(0)).unwrap_err();
    assert_eq!(refused, Error::ShortNotice { needed: 7 * 24 * 60, had: 100 * 60 });
    put!(book, book.approve(step(id, "li"), Some("设备缺陷，不能再等".into()), at(0)).unwrap());
    let id = put!(book, book.publish(step(id, "wang"), &LeadRules::default(), at(0)).unwrap());
    let short = book.outage(id).unwrap().latest().short.clone().unwrap();
    assert_eq!((short.needed, short.had, short.approval.approved_by.as_str()), (10_080, 6_000, "li"));
    // A week later in force the rule is another; who is new has its lead time too.
    let rules: LeadRules = serde_json::from_str(
        r#"[{"kind":"planned","minutes":10080,"from":"2020-01-01"},{"kind":"planned","minutes":60,"from":"2026-11-01"},
            {"kind":"planned","minutes":99999,"from":"2027-01-01"}]"#,
    )
    .unwrap();
    assert_eq!(rules.needed(Kind::Planned, at(0)), 60, "the newest that holds");
    let mut wider = content(100, Some(105));
    wider.scope.transformers.insert("T2".into());
    let change = |short, by: &str| book.change(step(id, by), wider.clone(), short, &LeadRules::default(), at(1));
    assert!(matches!(change(None, "wang"), Err(Error::ShortNotice { .. })));
    let answers = || Some(ShortNotice { approved_by: "li".into(), why: "设备缺陷".into() });
    assert!(matches!(change(answers(), "li"), Err(Error::OwnWork { .. })));
    let widened = change(answers(), "wang").unwrap().unwrap();
    assert!(widened.latest().changes.contains(&Change::Widened) && widened.latest().short.is_some());
    let fault = book.declare(draft(Kind::Fault, content(-1, None)), &LeadRules::default(), at(0)).unwrap();
    assert_eq!((fault.phase(), fault.head.published), (Phase::InProgress, Some(at(0))));
}

#[test]
fn what_breaks_a_rule_is_refused_by_its_field() {
    let book = Book::default();
    let wrong = |kind, content: Content| match book.draft(draft(kind, content), at(0)) {
        Err(Error::Field { field, .. }) => field,
        other => panic!("{other:?}"),
    };
    let base = || content(200, Some(204));
    assert_eq!(wrong(Kind::Planned, Content { until: None, ..base() }), "until");
    assert_eq!(wrong(Kind::Fault, Content { until: None, ..base() }), "until");
    assert_eq!(wrong(Kind::Planned, Content { until: Some(at(199)), ..base() }), "until");
    assert_eq!(wrong(Kind::Planned, Content { from: at(200).plus_ms(1), ..base() }), "from");
    assert_eq!(wrong(Kind::Planned, Content { from: at(24 * 365), ..base() }), "from");
    assert_eq!(wrong(Kind::Planned, Content { reason: "请致电13800001234".into(), ..base() }), "reason");
    assert_eq!(wrong(Kind::Planned, Content { scope: Scope::default(), ..base() }), "scope");
    assert_eq!(wrong(Kind::Planned, Content { scope: Scope::transformer("T 1"), ..base() }), "transformers");
    let many = (0..=MAX_SCOPE).map(|n| format!("T{n}")).collect();
    assert_eq!(
        wrong(Kind::Planned, Content { scope: Scope { transformers: many, ..Scope::default() }, ..base() }),
        "scope"
    );
}

#[test]
fn nobody_is_cut_off_before_the_announced_time_without_a_change() {
    let (mut book, id) = in_phase(Phase::Published);
    assert!(matches!(book.begin(step(id, "crew"), at(199)), Err(Error::Field { field: "from", .. })));
    put!(book, book.begin(step(id, "crew"), at(200).plus_ms(-240_000)).unwrap());
    assert_eq!(book.outage(id).unwrap().phase(), Phase::InProgress);
}

#[test]
fn whoever_read_another_edition_reads_again() {
    let mut book = Book::default();
    let id = published(&mut book, Kind::Fault, -1, 4);
    let read = book.outage(id).unwrap().head.edition;
    let order = |expected| StepOrder { expected: Some(expected), ..step(id, "li") };
    put!(book, book.crew(id, Crew::Arrived, "crew", at(0)).unwrap());
    assert!(matches!(book.cancel(order(read), at(0)), Err(Error::Changed { .. })));
    assert!(book.cancel(order(read + 1), at(0)).is_ok());
    let same = book.outage(id).unwrap().latest().content.clone();
    assert_eq!(book.change(step(id, "li"), same, None, &LeadRules::default(), at(0)).unwrap(), None);
}

#[test]
fn quick_revisions_are_told_as_one_and_nobody_waits_for_ever() {
    let mut book = Book::default();
    let id = published(&mut book, Kind::Fault, -1, 4);
    let ms = |ms| at(0).plus_ms(ms);
    assert!(book.due(ms(FOLD_MS - 1)).is_empty());
    assert_eq!((book.next_due(), book.due(ms(FOLD_MS))), (Some(ms(FOLD_MS)), vec![id]));
    for n in 1..20 {
        let now = ms(n * 100);
        let later = Content { until: Some(at(4 + n)), ..book.outage(id).unwrap().latest().content.clone() };
        put!(book, book.change(step(id, "li"), later, None, &LeadRules::default(), now).unwrap().unwrap());
        assert_eq!(book.due(now).is_empty(), n * 100 < MAX_FOLD_MS, "{n}");
    }
    let changes = book.trigger(id).unwrap().changes;
    assert_eq!(changes, [Change::Published, Change::Delayed].into());
    put!(book, book.told(id, 20).unwrap());
    assert!(book.due(at(9)).is_empty() && book.next_due().is_none());
    assert!(book.told(id, 21).is_err());
}

#[test]
fn an_outage_is_the_same_from_its_documents_and_each_of_them_fits() {
    let (book, id) = in_phase(Phase::PartlyRestored);
    let outage = book.outage(id).unwrap();
    let again = |r: &Revision| serde_json::from_str::<Revision>(&serde_json::to_string(r).unwrap()).unwrap();
    let head: Head = serde_json::from_str(&serde_json::to_string(&outage.head).unwrap()).unwrap();
    assert_eq!(Outage::new(head.clone(), outage.revisions().iter().map(again).collect()).unwrap(), **outage);
    assert!(Outage::new(head.clone(), Vec::new()).is_err());
    assert!(Outage::new(head, outage.revisions()[1..].to_vec()).is_err());
    // What is not there is as it was before there was such a field.
    let old = r#"{"number":1,"phase":"draft","content":{"scope":{"lines":["L1"]},"from":1795132800000,"reason":"x","class":"minor"},"by":"a","at":0}"#;
    assert!(serde_json::from_str::<Revision>(old).unwrap().back.is_empty());
    let codes = |letter: &str| (0..MAX_SCOPE).map(|n| format!("{letter}{n:039}")).collect();
    let mut largest = outage.latest().clone();
    largest.content.scope = Scope { transformers: codes("T"), ..Scope::default() };
    largest.back = vec![Scope { transformers: codes("T"), ..Scope::default() }];
    largest.why = "为".repeat(200);
    assert!(serde_json::to_vec(&largest).unwrap().len() < 1 << 20, "a document has a mebibyte");
}

fn report(account: Option<AccountNumber>, transformer: &str) -> ReportOrder {
    let transformer = Some(transformer.to_owned());
    ReportOrder { prefecture: CITY, account, transformer, via: Via::Agent, what: "家里没电".into() }
}

#[test]
fn reports_attach_to_the_fault_that_explains_them_and_many_propose_one() {
    let mut book = Book::default();
    let rule = ProposalRule { reports: 2, minutes: 15 };
    // The same customer twice is one.
    for n in [1, 1, 2] {
        assert!(book.proposals(CITY, rule, at(0)).is_empty());
        book.put_report(book.take_report(report(Some(account(n)), "T1"), at(0)).unwrap());
    }
    assert!(book.proposals(CITY, rule, at(1)).is_empty(), "an hour later they are no storm");
    let order = book.proposals(CITY, rule, at(0)).pop().unwrap();
    assert_eq!((order.kind, order.by.as_str()), (Kind::Fault, SYSTEM));
    let id = put!(book, book.draft(order, at(0)).unwrap());
    assert_eq!(book.outage(id).unwrap().phase(), Phase::Draft, "a person publishes");
    assert!(book.proposals(CITY, rule, at(0)).is_empty(), "it is proposed already");
    let other = book.take_report(report(Some(account(9)), "T9"), at(0)).unwrap();
    book.put_report(other);
    put!(book, book.publish(step(id, "wang"), &LeadRules::default(), at(0)).unwrap());
    let attached: Vec<Report> = book.attached_by(id, at(0));
    assert_eq!(attached.len(), 3);
    attached.into_iter().for_each(|r| book.put_report(r));
    assert_eq!(book.reports_of(id).count(), 3);
    assert_eq!(book.take_report(report(Some(account(3)), "T8"), at(0)).unwrap().outage, Some(id), "by the account");
    assert_eq!(book.take_report(report(None, "T1"), at(0)).unwrap().outage, Some(id), "by the transformer");
    assert!(book.take_report(ReportOrder { what: "电话13800001234".into(), ..report(None, "T1") }, at(0)).is_err());
    assert!(book.take_report(ReportOrder { transformer: None, ..report(None, "T1") }, at(0)).is_err());
}

fn told(outage: OutageId, say: Say, from: i64, until: i64, channel: Channel, receipt: Receipt) -> Told {
    let stretch = Stretch { from: at(from), until: Some(at(until)), level: Level::Off };
    Told { outage, revision: 1, say, facts: Facts(vec![stretch]), at: at(0), channel, receipt, message: None }
}

/// What is owed to customer 1 about `id`.
fn owed(book: &Book, id: OutageId, told: &[Told], now: Moment) -> Owed {
    let (trigger, mut hits) = (book.trigger(id).unwrap(), Vec::new());
    book.hits(account(1), &mut hits);
    let content = book.outage(id).unwrap().revisions()[0].content.clone();
    let before = (!trigger.first).then(|| Hit::new(id, &content, concerned(1)));
    Judge::default().owed(&Case { now, trigger: &trigger, before, hits: &hits, told }).owed
}

#[test]
fn overlapping_outages_are_one_cut_of_power() {
    let mut book = Book::default();
    let long = published(&mut book, Kind::Temporary, 100, 106);
    let knows = [told(long, Say::Announce, 100, 106, Channel::Wechat, Receipt::Delivered)];
    let within = published(&mut book, Kind::Temporary, 102, 104);
    assert_eq!(owed(&book, within, &knows, at(1)), Owed::Nothing(Quiet::Covered));
    let beyond = published(&mut book, Kind::Temporary, 104, 108);
    let Owed::Tell(telling) = owed(&book, beyond, &knows, at(1)) else { panic!("longer than he knows") };
    let whole = Stretch { from: at(100), until: Some(at(108)), level: Level::Off };
    assert_eq!((telling.say, telling.by, telling.facts.0), (Say::Extended, Some(Channel::Wechat), vec![whole]));
    put!(book, book.cancel(step(beyond, "li"), at(1)).unwrap());
    put!(book, book.cancel(step(long, "li"), at(1)).unwrap());
    let Owed::Tell(telling) = owed(&book, long, &knows, at(1)) else { panic!("he is told the truth") };
    let still = telling.facts.cuts().copied().collect::<Vec<_>>();
    assert_eq!(
        (telling.say, still),
        (Say::Still, vec![Stretch { from: at(102), until: Some(at(104)), level: Level::Off }])
    );
}

#[test]
fn a_cancellation_goes_where_the_first_arrived_and_to_nobody_else() {
    let mut book = Book::default();
    let id = published(&mut book, Kind::Temporary, 100, 106);
    put!(book, book.cancel(step(id, "li"), at(1)).unwrap());
    let failed = told(id, Say::Announce, 100, 106, Channel::Sms, Receipt::Failed);
    let arrived = told(id, Say::Announce, 100, 106, Channel::Wechat, Receipt::Delivered);
    let later = told(id, Say::Announce, 100, 106, Channel::Alipay, Receipt::Delivered);
    let Owed::Tell(telling) = owed(&book, id, &[failed.clone(), arrived, later], at(1)) else { panic!("he was told") };
    assert_eq!((telling.say, telling.must, telling.by), (Say::Cancelled, true, Some(Channel::Wechat)));
    assert_eq!(owed(&book, id, &[failed], at(1)), Owed::Nothing(Quiet::NotConcerned));
    let waits = [told(id, Say::Announce, 100, 106, Channel::Sms, Receipt::Waiting)];
    let (trigger, mut judge) = (book.trigger(id).unwrap(), Judge::default());
    let verdict = judge.owed(&Case { now: at(1), trigger: &trigger, before: None, hits: &[], told: &waits });
    assert!(verdict.recall && judge.recalls(&waits[0]) && matches!(verdict.owed, Owed::Nothing(_)));
}

#[test]
fn who_sits_in_the_dark_beyond_the_end_he_was_told_hears_of_a_delay() {
    let mut book = Book::default();
    let id = published(&mut book, Kind::Fault, -1, 2);
    let knows = [told(id, Say::Announce, -1, 2, Channel::Sms, Receipt::Delivered)];
    let later = Content { until: Some(at(5)), ..book.outage(id).unwrap().latest().content.clone() };
    assert_eq!(book.overdue(at(3)).count(), 1, "somebody must say what is");
    put!(book, book.change(step(id, "li"), later, None, &LeadRules::default(), at(3)).unwrap().unwrap());
    let Owed::Tell(telling) = owed(&book, id, &knows, at(3)) else { panic!("it is off still") };
    assert_eq!((telling.say, telling.by), (Say::Delayed, Some(Channel::Sms)));
    put!(book, book.restore(step(id, "crew"), at(5), at(5)).unwrap());
    let knows = [knows[0].clone(), told(id, Say::Delayed, -1, 5, Channel::Sms, Receipt::Delivered)];
    let Owed::Tell(telling) = owed(&book, id, &knows, at(5)) else { panic!("the city may say so") };
    assert_eq!((telling.say, telling.must), (Say::Restored, false));
}

#[test]
fn a_person_is_answered_in_words() {
    let mut book = Book::default();
    let id = published(&mut book, Kind::Temporary, 100, 106);
    let later = Content { until: Some(at(108)), ..book.outage(id).unwrap().latest().content.clone() };
    put!(book, book.change(step(id, "li"), later, None, &LeadRules::default(), at(1)).unwrap().unwrap());
    let answer = |sources, at| {
        let with = Concerned { sources, ..concerned(1) };
        let told = [told(id, Say::Announce, 100, 106, Channel::Wechat, Receipt::Delivered)];
        Answer::of(book.on_customer(account(1)).map(|o| (o.as_ref(), with)), &told, at)
    };
    let first = answer(1, at(2));
    assert_eq!(first.level, Level::On, "not yet");
    assert_eq!(
        first.chinese(),
        "您好，您处将因临时停电（10kV城南线检修）停电，11月24日12:00开始，预计11月24日20:00恢复，可能提前送电（有变更：延迟送电）。\
         我们已于11月20日08:00通过微信告知您。咨询请拨打95598。"
    );
    assert_eq!((answer(1, at(101)).level, answer(2, at(101)).level), (Level::Off, Level::Part));
    assert!(answer(1, at(200)).chinese().contains("没有查询到"), "what never began is no outage a hundred hours later");
    let fault = published(&mut book, Kind::Fault, -1, 2);
    let going = Answer::of(book.on_customer(account(2)).map(|o| (o.as_ref(), concerned(2))), &[], at(3));
    assert_eq!((going.level, going.outages[0].outage), (Level::Off, fault), "it goes on until somebody says otherwise");
}

#[test]
fn evidence_names_everybody_once_and_says_what_share_was_told() {
    let mut book = Book::default();
    let id = published(&mut book, Kind::Planned, 100, 106);
    let arrived = [
        told(id, Say::Announce, 100, 106, Channel::Sms, Receipt::Failed),
        told(id, Say::Announce, 100, 106, Channel::Wechat, Receipt::Delivered),
    ];
    let mut evidence = Evidence::begin(book.outage(id).unwrap());
    let mut rows = Vec::new();
    let station = OrgCode(14_010_501);
    let cases = [
        (1, &arrived[..], "", None),
        (2, &arrived[..1], "号码为空号", None),
        (3, &[][..], "无手机号", Some(("W12", "已送达"))),
    ];
    for (n, told, not_reached, task) in cases {
        let case = EvidenceCase { concerned: concerned(n), station, told, not_reached, task };
        evidence.add(id, &case, |row| rows.push(row));
    }
    assert_eq!((evidence.affected, evidence.delivered, evidence.tasked, evidence.coverage()), (3, 1, 1, 6_666));
    assert_eq!(evidence.not_reached.iter().map(|(w, n)| (w.as_str(), *n)).collect::<Vec<_>>(), [("号码为空号", 1)]);
    assert_eq!(evidence.short.get(&1), Some(&(10_080 - 6_000)), "its notice was short");
    let cells = rows.iter().map(|r| r.cells()).collect::<Vec<_>>();
    assert_eq!((cells.len(), cells[0].len()), (4, COLUMNS.len()));
    assert_eq!(cells[3][0], "0000000003");
    assert_eq!(Evidence::default().coverage(), 10_000);
}

/// What is owed to customer 1 about `id`, who was hit by it before as `before` says, and what of `told` is to be taken back.
fn judged(book: &Book, id: OutageId, before: Option<(i64, i64)>, told: &[Told], now: Moment) -> (Owed, Vec<bool>) {
    let (trigger, mut hits, mut judge) = (book.trigger(id).unwrap(), Vec::new(), Judge::default());
    book.hits(account(1), &mut hits);
    let before = before.map(|(from, until)| Hit::new(id, &content(from, Some(until)), concerned(1)));
    let owed = judge.owed(&Case { now, trigger: &trigger, before, hits: &hits, told }).owed;
    (owed, told.iter().map(|t| judge.recalls(t)).collect())
}

#[test]
fn what_waits_and_is_out_of_date_is_taken_back() {
    let mut book = Book::default();
    let id = published(&mut book, Kind::Fault, -1, 4);
    put!(book, book.told(id, 1).unwrap());
    // Of a cut that is over by what it says.
    let over = [told(id, Say::Announce, -1, 2, Channel::Sms, Receipt::Waiting)];
    let other = published(&mut book, Kind::Temporary, 100, 106);
    assert_eq!(judged(&book, other, None, &over, at(3)).1, [true]);
    // That the power is back, where it is not.
    let back = Told { facts: Facts::default(), ..told(id, Say::Restored, 0, 0, Channel::Sms, Receipt::Waiting) };
    assert_eq!(judged(&book, id, None, &[back], at(1)).1, [true]);
    // What is right may leave.
    let right = [told(id, Say::Announce, -1, 4, Channel::Sms, Receipt::Waiting)];
    assert_eq!(judged(&book, id, Some((-1, 4)), &right, at(1)), (Owed::Nothing(Quiet::OnItsWay), vec![false]));
}

#[test]
fn what_was_taken_back_for_one_time_is_told_again_for_the_others() {
    let mut book = Book::default();
    let one = published(&mut book, Kind::Temporary, 100, 106);
    let other = published(&mut book, Kind::Temporary, 120, 126);
    let of = |from, until| Stretch { from: at(from), until: Some(at(until)), level: Level::Off };
    let both = Told {
        facts: Facts(vec![of(100, 106), of(120, 126)]),
        ..told(one, Say::Announce, 0, 0, Channel::Sms, Receipt::Recalled)
    };
    let Owed::Tell(telling) = judged(&book, other, None, &[both], at(1)).0 else { panic!("he knows nothing") };
    assert_eq!(telling.facts.0, [of(100, 106), of(120, 126)]);
}

#[test]
fn what_he_knows_is_not_said_again_beside_the_news() {
    let mut book = Book::default();
    let id = published(&mut book, Kind::Temporary, 100, 106);
    published(&mut book, Kind::Temporary, 100, 106);
    put!(book, book.told(id, 1).unwrap());
    let answers = Some(ShortNotice { approved_by: "li".into(), why: "设备缺陷".into() });
    let later = content(150, Some(156));
    put!(book, book.change(step(id, "wang"), later, answers, &LeadRules::default(), at(1)).unwrap().unwrap());
    let knows = [told(id, Say::Announce, 100, 106, Channel::Wechat, Receipt::Delivered)];
    let Owed::Tell(telling) = judged(&book, id, Some((100, 106)), &knows, at(1)).0 else { panic!("it moved") };
    let moved = Stretch { from: at(150), until: Some(at(156)), level: Level::Off };
    assert_eq!((telling.say, telling.by, telling.facts.0), (Say::Rescheduled, Some(Channel::Wechat), vec![moved]));
}

#[test]
fn what_is_over_concerns_nobody_and_is_told_once() {
    let mut book = Book::default();
    let id = published(&mut book, Kind::Fault, -1, 2);
    let other = published(&mut book, Kind::Fault, -1, 3);
    assert_eq!(book.on_customer(account(1)).count(), 2);
    book.put(book.restore(step(id, "crew"), at(2), at(2)).unwrap());
    assert_eq!(book.on_customer(account(1)).map(|o| o.id()).collect::<Vec<_>>(), [other]);
    book.put(book.cancel(step(other, "li"), at(2)).unwrap());
    assert_eq!((book.on_customer(account(1)).count(), book.affected(other).unwrap().customers().len()), (0, 0));
    let back = Told { facts: Facts::default(), ..told(id, Say::Restored, 0, 0, Channel::Sms, Receipt::Delivered) };
    let knows = [told(id, Say::Announce, -1, 2, Channel::Sms, Receipt::Delivered), back];
    assert_eq!(judged(&book, id, None, &knows, at(2)).0, Owed::Nothing(Quiet::SameFacts));
}
