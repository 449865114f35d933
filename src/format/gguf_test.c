/* Tests of gguf.c and gguf_value.c: golden files, every truncation, random damage, each kind of refusal, split files. */
#include "format/build_test.h"

#include "format/checkpoint.h"
#include "format/gguf.h"
#include <dirent.h>

/* ---- reading all of a file -------------------------------------------------------------------------------------- */

static uint64_t sink; /* so that reads of tensor data are not dropped */

/* Whatever was opened must be usable in full: print everything, touch each tensor, find each name. */
static void use_all(const r1_gguf *g, const uint8_t *bytes, size_t n)
{
    r1_error e;
    for (size_t i = 0; i < r1_gguf_n_kv(g); i++) {
        const r1_gguf_kv *kv = r1_gguf_kv_at(g, i);
        r1_buf b;
        json_t *j;
        r1_buf_init(&b, 1 << 20);
        EXPECT_OK(r1_gguf_print(kv, &b, &e), &e);
        EXPECT(b.len > 0 && !memchr(b.data, '\n', b.len));
        EXPECT_OK(r1_gguf_json(&j, kv, 5, &e), &e);
        json_decref(j);
        r1_buf_deinit(&b);
    }
    for (size_t i = 0; i < r1_gguf_n_tensors(g); i++) {
        const r1_gguf_tensor *t = r1_gguf_tensor_at(g, i);
        char name[160];
        snprintf(name, sizeof name, "%.*s", (int)t->name.n, t->name.p);
        EXPECT(r1_gguf_find_tensor(g, name) == t);
        EXPECT(t->bytes > 0 && t->data >= bytes && t->data + t->bytes <= bytes + n);
        EXPECT(t->bytes == r1_row_bytes(t->type, (size_t)t->ne[0]) * t->ne[1] * t->ne[2] * t->ne[3]);
        sink += t->data[0] + t->data[t->bytes - 1];
        for (size_t k = 0; k < i; k++) {
            const r1_gguf_tensor *u = r1_gguf_tensor_at(g, k);
            EXPECT(u->data + u->bytes <= t->data || t->data + t->bytes <= u->data);
        }
    }
}

static r1_status parse(build *b, r1_error *e)
{
    r1_gguf *g;
    r1_status s = r1_gguf_parse(&g, b->p, b->n, e);
    EXPECT((s == R1_OK) == (g != NULL));
    if (g) use_all(g, b->p, b->n);
    r1_gguf_close(g);
    build_free(b);
    return s;
}

static void expect_refused(build b, r1_status want, const char *part)
{
    r1_error e = { 0 };
    EXPECT_STATUS(parse(&b, &e), want);
    EXPECT_CONTAINS(e.msg, part);
}

static void expect_accepted(build b)
{
    r1_error e = { 0 };
    EXPECT_OK(parse(&b, &e), &e);
}

/* ---- good files ------------------------------------------------------------------------------------------------- */

TEST(gguf_reads_every_type_of_value)
{
    for (uint32_t version = 2; version <= 3; version++) {
        build b = gguf_sample(version);
        r1_gguf *g;
        r1_error e;
        EXPECT_OK(r1_gguf_parse(&g, b.p, b.n, &e), &e);
        EXPECT_INT(r1_gguf_version(g), version);
        EXPECT_INT(r1_gguf_n_kv(g), 18);
        EXPECT_INT(r1_gguf_n_parts(g), 1);
        EXPECT_INT(r1_gguf_file_bytes(g), b.n);
        EXPECT_NULL(r1_gguf_map(g, 0));
        static const struct { const char *key; int64_t v; } ints[] = {
            { "t.u8", 200 }, { "t.i8", -100 }, { "t.u16", 60000 }, { "t.i16", -30000 }, { "t.u32", 4000000000 }, { "t.i32", -2000000000 }, { "t.i64", INT64_MIN },
        };
        for (size_t i = 0; i < R1_COUNT(ints); i++) {
            int64_t v;
            EXPECT_OK(r1_gguf_int(g, ints[i].key, true, 0, INT64_MIN, INT64_MAX, &v, &e), &e);
            EXPECT_INT(v, ints[i].v);
        }
        double x;
        bool y;
        r1_slice t;
        EXPECT_OK(r1_gguf_real(g, "t.f32", true, 0, &x, &e), &e);
        EXPECT((float)x == 1e-6f);
        EXPECT_OK(r1_gguf_real(g, "t.f64", true, 0, &x, &e), &e);
        EXPECT(x == 0.1);
        EXPECT_OK(r1_gguf_bool(g, "t.bool", false, &y, &e), &e);
        EXPECT(y);
        EXPECT_OK(r1_gguf_str(g, "general.architecture", true, &t, &e), &e);
        EXPECT(t.n == 5 && !memcmp(t.p, "llama", 5));
        const r1_gguf_tensor *d = r1_gguf_find_tensor(g, "c.weight");
        EXPECT(d && d->n_dims == 4 && d->ne[0] == 2 && d->ne[3] == 2 && d->type == R1_F16 && d->bytes == 96 && d->part == 0);
        EXPECT_INT(d->data[0], (uint8_t)(64 * 7));
        EXPECT_NULL(r1_gguf_find_tensor(g, "c.weigh"));
        EXPECT_NULL(r1_gguf_find(g, "t"));
        use_all(g, b.p, b.n);
        r1_gguf_close(g);
        build_free(&b);
    }
}

