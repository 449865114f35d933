/* Tests of safetensors.c: golden files, every truncation, random damage of the header, each kind of refusal. */
#include "format/build_test.h"

#include "format/safetensors.h"
#include <dirent.h>

static uint64_t sink;

static const char sample[] =
    "{\"__metadata__\":{\"format\":\"pt\",\"b\":\"{[\\\"\"},"
    "\"b.weight\":{\"dtype\":\"BF16\",\"shape\":[2,3],\"data_offsets\":[16,28]},"
    "\"a\\u002eweight\":{\"shape\":[4],\"dtype\":\"F32\",\"data_offsets\":[0,16]},"
    "\"scalar\":{\"dtype\":\"I64\",\"shape\":[],\"data_offsets\":[28,36]},"
    "\"none\":{\"dtype\":\"F16\",\"shape\":[0,7],\"data_offsets\":[28,28]},"
    "\"f4\":{\"dtype\":\"F4\",\"shape\":[6],\"data_offsets\":[36,39]}}   ";
enum { SAMPLE_DATA = 39 };

/* Every tensor must be usable; together they are the data. */
static void use_all(const r1_st *s, const uint8_t *bytes, size_t n)
{
    uint64_t sum = 0, length = 0;
    for (int i = 7; i >= 0; i--) length = length << 8 | bytes[i];
    for (size_t i = 0; i < r1_st_n_tensors(s); i++) {
        const r1_st_tensor *t = r1_st_at(s, i);
        EXPECT(r1_st_find(s, t->name) == t);
        EXPECT(t->n_dims >= 0 && t->n_dims <= 8);
        EXPECT(t->data >= bytes + 8 + length && t->data + t->bytes <= bytes + n);
        if (t->bytes) sink += t->data[0] + t->data[t->bytes - 1];
        sum += t->bytes;
    }
    EXPECT_INT(sum, n - 8 - length);
}

static r1_status parse(build *b, r1_error *e)
{
    r1_st *s;
    r1_status st = r1_st_parse(&s, b->p, b->n, e);
    EXPECT((st == R1_OK) == (s != NULL));
    if (s) use_all(s, b->p, b->n);
    r1_st_close(s);
    build_free(b);
    return st;
}

static void expect_refused(const char *header, size_t data, r1_status want, const char *part)
{
    build b = st_file(header, data);
    r1_error e = { 0 };
    EXPECT_STATUS(parse(&b, &e), want);
    EXPECT_CONTAINS(e.msg, part);
}

static void expect_accepted(const char *header, size_t data)
{
    build b = st_file(header, data);
    r1_error e = { 0 };
    EXPECT_OK(parse(&b, &e), &e);
}

TEST(safetensors_reads_a_file)
{
    build b = st_file(sample, SAMPLE_DATA);
    r1_st *s;
    r1_error e;
    EXPECT_OK(r1_st_parse(&s, b.p, b.n, &e), &e);
    use_all(s, b.p, b.n);
    static const char *const order[] = { "a.weight", "b.weight", "none", "scalar", "f4" }; /* by offset */
    EXPECT_INT(r1_st_n_tensors(s), 5);
    for (size_t i = 0; i < 5; i++) EXPECT_STR(r1_st_at(s, i)->name, order[i]);
    const r1_st_tensor *t = r1_st_find(s, "b.weight");
    EXPECT(t && t->n_dims == 2 && t->shape[0] == 2 && t->shape[1] == 3 && t->bytes == 12);
    EXPECT_STR(t->dtype, "BF16");
    EXPECT_INT(t->data[0], 16 * 5);
    EXPECT_INT(r1_st_find(s, "scalar")->n_dims, 0);
    EXPECT_NULL(r1_st_find(s, "a"));
    EXPECT_NULL(r1_st_find(s, "__metadata__"));
    EXPECT_NULL(r1_st_map(s));
    r1_st_close(s);
    build_free(&b);
}

