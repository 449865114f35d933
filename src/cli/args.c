/* Options: the tables, and how text becomes values.
 *
 * One table serves the command line, the environment, the configuration file and the chat's /set, so a value is checked
 * in one place and its message is the same everywhere.
 */
#include "cli/args.h"
#include "base/utf8.h"
#include "text/reasoning.h"

#include <ctype.h>
#include <errno.h>
#include <math.h>
#include <stdio.h>

#define AT(field) offsetof(r1_opts, field)
#define FLAG(name, letter, field) { name, letter, R1_OPT_FLAG, AT(field), R1_NO_GIVEN, 0, 0, NULL }
#define INT(name, letter, field, lo, hi) { name, letter, R1_OPT_INT, AT(field), R1_NO_GIVEN, lo, hi, NULL }
#define REAL(name, field, lo, hi) { name, 0, R1_OPT_REAL, AT(field), R1_NO_GIVEN, lo, hi, NULL }
#define TEXT(name, letter, field) { name, letter, R1_OPT_TEXT, AT(field), R1_NO_GIVEN, 0, 0, NULL }
#define TEXTS(name, field) { name, 0, R1_OPT_TEXTS, AT(field), R1_NO_GIVEN, 0, 0, NULL }
#define CHOICE(name, field, words) { name, 0, R1_OPT_CHOICE, AT(field), R1_NO_GIVEN, 0, 0, words }
#define END { NULL, 0, R1_OPT_FLAG, 0, R1_NO_GIVEN, 0, 0, NULL }

/* In the order of the enums of r1.h and args.h. */
static const char *const cpu_words[] = { "auto", "scalar", "avx2", "avx512", "amx", "neon", NULL };
static const char *const kv_words[] = { "auto", "f16", "bf16", "q8_0", "f32", NULL };
static const char *const activation_words[] = { "auto", "f32", "bf16", "int8", NULL };
static const char *const color_words[] = { "auto", "always", "never", NULL };
static const char *const think_words[] = { "dim", "show", "hide", NULL };
static const char *const type_words[] = { "keep", "f32", "f16", "bf16", "fp8", NULL };
static const char *const mla_words[] = { "absorbed", "expanded", NULL };
static const char *const speculate_words[] = { "auto", "off", "1", "2", "3", "4", "5", "6", "7", "8", NULL };

