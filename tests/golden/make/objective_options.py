"""Writes tests/golden/objective-options.json: losses and gradients of objectives with their options, on given logits.

Written in plain torch from the definitions (docs: options of an objective); nothing is shared with the project. Where
NEXTQUILL_REFERENCE names a clone of the paper's code, its trainers in the modes that objectives.json does not hold
(CustomTrainer2 with its own alpha, CustomTrainer3 without history) are run too.
Run: NEXTQUILL_REFERENCE=<clone> python tests/golden/make/objective_options.py   (needs torch)
"""

import os

import torch
from torch.nn.functional import log_softmax

import objectives
from objectives import (
    check_against_reference, cross_entropy, difference, divergence, log_ratio, probability_difference, reference_classes,
    reference_source, weighted,
)
from provenance import decimals, provenance, rounded, write_golden

DEFAULTS = {
    "effectThreshold": 0.05, "highWeight": 0.9, "lowWeight": 0.1, "effectWeight": 0.1, "stopGradient": False,
    "softWeights": False, "softSlope": 2.0, "softCentre": 0.5, "weightsFrom": "total", "plainWeight": 0.0, "anchorWeight": 0.0,
    "plausibility": 0.0, "differenceAt": "all", "differenceThreshold": 0.1,
    "calibrationWeight": 0.0, "strengthSpread": 0.25, "copyDiscount": 0.0,
    "differenceFrom": "none", "targetWeight": 0.0, "targetKnee": 1.0,
}
RULES = {
    "sft": ("uniform", "none"), "nextquill-code": ("threshold", "uniform"), "nextquill-paper": ("threshold", "weighted"),
    "nextquill-data-side": ("threshold", "none"), "nextquill-model-side": ("uniform", "uniform"), "perce": ("clipped", "none"),
    "nextquill-js": ("divergence", "none"), "perce-cft": ("clipped", "uniform"),
}

# Name, objective, options, and what is given besides the logits: "estimate" (effects of another model), "scale" (of alpha).
ENTRIES = [
    ("stopped gradient", "nextquill-code", {"stopGradient": True}, ()),
    ("own alpha of CustomTrainer2", "nextquill-model-side", {"effectWeight": 0.01}, ()),
    ("other threshold and weights", "nextquill-paper", {"effectThreshold": 0.2, "highWeight": 0.7, "lowWeight": 0.3}, ()),
    ("soft weights", "nextquill-paper", {"softWeights": True, "effectWeight": 0.05, "stopGradient": True}, ()),
    ("soft weights of another shape", "nextquill-data-side", {"softWeights": True, "softSlope": 3, "softCentre": -0.25}, ()),
    ("plain fit, weighted difference", "nextquill-paper", {"plainWeight": 1, "effectWeight": 0.05, "stopGradient": True}, ()),
    ("plain part", "nextquill-code", {"plainWeight": 0.3}, ()),
    ("weights from C by threshold", "nextquill-paper", {"weightsFrom": "userSpecific"}, ()),
    ("weights from C by clipping", "perce", {"weightsFrom": "userSpecific"}, ()),
    ("soft weights from C", "nextquill-data-side", {"softWeights": True, "weightsFrom": "userSpecific"}, ()),
    ("anchor", "nextquill-code", {"anchorWeight": 0.5}, ()),
    ("anchor of plain fine-tuning", "sft", {"anchorWeight": 0.2}, ()),
    ("fixed estimator by threshold", "nextquill-paper", {}, ("estimate",)),
    ("fixed estimator by divergence", "nextquill-js", {}, ("estimate",)),
    ("fixed estimator by clipping", "perce", {}, ("estimate",)),
    ("growing alpha", "nextquill-code", {}, ("scale",)),
    ("plausible tokens", "nextquill-model-side", {"plausibility": 0.1}, ()),
    ("plausible tokens, stopped gradient, weighted", "nextquill-paper", {"plausibility": 0.3, "stopGradient": True}, ()),
    ("the likeliest token and the written one", "perce-cft", {"plausibility": 1}, ()),
    ("preference tokens", "nextquill-code", {"differenceAt": "preferenceTokens"}, ()),
    ("preference tokens of a fixed estimator", "nextquill-model-side", {"differenceAt": "preferenceTokens"}, ("estimate",)),
    ("preference tokens from C", "nextquill-model-side",
     {"differenceAt": "preferenceTokens", "differenceThreshold": 0.2, "weightsFrom": "userSpecific"}, ()),
    ("plausible preference tokens, weighted", "nextquill-paper",
     {"plausibility": 0.1, "differenceAt": "preferenceTokens", "effectWeight": 0.3}, ()),
    ("copies weigh less by threshold", "nextquill-paper", {"copyDiscount": 1}, ()),
    ("copies weigh less by clipping", "perce", {"copyDiscount": 0.5}, ()),
    ("copies weigh less, soft, by a fixed estimator", "nextquill-data-side", {"copyDiscount": 1, "softWeights": True}, ("estimate",)),
    ("copies weigh less by divergence", "nextquill-js", {"copyDiscount": 0.7}, ()),
    ("no difference term at copies", "nextquill-model-side", {"copyDiscount": 1, "differenceAt": "preferenceTokens"}, ()),
    ("calibration", "sft", {"calibrationWeight": 0.5}, ()),
    ("calibration over a wide spread, stopped gradient", "nextquill-code",
     {"calibrationWeight": 0.3, "strengthSpread": 0.8, "stopGradient": True}, ()),
    ("from another user's history", "nextquill-code", {"differenceFrom": "otherHistory"}, ()),
    ("from another user's history, plausible preference tokens, stopped gradient", "nextquill-model-side",
     {"differenceFrom": "otherHistory", "plausibility": 0.1, "differenceAt": "preferenceTokens", "stopGradient": True}, ()),
    ("effects as targets", "sft", {"targetWeight": 0.4}, ("estimate",)),
    ("effects as targets, an early knee, stopped gradient", "perce",
     {"targetWeight": 0.4, "targetKnee": 0.1, "stopGradient": True}, ("estimate", "scale")),
    ("growing calibration of weighted tokens", "perce", {"calibrationWeight": 2}, ("scale",)),
]
SCALE = 0.25


