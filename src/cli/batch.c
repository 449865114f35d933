/* Keys and lines of `r1 batch`. */
#define _GNU_SOURCE
#include "cli/batch.h"
#include "base/reader.h"
#include "cli/answer.h"

#include <search.h>
#include <stdio.h>

#define LINE_MAX_BYTES ((size_t)1 << 30) /* of the output: two parts of 64 MiB, where every byte may be six letters */

/* ---- keys ------------------------------------------------------------------------------------------------------ */

static int compare(const void *a, const void *b) { return strcmp(((const r1_batch_key *)a)->key, ((const r1_batch_key *)b)->key); }

r1_batch_key *r1_batch_key_of(r1_batch_keys *k, const char *key)
{
    size_t n = strlen(key) + 1;
    r1_batch_key *made = calloc(1, sizeof *made + n);
    if (!made) return NULL;
    memcpy(made->key, key, n);
    r1_batch_key **at = tsearch(made, &k->root, compare);
    r1_batch_key *found = at ? *at : NULL;
    if (found != made) free(made);
    return found;
}

void r1_batch_keys_deinit(r1_batch_keys *k)
{
    tdestroy(k->root, free);
    *k = (r1_batch_keys){ 0 };
}

/* The key of a line of output; the caller frees it. */
static r1_status key_of_line(const r1_line *line, char **key, r1_error *err)
{
    json_t *v;
    *key = NULL;
    r1_status s = r1_json_parse(&v, line->text, line->n, err);
    if (s) return s;
    const json_t *id = json_object_get(v, "id"), *number = json_object_get(v, "line");
    int n = 0;
    if (json_is_string(id) || json_is_integer(id)) *key = json_dumps(id, JSON_ENCODE_ANY | JSON_COMPACT);
    else if (json_is_null(id) && json_is_integer(number)) n = asprintf(key, "#%lld", (long long)json_integer_value(number));
    else s = r1_fail(err, R1_EFORMAT, "it has no 'id' and no 'line': these are no results of r1 batch");
    if (n < 0) *key = NULL;
    if (s == R1_OK && !*key) s = r1_fail(err, R1_ENOMEM, "no memory for an id");
    json_decref(v);
    return s;
}

static r1_status add_line(r1_batch_keys *k, const r1_line *line, r1_error *err)
{
    char *text;
    if (line->kind == R1_LINE_TOO_LONG) return r1_fail(err, R1_EFORMAT, "it has more than %zu bytes", LINE_MAX_BYTES);
    r1_status s = key_of_line(line, &text, err);
    if (s) return s;
    r1_batch_key *key = r1_batch_key_of(k, text);
    if (!key) s = r1_fail(err, R1_ENOMEM, "no memory for an id");
    else if (key->out_line) s = r1_fail(err, R1_EFORMAT, "its id %.300s stands in line %llu, too", text, (unsigned long long)key->out_line);
    else key->out_line = line->number;
    k->n_done += s == R1_OK;
    free(text);
    return s;
}

r1_status r1_batch_keys_read(r1_batch_keys *k, const char *path, r1_error *err)
{
    r1_reader l;
    r1_line line;
    r1_status s = r1_reader_open(&l, path, LINE_MAX_BYTES, err);
    if (s) return s;
    while ((s = r1_reader_next(&l, true, &line, err)) == R1_OK && line.kind != R1_LINE_END && !r1_interrupted()) {
        if (line.kind == R1_LINE_NONE || !line.whole) continue; /* a piece of one is made again */
        s = r1_context(err, add_line(k, &line, err), "'%s', line %llu", path, (unsigned long long)line.number);
        if (s) break;
    }
    r1_reader_close(&l);
    return s;
}

/* ---- lines ----------------------------------------------------------------------------------------------------- */

/* Takes v. */
static char *text_of(json_t *v)
{
    char *text = v ? json_dumps(v, JSON_COMPACT) : NULL;
    json_decref(v);
    return text;
}

static json_t *id_of(const char *id) { return id ? json_loads(id, JSON_DECODE_ANY | JSON_ALLOW_NUL, NULL) : json_null(); }

char *r1_batch_answer_text(const char *id, uint64_t seed, const r1_generation *g)
{
    json_t *usage = json_pack("{s:I, s:I, s:I, s:{s:I}}", "prompt_tokens", (json_int_t)g->n_prompt, "completion_tokens", (json_int_t)g->n_ids, "total_tokens",
                              (json_int_t)(g->n_prompt + g->n_ids), "completion_tokens_details", "reasoning_tokens", (json_int_t)g->n_reasoning_ids);
    return text_of(json_pack("{s:o, s:o, s:o, s:s, s:I, s:o}", "id", id_of(id), "content", r1_json_text(g->content, g->n_content), "reasoning_content",
                             r1_json_text(g->reasoning, g->n_reasoning), "finish_reason", r1_finish_name(g->finish), "seed", (json_int_t)seed, "usage", usage));
}

static const char *kind_of(r1_status s)
{
    switch (s) {
    case R1_EINVAL: case R1_EFORMAT: return "invalid_request";
    case R1_ELIMIT: return "too_long";
    case R1_ENOMEM: return "no_memory";
    case R1_EUNSUPPORTED: return "unsupported";
    default: return "failed";
    }
}

char *r1_batch_error_text(const char *id, uint64_t line, r1_status status, const char *message)
{
    json_t *v = json_pack("{s:o, s:{s:o, s:s}}", "id", id_of(id), "error", "message", r1_json_text(message, strlen(message)), "type", kind_of(status));
    if (v && !id) json_object_set_new(v, "line", json_integer((json_int_t)line));
    return text_of(v);
}
