/* Fuzz target: importance matrices. A byte of options, then the file; it is asked for the weights of a small model's tensors,
 * which are then encoded with them.
 *
 *   bits 0-2  the type to encode to
 *
 * What must hold: nothing crashes, an error has a sentence of one line, weights are finite numbers from 0 and as many as the tensor
 * has columns for one or each of its matrices, each tensor has exactly the bytes that were announced. */
#define _GNU_SOURCE
#include "convert/convert.h"
#include "tests/fuzz/gguf_mutate.h"
#include "tests/fuzz/require.h"

#include <stdio.h>
#include <sys/mman.h>
#include <unistd.h>

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

/* The weights are what the header of convert promises, and the encoder takes them. */
static void use(const r1_imatrix *m, const r1_made *t)
{
    float *w;
    size_t n = 77;
    r1_error e = { 0 };
    r1_status s = r1_imatrix_weights(m, t, &w, &n, &e);
    if (s) require_error(s, &e);
    require(!s || !w);
    require(w ? n == 1 || n == t->ne[2] : s || n == 0);
    for (size_t i = 0; w && i < n * t->ne[0]; i++) require(w[i] >= 0);
    uint64_t bytes = 0;
    r1_made_error sum = { 0 };
    require(r1_make(t, NULL, w, n, &sum, count, &bytes, &e) == R1_OK && bytes == r1_made_bytes(t) && sum.error2 >= 0 && sum.n_bad == 0);
    free(w);
}

static void use_all(const r1_imatrix *m, unsigned o)
{
    static const r1_type types[] = { R1_Q4_0, R1_Q8_0, R1_Q4_1, R1_Q5_0, R1_IQ4_NL, R1_MXFP4, R1_Q4_K, R1_Q2_K };
    static char names[][32] = { "a.weight", "blk.0.ffn_up_exps.weight", "blk.0.attn_k_b.weight" };
    static float x[256 * 3 * 2];
    for (size_t i = 0; i < R1_COUNT(x); i++) x[i] = (float)((i * 2654435761u >> 7) % 201) / 100 - 1;
    r1_type type = types[o % 8];
    uint64_t k = r1_type_get(type)->by_256 ? 256 : 32, shapes[][3] = { { k, 6, 1 }, { k, 3, 2 }, { k, 1, 6 } };
    for (size_t i = 0; i < R1_COUNT(names); i++) {
        r1_ckpt_tensor t = { .name = names[i], .type = R1_F32, .n_dims = 3, .ne = { k, shapes[i][1], shapes[i][2], 1 }, .data = (const uint8_t *)x, .bytes = 24 * k };
        const r1_ckpt_tensor *src[] = { &t };
        r1_made made = { .name = names[i], .type = type, .n_dims = 3, .ne = { k, shapes[i][1], shapes[i][2], 1 }, .src = src, .n_src = 1, .src_rows = 6 };
        use(m, &made);
    }
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    char path[64];
    r1_imatrix *m;
    r1_error e = { 0 };
    if (size == 0) return 0;
    int fd = memfd_create("imatrix", MFD_CLOEXEC);
    if (fd < 0) return 0;
    for (size_t done = 1; done < size;) {
        ssize_t k = write(fd, data + done, size - done);
        require(k > 0);
        done += (size_t)k;
    }
    snprintf(path, sizeof path, "/proc/self/fd/%d", fd);
    r1_status s = r1_imatrix_open(&m, path, &e);
    require((s == R1_OK) == (m != NULL));
    if (s) require_error(s, &e);
    else use_all(m, data[0]);
    r1_imatrix_close(m);
    close(fd);
    return 0;
}
