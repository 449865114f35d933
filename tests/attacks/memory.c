/* memory: every way to take more than the limit. All modes but `shares`, `maps_file`, `vforks` and those that end by a refusal never stop by themselves. */
#include "attack.h"
#include <pthread.h>
#include <sched.h>
#include <sys/ipc.h>
#include <sys/shm.h>

#define MB (1 << 20)

static void touch(void *p, size_t n)
{
    for (size_t i = 0; i < n; i += 4096) ((volatile char *)p)[i] = (char)i;
}

static void *map(size_t n, int flags, int fd)
{
    void *p = mmap(NULL, n, PROT_READ | PROT_WRITE, flags, fd, 0);
    if (p == MAP_FAILED) exit(3);
    return p;
}

static void heap(void) { for (;;) { char *p = malloc(MB); if (!p) exit(3); touch(p, MB); } }
static void shared(void) { for (;;) touch(map(16 * MB, MAP_SHARED | MAP_ANONYMOUS, -1), 16 * MB); }

/* pages that no process has mapped in */
static void shared_unseen(void)
{
    for (;;) {
        void *p = map(16 * MB, MAP_SHARED | MAP_ANONYMOUS, -1);
        touch(p, 16 * MB);
        madvise(p, 16 * MB, MADV_DONTNEED);
    }
}

/* filled by children that are gone; we have the address space only */
static void shared_by_children(void)
{
    for (;;) {
        void *p = map(64 * MB, MAP_SHARED | MAP_ANONYMOUS, -1);
        pid_t pid = fork();
        if (pid == 0) { touch(p, 64 * MB); _exit(0); }
        waitpid(pid, NULL, 0);
    }
}

static void in_memfd(void)
{
    static char b[MB];
    memset(b, 7, sizeof b);
    for (;;) {
        int fd = memfd_create("m", 0);
        if (fd < 0) exit(3);
        for (int i = 0; i < 32; i++) if (write(fd, b, sizeof b) < 0) exit(3);
    }
}

static void memfd_closed(void)
{
    for (;;) {
        int fd = memfd_create("m", 0);
        if (fd < 0 || ftruncate(fd, 16 * MB) != 0) exit(3);
        void *p = map(16 * MB, MAP_SHARED, fd);
        touch(p, 16 * MB);
        madvise(p, 16 * MB, MADV_DONTNEED);
        close(fd);
    }
}

static void memfd_in_children(void)
{
    for (;;) {
        if (fork() == 0) {
            int fd = memfd_create("m", 0);
            static char b[MB];
            for (int i = 0; i < 48; i++) if (write(fd, b, sizeof b) < 0) _exit(3);
            for (;;) pause();
        }
        usleep(1000);
    }
}

static void sysv(void)
{
    for (;;) {
        int id = shmget(IPC_PRIVATE, 16 * MB, 0600 | IPC_CREAT);
        if (id < 0) exit(3);
        void *p = shmat(id, NULL, 0);
        touch(p, 16 * MB);
        shmdt(p);
    }
}

static void fill(int unlinked)
{
    static char b[MB];
    for (int n = 0; ; n++) {
        char name[32];
        snprintf(name, sizeof name, n % 2 ? "/tmp/f%d" : "f%d", n);
        int fd = open(name, O_CREAT | O_WRONLY, 0600);
        if (fd < 0) for (;;) pause();
        if (unlinked) unlink(name);
        for (int i = 0; i < 8; i++) if (write(fd, b, sizeof b) <= 0) for (;;) pause();
        if (!unlinked) close(fd);
    }
}
static void tmpfs(void) { fill(0); }
static void tmpfs_unlinked(void) { fill(1); }

static void page_tables(void)
{
    size_t n = (size_t)1 << 40;
    volatile char *p = mmap(NULL, n, PROT_READ, MAP_PRIVATE | MAP_ANONYMOUS | MAP_NORESERVE, -1, 0);
    if (p == MAP_FAILED) exit(3);
    madvise((void *)(uintptr_t)p, n, MADV_NOHUGEPAGE);
    for (size_t i = 0; i < n; i += 2 * MB) (void)p[i];
    escaped("page tables");
}

static void copies(void)
{
    char *p = map(64 * MB, MAP_PRIVATE | MAP_ANONYMOUS, -1);
    touch(p, 64 * MB);
    for (int i = 0; i < 40; i++) if (fork() == 0) { touch(p, 64 * MB); for (;;) pause(); }
    for (;;) pause();
}

