// `policy(…)`: from an author's declarations to the contract's four functions. Nothing here is kept from one call to the next.

import { NO_DATE, NO_MINUTE } from "./dates.js";
import { crossing } from "./interest.js";
import { columns as registry, triggers } from "./registry.js";
import { Run } from "./run.js";

const UNITS = ["fen", "date", "days", "kwh", "count", "civil-minute"];
// What stands for "none" in a number for the template; other units have none.
const NONE_OF_UNIT = { date: NO_DATE, "civil-minute": NO_MINUTE };
const CUSTOMERS = 0;

/** Declares a policy; what it returns is exported as `plugin`. */
export function policy(declared) {
  const used = declared.customer.map((key) => registry[key] ?? refuse(`customer: the registry has no column \`${key}\``));
  const manifest = manifestOf(declared, used);
  const reasons = indexes(Object.keys(declared.reasons));
  const say = sayer(declared, reasons);
  // Made once, when the component is built, so that no batch compiles anything.
  const loops = { decide: decideLoop(used), explain: explainLoop(used) };
  const given = Object.entries(declared.parameters).map(([name, { schema }]) => [name, schema.default]);

  // The host fills defaults in; they are filled in again so that tests may leave them out.
  const prepare = (run) => {
    const parameters = { ...Object.fromEntries(given), ...JSON.parse(run.params) };
    return declared.prepare(new Run(run), parameters);
  };
  const over = (loop, run, batch) => {
    if (batch.subject !== CUSTOMERS) throw new Error("batch: this policy decides about customers only");
    const columns = used.map((column, n) => valuesOf(batch.columns[n], column));
    return loop(declared.decide, prepare(run), say, columns, batch.rows, reasons);
  };
  return {
    manifest: () => manifest,
    interest: (run) => spoken(() => crossing(declared.interest(prepare(run)))),
    decide: (run, batch) => spoken(() => over(loops.decide, run, batch)),
    explain: (run, batch) => spoken(() => over(loops.explain, run, batch)),
  };
}

function refuse(problem) {
  throw new Error(problem);
}

function indexes(names) {
  return Object.assign(Object.create(null), Object.fromEntries(names.map((name, index) => [name, index])));
}

/** Whatever an author's code throws becomes the run's error in words: a string is what the contract carries. */
function spoken(work) {
  try {
    return work();
  } catch (problem) {
    throw problem instanceof Error ? `${problem.name === "Error" ? "" : `${problem.name}: `}${problem.message}` : String(problem);
  }
}

function valuesOf(column, asked) {
  if (column?.id !== asked.id) throw new Error(`batch: column \`${asked.name}\` is not where the manifest asked for it`);
  return column.values.val;
}

// ---- The manifest. ----

function manifestOf(declared, used) {
  const properties = {};
  for (const [name, { schema }] of Object.entries(declared.parameters)) properties[name] = schema;
  for (const trigger of declared.on) triggers[trigger] ?? refuse(`on: the registry has no trigger \`${trigger}\``);
  return JSON.stringify({
    name: declared.name,
    version: declared.version,
    description: declared.description,
    topic: declared.topic,
    triggers: declared.on,
    columns: used.map((column) => column.name),
    parameters: { type: "object", additionalProperties: false, properties },
    notices: Object.entries(declared.notices).map(noticeOf),
    reasons: Object.entries(declared.reasons).map(([name, title]) => ({ name, title })),
    routes: declared.routes,
  });
}

function noticeOf([name, { title, numbers = {} }]) {
  const notice = { name, title };
  const args = Object.entries(numbers);
  if (args.length > 2) refuse(`notice \`${name}\`: a template takes at most two numbers`);
  args.forEach(([arg, unit], n) => {
    if (!UNITS.includes(unit)) refuse(`notice \`${name}\`: \`${unit}\` is no unit; there are ${UNITS.join(", ")}`);
    notice[`arg${n}`] = { name: arg, unit };
  });
  return notice;
}

// ---- Saying something. ----

