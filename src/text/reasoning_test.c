/* The reasoning machine: 10,000 random streams against a slow oracle on whole strings, the same streams cut into other
 * tokens, and each rule by itself. */
#include "text/reasoning_int.h"
#include "text/small_vocab_test.h"
#include "tests/test.h"

/* ---- strings --------------------------------------------------------------------------------------------------- */

typedef struct str { char *p; size_t n; } str; /* NUL-terminated */

static str text_of(const char *p, size_t n)
{
    str s = { malloc(n + 1), n };
    if (n) memcpy(s.p, p, n);
    s.p[n] = 0;
    return s;
}

static void append(str *s, const char *p, size_t n)
{
    s->p = realloc(s->p, s->n + n + 1);
    if (n) memcpy(s->p + s->n, p, n);
    s->p[s->n += n] = 0;
}

static void clear(str *s)
{
    free(s->p);
    *s = text_of("", 0);
}

static bool space(char c) { return c && strchr(" \t\n\v\f\r", c); }
static bool starts(const str *s, size_t at, const char *with) { return !strncmp(s->p + at, with, strlen(with)); }

static bool blank(const str *s)
{
    size_t i = 0;
    while (i < s->n && space(s->p[i])) i++;
    return i == s->n;
}

/* Valid UTF-8: each maximal invalid part becomes U+FFFD; `open_end`: what may still become a character is left out. */
static str characters(const str *raw, bool open_end)
{
    str out = text_of("", 0);
    for (size_t i = 0; i < raw->n;) {
        uint32_t cp;
        int n = r1_utf8_decode(raw->p + i, raw->n - i, &cp);
        if (n < 0 && open_end && r1_utf8_is_partial(raw->p + i, raw->n - i)) break;
        if (n > 0) append(&out, raw->p + i, (size_t)n);
        else append(&out, "\xEF\xBF\xBD", 3);
        i += (size_t)(n > 0 ? n : -n);
    }
    return out;
}

/* ---- the oracle ------------------------------------------------------------------------------------------------ */

typedef struct result {
    str thinking, answer;
    r1_reasoning_end end;
} result;

static void result_free(result *r)
{
    free(r->thinking.p);
    free(r->answer.p);
}

static void end_thought(result *r, const str *thought, bool closed)
{
    size_t from = 0, to = thought->n;
    while (from < to && space(thought->p[from])) from++;
    while (closed && to > from && space(thought->p[to - 1])) to--;
    if (blank(thought)) return;
    if (r->thinking.n) append(&r->thinking, "\n\n", 2);
    append(&r->thinking, thought->p + from, to - from);
}

/* The answer before the stop string that ends first, of several the longest. */
static void end_answer(result *r, const str *answer, const char *const *stop, size_t n_stop)
{
    size_t from = 0, best_end = SIZE_MAX, best_start = 0;
    while (from < answer->n && space(answer->p[from])) from++;
    append(&r->answer, answer->p + from, answer->n - from);
    for (size_t at = 0; at < r->answer.n; at++)
        for (size_t k = 0; k < n_stop; k++)
            if (starts(&r->answer, at, stop[k]) && at + strlen(stop[k]) < best_end) {
                best_end = at + strlen(stop[k]); /* starts ascend, so among equal ends the first is the longest */
                best_start = at;
            }
    if (best_end == SIZE_MAX) return;
    r->answer.p[r->answer.n = best_start] = 0;
    r->end = R1_END_STOP_STRING;
}

/* What a tag does to the text of the current part, as tokens: `raw` becomes that of the new part when it changes. */
static void oracle_tag(result *r, bool close, bool *thinking, str *raw)
{
    if (close != *thinking) return;
    str all = characters(raw, false), so_far = characters(raw, true);
    if (close) {
        end_thought(r, &all, true);
    } else if (!blank(&so_far)) {
        free(all.p);
        free(so_far.p);
        return;
    }
    if (close || blank(&all)) {
        *thinking = !*thinking;
        clear(raw);
    } else { /* half a character ended by the tag begins the answer */
        clear(raw);
        append(raw, all.p, all.n);
    }
    free(all.p);
    free(so_far.p);
}

static void finish(result *r, bool thinking, const str *text, const char *const *stop, size_t n_stop)
{
    if (thinking) end_thought(r, text, false);
    else end_answer(r, text, stop, n_stop);
}

static result oracle_of_ids(const r1_tokenizer *t, const int32_t *ids, size_t n, bool thinking, const char *const *stop, size_t n_stop)
{
    result r = { text_of("", 0), text_of("", 0), R1_END_NONE };
    str raw = text_of("", 0);
    for (size_t i = 0; i < n; i++) {
        size_t bytes;
        const char *p = r1_token_bytes(t, ids[i], &bytes);
        if (ids[i] == SMALL_END) {
            r.end = R1_END_EOG;
            break;
        }
        if (ids[i] == SMALL_OPEN || ids[i] == SMALL_CLOSE) oracle_tag(&r, ids[i] == SMALL_CLOSE, &thinking, &raw);
        else if (ids[i] < SMALL_USER) append(&raw, p, bytes);
    }
    str text = characters(&raw, false);
    finish(&r, thinking, &text, stop, n_stop);
    free(text.p);
    free(raw.p);
    return r;
}

