/* What the readers share: a sorted index of names, a guess at what a file is for messages, names of split files.
 * Nothing here is fast-path code: it runs once per file or per tensor looked up. */
#include "format/format_int.h"
#include "base/utf8.h"

#include <stdio.h>

r1_status r1_names_init(r1_names *x, size_t n, r1_error *err)
{
    *x = (r1_names){ 0 };
    if (n == 0) return R1_OK;
    x->e = calloc(n, sizeof *x->e);
    if (!x->e) return r1_fail(err, R1_ENOMEM, "no memory for an index of %zu names", n);
    x->n = n;
    return R1_OK;
}

void r1_names_deinit(r1_names *x)
{
    free(x->e);
    *x = (r1_names){ 0 };
}

static int compare_slices(r1_slice a, r1_slice b)
{
    size_t n = r1_min(a.n, b.n);
    int c = n ? memcmp(a.p, b.p, n) : 0;
    return c ? c : (a.n > b.n) - (a.n < b.n);
}

static int compare_names(const void *a, const void *b) { return compare_slices(((const r1_name *)a)->name, ((const r1_name *)b)->name); }

const r1_name *r1_names_sort(r1_names *x)
{
    if (x->n) qsort(x->e, x->n, sizeof *x->e, compare_names);
    for (size_t i = 1; i < x->n; i++)
        if (compare_names(&x->e[i - 1], &x->e[i]) == 0) return &x->e[i];
    return NULL;
}

size_t r1_names_find(const r1_names *x, const char *p, size_t n)
{
    r1_slice want = { p, n };
    size_t lo = 0, hi = x->n;
    while (lo < hi) {
        size_t mid = lo + (hi - lo) / 2;
        int c = compare_slices(x->e[mid].name, want);
        if (c == 0) return x->e[mid].at;
        if (c < 0) lo = mid + 1;
        else hi = mid;
    }
    return SIZE_MAX;
}

bool r1_name_is_sound(const char *p, size_t n)
{
    return n > 0 && !memchr(p, 0, n) && r1_utf8_is_valid(p, n, NULL);
}

const char *r1_kind_of_bytes(const uint8_t *p, size_t n, char out[R1_KIND_MAX])
{
    static const struct { uint8_t n; const char *bytes, *kind; } known[] = {
        { 4, "GGUF", "a GGUF file" },
        { 4, "FUGG", "a big-endian GGUF file" },
        { 4, "lmgg", "a GGML file from before GGUF" },
        { 4, "fmgg", "a GGMF file from before GGUF" },
        { 4, "tjgg", "a GGJT file from before GGUF" },
        { 4, "algg", "a GGLA adapter from before GGUF" },
        { 4, "PK\003\004", "a ZIP archive or a PyTorch checkpoint" },
        { 2, "\x80\002", "a Python pickle" },
        { 2, "\x1f\x8b", "a gzip file" },
        { 4, "\x28\xb5\x2f\xfd", "a zstd file" },
        { 6, "\xfd" "7zXZ", "an xz file" },
        { 4, "\x7f" "ELF", "a program (ELF)" },
        { 4, "\x89HDF", "an HDF5 file" },
        { 40, "version https://git-lfs.github.com/spec/v1", "a Git LFS pointer, not the file it stands for" },
        { 1, "<", "a text that starts with '<', perhaps a web page saved instead of the file" },
    };
    if (n == 0) return "an empty file";
    for (size_t i = 0; i < R1_COUNT(known); i++)
        if (n >= known[i].n && !memcmp(p, known[i].bytes, known[i].n)) return known[i].kind;
    if (n >= 10 && p[8] == '{' && (p[9] == '"' || p[9] == '}' || p[9] == ' ') && !p[7] && !p[6] && !p[5] && !p[4])
        return "a safetensors file";
    if (p[0] == '{' || p[0] == '[') return "a JSON text";
    int at = snprintf(out, R1_KIND_MAX, "a file that starts with the bytes");
    for (size_t i = 0; i < r1_min(n, 8); i++) at += snprintf(out + at, (size_t)(R1_KIND_MAX - at), " %02x", p[i]);
    return out;
}

/* k decimal digits. */
static bool digits(const char *p, size_t k, unsigned *value)
{
    *value = 0;
    for (size_t i = 0; i < k; i++) {
        if (p[i] < '0' || p[i] > '9') return false;
        *value = *value * 10 + (unsigned)(p[i] - '0');
    }
    return true;
}

bool r1_split_name(const char *path, size_t *prefix, unsigned *number, unsigned *count)
{
    const size_t tail = strlen("-00001-of-00002.gguf");
    size_t n = strlen(path);
    if (n <= tail) return false;
    const char *t = path + n - tail;
    *prefix = n - tail;
    return t[0] == '-' && digits(t + 1, 5, number) && !memcmp(t + 6, "-of-", 4) && digits(t + 10, 5, count) && !strcmp(t + 15, ".gguf");
}
