//! What every batch of one run shares: when, why, and the calendar of working days.

use crate::abi::RawFact;
use crate::parameter::Counting;
use crate::value::{CivilMinute, Date};

/// Why a run happens; [`crate::triggers`] lists them.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub struct Trigger {
    /// Its id in the registry.
    pub id: u16,
    /// Its name in manifests.
    pub name: &'static str,
}

/// A number about the trigger; [`crate::facts`] lists them.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub struct Fact(pub u16);

/// What every batch of one run shares.
#[derive(Clone, Debug)]
pub struct Run<'a> {
    /// GB/T 2260 code of the prefecture.
    pub prefecture: u32,
    /// Civil time of the decision.
    pub now: CivilMinute,
    pub(crate) trigger: u16,
    /// Name of the schedule, where the trigger is one; else empty.
    pub schedule: &'a str,
    pub(crate) facts: &'a [RawFact],
    pub(crate) params: &'a str,
    /// The calendar of working days.
    pub workdays: Workdays<'a>,
}

impl Run<'_> {
    /// The day of the decision.
    #[must_use]
    pub fn today(&self) -> Date {
        self.now.date()
    }

    #[doc(hidden)]
    #[must_use]
    pub fn parameters(&self) -> &str {
        self.params
    }

    /// Whether this is why the run happens.
    #[must_use]
    pub fn is(&self, trigger: Trigger) -> bool {
        self.trigger == trigger.id
    }

    /// A number about the trigger, if the run carries it.
    #[must_use]
    pub fn fact(&self, fact: Fact) -> Option<i64> {
        self.facts.iter().find(|f| f.id == fact.0).map(|f| f.value)
    }

    /// The last date that is at most `days` days ahead of today: there are no more than `days` days, or working days, from today up to the
    /// day before it. What happens on a date up to this one happens "within `days` days".
    #[must_use]
    pub fn ahead(&self, days: u16, counting: Counting) -> Date {
        match counting {
            Counting::Calendar => self.today().plus(days.into()),
            Counting::Working => self.workdays.ahead(self.today(), days),
        }
    }

    /// The last date that is at least `days` days back: from the day after it up to today there are `days` days, or working days. What
    /// happened on a date up to this one happened "`days` days ago or earlier".
    #[must_use]
    pub fn back(&self, days: u16, counting: Counting) -> Date {
        match counting {
            Counting::Calendar => self.today().plus(-i32::from(days)),
            Counting::Working => self.workdays.back(self.today(), days),
        }
    }
}

/// Longest search, in days: a calendar without working days must not loop. Ten years cover any number of days a parameter can hold.
const FURTHEST: i32 = 3660;

/// Working days, moved weekends (调休) included. Where the calendar does not know yet, Monday to Friday are taken: next year's calendar is
/// published late, and a reminder that is a day off is better than none.
#[derive(Clone, Copy, Debug)]
pub struct Workdays<'a> {
    pub(crate) first: Date,
    pub(crate) known_until: Date,
    pub(crate) bits: &'a [u64],
}

impl Workdays<'_> {
    /// Last day that the calendar knows.
    #[must_use]
    pub fn known_until(&self) -> Date {
        self.known_until
    }

    /// Whether people work on `date`.
    #[must_use]
    pub fn works(&self, date: Date) -> bool {
        let known = date >= self.first && date <= self.known_until;
        let n = date.since(self.first);
        match usize::try_from(n / 64).ok().and_then(|word| self.bits.get(word)) {
            Some(word) if known => word >> (n % 64) & 1 == 1,
            _ => date.weekday() < 5,
        }
    }

    /// Working days from `from` (included) to `to` (not included).
    #[must_use]
    pub fn between(&self, from: Date, to: Date) -> u32 {
        let to = to.min(from.plus(FURTHEST));
        (from.0..to.0).filter(|day| self.works(Date(*day))).count() as u32
    }

    /// The last date with at most `days` working days from `from` (included) to it (not included).
    #[must_use]
    pub fn ahead(&self, from: Date, days: u16) -> Date {
        let (mut date, mut left) = (from, u32::from(days));
        for _ in 0..FURTHEST {
            if self.works(date) {
                if left == 0 {
                    break;
                }
                left -= 1;
            }
            date = date.plus(1);
        }
        date
    }

    /// The last date with at least `days` working days after it up to `to` (included).
    #[must_use]
    pub fn back(&self, to: Date, days: u16) -> Date {
        let (mut date, mut left) = (to, u32::from(days));
        for _ in 0..FURTHEST {
            if left == 0 {
                break;
            }
            left -= u32::from(self.works(date));
            date = date.plus(-1);
        }
        date
    }
}
