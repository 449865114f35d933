#!/usr/bin/env python3
"""Write one tokenizer.json per name from the packages that tools/fetch unpacked. Standard library only.

    make_tokenizers.py PACKAGES_FOLDER SMOLLM2_GGUF OUT_FOLDER

deepseek_v3, llama3_1 and qwen3 are copied byte for byte; the others differ from them in a few added tokens
(tests/golden/tokenizers/README.md, "Which tokenizers"), and smollm2 comes from the GGUF's metadata.
"""
import copy
import json
import os
import struct
import sys

BOS, EOS = "<｜begin▁of▁sentence｜>", "<｜end▁of▁sentence｜>"
USER, ASSISTANT = "<｜User｜>", "<｜Assistant｜>"


def added(i, text, special):
    return {"id": i, "content": text, "single_word": False, "lstrip": False, "rstrip": False,
            "normalized": False, "special": special}


def with_bos(text, i):
    first = {"SpecialToken": {"id": text, "type_id": 0}}
    second = {"SpecialToken": {"id": text, "type_id": 1}}
    a = {"Sequence": {"id": "A", "type_id": 0}}
    b = {"Sequence": {"id": "B", "type_id": 1}}
    return {"type": "TemplateProcessing", "single": [first, a], "pair": [first, a, second, b],
            "special_tokens": {text: {"id": text, "ids": [i], "tokens": [text]}}}


def deepseek_r1(v3):
    t = copy.deepcopy(v3)
    for a in t["added_tokens"]:
        if a["id"] == 128798:
            a.update(content="<think>", special=False, normalized=True)
        if a["id"] == 128799:
            a.update(content="</think>", special=False, normalized=True)
    return t


def qwen2_5(qwen3):
    t = copy.deepcopy(qwen3)
    t["added_tokens"] = [a for a in t["added_tokens"] if a["id"] <= 151664]
    return t


def r1_distill_qwen(qwen3):
    t = copy.deepcopy(qwen3)
    own = [(EOS, True), (USER, False), (ASSISTANT, False), (BOS, True), ("<|EOT|>", False),
           ("<think>", False), ("</think>", False)]
    kept = [a for a in t["added_tokens"] if 151650 <= a["id"] <= 151664]
    t["added_tokens"] = [added(151643 + i, text, special) for i, (text, special) in enumerate(own)] + kept
    t["post_processor"] = with_bos(BOS, 151646)
    return t


def r1_distill_llama(llama3):
    t = copy.deepcopy(llama3)
    own = {128000: (BOS, True), 128001: (EOS, True), 128011: (USER, False), 128012: (ASSISTANT, False),
           128013: ("<think>", False), 128014: ("</think>", False), 128015: ("<｜▁pad▁｜>", True)}
    t["added_tokens"] = [added(a["id"], *own[a["id"]]) if a["id"] in own else a for a in t["added_tokens"]]
    t["post_processor"] = with_bos(BOS, 128000)
    return t


def gguf_metadata(path):
    """All key-value pairs of a GGUF v3 file whose sha256 was checked before."""
    scalar = {0: "B", 1: "b", 2: "H", 3: "h", 4: "I", 5: "i", 6: "f", 7: "?", 10: "Q", 11: "q", 12: "d"}
    with open(path, "rb") as f:
        def read(fmt):
            return struct.unpack("<" + fmt, f.read(struct.calcsize("<" + fmt)))[0]

        def string():
            return f.read(read("Q")).decode("utf-8")

        def value(kind):
            if kind == 8:
                return string()
            if kind == 9:
                element, n = read("I"), read("Q")
                return [value(element) for _ in range(n)]
            return read(scalar[kind])

        if f.read(4) != b"GGUF" or read("I") != 3:
            sys.exit(f"{path}: not a GGUF v3 file")
        read("Q")  # tensors
        return {string(): value(read("I")) for _ in range(read("Q"))}


def smollm2(gguf):
    """GPT-2 style: every digit alone, then the ByteLevel pattern. The GGUF has no flags beside the token type."""
    m = gguf_metadata(gguf)
    tokens, types = m["tokenizer.ggml.tokens"], m["tokenizer.ggml.token_type"]
    level = {"type": "ByteLevel", "add_prefix_space": False, "trim_offsets": True, "use_regex": True}
    return {"version": "1.0", "truncation": None, "padding": None,
            "added_tokens": [added(i, t, True) for i, t in enumerate(tokens) if types[i] == 3],
            "normalizer": None,
            "pre_tokenizer": {"type": "Sequence",
                              "pretokenizers": [{"type": "Digits", "individual_digits": True}, level]},
            "post_processor": None,
            "decoder": {**level, "add_prefix_space": True},
            "model": {"type": "BPE", "dropout": None, "unk_token": None, "continuing_subword_prefix": None,
                      "end_of_word_suffix": None, "fuse_unk": False, "byte_fallback": False, "ignore_merges": False,
                      "vocab": {t: i for i, t in enumerate(tokens)}, "merges": m["tokenizer.ggml.merges"]}}


def main():
    packages, gguf, out = sys.argv[1:4]
    os.makedirs(out, exist_ok=True)
    base = {}
    for name in ("deepseek_v3", "llama3_1", "qwen3"):
        for part, suffix in (("tokenizer", ".json"), ("tokenizer_config", ".config.json")):
            with open(f"{packages}/{name}/package/models/{part}.json", "rb") as f:
                data = f.read()
            with open(f"{out}/{name}{suffix}", "wb") as f:
                f.write(data)
            if part == "tokenizer":
                base[name] = json.loads(data)
    made = {"deepseek_r1": deepseek_r1(base["deepseek_v3"]), "qwen2_5": qwen2_5(base["qwen3"]),
            "r1_distill_qwen": r1_distill_qwen(base["qwen3"]), "r1_distill_llama": r1_distill_llama(base["llama3_1"]),
            "smollm2": smollm2(gguf)}
    for name, tokenizer in made.items():
        with open(f"{out}/{name}.json", "w", encoding="utf-8") as f:
            json.dump(tokenizer, f, ensure_ascii=False, separators=(",", ":"))


if __name__ == "__main__":
    main()
