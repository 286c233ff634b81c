//! Reads TOML with its places, so that each mistake is told with line, column and field, all of them at once and in the house's words.
//! Never stops at the first.

mod fields;

pub(crate) use fields::{Document, Fields, Item};
