//! The canonical ABI of `wit/policy.wit`, by hand: what the four exported functions get and return, as laid out in the guest's memory.
//!
//! The component model lowers a list into memory that the guest's `cabi_realloc` gives, so a column is a slice that is already there. The
//! records below are laid out as the specification says for a 32-bit guest; `tests` of the host run them through a real component. Where this
//! module says "the host guarantees", it means the canonical ABI's own guarantees, which a component's host enforces.

use alloc::string::String;
use alloc::vec::Vec;
use core::slice;

use crate::column::Column;
use crate::interest::{Bound, Interest};
use crate::json::ReadError;
use crate::run::{Run, Workdays};
use crate::value::{CivilMinute, Date};

pub use crate::policy::{Customer, Plugin};

/// A list in memory.
#[derive(Clone, Copy)]
#[repr(C)]
pub struct RawList<T> {
    at: *const T,
    len: usize,
}

impl<T> RawList<T> {
    fn leaked(list: Vec<T>) -> Self {
        let list = list.leak();
        Self { at: list.as_ptr(), len: list.len() }
    }

    /// # Safety
    /// The list must have come from the host within the present call.
    unsafe fn slice<'a>(self) -> &'a [T] {
        if self.len == 0 {
            return &[];
        }
        // SAFETY: the host guarantees `len` values at `at`, aligned, in memory that `cabi_realloc` gave and that nothing else uses.
        unsafe { slice::from_raw_parts(self.at, self.len) }
    }
}

impl RawList<u8> {
    /// # Safety
    /// As [`RawList::slice`].
    unsafe fn text<'a>(self) -> &'a str {
        // SAFETY: the host guarantees that a string is UTF-8.
        unsafe { core::str::from_utf8_unchecked(self.slice()) }
    }
}

/// The record `fact`.
#[derive(Clone, Copy, Debug)]
#[repr(C)]
pub struct RawFact {
    /// Its id.
    pub id: u16,
    /// Its value.
    pub value: i64,
}

#[derive(Clone, Copy)]
#[repr(C)]
struct RawWorkdays {
    first: i32,
    known_until: i32,
    bits: RawList<u64>,
}

/// The record `run`.
#[derive(Clone, Copy)]
#[repr(C)]
pub struct RawRun {
    prefecture: u32,
    now: i64,
    trigger: u16,
    schedule: RawList<u8>,
    facts: RawList<RawFact>,
    params: RawList<u8>,
    workdays: RawWorkdays,
}

#[derive(Clone, Copy)]
#[repr(C)]
struct RawValues {
    kind: u8,
    list: RawList<u8>,
}

#[derive(Clone, Copy)]
#[repr(C)]
struct RawColumn {
    id: u16,
    values: RawValues,
}

/// The record `batch`.
#[derive(Clone, Copy)]
#[repr(C)]
pub struct RawBatch {
    subject: u8,
    rows: u32,
    columns: RawList<RawColumn>,
}

/// The parameters of `decide` and `explain`: more than sixteen flat values, so they lie in memory.
#[derive(Clone, Copy)]
#[repr(C)]
pub struct RawCall {
    run: RawRun,
    batch: RawBatch,
}

/// The record `decision`.
#[derive(Clone, Copy)]
#[repr(C)]
struct RawDecision {
    row: u32,
    notice: u16,
    step: u8,
    reason: u16,
    route: u16,
    arg0: i64,
    arg1: i64,
    not_before: i64,
    expires: i64,
}

/// A result whose good value is a list and whose bad value is a string: both are an address and a length.
#[repr(C)]
pub struct RawResult {
    is_err: u8,
    at: *const u8,
    len: usize,
}

/// The result of `interest`: one case more.
#[repr(C)]
pub struct RawInterest {
    is_err: u8,
    body: RawInterestBody,
}

#[repr(C)]
union RawInterestBody {
    set: RawInterestSet,
    error: RawList<u8>,
}

#[derive(Clone, Copy)]
#[repr(C)]
struct RawInterestSet {
    case: u8,
    clauses: RawList<RawList<Bound>>,
}

#[cfg(target_arch = "wasm32")]
const _: () = {
    assert!(size_of::<RawRun>() == 64 && core::mem::offset_of!(RawRun, workdays) == 44);
    assert!(size_of::<RawCall>() == 80 && core::mem::offset_of!(RawCall, batch) == 64);
    assert!(size_of::<RawColumn>() == 16 && size_of::<RawFact>() == 16 && size_of::<Bound>() == 24);
    assert!(size_of::<RawDecision>() == 48 && core::mem::offset_of!(RawDecision, arg0) == 16);
    assert!(size_of::<RawResult>() == 12 && size_of::<RawInterest>() == 16);
};

/// A type whose lists can be a column's values.
pub trait Raw: Copy + 'static {
    /// The case of the variant `values` that carries it.
    const KIND: u8;
}

macro_rules! raw {
    ($($ty:ty = $kind:literal),*) => { $(impl Raw for $ty { const KIND: u8 = $kind; })* };
}
raw!(u8 = 0, u16 = 1, u32 = 2, i32 = 3, i64 = 4);

