/* Types, exact decoding and packing: against the self-test vectors of the formats, against recorded tables made by ggml's
 * own Python package (tests/golden/models/README.md), and packing against its inverse and its written offsets. */
#include "base/half.h"
#include "base/json.h"
#include "base/map.h"
#include "quant/quant.h"
#include "tests/test.h"

#include <math.h>

static const r1_type quantised[] = { R1_Q4_0, R1_Q4_1, R1_Q5_0, R1_Q5_1, R1_Q8_0, R1_IQ4_NL, R1_MXFP4,
                                     R1_Q2_K, R1_Q3_K, R1_Q4_K, R1_Q5_K, R1_Q6_K, R1_IQ4_XS };

TEST(types_are_consistent)
{
    size_t n_quantised = 0;
    for (unsigned id = 0; id < 1000; id++) {
        const r1_type_info *i = r1_type_get(id);
        if (!i) continue;
        EXPECT(i->bytes > 0 && i->block > 0);
        if (id < R1_F8_E4M3) EXPECT_STR(i->name, r1_type_ggml_name(id));
        if (i->by_256) EXPECT(i->quantised && i->block == 256);
        size_t n, bytes = 0;
        const r1_packed_field *f = r1_packed_fields((r1_type)id, &n);
        for (size_t j = 0; j < n; j++) bytes += (size_t)f[j].unit * f[j].n_units;
        EXPECT_INT(bytes, i->quantised ? i->bytes : 0);
        n_quantised += i->quantised;
    }
    EXPECT_INT(n_quantised, R1_COUNT(quantised));
    EXPECT_NULL(r1_type_get(4));
    EXPECT_NULL(r1_type_get(16));
    EXPECT_STR(r1_type_ggml_name(16), "IQ2_XXS");
    EXPECT_STR(r1_type_ggml_name(29), "IQ1_M");
    EXPECT_STR(r1_type_ggml_name(42), "Q2_0");
    EXPECT_NULL(r1_type_ggml_name(43));
    EXPECT_NULL(r1_type_ggml_name(4000000000u));
    EXPECT_INT(r1_row_bytes(R1_Q4_K, 512), 288);
    EXPECT_INT(r1_row_bytes(R1_Q4_K, 500), 0);
    EXPECT_INT(r1_row_bytes(R1_F16, 3), 6);
    EXPECT_INT(r1_packed_bytes(R1_Q4_0, 17, 64), 32 * 36);
}

/* ---- decoding ---- */

typedef struct vector {
    r1_type type;
    int d, m;                   /* byte offset of d and of m or dmin; -1: none */
    double sum, y[11];          /* of the values at `samples` */
} vector;

static const int samples[11] = { 0, 1, 15, 16, 17, 31, 32, 100, 128, 200, 255 };

static const vector vectors[] = {
    { R1_Q4_0, 0, -1, -10.5, { -1.5, 1, -4, -1.5, -0.5, 0 } },
    { R1_Q4_1, 0, 2, 130.5, { 7.75, 2.25, 5.25, 4.75, 6.25, 6.25 } },
    { R1_Q5_0, 0, -1, 7.5, { 4.5, -1, -6, 7, 0, 0.5 } },
    { R1_Q5_1, 0, 2, 260.5, { 9.75, 12.25, 15.25, 9.75, 2.75, 2.75 } },
    { R1_Q8_0, 0, -1, -88, { 42.5, 61, -64, -45.5, -27, -24 } },
    { R1_IQ4_NL, 0, -1, -128.5, { -17.5, 12.5, -63.5, -17.5, -5, 0.5 } },
    { R1_Q2_K, 80, 82, 1029.5, { 16.5, 0, 11, -0.75, -0.75, -0.75, 3.75, 10, 3.75, 4, 2.25 } },
    { R1_Q3_K, 108, -1, 479, { 40.5, -54, -27, -48, 64, 32, -11, 0, 1, 12.5, 21 } },
    { R1_Q4_K, 0, 2, 27220, { 157.75, -12.75, 80.25, 157.75, -12.75, 80.25, 4, 47.5, 211.5, 69.25, 24.25 } },
    { R1_Q5_K, 0, 2, 58108, { 405.75, -12.75, 80.25, 405.75, -12.75, 80.25, 56, 117.5, 523.5, 69.25, 54.25 } },
    { R1_Q6_K, 208, -1, 2306, { -715.5, 848, -159, -216, 256, -48, 115.5, 1261.5, -175.5, 544.5, -30 } },
    { R1_IQ4_XS, 0, -1, -5502.5, { 32.5, -0.5, -44.5, 32.5, 17.5, 17.5, 227.5, 20, -292.5, 570, -8 } },
};

