//! The history: the state of any run is rebuilt from what checkpoints dropped, wherever they were cut, as long as the rules keep it.

#![expect(clippy::unwrap_used, reason = "a test stops where it fails")]

mod common;

use std::collections::BTreeMap;
use std::ops::ControlFlow;
use std::path::PathBuf;
use std::sync::Arc;

use common::*;
use gridbell_clock::Seed;
use gridbell_model::{CustomerView, MessageId, PrefectureCode, Topic};
use gridbell_state::*;
use gridbell_store::{Batch, Durability, Faults, KeyRange, MemStore, Store as _};

const PEOPLE: u64 = 900;

/// A world that keeps its history.
struct House {
    w: World,
    directory: tempfile::TempDir,
    /// What was true at each sequence that was looked at.
    then: BTreeMap<u64, Picture>,
}

#[derive(Debug, PartialEq)]
struct Picture {
    customers: Vec<Vec<CustomerView>>,
    payments: Vec<CustomerView>,
    told: Vec<(u8, u8)>,
    org: usize,
}

fn picture(state: &State) -> Picture {
    let all = |code: PrefectureCode| {
        let snapshot = state.snapshot(code);
        snapshot.map_or_else(Vec::new, |s| (0..s.rows()).filter_map(|row| s.view(row)).collect::<Vec<_>>())
    };
    let taiyuan = all(TAIYUAN);
    let told = |v: &CustomerView| state.told(TAIYUAN, v.row, v.phone.number(), today(), &[Topic::ArrearsReminder]);
    Picture {
        told: taiyuan.iter().map(told).collect(),
        payments: waiting(state),
        org: state.org().iter().count(),
        customers: vec![taiyuan],
    }
}

impl House {
    async fn new() -> Self {
        Self::on(MemStore::new()).await
    }

    async fn on(store: MemStore) -> Self {
        let directory = tempfile::tempdir().unwrap();
        let mut w = World::on(store).await;
        w.state = open(&w, w.store.clone(), directory.path().join("history"));
        Self { w, directory, then: BTreeMap::new() }
    }

    fn files(&self) -> PathBuf {
        self.directory.path().join("history")
    }

    /// Kill -9 and start again.
    fn crash(&mut self) {
        let survivor = self.w.store.crash();
        self.w.state = open(&self.w, survivor.clone(), self.files());
        self.w.store = survivor;
    }

    fn look(&mut self) {
        let _ = self.then.insert(self.w.state.seq(), picture(&self.w.state));
    }

    fn rebuilt(&self, seq: u64) -> Result<State, StateError> {
        self.w.state.rebuild(TAIYUAN, seq, &mut |_| ControlFlow::Continue(()))
    }

    fn check(&self, from: u64) {
        assert!(self.then.range(from..).count() > 2, "too little to compare from {from}");
        for (seq, was) in self.then.range(from..) {
            let then = self.rebuilt(*seq).unwrap_or_else(|e| panic!("sequence {seq}: {e}"));
            assert!(picture(&then) == *was, "sequence {seq} is another one");
            assert_eq!(then.snapshot(TAIYUAN).unwrap().seq(), *seq);
        }
    }

    /// Something of everything: new customers, bills, payments, changes, messages and their ends.
    async fn a_day(&mut self, day: u64) {
        let of = |part: u64| day * 1_000 + part;
        let fresh = PEOPLE + day * 10..PEOPLE + day * 10 + 7;
        self.w.facts(Facts::Customers(fresh.map(customer).collect())).await;
        self.look();
        self.w
            .facts(Facts::Bills(
                (0..PEOPLE)
                    .filter(|n| (n + day).is_multiple_of(3))
                    .map(|n| bill(n, 202_601 + day as u32 % 12, 10 + day as i64))
                    .collect(),
            ))
            .await;
        self.look();
        let run = remind(&self.w.state, 1).await;
        self.look();
        let ids: Vec<MessageId> =
            (0..run.queued as u32).map(|n| MessageId::new(TAIYUAN, run.first_message + n)).collect();
        let cancelled = |id: &MessageId| (*id, MessageEvent::Cancelled { reason: gridbell_model::HoldReason::Paid });
        self.w.state.message_events(ids.iter().take(20).map(cancelled).collect()).await.unwrap();
        let submitting = |id: &MessageId| (*id, MessageEvent::Submitting { link: "mobile".into() });
        self.w.state.message_events(ids.iter().skip(20).map(submitting).collect()).await.unwrap();
        let accepted = |id: &MessageId| (*id, MessageEvent::PartAccepted { part: 1, carrier_id: id.0 });
        self.w.state.message_events(ids.iter().skip(20).map(accepted).collect()).await.unwrap();
        self.w
            .state
            .reports("mobile", ids.iter().skip(20).map(|id| (id.0.into(), "DELIVRD".into())).collect())
            .await
            .unwrap();
        self.look();
        let pays = (0..40).map(|n| payment(n * 7 % PEOPLE, &format!("{}", of(n)), 5));
        self.w.facts(Facts::Payments(pays.collect())).await;
        self.look();
        tell_payments(&self.w.state).await;
        let off = CustomerChange::Suspend(day.is_multiple_of(2));
        self.w.state.change_customer(account(day % PEOPLE), vec![off], vec![], vec![]).await.unwrap();
        self.look();
    }

