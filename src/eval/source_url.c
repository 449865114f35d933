/* Answers from a server of the OpenAI dialect, many requests at once through libcurl's multi interface, one thread.
 *
 * A question stays in its place until it has an answer or has failed for good; a place whose request failed in a way that may
 * pass (no connection, a time limit, 408, 409, 429, 5xx) waits and asks again. Answers of wrong size or form, and what a server
 * refuses, are errors of that question; a refused key, model or address ends the run, for every other question would fail too.
 * Certificates are checked as libcurl does; redirections are not followed, for the key must not go elsewhere. */
#define _GNU_SOURCE
#include "eval/source.h"
#include "base/rng.h"
#include "eval/url_reply.h"

#include <curl/curl.h>
#include <math.h>
#include <pthread.h>
#include <stdio.h>

#define REPLY_BYTES_MAX ((size_t)64 << 20)

typedef struct place {
    struct url_source *source;
    CURL *easy;
    bool busy, waiting;      /* a request is on its way; a question is here and waits for its next try */
    r1_ask ask;
    char *body;
    r1_buf reply;
    bool too_long;           /* the reply went over the limit */
    bool completion_tokens;  /* the request on its way has this name for its limit */
    bool is_final;           /* the server says that trying again is of no use */
    char why[CURL_ERROR_SIZE];
    int tries;
    double due, started;     /* when to ask again; when the first try began */
} place;

typedef struct url_source {
    r1_source base;
    r1_url_options o;
    char *address, *model, *key_header;
    struct curl_slist *headers;
    CURLM *multi;
    place *places;           /* [o.parallel] */
} url_source;

static pthread_once_t curl_once = PTHREAD_ONCE_INIT;
static void curl_begin(void) { (void)curl_global_init(CURL_GLOBAL_DEFAULT); }

static size_t on_data(char *data, size_t size, size_t n, void *ctx)
{
    place *p = ctx;
    if (r1_buf_add(&p->reply, data, size * n, NULL) == R1_OK) return size * n;
    p->too_long = true;
    return 0; /* ends the transfer */
}

static bool only_http(CURL *c)
{
#if LIBCURL_VERSION_NUM >= 0x075500
    return !curl_easy_setopt(c, CURLOPT_PROTOCOLS_STR, "http,https");
#else
    return !curl_easy_setopt(c, CURLOPT_PROTOCOLS, (long)(CURLPROTO_HTTP | CURLPROTO_HTTPS));
#endif
}

static size_t on_header(char *line, size_t size, size_t n, void *ctx)
{
    static const char name[] = "x-should-retry:";
    place *p = ctx;
    size_t len = size * n;
    if (len >= sizeof name - 1 && !strncasecmp(line, name, sizeof name - 1)) p->is_final = memmem(line, len, "false", 5) != NULL;
    return len;
}

static r1_status set_up(url_source *u, place *p, const char *address, r1_error *err)
{
    r1_buf_init(&p->reply, REPLY_BYTES_MAX);
    p->source = u;
    p->easy = curl_easy_init();
    if (!p->easy) return r1_fail(err, R1_ENOMEM, "no memory for a connection");
    CURL *c = p->easy;
    bool ok = !curl_easy_setopt(c, CURLOPT_URL, address) && !curl_easy_setopt(c, CURLOPT_WRITEFUNCTION, on_data) && !curl_easy_setopt(c, CURLOPT_WRITEDATA, p) &&
              !curl_easy_setopt(c, CURLOPT_HEADERFUNCTION, on_header) && !curl_easy_setopt(c, CURLOPT_HEADERDATA, p) &&
              !curl_easy_setopt(c, CURLOPT_HTTPHEADER, u->headers) && !curl_easy_setopt(c, CURLOPT_ERRORBUFFER, p->why) && !curl_easy_setopt(c, CURLOPT_PRIVATE, p) &&
              !curl_easy_setopt(c, CURLOPT_NOSIGNAL, 1L) && only_http(c) &&
              !curl_easy_setopt(c, CURLOPT_FOLLOWLOCATION, 0L) && !curl_easy_setopt(c, CURLOPT_CONNECTTIMEOUT, 30L) && !curl_easy_setopt(c, CURLOPT_TCP_KEEPALIVE, 1L) &&
              !curl_easy_setopt(c, CURLOPT_TIMEOUT_MS, (long)(u->o.timeout_s * 1000)) && !curl_easy_setopt(c, CURLOPT_USERAGENT, "r1/" R1_VERSION);
    return ok ? R1_OK : r1_fail(err, R1_ENOMEM, "libcurl takes none of our options: it is too old or has no memory");
}