/* honest: twenty processes look at the same 100 MB */
static void shares(void)
{
    char *p = map(100 * MB, MAP_PRIVATE | MAP_ANONYMOUS, -1);
    touch(p, 100 * MB);
    for (int i = 0; i < 20; i++) if (fork() == 0) {
        unsigned s = 0;
        for (int k = 0; k < 100 * MB; k += 4096) s += (unsigned char)p[k];
        usleep(400000);
        _exit(s == 1);
    }
    int status;
    while (wait(&status) > 0) if (status) exit(4);
    puts("done");
}

static char *map_file(size_t n)
{
    int fd = open("mapped", O_CREAT | O_RDWR | O_TRUNC, 0600);
    if (fd < 0 || ftruncate(fd, (off_t)n) != 0) exit(3);
    char *p = map(n, MAP_SHARED, fd);
    touch(p, n);
    close(fd);
    return p;
}

/* honest: a file of the work folder that four processes have mapped */
static void maps_file(void)
{
    char *p = map_file(80 * MB);
    for (int i = 0; i < 3; i++) if (fork() == 0) {
        touch(p, 80 * MB);
        usleep(200000);
        _exit(0);
    }
    int status;
    while (wait(&status) > 0) if (status) exit(4);
    puts("done");
}

/* what is mapped is left out of what is resident, and must be in the sum all the same */
static void mapped_and_heap(void) { map_file(80 * MB); heap(); }
static void mapped_and_shared(void) { map_file(80 * MB); shared(); }

/* gone before anyone looks */
static void spike(void)
{
    touch(map(160 * MB, MAP_PRIVATE | MAP_ANONYMOUS, -1), 160 * MB);
    _exit(0);
}

/* kernel buffers: as many pipes and sockets as there may be, all full, in as many processes as there may be */
static void buffers(void)
{
    static char b[65536];
    while (fork() > 0) { }
    for (int round = 0; round < 2; round++) for (;;) {
        int p[2];
        if ((round ? socketpair(AF_UNIX, SOCK_STREAM, 0, p) : pipe(p)) != 0) break;
        fcntl(p[1], F_SETFL, O_NONBLOCK);
        for (int i = 0; i < 64; i++) if (write(p[1], b, sizeof b) < 0) break;
        if (round == 0 && fcntl(p[1], F_SETPIPE_SZ, MB) >= 0) escaped("a larger pipe");
    }
    for (;;) pause();
}

static void in_flight(void)
{
    int s[2], fd = memfd_create("m", 0);
    union { struct cmsghdr h; char room[CMSG_SPACE(sizeof(int))]; } c = { .h = { CMSG_LEN(sizeof(int)), SOL_SOCKET, SCM_RIGHTS } };
    char x = 0;
    struct iovec v = { &x, 1 };
    struct msghdr m = { .msg_iov = &v, .msg_iovlen = 1, .msg_control = &c, .msg_controllen = sizeof c };
    if (socketpair(AF_UNIX, SOCK_STREAM, 0, s) != 0) exit(3);
    memcpy(CMSG_DATA(&c.h), &fd, sizeof fd);
    refused("a descriptor in flight", sendmsg(s[0], &m, 0));
    if (dup2(s[0], 700) >= 0) escaped("the launcher's descriptor");
    refused("a descriptor in flight through the launcher's number", sendmsg(700, &m, 0));
}

static void huge_pages(void)
{
    refused("huge pages", (long)(intptr_t)mmap(NULL, 2 * MB, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS | MAP_HUGETLB, -1, 0) == -1 ? -1 : 0);
    refused("a memfd of huge pages", memfd_create("m", 4));
    refused("a segment of huge pages", shmget(IPC_PRIVATE, 2 * MB, 0600 | IPC_CREAT | SHM_HUGETLB));
}

static void hide(void)
{
    refused("being undumpable", syscall(SYS_prctl, 4, 0, 0, 0, 0));
    /* executing what one may not read makes undumpable as well: where looks then find nothing, the party must be ended for it */
    char self[4096];
    snprintf(self, sizeof self, "cp memory hidden; chmod 0111 hidden; exec ./hidden memfd_in_children");
    if (execl("/bin/sh", "sh", "-c", self, (char *)NULL) != 0) exit(3);
}

/* ---- address spaces of several processes, and processes that seem to have none ---- */

static int never(void *x) { (void)x; for (;;) pause(); return 0; }

static void spaces(void)
{
    static char stack[65536];
    refused("a process that runs in our address space", clone(never, stack + sizeof stack, CLONE_VM | SIGCHLD, NULL));
    refused("a thread with descriptors of its own", clone(never, stack + sizeof stack, CLONE_VM | CLONE_SIGHAND | CLONE_THREAD, NULL));
}

