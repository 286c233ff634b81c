//! What a customer asks to be told or not to be told: one entry for each class of topics and channel that can be refused, and for each subscription,
//! with where it came from. The bits that guardrails read follow from it; see [`Wish::with`].

use std::fmt;
use std::str::FromStr;

use serde::{Deserialize, Serialize};

use crate::customer::{Preferences, Traits};
use crate::error::ModelError;
use crate::topic::words;

words! {
    /// What can be asked for. Statutory notices are none of it: nobody can refuse them.
    Wish, "preference" {
        /// Service messages by SMS.
        ServiceSms = 0, "service-sms", "服务类·短信";
        /// Service messages by WeChat.
        ServiceWechat = 1, "service-wechat", "服务类·微信";
        /// Service messages by Alipay.
        ServiceAlipay = 2, "service-alipay", "服务类·支付宝";
        /// What is subscribed to, whatever the channel: the switch above the subscriptions.
        Subscribed = 3, "subscribed", "订阅类";
        /// Marketing, whatever the channel: it needs consent.
        Marketing = 4, "marketing", "宣传类";
        /// Subscription to the bill notice.
        BillNotice = 5, "bill-notice", "订阅电费账单";
        /// Subscription to news of a low balance.
        BalanceWarning = 6, "balance-warning", "订阅余额预警";
        /// Subscription to outage news of the area.
        OutageNews = 7, "outage-news", "订阅停电信息";
    }
}

words! {
    /// Where a customer's wish came from.
    WishSource, "source of a preference" {
        /// A counter clerk.
        Counter = 0, "counter", "营业厅";
        /// The utility's website.
        Website = 1, "website", "网站";
        /// The utility's app.
        App = 2, "app", "应用";
        /// 95598 by telephone.
        Hotline = 3, "hotline", "热线";
        /// A word that the customer sent by SMS.
        SmsWord = 4, "sms-word", "短信口令";
        /// A menu or a word in WeChat.
        Wechat = 5, "wechat", "微信";
        /// A menu or a word in Alipay.
        Alipay = 6, "alipay", "支付宝";
    }
}

impl Wish {
    /// Whether `traits` and `preferences` say that the customer is told.
    #[must_use]
    pub fn is_on(self, traits: Traits, preferences: Preferences) -> bool {
        match self {
            Self::ServiceSms => !preferences.has(Preferences::NO_SMS_SERVICE),
            Self::ServiceWechat => !preferences.has(Preferences::NO_WECHAT_SERVICE),
            Self::ServiceAlipay => !preferences.has(Preferences::NO_ALIPAY_SERVICE),
            Self::Subscribed => !preferences.has(Preferences::NO_SMS_SUBSCRIBED),
            Self::Marketing => {
                preferences.has(Preferences::MARKETING_CONSENT) && !preferences.has(Preferences::NO_SMS_MARKETING)
            }
            Self::BillNotice => traits.has(Traits::SUBSCRIBES_BILL),
            Self::BalanceWarning => traits.has(Traits::SUBSCRIBES_BALANCE),
            Self::OutageNews => preferences.has(Preferences::SUBSCRIBES_OUTAGE),
        }
    }

    /// The bits once it is asked for (`on`) or refused.
    #[must_use]
    pub fn with(self, on: bool, traits: Traits, preferences: Preferences) -> (Traits, Preferences) {
        let preferences = match self {
            Self::ServiceSms => preferences.with(Preferences::NO_SMS_SERVICE, !on),
            Self::ServiceWechat => preferences.with(Preferences::NO_WECHAT_SERVICE, !on),
            Self::ServiceAlipay => preferences.with(Preferences::NO_ALIPAY_SERVICE, !on),
            Self::Subscribed => preferences.with(Preferences::NO_SMS_SUBSCRIBED, !on),
            Self::Marketing => {
                preferences.with(Preferences::MARKETING_CONSENT, on).with(Preferences::NO_SMS_MARKETING, !on)
            }
            Self::OutageNews => preferences.with(Preferences::SUBSCRIBES_OUTAGE, on),
            Self::BillNotice | Self::BalanceWarning => preferences,
        };
        let traits = match self {
            Self::BillNotice => traits.with(Traits::SUBSCRIBES_BILL, on),
            Self::BalanceWarning => traits.with(Traits::SUBSCRIBES_BALANCE, on),
            _ => traits,
        };
        (traits, preferences)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn each_wish_is_its_own_bits_and_comes_back() {
        for wish in Wish::ALL {
            for other in Wish::ALL {
                let (t, p) = other.with(true, Traits::default(), Preferences::default());
                let (t, p) = wish.with(false, t, p);
                assert!(!wish.is_on(t, p), "{wish}");
                assert!(wish == other || other.is_on(t, p), "{wish} is not {other}");
                let (t, p) = wish.with(true, t, p);
                assert!(wish.is_on(t, p), "{wish}");
            }
        }
    }
}
