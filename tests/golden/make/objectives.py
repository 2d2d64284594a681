"""Writes tests/golden/objectives.json: effects, token weights, losses and gradients of every objective on given logits.

The losses are written here in plain torch from the formulas of the paper and its code; nothing is shared with the project.
Where NEXTQUILL_REFERENCE names a clone of the paper's code (a git directory, or a train.py), the reference's own
compute_loss is run too: on the single examples of the golden, and on examples with a masked prefix.
Run: NEXTQUILL_REFERENCE=<clone> python tests/golden/make/objectives.py   (needs torch)
"""

import ast
import os
import pathlib
import subprocess
import types

import torch
from torch.nn.functional import log_softmax

from provenance import decimals, provenance, rounded, write_golden

THRESHOLD, HIGH, LOW = 0.05, 0.9, 0.1
EFFECT_WEIGHT = 0.1
PERCE_RANGE = (0.8, 5.0)


# Parts. z_h and z_0 are [S, V], y is [S].


def cross_entropy(z, y):
    return -log_softmax(z, -1).gather(-1, y[:, None])[:, 0]


def probability_difference(z_h, z_0, y):
    return torch.exp(-cross_entropy(z_h, y)) - torch.exp(-cross_entropy(z_0, y))


def log_ratio(z_h, z_0, y):
    return cross_entropy(z_0, y) - cross_entropy(z_h, y)


def divergence(z_h, z_0):
    """KL(p_h || m) + KL(p_0 || m) over the vocabulary, nats."""
    log_h, log_0 = log_softmax(z_h, -1), log_softmax(z_0, -1)
    log_m = torch.logaddexp(log_h, log_0) - torch.log(torch.tensor(2.0, dtype=z_h.dtype))
    return (log_h.exp() * (log_h - log_m) + log_0.exp() * (log_0 - log_m)).sum(-1)


def threshold_weights(z_h, z_0, y):
    above = probability_difference(z_h, z_0, y) > THRESHOLD
    return torch.where(above, torch.full_like(z_h[:, 0], HIGH), torch.full_like(z_h[:, 0], LOW))


def perce_weights(z_h, z_0, y):
    return log_ratio(z_h, z_0, y).detach().clamp(*PERCE_RANGE)


def weighted(weights, values):
    return (weights / weights.sum() * values).sum()


# Objectives: the loss of one example.


def sft(z_h, z_0, y):
    return cross_entropy(z_h, y).mean()


def sft_no_history(z_h, z_0, y):
    return cross_entropy(z_0, y).mean()


def nextquill_code(z_h, z_0, y):
    difference = cross_entropy(z_h - z_0, y).mean()
    return weighted(threshold_weights(z_h, z_0, y), cross_entropy(z_h, y)) + EFFECT_WEIGHT * difference


def nextquill_paper(z_h, z_0, y):
    weights = threshold_weights(z_h, z_0, y)
    return weighted(weights, cross_entropy(z_h, y)) + EFFECT_WEIGHT * weighted(weights, cross_entropy(z_h - z_0, y))


def nextquill_data_side(z_h, z_0, y):
    return weighted(threshold_weights(z_h, z_0, y), cross_entropy(z_h, y))


def nextquill_model_side(z_h, z_0, y):
    return cross_entropy(z_h, y).mean() + EFFECT_WEIGHT * cross_entropy(z_h - z_0, y).mean()


def nextquill_js(z_h, z_0, y):
    return weighted(divergence(z_h, z_0).detach(), cross_entropy(z_h, y))


def nextquill_js_gradient(z_h, z_0, y):
    return weighted(divergence(z_h, z_0), cross_entropy(z_h, y))


def perce(z_h, z_0, y):
    return weighted(perce_weights(z_h, z_0, y), cross_entropy(z_h, y))


def perce_cft(z_h, z_0, y):
    return perce(z_h, z_0, y) + EFFECT_WEIGHT * cross_entropy(z_h - z_0, y).mean()