TEST(gguf_reads_arrays)
{
    build b = gguf_sample(3);
    r1_gguf *g;
    r1_error e;
    r1_slice *v;
    int32_t *ids;
    size_t n;
    EXPECT_OK(r1_gguf_parse(&g, b.p, b.n, &e), &e);
    EXPECT_OK(r1_gguf_strings(g, "t.strings", true, 3, &v, &n, &e), &e);
    EXPECT_INT(n, 3);
    EXPECT(v[0].n == 1 && v[1].n == 0 && v[2].n == 3 && !memcmp(v[2].p, "b\nc", 3));
    free(v);
    EXPECT_OK(r1_gguf_ints(g, "t.ints", true, 8, &ids, &n, &e), &e);
    EXPECT_INT(n, 8);
    EXPECT_INT(ids[7], 70);
    free(ids);
    EXPECT_OK(r1_gguf_strings(g, "absent", false, 3, &v, &n, &e), &e);
    EXPECT(v == NULL && n == 0);
    r1_gguf_close(g);
    build_free(&b);
}

static void expect_print(const r1_gguf *g, const char *key, const char *text, const char *json)
{
    r1_buf b;
    r1_error e;
    json_t *j;
    r1_buf_init(&b, 4096);
    EXPECT_OK(r1_gguf_print(r1_gguf_find(g, key), &b, &e), &e);
    EXPECT_STR(b.data, text);
    r1_buf_deinit(&b);
    EXPECT_OK(r1_gguf_json(&j, r1_gguf_find(g, key), 4, &e), &e);
    char *s = json_dumps(j, JSON_ENCODE_ANY | JSON_COMPACT);
    EXPECT_STR(s, json);
    free(s);
    json_decref(j);
}

TEST(gguf_prints_values)
{
    build b = gguf_sample(3);
    r1_gguf *g;
    r1_error e;
    EXPECT_OK(r1_gguf_parse(&g, b.p, b.n, &e), &e);
    expect_print(g, "t.i8", "-100", "-100");
    expect_print(g, "t.u64", "18446744073709551615", "\"18446744073709551615\"");
    expect_print(g, "t.f32", "1e-06", "9.9999999747524271e-7");
    expect_print(g, "t.f64", "0.1", "0.10000000000000001");
    expect_print(g, "t.bool", "true", "true");
    expect_print(g, "t.text", "\"one \\\"line\\\"\\n\\xff\"", "\"one \\\"line\\\"\\n\xEF\xBF\xBD\"");
    expect_print(g, "t.strings", "[\"a\", \"\", \"b\\nc\"]", "[\"a\",\"\",\"b\\nc\"]");
    expect_print(g, "t.ints", "[0, 10, 20, 30, 40, 50, ...] (8)", "{\"type\":\"i32\",\"count\":8}");
    expect_print(g, "t.bools", "[false, true]", "[false,true]");
    expect_print(g, "t.nested", "[2 arrays]", "{\"type\":\"array\",\"count\":2}");
    r1_gguf_close(g);
    build_free(&b);
}

TEST(gguf_cuts_long_strings_when_printing)
{
    build b = { 0 };
    char text[301];
    for (int i = 0; i < 100; i++) memcpy(text + 3 * i, "\xE2\x82\xAC", 4); /* 3-byte characters must not be cut in two */
    gguf_head(&b, 3, 0, 1);
    gguf_text(&b, "k", text);
    r1_gguf *g;
    r1_error e;
    r1_buf out;
    EXPECT_OK(r1_gguf_parse(&g, b.p, b.n, &e), &e);
    r1_buf_init(&out, 4096);
    EXPECT_OK(r1_gguf_print(r1_gguf_find(g, "k"), &out, &e), &e);
    EXPECT_INT(out.len, 1 + 120 + 4 + strlen(" (300 bytes)"));
    EXPECT_CONTAINS(out.data, "\xE2\x82\xAC...\" (300 bytes)");
    r1_buf_deinit(&out);
    r1_gguf_close(g);
    build_free(&b);
}

/* ---- typed values ----------------------------------------------------------------------------------------------- */

