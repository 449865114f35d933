/* Writing a plan: a GGUF file, or a Hugging Face folder.
 *
 * A folder is made under a temporary name beside the final one and takes its place when it is whole (base/newdir.h). */
#define _GNU_SOURCE
#include "convert/convert_int.h"
#include "base/newdir.h"
#include "base/writer.h"
#include "format/safetensors_write.h"

#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <sys/stat.h>
#include <unistd.h>

/* ---- tensors ---------------------------------------------------------------------------------------------------- */

static r1_status make_one(const r1_made *m, size_t i, const r1_export_options *o, r1_sink sink, void *ctx, r1_error *err)
{
    float *w = NULL;
    size_t n = 0;
    r1_status s = R1_OK;
    if (o->imatrix && r1_type_get(m->type)->quantised) s = r1_imatrix_weights(o->imatrix, m, &w, &n, err);
    if (s == R1_OK) s = r1_make(m, o->pool, w, n, o->errors ? &o->errors[i] : NULL, sink, ctx, err);
    free(w);
    return s;
}

/* ---- GGUF ------------------------------------------------------------------------------------------------------- */

static r1_status to_gguf(void *ctx, const void *data, size_t n, r1_error *err) { return r1_gguf_out_data(ctx, data, n, err); }

/* llama.cpp's number for a file whose matrices are mostly of this type. */
static int plain_file_type(const r1_plan *p)
{
    uint64_t n[R1_TYPE_END] = { 0 };
    size_t most = 0;
    for (size_t i = 0; i < p->n; i++)
        if (p->t[i].n_dims > 1) n[p->t[i].type] += r1_made_elements(&p->t[i]);
    for (size_t t = 1; t < R1_TYPE_END; t++)
        if (n[t] > n[most]) most = t;
    return r1_mix_file_type(r1_type_get((unsigned)most) ? r1_type_get((unsigned)most)->name : "F32");
}

static r1_status put_keys(r1_gguf_out *w, const r1_plan *p, const r1_export_options *o, r1_error *err)
{
    bool quantised = false;
    int type = o->target ? r1_mix_file_type(o->target) : plain_file_type(p);
    for (size_t i = 0; i < p->n; i++) quantised = quantised || r1_type_get(p->t[i].type)->quantised;
    r1_status s = p->same_kind ? r1_gguf_out_copy_keys(w, r1_ckpt_gguf(p->ckpt), err) : r1_gguf_put_config(w, p, err);
    if (s == R1_OK && type >= 0) s = r1_gguf_out_u32(w, "general.file_type", (uint32_t)type, err);
    if (s == R1_OK && quantised) s = r1_gguf_out_u32(w, "general.quantization_version", 2, err);
    if (s == R1_OK && !p->same_kind && r1_plan_has_tokenizer(p)) s = r1_gguf_put_vocab(w, p->ckpt, (size_t)p->config.n_vocab, err);
    return s;
}

static r1_status export_gguf(const r1_plan *p, const char *path, const r1_export_options *o, r1_error *err)
{
    r1_gguf_out *w;
    r1_status s = r1_gguf_out_new(&w, err);
    if (s == R1_OK) s = put_keys(w, p, o, err);
    for (size_t i = 0; i < p->n && s == R1_OK; i++) {
        const r1_made *m = &p->t[i];
        r1_gguf_info info = { .name = m->name, .type = m->type, .n_dims = m->n_dims };
        memcpy(info.ne, m->ne, sizeof info.ne);
        s = r1_gguf_out_tensor(w, &info, err);
    }
    if (s == R1_OK) {
        r1_gguf_out_watch(w, o->progress, o->progress_ctx);
        r1_gguf_out_tell(w, o->temporary, o->temporary_ctx);
        s = r1_gguf_out_begin(w, path, o->force, err);
    }
    for (size_t i = 0; i < p->n && s == R1_OK; i++) s = make_one(&p->t[i], i, o, to_gguf, w, err);
    if (s == R1_OK) s = r1_gguf_out_finish(w, err);
    r1_gguf_out_free(w);
    return s;
}

/* ---- folders ---------------------------------------------------------------------------------------------------- */

static r1_status to_st(void *ctx, const void *data, size_t n, r1_error *err) { return r1_st_out_data(ctx, data, n, err); }

typedef char place[4400];

static const char *in(place out, const char *dir, const char *name)
{
    snprintf(out, sizeof(place), "%s/%s", dir, name);
    return out;
}

