/* One answer: feeding the session, and the way of each piece of text to where it is shown. */
#include "cli/answer.h"
#include "cli/markdown.h"

typedef struct view {
    const r1_cli *c;
    r1_think think;
    bool silent;             /* --json: shown at the end */
    r1_flow thought, plain;  /* plain: an answer without Markdown */
    r1_markdown markdown;
    bool use_markdown;
    r1_part part;
    bool any_thought, any_answer, counting;
    bool marked;             /* the thought and the answer have a line above them: nothing else tells them apart */
    size_t n_tokens;
    double drawn;
    r1_progress bar;
} view;

static const char *skip_space(const char *text, size_t *n)
{
    while (*n && (*text == '\n' || *text == ' ')) { text++; (*n)--; }
    return text;
}

/* ---- thinking -------------------------------------------------------------------------------------------------- */

static void mark(const view *v, const char *what)
{
    const r1_term *t = v->thought.term;
    fprintf(t->f, t->color ? "\033[2m%s\033[0m\n" : "%s\n", what);
}

static void show_thought(view *v, const char *text, size_t n)
{
    if (v->think == R1_THINK_HIDE) return;
    const r1_term *t = v->thought.term;
    if (!v->any_thought) {
        if (t->tty) text = skip_space(text, &n);
        if (n == 0) return;
        if (!t->tty && v->think == R1_THINK_SHOW) fputs("<think>\n", t->f); /* a pipe sees where it begins and ends */
        v->any_thought = true;
        if (v->marked) mark(v, "thinking:");
    }
    r1_flow_add(&v->thought, text, n);
}

static void end_thought(view *v, bool answer_follows)
{
    if (!v->any_thought) return;
    v->any_thought = false;
    const r1_term *t = v->thought.term;
    r1_flow_end(&v->thought);
    if (t->tty) putc('\n', t->f);
    else if (v->think == R1_THINK_SHOW) fputs("</think>\n\n", t->f);
    if (v->marked && answer_follows) mark(v, "answer:");
    fflush(t->f);
}

/* With hidden thinking a terminal would stand still: say how far it is. */
static void count_thought(view *v)
{
    const r1_term *t = &v->c->err;
    double now = r1_now();
    if (!t->tty || v->c->o.quiet || now - v->drawn < 0.1) return;
    v->drawn = now;
    v->counting = true;
    fprintf(t->f, "\rthinking: %zu tokens\033[K", v->n_tokens);
    fflush(t->f);
}

static void end_count(view *v)
{
    if (v->counting) {
        fputs("\r\033[K", v->c->err.f);
        fflush(v->c->err.f);
    }
    v->counting = false;
}

/* ---- the pieces ------------------------------------------------------------------------------------------------ */

static void show_answer(view *v, const char *text, size_t n)
{
    if (!v->any_answer && v->c->out.tty) text = skip_space(text, &n);
    if (n == 0) return;
    v->any_answer = true;
    if (v->use_markdown) r1_markdown_add(&v->markdown, text, n);
    else r1_flow_add(&v->plain, text, n);
}

static bool on_text(void *ctx, r1_part part, const char *text, size_t n)
{
    view *v = ctx;
    if (v->silent) return !r1_interrupted();
    if (part == R1_PART_ANSWER) {
        end_count(v);
        end_thought(v, true);
        show_answer(v, text, n);
    } else {
        show_thought(v, text, n);
    }
    v->part = part;
    return !r1_interrupted();
}

static bool on_token(void *ctx, const r1_sample *token)
{
    view *v = ctx;
    (void)token;
    v->n_tokens++;
    if (!v->silent && v->think == R1_THINK_HIDE && v->part == R1_PART_THINKING && !v->any_answer) count_thought(v);
    return !r1_interrupted();
}

static bool on_prefill(void *ctx, size_t done, size_t total)
{
    view *v = ctx;
    if (done < total) r1_progress_step(&v->bar, (double)done, (double)total);
    else r1_progress_end(&v->bar);
    return !r1_interrupted();
}

static void view_begin(view *v, const r1_cli *c)
{
    *v = (view){ .c = c, .think = (r1_think)c->o.think, .silent = c->o.json };
    if (c->o.quiet && !c->o.think_given) v->think = R1_THINK_HIDE;
    v->thought = (r1_flow){ .term = v->think == R1_THINK_SHOW ? &c->out : &c->err, .dim = v->think == R1_THINK_DIM };
    v->marked = v->thought.term->tty && c->out.tty && (v->think == R1_THINK_SHOW || !v->thought.term->color);
    v->plain = (r1_flow){ .term = &c->out };
    v->use_markdown = c->out.tty && c->out.color;
    r1_markdown_init(&v->markdown, &c->out);
    r1_progress_begin(&v->bar, &c->err, c->o.quiet, "reading", "tokens");
}

static void view_end(view *v)
{
    r1_progress_end(&v->bar);
    end_count(v);
    end_thought(v, false);
    r1_markdown_end(&v->markdown);
    r1_flow_end(&v->plain);
}

/* ---------------------------------------------------------------------------------------------------------------- */