/* Letters that end a tag whose beginning is the end of `out`; 0: none. */
static size_t rest_of_tag(const str *out, const str *text, size_t at)
{
    static const char *const tags[] = { "<think>", "</think>" };
    for (size_t k = 0; k < 2; k++)
        for (size_t n = 1; n < strlen(tags[k]); n++)
            if (out->n >= n && !memcmp(out->p + out->n - n, tags[k], n) && starts(text, at, tags[k] + n)) return strlen(tags[k]) - n;
    return 0;
}

static result oracle_of_text(const r1_tokenizer *t, const int32_t *ids, size_t n, bool thinking, const char *const *stop, size_t n_stop)
{
    result r = { text_of("", 0), text_of("", 0), R1_END_NONE };
    str raw = text_of("", 0), out = text_of("", 0);
    for (size_t i = 0; i < n && r.end == R1_END_NONE; i++) {
        size_t bytes;
        const char *p = r1_token_bytes(t, ids[i], &bytes);
        if (ids[i] == SMALL_END) r.end = R1_END_EOG;
        else if (ids[i] < SMALL_USER) append(&raw, p, bytes);
    }
    str text = characters(&raw, false);
    for (size_t i = 0; i < text.n;) {
        bool open = starts(&text, i, "<think>"), close = starts(&text, i, "</think>");
        size_t rest = rest_of_tag(&out, &text, i);
        if (open || close) {
            if (close == thinking && (close || blank(&out))) {
                if (close) end_thought(&r, &out, true);
                thinking = !thinking;
                clear(&out);
            }
            i += open ? 7 : 8;
        } else if (rest) {
            i += rest;
        } else {
            append(&out, text.p + i++, 1);
        }
    }
    finish(&r, thinking, &out, stop, n_stop);
    free(raw.p);
    free(out.p);
    free(text.p);
    return r;
}

/* ---- running the machine --------------------------------------------------------------------------------------- */

typedef struct watched {
    str part[2];
    size_t stop_after; /* pieces; 0: never */
    size_t n_pieces;
    bool wrong;        /* a piece was empty, not UTF-8, or thinking after the answer */
} watched;

static bool watch(void *ctx, r1_part part, const char *text, size_t n)
{
    watched *w = ctx;
    if (!n || !r1_utf8_is_valid(text, n, NULL) || (part == R1_PART_THINKING && w->part[R1_PART_ANSWER].n)) w->wrong = true;
    append(&w->part[part], text, n);
    return ++w->n_pieces != w->stop_after;
}

static const int32_t start_ids[] = { SMALL_USER, 'h', 'i', SMALL_ASSISTANT };
#define MAX_IDS 8192

/* A run and what it made. */
typedef struct runner {
    r1_tokenizer *t, *own;
    r1_reasoning *r;
    watched w;
    int32_t ids[MAX_IDS];   /* accepted, forced ones included */
    bool forced[MAX_IDS];
    size_t n;
} runner;

static void run_with(runner *u, r1_tokenizer *t, const int32_t *prompt, size_t n, const r1_reasoning_options *o)
{
    r1_error e = { 0 };
    r1_reasoning_options with = *o;
    u->t = t;
    u->own = NULL;
    u->n = 0;
    u->w = (watched){ 0 };
    u->w.part[0] = text_of("", 0);
    u->w.part[1] = text_of("", 0);
    with.on_text = watch;
    with.ctx = &u->w;
    EXPECT_OK(r1_reasoning_new(&u->r, u->t, prompt, n, &with, &e), &e);
}

static void run_open(runner *u, small_kind kind, const int32_t *prompt, size_t n, const r1_reasoning_options *o)
{
    r1_tokenizer *t = small_vocab(kind);
    run_with(u, t, prompt, n, o);
    u->own = t;
}

static void run_close(runner *u)
{
    r1_reasoning_free(u->r);
    r1_tokenizer_free(u->own);
    free(u->w.part[0].p);
    free(u->w.part[1].p);
}

/* One token, sampled unless another is forced. Returns whether it was forced. */
static bool run_token(runner *u, int32_t sampled)
{
    r1_error e = { 0 };
    int32_t forced = r1_reasoning_forced(u->r);
    EXPECT_INT(r1_reasoning_forced(u->r), forced);
    u->ids[u->n] = forced >= 0 ? forced : sampled;
    u->forced[u->n++] = forced >= 0;
    EXPECT(u->n < MAX_IDS);
    EXPECT_OK(r1_reasoning_accept(u->r, u->ids[u->n - 1], &e), &e);
    return forced >= 0;
}

/* Each sampled token in turn; forced ones come between. Ends with the end. */
static void run_ids(runner *u, const int32_t *ids, size_t n)
{
    for (size_t i = 0; i < n && !r1_reasoning_done(u->r);) i += !run_token(u, ids[i]);
}

/* Text as byte tokens; tags spelled out become their ids where there are, '@' the end of turn. */
static void run_text(runner *u, const char *text)
{
    bool ids = r1_tokenizer_find(u->t, "<think>", 7) >= 0;
    while (*text && !r1_reasoning_done(u->r)) {
        int32_t id = (unsigned char)*text;
        size_t n = 1;
        if (ids && !strncmp(text, "<think>", n = 7)) id = SMALL_OPEN;
        else if (ids && !strncmp(text, "</think>", n = 8)) id = SMALL_CLOSE;
        else if (n = 1, *text == '@') id = SMALL_END;
        if (!run_token(u, id)) text += n;
    }
}

