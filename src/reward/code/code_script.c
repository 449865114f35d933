/* Function tasks in Python and JavaScript: two parties with one socket between them, the solution in one, the test in the other.
 *
 * The tester reports to a descriptor of its own (its proof): a verdict, and with `pass` the number that only it was given. So the
 * host believes a pass when the number is right and nothing contradicts it: a party that broke a limit, or was ended for a
 * denied call, decides whatever the tester says. Where the solution's process ends too early the tester is stopped, and the way it
 * ended is the verdict.
 *
 * Source texts and scripts cross in files in memory: the folder a party starts in is empty, and there is no path to them. */
#define _GNU_SOURCE
#include "reward/code/code_int.h"
#include "base/json.h"
#include <ctype.h>
#include <errno.h>
#include <sys/socket.h>
#include <unistd.h>

enum { FD_LINK = 3, FD_INPUT = 4, FD_PROOF = 5, FD_SCRIPT = 6 };
enum { GUEST, TESTER };

/* Descriptors of one run on the host's side; -1: closed. */
typedef struct ends {
    int link[2], input[2], script[2];
} ends;

static void close_one(int *fd)
{
    if (*fd >= 0) close(*fd);
    *fd = -1;
}

static void close_ends(void *ctx)
{
    ends *e = ctx;
    for (int i = 0; i < 2; i++) {
        close_one(&e->link[i]);
        close_one(&e->input[i]);
        close_one(&e->script[i]);
    }
}

/* Whether the solution begins with something in column 0, so that the last statement of the prompt is complete. */
static bool starts_anew(r1_code_text prompt, r1_code_text solution)
{
    bool column_0 = !prompt.n || prompt.data[prompt.n - 1] == '\n';
    for (size_t i = 0; i < solution.n; i++) {
        if (solution.data[i] == '\n') column_0 = true;
        else if (isspace((unsigned char)solution.data[i])) column_0 = false;
        else return column_0;
    }
    return true;
}

/* What the tester gets: prompt, test, name of the function, number, how long a call may wait for that of another thread. */
static r1_status tester_input(const r1_code_run *run, const char *number, char **text, r1_error *err)
{
    const r1_code_task *t = run->task;
    json_t *o = json_pack("{s:s%, s:s%, s:s%, s:s, s:b, s:f}", "prompt", t->prompt.data, t->prompt.n, "test", t->test.data, t->test.n, "entry",
                          t->entry_point.data, t->entry_point.n, "number", number, "anew", (int)starts_anew(t->prompt, run->solution), "patience", 3 * t->time_limit_s);
    *text = o ? json_dumps(o, JSON_ENSURE_ASCII | JSON_COMPACT) : NULL;
    json_decref(o);
    return *text ? R1_OK : r1_fail(err, R1_ENOMEM, "no memory for the text of a test");
}

/* ---- scripts of Python as code objects: to compile the text takes longer than most tests ---- */

/* A code object of the text; false: there is none. */
static bool prepare(r1_code_checker *c, const r1_code_script *text, r1_box_result *out)
{
    static const char source[] = "import marshal,os\nwith os.fdopen(6,'rb') as f:s=f.read()\n"
                                 "with open('code','wb') as f:f.write(marshal.dumps(compile(s,'<r1>','exec')))";
    const char *const argv[] = { c->tools[R1_TOOL_PYTHON].path, "-I", "-X", "utf8", "-c", source, NULL };
    r1_box_fd fd = { r1_code_memory_file(text->data, text->n, NULL), FD_SCRIPT };
    r1_box_party party = { .argv = argv, .fds = &fd, .n_fds = 1, .take = "code", .take_max = 4 << 20 };
    bool made = fd.host >= 0 && !r1_box_run(c->boxes, &party, 1, out, NULL, NULL) && out->taken;
    close_one(&fd.host);
    if (!made) r1_box_result_deinit(out);
    return made;
}

