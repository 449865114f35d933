/* What commands read: lists of ids, lines of standard input, places of the user's files. */
#define _GNU_SOURCE
#include "cli/cli.h"

#include <errno.h>
#include <limits.h>
#include <stdio.h>

static bool is_blank(char c) { return c == ' ' || c == '\t' || c == '\n' || c == '\r'; }

r1_status r1_parse_ids(const char *text, size_t n, const char *name, r1_ids *out, r1_error *err)
{
    size_t i = 0, count = out->n;
    for (;;) {
        while (i < n && is_blank(text[i])) i++;
        if (i == n) return R1_OK;
        size_t start = i;
        int64_t v = 0;
        bool ok = true;
        while (i < n && !is_blank(text[i])) {
            ok = ok && text[i] >= '0' && text[i] <= '9' && v <= INT32_MAX;
            if (ok) v = v * 10 + (text[i] - '0');
            i++;
        }
        count++;
        if (!ok || v > INT32_MAX)
            return r1_fail(err, R1_EFORMAT, "id %zu of %s is '%.*s', expected a decimal number", count, name, (int)r1_min(i - start, 40), text + start);
        r1_status s = r1_ids_add(out, (int32_t)v, err);
        if (s) return s;
    }
}

r1_status r1_read_ids(const char *path, r1_ids *out, r1_error *err)
{
    char *text;
    size_t n;
    char name[300];
    snprintf(name, sizeof name, "'%.256s'", strcmp(path, "-") ? path : "standard input");
    r1_status s = r1_file_read(path, (size_t)1 << 30, &text, &n, err);
    if (s) return s;
    s = r1_parse_ids(text, n, name, out, err);
    free(text);
    if (s == R1_OK && out->n == 0) s = r1_fail(err, R1_EFORMAT, "%s has no ids, expected decimal numbers separated by blanks", name);
    return s;
}

r1_status r1_check_ids(const r1_ids *ids, const r1_setup *u, const char *path, r1_error *err)
{
    int32_t V = r1_model_get_info(u->model)->n_vocab;
    size_t context = r1_session_context(u->session);
    for (size_t i = 0; i < ids->n; i++)
        if (ids->ids[i] >= V) return r1_fail(err, R1_EFORMAT, "id %zu of '%s' is %d, expected 0 to %d", i + 1, path, ids->ids[i], V - 1);
    if (ids->n <= context) return R1_OK;
    return r1_fail(err, R1_ELIMIT, "'%s' has %zu ids, the context has room for %zu; --ctx N makes it larger", path, ids->n, context);
}

r1_status r1_each_line(r1_line_fn fn, void *ctx, r1_error *err)
{
    const size_t longest = (size_t)1 << 30;
    char *line = NULL;
    size_t cap = 0, number = 0;
    r1_status s = R1_OK;
    for (;;) {
        errno = 0;
        ssize_t n = getline(&line, &cap, stdin);
        if (n < 0) break;
        number++;
        size_t len = (size_t)n;
        if (len && line[len - 1] == '\n') len--;
        if (len && line[len - 1] == '\r') len--;
        s = len > longest ? r1_fail(err, R1_EFORMAT, "%zu bytes are more than the limit of %zu", len, longest) : fn(ctx, line, len, err);
        if (s) {
            s = r1_context(err, s, "line %zu of standard input", number);
            break;
        }
    }
    if (s == R1_OK && ferror(stdin)) s = r1_fail(err, errno == ENOMEM ? R1_ENOMEM : R1_EIO, "cannot read standard input: %s", strerror(errno));
    free(line);
    return s;
}

char *r1_user_path(const char *kind, const char *file)
{
    char name[32];
    snprintf(name, sizeof name, "XDG_%s_HOME", kind);
    const char *base = getenv(name), *home = getenv("HOME");
    const char *usual = !strcmp(kind, "CONFIG") ? ".config" : !strcmp(kind, "DATA") ? ".local/share" : ".cache";
    char *path = NULL;
    int n = -1;
    if (base && *base == '/') n = asprintf(&path, "%s/r1/%s", base, file); /* the XDG rules ignore relative ones */
    else if (home && *home) n = asprintf(&path, "%s/%s/r1/%s", home, usual, file);
    return n < 0 ? NULL : path;
}
