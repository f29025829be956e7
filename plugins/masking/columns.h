/* Which rule each column of a result has. */
#ifndef MASKING_COLUMNS_H
#define MASKING_COLUMNS_H

#include "settings.h"

enum { COLUMNS_MAX = 1664, DESCRIPTION_MAX = 262144 }; /* 1664: MaxTupleAttributeNumber */

/* What is done with a column of strict mode. */
static const masking_rule strict_rule = {.method = METHOD_NULL};

static struct {
    /* The RowDescription that this is about. */
    uint8_t description[DESCRIPTION_MAX];
    int32_t size, count, masked_count;
    const masking_rule *rules[COLUMNS_MAX];
    bool is_text[COLUMNS_MAX];
} plan;

static uint32_t uint32_at(const uint8_t *at) {
    return (uint32_t)at[0] << 24 | (uint32_t)at[1] << 16 | (uint32_t)at[2] << 8 | at[3];
}

static uint32_t uint16_at(const uint8_t *at) { return (uint32_t)at[0] << 8 | at[1]; }

/* Types whose values are the same bytes in text and in binary: name, text, unknown, bpchar, varchar.
   Which format it is cannot always be known. */
static bool is_text_type(uint32_t oid) {
    if (oid == 19 || oid == 25 || oid == 705 || oid == 1042 || oid == 1043) return true;
    for (int32_t i = 0; i < settings.text_type_count; i++) {
        if (settings.text_types[i] == oid) return true;
    }
    return false;
}

static bool is_about(const masking_rule *rule, sluice_bytes name, uint32_t table, uint32_t column,
                     uint32_t type) {
    for (int32_t i = 0; i < rule->column_count; i++) {
        if (fits(rule->columns[i], name)) return true;
    }
    for (int32_t i = 0; i < rule->type_count; i++) {
        if (rule->types[i] == type) return true;
    }
    for (int32_t i = 0; i < rule->table_count; i++) {
        const masking_table *one = &rule->tables[i];
        if (table == one->oid && (one->column == 0 || column == one->column)) return true;
    }
    return false;
}

static const masking_rule *rule_of(sluice_bytes name, uint32_t table, uint32_t column,
                                   uint32_t type) {
    for (int32_t i = 0; i < settings.rule_count; i++) {
        if (is_about(&settings.rules[i], name, table, column, type)) return &settings.rules[i];
    }
    return settings.is_strict && table == 0 && is_text_type(type) ? &strict_rule : NULL;
}

/* Name, table's OID, column's number, type's OID, size, modifier, format: of each column. */
static bool make_plan(sluice_bytes message) {
    const uint8_t *end = message.data + message.size, *at = message.data + 7;
    plan.size = plan.masked_count = 0;
    if (message.size < 7 || message.size > DESCRIPTION_MAX) return false;
    plan.count = (int32_t)uint16_at(message.data + 5);
    if (plan.count > COLUMNS_MAX) return false;
    for (int32_t i = 0; i < plan.count; i++) {
        sluice_bytes name = {at, 0};
        while (at < end && *at) at++;
        name.size = (int32_t)(at - name.data);
        if (end - at < 19) return false;
        uint32_t table = uint32_at(at + 1), column = uint16_at(at + 5), type = uint32_at(at + 7);
        plan.rules[i] = rule_of(name, table, column, type);
        plan.is_text[i] = is_text_type(type);
        if (plan.rules[i]) plan.masked_count++;
        at += 19;
    }
    __builtin_memcpy(plan.description, message.data, (size_t)message.size);
    plan.size = message.size;
    return true;
}

static bool is_planned(sluice_bytes message) {
    if (message.size != plan.size) return false;
    for (int32_t i = 0; i < message.size; i++) {
        if (message.data[i] != plan.description[i]) return false;
    }
    return true;
}

#endif
