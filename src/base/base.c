/* Error sentences, growable buffers, aligned memory, the clock. */
#define _GNU_SOURCE
#include "base/base.h"
#include "base/utf8.h"

#include <stdio.h>
#include <sys/mman.h>
#include <sys/resource.h>
#include <time.h>

/* Anything may have been quoted from a file: keep the line printable, one line, and in the direction it was written. */
void r1_make_printable(char *s)
{
    size_t n = strlen(s), i = 0;
    while (i < n) {
        uint32_t cp;
        int len = r1_utf8_decode(s + i, n - i, &cp);
        if (len <= 0) {
            s[i++] = '?';
        } else {
            if (cp < 0x20 || (cp >= 0x7f && cp < 0xa0) || (cp >= 0x2028 && cp <= 0x202e) || (cp >= 0x2066 && cp <= 0x2069))
                for (int k = 0; k < len; k++) s[i + (size_t)k] = '?';
            i += (size_t)len;
        }
    }
}

r1_status r1_fail(r1_error *err, r1_status s, const char *fmt, ...)
{
    if (!err) return s;
    err->status = s;
    va_list ap;
    va_start(ap, fmt);
    vsnprintf(err->msg, sizeof err->msg, fmt, ap);
    va_end(ap);
    r1_make_printable(err->msg);
    return s;
}

r1_status r1_context(r1_error *err, r1_status s, const char *fmt, ...)
{
    if (!err || s == R1_OK) return s;
    char old[R1_ERROR_MAX], head[R1_ERROR_MAX / 2];
    memcpy(old, err->msg, sizeof old);
    va_list ap;
    va_start(ap, fmt);
    vsnprintf(head, sizeof head, fmt, ap);
    va_end(ap);
    r1_make_printable(head);
    size_t n = strlen(head);
    memcpy(err->msg, head, n);
    snprintf(err->msg + n, sizeof err->msg - n, ": %.*s", (int)(sizeof err->msg - n - 3), old);
    r1_make_printable(err->msg); /* the cut may have fallen inside a character */
    err->status = s;
    return s;
}

static void *alloc_large(size_t *bytes)
{
    const size_t huge = (size_t)2 << 20;
    size_t align = *bytes >= huge ? huge : 64;
    if (*bytes > SIZE_MAX - align) return NULL;
    *bytes = r1_round_up(*bytes ? *bytes : 1, align);
    void *p = aligned_alloc(align, *bytes);
    if (p && align == huge) (void)madvise(p, *bytes, MADV_HUGEPAGE);
    return p;
}

void *r1_alloc_aligned(size_t bytes)
{
    void *p = alloc_large(&bytes);
    if (p) memset(p, 0, bytes);
    return p;
}

void *r1_alloc_scratch(size_t bytes)
{
    void *p = alloc_large(&bytes);
#ifdef R1_TINY
    if (p) memset(p, 0xFF, bytes);
#endif
    return p;
}

/* The number after `key` in a file of lines "Key:   123 kB", in bytes; UINT64_MAX when it is not there. */
static uint64_t kilobytes_of(const char *path, const char *key)
{
    char line[256];
    unsigned long long kb;
    uint64_t bytes = UINT64_MAX;
    FILE *f = fopen(path, "re");
    while (f && fgets(line, sizeof line, f))
        if (!strncmp(line, key, strlen(key)) && sscanf(line + strlen(key), " %llu", &kb) == 1) bytes = (uint64_t)kb * 1024;
    if (f) fclose(f);
    return bytes;
}

uint64_t r1_memory_available(void)
{
    uint64_t free_now = kilobytes_of("/proc/meminfo", "MemAvailable:"), used = kilobytes_of("/proc/self/status", "VmSize:");
    struct rlimit limit;
    if (used == UINT64_MAX || getrlimit(RLIMIT_AS, &limit) || limit.rlim_cur == RLIM_INFINITY) return free_now;
    uint64_t left = limit.rlim_cur > used ? limit.rlim_cur - used : 0;
    return left < free_now ? left : free_now;
}

void r1_buf_init(r1_buf *b, size_t max) { *b = (r1_buf){ .max = max }; }

void r1_buf_deinit(r1_buf *b)
{
    free(b->data);
    *b = (r1_buf){ .max = b->max };
}

void r1_buf_clear(r1_buf *b)
{
    b->len = 0;
    if (b->data) b->data[0] = 0;
}

static r1_status buf_reserve(r1_buf *b, size_t more, r1_error *err)
{
    if (more > b->max || b->len > b->max - more)
        return r1_fail(err, R1_ELIMIT, "%zu bytes are more than the limit of %zu", b->len + more, b->max);
    size_t need = b->len + more + 1;
    if (need <= b->cap) return R1_OK;
    size_t cap = r1_max(need, r1_min(b->max, b->cap * 2) + 1);
    char *p = realloc(b->data, cap);
    if (!p) return r1_fail(err, R1_ENOMEM, "no memory for %zu bytes", cap);
    b->data = p;
    b->cap = cap;
    return R1_OK;
}

r1_status r1_buf_add(r1_buf *b, const void *data, size_t n, r1_error *err)
{
    r1_status s = buf_reserve(b, n, err);
    if (s) return s;
    if (n) memcpy(b->data + b->len, data, n);
    b->len += n;
    b->data[b->len] = 0;
    return R1_OK;
}

r1_status r1_buf_adds(r1_buf *b, const char *s, r1_error *err) { return r1_buf_add(b, s, strlen(s), err); }

r1_status r1_buf_addf(r1_buf *b, r1_error *err, const char *fmt, ...)
{
    va_list ap, again;
    va_start(ap, fmt);
    va_copy(again, ap);
    int n = vsnprintf(NULL, 0, fmt, ap);
    va_end(ap);
    r1_status s = n < 0 ? r1_fail(err, R1_EINVAL, "a format string is wrong") : buf_reserve(b, (size_t)n, err);
    if (s == R1_OK) {
        vsnprintf(b->data + b->len, (size_t)n + 1, fmt, again);
        b->len += (size_t)n;
    }
    va_end(again);
    return s;
}

char *r1_buf_take(r1_buf *b, size_t *n)
{
    char *p = b->data;
    if (n) *n = b->len;
    *b = (r1_buf){ .max = b->max };
    return p;
}

double r1_now(void)
{
    struct timespec t;
    clock_gettime(CLOCK_MONOTONIC, &t);
    return (double)t.tv_sec + 1e-9 * (double)t.tv_nsec;
}
