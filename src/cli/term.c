/* The terminal: style, width, wrapping, progress, signals.
 *
 * A signal handler can reach nothing but globals, and stdio keeps that a write failed but not why; the few globals here are
 * the only ones of the program, and only this file touches them.
 */
#define _GNU_SOURCE
#include "cli/term.h"
#include "base/newdir.h"
#include "base/utf8.h"

#include <errno.h>
#include <fcntl.h>
#include <limits.h>
#include <math.h>
#include <signal.h>
#include <sys/ioctl.h>
#include <termios.h>
#include <unistd.h>
#include <utf8proc.h>

void r1_term_init(r1_term *t, FILE *f, r1_color color)
{
    const char *term = getenv("TERM"), *no_color = getenv("NO_COLOR");
    t->f = f;
    t->tty = isatty(fileno(f)) && term && *term && strcmp(term, "dumb") != 0;
    t->color = color == R1_COLOR_ALWAYS || (color == R1_COLOR_AUTO && t->tty && !(no_color && *no_color));
}

static size_t window(const r1_term *t, bool rows)
{
    struct winsize w;
    size_t n = 0;
    if (ioctl(fileno(t->f), TIOCGWINSZ, &w) == 0) n = rows ? w.ws_row : w.ws_col;
    if (n == 0) n = rows ? 24 : 80;
    return r1_max(n, rows ? 5 : 20);
}

size_t r1_term_width(const r1_term *t) { return window(t, false); }
size_t r1_term_height(const r1_term *t) { return window(t, true); }

int r1_term_columns(const char *s, size_t n, size_t *len)
{
    uint32_t cp;
    int k = r1_utf8_decode(s, n, &cp);
    if (k <= 0) {
        *len = k < 0 ? (size_t)-k : 0;
        return k < 0;
    }
    *len = (size_t)k;
    return utf8proc_charwidth((utf8proc_int32_t)cp);
}

/* Characters that act instead of being seen: C0, DEL, C1, line separators, and the marks that turn the direction of text. */
static bool acts(uint32_t cp)
{
    return (cp < 0x20 && cp != '\n' && cp != '\t') || (cp >= 0x7f && cp < 0xa0) || cp == 0x2028 || cp == 0x2029
        || (cp >= 0x202a && cp <= 0x202e) || (cp >= 0x2066 && cp <= 0x2069);
}

r1_status r1_term_clean(const char *text, size_t n, r1_buf *out, r1_error *err)
{
    r1_status s = R1_OK;
    size_t from = 0, i = 0;
    while (i < n && s == R1_OK) {
        uint32_t cp;
        int k = r1_utf8_decode(text + i, n - i, &cp);
        if (k > 0 && !acts(cp)) {
            i += (size_t)k;
            continue;
        }
        char sign[4];
        uint32_t shown = k < 0 || cp >= 0x80 ? 0xfffd : cp == 0x7f ? 0x2421 : 0x2400 + cp; /* Unicode's control pictures */
        s = r1_buf_add(out, text + from, i - from, err);
        if (s == R1_OK) s = r1_buf_add(out, sign, (size_t)r1_utf8_encode(shown, sign), err);
        i += (size_t)(k < 0 ? -k : k);
        from = i;
    }
    if (s == R1_OK) s = r1_buf_add(out, text + from, i - from, err);
    return s;
}

/* ---- flowing text ---------------------------------------------------------------------------------------------- */

static void put_word(r1_flow *w)
{
    if (w->n_word == 0) return;
    size_t width = r1_term_width(w->term) - 1;
    if (w->column > 0 && w->column + w->word_columns > width) {
        putc('\n', w->term->f);
        w->column = 0;
    }
    fwrite(w->word, 1, w->n_word, w->term->f);
    w->column += w->word_columns;
    w->n_word = w->word_columns = 0;
}

static void add_char(r1_flow *w, const char *p, size_t n, int columns)
{
    bool blank = n == 1 && (*p == ' ' || *p == '\t');
    if (*p == '\n') {
        put_word(w);
        putc('\n', w->term->f);
        w->column = 0;
    } else if (blank) {
        put_word(w);
        if (w->column + 1 < r1_term_width(w->term)) {
            putc(' ', w->term->f);
            w->column++;
        }
    } else {
        if (w->n_word + n > sizeof w->word || columns > 1 || w->word_columns + 2 > r1_term_width(w->term)) put_word(w);
        memcpy(w->word + w->n_word, p, n);
        w->n_word += n;
        w->word_columns += (size_t)(columns > 0 ? columns : 0);
        if (columns > 1) put_word(w); /* scripts without blanks may break anywhere */
    }
}

