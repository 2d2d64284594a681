"""NextQuillTrainer against the worker: the same losses and gradient norms on the same batches, accumulated or not."""

import json
import multiprocessing
import os
import warnings

import pytest
import torch
from datasets import Dataset
from peft import LoraConfig
from tokenizers import Tokenizer, models
from transformers import AutoModelForCausalLM, PreTrainedTokenizerFast
from trl import SFTConfig

from nextquill_torch.faults import Fault
from nextquill_torch.spec import read_spec, read_tensors
from nextquill_torch.trl import NextQuillTrainer, PairCollator
from processes import free_port, wait
from runs import GOLDEN, prepare, steps_of, work


DISCOUNT = {"copyDiscount": 1}


def tokenizer():
    vocabulary = {f"t{i}": i for i in range(61)}
    return PreTrainedTokenizerFast(
        tokenizer_object=Tokenizer(models.WordLevel(vocabulary, unk_token="t0")), pad_token="t0", eos_token="t2"
    )


def rows_of(run):
    """The pairs of a run in the order of its first epoch, as export-pairs would write them."""
    spec = read_spec(run)
    pairs = spec.pairs
    order = [i for step in spec.steps if step.epoch == 0 for microbatch in step.microbatches for i in microbatch]
    rows = []
    for i in order:
        response = pairs.response.row(i).tolist()
        row = {"with": pairs.with_history.row(i).tolist(), "without": pairs.without_history.row(i).tolist(), "response": response}
        start = int(pairs.response.offsets[i])
        fitted = [True] * len(response) if pairs.fitted is None else pairs.fitted[start : start + len(response)].tolist()
        copied = None if pairs.copied is None else pairs.copied[start : start + len(response)].tolist()
        row |= {"hasHistory": bool(pairs.has_history[i]), "fitted": fitted}
        rows.append(row if copied is None else {**row, "copied": copied})
    return rows


def trainer_of(run, folder, rows, batch, accumulation, bf16=False, **options):
    spec = read_spec(run)
    lora = spec.recipe["lora"]
    args = SFTConfig(
        output_dir=str(folder), per_device_train_batch_size=batch, gradient_accumulation_steps=accumulation,
        num_train_epochs=1, learning_rate=1.0, lr_scheduler_type="constant", max_grad_norm=spec.recipe["maxGradientNorm"],
        weight_decay=spec.recipe["weightDecay"], logging_steps=1, report_to=[], save_strategy="no", use_cpu=True, bf16=bf16,
        disable_tqdm=True, seed=0,
    )  # fmt: skip

    class InOrder(NextQuillTrainer):
        def __init__(self, *arguments, **keywords):
            self.losses: list[float] = []
            super().__init__(*arguments, **keywords)

        def training_step(self, *arguments, **keywords):
            loss = super().training_step(*arguments, **keywords)
            self.losses.append(float(loss))
            return loss

        def _get_train_sampler(self, *_):
            return torch.utils.data.SequentialSampler(self.train_dataset)

        def create_scheduler(self, *arguments, **keywords):
            # The worker's rates, by a table.
            self.lr_scheduler = torch.optim.lr_scheduler.LambdaLR(
                self.optimizer, lambda at: spec.steps[min(at, len(spec.steps) - 1)].learning_rate
            )
            return self.lr_scheduler

    trainer = InOrder(
        AutoModelForCausalLM.from_pretrained(spec.model["path"], dtype=torch.float32),
        args,
        train_dataset=Dataset.from_list(rows),
        processing_class=tokenizer(),
        peft_config=LoraConfig(
            r=lora["rank"], lora_alpha=lora["loraAlpha"], target_modules=lora["targetModules"], task_type="CAUSAL_LM",
            use_rslora=lora.get("rsLora", False),
        ),  # fmt: skip
        **options,
    )
    initial = read_tensors(run / "spec" / "initial.safetensors")
    with torch.no_grad():
        for name, parameter in trainer.model.named_parameters():
            if parameter.requires_grad:
                parameter.copy_(initial[name.replace(".default", "")])
    return trainer


