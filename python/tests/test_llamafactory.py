"""LLaMA-Factory v1's own renderer and collator on our rows; where llamafactory 0.9.5 is installed (its pins exclude TRL 1.16's)."""

import pytest

from nextquill_torch.faults import Fault

llamafactory = pytest.importorskip("llamafactory.v1.core.utils.rendering", reason="llamafactory is not installed: NOT RUN")


def test_a_batch_holds_our_ids_and_weights():
    from llamafactory.v1.utils.helper import pad_and_truncate

    from nextquill_torch.llamafactory import convert

    rows = [
        {"with": [5, 6, 7], "response": [8, 9], "weights": [0.25, 0.75]},
        {"with": [5], "response": [10, 11, 2], "weights": [0.3, 0.4, 0.3]},
    ]
    renderer = llamafactory.Renderer("nextquill", None)
    samples = renderer.process_samples([convert(row) for row in rows])
    padded = pad_and_truncate(samples, 16)
    for row, sample in zip(rows, padded):
        length = len(row["with"]) + len(row["response"])
        assert list(sample["input_ids"])[:length] == [*row["with"], *row["response"]]
        assert list(sample["labels"])[:length] == [-100] * len(row["with"]) + row["response"]
        weights = list(map(float, sample["loss_weights"]))
        assert weights[:length] == pytest.approx([0.0] * len(row["with"]) + [len(row["response"]) * each for each in row["weights"]])
        assert not any(weights[length:])


def test_a_row_without_weights_is_named():
    from nextquill_torch.llamafactory import convert

    with pytest.raises(Fault) as caught:
        convert({"with": [1], "response": [2, 3], "weights": [1.0]})
    assert caught.value.code == "llamafactory/columns"
