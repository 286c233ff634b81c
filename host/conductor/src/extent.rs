//! What a person holds, lets run out or takes back at once: the province, a prefecture, a topic, a link, a run. Only the words and what they name:
//! what is done within them is `stops` and `recall`.

use std::fmt;
use std::str::FromStr;

use gridbell_model::{PrefectureCode, RunId, Topic};

/// An extent as people write it.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum Extent {
    /// Everything.
    Province,
    /// One prefecture's customers.
    Prefecture(PrefectureCode),
    /// One topic.
    Topic(Topic),
    /// One link, by its name; of a recall all that waits in the queues that it takes from.
    Link(String),
    /// What one run queued, and the next channels of it.
    Run(RunId),
}

impl fmt::Display for Extent {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Province => f.write_str("province"),
            Self::Prefecture(p) => write!(f, "prefecture:{p}"),
            Self::Topic(t) => write!(f, "topic:{t}"),
            Self::Link(l) => write!(f, "link:{l}"),
            Self::Run(run) => write!(f, "run:{run}"),
        }
    }
}

/// A text that names no extent.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[error("`{0}` is not an extent: use run:R9, prefecture:CODE, topic:NAME, link:NAME or province")]
pub struct NoExtent(String);

impl FromStr for Extent {
    type Err = NoExtent;

    /// `province`, `prefecture:140100`, `topic:arrears-reminder`, `link:mobile`, `run:R9`.
    fn from_str(s: &str) -> Result<Self, NoExtent> {
        let read = match s.split_once(':') {
            None if s == "province" => Some(Self::Province),
            Some(("prefecture", code)) => code.parse().ok().map(|c| Self::Prefecture(PrefectureCode(c))),
            Some(("topic", topic)) => topic.parse().ok().map(Self::Topic),
            Some(("link", link)) if !link.is_empty() => Some(Self::Link(link.to_owned())),
            Some(("run", run)) => run.parse().ok().map(Self::Run),
            _ => None,
        };
        read.ok_or_else(|| NoExtent(s.chars().take(80).collect()))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn extents_read_as_they_print() {
        for text in ["run:R9", "prefecture:140100", "topic:outage", "link:mobile", "province"] {
            assert_eq!(text.parse::<Extent>().unwrap().to_string(), text);
        }
        for wrong in ["run:x", "town:1", "link:", ""] {
            let error = wrong.parse::<Extent>().unwrap_err().to_string();
            assert!(error.contains(&format!("`{wrong}`")) && error.contains("run:R9"), "{error}");
        }
    }
}
