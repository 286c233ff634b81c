//! A small policy written by hand, good as it stands and broken in one place by each test, and what it takes to certify it.

#![allow(dead_code, reason = "each test file uses its part")]

use gridbell_certify::{Cancel, Certificate, Check, Terms, certify};
use gridbell_clock::{Clock, Seed};
use gridbell_engine::{Engine, EngineConfig, compile};
use gridbell_planner::Calendar;

pub(crate) const MEMORY: usize = 64 << 20;

const MANIFEST: &str = r#"{"name":"hand-made","version":"1.0.0","topic":"arrears-reminder","triggers":["schedule"],
"columns":["traits","arrears","late-fee-from","reminded-step","months-owed"],
"parameters":{"type":"object","properties":{"minimum":{"type":"integer","minimum":1,"maximum":100000000,"default":100}},"additionalProperties":false},
"notices":[{"name":"reminder","title":"催缴"}],
"reasons":[{"name":"owes","title":"欠费"},{"name":"owes-nothing","title":"不欠费"},{"name":"already-said","title":"已提醒"}],"routes":["sms"]}"#;

/// Reminds whoever owes a yuan or more, once, in the seven days before the late fee starts. Code in WAT is put in where the fields say.
#[derive(Default)]
pub(crate) struct Guest {
    /// At the beginning of `decide` and `explain`, when `$rows`, `$today` and the columns are known; `$args` is the record of run and batch.
    pub(crate) begin: String,
    /// At the beginning of the rule for row `$i`, which returns the step, 0 for none.
    pub(crate) rule: String,
    /// When the decision about row `$i` has been written at `$at`.
    pub(crate) decision: String,
    /// When the reason for row `$i` has been written at `$at`.
    pub(crate) reason: String,
    /// How many days ahead its interest looks.
    pub(crate) interest_days: Option<u8>,
    /// In `decide` and `explain` before anything is answered: what `(return (call $err))` is wrapped in; `$len` is the length of the parameters.
    pub(crate) refuse: &'static str,
    /// The rule from where it is known that something is owed; `$left` are the days that are left.
    pub(crate) when: Option<&'static str>,
}

