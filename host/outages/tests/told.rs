//! Who is told what: random outages on customers with one source, with two, and with a disputed one; changed, delayed, widened, narrowed, restored in
//! part and in whole, cancelled, several at a time; with messages that wait, arrive, fail and are not heard of. After each step a model that
//! knows nothing but minutes says what everybody should believe.
#![allow(clippy::unwrap_used, reason = "a test stops where it fails")]

use std::collections::BTreeMap;

use gridbell_model::{AccountNumber, Channel, Moment, PrefectureCode};
use gridbell_outages::{
    Affected, Book, Case, Class, Concerned, Content, DraftOrder, Facts, Hit, Judge, Kind, LeadRules, Level, Outage,
    OutageId, Owed, Phase, Quiet, Reach, Receipt, Say, Scope, Step, StepOrder, Telling, Told, Trigger,
};
use proptest::prelude::*;

const CITY: PrefectureCode = PrefectureCode(140_100);
const START: i64 = 1_795_000_020_000 / 60_000 * 60_000;
/// Minutes that the model knows: nothing goes on beyond a day, and what is until further notice for another.
const MINUTES: usize = 3_000;
const DAY: usize = 1_440;
const TRANSFORMERS: usize = 4;

fn at(minute: usize) -> Moment {
    Moment::from_unix_ms(START + minute as i64 * 60_000)
}

fn account(n: usize) -> AccountNumber {
    AccountNumber::from_packed(10 << 56 | (n as u64 + 1)).unwrap()
}

/// Which transformers may feed each source of each customer: one for sure, several where that is disputed.
const SUPPLY: &[&[&[usize]]] =
    &[&[&[0]], &[&[1]], &[&[0], &[1]], &[&[0, 2]], &[&[2]], &[&[1], &[2, 3]], &[&[0], &[1], &[3]], &[&[3]]];

struct Grid;

impl Reach for Grid {
    fn affected(&self, _: PrefectureCode, scope: &Scope, back: &[Scope], _: Moment) -> Affected {
        let dead = |t: &usize| {
            let code = format!("T{t}");
            scope.transformers.contains(&code) && !back.iter().any(|b| b.transformers.contains(&code))
        };
        let mut found = Vec::new();
        for (n, sources) in SUPPLY.iter().enumerate().filter(|(n, _)| !scope.except_customers.contains(&account(*n))) {
            for (ordinal, feeds) in sources.iter().enumerate().filter(|(_, feeds)| feeds.iter().any(dead)) {
                let (lost, maybe) = if feeds.len() == 1 { (1 << ordinal, 0) } else { (0, 1 << ordinal) };
                found.push(Concerned { account: account(n), lost, maybe, sources: sources.len() as u8 });
            }
        }
        Affected::new(found, scope.transformers.iter().cloned().collect())
    }
}

#[derive(Clone, Debug)]
enum Do {
    Planned { scope: u8, except: usize, from: usize, long: usize },
    Fault { scope: u8, ago: usize, long: Option<usize> },
    Change { which: usize, scope: Option<u8>, move_by: i64, longer: i64 },
    Begin { which: usize },
    RestorePart { which: usize, scope: u8 },
    Restore { which: usize },
    Cancel { which: usize },
    Wait { minutes: usize },
    Arrive { receipts: u64 },
}

/// What happens, whether it is told before the next, and what becomes of messages.
type Move = (Do, bool, u64);

