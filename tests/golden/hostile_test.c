/* Hostile models: every truncation, and every value of the metadata replaced by nasty ones. What opens must run, what does
 * not must say why in one line; nothing may crash (run it with the sanitizers). The files are the small ones of the fuzz
 * target tests/fuzz/fuzz_model.c, and a safetensors folder made here. */
#include "tests/test.h"
#include "base/map.h"
#include "engine/engine.h"
#include "format/gguf.h"
#include "tests/fuzz/gguf_fields.h"

#include <math.h>
#include <sys/mman.h>
#include <unistd.h>

enum { FIELDS_MAX = 512, TOKENS = 5 };

/* ---- files ----------------------------------------------------------------------------------------------------- */

static const char *const seeds[] = { "llama_f32", "llama_q8_0", "llama_q4_0", "llama_f16", "llama_rope_freqs", "llama_q4_k", "llama_q6_k", "qwen2_bf16",
                                     "qwen2_q4_0", "deepseek_v2_split", "deepseek_v2_combined", "deepseek_v3_mtp", "deepseek_v3_combined",
                                     "deepseek_v3_dense" };

/* A GGUF file of the fuzz corpus, without the byte of options before it; the caller frees. */
static uint8_t *seed_file(const char *name, size_t *n)
{
    char path[256], *p;
    r1_error e = { 0 };
    snprintf(path, sizeof path, "fuzz/corpus/model/%s", name);
    EXPECT_OK(r1_file_read(test_path(path), 1 << 20, &p, n, &e), &e);
    memmove(p, p + 1, --*n);
    return (uint8_t *)p;
}

/* A file in memory that has a path. */
typedef struct memory_file { int fd; char path[64]; } memory_file;

static memory_file file_new(void)
{
    memory_file f = { memfd_create("model", MFD_CLOEXEC), "" };
    EXPECT_MSG(f.fd >= 0, "there are no files in memory here");
    snprintf(f.path, sizeof f.path, "/proc/self/fd/%d", f.fd);
    return f;
}

static void file_put(const memory_file *f, const uint8_t *p, size_t n)
{
    EXPECT(ftruncate(f->fd, 0) == 0 && pwrite(f->fd, p, n, 0) == (ssize_t)n);
}

/* ---- opening and running --------------------------------------------------------------------------------------- */

static void expect_sentence(r1_status s, const r1_error *e, const char *what)
{
    EXPECT_MSG(e->status == s && e->msg[0] && !strchr(e->msg, '\n') && !strchr(e->msg, '\r'), "%s: status %d, sentence '%s'", what, (int)s, e->msg);
}

static void run(r1_model *m, const char *what)
{
    r1_engine *engine;
    r1_session *s;
    r1_error e = { 0 };
    const r1_model_info *info = r1_model_get_info(m);
    const r1_engine_options options = { .n_threads = 1, .chunk = 3 };
    EXPECT_OK(r1_engine_open(&engine, m, &options, &e), &e);
    EXPECT_OK(r1_session_open(&s, engine, 16, &e), &e);
    float *logits = calloc((size_t)info->n_vocab, sizeof *logits);
    int32_t ids[TOKENS];
    for (int i = 0; i < TOKENS; i++) ids[i] = i % info->n_vocab;
    r1_batch_row row = { s, ids, TOKENS, logits, 1 };
    r1_status st = r1_batch_step(engine, &row, 1, &e);
    EXPECT_MSG(st == R1_OK, "%s: opened, but does not run: %s", what, e.msg);
    free(logits);
    r1_session_close(s);
    r1_engine_close(engine);
}

/* Whether it opens; when it does, it runs. Its sentence in *e. */
static bool try_path(const char *path, const char *what, r1_error *e)
{
    const r1_model_options options = { .n_threads = 1 };
    r1_model *m;
    *e = (r1_error){ 0 };
    r1_status s = r1_model_open(&m, path, &options, e);
    EXPECT((s == R1_OK) == (m != NULL));
    if (s) expect_sentence(s, e, what);
    else run(m, what);
    r1_model_close(m);
    return s == R1_OK;
}

