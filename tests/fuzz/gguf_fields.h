/* gguf_fields: where the numbers of a GGUF file are, for tests that change one at a time. Reads only what a sound file of
 * version 3 needs and stops at the first thing it does not understand; it is no check of anything. */
#ifndef R1_TESTS_FUZZ_GGUF_FIELDS_H
#define R1_TESTS_FUZZ_GGUF_FIELDS_H

#include <stddef.h>
#include <stdint.h>
#include <string.h>

typedef enum gguf_field_kind { GGUF_VALUE, GGUF_TEXT, GGUF_ITEM, GGUF_DIM, GGUF_TYPE, GGUF_OFFSET } gguf_field_kind;

typedef struct gguf_field {
    gguf_field_kind kind;
    uint32_t type;            /* of a value or item */
    size_t at, bytes;         /* the number (of a text: its length and its letters) */
    const char *name; size_t n_name; /* of the key or tensor */
    size_t type_at;           /* of a value: where its type stands */
} gguf_field;

typedef struct gguf_walk {
    const uint8_t *p;
    size_t n, at;
    int failed;
    gguf_field *out;
    size_t n_out, cap;
} gguf_walk;

static inline uint64_t gguf_walk_number(gguf_walk *w, size_t bytes)
{
    uint64_t v = 0;
    if (w->failed || bytes > w->n - w->at) {
        w->failed = 1;
        return 0;
    }
    memcpy(&v, w->p + w->at, bytes);
    w->at += bytes;
    return v;
}

static inline const char *gguf_walk_text(gguf_walk *w, size_t *n)
{
    uint64_t k = gguf_walk_number(w, 8);
    const char *s = (const char *)w->p + w->at;
    if (w->failed || k > w->n - w->at) w->failed = 1, k = 0;
    w->at += (size_t)k;
    *n = (size_t)k;
    return s;
}

static inline void gguf_walk_put(gguf_walk *w, gguf_field f)
{
    f.bytes = w->at - f.at;
    if (!w->failed && w->n_out < w->cap) w->out[w->n_out++] = f;
}

static inline void gguf_walk_value(gguf_walk *w, gguf_field f)
{
    static const uint8_t sizes[] = { 1, 1, 2, 2, 4, 4, 4, 1, 0, 0, 8, 8, 8 };
    size_t unused;
    f.at = w->at;
    if (f.type == 8) {
        (void)gguf_walk_text(w, &unused);
        if (f.kind == GGUF_VALUE) f.kind = GGUF_TEXT;
    } else if (f.type < sizeof sizes && sizes[f.type]) {
        (void)gguf_walk_number(w, sizes[f.type]);
    } else {
        w->failed = 1;
    }
    gguf_walk_put(w, f);
}

/* Fields of data[0..n) into out[cap]; returns how many. *data_at receives where the data of tensors starts, n at the most. */
static inline size_t gguf_fields(const uint8_t *data, size_t n, gguf_field *out, size_t cap, size_t *data_at)
{
    gguf_walk w = { data, n, 8, n < 24, out, 0, cap };
    uint64_t n_tensors = gguf_walk_number(&w, 8), n_kv = gguf_walk_number(&w, 8);
    for (uint64_t i = 0; i < n_kv && !w.failed; i++) {
        gguf_field f = { .kind = GGUF_VALUE };
        f.name = gguf_walk_text(&w, &f.n_name);
        f.type_at = w.at;
        f.type = (uint32_t)gguf_walk_number(&w, 4);
        uint64_t items = 1;
        if (f.type == 9) {
            f.kind = GGUF_ITEM;
            f.type = (uint32_t)gguf_walk_number(&w, 4);
            items = gguf_walk_number(&w, 8);
        }
        for (uint64_t k = 0; k < items && !w.failed; k++) gguf_walk_value(&w, f);
    }
    for (uint64_t i = 0; i < n_tensors && !w.failed; i++) {
        gguf_field f = { .kind = GGUF_DIM };
        f.name = gguf_walk_text(&w, &f.n_name);
        uint64_t dims = gguf_walk_number(&w, 4);
        for (uint64_t k = 0; k < dims && !w.failed; k++) {
            f.at = w.at;
            (void)gguf_walk_number(&w, 8);
            gguf_walk_put(&w, f);
        }
        f.kind = GGUF_TYPE, f.at = w.at;
        (void)gguf_walk_number(&w, 4);
        gguf_walk_put(&w, f);
        f.kind = GGUF_OFFSET, f.at = w.at;
        (void)gguf_walk_number(&w, 8);
        gguf_walk_put(&w, f);
    }
    *data_at = w.at < n ? (w.at + 31) / 32 * 32 < n ? (w.at + 31) / 32 * 32 : n : n;
    return w.n_out;
}

#endif
