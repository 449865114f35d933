#!/usr/bin/env python3
"""Pairs of answers whose label needs no opinion: made from a value, in forms that keep it or change it.

    bench/answers_made.py FOLDER [ITEMS.jsonl ...]

Writes golds.tsv (from the "answer" of each item), polynomials.tsv, radicals.tsv, functions.tsv, sets.tsv, equations.tsv, decimals.tsv and big.tsv into
FOLDER, for bench/answers.py. The same random numbers each time.
"""
import json, math, os, random, sys
from fractions import Fraction as F

R = random.Random(7)


def write(folder, name, rows):
    with open(f"{folder}/{name}.tsv", "w", encoding="utf-8") as f:
        f.write("gold\tcandidate\tequivalent\tcategory\tmode\tnote\n")
        for gold, candidate, equivalent, category, mode in rows:
            f.write(f"{gold}\t{candidate}\t{equivalent}\t{category}\t{mode}\t\n")
    print(f"{name}: {len(rows)} pairs")


def answer(gold, candidate, equivalent, category):
    return gold, candidate, equivalent, category, "answer"


def grouped(s, separator):
    whole, point, rest = s.lstrip("-").partition(".")
    return ("-" if s[0] == "-" else "") + f"{int(whole):,}".replace(",", separator) + point + rest


def frac(v, k=1):
    return rf"\frac{{{v.numerator * k}}}{{{v.denominator * k}}}"


def golds(paths):
    for path in paths:
        with open(path, encoding="utf-8") as f:
            for line in f:
                gold = json.loads(line)["answer"]
                s = gold.replace(",", "")
                yield gold, s, F(s)


def gold_rows(paths):
    rows = []
    for g, s, v in golds(paths):
        bare = s.lstrip("-")
        right = [grouped(s, ","), grouped(s, "{,}"), grouped(s, r"\,"), f"${s}$", rf"\${s}", s + ("00" if "." in s else ".00"), rf"\text{{{s}}}",
                 f"x = {s}", frac(v, 3), rf"-\dfrac{{{-v.numerator}}}{{{v.denominator}}}", rf"\left({s}\right)", f"**{s}**", s + ".",
                 rf"{v * 1000} \times 10^{{-3}}", rf"{s}\text{{ apples}}", f"{v + 7} - 7", rf"\mathrm{{{s}}}", rf"\displaystyle {s}",
                 s.replace(bare, "00" + bare)]
        told = [rf"So we get $\boxed{{{s}}}$.", rf"<think>perhaps \boxed{{{v + 1}}}</think>Thus \boxed{{{s}}}", f"some words #### {s}", f"The answer is {s}.",
                f"The final answer is ${s}$.", rf"**Final Answer**: $\boxed{{{grouped(s, ',')}}}$", rf"\boxed{{{v + 5}}} is wrong; it is \boxed{{{s}}}",
                rf"\boxed{{{s}\text{{ dollars}}}}"]
        wrong = [str(v + 1), f"{s} or {v + 1}", f"{s}, {v + 1}", f"[{v - 1}, {v + 1}]", (s if "." in s else s + ".") + "001", s + "+10^{-25}", rf"x \ge {s}",
                 s[:-1] + str((int(s[-1]) + 3) % 10), rf"\frac{{{s}}}{{0}}", f"not {s}"]
        if v:
            wrong += [str(-v), str(v * 10), str(v * 100), rf"\pm {s}", s + "x"]
        if abs(v) not in (0, 1):
            wrong.append(frac(1 / v))
        hidden = [rf"<think>it is \boxed{{{s}}}", rf"it is \boxed{{{s}", rf"\boxed{{{s}}} no, it is \boxed{{{v + 2}}}", rf"\boxed{{{s}}} or \boxed{{{v + 2}}}",
                  f"The answer is not {s}."]
        for forms, equivalent, mode in ((right, 1, "answer"), (told, 1, "response"), (wrong, 0, "answer"), (hidden, 0, "response")):
            rows += [(g, form, equivalent, ("right" if equivalent else "wrong") + " form", mode) for form in forms]
    return rows


