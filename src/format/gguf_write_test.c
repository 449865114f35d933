/* Tests of gguf_write.c: what is written is read back equal, value for value; a file that is not finished leaves nothing. */
#include "format/build_test.h"
#include "format/gguf.h"
#include "format/gguf_write.h"

static r1_gguf_out *writer(void)
{
    r1_gguf_out *w;
    r1_error e = { 0 };
    EXPECT_OK(r1_gguf_out_new(&w, &e), &e);
    return w;
}

static void declare_all(r1_gguf_out *w, const r1_gguf *g)
{
    r1_error e = { 0 };
    for (size_t i = 0; i < r1_gguf_n_tensors(g); i++) {
        const r1_gguf_tensor *t = r1_gguf_tensor_at(g, i);
        char name[128];
        snprintf(name, sizeof name, "%.*s", (int)t->name.n, t->name.p);
        r1_gguf_info info = { .name = name, .type = t->type, .n_dims = t->n_dims };
        memcpy(info.ne, t->ne, sizeof info.ne);
        EXPECT_OK(r1_gguf_out_tensor(w, &info, &e), &e);
    }
}

/* Data in pieces of `piece` bytes, so that pieces cross tensors. */
static void write_all(r1_gguf_out *w, const r1_gguf *g, size_t piece)
{
    r1_error e = { 0 };
    build all = { 0 };
    for (size_t i = 0; i < r1_gguf_n_tensors(g); i++) add(&all, r1_gguf_tensor_at(g, i)->data, r1_gguf_tensor_at(g, i)->bytes);
    for (size_t at = 0; at < all.n; at += piece) EXPECT_OK(r1_gguf_out_data(w, all.p + at, r1_min(piece, all.n - at), &e), &e);
    build_free(&all);
}

static void expect_equal_tensors(const r1_gguf *a, const r1_gguf *b)
{
    EXPECT_INT(r1_gguf_n_tensors(b), r1_gguf_n_tensors(a));
    for (size_t i = 0; i < r1_gguf_n_tensors(a); i++) {
        const r1_gguf_tensor *x = r1_gguf_tensor_at(a, i), *y = r1_gguf_tensor_at(b, i);
        EXPECT_INT(y->name.n, x->name.n);
        EXPECT(!memcmp(x->name.p, y->name.p, x->name.n));
        EXPECT_INT(y->type, x->type);
        EXPECT_INT(y->n_dims, x->n_dims);
        EXPECT(!memcmp(x->ne, y->ne, sizeof x->ne));
        EXPECT_INT(y->bytes, x->bytes);
        EXPECT(!memcmp(x->data, y->data, x->bytes));
    }
}

static void copy_sample(uint32_t version, size_t alignment, size_t piece)
{
    folder f = folder_new();
    build b = gguf_sample(version);
    r1_gguf *g, *again;
    r1_error e = { 0 };
    EXPECT_OK(r1_gguf_parse(&g, b.p, b.n, &e), &e);
    r1_gguf_out *w = writer();
    EXPECT_OK(r1_gguf_out_copy_keys(w, g, &e), &e);
    EXPECT_OK(r1_gguf_out_align(w, alignment, &e), &e);
    declare_all(w, g);
    uint64_t bytes = r1_gguf_out_bytes(w);
    EXPECT_OK(r1_gguf_out_begin(w, folder_path(&f, "a.gguf"), false, &e), &e);
    write_all(w, g, piece);
    EXPECT_OK(r1_gguf_out_finish(w, &e), &e);
    r1_gguf_out_free(w);
    EXPECT_INT(n_entries(f.path), 1);
    EXPECT_OK(r1_gguf_open(&again, folder_path(&f, "a.gguf"), &e), &e);
    EXPECT_INT(r1_gguf_version(again), 3);
    EXPECT_INT(r1_gguf_file_bytes(again), bytes);
    expect_equal_tensors(g, again);
    size_t copied = 0;
    for (size_t i = 0; i < r1_gguf_n_kv(g); i++) {
        const r1_gguf_kv *x = r1_gguf_kv_at(g, i);
        char key[64];
        snprintf(key, sizeof key, "%.*s", (int)x->key.n, x->key.p);
        const r1_gguf_kv *y = r1_gguf_find(again, key);
        if (!strcmp(key, "general.alignment")) continue;
        copied++;
        EXPECT(y != NULL);
        if (!y) continue;
        EXPECT_INT(y->type, x->type);
        EXPECT_INT(y->stored_bytes, x->stored_bytes);
        EXPECT(!memcmp(x->stored, y->stored, x->stored_bytes));
    }
    EXPECT_INT(copied, 17);
    int64_t a;
    EXPECT_OK(r1_gguf_int(again, "general.alignment", false, 32, 8, 1 << 20, &a, &e), &e);
    EXPECT_INT(a, alignment);
    for (size_t i = 0; i < r1_gguf_n_tensors(again); i++)
        EXPECT_INT((size_t)(r1_gguf_tensor_at(again, i)->data - r1_gguf_map(again, 0)->data) % alignment, 0);
    r1_gguf_close(again);
    r1_gguf_close(g);
    build_free(&b);
    folder_free(&f);
}

