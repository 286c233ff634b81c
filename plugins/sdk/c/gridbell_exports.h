/* The contract's functions, made of a policy's declarations and its three functions. Include it last; see gridbell_policy.h. */
#ifndef GRIDBELL_EXPORTS_H
#define GRIDBELL_EXPORTS_H

#include "gridbell_policy.h"

/* ---- The manifest, written once, at upload: small, not fast. ---- */

#define GB_ONCE __attribute__((noinline))

static GB_ONCE void gb_put(const char *text) {
    for (; *text; text++) *(char *)gb_take(1, 1) = *text;
}
/* A quoted text; with `named`, `_` becomes `-`. */
static GB_ONCE void gb_put_text(const char *text, bool named) {
    gb_put("\"");
    for (; *text; text++) {
        if (*text == '"' || *text == '\\') gb_put("\\");
        *(char *)gb_take(1, 1) = (unsigned char)*text < ' ' ? ' ' : named && *text == '_' ? '-' : *text;
    }
    gb_put("\"");
}
static GB_ONCE void gb_put_number(int64_t value) {
    char digits[20];
    int n = 0;
    uint64_t rest = value < 0 ? 0u - (uint64_t)value : (uint64_t)value;
    if (value < 0) gb_put("-");
    do digits[n++] = (char)('0' + rest % 10);
    while ((rest /= 10) != 0);
    while (n > 0) *(char *)gb_take(1, 1) = digits[--n];
}
static inline void gb_put_key(const char *key, const char *text) {
    gb_put(",\"");
    gb_put(key);
    gb_put("\":");
    gb_put_text(text, false);
}
static inline void gb_put_range(int64_t least, int64_t most) {
    gb_put("\"type\":\"integer\",\"minimum\":");
    gb_put_number(least);
    gb_put(",\"maximum\":");
    gb_put_number(most);
}
static inline void gb_schema_fen(int64_t least, int64_t most) { gb_put_range(least, most); gb_put_key("x-unit", "fen"); }
static inline void gb_schema_whole(int64_t least, int64_t most) { gb_put_range(least, most); }
static inline void gb_schema_steps(int64_t least, int64_t most) {
    gb_put("\"type\":\"array\",\"maxItems\":");
    gb_put_number(GB_MAX_STEPS);
    gb_put(",\"uniqueItems\":true,\"items\":{");
    gb_put_range(least, most);
    gb_put("}");
}
static inline void gb_schema_maybe_steps(int64_t least, int64_t most) { gb_schema_steps(least, most); }
static inline void gb_schema_counting(int64_t least, int64_t most) {
    (void)least, (void)most;
    gb_put("\"type\":\"string\",\"enum\":[\"calendar\",\"working\"],\"x-enum-titles\":[\"自然日\",\"工作日（含调休）\"]");
}
static inline void gb_put_arg(const char *key, const char *name, const char *unit) {
    if (!*name) return;
    gb_put(",\"");
    gb_put(key);
    gb_put("\":{\"name\":");
    gb_put_text(name, false);
    gb_put(",\"unit\":");
    gb_put_text(unit, true);
    gb_put("}");
}

