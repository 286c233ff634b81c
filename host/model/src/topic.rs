//! Topics, their classes, and the one table that says which guardrail applies to which class.

use std::fmt;
use std::str::FromStr;

use serde::{Deserialize, Serialize};

use crate::error::ModelError;

macro_rules! words {
    ($(#[$doc:meta])* $name:ident, $what:literal { $($(#[$vdoc:meta])* $variant:ident = $n:literal, $word:literal, $zh:literal;)* }) => {
        $(#[$doc])*
        #[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Debug)]
        #[repr(u8)]
        pub enum $name { $($(#[$vdoc])* $variant = $n),* }

        impl $name {
            /// All of them.
            pub const ALL: &'static [Self] = &[$(Self::$variant),*];

            /// Its word in files, in the API and in records.
            #[must_use]
            pub fn word(self) -> &'static str {
                match self { $(Self::$variant => $word),* }
            }

            /// What an office reads.
            #[must_use]
            pub fn chinese(self) -> &'static str {
                match self { $(Self::$variant => $zh),* }
            }

            /// From the number that binary records hold.
            #[must_use]
            pub fn from_code(code: u8) -> Option<Self> {
                Self::ALL.iter().copied().find(|v| *v as u8 == code)
            }
        }

        impl fmt::Display for $name {
            fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
                f.write_str(self.word())
            }
        }

        impl FromStr for $name {
            type Err = ModelError;
            fn from_str(s: &str) -> Result<Self, ModelError> {
                Self::ALL.iter().copied().find(|v| v.word() == s).ok_or_else(|| ModelError::Word {
                    what: $what,
                    value: s.chars().take(60).collect(),
                    known: Self::ALL.iter().map(|v| v.word()).collect::<Vec<_>>().join(", "),
                })
            }
        }

        impl Serialize for $name {
            fn serialize<S: serde::Serializer>(&self, s: S) -> Result<S::Ok, S::Error> {
                if s.is_human_readable() { s.serialize_str(self.word()) } else { s.serialize_u8(*self as u8) }
            }
        }

        impl<'de> Deserialize<'de> for $name {
            fn deserialize<D: serde::Deserializer<'de>>(d: D) -> Result<Self, D::Error> {
                use serde::de::Error;
                if d.is_human_readable() {
                    String::deserialize(d)?.parse().map_err(D::Error::custom)
                } else {
                    Self::from_code(u8::deserialize(d)?).ok_or_else(|| D::Error::custom(concat!("unknown code of a ", $what)))
                }
            }
        }
    };
}
pub(crate) use words;

words! {
    /// What a message is about. The province puts each topic into a class; this is the list of topics that the house knows.
    Topic, "topic" {
        /// 催缴: an unpaid bill.
        ArrearsReminder = 0, "arrears-reminder", "电费催缴";
        /// 电量电费: the month's bill, for subscribers.
        BillNotice = 1, "bill-notice", "电费账单";
        /// Prepaid balance low.
        BalanceWarning = 2, "balance-warning", "余额预警";
        /// A payment arrived.
        PaymentReceived = 3, "payment-received", "缴费成功";
        /// An outage and its changes.
        Outage = 4, "outage", "停电通知";
        /// Cut-off for arrears or an empty balance.
        CutOff = 5, "cut-off", "停电催费";
        /// Power restored after payment.
        Restore = 6, "restore", "复电通知";
        /// Tips, tariffs, greetings.
        Campaign = 7, "campaign", "宣传";
        /// Alerts to staff.
        Staff = 8, "staff", "内部提醒";
        /// An apology with the right facts.
        Correction = 9, "correction", "更正";
        /// What the host answers to a customer who wrote.
        Answer = 10, "answer", "自动答复";
    }
}

words! {
    /// The class of a topic says which guardrail applies; see [`TopicClass::applies`].
    TopicClass, "topic class" {
        /// Required by law: cut-off and outage notices.
        Statutory = 0, "statutory", "法定";
        /// Service: reminders, payments received, corrections.
        Service = 1, "service", "服务";
        /// Only for subscribers.
        Subscribed = 2, "subscribed", "订阅";
        /// Tips, tariffs, greetings.
        Marketing = 3, "marketing", "宣传";
        /// To the utility's own people.
        Staff = 4, "staff", "内部";
        /// Answers to customers who wrote: they asked, so nothing that they refused holds it, and it is not for tomorrow's window.
        Answer = 5, "answer", "应答";
    }
}

words! {
    /// A check that the host makes of every decision, whatever the plugin says.
    Guardrail, "guardrail" {
        /// Belongs to the prefecture and to the run's scope.
        Scope = 0, "scope", "范围";
        /// The facts are fresh enough.
        Freshness = 1, "freshness", "数据时效";
        /// The template is approved for the topic.
        Template = 2, "template", "模板";
        /// An address is there and valid.
        Address = 3, "address", "联系方式";
        /// Consent where the class needs it, subscription where it needs that.
        Consent = 4, "consent", "同意与订阅";
        /// Opted out.
        OptOut = 5, "opt-out", "退订";
        /// On the do-not-remind list, disputed, debit pending, paused.
        Exempt = 6, "exempt", "免催";
        /// Closed or handed over.
        Closed = 7, "closed", "销户过户";
        /// Said already.
        Said = 8, "said", "重复";
        /// Daily caps per customer and per phone.
        Caps = 9, "caps", "频次";
        /// Send windows and quiet hours.
        Window = 10, "window", "发送时段";
        /// The run's reach.
        BlastRadius = 11, "blast-radius", "规模";
    }
}

impl Topic {
    /// The class a topic has until the province puts it into another.
    #[must_use]
    pub fn default_class(self) -> TopicClass {
        match self {
            Self::Outage | Self::CutOff | Self::Restore => TopicClass::Statutory,
            Self::ArrearsReminder | Self::PaymentReceived | Self::Correction => TopicClass::Service,
            Self::BillNotice | Self::BalanceWarning => TopicClass::Subscribed,
            Self::Campaign => TopicClass::Marketing,
            Self::Staff => TopicClass::Staff,
            Self::Answer => TopicClass::Answer,
        }
    }
}

impl TopicClass {
    /// The one table of guardrails by class, from `domain.md`'s "Topic classes". A guardrail that does not apply is skipped, never weakened.
    #[must_use]
    pub fn applies(self, guardrail: Guardrail) -> bool {
        use Guardrail as G;
        match self {
            // An opt-out or a do-not-remind entry never silences a statutory notice, and no cap does.
            Self::Statutory => !matches!(guardrail, G::Consent | G::OptOut | G::Exempt | G::Caps),
            Self::Service => !matches!(guardrail, G::Consent),
            Self::Subscribed => !matches!(guardrail, G::Exempt),
            Self::Marketing => true,
            Self::Staff => {
                matches!(guardrail, G::Scope | G::Template | G::Address | G::Said | G::Window | G::BlastRadius)
            }
            // How often somebody is answered is counted by what they write, before there is a message.
            Self::Answer => {
                matches!(guardrail, G::Scope | G::Template | G::Address | G::Closed | G::Said | G::BlastRadius)
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_statutory_notice_cannot_be_silenced_and_marketing_passes_everything() {
        for g in [Guardrail::OptOut, Guardrail::Consent, Guardrail::Exempt, Guardrail::Caps] {
            assert!(!TopicClass::Statutory.applies(g));
        }
        assert!(Guardrail::ALL.iter().all(|g| TopicClass::Marketing.applies(*g)));
        // The guards against a wrong mass message hold for every class.
        for class in TopicClass::ALL {
            for g in
                [Guardrail::Scope, Guardrail::Template, Guardrail::Address, Guardrail::Said, Guardrail::BlastRadius]
            {
                assert!(class.applies(g), "{class} {g}");
            }
        }
    }

    #[test]
    fn words_round_trip() {
        for t in Topic::ALL {
            assert_eq!(t.word().parse::<Topic>().unwrap(), *t);
            assert_eq!(Topic::from_code(*t as u8), Some(*t));
        }
        assert!("sms".parse::<Topic>().unwrap_err().to_string().contains("arrears-reminder"));
    }
}
