/* The front door of the code checker: programs and boxes once for many calls, the choice of the runner, and what verdicts, reasons and
 * tails have in common. What a limit or a denied call means does not depend on the language and is decided here. */
#define _GNU_SOURCE
#include "reward/code/code_int.h"
#include "base/utf8.h"
#include <errno.h>
#include <signal.h>
#include <stdio.h>
#include <sys/mman.h>
#include <sys/random.h>
#include <unistd.h>

#define SOLUTION_MAX ((size_t)4 << 20)

const char r1_code_start_python[] = "import os,builtins as b\nwith os.fdopen(6,'rb') as f:s=f.read()\n"
                                    "if s[:1]!=b'#':\n import marshal\n" /* as code_script.c has prepared it */
                                    "exec(compile(s,'<r1>','exec')if s[:1]==b'#'else marshal.loads(s),{'__builtins__':dict(vars(b)),'__name__':'r1'})"; /* built-in names of its own */
const char r1_code_start_node[] = "{const s=require('fs').readFileSync(6,'utf8');require('fs').closeSync(6);" /* a block: no global name is taken */
                                  "new (require('vm').Script)('(function(require,process,load){'+s+'\\n})',{filename:'<r1>'}).runInThisContext()(require,process,(x)=>import(x))}";

/* ---- checker ---- */

static const char *const tool_names[R1_N_TOOLS] = { "python3", "node", "gcc", "g++" };
static const char *const tool_others[R1_N_TOOLS] = { "python", "nodejs", "clang", "clang++" };

static r1_status find_tools(r1_code_checker *c, r1_error *err)
{
    for (int i = 0; i < R1_N_TOOLS && !(c->options.pretend_missing & R1_CODE_NO_PROGRAMS); i++) {
        r1_status s = r1_box_find(&c->tools[i], tool_names[i], c->options.search, err);
        if (s && s != R1_ENOMEM) s = r1_box_find(&c->tools[i], tool_others[i], c->options.search, err);
        if (s) c->tools[i].path[0] = 0;
        if (s == R1_ENOMEM) return s;
    }
    return R1_OK;
}

r1_status r1_code_checker_open(r1_code_checker **out, const r1_code_options *o, r1_error *err)
{
    const char *folders[R1_N_TOOLS];
    size_t n = 0;
    *out = NULL;
    r1_code_checker *c = calloc(1, sizeof *c);
    if (!c) return r1_fail(err, R1_ENOMEM, "no memory for a code checker");
    if (o) c->options = *o;
    r1_error e = { 0 };
    r1_status s = find_tools(c, &e);
    for (int i = 0; i < R1_N_TOOLS; i++)
        if (c->tools[i].path[0] && c->tools[i].folder[0]) folders[n++] = c->tools[i].folder;
    r1_box_options b = { folders, n, c->options.allow_weaker, c->options.pretend_missing & R1_BOX_ALL };
    if (!s) s = r1_boxes_open(&c->boxes, &b, &e);
    if (s == R1_EUNSUPPORTED) {
        snprintf(c->boxes_missing, sizeof c->boxes_missing, "%s", e.msg);
    } else if (s) {
        free(c);
        return r1_fail(err, s, "%s", e.msg);
    }
    pthread_mutex_init(&c->lock, NULL);
    *out = c;
    return R1_OK;
}

void r1_code_checker_close(r1_code_checker *c)
{
    if (!c) return;
    if (c->boxes) r1_boxes_close(c->boxes);
    for (int i = 0; i < 2; i++) r1_box_result_deinit(&c->prepared[i]);
    pthread_mutex_destroy(&c->lock);
    free(c);
}

const r1_box_program *r1_code_find(r1_code_run *run, r1_code_tool tool)
{
    const r1_box_program *p = &run->checker->tools[tool];
    if (!run->checker->boxes) {
        r1_code_say(run->result, R1_CODE_UNSUPPORTED, "%s", run->checker->boxes_missing);
        return NULL;
    }
    if (p->path[0]) return p;
    const char *search = run->checker->options.search;
    r1_code_say(run->result, R1_CODE_UNSUPPORTED, "%s is not installed: neither %s nor %s is in %s", r1_code_language_name(run->task->language),
                tool_names[tool], tool_others[tool], search ? search : "/usr/local/bin, /usr/bin, /bin");
    return NULL;
}