def log_probabilities(z_h, z_0, y, options, extra, given):
    """log p of each token with the own history, and what that is compared with; not differentiated."""
    own, other = -cross_entropy(z_h, y), -cross_entropy(z_0, y)
    if "estimate" in given:
        own, other, _ = extra["estimate"]
    if options["weightsFrom"] == "userSpecific":
        other = other + extra["generic"]
    return own.detach(), other.detach()


def token_weights(rule, z_h, z_0, y, options, extra, given):
    if rule == "uniform":
        return torch.ones_like(z_h[:, 0])
    own, other = log_probabilities(z_h, z_0, y, options, extra, given)
    js = (extra["estimate"][2] if "estimate" in given else divergence(z_h, z_0)).detach()
    kept = 1 - options["copyDiscount"] * extra["copied"].to(own.dtype)
    if options["softWeights"]:
        return 0.5 + torch.sigmoid(options["softSlope"] * (kept * (own - other) - options["softCentre"]))
    if rule == "divergence":
        return kept * js
    if rule == "clipped":
        return (kept * (own - other)).clamp(0.8, 5.0)
    above = kept * (own.exp() - other.exp()) > options["effectThreshold"]
    return torch.where(above, torch.full_like(own, options["highWeight"]), torch.full_like(own, options["lowWeight"]))


def difference_values(z_h, z_0, y, plausibility):
    """-log of the written token's share of exp(z_h - z_0) summed over the plausible tokens, one row after the other."""
    values = []
    for row_h, row_0, target in zip(z_h, z_0, y):
        p = torch.softmax(row_h, -1).detach()
        plausible = [v for v in range(len(p)) if v == target or p[v] >= plausibility * p.max()]
        effects = (row_h - row_0)[plausible]
        values.append(torch.logsumexp(effects, 0) - (row_h - row_0)[target])
    return torch.stack(values)


