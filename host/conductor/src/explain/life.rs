//! A message's life in words: what went where, what the carrier said, and when.

use gridbell_model::{Channel, CivilMinute, MessageId, MessageState, Moment};
use gridbell_state::{MessageStatus, QueuedMessage, ToldTogether};
use serde::{Deserialize, Serialize};
use serde_json::Value;

/// A message and every step of its life.
#[derive(Clone, Debug, Serialize, Deserialize)]
pub struct MessageLife {
    /// Its name.
    pub id: String,
    /// Where it went.
    pub channel: String,
    /// The same for an office.
    #[serde(default)]
    pub channel_title: String,
    /// The number at that time, masked; empty where it was erased.
    pub phone: String,
    /// The exact text; for roles that may see it.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub text: Option<String>,
    /// Parts as the carrier counts them.
    pub parts: u64,
    /// The first minute at which it could go.
    pub send_after: String,
    /// From this minute on it was worthless.
    pub expires: String,
    /// Where it stands, for programs.
    pub state: String,
    /// The same for an office.
    pub state_title: String,
    /// Why it was taken back before it left; empty otherwise.
    pub cancelled: String,
    /// The carrier's last code; empty for none.
    pub code: String,
    /// Whether the customer may have got it twice.
    pub maybe_twice: bool,
    /// With which others it left, where one message told several accounts of its number.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub together: Option<TogetherLife>,
    /// What happened, in order.
    pub steps: Vec<LifeStep>,
}

/// One message that told several accounts.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct TogetherLife {
    /// The message that left for all of them.
    pub bearer: String,
    /// How many other accounts it told.
    pub others: u16,
    /// The text that the number got; for roles that may see it.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub text: Option<String>,
}

impl TogetherLife {
    /// In a sentence, for an office.
    #[must_use]
    pub fn sentence(&self) -> String {
        format!("与同一号码的另外 {} 户合并为一条发送（消息 {}）", self.others, self.bearer)
    }
}

/// Something that happened to a message.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct LifeStep {
    /// When.
    pub at: String,
    /// What, for an office.
    pub what: String,
}

impl MessageLife {
    /// The same with `together`, where the message left with others.
    pub(crate) fn with_others(self, together: Option<ToldTogether>) -> Self {
        let together = together.map(|t| TogetherLife {
            bearer: t.bearer.to_string(),
            others: t.accounts.saturating_sub(1),
            text: Some(t.text),
        });
        Self { together, ..self }
    }

    /// Takes the texts out, for roles that may not see them.
    pub fn hide_texts(&mut self) {
        self.text = None;
        self.together.iter_mut().for_each(|t| t.text = None);
    }

    pub(crate) fn of(id: MessageId, message: &QueuedMessage, status: Option<&MessageStatus>) -> Self {
        let state = status.map_or(MessageState::Queued, |s| s.state);
        let cancelled = status.and_then(|s| s.reason);
        Self {
            id: id.to_string(),
            channel: message.channel.word().to_owned(),
            channel_title: message.channel.chinese().to_owned(),
            phone: if message.phone.number() == 0 { String::new() } else { message.phone.to_string() },
            text: Some(message.text.clone()),
            parts: u64::from(message.parts),
            send_after: minute(message.send_after),
            expires: minute(message.expires),
            state: state.word().to_owned(),
            state_title: state.chinese().to_owned(),
            cancelled: cancelled.map(|r| r.chinese().to_owned()).unwrap_or_default(),
            code: status.map(|s| s.code.clone()).unwrap_or_default(),
            maybe_twice: status.is_some_and(|s| s.maybe_twice),
            together: None,
            steps: status.map(steps).unwrap_or_default(),
        }
    }