GB_EXPORT(GB_INTERFACE "manifest") gb_text *gb_manifest(void) {
    gb_text *text = gb_take(sizeof *text, 8);
    const char *begin = gb_take(0, 1), *comma = "";
    gb_put("{\"name\":");
    gb_put_text(NAME, false);
    gb_put_key("version", VERSION);
    gb_put_key("description", ABOUT);
    gb_put_key("topic", TOPIC);
    gb_put(",\"triggers\":[");
#define GB_PUT_NAME(name) gb_put(comma), gb_put_text(#name, true), comma = ",";
    TRIGGERS(GB_PUT_NAME)
    gb_put("],\"columns\":["), comma = "";
    COLUMNS(GB_PUT_NAME)
    gb_put("],\"parameters\":{\"type\":\"object\",\"additionalProperties\":false,\"properties\":{"), comma = "";
#define GB_PUT_PARAMETER(kind, name, preset, least, most, title, description) \
    gb_put(comma), gb_put_text(#name, false), gb_put(":{"), gb_schema_##kind(least, most), comma = ","; \
    gb_put_key("title", title); \
    if (*description) gb_put_key("description", description); \
    if (*preset) gb_put(",\"default\":"), gb_put(preset); \
    gb_put("}");
    PARAMETERS(GB_PUT_PARAMETER)
    gb_put("}},\"notices\":["), comma = "";
#define GB_PUT_NOTICE(name, title, arg0, unit0, arg1, unit1) \
    gb_put(comma), gb_put("{\"name\":"), gb_put_text(#name, true), gb_put_key("title", title), comma = ","; \
    gb_put_arg("arg0", #arg0, #unit0), gb_put_arg("arg1", #arg1, #unit1), gb_put("}");
    NOTICES(GB_PUT_NOTICE)
    gb_put("],\"reasons\":["), comma = "";
#define GB_PUT_REASON(name, title) \
    gb_put(comma), gb_put("{\"name\":"), gb_put_text(#name, true), gb_put_key("title", title), gb_put("}"), comma = ",";
    REASONS(GB_PUT_REASON)
    gb_put("],\"routes\":["), comma = "";
    ROUTES(GB_PUT_NAME)
    gb_put("]}");
    const char *end = gb_take(0, 1);
    *text = (gb_text){begin, (uint32_t)(end - begin)};
    return text;
}

/* ---- The run and the batch. ---- */

static inline const char *gb_prepare(const gb_run *run, rule *r) {
    parameters p;
    return gb_read_parameters(run, &p) ? prepare(run, &p, r) : "parameters: cannot be read";
}

GB_EXPORT(GB_INTERFACE "interest") gb_interest_result *gb_interest_of(
    uint32_t prefecture, int64_t now, uint32_t trigger, const char *schedule, uint32_t schedule_len, const gb_fact *facts,
    uint32_t fact_count, const char *params, uint32_t params_len, int32_t first, int32_t known_until, const uint64_t *bits,
    uint32_t words) {
    gb_run run = {prefecture, now, (uint16_t)trigger, {schedule, schedule_len}, facts, fact_count, {params, params_len},
                  {first, known_until, bits, words}};
    gb_interest_result *out = gb_take(sizeof *out, 8);
    rule r;
    const char *wrong = gb_prepare(&run, &r);
    if (wrong) {
        gb_result *words_of = gb_fail(wrong);
        *out = (gb_interest_result){1, {(uint32_t)(uintptr_t)words_of->at, words_of->len, 0}};
        return out;
    }
    gb_interest *who = gb_take(sizeof *who, 8);
    who->everyone = false;
    who->count = 0;
    interest(&r, who);
    *out = who->everyone ? (gb_interest_result){0, {0, 0, 0}}
                         : (gb_interest_result){0, {1, (uint32_t)(uintptr_t)who->clauses, who->count}};
    return out;
}

#define GB_COLUMN_FIELD(name) const gb_##name *name;
typedef struct { COLUMNS(GB_COLUMN_FIELD) } gb_columns;

static inline const char *gb_begin(const gb_call *call, rule *r, gb_columns *c) {
    const gb_batch *batch = &call->batch;
    if (batch->subject != 0) return "batch: this plugin decides about customers only";
    uint32_t index = 0;
#define GB_FIND_COLUMN(name) \
    c->name = gb_values(batch, index++, GB_ID_##name, GB_KIND_##name); \
    if (c->name == NULL) return "batch: a column is not the one asked for";
    COLUMNS(GB_FIND_COLUMN)
    return gb_prepare(&call->run, r);
}

#define GB_ROW_FIELD(name) .name = c.name[row],
#define GB_ROW ((customer){COLUMNS(GB_ROW_FIELD)})

GB_EXPORT(GB_INTERFACE "decide") gb_result *gb_decide(const gb_call *call) {
    rule r;
    gb_columns c;
    const char *wrong = gb_begin(call, &r, &c);
    if (wrong) return gb_fail(wrong);
    /* Decisions lie one behind the other because nothing else is taken while they are made. */
    gb_decision *list = gb_take(0, 8);
    uint32_t count = 0;
    for (uint32_t row = 0; row < call->batch.rows; row++) {
        customer who = GB_ROW;
        answer a = decide(&r, &who);
        if (!a.chosen) continue;
        gb_decision *d = gb_take(sizeof *d, 8);
        d->row = row;
        d->notice = a.notice;
        d->step = a.step ? a.step : 1;
        d->reason = a.reason;
        d->route = a.route;
        d->arg0 = a.arg0;
        d->arg1 = a.arg1;
        d->not_before = a.not_before ? a.not_before : GB_MINUTE_NONE;
        d->expires = a.expires ? a.expires : GB_MINUTE_NONE;
        count++;
    }
    return gb_ok(list, count);
}

GB_EXPORT(GB_INTERFACE "explain") gb_result *gb_explain(const gb_call *call) {
    rule r;
    gb_columns c;
    const char *wrong = gb_begin(call, &r, &c);
    if (wrong) return gb_fail(wrong);
    uint16_t *list = gb_take(call->batch.rows * sizeof *list, 8);
    for (uint32_t row = 0; row < call->batch.rows; row++) {
        customer who = GB_ROW;
        list[row] = decide(&r, &who).reason;
    }
    return gb_ok(list, call->batch.rows);
}

#endif
