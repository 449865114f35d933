/* Opening a checkpoint: decide what a path is, open it, list its tensors in one form.
 *
 * A plain sharp refusal is half of the work: people name the wrong file, a folder too high or too low, a pointer instead
 * of the file. Every refusal says what was found and what was expected.
 * Hugging Face weights are in checkpoint_hf.c, tokenizer and template in checkpoint_text.c. */
#define _GNU_SOURCE
#include "format/checkpoint_int.h"

#include <dirent.h>
#include <errno.h>
#include <stdio.h>
#include <sys/stat.h>

const char *r1_ckpt_join(r1_path out, const char *dir, const char *name)
{
    size_t n = strlen(dir);
    snprintf(out, sizeof(r1_path), "%s%s%s", dir, n && dir[n - 1] == '/' ? "" : "/", name);
    return out;
}

bool r1_ckpt_has(const char *dir, const char *name)
{
    r1_path p;
    struct stat st;
    return lstat(r1_ckpt_join(p, dir, name), &st) == 0 || errno != ENOENT;
}

r1_status r1_ckpt_index(r1_ckpt *c, r1_error *err)
{
    r1_status s = r1_names_init(&c->names, c->n_tensors, err);
    if (s) return s;
    for (size_t i = 0; i < c->n_tensors; i++) c->names.e[i] = (r1_name){ { c->tensors[i].name, strlen(c->tensors[i].name) }, i };
    const r1_name *twice = r1_names_sort(&c->names);
    return twice ? r1_fail(err, R1_EFORMAT, "the tensor '%.*s' occurs twice", R1_SLICE_ARG(twice->name)) : R1_OK;
}

/* ---- GGUF ------------------------------------------------------------------------------------------------------- */

static r1_status list_gguf(r1_ckpt *c, r1_error *err)
{
    size_t n = r1_gguf_n_tensors(c->gguf), bytes = 0;
    for (size_t i = 0; i < n; i++) bytes += r1_gguf_tensor_at(c->gguf, i)->name.n + 1;
    c->tensors = calloc(r1_max(n, 1), sizeof *c->tensors);
    char *at = c->tensor_names = malloc(r1_max(bytes, 1));
    if (!c->tensors || !at) return r1_fail(err, R1_ENOMEM, "no memory for %zu tensors", n);
    for (size_t i = 0; i < n; i++) {
        const r1_gguf_tensor *t = r1_gguf_tensor_at(c->gguf, i);
        c->tensors[i] = (r1_ckpt_tensor){ .name = at, .type = t->type, .packed = t->packed, .n_dims = t->n_dims, .data = t->data, .bytes = t->bytes,
                                          .map = r1_gguf_map(c->gguf, t->part) };
        memcpy(c->tensors[i].ne, t->ne, sizeof t->ne);
        memcpy(at, t->name.p, t->name.n);
        at[t->name.n] = 0;
        at += t->name.n + 1;
    }
    c->n_tensors = n;
    return r1_ckpt_index(c, err);
}

static r1_status open_gguf(r1_ckpt *c, r1_error *err)
{
    r1_slice arch;
    r1_status s = r1_gguf_open(&c->gguf, c->path, err);
    if (s) return s;
    c->file_bytes = r1_gguf_file_bytes(c->gguf);
    s = r1_gguf_str(c->gguf, "general.architecture", false, &arch, err);
    if (s == R1_OK && arch.n && (arch.n > 64 || !r1_name_is_sound(arch.p, arch.n)))
        s = r1_fail(err, R1_EFORMAT, "'general.architecture' is '%.*s', expected a name of at most 64 bytes", R1_SLICE_ARG(arch));
    if (s == R1_OK) {
        c->architecture = strndup(arch.n ? arch.p : "", arch.n);
        if (!c->architecture) s = r1_fail(err, R1_ENOMEM, "no memory for '%s'", c->path);
    }
    if (s == R1_OK) s = r1_ckpt_read_template(c, err);
    if (s == R1_OK) s = list_gguf(c, err);
    return r1_context(err, s, "'%s'", c->path);
}

/* ---- Hugging Face folders --------------------------------------------------------------------------------------- */

/* An object in a file of the folder; *out stays NULL when the file is absent. */
static r1_status read_object(json_t **out, const char *dir, const char *name, r1_error *err)
{
    r1_path p;
    if (!r1_ckpt_has(dir, name)) return R1_OK;
    r1_status s = r1_json_read(out, r1_ckpt_join(p, dir, name), R1_MAX_CONFIG_BYTES, err);
    if (s == R1_OK && !json_is_object(*out)) s = r1_fail(err, R1_EFORMAT, "'%s' holds %s, expected an object", p, r1_json_kind(*out));
    return s;
}

