"""The objective on PyTorch against tests/golden: values and gradients of every row and option, and the plans of TypeScript."""

import json
from dataclasses import replace
from pathlib import Path

import pytest
import torch

from nextquill_torch.faults import Fault
from nextquill_torch.objective import TABLE, Groups, loss_of, nextquill_loss, plan_of, token_weights
from nextquill_torch.scores import divergence, log_probability, token_scores

GOLDEN = Path(__file__).parents[2] / "tests" / "golden"
OBJECTIVES = json.loads((GOLDEN / "objectives.json").read_text())
OPTIONS = json.loads((GOLDEN / "objective-options.json").read_text())
CONTRAST = json.loads((GOLDEN / "contrast.json").read_text())
PLANS = json.loads((GOLDEN / "objective-plans.json").read_text())["plans"]

#: The goldens are f64, this is f32. Where torch's own f32 differs more (a divergence that cancels), so may this.
TOLERANCE = 1e-6


def tensor(rows, dtype=torch.float32):
    return torch.tensor(rows, dtype=dtype)


def case_of(examples):
    """Logits of both passes as leaves, targets and groups of a golden's examples."""
    leaves = {
        name: torch.cat([tensor(example[key]) for example in examples]).requires_grad_()
        for name, key in (("withHistory", "zWithHistory"), ("withoutHistory", "zWithoutHistory"))
    }
    targets = torch.cat([torch.tensor(example["targets"]) for example in examples])
    example_of = torch.cat([torch.full((len(example["targets"]),), i) for i, example in enumerate(examples)])
    groups = Groups(example_of, torch.ones(len(examples), dtype=torch.bool), len(examples))
    return leaves, targets, groups


def loss_and_gradients(plan, leaves, targets, groups, given=None, effect_scale=1.0, start=None, chunk=3):
    """The objective through chunks of hidden rows, the head being the identity."""
    needed = {"withHistory", "withoutHistory"} if plan.passes == "pair" else {plan.passes}
    hidden = {name: value for name, value in leaves.items() if name in needed}
    for name in plan.other_passes:
        hidden[name] = leaves[name]
    if plan.needs_anchor:
        hidden["start"] = start
    heads = {name: lambda rows: rows for name in hidden}
    tokens = token_scores(plan.scores, hidden, heads, targets, chunk=chunk, options=plan.score_options)
    loss, parts = loss_of(plan, tokens, groups, given, effect_scale)
    loss.backward()
    return loss.detach(), parts


def check(leaves, loss, entry):
    tolerance = max(TOLERANCE, entry["float32Difference"])
    assert abs(float(loss) - entry["loss"]) < tolerance
    for side, key in (("withHistory", "gradWithHistory"), ("withoutHistory", "gradWithoutHistory")):
        gradient = leaves[side].grad
        if any(rows is None for rows in entry[key]):
            assert gradient is None or float(gradient.abs().max()) == 0
        else:
            wanted = torch.cat([tensor(rows) for rows in entry[key]])
            assert float((gradient - wanted).abs().max()) < tolerance


@pytest.mark.parametrize("case", OBJECTIVES["cases"], ids=lambda case: case["name"])
@pytest.mark.parametrize("name", OBJECTIVES["objectives"])
@pytest.mark.parametrize("chunk", [3, 1000])
def test_loss_and_gradients_are_the_goldens(case, name, chunk):
    through_weights = name == "nextquill-js-gradient"
    plan = plan_of("nextquill-js" if through_weights else name, {"weightGradient": True} if through_weights else {})
    leaves, targets, groups = case_of(case["examples"])
    loss, _ = loss_and_gradients(plan, leaves, targets, groups, chunk=chunk)
    check(leaves, loss, case["objectives"][name])