const r1_opt r1_opts_common[] = {
    INT("threads", 't', threads, 0, 1024),
    CHOICE("cpu", cpu, cpu_words),
    INT("ctx", 'c', ctx, 0, 1e9),
    { "seed", 0, R1_OPT_SEED, AT(seed), AT(seed_given), 0, 0, NULL },
    CHOICE("kv", kv, kv_words),
    CHOICE("activations", activations, activation_words),
    CHOICE("color", color, color_words),
    FLAG("quiet", 'q', quiet),
    FLAG("verbose", 'v', verbose),
    FLAG("help", 'h', help),
    END
};
const r1_opt r1_opts_json[] = { FLAG("json", 0, json), END };
const r1_opt r1_opts_force[] = { FLAG("force", 'f', force), END };
const r1_opt r1_opts_model[] = { { "mla", 0, R1_OPT_CHOICE, AT(mla), AT(mla_given), 0, 0, mla_words }, INT("chunk", 0, chunk, 1, 65536), END };
const r1_opt r1_opts_sampling[] = {
    REAL("temperature", temperature, 0, 100),
    INT("top-k", 0, top_k, 0, 1e9),
    REAL("top-p", top_p, 0, 1),
    REAL("min-p", min_p, 0, 1),
    REAL("repetition-penalty", repetition_penalty, 0.01, 100),
    REAL("presence-penalty", presence_penalty, -100, 100),
    REAL("frequency-penalty", frequency_penalty, -100, 100),
    INT("penalty-window", 0, penalty_window, -1, 1e9),
    TEXTS("logit-bias", logit_bias),
    FLAG("greedy", 0, greedy),
    { "max-tokens", 'n', R1_OPT_INT, AT(max_tokens), AT(max_tokens_given), 0, 1e9, NULL },
    END
};
const r1_opt r1_opts_speculate[] = { CHOICE("speculate", speculate, speculate_words), END };
/* What only an answer has: also offered by the chat's /set. */
const r1_opt r1_opts_answer[] = {
    TEXTS("stop", stop),
    INT("think-budget", 0, think_budget, -1, 1e9),
    FLAG("no-loop-guard", 0, no_loop_guard),
    FLAG("stats", 0, stats),
    END
};
const r1_opt r1_opts_run[] = {
    { "think", 0, R1_OPT_CHOICE, AT(think), AT(think_given), 0, 0, think_words },
    TEXT("system", 's', system),
    TEXT("template", 0, template),
    END
};
const r1_opt r1_opts_batch[] = {
    TEXT("out", 'o', out), FLAG("resume", 0, resume), INT("parallel", 0, parallel, 0, R1_PARALLEL_MAX), TEXT("system", 's', system), TEXT("template", 0, template), END
};
const r1_opt r1_opts_generate[] = {
    TEXT("ids", 0, ids_file), FLAG("logprobs", 0, logprobs), FLAG("ignore-eos", 0, ignore_eos), END
};
const r1_opt r1_opts_tokenize[] = {
    FLAG("jsonl", 0, jsonl), FLAG("no-special", 0, no_special), FLAG("bos", 0, bos), FLAG("pieces", 0, pieces), END
};
const r1_opt r1_opts_detokenize[] = { FLAG("jsonl", 0, jsonl), FLAG("no-special", 0, no_special), END };
const r1_opt r1_opts_template[] = {
    FLAG("jsonl", 0, jsonl), FLAG("ids", 0, ids), FLAG("list", 'l', list), TEXT("template", 0, template), END
};
const r1_opt r1_opts_logits[] = {
    TEXT("ids", 0, ids_file), TEXT("out", 'o', out), FLAG("last", 0, last), INT("hidden", 0, hidden, 0, 100000),
    FLAG("router", 0, router), FLAG("mtp", 0, mtp), END
};
const r1_opt r1_opts_imatrix[] = {
    TEXT("out", 'o', out), INT("chunk", 0, chunk, 2, 65536), INT("max-chunks", 0, max_chunks, 1, 1e9), END
};
const r1_opt r1_opts_perplexity[] = {
    INT("window", 0, window, 2, 1e9), INT("stride", 0, stride, 1, 1e9), TEXT("kl", 0, kl), END
};
const r1_opt r1_opts_bench[] = {
    TEXT("prefill", 0, bench_prefill), TEXT("decode", 0, bench_decode), TEXT("batch", 0, bench_batch), TEXT("depth", 0, bench_depth),
    INT("repeat", 0, repeat, 1, 1000), FLAG("csv", 0, csv), FLAG("load", 0, bench_load), FLAG("tokenizer", 0, bench_tokenizer),
    FLAG("sampler", 0, bench_sampler), FLAG("roof", 0, bench_roof), FLAG("products", 0, bench_products), END
};
const r1_opt r1_opts_convert[] = { CHOICE("type", type, type_words), FLAG("dry-run", 0, dry_run), END };
const r1_opt r1_opts_quantize[] = {
    TEXT("imatrix", 0, imatrix), TEXTS("tensor-type", tensor_type), TEXT("output-type", 0, output_type), TEXT("embedding-type", 0, embedding_type),
    FLAG("pure", 0, pure), FLAG("allow-requantize", 0, allow_requantize), FLAG("dry-run", 0, dry_run), END
};

const r1_opt r1_opts_verify[] = {
    FLAG("response", 0, response), FLAG("tsv", 0, tsv), TEXT("command", 0, command), REAL("command-time", command_time, 0.001, 86400),
    FLAG("persistent", 0, persistent), FLAG("allow-weaker", 0, allow_weaker), END
};
const r1_opt r1_opts_eval[] = {
    TEXT("model", 'm', eval_model), TEXT("url", 0, eval_url), TEXT("model-name", 0, model_name), TEXT("api-key-file", 0, api_key_file),
    TEXT("data", 0, eval_data), TEXT("where", 0, where), INT("limit", 0, limit, 1, 1e6), INT("samples", 'k', samples, 1, 100000),
    TEXT("out", 'o', out), FLAG("resume", 0, resume), TEXT("prompt-template", 0, prompt_template), TEXT("template", 0, template),
    REAL("temperature", temperature, 0, 100), REAL("top-p", top_p, 0, 1), INT("top-k", 0, top_k, 0, 1e9), REAL("min-p", min_p, 0, 1), FLAG("greedy", 0, greedy),
    { "max-tokens", 'n', R1_OPT_INT, AT(max_tokens), AT(max_tokens_given), 1, 1e9, NULL }, INT("think-budget", 0, think_budget, -1, 1e9),
    FLAG("loop-guard", 0, loop_guard), FLAG("allow-weaker", 0, allow_weaker), INT("parallel", 0, parallel, 0, R1_PARALLEL_MAX), INT("tries", 0, tries, 1, 100), REAL("timeout", timeout, 1, 1e6),
    REAL("price-in", price_in, 0, 1e9), REAL("price-out", price_out, 0, 1e9), END
};

