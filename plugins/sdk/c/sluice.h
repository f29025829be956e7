/*
 * Sluice's plugin SDK for C: what `wit/sluice.wit` says, in one file without libc.
 *
 *     #include "sluice/sluice.h"
 *     SLUICE_HOOK(onQuery) { return sluice_forward(); }
 *
 * A plugin is one translation unit. What reads gives `sluice_bytes`, which hold until the hook
 * returns; where there is nothing, `data` is NULL and `size` says why: a sluice_host_error. What
 * writes gives a number from 0 on, or a sluice_host_error. `const char *` ends with a zero byte.
 */
#ifndef SLUICE_H
#define SLUICE_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

/* What a hook asks the gateway to do. */
typedef enum {
    SLUICE_FORWARD, SLUICE_REPLACE, SLUICE_RESPOND, SLUICE_REJECT, SLUICE_CLOSE, SLUICE_ROUTE,
} sluice_verdict;

/* Where a query's text comes from. */
typedef enum {
    SLUICE_PHASE_NONE, SLUICE_PHASE_SIMPLE, SLUICE_PHASE_PARSE, SLUICE_PHASE_EXECUTE,
} sluice_phase;

/* What is true of an event: bits of `flags`. */
typedef enum {
    SLUICE_CAN_REPLACE = 1, SLUICE_CAN_RESPOND = 2, SLUICE_CAN_REJECT = 4, SLUICE_CAN_CLOSE = 8,
    SLUICE_CAN_ROUTE = 16, SLUICE_PIPELINED = 32, SLUICE_DESCRIBED = 64,
    SLUICE_FROM_PLUGIN = 128, SLUICE_TLS = 256, SLUICE_POOLED = 512,
} sluice_flag;

/* What can be read with sluice_field while a hook runs. */
typedef enum {
    SLUICE_FIELD_PAYLOAD, SLUICE_FIELD_TEXT, SLUICE_FIELD_STATEMENT_NAME,
    SLUICE_FIELD_PORTAL_NAME, SLUICE_FIELD_PARAMETERS, SLUICE_FIELD_RESULT_FORMATS,
    SLUICE_FIELD_COLUMNS, SLUICE_FIELD_USER, SLUICE_FIELD_DATABASE,
    SLUICE_FIELD_APPLICATION_NAME, SLUICE_FIELD_CLIENT_ADDRESS, SLUICE_FIELD_SERVER_ADDRESS,
    SLUICE_FIELD_PROXY, SLUICE_FIELD_LISTENER, SLUICE_FIELD_STARTUP_PARAMETERS,
    SLUICE_FIELD_SETTINGS, SLUICE_FIELD_SQLSTATE, SLUICE_FIELD_MESSAGE,
    SLUICE_FIELD_COMMAND_TAG, SLUICE_FIELD_PLUGIN_NAME, SLUICE_FIELD_CONFIGURATION,
    SLUICE_FIELD_NORMALISED_TEXT, SLUICE_FIELD_FINGERPRINT, SLUICE_FIELD_STATEMENTS,
    SLUICE_FIELD_TABLES, SLUICE_FIELD_INJECTION_SIGNALS, SLUICE_FIELD_HTTP_STATUS,
    SLUICE_FIELD_FUNCTIONS,
} sluice_field_name;

/* Which hook runs: `hook` of the event. */
typedef enum {
    SLUICE_HOOK_onConfigLoaded = 1, SLUICE_HOOK_onNewLogger, SLUICE_HOOK_onNewPool,
    SLUICE_HOOK_onNewClient, SLUICE_HOOK_onNewProxy, SLUICE_HOOK_onNewServer,
    SLUICE_HOOK_onSignal, SLUICE_HOOK_onRun, SLUICE_HOOK_onBooting, SLUICE_HOOK_onBooted,
    SLUICE_HOOK_onShutdown, SLUICE_HOOK_onTick, SLUICE_HOOK_onHook, SLUICE_HOOK_onOpening,
    SLUICE_HOOK_onOpened, SLUICE_HOOK_onClosing, SLUICE_HOOK_onClosed, SLUICE_HOOK_onStartup,
    SLUICE_HOOK_onAuthenticated, SLUICE_HOOK_onTraffic, SLUICE_HOOK_onTrafficFromClient,
    SLUICE_HOOK_onTrafficToServer, SLUICE_HOOK_onTrafficFromServer,
    SLUICE_HOOK_onTrafficToClient, SLUICE_HOOK_onQuery, SLUICE_HOOK_onRow,
    SLUICE_HOOK_onError, SLUICE_HOOK_onQueryEnd, SLUICE_HOOK_onTransactionEnd,
} sluice_hook;

