/* r1 tokenize, r1 detokenize: text to ids and back, with the tokenizer of a model or a bare tokenizer.json. */
#include "cli/cli.h"
#include "base/utf8.h"

typedef struct vocab {
    r1_ckpt *ckpt;
    r1_tokenizer *t;
} vocab;

static void vocab_close(vocab *v)
{
    r1_tokenizer_free(v->t);
    r1_ckpt_close(v->ckpt);
}

static r1_status vocab_open(vocab *v, const char *path, r1_error *err)
{
    *v = (vocab){ 0 };
    r1_status s = r1_ckpt_open(&v->ckpt, path, true, err);
    if (s == R1_OK) s = r1_ckpt_tokenizer(v->ckpt, &v->t, err);
    if (s) {
        r1_ckpt_close(v->ckpt);
        *v = (vocab){ 0 };
    }
    return s;
}

/* Arguments from the second on, joined by blanks: people forget to quote. *text NULL: there are none. */
static r1_status joined(const r1_cli *c, r1_buf *text, r1_error *err)
{
    r1_status s = R1_OK;
    for (size_t i = 1; i < c->n_args && s == R1_OK; i++) {
        if (i > 1) s = r1_buf_adds(text, " ", err);
        if (s == R1_OK) s = r1_buf_adds(text, c->args[i], err);
    }
    return s;
}

static r1_status input_text(const r1_cli *c, char **text, size_t *n, r1_error *err)
{
    const size_t most = (size_t)1 << 30;
    bool is_stdin = c->n_args < 2 || (c->n_args == 2 && !strcmp(c->args[1], "-"));
    if (is_stdin) return r1_file_read("-", most, text, n, err);
    r1_buf b;
    r1_buf_init(&b, most);
    r1_status s = joined(c, &b, err);
    if (s == R1_OK) *text = r1_buf_take(&b, n);
    r1_buf_deinit(&b);
    return s;
}

static r1_status no_arguments_with_jsonl(const r1_cli *c, r1_error *err)
{
    if (c->n_args == 1 || (c->n_args == 2 && !strcmp(c->args[1], "-"))) return R1_OK;
    return r1_fail(err, R1_EINVAL, "with --jsonl the input is standard input, so '%s' is too much", c->args[1]);
}

/* ---- tokenize -------------------------------------------------------------------------------------------------- */

typedef struct encoder {
    const r1_cli *c;
    const r1_tokenizer *t;
    r1_ids ids;
} encoder;

/* One token a line: id, tab, its bytes as a quoted text. Bytes that are no character on their own are \xNN. */
static void print_pieces(const r1_tokenizer *t, const r1_ids *ids)
{
    for (size_t k = 0; k < ids->n; k++) {
        size_t n, i = 0;
        const char *p = r1_token_bytes(t, ids->ids[k], &n);
        printf("%d\t\"", ids->ids[k]);
        while (i < n) {
            uint32_t cp;
            int len = r1_utf8_decode(p + i, n - i, &cp);
            if (len > 0 && (cp < 0x20 || (cp >= 0x7f && cp < 0xa0))) {
                if (cp == '\n') fputs("\\n", stdout);
                else if (cp == '\t') fputs("\\t", stdout);
                else if (cp == '\r') fputs("\\r", stdout);
                else printf("\\u%04x", cp);
            } else if (len > 0) {
                if (cp == '"' || cp == '\\') putchar('\\');
                fwrite(p + i, 1, (size_t)len, stdout);
            } else {
                for (int j = 0; j < -len; j++) printf("\\x%02x", (unsigned char)p[i + (size_t)j]);
            }
            i += (size_t)(len > 0 ? len : -len);
        }
        puts("\"");
    }
}

static r1_status encode(encoder *e, const char *text, size_t n, r1_error *err)
{
    const r1_opts *o = &e->c->o;
    e->ids.n = 0;
    r1_status s = R1_OK;
    if (o->bos && r1_tokenizer_adds_bos(e->t) && r1_tokenizer_bos(e->t) >= 0) s = r1_ids_add(&e->ids, r1_tokenizer_bos(e->t), err);
    if (s == R1_OK) s = r1_tokenizer_encode(e->t, text, n, o->no_special ? R1_SPECIAL_NONE : R1_SPECIAL_ALL, &e->ids, err);
    if (s) return s;
    if (o->pieces) {
        print_pieces(e->t, &e->ids);
        if (o->jsonl) putchar('\n');
        return R1_OK;
    }
    for (size_t i = 0; i < e->ids.n; i++) printf(i ? " %d" : "%d", e->ids.ids[i]);
    putchar('\n');
    return R1_OK;
}

static r1_status encode_line(void *ctx, const char *line, size_t n, r1_error *err)
{
    json_t *v;
    r1_status s = r1_json_parse(&v, line, n, err);
    if (s) return s;
    const json_t *text = json_is_object(v) ? json_object_get(v, "text") : v;
    if (json_is_string(text)) s = encode(ctx, json_string_value(text), json_string_length(text), err);
    else if (json_is_object(v)) s = r1_fail(err, R1_EFORMAT, "'text' is %s, expected a string", r1_json_kind(text));
    else s = r1_fail(err, R1_EFORMAT, "found %s, expected a string or an object with 'text'", r1_json_kind(v));
    json_decref(v);
    r1_term_flush(stdout); /* whoever talks to us through pipes waits for this line */
    return s;
}

