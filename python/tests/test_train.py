"""Whole runs in one process against TypeScript's engine: every objective's path, every architecture, resume, stop and faults."""

import json
import shutil

import pytest
import torch
from safetensors.torch import load_file, save_file

from nextquill_torch.events import StopFlag
from nextquill_torch.faults import Fault
from runs import RUNS, change, check_result, check_steps, events_of, prepare, result_of, steps_of, work


@pytest.mark.parametrize("name", sorted(path.name for path in RUNS.iterdir() if not path.name.startswith("scores")))
def test_a_run_is_that_of_the_other_engine(name, tmp_path):
    run = prepare(name, tmp_path)
    assert work(run) == 0
    check_steps(name, steps_of(run))
    check_result(name, run)
    end = json.loads((run / "spec" / "end.json").read_text())
    assert end["status"] == "done" and end["summary"]["steps"] == len(steps_of(run))
    kinds = [event["type"] for event in events_of(run)]
    assert kinds[-1] == "done" and kinds.count("step") == len(steps_of(run)) and "started" in kinds


@pytest.mark.parametrize(
    ("name", "compute"),
    [
        ("code-dropout", {"chunk": 7}),
        ("code-dropout", {"recompute": True}),
        ("code-dropout", {"packing": True}),
        ("code-dropout", {"tokensPerMicrobatch": 30}),
        ("nextquill", {"attention": "eager", "deterministic": True}),
        ("nextquill", {"packing": True, "recompute": True, "chunk": 3}),
        ("full-code", {"recompute": True, "chunk": 5}),
        ("gemma3", {"packing": True}),
    ],
    ids=str,
)
def test_how_it_is_computed_changes_nothing(name, compute, tmp_path):
    run = prepare(name, tmp_path, **compute)
    assert work(run) == 0
    check_steps(name, steps_of(run))


def test_bf16_is_near_f32(tmp_path):
    for name in ("nextquill", "full-code"):
        run = prepare(name, tmp_path, dtype="bf16")
        assert work(run) == 0
        check_steps(name, steps_of(run)[:1] and steps_of(run), loss=0.2, norm=0.2)
        assert all(value.dtype == torch.float32 for value in result_of(run).values())


def test_a_stopped_run_resumes_to_the_same_bits(tmp_path, monkeypatch):
    whole = prepare("average", tmp_path / "whole")
    assert work(whole) == 0
    run = prepare("average", tmp_path / "cut")
    change(run, lambda spec: spec["checkpoint"].update(every=1))
    for steps in (2, 1, 2):
        flag = iter([False] * (steps - 1))
        with monkeypatch.context() as patch:
            patch.setattr(StopFlag, "is_set", lambda _: next(flag, True))
            assert work(run) == 130
        assert json.loads((run / "spec" / "end.json").read_text())["status"] == "stopped"
        (run / "spec" / "end.json").unlink()
    assert work(run) == 0
    assert [step["loss"] for step in steps_of(run)] == [step["loss"] for step in steps_of(whole)]
    a, b = result_of(run), result_of(whole)
    assert all(torch.equal(a[name], b[name]) for name in b)
    assert len(list((run / "checkpoints").iterdir())) <= 2


def test_a_damaged_checkpoint_is_removed_and_an_earlier_one_used(tmp_path, monkeypatch):
    run = prepare("nextquill", tmp_path)
    change(run, lambda spec: spec["checkpoint"].update(every=2, keep=3))
    flag = iter([False] * 4)
    with monkeypatch.context() as patch:
        patch.setattr(StopFlag, "is_set", lambda _: next(flag, True))
        assert work(run) == 130
    (run / "spec" / "end.json").unlink()
    newest = run / "checkpoints" / "step-5" / "weights.safetensors"
    newest.write_bytes(newest.read_bytes()[:-1] + b"\0\0")
    (run / "checkpoints" / ".step-6.tmp").mkdir()
    with (run / "steps.jsonl").open("a") as log:
        log.write('{"step": 6, "torn')
    assert work(run) == 0
    check_steps("nextquill", steps_of(run))
    notices = [event["notice"] for event in events_of(run) if event["type"] == "notice"]
    assert [notice["code"] for notice in notices] == ["run/checkpoint-damaged"]
    assert "expected" in notices[0]["fault"]
    started = [event for event in events_of(run) if event["type"] == "started"]
    assert [event["startStep"] for event in started] == [0, 4] and started[1]["isResumed"]


def test_a_loss_that_is_no_number_ends_the_run_before_the_update(tmp_path):
    run = prepare("nextquill", tmp_path)
    path = run / "spec" / "plan.safetensors"
    tensors = load_file(path)
    tensors["learningRate"][1] = 1e30
    save_file(tensors, path)
    _rehash(run, "plan.safetensors")
    change(run, lambda spec: spec["checkpoint"].update(every=1))
    with pytest.raises(Fault) as caught:
        work(run)
    assert caught.value.code in ("training/nan-loss", "training/nan-gradient")
    assert [step["step"] for step in steps_of(run)] == [1, 2]


def _rehash(run, name):
    from nextquill_torch.spec import sha256_of

    path = run / "spec" / name
    record = {"bytes": path.stat().st_size, "sha256": sha256_of(path)}
    change(run, lambda spec: spec["files"].update({name: record}))


def test_estimates_are_computed_once(tmp_path):
    run = prepare("fixed", tmp_path)
    assert work(run) == 0
    made = run / "spec" / "estimates.safetensors"
    before = load_file(made)
    assert set(before) == {"logProbWithHistory", "logProbWithoutHistory", "divergence"}
    progress = [event for event in events_of(run) if event["type"] == "progress"]
    assert progress[-1]["done"] == progress[-1]["total"]
    again = prepare("fixed", tmp_path / "again")
    shutil.copy(made, again / "spec" / "estimates.safetensors")
    assert work(again) == 0
    assert not [event for event in events_of(again) if event["type"] == "progress"]
    check_steps("fixed", steps_of(again))


def test_the_adapter_loads_with_peft_and_its_files_are_those_of_the_spec(tmp_path):
    from peft import PeftModel
    from transformers import AutoModelForCausalLM

    run = prepare("nextquill", tmp_path)
    assert work(run) == 0
    spec = json.loads((run / "spec" / "run.json").read_text())
    for name, content in spec["result"]["files"].items():
        assert json.loads((run / "adapter" / name).read_text()) == content
    model = PeftModel.from_pretrained(AutoModelForCausalLM.from_pretrained(spec["model"]["path"]), run / "adapter")
    loaded = {name.replace(".default", ""): p for name, p in model.named_parameters() if ".lora_" in name}
    assert all(torch.equal(loaded[name], value) for name, value in result_of(run).items())
