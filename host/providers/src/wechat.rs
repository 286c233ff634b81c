//! A WeChat service account: one token for all messages, template messages and notices, and its events.

use std::collections::{BTreeMap, BTreeSet};

use gridbell_channels::http::{
    Callback, Chore, Meaning, PlatformAction, Prepared, Provider, Repeat, Said, Told, Turned, Verdict, key_of,
    verdict_of,
};
use gridbell_channels::{Address, Body, Outgoing, Report, ReportOutcome};
use gridbell_model::{CarrierKey, CivilMinute, Moment, Phone};
use gridbell_platform::{Act, Answer, CallError, Code, Method, Outcome, Secret, of_status};
use gridbell_wechat::{self as codec, CallbackQuery, Door, Next, SendStatus, TokenKeeper};
use parking_lot::Mutex;

/// "No such openid" and "does not follow": the address is no more, as after an unfollow.
const GONE: [&str; 2] = ["40003", "43004"];
/// "Too many a minute": over with the minute.
const MINUTE_QUOTA: &str = "45011";

/// A service account.
#[derive(Debug)]
pub struct WeChat {
    appid: String,
    secret: Secret,
    keeper: Mutex<TokenKeeper>,
    door: Option<Door>,
    /// Templates of subscription notices; all others are template messages.
    notices: BTreeSet<String>,
    codes: BTreeMap<String, PlatformAction>,
}

impl WeChat {
    /// An account. Without a door no callback is let in.
    #[must_use]
    pub fn new(
        appid: String,
        secret: Secret,
        door: Option<Door>,
        notices: BTreeSet<String>,
        codes: BTreeMap<String, PlatformAction>,
    ) -> Self {
        Self { appid, secret, keeper: Mutex::new(TokenKeeper::new()), door, notices, codes }
    }

    fn is_notice(&self, message: &Outgoing) -> bool {
        matches!(&message.body, Body::Template(template) if self.notices.contains(&*template.id))
    }
}

impl Provider for WeChat {
    fn prepare(&self, message: &Outgoing, now: Moment) -> Prepared {
        let Address::OpenId(openid) = &message.to else {
            return Prepared::Never { reason: "微信通道只发给关注者" };
        };
        let Body::Template(template) = &message.body else {
            return Prepared::Never { reason: "微信通道只发送模板消息" };
        };
        let Some(token) = self.keeper.lock().token(now) else {
            return Prepared::NotYet;
        };
        let filled = codec::message::Message {
            openid: openid.to_string(),
            template_id: template.id.to_string(),
            url: template.url.clone(),
            mini_program: None,
            data: template.values.iter().map(|(name, value)| (name.to_string(), value.clone())).collect(),
        };
        let request = if self.is_notice(message) {
            codec::message::subscription(&filled, &token.secret)
        } else {
            codec::message::template(&filled, &message.id.to_string(), &token.secret)
        };
        match request {
            Ok(request) => Prepared::Go { request, token: token.generation },
            Err(_) => Prepared::Never { reason: "模板内容不符合微信的要求" },
        }
    }

    fn read(&self, message: &Outgoing, token: u64, answer: &Answer, now: Moment) -> Verdict {
        let outcome = match of_status(answer.status) {
            Some(act) => Outcome::refused(act, format!("http-{}", answer.status)),
            None => match codec::answer::read(&answer.body) {
                Ok(outcome) => outcome,
                Err(error) => return Verdict::Uncertain { why: error.to_string() },
            },
        };
        if matches!(outcome, Outcome::Refused { act: Act::Refresh, .. }) {
            self.keeper.lock().rejected(token);
        }
        let verdict = verdict_of(outcome, CarrierKey::text(&message.id.to_string()), &self.codes, now);
        match verdict {
            Verdict::Declined { code, means: Meaning::SlowDown { .. } } if code.as_str() == MINUTE_QUOTA => {
                let next = now.civil_minute().plus_minutes(1).moment();
                Verdict::Declined { code, means: Meaning::SlowDown { until: Some(next) } }
            }
            Verdict::Declined { code, means: Meaning::NextChannel } if GONE.contains(&code.as_str()) => {
                Verdict::Declined { code, means: Meaning::BadAddress }
            }
            verdict => verdict,
        }
    }

