"""One number a token from hidden rows: log-probabilities and what is made of whole distributions, in chunks of rows.

Logits of S rows over V entries are the largest tensors of training. They exist for one chunk at a time, in f32 whatever
the rest runs in, and the backward pass computes them again. Definitions: src/method/effects/effects.ts, objectives/anchor.ts.
"""

import math
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass

import torch
from torch import Tensor
from torch.utils.checkpoint import checkpoint

#: Below |d| = 0.3 the series is good to the last digit of f32.
SERIES_LIMIT = 0.09
#: The smallest normal f32: keeps 0 · ln 0 at 0 where a token is impossible under one prompt.
TINY = 1.1754944e-38

#: f32[S', V] of f32[S', D].
Head = Callable[[Tensor], Tensor]


def log_probability(logits: Tensor, targets: Tensor) -> Tensor:
    """log p(y): [S]."""
    return torch.log_softmax(logits, -1).gather(-1, targets[:, None])[:, 0]


def divergence(with_history: Tensor, without_history: Tensor) -> Tensor:
    """KL(p_h ‖ m) + KL(p_∅ ‖ m), m their mean, as Σ m·g(d): small divergences keep their digits. [S], 0 … 2 ln 2 nats."""
    log_h, log_0 = torch.log_softmax(with_history, -1), torch.log_softmax(without_history, -1)
    mixture = (log_h.exp() + log_0.exp()) * 0.5
    contrast = torch.tanh((log_h - log_0) * 0.5)
    return (mixture * _two_sided_entropy(contrast)).sum(-1)


def _two_sided_entropy(d: Tensor) -> Tensor:
    """g(d) = (1+d) ln(1+d) + (1−d) ln(1−d) = Σ d^2k / (k(2k−1))."""
    square = d * d
    series = torch.full_like(d, 1 / 66)
    for k in (5, 4, 3, 2):
        series = series * square + 1 / (k * (2 * k - 1))
    near = square * (series * square + 1)

    def side(x: Tensor) -> Tensor:
        return x * torch.log(x.clamp(min=TINY))

    return torch.where(square <= SERIES_LIMIT, near, side(1 + d) + side(1 - d))


def anchor_divergence(start: Tensor, without_history: Tensor) -> Tensor:
    """KL(p_0 ‖ p_∅) of the starting model and the one in training, both without history: [S], nats."""
    log_start = torch.log_softmax(start, -1).detach()
    return (log_start.exp() * (log_start - torch.log_softmax(without_history, -1))).sum(-1)


def difference_score(z_h: Tensor, z_0: Tensor, targets: Tensor, plausibility: float) -> Tensor:
    """log softmax(z_h − z_∅)[y] over {v: p_h(v) ≥ plausibility · max p_h} ∪ {y}, or with 0 over the vocabulary: [S], nats."""
    effect = z_h - z_0
    if plausibility > 0:
        kept = z_h.detach() >= z_h.detach().amax(-1, keepdim=True) + math.log(plausibility)
        effect = effect.masked_fill(~kept.scatter(-1, targets[:, None], True), -math.inf)
    return log_probability(effect, targets)


def calibration_score(z_h: Tensor, z_0: Tensor, targets: Tensor, spread: float) -> Tensor:
    """Mean of log softmax(z_∅ + s (z_h − z_∅))[y] over s = 1 − spread and 1 + spread: [S], nats."""
    change = (z_h - z_0) * spread
    return (log_probability(z_h - change, targets) + log_probability(z_h + change, targets)) * 0.5


@dataclass(frozen=True)
class ScoreOptions:
    """Options of an objective that numbers of tokens depend on."""

    #: No gradient of losses on effects into the pass without history.
    stop_gradient: bool = False
    plausibility: float = 0.0
    strength_spread: float = 0.25
    #: Whether the logit difference is taken from the pass with another user's history.
    from_other: bool = False


def scores_of_logits(
    wanted: Sequence[str], logits: Mapping[str, Tensor], targets: Tensor, options: ScoreOptions
) -> list[Tensor]:
    """The wanted numbers, each [S]; logits by pass: withHistory, withoutHistory, otherHistory, otherHistory2 and so on, start."""
    z_h, z_0 = logits.get("withHistory"), logits.get("withoutHistory")

    def compared(name: str) -> Tensor:
        return logits[name].detach() if options.stop_gradient else logits[name]

    base = "otherHistory" if options.from_other else "withoutHistory"
    made: dict[str, Callable[[], Tensor]] = {
        "withHistory": lambda: log_probability(z_h, targets),
        "withoutHistory": lambda: log_probability(z_0, targets),
        "difference": lambda: difference_score(z_h, compared(base), targets, options.plausibility),
        "calibration": lambda: calibration_score(z_h, compared("withoutHistory"), targets, options.strength_spread),
        "divergence": lambda: divergence(z_h, z_0),
        "anchor": lambda: anchor_divergence(logits["start"], z_0),
    }

    def score(name: str) -> Tensor:
        if name.startswith("otherHistory"):
            return log_probability(logits[name], targets)
        return made[name]()

    return [score(name) for name in wanted]


def token_scores(
    wanted: Sequence[str],
    hidden: Mapping[str, Tensor],
    heads: Mapping[str, Head],
    targets: Tensor,
    *,
    chunk: int,
    options: ScoreOptions = ScoreOptions(),
) -> dict[str, Tensor]:
    """Numbers of all tokens from hidden rows [S, D] of each pass, whose head is `heads[pass]`: f32[S] each.

    Memory: logits of `chunk` rows a pass. Each chunk is computed again in the backward pass where a gradient is asked for.
    """
    passes = list(hidden)

    def of_chunk(rows: slice, *parts: Tensor) -> Tensor:
        logits = {name: heads[name](part).float() for name, part in zip(passes, parts)}
        return torch.stack(scores_of_logits(wanted, logits, targets[rows], options))

    results = []
    for start in range(0, len(targets), chunk):
        rows = slice(start, min(start + chunk, len(targets)))
        parts = [hidden[name][rows] for name in passes]
        if torch.is_grad_enabled():
            results.append(checkpoint(of_chunk, rows, *parts, use_reentrant=False, preserve_rng_state=False))
        else:
            results.append(of_chunk(rows, *parts))
    return dict(zip(wanted, torch.cat(results, dim=1)))
