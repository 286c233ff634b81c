//! Messages to one follower: a template message, or a notice for which the customer has given one consent.

use std::fmt;

use gridbell_platform::{Method, Request, Secret, form};
use serde_json::{Map, Value, json};

use crate::error::Error;

/// The most octets of a message's body.
pub const MAX_BODY: usize = 16 * 1024;

/// The most values of a template.
pub const MAX_VALUES: usize = 32;

/// The most octets of `client_msg_id`.
pub const MAX_CLIENT_MSG_ID: usize = 64;

/// Where a tap leads inside WeChat.
#[derive(Clone, PartialEq, Eq)]
pub struct MiniProgram {
    /// Its `appid`.
    pub appid: String,
    /// Its page, `pagepath`; empty for its first.
    pub page: String,
}

impl fmt::Debug for MiniProgram {
    /// Without the page, whose parameters are personal.
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("MiniProgram").field("appid", &self.appid).finish_non_exhaustive()
    }
}

/// A message, filled in.
#[derive(Clone, PartialEq, Eq)]
pub struct Message {
    /// `touser`: the follower's openid in this account.
    pub openid: String,
    /// `template_id`.
    pub template_id: String,
    /// `url` of a template message, `page` of a notice: where a tap leads. Empty for nowhere.
    pub url: String,
    /// Leads into a mini program instead.
    pub mini_program: Option<MiniProgram>,
    /// `data`: the template's keys with their values.
    pub data: Vec<(String, String)>,
}

impl fmt::Debug for Message {
    /// Without openid, link and values, which are personal.
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Message")
            .field("template_id", &self.template_id)
            .field("keys", &self.data.iter().map(|(key, _)| key).collect::<Vec<_>>())
            .finish_non_exhaustive()
    }
}

/// POST `/cgi-bin/message/template/send`. The platform sends one message for each pair of openid and `client_msg_id` that comes again within
/// ten minutes: give the same id when the answer to the first did not come.
///
/// # Errors
/// Where a field is outside its limit.
pub fn template(message: &Message, client_msg_id: &str, token: &Secret) -> Result<Request, Error> {
    let fits = |byte: u8| byte.is_ascii_alphanumeric() || matches!(byte, b'-' | b'_');
    if client_msg_id.is_empty() || client_msg_id.len() > MAX_CLIENT_MSG_ID || !client_msg_id.bytes().all(fits) {
        return Err(Error::Field { field: "client_msg_id", why: "is not 1 to 64 letters, digits, `-` and `_`" });
    }
    let mut body = common(message, "url")?;
    body.insert("client_msg_id".to_owned(), client_msg_id.into());
    request("/cgi-bin/message/template/send", body, token)
}

/// POST `/cgi-bin/message/subscribe/bizsend`. One consent of the customer is one message; the platform takes no id of ours, so a message whose
/// answer did not come may go twice.
///
/// # Errors
/// Where a field is outside its limit.
pub fn subscription(message: &Message, token: &Secret) -> Result<Request, Error> {
    request("/cgi-bin/message/subscribe/bizsend", common(message, "page")?, token)
}

fn common(message: &Message, link: &str) -> Result<Map<String, Value>, Error> {
    let id = |text: &str| !text.is_empty() && text.len() <= 128 && text.bytes().all(|byte| byte.is_ascii_graphic());
    if !id(&message.openid) {
        return Err(Error::Field { field: "touser", why: "is empty, too long, or no openid" });
    }
    if !id(&message.template_id) {
        return Err(Error::Field { field: "template_id", why: "is empty, too long, or no id" });
    }
    if message.data.is_empty() || message.data.len() > MAX_VALUES {
        return Err(Error::Field { field: "data", why: "has no value, or more than 32" });
    }
    let mut data = Map::new();
    for (key, value) in &message.data {
        if data.insert(key.clone(), json!({"value": value})).is_some() {
            return Err(Error::Field { field: "data", why: "has a key twice" });
        }
    }
    let mut body = Map::new();
    body.insert("touser".to_owned(), message.openid.as_str().into());
    body.insert("template_id".to_owned(), message.template_id.as_str().into());
    if !message.url.is_empty() {
        body.insert(link.to_owned(), message.url.as_str().into());
    }
    if let Some(program) = &message.mini_program {
        body.insert("miniprogram".to_owned(), json!({"appid": program.appid, "pagepath": program.page}));
    }
    body.insert("data".to_owned(), data.into());
    Ok(body)
}

fn request(path: &str, body: Map<String, Value>, token: &Secret) -> Result<Request, Error> {
    let body = Value::from(body).to_string().into_bytes();
    if body.len() > MAX_BODY {
        return Err(Error::Field { field: "data", why: "makes the message longer than 16 KiB: shorten the texts" });
    }
    Ok(Request {
        method: Method::Post,
        path: format!("{path}?access_token={}", form::encode(token.expose())),
        headers: vec![("content-type", "application/json".to_owned())],
        body,
    })
}