    fn repeat(&self, message: &Outgoing) -> Repeat {
        if self.is_notice(message) { Repeat::Marked } else { Repeat::Same }
    }

    fn chore(&self, now: Moment) -> Chore {
        match self.keeper.lock().next(now) {
            Next::Fetch { ticket, force } => {
                Chore::Call { ticket, request: codec::token::request(&self.appid, &self.secret, force) }
            }
            Next::At(when) => Chore::At(when),
        }
    }

    fn did(&self, ticket: u64, result: &Result<Answer, CallError>, now: Moment) -> Result<(), Code> {
        let mut keeper = self.keeper.lock();
        let (act, code) = match result {
            Err(_) => (Act::Retry, Code::new("no-answer")),
            Ok(answer) => match (of_status(answer.status), codec::token::read(&answer.body)) {
                (Some(act), _) => (act, Code::new(format!("http-{}", answer.status))),
                (None, Ok(codec::token::Answer::Token { secret, expires_in_s })) => {
                    keeper.fetched(ticket, secret, expires_in_s, now);
                    return Ok(());
                }
                (None, Ok(codec::token::Answer::Refused(Outcome::Refused { act, code }))) => (act, code),
                (None, _) => (Act::Retry, Code::new("unreadable")),
            },
        };
        tracing::warn!(appid = %self.appid, ?act, code = %code, "wechat.token: the platform gave no token");
        keeper.failed(ticket, act, now);
        if act == Act::Configuration { Err(code) } else { Ok(()) }
    }

    fn is_ready(&self, now: Moment) -> bool {
        self.keeper.lock().token(now).is_some()
    }

    fn callback(&self, callback: &Callback<'_>, now: Moment) -> Result<Told, Turned> {
        let door = self.door.as_ref().ok_or_else(|| Turned::stranger("the account has no callback token"))?;
        let query = CallbackQuery::read(callback.query).map_err(Turned::unreadable)?;
        if callback.method == Method::Get {
            let acknowledge = door.greet(&query, now).map_err(Turned::stranger)?;
            return Ok(Told { acknowledge, ..Told::default() });
        }
        let opened = door.open(&query, callback.body, now).map_err(|error| match error {
            codec::Error::Refused { .. } => Turned::stranger(error),
            error => Turned::unreadable(error),
        })?;
        let mut told = Told { acknowledge: "success".to_owned(), ..Told::default() };
        match opened {
            codec::Callback::SendFinished { id, status } => told.reports.push(report(key_of(&id), &status, now)),
            codec::Callback::Subscribed { openid, scene, at } => {
                told.said.push(Said::Followed { id: openid, scene, at })
            }
            codec::Callback::Unsubscribed { openid, at } => told.said.push(Said::Left { id: openid, at }),
            codec::Callback::Text { openid, id, content, at, .. } => {
                told.said.push(Said::Wrote { id: openid, key: key_of(&id), text: content, at });
            }
            codec::Callback::Other { .. } => {}
        }
        Ok(told)
    }
}

fn report(key: CarrierKey, status: &SendStatus, now: Moment) -> Report {
    // In the carriers' words, which the outbox knows: blocked by the customer, or not delivered.
    let (stat, outcome) = match status {
        SendStatus::Delivered => ("DELIVRD", ReportOutcome::Delivered),
        SendStatus::Blocked => ("REJECTD", ReportOutcome::Failed),
        SendStatus::Failed(_) | SendStatus::TooMany => ("UNDELIV", ReportOutcome::Failed),
    };
    let done = now.civil_minute();
    Report { key, phone: Phone::NONE, stat: stat.to_owned(), outcome, submitted: CivilMinute::NONE, done }
}
