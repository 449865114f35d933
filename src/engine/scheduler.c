/* Many generations in common batch steps. The contract is in r1/r1.h; each generation is a sequence (sequence.h).
 *
 * A job waits in a queue, runs, and ends. A step is made of one row for each running job: the token it chose last (and guesses
 * behind it), or a piece of its prompt; pieces share what a chunk has left over, those begun first first. So an answer that is
 * being written waits for one chunk at most, however long the prompts are that are read beside it. When the step has run, the
 * pool's threads choose the tokens, a job each, and callbacks are called on the caller's thread, job after job.
 *
 * Beginnings   A job that begins takes over the pages of the longest beginning its prompt has in common with a session that is
 *              there: a running one, or one of the last that ended, which are kept for this. One that could have more of it soon,
 *              because another job is just reading it, waits.
 * Memory       is a number of pages. A job begins when what running jobs are expected to need, and it itself, fits; what is
 *              expected is what answers took so far, for a limit of max_tokens is mostly far away. When they take more and pages
 *              run out, kept sessions go first and then the job begun last is put back to the head of the queue. The first one is
 *              never put back, and every job alone fits, so all come to an end.
 * Allocation   happens when a request comes, begins and ends. Steps between allocate nothing but text that grows.
 *
 * None of this can be seen in a result: rows of a step give the bits of single steps, whoever else is in it (docs/architecture.md).
 */
#include "engine/sequence.h"

#include <math.h>

enum {
    KEPT_MAX = 8,              /* ended sessions whose beginnings may serve again */
#ifdef R1_TINY
    SHARE_MIN = 1, WAIT_MIN = 2, EXPECTED = 8,
#else
    SHARE_MIN = 16,            /* tokens that are worth the copy of a page */
    WAIT_MIN = 32,             /* ... and worth waiting a step */
    EXPECTED = 512,            /* tokens of an answer, before any has ended */
#endif
    SCAN_MAX = 64,             /* waiting jobs that are looked at in a step */
    PIECE_MIN = 32             /* of a prompt, where tokens of answers fill the chunk */
};

typedef struct job {
    r1_sequence q;
    r1_generation out;
    r1_error err;
    r1_generate_options o;     /* stop and bias are ours */
    int32_t *prompt;
    size_t n_prompt, n_ctx;
    void (*on_done)(void *ctx, uint64_t ticket, r1_generation *g, r1_status status, const r1_error *err);
    uint64_t ticket;
    bool started, cancelled, in_step;
    struct job *next;          /* in a queue */
} job;

typedef struct queue { job *first, *last; size_t n; } queue;

struct r1_scheduler {
    r1_engine *e;
    size_t n_ctx, most_pages;  /* most_pages: of the pool, those of others included */
    queue waiting, ended;
    job **running;             /* [parallel], in the order in which they began */
    job **ready;               /* [parallel] */
    r1_batch_row *rows;        /* [parallel] */
    float *logits;             /* [n_logits, n_vocab] of one step */
    size_t n_logits, n_guesses;/* rows for guesses of one step that are left */
    r1_session *kept[KEPT_MAX];/* the one used last at the end */
    size_t n_kept;
    double typical;            /* tokens of an answer */
    uint64_t next_ticket;
    bool stepping;
    r1_scheduler_state state;  /* but n_waiting */
};

static size_t pages_of(size_t tokens) { return r1_ceil_div(tokens, R1_KV_PAGE); }

/* ---- queues, jobs ---------------------------------------------------------------------------------------------- */

static void push(queue *q, job *j)
{
    j->next = NULL;
    if (q->last) q->last->next = j;
    else q->first = j;
    q->last = j;
    q->n++;
}

static void push_front(queue *q, job *j)
{
    j->next = q->first;
    q->first = j;
    if (!q->last) q->last = j;
    q->n++;
}

