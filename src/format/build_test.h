/* build_test: small GGUF and safetensors files made in memory, guard pages, temporary folders. For the tests of this folder. */
#ifndef R1_FORMAT_BUILD_TEST_H
#define R1_FORMAT_BUILD_TEST_H

#define _GNU_SOURCE
#include "base/base.h"
#include "base/map.h"
#include "tests/test.h"

#include <dirent.h>
#include <sys/mman.h>
#include <sys/stat.h>
#include <unistd.h>

/* ---- bytes ------------------------------------------------------------------------------------------------------ */

typedef struct build {
    uint8_t *p;
    size_t n, cap;
} build;

static inline void add(build *b, const void *p, size_t n)
{
    if (b->n + n > b->cap) {
        b->cap = (b->n + n) * 2;
        b->p = realloc(b->p, b->cap);
        if (!b->p) abort();
    }
    if (n) memcpy(b->p + b->n, p, n);
    b->n += n;
}

static inline void add_number(build *b, uint64_t v, int bytes)
{
    for (int i = 0; i < bytes; i++) add(b, &(uint8_t){ i < 8 ? (uint8_t)(v >> 8 * i) : 0 }, 1);
}

static inline void add_u32(build *b, uint32_t v) { add_number(b, v, 4); }
static inline void add_u64(build *b, uint64_t v) { add_number(b, v, 8); }
static inline void add_text(build *b, const char *s) { add(b, s, strlen(s)); }

static inline void add_string(build *b, const char *s)
{
    add_u64(b, strlen(s));
    add_text(b, s);
}

static inline void add_zeros(build *b, size_t n)
{
    while (n--) add(b, "", 1);
}

static inline void pad(build *b, size_t alignment)
{
    while (b->n % alignment) add(b, "", 1);
}

static inline void build_free(build *b)
{
    free(b->p);
    *b = (build){ 0 };
}

/* ---- GGUF ------------------------------------------------------------------------------------------------------- */

static inline void gguf_head(build *b, uint32_t version, uint64_t n_tensors, uint64_t n_kv)
{
    add_text(b, "GGUF");
    add_u32(b, version);
    add_u64(b, n_tensors);
    add_u64(b, n_kv);
}

/* Key and type; the value follows. */
static inline void gguf_key(build *b, const char *key, uint32_t type)
{
    add_string(b, key);
    add_u32(b, type);
}

static inline void gguf_u32(build *b, const char *key, uint32_t v)
{
    gguf_key(b, key, 4);
    add_u32(b, v);
}

static inline void gguf_text(build *b, const char *key, const char *v)
{
    gguf_key(b, key, 8);
    add_string(b, v);
}

static inline void gguf_tensor(build *b, const char *name, uint32_t type, uint64_t offset, int n_dims, const uint64_t *dims)
{
    add_string(b, name);
    add_u32(b, (uint32_t)n_dims);
    for (int i = 0; i < n_dims; i++) add_u64(b, dims[i]);
    add_u32(b, type);
    add_u64(b, offset);
}

#define DIMS(...) (int)(sizeof((uint64_t[]){ __VA_ARGS__ }) / 8), (uint64_t[]){ __VA_ARGS__ }

