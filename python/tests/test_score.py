"""The task `score`, `check` and `doctor`: numbers of the engine of TypeScript, in one process and in two."""

import json

import pytest
import torch
from safetensors.torch import load_file

from nextquill_torch.__main__ import main
from nextquill_torch.events import Events
from nextquill_torch.parallel import Ranks
from nextquill_torch.score import score
from nextquill_torch.spec import read_spec
from processes import run_all
from runs import GOLDEN, change, events_of, prepare, work

#: Another engine's f32.
TOLERANCE = 1e-4


def scored(run) -> dict[str, torch.Tensor]:
    assert score(read_spec(run), Ranks("cpu"), Events(run / "spec", 0)) == 0
    return load_file(run / "spec" / "scores.safetensors")


@pytest.mark.parametrize("name", ["scores-llama", "scores-adapter", "scores-prompts"])
def test_scores_are_those_of_the_other_engine(name, tmp_path):
    run = prepare(name, tmp_path)
    if (GOLDEN / "torch-runs" / name / "spec" / "adapter").is_dir():
        change(run, lambda spec: spec.update(adapter=str(run / "spec" / "adapter")))
    want = json.loads((GOLDEN / "torch-runs" / name / "expected.json").read_text())["scores"]
    got = scored(run)
    assert set(got) == set(want)
    for key, values in want.items():
        assert float((got[key] - torch.tensor(values)).abs().max()) < TOLERANCE
    assert [event["type"] for event in events_of(run)] == ["progress", "done"]
    again = prepare(name, tmp_path / "two")
    if (GOLDEN / "torch-runs" / name / "spec" / "adapter").is_dir():
        change(again, lambda spec: spec.update(adapter=str(again / "spec" / "adapter")))
    run_all(again, 2)
    two = load_file(again / "spec" / "scores.safetensors")
    assert all(torch.allclose(two[key], got[key], atol=1e-6) for key in got)


def test_check_says_what_a_run_takes_and_writes_nothing_but_that(tmp_path, capfd):
    run = prepare("nextquill", tmp_path)
    spec = read_spec(run)
    from nextquill_torch.check import check

    found = check(spec, Ranks("cpu"), Events(run / "spec", 0))
    assert found["steps"] == spec.content["totalSteps"] and found["peakMemoryBytes"] > 0 and found["gradientNorm"] > 0
    assert not (run / "steps.jsonl").exists() and not (run / "spec" / "end.json").exists()
    assert work(run) == 0


def test_doctor_is_one_line_of_json(capsys):
    assert main(["doctor"]) == 0
    lines = capsys.readouterr().out.splitlines()
    assert len(lines) == 1
    report = json.loads(lines[0])
    assert report["versions"]["torch"].startswith("2.") and report["devices"][-1] == "cpu"