/* ---- texts ---- */

/* src[0..n) to dst as valid UTF-8: what is invalid becomes U+FFFD, and with `line` control characters blanks. */
static void clean(char *dst, size_t size, const char *src, size_t n, bool line)
{
    size_t at = 0;
    for (size_t i = 0; i < n;) {
        uint32_t cp;
        int k = r1_utf8_decode(src + i, n - i, &cp);
        size_t len = (size_t)(k < 0 ? -k : k);
        if (!len) break;
        if (at + 4 >= size) break;
        if (k < 0) { memcpy(dst + at, "\xEF\xBF\xBD", 3); at += 3; }
        else if (line && (cp < 32 || cp == 127)) dst[at++] = ' ';
        else { memcpy(dst + at, src + i, len); at += len; }
        i += len;
    }
    dst[at] = 0;
}

void r1_code_say(r1_code_result *r, r1_code_verdict v, const char *fmt, ...)
{
    char text[1024];
    va_list args;
    va_start(args, fmt);
    vsnprintf(text, sizeof text, fmt, args);
    va_end(args);
    r->verdict = v;
    clean(r->reason, sizeof r->reason, text, strlen(text), true);
}

/* The last R1_CODE_TAIL bytes of a[0..na) b[0..nb). */
static void tail(char *dst, size_t size, const char *a, size_t na, const char *b, size_t nb)
{
    char joined[R1_CODE_TAIL];
    size_t from_b = r1_min(nb, R1_CODE_TAIL), from_a = r1_min(na, R1_CODE_TAIL - from_b);
    if (from_a) memcpy(joined, a + na - from_a, from_a);
    if (from_b) memcpy(joined + from_a, b + nb - from_b, from_b);
    clean(dst, size, joined, from_a + from_b, false);
}

void r1_code_tails(r1_code_run *run, const r1_box_result *a, const r1_box_result *b)
{
    r1_code_result *r = run->result;
    tail(r->stdout_tail, sizeof r->stdout_tail, a->out, a->n_out, b ? b->out : NULL, b ? b->n_out : 0);
    tail(r->stderr_tail, sizeof r->stderr_tail, a->err, a->n_err, b ? b->err : NULL, b ? b->n_err : 0);
}

bool r1_code_err_has(const r1_box_result *b, const char *text)
{
    size_t n = r1_min(b->n_err, 8192);
    return n && memmem(b->err + b->n_err - n, n, text, strlen(text));
}

/* ---- runs ---- */

void r1_code_limits(const r1_code_run *run, r1_box_limits *l)
{
    const uint64_t mb = run->task->memory_limit >> 20;
    memset(l, 0, sizeof *l);
    l->cpu_s = run->task->time_limit_s;
    l->wall_s = 10 * run->task->time_limit_s;
    l->memory_bytes = run->task->memory_limit;
    l->output_bytes = run->task->output_limit ? run->task->output_limit : 1;
    l->n_processes = (unsigned)r1_min(256, r1_max(64, mb)); /* each costs the kernel memory before it has done anything */
    l->stack_bytes = (uint64_t)256 << 20; /* judges set it to the memory limit: recursion a million deep is honest; memory is counted as it is touched */
}

typedef struct watch {
    r1_code_run *run;
    void (*started)(void *);
    void *ctx;
} watch;

static bool watch_cancelled(void *ctx)
{
    watch *w = ctx;
    if (w->started) w->started(w->ctx);
    w->started = NULL;
    const r1_code_options *o = &w->run->checker->options;
    return o->cancelled && o->cancelled(o->ctx);
}

r1_status r1_code_box(r1_code_run *run, const r1_box_party *parties, size_t n, r1_box_result *results, void (*started)(void *), void *ctx, r1_error *err)
{
    watch w = { run, started, ctx };
    r1_box_run_options o = { watch_cancelled, &w, n > 1 };
    r1_status s = r1_box_run(run->checker->boxes, parties, n, results, &o, err);
    if (s) return s;
    for (size_t i = 0; i < n; i++) {
        double mb = (double)results[i].peak_bytes / 1048576;
        run->result->cpu_ms += 1000 * results[i].cpu_s;
        if (mb > run->result->peak_mb) run->result->peak_mb = mb;
    }
    return R1_OK;
}