fn moves() -> impl Strategy<Value = Vec<Move>> {
    let which = || 0..4_usize;
    let scope = || 1..16_u8;
    let step = prop_oneof![
        4 => (scope(), 0..30_usize, 10..700_usize, 10..300_usize)
            .prop_map(|(scope, except, from, long)| Do::Planned { scope, except, from, long }),
        3 => (scope(), 0..20_usize, proptest::option::weighted(0.7, 10..300_usize))
            .prop_map(|(scope, ago, long)| Do::Fault { scope, ago, long }),
        6 => (which(), proptest::option::of(scope()), -60..120_i64, -120..120_i64)
            .prop_map(|(which, scope, move_by, longer)| Do::Change { which, scope, move_by, longer }),
        2 => which().prop_map(|which| Do::Begin { which }),
        2 => (which(), scope()).prop_map(|(which, scope)| Do::RestorePart { which, scope }),
        2 => which().prop_map(|which| Do::Restore { which }),
        3 => which().prop_map(|which| Do::Cancel { which }),
        3 => (1..90_usize).prop_map(|minutes| Do::Wait { minutes }),
        2 => any::<u64>().prop_map(|receipts| Do::Arrive { receipts }),
    ];
    proptest::collection::vec((step, proptest::bool::weighted(0.75), any::<u64>()), 1..14)
}

/// A customer as the model knows him: what he believes of each minute, and since when something holds until further notice.
struct Person {
    minutes: Vec<Level>,
    open: Option<(Level, usize)>,
}

fn minute_of(moment: Moment) -> usize {
    usize::try_from((moment.unix_ms() - START).div_euclid(60_000)).unwrap_or(0)
}

impl Person {
    fn new(told: &[Told], heard: impl Fn(Receipt) -> bool) -> Self {
        let mut person = Self { minutes: vec![Level::On; MINUTES], open: None };
        told.iter().filter(|t| heard(t.receipt)).for_each(|t| person.hear(&t.facts, minute_of(t.at)));
        person
    }

    fn hear(&mut self, facts: &Facts, now: usize) {
        for stretch in &facts.0 {
            let from = minute_of(stretch.from);
            let until = stretch.until.map_or(now + DAY, minute_of);
            let level = if stretch.until.is_some() { stretch.level } else { Level::On };
            self.minutes[from..until.max(from)].fill(level);
            if stretch.until.is_none() {
                self.open = (stretch.level != Level::On).then_some((stretch.level, from));
            }
        }
    }

    fn believes(&self, minute: usize, now: usize) -> Level {
        let open = self.open.filter(|(_, from)| *from <= minute && minute < now + DAY).map_or(Level::On, |o| o.0);
        self.minutes[minute].max(open)
    }
}

/// An outage as the model knows it: its minutes, the transformers that are dead, a bit each, and who keeps his power.
struct Simple {
    from: usize,
    until: usize,
    dead: u8,
    except: Vec<AccountNumber>,
}

fn simple(book: &Book, now: usize) -> Vec<Simple> {
    let of = |outage: &std::sync::Arc<Outage>| {
        let revision = outage.latest();
        let content = &revision.content;
        let is_dead = |t: &usize| {
            let code = format!("T{t}");
            content.scope.transformers.contains(&code) && !revision.back.iter().any(|b| b.transformers.contains(&code))
        };
        Simple {
            from: minute_of(content.from),
            until: content.until.map_or(now + DAY, minute_of),
            dead: (0..TRANSFORMERS).filter(is_dead).map(|t| 1 << t).sum(),
            except: content.scope.except_customers.iter().copied().collect(),
        }
    };
    book.open().map(of).collect()
}

/// How a customer's power is in a minute, from the outages alone.
fn truth(outages: &[Simple], customer: usize, minute: usize) -> Level {
    let on_him =
        outages.iter().filter(|o| (o.from..o.until).contains(&minute) && !o.except.contains(&account(customer)));
    let dead = on_him.fold(0, |dead, o| dead | o.dead);
    let (mut off, mut maybe, all) = (0, 0, SUPPLY[customer].len());
    for feeds in SUPPLY[customer].iter().filter(|feeds| feeds.iter().any(|t| dead & (1 << t) != 0)) {
        if feeds.len() == 1 { off += 1 } else { maybe += 1 }
    }
    match (off, maybe) {
        (0, 0) => Level::On,
        _ if off == all => Level::Off,
        _ if off + maybe == all || off == 0 => Level::Maybe,
        _ => Level::Part,
    }
}

