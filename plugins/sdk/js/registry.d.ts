// Columns, traits, triggers and facts by name. Made from wit/registry.toml by `cargo run -p gridbell-contract --example generate`; do not edit.

import type { BitsColumn, NumberColumn } from "./index.js";

/** What a rule can look at. */
export interface Columns {
  /** What kind of customer it is and what state the account is in. Unit: bits. Bits as listed under traits; a bit that is not set is false or not known. */
  traits: number;
  /** Everything unpaid over all open bills, late fees not included. Positive is owed. Unit: fen. 0: nothing owed. */
  arrears: number;
  /** Billing period of the oldest unpaid bill: what a reminder is about. With the step it is the host's key for "not twice". Unit: yyyymm. `null`: no open bill. */
  arrearsPeriod: number | null;
  /** First day on which a late fee accrues on the oldest unpaid bill. Unit: date. `null`: no open bill. */
  lateFeeFrom: number | null;
  /** How many bills are unpaid. Unit: count. 0: no open bill. 255 stands for more too. */
  monthsOwed: number;
  /** Highest step of the arrears reminder that was said about `arrears-period`. Unit: step. 0: nothing said. */
  remindedStep: number;
  /** Billing period of the latest bill, paid or not. Unit: yyyymm. `null`: no bill yet. */
  billPeriod: number | null;
  /** Day on which the latest bill was issued (电费发行). Unit: date. `null`: no bill yet. */
  billIssued: number | null;
  /** Amount of the latest bill. Unit: fen. 0 with `bill-issued` none: no bill yet. Negative: a credit. */
  billAmount: number;
  /** Energy of the latest bill. Unit: kwh. 0: none used, or not known. */
  billKwh: number;
  /** Highest step of the bill notice that was said about `bill-period`. Unit: step. 0: nothing said. */
  billSaid: number;
  /** Prepaid balance; negative is overdrawn. Unit: fen. 0 with `balance-as-of` none: no balance known. */
  balance: number;
  /** The day for which `balance` was computed. Only about 99 % of balances are computed on a day. Unit: date. `null`: no balance known. */
  balanceAsOf: number | null;
  /** Balance under which a prepaid customer wants to be warned. Unit: fen. `null`: the customer has none of its own. */
  threshold: number | null;
  /** Counts the episodes of a low balance; with the step it is the host's key for "not twice". An episode begins with the first step that is said and ends, whether a run sees it or not, when the balance is at or above the threshold: the customer's own `threshold`, else the policy's parameter named `threshold` (fen) with which the latest step was said, else 3000. So each policy's steps are said once between two times that the balance was enough by its own measure. Unit: count. 0: no balance known yet. */
  balanceEpisode: number;
  /** Highest step of the balance warning that was said in this episode. Unit: step. 0: nothing said. */
  balanceSaid: number;
  /** Amount of the latest payment; in a run of `payment-received`, of the row's payment. Unit: fen. 0 with `paid-on` none: no payment known. Negative: a reversal. */
  paidAmount: number;
  /** Day of the latest payment, which a payment that is entered late does not change; in a run of `payment-received`, of the row's payment. Unit: date. `null`: no payment known. */
  paidOn: number | null;
  /** The day for which the bills are true. Unit: date. `null`: no bill known. */
  arrearsAsOf: number | null;
}