/* The scripts of a run. A checker that has more than a few of them to do prepares them once. */
static void choose(r1_code_checker *c, bool python, r1_code_script scripts[2])
{
    enum { FEW = 3 };
    scripts[GUEST] = python ? r1_script_guest_py : r1_script_guest_js;
    scripts[TESTER] = python ? r1_script_tester_py : r1_script_tester_js;
    if (!python) return;
    pthread_mutex_lock(&c->lock);
    bool mine = ++c->n_python == FEW;
    pthread_mutex_unlock(&c->lock);
    r1_box_result made[2] = { 0 };
    if (mine) {
        bool both = prepare(c, &scripts[GUEST], &made[GUEST]) && prepare(c, &scripts[TESTER], &made[TESTER]);
        if (!both) for (int i = 0; i < 2; i++) r1_box_result_deinit(&made[i]);
    }
    pthread_mutex_lock(&c->lock);
    if (made[TESTER].taken) memcpy(c->prepared, made, sizeof made);
    for (int i = 0; i < 2 && c->prepared[TESTER].taken; i++) scripts[i] = (r1_code_script){ c->prepared[i].taken, c->prepared[i].n_taken };
    pthread_mutex_unlock(&c->lock);
}

static r1_status open_ends(ends *e, const r1_code_run *run, const char *number, r1_error *err)
{
    r1_code_script scripts[2];
    choose(run->checker, run->task->language == R1_CODE_PYTHON, scripts);
    r1_buf source;
    char *input = NULL;
    r1_buf_init(&source, SIZE_MAX / 2);
    r1_status s = run->task->language == R1_CODE_PYTHON ? r1_buf_adds(&source, run->task->usual_imports ? "1" : "0", err) : R1_OK;
    if (!s) s = r1_buf_add(&source, run->task->prompt.data, run->task->prompt.n, err);
    if (!s) s = r1_buf_add(&source, run->solution.data, run->solution.n, err);
    if (!s) s = r1_buf_adds(&source, "\n", err);
    if (!s) s = tester_input(run, number, &input, err);
    if (!s && socketpair(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0, e->link)) s = r1_fail(err, R1_EIO, "no pair of sockets: %s", strerror(errno));
    if (!s && (e->input[GUEST] = r1_code_memory_file(source.data, source.len, err)) < 0) s = R1_EIO;
    if (!s && (e->input[TESTER] = r1_code_memory_file(input, strlen(input), err)) < 0) s = R1_EIO;
    if (!s && (e->script[GUEST] = r1_code_memory_file(scripts[GUEST].data, scripts[GUEST].n, err)) < 0) s = R1_EIO;
    if (!s && (e->script[TESTER] = r1_code_memory_file(scripts[TESTER].data, scripts[TESTER].n, err)) < 0) s = R1_EIO;
    r1_buf_deinit(&source);
    free(input);
    return s;
}

/* ---- what came out ---- */

/* The tester's report. *known: it could be read, and says what it may say. A test that tests nothing is an error. */
static r1_status read_report(r1_code_run *run, const r1_box_result *tester, const char *number, bool *known, r1_error *err)
{
    json_t *o;
    *known = false;
    if (!tester->n_proof || tester->proof_cut) return R1_OK;
    r1_status s = r1_json_parse(&o, tester->proof, tester->n_proof, err);
    if (s) return s == R1_ENOMEM ? s : R1_OK;
    const char *verdict = json_string_value(json_object_get(o, "verdict")), *reason = json_string_value(json_object_get(o, "reason"));
    const char *told = json_string_value(json_object_get(o, "number"));
    r1_code_result *r = run->result;
    json_int_t tests = json_integer_value(json_object_get(o, "tests")), passed = json_integer_value(json_object_get(o, "passed"));
    if (verdict && !strcmp(verdict, "task")) {
        s = r1_fail(err, R1_EFORMAT, "%s", reason ? reason : "'test' tests nothing");
        json_decref(o);
        return s;
    }
    int v = -1;
    for (int i = R1_CODE_PASS; i <= R1_CODE_UNSUPPORTED && verdict; i++)
        if (!strcmp(verdict, r1_code_verdict_name((r1_code_verdict)i))) v = i;
    *known = v > R1_CODE_PASS || (v == R1_CODE_PASS && told && !strcmp(told, number));
    if (*known && v == R1_CODE_PASS && tests > 1) r1_code_say(r, R1_CODE_PASS, "all %lld tests passed", (long long)tests);
    else if (*known) r1_code_say(r, (r1_code_verdict)v, "%s", v == R1_CODE_PASS ? "the test passed" : reason ? reason : "");
    if (*known && tests >= 1 && passed >= 0) {
        r->tests = (size_t)tests;
        r->tests_passed = v == R1_CODE_PASS ? r->tests : r1_min((size_t)passed, r->tests - 1); /* of a failed run one has failed */
    } else if (*known) {
        r->tests_passed = v == R1_CODE_PASS;
    }
    json_decref(o);
    return R1_OK;
}