TEST(safetensors_accepts_empty_files)
{
    expect_accepted("{}", 0);
    expect_accepted("{ }  \n", 0);
    expect_accepted("{\"__metadata__\":{}}", 0);
    expect_refused("{}", 1, R1_EFORMAT, "the last 1 bytes of the file belong to no tensor");
}

TEST(safetensors_checks_the_frame)
{
    build b = { 0 }, c = { 0 }, d = { 0 }, f = { 0 };
    r1_error e = { 0 };
    add_zeros(&b, 7);
    EXPECT_STATUS(parse(&b, &e), R1_EFORMAT);
    EXPECT_CONTAINS(e.msg, "the file has 7 bytes, expected a header length of 8 bytes");
    add_u64(&c, 1ull << 60), add_text(&c, "{}");
    EXPECT_STATUS(parse(&c, &e), R1_EFORMAT);
    EXPECT_CONTAINS(e.msg, "would have 1152921504606846976 bytes, expected at most 100000000");
    add_u64(&d, 3), add_text(&d, "{}");
    EXPECT_STATUS(parse(&d, &e), R1_EFORMAT);
    EXPECT_CONTAINS(e.msg, "would have 3 bytes, but the file has 2");
    add_text(&f, "PK\003\004 a torch archive");
    EXPECT_STATUS(parse(&f, &e), R1_EFORMAT);
    EXPECT_CONTAINS(e.msg, "a ZIP archive or a PyTorch checkpoint");
    expect_refused("", 0, R1_EFORMAT, "the JSON header ends where '{' was expected");
    expect_refused(" {}", 0, R1_EFORMAT, "byte 0 of the JSON header is ' ', expected '{'");
    expect_refused("[]", 0, R1_EFORMAT, "is '[', expected '{'");
    expect_refused("{} x", 0, R1_EFORMAT, "is 'x', expected blanks up to the end");
    expect_refused("{", 0, R1_EFORMAT, "ends where a tensor name in quotes was expected");
    expect_refused("{\"a", 0, R1_EFORMAT, "ends where the end of a string was expected");
    expect_refused("{\"a\\", 0, R1_EFORMAT, "ends where the end of a string was expected");
    expect_refused("{\"a\"}", 0, R1_EFORMAT, "is '}', expected ':'");
    expect_refused("{\"a\":[]}", 0, R1_EFORMAT, "is '[', expected '{'");
    expect_refused("{\"a\":{", 0, R1_EFORMAT, "ends where '}' was expected");
    expect_refused("{\"__metadata__\":{},}", 0, R1_EFORMAT, "is '}', expected a tensor name");
    expect_refused("{\"__metadata__\":{};", 0, R1_EFORMAT, "is ';', expected ',' or '}'");
    expect_refused("{\"a\":{\"b\":[[[[", 0, R1_EFORMAT, "nested more than 4 deep");
}

/* {"t": ENTRY} */
static void expect_entry(const char *entry, size_t data, r1_status want, const char *part)
{
    char header[512];
    snprintf(header, sizeof header, "{\"t\":%s}", entry);
    expect_refused(header, data, want, part);
}

