/* Length rewards: cosine, linear within a group, soft punishment of overlong answers. Lengths are in tokens (or whatever the limit is in). */
#include "reward/reward.h"

#include <math.h>

double r1_reward_length_cosine(size_t length, size_t max, bool right, const r1_length_cosine *o)
{
    static const double pi = 3.14159265358979323846;
    const r1_length_cosine usual = R1_LENGTH_COSINE_DEFAULT;
    if (!o) o = &usual;
    if (length >= max && !isnan(o->exceeded)) return o->exceeded;
    double x = max == 0 || length >= max ? 1 : (double)length / (double)max;
    double at_0 = right ? o->right_short : o->wrong_short, at_max = right ? o->right_long : o->wrong_long;
    return at_max + 0.5 * (at_0 - at_max) * (1 + cos(pi * x));
}

double r1_reward_length_linear(size_t length, size_t shortest, size_t longest, bool right)
{
    if (longest <= shortest) return 0;
    size_t n = r1_min(r1_max(length, shortest), longest);
    double v = 0.5 - (double)(n - shortest) / (double)(longest - shortest);
    return right || v < 0 ? v : 0;
}

double r1_reward_overlong(size_t length, size_t max, size_t cache)
{
    if (length > max) return -1;
    cache = r1_min(cache, max);
    size_t free_to = max - cache;
    if (length <= free_to) return 0;
    return -(double)(length - free_to) / (double)cache;
}