TEST(gguf_names_key_found_and_expected)
{
    build b = gguf_sample(3);
    r1_gguf *g;
    r1_error e = { 0 };
    int64_t i;
    double x;
    bool y;
    r1_slice t, *v;
    int32_t *ids;
    size_t n;
    EXPECT_OK(r1_gguf_parse(&g, b.p, b.n, &e), &e);
    EXPECT_STATUS(r1_gguf_int(g, "absent", true, 0, 0, 9, &i, &e), R1_EFORMAT);
    EXPECT_CONTAINS(e.msg, "'absent' is missing");
    EXPECT_OK(r1_gguf_int(g, "absent", false, 7, 0, 9, &i, &e), &e);
    EXPECT_INT(i, 7);
    EXPECT_STATUS(r1_gguf_int(g, "t.u8", true, 0, 1, 100, &i, &e), R1_EFORMAT);
    EXPECT_CONTAINS(e.msg, "'t.u8' is 200, expected 1 to 100");
    EXPECT_STATUS(r1_gguf_int(g, "t.u64", true, 0, 0, INT64_MAX, &i, &e), R1_EFORMAT);
    EXPECT_CONTAINS(e.msg, "'t.u64' is 18446744073709551615");
    EXPECT_STATUS(r1_gguf_int(g, "t.f32", true, 0, 0, 9, &i, &e), R1_EFORMAT);
    EXPECT_CONTAINS(e.msg, "'t.f32' is an f32, expected an integer");
    EXPECT_STATUS(r1_gguf_real(g, "t.i8", true, 0, &x, &e), R1_EFORMAT);
    EXPECT_CONTAINS(e.msg, "'t.i8' is an i8, expected an f32 or f64");
    EXPECT_STATUS(r1_gguf_bool(g, "t.u8", false, &y, &e), R1_EFORMAT);
    EXPECT_CONTAINS(e.msg, "'t.u8' is a u8, expected a bool");
    EXPECT_STATUS(r1_gguf_str(g, "t.strings", true, &t, &e), R1_EFORMAT);
    EXPECT_CONTAINS(e.msg, "'t.strings' is an array of string, expected a string");
    EXPECT_STATUS(r1_gguf_strings(g, "t.strings", true, 2, &v, &n, &e), R1_EFORMAT);
    EXPECT_CONTAINS(e.msg, "has 3 elements, expected at most 2");
    EXPECT_STATUS(r1_gguf_strings(g, "t.ints", true, 20, &v, &n, &e), R1_EFORMAT);
    EXPECT_CONTAINS(e.msg, "an array of i32, expected an array of string");
    EXPECT_STATUS(r1_gguf_strings(g, "t.text", true, 20, &v, &n, &e), R1_EFORMAT);
    EXPECT_CONTAINS(e.msg, "is a string, expected an array");
    EXPECT_STATUS(r1_gguf_ints(g, "t.strings", true, 20, &ids, &n, &e), R1_EFORMAT);
    EXPECT_CONTAINS(e.msg, "expected an array of integers");
    r1_gguf_close(g);
    build_free(&b);
}

TEST(gguf_refuses_numbers_that_do_not_fit)
{
    build b = { 0 };
    gguf_head(&b, 3, 0, 3);
    gguf_key(&b, "nan", 6), add_u32(&b, 0x7FC00000);
    gguf_key(&b, "inf", 12), add_u64(&b, 0xFFF0000000000000);
    gguf_key(&b, "big", 9), add_u32(&b, 10), add_u64(&b, 2), add_u64(&b, 1), add_u64(&b, 1ull << 31);
    r1_gguf *g;
    r1_error e;
    double x;
    int32_t *ids;
    size_t n;
    EXPECT_OK(r1_gguf_parse(&g, b.p, b.n, &e), &e);
    EXPECT_STATUS(r1_gguf_real(g, "nan", true, 0, &x, &e), R1_EFORMAT);
    EXPECT_CONTAINS(e.msg, "not a number");
    EXPECT_STATUS(r1_gguf_real(g, "inf", true, 0, &x, &e), R1_EFORMAT);
    EXPECT_CONTAINS(e.msg, "infinite");
    EXPECT_STATUS(r1_gguf_ints(g, "big", true, 9, &ids, &n, &e), R1_EFORMAT);
    EXPECT_CONTAINS(e.msg, "element 1 of 'big' does not fit into 32 bits");
    EXPECT_NULL(ids);
    use_all(g, b.p, b.n);
    r1_gguf_close(g);
    build_free(&b);
}

/* ---- refusals --------------------------------------------------------------------------------------------------- */

TEST(gguf_names_what_is_no_gguf)
{
    static const struct { const char *head, *part; r1_status s; } cases[] = {
        { "", "this is an empty file, expected GGUF", R1_EFORMAT },
        { "FUGG\0\0\0\3", "big-endian", R1_EUNSUPPORTED },
        { "tjgg....", "GGJT file from before GGUF", R1_EFORMAT },
        { "PK\003\004....", "ZIP archive or a PyTorch", R1_EFORMAT },
        { "version https://git-lfs.github.com/spec/v1\noid", "Git LFS pointer", R1_EFORMAT },
        { "<!DOCTYPE html>", "web page", R1_EFORMAT },
        { "\xff\x01\x02garbage", "starts with the bytes ff 01 02", R1_EFORMAT },
        { "GGU", "starts with the bytes 47 47 55", R1_EFORMAT },
        { "GGUF", "ends inside the version", R1_EFORMAT },
    };
    for (size_t i = 0; i < R1_COUNT(cases); i++) {
        build b = { 0 };
        add_text(&b, cases[i].head);
        expect_refused(b, cases[i].s, cases[i].part);
    }
}

TEST(gguf_names_versions)
{
    static const struct { uint32_t v; const char *part; } cases[] = {
        { 1, "GGUF version 1" }, { 4, "GGUF version 4; versions 2 and 3" }, { 0, "version 0" }, { 0x03000000, "big-endian" }, { 0x02000000, "big-endian" },
    };
    for (size_t i = 0; i < R1_COUNT(cases); i++) {
        build b = { 0 };
        gguf_head(&b, cases[i].v, 0, 0);
        expect_refused(b, R1_EUNSUPPORTED, cases[i].part);
    }
}

