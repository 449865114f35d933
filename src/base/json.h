/* json: JSON from outside, with limits and errors that name the place. A thin layer over jansson. */
#ifndef R1_BASE_JSON_H
#define R1_BASE_JSON_H

#include "base/base.h"
#include <jansson.h>

/* Parse text[0..n): any top-level value, no duplicate keys, no NUL in strings unless allow_nul.
 * Errors: R1_EFORMAT names line, column and what was found. Memory: the caller calls json_decref. */
r1_status r1_json_parse(json_t **out, const char *text, size_t n, r1_error *err) R1_MUST_CHECK;

/* Read a file of at most max bytes and parse it. */
r1_status r1_json_read(json_t **out, const char *path, size_t max, r1_error *err) R1_MUST_CHECK;

/* Typed members of an object. A missing or null key gives `fallback` unless `required`; a wrong type or range is
 * R1_EFORMAT: "'key' is a string, expected an integer from 1 to 1048576". *out is always set. */
r1_status r1_json_int(const json_t *o, const char *key, bool required, int64_t fallback, int64_t lo, int64_t hi, int64_t *out, r1_error *err) R1_MUST_CHECK;
r1_status r1_json_real(const json_t *o, const char *key, bool required, double fallback, double *out, r1_error *err) R1_MUST_CHECK;
r1_status r1_json_bool(const json_t *o, const char *key, bool fallback, bool *out, r1_error *err) R1_MUST_CHECK;
r1_status r1_json_str(const json_t *o, const char *key, bool required, const char *fallback, const char **out, r1_error *err) R1_MUST_CHECK;
const char *r1_json_kind(const json_t *v); /* "a string", "an integer", "nothing" ... */

#endif
