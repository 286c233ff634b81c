//! A message's words: who it is, where it stands, and why a decision became none.

use std::fmt;
use std::str::FromStr;

use serde::{Deserialize, Serialize};

use crate::error::ModelError;
use crate::org::PrefectureCode;
use crate::topic::words;

/// A run of one policy over one prefecture. Increasing, never reused.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[serde(transparent)]
pub struct RunId(pub u64);

impl fmt::Display for RunId {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "R{}", self.0)
    }
}
impl fmt::Debug for RunId {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        fmt::Display::fmt(self, f)
    }
}
impl FromStr for RunId {
    type Err = ModelError;
    fn from_str(s: &str) -> Result<Self, ModelError> {
        let digits = s.strip_prefix('R').unwrap_or(s);
        digits.parse().map(Self).map_err(|_| ModelError::Word {
            what: "run",
            value: s.chars().take(40).collect(),
            known: "numbers as R17".to_owned(),
        })
    }
}

/// A message: the prefecture in the upper half, a number within it below. Increasing within the prefecture, never reused.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[serde(transparent)]
pub struct MessageId(pub u64);

impl MessageId {
    /// The `number`-th message of `prefecture`; numbers start at 1, 0 stands for "none" in columns.
    #[must_use]
    pub fn new(prefecture: PrefectureCode, number: u32) -> Self {
        Self(u64::from(prefecture.0) << 32 | u64::from(number))
    }

    /// The prefecture whose customer it is for.
    #[must_use]
    pub fn prefecture(self) -> PrefectureCode {
        PrefectureCode((self.0 >> 32) as u32)
    }

    /// Its number within the prefecture.
    #[must_use]
    pub fn number(self) -> u32 {
        self.0 as u32
    }
}

impl fmt::Display for MessageId {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}-{}", self.prefecture(), self.number())
    }
}
impl fmt::Debug for MessageId {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        fmt::Display::fmt(self, f)
    }
}
impl FromStr for MessageId {
    type Err = ModelError;
    fn from_str(s: &str) -> Result<Self, ModelError> {
        s.split_once('-')
            .and_then(|(p, n)| Some(Self::new(PrefectureCode(p.parse().ok()?), n.parse().ok()?)))
            .ok_or_else(|| ModelError::Word {
                what: "message",
                value: s.chars().take(40).collect(),
                known: "numbers as 140100-17".to_owned(),
            })
    }
}

words! {
    /// Where a message can go.
    Channel, "channel" {
        /// 短信
        Sms = 0, "sms", "短信";
        /// 微信模板消息
        Wechat = 1, "wechat", "微信";
        /// 支付宝生活号
        Alipay = 2, "alipay", "支付宝";
        /// 社区屏
        Screen = 3, "screen", "社区屏";
        /// Signed webhook: app push, telephone robots, television.
        Webhook = 4, "webhook", "推送";
    }
}

words! {
    /// One life: queued → submitted → delivered, failed, expired or cancelled.
    MessageState, "message state" {
        /// Durable in the outbox.
        Queued = 0, "queued", "待发";
        /// The intent to submit is durable; whether the carrier has it is not known.
        Submitting = 1, "submitting", "提交中";
        /// The carrier accepted every part.
        Submitted = 2, "submitted", "已提交";
        /// The carrier reported every part delivered.
        Delivered = 3, "delivered", "已送达";
        /// The carrier refused it or reported failure; its code is kept.
        Failed = 4, "failed", "失败";
        /// Its validity ended before it could be submitted, or no report came in time.
        Expired = 5, "expired", "过期";
        /// Taken back before submit, with a reason.
        Cancelled = 6, "cancelled", "取消";
    }
}

impl MessageState {
    /// Whether nothing can change any more.
    #[must_use]
    pub fn is_final(self) -> bool {
        matches!(self, Self::Delivered | Self::Failed | Self::Expired | Self::Cancelled)
    }
}

