#!/usr/bin/env python3
"""Writes the first files of tests/fuzz/corpus/{gguf,safetensors,config,model,imatrix,encode_block}; run from the top of the tree.

Each is small and reaches another part of the readers. Files found by fuzzing are added beside them under other names."""
import json
import math
import os
import random
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

# ---- whole models in folders: what converts to GGUF. Their weights are zeros.

LLAMA = {"model_type": "llama", "hidden_size": 4, "num_hidden_layers": 1, "num_attention_heads": 2, "num_key_value_heads": 1, "intermediate_size": 6, "vocab_size": 258,
         "max_position_embeddings": 64, "rms_norm_eps": 1e-5, "rope_theta": 500000.0, "tie_word_embeddings": True, "torch_dtype": "bfloat16",
         "rope_scaling": {"rope_type": "llama3", "factor": 8.0, "low_freq_factor": 1.0, "high_freq_factor": 4.0, "original_max_position_embeddings": 32}}
V3 = {"model_type": "deepseek_v3", "hidden_size": 4, "num_hidden_layers": 1, "num_attention_heads": 2, "num_key_value_heads": 2, "intermediate_size": 6, "vocab_size": 258,
      "max_position_embeddings": 64, "rms_norm_eps": 1e-6, "rope_theta": 10000.0, "tie_word_embeddings": False, "q_lora_rank": 3, "kv_lora_rank": 4,
      "qk_nope_head_dim": 2, "qk_rope_head_dim": 2, "v_head_dim": 3, "moe_intermediate_size": 5, "n_routed_experts": 4, "num_experts_per_tok": 2, "n_shared_experts": 1,
      "first_k_dense_replace": 0, "moe_layer_freq": 1, "n_group": 2, "topk_group": 1, "scoring_func": "sigmoid", "topk_method": "noaux_tc", "norm_topk_prob": True,
      "routed_scaling_factor": 2.5, "num_nextn_predict_layers": 0, "quantization_config": FP8,
      "rope_scaling": {"type": "yarn", "factor": 4.0, "original_max_position_embeddings": 16, "mscale": 1.0, "mscale_all_dim": 1.0, "beta_fast": 32, "beta_slow": 1}}
ADVICE = {"bos_token_id": 256, "eos_token_id": [257, 256], "temperature": 0.6, "top_p": 0.95, "top_k": 20, "min_p": 0.1, "repetition_penalty": 1.1}


