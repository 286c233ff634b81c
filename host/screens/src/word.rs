//! The words of a notice: what it is about, how grave, how soon, how sure; each as the API and as an office says it.

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
pub(crate) use words;

words! {
    /// What a notice is about.
    Kind("kind") {
        /// Announced long before.
        PlannedOutage = "planned-outage", "计划停电";
        /// Announced shortly before.
        TemporaryOutage = "temporary-outage", "临时停电";
        /// Nobody planned it.
        Fault = "fault", "故障停电";
        /// Rationing (有序用电).
        Rationing = "rationing", "有序用电";
        /// Power is back.
        Restored = "restored", "恢复供电";
        /// How to be safe.
        Safety = "safety", "用电安全";
        /// Tariffs, offices, anything else.
        Service = "service", "服务公告";
    }
    /// How grave; the gravest is the largest.
    Severity("severity") {
        /// Little.
        Minor = "minor", "一般";
        /// Possibly harmful.
        Moderate = "moderate", "较重";
        /// Significant.
        Severe = "severe", "严重";
        /// Extraordinary.
        Extreme = "extreme", "特别严重";
    }
    /// When to act.
    Urgency("urgency") {
        /// It is over.
        Past = "past", "已结束";
        /// In the near future.
        Future = "future", "预告";
        /// Within the hour.
        Expected = "expected", "即将发生";
        /// Now.
        Immediate = "immediate", "正在发生";
    }
    /// How sure.
    Certainty("certainty") {
        /// Possible (可能受影响).
        Possible = "possible", "可能";
        /// More than even.
        Likely = "likely", "预计";
        /// It happened or goes on.
        Observed = "observed", "已确认";
    }
}
