//! One question to the plugin whose answer shows a fault or does not: what found the fault, and what the smallest input is tried with.

use std::mem::{Discriminant, discriminant};

use gridbell_contract::{Bound, InterestSet, Registry, Run, Test};
use gridbell_engine::{Call, GuestError, GuestFault};
use gridbell_model::{CHUNK_ROWS, ColumnId};
use serde_json::{Value, json};

use crate::certificate::Check;
use crate::customer::Customer;
use crate::draw::Draw;
use crate::error::CertifyError;
use crate::gap;
use crate::subject::{Answer, Scene, Subject, inside};

/// Copies of a customer by which its fuel is measured.
const COPIES: usize = 64;

/// What the plugin is asked about.
#[derive(Debug, Clone, PartialEq)]
pub(crate) struct Input {
    pub(crate) scene: Scene,
    /// One batch.
    pub(crate) customers: Vec<Customer>,
    /// Other neighbours, one for each customer, where the question is about neighbours.
    pub(crate) others: Vec<Customer>,
    /// About which of them the question is, once that is known.
    pub(crate) about: Option<usize>,
}

impl Input {
    pub(crate) fn new(scene: &Scene, customers: Vec<Customer>) -> Self {
        Self { scene: scene.clone(), customers, others: Vec::new(), about: None }
    }
}

/// A fault, as an input shows it.
#[derive(Debug, Clone)]
pub(crate) struct Shown {
    /// What happens, and what should.
    pub(crate) explanation: String,
    /// The customer of whom a case tells, at which moment, and what it expects; none where the fault needs no customer.
    pub(crate) case: Option<(Scene, Customer)>,
    pub(crate) expect: Vec<(String, Value)>,
    /// Which of the input's customers that is.
    pub(crate) about: Option<usize>,
}

/// What is asked, and what of the answer is a fault.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Probe {
    /// It fails in this way.
    Breaks(Check, Call, Discriminant<GuestFault>),
    /// It fails when asked about nobody.
    Nobody,
    Interest,
    Explain,
    SameTwice,
    BatchSize,
    RowOrder,
    Neighbours,
    /// What was said and recorded in this column is said again on the same day.
    SaidAgain(ColumnId),
    /// What is said on a day is not said on the next when that day was missed.
    NotCaughtUp,
    Fuel,
}

/// Which check a guest's failure belongs to, when it happened in a scene that `kind` made.
pub(crate) fn responsible(kind: Check, fault: &GuestError) -> Check {
    match (&fault.fault, fault.call) {
        (GuestFault::OutOfFuel { .. } | GuestFault::Deadline { .. }, _) => Check::Fuel,
        (GuestFault::OutOfMemory { .. }, _) => Check::Memory,
        (
            GuestFault::TooManyDecisions { .. }
            | GuestFault::RowOutOfRange { .. }
            | GuestFault::RowTwice { .. }
            | GuestFault::StepZero { .. },
            _,
        )
        | (GuestFault::UnknownIndex { .. }, Call::Decide) => Check::Decisions,
        (GuestFault::ExplainLength { .. } | GuestFault::UnknownIndex { .. }, _) => Check::Explain,
        (GuestFault::BadInterest { .. }, _) => Check::Interest,
        // What breaks on ordinary customers belongs to the function that breaks.
        (_, Call::Explain) if kind == Check::Decisions => Check::Explain,
        (_, Call::Interest) if kind == Check::Decisions => Check::Interest,
        _ => kind,
    }
}

impl Probe {
    /// The probe of a guest's failure.
    pub(crate) fn of(kind: Check, fault: &GuestError) -> Self {
        Self::Breaks(responsible(kind, fault), fault.call, discriminant(&fault.fault))
    }

    /// Whether `input` shows the fault. A guest that fails in another way does not.
    pub(crate) fn shows(self, subject: &Subject<'_>, input: &Input) -> Result<Option<Shown>, CertifyError> {
        let Some(run) = subject.run(&input.scene)? else { return Ok(None) };
        let ask = Ask { subject, input, run: &run };
        match self {
            Self::Breaks(check, call, kind) => ask.breaks(check, call, kind),
            Self::Nobody => Ok(subject.decide_nobody(&run)?.err().map(|fault| Shown {
                explanation: format!("asked about a batch without rows: {}", told(&fault)),
                case: None,
                expect: Vec::new(),
                about: None,
            })),
            Self::Interest => ask.interest(),
            Self::Explain => ask.explain(),
            Self::SameTwice => ask.same_twice(),
            Self::BatchSize => ask.batch_size(),
            Self::RowOrder => ask.row_order(),
            Self::Neighbours => ask.neighbours(),
            Self::SaidAgain(column) => gap::said_again(subject, input, &run, column),
            Self::NotCaughtUp => gap::not_caught_up(subject, input, &run),
            Self::Fuel => ask.fuel(),
        }
    }
}

