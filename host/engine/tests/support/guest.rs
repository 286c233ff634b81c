//! Guests written by hand as core modules. The module follows the canonical ABI of the contract; the host makes it a component, as it does for any
//! author.

#![allow(dead_code, reason = "each test file uses its part")]

use gridbell_engine::{Engine, Plugin, compile};

pub(crate) const MEMORY: usize = 64 << 20;

pub(crate) const MANIFEST: &str = r#"{"name":"hand-made","version":"1.0.0","topic":"arrears-reminder","triggers":["schedule"],"columns":["arrears"],
"parameters":{"type":"object","properties":{},"additionalProperties":false},
"notices":[{"name":"reminder","title":"催缴"}],"reasons":[{"name":"owes","title":"欠费"},{"name":"owes-nothing","title":"不欠费"}],"routes":["sms"]}"#;

/// The bodies of a guest's functions, in WAT; the rest is the same for all.
pub(crate) struct Guest {
    pub(crate) manifest: String,
    pub(crate) pages: u32,
    /// `(param $args i32) (result i32)`, the record of run and batch at `$args`.
    pub(crate) decide: String,
    /// Thirteen flat parameters, `(result i32)`.
    pub(crate) interest: String,
    pub(crate) explain: String,
    /// `(param $old i32) (param $old_len i32) (param $align i32) (param $len i32) (result i32)`.
    pub(crate) realloc: String,
    /// Imports, first in the module.
    pub(crate) imports: String,
    /// More functions, a start function, …
    pub(crate) more: String,
}

/// Chooses whoever owes something; says so in its interest and explains it.
impl Default for Guest {
    fn default() -> Self {
        Self {
            manifest: MANIFEST.to_owned(),
            pages: 2,
            decide: CHOOSE.to_owned(),
            interest: interest(&[(2, 0, 1, i64::MAX)]),
            explain: EXPLAIN.to_owned(),
            realloc: "(call $alloc (local.get $len))".to_owned(),
            imports: String::new(),
            more: String::new(),
        }
    }
}

/// Writes a decision about row `$i` at `$out`.
const CHOOSE: &str = r#"
(local $rows i32) (local $values i32) (local $i i32) (local $list i32) (local $n i32) (local $ret i32)
(local.set $rows (i32.load offset=68 (local.get $args)))
(local.set $values (i32.load offset=8 (i32.load offset=72 (local.get $args))))
(local.set $list (call $alloc (i32.mul (local.get $rows) (i32.const 48))))
(block $done (loop $next
  (br_if $done (i32.ge_u (local.get $i) (local.get $rows)))
  (if (i64.gt_s (i64.load (i32.add (local.get $values) (i32.mul (local.get $i) (i32.const 8)))) (i64.const 0)) (then
    (call $decision (i32.add (local.get $list) (i32.mul (local.get $n) (i32.const 48))) (local.get $i)
      (i64.load (i32.add (local.get $values) (i32.mul (local.get $i) (i32.const 8)))))
    (local.set $n (i32.add (local.get $n) (i32.const 1)))))
  (local.set $i (i32.add (local.get $i) (i32.const 1)))
  (br $next)))
(call $ok (local.get $list) (local.get $n))
"#;

const EXPLAIN: &str = r#"
(local $rows i32) (local $values i32) (local $i i32) (local $list i32)
(local.set $rows (i32.load offset=68 (local.get $args)))
(local.set $values (i32.load offset=8 (i32.load offset=72 (local.get $args))))
(local.set $list (call $alloc (i32.mul (local.get $rows) (i32.const 2))))
(block $done (loop $next
  (br_if $done (i32.ge_u (local.get $i) (local.get $rows)))
  (i32.store16 (i32.add (local.get $list) (i32.mul (local.get $i) (i32.const 2)))
    (i64.le_s (i64.load (i32.add (local.get $values) (i32.mul (local.get $i) (i32.const 8)))) (i64.const 0)))
  (local.set $i (i32.add (local.get $i) (i32.const 1)))
  (br $next)))
(call $ok (local.get $list) (local.get $rows))
"#;