/* Take out the job behind `before`, the first one when that is NULL. */
static job *take(queue *q, job *before)
{
    job *j = before ? before->next : q->first;
    if (!j) return NULL;
    if (before) before->next = j->next;
    else q->first = j->next;
    if (q->last == j) q->last = before;
    q->n--;
    return j;
}

static void job_free(job *j)
{
    if (!j) return;
    r1_sequence_abandon(&j->q);
    r1_session_close(j->q.s);
    r1_generation_deinit(&j->out);
    for (size_t i = 0; j->o.stop && i < j->o.n_stop; i++) free((void *)j->o.stop[i]);
    free((void *)j->o.stop);
    free((void *)j->o.sampling.bias);
    free(j->prompt);
    free(j);
}

static void *copy(const void *p, size_t n, size_t size)
{
    void *q = calloc(n ? n : 1, size);
    if (q && n) memcpy(q, p, n * size);
    return q;
}

static job *job_new(const r1_request *r)
{
    const r1_generate_options *o = &r->options;
    job *j = calloc(1, sizeof *j);
    if (!j) return NULL;
    j->on_done = r->on_done;
    j->o = *o;
    j->n_prompt = r->n_prompt;
    j->prompt = copy(r->prompt, r->n_prompt, sizeof *r->prompt);
    j->o.sampling.bias = copy(o->sampling.bias, o->sampling.n_bias, sizeof *o->sampling.bias);
    char **stop = calloc(o->n_stop ? o->n_stop : 1, sizeof *stop);
    j->o.stop = (const char *const *)stop;
    bool ok = j->prompt && j->o.sampling.bias && stop;
    for (size_t i = 0; ok && i < o->n_stop; i++) ok = (stop[i] = copy(o->stop[i], strlen(o->stop[i]) + 1, 1)) != NULL;
    if (ok) return j;
    job_free(j);
    return NULL;
}

/* ---- opening --------------------------------------------------------------------------------------------------- */

void r1_scheduler_close(r1_scheduler *s)
{
    if (!s) return;
    for (size_t i = 0; i < s->state.n_running; i++) job_free(s->running[i]);
    for (job *j; (j = take(&s->waiting, NULL));) job_free(j);
    for (job *j; (j = take(&s->ended, NULL));) job_free(j);
    for (size_t i = 0; i < s->n_kept; i++) r1_session_close(s->kept[i]);
    free(s->running);
    free(s->ready);
    free(s->rows);
    free(s->logits);
    free(s);
}

/* How many at once, and how many pages, from the memory there is. */
static void choose_sizes(r1_scheduler *s, const r1_scheduler_options *o)
{
    enum { VOCABULARY_BYTES = 24 }; /* of a running job for each row of logits: itself, and a sampler's scratch */
    const double share = 0.8;       /* of what is free; the rest is for text, and for other programs */
    const r1_kv_pool *pool = s->e->kv;
    double page = (double)r1_max(r1_kv_page_bytes(pool), 1), each = (double)r1_model_get_info(s->e->m)->n_vocab * VOCABULARY_BYTES;
    double available = fmin((double)r1_memory_available(), 0x1p45);
    size_t parallel = o->parallel ? o->parallel : R1_PARALLEL_USUAL;
    while (!o->parallel && parallel > 1 && (double)parallel * each > available / 4) parallel /= 2;
    double left = fmax(0, share * (available - (double)parallel * each));
    size_t n = o->kv_tokens ? pages_of(o->kv_tokens) : (size_t)(left / page);
    if (!o->parallel) parallel = r1_max(1, r1_min(parallel, n));
    s->state.parallel = parallel;
    s->state.kv_tokens = n * R1_KV_PAGE;
    s->most_pages = r1_kv_pool_used(pool) + n;
}

