#!/usr/bin/env python3
"""Writes the first files of tests/fuzz/corpus/{gguf,safetensors,config}; run from the top of the tree.

Each is small and reaches another part of the readers. Files found by fuzzing are added beside them under other names."""
import json
import os
import struct

TOP = os.path.join(os.path.dirname(os.path.abspath(__file__)), "corpus")


def write(target, name, data):
    folder = os.path.join(TOP, target)
    os.makedirs(folder, exist_ok=True)
    with open(os.path.join(folder, name), "wb") as f:
        f.write(data if isinstance(data, bytes) else data.encode())


# ---- GGUF

FORMATS = {0: "B", 1: "b", 2: "H", 3: "h", 4: "I", 5: "i", 6: "f", 7: "B", 10: "Q", 11: "q", 12: "d"}


def text(s):
    b = s if isinstance(s, bytes) else s.encode()
    return struct.pack("<Q", len(b)) + b


def value(kind, v):
    if kind == 8:
        return text(v)
    if kind == 9:
        item, items = v
        return struct.pack("<IQ", item, len(items)) + b"".join(value(item, x) for x in items)
    return struct.pack("<" + FORMATS[kind], v)


def gguf(kv=(), tensors=(), data=b"", version=3, alignment=32):
    out = b"GGUF" + struct.pack("<IQQ", version, len(tensors), len(kv))
    for key, kind, v in kv:
        out += text(key) + struct.pack("<I", kind) + value(kind, v)
    for name, kind, offset, dims in tensors:
        out += text(name) + struct.pack("<I", len(dims)) + struct.pack("<%dQ" % len(dims), *dims) + struct.pack("<IQ", kind, offset)
    return out + b"\0" * (-len(out) % alignment) + data


EVERY = [("u8", 0, 1), ("i8", 1, -1), ("u16", 2, 500), ("i16", 3, -500), ("u32", 4, 70000), ("i32", 5, -70000), ("f32", 6, 1e-6),
         ("bool", 7, 1), ("string", 8, "a \"b\"\n"), ("u64", 10, 2**64 - 1), ("i64", 11, -2**63), ("f64", 12, 0.1)]
write("gguf", "empty", gguf())
write("gguf", "every_value", gguf(EVERY))
write("gguf", "version_2", gguf(EVERY[:3], [("t", 0, 0, [2])], b"\1" * 8, version=2))
write("gguf", "arrays", gguf([("a%d" % k, 9, (k, [v, v])) for _, k, v in EVERY] + [("none", 9, (4, []))]))
write("gguf", "nested", gguf([("n", 9, (9, [(9, [(9, [(0, [1, 2])])]), (8, ["x"])]))]))
write("gguf", "alignment", gguf([("general.alignment", 4, 8)], [("a", 0, 0, [1]), ("b", 1, 8, [1, 2])], b"\1" * 12, alignment=8))
write("gguf", "types", gguf([], [("q8", 8, 0, [32]), ("q4", 2, 64, [32, 2]), ("q6", 14, 128, [256]), ("b", 30, 352, [3, 1, 1, 2])], b"\1" * 364))
write("gguf", "disordered", gguf([], [("b", 0, 64, [4]), ("a", 0, 0, [16])], b"\1" * 80))
write("gguf", "overlap", gguf([], [("a", 0, 0, [16]), ("b", 0, 32, [4])], b"\1" * 80))
write("gguf", "unsupported", gguf([], [("a", 16, 0, [256])], b"\1" * 66))
write("gguf", "part", gguf([("split.no", 2, 0), ("split.count", 2, 2), ("split.tensors.count", 5, 1)], [("a", 0, 0, [1])], b"\1" * 4))
write("gguf", "huge_count", b"GGUF" + struct.pack("<IQQ", 3, 2**60, 2**60))
VOCAB = [("general.architecture", 8, "llama"), ("tokenizer.ggml.model", 8, "gpt2"), ("tokenizer.ggml.tokens", 9, (8, ["a", "b", "ab", "\u0120"])),
         ("tokenizer.ggml.token_type", 9, (5, [1, 1, 1, 3])), ("tokenizer.ggml.merges", 9, (8, ["a b"])), ("tokenizer.ggml.bos_token_id", 4, 3)]
write("gguf", "vocabulary", gguf(VOCAB))

# ---- safetensors


def entry(dtype, shape, begin, end):
    return {"dtype": dtype, "shape": shape, "data_offsets": [begin, end]}


def safetensors(header, data=b""):
    h = json.dumps(header).encode() if not isinstance(header, bytes) else header
    return struct.pack("<Q", len(h)) + h + data


ONE = {"w": entry("F32", [4, 4], 0, 64)}
write("safetensors", "empty", safetensors({}))
write("safetensors", "one", safetensors(ONE, b"\1" * 64))
write("safetensors", "padded", safetensors(json.dumps(ONE).encode() + b"     ", b"\1" * 64))
write("safetensors", "metadata", safetensors({"__metadata__": {"format": "pt", "x": "{[\""}, "w": entry("U8", [1], 0, 1)}, b"\1"))
write("safetensors", "many", safetensors({"b": entry("BF16", [2, 3], 8, 20), "a": entry("F8_E4M3", [8], 0, 8), "s": entry("I64", [], 20, 28),
                                          "none": entry("F16", [0, 9], 20, 20), "f4": entry("F4", [4], 28, 30)}, b"\1" * 30))