static void run_finish(runner *u)
{
    r1_error e = { 0 };
    for (int twice = 0; twice < 2; twice++) EXPECT_OK(r1_reasoning_finish(u->r, &e), &e);
    EXPECT(!u->w.wrong);
    EXPECT_INT(r1_reasoning_forced(u->r), -1);
    for (int part = 0; part < 2; part++) {
        const r1_buf *b = r1_reasoning_text(u->r, (r1_part)part);
        EXPECT_INT(b->len, u->w.part[part].n);
        EXPECT(!b->len || !memcmp(b->data, u->w.part[part].p, b->len));
    }
}

static void expect_parts(runner *u, const char *thinking, const char *answer)
{
    run_finish(u);
    EXPECT_STR(u->w.part[R1_PART_THINKING].p, thinking);
    EXPECT_STR(u->w.part[R1_PART_ANSWER].p, answer);
}

/* The whole life of a run of text. */
static void expect_text(small_kind kind, const int32_t *prompt, size_t n, const char *text, const char *thinking, const char *answer)
{
    static runner u;
    r1_reasoning_options o = { .think_budget = -1 };
    run_open(&u, kind, prompt, n, &o);
    run_text(&u, text);
    expect_parts(&u, thinking, answer);
    run_close(&u);
}

/* ---- the property ---------------------------------------------------------------------------------------------- */

static size_t random_stream(int32_t *ids, uint64_t *rng)
{
    size_t n = test_random(rng) % 60;
    for (size_t i = 0; i < n; i++) {
        switch (test_random(rng) % 10) {
        case 0: ids[i] = SMALL_OPEN; break;
        case 1: ids[i] = SMALL_CLOSE; break;
        case 2: ids[i] = (int32_t)(test_random(rng) % SMALL_SIZE); break;
        case 3: case 4: ids[i] = (int32_t)(unsigned char)" \nab<>/thinkSTOP"[test_random(rng) % 16]; break;
        default: ids[i] = SMALL_WORDS + (int32_t)(test_random(rng) % R1_COUNT(small_words));
        }
        if (ids[i] == SMALL_END && test_random(rng) % 4) ids[i] = ' ';
    }
    return n;
}

/* The same bytes as one token each. */
static size_t cut_small(const r1_tokenizer *t, const int32_t *ids, size_t n, int32_t *out)
{
    size_t m = 0;
    for (size_t i = 0; i < n; i++) {
        size_t bytes;
        const char *p = r1_token_bytes(t, ids[i], &bytes);
        if (ids[i] >= SMALL_USER || !p) out[m++] = ids[i];
        else
            for (size_t k = 0; k < bytes; k++) out[m++] = (unsigned char)p[k];
    }
    return m;
}

static void expect_result(runner *u, const result *want, const char *how, size_t round)
{
    run_finish(u);
    for (int part = 0; part < 2; part++) {
        const str *w = part == R1_PART_THINKING ? &want->thinking : &want->answer, *got = &u->w.part[part];
        EXPECT_MSG(got->n == w->n && !memcmp(got->p, w->p, w->n), "stream %zu, %s: the %s is '%s', expected '%s'", round, how,
                   part == R1_PART_THINKING ? "thinking" : "answer", got->p, w->p);
    }
    EXPECT_INT(r1_reasoning_done(u->r), want->end);
}

TEST(random_streams_agree_with_the_oracle_however_they_are_cut)
{
    static const char *const stops[] = { "ab", "bab", "STOP", "\xC3\xA9", "\n\n", "TOPa", "aaba", "\xE2\x82\xAC", "b b", " \n", "aab", "hello" };
    static runner u, v;
    r1_tokenizer *vocabs[SMALL_KINDS];
    for (int kind = 0; kind < SMALL_KINDS; kind++) vocabs[kind] = small_vocab((small_kind)kind);
    uint64_t rng = test_seed() | 1;
    size_t n_stopped = 0, n_thought = 0, n_both = 0;
    for (size_t round = 0; round < 10000; round++) {
        small_kind kind = (small_kind)(test_random(&rng) % SMALL_KINDS);
        int32_t ids[60], small[1200], prompt[R1_COUNT(start_ids) + 16];
        size_t n = random_stream(ids, &rng), n_prompt = R1_COUNT(start_ids);
        const char *stop[4];
        r1_reasoning_options o = { .think_budget = -1, .no_loop_guard = true, .stop = stop, .n_stop = test_random(&rng) % 5 };
        for (size_t i = 0; i < o.n_stop; i++) stop[i] = stops[test_random(&rng) % R1_COUNT(stops)];
        bool thinking = test_random(&rng) & 1;
        memcpy(prompt, start_ids, sizeof start_ids);
        if (thinking && kind == SMALL_NO_TAGS)
            for (const char *c = "<think>\n"; *c; c++) prompt[n_prompt++] = *c;
        else if (thinking) prompt[n_prompt++] = SMALL_OPEN, prompt[n_prompt++] = '\n';
        run_with(&u, vocabs[kind], prompt, n_prompt, &o);
        result want = (kind == SMALL_NO_TAGS ? oracle_of_text : oracle_of_ids)(u.t, ids, n, thinking, stop, o.n_stop);
        run_ids(&u, ids, n);
        expect_result(&u, &want, "as it is", round);
        run_with(&v, vocabs[kind], prompt, n_prompt, &o);
        run_ids(&v, small, cut_small(v.t, ids, n, small));
        expect_result(&v, &want, "cut into bytes", round);
        for (int part = 0; kind == SMALL_NO_TAGS && part < 2; part++)
            EXPECT(!strstr(u.w.part[part].p, "<think>") && !strstr(u.w.part[part].p, "</think>"));
        n_stopped += want.end == R1_END_STOP_STRING;
        n_thought += want.thinking.n > 0;
        n_both += want.thinking.n && want.answer.n;
        result_free(&want);
        run_close(&u);
        run_close(&v);
    }
    for (int kind = 0; kind < SMALL_KINDS; kind++) r1_tokenizer_free(vocabs[kind]);
    EXPECT_MSG(n_stopped > 500 && n_thought > 3000 && n_both > 1000, "%zu stopped, %zu thought, %zu both", n_stopped, n_thought, n_both);
}

