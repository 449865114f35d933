/* Requests in JSON: each field alone and wrong, what is not given, what is refused; and seeds that follow from others. */
#include "tests/test.h"
#include "engine/request.h"
#include "text/reasoning.h"

static const r1_generate_options usual = { .sampling = { .temperature = 0.6f, .top_p = 0.95f, .top_k = 3, .repetition_penalty = 1.1f, .penalty_window = 64, .seed = 9 },
                                           .think_budget = 77, .max_tokens = 55 };

static r1_status parse(r1_ask *a, const char *text, r1_error *e) { return r1_ask_parse(a, text, strlen(text), &usual, e); }

TEST(what_is_not_given_is_the_callers)
{
    r1_ask a;
    r1_error e = { 0 };
    static const char *const same[] = { "{\"id\":\"x\",\"prompt\":\"hi\"}",
        "{\"id\":\"x\",\"prompt\":\"hi\",\"messages\":null,\"temperature\":null,\"top_p\":null,\"top_k\":null,\"min_p\":null,\"seed\":null,\"max_tokens\":null,\"stop\":null,"
        "\"repetition_penalty\":null,\"presence_penalty\":null,\"frequency_penalty\":null,\"penalty_window\":null,\"logit_bias\":null,\"think_budget\":null,\"ignore_eos\":null}" };
    for (size_t i = 0; i < 2; i++) {
        EXPECT_OK(parse(&a, same[i], &e), &e);
        EXPECT_STR(a.id, "\"x\"");
        EXPECT(!a.seed_given && !memcmp(&a.options, &usual, sizeof usual));
        r1_ask_deinit(&a);
    }
    EXPECT_OK(parse(&a, "{\"messages\":[{\"role\":\"user\",\"content\":\"hi\"}]}", &e), &e);
    EXPECT_NULL(a.id);
    r1_ask_deinit(&a);
    r1_ask_deinit(&a); /* twice is fine */
}

TEST(every_field_is_taken)
{
    r1_ask a;
    r1_error e = { 0 };
    EXPECT_OK(parse(&a, "{\"id\":12,\"prompt\":\"hi\",\"temperature\":1.5,\"top_p\":0.5,\"top_k\":7,\"min_p\":0.25,\"seed\":9223372036854775807,\"max_tokens\":3,"
                        "\"stop\":[\"a\",\"bc\"],\"repetition_penalty\":1.25,\"presence_penalty\":-2,\"frequency_penalty\":2.5,\"penalty_window\":-1,"
                        "\"logit_bias\":{\"13\":-5,\"0\":0.5},\"think_budget\":0,\"ignore_eos\":true}", &e), &e);
    const r1_generate_options *o = &a.options;
    const r1_sampling *p = &o->sampling;
    EXPECT_STR(a.id, "12");
    EXPECT(p->temperature == 1.5f && p->top_p == 0.5f && p->top_k == 7 && p->min_p == 0.25f && a.seed_given && p->seed == INT64_MAX && o->max_tokens == 3);
    EXPECT(p->repetition_penalty == 1.25f && p->presence_penalty == -2 && p->frequency_penalty == 2.5f && p->penalty_window == -1 && o->think_budget == 0 && o->ignore_eos);
    EXPECT(p->n_bias == 2 && p->bias[0].id == 13 && p->bias[0].bias == -5 && p->bias[1].id == 0 && p->bias[1].bias == 0.5f);
    EXPECT_INT(o->n_stop, 2);
    EXPECT_STR(o->stop[0], "a");
    EXPECT_STR(o->stop[1], "bc");
    r1_ask_deinit(&a);
    EXPECT_OK(parse(&a, "{\"prompt\":\"hi\",\"stop\":\"end\",\"top_k\":-1}", &e), &e);
    EXPECT(a.options.n_stop == 1 && !strcmp(a.options.stop[0], "end") && a.options.sampling.top_k == 0);
    r1_ask_deinit(&a);
}