TEST(gguf_believes_no_count)
{
    static const uint64_t huge[] = { 1ull << 60, UINT64_MAX, 1ull << 32, 1ull << 17, 3 };
    for (size_t i = 0; i < R1_COUNT(huge); i++) {
        char part[64];
        build b = { 0 }, c = { 0 }, d = { 0 };
        gguf_head(&b, 3, huge[i], 0);
        snprintf(part, sizeof part, "counts %llu tensors", (unsigned long long)huge[i]);
        expect_refused(b, R1_EFORMAT, part);
        gguf_head(&c, 3, 0, huge[i]);
        snprintf(part, sizeof part, "counts %llu metadata keys", (unsigned long long)huge[i]);
        expect_refused(c, R1_EFORMAT, part);
        gguf_head(&d, 3, 0, 1);
        gguf_key(&d, "k", 9), add_u32(&d, i % 2 ? 8 : 10), add_u64(&d, huge[i]);
        add_zeros(&d, 2);
        snprintf(part, sizeof part, "%llu values of type %s do not fit", (unsigned long long)huge[i], i % 2 ? "string" : "u64");
        expect_refused(d, R1_EFORMAT, part);
    }
}

TEST(gguf_believes_no_length)
{
    build b = { 0 }, c = { 0 };
    gguf_head(&b, 3, 0, 1);
    add_u64(&b, 1ull << 63), add_zeros(&b, 20);
    expect_refused(b, R1_EFORMAT, "the length of a metadata key is 9223372036854775808, but 20 bytes are left");
    gguf_head(&c, 3, 0, 1);
    gguf_key(&c, "k", 8), add_u64(&c, 9), add_text(&c, "12345678");
    expect_refused(c, R1_EFORMAT, "metadata key 'k': the length of a string is 9, but 8 bytes are left");
}

static build one_kv(const char *key, uint32_t type, uint64_t value, int bytes)
{
    build b = { 0 };
    gguf_head(&b, 3, 0, 1);
    gguf_key(&b, key, type);
    add_number(&b, value, bytes);
    return b;
}

TEST(gguf_checks_metadata)
{
    expect_refused(one_kv("", 4, 0, 4), R1_EFORMAT, "is empty or not valid UTF-8");
    expect_refused(one_kv("k\xff", 0, 0, 1), R1_EFORMAT, "is empty or not valid UTF-8");
    expect_refused(one_kv("k", 13, 0, 1), R1_EFORMAT, "a value's type is 13, expected 0 to 12");
    expect_refused(one_kv("k", 7, 2, 1), R1_EFORMAT, "a bool is 2, expected 0 or 1");
    expect_refused(one_kv("k", 9, 77, 12), R1_EFORMAT, "an array's element type is 77");
    build b = { 0 }, c = { 0 };
    gguf_head(&b, 3, 0, 2);
    gguf_u32(&b, "same", 1);
    gguf_u32(&b, "same", 1);
    expect_refused(b, R1_EFORMAT, "the metadata key 'same' occurs twice");
    char *key = malloc(65537);
    memset(key, 'k', 65536);
    key[65536] = 0;
    expect_refused(one_kv(key, 0, 0, 1), R1_EFORMAT, "has 65536 bytes, expected at most 65535");
    key[65535] = 0;
    expect_accepted(one_kv(key, 0, 0, 1));
    free(key);
    gguf_head(&c, 3, 0, 1);
    gguf_key(&c, "k", 9), add_u32(&c, 7), add_u64(&c, 2), add_number(&c, 0x0301, 2);
    expect_refused(c, R1_EFORMAT, "a bool is 3");
}

static build nested(int depth)
{
    build b = { 0 };
    gguf_head(&b, 3, 0, 1);
    gguf_key(&b, "k", 9);
    for (int i = 1; i < depth; i++) add_u32(&b, 9), add_u64(&b, 1);
    add_u32(&b, 0), add_u64(&b, 0);
    return b;
}

TEST(gguf_limits_nesting)
{
    expect_accepted(nested(1));
    expect_accepted(nested(4));
    expect_refused(nested(5), R1_EFORMAT, "nested more than 4 deep");
    expect_refused(nested(1000), R1_EFORMAT, "nested more than 4 deep");
}

TEST(gguf_checks_alignment)
{
    expect_refused(one_kv("general.alignment", 4, 0, 4), R1_EFORMAT, "'general.alignment' is 0, expected 8 to");
    expect_refused(one_kv("general.alignment", 4, 4, 4), R1_EFORMAT, "is 4, expected 8 to");
    expect_refused(one_kv("general.alignment", 4, 24, 4), R1_EFORMAT, "is 24, expected a power of two");
    expect_refused(one_kv("general.alignment", 4, 1u << 31, 4), R1_EFORMAT, "is 2147483648, expected 8 to");
    expect_refused(one_kv("general.alignment", 6, 0x42000000, 4), R1_EFORMAT, "is an f32, expected an integer");
    expect_accepted(one_kv("general.alignment", 4, 4096, 4));
}

/* One tensor and `data` bytes for it. */
static build one_tensor(const char *name, uint32_t type, uint64_t offset, size_t data, int n_dims, const uint64_t *dims)
{
    build b = { 0 };
    gguf_head(&b, 3, 1, 0);
    gguf_tensor(&b, name, type, offset, n_dims, dims);
    pad(&b, 32);
    add_zeros(&b, data);
    return b;
}