struct World {
    book: Book,
    now: i64,
    told: Vec<Vec<Told>>,
    /// Customers with a message that failed and was not made good.
    debts: Vec<bool>,
    judge: Judge,
    seen: BTreeMap<Say, u32>,
}

impl World {
    fn new() -> Self {
        Self {
            book: Book::default(),
            now: START,
            told: vec![Vec::new(); SUPPLY.len()],
            debts: vec![false; SUPPLY.len()],
            judge: Judge::default(),
            seen: BTreeMap::new(),
        }
    }
}

fn content(scope: Scope, from: usize, until: Option<usize>) -> Content {
    Content { scope, from: at(from), until: until.map(at), reason: "10kV城南线检修".into(), class: Class::Minor }
}

fn scope(bits: u8, except: usize) -> Scope {
    let transformers = (0..TRANSFORMERS).filter(|t| bits & (1 << t) != 0).map(|t| format!("T{t}")).collect();
    let except = (except < SUPPLY.len()).then(|| account(except));
    Scope { transformers, except_customers: except.into_iter().collect(), ..Scope::default() }
}

/// Lead times are for another test.
fn no_rules() -> LeadRules {
    LeadRules::try_from(Vec::new()).unwrap()
}

impl World {
    fn now(&self) -> Moment {
        Moment::from_unix_ms(self.now)
    }

    /// The first whole minute that is not over.
    fn minute(&self) -> usize {
        usize::try_from((self.now - START + 59_999) / 60_000).unwrap()
    }

    fn step(&self, id: OutageId, by: &str) -> StepOrder {
        StepOrder { id, expected: None, by: by.into(), why: "检修计划调整".into() }
    }

    fn pick(&self, which: usize) -> Option<OutageId> {
        let open: Vec<OutageId> = self.book.open().map(|o| o.id()).collect();
        open.get(which % open.len().max(1)).copied()
    }

    fn put(&mut self, outage: Outage) {
        let (id, now) = (outage.id(), self.now());
        let affected = outage.latest().affected(CITY, &Grid, now);
        self.book.put(outage);
        self.book.set_affected(id, affected);
    }

    /// Takes the step if the book lets it.
    fn act(&mut self, what: &Do) {
        let (now, minute, rules) = (self.now(), self.minute(), no_rules());
        let order =
            |kind, content| DraftOrder { prefecture: CITY, kind, content, by: "wang".into(), why: String::new() };
        let made = match what {
            Do::Planned { scope: bits, except, from, long } => {
                let from = minute + from;
                if from + long + 1 >= DAY {
                    return;
                }
                let draft =
                    self.book.draft(order(Kind::Planned, content(scope(*bits, *except), from, Some(from + long))), now);
                let draft = draft.unwrap();
                let id = draft.id();
                self.put(draft);
                let approved = self.book.approve(self.step(id, "li"), None, now).unwrap();
                self.put(approved);
                self.book.publish(self.step(id, "wang"), &rules, now)
            }
            Do::Fault { scope: bits, ago, long } => {
                let from = minute.saturating_sub(1).saturating_sub(*ago);
                let until = long.map(|l| minute + l).filter(|u| *u < DAY);
                self.book.declare(order(Kind::Fault, content(scope(*bits, 99), from, until)), &rules, now)
            }
            Do::Change { which, scope: bits, move_by, longer } => {
                let Some(id) = self.pick(*which) else { return };
                let outage = self.book.outage(id).unwrap();
                let mut content = outage.latest().content.clone();
                if let Some(bits) = bits {
                    content.scope.transformers = scope(*bits, 99).transformers;
                }
                if !outage.phase().is_running() {
                    content.from = content.from.plus_ms(move_by * 60_000);
                    content.until = content.until.map(|u| u.plus_ms(move_by * 60_000));
                }
                let until = content.until.unwrap_or(at(minute + 60)).plus_ms(longer * 60_000);
                content.until = Some(until).filter(|u| minute_of(*u) < DAY);
                match self.book.change(self.step(id, "zhao"), content, None, &rules, now) {
                    Ok(Some(changed)) => Ok(changed),
                    _ => return,
                }
            }
            Do::Begin { which } => {
                let Some(id) = self.pick(*which) else { return };
                self.book.begin(self.step(id, "crew"), now)
            }
            Do::RestorePart { which, scope: bits } => {
                let Some(id) = self.pick(*which) else { return };
                self.book.restore_part(self.step(id, "crew"), scope(*bits, 99), now)
            }
            Do::Restore { which } => {
                let Some(id) = self.pick(*which) else { return };
                self.book.restore(self.step(id, "crew"), now, now)
            }
            Do::Cancel { which } => {
                let Some(id) = self.pick(*which) else { return };
                self.book.cancel(self.step(id, "wang"), now)
            }
            Do::Wait { minutes } => {
                let most = (DAY * 2 / 3).saturating_sub(minute);
                self.now += (*minutes.min(&most)) as i64 * 60_000;
                return;
            }
            Do::Arrive { receipts } => return self.arrive(*receipts),
        };
        if let Ok(outage) = made {
            self.put(outage);
        }
    }

