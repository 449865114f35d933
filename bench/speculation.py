"""What does guessing ahead bring? The same answers with --speculate auto and off, in turn, and whether they are the same.

    bench/speculation.py R1 MODEL.gguf [--threads 2] [--rounds 5] [--tokens 300]

Prints a line of a Markdown table for each text and temperature: tokens per second of both (median, smallest and largest), the
median of the rounds' ratios, guesses and how many came true, and whether every answer was the same to the byte.
"""
import argparse
import json
import statistics
import subprocess
import sys

PROGRAM = """#include <stdio.h>

static int add(int a, int b)
{
    return a + b;
}

int main(void)
{
    int total = 0;
    for (int i = 0; i < 10; i++) {
        total = add(total, i);
        printf("after %d the total is %d\\n", i, total);
    }
    printf("the total is %d\\n", total);
    return 0;
}"""
TABLE = """| planet | distance (million km) | radius (km) | moons |
| --- | --- | --- | --- |
| Mercury | 57.9 | 2440 | 0 |
| Venus | 108.2 | 6052 | 0 |
| Earth | 149.6 | 6371 | 1 |
| Mars | 227.9 | 3390 | 2 |
| Jupiter | 778.5 | 69911 | 95 |
| Saturn | 1432.0 | 58232 | 146 |"""
PEOPLE = ("Alice", "Bob", "Carol", "David", "Erin", "Frank")
RECORDS = "[" + ",\n ".join(f'{{"id": {101 + i}, "name": "{n}", "email": "{n.lower()}@example.com", "active": {str(i % 2 == 0).lower()}}}'
                           for i, n in enumerate(PEOPLE)) + "]"
TEXTS = [
    ("program, indented anew", "Fix the indentation of this program and print all of it:\n\n```c\n" + PROGRAM + "\n```"),
    ("program, a function renamed", "Rewrite this program with the function add renamed to sum. Give the whole program.\n\n```c\n" + PROGRAM + "\n```"),
    ("table, a column added", 'Make a markdown table of the planets again, exactly as given, then add a column "type" at the end:\n\n' + TABLE),
    ("JSON, a field added", 'Add a field "age" to each record and print all the JSON:\n\n' + RECORDS),
    ("JSON, printed anew", "Pretty-print this JSON with two spaces:\n\n```json\n" + RECORDS + "\n```"),
    ("prose: a story", "Write a short story about a lighthouse keeper who finds a letter in a bottle."),
    ("prose: a question", "Explain how a sailing boat can move against the wind."),
    ("prose: a market", "Describe a walk through a busy market in the morning, with many details of smells and sounds."),
]


def ask(args, text, temperature, how):
    command = [args.r1, "run", args.model, "-", "--threads", str(args.threads), "--max-tokens", str(args.tokens), "--temperature", temperature,
               "--seed", "5", "--speculate", how, "--json", "--quiet"]
    p = subprocess.run(command, input=text, capture_output=True, text=True, check=False)
    if p.returncode:
        sys.exit(f"speculation: '{' '.join(command)}' ended with {p.returncode}: {p.stderr.strip()}")
    j = json.loads(p.stdout)
    return j["timings"], {k: j[k] for k in ("content", "reasoning_content", "finish_reason", "usage")}


def spread(x):
    return f"{statistics.median(x):.0f} ({min(x):.0f} to {max(x):.0f})"


def main():
    p = argparse.ArgumentParser(description=__doc__.split("\n", maxsplit=1)[0])
    p.add_argument("r1")
    p.add_argument("model")
    p.add_argument("--threads", type=int, default=2)
    p.add_argument("--rounds", type=int, default=5)
    p.add_argument("--tokens", type=int, default=300)
    args = p.parse_args()
    print("| text | temperature | tokens | off | auto | ratio | guesses, true | same |\n| --- | --- | --- | --- | --- | --- | --- | --- |")
    all_same = True
    for temperature in ("0", "1"):
        for name, text in TEXTS:
            speed, guesses, first, same = {"off": [], "auto": []}, [], None, True
            for i in range(args.rounds):
                for how in ("off", "auto") if i % 2 else ("auto", "off"):
                    t, answer = ask(args, text, temperature, how)
                    first = first or answer
                    same = same and answer == first
                    speed[how].append(t["predicted_per_second"])
                    if how == "auto":
                        guesses.append((t["drafted"], t["accepted"]))
            ratios = [a / b for a, b in zip(speed["auto"], speed["off"])]
            drafted, accepted = sorted(guesses)[len(guesses) // 2]
            print(f"| {name} | {temperature} | {first['usage']['completion_tokens']} | {spread(speed['off'])} | {spread(speed['auto'])} | "
                  f"{statistics.median(ratios):.2f} ({min(ratios):.2f} to {max(ratios):.2f}) | {drafted}, {accepted} | {'yes' if same else 'NO'} |", flush=True)
            all_same = all_same and same
    return 0 if all_same else 1


if __name__ == "__main__":
    sys.exit(main())
