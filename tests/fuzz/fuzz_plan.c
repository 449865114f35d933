/* Fuzz target: the record of a run, run.json.
 *
 * What must hold: nothing crashes; an error has a sentence; a record is the same as itself; a plan that was read has tasks, one
 * source, and numbers within their ranges. */
#include "eval/plan.h"
#include "tests/fuzz/require.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    json_t *v;
    r1_plan p;
    r1_error e = { 0 };
    if (r1_json_parse(&v, (const char *)data, size, &e)) return 0;
    r1_status s = r1_plan_of(v, &p, &e);
    if (s) require_error(s, &e);
    else require(p.n_tasks >= 1 && p.n_tasks <= R1_EVAL_TASKS_MAX && p.tasks[0] && !p.url != !p.model && p.sampling.max_tokens >= 1 && p.samples >= 0 && p.limit >= 0);
    require(r1_plan_same(v, v, &e) == R1_OK);
    json_t *nothing = json_object();
    s = r1_plan_same(v, nothing, &e);
    if (s) require_error(s, &e);
    json_decref(nothing);
    json_decref(v);
    return 0;
}