    /// What waits leaves, or not.
    fn arrive(&mut self, mut receipts: u64) {
        for (customer, told) in self.told.iter_mut().enumerate() {
            for one in told.iter_mut().filter(|t| t.receipt == Receipt::Waiting) {
                one.receipt =
                    [Receipt::Delivered, Receipt::Unknown, Receipt::Failed, Receipt::Waiting][(receipts % 4) as usize];
                self.debts[customer] |= one.receipt == Receipt::Failed;
                receipts = receipts.rotate_right(3);
            }
        }
    }

    /// Tells everybody of all that is due, as whoever sends messages does.
    fn tell(&mut self, lots: &mut u64) {
        self.now += 1_000;
        for id in self.book.due(self.now()) {
            self.tell_of(id, lots);
        }
        assert!(self.book.due(self.now()).is_empty(), "what was told is not due");
    }

    fn tell_of(&mut self, id: OutageId, lots: &mut u64) {
        let trigger = self.book.trigger(id).unwrap();
        let before: BTreeMap<_, _> = self.book.listeners(id).map(|l| (l.account, l.before)).collect();
        for customer in 0..SUPPLY.len() {
            let concerned = before.get(&account(customer)).copied().flatten();
            let told = self.book.outage(id).unwrap().told().map(|r| r.content.clone());
            let before = concerned.and_then(|c| Some(Hit::new(id, &told?, c)));
            self.tell_one(customer, &trigger, before, lots);
        }
        let told = self.book.told(id, trigger.revision).unwrap();
        self.put(told);
    }