void r1_opts_init(r1_opts *o)
{
    *o = (r1_opts){
        .temperature = NAN, .top_p = NAN, .min_p = NAN, .repetition_penalty = NAN, .presence_penalty = NAN,
        .frequency_penalty = NAN, .top_k = -1, .penalty_window = INT64_MIN, .hidden = INT64_MIN, .think_budget = -1, .timeout = NAN, .price_in = NAN, .price_out = NAN,
    };
}

/* ---- finding --------------------------------------------------------------------------------------------------- */

static char dashed(char c) { return c == '_' ? '-' : c; }

static bool same_name(const char *known, const char *name, size_t n)
{
    for (size_t i = 0; i < n; i++)
        if (known[i] == 0 || known[i] != dashed(name[i])) return false;
    return known[n] == 0;
}

const r1_opt *r1_opt_find(const r1_opt_table *tables, const char *name, size_t n)
{
    for (; *tables; tables++)
        for (const r1_opt *p = *tables; p->name; p++)
            if (same_name(p->name, name, n)) return p;
    return NULL;
}

const r1_opt *r1_opt_letter(const r1_opt_table *tables, char letter)
{
    for (; *tables; tables++)
        for (const r1_opt *p = *tables; p->name; p++)
            if (p->letter && p->letter == letter) return p;
    return NULL;
}

/* Three rows of the table of optimal string alignment; names are short. */
size_t r1_edit_distance(const char *a, const char *b)
{
    enum { MOST = 64 };
    size_t na = strlen(a), nb = strlen(b);
    if (na >= MOST || nb >= MOST) return MOST;
    size_t rows[3][MOST + 1];
    for (size_t j = 0; j <= nb; j++) rows[0][j] = j;
    for (size_t i = 1; i <= na; i++) {
        size_t *now = rows[i % 3], *up = rows[(i + 2) % 3], *upup = rows[(i + 1) % 3];
        now[0] = i;
        for (size_t j = 1; j <= nb; j++) {
            size_t d = up[j - 1] + (a[i - 1] != b[j - 1]);
            d = r1_min(d, r1_min(up[j], now[j - 1]) + 1);
            if (i > 1 && j > 1 && a[i - 1] == b[j - 2] && a[i - 2] == b[j - 1]) d = r1_min(d, upup[j - 2] + 1);
            now[j] = d;
        }
    }
    return rows[na % 3][nb];
}

/* The digits (or the letters, lower-case) of a word; returns how many. */
static size_t only(bool digits, const char *word, char out[64])
{
    size_t n = 0;
    for (; *word && n < 63; word++) {
        bool digit = *word >= '0' && *word <= '9';
        if (digits ? digit : isalpha((unsigned char)*word)) out[n++] = (char)tolower((unsigned char)*word);
    }
    out[n] = 0;
    return n;
}

/* A third of the letters may be wrong; a name that begins like `s` is always near. Digits are never a slip of the fingers: q4_0 is not
 * meant to be q8_0. Nor is a letter or two: f16 is not meant to be bf16. */
static size_t nearness(const char *s, const char *word)
{
    char a[64], b[64];
    size_t n = strlen(s), d = r1_edit_distance(s, word);
    if (n >= 2 && !strncmp(s, word, n)) return 0;
    only(true, s, a);
    only(true, word, b);
    if (strcmp(a, b)) return SIZE_MAX;
    size_t letters = r1_max(only(false, s, a), only(false, word, b));
    if (!strcmp(a, b)) return letters ? r1_min(d, 1) : SIZE_MAX; /* other signs between, or capitals */
    return letters >= 3 && d <= r1_max(1, r1_max(n, strlen(word)) / 3) ? d : SIZE_MAX;
}