TEST(decode_gives_the_self_test_vectors)
{
    uint8_t b[256];
    float y[256];
    for (size_t v = 0; v < R1_COUNT(vectors); v++) {
        const vector *t = &vectors[v];
        const r1_type_info *i = r1_type_get(t->type);
        for (int j = 0; j < i->bytes; j++) b[j] = (uint8_t)(37 * j + 11);
        b[t->d] = 0;
        b[t->d + 1] = 0x38;
        if (t->m >= 0) {
            b[t->m] = 0;
            b[t->m + 1] = 0x34;
        }
        r1_decode(t->type, b, y, i->block);
        double sum = 0;
        for (int j = 0; j < i->block; j++) sum += (double)y[j];
        if (sum != t->sum) fail_msg("%s: sum %g, expected %g", i->name, sum, t->sum);
        for (int s = 0; s < 11 && samples[s] < i->block; s++)
            if ((double)y[samples[s]] != t->y[s])
                fail_msg("%s: y[%d] is %g, expected %g", i->name, samples[s], (double)y[samples[s]], t->y[s]);
    }
    for (int j = 0; j < 17; j++) b[j] = (uint8_t)(37 * j + 11);
    b[0] = 127;
    r1_decode(R1_MXFP4, b, y, 32);
    double sum = 0;
    for (int j = 0; j < 32; j++) sum += (double)y[j];
    EXPECT(sum == 12.5 && y[0] == 0 && y[1] == 3 && y[16] == 1.5f && y[31] == 3);
}

/* Just enough of safetensors for the tables: u64 length of a JSON header, the header, the data. */
typedef struct table_file {
    r1_map map;
    json_t *header;
    const uint8_t *data;
} table_file;

static table_file open_tables(const char *relative)
{
    r1_error e = { 0 };
    table_file f = { .header = NULL };
    EXPECT_OK(r1_map_open(&f.map, test_path(relative), &e), &e);
    const uint8_t *p = f.map.data;
    uint64_t n;
    EXPECT(f.map.size > 8);
    memcpy(&n, p, 8);
    EXPECT(n < f.map.size - 8);
    EXPECT_OK(r1_json_parse(&f.header, (const char *)p + 8, n, &e), &e);
    f.data = p + 8 + n;
    return f;
}

static void close_tables(table_file *f)
{
    json_decref(f->header);
    r1_map_close(&f->map);
}

/* The bytes of a tensor; NULL when there is none of that name. */
static const uint8_t *find_table(const table_file *f, const char *name, size_t *bytes)
{
    const json_t *t = json_object_get(f->header, name), *o = json_object_get(t, "data_offsets");
    if (!t) return NULL;
    size_t from = (size_t)json_integer_value(json_array_get(o, 0)), to = (size_t)json_integer_value(json_array_get(o, 1));
    EXPECT(from < to && f->data + to <= f->map.data + f->map.size);
    *bytes = to - from;
    return f->data + from;
}

TEST(decode_gives_the_recorded_tables)
{
    table_file f = open_tables("golden/models/dequant.safetensors");
    size_t n_types = 0;
    for (unsigned id = 0; id < R1_F8_E4M3; id++) {
        const r1_type_info *i = r1_type_get(id);
        if (!i || id == R1_F32) continue;
        char name[64];
        size_t n_blocks, n_values;
        snprintf(name, sizeof name, "%s.blocks", i->name);
        const uint8_t *blocks = find_table(&f, name, &n_blocks);
        snprintf(name, sizeof name, "%s.values", i->name);
        const uint8_t *values = find_table(&f, name, &n_values);
        EXPECT(blocks && values);
        size_t n = n_blocks / i->bytes * i->block;
        EXPECT_INT(n * 4, n_values);
        float *got = malloc(n * 4);
        EXPECT(got != NULL);
        r1_decode((r1_type)id, blocks, got, n);
        for (size_t j = 0; j < n; j++) {
            float want;
            memcpy(&want, values + 4 * j, 4);
            if (got[j] != want && !(isnan(got[j]) && isnan(want)))
                fail_msg("%s: value %zu is %a, expected %a", i->name, j, (double)got[j], (double)want);
        }
        free(got);
        n_types++;
    }
    EXPECT_INT(n_types, 15);
    close_tables(&f);
}