    fn tell_one(&mut self, customer: usize, trigger: &Trigger, before: Option<Hit>, lots: &mut u64) {
        let mut hits = Vec::new();
        self.book.hits(account(customer), &mut hits);
        // Twice where something was taken back too late, or a message failed at once and is made good.
        for _ in 0..3 {
            let told = self.told[customer].clone();
            let case = Case { now: self.now(), trigger, before, hits: &hits, told: &told };
            let verdict = self.judge.owed(&case);
            assert_eq!(self.judge.owed(&case), verdict, "judging leaves nothing behind");
            if verdict.recall {
                for one in &mut self.told[customer] {
                    if self.judge.recalls(one) {
                        *lots = lots.rotate_right(1);
                        one.receipt = if lots.is_multiple_of(4) { Receipt::Unknown } else { Receipt::Recalled };
                    }
                }
                if self.told[customer]
                    .iter()
                    .zip(&told)
                    .any(|(a, b)| a.receipt == Receipt::Unknown && b.receipt != a.receipt)
                {
                    continue;
                }
            }
            match verdict.owed {
                Owed::Nothing(why) => return self.check_quiet(customer, trigger, why),
                Owed::Tell(telling) => {
                    *self.seen.entry(telling.say).or_default() += 1;
                    self.check(customer, trigger, &telling);
                    if !telling.must && lots.is_multiple_of(2) {
                        return;
                    }
                    *lots = lots.rotate_right(5);
                    let receipts = [
                        Receipt::Delivered,
                        Receipt::Delivered,
                        Receipt::Delivered,
                        Receipt::Unknown,
                        Receipt::Waiting,
                        Receipt::Failed,
                    ];
                    let receipt = receipts[(*lots % 6) as usize];
                    let channel = telling.by.unwrap_or([Channel::Sms, Channel::Wechat][(*lots % 2) as usize]);
                    let Telling { say, facts, .. } = telling;
                    let (outage, revision) = (trigger.outage, trigger.revision);
                    let at = self.now();
                    self.told[customer].push(Told {
                        outage,
                        revision,
                        say,
                        facts,
                        at,
                        channel,
                        receipt,
                        message: None,
                    });
                    if receipt != Receipt::Failed {
                        return;
                    }
                    self.debts[customer] = true;
                }
            }
        }
    }

    fn check_quiet(&self, customer: usize, trigger: &Trigger, why: Quiet) {
        let own = |t: &Told| t.outage == trigger.outage && !matches!(t.receipt, Receipt::Failed | Receipt::Recalled);
        let told = self.told[customer].iter().any(own);
        match why {
            Quiet::NotConcerned | Quiet::Covered => assert!(!told, "{why:?} although he was told"),
            Quiet::SameFacts => assert!(told),
            Quiet::OnItsWay => assert!(self.told[customer].iter().any(|t| t.receipt == Receipt::Waiting)),
        }
    }

    /// What must hold of whatever anybody is told.
    fn check(&self, customer: usize, trigger: &Trigger, telling: &Telling) {
        let told = &self.told[customer];
        let (now, left) = (self.minute(), |r: Receipt| matches!(r, Receipt::Delivered | Receipt::Unknown));
        let person = Person::new(told, left);
        let was_told = told.iter().any(|t| left(t.receipt));
        assert!(was_told || !telling.say.is_change(), "never told, and told of a change: {telling:?}");
        if telling.say == Say::Restored {
            assert!(!telling.must && telling.facts.0.is_empty());
            assert!(told.iter().any(|t| left(t.receipt) && t.outage == trigger.outage));
            return;
        }
        let outages = simple(&self.book, now);
        let mut after = told.clone();
        let (outage, revision) = (trigger.outage, trigger.revision);
        let (facts, channel) = (telling.facts.clone(), Channel::Sms);
        after.retain(|t| left(t.receipt));
        after.push(Told {
            outage,
            revision,
            say: telling.say,
            facts,
            at: self.now(),
            channel,
            receipt: Receipt::Delivered,
            message: None,
        });
        let next = Person::new(&after, left);
        let minutes = now..now + DAY;
        let news = minutes.clone().any(|m| next.believes(m, now) != person.believes(m, now));
        assert!(news || next.open != person.open, "the same facts again: {telling:?} after {told:?}");
        for stretch in &telling.facts.0 {
            let until = stretch.until.map_or(now + DAY, minute_of);
            for minute in now.max(minute_of(stretch.from))..until {
                let (said, so) = (next.believes(minute, now), truth(&outages, customer, minute));
                assert_eq!(said, so, "minute {minute}, customer {customer}: {telling:?} after {told:?}");
            }
        }
        if let Some(by) = telling.by {
            let on = |r| told.iter().any(|t| t.receipt == r && t.channel == by);
            assert!(
                on(Receipt::Delivered)
                    || (on(Receipt::Unknown)
                        && !told.iter().any(|t| t.outage == trigger.outage && t.receipt == Receipt::Delivered))
            );
        }
        assert!(telling.by.is_some() || !telling.say.is_change());
        let believed = minutes.clone().any(|m| person.believes(m, now) != Level::On);
        match telling.say {
            Say::Announce | Say::Widened => {
                assert!(minutes.clone().any(|m| truth(&outages, customer, m) == Level::Off))
            }
            Say::Cancelled => assert!(believed && trigger.phase == Phase::Cancelled),
            Say::EarlierRestored => {
                assert!(believed && matches!(trigger.phase, Phase::Restored | Phase::PartlyRestored))
            }
            Say::Narrowed => assert!(believed),
            _ => {}
        }
    }

