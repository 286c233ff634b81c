;; 电费催缴 · Reminds customers of an unpaid bill, once, some days before the late fee starts.
;;
;; The whole contract by hand: what any language has to do that compiles to WebAssembly and has no SDK here. The host makes a component of this
;; core module; wit/policy.wit says what the functions mean, and the offsets below are that file's records in the canonical ABI:
;; each field at the next multiple of its size, a list or text as address and length, a variant as a byte and then its value.
(module
  ;; 9 pages are 589 824 bytes: a full batch of these columns with its decisions. To grow memory costs a fresh instance more than anything else.
  (memory (export "memory") 9)

  ;; Below 4096: what functions return. From 4096 on: the manifest. From 8192 on: what is taken.
  (global $next (mut i32) (i32.const 8192))

  ;; The host takes memory for what it passes. Each call has a fresh instance, so nothing is ever given back.
  (func $take (export "cabi_realloc") (param $old i32) (param $old_size i32) (param $align i32) (param $size i32) (result i32)
    (local $at i32) (local $over i32)
    (local.set $at (i32.and (i32.add (global.get $next) (i32.sub (local.get $align) (i32.const 1)))
                            (i32.sub (i32.const 0) (local.get $align))))
    (global.set $next (i32.add (local.get $at) (local.get $size)))
    (local.set $over (i32.sub (global.get $next) (i32.mul (memory.size) (i32.const 65536))))
    (if (i32.gt_s (local.get $over) (i32.const 0))
      (then (if (i32.eq (memory.grow (i32.add (i32.shr_u (local.get $over) (i32.const 16)) (i32.const 1))) (i32.const -1))
        (then unreachable))))
    (memory.copy (local.get $at) (local.get $old) (local.get $old_size))
    (local.get $at))

  ;; ---- manifest: () -> address of { 0: text's address, 4: its length } ----

  (data (i32.const 4096)
    "{\"name\":\"my-policy\",\"version\":\"0.1.0\",\"topic\":\"arrears-reminder\",\"triggers\":[\"schedule\"],"
    "\"description\":\"电费催缴：在违约金起算日之前若干天提醒一次欠费客户。\","
    "\"columns\":[\"arrears\",\"late-fee-from\",\"reminded-step\"],"
    "\"parameters\":{\"type\":\"object\",\"additionalProperties\":false,\"properties\":{"
    "\"days\":{\"title\":\"提前天数\",\"description\":\"违约金起算日之前多少天开始提醒。\","
    "\"type\":\"integer\",\"minimum\":1,\"maximum\":60,\"default\":3},"
    "\"minimum\":{\"title\":\"最低欠费金额（分）\",\"description\":\"欠费少于此数不提醒。\","
    "\"type\":\"integer\",\"minimum\":1,\"maximum\":100000000,\"x-unit\":\"fen\",\"default\":100}}},"
    "\"notices\":[{\"name\":\"reminder\",\"title\":\"欠费提醒\","
    "\"arg0\":{\"name\":\"amount\",\"unit\":\"fen\"},\"arg1\":{\"name\":\"late_fee_from\",\"unit\":\"date\"}}],"
    "\"reasons\":[{\"name\":\"nothing-owed\",\"title\":\"没有欠费，或欠费太少\"},{\"name\":\"already-said\",\"title\":\"已经提醒过\"},"
    "{\"name\":\"too-early\",\"title\":\"还没到提醒的日子\"},{\"name\":\"too-late\",\"title\":\"违约金已经起算\"},"
    "{\"name\":\"due-soon\",\"title\":\"临近违约金起算日\"}],"
    "\"routes\":[\"sms\"]}\00")

  (func (export "gridbell:policy/plugin@0.1.0#manifest") (result i32)
    (local $end i32)
    (local.set $end (i32.const 4096))
    (loop $on
      (local.set $end (i32.add (local.get $end) (i32.const 1)))
      (br_if $on (i32.load8_u (local.get $end))))
    (i32.store (i32.const 16) (i32.const 4096))
    (i32.store (i32.const 20) (i32.sub (local.get $end) (i32.const 4096)))
    (i32.const 16))

  ;; ---- The rule ----

  (data (i32.const 256) "\"days\":")
  (data (i32.const 272) "\"minimum\":")

  ;; The number behind a key of the parameters. They are JSON, valid against the manifest's schema, with all defaults filled in, so the key is there.
  (func $parameter (param $text i32) (param $len i32) (param $key i32) (param $key_len i32) (result i64)
    (local $end i32) (local $k i32) (local $value i64) (local $digit i32)
    (local.set $end (i32.add (local.get $text) (local.get $len)))
    (loop $search
      (if (i32.gt_u (i32.add (local.get $text) (local.get $key_len)) (local.get $end)) (then unreachable))
      (local.set $k (i32.const 0))
      (loop $compare
        (if (i32.eq (i32.load8_u (i32.add (local.get $text) (local.get $k))) (i32.load8_u (i32.add (local.get $key) (local.get $k))))
          (then
            (local.set $k (i32.add (local.get $k) (i32.const 1)))
            (br_if $compare (i32.lt_u (local.get $k) (local.get $key_len))))
          (else
            (local.set $text (i32.add (local.get $text) (i32.const 1)))
            (br $search)))))
    (local.set $text (i32.add (local.get $text) (local.get $key_len)))
    (block $done
      (loop $digits
        (br_if $done (i32.ge_u (local.get $text) (local.get $end)))
        (local.set $digit (i32.sub (i32.load8_u (local.get $text)) (i32.const 48)))
        (local.set $text (i32.add (local.get $text) (i32.const 1)))
        (br_if $digits (i32.eq (local.get $digit) (i32.const -16))) ;; a blank
        (br_if $done (i32.gt_u (local.get $digit) (i32.const 9)))
        (local.set $value (i64.add (i64.mul (local.get $value) (i64.const 10)) (i64.extend_i32_u (local.get $digit))))
        (br $digits)))
    (local.get $value))

  ;; Figures of the rule, set once for each call.
  (global $today (mut i32) (i32.const 0))
  (global $until (mut i32) (i32.const 0))
  (global $minimum (mut i64) (i64.const 0))

  (func $prepare (param $now i64) (param $params i32) (param $len i32)
    (global.set $today (i32.wrap_i64 (i64.div_s (local.get $now) (i64.const 1440)))) ;; minutes to days
    (global.set $until (i32.add (global.get $today)
      (i32.wrap_i64 (call $parameter (local.get $params) (local.get $len) (i32.const 256) (i32.const 7)))))
    (global.set $minimum (call $parameter (local.get $params) (local.get $len) (i32.const 272) (i32.const 10))))

  ;; One customer: an index into the manifest's reasons. 4, due-soon, is the one that says something.
  (func $reason (param $arrears i64) (param $due i32) (param $said i32) (result i32)
    ;; -2147483648 is "no date", earlier than every date.
    (if (i64.lt_s (local.get $arrears) (global.get $minimum)) (then (return (i32.const 0))))
    (if (i32.eq (local.get $due) (i32.const -2147483648)) (then (return (i32.const 0))))
    (if (local.get $said) (then (return (i32.const 1))))
    (if (i32.gt_s (local.get $due) (global.get $until)) (then (return (i32.const 2))))
    (if (i32.le_s (local.get $due) (global.get $today)) (then (return (i32.const 3))))
    (i32.const 4))

  ;; ---- interest: the fields of `run`, flat -> address of { 0: 0 for ok, 4: 1 for any-of, 8: clauses' address, 12: their number } ----

  (func (export "gridbell:policy/plugin@0.1.0#interest")
    (param $prefecture i32) (param $now i64) (param $trigger i32) (param $schedule i32) (param $schedule_len i32)
    (param $facts i32) (param $fact_count i32) (param $params i32) (param $params_len i32)
    (param $first i32) (param $known_until i32) (param $bits i32) (param $words i32) (result i32)
    (call $prepare (local.get $now) (local.get $params) (local.get $params_len))
    (i32.store8 (i32.const 32) (i32.const 0))
    (i32.store8 (i32.const 36) (i32.const 1))
    (i32.store (i32.const 40) (i32.const 48))
    (i32.store (i32.const 44) (i32.const 1))
    ;; One clause: { bounds' address, their number }.
    (i32.store (i32.const 48) (i32.const 64))
    (i32.store (i32.const 52) (i32.const 3))
    ;; A bound: { 0: column's id, 2: test (0 is between), 8: low, 16: high }, 24 bytes. Ids are those of wit/REGISTRY.md.
    (i32.store16 (i32.const 64) (i32.const 4)) ;; late-fee-from
    (i64.store (i32.const 72) (i64.extend_i32_s (i32.add (global.get $today) (i32.const 1))))
    (i64.store (i32.const 80) (i64.extend_i32_s (global.get $until)))
    (i32.store16 (i32.const 88) (i32.const 2)) ;; arrears
    (i64.store (i32.const 96) (global.get $minimum))
    (i64.store (i32.const 104) (i64.const 9223372036854775807))
    (i32.store16 (i32.const 112) (i32.const 6)) ;; reminded-step
    (i64.store (i32.const 120) (i64.const -9223372036854775808))
    (i64.store (i32.const 128) (i64.const 0))
    (i32.const 32))

  ;; ---- decide and explain: address of run and batch -> address of { 0: 0 for ok, 4: list's address, 8: its length } ----
  ;;
  ;; run:   0 prefecture, 8 now, 16 trigger, 20 schedule, 28 facts, 36 params, 44 workdays (first, known until, words); 64 bytes
  ;; batch: 64 subject, 68 rows, 72 columns' address, 76 their number
  ;; column, 16 bytes: 0 id, 4 kind (0 u8, 1 u16, 2 u32, 3 s32, 4 s64), 8 values' address, 12 their number; in the manifest's order

  (func $begin (param $call i32)
    (call $prepare (i64.load offset=8 (local.get $call)) (i32.load offset=36 (local.get $call)) (i32.load offset=40 (local.get $call))))

  (func $arrears (param $call i32) (param $row i32) (result i64)
    (i64.load (i32.add (i32.load offset=8 (i32.load offset=72 (local.get $call))) (i32.shl (local.get $row) (i32.const 3)))))
  (func $due (param $call i32) (param $row i32) (result i32)
    (i32.load (i32.add (i32.load offset=24 (i32.load offset=72 (local.get $call))) (i32.shl (local.get $row) (i32.const 2)))))
  (func $said (param $call i32) (param $row i32) (result i32)
    (i32.load8_u (i32.add (i32.load offset=40 (i32.load offset=72 (local.get $call))) (local.get $row))))
  (func $reason_of (param $call i32) (param $row i32) (result i32)
    (call $reason (call $arrears (local.get $call) (local.get $row)) (call $due (local.get $call) (local.get $row))
                  (call $said (local.get $call) (local.get $row))))

  (func $ok (param $list i32) (param $len i32) (result i32)
    (i32.store8 (i32.const 32) (i32.const 0))
    (i32.store (i32.const 36) (local.get $list))
    (i32.store (i32.const 40) (local.get $len))
    (i32.const 32))

  ;; A decision: 0 row, 4 notice, 6 step, 8 reason, 10 route, 16 arg0, 24 arg1, 32 not before, 40 expires; 48 bytes.
  (func (export "gridbell:policy/plugin@0.1.0#decide") (param $call i32) (result i32)
    (local $row i32) (local $rows i32) (local $list i32) (local $d i32)
    (call $begin (local.get $call))
    (local.set $rows (i32.load offset=68 (local.get $call)))
    (local.set $list (call $take (i32.const 0) (i32.const 0) (i32.const 8) (i32.mul (local.get $rows) (i32.const 48))))
    (local.set $d (local.get $list))
    (block $done
      (loop $each
        (br_if $done (i32.ge_u (local.get $row) (local.get $rows)))
        (if (i32.eq (call $reason_of (local.get $call) (local.get $row)) (i32.const 4))
          (then
            (i32.store (local.get $d) (local.get $row))
            (i32.store16 offset=4 (local.get $d) (i32.const 0)) ;; reminder
            (i32.store8 offset=6 (local.get $d) (i32.const 1))
            (i32.store16 offset=8 (local.get $d) (i32.const 4)) ;; due-soon
            (i32.store16 offset=10 (local.get $d) (i32.const 0)) ;; sms
            (i64.store offset=16 (local.get $d) (call $arrears (local.get $call) (local.get $row)))
            (i64.store offset=24 (local.get $d) (i64.extend_i32_s (call $due (local.get $call) (local.get $row))))
            (i64.store offset=32 (local.get $d) (i64.const -9223372036854775808)) ;; none
            ;; 到违约金起算日还发不出去就不发了。Worthless once the late fee has started.
            (i64.store offset=40 (local.get $d)
              (i64.mul (i64.extend_i32_s (call $due (local.get $call) (local.get $row))) (i64.const 1440)))
            (local.set $d (i32.add (local.get $d) (i32.const 48)))))
        (local.set $row (i32.add (local.get $row) (i32.const 1)))
        (br $each)))
    (call $ok (local.get $list) (i32.div_u (i32.sub (local.get $d) (local.get $list)) (i32.const 48))))

  (func (export "gridbell:policy/plugin@0.1.0#explain") (param $call i32) (result i32)
    (local $row i32) (local $rows i32) (local $list i32)
    (call $begin (local.get $call))
    (local.set $rows (i32.load offset=68 (local.get $call)))
    (local.set $list (call $take (i32.const 0) (i32.const 0) (i32.const 8) (i32.mul (local.get $rows) (i32.const 2))))
    (block $done
      (loop $each
        (br_if $done (i32.ge_u (local.get $row) (local.get $rows)))
        (i32.store16 (i32.add (local.get $list) (i32.shl (local.get $row) (i32.const 1)))
          (call $reason_of (local.get $call) (local.get $row)))
        (local.set $row (i32.add (local.get $row) (i32.const 1)))
        (br $each)))
    (call $ok (local.get $list) (local.get $rows))))
