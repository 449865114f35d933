/* Tests of newdir.c: whole or not there; old folders exchanged with all that is the user's; nothing left behind. */
#define _GNU_SOURCE
#include "base/newdir.h"
#include "base/map.h"
#include "tests/test.h"

#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <signal.h>
#include <stdio.h>
#include <sys/file.h>
#include <sys/stat.h>
#include <sys/wait.h>
#include <unistd.h>

typedef struct ground { char dir[256], target[300], told[400]; size_t n_told; } ground;

static const char *const dropped[] = { "weights", "config", NULL };

static ground ground_new(void)
{
    ground g = { 0 };
    const char *t = getenv("TMPDIR");
    snprintf(g.dir, sizeof g.dir, "%.200s/r1-test-XXXXXX", t && *t ? t : P_tmpdir);
    if (!mkdtemp(g.dir)) abort();
    snprintf(g.target, sizeof g.target, "%s/target", g.dir);
    return g;
}

static size_t n_entries(const char *dir)
{
    size_t n = 0;
    DIR *d = opendir(dir);
    for (struct dirent *e; d && (e = readdir(d));) n += e->d_name[0] != '.';
    if (d) closedir(d);
    return n;
}

static const char *path_of(const char *dir, const char *name)
{
    static char path[4][700];
    static int at;
    at = (at + 1) % 4;
    snprintf(path[at], sizeof path[at], "%s/%s", dir, name);
    return path[at];
}

static void put(const char *dir, const char *name, const char *text)
{
    FILE *f = fopen(path_of(dir, name), "wb");
    if (!f) abort();
    fputs(text, f);
    fclose(f);
}

static void expect_text(const char *dir, const char *name, const char *want)
{
    char *text;
    size_t n;
    r1_error e = { 0 };
    EXPECT_OK(r1_file_read(path_of(dir, name), 100, &text, &n, &e), &e);
    EXPECT_STR(text, want);
    free(text);
}

static void ground_free(const ground *g)
{
    (void)r1_newdir_remove(path_of(g->target, "deeper"));
    (void)r1_newdir_remove(g->target);
    EXPECT_INT(n_entries(g->dir), 0);
    EXPECT(rmdir(g->dir) == 0);
}

static void note(void *ctx, const char *path)
{
    ground *g = ctx;
    g->n_told++;
    snprintf(g->told, sizeof g->told, "%s", path ? path : "");
}

static void make(r1_newdir *d, const char *path)
{
    r1_error e = { 0 };
    EXPECT_OK(r1_newdir_open(d, path, &e), &e);
    put(d->tmp, "weights", "new");
    put(d->tmp, "config", "new too");
}

TEST(newdir_is_there_when_it_is_whole)
{
    ground g = ground_new();
    r1_error e = { 0 };
    r1_newdir d = { .dropped = dropped, .tell = note, .ctx = &g };
    make(&d, path_of(g.target, ""));
    EXPECT_STR(g.told, d.tmp);
    EXPECT(access(g.target, F_OK) != 0);
    EXPECT_OK(r1_newdir_finish(&d, &e), &e);
    EXPECT(!g.told[0] && g.n_told == 2 && !d.tmp && !d.path);
    expect_text(g.target, "weights", "new");
    struct stat st;
    mode_t mask = umask(0);
    umask(mask);
    EXPECT(stat(g.target, &st) == 0 && (st.st_mode & 0777) == (0777 & ~mask));
    EXPECT_INT(n_entries(g.dir), 1);
    ground_free(&g);
}

TEST(newdir_that_is_abandoned_leaves_nothing)
{
    ground g = ground_new();
    r1_newdir d = { .dropped = dropped, .tell = note, .ctx = &g };
    make(&d, g.target);
    r1_newdir_abandon(&d);
    r1_newdir_abandon(&d);
    EXPECT(!g.told[0] && g.n_told == 2);
    EXPECT_INT(n_entries(g.dir), 0);
    ground_free(&g);
}

