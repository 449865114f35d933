/* Fuzz target: the log of a run, samples.jsonl.
 *
 * What must hold: nothing crashes; what is reported as whole ends with a line feed and is all there is but one line without its end;
 * a wrong line is an error with a sentence; each line read has its place in the text, and values within their ranges. */
#include "eval/samples.h"
#include "tests/fuzz/require.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

typedef struct reader { const char *text; size_t n, at; } reader;

static r1_status on_line(void *ctx, const r1_sample_line *l, r1_error *err)
{
    reader *r = ctx;
    (void)err;
    require(l->record.at >= r->at && l->record.at + l->record.bytes < r->n && r->text[l->record.at + l->record.bytes] == '\n');
    require(l->task && l->id && l->sample < UINT32_MAX);
    if (!l->error) require(l->category && l->record.verdict >= -1 && l->record.verdict <= 1 && l->record.completion_tokens >= -1 && l->record.state == R1_RECORD_DONE);
    else require(l->record.state == R1_RECORD_FAILED);
    r->at = l->record.at + l->record.bytes + 1;
    return R1_OK;
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    reader r = { (const char *)data, size, 0 };
    size_t whole = 77;
    r1_error e = { 0 };
    r1_status s = r1_samples_each(r.text, size, on_line, &r, &whole, &e);
    if (s) require_error(s, &e);
    require(whole <= size && whole == r.at && (whole == 0 || data[whole - 1] == '\n'));
    require(s || !memchr(data + whole, '\n', size - whole));
    return 0;
}
