/* JSON as Python's json.dumps(ensure_ascii=False) writes it, because that is what the templates' `tojson` is: ", " and
 * ": ", keys in the order they came, fractions as repr() prints them. With an indent, one member a line.
 */
#include "text/template_int.h"
#include <math.h>
#include <stdio.h>

/* One string, quotes not included. */
static void put_escaped(r1_writer *w, r1_slice s)
{
    size_t done = 0;
    for (size_t i = 0; i < s.n; i++) {
        unsigned char c = (unsigned char)s.p[i];
        char code[8];
        if (c >= 0x20 && c != '"' && c != '\\') continue;
        r1_put(w, R1_SEG_OUTSIDE, s.p + done, i - done);
        done = i + 1;
        const char *short_form = c == '"' ? "\\\"" : c == '\\' ? "\\\\" : c == '\n' ? "\\n" : c == '\r' ? "\\r" : c == '\t' ? "\\t" : c == '\f' ? "\\f" : c == '\b' ? "\\b" : NULL;
        if (!short_form) snprintf(code, sizeof code, "\\u%04x", c);
        const char *form = short_form ? short_form : code;
        r1_put(w, R1_SEG_OUTSIDE, form, strlen(form));
    }
    r1_put(w, R1_SEG_OUTSIDE, s.p + done, s.n - done);
}

static void put_raw(r1_writer *w, const char *s) { r1_put(w, R1_SEG_OUTSIDE, s, strlen(s)); }

static void put_string(r1_writer *w, r1_slice s)
{
    put_raw(w, "\"");
    put_escaped(w, s);
    put_raw(w, "\"");
}

/* ---- fractions ---------------------------------------------------------------------------------------------------- */

/* The shortest digits that read back as v > 0, and of those the nearest. digits[18]; value = 0.d1d2... * 10^*point. */
static int shortest(double v, char digits[24], int *point)
{
    for (int n = 1; n <= 17; n++) {
        /* Rounded to n digits; beside a power of two the next number up may read back where this one does not. */
        char text[40];
        snprintf(text, sizeof text, "%.*e", n - 1, v);
        int k = 0;
        const char *p = text;
        for (; *p && *p != 'e'; p++)
            if (*p >= '0' && *p <= '9') digits[k++] = *p; /* the decimal sign depends on the locale */
        digits[k] = 0;
        *point = *p ? atoi(p + 1) + 1 : 1;
        if (strtod(text, NULL) == v) return k;
        int last = k - 1;
        while (last >= 0 && digits[last] == '9') digits[last--] = '0';
        if (last < 0) continue;
        digits[last]++;
        snprintf(text, sizeof text, "%se%d", digits, *point - k);
        if (strtod(text, NULL) == v) return k;
    }
    return 17; /* 17 digits always read back; the loop has returned */
}

/* As Python's repr: plain from 1e-4 to below 1e16, else with an exponent of at least two digits. */
static void put_real(r1_writer *w, double v)
{
    char digits[24], out[64];
    int point, n, at = 0;
    if (v == 0) {
        put_raw(w, signbit(v) ? "-0.0" : "0.0");
        return;
    }
    n = shortest(fabs(v), digits, &point);
    while (n > 1 && digits[n - 1] == '0') n--;
    if (v < 0) out[at++] = '-';
    if (point > 16 || point < -3) {
        out[at++] = digits[0];
        if (n > 1) out[at++] = '.';
        for (int i = 1; i < n; i++) out[at++] = digits[i];
        snprintf(out + at, sizeof out - (size_t)at, "e%c%02d", point - 1 < 0 ? '-' : '+', abs(point - 1));
    } else {
        if (point <= 0) out[at++] = '0', out[at++] = '.';
        for (int i = point; i < 0; i++) out[at++] = '0';
        for (int i = 0; i < n || i < point; i++) {
            if (i == point && point > 0) out[at++] = '.';
            out[at++] = i < n ? digits[i] : '0';
        }
        if (n <= point) out[at++] = '.', out[at++] = '0';
        out[at] = 0;
    }
    put_raw(w, out);
}

/* ---- values ------------------------------------------------------------------------------------------------------- */

static void put_line(r1_writer *w, int indent, int depth)
{
    static const char spaces[] = "                                ";
    put_raw(w, "\n");
    for (size_t left = (size_t)indent * (size_t)depth; left && !w->s;) {
        size_t n = r1_min(left, sizeof spaces - 1);
        r1_put(w, R1_SEG_OUTSIDE, spaces, n);
        left -= n;
    }
}

static void put_value(r1_writer *w, const json_t *v, int indent, int depth);

static void separate(r1_writer *w, bool first, int indent, int depth)
{
    if (indent < 0) {
        if (!first) put_raw(w, ", ");
        return;
    }
    if (!first) put_raw(w, ",");
    put_line(w, indent, depth);
}

static void put_array(r1_writer *w, const json_t *v, int indent, int depth)
{
    size_t n = json_array_size(v);
    put_raw(w, "[");
    for (size_t i = 0; i < n && !w->s; i++) {
        separate(w, i == 0, indent, depth + 1);
        put_value(w, json_array_get(v, i), indent, depth + 1);
    }
    if (n && indent >= 0) put_line(w, indent, depth);
    put_raw(w, "]");
}

static void put_object(r1_writer *w, const json_t *v, int indent, int depth)
{
    const char *key;
    json_t *member;
    bool first = true;
    put_raw(w, "{");
    json_object_foreach((json_t *)v, key, member) {
        if (w->s) return;
        separate(w, first, indent, depth + 1);
        put_string(w, (r1_slice){ key, strlen(key) });
        put_raw(w, ": ");
        put_value(w, member, indent, depth + 1);
        first = false;
    }
    if (!first && indent >= 0) put_line(w, indent, depth);
    put_raw(w, "}");
}

static void put_value(r1_writer *w, const json_t *v, int indent, int depth)
{
    char number[32];
    switch (json_typeof(v)) {
    case JSON_OBJECT: put_object(w, v, indent, depth); break;
    case JSON_ARRAY: put_array(w, v, indent, depth); break;
    case JSON_STRING: put_string(w, r1_json_slice(v)); break;
    case JSON_INTEGER:
        snprintf(number, sizeof number, "%lld", (long long)json_integer_value(v));
        put_raw(w, number);
        break;
    case JSON_REAL: put_real(w, json_real_value(v)); break;
    case JSON_TRUE: put_raw(w, "true"); break;
    case JSON_FALSE: put_raw(w, "false"); break;
    case JSON_NULL: put_raw(w, "null"); break;
    }
}

void r1_put_json(r1_writer *w, const json_t *v, int indent)
{
    if (!w->s && v) put_value(w, v, indent, 0); /* depth is bounded by the parser */
}

void r1_put_json_open_string(r1_writer *w, r1_slice s)
{
    put_raw(w, "\"");
    put_escaped(w, s);
}

void r1_put_arguments(r1_writer *w, size_t message, size_t call, const json_t *arguments)
{
    json_t *owned;
    r1_put_json(w, r1_parse_arguments(w, message, call, arguments, &owned), -1);
    json_decref(owned);
}