/* Every type of value, 4 tensors of which one is quantised; ends with the last byte of the last tensor. */
static inline build gguf_sample(uint32_t version)
{
    build b = { 0 };
    gguf_head(&b, version, 4, 18);
    gguf_text(&b, "general.architecture", "llama");
    gguf_u32(&b, "general.alignment", 64);
    gguf_key(&b, "t.u8", 0), add_number(&b, 200, 1);
    gguf_key(&b, "t.i8", 1), add_number(&b, (uint64_t)-100, 1);
    gguf_key(&b, "t.u16", 2), add_number(&b, 60000, 2);
    gguf_key(&b, "t.i16", 3), add_number(&b, (uint64_t)-30000, 2);
    gguf_key(&b, "t.u32", 4), add_u32(&b, 4000000000u);
    gguf_key(&b, "t.i32", 5), add_u32(&b, (uint32_t)-2000000000);
    gguf_key(&b, "t.f32", 6), add_u32(&b, 0x358637bd); /* 1e-6 */
    gguf_key(&b, "t.bool", 7), add_number(&b, 1, 1);
    gguf_key(&b, "t.strings", 9), add_u32(&b, 8), add_u64(&b, 3), add_string(&b, "a"), add_string(&b, ""), add_string(&b, "b\nc");
    gguf_key(&b, "t.ints", 9), add_u32(&b, 5), add_u64(&b, 8);
    for (uint32_t i = 0; i < 8; i++) add_u32(&b, i * 10);
    gguf_key(&b, "t.bools", 9), add_u32(&b, 7), add_u64(&b, 2), add_number(&b, 0x0100, 2);
    gguf_key(&b, "t.nested", 9), add_u32(&b, 9), add_u64(&b, 2);
    for (int i = 0; i < 2; i++) add_u32(&b, 0), add_u64(&b, 3), add_text(&b, "xyz");
    gguf_key(&b, "t.u64", 10), add_u64(&b, UINT64_MAX);
    gguf_key(&b, "t.i64", 11), add_u64(&b, (uint64_t)INT64_MIN);
    gguf_key(&b, "t.f64", 12), add_u64(&b, 0x3FB999999999999A); /* 0.1 */
    gguf_text(&b, "t.text", "one \"line\"\n\xff");
    gguf_tensor(&b, "a.weight", 0, 0, DIMS(3));
    gguf_tensor(&b, "b.weight", 8, 256, DIMS(64, 3));
    gguf_tensor(&b, "c.weight", 1, 64, DIMS(2, 3, 4, 2));
    gguf_tensor(&b, "d.weight", 30, 512, DIMS(5, 2));
    pad(&b, 64);
    size_t data = b.n;
    for (int i = 0; b.n < data + 512 + 20; i++) add(&b, &(uint8_t){ (uint8_t)(i * 7) }, 1);
    return b;
}

/* ---- safetensors ------------------------------------------------------------------------------------------------ */

static inline build st_file(const char *header, size_t data_bytes)
{
    build b = { 0 };
    add_u64(&b, strlen(header));
    add_text(&b, header);
    for (size_t i = 0; i < data_bytes; i++) add(&b, &(uint8_t){ (uint8_t)(i * 5) }, 1);
    return b;
}

/* ---- guard page ------------------------------------------------------------------------------------------------- */

enum { GUARD_BYTES = 1 << 16 };

/* Memory whose last byte is followed by a page nobody may touch. */
static inline uint8_t *guard_new(void)
{
    uint8_t *p = mmap(NULL, GUARD_BYTES * 2, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
    if (p == MAP_FAILED || mprotect(p + GUARD_BYTES, GUARD_BYTES, PROT_NONE) < 0) abort();
    return p;
}

static inline void guard_free(uint8_t *p) { munmap(p, GUARD_BYTES * 2); }

/* Copy n bytes right before the guard. */
static inline uint8_t *guard_put(uint8_t *guard, const void *bytes, size_t n)
{
    uint8_t *at = guard + GUARD_BYTES - n;
    if (n) memcpy(at, bytes, n);
    return at;
}

/* ---- folders ---------------------------------------------------------------------------------------------------- */

typedef struct folder { char path[256], file[1024]; } folder;

static inline folder folder_new(void)
{
    folder f = { 0 };
    const char *t = getenv("TMPDIR");
    snprintf(f.path, sizeof f.path, "%.200s/r1-test-XXXXXX", t && *t ? t : P_tmpdir);
    if (!mkdtemp(f.path)) abort();
    return f;
}

static inline const char *folder_path(folder *f, const char *name)
{
    snprintf(f->file, sizeof f->file, "%s/%s", f->path, name);
    return f->file;
}

static inline void folder_put(folder *f, const char *name, const void *p, size_t n)
{
    r1_error e;
    EXPECT_OK(r1_file_write(folder_path(f, name), p, n, true, &e), &e);
}

static inline void folder_text(folder *f, const char *name, const char *text) { folder_put(f, name, text, strlen(text)); }

static inline void folder_put_build(folder *f, const char *name, build b)
{
    folder_put(f, name, b.p, b.n);
    build_free(&b);
}

/* Remove the files of the folder, and itself. */
/* Files and folders in a folder whose names begin with no dot. */
static inline size_t n_entries(const char *dir)
{
    size_t n = 0;
    DIR *d = opendir(dir);
    for (struct dirent *e; d && (e = readdir(d));) n += e->d_name[0] != '.';
    if (d) closedir(d);
    return n;
}

static inline void folder_free(folder *f)
{
    DIR *d = opendir(f->path);
    for (struct dirent *e; d && (e = readdir(d));)
        if (strcmp(e->d_name, ".") && strcmp(e->d_name, "..")) remove(folder_path(f, e->d_name));
    if (d) closedir(d);
    rmdir(f->path);
}

#endif
