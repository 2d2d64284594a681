"""Checkpoints as the TypeScript engine writes and reads them (src/method/runs/checkpoint.ts): either engine resumes the other's."""

import json
import shutil
from pathlib import Path

from safetensors import SafetensorError, safe_open
from safetensors.torch import save_file
from torch import Tensor

from .files import sync_file, write_folder
from .spec import sha256_of
from .state import TrainedState

CHECKPOINTS = "checkpoints"

#: Which buffers go into which file, and what stands before the tensors' names there.
CONTENTS = {
    "weights.safetensors": {"weights": ""},
    "optimizer.safetensors": {"firstMoment": "firstMoment.", "secondMoment": "secondMoment."},
}
AVERAGE = {"average.safetensors": {"average": ""}}


def contents_of(state: TrainedState) -> dict[str, dict[str, str]]:
    return CONTENTS if state.average is None else {**CONTENTS, **AVERAGE}


def write_checkpoint(run: Path, step: int, state: TrainedState) -> Path:
    """Writes `checkpoints/step-N`, whole or not at all. All processes must call it; rank 0 writes, and all wait for it."""
    path = run / CHECKPOINTS / f"step-{step}"
    failure = None
    files = {name: {buffer: state.whole(buffer) for buffer in buffers} for name, buffers in contents_of(state).items()}
    if state.ranks.is_main:
        try:
            write_folder(path, lambda folder: _fill(folder, step, files, contents_of(state)))
        except OSError as caught:
            failure = caught
    state.ranks.wait()
    if failure is not None:
        raise failure
    return path


def _fill(folder: Path, step: int, files: dict, contents: dict) -> None:
    records = {}
    for name, buffers in contents.items():
        tensors = {prefix + key: value for buffer, prefix in buffers.items() for key, value in files[name][buffer].items()}
        file = folder / name
        save_file(tensors, file)
        sync_file(file)
        records[name] = {"bytes": file.stat().st_size, "sha256": sha256_of(file)}
    (folder / "state.json").write_text(json.dumps({"formatVersion": 1, "step": step, "files": records}, indent=2) + "\n")


def prune_checkpoints(run: Path, keep: int) -> None:
    for step in checkpoint_steps(run)[keep:]:
        shutil.rmtree(run / CHECKPOINTS / f"step-{step}", ignore_errors=True)


def checkpoint_steps(run: Path) -> list[int]:
    """Newest first; damaged ones included."""
    folder = run / CHECKPOINTS
    names = [path.name for path in folder.iterdir()] if folder.is_dir() else []
    steps = [int(name[5:]) for name in names if name.startswith("step-") and name[5:].isdecimal()]
    return sorted(steps, reverse=True)


def find_newest(run: Path, state: TrainedState) -> tuple[int, list[dict]]:
    """The newest checkpoint that is whole, 0 when there is none, and notices of damaged newer ones, which it removes.

    Only rank 0 may call it: the others are told the step.
    """
    damaged = []
    for step in checkpoint_steps(run):
        folder = run / CHECKPOINTS / f"step-{step}"
        fault = fault_of(folder, step, state)
        if fault is None:
            return step, damaged
        damaged.append({"code": "run/checkpoint-damaged", "checkpoint": str(folder), "fault": fault})
        shutil.rmtree(folder, ignore_errors=True)
    return 0, damaged


def fault_of(folder: Path, step: int, state: TrainedState) -> str | None:
    """What is wrong with a checkpoint; None when every file is what state.json says, with the tensors of this run."""
    try:
        record = json.loads((folder / "state.json").read_text())
    except FileNotFoundError:
        return "expected state.json, got none"
    except ValueError:
        return "state.json: expected JSON, got text that ends or breaks"
    if not isinstance(record, dict) or record.get("formatVersion") != 1 or record.get("step") != step:
        return f"state.json: expected format 1 of step {step}, got another"
    for name, buffers in contents_of(state).items():
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
