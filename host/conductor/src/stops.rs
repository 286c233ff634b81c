//! Emergency stops and what runs out: what is held or begins nothing new, by whom and why. A stop holds submits; decisions go on and wait in the
//! outbox. What runs out begins nothing new, and what waits leaves. Neither loses a message.

use gridbell_model::{MessageId, Moment, PrefectureCode, Topic};
use gridbell_state::RunRecord;
use serde::{Deserialize, Serialize};

use crate::extent::Extent;
use crate::host::Host;

/// Stops in force at once: each is a person's, and a screenful is more than anybody oversees.
pub const MAX_STOPS: usize = 256;

/// What a stop does.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum StopMode {
    /// Nothing leaves; decisions go on and wait.
    #[default]
    Hold,
    /// Nothing new begins: no run of a prefecture or a topic, no claim of a link. What waits, or is claimed, leaves.
    Drain,
}

impl StopMode {
    /// The word for it in files and in the API.
    #[must_use]
    pub const fn word(self) -> &'static str {
        match self {
            Self::Hold => "hold",
            Self::Drain => "drain",
        }
    }
}

/// A stop in force.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Stop {
    /// What it holds, as [`Extent`] prints.
    pub scope: String,
    /// What it does.
    #[serde(default)]
    pub mode: StopMode,
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
    pub(crate) list: Vec<(Extent, Stop)>,
}

impl Stops {
    fn extents(&self, mode: StopMode) -> impl Iterator<Item = &Extent> {
        self.list.iter().filter(move |(_, stop)| stop.mode == mode).map(|(extent, _)| extent)
    }

    pub(crate) fn holds_link(&self, link: &str) -> bool {
        self.extents(StopMode::Hold).any(|extent| match extent {
            Extent::Province => true,
            Extent::Link(l) => l == link,
            Extent::Prefecture(_) | Extent::Topic(_) | Extent::Run(_) => false,
        })
    }

    /// Whether `link` runs out.
    pub(crate) fn drains_link(&self, link: &str) -> bool {
        self.extents(StopMode::Drain).any(|extent| matches!(extent, Extent::Link(l) if l == link))
    }

    /// Whether `link` takes nothing more, held or running out.
    pub(crate) fn closes_link(&self, link: &str) -> bool {
        self.holds_link(link) || self.drains_link(link)
    }

    /// What keeps a run about `topic` in `prefecture` from beginning.
    pub(crate) fn closes_runs(&self, prefecture: PrefectureCode, topic: Topic) -> Option<&Stop> {
        let runs_out = |extent: &Extent| match extent {
            Extent::Province => true,
            Extent::Prefecture(p) => *p == prefecture,
            Extent::Topic(t) => *t == topic,
            Extent::Link(_) | Extent::Run(_) => false,
        };
        self.list.iter().find(|(extent, stop)| stop.mode == StopMode::Drain && runs_out(extent)).map(|(_, stop)| stop)
    }
}

/// The stops that hold messages, with the messages of held runs.
pub(crate) struct Held {
    extents: Vec<Extent>,
    runs: Vec<Span>,
}

/// Numbers of one prefecture's messages.
struct Span {
    prefecture: PrefectureCode,
    first: u32,
    count: u64,
}

impl Span {
    fn of(run: &RunRecord) -> Self {
        Self { prefecture: run.prefecture, first: run.first_message, count: run.queued }
    }

    fn has(&self, id: MessageId) -> bool {
        let place = id.number().checked_sub(self.first).map(u64::from);
        id.prefecture() == self.prefecture && place.is_some_and(|n| n < self.count)
    }
}

impl Held {
    pub(crate) fn has(&self, id: MessageId, topic: Topic) -> bool {
        let holds = |extent: &Extent| match extent {
            Extent::Province => true,
            Extent::Prefecture(p) => *p == id.prefecture(),
            Extent::Topic(t) => *t == topic,
            Extent::Link(_) | Extent::Run(_) => false,
        };
        self.extents.iter().any(holds) || self.runs.iter().any(|span| span.has(id))
    }
}

impl Host {
    /// What stops hold now. Next channels of a held run are held as they are published: they are looked for among the runs since.
    pub(crate) fn held_now(&self) -> Held {
        let stops = self.stops_now();
        let extents: Vec<Extent> = stops.extents(StopMode::Hold).cloned().collect();
        let held: Vec<_> =
            extents.iter().filter_map(|e| if let Extent::Run(run) = e { Some(*run) } else { None }).collect();
        let Some(first) = held.iter().min() else { return Held { extents, runs: Vec::new() } };
        let of_held =
            |run: &RunRecord| held.contains(&run.id) || run.hop_of().is_some_and(|first| held.contains(&first));
        let runs = self.state().runs_from(*first, of_held);
        Held { runs: runs.iter().filter(|run| run.queued > 0).map(|run| Span::of(run)).collect(), extents }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn stops(mode: StopMode, extents: &[Extent]) -> Stops {
        let stop = |e: &Extent| Stop {
            scope: e.to_string(),
            mode,
            why: String::new(),
            by: String::new(),
            at: Moment::from_unix_ms(0),
        };
        Stops { list: extents.iter().map(|e| (e.clone(), stop(e))).collect() }
    }

    #[test]
    fn a_stop_holds_what_it_says_and_what_runs_out_holds_nothing() {
        let taiyuan = PrefectureCode(140_100);
        let extents = [Extent::Topic(Topic::Outage), Extent::Link("mobile".into())];
        let held = |mode| {
            let stops = stops(mode, &extents);
            let held = Held { extents: stops.extents(StopMode::Hold).cloned().collect(), runs: Vec::new() };
            let message = MessageId::new(taiyuan, 7);
            (
                held.has(message, Topic::Outage),
                held.has(message, Topic::BillNotice),
                stops.holds_link("mobile"),
                stops.closes_link("mobile"),
                stops.closes_link("unicom"),
                stops.closes_runs(taiyuan, Topic::Outage).is_some(),
                stops.closes_runs(taiyuan, Topic::BillNotice).is_some(),
            )
        };
        assert_eq!(held(StopMode::Hold), (true, false, true, true, false, false, false));
        assert_eq!(held(StopMode::Drain), (false, false, false, true, false, true, false));
    }

    #[test]
    fn a_stop_of_before_there_were_modes_holds() {
        let stop: Stop = serde_json::from_str(r#"{"scope":"province","why":"w","by":"b","at":0}"#).unwrap();
        assert_eq!(stop.mode, StopMode::Hold);
    }

    #[test]
    fn a_span_has_its_run_s_messages_alone() {
        let span = Span { prefecture: PrefectureCode(140_100), first: 10, count: 2 };
        let of = |prefecture, number| span.has(MessageId::new(PrefectureCode(prefecture), number));
        assert_eq!([of(140_100, 9), of(140_100, 10), of(140_100, 11), of(140_100, 12)], [false, true, true, false]);
        assert!(!of(140_200, 10));
    }
}