/** Columns, to bound in `interest`. */
export const columns: {
  /** What kind of customer it is and what state the account is in. Unit: bits. Bits as listed under traits; a bit that is not set is false or not known. */
  readonly traits: BitsColumn;
  /** Everything unpaid over all open bills, late fees not included. Positive is owed. Unit: fen. 0: nothing owed. */
  readonly arrears: NumberColumn;
  /** Billing period of the oldest unpaid bill: what a reminder is about. With the step it is the host's key for "not twice". Unit: yyyymm. `null`: no open bill. */
  readonly arrearsPeriod: NumberColumn;
  /** First day on which a late fee accrues on the oldest unpaid bill. Unit: date. `null`: no open bill. */
  readonly lateFeeFrom: NumberColumn;
  /** How many bills are unpaid. Unit: count. 0: no open bill. 255 stands for more too. */
  readonly monthsOwed: NumberColumn;
  /** Highest step of the arrears reminder that was said about `arrears-period`. Unit: step. 0: nothing said. */
  readonly remindedStep: NumberColumn;
  /** Billing period of the latest bill, paid or not. Unit: yyyymm. `null`: no bill yet. */
  readonly billPeriod: NumberColumn;
  /** Day on which the latest bill was issued (电费发行). Unit: date. `null`: no bill yet. */
  readonly billIssued: NumberColumn;
  /** Amount of the latest bill. Unit: fen. 0 with `bill-issued` none: no bill yet. Negative: a credit. */
  readonly billAmount: NumberColumn;
  /** Energy of the latest bill. Unit: kwh. 0: none used, or not known. */
  readonly billKwh: NumberColumn;
  /** Highest step of the bill notice that was said about `bill-period`. Unit: step. 0: nothing said. */
  readonly billSaid: NumberColumn;
  /** Prepaid balance; negative is overdrawn. Unit: fen. 0 with `balance-as-of` none: no balance known. */
  readonly balance: NumberColumn;
  /** The day for which `balance` was computed. Only about 99 % of balances are computed on a day. Unit: date. `null`: no balance known. */
  readonly balanceAsOf: NumberColumn;
  /** Balance under which a prepaid customer wants to be warned. Unit: fen. `null`: the customer has none of its own. */
  readonly threshold: NumberColumn;
  /** Counts the episodes of a low balance; with the step it is the host's key for "not twice". An episode begins with the first step that is said and ends, whether a run sees it or not, when the balance is at or above the threshold: the customer's own `threshold`, else the policy's parameter named `threshold` (fen) with which the latest step was said, else 3000. So each policy's steps are said once between two times that the balance was enough by its own measure. Unit: count. 0: no balance known yet. */
  readonly balanceEpisode: NumberColumn;
  /** Highest step of the balance warning that was said in this episode. Unit: step. 0: nothing said. */
  readonly balanceSaid: NumberColumn;
  /** Amount of the latest payment; in a run of `payment-received`, of the row's payment. Unit: fen. 0 with `paid-on` none: no payment known. Negative: a reversal. */
  readonly paidAmount: NumberColumn;
  /** Day of the latest payment, which a payment that is entered late does not change; in a run of `payment-received`, of the row's payment. Unit: date. `null`: no payment known. */
  readonly paidOn: NumberColumn;
  /** The day for which the bills are true. Unit: date. `null`: no bill known. */
  readonly arrearsAsOf: NumberColumn;
};

/** What is known of a customer: bits of the column `traits`. */
export const traits: {
  /** A resident; otherwise a business. */
  readonly resident: number;
  /** An important customer (重要客户). */
  readonly important: number;
  /** Prepaid (费控): the balance runs down daily. */
  readonly prepaid: number;
  /** A school. */
  readonly school: number;
  /** A firm. */
  readonly firm: number;
  /** A government office or public service. */
  readonly public: number;
  /** Known to be elderly or to live alone. */
  readonly elderly: number;
  /** Pays by bank debit (银行批扣). */
  readonly bankDebit: number;
  /** Subscribed to the bill notice. */
  readonly subscribesBill: number;
  /** Subscribed to balance news. */
  readonly subscribesBalance: number;
  /** A bank debit is under way. */
  readonly debitPending: number;
  /** The bill is disputed. */
  readonly disputed: number;
  /** The account is closed or was handed over (过户). */
  readonly closed: number;
  /** Reminders are paused (exam days, 保电). */
  readonly paused: number;
  /** On the do-not-remind list (免催名单). */
  readonly doNotRemind: number;
  /** The open bill was issued again with another amount. */
  readonly rebilled: number;
  /** Has more than one supply point. */
  readonly multipleSources: number;
  /** Reads WeChat messages. */
  readonly readsWechat: number;
  /** Reads Alipay messages. */
  readonly readsAlipay: number;
  /** Has a mobile number to which an SMS can go. */
  readonly hasMobile: number;
};

/** Why a run happens. */
export const triggers: {
  /** A schedule of the policy is due, or a person ran the policy by hand. `run.schedule` names it. All customers of the scope are rows. */
  readonly "schedule": number;
  /** Payments arrived. Rows are the payments that no run has told of, each with the columns of the customer who paid; `paid-amount` and `paid-on` are the row's payment's. A customer who paid twice has two rows, the older payment first, and each may get its message. Reversals are no rows, and a payment that was reversed before the run is none. */
  readonly "payment-received": number;
  /** Bills were issued. Rows are the customers billed. */
  readonly "bill-issued": number;
  /** Balances were computed. Rows are the customers concerned. */
  readonly "balance-changed": number;
};

/** Numbers about the trigger, for `run.fact(…)`. */
export const facts: {
  /** How late this run is against its schedule; present when a missed schedule is caught up. In minutes; absent: on time. */
  readonly "catch-up-minutes": number;
  /** When the same policy last ran for this prefecture: the gap since then is the reader's to judge. In civil-minute; absent: never. */
  readonly "previous-run": number;
};