OBJECTIVES = {
    "sft": sft,
    "sft-no-history": sft_no_history,
    "nextquill-code": nextquill_code,
    "nextquill-paper": nextquill_paper,
    "nextquill-data-side": nextquill_data_side,
    "nextquill-model-side": nextquill_model_side,
    "nextquill-js": nextquill_js,
    "nextquill-js-gradient": nextquill_js_gradient,
    "perce": perce,
    "perce-cft": perce_cft,
}

# The class and settings of the reference that each objective is held against.
REFERENCE = {
    "sft-no-history": ("CustomTrainer2", {"rag": False}),
    "nextquill-code": ("CustomTrainer3", {"alpha": EFFECT_WEIGHT}),
    "nextquill-data-side": ("CustomTrainer2", {"weight_strategy": "Target"}),
    "nextquill-model-side": ("CustomTrainer2", {"causal": True, "alpha": EFFECT_WEIGHT}),
    "nextquill-js-gradient": ("CustomTrainer2", {"weight_strategy": "JS"}),
}


def loss_and_gradients(objective, examples):
    """Mean over examples of the loss, with gradients of each example's z_h and z_0 (None where none flows)."""
    leaves = [[z.clone().requires_grad_() for z in (z_h, z_0)] for z_h, z_0, _ in examples]
    losses = [OBJECTIVES[objective](z_h, z_0, y) for (z_h, z_0), (_, _, y) in zip(leaves, examples)]
    loss = sum(losses) / len(losses)
    loss.backward()
    return loss.detach(), [[z.grad for z in pair] for pair in leaves], torch.stack(losses).detach()


# The reference.


def reference_source(location):
    path = pathlib.Path(location)
    if path.is_file():
        return path.read_text(), None
    git = ["git", "-C", str(path)]
    commit = subprocess.run([*git, "rev-parse", "HEAD"], capture_output=True, text=True, check=True).stdout.strip()
    source = subprocess.run([*git, "show", "HEAD:train.py"], capture_output=True, text=True, check=True).stdout
    return source, commit


def reference_classes(source):
    """The two trainer classes alone, with a stub for transformers' Trainer: the script around them is not run."""

    class Trainer:
        model_accepts_loss_kwargs = False
        compute_loss_func = None
        args = types.SimpleNamespace(average_tokens_across_devices=False)

    wanted = [
        node
        for node in ast.parse(source).body
        if isinstance(node, ast.ClassDef) and node.name in ("CustomTrainer2", "CustomTrainer3")
    ]
    names = {"Trainer": Trainer, "torch": torch, "F": torch.nn.functional, "print": lambda *_: None}
    exec(compile(ast.Module(wanted, []), "train.py", "exec"), names)
    return names


class GivenLogits:
    """A model that answers with given logits: those with history on the first call, those without on the second."""

    training = True

    def __init__(self, logits, by_id):
        self.logits, self.by_id = logits, by_id

    def __call__(self, input_ids, attention_mask, labels):
        logits = self.logits[self.by_id[id(input_ids)]]
        flat = logits[..., :-1, :].reshape(-1, logits.shape[-1])
        return {"logits": logits, "loss": torch.nn.functional.cross_entropy(flat, labels[..., 1:].reshape(-1))}


def reference_loss_and_gradients(classes, objective, z_h, z_0, labels):
    """compute_loss on [1, T, V] logits whose row t predicts labels[t + 1]."""
    name, settings = REFERENCE[objective]
    logits = [z.clone()[None].requires_grad_() for z in (z_h, z_0)]
    ids = [torch.zeros_like(labels)[None] for _ in range(2)]
    mask = torch.ones_like(labels)[None]
    inputs = {
        "input_ids": ids[0], "attention_mask": mask, "labels": labels[None],
        "input_ids_without_his": ids[1], "attention_mask_without_his": mask,
    }
    model = GivenLogits(logits, {id(ids[0]): 0, id(ids[1]): 1})
    loss = classes[name](**settings).compute_loss(model, inputs)
    loss.backward()
    return loss.detach(), [None if z.grad is None else z.grad[0] for z in logits]