static void place_deinit(place *p)
{
    if (p->easy) curl_easy_cleanup(p->easy);
    r1_buf_deinit(&p->reply);
    free(p->body);
    *p = (place){ 0 };
}

/* ---- one request ----------------------------------------------------------------------------------------------- */

static r1_status start(url_source *u, place *p, r1_error *err)
{
    r1_buf_clear(&p->reply);
    p->too_long = p->is_final = false;
    p->why[0] = 0;
    p->tries++;
    p->waiting = false;
    if (curl_easy_setopt(p->easy, CURLOPT_POSTFIELDSIZE_LARGE, (curl_off_t)strlen(p->body)) || curl_easy_setopt(p->easy, CURLOPT_POSTFIELDS, p->body) ||
        curl_multi_add_handle(u->multi, p->easy))
        return r1_fail(err, R1_ENOMEM, "no memory for a request");
    p->busy = true;
    return R1_OK;
}

static r1_status take_question(url_source *u, place *p, const r1_ask *ask, r1_error *err)
{
    p->ask = *ask;
    p->tries = 0;
    p->completion_tokens = u->o.completion_tokens;
    p->started = r1_now();
    r1_status s = r1_url_request(&u->o, ask, &p->body, err);
    return s ? s : start(u, p, err);
}

typedef enum outcome { ANSWERED, AGAIN, OTHER_NAME, FAILED, FATAL } outcome;

/* What became of a finished transfer; `why` (R1_ERROR_MAX bytes) gets a sentence unless it is an answer. */
static outcome judge(url_source *u, place *p, CURLcode result, r1_eval_sample *a, char *why)
{
    long code = 0;
    char said[400];
    r1_error e = { 0 };
    (void)curl_easy_getinfo(p->easy, CURLINFO_RESPONSE_CODE, &code);
    if (p->too_long) {
        snprintf(why, R1_ERROR_MAX, "the reply is longer than %zu bytes", REPLY_BYTES_MAX);
        return FAILED;
    }
    if (result != CURLE_OK) {
        snprintf(why, R1_ERROR_MAX, "%s", p->why[0] ? p->why : curl_easy_strerror(result));
        return result == CURLE_PEER_FAILED_VERIFICATION || result == CURLE_SSL_CACERT_BADFILE || result == CURLE_UNSUPPORTED_PROTOCOL ? FATAL : AGAIN;
    }
    if (code == 200) {
        if (r1_url_reply(p->reply.data ? p->reply.data : "", p->reply.len, a, &e) == R1_OK) return ANSWERED;
        snprintf(why, R1_ERROR_MAX, "%s", e.msg);
        return FAILED;
    }
    r1_url_complaint(p->reply.data ? p->reply.data : "", p->reply.len, said, sizeof said);
    snprintf(why, R1_ERROR_MAX, "%s answered %ld%s%s", u->address, code, *said ? ": " : "", said);
    if (code == 401 || code == 402 || code == 403 || code == 404 || code == 405 || (code >= 300 && code < 400)) return FATAL;
    if (code == 400 && !p->completion_tokens && strstr(said, "max_completion_tokens")) return OTHER_NAME;
    bool may_pass = code == 408 || code == 409 || code == 429 || code >= 500;
    return may_pass && !p->is_final ? AGAIN : FAILED;
}

static void wait_for_next(place *p)
{
    curl_off_t asked = -1;
    if (curl_easy_getinfo(p->easy, CURLINFO_RETRY_AFTER, &asked) || asked <= 0) asked = -1;
    double random = r1_rng_uniform(p->ask.seed, 0, (uint64_t)p->tries);
    p->due = r1_now() + r1_url_wait(p->tries, (double)asked, random);
    p->waiting = true;
}

/* Give the place free and hand its answer on. */
static r1_status finish(place *p, const r1_feed *feed, r1_eval_sample *a, r1_error *err)
{
    r1_ask ask = p->ask;
    a->seconds = r1_now() - p->started;
    free(p->body);
    p->body = NULL;
    p->waiting = false;
    if (!a->error && a->completion_tokens > 0) feed->tokens(feed->ctx, (size_t)a->completion_tokens);
    return feed->done(feed->ctx, &ask, a, err);
}

