/* Values that take the place of others, and the way out for what has been made. */
#ifndef MASKING_VALUES_H
#define MASKING_VALUES_H

#include "columns.h"
#include "sha256.h"

enum { OUTPUT_SIZE = 65536 };

static struct {
    uint8_t bytes[OUTPUT_SIZE];
    int32_t used;
    bool has_failed;
} output;

static void flush(void) {
    if (output.used > 0 && sluice_import_write(output.bytes, output.used) < 0) {
        output.has_failed = true;
    }
    output.used = 0;
}

static void put(const uint8_t *bytes, int32_t size) {
    if (size > OUTPUT_SIZE - output.used) flush();
    if (size > OUTPUT_SIZE) {
        if (sluice_import_write(bytes, size) < 0) output.has_failed = true;
        return;
    }
    __builtin_memcpy(output.bytes + output.used, bytes, (size_t)size);
    output.used += size;
}

static void put_uint32(uint32_t value) {
    const uint8_t bytes[4] = {
        (uint8_t)(value >> 24), (uint8_t)(value >> 16), (uint8_t)(value >> 8), (uint8_t)value,
    };
    put(bytes, 4);
}

/* Where the last `keep` characters begin, and how many are before. */
static int32_t start_of_last(sluice_bytes value, int32_t keep, int32_t *hidden) {
    int32_t start = value.size, characters = 0;
    while (start > 0 && keep > 0) {
        /* A byte 10xxxxxx goes on with a character of UTF-8. */
        if ((value.data[--start] & 0xc0) != 0x80) keep--;
    }
    for (int32_t i = 0; i < start; i++) characters += (value.data[i] & 0xc0) != 0x80;
    *hidden = characters;
    /* What is not longer than what would be kept is all hidden. */
    if (characters == 0) {
        for (int32_t i = start; i < value.size; i++) *hidden += (value.data[i] & 0xc0) != 0x80;
        start = value.size;
    }
    return start;
}

/* Bytes of what stands for a value; -1 is NULL. */
static int32_t masked_size(const masking_rule *rule, bool is_text, sluice_bytes value) {
    int32_t hidden, start;
    if (value.size < 0 || !is_text) return -1;
    switch (rule->method) {
        case METHOD_FIXED:
            return rule->text.size;
        case METHOD_HASH:
            return 64;
        case METHOD_LAST:
            start = start_of_last(value, rule->keep, &hidden);
            return hidden + value.size - start;
        default:
            return -1;
    }
}

static void put_hash(sluice_bytes value) {
    static const char digits[] = "0123456789abcdef";
    uint8_t digest[32], text[64];
    sha256 hash;
    sha256_begin(&hash);
    sha256_add(&hash, settings.salt.data, (uint32_t)settings.salt.size);
    sha256_add(&hash, value.data, (uint32_t)value.size);
    sha256_end(&hash, digest);
    for (int i = 0; i < 32; i++) {
        text[2 * i] = (uint8_t)digits[digest[i] >> 4];
        text[2 * i + 1] = (uint8_t)digits[digest[i] & 15];
    }
    put(text, 64);
}

static void put_masked(const masking_rule *rule, bool is_text, sluice_bytes value) {
    int32_t hidden, start, size = masked_size(rule, is_text, value);
    put_uint32((uint32_t)size);
    if (size < 0) return;
    switch (rule->method) {
        case METHOD_FIXED:
            return put(rule->text.data, rule->text.size);
        case METHOD_HASH:
            return put_hash(value);
        default:
            start = start_of_last(value, rule->keep, &hidden);
            for (; hidden > 0; hidden--) put((const uint8_t *)"*", 1);
            put(value.data + start, value.size - start);
    }
}

#endif
