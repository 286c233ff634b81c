//! The calendar of working days that a run carries: the State Council's, moved weekends (调休) included.

use gridbell_model::Date;

use crate::error::ContractError;

/// Most words of bits in a calendar: 64 words are 4096 days, over eleven years.
pub const MAX_WORKDAY_WORDS: usize = 64;
const DAYS_PER_WORD: usize = 64;
/// Longest search for a working day: no holiday is longer, and a calendar without any working day must not loop.
const LONGEST_HOLIDAY: i32 = 60;

/// Working days from `first` on; nothing is known of days before `first` or after `known_until`.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct Workdays {
    first: Date,
    known_until: Date,
    bits: Vec<u64>,
}

impl Workdays {
    /// A calendar of the days from `first` on, one flag a day: whether people work.
    ///
    /// # Errors
    /// [`ContractError::Workdays`] if there is no day, or more than [`MAX_WORKDAY_WORDS`] words of them.
    pub fn from_days(first: Date, days: impl IntoIterator<Item = bool>) -> Result<Self, ContractError> {
        let mut bits = Vec::new();
        let mut count = 0_usize;
        for works in days {
            if count == MAX_WORKDAY_WORDS * DAYS_PER_WORD {
                return Err(ContractError::Workdays {
                    problem: format!("more than {count} days; pass those around the run only"),
                });
            }
            if count.is_multiple_of(DAYS_PER_WORD) {
                bits.push(0_u64);
            }
            if let Some(word) = bits.last_mut() {
                *word |= u64::from(works) << (count % DAYS_PER_WORD);
            }
            count += 1;
        }
        if count == 0 || !first.is_some() {
            return Err(ContractError::Workdays { problem: "no day; pass at least the day of the run".to_owned() });
        }
        let known_until = first.plus_days(i32::try_from(count - 1).unwrap_or(i32::MAX));
        Ok(Self { first, known_until, bits })
    }

    /// Monday to Friday for `days` days from `first` on, no holiday: for tests and for years without a published calendar.
    ///
    /// # Errors
    /// As [`Workdays::from_days`].
    pub fn weekdays(first: Date, days: u16) -> Result<Self, ContractError> {
        Self::from_days(first, (0..i32::from(days)).map(|n| first.plus_days(n).weekday() < 5))
    }

    /// First day that is known.
    #[must_use]
    pub fn first(&self) -> Date {
        self.first
    }

    /// Last day that is known.
    #[must_use]
    pub fn known_until(&self) -> Date {
        self.known_until
    }

    /// Bit i of the words, lowest bit of the first word first, is day `first` + i.
    #[must_use]
    pub fn bits(&self) -> &[u64] {
        &self.bits
    }

    /// Whether `date` is a working day; none where the calendar does not know.
    #[must_use]
    pub fn is_workday(&self, date: Date) -> Option<bool> {
        if !date.is_some() || date < self.first || date > self.known_until {
            return None;
        }
        let n = usize::try_from(date.0 - self.first.0).ok()?;
        self.bits.get(n / DAYS_PER_WORD).map(|word| word >> (n % DAYS_PER_WORD) & 1 == 1)
    }

    /// As [`Workdays::is_workday`], with Monday to Friday where the calendar does not know: what the SDK does too, since next year's
    /// calendar is published late.
    #[must_use]
    pub fn is_workday_or_weekday(&self, date: Date) -> bool {
        self.is_workday(date).unwrap_or_else(|| date.weekday() < 5)
    }

    /// Working days from `from` (included) to `to` (not included); 0 if `to` is not later. Monday to Friday where the calendar does not
    /// know. Looks no further ahead than a full calendar reaches.
    #[must_use]
    pub fn between(&self, from: Date, to: Date) -> u32 {
        let furthest = from.plus_days((MAX_WORKDAY_WORDS * DAYS_PER_WORD) as i32);
        let days = (from.0..to.min(furthest).0).filter(|d| self.is_workday_or_weekday(Date(*d))).count();
        u32::try_from(days).unwrap_or(u32::MAX)
    }

    /// `date` if it is a working day, else the first one after it.
    #[must_use]
    pub fn on_or_after(&self, date: Date) -> Date {
        (0..LONGEST_HOLIDAY).map(|n| date.plus_days(n)).find(|d| self.is_workday_or_weekday(*d)).unwrap_or(date)
    }
}
