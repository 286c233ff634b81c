//! Columns, traits, triggers and facts by name. Made from wit/registry.toml by `cargo run -p gridbell-contract --example generate`; do not edit.

/// One unit value for each column: read through `customer.name`, bound through `columns::name.between(…)`.
#[expect(non_camel_case_types, reason = "a column's type, its value and the customer's field share one name")]
pub mod columns {
    use crate::column::column;
    use crate::{Date, Fen, Kwh, Traits};

    column! {
        /// What kind of customer it is and what state the account is in. Unit: bits.
        ///
        /// Bits as listed under traits; a bit that is not set is false or not known.
        traits = 1, "traits", u32 => Traits, 0;
    }

    column! {
        /// Everything unpaid over all open bills, late fees not included. Positive is owed. Unit: fen.
        ///
        /// 0: nothing owed.
        arrears = 2, "arrears", i64 => Fen, 0;
    }

    column! {
        /// Billing period of the oldest unpaid bill: what a reminder is about. With the step it is the host's key for "not twice". Unit: yyyymm.
        ///
        /// None: no open bill.
        arrears_period = 3, "arrears-period", u32 => u32, 0;
    }

    column! {
        /// First day on which a late fee accrues on the oldest unpaid bill. Unit: date.
        ///
        /// None: no open bill.
        late_fee_from = 4, "late-fee-from", i32 => Date, -2147483648;
    }

    column! {
        /// How many bills are unpaid. Unit: count.
        ///
        /// 0: no open bill. 255 stands for more too.
        months_owed = 5, "months-owed", u8 => u8, 0;
    }

    column! {
        /// Highest step of the arrears reminder that was said about `arrears-period`. Unit: step.
        ///
        /// 0: nothing said.
        reminded_step = 6, "reminded-step", u8 => u8, 0;
    }

    column! {
        /// Billing period of the latest bill, paid or not. Unit: yyyymm.
        ///
        /// None: no bill yet.
        bill_period = 7, "bill-period", u32 => u32, 0;
    }

    column! {
        /// Day on which the latest bill was issued (电费发行). Unit: date.
        ///
        /// None: no bill yet.
        bill_issued = 8, "bill-issued", i32 => Date, -2147483648;
    }

    column! {
        /// Amount of the latest bill. Unit: fen.
        ///
        /// 0 with `bill-issued` none: no bill yet. Negative: a credit.
        bill_amount = 9, "bill-amount", i64 => Fen, 0;
    }

    column! {
        /// Energy of the latest bill. Unit: kwh.
        ///
        /// 0: none used, or not known.
        bill_kwh = 10, "bill-kwh", u32 => Kwh, 0;
    }

    column! {
        /// Highest step of the bill notice that was said about `bill-period`. Unit: step.
        ///
        /// 0: nothing said.
        bill_said = 11, "bill-said", u8 => u8, 0;
    }

    column! {
        /// Prepaid balance; negative is overdrawn. Unit: fen.
        ///
        /// 0 with `balance-as-of` none: no balance known.
        balance = 12, "balance", i64 => Fen, 0;
    }

    column! {
        /// The day for which `balance` was computed. Only about 99 % of balances are computed on a day. Unit: date.
        ///
        /// None: no balance known.
        balance_as_of = 13, "balance-as-of", i32 => Date, -2147483648;
    }

    column! {
        /// Balance under which a prepaid customer wants to be warned. Unit: fen.
        ///
        /// None: the customer has none of its own.
        threshold = 14, "threshold", u32 => Option<Fen>, 4294967295;
    }

    column! {
        /// Counts the episodes of a low balance; with the step it is the host's key for "not twice". An episode begins with the first step that is said and ends, whether a run sees it or not, when the balance is at or above the threshold: the customer's own `threshold`, else the policy's parameter named `threshold` (fen) with which the latest step was said, else 3000. So each policy's steps are said once between two times that the balance was enough by its own measure. Unit: count.
        ///
        /// 0: no balance known yet.
        balance_episode = 15, "balance-episode", u16 => u16, 0;
    }

    column! {
        /// Highest step of the balance warning that was said in this episode. Unit: step.
        ///
        /// 0: nothing said.
        balance_said = 16, "balance-said", u8 => u8, 0;
    }

