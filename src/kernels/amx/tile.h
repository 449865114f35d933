/* tile: the operations on AMX tile registers that the kernels of amx/ use. Private to amx/.
 *
 * There are eight registers of up to 16 rows of up to 64 bytes; a configuration gives each its rows and bytes. Register numbers
 * are written as digits, because the instructions hold them.
 *
 *   tile_configure(t)          shapes of all registers; they become zero
 *   tile_release()             back to the state without shapes; every configure has one
 *   TILE_ZERO(n)
 *   TILE_LOAD(n, p, stride)    rows from p, p + stride ...
 *   TILE_STORE(n, p, stride)
 *   TILE_DPBSSD(c, a, b)       c[i][j] += sum over k of a[i][4k..4k+3] . b[k][4j..4j+3], signed bytes, int32 (which wraps)
 *   TILE_DPBF16PS(c, a, b)     c[i][j] += e + o, with e and o the sums over even and odd k of a[i][k] * b[k / 2][2j + k % 2], values
 *                              bf16: chains of fused steps from +0. All float32, to nearest; denormal inputs and results are zero.
 *
 * Two implementations, chosen when the kernels are compiled: the instructions, and with R1_AMX_EMULATED plain C that follows the
 * operation sections of Intel's manual (volume 2, TILELOADD, TDPBSSD ...), with which tests run the same kernel source on
 * machines that have no AMX. The emulation ends the process where the instruction would fault.
 *
 * The instructions are written out instead of taken from immintrin.h: gcc 12 says of neither ldtilecfg nor tileloadd which
 * memory it reads, so it may drop or delay the stores that filled it (the whole configuration, seen as SIGSEGV). */
#ifndef R1_KERNELS_AMX_TILE_H
#define R1_KERNELS_AMX_TILE_H

#include <stddef.h>
#include <stdint.h>

/* As ldtilecfg reads it. */
typedef struct tile_config {
    uint8_t palette, start_row, reserved[14];
    uint16_t row_bytes[16];     /* of registers 0 to 7; the rest zero */
    uint8_t rows[16];
} tile_config;

_Static_assert(sizeof(tile_config) == 64, "the instruction reads 64 bytes");

#ifdef R1_AMX_EMULATED
#include "kernels/amx/tile_emulated.h"
#else

static inline void tile_configure(const tile_config *t) { __asm__ volatile("ldtilecfg %0" ::"m"(*t) : "memory"); }
static inline void tile_release(void) { __asm__ volatile("tilerelease" ::: "memory"); }

#define TILE_ZERO(n) __asm__ volatile("tilezero %%tmm" #n ::)
#define TILE_LOAD(n, p, stride) __asm__ volatile("tileloadd (%0,%1,1), %%tmm" #n ::"r"(p), "r"((size_t)(stride)) : "memory")
#define TILE_STORE(n, p, stride) __asm__ volatile("tilestored %%tmm" #n ", (%0,%1,1)" ::"r"(p), "r"((size_t)(stride)) : "memory")
#define TILE_DPBSSD(c, a, b) __asm__ volatile("tdpbssd %%tmm" #b ", %%tmm" #a ", %%tmm" #c ::)
#define TILE_DPBF16PS(c, a, b) __asm__ volatile("tdpbf16ps %%tmm" #b ", %%tmm" #a ", %%tmm" #c ::)

#endif
#endif
