"""Writes tests/golden/contrast.json: the contrast of histories (InfoNCE) beside plain cross-entropy.

Losses and gradients on given logits in float64, and twelve steps of training tests/golden/tiny-llama with two other histories:
losses, and gradient norms before clipping. Written in plain torch from the definition: InfoNCE is the cross-entropy of the own history
among k + 1, whose logits are the text's mean log-likelihoods over the temperature. Nothing is shared with the project.
Run: python tests/golden/make/contrast.py   (after tiny_llama.py; needs torch, transformers, peft)
"""

import torch
from torch.nn.functional import cross_entropy

from provenance import decimals, provenance, rounded, write_golden
from training_trajectory import EXAMPLES, MAX_NORM, SETTINGS, VOCABULARY as IDS, load, logits_one_by_one, random_batches

VOCABULARY = 11

# Name, options (contrastWeight, contrastHistories, contrastTemperature), and for each example its tokens and whether it is compared.
CASES = [
    ("one other history", {"contrastWeight": 1}, [(5, True), (3, True)]),
    ("three other histories", {"contrastWeight": 0.5, "contrastHistories": 3, "contrastTemperature": 0.5}, [(4, True), (6, True)]),
    ("a text that is compared with nobody", {"contrastWeight": 2, "contrastHistories": 2, "contrastTemperature": 1}, [(4, True), (5, False)]),
    ("all histories alike", {"contrastWeight": 1, "contrastHistories": 3}, [(4, True)]),
    ("far on the wrong side", {"contrastWeight": 1, "contrastTemperature": 0.01}, [(6, True)]),
    ("far on the right side", {"contrastWeight": 1, "contrastTemperature": 0.01}, [(6, True)]),
]


def contrast(options, z_h, others, y):
    scores = torch.stack([-cross_entropy(z, y) for z in (z_h, *others)])
    scaled = scores[None] / options.get("contrastTemperature", 0.1)
    return cross_entropy(scaled, torch.zeros(1, dtype=torch.long))


def loss_of(options, z_h, others, y, is_compared):
    fit = cross_entropy(z_h, y)
    return fit + options["contrastWeight"] * contrast(options, z_h, others, y) if is_compared else fit


def example(generator, name, options, tokens):
    z_h = 1.5 * torch.randn(tokens, VOCABULARY, generator=generator)
    y = torch.randint(0, VOCABULARY, (tokens,), generator=generator)
    apart = 0.0 if name.startswith("all") else 1.0
    others = [z_h + apart * torch.randn(tokens, VOCABULARY, generator=generator) for _ in range(options.get("contrastHistories", 1))]
    if name.startswith("far"):
        for row, token in enumerate(y):
            z_h[row, token] += 3.0 if "right" in name else -3.0
    return z_h.double(), [z.double() for z in others], y


def on_logits():
    generator = torch.Generator().manual_seed(1807)
    written = []
    for name, options, shapes in CASES:
        examples = [example(generator, name, options, tokens) for tokens, _ in shapes]
        leaves = [(z_h.clone().requires_grad_(), [z.clone().requires_grad_() for z in others]) for z_h, others, _ in examples]
        losses = [
            loss_of(options, z_h, others, y, is_compared)
            for (z_h, others), (_, _, y), (_, is_compared) in zip(leaves, examples, shapes)
        ]
        loss = sum(losses) / len(losses)
        loss.backward()
        written.append({
            "name": name, "options": options, "loss": decimals(loss, 12),
            "examples": [
                {
                    "isCompared": is_compared, "zWithHistory": decimals(z_h, 9), "zOtherHistories": [decimals(z, 9) for z in others],
                    "targets": y.tolist(), "gradWithHistory": decimals(leaf_h.grad, 9),
                    "gradOtherHistories": [decimals(torch.zeros_like(z) if z.grad is None else z.grad, 9) for z in leaf_others],
                }
                for (z_h, others, y), (leaf_h, leaf_others), (_, is_compared) in zip(examples, leaves, shapes)
            ],
        })
    return written


TRAINED = {"contrastWeight": 0.5, "contrastHistories": 2, "contrastTemperature": 0.1}


def compared_batches():
    """Those of the trajectory, each example with two other histories; the second of every third batch is compared with nobody."""
    generator = torch.Generator().manual_seed(1807)
    batches = random_batches()
    for number, batch in enumerate(batches):
        for place, each in enumerate(batch):
            if number % 3 == 2 and place == 1:
                continue
            histories = [torch.randint(3, IDS, (count,), generator=generator).tolist() for count in (4, 7)]
            first, second = (history + each["withoutHistoryIds"] for history in histories)
            each["otherHistoryIds"], each["furtherHistoryIds"] = first, [second]
    return batches


def other_logits(model, each):
    prompts = [each["otherHistoryIds"], *each["furtherHistoryIds"]] if "otherHistoryIds" in each else []
    return [logits_one_by_one(model, [{**each, "ids": prompt}], "ids")[0] for prompt in prompts]


def train(method, batches):
    model = load(method)
    trained = [p for p in model.parameters() if p.requires_grad]
    optimizer = torch.optim.AdamW(trained, foreach=False, **SETTINGS)
    losses, norms = [], []
    for batch in batches:
        own = logits_one_by_one(model, batch, "withHistoryIds")
        loss = sum(
            loss_of(TRAINED, z_h, other_logits(model, each), torch.tensor(each["responseIds"]), "otherHistoryIds" in each)
            for z_h, each in zip(own, batch)
        ) / len(batch)
        optimizer.zero_grad()
        loss.backward()
        norms.append(float(torch.nn.utils.clip_grad_norm_(trained, MAX_NORM)))
        optimizer.step()
        losses.append(float(loss.detach()))
    print(method, losses, norms)
    return {"method": method, "losses": rounded(losses, 9), "gradientNorms": rounded(norms, 9)}


def main():
    torch.set_num_threads(1)
    batches = compared_batches()
    packages = ["torch", "transformers", "peft"]
    write_golden("contrast.json", provenance(__file__, "torch float64; torch.optim.AdamW, transformers, peft", packages) | {
        "about": {
            "loss": "mean over the examples of a case: cross-entropy, and contrastWeight times InfoNCE where the example is compared",
            "training": "as in training-trajectory.json; objective sft with the options",
        },
        "cases": on_logits(),
        "training": {
            "model": "tests/golden/tiny-llama",
            "adapter": "tests/golden/tiny-llama/adapter",
            "options": TRAINED,
            "settings": {
                "examplesPerStep": EXAMPLES, "learningRate": SETTINGS["lr"], "weightDecay": SETTINGS["weight_decay"], "maxNorm": MAX_NORM,
            },
            "batches": batches,
            "runs": [train(method, batches) for method in ("full", "lora")],
        },
    })


if __name__ == "__main__":
    main()
