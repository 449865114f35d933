#!/usr/bin/env python3
"""Texts to measure quantisation with, from Debian packages: calibration.txt and evaluation.txt.

    apt-get download debian-handbook developers-reference dict-jargon fortunes vim-runtime; for d in *.deb; do dpkg -x $d unpacked; done
    bench/quant_text.py unpacked OUT

Handbooks, a dictionary, quotations, a user's manual: each is cut into pieces of 2,500 characters or a little more at blank lines; of each
ten pieces one goes to the evaluation and another to the calibration, in a random order that is always the same.
"""
import glob
import gzip
import html
import random
import re
import sys

FORTUNES = ("science", "wisdom", "people", "work", "computers", "law", "education", "definitions", "kids", "humorists")


def page(path):
    """The text of an HTML file."""
    s = read(path)
    s = re.sub(r"(?s)<(script|style|head)\b.*?</\1>", "", s)
    s = re.sub(r"<(p|div|li|h\d|br|pre|tr|dt|dd)\b[^>]*>", "\n", s)
    s = html.unescape(re.sub(r"<[^>]+>", "", s))
    s = re.sub(r"[ \t]+", " ", s)
    return re.sub(r"\n\s*\n+", "\n\n", s).strip()


def read(path):
    with (gzip.open if path.endswith((".gz", ".dz")) else open)(path, "rt", encoding="utf-8", errors="replace") as f:
        return f.read()


def pieces(text):
    out, now = [], ""
    for paragraph in text.split("\n\n"):
        now += paragraph + "\n\n"
        if len(now) > 2500:
            out.append(now)
            now = ""
    return out


def main():
    if len(sys.argv) != 3:
        sys.exit(__doc__)
    share, out = sys.argv[1] + "/usr/share/", sys.argv[2]
    documents = ["\n\n".join(page(p) for p in sorted(glob.glob(share + "doc/debian-handbook/html/en-US/*.html"))),
                 read(share + "developers-reference/developers-reference.txt.gz"),
                 read(share + "dictd/jargon.dict.dz")[:700000],
                 "\n".join(read(share + "games/fortunes/" + n) for n in FORTUNES)[:700000],
                 "\n".join(read(p) for p in sorted(glob.glob(share + "vim/vim90/doc/usr_*.txt")))[:500000]]
    parts = {"rest": [], "calibration": [], "evaluation": []}
    for d in documents:
        for i, piece in enumerate(pieces(d)):
            parts["evaluation" if i % 10 == 3 else "calibration" if i % 10 == 7 else "rest"].append(piece)
    rng = random.Random(1)
    for name, part in parts.items():
        rng.shuffle(part)
        if name != "rest":
            with open(f"{out}/{name}.txt", "w", encoding="utf-8") as f:
                f.write("".join(part))


if __name__ == "__main__":
    main()
