"""The task `score`: log-probabilities of response tokens, for pairs with their divergence too, into spec/scores.safetensors."""

import time
from collections.abc import Callable

import torch
from safetensors.torch import save_file
from torch import Tensor

from .build import setting_of
from .estimate import Progress, score_pairs, score_prompts
from .events import Events, StopFlag, write_end
from .faults import Fault
from .kept_model import KeptModel
from .parallel import Ranks
from .passes import Scored
from .spec import Ragged, Spec

#: Seconds between reports of progress.
REPORT = 1.0


class Stopped(Exception):
    pass


def score(
    spec: Spec, ranks: Ranks, events: Events, stop: StopFlag | None = None, opened: Callable[[Spec], Scored] | None = None
) -> int:
    """Scores what the spec holds; returns the exit code of a run without torchrun.

    opened: gives the model where it is kept between scores; else it is opened for this one.
    """
    stop = stop or StopFlag(spec.folder)
    setting = setting_of(spec, ranks, events)
    scored = KeptModel(ranks).of(spec, setting) if opened is None else opened(spec)

    def progress(stage: str, unit: str) -> Progress:
        reported = [time.monotonic()]

        def report(done: int, total: int) -> None:
            if stop.is_set():
                raise Stopped
            if done == total or time.monotonic() - reported[0] >= REPORT:
                reported[0] = time.monotonic()
                events.emit("progress", stage=stage, done=done, total=total, unit=unit)

        return report

    found: dict[str, Tensor] = {}
    try:
        if spec.has("pairs.safetensors"):
            found |= score_pairs(scored, spec, setting, ranks, progress("effects", "examples"))
            _check_finite(found, spec.pairs.response)
        if spec.has("prompts.safetensors"):
            prompts, responses, tensors = spec.prompts("prompts.safetensors")
            targets = None
            if "target" in tensors:
                values = spec.column("prompts.safetensors", tensors, "target", torch.int32, len(responses.values))
                targets = Ragged(values, responses.offsets)
            report = progress("log-probabilities", "prompts")
            found["logProb"] = score_prompts(scored, spec, setting, ranks, report, prompts, responses, targets)
            _check_finite({"logProb": found["logProb"]}, responses)
    except Stopped:
        if ranks.is_main:
            write_end(spec.folder, "stopped", code="aborted", message=f"{spec.run}: scoring was stopped", hint="Start it again.")
        return 130
    if ranks.is_main:
        path = spec.folder / "scores.safetensors"
        temporary = path.with_suffix(".tmp")
        save_file(found, temporary)
        temporary.replace(path)
        write_end(spec.folder, "done")
        events.emit("done", scores=str(path))
    return 0


def _check_finite(found: dict[str, Tensor], rows: Ragged) -> None:
    """Without this check a NaN would be drawn as "no effect", cached, and later reported as bad data."""
    for name, values in found.items():
        wrong = torch.nonzero(~torch.isfinite(values))
        if len(wrong) == 0:
            continue
        at = int(wrong[0])
        row = int(torch.searchsorted(rows.offsets, at, right=True)) - 1
        raise Fault(
            f"{name} of row {row + 1} of {len(rows)}, response token {at - int(rows.offsets[row]) + 1}: "
            f"expected a finite number, got {float(values[at])}",
            code="scoring/nan",
            hint="Look for numbers that are not finite in the weights of the model and its adapter.",
        )
