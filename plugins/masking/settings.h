/* What the configuration says. */
#ifndef MASKING_SETTINGS_H
#define MASKING_SETTINGS_H

#include "sluice/sluice.h"

enum { RULES_MAX = 100, ITEMS_MAX = 50, USERS_MAX = 100, TEXTS_SIZE = 65536 };

typedef enum { METHOD_NONE, METHOD_NULL, METHOD_FIXED, METHOD_LAST, METHOD_HASH } masking_method;

typedef struct {
    uint32_t oid, column;
} masking_table;

typedef struct {
    masking_method method;
    sluice_bytes text;
    int32_t keep;
    int32_t column_count, type_count, table_count;
    sluice_bytes columns[ITEMS_MAX];
    uint32_t types[ITEMS_MAX];
    masking_table tables[ITEMS_MAX];
} masking_rule;

static struct {
    masking_rule rules[RULES_MAX];
    int32_t rule_count, user_count, text_type_count;
    sluice_bytes users[USERS_MAX];
    uint32_t text_types[ITEMS_MAX];
    sluice_bytes salt;
    bool is_strict, may_copy, may_call, may_be_undescribed;
} settings;

/* Texts of the configuration, which outlive the call that reads them. */
static uint8_t texts[TEXTS_SIZE];
static int32_t texts_used;

static sluice_bytes kept(sluice_bytes text) {
    if (text.size > TEXTS_SIZE - texts_used) __builtin_trap();
    uint8_t *copy = texts + texts_used;
    __builtin_memcpy(copy, text.data, (size_t)text.size);
    texts_used += text.size;
    return (sluice_bytes){copy, text.size};
}

/* A path such as rules.3.columns.1, made of words and numbers; -1 is no number. */
static char path[128];

static const char *path_of(const char *first, int32_t a, const char *second, int32_t b,
                           const char *third) {
    int32_t used = 0;
    const char *words[3] = {first, second, third};
    const int32_t numbers[3] = {a, b, -1};
    for (int i = 0; i < 3; i++) {
        for (const char *at = words[i]; *at; at++) path[used++] = *at;
        if (numbers[i] < 0) continue;
        sluice_bytes digits = sluice_number(numbers[i]);
        for (int32_t at = 0; at < digits.size; at++) path[used++] = (char)digits.data[at];
    }
    path[used] = 0;
    return path;
}

static bool read_number(const char *at, uint32_t *number) {
    sluice_bytes text = sluice_config(at);
    if (!text.data || text.size < 1 || text.size > 10) return false;
    uint64_t sum = 0;
    for (int32_t i = 0; i < text.size; i++) {
        if (text.data[i] < '0' || text.data[i] > '9') return false;
        sum = sum * 10 + (text.data[i] - '0');
    }
    *number = (uint32_t)sum;
    return sum <= UINT32_MAX;
}

static bool says(const char *at, const char *word) {
    return sluice_equals(sluice_config(at), word);
}

static int32_t read_texts(const char *list, int32_t rule, const char *key, sluice_bytes *into,
                          int32_t max) {
    for (int32_t count = 0;; count++) {
        const char *at = key ? path_of(list, rule, key, count, "") : path_of(list, count, "", -1, "");
        sluice_bytes text = sluice_config(at);
        if (!text.data || count == max) return count;
        into[count] = kept(text);
    }
}

static masking_method read_method(int32_t rule) {
    static const char *const names[] = {"", "null", "fixed", "last", "hash"};
    sluice_bytes method = sluice_config(path_of("rules.", rule, ".method", -1, ""));
    for (int i = METHOD_NULL; i <= METHOD_HASH; i++) {
        if (sluice_equals(method, names[i])) return (masking_method)i;
    }
    return METHOD_NONE;
}

static void read_rule(int32_t number) {
    masking_rule *rule = &settings.rules[number];
    rule->method = read_method(number);
    sluice_bytes text = sluice_config(path_of("rules.", number, ".text", -1, ""));
    rule->text = text.data ? kept(text) : sluice_text_bytes("***");
    uint32_t keep = 4;
    read_number(path_of("rules.", number, ".keep", -1, ""), &keep);
    rule->keep = (int32_t)keep;
    rule->column_count = read_texts("rules.", number, ".columns.", rule->columns, ITEMS_MAX);
    while (rule->type_count < ITEMS_MAX &&
           read_number(path_of("rules.", number, ".types.", rule->type_count, ""),
                       &rule->types[rule->type_count])) {
        rule->type_count++;
    }
    while (rule->table_count < ITEMS_MAX &&
           read_number(path_of("rules.", number, ".tables.", rule->table_count, ".oid"),
                       &rule->tables[rule->table_count].oid)) {
        read_number(path_of("rules.", number, ".tables.", rule->table_count, ".column"),
                    &rule->tables[rule->table_count].column);
        rule->table_count++;
    }
}

/* What is wrong with the configuration, or NULL. */
static const char *read_settings(void) {
    bool needs_salt = false;
    for (int32_t i = 0; i < RULES_MAX; i++) {
        if (!sluice_config(path_of("rules.", i, "", -1, "")).data) break;
        read_rule(i);
        masking_method method = settings.rules[i].method;
        if (method == METHOD_NONE) return "rules: a method is none of null, fixed, last and hash";
        if (method == METHOD_HASH) needs_salt = true;
        settings.rule_count++;
        sluice_scratch.used = 0; /* what is kept was copied */
    }
    if (settings.rule_count == 0) return "rules: there are none";
    sluice_bytes salt = sluice_config("salt");
    if (salt.data) settings.salt = kept(salt);
    if (needs_salt && settings.salt.size < 8) return "salt: hashes need one of 8 bytes or more";
    settings.user_count = read_texts("clearUsers.", -1, NULL, settings.users, USERS_MAX);
    while (settings.text_type_count < ITEMS_MAX &&
           read_number(path_of("textTypes.", settings.text_type_count, "", -1, ""),
                       &settings.text_types[settings.text_type_count])) {
        settings.text_type_count++;
    }
    settings.is_strict = says("strict", "true");
    settings.may_copy = says("copy", "allow");
    settings.may_call = says("functionCalls", "allow");
    settings.may_be_undescribed = says("undescribed", "allow");
    return NULL;
}

/* Whether a text fits a pattern, in which * stands for any bytes. Letter case does not count. */
static bool fits(sluice_bytes pattern, sluice_bytes text) {
    int32_t at = 0, seen = 0, behind = -1, from = 0;
    while (seen < text.size) {
        uint8_t one = text.data[seen];
        if (one >= 'A' && one <= 'Z') one += 32;
        uint8_t wanted = at < pattern.size ? pattern.data[at] : 0;
        if (wanted >= 'A' && wanted <= 'Z') wanted += 32;
        if (at < pattern.size && wanted == '*') {
            behind = ++at;
            from = seen;
        } else if (at < pattern.size && wanted == one) {
            at++;
            seen++;
        } else if (behind >= 0) {
            at = behind;
            seen = ++from;
        } else {
            return false;
        }
    }
    while (at < pattern.size && pattern.data[at] == '*') at++;
    return at == pattern.size;
}

#endif
