/* Guest SDK of Gridbell in C: the records of wit/policy.wit as the canonical ABI lays them out, memory, a JSON reader for the parameters, and
 * the calendar of working days. gridbell_policy.h makes a policy of declarations on top of it; read this one as the reference of the ABI.
 *
 * Freestanding C23 for wasm32, no libc. A fresh instance is started for each batch, so memory is only ever taken.
 */
#ifndef GRIDBELL_H
#define GRIDBELL_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "gridbell_registry.h"

#define GB_DATE_NONE INT32_MIN
#define GB_MINUTE_NONE INT64_MIN

/* ---- The records of the contract. ---- */

typedef struct { const char *at; uint32_t len; } gb_text;
typedef struct { uint16_t id; int64_t value; } gb_fact;
typedef struct { int32_t first, known_until; const uint64_t *bits; uint32_t words; } gb_workdays;

typedef struct {
    uint32_t prefecture;
    int64_t now;
    uint16_t trigger;
    gb_text schedule;
    const gb_fact *facts;
    uint32_t fact_count;
    gb_text params;
    gb_workdays workdays;
} gb_run;

enum gb_kind { GB_U8, GB_U16, GB_U32, GB_S32, GB_S64 };

typedef struct {
    uint16_t id;
    struct { uint8_t kind; const void *at; uint32_t len; } values;
} gb_column;

typedef struct { uint8_t subject; uint32_t rows; const gb_column *columns; uint32_t column_count; } gb_batch;
typedef struct { gb_run run; gb_batch batch; } gb_call;

typedef struct {
    uint32_t row;
    uint16_t notice;
    uint8_t step;
    uint16_t reason, route;
    int64_t arg0, arg1, not_before, expires;
} gb_decision;

enum gb_test { GB_BETWEEN, GB_ALL_BITS, GB_ANY_BIT, GB_NO_BITS };

typedef struct { uint16_t column; uint8_t test; int64_t low, high; } gb_bound;
typedef struct { const gb_bound *bounds; uint32_t count; } gb_clause;

typedef struct { uint8_t is_err; const void *at; uint32_t len; } gb_result;
typedef struct { uint8_t is_err; struct { uint32_t word0, word1, word2; } body; } gb_interest_result;

static_assert(sizeof(gb_run) == 64 && offsetof(gb_run, workdays) == 44);
static_assert(sizeof(gb_call) == 80 && offsetof(gb_call, batch) == 64);
static_assert(sizeof(gb_column) == 16 && sizeof(gb_fact) == 16 && sizeof(gb_bound) == 24);
static_assert(sizeof(gb_decision) == 48 && offsetof(gb_decision, arg0) == 16);
static_assert(sizeof(gb_result) == 12 && sizeof(gb_interest_result) == 16);

/* ---- Memory: taken from the end, never given back; free again once the host has read a result. ---- */

extern unsigned char __heap_base;
static uintptr_t gb_next, gb_end;

static void *gb_take(size_t size, size_t align) {
    if (gb_next == 0) {
        gb_next = (uintptr_t)&__heap_base;
        gb_end = __builtin_wasm_memory_size(0) * 65536u;
    }
    uintptr_t at = (gb_next + align - 1) & ~(uintptr_t)(align - 1);
    if (at < gb_next || at + size < at) __builtin_trap();
    if (at + size > gb_end) {
        size_t pages = (at + size - gb_end + 65535u) / 65536u;
        if (__builtin_wasm_memory_grow(0, pages) == (size_t)-1) __builtin_trap();
        gb_end += pages * 65536u;
    }
    gb_next = at + size;
    return (void *)at;
}

#define GB_EXPORT(name) __attribute__((export_name(name), used))
#define GB_INTERFACE "gridbell:policy/plugin@0.1.0#"

GB_EXPORT("cabi_realloc") void *gb_realloc(void *old, size_t old_size, size_t align, size_t size) {
    if (size == 0) return (void *)align;
    unsigned char *at = gb_take(size, align);
    const unsigned char *from = old;
    for (size_t i = 0; i < old_size && i < size; i++) at[i] = from[i];
    return at;
}

GB_EXPORT("cabi_post_" GB_INTERFACE "manifest") void gb_read_manifest(void *at) { (void)at; gb_next = 0; }
GB_EXPORT("cabi_post_" GB_INTERFACE "interest") void gb_read_interest(void *at) { (void)at; gb_next = 0; }
GB_EXPORT("cabi_post_" GB_INTERFACE "decide") void gb_read_decide(void *at) { (void)at; gb_next = 0; }
GB_EXPORT("cabi_post_" GB_INTERFACE "explain") void gb_read_explain(void *at) { (void)at; gb_next = 0; }

/* The compiler makes calls of these from loops. */
void *memset(void *to, int byte, size_t size) {
    for (size_t i = 0; i < size; i++) ((volatile unsigned char *)to)[i] = (unsigned char)byte;
    return to;
}
void *memcpy(void *restrict to, const void *restrict from, size_t size) {
    for (size_t i = 0; i < size; i++) ((volatile unsigned char *)to)[i] = ((const unsigned char *)from)[i];
    return to;
}

