//! Records leave for the archives: only what has ended, nothing lost and nothing twice wherever the host is killed, and what the house still needs
//! stays.

#![expect(clippy::unwrap_used, reason = "a test stops where it fails")]

use std::collections::BTreeMap;
use std::ops::ControlFlow;
use std::sync::Arc;

use gridbell_archive::{Archive, Kind, Query};
use gridbell_clock::{Clock, Seed};
use gridbell_conductor::{ArchiveSearch, Archiver, HostError, Titles, search_archive};
use gridbell_model::{
    AccountNumber, Channel, CivilMinute, Date, Decision, Fen, HoldReason, Lane, MessageId, OrgCode, OrgLevel, OrgTree,
    OrgUnit, Phone, PrefectureCode, Topic, Traits,
};
use gridbell_state::*;
use gridbell_store::{Batch, Durability, Faults, Key, KeyRange, MemStore, Sealer, Store};
use proptest::prelude::*;
use tokio_util::sync::CancellationToken;

const TAIYUAN: PrefectureCode = PrefectureCode(140_100);
const CUSTOMERS: u64 = 700;

fn first_day() -> Date {
    Date::from_ymd(2026, 1, 5).unwrap()
}

fn account(n: u64) -> AccountNumber {
    format!("{n:010}").parse().unwrap()
}

fn phone(n: u64) -> Phone {
    Phone::from_text(&format!("138{n:08}"))
}

struct World {
    store: MemStore,
    sealer: Arc<Sealer>,
    clock: Clock,
    state: State,
    archive: Archive,
    directory: tempfile::TempDir,
}

impl World {
    async fn new() -> Self {
        Self::on(MemStore::new()).await
    }

    async fn on(store: MemStore) -> Self {
        let sealer = Arc::new(Sealer::new(&Key::parse(&"07".repeat(32), "test").unwrap()));
        let clock = Clock::manual(first_day().at(9, 0).moment());
        let (state, _) = State::open(Arc::new(store.clone()), Arc::clone(&sealer), clock.clone()).unwrap();
        let mut tree = OrgTree::default();
        for (code, parent, level) in [
            (14, None, OrgLevel::Province),
            (140_100, Some(14), OrgLevel::Prefecture),
            (14_010_501, Some(140_100), OrgLevel::Station),
        ] {
            tree.insert(OrgUnit { code: OrgCode(code), parent: parent.map(OrgCode), level, name: String::new() });
        }
        state.set_org(tree, vec![]).await.unwrap();
        let customers = (0..CUSTOMERS).map(|n| CustomerFact {
            account: account(n),
            station: OrgCode(14_010_501),
            section: None,
            traits: Traits::RESIDENT,
            traits_given: Traits::RESIDENT,
            name: Some(format!("客户{n}")),
            phone: Some(phone(n)),
            threshold: None,
        });
        state.facts(Facts::Customers(customers.collect()), false, vec![]).await.unwrap();
        let bill = |n| BillFact {
            account: account(n),
            period: 202_512,
            amount: Fen(5_000),
            kwh: 100,
            issued: first_day(),
            late_fee_from: first_day().plus_days(7),
            as_of: first_day(),
        };
        state.facts(Facts::Bills((0..CUSTOMERS).map(bill).collect()), false, vec![]).await.unwrap();
        let directory = tempfile::tempdir().unwrap();
        let archive = Archive::new(directory.path().join("archives"), Arc::clone(&sealer));
        Self { store, sealer, clock, state, archive, directory }
    }

    /// Kill -9 and start again.
    fn crash(&mut self) {
        let survivor = self.store.crash();
        self.open(survivor);
    }

    fn open(&mut self, store: MemStore) {
        self.state = State::open(Arc::new(store.clone()), Arc::clone(&self.sealer), self.clock.clone()).unwrap().0;
        self.store = store;
    }

