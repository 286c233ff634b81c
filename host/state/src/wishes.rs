//! What customers asked for and refused, each with time and source. The bits that guardrails read are in the columns; where a bit is not what was asked
//! last, a file said otherwise since, and the entry says so. Decides nothing.

use gridbell_model::{AccountNumber, CustomerView, Moment, PrefectureCode, Wish, WishSource};

use crate::beside::AskedAt;
use crate::error::StateError;
use crate::prefecture::Prefecture;
use crate::state::State;

/// One thing that a customer can ask for, as it stands.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub struct WishEntry {
    /// What.
    pub wish: Wish,
    /// Whether the customer is told.
    pub on: bool,
    /// From where and when the customer said so; none where nobody did, or a file said otherwise since.
    pub said: Option<(WishSource, Moment)>,
}

impl Prefecture {
    /// Whether `row` said just this already.
    pub(crate) fn is_asked(&self, row: u32, wish: Wish, on: bool, source: WishSource) -> bool {
        let entry = self.beside.asked.get(&(row, wish as u8));
        entry.is_some_and(|a| a.on == on && a.source == source as u8)
    }

    pub(crate) fn set_asked(&mut self, row: u32, wish: Wish, on: bool, source: WishSource, now: Moment) {
        let at = u32::try_from(now.unix_ms() / 1000).unwrap_or(0);
        self.beside.asked.insert((row, wish as u8), AskedAt { at, source: source as u8, on });
    }
}

impl State {
    /// Everything that the customer can ask for, as it stands, in the order of [`Wish::ALL`].
    ///
    /// # Errors
    /// When there is no such account.
    pub fn wishes(&self, account: AccountNumber) -> Result<(PrefectureCode, CustomerView, Vec<WishEntry>), StateError> {
        let none = || StateError::NoAccount(account);
        let (code, view) = self.customer(account).ok_or_else(none)?;
        let prefecture = self.shared().core.prefecture(code).ok_or_else(none)?;
        let prefecture = prefecture.read();
        let entry = |wish: &Wish| {
            let on = wish.is_on(view.traits, view.preferences);
            let asked = prefecture.beside.asked.get(&(view.row, *wish as u8)).filter(|a| a.on == on);
            let said = asked
                .and_then(|a| Some((WishSource::from_code(a.source)?, Moment::from_unix_ms(i64::from(a.at) * 1000))));
            WishEntry { wish: *wish, on, said }
        };
        Ok((code, view, Wish::ALL.iter().map(entry).collect()))
    }
}
