"""Streams and masks of dropout, bit for bit those of the TypeScript engine (tests/golden/dropout-noise.json)."""

import json
from pathlib import Path

import pytest
import torch

from nextquill_torch.noise import NoiseContext, Stream, StreamDropout, column_noise, kept, token_noise

GOLDEN = json.loads((Path(__file__).parents[2] / "tests" / "golden" / "dropout-noise.json").read_text())


@pytest.mark.parametrize("entry", GOLDEN["streams"], ids=lambda entry: str(entry["seed"]))
def test_streams_draw_the_same_numbers(entry):
    stream = Stream(entry["seed"], entry["name"])
    assert [stream.next() for _ in entry["next"]] == entry["next"]


@pytest.mark.parametrize("side", ["withHistory", "withoutHistory"])
def test_tokens_draw_the_same_noise_from_the_end_of_a_row(side):
    tokens = GOLDEN["tokens"]
    for example, wanted in enumerate(tokens[side]):
        assert token_noise(tokens["seed"], tokens["step"], example, len(wanted)).tolist() == wanted


def test_columns_draw_the_same_noise():
    columns = GOLDEN["columns"]
    assert column_noise(columns["seed"], columns["layer"], len(columns["noise"])).tolist() == columns["noise"]


@pytest.mark.parametrize("entry", GOLDEN["masks"]["rates"], ids=lambda entry: str(entry["rate"]))
def test_masks_are_the_engines(entry):
    rows = torch.tensor(GOLDEN["masks"]["rows"], dtype=torch.int32)
    columns = torch.tensor(GOLDEN["masks"]["columns"], dtype=torch.int32)
    assert kept(rows, columns, entry["rate"]).int().tolist() == entry["kept"]
    context = NoiseContext()
    dropout = StreamDropout(context, columns, entry["rate"])
    x = torch.ones(2, len(rows) // 2, len(columns))
    assert torch.equal(dropout(x), x)
    with context.of(rows.reshape(2, -1)):
        dropped = dropout(x).reshape(len(rows), -1) * (1 - entry["rate"])
    assert torch.allclose(dropped, torch.tensor(entry["kept"], dtype=torch.float32))
