/* Ask a model one question and print the answer as it comes; the thinking goes to standard error.
 *
 *   cc ask.c $(pkg-config --cflags --libs r1) -o ask && ./ask MODEL "Why is the sky blue?" */
#include <r1/r1.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

static bool show(void *ctx, r1_part part, const char *text, size_t n)
{
    (void)ctx;
    FILE *f = part == R1_PART_THINKING ? stderr : stdout;
    fwrite(text, 1, n, f);
    return fflush(f) == 0;
}

/* The question as the JSON of a conversation. Quotes, backslashes and control characters are escaped. */
static char *request(const char *question)
{
    static const char head[] = "{\"messages\":[{\"role\":\"user\",\"content\":\"", tail[] = "\"}],\"add_generation_prompt\":true}";
    char *json = malloc(sizeof head + sizeof tail + 6 * strlen(question)), *p = json;
    if (!json) return NULL;
    p += sprintf(p, "%s", head);
    for (const char *q = question; *q; q++) {
        if (*q == '"' || *q == '\\') p += sprintf(p, "\\%c", *q);
        else if ((unsigned char)*q < 0x20) p += sprintf(p, "\\u%04x", *q);
        else *p++ = *q;
    }
    sprintf(p, "%s", tail);
    return json;
}

int main(int argc, char **argv)
{
    r1_model *m = NULL;
    r1_engine *e = NULL;
    r1_session *s = NULL;
    r1_error err = { 0 };
    r1_generation g = { 0 };
    int32_t *ids = NULL;
    size_t n = 0;
    if (argc != 3) return fprintf(stderr, "usage: ask MODEL QUESTION\n"), 2;
    char *json = request(argv[2]);
    r1_generate_options o = { .sampling = R1_SAMPLING_DEFAULT, .max_tokens = 512, .think_budget = -1, .on_text = show };
    bool ok = json && r1_model_open(&m, argv[1], NULL, &err) == R1_OK && r1_engine_open(&e, m, NULL, &err) == R1_OK
           && r1_session_open(&s, e, 0, &err) == R1_OK && r1_chat_ids(m, NULL, json, strlen(json), &ids, &n, &err) == R1_OK
           && r1_generate(s, ids, n, &o, &g, &err) == R1_OK;
    if (ok) printf("\n");
    else fprintf(stderr, "ask: %s\n", err.msg);
    r1_generation_deinit(&g);
    r1_session_close(s);
    r1_engine_close(e);
    r1_model_close(m);
    free(ids);
    free(json);
    return ok ? 0 : 1;
}