TEST(gguf_checks_names_of_tensors)
{
    char name[129];
    memset(name, 'n', sizeof name);
    name[128] = 0;
    expect_refused(one_tensor(name, 0, 0, 4, DIMS(1)), R1_EFORMAT, "has 128 bytes, expected at most 127");
    name[127] = 0;
    expect_accepted(one_tensor(name, 0, 0, 4, DIMS(1)));
    expect_refused(one_tensor("", 0, 0, 4, DIMS(1)), R1_EFORMAT, "is empty or not valid UTF-8");
    expect_refused(one_tensor("a\xc0\x80", 0, 0, 4, DIMS(1)), R1_EFORMAT, "is empty or not valid UTF-8");
    build b = one_tensor("abc", 0, 0, 4, DIMS(1)), c = { 0 };
    b.p[24 + 8 + 1] = 0;
    expect_refused(b, R1_EFORMAT, "is empty or not valid UTF-8");
    gguf_head(&c, 3, 2, 0);
    gguf_tensor(&c, "twin", 0, 0, DIMS(1));
    gguf_tensor(&c, "twin", 0, 32, DIMS(1));
    pad(&c, 32), add_zeros(&c, 36);
    expect_refused(c, R1_EFORMAT, "the tensor 'twin' occurs twice");
}

TEST(gguf_checks_shapes)
{
    expect_refused(one_tensor("t", 0, 0, 4, 0, NULL), R1_EFORMAT, "'t' has 0 dimensions, expected 1 to 4");
    expect_refused(one_tensor("t", 0, 0, 4, DIMS(1, 1, 1, 1, 1)), R1_EFORMAT, "'t' has 5 dimensions");
    expect_refused(one_tensor("t", 0, 0, 4, DIMS(1, 0)), R1_EFORMAT, "dimension 1 of tensor 't' is 0");
    expect_refused(one_tensor("t", 0, 0, 4, DIMS(1ull << 32, 1ull << 32)), R1_EFORMAT, "more than 2^63 elements");
    expect_refused(one_tensor("t", 0, 0, 4, DIMS(1ull << 63)), R1_EFORMAT, "more than 2^63 elements");
    expect_refused(one_tensor("t", 0, 0, 4, DIMS(1ull << 62)), R1_EFORMAT, "more than 2^64 bytes");
    expect_refused(one_tensor("t", 0, 0, 4, DIMS(1ull << 61)), R1_EFORMAT, "cut short or damaged");
    expect_refused(one_tensor("t", 8, 0, 68, DIMS(33)), R1_EFORMAT, "have 33 values, expected a multiple of 32 for Q8_0");
    expect_refused(one_tensor("t", 12, 0, 144, DIMS(128)), R1_EFORMAT, "expected a multiple of 256 for Q4_K");
    expect_accepted(one_tensor("t", 12, 0, 144, DIMS(256)));
}

TEST(gguf_names_unsupported_types)
{
    expect_refused(one_tensor("t", 16, 0, 66, DIMS(256)), R1_EUNSUPPORTED, "tensor 't' has type IQ2_XXS, which is not supported; supported are F32, F16, Q4_0");
    expect_refused(one_tensor("t", 26, 0, 66, DIMS(2)), R1_EUNSUPPORTED, "has type I32");
    expect_refused(one_tensor("t", 9, 0, 66, DIMS(32)), R1_EUNSUPPORTED, "has type Q8_1");
    expect_refused(one_tensor("t", 64, 0, 66, DIMS(2)), R1_EUNSUPPORTED, "the unknown type 64"); /* not a GGUF type, though r1 has an id for it */
    expect_refused(one_tensor("t", UINT32_MAX, 0, 66, DIMS(2)), R1_EUNSUPPORTED, "the unknown type 4294967295");
}

/* A packed file of one tensor whose data start `shift` bytes (0 or 32) after a multiple of 64; `version` 0: none is given. */
static build packed_tensor(uint64_t version, uint32_t id, size_t shift, size_t data, int n_dims, const uint64_t *dims)
{
    static const char *const names[] = { "t.weight", "t.weight................................" }; /* 32 bytes longer */
    build b = { 0 };
    for (int i = 0; i == 0 || b.n % 64 != shift; i++) {
        build_free(&b);
        gguf_head(&b, 3, 1, version ? 1 : 0);
        if (version) gguf_key(&b, "r1.packed.version", 10), add_u64(&b, version);
        gguf_tensor(&b, names[i], id, 0, n_dims, dims);
        pad(&b, 32);
    }
    add_zeros(&b, data);
    return b;
}