/* What a message of the log is worth. */
typedef enum {
    SLUICE_LOG_TRACE, SLUICE_LOG_DEBUG, SLUICE_LOG_INFO, SLUICE_LOG_WARN, SLUICE_LOG_ERROR,
} sluice_log_level;

/* What a metric does with its values. */
typedef enum {
    SLUICE_METRIC_COUNTER, SLUICE_METRIC_GAUGE, SLUICE_METRIC_HISTOGRAM,
} sluice_metric_kind;

/* Which clock. */
typedef enum {
    SLUICE_CLOCK_WALL, SLUICE_CLOCK_MONOTONIC,
} sluice_clock_id;

/* Why the host did not do what it was asked. */
typedef enum {
    SLUICE_ERROR_ABSENT = -1, SLUICE_ERROR_DENIED = -2, SLUICE_ERROR_OVER_LIMIT = -3,
    SLUICE_ERROR_INVALID = -4,
} sluice_host_error;

/* Types of pg_type that a result may have in text and in binary. */
typedef enum {
    SLUICE_BOOL = 16, SLUICE_BYTEA = 17, SLUICE_INT8 = 20, SLUICE_INT2 = 21, SLUICE_INT4 = 23,
    SLUICE_TEXT = 25, SLUICE_JSON = 114, SLUICE_FLOAT4 = 700, SLUICE_FLOAT8 = 701,
    SLUICE_VARCHAR = 1043, SLUICE_UUID = 2950, SLUICE_JSONB = 3802,
} sluice_type;

/* What the host writes before each call. */
typedef struct {
    uint16_t abi;
    uint16_t hook;
    uint32_t flags;
    uint64_t session;
    uint64_t time_ms;
    uint32_t payload_size;
    uint8_t message_type;
    uint8_t transaction_status;
    uint8_t phase;
    uint8_t reserved;
    uint64_t request;
    uint64_t duration_us;
    uint32_t rows;
    uint32_t worker;
    uint64_t reserved2;
} sluice_event_block;

_Static_assert(sizeof(sluice_event_block) == 64, "the event has 64 bytes");

/* The imports. List and string: pointer, size in bytes. */
#define SLUICE_IMPORT(name) \
    __attribute__((import_module("sluice"), import_name(name))) extern
SLUICE_IMPORT("read") int32_t sluice_import_read(
    int32_t field, int32_t offset, void *into, int32_t capacity);
SLUICE_IMPORT("parameter") int32_t sluice_import_parameter(
    const void *name, int32_t size, void *into, int32_t capacity);
SLUICE_IMPORT("config") int32_t sluice_import_config(
    const void *path, int32_t size, void *into, int32_t capacity);
SLUICE_IMPORT("write") int32_t sluice_import_write(const void *bytes, int32_t size);
SLUICE_IMPORT("result_column") int32_t sluice_import_result_column(
    const void *name, int32_t size, int32_t type);
SLUICE_IMPORT("result_value") int32_t sluice_import_result_value(const void *bytes, int32_t size);
SLUICE_IMPORT("result_tag") int32_t sluice_import_result_tag(const void *tag, int32_t size);
SLUICE_IMPORT("error") int32_t sluice_import_error(
    const void *sqlstate, int32_t sqlstate_size, const void *message, int32_t message_size,
    const void *hint, int32_t hint_size);
SLUICE_IMPORT("signal") int32_t sluice_import_signal(
    const void *name, int32_t size, const void *metadata, int32_t metadata_size);
SLUICE_IMPORT("log") int32_t sluice_import_log(int32_t level, const void *message, int32_t size);
SLUICE_IMPORT("metric") int32_t sluice_import_metric(
    int32_t kind, const void *name, int32_t size);