    async fn founded(&mut self) {
        self.w.facts(Facts::Customers((0..PEOPLE).map(customer).collect())).await;
        self.look();
    }

    fn to_day(&self, n: i32) {
        self.w.clock.advance_to(today().plus_days(n).at(9, 0).moment());
    }

    fn on_disk(&self) -> Vec<String> {
        let Ok(entries) = std::fs::read_dir(self.files()) else { return Vec::new() };
        let mut names: Vec<String> = entries.map(|e| e.unwrap().file_name().into_string().unwrap()).collect();
        names.sort();
        names
    }

    fn head(&self) -> HistoryHead {
        self.w.state.history().unwrap().head
    }
}

fn open(w: &World, store: MemStore, directory: PathBuf) -> State {
    State::open_with_history(Arc::new(store), Arc::clone(&w.sealer), w.clock.clone(), Some(directory)).unwrap().0
}

#[tokio::test(flavor = "multi_thread")]
async fn every_instant_is_rebuilt_through_checkpoints_bases_and_crashes() {
    let mut h = House::new().await;
    h.founded().await;
    for day in 1..5 {
        h.a_day(day).await;
        h.w.state.checkpoint().await.unwrap();
        h.a_day(10 + day).await;
        if day == 2 {
            h.crash();
        }
        h.to_day(i32::try_from(day).unwrap() * 9);
    }
    let head = h.head();
    assert_eq!((head.journals.len(), head.journals[0].first), (4, 1), "{head:?}");
    assert_eq!(head.bases.len(), 0, "from the first group on no base is needed while there is little");
    h.check(0);
    h.crash();
    h.check(0);
    // Names do not enter; the customer has one all the same.
    let then = h.rebuilt(head.journals[3].last).unwrap();
    assert_eq!((then.name(account(3)).unwrap().as_str(), h.w.state.name(account(3)).unwrap().as_str()), ("", "客户3"));
    assert!(matches!(then.checkpoint().await, Err(StateError::Closed)), "it takes no changes");
    assert!(matches!(h.rebuilt(h.w.state.seq() + 1), Err(StateError::HistoryGone { .. })), "the future is not kept");
    let mut told = 0;
    let broken_off = h.w.state.rebuild(TAIYUAN, h.w.state.seq(), &mut |_| {
        told += 1;
        ControlFlow::Break(())
    });
    assert!(matches!(broken_off, Err(StateError::Closed)) && told == 1);
}

/// A data directory of an earlier program has pages and no history: it begins with a base, and reaches back to that.
#[tokio::test(flavor = "multi_thread")]
async fn a_house_that_kept_none_begins_with_a_base() {
    let mut h = House::new().await;
    h.w.state = State::open(Arc::new(h.w.store.clone()), Arc::clone(&h.w.sealer), h.w.clock.clone()).unwrap().0;
    h.founded().await;
    h.a_day(1).await;
    h.w.state.checkpoint().await.unwrap();
    assert_eq!(h.w.state.history(), None);
    let before = h.w.state.seq();
    h.crash();
    h.a_day(2).await;
    h.w.state.checkpoint().await.unwrap();
    let based = h.w.state.seq();
    h.look();
    h.a_day(3).await;
    h.w.state.checkpoint().await.unwrap();
    h.a_day(4).await;
    assert_eq!(h.head().bases.iter().map(|b| b.last).collect::<Vec<_>>(), [based]);
    h.check(based);
    match h.rebuilt(before) {
        Err(StateError::HistoryGone { wanted, oldest }) => assert_eq!((wanted, oldest), (before, Some(based))),
        other => panic!("{:?}", other.err()),
    }
    // A base a week, and what nobody looks back to goes.
    h.w.state.keep_history(20);
    let mut oldest = vec![];
    for day in (0..63).step_by(3) {
        h.to_day(day);
        h.a_day(100 + u64::try_from(day).unwrap()).await;
        h.w.state.checkpoint().await.unwrap();
        oldest.push(h.head().bases[0].last);
        let named: Vec<String> = h.on_disk();
        let known = h.head();
        assert_eq!(named.len(), known.journals.len() + known.bases.len(), "what is on the disk is what is known");
        assert!(known.bases.len() <= 5 && known.journals.len() <= 12, "{}", known.journals.len());
    }
    assert!(oldest[0] == based && oldest[20] > based);
    h.check(oldest[20]);
    assert!(matches!(h.rebuilt(based), Err(StateError::HistoryGone { .. })));
    // Three weeks back are there.
    let back = h.head().bases[0].made.date();
    assert!(back <= h.w.clock.today().plus_days(-20), "{back}");
    // None is kept: what there is goes, and the house goes on.
    h.w.state.keep_history(0);
    h.w.state.checkpoint().await.unwrap();
    assert_eq!((h.head(), h.on_disk()), (HistoryHead::default(), vec![]));
    h.a_day(999).await;
    h.crash();
    assert_eq!(picture(&h.w.state), *h.then.last_entry().unwrap().get());
}