TEST(safetensors_checks_entries)
{
    expect_entry("{}", 0, R1_EFORMAT, "tensor 't': 'dtype' is missing");
    expect_entry("{\"dtype\":5}", 0, R1_EFORMAT, "'dtype' is an integer, expected a string");
    expect_entry("{\"dtype\":\"F99\"}", 0, R1_EUNSUPPORTED, "tensor 't': its dtype 'F99' is unknown");
    expect_entry("{\"dtype\":\"F32\"}", 0, R1_EFORMAT, "'shape' is nothing, expected an array");
    expect_entry("{\"dtype\":\"F32\",\"shape\":[1.0]}", 0, R1_EFORMAT, "element 0 of 'shape' is a fraction");
    expect_entry("{\"dtype\":\"F32\",\"shape\":[2,-1]}", 0, R1_EFORMAT, "element 1 of 'shape' is negative");
    expect_entry("{\"dtype\":\"F32\",\"shape\":[1,1,1,1,1,1,1,1,1]}", 0, R1_EFORMAT, "'shape' has 9 elements, expected at most 8");
    expect_entry("{\"dtype\":\"F32\",\"shape\":[1]}", 4, R1_EFORMAT, "'data_offsets' is nothing");
    expect_entry("{\"dtype\":\"F32\",\"shape\":[1],\"data_offsets\":[0]}", 4, R1_EFORMAT, "'data_offsets' has 1 elements, expected 2");
    expect_entry("{\"dtype\":\"F32\",\"shape\":[1],\"data_offsets\":[0,4,8]}", 4, R1_EFORMAT, "'data_offsets' has 3 elements");
    expect_entry("{\"dtype\":\"F32\",\"shape\":[1],\"data_offsets\":[4,0]}", 4, R1_EFORMAT, "its data are at 4 to 0");
    expect_entry("{\"dtype\":\"F32\",\"shape\":[1],\"data_offsets\":[0,4]}", 3, R1_EFORMAT, "at 0 to 4, but the file has 3 bytes of data; it is cut short");
    expect_entry("{\"dtype\":\"F32\",\"shape\":[2],\"data_offsets\":[0,4]}", 4, R1_EFORMAT, "hold 4 bytes, but its shape and F32 need 64 bits");
    expect_entry("{\"dtype\":\"F4\",\"shape\":[3],\"data_offsets\":[0,1]}", 1, R1_EFORMAT, "its shape and F4 need 12 bits");
    expect_entry("{\"dtype\":\"F32\",\"shape\":[4294967296,4294967296],\"data_offsets\":[0,0]}", 0, R1_EFORMAT, "more than 2^64 elements");
    expect_entry("{\"dtype\":\"F32\",\"shape\":[4611686018427387904],\"data_offsets\":[0,0]}", 0, R1_EFORMAT, "more than 2^61 bytes");
    expect_entry("{\"dtype\":\"F32\",\"shape\":[1],\"data_offsets\":[0,4],\"stride\":1}", 4, R1_EUNSUPPORTED, "the field 'stride' (an integer) is unknown");
    expect_entry("{\"dtype\":\"F32\",\"dtype\":\"F32\"}", 0, R1_EFORMAT, "tensor 't': wrong JSON at column");
    expect_entry("{\"dtype\":\"\xff\"}", 0, R1_EFORMAT, "wrong JSON");
    expect_entry("{]", 0, R1_EFORMAT, "wrong JSON");
    expect_refused("{\"\":{}}", 0, R1_EFORMAT, "a tensor name is empty");
    expect_refused("{\"a\\u0000\":{}}", 0, R1_EFORMAT, "a tensor name is empty or holds a NUL");
    expect_refused("{\"a\xff\":{}}", 0, R1_EFORMAT, "a tensor name: wrong JSON");
    expect_refused("{\"__metadata__\":{\"a\":1}}", 0, R1_EFORMAT, "'a' in '__metadata__' is an integer, expected a string");
    expect_refused("{\"__metadata__\":{},\"__metadata__\":{}}", 0, R1_EFORMAT, "'__metadata__' occurs twice");
}

TEST(safetensors_limits_entries)
{
    build h = { 0 };
    char name[1200];
    memset(name, 'n', sizeof name);
    name[1100] = 0;
    add_text(&h, "{\""), add_text(&h, name), add_text(&h, "\":{}}"), add(&h, "", 1);
    expect_refused((char *)h.p, 0, R1_EFORMAT, "a tensor name has 1100 bytes, expected at most 1024");
    h.n = 0;
    add_text(&h, "{\"t\":{\"dtype\":\"");
    for (int i = 0; i < 70000; i++) add_text(&h, "x");
    add_text(&h, "\"}}"), add(&h, "", 1);
    expect_refused((char *)h.p, 0, R1_EFORMAT, "tensor 't': its entry has 70012 bytes, expected at most 65536");
    h.n = 0;
    add_text(&h, "{\"__metadata__\":{\"a\":\"");
    for (int i = 0; i < 8 << 20; i++) add_text(&h, "x");
    add_text(&h, "\"}}"), add(&h, "", 1);
    expect_refused((char *)h.p, 0, R1_EFORMAT, "'__metadata__' has 8388616 bytes, expected at most 8388608");
    build_free(&h);
}

