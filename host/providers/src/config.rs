//! An account as an operator writes it.

use std::path::{Path, PathBuf};

use gridbell_channels::SecretRef;
use gridbell_channels::http::HttpTerms;
use gridbell_model::{Carrier, Channel, Served};
use serde::{Deserialize, Serialize};

use crate::alipay::NoticeMapping;
use crate::error::ProviderError;
use crate::http_sms::{HttpSmsConfig, Proof};
use crate::wording::TemplateConfig;

/// An account at a platform.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case", deny_unknown_fields)]
pub struct AccountConfig {
    /// Its link: name, pace, limits, what unlisted codes mean.
    pub link: HttpTerms,
    /// `https://host` or `https://host:port` of the platform.
    pub address: String,
    /// A PEM file with certificate authorities beside the machine's.
    #[serde(default)]
    pub extra_ca: Option<PathBuf>,
    /// Lets `address` begin with `http://`: for a platform in the same machine room, never across a network of others.
    #[serde(default)]
    pub plain_http: bool,
    /// The carriers whose numbers it takes, for a platform that sends SMS; others take the messages of their own channel.
    #[serde(default)]
    pub serves: Vec<Carrier>,
    /// Which platform, and what only it has.
    pub account: PlatformConfig,
}

impl AccountConfig {
    /// What its link takes from the outbox.
    ///
    /// # Errors
    /// Where `serves` is missing, or is there and must not be.
    pub fn served(&self) -> Result<Vec<Served>, ProviderError> {
        let wrong = |why: &str| ProviderError::Field {
            account: self.link.name.to_string(),
            field: "serves",
            why: why.to_owned(),
        };
        match (self.account.channel(), self.serves.as_slice()) {
            (Channel::Sms, []) => Err(wrong(
                "is missing: name the carriers whose numbers it takes, of `mobile`, `unicom`, `telecom` and `broadnet`",
            )),
            (Channel::Sms, carriers) => Ok(carriers.iter().copied().map(Served::from).collect()),
            (channel, []) => Ok(vec![Served::Channel(channel)]),
            (channel, _) => Err(wrong(&format!(
                "is for platforms that send SMS: remove it, this one takes the messages for {channel}"
            ))),
        }
    }

    /// Reads the relative paths of secrets and keys as from `base`.
    pub fn relative_to(&mut self, base: &Path) {
        let mut files: Vec<&mut PathBuf> = self.extra_ca.as_mut().into_iter().collect();
        let mut secrets: Vec<&mut SecretRef> = Vec::new();
        match &mut self.account {
            PlatformConfig::WeChat(config) => {
                secrets.push(&mut config.secret);
                secrets.extend(config.callback_token.as_mut());
                secrets.extend(config.callback_aes_key.as_mut());
            }
            PlatformConfig::Alipay(config) => files.extend([&mut config.app_key, &mut config.alipay_key]),
            PlatformConfig::Aliyun(config) => {
                secrets.push(&mut config.secret);
                secrets.extend(config.callback_key.as_mut());
            }
            PlatformConfig::HttpSms(config) => {
                secrets.push(&mut config.secret);
                if let Some(Proof::Key { secret }) = config.receipt.as_mut().map(|receipt| &mut receipt.proof) {
                    secrets.push(secret);
                }
            }
            PlatformConfig::Webhook(config) => {
                secrets.push(&mut config.secret);
                secrets.extend(config.previous_secret.as_mut());
            }
        }
        let of_secrets = secrets.into_iter().filter_map(|secret| match secret {
            SecretRef::File(file) => Some(file),
            SecretRef::Env(_) => None,
        });
        for file in files.into_iter().chain(of_secrets) {
            *file = base.join(&*file);
        }
    }
}

/// What only one platform has.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(tag = "kind", rename_all = "kebab-case")]
pub enum PlatformConfig {
    /// A service account (服务号) of WeChat.
    #[serde(rename = "wechat")]
    WeChat(WeChatConfig),
    /// A life account (生活号) of Alipay.
    Alipay(AlipayConfig),
    /// SMS through Aliyun.
    Aliyun(AliyunConfig),
    /// SMS through any other platform.
    HttpSms(Box<HttpSmsConfig>),
    /// A receiver of signed webhooks.
    Webhook(WebhookConfig),
}

impl PlatformConfig {
    /// The channel of the messages that it takes.
    #[must_use]
    pub const fn channel(&self) -> Channel {
        match self {
            Self::WeChat(_) => Channel::Wechat,
            Self::Alipay(_) => Channel::Alipay,
            Self::Aliyun(_) | Self::HttpSms(_) => Channel::Sms,
            Self::Webhook(_) => Channel::Webhook,
        }
    }

    /// The account's own id at the platform, to which customers' ids belong; empty where ids belong to none.
    #[must_use]
    pub fn app(&self) -> &str {
        match self {
            Self::WeChat(config) => &config.appid,
            Self::Alipay(config) => &config.app_id,
            Self::Aliyun(_) | Self::HttpSms(_) | Self::Webhook(_) => "",
        }
    }
}

/// A service account of WeChat.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case", deny_unknown_fields)]
pub struct WeChatConfig {
    /// The account's AppID.
    pub appid: String,
    /// Where its AppSecret is kept.
    pub secret: SecretRef,
    /// Where the console's Token is kept, with which callbacks are signed; without one none is let in.
    #[serde(default)]
    pub callback_token: Option<SecretRef>,
    /// Where the console's EncodingAESKey is kept: the console is set to 安全模式. Without one callbacks come in clear, where only the
    /// query is signed: for tests.
    #[serde(default)]
    pub callback_aes_key: Option<SecretRef>,
    /// Templates of subscription notices; all others are template messages.
    #[serde(default)]
    pub notices: Vec<String>,
}

/// A life account of Alipay.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case", deny_unknown_fields)]
pub struct AlipayConfig {
    /// The application's number.
    pub app_id: String,
    /// Where the application's private key is kept, PEM or as the key tool saves it.
    pub app_key: PathBuf,
    /// Where the platform's public key (支付宝公钥) is kept.
    pub alipay_key: PathBuf,
    /// The colour of the texts, `#RRGGBB`.
    #[serde(default = "default_color")]
    pub color: String,
    /// Which parameters of a notice say what became of a message.
    #[serde(default)]
    pub notice: NoticeMapping,
}

fn default_color() -> String {
    "#173177".to_owned()
}

/// SMS through Aliyun.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case", deny_unknown_fields)]
pub struct AliyunConfig {
    /// The AccessKey's id.
    pub access_key: String,
    /// Where its secret is kept.
    pub secret: SecretRef,
    /// The signature, without 【】.
    pub sign_name: String,
    /// Where the key in the receipts' address is kept, `…?key=…`: receipts carry no signature. Without one none is let in.
    #[serde(default)]
    pub callback_key: Option<SecretRef>,
    /// The templates that Aliyun approved: a text that is none of them goes by another link, or by the route's next channel.
    #[serde(default, rename = "template")]
    pub templates: Vec<TemplateConfig>,
}

/// A receiver of signed webhooks.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case", deny_unknown_fields)]
pub struct WebhookConfig {
    /// The path at `address`.
    pub path: String,
    /// Where the secret is kept, `whsec_…`.
    pub secret: SecretRef,
    /// Where the one before it is kept, while receivers still have that.
    #[serde(default)]
    pub previous_secret: Option<SecretRef>,
}
