"""Checkpoints, and the best step beside them, as the TypeScript engine has them (src/method/runs/checkpoint.ts): either resumes the other's."""

import json
import shutil
from pathlib import Path

from safetensors import SafetensorError, safe_open
from safetensors.torch import save_file
from torch import Tensor

from .best_step import is_best
from .files import sync_file, write_folder
from .spec import sha256_of
from .state import TrainedState

CHECKPOINTS = "checkpoints"
BEST = "best"

#: Which buffers go into which file, and what stands before the tensors' names there.
WEIGHTS = {"weights.safetensors": {"weights": ""}}
CONTENTS = {
    **WEIGHTS,
    "optimizer.safetensors": {"firstMoment": "firstMoment.", "secondMoment": "secondMoment."},
}
AVERAGE = {"average.safetensors": {"average": ""}}


def contents_of(state: TrainedState) -> dict[str, dict[str, str]]:
    return CONTENTS if state.average is None else {**CONTENTS, **AVERAGE}


def write_checkpoint(run: Path, step: int, state: TrainedState, best: dict | None = None) -> Path:
    """Writes `checkpoints/step-N`, whole or not at all. All processes must call it; rank 0 writes, and all wait for it."""
    about = {"step": step, **({} if best is None else {"best": best})}
    return _write(run / CHECKPOINTS / f"step-{step}", about, state, contents_of(state))


def write_best(run: Path, step: int, state: TrainedState) -> None:
    """Writes `best/step-N`, the weights of a step that no earlier one was better than, in the way of a checkpoint."""
    _write(run / BEST / f"step-{step}", {"step": step}, state, WEIGHTS)


def _write(path: Path, about: dict, state: TrainedState, contents: dict) -> Path:
    failure = None
    files = {name: {buffer: state.whole(buffer) for buffer in buffers} for name, buffers in contents.items()}
    if state.ranks.is_main:
        try:
            path.parent.mkdir(exist_ok=True)
            write_folder(path, lambda folder: _fill(folder, about, files, contents))
        except OSError as caught:
            failure = caught
    state.ranks.wait()
    if failure is not None:
        raise failure
    return path


def _fill(folder: Path, about: dict, files: dict, contents: dict) -> None:
    records = {}
    for name, buffers in contents.items():
        tensors = {prefix + key: value for buffer, prefix in buffers.items() for key, value in files[name][buffer].items()}
        file = folder / name
        save_file(tensors, file)
        sync_file(file)
        records[name] = {"bytes": file.stat().st_size, "sha256": sha256_of(file)}
    (folder / "state.json").write_text(json.dumps({"formatVersion": 1, **about, "files": records}, indent=2) + "\n")


def prune_checkpoints(run: Path, keep: int) -> None:
    for step in checkpoint_steps(run)[keep:]:
        shutil.rmtree(run / CHECKPOINTS / f"step-{step}", ignore_errors=True)


def prune_best(run: Path, best: dict) -> None:
    """Removes the weights of best steps that neither the run as it is now nor any of its checkpoints builds on."""
    records = (_record_of(run / CHECKPOINTS / f"step-{step}", step)[0] for step in checkpoint_steps(run))
    needed = {best["step"], *(record["best"]["step"] for record in records if record is not None and "best" in record)}
    for step in _steps_in(run / BEST):
        if step not in needed:
            shutil.rmtree(run / BEST / f"step-{step}", ignore_errors=True)


def checkpoint_steps(run: Path) -> list[int]:
    """Newest first; damaged ones included."""
    return _steps_in(run / CHECKPOINTS)


def _steps_in(folder: Path) -> list[int]:
    names = [path.name for path in folder.iterdir()] if folder.is_dir() else []
    steps = [int(name[5:]) for name in names if name.startswith("step-") and name[5:].isdecimal()]
    return sorted(steps, reverse=True)