def difference(a, b):
    if a is None or b is None:
        return max((float(x.abs().max()) for x in (a, b) if x is not None), default=0.0)
    return float((a - b).abs().max())


def check_against_reference(classes, objective, example, dtype, prefix, tail):
    """Largest difference of loss and gradients, the response set into `prefix` and `tail` positions without label."""
    z_h, z_0, y = example
    z_h, z_0 = z_h.to(dtype), z_0.to(dtype)
    loss, [gradients], _ = loss_and_gradients(objective, [(z_h, z_0, y)])
    vocabulary = z_h.shape[-1]
    labels = torch.cat([torch.full((prefix,), -100), y, torch.full((tail,), -100)])
    before = torch.randn(2, prefix - 1, vocabulary, dtype=dtype)
    after = torch.randn(2, tail + 1, vocabulary, dtype=dtype)
    whole = [torch.cat([before[i], z, after[i]]) for i, z in enumerate((z_h, z_0))]
    theirs, their_gradients = reference_loss_and_gradients(classes, objective, *whole, labels)
    rows = slice(prefix - 1, prefix - 1 + len(y))
    worst = difference(loss, theirs)
    for ours, their in zip(gradients, their_gradients):
        outside = None if their is None else torch.cat([their[: rows.start], their[rows.stop :]])
        worst = max(worst, difference(ours, None if their is None else their[rows]), difference(outside, None))
    return worst


# Cases.


def random_example(generator, tokens, vocabulary, spread, shift):
    """Logits without history, and with history a change of size `shift` everywhere; float32 values held as float64."""
    z_0 = spread * torch.randn(tokens, vocabulary, generator=generator)
    z_h = z_0 + shift * torch.randn(tokens, vocabulary, generator=generator)
    y = torch.randint(0, vocabulary, (tokens,), generator=generator)
    return z_h.double(), z_0.double(), y


def with_probability_difference(example, token, before, effect):
    """Sets the target's logit so that its probability is `before` without history and `before + effect` with it."""
    z_h, z_0, y = example
    for z, probability in ((z_h, before + effect), (z_0, before)):
        others = torch.cat([z[token, : y[token]], z[token, y[token] + 1 :]]).logsumexp(0)
        odds = torch.log(torch.tensor(probability / (1 - probability), dtype=torch.float64))
        z[token, y[token]] = (others + odds).float().double()
    return example


def cases():
    generator = torch.Generator().manual_seed(2506)
    mixed = random_example(generator, 7, 23, 1.5, 1.0)
    # Just above and just below the threshold, rare and personal (log ratio above 5), and much less likely with history.
    with_probability_difference(mixed, 0, 0.20, 0.0501)
    with_probability_difference(mixed, 1, 0.20, 0.0499)
    with_probability_difference(mixed, 2, 0.0001, 0.04)
    with_probability_difference(mixed, 3, 0.60, -0.40)
    with_probability_difference(mixed, 4, 0.05, 0.75)
    small = random_example(generator, 5, 23, 1.0, 0.02)
    large = random_example(generator, 6, 23, 2.0, 1.0)
    for token in range(6):
        with_probability_difference(large, token, 0.02 + 0.05 * token, 0.1 + 0.1 * token)
    pair = [random_example(generator, 7, 13, 1.5, 1.2), random_example(generator, 4, 13, 1.0, 1.0)]
    with_probability_difference(pair[0], 2, 0.1, 0.3)
    with_probability_difference(pair[1], 0, 0.02, 0.6)
    with_probability_difference(pair[1], 3, 0.3, -0.2)
    return {
        "one example, effects on both sides of the threshold": [mixed],
        "one example, small effects only": [small],
        "one example, large effects only": [large],
        "two examples of different lengths": pair,
    }


