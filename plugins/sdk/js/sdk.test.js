// The SDK's own tests: node --test plugins/sdk/js
import assert from "node:assert/strict";
import { test } from "node:test";

import { at, choice, columns, date, everyone, fen, flag, list, nobody, policy, traits, weekday, whole, ymd } from "./index.js";
import { contains, crossing } from "./interest.js";
import { Run } from "./run.js";
import { plugin as reminder } from "../../arrears-reminder-js/policy.js";

const TODAY = date(2026, 11, 21);

/** A run as it crosses, with a calendar from `first` on that says `works(day)` of each day. */
function crossed(params = {}, { first = TODAY - 40, days = 300, works = (day) => weekday(day) < 5 } = {}) {
  const bits = [];
  for (let n = 0; n < days; n++) {
    bits[n >> 6] ??= [0, 0];
    if (works(first + n)) bits[n >> 6][(n >> 5) & 1] = (bits[n >> 6][(n >> 5) & 1] | (1 << (n & 31))) >>> 0;
  }
  const workdays = { first, knownUntil: first + days - 1, bits };
  return { prefecture: 140100, now: at(TODAY, 9), trigger: 1, schedule: "daily", facts: [{ id: 1, value: 5 }], params: JSON.stringify(params), workdays };
}

function batch(used, rows) {
  const ids = used.map((key) => columns[key].id);
  return { subject: 0, rows: rows.length, columns: ids.map((id, n) => ({ id, values: { tag: "s64s", val: rows.map((row) => row[n]) } })) };
}

const minimal = (over = {}) => ({
  name: "p", version: "0.1.0", description: "d", topic: "t", on: ["schedule"], parameters: {}, customer: ["arrears", "lateFeeFrom"],
  notices: { n: { title: "n", numbers: { amount: "fen", due: "date" } } }, reasons: { no: "没有", yes: "有" }, routes: ["sms", "wechat"],
  prepare: (run) => ({ today: run.today }), interest: () => everyone, decide: () => "no", ...over,
});
const none = -2147483648;

test("dates", () => {
  assert.equal(date(1970, 1, 1), 0);
  assert.equal(weekday(date(2026, 11, 22)), 6);
  for (let day = date(1899, 12, 1); day < date(2101, 3, 1); day += 13) {
    const { year, month, day: d } = ymd(day);
    assert.equal(date(year, month, d), day);
  }
  assert.deepEqual(ymd(date(2028, 2, 29)), { year: 2028, month: 2, day: 29 });
});

test("working days come from both halves of a word, and from weekdays outside the calendar", () => {
  const first = TODAY - 40;
  const odd = new Set([first, first + 31, first + 32, first + 63, first + 64, first + 127]);
  const run = new Run(crossed({}, { first, days: 128, works: (day) => odd.has(day) }));
  for (let day = first; day < first + 128; day++) assert.equal(run.workdays.works(day), odd.has(day), String(day - first));
  for (const day of [first - 1, first - 2, first + 128, first + 129]) assert.equal(run.workdays.works(day), weekday(day) < 5);
  const plain = new Run(crossed());
  assert.equal(plain.ahead(1, "working"), date(2026, 11, 24), "Saturday to the day after Monday");
  assert.equal(plain.back(1, "working"), date(2026, 11, 19));
  assert.equal(plain.workdays.between(TODAY, TODAY + 14), 10);
  assert.equal(plain.ahead(7), TODAY + 7);
  assert.equal(plain.fact("catch-up-minutes"), 5);
  assert.equal(plain.fact("previous-run"), undefined);
  assert.ok(plain.is("schedule") && !plain.is("payment-received"));
  assert.throws(() => plain.is("full-moon"), /no trigger `full-moon`/);
  const never = new Run(crossed({}, { days: 5000, works: () => false }));
  assert.equal(never.workdays.ahead(TODAY, 1), TODAY + 3660, "a calendar without working days ends the search");
});

test("interest crosses as the contract says", () => {
  const bound = columns.arrears.atLeast(100);
  assert.deepEqual(crossing(everyone), { tag: "everyone" });
  assert.deepEqual(crossing(nobody), { tag: "any-of", val: [] });
  assert.deepEqual(crossing([[bound], [columns.arrears.atLeast(100)]]), { tag: "any-of", val: [[bound]] });
  assert.deepEqual(crossing([[bound], []]), { tag: "everyone" });
  assert.throws(() => crossing([bound]), /list of clauses/);
  assert.throws(() => columns.arrears.atLeast(undefined), /`arrears` is `undefined`/);
  const row = (values) => (id) => values[id];
  const inside = (bounds, values) => contains(crossing([bounds]), row(values), (id) => (id === 4 ? none : null));
  assert.ok(inside([columns.lateFeeFrom.atMost(5)], { 4: 5 }) && !inside([columns.lateFeeFrom.atMost(5)], { 4: none }));
  assert.ok(inside([columns.traits.noneOf(traits.prepaid)], { 1: 3 }) && !inside([columns.traits.allOf(6)], { 1: 2 }));
  assert.ok(inside([columns.traits.anyOf(6)], { 1: 2 }));
});

