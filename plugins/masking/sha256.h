/* SHA-256, as in FIPS 180-4. */
#ifndef MASKING_SHA256_H
#define MASKING_SHA256_H

#include <stdint.h>

typedef struct {
    uint32_t state[8];
    uint8_t block[64];
    uint32_t used;
    uint64_t size;
} sha256;

static const uint32_t sha256_rounds[64] = {
    0x428a2f98, 0x71374491, 0xb5c0fbcf, 0xe9b5dba5, 0x3956c25b, 0x59f111f1, 0x923f82a4,
    0xab1c5ed5, 0xd807aa98, 0x12835b01, 0x243185be, 0x550c7dc3, 0x72be5d74, 0x80deb1fe,
    0x9bdc06a7, 0xc19bf174, 0xe49b69c1, 0xefbe4786, 0x0fc19dc6, 0x240ca1cc, 0x2de92c6f,
    0x4a7484aa, 0x5cb0a9dc, 0x76f988da, 0x983e5152, 0xa831c66d, 0xb00327c8, 0xbf597fc7,
    0xc6e00bf3, 0xd5a79147, 0x06ca6351, 0x14292967, 0x27b70a85, 0x2e1b2138, 0x4d2c6dfc,
    0x53380d13, 0x650a7354, 0x766a0abb, 0x81c2c92e, 0x92722c85, 0xa2bfe8a1, 0xa81a664b,
    0xc24b8b70, 0xc76c51a3, 0xd192e819, 0xd6990624, 0xf40e3585, 0x106aa070, 0x19a4c116,
    0x1e376c08, 0x2748774c, 0x34b0bcb5, 0x391c0cb3, 0x4ed8aa4a, 0x5b9cca4f, 0x682e6ff3,
    0x748f82ee, 0x78a5636f, 0x84c87814, 0x8cc70208, 0x90befffa, 0xa4506ceb, 0xbef9a3f7,
    0xc67178f2,
};

static inline uint32_t sha256_rotated(uint32_t value, uint32_t bits) {
    return (value >> bits) | (value << (32 - bits));
}

static void sha256_begin(sha256 *hash) {
    static const uint32_t first[8] = {
        0x6a09e667, 0xbb67ae85, 0x3c6ef372, 0xa54ff53a, 0x510e527f, 0x9b05688c, 0x1f83d9ab,
        0x5be0cd19,
    };
    for (int i = 0; i < 8; i++) hash->state[i] = first[i];
    hash->used = 0;
    hash->size = 0;
}

static void sha256_compress(sha256 *hash) {
    uint32_t words[64], now[8];
    for (int i = 0; i < 16; i++) {
        const uint8_t *at = hash->block + 4 * i;
        words[i] = (uint32_t)at[0] << 24 | (uint32_t)at[1] << 16 | (uint32_t)at[2] << 8 | at[3];
    }
    for (int i = 16; i < 64; i++) {
        uint32_t a = words[i - 15], b = words[i - 2];
        uint32_t low = sha256_rotated(a, 7) ^ sha256_rotated(a, 18) ^ (a >> 3);
        uint32_t high = sha256_rotated(b, 17) ^ sha256_rotated(b, 19) ^ (b >> 10);
        words[i] = words[i - 16] + low + words[i - 7] + high;
    }
    for (int i = 0; i < 8; i++) now[i] = hash->state[i];
    for (int i = 0; i < 64; i++) {
        uint32_t a = now[0], e = now[4];
        uint32_t high = sha256_rotated(e, 6) ^ sha256_rotated(e, 11) ^ sha256_rotated(e, 25);
        uint32_t chosen = (e & now[5]) ^ (~e & now[6]);
        uint32_t first = now[7] + high + chosen + sha256_rounds[i] + words[i];
        uint32_t low = sha256_rotated(a, 2) ^ sha256_rotated(a, 13) ^ sha256_rotated(a, 22);
        uint32_t second = low + ((a & now[1]) ^ (a & now[2]) ^ (now[1] & now[2]));
        for (int at = 7; at > 0; at--) now[at] = now[at - 1];
        now[4] += first;
        now[0] = first + second;
    }
    for (int i = 0; i < 8; i++) hash->state[i] += now[i];
    hash->used = 0;
}

static void sha256_add(sha256 *hash, const uint8_t *bytes, uint32_t size) {
    hash->size += size;
    for (uint32_t i = 0; i < size; i++) {
        hash->block[hash->used++] = bytes[i];
        if (hash->used == 64) sha256_compress(hash);
    }
}

/* Writes the digest. */
static void sha256_end(sha256 *hash, uint8_t digest[32]) {
    uint64_t bits = hash->size * 8;
    hash->block[hash->used++] = 0x80;
    if (hash->used > 56) {
        while (hash->used < 64) hash->block[hash->used++] = 0;
        sha256_compress(hash);
    }
    while (hash->used < 56) hash->block[hash->used++] = 0;
    for (int i = 7; i >= 0; i--) hash->block[hash->used++] = (uint8_t)(bits >> (8 * i));
    sha256_compress(hash);
    for (int i = 0; i < 32; i++) digest[i] = (uint8_t)(hash->state[i / 4] >> (24 - 8 * (i % 4)));
}

#endif