r1_status r1_scheduler_open(r1_scheduler **out, r1_engine *e, const r1_scheduler_options *options, r1_error *err)
{
    static const r1_scheduler_options defaults;
    *out = NULL;
    if (!options) options = &defaults;
    if (options->parallel > R1_PARALLEL_MAX)
        return r1_fail(err, R1_EINVAL, "%zu generations at once; expected at most %d", options->parallel, R1_PARALLEL_MAX);
    if (options->kv_tokens > (size_t)1 << 40) return r1_fail(err, R1_EINVAL, "keys and values of %zu tokens; expected at most 2^40", options->kv_tokens);
    r1_scheduler *s = calloc(1, sizeof *s);
    if (!s) return r1_fail(err, R1_ENOMEM, "no memory for a scheduler");
    s->e = e;
    s->n_ctx = options->n_ctx ? options->n_ctx : (size_t)r1_model_get_info(e->m)->n_ctx_train;
    s->typical = EXPECTED;
    s->next_ticket = 1;
    choose_sizes(s, options);
    size_t n = s->state.parallel;
    s->n_logits = n + R1_DRAFT_MAX;
    s->running = calloc(n, sizeof *s->running);
    s->ready = calloc(n, sizeof *s->ready);
    s->rows = calloc(n, sizeof *s->rows);
    s->logits = malloc(s->n_logits * (size_t)r1_model_get_info(e->m)->n_vocab * sizeof *s->logits);
    if (!s->running || !s->ready || !s->rows || !s->logits) {
        r1_scheduler_close(s);
        return r1_fail(err, R1_ENOMEM, "no memory for %zu generations at once", n);
    }
    *out = s;
    return R1_OK;
}

r1_scheduler_state r1_scheduler_get_state(const r1_scheduler *s)
{
    r1_scheduler_state state = s->state;
    state.n_waiting = s->waiting.n + s->ended.n;
    return state;
}

/* ---- requests -------------------------------------------------------------------------------------------------- */

static r1_status check_request(const r1_scheduler *s, const r1_request *r, size_t n_ctx, r1_error *err)
{
    if (r->n_prompt == 0) return r1_fail(err, R1_EINVAL, "the prompt is empty");
    if (r->n_prompt > s->n_ctx) return r1_fail(err, R1_ELIMIT, "a prompt of %zu tokens does not fit into a context of %zu", r->n_prompt, s->n_ctx);
    if (r->options.n_stop > R1_STOP_MAX) return r1_fail(err, R1_EINVAL, "%zu stop strings; expected at most %d", r->options.n_stop, R1_STOP_MAX);
    if (r->options.n_stop && !r->options.stop) return r1_fail(err, R1_EINVAL, "stop is NULL, expected %zu strings", r->options.n_stop);
    if (r->options.sampling.n_bias && !r->options.sampling.bias)
        return r1_fail(err, R1_EINVAL, "bias is NULL, expected %zu entries", r->options.sampling.n_bias);
    if (n_ctx > s->state.kv_tokens) {
        double token = (double)r1_kv_token_bytes(s->e->kv) / 1048576;
        return r1_fail(err, R1_ENOMEM, "a prompt of %zu tokens and an answer of up to %zu need %.1f MiB for keys and values, %.1f MiB is available; a lower limit of tokens, "
                       "or a smaller context, needs less", r->n_prompt, n_ctx - r->n_prompt + 1, (double)n_ctx * token, (double)s->state.kv_tokens * token);
    }
    return r1_engine_check(s->e, r->prompt, r->n_prompt, err);
}

r1_status r1_scheduler_submit(r1_scheduler *s, const r1_request *r, uint64_t *ticket, r1_error *err)
{
    if (ticket) *ticket = 0;
    size_t most = r->options.max_tokens, n_ctx = s->n_ctx;
    if (most && r->n_prompt <= s->n_ctx && most - 1 < s->n_ctx - r->n_prompt) n_ctx = r->n_prompt + most - 1; /* the last token is not run */
    r1_status st = check_request(s, r, n_ctx, err);
    if (st) return st;
    job *j = job_new(r);
    if (!j) return r1_fail(err, R1_ENOMEM, "no memory for a request of %zu tokens", r->n_prompt);
    j->n_ctx = n_ctx;
    j->ticket = s->next_ticket++;
    if (ticket) *ticket = j->ticket;
    s->state.n_prompt += r->n_prompt;
    push(&s->waiting, j);
    return R1_OK;
}

