/* gguf_mutate: a mutator for inputs that are a byte of options and a GGUF file: changes one number of the file, found by
 * gguf_fields.h. To be included by one file of a fuzz target. */
#ifndef R1_TESTS_FUZZ_GGUF_MUTATE_H
#define R1_TESTS_FUZZ_GGUF_MUTATE_H

#include "format/gguf.h"
#include "tests/fuzz/gguf_fields.h"

#include <math.h>

#define SHOWN __attribute__((visibility("default")))

SHOWN size_t LLVMFuzzerCustomMutator(uint8_t *data, size_t size, size_t max, unsigned seed);
size_t LLVMFuzzerMutate(uint8_t *data, size_t size, size_t max) __attribute__((weak)); /* the fuzzer's; replay has none */

enum { FIELDS_MAX = 4096 };

static uint32_t next_random(uint64_t *state)
{
    *state ^= *state << 13;
    *state ^= *state >> 7;
    *state ^= *state << 17;
    return (uint32_t)(*state * 0x2545F4914F6CDD1Dull >> 32);
}

static uint64_t telling_number(const uint8_t *p, size_t bytes, uint64_t *rng)
{
    static const uint64_t list[] = { 0, 1, 2, 3, 4, 5, 7, 8, 16, 24, 31, 32, 33, 40, 48, 61, 64, 128, 256, 512, 1024, 4096, 1 << 16, 1 << 20, (1 << 20) + 1,
        1 << 24, 1 << 26, INT32_MAX, 1u << 31, UINT32_MAX, 1ull << 32, 1ull << 62, INT64_MAX, 1ull << 63, UINT64_MAX };
    uint64_t v = 0;
    memcpy(&v, p, bytes);
    switch (next_random(rng) % 4) {
    case 0: return v + next_random(rng) % 9 - 4;
    case 1: return next_random(rng) & 1 ? v * 2 : v / 2;
    default: return list[next_random(rng) % R1_COUNT(list)];
    }
}

static float telling_float(uint64_t *rng)
{
    static const float list[] = { 0, -0.0f, 1, -1, 2, 0.5f, 1e-45f, 1e-30f, 1e30f, 3.4e38f, -3.4e38f, 8, 1e6f, INFINITY, -INFINITY, NAN };
    return list[next_random(rng) % R1_COUNT(list)];
}

/* Change one number of the metadata or of a tensor's description. */
static void change_field(uint8_t *p, const gguf_field *f, uint64_t *rng)
{
    uint64_t v = telling_number(p + f->at, f->bytes < 8 ? f->bytes : 8, rng);
    if (f->kind == GGUF_TEXT || (f->kind == GGUF_ITEM && f->type == 8)) {
        if (f->bytes > 8) p[f->at + 8 + next_random(rng) % (f->bytes - 8)] = (uint8_t)next_random(rng);
        return;
    }
    if (f->kind == GGUF_TYPE) v = next_random(rng) % 42 + (next_random(rng) % 4 ? 0 : R1_PACKED_ID);
    if (f->kind == GGUF_VALUE && next_random(rng) % 8 == 0) { /* a number of another type, as wide */
        static const uint8_t wide4[] = { 4, 5, 6 }, wide8[] = { 10, 11, 12 };
        if (f->bytes == 4) p[f->type_at] = wide4[next_random(rng) % 3];
        if (f->bytes == 8) p[f->type_at] = wide8[next_random(rng) % 3];
    }
    if (f->kind == GGUF_VALUE && f->type == 6) {
        float x = telling_float(rng);
        memcpy(p + f->at, &x, sizeof x);
    } else {
        memcpy(p + f->at, &v, f->bytes < 8 ? f->bytes : 8);
    }
}

/* Change a weight, or the scale of a block: a float of 4 bytes or of 2. */
static void change_weight(uint8_t *p, size_t from, size_t n, uint64_t *rng)
{
    static const uint16_t halves[] = { 0, 0x8000, 1, 0x3c00, 0xbc00, 0x7bff, 0x7c00, 0xfc00, 0x7e00, 0x7f80, 0xff80, 0x7fc0 };
    if (n - from < 4) return;
    size_t at = from + next_random(rng) % (n - from - 3) / 2 * 2;
    if (next_random(rng) & 1) {
        float x = telling_float(rng);
        memcpy(p + at / 4 * 4, &x, at / 4 * 4 >= from ? sizeof x : 0);
    } else {
        memcpy(p + at, &halves[next_random(rng) % R1_COUNT(halves)], 2);
    }
}

SHOWN size_t LLVMFuzzerCustomMutator(uint8_t *data, size_t size, size_t max, unsigned seed)
{
    static gguf_field fields[FIELDS_MAX];
    uint64_t rng = seed * 0x9E3779B97F4A7C15ull + 1;
    if (size < 32 || next_random(&rng) % 4 == 0) return LLVMFuzzerMutate ? LLVMFuzzerMutate(data, size, max) : size;
    size_t data_at, n = gguf_fields(data + 1, size - 1, fields, FIELDS_MAX, &data_at);
    for (unsigned i = 0, steps = 1 + next_random(&rng) % 3; i < steps; i++) {
        unsigned what = next_random(&rng) % 8;
        if (what == 0) data[0] = (uint8_t)next_random(&rng);
        else if (what == 1) change_weight(data + 1, data_at, size - 1, &rng);
        else if (n) change_field(data + 1, &fields[next_random(&rng) % n], &rng);
    }
    return size;
}

#endif