TEST(what_is_wrong_is_named)
{
    static const struct { const char *text, *words[2]; } cases[] = {
        { "", { "JSON", "" } }, { "[1]", { "an array", "object" } }, { "{\"prompt\":\"a\"", { "JSON", "" } }, { "{\"prompt\":\"a\"} x", { "JSON", "" } },
        { "{\"prompt\":\"a\",\"prompt\":\"b\"}", { "JSON", "prompt" } }, { "{}", { "neither", "" } }, { "{\"prompt\":\"a\",\"messages\":[]}", { "both", "" } },
        { "{\"prompt\":\"\"}", { "'prompt' is empty", "" } }, { "{\"prompt\":7}", { "'prompt' is an integer", "a string" } },
        { "{\"messages\":{}}", { "'messages' is an object", "an array" } }, { "{\"messages\":[]}", { "'messages' is empty", "" } },
        { "{\"id\":[],\"prompt\":\"a\"}", { "'id' is an array", "a string or an integer" } }, { "{\"id\":1.5,\"prompt\":\"a\"}", { "'id' is a fraction", "" } },
        { "{\"prompt\":\"a\",\"n\":2}", { "'n' is no field", "top_p" } }, { "{\"prompt\":\"a\",\"max_token\":2}", { "'max_token' is no field", "max_tokens" } },
        { "{\"prompt\":\"a\",\"temperature\":\"1\"}", { "'temperature' is a string", "a number" } }, { "{\"prompt\":\"a\",\"temperature\":-0.1}", { "'temperature' is -0.1", "0 to 100" } },
        { "{\"prompt\":\"a\",\"temperature\":1e300}", { "1e+300", "0 to 100" } }, { "{\"prompt\":\"a\",\"top_p\":1.1}", { "'top_p' is 1.1", "0 to 1" } },
        { "{\"prompt\":\"a\",\"min_p\":-1}", { "'min_p'", "0 to 1" } }, { "{\"prompt\":\"a\",\"top_k\":2.5}", { "'top_k' is a fraction", "integer" } },
        { "{\"prompt\":\"a\",\"top_k\":3000000000}", { "'top_k' is 3000000000", "" } }, { "{\"prompt\":\"a\",\"seed\":-1}", { "'seed' is -1", "" } },
        { "{\"prompt\":\"a\",\"max_tokens\":0}", { "'max_tokens' is 0", "expected 1" } }, { "{\"prompt\":\"a\",\"repetition_penalty\":0}", { "'repetition_penalty' is 0", "0.01 to 10" } },
        { "{\"prompt\":\"a\",\"presence_penalty\":101}", { "'presence_penalty'", "" } }, { "{\"prompt\":\"a\",\"frequency_penalty\":-101}", { "'frequency_penalty'", "" } },
        { "{\"prompt\":\"a\",\"penalty_window\":-2}", { "'penalty_window' is -2", "" } }, { "{\"prompt\":\"a\",\"think_budget\":-2}", { "'think_budget' is -2", "" } },
        { "{\"prompt\":\"a\",\"ignore_eos\":1}", { "'ignore_eos' is an integer", "true or false" } }, { "{\"prompt\":\"a\",\"stop\":1}", { "'stop' is an integer", "" } },
        { "{\"prompt\":\"a\",\"stop\":[1]}", { "'stop' 0 is an integer", "" } }, { "{\"prompt\":\"a\",\"stop\":[\"a\",\"\"]}", { "'stop' 1 has 0 bytes", "" } },
        { "{\"prompt\":\"a\",\"stop\":\"a\\u0000b\"}", { "NUL", "" } }, { "{\"prompt\":\"a\",\"logit_bias\":[]}", { "'logit_bias' is an array", "" } },
        { "{\"prompt\":\"a\",\"logit_bias\":{\"x\":1}}", { "token 'x'", "" } }, { "{\"prompt\":\"a\",\"logit_bias\":{\"-1\":1}}", { "token '-1'", "" } },
        { "{\"prompt\":\"a\",\"logit_bias\":{\"01\":1}}", { "token '01'", "" } }, { "{\"prompt\":\"a\",\"logit_bias\":{\"1\":\"x\"}}", { "token 1 is a string", "" } },
        { "{\"prompt\":\"a\",\"logit_bias\":{\"1\":1e7}}", { "token 1 is 1e+07", "" } }, { "{\"prompt\":\"a\",\"logit_bias\":{\"9999999999\":1}}", { "9999999999", "" } },
    };
    for (size_t i = 0; i < R1_COUNT(cases); i++) {
        r1_ask a;
        r1_error e = { 0 };
        EXPECT_STATUS(parse(&a, cases[i].text, &e), R1_EFORMAT);
        for (size_t k = 0; k < 2; k++) EXPECT_CONTAINS(e.msg, cases[i].words[k]);
        EXPECT(!a.json && !a.stop && !a.bias);
        r1_ask_deinit(&a);
    }
}