/* Node says so itself when its heap is full, and ends by a signal. */
static bool out_of_memory(const r1_box_result *b)
{
    return b->end == R1_BOX_SIGNALED && r1_code_err_has(b, "JavaScript heap out of memory");
}

static r1_status decide(r1_code_run *run, const r1_box_result *b, const char *number, r1_error *err)
{
    const r1_box_result *guest = &b[GUEST], *tester = &b[TESTER];
    r1_code_result *r = run->result;
    char how[128];
    if (guest->end != R1_BOX_CPU && r1_code_limit_verdict(run, guest, "the solution")) return R1_OK;
    if (guest->end == R1_BOX_CPU || tester->end == R1_BOX_CPU) { /* one limit for both */
        const double limit = run->task->time_limit_s;
        (void)r1_code_limit_verdict(run, guest->end == R1_BOX_CPU ? guest : tester,
                                    guest->cpu_s > limit ? "the solution" : tester->cpu_s > limit ? "the test" : "the solution with its test");
        return R1_OK;
    }
    if (r1_code_limit_verdict(run, tester, tester->end == R1_BOX_WALL ? "the run" : "the test")) return R1_OK;
    bool reported;
    r1_status s = read_report(run, tester, number, &reported, err);
    if (s) return s;
    if (reported && r->verdict != R1_CODE_NO_VERDICT) return R1_OK;
    if (out_of_memory(guest) || out_of_memory(tester)) r1_code_say(r, R1_CODE_MEMORY_LIMIT, "the solution ran out of memory");
    else if (guest->end == R1_BOX_SIGNALED) r1_code_say(r, R1_CODE_RUNTIME_ERROR, "the solution %s", r1_box_describe(guest, how, sizeof how));
    else if (reported) return R1_OK;
    else if (guest->end == R1_BOX_EXITED)
        r1_code_say(r, R1_CODE_NO_VERDICT, "the solution ended the program (%s) before the test was done", r1_box_describe(guest, how, sizeof how));
    else if (tester->end == R1_BOX_SIGNALED) r1_code_say(r, R1_CODE_RUNTIME_ERROR, "the test %s", r1_box_describe(tester, how, sizeof how));
    else r1_code_say(r, R1_CODE_NO_VERDICT, "the test ended without its proof (%s)", r1_box_describe(tester, how, sizeof how));
    return R1_OK;
}

r1_status r1_code_run_script(r1_code_run *run, r1_error *err)
{
    bool python = run->task->language == R1_CODE_PYTHON;
    const r1_box_program *p = r1_code_find(run, python ? R1_TOOL_PYTHON : R1_TOOL_NODE);
    if (!p) return R1_OK;
    const char *const python_argv[] = { p->path, "-I", "-X", "utf8", "-c", r1_code_start_python, NULL };
    const char *const node_argv[] = { p->path, "--no-warnings", "--stack-size=3900", "-e", r1_code_start_node, NULL };
    char number[R1_CODE_NUMBER];
    ends e = { { -1, -1 }, { -1, -1 }, { -1, -1 } };
    r1_box_party parties[2] = { 0 };
    r1_box_result results[2] = { 0 };
    r1_box_fd fds[2][3];
    r1_status s = r1_code_number(number, err);
    if (!s) s = open_ends(&e, run, number, err);
    for (int i = 0; i < 2; i++) {
        fds[i][0] = (r1_box_fd){ e.link[i], FD_LINK };
        fds[i][1] = (r1_box_fd){ e.input[i], FD_INPUT };
        fds[i][2] = (r1_box_fd){ e.script[i], FD_SCRIPT };
        parties[i].argv = python ? python_argv : node_argv;
        parties[i].fds = fds[i];
        parties[i].n_fds = 3;
        parties[i].ends_others = true;
        r1_code_limits(run, &parties[i].limits);
    }
    parties[TESTER].proof_fd = FD_PROOF;
    if (!s) s = r1_code_box(run, parties, 2, results, close_ends, &e, err);
    close_ends(&e);
    if (s) return s;
    s = decide(run, results, number, err);
    r1_code_tails(run, &results[GUEST], &results[TESTER]);
    for (int i = 0; i < 2; i++) r1_box_result_deinit(&results[i]);
    return s;
}
