//! Why a fact about the grid is refused, and what of one that is taken somebody should look at.

use gridbell_model::{Moment, PrefectureCode};

use crate::code::{Code, Kind};

/// Every refusal of this crate. What was refused changed nothing.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[non_exhaustive]
pub enum Refusal {
    /// A field breaks a rule.
    #[error("field `{field}` {why}")]
    Field {
        /// Which.
        field: &'static str,
        /// What is wrong, and what to do.
        why: String,
    },
    /// What it names is not there.
    #[error("there is no {kind} `{code}`; enter it first")]
    Unknown {
        /// What is named.
        kind: Kind,
        /// As what.
        code: Code,
    },
    /// Another section has the switch.
    #[error("switch `{switch}` is section `{section}`'s; a switch feeds one section")]
    SwitchTaken {
        /// The switch.
        switch: Code,
        /// Whose it is.
        section: Code,
    },
    /// A line begins with one section.
    #[error("line `{line}` begins with section `{first}`; name the section upstream")]
    SecondFirst {
        /// The line.
        line: Code,
        /// Its first section.
        first: Code,
    },
    /// A line's first section cannot become another one's.
    #[error("section `{section}` is the first of its line and stays so; enter another section instead")]
    StaysFirst {
        /// The section.
        section: Code,
    },
    /// The section upstream belongs to another line.
    #[error("section `{upstream}` belongs to line `{line}`; a section hangs on one of its own line")]
    OtherLine {
        /// The section upstream.
        upstream: Code,
        /// Its line.
        line: Code,
    },
    /// It would feed itself.
    #[error("it would feed itself: {}{}", shown(path), at.map_or_else(String::new, |at| format!(" at {at}")))]
    Cycle {
        /// Each section is fed by the one behind it; the last is the first.
        path: Vec<Code>,
        /// The moment at which it would; none where nothing feeds otherwise.
        at: Option<Moment>,
    },
    /// Too many sections one behind another.
    #[error("up to section `{upstream}` there are {bound} sections one behind another, which is all there may be")]
    TooDeep {
        /// The section upstream.
        upstream: Code,
        /// [`crate::MAX_DEPTH`]
        bound: usize,
    },
    /// Something hangs on it.
    #[error("{kind} `{code}` cannot go: {by} hangs on it; move or remove that first")]
    InUse {
        /// What.
        kind: Kind,
        /// Which.
        code: Code,
        /// What hangs on it, with its code.
        by: String,
    },
    /// It is fed otherwise then.
    #[error("it is fed otherwise from {since} on; take that back first")]
    Overlaps {
        /// Since when.
        since: Moment,
    },
    /// It is not fed otherwise.
    #[error("it is not fed otherwise, now or later; there is nothing to take back")]
    NotFed,
    /// There is no room.
    #[error("there are {bound} {kind}s, which is all there is room for")]
    Full {
        /// Of what.
        kind: Kind,
        /// How many.
        bound: usize,
    },
    /// So many things are fed otherwise.
    #[error("{bound} things are fed otherwise, which is all there is room for; take some back")]
    TooManyFeeds {
        /// [`crate::MAX_FEEDS`]
        bound: usize,
    },
    /// A record of a checkpoint names what is not there.
    #[error("a record of the grid names {kind} {index}, which is not there")]
    Damaged {
        /// What.
        kind: Kind,
        /// Which.
        index: u32,
    },
}

impl Refusal {
    pub(crate) fn field(field: &'static str, why: impl Into<String>) -> Self {
        Self::Field { field, why: why.into() }
    }

