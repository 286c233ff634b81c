// 电费催缴 · Reminds customers of an unpaid bill, once, some days before the late fee starts.

import { at, columns, fen, policy, whole } from "./sdk/index.js";

export const plugin = policy({
  name: "my-policy",
  version: "0.1.0",
  description: "电费催缴：在违约金起算日之前若干天提醒一次欠费客户。",
  topic: "arrears-reminder",
  on: ["schedule"],

  // 地市公司可以改的参数。What an office may change.
  parameters: {
    days: whole({ title: "提前天数", description: "违约金起算日之前多少天开始提醒。", range: [1, 60], default: 3 }),
    minimum: fen({ title: "最低欠费金额（分）", description: "欠费少于此数不提醒。", range: [1, 100_000_000], default: 100 }),
  },

  // 规则要看的数据。What the rule looks at: columns of the registry, null where a value is "none".
  customer: ["arrears", "lateFeeFrom", "remindedStep"],

  // 能说什么，各带最多两个数。What it can say, each with at most two numbers for the template.
  notices: { reminder: { title: "欠费提醒", numbers: { amount: "fen", late_fee_from: "date" } } },

  // 为什么说、为什么不说，一种情形一条。Why it says something or nothing, one for each case.
  reasons: {
    "nothing-owed": "没有欠费，或欠费太少",
    "already-said": "已经提醒过",
    "too-early": "还没到提醒的日子",
    "too-late": "违约金已经起算",
    "due-soon": "临近违约金起算日",
  },

  // 走哪条通道，由策略文件定义。Routes, defined in the policy's file.
  routes: ["sms"],

  // 每批算一次，所有客户都用。Computed once for each batch, for all customers.
  prepare(run, { days, minimum }) {
    return { today: run.today, until: run.today + days, minimum };
  },

  // 可能提醒谁。Whom `decide` could choose at all; whoever lies outside must get no notice.
  interest({ today, until, minimum }) {
    return [[columns.lateFeeFrom.between(today + 1, until), columns.arrears.atLeast(minimum), columns.remindedStep.atMost(0)]];
  },

  // 规则，一行一条。The rule: `say(…)`, or the name of the reason why not.
  decide(customer, rule, say) {
    const due = customer.lateFeeFrom;
    if (customer.arrears < rule.minimum || due === null) return "nothing-owed";
    if (customer.remindedStep > 0) return "already-said";
    if (due > rule.until) return "too-early";
    if (due <= rule.today) return "too-late";
    return say("reminder", {
      because: "due-soon",
      numbers: { amount: customer.arrears, late_fee_from: due },
      // 到违约金起算日还发不出去就不发了。Worthless once the late fee has started.
      expires: at(due),
    });
  },
});
