//! The contract's types as the canonical ABI passes them: `wit/policy.wit`, `interface types`, field for field.
//!
//! They are written out by hand rather than generated: fifteen small types, so that a batch borrows the host's columns without a copy and
//! nothing generated leaks. That they match the contract is checked against every plugin when it is loaded ([`crate::guest`]), and a plugin's
//! world against the contract's own text at upload ([`crate::shape`]).

use wasmtime::component::{ComponentType, Lift, Lower};

#[derive(ComponentType, Lower, Clone, Copy)]
#[component(variant)]
pub(crate) enum Values<'a> {
    #[component(name = "u8s")]
    U8s(&'a [u8]),
    #[component(name = "u16s")]
    U16s(&'a [u16]),
    #[component(name = "u32s")]
    U32s(&'a [u32]),
    #[component(name = "s32s")]
    S32s(&'a [i32]),
    #[component(name = "s64s")]
    S64s(&'a [i64]),
}

#[derive(ComponentType, Lower, Clone, Copy)]
#[component(record)]
pub(crate) struct Column<'a> {
    pub(crate) id: u16,
    pub(crate) values: Values<'a>,
}

#[derive(ComponentType, Lower, Clone, Copy)]
#[component(record)]
pub(crate) struct Batch<'a> {
    pub(crate) subject: u8,
    pub(crate) rows: u32,
    pub(crate) columns: &'a [Column<'a>],
}

#[derive(ComponentType, Lift, Clone, Copy, PartialEq, Eq, Debug)]
#[component(enum)]
#[repr(u8)]
#[expect(dead_code, reason = "its values are made by the canonical ABI, from a guest's memory")]
pub(crate) enum Test {
    #[component(name = "between")]
    Between,
    #[component(name = "all-bits")]
    AllBits,
    #[component(name = "any-bit")]
    AnyBit,
    #[component(name = "no-bits")]
    NoBits,
}

#[derive(ComponentType, Lift, Clone, Copy, Debug)]
#[component(record)]
pub(crate) struct Bound {
    pub(crate) column: u16,
    pub(crate) test: Test,
    pub(crate) low: i64,
    pub(crate) high: i64,
}

#[derive(ComponentType, Lift, Clone, Debug)]
#[component(variant)]
pub(crate) enum InterestSet {
    #[component(name = "everyone")]
    Everyone,
    #[component(name = "any-of")]
    AnyOf(Vec<Vec<Bound>>),
}

#[derive(ComponentType, Lower, Clone, Copy)]
#[component(record)]
pub(crate) struct Workdays<'a> {
    pub(crate) first: i32,
    #[component(name = "known-until")]
    pub(crate) known_until: i32,
    pub(crate) bits: &'a [u64],
}

#[derive(ComponentType, Lower, Clone, Copy)]
#[component(record)]
pub(crate) struct Fact {
    pub(crate) id: u16,
    pub(crate) value: i64,
}

#[derive(ComponentType, Lower, Clone, Copy)]
#[component(record)]
pub(crate) struct Run<'a> {
    pub(crate) prefecture: u32,
    pub(crate) now: i64,
    pub(crate) trigger: u16,
    pub(crate) schedule: &'a str,
    pub(crate) facts: &'a [Fact],
    pub(crate) params: &'a str,
    pub(crate) workdays: Workdays<'a>,
}

#[derive(ComponentType, Lift, Clone, Copy, Debug)]
#[component(record)]
pub(crate) struct Decision {
    pub(crate) row: u32,
    pub(crate) notice: u16,
    pub(crate) step: u8,
    pub(crate) reason: u16,
    pub(crate) route: u16,
    pub(crate) arg0: i64,
    pub(crate) arg1: i64,
    #[component(name = "not-before")]
    pub(crate) not_before: i64,
    pub(crate) expires: i64,
}

/// `manifest: func() -> string`
pub(crate) type ManifestArgs = ();
pub(crate) type ManifestAnswer = (String,);
/// `interest: func(run) -> result<interest-set, string>`
pub(crate) type InterestArgs<'a> = (Run<'a>,);
pub(crate) type InterestAnswer = (Result<InterestSet, String>,);
/// `decide` and `explain: func(run, batch) -> …`
pub(crate) type BatchArgs<'a> = (Run<'a>, Batch<'a>);
/// `result<list<decision>, string>`
pub(crate) type DecideAnswer = (Result<Vec<Decision>, String>,);
/// `result<list<u16>, string>`
pub(crate) type ExplainAnswer = (Result<Vec<u16>, String>,);
