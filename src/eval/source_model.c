/* Answers of a local model, many at once through the engine's scheduler: each bit for bit what it would be alone, whatever else
 * runs beside it. Samples of one item follow each other, so that their common prompt is read once. */
#define _GNU_SOURCE
#include "eval/source.h"
#include "base/map.h"
#include "engine/engine.h"

#include <dirent.h>
#include <openssl/evp.h>
#include <stdio.h>
#include <sys/stat.h>

#define HASHED_BYTES_MAX ((uint64_t)2 << 30) /* a larger file is known by its size and time: hashing it would take minutes */

typedef struct model_source {
    r1_source base;
    r1_model_source_options o;
    json_t *about;
    r1_engine *engine;
    r1_scheduler *scheduler;
    size_t context, parallel;
    const r1_feed *feed;         /* while it runs */
    int32_t *ids; size_t n_ids;  /* of the prompt below */
    const char *prompt;          /* borrowed */
    size_t on_the_way;
    uint64_t told;               /* tokens the feed knows of */
    r1_status status;            /* of the feed, met in a callback */
    r1_error error;
} model_source;

/* What a callback must know of its request. */
typedef struct ticket { model_source *m; r1_ask ask; } ticket;

/* ---- answers --------------------------------------------------------------------------------------------------- */

static const char *finish_of(const r1_generation *g)
{
    if (g->loop_closed) return "loop";
    return g->finish == R1_FINISH_LENGTH ? "length" : g->finish == R1_FINISH_STOP ? "stop" : "cancelled";
}

static r1_status hand_on(model_source *m, const r1_ask *ask, r1_eval_sample *a)
{
    r1_status s = m->feed->done(m->feed->ctx, ask, a, &m->error);
    if (s && m->status == R1_OK) m->status = s;
    return s;
}

static void on_done(void *ctx, uint64_t number, r1_generation *g, r1_status status, const r1_error *err)
{
    ticket *t = ctx;
    model_source *m = t->m;
    (void)number;
    m->on_the_way--;
    if (status == R1_OK && g->finish != R1_FINISH_CANCELLED && m->status == R1_OK) {
        r1_eval_sample a = { .prompt_tokens = (int64_t)g->n_prompt, .completion_tokens = (int64_t)g->n_ids, .reasoning_tokens = (int64_t)g->n_reasoning_ids,
                             .finish = finish_of(g), .seconds = g->prefill_s + g->decode_s, .verdict = -1, .content = g->content, .reasoning = g->n_reasoning ? g->reasoning : NULL };
        g->content = NULL; /* taken over */
        if (a.reasoning) g->reasoning = NULL;
        (void)hand_on(m, &t->ask, &a);
    } else if (status && status != R1_ECANCELLED && m->status == R1_OK) {
        m->status = status;
        m->error = *err;
    }
    free(t);
}

/* ---- questions ------------------------------------------------------------------------------------------------- */

static r1_status encode(model_source *m, const char *prompt, r1_error *err)
{
    if (m->prompt == prompt) return R1_OK;
    free(m->ids);
    m->ids = NULL;
    m->prompt = NULL;
    json_t *v = json_pack("{s:[{s:s, s:s}], s:b}", "messages", "role", "user", "content", prompt, "add_generation_prompt", 1);
    char *text = v ? json_dumps(v, JSON_COMPACT) : NULL;
    r1_status s = text ? r1_chat_ids(m->o.model, m->o.template, text, strlen(text), &m->ids, &m->n_ids, err) : r1_fail(err, R1_ENOMEM, "no memory for a prompt");
    if (s == R1_OK) m->prompt = prompt;
    free(text);
    json_decref(v);
    return s;
}

static r1_status too_long(model_source *m, const r1_ask *ask, r1_error *err)
{
    r1_eval_sample a = { .prompt_tokens = (int64_t)m->n_ids, .finish = "length", .reason = strdup("prompt_too_long"), .content = strdup("") };
    m->feed->note(m->feed->ctx, "a prompt is longer than the context: its samples count as wrong; --ctx N makes the context longer");
    r1_status s = hand_on(m, ask, &a);
    if (s && err) *err = m->error;
    return s;
}

static r1_status submit(model_source *m, const r1_ask *ask, r1_error *err)
{
    r1_status s = encode(m, ask->prompt, err);
    if (s) return s;
    if (m->n_ids >= m->context) return too_long(m, ask, err);
    size_t room = m->context - m->n_ids, most = r1_min((size_t)m->o.sampling.max_tokens, room);
    char note[160];
    snprintf(note, sizeof note, "the context of %zu tokens leaves less than %lld for some answers: they end where it is full", m->context, (long long)m->o.sampling.max_tokens);
    if (most < (size_t)m->o.sampling.max_tokens) m->feed->note(m->feed->ctx, note);
    ticket *t = malloc(sizeof *t);
    if (!t) return r1_fail(err, R1_ENOMEM, "no memory for a request");
    *t = (ticket){ m, *ask };
    const r1_sampling usual = R1_SAMPLING_DEFAULT;
    r1_request q = { .prompt = m->ids, .n_prompt = m->n_ids, .on_done = on_done,
                     .options = { .sampling = usual, .max_tokens = most, .think_budget = (long)m->o.sampling.think_budget, .no_loop_guard = !m->o.loop_guard, .ctx = t } };
    q.options.sampling.temperature = (float)m->o.sampling.temperature;
    q.options.sampling.top_p = (float)m->o.sampling.top_p;
    q.options.sampling.min_p = (float)m->o.sampling.min_p;
    q.options.sampling.top_k = (int32_t)m->o.sampling.top_k;
    q.options.sampling.seed = ask->seed;
    s = r1_scheduler_submit(m->scheduler, &q, NULL, err);
    if (s) free(t);
    else m->on_the_way++;
    return s;
}