/* ---- parts ----------------------------------------------------------------------------------------------------- */

#define PROMPT(...) (const int32_t[]){ __VA_ARGS__ }, sizeof((const int32_t[]){ __VA_ARGS__ }) / sizeof(int32_t)
#define FRESH PROMPT(SMALL_USER, 'h', 'i', SMALL_ASSISTANT)
#define INSIDE PROMPT(SMALL_USER, 'h', 'i', SMALL_ASSISTANT, SMALL_OPEN, '\n')

TEST(a_thought_and_an_answer_are_told_apart)
{
    static const struct { const char *text, *thinking, *answer; } fresh[] = {
        { "<think>\nI see.\n</think>\n\nYes.@", "I see.", "Yes." },
        { "Yes.@", "", "Yes." },
        { " \n Yes.\n@", "", "Yes.\n" },
        { "<think>\n\n</think>\n\nYes.", "", "Yes." },
        { "<think></think>Yes.", "", "Yes." },
        { "</think>Yes.", "", "Yes." },
        { "\n<think>a  b\n\nc \n", "a  b\n\nc \n", "" },
        { "<think> \n", "", "" },
        { "<think>a<think>b</think>c", "ab", "c" },
        { "<think>a</think> \n<think> b </think>c", "a\n\nb", "c" },
        { "<think>a</think></think>c", "a", "c" },
        { "<think>a</think>b <think>c</think> d", "a", "b c d" },
        { "a</think>b", "", "ab" },
        { "", "", "" },
    };
    for (int kind = 0; kind < SMALL_KINDS; kind++)
        for (size_t i = 0; i < R1_COUNT(fresh); i++) expect_text((small_kind)kind, FRESH, fresh[i].text, fresh[i].thinking, fresh[i].answer);
    for (int kind = 0; kind < SMALL_NO_TAGS; kind++) {
        expect_text((small_kind)kind, INSIDE, "I see.\n</think>\n\nYes.@", "I see.", "Yes.");
        expect_text((small_kind)kind, INSIDE, "<think>\nI see.</think>Yes.@", "I see.", "Yes.");
        expect_text((small_kind)kind, INSIDE, "I see. @", "I see. ", "");
    }
    expect_text(SMALL_NO_TAGS, PROMPT(SMALL_ASSISTANT, '<', 't', 'h', 'i', 'n', 'k', '>'), "I</think>Y", "I", "Y");
}

TEST(the_prompt_says_where_it_begins)
{
    /* a closed block: the answer */
    expect_text(SMALL_TAGS, PROMPT(SMALL_ASSISTANT, SMALL_OPEN, '\n', SMALL_CLOSE, '\n'), "\na</think>b", "", "ab");
    expect_text(SMALL_TAGS, PROMPT(SMALL_ASSISTANT, SMALL_OPEN, '\n', SMALL_CLOSE, '\n'), "<think>a</think>b", "a", "b");
    /* text that is continued: as it is */
    expect_text(SMALL_TAGS, PROMPT(SMALL_ASSISTANT, SMALL_CLOSE, 'a'), "\n<think>b", "", "\nb");
    expect_text(SMALL_TAGS, PROMPT(SMALL_ASSISTANT, SMALL_OPEN, 'a'), "\nb\n</think>\nc", "\nb", "c");
    expect_text(SMALL_TAGS, PROMPT(SMALL_ASSISTANT, 'S', 'o', ','), " a", "", " a");
    expect_text(SMALL_TAGS, PROMPT(SMALL_ASSISTANT, 'S', 'o', ','), "<think>a</think>\nb", "a", "b");
    expect_text(SMALL_TAGS, PROMPT(SMALL_ASSISTANT, SMALL_WORDS + 27, '\n'), "\na", "", "a"); /* "assistant" */
    /* only the turn counts */
    expect_text(SMALL_TAGS, PROMPT(SMALL_ASSISTANT, SMALL_OPEN, 'a', SMALL_USER, 'b', SMALL_ASSISTANT), "c", "", "c");
    expect_text(SMALL_NO_TAGS, PROMPT(SMALL_USER, '<', 't', 'h', 'i', 'n', 'k', '>', SMALL_ASSISTANT), "c", "", "c");
    expect_text(SMALL_NO_TAGS, PROMPT('<', 't', 'h', 'i', 'n', 'k', '>', 'a'), " c</think>d", " c", "d");
    expect_text(SMALL_NO_TAGS, PROMPT('<', 't', 'h', 'i', 'n', 'k', '>', '<', '/', 't', 'h', 'i', 'n', 'k', '>'), " c", "", "c");
    /* ids of no token, and nothing */
    expect_text(SMALL_TAGS, PROMPT(-5, 100000, SMALL_OPEN, 100000), "c", "c", "");
    expect_text(SMALL_TAGS, NULL, 0, " c", "", "c");
}