void r1_scheduler_cancel(r1_scheduler *s, uint64_t ticket)
{
    for (size_t i = 0; i < s->state.n_running; i++)
        if (!ticket || s->running[i]->ticket == ticket) s->running[i]->cancelled = true;
    for (job *j = s->waiting.first; j; j = j->next)
        if (!ticket || j->ticket == ticket) j->cancelled = true;
}

/* ---- beginnings that are there already ------------------------------------------------------------------------- */

static size_t common(const int32_t *a, size_t n_a, const int32_t *b, size_t n_b)
{
    size_t n = r1_min(n_a, n_b), i = 0;
    while (i < n && a[i] == b[i]) i++;
    return i;
}

/* What the job has to read. */
static const int32_t *ids_of(const job *j, size_t *n)
{
    *n = j->started ? j->q.n_to_read : j->n_prompt;
    return j->started ? j->q.read : j->prompt;
}

/* The session that has most of the beginning, and how much; at least one token is left to read. */
static size_t find_beginning(r1_scheduler *s, const job *j, const r1_session **from)
{
    size_t n, best = 0, kept = 0;
    const int32_t *ids = ids_of(j, &n);
    *from = NULL;
    for (size_t i = 0; i < s->state.n_running + s->n_kept; i++) {
        const r1_session *t = i < s->state.n_running ? s->running[i]->q.s : s->kept[i - s->state.n_running];
        size_t k = common(ids, n - 1, t->ids, t->n);
        if (k <= best) continue;
        best = k;
        *from = t;
        kept = i < s->state.n_running ? 0 : i - s->state.n_running + 1;
    }
    if (best < SHARE_MIN) return 0;
    if (kept) { /* used last */
        r1_session *t = s->kept[kept - 1];
        memmove(&s->kept[kept - 1], &s->kept[kept], (s->n_kept - kept) * sizeof(r1_session *));
        s->kept[s->n_kept - 1] = t;
    }
    return best;
}

/* Whether jobs that are being read will soon have much more of it than `now`. */
static bool worth_waiting(const r1_scheduler *s, const job *j, size_t now)
{
    size_t n;
    const int32_t *ids = ids_of(j, &n);
    for (size_t i = 0; i < s->state.n_running; i++) {
        const r1_sequence *q = &s->running[i]->q;
        if (q->state == R1_SEQUENCE_READING && common(ids, n - 1, q->read, q->n_to_read) >= now + WAIT_MIN) return true;
    }
    return false;
}

static bool forget_oldest(r1_scheduler *s)
{
    if (!s->n_kept) return false;
    r1_session_close(s->kept[0]);
    memmove(&s->kept[0], &s->kept[1], --s->n_kept * sizeof(r1_session *));
    return true;
}

/* Keep an ended job's session for its beginning, instead of one that has the same prompt. */
static void keep(r1_scheduler *s, job *j)
{
    r1_session *t = j->q.s;
    j->q.s = NULL;
    if (!t || t->n < SHARE_MIN) {
        r1_session_close(t);
        return;
    }
    for (size_t i = 0; i < s->n_kept; i++) {
        if (common(j->prompt, j->n_prompt, s->kept[i]->ids, s->kept[i]->n) < j->n_prompt) continue;
        r1_session_close(s->kept[i]);
        memmove(&s->kept[i], &s->kept[i + 1], (--s->n_kept - i) * sizeof(r1_session *));
        break;
    }
    if (s->n_kept == KEPT_MAX) (void)forget_oldest(s);
    s->kept[s->n_kept++] = t;
}

/* ---- memory ---------------------------------------------------------------------------------------------------- */

static size_t pages_used(const r1_scheduler *s) { return r1_kv_pool_used(s->e->kv); }

