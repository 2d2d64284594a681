"""Encodes the nasty texts with Python's tokenizers: ids, and offsets in UTF-16 units.

Run: python tests/golden/make/tokenizer-encodings.py TOKENIZER.json OUT.json [random texts] [patch]
The committed ones: tokenizer-small/tokenizer.json tokenizer-small-encodings.json; the same with the patches
'{"normalizer": {"type": "NFC"}}' to tokenizer-nfc-encodings.json and '{"pre_tokenizer": {"type": "Sequence",
"pretokenizers": [{"type": "Digits", "individual_digits": true}, {"type": "ByteLevel", "add_prefix_space": false,
"trim_offsets": false, "use_regex": true}]}}' to tokenizer-digits-encodings.json; tokenizer-fallback/tokenizer.json to
tokenizer-fallback-encodings.json; each with 100 random texts.
Special tokens in a text are encoded as text; offsets keep a token's leading space (post-processors are left out).
"""
import datetime, importlib, json, pathlib, sys
import tokenizers

sys.path.insert(0, str(pathlib.Path(__file__).parent))
nasty = importlib.import_module("nasty-texts")

source, out, *rest = sys.argv[1:]
config = json.loads(pathlib.Path(source).read_text())
config["post_processor"] = None
patch = json.loads(rest[1]) if len(rest) > 1 else {}
config |= patch
tokenizer = tokenizers.Tokenizer.from_str(json.dumps(config))
tokenizer.encode_special_tokens = True
cases = []
for text in nasty.texts(int(rest[0]) if rest else 100):
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
head = json.dumps(made)[:-1]
pathlib.Path(out).write_text(head + ', "cases": [\n' + lines + "\n]}\n")