const char *r1_nearest(const char *s, const char *const *words)
{
    const char *best = NULL;
    size_t least = SIZE_MAX;
    for (; *words; words++) {
        size_t d = nearness(s, *words);
        if (d < least) { least = d; best = *words; }
    }
    return best;
}

const char *r1_opt_nearest(const r1_opt_table *tables, const char *name)
{
    const char *best = NULL;
    size_t least = SIZE_MAX;
    for (; *tables; tables++)
        for (const r1_opt *p = *tables; p->name; p++) {
            size_t d = nearness(name, p->name);
            if (d < least) { least = d; best = p->name; }
        }
    return best;
}

/* ---- values ---------------------------------------------------------------------------------------------------- */

static r1_status set_int(const r1_opt *opt, int64_t *out, const char *label, const char *value, r1_error *err)
{
    char *end;
    errno = 0;
    long long v = strtoll(value, &end, 10);
    if (end == value || r1_is_space(*value) || *end || errno || (double)v < opt->lo || (double)v > opt->hi)
        return r1_fail(err, R1_EINVAL, "%s is '%s', expected an integer from %.0f to %.0f", label, value, opt->lo, opt->hi);
    *out = v;
    return R1_OK;
}

static r1_status set_seed(uint64_t *out, const char *label, const char *value, r1_error *err)
{
    char *end;
    errno = 0;
    unsigned long long v = strtoull(value, &end, 10);
    if (value[0] < '0' || value[0] > '9' || *end || errno)
        return r1_fail(err, R1_EINVAL, "%s is '%s', expected an integer from 0 to 18446744073709551615", label, value);
    *out = v;
    return R1_OK;
}

static r1_status set_real(const r1_opt *opt, double *out, const char *label, const char *value, r1_error *err)
{
    char *end;
    double v = strtod(value, &end);
    if (end == value || *end || strspn(value, "+-.0123456789eE") != strlen(value) || !(v >= opt->lo && v <= opt->hi))
        return r1_fail(err, R1_EINVAL, "%s is '%s', expected a number from %g to %g", label, value, opt->lo, opt->hi);
    *out = v;
    return R1_OK;
}

static r1_status set_choice(const r1_opt *opt, int64_t *out, const char *label, const char *value, r1_error *err)
{
    char list[256];
    size_t n = 0;
    for (int64_t i = 0; opt->words[i]; i++) {
        if (!strcmp(opt->words[i], value)) {
            *out = i;
            return R1_OK;
        }
        n += (size_t)snprintf(list + n, sizeof list - n, "%s%s", i ? ", " : "", opt->words[i]);
    }
    const char *near = r1_nearest(value, opt->words);
    return r1_fail(err, R1_EINVAL, "%s is '%s', expected one of %s%s%s%s", label, value, list, near ? "; did you mean '" : "",
                   near ? near : "", near ? "'?" : "");
}

static r1_status set_flag(bool *out, const char *label, const char *value, r1_error *err)
{
    bool yes = !strcmp(value, "true") || !strcmp(value, "1") || !strcmp(value, "on");
    bool no = !strcmp(value, "false") || !strcmp(value, "0") || !strcmp(value, "off");
    if (!yes && !no) return r1_fail(err, R1_EINVAL, "%s is '%s', expected true or false", label, value);
    *out = yes;
    return R1_OK;
}

r1_status r1_bias_parse(const char *text, const char *label, r1_logit_bias *out, r1_error *err)
{
    char *end;
    errno = 0;
    long long id = strtoll(text, &end, 10);
    bool ok = *text >= '0' && *text <= '9' && *end == '=' && !errno && id <= INT32_MAX;
    const char *number = ok ? end + 1 : text;
    double v = strtod(number, &end);
    if (!ok || end == number || *end || isnan(v) || r1_is_space(*number) || strpbrk(number, "xX"))
        return r1_fail(err, R1_EINVAL, "%s is '%s', expected ID=VALUE such as 13=-5", label, text);
    *out = (r1_logit_bias){ (int32_t)id, (float)v };
    return R1_OK;
}