r1_status r1_cmd_tokenize(r1_cli *c, r1_error *err)
{
    vocab v;
    r1_status s = c->o.jsonl ? no_arguments_with_jsonl(c, err) : R1_OK;
    if (s == R1_OK) s = vocab_open(&v, c->args[0], err);
    if (s) return s;
    encoder e = { .c = c, .t = v.t };
    char *text = NULL;
    size_t n = 0;
    if (c->o.jsonl) {
        s = r1_each_line(encode_line, &e, err);
    } else {
        s = input_text(c, &text, &n, err);
        if (s == R1_OK) s = encode(&e, text, n, err);
    }
    free(text);
    r1_ids_deinit(&e.ids);
    vocab_close(&v);
    return s;
}

/* ---- detokenize ------------------------------------------------------------------------------------------------ */

typedef struct decoder {
    const r1_cli *c;
    const r1_tokenizer *t;
    r1_ids ids;
    r1_buf text;
} decoder;

static r1_status decode(decoder *d, r1_error *err)
{
    r1_detok state = { 0 };
    r1_status s = R1_OK;
    r1_buf_clear(&d->text);
    for (size_t i = 0; i < d->ids.n && s == R1_OK; i++) {
        int32_t id = d->ids.ids[i];
        if (id >= r1_tokenizer_size(d->t))
            return r1_fail(err, R1_EFORMAT, "id %zu is %d, expected 0 to %d", i + 1, id, r1_tokenizer_size(d->t) - 1);
        if (d->c->o.no_special && r1_tokenizer_is_special(d->t, id)) continue;
        s = r1_detok_token(&state, d->t, id, &d->text, err);
    }
    if (s == R1_OK) s = r1_detok_end(&state, &d->text, err);
    return s;
}

static r1_status ids_of_array(const json_t *v, r1_ids *out, r1_error *err)
{
    for (size_t i = 0; i < json_array_size(v); i++) {
        const json_t *x = json_array_get(v, i);
        json_int_t id = json_integer_value(x);
        if (!json_is_integer(x) || id < 0 || id > INT32_MAX)
            return r1_fail(err, R1_EFORMAT, "element %zu is %s, expected an id", i + 1, json_is_integer(x) ? "out of range" : r1_json_kind(x));
        r1_status s = r1_ids_add(out, (int32_t)id, err);
        if (s) return s;
    }
    return R1_OK;
}

static r1_status decode_line(void *ctx, const char *line, size_t n, r1_error *err)
{
    decoder *d = ctx;
    d->ids.n = 0;
    r1_status s;
    if (n && line[0] == '[') {
        json_t *v;
        s = r1_json_parse(&v, line, n, err);
        if (s == R1_OK) s = ids_of_array(v, &d->ids, err);
        json_decref(v);
    } else {
        s = r1_parse_ids(line, n, "the line", &d->ids, err);
    }
    if (s == R1_OK) s = decode(d, err);
    if (s) return s;
    json_t *text = r1_json_text(d->text.data, d->text.len);
    s = r1_print_json(text, err);
    json_decref(text);
    r1_term_flush(stdout);
    return s;
}

static r1_status decode_all(decoder *d, r1_error *err)
{
    char *text = NULL;
    size_t n;
    r1_status s = input_text(d->c, &text, &n, err);
    if (s == R1_OK) s = r1_parse_ids(text, n, d->c->n_args > 1 ? "the arguments" : "standard input", &d->ids, err);
    free(text);
    if (s == R1_OK) s = decode(d, err);
    if (s) return s;
    const r1_term *out = &d->c->out;
    if (!out->tty) {
        fwrite(d->text.data ? d->text.data : "", 1, d->text.len, out->f);
        return R1_OK;
    }
    r1_buf clean;
    r1_buf_init(&clean, SIZE_MAX / 4);
    s = r1_term_clean(d->text.data ? d->text.data : "", d->text.len, &clean, err);
    if (s == R1_OK) printf("%s%s", clean.data, clean.len && clean.data[clean.len - 1] == '\n' ? "" : "\n");
    r1_buf_deinit(&clean);
    return s;
}

r1_status r1_cmd_detokenize(r1_cli *c, r1_error *err)
{
    vocab v;
    r1_status s = c->o.jsonl ? no_arguments_with_jsonl(c, err) : R1_OK;
    if (s == R1_OK) s = vocab_open(&v, c->args[0], err);
    if (s) return s;
    decoder d = { .c = c, .t = v.t };
    r1_buf_init(&d.text, SIZE_MAX / 4);
    s = c->o.jsonl ? r1_each_line(decode_line, &d, err) : decode_all(&d, err);
    r1_buf_deinit(&d.text);
    r1_ids_deinit(&d.ids);
    vocab_close(&v);
    return s;
}
