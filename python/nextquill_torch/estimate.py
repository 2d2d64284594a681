"""Who says how much a history changes a token, where the passes of training do not (src/method/training/estimators.ts)."""

from collections.abc import Callable, Mapping, Sequence

import torch
from safetensors.torch import save_file
from torch import Tensor

from .build import Setting, frozen_copy, layout_of
from .events import Events
from .objective import ESTIMATED
from .parallel import Ranks, regrouped
from .passes import Scored, batch_of, prompt_batch
from .spec import Ragged, Spec

#: Padded tokens of one run of scoring at most, except for a longer single row.
TOKENS_PER_RUN = 16384

#: More nats than any effect has, and a finite number.
BEYOND_EFFECTS = 1e30

Progress = Callable[[int, int], None]


def score_rows(
    total: int,
    offsets: Tensor,
    names: Sequence[str],
    groups: Sequence[Sequence[int]],
    score: Callable[[Sequence[int]], Mapping[str, Tensor]],
    ranks: Ranks,
    progress: Progress,
) -> dict[str, Tensor]:
    """Numbers of all response tokens, f32[values]: each process scores its part of the groups, and the parts are summed.

    score: numbers of the response tokens of some rows, one row after the other.
    """
    found = {name: torch.zeros(int(offsets[-1])) for name in names}
    done = 0
    for at, rows in enumerate(groups):
        if at % ranks.world == ranks.rank:
            values = {name: tensor.detach().float().cpu() for name, tensor in score(rows).items()}
            start = 0
            for row in rows:
                begin, end = int(offsets[row]), int(offsets[row + 1])
                for name in names:
                    found[name][begin:end] = values[name][start : start + end - begin]
                start += end - begin
        done += len(rows)
        progress(done, total)
    return {name: ranks.sum_on_cpu(tensor) for name, tensor in found.items()}


def score_pairs(
    scored: Scored, spec: Spec, setting: Setting, ranks: Ranks, progress: Progress, rows: Sequence[int] | None = None
) -> dict[str, Tensor]:
    """log p with and without the history, and the divergence, of every response token of the pairs, fitted or not."""
    pairs = spec.pairs
    whole = type(pairs)(pairs.with_history, pairs.without_history, pairs.response, pairs.has_history, None)
    lengths = [int(longer) for longer in torch.maximum(pairs.with_history.lengths, pairs.without_history.lengths) + pairs.response.lengths]
    chosen = list(range(len(pairs))) if rows is None else list(rows)
    layout = layout_of(spec, ranks, setting)
    wanted = ("withHistory", "withoutHistory", "divergence")

    def score(group: Sequence[int]) -> dict[str, Tensor]:
        batch = batch_of(whole, group, ("withHistory", "withoutHistory"), layout)
        with torch.no_grad():
            tokens = scored(batch, wanted)
        # One prompt: its second pass differs by rounding only, and the effect is 0 by definition.
        has = batch.has_history[batch.example_of]
        without = torch.where(has, tokens["withoutHistory"], tokens["withHistory"])
        difference = torch.where(has, tokens["divergence"], torch.zeros_like(without))
        return dict(zip(ESTIMATED, (tokens["withHistory"], without, difference)))

    # Rows that are named are a microbatch: all of them at once, as each process with a part of the weights has one.
    groups = regrouped(chosen, lengths, TOKENS_PER_RUN) if rows is None else [chosen]
    return score_rows(len(chosen), pairs.response.offsets, ESTIMATED, groups, score, ranks, progress)


def score_prompts(
    scored: Scored,
    spec: Spec,
    setting: Setting,
    ranks: Ranks,
    progress: Progress,
    prompts: Ragged,
    responses: Ragged,
    targets: Ragged | None = None,
) -> Tensor:
    """log p of every response token after its prompt; `targets`, where labels are shifted, in the response's places."""
    layout = layout_of(spec, ranks, setting)
    lengths = [int(length) for length in prompts.lengths + responses.lengths]

    def score(group: Sequence[int]) -> dict[str, Tensor]:
        batch = prompt_batch(prompts, responses, targets or responses, group, layout)
        with torch.no_grad():
            return {"logProb": scored(batch, ("withHistory",))["withHistory"]}

    groups = regrouped(range(len(prompts)), lengths, TOKENS_PER_RUN)
    return score_rows(len(prompts), responses.offsets, ("logProb",), groups, score, ranks, progress)["logProb"]