/* Text for the model; names of files may be any bytes. */
static r1_status check_text(const r1_opt *opt, const char *label, const char *value, r1_error *err)
{
    size_t n = strlen(value), bad;
    if (opt->offset == AT(ids_file) || opt->offset == AT(out) || opt->offset == AT(kl) || opt->offset == AT(eval_model) ||
        opt->offset == AT(eval_data) || opt->offset == AT(api_key_file))
        return R1_OK;
    if (!r1_utf8_is_valid(value, n, &bad))
        return r1_fail(err, R1_EINVAL, "%s: byte %zu is 0x%02x, expected UTF-8", label, bad, (unsigned char)value[bad]);
    if (opt->offset == AT(stop) && (n == 0 || n > R1_STOP_BYTES_MAX))
        return r1_fail(err, R1_EINVAL, "%s has %zu bytes, expected a text of 1 to %d", label, n, R1_STOP_BYTES_MAX);
    r1_logit_bias bias;
    return opt->offset == AT(logit_bias) ? r1_bias_parse(value, label, &bias, err) : R1_OK;
}

static r1_status add_text(const r1_opt *opt, r1_texts *list, const char *label, const char *value, int place, r1_error *err)
{
    size_t most = opt->offset == AT(stop) ? R1_STOP_MAX : R1_COUNT(list->items);
    r1_status s = check_text(opt, label, value, err);
    if (s) return s;
    if (list->place != place) *list = (r1_texts){ .place = place };
    if (list->n == most) return r1_fail(err, R1_EINVAL, "%s is given more than %zu times", label, most);
    list->items[list->n++] = value;
    return R1_OK;
}

r1_status r1_opt_set(const r1_opt *opt, r1_opts *o, const char *label, const char *value, int place, r1_error *err)
{
    void *p = (char *)o + opt->offset;
    r1_status s = R1_OK;
    switch (opt->kind) {
    case R1_OPT_FLAG: s = set_flag(p, label, value, err); break;
    case R1_OPT_INT: s = set_int(opt, p, label, value, err); break;
    case R1_OPT_SEED: s = set_seed(p, label, value, err); break;
    case R1_OPT_REAL: s = set_real(opt, p, label, value, err); break;
    case R1_OPT_CHOICE: s = set_choice(opt, p, label, value, err); break;
    case R1_OPT_TEXT:
        s = check_text(opt, label, value, err);
        if (s == R1_OK) *(const char **)p = value;
        break;
    case R1_OPT_TEXTS: s = add_text(opt, p, label, value, place, err); break;
    }
    if (s == R1_OK && opt->given != R1_NO_GIVEN) *(bool *)((char *)o + opt->given) = true;
    return s;
}

r1_status r1_opt_print(const r1_opt *opt, const r1_opts *o, r1_buf *out, r1_error *err)
{
    const void *p = (const char *)o + opt->offset;
    switch (opt->kind) {
    case R1_OPT_FLAG: return r1_buf_adds(out, *(const bool *)p ? "true" : "false", err);
    case R1_OPT_INT: {
        int64_t v = *(const int64_t *)p;
        if ((double)v < opt->lo) return r1_buf_adds(out, "default", err);
        return r1_buf_addf(out, err, "%lld", (long long)v);
    }
    case R1_OPT_SEED:
        if (!o->seed_given) return r1_buf_adds(out, "random", err);
        return r1_buf_addf(out, err, "%llu", (unsigned long long)*(const uint64_t *)p);
    case R1_OPT_REAL: {
        double v = *(const double *)p;
        return isnan(v) ? r1_buf_adds(out, "default", err) : r1_buf_addf(out, err, "%g", v);
    }
    case R1_OPT_CHOICE: return r1_buf_adds(out, opt->words[*(const int64_t *)p], err);
    case R1_OPT_TEXT: return r1_buf_adds(out, *(const char *const *)p ? *(const char *const *)p : "none", err);
    case R1_OPT_TEXTS: {
        const r1_texts *list = p;
        r1_status s = list->n ? R1_OK : r1_buf_adds(out, "none", err);
        for (size_t i = 0; i < list->n && s == R1_OK; i++) s = r1_buf_addf(out, err, "%s'%s'", i ? " " : "", list->items[i]);
        return s;
    }
    }
    return R1_OK;
}

/* ---- the command line ------------------------------------------------------------------------------------------ */

typedef struct line {
    const r1_opt_table *tables;
    r1_opts *o;
    int argc, at;
    char **argv;
} line;

static r1_status unknown(const line *l, const char *name, r1_error *err)
{
    const char *near = r1_opt_nearest(l->tables, name);
    if (near) return r1_fail(err, R1_EINVAL, "unknown option '--%s'; did you mean '--%s'?", name, near);
    return r1_fail(err, R1_EINVAL, "unknown option '--%s'; --help lists those there are", name);
}

