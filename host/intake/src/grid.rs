//! Files of the grid: substations, lines, sections, transformers, and which of them customers hang on. Their rows are the topology's own facts, so
//! that its rules are the only ones; here is how a file writes them.

use std::hash::{DefaultHasher, Hash, Hasher};

use gridbell_model::AccountNumber;
use gridbell_topology::{
    Code, LineFact, Manager, Position, SectionFact, Spot, SubstationFact, Switch, TransformerFact,
};

use crate::cell;
use crate::field::{ACCOUNT_HEADERS, FieldSpec, Sort, may, must};
use crate::parse::{Bad, Context, Parse, Texts, given, need};
use crate::reject::Reason;
use crate::summary::Warning;

/// Sources of one customer at most, as the state keeps them.
const MAX_SOURCES: u32 = 8;

const PREFECTURE_HEADERS: &[&str] = &["地市", "地市编码", "所属地市", "地市代码", "行政区划", "city"];
const LINE_HEADERS: &[&str] = &["线路编码", "线路编号", "所属线路", "所属线路编码", "line code", "feeder"];

/// Fields of a substations file.
pub(crate) mod substation {
    use super::{FieldSpec, PREFECTURE_HEADERS, Sort, must};

    pub(crate) const CODE: usize = 0;
    pub(crate) const NAME: usize = 1;
    pub(crate) const PREFECTURE: usize = 2;

    pub(crate) const FIELDS: &[FieldSpec] = &[
        must("code", Sort::Identifier, &["变电站编码", "变电站编号", "站编码", "厂站编码", "substation code"]),
        must("name", Sort::Word, &["变电站名称", "变电站", "站名", "厂站名称", "substation name"]),
        must("prefecture", Sort::Number, PREFECTURE_HEADERS),
    ];
}

/// Fields of a lines file.
pub(crate) mod line {
    use super::{FieldSpec, LINE_HEADERS, Sort, must};

    pub(crate) const CODE: usize = 0;
    pub(crate) const NAME: usize = 1;
    pub(crate) const SUBSTATION: usize = 2;

    pub(crate) const FIELDS: &[FieldSpec] = &[
        must("code", Sort::Identifier, LINE_HEADERS),
        must("name", Sort::Word, &["线路名称", "线路", "line name"]),
        must(
            "substation",
            Sort::Identifier,
            &["变电站编码", "变电站编号", "所属变电站", "所属变电站编码", "电源站", "厂站编码", "substation code"],
        ),
    ];
}

/// Fields of a sections file.
pub(crate) mod section {
    use super::{FieldSpec, LINE_HEADERS, Sort, may, must};

    pub(crate) const CODE: usize = 0;
    pub(crate) const LINE: usize = 1;
    pub(crate) const UPSTREAM: usize = 2;
    pub(crate) const SWITCH: usize = 3;
    pub(crate) const SWITCH_NAME: usize = 4;

    pub(crate) const FIELDS: &[FieldSpec] = &[
        must("code", Sort::Identifier, &["区段编码", "区段编号", "线段编码", "section code"]),
        must("line", Sort::Identifier, LINE_HEADERS),
        may("upstream", Sort::Identifier, &["上级区段", "上级区段编码", "上级区段编号", "上游区段", "电源侧区段"]),
        may("switch", Sort::Identifier, &["开关编码", "开关编号", "switch code"]),
        may("switch-name", Sort::Word, &["开关名称", "开关"]),
    ];
}

/// Fields of a transformers file.
pub(crate) mod transformer {
    use super::{FieldSpec, LINE_HEADERS, PREFECTURE_HEADERS, Sort, may, must};

    pub(crate) const CODE: usize = 0;
    pub(crate) const NAME: usize = 1;
    pub(crate) const PREFECTURE: usize = 2;
    pub(crate) const SECTION: usize = 3;
    pub(crate) const LINE: usize = 4;
    pub(crate) const PLACE: usize = 5;
    pub(crate) const LONGITUDE: usize = 6;
    pub(crate) const LATITUDE: usize = 7;
    pub(crate) const OWNERSHIP: usize = 8;
    pub(crate) const MANAGER: usize = 9;
    pub(crate) const MANAGER_PHONE: usize = 10;

