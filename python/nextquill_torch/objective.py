"""What is minimised, on numbers of tokens: to be read beside src/method/objectives (plan.ts, weight-rules.ts, token-weights.ts, loss.ts).

Everything here is about the S response tokens of some examples. z_h and z_∅ are the logits with and without history, y the
response. scores.py makes one number a token of the logits; this file makes weights and a loss of these numbers.
Rules and defaults are in objectives.json, which a test holds equal to the TypeScript tables.
"""

import json
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from functools import cached_property
from pathlib import Path

import torch
from torch import Tensor

from .faults import SpecFault
from .scores import ScoreOptions

TABLE = json.loads((Path(__file__).parent / "objectives.json").read_text())

#: Bounds of PerCE's clipped log ratio, arXiv 2603.06595.
PERCE_LOW, PERCE_HIGH = 0.8, 5.0

RULES = ("uniform", "threshold", "divergence", "clipped", "soft")
DIFFERENCES = ("none", "uniform", "weighted")
FITS = ("withHistory", "withoutHistory")
ESTIMATORS = ("dynamic", "fixed", "moving-average")

#: What an estimator says of every response token.
ESTIMATED = ("logProbWithHistory", "logProbWithoutHistory", "divergence")


@dataclass(frozen=True)
class Plan:
    """An objective with everything that follows from its options, as plan.ts makes it."""

    fit: str
    weights: str
    difference: str
    options: Mapping[str, object]
    estimator: str = "dynamic"
    #: Whether the own history is preferred to another user's.
    preference: bool = False

    @property
    def is_weighted(self) -> bool:
        return self.weights != "uniform"

    @property
    def effect_losses(self) -> tuple[str, ...]:
        """The losses on effects, beside the fit."""
        calibrates = self.fit == "withHistory" and self.options["calibrationWeight"] > 0
        kinds = {
            "difference": self.difference != "none",
            "calibration": calibrates,
            "targets": self.needs_placebo_most,
            "contrast": self.contrasts,
        }
        return tuple(kind for kind, is_on in kinds.items() if is_on)

    @property
    def needs_scale(self) -> bool:
        """Whether the factor of losses on effects depends on the step."""
        grows = self.options["effectWarmup"] > 0 or self.options["effectStart"] > 0
        return bool(self.effect_losses) and grows

    @property
    def asks_preference_tokens(self) -> bool:
        """Whether the loss on the logit difference is at preference-bearing tokens alone."""
        return self.difference != "none" and self.options["differenceAt"] == "preferenceTokens"

    @property
    def asks_effects(self) -> bool:
        """Whether effects of tokens have a say in the loss: in weights, in which tokens it is at, or as targets."""
        return self.is_weighted or self.asks_preference_tokens or self.needs_placebo_most

    @property
    def reads_ratios(self) -> bool:
        """Whether the effects that it asks for have a sign."""
        return self.weights in ("threshold", "clipped", "soft") or self.asks_preference_tokens

    @property
    def needs_estimate(self) -> bool:
        return self.asks_effects and self.estimator != "dynamic"

    @property
    def needs_generic(self) -> bool:
        return self.reads_ratios and self.options["weightsFrom"] == "userSpecific"

    @property
    def needs_copied(self) -> bool:
        """Which response tokens stand in runs that the shown history holds."""
        return (self.is_weighted or self.asks_preference_tokens) and self.options["copyDiscount"] > 0

    @property
    def needs_placebo_most(self) -> bool:
        """The most that another user's history does for a token: where effects are targets."""
        return self.fit == "withHistory" and self.options["targetWeight"] > 0

    @property
    def needs_anchor(self) -> bool:
        return self.options["anchorWeight"] > 0

    @property
    def contrasts(self) -> bool:
        """Whether the own history is told from those of other users by the whole text."""
        return self.fit == "withHistory" and self.options["contrastWeight"] > 0

    @property
    def needs_others(self) -> int:
        """Passes with another user's history each."""
        contrasted = int(self.options["contrastHistories"]) if self.contrasts else 0
        return max(int(self.preference or self.from_other), contrasted)

    @property
    def other_passes(self) -> tuple[str, ...]:
        return tuple(other_pass(place) for place in range(self.needs_others))

    @property
    def from_other(self) -> bool:
        """Whether the logit difference is taken from the pass with another user's history."""
        return self.difference != "none" and self.options["differenceFrom"] == "otherHistory"

    @property
    def effects_of_none(self) -> bool:
        """Whether losses on effects compare with the pass without history."""
        compared = (kind for kind in self.effect_losses if kind != "contrast")
        return any(kind != "difference" or not self.from_other for kind in compared)

    @property
    def needs_start_margin(self) -> bool:
        return self.preference and bool(self.options["startMargin"])

    @property
    def passes(self) -> str:
        """Those with the user's own prompts."""
        own = self.asks_effects and not self.needs_estimate
        compares = self.effects_of_none or self.needs_anchor or own
        return "pair" if self.fit == "withHistory" and compares else self.fit

    @property
    def pass_names(self) -> tuple[str, ...]:
        """The passes of a training step."""
        own = ("withHistory", "withoutHistory") if self.passes == "pair" else (self.passes,)
        return (*own, *self.other_passes)

    @property
    def gradient_through_weights(self) -> bool:
        return self.weights == "divergence" and not self.needs_estimate and bool(self.options["weightGradient"])

    @property
    def gradient_without_history(self) -> bool:
        """Whether a gradient flows into the pass without history."""
        if self.passes != "pair":
            return self.passes == "withoutHistory"
        through_effects = self.effects_of_none and not self.options["stopGradient"]
        return through_effects or self.needs_anchor or self.gradient_through_weights

    @cached_property
    def scores(self) -> tuple[str, ...]:
        """The numbers of tokens that the passes must give (see scores.py)."""
        wanted = [self.fit]
        if self.passes == "pair":
            other = "withoutHistory" if self.fit == "withHistory" else "withHistory"
            if self.reads_ratios and not self.needs_estimate:
                wanted.append(other)
            if self.weights == "divergence" and not self.needs_estimate:
                wanted.append("divergence")
            if "targets" in self.effect_losses and other not in wanted:
                wanted.append(other)
            if "calibration" in self.effect_losses:
                wanted.append("calibration")
        if self.difference != "none":
            wanted.append("difference")
        if self.needs_anchor:
            wanted.append("anchor")
        if self.contrasts:
            wanted += self.other_passes
        elif self.preference:
            wanted.append("otherHistory")
        return tuple(wanted)

    @property
    def score_options(self) -> ScoreOptions:
        """Options of token_scores."""
        of = self.options
        return ScoreOptions(bool(of["stopGradient"]), float(of["plausibility"]), float(of["strengthSpread"]), self.from_other)


