/* math_units: units as powers of base dimensions, with exact factors.
 *
 * Two quantities of one dimension compare by value: 1 m = 100 cm. Temperatures in different scales, currencies and things that are
 * counted have names instead, and different names never agree. A radian is the number 1; degrees are a dimension of their own. */
#include "reward/math/math_int.h"

typedef struct row { const char *names, *dim, *factor, *name; } row;

/* Symbols keep their case, words of more than three letters do not; a final s of words is taken off first. */
static const row table[] = {
    { "m|meter|metre", "L1", "1", "" },
    { "km|kilometer|kilometre|kms", "L1", "1000", "" },
    { "cm|centimeter|centimetre|cms", "L1", "1/100", "" },
    { "mm|millimeter|millimetre", "L1", "1/1000", "" },
    { "dm|decimeter|decimetre", "L1", "1/10", "" },
    { "nm|nanometer|nanometre", "L1", "1/1000000000", "" },
    { "micrometer|micrometre|micron", "L1", "1/1000000", "" },
    { "pm|picometer", "L1", "1/1000000000000", "" },
    { "in|inch|inche", "L1", "127/5000", "" },
    { "ft|foot|feet", "L1", "381/1250", "" },
    { "yd|yard", "L1", "1143/1250", "" },
    { "mi|mile", "L1", "1609344/1000", "" },
    { "au", "L1", "149597870700", "" },
    { "lightyear|ly", "L1", "9460730472580800", "" },
    { "angstrom", "L1", "1/10000000000", "" },
    { "g|gram|gramme", "M1", "1/1000", "" },
    { "kg|kilogram|kilo|kgs", "M1", "1", "" },
    { "mg|milligram", "M1", "1/1000000", "" },
    { "ton|tonne|t", "M1", "1000", "" },
    { "amu|dalton", "M1", "1", "amu" },
    { "lb|pound|lbs", "M1", "45359237/100000000", "" },
    { "oz|ounce", "M1", "45359237/1600000000", "" },
    { "s|sec|second|secs", "T1", "1", "" },
    { "ms|millisecond", "T1", "1/1000", "" },
    { "ns|nanosecond", "T1", "1/1000000000", "" },
    { "microsecond", "T1", "1/1000000", "" },
    { "min|minute|mins", "T1", "60", "" },
    { "h|hr|hour|hrs", "T1", "3600", "" },
    { "day", "T1", "86400", "" },
    { "week|wk", "T1", "604800", "" },
    { "month", "", "1", "month" },
    { "year|yr|yrs", "", "12", "month" },
    { "decade", "", "120", "month" },
    { "century|centurie", "", "1200", "month" },
    { "A|ampere|amp", "A1", "1", "" },
    { "mA|milliampere", "A1", "1/1000", "" },
    { "K|kelvin", "K1", "1", "" },
    { "mol|mole", "N1", "1", "" },
    { "mmol", "N1", "1/1000", "" },
    { "deg|degree", "D1", "1", "" },
    { "rad|radian", "", "1", "radian" },
    { "revolution|rev|turn", "D1", "360", "" },
    { "L|l|liter|litre|ltr", "L3", "1/1000", "" },
    { "mL|ml|milliliter|millilitre", "L3", "1/1000000", "" },
    { "gallon|gal", "L3", "473176473/125000000000", "" },
    { "quart|qt", "L3", "473176473/500000000000", "" },
    { "pint|pt", "L3", "473176473/1000000000000", "" },
    { "cup", "L3", "473176473/2000000000000", "" },
    { "cc", "L3", "1/1000000", "" },
    { "acre", "L2", "316160658/78125", "" },
    { "hectare|ha", "L2", "10000", "" },
    { "N|newton", "M1L1T-2", "1", "" },
    { "kN|kilonewton", "M1L1T-2", "1000", "" },
    { "J|joule", "M1L2T-2", "1", "" },
    { "kJ|kilojoule", "M1L2T-2", "1000", "" },
    { "MJ|megajoule", "M1L2T-2", "1000000", "" },
    { "W|watt", "M1L2T-3", "1", "" },
    { "kW|kilowatt", "M1L2T-3", "1000", "" },
    { "MW|megawatt", "M1L2T-3", "1000000", "" },
    { "kWh", "M1L2T-2", "3600000", "" },
    { "cal|calorie", "M1L2T-2", "523/125", "" },
    { "kcal", "M1L2T-2", "4184", "" },
    { "eV|electronvolt", "M1L2T-2", "1602176634/10000000000000000000000000000", "" },
    { "keV", "M1L2T-2", "1602176634/10000000000000000000000000", "" },
    { "MeV", "M1L2T-2", "1602176634/10000000000000000000000", "" },
    { "GeV", "M1L2T-2", "1602176634/10000000000000000000", "" },
    { "erg|ergs", "M1L2T-2", "1/10000000", "" },
    { "dyne", "M1L1T-2", "1/100000", "" },
    { "Pa|pascal", "M1L-1T-2", "1", "" },
    { "kPa|kilopascal", "M1L-1T-2", "1000", "" },
    { "MPa|megapascal", "M1L-1T-2", "1000000", "" },
    { "atm|atmosphere", "M1L-1T-2", "101325", "" },
    { "bar", "M1L-1T-2", "100000", "" },
    { "torr|mmHg", "M1L-1T-2", "20265/152", "" },
    { "V|volt", "M1L2T-3A-1", "1", "" },
    { "mV|millivolt", "M1L2T-3A-1", "1/1000", "" },
    { "kV|kilovolt", "M1L2T-3A-1", "1000", "" },
    { "C|coulomb", "A1T1", "1", "" },
    { "F|farad", "M-1L-2T4A2", "1", "" },
    { "ohm|Omega|\\Omega", "M1L2T-3A-2", "1", "" },
    { "T|tesla", "M1T-2A-1", "1", "" },
    { "gauss", "M1T-2A-1", "1/10000", "" },
    { "H|henry", "M1L2T-2A-2", "1", "" },
    { "Wb|weber", "M1L2T-2A-1", "1", "" },
    { "Hz|hertz", "T-1", "1", "" },
    { "kHz|kilohertz", "T-1", "1000", "" },
    { "MHz|megahertz", "T-1", "1000000", "" },
    { "GHz|gigahertz", "T-1", "1000000000", "" },
    { "mph", "L1T-1", "1397/3125", "" },
    { "kph|kmh|kmph", "L1T-1", "5/18", "" },
    { "knot", "L1T-1", "463/900", "" },
    { "rpm", "D1T-1", "6", "" },
    { "bit", "B1", "1", "" },
    { "byte|B", "B1", "8", "" },
    { "kB|KB|kilobyte", "B1", "8000", "" },
    { "MB|megabyte", "B1", "8000000", "" },
    { "GB|gigabyte", "B1", "8000000000", "" },
    { "TB|terabyte", "B1", "8000000000000", "" },
    { "dollar|usd|USD|buck", "", "1", "usd" },
    { "cent|penny|pennie", "", "1/100", "usd" },
    { "quarter", "", "1", "quarter" },
    { "euro|eur|EUR", "", "1", "eur" },
    { "yen|jpy|JPY", "", "1", "jpy" },
    { "gbp|GBP", "", "1", "gbp" },
    { "rupee|Rs", "", "1", "inr" },
    { "yuan|rmb|cny", "", "1", "cny" },
    { "celsius", "", "1", "celsius" },
    { "fahrenheit", "", "1", "fahrenheit" },
    { "unit", "", "1", "unit" },
    { "dozen", "", "12", "" },
    { "mpg", "L-2", "1", "mpg" },
    { "dB|decibel", "", "1", "db" },
    { "M|molar", "N1L-3", "1000", "" },
};