    pub(crate) const CODE_HEADERS: &[&str] = &[
        "变压器编码",
        "变压器编号",
        "台区编码",
        "台区编号",
        "配变编码",
        "配变编号",
        "transformer code",
        "transformer no",
    ];

    pub(crate) const FIELDS: &[FieldSpec] = &[
        must("code", Sort::Identifier, CODE_HEADERS),
        must("name", Sort::Word, &["变压器名称", "台区名称", "配变名称", "变压器", "transformer name"]),
        must("prefecture", Sort::Number, PREFECTURE_HEADERS),
        may("section", Sort::Identifier, &["区段编码", "区段编号", "所属区段", "section code"]),
        may("line", Sort::Identifier, LINE_HEADERS),
        may("place", Sort::Word, &["小区", "小区名称", "供电小区", "地点", "安装地点", "community"]),
        may("longitude", Sort::Number, &["经度", "lng", "lon"]),
        may("latitude", Sort::Number, &["纬度", "lat"]),
        may("ownership", Sort::Word, &["变压器性质", "性质", "公变专变", "公专变标志", "公专变"]),
        may("manager", Sort::Personal, &["台区经理", "台区经理姓名", "district manager"]),
        may("manager-phone", Sort::Personal, &["台区经理电话", "台区经理联系电话", "台区经理手机"]),
    ];
}

/// Fields of a supply file.
pub(crate) mod supply {
    use super::{ACCOUNT_HEADERS, FieldSpec, Sort, may, must, transformer};

    pub(crate) const ACCOUNT: usize = 0;
    pub(crate) const TRANSFORMER: usize = 1;
    pub(crate) const SOURCE: usize = 2;
    pub(crate) const ENDED: usize = 3;

    pub(crate) const FIELDS: &[FieldSpec] = &[
        must("account", Sort::Identifier, ACCOUNT_HEADERS),
        must("transformer", Sort::Identifier, transformer::CODE_HEADERS),
        may("source", Sort::Number, &["电源序号", "供电电源序号", "第几电源", "source no"]),
        may("ended", Sort::Word, &["已解除", "是否解除", "终止", "是否终止"]),
    ];
}

/// A customer hangs on a transformer (户变关系).
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct SupplyRow {
    /// 户号; with `source` the key.
    pub account: AccountNumber,
    /// The transformer.
    pub transformer: Code,
    /// Which of the customer's sources it is, from 1 to 8; 1 where the file does not say.
    pub source: u8,
    /// It does so no more.
    pub ended: bool,
}

fn code(text: &str) -> Result<Code, Reason> {
    text.parse().map_err(|_| Reason::Code)
}

/// Degrees as millionths: `112.549248`.
fn degrees(text: &str) -> Result<i32, Reason> {
    let (negative, digits) = text.strip_prefix('-').map_or((false, text), |rest| (true, rest));
    let (whole, part) = digits.split_once('.').unwrap_or((digits, ""));
    let all_digits = |t: &str| t.bytes().all(|b| b.is_ascii_digit());
    // Databases print more decimals than there are metres.
    if whole.is_empty() || whole.len() > 3 || part.len() > 15 || !all_digits(whole) || !all_digits(part) {
        return Err(Reason::Position);
    }
    let millionths: String = part.chars().chain("000000".chars()).take(6).collect();
    let degrees = format!("{whole}{millionths}").parse::<i32>().map_err(|_| Reason::Position)?;
    Ok(if negative { -degrees } else { degrees })
}

fn repeat_key(code: &Code) -> Option<(u64, u32)> {
    // Fixed keys: the same file says the same each time. Two codes of one hash would be one warning too many.
    let mut hasher = DefaultHasher::new();
    code.hash(&mut hasher);
    Some((hasher.finish(), 0))
}

fn owned(text: &str) -> Result<String, Reason> {
    Ok(text.to_owned())
}

fn prefecture(text: &str) -> Result<gridbell_model::PrefectureCode, Reason> {
    text.parse().map_err(|_| Reason::Prefecture)
}

impl Parse for SubstationFact {
    fn parse(texts: &impl Texts, _: &Context, _: &mut impl FnMut(Warning)) -> Result<Self, Bad> {
        Ok(Self {
            code: need(texts, substation::CODE, code)?,
            name: need(texts, substation::NAME, owned)?,
            prefecture: need(texts, substation::PREFECTURE, prefecture)?,
        })
    }

