//! The registry: every column, trait, trigger, fact and subject that may cross the contract, parsed once from `wit/registry.toml`.

use std::collections::BTreeSet;
use std::sync::LazyLock;

use gridbell_model::{ColumnId, ColumnSlice};
use serde::Deserialize;

use crate::error::ContractError;

/// An id in the registry's list of triggers.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Debug)]
pub struct TriggerId(pub u16);

/// An id in the registry's list of facts.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Debug)]
pub struct FactId(pub u16);

/// An id in the registry's list of subjects: what a row stands for.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Debug)]
pub struct SubjectId(pub u8);

/// The list that carries a column's values.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Debug, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum ColumnType {
    /// `list<u8>`
    U8,
    /// `list<u16>`
    U16,
    /// `list<u32>`
    U32,
    /// `list<s32>`
    S32,
    /// `list<s64>`
    S64,
}

impl ColumnType {
    /// Its name in the registry and in WIT.
    #[must_use]
    pub fn word(self) -> &'static str {
        match self {
            Self::U8 => "u8",
            Self::U16 => "u16",
            Self::U32 => "u32",
            Self::S32 => "s32",
            Self::S64 => "s64",
        }
    }

    /// Bytes of one value.
    #[must_use]
    pub fn bytes(self) -> usize {
        match self {
            Self::U8 => 1,
            Self::U16 => 2,
            Self::U32 | Self::S32 => 4,
            Self::S64 => 8,
        }
    }

    /// Smallest and largest value that the type holds.
    #[must_use]
    pub fn limits(self) -> (i64, i64) {
        match self {
            Self::U8 => (0, u8::MAX.into()),
            Self::U16 => (0, u16::MAX.into()),
            Self::U32 => (0, u32::MAX.into()),
            Self::S32 => (i32::MIN.into(), i32::MAX.into()),
            Self::S64 => (i64::MIN, i64::MAX),
        }
    }

    /// Whether `slice` is of this type.
    #[must_use]
    pub fn fits(self, slice: &ColumnSlice<'_>) -> bool {
        matches!(
            (self, slice),
            (Self::U8, ColumnSlice::U8(_))
                | (Self::U16, ColumnSlice::U16(_))
                | (Self::U32, ColumnSlice::U32(_))
                | (Self::S32, ColumnSlice::S32(_))
                | (Self::S64, ColumnSlice::S64(_))
        )
    }
}

/// A column: one value for each row.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct ColumnDef {
    /// Its id, never reused.
    pub id: ColumnId,
    /// Its name in manifests.
    pub name: String,
    /// The list that carries it.
    pub ty: ColumnType,
    /// Unit of its values: fen, date, yyyymm, kwh, count, step or bits.
    pub unit: String,
    /// Smallest and largest value that is not "none".
    pub range: (i64, i64),
    /// The value that stands for "none", if one does; no `between` bound matches it.
    pub none: Option<i64>,
    /// What "none" means here.
    pub none_means: Option<String>,
    /// What a value means where that is not obvious.
    pub note: Option<String>,
    /// What it says.
    pub doc: String,
    /// Has an id, but this host passes none.
    pub reserved: bool,
}

/// A bit of the column `traits`.
#[derive(Clone, PartialEq, Eq, Debug, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct TraitDef {
    /// Number of the bit, lowest is 0.
    pub bit: u8,
    /// Its name.
    pub name: String,
    /// What it says when set.
    pub doc: String,
}

/// Why a run happens.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct TriggerDef {
    /// Its id, never reused.
    pub id: TriggerId,
    /// Its name in manifests.
    pub name: String,
    /// When it happens and what its rows are.
    pub doc: String,
    /// Has an id, but this host starts none.
    pub reserved: bool,
}

/// A number about the trigger.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct FactDef {
    /// Its id, never reused.
    pub id: FactId,
    /// Its name.
    pub name: String,
    /// Unit of its value.
    pub unit: String,
    /// What it means when the run does not carry it.
    pub absent: String,
    /// What it says.
    pub doc: String,
}

/// What a row stands for.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct SubjectDef {
    /// Its id, never reused.
    pub id: SubjectId,
    /// Its name.
    pub name: String,
    /// What a row is.
    pub doc: String,
    /// Has an id, but this host passes none.
    pub reserved: bool,
}

/// Everything that may cross the contract.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct Registry {
    columns: Vec<ColumnDef>,
    traits: Vec<TraitDef>,
    triggers: Vec<TriggerDef>,
    facts: Vec<FactDef>,
    subjects: Vec<SubjectDef>,
}

static REGISTRY: LazyLock<Registry> = LazyLock::new(|| {
    Registry::parse(include_str!("../../../wit/registry.toml"))
        .expect("wit/registry.toml is part of the binary and tests/registry.rs parses it")
});

