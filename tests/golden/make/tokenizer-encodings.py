"""Encodes the nasty texts with Python's tokenizers: ids, and offsets in UTF-16 units.

Run: python tests/golden/make/tokenizer-encodings.py TOKENIZER.json OUT.json [random texts] [patch]
The committed ones: each row of COMMITTED below, by `python tests/golden/make/tokenizer-encodings.py committed`.
Special tokens in a text are encoded as text; offsets keep a token's leading space (post-processors are left out).
"""
import datetime, importlib, json, pathlib, sys
import tokenizers

sys.path.insert(0, str(pathlib.Path(__file__).parent))
nasty = importlib.import_module("nasty-texts")

BYTES = {"type": "ByteLevel", "add_prefix_space": False, "trim_offsets": False, "use_regex": False}


def words(digits):
    """The pre-tokenizer of Qwen (digits alone) and Llama 3 (up to three digits)."""
    pattern = (
        r"(?i:'s|'t|'re|'ve|'m|'ll|'d)|[^\r\n\p{L}\p{N}]?\p{L}+|" + digits
        + r"| ?[^\s\p{L}\p{N}]+[\r\n]*|\s*[\r\n]+|\s+(?!\S)|\s+"
    )
    split = {"type": "Split", "pattern": {"Regex": pattern}, "behavior": "Isolated", "invert": False}
    return {"type": "Sequence", "pretokenizers": [split, BYTES]}


DIGITS = {"type": "Sequence", "pretokenizers": [{"type": "Digits", "individual_digits": True}, BYTES | {"use_regex": True}]}
GEMMA = {
    "normalizer": {"type": "Replace", "pattern": {"String": " "}, "content": "▁"},
    "pre_tokenizer": {"type": "Split", "pattern": {"String": " "}, "behavior": "MergedWithPrevious", "invert": False},
    "decoder": {"type": "Sequence", "decoders": [
        {"type": "Replace", "pattern": {"String": "▁"}, "content": " "}, {"type": "ByteFallback"}, {"type": "Fuse"},
    ]},
}
COMMITTED = [  # tokenizer, golden, random texts, what replaces parts of its tokenizer.json
    ("tokenizer-small", "tokenizer-small-encodings.json", 100, {}),
    ("tokenizer-small", "tokenizer-nfc-encodings.json", 100, {"normalizer": {"type": "NFC"}}),
    ("tokenizer-small", "tokenizer-digits-encodings.json", 100, {"pre_tokenizer": DIGITS}),
    ("tokenizer-small", "tokenizer-qwen-encodings.json", 45, {"normalizer": {"type": "NFC"}, "pre_tokenizer": words(r"\p{N}")}),
    ("tokenizer-small", "tokenizer-llama3-encodings.json", 45, {"pre_tokenizer": words(r"\p{N}{1,3}")}),
    ("tokenizer-fallback", "tokenizer-fallback-encodings.json", 100, {}),
    ("tokenizer-fallback", "tokenizer-gemma-encodings.json", 45, GEMMA),
]


def encode(source, out, count, patch):
    config = json.loads(pathlib.Path(source).read_text()) | {"post_processor": None} | patch
    tokenizer = tokenizers.Tokenizer.from_str(json.dumps(config))
    tokenizer.encode_special_tokens = True
    cases = []
    for text in nasty.texts(count):
        places = [0]
        for character in text:
            places.append(places[-1] + (2 if ord(character) > 0xFFFF else 1))
        encoding = tokenizer.encode(text, add_special_tokens=False)
        cases.append({
            "text": text, "ids": encoding.ids,
            "starts": [places[start] for start, _ in encoding.offsets], "ends": [places[end] for _, end in encoding.offsets],
            "decoded": tokenizer.decode(encoding.ids, skip_special_tokens=False),
        })
    made = {
        "madeBy": "tokenizers", "version": tokenizers.__version__, "script": "tests/golden/make/tokenizer-encodings.py",
        "date": datetime.date.today().isoformat(), "patch": patch,
    }
    lines = ",\n".join("  " + json.dumps(case) for case in cases)
    pathlib.Path(out).write_text(json.dumps(made)[:-1] + ', "cases": [\n' + lines + "\n]}\n")


golden = pathlib.Path(__file__).parent.parent
if sys.argv[1:] == ["committed"]:
    for folder, out, count, patch in COMMITTED:
        encode(golden / folder / "tokenizer.json", golden / out, count, patch)
else:
    source, out, *rest = sys.argv[1:]
    encode(source, out, int(rest[0]) if rest else 100, json.loads(rest[1]) if len(rest) > 1 else {})