r1_unit *r1_math_unit_new(r1_math_ctx *c)
{
    r1_unit *u = r1_math_alloc(c, sizeof *u);
    r1_node *one = r1_math_num(c, 1);
    if (!u) return NULL;
    u->factor = one->q;
    u->name = "";
    return one == &c->bad ? NULL : u;
}

static void set_dims(r1_unit *u, const char *s)
{
    static const char letters[] = "LMTAKNDB";
    while (*s) {
        size_t k = (size_t)(strchr(letters, *s++) - letters);
        int sign = *s == '-' ? -1 : 1;
        if (sign < 0) s++;
        u->dim[k] = (int8_t)(sign * (*s++ - '0'));
    }
}

/* Whether s[0..n) is one of the names of a row, which are parted by bars. */
static bool among(const char *names, const char *s, size_t n)
{
    for (const char *from = names; *from;) {
        const char *to = strchr(from, '|');
        size_t m = to ? (size_t)(to - from) : strlen(from);
        if (m == n && !memcmp(from, s, n)) return true;
        from += m + (to != NULL);
    }
    return false;
}

static const row *find_row(const char *s, size_t n)
{
    for (size_t k = 0; k < R1_COUNT(table); k++)
        if (among(table[k].names, s, n)) return &table[k];
    return NULL;
}

