"""Greedy texts of transformers, by its own key/value cache, on every golden model, without and with its adapter."""

import torch
from peft import PeftModel
from transformers import AutoModelForCausalLM

from provenance import GOLDEN, provenance, write_golden

NEW_TOKENS = 20
LENGTHS = [1, 7, 19]


def greedy(model, ids):
    out = model.generate(
        torch.tensor([ids]),
        attention_mask=torch.ones(1, len(ids), dtype=torch.long),
        max_new_tokens=min(NEW_TOKENS, model.config.max_position_embeddings - len(ids)),
        do_sample=False,
        eos_token_id=None,
        pad_token_id=0,
    )
    return out[0, len(ids):].tolist()


def least_margin(model, ids, new):
    """The least distance between the first and second logit on the way: an equal text must not hang on rounding."""
    logits = model(torch.tensor([ids + new])).logits[0, len(ids) - 1:-1]
    best = logits.topk(2).values
    return float((best[:, 0] - best[:, 1]).min().detach())


def main():
    generator = torch.Generator().manual_seed(4)
    cases = []
    for folder in sorted(path.parent for path in GOLDEN.glob("*/model.safetensors")):
        if not (folder / "config.json").exists():
            continue
        model = AutoModelForCausalLM.from_pretrained(folder, dtype=torch.float32).eval()
        vocabulary = model.config.vocab_size
        prompts = [torch.randint(3, vocabulary, (length,), generator=generator).tolist() for length in LENGTHS
                   if length < model.config.max_position_embeddings]
        adapted = [None, folder / "adapter"] if (folder / "adapter").exists() else [None]
        for adapter in adapted:
            runs = model if adapter is None else PeftModel.from_pretrained(model, adapter).eval()
            for ids in prompts:
                new = greedy(runs, ids)
                margin = least_margin(runs, ids, new)
                assert margin > 1e-4, (folder, ids, margin)
                cases.append({"model": folder.name, "adapter": adapter is not None, "prompt": ids, "generated": new})
    write_golden("generation.json", provenance(__file__, "transformers generate, peft", ["torch", "transformers", "peft"]) | {
        "about": "generated: the likeliest tokens one after the other, no token ends the text",
        "cases": cases,
    })


if __name__ == "__main__":
    torch.set_num_threads(1)
    main()
