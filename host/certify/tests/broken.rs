//! For each check a policy that is broken in one place: this check finds it and no other does, so without the check it would pass. And what is shown
//! is small, and shows the fault when it is pasted.

#![expect(clippy::unwrap_used, reason = "a test that cannot go on says so by panicking")]

mod support;

use std::path::PathBuf;

use gridbell_certify::{Certificate, Check, Counterexample, Terms};
use gridbell_engine::CompilerCommand;
use gridbell_workshop::{CaseFile, CaseReport, Desk, Verdict};
use support::{Guest, calendar, certificate, failed, terms};

/// Certifies a policy that `check` must catch and no other; and that nothing is caught without it.
fn only(check: Check, guest: &Guest) -> (Certificate, Counterexample) {
    let upload = guest.bytes();
    let full = certificate(&upload, &terms());
    assert_eq!(failed(&full), [check], "{:#?}", full.checks);
    assert!(!full.passed);
    let blind = certificate(&upload, &Terms { without: vec![check], ..terms() });
    assert_eq!(failed(&blind), [check], "left out, and nobody else sees it: {:#?}", blind.checks);
    assert!(blind.failures.is_empty() && !blind.passed, "who leaves a check out has no certificate");
    assert_eq!(full.failures.len(), 1);
    let shown = full.failures[0].clone();
    assert_eq!(shown.check, check);
    (full, shown)
}

/// What `plugin test` says of the case when it is pasted.
fn pasted(guest: &Guest, shown: &Counterexample) -> CaseReport {
    let compiler = CompilerCommand {
        program: PathBuf::from(env!("CARGO_BIN_EXE_gridbell-certify")),
        args: vec!["compile".to_owned()],
    };
    let desk = Desk::open(&guest.bytes(), &compiler, None, calendar()).unwrap();
    let file = CaseFile::parse("pasted.toml", &shown.case_toml).unwrap();
    let mut reports = file.run(&desk).unwrap();
    assert_eq!(reports.len(), 1, "{}", shown.case_toml);
    reports.remove(0)
}

fn customer(shown: &Counterexample) -> &str {
    shown.case_toml.lines().find(|line| line.starts_with("customer")).unwrap_or_default()
}

#[test]
fn the_good_one_passes_and_its_certificate_says_what_was_tried() {
    let upload = Guest::default().bytes();
    let c = certificate(&upload, &terms());
    assert!(c.passed, "{:#?}\n{:#?}", c.checks, c.failures);
    assert!(c.failures.is_empty() && !c.cut_short);
    assert_eq!(c.checks.len(), Check::ALL.len());
    assert!(c.checks.iter().all(|r| r.tried > 0 || r.name == Check::EmptyBatch), "{:#?}", c.checks);
    assert!(c.generated > 10_000 && c.real == 0);
    assert!((1..1000).contains(&c.fuel_per_customer), "{}", c.fuel_per_customer);
    assert!(c.memory_bytes > 65_536 && c.batch_cost_us > 0);
    // The same terms give the same certificate, but for the times.
    let mut again = certificate(&upload, &terms());
    (again.batch_cost_us, again.batch_cpu_us) = (c.batch_cost_us, c.batch_cpu_us);
    assert_eq!(again, c);
    let json = serde_json::to_string(&c).unwrap();
    assert_eq!(serde_json::from_str::<Certificate>(&json).unwrap(), c);
}

#[test]
fn a_decision_out_of_range_on_one_amount() {
    let decision = "(if (i64.eq (call $arrears (local.get $i)) (i64.const 77777)) (then (i32.store16 offset=4 (local.get $at) (i32.const 9))))";
    let guest = Guest { decision: decision.to_owned(), ..Guest::default() };
    let (_, shown) = only(Check::Decisions, &guest);
    assert!(shown.explanation.contains("notice 9"), "{}", shown.explanation);
    assert!(customer(&shown).contains("arrears = \"777.77\""), "{}", shown.case_toml);
    assert!(matches!(pasted(&guest, &shown).verdict, Verdict::Broke(_)));
}