/// The power fails at each commit of a checkpoint in turn: no group is lost and none counts twice.
#[tokio::test(flavor = "multi_thread")]
async fn a_checkpoint_cut_at_any_commit_leaves_a_whole_history() {
    let mut cut = 0;
    for (commit, seed) in (1..=7).flat_map(|commit| (0..2).map(move |seed| (commit, seed))) {
        let mut h = House::on(MemStore::with_faults(Seed(seed), Faults::default())).await;
        h.founded().await;
        h.a_day(1).await;
        h.w.state.checkpoint().await.unwrap();
        h.to_day(9);
        h.a_day(2).await;
        let at = h.w.store.commits() + commit;
        h.w.store.set_faults(Faults { crash_at_commit: Some(at), ..Faults::default() });
        cut += u32::from(h.w.state.checkpoint().await.is_err());
        h.crash();
        h.check(0);
        h.a_day(3).await;
        h.w.state.checkpoint().await.unwrap();
        h.a_day(4).await;
        h.check(0);
        h.crash();
        h.check(0);
        let head = h.head();
        assert!(head.journals.windows(2).all(|p| p[1].first == p[0].last + 1), "commit {commit}: {head:?}");
    }
    assert!(cut >= 8, "the power has to fail within the checkpoint to prove anything: {cut}");
}

#[tokio::test(flavor = "multi_thread")]
async fn a_file_that_is_missing_changed_or_exchanged_is_named() {
    let mut h = House::new().await;
    h.founded().await;
    h.a_day(1).await;
    h.w.state.checkpoint().await.unwrap();
    h.a_day(2).await;
    h.w.state.checkpoint().await.unwrap();
    h.check(0);
    let names = h.on_disk();
    let seq = h.w.state.seq();
    let path = h.files().join(&names[0]);
    let good = std::fs::read(&path).unwrap();
    let why = |h: &House| match h.rebuilt(seq) {
        Err(StateError::HistoryFile { file, why }) => {
            assert!(file.ends_with(&names[0]), "{file}");
            why
        }
        other => panic!("{:?}", other.err()),
    };
    for at in (0..good.len()).step_by(good.len() / 40).chain([good.len() - 1]) {
        let mut bad = good.clone();
        bad[at] ^= 0x10;
        std::fs::write(&path, &bad).unwrap();
        why(&h);
    }
    std::fs::write(&path, &good[..good.len() - 7]).unwrap();
    assert!(why(&h).contains("too early"));
    std::fs::copy(h.files().join(&names[1]), &path).unwrap();
    assert!(why(&h).contains("another file"), "{}", why(&h));
    std::fs::remove_file(&path).unwrap();
    assert!(why(&h).contains("missing"));
    std::fs::write(&path, &good).unwrap();
    h.check(0);
}

/// Where the files cannot be written the house goes on, says so, and catches up.
#[tokio::test(flavor = "multi_thread")]
async fn a_history_that_cannot_be_written_is_told_and_caught_up_with() {
    let mut h = House::new().await;
    h.founded().await;
    std::fs::write(h.files(), b"in the way").unwrap();
    h.a_day(1).await;
    h.w.state.checkpoint().await.unwrap();
    let status = h.w.state.history().unwrap();
    assert!(status.failure.is_some_and(|f| f.contains("history")) && status.head == HistoryHead::default());
    // Nothing is lost meanwhile: the journal is in the store still.
    h.a_day(2).await;
    h.w.state.checkpoint().await.unwrap();
    h.check(0);
    h.crash();
    h.check(0);
    std::fs::remove_file(h.files()).unwrap();
    h.a_day(3).await;
    h.w.state.checkpoint().await.unwrap();
    assert_eq!(h.w.state.history().unwrap().failure, None);
    assert_eq!(h.head().journals.len(), 1);
    h.check(0);
    h.crash();
    h.check(0);
}

/// The same records in another store.
fn copy(store: &MemStore) -> MemStore {
    let (other, mut batch) = (MemStore::new(), Batch::new());
    let mut take = |key: &[u8], value: &[u8]| {
        batch.put(key, value);
        Ok(ControlFlow::Continue(()))
    };
    store.scan(&KeyRange::all(), &mut take).unwrap();
    other.commit(batch, Durability::Durable).unwrap();
    other
}

/// A store restored from a backup knows the files of its own past only; those of what came after count for nothing.
#[tokio::test(flavor = "multi_thread")]
async fn a_restored_store_has_its_own_history() {
    let mut h = House::new().await;
    h.founded().await;
    h.a_day(1).await;
    h.w.state.checkpoint().await.unwrap();
    let fork = h.w.state.seq();
    let backup = copy(&h.w.store);
    // One future ...
    h.a_day(2).await;
    h.w.state.checkpoint().await.unwrap();
    // ... and another from the same past.
    h.then.retain(|seq, _| *seq <= fork);
    h.w.state = open(&h.w, backup.clone(), h.files());
    h.w.store = backup;
    h.a_day(7).await;
    h.check(0);
    h.a_day(8).await;
    h.w.state.checkpoint().await.unwrap();
    h.a_day(9).await;
    h.check(0);
}