bool r1_math_unit_find(r1_math_ctx *c, const char *s, size_t n, r1_unit *u)
{
    char lower[24];
    if (!n || n >= sizeof lower || !r1_math_spend(c, 60)) return false;
    const row *r = find_row(s, n);
    if (!r && n > 2) {
        for (size_t i = 0; i < n; i++) lower[i] = s[i] >= 'A' && s[i] <= 'Z' ? (char)(s[i] - 'A' + 'a') : s[i];
        r = find_row(lower, n);
        if (!r && n > 3 && lower[n - 1] == 's') r = find_row(lower, n - 1);
    }
    if (!r) return false;
    r1_unit *made = r1_math_unit_new(c);
    if (!made) return false;
    *u = *made;
    set_dims(u, r->dim);
    mpq_set_str(u->factor, r->factor, 10);
    mpq_canonicalize(u->factor);
    u->name = r->name;
    u->n_name = (uint32_t)strlen(r->name);
    u->is_degree = !strcmp(r->dim, "D1");
    return true;
}

bool r1_math_unit_mul(r1_math_ctx *c, r1_unit *a, const r1_unit *b, int power)
{
    if (power < -9 || power > 9 || !power) return false;
    for (int k = 0; k < DIMS; k++) {
        int d = a->dim[k] + power * b->dim[k];
        if (d < -40 || d > 40) return false;
        a->dim[k] = (int8_t)d;
    }
    for (int k = 0; k < abs(power); k++) {
        if (power > 0) mpq_mul(a->factor, a->factor, b->factor);
        else mpq_div(a->factor, a->factor, b->factor);
    }
    a->is_degree = false;
    if (!b->n_name) return true;
    char *joined = r1_math_alloc(c, a->n_name + b->n_name + 3u);
    if (!joined) return false;
    memcpy(joined, a->name, a->n_name);
    joined[a->n_name] = power < 0 ? '/' : '*';
    joined[a->n_name + 1] = (char)('0' + abs(power));
    memcpy(joined + a->n_name + 2, b->name, b->n_name);
    a->name = joined;
    a->n_name += b->n_name + 2;
    return true;
}

bool r1_math_unit_same_dim(const r1_unit *a, const r1_unit *b)
{
    return !memcmp(a->dim, b->dim, sizeof a->dim) && a->n_name == b->n_name && !memcmp(a->name, b->name, a->n_name);
}

/* ---- units spelled in tokens ------------------------------------------------------------------------------------- */

static bool is_word(const r1_token *t, const char *w) { return (t->kind == T_WORD || t->kind == T_IDENT) && r1_math_word_is(t->s, t->n, w); }

/* A whole number behind ^, with or without braces; how many tokens. */
static uint32_t power_at(const r1_token *t, uint32_t n, int *power)
{
    uint32_t i = 1;
    *power = 1;
    if (n < 2 || t[0].kind != T_CARET) return 0;
    bool brace = t[i].kind == T_LBRACE;
    i += brace;
    bool minus = i < n && t[i].kind == T_OP && t[i].sub == '-';
    i += minus;
    if (i >= n || t[i].kind != T_NUM || mpz_cmp_ui(mpq_denref(t[i].num->q), 1) || mpz_cmp_ui(mpq_numref(t[i].num->q), 9) > 0) return 0;
    *power = (int)mpz_get_ui(mpq_numref(t[i].num->q)) * (minus ? -1 : 1);
    i++;
    if (brace && (i >= n || t[i++].kind != T_RBRACE)) return 0;
    return *power ? i : 0;
}

