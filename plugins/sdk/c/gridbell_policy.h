/* A policy from its declarations. Define NAME, VERSION, TOPIC, ABOUT, TRIGGERS, PARAMETERS, COLUMNS, NOTICES, REASONS and ROUTES, include this, write
 * `prepare`, `interest` and `decide` for a `struct rule` of your own, and include gridbell_exports.h last. The columns stay hidden: `decide` sees one
 * customer.
 *
 *   #define PARAMETERS(X) X(kind, name, "default as JSON", least, most, "title", "description")
 *       kind: fen, whole, steps (a list of up to 8 whole numbers), maybe_steps (the same, perhaps not set; default ""), counting
 *   #define COLUMNS(X)    X(arrears) X(late_fee_from) …               names of wit/REGISTRY.md, `_` for `-`
 *   #define NOTICES(X)    X(name, "title", argument, unit, argument, unit)   without arguments: X(name, "title", , , , )
 *   #define REASONS(X)    X(name, "title")
 *   #define TRIGGERS(X)   X(schedule)
 *   #define ROUTES(X)     X(sms)
 */
#ifndef GRIDBELL_POLICY_H
#define GRIDBELL_POLICY_H

#include "gridbell.h"

/* ---- Kinds of parameters. ---- */

#define GB_MAX_STEPS 8

typedef int64_t gb_of_fen;
typedef int32_t gb_of_whole;
typedef struct { int32_t at[GB_MAX_STEPS]; uint8_t count; } gb_of_steps;
typedef struct { gb_of_steps steps; bool set; } gb_of_maybe_steps;
typedef bool gb_of_counting; /* whether working days are counted */

static inline void gb_read_fen(gb_json *j, gb_of_fen *to) { *to = gb_integer(j); }
static inline void gb_read_whole(gb_json *j, gb_of_whole *to) {
    int64_t value = gb_integer(j);
    if (value < INT32_MIN || value > INT32_MAX) j->wrong = true;
    *to = (int32_t)value;
}
static inline void gb_read_steps(gb_json *j, gb_of_steps *to) {
    to->count = 0;
    for (bool more = gb_open(j, '['); more; more = gb_more(j, ']')) {
        int64_t value = gb_integer(j);
        if (to->count == GB_MAX_STEPS || value < INT32_MIN || value > INT32_MAX) j->wrong = true;
        else to->at[to->count++] = (int32_t)value;
    }
}
static inline void gb_read_maybe_steps(gb_json *j, gb_of_maybe_steps *to) {
    gb_read_steps(j, &to->steps);
    to->set = true;
}
static inline void gb_read_counting(gb_json *j, gb_of_counting *to) { *to = gb_is(gb_string(j), "working"); }

/* ---- What the declarations become. ---- */

#define GB_PARAMETER_FIELD(kind, name, preset, least, most, title, description) gb_of_##kind name;
typedef struct { PARAMETERS(GB_PARAMETER_FIELD) } parameters;

#define GB_CUSTOMER_FIELD(name) gb_##name name;
typedef struct { COLUMNS(GB_CUSTOMER_FIELD) } customer;

#define GB_NOTICE_INDEX(name, title, arg0, unit0, arg1, unit1) gb_notice_##name,
enum gb_notice { NOTICES(GB_NOTICE_INDEX) };
#define GB_REASON_INDEX(name, title) gb_reason_##name,
enum gb_reason { REASONS(GB_REASON_INDEX) };
#define GB_ROUTE_INDEX(name) gb_route_##name,
enum gb_route { ROUTES(GB_ROUTE_INDEX) };

/* Reads the parameters over their defaults. */
static inline bool gb_read_parameters(const gb_run *run, parameters *p) {
    *p = (parameters){0};
#define GB_PRESET(kind, name, preset, least, most, title, description) \
    if (sizeof preset > 1) { \
        gb_json d = {preset, &preset[sizeof preset - 1], false}; \
        gb_read_##kind(&d, &p->name); \
    }
    PARAMETERS(GB_PRESET)
    gb_json j = {run->params.at, run->params.at + run->params.len, false};
    for (bool more = gb_open(&j, '{'); more; more = gb_more(&j, '}')) {
        gb_text key = gb_key(&j);
#define GB_READ(kind, name, preset, least, most, title, description) \
        if (gb_is(key, #name)) { gb_read_##kind(&j, &p->name); continue; }
        PARAMETERS(GB_READ)
        gb_skip(&j);
    }
    return !j.wrong;
}

/* ---- Answers. Of what is not named, step is 1, route the first, and times are "none". ---- */

typedef struct {
    bool chosen;
    uint8_t step;
    uint16_t notice, reason, route;
    int64_t arg0, arg1;
    int64_t not_before, expires; /* civil minutes; 0 is none */
} answer;

/* Says something: `return say(reminder, due_soon, .step = 2, .arg0 = c->arrears, .expires = gb_midnight(c->late_fee_from));` */
#define say(name, because, ...) \
    ((answer){.chosen = true, .notice = gb_notice_##name, .reason = gb_reason_##because __VA_OPT__(, ) __VA_ARGS__})
/* Says nothing. */
#define skip(because) ((answer){.reason = gb_reason_##because})
/* The beginning of a date. */
static inline int64_t gb_midnight(int32_t date) { return (int64_t)date * 1440; }

/* ---- Interest: any of some clauses, each all of its bounds. ---- */

#define GB_MAX_CLAUSES 16
typedef struct { bool everyone; uint32_t count; gb_clause clauses[GB_MAX_CLAUSES]; } gb_interest;

#define between(column, least, most) ((gb_bound){GB_ID_##column, GB_BETWEEN, (least), (most)})
#define at_least(column, least) between(column, least, INT64_MAX)
#define at_most(column, most) between(column, INT64_MIN, most)
#define has_all(column, bits) ((gb_bound){GB_ID_##column, GB_ALL_BITS, (bits), 0})
#define has_any(column, bits) ((gb_bound){GB_ID_##column, GB_ANY_BIT, (bits), 0})
#define has_none(column, bits) ((gb_bound){GB_ID_##column, GB_NO_BITS, (bits), 0})
/* Whoever meets all of these bounds; each call adds a clause. Without any, nobody. */
#define whoever(who, ...) \
    gb_add_clause((who), (gb_bound[]){__VA_ARGS__}, sizeof((gb_bound[]){__VA_ARGS__}) / sizeof(gb_bound))

static inline void gb_add_clause(gb_interest *who, const gb_bound *bounds, size_t count) {
    /* One clause too many widens to everyone, which leaves nobody out. */
    if (who->count == GB_MAX_CLAUSES) { who->everyone = true; return; }
    gb_bound *kept = gb_take(count * sizeof *kept, 8);
    for (size_t i = 0; i < count; i++) kept[i] = bounds[i];
    who->clauses[who->count++] = (gb_clause){kept, (uint32_t)count};
}

/* ---- The author's own. ---- */

typedef struct rule rule;
/* The rule's figures for one run, once for each batch; an error's words, or NULL. */
static const char *prepare(const gb_run *run, const parameters *p, rule *r);
/* Whom `decide` could choose at all. */
static void interest(const rule *r, gb_interest *who);
/* One customer: `say(…)` or `skip(…)`. Inline, so that a customer's facts and the answer stay in registers. */
__attribute__((always_inline)) static inline answer decide(const rule *r, const customer *c);

#endif
