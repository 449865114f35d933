/* r1 show: what a model file says of itself. Headers only; no weight is read. */
#include "cli/cli.h"
#include "base/half.h"
#include "text/template.h"

typedef struct facts {
    const r1_ckpt *k;
    const char *architecture;
    const r1_template *template; /* NULL: not recognised */
    r1_tokenizer *tokenizer;     /* NULL: none, or not one r1 reads; why is in tokenizer_error */
    r1_error tokenizer_error;
    int64_t context, layers, experts, experts_used;
    uint64_t parameters, active, mtp, bytes, scale_bytes;
    bool packed, head_is_copy;   /* a packed file; its head is the embedding once more */
} facts;

/* ---- gathering ------------------------------------------------------------------------------------------------- */

/* An integer of the configuration: `gguf` below the architecture's prefix, or a key of config.json. 0 when absent. */
static int64_t config_int(const facts *f, const char *gguf, const char *json)
{
    int64_t v = 0;
    const r1_gguf *g = r1_ckpt_gguf(f->k);
    char key[128];
    snprintf(key, sizeof key, "%.80s.%s", f->architecture, gguf);
    r1_status s = g ? r1_gguf_int(g, key, false, 0, 0, INT64_MAX, &v, NULL) : r1_json_int(r1_ckpt_config(f->k), json, false, 0, 0, INT64_MAX, &v, NULL);
    return s ? 0 : v;
}

static uint64_t elements(const r1_ckpt_tensor *t)
{
    uint64_t n = 1;
    for (int i = 0; i < t->n_dims; i++) n *= t->ne[i];
    return n;
}

static bool contains(const char *s, const char *part) { return strstr(s, part) != NULL; }

/* "blk.61.x" and "model.layers.61.x": 61; -1 for a tensor of no layer. */
static int64_t layer_of(const char *name)
{
    const char *p = !strncmp(name, "blk.", 4) ? name + 4 : !strncmp(name, "model.layers.", 13) ? name + 13 : NULL;
    return p && *p >= '0' && *p <= '9' ? strtoll(p, NULL, 10) : -1;
}

/* Parameters are those of the main model: rope tables are none, and the MTP module is counted apart. Active: of the routed
 * experts only as many as one token uses. */
static void count(facts *f)
{
    int64_t mtp = config_int(f, "nextn_predict_layers", "num_nextn_predict_layers");
    int64_t main_layers = r1_ckpt_gguf(f->k) ? f->layers - mtp : f->layers; /* GGUF counts the module as a block */
    uint64_t routed = 0;
    for (size_t i = 0; i < r1_ckpt_n_tensors(f->k); i++) {
        const r1_ckpt_tensor *t = r1_ckpt_at(f->k, i);
        uint64_t n = elements(t);
        f->bytes += t->bytes;
        if (t->scale) f->scale_bytes += 4 * r1_ceil_div(t->ne[0], 128) * r1_ceil_div(t->ne[1], 128);
        if (contains(t->name, "rope_freqs") || contains(t->name, "rope_factors")) continue;
        if (mtp > 0 && layer_of(t->name) >= main_layers) {
            f->mtp += n;
            continue;
        }
        if (f->head_is_copy && !strcmp(t->name, "output.weight")) continue;
        f->parameters += n;
        if (contains(t->name, "_exps.") || contains(t->name, ".mlp.experts.")) routed += n;
    }
    f->active = f->parameters;
    if (f->experts > 0) f->active -= routed - routed / (uint64_t)f->experts * (uint64_t)f->experts_used;
}

static void gather(facts *f, r1_ckpt *k)
{
    f->k = k;
    f->architecture = r1_ckpt_architecture(k);
    f->context = config_int(f, "context_length", "max_position_embeddings");
    f->layers = config_int(f, "block_count", "num_hidden_layers");
    f->experts = config_int(f, "expert_count", "n_routed_experts");
    f->experts_used = config_int(f, "expert_used_count", "num_experts_per_tok");
    f->packed = r1_ckpt_packed(k);
    f->head_is_copy = r1_ckpt_head_is_copy(k);
    count(f);
    if (r1_ckpt_tokenizer(k, &f->tokenizer, &f->tokenizer_error) == R1_OK) {
        r1_slice jinja = r1_ckpt_chat_template(k);
        f->template = r1_template_detect(jinja.p, jinja.n, f->architecture, f->tokenizer);
    }
}

