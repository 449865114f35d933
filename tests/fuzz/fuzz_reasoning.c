/* Fuzz target: the reasoning machine.
 *
 * Input: a byte of flags, a byte of budget, a byte for the number of stop strings; the stop strings, each up to a line break;
 * then sampled tokens of a small vocabulary: bytes below 0x80 are themselves, from 0x80 on the words, roles and tags, and 0xFF
 * repeats the eight tokens before it 64 times. What must hold is checked: pieces are whole characters and join to the texts,
 * nothing changes after the end, no tag is in a text, and other cuts into tokens give the same. */
#include "text/reasoning.h"
#include "text/small_vocab_test.h"
#include "tests/fuzz/require.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t n);

enum { KIND = 3, INSIDE = 4, OFF = 8, IGNORE_EOS = 16, NO_GUARD = 32, BUDGET = 64, IDS_MAX = 4096 };

typedef struct seen { r1_buf part[2]; } seen;

static bool on_text(void *ctx, r1_part part, const char *text, size_t n)
{
    seen *s = ctx;
    require(n > 0 && r1_utf8_is_valid(text, n, NULL));
    require(part == R1_PART_ANSWER || !s->part[R1_PART_ANSWER].len);
    require(r1_buf_add(&s->part[part], text, n, NULL) == R1_OK);
    return true;
}

static void check_text(const r1_reasoning *r, const seen *s, bool no_tags)
{
    for (int part = 0; part < 2; part++) {
        const r1_buf *b = r1_reasoning_text(r, (r1_part)part);
        require(b->len == s->part[part].len && (!b->len || !memcmp(b->data, s->part[part].data, b->len)));
        require(!no_tags || !b->len || (!strstr(b->data, "<think>") && !strstr(b->data, "</think>")));
    }
}

/* Run ids; as bytes when `cut`. What was forced is put before what was sampled. */
static r1_reasoning_end run(const r1_tokenizer *t, const r1_reasoning_options *options, unsigned flags, const int32_t *ids, size_t n, bool cut, seen *s)
{
    static const int32_t prompt[] = { SMALL_USER, 'h', SMALL_ASSISTANT, SMALL_OPEN, '\n' }, spelled[] = { SMALL_ASSISTANT, '<', 't', 'h', 'i', 'n', 'k', '>', '\n' };
    r1_reasoning_options o = *options;
    r1_reasoning *r;
    r1_buf_init(&s->part[0], SIZE_MAX / 4);
    r1_buf_init(&s->part[1], SIZE_MAX / 4);
    o.on_text = on_text;
    o.ctx = s;
    bool in_text = flags % KIND == SMALL_NO_TAGS;
    const int32_t *p = in_text ? spelled : prompt;
    size_t n_prompt = !(flags & INSIDE) ? in_text ? 1 : 3 : in_text ? R1_COUNT(spelled) : R1_COUNT(prompt);
    if (r1_reasoning_new(&r, t, p, n_prompt, &o, NULL)) return R1_END_NONE; /* a stop string that is refused */
    for (size_t i = 0; i < n; i++) {
        int32_t id;
        for (size_t k = 0; k < 100 && (id = r1_reasoning_forced(r)) >= 0; k++) {
            require(k < 64 && (flags & (BUDGET | NO_GUARD)) != NO_GUARD);
            require(r1_reasoning_accept(r, id, NULL) == R1_OK);
        }
        size_t bytes;
        const char *token = r1_token_bytes(t, ids[i], &bytes);
        if (!cut || ids[i] >= SMALL_USER) require(r1_reasoning_accept(r, ids[i], NULL) == R1_OK);
        else
            for (size_t k = 0; k < bytes; k++) require(r1_reasoning_accept(r, (unsigned char)token[k], NULL) == R1_OK);
        require(flags & BUDGET || !r1_reasoning_budget_closed(r));
    }
    require(r1_reasoning_finish(r, NULL) == R1_OK);
    check_text(r, s, in_text && !(flags & OFF));
    require(r1_reasoning_accept(r, 'x', NULL) == R1_OK && r1_reasoning_finish(r, NULL) == R1_OK && r1_reasoning_forced(r) == -1);
    check_text(r, s, false);
    r1_reasoning_end end = r1_reasoning_done(r);
    r1_reasoning_free(r);
    return end;
}

static size_t read_ids(const uint8_t *data, size_t n, int32_t *ids)
{
    size_t m = 0;
    for (size_t i = 0; i < n && m + 1 < IDS_MAX; i++) {
        if (data[i] < 0x80) ids[m++] = data[i];
        else if (data[i] < 0xFF) ids[m++] = 256 + (data[i] - 0x80) % (SMALL_SIZE + 4 - 256); /* unknown ids too */
        else
            for (size_t k = 0; k < 512 && m >= 8 && m + 1 < IDS_MAX; k++, m++) ids[m] = ids[m - 8];
    }
    return m;
}

static r1_tokenizer *vocabulary(small_kind kind)
{
    static r1_tokenizer *made[SMALL_KINDS]; /* for the whole run */
    if (!made[kind]) made[kind] = small_vocab(kind);
    return made[kind];
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t n)
{
    if (n < 3) return 0;
    unsigned flags = data[0];
    static char stops[20][R1_STOP_BYTES_MAX + 8];
    const char *stop[20];
    static int32_t ids[IDS_MAX];
    r1_reasoning_options o = { .off = flags & OFF, .ignore_eos = flags & IGNORE_EOS, .no_loop_guard = flags & NO_GUARD,
                               .think_budget = flags & BUDGET ? data[1] : -1, .stop = stop, .n_stop = data[2] % 20 };
    size_t at = 3;
    for (size_t i = 0; i < o.n_stop; i++) {
        size_t len = 0;
        for (; at < n && data[at] != '\n' && len < sizeof stops[i] - 1; at++) stops[i][len++] = (char)data[at];
        stops[i][len] = 0;
        stop[i] = stops[i];
        at += at < n;
    }
    size_t m = read_ids(data + at, n - at, ids);
    seen whole = { 0 }, bytes = { 0 };
    r1_tokenizer *t = vocabulary((small_kind)(flags % KIND));
    r1_reasoning_end end = run(t, &o, flags, ids, m, false, &whole);
    if (flags & NO_GUARD && !(flags & BUDGET)) { /* what counts tokens depends on the cut */
        require(run(t, &o, flags, ids, m, true, &bytes) == end);
        for (int part = 0; part < 2; part++)
            require(whole.part[part].len == bytes.part[part].len && (!bytes.part[part].len || !memcmp(whole.part[part].data, bytes.part[part].data, bytes.part[part].len)));
    }
    for (int part = 0; part < 2; part++) {
        r1_buf_deinit(&whole.part[part]);
        r1_buf_deinit(&bytes.part[part]);
    }
    return 0;
}
