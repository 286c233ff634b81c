//! What was decided about a customer, as the archives have it: entries that explain themselves.

use gridbell_archive::{Kind, Query};
use gridbell_model::{Date, HoldReason, Topic, TopicClass};
use gridbell_planner::{ProvinceRules, recorded_verdicts};
use gridbell_state::RunRecord;
use serde_json::Value;

use super::life::MessageLife;
use super::{CorrectionStory, DecisionStory, HopStory, RunBrief, Subject, facts};
use crate::error::HostError;
use crate::host::Host;
use crate::retention::{ArchiveSearch, ArchivedRecord, MAX_FOUND, search_archive};

/// For so many days a message is valid at most, and a further hop of it can be published.
const HOP_DAYS: i32 = 31;
/// Entries of one fingerprint that are looked through: two names seldom share one.
const ALIKE: usize = 16;

/// What the archives hold of a story.
#[derive(Default)]
pub(crate) struct FromArchives {
    pub(crate) decisions: Vec<DecisionStory>,
    /// The run that made them.
    pub(crate) run: Option<RunBrief>,
    /// What a pilot sent to test numbers with the customer's text.
    pub(crate) samples: Vec<MessageLife>,
}

impl Host {
    /// The decisions of `run` about the customer from the archives; without a run, those of the newest run of `policy` that has any.
    pub(crate) fn archived_decisions(
        &self,
        policy: &str,
        run: Option<&RunRecord>,
        subject: &Subject,
    ) -> Result<FromArchives, HostError> {
        let day = |d: Option<&RunRecord>| d.map_or(Date::NONE, |r| r.ended.date());
        let search = ArchiveSearch {
            account: Some(subject.account),
            phone: None,
            kinds: vec![Kind::Message, Kind::Decision],
            from: day(run),
            // Further hops follow within the days for which a message is valid.
            to: run.map_or(subject.at.date(), |r| r.ended.date().plus_days(HOP_DAYS)),
            limit: MAX_FOUND,
        };
        let mut found = search_archive(self.state(), self.archive(), &search)?;
        let begun = |body: &Value| body["decided_at"].as_str().unwrap_or_default().to_owned();
        let asked = subject.at.to_string();
        found.retain(|r| r.body["policy"] == policy && begun(&r.body) <= asked);
        // Nobody was told by a sample, and it is no run's decision.
        let (samples, found): (Vec<_>, Vec<_>) = found.into_iter().partition(|r| r.is_sample());
        // Corrections are told of with what they put right.
        let (mut corrections, found): (Vec<_>, Vec<_>) =
            found.into_iter().partition(|r| !r.body["correction"].is_null());
        corrections.sort_by_key(|r| r.at);
        let of_run = run.map(|r| r.id.to_string()).or_else(|| {
            let newest = found.iter().filter(|r| r.body["hop_of"].is_null()).max_by_key(|r| r.at)?;
            newest.body["run"].as_str().map(str::to_owned)
        });
        let (mut hops, mut found): (Vec<_>, Vec<_>) = found.into_iter().partition(|r| !r.body["hop_of"].is_null());
        hops.retain(|r| r.body["hop_of"].as_str().map(str::to_owned) == of_run);
        hops.sort_by_key(|r| r.at);
        found.retain(|r| r.body["run"].as_str().map(str::to_owned) == of_run);
        let archived = match of_run.filter(|_| !found.is_empty()) {
            Some(name) => self.archived_run(&name)?,
            None => None,
        };
        let class = match (&archived, run) {
            (Some(archived), _) => self.archived_class(&archived.body)?,
            (None, Some(run)) => Some(self.class_then(run)),
            (None, None) => None,
        };
        let mut decisions: Vec<DecisionStory> = found.iter().map(|r| self.archived_story(r, class)).collect();
        for hop in &hops {
            let of = decisions.iter_mut().filter(|d| hop.body["step"] == d.step && d.message.is_some());
            if let Some(decision) = of.min_by_key(|d| d.hops.len()) {
                decision.hops.push(archived_hop(hop));
            }
        }
        for correction in &corrections {
            let story = archived_correction(correction);
            if let Some(decision) = decisions.iter_mut().find(|d| d.has_message(&story.corrects)) {
                decision.corrections.push(story);
            }
        }
        Ok(FromArchives {
            decisions,
            run: archived.map(|r| RunBrief::of_archived(r.file, &r.body)),
            samples: samples.iter().map(|r| MessageLife::of_archived(&r.body)).collect(),
        })
    }

