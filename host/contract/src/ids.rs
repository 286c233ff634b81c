//! Ids of the registry as constants. Made from wit/registry.toml by `cargo run -p gridbell-contract --example generate`; do not edit.

/// Columns.
pub mod column {
    use gridbell_model::ColumnId;
    /// What kind of customer it is and what state the account is in.
    pub const TRAITS: ColumnId = ColumnId(1);
    /// Everything unpaid over all open bills, late fees not included. Positive is owed.
    pub const ARREARS: ColumnId = ColumnId(2);
    /// Billing period of the oldest unpaid bill: what a reminder is about. With the step it is the host's key for "not twice".
    pub const ARREARS_PERIOD: ColumnId = ColumnId(3);
    /// First day on which a late fee accrues on the oldest unpaid bill.
    pub const LATE_FEE_FROM: ColumnId = ColumnId(4);
    /// How many bills are unpaid.
    pub const MONTHS_OWED: ColumnId = ColumnId(5);
    /// Highest step of the arrears reminder that was said about `arrears-period`.
    pub const REMINDED_STEP: ColumnId = ColumnId(6);
    /// Billing period of the latest bill, paid or not.
    pub const BILL_PERIOD: ColumnId = ColumnId(7);
    /// Day on which the latest bill was issued (电费发行).
    pub const BILL_ISSUED: ColumnId = ColumnId(8);
    /// Amount of the latest bill.
    pub const BILL_AMOUNT: ColumnId = ColumnId(9);
    /// Energy of the latest bill.
    pub const BILL_KWH: ColumnId = ColumnId(10);
    /// Highest step of the bill notice that was said about `bill-period`.
    pub const BILL_SAID: ColumnId = ColumnId(11);
    /// Prepaid balance; negative is overdrawn.
    pub const BALANCE: ColumnId = ColumnId(12);
    /// The day for which `balance` was computed. Only about 99 % of balances are computed on a day.
    pub const BALANCE_AS_OF: ColumnId = ColumnId(13);
    /// Balance under which a prepaid customer wants to be warned.
    pub const THRESHOLD: ColumnId = ColumnId(14);
    /// Counts the episodes of a low balance; with the step it is the host's key for "not twice". An episode begins with the first step that is said and ends, whether a run sees it or not, when the balance is at or above the threshold: the customer's own `threshold`, else the policy's parameter named `threshold` (fen) with which the latest step was said, else 3000. So each policy's steps are said once between two times that the balance was enough by its own measure.
    pub const BALANCE_EPISODE: ColumnId = ColumnId(15);
    /// Highest step of the balance warning that was said in this episode.
    pub const BALANCE_SAID: ColumnId = ColumnId(16);
    /// Amount of the latest payment; in a run of `payment-received`, of the row's payment.
    pub const PAID_AMOUNT: ColumnId = ColumnId(17);
    /// Day of the latest payment, which a payment that is entered late does not change; in a run of `payment-received`, of the row's payment.
    pub const PAID_ON: ColumnId = ColumnId(18);
    /// The day for which the bills are true.
    pub const ARREARS_AS_OF: ColumnId = ColumnId(19);
}

/// Triggers.
pub mod trigger {
    use crate::registry::TriggerId;
    /// A schedule of the policy is due, or a person ran the policy by hand. `run.schedule` names it. All customers of the scope are rows.
    pub const SCHEDULE: TriggerId = TriggerId(1);
    /// Payments arrived. Rows are the payments that no run has told of, each with the columns of the customer who paid; `paid-amount` and `paid-on` are the row's payment's. A customer who paid twice has two rows, the older payment first, and each may get its message. Reversals are no rows, and a payment that was reversed before the run is none.
    pub const PAYMENT_RECEIVED: TriggerId = TriggerId(2);
    /// Bills were issued. Rows are the customers billed.
    pub const BILL_ISSUED: TriggerId = TriggerId(3);
    /// Balances were computed. Rows are the customers concerned.
    pub const BALANCE_CHANGED: TriggerId = TriggerId(4);
    /// An outage was published, changed, delayed, restored or cancelled. Rows are the customers affected before or now. *Reserved.*
    pub const OUTAGE_REVISION: TriggerId = TriggerId(5);
}

/// Facts.
pub mod fact {
    use crate::registry::FactId;
    /// How late this run is against its schedule; present when a missed schedule is caught up. In minutes.
    pub const CATCH_UP_MINUTES: FactId = FactId(1);
    /// When the same policy last ran for this prefecture: the gap since then is the reader's to judge. In civil-minute.
    pub const PREVIOUS_RUN: FactId = FactId(2);
}

/// Subjects.
pub mod subject {
    use crate::registry::SubjectId;
    /// One row for each customer of the prefecture.
    pub const CUSTOMERS: SubjectId = SubjectId(0);
    /// One row for each community screen concerned by an outage revision. *Reserved.*
    pub const SCREENS: SubjectId = SubjectId(1);
}
