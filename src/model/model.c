/* Opening a model: files, configuration, tokenizer and template, weights. */
#include "model/model_int.h"

#include <stdio.h>
#include <unistd.h>

void r1_model_close(r1_model *m)
{
    if (!m) return;
    for (size_t i = 0; i < m->n_owned; i++) free(m->owned[i]);
    free(m->owned);
    free(m->layers);
    free(m->moe_layers);
    r1_config_deinit(&m->c);
    r1_tokenizer_free(m->tokenizer);
    for (int i = 0; i < m->n_warmers; i++) r1_warm_stop(m->warmers[i]);
    free(m->warmers);
    r1_ckpt_close(m->ckpt);
    free(m);
}

/* Tensors that say nothing new: old checkpoints store the rope frequencies. */
static bool ignorable(const char *name)
{
    const char *end = "rotary_emb.inv_freq";
    size_t n = strlen(name), k = strlen(end);
    return n >= k && !strcmp(name + n - k, end);
}

/* Whatever was not asked for. */
static r1_status refuse_extra(const r1_binder *b, r1_error *err)
{
    for (size_t i = 0; i < r1_ckpt_n_tensors(b->m->ckpt); i++) {
        const r1_ckpt_tensor *t = r1_ckpt_at(b->m->ckpt, i);
        if (!b->used[i] && !ignorable(t->name))
            return r1_fail(err, R1_EFORMAT, "tensor '%s' is not part of a %s model with %d layers", t->name, r1_arch_name(b->m->c.arch), b->m->c.n_layers);
    }
    return R1_OK;
}

static r1_status list_moe_layers(r1_model *m, r1_error *err)
{
    m->moe_layers = calloc((size_t)m->c.n_layers, sizeof *m->moe_layers);
    if (!m->moe_layers) return r1_fail(err, R1_ENOMEM, "no memory for %d layers", m->c.n_layers);
    for (int i = 0; i < m->c.n_layers; i++)
        if (m->layers[i].moe) m->moe_layers[m->n_moe_layers++] = i;
    return R1_OK;
}

/* Sizes that no bound tensor vouches for are dropped, so that a small file cannot ask for gigabytes of scratch. */
static void forget_unused(r1_model *m)
{
    r1_config *c = &m->c;
    if (m->n_moe_layers == 0 && !m->mtp) c->n_experts = c->n_used = c->n_shared = c->n_ff_expert = 0;
    if (m->n_moe_layers == c->n_layers) c->n_ff = 0;
}

/* Without kernels (m->k) no weight is packed: each stays where it is in the file. */
r1_status r1_model_check(const r1_ckpt *c, r1_error *err)
{
    r1_model *m = calloc(1, sizeof *m);
    r1_binder b = { .m = m, .err = err, .gguf = r1_ckpt_gguf(c) != NULL, .head_is_copy = r1_ckpt_head_is_copy(c), .only_check = true };
    if (!m) return r1_fail(err, R1_ENOMEM, "no memory for a model");
    r1_status s = r1_config_read(&m->c, c, err);
    m->ckpt = (r1_ckpt *)c; /* borrowed: the binder only reads it */
    if (s == R1_OK) {
        m->layers = calloc((size_t)m->c.n_layers, sizeof *m->layers);
        b.used = calloc(r1_max(1, r1_ckpt_n_tensors(c)), sizeof *b.used);
        if (!m->layers || !b.used) b.s = r1_fail(err, R1_ENOMEM, "no memory for %d layers", m->c.n_layers);
        else if (m->c.mla) r1_bind_deepseek(&b);
        else r1_bind_llama(&b);
        s = b.s;
    }
    if (s == R1_OK) s = refuse_extra(&b, err);
    free(b.used);
    m->ckpt = NULL;
    r1_model_close(m);
    return r1_context(err, s, "'%s'", r1_ckpt_path(c));
}

