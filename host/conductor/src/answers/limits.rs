//! What came in lately: messages whose repetition is known again, and whom we answered how often. In memory, and read back from the kept messages of
//! the last day when a host opens: a repetition and a limit outlive a restart.

use std::collections::{BTreeMap, VecDeque};
use std::hash::{Hash, Hasher};

use gridbell_model::{Moment, PrefectureCode};
use gridbell_planner::AnswerRules;
use gridbell_state::{InboundMessage, State};
use rustc_hash::{FxHashMap, FxHasher};

use super::GATHER_ANSWERS_MS;
use crate::error::HostError;

/// Messages whose repetition is known again. Gateways and platforms repeat within seconds, or after a connection broke.
const MAX_HEARD: usize = 50_000;
/// For how long.
const DAY_MS: i64 = 86_400_000;
const HOUR_MS: i64 = 3_600_000;
const MINUTE_MS: i64 = 60_000;
/// Numbers whose answers are counted; beyond, nobody new is answered until the day of others is over.
const MAX_NUMBERS: usize = 100_000;
/// Messages read at once when a host opens.
const PAGE: usize = 1_000;
/// In a kept message: it is answered.
pub(crate) const DUE: &str = "due";

/// By what a message is known again: where it came by, the carrier's number for it, and what it says. A gateway that begins to count anew says
/// something else under an old number.
#[derive(Clone, PartialEq, Eq, PartialOrd, Ord)]
pub(crate) struct Wrote {
    link: String,
    key: String,
    content: u64,
}

impl Wrote {
    /// An SMS from `number`.
    pub(crate) fn new(link: &str, key: String, number: u64, text: &str) -> Self {
        let mut hasher = FxHasher::default();
        (number, text).hash(&mut hasher);
        Self { link: link.to_owned(), key, content: hasher.finish() }
    }

    /// A message that a platform's follower wrote: its number is no other's, ever.
    pub(crate) fn of_platform(link: &str, key: String) -> Self {
        Self { link: link.to_owned(), key, content: 0 }
    }

    /// As it was when the kept message came; none of one that has no number.
    fn of(kept: &InboundMessage) -> Option<Self> {
        let platform = gridbell_model::Channel::PLATFORMS.iter().any(|c| c.word() == kept.to);
        let key = Some(kept.key.clone()).filter(|key| !key.is_empty())?;
        Some(if platform {
            Self::of_platform(&kept.link, key)
        } else {
            Self::new(&kept.link, key, kept.from.number(), &kept.text)
        })
    }
}

#[derive(Clone, Copy, PartialEq, Eq)]
enum Stage {
    UnderWay,
    Kept,
}

/// What to do about a message.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Begin {
    New,
    UnderWay,
    Kept,
}

/// An answer that was given, or is due.
struct Given {
    at: Moment,
    text: u64,
}

/// What came in lately.
#[derive(Default)]
pub(crate) struct Inbox {
    known: BTreeMap<Wrote, Stage>,
    /// Those that were kept, in their order.
    order: VecDeque<Wrote>,
    /// Answers of the last day by number; what is older goes with the next.
    given: FxHashMap<u64, VecDeque<Given>>,
    /// Answers of the last minute to everybody.
    in_all: VecDeque<Moment>,
    /// When answers of each prefecture were published last.
    turns: BTreeMap<PrefectureCode, Moment>,
}

impl Inbox {
    /// As the kept messages of the last day leave it.
    pub(crate) fn load(state: &State, now: Moment) -> Result<Self, HostError> {
        let mut recent = Vec::new();
        let mut before = None;
        'pages: while recent.len() < MAX_HEARD {
            let page = state.inbound_messages(before, PAGE)?;
            let Some(last) = page.last() else { break };
            before = Some(last.number);
            for message in page {
                if message.at.plus_ms(DAY_MS) < now {
                    break 'pages;
                }
                recent.push(message);
            }
        }
        let mut inbox = Self::default();
        for message in recent.iter().rev() {
            if let Some(wrote) = Wrote::of(message) {
                inbox.end(wrote, true);
            }
            if message.answer == DUE {
                inbox.count(message.from.number(), &message.text, message.at, 1);
            }
        }
        Ok(inbox)
    }

    pub(crate) fn begin(&mut self, wrote: &Wrote) -> Begin {
        match self.known.get(wrote) {
            Some(Stage::Kept) => Begin::Kept,
            Some(Stage::UnderWay) => Begin::UnderWay,
            None => {
                self.known.insert(wrote.clone(), Stage::UnderWay);
                Begin::New
            }
        }
    }

    /// It is durable, or could not be made so: then it is new when it is told again.
    pub(crate) fn end(&mut self, wrote: Wrote, kept: bool) {
        if !kept {
            self.known.remove(&wrote);
            return;
        }
        self.known.insert(wrote.clone(), Stage::Kept);
        self.order.push_back(wrote);
        while self.order.len() > MAX_HEARD {
            if let Some(oldest) = self.order.pop_front() {
                self.known.remove(&oldest);
            }
        }
    }

    /// Whether `number` may be answered now.
    ///
    /// # Errors
    /// The limit that is reached, in a word.
    pub(crate) fn may_answer(
        &mut self,
        number: u64,
        text: &str,
        now: Moment,
        rules: &AnswerRules,
    ) -> Result<(), &'static str> {
        self.forget(now);
        if let Some(given) = self.given.get(&number) {
            let within = |ms: i64| given.iter().filter(|g| g.at.plus_ms(ms) > now).count();
            let same = given.iter().any(|g| g.text == print(text) && g.at.plus_ms(MINUTE_MS) > now);
            if same {
                // Two machines that answer each other say the same again and again.
                return Err("repeated");
            }
            if within(HOUR_MS) >= usize::from(rules.per_hour) {
                return Err("hour-limit");
            }
            if within(DAY_MS) >= usize::from(rules.per_day) {
                return Err("day-limit");
            }
        } else if self.given.len() >= MAX_NUMBERS {
            return Err("busy");
        }
        if self.in_all.len() >= usize::try_from(rules.per_minute_in_all).unwrap_or(usize::MAX) {
            return Err("busy");
        }
        Ok(())
    }

    /// `number` is answered with so many messages.
    pub(crate) fn count(&mut self, number: u64, text: &str, at: Moment, messages: usize) {
        let given = self.given.entry(number).or_default();
        while given.front().is_some_and(|g| g.at.plus_ms(DAY_MS) <= at) {
            given.pop_front();
        }
        given.push_back(Given { at, text: print(text) });
        self.in_all.extend(std::iter::repeat_n(at, messages));
    }

    /// The last answer of `number` did not become due after all.
    pub(crate) fn uncount(&mut self, number: u64) {
        if let Some(given) = self.given.get_mut(&number) {
            given.pop_back();
        }
    }

    fn forget(&mut self, now: Moment) {
        while self.in_all.front().is_some_and(|at| at.plus_ms(MINUTE_MS) <= now) {
            self.in_all.pop_front();
        }
        let over = |given: &VecDeque<Given>| given.back().is_none_or(|g| g.at.plus_ms(DAY_MS) <= now);
        if self.given.len() >= MAX_NUMBERS {
            self.given.retain(|_, given| !over(given));
        }
    }

    /// Whether answers of `prefecture` are gathered still; if not, it is their turn now.
    pub(crate) fn turn(&mut self, prefecture: PrefectureCode, now: Moment) -> bool {
        let last = self.turns.get(&prefecture);
        // A clock that went back holds nobody for longer.
        let gathering = last.is_some_and(|last| *last <= now && now < last.plus_ms(GATHER_ANSWERS_MS));
        if !gathering {
            self.turns.insert(prefecture, now);
        }
        gathering
    }
}