TEST(every_seed_opens_and_runs)
{
    memory_file f = file_new();
    for (size_t i = 0; i < R1_COUNT(seeds); i++) {
        size_t n;
        r1_error e;
        uint8_t *p = seed_file(seeds[i], &n);
        file_put(&f, p, n);
        EXPECT_MSG(try_path(f.path, seeds[i], &e), "%s: %s", seeds[i], e.msg);
        free(p);
    }
    close(f.fd);
}

/* ---- truncation ------------------------------------------------------------------------------------------------ */

/* Where the data of the last tensor ends; padding may follow. */
static size_t data_end(const uint8_t *p, size_t n)
{
    r1_gguf *g;
    r1_error e = { 0 };
    size_t end = 0;
    EXPECT_OK(r1_gguf_parse(&g, p, n, &e), &e);
    for (size_t i = 0; i < r1_gguf_n_tensors(g); i++) {
        const r1_gguf_tensor *t = r1_gguf_tensor_at(g, i);
        end = r1_max(end, (size_t)(t->data - p) + (size_t)t->bytes);
    }
    r1_gguf_close(g);
    return end;
}

TEST(no_part_of_a_gguf_file_opens)
{
    memory_file f = file_new();
    size_t n;
    r1_error e;
    uint8_t *p = seed_file("llama_q4_0", &n);
    size_t end = data_end(p, n);
    EXPECT(end > n / 2);
    file_put(&f, p, n);
    while (n-- > 0) {
        char what[64];
        snprintf(what, sizeof what, "the first %zu bytes", n);
        EXPECT(ftruncate(f.fd, (off_t)n) == 0);
        EXPECT_MSG(try_path(f.path, what, &e) == (n >= end), "%s of a file whose data ends at %zu: %s", what, end, e.msg);
    }
    free(p);
    close(f.fd);
}

/* ---- single values --------------------------------------------------------------------------------------------- */

typedef struct nasty { const char *name; uint32_t type; size_t n; const void *bytes; } nasty;

#define NUMBER(T, gguf_type, v) { #v, gguf_type, sizeof(T), &(const T){ v } }
static const nasty values[] = {
    NUMBER(uint32_t, 4, 0), NUMBER(uint32_t, 4, 1), NUMBER(uint32_t, 4, 2), NUMBER(uint32_t, 4, 3), NUMBER(int32_t, 5, -1), NUMBER(uint32_t, 4, 1 << 20),
    NUMBER(uint32_t, 4, 1 << 26), NUMBER(uint32_t, 4, INT32_MAX), NUMBER(uint32_t, 4, UINT32_MAX), NUMBER(int32_t, 5, INT32_MIN),
    NUMBER(uint64_t, 10, 1ull << 63), NUMBER(uint64_t, 10, UINT64_MAX), NUMBER(int64_t, 11, INT64_MIN), NUMBER(float, 6, 0), NUMBER(float, 6, 1),
    NUMBER(float, 6, -1), NUMBER(float, 6, 1e-45f), NUMBER(float, 6, 3.4e38f), NUMBER(float, 6, NAN), NUMBER(float, 6, INFINITY),
    NUMBER(float, 6, -INFINITY), NUMBER(double, 12, 1e300), NUMBER(double, 12, NAN), NUMBER(uint8_t, 7, 0), NUMBER(uint8_t, 7, 1), NUMBER(uint8_t, 7, 2),
    { "an empty string", 8, 8, "\0\0\0\0\0\0\0\0" }, { "a string", 8, 12, "\4\0\0\0\0\0\0\0a\nb\xff" },
    { "an empty array", 9, 12, "\4\0\0\0\0\0\0\0\0\0\0\0" }, { "an array", 9, 16, "\4\0\0\0\1\0\0\0\0\0\0\0\7\0\0\0" },
};