static r1_status transfer_ended(url_source *u, place *p, CURLcode result, const r1_feed *feed, r1_error *err)
{
    r1_eval_sample a = { 0 };
    char why[R1_ERROR_MAX] = "", note[R1_ERROR_MAX];
    (void)curl_multi_remove_handle(u->multi, p->easy);
    p->busy = false;
    outcome o = judge(u, p, result, &a, why);
    if (o == FATAL) return r1_fail(err, R1_EIO, "%s", why);
    if (o == OTHER_NAME) { /* this question is asked once more, and all that follow, with the name the server wants */
        u->o.completion_tokens = p->completion_tokens = true;
        free(p->body);
        p->body = NULL;
        r1_status s = r1_url_request(&u->o, &p->ask, &p->body, err);
        return s ? s : start(u, p, err);
    }
    if (o == AGAIN && p->tries < u->o.tries) {
        snprintf(note, sizeof note, "%.900s; trying again", why);
        feed->note(feed->ctx, note);
        wait_for_next(p);
        return R1_OK;
    }
    if (o != ANSWERED) {
        snprintf(note, sizeof note, "%.900s%s", why, p->tries > 1 ? " (the last of several tries)" : "");
        a.error = strdup(note);
        if (!a.error) return r1_fail(err, R1_ENOMEM, "no memory for a sentence");
    }
    return finish(p, feed, &a, err);
}

/* ---- all of them ----------------------------------------------------------------------------------------------- */

/* Fill free places and wake those whose wait is over. *busy: places with a question; *next: seconds until the next one is due. */
static r1_status fill(url_source *u, const r1_feed *feed, bool *more, int *busy, double *next, r1_error *err)
{
    r1_status s = R1_OK;
    double now = r1_now();
    *busy = 0;
    *next = 1;
    for (int i = 0; i < u->o.parallel && s == R1_OK; i++) {
        place *p = &u->places[i];
        r1_ask ask;
        if (p->waiting && p->due <= now) s = start(u, p, err);
        else if (p->waiting) *next = fmin(*next, p->due - now);
        else if (!p->busy && *more && (*more = feed->next(feed->ctx, &ask))) s = take_question(u, p, &ask, err);
        *busy += p->busy || p->waiting;
    }
    return s;
}

static r1_status collect(url_source *u, const r1_feed *feed, r1_error *err)
{
    r1_status s = R1_OK;
    CURLMsg *m;
    int left;
    while (s == R1_OK && (m = curl_multi_info_read(u->multi, &left))) {
        place *p = NULL;
        if (m->msg != CURLMSG_DONE) continue;
        CURLcode result = m->data.result;
        if (curl_easy_getinfo(m->easy_handle, CURLINFO_PRIVATE, (char **)&p) == CURLE_OK && p) s = transfer_ended(u, p, result, feed, err);
    }
    return s;
}

static r1_status run(r1_source *base, const r1_feed *feed, r1_error *err)
{
    url_source *u = (url_source *)base;
    bool more = true;
    int busy = 1, running;
    double next = 1;
    r1_status s = R1_OK;
    while (s == R1_OK) {
        if (!feed->go_on(feed->ctx)) s = r1_fail(err, R1_ECANCELLED, "stopped");
        if (s == R1_OK) s = fill(u, feed, &more, &busy, &next, err);
        if (s || busy == 0) break;
        CURLMcode m = curl_multi_perform(u->multi, &running);
        if (m == CURLM_OK) m = curl_multi_poll(u->multi, NULL, 0, (int)fmax(1, fmin(200, next * 1000)), NULL);
        if (m != CURLM_OK) s = r1_fail(err, R1_ENOMEM, "libcurl failed: %s", curl_multi_strerror(m));
        if (s == R1_OK) s = collect(u, feed, err);
    }
    for (int i = 0; i < u->o.parallel; i++) { /* what is on its way is given up */
        place *p = &u->places[i];
        if (p->busy) (void)curl_multi_remove_handle(u->multi, p->easy);
        free(p->body);
        p->body = NULL;
        p->busy = p->waiting = false;
    }
    return s;
}

static json_t *describe(const r1_source *base)
{
    const url_source *u = (const url_source *)base;
    return json_pack("{s:s, s:s}", "url", u->address, "name", u->model);
}

static void close_source(r1_source *base)
{
    url_source *u = (url_source *)base;
    for (int i = 0; u->places && i < u->o.parallel; i++) place_deinit(&u->places[i]);
    if (u->multi) curl_multi_cleanup(u->multi);
    curl_slist_free_all(u->headers);
    if (u->key_header) explicit_bzero(u->key_header, strlen(u->key_header));
    free(u->key_header);
    free(u->places);
    free(u->address);
    free(u->model);
    free(u);
}