/// The rows of one call.
#[derive(Clone, Copy)]
pub struct Batch<'a> {
    rows: usize,
    columns: &'a [RawColumn],
}

impl<'a> Batch<'a> {
    /// The values of column `C`, which must be the `index`-th.
    ///
    /// # Errors
    /// If it is another column, of another type, or not as long as the batch.
    pub fn column<C: Column>(&self, index: usize) -> Result<&'a [C::Raw], ReadError> {
        let found =
            self.columns.get(index).filter(|c| c.id == C::ID).ok_or("batch: a column is not the one asked for")?;
        if found.values.kind != C::Raw::KIND {
            return Err("batch: a column is of another type than in the registry");
        }
        let RawList { at, len } = found.values.list;
        if len != self.rows {
            return Err("batch: a column is not as long as the batch");
        }
        // SAFETY: `kind` says that the list holds values of this type, and the list came with the present call.
        Ok(unsafe { RawList { at: at.cast(), len }.slice() })
    }
}

impl RawRun {
    /// # Safety
    /// The record must have come from the host within the present call.
    unsafe fn run<'a>(&self) -> Run<'a> {
        // SAFETY: the lists came with the record.
        unsafe {
            Run {
                prefecture: self.prefecture,
                now: CivilMinute(self.now),
                trigger: self.trigger,
                schedule: self.schedule.text(),
                facts: self.facts.slice(),
                params: self.params.text(),
                workdays: Workdays {
                    first: Date(self.workdays.first),
                    known_until: Date(self.workdays.known_until),
                    bits: self.workdays.bits.slice(),
                },
            }
        }
    }
}

/// Prepares the rule and finds the columns; then every row's answer is kept as a decision, or its reason alone for `explain`.
///
/// One loop for both: the rule is called from one place, so that the compiler makes it part of the loop.
#[inline(never)]
fn over<P: Plugin>(call: &RawCall, explain: bool) -> Result<(Vec<RawDecision>, Vec<u16>), ReadError> {
    if call.batch.subject != 0 {
        return Err("batch: this plugin decides about customers only");
    }
    // SAFETY: `call` came from the host with the present call.
    let (run, columns) = unsafe { (call.run.run(), call.batch.columns.slice()) };
    let rows = call.batch.rows as usize;
    let policy = P::prepare(&run)?;
    let columns = P::Customer::columns(&Batch { rows, columns })?;
    let (mut decisions, mut reasons) = (Vec::new(), Vec::with_capacity(if explain { rows } else { 0 }));
    for row in 0..rows {
        let answer = policy.decide(&P::Customer::of(columns, row));
        if explain {
            reasons.push(answer.reason.into());
        } else if let Some(say) = answer.say {
            decisions.push(RawDecision {
                row: row as u32,
                notice: say.notice,
                step: say.step,
                reason: answer.reason.into(),
                route: say.route,
                arg0: say.arg0,
                arg1: say.arg1,
                not_before: say.not_before.0,
                expires: say.expires.0,
            });
        }
    }
    Ok((decisions, reasons))
}

fn decide<P: Plugin>(call: &RawCall) -> Result<Vec<RawDecision>, ReadError> {
    over::<P>(call, false).map(|lists| lists.0)
}

fn explain<P: Plugin>(call: &RawCall) -> Result<Vec<u16>, ReadError> {
    over::<P>(call, true).map(|lists| lists.1)
}

fn result<T>(answer: Result<Vec<T>, ReadError>) -> RawResult {
    match answer {
        Ok(list) => {
            let RawList { at, len } = RawList::leaked(list);
            RawResult { is_err: 0, at: at.cast(), len }
        }
        Err(text) => RawResult { is_err: 1, at: text.as_ptr(), len: text.len() },
    }
}

/// # Safety
/// For the exported function only: `call` must be what the host passed.
#[must_use]
pub unsafe fn export_decide<P: Plugin>(call: *const RawCall) -> RawResult {
    // SAFETY: the host guarantees the record.
    result(decide::<P>(unsafe { &*call }))
}

/// # Safety
/// As [`export_decide`].
#[must_use]
pub unsafe fn export_explain<P: Plugin>(call: *const RawCall) -> RawResult {
    // SAFETY: the host guarantees the record.
    result(explain::<P>(unsafe { &*call }))
}

/// # Safety
/// As [`export_decide`].
#[must_use]
pub unsafe fn export_interest<P: Plugin>(run: &RawRun) -> RawInterest {
    // SAFETY: the host guarantees the record.
    let set = match P::prepare(&unsafe { run.run() }) {
        Ok(policy) => policy.interest(),
        Err(text) => {
            let error = RawList { at: text.as_ptr(), len: text.len() };
            return RawInterest { is_err: 1, body: RawInterestBody { error } };
        }
    };
    let (case, clauses) = match set {
        Interest(None) => (0, Vec::new()),
        Interest(Some(clauses)) => (1, clauses.into_iter().map(RawList::leaked).collect()),
    };
    let set = RawInterestSet { case, clauses: RawList::leaked(clauses) };
    RawInterest { is_err: 0, body: RawInterestBody { set } }
}

