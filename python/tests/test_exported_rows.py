"""Rows of export-pairs as adapters to other trainers read them."""

import pytest

from nextquill_torch.exported_rows import weighted_ids
from nextquill_torch.faults import Fault


def test_weights_that_sum_to_1_get_a_mean_of_1():
    ids, response, weights = weighted_ids({"with": [5, 6], "response": [7, 8, 2], "weights": [0.2, 0.3, 0.5]}, "swift")
    assert (ids, response) == ([5, 6], [7, 8, 2])
    assert weights == pytest.approx([0.6, 0.9, 1.5])


@pytest.mark.parametrize("row", [{"with": [1], "response": [2, 3], "weights": [1.0]}, {"response": [2], "weights": [1.0]}])
def test_a_row_without_ids_or_weights_is_named(row):
    with pytest.raises(Fault) as caught:
        weighted_ids(row, "swift")
    assert caught.value.code == "swift/columns"
