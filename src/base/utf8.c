/* UTF-8 after Unicode table 3-7: the second byte's range depends on the first, all later ones are 80..BF. */
#include "base/utf8.h"

/* Length by lead byte and the range of the second byte; 0 for a byte that cannot start a character. */
static int lead(unsigned char c, unsigned char *lo, unsigned char *hi)
{
    *lo = 0x80;
    *hi = 0xBF;
    if (c < 0x80) return 1;
    if (c < 0xC2) return 0;
    if (c < 0xE0) return 2;
    if (c < 0xF0) {
        if (c == 0xE0) *lo = 0xA0;
        if (c == 0xED) *hi = 0x9F;
        return 3;
    }
    if (c > 0xF4) return 0;
    if (c == 0xF0) *lo = 0x90;
    if (c == 0xF4) *hi = 0x8F;
    return 4;
}

/* Valid bytes at the start, at most the character's length, which goes to *len. */
static int valid_bytes(const char *s, size_t n, int *len)
{
    const unsigned char *p = (const unsigned char *)s;
    unsigned char lo, hi;
    *len = lead(p[0], &lo, &hi);
    if (*len == 0) return 0;
    int k = 1;
    while (k < *len && (size_t)k < n) {
        if (p[k] < (k == 1 ? lo : 0x80) || p[k] > (k == 1 ? hi : 0xBF)) break;
        k++;
    }
    return k;
}

int r1_utf8_decode(const char *s, size_t n, uint32_t *cp)
{
    static const unsigned char mask[5] = { 0, 0x7F, 0x1F, 0x0F, 0x07 };
    if (n == 0) return 0;
    int len, k = valid_bytes(s, n, &len);
    if (k == 0) return -1;
    if (k < len) return -k;
    uint32_t v = (unsigned char)s[0] & mask[len];
    for (int i = 1; i < len; i++) v = v << 6 | ((unsigned char)s[i] & 0x3F);
    *cp = v;
    return len;
}

bool r1_utf8_is_partial(const char *s, size_t n)
{
    int len;
    if (n == 0 || n > 3) return false;
    int k = valid_bytes(s, n, &len);
    return (size_t)k == n && k < len;
}

bool r1_utf8_is_valid(const char *s, size_t n, size_t *bad)
{
    for (size_t i = 0; i < n;) {
        uint32_t cp;
        int len = r1_utf8_decode(s + i, n - i, &cp);
        if (len <= 0) {
            if (bad) *bad = i;
            return false;
        }
        i += (size_t)len;
    }
    return true;
}

int r1_utf8_encode(uint32_t cp, char out[4])
{
    if (cp < 0x80) {
        out[0] = (char)cp;
        return 1;
    }
    int len = cp < 0x800 ? 2 : cp < 0x10000 ? 3 : 4;
    static const unsigned char first[5] = { 0, 0, 0xC0, 0xE0, 0xF0 };
    for (int i = len - 1; i > 0; i--) {
        out[i] = (char)(0x80 | (cp & 0x3F));
        cp >>= 6;
    }
    out[0] = (char)(first[len] | cp);
    return len;
}
