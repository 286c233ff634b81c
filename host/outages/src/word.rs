//! The words of outages: each as the API and as an office says it.

use serde::{Deserialize, Serialize};

use crate::error::Error;

macro_rules! words {
    ($($(#[$doc:meta])* $name:ident($field:literal) { $($(#[$word_doc:meta])* $word:ident = $spelt:literal, $chinese:literal;)* })*) => {$(
        $(#[$doc])*
        #[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
        pub enum $name {
            $($(#[$word_doc])* #[serde(rename = $spelt)] $word,)*
        }

        impl $name {
            /// All of them.
            pub const ALL: &'static [Self] = &[$(Self::$word),*];

            /// Its word in the API.
            #[must_use]
            pub const fn word(self) -> &'static str {
                match self { $(Self::$word => $spelt,)* }
            }

            /// What people read.
            #[must_use]
            pub const fn chinese(self) -> &'static str {
                match self { $(Self::$word => $chinese,)* }
            }
        }

        impl std::str::FromStr for $name {
            type Err = Error;

            fn from_str(s: &str) -> Result<Self, Error> {
                Self::ALL.iter().copied().find(|w| w.word() == s).ok_or_else(|| {
                    let known: Vec<&str> = Self::ALL.iter().map(|w| w.word()).collect();
                    let shown: String = s.chars().take(40).collect();
                    Error::field($field, format!("is `{shown}`; use one of {}", known.join(", ")))
                })
            }
        }
    )*};
}

words! {
    /// What kind of outage.
    Kind("kind") {
        /// Announced long before.
        Planned = "planned", "计划停电";
        /// Announced shortly before.
        Temporary = "temporary", "临时停电";
        /// Nobody planned it.
        Fault = "fault", "故障停电";
        /// 有序用电
        Rationing = "rationing", "有序用电";
    }
    /// How grave an office holds it to be.
    Class("class") {
        /// Few customers, a short time.
        Minor = "minor", "一般";
        /// A line or more.
        Serious = "serious", "较大";
        /// A substation, or important customers.
        Major = "major", "重大";
    }
    /// How an outage stands.
    Phase("phase") {
        /// Written, seen by nobody outside.
        Draft = "draft", "草稿";
        /// A second person agreed.
        Approved = "approved", "已审批";
        /// Customers are told.
        Published = "published", "已发布";
        /// The power is off.
        InProgress = "in-progress", "停电中";
        /// For a part it is back.
        PartlyRestored = "partly-restored", "部分恢复";
        /// For all it is back.
        Restored = "restored", "已恢复";
        /// It does not take place, or never was one.
        Cancelled = "cancelled", "已取消";
    }
    /// What can be done with an outage.
    Step("step") {
        /// Write a draft anew.
        Edit = "edit", "修改草稿";
        /// Agree, as a second person.
        Approve = "approve", "审批";
        /// Make it count.
        Publish = "publish", "发布";
        /// Change what was published.
        Change = "change", "变更";
        /// The power went off.
        Begin = "begin", "开始停电";
        /// The power is back for a part.
        RestorePart = "restore-part", "部分恢复";
        /// The power is back.
        Restore = "restore", "恢复供电";
        /// Call it off.
        Cancel = "cancel", "取消";
    }
    /// What a revision changed.
    Change("change") {
        /// It is the first that counts.
        Published = "published", "发布";
        /// It begins at another time.
        Rescheduled = "rescheduled", "改期";
        /// It ends later.
        Delayed = "delayed", "延迟送电";
        /// It ends earlier, or its end is known now.
        Shortened = "shortened", "提前送电";
        /// More of the grid.
        Widened = "widened", "范围扩大";
        /// Less of the grid.
        Narrowed = "narrowed", "范围缩小";
        /// Reason or class.
        Reworded = "reworded", "说明变更";
        /// The power went off.
        Begun = "begun", "开始停电";
        /// The power is back for a part.
        PartRestored = "part-restored", "部分恢复";
        /// The power is back.
        Restored = "restored", "恢复供电";
        /// It was called off.
        Cancelled = "cancelled", "取消";
    }
    /// How a customer's power is, at one time; the worst is the largest.
    Level("level") {
        /// As always.
        On = "on", "正常供电";
        /// One of several sources is lost: not an outage.
        Part = "part", "部分电源停电";
        /// It is disputed which transformer feeds him.
        Maybe = "maybe", "可能受影响";
        /// Off.
        Off = "off", "停电";
    }
    /// What a customer is told.
    Say("say") {
        /// That the power will be off, or is.
        Announce = "announce", "停电通知";
        /// The same, to whom only a change made concerned.
        Widened = "widened", "停电通知";
        /// That one of his sources is lost.
        OneSourceLost = "one-source-lost", "一路电源停电";
        /// That he may be affected.
        MayBeAffected = "may-be-affected", "可能受影响";
        /// That it is at another time.
        Rescheduled = "rescheduled", "停电改期";
        /// That it ends later.
        Delayed = "delayed", "延迟送电";
        /// That another outage makes the time longer of which he knows.
        Extended = "extended", "停电时间延长";
        /// When it probably ends: earlier than he was told, or known at last.
        Estimated = "estimated", "预计送电时间";
        /// That it does not concern him any more.
        Narrowed = "narrowed", "不再受影响";
        /// That this outage is over or off, and another keeps him without power.
        Still = "still", "仍在停电";
        /// That the power is back before its time.
        EarlierRestored = "earlier-restored", "提前送电";
        /// That the power is back as announced: the city's choice.
        Restored = "restored", "恢复供电";
        /// That it does not take place.
        Cancelled = "cancelled", "停电取消";
    }
    /// Why nothing is owed.
    Quiet("quiet") {
        /// It does not concern him, and he was told nothing that it would.
        NotConcerned = "not-concerned", "未受影响";
        /// He knows.
        SameFacts = "same-facts", "内容相同";
        /// What he was told of another outage covers it.
        Covered = "covered", "已由其他停电通知告知";
        /// The message that says it has not left yet.
        OnItsWay = "on-its-way", "待发送";
    }
    /// What became of a message.
    Receipt("receipt") {
        /// It has not left and can be taken back.
        Waiting = "waiting", "待发";
        /// It left, or may have.
        Unknown = "unknown", "未知";
        /// It arrived.
        Delivered = "delivered", "已送达";
        /// It did not arrive.
        Failed = "failed", "失败";
        /// It was taken back before it left.
        Recalled = "recalled", "已撤回";
    }
    /// By which way a fault was reported.
    Via("via") {
        /// On the website, in the app, by WeChat.
        Customer = "customer", "客户";
        /// On the telephone.
        Agent = "agent", "坐席";
        /// By SMS.
        Sms = "sms", "短信";
    }
    /// What the crew of a fault does.
    Crew("event") {
        /// It is on its way.
        Dispatched = "dispatched", "已派工";
        /// It is there.
        Arrived = "arrived", "已到达";
        /// It is done.
        Repaired = "repaired", "已修复";
    }
}

impl Kind {
    /// Whether a second person must agree before it is published. A fault is told at once.
    #[must_use]
    pub const fn needs_approval(self) -> bool {
        !matches!(self, Self::Fault)
    }
}

impl Phase {
    /// Whether customers were told, or are about to be.
    #[must_use]
    pub const fn is_public(self) -> bool {
        !matches!(self, Self::Draft | Self::Approved)
    }

    /// Whether nothing can follow.
    #[must_use]
    pub const fn is_over(self) -> bool {
        matches!(self, Self::Restored | Self::Cancelled)
    }

    /// Whether the power is off, for a part at least.
    #[must_use]
    pub const fn is_running(self) -> bool {
        matches!(self, Self::InProgress | Self::PartlyRestored)
    }
}

impl Say {
    /// Whether it says that what was told before is no longer so: only for whom it was told.
    #[must_use]
    pub const fn is_change(self) -> bool {
        !matches!(self, Self::Announce | Self::Widened | Self::OneSourceLost | Self::MayBeAffected)
    }
}