@pytest.mark.parametrize("case", OPTIONS["cases"], ids=lambda case: case["name"])
@pytest.mark.parametrize("label", OPTIONS["cases"][0]["losses"])
def test_options_are_the_goldens(case, label):
    entry = case["losses"][label]
    estimator = "fixed" if "estimate" in entry["given"] else "dynamic"
    plan = plan_of(entry["objective"], entry["options"], estimator)
    leaves, targets, groups = case_of(case["examples"])
    if plan.needs_others > 0:
        groups = replace(groups, is_compared=groups.has_history)
        leaves["otherHistory"] = torch.cat([tensor(example["zOtherHistory"]) for example in case["examples"]])
    given = {
        "generic": torch.cat([tensor(example["generic"]) for example in case["examples"]]),
        "placeboMost": torch.cat([tensor(example["placeboMost"]) for example in case["examples"]]),
        "copied": torch.cat([torch.tensor(example["copied"]) for example in case["examples"]]),
        **{
            key: torch.cat([tensor(example["estimate"][key]) for example in case["examples"]])
            for key in ("logProbWithHistory", "logProbWithoutHistory", "divergence")
        },
    }
    start = torch.cat([tensor(example["zAnchor"]) for example in case["examples"]])
    scale = OPTIONS["scale"] if "scale" in entry["given"] else 1.0
    loss, _ = loss_and_gradients(plan, leaves, targets, groups, given, scale, start)
    check(leaves, loss, entry)


@pytest.mark.parametrize("case", OBJECTIVES["cases"], ids=lambda case: case["name"])
def test_effects_are_the_goldens(case):
    for example in case["examples"]:
        z_h, z_0, y = tensor(example["zWithHistory"]), tensor(example["zWithoutHistory"]), torch.tensor(example["targets"])
        ratio = log_probability(z_h, y) - log_probability(z_0, y)
        assert torch.allclose(ratio, tensor(example["effects"]["logRatio"]), atol=TOLERANCE)
        assert torch.allclose(divergence(z_h, z_0), tensor(example["effects"]["divergence"]), atol=TOLERANCE)


@pytest.mark.parametrize("entry", PLANS, ids=lambda e: f"{e['name']}-{e['estimator']}-{json.dumps(e['options'])}")
def test_plans_are_those_of_typescript(entry):
    plan = plan_of(entry["name"], entry["options"], entry["estimator"])
    needs = {
        "estimate": plan.needs_estimate,
        "generic": plan.needs_generic,
        "placeboMost": plan.needs_placebo_most,
        "copied": plan.needs_copied,
        "anchor": plan.needs_anchor,
        "others": plan.needs_others,
        "startMargin": plan.needs_start_margin,
        "scale": plan.needs_scale,
    }
    made = {"fit": plan.fit, "weights": plan.weights, "difference": plan.difference, "passes": plan.passes, "needs": needs}
    assert made == entry["plan"]


@pytest.mark.parametrize("case", CONTRAST["cases"], ids=lambda case: case["name"])
def test_the_contrast_of_histories_is_the_golden(case):
    plan = plan_of("sft", case["options"])
    examples = case["examples"]
    leaves = {"withHistory": torch.cat([tensor(example["zWithHistory"]) for example in examples]).requires_grad_()}
    for place, name in enumerate(plan.other_passes):
        leaves[name] = torch.cat([tensor(example["zOtherHistories"][place]) for example in examples]).requires_grad_()
    targets = torch.cat([torch.tensor(example["targets"]) for example in examples])
    example_of = torch.cat([torch.full((len(example["targets"]),), i) for i, example in enumerate(examples)])
    compared = torch.tensor([example["isCompared"] for example in examples])
    groups = Groups(example_of, torch.ones(len(examples), dtype=torch.bool), len(examples), compared)
    loss, parts = loss_and_gradients(plan, leaves, targets, groups)
    # Relative: a temperature of 0.01 makes hundreds of it.
    assert abs(float(loss) - case["loss"]) < 5e-6 * (1 + abs(case["loss"])) and "contrast" in parts
    wanted = {"withHistory": [example["gradWithHistory"] for example in examples]}
    for place, name in enumerate(plan.other_passes):
        wanted[name] = [example["gradOtherHistories"][place] for example in examples]
    for name, rows in wanted.items():
        gradient = torch.cat([tensor(part) for part in rows])
        assert float((leaves[name].grad - gradient).abs().max()) < 5e-6 * (1 + float(gradient.abs().max())), name


