"""Columns, traits, triggers and facts by name. Made from wit/registry.toml by `cargo run -p gridbell-contract --example generate`; do not edit."""

from .interest import Column


class columns:
    """What a rule can look at: read as `customer.NAME`, bounded in `interest` as `columns.NAME`."""

    traits = Column("traits", 1, "traits", None)
    """What kind of customer it is and what state the account is in. Unit: bits. Bits as listed under traits; a bit that is not set is false or not known."""

    arrears = Column("arrears", 2, "arrears", None)
    """Everything unpaid over all open bills, late fees not included. Positive is owed. Unit: fen. 0: nothing owed."""

    arrears_period = Column("arrears_period", 3, "arrears-period", 0)
    """Billing period of the oldest unpaid bill: what a reminder is about. With the step it is the host's key for 'not twice'. Unit: yyyymm. None: no open bill."""

    late_fee_from = Column("late_fee_from", 4, "late-fee-from", -2147483648)
    """First day on which a late fee accrues on the oldest unpaid bill. Unit: date. None: no open bill."""

    months_owed = Column("months_owed", 5, "months-owed", None)
    """How many bills are unpaid. Unit: count. 0: no open bill. 255 stands for more too."""

    reminded_step = Column("reminded_step", 6, "reminded-step", None)
    """Highest step of the arrears reminder that was said about `arrears-period`. Unit: step. 0: nothing said."""

    bill_period = Column("bill_period", 7, "bill-period", 0)
    """Billing period of the latest bill, paid or not. Unit: yyyymm. None: no bill yet."""

    bill_issued = Column("bill_issued", 8, "bill-issued", -2147483648)
    """Day on which the latest bill was issued (电费发行). Unit: date. None: no bill yet."""

    bill_amount = Column("bill_amount", 9, "bill-amount", None)
    """Amount of the latest bill. Unit: fen. 0 with `bill-issued` none: no bill yet. Negative: a credit."""

    bill_kwh = Column("bill_kwh", 10, "bill-kwh", None)
    """Energy of the latest bill. Unit: kwh. 0: none used, or not known."""

    bill_said = Column("bill_said", 11, "bill-said", None)
    """Highest step of the bill notice that was said about `bill-period`. Unit: step. 0: nothing said."""

    balance = Column("balance", 12, "balance", None)
    """Prepaid balance; negative is overdrawn. Unit: fen. 0 with `balance-as-of` none: no balance known."""

    balance_as_of = Column("balance_as_of", 13, "balance-as-of", -2147483648)
    """The day for which `balance` was computed. Only about 99 % of balances are computed on a day. Unit: date. None: no balance known."""

    threshold = Column("threshold", 14, "threshold", 4294967295)
    """Balance under which a prepaid customer wants to be warned. Unit: fen. None: the customer has none of its own."""

    balance_episode = Column("balance_episode", 15, "balance-episode", None)
    """Counts the episodes of a low balance; with the step it is the host's key for 'not twice'. An episode begins with the first step that is said and ends, whether a run sees it or not, when the balance is at or above the threshold: the customer's own `threshold`, else the policy's parameter named `threshold` (fen) with which the latest step was said, else 3000. So each policy's steps are said once between two times that the balance was enough by its own measure. Unit: count. 0: no balance known yet."""

    balance_said = Column("balance_said", 16, "balance-said", None)
    """Highest step of the balance warning that was said in this episode. Unit: step. 0: nothing said."""

    paid_amount = Column("paid_amount", 17, "paid-amount", None)
    """Amount of the latest payment; in a run of `payment-received`, of the row's payment. Unit: fen. 0 with `paid-on` none: no payment known. Negative: a reversal."""

    paid_on = Column("paid_on", 18, "paid-on", -2147483648)
    """Day of the latest payment, which a payment that is entered late does not change; in a run of `payment-received`, of the row's payment. Unit: date. None: no payment known."""

    arrears_as_of = Column("arrears_as_of", 19, "arrears-as-of", -2147483648)
    """The day for which the bills are true. Unit: date. None: no bill known."""


class traits:
    """What is known of a customer: bits of the column `traits`."""

    RESIDENT = 1
    """A resident; otherwise a business."""

    IMPORTANT = 2
    """An important customer (重要客户)."""

    PREPAID = 4
    """Prepaid (费控): the balance runs down daily."""

    SCHOOL = 8
    """A school."""

    FIRM = 16
    """A firm."""

    PUBLIC = 32
    """A government office or public service."""

    ELDERLY = 64
    """Known to be elderly or to live alone."""

    BANK_DEBIT = 128
    """Pays by bank debit (银行批扣)."""

    SUBSCRIBES_BILL = 256
    """Subscribed to the bill notice."""

    SUBSCRIBES_BALANCE = 512
    """Subscribed to balance news."""

    DEBIT_PENDING = 1024
    """A bank debit is under way."""

    DISPUTED = 2048
    """The bill is disputed."""

    CLOSED = 4096
    """The account is closed or was handed over (过户)."""

    PAUSED = 8192
    """Reminders are paused (exam days, 保电)."""

    DO_NOT_REMIND = 16384
    """On the do-not-remind list (免催名单)."""

    REBILLED = 32768
    """The open bill was issued again with another amount."""

    MULTIPLE_SOURCES = 65536
    """Has more than one supply point."""

    READS_WECHAT = 131072
    """Reads WeChat messages."""

    READS_ALIPAY = 262144
    """Reads Alipay messages."""

    HAS_MOBILE = 524288
    """Has a mobile number to which an SMS can go."""


TRIGGERS = {
    "schedule": 1,
    "payment-received": 2,
    "bill-issued": 3,
    "balance-changed": 4,
}
"""Why a run happens: ids by name."""

FACTS = {
    "catch-up-minutes": 1,
    "previous-run": 2,
}
"""Numbers about the trigger, for `run.fact(name)`: ids by name."""