static size_t common_prefix(const r1_session *s, const int32_t *ids, size_t n)
{
    size_t k = 0, most = r1_min(r1_session_length(s), n);
    const int32_t *old = r1_session_ids(s);
    while (k < most && old[k] == ids[k]) k++;
    return k == n && n ? n - 1 : k; /* something must be read to get logits */
}

r1_status r1_answer_fits(size_t n, const r1_setup *u, bool chat, r1_error *err)
{
    size_t context = r1_session_context(u->session);
    if (n < context) return R1_OK;
    return r1_fail(err, R1_ELIMIT, "the conversation is %zu tokens long: these and at least one for the answer do not fit into the context of %zu; "
                   "--ctx N makes it larger%s", n, context, chat ? ", /clear begins a new one" : "");
}

r1_status r1_answer_make(r1_answer *a, r1_cli *c, r1_setup *u, const int32_t *ids, size_t n, const r1_sampling *sampling, r1_error *err)
{
    *a = (r1_answer){ .n_prompt = n, .chat = a->chat };
    const r1_opts *o = &c->o;
    size_t context = r1_session_context(u->session);
    r1_status s = r1_answer_fits(n, u, a->chat, err);
    if (s) return s;
    a->n_cached = common_prefix(u->session, ids, n);
    r1_session_truncate(u->session, a->n_cached);
    view v;
    view_begin(&v, c);
    r1_generate_options go = { .sampling = *sampling, .max_tokens = (size_t)o->max_tokens, .think_budget = (long)o->think_budget,
                               .no_loop_guard = o->no_loop_guard, .stop = o->stop.items, .n_stop = o->stop.n, .speculation = r1_setup_speculation(o),
                               .on_text = on_text, .on_token = on_token, .on_prefill = on_prefill, .ctx = &v };
    r1_interrupt_arm(true);
    s = r1_generate(u->session, ids + a->n_cached, n - a->n_cached, &go, &a->g, err);
    a->stopped = r1_interrupted();
    r1_interrupt_arm(false);
    view_end(&v);
    size_t held = r1_min(r1_session_length(u->session), n);
    a->n_read = held - r1_min(held, a->n_cached);
    a->full = r1_session_length(u->session) + 1 >= context;
    if (a->stopped && s == R1_ECANCELLED) s = R1_OK; /* the caller decides what an interruption means */
    return s;
}

void r1_answer_deinit(r1_answer *a)
{
    r1_generation_deinit(&a->g);
    *a = (r1_answer){ 0 };
}

const char *r1_finish_name(r1_finish f)
{
    return f == R1_FINISH_STOP ? "stop" : f == R1_FINISH_LENGTH ? "length" : "cancelled";
}

static double rate(size_t n, double s) { return s > 0 ? (double)n / s : 0; }

void r1_answer_stats(const r1_answer *a, const r1_cli *c)
{
    const r1_generation *g = &a->g;
    char read[64] = "", speed[32] = "", guesses[80] = "", answer[160] = "no answer";
    if (a->n_cached + a->n_read < a->n_prompt) snprintf(read, sizeof read, ", stopped after reading %zu", a->n_cached + a->n_read);
    if (a->n_read && g->prefill_s > 0) snprintf(speed, sizeof speed, ", %.1f tokens/s", (double)a->n_read / g->prefill_s);
    if (g->n_ids)
        snprintf(answer, sizeof answer, "answer%s: %zu tokens (%zu thinking), %.2f s, %.1f tokens/s", a->stopped ? ", stopped" : "", g->n_ids,
                 g->n_reasoning_ids, g->decode_s, rate(g->n_ids, g->decode_s));
    if (g->n_drafted) snprintf(guesses, sizeof guesses, ", %zu of %zu guessed tokens came true", g->n_accepted, g->n_drafted);
    r1_aside(&c->err, "prompt: %zu tokens (%zu reused)%s, %.2f s%s; %s%s", a->n_prompt, a->n_cached, read, g->prefill_s, speed, answer, guesses);
}

static void remark(const r1_answer *a, const r1_cli *c, const char *text)
{
    if (!a->chat) r1_note(c, "%s", text);
    else if (!c->o.quiet) r1_aside(&c->err, "(%s)", text);
}

void r1_answer_remarks(const r1_answer *a, const r1_cli *c)
{
    const r1_generation *g = &a->g;
    const char *dashes = a->chat ? "/set " : "--"; /* how the reader can change it here */
    char text[200];
    if (g->budget_closed) {
        snprintf(text, sizeof text, "the thinking budget of %lld tokens closed the thought", (long long)c->o.think_budget);
        remark(a, c, text);
    }
    if (g->loop_closed) {
        snprintf(text, sizeof text, "the model repeated itself and was stopped; %sno-loop-guard%s lets it go on", dashes, a->chat ? " on" : "");
        remark(a, c, text);
    }
    if (g->finish != R1_FINISH_LENGTH) return;
    if (a->full)
        snprintf(text, sizeof text, "the answer ends here: the context of this conversation is full; --ctx N makes it larger%s", a->chat ? ", /clear begins a new one" : "");
    else
        snprintf(text, sizeof text, "the answer ends here: it reached %zu token%s (%smax-tokens)", g->n_ids, g->n_ids == 1 ? "" : "s", dashes);
    remark(a, c, text);
}