static r1_status run(r1_source *base, const r1_feed *feed, r1_error *err)
{
    model_source *m = (model_source *)base;
    bool more = true;
    r1_status s = R1_OK;
    m->feed = feed;
    m->status = R1_OK;
    while (s == R1_OK) {
        r1_ask ask;
        while (s == R1_OK && more && m->on_the_way < 2 * m->parallel && (more = feed->next(feed->ctx, &ask))) s = submit(m, &ask, err);
        if (s || (!more && m->on_the_way == 0)) break;
        s = feed->go_on(feed->ctx) ? r1_scheduler_step(m->scheduler, err) : r1_fail(err, R1_ECANCELLED, "stopped");
        r1_scheduler_state state = r1_scheduler_get_state(m->scheduler);
        if (state.n_tokens > m->told) feed->tokens(feed->ctx, (size_t)(state.n_tokens - m->told));
        m->told = state.n_tokens;
        if (m->status && (s == R1_OK || s == R1_ECANCELLED)) {
            s = m->status;
            if (err) *err = m->error;
        }
    }
    m->feed = NULL;
    return s;
}

/* The engine asks before each layer: a step with long prompts may take seconds. */
static bool engine_go_on(void *ctx)
{
    model_source *m = ctx;
    return !m->feed || m->feed->go_on(m->feed->ctx);
}

/* ---- which model ----------------------------------------------------------------------------------------------- */

/* Size and time of the files in a folder. */
static void look_at_folder(const char *path, int64_t *bytes, int64_t *modified)
{
    DIR *d = opendir(path);
    struct stat st;
    for (struct dirent *e; d && (e = readdir(d));) {
        if (fstatat(dirfd(d), e->d_name, &st, 0) || !S_ISREG(st.st_mode)) continue;
        *bytes += st.st_size;
        if (st.st_mtime > *modified) *modified = st.st_mtime;
    }
    if (d) closedir(d);
}

static bool hash_file(const char *path, char out[65])
{
    r1_map map;
    unsigned char digest[EVP_MAX_MD_SIZE];
    unsigned n = 0;
    if (r1_map_open(&map, path, NULL)) return false;
    bool ok = EVP_Digest(map.data, map.size, digest, &n, EVP_sha256(), NULL) == 1 && n == 32;
    for (unsigned i = 0; ok && i < n; i++) snprintf(out + 2 * i, 3, "%02x", digest[i]);
    r1_map_close(&map);
    return ok;
}

static json_t *look_at_model(const char *path, const r1_model *model)
{
    char *real = realpath(path, NULL), sha[65] = "";
    const char *shown = real ? real : path, *slash = strrchr(shown, '/');
    const r1_model_info *info = r1_model_get_info(model);
    struct stat st;
    int64_t bytes = 0, modified = 0;
    if (stat(shown, &st) == 0 && S_ISREG(st.st_mode)) {
        bytes = st.st_size;
        modified = st.st_mtime;
        if ((uint64_t)bytes <= HASHED_BYTES_MAX && !hash_file(shown, sha)) sha[0] = 0;
    } else {
        look_at_folder(shown, &bytes, &modified);
    }
    json_t *v = json_pack("{s:s, s:s, s:s, s:I, s:I}", "name", slash && slash[1] ? slash + 1 : shown, "path", shown, "architecture", info->architecture, "parameters",
                          (json_int_t)info->parameters, "bytes", (json_int_t)bytes);
    int bad = !v || (*sha ? json_object_set_new(v, "sha256", json_string(sha)) : json_object_set_new(v, "modified", json_integer(modified)));
    free(real);
    if (!bad) return v;
    json_decref(v);
    return NULL;
}

static json_t *describe(const r1_source *base) { return json_incref(((const model_source *)base)->about); }

/* ---------------------------------------------------------------------------------------------------------------- */

static void close_source(r1_source *base)
{
    model_source *m = (model_source *)base;
    r1_scheduler_close(m->scheduler);
    r1_engine_close(m->engine);
    json_decref(m->about);
    free(m->ids);
    free(m);
}

r1_status r1_source_model(r1_source **out, const r1_model_source_options *o, r1_error *err)
{
    *out = NULL;
    model_source *m = calloc(1, sizeof *m);
    if (!m) return r1_fail(err, R1_ENOMEM, "no memory for a run");
    m->base = (r1_source){ run, describe, close_source };
    m->o = *o;
    m->context = o->context ? o->context : (size_t)r1_model_get_info(o->model)->n_ctx_train;
    m->about = look_at_model(o->path, o->model);
    r1_status s = m->about ? R1_OK : r1_fail(err, R1_ENOMEM, "no memory for a run");
    r1_engine_options eo = o->engine;
    eo.go_on = engine_go_on;
    eo.go_on_ctx = m;
    r1_scheduler_options so = { .parallel = o->parallel, .n_ctx = m->context };
    if (s == R1_OK) s = r1_engine_open(&m->engine, o->model, &eo, err);
    if (s == R1_OK) s = r1_scheduler_open(&m->scheduler, m->engine, &so, err);
    if (s == R1_OK) m->parallel = r1_scheduler_get_state(m->scheduler).parallel;
    if (s) close_source(&m->base);
    else *out = &m->base;
    return s;
}
