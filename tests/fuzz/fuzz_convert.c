/* Fuzz target: converting and quantising. A byte of options, then a GGUF file; what can be planned is made, and given to nobody.
 *
 *   bit 0  to a folder, with its JSON files; else to GGUF     bit 1  requantised      bits 2-7  a target's number
 *
 * What must hold: nothing crashes, an error has a sentence of one line, each tensor has exactly the bytes that were announced. */
#define _GNU_SOURCE
#include "convert/convert_int.h"
#include "tests/fuzz/gguf_mutate.h"
#include "tests/fuzz/require.h"

#include <stdio.h>
#include <sys/mman.h>
#include <unistd.h>

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

static void use(r1_plan *p, unsigned o)
{
    static const char *const targets[] = { "Q4_K_M", "Q2_K", "IQ4_XS", "Q8_0", "Q5_1", "MXFP4", "F16", "Q3_K_M" };
    size_t fallbacks;
    r1_error e = { 0 };
    r1_status s = R1_OK;
    if (p->to_gguf && o & 2) {
        r1_quantise_options q = { .target = targets[(o >> 2) % R1_COUNT(targets)], .requantise = true };
        s = r1_mix_types(p, &q, &fallbacks, &e);
        if (s) require_error(s, &e);
    }
    for (size_t i = 0; i < p->n && s == R1_OK; i++) {
        uint64_t bytes = 0;
        r1_made_error sum = { 0 };
        s = r1_make(&p->t[i], NULL, NULL, 0, &sum, count, &bytes, &e);
        require(s == R1_OK && bytes == r1_made_bytes(&p->t[i]) && sum.error2 >= 0);
    }
    if (p->to_gguf) return;
    json_t *config = NULL, *generation = NULL, *tokenizer = NULL, *tokenizer_config = NULL;
    s = r1_hf_config(&config, &generation, p, &e);
    if (s) require_error(s, &e);
    s = r1_hf_tokenizer(&tokenizer, &tokenizer_config, p->ckpt, p->config.n_ctx, &e);
    if (s) require_error(s, &e);
    json_decref(config);
    json_decref(generation);
    json_decref(tokenizer);
    json_decref(tokenizer_config);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    char path[64];
    r1_ckpt *c = NULL;
    r1_plan *p = NULL;
    r1_error e = { 0 };
    if (size == 0) return 0;
    int fd = memfd_create("model", MFD_CLOEXEC);
    if (fd < 0) return 0;
    for (size_t done = 1; done < size;) {
        ssize_t k = write(fd, data + done, size - done);
        require(k > 0);
        done += (size_t)k;
    }
    snprintf(path, sizeof path, "/proc/self/fd/%d", fd);
    r1_status s = r1_ckpt_open(&c, path, false, &e);
    if (s == R1_OK) s = r1_plan_new(&p, c, !(data[0] & 1), &e);
    require((s == R1_OK) == (p != NULL));
    if (s) require_error(s, &e);
    else use(p, data[0]);
    json_t *dropped = p ? r1_plan_dropped_keys(p) : NULL;
    require((dropped != NULL) == (p != NULL) && (data[0] & 1 || json_array_size(dropped) == 0));
    json_decref(dropped);
    r1_plan_free(p);
    r1_ckpt_close(c);
    close(fd);
    return 0;
}
