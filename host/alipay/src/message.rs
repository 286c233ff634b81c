//! A message to one follower, as the platform's template interface takes it.

use std::fmt;

use serde_json::{Map, Value};

use crate::error::Error;

/// The most octets of `biz_content` that are sent: far above any template, far below the gateway's limit for a request.
pub const MAX_BIZ_CONTENT: usize = 16 * 1024;

/// The most octets of a customer's or a message's id.
const MAX_IDENTITY: usize = 128;

/// To whom.
#[derive(Clone, PartialEq, Eq)]
pub enum Recipient {
    /// `to_user_id`: 2088 and twelve digits.
    UserId(String),
    /// `to_open_id`: the customer's id within this application, as newer applications get it.
    OpenId(String),
}

impl Recipient {
    pub(crate) fn field(&self) -> Result<(&'static str, &str), Error> {
        let (field, id) = match self {
            Self::UserId(id) => ("to_user_id", id),
            Self::OpenId(id) => ("to_open_id", id),
        };
        let fits = !id.is_empty() && id.len() <= MAX_IDENTITY && id.bytes().all(|byte| byte.is_ascii_graphic());
        if fits { Ok((field, id)) } else { Err(Error::Field { field, why: "is empty, too long, or not an id" }) }
    }
}

impl fmt::Debug for Recipient {
    /// Without the id, which is personal.
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Self::UserId(_) => "UserId(***)",
            Self::OpenId(_) => "OpenId(***)",
        })
    }
}

/// A text of a template with its colour.
#[derive(Clone, PartialEq, Eq)]
pub struct Colored {
    /// The text.
    pub value: String,
    /// `#RRGGBB`.
    pub color: String,
}

impl fmt::Debug for Colored {
    /// Without the text, which is personal.
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Colored").field("color", &self.color).finish_non_exhaustive()
    }
}

/// A template of the account, filled in.
#[derive(Clone, PartialEq, Eq)]
pub struct Template {
    /// `template_id`.
    pub id: String,
    /// `head_color`: the colour of the card's upper bar, `#RRGGBB`.
    pub head_color: String,
    /// `url`: where a tap leads. Empty for nowhere.
    pub url: String,
    /// `action_name`: the words on the button, "查看详情".
    pub action_name: String,
    /// `first`: the line above the keywords.
    pub first: Option<Colored>,
    /// `keyword1` and so on, in their order.
    pub keywords: Vec<Colored>,
    /// `remark`: the line below the keywords.
    pub remark: Option<Colored>,
}

impl fmt::Debug for Template {
    /// Without texts and link, which are personal.
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Template").field("id", &self.id).field("keywords", &self.keywords.len()).finish_non_exhaustive()
    }
}

/// `biz_content` of a message.
pub(crate) fn send_content(to: &Recipient, template: &Template) -> Result<String, Error> {
    let (field, id) = to.field()?;
    if template.id.is_empty() {
        return Err(Error::Field { field: "template_id", why: "is empty" });
    }
    let mut context = Map::new();
    let mut put = |name: &str, value: Value| context.insert(name.to_owned(), value);
    put("head_color", color("head_color", &template.head_color)?);
    put("url", template.url.as_str().into());
    put("action_name", template.action_name.as_str().into());
    if let Some(first) = &template.first {
        put("first", colored("first", first)?);
    }
    for (place, keyword) in template.keywords.iter().enumerate() {
        put(&format!("keyword{}", place + 1), colored("keyword", keyword)?);
    }
    if let Some(remark) = &template.remark {
        put("remark", colored("remark", remark)?);
    }
    let content = serde_json::json!({field: id, "template": {"template_id": template.id, "context": context}});
    bounded(content.to_string())
}

/// `biz_content` of a recall.
pub(crate) fn recall_content(message_id: &str) -> Result<String, Error> {
    if message_id.is_empty() || message_id.len() > MAX_IDENTITY {
        return Err(Error::Field { field: "message_id", why: "is empty or too long" });
    }
    bounded(serde_json::json!({"message_id": message_id}).to_string())
}

fn colored(field: &'static str, text: &Colored) -> Result<Value, Error> {
    Ok(serde_json::json!({"color": color(field, &text.color)?, "value": text.value}))
}

fn color(field: &'static str, text: &str) -> Result<Value, Error> {
    let digits = text.strip_prefix('#').unwrap_or_default();
    if digits.len() == 6 && digits.bytes().all(|digit| digit.is_ascii_hexdigit()) {
        Ok(text.into())
    } else {
        Err(Error::Field { field, why: "has a colour that is not written `#RRGGBB`" })
    }
}

fn bounded(content: String) -> Result<String, Error> {
    if content.len() > MAX_BIZ_CONTENT {
        return Err(Error::Field { field: "biz_content", why: "is longer than 16 KiB: shorten the texts" });
    }
    Ok(content)
}