words! {
    /// Which messages go first on a link.
    Lane, "lane" {
        /// Overtakes bulk: outages, payments received, restores.
        Urgent = 0, "urgent", "加急";
        /// Everything else.
        Bulk = 1, "bulk", "普通";
    }
}

words! {
    /// Why a decision became no message, or a queued message was cancelled before submit. One code for each guardrail's verdict.
    HoldReason, "hold reason" {
        /// The customer lies outside the run's scope.
        OutOfScope = 0, "out-of-scope", "不在范围内";
        /// A fact that the text states is older than the topic allows.
        StaleFacts = 1, "stale-facts", "数据已过时效";
        /// No approved template for the notice and channel.
        NoTemplate = 2, "no-template", "没有已审批的模板";
        /// No address on any channel of the route.
        NoAddress = 3, "no-address", "没有联系方式";
        /// The number cannot receive this channel.
        BadAddress = 4, "bad-address", "号码无效";
        /// The contact is suspended after a wrong-number reply.
        SuspendedAddress = 5, "suspended-address", "号码待核实";
        /// No consent or no subscription where the class needs one.
        NoConsent = 6, "no-consent", "未同意或未订阅";
        /// Opted out of the class on this channel.
        OptedOut = 7, "opted-out", "已退订";
        /// On the do-not-remind list.
        DoNotRemind = 8, "do-not-remind", "免催名单";
        /// The bill is disputed.
        Disputed = 9, "disputed", "争议中";
        /// A bank debit is under way.
        DebitPending = 10, "debit-pending", "批扣中";
        /// Reminders are paused.
        Paused = 11, "paused", "暂停催缴";
        /// Closed or handed over.
        Closed = 12, "closed", "已销户或过户";
        /// This step of this bill, episode or payment was said already.
        AlreadySaid = 13, "already-said", "已通知过";
        /// The customer's daily cap is reached.
        CustomerCap = 14, "customer-cap", "超过每户每日上限";
        /// The phone's daily cap is reached.
        PhoneCap = 15, "phone-cap", "超过每号码每日上限";
        /// No send window before it expires.
        NoWindow = 16, "no-window", "过期前没有发送时段";
        /// The run reached more than it may and was not released.
        BlastRadius = 17, "blast-radius", "超过规模上限";
        /// Paid since the decision.
        Paid = 18, "paid", "已缴费";
        /// The facts in the text changed since the decision.
        FactsChanged = 19, "facts-changed", "数据已变化";
        /// The number was corrected since the decision.
        AddressChanged = 20, "address-changed", "号码已更正";
        /// A person took it back.
        Recalled = 21, "recalled", "人工撤回";
        /// The text could not be rendered from the facts.
        RenderFailed = 22, "render-failed", "文本生成失败";
        /// The contact was erased on the customer's demand.
        Erased = 23, "erased", "已删除个人信息";
        /// No link serves the number's carrier.
        NoLink = 24, "no-link", "没有可用通道";
        /// The same notice came by the channel before.
        DeliveredMeanwhile = 25, "delivered-meanwhile", "前一渠道已送达";
        /// The message that a correction corrects turned out not to have come.
        NeverCame = 26, "never-came", "原消息未送达";
    }
}

/// Who started a run: messages know whether a person or the system did (N40).
#[derive(Clone, PartialEq, Eq, Debug, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum Initiator {
    /// A schedule or an event.
    System,
    /// A person, by user name.
    Person(String),
}

/// Whether a message may leave together with those of other accounts of its number, as one.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Hash, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum Sharing {
    /// It goes by itself.
    #[default]
    Alone,
    /// It may, and it is the one that counts for the number where messages a day are counted.
    Counted,
    /// It may, and another counts for the number.
    Rides,
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn ids_read_as_they_print() {
        let m = MessageId::new(PrefectureCode(140_100), 17);
        assert_eq!(m.to_string(), "140100-17");
        assert_eq!("140100-17".parse::<MessageId>().unwrap(), m);
        assert_eq!((m.prefecture(), m.number()), (PrefectureCode(140_100), 17));
        assert_eq!("R9".parse::<RunId>().unwrap(), RunId(9));
    }
}