/* Two F32 tensors at the offsets given, a of 2 and b of 1 elements. */
static void expect_places(const char *a, const char *b, size_t data, const char *part)
{
    char header[512];
    snprintf(header, sizeof header, "{\"a\":{\"dtype\":\"F32\",\"shape\":[2],\"data_offsets\":%s},\"b\":{\"dtype\":\"F32\",\"shape\":[1],\"data_offsets\":%s}}", a, b);
    if (part) expect_refused(header, data, R1_EFORMAT, part);
    else expect_accepted(header, data);
}

TEST(safetensors_must_tile_the_data)
{
    expect_places("[0,8]", "[8,12]", 12, NULL);
    expect_places("[4,12]", "[0,4]", 12, NULL);
    expect_places("[0,8]", "[4,8]", 8, "the data of tensors 'a' and 'b' overlap");
    expect_places("[0,8]", "[9,13]", 13, "1 bytes before the data of tensor 'b' belong to no tensor");
    expect_places("[1,9]", "[9,13]", 13, "1 bytes before the data of tensor 'a' belong to no tensor");
    expect_places("[0,8]", "[8,12]", 14, "the last 2 bytes of the file belong to no tensor");
    expect_refused("{\"a\":{\"dtype\":\"U8\",\"shape\":[1],\"data_offsets\":[0,1]},\"\\u0061\":{\"dtype\":\"U8\",\"shape\":[1],\"data_offsets\":[1,2]}}", 2,
                   R1_EFORMAT, "the tensor 'a' occurs twice");
    expect_refused("{\"a\":{\"dtype\":\"U8\",\"shape\":[2],\"data_offsets\":[0,2]},\"e\":{\"dtype\":\"U8\",\"shape\":[0],\"data_offsets\":[1,1]}}", 2,
                   R1_EFORMAT, "overlap"); /* an empty tensor inside another one */
}

TEST(safetensors_survives_every_truncation)
{
    build b = st_file(sample, SAMPLE_DATA);
    uint8_t *guard = guard_new();
    for (size_t n = 0; n < b.n; n++) {
        r1_st *s;
        r1_error e = { 0 };
        if (r1_st_parse(&s, guard_put(guard, b.p, n), n, &e) == R1_OK) fail_msg("accepted when cut at byte %zu of %zu", n, b.n);
        EXPECT_NULL(s);
        EXPECT(e.msg[0]);
    }
    guard_free(guard);
    build_free(&b);
}

/* The header cut, too: its length then fits, its text does not end. */
TEST(safetensors_survives_truncated_headers)
{
    uint8_t *guard = guard_new();
    size_t whole = strcspn(sample, " "); /* the blanks at the end may go */
    for (size_t n = 0; n < whole; n++) {
        char text[sizeof sample];
        r1_st *s;
        r1_error e = { 0 };
        snprintf(text, sizeof text, "%.*s", (int)n, sample);
        build b = st_file(text, 0);
        if (r1_st_parse(&s, guard_put(guard, b.p, b.n), b.n, &e) == R1_OK) fail_msg("accepted with a header cut at byte %zu", n);
        EXPECT_NULL(s);
        build_free(&b);
    }
    guard_free(guard);
}

