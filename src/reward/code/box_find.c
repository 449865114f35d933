/* box_find: the real program behind a name, and the folder it needs. */
#define _GNU_SOURCE
#include "reward/code/box_int.h"
#include <errno.h>
#include <fcntl.h>
#include <limits.h>
#include <spawn.h>
#include <stdio.h>
#include <sys/stat.h>
#include <sys/wait.h>
#include <unistd.h>

#define DEFAULT_SEARCH "/usr/local/bin:/usr/bin:/bin"

static bool is_program(const char *path)
{
    struct stat st;
    return stat(path, &st) == 0 && S_ISREG(st.st_mode) && access(path, X_OK) == 0;
}

static bool is_script(const char *path)
{
    char two[2] = { 0 };
    int fd = open(path, O_RDONLY | O_CLOEXEC);
    if (fd < 0) return false;
    ssize_t n = read(fd, two, 2);
    close(fd);
    return n == 2 && two[0] == '#' && two[1] == '!';
}

/* The first folder of search that has it; among those a program before a script, which may be a shim. */
static bool look_for(char *path, size_t size, const char *name, const char *search)
{
    char script[PATH_MAX] = "";
    while (*search) {
        size_t n = strcspn(search, ":");
        if (n && search[0] == '/' && (size_t)snprintf(path, size, "%.*s/%s", (int)n, search, name) < size && is_program(path)) {
            if (!is_script(path)) return true;
            if (!script[0]) snprintf(script, sizeof script, "%s", path);
        }
        search += n + (search[n] == ':');
    }
    snprintf(path, size, "%s", script);
    return script[0] != 0;
}

/* Ask a shim: the first line of what it prints. */
static bool ask(const char *shim, const char *option, const char *question, char *line, size_t size)
{
    int out[2], status = -1;
    pid_t pid;
    posix_spawn_file_actions_t a;
    char *argv[] = { (char *)(uintptr_t)shim, (char *)(uintptr_t)option, (char *)(uintptr_t)question, NULL };
    if (pipe2(out, O_CLOEXEC) != 0) return false;
    if (posix_spawn_file_actions_init(&a) != 0) {
        close(out[0]);
        close(out[1]);
        return false;
    }
    int e = posix_spawn_file_actions_adddup2(&a, out[1], 1);
    if (!e) e = posix_spawn_file_actions_addopen(&a, 0, "/dev/null", O_RDONLY, 0);
    if (!e) e = posix_spawn_file_actions_addopen(&a, 2, "/dev/null", O_WRONLY, 0);
    if (!e) e = posix_spawn(&pid, shim, &a, NULL, argv, environ); /* a shim lives from its environment */
    posix_spawn_file_actions_destroy(&a);
    close(out[1]);
    size_t have = 0;
    ssize_t n;
    while (!e && have < size - 1 && (n = read(out[0], line + have, size - 1 - have)) != 0) {
        if (n > 0) have += (size_t)n;
        else if (errno != EINTR) break;
    }
    close(out[0]);
    if (!e) while (waitpid(pid, &status, 0) < 0 && errno == EINTR) { }
    line[have] = 0;
    line[strcspn(line, "\n")] = 0;
    return !e && status == 0 && line[0] == '/';
}

/* The prefix of "PREFIX/bin/name", else the program's folder; "" below /usr, which every box has. */
static void needed_folder(r1_box_program *p)
{
    static const char *const there[] = { "/usr/", "/bin/", "/sbin/", "/lib/", "/lib64/", "/nix/store/", "/gnu/store/" };
    snprintf(p->folder, sizeof p->folder, "%s", p->path);
    for (size_t i = 0; i < R1_COUNT(there); i++) {
        if (strncmp(p->path, there[i], strlen(there[i])) == 0) p->folder[0] = 0;
    }
    char *slash = strrchr(p->folder, '/');
    if (!slash) return;
    *slash = 0;
    slash = strrchr(p->folder, '/');
    if (slash && slash != p->folder && strcmp(slash, "/bin") == 0) *slash = 0;
}

r1_status r1_box_find(r1_box_program *out, const char *name, const char *search, r1_error *err)
{
    char path[PATH_MAX], real[PATH_MAX], line[PATH_MAX];
    memset(out, 0, sizeof *out);
    if (!name[0]) return r1_fail(err, R1_EINVAL, "no name of a program");
    if (!search) search = DEFAULT_SEARCH;
    bool found = strchr(name, '/') ? name[0] == '/' && (size_t)snprintf(path, sizeof path, "%s", name) < sizeof path && is_program(path) : look_for(path, sizeof path, name, search);
    if (!found) return r1_fail(err, R1_EUNSUPPORTED, "the program '%s' is not there%s%s", name, strchr(name, '/') ? "" : "; looked in ", strchr(name, '/') ? "" : search);
    const char *base = strrchr(path, '/') + 1;
    if (is_script(path)) {
        if (strncmp(base, "python", 6) == 0 && ask(path, "-c", "import sys; print(sys.executable)", line, sizeof line)) snprintf(path, sizeof path, "%s", line);
        else if (strncmp(base, "node", 4) == 0 && ask(path, "-p", "process.execPath", line, sizeof line)) snprintf(path, sizeof path, "%s", line);
    }
    /* a compiler driver looks at the name it is called by, and finds its parts from there, so below /usr the link is kept */
    if (!realpath(path, real) || strncmp(real, "/usr/", 5) == 0) snprintf(real, sizeof real, "%s", path);
    if (snprintf(out->path, sizeof out->path, "%s", real) >= (int)sizeof out->path) return r1_fail(err, R1_EUNSUPPORTED, "the path of the program '%s' is longer than %zu bytes", name, sizeof out->path - 1);
    needed_folder(out);
    return R1_OK;
}