static void replace(bool no_exchange)
{
    ground g = ground_new();
    r1_error e = { 0 };
    r1_newdir d = { .dropped = dropped, .force = true, .tell = note, .ctx = &g, .no_exchange = no_exchange };
    if (mkdir(g.target, 0750) || mkdir(path_of(g.target, "deeper"), 0700) || symlink("nowhere", path_of(g.target, "link"))) abort();
    put(g.target, "weights", "old");
    put(g.target, "config", "old");
    put(g.target, "mine", "precious");
    put(path_of(g.target, "deeper"), "mine", "precious too");
    make(&d, g.target);
    expect_text(g.target, "weights", "old");
    EXPECT_OK(r1_newdir_finish(&d, &e), &e);
    EXPECT_INT(n_entries(g.target), 5);
    expect_text(g.target, "weights", "new");
    expect_text(g.target, "config", "new too");
    expect_text(g.target, "mine", "precious");
    expect_text(path_of(g.target, "deeper"), "mine", "precious too");
    struct stat st;
    EXPECT(lstat(path_of(g.target, "link"), &st) == 0 && S_ISLNK(st.st_mode));
    EXPECT(stat(g.target, &st) == 0 && (st.st_mode & 0777) == 0750);
    EXPECT_INT(n_entries(g.dir), 1);
    EXPECT(!g.told[0]);
    ground_free(&g);
}

TEST(newdir_takes_the_place_of_an_old_folder) { replace(false); }
TEST(newdir_takes_the_place_of_an_old_folder_in_two_steps) { replace(true); }

TEST(newdir_drops_what_would_be_wrong_beside_it)
{
    ground g = ground_new();
    r1_error e = { 0 };
    r1_newdir d = { .dropped = dropped, .force = true };
    if (mkdir(g.target, 0700)) abort();
    put(g.target, "config", "old");
    put(g.target, "mine", "precious");
    EXPECT_OK(r1_newdir_open(&d, g.target, &e), &e);
    put(d.tmp, "weights", "new");
    EXPECT_OK(r1_newdir_finish(&d, &e), &e);
    EXPECT(access(path_of(g.target, "config"), F_OK) != 0);
    EXPECT_INT(n_entries(g.target), 2);
    ground_free(&g);
}

TEST(newdir_follows_a_link)
{
    ground g = ground_new();
    r1_error e = { 0 };
    r1_newdir d = { .dropped = dropped, .force = true };
    if (mkdir(g.target, 0700) || symlink("target", path_of(g.dir, "link"))) abort();
    put(g.target, "weights", "old");
    make(&d, path_of(g.dir, "link"));
    EXPECT_OK(r1_newdir_finish(&d, &e), &e);
    expect_text(g.target, "weights", "new");
    struct stat st;
    EXPECT(lstat(path_of(g.dir, "link"), &st) == 0 && S_ISLNK(st.st_mode));
    unlink(path_of(g.dir, "link"));
    ground_free(&g);
}