static int sleeps(void *x) { (void)x; usleep(100000); _exit(0); }

/* its parent waits for it, and is killed: then the parent of that goes on beside it, in the same address space */
static int stays(void *x) { (void)x; kill(getppid(), SIGKILL); usleep(100000); _exit(0); }
static int is_left(void *x) { clone(stays, (char *)x - 32768, CLONE_VM | CLONE_VFORK | SIGCHLD, NULL); _exit(1); }

/* honest but for the middle: 80 MB that are there once */
static void vforks(void)
{
    enum { STACK = 65536 };
    touch(map(80 * MB, MAP_PRIVATE | MAP_ANONYMOUS, -1), 80 * MB);
    char *stack = map(6 * STACK, MAP_PRIVATE | MAP_ANONYMOUS, -1);
    int status;
    pid_t pid = clone(sleeps, stack + STACK, CLONE_VM | CLONE_VFORK | SIGCHLD, NULL);
    if (pid < 0 || waitpid(pid, &status, 0) != pid || status) exit(4);
    for (int i = 1; i < 6; i++) {
        pid = clone(is_left, stack + (i + 1) * STACK, CLONE_VM | CLONE_VFORK | SIGCHLD, stack + (i + 1) * STACK);
        if (pid < 0 || waitpid(pid, &status, 0) != pid || !WIFSIGNALED(status)) exit(5);
    }
    usleep(100000);
    if (system("true") != 0) exit(6);
    puts("done");
}

/* the first thread shows no memory once it has ended; 1 GB at most */
static void *fills_slowly(void *x)
{
    for (int i = 0; i < 1024; i++) {
        touch(map(MB, MAP_PRIVATE | MAP_ANONYMOUS, -1), MB);
        usleep(500);
    }
    escaped("memory of a process whose first thread has ended");
    _exit(0);
    return x;
}
static void first_thread_gone(void)
{
    pthread_t t;
    if (pthread_create(&t, NULL, fills_slowly, NULL) != 0) exit(3);
    syscall(SYS_exit, 0);
}

/* whoever wants to look at our mappings waits for seconds, and meanwhile others take 100 MB each; 1.2 GB at most */
static void *holds(void *x)
{
    const size_t n = (size_t)64 << 30;
    for (;;) {
        void *p = mmap(NULL, n, PROT_READ, MAP_PRIVATE | MAP_ANONYMOUS | MAP_NORESERVE, -1, 0);
        if (p == MAP_FAILED) return x;
        madvise(p, n, MADV_NOHUGEPAGE);
        madvise(p, n, 22); /* MADV_POPULATE_READ */
        munmap(p, n);
    }
}
static void *wants(void *x) { for (;;) munmap(map(4096, MAP_PRIVATE | MAP_ANONYMOUS, -1), 4096); return x; }
static void lock_held(void)
{
    pthread_t t;
    for (int i = 1; i <= 12; i++) if (fork() == 0) {
        usleep(100000u * (unsigned)i);
        touch(map(100 * MB, MAP_PRIVATE | MAP_ANONYMOUS, -1), 100 * MB);
        if (i == 12) escaped("1.2 GB while no one could look");
        for (;;) pause();
    }
    if (pthread_create(&t, NULL, holds, NULL) != 0 || pthread_create(&t, NULL, wants, NULL) != 0) exit(3);
    for (;;) pause();
}

int main(int argc, char **argv)
{
    static const struct mode modes[] = {
        { "heap", heap }, { "shared", shared }, { "shared_unseen", shared_unseen }, { "shared_by_children", shared_by_children }, { "memfd", in_memfd },
        { "memfd_closed", memfd_closed }, { "memfd_in_children", memfd_in_children }, { "sysv", sysv }, { "tmpfs", tmpfs }, { "tmpfs_unlinked", tmpfs_unlinked },
        { "page_tables", page_tables }, { "copies", copies }, { "shares", shares }, { "maps_file", maps_file }, { "mapped_and_heap", mapped_and_heap }, { "mapped_and_shared", mapped_and_shared },
        { "spike", spike }, { "buffers", buffers }, { "in_flight", in_flight },
        { "huge_pages", huge_pages }, { "hide", hide }, { "spaces", spaces }, { "vforks", vforks }, { "first_thread_gone", first_thread_gone }, { "lock_held", lock_held }, { NULL, NULL } };
    run_mode(modes, argc, argv);
}
