/* Fuzz target: a whole model. A byte of options, then a GGUF file; what opens also runs.
 *
 *   bits 0-1  activations: auto, f32, bf16, int8        bit 2     latent attention expanded
 *   bits 3-5  cache: auto, f16, bf16, q8_0, f32          bits 6-7  scalar, the best level, AVX2 where it is
 *
 * Random bytes seldom get past the header, so there is a mutator that finds the numbers of the file (gguf_fields.h) and
 * changes one: a value of the metadata, a dimension, a type, a weight. What must hold: nothing crashes, an error has a
 * sentence of one line, and the sampler refuses logits of which none is finite. */
#define _GNU_SOURCE
#include "engine/engine.h"
#include "kernels/kernels.h"
#include "tests/fuzz/gguf_mutate.h"
#include "tests/fuzz/require.h"

#include <math.h>
#include <stdio.h>
#include <sys/mman.h>
#include <unistd.h>

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

enum { TOKENS = 5, CONTEXT = 64, CHUNK = 8 };

/* ---- running --------------------------------------------------------------------------------------------------- */

/* The sampler takes any logits, and says so when none is finite. */
static void sample(const r1_model_info *info, const float *logits)
{
    static const r1_sampling defaults = R1_SAMPLING_DEFAULT;
    r1_sampler *s;
    r1_sample out;
    r1_error e = { 0 };
    if (r1_sampler_new(&s, info->n_vocab, info->n_tokens, &defaults, &e) != R1_OK) abort();
    r1_status st = r1_sampler_sample(s, logits, 0, &out, &e);
    bool any = false;
    for (int32_t i = 0; i < info->n_tokens; i++) any = any || isfinite(logits[i]);
    if (any) require(st == R1_OK && out.id >= 0 && out.id < info->n_tokens);
    if (st) require_error(st, &e);
    r1_sampler_free(s);
}

static void step(r1_engine *engine, const r1_model_info *info, const int32_t *ids, float *logits)
{
    r1_session *s;
    r1_error e = { 0 };
    r1_status st = r1_session_open(&s, engine, CONTEXT, &e);
    require((st == R1_OK) == (s != NULL));
    if (st) {
        require_error(st, &e);
        return;
    }
    r1_batch_row row = { s, ids, TOKENS, logits, TOKENS };
    if (r1_batch_step(engine, &row, 1, &e) != R1_OK) abort();
    require(r1_session_length(s) == TOKENS);
    sample(info, logits + (size_t)(TOKENS - 1) * (size_t)info->n_vocab);
    r1_session_close(s);
}

static void trace(r1_engine *engine, const r1_model *m, const int32_t *ids, float *logits)
{
    const r1_model_info *info = r1_model_get_info(m);
    const int32_t *layers;
    size_t used = (size_t)r1_model_experts_used(m), routed = (size_t)r1_model_moe_layers(m, &layers), n = routed * TOKENS * used;
    if (!n && !r1_model_has_mtp(m)) return;
    r1_trace t = { .hidden_layer = info->n_layers, .hidden = calloc((size_t)TOKENS * (size_t)info->n_embd, sizeof(float)) };
    if (n) t.route_ids = calloc(n, sizeof *t.route_ids), t.route_weights = calloc(n, sizeof *t.route_weights);
    if (r1_model_has_mtp(m)) t.mtp_logits = calloc((size_t)(TOKENS - 1) * (size_t)info->n_vocab, sizeof(float));
    r1_session *s;
    r1_error e;
    if (r1_session_open(&s, engine, CONTEXT, &e) == R1_OK) {
        if (r1_engine_trace(s, ids, TOKENS, logits, TOKENS, &t, &e) != R1_OK) abort();
        for (size_t i = 0; i + 1 < n; i++) require(t.route_ids[i] >= 0 && ((i + 1) % used == 0 || t.route_ids[i] < t.route_ids[i + 1]));
        r1_session_close(s);
    }
    free(t.hidden);
    free(t.route_ids);
    free(t.route_weights);
    free(t.mtp_logits);
}

static void use(const r1_model *m, r1_kv_type kv)
{
    const r1_model_info *info = r1_model_get_info(m);
    const r1_engine_options options = { .n_threads = 1, .chunk = CHUNK, .kv = kv };
    r1_engine *engine;
    r1_error e = { 0 };
    require(info->n_vocab > 0 && info->n_tokens > 0 && info->n_tokens <= info->n_vocab && info->n_embd > 0 && info->n_layers > 0);
    r1_status s = r1_engine_open(&engine, m, &options, &e);
    require((s == R1_OK) == (engine != NULL));
    if (s) {
        require_error(s, &e);
        return;
    }
    float *logits = calloc((size_t)TOKENS * (size_t)info->n_vocab, sizeof *logits);
    int32_t ids[TOKENS];
    require(logits != NULL);
    for (int i = 0; i < TOKENS; i++) ids[i] = i * 7 % info->n_vocab;
    step(engine, info, ids, logits);
    trace(engine, m, ids, logits);
    free(logits);
    r1_engine_close(engine);
}

/* A file in memory with a path; where there are no such files, one in the temporary folder. */
static int make_file(const uint8_t *data, size_t n, char path[64])
{
    int fd = memfd_create("model", MFD_CLOEXEC);
    if (fd < 0) {
        char name[] = P_tmpdir "/r1-fuzz-XXXXXX";
        fd = mkstemp(name);
        if (fd >= 0) unlink(name);
    }
    require(fd >= 0);
    for (size_t done = 0; done < n;) {
        ssize_t k = write(fd, data + done, n - done);
        require(k > 0);
        done += (size_t)k;
    }
    snprintf(path, 64, "/proc/self/fd/%d", fd);
    return fd;
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    static const r1_cpu_level levels[] = { R1_CPU_SCALAR, R1_CPU_AUTO, R1_CPU_AVX2, R1_CPU_SCALAR };
    if (size == 0) return 0;
    unsigned o = data[0];
    r1_cpu_level level = levels[o >> 6];
    r1_model_options options = { .cpu = level != R1_CPU_AUTO && !r1_cpu_has(level) ? R1_CPU_AUTO : level,
                                 .activations = (r1_activations)(o & 3), .mla_expanded = o & 4, .n_threads = 1 };
    char path[64];
    int fd = make_file(data + 1, size - 1, path);
    r1_model *m;
    r1_error e = { 0 };
    r1_status s = r1_model_open(&m, path, &options, &e);
    require((s == R1_OK) == (m != NULL));
    if (s) require_error(s, &e);
    else use(m, (r1_kv_type)((o >> 3 & 7) % 5));
    r1_model_close(m);
    close(fd);
    return 0;
}