    /// Everybody believes what is so, but for those with a message that failed.
    fn everybody_knows(&self, but_debts: bool) {
        let now = self.minute();
        let outages = simple(&self.book, now);
        for customer in (0..SUPPLY.len()).filter(|c| !(but_debts && self.debts[*c])) {
            let person = Person::new(&self.told[customer], |r| !matches!(r, Receipt::Failed | Receipt::Recalled));
            for minute in now..now + DAY {
                let (believes, so) = (person.believes(minute, now), truth(&outages, customer, minute));
                assert_eq!(believes, so, "customer {customer}, minute {minute}, now {now}: {:#?}", self.told[customer]);
            }
        }
    }

    /// Makes good whatever failed: every outage has its news once more, and every message arrives.
    fn settle(&mut self) {
        self.arrive(0);
        let all: Vec<OutageId> = self.book.outages().filter(|o| o.head.published.is_some()).map(|o| o.id()).collect();
        for id in all {
            self.tell_of(id, &mut 0);
        }
        self.everybody_knows(false);
        let before: usize = self.told.iter().map(Vec::len).sum();
        let all: Vec<OutageId> = self.book.outages().filter(|o| o.head.published.is_some()).map(|o| o.id()).collect();
        all.into_iter().for_each(|id| self.tell_of(id, &mut 0));
        assert_eq!(self.told.iter().map(Vec::len).sum::<usize>(), before, "who knows all is told nothing");
    }
}

fn live(moves: Vec<Move>) -> World {
    let mut world = World::new();
    for (what, told, mut lots) in moves {
        world.now += 1_000;
        world.act(&what);
        if told {
            world.tell(&mut lots);
            world.everybody_knows(true);
        }
    }
    world.tell(&mut 0);
    world.everybody_knows(true);
    world.settle();
    world
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(4_000))]

    #[test]
    fn everybody_is_told_what_is_so_and_nothing_twice(moves in moves()) {
        live(moves);
    }
}

/// The property test is worth something only where every kind of message comes up.
#[test]
fn the_moves_lead_to_every_message() {
    use proptest::strategy::ValueTree;
    use proptest::test_runner::TestRunner;
    let mut runner = TestRunner::deterministic();
    let mut seen: BTreeMap<Say, u32> = BTreeMap::new();
    for _ in 0..3_000 {
        let tree = moves().new_tree(&mut runner).unwrap();
        for (say, times) in live(tree.current()).seen {
            *seen.entry(say).or_default() += times;
        }
    }
    for say in Say::ALL {
        assert!(seen.contains_key(say), "{say:?} never came up: {seen:?}");
    }
}

#[test]
fn steps_that_may_not_follow_are_refused_with_what_may() {
    let mut world = World::new();
    let fault = Do::Fault { scope: 1, ago: 3, long: Some(60) };
    world.act(&fault);
    let id = world.pick(0).unwrap();
    let refused = world.book.begin(world.step(id, "li"), world.now()).unwrap_err();
    let text = "outage `O00000001` is in-progress (停电中): `begin` cannot follow; what can: change, restore-part, restore, cancel";
    assert_eq!(refused.to_string(), text);
    assert!(world.book.outage(id).unwrap().may().contains(&Step::Restore));
}
