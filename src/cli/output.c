/* What commands write: JSON, NPY, and files that appear only when they are whole. */
#define _GNU_SOURCE
#include "cli/cli.h"
#include "base/utf8.h"

#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <sys/stat.h>
#include <unistd.h>

static r1_status write_failed(const char *what, int e, r1_error *err)
{
    bool full = e == ENOSPC || e == EDQUOT || e == EFBIG;
    return r1_fail(err, full ? R1_ENOMEM : R1_EIO, "cannot write %s: %s", what, strerror(e));
}

r1_status r1_flush(r1_cli *c, r1_error *err)
{
    if (r1_term_flush(c->out.f) && !r1_output_errno()) return R1_OK;
    return write_failed("standard output", r1_output_errno(), err);
}

json_t *r1_timings_json(const r1_generation *g, size_t n_cached, size_t n_read, double load_s)
{
    return json_pack("{s:I, s:I, s:f, s:f, s:I, s:f, s:f, s:f, s:I, s:I}", "cache_n", (json_int_t)n_cached, "prompt_n", (json_int_t)n_read,
                     "prompt_ms", 1e3 * g->prefill_s, "prompt_per_second", g->prefill_s > 0 ? (double)n_read / g->prefill_s : 0.0,
                     "predicted_n", (json_int_t)g->n_ids, "predicted_ms", 1e3 * g->decode_s,
                     "predicted_per_second", g->decode_s > 0 ? (double)g->n_ids / g->decode_s : 0.0, "load_ms", 1e3 * load_s,
                     "drafted", (json_int_t)g->n_drafted, "accepted", (json_int_t)g->n_accepted);
}

r1_status r1_print_line(const char *text, r1_error *err)
{
    r1_buf clean;
    r1_buf_init(&clean, SIZE_MAX / 4);
    r1_status s = R1_OK;
    if (isatty(STDOUT_FILENO)) s = r1_term_clean(text, strlen(text), &clean, err); /* JSON leaves DEL and C1 as they are */
    fputs(clean.data ? clean.data : text, stdout);
    putc('\n', stdout);
    r1_term_flush(stdout);
    r1_buf_deinit(&clean);
    return s;
}

r1_status r1_print_json(const json_t *v, r1_error *err)
{
    char *text = json_dumps(v, JSON_COMPACT | JSON_ENCODE_ANY | JSON_REAL_PRECISION(9));
    r1_status s = text ? r1_print_line(text, err) : r1_fail(err, R1_ENOMEM, "no memory for the JSON output");
    free(text);
    return s;
}

const char *r1_shown(r1_shown_name out, const char *name)
{
    snprintf(out, sizeof(r1_shown_name), "%s", name);
    r1_make_printable(out);
    return out;
}

json_t *r1_json_text(const char *s, size_t n)
{
    if (r1_utf8_is_valid(s, n, NULL)) return json_stringn(s ? s : "", n);
    r1_buf b;
    r1_detok d = { 0 };
    r1_buf_init(&b, SIZE_MAX / 4);
    json_t *v = NULL;
    if (r1_detok_bytes(&d, s, n, &b, NULL) == R1_OK && r1_detok_end(&d, &b, NULL) == R1_OK) v = json_stringn(b.data, b.len);
    r1_buf_deinit(&b);
    return v;
}

/* ---- files ----------------------------------------------------------------------------------------------------- */