/* One unit with its power: "square feet", "cm^2", "°C", "hours". */
static uint32_t one_unit(r1_math_ctx *c, const r1_token *t, uint32_t n, r1_unit *u, int *power)
{
    uint32_t i = 0;
    *power = 1;
    if (i < n && (is_word(t, "square") || is_word(t, "sq"))) *power = 2, i++;
    else if (i < n && (is_word(t, "cubic") || is_word(t, "cu"))) *power = 3, i++;
    if (i && i < n && t[i].kind == T_STOP) i++;
    if (i >= n) return 0;
    if (t[i].kind == T_DEGREE) {
        if (i + 1 < n && (is_word(&t[i + 1], "c") || is_word(&t[i + 1], "celsius"))) return r1_math_unit_find(c, "celsius", 7, u) ? i + 2 : 0;
        if (i + 1 < n && (is_word(&t[i + 1], "f") || is_word(&t[i + 1], "fahrenheit"))) return r1_math_unit_find(c, "fahrenheit", 10, u) ? i + 2 : 0;
        return r1_math_unit_find(c, "degree", 6, u) ? i + 1 : 0;
    }
    if (t[i].kind == T_CURRENCY && t[i].sub == '$') return r1_math_unit_find(c, "usd", 3, u) ? i + 1 : 0;
    if ((t[i].kind != T_WORD && t[i].kind != T_IDENT) || !r1_math_unit_find(c, t[i].s, t[i].n, u)) return 0;
    i++;
    if (i < n && t[i].kind == T_STOP && i + 1 < n) i++; /* "12 in. long" */
    int p;
    uint32_t more = i < n ? power_at(t + i, n - i, &p) : 0;
    if (more && *power == 1) {
        *power = p;
        i += more;
    } else if (*power == 1 && i < n && (is_word(&t[i], "squared") || is_word(&t[i], "cubed"))) *power = is_word(&t[i++], "squared") ? 2 : 3;
    return i;
}

static bool is_number_word(r1_math_ctx *c, const r1_token *t)
{
    r1_node *number;
    return r1_math_number_words(c, t, 1, &number) > 0;
}

/* Words that name a thing: "apples", "red balls". How many tokens; 0 when one cannot be such a word. */
static uint32_t thing(r1_math_ctx *c, const r1_token *t, uint32_t n, r1_unit *u)
{
    enum { WORDS_MAX = 5 };
    size_t bytes = 0;
    if (!n || n > WORDS_MAX) return 0;
    for (uint32_t i = 0; i < n; i++) {
        bool plain_word = t[i].kind == T_WORD && t[i].n > 2;
        bool small = t[i].n <= 2 && (i || is_word(t, "of")) && (is_word(&t[i], "of") || is_word(&t[i], "a") || is_word(&t[i], "in"));
        if (!(plain_word || small || (t[i].text && t[i].kind == T_WORD)) || r1_math_is_stop_word(t[i].s, t[i].n) || is_number_word(c, &t[i])) return 0;
        bytes += t[i].n + 1;
    }
    char *name = r1_math_alloc(c, bytes + 1);
    r1_unit *made = r1_math_unit_new(c);
    if (!name || !made) return 0;
    size_t m = 0;
    for (uint32_t i = 0; i < n; i++) {
        for (uint32_t k = 0; k < t[i].n; k++) name[m++] = t[i].s[k] >= 'A' && t[i].s[k] <= 'Z' ? (char)(t[i].s[k] - 'A' + 'a') : t[i].s[k];
        if (t[i].n > 3 && name[m - 1] == 's') m--; /* one of them */
        name[m++] = ' ';
    }
    *u = *made;
    u->name = name;
    u->n_name = (uint32_t)(m - 1);
    return n;
}

