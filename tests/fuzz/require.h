/* What the fuzz targets demand, and a sink for what conversion makes. */
#ifndef R1_FUZZ_REQUIRE_H
#define R1_FUZZ_REQUIRE_H

#include "r1/r1.h"

#include <stdlib.h>
#include <string.h>

static inline void require(bool ok)
{
    if (!ok) abort();
}

/* An error has a sentence of one line. */
static inline void require_error(r1_status s, const r1_error *e)
{
    require(s == e->status && e->msg[0] && !strchr(e->msg, '\n') && strlen(e->msg) < sizeof e->msg);
}

/* Takes what is written and adds its bytes to a uint64_t. */
static inline r1_status count(void *ctx, const void *data, size_t n, r1_error *err)
{
    (void)err;
    require(n == 0 || data != NULL);
    *(uint64_t *)ctx += n;
    return R1_OK;
}

#endif
