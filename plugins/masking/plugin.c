/* Puts other values in the place of those of chosen columns. */
#include "sluice/sluice.h"

#include "columns.h"
#include "settings.h"
#include "values.h"

static sluice_counter rows, values, refused;

SLUICE_INIT {
    const char *problem = read_settings();
    if (problem) {
        sluice_reject("58000", problem, "");
        return 1;
    }
    rows = sluice_make_counter("masking_rows_total");
    values = sluice_make_counter("masking_values_total");
    refused = sluice_make_counter("masking_refused_total");
    return 0;
}

/* Whether the session's user sees everything. */
static bool sees_all(void) {
    sluice_bytes user = sluice_field(SLUICE_FIELD_USER);
    for (int32_t i = 0; user.data && i < settings.user_count; i++) {
        if (settings.users[i].size != user.size) continue;
        int32_t at = 0;
        while (at < user.size && user.data[at] == settings.users[i].data[at]) at++;
        if (at == user.size) return true;
    }
    return false;
}

static sluice_verdict end_session(const char *why) {
    sluice_add(refused, 1);
    sluice_log(SLUICE_LOG_WARN, why);
    return sluice_close();
}

static sluice_bytes value_at(const uint8_t *at, const uint8_t *end) {
    if (end - at < 4) return (sluice_bytes){NULL, -2};
    int32_t size = (int32_t)uint32_at(at);
    if (size < -1 || size > end - at - 4) return (sluice_bytes){NULL, -2};
    return (sluice_bytes){at + 4, size};
}

/* Type, length, number of columns; then the size of each value, and its bytes. */
static bool mask_row(const uint8_t *row, const uint8_t *end) {
    if ((int32_t)uint16_at(row + 5) != plan.count) return false;
    uint32_t size = 6;
    const uint8_t *at = row + 7;
    for (int32_t i = 0; i < plan.count; i++) {
        sluice_bytes value = value_at(at, end);
        if (value.size < -1) return false;
        int32_t taken = value.size < 0 ? 0 : value.size, given = taken;
        if (plan.rules[i]) {
            given = masked_size(plan.rules[i], plan.is_text[i], value);
            if (given < 0) given = 0;
        }
        size += 4 + (uint32_t)given;
        at += 4 + taken;
    }
    if (at != end) return false;
    put(row, 1);
    put_uint32(size);
    put(row + 5, 2);
    at = row + 7;
    for (int32_t i = 0; i < plan.count; i++) {
        sluice_bytes value = value_at(at, end);
        int32_t taken = value.size < 0 ? 0 : value.size;
        if (plan.rules[i]) {
            put_masked(plan.rules[i], plan.is_text[i], value);
        } else {
            put(at, 4 + taken);
        }
        at += 4 + taken;
    }
    return true;
}

SLUICE_HOOK(onRow) {
    if (sees_all()) return sluice_forward();
    sluice_bytes columns = sluice_field(SLUICE_FIELD_COLUMNS);
    if (!columns.data) {
        if (settings.may_be_undescribed) return sluice_forward();
        return end_session("ended a session: it is not known which columns its rows have");
    }
    if (!is_planned(columns) && !make_plan(columns)) {
        return end_session("ended a session: its columns cannot be read");
    }
    if (plan.masked_count == 0) return sluice_forward();
    sluice_bytes payload = sluice_payload();
    const uint8_t *at = payload.data, *end = at + payload.size;
    int32_t count = 0;
    output.used = 0;
    output.has_failed = false;
    while (end - at >= 7) {
        uint32_t size = uint32_at(at + 1) + 1;
        if (size < 7 || size > (uint32_t)(end - at) || !mask_row(at, at + size)) break;
        at += size;
        count++;
    }
    flush();
    if (at != end || output.has_failed) {
        return end_session("ended a session: its rows cannot be masked");
    }
    sluice_add(rows, count);
    sluice_add(values, (double)count * plan.masked_count);
    return SLUICE_REPLACE;
}

static sluice_verdict refuse(const char *why) {
    sluice_add(refused, 1);
    return sluice_reject("42501", why, "");
}

/* COPY has no description of its columns. Most that copies to the client can be told beforehand. */
SLUICE_HOOK(onQuery) {
    if (settings.may_copy || sees_all()) return sluice_forward();
    sluice_bytes statements = sluice_field(SLUICE_FIELD_STATEMENTS), line;
    while (sluice_next_part(&statements, '\n', &line)) {
        if (sluice_begins(line, "COPY read")) {
            return refuse("COPY TO is not possible where columns are masked");
        }
    }
    return sluice_forward();
}

/* What was not seen beforehand ends here, before a row of it. */
SLUICE_HOOK(onTrafficFromServer) {
    if (sluice_event.message_type != 'H' || settings.may_copy || sees_all()) {
        return sluice_forward();
    }
    return end_session("ended a session: COPY TO is not possible where columns are masked");
}

/* The result of a FunctionCall has no columns. */
SLUICE_HOOK(onTrafficFromClient) {
    if (sluice_event.message_type != 'F' || settings.may_call || sees_all()) {
        return sluice_forward();
    }
    return refuse("functions cannot be called by number where columns are masked");
}
