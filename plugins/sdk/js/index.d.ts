// Types of the SDK. See plugins/README.md; arrears-reminder-ts shows every part.
import type { Columns, facts, triggers } from "./registry.js";

export { columns, facts, traits, triggers } from "./registry.js";
export type { Columns } from "./registry.js";

/** Days since 1970-01-01, in the prefecture's time. */
export type Day = number;
/** Minutes since 1970-01-01T00:00, in the prefecture's time. */
export type Minute = number;
/** How days are counted: every day, or working days with moved weekends (调休). */
export type Counting = "calendar" | "working";
/** The unit of a number for the template. */
export type Unit = "fen" | "date" | "days" | "kwh" | "count" | "civil-minute";
export type TriggerName = keyof typeof triggers;
export type FactName = keyof typeof facts;

// ---- Dates. ----

/** The date of year-month-day. */
export function date(year: number, month: number, day: number): Day;
/** Year, month and day of a date. */
export function ymd(date: Day): { year: number; month: number; day: number };
/** Monday is 0, Sunday is 6. */
export function weekday(date: Day): number;
/** The minute of `hour`:`minute` on a date; midnight by default. */
export function at(date: Day, hour?: number, minute?: number): Minute;

// ---- Interest. ----

/** A condition on one column; made by the functions of a column. */
export interface Bound {
  readonly column: number;
  readonly test: "between" | "all-bits" | "any-bit" | "no-bits";
  readonly low: number;
  readonly high: number;
}
/** A column of numbers, to bound in `interest`. "None" never passes. */
export interface NumberColumn {
  between(low: number, high: number): Bound;
  atLeast(low: number): Bound;
  atMost(high: number): Bound;
  is(value: number): Bound;
}
/** A column of bits, to bound in `interest`: `columns.traits.noneOf(traits.prepaid)`. */
export interface BitsColumn {
  allOf(bits: number): Bound;
  anyOf(bits: number): Bound;
  noneOf(bits: number): Bound;
}
/** Whoever fits any of the clauses, each all of its bounds; or everyone. */
export type Interest = typeof everyone | readonly (readonly Bound[])[];
/** The host passes every customer. Correct, and slow. */
export const everyone: "everyone";
/** No customer. */
export const nobody: readonly [];

// ---- Parameters. ----

/** A parameter of type `T`. */
export interface Parameter<T> {
  readonly schema: object;
  /** Never set: it carries the type. */
  readonly type?: T;
}
interface About {
  /** What an office reads. */
  title: string;
  description?: string;
}
type Range = readonly [least: number, most: number];

/** A whole number. Without a default it may be left out, and is then `undefined`; so it is with the others. */
export function whole(about: About & { range: Range; default: number }): Parameter<number>;
export function whole(about: About & { range: Range }): Parameter<number | undefined>;
/** An amount in fen, 1/100 yuan. */
export function fen(about: About & { range?: Range; default: number }): Parameter<number>;
export function fen(about: About & { range?: Range }): Parameter<number | undefined>;
/** Yes or no. */
export function flag(about: About & { default: boolean }): Parameter<boolean>;
export function flag(about: About): Parameter<boolean | undefined>;
/** One of several words, each with what an office reads. */
export function choice<W extends string>(words: Record<W, string>, about: About & { default: NoInfer<W> }): Parameter<W>;
export function choice<W extends string>(words: Record<W, string>, about: About): Parameter<W | undefined>;
/** How days are counted. */
export function counting(about: About & { default: Counting }): Parameter<Counting>;
export function counting(about: About): Parameter<Counting | undefined>;
/** A list of whole numbers, each once; `most` is how many there may be. */
export function list(about: About & { most: number; range: Range; default: readonly number[] }): Parameter<readonly number[]>;
export function list(about: About & { most: number; range: Range }): Parameter<readonly number[] | undefined>;

// ---- A run. ----

