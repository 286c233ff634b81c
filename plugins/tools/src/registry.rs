//! As much of `wit/registry.toml` as making up customers needs.

use serde::Deserialize;

use crate::Result;

/// A column of the registry.
#[derive(Deserialize, Clone, Debug)]
pub(crate) struct Column {
    pub(crate) id: u16,
    pub(crate) name: String,
    #[serde(rename = "type")]
    pub(crate) ty: String,
    pub(crate) unit: String,
    pub(crate) none: Option<i64>,
}

/// A trigger of the registry.
#[derive(Deserialize, Clone, Debug)]
pub(crate) struct Trigger {
    pub(crate) id: u16,
    pub(crate) name: String,
}

/// The registry.
#[derive(Deserialize, Clone, Debug)]
pub(crate) struct Registry {
    pub(crate) column: Vec<Column>,
    pub(crate) trigger: Vec<Trigger>,
}

impl Registry {
    /// The registry of this repository.
    pub(crate) fn read() -> Result<Self> {
        Ok(toml::from_str(include_str!("../../../wit/registry.toml"))?)
    }
}

impl Column {
    /// The case of the variant `values`, and the bytes of one value.
    pub(crate) fn kind(&self) -> (u8, usize) {
        match self.ty.as_str() {
            "u8" => (0, 1),
            "u16" => (1, 2),
            "u32" => (2, 4),
            "s32" => (3, 4),
            _ => (4, 8),
        }
    }
}
