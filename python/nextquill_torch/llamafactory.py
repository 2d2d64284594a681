"""LLaMA-Factory v1 (USE_V1=1): our token ids and weights as its `loss_weights`. Import this module before its trainer runs.

    import nextquill_torch.llamafactory
    from llamafactory.v1.trainers.sft_trainer import run_sft
    run_sft("config.yaml")

In the data set's description `converter: nextquill`, and `template: nextquill` for the model. Its rows have `with` and `response`
(token ids) and `weights` (one a response token, which sum to 1), as `nextquill export-pairs` writes them for a fixed estimator. Its trainer
averages over tokens where NextQuill averages over examples: long responses count more, for which their weights are scaled to a mean of 1.
"""

import json
from collections.abc import Mapping

from llamafactory.v1.plugins.data_plugins.converter import DataConverterPlugin
from llamafactory.v1.plugins.model_plugins.rendering import RenderingPlugin

from .exported_rows import weighted_ids

IGNORE_INDEX = -100


@DataConverterPlugin("nextquill").register()
def convert(row: Mapping) -> dict:
    """A row as one message, whose text holds the ids: nothing is tokenised again."""
    ids, response, weights = weighted_ids(row, "llamafactory")
    text = json.dumps({"ids": ids, "response": response, "weights": weights})
    return {"messages": [{"role": "assistant", "content": [{"type": "text", "value": text}], "loss_weight": 1.0}]}


@RenderingPlugin("nextquill").register("render_messages")
def render(processor, messages, tools=None, is_generate: bool = False, enable_thinking: bool = False) -> dict:
    """The ids of a converted row, its labels, and a weight for each label."""
    row = json.loads(messages[0]["content"][0]["value"])
    prompt, response = row["ids"], row["response"]
    ids = [*prompt, *response]
    return {
        "input_ids": ids,
        "attention_mask": [1] * len(ids),
        "labels": [IGNORE_INDEX] * len(prompt) + response,
        "loss_weights": [0.0] * len(prompt) + row["weights"],
    }