TEST(tags_of_other_tokens_are_text_where_there_are_ids)
{
    static runner u;
    r1_reasoning_options o = { .think_budget = -1 };
    int32_t ids[] = { SMALL_WORDS + 15, 'a', SMALL_WORDS + 16, SMALL_OPEN, 'b' };
    run_open(&u, SMALL_TAGS, start_ids, R1_COUNT(start_ids), &o);
    run_ids(&u, ids, R1_COUNT(ids));
    expect_parts(&u, "", "<think>a</think>b");
    run_close(&u);
}

TEST(off_means_everything_is_answer)
{
    for (int kind = 0; kind < SMALL_KINDS; kind++) {
        static runner u;
        r1_reasoning_options o = { .off = true, .think_budget = 0 };
        run_open(&u, (small_kind)kind, INSIDE, &o);
        run_text(&u, "\n<think>a\n</think>\n\nb@c");
        expect_parts(&u, "", "\n<think>a\n</think>\n\nb");
        EXPECT_INT(r1_reasoning_done(u.r), R1_END_EOG);
        EXPECT_INT(r1_reasoning_thinking_tokens(u.r), 0);
        run_close(&u);
    }
}

TEST(the_end_token_ends_unless_it_is_ignored)
{
    static runner u;
    r1_reasoning_options o = { .think_budget = -1, .ignore_eos = true };
    int32_t ids[] = { 'a', SMALL_END, 0xC3, SMALL_END, 0xA9, SMALL_USER, 'b', 0xE2 };
    run_open(&u, SMALL_TAGS, start_ids, R1_COUNT(start_ids), &o);
    run_ids(&u, ids, R1_COUNT(ids));
    EXPECT_INT(r1_reasoning_done(u.r), R1_END_NONE);
    expect_parts(&u, "", "a\xC3\xA9" "b\xEF\xBF\xBD");
    run_close(&u);
    o.ignore_eos = false;
    run_open(&u, SMALL_TAGS, start_ids, R1_COUNT(start_ids), &o);
    run_ids(&u, ids, 2);
    EXPECT_INT(r1_reasoning_done(u.r), R1_END_EOG);
    run_token(&u, 'x'); /* ignored */
    expect_parts(&u, "", "a");
    run_token(&u, 'x');
    EXPECT_STR(r1_reasoning_text(u.r, R1_PART_ANSWER)->data, "a");
    run_close(&u);
}

TEST(text_can_be_cancelled)
{
    static runner u;
    r1_error e = { 0 };
    r1_reasoning_options o = { .think_budget = -1 };
    run_open(&u, SMALL_TAGS, start_ids, R1_COUNT(start_ids), &o);
    u.w.stop_after = 2;
    EXPECT_OK(r1_reasoning_accept(u.r, 'a', &e), &e);
    EXPECT_STATUS(r1_reasoning_accept(u.r, 'b', &e), R1_ECANCELLED);
    EXPECT_OK(r1_reasoning_accept(u.r, 'c', &e), &e); /* not told of any more */
    EXPECT_OK(r1_reasoning_finish(u.r, &e), &e);
    EXPECT_STR(u.w.part[R1_PART_ANSWER].p, "ab");
    EXPECT_STR(r1_reasoning_text(u.r, R1_PART_ANSWER)->data, "abc");
    run_close(&u);
}

/* ---- stop strings ---------------------------------------------------------------------------------------------- */

static void expect_stop(const char *const *stop, size_t n_stop, const char *text, const char *answer, bool stops)
{
    static runner u;
    r1_reasoning_options o = { .think_budget = -1, .stop = stop, .n_stop = n_stop };
    run_open(&u, SMALL_TAGS, INSIDE, &o);
    run_text(&u, text);
    EXPECT_INT(r1_reasoning_done(u.r), stops ? R1_END_STOP_STRING : R1_END_NONE);
    run_finish(&u);
    EXPECT_STR(u.w.part[R1_PART_ANSWER].p, answer);
    run_close(&u);
}

TEST(stop_strings_end_the_answer_only)
{
    static const char *const two[] = { "\n\n", "END" }, *const nested[] = { "abcd", "bc" }, *const same[] = { "c", "abc" }, *const self[] = { "aab" };
    expect_stop(two, 2, "END\n\nx</think>\n\nyes EN D\nEND no", "yes EN D\n", true);
    expect_stop(two, 2, "</think>\n\nyes\n\nno", "yes", true);
    expect_stop(two, 2, "</think>\n\nyes\nEN", "yes\nEN", false);
    expect_stop(nested, 2, "</think>xabcd", "xa", true);
    expect_stop(nested, 2, "</think>xabab", "xabab", false);
    expect_stop(same, 2, "</think>xabc", "x", true);
    expect_stop(self, 1, "</think>aaaaab", "aaa", true);
    expect_stop(self, 1, "</think>aaaaa", "aaaaa", false);
}

