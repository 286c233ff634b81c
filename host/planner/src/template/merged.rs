//! The second text of a template, which several accounts of one number share: money is their sum, how many they are is a number of its own, and
//! everything else must be the same for all of them. It says nothing of an account that the account's own message would not have said.

use std::hash::Hasher;

use gridbell_contract::Notice;
use gridbell_model::{Channel, Topic};
use rustc_hash::FxHasher;

use super::compile::{Wording, at};
use super::slots::{Facts, Slot};
use super::{Compiled, RenderError, Template, TextPlan};
use crate::error::PlannerError;
use crate::rules::ProvinceRules;

/// The placeholder of how many accounts share the text.
pub const MERGED_COUNT: &str = "count";
/// Accounts that one message tells together at most: beyond it a further one follows.
pub const MAX_TOGETHER: usize = 50;

/// A text that several accounts share, ready for rendering.
#[derive(Debug)]
pub struct MergedText {
    compiled: Compiled,
    /// What it says that is neither a sum nor the count.
    same: Vec<Slot>,
}

impl MergedText {
    /// Checks `text` beside the template's own, `own`, and makes it ready.
    pub(super) fn new(
        text: &str,
        own: &Compiled,
        template: &Template,
        notice: &Notice,
        rules: &ProvinceRules,
    ) -> Result<Self, PlannerError> {
        let refuse = |message: String| Err(at(text, 0, format!("`merged`: {message}")));
        if template.channel != Channel::Sms || matches!(template.topic, Topic::Correction | Topic::Answer) {
            return refuse("only texts of policies that go by SMS can tell several accounts together".to_owned());
        }
        if own.said().iter().any(|(name, _)| name == MERGED_COUNT) {
            return refuse(format!("the notice has a number of its own called `{MERGED_COUNT}`"));
        }
        // What its own message would not say of an account, to that number, this one does not say either.
        let mut names: Vec<(String, Slot)> =
            own.said().iter().filter(|(_, slot)| *slot != Slot::AccountTail).cloned().collect();
        names.push((MERGED_COUNT.to_owned(), Slot::Count));
        // The sum is what it is for, and of which day it is.
        let is_needed = |slot: Slot| slot.is_money() || matches!(slot, Slot::AsOf | Slot::Count);
        let needed: Vec<String> = names.iter().filter(|(_, s)| is_needed(*s)).map(|(name, _)| name.clone()).collect();
        let wording = Wording { text, names, needed: needed.iter().map(String::as_str).collect() };
        let class = rules.topic(template.topic).class;
        let compiled = Compiled::of_wording(&wording, template, notice, rules, class).map_err(|e| match e {
            PlannerError::Template { line, column, message } => {
                PlannerError::Template { line, column, message: format!("`merged`: {message}") }
            }
            e => e,
        })?;
        let is_same = |slot: &Slot| !slot.is_money() && *slot != Slot::Count;
        let same = compiled.said().iter().map(|(_, slot)| *slot).filter(is_same).collect();
        Ok(Self { compiled, same })
    }

    /// A likely text, with its length: for the form in which it is written.
    #[must_use]
    pub fn sample(&self) -> &TextPlan {
        self.compiled.sample()
    }

    /// What must be the same for two accounts to share the text, as one number; none where something that it says is not known of the account.
    #[must_use]
    pub fn sameness(&self, facts: &Facts<'_>) -> Option<u64> {
        let (mut hasher, mut value) = (FxHasher::default(), String::new());
        for slot in &self.same {
            value.clear();
            slot.write(facts, &mut value).ok()?;
            hasher.write(value.as_bytes());
            hasher.write_u8(0);
        }
        Some(hasher.finish())
    }

    /// The text for all of `accounts`, with its parts and its cost; none where they cannot share one.
    ///
    /// # Errors
    /// As [`Compiled::plan`].
    pub fn plan(&self, accounts: &[Facts<'_>], cost_per_part_milli_fen: u32) -> Result<Option<TextPlan>, RenderError> {
        let Some(together) = self.together(accounts)? else { return Ok(None) };
        self.compiled.plan(&together, cost_per_part_milli_fen).map(Some)
    }

    /// The facts of all of them; none where they differ in what must be the same, or the sum is beyond all measure.
    fn together<'a>(&self, accounts: &[Facts<'a>]) -> Result<Option<Facts<'a>>, RenderError> {
        let Some((first, rest)) = accounts.split_first().filter(|(_, rest)| rest.len() < MAX_TOGETHER) else {
            return Ok(None);
        };
        let mut together = Facts { count: u16::try_from(accounts.len()).unwrap_or(u16::MAX), ..*first };
        let (mut ours, mut theirs) = (String::new(), String::new());
        for facts in rest {
            for slot in &self.same {
                ours.clear();
                theirs.clear();
                slot.write(first, &mut ours)?;
                slot.write(facts, &mut theirs)?;
                if ours != theirs {
                    return Ok(None);
                }
            }
            for (_, slot) in self.compiled.said() {
                if let Slot::Arg(n, _) = slot
                    && slot.is_money()
                {
                    let n = usize::from(n & 1);
                    let Some(sum) = together.args[n].checked_add(facts.args[n]) else { return Ok(None) };
                    together.args[n] = sum;
                }
            }
        }
        Ok(Some(together))
    }
}
