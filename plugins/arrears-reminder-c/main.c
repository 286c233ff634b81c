/* 电费催缴 · The same rule as plugins/arrears-reminder, in C: the second reference guest.
 *
 * 规则是 `decide_row`，一行一条。The rule is `decide_row`, one line for each case; manifest.json beside this file declares the rest.
 */
#include "gridbell.h"

static const char manifest[] = {
#embed "manifest.json"
};

/* Indexes into the manifest's lists. */
enum notice { REMINDER, REMINDER_IMPORTANT, OVERDUE };
enum reason {
    NOTHING_OWED, BELOW_MINIMUM, PREPAID_APART, IMPORTANT_APART, NO_STEPS, TOO_EARLY, ALREADY_SAID, DUE_SOON, OVERDUE_NOT_ASKED,
    OVERDUE_OVER, IS_OVERDUE,
};

#define MAX_STEPS 8

/* The steps of one kind of customer: days ahead as the office set them, then the late-fee dates up to which each step is due today. */
typedef struct { int32_t up_to[MAX_STEPS]; uint8_t count; } ladder;

typedef struct {
    int32_t today;
    int64_t minimum;
    ladder ordinary, important, prepaid;
    int32_t overdue_every;
    uint8_t overdue_times;
} rule;

typedef struct { uint32_t traits; int64_t arrears; int32_t due; uint8_t said; } customer;
typedef struct { enum reason reason; bool say; uint16_t notice; uint8_t step; int32_t expires_on; } answer;

/* ---- Parameters. ---- */

static ladder read_steps(gb_json *j) {
    ladder l = {.count = 0};
    for (bool more = gb_open(j, '['); more; more = gb_more(j, ']')) {
        int64_t days = gb_integer(j);
        if (l.count == MAX_STEPS || days < 0 || days > UINT16_MAX) j->wrong = true;
        else l.up_to[l.count++] = (int32_t)days;
    }
    return l;
}

/* From days ahead to dates, the furthest first, each once. */
static void reach(ladder *l, const gb_run *run, bool working) {
    for (int i = 1; i < l->count; i++)
        for (int k = i; k > 0 && l->up_to[k - 1] < l->up_to[k]; k--) {
            int32_t swap = l->up_to[k];
            l->up_to[k] = l->up_to[k - 1];
            l->up_to[k - 1] = swap;
        }
    uint8_t count = 0;
    for (int i = 0; i < l->count; i++)
        if (i == 0 || l->up_to[i] != l->up_to[i - 1]) l->up_to[count++] = l->up_to[i];
    l->count = count;
    int32_t today = gb_today(run);
    for (int i = 0; i < l->count; i++)
        l->up_to[i] = working ? gb_workdays_ahead(&run->workdays, today, (uint32_t)l->up_to[i]) : today + l->up_to[i];
}

static bool prepare(const gb_run *run, rule *r) {
    *r = (rule){.today = gb_today(run), .minimum = 100, .ordinary = {{7, 3, 1}, 3}, .overdue_every = 7};
    bool working = false, important = false;
    gb_json j = {run->params.at, run->params.at + run->params.len, false};
    for (bool more = gb_open(&j, '{'); more; more = gb_more(&j, '}')) {
        gb_text key = gb_key(&j);
        if (gb_is(key, "steps")) r->ordinary = read_steps(&j);
        else if (gb_is(key, "important_steps")) { r->important = read_steps(&j); important = true; }
        else if (gb_is(key, "prepaid_steps")) r->prepaid = read_steps(&j);
        else if (gb_is(key, "counting")) working = gb_is(gb_string(&j), "working");
        else if (gb_is(key, "minimum")) r->minimum = gb_integer(&j);
        else if (gb_is(key, "overdue_every")) r->overdue_every = (int32_t)gb_integer(&j);
        else if (gb_is(key, "overdue_times")) r->overdue_times = (uint8_t)gb_integer(&j);
        else gb_skip(&j);
    }
    if (j.wrong || r->overdue_every < 1) return false;
    if (!important) r->important = r->ordinary;
    reach(&r->ordinary, run, working);
    reach(&r->important, run, working);
    reach(&r->prepaid, run, working);
    return true;
}