TEST(wrong_stop_strings_are_named)
{
    char longest[R1_STOP_BYTES_MAX + 2];
    memset(longest, 'x', sizeof longest);
    longest[sizeof longest - 1] = 0;
    const char *empty[] = { "a", "" }, *too_long[] = { longest }, *broken[] = { "a\xFF" }, *many[R1_STOP_MAX + 1];
    for (size_t i = 0; i < R1_COUNT(many); i++) many[i] = "a";
    const struct { const char **stop; size_t n; const char *says; } cases[] = {
        { empty, 2, "stop string 2 is empty" }, { too_long, 1, "stop string 1 has more than 256 bytes" },
        { broken, 1, "stop string 1 is not UTF-8 at byte 1" }, { many, R1_COUNT(many), "17 stop strings, expected at most 16" },
    };
    r1_tokenizer *t = small_vocab(SMALL_TAGS);
    r1_error e = { 0 };
    for (size_t i = 0; i < R1_COUNT(cases); i++) {
        r1_reasoning *r;
        r1_reasoning_options o = { .think_budget = -1, .stop = cases[i].stop, .n_stop = cases[i].n };
        EXPECT_STATUS(r1_reasoning_new(&r, t, NULL, 0, &o, &e), R1_EINVAL);
        EXPECT_CONTAINS(e.msg, cases[i].says);
        EXPECT_NULL(r);
    }
    longest[R1_STOP_BYTES_MAX] = 0;
    r1_reasoning *r;
    r1_reasoning_options o = { .think_budget = -1, .stop = too_long, .n_stop = 1 };
    EXPECT_OK(r1_reasoning_new(&r, t, NULL, 0, &o, &e), &e);
    r1_reasoning_free(r);
    r1_reasoning_free(NULL);
    r1_tokenizer_free(t);
}

/* ---- budget ---------------------------------------------------------------------------------------------------- */

static const char notice[] = "I have to answer now."; /* with its line breaks 24 tokens of the small vocabulary */

/* A model that thinks "o" without end and answers "yes" once it is made to. */
static void think_on(runner *u, size_t tokens)
{
    static const char yes[] = "yes@";
    size_t at = 0;
    for (size_t i = 0; i < tokens && !r1_reasoning_done(u->r); i++)
        if (!run_token(u, r1_reasoning_part(u->r) == R1_PART_THINKING ? 'o' : yes[at] == '@' ? SMALL_END : yes[at])) at += r1_reasoning_part(u->r) == R1_PART_ANSWER;
}

TEST(a_spent_budget_closes_the_thought_and_the_answer_comes)
{
    static const long budgets[] = { 0, 1, 2, 16, 47, 48, 49, 60, 100, 500, 5000 };
    for (int kind = 0; kind < SMALL_KINDS; kind++)
        for (size_t i = 0; i < R1_COUNT(budgets); i++) {
            static runner u;
            size_t budget = (size_t)budgets[i], n_notices = 0;
            r1_reasoning_options o = { .think_budget = budgets[i], .no_loop_guard = true };
            int32_t prompt[] = { SMALL_ASSISTANT, '<', 't', 'h', 'i', 'n', 'k', '>', '\n' }, with_id[] = { SMALL_ASSISTANT, SMALL_OPEN, '\n' };
            if (kind == SMALL_NO_TAGS) run_open(&u, SMALL_NO_TAGS, prompt, R1_COUNT(prompt), &o);
            else run_open(&u, (small_kind)kind, with_id, R1_COUNT(with_id), &o);
            think_on(&u, budget + 60);
            EXPECT(r1_reasoning_budget_closed(u.r) && !r1_reasoning_loop_closed(u.r));
            EXPECT_INT(r1_reasoning_thinking_tokens(u.r), budget);
            EXPECT_INT(r1_reasoning_done(u.r), R1_END_EOG);
            run_finish(&u);
            EXPECT_STR(u.w.part[R1_PART_ANSWER].p, "yes");
            const char *text = u.w.part[R1_PART_THINKING].p;
            for (const char *at = text; (at = strstr(at, notice)); at++) n_notices++;
            EXPECT_INT(n_notices, budget >= 48);
            if (n_notices) { /* something is left to end the thought with */
                size_t room = budget / 8 < 32 ? budget / 8 : 32;
                EXPECT_INT(strlen(strstr(text, notice)), strlen(notice) + (room ? 1 + room : 0));
                EXPECT_INT(strstr(text, notice) - text, budget - 24 - room + 2);
            } else {
                EXPECT_INT(strlen(text), budget);
            }
            run_close(&u);
        }
}

TEST(what_is_forced_are_these_ids)
{
    static runner u;
    r1_reasoning_options o = { .think_budget = 2 };
    static const int32_t want[] = { 'o', 'o', '\n', SMALL_CLOSE, '\n', '\n', 'y', 'e', 's', SMALL_END };
    run_open(&u, SMALL_TAGS, INSIDE, &o);
    think_on(&u, 100);
    EXPECT_INT(u.n, R1_COUNT(want));
    for (size_t i = 0; i < u.n; i++) {
        EXPECT_INT(u.ids[i], want[i]);
        EXPECT_INT(u.forced[i], i >= 2 && i < 6);
    }
    run_close(&u);
}

TEST(a_budget_acts_only_in_thinking)
{
    static runner u;
    r1_reasoning_options o = { .think_budget = 3 };
    run_open(&u, SMALL_TAGS, FRESH, &o);
    run_text(&u, "a long answer@");
    EXPECT(!r1_reasoning_budget_closed(u.r));
    expect_parts(&u, "", "a long answer");
    run_close(&u);
    run_open(&u, SMALL_TAGS, FRESH, &o); /* the model closes by itself, thinks again, and is then stopped */
    run_text(&u, "<think>ab</think>\n<think>cde");
    EXPECT(r1_reasoning_budget_closed(u.r));
    run_text(&u, "<think>no</think> more@");
    expect_parts(&u, "ab\n\nc", "deno more");
    run_close(&u);
    o.think_budget = 0;
    run_open(&u, SMALL_TAGS, FRESH, &o);
    run_text(&u, "<think><think>yes</think>!@");
    expect_parts(&u, "", "yes!");
    EXPECT_INT(r1_reasoning_thinking_tokens(u.r), 0);
    run_close(&u);
}

