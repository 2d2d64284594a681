"""`check`: the spec read and verified, the model opened, and the longest microbatch run forwards and backwards once; trains nothing."""

import time

from .events import Events
from .parallel import Ranks
from .result import peak_memory, record_of
from .spec import Spec
from .train import Training


def check(spec: Spec, ranks: Ranks, events: Events) -> dict:
    """What a run would use, and the memory and time that its longest microbatch takes."""
    if spec.task != "train":
        return {"task": spec.task}
    training = Training(spec, ranks, events)
    pairs = spec.pairs
    lengths = pairs.with_history.lengths + pairs.response.lengths
    step = max(range(training.total), key=lambda i: max(_padded(lengths, batch) for batch in training.steps[i].microbatches))
    microbatch = max(training.steps[step].microbatches, key=lambda batch: _padded(lengths, batch))
    training.state.clear_gradients()
    began = time.monotonic()
    training.share(microbatch, step + 1, training.steps[step], 1.0)
    norm = training.state.gradient_norm()
    return {
        **record_of(ranks, training.setting),
        "steps": training.total,
        "examples": len(pairs),
        "trainedParameters": training.state.count,
        "longestMicrobatch": {"examples": len(microbatch), "paddedTokens": _padded(lengths, microbatch)},
        "seconds": time.monotonic() - began,
        "gradientNorm": norm,
        "peakMemoryBytes": peak_memory(ranks.device),
    }


def _padded(lengths, microbatch) -> int:
    return len(microbatch) * max(int(lengths[i]) for i in microbatch)
