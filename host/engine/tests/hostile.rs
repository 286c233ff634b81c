//! Whatever a guest does becomes one typed error that says where and what to do, and the host goes on.

#![expect(clippy::unwrap_used, reason = "a test that cannot go on says so by panicking")]

mod support;

use gridbell_engine::{Call, Engine, EvalOptions, GuestError, GuestFault, Memory, RunError};
use gridbell_model::{CHUNK_ROWS, PrefectureCode};
use support::{Guest, MANIFEST, MEMORY, arrears, engine, interest, run};

fn fail(engine: &Engine, guest: &Guest, options: &EvalOptions) -> GuestError {
    match engine.evaluate(&guest.load(engine), &run(), &arrears(2 * CHUNK_ROWS), options) {
        Err(RunError::Guest(error)) => *error,
        other => panic!("{other:?}"),
    }
}

fn decide(body: &str) -> Guest {
    Guest { decide: body.to_owned(), ..Guest::default() }
}

/// A guest that answers one decision, about row 5, changed by `change` at `$at`.
fn decision(change: &str) -> Guest {
    decide(&format!(
        "(local $at i32) (local.set $at (call $alloc (i32.const 48))) (call $decision (local.get $at) (i32.const 5) (i64.const 1))
         {change} (call $ok (local.get $at) (i32.const 1))"
    ))
}

fn fault(guest: &Guest) -> GuestFault {
    fail(&engine(), guest, &EvalOptions::default()).fault
}

#[test]
fn an_error_names_plugin_prefecture_call_batch_and_what_to_do() {
    let engine = engine();
    // Fails where row 0 owes nothing, but the second batch's does: 4096 % 7 == 1, 4096 + 2 owes.
    let body = "(i32.store (i32.const 0) (i32.const 0)) unreachable";
    let error = fail(&engine, &decide(body), &EvalOptions::default());
    assert_eq!((error.prefecture, error.call, error.batch), (PrefectureCode(140_100), Call::Decide, Some(0)));
    assert_eq!(error.plugin, "hand-made 1.0.0");
    assert_eq!(error.rows, (0..CHUNK_ROWS as u32).collect::<Vec<_>>(), "what it takes to ask the same again");
    let text = error.to_string();
    for part in ["`hand-made 1.0.0`", "prefecture 140100", "in `decide`", "batch 0", "it trapped: ", "tell its author"]
    {
        assert!(text.contains(part), "{part} in {text}");
    }
    // And the host goes on.
    let good = Guest::default().load(&engine);
    assert!(!engine.evaluate(&good, &run(), &arrears(100), &EvalOptions::default()).unwrap().decisions.is_empty());
}

#[test]
fn the_first_batch_that_fails_is_named_however_many_threads_there_are() {
    let engine = engine();
    // Traps for a batch of fewer than 4096 rows: the last one.
    let short = format!(
        "(if (i32.lt_u (i32.load offset=68 (local.get $args)) (i32.const {CHUNK_ROWS})) (then unreachable)) (call $ok (i32.const 0) (i32.const 0))"
    );
    let plugin = decide(&short).load(&engine);
    for threads in [1, 2] {
        let options = EvalOptions { threads: Some(threads), ..EvalOptions::default() };
        let error = engine.evaluate(&plugin, &run(), &arrears(9 * CHUNK_ROWS + 1), &options).unwrap_err();
        assert!(matches!(error, RunError::Guest(e) if e.batch == Some(9)));
    }
}

#[test]
fn an_endless_loop_meets_its_deadline_and_its_fuel() {
    let engine = engine();
    let guest = decide("(loop $again (br $again)) unreachable");
    assert_eq!(fail(&engine, &guest, &EvalOptions::default()).fault, GuestFault::Deadline { ms: 300 });
    let options = EvalOptions { fuel: Some(100_000), ..EvalOptions::default() };
    assert_eq!(fail(&engine, &guest, &options).fault, GuestFault::OutOfFuel { fuel: 100_000 });
}

#[test]
fn an_endless_loop_while_arguments_are_passed_is_the_same_error() {
    let guest = Guest { realloc: "(loop $again (br $again)) unreachable".to_owned(), ..Guest::default() };
    assert_eq!(fault(&guest), GuestFault::Deadline { ms: 300 });
    let guest = Guest { realloc: "unreachable".to_owned(), ..Guest::default() };
    assert!(matches!(fault(&guest), GuestFault::Trapped { .. }));
    let guest = Guest { realloc: "(i32.const -8)".to_owned(), ..Guest::default() };
    assert!(matches!(fault(&guest), GuestFault::Malformed { .. }), "an allocation out of memory");
}