/* ---- 规则 · The rule. ---- */

static answer skip(enum reason reason) { return (answer){.reason = reason}; }

/* 已过违约金起算日：每隔几天提醒一次，次数有限。The late fee has started: again every few days, a few times. */
static answer overdue(const rule *r, const customer *c, const ladder *l) {
    if (r->overdue_times == 0) return skip(OVERDUE_NOT_ASKED);
    int64_t round = ((int64_t)r->today - c->due) / r->overdue_every;
    if (round >= r->overdue_times) return skip(OVERDUE_OVER);
    uint8_t step = (uint8_t)(l->count + 1 + round);
    if (step <= c->said) return skip(ALREADY_SAID);
    return (answer){IS_OVERDUE, true, OVERDUE, step, c->due + ((int32_t)round + 1) * r->overdue_every};
}

static answer decide_row(const rule *r, const customer *c) {
    /* 没有欠费，或欠费太少：不提醒。Nothing owed, or too little: say nothing. */
    if (c->arrears <= 0 || c->due == GB_DATE_NONE) return skip(NOTHING_OWED);
    if (c->arrears < r->minimum) return skip(BELOW_MINIMUM);

    /* 费控客户、重要客户各有自己的提前天数；既是费控又是重要的，按费控。Prepaid and important customers have steps of their own. */
    bool prepaid = c->traits & GB_TRAIT_PREPAID, important = c->traits & GB_TRAIT_IMPORTANT;
    const ladder *l = prepaid ? &r->prepaid : important ? &r->important : &r->ordinary;
    if (l->count == 0) return skip(prepaid ? PREPAID_APART : important ? IMPORTANT_APART : NO_STEPS);

    if (c->due <= r->today) return overdue(r, c, l);

    /* 到了第几步？只说最近的一步，说过的不再说。Which step is it? Only the latest is said, and none twice. */
    uint8_t step = 0;
    for (int i = 0; i < l->count; i++) step += c->due <= l->up_to[i];
    if (step == 0) return skip(TOO_EARLY);
    if (step <= c->said) return skip(ALREADY_SAID);
    return (answer){DUE_SOON, true, important ? REMINDER_IMPORTANT : REMINDER, step, c->due};
}

/* ---- The contract's functions. ---- */

GB_EXPORT(GB_INTERFACE "manifest") gb_text *export_manifest(void) {
    gb_text *text = gb_take(sizeof *text, 8);
    *text = (gb_text){manifest, sizeof manifest};
    return text;
}

static void add_clause(gb_clause *clauses, uint32_t *count, const rule *r, const ladder *l, gb_bound who) {
    if (l->count == 0) return;
    gb_bound *b = gb_take(4 * sizeof *b, 8);
    int32_t earliest = r->today + 1 - r->overdue_times * r->overdue_every;
    b[0] = (gb_bound){GB_COLUMN_LATE_FEE_FROM, GB_BETWEEN, earliest, l->up_to[0]};
    b[1] = (gb_bound){GB_COLUMN_ARREARS, GB_BETWEEN, r->minimum, INT64_MAX};
    b[2] = (gb_bound){GB_COLUMN_REMINDED_STEP, GB_BETWEEN, INT64_MIN, l->count + r->overdue_times - 1};
    b[3] = who;
    clauses[(*count)++] = (gb_clause){b, 4};
}

