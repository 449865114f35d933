/* A conversation, one line of standard input a turn. The session keeps what it has read: of each new rendering only what
 * follows the common beginning is computed. Needs jansson for the JSON of the request, and its pkg-config file.
 *
 *   cc chat.c $(pkg-config --cflags --libs r1 jansson) -o chat && ./chat MODEL */
#include <jansson.h>
#include <r1/r1.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

static bool show(void *ctx, r1_part part, const char *text, size_t n)
{
    if (part == R1_PART_ANSWER) fwrite(text, 1, n, ctx);
    return fflush(ctx) == 0;
}

/* Answer the conversation and append the answer to it. */
static r1_status turn(const r1_model *m, r1_session *s, json_t *messages, r1_error *err)
{
    int32_t *ids;
    size_t n, same = 0;
    json_t *request = json_pack("{s:O, s:b}", "messages", messages, "add_generation_prompt", 1);
    char *text = json_dumps(request, 0);
    r1_status st = r1_chat_ids(m, NULL, text, strlen(text), &ids, &n, err);
    if (st == R1_OK) {
        while (same + 1 < n && same < r1_session_length(s) && r1_session_ids(s)[same] == ids[same]) same++;
        r1_session_truncate(s, same);
        r1_generate_options o = { .sampling = R1_SAMPLING_DEFAULT, .max_tokens = 512, .think_budget = 1024, .on_text = show, .ctx = stdout };
        r1_generation g = { 0 };
        st = r1_generate(s, ids + same, n - same, &o, &g, err);
        if (st == R1_OK) json_array_append_new(messages, json_pack("{s:s, s:s}", "role", "assistant", "content", g.content));
        r1_generation_deinit(&g);
        free(ids);
    }
    free(text), json_decref(request);
    return st;
}

int main(int argc, char **argv)
{
    r1_model *m = NULL;
    r1_engine *e = NULL;
    r1_session *s = NULL;
    r1_error err = { 0 };
    char line[4096];
    r1_status st = r1_model_open(&m, argc > 1 ? argv[1] : "", NULL, &err);
    if (st == R1_OK) st = r1_engine_open(&e, m, NULL, &err);
    if (st == R1_OK) st = r1_session_open(&s, e, 0, &err);
    json_t *messages = json_array();
    while (st == R1_OK && printf("> ") && fflush(stdout) == 0 && fgets(line, sizeof line, stdin)) {
        line[strcspn(line, "\n")] = 0;
        json_array_append_new(messages, json_pack("{s:s, s:s}", "role", "user", "content", line));
        st = turn(m, s, messages, &err);
        printf("\n");
    }
    if (st) fprintf(stderr, "chat: %s\n", err.msg);
    r1_session_close(s), r1_engine_close(e), r1_model_close(m), json_decref(messages);
    return st ? 1 : 0;
}
