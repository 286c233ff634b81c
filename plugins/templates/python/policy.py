"""电费催缴 · Reminds customers of an unpaid bill, once, some days before the late fee starts."""

from gridbell import at, columns, fen, notice, policy, reason, whole


class Parameters:
    """地市公司可以改的参数。What an office may change."""

    days = whole("提前天数", "违约金起算日之前多少天开始提醒。", range=(1, 60), default=3)
    minimum = fen("最低欠费金额（分）", "欠费少于此数不提醒。", range=(1, 100_000_000), default=100)


class Notice:
    """能说什么，各带最多两个数。What it can say, each with at most two numbers for the template."""

    reminder = notice("欠费提醒", amount="fen", late_fee_from="date")


class Reason:
    """为什么说、为什么不说，一种情形一条。Why it says something or nothing, one for each case."""

    nothing_owed = reason("没有欠费，或欠费太少")
    already_said = reason("已经提醒过")
    too_early = reason("还没到提醒的日子")
    too_late = reason("违约金已经起算")
    due_soon = reason("临近违约金起算日")


@policy(
    name="my-policy",
    version="0.1.0",
    topic="arrears-reminder",
    on=["schedule"],
    parameters=Parameters,
    # 规则要看的数据。What the rule looks at: columns of the registry, None where a value is "none".
    customer=[columns.arrears, columns.late_fee_from, columns.reminded_step],
    notices=Notice,
    reasons=Reason,
    # 走哪条通道，由策略文件定义。Routes, defined in the policy's file.
    routes=["sms"],
)
class MyPolicy:
    """电费催缴：在违约金起算日之前若干天提醒一次欠费客户。"""

    # 每批算一次，所有客户都用。Computed once for each batch, for all customers.
    def __init__(self, run, parameters):
        self.today = run.today
        self.until = run.today + parameters.days
        self.minimum = parameters.minimum

    # 可能提醒谁。Whom `decide` could choose at all; whoever lies outside must get no notice.
    def interest(self):
        due = columns.late_fee_from.between(self.today + 1, self.until)
        return [[due, columns.arrears.at_least(self.minimum), columns.reminded_step.at_most(0)]]

    # 规则，一行一条。The rule: a notice and why, or the reason why not.
    def decide(self, customer):
        due = customer.late_fee_from
        if customer.arrears < self.minimum or due is None:
            return Reason.nothing_owed
        if customer.reminded_step > 0:
            return Reason.already_said
        if due > self.until:
            return Reason.too_early
        if due <= self.today:
            return Reason.too_late
        # 到违约金起算日还发不出去就不发了。Worthless once the late fee has started.
        return Notice.reminder(customer.arrears, due, expires=at(due), because=Reason.due_soon)
