/* The roof with AMX: tdpbusd and tdpbf16ps on full tiles, four products in flight. The system must permit the tiles first, once a
 * process; where it does not, the loops stay those of AVX-512. The configuration is made and loaded in one piece of assembly, for
 * gcc 12 drops the stores before _tile_loadconfig. */
#define _GNU_SOURCE
#include "kernels/roof_int.h"
#include <cpuid.h>
#include <sys/syscall.h>
#include <unistd.h>

enum { ARCH_REQ_XCOMP_PERM = 0x1023, XFEATURE_XTILEDATA = 18 };

typedef struct tile_config {
    uint8_t palette, start_row, reserved[14];
    uint16_t row_bytes[16];
    uint8_t rows[16];
} tile_config;

static const tile_config full = { .palette = 1, .row_bytes = { 64, 64, 64, 64, 64, 64, 64, 64 }, .rows = { 16, 16, 16, 16, 16, 16, 16, 16 } };

#define ZERO(t) "tilezero %%tmm" t "\n\t"
#define LOOP(dot, n) __asm__ volatile("ldtilecfg %1\n\t" ZERO("0") ZERO("1") ZERO("2") ZERO("3") ZERO("4") ZERO("5") ZERO("6") ZERO("7") "1:\n\t" \
    dot " %%tmm6, %%tmm4, %%tmm0\n\t" dot " %%tmm7, %%tmm4, %%tmm1\n\t" dot " %%tmm6, %%tmm5, %%tmm2\n\t" dot " %%tmm7, %%tmm5, %%tmm3\n\t" \
    "dec %0\n\tjnz 1b\n\ttilerelease" : "+r"(n) : "m"(full) : "cc")

static void int8_amx(size_t n) { LOOP("tdpbusd", n); }
static void bf16_amx(size_t n) { LOOP("tdpbf16ps", n); }

void r1_roof_init_amx(r1_roof *r)
{
    uint32_t a, b, c, d;
    if (syscall(SYS_arch_prctl, ARCH_REQ_XCOMP_PERM, XFEATURE_XTILEDATA)) return;
    r->int8 = int8_amx;
    r->int8_ops = 4 * 2.0 * 16 * 16 * 64;
    r->int8_name = "tdpbusd";
    if (!__get_cpuid_count(7, 0, &a, &b, &c, &d) || !(d & 1u << 22)) return;
    r->bf16 = bf16_amx;
    r->bf16_ops = 4 * 2.0 * 16 * 16 * 32;
    r->bf16_name = "tdpbf16ps";
}