/* Everything stored, scales included, per stored parameter. */
static double bits_per_weight(const facts *f)
{
    uint64_t n = f->parameters + f->mtp;
    return n ? 8.0 * (double)(f->bytes + f->scale_bytes) / (double)n : 0;
}

static const char *type_name(r1_type t)
{
    const r1_type_info *info = r1_type_get(t);
    return info ? info->name : "?";
}

/* ---- JSON ------------------------------------------------------------------------------------------------------ */

static const size_t sizes[] = { 1, 1, 2, 2, 4, 4, 4, 1, 0, 0, 8, 8, 8 }; /* bytes of a value, by r1_gguf_type */

static uint64_t read_le(const uint8_t *p, size_t n)
{
    uint64_t v = 0;
    for (size_t i = n; i-- > 0;) v = v << 8 | p[i];
    return v;
}

static json_t *gguf_number(r1_gguf_type type, const uint8_t *p)
{
    uint64_t v = read_le(p, sizes[type]);
    double d;
    switch (type) {
    case R1_GGUF_I8: return json_integer((int8_t)v);
    case R1_GGUF_I16: return json_integer((int16_t)v);
    case R1_GGUF_I32: return json_integer((int32_t)v);
    case R1_GGUF_BOOL: return json_boolean(v != 0);
    case R1_GGUF_F32: d = r1_f32_from_bits((uint32_t)v); break;
    case R1_GGUF_F64: memcpy(&d, &v, 8); break;
    default: return v > INT64_MAX ? json_real((double)v) : json_integer((json_int_t)v);
    }
    json_t *r = json_real(d);
    return r ? r : json_null(); /* JSON knows no NaN */
}

static json_t *gguf_value(const r1_gguf_kv *kv)
{
    const uint64_t most = 64; /* elements of an array that are shown whole; vocabularies are longer */
    if (kv->type == R1_GGUF_STRING) return r1_json_text((const char *)kv->data + 8, (size_t)read_le(kv->data, 8));
    if (kv->type != R1_GGUF_ARRAY) return gguf_number(kv->type, kv->data);
    if (kv->item == R1_GGUF_ARRAY || kv->n > most) return json_pack("{s:I}", "count", (json_int_t)kv->n);
    json_t *list = json_array();
    const uint8_t *p = kv->data;
    for (uint64_t i = 0; i < kv->n; i++) {
        if (kv->item == R1_GGUF_STRING) {
            uint64_t n = read_le(p, 8);
            json_array_append_new(list, r1_json_text((const char *)p + 8, (size_t)n));
            p += 8 + n;
        } else {
            json_array_append_new(list, gguf_number(kv->item, p));
            p += sizes[kv->item];
        }
    }
    return list;
}

static json_t *metadata_json(const facts *f)
{
    const r1_gguf *g = r1_ckpt_gguf(f->k);
    if (!g) return json_deep_copy(r1_ckpt_config(f->k));
    json_t *o = json_object();
    for (size_t i = 0; i < r1_gguf_n_kv(g); i++) {
        const r1_gguf_kv *kv = r1_gguf_kv_at(g, i);
        json_t *key = r1_json_text(kv->key.p, kv->key.n);
        if (key) json_object_set_new(o, json_string_value(key), gguf_value(kv));
        json_decref(key);
    }
    return o;
}

static json_t *tensors_json(const facts *f)
{
    json_t *list = json_array();
    for (size_t i = 0; i < r1_ckpt_n_tensors(f->k); i++) {
        const r1_ckpt_tensor *t = r1_ckpt_at(f->k, i);
        json_t *shape = json_array();
        for (int d = t->n_dims; d-- > 0;) json_array_append_new(shape, json_integer((json_int_t)t->ne[d]));
        json_array_append_new(list, json_pack("{s:o, s:s, s:b, s:o, s:I}", "name", r1_json_text(t->name, strlen(t->name)), "type", type_name(t->type),
                                              "packed", t->packed, "shape", shape, "bytes", (json_int_t)t->bytes));
    }
    return list;
}

