//! What was decided about a customer, as the archives have it: entries that explain themselves.

use gridbell_archive::Kind;
use gridbell_model::{Date, HoldReason, Topic};
use gridbell_planner::recorded_verdicts;
use gridbell_state::RunRecord;
use serde_json::Value;

use super::life::MessageLife;
use super::{DecisionStory, Subject, facts};
use crate::error::HostError;
use crate::host::Host;
use crate::retention::{ArchiveSearch, ArchivedRecord, MAX_FOUND, search_archive};

impl Host {
    /// The decisions of `run` about the customer from the archives; without a run, those of the newest run of `policy` that has any.
    pub(crate) fn archived_decisions(
        &self,
        policy: &str,
        run: Option<&RunRecord>,
        subject: &Subject,
    ) -> Result<Vec<DecisionStory>, HostError> {
        let day = |d: Option<&RunRecord>| d.map_or(Date::NONE, |r| r.ended.date());
        let search = ArchiveSearch {
            account: Some(subject.account),
            phone: None,
            kinds: vec![Kind::Message, Kind::Decision],
            from: day(run),
            to: run.map_or(subject.at.date(), |r| r.ended.date()),
            limit: MAX_FOUND,
        };
        let mut found = search_archive(self.state(), self.archive(), &search)?;
        let begun = |body: &Value| body["decided_at"].as_str().unwrap_or_default().to_owned();
        let asked = subject.at.to_string();
        found.retain(|r| r.body["policy"] == policy && begun(&r.body) <= asked);
        let of_run = run.map(|r| r.id.to_string()).or_else(|| {
            let newest = found.iter().max_by_key(|r| r.at)?;
            newest.body["run"].as_str().map(str::to_owned)
        });
        found.retain(|r| r.body["run"].as_str().map(str::to_owned) == of_run);
        Ok(found.iter().map(|r| self.archived_story(r)).collect())
    }

    fn archived_story(&self, record: &ArchivedRecord) -> DecisionStory {
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
            checks: recorded_verdicts(self.class_now(topic), held),
            message: (record.kind == Kind::Message).then(|| MessageLife::of_archived(body)),
            held: held.map(|h| h.chinese().to_owned()).unwrap_or_default(),
        }
    }
}
