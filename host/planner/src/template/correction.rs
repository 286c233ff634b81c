//! Texts of corrections: an apology, plain or with the facts of now about what the wrong message was about. It is checked as every other text; instead of a
//! plugin's numbers it may say the one amount that texts of the corrected topic state.

use gridbell_contract::{Arg, Notice, Unit};
use gridbell_model::{Channel, Topic};

use super::compile::at;
use super::slots::{Slot, states_fact};
use super::{Compiled, Template, TemplateStatus};
use crate::error::PlannerError;
use crate::rules::ProvinceRules;

/// The placeholder of the amount, in yuan as customers read it.
pub const CORRECTED_AMOUNT: &str = "amount";
/// Words of which an apology has one.
const APOLOGIES: [&str; 3] = ["歉", "对不起", "对不住"];

/// What a correction about `topic` can say besides the house's own placeholders.
#[must_use]
pub fn correction_notice(topic: Topic) -> Notice {
    let amount = Arg { name: CORRECTED_AMOUNT.to_owned(), unit: Unit::Fen };
    Notice {
        name: topic.word().to_owned(),
        title: format!("{}（{}）", Topic::Correction.chinese(), topic.chinese()),
        arg0: states_fact(topic).then_some(amount),
        arg1: None,
    }
}

/// The topic that an approved text of corrections is for: its notice names it.
///
/// # Errors
/// [`PlannerError::Template`] where it names none that a message can be about.
pub fn corrected_topic(template: &Template) -> Result<Topic, PlannerError> {
    let topic = template.notice.parse().ok().filter(|t| *t != Topic::Correction);
    topic.ok_or_else(|| {
        let notice = &template.notice;
        at("", 0, format!("`{notice}` is no topic: the notice of a correction names the topic that it corrects"))
    })
}

/// A correction's text, ready for rendering.
#[derive(Debug)]
pub struct CorrectionText {
    pub(crate) compiled: Compiled,
    states: bool,
    tells: bool,
}

impl CorrectionText {
    /// Checks `text`, which corrects messages about `topic` on `channel`, and makes it ready.
    ///
    /// # Errors
    /// [`PlannerError::Template`] with line and column: as [`Template::compile`], no apology, or an amount without its day.
    pub fn new(text: &str, channel: Channel, topic: Topic, rules: &ProvinceRules) -> Result<Self, PlannerError> {
        let notice = correction_notice(topic);
        let amount = notice.arg0.as_ref().map(|arg| arg.name.clone());
        // What it leaves out it leaves out: whether the day is missing depends on what it says.
        let omits = amount.into_iter().chain(states_fact(topic).then(|| "as_of".to_owned())).collect();
        let (name, status) = (notice.name.clone(), TemplateStatus::Approved);
        let template =
            Template { topic, notice: name, channel, version: 0, status, text: text.to_owned(), omits, merged: None };
        let compiled = Compiled::of_class(&template, &notice, rules, rules.topic(Topic::Correction).class)?;
        if !APOLOGIES.iter().any(|word| text.contains(word)) {
            let message = format!("a correction apologises: say it with one of {}", APOLOGIES.join(", "));
            return Err(at(text, 0, message));
        }
        let is_fact = |s: Slot| matches!(s, Slot::Arg(..) | Slot::Period | Slot::LateFeeFrom | Slot::MonthsOwed);
        let states = compiled.says(is_fact);
        if states && !compiled.says(|s| s == Slot::AsOf) {
            return Err(at(text, text.len(), "the text states a fact: say its day as `{{ as_of }}` (截至)"));
        }
        let tells = states || compiled.says(|s| matches!(s, Slot::AsOf | Slot::AccountTail));
        Ok(Self { compiled, states, tells })
    }

    /// Whether it states a fact of the account that may change before it goes.
    #[must_use]
    pub fn states_fact(&self) -> bool {
        self.states
    }

    /// Whether it says anything of the account at all.
    #[must_use]
    pub fn tells_account(&self) -> bool {
        self.tells
    }

    /// As it reads with likely facts, with its parts.
    #[must_use]
    pub fn sample(&self) -> &super::TextPlan {
        self.compiled.sample()
    }
}
