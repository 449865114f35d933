/* map: a file in memory, read only. */
#ifndef R1_BASE_MAP_H
#define R1_BASE_MAP_H

#include "base/base.h"

typedef struct r1_map {
    const uint8_t *data; /* NULL when the file is empty */
    size_t size;
    uint64_t device, inode; /* the file, whatever its names */
} r1_map;

/* Map a regular file. Errors: R1_EIO with the system's reason; *m is then empty.
 * A file that another process truncates afterwards raises SIGBUS on access, as with every mapping. */
r1_status r1_map_open(r1_map *m, const char *path, r1_error *err) R1_MUST_CHECK;
void r1_map_close(r1_map *m);
/* Whether `path` is a name of that file; links count. */
bool r1_map_is(const r1_map *m, const char *path);

/* Give back the physical pages wholly inside [p, p+n); they are read from the file again when touched. */
void r1_map_forget(const r1_map *m, const void *p, size_t n);

/* Read a whole file of at most max bytes into malloc'ed, NUL-terminated memory. "-" is standard input. */
r1_status r1_file_read(const char *path, size_t max, char **out, size_t *n, r1_error *err) R1_MUST_CHECK;

/* Write n bytes to path through a temporary name in the same folder, fsync and rename: never a half-written file under
 * its final name. Refuses (R1_EINVAL) an existing file unless `force`. "-" is standard output. */
r1_status r1_file_write(const char *path, const void *data, size_t n, bool force, r1_error *err) R1_MUST_CHECK;

#endif
