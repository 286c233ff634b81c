//! What is true of a customer, as bits: traits that policies may see, preferences that only guardrails see.

use serde::{Deserialize, Serialize};

macro_rules! bit_set {
    ($(#[$doc:meta])* $name:ident: $int:ty { $($(#[$bit_doc:meta])* $bit:ident = $n:literal, $word:literal;)* }) => {
        $(#[$doc])*
        #[derive(Clone, Copy, PartialEq, Eq, Default, Hash, Serialize, Deserialize)]
        #[serde(transparent)]
        pub struct $name(pub $int);

        impl $name {
            $($(#[$bit_doc])* pub const $bit: Self = Self(1 << $n);)*

            /// Every bit with its word in files and in the API.
            pub const WORDS: &'static [(Self, &'static str)] = &[$((Self::$bit, $word)),*];

            /// Whether all of `bits` are set.
            #[must_use]
            pub fn has(self, bits: Self) -> bool {
                self.0 & bits.0 == bits.0
            }

            /// Whether any of `bits` is set.
            #[must_use]
            pub fn has_any(self, bits: Self) -> bool {
                self.0 & bits.0 != 0
            }

            /// With `bits` set or cleared.
            #[must_use]
            pub fn with(self, bits: Self, on: bool) -> Self {
                Self(if on { self.0 | bits.0 } else { self.0 & !bits.0 })
            }

            /// The words of the bits that are set.
            pub fn words(self) -> impl Iterator<Item = &'static str> {
                Self::WORDS.iter().filter(move |(bit, _)| self.has(*bit)).map(|(_, word)| *word)
            }

            /// The bit that `word` means.
            #[must_use]
            pub fn from_word(word: &str) -> Option<Self> {
                Self::WORDS.iter().find(|(_, w)| *w == word).map(|(bit, _)| *bit)
            }
        }

        impl std::ops::BitOr for $name {
            type Output = Self;
            fn bitor(self, o: Self) -> Self { Self(self.0 | o.0) }
        }

        impl std::fmt::Debug for $name {
            fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
                f.debug_set().entries(self.words()).finish()
            }
        }
    };
}

bit_set! {
    /// Facts about a customer that policies may see. Bit numbers are part of the contract (`wit/registry.toml`): they grow, and are never reused.
    Traits: u32 {
        /// A resident; otherwise a business.
        RESIDENT = 0, "resident";
        /// An important customer (重要客户).
        IMPORTANT = 1, "important";
        /// Prepaid (费控): the balance runs down daily.
        PREPAID = 2, "prepaid";
        /// A school.
        SCHOOL = 3, "school";
        /// A firm.
        FIRM = 4, "firm";
        /// A government office or public service.
        PUBLIC = 5, "public";
        /// Known to be elderly or to live alone.
        ELDERLY = 6, "elderly";
        /// Pays by bank debit (银行批扣).
        BANK_DEBIT = 7, "bank-debit";
        /// Subscribed to the bill notice.
        SUBSCRIBES_BILL = 8, "subscribes-bill";
        /// Subscribed to balance news.
        SUBSCRIBES_BALANCE = 9, "subscribes-balance";
        /// A bank debit is under way: no reminder while it is (N31).
        DEBIT_PENDING = 10, "debit-pending";
        /// The bill is disputed.
        DISPUTED = 11, "disputed";
        /// The account is closed or was handed over (过户).
        CLOSED = 12, "closed";
        /// Reminders are paused (exam days, 保电).
        PAUSED = 13, "paused";
        /// On the do-not-remind list (免催名单).
        DO_NOT_REMIND = 14, "do-not-remind";
        /// The open bill was issued again with another amount.
        REBILLED = 15, "rebilled";
        /// Has more than one supply point.
        MULTIPLE_SOURCES = 16, "multiple-sources";
        /// Reads WeChat messages.
        READS_WECHAT = 17, "reads-wechat";
        /// Reads Alipay messages.
        READS_ALIPAY = 18, "reads-alipay";
        /// Has a mobile number to which an SMS can go.
        HAS_MOBILE = 19, "has-mobile";
    }
}

bit_set! {
    /// What a customer asked for, per class and channel. Only guardrails see these.
    Preferences: u16 {
        /// No service messages by SMS.
        NO_SMS_SERVICE = 0, "no-sms-service";
        /// No subscribed messages by SMS.
        NO_SMS_SUBSCRIBED = 1, "no-sms-subscribed";
        /// No marketing by SMS.
        NO_SMS_MARKETING = 2, "no-sms-marketing";
        /// Consent to marketing was given.
        MARKETING_CONSENT = 3, "marketing-consent";
        /// No service messages by WeChat.
        NO_WECHAT_SERVICE = 4, "no-wechat-service";
        /// No service messages by Alipay.
        NO_ALIPAY_SERVICE = 5, "no-alipay-service";
        /// Subscribed to outage news of an area.
        SUBSCRIBES_OUTAGE = 6, "subscribes-outage";
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn words_name_their_bits() {
        let t = Traits::PREPAID | Traits::IMPORTANT;
        assert_eq!(t.words().collect::<Vec<_>>(), ["important", "prepaid"]);
        assert_eq!(Traits::from_word("prepaid"), Some(Traits::PREPAID));
        assert!(!t.with(Traits::PREPAID, false).has(Traits::PREPAID));
    }
}