uint32_t r1_math_unit_tokens(r1_math_ctx *c, const r1_token *t, uint32_t n, r1_unit *u)
{
    r1_unit one;
    int power, sign = 1;
    uint32_t i = one_unit(c, t, n, &one, &power);
    if (!i) return thing(c, t, n, u);
    r1_unit *all = r1_math_unit_new(c);
    if (!all) return 0;
    bool simple = power == 1;
    for (;;) {
        if (!r1_math_unit_mul(c, all, &one, sign * power)) return 0;
        if (i >= n) break;
        uint32_t k = i;
        if ((t[k].kind == T_OP && t[k].sub == '/') || is_word(&t[k], "per")) sign = -1, k++;
        else if (t[k].kind == T_OP && t[k].sub == '*') k++, sign = 1;
        else if (sign < 0) break;
        uint32_t m = k < n ? one_unit(c, t + k, n - k, &one, &power) : 0;
        if (!m && sign < 0 && k < n) { /* "miles per trip" */
            r1_unit other;
            uint32_t w = thing(c, t + k, n - k, &other);
            if (!w || !r1_math_unit_mul(c, all, &other, -1)) return 0;
            i = k + w;
            simple = false;
            break;
        }
        if (!m) break;
        simple = false;
        i = k + m;
    }
    if (simple) {
        all->is_degree = one.is_degree;
        all->name = one.name;
        all->n_name = one.n_name;
    }
    r1_unit rest;
    if (i < n && thing(c, t + i, n - i, &rest)) i = n; /* "12 km of rope": what it is made of is left out */
    *u = *all;
    return i;
}

/* ---- letters that may be units ----------------------------------------------------------------------------------- */

static bool no_symbols(const r1_node *a) { return !r1_math_has(a, K_SYM) && !r1_math_has(a, K_APPLY); }

static bool unit_factor(r1_math_ctx *c, const r1_node *a, r1_unit *all)
{
    r1_unit u;
    int power = 1;
    const r1_node *sym = a;
    if (a->kind == K_MUL) { /* \frac{\text{m}}{\text{s}} */
        for (uint32_t i = 0; i < a->n; i++)
            if (!unit_factor(c, a->kid[i], all)) return false;
        return a->n > 0;
    }
    while (sym->kind == K_POW && sym->kid[1]->kind == K_NUM && !mpz_cmp_ui(mpq_denref(sym->kid[1]->q), 1) &&
           mpz_cmpabs_ui(mpq_numref(sym->kid[1]->q), 9) <= 0) { /* (s^2)^-1 */
        power *= (int)mpz_get_si(mpq_numref(sym->kid[1]->q));
        sym = sym->kid[0];
    }
    return sym->kind == K_SYM && r1_math_unit_find(c, sym->name, sym->n_name, &u) && r1_math_unit_mul(c, all, &u, power);
}

r1_node *r1_math_as_quantity(r1_math_ctx *c, r1_node *a)
{
    if (a->kind != K_MUL) return NULL;
    uint32_t k = a->n;
    while (k && !no_symbols(a->kid[k - 1])) k--;
    if (!k || k == a->n) return NULL;
    const r1_node *first = a->kid[k];
    while (first->kind == K_POW || first->kind == K_MUL) first = first->kid[0];
    r1_unit *all = r1_math_unit_new(c);
    if (!all || first->kind != K_SYM || !first->spaced) return NULL;
    for (uint32_t i = k; i < a->n; i++)
        if (!unit_factor(c, a->kid[i], all)) return NULL;
    r1_node *value = r1_math_node(c, K_MUL, 0);
    for (uint32_t i = 0; i < k; i++) {
        if (!no_symbols(a->kid[i])) return NULL;
        value = r1_math_append(c, value, a->kid[i]);
    }
    r1_node *x = r1_math_op1(c, K_QUANTITY, k == 1 ? a->kid[0] : value);
    if (x == &c->bad) return NULL;
    x->u = all;
    return x;
}