impl Registry {
    /// The registry of this build.
    #[must_use]
    pub fn get() -> &'static Self {
        &REGISTRY
    }

    /// Parses and checks the text of a registry.
    ///
    /// # Errors
    /// [`ContractError::Registry`] if it is not TOML of the right shape, an id or name stands twice, or a range does not fit its type.
    pub fn parse(text: &str) -> Result<Self, ContractError> {
        let raw: Raw = toml::from_str(text)
            .map_err(|e| ContractError::Registry { entry: "file".to_owned(), problem: e.to_string() })?;
        let registry = Self {
            columns: raw.column.into_iter().map(RawColumn::checked).collect::<Result<_, _>>()?,
            traits: raw.traits,
            triggers: raw
                .trigger
                .into_iter()
                .map(|t| TriggerDef { id: TriggerId(t.id), name: t.name, doc: t.doc, reserved: t.reserved })
                .collect(),
            facts: raw
                .fact
                .into_iter()
                .map(|f| FactDef { id: FactId(f.id), name: f.name, unit: f.unit, absent: f.absent, doc: f.doc })
                .collect(),
            subjects: raw
                .subject
                .into_iter()
                .map(|s| SubjectDef { id: SubjectId(s.id), name: s.name, doc: s.doc, reserved: s.reserved })
                .collect(),
        };
        unique("column", registry.columns.iter().map(|c| (c.id.0.into(), c.name.as_str())))?;
        unique("trait", registry.traits.iter().map(|t| (t.bit.into(), t.name.as_str())))?;
        unique("trigger", registry.triggers.iter().map(|t| (t.id.0.into(), t.name.as_str())))?;
        unique("fact", registry.facts.iter().map(|f| (f.id.0.into(), f.name.as_str())))?;
        unique("subject", registry.subjects.iter().map(|s| (s.id.0.into(), s.name.as_str())))?;
        if let Some(t) = registry.traits.iter().find(|t| t.bit >= 32) {
            return Err(wrong(&t.name, "the column `traits` has 32 bits"));
        }
        Ok(registry)
    }

    /// All columns, in the order of the file.
    #[must_use]
    pub fn columns(&self) -> &[ColumnDef] {
        &self.columns
    }

    /// All bits of the column `traits`.
    #[must_use]
    pub fn traits(&self) -> &[TraitDef] {
        &self.traits
    }

    /// All triggers.
    #[must_use]
    pub fn triggers(&self) -> &[TriggerDef] {
        &self.triggers
    }

    /// All facts.
    #[must_use]
    pub fn facts(&self) -> &[FactDef] {
        &self.facts
    }

    /// All subjects.
    #[must_use]
    pub fn subjects(&self) -> &[SubjectDef] {
        &self.subjects
    }

    /// The column with `id`.
    #[must_use]
    pub fn column(&self, id: ColumnId) -> Option<&ColumnDef> {
        self.columns.iter().find(|c| c.id == id)
    }

    /// The column called `name`.
    #[must_use]
    pub fn column_named(&self, name: &str) -> Option<&ColumnDef> {
        self.columns.iter().find(|c| c.name == name)
    }

    /// The trigger with `id`.
    #[must_use]
    pub fn trigger(&self, id: TriggerId) -> Option<&TriggerDef> {
        self.triggers.iter().find(|t| t.id == id)
    }

    /// The trigger called `name`.
    #[must_use]
    pub fn trigger_named(&self, name: &str) -> Option<&TriggerDef> {
        self.triggers.iter().find(|t| t.name == name)
    }

    /// The fact with `id`.
    #[must_use]
    pub fn fact(&self, id: FactId) -> Option<&FactDef> {
        self.facts.iter().find(|f| f.id == id)
    }

    /// The fact called `name`.
    #[must_use]
    pub fn fact_named(&self, name: &str) -> Option<&FactDef> {
        self.facts.iter().find(|f| f.name == name)
    }
}

fn wrong(entry: &str, problem: impl Into<String>) -> ContractError {
    ContractError::Registry { entry: format!("`{entry}`"), problem: problem.into() }
}

fn unique<'a>(what: &str, entries: impl Iterator<Item = (u64, &'a str)>) -> Result<(), ContractError> {
    let (mut ids, mut names) = (BTreeSet::new(), BTreeSet::new());
    for (id, name) in entries {
        if !ids.insert(id) {
            return Err(wrong(name, format!("the {what} id {id} is used twice; take the next free one")));
        }
        if !names.insert(name) {
            return Err(wrong(name, format!("the {what} name is used twice")));
        }
        if name.is_empty() || !name.bytes().all(|b| b.is_ascii_lowercase() || b.is_ascii_digit() || b == b'-') {
            return Err(wrong(name, "names are kebab case: a-z, 0-9 and -"));
        }
    }
    Ok(())
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct Raw {
    subject: Vec<RawSubject>,
    column: Vec<RawColumn>,
    #[serde(rename = "trait")]
    traits: Vec<TraitDef>,
    trigger: Vec<RawTrigger>,
    fact: Vec<RawFact>,
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct RawSubject {
    id: u8,
    name: String,
    doc: String,
    #[serde(default)]
    reserved: bool,
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct RawTrigger {
    id: u16,
    name: String,
    doc: String,
    #[serde(default)]
    reserved: bool,
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct RawFact {
    id: u16,
    name: String,
    unit: String,
    absent: String,
    doc: String,
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields, rename_all = "kebab-case")]
struct RawColumn {
    id: u16,
    name: String,
    #[serde(rename = "type")]
    ty: ColumnType,
    unit: String,
    range: (i64, i64),
    none: Option<i64>,
    none_means: Option<String>,
    note: Option<String>,
    doc: String,
    #[serde(default)]
    reserved: bool,
}

impl RawColumn {
    fn checked(self) -> Result<ColumnDef, ContractError> {
        let (low, high) = self.ty.limits();
        let fits = |v: i64| (low..=high).contains(&v);
        if self.range.0 > self.range.1 || !fits(self.range.0) || !fits(self.range.1) {
            return Err(wrong(&self.name, format!("the range does not fit the type {}", self.ty.word())));
        }
        if self.none.is_some_and(|none| !fits(none) || (self.range.0..=self.range.1).contains(&none)) {
            return Err(wrong(&self.name, "\"none\" must fit the type and lie outside the range"));
        }
        if self.none.is_some() != self.none_means.is_some() {
            return Err(wrong(&self.name, "`none` and `none-means` come together"));
        }
        Ok(ColumnDef {
            id: ColumnId(self.id),
            name: self.name,
            ty: self.ty,
            unit: self.unit,
            range: self.range,
            none: self.none,
            none_means: self.none_means,
            note: self.note,
            doc: self.doc,
            reserved: self.reserved,
        })
    }
}
