"""Both passes of a microbatch in one forward: token numbers of what an objective needs, padded or packed."""

from collections.abc import Sequence
from contextlib import nullcontext
from dataclasses import dataclass

import torch
from torch import Tensor, nn

from .model import Adapted, head_product
from .noise import token_noise
from .objective import Plan
from .scores import ScoreOptions, token_scores
from .spec import Pairs, Ragged


@dataclass(frozen=True)
class Side:
    """One pass of some rows: padded on the right (causal attention then needs no mask), or packed into one row of segments."""

    ids: Tensor  # i64[B, T]
    #: Restart at each segment; None where rows are padded.
    positions: Tensor | None
    #: Flat positions whose logits predict the fitted response tokens.
    rows: Tensor  # i64[S]
    #: For adapters with dropout.
    noise: Tensor | None  # i32[B, T]
    #: Tokens without padding.
    tokens: int


@dataclass(frozen=True)
class Batch:
    """A microbatch; every side predicts the same response tokens in the same order."""

    sides: dict[str, Side]
    targets: Tensor  # i64[S]
    example_of: Tensor  # i64[S]
    has_history: Tensor  # bool[B]
    is_compared: Tensor | None = None  # bool[B], where there is a pass with another user's history

    @property
    def tokens(self) -> int:
        return sum(side.tokens for side in self.sides.values())


@dataclass(frozen=True)
class Layout:
    """How rows become tensors."""

    pad_id: int
    device: torch.device
    packing: bool = False


def batch_of(
    pairs: Pairs, examples: Sequence[int], names: Sequence[str], layout: Layout, noise_of: tuple[int, int] | None = None
) -> Batch:
    """The passes of some rows of pairs, by their names.

    noise_of: seed and step, for adapters with dropout: a token draws by its distance from the end of its row.
    """
    prompts = {"withHistory": pairs.with_history, "withoutHistory": pairs.without_history, **(pairs.others or {})}
    responses = [pairs.response.row(i) for i in examples]
    masks = [_mask_of(pairs, i) for i in examples]
    sides = {}
    for name in names:
        rows = [torch.cat([prompts[name].row(i), response]) for i, response in zip(examples, responses)]
        starts = [len(row) - len(response) for row, response in zip(rows, responses)]
        noise = None
        if noise_of is not None:
            noise = [token_noise(*noise_of, example, len(row)) for example, row in zip(examples, rows)]
        sides[name] = side_of(rows, starts, masks, layout, noise)
    counts = torch.tensor([int(mask.sum()) for mask in masks])
    return Batch(
        sides,
        torch.cat([response[mask] for response, mask in zip(responses, masks)]).long().to(layout.device),
        torch.repeat_interleave(torch.arange(len(examples)), counts).to(layout.device),
        pairs.has_history[list(examples)].to(layout.device),
        pairs.is_compared[list(examples)].to(layout.device) if "otherHistory" in names else None,
    )


def prompt_batch(prompts: Ragged, responses: Ragged, targets: Ragged, rows: Sequence[int], layout: Layout) -> Batch:
    """Prompts with their responses, as a pass with history; every response token is scored."""
    parts = [(prompts.row(i), responses.row(i)) for i in rows]
    masks = [torch.ones(len(response), dtype=torch.bool) for _, response in parts]
    side = side_of([torch.cat(part) for part in parts], [len(prompt) for prompt, _ in parts], masks, layout)
    counts = torch.tensor([len(response) for _, response in parts])
    return Batch(
        {"withHistory": side},
        torch.cat([targets.row(i) for i in rows]).long().to(layout.device),
        torch.repeat_interleave(torch.arange(len(rows)), counts).to(layout.device),
        torch.ones(len(rows), dtype=torch.bool, device=layout.device),
    )


def _mask_of(pairs: Pairs, index: int) -> Tensor:
    start, end = pairs.response.offsets[index], pairs.response.offsets[index + 1]
    return torch.ones(int(end - start), dtype=torch.bool) if pairs.fitted is None else pairs.fitted[start:end]


