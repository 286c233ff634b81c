//! Write a notification policy of Gridbell as one function over one customer.
//!
//! [`policy!`] declares what the policy needs and what it can say; from that come the manifest, the types `Parameters`, `Customer`,
//! `Notice`, `Reason`, `Route` and `Answer`, and a trait `Policy` with three functions to write:
//!
//! - `prepare` turns the run and the parameters into the rule's own figures, once for each batch;
//! - `interest` says whom the rule could choose at all, so that the host need not ask about the others;
//! - `decide` looks at one customer and returns a notice or a reason. The host's `decide` and `explain` both come from it, so they cannot
//!   disagree.
//!
//! A policy reads no clock, draws no random number and remembers nothing: whatever it may know stands in its arguments.

#![cfg_attr(target_arch = "wasm32", no_std)]

extern crate alloc;

#[doc(hidden)]
pub mod abi;
mod answer;
#[cfg(all(target_arch = "wasm32", feature = "standalone"))]
mod arena;
mod column;
mod interest;
mod json;
mod list;
#[doc(hidden)]
pub mod manifest;
mod parameter;
mod policy;
mod registry;
mod run;
#[cfg(not(target_arch = "wasm32"))]
pub mod testing;
#[cfg(test)]
mod tests;
mod value;

#[doc(hidden)]
pub use alloc::string::String;

pub use answer::{Answer, Say, skip};
pub use column::{Column, Limit, Reading};
pub use interest::{Bound, Interest, Test};
pub use json::{Reader, Writer};
pub use list::List;
pub use parameter::{Counting, Optional, Parameter};
pub use registry::{columns, facts, traits, triggers};
pub use run::{Fact, Run, Trigger, Workdays};
pub use value::{Arg, CivilMinute, Count, Date, Days, Fen, Kwh, Traits};

/// What a policy needs in scope.
pub mod prelude {
    pub use crate::{
        Arg, CivilMinute, Column, Count, Counting, Date, Days, Fen, Interest, Kwh, List, Run, Trigger, columns, facts,
        policy, skip, traits, triggers,
    };
}
