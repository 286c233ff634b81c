// Whom a policy could choose at all, and the columns that it is said in.

const LEAST = -9223372036854775808;
// The largest 64-bit number that a double holds; no column reaches it.
const MOST = 9223372036854774784;

function whole(column, number) {
  if (!Number.isInteger(number)) throw new Error(`interest: a bound on \`${column.name}\` is \`${number}\`, which is no whole number`);
  return number;
}

/** A column of the registry: read as `customer.<key>`, bounded in `interest` by the functions here. */
export class Column {
  constructor(key, id, name, type, none) {
    Object.assign(this, { key, id, name, type, none });
  }

  /** Passes rows whose value lies between `low` and `high`, both included; "none" never passes. */
  between(low, high) {
    return { column: this.id, test: "between", low: whole(this, low), high: whole(this, high) };
  }

  /** Passes rows whose value is `low` or more; "none" never passes. */
  atLeast(low) {
    return this.between(low, MOST);
  }

  /** Passes rows whose value is `high` or less; "none" never passes. */
  atMost(high) {
    return this.between(LEAST, high);
  }

  /** Passes rows whose value is `value`. */
  is(value) {
    return this.between(value, value);
  }

  /** Passes rows that have all of `bits`. */
  allOf(bits) {
    return { column: this.id, test: "all-bits", low: whole(this, bits), high: 0 };
  }

  /** Passes rows that have any of `bits`. */
  anyOf(bits) {
    return { column: this.id, test: "any-bit", low: whole(this, bits), high: 0 };
  }

  /** Passes rows that have none of `bits`. */
  noneOf(bits) {
    return { column: this.id, test: "no-bits", low: whole(this, bits), high: 0 };
  }
}

/** The host passes every customer. Correct, and slow: say who cannot be chosen wherever it is known. */
export const everyone = "everyone";
/** No customer. */
export const nobody = Object.freeze([]);

/** What crosses for what an author says: "everyone", or clauses, each a list of bounds of which all must hold. */
export function crossing(interest) {
  if (interest === everyone) return { tag: "everyone" };
  if (!Array.isArray(interest) || !interest.every(Array.isArray)) {
    throw new Error("interest: answer `everyone`, or a list of clauses, each a list of bounds");
  }
  // A clause without bounds lets everybody pass; the contract wants that said.
  if (interest.some((clause) => clause.length === 0)) return { tag: "everyone" };
  const seen = new Set();
  const once = interest.filter((clause) => {
    const text = JSON.stringify(clause);
    return !seen.has(text) && seen.add(text);
  });
  return { tag: "any-of", val: once };
}

/** Whether a row is inside; for tests. `value` gives a column's number by id, `none` the column's "none". */
export function contains(crossed, value, none) {
  const passes = (b) => {
    const v = value(b.column);
    switch (b.test) {
      case "between":
        return b.low <= v && v <= b.high && v !== none(b.column);
      case "all-bits":
        return (v & b.low) >>> 0 === b.low >>> 0;
      case "any-bit":
        return (v & b.low) !== 0;
      default:
        return (v & b.low) === 0;
    }
  };
  return crossed.tag === "everyone" || crossed.val.some((clause) => clause.every(passes));
}