/* Pages a job is expected to hold at its end, one for a copy of a shared one included. */
static size_t pages_expected(const r1_scheduler *s, const job *j)
{
    size_t tokens = r1_max((size_t)s->typical, j->out.n_ids + EXPECTED / 4);
    return pages_of(r1_min(j->n_ctx, j->n_prompt + tokens)) + 1;
}

/* Whether a job that takes over `shared` tokens can begin beside those that run. */
static bool has_room(r1_scheduler *s, const job *j, size_t shared)
{
    size_t needed = pages_expected(s, j) - r1_min(pages_expected(s, j), shared / R1_KV_PAGE);
    for (size_t i = 0; i < s->state.n_running; i++) {
        size_t expected = pages_expected(s, s->running[i]), held = r1_kv_pages(s->running[i]->q.s->kv);
        needed += expected > held ? expected - held : 0;
    }
    return pages_used(s) + needed <= s->most_pages;
}

static void end_later(r1_scheduler *s, size_t i)
{
    push(&s->ended, s->running[i]);
    memmove(&s->running[i], &s->running[i + 1], (--s->state.n_running - i) * sizeof *s->running);
}

/* Make room for `pages` more of running[i]: by kept sessions, then by those that began after it, then by itself. False: it has
 * no row in this step, and is no longer running. */
static bool make_room(r1_scheduler *s, size_t i, size_t pages, size_t promised)
{
    while (pages_used(s) + promised + pages > s->most_pages) {
        if (forget_oldest(s)) continue;
        size_t last = s->state.n_running - 1;
        job *j = s->running[last];
        if (last == 0) { /* only when somebody else took pages of this engine */
            r1_sequence_end(&j->q, r1_fail(&j->err, R1_ENOMEM, "no memory for keys and values: %zu more tokens are needed, %zu are available", pages * R1_KV_PAGE,
                                           (s->most_pages - r1_min(s->most_pages, pages_used(s))) * R1_KV_PAGE));
            end_later(s, last);
            return false;
        }
        s->state.n_running--;
        s->state.n_reread += r1_session_length(j->q.s);
        r1_sequence_put_back(&j->q);
        push_front(&s->waiting, j);
        if (last == i) return false;
    }
    return true;
}

/* Pages a row may take: those of its tokens that are not there, and a copy of a shared one. */
static size_t pages_for(const r1_session *t, size_t n)
{
    size_t want = pages_of(t->n + n), held = r1_kv_pages(t->kv);
    return (want > held ? want - held : 0) + (t->n % R1_KV_PAGE ? r1_kv_shared(t->kv, t->n) : 0);
}

/* ---- a step ---------------------------------------------------------------------------------------------------- */

typedef struct plan {
    size_t n_rows;
    size_t room;               /* tokens of prompts that still fit */
    size_t promised;           /* pages that rows will take */
} plan;

static r1_status start(r1_scheduler *s, job *j)
{
    r1_status st = r1_session_open(&j->q.s, s->e, j->n_ctx, &j->err);
    if (st) return st;
    j->q = (r1_sequence){ .s = j->q.s, .prompt = j->prompt, .n_prompt = j->n_prompt, .o = &j->o, .out = &j->out, .err = &j->err };
    st = r1_sequence_start(&j->q);
    if (st == R1_OK && j->o.speculation > 0) st = r1_sequence_guess(&j->q, true);
    return st;
}

/* Give running[i] its row. */
static void add_row(r1_scheduler *s, size_t i, plan *p)
{
    job *j = s->running[i];
    r1_sequence *q = &j->q;
    bool reading = q->state == R1_SEQUENCE_READING;
    size_t guesses = 0;
    if (reading && p->room == 0) return;
    bool can_guess = j->o.speculation != R1_SPECULATION_AUTO || r1_sequence_guess(q, !reading && s->state.n_running == 1) == R1_OK;
    if (!reading && can_guess && q->guessing) guesses = r1_min(s->n_guesses, r1_min(q->max_guesses, j->n_ctx - q->s->n - 1));
    size_t pages = pages_for(q->s, reading ? r1_min(p->room, q->n_to_read - q->n_read) : 1 + guesses);
    if (!make_room(s, i, pages, p->promised)) return;
    r1_batch_row *row = &s->rows[p->n_rows];
    if (!r1_sequence_next(q, p->room, guesses, row)) return;
    if (reading) p->room -= row->n_ids;
    else s->n_guesses -= row->n_ids - 1;
    p->promised += pages;
    p->n_rows++;
    j->in_step = true;
}

