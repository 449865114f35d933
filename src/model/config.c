/* What both kinds of configuration share: limits, rope frequencies, consistency. */
#define _GNU_SOURCE
#include "model/config.h"

#include <math.h>

const char *r1_arch_name(r1_arch a)
{
    static const char *const names[] = { "llama", "qwen2", "deepseek_v2", "deepseek_v3" };
    return names[a];
}

double r1_yarn_log_multiplier(double factor, float attention, double all)
{
    double key = attention == 1 || factor <= 1 ? 0.1 * all : (r1_yarn_m(factor, all) / (double)attention - 1) / log(factor);
    return fabs(key) < R1_YARN_LOG_LEAST ? R1_YARN_LOG_LEAST : key;
}

double r1_yarn_m(double factor, double k) { return factor <= 1 ? 1 : 0.1 * k * log(factor) + 1; }

/* Number of the dimension whose wavelength makes r turns over the original length (YaRN, arXiv:2309.00071, eq. 17). */
static double turns_dim(const r1_rope *r, double turns)
{
    return r->dim * log(r->original / (2 * M_PI * turns)) / (2 * log(r->theta));
}

static double llama3_frequency(const r1_rope *r, double f)
{
    double wave = 2 * M_PI / f;
    if (wave < r->original / r->high) return f;
    if (wave > r->original / r->low) return f / r->factor;
    double t = (r->original / wave - r->low) / (r->high - r->low);
    return (1 - t) * f / r->factor + t * f;
}

static r1_status rope_frequencies(r1_rope *r, r1_error *err)
{
    int half = r->dim / 2;
    r->inv_freq = calloc((size_t)half, sizeof *r->inv_freq);
    if (!r->inv_freq) return r1_fail(err, R1_ENOMEM, "no memory for %d rope frequencies", half);
    double low = 0, high = 1;
    if (r->scaling == R1_ROPE_YARN) {
        low = fmax(floor(turns_dim(r, r->beta_fast)), 0);
        high = fmin(ceil(turns_dim(r, r->beta_slow)), r->dim - 1);
        if (low == high) high += 0.001;
    }
    for (int i = 0; i < half; i++) {
        double f = pow(r->theta, -2.0 * i / r->dim);
        if (r->scaling == R1_ROPE_LINEAR) f /= r->factor;
        if (r->scaling == R1_ROPE_LLAMA3) f = llama3_frequency(r, f);
        if (r->scaling == R1_ROPE_YARN) {
            double ramp = fmin(fmax((i - low) / (high - low), 0), 1);
            f *= (1 - ramp) + ramp / r->factor;
        }
        r->inv_freq[i] = f;
    }
    return R1_OK;
}

/* Whether the llama3 formula with these parameters gives exactly these divisors. */
static bool gives(const r1_rope *r, const float *divisors)
{
    for (int i = 0; i < r->dim / 2; i++) {
        double f = pow(r->theta, -2.0 * i / r->dim);
        if (fabs(f / llama3_frequency(r, f) - divisors[i]) > 1.2e-7 * divisors[i]) return false; /* one rounding to f32, and the divisor's own */
    }
    return true;
}

bool r1_rope_recognise(r1_rope *r, const float *divisors)
{
    static const double lows[] = { 1, 2, 0.5 }, highs[] = { 4, 2, 8, 16, 3, 6 }; /* released models: 1 and 4 */
    int half = r->dim / 2;
    r1_rope t = *r;
    t.scaling = R1_ROPE_LLAMA3;
    t.factor = divisors[half - 1];
    for (size_t l = 0; l < R1_COUNT(lows); l++) {
        for (size_t h = 0; h < R1_COUNT(highs); h++) {
            t.low = lows[l];
            t.high = highs[h];
            for (int i = 0; i < half && t.high > t.low; i++) { /* a frequency between the two ends tells the original length */
                if (divisors[i] <= 1 || divisors[i] >= t.factor) continue;
                double part = (1 / (double)divisors[i] - 1 / t.factor) / (1 - 1 / t.factor);
                t.original = rint((part * (t.high - t.low) + t.low) * 2 * M_PI / pow(r->theta, -2.0 * i / r->dim));
                if (!(t.original >= 1) || !gives(&t, divisors)) break;
                for (int j = 0; j < half; j++) t.inv_freq[j] = llama3_frequency(&t, pow(r->theta, -2.0 * j / r->dim));
                *r = t;
                return true;
            }
        }
    }
    return false;
}

