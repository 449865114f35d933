/* The wrapped allocation functions. Live blocks are in a hash table of addresses made with the real functions; a free of
 * an address that is not in it (made inside the C library) is passed on. One lock guards all, the pool's threads allocate
 * too. Rare: the table grows.
 */
#define _GNU_SOURCE
#include "tests/faults/faults.h"

#include <errno.h>
#include <jansson.h>
#include <pthread.h>

void *__real_malloc(size_t n);
void *__real_calloc(size_t n, size_t size);
void *__real_realloc(void *p, size_t n);
void *__real_aligned_alloc(size_t align, size_t n);
int __real_posix_memalign(void **p, size_t align, size_t n);
void __real_free(void *p);

void *__wrap_malloc(size_t n);
void *__wrap_calloc(size_t n, size_t size);
void *__wrap_realloc(void *p, size_t n);
void *__wrap_reallocarray(void *p, size_t n, size_t size);
void *__wrap_aligned_alloc(size_t align, size_t n);
int __wrap_posix_memalign(void **p, size_t align, size_t n);
char *__wrap_strdup(const char *s);
char *__wrap_strndup(const char *s, size_t n);
void __wrap_free(void *p);

static struct {
    pthread_mutex_t lock;
    size_t count;           /* since the last reset */
    size_t fail_at;         /* the allocation that fails, 1 the next after a reset; 0: none */
    bool fail_on;           /* all later ones too */
    bool failed;            /* one did */
    bool jansson_too;       /* jansson's count and fail as well */
    bool jansson_seen;      /* it allocated something */
    uintptr_t *live;        /* open addressing; 0: empty, 1: deleted */
    size_t n_live, n_used, cap;
} f = { .lock = PTHREAD_MUTEX_INITIALIZER };

/* ---- live blocks; the lock is held ---- */

static size_t slot_of(uintptr_t p, size_t cap) { return (size_t)((uint64_t)p * 0x9E3779B97F4A7C15ull >> 20) & (cap - 1); }

static void live_grow(void)
{
    size_t cap = f.cap ? f.cap * 2 : 4096;
    uintptr_t *live = __real_calloc(cap, sizeof *live);
    if (!live) abort();
    for (size_t i = 0; i < f.cap; i++) {
        if (f.live[i] < 2) continue;
        size_t s = slot_of(f.live[i], cap);
        while (live[s]) s = (s + 1) & (cap - 1);
        live[s] = f.live[i];
    }
    __real_free(f.live);
    f.live = live;
    f.cap = cap;
    f.n_used = f.n_live;
}

static void live_add(void *p)
{
    if ((f.n_used + 1) * 2 > f.cap) live_grow();
    size_t s = slot_of((uintptr_t)p, f.cap);
    while (f.live[s]) s = (s + 1) & (f.cap - 1);
    f.live[s] = (uintptr_t)p;
    f.n_live++;
    f.n_used++;
}

static void live_remove(void *p)
{
    if (!f.cap) return;
    for (size_t s = slot_of((uintptr_t)p, f.cap); f.live[s]; s = (s + 1) & (f.cap - 1)) {
        if (f.live[s] != (uintptr_t)p) continue;
        f.live[s] = 1;
        f.n_live--;
        return;
    }
}

/* ---- the functions ---- */

/* Count one; whether it is to fail. */
static bool refused(void)
{
    f.count++;
    if (!f.fail_at || (f.fail_on ? f.count < f.fail_at : f.count != f.fail_at)) return false;
    f.failed = true;
    errno = ENOMEM;
    return true;
}

static void *noted(void *p)
{
    if (p) live_add(p);
    return p;
}

void *__wrap_malloc(size_t n)
{
    pthread_mutex_lock(&f.lock);
    void *p = refused() ? NULL : noted(__real_malloc(n));
    pthread_mutex_unlock(&f.lock);
    return p;
}

void *__wrap_calloc(size_t n, size_t size)
{
    pthread_mutex_lock(&f.lock);
    void *p = refused() ? NULL : noted(__real_calloc(n, size));
    pthread_mutex_unlock(&f.lock);
    return p;
}

void *__wrap_realloc(void *p, size_t n)
{
    pthread_mutex_lock(&f.lock);
    void *q = NULL;
    if (!refused()) {
        if (p) live_remove(p); /* before: another thread may be given the address at once */
        q = __real_realloc(p, n);
        if (q) live_add(q);
        else if (p && n) live_add(p);
    }
    pthread_mutex_unlock(&f.lock);
    return q;
}