def other_pass(place: int) -> str:
    """The pass with another user's history, 0 for the first."""
    return "otherHistory" if place == 0 else f"otherHistory{place + 1}"


def plan_of(name: str, options: Mapping[str, object] | None = None, estimator: str = "dynamic") -> Plan:
    """The plan of an objective by its name or alias, with options by their names in a recipe."""
    alias = TABLE["aliases"].get(name)
    objective = name if alias is None else alias["objective"]
    if objective not in TABLE["objectives"]:
        names = ", ".join([*TABLE["objectives"], *TABLE["aliases"]])
        raise SpecFault(
            f"objective: expected one of {names}, got {name!r}", code="objective/unknown", hint="Choose one of these names."
        )
    row = TABLE["objectives"][objective]
    given = {**(alias["options"] if alias else {}), **(options or {})}
    resolved = resolve_options(given)
    weighted = row["rule"] != "uniform" and (resolved["plainWeight"] < 1 or row["difference"] == "weighted")
    rule = "uniform" if not weighted else "soft" if resolved["softWeights"] else row["rule"]
    return checked_plan(row["fit"], rule, row["difference"], resolved, estimator, row["preference"])


def resolve_options(given: Mapping[str, object]) -> dict[str, object]:
    """All options, defaults filled in; an unknown name is an error."""
    defaults = TABLE["options"]
    unknown = next((name for name in given if name not in defaults), None)
    if unknown is not None:
        raise SpecFault(
            f"objectiveOptions: {unknown}: expected one of {', '.join(defaults)}, got an unknown name",
            code="objective/option",
            hint="Choose one of these names.",
        )
    for name, value in given.items():
        if type(value) is not type(defaults[name]) and not _are_numbers(value, defaults[name]):
            raise SpecFault(
                f"objectiveOptions: {name}: expected a value such as {json.dumps(defaults[name])}, got {value!r}",
                code="objective/option",
                hint=f"Correct {name}.",
            )
    return {**defaults, **given}