TEST(e4m3_gives_the_recorded_table)
{
    table_file f = open_tables("golden/models/fp8.safetensors");
    size_t n_codes, n_values;
    const uint8_t *codes = find_table(&f, "codes", &n_codes), *values = find_table(&f, "values", &n_values);
    EXPECT(codes && values && n_codes == 256 && n_values == 1024);
    float got[256];
    r1_decode(R1_F8_E4M3, codes, got, 256);
    for (size_t j = 0; j < 256; j++) {
        float want, formula = r1_e4m3_to_f32(codes[j]);
        memcpy(&want, values + 4 * j, 4);
        if (isnan(want)) EXPECT(isnan(got[j]) && isnan(formula));
        else EXPECT(r1_f32_bits(got[j]) == r1_f32_bits(want) && r1_f32_bits(formula) == r1_f32_bits(want));
    }
    close_tables(&f);
}

TEST(decode_accepts_any_alignment_and_writes_only_its_values)
{
    uint64_t seed = test_seed();
    for (unsigned id = 0; id < R1_TYPE_END; id++) {
        const r1_type_info *i = r1_type_get(id);
        if (!i) continue;
        uint8_t raw[2 * 210 + 3];
        float a[515], b[515];
        for (size_t j = 0; j < sizeof raw; j++) raw[j] = (uint8_t)test_random(&seed);
        size_t n = 2u * i->block;
        memset(a, 0x5A, sizeof a);
        r1_decode((r1_type)id, raw, a, n);
        EXPECT_INT(r1_f32_bits(a[n]), 0x5A5A5A5A);
        memmove(raw + 1, raw, 2u * i->bytes);
        r1_decode((r1_type)id, raw + 1, b, n);
        EXPECT(memcmp(a, b, n * 4) == 0);
    }
}

/* ---- packing ---- */

TEST(pack_then_unpack_gives_the_bytes)
{
    uint64_t seed = test_seed();
    for (size_t q = 0; q < R1_COUNT(quantised); q++) {
        r1_type t = quantised[q];
        const r1_type_info *i = r1_type_get(t);
        for (size_t rows = 1; rows <= 33; rows++) {
            size_t k = i->block * (1 + rows % 4), bytes = r1_row_bytes(t, k), stride = bytes + rows % 3;
            size_t total = r1_packed_bytes(t, rows, k), panel = 16 * bytes;
            EXPECT_INT(total, (rows + 15) / 16 * panel);
            uint8_t *src = malloc(1 + rows * stride), *packed = r1_alloc_aligned(total + 64), *row = malloc(bytes + 1);
            EXPECT(src && packed && row);
            for (size_t j = 0; j < 1 + rows * stride; j++) src[j] = (uint8_t)test_random(&seed);
            memset(packed, 0xA5, total + 64);
            for (size_t r = 0; r < rows; r += 16)
                r1_pack_panel(t, packed + r / 16 * panel, src + 1 + r * stride, stride, rows - r, k);
            for (size_t r = 0; r < (rows + 15) / 16 * 16; r++) {
                row[bytes] = 0x77;
                r1_unpack_row(t, row, packed + r / 16 * panel, r % 16, k);
                if (r < rows) EXPECT(memcmp(row, src + 1 + r * stride, bytes) == 0);
                else for (size_t j = 0; j < bytes; j++) EXPECT_INT(row[j], 0);
                EXPECT_INT(row[bytes], 0x77);
            }
            for (size_t j = 0; j < 64; j++) EXPECT_INT(packed[total + j], 0xA5);
            free(src);
            free(packed);
            free(row);
        }
    }
}