/** Working days, moved weekends (调休) included. Where the calendar does not know yet, Monday to Friday are taken. */
export interface Workdays {
  readonly knownUntil: Day;
  works(date: Day): boolean;
  /** Working days from `from` (included) to `to` (not included). */
  between(from: Day, to: Day): number;
  /** The last date with at most `days` working days from `from` (included) to it (not included). */
  ahead(from: Day, days: number): Day;
  /** The last date with at least `days` working days after it up to `to` (included). */
  back(to: Day, days: number): Day;
}
/** What every batch of one run shares. */
export interface Run {
  /** GB/T 2260 code. */
  readonly prefecture: number;
  readonly now: Minute;
  readonly today: Day;
  /** Name of the schedule, where the trigger is one; else empty. */
  readonly schedule: string;
  readonly workdays: Workdays;
  /** Whether this is why the run happens. */
  is(trigger: TriggerName): boolean;
  /** A number about the trigger, if the run carries it. */
  fact(name: FactName): number | undefined;
  /** The last date that is at most `days` days ahead of today. */
  ahead(days: number, counting?: Counting): Day;
  /** The last date that is at least `days` days back. */
  back(days: number, counting?: Counting): Day;
}

// ---- A policy. ----

type Notices = Record<string, { title: string; numbers?: Record<string, Unit> }>;
type Numbers<N> = N extends { numbers: infer A extends Record<string, Unit> }
  ? { numbers: { [K in keyof A]: A[K] extends "date" | "civil-minute" ? number | null : number } }
  : { numbers?: undefined };
type Values<P> = { readonly [K in keyof P]: P[K] extends Parameter<infer T> ? T : never };

declare const said: unique symbol;
/** A decision to say something: made by `say`, returned from `decide`. */
export interface Said {
  readonly [said]: true;
}
/** Says a notice. */
export type Say<N extends Notices, R extends string, V extends string> = <K extends keyof N & string>(
  notice: K,
  how: Numbers<N[K]> & {
    /** Why: a reason's name. */
    because: R;
    /** Which step of an escalation, from 1. The host says each step once about the same bill, episode or payment. */
    step?: number;
    /** By another route than the first. */
    via?: V;
    /** Not before this minute. */
    notBefore?: Minute;
    /** Dropped if it could not be sent before this minute. */
    expires?: Minute;
  },
) => Said;
/** One customer as a rule sees it, during `decide` only: the next customer comes in the same object. */
export type Customer<K extends keyof Columns> = { readonly [C in K]: Columns[C] };

/** What an author declares. */
export interface Declaration<
  P extends Record<string, Parameter<unknown>>,
  C extends keyof Columns,
  N extends Notices,
  R extends string,
  V extends string,
  Rule,
> {
  /** Kebab case, as the host knows it. */
  name: string;
  version: string;
  /** What it does, for the office; Chinese first. */
  description: string;
  topic: string;
  /** The triggers that start it. */
  on: readonly TriggerName[];
  /** What an office may change. */
  parameters: P;
  /** The columns that the rule looks at. Ask for few: each costs time. */
  customer: readonly C[];
  /** What it can say, each with at most two numbers for the template. */
  notices: N;
  /** Why it says something or nothing, one for each branch: name, and what an office reads. */
  reasons: Record<R, string>;
  /** Names that the policy's file gives a meaning: SMS first, then WeChat … */
  routes: readonly V[];
  /** What is the same for every customer, computed once for each batch. What it throws fails the run. */
  prepare(run: Run, parameters: Values<P>): Rule;
  /** Whom `decide` could choose at all: whoever lies outside must get no notice. */
  interest(rule: Rule): Interest;
  /** One customer: `say(…)`, or the name of the reason why not. */
  decide(customer: Customer<C>, rule: Rule, say: Say<N, R, V>): NoInfer<R> | Said;
}

/** The contract's four functions; exported as `plugin`. */
export interface Plugin {
  manifest(): string;
  interest(run: unknown): unknown;
  decide(run: unknown, batch: unknown): unknown;
  explain(run: unknown, batch: unknown): unknown;
}

/** Declares a policy; export what it returns as `plugin`. */
export function policy<
  const P extends Record<string, Parameter<unknown>>,
  const C extends keyof Columns,
  const N extends Notices,
  const R extends string,
  const V extends string,
  Rule,
>(declared: Declaration<P, C, N, R, V, Rule>): Plugin;

