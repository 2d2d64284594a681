"""ms-swift's own template and collator on our rows; where ms-swift 4.6 is installed (its pins exclude TRL 1.16's)."""

import pytest

from nextquill_torch.faults import Fault

pytest.importorskip("swift.template", reason="ms-swift is not installed: NOT RUN")

ROWS = [
    {"with": [5, 6, 7], "response": [8, 9], "weights": [0.25, 0.75]},
    {"with": [5], "response": [10, 11, 2], "weights": [0.3, 0.4, 0.3]},
]


def template():
    from swift.model import ModelInfo, ModelMeta
    from swift.template import get_template
    from tokenizers import Tokenizer, models
    from transformers import PreTrainedTokenizerFast

    import nextquill_torch.swift  # noqa: F401

    vocabulary = Tokenizer(models.WordLevel({f"t{i}": i for i in range(61)}, unk_token="t0"))
    tokenizer = PreTrainedTokenizerFast(tokenizer_object=vocabulary, pad_token="t0", bos_token="t1", eos_token="t2")
    tokenizer.model_info = ModelInfo("tiny", "/nowhere", None, 64, None, None, task_type="causal_lm")
    tokenizer.model_meta = ModelMeta("tiny", [])
    made = get_template(tokenizer, template_type="nextquill", loss_scale="default+nextquill", is_binary_loss_scale=False)
    made.set_mode("train")
    return made


def test_a_batch_holds_our_ids_and_weights():
    from nextquill_torch.swift import messages_of

    made = template()
    encoded = [made.encode(messages_of(row)) for row in ROWS]
    batch = made.data_collator(encoded)
    for i, row in enumerate(ROWS):
        prompt, response = row["with"], row["response"]
        length = len(prompt) + len(response)
        assert batch["input_ids"][i][:length].tolist() == [*prompt, *response]
        assert batch["labels"][i].tolist() == [-100] * len(prompt) + response + [-100] * (batch["labels"].shape[1] - length)
        assert batch["loss_scale"][i][:length].tolist() == pytest.approx([0.0] * len(prompt) + [len(row["response"]) * each for each in row["weights"]])


@pytest.mark.parametrize("row", [{"with": [1], "response": [2, 3], "weights": [1.0]}, {"response": [2], "weights": [1.0]}])
def test_a_row_without_ids_or_weights_is_named(row):
    from nextquill_torch.swift import messages_of

    with pytest.raises(Fault) as caught:
        messages_of(row)
    assert caught.value.code == "swift/columns"


def test_a_text_that_is_none_of_ours_is_named():
    made = template()
    with pytest.raises(Fault) as caught:
        made.encode({"messages": [{"role": "user", "content": "a"}, {"role": "assistant", "content": "b"}]})
    assert caught.value.code == "swift/columns"
