/* gguf_int: the open file, seen by gguf.c (reading) and gguf_value.c (typed values, printing). */
#ifndef R1_FORMAT_GGUF_INT_H
#define R1_FORMAT_GGUF_INT_H

#include "format/format_int.h"
#include "format/gguf.h"

struct r1_gguf {
    unsigned version;
    r1_gguf_kv *kv;             /* of the first part */
    size_t n_kv;
    r1_names kv_names;
    r1_gguf_tensor *tensors;    /* of all parts */
    size_t n_tensors;
    r1_names tensor_names;
    r1_map *maps;               /* [n_parts]; NULL when parsed from memory */
    int n_parts;
    uint64_t file_bytes;
};

#endif