def side_of(
    rows: Sequence[Tensor], starts: Sequence[int], masks: Sequence[Tensor], layout: Layout, noise: Sequence[Tensor] | None = None
) -> Side:
    """Rows of ids in one tensor. starts: where each response begins; masks: which of its tokens are predicted."""
    lengths = [len(row) for row in rows]
    width = sum(lengths) if layout.packing else max(lengths)
    flat_starts = [sum(lengths[:i]) if layout.packing else i * width for i in range(len(rows))]
    size = width if layout.packing else width * len(rows)
    ids = torch.full((size,), layout.pad_id, dtype=torch.long)
    drawn = None if noise is None else torch.ones(size, dtype=torch.int32)
    predicted = []
    for i, (row, at) in enumerate(zip(rows, flat_starts)):
        ids[at : at + len(row)] = row
        if drawn is not None:
            drawn[at : at + len(row)] = noise[i]
        predicted.append(at + starts[i] - 1 + torch.nonzero(masks[i])[:, 0])
    positions = torch.cat([torch.arange(length) for length in lengths])[None] if layout.packing else None
    device = layout.device
    return Side(
        ids.reshape(-1, width).to(device),
        None if positions is None else positions.to(device),
        torch.cat(predicted).to(device),
        None if drawn is None else drawn.reshape(-1, width).to(device),
        sum(lengths),
    )


class Scored(nn.Module):
    """A model as the giver of token numbers: `forward(batch)` runs every pass that the batch has, and the head in chunks.

    One call a microbatch, so that a wrapper that gathers weights sees one forward and one backward.
    """

    def __init__(self, adapted: Adapted, *, chunk: int, autocast: torch.dtype | None = None, start: Adapted | None = None):
        super().__init__()
        self.model = adapted.whole
        self.adapted = adapted
        #: The starting model, where all weights are in training and there is an anchor.
        self.start_model = None if start is None else start.whole
        self.start = start
        self.chunk = chunk
        self.autocast = autocast

    def forward(self, batch: Batch, wanted: Sequence[str], plan: Plan | None = None) -> dict[str, Tensor]:
        """f32[S] for each of the wanted numbers; gradients as the plan has them, none without a plan."""
        trains = plan is not None and torch.is_grad_enabled()
        gradient = {name: trains for name in batch.sides}
        if trains and plan.passes == "pair":
            gradient["withoutHistory"] = plan.gradient_without_history
        hidden: dict[str, Tensor] = {}
        if "anchor" in wanted:
            hidden["start"] = self._start_rows(batch.sides["withoutHistory"])
        # The pass without gradient first: its activations are gone when those of the other are kept.
        for name in sorted(batch.sides, key=lambda name: gradient[name]):
            side = batch.sides[name]
            with nullcontext() if gradient[name] else torch.no_grad():
                hidden[name] = self._rows(self.adapted, side)
        heads = {name: self._head(name) for name in hidden}
        with nullcontext() if trains else torch.no_grad():
            options = ScoreOptions() if plan is None else plan.score_options
            return token_scores(wanted, hidden, heads, batch.targets, chunk=self.chunk, options=options)

    def _rows(self, adapted: Adapted, side: Side) -> Tensor:
        """Hidden states at the rows of a side: [S, D]."""
        positions = {} if side.positions is None else {"position_ids": side.positions}
        context = nullcontext() if self.autocast is None else torch.autocast(side.ids.device.type, self.autocast)
        with adapted.noise.of(side.noise), context:
            states = adapted.decoder(input_ids=side.ids, use_cache=False, **positions).last_hidden_state
        return states.reshape(-1, states.shape[-1])[side.rows]

    def _start_rows(self, side: Side) -> Tensor:
        """Those of the starting model: a frozen copy, or this one without its adapters."""
        bare = Side(side.ids, side.positions, side.rows, None, side.tokens)
        with torch.no_grad():
            if self.start is not None:
                return self._rows(self.start, bare)
            self.adapted.set_adapters(False)
            try:
                return self._rows(self.adapted, bare)
            finally:
                self.adapted.set_adapters(True)

    def _head(self, name: str):
        """The product of hidden rows with the head. An adapter of the head sees all of its inputs: dropout is the layers' alone."""
        adapted = self.start if name == "start" and self.start is not None else self.adapted
        head = adapted.causal.get_output_embeddings()
        return lambda rows: head_product(head, rows, adapters=name != "start")
