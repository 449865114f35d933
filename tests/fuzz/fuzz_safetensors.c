/* Fuzz target: a safetensors file from memory. Whatever opens must tile its data, and every byte of the data is read.
 *
 * A length that does not fit the rest is the common wreck of a mutation, so when the first byte is '{' the input is taken
 * as a header alone, its length put before it and 64 bytes of data behind. */
#include "format/safetensors.h"
#include "tests/fuzz/require.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

enum { DATA = 64 };

static void run(const uint8_t *data, size_t size)
{
    r1_st *st;
    r1_error e = { 0 };
    r1_status s = r1_st_parse(&st, data, size, &e);
    require((s == R1_OK) == (st != NULL) && (s == R1_OK || e.msg[0]));
    if (!st) return;
    const uint8_t *at = NULL;
    unsigned sum = 0;
    for (size_t i = 0; i < r1_st_n_tensors(st); i++) {
        const r1_st_tensor *t = r1_st_at(st, i);
        require(r1_st_find(st, t->name) == t && t->dtype[0] && t->n_dims >= 0 && t->n_dims <= 8);
        require(!at || t->data == at);
        at = t->data + t->bytes;
        for (uint64_t k = 0; k < t->bytes; k++) sum += t->data[k];
    }
    require(!at || at == data + size);
    require(sum <= 255 * size);
    r1_st_close(st);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    if (size == 0 || data[0] != '{') {
        run(data, size);
        return 0;
    }
    uint8_t *p = calloc(1, 8 + size + DATA);
    require(p != NULL);
    for (int i = 0; i < 8; i++) p[i] = (uint8_t)((uint64_t)size >> 8 * i);
    memcpy(p + 8, data, size);
    run(p, 8 + size + DATA);
    free(p);
    return 0;
}
