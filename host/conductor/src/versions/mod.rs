//! The life of a plugin version: uploaded → checked → certified → approved → live → retired, each step with who, when and why, in one commit with
//! its audit note. A version is its content: nothing about it changes but where it stands.

mod catalog;
mod certifier;
mod faults;
mod pipeline;
mod record;
mod steps;

pub(crate) use catalog::{Catalog, Pinned};
pub use certifier::{Certified, Certifier, CertifyOrder, CertifyWatch, NoCertifier, NotCertified};
pub use faults::{Fault, FaultLog, MAX_FAULTS, RETIRED_AFTER};
pub(crate) use pipeline::Pipeline;
pub use pipeline::{CERTIFIED_AT_ONCE, MAX_INTERRUPTIONS, MAX_WAITING_VERSIONS};
pub use record::{MAX_STEPS, PluginInfo, Progress, Stage, Step, VersionRecord};
pub(crate) use record::{MAX_WHY, read};