    fn archiver(&self) -> Archiver {
        let titles = |_: &RunRecord| Titles { notices: vec!["提前通知".into()], reasons: vec!["欠费".into()] };
        Archiver::new(self.state.clone(), self.archive.clone(), self.clock.clone(), titles)
    }

    /// Keeps a day of everything, and the last run of each kind.
    fn cutoffs(&self) -> Cutoffs {
        Cutoffs::of_days(self.clock.today(), 1, 1, 1, 1, 1)
    }

    async fn pass(&self) -> Result<BTreeMap<Kind, u64>, HostError> {
        Ok(self.archiver().pass(&self.cutoffs(), "test", &CancellationToken::new()).await?.entries)
    }

    fn to_day(&self, n: i32) {
        self.clock.advance_to(first_day().plus_days(n).at(9, 0).moment());
    }

    /// A run that queues a message to each of `to` and holds the decision about each of `held`.
    async fn run(&self, to: std::ops::Range<u64>, held: std::ops::Range<u64>) -> RunRecord {
        let mut run = self.state.begin_run(TAIYUAN).await.unwrap();
        let snapshot = run.snapshot().clone();
        let all = (to.clone()).chain(held).map(|n| self.decision(&snapshot, n, to.contains(&n))).collect();
        run.push(all).await.unwrap();
        run.publish(self.record(), vec![], vec![note("run.publish", "")]).await.unwrap().0
    }

    fn decision(&self, snapshot: &Snapshot, n: u64, queued: bool) -> DecisionRecord {
        let view = snapshot.view(u32::try_from(n).unwrap()).unwrap();
        let decision = Decision {
            row: view.row,
            notice: 0,
            step: 1,
            reason: 0,
            route: 0,
            arg0: 5_000,
            arg1: 0,
            not_before: CivilMinute::NONE,
            expires: CivilMinute::NONE,
        };
        let message = QueuedMessage {
            number: 0,
            previous: 0,
            channel: Channel::Sms,
            phone: view.phone,
            station: view.station,
            text: format!("【国网山西电力】尾号{n}的电费50.00元未缴"),
            template: 1,
            parts: 1,
            cost_milli_fen: 3500,
            send_after: self.clock.civil_minute(),
            expires: self.clock.civil_minute().plus_minutes(600),
            lane: Lane::Bulk,
            queue: 1,
            key: view.business_key(Topic::ArrearsReminder),
            said_before: view.reminded_step,
            hop: 0,
            stated: Fen(5_000),
            sharing: gridbell_model::Sharing::Alone,
        };
        let outcome = if queued { Outcome::Queued(Box::new(message)) } else { Outcome::Held(HoldReason::OptedOut) };
        DecisionRecord::new(&decision, view.account, outcome)
    }

    fn record(&self) -> RunRecord {
        let now = self.clock.now();
        RunRecord {
            plugin: "arrears-reminder".into(),
            plugin_version: "0.1.0".into(),
            digest: "00".into(),
            params: "{\"steps\":[7]}".into(),
            trigger: 1,
            schedule: "morning".into(),
            scheduled_at: now.civil_minute(),
            ..RunRecord::blank(TAIYUAN, "arrears-reminder".into(), Topic::ArrearsReminder, now.civil_minute(), now)
        }
    }

    /// Delivers the messages of `run` from the `from`-th to the `to`-th.
    async fn deliver(&self, run: &RunRecord, from: u64, to: u64) {
        let id = |i: u64| MessageId::new(TAIYUAN, run.first_message + u32::try_from(i).unwrap());
        let carrier = |i: u64| run.id.0 << 32 | i;
        let submit = |i| (id(i), MessageEvent::Submitting { link: "mobile".into() });
        self.state.message_events((from..to).map(submit).collect()).await.unwrap();
        let accept = |i| (id(i), MessageEvent::PartAccepted { part: 1, carrier_id: carrier(i) });
        self.state.message_events((from..to).map(accept).collect()).await.unwrap();
        self.state
            .reports("mobile", (from..to).map(|i| (carrier(i).into(), "DELIVRD".into())).collect())
            .await
            .unwrap();
    }