static r1_status check_rope(const r1_rope *r, r1_error *err)
{
    if (r->dim < 2 || r->dim % 2 || r->dim > R1_ROPE_MAX)
        return r1_fail(err, R1_EFORMAT, "%d rope dimensions; expected an even number from 2 to %d", r->dim, R1_ROPE_MAX);
    if (!(r->theta > 1) || !isfinite(r->theta)) return r1_fail(err, R1_EFORMAT, "rope theta is %g, expected a number above 1", r->theta);
    if (r->scaling == R1_ROPE_PLAIN) return R1_OK;
    if (!(r->factor >= 1) || !isfinite(r->factor)) return r1_fail(err, R1_EFORMAT, "rope scaling factor is %g, expected at least 1", r->factor);
    if (r->scaling != R1_ROPE_LINEAR && (!(r->original >= 1) || !isfinite(r->original)))
        return r1_fail(err, R1_EFORMAT, "rope original length is %g, expected at least 1", r->original);
    if (r->scaling == R1_ROPE_LLAMA3 && !(r->low > 0 && r->high > r->low && isfinite(r->high)))
        return r1_fail(err, R1_EFORMAT, "rope low and high frequency factors are %g and %g, expected 0 < low < high", r->low, r->high);
    if (r->scaling == R1_ROPE_YARN && (!(r->multiplier > 0) || !isfinite(r->multiplier)))
        return r1_fail(err, R1_EFORMAT, "the yarn attention factor is %g, expected a number above 0", r->multiplier);
    if (r->scaling == R1_ROPE_YARN && !(r->beta_fast > 0 && r->beta_slow > 0))
        return r1_fail(err, R1_EFORMAT, "yarn beta_fast and beta_slow are %g and %g, expected numbers above 0", r->beta_fast, r->beta_slow);
    return R1_OK;
}

static r1_status check_experts(const r1_config *c, r1_error *err)
{
    if (c->n_dense > c->n_layers) return r1_fail(err, R1_EFORMAT, "%d dense layers come first, expected at most the %d layers there are", c->n_dense, c->n_layers);
    if (c->n_dense == c->n_layers && !c->n_mtp) return R1_OK; /* a prediction module has experts even where no layer has */
    if (c->n_experts == 0) return R1_OK;
    if (!isfinite(c->expert_scale)) return r1_fail(err, R1_EFORMAT, "the scale of the experts' weights is %g, expected a number", (double)c->expert_scale);
    if (c->n_used > c->n_experts) return r1_fail(err, R1_EFORMAT, "%d experts are used of %d", c->n_used, c->n_experts);
    if (c->n_experts % c->n_groups || c->n_groups_used > c->n_groups)
        return r1_fail(err, R1_EFORMAT, "%d experts in %d groups, %d of them used, do not fit together", c->n_experts, c->n_groups, c->n_groups_used);
    if (c->n_used > c->n_experts / c->n_groups * c->n_groups_used)
        return r1_fail(err, R1_EFORMAT, "%d experts are used, but %d groups of %d hold fewer", c->n_used, c->n_groups_used, c->n_experts / c->n_groups);
    return R1_OK;
}

/* Products of sizes stay far below INT_MAX, so that later arithmetic need not look. */
static r1_status check_sizes(const r1_config *c, r1_error *err)
{
    const struct { const char *what; int64_t a, b; } list[] = {
        { "heads times their size", c->n_heads, c->head_dim }, { "heads times value size", c->n_heads, c->v_dim },
        { "key-value heads times their size", c->n_kv_heads, c->head_dim }, { "heads times latent size", c->n_heads, c->kv_lora + c->rope.dim },
        { "shared experts times their width", c->n_shared, c->n_ff_expert },
    };
    for (size_t i = 0; i < R1_COUNT(list); i++)
        if (list[i].a * list[i].b > 1 << 26)
            return r1_fail(err, R1_EFORMAT, "%s is %lld x %lld, expected at most %d", list[i].what, (long long)list[i].a, (long long)list[i].b, 1 << 26);
    return R1_OK;
}

r1_status r1_config_read(r1_config *c, const r1_ckpt *ckpt, r1_error *err)
{
    *c = (r1_config){ .rope = { .theta = 10000, .factor = 1, .beta_fast = 32, .beta_slow = 1, .multiplier = 1 }, .n_groups = 1, .n_groups_used = 1 };
    r1_status s = r1_ckpt_gguf(ckpt) ? r1_config_from_gguf(c, ckpt, err) : r1_config_from_hf(c, ckpt, err);
    if (s == R1_OK) s = check_sizes(c, err);
    if (s == R1_OK && !c->mla && c->n_heads % c->n_kv_heads)
        s = r1_fail(err, R1_EFORMAT, "%d heads cannot share %d key-value heads evenly", c->n_heads, c->n_kv_heads);
    if (s == R1_OK && !c->mla && c->rope.dim != c->head_dim)
        s = r1_fail(err, R1_EUNSUPPORTED, "%d of %d dimensions of a head are rotated; all are expected", c->rope.dim, c->head_dim);
    if (s == R1_OK && !(c->eps > 0 && c->eps < 1)) s = r1_fail(err, R1_EFORMAT, "the epsilon of the norms is %g, expected a number between 0 and 1", (double)c->eps);
    if (s == R1_OK) s = check_experts(c, err);
    if (s == R1_OK) s = check_rope(&c->rope, err);
    if (s == R1_OK && (!(c->softmax_scale > 0) || !isfinite(c->softmax_scale))) /* yarn multiplies it by numbers of the file */
        s = r1_fail(err, R1_EFORMAT, "attention scores are multiplied by %g, expected a number above 0", (double)c->softmax_scale);
    if (s == R1_OK) s = rope_frequencies(&c->rope, err);
    return s;
}

void r1_config_deinit(r1_config *c)
{
    free(c->rope.inv_freq);
    c->rope.inv_freq = NULL;
}