#[test]
fn a_memory_bomb_meets_the_ceiling() {
    let bomb = "(loop $again (br_if $again (i32.ne (memory.grow (i32.const 16)) (i32.const -1)))) unreachable";
    assert_eq!(fault(&decide(bomb)), GuestFault::OutOfMemory { limit: Memory(MEMORY) });
    let bomb = Guest { realloc: bomb.to_owned(), ..Guest::default() };
    assert_eq!(fault(&bomb), GuestFault::OutOfMemory { limit: Memory(MEMORY) });
}

#[test]
fn deep_recursion_meets_the_end_of_its_stack() {
    let more = "(func $deep (param i32) (result i32) (i32.add (call $deep (i32.add (local.get 0) (i32.const 1))) (i32.const 1)))";
    let guest = Guest { more: more.to_owned(), ..decide("(call $deep (i32.const 0))") };
    assert!(matches!(fault(&guest), GuestFault::StackOverflow { .. }));
}

#[test]
fn a_trap_says_which_of_the_guests_functions_it_was() {
    let more = "(func $late-fee (result i32) (i32.div_u (i32.const 1) (i32.const 0)))";
    let GuestFault::Trapped { what, at } = fault(&Guest { more: more.to_owned(), ..decide("(call $late-fee)") }) else {
        panic!()
    };
    assert_eq!(what, "integer divide by zero");
    assert_eq!(at, ", at `late-fee`");
}

#[test]
fn a_huge_answer_is_not_carried() {
    // A million decisions would be 48 MiB: its memory holds them, the host does not take them.
    let guest = Guest { pages: 1000, ..decide("(call $ok (i32.const 65536) (i32.const 1000000))") };
    assert!(matches!(fault(&guest), GuestFault::AnswerTooLarge { .. }));
    let words = Guest { pages: 1000, ..decide("(call $err (i32.const 65536) (i32.const 60000000))") };
    assert!(matches!(fault(&words), GuestFault::AnswerTooLarge { .. }));
    let outside = decide("(call $ok (i32.const 65536) (i32.const 50000000))");
    assert!(matches!(fault(&outside), GuestFault::Malformed { .. }));
    let unaligned = decide("(call $ok (i32.const 17) (i32.const 1))");
    assert!(matches!(fault(&unaligned), GuestFault::Malformed { .. }));
    let neither = decide("(i32.store8 (i32.const 64) (i32.const 7)) (i32.const 64)");
    assert!(matches!(fault(&neither), GuestFault::Malformed { .. }));
}

#[test]
fn rows_and_indexes_are_checked() {
    let rows = CHUNK_ROWS;
    let too_many =
        decide(&format!("(call $ok (call $alloc (i32.const {})) (i32.const {}))", 48 * (rows + 1), rows + 1));
    assert_eq!(fault(&too_many), GuestFault::TooManyDecisions { got: rows + 1, rows });
    for row in [4096_u32, u32::MAX] {
        let guest = decision(&format!("(i32.store (local.get $at) (i32.const {row}))"));
        assert_eq!(fault(&guest), GuestFault::RowOutOfRange { row, rows });
    }
    let twice = decide(
        "(local $at i32) (local.set $at (call $alloc (i32.const 96)))
         (call $decision (local.get $at) (i32.const 5) (i64.const 1))
         (call $decision (i32.add (local.get $at) (i32.const 48)) (i32.const 5) (i64.const 1))
         (call $ok (local.get $at) (i32.const 2))",
    );
    assert_eq!(fault(&twice), GuestFault::RowTwice { row: 5 });
    for (list, offset, index, len) in [("notice", 4, 1, 1), ("reason", 8, 2, 2), ("route", 10, 65535, 1)] {
        let guest = decision(&format!("(i32.store16 offset={offset} (local.get $at) (i32.const {index}))"));
        assert_eq!(fault(&guest), GuestFault::UnknownIndex { list, index, len, row: 5 });
    }
    let step = decision("(i32.store8 offset=6 (local.get $at) (i32.const 0))");
    assert_eq!(fault(&step), GuestFault::StepZero { row: 5 });
}