bool r1_code_limit_verdict(r1_code_run *run, const r1_box_result *b, const char *what)
{
    r1_code_result *r = run->result;
    const r1_code_task *t = run->task;
    switch (b->end) {
    case R1_BOX_CPU: r1_code_say(r, R1_CODE_TIME_LIMIT, "%s used more than %g s of processor time", what, t->time_limit_s); return true;
    case R1_BOX_WALL: r1_code_say(r, R1_CODE_TIME_LIMIT, "%s ran longer than %g s by the clock", what, 10 * t->time_limit_s); return true;
    case R1_BOX_MEMORY: r1_code_say(r, R1_CODE_MEMORY_LIMIT, "%s used more than %g MB", what, (double)t->memory_limit / 1048576); return true;
    case R1_BOX_SIGNALED:
        if (b->signal != SIGXFSZ) return false;
        r1_code_say(r, R1_CODE_MEMORY_LIMIT, "%s made a file of more than %g MB", what, (double)t->memory_limit / 1048576);
        return true;
    case R1_BOX_OUTPUT: r1_code_say(r, R1_CODE_OUTPUT_LIMIT, "%s wrote more than %g kB", what, (double)t->output_limit / 1024); return true;
    case R1_BOX_DENIED:
        r1_code_say(r, R1_CODE_FORBIDDEN, "%s was ended for the system call %s", what, b->denied[0] ? b->denied : "it made");
        return true;
    case R1_BOX_NOT_STARTED:
        r1_code_say(r, R1_CODE_UNSUPPORTED, "the program of language %s could not be started: %s", r1_code_language_name(t->language), strerror(b->exit_status));
        return true;
    default: return false;
    }
}

r1_status r1_code_number(char number[R1_CODE_NUMBER], r1_error *err)
{
    unsigned char bytes[16];
    if (getrandom(bytes, sizeof bytes, 0) != (ssize_t)sizeof bytes) return r1_fail(err, R1_EIO, "the system gives no random bytes: %s", strerror(errno));
    for (size_t i = 0; i < sizeof bytes; i++) snprintf(number + 2 * i, 3, "%02x", bytes[i]);
    return R1_OK;
}

int r1_code_memory_file(const char *data, size_t n, r1_error *err)
{
    int fd = memfd_create("r1", MFD_CLOEXEC);
    size_t at = 0;
    while (fd >= 0 && at < n) {
        ssize_t k = write(fd, data + at, n - at);
        if (k < 0 && errno == EINTR) continue;
        if (k <= 0) { close(fd); fd = -1; break; }
        at += (size_t)k;
    }
    if (fd >= 0 && lseek(fd, 0, SEEK_SET) == 0) return fd;
    if (fd >= 0) close(fd);
    (void)r1_fail(err, R1_EIO, "no file in memory of %zu bytes: %s", n, strerror(errno));
    return -1;
}

void r1_code_close(int fd)
{
    if (fd >= 0) close(fd);
}

r1_status r1_code_verify(r1_code_checker *c, const r1_code_task *t, const char *solution, size_t n, r1_code_result *result, r1_error *err)
{
    memset(result, 0, sizeof *result);
    result->verdict = R1_CODE_NO_VERDICT;
    result->tests = t->n_tests;
    if (n > SOLUTION_MAX) return r1_fail(err, R1_ELIMIT, "the solution has %zu bytes, at most %zu are read", n, SOLUTION_MAX);
    if (n >= 3 && !memcmp(solution, "\xEF\xBB\xBF", 3)) solution += 3, n -= 3; /* a byte order mark is no part of a text */
    r1_code_run run = { c, t, { solution, n }, result };
    if (memchr(solution, 0, n)) {
        r1_code_say(result, R1_CODE_COMPILE_ERROR, "the solution holds a NUL byte");
        return R1_OK;
    }
    if (t->kind == R1_CODE_STDIO) return r1_code_run_stdio(&run, err);
    return t->language == R1_CODE_C || t->language == R1_CODE_CPP ? r1_code_run_native(&run, err) : r1_code_run_script(&run, err);
}