TEST(gguf_write_copies_every_type_of_value)
{
    copy_sample(3, 32, 1);
    copy_sample(3, 64, 1000000);
    copy_sample(2, 8, 100);
    copy_sample(2, 4096, 7);
}

TEST(gguf_write_replaces_and_removes_keys)
{
    folder f = folder_new();
    r1_gguf_out *w = writer();
    r1_error e = { 0 };
    const r1_slice texts[] = { { "a", 1 }, { NULL, 0 }, { "c\0d", 3 } };
    const float scores[] = { 1.5f, -2 };
    EXPECT_OK(r1_gguf_out_u32(w, "one", 1, &e), &e);
    EXPECT_OK(r1_gguf_out_str(w, "two", "two", 3, &e), &e);
    EXPECT_OK(r1_gguf_out_real(w, "three", R1_GGUF_F32, 0.1, &e), &e);
    EXPECT_OK(r1_gguf_out_strings(w, "texts", texts, 3, &e), &e);
    EXPECT_OK(r1_gguf_out_array(w, "scores", R1_GGUF_F32, scores, 2, &e), &e);
    EXPECT_OK(r1_gguf_out_bool(w, "yes", true, &e), &e);
    EXPECT_OK(r1_gguf_out_int(w, "small", R1_GGUF_I8, -128, &e), &e);
    EXPECT_OK(r1_gguf_out_str(w, "one", "changed", 7, &e), &e);
    r1_gguf_out_remove(w, "two");
    r1_gguf_out_remove(w, "never there");
    EXPECT(!r1_gguf_out_has(w, "two") && r1_gguf_out_has(w, "three") && !r1_gguf_out_has(w, "thre"));
    EXPECT_OK(r1_gguf_out_begin(w, folder_path(&f, "a.gguf"), false, &e), &e);
    EXPECT_OK(r1_gguf_out_finish(w, &e), &e);
    r1_gguf_out_free(w);
    r1_gguf *g;
    EXPECT_OK(r1_gguf_open(&g, folder_path(&f, "a.gguf"), &e), &e);
    r1_slice text, *read;
    double x;
    size_t n;
    bool yes = false;
    int64_t small;
    EXPECT_INT(r1_gguf_n_kv(g), 6);
    EXPECT(r1_gguf_kv_at(g, 0)->key.n == 3 && !memcmp(r1_gguf_kv_at(g, 0)->key.p, "one", 3)); /* in its old place */
    EXPECT_OK(r1_gguf_str(g, "one", true, &text, &e), &e);
    EXPECT(text.n == 7 && !memcmp(text.p, "changed", 7));
    EXPECT_OK(r1_gguf_real(g, "three", true, 0, &x, &e), &e);
    EXPECT(x == (double)0.1f);
    EXPECT_OK(r1_gguf_strings(g, "texts", true, 10, &read, &n, &e), &e);
    EXPECT(n == 3 && read[0].n == 1 && read[1].n == 0 && read[2].n == 3 && !memcmp(read[2].p, "c\0d", 3));
    free(read);
    EXPECT_OK(r1_gguf_bool(g, "yes", false, &yes, &e), &e);
    EXPECT(yes);
    EXPECT_OK(r1_gguf_int(g, "small", true, 0, -200, 200, &small, &e), &e);
    EXPECT_INT(small, -128);
    r1_gguf_close(g);
    folder_free(&f);
}