def _are_numbers(a: object, b: object) -> bool:
    return all(isinstance(value, (int, float)) and not isinstance(value, bool) for value in (a, b))


def checked_plan(
    fit: str, weights: str, difference: str, options: Mapping[str, object], estimator: str, preference: bool
) -> Plan:
    """A plan of rules that are known here."""
    for key, value, known in (
        ("fit", fit, FITS),
        ("weights", weights, RULES),
        ("difference", difference, DIFFERENCES),
        ("estimator", estimator, ESTIMATORS),
    ):
        if value not in known:
            raise SpecFault(
                f"objective: {key}: expected one of {', '.join(known)}, got {value!r}",
                code="spec/objective",
                hint="Install the nextquill-torch of the same version as NextQuill.",
            )
    return Plan(fit, weights, difference, dict(options), estimator, preference)


@dataclass(frozen=True)
class Groups:
    """How S response tokens belong to examples."""

    #: i64[S], the example of each token, 0 … B − 1.
    example_of: Tensor
    #: bool[B].
    has_history: Tensor
    #: Examples of the whole step, over all microbatches and processes.
    step_examples: int
    #: bool[B], which are compared with another user's history; where an objective does.
    is_compared: Tensor | None = None

    @cached_property
    def membership(self) -> Tensor:
        """f32[B, S], 1 where the token belongs to the example."""
        rows = torch.arange(len(self.has_history), device=self.example_of.device)
        return (rows[:, None] == self.example_of[None, :]).to(torch.float32)

    def per_token(self, of_examples: Tensor) -> Tensor:
        return of_examples[self.example_of]

    @cached_property
    def uniform(self) -> Tensor:
        """f32[S], 1 / number of response tokens of the token's example."""
        return self.per_token(1 / self.membership.sum(1).clamp(min=1))

    @cached_property
    def history(self) -> Tensor:
        """f32[S], 1 where the token's example has a history."""
        return self.per_token(self.has_history.to(torch.float32))

    def summed(self, values: Tensor) -> Tensor:
        """The sum over a token's example, at each of its tokens: f32[S]."""
        return self.per_token((self.membership.to(values.dtype) @ values[:, None])[:, 0])

    def total(self, values: Tensor, weights: Tensor) -> Tensor:
        """The step's share: Σ weight · value / examples of the step."""
        return (values * weights * (1 / self.step_examples)).sum()


def normalise(weights: Tensor, groups: Groups) -> Tensor:
    """ω̃ = ω / Σ ω within each example; uniform where an example has no history, or only weights of 0."""
    used = torch.where(groups.history > 0, weights, torch.ones_like(weights))
    sums = groups.summed(used)
    is_weighted = sums > 0
    # The denominator is replaced, too: a gradient through 0/0 would be no number.
    return torch.where(is_weighted, used, groups.uniform.to(used.dtype)) / torch.where(is_weighted, sums, torch.ones_like(sums))


def raw_weights(plan: Plan, tokens: Mapping[str, Tensor], given: Mapping[str, Tensor]) -> Tensor:
    """ω by the plan's rule, before normalisation: from `given` estimates where the plan needs them, else from the passes' `tokens`."""
    options = plan.options
    if plan.weights == "divergence":
        divergence = counted(plan, given["divergence"] if plan.needs_estimate else tokens["divergence"], given)
        return divergence if plan.gradient_through_weights else divergence.detach()
    own, other = compared_log_probabilities(plan, tokens, given)
    ratio = counted(plan, own - other, given)
    if plan.weights == "clipped":
        return ratio.clamp(PERCE_LOW, PERCE_HIGH)
    if plan.weights == "soft":
        return torch.sigmoid((ratio - options["softCentre"]) * options["softSlope"]) + 0.5
    is_above = counted(plan, own.exp() - other.exp(), given) > options["effectThreshold"]
    return torch.where(is_above, options["highWeight"], options["lowWeight"]).to(own.dtype)