static r1_status map_tokenizer(r1_ckpt *c, const char *path, r1_error *err)
{
    r1_status s = r1_map_open(&c->tokenizer, path, err);
    if (s == R1_OK && c->tokenizer.size > R1_MAX_TOKENIZER_BYTES)
        s = r1_fail(err, R1_EFORMAT, "'%s' has %zu bytes, expected at most %d", path, c->tokenizer.size, (int)R1_MAX_TOKENIZER_BYTES);
    if (s == R1_OK && c->tokenizer.size == 0) s = r1_fail(err, R1_EFORMAT, "'%s' is empty", path);
    if (s == R1_OK) c->file_bytes += c->tokenizer.size;
    return s;
}

/* Everything of c->folder but the weights. */
static r1_status read_texts(r1_ckpt *c, r1_error *err)
{
    r1_path p;
    r1_status s = read_object(&c->config, c->folder, "config.json", err);
    if (s == R1_OK) s = read_object(&c->generation, c->folder, "generation_config.json", err);
    if (s == R1_OK) s = read_object(&c->tokenizer_config, c->folder, "tokenizer_config.json", err);
    if (s == R1_OK && r1_ckpt_has(c->folder, "tokenizer.json")) s = map_tokenizer(c, r1_ckpt_join(p, c->folder, "tokenizer.json"), err);
    const char *type = "";
    if (s == R1_OK && c->config) s = r1_context(err, r1_json_str(c->config, "model_type", false, "", &type, err), "'%s/config.json'", c->folder);
    if (s) return s;
    c->architecture = strdup(type);
    if (!c->architecture) return r1_fail(err, R1_ENOMEM, "no memory for '%s'", c->path);
    return r1_ckpt_read_template(c, err);
}

static r1_status open_folder(r1_ckpt *c, const char *dir, bool vocabulary_only, r1_error *err)
{
    c->folder = strdup(dir);
    if (!c->folder) return r1_fail(err, R1_ENOMEM, "no memory for a path");
    r1_status s = read_texts(c, err);
    if (s || vocabulary_only) return s;
    s = r1_context(err, r1_ckpt_check_quantization(c->config, err), "'%s/config.json'", dir);
    if (s == R1_OK) s = r1_ckpt_open_shards(c, err);
    return s;
}

/* ---- what a path is --------------------------------------------------------------------------------------------- */

typedef struct listing {
    char *gguf, *other;     /* two different .gguf models, when there are */
    size_t n_gguf, n_files;
    bool pytorch, safetensors;
} listing;

/* Whether two names are parts of the same split file. */
static bool same_split(const char *a, const char *b)
{
    size_t pa, pb;
    unsigned na, nb, ca, cb;
    return r1_split_name(a, &pa, &na, &ca) && r1_split_name(b, &pb, &nb, &cb) && pa == pb && ca == cb && !memcmp(a, b, pa);
}

static bool ends_with(const char *s, const char *tail)
{
    size_t n = strlen(s), k = strlen(tail);
    return n >= k && !strcmp(s + n - k, tail);
}

static r1_status note_file(listing *l, const char *name, r1_error *err)
{
    l->n_files++;
    l->pytorch |= ends_with(name, ".bin") || ends_with(name, ".pt") || ends_with(name, ".pth");
    l->safetensors |= ends_with(name, ".safetensors");
    if (!ends_with(name, ".gguf")) return R1_OK;
    if (l->gguf && same_split(l->gguf, name) && strcmp(l->gguf, name) < 0) return R1_OK;
    char *copy = strdup(name);
    if (!copy) return r1_fail(err, R1_ENOMEM, "no memory for a file name");
    if (l->gguf && same_split(l->gguf, name)) { /* its first part has the least name */
        free(l->gguf);
        l->gguf = copy;
        return R1_OK;
    }
    l->n_gguf++;
    if (!l->gguf) {
        l->gguf = copy;
    } else {
        free(l->other);
        l->other = copy;
    }
    return R1_OK;
}

static r1_status list_folder(listing *l, const char *dir, r1_error *err)
{
    *l = (listing){ 0 };
    DIR *d = opendir(dir);
    if (!d) return r1_fail(err, R1_EIO, "cannot list '%s': %s", dir, strerror(errno));
    r1_status s = R1_OK;
    for (struct dirent *e; s == R1_OK && (e = readdir(d));)
        if (e->d_name[0] != '.') s = note_file(l, e->d_name, err);
    closedir(d);
    return s;
}

