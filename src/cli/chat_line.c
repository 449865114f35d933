/* Lines from the terminal, through libedit: editing, history, UTF-8.
 *
 * Ctrl-C is an ordinary key here (the terminal sends no signal for it while a line is read), because libedit starts a read
 * again after a signal. A pasted text with several lines comes as one input: terminals mark the ends of a paste.
 */
#define _GNU_SOURCE
#include "cli/chat.h"
#include "base/utf8.h"

#include <errno.h>
#include <histedit.h>
#include <unistd.h>
#include <wchar.h>

struct r1_lines {
    EditLine *el;
    History *history;
    int file;                /* of the history; -1: none */
    char *last;              /* the line remembered last */
    const char *prompt;
    bool interrupted;
    FILE *out;
};

static char *give_prompt(EditLine *el)
{
    r1_lines *l;
    el_get(el, EL_CLIENTDATA, &l);
    return (char *)l->prompt;
}

static unsigned char on_interrupt(EditLine *el, int key)
{
    (void)key;
    r1_lines *l;
    el_get(el, EL_CLIENTDATA, &l);
    l->interrupted = true;
    fputs("^C", l->out);
    return CC_NEWLINE;
}

/* ESC [ 200 ~ was read: take everything up to ESC [ 201 ~ into the line. */
static unsigned char on_paste(EditLine *el, int key)
{
    (void)key;
    static const wchar_t end[] = L"\033[201~";
    const size_t n_end = R1_COUNT(end) - 1, most = 1 << 20;
    size_t n = 0, cap = 0;
    wchar_t *text = NULL, c;
    while (n < most && el_wgetc(el, &c) == 1) {
        if (n + 1 >= cap) {
            cap = cap ? cap * 2 : 256;
            wchar_t *p = realloc(text, cap * sizeof *p);
            if (!p) break;
            text = p;
        }
        text[n++] = c == L'\r' ? L'\n' : c;
        if (n >= n_end && !wmemcmp(text + n - n_end, end, n_end)) {
            n -= n_end;
            break;
        }
    }
    int failed = 0;
    if (text) text[n] = 0;
    if (n) failed = el_winsertstr(el, text);
    free(text);
    return failed ? CC_ERROR : CC_REDISPLAY;
}

/* A character from the terminal. A signal that came while the terminal was not yet set up for reading counts as the key. */
static int read_key(EditLine *el, wchar_t *out)
{
    (void)el;
    char s[4];
    size_t n = 0;
    for (;;) {
        if (r1_output_errno()) return 0; /* nobody sees what would be typed */
        if (r1_interrupted()) {
            r1_interrupt_arm(true);
            *out = 3;
            return 1;
        }
        ssize_t k = read(STDIN_FILENO, s + n, 1);
        if (k < 0 && errno == EINTR) continue;
        if (k <= 0) return (int)k;
        uint32_t cp;
        if (r1_utf8_decode(s, ++n, &cp) > 0) {
            *out = (wchar_t)cp;
            return 1;
        }
        if (n == sizeof s || !r1_utf8_is_partial(s, n)) {
            *out = 0xfffd;
            return 1;
        }
    }
}

static void enter(void *ctx, const char *line)
{
    HistEvent e;
    r1_lines *l = ctx;
    history(l->history, &e, H_ENTER, line);
}

r1_status r1_lines_open(r1_lines **out, const r1_cli *c, const char *file, r1_error *err)
{
    *out = NULL;
    r1_lines *l = calloc(1, sizeof *l);
    if (!l) return r1_fail(err, R1_ENOMEM, "no memory for line editing");
    l->file = -1;
    l->out = c->out.tty ? stdout : stderr;
    l->el = el_init("r1", stdin, l->out, stderr);
    l->history = history_init();
    if (!l->el || !l->history) {
        r1_lines_close(l);
        return r1_fail(err, R1_ENOMEM, "no memory for line editing");
    }
    HistEvent e;
    history(l->history, &e, H_SETSIZE, 1000);
    history(l->history, &e, H_SETUNIQUE, 1);
    if (file) l->file = r1_history_open(file, enter, l);
    el_set(l->el, EL_CLIENTDATA, l);
    el_set(l->el, EL_PROMPT, give_prompt);
    el_set(l->el, EL_HIST, history, l->history);
    el_set(l->el, EL_EDITOR, "emacs");
    el_set(l->el, EL_SIGNAL, 0);
    el_set(l->el, EL_GETCFN, read_key);
    el_wset(l->el, EL_ADDFN, L"r1-interrupt", L"stop this line", on_interrupt); /* el_set copies these names and forgets them */
    el_wset(l->el, EL_ADDFN, L"r1-paste", L"take a pasted text", on_paste);
    el_source(l->el, NULL);
    el_set(l->el, EL_BIND, "^C", "r1-interrupt", NULL);
    el_set(l->el, EL_BIND, "\\e[200~", "r1-paste", NULL);
    el_set(l->el, EL_BIND, "^R", "em-inc-search-prev", NULL);
    el_set(l->el, EL_SETTY, "-d", "-isig", NULL);
    *out = l;
    return R1_OK;
}

void r1_lines_close(r1_lines *l)
{
    if (!l) return;
    if (l->file >= 0) close(l->file);
    if (l->el) el_end(l->el);
    if (l->history) history_end(l->history);
    free(l->last);
    free(l);
}

r1_key r1_lines_read(r1_lines *l, const char *prompt, r1_buf *text)
{
    l->prompt = prompt;
    l->interrupted = false;
    fputs("\033[?2004h", l->out);
    fflush(l->out);
    int n = 0;
    el_resize(l->el);
    el_set(l->el, EL_PREP_TERM, 1); /* before the prompt shows: what is typed from then on is for the editor */
    r1_interrupt_arm(true);
    const char *line = el_gets(l->el, &n);
    r1_interrupt_arm(false);
    fputs("\033[?2004l", l->out);
    fflush(l->out);
    if (l->interrupted && (!line || n <= 0)) {
        fputc('\n', l->out);
        return R1_KEY_INTERRUPT;
    }
    if (!line || n <= 0) return R1_KEY_END;
    size_t len = (size_t)n;
    while (len && (line[len - 1] == '\n' || line[len - 1] == '\r')) len--;
    if (r1_buf_add(text, line, len, NULL)) return R1_KEY_END;
    if (!l->interrupted) return R1_KEY_LINE;
    fputc('\n', l->out);
    return R1_KEY_INTERRUPT;
}

void r1_lines_remember(r1_lines *l, const char *text)
{
    if (l->last && !strcmp(l->last, text)) return;
    free(l->last);
    l->last = strdup(text);
    enter(l, text);
    if (l->file >= 0) r1_history_add(l->file, text);
}