#[test]
fn an_explanation_that_disagrees() {
    let reason = "(if (i32.and (call $rule (local.get $i)) (i32.eq (call $months (local.get $i)) (i32.const 2))) (then (i32.store16 (local.get $at) (i32.const 2))))";
    let guest = Guest { reason: reason.to_owned(), ..Guest::default() };
    let (_, shown) = only(Check::Explain, &guest);
    assert!(
        shown.explanation.contains("because of `owes`, and `explain` says `already-said`"),
        "{}",
        shown.explanation
    );
    assert!(customer(&shown).contains("months-owed = 2"), "{}", shown.case_toml);
    let Verdict::Failed { differences, .. } = pasted(&guest, &shown).verdict else { panic!("{}", shown.case_toml) };
    assert_eq!(differences, [("reason".to_owned(), "already-said".to_owned(), "owes".to_owned())]);
}

#[test]
fn an_interest_that_is_too_narrow() {
    let guest = Guest { interest_days: Some(6), ..Guest::default() };
    let (_, shown) = only(Check::Interest, &guest);
    assert!(shown.explanation.contains("`late-fee-from` must be from"), "{}", shown.explanation);
    assert!(shown.case_toml.contains("arrears = \"1.00\", late-fee-from = \"2026-11-28\""), "{}", shown.case_toml);
    assert!(matches!(pasted(&guest, &shown).verdict, Verdict::OutsideInterest));
}

#[test]
fn somebody_who_stands_twice_in_a_batch() {
    // Whoever is like row 0 was told already, it thinks.
    let same: String = ["$arrears", "$due", "$said", "$months", "$traits"]
        .map(|f| {
            let eq = if f == "$arrears" { "i64.eq" } else { "i32.eq" };
            format!("(if (i32.eqz ({eq} (call {f} (local.get $i)) (call {f} (i32.const 0)))) (then (local.set $n (i32.const 1))))")
        })
        .concat();
    let rule = format!("(if (local.get $i) (then {same} (if (i32.eqz (local.get $n)) (then (return (i32.const 0))))))");
    let (_, shown) = only(Check::SameTwice, &Guest { rule, ..Guest::default() });
    assert!(shown.explanation.contains("twice in a batch of 2 "), "{}", shown.explanation);
    CaseFile::parse("pasted.toml", &shown.case_toml).unwrap();
}

#[test]
fn rows_that_are_left_over_from_groups_of_four() {
    let rule =
        "(if (i32.ge_u (local.get $i) (i32.and (global.get $rows) (i32.const -4))) (then (return (i32.const 0))))";
    let (_, shown) = only(Check::BatchSize, &Guest { rule: rule.to_owned(), ..Guest::default() });
    assert!(shown.explanation.starts_with("in a batch of 1 and in one of "), "{}", shown.explanation);
    CaseFile::parse("pasted.toml", &shown.case_toml).unwrap();
}

#[test]
fn every_other_row() {
    let rule = "(if (i32.and (local.get $i) (i32.const 1)) (then (return (i32.const 0))))";
    let (_, shown) = only(Check::RowOrder, &Guest { rule: rule.to_owned(), ..Guest::default() });
    assert!(shown.explanation.starts_with("the same batch in another order"), "{}", shown.explanation);
    assert!(
        shown.case_toml.contains("# A case asks about one customer alone") && shown.case_toml.contains("row 1"),
        "{}",
        shown.case_toml
    );
    assert!(!shown.case_toml.contains("row 2"), "two rows show it: {}", shown.case_toml);
    CaseFile::parse("pasted.toml", &shown.case_toml).unwrap();
}

#[test]
fn somebody_rich_in_the_batch() {
    let begin = "(global.set $flag (i32.const 0))
        (block $done (loop $next (br_if $done (i32.ge_u (local.get $i) (global.get $rows)))
          (if (i64.gt_s (call $arrears (local.get $i)) (i64.const 5000000)) (then (global.set $flag (i32.const 1))))
          (local.set $i (i32.add (local.get $i) (i32.const 1))) (br $next)))";
    let rule = "(if (i32.and (global.get $flag) (i64.le_s (call $arrears (local.get $i)) (i64.const 5000000))) (then (return (i32.const 0))))";
    let (_, shown) =
        only(Check::Neighbours, &Guest { begin: begin.to_owned(), rule: rule.to_owned(), ..Guest::default() });
    assert!(shown.explanation.contains("with other neighbours"), "{}", shown.explanation);
    assert!(shown.case_toml.contains("50000.01") && !shown.case_toml.contains("row 2"), "{}", shown.case_toml);
}

