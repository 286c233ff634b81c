//! An account, ready to be linked: one type for all platforms.

use std::collections::BTreeMap;
use std::path::Path;

use gridbell_alipay as pay;
use gridbell_aliyun::Access;
use gridbell_channels::http::{
    Callback, Chore, Found, HttpTerms, PlatformAction, Prepared, Provider, Repeat, Told, Turned, Verdict,
};
use gridbell_channels::{Outgoing, SecretRef};
use gridbell_clock::Clock;
use gridbell_exchange::{Client, Origin, Trust};
use gridbell_model::{CarrierKey, Channel, Moment, Served};
use gridbell_platform::{Answer, CallError, Code, Request, Secret};
use gridbell_webhook::{Signer, Verifier, WebhookSecret};
use gridbell_wechat::{AesKey, Door, Mode};

use crate::alipay::Alipay;
use crate::aliyun::Aliyun;
use crate::config::{AccountConfig, AlipayConfig, AliyunConfig, PlatformConfig, WeChatConfig, WebhookConfig};
use crate::error::ProviderError;
use crate::http_sms::{HttpSms, Proof};
use crate::key::CallbackKey;
use crate::webhook::Webhook;
use crate::wechat::WeChat;
use crate::wording::Wordings;

/// An account of any platform.
#[derive(Debug)]
pub enum Account {
    /// WeChat.
    WeChat(Box<WeChat>),
    /// Alipay.
    Alipay(Box<Alipay>),
    /// Aliyun.
    Aliyun(Box<Aliyun>),
    /// Another SMS platform.
    HttpSms(Box<HttpSms>),
    /// A webhook.
    Webhook(Box<Webhook>),
}

/// What a link needs: its terms, the account, and how it is called.
#[derive(Debug)]
pub struct Built {
    /// For [`start_http`](gridbell_channels::http::start_http).
    pub terms: HttpTerms,
    /// What the platform says.
    pub account: Account,
    /// Calls it.
    pub client: Client,
    /// What its link takes from the outbox.
    pub serves: Vec<Served>,
    /// The channel of the messages that it takes.
    pub channel: Channel,
    /// The account's own id at the platform, to which customers' ids belong; empty where ids belong to none.
    pub app: String,
}

/// Names the account in errors.
struct Named<'a> {
    name: &'a str,
}

impl Named<'_> {
    fn wrong(&self, field: &'static str, why: impl std::fmt::Display) -> ProviderError {
        ProviderError::Field { account: self.name.to_owned(), field, why: why.to_string() }
    }

    fn secret(&self, field: &'static str, of: &SecretRef) -> Result<Secret, ProviderError> {
        let secret = of.resolve().map_err(|error| self.wrong(field, error))?;
        let text = secret.text().ok_or_else(|| self.wrong(field, "is not UTF-8"))?;
        Ok(Secret::new(text))
    }

    fn file(&self, field: &'static str, path: &Path) -> Result<String, ProviderError> {
        let failed = |error: std::io::Error| {
            self.wrong(field, format!("names `{}`, which cannot be read: {error}", path.display()))
        };
        let length = std::fs::metadata(path).map_err(failed)?.len();
        if length > pay::MAX_KEY as u64 {
            return Err(self.wrong(field, "names a file longer than 16 KiB"));
        }
        std::fs::read_to_string(path).map_err(failed)
    }
}

impl AccountConfig {
    /// Reads secrets and keys, checks everything, and makes the account.
    ///
    /// # Errors
    /// The first field that cannot be, with what to write.
    pub fn build(self, clock: Clock) -> Result<Built, ProviderError> {
        self.link.check()?;
        let name = self.link.name.to_string();
        let named = Named { name: &name };
        let unreachable = |source| ProviderError::Exchange { account: name.clone(), source };
        let origin = Origin::read(&self.address).map_err(unreachable)?;
        if !origin.is_secure() && !self.plain_http {
            return Err(
                named.wrong("address", "begins with `http://`: write `https://`, or `plain-http = true` beside it")
            );
        }
        let (serves, channel, app) = (self.served()?, self.account.channel(), self.account.app().to_owned());
        let codes = self.link.codes.clone();
        let account = match self.account {
            PlatformConfig::WeChat(config) => Account::WeChat(Box::new(wechat(&named, &config, codes)?)),
            PlatformConfig::Alipay(config) => Account::Alipay(Box::new(alipay(&named, config, codes)?)),
            PlatformConfig::Aliyun(config) => Account::Aliyun(Box::new(aliyun(&named, config, &origin, codes)?)),
            PlatformConfig::HttpSms(mut config) => {
                let secret = named.secret("secret", &config.secret)?;
                let key = match config.receipt.as_ref().map(|receipt| &receipt.proof) {
                    Some(Proof::Key { secret }) => Some(named.secret("receipt.proof", secret)?),
                    _ => None,
                };
                config.answer.codes.extend(codes);
                Account::HttpSms(Box::new(HttpSms::new(&name, *config, secret, key)?))
            }
            PlatformConfig::Webhook(config) => Account::Webhook(Box::new(webhook(&named, config, codes)?)),
        };
        let client = Client::new(origin, &Trust { extra_ca: self.extra_ca }, clock).map_err(unreachable)?;
        Ok(Built { terms: self.link, account, client, serves, channel, app })
    }
}

