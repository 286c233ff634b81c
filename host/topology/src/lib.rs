//! The grid without its customers: substations, their lines, the sections that switches cut a line into, the transformers that hang on them, and
//! who feeds whom at a moment (站 → 线 → 段 → 变, 转供电).
//!
//! A [`Grid`] changes by [`GridFact`]s, one after another, each taken whole or refused with what to do. Each thing has a number of its own kind
//! from 0 up that it keeps for ever and that is never given again, so that what hangs on transformers is kept by number. [`Grid::dead`] says which
//! transformers a [`Scope`] leaves without power at a moment.
//!
//! It must never do I/O or read a clock (moments are handed in), and knows no customer. Who looks after a transformer is a person: nothing here
//! shows a name or number of one.

mod apply;
mod check;
mod code;
mod dead;
mod error;
mod fact;
mod feed;
mod grid;
mod record;
mod set;
mod table;

pub use check::Finding;
pub use code::{Code, Kind, MAX_CODE};
pub use dead::Scope;
pub use error::{Refusal, Warning};
pub use fact::{
    EndFeed, FeedFact, GridFact, LineFact, MAX_TEXT, Manager, Position, Removal, SectionFact, Spot, SubstationFact,
    Switch, TransformerFact, Whom,
};
pub use feed::{Fed, Feed, KEEP_ENDED_MS, MAX_FEEDS};
pub use grid::{
    Done, Grid, Hangs, Line, MAX_DEPTH, MAX_LINES, MAX_SECTIONS, MAX_SUBSTATIONS, MAX_TRANSFORMERS, Section,
    Substation, Transformer,
};
pub use record::{GridRecord, RECORD_ENTRIES, Restored};
pub use set::TransformerSet;
