"""电费催缴 · The same rule as plugins/arrears-reminder, in Python.

规则是文件末尾的 `decide`，一行一条。The rule is `decide` at the end of this file, one line for each case."""

from gridbell import at, columns, counting, fen, notice, numbers, policy, reason, traits, whole

MOST_STEPS = 8
"""Most steps before the late fee starts."""


class Parameters:
    steps = numbers("提前天数", "违约金起算日之前第几天提醒，可以有多个，例如 7、3、1。不填为不提醒。", most=MOST_STEPS, range=(1, 60), default=[7, 3, 1])
    counting = counting("天数口径", "自然日，或工作日（按国务院公布的日历，含调休；尚未公布的年份按周一至周五）。", default="calendar")
    minimum = fen("最低欠费金额（分）", "欠费少于此数不提醒。", range=(1, 100_000_000), default=100)
    important_steps = numbers("重要客户的提前天数", "不设为与其他客户相同；设为空为不提醒重要客户。", most=MOST_STEPS, range=(1, 60))
    prepaid_steps = numbers(
        "费控客户的提前天数", "费控客户由余额预警提醒，所以默认为空，即不提醒。", most=MOST_STEPS, range=(1, 60), default=[]
    )
    overdue_every = whole("逾期后每隔几天再提醒", "从违约金起算日起，按自然日计算。", range=(1, 60), default=7)
    overdue_times = whole("逾期后最多提醒几次", "0 为逾期后不再提醒。", range=(0, 12), default=0)


class Notice:
    reminder = notice("催缴提醒", amount="fen", late_fee_from="date")
    reminder_important = notice("催缴提醒（重要客户）", amount="fen", late_fee_from="date")
    overdue = notice("逾期提醒", amount="fen", late_fee_from="date")


class Reason:
    nothing_owed = reason("没有欠费")
    below_minimum = reason("欠费少于最低金额")
    prepaid_apart = reason("费控客户不催缴")
    important_apart = reason("重要客户不催缴")
    no_steps = reason("未设提前天数")
    too_early = reason("还没到提醒的日子")
    already_said = reason("这一步已经提醒过")
    due_soon = reason("临近违约金起算日")
    overdue_not_asked = reason("逾期后不再提醒")
    overdue_over = reason("逾期提醒的次数已满")
    overdue = reason("已过违约金起算日")


@policy(
    name="arrears-reminder-python",
    version="0.1.0",
    topic="arrears-reminder",
    on=["schedule"],
    parameters=Parameters,
    customer=[columns.traits, columns.arrears, columns.late_fee_from, columns.reminded_step],
    notices=Notice,
    reasons=Reason,
    routes=["sms"],
)
class ArrearsReminder:
    """电费催缴：在违约金起算日之前分步提醒欠费客户，例如提前 7 天、3 天、1 天各一次；中间漏了几天，只补最近的一步，不重复。
    重要客户和费控客户可以单独设定，也可以不提醒；违约金起算之后可以每隔几天再提醒。"""

    # 每批算一次，所有客户都用。Computed once for each batch, for all customers.
    def __init__(self, run, parameters):
        def ladder(days):
            """Up to which late-fee date each step is due today, the furthest first, each once."""
            return [run.ahead(ahead, parameters.counting) for ahead in sorted(set(days), reverse=True)]

        same = parameters.important_steps is None
        self.today = run.today
        self.minimum = parameters.minimum
        self.ordinary = ladder(parameters.steps)
        self.important = self.ordinary if same else ladder(parameters.important_steps)
        self.prepaid = ladder(parameters.prepaid_steps)
        self.overdue_every = parameters.overdue_every
        self.overdue_times = parameters.overdue_times

    # 可能提醒谁：欠费够数，违约金起算日在提醒的时间范围之内，最后一步还没说过。
    # Whom it could choose: enough is owed, the late fee starts within reach, and the last step was not said yet.
    def interest(self):
        earliest = self.today + 1 - self.overdue_times * self.overdue_every
        kinds = [
            (self.ordinary, columns.traits.none_of(traits.IMPORTANT | traits.PREPAID)),
            (self.important, columns.traits.all_of(traits.IMPORTANT)),
            (self.prepaid, columns.traits.all_of(traits.PREPAID)),
        ]
        return [
            [
                columns.late_fee_from.between(earliest, ladder[0]),
                columns.arrears.at_least(self.minimum),
                columns.reminded_step.at_most(len(ladder) + self.overdue_times - 1),
                who,
            ]
            for ladder, who in kinds
            if ladder
        ]

    # 规则 · The rule.
    def decide(self, customer):
        # 没有欠费，或欠费太少：不提醒。Nothing owed, or too little: say nothing.
        if customer.arrears <= 0 or customer.late_fee_from is None:
            return Reason.nothing_owed
        if customer.arrears < self.minimum:
            return Reason.below_minimum

        # 费控客户、重要客户各有自己的提前天数；既是费控又是重要的，按费控。
        # Prepaid and important customers have steps of their own; who is both counts as prepaid.
        important = customer.traits & traits.IMPORTANT
        if customer.traits & traits.PREPAID:
            ladder, apart = self.prepaid, Reason.prepaid_apart
        elif important:
            ladder, apart = self.important, Reason.important_apart
        else:
            ladder, apart = self.ordinary, Reason.no_steps
        if not ladder:
            return apart

        # 已过违约金起算日：每隔几天提醒一次，次数有限。The late fee has started: again every few days, a few times.
        due = customer.late_fee_from
        if due <= self.today:
            return self.overdue(customer, ladder)

        # 到了第几步？只说最近的一步，说过的不再说。Which step is it? Only the latest is said, and none twice.
        step = 0
        for up_to in ladder:
            if due > up_to:
                break
            step += 1
        if step == 0:
            return Reason.too_early
        if step <= customer.reminded_step:
            return Reason.already_said
        say = Notice.reminder_important if important else Notice.reminder
        # 到违约金起算日还发不出去就不发了。Worthless once the late fee has started.
        return say(customer.arrears, due, step=step, expires=at(due), because=Reason.due_soon)

    def overdue(self, customer, ladder):
        """逾期提醒的步数接在提前各步之后。The steps of overdue reminders follow those before the due date."""
        if self.overdue_times == 0:
            return Reason.overdue_not_asked
        due = customer.late_fee_from
        round = (self.today - due) // self.overdue_every
        if round >= self.overdue_times:
            return Reason.overdue_over
        step = len(ladder) + 1 + round
        if step <= customer.reminded_step:
            return Reason.already_said
        # 到下一次提醒的日子就不发了。Worthless once the next one is due.
        expires = at(due + (round + 1) * self.overdue_every)
        return Notice.overdue(customer.arrears, due, step=step, expires=expires, because=Reason.overdue)
