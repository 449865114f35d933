/* base survives the failure of each of its allocations. */
#include "tests/faults/faults.h"
#include "base/base.h"
#include "base/json.h"
#include "base/map.h"
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
