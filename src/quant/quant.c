/* Types: names, block sizes, and the small value tables of the formats.
 *
 * Two lists: the formats r1 can compute with, and every name ggml ever gave to an id, so that a file with an unsupported
 * type gets a message that names it. Both are plain tables indexed by id: a new format is one line here, one case in
 * codes.c and one row in packed.c.
 */
#include "quant/quant.h"

#include <math.h>

static const r1_type_info types[R1_TYPE_END] = {
    [R1_F32]     = { "F32", 1, 4, false, false },
    [R1_F16]     = { "F16", 1, 2, false, false },
    [R1_BF16]    = { "BF16", 1, 2, false, false },
    [R1_F8_E4M3] = { "F8_E4M3", 1, 1, false, false },
    [R1_Q4_0]    = { "Q4_0", 32, 18, true, false },
    [R1_Q4_1]    = { "Q4_1", 32, 20, true, false },
    [R1_Q5_0]    = { "Q5_0", 32, 22, true, false },
    [R1_Q5_1]    = { "Q5_1", 32, 24, true, false },
    [R1_Q8_0]    = { "Q8_0", 32, 34, true, false },
    [R1_IQ4_NL]  = { "IQ4_NL", 32, 18, true, false },
    [R1_MXFP4]   = { "MXFP4", 32, 17, true, false },
    [R1_Q2_K]    = { "Q2_K", 256, 84, true, true },
    [R1_Q3_K]    = { "Q3_K", 256, 110, true, true },
    [R1_Q4_K]    = { "Q4_K", 256, 144, true, true },
    [R1_Q5_K]    = { "Q5_K", 256, 176, true, true },
    [R1_Q6_K]    = { "Q6_K", 256, 210, true, true },
    [R1_IQ4_XS]  = { "IQ4_XS", 256, 136, true, true },
};

/* Ids 4, 5, 31 to 33 and 36 to 38 are retired; files with them are old, and the names still help. */
static const char *const ggml_names[] = {
    "F32", "F16", "Q4_0", "Q4_1", "Q4_2", "Q4_3", "Q5_0", "Q5_1", "Q8_0", "Q8_1",
    "Q2_K", "Q3_K", "Q4_K", "Q5_K", "Q6_K", "Q8_K", "IQ2_XXS", "IQ2_XS", "IQ3_XXS", "IQ1_S",
    "IQ4_NL", "IQ3_S", "IQ2_S", "IQ4_XS", "I8", "I16", "I32", "I64", "F64", "IQ1_M",
    "BF16", "Q4_0_4_4", "Q4_0_4_8", "Q4_0_8_8", "TQ1_0", "TQ2_0", "IQ4_NL_4_4", "IQ4_NL_4_8", "IQ4_NL_8_8", "MXFP4",
    "NVFP4", "Q1_0", "Q2_0",
};

const int8_t r1_iq4_values[16] = { -127, -104, -83, -65, -49, -35, -22, -10, 1, 13, 25, 38, 53, 69, 89, 113 };
const int8_t r1_mxfp4_values[16] = { 0, 1, 2, 3, 4, 6, 8, 12, 0, -1, -2, -3, -4, -6, -8, -12 };

const r1_type_info *r1_type_get(unsigned id)
{
    return id < R1_TYPE_END && types[id].name ? &types[id] : NULL;
}

const char *r1_type_ggml_name(unsigned id)
{
    return id < R1_COUNT(ggml_names) ? ggml_names[id] : NULL;
}

size_t r1_row_bytes(r1_type t, size_t k)
{
    const r1_type_info *i = r1_type_get(t);
    if (!i || k % i->block) return 0;
    return k / i->block * i->bytes;
}