def loss_of(objective, options, given, z_h, z_0, y, extra):
    options = DEFAULTS | options
    rule, difference_kind = RULES[objective]
    weights = token_weights(rule, z_h, z_0, y, options, extra, given)
    plain = options["plainWeight"]
    loss = (1 - plain) * weighted(weights, cross_entropy(z_h, y)) + plain * cross_entropy(z_h, y).mean()
    if difference_kind != "none":
        base = extra["otherHistory"] if options["differenceFrom"] == "otherHistory" else z_0
        other = base.detach() if options["stopGradient"] else base
        values = difference_values(z_h, other, y, options["plausibility"])
        if options["differenceAt"] == "preferenceTokens":
            with_own, compared = log_probabilities(z_h, z_0, y, options, extra, given)
            kept = 1 - options["copyDiscount"] * extra["copied"].to(z_h.dtype)
            values = torch.where(kept * (with_own - compared) > options["differenceThreshold"], values, torch.zeros_like(values))
        term = weighted(weights, values) if difference_kind == "weighted" else values.mean()
        loss = loss + options["effectWeight"] * (SCALE if "scale" in given else 1) * term
    if options["calibrationWeight"]:
        other = z_0.detach() if options["stopGradient"] else z_0
        spread = options["strengthSpread"]
        values = [cross_entropy(other + s * (z_h - other), y).mean() for s in (1 - spread, 1 + spread)]
        loss = loss + options["calibrationWeight"] * (SCALE if "scale" in given else 1) * sum(values) / 2
    if options["targetWeight"]:
        own, none, _ = extra["estimate"]
        other = z_0.detach() if options["stopGradient"] else z_0
        knee = options["targetKnee"]
        values = torch.nn.functional.huber_loss(log_ratio(z_h, other, y), own - none, reduction="none", delta=knee)
        term = torch.where(own - none > extra["placeboMost"], values, torch.zeros_like(values)).mean()
        loss = loss + options["targetWeight"] * (SCALE if "scale" in given else 1) * term
    if options["anchorWeight"]:
        start = log_softmax(extra["anchor"], -1)
        kl = torch.nn.functional.kl_div(log_softmax(z_0, -1), start, reduction="none", log_target=True).sum(-1)
        loss = loss + options["anchorWeight"] * kl.mean()
    return loss


def loss_and_gradients(objective, options, given, examples, dtype):
    leaves = [[z.to(dtype).clone().requires_grad_() for z in (z_h, z_0)] for z_h, z_0, _, _ in examples]
    cast = lambda extra: {k: tuple(v.to(dtype) for v in x) if isinstance(x, tuple) else x.to(dtype) for k, x in extra.items()}
    losses = [
        loss_of(objective, options, given, *pair, y, cast(extra)) for pair, (_, _, y, extra) in zip(leaves, examples)
    ]
    loss = sum(losses) / len(losses)
    loss.backward()
    return loss.detach(), [[z.grad for z in pair] for pair in leaves]


def with_extras(generator, examples):
    """Logits of a starting model, effects of an estimator and of other users' histories; float32 values."""
    result = []
    for z_h, z_0, y in examples:
        noise = lambda z, size: (z + size * torch.randn(z.shape, generator=generator).double()).float().double()
        estimated_h, estimated_0 = noise(z_h, 0.5), noise(z_0, 0.5)
        own, other = -cross_entropy(estimated_h, y), -cross_entropy(estimated_0, y)
        extra = {
            "anchor": noise(z_0, 0.7),
            # Every other token, the first and the last among them: some have large effects, and some do not.
            "copied": torch.arange(len(y)) % 2 == 0,
            "generic": (0.4 * torch.randn(len(y), generator=generator)).float().double(),
            "estimate": tuple(x.float().double() for x in (own, other, divergence(estimated_h, estimated_0))),
        }
        # The estimator's effect exceeds the largest of others' at every token but each third.
        extra["placeboMost"] = (own - other + torch.where(torch.arange(len(y)) % 3 == 2, 0.3, -0.3)).float().double()
        others = torch.Generator().manual_seed(len(y))
        extra["otherHistory"] = (z_0 + 0.6 * torch.randn(z_0.shape, generator=others).double()).float().double()
        for effect in (own.exp() - other.exp(), probability_difference(z_h, z_0, y)):
            assert float((effect - 0.05).abs().min()) > 1e-5
            assert float((effect - 0.2).abs().min()) > 1e-5
        shares = torch.softmax(z_h, -1) / torch.softmax(z_h, -1).amax(-1, keepdim=True)
        for share in (0.1, 0.3):
            assert float((shares - share).abs().min()) > 1e-5
        for ratio in (log_ratio(z_h, z_0, y), own - other):
            assert float((ratio - 0.1).abs().min()) > 1e-4
        assert float((log_ratio(z_h, z_0, y) - extra["generic"] - 0.2).abs().min()) > 1e-4
        specific = (-cross_entropy(z_h, y)).exp() - (-cross_entropy(z_0, y) + extra["generic"]).exp()
        assert float((specific - 0.05).abs().min()) > 1e-5
        result.append((z_h, z_0, y, extra))
    return result


