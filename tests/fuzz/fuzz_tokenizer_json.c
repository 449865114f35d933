/* Fuzz target: a tokenizer.json, then, each after a line "===", a tokenizer_config.json and a generation_config.json. What is
 * refused says why. What is accepted encodes the input itself: every id exists, plain text gives no special token, and where
 * each byte has a token and nothing is normalised the bytes come back. */
#define _GNU_SOURCE /* memmem */
#include "base/utf8.h"
#include "text/tokenizer_int.h"
#include "tests/fuzz/require.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

/* The part before the next separator; *p moves behind it, to NULL after the last part. */
static r1_slice next_part(const char **p, const char *end)
{
    static const char between[] = "\n===\n";
    r1_slice s = { *p, 0 };
    if (!*p) return s;
    const char *hit = *p < end ? memmem(*p, (size_t)(end - *p), between, sizeof between - 1) : NULL;
    s.n = (size_t)((hit ? hit : end) - *p);
    *p = hit ? hit + sizeof between - 1 : NULL;
    return s;
}

static bool has_all_bytes(const r1_tokenizer *t)
{
    for (int b = 0; b < 256; b++)
        if (t->byte_id[b] < 0) return false;
    return true;
}

static void check_ids(const r1_tokenizer *t, r1_slice text, int special, const r1_ids *ids)
{
    r1_detok d = { 0 };
    r1_buf out;
    size_t at = 0;
    bool same = !t->nfc && has_all_bytes(t);
    r1_buf_init(&out, 1 << 28);
    for (size_t i = 0; i < ids->n; i++) {
        size_t n;
        const char *p = r1_token_bytes(t, ids->ids[i], &n);
        require(p != NULL);
        require(special == R1_SPECIAL_ALL || !r1_tokenizer_is_special(t, ids->ids[i]));
        if (same) require(n <= text.n - at && !memcmp(p, text.p + at, n));
        at += n;
        require(r1_detok_token(&d, t, ids->ids[i], &out, NULL) == R1_OK);
    }
    require(r1_detok_end(&d, &out, NULL) == R1_OK);
    if (same) require(at == text.n);
    require(!out.data || r1_utf8_is_valid(out.data, out.len, NULL));
    r1_buf_deinit(&out);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    static const int modes[] = { R1_SPECIAL_NONE, R1_SPECIAL_HF, R1_SPECIAL_ALL };
    const char *p = size ? (const char *)data : "", *end = p + size;
    r1_slice json = next_part(&p, end), config = next_part(&p, end), generation = next_part(&p, end);
    r1_tokenizer *t;
    r1_error e = { 0 };
    r1_status s = r1_tokenizer_from_json(&t, json.p, json.n, config.p, config.n, generation.p, generation.n, &e);
    if (s) {
        require(!t && e.status == s && e.msg[0] && s != R1_EINVAL);
        return 0;
    }
    r1_slice text = { (const char *)data, r1_min(size, 300) };
    for (size_t i = 0; i < R1_COUNT(modes); i++) {
        r1_ids ids = { 0 };
        s = r1_tokenizer_encode(t, text.p, text.n, modes[i], &ids, &e);
        require(!s || s == R1_ELIMIT || s == R1_ENOMEM);
        if (!s) check_ids(t, text, modes[i], &ids);
        r1_ids_deinit(&ids);
    }
    r1_tokenizer_free(t);
    return 0;
}
