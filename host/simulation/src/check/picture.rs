//! The state as it shows itself, to compare before and after the end of a life.

use std::collections::BTreeMap;

use gridbell_conductor::{CHANGED_BY, PLUGIN, POLICY, PROVINCE, SCHEDULE, STOP};
use gridbell_model::{Date, MessageId, MessageState, OrgCode};
use gridbell_state::State;

/// Everything that can be asked, by what it is asked of.
pub(crate) struct Picture {
    facts: BTreeMap<String, String>,
    /// Where each customer is: nobody moves here, whatever of a change under way survives.
    places: BTreeMap<String, (OrgCode, u32, Result<String, ()>)>,
    messages: BTreeMap<MessageId, (MessageState, String)>,
    /// A change that was under way when the power failed is there all the same: nobody was told so.
    pub(crate) more_survived: bool,
}

impl Picture {
    /// Takes the picture. A store that failed can no longer be read: what is only there is left out.
    pub(crate) fn take(state: &State) -> Self {
        let (mut facts, mut places) = (BTreeMap::new(), BTreeMap::new());
        for (code, rows) in state.prefectures() {
            for row in 0..rows {
                if let Some(view) = state.customer_at(code, row) {
                    facts.insert(format!("customer {code}/{row}"), format!("{view:?}"));
                    let name = state.name(view.account).map_err(|_| ());
                    places.insert(format!("customer {code}/{row}"), (view.station, view.section, name));
                }
            }
        }
        for kind in [POLICY, PROVINCE, PLUGIN, SCHEDULE, STOP, CHANGED_BY] {
            for (key, doc) in state.docs(kind) {
                let text = format!("{} {}", doc.version, String::from_utf8_lossy(&doc.value));
                facts.insert(format!("document {kind}/{key}"), text);
            }
        }
        for (key, counts) in state.stats(Date(i32::MIN), Date(i32::MAX)) {
            facts.insert(format!("statistics {key:?}"), format!("{counts:?}"));
        }
        let mut messages = BTreeMap::new();
        for run in state.runs(None, usize::MAX, |_| true) {
            facts.insert(format!("run {}", run.id), format!("{run:?}"));
            for number in 0..u32::try_from(run.queued).unwrap_or(0) {
                let id = MessageId::new(run.prefecture, run.first_message + number);
                if let Ok(Some(status)) = state.message_status(id) {
                    messages.insert(id, (status.state, format!("{status:?}")));
                }
            }
        }
        Self { facts, places, messages, more_survived: false }
    }

    /// What was acknowledged before is so after: all of it, and nothing else unless more survived.
    pub(crate) fn compare(&self, after: &Self) -> Result<(), String> {
        for (id, (state, words)) in &self.messages {
            let Some((now, now_words)) = after.messages.get(id) else {
                return Err(format!("message {id} is lost by the end of a life"));
            };
            let fine = match state {
                // Cut off: it goes again, marked.
                MessageState::Submitting => !now_words.contains("state: Submitting"),
                state if state.is_final() => now == state,
                _ => self.more_survived || words == now_words,
            };
            if !fine {
                return Err(format!("message {id} was {words}, and is {now_words} after the end of a life"));
            }
        }
        for (customer, before) in &self.places {
            let now = after.places.get(customer);
            let same = now.is_some_and(|now| {
                // A name that only a store that failed has could not be read.
                (now.0, now.1) == (before.0, before.1) && (before.2.is_err() || now.2 == before.2)
            });
            if !same {
                return Err(format!("{customer} was at {before:?}, and is at {now:?} after the end of a life"));
            }
        }
        if self.more_survived {
            return Ok(());
        }
        let gone = self.facts.iter().find(|(key, value)| after.facts.get(*key) != Some(*value));
        if let Some((key, value)) = gone {
            return Err(format!("{key} was {value}, and is {:?} after the end of a life", after.facts.get(key)));
        }
        match after.facts.keys().find(|key| !self.facts.contains_key(*key)) {
            Some(key) => Err(format!("{key} is there after the end of a life, and was not before")),
            None => Ok(()),
        }
    }
}
