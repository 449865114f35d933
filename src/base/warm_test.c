/* Pages of a mapped file brought in: all of them come, stopping early is safe, and what cannot be done is NULL. */
#include "tests/test.h"
#include "base/warm.h"

#include <sys/mman.h>
#include <time.h>
#include <unistd.h>

static r1_map map_of(size_t bytes)
{
    char path[] = P_tmpdir "/r1-warm-XXXXXX";
    int fd = mkstemp(path);
    r1_map m;
    r1_error e = { 0 };
    EXPECT(fd >= 0 && ftruncate(fd, (off_t)bytes) == 0);
    EXPECT_OK(r1_map_open(&m, path, &e), &e);
    unlink(path);
    close(fd);
    return m;
}

/* Pages of [p, p + n) that this process has: a look at the page map, which needs no rights for the bit of presence. */
static size_t present(const uint8_t *p, size_t n)
{
    size_t page = (size_t)sysconf(_SC_PAGESIZE), count = 0;
    FILE *f = fopen("/proc/self/pagemap", "rb");
    if (!f) SKIP("no page map here");
    for (size_t at = 0; at < n; at += page) {
        uint64_t entry = 0;
        if (fseek(f, (long)(((uintptr_t)p + at) / page * 8), SEEK_SET) || fread(&entry, 8, 1, f) != 1) entry = 0;
        count += entry >> 63;
    }
    fclose(f);
    return count;
}

TEST(pages_come_in)
{
    const size_t n = (5 << 20) + 100;
    size_t page = (size_t)sysconf(_SC_PAGESIZE), pages = r1_ceil_div(n, page);
    r1_map m = map_of(n);
    EXPECT(present(m.data, n) < pages);
    r1_warmer *w = r1_warm_start(&m);
    if (!w) {
        r1_map_close(&m);
        SKIP("this system cannot bring pages in");
    }
    for (int i = 0; i < 1000 && present(m.data, n) < pages; i++) nanosleep(&(struct timespec){ 0, 5000000 }, NULL);
    EXPECT_INT(present(m.data, n), pages);
    r1_warm_stop(w);
    r1_map_close(&m);
}

TEST(stopping_early)
{
    for (int i = 0; i < 50; i++) {
        r1_map m = map_of(64 << 20);
        r1_warm_stop(r1_warm_start(&m));
        r1_map_close(&m);
    }
}

TEST(nothing_to_bring_in)
{
    EXPECT_NULL(r1_warm_start(NULL));
    EXPECT_NULL(r1_warm_start(&(r1_map){ .data = NULL }));
    EXPECT_NULL(r1_warm_start(&(r1_map){ .data = (const uint8_t *)"x", .size = SIZE_MAX })); /* more than there is memory */
    r1_warm_stop(NULL);
}