    /// Its stable code, for scripts and reports.
    #[must_use]
    pub fn code(&self) -> &'static str {
        match self {
            Self::Field { .. } => "field",
            Self::Unknown { kind: Kind::Substation, .. } => "unknown-substation",
            Self::Unknown { kind: Kind::Line, .. } => "unknown-line",
            Self::Unknown { kind: Kind::Section, .. } => "unknown-section",
            Self::Unknown { kind: Kind::Switch, .. } => "unknown-switch",
            Self::Unknown { kind: Kind::Transformer, .. } => "unknown-transformer",
            Self::SwitchTaken { .. } => "switch-taken",
            Self::SecondFirst { .. } => "second-first-section",
            Self::StaysFirst { .. } => "stays-first-section",
            Self::OtherLine { .. } => "other-line",
            Self::Cycle { .. } => "cycle",
            Self::TooDeep { .. } => "too-deep",
            Self::InUse { .. } => "in-use",
            Self::Overlaps { .. } => "fed-otherwise",
            Self::NotFed => "not-fed-otherwise",
            Self::Full { .. } => "grid-full",
            Self::TooManyFeeds { .. } => "too-many-feeds",
            Self::Damaged { .. } => "damaged",
        }
    }

    /// What an office reads.
    #[must_use]
    pub fn chinese(&self) -> String {
        match self {
            Self::Field { field, .. } => format!("字段 {field} 填写有误"),
            Self::Unknown { kind, code } => format!("没有{} {code}，请先录入", kind.chinese()),
            Self::SwitchTaken { switch, section } => {
                format!("开关 {switch} 已属于区段 {section}，一个开关只能对应一个区段")
            }
            Self::SecondFirst { line, first } => format!("线路 {line} 的首段已是 {first}，请填写上级区段"),
            Self::StaysFirst { section } => format!("区段 {section} 是线路首段，不能改接，请另建区段"),
            Self::OtherLine { upstream, line } => {
                format!("上级区段 {upstream} 属于线路 {line}，上级区段必须在同一线路")
            }
            Self::Cycle { path, .. } => format!("供电关系成环：{}", shown(path)),
            Self::TooDeep { upstream, bound } => format!("区段 {upstream} 已是第 {bound} 级，不能再向下延伸"),
            Self::InUse { kind, code, by } => format!("{} {code} 下仍有 {by}，请先改接或删除", kind.chinese()),
            Self::Overlaps { since } => format!("该时段已有转供电（自 {since} 起），请先撤回"),
            Self::NotFed => "当前及以后都没有转供电，无需撤回".to_owned(),
            Self::Full { kind, bound } => format!("{}已达上限 {bound}", kind.chinese()),
            Self::TooManyFeeds { bound } => format!("转供电已达上限 {bound}，请先撤回一部分"),
            Self::Damaged { .. } => "电网数据损坏，请从备份恢复".to_owned(),
        }
    }

    /// The field of a fact that is at fault, by its name in files; none where it is the thing itself.
    #[must_use]
    pub fn at_fault(&self) -> &'static str {
        match self {
            Self::Field { field, .. } => field,
            Self::Unknown { kind: Kind::Substation, .. } => "substation",
            Self::Unknown { kind: Kind::Line, .. } | Self::SecondFirst { .. } => "line",
            Self::Unknown { kind: Kind::Section, .. } => "section",
            Self::OtherLine { .. } | Self::Cycle { .. } | Self::TooDeep { .. } | Self::StaysFirst { .. } => "upstream",
            Self::SwitchTaken { .. } => "switch",
            _ => "code",
        }
    }
}

/// `A` ← `B` ← `A`
fn shown(path: &[Code]) -> String {
    path.iter().map(|c| format!("`{c}`")).collect::<Vec<_>>().join(" ← ")
}

/// What of a fact that was taken somebody should look at.
#[derive(Clone, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub enum Warning {
    /// A transformer hangs on a line of another prefecture's substation. Legitimate at borders.
    OtherPrefecture {
        /// The transformer's.
        its: PrefectureCode,
        /// The substation's.
        substation: PrefectureCode,
    },
}

impl Warning {
    /// Its stable code.
    #[must_use]
    pub fn code(&self) -> &'static str {
        match self {
            Self::OtherPrefecture { .. } => "other-prefecture",
        }
    }

    /// What an office reads.
    #[must_use]
    pub fn chinese(&self) -> String {
        match self {
            Self::OtherPrefecture { its, substation } => {
                format!("变压器属于 {its}，而电源变电站属于 {substation}：跨地市供电，请核实")
            }
        }
    }
}