static json_t *tokenizer_json(const facts *f)
{
    if (!f->tokenizer) return json_pack("{s:s}", "error", f->tokenizer_error.msg);
    return json_pack("{s:s, s:i, s:i, s:i, s:b}", "pre", r1_tokenizer_pre(f->tokenizer), "tokens", r1_tokenizer_size(f->tokenizer),
                     "bos", r1_tokenizer_bos(f->tokenizer), "eos", r1_tokenizer_eos(f->tokenizer), "adds_bos", r1_tokenizer_adds_bos(f->tokenizer));
}

static r1_status print_facts_json(const facts *f, r1_error *err)
{
    json_t *v = json_pack("{s:o, s:I, s:I, s:I, s:I, s:I, s:f, s:I, s:o, s:o}",
                          "architecture", r1_json_text(f->architecture, strlen(f->architecture)),
                          "parameters", (json_int_t)f->parameters, "parameters_active", (json_int_t)f->active,
                          "parameters_mtp", (json_int_t)f->mtp, "context_length", (json_int_t)f->context,
                          "layers", (json_int_t)f->layers, "bits_per_weight", bits_per_weight(f),
                          "file_bytes", (json_int_t)r1_ckpt_file_bytes(f->k), "tokenizer", tokenizer_json(f), "metadata", metadata_json(f));
    if (!v) return r1_fail(err, R1_ENOMEM, "no memory for the JSON output");
    json_object_set_new(v, "template", f->template ? json_string(r1_template_name(f->template)) : json_null());
    json_object_set_new(v, "packed", json_boolean(f->packed));
    json_object_set_new(v, "tensors", tensors_json(f));
    r1_status s = r1_print_json(v, err);
    json_decref(v);
    return s;
}

/* ---- text ------------------------------------------------------------------------------------------------------ */

/* One line, whatever the file says: line feeds as spaces, control characters visible, at most `most` bytes. */
static r1_status print_clean(const char *s, size_t n, size_t most, r1_error *err)
{
    r1_buf b;
    r1_buf_init(&b, SIZE_MAX / 4);
    size_t shown = r1_min(n, most);
    while (shown > 0 && shown < n && ((unsigned char)s[shown] & 0xc0) == 0x80) shown--; /* not inside a character */
    r1_status st = r1_term_clean(s, shown, &b, err);
    for (size_t i = 0; i < b.len; i++) putchar(b.data[i] == '\n' || b.data[i] == '\t' ? ' ' : b.data[i]);
    if (shown < n) fputs("...", stdout);
    r1_buf_deinit(&b);
    return st;
}

static void print_count(const char *label, uint64_t n)
{
    const char *unit = n >= 1000000000 ? "billion" : n >= 1000000 ? "million" : "";
    double scaled = n >= 1000000000 ? (double)n / 1e9 : (double)n / 1e6;
    if (*unit) printf("  %-18s %.2f %s (%llu)\n", label, scaled, unit, (unsigned long long)n);
    else printf("  %-18s %llu\n", label, (unsigned long long)n);
}

/* What the file itself says goes through print_clean. */
static r1_status print_text(const char *label, const char *text, const char *end, r1_error *err)
{
    printf("  %-18s ", label);
    r1_status s = print_clean(text, strlen(text), 300, err);
    fputs(end, stdout);
    return s;
}

