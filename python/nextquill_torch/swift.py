"""ms-swift 4.6: our token ids and weights as its `loss_scale`. A plugin of its command line:

    swift sft --model M --dataset rows.jsonl --external_plugins PATH/nextquill_torch/swift.py \\
        --template nextquill --loss_scale default+nextquill --is_binary_loss_scale false

`rows.jsonl` holds `messages_of(row)` for each row of what `nextquill export-pairs` writes with weights of a fixed estimator. A row is
one message of the assistant, whose text holds the ids: nothing is tokenised again. Its trainer averages over label tokens where
NextQuill averages over examples: long responses count more. A token of weight 0 is not a label there.
"""

import json
from collections.abc import Mapping

from swift.loss_scale import LossScale, loss_scale_map
from swift.template import TEMPLATE_MAPPING, TemplateMeta, register_template

from nextquill_torch.exported_rows import weighted_ids
from nextquill_torch.faults import SpecFault

NAME = "nextquill"


def messages_of(row: Mapping) -> dict:
    """A row with `with` and `response` (token ids) and `weights` (one a response token, which sum to 1) as ms-swift reads it."""
    ids, response, weights = weighted_ids(row, "swift")
    scales = [0.0] * len(ids) + weights
    return {"messages": [{"role": "assistant", "content": json.dumps({"ids": [*ids, *response], "scales": scales})}]}


class NextQuillLossScale(LossScale):
    """Cuts a message into its token ids, each with its weight."""

    is_binary = False

    def get_loss_scale(self, context, **_):
        try:
            row = json.loads(context)
            ids, scales = row["ids"], row["scales"]
        except (TypeError, ValueError, KeyError):
            raise SpecFault(
                f"data set: expected a message of messages_of, got {str(context)[:40]!r}",
                code="swift/columns",
                hint="Make the data set by `nextquill_torch.swift.messages_of`.",
            ) from None
        return [[token] for token in ids], scales


loss_scale_map[NAME] = NextQuillLossScale
if NAME not in TEMPLATE_MAPPING:
    # Nothing stands around the ids.
    register_template(TemplateMeta(NAME, prefix=[], prompt=["{{QUERY}}"], chat_sep=None, suffix=[], auto_add_bos=False))