@pytest.mark.parametrize(
    ("name", "objective", "options", "batch", "accumulation"),
    [
        ("nextquill", "nextquill", {}, 2, 2),
        ("nextquill", "nextquill", {}, 4, 1),
        ("nextquill", "nextquill", {}, 1, 4),
        ("copies-discounted", "perce", DISCOUNT, 2, 2),
        ("weighted-and-calibrated", "perce", {"plainWeight": 0.8, "calibrationWeight": 0.3, **DISCOUNT}, 2, 2),
        ("js-gradient-masked", "nextquill-js", {"weightGradient": True}, 2, 2),
        ("no-history", "sft-no-history", {}, 2, 2),
    ],
)
def test_losses_are_the_workers(name, objective, options, batch, accumulation, tmp_path):
    run = prepare(name, tmp_path)
    assert work(run) == 0
    trainer = trainer_of(run, tmp_path / "out", rows_of(run), batch, accumulation, objective=objective, objective_options=options)
    trainer.train()
    norms = [entry["grad_norm"] for entry in trainer.state.log_history if "grad_norm" in entry]
    steps = [step for step in steps_of(run) if step["epoch"] == 0]
    assert len(norms) == len(steps)
    for at, step in enumerate(steps):
        # The shares of the step's microbatches.
        loss = sum(trainer.losses[at * accumulation : (at + 1) * accumulation])
        assert loss == pytest.approx(step["loss"], abs=1e-5)
        assert norms[at] == pytest.approx(step["gradientNorm"], rel=1e-4)


