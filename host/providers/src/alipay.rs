//! A life account at Alipay: messages, recall, notices.

use std::collections::BTreeMap;

use gridbell_alipay::{self as codec, Call, Colored, Recipient, Template};
use gridbell_channels::http::{
    Callback, Meaning, PlatformAction, Prepared, Provider, Repeat, Told, Turned, Verdict, verdict_of,
};
use gridbell_channels::{Address, Body, Outgoing, Report, ReportOutcome, TemplateBody};
use gridbell_model::{CarrierKey, CivilMinute, Moment, Phone};
use gridbell_platform::{Answer, Method, Outcome, Request, of_status};
use serde::{Deserialize, Serialize};

/// "Does not follow": the address is no more.
const GONE: &str = "PUB.MSG_SD_NOFOLLOW";
/// The words of a card's values that are no keywords.
const FIRST: &str = "first";
const REMARK: &str = "remark";
const ACTION: &str = "action_name";

/// Which parameters of a notice say what became of a message; the platform's console shows which it posts.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case", default, deny_unknown_fields)]
pub struct NoticeMapping {
    /// The message's number.
    pub id: String,
    /// What became of it.
    pub status: String,
    /// The words for a message that arrived.
    pub delivered: Vec<String>,
    /// The words for one that did not.
    pub failed: Vec<String>,
}

impl Default for NoticeMapping {
    fn default() -> Self {
        let words = |words: &[&str]| words.iter().map(|word| (*word).to_owned()).collect();
        Self {
            id: "message_id".to_owned(),
            status: "status".to_owned(),
            delivered: words(&["SUCCESS"]),
            failed: words(&["FAILED"]),
        }
    }
}

/// A life account.
#[derive(Debug)]
pub struct Alipay {
    account: codec::Account,
    color: String,
    notice: NoticeMapping,
    codes: BTreeMap<String, PlatformAction>,
}

impl Alipay {
    /// An account; `color` is that of every text, `#RRGGBB`.
    #[must_use]
    pub const fn new(
        account: codec::Account,
        color: String,
        notice: NoticeMapping,
        codes: BTreeMap<String, PlatformAction>,
    ) -> Self {
        Self { account, color, notice, codes }
    }

    fn card(&self, template: &TemplateBody) -> Template {
        let value = |name: &str| template.values.iter().find(|(known, _)| &**known == name).map(|(_, value)| value);
        let colored = |value: &String| Colored { value: value.clone(), color: self.color.clone() };
        let keywords = template.values.iter().filter(|(name, _)| ![FIRST, REMARK, ACTION].contains(&&**name));
        Template {
            id: template.id.to_string(),
            head_color: self.color.clone(),
            url: template.url.clone(),
            action_name: value(ACTION).cloned().unwrap_or_else(|| "查看详情".to_owned()),
            first: value(FIRST).map(colored),
            keywords: keywords.map(|(_, value)| colored(value)).collect(),
            remark: value(REMARK).map(colored),
        }
    }

    fn outcome(&self, call: Call, answer: &Answer) -> Result<Outcome, String> {
        match of_status(answer.status) {
            Some(act) => Ok(Outcome::refused(act, format!("http-{}", answer.status))),
            None => self.account.answer(call, &answer.body).map_err(|error| error.to_string()),
        }
    }
}

impl Provider for Alipay {
    /// Signed with RSA.
    fn is_costly(&self) -> bool {
        true
    }

    fn prepare(&self, message: &Outgoing, now: Moment) -> Prepared {
        let to = match &message.to {
            Address::UserId(id) => Recipient::UserId(id.to_string()),
            Address::OpenId(id) => Recipient::OpenId(id.to_string()),
            Address::Phone(_) => return Prepared::Never { reason: "支付宝通道只发给关注者" },
        };
        let Body::Template(template) = &message.body else {
            return Prepared::Never { reason: "支付宝通道只发送模板消息" };
        };
        match self.account.send(&to, &self.card(template), now) {
            Ok(request) => Prepared::Go { request, token: 0 },
            Err(codec::Error::Signing) => Prepared::NotYet,
            Err(_) => Prepared::Never { reason: "模板内容不符合支付宝的要求" },
        }
    }

    fn read(&self, message: &Outgoing, _token: u64, answer: &Answer, now: Moment) -> Verdict {
        match self.outcome(Call::Send, answer) {
            Ok(outcome) => match verdict_of(outcome, CarrierKey::text(&message.id.to_string()), &self.codes, now) {
                Verdict::Declined { code, means: Meaning::NextChannel } if code.as_str() == GONE => {
                    Verdict::Declined { code, means: Meaning::BadAddress }
                }
                verdict => verdict,
            },
            Err(why) => Verdict::Uncertain { why },
        }
    }

    fn repeat(&self, _message: &Outgoing) -> Repeat {
        Repeat::Marked
    }

    fn recall(&self, key: &CarrierKey, now: Moment) -> Option<Request> {
        self.account.recall(&key.to_string(), now).ok()
    }

    fn recalled(&self, answer: &Answer) -> bool {
        matches!(self.outcome(Call::Recall, answer), Ok(Outcome::Accepted { .. }))
    }

    fn callback(&self, callback: &Callback<'_>, now: Moment) -> Result<Told, Turned> {
        if callback.method != Method::Post {
            return Err(Turned::unreadable("a notice is posted"));
        }
        let notice = self.account.notice(callback.body).map_err(|error| match error {
            codec::Error::Form(_) => Turned::unreadable(error),
            error => Turned::stranger(error),
        })?;
        let mut told = Told { acknowledge: "success".to_owned(), ..Told::default() };
        let words = &self.notice;
        if let (Some(id), Some(status)) = (notice.get(&words.id), notice.get(&words.status)) {
            let is = |list: &[String]| list.iter().any(|word| word == status);
            let (stat, outcome) = match () {
                () if is(&words.delivered) => ("DELIVRD", ReportOutcome::Delivered),
                () if is(&words.failed) => ("UNDELIV", ReportOutcome::Failed),
                () => ("ACCEPTD", ReportOutcome::Pending),
            };
            told.reports.push(Report {
                key: CarrierKey::text(id),
                phone: Phone::NONE,
                stat: stat.to_owned(),
                outcome,
                submitted: CivilMinute::NONE,
                done: now.civil_minute(),
            });
        }
        Ok(told)
    }
}
