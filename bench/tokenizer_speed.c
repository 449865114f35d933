/* How long encoding takes: the r1 side of tokenizer_speed.py.
 *
 *   tokenizer_speed TOKENIZER_JSON DOCUMENTS
 *
 * DOCUMENTS is u32 little-endian length, bytes, and so on. Prints "seconds tokens checksum" for one round over all of them: CPU
 * time, one thread, so that a neighbour on the machine disturbs little; the checksum (sum over all ids of id * place modulo 2^64) lets the caller see that both sides made the same ids. */
#include "base/map.h"
#include "text/tokenizer.h"

#include <stdio.h>
#include <time.h>

static int fail(const r1_error *e)
{
    fprintf(stderr, "tokenizer_speed: %s\n", e->msg);
    return 1;
}

static double cpu_seconds(void) { return (double)clock() / CLOCKS_PER_SEC; }

static r1_status encode_all(const r1_tokenizer *t, const char *docs, size_t n, r1_error *err)
{
    r1_ids ids = { 0 };
    r1_status s = R1_OK;
    size_t total = 0;
    uint64_t sum = 0;
    double before = cpu_seconds();
    for (size_t at = 0; !s && at + 4 <= n;) {
        const unsigned char *u = (const unsigned char *)docs + at;
        size_t len = u[0] | (size_t)u[1] << 8 | (size_t)u[2] << 16 | (size_t)u[3] << 24;
        at += 4;
        if (len > n - at) return r1_fail(err, R1_EFORMAT, "a document has %zu bytes, expected at most %zu", len, n - at);
        ids.n = 0;
        s = r1_tokenizer_encode(t, docs + at, len, R1_SPECIAL_ALL, &ids, err);
        for (size_t i = 0; i < ids.n; i++) sum += (uint64_t)ids.ids[i] * ++total;
        at += len;
    }
    printf("%.6f %zu %llu\n", cpu_seconds() - before, total, (unsigned long long)sum);
    r1_ids_deinit(&ids);
    return s;
}

int main(int argc, char **argv)
{
    r1_error e = { 0 };
    char *json = NULL, *docs = NULL;
    size_t n_json = 0, n_docs = 0;
    r1_tokenizer *t = NULL;
    if (argc != 3) {
        fprintf(stderr, "usage: tokenizer_speed TOKENIZER_JSON DOCUMENTS\n");
        return 2;
    }
    r1_status s = r1_file_read(argv[1], 64u << 20, &json, &n_json, &e);
    if (!s) s = r1_file_read(argv[2], 1u << 30, &docs, &n_docs, &e);
    if (!s) s = r1_tokenizer_from_json(&t, json, n_json, NULL, 0, NULL, 0, &e);
    if (!s) s = encode_all(t, docs, n_docs, &e);
    r1_tokenizer_free(t);
    free(json);
    free(docs);
    return s ? fail(&e) : 0;
}
