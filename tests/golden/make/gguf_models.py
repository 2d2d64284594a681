"""Writes tiny random models as GGUF files, and what transformers makes of the same files: log-probabilities, token ids.

tests/golden/gguf/<architecture>.gguf   a decoder with random weights in many number formats, and a tokenizer
tests/golden/gguf.json                  for each: token ids, their log-probabilities, the last position's logits, texts
                                        with their ids, and a rendered chat
The tensors are laid out as llama.cpp's converter does: query and key rows of llama interleaved, gemma's norms plus
one, gpt2's matrices transposed. K formats, which the package cannot write, are random blocks with small scales.
Token ids are those of transformers' reading of the file, but for the cutting into words of smollm, whose digits stand
alone in the model's own tokenizer.json and in llama.cpp.
Run: python tests/golden/make/gguf_models.py   (needs torch, transformers, gguf, tokenizers)
"""

import json

import numpy as np
import torch
from gguf import GGML_QUANT_SIZES, GGMLQuantizationType, GGUFWriter
from gguf.quants import quantize
from tokenizers import normalizers, pre_tokenizers
from transformers import AutoConfig, AutoModelForCausalLM, AutoTokenizer, LlamaConfig
from transformers.modeling_rope_utils import ROPE_INIT_FUNCTIONS

from provenance import GOLDEN, decimals, provenance, write_golden

FOLDER = GOLDEN / "gguf"
MERGES = 200
HIDDEN, HEADS, KV, HEAD, FEED = 32, 4, 2, 8, 256
TEXTS = [
    "The history of the user, written in 2021.",
    "  12 tabs\tand  spaces 3456\n\n",
    "it's 'quoted' & <|end|> spelled",
    "naïve café — 日本語 🙂 e\u0301",
    "x=1;y_2+=3.14",
]
CHAT = [{"role": "user", "content": "What is it?"}, {"role": "assistant", "content": "A test."}]
TEMPLATE = "{% for m in messages %}<|{{ m.role }}|>{{ m.content }}<|end|>{% endfor %}{% if add_generation_prompt %}<|assistant|>{% endif %}"
# What transformers leaves at the default of its config class, though the file says it.
NOT_READ = {"qwen3": {"head_dim": 16}, "gemma3": {"head_dim": 16, "query_pre_attn_scalar": 16}, "gpt2": {"n_positions": 64}}
# What the word cutting of a file's name should be, where transformers ignores the name.
SMOLLM = pre_tokenizers.Sequence([pre_tokenizers.Digits(individual_digits=True), pre_tokenizers.ByteLevel(add_prefix_space=False)])