def compared_log_probabilities(
    plan: Plan, tokens: Mapping[str, Tensor], given: Mapping[str, Tensor]
) -> tuple[Tensor, Tensor]:
    """log p with the own history, and what it is compared with: their difference is a token's effect. Without gradient."""
    own = given["logProbWithHistory"] if plan.needs_estimate else tokens["withHistory"]
    none = given["logProbWithoutHistory"] if plan.needs_estimate else tokens["withoutHistory"]
    own, none = own.detach(), none.detach()
    if not plan.needs_generic:
        return own, none
    if "generic" not in given:
        raise SpecFault(
            "weightsFrom userSpecific: expected the effects of other users' histories, got none",
            code="objective/no-others",
            hint="Pass generic=, or use weightsFrom total.",
        )
    return own, none + given["generic"]


def counted(plan: Plan, effect: Tensor, given: Mapping[str, Tensor]) -> Tensor:
    """(1 − ρ c) E: the effect as far as copying does not explain it; c is 1 in a run of words that the shown history holds."""
    if not plan.needs_copied:
        return effect
    if "copied" not in given:
        raise SpecFault(
            "copyDiscount: expected which tokens are copied, got none",
            code="objective/no-copied",
            hint="Pass copied=, or set copyDiscount to 0.",
        )
    return effect * (1 - given["copied"].to(effect.dtype) * plan.options["copyDiscount"])


def preference_tokens(plan: Plan, tokens: Mapping[str, Tensor], given: Mapping[str, Tensor]) -> Tensor:
    """f32[S], 1 at preference-bearing tokens, whose log ratio exceeds differenceThreshold, else 0."""
    own, other = compared_log_probabilities(plan, tokens, given)
    return (counted(plan, own - other, given) > plan.options["differenceThreshold"]).to(own.dtype)


def weights_of(plan: Plan, tokens: Mapping[str, Tensor], groups: Groups, given: Mapping[str, Tensor] | None = None) -> Tensor:
    """ω̃: f32[S], summing to 1 over each example."""
    if not plan.is_weighted:
        return groups.uniform
    return normalise(raw_weights(plan, tokens, given or {}), groups)


def fit_weights(plan: Plan, tokens: Mapping[str, Tensor], groups: Groups, given: Mapping[str, Tensor] | None = None) -> Tensor:
    """(1 − μ) ω̃ + μ / |S|, what each token counts for in the fit: f32[S], summing to 1 over each example."""
    return with_plain_share(plan, weights_of(plan, tokens, groups, given), groups)


def with_plain_share(plan: Plan, weights: Tensor, groups: Groups) -> Tensor:
    """ω̃ with the plain share μ of the fit."""
    plain = plan.options["plainWeight"] if plan.is_weighted else 0
    return weights * (1 - plain) + groups.uniform * plain if plain > 0 else weights


def preference_loss(plan: Plan, tokens: Mapping[str, Tensor], groups: Groups, given: Mapping[str, Tensor]) -> Tensor:
    """−ln σ(β Σ_t [log p(y_t|h) − log p(y_t|h_v)] − that of the starting model) of a token's example, at each of its tokens: [S].

    DPO's loss (arXiv 2305.18290, Eq. 7) with two contexts of one text.
    """
    margin = tokens[plan.fit] - tokens["otherHistory"]
    if plan.needs_start_margin:
        margin = margin - given["startMargin"]
    return -torch.nn.functional.logsigmoid(groups.summed(margin) * plan.options["preferenceBeta"])


def target_loss(plan: Plan, tokens: Mapping[str, Tensor], given: Mapping[str, Tensor]) -> Tensor:
    """Huber's distance of the model's log ratio from the estimator's, where that exceeds every other user's history's: [S]."""
    without = tokens["withoutHistory"].detach() if plan.options["stopGradient"] else tokens["withoutHistory"]
    target = given["logProbWithHistory"] - given["logProbWithoutHistory"]
    knee = float(plan.options["targetKnee"])
    distance = (tokens["withHistory"] - without - target).abs()
    near = distance.clamp(max=knee)
    return torch.where(target > given["placeboMost"], near * (distance - near / 2), torch.zeros_like(distance))