    fn repeat_key(&self) -> Option<(u64, u32)> {
        repeat_key(&self.code)
    }
}

impl Parse for LineFact {
    fn parse(texts: &impl Texts, _: &Context, _: &mut impl FnMut(Warning)) -> Result<Self, Bad> {
        Ok(Self {
            code: need(texts, line::CODE, code)?,
            name: need(texts, line::NAME, owned)?,
            substation: need(texts, line::SUBSTATION, code)?,
        })
    }

    fn repeat_key(&self) -> Option<(u64, u32)> {
        repeat_key(&self.code)
    }
}

impl Parse for SectionFact {
    fn parse(texts: &impl Texts, _: &Context, _: &mut impl FnMut(Warning)) -> Result<Self, Bad> {
        let name = given(texts, section::SWITCH_NAME, owned)?.unwrap_or_default();
        let switch = given(texts, section::SWITCH, code)?;
        Ok(Self {
            code: need(texts, section::CODE, code)?,
            line: need(texts, section::LINE, code)?,
            upstream: given(texts, section::UPSTREAM, code)?,
            switch: switch.map(|code| Switch { code, name }),
        })
    }

    fn repeat_key(&self) -> Option<(u64, u32)> {
        repeat_key(&self.code)
    }
}

impl Parse for TransformerFact {
    fn parse(texts: &impl Texts, _: &Context, _: &mut impl FnMut(Warning)) -> Result<Self, Bad> {
        use transformer as t;
        let section = given(texts, t::SECTION, code)?.map(Spot::Section);
        let on = match section {
            Some(section) => Some(section),
            None => given(texts, t::LINE, code)?.map(Spot::Line),
        };
        let private = |text: &str| match text {
            "公变" | "公用" | "公用变压器" | "public" | "0" => Ok(false),
            "专变" | "专用" | "专用变压器" | "private" | "1" => Ok(true),
            _ => Err(Reason::Ownership),
        };
        let position = match (given(texts, t::LATITUDE, degrees)?, given(texts, t::LONGITUDE, degrees)?) {
            (Some(latitude), Some(longitude)) => Some(Position { latitude, longitude }),
            (None, None) => None,
            (None, _) => return Err(Bad { field: t::LATITUDE, reason: Reason::Position }),
            (_, None) => return Err(Bad { field: t::LONGITUDE, reason: Reason::Position }),
        };
        let (name, phone) = (given(texts, t::MANAGER, owned)?, given(texts, t::MANAGER_PHONE, owned)?);
        let manager = (name.is_some() || phone.is_some())
            .then(|| Manager { name: name.unwrap_or_default(), phone: phone.unwrap_or_default() });
        Ok(Self {
            code: need(texts, t::CODE, code)?,
            name: need(texts, t::NAME, owned)?,
            prefecture: need(texts, t::PREFECTURE, prefecture)?,
            hangs_on: on.ok_or(Bad { field: t::SECTION, reason: Reason::HangsOn })?,
            place: given(texts, t::PLACE, owned)?,
            position,
            private: given(texts, t::OWNERSHIP, private)?,
            manager,
        })
    }

    fn repeat_key(&self) -> Option<(u64, u32)> {
        repeat_key(&self.code)
    }
}

impl Parse for SupplyRow {
    fn parse(texts: &impl Texts, _: &Context, _: &mut impl FnMut(Warning)) -> Result<Self, Bad> {
        let source = |text: &str| {
            let number = cell::number(text).filter(|n| (1..=MAX_SOURCES).contains(n));
            number.and_then(|n| u8::try_from(n).ok()).ok_or(Reason::Source)
        };
        let ended = |text: &str| cell::yes_no(text).ok_or(Reason::Ended);
        Ok(Self {
            account: need(texts, supply::ACCOUNT, cell::account)?,
            transformer: need(texts, supply::TRANSFORMER, code)?,
            source: given(texts, supply::SOURCE, source)?.unwrap_or(1),
            ended: given(texts, supply::ENDED, ended)?.unwrap_or_default(),
        })
    }

    fn repeat_key(&self) -> Option<(u64, u32)> {
        Some((self.account.packed(), u32::from(self.source)))
    }
}
