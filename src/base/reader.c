/* Lines of a file or pipe. A line is given out where it lies in the buffer; what is left is moved to the front when more is read. */
#define _GNU_SOURCE
#include "base/reader.h"

#include <errno.h>
#include <fcntl.h>
#include <poll.h>
#include <sys/stat.h>
#include <unistd.h>

enum { PIECE = 1 << 16 };

static const char *name_of(const char *path) { return strcmp(path, "-") ? path : "standard input"; }

r1_status r1_reader_open(r1_reader *l, const char *path, size_t max, r1_error *err)
{
    *l = (r1_reader){ .fd = -1, .max = max, .path = strdup(path), .data = malloc(PIECE), .cap = PIECE };
    r1_status s = l->path && l->data ? R1_OK : r1_fail(err, R1_ENOMEM, "no memory to read '%s'", path);
    struct stat st;
    if (s == R1_OK) {
        l->fd = strcmp(path, "-") ? open(path, O_RDONLY | O_CLOEXEC) : STDIN_FILENO;
        if (l->fd < 0) s = r1_fail(err, R1_EIO, "cannot open '%s': %s", path, strerror(errno));
        else if (!fstat(l->fd, &st) && S_ISDIR(st.st_mode)) s = r1_fail(err, R1_EIO, "'%s' is a folder, expected a file of lines", path);
    }
    if (s) r1_reader_close(l);
    return s;
}

void r1_reader_close(r1_reader *l)
{
    if (l->path && l->fd >= 0 && strcmp(l->path, "-")) close(l->fd);
    free(l->path);
    free(l->data);
    *l = (r1_reader){ .fd = -1 };
}

/* Room for another piece behind what is there. */
static r1_status make_room(r1_reader *l, r1_error *err)
{
    if (l->start) {
        memmove(l->data, l->data + l->start, l->end - l->start);
        l->end -= l->start;
        l->seen -= l->start;
        l->start = 0;
    }
    if (l->cap - l->end >= PIECE / 2) return R1_OK;
    char *p = realloc(l->data, 2 * l->cap);
    if (!p) return r1_fail(err, R1_ENOMEM, "no memory for line %llu of '%s', of more than %zu bytes", (unsigned long long)l->number + 1, name_of(l->path), l->end);
    l->data = p;
    l->cap *= 2;
    return R1_OK;
}

/* Read once; *nothing: there was nothing to be had. */
static r1_status read_more(r1_reader *l, bool wait, bool *nothing, r1_error *err)
{
    struct pollfd p = { .fd = l->fd, .events = POLLIN };
    *nothing = !wait && poll(&p, 1, 0) == 0;
    if (*nothing) return R1_OK;
    r1_status s = make_room(l, err);
    if (s) return s;
    ssize_t n = read(l->fd, l->data + l->end, l->cap - l->end);
    *nothing = n < 0 && (errno == EINTR || errno == EAGAIN);
    if (n < 0 && !*nothing) return r1_fail(err, R1_EIO, "cannot read '%s': %s", name_of(l->path), strerror(errno));
    if (n > 0) l->end += (size_t)n;
    l->at_end = n == 0;
    return R1_OK;
}

/* Give out data[start..end of line); `past`: bytes of the line end. */
static void give_out(r1_reader *l, size_t end, size_t past, r1_line *out)
{
    if (!l->number && !l->passing && end - l->start >= 3 && !memcmp(l->data + l->start, "\xEF\xBB\xBF", 3)) l->start += 3;
    size_t n = end - l->start;
    bool whole = past > 0;
    if (whole && n && l->data[end - 1] == '\r') n--;
    bool long_one = l->passing || n > l->max;
    *out = (r1_line){ long_one ? R1_LINE_TOO_LONG : R1_LINE_TEXT, l->data + l->start, long_one ? 0 : n, ++l->number, whole };
    l->passing = false;
    l->start = l->seen = end + past;
}

r1_status r1_reader_next(r1_reader *l, bool wait, r1_line *out, r1_error *err)
{
    *out = (r1_line){ .kind = R1_LINE_NONE };
    for (;;) {
        const char *end = memchr(l->data + l->seen, '\n', l->end - l->seen);
        if (end) {
            give_out(l, (size_t)(end - l->data), 1, out);
            return R1_OK;
        }
        l->seen = l->end;
        if (l->end - l->start > l->max + 1) { /* one more may be a CR */
            l->passing = true;
            l->start = l->seen = l->end = 0;
        }
        if (l->at_end) {
            if (l->start < l->end || l->passing) give_out(l, l->end, 0, out);
            else out->kind = R1_LINE_END;
            return R1_OK;
        }
        bool nothing;
        r1_status s = read_more(l, wait, &nothing, err);
        if (s || nothing) return s;
    }
}

static bool is_blank(char c) { return c == ' ' || c == '\t' || c == '\r'; }

r1_status r1_reader_count(const char *path, uint64_t *n, r1_error *err)
{
    char piece[PIECE];
    struct stat st;
    *n = UINT64_MAX;
    if (!strcmp(path, "-")) return R1_OK;
    int fd = open(path, O_RDONLY | O_CLOEXEC);
    if (fd < 0) return r1_fail(err, R1_EIO, "cannot open '%s': %s", path, strerror(errno));
    bool text = false;
    r1_status s = R1_OK;
    for (*n = 0; !fstat(fd, &st) && S_ISREG(st.st_mode);) {
        ssize_t k = read(fd, piece, sizeof piece);
        if (k < 0) s = r1_fail(err, R1_EIO, "cannot read '%s': %s", path, strerror(errno));
        if (k <= 0) break;
        for (ssize_t i = 0; i < k; i++) {
            if (piece[i] == '\n') {
                *n += text;
                text = false;
            } else if (!text) {
                text = !is_blank(piece[i]);
            }
        }
    }
    if (!S_ISREG(st.st_mode)) *n = UINT64_MAX;
    else *n += text;
    close(fd);
    return s;
}