    async fn reply(&self, n: u64) {
        let message = InboundMessage {
            number: 0,
            at: self.clock.now(),
            link: "mobile".into(),
            from: phone(n),
            to: "95598".into(),
            text: format!("收到{n}"),
            handled: "inbox".into(),
            key: String::new(),
            answer: String::new(),
        };
        self.state.inbound(message, vec![], vec![]).await.unwrap();
    }

    async fn note(&self, subject: &str) {
        self.state.put_docs(vec![], vec![note("test", subject)]).await.unwrap();
    }

    fn search(&self, account: Option<AccountNumber>, phone: Option<Phone>) -> Vec<(Kind, serde_json::Value)> {
        let search = ArchiveSearch { account, phone, kinds: vec![], from: Date::NONE, to: Date::NONE, limit: 1_000 };
        search_archive(&self.state, &self.archive, &search).unwrap().into_iter().map(|r| (r.kind, r.body)).collect()
    }

    /// How often each record is in the archives that the store knows, by its name.
    fn archived(&self) -> BTreeMap<String, u32> {
        let all = Query { keys: vec![], kinds: vec![], from: Date::NONE, to: Date::NONE, limit: usize::MAX };
        let mut names = BTreeMap::new();
        for found in self.archive.search(self.state.archive_head().file, &all).unwrap() {
            let body: serde_json::Value = serde_json::from_str(&found.entry.body).unwrap();
            let name = match found.entry.kind {
                Kind::Message => body["id"].as_str().unwrap().to_owned(),
                Kind::Decision => format!("{}/{}", body["run"].as_str().unwrap(), body["account"].as_str().unwrap()),
                Kind::Run => body["id"].as_str().unwrap().to_owned(),
                Kind::Inbound => format!("reply {}", body["number"]),
                Kind::Audit => format!("audit {}", body["number"]),
                Kind::Document => format!("document {} in {}", body["sha256"], found.file),
            };
            *names.entry(name).or_default() += 1;
        }
        names
    }

    /// The same of the records that are online.
    fn online(&self) -> BTreeMap<String, u32> {
        let mut names = BTreeMap::new();
        let mut count = |name: String| *names.entry(name).or_default() += 1;
        for run in self.state.runs(None, usize::MAX, |_| true) {
            count(run.id.to_string());
            for segment in 0..u32::try_from(run.segments.len()).unwrap() {
                for decision in self.state.decisions(run.id, segment).unwrap() {
                    match &decision.outcome {
                        Outcome::Held(_) => count(format!("{}/{}", run.id, decision.account)),
                        Outcome::Queued(m) => {
                            let id = MessageId::new(TAIYUAN, m.number);
                            self.state.message(id).unwrap();
                            count(id.to_string());
                        }
                    }
                }
            }
        }
        self.state.inbound_messages(None, 1_000).unwrap().iter().for_each(|m| count(format!("reply {}", m.number)));
        self.state.audit(1, 1_000).unwrap().iter().for_each(|e| count(format!("audit {}", e.number)));
        names
    }

    /// Records anywhere. Audit entries are counted up to the `audit`-th: passes write their own.
    fn everywhere(&self, audit: u64) -> BTreeMap<String, u32> {
        let mut all = self.online();
        for (name, n) in self.archived() {
            *all.entry(name).or_default() += n;
        }
        all.retain(|name, _| name.strip_prefix("audit ").is_none_or(|n| n.parse::<u64>().unwrap() <= audit));
        all
    }
}

fn note(action: &str, subject: &str) -> AuditNote {
    AuditNote { who: "li".into(), action: action.into(), subject: subject.into(), detail: String::new() }
}