/** What `say` returns: the contract's decision, its row still to come. */
class Said {
  constructor(notice, step, reason, route, arg0, arg1, notBefore, expires) {
    this.row = -1;
    this.notice = notice;
    this.step = step;
    this.reason = reason;
    this.route = route;
    this.arg0 = arg0;
    this.arg1 = arg1;
    this.notBefore = notBefore;
    this.expires = expires;
  }
}

function sayer(declared, reasons) {
  const notices = Object.create(null);
  Object.entries(declared.notices).forEach(([name, { numbers = {} }], index) => {
    const args = Object.entries(numbers).map(([arg, unit]) => ({ name: arg, none: NONE_OF_UNIT[unit] }));
    notices[name] = { index, args };
  });
  const routes = indexes(declared.routes);
  const number = (arg, given) => {
    if (arg === undefined) return 0;
    const value = given?.[arg.name] ?? arg.none;
    return Number.isSafeInteger(value) || value === arg.none ? (value ?? wrong(arg.name, given)) : wrong(arg.name, given);
  };
  const wrong = (name, given) => refuse(`say: \`${name}\` is \`${given?.[name]}\`, which is no whole number`);
  return (name, { because, numbers, step = 1, via, notBefore, expires }) => {
    const notice = notices[name] ?? refuse(`say: this policy has no notice \`${name}\``);
    const reason = reasons[because] ?? refuse(`say: this policy has no reason \`${because}\``);
    const route = via === undefined ? 0 : (routes[via] ?? refuse(`say: this policy has no route \`${via}\``));
    if (!(step >= 1 && step <= 255 && Number.isInteger(step))) refuse(`say: step \`${step}\` is not from 1 to 255`);
    const [first, second] = notice.args;
    return new Said(
      notice.index, step, reason, route, number(first, numbers), number(second, numbers), notBefore ?? NO_MINUTE, expires ?? NO_MINUTE,
    );
  };
}

// ---- Columns to customers. ----

/** Source that sets the customer to row `row`: columns are local names, and what stands for "none" becomes `null`. */
function setCustomer(used) {
  const sets = used.map(({ key, none }, n) => {
    return `customer.${key} = ${none === null ? `c${n}[row]` : `c${n}[row] === ${none} ? null : c${n}[row]`};`;
  });
  return sets.join(" ");
}

// One function for each policy, with its own columns in it, and one object for all rows: a third fewer instructions than an object for each.
// It is sealed, so that nothing can be left in it for the next row.
function loop(used, begin, each, end) {
  const locals = used.map((_, n) => `c${n} = columns[${n}]`).join(", ");
  const source = `"use strict"; ${locals === "" ? "" : `const ${locals};`} ${begin}
    const customer = Object.seal({ ${used.map(({ key }) => `${key}: null`).join(", ")} });
    for (let row = 0; row < rows; row++) {
      ${setCustomer(used)}
      const answer = decide(customer, rule, say);
      ${each}
    }
    ${end}`;
  const made = new Function("Said", "again", "wrong", "decide", "rule", "say", "columns", "rows", "reasons", source);
  return (...given) => made(Said, again, wrong, ...given);
}

// A reason is a string, and mostly that of the row before: telling so costs less than looking it up. No answer is the class `Said`.
function decideLoop(used) {
  return loop(
    used,
    "const chosen = []; let last = Said;",
    `if (answer === last) continue;
      if (typeof answer === "string") {
        if (reasons[answer] === undefined) wrong(answer);
        last = answer;
      } else if (answer instanceof Said) {
        const said = answer.row === -1 ? answer : again(answer);
        said.row = row;
        chosen.push(said);
      } else wrong(answer);`,
    "return chosen;",
  );
}

function explainLoop(used) {
  return loop(
    used,
    "const why = new Uint16Array(rows);",
    `const reason = answer instanceof Said ? answer.reason : reasons[answer];
      if (reason === undefined) wrong(answer);
      why[row] = reason;`,
    "return why;",
  );
}

/** An author may keep an answer and give it for several customers. */
function again({ notice, step, reason, route, arg0, arg1, notBefore, expires }) {
  return new Said(notice, step, reason, route, arg0, arg1, notBefore, expires);
}

function wrong(answer) {
  refuse(`decide: answered \`${typeof answer === "object" ? JSON.stringify(answer) : answer}\`, which is neither a reason nor made by \`say\``);
}
