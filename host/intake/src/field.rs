//! The kinds of file, their fields, and the headers under which offices write them.
//!
//! Headers are compared after [`normal`]: without spaces, marks and a unit in brackets. A utility with other headers gives a mapping file.

use std::fmt;
use std::str::FromStr;

use gridbell_model::{ModelError, Traits};
use serde::{Deserialize, Serialize};

use crate::grid::{line, section, substation, supply, transformer};

/// What a file holds.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Debug, Hash, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum Kind {
    /// Customers and their contacts.
    Customers,
    /// Bills as they were issued.
    Bills,
    /// Prepaid balances.
    Balances,
    /// Payments received and reversed.
    Payments,
    /// Customers' addresses at platforms: WeChat, Alipay.
    Contacts,
    /// Numbers that were taken to another carrier.
    Ported,
    /// The grid's substations.
    Substations,
    /// Their lines.
    Lines,
    /// The sections that switches cut lines into.
    Sections,
    /// The transformers that hang on them.
    Transformers,
    /// Which transformers customers hang on.
    Supply,
}

impl Kind {
    /// Every kind.
    pub const ALL: &'static [Self] = &[
        Self::Customers,
        Self::Bills,
        Self::Balances,
        Self::Payments,
        Self::Contacts,
        Self::Ported,
        Self::Substations,
        Self::Lines,
        Self::Sections,
        Self::Transformers,
        Self::Supply,
    ];

    /// Whether its rows are about the grid and no customer: the province's to say.
    #[must_use]
    pub fn is_grid(self) -> bool {
        matches!(self, Self::Substations | Self::Lines | Self::Sections | Self::Transformers)
    }

    /// The word for it on the command line and in the mapping file.
    #[must_use]
    pub fn word(self) -> &'static str {
        match self {
            Self::Customers => "customers",
            Self::Bills => "bills",
            Self::Balances => "balances",
            Self::Payments => "payments",
            Self::Contacts => "contacts",
            Self::Ported => "ported",
            Self::Substations => "substations",
            Self::Lines => "lines",
            Self::Sections => "sections",
            Self::Transformers => "transformers",
            Self::Supply => "supply",
        }
    }

    /// What offices call it.
    #[must_use]
    pub fn chinese(self) -> &'static str {
        match self {
            Self::Customers => "用户档案",
            Self::Bills => "电费",
            Self::Balances => "余额",
            Self::Payments => "缴费",
            Self::Contacts => "渠道绑定",
            Self::Ported => "携号转网",
            Self::Substations => "变电站",
            Self::Lines => "线路",
            Self::Sections => "线路区段",
            Self::Transformers => "变压器",
            Self::Supply => "户变关系",
        }
    }

    /// Its fields; a field's index in the list is how the importer knows it.
    #[must_use]
    pub fn fields(self) -> &'static [FieldSpec] {
        match self {
            Self::Customers => customer::FIELDS,
            Self::Bills => bill::FIELDS,
            Self::Balances => balance::FIELDS,
            Self::Payments => payment::FIELDS,
            Self::Contacts => contact::FIELDS,
            Self::Ported => ported::FIELDS,
            Self::Substations => substation::FIELDS,
            Self::Lines => line::FIELDS,
            Self::Sections => section::FIELDS,
            Self::Transformers => transformer::FIELDS,
            Self::Supply => supply::FIELDS,
        }
    }
}

impl fmt::Display for Kind {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.word())
    }
}

impl FromStr for Kind {
    type Err = ModelError;
    fn from_str(s: &str) -> Result<Self, ModelError> {
        Self::ALL.iter().copied().find(|k| k.word() == s).ok_or_else(|| ModelError::Word {
            what: "kind of file",
            value: s.chars().take(40).collect(),
            known: Self::ALL.iter().map(|k| k.word()).collect::<Vec<_>>().join(", "),
        })
    }
}

/// What a field's text means: how a workbook's typed cell becomes that text, and how a refused value is shown.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub(crate) enum Sort {
    /// Digits whose leading zeros count: a numeric cell may have lost them.
    Identifier,
    /// Digits that are just a number.
    Number,
    /// An amount in yuan.
    Amount,
    /// A date.
    Date,
    /// A civil minute.
    Minute,
    /// A billing period.
    Period,
    /// Yes or no, or one word of a list.
    Word,
    /// A person's name or number.
    Personal,
}

/// A field of a kind of file.
#[derive(Clone, Copy, Debug)]
pub struct FieldSpec {
    /// Our name for it: what a mapping file calls it, and an understood header.
    pub name: &'static str,
    /// Whether a file must have it.
    pub required: bool,
    /// Other understood headers; the first is the Chinese one that reports show.
    pub headers: &'static [&'static str],
    pub(crate) sort: Sort,
    /// The trait that a yes/no column sets.
    pub(crate) flag: Option<Traits>,
}