def times(a, b):
    r = {}
    for k, x in a.items():
        for m, y in b.items():
            e = tuple(i + j for i, j in zip(k, m))
            r[e] = r.get(e, 0) + x * y
    return {k: x for k, x in r.items() if x}


def polynomial(p, dot=""):
    terms = list(p.items())
    R.shuffle(terms)
    text = ""
    for powers, c in terms:
        letters = dot.join(n if e == 1 else f"{n}^{{{e}}}" for n, e in zip("xyz", powers) if e)
        size = str(abs(c)) if c.denominator == 1 else frac(abs(c))
        text += ("-" if c < 0 else "+") + (letters if letters and abs(c) == 1 else size + letters)
    return text.removeprefix("+") or "0"


def polynomial_rows():
    rows = []
    for _ in range(1500):
        letters, factors, product = R.randint(1, 3), [], {(0, 0, 0): F(1)}
        for _ in range(R.randint(2, 4)):
            p = {}
            for _ in range(R.randint(2, 3)):
                p[tuple(R.randint(0, 2) if i < letters else 0 for i in range(3))] = F(R.choice([1, -1, 2, 3, -5, F(1, 2), F(-2, 3)]))
            factors.append(p)
            product = times(product, p)
        written = "".join(f"({polynomial(p)})" for p in factors)
        other = dict(product)
        k = R.choice(list(other))
        other[k] += R.choice([1, -1, F(1, 1000), F(1, 10 ** 25)])
        rest = {(0, 0, 0): F(1)}
        for p in factors[1:]:
            rest = times(rest, p)
        doubled = dict(rest)
        doubled[R.choice(list(doubled))] *= 2
        quotient = rf"\frac{{{polynomial(product)}}}{{{polynomial(factors[0])}}}"
        rows += [answer(written, polynomial(product, r" \cdot "), 1, "expanded"), answer(polynomial(product), written, 1, "factored"),
                 answer(written, polynomial({a: b for a, b in other.items() if b}), 0, "coefficient"), answer(polynomial(rest), quotient, 1, "quotient"),
                 answer(polynomial(doubled), quotient, 0, "quotient of another")]
    return rows


def radical_rows():
    rows = []
    for _ in range(600):
        a, b, c, d = R.randint(2, 40), R.choice([2, 3, 5, 6, 7, 10, 11, 15]), R.randint(1, 30), R.choice([13, 17, 19])
        A, C = rf"{a}\sqrt{{{b}}}", rf"{c}\sqrt{{{d}}}"
        g, square = f"{A}-{C}", rf"{a * a * b + c * c * d}+{2 * a * c}\sqrt{{{b * d}}}"
        rows += [answer(g, rf"\sqrt{{{a * a * b}}}-\sqrt{{{c * c * d}}}", 1, "under the root"), answer(g, f"-{C}+{A}", 1, "order"),
                 answer(g, rf"\frac{{{a * a * b - c * c * d}}}{{{A}+{C}}}", 1, "rationalised"), answer(square, f"({A}+{C})^2", 1, "square"),
                 answer(rf"\sqrt{{{square}}}", f"{A}+{C}", 1, "nested"), answer(g, f"{A}+{C}", 0, "sign"),
                 answer(g, rf"{a + 1}\sqrt{{{b}}}-{C}", 0, "coefficient"), answer(g, rf"\sqrt{{{a * a * b + 1}}}-\sqrt{{{c * c * d}}}", 0, "radicand"),
                 answer(g, g + "+10^{-40}", 0, "10^-40 off")]
    return rows