static r1_status take(line *l, const r1_opt *opt, const char *label, const char *value, r1_error *err)
{
    if (!value && opt->kind == R1_OPT_FLAG) value = "true";
    if (!value && l->at + 1 < l->argc) value = l->argv[++l->at];
    if (!value) return r1_fail(err, R1_EINVAL, "%s needs a value", label);
    return r1_opt_set(opt, l->o, label, value, R1_PLACE_LINE, err);
}

/* "--name", "--name=value", "--name value" */
static r1_status parse_long(line *l, r1_error *err)
{
    const char *name = l->argv[l->at] + 2, *equals = strchr(name, '=');
    size_t n = equals ? (size_t)(equals - name) : strlen(name);
    char shown[80];
    snprintf(shown, sizeof shown, "%.*s", (int)r1_min(n, 64), name);
    const r1_opt *opt = r1_opt_find(l->tables, name, n);
    if (!opt) return unknown(l, shown, err);
    char label[96];
    snprintf(label, sizeof label, "--%s", opt->name);
    return take(l, opt, label, equals ? equals + 1 : NULL, err);
}

/* "-t", "-t4", "-t 4", "-qv" */
static r1_status parse_short(line *l, r1_error *err)
{
    const char *p = l->argv[l->at] + 1;
    while (*p) {
        const r1_opt *opt = r1_opt_letter(l->tables, *p);
        if (!opt) return r1_fail(err, R1_EINVAL, "unknown option '-%c'; --help lists those there are", *p);
        char label[4] = { '-', *p, 0 };
        p++;
        if (opt->kind != R1_OPT_FLAG) return take(l, opt, label, *p ? p : NULL, err);
        r1_status s = take(l, opt, label, "true", err);
        if (s) return s;
    }
    return R1_OK;
}

r1_status r1_args_parse(const r1_opt_table *tables, r1_opts *o, int argc, char **argv, const char **args, size_t *n_args, r1_error *err)
{
    line l = { tables, o, argc, 0, argv };
    bool only_args = false;
    *n_args = 0;
    for (; l.at < argc; l.at++) {
        const char *a = argv[l.at];
        r1_status s = R1_OK;
        if (only_args || a[0] != '-' || a[1] == 0) args[(*n_args)++] = a;
        else if (!strcmp(a, "--")) only_args = true;
        else s = a[1] == '-' ? parse_long(&l, err) : parse_short(&l, err);
        if (s) return s;
    }
    return R1_OK;
}

/* The options, or else the arguments, of a line. */
static int signs_pass(const r1_opt_table *tables, int argc, char **argv, bool options, char **out)
{
    int n = 0, n_args = 0;
    bool only_args = false;
    for (int i = 0; i < argc; i++) {
        char *a = argv[i];
        bool is_long = a[0] == '-' && a[1] == '-', is_option = false;
        const r1_opt *opt = NULL;
        if (!only_args && !strcmp(a, "--")) {
            only_args = true;
            continue;
        }
        if (!only_args && is_long) opt = r1_opt_find(tables, a + 2, strcspn(a + 2, "="));
        else if (!only_args && a[0] == '-' && a[1] && !a[2]) opt = r1_opt_letter(tables, a[1]);
        is_option = !only_args && (is_long || opt || (a[0] == '-' && a[1] && !n_args));
        n_args += !is_option;
        if (is_option == options) out[n++] = a;
        if (!opt || opt->kind == R1_OPT_FLAG || strchr(a, '=') || i + 1 == argc) continue;
        i++; /* its value */
        if (options) out[n++] = argv[i];
    }
    return n;
}

int r1_args_signs(const r1_opt_table *tables, const char *word, int argc, char **argv, char **out)
{
    static char dashes[] = "--";
    int n = signs_pass(tables, argc, argv, false, out);
    if (n == 0 || strcmp(out[0], word)) {
        memcpy(out, argv, (size_t)argc * sizeof *argv);
        return argc;
    }
    n = signs_pass(tables, argc, argv, true, out);
    out[n++] = dashes;
    return n + signs_pass(tables, argc, argv, false, out + n);
}

/* ---- environment and configuration file ------------------------------------------------------------------------ */

