//! What the platform tells us: receipts, followers who come and go, and what they write.

use std::fmt;

use gridbell_model::Moment;
use gridbell_platform::{Code, PlatformId};

use crate::error::Error;
use crate::xml::{Fields, cdata};

/// The most octets of an openid, an account's name or a scene.
const MAX_NAME: usize = 128;

/// The most characters of a customer's text that are kept; WeChat takes 2048 octets.
const MAX_TEXT: usize = 2048;

/// A callback, verified and read. One may come up to three times: know it by its id, or by openid and time.
#[derive(Clone, PartialEq, Eq)]
pub enum Callback {
    /// `TEMPLATESENDJOBFINISH`: the last word about a message. There is no read receipt.
    SendFinished {
        /// The number that the answer to the message gave.
        id: PlatformId,
        /// What became of it.
        status: SendStatus,
    },
    /// `subscribe`: somebody follows the account.
    Subscribed {
        /// Who.
        openid: String,
        /// `EventKey`: through which code, `qrscene_…`; none without one.
        scene: Option<String>,
        /// `CreateTime`.
        at: Moment,
    },
    /// `unsubscribe`: somebody follows it no longer, and nothing reaches them.
    Unsubscribed {
        /// Who.
        openid: String,
        /// `CreateTime`.
        at: Moment,
    },
    /// A text that a follower wrote.
    Text {
        /// Who.
        openid: String,
        /// The account's own name, the sender of a reply.
        account: String,
        /// `MsgId`: the same in each repetition.
        id: PlatformId,
        /// What.
        content: String,
        /// `CreateTime`.
        at: Moment,
    },
    /// Anything else: answer `success` and let it be.
    Other {
        /// `Event`, or `MsgType` where it is none.
        kind: Code,
    },
}

/// What became of a template message.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum SendStatus {
    /// `success`: it is in the customer's WeChat.
    Delivered,
    /// `failed:user block`: the customer takes nothing from this account.
    Blocked,
    /// `failed: system failed`, or words that the documentation has not.
    Failed(Code),
    /// `failed:freq limit`: too many of this template.
    TooMany,
}

impl SendStatus {
    /// The platform spells with and without a space behind the colon.
    fn of(status: &str) -> Self {
        match status.replace(": ", ":").to_ascii_lowercase().as_str() {
            "success" => Self::Delivered,
            "failed:user block" => Self::Blocked,
            "failed:freq limit" => Self::TooMany,
            other => Self::Failed(Code::new(other.replace(' ', "-"))),
        }
    }
}

impl fmt::Debug for Callback {
    /// Without openid and text, which are personal.
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::SendFinished { id, status } => {
                f.debug_struct("SendFinished").field("id", id).field("status", status).finish()
            }
            Self::Subscribed { at, .. } => f.debug_struct("Subscribed").field("at", at).finish_non_exhaustive(),
            Self::Unsubscribed { at, .. } => f.debug_struct("Unsubscribed").field("at", at).finish_non_exhaustive(),
            Self::Text { id, at, .. } => f.debug_struct("Text").field("id", id).field("at", at).finish_non_exhaustive(),
            Self::Other { kind } => f.debug_struct("Other").field("kind", kind).finish(),
        }
    }
}

impl Callback {
    pub(crate) fn of(fields: &Fields) -> Result<Self, Error> {
        let kind = field(fields, "MsgType")?;
        let event = fields.get("Event").unwrap_or_default();
        let (openid, at) = (|| name(fields, "FromUserName"), || time(fields));
        Ok(match (kind, event) {
            ("event", "TEMPLATESENDJOBFINISH") => {
                Self::SendFinished { id: id(fields, "MsgID")?, status: SendStatus::of(field(fields, "Status")?) }
            }
            ("event", "subscribe") => {
                let scene = fields.get("EventKey").filter(|key| !key.is_empty() && key.len() <= MAX_NAME);
                Self::Subscribed { openid: openid()?, scene: scene.map(str::to_owned), at: at()? }
            }
            ("event", "unsubscribe") => Self::Unsubscribed { openid: openid()?, at: at()? },
            ("text", _) => Self::Text {
                openid: openid()?,
                account: name(fields, "ToUserName")?,
                id: id(fields, "MsgId")?,
                content: field(fields, "Content")?.chars().take(MAX_TEXT).collect(),
                at: at()?,
            },
            _ => Self::Other { kind: Code::new(if event.is_empty() { kind } else { event }) },
        })
    }
}

fn field<'a>(fields: &'a Fields, name: &'static str) -> Result<&'a str, Error> {
    fields.get(name).ok_or(Error::Xml { why: "a field is missing that its kind must have" })
}

fn name(fields: &Fields, of: &'static str) -> Result<String, Error> {
    let text = field(fields, of)?;
    let fits = !text.is_empty() && text.len() <= MAX_NAME && text.bytes().all(|byte| byte.is_ascii_graphic());
    if fits { Ok(text.to_owned()) } else { Err(Error::Xml { why: "a name in it is empty, too long, or none" }) }
}

fn id(fields: &Fields, of: &'static str) -> Result<PlatformId, Error> {
    PlatformId::new(field(fields, of)?).ok_or(Error::Xml { why: "an id in it is empty, too long, or none" })
}

fn time(fields: &Fields) -> Result<Moment, Error> {
    let seconds = field(fields, "CreateTime")?.parse::<u32>();
    let seconds = seconds.map_err(|_| Error::Xml { why: "its `CreateTime` is no time" })?;
    Ok(Moment::from_unix_ms(i64::from(seconds) * 1000))
}

/// The XML of a text in answer to a customer's: give it to [`Door::reply`](crate::Door::reply).
#[must_use]
pub fn text_reply(openid: &str, account: &str, content: &str, now: Moment) -> String {
    format!(
        "<xml><ToUserName>{}</ToUserName><FromUserName>{}</FromUserName><CreateTime>{}</CreateTime>\
         <MsgType><![CDATA[text]]></MsgType><Content>{}</Content></xml>",
        cdata(openid),
        cdata(account),
        now.unix_ms().div_euclid(1000),
        cdata(content),
    )
}