#[test]
fn decisions_out_of_order_are_put_in_order() {
    let engine = engine();
    let backwards = decide(
        "(local $at i32) (local.set $at (call $alloc (i32.const 96)))
         (call $decision (local.get $at) (i32.const 9) (i64.const 9))
         (call $decision (i32.add (local.get $at) (i32.const 48)) (i32.const 2) (i64.const 2))
         (call $ok (local.get $at) (i32.const 2))",
    );
    let done = engine.evaluate(&backwards.load(&engine), &run(), &arrears(100), &EvalOptions::default()).unwrap();
    assert_eq!(done.decisions.iter().map(|d| (d.row, d.arg0)).collect::<Vec<_>>(), [(2, 2), (9, 9)]);
}

#[test]
fn a_refusal_is_its_own_words_cleaned() {
    let refuse = |text: &str| {
        let bytes: String = text
            .bytes()
            .enumerate()
            .map(|(n, b)| format!("(i32.store8 offset={n} (local.get $at) (i32.const {b}))"))
            .collect();
        decide(&format!(
            "(local $at i32) (local.set $at (call $alloc (i32.const 100))) {bytes} (call $err (local.get $at) (i32.const {}))",
            text.len()
        ))
    };
    let GuestFault::Refused { message } = fault(&refuse("天数\nmust be `1` or more\u{1b}[2J")) else { panic!() };
    assert_eq!(message, "天数 must be '1' or more [2J");
    let not_text = decide("(i32.store8 (i32.const 64) (i32.const 255)) (call $err (i32.const 64) (i32.const 1))");
    assert!(matches!(fault(&not_text), GuestFault::Malformed { .. }));
}

#[test]
fn an_interest_that_is_none_is_refused() {
    let engine = engine();
    let options = EvalOptions { use_interest: true, ..EvalOptions::default() };
    let unknown = Guest { interest: interest(&[(999, 0, 1, 2)]), ..Guest::default() };
    let error = fail(&engine, &unknown, &options);
    assert_eq!((error.call, error.batch), (Call::Interest, None));
    assert!(matches!(error.fault, GuestFault::BadInterest { .. }));
    let empty_clause = Guest { interest: interest(&[]), ..Guest::default() };
    assert!(matches!(fail(&engine, &empty_clause, &options).fault, GuestFault::BadInterest { .. }));
    let no_test = Guest { interest: interest(&[(2, 9, 1, 2)]), ..Guest::default() };
    assert!(matches!(fail(&engine, &no_test, &options).fault, GuestFault::Malformed { .. }));
    let traps = Guest { interest: "unreachable".to_owned(), ..Guest::default() };
    assert!(matches!(fail(&engine, &traps, &options).fault, GuestFault::Trapped { .. }));
    // Whoever does not ask is not told.
    assert!(engine.evaluate(&traps.load(&engine), &run(), &arrears(10), &EvalOptions::default()).is_ok());
}

#[test]
fn an_explanation_must_cover_its_rows() {
    let engine = engine();
    let explain = |body: &str| {
        let guest = Guest { explain: body.to_owned(), ..Guest::default() };
        match engine.explain(&guest.load(&engine), &run(), &arrears(50), &[7, 8, 9]) {
            Err(RunError::Guest(error)) => {
                assert_eq!((error.call, error.batch), (Call::Explain, Some(0)));
                error.fault
            }
            other => panic!("{other:?}"),
        }
    };
    assert_eq!(explain("(call $ok (i32.const 64) (i32.const 2))"), GuestFault::ExplainLength { got: 2, rows: 3 });
    let unknown = "(local $at i32) (local.set $at (call $alloc (i32.const 6))) (i32.store16 offset=2 (local.get $at) (i32.const 2))
        (call $ok (local.get $at) (i32.const 3))";
    assert_eq!(explain(unknown), GuestFault::UnknownIndex { list: "reason", index: 2, len: 2, row: 1 });
    assert!(matches!(explain("(loop $again (br $again)) unreachable"), GuestFault::Deadline { .. }));
}

#[test]
fn nothing_is_remembered_from_batch_to_batch() {
    let engine = engine();
    // Answers nothing the first time that an instance is asked, and traps the second time.
    let once = "(if (i32.load (i32.const 8192)) (then unreachable)) (i32.store (i32.const 8192) (i32.const 1)) (call $ok (i32.const 0) (i32.const 0))";
    assert!(MANIFEST.len() < 8000);
    let done = engine
        .evaluate(&decide(once).load(&engine), &run(), &arrears(40 * CHUNK_ROWS), &EvalOptions::default())
        .unwrap();
    assert_eq!(done.batches, 40);
}