/* What cannot end well changes nothing, or says what is left. */
TEST(newdir_refuses)
{
    ground g = ground_new();
    r1_error e = { 0 };
    r1_newdir d = { .dropped = dropped, .tell = note, .ctx = &g };
    make(&d, g.target);
    if (mkdir(g.target, 0700)) abort();
    put(g.target, "mine", "came meanwhile");
    EXPECT_STATUS(r1_newdir_finish(&d, &e), R1_EINVAL);
    EXPECT_CONTAINS(e.msg, "--force");
    expect_text(g.target, "mine", "came meanwhile");
    EXPECT_INT(n_entries(g.dir), 1);
    EXPECT(!g.told[0]);
    EXPECT_STATUS(r1_newdir_open(&d, "", &e), R1_EINVAL);
    EXPECT_CONTAINS(e.msg, "is empty");
    EXPECT_STATUS(r1_newdir_open(&d, path_of(g.dir, "nowhere/x"), &e), R1_EIO);
    EXPECT_CONTAINS(e.msg, "nowhere/x");
    char *rest, said[sizeof e.msg];
    if (mkdir(path_of(g.target, "config"), 0700)) abort(); /* a folder where the new model has a file: not ours to remove */
    d = (r1_newdir){ .dropped = dropped, .force = true };
    make(&d, g.target);
    EXPECT_STATUS(r1_newdir_finish(&d, &e), R1_EIO);
    EXPECT_CONTAINS(e.msg, "is written, but");
    expect_text(g.target, "config", "new too");
    expect_text(g.target, "mine", "came meanwhile");
    memcpy(said, e.msg, sizeof said);
    rest = strstr(said, ".tmp-");
    EXPECT(rest && strlen(rest) > 11);
    rest[11] = 0;
    char left[700], inner[720];
    snprintf(left, sizeof left, "%s%s", g.target, rest);
    snprintf(inner, sizeof inner, "%s/config", left);
    EXPECT(rmdir(inner) == 0 && rmdir(left) == 0);
    ground_free(&g);
}

/* ---- killed processes ------------------------------------------------------------------------------------------- */

enum { N_OWN = 60 };

static const char *own_name(int i)
{
    static char name[32];
    snprintf(name, sizeof name, "own-%d", i);
    return name;
}

/* A folder with an old model and what is the user's: a file, folders with a file each. */
static void put_old(const char *dir, int n_own)
{
    if (mkdir(dir, 0700)) abort();
    put(dir, "weights", "old");
    put(dir, "mine", "precious");
    for (int i = 0; i < n_own; i++) {
        if (mkdir(path_of(dir, own_name(i)), 0700)) abort();
        put(path_of(dir, own_name(i)), "mine", "precious too");
    }
}

static void expect_own(const char *dir, int n_own)
{
    expect_text(dir, "mine", "precious");
    for (int i = 0; i < n_own; i++) {
        expect_text(path_of(dir, own_name(i)), "mine", "precious too");
        (void)r1_newdir_remove(path_of(dir, own_name(i)));
    }
}

static bool has_mark(const char *dir) { return access(path_of(dir, ".r1-unfinished"), F_OK) == 0 || access(path_of(dir, ".r1-replaced"), F_OK) == 0; }

/* Killed after the exchange: the new folder has its name, the old one what is the user's. */
TEST(newdir_finishes_the_move_of_a_killed_process)
{
    ground g = ground_new();
    r1_error e = { 0 };
    const char *left = path_of(g.dir, "target.tmp-abcdef");
    char old[400];
    snprintf(old, sizeof old, "%s", left);
    put_old(old, 5);
    put(old, ".r1-replaced", "");
    if (mkdir(g.target, 0700)) abort();
    put(g.target, "weights", "new");
    put(g.target, ".r1-unfinished", "");
    int fd = open(path_of(old, ".r1-replaced"), O_RDWR);
    EXPECT(fd >= 0 && flock(fd, LOCK_EX) == 0);
    EXPECT_OK(r1_newdir_recover(g.target, dropped, &e), &e); /* somebody is still at it */
    EXPECT_INT(n_entries(g.target), 1);
    EXPECT_INT(n_entries(old), 7);
    close(fd);
    EXPECT_OK(r1_newdir_recover(path_of(g.target, "/"), dropped, &e), &e);
    expect_text(g.target, "weights", "new");
    expect_own(g.target, 5);
    EXPECT(!has_mark(g.target) && access(old, F_OK) != 0);
    EXPECT_OK(r1_newdir_recover(g.target, dropped, &e), &e);
    ground_free(&g);
}