def function_rows():
    rows = []
    for _ in range(400):
        a, b, k = R.randint(2, 9), R.randint(2, 9), R.randint(2, 6)
        g, c = R.choice([(rf"\sin({a}x)\cos({b}x)", rf"\frac{{\sin({a + b}x)+\sin({a - b}x)}}{{2}}"), (rf"\ln({a}^{{{k}}})", rf"{k}\ln {a}"),
                         (rf"{a}^{{{k}n}}", rf"{a ** k}^n"), (rf"\cos({2 * a}t)", rf"1-2\sin^2({a}t)"), (rf"e^{{{a}x}}\cdot e^{{{b}x}}", rf"e^{{{a + b}x}}"),
                         (rf"\log_{{{a}}} {b}", rf"\frac{{\log {b}}}{{\log {a}}}"), (rf"\tan({a}\theta)", rf"\frac{{\sin({a}\theta)}}{{\cos({a}\theta)}}"),
                         (rf"\sqrt{{x}}\cdot x^{{{a}}}", rf"x^{{{2 * a + 1}/2}}"), (rf"\ln {a}+\ln {b}", rf"\ln {a * b}")])
        rows += [answer(g, c, 1, "identity"), answer(g, c + "+10^{-20}", 0, "10^-20 off"), answer(g, f"-({c})", 0, "sign"),
                 answer(g, c + r"+\frac{1}{1000}", 0, "1/1000 off")]
    return rows


def written(v):
    forms = [str(v), f"{v}.0"] if v.denominator == 1 else [frac(v), f"{v.numerator}/{v.denominator}", f"{float(v):g}"]
    return R.choice(forms)


def set_rows():
    rows = []
    for _ in range(800):
        s = sorted({F(R.randint(-20, 20), R.choice([1, 1, 1, 2, 4, 5])) for _ in range(R.randint(3, 6))})
        if len(s) < 2:
            continue
        mixed, near = R.sample(s, len(s)), list(s)
        near[R.randrange(len(near))] += F(1, 97)
        A, B, C, N = (", ".join(map(written, x)) for x in (s, mixed, s, near))
        rows += [answer(rf"\{{{A}\}}", rf"\{{{B}\}}", 1, "set"), answer(A, B, 1, "list"), answer(rf"\{{{A}\}}", B, 1, "list for a set"),
                 answer(f"({A})", f"({C})", 1, "tuple"), answer(rf"\{{{A}\}}", rf"\{{{N}\}}", 0, "item"), answer(f"({A})", f"({N})", 0, "item"),
                 answer(A, ", ".join(map(written, s[:-1])), 0, "one less")]
        if mixed != s:
            rows.append(answer(f"({A})", f"({B})", 0, "order"))
        lo, hi, middle = s[0], s[-1], (s[0] + s[-1]) / 2
        for a, low in (("(", "<"), ("[", r"\le ")):
            for b, high in ((")", "<"), ("]", r"\le ")):
                g = f"{a}{written(lo)},{written(hi)}{b}"
                rows += [answer(g, f"{written(lo)}{low}x{high}{written(hi)}", 1, "inequality"),
                         answer(g, f"{'[' if a == '(' else '('}{written(lo)},{written(hi)}{b}", 0, "end point"),
                         answer(g, f"{a}{written(lo)},{written(hi + 1)}{b}", 0, "end"),
                         answer(g, rf"{a}{written(lo)},{written(middle)})\cup({written(middle)},{written(hi)}{b}", 0, "hole")]
                if a + b != "()":
                    rows.append(answer(g, rf"{a}{written(lo)},{written(middle)}]\cup({written(middle)},{written(hi)}{b}", 1, "union"))
    return rows


def line(a, b):
    return "".join(("-" if u < 0 else "+") + (str(abs(u)) if abs(u) != 1 else "") + v for u, v in ((a, "x"), (b, "y"))).removeprefix("+")