void *__wrap_reallocarray(void *p, size_t n, size_t size)
{
    size_t bytes;
    if (!__builtin_mul_overflow(n, size, &bytes)) return __wrap_realloc(p, bytes);
    errno = ENOMEM;
    return NULL;
}

void *__wrap_aligned_alloc(size_t align, size_t n)
{
    pthread_mutex_lock(&f.lock);
    void *p = refused() ? NULL : noted(__real_aligned_alloc(align, n));
    pthread_mutex_unlock(&f.lock);
    return p;
}

int __wrap_posix_memalign(void **p, size_t align, size_t n)
{
    pthread_mutex_lock(&f.lock);
    int code = refused() ? ENOMEM : __real_posix_memalign(p, align, n);
    if (code == 0 && *p) live_add(*p);
    pthread_mutex_unlock(&f.lock);
    return code;
}

char *__wrap_strdup(const char *s) { return __wrap_strndup(s, strlen(s)); }

char *__wrap_strndup(const char *s, size_t n)
{
    n = strnlen(s, n);
    char *p = __wrap_malloc(n + 1);
    if (!p) return NULL;
    memcpy(p, s, n);
    p[n] = 0;
    return p;
}

void __wrap_free(void *p)
{
    if (!p) return;
    pthread_mutex_lock(&f.lock);
    live_remove(p);
    __real_free(p);
    pthread_mutex_unlock(&f.lock);
}

/* ---- sweeps ---- */

size_t faults_count(void)
{
    pthread_mutex_lock(&f.lock);
    size_t n = f.count;
    pthread_mutex_unlock(&f.lock);
    return n;
}

static void arm(size_t at, bool on)
{
    pthread_mutex_lock(&f.lock);
    f.count = 0;
    f.fail_at = at;
    f.fail_on = on;
    f.failed = false;
    pthread_mutex_unlock(&f.lock);
}

void faults_reset(void) { arm(0, false); }

size_t faults_live(void)
{
    pthread_mutex_lock(&f.lock);
    size_t n = f.n_live;
    pthread_mutex_unlock(&f.lock);
    return n;
}

void faults_jansson(bool too) { f.jansson_too = too; }

/* What jansson allocates: always in the list of live blocks, counted and failed only on demand. */
static void *jansson_malloc(size_t n)
{
    pthread_mutex_lock(&f.lock);
    f.jansson_seen = true;
    void *p = f.jansson_too && refused() ? NULL : noted(__real_malloc(n));
    pthread_mutex_unlock(&f.lock);
    return p;
}

__attribute__((constructor)) static void watch_jansson(void) { json_set_alloc_funcs(jansson_malloc, free); }

/* One run with allocation k failing, and with `on` all after it. Sets *more when something did fail. */
static bool try_one(faults_fn fn, void *ctx, size_t k, bool on, bool *more, char why[512])
{
    r1_error e;
    memset(&e, 0, sizeof e);
    size_t before = faults_live();
    arm(k, on);
    r1_status s = fn(ctx, &e);
    *more = f.failed;
    arm(0, false);
    size_t after = faults_live();
    char what[80];
    snprintf(what, sizeof what, "allocation %zu%s failing", k, on ? " and all after it" : "");
    if (s != R1_OK && !*more) return snprintf(why, 512, "status %d though nothing failed: %.300s", (int)s, e.msg), false;
    if (s != R1_OK && s != R1_ENOMEM)
        return snprintf(why, 512, "%s gave status %d: %.300s", what, (int)s, e.msg), false;
    if (s != R1_OK && !e.msg[0]) return snprintf(why, 512, "%s left no message", what), false;
    if (after != before) return snprintf(why, 512, "%s left %td blocks behind", what, (ptrdiff_t)(after - before)), false;
    return true;
}

bool faults_try(faults_fn fn, void *ctx, char why[512])
{
    const size_t runs_max = 1000000;
    r1_error e;
    memset(&e, 0, sizeof e);
    f.jansson_seen = false;
    size_t before = faults_live();
    arm(0, false);
    r1_status s = fn(ctx, &e);
    if (s != R1_OK) return snprintf(why, 512, "status %d without any failure: %.300s", (int)s, e.msg), false;
    if (faults_count() == 0 && !f.jansson_seen) return snprintf(why, 512, "it allocates nothing"), false;
    if (faults_live() != before) return snprintf(why, 512, "%zu blocks left behind without any failure", faults_live() - before), false;
    for (int on = 0; on < 2; on++) {
        bool more = true;
        for (size_t k = 1; more; k++) {
            if (k > runs_max) return snprintf(why, 512, "still allocating after %zu failures", runs_max), false;
            if (!try_one(fn, ctx, k, on, &more, why)) return false;
        }
    }
    return true;
}
