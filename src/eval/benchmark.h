/* benchmark: the benchmarks r1 knows, and their items.
 *
 * An item is a line of a JSONL file: an object with an id, a problem, and what its check needs. Fields a check does not need
 * are kept, for prompts may name them. docs/cli/r1-eval.md has the forms.
 * Tests: benchmark_test.c, tests/fuzz/fuzz_benchmark.c
 */
#ifndef R1_EVAL_BENCHMARK_H
#define R1_EVAL_BENCHMARK_H

#include "eval/eval.h"

typedef struct r1_benchmark {
    const char *name;            /* "gsm8k" */
    r1_eval_check check;
    uint32_t samples;            /* k when nobody says another */
    const char *files[4];        /* names it is looked for under, NULL-terminated; the first is NAME.jsonl */
    const char *source;          /* where its items come from */
    const char *form;            /* the fields of a line, for messages */
    const char *language;        /* of code that is asked for, else NULL */
    const char *prompt;          /* template, see question.h; NULL: by the item's check */
} r1_benchmark;

const r1_benchmark *r1_benchmark_at(size_t i);            /* NULL at the end */
const r1_benchmark *r1_benchmark_find(const char *name);  /* NULL: unknown */
const r1_benchmark *r1_benchmark_custom(void);            /* "custom": any file of problems and answers */

typedef struct r1_item {
    const char *id, *problem, *gold; /* borrowed from `fields`, or from the strings below; gold "" where nothing is compared */
    const char *category;        /* "" : none */
    double rating;               /* of the problem; NaN: none */
    r1_eval_check check;
    const char *language;        /* of code; NULL: none is asked for */
    bool usual_imports;          /* of code in Python: see docs/cli/r1-verify.md */
    const char **choices; size_t n_choices; /* in the order shown; the right one is `right_choice` */
    size_t right_choice;
    json_t *fields;              /* the line */
    char *own_id, *own_gold, *own_category; /* texts made here, or NULL */
} r1_item;

typedef struct r1_items {
    r1_item *items;
    size_t n;
    char sha256[65];             /* of the file */
} r1_items;

#define R1_ITEM_BYTES_MAX ((size_t)64 << 20)  /* of a line */
#define R1_ITEMS_MAX ((size_t)1 << 20)
#define R1_ITEM_ID_MAX 200

typedef struct r1_items_options {
    const char *task;            /* name of the task */
    size_t limit;                /* only the first so many; 0: all. The lines after them are not looked at */
    uint64_t seed;               /* the order of choices that may be moved depends on (seed, task, id) */
    const char *where;           /* "field=text": only items whose field is that (numbers in decimal); NULL: all */
} r1_items_options;

/* Items of a text of lines; blank lines are skipped.
 * Errors:  R1_EFORMAT names line, field, found and expected; no item at all; two items of one id. R1_ELIMIT. R1_ENOMEM. *out is
 *          then empty. */
r1_status r1_items_parse(r1_items *out, const r1_benchmark *b, const r1_items_options *o, const char *text, size_t n, r1_error *err) R1_MUST_CHECK;
/* The same of a file, whose path is in messages. sha256 is that of the whole file. */
r1_status r1_items_read(r1_items *out, const r1_benchmark *b, const r1_items_options *o, const char *path, r1_error *err) R1_MUST_CHECK;
void r1_items_deinit(r1_items *t);

/* Where the file of a benchmark is: `data` itself when it is a file; else the first of its names in the folder `data` (NULL:
 * none given) or in `usual` (NULL: none). The caller frees *path.
 * Errors: R1_EIO says where it was looked for and what form it must have. */
r1_status r1_benchmark_locate(const r1_benchmark *b, const char *data, const char *usual, char **path, r1_error *err) R1_MUST_CHECK;

#endif
