/* Fuzz target: a Hugging Face folder.
 *
 * The input is the folder as one text. A line "=== NAME" starts a file, for the names below; what follows, up to the next
 * such line, is its content. A line "=== NAME BYTES" starts a safetensors file: what follows is its header, the length is
 * put before it and BYTES zero bytes behind. Then the folder is opened with and without weights, its tokenizer made, and
 * a conversion to either kind planned and made for nobody; what passes all checks is written, and must open and pass them again. */
#define _GNU_SOURCE
#include "convert/convert_int.h"
#include "format/checkpoint.h"
#include "model/model.h"
#include "text/tokenizer.h"
#include "tests/fuzz/require.h"

#include <stdio.h>
#include <sys/stat.h>
#include <unistd.h>

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

static const char *const names[] = {
    "config.json", "generation_config.json", "tokenizer_config.json", "tokenizer.json", "chat_template.jinja",
    "model.safetensors.index.json", "model.safetensors", "a.safetensors", "b.safetensors",
};
enum { ZEROS_MAX = 1 << 16 };

static struct { char dir[256]; } here; /* one folder for the whole run */

static const char *path_of(const char *name)
{
    static char path[512];
    snprintf(path, sizeof path, "%s/%s", here.dir, name);
    return path;
}

static void remove_files(void)
{
    for (size_t i = 0; i < R1_COUNT(names); i++) unlink(path_of(names[i]));
}

static void remove_folder(void)
{
    remove_files();
    rmdir(here.dir);
}

static void make_folder(void)
{
    const char *t = getenv("TMPDIR");
    if (!t || !*t) t = access("/dev/shm", W_OK) ? P_tmpdir : "/dev/shm"; /* what is written is synced, and a disk may be slow */
    snprintf(here.dir, sizeof here.dir, "%.200s/r1-fuzz-XXXXXX", t);
    require(mkdtemp(here.dir) != NULL);
    atexit(remove_folder);
}

static void write_file(const char *name, const char *text, size_t n, long zeros)
{
    static const char zero[4096];
    FILE *f = fopen(path_of(name), "wb");
    require(f != NULL);
    if (zeros >= 0)
        for (int i = 0; i < 8; i++) putc((int)((uint64_t)n >> 8 * i & 255), f);
    require(fwrite(text, 1, n, f) == n);
    for (; zeros > 0; zeros -= (long)sizeof zero) fwrite(zero, 1, r1_min(sizeof zero, (size_t)zeros), f);
    fclose(f);
}

/* The name on a "=== " line, NULL when it is none; *zeros is -1 for a plain file. */
static const char *section(const char *line, size_t n, long *zeros)
{
    char text[64];
    *zeros = -1;
    if (n < 5 || n >= sizeof text || memcmp(line, "=== ", 4)) return NULL;
    memcpy(text, line + 4, n - 4);
    text[n - 4] = 0;
    char *blank = strchr(text, ' ');
    if (blank) {
        *blank = 0;
        *zeros = strtol(blank + 1, NULL, 10);
        *zeros = *zeros < 0 ? 0 : *zeros > ZEROS_MAX ? ZEROS_MAX : *zeros;
    }
    for (size_t i = 0; i < R1_COUNT(names); i++)
        if (!strcmp(names[i], text)) return names[i];
    return NULL;
}

static void unpack(const char *p, size_t n)
{
    const char *name = NULL, *from = p, *end = p + n;
    long zeros = -1;
    for (const char *line = p; line < end;) {
        const char *eol = memchr(line, '\n', (size_t)(end - line)), *next_name;
        size_t len = (size_t)((eol ? eol : end) - line);
        long next_zeros;
        next_name = section(line, len, &next_zeros);
        if (next_name) {
            if (name) write_file(name, from, (size_t)(line - from), zeros);
            name = next_name;
            zeros = next_zeros;
            from = eol ? eol + 1 : end;
        }
        line = eol ? eol + 1 : end;
    }
    if (name) write_file(name, from, (size_t)(end - from), zeros);
}

/* Keys from a configuration and a tokenizer that nobody has compared with the weights. */
static void put_keys(const r1_plan *p)
{
    r1_gguf_out *w;
    r1_error e = { 0 };
    require(r1_gguf_out_new(&w, &e) == R1_OK);
    r1_status s = r1_gguf_put_config(w, p, &e);
    if (s) require_error(s, &e);
    if (s == R1_OK && r1_ckpt_tokenizer_json(p->ckpt).n) {
        s = r1_gguf_put_vocab(w, p->ckpt, (size_t)p->config.n_vocab, &e);
        if (s) require_error(s, &e);
    }
    r1_gguf_out_free(w);
}

static void write_and_read(const r1_plan *p)
{
    r1_ckpt *c;
    r1_error e = { 0 };
    require(r1_export(p, path_of("out.gguf"), &(r1_export_options){ .force = true }, &e) == R1_OK);
    require(r1_ckpt_open(&c, path_of("out.gguf"), false, &e) == R1_OK);
    require(r1_model_check(c, &e) == R1_OK);
    r1_ckpt_close(c);
    unlink(path_of("out.gguf"));
}

static void convert(const r1_ckpt *c, bool to_gguf)
{
    r1_plan *p;
    r1_error e = { 0 };
    r1_status s = r1_plan_new(&p, c, to_gguf, &e);
    require((s == R1_OK) == (p != NULL));
    if (s) require_error(s, &e);
    if (!p) return;
    if (to_gguf) put_keys(p);
    for (size_t i = 0; i < p->n; i++) {
        uint64_t bytes = 0;
        r1_made_error sum = { 0 };
        require(r1_make(&p->t[i], NULL, NULL, 0, &sum, count, &bytes, &e) == R1_OK && bytes == r1_made_bytes(&p->t[i]));
    }
    s = r1_export_check(p, &(r1_export_options){ 0 }, &e);
    if (s) require_error(s, &e);
    else if (to_gguf) write_and_read(p);
    r1_plan_free(p);
}

static void use(bool vocabulary_only)
{
    r1_ckpt *c;
    r1_error e = { 0 };
    r1_status s = r1_ckpt_open(&c, here.dir, vocabulary_only, &e);
    require((s == R1_OK) == (c != NULL) && (s == R1_OK || e.msg[0]));
    if (!c) return;
    unsigned sum = 0;
    for (size_t i = 0; i < r1_ckpt_n_tensors(c); i++) {
        const r1_ckpt_tensor *t = r1_ckpt_at(c, i);
        require(r1_ckpt_find(c, t->name) == t && t->bytes > 0);
        sum += t->data[0] + t->data[t->bytes - 1];
        if (t->scale) sum += t->scale[r1_ceil_div((size_t)t->ne[0], 128) * r1_ceil_div((size_t)t->ne[1], 128) * 4 - 1];
    }
    require(sum <= r1_ckpt_n_tensors(c) * 3 * 255);
    r1_slice t = r1_ckpt_chat_template(c);
    require((t.p != NULL) == (t.n > 0));
    r1_tokenizer *tok;
    s = r1_ckpt_tokenizer(c, &tok, &e);
    require((s == R1_OK) == (tok != NULL));
    r1_tokenizer_free(tok);
    if (!vocabulary_only) {
        convert(c, true);
        convert(c, false);
    }
    r1_ckpt_close(c);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    if (!here.dir[0]) make_folder();
    unpack((const char *)data, size);
    use(false);
    use(true);
    remove_files();
    return 0;
}