static r1_status declare(r1_st_out *w, const r1_made *m, r1_error *err)
{
    char name[1200];
    uint64_t scales = r1_made_scales(m), columns = (m->ne[0] + 127) / 128;
    r1_status s = r1_st_out_tensor(w, m->name, m->type, m->n_dims, m->ne, err);
    if (s || !scales) return s;
    if (snprintf(name, sizeof name, "%s_scale_inv", m->name) >= (int)sizeof name) return r1_fail(err, R1_EFORMAT, "the tensor name '%.160s' is too long", m->name);
    return r1_st_out_tensor(w, name, R1_F32, 2, (uint64_t[]){ columns, scales / columns }, err);
}

/* The tensor and, for F8_E4M3, the scales that were found on the way. */
static r1_status make_with_scales(const r1_plan *p, size_t i, const r1_export_options *o, r1_st_out *w, r1_error *err)
{
    size_t n = (size_t)r1_made_scales(&p->t[i]);
    if (n == 0) return make_one(&p->t[i], i, o, to_st, w, err);
    r1_made m = p->t[i];
    m.scales = malloc(n * sizeof *m.scales);
    if (!m.scales) return r1_fail(err, R1_ENOMEM, "no memory for the scales of '%s'", m.name);
    r1_status s = make_one(&m, i, o, to_st, w, err);
    if (s == R1_OK) s = r1_st_out_data(w, m.scales, n * sizeof *m.scales, err);
    free(m.scales);
    return s;
}

static r1_status write_weights(const r1_plan *p, const char *dir, const r1_export_options *o, r1_error *err)
{
    r1_st_out *w;
    place path;
    r1_status s = r1_st_out_new(&w, err);
    for (size_t i = 0; i < p->n && s == R1_OK; i++) s = declare(w, &p->t[i], err);
    if (s == R1_OK) {
        r1_st_out_watch(w, o->progress, o->progress_ctx);
        s = r1_st_out_begin(w, in(path, dir, "model.safetensors"), false, err);
    }
    for (size_t i = 0; i < p->n && s == R1_OK; i++) s = make_with_scales(p, i, o, w, err);
    if (s == R1_OK) s = r1_st_out_finish(w, err);
    r1_st_out_free(w);
    return s;
}

/* Whether every real comes back from 15 digits: 1e-06 is then not 9.9999999999999995e-07. */
static bool is_short(const json_t *v)
{
    char text[40];
    const char *key;
    json_t *x;
    size_t i;
    bool all = true;
    snprintf(text, sizeof text, "%.15g", json_real_value(v));
    if (json_is_real(v)) return strtod(text, NULL) == json_real_value(v);
    json_object_foreach((json_t *)v, key, x) all = all && is_short(x);
    json_array_foreach(v, i, x) all = all && is_short(x);
    return all;
}

static r1_status write_json(const char *dir, const char *name, const json_t *v, r1_error *err)
{
    place path;
    if (!v) return R1_OK;
    char *text = json_dumps(v, JSON_INDENT(2) | JSON_PRESERVE_ORDER | JSON_REAL_PRECISION(is_short(v) ? 15 : 17));
    if (!text) return r1_fail(err, R1_ENOMEM, "no memory for '%s'", name);
    r1_status s = r1_file_write(in(path, dir, name), text, strlen(text), false, err);
    free(text);
    return s;
}

typedef struct texts {
    json_t *config, *generation, *tokenizer, *tokenizer_config;
} texts;

static r1_status make_texts(texts *x, const r1_plan *p, r1_error *err)
{
    r1_status s = r1_hf_config(&x->config, &x->generation, p, err);
    if (s || !r1_plan_has_tokenizer(p)) return s;
    return r1_hf_tokenizer(&x->tokenizer, &x->tokenizer_config, p->ckpt, p->config.n_ctx, err);
}

static void free_texts(texts *x)
{
    json_decref(x->config);
    json_decref(x->generation);
    json_decref(x->tokenizer);
    json_decref(x->tokenizer_config);
}

static r1_status write_texts(const r1_plan *p, const char *dir, r1_error *err)
{
    texts x = { 0 };
    r1_status s = make_texts(&x, p, err);
    if (s == R1_OK) s = write_json(dir, "tokenizer.json", x.tokenizer, err);
    if (s == R1_OK) s = write_json(dir, "tokenizer_config.json", x.tokenizer_config, err);
    if (s == R1_OK) s = write_json(dir, "generation_config.json", x.generation, err);
    if (s == R1_OK) s = write_json(dir, "config.json", x.config, err);
    free_texts(&x);
    return s;
}

