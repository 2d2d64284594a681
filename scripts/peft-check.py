"""Scores our prompts and responses with PEFT and transformers, and compares every log-probability with ours.

    npx nextquill export --model MODEL.gguf --out BASE
    npx nextquill effects --model MODEL.gguf --adapter RUN/adapter --data DATA --max-examples 4 --with-prompts --out rows.jsonl
    python scripts/peft-check.py BASE RUN/adapter rows.jsonl

BASE is the model in Hugging Face's layout, f32; a folder or hub id that was trained on serves as it is. Needs torch, transformers
and peft. Prints the largest differences with the adapter, and how far the adapter moves the base; ends with 1 beyond --tolerance.
"""

import argparse
import json
from pathlib import Path

import peft
import torch
import transformers
from peft import PeftModel
from transformers import AutoModelForCausalLM


def examples_of(path: str) -> list[dict]:
    """Rows by example: the token ids of the first row, and our log-probabilities of all rows."""
    examples: dict[str, dict] = {}
    for line in Path(path).read_text(encoding="utf-8").splitlines():
        row = json.loads(line)
        example = examples.setdefault(row["example"], {"id": row["example"], "with": [], "without": []})
        if row["position"] == 0:
            if "responseIds" not in row:
                raise SystemExit(f"{path}: example {row['example']}: expected token ids; write the rows with --with-prompts")
            example["response"] = row["responseIds"]
            example["prompts"] = {"with": row["promptIdsWithHistory"], "without": row["promptIdsWithoutHistory"]}
        example["with"].append(row["logProbWithHistory"])
        example["without"].append(row["logProbWithoutHistory"])
    if not examples:
        raise SystemExit(f"{path}: expected rows, got none")
    return list(examples.values())


@torch.no_grad()
def log_probabilities(model: torch.nn.Module, prompt: list[int], response: list[int]) -> torch.Tensor:
    logits = model(input_ids=torch.tensor([prompt + response])).logits[0]
    rows = logits[len(prompt) - 1 : -1].double().log_softmax(-1)
    return rows[torch.arange(len(response)), torch.tensor(response)]


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("base")
    parser.add_argument("adapter")
    parser.add_argument("rows")
    parser.add_argument("--tolerance", type=float, default=1e-3, help="nats (default: %(default)s)")
    flags = parser.parse_args()
    examples = examples_of(flags.rows)
    base = AutoModelForCausalLM.from_pretrained(flags.base, dtype=torch.float32).eval()

    def score(model: torch.nn.Module) -> list[torch.Tensor]:
        return [
            log_probabilities(model, example["prompts"][side], example["response"])
            for example in examples
            for side in ("with", "without")
        ]

    bare = score(base)
    adapted = score(PeftModel.from_pretrained(base, flags.adapter).eval())
    worst = moved = 0.0
    print("| example | tokens | with history: largest difference | without | moved by the adapter |")
    print("| --- | --- | --- | --- | --- |")
    for i, example in enumerate(examples):
        gaps = [
            float((adapted[2 * i + j] - torch.tensor(example[side], dtype=torch.float64)).abs().max())
            for j, side in enumerate(("with", "without"))
        ]
        change = max(float((adapted[2 * i + j] - bare[2 * i + j]).abs().max()) for j in (0, 1))
        worst, moved = max(worst, *gaps), max(moved, change)
        print(f"| {example['id']} | {len(example['response'])} | {gaps[0]:.1e} | {gaps[1]:.1e} | {change:.1e} |")
    print(
        f"\nmax |difference of a log-probability| {worst:.2e} nats; the adapter moves the base by up to {moved:.2e}. "
        f"peft {peft.__version__}, transformers {transformers.__version__}, torch {torch.__version__}."
    )
    if not worst <= flags.tolerance:
        raise SystemExit(f"expected at most {flags.tolerance} nats")


if __name__ == "__main__":
    main()