SLUICE_IMPORT("metric_record") int32_t sluice_import_metric_record(int32_t metric, double value);
SLUICE_IMPORT("kv_get") int32_t sluice_import_kv_get(
    const void *key, int32_t size, void *into, int32_t capacity);
SLUICE_IMPORT("kv_set") int32_t sluice_import_kv_set(
    const void *key, int32_t size, const void *value, int32_t value_size, int32_t ttl_ms);
SLUICE_IMPORT("kv_delete") int32_t sluice_import_kv_delete(const void *key, int32_t size);
SLUICE_IMPORT("kv_increment") int64_t sluice_import_kv_increment(
    const void *key, int32_t size, int64_t by, int32_t ttl_ms);
SLUICE_IMPORT("kv_write") int32_t sluice_import_kv_write(const void *key, int32_t size);
SLUICE_IMPORT("kv_capture") int32_t sluice_import_kv_capture(
    const void *key, int32_t size, int32_t ttl_ms, int32_t size_max);
SLUICE_IMPORT("session_get") int32_t sluice_import_session_get(void *into, int32_t capacity);
SLUICE_IMPORT("session_set") int32_t sluice_import_session_set(const void *value, int32_t size);
SLUICE_IMPORT("clock") int64_t sluice_import_clock(int32_t clock);
SLUICE_IMPORT("random") int32_t sluice_import_random(void *into, int32_t capacity);
SLUICE_IMPORT("http_send") int32_t sluice_import_http_send(
    const void *method, int32_t method_size, const void *url, int32_t url_size, const void
    *headers, int32_t headers_size, const void *body, int32_t body_size);

/* The event of the hook that runs. */
static sluice_event_block sluice_event;

/* Where the host writes the event. */
__attribute__((export_name("sluice_event"))) void *sluice_event_address(void) {
    return &sluice_event;
}