impl Guest {
    pub(crate) fn bytes(&self) -> Vec<u8> {
        let data: String = MANIFEST.bytes().map(|b| format!("\\{b:02x}")).collect();
        let len = MANIFEST.len();
        let Self { begin, rule, decision, reason, refuse, .. } = self;
        let days = self.interest_days.unwrap_or(7);
        let when = self.when.unwrap_or(
            "(i32.and (i32.and (i32.ge_s (local.get $left) (i32.const 1)) (i32.le_s (local.get $left) (i32.const 7)))
              (i32.eqz (call $said (local.get $i))))",
        );
        let wat = format!(
            r#"(module
(memory (export "memory") 2)
(global $top (mut i32) (i32.const 16384))
(global $args (mut i32) (i32.const 0))
(global $rows (mut i32) (i32.const 0))
(global $today (mut i32) (i32.const 0))
(global $flag (mut i32) (i32.const 0))
(data (i32.const 16) "{data}")
(func $alloc (param $len i32) (result i32) (local $at i32)
  (local.set $at (i32.and (i32.add (global.get $top) (i32.const 15)) (i32.const -16)))
  (global.set $top (i32.add (local.get $at) (local.get $len)))
  (if (i32.gt_u (global.get $top) (i32.mul (memory.size) (i32.const 65536))) (then
    (drop (memory.grow (i32.add (i32.const 1) (i32.div_u (local.get $len) (i32.const 65536)))))))
  (local.get $at))
(func $ok (param $ptr i32) (param $len i32) (result i32) (local $r i32)
  (local.set $r (call $alloc (i32.const 16)))
  (i32.store8 (local.get $r) (i32.const 0))
  (i32.store offset=4 (local.get $r) (local.get $ptr))
  (i32.store offset=8 (local.get $r) (local.get $len))
  (local.get $r))
(func $err (result i32) (local $r i32)
  (local.set $r (call $ok (i32.const 18) (i32.const 4)))
  (i32.store8 (local.get $r) (i32.const 1))
  (local.get $r))
(func $column (param $n i32) (result i32)
  (i32.load offset=8 (i32.add (i32.load offset=72 (global.get $args)) (i32.mul (local.get $n) (i32.const 16)))))
(func $traits (param $i i32) (result i32) (i32.load (i32.add (call $column (i32.const 0)) (i32.mul (local.get $i) (i32.const 4)))))
(func $arrears (param $i i32) (result i64) (i64.load (i32.add (call $column (i32.const 1)) (i32.mul (local.get $i) (i32.const 8)))))
(func $due (param $i i32) (result i32) (i32.load (i32.add (call $column (i32.const 2)) (i32.mul (local.get $i) (i32.const 4)))))
(func $said (param $i i32) (result i32) (i32.load8_u (i32.add (call $column (i32.const 3)) (local.get $i))))
(func $months (param $i i32) (result i32) (i32.load8_u (i32.add (call $column (i32.const 4)) (local.get $i))))
(func $begin (param $args i32)
  (global.set $args (local.get $args))
  (global.set $rows (i32.load offset=68 (local.get $args)))
  (global.set $today (i32.wrap_i64 (i64.div_s (i64.load offset=8 (local.get $args)) (i64.const 1440))))
  (call $more (local.get $args)))
(func $more (param $args i32) (local $i i32) {begin})
(func $rule (param $i i32) (result i32) (local $left i32) (local $n i32)
  {rule}
  (if (i64.lt_s (call $arrears (local.get $i)) (i64.const 100)) (then (return (i32.const 0))))
  (if (i32.eq (call $due (local.get $i)) (i32.const -2147483648)) (then (return (i32.const 0))))
  (local.set $left (i32.sub (call $due (local.get $i)) (global.get $today)))
  {when})
(func (export "cabi_realloc") (param $old i32) (param $old_len i32) (param $align i32) (param $len i32) (result i32)
  (call $alloc (local.get $len)))
(func (export "gridbell:policy/plugin@0.1.0#manifest") (result i32)
  (i32.store (i32.const 0) (i32.const 16)) (i32.store (i32.const 4) (i32.const {len})) (i32.const 0))
(func $bound (param $at i32) (param $column i32) (param $low i64) (param $high i64)
  (i32.store16 (local.get $at) (local.get $column))
  (i32.store8 offset=2 (local.get $at) (i32.const 0))
  (i64.store offset=8 (local.get $at) (local.get $low))
  (i64.store offset=16 (local.get $at) (local.get $high)))
(func (export "gridbell:policy/plugin@0.1.0#interest")
  (param $p i32) (param $now i64) (param i32 i32 i32 i32 i32 i32 i32 i32 i32 i32 i32) (result i32) (local $b i32) (local $r i32) (local $today i64)
  (local $len i32)
  (local.set $len (local.get 8))
  {refuse}
  (local.set $today (i64.div_s (local.get $now) (i64.const 1440)))
  (local.set $b (call $alloc (i32.const 72)))
  (call $bound (local.get $b) (i32.const 2) (i64.const 100) (i64.const 9223372036854775807))
  (call $bound (i32.add (local.get $b) (i32.const 24)) (i32.const 4)
    (i64.sub (local.get $today) (i64.const 1)) (i64.add (local.get $today) (i64.const {days})))
  (call $bound (i32.add (local.get $b) (i32.const 48)) (i32.const 6) (i64.const 0) (i64.const 255))
  (local.set $r (call $alloc (i32.const 32)))
  (i32.store8 offset=4 (local.get $r) (i32.const 1))
  (i32.store offset=8 (local.get $r) (i32.add (local.get $r) (i32.const 16)))
  (i32.store offset=12 (local.get $r) (i32.const 1))
  (i32.store offset=16 (local.get $r) (local.get $b))
  (i32.store offset=20 (local.get $r) (i32.const 3))
  (local.get $r))
(func (export "gridbell:policy/plugin@0.1.0#decide") (param $args i32) (result i32)
  (local $i i32) (local $list i32) (local $n i32) (local $at i32) (local $step i32) (local $len i32)
  (call $begin (local.get $args))
  (local.set $len (i32.load offset=40 (local.get $args)))
  {refuse}
  (local.set $list (call $alloc (i32.mul (global.get $rows) (i32.const 48))))
  (block $done (loop $next
    (br_if $done (i32.ge_u (local.get $i) (global.get $rows)))
    (local.set $step (call $rule (local.get $i)))
    (if (local.get $step) (then
      (local.set $at (i32.add (local.get $list) (i32.mul (local.get $n) (i32.const 48))))
      (i32.store (local.get $at) (local.get $i))
      (i32.store16 offset=4 (local.get $at) (i32.const 0))
      (i32.store8 offset=6 (local.get $at) (local.get $step))
      (i32.store offset=8 (local.get $at) (i32.const 0))
      (i64.store offset=16 (local.get $at) (call $arrears (local.get $i)))
      (i64.store offset=24 (local.get $at) (i64.const 0))
      (i64.store offset=32 (local.get $at) (i64.const -9223372036854775808))
      (i64.store offset=40 (local.get $at) (i64.const -9223372036854775808))
      {decision}
      (local.set $n (i32.add (local.get $n) (i32.const 1)))))
    (local.set $i (i32.add (local.get $i) (i32.const 1)))
    (br $next)))
  (call $ok (local.get $list) (local.get $n)))
(func (export "gridbell:policy/plugin@0.1.0#explain") (param $args i32) (result i32)
  (local $i i32) (local $list i32) (local $at i32) (local $len i32)
  (call $begin (local.get $args))
  (local.set $len (i32.load offset=40 (local.get $args)))
  {refuse}
  (local.set $list (call $alloc (i32.mul (global.get $rows) (i32.const 2))))
  (block $done (loop $next
    (br_if $done (i32.ge_u (local.get $i) (global.get $rows)))
    (local.set $at (i32.add (local.get $list) (i32.mul (local.get $i) (i32.const 2))))
    (i32.store16 (local.get $at) (i32.eqz (call $rule (local.get $i))))
    {reason}
    (local.set $i (i32.add (local.get $i) (i32.const 1)))
    (br $next)))
  (call $ok (local.get $list) (global.get $rows)))
)"#
        );
        wat::parse_str(wat).unwrap()
    }
}

pub(crate) fn calendar() -> Calendar {
    Calendar::parse("calendar.toml", include_str!("../../../../policies/calendar.toml")).unwrap()
}

pub(crate) fn terms() -> Terms {
    Terms::new(calendar(), "2026-11-21 09:00".parse().unwrap(), Seed(7))
}

pub(crate) fn engine() -> Engine {
    Engine::new(EngineConfig { threads: 1, ..EngineConfig::default() }, Clock::system()).unwrap()
}

pub(crate) fn certificate(upload: &[u8], terms: &Terms) -> Certificate {
    let engine = engine();
    let plugin = engine.adopt(&compile(upload, MEMORY).unwrap()).unwrap();
    certify(&engine, &plugin, upload, terms, &mut |_| {}, &Cancel::default()).unwrap()
}

/// The checks that a certificate fails.
pub(crate) fn failed(certificate: &Certificate) -> Vec<Check> {
    certificate.checks.iter().filter(|c| !c.passed).map(|c| c.name).collect()
}
