"""Passes for texts that are written elsewhere: prompts into caches of keys and values, then one more token for each of them.

Tokens are drawn by src/engine/generate, so that strengths, penalties, filters and draws are defined once; here are logits only.
"""

from collections.abc import Sequence
from dataclasses import dataclass

import torch
from torch import Tensor
from transformers import DynamicCache

from .faults import SpecFault
from .model import Adapted, head_product


@dataclass(frozen=True)
class _Rows:
    """Keys and values f[B, heads, T, E] of each layer, filled from the right; row b holds the last `lengths[b]` places."""

    layers: list[tuple[Tensor, Tensor]]
    lengths: list[int]


class Sequences:
    """Texts as far as they are written, in the order in which their prompts came; one model writes them all."""

    def __init__(self):
        self._parts: list[_Rows] = []

    @torch.no_grad()
    def fill(self, adapted: Adapted, ids: Sequence[int]) -> Tensor:
        """Runs a prompt, which becomes the last row. Returns f32[V], the logits after its last token."""
        _check_ids(adapted, ids)
        cache = DynamicCache()
        logits = _logits(adapted, torch.tensor([list(ids)]), cache)
        self._parts.append(_Rows([(layer.keys, layer.values) for layer in cache.layers], [len(ids)]))
        return logits[0]

    @torch.no_grad()
    def step(self, adapted: Adapted, rows: Sequence[int], tokens: Sequence[int]) -> Tensor:
        """Keeps these rows, in this order, one of them as often as it is named, and runs a token more for each.

        Returns f32[B, V], the logits after it.
        """
        held = [length for part in self._parts for length in part.lengths]
        if len(rows) == 0 or len(rows) != len(tokens) or not all(0 <= row < len(held) for row in rows):
            raise _wrong(f"rows of {len(held)} and a token for each", f"rows {list(rows)} and {len(tokens)} tokens")
        _check_ids(adapted, tokens)
        lengths = [held[row] for row in rows]
        width = max(lengths)
        cache = DynamicCache()
        for at, layer in enumerate(self._layers(rows, width)):
            cache.update(*layer, at)
        used = torch.tensor(lengths)[:, None]
        mask = torch.arange(width + 1)[None] >= width - used
        logits = _logits(
            adapted,
            torch.tensor(list(tokens))[:, None],
            cache,
            attention_mask=None if bool(mask.all()) else mask.long(),
            position_ids=used,
        )
        grown = [(layer.keys, layer.values) for layer in cache.layers]
        self._parts = [_Rows(grown, [length + 1 for length in lengths])]
        return logits

    def _layers(self, rows: Sequence[int], width: int) -> list[tuple[Tensor, Tensor]]:
        """Keys and values of the chosen rows, `width` places wide."""
        parts = self._parts
        if len(parts) == 1 and list(rows) == list(range(len(parts[0].lengths))) and parts[0].layers[0][0].shape[2] == width:
            return parts[0].layers
        index = torch.tensor(list(rows), device=parts[0].layers[0][0].device)

        def joined(at: int, side: int) -> Tensor:
            return torch.cat([_as_wide(part.layers[at][side], width) for part in parts])[index]

        return [(joined(at, 0), joined(at, 1)) for at in range(len(parts[0].layers))]


def _logits(adapted: Adapted, ids: Tensor, cache: DynamicCache, **inputs: Tensor | None) -> Tensor:
    """f32[B, V] after the last of the ids [B, T], which the cache then holds, too."""
    embedding = adapted.causal.get_input_embeddings().weight
    on_device = {name: None if value is None else value.to(embedding.device) for name, value in inputs.items()}
    states = adapted.decoder(
        input_ids=ids.to(embedding.device), past_key_values=cache, use_cache=True, **on_device
    ).last_hidden_state
    return head_product(adapted.causal.get_output_embeddings(), states[:, -1])


def _check_ids(adapted: Adapted, ids: Sequence[int]) -> None:
    size = adapted.causal.get_input_embeddings().weight.shape[0]
    if len(ids) == 0 or not 0 <= min(ids) <= max(ids) < size:
        raise _wrong(f"token ids below {size}", f"{min(ids)} … {max(ids)}" if len(ids) > 0 else "none")


def _as_wide(values: Tensor, width: int) -> Tensor:
    """The last `width` places, of zeros where there were fewer."""
    missing = width - values.shape[2]
    return values[:, :, -width:] if missing <= 0 else torch.nn.functional.pad(values, (0, 0, missing, 0))


def _wrong(expected: str, got: str) -> SpecFault:
    return SpecFault(
        f"sequences: expected {expected}, got {got}",
        code="worker/request",
        hint="Use the nextquill_torch of this version of NextQuill.",
    )