/* Sign, 4 bits of exponent with bias 7, 3 of mantissa; no infinities, the two codes with all bits set are NaN. */
const float r1_e4m3_table[256] = {
    0, 0x1p-9f, 0x1p-8f, 0x1.8p-8f, 0x1p-7f, 0x1.4p-7f, 0x1.8p-7f, 0x1.cp-7f,
    0.015625f, 0x1.2p-6f, 0x1.4p-6f, 0x1.6p-6f, 0x1.8p-6f, 0x1.ap-6f, 0x1.cp-6f, 0x1.ep-6f,
    0.03125f, 0x1.2p-5f, 0x1.4p-5f, 0x1.6p-5f, 0.046875f, 0x1.ap-5f, 0x1.cp-5f, 0x1.ep-5f,
    0.0625f, 0x1.2p-4f, 0.078125f, 0x1.6p-4f, 0.09375f, 0x1.ap-4f, 0.109375f, 0x1.ep-4f,
    0.125f, 0.140625f, 0.15625f, 0.171875f, 0.1875f, 0.203125f, 0.21875f, 0.234375f,
    0.25f, 0.28125f, 0.3125f, 0.34375f, 0.375f, 0.40625f, 0.4375f, 0.46875f,
    0.5f, 0.5625f, 0.625f, 0.6875f, 0.75f, 0.8125f, 0.875f, 0.9375f,
    1.0f, 1.125f, 1.25f, 1.375f, 1.5f, 1.625f, 1.75f, 1.875f,
    2.0f, 2.25f, 2.5f, 2.75f, 3.0f, 3.25f, 3.5f, 3.75f,
    4.0f, 4.5f, 5.0f, 5.5f, 6.0f, 6.5f, 7.0f, 7.5f,
    8.0f, 9.0f, 10.0f, 11.0f, 12.0f, 13.0f, 14.0f, 15.0f,
    16.0f, 18.0f, 20.0f, 22.0f, 24.0f, 26.0f, 28.0f, 30.0f,
    32.0f, 36.0f, 40.0f, 44.0f, 48.0f, 52.0f, 56.0f, 60.0f,
    64.0f, 72.0f, 80.0f, 88.0f, 96.0f, 104.0f, 112.0f, 120.0f,
    128.0f, 144.0f, 160.0f, 176.0f, 192.0f, 208.0f, 224.0f, 240.0f,
    256.0f, 288.0f, 320.0f, 352.0f, 384.0f, 416.0f, 448.0f, NAN,
    -0.0f, -0x1p-9f, -0x1p-8f, -0x1.8p-8f, -0x1p-7f, -0x1.4p-7f, -0x1.8p-7f, -0x1.cp-7f,
    -0x1p-6f, -0x1.2p-6f, -0x1.4p-6f, -0x1.6p-6f, -0x1.8p-6f, -0x1.ap-6f, -0x1.cp-6f, -0x1.ep-6f,
    -0.03125f, -0x1.2p-5f, -0x1.4p-5f, -0x1.6p-5f, -0x1.8p-5f, -0x1.ap-5f, -0x1.cp-5f, -0x1.ep-5f,
    -0.0625f, -0x1.2p-4f, -0x1.4p-4f, -0x1.6p-4f, -0.09375f, -0x1.ap-4f, -0x1.cp-4f, -0x1.ep-4f,
    -0.125f, -0x1.2p-3f, -0.15625f, -0x1.6p-3f, -0.1875f, -0x1.ap-3f, -0.21875f, -0x1.ep-3f,
    -0.25f, -0.28125f, -0.3125f, -0.34375f, -0.375f, -0.40625f, -0.4375f, -0.46875f,
    -0.5f, -0.5625f, -0.625f, -0.6875f, -0.75f, -0.8125f, -0.875f, -0.9375f,
    -1.0f, -1.125f, -1.25f, -1.375f, -1.5f, -1.625f, -1.75f, -1.875f,
    -2.0f, -2.25f, -2.5f, -2.75f, -3.0f, -3.25f, -3.5f, -3.75f,
    -4.0f, -4.5f, -5.0f, -5.5f, -6.0f, -6.5f, -7.0f, -7.5f,
    -8.0f, -9.0f, -10.0f, -11.0f, -12.0f, -13.0f, -14.0f, -15.0f,
    -16.0f, -18.0f, -20.0f, -22.0f, -24.0f, -26.0f, -28.0f, -30.0f,
    -32.0f, -36.0f, -40.0f, -44.0f, -48.0f, -52.0f, -56.0f, -60.0f,
    -64.0f, -72.0f, -80.0f, -88.0f, -96.0f, -104.0f, -112.0f, -120.0f,
    -128.0f, -144.0f, -160.0f, -176.0f, -192.0f, -208.0f, -224.0f, -240.0f,
    -256.0f, -288.0f, -320.0f, -352.0f, -384.0f, -416.0f, -448.0f, -NAN,
};