static r1_status refuse_folder(const listing *l, const char *path, bool vocabulary_only, r1_error *err)
{
    if (l->other)
        return r1_fail(err, R1_EFORMAT, "the folder '%s' holds more than one .gguf model ('%s', '%s'); name one of them", path, l->gguf, l->other);
    const char *found = l->n_files == 0 ? "is empty" : l->safetensors ? "has .safetensors files but no config.json"
                      : l->pytorch ? "has PyTorch files but no config.json" : "has no config.json and no .gguf file";
    return r1_fail(err, R1_EFORMAT, "the folder '%s' %s; expected config.json with .safetensors files, or one .gguf model%s", path, found,
                   vocabulary_only ? ", or a tokenizer.json" : "");
}

static r1_status open_dir(r1_ckpt *c, const char *path, bool vocabulary_only, r1_error *err)
{
    if (r1_ckpt_has(path, "config.json")) return open_folder(c, path, vocabulary_only, err);
    listing l;
    r1_status s = list_folder(&l, path, err);
    if (s == R1_OK) {
        if (l.n_gguf == 1) {
            r1_path p;
            free(c->path);
            c->path = strdup(r1_ckpt_join(p, path, l.gguf));
            s = c->path ? open_gguf(c, err) : r1_fail(err, R1_ENOMEM, "no memory for a path");
        } else if (vocabulary_only && r1_ckpt_has(path, "tokenizer.json")) {
            s = open_folder(c, path, true, err);
        } else {
            s = refuse_folder(&l, path, vocabulary_only, err);
        }
    }
    free(l.gguf);
    free(l.other);
    return s;
}

/* A tokenizer.json under its usual name brings its neighbours; under another name it stands alone. */
static r1_status open_tokenizer(r1_ckpt *c, const char *path, r1_error *err)
{
    const char *slash = strrchr(path, '/');
    if (!strcmp(slash ? slash + 1 : path, "tokenizer.json")) {
        char *dir = slash ? strndup(path, r1_max((size_t)(slash - path), 1)) : strdup(".");
        r1_status s = dir ? open_folder(c, dir, true, err) : r1_fail(err, R1_ENOMEM, "no memory for a path");
        free(dir);
        return s;
    }
    c->architecture = strdup("");
    if (!c->architecture) return r1_fail(err, R1_ENOMEM, "no memory for '%s'", path);
    return map_tokenizer(c, path, err);
}

static r1_status open_file(r1_ckpt *c, const char *path, bool vocabulary_only, r1_error *err)
{
    char kind[R1_KIND_MAX];
    uint8_t head[64] = { 0 };
    r1_map m;
    r1_status s = r1_map_open(&m, path, err);
    if (s) return s;
    size_t n = r1_min(m.size, sizeof head);
    if (n) memcpy(head, m.data, n);
    r1_map_close(&m);
    if (n >= 4 && (!memcmp(head, "GGUF", 4) || !memcmp(head, "FUGG", 4))) return open_gguf(c, err);
    const char *what = r1_kind_of_bytes(head, n, kind);
    if (vocabulary_only && n && head[0] == '{') return open_tokenizer(c, path, err);
    if (!strcmp(what, "a safetensors file"))
        return r1_fail(err, R1_EFORMAT, "'%s' is a safetensors file; name the folder that holds it and its config.json", path);
    return r1_fail(err, R1_EFORMAT, "'%s' is %s, expected a .gguf file or a folder with config.json%s", path, what,
                   vocabulary_only ? ", or a tokenizer.json" : "");
}

r1_status r1_ckpt_open(r1_ckpt **out, const char *path, bool vocabulary_only, r1_error *err)
{
    struct stat st;
    *out = NULL;
    if (strlen(path) >= R1_MAX_PATH) return r1_fail(err, R1_EINVAL, "the path '%.64s...' has %zu bytes, expected less than %d", path, strlen(path), (int)R1_MAX_PATH);
    if (stat(path, &st) < 0) return r1_fail(err, R1_EIO, "cannot open '%s': %s", path, strerror(errno));
    r1_ckpt *c = calloc(1, sizeof *c);
    if (!c) return r1_fail(err, R1_ENOMEM, "no memory for '%s'", path);
    c->path = strdup(path);
    r1_status s;
    if (!c->path) s = r1_fail(err, R1_ENOMEM, "no memory for '%s'", path);
    else if (S_ISDIR(st.st_mode)) s = open_dir(c, path, vocabulary_only, err);
    else s = open_file(c, path, vocabulary_only, err);
    if (s) r1_ckpt_close(c);
    else *out = c;
    return s;
}

