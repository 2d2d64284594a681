"""Writes tests/golden/bert-score.json (BERTScore's P, R and F of several dozen pairs) and the encoders that it is made with,
tests/golden/tiny-roberta and tests/golden/tiny-bert: random weights and tokenizers trained on the prose of metric_texts.py.

Run: python tests/golden/make/bert_scores.py
Needs bert-score 0.3.13 (its __version__ says 0.3.12), torch, transformers, tokenizers.
"""

import json

import bert_score
from bert_score import utils
import tokenizers
import torch
import transformers
from tokenizers import decoders, models, normalizers, pre_tokenizers, processors, trainers

from metric_texts import PROSE, pairs
from provenance import GOLDEN, provenance

LAYERS = 2


def save_tokenizer(tokenizer, folder, config):
    folder.mkdir(exist_ok=True)
    tokenizer.save(str(folder / "tokenizer.json"))
    (folder / "tokenizer_config.json").write_text(json.dumps(config, indent=1) + "\n")


def roberta(folder):
    tokenizer = tokenizers.Tokenizer(models.BPE())
    tokenizer.pre_tokenizer = pre_tokenizers.ByteLevel(add_prefix_space=False)
    tokenizer.decoder = decoders.ByteLevel()
    special = ["<s>", "<pad>", "</s>", "<unk>", "<mask>"]
    trainer = trainers.BpeTrainer(vocab_size=600, special_tokens=special, initial_alphabet=pre_tokenizers.ByteLevel.alphabet(), show_progress=False)
    tokenizer.train_from_iterator(PROSE.splitlines(), trainer)
    tokenizer.post_processor = processors.RobertaProcessing(("</s>", 2), ("<s>", 0), True, False)
    names = {"bos_token": "<s>", "eos_token": "</s>", "cls_token": "<s>", "sep_token": "</s>", "pad_token": "<pad>", "unk_token": "<unk>", "mask_token": "<mask>"}
    save_tokenizer(tokenizer, folder, {"tokenizer_class": "RobertaTokenizer", "model_max_length": 40, "add_prefix_space": False, **names})
    config = transformers.RobertaConfig(
        vocab_size=tokenizer.get_vocab_size(), hidden_size=32, num_hidden_layers=3, num_attention_heads=4, intermediate_size=48, max_position_embeddings=42, type_vocab_size=1, pad_token_id=1, bos_token_id=0, eos_token_id=2
    )
    return transformers.RobertaForMaskedLM(config)


def bert(folder):
    tokenizer = tokenizers.Tokenizer(models.WordPiece(unk_token="[UNK]"))
    tokenizer.normalizer = normalizers.BertNormalizer(lowercase=True)
    tokenizer.pre_tokenizer = pre_tokenizers.BertPreTokenizer()
    special = ["[PAD]", "[UNK]", "[CLS]", "[SEP]", "[MASK]"]
    tokenizer.train_from_iterator(PROSE.splitlines(), trainers.WordPieceTrainer(vocab_size=500, special_tokens=special, show_progress=False))
    tokenizer.post_processor = processors.BertProcessing(("[SEP]", 3), ("[CLS]", 2))
    tokenizer.decoder = decoders.WordPiece()
    names = {"unk_token": "[UNK]", "sep_token": "[SEP]", "pad_token": "[PAD]", "cls_token": "[CLS]", "mask_token": "[MASK]"}
    save_tokenizer(tokenizer, folder, {"tokenizer_class": "BertTokenizer", "model_max_length": 40, "do_lower_case": True, **names})
    config = transformers.BertConfig(vocab_size=tokenizer.get_vocab_size(), hidden_size=32, num_hidden_layers=3, num_attention_heads=4, intermediate_size=48, max_position_embeddings=40, hidden_act="gelu")
    return transformers.BertModel(config)


# transformers 5 has lost this method, which bert-score calls for empty texts: [CLS] [SEP], as version 4 gave.
transformers.PreTrainedTokenizerBase.build_inputs_with_special_tokens = lambda self, ids: [self.cls_token_id, *ids, self.sep_token_id]

# Nor does it put a space before RoBERTa's texts, as bert-score asks it to (add_prefix_space) and version 4 did.
encode = utils.sent_encode


def encode_as_in_version_4(tokenizer, text):
    if text.strip() == "" or not isinstance(tokenizer, transformers.RobertaTokenizer):
        return encode(tokenizer, text)
    return tokenizer.encode(f" {text.strip()}", add_special_tokens=True, max_length=tokenizer.model_max_length, truncation=True)


utils.sent_encode = encode_as_in_version_4


def score(prediction, references, folder):
    """P, R and F, each the greatest over references as bert-score takes it. One pair at a time: padding of a batch counts as a cosine of 0."""
    each = [[x.item() for x in bert_score.score([prediction], [reference], model_type=str(folder), num_layers=LAYERS)] for reference in references]
    return [max(values) for values in zip(*each)]


def main():
    torch.manual_seed(0)
    chosen = [pair for pair in pairs() if max(map(len, [pair["prediction"], *pair["references"]])) < 1500][::9][:48]
    chosen += [
        {"prediction": "", "references": ["a text"]},
        {"prediction": "a text", "references": [""]},
        {"prediction": "  The day  was long.\n", "references": ["The day was long."]},
        {"prediction": "Naïve café, 中文 and 😀!", "references": ["naive cafe", "中文 😀"]},
    ]
    results = {}
    for name, make in {"tiny-roberta": roberta, "tiny-bert": bert}.items():
        folder = GOLDEN / name
        model = make(folder)
        for key, parameter in model.named_parameters():
            # Far from a real start: layers must not be near the identity.
            torch.nn.init.normal_(parameter, mean=1.0 if key.endswith("LayerNorm.weight") else 0.0, std=0.3)
        model.save_pretrained(folder, safe_serialization=True)
        (folder / "model.safetensors").chmod(0o644)
        tokenizer = utils.get_tokenizer(str(folder))
        scores, ids = [], []
        for pair in chosen:
            scores.append(score(pair["prediction"], pair["references"], folder))
            ids.append(utils.sent_encode(tokenizer, pair["prediction"]))
        results[name] = {"layers": LAYERS, "scores": scores, "ids": ids}
    golden = {
        **provenance(__file__, "bert-score on random encoders", ["bert-score", "torch", "transformers", "tokenizers"]),
        "pairs": [{"prediction": pair["prediction"], "references": pair["references"]} for pair in chosen],
        "models": results,
    }
    (GOLDEN / "bert-score.json").write_text(json.dumps(golden, ensure_ascii=False, indent=0) + "\n")


main()