r1_status r1_outfile_open(r1_outfile *w, const char *path, bool force, r1_error *err)
{
    *w = (r1_outfile){ .path = path };
    if (!*path) return r1_fail(err, R1_EINVAL, "the name of the file to write is empty, expected a path or '-'");
    if (!strcmp(path, "-")) {
        w->f = stdout;
        return R1_OK;
    }
    struct stat st;
    bool exists = stat(path, &st) == 0;
    if (exists && S_ISDIR(st.st_mode)) return r1_fail(err, R1_EIO, "'%s' is a folder, expected a file to write", path);
    if (exists && !S_ISREG(st.st_mode)) { /* a device or a pipe has no half-written state to hide */
        w->f = fopen(path, "wbe");
        return w->f ? R1_OK : r1_fail(err, R1_EIO, "cannot open '%s': %s", path, strerror(errno));
    }
    if (exists && !force) return r1_fail(err, R1_EINVAL, "'%s' exists; --force overwrites it", path);
    if (asprintf(&w->tmp, "%s.tmp-XXXXXX", path) < 0) {
        w->tmp = NULL;
        return r1_fail(err, R1_ENOMEM, "no memory for a name");
    }
    int fd = r1_temporary_create(w->tmp);
    if (fd >= 0) w->f = fdopen(fd, "wb");
    if (!w->f) {
        r1_status s = r1_fail(err, R1_EIO, "cannot create '%s': %s", path, strerror(errno));
        if (fd >= 0) {
            close(fd);
            unlink(w->tmp);
            r1_temporary_kept();
        }
        free(w->tmp);
        *w = (r1_outfile){ 0 };
        return s;
    }
    return R1_OK;
}

/* n bytes were not written; 0: an unknown number. */
static r1_status outfile_failed(const r1_outfile *w, size_t n, r1_error *err)
{
    int e = errno;
    char name[300];
    snprintf(name, sizeof name, "'%.256s'", w->path);
    if (w->f == stdout) r1_term_flush(stdout); /* takes note of it */
    if (n && w->f != stdout && (e == ENOSPC || e == EDQUOT)) return r1_fail(err, R1_ENOMEM, "the disk is full: %s needs %zu bytes more", name, n);
    return write_failed(w->f == stdout ? "standard output" : name, e, err);
}

r1_status r1_outfile_add(r1_outfile *w, const void *data, size_t n, r1_error *err)
{
    return fwrite(data, 1, n, w->f) == n ? R1_OK : outfile_failed(w, n, err);
}

void r1_outfile_abandon(r1_outfile *w)
{
    if (w->f && w->f != stdout) fclose(w->f);
    if (w->tmp) {
        unlink(w->tmp);
        r1_temporary_kept();
    }
    free(w->tmp);
    *w = (r1_outfile){ 0 };
}

r1_status r1_outfile_finish(r1_outfile *w, r1_error *err)
{
    r1_status s = R1_OK;
    if (fflush(w->f)) s = outfile_failed(w, 0, err);
    if (s == R1_OK && w->tmp) {
        mode_t mask = umask(0);
        umask(mask);
        if (fchmod(fileno(w->f), 0666 & ~mask) < 0 || fsync(fileno(w->f)) < 0 || rename(w->tmp, w->path) < 0) s = outfile_failed(w, 0, err);
        else {
            r1_temporary_kept();
            free(w->tmp);
            w->tmp = NULL;
        }
    }
    r1_outfile_abandon(w);
    return s;
}

r1_status r1_check_target(const char *path, const char *read, r1_error *err)
{
    struct stat a, b;
    if (stat(path, &a) || stat(read, &b) || a.st_dev != b.st_dev || a.st_ino != b.st_ino || !S_ISREG(a.st_mode)) return R1_OK;
    return r1_fail(err, R1_EINVAL, "'%s' is '%s', too, which is read and would be lost; give what is written another name", path, read);
}

size_t r1_npy_header(char out[192], size_t rows, size_t columns)
{
    char dict[128];
    int n = snprintf(dict, sizeof dict, "{'descr': '<f4', 'fortran_order': False, 'shape': (%zu, %zu), }", rows, columns);
    size_t total = r1_round_up(10 + (size_t)n + 1, 64), length = total - 10;
    memcpy(out, "\x93NUMPY\x01\x00", 8);
    out[8] = (char)(length & 255);
    out[9] = (char)(length >> 8);
    memset(out + 10, ' ', length);
    memcpy(out + 10, dict, (size_t)n);
    out[total - 1] = '\n';
    return total;
}
