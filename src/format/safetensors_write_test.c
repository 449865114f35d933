/* Tests of safetensors_write.c: what is written is read back equal; what is not finished leaves nothing. */
#include "format/build_test.h"
#include "format/safetensors.h"
#include "format/safetensors_write.h"

static r1_st_out *writer(void)
{
    r1_st_out *w;
    r1_error e = { 0 };
    EXPECT_OK(r1_st_out_new(&w, &e), &e);
    return w;
}

TEST(safetensors_write_is_read_back)
{
    folder f = folder_new();
    r1_error e = { 0 };
    uint8_t bytes[24 + 12 + 6 + 4];
    r1_st_out *w = writer();
    for (size_t i = 0; i < sizeof bytes; i++) bytes[i] = (uint8_t)(i * 3);
    EXPECT_OK(r1_st_out_tensor(w, "a \"quoted\" \\ name\n", R1_F32, 2, (uint64_t[]){ 2, 3 }, &e), &e);
    EXPECT_OK(r1_st_out_tensor(w, "h", R1_BF16, 3, (uint64_t[]){ 1, 2, 3 }, &e), &e);
    EXPECT_OK(r1_st_out_tensor(w, "e", R1_F8_E4M3, 1, (uint64_t[]){ 6 }, &e), &e);
    EXPECT_OK(r1_st_out_tensor(w, "scalar", R1_F32, 0, NULL, &e), &e);
    uint64_t size = r1_st_out_bytes(w);
    EXPECT_OK(r1_st_out_begin(w, folder_path(&f, "m.safetensors"), false, &e), &e);
    for (size_t i = 0; i < sizeof bytes; i += 7) EXPECT_OK(r1_st_out_data(w, bytes + i, r1_min(7, sizeof bytes - i), &e), &e);
    EXPECT_OK(r1_st_out_finish(w, &e), &e);
    r1_st_out_free(w);
    r1_st *st;
    EXPECT_OK(r1_st_open(&st, folder_path(&f, "m.safetensors"), &e), &e);
    EXPECT_INT(r1_st_n_tensors(st), 4);
    EXPECT_INT(r1_st_map(st)->size, size);
    const r1_st_tensor *a = r1_st_find(st, "a \"quoted\" \\ name\n"), *h = r1_st_find(st, "h"), *x = r1_st_find(st, "e"), *s = r1_st_find(st, "scalar");
    EXPECT(a && h && x && s);
    EXPECT(a->n_dims == 2 && a->shape[0] == 3 && a->shape[1] == 2 && !memcmp(a->data, bytes, 24));
    EXPECT((size_t)(a->data - r1_st_map(st)->data) % 8 == 0);
    EXPECT_STR(h->dtype, "BF16");
    EXPECT(h->n_dims == 3 && h->shape[0] == 3 && h->shape[2] == 1 && !memcmp(h->data, bytes + 24, 12));
    EXPECT_STR(x->dtype, "F8_E4M3");
    EXPECT(s->n_dims == 0 && s->bytes == 4 && !memcmp(s->data, bytes + 42, 4));
    r1_st_close(st);
    folder_free(&f);
}

TEST(safetensors_write_of_nothing_is_a_file)
{
    folder f = folder_new();
    r1_error e = { 0 };
    r1_st *st;
    r1_st_out *w = writer();
    EXPECT_OK(r1_st_out_begin(w, folder_path(&f, "m.safetensors"), false, &e), &e);
    EXPECT_OK(r1_st_out_finish(w, &e), &e);
    r1_st_out_free(w);
    EXPECT_OK(r1_st_open(&st, folder_path(&f, "m.safetensors"), &e), &e);
    EXPECT_INT(r1_st_n_tensors(st), 0);
    r1_st_close(st);
    folder_free(&f);
}

TEST(safetensors_write_refuses)
{
    folder f = folder_new();
    r1_error e = { 0 };
    r1_st_out *w = writer();
    EXPECT_STATUS(r1_st_out_tensor(w, "", R1_F32, 0, NULL, &e), R1_EINVAL);
    EXPECT_STATUS(r1_st_out_tensor(w, "__metadata__", R1_F32, 0, NULL, &e), R1_EINVAL);
    EXPECT_STATUS(r1_st_out_tensor(w, "q", R1_Q8_0, 1, (uint64_t[]){ 32 }, &e), R1_EINVAL);
    EXPECT_CONTAINS(e.msg, "Q8_0");
    EXPECT_STATUS(r1_st_out_tensor(w, "big", R1_F32, 2, (uint64_t[]){ 1ull << 40, 1ull << 40 }, &e), R1_EINVAL);
    EXPECT_OK(r1_st_out_tensor(w, "a", R1_F32, 1, (uint64_t[]){ 3 }, &e), &e);
    EXPECT_OK(r1_st_out_tensor(w, "a", R1_F32, 1, (uint64_t[]){ 3 }, &e), &e);
    EXPECT_STATUS(r1_st_out_begin(w, folder_path(&f, "m.safetensors"), false, &e), R1_EINVAL);
    EXPECT_CONTAINS(e.msg, "'a' is declared twice");
    r1_st_out_free(w);
    w = writer();
    EXPECT_OK(r1_st_out_tensor(w, "a", R1_F32, 1, (uint64_t[]){ 3 }, &e), &e);
    EXPECT_OK(r1_st_out_begin(w, folder_path(&f, "m.safetensors"), false, &e), &e);
    EXPECT_STATUS(r1_st_out_tensor(w, "b", R1_F32, 1, (uint64_t[]){ 3 }, &e), R1_EINVAL);
    EXPECT_OK(r1_st_out_data(w, "abcd", 4, &e), &e);
    EXPECT_STATUS(r1_st_out_finish(w, &e), R1_EINVAL);
    EXPECT_STATUS(r1_st_out_data(w, "123456789", 9, &e), R1_EINVAL);
    r1_st_out_free(w);
    EXPECT_INT(n_entries(f.path), 0);
    folder_free(&f);
}