/* Rows of logits for the guesses of jobs that always guess, that of the new job j included. Without memory there are fewer guesses. */
static void make_room_for_guesses(r1_scheduler *s, const job *j)
{
    size_t n = s->state.parallel + R1_DRAFT_MAX + j->q.max_guesses;
    for (size_t i = 0; i < s->state.n_running; i++) n += s->running[i]->o.speculation > 0 ? s->running[i]->q.max_guesses : 0;
    if (n <= s->n_logits) return;
    float *p = realloc(s->logits, n * (size_t)r1_model_get_info(s->e->m)->n_vocab * sizeof *p);
    if (!p) return;
    s->logits = p;
    s->n_logits = n;
}

/* Begin waiting jobs while there is room for what they read. */
static void begin_waiting(r1_scheduler *s, plan *p)
{
    job *before = NULL;
    for (size_t seen = 0; seen < SCAN_MAX && p->room && s->state.n_running < s->state.parallel; seen++) {
        job *j = before ? before->next : s->waiting.first;
        const r1_session *from;
        if (!j) return;
        size_t shared = find_beginning(s, j, &from);
        if (worth_waiting(s, j, shared)) {
            before = j;
            continue;
        }
        while (!has_room(s, j, shared) && s->n_kept) {
            (void)forget_oldest(s);
            shared = find_beginning(s, j, &from);
        }
        if (!has_room(s, j, shared) && s->state.n_running) return; /* no other overtakes it */
        (void)take(&s->waiting, before);
        r1_status st = j->started ? R1_OK : start(s, j);
        if (st) {
            r1_sequence_end(&j->q, st);
            push(&s->ended, j);
            continue;
        }
        if (!j->started) s->state.n_shared += shared;
        else s->state.n_reread -= shared;
        j->started = true;
        j->in_step = false;
        if (j->o.speculation > 0) make_room_for_guesses(s, j);
        if (shared) r1_sequence_share(&j->q, from, shared);
        s->running[s->state.n_running++] = j;
        add_row(s, s->state.n_running - 1, p);
        if (!j->in_step) return; /* there was no memory after all, or it has ended */
    }
}

static void drop_cancelled(r1_scheduler *s)
{
    for (job *before = NULL, *j = s->waiting.first; j; j = before ? before->next : s->waiting.first) {
        if (!j->cancelled) {
            before = j;
            continue;
        }
        (void)take(&s->waiting, before);
        r1_sequence_end(&j->q, R1_ECANCELLED);
        push(&s->ended, j);
    }
    for (size_t i = 0; i < s->state.n_running;) {
        if (s->running[i]->cancelled) {
            r1_sequence_end(&s->running[i]->q, R1_ECANCELLED);
            end_later(s, i);
        } else {
            i++;
        }
    }
}

static void make_plan(r1_scheduler *s, plan *p)
{
    size_t tokens = 0;
    for (size_t i = 0; i < s->state.n_running; i++) {
        s->running[i]->in_step = false;
        tokens += s->running[i]->q.state == R1_SEQUENCE_WAITING;
    }
    *p = (plan){ .room = s->e->chunk > tokens ? s->e->chunk - tokens : 0 };
    p->room = r1_max(p->room, r1_min(s->e->chunk, PIECE_MIN));
    s->n_guesses = s->n_logits - s->state.parallel;
    for (size_t i = 0; i < s->state.n_running; i++) add_row(s, i, p); /* it may put back some at the end of the list */
    begin_waiting(s, p);
}

