/* time: every way to run longer than allowed, and to take others along. */
#include "attack.h"
#include <pthread.h>

static void burn(double s)
{
    struct timespec t;
    do clock_gettime(CLOCK_PROCESS_CPUTIME_ID, &t);
    while ((double)t.tv_sec + (double)t.tv_nsec / 1e9 < s);
}

static void loop(void) { for (;;) { } }
static void *loop_thread(void *x) { for (;;) (void)*(volatile char *)&x; return NULL; }
static void threads(void)
{
    pthread_t t;
    for (int i = 0; i < 4; i++) pthread_create(&t, NULL, loop_thread, NULL);
    for (;;) pause();
}
static void children(void)
{
    for (int i = 0; i < 4; i++) if (fork() == 0) loop();
    for (;;) pause();
}

/* short-lived ones, each far below any limit */
static void generations(void) { for (;;) if (fork() == 0) { burn(0.02); _exit(0); } else wait(NULL); }

/* the same, reaped by the kernel, which then forgets their time */
static void forgotten(void)
{
    struct sigaction a;
    memset(&a, 0, sizeof a);
    a.sa_handler = SIG_IGN;
    refused("ignoring SIGCHLD", sigaction(SIGCHLD, &a, NULL));
    a.sa_handler = SIG_DFL;
    a.sa_flags = SA_NOCLDWAIT;
    refused("SA_NOCLDWAIT", sigaction(SIGCHLD, &a, NULL));
    a.sa_flags = 0;
    if (sigaction(SIGCHLD, &a, NULL) != 0) puts("SIGCHLD has no default action");
    fflush(stdout);
    generations();
}

/* the parent is gone before the child begins: double fork, own session */
static void orphans(void)
{
    for (int i = 0; i < 3; i++) if (fork() == 0) {
        setsid();
        if (fork() == 0) loop();
        _exit(0);
    }
    for (;;) pause();
}

/* the program ends well, its orphan goes on: it must not outlive the party */
static void leaves_orphan(void)
{
    if (fork() == 0) {
        setsid();
        for (int i = 1; i < 65; i++) signal(i, SIG_IGN);
        if (fork() == 0) for (;;) pause();
        _exit(0);
    }
    wait(NULL);
    puts("done");
    fflush(stdout);
}

static void ignores(void)
{
    for (int i = 1; i < 65; i++) if (i != SIGCHLD) signal(i, SIG_IGN);
    loop();
}
/* says that its CPU time is over when it is not */
static void pretends(void) { raise(SIGXCPU); for (;;) pause(); }
static void closes(void) { for (int i = 0; i < 64; i++) close(i); loop(); }
static void sleeps(void) { for (;;) pause(); }
static void stops(void) { for (;;) raise(SIGSTOP); }
static void executes(void) { execl("./time", "time", "execute", (char *)NULL); }
static void forks(void) { for (;;) fork(); }

static void *idle_thread(void *x) { (void)x; for (;;) pause(); return NULL; }
static void many_threads(void)
{
    int n = 0;
    pthread_t t;
    while (n < 100000 && pthread_create(&t, NULL, idle_thread, NULL) == 0) n++;
    if (n > 200) escaped("threads");
    printf("done after %s\n", n > 10 ? "some" : "too few");
    fflush(stdout);
    _exit(0);
}

static int deeper(volatile int n) { volatile char room[256]; room[n % 256] = 1; return deeper(n + 1) + room[0]; }
static void recursion(void) { exit(deeper(0)); }

/* signals to init and to all */
static void kills(void)
{
    for (int i = 1; i < 65; i++) { kill(1, i); kill(getppid(), i); }
    for (int i = 1; i < 65; i++) if (i != SIGCHLD) signal(i, SIG_IGN);
    for (int i = 1; i < 65; i++) if (i != SIGKILL && i != SIGSTOP) kill(-1, i);
    for (int pid = 2; pid < 40000; pid++) if (pid != getpid()) kill(pid, SIGKILL);
    puts("done");
}

/* honest: 0.45 s of work */
static void works(void) { burn(0.45); puts("done"); }

int main(int argc, char **argv)
{
    static const struct mode modes[] = {
        { "loop", loop }, { "threads", threads }, { "children", children }, { "generations", generations }, { "forgotten", forgotten }, { "orphans", orphans },
        { "leaves_orphan", leaves_orphan }, { "ignore", ignores }, { "close", closes }, { "sleep", sleeps }, { "stop", stops }, { "execute", executes }, { "fork_bomb", forks },
        { "thread_bomb", many_threads }, { "recursion", recursion }, { "kill", kills }, { "pretend", pretends }, { "work", works }, { NULL, NULL } };
    run_mode(modes, argc, argv);
}