/* A hook: SLUICE_HOOK(onQuery) { return sluice_forward(); } A name that is no hook is an error. */
#define SLUICE_HOOK(name)                                                           \
    static sluice_verdict sluice_body_##name(void);                                 \
    __attribute__((export_name(#name))) int32_t sluice_call_##name(void) {          \
        _Static_assert(SLUICE_HOOK_##name > 0, "a hook");                           \
        sluice_scratch.used = 0;                                                    \
        return (int32_t)sluice_body_##name();                                       \
    }                                                                               \
    static sluice_verdict sluice_body_##name(void)

/* Called once, before any hook: SLUICE_INIT { ...; return 0; } Anything else refuses the plugin. */
#define SLUICE_INIT                                                                 \
    static int32_t sluice_body_init(void);                                          \
    __attribute__((export_name("sluice_init"))) int32_t sluice_call_init(void) {    \
        sluice_scratch.used = 0;                                                    \
        return sluice_body_init();                                                  \
    }                                                                               \
    static int32_t sluice_body_init(void)

/* Bytes that are not the caller's to keep. */
typedef struct {
    const uint8_t *data;
    int32_t size;
} sluice_bytes;

/* Memory for one call: each hook begins with all of it. */
static struct {
    uint8_t *data;
    size_t size, used;
} sluice_scratch;

/* Memory that holds until the hook returns. Traps if there is none. */
static inline void *sluice_allocate(size_t size) {
    const size_t page = 65536;
    if (size > sluice_scratch.size - sluice_scratch.used) {
        /* Twice as much each time, so that what is left behind is less than what is there. */
        size_t pages = (size + 2 * sluice_scratch.size) / page + 1;
        size_t first = __builtin_wasm_memory_grow(0, pages);
        if (first == (size_t)-1) __builtin_trap();
        sluice_scratch.data = (uint8_t *)(first * page);
        sluice_scratch.size = pages * page;
        sluice_scratch.used = 0;
    }
    void *memory = sluice_scratch.data + sluice_scratch.used;
    sluice_scratch.used += (size + 7) & ~(size_t)7;
    return memory;
}

static inline int32_t sluice_size(const char *text) {
    int32_t size = 0;
    while (text[size]) size++;
    return size;
}

/* The bytes of a text that ends with a zero byte. */
static inline sluice_bytes sluice_text_bytes(const char *text) {
    return (sluice_bytes){(const uint8_t *)text, sluice_size(text)};
}

/* Whether bytes are this text, or begin with it. */
static inline bool sluice_begins(sluice_bytes bytes, const char *text) {
    int32_t at = 0;
    while (text[at] && at < bytes.size && bytes.data[at] == (uint8_t)text[at]) at++;
    return bytes.data && !text[at];
}

static inline bool sluice_equals(sluice_bytes bytes, const char *text) {
    return sluice_begins(bytes, text) && bytes.size == sluice_size(text);
}

/* A number as text. */
static inline sluice_bytes sluice_number(int64_t number) {
    uint8_t *text = (uint8_t *)sluice_allocate(24) + 24;
    uint64_t rest = number < 0 ? 0 - (uint64_t)number : (uint64_t)number;
    int32_t size = 0;
    do {
        *--text = (uint8_t)('0' + rest % 10);
        rest /= 10;
        size++;
    } while (rest);
    if (number < 0) {
        *--text = '-';
        size++;
    }
    return (sluice_bytes){text, size};
}

/* Asks with a buffer that mostly suffices, and again if it did not: `size` is the answer. */
#define SLUICE_READ(call)                                                           \
    int32_t capacity = 512;                                                         \
    void *into = sluice_allocate((size_t)capacity);                                 \
    int32_t size = (call);                                                          \
    if (size > capacity) {                                                          \
        capacity = size;                                                            \
        into = sluice_allocate((size_t)capacity);                                   \
        size = (call);                                                              \
    }                                                                               \
    return (sluice_bytes){size < 0 ? NULL : (const uint8_t *)into, size}

/* Whether this is true of the event. */
static inline bool sluice_has(sluice_flag flag) { return (sluice_event.flags & flag) != 0; }

/* A field of the event. */
static inline sluice_bytes sluice_field(sluice_field_name field) {
    SLUICE_READ(sluice_import_read((int32_t)field, 0, into, capacity));
}

/* The message as it is on the wire, or what the hook says. */
static inline sluice_bytes sluice_payload(void) { return sluice_field(SLUICE_FIELD_PAYLOAD); }

/* Text of the query. */
static inline sluice_bytes sluice_text(void) { return sluice_field(SLUICE_FIELD_TEXT); }

/* What the server reported under this name, or else the client said. */
static inline sluice_bytes sluice_parameter(const char *name) {
    SLUICE_READ(sluice_import_parameter(name, sluice_size(name), into, capacity));
}

/* A value of the plugin's configuration, such as `rules.0.table`; what is no text is JSON. */
static inline sluice_bytes sluice_config(const char *path) {
    SLUICE_READ(sluice_import_config(path, sluice_size(path), into, capacity));
}

/* Go on as if the plugin were not there. */
static inline sluice_verdict sluice_forward(void) { return SLUICE_FORWARD; }

/* These bytes take the payload's place. */
static inline sluice_verdict sluice_replace(sluice_bytes bytes) {
    sluice_import_write(bytes.data, bytes.size);
    return SLUICE_REPLACE;
}

/* The client gets the result that was made with sluice_column and what follows it. */
static inline sluice_verdict sluice_respond(void) { return SLUICE_RESPOND; }

/* The client gets these messages, RowDescription to CommandComplete. */
static inline sluice_verdict sluice_respond_messages(sluice_bytes bytes) {
    sluice_import_write(bytes.data, bytes.size);
    return SLUICE_RESPOND;
}

/* The client gets an error. A hint of "" is none. */
static inline sluice_verdict sluice_reject(
    const char *sqlstate, const char *message, const char *hint) {
    sluice_import_error(sqlstate, sluice_size(sqlstate), message, sluice_size(message), hint,
                      sluice_size(hint));
    return SLUICE_REJECT;
}

/* The session is ended. */
static inline sluice_verdict sluice_close(void) { return SLUICE_CLOSE; }

/* Go on to this proxy of the same listener, or to a server of a role: "role=primary" or
 * "role=replica". */
static inline sluice_verdict sluice_route(const char *proxy) {
    sluice_import_write(proxy, sluice_size(proxy));
    return SLUICE_ROUTE;
}

/* A result for sluice_respond: its columns, then their values, row by row. */
static inline int32_t sluice_column(const char *name, sluice_type type) {
    return sluice_import_result_column(name, sluice_size(name), (int32_t)type);
}

static inline int32_t sluice_value(sluice_bytes value) {
    return sluice_import_result_value(value.data, value.size);
}

static inline int32_t sluice_value_text(const char *value) {
    return sluice_import_result_value(value, sluice_size(value));
}

static inline int32_t sluice_value_null(void) { return sluice_import_result_value(NULL, -1); }

/* Without it, the tag is SELECT and the number of rows. */
static inline int32_t sluice_tag(const char *tag) {
    return sluice_import_result_tag(tag, sluice_size(tag));
}

/* Writes to the gateway's log. */
static inline int32_t sluice_log(sluice_log_level level, const char *message) {
    return sluice_import_log((int32_t)level, message, sluice_size(message));
}

static inline int32_t sluice_log_bytes(sluice_log_level level, sluice_bytes message) {
    return sluice_import_log((int32_t)level, message.data, message.size);
}

/* Tells the operator's policies something; `metadata` is a JSON object. */
static inline int32_t sluice_signal(const char *name, const char *metadata) {
    return sluice_import_signal(name, sluice_size(name), metadata, sluice_size(metadata));
}

/* A metric, made once in SLUICE_INIT, by its name and labels: queries_total{kind="select"}. */
typedef struct { int32_t number; } sluice_counter;
typedef struct { int32_t number; } sluice_gauge;
typedef struct { int32_t number; } sluice_histogram;

static inline sluice_counter sluice_make_counter(const char *name) {
    return (sluice_counter){sluice_import_metric(SLUICE_METRIC_COUNTER, name, sluice_size(name))};
}

static inline sluice_gauge sluice_make_gauge(const char *name) {
    return (sluice_gauge){sluice_import_metric(SLUICE_METRIC_GAUGE, name, sluice_size(name))};
}

static inline sluice_histogram sluice_make_histogram(const char *name) {
    return (sluice_histogram){
        sluice_import_metric(SLUICE_METRIC_HISTOGRAM, name, sluice_size(name))};
}

static inline int32_t sluice_add(sluice_counter counter, double value) {
    return counter.number < 0 ? counter.number
                              : sluice_import_metric_record(counter.number, value);
}

static inline int32_t sluice_set(sluice_gauge gauge, double value) {
    return gauge.number < 0 ? gauge.number : sluice_import_metric_record(gauge.number, value);
}

static inline int32_t sluice_observe(sluice_histogram histogram, double value) {
    return histogram.number < 0 ? histogram.number
                                : sluice_import_metric_record(histogram.number, value);
}

/* The plugin's key-value store; a `ttl_ms` of 0 is for as long as there is room. */
static inline sluice_bytes sluice_kv_get(sluice_bytes key) {
    SLUICE_READ(sluice_import_kv_get(key.data, key.size, into, capacity));
}

static inline int32_t sluice_kv_set(sluice_bytes key, sluice_bytes value, uint32_t ttl_ms) {
    return sluice_import_kv_set(key.data, key.size, value.data, value.size, (int32_t)ttl_ms);
}

static inline int32_t sluice_kv_delete(sluice_bytes key) {
    return sluice_import_kv_delete(key.data, key.size);
}

/* The sum, or INT64_MIN where it cannot be done. */
static inline int64_t sluice_kv_increment(sluice_bytes key, int64_t by, uint32_t ttl_ms) {
    return sluice_import_kv_increment(key.data, key.size, by, (int32_t)ttl_ms);
}

/* Appends a stored value to what the verdict replace or respond gives. */
static inline int32_t sluice_kv_write(sluice_bytes key) {
    return sluice_import_kv_write(key.data, key.size);
}

/* Has the reply to this request stored, if it ends well and is no larger. */
static inline int32_t sluice_kv_capture(sluice_bytes key, uint32_t ttl_ms, uint32_t size_max) {
    return sluice_import_kv_capture(key.data, key.size, (int32_t)ttl_ms, (int32_t)size_max);
}

/* What the plugin keeps for this session: up to 4,096 bytes. */
static inline sluice_bytes sluice_session_get(void) {
    SLUICE_READ(sluice_import_session_get(into, capacity));
}

static inline int32_t sluice_session_set(sluice_bytes value) {
    return sluice_import_session_set(value.data, value.size);
}

/* Nanoseconds. */
static inline int64_t sluice_clock(sluice_clock_id clock) {
    return sluice_import_clock((int32_t)clock);
}

/* Fills the buffer with random bytes. */
static inline int32_t sluice_random(void *into, int32_t size) {
    return sluice_import_random(into, size);
}

/* Sends an HTTP request: its number, which onHook has in `request`. A header a line. */
static inline int32_t sluice_http_send(
    const char *method, const char *url, const char *headers, sluice_bytes body) {
    return sluice_import_http_send(method, sluice_size(method), url, sluice_size(url), headers,
                                 sluice_size(headers), body.data, body.size);
}

/* The same for queries that differ in constants only. Permission: parse, as all that follow. */
static inline sluice_bytes sluice_fingerprint(void) {
    return sluice_field(SLUICE_FIELD_FINGERPRINT);
}

/* The text with $1, $2 and so on for its constants. */
static inline sluice_bytes sluice_normalised_text(void) {
    return sluice_field(SLUICE_FIELD_NORMALISED_TEXT);
}

/* Takes what stands before `end` from `rest`; false when nothing is left. */
static inline bool sluice_next_part(sluice_bytes *rest, uint8_t end, sluice_bytes *part) {
    if (!rest->data || rest->size <= 0) return false;
    int32_t size = 0;
    while (size < rest->size && rest->data[size] != end) size++;
    *part = (sluice_bytes){rest->data, size};
    int32_t gone = size < rest->size ? size + 1 : size;
    *rest = (sluice_bytes){rest->data + gone, rest->size - gone};
    return true;
}

/* One statement of a query's text. */
typedef struct {
    sluice_bytes kind;
    bool is_write, is_locking, is_without_where;
} sluice_statement;

/* bytes all = sluice_field(SLUICE_FIELD_STATEMENTS); while (sluice_next_statement(&all, &one)) */
static inline bool sluice_next_statement(sluice_bytes *rest, sluice_statement *statement) {
    sluice_bytes line, word;
    if (!sluice_next_part(rest, '\n', &line)) return false;
    *statement = (sluice_statement){{line.data, line.size}, false, false, false};
    while (sluice_next_part(&line, ' ', &word)) {
        bool is_write = sluice_equals(word, "write");
        if (is_write || sluice_equals(word, "read")) {
            /* A kind has several words, such as CREATE TABLE AS. */
            statement->kind.size = (int32_t)(word.data - 1 - statement->kind.data);
            statement->is_write = is_write;
        }
        if (sluice_equals(word, "locking")) statement->is_locking = true;
        if (sluice_equals(word, "without-where")) statement->is_without_where = true;
    }
    return true;
}

/* A table that a query reads or writes. */
typedef struct {
    bool is_write;
    sluice_bytes name;
} sluice_table;

/* bytes all = sluice_field(SLUICE_FIELD_TABLES); while (sluice_next_table(&all, &one)) */
static inline bool sluice_next_table(sluice_bytes *rest, sluice_table *table) {
    sluice_bytes line, word;
    if (!sluice_next_part(rest, '\n', &line)) return false;
    sluice_next_part(&line, ' ', &word);
    *table = (sluice_table){sluice_equals(word, "write"), line};
    return true;
}

/* A line a sign: all = sluice_field(SLUICE_FIELD_INJECTION_SIGNALS). */
static inline bool sluice_next_signal(sluice_bytes *rest, sluice_bytes *name) {
    return sluice_next_part(rest, '\n', name);
}

/* A line a function: all = sluice_field(SLUICE_FIELD_FUNCTIONS). */
static inline bool sluice_next_function(sluice_bytes *rest, sluice_bytes *name) {
    return sluice_next_part(rest, '\n', name);
}

#endif
