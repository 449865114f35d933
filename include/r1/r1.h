/* libr1: run models of the DeepSeek-R1 family from C.
 *
 * The public interface. Everything a C program needs to open a model, keep conversations, run batches of them,
 * sample, split thinking from answer, and turn text into ids and back. Three complete programs are in examples/.
 *
 * Conventions
 *   Errors   Every fallible function returns r1_status and fills *err (last parameter, may be NULL) with one sentence
 *            that names what was found and what was expected. After a failure output pointers are NULL and objects
 *            given in are as before, unless the function says otherwise.
 *   Memory   _open/_new make, _close/_free destroy and accept NULL. Parameters are borrowed; a `const T *` returned
 *            lives as long as its object.
 *   Threads  r1_model and r1_tokenizer are immutable once open and may be shared. An r1_engine, with its sessions, is
 *            used by one thread at a time.
 *   The library never exits, prints or reads the environment.
 */
#ifndef R1_R1_H
#define R1_R1_H

#include <stddef.h>
#include <stdint.h>
#include <stdbool.h>

#ifdef __cplusplus
extern "C" {
#endif

#define R1_VERSION "0.1.0"

#if defined(__GNUC__)
#define R1_API __attribute__((visibility("default")))
#define R1_MUST_CHECK __attribute__((warn_unused_result))
#else
#define R1_API
#define R1_MUST_CHECK
#endif

/* ---- errors ---------------------------------------------------------------------------------------------------- */

typedef enum r1_status {
    R1_OK = 0,
    R1_EINVAL,       /* an argument is outside its documented range */
    R1_ENOMEM,       /* not enough memory or disk; the message names needed and available */
    R1_EIO,          /* the operating system refused to read or write */
    R1_EFORMAT,      /* a file, request or text from outside is wrong */
    R1_EUNSUPPORTED, /* well-formed, but not something r1 knows; the message names what is */
    R1_ELIMIT,       /* a stated limit, such as the context length, would be exceeded */
    R1_ECANCELLED    /* the caller asked to stop */
} r1_status;

#define R1_ERROR_MAX 1024

typedef struct r1_error {
    r1_status status;
    char msg[R1_ERROR_MAX]; /* NUL-terminated UTF-8, one line */
} r1_error;

/* ---- models ---------------------------------------------------------------------------------------------------- */

typedef enum r1_cpu_level { R1_CPU_AUTO, R1_CPU_SCALAR, R1_CPU_AVX2, R1_CPU_AVX512, R1_CPU_AMX, R1_CPU_NEON } r1_cpu_level;

/* What activations are rounded to before a product with a weight. AUTO: int8 for quantised weights, float32 for the
 * others. F32: the slow reference path, nothing between two weights is rounded below float32. */
typedef enum r1_activations { R1_ACTIVATIONS_AUTO, R1_ACTIVATIONS_F32, R1_ACTIVATIONS_BF16, R1_ACTIVATIONS_INT8 } r1_activations;

/* How keys and values are kept. AUTO: F32 for the latents of deepseek models (small, and every head is made from them) and
 * where activations are float32 throughout, else F16. */
typedef enum r1_kv_type { R1_KV_AUTO, R1_KV_F16, R1_KV_BF16, R1_KV_Q8_0, R1_KV_F32 } r1_kv_type;

typedef struct r1_model r1_model;
typedef struct r1_tokenizer r1_tokenizer;

typedef struct r1_model_options {
    r1_cpu_level cpu;           /* AUTO: the best this machine has */
    r1_activations activations;
    bool mla_expanded;          /* latent attention in expanded instead of absorbed form (same function, other rounding) */
    bool vocabulary_only;       /* no weights: tokenizer, template and metadata only */
    int n_threads;              /* used while loading; 0: physical cores */
    bool (*progress)(void *ctx, double fraction); /* may be NULL; return false to cancel */
    void *progress_ctx;
} r1_model_options;

/* Open a GGUF file (the first part of a split one), a packed file or a Hugging Face directory.
 *
 *   options  NULL: all defaults
 * Errors:  R1_EFORMAT, R1_EUNSUPPORTED, R1_EIO, R1_ENOMEM, R1_ECANCELLED; *out is NULL.
 * Memory:  the files are mapped; quantised weights are repacked once, and the pages they came from given back. Those of a packed
 *          file are used where they lie. */
R1_API r1_status r1_model_open(r1_model **out, const char *path, const r1_model_options *options, r1_error *err) R1_MUST_CHECK;
R1_API void r1_model_close(r1_model *m);

typedef struct r1_model_info {
    const char *architecture; /* "llama", "qwen2", "deepseek_v2", "deepseek_v3" */
    const char *name;         /* may be "" */
    const char *template_name;/* the chat template chosen, "" when none is known */
    int32_t n_layers, n_embd, n_heads, n_kv_heads;
    int32_t n_vocab;          /* rows of logits, padding included */
    int32_t n_tokens;         /* ids the tokenizer knows; logits from here on are padding */
    int32_t n_ctx_train;      /* context length the model was made for */
    uint64_t parameters, parameters_active;
    uint64_t weight_bytes;
    const char *cpu_level;    /* "scalar", "avx2", "avx512", "amx" */
} r1_model_info;

R1_API const r1_model_info *r1_model_get_info(const r1_model *m);
R1_API const r1_tokenizer *r1_model_get_tokenizer(const r1_model *m);

/* ---- tokenizer ------------------------------------------------------------------------------------------------- */

typedef enum r1_special {
    R1_SPECIAL_NONE,  /* added tokens in the text are plain text: use for everything that comes from outside */
    R1_SPECIAL_ALL    /* added tokens become their ids */
} r1_special;

/* Encode text[0..n) (valid UTF-8 or not; invalid bytes are encoded as bytes).
 *
 *   ids      [cap] may be NULL when cap is 0;  *n_ids receives the count, also when it exceeds cap
 * Errors:  R1_ELIMIT when cap is too small, R1_ENOMEM, R1_EINVAL for text over 1 GiB.   Time: O(n log n).
 * Threads: any. */
R1_API r1_status r1_tokenize(const r1_tokenizer *t, const char *text, size_t n, r1_special special, bool add_bos,
                             int32_t *ids, size_t cap, size_t *n_ids, r1_error *err) R1_MUST_CHECK;

/* The bytes of one token, not NUL-terminated and not always whole characters. NULL and 0 for an unknown id. */
R1_API const char *r1_token_bytes(const r1_tokenizer *t, int32_t id, size_t *n);
R1_API bool r1_token_is_eog(const r1_tokenizer *t, int32_t id); /* ends a generation */

/* ---- sessions -------------------------------------------------------------------------------------------------- */

typedef struct r1_engine r1_engine;
typedef struct r1_session r1_session;

typedef struct r1_engine_options {
    int n_threads;      /* 0: physical cores */
    int chunk;          /* prefill chunk in tokens, 0: 512; changes speed and scratch memory, never a bit of the result */
    r1_kv_type kv;
    bool (*go_on)(void *ctx); /* may be NULL; asked before each layer of a batch step; false ends the step with R1_ECANCELLED */
    void *go_on_ctx;
} r1_engine_options;

/* An engine runs the sessions of one model. Memory: threads and scratch for one chunk; borrows the model. */
R1_API r1_status r1_engine_open(r1_engine **out, const r1_model *m, const r1_engine_options *options, r1_error *err) R1_MUST_CHECK;
R1_API void r1_engine_close(r1_engine *e); /* after its sessions */

/* One timeline of tokens, at most n_ctx long (0: the model's own length). Pages are taken as it grows. */
R1_API r1_status r1_session_open(r1_session **out, r1_engine *e, size_t n_ctx, r1_error *err) R1_MUST_CHECK;
R1_API void r1_session_close(r1_session *s);
R1_API size_t r1_session_length(const r1_session *s);
R1_API size_t r1_session_context(const r1_session *s);
R1_API const int32_t *r1_session_ids(const r1_session *s); /* the tokens so far; until the next step */
R1_API void r1_session_truncate(r1_session *s, size_t n);  /* keep the first n tokens */
/* A new session that begins with the first n tokens of another and goes on by itself; n_ctx 0: as that one's. Whole pages are
 * held by both, so it costs no time and hardly memory. Errors: R1_EINVAL, R1_ELIMIT when n is too much, R1_ENOMEM. */
R1_API r1_status r1_session_fork(r1_session **out, const r1_session *from, size_t n, size_t n_ctx, r1_error *err) R1_MUST_CHECK;

/* One row of a batch step: append ids to a session and ask for logits. */
typedef struct r1_batch_row {
    r1_session *session;    /* each at most once in a batch */
    const int32_t *ids;     /* [n_ids] */
    size_t n_ids;           /* >= 1 */
    float *logits;          /* [n_logits, n_vocab], of the last n_logits of ids; NULL when n_logits is 0 */
    size_t n_logits;
} r1_batch_row;

/* Run every row; the result of each is bit for bit what it would be alone.
 *
 * Errors:  R1_ELIMIT names length, request and limit; R1_EINVAL names the id out of range; R1_ENOMEM; R1_ECANCELLED by go_on. The
 *          sessions are then as before. */
R1_API r1_status r1_batch_step(r1_engine *e, r1_batch_row *rows, size_t n_rows, r1_error *err) R1_MUST_CHECK;

/* ---- sampling -------------------------------------------------------------------------------------------------- */

typedef struct r1_logit_bias { int32_t id; float bias; } r1_logit_bias;

typedef struct r1_sampling {
    float temperature;        /* 0: greedy */
    int32_t top_k;            /* 0: off */
    float top_p;              /* 1: off */
    float min_p;              /* 0: off */
    float repetition_penalty; /* 1: off; divides positive, multiplies negative logits of tokens in the window */
    float presence_penalty, frequency_penalty; /* 0: off */
    int32_t penalty_window;   /* last tokens the penalties look at; -1: all, 0: none */
    uint64_t seed;
    const r1_logit_bias *bias; size_t n_bias;
    int32_t n_top;            /* alternatives to report, at most R1_TOP_MAX */
} r1_sampling;

#define R1_TOP_MAX 20
#define R1_SAMPLING_DEFAULT { .temperature = 0.6f, .top_k = 0, .top_p = 0.95f, .repetition_penalty = 1.0f, .penalty_window = 64 }

typedef struct r1_token_prob { int32_t id; float logprob; } r1_token_prob;

typedef struct r1_sample {
    int32_t id;
    float logprob;            /* natural log of the model's own probability (temperature 1, before penalties) */
    int32_t n_top;
    r1_token_prob top[R1_TOP_MAX]; /* descending; ties by ascending id */
} r1_sample;

typedef struct r1_sampler r1_sampler;

/* n_vocab: rows of logits; n_tokens: rows from here on are padding and never chosen.
 * Errors: R1_EINVAL names the field, its value and its range. */
R1_API r1_status r1_sampler_new(r1_sampler **out, int32_t n_vocab, int32_t n_tokens, const r1_sampling *p, r1_error *err) R1_MUST_CHECK;
R1_API void r1_sampler_free(r1_sampler *s);
R1_API void r1_sampler_accept(r1_sampler *s, int32_t id); /* add a token (of the prompt too) to the penalty window */

/* Choose the token at `position` of the stream; a pure function of (logits, window, seed, position).
 * Errors: R1_EINVAL when no finite logit is left.   Memory: none allocated.   Time: O(n_vocab). */
R1_API r1_status r1_sampler_sample(r1_sampler *s, const float *logits, uint64_t position, r1_sample *out, r1_error *err) R1_MUST_CHECK;

/* ---- conversations --------------------------------------------------------------------------------------------- */

typedef enum r1_part { R1_PART_THINKING, R1_PART_ANSWER } r1_part;

/* Render a conversation for this model into ids, the safe way: added tokens count only where the template wrote them.
 *
 *   request  JSON object: messages, tools, add_generation_prompt, continue_final_message, options
 *   name     template name, NULL: the model's own
 * Memory: *ids is malloc'ed, the caller frees it. */
R1_API r1_status r1_chat_ids(const r1_model *m, const char *name, const char *request, size_t n,
                             int32_t **ids, size_t *n_ids, r1_error *err) R1_MUST_CHECK;

typedef enum r1_finish { R1_FINISH_STOP, R1_FINISH_LENGTH, R1_FINISH_CANCELLED } r1_finish;

/* Guessing ahead from text that repeats itself, so that one step gives several tokens. Each guess is checked against what the
 * sampler chooses: ids, log-probabilities, text and calls are the same bits with and without it. */
#define R1_SPECULATION_AUTO 0  /* as many guesses as pay, by measured times; usually none where nothing repeats */
#define R1_SPECULATION_OFF (-1)
#define R1_SPECULATION_MAX 8   /* 1 to 8: always so many where there is something to guess from */

typedef struct r1_generate_options {
    r1_sampling sampling;
    size_t max_tokens;         /* 0: what the context leaves */
    long think_budget;         /* tokens of thinking before it is closed; < 0: no limit */
    bool ignore_eos;
    bool raw;                  /* no reasoning machine: everything is answer */
    bool no_loop_guard;        /* let a model that repeats itself go on */
    const char *const *stop; size_t n_stop; /* at most 16, at most 256 bytes each; matched in the answer */
    /* Called for each piece of finished text and never taken back; return false to stop: it is not called again, and text
     * that was held back goes to *out only. */
    bool (*on_text)(void *ctx, r1_part part, const char *text, size_t n);
    bool (*on_token)(void *ctx, const r1_sample *token);
    bool (*on_prefill)(void *ctx, size_t done, size_t total);
    void *ctx;
    int speculation;           /* R1_SPECULATION_AUTO, _OFF, or 1 to R1_SPECULATION_MAX */
} r1_generate_options;

/* Start from this: a structure of zeros would close every thought at once. */
#define R1_GENERATE_DEFAULT { .sampling = R1_SAMPLING_DEFAULT, .think_budget = -1 }

typedef struct r1_generation {
    char *content; size_t n_content;       /* answer, UTF-8, NUL-terminated */
    char *reasoning; size_t n_reasoning;   /* thinking */
    int32_t *ids; size_t n_ids;            /* every generated id, forced ones included */
    float *logprobs;                       /* [n_ids] */
    size_t n_prompt, n_reasoning_ids;
    r1_finish finish;
    bool budget_closed, loop_closed;       /* thinking was closed by the budget; the loop guard acted */
    double prefill_s, decode_s;
    size_t n_drafted, n_accepted;          /* tokens guessed ahead, and how many of them came true; of AUTO they depend on times */
} r1_generation;

/* Append prompt to the session and generate. The session then holds prompt and generated tokens but the last.
 * Errors: R1_ELIMIT when prompt does not fit (both numbers), others as r1_batch_step; what was made so far is in *out.
 * Memory: *out is filled also after an error; r1_generation_deinit frees what it holds. */
R1_API r1_status r1_generate(r1_session *s, const int32_t *prompt, size_t n_prompt, const r1_generate_options *o,
                             r1_generation *out, r1_error *err) R1_MUST_CHECK;
R1_API void r1_generation_deinit(r1_generation *g);

/* ---- many generations at once ----------------------------------------------------------------------------------- */

/* A scheduler makes many generations in common batch steps: each finished one makes room for the next, prompts are read beside
 * answers that are being written, and what the beginnings of prompts have in common is read once. Each result is, bit for bit,
 * that of r1_generate alone in an empty session of the same context.
 *
 *   order    Requests are begun in the order in which they came and end when they end.
 *   memory   Pages are taken as answers grow, within a bound. When they run out, the generation begun last is put back: its pages
 *            are given away, and later its tokens are read again; its result stays the same.
 *   errors   One request's failure, or its callback's wish to stop, ends that request alone.
 *   guesses  R1_SPECULATION_AUTO guesses ahead only while a request runs alone; 1 to 8 always.
 */
typedef struct r1_scheduler r1_scheduler;

#define R1_PARALLEL_USUAL 32
#define R1_PARALLEL_MAX 1024

typedef struct r1_scheduler_options {
    size_t parallel;  /* generations at once, at most R1_PARALLEL_MAX; 0: R1_PARALLEL_USUAL, less when memory is short */
    size_t n_ctx;     /* context of each; 0: the model's own length */
    size_t kv_tokens; /* tokens whose keys and values may be kept by all together; 0: for what four fifths of the free memory hold */
} r1_scheduler_options;

typedef struct r1_request {
    const int32_t *prompt; size_t n_prompt; /* copied */
    r1_generate_options options;            /* copied, with stop strings and biases; callbacks are called in r1_scheduler_step */
    /* Called once, when the request has ended in whatever way. *g is what r1_generate would have given, with n_prompt of the whole
     * prompt, also after an error (status, *err); it is freed afterwards: who wants to keep it copies the structure and sets
     * *g to zeros. ctx is options.ctx. May submit and cancel. */
    void (*on_done)(void *ctx, uint64_t ticket, r1_generation *g, r1_status status, const r1_error *err);
} r1_request;

/* Errors: R1_EINVAL, R1_ENOMEM. Borrows the engine; while it has requests nobody else steps the engine. */
R1_API r1_status r1_scheduler_open(r1_scheduler **out, r1_engine *e, const r1_scheduler_options *options, r1_error *err) R1_MUST_CHECK;
R1_API void r1_scheduler_close(r1_scheduler *s); /* requests that have not ended are dropped without a call; not from a callback */

/* Take a request; *ticket (may be NULL) names it: 1, 2, 3 and so on. May be called from callbacks.
 * Errors: R1_EINVAL, R1_ELIMIT (the prompt does not fit into the context), R1_ENOMEM (also when it could never fit, alone, into
 * the memory for keys and values: needed and available); nothing was taken then, and on_done is not called. */
R1_API r1_status r1_scheduler_submit(r1_scheduler *s, const r1_request *r, uint64_t *ticket, r1_error *err) R1_MUST_CHECK;

/* One batch step for all that run. Not from a callback. Errors: R1_ECANCELLED by the engine's go_on: nothing changed, and another
 * step goes on from there. */
R1_API r1_status r1_scheduler_step(r1_scheduler *s, r1_error *err) R1_MUST_CHECK;
/* Steps until nothing is left. */
R1_API r1_status r1_scheduler_run(r1_scheduler *s, r1_error *err) R1_MUST_CHECK;

/* End a request (0: all) with what it has, finish R1_FINISH_CANCELLED; on_done is called by the next step. May be called from
 * callbacks; unknown and ended tickets are ignored. */
R1_API void r1_scheduler_cancel(r1_scheduler *s, uint64_t ticket);

typedef struct r1_scheduler_state {
    size_t parallel, kv_tokens;            /* as chosen */
    size_t n_waiting, n_running;           /* both 0: nothing is left */
    uint64_t n_done, n_steps;
    uint64_t n_prompt, n_shared, n_reread; /* tokens of prompts so far: all, those another request had read, those read again */
    uint64_t n_tokens;                     /* generated */
} r1_scheduler_state;

R1_API r1_scheduler_state r1_scheduler_get_state(const r1_scheduler *s);

/* ---- checking answers ------------------------------------------------------------------------------------------- */

typedef struct r1_verdict {
    bool right;
    double score;       /* 1 right, 0 wrong; of kinds that measure something, the measure */
    const char *word;   /* of code: "pass", "wrong_answer", "time_limit" ...; NULL for other kinds */
    char reason[512];   /* a code such as "equal_exact" or "over_budget"; of code and custom commands a sentence */
    char *extracted; size_t n_extracted; /* the answer that was judged, NUL-terminated; NULL when there was none */
    char *details;      /* further results as the text of a JSON object, or NULL */
    double cpu_ms;      /* processor time it took */
} r1_verdict;

/* What the text is that is judged: the bare final answer, or all a model said, of which the answer is a part. */
typedef enum r1_verify_mode { R1_VERIFY_ANSWER, R1_VERIFY_RESPONSE } r1_verify_mode;

/* Whether an answer of mathematics equals the gold one, in whatever notation (LaTeX or plain). Of a response only what follows </think>
 * counts, and there the last complete \boxed{}. Nothing in a text is ever run; below 50 ms and 64 MB whatever it says: what would take more is
 * wrong, "over_budget". Texts end at their NUL.
 * Errors: R1_EINVAL for a NULL text, R1_ENOMEM.   Memory: r1_verdict_deinit.   Threads: any, at once. */
R1_API r1_status r1_verify_math(const char *gold, const char *text, r1_verify_mode mode, r1_verdict *out, r1_error *err) R1_MUST_CHECK;

/* Whether a program passes a task: a JSON object as `r1 verify code` takes it (docs/cli/r1-verify.md). The program runs in a sandbox; what it
 * does wrong is a verdict. Errors: R1_EFORMAT names the field of the task; R1_EIO, R1_ELIMIT, R1_ENOMEM. */
R1_API r1_status r1_verify_code(const char *task, size_t n_task, const char *solution, size_t n, r1_verdict *out, r1_error *err) R1_MUST_CHECK;

/* Judge one item, a JSON object as `r1 verify FILE.jsonl` has on each line: math, choice, code, countdown, exact, regex, language, format,
 * repetition, length. Errors: R1_EFORMAT names the field, found and expected; R1_EUNSUPPORTED an unknown kind; R1_ELIMIT, R1_EIO, R1_ENOMEM. */
R1_API r1_status r1_verify_item(const char *json, size_t n, r1_verdict *out, r1_error *err) R1_MUST_CHECK;

R1_API void r1_verdict_deinit(r1_verdict *v); /* frees what it holds; takes NULL and zeros */

R1_API const char *r1_version(void);

#ifdef __cplusplus
}
#endif
#endif