def contrast_loss(plan: Plan, tokens: Mapping[str, Tensor], groups: Groups) -> Tensor:
    """InfoNCE over histories (arXiv 1807.03748, Eq. (4)) of a token's example, by its mean log-likelihoods, at each of its tokens: [S].

    −ln( e^(ℓ_h/τ) / Σ_{j ∈ {h, others}} e^(ℓ_j/τ) ) with gradient into all passes.
    """
    own = tokens[plan.fit]
    scaled = groups.uniform.to(own.dtype) / float(plan.options["contrastTemperature"])
    histories = plan.other_passes[: int(plan.options["contrastHistories"])]
    leads = [groups.summed((tokens[name] - own) * scaled) for name in histories]
    return torch.logsumexp(torch.stack([torch.zeros_like(own), *leads]), 0)


def loss_of(
    plan: Plan,
    tokens: Mapping[str, Tensor],
    groups: Groups,
    given: Mapping[str, Tensor] | None = None,
    effect_scale: float = 1.0,
) -> tuple[Tensor, dict[str, Tensor]]:
    """The share of a step's loss that these tokens have, and its parts for the record; Eq. (4), (6)–(8) of arXiv 2506.02368.

    (1 − μ) Σ ω̃ CE(z_h, y) + μ CE̅(z_h, y) + α Σ w CE_P(z_h − z_∅, y) + κ/2 Σ_{s = 1 ± δ} CE̅(z_∅ + s (z_h − z_∅), y) + τ H̅(A − A*) + ν InfoNCE + β KL̅(p_0 ‖ p_∅), in nats; or, with a preference, that loss and
    φ of the fit in place of the first two terms.
    w is 1 / |S| or ω̃, and 0 where `differenceAt` leaves a token out; P are the tokens that difference_score compares.
    `tokens` has what `plan.scores` names: log-probabilities f32[S], and `divergence` and `anchor` as they are.
    """
    options = plan.options
    cross_entropy = -tokens[plan.fit]
    weights = weights_of(plan, tokens, groups, given)
    weighted = groups.total(cross_entropy, weights)
    parts = {"crossEntropy": groups.total(cross_entropy.detach(), groups.uniform), "weightedCrossEntropy": weighted}
    loss = groups.total(cross_entropy, with_plain_share(plan, weights, groups))
    if plan.preference:
        compared = groups.per_token(groups.is_compared)
        values = preference_loss(plan, tokens, groups, given or {}) * compared.to(torch.float32)
        parts["preference"] = groups.total(values, groups.uniform)
        # A text that is compared with nobody's history is fitted as ever.
        share = torch.where(compared, float(options["preferenceFit"]), 1.0)
        loss = parts["preference"] + groups.total(cross_entropy * share, groups.uniform)
    if plan.difference != "none":
        is_compared = groups.per_token(groups.is_compared).to(torch.float32) if plan.from_other else groups.history
        values = -tokens["difference"] * is_compared
        if plan.asks_preference_tokens:
            values = values * preference_tokens(plan, tokens, given or {})
        parts["logitDifference"] = groups.total(values, weights if plan.difference == "weighted" else groups.uniform)
        loss = loss + parts["logitDifference"] * (options["effectWeight"] * effect_scale)
    if "calibration" in plan.effect_losses:
        parts["calibration"] = groups.total(-tokens["calibration"] * groups.history, groups.uniform)
        loss = loss + parts["calibration"] * (options["calibrationWeight"] * effect_scale)
    if "targets" in plan.effect_losses:
        values = target_loss(plan, tokens, given or {}) * groups.history
        parts["effectTargets"] = groups.total(values, groups.uniform)
        loss = loss + parts["effectTargets"] * (options["targetWeight"] * effect_scale)
    if plan.contrasts:
        values = contrast_loss(plan, tokens, groups) * groups.per_token(groups.is_compared).to(torch.float32)
        parts["contrast"] = groups.total(values, groups.uniform)
        loss = loss + parts["contrast"] * (options["contrastWeight"] * effect_scale)
    if plan.needs_anchor:
        parts["anchor"] = groups.total(tokens["anchor"] * groups.history, groups.uniform)
        loss = loss + parts["anchor"] * options["anchorWeight"]
    return loss, parts


