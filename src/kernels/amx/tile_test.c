/* The emulated tile registers: products of every shape against sums written down here, and the end of the process where the
 * processor faults. The kernels that use them: tests/checkkernel. */
#define R1_AMX_EMULATED
#include "kernels/amx/tile.h"
#include "tests/test.h"

#include <signal.h>
#include <sys/wait.h>
#include <unistd.h>

static tile_config shapes(int m, int n, int k)
{
    tile_config t = { .palette = 1 };
    t.rows[0] = t.rows[1] = (uint8_t)m;
    t.rows[2] = (uint8_t)k;
    t.row_bytes[0] = t.row_bytes[2] = (uint16_t)(4 * n);
    t.row_bytes[1] = (uint16_t)(4 * k);
    return t;
}

TEST(products_of_every_shape)
{
    uint64_t seed = test_seed();
    for (int m = 1; m <= 16; m++)
        for (int n = 1; n <= 16; n += 5)
            for (int k = 1; k <= 16; k += 3) {
                int8_t a[16][64], b[16][64];
                int32_t c[16][20], want[16][20];
                for (int i = 0; i < 16 * 64; i++) {
                    a[i / 64][i % 64] = (int8_t)test_random(&seed);
                    b[i / 64][i % 64] = (int8_t)test_random(&seed);
                }
                for (int i = 0; i < 16 * 20; i++) c[i / 20][i % 20] = want[i / 20][i % 20] = (int32_t)test_random(&seed);
                for (int i = 0; i < m; i++)
                    for (int j = 0; j < n; j++) {
                        int64_t sum = want[i][j];
                        for (int x = 0; x < 4 * k; x++) sum += a[i][x] * b[x / 4][4 * j + x % 4];
                        want[i][j] = (int32_t)(uint32_t)(uint64_t)sum;
                    }
                tile_config t = shapes(m, n, k);
                tile_configure(&t);
                TILE_LOAD(0, c, sizeof c[0]);
                TILE_LOAD(1, a, 64);
                TILE_LOAD(2, b, 64);
                TILE_DPBSSD(0, 1, 2);
                TILE_STORE(0, c, sizeof c[0]);
                tile_release();
                EXPECT(!memcmp(c, want, sizeof c));
            }
}

static void twice(tile_config *t) { tile_configure(t); }
static void no_shape(tile_config *t) { (void)t; TILE_ZERO(3); }
static void same_register(tile_config *t) { (void)t; TILE_DPBSSD(0, 1, 1); }
static void wrong_depth(tile_config *t) { tile_release(); t->rows[2]--; tile_configure(t); TILE_DPBSSD(0, 1, 2); }
static void too_many_rows(tile_config *t) { tile_release(); t->rows[1] = 17; tile_configure(t); }
static void released(tile_config *t) { (void)t; tile_release(); TILE_DPBSSD(0, 1, 2); }
static void nothing(tile_config *t) { (void)t; TILE_DPBSSD(0, 1, 2); }

/* Whether a child that does this is ended. */
static bool faults(void (*f)(tile_config *))
{
    fflush(NULL);
    pid_t child = fork();
    EXPECT(child >= 0);
    if (child == 0) {
        signal(SIGABRT, SIG_DFL); /* cmocka's handler would go on with the parent's tests */
        if (!freopen("/dev/null", "w", stderr)) _exit(3);
        tile_config t = shapes(4, 4, 4);
        tile_configure(&t);
        f(&t);
        _exit(0);
    }
    int status = 0;
    EXPECT(waitpid(child, &status, 0) == child);
    return WIFSIGNALED(status) && WTERMSIG(status) == SIGABRT;
}

TEST(what_faults_ends_the_process)
{
    EXPECT(!faults(nothing));
    EXPECT(faults(twice) && faults(no_shape) && faults(same_register) && faults(wrong_depth) && faults(too_many_rows) && faults(released));
}
