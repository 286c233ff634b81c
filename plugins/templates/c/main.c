/* 电费催缴 · Reminds customers of an unpaid bill, once, some days before the late fee starts. */

#define NAME "my-policy"
#define VERSION "0.1.0"
#define TOPIC "arrears-reminder"
#define ABOUT "电费催缴：在违约金起算日之前若干天提醒一次欠费客户。"
#define TRIGGERS(X) X(schedule)

/* 地市公司可以改的参数：种类、名称、默认值、范围、标题、说明。What an office may change. */
#define PARAMETERS(X) \
    X(whole, days, "3", 1, 60, "提前天数", "违约金起算日之前多少天开始提醒。") \
    X(fen, minimum, "100", 1, 100000000, "最低欠费金额（分）", "欠费少于此数不提醒。")

/* 规则要看的数据。What the rule looks at; the columns are in wit/REGISTRY.md. */
#define COLUMNS(X) X(arrears) X(late_fee_from) X(reminded_step)

/* 能说什么，各带最多两个数。What it can say, each with at most two numbers for the template. */
#define NOTICES(X) X(reminder, "欠费提醒", amount, fen, late_fee_from, date)

/* 为什么说、为什么不说，一种情形一条。Why it says something or nothing, one for each case. */
#define REASONS(X) \
    X(nothing_owed, "没有欠费，或欠费太少") X(already_said, "已经提醒过") X(too_early, "还没到提醒的日子") \
    X(too_late, "违约金已经起算") X(due_soon, "临近违约金起算日")

/* 走哪条通道，由策略文件定义。Routes, defined in the policy's file. */
#define ROUTES(X) X(sms)

#include "gridbell_policy.h"

/* What the rule needs of the run and the parameters, computed once for each batch. */
struct rule { int32_t today, until; int64_t minimum; };

static const char *prepare(const gb_run *run, const parameters *p, rule *r) {
    int32_t today = gb_today(run);
    *r = (rule){today, today + p->days, p->minimum};
    return NULL;
}

/* 可能提醒谁。Whom `decide` could choose at all; whoever lies outside must get no notice. */
static void interest(const rule *r, gb_interest *who) {
    whoever(who, between(late_fee_from, r->today + 1, r->until), at_least(arrears, r->minimum), at_most(reminded_step, 0));
}

static answer decide(const rule *r, const customer *c) {
    int32_t due = c->late_fee_from;
    if (c->arrears < r->minimum || due == GB_DATE_NONE) return skip(nothing_owed);
    if (c->reminded_step > 0) return skip(already_said);
    if (due > r->until) return skip(too_early);
    if (due <= r->today) return skip(too_late);
    /* 到违约金起算日还发不出去就不发了。Worthless once the late fee has started. */
    return say(reminder, due_soon, .arg0 = c->arrears, .arg1 = due, .expires = gb_midnight(due));
}

#include "gridbell_exports.h"