def equation_rows():
    rows = []
    for _ in range(800):
        a, b, c = (R.choice([-7, -5, -3, -2, 2, 3, 4, 5, 6, 9]) for _ in range(3))
        k, g = R.choice([-3, -2, 2, 5, 10]), f"{line(a, b)}={c}"
        s, t = F(-a, b), F(c, b)
        solved = f"y={'-' if s < 0 else ''}{frac(abs(s))}x{'-' if t < 0 else '+'}{frac(abs(t))}"
        rows += [answer(g, f"{line(k * a, k * b)}={k * c}", 1, "scaled"), answer(g, f"{line(a, b)}{-c:+d}=0", 1, "one side"), answer(g, solved, 1, "solved"),
                 answer(g, f"{c}={line(a, b)}", 1, "turned"), answer(g, f"{line(k * a, k * b)}={c}", 0, "one side scaled"),
                 answer(g, f"{line(a, -b)}={c}", 0, "sign"), answer(g, f"{line(a, b)}={c + 1}", 0, "constant"), answer(g, g + "+10^{-30}", 0, "10^-30 off")]
    return rows


def rounded(q, n):
    """q > 0 with n significant digits, as text; the places behind the point."""
    e = math.floor(math.log10(q))
    e += (q >= F(10) ** (e + 1)) - (q < F(10) ** e)
    places = n - 1 - e
    i = math.floor(q * F(10) ** places + F(1, 2))
    if places <= 0:
        return str(i * 10 ** -places)
    text = str(i).rjust(places + 1, "0")
    return text[:-places] + "." + text[-places:]


def repeating(q):
    whole, r = divmod(q.numerator, q.denominator)
    seen, digits = {}, ""
    while r and r not in seen and len(digits) < 40:
        seen[r] = len(digits)
        digits += str(r * 10 // q.denominator)
        r = r * 10 % q.denominator
    return (whole, digits[:seen[r]], digits[seen[r]:]) if r in seen else None


def decimal_rows():
    rows = []
    for _ in range(1500):
        q = F(R.randint(1, 2000), R.choice([3, 7, 9, 11, 13, 17, 19, 21, 23, 29, 31, 37, 41, 43, 97, 101, 997]))
        if q.denominator == 1:
            continue
        g = frac(q)
        for n in (3, 5, 6, 7, 9, 10, 12, 15, 30):
            rows.append(answer(g, rounded(q, n), int(n >= 8), f"{n} digits"))
        r = repeating(q)
        if r:
            other = str((int(r[2]) + 1) % 10 ** len(r[2])).rjust(len(r[2]), "0")
            rows += [answer(g, rf"{r[0]}.{r[1]}\overline{{{r[2]}}}", 1, "repeating"), answer(g, rf"{r[0]}.{r[1]}\overline{{{other}}}", 0, "repeating")]
        if q > 1:
            w, part = int(q), frac(q - int(q))
            rows += [answer(g, f"{w}{part}", 1, "mixed"), answer(g, f"{w} {(q - w).numerator}/{q.denominator}", 1, "mixed"), answer(g, f"{w + 1}{part}", 0, "mixed"),
                     answer("-" + g, f"-{w}{part}", 1, "mixed")]
    return rows


def big_rows():
    rows = []
    for _ in range(300):
        n = R.choice([17, 20, 40, 100, 300, 1000, 3000, 5000])
        s = str(R.randint(1, 9)) + "".join(R.choice("0123456789") for _ in range(n - 1))
        k = R.randrange(1, n)
        rows += [answer(s, s, 1, f"{n} digits"), answer(s, s[:k] + str((int(s[k]) + R.randint(1, 9)) % 10) + s[k + 1:], 0, f"{n} digits")]
        if n < 4000:
            rows.append(answer(s, f"{int(s):,}", 1, f"{n} digits"))
    return rows


def main():
    if len(sys.argv) < 2 or sys.argv[1].startswith("-"):
        sys.exit(__doc__)
    folder = sys.argv[1]
    os.makedirs(folder, exist_ok=True)
    if sys.argv[2:]:
        write(folder, "golds", gold_rows(sys.argv[2:]))
    for name, rows in (("polynomials", polynomial_rows), ("radicals", radical_rows), ("functions", function_rows), ("sets", set_rows),
                       ("equations", equation_rows), ("decimals", decimal_rows), ("big", big_rows)):
        write(folder, name, rows())


if __name__ == "__main__":
    main()
