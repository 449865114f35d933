/* Fuzz target: a request in JSON, as a line of `r1 batch`. What is taken is within the ranges that r1.h states and a sampler is made
 * of it; what is refused says why in a sentence and leaves nothing but an id. An id is JSON again. */
#include "engine/request.h"
#include "tests/fuzz/require.h"
#include "text/reasoning.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

static void check_id(const char *id)
{
    json_t *v;
    require(r1_json_parse(&v, id, strlen(id), NULL) == R1_OK);
    require(json_is_integer(v) || (json_is_string(v) && json_string_length(v) <= R1_ASK_ID_MAX));
    require(r1_seed_of(1, id, strlen(id)) >> 63 == 0);
    json_decref(v);
}

static void check_options(const r1_generate_options *o)
{
    enum { VOCABULARY = 64 };
    r1_sampler *s;
    r1_error e = { 0 };
    require(o->n_stop <= R1_STOP_MAX && o->sampling.n_bias <= R1_ASK_BIAS_MAX && o->think_budget >= -1 && o->sampling.seed >> 63 == 0);
    for (size_t i = 0; i < o->n_stop; i++) require(o->stop[i][0] && strlen(o->stop[i]) <= R1_STOP_BYTES_MAX);
    r1_status st = r1_sampler_new(&s, VOCABULARY, VOCABULARY, &o->sampling, &e);
    require(st == R1_OK || (st == R1_EINVAL && strstr(e.msg, "bias"))); /* only the vocabulary was not known */
    r1_sampler_free(s);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    static const r1_generate_options usual = R1_GENERATE_DEFAULT;
    r1_ask a;
    r1_error e = { 0 };
    r1_status s = r1_ask_parse(&a, (const char *)data, size, &usual, &e);
    if (a.id) check_id(a.id);
    if (s) {
        require_error(s, &e);
        require(s == R1_EFORMAT && !a.json && !a.stop && !a.bias);
    } else {
        check_options(&a.options);
    }
    r1_ask_deinit(&a);
    return 0;
}