def _train_as(rank: int, port: int, run, folder, accumulation: int) -> None:
    os.environ.update(
        RANK=str(rank), LOCAL_RANK=str(rank), WORLD_SIZE="2", LOCAL_WORLD_SIZE="2", MASTER_ADDR="127.0.0.1", MASTER_PORT=str(port),
        ACCELERATE_USE_CPU="1",
    )  # fmt: skip
    torch.set_num_threads(1)
    with warnings.catch_warnings(record=True) as caught:
        warnings.simplefilter("always")
        trainer = trainer_of(run, folder / "out", rows_of(run), 2 // accumulation, accumulation, objective="perce", objective_options=DISCOUNT)
    trainer.train()
    norms = [entry["grad_norm"] for entry in trainer.state.log_history if "grad_norm" in entry]
    warned = any("accelerate repeats" in str(warning.message) for warning in caught)
    (folder / f"{rank}.json").write_text(json.dumps({"losses": trainer.losses, "norms": norms, "warned": warned}))
    os._exit(0)


@pytest.mark.parametrize("accumulation", [1, 2])
def test_two_processes_take_the_same_whole_steps_and_warn_of_an_uneven_one(accumulation, tmp_path):
    run = prepare("copies-discounted", tmp_path)
    assert work(run) == 0
    steps = [step for step in steps_of(run) if step["epoch"] == 0]
    context = multiprocessing.get_context("fork")
    port = free_port()
    processes = [context.Process(target=_train_as, args=(rank, port, run, tmp_path, accumulation)) for rank in range(2)]
    for process in processes:
        process.start()
    assert wait(processes, 120) == [0, 0]
    found = [json.loads((tmp_path / f"{rank}.json").read_text()) for rank in range(2)]
    whole = [at for at, step in enumerate(steps) if step["examples"] == 4]
    assert len(whole) >= 2
    for at in whole:
        # A loss is its share of the step times the number of processes, whose gradients are averaged.
        of_step = slice(at * accumulation, (at + 1) * accumulation)
        loss = sum(sum(each["losses"][of_step]) for each in found) / 2
        assert loss == pytest.approx(steps[at]["loss"], abs=1e-5)
        assert found[0]["norms"][at] == pytest.approx(steps[at]["gradientNorm"], rel=1e-4)
    assert found[0]["warned"] == (len(whole) < len(steps))


def test_an_anchor_and_a_difference_go_through_the_workers_own_chunks(tmp_path):
    run = prepare("paper-anchor", tmp_path)
    assert work(run) == 0
    options = {"anchorWeight": 0.3, "stopGradient": True, "effectThreshold": 0.01, "effectWeight": 0.1}
    trainer = trainer_of(run, tmp_path / "out", rows_of(run), 4, 1, objective="nextquill-paper", objective_options=options)
    inputs = trainer.data_collator(rows_of(run)[:4])
    loss = trainer.compute_loss(trainer.model, inputs, num_items_in_batch=4)
    parts = steps_of(run)[0]["parts"]
    wanted = parts["weightedCrossEntropy"] + 0.1 * parts["logitDifference"] + 0.3 * parts["anchor"]
    assert float(loss.detach()) == pytest.approx(wanted, abs=1e-5)


def test_the_ten_lines(tmp_path):
    rows = [row for row in rows_of(prepare("nextquill", tmp_path)) if row["hasHistory"]]
    model = tmp_path / "model"
    AutoModelForCausalLM.from_pretrained(GOLDEN / "tiny-llama").save_pretrained(model)
    tokenizer().save_pretrained(model)
    Dataset.from_list(rows).to_parquet(tmp_path / "pairs.parquet")

    from datasets import load_dataset

    data = load_dataset("parquet", data_files=str(tmp_path / "pairs.parquet"), split="train", cache_dir=str(tmp_path / "cache"))
    trainer = NextQuillTrainer(
        model=str(model),
        args=SFTConfig(output_dir=str(tmp_path / "out"), use_cpu=True, bf16=False, report_to=[], disable_tqdm=True),
        train_dataset=data,
        peft_config=LoraConfig(r=4, target_modules="all-linear"),
        objective="nextquill",
    )
    trainer.train()
    trainer.save_model(str(tmp_path / "adapter"))
    assert (tmp_path / "adapter" / "adapter_model.safetensors").exists()


def test_a_step_of_whole_distributions_runs_in_the_precision_of_the_trainer(tmp_path):
    run = prepare("nextquill", tmp_path)
    rows = rows_of(run)
    seen = []
    for bf16 in (False, True):
        trainer = trainer_of(run, tmp_path / str(bf16), rows, 4, 1, objective="nextquill", bf16=bf16)
        for name, module in trainer.model.named_modules():
            if name.endswith("o_proj.base_layer") or name.endswith("o_proj"):
                module.register_forward_hook(lambda _, __, made: seen.append((bf16, made.dtype)))
        trainer.compute_loss(trainer.model, trainer.data_collator(rows[:4]), num_items_in_batch=4)
    assert set(seen) == {(False, torch.float32), (True, torch.bfloat16)}


def test_a_row_that_does_not_say_what_is_copied_is_named():
    row = {"with": [1], "without": [1], "response": [2, 3]}
    for copied in (None, [True]):
        with pytest.raises(Fault) as caught:
            PairCollator(0)([{**row, "copied": [True, False]}, {**row, "copied": copied}])
        assert caught.value.code == "trl/columns"
    assert PairCollator(0)([{**row, "copied": [True, False]}])["copied"].tolist() == [[False, True, False]]


def test_rows_that_do_not_say_what_is_copied_are_refused_where_that_is_asked(tmp_path):
    run = prepare("copies-discounted", tmp_path)
    rows = [{key: value for key, value in row.items() if key != "copied"} for row in rows_of(run)]
    trainer = trainer_of(run, tmp_path / "out", rows, 2, 2, objective="perce", objective_options=DISCOUNT)
    with pytest.raises(Fault) as caught:
        trainer.train()
    assert caught.value.code == "trl/columns"


@pytest.mark.parametrize(
    ("options", "arguments", "code"),
    [
        ({"packing": True}, {}, "trl/option"),
        ({"label_smoothing_factor": 0.1}, {}, "trl/option"),
        ({}, {"objective": "mipo"}, "trl/objective"),
        ({}, {"objective": "unknown"}, "objective/unknown"),
        ({}, {"objective": "perce", "objective_options": {"weightsFrom": "userSpecific"}}, "trl/objective"),
    ],
    ids=str,
)
def test_what_would_change_the_loss_is_refused(options, arguments, code, tmp_path):
    with pytest.raises(Fault) as caught:
        NextQuillTrainer("nowhere", SFTConfig(output_dir=str(tmp_path), use_cpu=True, bf16=False, **options), **arguments)
    assert caught.value.code == code


def test_a_row_without_ids_is_named():
    with pytest.raises(Fault) as caught:
        PairCollator(0)([{"with": [1], "without": [1], "response": []}])
    assert caught.value.code == "trl/columns"
