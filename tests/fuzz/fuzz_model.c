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
#include "tests/fuzz/gguf_fields.h"

#include <math.h>
#include <stdio.h>
#include <sys/mman.h>
#include <unistd.h>

#define SHOWN __attribute__((visibility("default")))

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);
SHOWN size_t LLVMFuzzerCustomMutator(uint8_t *data, size_t size, size_t max, unsigned seed);
size_t LLVMFuzzerMutate(uint8_t *data, size_t size, size_t max) __attribute__((weak)); /* the fuzzer's; replay has none */

enum { TOKENS = 5, CONTEXT = 64, CHUNK = 8, FIELDS_MAX = 4096 };

static void require(bool ok)
{
    if (!ok) abort();
}

static void require_error(r1_status s, const r1_error *e)
{
    require(s == e->status && e->msg[0] && !strchr(e->msg, '\n') && strlen(e->msg) < sizeof e->msg);
}

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

/* ---- mutations ------------------------------------------------------------------------------------------------- */

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
