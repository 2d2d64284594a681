"""Named random streams and dropout's masks, bit for bit those of the TypeScript engine (src/base/random.ts, src/engine/models/noise.ts).

A mask is a function of seed, step, example and place, so that neither the number of processes nor a restart changes it.
"""

import math
from contextlib import contextmanager

import torch
from torch import nn

_MASK = 0xFFFFFFFF


class Stream:
    """xoshiro128** whose four words come from FNV-1a of `seed/name`, spread by splitmix32."""

    def __init__(self, seed: int, name: str):
        value = 0x811C9DC5
        for character in f"{seed}/{name}":
            value = ((value ^ ord(character)) * 0x01000193) & _MASK
        words = []
        for _ in range(4):
            value = (value + 0x9E3779B9) & _MASK
            z = ((value ^ (value >> 16)) * 0x85EBCA6B) & _MASK
            z = ((z ^ (z >> 13)) * 0xC2B2AE35) & _MASK
            words.append(z ^ (z >> 16))
        self._a, self._b, self._c, self._d = words

    def next32(self) -> int:
        a, b, c, d = self._a, self._b, self._c, self._d
        x = (b * 5) & _MASK
        x = ((x << 7) | (x >> 25)) & _MASK
        result = (x * 9) & _MASK
        t = (b << 9) & _MASK
        c ^= a
        d ^= b
        b ^= c
        a ^= d
        c ^= t
        d = ((d << 11) | (d >> 21)) & _MASK
        self._a, self._b, self._c, self._d = a, b, c, d
        return result

    def next(self) -> float:
        """Uniform in [0, 1), 53 bits."""
        high = self.next32() >> 5
        return (high * 67108864 + (self.next32() >> 6)) / 9007199254740992

    def odd_integer(self) -> int:
        """An odd integer of 32 bits with its sign: floor(next() · 2^32) | 1."""
        high = self.next32() >> 5
        value = ((high << 5) | (self.next32() >> 27)) | 1
        return value - (1 << 32) if value >= 1 << 31 else value


def column_noise(seed: int, layer: str, inputs: int) -> torch.Tensor:
    """i32[inputs]: noise of a layer's columns, the same in every step. `layer` is its name without PEFT's prefix."""
    stream = Stream(seed, f"lora/dropout/{layer}")
    return torch.tensor([stream.odd_integer() for _ in range(inputs)], dtype=torch.int32)


def token_noise(seed: int, step: int, example: int, tokens: int) -> torch.Tensor:
    """i32[tokens]: noise of an example's tokens, drawn from the last to the first, so that both passes give a response token the same."""
    stream = Stream(seed, f"lora/dropout/{step}/{example}")
    drawn = [stream.odd_integer() for _ in range(tokens)]
    return torch.tensor(drawn[::-1], dtype=torch.int32)


def dropout_threshold(rate: float) -> int:
    """Products below it are kept; rounded as JavaScript rounds."""
    return math.floor((0.5 - rate) * 2**32 + 0.5)


def kept(rows: torch.Tensor, columns: torch.Tensor, rate: float) -> torch.Tensor:
    """bool[M, K]: whether `rows[m] · columns[k]`, wrapped to 32 bits, is below the threshold."""
    product = rows.to(torch.int64)[:, None] * columns.to(torch.int64)[None, :]
    wrapped = ((product + (1 << 31)) & _MASK) - (1 << 31)
    return wrapped < dropout_threshold(rate)


class NoiseContext:
    """The noise of the rows that a forward pass is about to see; every adapter of a model reads the same."""

    def __init__(self):
        self.rows: torch.Tensor | None = None

    @contextmanager
    def of(self, rows: torch.Tensor | None):
        before, self.rows = self.rows, rows
        try:
            yield
        finally:
            self.rows = before


class StreamDropout(nn.Module):
    """In the place of PEFT's dropout: masks from the context's rows and the layer's columns; drops nothing where there are no rows."""

    def __init__(self, context: NoiseContext, columns: torch.Tensor, rate: float):
        super().__init__()
        self.context = context
        self.rate = rate
        self.register_buffer("columns", columns, persistent=False)

    def forward(self, x: torch.Tensor) -> torch.Tensor:
        rows = self.context.rows
        if rows is None:
            return x
        flat = x.reshape(-1, x.shape[-1])
        mask = kept(rows.reshape(-1), self.columns, self.rate)
        return (flat * (mask.to(x.dtype) / (1 - self.rate))).reshape(x.shape)