/// A few days of a house: two ended runs, replies, audit entries; then a day on which they are old.
async fn days(w: &World) -> u64 {
    for day in 0..3 {
        w.to_day(day);
        let run = w.run(0..30, 30..600).await;
        w.deliver(&run, 0, 30).await;
        w.reply(u64::try_from(day).unwrap()).await;
        w.note(&account(1).to_string()).await;
    }
    w.to_day(10);
    w.reply(9).await;
    w.note("the newest").await;
    w.state.audit(1, 1_000).unwrap().len() as u64
}

#[tokio::test(flavor = "multi_thread")]
async fn what_ended_leaves_in_order_and_what_the_house_needs_stays() {
    let mut w = World::new().await;
    let first = w.run(0..30, 30..600).await;
    w.deliver(&first, 0, 30).await;
    w.to_day(1);
    let second = w.run(0..2, 2..4).await;
    w.deliver(&second, 0, 1).await;
    w.to_day(2);
    let third = w.run(0..600, 600..700).await;
    w.deliver(&third, 0, 600).await;
    w.state.change_customer(account(3), vec![CustomerChange::Erase], vec![], vec![]).await.unwrap();
    w.to_day(10);
    // The second run has a message without an end: it stays, and with it what is after it.
    let left = w.pass().await.unwrap();
    assert_eq!((left[&Kind::Message], left[&Kind::Decision], left[&Kind::Run]), (30, 570, 1), "{left:?}");
    // What was the newest audit entry then is due now.
    assert_eq!(w.pass().await.unwrap(), BTreeMap::from([(Kind::Audit, 1)]));
    assert_eq!(w.pass().await.unwrap(), BTreeMap::new());
    let ids =
        |w: &World, n| w.state.messages_of(account(n), 10).unwrap().iter().map(|m| m.id.number()).collect::<Vec<_>>();
    assert_eq!(ids(&w, 0), [third.first_message, second.first_message]);
    assert_eq!(ids(&w, 20), [third.first_message + 20], "the one before has left");
    assert!(w.state.is_archived(MessageId::new(TAIYUAN, first.first_message)));
    assert!(matches!(w.state.message(MessageId::new(TAIYUAN, 1)), Err(StateError::NoMessage(_))));
    // Its end comes; it leaves once it is durable, with all that waited for it.
    w.deliver(&second, 1, 2).await;
    let counts = w.state.stats(first_day(), first_day().plus_days(9));
    let left = w.pass().await.unwrap();
    assert_eq!((left[&Kind::Message], left[&Kind::Decision], left[&Kind::Run]), (602, 102, 1), "{left:?}");
    w.crash();
    for again in [false, true] {
        let runs = w.state.runs(None, 10, |_| true);
        assert_eq!(runs.len(), 1, "the newest of its kind stays, for the blast radius");
        assert!(runs[0].is_archived() && runs[0].id == third.id && runs[0].queued == 600);
        assert_eq!(runs[0].held, third.held);
        assert_eq!(w.state.stats(first_day(), first_day().plus_days(9)), counts);
        assert_eq!(w.state.customer(account(0)).unwrap().1.reminded_step, 1, "it was said");
        assert_eq!(ids(&w, 0), Vec::<u32>::new());
        assert_eq!(w.state.archive_head().messages[&TAIYUAN], third.first_message + 600);
        if !again {
            w.state.checkpoint().await.unwrap();
            w.crash();
        }
    }
    let found = w.search(Some(account(0)), None);
    assert_eq!(found.len(), 3, "{found:?}");
    let (kind, body) = &found[2];
    assert_eq!(
        (*kind, body["state"].as_str(), body["code"].as_str()),
        (Kind::Message, Some("delivered"), Some("DELIVRD"))
    );
    assert_eq!(body["text"], "【国网山西电力】尾号0的电费50.00元未缴");
    assert_eq!((&body["reason"], &body["notice"]), (&"欠费".into(), &"提前通知".into()));
    assert_eq!(body["phone"], phone(0).to_string(), "masked");
    assert_eq!(w.search(None, Some(phone(0))).len(), 3);
    assert_eq!(w.search(Some(account(699)), None)[0].1["held"], "opted-out");
    // Erased before it was archived: what was said is there, the number nowhere.
    assert_eq!(w.search(Some(account(3)), None).len(), 3);
    assert!(w.search(Some(account(3)), None).iter().all(|(_, b)| b.get("phone").is_none()));
    assert_eq!(w.search(None, Some(phone(3))), vec![]);
    // Erased since: the number finds nothing any more.
    w.state.change_customer(account(5), vec![CustomerChange::Erase], vec![], vec![]).await.unwrap();
    assert_eq!((w.search(None, Some(phone(5))).len(), w.search(Some(account(5)), None).len()), (0, 2));
    // Numbers go on.
    let next = w.run(0..1, 1..2).await;
    assert_eq!((next.id.0, next.first_message), (third.id.0 + 1, third.first_message + 600));
    let head = w.state.archive_head();
    let verified = w.archive.verify(Some((head.file, head.hash))).unwrap();
    assert_eq!(verified.entries.values().sum::<u64>(), head.decisions + head.runs + head.replies + head.audit_entries);
}