def main():
    location = os.environ.get("NEXTQUILL_REFERENCE")
    classes = None
    if location:
        source, commit = reference_source(location)
        classes = reference_classes(source)
    all_cases = cases()
    written = []
    for name, examples in all_cases.items():
        entry = {"name": name, "examples": [], "objectives": {}}
        for z_h, z_0, y in examples:
            effect = probability_difference(z_h, z_0, y)
            assert float((effect - THRESHOLD).abs().min()) > 5e-5
            entry["examples"].append({
                "zWithHistory": decimals(z_h, 9), "zWithoutHistory": decimals(z_0, 9), "targets": y.tolist(),
                "effects": {
                    "probabilityDifference": decimals(effect, 13),
                    "logRatio": decimals(log_ratio(z_h, z_0, y), 13),
                    "divergence": decimals(divergence(z_h, z_0), 13),
                },
                "weights": {
                    "threshold": decimals(threshold_weights(z_h, z_0, y), 13),
                    "perce": decimals(perce_weights(z_h, z_0, y), 13),
                },
            })
        for objective in OBJECTIVES:
            loss, gradients, losses = loss_and_gradients(objective, examples)
            single = [(z_h.float(), z_0.float(), y) for z_h, z_0, y in examples]
            loss32, gradients32, _ = loss_and_gradients(objective, single)
            differs = [difference(a, b) for two in zip(gradients, gradients32) for a, b in zip(*two)]
            entry["objectives"][objective] = {
                "loss": decimals(loss, 13),
                "lossFloat32": decimals(loss32, 9),
                "float32Difference": rounded(max(difference(loss, loss32), *differs), 2),
                "exampleLosses": decimals(losses, 13),
                "gradWithHistory": [None if g is None else decimals(g, 12) for g, _ in gradients],
                "gradWithoutHistory": [None if g is None else decimals(g, 12) for _, g in gradients],
            }
        written.append(entry)

    checked = {objective: {"checkedAgainstReference": False} for objective in OBJECTIVES}
    if classes:
        torch.manual_seed(0)
        generator = torch.Generator().manual_seed(7)
        # The reference indexes probabilities by the label -100, so masked labels need a vocabulary of 100 or more.
        masked = random_example(generator, 9, 151, 1.5, 2.0)
        for token in (1, 4, 6):
            with_probability_difference(masked, token, 0.1, 0.2)
        for objective in REFERENCE:
            differs = {}
            for dtype in (torch.float64, torch.float32):
                worst = max(
                    check_against_reference(classes, objective, examples[0], dtype, prefix=1, tail=0)
                    for examples in all_cases.values()
                    if len(examples) == 1
                )
                worst = max(worst, check_against_reference(classes, objective, masked, dtype, prefix=5, tail=3))
                differs[str(dtype).removeprefix("torch.")] = rounded(worst, 3)
            name, settings = REFERENCE[objective]
            checked[objective] = {
                "checkedAgainstReference": True, "reference": name, "settings": settings, "maxDifference": differs,
            }
            print(objective, differs)
            # The reference holds the weights 0.9 and 0.1 in float32; its divergence cancels in float32 when it is small.
            assert differs["float64"] < 1e-6
            assert differs["float32"] < (1e-2 if objective == "nextquill-js-gradient" else 1e-6)

    write_golden("objectives.json", provenance(__file__, "torch float64", ["torch"]) | {
        "reference": {"repository": "juntaoyou/NextQuill", "file": "train.py", "commit": commit} if classes else None,
        "settings": {
            "effectThreshold": THRESHOLD, "highWeight": HIGH, "lowWeight": LOW, "effectWeight": EFFECT_WEIGHT,
            "perceRange": list(PERCE_RANGE),
        },
        "about": {
            "zWithHistory, zWithoutHistory": "[S, V], float32 values",
            "effects": "by token, float64",
            "loss": "mean over the examples of a case, each normalised within itself; float64",
            "gradWithHistory, gradWithoutHistory": "for each example [S, V]; null where no gradient flows",
            "float32Difference": "largest difference of loss and gradients when torch computes them in float32",
            "maxDifference": "largest difference of loss and gradients from the reference's compute_loss, by dtype",
            "nextquill-js": "weights detached; nextquill-js-gradient lets gradient flow through them, as the reference does",
        },
        "objectives": checked,
        "cases": written,
    })


if __name__ == "__main__":
    main()
