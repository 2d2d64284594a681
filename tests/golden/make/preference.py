"""Writes tests/golden/preference.json: the loss of a preference between two histories, and its gradients, on given logits.

Written in plain torch from the definition (DPO's loss with two contexts of one text; logsigmoid is torch's own); nothing is shared
with the project.
Run: python tests/golden/make/preference.py   (needs torch)
"""

import torch
from torch.nn.functional import cross_entropy, log_softmax, logsigmoid

from provenance import decimals, provenance, write_golden

VOCABULARY = 11

# Name, options, and for each example its tokens and whether it is compared with another user's history.
CASES = [
    ("published form", {}, [(5, True), (3, True)]),
    ("no reference model", {"startMargin": False}, [(5, True), (3, True)]),
    ("cross-entropy beside it", {"preferenceFit": 0.7, "preferenceBeta": 0.5}, [(4, True), (6, True)]),
    ("a text that is compared with nobody", {"preferenceBeta": 0.3}, [(4, True), (5, False)]),
    ("at the start, where both margins are one", {}, [(4, True)]),
    ("far on the wrong side", {"preferenceBeta": 40.0, "startMargin": False}, [(6, True)]),
    ("far on the right side", {"preferenceBeta": 40.0, "startMargin": False}, [(6, True)]),
]


def chosen(z, y):
    return log_softmax(z, -1).gather(-1, y[:, None])[:, 0]


def loss_of(options, z_h, z_v, y, start, is_compared):
    fit = cross_entropy(z_h, y)
    if not is_compared:
        return fit
    margin = (chosen(z_h, y) - chosen(z_v, y)).sum()
    if options.get("startMargin", True):
        margin = margin - start.sum()
    return -logsigmoid(options.get("preferenceBeta", 0.1) * margin) + options.get("preferenceFit", 0.0) * fit


def example(generator, name, tokens):
    z_v = 1.5 * torch.randn(tokens, VOCABULARY, generator=generator)
    z_h = z_v + torch.randn(tokens, VOCABULARY, generator=generator)
    y = torch.randint(0, VOCABULARY, (tokens,), generator=generator)
    if name.startswith("far"):
        for row, token in enumerate(y):
            z_h[row, token] += 3.0 if "right" in name else -3.0
    z_h, z_v = z_h.double(), z_v.double()
    start = (chosen(z_h, y) - chosen(z_v, y)).float().double()
    if not name.startswith("at the start"):
        start = start + (0.4 * torch.randn(tokens, generator=generator)).float().double()
    return z_h, z_v, y, start.float().double()


def main():
    generator = torch.Generator().manual_seed(2603)
    written = []
    for name, options, shapes in CASES:
        examples = [example(generator, name, tokens) for tokens, _ in shapes]
        leaves = [[z.clone().requires_grad_() for z in (z_h, z_v)] for z_h, z_v, _, _ in examples]
        losses = [
            loss_of(options, *pair, y, start, is_compared)
            for pair, (_, _, y, start), (_, is_compared) in zip(leaves, examples, shapes)
        ]
        loss = sum(losses) / len(losses)
        loss.backward()
        written.append({
            "name": name, "options": options, "loss": decimals(loss, 12),
            "examples": [
                {
                    "isCompared": is_compared, "zWithHistory": decimals(z_h, 9), "zOtherHistory": decimals(z_v, 9),
                    "targets": y.tolist(), "startMargin": decimals(start, 9),
                    "gradWithHistory": decimals(pair[0].grad, 9),
                    "gradOtherHistory": None if pair[1].grad is None else decimals(pair[1].grad, 9),
                }
                for (z_h, z_v, y, start), pair, (_, is_compared) in zip(examples, leaves, shapes)
            ],
        })
    write_golden("preference.json", provenance(__file__, "torch float64", ["torch"]) | {
        "about": {
            "loss": "mean over the examples of a case; float64",
            "startMargin": "log p_0(y | own history) - log p_0(y | another's) of the starting model, by token",
            "gradOtherHistory": "null where no gradient flows: the example is compared with nobody",
        },
        "cases": written,
    })


if __name__ == "__main__":
    main()
