//! By what a component was built, as its tools noted in `producers` sections. For people; nothing is decided by it.

use wasmparser::{KnownCustom, Parser, Payload};

use crate::fault::sanitise;

/// Most notes that are read: a component of many modules repeats its tools in each.
const MAX_PRODUCERS: usize = 64;

/// A language or tool.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord)]
pub struct Producer {
    /// What it was: `language`, `processed-by` or `sdk`.
    pub field: String,
    /// Its name.
    pub name: String,
    /// Its version; may be empty.
    pub version: String,
}

/// All that `upload` says about its making, each once. What cannot be read is left out: it is a note.
#[must_use]
pub fn producers(upload: &[u8]) -> Vec<Producer> {
    let mut found = Vec::new();
    for payload in Parser::new(0).parse_all(upload).map_while(Result::ok) {
        let Payload::CustomSection(section) = payload else { continue };
        let KnownCustom::Producers(fields) = section.as_known() else { continue };
        for field in fields.into_iter().map_while(Result::ok) {
            for value in field.values.into_iter().map_while(Result::ok) {
                let [field, name, version] = [field.name, value.name, value.version].map(sanitise);
                let producer = Producer { field, name, version };
                if found.len() < MAX_PRODUCERS && !found.contains(&producer) {
                    found.push(producer);
                }
            }
        }
    }
    found.sort();
    found
}