#[tokio::test(flavor = "multi_thread")]
async fn replies_and_audit_entries_leave_but_the_newest_and_the_audit_chain_goes_on() {
    let mut w = World::new().await;
    let audit = days(&w).await;
    let left = w.pass().await.unwrap();
    assert_eq!((left[&Kind::Inbound], left[&Kind::Audit]), (3, audit - 1), "{left:?}");
    w.crash();
    assert_eq!(w.state.archive_head().audit.unwrap().number, audit - 1);
    assert_eq!(w.state.verify_audit().unwrap(), Ok(audit + 1), "the newest, and the pass's own");
    assert_eq!(w.state.audit(1, 10).unwrap()[0].number, audit);
    let replies = w.state.inbound_messages(None, 10).unwrap();
    assert_eq!(replies.iter().map(|r| r.number).collect::<Vec<_>>(), [4]);
    w.reply(2).await;
    assert_eq!(w.state.inbound_messages(None, 1).unwrap()[0].number, 5);
    w.note("goes on").await;
    assert_eq!(w.state.verify_audit().unwrap(), Ok(audit + 2));
    let by_number = w.search(None, Some(phone(2)));
    let reply = by_number.iter().find(|(kind, _)| *kind == Kind::Inbound).unwrap();
    assert_eq!((reply.1["text"].as_str(), reply.1["from"].as_str()), (Some("收到2"), Some("138****0002")));
    let by_account = w.search(Some(account(1)), None);
    assert_eq!(by_account.iter().filter(|(kind, _)| *kind == Kind::Audit).count(), 3, "entries about the account");
}

#[tokio::test(flavor = "multi_thread")]
async fn a_kill_between_file_and_commit_is_completed_by_the_next_pass() {
    let mut w = World::new().await;
    let audit = days(&w).await;
    let before = w.everywhere(audit);
    let written = w.archiver().write_next(&w.cutoffs()).await.unwrap().unwrap();
    assert!(written.leaving.records() > 1_000);
    w.crash();
    assert_eq!(w.state.archive_head().file, 0);
    assert_eq!(w.everywhere(audit), before, "nothing has left, and the file counts for nothing yet");
    assert_eq!(w.archive.verify(Some((0, [0; 32]))).unwrap().last, 1);
    assert_eq!(w.archiver().complete("test").await.unwrap(), 1);
    assert_eq!(w.archiver().complete("test").await.unwrap(), 0);
    assert_eq!(w.everywhere(audit), before, "nothing lost, nothing twice");
    assert_eq!(w.state.archive_head().hash, written.file.head);
    assert_eq!(w.pass().await.unwrap(), BTreeMap::new());
    w.crash();
    assert_eq!(w.everywhere(audit), before);
}

