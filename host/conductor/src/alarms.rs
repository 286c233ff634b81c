//! What the operator must know, newest last, bounded. An alarm that repeats raises its count instead of filling the list.

use std::collections::VecDeque;

use gridbell_model::Moment;
use serde::Serialize;

/// Alarms that are kept; the oldest goes first.
pub const MAX_ALARMS: usize = 200;

/// One thing that the operator must know.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
pub struct Alarm {
    /// A stable code, dotted: `run.failed`, `plugin.interest`. The operator's guide says what to do about each.
    pub code: &'static str,
    /// What it is about: a run, a link, a policy.
    pub subject: String,
    /// What happened, in a sentence, without personal data.
    pub text: String,
    /// When it was raised first.
    pub first: Moment,
    /// When it was raised last.
    pub last: Moment,
    /// How often.
    pub count: u64,
}

#[derive(Debug, Default)]
pub(crate) struct Alarms(VecDeque<Alarm>);

impl Alarms {
    pub(crate) fn raise(&mut self, code: &'static str, subject: &str, text: String, at: Moment) {
        tracing::warn!(alarm = code, subject, "alarm: {text}");
        if let Some(known) = self.0.iter_mut().find(|a| a.code == code && a.subject == subject) {
            known.text = text;
            known.last = at;
            known.count += 1;
            return;
        }
        if self.0.len() >= MAX_ALARMS {
            self.0.pop_front();
        }
        self.0.push_back(Alarm { code, subject: subject.to_owned(), text, first: at, last: at, count: 1 });
    }

    pub(crate) fn clear(&mut self, code: &str, subject: &str) {
        self.0.retain(|a| a.code != code || a.subject != subject);
    }

    pub(crate) fn list(&self) -> Vec<Alarm> {
        self.0.iter().cloned().collect()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_repeated_alarm_is_one_and_the_list_is_bounded() {
        let mut alarms = Alarms::default();
        for i in 0..3 {
            alarms.raise("run.failed", "R1", format!("try {i}"), Moment::from_unix_ms(i));
        }
        assert_eq!((alarms.list().len(), alarms.list()[0].count), (1, 3));
        for i in 0..=MAX_ALARMS {
            alarms.raise("run.failed", &i.to_string(), String::new(), Moment::from_unix_ms(0));
        }
        assert_eq!(alarms.list().len(), MAX_ALARMS);
    }
}