TEST(gguf_reads_packed_tensors)
{
    const uint32_t q4_0 = R1_PACKED_ID + R1_Q4_0;
    build b = packed_tensor(1, q4_0, 0, 2 * 2 * 16 * 2 * 18, DIMS(64, 17, 2)); /* 17 rows: two panels for each matrix */
    r1_gguf *g;
    r1_error e = { 0 };
    EXPECT_OK(r1_gguf_parse(&g, b.p, b.n, &e), &e);
    const r1_gguf_tensor *t = r1_gguf_tensor_at(g, 0);
    EXPECT(t->packed && t->type == R1_Q4_0);
    EXPECT_INT(t->bytes, 2 * r1_packed_bytes(R1_Q4_0, 17, 64));
    r1_gguf_close(g);
    build_free(&b);
    expect_refused(packed_tensor(1, q4_0, 0, 2 * 2 * 16 * 2 * 18 - 1, DIMS(64, 17, 2)), R1_EFORMAT, "has 2304 bytes at offset 0, but the file has 2303");
    expect_refused(packed_tensor(1, q4_0, 32, 4096, DIMS(64, 17, 2)), R1_EFORMAT, "of the file, expected a multiple of 64");
    expect_refused(packed_tensor(0, q4_0, 0, 4096, DIMS(64, 17, 2)), R1_EFORMAT, "'r1.packed.version' is missing");
    expect_refused(packed_tensor(2, q4_0, 0, 4096, DIMS(64, 17, 2)), R1_EUNSUPPORTED, "a packed file of version 2, version 1 is supported");
    expect_refused(packed_tensor(UINT64_MAX, q4_0, 0, 4096, DIMS(64, 17, 2)), R1_EFORMAT, "'r1.packed.version' is 18446744073709551615");
    expect_refused(packed_tensor(1, q4_0, 0, 4096, DIMS(64)), R1_EFORMAT, "is packed and has 1 dimension");
    expect_refused(packed_tensor(1, q4_0, 0, 4096, DIMS(33, 2)), R1_EFORMAT, "have 33 values, expected a multiple of 32");
    expect_refused(packed_tensor(1, R1_PACKED_ID + R1_F16, 0, 4096, DIMS(64, 2)), R1_EFORMAT, "the type 'packed F16', expected a packed type of blocks");
    expect_refused(packed_tensor(1, R1_PACKED_ID + 16, 0, 4096, DIMS(256, 2)), R1_EUNSUPPORTED, "has type IQ2_XXS, which is not supported");
    expect_refused(packed_tensor(1, R1_PACKED_ID + 64, 0, 4096, DIMS(256, 2)), R1_EUNSUPPORTED, "the unknown type 21056");
    expect_refused(packed_tensor(1, R1_PACKED_ID + R1_Q8_0, 0, 64, DIMS(32, (1ull << 58) - 1)), R1_EFORMAT, "cut short or damaged");
    expect_refused(packed_tensor(1, R1_PACKED_ID + R1_Q4_K, 0, 64, DIMS(256, 1, 1ull << 54)), R1_EFORMAT, "more than 2^64 bytes");
}

static build two_tensors(uint64_t a, uint64_t b_at, size_t data)
{
    build b = { 0 };
    gguf_head(&b, 3, 2, 0);
    gguf_tensor(&b, "first", 0, a, DIMS(8));
    gguf_tensor(&b, "second", 0, b_at, DIMS(9));
    pad(&b, 32);
    add_zeros(&b, data);
    return b;
}

TEST(gguf_checks_places)
{
    expect_accepted(two_tensors(0, 32, 68));
    expect_accepted(two_tensors(64, 0, 96));  /* in any order */
    expect_accepted(two_tensors(0, 320, 356)); /* with gaps */
    expect_refused(two_tensors(0, 32, 67), R1_EFORMAT, "'second' has 36 bytes at offset 32, but the file has 67 bytes of tensor data");
    expect_refused(two_tensors(0, 16, 96), R1_EFORMAT, "'second' starts at offset 16, expected a multiple of 32");
    expect_refused(two_tensors(0, 0, 96), R1_EFORMAT, "overlap");
    expect_refused(two_tensors(32, 0, 96), R1_EFORMAT, "the data of tensors 'second' and 'first' overlap");
    expect_refused(two_tensors(0, UINT64_MAX - 31, 96), R1_EFORMAT, "cut short or damaged");
    build b = { 0 };
    gguf_head(&b, 3, 1, 0);
    gguf_tensor(&b, "t", 0, 0, DIMS(1));
    expect_refused(b, R1_EFORMAT, "ends inside the padding before the tensor data");
}

TEST(gguf_indexes_many_tensors)
{
    enum { N = 50000 };
    build b = { 0 };
    r1_gguf *g;
    r1_error e;
    char name[32];
    gguf_head(&b, 3, N, 0);
    for (int i = 0; i < N; i++) {
        snprintf(name, sizeof name, "t.%d", i * 7919 % N);
        gguf_tensor(&b, name, 0, (uint64_t)(N - 1 - i) * 32, DIMS(1));
    }
    pad(&b, 32);
    add_zeros(&b, N * 32);
    EXPECT_OK(r1_gguf_parse(&g, b.p, b.n, &e), &e);
    for (int i = 0; i < N; i++) {
        snprintf(name, sizeof name, "t.%d", i * 7919 % N);
        EXPECT(r1_gguf_find_tensor(g, name) == r1_gguf_tensor_at(g, (size_t)i));
    }
    EXPECT_NULL(r1_gguf_find_tensor(g, "t.50000"));
    r1_gguf_close(g);
    build_free(&b);
}

/* ---- damage ----------------------------------------------------------------------------------------------------- */

TEST(gguf_survives_every_truncation)
{
    for (uint32_t version = 2; version <= 3; version++) {
        build b = gguf_sample(version);
        uint8_t *guard = guard_new();
        for (size_t n = 0; n < b.n; n++) {
            r1_gguf *g;
            r1_error e = { 0 };
            r1_status s = r1_gguf_parse(&g, guard_put(guard, b.p, n), n, &e);
            if (s == R1_OK) fail_msg("accepted when cut at byte %zu of %zu", n, b.n);
            EXPECT_NULL(g);
            EXPECT(e.status == s && e.msg[0]);
        }
        guard_free(guard);
        build_free(&b);
    }
}