def k_blocks(random, rows, columns, kind):
    """Random blocks of a K format, with scales near 1/1000 so that the values are those of weights."""
    values, size = GGML_QUANT_SIZES[kind]
    blocks = random.integers(0, 256, (rows * columns // values, size), dtype=np.uint8)
    scale = lambda: (random.random(len(blocks)) * 1e-3).astype(np.float16).view(np.uint8).reshape(-1, 2)
    if kind == GGMLQuantizationType.Q6_K:
        blocks[:, -2:] = (random.random(len(blocks)) * 1e-4).astype(np.float16).view(np.uint8).reshape(-1, 2)
    else:
        blocks[:, 0:2] = scale()
        blocks[:, 2:4] = scale()
    return blocks.reshape(rows, -1)


class Maker:
    def __init__(self, architecture, seed):
        self.architecture = architecture
        self.random = np.random.default_rng(seed)
        self.writer = GGUFWriter(FOLDER / f"{architecture}.gguf", architecture)

    def matrix(self, name, rows, columns, kind, layout=lambda w: w, scale=0.25):
        kind = GGMLQuantizationType[kind]
        if "_K" in kind.name:
            data = k_blocks(self.random, rows, columns, kind)
        else:
            data = quantize(layout((self.random.standard_normal((rows, columns)) * scale).astype(np.float32)), kind)
        self.writer.add_tensor(name, data, raw_dtype=kind)

    def vector(self, name, size, mean=0.0, scale=0.2):
        self.writer.add_tensor(name, (mean + scale * self.random.standard_normal(size)).astype(np.float32))

    def finish(self):
        self.writer.write_header_to_file()
        self.writer.write_kv_data_to_file()
        self.writer.write_tensors_to_file()
        self.writer.close()


def interleaved(heads):
    return lambda w: w.reshape(heads, 2, w.shape[0] // heads // 2, -1).swapaxes(1, 2).reshape(w.shape)


def byte_level_tokenizer(writer, pre):
    small = json.loads((GOLDEN / "tokenizer-small" / "tokenizer.json").read_text())["model"]
    specials = 4
    tokens = sorted(small["vocab"], key=small["vocab"].get)[: specials + 256 + MERGES]
    if small["vocab"][tokens[0]] != 0:
        raise SystemExit("expected the specials in the vocabulary")
    writer.add_tokenizer_model("gpt2")
    writer.add_tokenizer_pre(pre)
    writer.add_token_list(tokens)
    writer.add_token_types([3] * specials + [1] * (len(tokens) - specials))
    writer.add_token_merges([" ".join(m) if isinstance(m, list) else m for m in small["merges"][:MERGES]])
    writer.add_bos_token_id(1)
    writer.add_eos_token_id(3)
    writer.add_pad_token_id(0)
    writer.add_add_bos_token(False)
    writer.add_chat_template(TEMPLATE)
    return len(tokens)


def sentencepiece_tokenizer(writer):
    pieces = [("<pad>", 3), ("<eos>", 3), ("<bos>", 3), ("<unk>", 2), ("<|user|>", 3), ("<|assistant|>", 3), ("<|end|>", 3)]
    pieces += [("\n\n", 4), ("  ", 1), ("   ", 1)]
    pieces += [(f"<0x{byte:02X}>", 6) for byte in range(256)]
    words = ["th", "▁th", "the", "▁the", "he", "in", "er", "▁in", "st", "an", "and", "▁and", "▁s", "his", "hist", "is", "▁h", "▁hist", "or", "ory", "tory", "story", "us", "user", "▁us", "▁user", "it", "▁it"]
    pieces += [(word, 1) for word in words]
    letters = "▁etaoinshrdlucmfwygpbvkxjqzTIA0123456789.,'=;_+é"
    pieces += [(letter, 1) for letter in letters]
    writer.add_tokenizer_model("llama")
    writer.add_tokenizer_pre("default")
    writer.add_token_list([piece for piece, _ in pieces])
    writer.add_token_scores([-float(i) for i in range(len(pieces))])
    writer.add_token_types([kind for _, kind in pieces])
    writer.add_bos_token_id(2)
    writer.add_eos_token_id(1)
    writer.add_unk_token_id(3)
    writer.add_pad_token_id(0)
    writer.add_add_bos_token(True)
    writer.add_add_space_prefix(False)
    writer.add_chat_template("{{ bos_token }}" + TEMPLATE)
    return len(pieces)


def shape_keys(writer, layers, feed, context):
    writer.add_block_count(layers)
    writer.add_context_length(context)
    writer.add_embedding_length(HIDDEN)
    writer.add_feed_forward_length(feed)
    writer.add_head_count(HEADS)


def decoder(name, seed, pre, formats, layers=2, biases=False, head_norms=False, untied=False, head=HEAD):
    """Llama, Qwen 2 and Qwen 3."""
    maker = Maker(name, seed)
    writer = maker.writer
    shape_keys(writer, layers, FEED, 128)
    writer.add_head_count_kv(KV)
    writer.add_layer_norm_rms_eps(1e-5)
    writer.add_rope_freq_base(10000.0)
    writer.add_key_length(head)
    writer.add_value_length(head)
    vocabulary = byte_level_tokenizer(writer, pre)
    permute = interleaved if name == "llama" else lambda heads: lambda w: w
    maker.matrix("token_embd.weight", vocabulary, HIDDEN, "Q8_0", scale=0.5)
    for layer in range(layers):
        block = f"blk.{layer}"
        kinds = iter(formats[layer])
        maker.vector(f"{block}.attn_norm.weight", HIDDEN, 1.0)
        maker.matrix(f"{block}.attn_q.weight", HEADS * head, HIDDEN, next(kinds), permute(HEADS))
        maker.matrix(f"{block}.attn_k.weight", KV * head, HIDDEN, next(kinds), permute(KV))
        maker.matrix(f"{block}.attn_v.weight", KV * head, HIDDEN, next(kinds))
        maker.matrix(f"{block}.attn_output.weight", HIDDEN, HEADS * head, next(kinds))
        if biases:
            for part, heads in [("q", HEADS), ("k", KV), ("v", KV)]:
                maker.vector(f"{block}.attn_{part}.bias", heads * head)
        if head_norms:
            for part in "qk":
                maker.vector(f"{block}.attn_{part}_norm.weight", head, 1.0)
        maker.vector(f"{block}.ffn_norm.weight", HIDDEN, 1.0)
        maker.matrix(f"{block}.ffn_gate.weight", FEED, HIDDEN, next(kinds))
        maker.matrix(f"{block}.ffn_up.weight", FEED, HIDDEN, next(kinds))
        maker.matrix(f"{block}.ffn_down.weight", HIDDEN, FEED, next(kinds))
    maker.vector("output_norm.weight", HIDDEN, 1.0)
    if untied:
        maker.matrix("output.weight", vocabulary, HIDDEN, "Q5_0")
    maker.finish()


def gemma3(seed):
    maker = Maker("gemma3", seed)
    writer = maker.writer
    layers, feed, head = 6, 64, 16
    shape_keys(writer, layers, feed, 128)
    writer.add_head_count_kv(1)
    writer.add_layer_norm_rms_eps(1e-6)
    writer.add_key_length(head)
    writer.add_value_length(head)
    writer.add_rope_freq_base(1000000.0)
    writer.add_sliding_window(4)
    vocabulary = sentencepiece_tokenizer(writer)
    maker.matrix("token_embd.weight", vocabulary, HIDDEN, "Q8_0", scale=0.3)
    for layer in range(layers):
        block = f"blk.{layer}"
        for norm in ["attn_norm", "post_attention_norm", "ffn_norm", "post_ffw_norm"]:
            maker.vector(f"{block}.{norm}.weight", HIDDEN, 1.0)
        for part in "qk":
            maker.vector(f"{block}.attn_{part}_norm.weight", head, 1.0)
        maker.matrix(f"{block}.attn_q.weight", HEADS * head, HIDDEN, "Q8_0")
        maker.matrix(f"{block}.attn_k.weight", head, HIDDEN, "Q8_0")
        maker.matrix(f"{block}.attn_v.weight", head, HIDDEN, "Q8_0")
        maker.matrix(f"{block}.attn_output.weight", HIDDEN, HEADS * head, "Q8_0")
        maker.matrix(f"{block}.ffn_gate.weight", feed, HIDDEN, "Q4_0")
        maker.matrix(f"{block}.ffn_up.weight", feed, HIDDEN, "Q4_1")
        maker.matrix(f"{block}.ffn_down.weight", HIDDEN, feed, "Q5_1")
    maker.vector("output_norm.weight", HIDDEN, 1.0)
    maker.finish()


def gpt2(seed):
    maker = Maker("gpt2", seed)
    writer = maker.writer
    layers, feed = 2, 128
    shape_keys(writer, layers, feed, 64)
    writer.add_layer_norm_eps(1e-5)
    vocabulary = byte_level_tokenizer(writer, "gpt-2")
    maker.matrix("token_embd.weight", vocabulary, HIDDEN, "Q8_0", scale=0.5)
    maker.matrix("position_embd.weight", 64, HIDDEN, "F32", scale=0.2)
    for layer in range(layers):
        block = f"blk.{layer}"
        for norm in ["attn_norm", "ffn_norm"]:
            maker.vector(f"{block}.{norm}.weight", HIDDEN, 1.0)
            maker.vector(f"{block}.{norm}.bias", HIDDEN)
        for part, rows, columns in [
            ("attn_qkv", 3 * HIDDEN, HIDDEN), ("attn_output", HIDDEN, HIDDEN), ("ffn_up", feed, HIDDEN), ("ffn_down", HIDDEN, feed),
        ]:
            maker.matrix(f"{block}.{part}.weight", rows, columns, "F16")
            maker.vector(f"{block}.{part}.bias", rows)
    maker.vector("output_norm.weight", HIDDEN, 1.0)
    maker.vector("output_norm.bias", HIDDEN)
    maker.finish()


def expected(name):
    """What transformers makes of a file."""
    file = f"{name}.gguf"
    tokenizer = AutoTokenizer.from_pretrained(FOLDER, gguf_file=file)
    config = AutoConfig.from_pretrained(FOLDER, gguf_file=file)
    for key, value in NOT_READ.get(name, {}).items():
        setattr(config, key, value)
    model = AutoModelForCausalLM.from_pretrained(FOLDER, gguf_file=file, config=config, dtype=torch.float32, attn_implementation="eager").eval()
    if name == "llama":
        tokenizer.backend_tokenizer.pre_tokenizer = SMOLLM
    if name in ("qwen2", "qwen3"):
        tokenizer.backend_tokenizer.normalizer = normalizers.NFC()
    ids = np.random.default_rng(3).integers(4, 300, 14).tolist()
    with torch.no_grad():
        logits = model(torch.tensor([ids])).logits[0].double()
    log_probabilities = torch.log_softmax(logits, -1)
    chosen = log_probabilities[:-1].gather(1, torch.tensor(ids[1:])[:, None])[:, 0]
    plain = tokenizer.backend_tokenizer
    return {
        "ids": ids,
        "logProbabilities": decimals(chosen, 9),
        "lastLogits": decimals(logits[-1], 7),
        # The text of special tokens is for special tokens here; ours never yields one from a text.
        "texts": [{"text": text, "ids": plain.encode(text, add_special_tokens=False).ids} for text in TEXTS if "<|" not in text],
        "chat": tokenizer.apply_chat_template(CHAT, tokenize=False, add_generation_prompt=True),
        "vocabularySize": logits.shape[1],
    }


def rope_factors():
    """What Llama 3's converter writes into rope_freqs.weight, for two models."""
    factors = []
    for factor, head, theta in [(8.0, 128, 500000.0), (32.0, 64, 500000.0)]:
        rope = {"rope_type": "llama3", "rope_theta": theta, "factor": factor, "low_freq_factor": 1.0, "high_freq_factor": 4.0, "original_max_position_embeddings": 8192}
        config = LlamaConfig(head_dim=head, hidden_size=4 * head, num_attention_heads=4, max_position_embeddings=131072, rope_parameters=rope)
        scaled, _ = ROPE_INIT_FUNCTIONS["llama3"](config, "cpu")
        plain = 1.0 / theta ** (torch.arange(0, head, 2, dtype=torch.int64).float() / head)
        factors.append({"factor": factor, "headSize": head, "theta": theta, "factors": decimals(plain / scaled, 9)})
    return factors


def main():
    FOLDER.mkdir(exist_ok=True)
    decoder("llama", 1, "smollm", [["Q4_1", "Q5_1", "F16", "Q4_0", "Q5_0", "BF16", "Q4_K"], ["Q8_0", "F32", "Q4_1", "Q5_0", "Q4_0", "Q5_1", "Q6_K"]])
    decoder("qwen2", 2, "qwen2", [["Q8_0", "Q8_0", "F16", "Q4_0", "Q4_0", "Q4_1", "Q5_K"]] * 2, biases=True, untied=True)
    decoder("qwen3", 3, "qwen2", [["Q8_0", "Q8_0", "F16", "Q4_0", "Q4_0", "Q4_1", "Q4_K"]] * 2, head_norms=True, head=16)
    gemma3(4)
    gpt2(5)
    names = ["llama", "qwen2", "qwen3", "gemma3", "gpt2"]
    content = provenance(__file__, "transformers reading the files (gguf_file)", ["gguf", "numpy", "torch", "transformers", "tokenizers"])
    write_golden("gguf.json", {**content, "ropeFactors": rope_factors(), "models": {name: expected(name) for name in names}})


main()
