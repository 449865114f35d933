/* base survives the failure of each of its allocations. */
#include "tests/faults/faults.h"
#include "base/append.h"
#include "base/base.h"
#include "base/json.h"
#include "base/map.h"
#include "base/reader.h"
#include "base/thread.h"

static r1_status make_pool(void *ctx, r1_error *err)
{
    (void)ctx;
    r1_pool *p;
    r1_status s = r1_pool_new(&p, 3, err);
    if (s == R1_OK) r1_pool_free(p);
    return s;
}

TEST(r1_pool_new) { FAULTS_SWEEP(make_pool, NULL); }

static r1_status fill_buffer(void *ctx, r1_error *err)
{
    (void)ctx;
    r1_buf b;
    r1_buf_init(&b, 1000);
    r1_status s = R1_OK;
    for (int i = 0; s == R1_OK && i < 100; i++) {
        size_t before = b.len;
        s = i % 2 ? r1_buf_adds(&b, "12345", err) : r1_buf_addf(&b, err, "%d", i);
        if (s && b.len != before) s = r1_fail(err, R1_EINVAL, "a failed addition changed the buffer");
    }
    r1_buf_deinit(&b);
    return s;
}

TEST(r1_buf) { FAULTS_SWEEP(fill_buffer, NULL); }

static r1_status parse_json(void *ctx, r1_error *err)
{
    static const char text[] = "{\"messages\": [{\"role\": \"user\", \"content\": \"\\u00e9\"}], \"n\": [1, 2.5, true, null, {}]}";
    (void)ctx;
    json_t *v;
    r1_status s = r1_json_parse(&v, text, sizeof text - 1, err);
    if (s == R1_OK) json_decref(v);
    return s;
}

TEST(r1_json_parse) { FAULTS_SWEEP(parse_json, NULL); }

static r1_status read_file(void *ctx, r1_error *err)
{
    char *text;
    size_t n;
    r1_status s = r1_file_read(ctx, 1 << 20, &text, &n, err);
    if (s == R1_OK) free(text);
    return s;
}

TEST(r1_file_read) { FAULTS_SWEEP(read_file, (void *)test_path("test.h")); }

static r1_status read_json(void *ctx, r1_error *err)
{
    json_t *v;
    r1_status s = r1_json_read(&v, ctx, 1 << 20, err);
    if (s == R1_OK) json_decref(v);
    return s;
}

TEST(r1_json_read) { FAULTS_SWEEP(read_json, (void *)test_path("golden/models/llama/config.json")); }

static r1_status read_lines(void *ctx, r1_error *err)
{
    r1_reader r;
    r1_line l = { .kind = R1_LINE_TEXT };
    r1_status s = r1_reader_open(&r, ctx, 1 << 20, err);
    while (s == R1_OK && l.kind != R1_LINE_END) s = r1_reader_next(&r, true, &l, err);
    r1_reader_close(&r);
    return s;
}

TEST(r1_reader) { FAULTS_SWEEP(read_lines, (void *)test_path("test.h")); }

static r1_status append_lines(void *ctx, r1_error *err)
{
    r1_append a;
    r1_status s = r1_append_open(&a, ctx, R1_APPEND_FORCE, err);
    if (s) return s;
    s = r1_append_line(&a, "x", 1, err);
    r1_status closed = r1_append_close(&a, s ? NULL : err);
    return s ? s : closed;
}

TEST(r1_append) { FAULTS_SWEEP(append_lines, (void *)"/dev/null"); }
