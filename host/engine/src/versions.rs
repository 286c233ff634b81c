//! Versions of the contract that this host serves: a row for each that was ever released, and none is ever taken away. A plugin says by the interface
//! that it exports which of them it speaks.
//!
//! A new version is a new text in `wit/released`, a new row here, a new [`Adapter`] with the types of its calls beside `abi.rs`, and a compiled
//! plugin in `tests/released`, which has to decide the same ever after.

use std::sync::LazyLock;

use wit_parser::{Resolve, WorldId};

use crate::error::Refusal;
use crate::shape;

/// How the host calls a version's functions.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Adapter {
    /// With the types of `abi.rs`.
    V0_1_0,
}

/// A released version of the contract.
pub(crate) struct Version {
    /// Its number.
    pub(crate) number: &'static str,
    /// The interface that its plugins export.
    pub(crate) interface: &'static str,
    /// Its text, as it was released.
    wit: &'static str,
    /// How its functions are called.
    pub(crate) adapter: Adapter,
    /// Its functions with their types, written out.
    pub(crate) functions: LazyLock<Result<Vec<(String, String)>, Refusal>>,
}

/// All of them, the newest last.
pub(crate) static VERSIONS: [Version; 1] = [Version {
    number: "0.1.0",
    interface: "gridbell:policy/plugin@0.1.0",
    wit: include_str!("../../../wit/released/policy-0.1.0.wit"),
    adapter: Adapter::V0_1_0,
    functions: LazyLock::new(|| shape::functions_of(&VERSIONS[0])),
}];

/// The newest: what a core module speaks that does not say.
pub(crate) fn newest() -> &'static Version {
    let [.., newest] = &VERSIONS;
    newest
}

/// The numbers of all versions of the contract that this host serves, the oldest first.
#[must_use]
pub fn contract_versions() -> Vec<&'static str> {
    VERSIONS.iter().map(|v| v.number).collect()
}

/// The interfaces of all versions, for an error.
pub(crate) fn served() -> String {
    VERSIONS.iter().map(|v| v.interface).collect::<Vec<_>>().join("`, `")
}

/// The interface's name without its version.
pub(crate) fn family() -> &'static str {
    let interface = newest().interface;
    interface.split_once('@').map_or(interface, |(name, _)| name)
}

impl Version {
    /// Its text, parsed.
    pub(crate) fn parse(&self) -> Result<(Resolve, WorldId), Refusal> {
        let broken =
            |e: String| Refusal::NotEncodable { detail: format!("the host's own contract does not parse: {e}") };
        let mut resolve = Resolve::default();
        let package = resolve.push_str("policy.wit", self.wit).map_err(|e| broken(format!("{e:#}")))?;
        let world = resolve.select_world(&[package], Some("policy")).map_err(|e| broken(format!("{e:#}")))?;
        Ok((resolve, world))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_contract_is_the_newest_released_one_until_its_number_changes() {
        assert_eq!(gridbell_contract::PACKAGE, format!("gridbell:policy@{}", newest().number));
        assert_eq!(gridbell_contract::WIT, newest().wit, "a change of the contract is a new version, not another text");
    }

    #[test]
    fn every_version_is_itself() {
        for version in &VERSIONS {
            assert_eq!(version.interface, format!("{}@{}", family(), version.number));
            assert_eq!(version.functions.as_ref().unwrap().len(), 4);
        }
    }
}