#[test]
fn a_batch_without_rows() {
    let begin = "(if (i32.eqz (global.get $rows)) (then unreachable))";
    let (_, shown) = only(Check::EmptyBatch, &Guest { begin: begin.to_owned(), ..Guest::default() });
    assert!(
        shown.explanation.contains("without rows") && shown.explanation.contains("it trapped"),
        "{}",
        shown.explanation
    );
    CaseFile::parse("pasted.toml", &shown.case_toml).unwrap();
}

#[test]
fn the_29_of_february() {
    // 2028-02-29 is day 21243.
    let begin = "(if (i32.eq (global.get $today) (i32.const 21243)) (then unreachable))";
    let guest = Guest { begin: begin.to_owned(), ..Guest::default() };
    let (_, shown) = only(Check::Days, &guest);
    assert!(shown.case_toml.contains("now = \"2028-02-29 09:00\""), "{}", shown.case_toml);
    assert!(matches!(pasted(&guest, &shown).verdict, Verdict::Broke(_)));
}

#[test]
fn an_amount_beyond_a_thousand_million() {
    let rule = "(if (i64.gt_s (call $arrears (local.get $i)) (i64.const 100000000000)) (then unreachable))";
    let guest = Guest { rule: rule.to_owned(), ..Guest::default() };
    let (_, shown) = only(Check::Extremes, &guest);
    assert!(customer(&shown).contains("arrears = \"1000000000.01\""), "the smallest: {}", shown.case_toml);
    assert!(matches!(pasted(&guest, &shown).verdict, Verdict::Broke(_)));
}

#[test]
fn a_date_that_is_missing() {
    let rule = "(if (i32.and (i64.gt_s (call $arrears (local.get $i)) (i64.const 0)) (i32.eq (call $due (local.get $i)) (i32.const -2147483648))) (then unreachable))";
    let guest = Guest { rule: rule.to_owned(), ..Guest::default() };
    let (_, shown) = only(Check::NoneValues, &guest);
    assert!(customer(&shown).contains("arrears = \"0.01\", late-fee-from = \"none\""), "{}", shown.case_toml);
    assert!(matches!(pasted(&guest, &shown).verdict, Verdict::Broke(_)));
}

#[test]
fn a_run_that_is_caught_up() {
    let begin = "(if (i32.load offset=32 (local.get $args)) (then unreachable))";
    let guest = Guest { begin: begin.to_owned(), ..Guest::default() };
    let (_, shown) = only(Check::Triggers, &guest);
    assert!(shown.case_toml.contains("facts = { catch-up-minutes = 0 }"), "{}", shown.case_toml);
    assert!(matches!(pasted(&guest, &shown).verdict, Verdict::Broke(_)));
}

#[test]
fn a_parameter_at_its_upper_end() {
    // {"minimum":100000000} has 21 characters.
    let begin = "(if (i32.ge_u (i32.load offset=40 (local.get $args)) (i32.const 21)) (then unreachable))";
    let guest = Guest { begin: begin.to_owned(), ..Guest::default() };
    let (_, shown) = only(Check::Parameters, &guest);
    assert!(shown.case_toml.contains("parameters = { minimum = 100000000 }"), "{}", shown.case_toml);
    assert!(matches!(pasted(&guest, &shown).verdict, Verdict::Broke(_)));
}

#[test]
fn a_day_that_is_n_and_not_n_or_later() {
    let when = "(i32.and (i32.eq (local.get $left) (i32.const 7)) (i32.eqz (call $said (local.get $i))))";
    let guest = Guest { when: Some(when), ..Guest::default() };
    let (_, shown) = only(Check::Gap, &guest);
    assert!(shown.explanation.contains("nothing on the day after"), "{}", shown.explanation);
    assert!(shown.case_toml.contains("expect = { notice = \"reminder\", step = 1 }"), "{}", shown.case_toml);
    assert!(matches!(pasted(&guest, &shown).verdict, Verdict::Failed { .. }), "{}", shown.case_toml);
}

#[test]
fn what_was_said_is_said_again() {
    let when = "(i32.and (i32.ge_s (local.get $left) (i32.const 1)) (i32.le_s (local.get $left) (i32.const 7)))";
    let guest = Guest { when: Some(when), ..Guest::default() };
    let (_, shown) = only(Check::Gap, &guest);
    assert!(
        shown.explanation.contains("asked again on the same day, with 1 in `reminded-step`"),
        "{}",
        shown.explanation
    );
    assert!(customer(&shown).contains("reminded-step = 1"), "{}", shown.case_toml);
    assert!(matches!(pasted(&guest, &shown).verdict, Verdict::Failed { .. }), "{}", shown.case_toml);
}