TEST(gguf_survives_damage)
{
    build b = gguf_sample(3);
    size_t header = b.n - 532;
    uint8_t *guard = guard_new();
    uint64_t seed = test_seed();
    size_t opened = 0;
    for (int round = 0; round < 100000; round++) {
        uint8_t *p = guard_put(guard, b.p, b.n);
        int changes = 1 + (int)(test_random(&seed) % 4);
        for (int i = 0; i < changes; i++) {
            size_t at = test_random(&seed) % header;
            uint32_t how = test_random(&seed) % 8;
            if (how < 3) p[at] = (uint8_t)test_random(&seed);
            else if (how < 5) p[at] ^= (uint8_t)(1u << test_random(&seed) % 8);
            else if (how < 6) p[at] = b.p[test_random(&seed) % header];
            else memset(p + at, how == 6 ? 0 : 0xff, r1_min(1 + test_random(&seed) % 8, header - at));
        }
        r1_gguf *g;
        r1_error e = { 0 };
        r1_status s = r1_gguf_parse(&g, p, b.n, &e);
        EXPECT((s == R1_OK) == (g != NULL));
        EXPECT(s == R1_OK || s == R1_EFORMAT || s == R1_EUNSUPPORTED || s == R1_EINVAL);
        if (g) {
            use_all(g, p, b.n);
            opened++;
        } else {
            EXPECT(e.msg[0]);
        }
        r1_gguf_close(g);
    }
    EXPECT(opened > 1000); /* else the damage never reaches what lies behind the first checks */
    guard_free(guard);
    build_free(&b);
}

/* ---- split files ------------------------------------------------------------------------------------------------ */

typedef struct part { int no, count, tensors; const char *tensor; } part;

static build split_part(part p)
{
    build b = { 0 };
    gguf_head(&b, 3, 1, p.tensors >= 0 ? 3 : 2);
    gguf_key(&b, "split.no", 2), add_number(&b, (uint64_t)p.no, 2);
    gguf_key(&b, "split.count", 2), add_number(&b, (uint64_t)p.count, 2);
    if (p.tensors >= 0) gguf_key(&b, "split.tensors.count", 5), add_u32(&b, (uint32_t)p.tensors);
    gguf_tensor(&b, p.tensor, 0, 0, DIMS(2));
    pad(&b, 32);
    add(&b, p.tensor, 1), add_zeros(&b, 7);
    return b;
}

static folder three_parts(void)
{
    folder f = folder_new();
    folder_put_build(&f, "m-00001-of-00003.gguf", split_part((part){ 0, 3, 3, "a" }));
    folder_put_build(&f, "m-00002-of-00003.gguf", split_part((part){ 1, 3, 3, "b" }));
    folder_put_build(&f, "m-00003-of-00003.gguf", split_part((part){ 2, 3, -1, "c" }));
    return f;
}

static void expect_open(folder *f, const char *name, r1_status want, const char *message)
{
    r1_gguf *g;
    r1_error e = { 0 };
    EXPECT_STATUS(r1_gguf_open(&g, folder_path(f, name), &e), want);
    EXPECT_NULL(g);
    EXPECT_CONTAINS(e.msg, message);
}

TEST(gguf_joins_split_files)
{
    folder f = three_parts();
    r1_gguf *g;
    r1_error e;
    EXPECT_OK(r1_gguf_open(&g, folder_path(&f, "m-00001-of-00003.gguf"), &e), &e);
    EXPECT_INT(r1_gguf_n_parts(g), 3);
    EXPECT_INT(r1_gguf_n_tensors(g), 3);
    uint64_t bytes = 0;
    for (int i = 0; i < 3; i++) {
        const r1_gguf_tensor *t = r1_gguf_find_tensor(g, (const char *[]){ "a", "b", "c" }[i]);
        const r1_map *m = r1_gguf_map(g, i);
        EXPECT(t && t->part == i && t->data[0] == 'a' + i);
        EXPECT(t->data >= m->data && t->data + t->bytes <= m->data + m->size);
        bytes += m->size;
    }
    EXPECT_INT(r1_gguf_file_bytes(g), bytes);
    r1_gguf_close(g);
    folder_free(&f);
}

