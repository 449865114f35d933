/* format_int: what the readers of this folder share. Private to src/format. */
#ifndef R1_FORMAT_FORMAT_INT_H
#define R1_FORMAT_FORMAT_INT_H

#include "base/base.h"
#include "text/tokenizer.h" /* r1_slice */

/* A slice in a message: "%.*s", R1_SLICE_ARG(s). Long ones are cut. */
#define R1_SLICE_ARG(s) (int)r1_min((s).n, 160), (s).n ? (s).p : ""

/* Little-endian numbers at any alignment. */
static inline uint16_t r1_le16(const uint8_t *p) { return (uint16_t)(p[0] | p[1] << 8); }
static inline uint32_t r1_le32(const uint8_t *p) { return p[0] | (uint32_t)p[1] << 8 | (uint32_t)p[2] << 16 | (uint32_t)p[3] << 24; }
static inline uint64_t r1_le64(const uint8_t *p) { return r1_le32(p) | (uint64_t)r1_le32(p + 4) << 32; }

/* Names to positions. Sorted, not hashed: names come from outside, and a fixed hash can be made to collide until a
 * lookup is linear; here building is O(n log n) and a lookup O(log n) whatever the file says. Borrows the names. */
typedef struct r1_name {
    r1_slice name;
    size_t at;
} r1_name;

typedef struct r1_names {
    r1_name *e;
    size_t n;
} r1_names;

/* Room for n names, to be set in e[0..n). Errors: R1_ENOMEM. */
r1_status r1_names_init(r1_names *x, size_t n, r1_error *err) R1_MUST_CHECK;
void r1_names_deinit(r1_names *x);
/* Sort. Returns NULL, or a name that occurs twice. */
const r1_name *r1_names_sort(r1_names *x);
/* The position of a name, or SIZE_MAX. */
size_t r1_names_find(const r1_names *x, const char *p, size_t n);

/* Whether a name from a file can be a C string and be printed: not empty, valid UTF-8, no NUL. */
bool r1_name_is_sound(const char *p, size_t n);

/* What the first bytes of a file look like, for messages: "a ZIP archive ...". `out` has room for R1_KIND_MAX. */
#define R1_KIND_MAX 160
const char *r1_kind_of_bytes(const uint8_t *p, size_t n, char out[R1_KIND_MAX]);

/* "PREFIX-00002-of-00007.gguf": true, and number, count and the length of PREFIX. */
bool r1_split_name(const char *path, size_t *prefix, unsigned *number, unsigned *count);

#endif