    column! {
        /// Amount of the latest payment; in a run of `payment-received`, of the row's payment. Unit: fen.
        ///
        /// 0 with `paid-on` none: no payment known. Negative: a reversal.
        paid_amount = 17, "paid-amount", i64 => Fen, 0;
    }

    column! {
        /// Day of the latest payment, which a payment that is entered late does not change; in a run of `payment-received`, of the row's payment. Unit: date.
        ///
        /// None: no payment known.
        paid_on = 18, "paid-on", i32 => Date, -2147483648;
    }

    column! {
        /// The day for which the bills are true. Unit: date.
        ///
        /// None: no bill known.
        arrears_as_of = 19, "arrears-as-of", i32 => Date, -2147483648;
    }
}

/// What is known of a customer: bits of the column `traits`.
pub mod traits {
    use crate::Traits;
    /// A resident; otherwise a business.
    pub const RESIDENT: Traits = Traits(1 << 0);
    /// An important customer (重要客户).
    pub const IMPORTANT: Traits = Traits(1 << 1);
    /// Prepaid (费控): the balance runs down daily.
    pub const PREPAID: Traits = Traits(1 << 2);
    /// A school.
    pub const SCHOOL: Traits = Traits(1 << 3);
    /// A firm.
    pub const FIRM: Traits = Traits(1 << 4);
    /// A government office or public service.
    pub const PUBLIC: Traits = Traits(1 << 5);
    /// Known to be elderly or to live alone.
    pub const ELDERLY: Traits = Traits(1 << 6);
    /// Pays by bank debit (银行批扣).
    pub const BANK_DEBIT: Traits = Traits(1 << 7);
    /// Subscribed to the bill notice.
    pub const SUBSCRIBES_BILL: Traits = Traits(1 << 8);
    /// Subscribed to balance news.
    pub const SUBSCRIBES_BALANCE: Traits = Traits(1 << 9);
    /// A bank debit is under way.
    pub const DEBIT_PENDING: Traits = Traits(1 << 10);
    /// The bill is disputed.
    pub const DISPUTED: Traits = Traits(1 << 11);
    /// The account is closed or was handed over (过户).
    pub const CLOSED: Traits = Traits(1 << 12);
    /// Reminders are paused (exam days, 保电).
    pub const PAUSED: Traits = Traits(1 << 13);
    /// On the do-not-remind list (免催名单).
    pub const DO_NOT_REMIND: Traits = Traits(1 << 14);
    /// The open bill was issued again with another amount.
    pub const REBILLED: Traits = Traits(1 << 15);
    /// Has more than one supply point.
    pub const MULTIPLE_SOURCES: Traits = Traits(1 << 16);
    /// Reads WeChat messages.
    pub const READS_WECHAT: Traits = Traits(1 << 17);
    /// Reads Alipay messages.
    pub const READS_ALIPAY: Traits = Traits(1 << 18);
    /// Has a mobile number to which an SMS can go.
    pub const HAS_MOBILE: Traits = Traits(1 << 19);
}

/// Why a run happens.
pub mod triggers {
    use crate::Trigger;
    /// A schedule of the policy is due, or a person ran the policy by hand. `run.schedule` names it. All customers of the scope are rows.
    pub const SCHEDULE: Trigger = Trigger { id: 1, name: "schedule" };
    /// Payments arrived. Rows are the payments that no run has told of, each with the columns of the customer who paid; `paid-amount` and `paid-on` are the row's payment's. A customer who paid twice has two rows, the older payment first, and each may get its message. Reversals are no rows, and a payment that was reversed before the run is none.
    pub const PAYMENT_RECEIVED: Trigger = Trigger { id: 2, name: "payment-received" };
    /// Bills were issued. Rows are the customers billed.
    pub const BILL_ISSUED: Trigger = Trigger { id: 3, name: "bill-issued" };
    /// Balances were computed. Rows are the customers concerned.
    pub const BALANCE_CHANGED: Trigger = Trigger { id: 4, name: "balance-changed" };
}

/// Numbers about the trigger, for `run.fact(…)`.
pub mod facts {
    use crate::Fact;
    /// How late this run is against its schedule; present when a missed schedule is caught up. In minutes; absent: on time.
    pub const CATCH_UP_MINUTES: Fact = Fact(1);
    /// When the same policy last ran for this prefecture: the gap since then is the reader's to judge. In civil-minute; absent: never.
    pub const PREVIOUS_RUN: Fact = Fact(2);
}