    /// From an archive's entry.
    pub(crate) fn of_archived(body: &Value) -> Self {
        let text = |field: &str| body[field].as_str().unwrap_or_default().to_owned();
        let mut steps = Vec::new();
        let mut step = |field: &str, what: String| {
            if let Some(at) = body[field].as_str() {
                steps.push(LifeStep { at: at.to_owned(), what });
            }
        };
        step("queued_at", "进入发送队列".to_owned());
        let cancelled = body["cancelled_because"].as_str().unwrap_or_default();
        let cancelled = cancelled.parse::<gridbell_model::HoldReason>().map(|r| r.chinese().to_owned());
        let parts = |list: &str, of: fn(&Value) -> String| -> Vec<String> {
            body[list].as_array().into_iter().flatten().map(of).collect()
        };
        let ids = parts("accepted", |a| format!("第{}段 {}", a["part"], a["carrier_id"].as_str().unwrap_or_default()));
        let reports = parts("reports", |r| format!("第{}段 {}", r["part"], r["stat"].as_str().unwrap_or_default()));
        step("submitted_at", format!("运营商接收（通道 {}；回执号 {}）", text("link"), ids.join("，")));
        let ended = match &cancelled {
            Ok(why) => format!("{}：{why}", text("state_zh")),
            Err(_) => text("state_zh"),
        };
        step("final_at", with_reports(ended, &reports, &text("code")));
        Self {
            id: text("id"),
            channel_title: text("channel").parse::<Channel>().map(|c| c.chinese().to_owned()).unwrap_or_default(),
            channel: text("channel"),
            phone: text("phone"),
            text: body["text"].as_str().map(str::to_owned),
            parts: body["parts"].as_u64().unwrap_or(0),
            send_after: text("send_after"),
            expires: text("expires"),
            state: text("state"),
            state_title: text("state_zh"),
            cancelled: cancelled.unwrap_or_default(),
            code: text("code"),
            maybe_twice: body["maybe_twice"].as_bool().unwrap_or(false),
            together: together_of(&body["together"]),
            steps,
        }
    }

    /// Where it stands, in a sentence.
    pub(crate) fn sentence(&self) -> String {
        let last = self.steps.last().map(|s| format!("（{}）", s.at)).unwrap_or_default();
        match self.state.parse::<MessageState>() {
            Ok(MessageState::Queued) => format!("{}，最早 {} 发送", self.state_title, self.send_after),
            Ok(MessageState::Cancelled) => format!("{}：{}{last}", self.state_title, self.cancelled),
            Ok(MessageState::Failed) => format!("{} {}{last}", self.state_title, self.code),
            _ => format!("{}{last}", self.state_title),
        }
    }
}

fn together_of(kept: &Value) -> Option<TogetherLife> {
    Some(TogetherLife {
        bearer: kept["bearer"].as_str()?.to_owned(),
        others: u16::try_from(kept["accounts"].as_u64()?).ok()?.saturating_sub(1),
        text: kept["text"].as_str().map(str::to_owned),
    })
}

fn steps(status: &MessageStatus) -> Vec<LifeStep> {
    let at = |moment: Moment| moment.to_string();
    let mut steps = vec![LifeStep { at: at(status.queued_at), what: "进入发送队列".to_owned() }];
    let mut links: Vec<&str> = status.accepted.iter().map(|a| a.link.as_str()).collect();
    links.dedup();
    if let Some(submitted) = status.submitted_at {
        let own = status.accepted.iter().filter(|a| !a.is_stray());
        let ids: Vec<String> = own.map(|a| format!("第{}段 {}", a.part, a.key)).collect();
        let what = format!("运营商接收（通道 {}；回执号 {}）", links.join("、"), ids.join("，"));
        steps.push(LifeStep { at: at(submitted), what });
    }
    if let Some(end) = status.final_at {
        let reports: Vec<String> = status.reports.iter().map(|(part, stat)| format!("第{part}段 {stat}")).collect();
        let mut what = status.state.chinese().to_owned();
        if let Some(reason) = status.reason {
            what.push_str(&format!("：{}", reason.chinese()));
        }
        steps.push(LifeStep { at: at(end), what: with_reports(what, &reports, &status.code) });
    }
    steps
}

/// What a message came to, with what the carrier reported of its parts, or its code where it reported nothing.
fn with_reports(what: String, reports: &[String], code: &str) -> String {
    if !reports.is_empty() {
        format!("{what}（状态报告 {}）", reports.join("，"))
    } else if !code.is_empty() {
        format!("{what}（{code}）")
    } else {
        what
    }
}

fn minute(minute: CivilMinute) -> String {
    minute.some().map(|m| m.to_string()).unwrap_or_default()
}
