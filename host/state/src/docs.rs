//! Documents: small named values that higher crates keep in the state (policies, templates, rules, users, links). All of them are in memory; the
//! state does not know what they mean.

use std::collections::BTreeMap;
use std::sync::Arc;

use serde::{Deserialize, Serialize};

/// Longest kind and longest key of a document, in bytes.
pub const MAX_DOC_NAME: usize = 120;
/// Largest document, in bytes.
pub const MAX_DOC_BYTES: usize = 1 << 20;

/// A document as it stands.
#[derive(Clone, PartialEq, Eq, Debug, Serialize, Deserialize)]
pub struct Doc {
    /// From 1, raised by each change; the next version of a deleted document goes on counting from 1.
    pub version: u64,
    /// The content.
    pub value: Arc<[u8]>,
}

/// All documents by kind and key.
#[derive(Debug, Default)]
pub(crate) struct Docs(BTreeMap<(String, String), Doc>);

impl Docs {
    pub(crate) fn get(&self, kind: &str, key: &str) -> Option<Doc> {
        self.0.get(&(kind.to_owned(), key.to_owned())).cloned()
    }

    pub(crate) fn set(&mut self, kind: &str, key: &str, doc: Option<Doc>) {
        let name = (kind.to_owned(), key.to_owned());
        match doc {
            Some(doc) => self.0.insert(name, doc),
            None => self.0.remove(&name),
        };
    }

    pub(crate) fn count(&self, kind: &str) -> usize {
        let from = (kind.to_owned(), String::new());
        self.0.range(from..).take_while(|((k, _), _)| k == kind).count()
    }

    pub(crate) fn list(&self, kind: &str) -> Vec<(String, Doc)> {
        let from = (kind.to_owned(), String::new());
        self.0
            .range(from..)
            .take_while(|((k, _), _)| k == kind)
            .map(|((_, key), doc)| (key.clone(), doc.clone()))
            .collect()
    }
}
