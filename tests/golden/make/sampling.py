"""Scores after transformers' logits processors: repetition penalty, temperature, top-k, top-p, min-p, alone and in line."""

import torch
from transformers import (
    LogitsProcessorList,
    MinPLogitsWarper,
    RepetitionPenaltyLogitsProcessor,
    TemperatureLogitsWarper,
    TopKLogitsWarper,
    TopPLogitsWarper,
)

from provenance import decimals, provenance, write_golden

GENERATED = [3, 17, 3, 29, 40]
CASES = [
    {},
    {"temperature": 0.7},
    {"temperature": 2.5},
    {"topK": 1},
    {"topK": 5},
    {"topK": 9},
    {"topK": 1000},
    {"topP": 0.3},
    {"topP": 0.9},
    {"minP": 0.05},
    {"minP": 0.5},
    {"repetitionPenalty": 1.3},
    {"repetitionPenalty": 0.8},
    {"temperature": 0.8, "topK": 12, "topP": 0.85, "minP": 0.08, "repetitionPenalty": 1.2},
    {"temperature": 1.6, "topK": 30, "topP": 0.6},
    {"temperature": 1.2, "topP": 0.95, "minP": 0.2},
]


def warpers(case):
    made = LogitsProcessorList()
    if "repetitionPenalty" in case:
        made.append(RepetitionPenaltyLogitsProcessor(case["repetitionPenalty"]))
    if "temperature" in case:
        made.append(TemperatureLogitsWarper(case["temperature"]))
    if "topK" in case:
        made.append(TopKLogitsWarper(case["topK"]))
    if "topP" in case:
        made.append(TopPLogitsWarper(case["topP"]))
    if "minP" in case:
        made.append(MinPLogitsWarper(case["minP"]))
    return made


def main():
    generator = torch.Generator().manual_seed(11)
    logits = 2.5 * torch.randn(1, 53, generator=generator)
    # Three equal ones at the ninth place: top-k keeps all that are as likely as its last.
    order = logits[0].argsort(descending=True)
    logits[0, order[9]] = logits[0, order[8]]
    logits[0, order[10]] = logits[0, order[8]]
    expected = []
    for case in CASES:
        scores = warpers(case)(torch.tensor([GENERATED]), logits.clone())[0]
        kept = [int(i) for i in torch.isfinite(scores).nonzero()[:, 0]]
        probabilities = torch.softmax(scores.double(), -1)[kept]
        expected.append({"options": case, "ids": kept, "probabilities": decimals(probabilities, 9)})
    write_golden("sampling.json", provenance(__file__, "transformers logits processors", ["torch", "transformers"]) | {
        "logits": decimals(logits[0], 9),
        "generated": GENERATED,
        "about": "ids that remain and the softmax of their scores, in the order of ids",
        "cases": expected,
    })


if __name__ == "__main__":
    main()
