// Columns, traits, triggers and facts by name. Made from wit/registry.toml by `cargo run -p gridbell-contract --example generate`; do not edit.

import { Column } from "./interest.js";

/** Columns by the name that a customer has them under. */
export const columns = {
  traits: new Column("traits", 1, "traits", "u32", null),
  arrears: new Column("arrears", 2, "arrears", "s64", null),
  arrearsPeriod: new Column("arrearsPeriod", 3, "arrears-period", "u32", 0),
  lateFeeFrom: new Column("lateFeeFrom", 4, "late-fee-from", "s32", -2147483648),
  monthsOwed: new Column("monthsOwed", 5, "months-owed", "u8", null),
  remindedStep: new Column("remindedStep", 6, "reminded-step", "u8", null),
  billPeriod: new Column("billPeriod", 7, "bill-period", "u32", 0),
  billIssued: new Column("billIssued", 8, "bill-issued", "s32", -2147483648),
  billAmount: new Column("billAmount", 9, "bill-amount", "s64", null),
  billKwh: new Column("billKwh", 10, "bill-kwh", "u32", null),
  billSaid: new Column("billSaid", 11, "bill-said", "u8", null),
  balance: new Column("balance", 12, "balance", "s64", null),
  balanceAsOf: new Column("balanceAsOf", 13, "balance-as-of", "s32", -2147483648),
  threshold: new Column("threshold", 14, "threshold", "u32", 4294967295),
  balanceEpisode: new Column("balanceEpisode", 15, "balance-episode", "u16", null),
  balanceSaid: new Column("balanceSaid", 16, "balance-said", "u8", null),
  paidAmount: new Column("paidAmount", 17, "paid-amount", "s64", null),
  paidOn: new Column("paidOn", 18, "paid-on", "s32", -2147483648),
  arrearsAsOf: new Column("arrearsAsOf", 19, "arrears-as-of", "s32", -2147483648),
};

/** Bits of the column `traits`. */
export const traits = {
  resident: 1,
  important: 2,
  prepaid: 4,
  school: 8,
  firm: 16,
  public: 32,
  elderly: 64,
  bankDebit: 128,
  subscribesBill: 256,
  subscribesBalance: 512,
  debitPending: 1024,
  disputed: 2048,
  closed: 4096,
  paused: 8192,
  doNotRemind: 16384,
  rebilled: 32768,
  multipleSources: 65536,
  readsWechat: 131072,
  readsAlipay: 262144,
  hasMobile: 524288,
};

/** Ids of triggers by name. */
export const triggers = {
  "schedule": 1,
  "payment-received": 2,
  "bill-issued": 3,
  "balance-changed": 4,
};

/** Ids of facts by name. */
export const facts = {
  "catch-up-minutes": 1,
  "previous-run": 2,
};
