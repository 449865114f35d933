/* verify: what `r1 verify` of files is made of: lines judged by several threads, results written in the order of the lines. */
#ifndef R1_CLI_VERIFY_H
#define R1_CLI_VERIFY_H

#include "base/reader.h"
#include "cli/cli.h"

#define R1_VERIFY_LINE_MAX ((size_t)64 << 20) /* bytes of a line */

/* What came of one line. */
typedef struct r1_judged {
    char *text;        /* the line of output without its end, malloc'ed */
    bool bad;          /* the line could not be judged; why[] says why */
    char why[R1_ERROR_MAX];
    int right, label;  /* 1, 0; label -1: not known */
    char category[40];
} r1_judged;

typedef struct r1_judges {
    /* Judge a line. Only what ends everything is an error: R1_ENOMEM, R1_EIO, R1_ECANCELLED, R1_EUNSUPPORTED. thread: 0 .. n_threads - 1. */
    r1_status (*judge)(void *ctx, int thread, const r1_line *line, r1_judged *out, r1_error *err);
    void (*written)(void *ctx, const r1_judged *j); /* in order, by the caller's thread; may be NULL */
    void *ctx;
    uint64_t total;    /* lines that will come, UINT64_MAX: not known */
    const char *label; /* of the progress line */
    bool skip_blank;   /* lines of nothing but blanks are left out, as empty ones always are */
} r1_judges;

/* Threads that r1_judge_lines will use. */
int r1_verify_threads(const r1_cli *c);

/* Read lines to the end, judge, write. After Ctrl-C what is finished up to the first unfinished line is written.
 * Errors: those of judge and of the reader, R1_ECANCELLED; R1_EFORMAT at the end when lines were bad, which have been written all the same. */
r1_status r1_judge_lines(r1_cli *c, r1_reader *in, const r1_judges *j, r1_error *err) R1_MUST_CHECK;
/* For judges that take long: false once they are to stop. Threads: any. */
bool r1_judge_go_on(void *unused);
/* A checker of code that stops then, too. Errors: R1_ENOMEM, R1_EIO. */
struct r1_code_checker;
r1_status r1_verify_checker(struct r1_code_checker **out, bool allow_weaker, r1_error *err) R1_MUST_CHECK;

/* The two kinds of files. `path` may be "-". */
r1_status r1_verify_items(r1_cli *c, const char *path, r1_error *err) R1_MUST_CHECK;
r1_status r1_verify_table(r1_cli *c, const char *path, r1_error *err) R1_MUST_CHECK;

/* A verdict as an object: verdict (1 or 0, of code its word), score (with_score), reason, extracted, cpu_ms and its details. NULL: no
 * memory. */
json_t *r1_verdict_json(const r1_verdict *v, bool with_score);

#endif