# For any training loop.


def token_weights(
    own: Tensor,
    none: Tensor,
    example_of: Tensor,
    has_history: Tensor,
    *,
    objective: str = "nextquill",
    divergence: Tensor | None = None,
    generic: Tensor | None = None,
    copied: Tensor | None = None,
    **options: object,
) -> Tensor:
    """What response tokens count for in the fit, its plain share included: f32[S], summing to 1 over each example.

    Arguments as those of `nextquill_loss`. Losses on effects, such as calibration, are no weights.
    """
    plan = plan_of(objective, options)
    needed = ("divergence",) if plan.weights == "divergence" else ()
    tokens = _tokens_of(needed, own, none, {"divergence": divergence})
    return fit_weights(plan, tokens, Groups(example_of, has_history, len(has_history)), _given(generic=generic, copied=copied))


def nextquill_loss(
    own: Tensor,
    none: Tensor,
    example_of: Tensor,
    has_history: Tensor,
    *,
    objective: str = "nextquill",
    step_examples: int | None = None,
    difference: Tensor | None = None,
    calibration: Tensor | None = None,
    divergence: Tensor | None = None,
    anchor: Tensor | None = None,
    generic: Tensor | None = None,
    copied: Tensor | None = None,
    other: Tensor | None = None,
    further: Sequence[Tensor] = (),
    is_compared: Tensor | None = None,
    start_margin: Tensor | None = None,
    effect_scale: float = 1.0,
    **options: object,
) -> Tensor:
    """The loss of some examples, a scalar, from numbers of their S response tokens.

    own, none: log p(y_t) with and without the history, f32[S], nats; example_of: i64[S]; has_history: bool[examples].
    step_examples: examples that the loss is a mean over, those given by default; over accumulated microbatches and
    processes it is the number of the whole step, and the shares are summed.
    difference: log softmax(z_h − z_∅)[y], for objectives with a loss on it; calibration, divergence and anchor: see scores.py.
    copied: bool[S] or f32[S], which tokens stand in runs that the shown history holds; for copyDiscount.
    other: log p(y_t) with another user's history; is_compared: bool[examples], those with their own history by default;
    start_margin: own − other of the starting model. For objectives with a preference.
    further: as other, with the second and further users' histories; for contrastHistories above 1.
    options: those of a recipe's objectiveOptions, such as plainWeight=0.3.
    """
    plan = plan_of(objective, options)
    others = {
        "difference": difference,
        "calibration": calibration,
        "divergence": divergence,
        "anchor": anchor,
        **{other_pass(place): values for place, values in enumerate([other, *further])},
    }
    tokens = _tokens_of(plan.scores, own, none, others)
    if plan.needs_start_margin and start_margin is None:
        raise SpecFault(
            "start_margin: expected the starting model's margin of each token, got none",
            code="objective/tokens",
            hint="Pass start_margin=, or startMargin=False for the form without a reference model.",
        )
    groups = Groups(example_of, has_history, step_examples or len(has_history), has_history if is_compared is None else is_compared)
    given = _given(generic=generic, copied=copied, startMargin=start_margin)
    return loss_of(plan, tokens, groups, given, effect_scale)[0]


def _given(**values: Tensor | None) -> dict[str, Tensor]:
    return {name: value for name, value in values.items() if value is not None}


def _tokens_of(
    needed: Sequence[str], own: Tensor, none: Tensor, others: Mapping[str, Tensor | None]
) -> dict[str, Tensor]:
    tokens = {"withHistory": own, "withoutHistory": none, **{name: value for name, value in others.items() if value is not None}}
    missing = next((name for name in needed if name not in tokens), None)
    if missing is not None:
        raise SpecFault(
            f"{missing}: expected numbers of tokens, which this objective needs, got none",
            code="objective/tokens",
            hint=f"Pass {missing}=, such as nextquill_torch.scores makes it, or choose another objective.",
        )
    return tokens
