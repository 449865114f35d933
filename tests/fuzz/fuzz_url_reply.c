/* Fuzz target: what a server says. A byte tells as what it is read: a reply, an error, a list of models, or (what a user says) an address.
 *
 * What must hold: nothing crashes; an error has a sentence and leaves the answer alone; an answer has content, and counts that are not
 * below -1; a complaint is one printable line. */
#define _GNU_SOURCE
#include "eval/url_reply.h"
#include "tests/fuzz/require.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

static void read_reply(const char *text, size_t n)
{
    r1_eval_sample a = { .verdict = 77 };
    r1_error e = { 0 };
    r1_status s = r1_url_reply(text, n, &a, &e);
    if (s) require_error(s, &e);
    if (s) require(a.verdict == 77 && !a.content);
    else require(a.content && a.finish && a.prompt_tokens >= -1 && a.completion_tokens >= -1 && a.reasoning_tokens >= -1);
    r1_eval_sample_deinit(&a);
}

static void read_address(const char *text, size_t n)
{
    char *base = strndup(text, n), *out;
    r1_error e = { 0 };
    if (!base) return;
    r1_status s = r1_url_route(base, "models", &out, &e);
    if (s) require_error(s, &e);
    require((s == R1_OK) == (out != NULL));
    require(s || (strlen(out) >= 7 && !strcmp(out + strlen(out) - 7, "/models")));
    free(out);
    free(base);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    if (size == 0) return 0;
    const char *text = (const char *)data + 1;
    char line[400];
    switch (data[0] & 3) {
    case 0: read_reply(text, size - 1); break;
    case 1:
        r1_url_complaint(text, size - 1, line, sizeof line);
        require(strlen(line) < sizeof line && !strchr(line, '\n'));
        break;
    case 2: json_decref(r1_url_models(text, size - 1)); break;
    default: read_address(text, size - 1);
    }
    return 0;
}
