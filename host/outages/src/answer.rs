//! The answer to a person: is my power off, why, since when, until when, what changed, what was I told.

use std::collections::BTreeSet;

use gridbell_model::{Channel, Moment};
use serde::Serialize;

use crate::facts::{Told, counts};
use crate::outage::{Outage, OutageId};
use crate::scope::Concerned;
use crate::word::{Change, Kind, Level, Receipt, Say};

/// The number that everybody may call.
const SERVICE_NUMBER: &str = "95598";

/// What is to be said of one outage to one customer.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
pub struct About {
    /// Which.
    pub outage: OutageId,
    /// Its revision.
    pub revision: u32,
    /// What kind.
    pub kind: Kind,
    /// Why.
    pub reason: String,
    /// Since when.
    pub from: Moment,
    /// Until when; none where nobody knows.
    pub until: Option<Moment>,
    /// Whether it goes on at the time that was asked for.
    pub now: bool,
    /// How the power is with it.
    pub level: Level,
    /// All that changed since it was published.
    pub changes: BTreeSet<Change>,
}

/// That he was told something.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
pub struct Was {
    /// Of which outage.
    pub outage: OutageId,
    /// What for.
    pub say: Say,
    /// When.
    pub at: Moment,
    /// On which channel.
    pub channel: Channel,
    /// What became of it.
    pub receipt: Receipt,
}

/// The answer.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
pub struct Answer {
    /// How his power is by all that is known.
    pub level: Level,
    /// The outages that are and that come, the first first.
    pub outages: Vec<About>,
    /// What he was told of them, the first first.
    pub told: Vec<Was>,
}

impl Answer {
    /// Of the outages that concern a customer, each with how, and all that he was told; `at` is the time that is asked for.
    pub fn of<'a>(outages: impl IntoIterator<Item = (&'a Outage, Concerned)>, told: &[Told], at: Moment) -> Self {
        let mut found: Vec<(About, Concerned)> =
            outages.into_iter().filter(|(o, _)| o.is_open()).map(|(o, c)| (about(o, c, at), c)).collect();
        found.retain(|(a, _)| a.now || a.from > at);
        found.sort_by_key(|(a, _)| (a.from, a.outage));
        let going = found.iter().filter(|(a, _)| a.now);
        let (mut lost, mut maybe, mut sources) = (0, 0, 1);
        for (_, c) in going {
            (lost, maybe, sources) = (lost | c.lost, maybe | c.maybe, sources.max(c.sources));
        }
        let outages: Vec<About> = found.into_iter().map(|(a, _)| a).collect();
        let was = |t: &Told| Was { outage: t.outage, say: t.say, at: t.at, channel: t.channel, receipt: t.receipt };
        let of_them = |t: &&Told| outages.iter().any(|a| a.outage == t.outage) && counts(t.receipt, false);
        let told = told.iter().filter(of_them).map(was).collect();
        Self { level: crate::owed::level(lost, maybe, sources), outages, told }
    }

    /// The answer as a person reads it, in an SMS or from an agent.
    #[must_use]
    pub fn chinese(&self) -> String {
        if self.outages.is_empty() {
            return format!("您好，目前没有查询到影响您的停电信息。如家中无电，请检查开关或拨打{SERVICE_NUMBER}报修。");
        }
        let mut text = String::from("您好，");
        for about in &self.outages {
            text.push_str(&about.chinese());
        }
        if let Some(was) = self.told.iter().rfind(|t| t.receipt == Receipt::Delivered) {
            text.push_str(&format!("我们已于{}通过{}告知您。", time(was.at), was.channel.chinese()));
        }
        text.push_str(&format!("咨询请拨打{SERVICE_NUMBER}。"));
        text
    }
}

impl About {
    fn chinese(&self) -> String {
        let kind = self.kind.chinese();
        let what = match (self.level, self.now) {
            (Level::Part, true) => format!("您的一路电源因{kind}（{}）停电，其余电源正常供电，", self.reason),
            (Level::Part, false) => format!("您的一路电源将因{kind}（{}）停电，其余电源正常供电，", self.reason),
            (Level::Maybe, true) => format!("您可能受{kind}影响（{}），", self.reason),
            (Level::Maybe, false) => format!("您可能将受{kind}影响（{}），", self.reason),
            (_, true) => format!("您处因{kind}（{}）正在停电，", self.reason),
            (_, false) => format!("您处将因{kind}（{}）停电，", self.reason),
        };
        let until = self.until.map_or_else(|| "恢复时间待定".to_owned(), |u| format!("预计{}恢复", time(u)));
        let planned = if matches!(self.kind, Kind::Planned | Kind::Temporary) { "，可能提前送电" } else { "" };
        let news: Vec<&str> = [Change::Rescheduled, Change::Delayed, Change::Shortened]
            .into_iter()
            .filter(|c| self.changes.contains(c))
            .map(Change::chinese)
            .collect();
        let changed = if news.is_empty() { String::new() } else { format!("（有变更：{}）", news.join("、")) };
        format!("{what}{}开始，{until}{planned}{changed}。", time(self.from))
    }
}

fn about(outage: &Outage, concerned: Concerned, at: Moment) -> About {
    let latest = outage.latest();
    let content = &latest.content;
    let changes = outage.revisions().iter().skip(1).flat_map(|r| &r.changes).copied().collect();
    About {
        outage: outage.id(),
        revision: latest.number,
        kind: outage.head.kind,
        reason: content.reason.clone(),
        from: content.from,
        until: content.until,
        now: outage.covers(at),
        level: crate::owed::level(concerned.lost, concerned.maybe, concerned.sources),
        changes,
    }
}

/// `11月25日08:00`
fn time(moment: Moment) -> String {
    let (_, month, day) = moment.date().ymd();
    let minute = moment.civil_minute().minute_of_day();
    format!("{month}月{day}日{:02}:{:02}", minute / 60, minute % 60)
}
