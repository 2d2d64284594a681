"""Rows of `nextquill export-pairs` with weights, as adapters to other trainers read them."""

from collections.abc import Mapping

from nextquill_torch.faults import SpecFault


def weighted_ids(row: Mapping, trainer: str) -> tuple[list, list, list[float]]:
    """The token ids of `with` and `response`, and the weights of the latter, whose mean is 1. `trainer` names the code of the fault.

    Weights of a file sum to 1 over each example, and these trainers average over tokens.
    """
    ids, response, weights = (list(row.get(name) or []) for name in ("with", "response", "weights"))
    if not ids or not response or len(weights) != len(response):
        raise SpecFault(
            f"data set: expected ids in with and response, and {len(response)} weights, got {len(ids)}, {len(response)} and {len(weights)}",
            code=f"{trainer}/columns",
            hint="Make the data set by `nextquill export-pairs` with weights.",
        )
    return ids, response, [float(weight) * len(response) for weight in weights]