def test_every_row_has_a_plan():
    assert {plan_of(name).passes for name in [*TABLE["objectives"], *TABLE["aliases"]]} == {"pair", "withHistory", "withoutHistory"}


def test_the_function_for_any_loop_is_the_loss_of_the_worker():
    case = OBJECTIVES["cases"][3]
    leaves, targets, groups = case_of(case["examples"])
    own, none = (log_probability(leaves[name], targets) for name in ("withHistory", "withoutHistory"))
    loss = nextquill_loss(own, none, groups.example_of, groups.has_history, objective="perce")
    assert abs(float(loss.detach()) - case["objectives"]["perce"]["loss"]) < TOLERANCE
    weights = token_weights(own, none, groups.example_of, groups.has_history, objective="perce")
    sums = torch.zeros(2).index_add(0, groups.example_of, weights)
    assert torch.allclose(sums, torch.ones(2))
    share = nextquill_loss(own, none, groups.example_of, groups.has_history, objective="perce", step_examples=8)
    assert torch.allclose(share, loss / 4)


def test_weights_hold_the_plain_share_of_the_fit():
    case = OBJECTIVES["cases"][3]
    leaves, targets, groups = case_of(case["examples"])
    own, none = (log_probability(leaves[name].detach(), targets) for name in ("withHistory", "withoutHistory"))
    arguments = (own, none, groups.example_of, groups.has_history)
    weighted = token_weights(*arguments, objective="perce")
    mixed = token_weights(*arguments, objective="perce", plainWeight=0.8)
    assert torch.allclose(mixed, 0.2 * weighted + 0.8 * groups.uniform)
    # The loss of an objective that is its fit alone is what these weights say.
    loss = nextquill_loss(*arguments, objective="perce", plainWeight=0.8)
    assert torch.allclose(loss, -(mixed * own).sum() / 2)


def test_an_example_without_history_has_uniform_weights_and_no_difference():
    case = OBJECTIVES["cases"][3]
    leaves, targets, groups = case_of(case["examples"])
    bare = Groups(groups.example_of, torch.tensor([True, False]), 2)
    plan = plan_of("nextquill-paper")
    loss, parts = loss_and_gradients(plan, leaves, targets, bare)
    second = bare.example_of == 1
    difference = leaves["withoutHistory"].grad[second]
    assert float(difference.abs().max()) == 0
    own = log_probability(leaves["withHistory"].detach(), targets)
    weights = token_weights(own, own, bare.example_of, bare.has_history, objective="nextquill-paper")
    assert torch.allclose(weights[second], torch.full_like(weights[second], 1 / int(second.sum())))
    assert torch.isfinite(loss) and set(parts) == {"crossEntropy", "weightedCrossEntropy", "logitDifference"}


def test_weights_that_are_all_zero_are_uniform():
    own = torch.tensor([-2.0, -1.0, -3.0])
    weights = token_weights(
        own, own, torch.zeros(3, dtype=torch.long), torch.tensor([True]), objective="nextquill-paper", lowWeight=0.0
    )
    assert torch.allclose(weights, torch.full((3,), 1 / 3))


@pytest.mark.parametrize(
    ("call", "code"),
    [
        (lambda: plan_of("nextquil"), "objective/unknown"),
        (lambda: plan_of("sft", {"plainwieght": 1}), "objective/option"),
        (lambda: plan_of("sft", {"plainWeight": "much"}), "objective/option"),
        (lambda: plan_of("sft", {"stopGradient": 1}), "objective/option"),
        (lambda: plan_of("perce", {}, "median"), "spec/objective"),
        (lambda: _loss("nextquill-paper"), "objective/tokens"),
        (lambda: _loss("perce", weightsFrom="userSpecific"), "objective/no-others"),
        (lambda: _loss("perce", copyDiscount=1), "objective/no-copied"),
    ],
)
def test_wrong_arguments_are_named(call, code):
    with pytest.raises(Fault) as caught:
        call()
    assert caught.value.code == code and caught.value.hint


def _loss(objective, **options):
    own = torch.tensor([-1.0])
    return nextquill_loss(own, own, torch.zeros(1, dtype=torch.long), torch.tensor([True]), objective=objective, **options)