/// The flat parameters of `interest` as the record that they are.
#[expect(clippy::too_many_arguments, reason = "the canonical ABI passes up to sixteen values flat")]
#[must_use]
pub fn run_of(
    prefecture: u32,
    now: i64,
    trigger: u32,
    schedule: (*const u8, usize),
    facts: (*const RawFact, usize),
    params: (*const u8, usize),
    days: (i32, i32),
    bits: (*const u64, usize),
) -> RawRun {
    fn list<T>((at, len): (*const T, usize)) -> RawList<T> {
        RawList { at, len }
    }
    RawRun {
        prefecture,
        now,
        trigger: trigger as u16,
        schedule: list(schedule),
        facts: list(facts),
        params: list(params),
        workdays: RawWorkdays { first: days.0, known_until: days.1, bits: list(bits) },
    }
}

/// The manifest as a list in memory.
#[must_use]
pub fn export_manifest<P: Plugin>() -> RawList<u8> {
    RawList::leaked(String::into_bytes(P::manifest()))
}

/// Puts a result where the host reads it.
#[must_use]
pub fn returned<T>(value: T) -> *const T {
    alloc::boxed::Box::leak(alloc::boxed::Box::new(value))
}

/// The host has read the result of the call.
pub fn read() {
    #[cfg(all(target_arch = "wasm32", feature = "standalone"))]
    crate::arena::reset();
}

/// Exports the contract's functions for a rule; [`crate::policy!`] does it.
#[doc(hidden)]
#[macro_export]
macro_rules! export {
    ($rule:ty) => {
        #[cfg(target_arch = "wasm32")]
        mod exported {
            use super::*;
            use $crate::abi::{self, RawCall, RawFact, RawInterest, RawList, RawResult};

            #[unsafe(export_name = "gridbell:policy/plugin@0.1.0#manifest")]
            extern "C" fn manifest() -> *const RawList<u8> {
                abi::returned(abi::export_manifest::<$rule>())
            }

            #[unsafe(export_name = "gridbell:policy/plugin@0.1.0#interest")]
            unsafe extern "C" fn interest(
                prefecture: u32,
                now: i64,
                trigger: u32,
                schedule: *const u8,
                schedule_len: usize,
                facts: *const RawFact,
                facts_len: usize,
                params: *const u8,
                params_len: usize,
                first: i32,
                known_until: i32,
                bits: *const u64,
                bits_len: usize,
            ) -> *const RawInterest {
                let run = abi::run_of(
                    prefecture,
                    now,
                    trigger,
                    (schedule, schedule_len),
                    (facts, facts_len),
                    (params, params_len),
                    (first, known_until),
                    (bits, bits_len),
                );
                // SAFETY: the host passed these values.
                abi::returned(unsafe { abi::export_interest::<$rule>(&run) })
            }

            #[unsafe(export_name = "gridbell:policy/plugin@0.1.0#decide")]
            unsafe extern "C" fn decide(call: *const RawCall) -> *const RawResult {
                // SAFETY: the host passed the record.
                abi::returned(unsafe { abi::export_decide::<$rule>(call) })
            }

            #[unsafe(export_name = "gridbell:policy/plugin@0.1.0#explain")]
            unsafe extern "C" fn explain(call: *const RawCall) -> *const RawResult {
                // SAFETY: the host passed the record.
                abi::returned(unsafe { abi::export_explain::<$rule>(call) })
            }

            #[unsafe(export_name = "cabi_post_gridbell:policy/plugin@0.1.0#manifest")]
            extern "C" fn manifest_read(_: *const u8) {
                abi::read();
            }

            #[unsafe(export_name = "cabi_post_gridbell:policy/plugin@0.1.0#interest")]
            extern "C" fn interest_read(_: *const u8) {
                abi::read();
            }

            #[unsafe(export_name = "cabi_post_gridbell:policy/plugin@0.1.0#decide")]
            extern "C" fn decide_read(_: *const u8) {
                abi::read();
            }

            #[unsafe(export_name = "cabi_post_gridbell:policy/plugin@0.1.0#explain")]
            extern "C" fn explain_read(_: *const u8) {
                abi::read();
            }
        }
    };
}

/// Gives the host memory for what it passes.
///
/// # Safety
/// For the host only.
#[cfg(target_arch = "wasm32")]
#[unsafe(no_mangle)]
unsafe extern "C" fn cabi_realloc(old: *mut u8, old_size: usize, align: usize, new_size: usize) -> *mut u8 {
    use core::alloc::Layout;
    if new_size == 0 {
        return align as *mut u8;
    }
    // SAFETY: the host passes a power of two as alignment, and what it got here before as the old memory.
    let at = unsafe {
        let layout = Layout::from_size_align_unchecked(if old_size == 0 { new_size } else { old_size }, align);
        match old_size {
            0 => alloc::alloc::alloc(layout),
            _ => alloc::alloc::realloc(old, layout, new_size),
        }
    };
    if at.is_null() {
        core::arch::wasm32::unreachable();
    }
    at
}