TEST(gguf_refuses_wrong_parts)
{
    folder f = three_parts();
    expect_open(&f, "m-00002-of-00003.gguf", R1_EFORMAT, "is part 2 of 3; name the first part, '");
    expect_open(&f, "m-00002-of-00003.gguf", R1_EFORMAT, "m-00001-of-00003.gguf'");
    folder_put_build(&f, "other.gguf", split_part((part){ 0, 3, 3, "a" }));
    expect_open(&f, "other.gguf", R1_EFORMAT, "is part 1 of 3, but is not named ...-00001-of-00003.gguf");
    folder_put_build(&f, "third.gguf", split_part((part){ 2, 3, 3, "a" }));
    expect_open(&f, "third.gguf", R1_EFORMAT, "is part 3 of 3; name the first part");
    folder_put_build(&f, "m-00003-of-00003.gguf", split_part((part){ 1, 3, 3, "c" }));
    expect_open(&f, "m-00001-of-00003.gguf", R1_EFORMAT, "this is part 2 of 3, expected part 3 of 3");
    folder_put_build(&f, "m-00003-of-00003.gguf", split_part((part){ 2, 4, 3, "c" }));
    expect_open(&f, "m-00001-of-00003.gguf", R1_EFORMAT, "this is part 3 of 4, expected part 3 of 3");
    folder_put_build(&f, "m-00003-of-00003.gguf", split_part((part){ 2, 3, 9, "c" }));
    expect_open(&f, "m-00001-of-00003.gguf", R1_EFORMAT, "a file of 9 tensors, the first part to one of 3");
    folder_put_build(&f, "m-00003-of-00003.gguf", split_part((part){ 2, 3, 3, "a" }));
    expect_open(&f, "m-00001-of-00003.gguf", R1_EFORMAT, "the tensor 'a' occurs twice");
    folder_put_build(&f, "m-00003-of-00003.gguf", gguf_sample(3)); /* no part of anything */
    expect_open(&f, "m-00001-of-00003.gguf", R1_EFORMAT, "this is part 1 of 1, expected part 3 of 3");
    folder_text(&f, "m-00003-of-00003.gguf", "GGUF");
    expect_open(&f, "m-00001-of-00003.gguf", R1_EFORMAT, "ends inside the version");
    remove(folder_path(&f, "m-00003-of-00003.gguf"));
    expect_open(&f, "m-00001-of-00003.gguf", R1_EIO, "part 3 of 3: cannot open '");
    folder_free(&f);
    f = three_parts();
    folder_put_build(&f, "m-00001-of-00003.gguf", split_part((part){ 0, 3, 7, "a" }));
    folder_put_build(&f, "m-00002-of-00003.gguf", split_part((part){ 1, 3, 7, "b" }));
    expect_open(&f, "m-00001-of-00003.gguf", R1_EFORMAT, "have 3 tensors, expected 7");
    folder_free(&f);
    expect_refused(split_part((part){ 0, 3, 3, "a" }), R1_EINVAL, "split into 3");
}

/* ---- golden files ----------------------------------------------------------------------------------------------- */

/* The type is the second last word of the name: deepseek_v3.Q8_0.mtp.gguf, llama_256.F16.gguf. */
static void check_golden(const char *path, const char *file)
{
    r1_gguf *g;
    r1_error e;
    char type[16] = "";
    size_t quantised = 0;
    const uint8_t *end = NULL;
    sscanf(strchr(file, '.') + 1, "%15[^.]", type);
    EXPECT_OK(r1_gguf_open(&g, path, &e), &e);
    use_all(g, r1_gguf_map(g, 0)->data, r1_gguf_map(g, 0)->size);
    for (size_t i = 0; i < r1_gguf_n_tensors(g); i++) {
        const r1_gguf_tensor *t = r1_gguf_tensor_at(g, i);
        quantised += !strcmp(r1_type_get(t->type)->name, type);
        if (t->data + t->bytes > end) end = t->data + t->bytes;
    }
    EXPECT(quantised > 5);
    EXPECT((uint64_t)(r1_gguf_map(g, 0)->data + r1_gguf_file_bytes(g) - end) < 32); /* data reach the end, but for padding */
    r1_gguf_close(g);
}

TEST(gguf_opens_the_golden_files)
{
    static const char *const models[] = { "deepseek_v2_lite", "deepseek_v3", "llama_256", "qwen2", "qwen2_tied" };
    int n = 0;
    for (size_t i = 0; i < R1_COUNT(models); i++) {
        char path[2048];
        snprintf(path, sizeof path, "%s/%s/gguf", test_path("golden/models"), models[i]);
        DIR *d = opendir(path);
        EXPECT(d != NULL);
        for (struct dirent *f; (f = readdir(d));) {
            if (f->d_name[0] == '.') continue;
            snprintf(path, sizeof path, "%s/%s/gguf/%s", test_path("golden/models"), models[i], f->d_name);
            check_golden(path, f->d_name);
            n++;
        }
        closedir(d);
    }
    EXPECT(n >= 30);
}

/* A file made by others. Numbers: tests/golden/real/README.md. */
TEST(gguf_opens_a_real_file)
{
    const char *path = test_cache("models/SmolLM2-135M-Instruct.Q4_1.gguf");
    if (!path) SKIP("the model is not there: tools/fetch model");
    r1_gguf *g;
    r1_error e;
    int64_t v;
    size_t q4 = 0, q8 = 0, f32 = 0;
    uint64_t parameters = 0;
    EXPECT_OK(r1_gguf_open(&g, path, &e), &e);
    EXPECT_INT(r1_gguf_file_bytes(g), 98362432);
    EXPECT_INT(r1_gguf_n_tensors(g), 272);
    for (size_t i = 0; i < 272; i++) {
        const r1_gguf_tensor *t = r1_gguf_tensor_at(g, i);
        q4 += t->type == R1_Q4_1, q8 += t->type == R1_Q8_0, f32 += t->type == R1_F32;
        parameters += t->ne[0] * t->ne[1] * t->ne[2] * t->ne[3];
    }
    EXPECT(q4 == 210 && q8 == 1 && f32 == 61);
    EXPECT_INT(parameters, 134515008);
    EXPECT_OK(r1_gguf_int(g, "llama.block_count", true, 0, 0, 1000, &v, &e), &e);
    EXPECT_INT(v, 30);
    use_all(g, r1_gguf_map(g, 0)->data, r1_gguf_map(g, 0)->size);
    r1_gguf_close(g);
}
