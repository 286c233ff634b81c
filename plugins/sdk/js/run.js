// What every batch of one run shares: when, why, and the calendar of working days.

import { weekday } from "./dates.js";
import { facts, triggers } from "./registry.js";

// Longest search, in days: a calendar without working days must not loop. Ten years cover any number of days a parameter can hold.
const FURTHEST = 3660;

/** Working days, moved weekends (调休) included. Where the calendar does not know yet, Monday to Friday are taken. */
class Workdays {
  constructor({ first, knownUntil, bits }) {
    Object.assign(this, { first, knownUntil, bits });
  }

  /** Whether people work on `date`. */
  works(date) {
    const n = date - this.first;
    // A word of 64 days crosses as its two halves: a double would not hold it.
    const word = n >= 0 && date <= this.knownUntil ? this.bits[Math.floor(n / 64)] : undefined;
    return word === undefined ? weekday(date) < 5 : ((word[(n >> 5) & 1] >>> (n & 31)) & 1) === 1;
  }

  /** Working days from `from` (included) to `to` (not included). */
  between(from, to) {
    let days = 0;
    for (let date = from; date < Math.min(to, from + FURTHEST); date++) days += this.works(date) ? 1 : 0;
    return days;
  }

  /** The last date with at most `days` working days from `from` (included) to it (not included). */
  ahead(from, days) {
    let date = from;
    for (let n = 0, left = days; n < FURTHEST; n++, date++) {
      if (this.works(date) && left-- === 0) break;
    }
    return date;
  }

  /** The last date with at least `days` working days after it up to `to` (included). */
  back(to, days) {
    let date = to;
    for (let n = 0, left = days; n < FURTHEST && left > 0; n++, date--) left -= this.works(date) ? 1 : 0;
    return date;
  }
}

/** A run as a policy sees it. */
export class Run {
  #trigger;
  #facts;

  constructor(run) {
    this.prefecture = run.prefecture;
    this.now = run.now;
    this.today = Math.floor(run.now / 1440);
    this.schedule = run.schedule;
    this.workdays = new Workdays(run.workdays);
    this.#trigger = run.trigger;
    this.#facts = run.facts;
  }

  /** Whether this is why the run happens: the name of a trigger. */
  is(trigger) {
    if (triggers[trigger] === undefined) throw new Error(`there is no trigger \`${trigger}\``);
    return this.#trigger === triggers[trigger];
  }

  /** A number about the trigger, or `undefined` if the run does not carry it. */
  fact(name) {
    if (facts[name] === undefined) throw new Error(`there is no fact \`${name}\``);
    return this.#facts.find((fact) => fact.id === facts[name])?.value;
  }

  /** The last date that is at most `days` days ahead of today: what happens on a date up to this one happens "within `days` days". */
  ahead(days, counting = "calendar") {
    return counting === "working" ? this.workdays.ahead(this.today, days) : this.today + days;
  }

  /** The last date that is at least `days` days back: what happened on a date up to this one happened "`days` days ago or earlier". */
  back(days, counting = "calendar") {
    return counting === "working" ? this.workdays.back(this.today, days) : this.today - days;
  }
}
