"""Runs of tests/golden/torch-runs as folders that a worker can work in, and the comparison with what TypeScript's engine made."""

import json
import shutil
from pathlib import Path

from nextquill_torch.events import Events
from nextquill_torch.parallel import Ranks
from nextquill_torch.spec import read_spec, read_tensors
from nextquill_torch.train import train

GOLDEN = Path(__file__).parents[2] / "tests" / "golden"
RUNS = GOLDEN / "torch-runs"

#: Losses and parts; two engines in f32 over a few steps.
LOSS = 1e-5
#: Of gradient norms, relative. A wrong gradient scale hides behind Adam, and would show here and in the clipped steps.
NORM = 1e-4


def prepare(name: str, folder: Path, **compute) -> Path:
    """A copy of a golden run with its model's real path."""
    run = folder / name
    shutil.copytree(RUNS / name, run)
    change(run, lambda spec: (spec["model"].update(path=str(GOLDEN / spec["model"]["path"])), spec["compute"].update(compute)))
    return run


def change(run: Path, edit) -> None:
    """Edits run.json, which holds no hash of itself."""
    path = run / "spec" / "run.json"
    spec = json.loads(path.read_text())
    edit(spec)
    path.write_text(json.dumps(spec))


def work(run: Path) -> int:
    """The worker in this process."""
    spec = read_spec(run)
    return train(spec, Ranks("cpu"), Events(run / "spec", 0))


def steps_of(run: Path) -> list[dict]:
    return [json.loads(line) for line in (run / "steps.jsonl").read_text().splitlines()]


def events_of(run: Path) -> list[dict]:
    return [json.loads(line) for line in (run / "spec" / "events.jsonl").read_text().splitlines()]


def result_of(run: Path) -> dict:
    folder = next(path for path in (run / "adapter", run / "weights") if path.is_dir())
    return read_tensors(next(folder.glob("*.safetensors")))


def check_steps(name: str, got: list[dict], loss: float = LOSS, norm: float = NORM) -> None:
    """Every line of steps.jsonl against TypeScript's: numbers within the tolerances, and the rest exactly."""
    want = json.loads((RUNS / name / "expected.json").read_text())["steps"]
    assert [step["step"] for step in got] == [step["step"] for step in want]
    for made, wanted in zip(got, want):
        for key in ("epoch", "examples", "tokens", "learningRate"):
            assert made[key] == wanted[key], (wanted["step"], key)
        assert list(made["parts"]) == list(wanted["parts"])
        assert abs(made["loss"] - wanted["loss"]) < loss, wanted["step"]
        for part, value in wanted["parts"].items():
            assert abs(made["parts"][part] - value) < loss, (wanted["step"], part)
        assert abs(made["gradientNorm"] / wanted["gradientNorm"] - 1) < norm, wanted["step"]
        if "validationLoss" in wanted:
            assert abs(made["validationLoss"] - wanted["validationLoss"]) < loss


def check_result(name: str, run: Path) -> None:
    """The trained tensors by their names, and their sums."""
    want = json.loads((RUNS / name / "expected.json").read_text())["weights"]
    got = result_of(run)
    assert set(got) == set(want)
    for tensor, sums in want.items():
        size = max(sums["absolute"], 1e-3)
        assert abs(float(got[tensor].double().abs().sum()) - sums["absolute"]) < 1e-3 * size, tensor
        assert abs(float(got[tensor].double().sum()) - sums["sum"]) < 1e-3 * size, tensor