TEST(gguf_write_refuses_what_the_reader_would)
{
    r1_gguf_out *w = writer();
    r1_error e = { 0 };
    char longest[200];
    memset(longest, 'x', sizeof longest - 1);
    longest[sizeof longest - 1] = 0;
    EXPECT_STATUS(r1_gguf_out_u32(w, "", 1, &e), R1_EINVAL);
    EXPECT_STATUS(r1_gguf_out_u32(w, "\xff", 1, &e), R1_EINVAL);
    EXPECT_STATUS(r1_gguf_out_int(w, "k", R1_GGUF_U8, 256, &e), R1_EINVAL);
    EXPECT_CONTAINS(e.msg, "256");
    EXPECT_STATUS(r1_gguf_out_int(w, "k", R1_GGUF_F32, 2, &e), R1_EINVAL);
    EXPECT_STATUS(r1_gguf_out_array(w, "k", R1_GGUF_STRING, "", 1, &e), R1_EINVAL);
    EXPECT_STATUS(r1_gguf_out_align(w, 48, &e), R1_EINVAL);
    EXPECT_STATUS(r1_gguf_out_tensor(w, &(r1_gguf_info){ longest, R1_F32, 1, { 4 }, 0 }, &e), R1_EINVAL);
    EXPECT_STATUS(r1_gguf_out_tensor(w, &(r1_gguf_info){ "odd", R1_Q8_0, 2, { 33, 2 }, 0 }, &e), R1_EINVAL);
    EXPECT_CONTAINS(e.msg, "odd");
    EXPECT_STATUS(r1_gguf_out_tensor(w, &(r1_gguf_info){ "none", R1_F32, 2, { 3, 0 }, 0 }, &e), R1_EINVAL);
    EXPECT_STATUS(r1_gguf_out_tensor(w, &(r1_gguf_info){ "five", R1_F32, 5, { 1 }, 0 }, &e), R1_EINVAL);
    EXPECT_STATUS(r1_gguf_out_tensor(w, &(r1_gguf_info){ "big", R1_F32, 3, { 1ull << 32, 1ull << 31, 2 }, 0 }, &e), R1_EINVAL);
    EXPECT_STATUS(r1_gguf_out_tensor(w, &(r1_gguf_info){ "odd type", 0x5200, 1, { 4 }, 0 }, &e), R1_EINVAL);
    EXPECT_OK(r1_gguf_out_tensor(w, &(r1_gguf_info){ "a", 0x5200, 1, { 4 }, 10 }, &e), &e);
    EXPECT_OK(r1_gguf_out_tensor(w, &(r1_gguf_info){ "a", R1_F32, 1, { 4 }, 0 }, &e), &e);
    EXPECT_STATUS(r1_gguf_out_begin(w, "/nowhere/file", false, &e), R1_EINVAL);
    EXPECT_CONTAINS(e.msg, "'a' is declared twice");
    r1_gguf_out_free(w);
}

TEST(gguf_write_takes_other_types_by_their_size)
{
    folder f = folder_new();
    r1_gguf_out *w = writer();
    r1_error e = { 0 };
    char *text;
    size_t n;
    EXPECT_OK(r1_gguf_out_tensor(w, &(r1_gguf_info){ "a", 0x5202, 2, { 64, 3 }, 100 }, &e), &e);
    EXPECT_OK(r1_gguf_out_begin(w, folder_path(&f, "a.gguf"), false, &e), &e);
    EXPECT_OK(r1_gguf_out_data(w, (char[100]){ 1, 2, 3 }, 100, &e), &e);
    EXPECT_OK(r1_gguf_out_finish(w, &e), &e);
    r1_gguf_out_free(w);
    EXPECT_OK(r1_file_read(folder_path(&f, "a.gguf"), 10000, &text, &n, &e), &e);
    size_t info = 24 + 9 + 4 + 16;
    EXPECT(text[info] == 0x02 && text[info + 1] == 0x52);
    EXPECT_INT(n, 96 + 128);
    EXPECT(text[96] == 1 && text[98] == 3);
    free(text);
    folder_free(&f);
}

/* A file of two tensors, begun. */
static r1_gguf_out *begun(folder *f, bool force)
{
    r1_gguf_out *w = writer();
    r1_error e = { 0 };
    EXPECT_OK(r1_gguf_out_tensor(w, &(r1_gguf_info){ "a", R1_F32, 1, { 4 }, 0 }, &e), &e);
    EXPECT_OK(r1_gguf_out_tensor(w, &(r1_gguf_info){ "b", R1_F32, 2, { 1 << 20, 3 }, 0 }, &e), &e);
    EXPECT_OK(r1_gguf_out_begin(w, folder_path(f, "a.gguf"), force, &e), &e);
    return w;
}