struct Ask<'a> {
    subject: &'a Subject<'a>,
    input: &'a Input,
    run: &'a Run,
}

type Showing = Result<Option<Shown>, CertifyError>;

impl Ask<'_> {
    fn shown(&self, about: usize, explanation: String, expect: Vec<(String, Value)>) -> Shown {
        let customer = self.input.customers.get(about).cloned();
        Shown { explanation, case: customer.map(|c| (self.input.scene.clone(), c)), expect, about: Some(about) }
    }

    fn breaks(&self, check: Check, call: Call, kind: Discriminant<GuestFault>) -> Showing {
        let said = |fault: Box<GuestError>| {
            let same = fault.call == call && discriminant(&fault.fault) == kind;
            let same = same && responsible(self.input.scene.kind, &fault) == check;
            same.then(|| self.shown(0, told(&fault), Vec::new()))
        };
        if call == Call::Interest {
            return Ok(self.subject.interest(self.run)?.err().and_then(said));
        }
        if call == Call::Explain {
            return Ok(self.subject.explain(self.run, &self.input.customers)?.err().and_then(said));
        }
        Ok(self.subject.decide(self.run, &self.input.customers)?.err().and_then(said))
    }

    fn interest(&self) -> Showing {
        let Ok(interest) = self.subject.interest(self.run)? else { return Ok(None) };
        let Ok(decided) = self.subject.decide(self.run, &self.input.customers)? else { return Ok(None) };
        for (n, (customer, decision)) in self.input.customers.iter().zip(&decided.decisions).enumerate() {
            if let Some(d) = decision
                && !inside(&interest, customer)
            {
                let answer = Answer { decision: Some(*d), reason: d.reason };
                let text = format!(
                    "`decide` chooses this customer ({}), and `interest` leaves it out: {}; in production nobody would be told",
                    self.subject.words(answer),
                    left_out(&interest, customer)
                );
                return Ok(Some(self.shown(n, text, self.subject.expected(answer))));
            }
        }
        Ok(None)
    }

    fn explain(&self) -> Showing {
        let Ok(answers) = self.subject.answers(self.run, &self.input.customers)? else { return Ok(None) };
        for (n, answer) in answers.iter().enumerate() {
            if let Some(d) = answer.decision
                && d.reason != answer.reason
            {
                let reason = |n| self.subject.reason(n);
                let text = format!(
                    "`decide` chooses this customer because of `{}`, and `explain` says `{}`; both must give the same reason",
                    reason(d.reason),
                    reason(answer.reason)
                );
                let mut expect = self.subject.expected(Answer { decision: Some(d), reason: d.reason });
                expect.iter_mut().filter(|(k, _)| k == "reason").for_each(|(_, v)| *v = json!(reason(answer.reason)));
                return Ok(Some(self.shown(n, text, expect)));
            }
        }
        Ok(None)
    }

    /// The first customer about whom `again` says something else than `once`.
    fn differs(
        &self,
        once: &[Answer],
        again: impl IntoIterator<Item = (usize, Answer)>,
        how: impl Fn(usize) -> String,
    ) -> Option<Shown> {
        let (n, answer) = again.into_iter().find(|(n, answer)| once.get(*n) != Some(answer))?;
        let first = *once.get(n)?;
        let text = format!("{}: {}, then {}", how(n), self.subject.words(first), self.subject.words(answer));
        Some(self.shown(n, text, self.subject.expected(first)))
    }

    /// A failure where the same customers were decided about before.
    fn broke(&self, check: Check, how: &str, fault: &GuestError) -> Option<Shown> {
        let own = responsible(check, fault) == check;
        own.then(|| self.shown(self.input.about.unwrap_or(0), format!("{how} it fails: {}", told(fault)), Vec::new()))
    }

    fn same_twice(&self) -> Showing {
        let own = &self.input.customers;
        let Ok(once) = self.subject.answers(self.run, own)? else { return Ok(None) };
        // Once more, in another instance, with other code in between.
        let plain = match self.subject.decide_plain(self.run, own)? {
            Ok(plain) => plain,
            Err(fault) => return Ok(self.broke(Check::SameTwice, "in code that does not count fuel", &fault)),
        };
        let plain = once.iter().zip(plain.decisions).map(|(a, decision)| Answer { decision, ..*a }).enumerate();
        if let Some(shown) = self.differs(&once, plain, |_| {
            "the same input gives different answers in code that counts fuel and in code that does not".to_owned()
        }) {
            return Ok(Some(shown));
        }
        let again = match self.subject.answers(self.run, own)? {
            Ok(again) => again,
            Err(fault) => return Ok(self.broke(Check::SameTwice, "in a second instance", &fault)),
        };
        let how = |_| "the same input gives different answers in two instances".to_owned();
        if let Some(shown) = self.differs(&once, again.into_iter().enumerate(), how) {
            return Ok(Some(shown));
        }
        // And twice within one batch, which is what a guest can remember.
        let both = match self.subject.answers(self.run, &repeated(own, 2 * own.len()))? {
            Ok(both) => both,
            Err(fault) => {
                return Ok(self.broke(Check::SameTwice, "when each customer stands twice in the batch", &fault));
            }
        };
        let (first, second) = both.split_at(own.len().min(both.len()));
        let how = |_| format!("a customer stands twice in a batch of {} and gets different answers", 2 * own.len());
        Ok(self.differs(first, second.iter().copied().enumerate(), how))
    }

    fn batch_size(&self) -> Showing {
        let own = &self.input.customers;
        let Ok(once) = self.subject.answers(self.run, own)? else { return Ok(None) };
        let n = own.len().max(1);
        let mut sizes = vec![2 * n, 3 * n, COPIES, COPIES / n * n, CHUNK_ROWS / n * n];
        sizes.retain(|size| (n + 1..=CHUNK_ROWS).contains(size));
        sizes.sort_unstable();
        sizes.dedup();
        for size in sizes {
            let more = match self.subject.answers(self.run, &repeated(own, size))? {
                Ok(more) => more,
                Err(fault) => {
                    let how = format!("in a batch of {size}, and not in one of {n}");
                    return Ok(self.broke(Check::BatchSize, &how, &fault));
                }
            };
            // Those who stand where they stood, before customers who are like those before them.
            let first = more.into_iter().take(n).enumerate();
            let how = |_| {
                format!(
                    "in a batch of {n} and in one of {size} with nobody else in it a customer gets different answers"
                )
            };
            if let Some(shown) = self.differs(&once, first, how) {
                return Ok(Some(shown));
            }
        }
        Ok(None)
    }

    fn row_order(&self) -> Showing {
        let own = &self.input.customers;
        let Ok(once) = self.subject.answers(self.run, own)? else { return Ok(None) };
        for order in orders(own.len()) {
            let moved: Vec<Customer> = order.iter().map(|n| own[*n].clone()).collect();
            let again = match self.subject.answers(self.run, &moved)? {
                Ok(again) => again,
                Err(fault) => return Ok(self.broke(Check::RowOrder, "with the same batch in another order", &fault)),
            };
            let mut back: Vec<(usize, Answer)> = order.iter().copied().zip(again).collect();
            back.sort_unstable_by_key(|(n, _)| *n);
            let place = |n: usize| order.iter().position(|o| *o == n).unwrap_or_default();
            let how =
                |n| format!("the same batch in another order: a customer in row {n} and then in row {}", place(n));
            if let Some(shown) = self.differs(&once, back, how) {
                return Ok(Some(shown));
            }
        }
        Ok(None)
    }

    fn neighbours(&self) -> Showing {
        let (own, others) = (&self.input.customers, &self.input.others);
        if others.len() != own.len() {
            return Ok(None);
        }
        let Ok(once) = self.subject.answers(self.run, own)? else { return Ok(None) };
        let kept: Vec<Vec<usize>> = match self.input.about {
            Some(about) => vec![vec![about]],
            None => [0, 1].map(|odd| (odd..own.len()).step_by(2).collect()).to_vec(),
        };
        for kept in kept {
            let swap = |n: usize| if kept.contains(&n) { &own[n] } else { &others[n] };
            let batch: Vec<Customer> = (0..own.len()).map(|n| swap(n).clone()).collect();
            let again = match self.subject.answers(self.run, &batch)? {
                Ok(again) => again,
                Err(fault) => {
                    for other in others {
                        // Whoever breaks it by himself is no matter of neighbours.
                        if self.subject.answers(self.run, std::slice::from_ref(other))?.is_err() {
                            return Ok(None);
                        }
                    }
                    return Ok(self.broke(Check::Neighbours, "with other neighbours", &fault));
                }
            };
            let again = kept.iter().map(|n| (*n, again[*n]));
            let how = |_| "a customer in the same row of a batch of the same size, with other neighbours".to_owned();
            if let Some(shown) = self.differs(&once, again, how) {
                return Ok(Some(shown));
            }
        }
        Ok(None)
    }

    fn fuel(&self) -> Showing {
        let budget = self.subject.fuel_per_customer();
        for (n, customer) in self.input.customers.iter().enumerate() {
            let said = match fuel_of(self.subject, self.run, customer)? {
                Some(fuel) if fuel <= budget => continue,
                Some(fuel) => format!("this customer costs {fuel} units of fuel, and {budget} are allowed"),
                None => format!("this customer costs more than the {budget} units of fuel that are allowed"),
            };
            return Ok(Some(self.shown(n, said, Vec::new())));
        }
        Ok(None)
    }
}