/// An interest of one clause with these bounds: column, test, low, high.
pub(crate) fn interest(bounds: &[(u16, u8, i64, i64)]) -> String {
    let mut wat = String::from("(local $b i32) (local $r i32)\n");
    wat += &format!("(local.set $b (call $alloc (i32.const {})))\n", 24 * bounds.len().max(1));
    for (n, (column, test, low, high)) in bounds.iter().enumerate() {
        let at = n * 24;
        wat += &format!("(i32.store16 offset={at} (local.get $b) (i32.const {column}))\n");
        wat += &format!("(i32.store8 offset={} (local.get $b) (i32.const {test}))\n", at + 2);
        wat += &format!("(i64.store offset={} (local.get $b) (i64.const {low}))\n", at + 8);
        wat += &format!("(i64.store offset={} (local.get $b) (i64.const {high}))\n", at + 16);
    }
    // result<interest-set, string>: case at 0, the set's case at 4, its list at 8 and 12. The list of one clause stands at 16.
    wat += "(local.set $r (call $alloc (i32.const 32)))
(i32.store8 offset=4 (local.get $r) (i32.const 1))
(i32.store offset=8 (local.get $r) (i32.add (local.get $r) (i32.const 16)))
(i32.store offset=12 (local.get $r) (i32.const 1))
(i32.store offset=16 (local.get $r) (local.get $b))\n";
    wat += &format!("(i32.store offset=20 (local.get $r) (i32.const {}))\n(local.get $r)", bounds.len());
    wat
}

impl Guest {
    pub(crate) fn wat(&self) -> String {
        let data: String = self.manifest.bytes().map(|b| format!("\\{b:02x}")).collect();
        let len = self.manifest.len();
        // The heap begins behind the manifest.
        let top = (len + 32).next_multiple_of(16).max(16_384);
        let pages = self.pages.max(u32::try_from(top / 65_536).unwrap() + 2);
        let Self { decide, interest, explain, realloc, imports, more, .. } = self;
        format!(
            r#"(module {imports}
(memory (export "memory") {pages})
(global $top (mut i32) (i32.const {top}))
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
(func $err (param $ptr i32) (param $len i32) (result i32) (local $r i32)
  (local.set $r (call $ok (local.get $ptr) (local.get $len)))
  (i32.store8 (local.get $r) (i32.const 1))
  (local.get $r))
(func $decision (param $at i32) (param $row i32) (param $arg i64)
  (i32.store (local.get $at) (local.get $row))
  (i32.store16 offset=4 (local.get $at) (i32.const 0))
  (i32.store8 offset=6 (local.get $at) (i32.const 1))
  (i32.store offset=8 (local.get $at) (i32.const 0))
  (i64.store offset=16 (local.get $at) (local.get $arg))
  (i64.store offset=24 (local.get $at) (i64.const 0))
  (i64.store offset=32 (local.get $at) (i64.const -9223372036854775808))
  (i64.store offset=40 (local.get $at) (i64.const -9223372036854775808)))
(func (export "cabi_realloc") (param $old i32) (param $old_len i32) (param $align i32) (param $len i32) (result i32) {realloc})
(func (export "gridbell:policy/plugin@0.1.0#manifest") (result i32)
  (i32.store (i32.const 0) (i32.const 16)) (i32.store (i32.const 4) (i32.const {len})) (i32.const 0))
(func (export "gridbell:policy/plugin@0.1.0#interest")
  (param i32 i64 i32 i32 i32 i32 i32 i32 i32 i32 i32 i32 i32) (result i32) {interest})
(func (export "gridbell:policy/plugin@0.1.0#decide") (param $args i32) (result i32) {decide})
(func (export "gridbell:policy/plugin@0.1.0#explain") (param $args i32) (result i32) {explain})
{more})"#
        )
    }

    pub(crate) fn bytes(&self) -> Vec<u8> {
        wat::parse_str(self.wat()).unwrap()
    }

    pub(crate) fn load(&self, engine: &Engine) -> Plugin {
        engine.adopt(&compile(&self.bytes(), MEMORY).unwrap()).unwrap()
    }
}
