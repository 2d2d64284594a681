"""The step with the least held-out loss: kept as the result, after a stop, by several processes, and by patience."""

import json

import pytest
import torch
from safetensors.torch import load_file, save_file

from nextquill_torch.best_step import is_best, with_evaluation
from nextquill_torch.events import StopFlag
from nextquill_torch.spec import sha256_of
from processes import run_all
from runs import change, events_of, prepare, result_of, steps_of, work


def _prepare(folder, **recipe):
    """The run that is evaluated, at a rate under which its best step is one in the middle; its world is small."""
    run = prepare("evaluated", folder)
    path = run / "spec" / "plan.safetensors"
    tensors = load_file(path)
    tensors["learningRate"] *= 30
    save_file(tensors, path)
    record = {"bytes": path.stat().st_size, "sha256": sha256_of(path)}
    change(run, lambda spec: (spec["files"].update({path.name: record}), spec["recipe"].update(evalEvery=1, **recipe)))
    return run


def _stop_after(monkeypatch, run, steps):
    flag = iter([False] * (steps - 1))
    with monkeypatch.context() as patch:
        patch.setattr(StopFlag, "is_set", lambda _: next(flag, True))
        assert work(run) == 130
    (run / "spec" / "end.json").unlink()


def _summary(run):
    return json.loads((run / "spec" / "end.json").read_text())["summary"]


def _same(a, b):
    return all(torch.equal(a[name], b[name]) for name in b)


@pytest.fixture(scope="module")
def kept(tmp_path_factory):
    run = _prepare(tmp_path_factory.mktemp("kept"), keepBest=True)
    assert work(run) == 0
    return run


def test_the_result_is_the_step_of_the_least_loss(kept, tmp_path, monkeypatch):
    losses = [step["validationLoss"] for step in steps_of(kept)]
    best = losses.index(min(losses)) + 1
    assert 1 < best < len(losses)
    assert _summary(kept)["best"] == {"step": best, "validationLoss": min(losses)}
    # As a run that was stopped at that step.
    stopped = _prepare(tmp_path)
    _stop_after(monkeypatch, stopped, best)
    assert _same(result_of(kept), load_file(stopped / "checkpoints" / f"step-{best}" / "weights.safetensors"))
    told = [event["isBest"] for event in events_of(kept) if event["type"] == "evaluation"]
    assert told == [loss < min([*losses[:i], float("inf")]) for i, loss in enumerate(losses)]


def test_a_run_that_was_stopped_finds_it_again(kept, tmp_path, monkeypatch):
    best = _summary(kept)["best"]["step"]
    run = _prepare(tmp_path, keepBest=True)
    for steps in (best - 1, 1, 1):
        _stop_after(monkeypatch, run, steps)
    assert work(run) == 0
    assert _same(result_of(run), result_of(kept))
    assert [path.name for path in (run / "best").iterdir()] == [f"step-{best}"]


def test_a_checkpoint_without_its_best_weights_is_not_used(kept, tmp_path, monkeypatch):
    best = _summary(kept)["best"]["step"]
    run = _prepare(tmp_path, keepBest=True)
    _stop_after(monkeypatch, run, best + 1)
    (run / "best" / f"step-{best}" / "weights.safetensors").unlink()
    assert work(run) == 0
    assert "run/checkpoint-damaged" in [event["notice"]["code"] for event in events_of(run) if event["type"] == "notice"]
    assert _same(result_of(run), result_of(kept))


def test_patience_ends_the_run(kept, tmp_path):
    best = _summary(kept)["best"]["step"]
    run = _prepare(tmp_path, keepBest=True, patience=1)
    assert work(run) == 0
    losses = [step["validationLoss"] for step in steps_of(kept)]
    end = next(i for i, loss in enumerate(losses) if i > 0 and loss >= min(losses[:i])) + 1
    assert len(steps_of(run)) == end < len(losses)
    assert _summary(run)["endedBy"] == "patience" and _summary(run)["best"]["step"] <= best
    assert "endedBy" not in _summary(kept)


@pytest.mark.parametrize("parallel", ["replicate", "shard"])
def test_several_processes_keep_the_same_step(parallel, kept, tmp_path):
    run = _prepare(tmp_path, keepBest=True)
    change(run, lambda spec: spec["compute"].update(parallel=parallel))
    run_all(run, 2)
    assert _summary(run)["best"]["step"] == _summary(kept)["best"]["step"]
    ours, theirs = result_of(run), result_of(kept)
    assert all(torch.allclose(ours[name], theirs[name], atol=2e-3) for name in theirs)


def test_an_evaluation_counts_once():
    first = with_evaluation(None, 2, 1.0)
    assert with_evaluation(first, 2, 1.0) is first
    later = with_evaluation(first, 4, 1.0)
    assert (later["step"], later["evaluationsSince"]) == (2, 1) and is_best(later)
    assert not is_best({**later, "step": "2"}) and not is_best(None)