void r1_flow_add(r1_flow *w, const char *text, size_t n)
{
    if (n == 0) return;
    if (!w->started && w->dim && w->term->color) fputs("\033[2m", w->term->f);
    w->started = true;
    if (!w->term->tty) {
        fwrite(text, 1, n, w->term->f);
        w->column = text[n - 1] != '\n';
    } else {
        r1_buf clean;
        r1_buf_init(&clean, SIZE_MAX / 4);
        if (r1_term_clean(text, n, &clean, NULL) == R1_OK)
            for (size_t i = 0, len; i < clean.len; i += len) {
                int columns = r1_term_columns(clean.data + i, clean.len - i, &len);
                if (len == 0) break;
                add_char(w, clean.data + i, len, columns);
            }
        r1_buf_deinit(&clean);
    }
    r1_term_flush(w->term->f);
}

void r1_flow_end(r1_flow *w)
{
    if (!w->started) return;
    if (w->term->tty) put_word(w);
    if (w->dim && w->term->color) fputs("\033[0m", w->term->f);
    if (w->column > 0) putc('\n', w->term->f);
    w->column = 0;
    w->started = false;
    r1_term_flush(w->term->f);
}

void r1_aside(const r1_term *t, const char *fmt, ...)
{
    char text[R1_ERROR_MAX];
    r1_error line;
    va_list ap;
    va_start(ap, fmt);
    vsnprintf(text, sizeof text, fmt, ap);
    va_end(ap);
    (void)r1_fail(&line, R1_OK, "%s", text); /* makes it printable */
    r1_flow w = { .term = t, .dim = true, .column = 0 };
    r1_flow_add(&w, line.msg, strlen(line.msg));
    r1_flow_end(&w);
}

/* ---- progress -------------------------------------------------------------------------------------------------- */

void r1_progress_begin(r1_progress *p, const r1_term *term, bool quiet, const char *label, const char *unit)
{
    *p = (r1_progress){ .term = term->tty && !quiet ? term : NULL, .label = label, .unit = unit, .start = r1_now() };
}

static void draw(r1_progress *p, double now, double done, double total)
{
    double passed = now - p->start;
    p->drawn = now;
    double part = fmin(fmax(done / total, 0), 1);
    char bar[25], rate[48] = "", left[32] = "";
    int filled = (int)(part * 24);
    for (int i = 0; i < 24; i++) bar[i] = i < filled ? '=' : i == filled ? '>' : ' ';
    bar[24] = 0;
    if (*p->unit) snprintf(rate, sizeof rate, " %.0f %s/s", done / passed, p->unit);
    if (part > 0.02) {
        double s = passed / part - passed;
        if (s < 86400) snprintf(left, sizeof left, " %d:%02d left", (int)s / 60, (int)s % 60);
    }
    char line[256];
    int n = total < 0 ? snprintf(line, sizeof line, "%s%s", p->label, rate) :
                        snprintf(line, sizeof line, "%s [%s] %3.0f%%%s%s", p->label, bar, 100 * part, rate, left);
    fprintf(p->term->f, "\r%.*s\033[K", (int)r1_min((size_t)n, r1_term_width(p->term) - 1), line);
    fflush(p->term->f);
    p->shown = true;
}

void r1_progress_step(r1_progress *p, double done, double total)
{
    const double patience = 0.3, interval = 0.1; /* what is over sooner needs no bar; ten pictures a second are enough */
    double now = r1_now();
    if (p->term && total != 0 && now - p->start >= patience && now - p->drawn >= interval) draw(p, now, done, total);
}

void r1_progress_say(r1_progress *p, const char *label, double done, double total)
{
    p->label = label;
    if (p->term && total != 0) draw(p, r1_now(), done, total);
}

void r1_progress_hide(r1_progress *p)
{
    if (p->shown) {
        fputs("\r\033[K", p->term->f);
        fflush(p->term->f);
    }
    p->shown = false;
    p->drawn = 0;
}

void r1_progress_end(r1_progress *p)
{
    r1_progress_hide(p);
    p->term = NULL;
}

/* ---- what standard output met ---------------------------------------------------------------------------------- */