def main():
    all_cases = objectives.cases()
    names = ["one example, effects on both sides of the threshold", "two examples of different lengths"]
    generator = torch.Generator().manual_seed(2603)
    written = []
    for name in names:
        examples = with_extras(generator, all_cases[name])
        entry = {"name": name, "examples": [], "losses": {}}
        for z_h, z_0, y, extra in examples:
            entry["examples"].append({
                "zWithHistory": decimals(z_h, 9), "zWithoutHistory": decimals(z_0, 9), "targets": y.tolist(),
                "zAnchor": decimals(extra["anchor"], 9), "generic": decimals(extra["generic"], 9), "copied": [int(c) for c in extra["copied"]],
                "zOtherHistory": decimals(extra["otherHistory"], 9),
                "placeboMost": decimals(extra["placeboMost"], 9),
                "estimate": {
                    key: decimals(values, 9)
                    for key, values in zip(("logProbWithHistory", "logProbWithoutHistory", "divergence"), extra["estimate"])
                },
            })
        for label, objective, options, given in ENTRIES:
            loss, gradients = loss_and_gradients(objective, options, given, examples, torch.float64)
            loss32, gradients32 = loss_and_gradients(objective, options, given, examples, torch.float32)
            worst = max([difference(loss, loss32)] + [difference(a, b) for two in zip(gradients, gradients32) for a, b in zip(*two)])
            entry["losses"][label] = {
                "objective": objective, "options": options, "given": list(given), "loss": decimals(loss, 12),
                "float32Difference": rounded(worst, 2),
                "gradWithHistory": [None if g is None else decimals(g, 9) for g, _ in gradients],
                "gradWithoutHistory": [None if g is None else decimals(g, 9) for _, g in gradients],
            }
        written.append(entry)

    checked, commit = {}, None
    location = os.environ.get("NEXTQUILL_REFERENCE")
    if location:
        source, commit = reference_source(location)
        classes = reference_classes(source)
        torch.manual_seed(0)
        objectives.REFERENCE |= {"no-history": ("CustomTrainer3", {"rag": False}), "alpha 0.01": ("CustomTrainer2", {"causal": True})}
        objectives.OBJECTIVES |= {
            "no-history": objectives.sft_no_history,
            "alpha 0.01": lambda z_h, z_0, y: loss_of("nextquill-model-side", {"effectWeight": 0.01}, (), z_h, z_0, y, {}),
        }
        for mode in ("no-history", "alpha 0.01"):
            worst = check_against_reference(classes, mode, all_cases[names[0]][0], torch.float64, prefix=1, tail=0)
            assert worst < 1e-6, (mode, worst)
            checked[mode] = {"reference": list(objectives.REFERENCE[mode]), "maxDifference": rounded(worst, 3)}
    write_golden("objective-options.json", provenance(__file__, "torch float64", ["torch"]) | {
        "reference": {"repository": "juntaoyou/NextQuill", "commit": commit, "checked": checked},
        "about": {
            "zAnchor": "logits of the starting model without history, [S, V]",
            "copied": "1 where a token stands in a run that the history holds, [S]",
            "generic": "mean log ratio of other users' histories, [S]",
            "zOtherHistory": "logits with another user's history, [S, V]",
            "placeboMost": "largest log ratio of another user's history, [S]",
            "estimate": "effects of another model, used where `given` names it; scale is 0.25 where `given` names it",
            "loss": "mean over the examples of a case, each normalised within itself; float64",
            "float32Difference": "largest difference of loss and gradients when torch computes them in float32",
        },
        "scale": SCALE,
        "cases": written,
    })


if __name__ == "__main__":
    main()
