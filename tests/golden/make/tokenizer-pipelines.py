"""Encodes texts with pipelines put together at random from the parts that tokenizer.json can have: tests/golden/tokenizer-pipelines.json.

Run: python tests/golden/make/tokenizer-pipelines.py   (needs tokenizers)
Each pipeline replaces parts of a committed tokenizer.json. `unknown` is tokenizer-fallback without its bytes, so that
characters can be unknown. A pipeline that Python refuses is drawn again.
"""
import json, pathlib, random

import tokenizers

from provenance import provenance, write_golden

golden = pathlib.Path(__file__).parent.parent
TEXTS = [
    "", " ", "the", " the  people ", "quiet and devastating film", "Fellow-Citizens of  the Senate,\n\tand 1776!",
    "in 12 345 days; 6½ or ²", "naïve façade e\u0301 \ufb01ne", "日本 語", "😀😀 a😀", "▁the ▁▁ x", "\n\nline\r\n end \u00a0\u3000x", "a\u0085b\ufeffc",
    "<s>in the</s>", "x   y", "   ", "I'll don't WE'RE", "\t\tthe\t", "aaa  bbb--- the---", "A B C 1 2 3",
]
BYTES = {"type": "ByteLevel", "add_prefix_space": False, "trim_offsets": True, "use_regex": False}
BEHAVIORS = ["Isolated", "Removed", "MergedWithPrevious", "MergedWithNext", "Contiguous"]
PATTERNS = [{"String": " "}, {"String": "e"}, {"Regex": r"\s+"}, {"Regex": r"\p{L}+"}, {"Regex": r"[0-9]"}, {"Regex": r" ?\p{L}+|\s"}]


def metaspace(draw):
    return {"type": "Metaspace", "replacement": "▁", "prepend_scheme": draw.choice(["always", "first", "never"]), "split": draw.random() < 0.6}


def part(draw):
    return draw.choice([
        lambda: {"type": "WhitespaceSplit"},
        lambda: {"type": "Digits", "individual_digits": draw.random() < 0.5},
        lambda: metaspace(draw),
        lambda: {"type": "Split", "pattern": draw.choice(PATTERNS), "behavior": draw.choice(BEHAVIORS), "invert": draw.random() < 0.25},
    ])()


def normalizer(draw):
    one = lambda: draw.choice([
        {"type": "NFC"}, {"type": "NFKC"}, {"type": "NFD"}, {"type": "Lowercase"}, {"type": "Prepend", "prepend": "▁"},
        {"type": "Replace", "pattern": {"String": " "}, "content": "▁"}, {"type": "Replace", "pattern": {"Regex": " {2,}"}, "content": " "},
        {"type": "Strip", "strip_left": draw.random() < 0.5, "strip_right": True},
    ])
    return None if draw.random() < 0.5 else {"type": "Sequence", "normalizers": [one() for _ in range(draw.randint(1, 2))]}


def decoder(draw):
    replace = {"type": "Replace", "pattern": {"String": "▁"}, "content": " "}
    return draw.choice([
        None, {"type": "Metaspace", "replacement": "▁", "prepend_scheme": draw.choice(["always", "first", "never"]), "split": True},
        {"type": "Sequence", "decoders": [replace, {"type": "ByteFallback"}, {"type": "Fuse"}, {"type": "Strip", "content": " ", "start": 1, "stop": 0}]},
        {"type": "Sequence", "decoders": [{"type": "ByteFallback"}, {"type": "Metaspace", "replacement": "▁", "prepend_scheme": "always", "split": True}]},
    ])


def pipeline(draw, base):
    parts = [part(draw) for _ in range(draw.randint(1, 3))]
    if base == "tokenizer-small":
        parts.append(BYTES | {"add_prefix_space": draw.random() < 0.3, "use_regex": draw.random() < 0.5})
        if draw.random() < 0.4:
            draw.shuffle(parts)  # parts behind ByteLevel
    pre = {"type": "Sequence", "pretokenizers": parts} if len(parts) > 1 else parts[0]
    patch = {"normalizer": normalizer(draw), "pre_tokenizer": pre}
    return patch if base == "tokenizer-small" else patch | {"decoder": decoder(draw)}


def source(base, draw):
    folder = "tokenizer-fallback" if base == "unknown" else base
    config = json.loads((golden / folder / "tokenizer.json").read_text()) | {"post_processor": None}
    if base != "unknown":
        return config, {}
    model = {"byte_fallback": False, "fuse_unk": draw.random() < 0.5}
    return config, model


draw = random.Random(20261127)
pipelines = []
while len(pipelines) < 130:
    base = draw.choice(["tokenizer-small", "tokenizer-fallback", "tokenizer-fallback", "unknown"])
    config, model = source(base, draw)
    patch = pipeline(draw, base)
    whole = config | patch | {"model": config["model"] | model}
    try:
        tokenizer = tokenizers.Tokenizer.from_str(json.dumps(whole))
    except Exception:
        continue
    tokenizer.encode_special_tokens = True
    encodings = [tokenizer.encode(text, add_special_tokens=False).ids for text in TEXTS]
    decoded = [tokenizer.decode(ids, skip_special_tokens=False) for ids in encodings]
    pipelines.append({"base": base, "patch": patch, "model": model, "ids": encodings, "decoded": decoded})
write_golden("tokenizer-pipelines.json", provenance(__file__, "tokenizers", ["tokenizers"]) | {"texts": TEXTS, "pipelines": pipelines})