/* A file and where the numbers in it are. */
typedef struct seed {
    const char *name;
    uint8_t *p;
    size_t n, data_at;
    size_t described;     /* where the description of tensors ends; padding up to data_at follows */
    gguf_field fields[FIELDS_MAX];
    size_t n_fields;
    memory_file file;
    int opened, refused;
} seed;

static seed *seed_open(const char *name)
{
    seed *s = calloc(1, sizeof *s);
    s->name = name;
    s->p = seed_file(name, &s->n);
    s->n_fields = gguf_fields(s->p, s->n, s->fields, FIELDS_MAX - 1, &s->data_at); /* one more, zeroed, ends the list */
    EXPECT(s->n_fields > 20 && s->n_fields < FIELDS_MAX - 1 && s->data_at < s->n);
    s->described = s->fields[s->n_fields - 1].at + s->fields[s->n_fields - 1].bytes;
    s->fields[s->n_fields].kind = GGUF_OFFSET;
    s->file = file_new();
    return s;
}

static void seed_close(seed *s)
{
    close(s->file.fd);
    free(s->p);
    free(s);
}

static void try_bytes(seed *s, const uint8_t *p, size_t n, const char *what)
{
    r1_error e;
    file_put(&s->file, p, n);
    if (try_path(s->file.path, what, &e)) s->opened++;
    else s->refused++;
}

/* The value from type_at to `end` becomes another, of any type. */
static void try_value(seed *s, size_t type_at, size_t end, const nasty *v, const char *what)
{
    size_t head = type_at + 4 + v->n, rest = s->described - end, data_at = r1_round_up(head + rest, 32), n = data_at + s->n - s->data_at;
    uint8_t *out = calloc(1, n);
    memcpy(out, s->p, type_at);
    memcpy(out + type_at, &v->type, 4);
    memcpy(out + type_at + 4, v->bytes, v->n);
    memcpy(out + head, s->p + end, rest);
    memcpy(out + data_at, s->p + s->data_at, s->n - s->data_at);
    try_bytes(s, out, n, what);
    free(out);
}

TEST(every_value_of_the_metadata_may_be_anything)
{
    for (size_t i = 0; i < R1_COUNT(seeds); i++) {
        seed *s = seed_open(seeds[i]);
        for (size_t j = 0, last; j < s->n_fields && s->fields[j].kind <= GGUF_ITEM; j = last + 1) {
            const gguf_field *f = &s->fields[j];
            for (last = j; s->fields[last + 1].kind <= GGUF_ITEM && s->fields[last + 1].type_at == f->type_at;) last++; /* arrays as a whole */
            for (size_t k = 0; k < R1_COUNT(values); k++) {
                char what[256];
                snprintf(what, sizeof what, "%s: %.*s is %s", s->name, (int)f->n_name, f->name, values[k].name);
                try_value(s, f->type_at, s->fields[last].at + s->fields[last].bytes, &values[k], what);
            }
        }
        EXPECT_MSG(s->opened > 30 && s->refused > 200, "%s: %d opened, %d were refused", s->name, s->opened, s->refused); /* both ways were taken */
        seed_close(s);
    }
}

