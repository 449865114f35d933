/* The history of the chat as a file: a line for each message, written when it is accepted, so that nothing is lost when the
 * terminal goes away, and chats at the same time add to one another.
 *
 * The form is libedit's, "_HiStOrY_V2_" and then lines whose blanks, backslashes and control characters are \ooo, so that
 * files of earlier versions are read. Writers and the trimming at the start hold a lock; the file is trimmed in place, the
 * newest lines moved to its front before the rest is cut off: no second file is needed, and whatever ends the program in
 * between leaves lines twice at worst.
 */
#define _GNU_SOURCE
#include "cli/chat.h"

#include <fcntl.h>
#include <sys/file.h>
#include <sys/stat.h>
#include <unistd.h>

static const char head[] = "_HiStOrY_V2_\n";

enum {
    LINES_MAX = 1000,        /* more are trimmed at the start */
    LINE_BYTES_MAX = 65536,  /* a longer message is not kept */
    READ_MAX = 4 << 20       /* of a longer file the end is read */
};

static void make_folder_of(const char *path)
{
    char *copy = strdup(path);
    if (!copy) return;
    for (char *p = copy + 1; *p; p++)
        if (*p == '/') {
            *p = 0;
            (void)mkdir(copy, 0700);
            *p = '/';
        }
    free(copy);
}

static bool write_all(int fd, const char *p, size_t n, off_t at)
{
    for (size_t done = 0; done < n;) {
        ssize_t k = pwrite(fd, p + done, n - done, at + (off_t)done);
        if (k <= 0) return false;
        done += (size_t)k;
    }
    return true;
}

/* ---- reading --------------------------------------------------------------------------------------------------- */

static bool octal(const char *p) { return p[0] >= '0' && p[0] <= '3' && p[1] >= '0' && p[1] <= '7' && p[2] >= '0' && p[2] <= '7'; }

/* In place; the text ends with NUL. */
static void decode(char *line)
{
    char *to = line;
    for (const char *p = line; *p; p++) {
        if (*p == '\\' && p[1] && p[2] && octal(p + 1)) {
            char c = (char)((p[1] - '0') << 6 | (p[2] - '0') << 3 | (p[3] - '0'));
            if (c) *to++ = c;
            p += 3;
        } else if (*p == '\\' && p[1] == '\\') {
            *to++ = *p++;
        } else {
            *to++ = *p;
        }
    }
    *to = 0;
}

/* Where the newest LINES_MAX lines of text[0..n) begin; a line without an end, which a full disk may leave, counts too. */
static size_t newest(const char *text, size_t n)
{
    size_t lines = 0;
    for (size_t i = n; i > 0; i--)
        if (text[i - 1] == '\n' && i < n && ++lines == LINES_MAX) return i;
    return 0;
}

static void give(char *text, size_t n, void (*add)(void *ctx, const char *line), void *ctx)
{
    for (size_t i = 0; i < n;) {
        char *end = memchr(text + i, '\n', n - i);
        size_t next = end ? (size_t)(end - text) + 1 : n;
        if (end) *end = 0;
        decode(text + i);
        if (text[i]) add(ctx, text + i);
        i = next;
    }
}

/* The lines of the file, oldest first; the file loses those that are too many. */
static void load(int fd, off_t size, void (*add)(void *ctx, const char *line), void *ctx)
{
    size_t n = (size_t)r1_min(size, (off_t)READ_MAX), n_head = sizeof head - 1;
    off_t at = size - (off_t)n;
    char *text = malloc(n + 1);
    if (!text || pread(fd, text, n, at) != (ssize_t)n) {
        free(text);
        return;
    }
    text[n] = 0;
    size_t from = 0;
    if (at > 0) { /* the first line is not whole */
        const char *end = memchr(text, '\n', n);
        from = end ? (size_t)(end - text) + 1 : n;
    } else if (n >= n_head && !memcmp(text, head, n_head)) {
        from = n_head;
    }
    size_t keep = from + newest(text + from, n - from);
    if (at + (off_t)keep > (off_t)n_head && write_all(fd, text + keep, n - keep, (off_t)n_head)) {
        if (at > 0 || from == 0) (void)write_all(fd, head, n_head, 0);
        (void)!ftruncate(fd, (off_t)(n_head + n - keep));
        size = (off_t)(n_head + n - keep);
    }
    if (text[n - 1] != '\n') (void)write_all(fd, "\n", 1, size);
    give(text + keep, n - keep, add, ctx);
    free(text);
}

int r1_history_open(const char *path, void (*add)(void *ctx, const char *line), void *ctx)
{
    struct stat st;
    make_folder_of(path);
    int fd = open(path, O_RDWR | O_CREAT | O_CLOEXEC | O_NOCTTY, 0600);
    if (fd < 0) return -1;
    if (flock(fd, LOCK_EX) < 0 || fstat(fd, &st) < 0 || !S_ISREG(st.st_mode)) {
        close(fd);
        return -1;
    }
    (void)fchmod(fd, 0600); /* what one said is nobody else's business, whoever made the file */
    if (st.st_size == 0) (void)write_all(fd, head, sizeof head - 1, 0);
    else load(fd, st.st_size, add, ctx);
    (void)fcntl(fd, F_SETFL, O_APPEND); /* from here on; pwrite above has to reach the beginning */
    (void)flock(fd, LOCK_UN);
    return fd;
}

/* ---- writing --------------------------------------------------------------------------------------------------- */

void r1_history_add(int fd, const char *text)
{
    r1_buf b;
    r1_buf_init(&b, 4 * LINE_BYTES_MAX + 2);
    r1_status s = strnlen(text, LINE_BYTES_MAX + 1) <= LINE_BYTES_MAX ? R1_OK : R1_ELIMIT;
    for (const char *p = text; *p && s == R1_OK; p++) {
        unsigned char c = (unsigned char)*p;
        if (c <= ' ' || c == '\\' || c == 0x7f) s = r1_buf_addf(&b, NULL, "\\%03o", c);
        else s = r1_buf_add(&b, p, 1, NULL);
    }
    if (s == R1_OK) s = r1_buf_adds(&b, "\n", NULL);
    if (s == R1_OK && flock(fd, LOCK_EX) == 0) {
        (void)!write(fd, b.data, b.len);
        (void)flock(fd, LOCK_UN);
    }
    r1_buf_deinit(&b);
}