/* What is wrong behind the id can still be told with it. */
TEST(the_id_of_a_wrong_request_is_there)
{
    r1_ask a;
    r1_error e = { 0 };
    EXPECT_STATUS(parse(&a, "{\"prompt\":\"a\",\"n\":1,\"id\":\"\\u00e9\\n\"}", &e), R1_EFORMAT);
    EXPECT_STR(a.id, "\"\xC3\xA9\\n\"");
    r1_ask_deinit(&a);
    char text[R1_ASK_ID_MAX + 64];
    memset(text, 'x', sizeof text);
    memcpy(text, "{\"id\":\"", 7);
    strcpy(text + 7 + R1_ASK_ID_MAX + 1, "\",\"prompt\":\"a\"}");
    EXPECT_STATUS(parse(&a, text, &e), R1_EFORMAT);
    EXPECT_CONTAINS(e.msg, "257 bytes");
    EXPECT_NULL(a.id);
    r1_ask_deinit(&a);
    strcpy(text + 7 + R1_ASK_ID_MAX, "\",\"prompt\":\"a\"}");
    EXPECT_OK(parse(&a, text, &e), &e);
    r1_ask_deinit(&a);
}

TEST(too_many_of_anything_is_refused)
{
    r1_ask a;
    r1_error e = { 0 };
    char *text = malloc(64 * R1_ASK_BIAS_MAX);
    for (size_t n = R1_STOP_MAX; n <= R1_STOP_MAX + 1; n++) {
        char *p = text + sprintf(text, "{\"prompt\":\"a\",\"stop\":[\"0\"");
        for (size_t i = 1; i < n; i++) p += sprintf(p, ",\"%zu\"", i);
        strcpy(p, "]}");
        EXPECT_STATUS(parse(&a, text, &e), n > R1_STOP_MAX ? R1_EFORMAT : R1_OK);
        r1_ask_deinit(&a);
    }
    EXPECT_CONTAINS(e.msg, "17 strings, expected at most 16");
    for (size_t n = R1_ASK_BIAS_MAX; n <= R1_ASK_BIAS_MAX + 1; n++) {
        char *p = text + sprintf(text, "{\"prompt\":\"a\",\"logit_bias\":{\"0\":1");
        for (size_t i = 1; i < n; i++) p += sprintf(p, ",\"%zu\":1", i);
        strcpy(p, "}}");
        EXPECT_STATUS(parse(&a, text, &e), n > R1_ASK_BIAS_MAX ? R1_EFORMAT : R1_OK);
        r1_ask_deinit(&a);
    }
    EXPECT_CONTAINS(e.msg, "1025 tokens, expected at most 1024");
    free(text);
}

/* Recorded: results that were made with them must be made again. */
TEST(seeds_of_texts_are_always_the_same)
{
    EXPECT_INT(r1_seed_of(0, "\"a\"", 3), r1_seed_of(0, "\"a\"", 3));
    EXPECT(r1_seed_of(0, "\"a\"", 3) != r1_seed_of(1, "\"a\"", 3) && r1_seed_of(0, "\"a\"", 3) != r1_seed_of(0, "\"b\"", 3));
    for (uint64_t seed = 0; seed < 1000; seed++) EXPECT(r1_seed_of(seed * 0x9E3779B97F4A7C15u, "7", 1) >> 63 == 0);
    EXPECT_INT(r1_seed_of(0, "", 0), 960271058556731467);
    EXPECT_INT(r1_seed_of(1, "\"a1\"", 4), 6858290898015855532);
}
