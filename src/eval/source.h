/* source: where answers come from. A source pulls questions from a feed, answers as many at once as it likes, in any order, and
 * hands each answer back. Two of them: a server that speaks the OpenAI dialect (source_url.c) and a local model
 * (source_model.c).
 *
 * Threads: all calls of a feed come from the thread that called run; `done` may wait there until a grader is free.
 */
#ifndef R1_EVAL_SOURCE_H
#define R1_EVAL_SOURCE_H

#include "eval/eval.h"
#include "eval/samples.h"

/* One question. */
typedef struct r1_ask {
    size_t task, item;
    uint32_t sample;
    uint64_t seed;
    const char *prompt;          /* lives as long as the run */
} r1_ask;

typedef struct r1_feed {
    bool (*next)(void *ctx, r1_ask *out);      /* false: no question is left */
    /* The texts of *answer are taken over, whatever is returned. Only these need to be set: prompt_tokens to `finish`, content,
     * reasoning, error; or verdict 0 and a reason, for what cannot be asked. An error of its own ends the run. */
    r1_status (*done)(void *ctx, const r1_ask *ask, r1_eval_sample *answer, r1_error *err);
    bool (*go_on)(void *ctx);                  /* asked often; false: stop, R1_ECANCELLED */
    void (*note)(void *ctx, const char *text); /* a sentence for the user, who sees each different one once */
    void (*tokens)(void *ctx, size_t n);       /* so many more were generated: for the speed that is shown */
    void *ctx;
} r1_feed;

/* How answers are sampled; what a source does not know it must refuse. */
typedef struct r1_eval_sampling {
    double temperature, top_p, min_p;
    int64_t top_k;               /* 0: off */
    int64_t max_tokens;          /* >= 1 */
    int64_t think_budget;        /* -1: none */
} r1_eval_sampling;

typedef struct r1_source r1_source;
struct r1_source {
    /* Answer everything the feed has. Errors end the run: of the feed, R1_ECANCELLED, or what makes every question fail. A
     * question that fails alone becomes an answer with `error`. */
    r1_status (*run)(r1_source *s, const r1_feed *feed, r1_error *err);
    /* What is asked, for run.json: an object whose members tell models apart. NULL: no memory. */
    json_t *(*describe)(const r1_source *s);
    void (*close)(r1_source *s); /* frees s */
};

/* ---- a server ---- */

typedef struct r1_url_options {
    const char *url;             /* "http://host:port", ".../v1" or ".../v1/chat/completions" */
    const char *model;           /* its name there; NULL: the only one it has */
    const char *key;             /* NULL: none. Sent, and kept nowhere else */
    int parallel;                /* requests at once, >= 1 */
    double timeout_s;            /* of one request */
    int tries;                   /* of one question, >= 1 */
    bool completion_tokens;      /* the limit of tokens is called max_completion_tokens; found out by itself when a server says so */
    r1_eval_sampling sampling;
} r1_url_options;

/* Libcurl finds proxies in the environment. Borrows the texts until it returns.
 * Errors: R1_EINVAL (the address), R1_EIO (no answer, or no such model: names what there is), R1_ENOMEM. */
r1_status r1_source_url(r1_source **out, const r1_url_options *o, r1_error *err) R1_MUST_CHECK;

/* ---- a local model ---- */

typedef struct r1_model_source_options {
    const r1_model *model;       /* must outlive the source */
    const char *path;            /* where it came from */
    const char *template;        /* of the chat; NULL: the model's own. Must outlive the source */
    size_t context, parallel;    /* 0: the model's own length; as the scheduler likes it */
    bool loop_guard;             /* end answers that repeat themselves: saves time, and is not the paper's protocol */
    r1_engine_options engine;    /* go_on is set here */
    r1_eval_sampling sampling;   /* max_tokens is clamped to what the context leaves, with a note */
} r1_model_source_options;

/* A prompt that does not fit into the context is a wrong sample with the reason "prompt_too_long".
 * Errors: those of r1_engine_open and r1_scheduler_open. */
r1_status r1_source_model(r1_source **out, const r1_model_source_options *o, r1_error *err) R1_MUST_CHECK;

#endif
