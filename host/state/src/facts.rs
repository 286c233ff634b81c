//! Facts as they come in: what an import's row or an API call says about one customer. Each fact can be told twice without harm.

use gridbell_model::{AccountNumber, ContactSource, Date, Fen, OrgCode, Phone, Preferences, Traits, Wish, WishSource};
use serde::{Deserialize, Serialize};

/// A customer as the archive knows it. Told again, it replaces what the archive owns and leaves bills, balances and what was said alone.
#[derive(Clone, PartialEq, Debug, Serialize, Deserialize)]
pub struct CustomerFact {
    /// 户号
    pub account: AccountNumber,
    /// The station it hangs on; must be in the org tree, which says the prefecture.
    pub station: OrgCode,
    /// Reading section; none when this fact does not speak about it.
    pub section: Option<u32>,
    /// Traits that the archive owns.
    pub traits: Traits,
    /// Which traits this fact speaks about; others stay as they are.
    pub traits_given: Traits,
    /// 户名; personal; none when this fact does not speak about it.
    pub name: Option<String>,
    /// Personal; none when this fact does not speak about it.
    pub phone: Option<Phone>,
    /// Fen; none when this fact does not speak about it, `u32::MAX` for "none of its own".
    pub threshold: Option<u32>,
}

/// A bill. Its key is account and period; told again with another amount it is a re-bill.
#[derive(Clone, Copy, PartialEq, Debug, Serialize, Deserialize)]
pub struct BillFact {
    /// 户号
    pub account: AccountNumber,
    /// yyyymm
    pub period: u32,
    /// What is to be paid.
    pub amount: Fen,
    /// Energy.
    pub kwh: u32,
    /// 发行日
    pub issued: Date,
    /// First day of the late fee.
    pub late_fee_from: Date,
    /// The day for which this is true.
    pub as_of: Date,
}

/// A prepaid balance, true for a day. An older day never replaces a newer one.
#[derive(Clone, Copy, PartialEq, Debug, Serialize, Deserialize)]
pub struct BalanceFact {
    /// 户号
    pub account: AccountNumber,
    /// Negative is overdrawn.
    pub balance: Fen,
    /// The day for which this is true.
    pub as_of: Date,
    /// Whether a bank debit is under way; none when this fact does not speak about it.
    pub debit_pending: Option<bool>,
}

/// A payment, or with a negative amount its reversal. Its key says "not twice".
#[derive(Clone, Copy, PartialEq, Debug, Serialize, Deserialize)]
pub struct PaymentFact {
    /// 户号
    pub account: AccountNumber,
    /// [`payment_key`] of the payment's id.
    pub key: u64,
    /// Negative for a reversal.
    pub amount: Fen,
    /// The day of payment.
    pub paid_on: Date,
}

/// The fingerprint of a payment's id under which it is told only once: the first eight bytes of its SHA-256, never 0.
#[must_use]
pub fn payment_key(id: &str) -> u64 {
    use sha2::{Digest, Sha256};
    let digest = Sha256::digest(id.as_bytes());
    let mut first = [0; 8];
    first.copy_from_slice(&digest[..8]);
    u64::from_le_bytes(first).max(1)
}

/// A change of one customer's contact or preferences by a person, a channel or the customer.
#[derive(Clone, PartialEq, Debug, Serialize, Deserialize)]
pub enum CustomerChange {
    /// The phone was corrected, verified or taken away.
    Phone {
        /// The new number with class and flags.
        phone: Phone,
        /// Who says so.
        source: ContactSource,
        /// When it was verified; [`Date::NONE`] for not.
        verified_on: Date,
    },
    /// A wrong-number reply (true), or staff confirmed it (false).
    Suspend(bool),
    /// Preference bits set or cleared.
    Preferences {
        /// Which bits.
        bits: Preferences,
        /// On or off.
        on: bool,
    },
    /// Trait bits set or cleared: subscriptions, disputes, debits, pauses, do-not-remind.
    Traits {
        /// Which bits.
        bits: Traits,
        /// On or off.
        on: bool,
    },
    /// Name and numbers are erased on the customer's demand; the account and its money stay.
    Erase,
    /// The customer asked for something, or refused it: kept with time and source. Asked again from the same source it changes nothing.
    Asked {
        /// What.
        wish: Wish,
        /// Asked for, or refused.
        on: bool,
        /// From where.
        source: WishSource,
    },
}

/// Why a row of facts was not taken. It is in the reject report; the other rows go on.
#[derive(Clone, Copy, PartialEq, Eq, Debug, Hash, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum FactReject {
    /// The account is not known: import customers first.
    UnknownAccount,
    /// The station is not in the org tree.
    UnknownStation,
    /// The account belongs to another prefecture.
    OtherPrefecture,
    /// Older than what is known, so it would undo it.
    Outdated,
    /// The prefecture has as many reading sections or stations as a column can name.
    TooManyUnits,
    /// Customers have no address of their own for that channel.
    NoPlatform,
    /// Not a mobile number.
    NoMobile,
    /// As many ported numbers are known as there is room for.
    TooManyPorted,
    /// The transformer is not in the grid.
    UnknownTransformer,
    /// Not a source that a customer can have.
    NoSource,
}

impl FactReject {
    /// What the reject report says.
    #[must_use]
    pub fn reason(self) -> &'static str {
        match self {
            Self::UnknownAccount => {
                "no customer has this account number; import customers first (没有这个户号，请先导入档案)"
            }
            Self::UnknownStation => "the station is not in the org tree (供电单位不在组织机构中)",
            Self::OtherPrefecture => "the account belongs to another prefecture (户号属于其他地市)",
            Self::Outdated => {
                "older than what is known already; import the oldest first (数据比已有的旧，应按先后顺序导入)"
            }
            Self::NoPlatform => "customers have no address for this channel; use wechat or alipay (该渠道没有客户标识)",
            Self::NoMobile => "not a mobile number of eleven digits (不是 11 位手机号码)",
            Self::TooManyPorted => {
                "4 000 000 ported numbers are known, which is all there is room for (携号转网号码已达上限)"
            }
            Self::UnknownTransformer => {
                "the transformer is not in the grid; import it first (没有这台变压器，请先导入)"
            }
            Self::NoSource => "a customer's sources are numbered from 1 to 8 (电源序号应为 1 至 8)",
            Self::TooManyUnits => "the prefecture has more than 65 535 stations or reading sections (单位或抄表段过多)",
        }
    }
}

/// What of a row that was taken somebody should look at.
#[derive(Clone, Copy, PartialEq, Eq, Debug, Hash)]
pub enum FactWarning {
    /// The customer's transformer belongs to another prefecture. Legitimate at borders: the customer's own prefecture decides.
    OtherPrefecture,
}

/// What became of each row of a batch of facts.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct FactOutcome {
    /// Rows that made a customer.
    pub created: u64,
    /// Rows that changed something.
    pub changed: u64,
    /// Rows that were known already.
    pub unchanged: u64,
    /// Rows not taken: index within the batch and why.
    pub rejected: Vec<(u32, FactReject)>,
    /// Rows taken that should be looked at: index within the batch and why.
    pub flagged: Vec<(u32, FactWarning)>,
}

impl FactOutcome {
    /// Adds another batch's outcome, its rows starting at `offset`.
    pub fn merge(&mut self, other: &Self, offset: u32) {
        self.created += other.created;
        self.changed += other.changed;
        self.unchanged += other.unchanged;
        self.rejected.extend(other.rejected.iter().map(|(row, why)| (row + offset, *why)));
        self.flagged.extend(other.flagged.iter().map(|(row, why)| (row + offset, *why)));
    }
}
