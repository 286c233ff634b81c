//! What of the grid an outage takes, and whom that concerns.

use std::collections::BTreeSet;
use std::sync::Arc;

use gridbell_model::{AccountNumber, Moment, PrefectureCode};
use serde::{Deserialize, Serialize};

use crate::error::Error;

/// The most members of a scope, all sets together. With the part that was restored, which is bounded alike, a revision stays below a document's mebibyte.
pub const MAX_SCOPE: usize = 10_000;
/// The most octets of a line's, switch's or transformer's code, as the topology's.
const MAX_CODE: usize = 40;

/// What of the grid an outage takes: all that hangs on these, less what is excepted.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(default)]
pub struct Scope {
    /// Whole lines.
    #[serde(skip_serializing_if = "BTreeSet::is_empty")]
    pub lines: BTreeSet<String>,
    /// Switches that open, with all behind them.
    #[serde(skip_serializing_if = "BTreeSet::is_empty")]
    pub switches: BTreeSet<String>,
    /// Transformers.
    #[serde(skip_serializing_if = "BTreeSet::is_empty")]
    pub transformers: BTreeSet<String>,
    /// Single customers.
    #[serde(skip_serializing_if = "BTreeSet::is_empty")]
    pub customers: BTreeSet<AccountNumber>,
    /// Transformers that keep their power.
    #[serde(skip_serializing_if = "BTreeSet::is_empty")]
    pub except_transformers: BTreeSet<String>,
    /// Customers who keep it.
    #[serde(skip_serializing_if = "BTreeSet::is_empty")]
    pub except_customers: BTreeSet<AccountNumber>,
}

impl Scope {
    /// The scope of one transformer.
    #[must_use]
    pub fn transformer(code: &str) -> Self {
        Self { transformers: BTreeSet::from([code.to_owned()]), ..Self::default() }
    }

    /// Whether it takes nothing.
    #[must_use]
    pub fn is_empty(&self) -> bool {
        self.lines.is_empty() && self.switches.is_empty() && self.transformers.is_empty() && self.customers.is_empty()
    }

    fn codes(&self) -> [&BTreeSet<String>; 4] {
        [&self.lines, &self.switches, &self.transformers, &self.except_transformers]
    }

    /// How many members all its sets have.
    #[must_use]
    pub fn members(&self) -> usize {
        self.codes().iter().map(|set| set.len()).sum::<usize>() + self.customers.len() + self.except_customers.len()
    }

    /// Whether it may be kept: it takes something, its codes are codes, and it is within [`MAX_SCOPE`].
    ///
    /// # Errors
    /// Names the set.
    pub fn check(&self) -> Result<(), Error> {
        if self.is_empty() {
            return Err(Error::field("scope", "is empty: name lines, switches, transformers or customers"));
        }
        if self.members() > MAX_SCOPE {
            return Err(Error::field("scope", format!("names more than {MAX_SCOPE}: name the line instead")));
        }
        for (field, set) in ["lines", "switches", "transformers", "except_transformers"].into_iter().zip(self.codes()) {
            let code = |c: &&String| {
                c.is_empty() || c.len() > MAX_CODE || c.bytes().any(|b| !b.is_ascii_graphic() || b == b'/')
            };
            if let Some(bad) = set.iter().find(code) {
                let shown: String = bad.chars().take(MAX_CODE).collect();
                let why = format!("has `{shown}`: a code is 1 to {MAX_CODE} ASCII signs without spaces and slashes");
                return Err(Error::field(field, why));
            }
        }
        Ok(())
    }

    /// Whether this one names something that `before` did not, or excepts less.
    #[must_use]
    pub fn is_wider_than(&self, before: &Self) -> bool {
        !(self.lines.is_subset(&before.lines)
            && self.switches.is_subset(&before.switches)
            && self.transformers.is_subset(&before.transformers)
            && self.customers.is_subset(&before.customers)
            && self.except_transformers.is_superset(&before.except_transformers)
            && self.except_customers.is_superset(&before.except_customers))
    }
}

/// A customer whom a scope concerns.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Concerned {
    /// Who.
    pub account: AccountNumber,
    /// Which of his sources are lost: a bit each, the first source the lowest.
    pub lost: u8,
    /// Which may be: where it is disputed which transformer feeds them (可能受影响).
    pub maybe: u8,
    /// How many he has; 0 counts as one.
    pub sources: u8,
}

/// Whom a scope concerns, as the topology was when it was asked. Cheap to clone.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Affected {
    customers: Arc<[Concerned]>,
    transformers: Arc<[String]>,
}

impl Affected {
    /// From customers and transformers in any order. Of a customer who is named more than once all lost sources count.
    #[must_use]
    pub fn new(mut customers: Vec<Concerned>, mut transformers: Vec<String>) -> Self {
        customers.sort_unstable_by_key(|c| c.account);
        customers.dedup_by(|next, kept| {
            let same = next.account == kept.account;
            if same {
                kept.lost |= next.lost;
                kept.sources = kept.sources.max(next.sources);
                kept.maybe |= next.maybe;
            }
            same
        });
        transformers.sort_unstable();
        transformers.dedup();
        Self { customers: customers.into(), transformers: transformers.into() }
    }

    /// The customers, by account.
    #[must_use]
    pub fn customers(&self) -> &[Concerned] {
        &self.customers
    }

    /// The transformers, in order.
    #[must_use]
    pub fn transformers(&self) -> &[String] {
        &self.transformers
    }

    /// How a customer is concerned.
    #[must_use]
    pub fn of(&self, account: AccountNumber) -> Option<Concerned> {
        let at = self.customers.binary_search_by_key(&account, |c| c.account).ok()?;
        self.customers.get(at).copied()
    }

    /// Whether a transformer is dead.
    #[must_use]
    pub fn has_transformer(&self, code: &str) -> bool {
        self.transformers.binary_search_by(|t| t.as_str().cmp(code)).is_ok()
    }
}

/// Who knows the grid: whom a scope takes as customers are fed at a moment.
pub trait Reach {
    /// The customers and transformers of `scope`, less what it excepts, and less the transformers and customers of the parts that are `back`. Of a
    /// customer named himself all sources are lost.
    fn affected(&self, prefecture: PrefectureCode, scope: &Scope, back: &[Scope], at: Moment) -> Affected;
}
