/* 电费催缴 · The same rule as plugins/arrears-reminder, in C: the second reference guest.
 *
 * 规则是 `decide`，一行一条。The rule is `decide`, one line for each case.
 */
#define NAME "arrears-reminder-c"
#define VERSION "0.1.0"
#define TOPIC "arrears-reminder"
#define ABOUT \
    "电费催缴：在违约金起算日之前分步提醒欠费客户，例如提前 7 天、3 天、1 天各一次；中间漏了几天，只补最近的一步，不重复。" \
    "重要客户和费控客户可以单独设定，也可以不提醒；违约金起算之后可以每隔几天再提醒。"
#define TRIGGERS(X) X(schedule)
#define PARAMETERS(X) \
    X(steps, steps, "[7,3,1]", 1, 60, "提前天数", "违约金起算日之前第几天提醒，可以有多个，例如 7、3、1。不填为不提醒。") \
    X(counting, counting, "\"calendar\"", 0, 0, "天数口径", "自然日，或工作日（按国务院公布的日历，含调休；尚未公布的年份按周一至周五）。") \
    X(fen, minimum, "100", 1, 100000000, "最低欠费金额（分）", "欠费少于此数不提醒。") \
    X(maybe_steps, important_steps, "", 1, 60, "重要客户的提前天数", "不设为与其他客户相同；设为空为不提醒重要客户。") \
    X(steps, prepaid_steps, "[]", 1, 60, "费控客户的提前天数", "费控客户由余额预警提醒，所以默认为空，即不提醒。") \
    X(whole, overdue_every, "7", 1, 60, "逾期后每隔几天再提醒", "从违约金起算日起，按自然日计算。") \
    X(whole, overdue_times, "0", 0, 12, "逾期后最多提醒几次", "0 为逾期后不再提醒。")
#define COLUMNS(X) X(traits) X(arrears) X(late_fee_from) X(reminded_step)
#define NOTICES(X) \
    X(reminder, "催缴提醒", amount, fen, late_fee_from, date) \
    X(reminder_important, "催缴提醒（重要客户）", amount, fen, late_fee_from, date) \
    X(overdue, "逾期提醒", amount, fen, late_fee_from, date)
#define REASONS(X) \
    X(nothing_owed, "没有欠费") X(below_minimum, "欠费少于最低金额") X(prepaid_apart, "费控客户不催缴") \
    X(important_apart, "重要客户不催缴") X(no_steps, "未设提前天数") X(too_early, "还没到提醒的日子") \
    X(already_said, "这一步已经提醒过") X(due_soon, "临近违约金起算日") X(overdue_not_asked, "逾期后不再提醒") \
    X(overdue_over, "逾期提醒的次数已满") X(overdue, "已过违约金起算日")
#define ROUTES(X) X(sms)

#include "gridbell_policy.h"

/* The steps of one kind of customer: the late-fee dates up to which each step is due today, the furthest first. A step that is not used is never due:
 * a fixed number of comparisons is quicker than a loop over those that are used. */
typedef struct { int32_t up_to[GB_MAX_STEPS]; uint8_t count; } ladder;

struct rule {
    int32_t today;
    int64_t minimum;
    ladder ordinary, important, prepaid;
    int32_t overdue_every;
    int32_t overdue_times;
};

/* From days ahead to dates, the furthest first, each once. */
static ladder reach(gb_of_steps days, const gb_run *run, bool working) {
    for (int i = 1; i < days.count; i++)
        for (int k = i; k > 0 && days.at[k - 1] < days.at[k]; k--) {
            int32_t swap = days.at[k];
            days.at[k] = days.at[k - 1];
            days.at[k - 1] = swap;
        }
    ladder l = {.count = 0};
    for (int i = 0; i < GB_MAX_STEPS; i++) l.up_to[i] = GB_DATE_NONE;
    int32_t today = gb_today(run);
    for (int i = 0; i < days.count; i++) {
        if (i > 0 && days.at[i] == days.at[i - 1]) continue;
        l.up_to[l.count++] = working ? gb_workdays_ahead(&run->workdays, today, (uint32_t)days.at[i]) : today + days.at[i];
    }
    return l;
}