/// Units of fuel that one more customer like `customer` costs in a batch of them; none where the guest used up all it had.
pub(crate) fn fuel_of(subject: &Subject<'_>, run: &Run, customer: &Customer) -> Result<Option<u64>, CertifyError> {
    // Of one that is very dear only a few fit into what there is.
    for copies in [COPIES, 1] {
        let mut used = Vec::new();
        for copies in [1, copies + 1] {
            match subject.decide(run, std::iter::repeat_n(customer, copies))? {
                Ok(decided) => used.push(decided.fuel),
                Err(fault) if responsible(Check::Fuel, &fault) == Check::Fuel => break,
                Err(_) => return Ok(Some(0)),
            }
        }
        if let [one, more] = used[..] {
            return Ok(Some(more.saturating_sub(one).div_ceil(copies as u64)));
        }
    }
    Ok(None)
}

/// `customers` again and again, `n` of them.
fn repeated(customers: &[Customer], n: usize) -> Vec<Customer> {
    customers.iter().cycle().take(n).cloned().collect()
}

/// Orders of `n` rows: backwards, moved by one, and two shuffled.
fn orders(n: usize) -> Vec<Vec<usize>> {
    let straight: Vec<usize> = (0..n).collect();
    let mut orders =
        vec![straight.iter().rev().copied().collect(), straight.iter().map(|i| (i + 1) % n.max(1)).collect()];
    for seed in [1, 2] {
        let mut shuffled = straight.clone();
        gridbell_clock::Seed(seed).stream("certify/orders").shuffle(&mut shuffled);
        orders.push(shuffled);
    }
    orders
}