/* ---- opening --------------------------------------------------------------------------------------------------- */

static r1_status add_header(url_source *u, const char *line, r1_error *err)
{
    struct curl_slist *more = curl_slist_append(u->headers, line);
    if (!more) return r1_fail(err, R1_ENOMEM, "no memory for a request");
    u->headers = more;
    return R1_OK;
}

static r1_status add_headers(url_source *u, r1_error *err)
{
    r1_status s = add_header(u, "Content-Type: application/json", err);
    if (s == R1_OK) s = add_header(u, "Accept: application/json", err);
    if (s == R1_OK) s = add_header(u, "Expect:", err); /* no waiting for a 100 */
    if (s || !u->o.key) return s;
    if (!*u->o.key || strpbrk(u->o.key, "\r\n")) return r1_fail(err, R1_EINVAL, "the key is empty or has several lines, expected one");
    if (asprintf(&u->key_header, "Authorization: Bearer %s", u->o.key) < 0) {
        u->key_header = NULL;
        return r1_fail(err, R1_ENOMEM, "no memory for a request");
    }
    return add_header(u, u->key_header, err);
}

/* The only model there is. */
static r1_status ask_for_model(url_source *u, r1_error *err)
{
    char *address, said[400];
    place p = { 0 };
    long code = 0;
    r1_status s = r1_url_route(u->o.url, "models", &address, err);
    if (s) return s;
    s = set_up(u, &p, address, err);
    CURLcode result = s ? CURLE_OK : (CURLcode)(curl_easy_setopt(p.easy, CURLOPT_TIMEOUT_MS, 60000L) ? CURLE_OUT_OF_MEMORY : curl_easy_perform(p.easy));
    if (s == R1_OK) (void)curl_easy_getinfo(p.easy, CURLINFO_RESPONSE_CODE, &code);
    json_t *names = s == R1_OK && result == CURLE_OK && code == 200 ? r1_url_models(p.reply.data ? p.reply.data : "", p.reply.len) : NULL;
    if (s == R1_OK && result != CURLE_OK) s = r1_fail(err, R1_EIO, "%s: %s", address, p.why[0] ? p.why : curl_easy_strerror(result));
    if (s == R1_OK && code != 200) {
        r1_url_complaint(p.reply.data ? p.reply.data : "", p.reply.len, said, sizeof said);
        s = r1_fail(err, R1_EIO, "%s answered %ld: %s; --model-name NAME says which model is meant", address, code, said);
    }
    if (s == R1_OK && json_array_size(names) == 1) {
        u->model = strdup(json_string_value(json_array_get(names, 0)));
        if (!u->model) s = r1_fail(err, R1_ENOMEM, "no memory for a name");
    } else if (s == R1_OK) {
        char *list = json_dumps(names, JSON_COMPACT);
        s = r1_fail(err, R1_EINVAL, "%s has %zu models, expected one, or --model-name NAME: %.600s", address, json_array_size(names), list ? list : "none told");
        free(list);
    }
    json_decref(names);
    place_deinit(&p);
    free(address);
    return s;
}

r1_status r1_source_url(r1_source **out, const r1_url_options *o, r1_error *err)
{
    *out = NULL;
    pthread_once(&curl_once, curl_begin);
    url_source *u = calloc(1, sizeof *u);
    if (!u) return r1_fail(err, R1_ENOMEM, "no memory for a connection");
    u->o = *o;
    u->base = (r1_source){ run, describe, close_source };
    r1_status s = r1_url_route(o->url, "chat/completions", &u->address, err);
    if (s == R1_OK) s = add_headers(u, err);
    if (s == R1_OK && !o->model) s = ask_for_model(u, err);
    if (s == R1_OK && o->model && !(u->model = strdup(o->model))) s = r1_fail(err, R1_ENOMEM, "no memory for a name");
    u->o.model = u->model;
    if (s == R1_OK) {
        u->places = calloc((size_t)o->parallel, sizeof *u->places);
        u->multi = curl_multi_init();
        if (!u->places || !u->multi) s = r1_fail(err, R1_ENOMEM, "no memory for %d requests at once", o->parallel);
    }
    for (int i = 0; i < o->parallel && s == R1_OK; i++) s = set_up(u, &u->places[i], u->address, err);
    u->o.key = u->o.url = NULL; /* borrowed only until here */
    if (s) close_source(&u->base);
    else *out = &u->base;
    return s;
}