#[test]
fn memory_that_a_full_batch_takes() {
    let begin = "(if (i32.ge_u (global.get $rows) (i32.const 4096)) (then
        (loop $again (br_if $again (i32.ne (memory.grow (i32.const 16)) (i32.const -1)))) unreachable))";
    let (_, shown) = only(Check::Memory, &Guest { begin: begin.to_owned(), ..Guest::default() });
    assert!(shown.explanation.contains("more than 64 MiB"), "{}", shown.explanation);
    assert!(shown.case_toml.contains("4090 more of the same"), "{}", shown.case_toml);
    CaseFile::parse("pasted.toml", &shown.case_toml).unwrap();
}

#[test]
fn fuel_for_one_count() {
    let rule = "(if (i32.eq (call $months (local.get $i)) (i32.const 13)) (then (local.set $n (i32.const 300000))
        (loop $again (local.set $n (i32.sub (local.get $n) (i32.const 1))) (br_if $again (local.get $n)))))";
    let (certificate, shown) = only(Check::Fuel, &Guest { rule: rule.to_owned(), ..Guest::default() });
    assert!(shown.explanation.contains("units of fuel, and 100000 are allowed"), "{}", shown.explanation);
    assert!(customer(&shown).contains("months-owed = 13"), "{}", shown.case_toml);
    assert!(certificate.fuel_per_customer > 300_000, "{}", certificate.fuel_per_customer);
}

#[test]
fn a_loop_without_end_is_found_by_fuel_and_not_by_the_clock() {
    let rule = "(if (i32.eq (call $months (local.get $i)) (i32.const 13)) (then (loop $again (br $again))))";
    let (_, shown) = only(Check::Fuel, &Guest { rule: rule.to_owned(), ..Guest::default() });
    assert!(customer(&shown).contains("months-owed = 13"), "{}", shown.case_toml);
}

#[test]
fn a_policy_that_cannot_decide_about_ordinary_customers_fails_and_the_rest_is_not_tried() {
    let guest = Guest { begin: "unreachable".to_owned(), ..Guest::default() };
    let c = certificate(&guest.bytes(), &terms());
    assert!(!c.passed && failed(&c).len() == Check::ALL.len());
    assert_eq!(c.failures.len(), 1);
    assert_eq!(c.failures[0].check, Check::Decisions);
    let gap = c.checks.iter().find(|r| r.name == Check::Gap).unwrap();
    assert!(gap.detail.starts_with("not tried"), "{}", gap.detail);
}

#[test]
fn parameters_that_are_refused_for_everybody_are_told_and_no_fault() {
    let guest = Guest {
        refuse: "(if (i32.ge_u (local.get $len) (i32.const 21)) (then (return (call $err))))",
        ..Guest::default()
    };
    let c = certificate(&guest.bytes(), &terms());
    assert!(c.passed, "{:#?}", c.failures);
    let parameters = c.checks.iter().find(|r| r.name == Check::Parameters).unwrap();
    assert!(
        parameters.detail.contains("the plugin refuses") && parameters.detail.contains("`name`"),
        "{}",
        parameters.detail
    );
}

#[test]
fn defaults_that_are_refused_are_a_fault() {
    let c = certificate(&Guest { refuse: "(return (call $err))", ..Guest::default() }.bytes(), &terms());
    assert!(!c.passed);
    let failure = c.failure().unwrap();
    assert_eq!(failure.check, Check::Decisions);
    assert!(failure.explanation.contains("it refused: `name`"), "{}", failure.explanation);
}

#[test]
fn neighbours_that_break_it_together() {
    // Room for so many of whom nothing is known; nobody alone is too many.
    let begin = "(global.set $flag (i32.const 0))
        (block $done (loop $next (br_if $done (i32.ge_u (local.get $i) (global.get $rows)))
          (if (i32.eq (call $due (local.get $i)) (i32.const -2147483648)) (then (global.set $flag (i32.add (global.get $flag) (i32.const 1)))))
          (local.set $i (i32.add (local.get $i) (i32.const 1))) (br $next)))
        (if (i32.and (i32.gt_u (global.get $flag) (i32.const 38)) (i32.eq (global.get $rows) (i32.const 64))) (then unreachable))";
    let c = certificate(&Guest { begin: begin.to_owned(), ..Guest::default() }.bytes(), &terms());
    assert!(failed(&c).contains(&Check::Neighbours), "{:#?}", c.checks);
}