pub(crate) const fn must(name: &'static str, sort: Sort, headers: &'static [&'static str]) -> FieldSpec {
    FieldSpec { name, required: true, headers, sort, flag: None }
}
pub(crate) const fn may(name: &'static str, sort: Sort, headers: &'static [&'static str]) -> FieldSpec {
    FieldSpec { name, required: false, headers, sort, flag: None }
}
const fn flag(name: &'static str, bit: Traits, headers: &'static [&'static str]) -> FieldSpec {
    FieldSpec { name, required: false, headers, sort: Sort::Word, flag: Some(bit) }
}

pub(crate) const ACCOUNT_HEADERS: &[&str] = &[
    "户号",
    "用电户号",
    "客户编号",
    "用户编号",
    "用电客户编号",
    "总户号",
    "用户号",
    "缴费户号",
    "account number",
    "account no",
    "customer no",
    "customer id",
];
const AS_OF_HEADERS: &[&str] =
    &["数据日期", "截至日期", "截止日期", "统计日期", "测算日期", "余额日期", "date of data"];

/// Fields of a customers file.
pub(crate) mod customer {
    use super::{ACCOUNT_HEADERS, FieldSpec, Sort, Traits, flag, may, must};

    pub(crate) const ACCOUNT: usize = 0;
    pub(crate) const STATION: usize = 1;
    pub(crate) const SECTION: usize = 2;
    pub(crate) const NAME: usize = 3;
    pub(crate) const PHONE: usize = 4;
    pub(crate) const SOURCE: usize = 5;
    pub(crate) const VERIFIED: usize = 6;
    pub(crate) const CATEGORY: usize = 7;
    pub(crate) const TRAITS: usize = 8;
    pub(crate) const THRESHOLD: usize = 9;
    /// The first of the yes/no columns; each sets one trait.
    #[cfg(test)]
    pub(crate) const FIRST_FLAG: usize = 10;

    pub(crate) const FIELDS: &[FieldSpec] = &[
        must("account", Sort::Identifier, ACCOUNT_HEADERS),
        must(
            "station",
            Sort::Number,
            &[
                "供电单位",
                "供电单位编码",
                "供电单位编号",
                "供电所",
                "供电所编码",
                "管理单位",
                "管理单位编码",
                "org",
                "unit",
            ],
        ),
        may("section", Sort::Number, &["抄表段", "抄表段编号", "抄表段号", "抄表册", "抄表册号", "reading section"]),
        may("name", Sort::Personal, &["户名", "用户名称", "客户名称", "用电户名", "姓名", "customer name"]),
        may(
            "phone",
            Sort::Personal,
            &[
                "手机号",
                "联系电话",
                "手机",
                "手机号码",
                "移动电话",
                "联系方式",
                "电话",
                "电话号码",
                "mobile",
                "phone number",
                "tel",
            ],
        ),
        may("contact-source", Sort::Word, &["联系方式来源", "电话来源", "来源", "source"]),
        may("verified", Sort::Date, &["核实日期", "电话核实日期", "核验日期", "verified on", "contact verified"]),
        may(
            "category",
            Sort::Word,
            &["用电类别", "客户类别", "用户类别", "用户分类", "客户类型", "用户类型", "customer class"],
        ),
        may("traits", Sort::Word, &["客户标签", "标签", "特征", "tags"]),
        may("threshold", Sort::Amount, &["预警阈值", "预警金额", "余额预警值", "预警值", "warning threshold"]),
        flag("important", Traits::IMPORTANT, &["重要客户", "重要用户", "是否重要客户", "重要性"]),
        flag("prepaid", Traits::PREPAID, &["费控", "是否费控", "费控用户", "费控标志", "预付费", "是否预付费"]),
        flag("elderly", Traits::ELDERLY, &["老年", "老人", "独居老人", "孤寡老人", "是否老人"]),
        flag("bank-debit", Traits::BANK_DEBIT, &["银行批扣", "批扣", "是否批扣", "银行代扣", "代扣"]),
        flag("subscribes-bill", Traits::SUBSCRIBES_BILL, &["订阅账单", "账单订阅", "订阅电费账单", "电费订阅"]),
        flag("subscribes-balance", Traits::SUBSCRIBES_BALANCE, &["订阅余额", "余额订阅", "订阅余额提醒"]),
        flag("debit-pending", Traits::DEBIT_PENDING, &["批扣在途", "扣款在途", "代扣在途"]),
        flag("disputed", Traits::DISPUTED, &["电费争议", "有争议", "争议"]),
        flag("closed", Traits::CLOSED, &["销户", "是否销户", "用户状态", "客户状态", "状态", "status"]),
        flag("paused", Traits::PAUSED, &["暂停催费", "暂停提醒"]),
        flag("do-not-remind", Traits::DO_NOT_REMIND, &["免催", "免催名单", "是否免催"]),
        flag("multiple-sources", Traits::MULTIPLE_SOURCES, &["多电源", "双电源", "是否双电源"]),
        flag("reads-wechat", Traits::READS_WECHAT, &["微信", "微信用户", "关注微信"]),
        flag("reads-alipay", Traits::READS_ALIPAY, &["支付宝", "支付宝用户"]),
    ];
}

/// Fields of a bills file.
pub(crate) mod bill {
    use super::{ACCOUNT_HEADERS, AS_OF_HEADERS, FieldSpec, Sort, may, must};

    pub(crate) const ACCOUNT: usize = 0;
    pub(crate) const PERIOD: usize = 1;
    pub(crate) const AMOUNT: usize = 2;
    pub(crate) const ISSUED: usize = 3;
    pub(crate) const LATE_FEE_FROM: usize = 4;
    pub(crate) const KWH: usize = 5;
    pub(crate) const AS_OF: usize = 6;

    pub(crate) const FIELDS: &[FieldSpec] = &[
        must("account", Sort::Identifier, ACCOUNT_HEADERS),
        must(
            "period",
            Sort::Period,
            &["电费年月", "应收年月", "账期", "账务年月", "电费月份", "billing period", "month"],
        ),
        must("amount", Sort::Amount, &["应收金额", "应收电费", "电费金额", "电费", "本期电费", "bill amount"]),
        must("issued", Sort::Date, &["发行日期", "发行时间", "电费发行日期", "出账日期", "issue date", "issued on"]),
        must(
            "late-fee-from",
            Sort::Date,
            &["违约金起算日", "违约金起算日期", "违约金开始日期", "违约金起算时间", "late fee date"],
        ),
        may("kwh", Sort::Number, &["电量", "结算电量", "总电量", "本期电量", "应收电量", "energy"]),
        may("as-of", Sort::Date, AS_OF_HEADERS),
    ];
}

/// Fields of a balances file.
pub(crate) mod balance {
    use super::{ACCOUNT_HEADERS, AS_OF_HEADERS, FieldSpec, Sort, may, must};

    pub(crate) const ACCOUNT: usize = 0;
    pub(crate) const BALANCE: usize = 1;
    pub(crate) const AS_OF: usize = 2;
    pub(crate) const DEBIT_PENDING: usize = 3;

    pub(crate) const FIELDS: &[FieldSpec] = &[
        must("account", Sort::Identifier, ACCOUNT_HEADERS),
        must(
            "balance",
            Sort::Amount,
            &["余额", "可用余额", "账户余额", "当前余额", "电费余额", "剩余金额", "测算余额"],
        ),
        may("as-of", Sort::Date, AS_OF_HEADERS),
        may("debit-pending", Sort::Word, &["批扣在途", "扣款在途", "代扣在途"]),
    ];
}

/// Fields of a payments file.
pub(crate) mod payment {
    use super::{ACCOUNT_HEADERS, FieldSpec, Sort, may, must};

    pub(crate) const ACCOUNT: usize = 0;
    pub(crate) const PAYMENT_ID: usize = 1;
    pub(crate) const AMOUNT: usize = 2;
    pub(crate) const PAID_AT: usize = 3;
    pub(crate) const REVERSAL: usize = 4;

    pub(crate) const FIELDS: &[FieldSpec] = &[
        must("account", Sort::Identifier, ACCOUNT_HEADERS),
        must(
            "payment-id",
            Sort::Identifier,
            &["缴费流水号", "流水号", "交易流水号", "收费流水号", "实收流水号", "transaction id", "payment no"],
        ),
        must("amount", Sort::Amount, &["缴费金额", "实收金额", "收费金额", "交易金额", "payment amount"]),
        must(
            "paid-at",
            Sort::Minute,
            &["缴费时间", "缴费日期", "收费时间", "收费日期", "交易时间", "实收时间", "payment time", "paid on"],
        ),
        may("reversal", Sort::Word, &["冲正", "是否冲正", "冲正标志", "撤销", "reversed"]),
    ];
}

/// Fields of a contacts file.
pub(crate) mod contact {
    use super::{ACCOUNT_HEADERS, FieldSpec, Sort, may, must};

    pub(crate) const ACCOUNT: usize = 0;
    pub(crate) const CHANNEL: usize = 1;
    pub(crate) const ID: usize = 2;
    pub(crate) const APP: usize = 3;
    pub(crate) const SOURCE: usize = 4;
    pub(crate) const BOUND_AT: usize = 5;

    pub(crate) const FIELDS: &[FieldSpec] = &[
        must("account", Sort::Identifier, ACCOUNT_HEADERS),
        must("channel", Sort::Word, &["渠道", "绑定渠道", "平台", "platform"]),
        must(
            "id",
            Sort::Personal,
            &["标识", "渠道标识", "openid", "用户标识", "微信openid", "支付宝用户号", "user id"],
        ),
        may("app", Sort::Word, &["应用", "应用标识", "公众号", "生活号", "appid"]),
        may("source", Sort::Word, &["来源", "绑定来源"]),
        may("bound-at", Sort::Minute, &["绑定时间", "绑定日期", "关注时间", "bound on"]),
    ];
}

/// Fields of a file of ported numbers.
pub(crate) mod ported {
    use super::{FieldSpec, Sort, may, must};

    pub(crate) const NUMBER: usize = 0;
    pub(crate) const CARRIER: usize = 1;
    pub(crate) const ON: usize = 2;

    pub(crate) const FIELDS: &[FieldSpec] = &[
        must(
            "number",
            Sort::Personal,
            &[
                "号码",
                "手机号",
                "手机号码",
                "携号转网号码",
                "转网号码",
                "用户号码",
                "移动电话",
                "msisdn",
                "phone number",
            ],
        ),
        must(
            "carrier",
            Sort::Word,
            &["运营商", "转入运营商", "携入运营商", "携入方", "转入网络", "现运营商", "归属运营商", "recipient"],
        ),
        may("ported-on", Sort::Date, &["转网日期", "携转日期", "携入日期", "携号转网日期", "生效日期", "date"]),
    ];
}

/// The most fields that a kind has.
pub(crate) const MAX_FIELDS: usize = customer::FIELDS.len();

/// A header as it is compared: lower case, without spaces, `_`, `-`, quotes or byte order mark, and without a unit in brackets: 应收金额（元） is
/// 应收金额.
pub(crate) fn normal(header: &str) -> String {
    let cut = header.find(['(', '（', '[', '【']).filter(|at| *at > 0).unwrap_or(header.len());
    header[..cut]
        .chars()
        .filter(|c| !c.is_whitespace() && !matches!(c, '_' | '-' | '"' | '\'' | '*' | ':' | '：' | '\u{feff}'))
        .flat_map(char::to_lowercase)
        .collect()
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::collections::BTreeMap;

    #[test]
    fn no_header_means_two_fields() {
        for kind in Kind::ALL {
            let mut seen = BTreeMap::new();
            for field in kind.fields() {
                for header in std::iter::once(&field.name).chain(field.headers) {
                    let other = seen.insert(normal(header), field.name);
                    assert_eq!(other, None, "{kind}: {header}");
                }
            }
        }
    }

    #[test]
    fn indexes_name_their_fields() {
        let named = [
            (customer::FIELDS[customer::THRESHOLD].name, "threshold"),
            (customer::FIELDS[customer::FIRST_FLAG].name, "important"),
            (bill::FIELDS[bill::AS_OF].name, "as-of"),
            (balance::FIELDS[balance::DEBIT_PENDING].name, "debit-pending"),
            (payment::FIELDS[payment::REVERSAL].name, "reversal"),
            (contact::FIELDS[contact::BOUND_AT].name, "bound-at"),
            (ported::FIELDS[ported::ON].name, "ported-on"),
            (substation::FIELDS[substation::PREFECTURE].name, "prefecture"),
            (line::FIELDS[line::SUBSTATION].name, "substation"),
            (section::FIELDS[section::SWITCH_NAME].name, "switch-name"),
            (transformer::FIELDS[transformer::MANAGER_PHONE].name, "manager-phone"),
            (supply::FIELDS[supply::ENDED].name, "ended"),
        ];
        for (is, should) in named {
            assert_eq!(is, should);
        }
        assert!(customer::FIELDS[customer::FIRST_FLAG..].iter().all(|f| f.flag.is_some()));
        assert!(Kind::ALL.iter().all(|k| k.fields().len() <= MAX_FIELDS));
    }

    #[test]
    fn units_and_spaces_do_not_matter() {
        assert_eq!(normal(" 应收金额（元）"), "应收金额");
        assert_eq!(normal("\u{feff}Late_Fee-From"), "latefeefrom");
    }
}