static r1_status bind(r1_model *m, r1_error *err)
{
    r1_binder b = { .m = m, .err = err, .gguf = r1_ckpt_gguf(m->ckpt) != NULL, .head_is_copy = r1_ckpt_head_is_copy(m->ckpt) };
    int threads = m->options.n_threads ? m->options.n_threads : r1_physical_cores();
    m->all_f32 = true;
    m->layers = calloc((size_t)m->c.n_layers, sizeof *m->layers);
    b.used = calloc(r1_max(1, r1_ckpt_n_tensors(m->ckpt)), sizeof *b.used);
    r1_status s = m->layers && b.used ? R1_OK : r1_fail(err, R1_ENOMEM, "no memory for %d layers", m->c.n_layers);
    if (s == R1_OK) s = r1_pool_new(&b.pool, threads, err);
    if (s == R1_OK) {
        r1_bind_check_memory(&b);
        if (m->c.mla) r1_bind_deepseek(&b);
        else r1_bind_llama(&b);
        s = b.s;
    }
    if (s == R1_OK) s = refuse_extra(&b, err);
    if (s == R1_OK) s = list_moe_layers(m, err);
    if (s == R1_OK) forget_unused(m);
    r1_pool_free(b.pool);
    free(b.used);
    m->info.parameters = b.elements;
    m->info.parameters_active = b.elements;
    if (m->c.n_experts > 0)
        m->info.parameters_active -= b.expert_elements / (uint64_t)m->c.n_experts * (uint64_t)(m->c.n_experts - m->c.n_used);
    m->info.weight_bytes = b.bytes;
    return s;
}

/* A checkpoint may come without a tokenizer (ids only); one that is there must be right. */
static bool has_tokenizer(const r1_ckpt *c)
{
    const r1_gguf *g = r1_ckpt_gguf(c);
    if (g) return r1_gguf_find(g, "tokenizer.ggml.model") || r1_gguf_find(g, "tokenizer.ggml.tokens");
    char path[4096];
    if (snprintf(path, sizeof path, "%s/tokenizer.json", r1_ckpt_path(c)) >= (int)sizeof path) return false;
    return access(path, F_OK) == 0 || access(r1_ckpt_path(c), F_OK) != 0 || !r1_ckpt_config(c);
}

static r1_status open_text(r1_model *m, r1_error *err)
{
    r1_slice jinja = r1_ckpt_chat_template(m->ckpt);
    if (has_tokenizer(m->ckpt)) {
        r1_status s = r1_ckpt_tokenizer(m->ckpt, &m->tokenizer, err);
        if (s) return s;
    }
    m->template = r1_template_detect(jinja.p, jinja.n, m->arch, m->tokenizer);
    return R1_OK;
}

static void fill_info(r1_model *m)
{
    const r1_gguf *g = r1_ckpt_gguf(m->ckpt);
    const char *name = json_string_value(json_object_get(r1_ckpt_config(m->ckpt), "_name_or_path"));
    r1_slice s = { 0 };
    if (g && r1_gguf_str(g, "general.name", false, &s, NULL) != R1_OK) s.n = 0;
    if (g) snprintf(m->name, sizeof m->name, "%.*s", (int)r1_min(s.n, sizeof m->name - 1), s.n ? s.p : "");
    else snprintf(m->name, sizeof m->name, "%s", name ? name : "");
    const r1_config *c = &m->c;
    m->info.architecture = m->arch;
    m->info.name = m->name;
    m->info.template_name = m->template ? r1_template_name(m->template) : "";
    m->info.n_layers = c->n_layers;
    m->info.n_embd = c->n_embd;
    m->info.n_heads = c->n_heads;
    m->info.n_kv_heads = c->mla ? c->n_heads : c->n_kv_heads;
    m->info.n_vocab = c->n_vocab;
    m->info.n_tokens = m->tokenizer ? (int32_t)r1_min((size_t)r1_tokenizer_size(m->tokenizer), (size_t)c->n_vocab) : c->n_vocab;
    m->info.n_ctx_train = c->n_ctx;
    m->info.cpu_level = m->k.name;
}

static r1_status open_level(r1_model *m, r1_error *err)
{
    const r1_model_options *o = &m->options;
    if ((unsigned)o->cpu > R1_CPU_NEON) return r1_fail(err, R1_EINVAL, "CPU level %d; expected 0 to %d", (int)o->cpu, R1_CPU_NEON);
    if ((unsigned)o->activations > R1_ACTIVATIONS_INT8)
        return r1_fail(err, R1_EINVAL, "activations %d; expected 0 to %d", (int)o->activations, R1_ACTIVATIONS_INT8);
    r1_cpu_level level = o->cpu == R1_CPU_AUTO ? r1_cpu_best() : o->cpu;
    if (!r1_cpu_has(level))
        return r1_fail(err, R1_EUNSUPPORTED, "this machine has no %s; its best level is %s", r1_cpu_level_name(level), r1_cpu_level_name(r1_cpu_best()));
    r1_kernels_init(&m->k, level);
    return R1_OK;
}