def whole(name, config, shapes, fp8=()):
    header, at = {}, 0
    for tensor, shape in shapes.items():
        size = math.prod(shape) * (1 if tensor in fp8 else 2)
        header[tensor] = entry("F8_E4M3" if tensor in fp8 else "BF16", shape, at, at + size)
        at += size
    for tensor in fp8:
        shape = [-(-n // 128) for n in shapes[tensor]]
        size = math.prod(shape) * 4
        header[tensor + "_scale_inv"] = entry("F32", shape, at, at + size)
        at += size
    write("config", name, folder({"config.json": config, "generation_config.json": ADVICE, "tokenizer_config.json": {"eos_token": "<|eos|>", "chat_template": "{{ bos_token }}"},
                                  "tokenizer.json": json.dumps(TOKENIZER, ensure_ascii=False), "model.safetensors %d" % at: header}))


def hf(layers, experts=0):
    shapes = {"model.embed_tokens.weight": [258, 4], "model.norm.weight": [4]}
    if experts:
        shapes["lm_head.weight"] = [258, 4]
    for i in range(layers):
        p = "model.layers.%d." % i
        shapes.update({p + "input_layernorm.weight": [4], p + "post_attention_layernorm.weight": [4]})
        if not experts:
            shapes.update({p + "self_attn.q_proj.weight": [4, 4], p + "self_attn.k_proj.weight": [2, 4], p + "self_attn.v_proj.weight": [2, 4], p + "self_attn.o_proj.weight": [4, 4],
                           p + "mlp.gate_proj.weight": [6, 4], p + "mlp.up_proj.weight": [6, 4], p + "mlp.down_proj.weight": [4, 6]})
            continue
        shapes.update({p + "self_attn.q_a_proj.weight": [3, 4], p + "self_attn.q_a_layernorm.weight": [3], p + "self_attn.q_b_proj.weight": [8, 3],
                       p + "self_attn.kv_a_proj_with_mqa.weight": [6, 4], p + "self_attn.kv_a_layernorm.weight": [4], p + "self_attn.kv_b_proj.weight": [10, 4],
                       p + "self_attn.o_proj.weight": [4, 6], p + "mlp.gate.weight": [experts, 4], p + "mlp.gate.e_score_correction_bias": [experts]})
        for e in ["experts.%d" % e for e in range(experts)] + ["shared_experts"]:
            shapes.update({p + "mlp.%s.gate_proj.weight" % e: [5, 4], p + "mlp.%s.up_proj.weight" % e: [5, 4], p + "mlp.%s.down_proj.weight" % e: [4, 5]})
    return shapes


whole("whole_llama", LLAMA, hf(1))
whole("whole_deepseek_v3", {k: v for k, v in V3.items() if k != "quantization_config"}, hf(1, 4))
whole("whole_deepseek_v3_fp8", V3, hf(1, 4), [x for x in hf(1, 4) if "_proj" in x])

# ---- importance matrices: a byte of options (fuzz_imatrix.c), then the file


def imatrix(name, options, *tensors, kind="imatrix"):
    """Of tensors (name, columns, matrices, counts)."""
    infos, data = [], b""
    for tensor, k, n, counts in tensors:
        for what, dims, values in ((".in_sum2", (k, n), [i % 7 * 0.5 for i in range(k * n)]), (".counts", (1, len(counts)), counts)):
            data += b"\0" * (-len(data) % 32)
            infos.append((tensor + what, 0, len(data), dims))
            data += struct.pack("<%df" % len(values), *values)
    keys = [("general.type", 8, kind), ("imatrix.datasets", 9, (8, ["text"])), ("imatrix.chunk_count", 4, 2), ("imatrix.chunk_size", 4, 512)]
    write("imatrix", name, bytes([options]) + gguf(keys, infos, data + b"\0" * (-len(data) % 32)))


imatrix("one", 0, ("a.weight", 32, 1, [5]))
imatrix("experts", 1, ("blk.0.ffn_up_exps.weight", 32, 2, [3, 0]), ("a.weight", 32, 1, [4]))
imatrix("heads", 2, ("blk.0.attn_k_b.weight", 32, 6, [1, 2, 3, 4, 5, 6]))
imatrix("heads_in_one_row", 4, ("blk.0.attn_k_b.weight", 32 * 6, 1, [6]), ("blk.0.ffn_up_exps.weight", 64, 1, [2]))
imatrix("by_256", 6, ("a.weight", 256, 1, [9]), ("blk.0.ffn_up_exps.weight", 256, 2, [1, 1]), ("blk.0.attn_k_b.weight", 256, 1, [1]))
imatrix("misshapen", 3, ("a.weight", 31, 1, [5]), ("blk.0.ffn_up_exps.weight", 32, 2, [1]))
imatrix("model", 5, ("a.weight", 32, 1, [5]), kind="model")
write("imatrix", "older_form", b"\0" + struct.pack("<ii", 1, 8) + b"a.weight" + struct.pack("<ii32f", 1, 32, *[1.0] * 32))

# ---- models: a byte of options (fuzz_model.c), then a GGUF file with one or two layers. Codes of quantised blocks are noise, their scales
# are small numbers of 16 bits, so that nothing overflows unless a mutation makes it.

F32, F16, Q4_0, Q8_0, Q4_K, Q6_K, BF16 = 0, 1, 2, 8, 12, 14, 30
AUTO, FULL, HALF, INT8, EXPANDED = 0, 1, 2, 3, 4  # bits 0 to 2 of the options
KV_F16, KV_BF16, KV_Q8_0, KV_F32 = 8, 16, 24, 32  # bits 3 to 5
BEST = 64                                         # bits 6 and 7: scalar, the machine's best, AVX2
BLOCKS = {Q4_0: (32, 18), Q8_0: (32, 34), Q4_K: (256, 144), Q6_K: (256, 210)}
PACKED = 0x5200  # added to the id of a type: panels of 16 rows
FIELDS = {Q4_0: ((2, 1), (4, 4)), Q8_0: ((2, 1), (4, 8)), Q4_K: ((2, 1), (2, 1), (4, 3), (4, 32)), Q6_K: ((4, 32), (4, 16), (4, 4), (2, 1))}  # unit, units
noise = random.Random(1)


def small(fmt, scale=0.02):
    return struct.pack("<" + fmt, scale * (0.5 + noise.random()))


def block(kind):
    codes = noise.randbytes(BLOCKS[kind][1])
    if kind == Q4_K:
        return small("e", 0.001) + small("e", 0.001) + codes[4:]
    if kind == Q6_K:
        return codes[2:] + small("e", 0.0001)
    return small("e") + codes[2:]


def numbers(kind, n):
    if kind in BLOCKS:
        return b"".join(block(kind) for _ in range(n // BLOCKS[kind][0]))
    values = [noise.uniform(-0.3, 0.3) for _ in range(n)]
    if kind == BF16:
        return b"".join(struct.pack("<f", v)[2:] for v in values)
    return struct.pack("<%d%s" % (n, "e" if kind == F16 else "f"), *values)


def panels(kind, k, rows, data):
    """One matrix of blocks as panels: for each block of 16 rows its fields, a unit of each row in turn."""
    size, out = BLOCKS[kind][1], b""
    per_row = k // BLOCKS[kind][0] * size
    data += b"\0" * (-rows % 16 * per_row)
    for first in range(0, rows, 16):
        for b in range(0, per_row, size):
            at = b
            for unit, n in FIELDS[kind]:
                for u in range(at, at + unit * n, unit):
                    out += b"".join(data[(first + r) * per_row + u:(first + r) * per_row + u + unit] for r in range(16))
                at += unit * n
    return out


class Model:
    """Tensors and metadata of one file; matrices are of self.kind where the row is a multiple of its block, vectors F32."""

    packed = False

    def __init__(self, arch, kind, vocab=40, embd=32, layers=1, heads=2, size=0, ff=32, ctx=256):
        self.arch, self.kind, self.vocab, self.embd, self.heads, self.ff = arch, kind, vocab, embd, heads, ff
        self.size = size or embd // heads
        self.kv = [("general.architecture", 8, arch), ("general.name", 8, "noise")]
        self.tensors, self.data = [], b""
        self.set(block_count=layers, context_length=ctx, embedding_length=embd, feed_forward_length=ff)
        self.set("attention.", head_count=heads, layer_norm_rms_epsilon=1e-5)
        self.add("token_embd.weight", embd, vocab)
        self.add("output_norm.weight", embd)

    def set(self, _prefix="", **values):
        for key, v in values.items():
            kind = 8 if isinstance(v, str) else 7 if isinstance(v, bool) else 6 if isinstance(v, float) else 4
            self.kv.append(("%s.%s%s" % (self.arch, _prefix, key), kind, v))

    def add(self, name, *dims, kind=None):
        kind = F32 if len(dims) == 1 else self.kind if kind is None else kind
        if kind in BLOCKS and dims[0] % BLOCKS[kind][0]:
            kind = F32
        n = 1
        for d in dims:
            n *= d
        packed = self.packed and kind in BLOCKS and name != "token_embd.weight"
        self.data += b"\0" * (-len(self.data) % 64 if self.packed else -len(self.data) % 32)
        self.tensors.append((name, kind + PACKED * packed, len(self.data), dims))
        data = numbers(kind, n)
        if packed:
            one = len(data) * dims[0] * dims[1] // n
            data = b"".join(panels(kind, dims[0], dims[1], data[i:i + one]) for i in range(0, len(data), one))
        self.data += data

    def words(self):
        """A tokenizer: single bytes, three merges, two added tokens."""
        tokens = [chr(c) for c in range(97, 123)] + ["\u0120", "\u010a", "0", "1", ".", ",", "th", "the", "\u0120the"]
        tokens += ["<bos>", "<eos>"] + ["[PAD%d]" % i for i in range(self.vocab - len(tokens) - 2)]
        types = [1] * 35 + [3, 3] + [5] * (self.vocab - 37)
        self.kv += [("tokenizer.ggml.model", 8, "gpt2"), ("tokenizer.ggml.pre", 8, "llama-bpe"), ("tokenizer.ggml.tokens", 9, (8, tokens)),
                    ("tokenizer.ggml.token_type", 9, (5, types)), ("tokenizer.ggml.merges", 9, (8, ["t h", "th e", "\u0120 the"])),
                    ("tokenizer.ggml.bos_token_id", 4, 35), ("tokenizer.ggml.eos_token_id", 4, 36), ("tokenizer.ggml.add_bos_token", 7, True)]

    def mlp(self, i, width, suffix=""):
        self.add("blk.%d.ffn_gate%s.weight" % (i, suffix), self.embd, width)
        self.add("blk.%d.ffn_up%s.weight" % (i, suffix), self.embd, width)
        self.add("blk.%d.ffn_down%s.weight" % (i, suffix), width, self.embd)

    def grouped(self, i, kv_heads, bias=False):
        size = self.size
        self.add("blk.%d.attn_norm.weight" % i, self.embd)
        for name, rows in (("q", self.heads * size), ("k", kv_heads * size), ("v", kv_heads * size)):
            self.add("blk.%d.attn_%s.weight" % (i, name), self.embd, rows)
            if bias:
                self.add("blk.%d.attn_%s.bias" % (i, name), rows)
        self.add("blk.%d.attn_output.weight" % i, self.heads * size, self.embd)
        self.add("blk.%d.ffn_norm.weight" % i, self.embd)
        self.mlp(i, self.ff)

    def latent(self, i, q_lora, lora, nope, rope, v, combined):
        p = "blk.%d." % i
        self.add(p + "attn_norm.weight", self.embd)
        if q_lora:
            self.add(p + "attn_q_a.weight", self.embd, q_lora)
            self.add(p + "attn_q_a_norm.weight", q_lora)
        self.add(p + ("attn_q_b.weight" if q_lora else "attn_q.weight"), q_lora or self.embd, self.heads * (nope + rope))
        self.add(p + "attn_kv_a_mqa.weight", self.embd, lora + rope)
        self.add(p + "attn_kv_a_norm.weight", lora)
        if combined:
            self.add(p + "attn_kv_b.weight", lora, self.heads * (nope + v))
        else:
            self.add(p + "attn_k_b.weight", nope, lora, self.heads)
            self.add(p + "attn_v_b.weight", lora, v, self.heads)
        self.add(p + "attn_output.weight", self.heads * v, self.embd)
        self.add(p + "ffn_norm.weight", self.embd)

    def experts(self, i, n, width, shared, bias):
        p = "blk.%d." % i
        self.add(p + "ffn_gate_inp.weight", self.embd, n, kind=F32)
        if bias:
            self.add(p + "exp_probs_b.bias", n)
        self.add(p + "ffn_gate_exps.weight", self.embd, width, n)
        self.add(p + "ffn_up_exps.weight", self.embd, width, n)
        self.add(p + "ffn_down_exps.weight", width, self.embd, n)
        if shared:
            self.mlp(i, shared * width, "_shexp")

    def write(self, name, options):
        data = self.data + b"\0" * (-len(self.data) % 32)
        kv = self.kv + [("general.alignment", 4, 64), ("r1.packed.version", 4, 1)] * self.packed
        write("model", name, bytes([options]) + gguf(kv, self.tensors, data, alignment=64 if self.packed else 32))


def llama(kind, words=False, scaling=False, **sizes):
    m = Model("llama", kind, **sizes)
    m.set("attention.", head_count_kv=1)
    m.set("attention.", key_length=m.size, value_length=m.size)
    m.set("rope.", dimension_count=m.size, freq_base=10000.0)
    m.set(vocab_size=m.vocab)
    if words:
        m.words()
    if scaling:
        m.set("rope.scaling.", type="llama3", factor=8.0, original_context_length=64, low_freq_factor=1.0, high_freq_factor=4.0)
    m.add("output.weight", m.embd, m.vocab)
    m.grouped(0, 1)
    return m


def rope_factors():
    m = llama(F32, vocab=8)
    m.add("rope_freqs.weight", 8)
    m.data = m.data[:-32] + struct.pack("<8f", 1, 1, 1, 2, 4, 8, 8, 8)
    return m


def qwen2(kind):
    m = Model("qwen2", kind, layers=2)
    m.set("attention.", head_count_kv=2)
    m.set("rope.scaling.", type="yarn", factor=4.0, original_context_length=64)
    for i in range(2):
        m.grouped(i, 2, bias=True)
    return m


def deepseek(kind, v3, combined=False, mtp=False, vocab=24, first=1, layers=2):
    lora, nope, rope, v, q_lora = 32, 32, 16, 32, 32 if v3 else 0
    n, width, shared = (8, 32, 1) if v3 else (3, 32, 2)
    m = Model("deepseek2", kind, vocab=vocab, layers=layers + mtp)
    m.set("attention.", kv_lora_rank=lora, head_count_kv=1, value_length=v, key_length=nope + rope)
    if q_lora:
        m.set("attention.", q_lora_rank=q_lora)
    if not combined:
        m.set("attention.", key_length=lora + rope, value_length=lora, key_length_mla=nope + rope, value_length_mla=v)
    m.kv = list({key: (key, kind, v) for key, kind, v in m.kv}.values())
    m.set("rope.", dimension_count=rope, freq_base=10000.0)
    m.set("rope.scaling.", type="yarn", factor=40.0, original_context_length=32, yarn_log_multiplier=0.1)
    m.set(leading_dense_block_count=first, expert_count=n, expert_used_count=3, expert_shared_count=shared, expert_feed_forward_length=width,
          expert_weights_scale=2.5, expert_weights_norm=v3, expert_gating_func=2 if v3 else 1)
    if v3:
        m.set(expert_group_count=4, expert_group_used_count=2)
    if mtp:
        m.set(nextn_predict_layers=1)
    m.add("output.weight", m.embd, m.vocab)
    for i in range(layers + mtp):
        m.latent(i, q_lora, lora, nope, rope, v, combined)
        if i < first:
            m.mlp(i, m.ff)
        else:
            m.experts(i, n, width, shared, v3)
        if i == layers:
            m.add("blk.%d.nextn.eh_proj.weight" % i, 2 * m.embd, m.embd)
            for name in ("enorm", "hnorm", "shared_head_norm"):
                m.add("blk.%d.nextn.%s.weight" % (i, name), m.embd)
    return m


llama(F32, vocab=16).write("llama_f32", FULL | KV_F32)
llama(Q8_0, words=True).write("llama_q8_0", AUTO)
llama(Q4_0, scaling=True).write("llama_q4_0", BEST | KV_Q8_0)
llama(F16).write("llama_f16", INT8 | BEST)
rope_factors().write("llama_rope_freqs", AUTO)
llama(Q4_K, embd=256, vocab=17, ff=8, size=4).write("llama_q4_k", BEST)
llama(Q6_K, embd=256, vocab=33, ff=4, size=2).write("llama_q6_k", AUTO)
qwen2(BF16).write("qwen2_bf16", HALF | KV_BF16)
qwen2(Q4_0).write("qwen2_q4_0", FULL | KV_F16)
deepseek(Q8_0, v3=False).write("deepseek_v2_split", AUTO | BEST)
deepseek(Q8_0, v3=False, combined=True, first=0, layers=1).write("deepseek_v2_combined", EXPANDED)
deepseek(Q4_0, v3=True, mtp=True, layers=1, first=0).write("deepseek_v3_mtp", AUTO)
deepseek(Q4_0, v3=True, combined=True).write("deepseek_v3_combined", HALF | EXPANDED | BEST | KV_Q8_0)
deepseek(Q4_0, v3=True, mtp=True, layers=1).write("deepseek_v3_dense", FULL)

# Packed files: matrices of 16 and of other numbers of rows, stacks; the first also through the path that decodes rows.
Model.packed = True
llama(Q4_0, words=True).write("packed_llama_q4_0", AUTO | BEST)
llama(Q8_0, vocab=37).write("packed_llama_decoded", FULL)
llama(Q4_K, embd=256, ff=256, vocab=37).write("packed_llama_q4_k", AUTO)
deepseek(Q8_0, True).write("packed_deepseek_v3", AUTO | EXPANDED | BEST)
write("gguf", "packed", gguf([("r1.packed.version", 4, 1)], [("a", PACKED + Q4_0, 0, (32, 17)), ("b", PACKED + Q8_0, 576 + 64, (32, 1, 2))], b"\x11" * (640 + 2 * 544), alignment=64))
write("gguf", "packed_no_version", gguf([], [("a", PACKED + Q4_0, 0, (32, 16))], b"\x11" * 288, alignment=64))

# Bits of floats to encode: the type, whether half of it is importance, then little-endian float32.
SINE = [math.sin(i * 0.7) * (1 + i % 5) for i in range(64)]
for number in range(16):
    write("encode_block", "sine_%02d" % number, bytes([number, number % 2]) + struct.pack("<64f", *SINE))
EDGES = [0.0, -0.0, 1e-45, -1e-38, 6e-8, 3e-5, 65504.0, -65520.0, 3e38, -3e38, float("inf"), float("-inf"), float("nan"), 1.0, -1.0, 1e9]
for number in (3, 9, 10, 12, 14, 15):
    write("encode_block", "edges_%02d" % number, bytes([number, 0]) + struct.pack("<16f", *EDGES))