/* The small files of a folder whose weights change type. */
static r1_status copy_texts(const r1_plan *p, const char *dir, r1_error *err)
{
    static const char *const names[] = { "generation_config.json", "tokenizer.json", "tokenizer_config.json", "chat_template.jinja" };
    r1_status s = R1_OK;
    for (size_t i = 0; i < R1_COUNT(names) && s == R1_OK; i++) {
        place from, to;
        char *text;
        size_t n;
        if (access(in(from, r1_ckpt_path(p->ckpt), names[i]), F_OK)) continue;
        s = r1_file_read(from, 256 << 20, &text, &n, err);
        if (s == R1_OK) s = r1_file_write(in(to, dir, names[i]), text, n, false, err);
        free(text);
    }
    json_t *config = s == R1_OK ? json_deep_copy(r1_ckpt_config(p->ckpt)) : NULL;
    if (s == R1_OK && !config) s = r1_fail(err, R1_ENOMEM, "no memory for config.json");
    if (config) {
        json_t *fp8 = r1_hf_quantization(p);
        (void)json_object_del(config, "quantization_config");
        if (fp8 && json_object_set_new(config, "quantization_config", fp8)) s = r1_fail(err, R1_ENOMEM, "no memory for config.json");
        const char *type = r1_hf_torch_type(p);
        if (json_object_set_new(config, json_object_get(config, "dtype") ? "dtype" : "torch_dtype", json_string(type))) s = r1_fail(err, R1_ENOMEM, "no memory for config.json");
    }
    if (s == R1_OK) s = write_json(dir, "config.json", config, err);
    json_decref(config);
    return s;
}

static r1_status fill_folder(const r1_plan *p, const char *dir, const r1_export_options *o, r1_error *err)
{
    r1_status s = p->same_kind ? copy_texts(p, dir, err) : write_texts(p, dir, err); /* first: a tokenizer that cannot be said costs no hour */
    return s ? s : write_weights(p, dir, o, err);
}

/* What readers look for: of an old model it would be wrong beside the new one. */
static const char *const replaced[] = { "model.safetensors", "config.json", "generation_config.json", "tokenizer.json", "tokenizer_config.json",
                                        "chat_template.jinja", NULL };

/* Whether something is mounted at a folder, or it is a volume of its own: no other folder can get its name. */
static bool is_mount_point(const char *dir, const struct stat *st)
{
    struct statx x;
    struct stat above;
    place path;
    if (statx(AT_FDCWD, dir, 0, STATX_BASIC_STATS, &x) == 0 && x.stx_attributes_mask & x.stx_attributes & STATX_ATTR_MOUNT_ROOT) return true;
    return stat(in(path, dir, ".."), &above) == 0 && above.st_dev != st->st_dev;
}

/* Whether a folder is the current one or above it. */
static bool is_around_us(const char *dir)
{
    char *real = realpath(dir, NULL), *here = getcwd(NULL, 0);
    size_t n = real ? strlen(real) : 0;
    bool around = real && here && !strncmp(here, real, n) && (here[n] == 0 || here[n] == '/' || n == 1);
    free(real);
    free(here);
    return around;
}

/* Whether another folder can be put in the place of this one. */
static r1_status check_place(const char *dir, const struct stat *st, r1_error *err)
{
    place parent;
    char *real = realpath(dir, NULL), *slash = real ? strrchr(real, '/') : NULL;
    snprintf(parent, sizeof parent, "%.*s", slash > real ? (int)(slash - real) : 1, real ? real : ".");
    free(real);
    if (is_mount_point(dir, st)) return r1_fail(err, R1_EINVAL, "'%s' is a mount point, which the new folder cannot take the place of; name a folder in it", dir);
    if (is_around_us(dir))
        return r1_fail(err, R1_EINVAL, "'%s' is the folder you are in, or one above it, and a new folder would take its place; go out of it first, or give a new name", dir);
    if (access(parent, W_OK | X_OK))
        return r1_fail(err, R1_EIO, "'%s' cannot be replaced, as the new folder is made beside it, in '%s', which cannot be written to (%s); name a folder in it", dir, parent,
                       strerror(errno));
    if (access(dir, R_OK | W_OK | X_OK)) return r1_fail(err, R1_EIO, "'%s' cannot be replaced: %s", dir, strerror(errno));
    return R1_OK;
}