TEST(every_number_of_a_tensor_may_be_anything)
{
    static const uint64_t numbers[] = { 0, 1, 2, 31, 32, 64, 256, 1 << 20, INT32_MAX, UINT32_MAX, 1ull << 32, 1ull << 59, 1ull << 63, UINT64_MAX - 31, UINT64_MAX };
    for (size_t i = 0; i < R1_COUNT(seeds); i++) {
        seed *s = seed_open(seeds[i]);
        for (size_t j = 0; j < s->n_fields; j++) {
            const gguf_field *f = &s->fields[j];
            if (f->kind <= GGUF_ITEM) continue;
            for (size_t k = 0; k < (f->kind == GGUF_TYPE ? 66 : R1_COUNT(numbers)); k++) {
                char what[256];
                uint64_t v = f->kind == GGUF_TYPE ? k : numbers[k], old = 0;
                memcpy(&old, s->p + f->at, f->bytes);
                snprintf(what, sizeof what, "%s: %llu of %.*s is %llu", s->name, (unsigned long long)old, (int)f->n_name, f->name, (unsigned long long)v);
                memcpy(s->p + f->at, &v, f->bytes);
                try_bytes(s, s->p, s->n, what);
                memcpy(s->p + f->at, &old, f->bytes);
            }
        }
        EXPECT_MSG(s->opened > 5 && s->refused > 200, "%s: %d opened, %d were refused", s->name, s->opened, s->refused);
        seed_close(s);
    }
}

/* Weights that are no numbers: the model runs, and the sampler says that nothing can be chosen. */
TEST(weights_without_numbers_are_told_by_the_sampler)
{
    static const r1_sampling greedy = { .top_p = 1, .repetition_penalty = 1 };
    static const char *const names[] = { "llama_f32", "llama_q8_0", "llama_q4_k", "deepseek_v2_split", "deepseek_v3_mtp" };
    static const r1_cpu_level levels[] = { R1_CPU_SCALAR, R1_CPU_AUTO };
    for (size_t i = 0; i < 2 * R1_COUNT(names); i++) {
        const r1_model_options options = { .cpu = levels[i % 2], .n_threads = 1 };
        seed *s = seed_open(names[i / 2]);
        r1_model *m;
        r1_engine *engine;
        r1_session *session;
        r1_sampler *sampler;
        r1_sample out;
        r1_error e = { 0 };
        float logits[64];
        const int32_t ids[] = { 1, 2, 3 };
        for (size_t k = s->data_at; k < s->n; k++) s->p[k] = k % 2 ? 0x7f : 0xff; /* NaN in 16 and in 32 bits */
        file_put(&s->file, s->p, s->n);
        EXPECT_OK(r1_model_open(&m, s->file.path, &options, &e), &e);
        EXPECT_OK(r1_engine_open(&engine, m, &(r1_engine_options){ .n_threads = 1 }, &e), &e);
        EXPECT_OK(r1_session_open(&session, engine, 16, &e), &e);
        const r1_model_info *info = r1_model_get_info(m);
        EXPECT((size_t)info->n_vocab <= R1_COUNT(logits));
        EXPECT_OK(r1_batch_step(engine, &(r1_batch_row){ session, ids, 3, logits, 1 }, 1, &e), &e);
        EXPECT_OK(r1_sampler_new(&sampler, info->n_vocab, info->n_tokens, &greedy, &e), &e);
        EXPECT_STATUS(r1_sampler_sample(sampler, logits, 0, &out, &e), R1_EINVAL);
        EXPECT_CONTAINS(e.msg, "finite");
        r1_sampler_free(sampler);
        r1_session_close(session);
        r1_engine_close(engine);
        r1_model_close(m);
        seed_close(s);
    }
}

/* ---- sentences ------------------------------------------------------------------------------------------------- */

static const nasty *value_named(const char *name)
{
    for (size_t i = 0; i < R1_COUNT(values); i++)
        if (!strcmp(values[i].name, name)) return &values[i];
    test_fail(__FILE__, __LINE__, "there is no value %s", name);
}

static const gguf_field *field_named(const seed *s, const char *key)
{
    for (size_t j = 0; j < s->n_fields; j++)
        if (s->fields[j].n_name == strlen(key) && !memcmp(s->fields[j].name, key, s->fields[j].n_name)) return &s->fields[j];
    test_fail(__FILE__, __LINE__, "%s has no %s", s->name, key);
}

