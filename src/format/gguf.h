/* gguf: GGUF v2 and v3 files, read through a checked mapping. Split files are joined. Packed files (docs/formats.md) are
 * GGUF files whose matrices have types of r1's own: the id of the type plus R1_PACKED_ID, the bytes in panels of 16 rows.
 *
 * Opening validates every size, offset, count and string length; afterwards all pointers given out lie inside the map.
 */
#ifndef R1_FORMAT_GGUF_H
#define R1_FORMAT_GGUF_H

#include "base/base.h"
#include "base/json.h"
#include "base/map.h"
#include "quant/quant.h"
#include "text/tokenizer.h" /* r1_slice */

typedef enum r1_gguf_type {
    R1_GGUF_U8, R1_GGUF_I8, R1_GGUF_U16, R1_GGUF_I16, R1_GGUF_U32, R1_GGUF_I32, R1_GGUF_F32, R1_GGUF_BOOL,
    R1_GGUF_STRING, R1_GGUF_ARRAY, R1_GGUF_U64, R1_GGUF_I64, R1_GGUF_F64
} r1_gguf_type;

/* "u8", "string", ...; type is at most R1_GGUF_F64. */
const char *r1_gguf_type_name(r1_gguf_type type);
/* Bytes of a value; 0 for strings and arrays. */
size_t r1_gguf_type_size(r1_gguf_type type);

typedef struct r1_gguf r1_gguf;

typedef struct r1_gguf_kv {
    r1_slice key;
    r1_gguf_type type, item;  /* item: element type of an array (never ARRAY: nested arrays are skipped over, type stays ARRAY) */
    uint64_t n;               /* elements of an array, else 1 */
    const uint8_t *data;      /* first value, unaligned; a string starts with its u64 length */
    const uint8_t *stored;    /* the whole value as in the file, after its type: for copying */
    size_t stored_bytes;
} r1_gguf_kv;

/* Ids of packed types: other programs do not know them and refuse the file. The version says which layout of panels. */
enum { R1_PACKED_ID = 0x5200, R1_PACKED_VERSION = 1, R1_PACKED_ALIGNMENT = 64 };
#define R1_PACKED_VERSION_KEY "r1.packed.version"
#define R1_PACKED_TIED_KEY "r1.packed.tied" /* bool: output.weight is token_embd.weight once more */

typedef struct r1_gguf_tensor {
    r1_slice name;
    r1_type type;
    bool packed;              /* panels of 16 rows, each matrix of a stack padded to whole panels; at R1_PACKED_ALIGNMENT in the file */
    int n_dims;               /* 1..4 */
    uint64_t ne[4];           /* fastest first; missing ones are 1 */
    const uint8_t *data;
    uint64_t bytes;
    int part;                 /* of a split file */
} r1_gguf_tensor;

/* Open a file, or the first part of a split one with all its parts.
 * Errors: R1_EFORMAT names file, key or tensor, found and expected; R1_EUNSUPPORTED for a tensor type r1 does not know; R1_EIO. */
r1_status r1_gguf_open(r1_gguf **out, const char *path, r1_error *err) R1_MUST_CHECK;
/* The same from memory, one part only (tests, fuzzing). Borrows the bytes. */
r1_status r1_gguf_parse(r1_gguf **out, const void *bytes, size_t n, r1_error *err) R1_MUST_CHECK;
void r1_gguf_close(r1_gguf *g);

size_t r1_gguf_n_tensors(const r1_gguf *g);
const r1_gguf_tensor *r1_gguf_tensor_at(const r1_gguf *g, size_t i);
const r1_gguf_tensor *r1_gguf_find_tensor(const r1_gguf *g, const char *name); /* NULL if absent */
size_t r1_gguf_n_kv(const r1_gguf *g);
const r1_gguf_kv *r1_gguf_kv_at(const r1_gguf *g, size_t i);
const r1_gguf_kv *r1_gguf_find(const r1_gguf *g, const char *key);
unsigned r1_gguf_version(const r1_gguf *g);
const r1_map *r1_gguf_map(const r1_gguf *g, int part); /* for r1_map_forget; NULL when parsed from memory */
int r1_gguf_n_parts(const r1_gguf *g);
uint64_t r1_gguf_file_bytes(const r1_gguf *g);

/* Typed values. A missing key gives `fallback` unless required; a wrong type or range is R1_EFORMAT naming the key, found
 * and expected. Any integer type is accepted for an integer, f32 and f64 for a real. */
r1_status r1_gguf_int(const r1_gguf *g, const char *key, bool required, int64_t fallback, int64_t lo, int64_t hi, int64_t *out, r1_error *err) R1_MUST_CHECK;
r1_status r1_gguf_real(const r1_gguf *g, const char *key, bool required, double fallback, double *out, r1_error *err) R1_MUST_CHECK;
r1_status r1_gguf_bool(const r1_gguf *g, const char *key, bool fallback, bool *out, r1_error *err) R1_MUST_CHECK;
/* *out borrows from the map; {NULL, 0} when missing. */
r1_status r1_gguf_str(const r1_gguf *g, const char *key, bool required, r1_slice *out, r1_error *err) R1_MUST_CHECK;
/* Array of strings into malloc'ed slices (caller frees *out), limited to max elements; NULL and 0 when missing. */
r1_status r1_gguf_strings(const r1_gguf *g, const char *key, bool required, size_t max, r1_slice **out, size_t *n, r1_error *err) R1_MUST_CHECK;
/* Array of integers (any integer type), likewise. */
r1_status r1_gguf_ints(const r1_gguf *g, const char *key, bool required, size_t max, int32_t **out, size_t *n, r1_error *err) R1_MUST_CHECK;
/* Append one value as text for `r1 show`: numbers so that they read back the same; strings escaped to one line and, like
 * arrays, cut: the first few and the count. */
r1_status r1_gguf_print(const r1_gguf_kv *kv, r1_buf *out, r1_error *err) R1_MUST_CHECK;
/* The same as JSON. Arrays are whole up to max_items, beyond (and when nested) an object with "type" and "count". Bytes that
 * are not UTF-8 become U+FFFD; a number that JSON cannot hold becomes a string. The caller calls json_decref. */
r1_status r1_gguf_json(json_t **out, const r1_gguf_kv *kv, size_t max_items, r1_error *err) R1_MUST_CHECK;

#endif