/* Whether a folder can take a new model: there is none, it is empty, or its files may be replaced. */
static r1_status check_folder(const char *dir, bool force, r1_error *err)
{
    struct stat st;
    place path;
    bool full = false;
    if (stat(dir, &st)) return R1_OK;
    if (!S_ISDIR(st.st_mode)) return r1_fail(err, R1_EINVAL, "'%s' exists and is no folder", dir);
    r1_status s = check_place(dir, &st, err);
    if (s) return s;
    DIR *d = opendir(dir);
    if (!d) return r1_fail(err, R1_EIO, "cannot list '%s': %s", dir, strerror(errno));
    for (struct dirent *e; (e = readdir(d));) full = full || (strcmp(e->d_name, ".") && strcmp(e->d_name, ".."));
    closedir(d);
    if (full && !force) return r1_fail(err, R1_EINVAL, "the folder '%s' exists and is not empty; --force overwrites its files", dir);
    if (full && access(in(path, dir, "model.safetensors.index.json"), F_OK) == 0)
        return r1_fail(err, R1_EINVAL, "the folder '%s' holds a model in several files, which one file would not replace; give another name", dir);
    return R1_OK;
}

r1_status r1_export_target(const char *path, bool to_gguf, bool force, r1_error *err)
{
    if (to_gguf) return r1_overwrite_check(path, force, err);
    r1_status s = r1_newdir_recover(path, replaced, err);
    if (s == R1_OK) s = check_folder(path, force, err);
    if (s) return s;
    size_t n = strlen(path);
    while (n > 1 && path[n - 1] == '/') n--;
    char *there = realpath(path, NULL), *name = there ? there : strndup(path, n);
    s = name ? r1_create_check(name, err) : r1_fail(err, R1_ENOMEM, "no memory for a name of %zu bytes", n);
    free(name);
    return s;
}

static uint64_t bytes_of(const r1_plan *p)
{
    uint64_t bytes = 0;
    for (size_t i = 0; i < p->n; i++) bytes += r1_made_bytes(&p->t[i]) + 4 * r1_made_scales(&p->t[i]) + 256;
    return bytes;
}

/* Errors of the writers speak of the temporary folder, which nobody knows. */
static void name_final(const r1_newdir *d, r1_error *err)
{
    const char *suffix = d->tmp + strlen(d->path);
    size_t n = strlen(suffix);
    for (char *at; err && (at = strstr(err->msg, suffix));) memmove(at, at + n, strlen(at + n) + 1);
}

static r1_status export_folder(const r1_plan *p, const char *path, const r1_export_options *o, r1_error *err)
{
    r1_newdir d = { .force = o->force, .dropped = replaced, .tell = o->temporary, .ctx = o->temporary_ctx };
    r1_status s = r1_newdir_recover(path, replaced, err);
    if (s == R1_OK) s = check_folder(path, o->force, err);
    if (s == R1_OK) s = r1_newdir_open(&d, path, err);
    if (s) return s;
    s = r1_disk_check(d.path, bytes_of(p), err);
    if (s == R1_OK) s = fill_folder(p, d.tmp, o, err);
    if (s == R1_OK) return r1_newdir_finish(&d, err);
    name_final(&d, err);
    r1_newdir_abandon(&d);
    return s;
}

/* The texts of the target, for nobody. */
static r1_status check_texts(const r1_plan *p, const r1_export_options *o, r1_error *err)
{
    r1_gguf_out *w = NULL;
    texts x = { 0 };
    r1_status s = R1_OK;
    if (p->to_gguf) {
        s = r1_gguf_out_new(&w, err);
        if (s == R1_OK) s = put_keys(w, p, o, err);
        r1_gguf_out_free(w);
    } else if (!p->same_kind) {
        s = make_texts(&x, p, err);
    }
    free_texts(&x);
    return s;
}

r1_status r1_export_check(const r1_plan *p, const r1_export_options *o, r1_error *err)
{
    r1_status s = r1_check_source(p, o->imatrix, err);
    return s ? s : check_texts(p, o, err);
}

r1_status r1_export(const r1_plan *p, const char *path, const r1_export_options *o, r1_error *err)
{
    r1_status s = r1_check_source(p, o->imatrix, err);
    if (s) return s;
    return p->to_gguf ? export_gguf(p, path, o, err) : export_folder(p, path, o, err);
}
