/* The roof with AMX: tdpbusd and tdpbf16ps on full tiles, four products in flight. Where the level is amx the system has permitted the
 * tiles. The configuration is loaded in the same piece of assembly, for gcc 12 drops the stores before _tile_loadconfig. */
#include "kernels/amx/tile.h"
#include "kernels/roof_int.h"

static const tile_config full = { .palette = 1, .row_bytes = { 64, 64, 64, 64, 64, 64, 64, 64 }, .rows = { 16, 16, 16, 16, 16, 16, 16, 16 } };

#define ZERO(t) "tilezero %%tmm" t "\n\t"
#define LOOP(dot, n) __asm__ volatile("ldtilecfg %1\n\t" ZERO("0") ZERO("1") ZERO("2") ZERO("3") ZERO("4") ZERO("5") ZERO("6") ZERO("7") "1:\n\t" \
    dot " %%tmm6, %%tmm4, %%tmm0\n\t" dot " %%tmm7, %%tmm4, %%tmm1\n\t" dot " %%tmm6, %%tmm5, %%tmm2\n\t" dot " %%tmm7, %%tmm5, %%tmm3\n\t" \
    "dec %0\n\tjnz 1b\n\ttilerelease" : "+r"(n) : "m"(full) : "cc")

static void int8_amx(size_t n) { LOOP("tdpbusd", n); }
static void bf16_amx(size_t n) { LOOP("tdpbf16ps", n); }

void r1_roof_init_amx(r1_roof *r)
{
    r->int8 = int8_amx;
    r->int8_ops = 4 * 2.0 * 16 * 16 * 64;
    r->int8_name = "tdpbusd";
    r->bf16 = bf16_amx;
    r->bf16_ops = 4 * 2.0 * 16 * 16 * 32;
    r->bf16_name = "tdpbf16ps";
}