/* A packed file is used where it lies: its pages are brought in while the tokenizer is made. Where that fails nothing is lost. */
static void warm(r1_model *m)
{
    const r1_gguf *g = r1_ckpt_gguf(m->ckpt);
    if (!g || m->options.n_threads == 1 || !r1_ckpt_packed(m->ckpt)) return;
    m->warmers = calloc((size_t)r1_gguf_n_parts(g), sizeof *m->warmers);
    for (int i = 0; m->warmers && i < r1_gguf_n_parts(g); i++) m->warmers[m->n_warmers++] = r1_warm_start(r1_gguf_map(g, i));
}

static r1_status open_parts(r1_model *m, const char *path, r1_error *err)
{
    bool words_only = m->options.vocabulary_only;
    r1_status s = open_level(m, err);
    if (s == R1_OK) s = r1_ckpt_open(&m->ckpt, path, words_only, err); /* its sentences, and those of its tokenizer, name the file */
    if (s) return s;
    if (!words_only) warm(m);
    bool has_config = r1_ckpt_gguf(m->ckpt) || r1_ckpt_config(m->ckpt);
    if (has_config || !words_only) s = r1_context(err, r1_config_read(&m->c, m->ckpt, err), "'%s'", path);
    if (words_only && s == R1_EUNSUPPORTED) s = R1_OK; /* the words of a model we cannot run are still readable */
    snprintf(m->arch, sizeof m->arch, "%s", has_config && m->c.n_layers ? r1_arch_name(m->c.arch) : "");
    if (s == R1_OK) s = open_text(m, err);
    if (s == R1_OK && !words_only) s = r1_context(err, bind(m, err), "'%s'", path);
    return s;
}

r1_status r1_model_open(r1_model **out, const char *path, const r1_model_options *options, r1_error *err)
{
    *out = NULL;
    if (!path) return r1_fail(err, R1_EINVAL, "no path is given, expected a file or folder");
    r1_model *m = calloc(1, sizeof *m);
    if (!m) return r1_fail(err, R1_ENOMEM, "no memory for a model");
    if (options) m->options = *options;
    r1_status s = open_parts(m, path, err);
    if (s) {
        r1_model_close(m);
        return s;
    }
    fill_info(m);
    *out = m;
    return R1_OK;
}

const r1_model_info *r1_model_get_info(const r1_model *m) { return &m->info; }
const r1_tokenizer *r1_model_get_tokenizer(const r1_model *m) { return m->tokenizer; }
const r1_ckpt *r1_model_checkpoint(const r1_model *m) { return m->ckpt; }
const r1_template *r1_model_template(const r1_model *m) { return m->template; }
const r1_kernels *r1_model_kernels(const r1_model *m) { return &m->k; }
int r1_model_experts_used(const r1_model *m) { return m->c.n_used; }
bool r1_model_has_mtp(const r1_model *m) { return m->mtp != NULL; }

static uint64_t matrix_bytes(const r1_weight *w) { return w->rows * (uint64_t)r1_row_bytes(w->type, w->k); }
static uint64_t mlp_bytes(const r1_mlp *p) { return matrix_bytes(&p->gate) + matrix_bytes(&p->up) + matrix_bytes(&p->down); }

uint64_t r1_model_token_bytes(const r1_model *m)
{
    uint64_t n = matrix_bytes(&m->head);
    for (int i = 0; i < m->c.n_layers; i++) {
        const r1_layer *l = &m->layers[i];
        const r1_weight *const all[] = { &l->wq, &l->wk, &l->wv, &l->wq_a, &l->wq_b, &l->wkv_a, &l->wo };
        for (size_t j = 0; j < R1_COUNT(all); j++) n += matrix_bytes(all[j]);
        for (int h = 0; l->k_b && h < m->c.n_heads; h++) n += matrix_bytes(&l->k_b[h]) + matrix_bytes(&l->v_b[h]);
        n += mlp_bytes(&l->mlp);
        if (l->moe) n += matrix_bytes(&l->router) + (uint64_t)m->c.n_used * mlp_bytes(&l->experts[0]);
    }
    return n;
}

int r1_model_moe_layers(const r1_model *m, const int32_t **layers)
{
    *layers = m->moe_layers;
    return m->n_moe_layers;
}
