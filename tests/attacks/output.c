/* output: floods, and what is done to files that are taken out. */
#include "attack.h"

static char line[65536];

static void flood(int fd) { for (;;) if (write(fd, line, sizeof line) < 0) { } }
static void out(void) { flood(1); }
static void err(void) { flood(2); }
static void both(void) { if (fork() == 0) flood(1); flood(2); }
static void by_name(void) { flood(open("/dev/stdout", O_WRONLY)); }

/* as much as is allowed, to the byte; one more with `over` */
static void exactly(int n) { while (n > 0) { int k = n < (int)sizeof line ? n : (int)sizeof line; if ((k = (int)write(1, line, (size_t)k)) > 0) n -= k; } }
static void full(void) { exactly(1 << 20); }
static void over(void) { exactly((1 << 20) + 1); }
static void proof(void) { for (;;) if (write(5, line, sizeof line) < 0) _exit(0); }

/* the file `taken`, replaced by something else */
static void link_out(void) { if (symlink("/etc/passwd", "taken") != 0) exit(3); }
static void fifo(void) { if (mkfifo("taken", 0600) != 0) exit(3); }
static void folder(void) { if (mkdir("taken", 0700) != 0) exit(3); }
static void large(void) { int fd = open("taken", O_CREAT | O_WRONLY, 0600); if (ftruncate(fd, 100 << 20) != 0) exit(3); }
static void hard(void) { if (link("/etc/passwd", "taken") == 0) escaped("a hard link"); puts("done"); }
static void race(void)
{
    /* orphans that go on exchanging it while we end well */
    for (int i = 0; i < 3; i++) if (fork() == 0) for (;;) {
        unlink("taken");
        if (symlink("/etc/passwd", "taken") != 0 || rename("taken", "other") != 0) { }
        int fd = open("taken", O_CREAT | O_WRONLY, 0600);
        if (write(fd, "x", 1) != 1) { }
        close(fd);
    }
    usleep(20000);
}
static void moved(void)
{
    /* the work folder itself out of the way */
    if (rename("/box", "/gone") == 0 || rename("/box", "/tmp/gone") == 0) escaped("the work folder");
    if (rmdir("/box") == 0) escaped("the work folder");
    if (rename("/.box/box", "/.box/gone") == 0 && symlink("/etc", "/.box/box") == 0) puts("moved it");
    int fd = open("taken", O_CREAT | O_WRONLY, 0600);
    if (write(fd, "ok", 2) != 2) exit(3);
}
static void hidden(void) { int fd = open("taken", O_CREAT | O_WRONLY, 0); if (write(fd, "ok", 2) != 2) exit(3); chmod(".", 0); }

int main(int argc, char **argv)
{
    static const struct mode modes[] = {
        { "out", out }, { "err", err }, { "both", both }, { "by_name", by_name }, { "full", full }, { "over", over }, { "proof", proof }, { "link", link_out }, { "fifo", fifo },
        { "folder", folder }, { "large", large }, { "hard", hard }, { "race", race }, { "moved", moved }, { "hidden", hidden }, { NULL, NULL } };
    memset(line, 'y', sizeof line);
    run_mode(modes, argc, argv);
}