/// A failure in a sentence.
fn told(fault: &GuestError) -> String {
    format!("{}, {}", fault.call, fault.fault)
}

/// Which bounds leave `customer` out: those of the clause that comes nearest.
fn left_out(interest: &InterestSet, customer: &Customer) -> String {
    let InterestSet::AnyOf(clauses) = interest else { return String::new() };
    let fails = |bound: &&Bound| {
        let none = Registry::get().column(bound.column).and_then(|def| def.none);
        !bound.matches(customer.get(bound.column), none)
    };
    let nearest = clauses.iter().map(|c| c.iter().filter(fails).collect::<Vec<_>>()).min_by_key(Vec::len);
    let Some(nearest) = nearest else { return "it has no clause".to_owned() };
    let said = nearest.iter().map(|bound| {
        let name = Registry::get().column(bound.column).map_or("?", |def| &def.name);
        let bits = bound.low;
        match bound.test {
            Test::Between => format!("`{name}` must be from {} to {}", bound.low, bound.high),
            Test::AllBits => format!("`{name}` must have all bits of {bits:#x}"),
            Test::AnyBit => format!("`{name}` must have some bit of {bits:#x}"),
            Test::NoBits => format!("`{name}` must have no bit of {bits:#x}"),
        }
    });
    said.collect::<Vec<_>>().join(" and ")
}

/// How answers are told.
impl Subject<'_> {
    /// Name of a reason.
    pub(crate) fn reason(&self, n: u16) -> String {
        self.manifest().reasons().get(usize::from(n)).map_or_else(|| n.to_string(), |r| r.name.clone())
    }

    /// An answer in the manifest's words.
    pub(crate) fn words(&self, answer: Answer) -> String {
        let fields = self.expected(answer);
        let text = |v: &Value| v.as_str().map_or_else(|| v.to_string(), str::to_owned);
        fields.iter().map(|(k, v)| format!("{k} {}", text(v))).collect::<Vec<_>>().join(", ")
    }

    /// An answer as a case expects it.
    pub(crate) fn expected(&self, answer: Answer) -> Vec<(String, Value)> {
        let manifest = self.manifest();
        let Some(d) = answer.decision else {
            return vec![("nothing".to_owned(), json!(self.reason(answer.reason)))];
        };
        let notice = manifest.notices().get(usize::from(d.notice)).map_or("?", |n| &n.name);
        let route = manifest.routes().get(usize::from(d.route)).map_or("?", String::as_str);
        let fields = [
            ("notice", json!(notice)),
            ("step", json!(d.step)),
            ("reason", json!(self.reason(d.reason))),
            ("route", json!(route)),
        ];
        let mut fields: Vec<(String, Value)> = fields.map(|(k, v)| (k.to_owned(), v)).to_vec();
        for (key, minute) in [("not-before", d.not_before), ("expires", d.expires)] {
            if minute.is_some() {
                fields.push((key.to_owned(), json!(minute.to_string().replace('T', " "))));
            }
        }
        fields
    }
}