/// The same records in another store.
fn copy(store: &MemStore) -> MemStore {
    let mut batch = Batch::new();
    let put = &mut |key: &[u8], value: &[u8]| {
        batch.put(key, value);
        Ok(ControlFlow::Continue(()))
    };
    store.scan(&KeyRange::all(), put).unwrap();
    let other = MemStore::new();
    other.commit(batch, Durability::Durable).unwrap();
    other
}

#[tokio::test(flavor = "multi_thread")]
async fn a_store_from_a_backup_takes_up_its_archives_and_refuses_those_of_another_history() {
    let mut w = World::new().await;
    let audit = days(&w).await;
    let (backup, before) = (copy(&w.store), w.everywhere(audit));
    w.pass().await.unwrap();
    // Restored: the records are online again, and in the files that were made since.
    w.open(copy(&backup));
    assert_eq!(w.archiver().complete("test").await.unwrap(), 1);
    assert_eq!(w.everywhere(audit), before);
    // A second file; then a store that went on by itself, in which the same numbers name other records.
    let run = w.run(0..2, 2..3).await;
    w.deliver(&run, 0, 2).await;
    w.to_day(20);
    w.note("newest").await;
    w.pass().await.unwrap();
    w.open(copy(&backup));
    w.run(4..5, 5..6).await;
    let e = w.archiver().complete("test").await.unwrap_err();
    assert!(matches!(e, HostError::State(StateError::OtherHistory { .. })), "{e}");
    assert!(e.to_string().contains("another history"), "{e}");
}

#[tokio::test(flavor = "multi_thread")]
async fn a_file_that_cannot_be_written_leaves_everything_where_it_was() {
    let w = World::new().await;
    let audit = days(&w).await;
    let before = w.online();
    std::fs::write(w.directory.path().join("archives"), b"a file where the directory should be").unwrap();
    let e = w.pass().await.unwrap_err();
    assert!(matches!(e, HostError::Archive(_)) && e.to_string().contains("archives"), "{e}");
    assert_eq!(w.online(), before);
    std::fs::remove_file(w.directory.path().join("archives")).unwrap();
    w.pass().await.unwrap();
    assert_eq!(w.everywhere(audit), w.everywhere(audit).into_keys().map(|k| (k, 1)).collect());
    // The file behind the last is damaged: the pass names it and does nothing.
    let e = {
        std::fs::write(w.archive.path(2), b"GRIDARCH").unwrap();
        w.pass().await.unwrap_err()
    };
    assert!(e.to_string().contains("archive-000002.gba"), "{e}");
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(40))]
    /// Wherever the power fails or the disk is full during passes, each record is at one place afterwards, once.
    #[test]
    fn no_record_is_lost_or_twice_through_crashes(seed in any::<u64>(), crash in 1u64..14, full in prop_oneof![Just(0u32), Just(300u32)]) {
        let runtime = tokio::runtime::Builder::new_multi_thread().worker_threads(1).build().unwrap();
        runtime.block_on(async {
            let mut w = World::on(MemStore::with_faults(Seed(seed), Faults::default())).await;
            let audit = days(&w).await;
            let before = w.everywhere(audit);
            let commits = w.store.commits();
            w.store.set_faults(Faults { crash_at_commit: Some(commits + crash), disk_full_per_mille: full, ..Faults::default() });
            let _ = w.pass().await;
            w.crash();
            assert_eq!(w.everywhere(audit), before);
            w.pass().await.unwrap();
            assert_eq!(w.everywhere(audit), before);
            w.crash();
            assert_eq!(w.everywhere(audit), before);
            assert!(w.online().len() < 20, "it has left: {:?}", w.online());
            assert!(w.state.verify_audit().unwrap().is_ok());
            let head = w.state.archive_head();
            w.archive.verify(Some((head.file, head.hash))).unwrap();
        });
    }
}
