/* Continue several texts at once: every step computes one token of each session, and each gets the same bits as alone.
 *
 *   cc batch.c $(pkg-config --cflags --libs r1) -o batch && ./batch MODEL "Once upon" "The sun" "Water is" */
#include <r1/r1.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

enum { MOST = 16, STEPS = 24, PROMPT = 512 };

static void stop(const r1_error *err) { fprintf(stderr, "batch: %s\n", err->msg); exit(1); }

int main(int argc, char **argv)
{
    r1_error err = { 0 };
    r1_model *m;
    r1_engine *e;
    if (argc < 3 || argc > MOST + 2) return fprintf(stderr, "usage: batch MODEL TEXT... (at most %d)\n", MOST), 2;
    if (r1_model_open(&m, argv[1], NULL, &err) || r1_engine_open(&e, m, NULL, &err)) stop(&err);
    const r1_model_info *info = r1_model_get_info(m);
    const r1_tokenizer *t = r1_model_get_tokenizer(m);
    size_t n = (size_t)argc - 2, V = (size_t)info->n_vocab;
    static int32_t prompt[MOST][PROMPT], next[MOST][STEPS];
    static r1_batch_row rows[MOST];
    r1_sampler *sampler[MOST];
    float *logits = malloc(n * V * sizeof *logits);
    if (!logits) return fprintf(stderr, "batch: no memory for %zu logits\n", n * V), 4;
    for (size_t i = 0; i < n; i++) { /* the prompts differ in length; a row takes as many tokens as it has */
        r1_sampling p = R1_SAMPLING_DEFAULT;
        p.seed = i;
        rows[i] = (r1_batch_row){ .ids = prompt[i], .logits = logits + i * V, .n_logits = 1 };
        if (r1_tokenize(t, argv[i + 2], strlen(argv[i + 2]), R1_SPECIAL_NONE, true, prompt[i], PROMPT, &rows[i].n_ids, &err)
            || r1_session_open(&rows[i].session, e, PROMPT + STEPS, &err)
            || r1_sampler_new(&sampler[i], info->n_vocab, info->n_tokens, &p, &err)) stop(&err);
    }
    for (uint64_t k = 0; k < STEPS; k++) {
        if (r1_batch_step(e, rows, n, &err)) stop(&err);
        for (size_t i = 0; i < n; i++) {
            r1_sample got;
            if (r1_sampler_sample(sampler[i], rows[i].logits, k, &got, &err)) stop(&err);
            r1_sampler_accept(sampler[i], next[i][k] = got.id);
            rows[i].ids = &next[i][k];
            rows[i].n_ids = 1;
        }
    }
    for (size_t i = 0; i < n; i++) {
        printf("%s|", argv[i + 2]);
        for (size_t k = 0, bytes; k < STEPS && !r1_token_is_eog(t, next[i][k]); k++) {
            const char *p = r1_token_bytes(t, next[i][k], &bytes);
            fwrite(p, 1, bytes, stdout);
        }
        printf("\n");
        r1_sampler_free(sampler[i]);
        r1_session_close(rows[i].session);
    }
    free(logits);
    r1_engine_close(e), r1_model_close(m);
    return 0;
}
