//! An account as an operator writes it.

use std::path::PathBuf;

use gridbell_channels::SecretRef;
use gridbell_channels::http::HttpTerms;
use serde::{Deserialize, Serialize};

use crate::alipay::NoticeMapping;
use crate::http_sms::HttpSmsConfig;

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
    /// Which platform, and what only it has.
    pub platform: PlatformConfig,
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