static r1_status print_summary(const facts *f, r1_error *err)
{
    puts("model");
    r1_status s = print_text("architecture", f->architecture[0] ? f->architecture : "not given", "\n", err);
    print_count("parameters", f->parameters);
    if (f->active != f->parameters) print_count("active per token", f->active);
    if (f->mtp) print_count("MTP module", f->mtp);
    printf("  %-18s %lld\n", "layers", (long long)f->layers);
    if (f->experts) printf("  %-18s %lld, %lld used\n", "experts", (long long)f->experts, (long long)f->experts_used);
    printf("  %-18s %lld\n", "context length", (long long)f->context);
    printf("  %-18s %.2f MB%s\n", "files", (double)r1_ckpt_file_bytes(f->k) / 1e6, f->packed ? ", packed: weights are used where they lie" : "");
    printf("  %-18s %.2f\n", "bits per weight", bits_per_weight(f));
    if (s == R1_OK) s = print_text("tokenizer", f->tokenizer ? r1_tokenizer_pre(f->tokenizer) : f->tokenizer_error.msg, "", err);
    if (f->tokenizer)
        printf(", %d tokens, BOS %d%s, EOS %d", r1_tokenizer_size(f->tokenizer), r1_tokenizer_bos(f->tokenizer),
               r1_tokenizer_adds_bos(f->tokenizer) ? " (added)" : "", r1_tokenizer_eos(f->tokenizer));
    putchar('\n');
    return s == R1_OK ? print_text("template", f->template ? r1_template_name(f->template) : "not recognised", "\n", err) : s;
}

static r1_status print_gguf_metadata(const r1_gguf *g, r1_error *err)
{
    r1_status s = R1_OK;
    for (size_t i = 0; i < r1_gguf_n_kv(g) && s == R1_OK; i++) {
        const r1_gguf_kv *kv = r1_gguf_kv_at(g, i);
        r1_buf value;
        r1_buf_init(&value, SIZE_MAX / 4);
        s = r1_gguf_print(kv, &value, err);
        fputs("  ", stdout);
        if (s == R1_OK) s = print_clean(kv->key.p, kv->key.n, 100, err);
        fputs(" = ", stdout);
        if (s == R1_OK) s = print_clean(value.data ? value.data : "", value.len, 160, err);
        putchar('\n');
        r1_buf_deinit(&value);
    }
    return s;
}

static r1_status print_json_metadata(const json_t *config, r1_error *err)
{
    const char *key;
    json_t *v;
    r1_status s = R1_OK;
    json_object_foreach((json_t *)config, key, v) {
        char *text = json_dumps(v, JSON_COMPACT | JSON_ENCODE_ANY | JSON_REAL_PRECISION(9));
        if (!text) return r1_fail(err, R1_ENOMEM, "no memory for the metadata");
        fputs("  ", stdout);
        s = print_clean(key, strlen(key), 100, err);
        fputs(" = ", stdout);
        if (s == R1_OK) s = print_clean(text, strlen(text), 160, err);
        putchar('\n');
        free(text);
        if (s) break;
    }
    return s;
}

static r1_status print_tensors(const facts *f, r1_error *err)
{
    r1_status s = R1_OK;
    printf("\ntensors (%zu)\n", r1_ckpt_n_tensors(f->k));
    for (size_t i = 0; i < r1_ckpt_n_tensors(f->k) && s == R1_OK; i++) {
        const r1_ckpt_tensor *t = r1_ckpt_at(f->k, i);
        char shape[96];
        size_t n = 0;
        for (int d = t->n_dims; d-- > 0;) n += (size_t)snprintf(shape + n, sizeof shape - n, "%s%llu", d + 1 < t->n_dims ? " x " : "", (unsigned long long)t->ne[d]);
        printf("  %-8s%s %-24s %12llu  ", type_name(t->type), !f->packed ? "" : t->packed ? " packed" : "       ", shape, (unsigned long long)t->bytes);
        s = print_clean(t->name, strlen(t->name), 200, err);
        putchar('\n');
    }
    return s;
}

r1_status r1_cmd_show(r1_cli *c, r1_error *err)
{
    r1_ckpt *k;
    r1_status s = r1_ckpt_open(&k, c->args[0], false, err);
    if (s) return s;
    facts f = { 0 };
    gather(&f, k);
    if (c->o.json) {
        s = print_facts_json(&f, err);
    } else {
        s = print_summary(&f, err);
        puts("\nmetadata");
        if (s == R1_OK) s = r1_ckpt_gguf(k) ? print_gguf_metadata(r1_ckpt_gguf(k), err) : print_json_metadata(r1_ckpt_config(k), err);
        if (s == R1_OK) s = print_tensors(&f, err);
    }
    r1_tokenizer_free(f.tokenizer);
    r1_ckpt_close(k);
    return s;
}
