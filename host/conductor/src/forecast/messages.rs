//! Simulated messages: what is kept of each, and which days and numbers they count on.

use crate::settle::Addresses;
use gridbell_model::{Channel, CivilMinute, Date, Decision, OrgCode, PrefectureCode, Topic, TopicClass};
use gridbell_planner::{GuardContext, ProvinceRules, Told};
use gridbell_state::State;
use rustc_hash::FxHashMap;

/// A message that a simulated run would queue. Small: a month of a large prefecture has millions.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Message {
    pub(crate) row: u32,
    /// The run, by its place in the simulation.
    pub(crate) run: u16,
    pub(crate) notice: u16,
    pub(crate) reason: u16,
    pub(crate) route: u16,
    pub(crate) step: u8,
    pub(crate) parts: u8,
    pub(crate) channel: Channel,
    /// Whether another counts for its number.
    pub(crate) rides: bool,
    /// The carrier's number.
    pub(crate) queue: u8,
    pub(crate) station: OrgCode,
    /// In civil minutes, of which those of the years to 6053 fit: see [`Message::send_after()`].
    pub(crate) send_after: i32,
    /// See [`Message::expires()`].
    pub(crate) expires: i32,
    pub(crate) cost_milli_fen: u32,
    pub(crate) key: u64,
    pub(crate) args: [i64; 2],
    /// The row of the run's table: another than the customer's where rows are payments.
    pub(crate) table_row: u32,
}

impl Message {
    pub(crate) fn send_after(&self) -> CivilMinute {
        CivilMinute(i64::from(self.send_after))
    }

    pub(crate) fn expires(&self) -> CivilMinute {
        CivilMinute(i64::from(self.expires))
    }

    pub(crate) fn day(&self) -> Date {
        self.send_after().date()
    }

    pub(crate) fn with_times(mut self, send_after: CivilMinute, expires: CivilMinute) -> Self {
        let small = |at: CivilMinute| i32::try_from(at.0).unwrap_or(i32::MAX);
        (self.send_after, self.expires) = (small(send_after), small(expires));
        self
    }

    /// A message as `decision` has it; times are [`Message::with_times`]'s.
    pub(crate) fn of(decision: &Decision, run: usize, station: OrgCode) -> Self {
        Self {
            row: decision.row,
            run: u16::try_from(run).unwrap_or(u16::MAX),
            notice: decision.notice,
            reason: decision.reason,
            route: decision.route,
            step: decision.step,
            parts: 0,
            channel: Channel::Sms,
            rides: false,
            queue: 0,
            station,
            send_after: 0,
            expires: 0,
            cost_milli_fen: 0,
            key: 0,
            args: [decision.arg0, decision.arg1],
            table_row: decision.row,
        }
    }

    /// The plugin's decision again, at the times that were found for it: for its text.
    pub(crate) fn decision(&self) -> Decision {
        Decision {
            row: self.row,
            notice: self.notice,
            step: self.step,
            reason: self.reason,
            route: self.route,
            arg0: self.args[0],
            arg1: self.args[1],
            not_before: self.send_after(),
            expires: self.expires(),
        }
    }
}

/// What simulated runs queued, by day: later runs count it for their caps as they count what is in the outbox.
#[derive(Debug, Default)]
pub(crate) struct Counted {
    customers: FxHashMap<(u32, Date), u16>,
    phones: FxHashMap<(u64, Date), u16>,
}

impl Counted {
    pub(crate) fn count(&mut self, row: u32, phone: u64, date: Date) {
        let more = |n: &mut u16| *n = n.saturating_add(1);
        more(self.customers.entry((row, date)).or_default());
        if phone != 0 {
            more(self.phones.entry((phone, date)).or_default());
        }
    }

    /// Forgets days before `today`: no run looks back.
    pub(crate) fn forget_before(&mut self, today: Date) {
        self.customers.retain(|(_, date), _| *date >= today);
        self.phones.retain(|(_, date), _| *date >= today);
    }
}

/// What guardrails ask beyond one customer, over the state as it is and what was simulated.
pub(crate) struct SimContext<'a> {
    state: &'a State,
    prefecture: PrefectureCode,
    /// Topics by their class.
    topics: &'a FxHashMap<TopicClass, Vec<Topic>>,
    counted: &'a Counted,
    addresses: &'a Addresses,
}

impl<'a> SimContext<'a> {
    pub(crate) fn new(
        state: &'a State,
        prefecture: PrefectureCode,
        topics: &'a FxHashMap<TopicClass, Vec<Topic>>,
        counted: &'a Counted,
        addresses: &'a Addresses,
    ) -> Self {
        Self { state, prefecture, topics, counted, addresses }
    }
}

/// Which topics the province put into which class.
pub(crate) fn topics_by_class(rules: &ProvinceRules) -> FxHashMap<TopicClass, Vec<Topic>> {
    let mut by_class: FxHashMap<TopicClass, Vec<Topic>> = FxHashMap::default();
    for topic in Topic::ALL {
        by_class.entry(rules.topic(*topic).class).or_default().push(*topic);
    }
    by_class
}

impl GuardContext for SimContext<'_> {
    fn said(&self, _row: u32, _topic: Topic, _key: u64, _step: u8) -> bool {
        // As in a run: topics without a column are refused when a policy is applied.
        false
    }

    fn told(&self, row: u32, phone: u64, date: Date, class: TopicClass) -> Told {
        let topics = self.topics.get(&class).map(Vec::as_slice).unwrap_or_default();
        let (customer, by_phone) = self.state.told(self.prefecture, row, phone, date, topics);
        let also = |n: u8, more: Option<&u16>| u16::from(n).saturating_add(more.copied().unwrap_or(0));
        Told {
            customer: also(customer, self.counted.customers.get(&(row, date))),
            phone: also(by_phone, self.counted.phones.get(&(phone, date))),
        }
    }

    fn has_address(&self, row: u32, channel: Channel) -> bool {
        self.addresses.has(row, channel)
    }
}