write("safetensors", "header_one", json.dumps(ONE))
write("safetensors", "header_two", json.dumps({"a": entry("F16", [16], 32, 64), "b": entry("F32", [2, 4], 0, 32)}))
write("safetensors", "header_escapes", '{"a\\u002e\\ud83d\\ude00\\n":{"dtype":"U8","shape":[64],"data_offsets":[0,64]}}')
write("safetensors", "header_gap", json.dumps({"a": entry("U8", [10], 0, 10), "b": entry("U8", [50], 14, 64)}))
write("safetensors", "header_overlap", json.dumps({"a": entry("U8", [40], 0, 40), "b": entry("U8", [40], 24, 64)}))
write("safetensors", "header_twice", '{"a":{"dtype":"U8","shape":[32],"data_offsets":[0,32]},"a":{"dtype":"U8","shape":[32],"data_offsets":[32,64]}}')
write("safetensors", "header_deep", '{"a":{"dtype":"U8","shape":[[[[[[1]]]]]]}}')
write("safetensors", "huge", struct.pack("<Q", 2**60) + b"{}")

# ---- Hugging Face folders


def folder(files):
    out = ""
    for name, content in files.items():
        out += "=== %s\n%s\n" % (name, content if isinstance(content, str) else json.dumps(content))
    return out


ALPHABET = [chr(b) for b in list(range(33, 127)) + list(range(161, 173)) + list(range(174, 256))] + [chr(256 + i) for i in range(68)]
SPLIT = ("(?i:'s|'t|'re|'ve|'m|'ll|'d)|[^\\r\\n\\p{L}\\p{N}]?\\p{L}+|\\p{N}| ?[^\\s\\p{L}\\p{N}]+[\\r\\n]*|\\s*[\\r\\n]+|\\s+(?!\\S)|\\s+")
TOKENIZER = {"version": "1.0", "added_tokens": [{"id": 257, "content": "<|eos|>", "special": True, "normalized": False, "lstrip": False, "rstrip": False,
                                                   "single_word": False}],
             "normalizer": {"type": "NFC"},
             "pre_tokenizer": {"type": "Sequence", "pretokenizers": [{"type": "Split", "pattern": {"Regex": SPLIT}, "behavior": "Isolated", "invert": False},
                                                                     {"type": "ByteLevel", "add_prefix_space": False, "trim_offsets": False, "use_regex": False}]},
             "post_processor": None, "decoder": {"type": "ByteLevel"},
             "model": {"type": "BPE", "vocab": dict([(c, i) for i, c in enumerate(ALPHABET)] + [("ab", 256)]), "merges": ["a b"]}}
FP8 = {"quant_method": "fp8", "fmt": "e4m3", "activation_scheme": "dynamic", "weight_block_size": [128, 128]}
W = entry("F8_E4M3", [2, 200], 0, 400)
S = entry("F32", [1, 2], 0, 8)
write("config", "empty", folder({"config.json": {}}))
write("config", "single", folder({"config.json": {"model_type": "llama"}, "model.safetensors 64": ONE}))
write("config", "sharded", folder({"config.json": {}, "model.safetensors.index.json": {"metadata": {"total_size": 128}, "weight_map": {"w": "a.safetensors", "v": "b.safetensors"}},
                                   "a.safetensors 64": ONE, "b.safetensors 64": {"v": entry("BF16", [32], 0, 64)}}))
write("config", "fp8", folder({"config.json": {"quantization_config": FP8}, "model.safetensors.index.json": {"weight_map": {"w": "a.safetensors", "w_scale_inv": "b.safetensors"}},
                               "a.safetensors 400": {"w": W}, "b.safetensors 8": {"w_scale_inv": S}}))
write("config", "fp8_single", folder({"config.json": {"quantization_config": None}, "model.safetensors 408": {"w": W, "w_scale_inv": entry("F32", [1, 2], 400, 408)}}))
write("config", "other_quantization", folder({"config.json": {"quantization_config": {"quant_method": "awq", "bits": 4}}, "model.safetensors 64": ONE}))
write("config", "outside", folder({"config.json": {}, "model.safetensors.index.json": {"weight_map": {"w": "../a.safetensors"}}}))
write("config", "not_in_index", folder({"config.json": {}, "model.safetensors.index.json": {"weight_map": {"w": "a.safetensors"}},
                                        "a.safetensors 128": {"w": entry("F32", [16], 0, 64), "x": entry("F32", [16], 64, 128)}}))
write("config", "template", folder({"tokenizer_config.json": {"chat_template": [{"name": "default", "template": "{{ bos_token }}"}]}, "tokenizer.json": {}}))
write("config", "template_file", folder({"config.json": {}, "tokenizer_config.json": {"chat_template": "a"}, "chat_template.jinja": "{% for m in messages %}"}))
write("config", "tokenizer", folder({"config.json": {"eos_token_id": 257}, "tokenizer.json": json.dumps(TOKENIZER, ensure_ascii=False)}))
write("config", "eos", folder({"config.json": {}, "generation_config.json": {"eos_token_id": [257, 3]}, "tokenizer_config.json": {"eos_token": "<|eos|>", "add_bos_token": False},
                               "tokenizer.json": json.dumps(TOKENIZER, ensure_ascii=False)}))
