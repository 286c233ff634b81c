// 电费催缴 · The same rule as plugins/arrears-reminder, in JavaScript.
//
// 规则是文件末尾的 `decide`，一行一条。The rule is `decide` at the end of this file, one line for each case.

import { at, columns, counting, fen, list, policy, traits, whole } from "../sdk/js/index.js";

/** Most steps before the late fee starts. */
const MOST_STEPS = 8;

export const plugin = policy({
  name: "arrears-reminder-js",
  version: "0.1.0",
  description:
    "电费催缴：在违约金起算日之前分步提醒欠费客户，例如提前 7 天、3 天、1 天各一次；中间漏了几天，只补最近的一步，不重复。" +
    "重要客户和费控客户可以单独设定，也可以不提醒；违约金起算之后可以每隔几天再提醒。",
  topic: "arrears-reminder",
  on: ["schedule"],

  parameters: {
    steps: list({
      title: "提前天数",
      description: "违约金起算日之前第几天提醒，可以有多个，例如 7、3、1。不填为不提醒。",
      most: MOST_STEPS, range: [1, 60], default: [7, 3, 1],
    }),
    counting: counting({
      title: "天数口径",
      description: "自然日，或工作日（按国务院公布的日历，含调休；尚未公布的年份按周一至周五）。",
      default: "calendar",
    }),
    minimum: fen({ title: "最低欠费金额（分）", description: "欠费少于此数不提醒。", range: [1, 100_000_000], default: 100 }),
    important_steps: list({
      title: "重要客户的提前天数",
      description: "不设为与其他客户相同；设为空为不提醒重要客户。",
      most: MOST_STEPS, range: [1, 60],
    }),
    prepaid_steps: list({
      title: "费控客户的提前天数",
      description: "费控客户由余额预警提醒，所以默认为空，即不提醒。",
      most: MOST_STEPS, range: [1, 60], default: [],
    }),
    overdue_every: whole({ title: "逾期后每隔几天再提醒", description: "从违约金起算日起，按自然日计算。", range: [1, 60], default: 7 }),
    overdue_times: whole({ title: "逾期后最多提醒几次", description: "0 为逾期后不再提醒。", range: [0, 12], default: 0 }),
  },

  customer: ["traits", "arrears", "lateFeeFrom", "remindedStep"],

  notices: {
    reminder: { title: "催缴提醒", numbers: { amount: "fen", late_fee_from: "date" } },
    "reminder-important": { title: "催缴提醒（重要客户）", numbers: { amount: "fen", late_fee_from: "date" } },
    overdue: { title: "逾期提醒", numbers: { amount: "fen", late_fee_from: "date" } },
  },

  reasons: {
    "nothing-owed": "没有欠费",
    "below-minimum": "欠费少于最低金额",
    "prepaid-apart": "费控客户不催缴",
    "important-apart": "重要客户不催缴",
    "no-steps": "未设提前天数",
    "too-early": "还没到提醒的日子",
    "already-said": "这一步已经提醒过",
    "due-soon": "临近违约金起算日",
    "overdue-not-asked": "逾期后不再提醒",
    "overdue-over": "逾期提醒的次数已满",
    overdue: "已过违约金起算日",
  },

  routes: ["sms"],

  // 每批算一次，所有客户都用。Computed once for each batch, for all customers.
  prepare(run, parameters) {
    const ladder = (days) => ladderOf(run, days, parameters.counting);
    return {
      today: run.today,
      minimum: parameters.minimum,
      ordinary: ladder(parameters.steps),
      important: ladder(parameters.important_steps ?? parameters.steps),
      prepaid: ladder(parameters.prepaid_steps),
      overdueEvery: parameters.overdue_every,
      overdueTimes: parameters.overdue_times,
    };
  },

  // 可能提醒谁：欠费够数，违约金起算日在提醒的时间范围之内，最后一步还没说过。
  // Whom it could choose: enough is owed, the late fee starts within reach, and the last step was not said yet.
  interest(rule) {
    return [
      ...reachedBy(rule, rule.ordinary, columns.traits.noneOf(traits.important | traits.prepaid)),
      ...reachedBy(rule, rule.important, columns.traits.allOf(traits.important)),
      ...reachedBy(rule, rule.prepaid, columns.traits.allOf(traits.prepaid)),
    ];
  },

  // 规则 · The rule.
  decide(customer, rule, say) {
    const due = customer.lateFeeFrom;

    // 没有欠费，或欠费太少：不提醒。Nothing owed, or too little: say nothing.
    if (customer.arrears <= 0 || due === null) return "nothing-owed";
    if (customer.arrears < rule.minimum) return "below-minimum";

    // 费控客户、重要客户各有自己的提前天数；既是费控又是重要的，按费控。
    // Prepaid and important customers have steps of their own; who is both counts as prepaid.
    const prepaid = customer.traits & traits.prepaid;
    const important = customer.traits & traits.important;
    const ladder = prepaid ? rule.prepaid : important ? rule.important : rule.ordinary;
    if (ladder.length === 0) return prepaid ? "prepaid-apart" : important ? "important-apart" : "no-steps";

    // 已过违约金起算日：每隔几天提醒一次，次数有限。The late fee has started: again every few days, a few times.
    if (due <= rule.today) return overdue(customer, rule, ladder, say);

    // 到了第几步？只说最近的一步，说过的不再说。Which step is it? Only the latest is said, and none twice.
    let step = 0;
    while (step < ladder.length && due <= ladder[step]) step++;
    if (step === 0) return "too-early";
    if (step <= customer.remindedStep) return "already-said";
    return say(important ? "reminder-important" : "reminder", {
      because: "due-soon",
      numbers: { amount: customer.arrears, late_fee_from: due },
      step,
      // 到违约金起算日还发不出去就不发了。Worthless once the late fee has started.
      expires: at(due),
    });
  },
});

/** 逾期提醒的步数接在提前各步之后。The steps of overdue reminders follow those before the due date. */
function overdue(customer, rule, ladder, say) {
  if (rule.overdueTimes === 0) return "overdue-not-asked";
  const due = customer.lateFeeFrom;
  const round = Math.floor((rule.today - due) / rule.overdueEvery);
  if (round >= rule.overdueTimes) return "overdue-over";
  const step = ladder.length + 1 + round;
  if (step <= customer.remindedStep) return "already-said";
  return say("overdue", {
    because: "overdue",
    numbers: { amount: customer.arrears, late_fee_from: due },
    step,
    // 到下一次提醒的日子就不发了。Worthless once the next one is due.
    expires: at(due + (round + 1) * rule.overdueEvery),
  });
}

/** Up to which late-fee date each step is due today, the furthest first, each once. */
function ladderOf(run, days, counting) {
  return [...new Set(days)].sort((a, b) => b - a).map((ahead) => run.ahead(ahead, counting));
}

/** The customers of one kind whom a ladder reaches. */
function reachedBy(rule, ladder, who) {
  if (ladder.length === 0) return [];
  const earliest = rule.today + 1 - rule.overdueTimes * rule.overdueEvery;
  return [[
    columns.lateFeeFrom.between(earliest, ladder[0]),
    columns.arrears.atLeast(rule.minimum),
    columns.remindedStep.atMost(ladder.length + rule.overdueTimes - 1),
    who,
  ]];
}