static const char *prepare(const gb_run *run, const parameters *p, rule *r) {
    if (p->overdue_every < 1) return "parameters: overdue_every is at least 1";
    *r = (rule){
        .today = gb_today(run),
        .minimum = p->minimum,
        .ordinary = reach(p->steps, run, p->counting),
        .important = reach(p->important_steps.set ? p->important_steps.steps : p->steps, run, p->counting),
        .prepaid = reach(p->prepaid_steps, run, p->counting),
        .overdue_every = p->overdue_every,
        .overdue_times = p->overdue_times,
    };
    return NULL;
}

/* 可能提醒谁：欠费够数，违约金起算日在提醒的时间范围之内，最后一步还没说过。Whom the rule could choose at all. */
static void reached(const rule *r, gb_interest *who, const ladder *l, gb_bound kind) {
    if (l->count == 0) return;
    int32_t earliest = r->today + 1 - r->overdue_times * r->overdue_every;
    whoever(who, between(late_fee_from, earliest, l->up_to[0]), at_least(arrears, r->minimum),
            at_most(reminded_step, l->count + r->overdue_times - 1), kind);
}

static void interest(const rule *r, gb_interest *who) {
    reached(r, who, &r->ordinary, has_none(traits, GB_TRAIT_IMPORTANT | GB_TRAIT_PREPAID));
    reached(r, who, &r->important, has_all(traits, GB_TRAIT_IMPORTANT));
    reached(r, who, &r->prepaid, has_all(traits, GB_TRAIT_PREPAID));
}

/* 已过违约金起算日：每隔几天提醒一次，次数有限。The late fee has started: again every few days, a few times. */
static inline answer again(const rule *r, const customer *c, const ladder *l) {
    if (r->overdue_times == 0) return skip(overdue_not_asked);
    int64_t round = ((int64_t)r->today - c->late_fee_from) / r->overdue_every;
    if (round >= r->overdue_times) return skip(overdue_over);
    uint8_t step = (uint8_t)(l->count + 1 + round);
    if (step <= c->reminded_step) return skip(already_said);
    /* 到下一次提醒的日子就不发了。Worthless once the next one is due. */
    int32_t next = c->late_fee_from + ((int32_t)round + 1) * r->overdue_every;
    return say(overdue, overdue, .step = step, .arg0 = c->arrears, .arg1 = c->late_fee_from, .expires = gb_midnight(next));
}

static answer decide(const rule *r, const customer *c) {
    /* 没有欠费，或欠费太少：不提醒。Nothing owed, or too little: say nothing. */
    int32_t due = c->late_fee_from;
    if (c->arrears <= 0 || due == GB_DATE_NONE) return skip(nothing_owed);
    if (c->arrears < r->minimum) return skip(below_minimum);

    /* 费控客户、重要客户各有自己的提前天数；既是费控又是重要的，按费控。Prepaid and important customers have steps of their own. */
    bool prepaid = c->traits & GB_TRAIT_PREPAID, important = c->traits & GB_TRAIT_IMPORTANT;
    const ladder *l = prepaid ? &r->prepaid : important ? &r->important : &r->ordinary;
    if (l->count == 0) {
        if (prepaid) return skip(prepaid_apart);
        if (important) return skip(important_apart);
        return skip(no_steps);
    }

    if (due <= r->today) return again(r, c, l);

    /* 到了第几步？只说最近的一步，说过的不再说。Which step is it? Only the latest is said, and none twice. */
    uint8_t step = 0;
    for (int i = 0; i < GB_MAX_STEPS; i++) step += due <= l->up_to[i];
    if (step == 0) return skip(too_early);
    if (step <= c->reminded_step) return skip(already_said);
    /* 到违约金起算日还发不出去就不发了。Worthless once the late fee has started. */
    if (important) return say(reminder_important, due_soon, .step = step, .arg0 = c->arrears, .arg1 = due, .expires = gb_midnight(due));
    return say(reminder, due_soon, .step = step, .arg0 = c->arrears, .arg1 = due, .expires = gb_midnight(due));
}

#include "gridbell_exports.h"