/* Change, remove or repeat bytes of the header, mostly into bytes that mean something in JSON. */
static size_t damage(char *text, size_t n, size_t cap, uint64_t *seed)
{
    static const char meaning[] = "{}[]\",:0123456789\\eu-. \n\xff";
    size_t at = test_random(seed) % n, k = 1 + test_random(seed) % 12;
    switch (test_random(seed) % 6) {
    case 0: case 1: text[at] = meaning[test_random(seed) % (sizeof meaning)]; return n;
    case 2: text[at] = (char)test_random(seed); return n;
    case 3: text[at] ^= (char)(1 << test_random(seed) % 8); return n;
    case 4:
        k = r1_min(k, n - at);
        memmove(text + at, text + at + k, n - at - k);
        return n - k > 0 ? n - k : 1;
    default:
        k = r1_min(r1_min(k, n - at), cap - n);
        memmove(text + at + k, text + at, n - at);
        return n + k;
    }
}

TEST(safetensors_survives_damage)
{
    uint8_t *guard = guard_new();
    uint64_t seed = test_seed();
    size_t opened = 0;
    for (int round = 0; round < 100000; round++) {
        char text[sizeof sample + 64];
        size_t n = sizeof sample - 1;
        memcpy(text, sample, n);
        for (uint32_t i = test_random(&seed) % 3 + 1; i; i--) n = damage(text, n, sizeof text, &seed);
        uint8_t *p = guard + GUARD_BYTES - (8 + n + SAMPLE_DATA);
        memset(p, 0, 8 + n + SAMPLE_DATA);
        p[0] = (uint8_t)n, p[1] = (uint8_t)(n >> 8);
        if (test_random(&seed) % 16 == 0) p[test_random(&seed) % 8] = (uint8_t)test_random(&seed);
        memcpy(p + 8, text, n);
        r1_st *s;
        r1_error e = { 0 };
        r1_status st = r1_st_parse(&s, p, 8 + n + SAMPLE_DATA, &e);
        EXPECT((st == R1_OK) == (s != NULL));
        EXPECT(st == R1_OK || st == R1_EFORMAT || st == R1_EUNSUPPORTED);
        if (s) use_all(s, p, 8 + n + SAMPLE_DATA);
        opened += s != NULL;
        r1_st_close(s);
    }
    EXPECT(opened > 100);
    guard_free(guard);
}

static size_t check_golden(const char *dir, const char *name)
{
    char path[3000];
    r1_st *s;
    r1_error e;
    snprintf(path, sizeof path, "%s/%s", dir, name);
    EXPECT_OK(r1_st_open(&s, path, &e), &e);
    use_all(s, r1_st_map(s)->data, r1_st_map(s)->size);
    EXPECT(r1_st_n_tensors(s) > 0);
    r1_st_close(s);
    return 1;
}

TEST(safetensors_opens_the_golden_files)
{
    size_t n = check_golden(test_path("golden/models"), "dequant.safetensors") + check_golden(test_path("golden/models"), "fp8.safetensors");
    DIR *d = opendir(test_path("golden/models"));
    EXPECT(d != NULL);
    for (struct dirent *m; (m = readdir(d));) {
        char path[2048];
        if (m->d_name[0] == '.') continue;
        snprintf(path, sizeof path, "%s/%s", test_path("golden/models"), m->d_name);
        DIR *x = opendir(path);
        for (struct dirent *f; x && (f = readdir(x));) {
            size_t len = strlen(f->d_name);
            if (len > 12 && !strcmp(f->d_name + len - 12, ".safetensors")) n += check_golden(path, f->d_name);
        }
        if (x) closedir(x);
    }
    closedir(d);
    EXPECT(n >= 29);
}

TEST(safetensors_names_the_file)
{
    folder f = folder_new();
    r1_st *s;
    r1_error e;
    folder_text(&f, "x.safetensors", "{}");
    EXPECT_STATUS(r1_st_open(&s, folder_path(&f, "x.safetensors"), &e), R1_EFORMAT);
    EXPECT_CONTAINS(e.msg, "x.safetensors': the file has 2 bytes");
    EXPECT_STATUS(r1_st_open(&s, folder_path(&f, "absent"), &e), R1_EIO);
    EXPECT_CONTAINS(e.msg, "absent': No such file");
    folder_free(&f);
}
