//! Emergency stops: what is held, by whom and why. A stop holds submits; decisions go on and wait in the outbox.

use std::fmt;
use std::str::FromStr;

use gridbell_model::{Moment, PrefectureCode, Topic};
use serde::{Deserialize, Serialize};

use crate::error::HostError;

/// What a stop holds.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum StopScope {
    /// Everything.
    Province,
    /// One prefecture's customers.
    Prefecture(PrefectureCode),
    /// One topic.
    Topic(Topic),
    /// One link.
    Link(String),
}

impl fmt::Display for StopScope {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Province => f.write_str("province"),
            Self::Prefecture(p) => write!(f, "prefecture:{p}"),
            Self::Topic(t) => write!(f, "topic:{t}"),
            Self::Link(l) => write!(f, "link:{l}"),
        }
    }
}

impl FromStr for StopScope {
    type Err = HostError;

    /// `province`, `prefecture:140100`, `topic:arrears-reminder`, `link:mobile`.
    fn from_str(s: &str) -> Result<Self, HostError> {
        let bad = || {
            HostError::Invalid(format!(
                "`{s}` is not a scope of a stop: use province, prefecture:CODE, topic:NAME or link:NAME"
            ))
        };
        match s.split_once(':') {
            None if s == "province" => Ok(Self::Province),
            Some(("prefecture", code)) => code.parse().map(|c| Self::Prefecture(PrefectureCode(c))).map_err(|_| bad()),
            Some(("topic", topic)) => topic.parse().map(Self::Topic).map_err(|_| bad()),
            Some(("link", link)) if !link.is_empty() => Ok(Self::Link(link.to_owned())),
            _ => Err(bad()),
        }
    }
}

/// A stop that holds.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Stop {
    /// What it holds, as [`StopScope`] prints.
    pub scope: String,
    /// Why.
    pub why: String,
    /// Who.
    pub by: String,
    /// Since when.
    pub at: Moment,
}

/// All stops, ready to be asked for each message.
#[derive(Clone, Debug, Default)]
pub(crate) struct Stops {
    pub(crate) list: Vec<(StopScope, Stop)>,
}

impl Stops {
    pub(crate) fn holds(&self, prefecture: PrefectureCode, topic: Topic) -> bool {
        self.list.iter().any(|(scope, _)| match scope {
            StopScope::Province => true,
            StopScope::Prefecture(p) => *p == prefecture,
            StopScope::Topic(t) => *t == topic,
            StopScope::Link(_) => false,
        })
    }

    pub(crate) fn holds_link(&self, link: &str) -> bool {
        self.list.iter().any(|(scope, _)| match scope {
            StopScope::Province => true,
            StopScope::Link(l) => l == link,
            StopScope::Prefecture(_) | StopScope::Topic(_) => false,
        })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn scopes_read_as_they_print_and_hold_what_they_say() {
        for text in ["province", "prefecture:140100", "topic:outage", "link:mobile"] {
            assert_eq!(text.parse::<StopScope>().unwrap().to_string(), text);
        }
        assert!("town:1".parse::<StopScope>().is_err());
        let stop = Stop { scope: String::new(), why: String::new(), by: String::new(), at: Moment::from_unix_ms(0) };
        let stops = Stops { list: vec![(StopScope::Topic(Topic::Outage), stop)] };
        assert!(stops.holds(PrefectureCode(140_100), Topic::Outage));
        assert!(!stops.holds(PrefectureCode(140_100), Topic::BillNotice));
        assert!(!stops.holds_link("mobile"));
    }
}