fn print(text: &str) -> u64 {
    let mut hasher = FxHasher::default();
    text.hash(&mut hasher);
    hasher.finish()
}

#[cfg(test)]
mod tests {
    use super::*;

    fn at(ms: i64) -> Moment {
        Moment::from_unix_ms(1_700_000_000_000 + ms)
    }

    #[test]
    fn a_number_is_answered_so_often_and_everybody_so_often() {
        let rules = AnswerRules { per_hour: 2, per_day: 3, per_minute_in_all: 4, ..AnswerRules::default() };
        let mut inbox = Inbox::default();
        let mut ask = |number: u64, text: &str, ms: i64| {
            let may = inbox.may_answer(number, text, at(ms), &rules);
            if may.is_ok() {
                inbox.count(number, text, at(ms), 1);
            }
            may
        };
        assert_eq!(ask(1, "余额", 0), Ok(()));
        assert_eq!(ask(1, "余额", 1), Err("repeated"));
        assert_eq!(ask(1, "停电", 2), Ok(()));
        assert_eq!(ask(1, "帮助", 3), Err("hour-limit"));
        assert_eq!(ask(2, "余额", 4), Ok(()), "another's limit is his own");
        assert_eq!(ask(3, "余额", 5), Ok(()));
        assert_eq!(ask(4, "余额", 6), Err("busy"));
        assert_eq!(ask(4, "余额", MINUTE_MS + 3), Ok(()));
        assert_eq!(ask(1, "余额", HOUR_MS + 10), Ok(()));
        assert_eq!(ask(1, "停电", 2 * HOUR_MS + 20), Err("day-limit"));
        assert_eq!(ask(1, "停电", DAY_MS + 20), Ok(()));
    }

    #[test]
    fn a_repetition_is_known_and_the_same_number_for_something_else_is_none() {
        let mut inbox = Inbox::default();
        let wrote = |key: &str, number, text| Wrote::new("mobile", key.to_owned(), number, text);
        assert_eq!(inbox.begin(&wrote("7", 138, "余额")), Begin::New);
        assert_eq!(inbox.begin(&wrote("7", 138, "余额")), Begin::UnderWay);
        inbox.end(wrote("7", 138, "余额"), false);
        assert_eq!(inbox.begin(&wrote("7", 138, "余额")), Begin::New, "it did not become durable");
        inbox.end(wrote("7", 138, "余额"), true);
        assert_eq!(inbox.begin(&wrote("7", 138, "余额")), Begin::Kept);
        for other in [wrote("8", 138, "余额"), wrote("7", 139, "余额"), wrote("7", 138, "停电")] {
            assert_eq!(inbox.begin(&other), Begin::New);
        }
    }

    #[test]
    fn what_a_number_was_answered_is_kept_for_a_day() {
        let mut inbox = Inbox::default();
        for day in 0..400 {
            inbox.count(1, "余额", at(day * (DAY_MS + 1)), 1);
        }
        assert_eq!(inbox.given[&1].len(), 1);
    }

    #[test]
    fn what_is_known_is_bounded() {
        let mut inbox = Inbox::default();
        for n in 0..MAX_HEARD as u64 + 10 {
            inbox.end(Wrote::new("mobile", n.to_string(), n, ""), true);
        }
        assert_eq!((inbox.known.len(), inbox.order.len()), (MAX_HEARD, MAX_HEARD));
    }
}
