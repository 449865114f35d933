/* files: reading and writing what is not the party's. CANARY is a file of the host, by its full name. */
#include "attack.h"
#include <dirent.h>

static void try_write(const char *path)
{
    int fd = open(path, O_WRONLY | O_APPEND);
    if (fd >= 0 && write(fd, "x", 1) == 1) escaped(path);
    fd = open(path, O_CREAT | O_WRONLY | O_TRUNC, 0600);
    if (fd >= 0) escaped(path);
}

static void writes(void)
{
    static const char *const paths[] = { "/x", "/etc/passwd", "/etc/ld.so.preload", "/usr/x", "/usr/bin/x", "/usr/local/lib/x", "/dev/x", "/bin/sh", "/" "home/x", "/" "root/x", "/var/x", "/proc/x",
        "/sys/x", "/run/x", "/.box/x", "/media/x", "/opt/x" };
    for (size_t i = 0; i < sizeof paths / sizeof *paths; i++) try_write(paths[i]);
    try_write(getenv("CANARY"));
    if (chmod("/etc/passwd", 0777) == 0 || chmod("/usr/bin", 0777) == 0 || unlink("/etc/passwd") == 0 || rename("/etc", "/tmp/etc") == 0) escaped("a change of the system");
    if (truncate("/usr/bin/env", 0) == 0) escaped("truncating");
    puts("done");
}

static void reads(void)
{
    static const char *const paths[] = { "/etc/shadow", "/etc/hostname", "/" "root", "/" "home", "/var", "/proc/1", "/proc/1/environ", "/proc/self/maps", "/proc/self/fd", "/proc/self/mem", "/proc/self/environ", "/proc/self/root", "/proc/self/exe", "/proc/1/root", "/proc/2", "/proc/sys", "/proc/mounts", "/sys", "/run",
        "/dev/tty", "/dev/ptmx", "/dev/mem", "/dev/kmsg", "/dev/vda", "/dev/sda", "/dev/fuse", "/dev/kvm", "/dev/fd/0", "/old_root", "/mnt" };
    for (size_t i = 0; i < sizeof paths / sizeof *paths; i++) {
        if (open(paths[i], O_RDONLY) >= 0) escaped(paths[i]);
    }
    if (open(getenv("CANARY"), O_RDONLY) >= 0) escaped("reading the host's file");
    puts("done");
}

/* ".." past the root, from every folder there is a descriptor of */
static void upwards(void)
{
    char path[4096] = "";
    for (int i = 0; i < 100; i++) strcat(path, "../");
    strcat(path, getenv("CANARY") + 1);
    for (int fd = -1; fd < 1024; fd++) {
        int f = openat(fd < 0 ? AT_FDCWD : fd, path, O_RDONLY);
        if (f >= 0) escaped("above the root");
    }
    for (int i = 0; i < 50; i++) if (chdir("..") != 0) break;
    if (access(getenv("CANARY") + 1, F_OK) == 0) escaped("above the root by chdir");
    puts("done");
}

/* what is open besides 0, 1, 2 */
static void descriptors(void)
{
    struct stat st;
    for (int fd = 3; fd < 4096; fd++) if (fstat(fd, &st) == 0) escaped("an open descriptor");
    for (int fd = 0; fd < 3; fd++) if (fstat(fd, &st) == 0 && S_ISDIR(st.st_mode)) escaped("an open folder");
    puts("done");
}

static void links(void)
{
    if (link("/usr/bin/env", "env") == 0) escaped("a hard link out of the box");
    if (symlink(getenv("CANARY"), "canary") != 0) exit(3);
    try_write("canary/x");
    if (open("canary", O_RDONLY) >= 0) escaped("a link to the host");
    puts("done");
}

static void environment(void)
{
    extern char **environ;
    for (char **e = environ; *e; e++) puts(*e);
}

/* a core dump would be written to the work folder, or handed to a program of the host */
static void dumps(void)
{
    int status;
    pid_t pid = fork();
    if (pid == 0) abort();
    if (waitpid(pid, &status, 0) != pid || WCOREDUMP(status)) escaped("a core dump");
    DIR *d = opendir(".");
    for (struct dirent *e; (e = readdir(d)) != NULL; ) if (strncmp(e->d_name, "core", 4) == 0) escaped("a core dump");
    puts("done");
}

/* leave things everywhere: the next party must find none */
static void leaves(void)
{
    char name[64];
    for (int i = 0; i < 50; i++) {
        snprintf(name, sizeof name, i % 2 ? "/tmp/left%d" : "left%d", i);
        close(open(name, O_CREAT | O_WRONLY, 0600));
    }
    syscall(SYS_shmget, 77, 4096, 01000 | 0600);
    puts("done");
}
static void finds(void)
{
    static const char *const folders[] = { ".", "/tmp", "/dev/shm" };
    for (int i = 0; i < 3; i++) {
        DIR *d = opendir(folders[i]);
        for (struct dirent *e; d && (e = readdir(d)) != NULL; ) if (e->d_name[0] != '.' && strcmp(e->d_name, "files") != 0) escaped(e->d_name);
    }
    if (syscall(SYS_shmget, 77, 4096, 0) >= 0) escaped("a segment of the party before");
    puts("done");
}

int main(int argc, char **argv)
{
    static const struct mode modes[] = { { "write", writes }, { "read", reads }, { "upwards", upwards }, { "descriptors", descriptors }, { "link", links }, { "environment", environment },
        { "dump", dumps }, { "leave", leaves }, { "find", finds }, { NULL, NULL } };
    run_mode(modes, argc, argv);
}