def given_estimates(scored: Scored, spec: Spec, setting: Setting, ranks: Ranks, events: Events) -> dict[str, Tensor]:
    """Estimates that do not change while the model is trained: those of the spec, or computed now and written into it.

    `scored` must have its first values: it is the starting model then.
    """
    plan = spec.plan
    names = tuple(ESTIMATED) if plan.needs_estimate and plan.estimator == "fixed" else ()
    names += ("generic",) if plan.needs_generic else ()
    names += ("placeboMost",) if plan.needs_placebo_most else ()
    names += ("startMargin",) if plan.needs_start_margin else ()
    if not names:
        return {}
    found = spec.estimates(names)
    # All must decide alike, although rank 0 may write the file before the last of them has looked.
    ranks.wait()
    if found is not None:
        return found
    estimator = scored
    of = spec.content["estimator"]
    if plan.estimator == "fixed" and (of["model"] or of["adapter"]):
        copy = frozen_copy(spec, setting, model=of["model"], adapter=of["adapter"])
        estimator = Scored(copy, chunk=setting.chunk).to(ranks.device)

    def progress(stage: str, unit: str) -> Progress:
        return lambda done, total: events.emit("progress", stage=stage, done=done, total=total, unit=unit)

    made: dict[str, Tensor] = {}
    if "divergence" in names:
        made |= score_pairs(estimator, spec, setting, ranks, progress("effects of the estimator", "examples"))
    if plan.needs_generic or plan.needs_placebo_most:
        of_others = others_effects(estimator, spec, setting, ranks, progress("effects of other users’ histories", "prompts"))
        made |= {name: values for name, values in of_others.items() if name in names}
    if plan.needs_start_margin:
        made["startMargin"] = start_margins(scored, spec, setting, ranks, progress("margins of the starting model", "prompts"))
    if ranks.is_main:
        path = spec.folder / "estimates.safetensors"
        temporary = path.with_suffix(".tmp")
        save_file(made, temporary)
        temporary.replace(path)
    ranks.wait()
    return made


def others_effects(scored: Scored, spec: Spec, setting: Setting, ranks: Ranks, progress: Progress) -> dict[str, Tensor]:
    """What other users' histories do for every response token, less log p without a history: their mean and their largest.

    Where there are none the mean is 0, and nothing exceeds the largest.
    """
    prompts, pair = spec.placebos()
    responses = spec.pairs.response
    chosen = sorted({int(i) for i in pair})
    rows = [*chosen, *pair.tolist()]
    texts = [*(spec.pairs.without_history.row(i) for i in chosen), *(prompts.row(k) for k in range(len(prompts)))]
    answers = [responses.row(i) for i in rows]
    scores = score_prompts(scored, spec, setting, ranks, progress, _ragged(texts), _ragged(answers))
    offsets = _ragged(answers).offsets
    part = [scores[offsets[k] : offsets[k + 1]].double() for k in range(len(rows))]
    none = dict(zip(chosen, part))
    generic = torch.zeros(len(responses.values))
    most = torch.full((len(responses.values),), BEYOND_EFFECTS)
    for i in chosen:
        others = torch.stack([part[len(chosen) + k] for k in range(len(pair)) if int(pair[k]) == i])
        places = slice(int(responses.offsets[i]), int(responses.offsets[i + 1]))
        generic[places] = (others.mean(0) - none[i]).float()
        most[places] = (others.amax(0) - none[i]).float()
    return {"generic": generic, "placeboMost": most}


def start_margins(scored: Scored, spec: Spec, setting: Setting, ranks: Ranks, progress: Progress) -> Tensor:
    """How much likelier every response token is with the own history than with the other one; 0 without another."""
    pairs = spec.pairs
    own, other = (
        score_prompts(scored, spec, setting, ranks, progress, prompts, pairs.response)
        for prompts in (pairs.with_history, pairs.others["otherHistory"])
    )
    compared = torch.repeat_interleave(pairs.is_compared, pairs.response.lengths)
    return torch.where(compared, own - other, torch.zeros_like(own))


def _ragged(rows: Sequence[Tensor]) -> Ragged:
    lengths = torch.tensor([0, *map(len, rows)])
    return Ragged(torch.cat(list(rows)) if rows else torch.empty(0, dtype=torch.int32), lengths.cumsum(0))


def of_fitted(spec: Spec, given: Mapping[str, Tensor], examples: Sequence[int], device: torch.device) -> dict[str, Tensor]:
    """Estimates of the response tokens that a microbatch fits."""
    pairs = spec.pairs
    places = []
    for i in examples:
        place = torch.arange(int(pairs.response.offsets[i]), int(pairs.response.offsets[i + 1]))
        places.append(place if pairs.fitted is None else place[pairs.fitted[place]])
    chosen = torch.cat(places)
    return {name: values[chosen].to(device) for name, values in given.items()}