void r1_ckpt_close(r1_ckpt *c)
{
    if (!c) return;
    for (size_t i = 0; i < c->n_shards; i++) r1_st_close(c->shards[i].st);
    free(c->shards);
    r1_names_deinit(&c->names);
    r1_gguf_close(c->gguf);
    r1_map_close(&c->tokenizer);
    json_decref(c->config);
    json_decref(c->generation);
    json_decref(c->tokenizer_config);
    json_decref(c->index);
    free(c->tensors);
    free(c->tensor_names);
    free(c->chat_template);
    free(c->architecture);
    free(c->folder);
    free(c->path);
    free(c);
}

/* ---- what must not be written to ----------------------------------------------------------------------------------- */

static bool same_file(const char *a, const char *b)
{
    struct stat x, y;
    return stat(a, &x) == 0 && stat(b, &y) == 0 && x.st_dev == y.st_dev && x.st_ino == y.st_ino;
}

static bool is_read(const r1_ckpt *c, const char *path)
{
    static const char *const texts[] = { "config.json", "generation_config.json", "tokenizer_config.json", "chat_template.jinja", "model.safetensors.index.json" };
    r1_path p;
    bool read = r1_map_is(&c->tokenizer, path);
    for (int i = 0; c->gguf && i < r1_gguf_n_parts(c->gguf); i++) read = read || r1_map_is(r1_gguf_map(c->gguf, i), path);
    for (size_t i = 0; i < c->n_shards; i++) read = read || r1_map_is(r1_st_map(c->shards[i].st), path);
    for (size_t i = 0; c->folder && i < R1_COUNT(texts); i++) read = read || same_file(r1_ckpt_join(p, c->folder, texts[i]), path);
    return read;
}

r1_status r1_ckpt_check_target(const r1_ckpt *c, const char *path, r1_error *err)
{
    r1_path weights;
    bool itself = is_read(c, path) || (c->folder && same_file(c->folder, path));
    if (!itself && (strlen(path) >= R1_MAX_PATH || !is_read(c, r1_ckpt_join(weights, path, "model.safetensors")))) return R1_OK;
    if (!strcmp(path, c->folder ? c->folder : c->path)) return r1_fail(err, R1_EINVAL, "'%s' is the source, too, and would be lost; give the destination another name", path);
    return r1_fail(err, R1_EINVAL, "'%s' %s '%s' is read from, which would be lost; give the destination another name", path, itself ? "is what" : "holds weights that",
                   c->folder ? c->folder : c->path);
}

const char *r1_ckpt_path(const r1_ckpt *c) { return c->path; }
const r1_gguf *r1_ckpt_gguf(const r1_ckpt *c) { return c->gguf; }
const json_t *r1_ckpt_config(const r1_ckpt *c) { return c->config; }
const json_t *r1_ckpt_generation(const r1_ckpt *c) { return c->generation; }
const json_t *r1_ckpt_tokenizer_config(const r1_ckpt *c) { return c->tokenizer_config; }
size_t r1_ckpt_n_tensors(const r1_ckpt *c) { return c->n_tensors; }
const r1_ckpt_tensor *r1_ckpt_at(const r1_ckpt *c, size_t i) { return &c->tensors[i]; }

const r1_ckpt_tensor *r1_ckpt_find(const r1_ckpt *c, const char *name)
{
    size_t i = r1_names_find(&c->names, name, strlen(name));
    return i == SIZE_MAX ? NULL : &c->tensors[i];
}

uint64_t r1_ckpt_file_bytes(const r1_ckpt *c) { return c->file_bytes; }

bool r1_ckpt_packed(const r1_ckpt *c)
{
    for (size_t i = 0; i < c->n_tensors; i++)
        if (c->tensors[i].packed) return true;
    return false;
}

bool r1_ckpt_head_is_copy(const r1_ckpt *c)
{
    bool tied = false;
    return c->gguf && r1_ckpt_packed(c) && r1_gguf_bool(c->gguf, R1_PACKED_TIED_KEY, false, &tied, NULL) == R1_OK && tied;
}
r1_slice r1_ckpt_tokenizer_json(const r1_ckpt *c) { return (r1_slice){ (const char *)c->tokenizer.data, c->tokenizer.size }; }
r1_slice r1_ckpt_chat_template(const r1_ckpt *c) { return c->template; }
const char *r1_ckpt_architecture(const r1_ckpt *c) { return c->architecture; }