static int output_errno;

bool r1_term_flush(FILE *f)
{
    int before = errno; /* of a write that the buffer was too small for, unless fflush fails itself */
    bool ok = fflush(f) == 0;
    if (ok && !ferror(f)) return true;
    if (f == stdout && !output_errno) output_errno = ok ? before : errno;
    if (f == stdout && !output_errno) output_errno = EIO;
    return false;
}

int r1_output_errno(void) { return output_errno; }

/* ---- signals --------------------------------------------------------------------------------------------------- */

static volatile sig_atomic_t interrupt_armed, interrupt_seen, echo_is_off;
static struct termios echo_saved; /* written before echo_is_off is set */
static volatile sig_atomic_t temporary_is_ours, temporary_is_folder;
static char temporary[PATH_MAX];  /* likewise */

static const int ending[] = { SIGINT, SIGTERM, SIGHUP, SIGQUIT };

static void on_signal(int sig)
{
    if (sig == SIGINT && interrupt_armed && !interrupt_seen) {
        interrupt_seen = 1;
        return;
    }
    if (echo_is_off) tcsetattr(STDIN_FILENO, TCSANOW, &echo_saved);
    if (temporary_is_ours && temporary_is_folder) (void)r1_newdir_remove(temporary);
    else if (temporary_is_ours) unlink(temporary);
    if (sig == SIGINT) _exit(130);
    signal(sig, SIG_DFL);
    raise(sig);
}

void r1_interrupt_init(void)
{
    struct sigaction a = { .sa_handler = on_signal }, old;
    sigemptyset(&a.sa_mask);
    for (size_t i = 0; i < R1_COUNT(ending); i++) /* what nohup or a shell told us to ignore stays ignored */
        if (sigaction(ending[i], NULL, &old) == 0 && old.sa_handler != SIG_IGN) sigaction(ending[i], &a, NULL);
    signal(SIGXFSZ, SIG_IGN); /* a write past the limit of file sizes fails instead, and is told as a full disk is */
    signal(SIGPIPE, SIG_DFL); /* a reader that went away ends the program without a word, also where a parent ignores the signal */
}

void r1_interrupt_arm(bool armed)
{
    interrupt_seen = 0;
    interrupt_armed = armed;
}

bool r1_interrupt_armed(void) { return interrupt_armed; }

bool r1_interrupted(void) { return interrupt_seen || output_errno; }

int r1_temporary_create(char *name)
{
    if (strlen(name) >= sizeof temporary) {
        errno = ENAMETOOLONG;
        return -1;
    }
    sigset_t hold, old; /* no moment in which the file is there and nobody would remove it */
    sigemptyset(&hold);
    for (size_t i = 0; i < R1_COUNT(ending); i++) sigaddset(&hold, ending[i]);
    sigprocmask(SIG_BLOCK, &hold, &old);
    int fd = mkostemp(name, O_CLOEXEC), e = errno;
    if (fd >= 0) {
        strcpy(temporary, name);
        temporary_is_folder = 0;
        temporary_is_ours = 1;
    }
    sigprocmask(SIG_SETMASK, &old, NULL);
    errno = e;
    return fd;
}

void r1_temporary_kept(void) { temporary_is_ours = 0; }

static void take_note(const char *path, bool folder)
{
    temporary_is_ours = 0;
    if (!path || strlen(path) >= sizeof temporary) return; /* names of writer and newdir are shorter */
    strcpy(temporary, path);
    temporary_is_folder = folder;
    temporary_is_ours = 1;
}

void r1_temporary_file(void *ctx, const char *path)
{
    (void)ctx;
    take_note(path, false);
}

void r1_temporary_folder(void *ctx, const char *path)
{
    (void)ctx;
    take_note(path, true);
}

void r1_echo(bool on)
{
    if (on) {
        if (echo_is_off) tcsetattr(STDIN_FILENO, TCSADRAIN, &echo_saved);
        echo_is_off = 0;
    } else if (!echo_is_off && isatty(STDIN_FILENO) && tcgetattr(STDIN_FILENO, &echo_saved) == 0) {
        struct termios quiet = echo_saved;
        quiet.c_lflag &= ~(tcflag_t)(ECHO | ECHONL);
        echo_is_off = 1;
        tcsetattr(STDIN_FILENO, TCSADRAIN, &quiet);
    }
}