type Codes = BTreeMap<String, PlatformAction>;

fn wechat(named: &Named<'_>, config: &WeChatConfig, codes: Codes) -> Result<WeChat, ProviderError> {
    let secret = named.secret("secret", &config.secret)?;
    let mode = match &config.callback_aes_key {
        None => Mode::Plain,
        Some(key) => {
            let key = named.secret("callback-aes-key", key)?;
            Mode::Aes(AesKey::read(key.expose()).map_err(|error| named.wrong("callback-aes-key", error))?)
        }
    };
    let door = match &config.callback_token {
        None => None,
        Some(token) => {
            let token = named.secret("callback-token", token)?;
            let door = Door::new(config.appid.clone(), token, mode);
            Some(door.map_err(|error| named.wrong("callback-token", error))?)
        }
    };
    Ok(WeChat::new(config.appid.clone(), secret, door, config.notices.iter().cloned().collect(), codes))
}

fn alipay(named: &Named<'_>, config: AlipayConfig, codes: Codes) -> Result<Alipay, ProviderError> {
    let key = pay::AppKey::read(&named.file("app-key", &config.app_key)?);
    let key = key.map_err(|error| named.wrong("app-key", error))?;
    let theirs = pay::AlipayKey::read(&named.file("alipay-key", &config.alipay_key)?);
    let theirs = theirs.map_err(|error| named.wrong("alipay-key", error))?;
    let account = pay::Account::new(config.app_id, key, theirs).map_err(|error| named.wrong("app-id", error))?;
    Ok(Alipay::new(account, config.color, config.notice, codes))
}

fn aliyun(named: &Named<'_>, config: AliyunConfig, origin: &Origin, codes: Codes) -> Result<Aliyun, ProviderError> {
    let secret = named.secret("secret", &config.secret)?;
    let access = Access::new(origin.authority(), config.access_key, secret);
    let access = access.map_err(|error| named.wrong("access-key", error))?;
    let key = match &config.callback_key {
        None => None,
        Some(key) => {
            let key = CallbackKey::new(named.secret("callback-key", key)?);
            let why = "has fewer than 16 characters: make one with `openssl rand -hex 16`";
            Some(key.ok_or_else(|| named.wrong("callback-key", why))?)
        }
    };
    let wordings = Wordings::read(&config.sign_name, &config.templates);
    let wordings = wordings.map_err(|error| named.wrong("template", error))?;
    Ok(Aliyun::new(access, config.sign_name, wordings, key, codes))
}

fn webhook(named: &Named<'_>, config: WebhookConfig, codes: Codes) -> Result<Webhook, ProviderError> {
    if !config.path.starts_with('/') || !config.path.bytes().all(|byte| byte.is_ascii_graphic()) {
        return Err(named.wrong("path", "is no path: begin it with `/`"));
    }
    let read = |field, of: &SecretRef| {
        let secret = named.secret(field, of)?;
        WebhookSecret::read(secret.expose()).map_err(|error| named.wrong(field, error))
    };
    let secret = read("secret", &config.secret)?;
    let previous = config.previous_secret.as_ref().map(|of| read("previous-secret", of)).transpose()?;
    Ok(Webhook::new(config.path, Signer::new(secret.clone(), previous), Verifier::new(secret, 1), codes))
}

macro_rules! of {
    ($self:ident, $account:ident => $what:expr) => {
        match $self {
            Account::WeChat($account) => $what,
            Account::Alipay($account) => $what,
            Account::Aliyun($account) => $what,
            Account::HttpSms($account) => $what,
            Account::Webhook($account) => $what,
        }
    };
}

impl Provider for Account {
    fn prepare(&self, message: &Outgoing, now: Moment) -> Prepared {
        of!(self, account => account.prepare(message, now))
    }
    fn is_costly(&self) -> bool {
        of!(self, account => account.is_costly())
    }
    fn read(&self, message: &Outgoing, token: u64, answer: &Answer, now: Moment) -> Verdict {
        of!(self, account => account.read(message, token, answer, now))
    }
    fn repeat(&self, message: &Outgoing) -> Repeat {
        of!(self, account => account.repeat(message))
    }
    fn inquire(&self, message: &Outgoing, since: Moment, now: Moment) -> Option<Request> {
        of!(self, account => account.inquire(message, since, now))
    }
    fn found(&self, message: &Outgoing, answer: &Answer) -> Found {
        of!(self, account => account.found(message, answer))
    }
    fn chore(&self, now: Moment) -> Chore {
        of!(self, account => account.chore(now))
    }
    fn did(&self, ticket: u64, result: &Result<Answer, CallError>, now: Moment) -> Result<(), Code> {
        of!(self, account => account.did(ticket, result, now))
    }
    fn is_ready(&self, now: Moment) -> bool {
        of!(self, account => account.is_ready(now))
    }
    fn recall(&self, key: &CarrierKey, now: Moment) -> Option<Request> {
        of!(self, account => account.recall(key, now))
    }
    fn recalled(&self, answer: &Answer) -> bool {
        of!(self, account => account.recalled(answer))
    }
    fn callback(&self, callback: &Callback<'_>, now: Moment) -> Result<Told, Turned> {
        of!(self, account => account.callback(callback, now))
    }
}