TEST(a_budget_does_not_cut_characters)
{
    static runner u;
    r1_reasoning_options o = { .think_budget = 2 };
    static const int32_t smile[] = { 'a', 0xF0, 0x9F, 0x98, 0x80, 'b' }, never[] = { 'a', 0xF0, 0xF0, 0xF0, 0xF0, 0xF0, 0xF0, 0xF0, 'b' };
    run_open(&u, SMALL_TAGS, INSIDE, &o);
    run_ids(&u, smile, R1_COUNT(smile));
    expect_parts(&u, "a\xF0\x9F\x98\x80", "b");
    run_close(&u);
    run_open(&u, SMALL_TAGS, INSIDE, &o);
    run_ids(&u, never, R1_COUNT(never));
    EXPECT_INT(r1_reasoning_thinking_tokens(u.r), 6);
    EXPECT_INT(r1_reasoning_part(u.r), R1_PART_ANSWER);
    run_close(&u);
}

TEST(a_vocabulary_that_cannot_spell_the_tag_is_closed_too)
{
    static const r1_slice tokens[] = { { "a", 1 }, { "b", 1 }, { "t", 1 } };
    for (size_t n_tokens = 2; n_tokens <= 3; n_tokens++) { /* nothing of the tag, and one letter of it */
        r1_vocab vocab = { .tokens = tokens, .n_tokens = n_tokens, .pre = "gpt-2", .bos = -1, .eos = -1, .eot = -1, .pad = -1 };
        r1_tokenizer *t;
        r1_reasoning *r;
        r1_error e = { 0 };
        r1_reasoning_options o = { .think_budget = 3 };
        EXPECT_OK(r1_tokenizer_from_vocab(&t, &vocab, &e), &e);
        EXPECT_OK(r1_reasoning_new(&r, t, NULL, 0, &o, &e), &e);
        r1_reasoning_free(r);
        r1_tokenizer_free(t);
    }
    /* a vocabulary that reads the tag in one token but cannot write "think" */
    static const r1_slice odd[] = { { "<think>", 7 }, { "a", 1 }, { "<", 1 } };
    r1_vocab vocab = { .tokens = odd, .n_tokens = 3, .pre = "gpt-2", .bos = -1, .eos = -1, .eot = -1, .pad = -1 };
    for (vocab.n_tokens = 2; vocab.n_tokens <= 3; vocab.n_tokens++) {
        r1_tokenizer *t;
        r1_reasoning *r;
        r1_error e = { 0 };
        r1_reasoning_options o = { .think_budget = 3 };
        int32_t prompt[] = { 0 };
        EXPECT_OK(r1_tokenizer_from_vocab(&t, &vocab, &e), &e);
        EXPECT_OK(r1_reasoning_new(&r, t, prompt, 1, &o, &e), &e);
        EXPECT_INT(r1_reasoning_part(r), R1_PART_THINKING);
        for (size_t i = 0; i < 10; i++) {
            int32_t forced = r1_reasoning_forced(r);
            EXPECT(forced < 0 || i >= 3);
            EXPECT_OK(r1_reasoning_accept(r, forced >= 0 ? forced : 1, &e), &e);
        }
        EXPECT_OK(r1_reasoning_finish(r, &e), &e);
        EXPECT_INT(r1_reasoning_part(r), R1_PART_ANSWER);
        EXPECT(r1_reasoning_budget_closed(r));
        EXPECT(r1_reasoning_text(r, R1_PART_ANSWER)->len >= 6);
        r1_reasoning_free(r);
        r1_tokenizer_free(t);
    }
}

/* ---- loops ----------------------------------------------------------------------------------------------------- */

/* Tokens of part until the guard sees a loop, at most `most`; ids are block[0..p) again and again, `different` of them apart. */
static size_t tokens_to_loop(size_t p, size_t different, r1_part part, size_t most)
{
    static r1_loop l;
    memset(&l, 0, sizeof l);
    for (int32_t i = 0; i < 300; i++) EXPECT(!r1_loop_add(&l, 100000 + i, part)); /* whatever came before */
    for (size_t i = 0; i < most; i++)
        if (r1_loop_add(&l, (int32_t)(i % p % different), part)) return i + 1;
    return 0;
}

TEST(loops_are_seen_when_they_are_long_enough)
{
    const r1_part T = R1_PART_THINKING, A = R1_PART_ANSWER;
    const struct { size_t p, different; r1_part part; size_t at; } cases[] = {
        { 1, 1, T, 1024 }, { 1, 1, A, 4096 }, { 8, 8, T, 1024 }, { 8, 8, A, 4096 },   /* rulers, tables */
        { 9, 9, T, 256 }, { 9, 9, A, 1024 }, { 20, 20, T, 256 }, { 32, 15, T, 256 },  /* sentences */
        { 33, 33, T, 264 }, { 100, 60, T, 800 }, { 100, 60, A, 1024 }, { 256, 200, T, 2048 }, { 256, 200, A, 2048 },
        { 257, 257, T, 0 }, { 100, 5, T, 1024 },
    };
    for (size_t i = 0; i < R1_COUNT(cases); i++) {
        size_t at = tokens_to_loop(cases[i].p, cases[i].different, cases[i].part, 6000);
        EXPECT_MSG(at == cases[i].at, "period %zu with %zu different: at %zu, expected %zu", cases[i].p, cases[i].different, at, cases[i].at);
    }
}