/* The offsets written in quant.h, on which vector code is built: where byte `at` of the original block is found. */
typedef struct placed { r1_type type; size_t at, unit, offset; } placed;

TEST(packed_fields_are_where_the_header_says)
{
    static const placed p[] = {
        { R1_Q4_0, 0, 2, 0 }, { R1_Q4_0, 2, 4, 32 }, { R1_IQ4_NL, 2, 4, 32 }, { R1_Q4_1, 2, 2, 32 }, { R1_Q4_1, 4, 4, 64 },
        { R1_Q5_0, 2, 4, 32 }, { R1_Q5_0, 6, 4, 96 }, { R1_Q5_1, 4, 4, 64 }, { R1_Q5_1, 8, 4, 128 }, { R1_Q8_0, 2, 4, 32 },
        { R1_MXFP4, 0, 1, 0 }, { R1_MXFP4, 1, 4, 16 }, { R1_Q2_K, 0, 4, 0 }, { R1_Q2_K, 16, 4, 256 }, { R1_Q2_K, 80, 2, 1280 },
        { R1_Q2_K, 82, 2, 1312 }, { R1_Q3_K, 32, 4, 512 }, { R1_Q3_K, 96, 4, 1536 }, { R1_Q3_K, 108, 2, 1728 },
        { R1_Q4_K, 2, 2, 32 }, { R1_Q4_K, 4, 4, 64 }, { R1_Q4_K, 16, 4, 256 }, { R1_Q5_K, 16, 4, 256 }, { R1_Q5_K, 48, 4, 768 },
        { R1_Q6_K, 0, 4, 0 }, { R1_Q6_K, 128, 4, 2048 }, { R1_Q6_K, 192, 4, 3072 }, { R1_Q6_K, 208, 2, 3328 },
        { R1_IQ4_XS, 2, 2, 32 }, { R1_IQ4_XS, 4, 4, 64 }, { R1_IQ4_XS, 8, 4, 128 },
    };
    uint64_t seed = test_seed();
    uint8_t src[16 * 210], panel[16 * 210];
    for (size_t j = 0; j < sizeof src; j++) src[j] = (uint8_t)test_random(&seed);
    for (size_t i = 0; i < R1_COUNT(p); i++) {
        size_t bytes = r1_type_get(p[i].type)->bytes;
        r1_pack_panel(p[i].type, panel, src, bytes, 16, r1_type_get(p[i].type)->block);
        for (size_t r = 0; r < 16; r++)
            EXPECT(memcmp(panel + p[i].offset + r * p[i].unit, src + r * bytes + p[i].at, p[i].unit) == 0);
    }
    r1_pack_panel(R1_Q4_0, panel, src, 18, 16, 32); /* the example of the header */
    EXPECT_INT(panel[32 + (16 * 3 + 5) * 4 + 1], src[5 * 18 + 2 + 4 * 3 + 1]);
}

TEST(bench_pack)
{
    if (!getenv("R1_BENCH")) SKIP("R1_BENCH=1 measures packing and decoding");
    enum { ROWS = 256, K = 8192 };
    for (size_t q = 0; q < R1_COUNT(quantised); q++) {
        r1_type t = quantised[q];
        size_t bytes = r1_row_bytes(t, K), total = ROWS * bytes, n = 0;
        uint8_t *src = malloc(total), *dst = r1_alloc_aligned(total);
        float *y = malloc(K * 4);
        EXPECT(src && dst && y);
        memset(src, 0x3A, total);
        double t0 = r1_now(), dt;
        do {
            for (size_t r = 0; r < ROWS; r += 16) r1_pack_panel(t, dst + r * bytes, src + r * bytes, bytes, ROWS - r, K);
            n++;
            dt = r1_now() - t0;
        } while (dt < 0.1);
        double pack = (double)n * (double)total / dt / 1e9;
        t0 = r1_now();
        n = 0;
        do {
            r1_decode(t, src + n % ROWS * bytes, y, K);
            n++;
            dt = r1_now() - t0;
        } while (dt < 0.05);
        printf("%-8s pack %6.2f GB/s   decode %6.2f Mvalues/s\n", r1_type_get(t)->name, pack, (double)n * K / dt / 1e6);
        free(src);
        free(dst);
        free(y);
    }
}