test("parameters become the schema, and their defaults are filled in", () => {
  let seen;
  const parameters = {
    minimum: fen({ title: "最低", default: 100 }), on: flag({ title: "开" }), days: list({ title: "天", most: 3, range: [1, 9], default: [7] }),
    word: choice({ a: "甲", b: "乙" }, { title: "字", default: "a" }), n: whole({ title: "数", range: [0, 5] }),
  };
  const made = policy(minimal({ parameters, prepare: (_, given) => (seen = given) }));
  const { properties } = JSON.parse(made.manifest()).parameters;
  assert.deepEqual(properties.minimum, { title: "最低", type: "integer", minimum: -1e12, maximum: 1e12, "x-unit": "fen", default: 100 });
  assert.deepEqual(properties.word, { title: "字", type: "string", enum: ["a", "b"], "x-enum-titles": ["甲", "乙"], default: "a" });
  made.interest(crossed({ n: 3 }));
  assert.deepEqual(seen, { minimum: 100, on: undefined, days: [7], word: "a", n: 3 });
  assert.throws(() => whole({ title: "x" }), /needs `range/);
  assert.throws(() => flag({}), /needs a `title`/);
});

test("answers become decisions; one that is given twice is two", () => {
  let kept;
  const made = policy(
    minimal({
      decide(customer, rule, say) {
        if (customer.lateFeeFrom === null) return "no";
        kept ??= say("n", { because: "yes", numbers: { amount: 7, due: null }, step: 2, via: "wechat", expires: 99 });
        return kept;
      },
    }),
  );
  const asked = batch(["arrears", "lateFeeFrom"], [[1, none], [2, 5], [3, 6]]);
  const said = made.decide(crossed(), asked).map((decision) => ({ ...decision }));
  const common = { notice: 0, step: 2, reason: 1, route: 1, arg0: 7, arg1: none, notBefore: -(2 ** 63), expires: 99 };
  assert.deepEqual(said, [{ row: 1, ...common }, { row: 2, ...common }]);
  assert.deepEqual([...made.explain(crossed(), asked)], [0, 1, 1]);
});

test("what an author gets wrong is said in words", () => {
  const refused = (over, words) => assert.throws(() => policy(minimal(over)), words);
  refused({ customer: ["phone"] }, /no column `phone`/);
  refused({ on: ["full-moon"] }, /no trigger `full-moon`/);
  refused({ notices: { n: { title: "n", numbers: { a: "yuan" } } } }, /`yuan` is no unit/);
  refused({ notices: { n: { title: "n", numbers: { a: "fen", b: "fen", c: "fen" } } } }, /at most two/);
  const answered = (decide, words) => {
    const made = policy(minimal({ decide }));
    const asked = batch(["arrears", "lateFeeFrom"], [[1, 2]]);
    for (const ask of [made.decide, made.explain]) assert.throws(() => ask(crossed(), asked), (problem) => words.test(problem));
  };
  answered(() => "nope", /answered `nope`/);
  answered(() => undefined, /answered `undefined`/);
  answered((c, r, say) => say("m", { because: "yes" }), /no notice `m`/);
  answered((c, r, say) => say("n", { because: "why", numbers: {} }), /no reason `why`/);
  answered((c, r, say) => say("n", { because: "yes", numbers: { amount: 1.5, due: 1 } }), /`amount` is `1.5`/);
  answered((c, r, say) => say("n", { because: "yes", numbers: { amount: 1, due: 1 }, step: 0 }), /step `0`/);
  answered((c, r, say) => say("n", { because: "yes", numbers: { amount: 1, due: 1 }, via: "pigeon" }), /no route `pigeon`/);
  answered((c) => (c.seen = true), /not extensible/);
  assert.throws(() => policy(minimal()).decide(crossed(), batch(["arrears"], [[1]])), (problem) => /`late-fee-from` is not where/.test(problem));
  const sad = policy(minimal({ prepare: () => { throw new Error("no such day"); } }));
  assert.throws(() => sad.interest(crossed()), (problem) => problem === "no such day");
});

test("the reminder's interest leaves out nobody whom it chooses", () => {
  let seed = 7;
  const roll = (n) => ((seed = (seed * 1103515245 + 12345) % 2147483648) >> 8) % n;
  const used = ["traits", "arrears", "lateFeeFrom", "remindedStep"];
  for (const params of [{}, { important_steps: [10, 5], prepaid_steps: [4], overdue_times: 3, counting: "working" }]) {
    const rows = Array.from({ length: 20_000 }, () => [roll(8), roll(5) * 60, roll(9) ? TODAY - 40 + roll(80) : none, roll(6)]);
    const run = crossed(params);
    const interest = reminder.interest(run);
    const chosen = new Set(reminder.decide(run, batch(used, rows)).map(({ row }) => row));
    const ids = used.map((key) => columns[key].id);
    let inside = 0;
    rows.forEach((row, n) => {
      const within = contains(interest, (id) => row[ids.indexOf(id)], (id) => (id === 4 ? none : null));
      inside += within;
      assert.ok(within || !chosen.has(n), `row ${row} is chosen and outside`);
    });
    assert.ok(chosen.size > 0 && inside < rows.length);
  }
});
