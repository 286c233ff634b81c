//! Org units (供电单位): the tree province → prefecture → county → station that every scope is a subtree of.

use std::collections::BTreeMap;
use std::fmt;
use std::str::FromStr;

use serde::{Deserialize, Serialize};

use crate::error::ModelError;

/// A prefecture by its GB/T 2260 code, e.g. 140100 for 太原.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[serde(transparent)]
pub struct PrefectureCode(pub u32);

impl PrefectureCode {
    /// The org unit that is this prefecture.
    #[must_use]
    pub fn org(self) -> OrgCode {
        OrgCode(self.0)
    }
}

impl FromStr for PrefectureCode {
    type Err = ModelError;

    fn from_str(s: &str) -> Result<Self, ModelError> {
        let six = s.len() == 6 && s.bytes().all(|b| b.is_ascii_digit());
        let code = s.parse().ok().filter(|_| six);
        code.map(Self).ok_or_else(|| ModelError::Prefecture { value: s.to_owned() })
    }
}

impl fmt::Display for PrefectureCode {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{:06}", self.0)
    }
}
impl fmt::Debug for PrefectureCode {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        fmt::Display::fmt(self, f)
    }
}

/// An org unit's code. Province and prefecture and county use GB/T 2260 (14, 140100, 140105); stations the utility's own, up to nine digits.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[serde(transparent)]
pub struct OrgCode(pub u32);

impl fmt::Display for OrgCode {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}", self.0)
    }
}
impl fmt::Debug for OrgCode {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        fmt::Display::fmt(self, f)
    }
}

/// Where in the tree a unit stands.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Debug, Hash, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum OrgLevel {
    /// 省
    Province,
    /// 市
    Prefecture,
    /// 县
    County,
    /// 供电所
    Station,
}

/// One unit of the tree.
#[derive(Clone, PartialEq, Eq, Debug, Serialize, Deserialize)]
pub struct OrgUnit {
    /// Its code.
    pub code: OrgCode,
    /// The unit above; none for the province.
    pub parent: Option<OrgCode>,
    /// Where it stands.
    pub level: OrgLevel,
    /// Its Chinese name.
    pub name: String,
}

/// The whole tree. Small (thousands of units), held by value.
#[derive(Clone, PartialEq, Eq, Debug, Default, Serialize, Deserialize)]
pub struct OrgTree {
    units: BTreeMap<OrgCode, OrgUnit>,
}

impl OrgTree {
    /// The most levels a scope may have (domain: offices work on six levels); a longer chain is a cycle.
    pub const MAX_DEPTH: usize = 6;

    /// Adds or replaces a unit.
    pub fn insert(&mut self, unit: OrgUnit) {
        self.units.insert(unit.code, unit);
    }

    /// The unit with `code`.
    #[must_use]
    pub fn get(&self, code: OrgCode) -> Option<&OrgUnit> {
        self.units.get(&code)
    }

    /// All units by code.
    pub fn iter(&self) -> impl Iterator<Item = &OrgUnit> {
        self.units.values()
    }

    /// Whether `code` is `scope` or lies under it. Unknown codes lie under nothing.
    #[must_use]
    pub fn is_within(&self, code: OrgCode, scope: OrgCode) -> bool {
        self.chain(code).any(|u| u.code == scope)
    }

    /// The unit and those above it, lowest first, at most [`OrgTree::MAX_DEPTH`].
    pub fn chain(&self, code: OrgCode) -> impl Iterator<Item = &OrgUnit> {
        std::iter::successors(self.units.get(&code), |u| u.parent.and_then(|p| self.units.get(&p)))
            .take(Self::MAX_DEPTH)
    }

    /// The prefecture that `code` is or lies in.
    #[must_use]
    pub fn prefecture_of(&self, code: OrgCode) -> Option<PrefectureCode> {
        self.chain(code).find(|u| u.level == OrgLevel::Prefecture).map(|u| PrefectureCode(u.code.0))
    }

    /// The units directly under `code`.
    pub fn children(&self, code: OrgCode) -> impl Iterator<Item = &OrgUnit> {
        self.units.values().filter(move |u| u.parent == Some(code))
    }

    /// All prefectures, by code.
    pub fn prefectures(&self) -> impl Iterator<Item = &OrgUnit> {
        self.units.values().filter(|u| u.level == OrgLevel::Prefecture)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_scope_is_a_subtree() {
        let mut tree = OrgTree::default();
        let rows = [
            (14, None, OrgLevel::Province),
            (140_100, Some(14), OrgLevel::Prefecture),
            (140_105, Some(140_100), OrgLevel::County),
            (14_010_501, Some(140_105), OrgLevel::Station),
        ];
        for (code, parent, level) in rows {
            tree.insert(OrgUnit { code: OrgCode(code), parent: parent.map(OrgCode), level, name: String::new() });
        }
        assert!(tree.is_within(OrgCode(14_010_501), OrgCode(140_100)));
        assert!(!tree.is_within(OrgCode(140_100), OrgCode(140_105)));
        assert!(!tree.is_within(OrgCode(1), OrgCode(14)));
        assert_eq!(tree.prefecture_of(OrgCode(14_010_501)), Some(PrefectureCode(140_100)));
    }
}