static bool stop_at_half(void *ctx, uint64_t done, uint64_t total)
{
    *(uint64_t *)ctx = done;
    return done < total / 2;
}

TEST(gguf_write_leaves_nothing_when_not_finished)
{
    folder f = folder_new();
    r1_error e = { 0 };
    float *zeros = calloc(3 << 20, 4);
    r1_gguf_out *w = begun(&f, false);
    EXPECT_OK(r1_gguf_out_data(w, zeros, 17, &e), &e);
    EXPECT_STATUS(r1_gguf_out_finish(w, &e), R1_EINVAL);
    EXPECT_CONTAINS(e.msg, "tensor 'b' has 12582912 bytes, 1 were given");
    r1_gguf_out_free(w);
    EXPECT_INT(n_entries(f.path), 0);

    w = begun(&f, false);
    EXPECT_OK(r1_gguf_out_data(w, zeros, 16, &e), &e);
    EXPECT_OK(r1_gguf_out_data(w, zeros, 3 << 22, &e), &e);
    EXPECT_STATUS(r1_gguf_out_data(w, zeros, 1, &e), R1_EINVAL);
    r1_gguf_out_free(w);
    EXPECT_INT(n_entries(f.path), 0);

    uint64_t done = 0;
    w = begun(&f, false);
    r1_gguf_out_watch(w, stop_at_half, &done);
    EXPECT_OK(r1_gguf_out_data(w, zeros, 16, &e), &e);
    EXPECT_STATUS(r1_gguf_out_data(w, zeros, 3 << 22, &e), R1_ECANCELLED);
    EXPECT(done > 6 << 20 && done < 12 << 20);
    r1_gguf_out_free(w);
    EXPECT_INT(n_entries(f.path), 0);
    free(zeros);
    folder_free(&f);
}

TEST(gguf_write_replaces_a_file_only_by_force_and_at_the_end)
{
    folder f = folder_new();
    r1_error e = { 0 };
    struct stat st;
    float *zeros = calloc(3 << 20, 4);
    folder_text(&f, "a.gguf", "old");
    r1_gguf_out *w = writer();
    EXPECT_STATUS(r1_gguf_out_begin(w, folder_path(&f, "a.gguf"), false, &e), R1_EINVAL);
    EXPECT_CONTAINS(e.msg, "--force");
    r1_gguf_out_free(w);
    w = begun(&f, true);
    EXPECT_OK(r1_gguf_out_data(w, zeros, 16, &e), &e);
    EXPECT_OK(r1_gguf_out_data(w, zeros, 3 << 22, &e), &e);
    EXPECT(stat(folder_path(&f, "a.gguf"), &st) == 0 && st.st_size == 3);
    EXPECT_OK(r1_gguf_out_finish(w, &e), &e);
    EXPECT(stat(folder_path(&f, "a.gguf"), &st) == 0 && st.st_size > 3 << 22);
    EXPECT_INT(n_entries(f.path), 1);
    r1_gguf_out_free(w);
    free(zeros);
    folder_free(&f);
}

TEST(gguf_write_says_how_much_disk_is_missing)
{
    folder f = folder_new();
    r1_error e = { 0 };
    r1_gguf_out *w = writer();
    EXPECT_OK(r1_gguf_out_tensor(w, &(r1_gguf_info){ "huge", R1_F32, 2, { 1ull << 30, 1ull << 28 }, 0 }, &e), &e);
    EXPECT_STATUS(r1_gguf_out_begin(w, folder_path(&f, "a.gguf"), false, &e), R1_ENOMEM);
    char want[64];
    snprintf(want, sizeof want, "needs %llu bytes of disk, ", (unsigned long long)r1_gguf_out_bytes(w));
    EXPECT(r1_gguf_out_bytes(w) > 1ull << 60);
    EXPECT_CONTAINS(e.msg, want);
    EXPECT_CONTAINS(e.msg, " are available");
    r1_gguf_out_free(w);
    EXPECT_INT(n_entries(f.path), 0);
    folder_free(&f);
}