TEST(what_is_no_loop_is_left_alone)
{
    static r1_loop l;
    uint64_t rng = test_seed() | 1;
    memset(&l, 0, sizeof l);
    for (int row = 0; row < 30; row++) { /* a matrix of zeros of 30 by 15 */
        for (int i = 0; i < 30; i++) EXPECT(!r1_loop_add(&l, i & 1 ? ' ' : '0', R1_PART_THINKING));
        EXPECT(!r1_loop_add(&l, '\n', R1_PART_THINKING));
    }
    memset(&l, 0, sizeof l);
    for (int line = 0; line < 400; line++) /* a list that counts */
        for (int i = 0; i < 12; i++) EXPECT(!r1_loop_add(&l, i == 3 ? 1000 + line : i, R1_PART_THINKING));
    memset(&l, 0, sizeof l);
    for (int i = 0; i < 20000; i++) EXPECT(!r1_loop_add(&l, (int32_t)(test_random(&rng) % 3), R1_PART_THINKING));
    memset(&l, 0, sizeof l);
    for (int times = 0; times < 7; times++) /* seven times the same paragraph */
        for (int i = 0; i < 200; i++) EXPECT(!r1_loop_add(&l, i, R1_PART_THINKING));
}

TEST(a_loop_closes_the_thought_and_ends_the_answer)
{
    static const char sentence[] = "Wait, let me check that again. ";
    static runner u;
    r1_reasoning_options o = { .think_budget = -1 };
    for (int pass = 0; pass < 2; pass++) {
        o.no_loop_guard = pass == 1;
        run_open(&u, SMALL_TAGS, INSIDE, &o);
        for (int i = 0; i < 20 && r1_reasoning_part(u.r) == R1_PART_THINKING; i++) run_text(&u, sentence);
        EXPECT_INT(r1_reasoning_loop_closed(u.r), pass == 0);
        EXPECT(!r1_reasoning_budget_closed(u.r));
        EXPECT_INT(r1_reasoning_part(u.r), pass == 0 ? R1_PART_ANSWER : R1_PART_THINKING);
        run_text(&u, "</think>");
        for (int i = 0; i < 100 && !r1_reasoning_done(u.r); i++) run_text(&u, sentence);
        EXPECT_INT(r1_reasoning_done(u.r), pass == 0 ? R1_END_LOOP : R1_END_NONE);
        run_finish(&u);
        if (pass == 0) EXPECT(u.w.part[R1_PART_ANSWER].n >= 1000 && u.w.part[R1_PART_ANSWER].n < 1100);
        run_close(&u);
    }
}

TEST(thoughts_without_end_are_a_loop)
{
    static runner u;
    r1_reasoning_options o = { .think_budget = -1 };
    run_open(&u, SMALL_TAGS, FRESH, &o);
    for (int i = 0; i < 4000 && !r1_reasoning_done(u.r); i++) run_text(&u, "<think></think>");
    EXPECT_INT(r1_reasoning_done(u.r), R1_END_LOOP);
    expect_parts(&u, "", "");
    run_close(&u);
}

TEST(a_loop_the_model_ends_itself_is_forgotten)
{
    static runner u;
    r1_error e = { 0 };
    r1_reasoning_options o = { .think_budget = -1 };
    run_open(&u, SMALL_TAGS, INSIDE, &o);
    for (int i = 0; i < 256; i++) EXPECT_OK(r1_reasoning_accept(u.r, 'a' + i % 16, &e), &e); /* without asking */
    EXPECT_OK(r1_reasoning_accept(u.r, SMALL_CLOSE, &e), &e);
    EXPECT_OK(r1_reasoning_accept(u.r, SMALL_OPEN, &e), &e);
    EXPECT_INT(r1_reasoning_forced(u.r), -1);
    EXPECT(!r1_reasoning_loop_closed(u.r));
    run_close(&u);
}

TEST(ignored_ends_are_no_loop)
{
    static runner u;
    r1_error e = { 0 };
    r1_reasoning_options o = { .think_budget = -1, .ignore_eos = true };
    run_open(&u, SMALL_TAGS, FRESH, &o);
    for (int i = 0; i < 5000; i++) EXPECT_OK(r1_reasoning_accept(u.r, SMALL_END, &e), &e);
    EXPECT_INT(r1_reasoning_done(u.r), R1_END_NONE);
    run_close(&u);
}

/* ---- limits ---------------------------------------------------------------------------------------------------- */

TEST(a_part_has_a_limit)
{
    enum { BIG = 60000 };
    char *big = malloc(BIG);
    memset(big, 'x', BIG);
    r1_slice tokens[] = { { "a", 1 }, { big, BIG } };
    r1_vocab vocab = { .tokens = tokens, .n_tokens = 2, .pre = "gpt-2", .bos = -1, .eos = -1, .eot = -1, .pad = -1 };
    r1_tokenizer *t;
    r1_reasoning *r;
    r1_error e = { 0 };
    r1_reasoning_options o = { .think_budget = -1, .no_loop_guard = true };
    EXPECT_OK(r1_tokenizer_from_vocab(&t, &vocab, &e), &e);
    EXPECT_OK(r1_reasoning_new(&r, t, NULL, 0, &o, &e), &e);
    for (size_t i = 0; i < R1_PART_BYTES_MAX / BIG; i++) EXPECT_OK(r1_reasoning_accept(r, 1, &e), &e);
    EXPECT_STATUS(r1_reasoning_accept(r, 1, &e), R1_ELIMIT);
    EXPECT_CONTAINS(e.msg, "the answer: ");
    r1_reasoning_free(r);
    r1_tokenizer_free(t);
    free(big);
}
