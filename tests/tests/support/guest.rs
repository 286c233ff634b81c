//! Guests written by hand after the contract's canonical ABI: what no honest author's plugin does, or does only sometimes.

use serde_json::json;

/// Nobody is chosen.
pub(crate) const NOBODY: &str = "(i32.store8 (i32.const 8192) (i32.const 0)) (i32.store (i32.const 8196) (i32.const 0)) (i32.store (i32.const 8200) (i32.const 0)) (i32.const 8192)";

/// A guest over `arrears` with one notice, two reasons and one route.
pub(crate) struct Guest {
    /// Its name.
    pub(crate) name: String,
    /// Its version.
    pub(crate) version: String,
    /// The body of `decide`, which gets its arguments at `$args`.
    pub(crate) decide: String,
    /// First in the module: imports, a start function.
    pub(crate) more: String,
}

impl Guest {
    /// A guest with this body of `decide`.
    pub(crate) fn new(name: &str, version: &str, decide: &str) -> Self {
        Self { name: name.into(), version: version.into(), decide: decide.into(), more: String::new() }
    }

    /// One that chooses who owes `from` to `to` fen, with the first reason, from `much` on with the second; before that it counts to `spin` for each batch.
    pub(crate) fn choosing(version: &str, from: i64, to: i64, much: i64, spin: i64) -> Self {
        let decide = format!(
            r"(local $rows i32) (local $values i32) (local $i i32) (local $list i32) (local $n i32) (local $v i64) (local $spin i64) (local $at i32)
(local.set $rows (i32.load offset=68 (local.get $args)))
(local.set $values (i32.load offset=8 (i32.load offset=72 (local.get $args))))
(local.set $list (call $alloc (i32.mul (local.get $rows) (i32.const 48))))
;; What is counted is stored, so that no compiler leaves the counting out.
(block $counted (loop $count
  (br_if $counted (i64.ge_s (local.get $spin) (i64.const {spin})))
  (local.set $spin (i64.add (local.get $spin) (i64.const 1)))
  (i64.store (i32.const 12288) (local.get $spin))
  (br $count)))
(block $done (loop $next
  (br_if $done (i32.ge_u (local.get $i) (local.get $rows)))
  (local.set $v (i64.load (i32.add (local.get $values) (i32.mul (local.get $i) (i32.const 8)))))
  (if (i32.and (i64.ge_s (local.get $v) (i64.const {from})) (i64.le_s (local.get $v) (i64.const {to}))) (then
    (local.set $at (i32.add (local.get $list) (i32.mul (local.get $n) (i32.const 48))))
    (i32.store (local.get $at) (local.get $i))
    (i32.store16 offset=4 (local.get $at) (i32.const 0))
    (i32.store8 offset=6 (local.get $at) (i32.const 1))
    (i32.store16 offset=8 (local.get $at) (i64.ge_s (local.get $v) (i64.const {much})))
    (i32.store16 offset=10 (local.get $at) (i32.const 0))
    (i64.store offset=16 (local.get $at) (local.get $v))
    (i64.store offset=24 (local.get $at) (i64.const 0))
    (i64.store offset=32 (local.get $at) (i64.const -9223372036854775808))
    (i64.store offset=40 (local.get $at) (i64.const -9223372036854775808))
    (local.set $n (i32.add (local.get $n) (i32.const 1)))))
  (local.set $i (i32.add (local.get $i) (i32.const 1)))
  (br $next)))
(i32.store8 (i32.const 8192) (i32.const 0)) (i32.store (i32.const 8196) (local.get $list)) (i32.store (i32.const 8200) (local.get $n))
(i32.const 8192)"
        );
        Self::new("hand-made", version, &decide)
    }

    /// As a core module, which the host makes a component.
    pub(crate) fn bytes(&self) -> Vec<u8> {
        let manifest = json!({
            "name": self.name, "version": self.version, "topic": "arrears-reminder", "triggers": ["schedule"], "columns": ["arrears"],
            "parameters": { "type": "object", "properties": {}, "additionalProperties": false },
            "notices": [{ "name": "reminder", "title": "催缴", "arg0": { "name": "amount", "unit": "fen" },
                "arg1": { "name": "late_fee_from", "unit": "date" } }],
            "reasons": [{ "name": "owes", "title": "欠费" }, { "name": "owes-much", "title": "欠费较多" }], "routes": ["sms"],
        })
        .to_string();
        let data: String = manifest.bytes().map(|b| format!("\\{b:02x}")).collect();
        let length = manifest.len();
        let Self { decide, more, .. } = self;
        let text = format!(
            r#"(module {more}
(memory (export "memory") 4)
(global $top (mut i32) (i32.const 65536))
(data (i32.const 16) "{data}")
(func $alloc (param $len i32) (result i32) (local $at i32)
  (local.set $at (i32.and (i32.add (global.get $top) (i32.const 15)) (i32.const -16)))
  (global.set $top (i32.add (local.get $at) (local.get $len)))
  (block $fits (loop $grow
    (br_if $fits (i32.le_u (global.get $top) (i32.mul (memory.size) (i32.const 65536))))
    (br_if $fits (i32.eq (memory.grow (i32.const 16)) (i32.const -1)))
    (br $grow)))
  (local.get $at))
(func (export "cabi_realloc") (param i32 i32 i32 i32) (result i32) (call $alloc (local.get 3)))
(func (export "gridbell:policy/plugin@0.1.0#manifest") (result i32)
  (i32.store (i32.const 0) (i32.const 16)) (i32.store (i32.const 4) (i32.const {length})) (i32.const 0))
(func (export "gridbell:policy/plugin@0.1.0#interest") (param i32 i64 i32 i32 i32 i32 i32 i32 i32 i32 i32 i32 i32) (result i32)
  ;; ok, clauses, one clause: column 2 (arrears), test 0 (between), 0 to the greatest: everybody.
  (i32.store8 (i32.const 4096) (i32.const 0))
  (i32.store8 (i32.const 4100) (i32.const 1))
  (i32.store (i32.const 4104) (i32.const 4112))
  (i32.store (i32.const 4108) (i32.const 1))
  (i32.store (i32.const 4112) (i32.const 4128))
  (i32.store (i32.const 4116) (i32.const 1))
  (i32.store16 (i32.const 4128) (i32.const 2))
  (i32.store8 (i32.const 4130) (i32.const 0))
  (i64.store (i32.const 4136) (i64.const 0))
  (i64.store (i32.const 4144) (i64.const 9223372036854775807))
  (i32.const 4096))
(func (export "gridbell:policy/plugin@0.1.0#decide") (param $args i32) (result i32) {decide})
(func (export "gridbell:policy/plugin@0.1.0#explain") (param $args i32) (result i32) unreachable))"#
        );
        wat::parse_str(text).expect("the guest is text that assembles")
    }
}