    /// The entries of `kind` under any of `keys`, the newest first.
    fn archived_entries(&self, kind: Kind, keys: Vec<u64>) -> Result<Vec<ArchivedRecord>, HostError> {
        let query = Query { keys, kinds: vec![kind], from: Date::NONE, to: Date::NONE, limit: ALIKE };
        let found = self.archive().search(self.state().archive_head().file, &query)?.into_iter();
        let read = |f: gridbell_archive::Found| {
            let body = serde_json::from_str(&f.entry.body).unwrap_or(Value::Null);
            ArchivedRecord { file: f.file, kind, at: f.entry.at, body }
        };
        Ok(found.map(read).collect())
    }

    /// A run that left for the archives, by its name.
    fn archived_run(&self, name: &str) -> Result<Option<ArchivedRecord>, HostError> {
        let found = self.archived_entries(Kind::Run, self.archive().run_keys(name))?;
        Ok(found.into_iter().find(|r| r.body["id"] == name))
    }

    /// Into which class the topic of an archived run belonged then, by the rules that left with it.
    fn archived_class(&self, run: &Value) -> Result<Option<TopicClass>, HostError> {
        let Some(hash) = run["basis"]["documents"]["rules"].as_str() else { return Ok(None) };
        let found = self.archived_entries(Kind::Document, self.archive().document_keys(hash))?;
        let rules = found.into_iter().find(|r| r.body["sha256"] == hash).map(|r| r.body["content"].clone());
        let rules = rules.and_then(|content| serde_json::from_value::<ProvinceRules>(content).ok());
        let topic = run["topic"].as_str().and_then(|w| w.parse::<Topic>().ok());
        Ok(rules.zip(topic).map(|(rules, topic)| rules.topic(topic).class))
    }

    /// A decision; `class` is that of its topic then, as now where nothing says it.
    fn archived_story(&self, record: &ArchivedRecord, class: Option<TopicClass>) -> DecisionStory {
        let body = &record.body;
        let text = |field: &str| body[field].as_str().map(str::to_owned);
        let index = |field: &str| body[field].as_u64().unwrap_or(0);
        let held: Option<HoldReason> = body["held"].as_str().and_then(|w| w.parse().ok());
        let topic: Topic = body["topic"].as_str().and_then(|w| w.parse().ok()).unwrap_or(Topic::Staff);
        let mut facts = facts::shown_by_name(&body["facts"]);
        facts.sort_by(|a, b| a.column.cmp(&b.column));
        DecisionStory {
            source: format!("archive {}", record.file),
            notice: text("notice").unwrap_or_else(|| format!("通知 {}", index("notice_index"))),
            step: u8::try_from(index("step")).unwrap_or(u8::MAX),
            reason: text("reason").unwrap_or_else(|| format!("原因 {}", index("reason_index"))),
            facts,
            checks: recorded_verdicts(class.unwrap_or_else(|| self.class_now(topic)), held),
            message: (record.kind == Kind::Message).then(|| MessageLife::of_archived(body)),
            held: held.map(|h| h.chinese().to_owned()).unwrap_or_default(),
            hops: Vec::new(),
            corrections: Vec::new(),
        }
    }
}

fn archived_correction(record: &ArchivedRecord) -> CorrectionStory {
    let hop = archived_hop(record);
    CorrectionStory {
        correction: format!("C{}", record.body["correction"]),
        corrects: record.body["corrects"].as_str().unwrap_or_default().to_owned(),
        source: hop.source,
        run: hop.run,
        at: hop.at,
        message: hop.message,
        held: hop.held,
    }
}

fn archived_hop(record: &ArchivedRecord) -> HopStory {
    let body = &record.body;
    let held: Option<HoldReason> = body["held"].as_str().and_then(|w| w.parse().ok());
    HopStory {
        source: format!("archive {}", record.file),
        run: body["run"].as_str().unwrap_or_default().to_owned(),
        at: record.at.to_string(),
        message: (record.kind == Kind::Message).then(|| MessageLife::of_archived(body)),
        held: held.map(|h| h.chinese().to_owned()).unwrap_or_default(),
    }
}