r1_status r1_args_env(const r1_opt_table *tables, r1_opts *o, r1_error *err)
{
    for (; *tables; tables++)
        for (const r1_opt *p = *tables; p->name; p++) {
            char name[80];
            int n = snprintf(name, sizeof name, "R1_%s", p->name);
            for (int i = 0; i < n; i++) name[i] = name[i] == '-' ? '_' : (char)(name[i] >= 'a' && name[i] <= 'z' ? name[i] - 32 : name[i]);
            const char *v = getenv(name);
            r1_status s = v && *v ? r1_opt_set(p, o, name, v, R1_PLACE_ENV, err) : R1_OK;
            if (s) return s;
        }
    return R1_OK;
}

static r1_status config_value(const r1_opt *opt, r1_opts *o, const char *key, json_t *v, r1_error *err)
{
    char label[96];
    snprintf(label, sizeof label, "'%.80s'", key);
    if (json_is_array(v) && opt->kind == R1_OPT_TEXTS) {
        for (size_t i = 0; i < json_array_size(v); i++) {
            const json_t *item = json_array_get(v, i);
            if (!json_is_string(item))
                return r1_fail(err, R1_EFORMAT, "element %zu of %s is %s, expected a string", i + 1, label, r1_json_kind(item));
            r1_status s = r1_opt_set(opt, o, label, json_string_value(item), R1_PLACE_FILE, err);
            if (s) return s;
        }
        return R1_OK;
    }
    if (json_is_string(v)) return r1_opt_set(opt, o, label, json_string_value(v), R1_PLACE_FILE, err);
    bool number = opt->kind == R1_OPT_INT || opt->kind == R1_OPT_REAL || opt->kind == R1_OPT_SEED;
    char text[40];
    if (json_is_integer(v) && number) snprintf(text, sizeof text, "%lld", (long long)json_integer_value(v));
    else if (json_is_real(v) && number) snprintf(text, sizeof text, "%.17g", json_real_value(v));
    else if (json_is_boolean(v) && opt->kind == R1_OPT_FLAG) snprintf(text, sizeof text, "%s", json_is_true(v) ? "true" : "false");
    else
        return r1_fail(err, R1_EFORMAT, "%s is %s, expected %s", label, r1_json_kind(v),
                       number ? "a number" : opt->kind == R1_OPT_FLAG ? "true or false" : "a string");
    return r1_opt_set(opt, o, label, text, R1_PLACE_FILE, err);
}

static bool is_command(const char *const *commands, const char *key)
{
    for (; *commands; commands++)
        if (!strcmp(*commands, key)) return true;
    return false;
}

static r1_status config_members(const r1_opt_table *tables, const r1_opt_table *all, const char *const *commands,
                                const json_t *object, r1_opts *o, r1_error *err)
{
    const char *key;
    json_t *v;
    json_object_foreach((json_t *)object, key, v) {
        if (commands && json_is_object(v) && is_command(commands, key)) continue;
        if (!r1_opt_find(all, key, strlen(key))) {
            const char *near = r1_opt_nearest(all, key);
            return r1_fail(err, R1_EFORMAT, "unknown key '%s'%s%s%s", key, near ? "; did you mean '" : "", near ? near : "", near ? "'?" : "");
        }
        const r1_opt *opt = r1_opt_find(tables, key, strlen(key));
        if (!opt) continue; /* another command's */
        r1_status s = config_value(opt, o, key, v, err);
        if (s) {
            if (err) err->status = R1_EFORMAT;
            return R1_EFORMAT;
        }
    }
    return R1_OK;
}

r1_status r1_args_config(const r1_opt_table *tables, const r1_opt_table *all, const char *const *commands, const char *command,
                         const json_t *config, r1_opts *o, r1_error *err)
{
    if (!json_is_object(config)) return r1_fail(err, R1_EFORMAT, "it is %s, expected an object", r1_json_kind(config));
    r1_status s = config_members(tables, all, commands, config, o, err);
    for (; *commands && s == R1_OK; commands++) {
        const json_t *own = json_object_get(config, *commands);
        if (!json_is_object(own)) continue;
        bool mine = !strcmp(*commands, command);
        const r1_opt_table none[] = { NULL };
        s = r1_context(err, config_members(mine ? tables : none, all, NULL, own, o, err), "in '%s'", *commands);
    }
    return s;
}