/* 可能提醒谁：欠费够数，违约金起算日在提醒的时间范围之内，最后一步还没说过。Whom the rule could choose at all. */
GB_EXPORT(GB_INTERFACE "interest") gb_interest_result *export_interest(
    uint32_t prefecture, int64_t now, uint32_t trigger, const char *schedule, uint32_t schedule_len, const gb_fact *facts,
    uint32_t fact_count, const char *params, uint32_t params_len, int32_t first, int32_t known_until, const uint64_t *bits,
    uint32_t words) {
    gb_run run = {prefecture, now, (uint16_t)trigger, {schedule, schedule_len}, facts, fact_count, {params, params_len},
                  {first, known_until, bits, words}};
    gb_interest_result *out = gb_take(sizeof *out, 8);
    rule r;
    if (!prepare(&run, &r)) {
        gb_result *wrong = gb_fail("parameters: cannot be read");
        *out = (gb_interest_result){1, {(uint32_t)(uintptr_t)wrong->at, wrong->len, 0}};
        return out;
    }
    const uint32_t important = GB_TRAIT_IMPORTANT, prepaid = GB_TRAIT_PREPAID;
    gb_clause *clauses = gb_take(3 * sizeof *clauses, 8);
    uint32_t count = 0;
    add_clause(clauses, &count, &r, &r.ordinary, (gb_bound){GB_COLUMN_TRAITS, GB_NO_BITS, important | prepaid, 0});
    add_clause(clauses, &count, &r, &r.important, (gb_bound){GB_COLUMN_TRAITS, GB_ALL_BITS, important, 0});
    add_clause(clauses, &count, &r, &r.prepaid, (gb_bound){GB_COLUMN_TRAITS, GB_ALL_BITS, prepaid, 0});
    *out = (gb_interest_result){0, {1, (uint32_t)(uintptr_t)clauses, count}};
    return out;
}

typedef struct { const uint32_t *traits; const int64_t *arrears; const int32_t *due; const uint8_t *said; } columns;

static const char *begin(const gb_call *call, rule *r, columns *c) {
    const gb_batch *batch = &call->batch;
    if (batch->subject != 0) return "batch: this plugin decides about customers only";
    if (!prepare(&call->run, r)) return "parameters: cannot be read";
    c->traits = gb_values(batch, 0, GB_COLUMN_TRAITS, GB_U32);
    c->arrears = gb_values(batch, 1, GB_COLUMN_ARREARS, GB_S64);
    c->due = gb_values(batch, 2, GB_COLUMN_LATE_FEE_FROM, GB_S32);
    c->said = gb_values(batch, 3, GB_COLUMN_REMINDED_STEP, GB_U8);
    return c->traits && c->arrears && c->due && c->said ? NULL : "batch: a column is not the one asked for";
}

static customer row_of(const columns *c, uint32_t row) {
    return (customer){c->traits[row], c->arrears[row], c->due[row], c->said[row]};
}

GB_EXPORT(GB_INTERFACE "decide") gb_result *export_decide(const gb_call *call) {
    rule r;
    columns c;
    const char *wrong = begin(call, &r, &c);
    if (wrong) return gb_fail(wrong);
    /* Decisions lie one behind the other because nothing else is taken while they are made. */
    gb_decision *list = gb_take(0, 8);
    uint32_t count = 0;
    for (uint32_t row = 0; row < call->batch.rows; row++) {
        customer who = row_of(&c, row);
        answer a = decide_row(&r, &who);
        if (!a.say) continue;
        gb_decision *d = gb_take(sizeof *d, 8);
        d->row = row;
        d->notice = a.notice;
        d->step = a.step;
        d->reason = (uint16_t)a.reason;
        d->route = 0;
        d->arg0 = who.arrears;
        d->arg1 = who.due;
        d->not_before = GB_MINUTE_NONE;
        d->expires = (int64_t)a.expires_on * 1440;
        count++;
    }
    return gb_ok(list, count);
}

GB_EXPORT(GB_INTERFACE "explain") gb_result *export_explain(const gb_call *call) {
    rule r;
    columns c;
    const char *wrong = begin(call, &r, &c);
    if (wrong) return gb_fail(wrong);
    uint16_t *list = gb_take(call->batch.rows * sizeof *list, 8);
    for (uint32_t row = 0; row < call->batch.rows; row++) {
        customer who = row_of(&c, row);
        list[row] = (uint16_t)decide_row(&r, &who).reason;
    }
    return gb_ok(list, call->batch.rows);
}
