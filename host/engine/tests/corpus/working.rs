//! Plugins that say all the right things when they are uploaded and break the contract at work. Reading them finds nothing; certification and each run
//! do, and nothing of a run that failed is kept.

use gridbell_engine::ErrorCode as E;

use super::super::support::{Guest, interest};
use super::{Corpus, Fate};

const LOOP: &str = "(loop $again (br $again)) unreachable";
const GROW: &str = "(loop $again (br_if $again (i32.ne (memory.grow (i32.const 16)) (i32.const -1)))) unreachable";

fn decide(body: &str) -> Guest {
    Guest { decide: body.to_owned(), ..Guest::default() }
}

/// One decision about row 5, changed by `change` at `$at`.
fn decision(change: &str) -> Guest {
    decide(&format!(
        "(local $at i32) (local.set $at (call $alloc (i32.const 48))) (call $decision (local.get $at) (i32.const 5) (i64.const 1))
         {change} (call $ok (local.get $at) (i32.const 1))"
    ))
}

fn realloc(body: &str) -> Guest {
    Guest { realloc: body.to_owned(), ..Guest::default() }
}

pub(super) fn add(c: &mut Corpus) {
    let mut at_work = |code, name, make: fn() -> Guest| c.add(name, Fate::FailsAtWork(code), move || make().bytes());
    at_work(E::GuestTrapped, "`decide` traps", || decide("unreachable"));
    at_work(E::GuestDeadline, "`decide` never ends", || decide(LOOP));
    at_work(E::GuestOutOfMemory, "`decide` eats", || decide(GROW));
    at_work(E::GuestStackOverflow, "`decide` calls itself", || Guest {
        more: "(func $deep (param i32) (result i32) (i32.add (call $deep (local.get 0)) (i32.const 1)))".to_owned(),
        ..decide("(call $deep (i32.const 0))")
    });
    at_work(E::GuestTooManyDecisions, "a decision more than rows", || {
        decide("(call $ok (call $alloc (i32.const 196656)) (i32.const 4097))")
    });
    at_work(E::GuestRowOutOfRange, "a row behind the last", || {
        decision("(i32.store (local.get $at) (i32.const 4096))")
    });
    at_work(E::GuestRowOutOfRange, "the last row of all", || decision("(i32.store (local.get $at) (i32.const -1))"));
    at_work(E::GuestRowTwice, "one row twice", || {
        decide(
            "(local $at i32) (local.set $at (call $alloc (i32.const 96))) (call $decision (local.get $at) (i32.const 5) (i64.const 1))
             (call $decision (i32.add (local.get $at) (i32.const 48)) (i32.const 5) (i64.const 1)) (call $ok (local.get $at) (i32.const 2))",
        )
    });
    at_work(E::GuestUnknownIndex, "a notice that there is not", || {
        decision("(i32.store16 offset=4 (local.get $at) (i32.const 1))")
    });
    at_work(E::GuestUnknownIndex, "a reason that there is not", || {
        decision("(i32.store16 offset=8 (local.get $at) (i32.const 2))")
    });
    at_work(E::GuestUnknownIndex, "a route that there is not", || {
        decision("(i32.store16 offset=10 (local.get $at) (i32.const 65535))")
    });
    at_work(E::GuestStepZero, "step 0", || decision("(i32.store8 offset=6 (local.get $at) (i32.const 0))"));
    at_work(E::GuestRefused, "an `Err`", || decide("(call $err (i32.const 16) (i32.const 40))"));
    at_work(E::GuestMalformed, "an `Err` that is not UTF-8", || {
        decide("(i32.store (i32.const 8) (i32.const -1)) (call $err (i32.const 8) (i32.const 4))")
    });
    at_work(E::GuestAnswerTooLarge, "an `Err` of 50 MB", || Guest {
        pages: 1000,
        ..decide("(call $err (i32.const 65536) (i32.const 50000000))")
    });
    at_work(E::GuestAnswerTooLarge, "a million decisions", || Guest {
        pages: 1000,
        ..decide("(call $ok (i32.const 65536) (i32.const 1000000))")
    });
    at_work(E::GuestMalformed, "decisions that lie nowhere", || {
        decide("(call $ok (i32.const 65536) (i32.const 50000000))")
    });
    at_work(E::GuestMalformed, "decisions that are not aligned", || decide("(call $ok (i32.const 17) (i32.const 1))"));
    at_work(E::GuestMalformed, "neither `Ok` nor `Err`", || {
        decide("(i32.store8 (i32.const 64) (i32.const 7)) (i32.const 64)")
    });
    at_work(E::GuestMalformed, "room outside its memory for what it is told", || realloc("(i32.const -8)"));
    at_work(E::GuestMalformed, "room that is not aligned", || realloc("(i32.const 3)"));
    at_work(E::GuestDeadline, "no room for what it is told, for ever", || realloc(LOOP));
    at_work(E::GuestTrapped, "a trap when it is told something", || realloc("unreachable"));
    at_work(E::GuestOutOfMemory, "endless room for what it is told", || realloc(GROW));
    at_work(E::GuestBadInterest, "an interest in a column that there is not", || Guest {
        interest: interest(&[(999, 0, 0, 0)]),
        ..Guest::default()
    });
    at_work(E::GuestBadInterest, "an interest without a bound", || Guest {
        interest: interest(&[]),
        ..Guest::default()
    });
    at_work(E::GuestTrapped, "`interest` traps", || Guest { interest: "unreachable".to_owned(), ..Guest::default() });
    at_work(E::GuestDeadline, "`interest` never ends", || Guest { interest: LOOP.to_owned(), ..Guest::default() });
    at_work(E::GuestTrapped, "an answer about customers that cannot be given back", || Guest {
        more: "(func (export \"cabi_post_gridbell:policy/plugin@0.1.0#decide\") (param i32) unreachable)".to_owned(),
        ..Guest::default()
    });
}