/* ---- Columns. ---- */

/* The values of the `index`-th column, or NULL if the host passed another one than the manifest asks for. */
static inline const void *gb_values(const gb_batch *batch, uint32_t index, uint16_t id, enum gb_kind kind) {
    if (index >= batch->column_count) return NULL;
    const gb_column *c = &batch->columns[index];
    return c->id == id && c->values.kind == kind && c->values.len == batch->rows ? c->values.at : NULL;
}

/* ---- Dates and working days. ---- */

static inline int32_t gb_today(const gb_run *run) {
    int64_t day = run->now / 1440;
    return (int32_t)(run->now % 1440 < 0 ? day - 1 : day);
}

/* Whether people work on `date`: Monday to Friday where the calendar does not know. */
static inline bool gb_works(const gb_workdays *w, int32_t date) {
    int64_t n = (int64_t)date - w->first;
    if (date >= w->first && date <= w->known_until && n / 64 < w->words) return w->bits[n / 64] >> (n % 64) & 1;
    int64_t weekday = ((int64_t)date + 3) % 7;
    return (weekday < 0 ? weekday + 7 : weekday) < 5;
}

/* The last date with at most `days` working days from `from` (included) to it (not included); looks ten years ahead at most. */
static inline int32_t gb_workdays_ahead(const gb_workdays *w, int32_t from, uint32_t days) {
    int32_t date = from;
    for (int i = 0; i < 3660; i++, date++) {
        if (!gb_works(w, date)) continue;
        if (days == 0) break;
        days--;
    }
    return date;
}

/* ---- JSON: the parameters are valid against the manifest's schema, defaults filled in. ---- */

typedef struct { const char *at, *end; bool wrong; } gb_json;

static char gb_peek(gb_json *j) {
    while (j->at < j->end && (*j->at == ' ' || *j->at == '\n' || *j->at == '\r' || *j->at == '\t')) j->at++;
    return j->at < j->end ? *j->at : 0;
}

static bool gb_eat(gb_json *j, char c) {
    if (gb_peek(j) != c) return false;
    j->at++;
    return true;
}

static void gb_expect(gb_json *j, char c) {
    if (!gb_eat(j, c)) j->wrong = true;
}

/* Steps into an object or list, and from one member to the next: `for (bool more = gb_open(j, '['); more; more = gb_more(j, ']'))`. */
static bool gb_open(gb_json *j, char bracket) {
    gb_expect(j, bracket);
    return !j->wrong && !gb_eat(j, (char)(bracket + 2));
}
static bool gb_more(gb_json *j, char bracket) {
    if (j->wrong || gb_eat(j, bracket)) return false;
    gb_expect(j, ',');
    return !j->wrong;
}

static gb_text gb_string(gb_json *j) {
    gb_text text = {NULL, 0};
    gb_expect(j, '"');
    text.at = j->at;
    while (j->at < j->end && *j->at != '"') j->at += *j->at == '\\' ? 2 : 1;
    if (j->at >= j->end) { j->wrong = true; return text; }
    text.len = (uint32_t)(j->at++ - text.at);
    return text;
}

static gb_text gb_key(gb_json *j) {
    gb_text key = gb_string(j);
    gb_expect(j, ':');
    return key;
}

static int64_t gb_integer(gb_json *j) {
    bool negative = gb_eat(j, '-');
    int64_t value = 0;
    if (gb_peek(j) < '0' || gb_peek(j) > '9') j->wrong = true;
    while (j->at < j->end && *j->at >= '0' && *j->at <= '9') {
        if (value > (INT64_MAX - 9) / 10) {
            j->wrong = true;
            return 0;
        }
        value = value * 10 + (*j->at++ - '0');
    }
    if (j->at < j->end && *j->at == '.') /* 7.0 is a whole number too */
        for (j->at++; j->at < j->end && *j->at == '0';) j->at++;
    return negative ? -value : value;
}

static bool gb_is(gb_text text, const char *word) {
    uint32_t i = 0;
    for (; i < text.len && word[i]; i++)
        if (text.at[i] != word[i]) return false;
    return i == text.len && !word[i];
}

static inline void gb_skip(gb_json *j) {
    switch (gb_peek(j)) {
    case '{':
        for (bool more = gb_open(j, '{'); more; more = gb_more(j, '}')) { gb_key(j); gb_skip(j); }
        break;
    case '[':
        for (bool more = gb_open(j, '['); more; more = gb_more(j, ']')) gb_skip(j);
        break;
    case '"': gb_string(j); break;
    default:
        while (j->at < j->end && *j->at != ',' && *j->at != '}' && *j->at != ']') j->at++;
    }
}

/* ---- Results. ---- */

static inline gb_result *gb_ok(const void *at, uint32_t len) {
    gb_result *r = gb_take(sizeof *r, 8);
    *r = (gb_result){0, at, len};
    return r;
}

static inline gb_result *gb_fail(const char *words) {
    gb_result *r = gb_take(sizeof *r, 8);
    uint32_t len = 0;
    while (words[len]) len++;
    *r = (gb_result){1, words, len};
    return r;
}

#endif
