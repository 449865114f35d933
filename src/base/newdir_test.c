/* Tests of newdir.c: whole or not there; old folders exchanged with all that is the user's; nothing left behind. */
#define _GNU_SOURCE
#include "base/newdir.h"
#include "base/map.h"
#include "tests/test.h"

#include <dirent.h>
#include <errno.h>
#include <stdio.h>
#include <sys/stat.h>
#include <unistd.h>

typedef struct ground { char dir[256], target[300], told[400]; size_t n_told; } ground;

static const char *const dropped[] = { "config", NULL };

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
    r1_newdir d = { .tell = note, .ctx = &g };
    make(&d, path_of(g.target, ""));
    EXPECT_STR(g.told, d.tmp);
    EXPECT(access(g.target, F_OK) != 0);
    EXPECT_OK(r1_newdir_finish(&d, dropped, &e), &e);
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
    r1_newdir d = { .tell = note, .ctx = &g };
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
    r1_newdir d = { .force = true, .tell = note, .ctx = &g, .no_exchange = no_exchange };
    if (mkdir(g.target, 0750) || mkdir(path_of(g.target, "deeper"), 0700) || symlink("nowhere", path_of(g.target, "link"))) abort();
    put(g.target, "weights", "old");
    put(g.target, "config", "old");
    put(g.target, "mine", "precious");
    put(path_of(g.target, "deeper"), "mine", "precious too");
    make(&d, g.target);
    expect_text(g.target, "weights", "old");
    EXPECT_OK(r1_newdir_finish(&d, dropped, &e), &e);
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
    r1_newdir d = { .force = true };
    if (mkdir(g.target, 0700)) abort();
    put(g.target, "config", "old");
    put(g.target, "mine", "precious");
    EXPECT_OK(r1_newdir_open(&d, g.target, &e), &e);
    put(d.tmp, "weights", "new");
    EXPECT_OK(r1_newdir_finish(&d, dropped, &e), &e);
    EXPECT(access(path_of(g.target, "config"), F_OK) != 0);
    EXPECT_INT(n_entries(g.target), 2);
    ground_free(&g);
}

TEST(newdir_follows_a_link)
{
    ground g = ground_new();
    r1_error e = { 0 };
    r1_newdir d = { .force = true };
    if (mkdir(g.target, 0700) || symlink("target", path_of(g.dir, "link"))) abort();
    put(g.target, "weights", "old");
    make(&d, path_of(g.dir, "link"));
    EXPECT_OK(r1_newdir_finish(&d, dropped, &e), &e);
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
    r1_newdir d = { .tell = note, .ctx = &g };
    make(&d, g.target);
    if (mkdir(g.target, 0700)) abort();
    put(g.target, "mine", "came meanwhile");
    EXPECT_STATUS(r1_newdir_finish(&d, dropped, &e), R1_EINVAL);
    EXPECT_CONTAINS(e.msg, "--force");
    expect_text(g.target, "mine", "came meanwhile");
    EXPECT_INT(n_entries(g.dir), 1);
    EXPECT(!g.told[0]);
    EXPECT_STATUS(r1_newdir_open(&d, "", &e), R1_EINVAL);
    EXPECT_STATUS(r1_newdir_open(&d, path_of(g.dir, "nowhere/x"), &e), R1_EIO);
    EXPECT_CONTAINS(e.msg, "nowhere/x");
    char *rest, said[sizeof e.msg];
    if (mkdir(path_of(g.target, "config"), 0700)) abort(); /* a folder where the new model has a file: not ours to remove */
    d = (r1_newdir){ .force = true };
    make(&d, g.target);
    EXPECT_STATUS(r1_newdir_finish(&d, dropped, &e), R1_EIO);
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
