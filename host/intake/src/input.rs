//! A customer as the API takes it: the same rules as for a file's row, other clothes.

use std::collections::BTreeMap;

use gridbell_model::{AccountNumber, ContactSource, Date, Fen, OrgCode, Segments, Traits};
use serde::{Deserialize, Serialize};

use crate::cell;
use crate::parse::flag_phone;
use crate::reject::Reason;
use crate::rows::{CustomerRow, MAX_NAME, Refusal};
use crate::summary::Warning;

/// A customer in JSON. What is left out stays as it is. The other kinds' rows are their own JSON: see [`crate::BillRow`], [`crate::BalanceRow`],
/// [`crate::PaymentRow`] and their `check`.
#[derive(Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields, rename_all = "snake_case")]
pub struct CustomerInput {
    /// 户号
    pub account: AccountNumber,
    /// The station's code.
    pub station: OrgCode,
    /// The reading section (抄表段).
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub section: Option<u32>,
    /// 户名. Personal.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub name: Option<String>,
    /// The phone number; "" takes the known one away. Personal.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub phone: Option<String>,
    /// Where the number came from.
    #[serde(default)]
    pub contact_source: ContactSource,
    /// When the number was last verified.
    #[serde(default = "never", skip_serializing_if = "is_never")]
    pub verified: Date,
    /// Traits by their word, true or false.
    #[serde(default, skip_serializing_if = "BTreeMap::is_empty")]
    pub traits: BTreeMap<String, bool>,
    /// The customer's own warning threshold, in fen.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub threshold_fen: Option<Fen>,
}

fn never() -> Date {
    Date::NONE
}

#[expect(clippy::trivially_copy_pass_by_ref, reason = "serde's skip_serializing_if passes a reference")]
fn is_never(date: &Date) -> bool {
    !date.is_some()
}

impl std::fmt::Debug for CustomerInput {
    /// Without what is personal.
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("CustomerInput")
            .field("account", &self.account)
            .field("station", &self.station)
            .finish_non_exhaustive()
    }
}

impl CustomerInput {
    /// The row, and what is to be warned of. Unlike in a file, a word that is not understood is refused: whoever sent it is there to correct it.
    ///
    /// # Errors
    /// The first rule that it breaks.
    pub fn into_row(self, segments: &Segments, today: Date) -> Result<(CustomerRow, Vec<Warning>), Refusal> {
        let refuse = |field, reason| Err(Refusal { field, reason });
        let mut warnings = Vec::new();
        let mut row = CustomerRow::new(self.account, self.station);
        row.section = self.section;
        row.threshold = self.threshold_fen;
        row.name = match self.name {
            Some(name) if name.len() > MAX_NAME || name.chars().any(char::is_control) => {
                return refuse("name", Reason::Encoding);
            }
            name => name.map(|n| n.trim().to_owned()).filter(|n| !n.is_empty()),
        };
        if self.verified.is_some() && self.verified > today {
            return refuse("verified", Reason::Future);
        }
        row.phone = self.phone.map(|text| {
            let phone = cell::phone(text.trim(), segments);
            flag_phone(phone, &mut |w| warnings.push(w));
            if phone.number() == 0 {
                return phone;
            }
            phone.with_source(self.contact_source).with_verified_on(self.verified)
        });
        for (word, on) in &self.traits {
            let Some(bit) = Traits::from_word(word).filter(|b| cell::GIVABLE.has(*b)) else {
                return refuse("traits", Reason::Trait);
            };
            row.traits = row.traits.with(bit, *on);
            row.traits_given = row.traits_given | bit;
        }
        row.check()?;
        Ok((row, warnings))
    }
}
