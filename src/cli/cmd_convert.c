/* r1 convert: Hugging Face folder to GGUF file and back, or the same kind with another float type. */
#include "cli/exporting.h"

static bool ends_with(const char *s, const char *tail)
{
    size_t n = strlen(s), k = strlen(tail);
    return n >= k && !strcmp(s + n - k, tail);
}

/* A name with another file's ending is a mistake, not a folder to be. */
static r1_status check_destination(const char *path, r1_error *err)
{
    static const char *const files[] = { ".safetensors", ".bin", ".json", ".pt", ".pth", ".ggml", ".onnx" };
    for (size_t i = 0; i < R1_COUNT(files); i++)
        if (ends_with(path, files[i]))
            return r1_fail(err, R1_EINVAL, "'%s' is neither a name that ends in .gguf nor a folder's; r1 writes one of these", path);
    if (!*path) return r1_fail(err, R1_EINVAL, "the name of what is to be written is empty, expected one that ends in .gguf, or a folder's");
    if (!strcmp(path, "-")) return r1_fail(err, R1_EINVAL, "a model cannot be written to standard output; name a .gguf file or a folder");
    return r1_check_ending(path, err);
}

r1_status r1_cmd_convert(r1_cli *c, r1_error *err)
{
    static const r1_type types[] = { R1_F32, R1_F32, R1_F16, R1_BF16, R1_F8_E4M3 }; /* as the words of --type; the first is "keep" */
    const char *from = c->args[0], *to = c->args[1];
    r1_ckpt *ckpt = NULL;
    r1_plan *plan = NULL;
    bool to_gguf = ends_with(to, ".gguf");
    r1_status s = check_destination(to, err);
    if (s == R1_OK && to_gguf && types[c->o.type] == R1_F8_E4M3)
        s = r1_fail(err, R1_EUNSUPPORTED, "GGUF files have no FP8; --type fp8 is for folders, `r1 quantize SRC DST Q8_0` makes a GGUF file of that size");
    if (s == R1_OK) s = r1_check_target(to, from, err); /* --force would not help */
    if (s == R1_OK && !c->o.dry_run) s = r1_export_target(to, to_gguf, c->o.force, err);
    if (s == R1_OK) s = r1_ckpt_open(&ckpt, from, false, err);
    if (s == R1_OK) s = r1_plan_new(&plan, ckpt, to_gguf, err);
    if (s == R1_OK && types[c->o.type] == R1_F8_E4M3) r1_plan_set_fp8(plan);
    else if (s == R1_OK && c->o.type) r1_plan_set_type(plan, types[c->o.type]);
    if (s == R1_OK && c->o.type == 0) {
        bool quantised = false;
        for (size_t i = 0; i < plan->n && !to_gguf; i++) quantised = quantised || (plan->t[i].n_src && r1_type_get(plan->t[i].src[0]->type)->quantised);
        if (quantised) r1_note(c, "the weights are quantised, which folders cannot hold; they become BF16 (--type f32 keeps every bit)");
    }
    if (s == R1_OK) s = r1_export_and_tell(c, plan, to, NULL, NULL, err);
    r1_plan_free(plan);
    r1_ckpt_close(ckpt);
    return s;
}