TEST(newdir_says_what_it_cannot_move)
{
    ground g = ground_new();
    r1_error e = { 0 };
    r1_newdir d = { .dropped = dropped, .force = true };
    char old[400];
    snprintf(old, sizeof old, "%s/target.old-4711", g.dir);
    put_old(old, 0);
    put(old, ".r1-replaced", "");
    if (mkdir(g.target, 0700)) abort();
    put(g.target, "mine", "came later");
    EXPECT_STATUS(r1_newdir_open(&d, g.target, &e), R1_EIO);
    EXPECT_CONTAINS(e.msg, "target.old-4711");
    EXPECT_CONTAINS(e.msg, "'mine'");
    EXPECT_INT(n_entries(g.dir), 2);
    expect_text(g.target, "mine", "came later");
    expect_text(old, "mine", "precious");
    if (rename(path_of(g.target, "mine"), path_of(g.target, "later"))) abort();
    EXPECT_OK(r1_newdir_recover(g.target, dropped, &e), &e);
    expect_text(g.target, "mine", "precious");
    expect_text(g.target, "later", "came later");
    ground_free(&g);
}

/* Killed between the two steps of an exchange, where the file system has none. */
TEST(newdir_gives_an_old_folder_its_name_back)
{
    ground g = ground_new();
    r1_error e = { 0 };
    char old[400], new[400];
    snprintf(old, sizeof old, "%s/target.old-4711", g.dir);
    snprintf(new, sizeof new, "%s/target.tmp-abcdef", g.dir);
    put_old(old, 3);
    put(old, ".r1-replaced", "");
    if (mkdir(new, 0700)) abort();
    put(new, "weights", "new");
    put(new, ".r1-unfinished", "");
    EXPECT_OK(r1_newdir_recover(g.target, dropped, &e), &e);
    expect_text(g.target, "weights", "old");
    expect_own(g.target, 3);
    EXPECT(!has_mark(g.target));
    ground_free(&g);
}

/* Replace the folder in a process that is killed meanwhile. */
static void replace_and_die(const ground *g, bool no_exchange, useconds_t after)
{
    int ready[2];
    char c;
    if (pipe(ready)) abort();
    pid_t child = fork();
    if (child == 0) {
        r1_newdir d = { .dropped = dropped, .force = true, .no_exchange = no_exchange };
        if (r1_newdir_open(&d, g->target, NULL)) _exit(2);
        put(d.tmp, "weights", "new");
        if (write(ready[1], "", 1) != 1) _exit(2);
        _exit(r1_newdir_finish(&d, NULL) ? 2 : 0);
    }
    close(ready[1]);
    EXPECT(read(ready[0], &c, 1) == 1);
    close(ready[0]);
    usleep(after);
    kill(child, SIGKILL);
    int status;
    EXPECT(waitpid(child, &status, 0) == child);
    EXPECT(!WIFEXITED(status) || WEXITSTATUS(status) == 0);
}

/* Whenever it comes: afterwards all that is the user's is in the folder, and nothing beside it. */
static void die_at_any_time(bool no_exchange)
{
    for (useconds_t after = 0; after < 12; after++) {
        ground g = ground_new();
        r1_error e = { 0 };
        put_old(g.target, N_OWN);
        replace_and_die(&g, no_exchange, after * 300);
        EXPECT_OK(r1_newdir_recover(g.target, dropped, &e), &e);
        EXPECT_INT(n_entries(g.target), N_OWN + 2);
        EXPECT(!has_mark(g.target));
        expect_own(g.target, N_OWN);
        ground_free(&g);
    }
}

TEST(newdir_loses_nothing_when_it_is_killed) { die_at_any_time(false); }
TEST(newdir_loses_nothing_when_it_is_killed_between_two_steps) { die_at_any_time(true); }

TEST(newdir_remove_takes_many_files)
{
    ground g = ground_new();
    char name[32];
    if (mkdir(g.target, 0700)) abort();
    for (int i = 0; i < 1000; i++) {
        snprintf(name, sizeof name, "a-file-with-a-name-%d", i);
        put(g.target, name, "");
    }
    EXPECT(r1_newdir_remove(g.target));
    EXPECT(r1_newdir_remove(g.target)); /* not there, which was wanted */
    ground_free(&g);
}
