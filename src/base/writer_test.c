/* Tests of writer.c: whole or not there; the old file stays until the end; full disks and size limits by name. */
#define _GNU_SOURCE
#include "base/map.h"
#include "base/writer.h"
#include "tests/test.h"

#include <dirent.h>
#include <signal.h>
#include <stdio.h>
#include <sys/resource.h>
#include <sys/stat.h>
#include <unistd.h>

typedef struct place { char dir[256], file[300]; } place;

static place place_new(void)
{
    place p = { 0 };
    const char *t = getenv("TMPDIR");
    snprintf(p.dir, sizeof p.dir, "%.200s/r1-test-XXXXXX", t && *t ? t : P_tmpdir);
    if (!mkdtemp(p.dir)) abort();
    snprintf(p.file, sizeof p.file, "%s/file", p.dir);
    return p;
}

static size_t n_entries(const place *p)
{
    size_t n = 0;
    DIR *d = opendir(p->dir);
    for (struct dirent *e; d && (e = readdir(d));) n += e->d_name[0] != '.';
    if (d) closedir(d);
    return n;
}

static void place_free(const place *p)
{
    EXPECT(n_entries(p) <= 1);
    unlink(p->file);
    EXPECT(rmdir(p->dir) == 0);
}

TEST(writer_writes_pieces_of_any_size)
{
    place p = place_new();
    r1_writer w = { 0 };
    r1_error e = { 0 };
    static uint8_t bytes[3 << 20];
    char *text;
    size_t n = 0, at = 0;
    for (size_t i = 0; i < sizeof bytes; i++) bytes[i] = (uint8_t)(i * 2654435761u >> 13);
    const size_t pieces[] = { 0, 1, 5, 1 << 20, (1 << 20) - 3, 7, (1 << 20) - 10 };
    EXPECT_OK(r1_writer_open(&w, p.file, sizeof bytes, false, &e), &e);
    for (size_t i = 0; i < R1_COUNT(pieces); i++) {
        EXPECT_OK(r1_writer_add(&w, bytes + at, pieces[i], &e), &e);
        at += pieces[i];
    }
    EXPECT_INT(w.done, at);
    EXPECT(access(p.file, F_OK) != 0);
    EXPECT_OK(r1_writer_finish(&w, &e), &e);
    EXPECT_OK(r1_file_read(p.file, sizeof bytes, &text, &n, &e), &e);
    EXPECT_INT(n, at);
    EXPECT(!memcmp(text, bytes, n));
    struct stat st;
    mode_t mask = umask(0);
    umask(mask);
    EXPECT(stat(p.file, &st) == 0 && (st.st_mode & 0777) == (0666 & ~mask));
    free(text);
    place_free(&p);
}

TEST(writer_abandons_without_a_trace)
{
    place p = place_new();
    r1_writer w = { 0 }, never = { 0 };
    r1_error e = { 0 };
    EXPECT_OK(r1_writer_open(&w, p.file, 0, false, &e), &e);
    EXPECT_OK(r1_writer_add(&w, "abc", 3, &e), &e);
    r1_writer_abandon(&w);
    r1_writer_abandon(&w);
    r1_writer_abandon(&never);
    EXPECT_INT(n_entries(&p), 0);
    place_free(&p);
}

TEST(writer_does_not_overwrite_unless_forced)
{
    place p = place_new();
    r1_writer w = { 0 };
    r1_error e = { 0 };
    char *text;
    size_t n;
    EXPECT_OK(r1_writer_open(&w, p.file, 0, false, &e), &e);
    EXPECT_OK(r1_file_write(p.file, "other", 5, false, &e), &e); /* came into being meanwhile */
    EXPECT_STATUS(r1_writer_finish(&w, &e), R1_EINVAL);
    EXPECT_CONTAINS(e.msg, "--force");
    EXPECT_STATUS(r1_writer_open(&w, p.file, 0, false, &e), R1_EINVAL);
    EXPECT_CONTAINS(e.msg, "exists; --force overwrites it");
    EXPECT_OK(r1_writer_open(&w, p.file, 0, true, &e), &e);
    EXPECT_OK(r1_writer_add(&w, "new", 3, &e), &e);
    EXPECT_OK(r1_writer_finish(&w, &e), &e);
    EXPECT_OK(r1_file_read(p.file, 100, &text, &n, &e), &e);
    EXPECT_STR(text, "new");
    EXPECT_INT(n_entries(&p), 1);
    free(text);
    EXPECT_STATUS(r1_writer_open(&w, p.dir, 0, true, &e), R1_EIO);
    EXPECT_CONTAINS(e.msg, "is a folder");
    place_free(&p);
}

TEST(writer_names_what_is_missing)
{
    place p = place_new();
    r1_writer w = { 0 };
    r1_error e = { 0 };
    EXPECT_STATUS(r1_writer_open(&w, p.file, 1ull << 60, false, &e), R1_ENOMEM);
    EXPECT_CONTAINS(e.msg, "needs 1152921504606846976 bytes of disk");
    EXPECT_STATUS(r1_writer_open(&w, "/no/such/folder/x", 1, false, &e), R1_EIO);
    EXPECT_CONTAINS(e.msg, "No such file or directory");
    EXPECT_STATUS(r1_overwrite_check("/no/such/folder/x", true, &e), R1_EIO);
    EXPECT_CONTAINS(e.msg, "cannot create '/no/such/folder/x': No such file or directory");
    char below[400];
    snprintf(below, sizeof below, "%s/x", p.file);
    EXPECT_OK(r1_create_check(p.file, &e), &e);
    EXPECT_OK(r1_create_check("x", &e), &e);
    EXPECT_OK(r1_file_write(p.file, "", 0, false, &e), &e);
    EXPECT_STATUS(r1_create_check(below, &e), R1_EIO);
    EXPECT_CONTAINS(e.msg, "Not a directory");
    place_free(&p);
}

TEST(writer_reports_a_file_that_may_not_grow)
{
    place p = place_new();
    r1_writer w = { 0 };
    r1_error e = { 0 };
    struct rlimit old, small;
    static char bytes[1 << 20];
    EXPECT(getrlimit(RLIMIT_FSIZE, &old) == 0);
    small = old;
    small.rlim_cur = 1000;
    void (*handler)(int) = signal(SIGXFSZ, SIG_IGN);
    EXPECT_OK(r1_writer_open(&w, p.file, 0, false, &e), &e);
    EXPECT(setrlimit(RLIMIT_FSIZE, &small) == 0);
    r1_status s = r1_writer_add(&w, bytes, sizeof bytes, &e);
    setrlimit(RLIMIT_FSIZE, &old);
    signal(SIGXFSZ, handler);
    EXPECT_STATUS(s, R1_ENOMEM);
    EXPECT_CONTAINS(e.msg, "needs 1047576 bytes more");
    r1_writer_abandon(&w);
    EXPECT_INT(n_entries(&p), 0);
    place_free(&p);
}

TEST(writer_sees_a_full_disk)
{
    r1_writer w = { .fd = -1 };
    r1_error e = { 0 };
    FILE *full = fopen("/dev/full", "we");
    if (!full) return; /* not a Linux machine */
    w = (r1_writer){ .fd = dup(fileno(full)), .path = strdup("a model"), .buffer = malloc(1 << 20) };
    fclose(full);
    static char bytes[1 << 20];
    EXPECT_STATUS(r1_writer_add(&w, bytes, sizeof bytes, &e), R1_ENOMEM);
    EXPECT_CONTAINS(e.msg, "the disk is full: 'a model' needs 1048576 bytes more, ");
    r1_writer_abandon(&w);
}
