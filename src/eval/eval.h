/* eval: how good a model is, measured on benchmarks with the protocol of the R1 paper.
 *
 * The way of a run: a benchmark (benchmark.h) gives items from a JSONL file; each becomes a question (question.h); a source
 * (source.h: a local model, or a server) answers it k times; each answer is graded (grade.h) and becomes a line of
 * samples.jsonl (samples.h) in the run's folder, which also says what is being run (plan.h). From the lines comes
 * summary.json (score.h, statistics.h), and from all of it report.html (report.h). versus.h compares two runs.
 *
 * Invariants
 *   - A sample is a function of (seed, task, item, number of the sample): r1_eval_seed. So a run that was killed and goes on
 *     ends, for a local model, with the same samples and the same summary.json (times aside) as one that was not.
 *   - A line of samples.jsonl is on the disk before its sample counts as done; nothing there is changed until the run is
 *     complete. Then the lines are put in order, atomically.
 *   - Results do not depend on the order in which samples come in, nor on the number of threads.
 *
 * Threads: a run has its own: one or more that grade, beside the caller's, in which the source works.
 */
#ifndef R1_EVAL_EVAL_H
#define R1_EVAL_EVAL_H

#include "base/base.h"
#include "base/json.h"

#define R1_SAMPLES_MAX 100000 /* of an item */

/* How an answer is judged. */
typedef enum r1_eval_check {
    R1_EVAL_MATH,        /* equal to the gold answer as mathematics */
    R1_EVAL_CHOICE,      /* the letter of a choice */
    R1_EVAL_COUNTDOWN,   /* an expression of given numbers that equals a target */
    R1_EVAL_FUNCTION,    /* code that a test calls */
    R1_EVAL_STDIO,       /* a program, run on inputs */
    R1_EVAL_PATCH,       /* a patch, judged elsewhere */
    R1_EVAL_BY_ITEM      /* each item's fields tell */
} r1_eval_check;

const char *r1_eval_check_name(r1_eval_check c); /* "math", "choice", ... */

/* ---- one sample, a line of samples.jsonl ---- */

typedef struct r1_eval_sample {
    size_t task, item;           /* numbers in the run's lists */
    uint32_t sample;             /* 0..k-1 */
    uint64_t seed;
    int64_t prompt_tokens, completion_tokens, reasoning_tokens; /* -1: not told */
    double seconds;              /* the generation; not part of the result */
    const char *finish;          /* "stop", "length" (a limit of tokens), or another word of a server; static text */
    char *content, *reasoning;   /* answer and thinking; NULL: none */
    char *extracted;             /* what was judged; NULL: nothing was found */
    char *reason;                /* why the verdict is what it is, a word or two */
    int verdict;                 /* 1 right, 0 wrong, -1 not judged here */
    char *error;                 /* the sample could not be made: why; nothing else of it counts */
} r1_eval_sample;

void r1_eval_sample_deinit(r1_eval_sample *s); /* frees its texts */

/* Seed of one sample, below 2^31 so that every server takes it; different for all samples of an item. */
uint64_t r1_eval_seed(uint64_t seed, const char *task, const char *id, uint32_t sample);

#endif