TEST(the_sentences_name_what_was_found_and_expected)
{
    static const struct { const char *seed, *key, *value, *said[3]; } cases[] = {
        { "llama_f32", "llama.block_count", "2", { "tensor 'blk.1.attn_norm.weight' is missing" } },
        { "llama_f32", "llama.embedding_length", "1", { "'token_embd.weight'", "shape [16 x 32]", "expected [16 x 1]" } },
        { "llama_f32", "llama.attention.layer_norm_rms_epsilon", "NAN", { "layer_norm_rms_epsilon' is not a number", "expected a finite number" } },
        { "llama_f32", "llama.attention.layer_norm_rms_epsilon", "-1", { "epsilon of the norms is -1", "between 0 and 1" } },
        { "llama_f32", "llama.rope.freq_base", "1", { "rope theta is 1", "expected a number above 1" } },
        { "llama_f32", "llama.attention.head_count", "3", { "3" } },
        { "qwen2_bf16", "qwen2.rope.scaling.factor", "-1", { "rope scaling factor is -1", "at least 1" } },
        { "deepseek_v2_split", "deepseek2.rope.scaling.yarn_log_multiplier", "3.4e38f", { "attention scores are multiplied by inf", "above 0" } },
        { "deepseek_v3_mtp", "deepseek2.expert_weights_scale", "1e300", { "the scale of the experts' weights is inf" } },
        { "deepseek_v3_mtp", "deepseek2.expert_used_count", "1 << 20", { "'deepseek2.expert_used_count'", "1048576" } },
        { "deepseek_v3_dense", "deepseek2.expert_count", "2", { "3 experts are used of 2" } },
        { "deepseek_v3_dense", "deepseek2.expert_group_count", "3", { "8 experts in 3 groups" } },
        { "llama_q8_0", "tokenizer.ggml.bos_token_id", "UINT32_MAX", { "'tokenizer.ggml.bos_token_id'", "4294967295" } },
    };
    for (size_t i = 0; i < R1_COUNT(cases); i++) {
        seed *s = seed_open(cases[i].seed);
        const gguf_field *f = field_named(s, cases[i].key);
        r1_error e;
        try_value(s, f->type_at, f->at + f->bytes, value_named(cases[i].value), cases[i].key);
        EXPECT_INT(s->refused, 1);
        EXPECT(!try_path(s->file.path, cases[i].key, &e));
        EXPECT_CONTAINS(e.msg, s->file.path);
        for (size_t k = 0; k < R1_COUNT(cases[i].said) && cases[i].said[k]; k++) EXPECT_CONTAINS(e.msg, cases[i].said[k]);
        seed_close(s);
    }
}

/* Address space this process has, in bytes. */
static size_t address_space(void)
{
    unsigned long pages = 0;
    FILE *f = fopen("/proc/self/statm", "r");
    EXPECT(f && fscanf(f, "%lu", &pages) == 1);
    fclose(f);
    return pages * (size_t)sysconf(_SC_PAGESIZE);
}

/* A width that no tensor has makes no scratch: two buffers of 256 tokens would have 1 GiB each. */
TEST(a_small_file_asks_for_little_memory)
{
    seed *s = seed_open("deepseek_v2_combined"); /* it has no dense layer */
    const gguf_field *f = field_named(s, "deepseek2.feed_forward_length");
    r1_model *m;
    r1_engine *engine;
    r1_error e = { 0 };
    try_value(s, f->type_at, f->at + f->bytes, value_named("1 << 20"), "a wide feed-forward");
    EXPECT_INT(s->opened, 1);
    size_t before = address_space();
    EXPECT_OK(r1_model_open(&m, s->file.path, &(r1_model_options){ .n_threads = 1 }, &e), &e);
    EXPECT_OK(r1_engine_open(&engine, m, &(r1_engine_options){ .n_threads = 1 }, &e), &e);
    EXPECT_MSG(address_space() < before + (256u << 20), "%.0f MiB are taken", (double)(address_space() - before) / 1048576);
    r1_engine_close(engine);
    r1_model_close(m);
    seed_close(s);
}