def find_newest(run: Path, state: TrainedState) -> tuple[int, dict | None, list[dict]]:
    """The newest checkpoint that is whole, 0 when there is none, its best step, and notices of damaged newer ones, which it removes.

    Only rank 0 may call it: the others are told the step.
    """
    damaged = []
    for step in checkpoint_steps(run):
        folder = run / CHECKPOINTS / f"step-{step}"
        best = (_record_of(folder, step)[0] or {}).get("best")
        fault = fault_of(folder, step, state, contents_of(state))
        if fault is None and best is not None:
            kept = fault_of(run / BEST / f"step-{best['step']}", best["step"], state, WEIGHTS)
            fault = kept and f"{BEST}/step-{best['step']}: {kept}"
        if fault is None:
            return step, best, damaged
        damaged.append({"code": "run/checkpoint-damaged", "checkpoint": str(folder), "fault": fault})
        shutil.rmtree(folder, ignore_errors=True)
    return 0, None, damaged


def _record_of(folder: Path, step: int) -> tuple[dict | None, str | None]:
    """state.json of a step, or what is wrong with it."""
    try:
        record = json.loads((folder / "state.json").read_text())
    except FileNotFoundError:
        return None, "expected state.json, got none"
    except ValueError:
        return None, "state.json: expected JSON, got text that ends or breaks"
    if not isinstance(record, dict) or record.get("formatVersion") != 1 or record.get("step") != step:
        return None, f"state.json: expected format 1 of step {step}, got another"
    if "best" in record and not is_best(record["best"]):
        return None, "state.json: best: expected a step and its loss, got another value"
    return record, None


def fault_of(folder: Path, step: int, state: TrainedState, contents: dict) -> str | None:
    """What is wrong with a checkpoint; None when every file is what state.json says, with the tensors of this run."""
    record, fault = _record_of(folder, step)
    if record is None:
        return fault
    for name, buffers in contents.items():
        expected = (record.get("files") or {}).get(name)
        path = folder / name
        if not isinstance(expected, dict) or not path.is_file():
            return f"expected {name}, got none"
        if path.stat().st_size != expected.get("bytes"):
            return f"{name}: expected {expected.get('bytes')} bytes, got {path.stat().st_size}"
        if sha256_of(path) != expected.get("sha256"):
            return f"{name}: expected the content of hash {str(expected.get('sha256'))[:12]}…, got another"
        fault = _tensor_fault(path, name, buffers.values(), state)
        if fault is not None:
            return fault
    return None


def _tensor_fault(path: Path, name: str, prefixes, state: TrainedState) -> str | None:
    try:
        with safe_open(path, framework="pt") as file:
            there = set(file.keys())
            for prefix in prefixes:
                for tensor, parameter in state.trained.items():
                    key = prefix + tensor
                    found = file.get_slice(key) if key in there else None
                    if found is None or found.get_dtype() != "F32" or tuple(found.get_shape()) != tuple(parameter.shape):
                        got = "none" if found is None else f"{found.get_dtype()} {list(found.get_shape())}"
                        return f"{name}: {key}: expected F32 {list(parameter.shape)}, got {got}"
    except SafetensorError as cause:
        return f"{name}: {cause}"
    return None


def restore_checkpoint(run: Path, step: int, state: TrainedState) -> None:
    folder = run / CHECKPOINTS / f"step-{step}"
    buffers: dict[str, dict[str, Tensor]] = {}
    for name, parts in contents_of(state).items():
        with safe_open(folder / name, framework="pt") as file:
            for buffer, prefix in parts.items():
                buffers[buffer] = {tensor: file.get_tensor(prefix + tensor) for tensor in state.trained}
    state.restore(buffers, step)


def restore_best(run: Path, step: int, state: TrainedState) -> None:
    """Fills the weights alone, from `best/step-N`."""
    with safe_open(run / BEST / f"step-{step}" / "weights.safetensors", framework="pt") as file:
        state.restore_weights({tensor: file.get_tensor(tensor) for tensor in state.trained})
