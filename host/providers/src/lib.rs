//! Accounts at platforms: what each one's codec says in the words of a link ([`Provider`](gridbell_channels::http::Provider)), and how an operator
//! writes one.
//!
//! | kind | sends | a lost answer | receipts |
//! |---|---|---|---|
//! | `wechat` | template messages; subscription notices | goes again under its `client_msg_id`; a notice is marked | `TEMPLATESENDJOBFINISH` |
//! | `alipay` | messages of a life account | is marked: the platform knows no number of ours | asynchronous notice |
//! | `aliyun` | SMS by template | QuerySendDetails is asked for our `OutId` | SmsReport |
//! | `http-sms` | SMS by text, as configured | as configured | as configured |
//! | `webhook` | a signed JSON document | goes again under its `webhook-id` | signed in the same way |
//!
//! It must never do I/O beyond reading the files that a configuration names, never believe a callback that is not proven, and never let a
//! token, an address or a text into a message for people.

mod account;
mod alipay;
mod aliyun;
mod config;
mod error;
mod http_sms;
mod key;
mod webhook;
mod wechat;
mod wording;

pub use account::{Account, Built};
pub use alipay::{Alipay, NoticeMapping};
pub use aliyun::Aliyun;
pub use config::{AccountConfig, AlipayConfig, AliyunConfig, PlatformConfig, WeChatConfig, WebhookConfig};
pub use error::ProviderError;
pub use http_sms::{
    AnswerMapping, Encoding, HttpSms, HttpSmsConfig, Proof, ReceiptMapping, RequestMapping, SignKind, SignMapping,
    SignText, TimeFormat,
};
pub use key::CallbackKey;
pub use webhook::Webhook;
pub use wechat::WeChat;
pub use wording::{MAX_TEMPLATES, TemplateConfig};