static void choose(void *ctx, size_t i, int thread)
{
    (void)thread;
    r1_sequence_choose(&((job **)ctx)[i]->q);
}

/* Tokens until every job waits for the next step. */
static void choose_tokens(r1_scheduler *s)
{
    for (;;) {
        size_t n = 0;
        for (size_t i = 0; i < s->state.n_running; i++)
            if (s->running[i]->q.state == R1_SEQUENCE_READY) s->ready[n++] = s->running[i];
        if (!n) return;
        r1_pool_run(s->e->pool, n, choose, s->ready);
        for (size_t i = 0; i < n; i++) r1_sequence_accept(&s->ready[i]->q);
        s->state.n_tokens += n;
    }
}

/* Hand out what has ended. Callbacks may submit and cancel. */
static void end_jobs(r1_scheduler *s)
{
    const double weight = 0.05; /* of an answer among those before it */
    for (size_t i = 0; i < s->state.n_running;) {
        if (s->running[i]->q.state == R1_SEQUENCE_ENDED) end_later(s, i);
        else i++;
    }
    for (job *j; (j = take(&s->ended, NULL));) {
        r1_status st = j->q.status;
        if (j->q.s) st = r1_sequence_finish(&j->q);
        else j->out.n_prompt = j->n_prompt;
        if (!j->q.s && st == R1_ECANCELLED) { /* before it began */
            j->out.finish = R1_FINISH_CANCELLED;
            j->out.content = calloc(1, 1);
            j->out.reasoning = calloc(1, 1);
            st = j->out.content && j->out.reasoning ? R1_OK : r1_fail(&j->err, R1_ENOMEM, "no memory for an answer");
        }
        if (st == R1_OK && j->out.finish != R1_FINISH_CANCELLED) s->typical += weight * ((double)j->out.n_ids - s->typical);
        keep(s, j);
        s->state.n_done++;
        if (j->on_done) j->on_done(j->o.ctx, j->ticket, &j->out, st, &j->err);
        job_free(j);
    }
}

/* The rows of the plan, through the model and back to their jobs. */
static r1_status run_plan(r1_scheduler *s, const plan *p, r1_error *err)
{
    if (!p->n_rows) return R1_OK;
    size_t V = (size_t)r1_model_get_info(s->e->m)->n_vocab, n_logits = 0;
    for (size_t i = 0; i < p->n_rows; i++) {
        s->rows[i].logits = s->rows[i].n_logits ? s->logits + n_logits * V : NULL;
        n_logits += s->rows[i].n_logits;
    }
    double begin = r1_now();
    r1_status st = r1_batch_step(s->e, s->rows, p->n_rows, err);
    double seconds = p->n_rows == 1 ? r1_now() - begin : 0;
    if (st == R1_ECANCELLED) return st;
    size_t row = 0;
    for (size_t i = 0; i < s->state.n_running; i++) {
        job *j = s->running[i];
        if (!j->in_step) continue;
        if (st) r1_sequence_end(&j->q, r1_fail(&j->err, st, "%s", err ? err->msg : "a step failed"));
        else r1_sequence_took(&j->q, &s->rows[row], seconds);
        row++;
    }
    if (!st) choose_tokens(s);
    s->state.n_steps++;
    return R1_OK;
}

r1_status r1_scheduler_step(r1_scheduler *s, r1_error *err)
{
    plan p;
    if (s->stepping) return r1_fail(err, R1_EINVAL, "a callback of the scheduler cannot step it");
    s->stepping = true;
    drop_cancelled(s);
    make_plan(s, &p);
    r1_status st = run_plan(s, &p, err);
    end_jobs(s);
    s->stepping = false;
    return st;
}

r1_status r1_scheduler_run(r1_scheduler *s, r1_error *err)
{
    r1_status st = R1_OK;
    while (st == R1_OK && (s->state.n_running || s->waiting.n || s->ended.n)) st = r1_scheduler_step(s, err);
    return st;
}
