"""What a run leaves behind: its result folder, its summary, and a record of what it was computed on."""

import json
import sys
from pathlib import Path

import torch
from safetensors.torch import save_file

from . import __version__
from .build import Setting
from .files import write_folder
from .parallel import Ranks
from .spec import Spec
from .state import TrainedState


def save_result(spec: Spec, state: TrainedState) -> dict[str, str]:
    """Writes `adapter/` or `weights/`, with what the spec wants beside the weights. Returns the folder by its name."""
    ranks = state.ranks
    result = spec.content["result"]
    tensors = state.whole("weights")
    name = "model.safetensors" if result["folder"] == "weights" else "adapter_model.safetensors"
    path = spec.run / result["folder"]

    def fill(folder: Path) -> None:
        source = Path(spec.model["path"])
        for file in result["copies"]:
            if (source / file).is_file():
                (folder / file).write_bytes((source / file).read_bytes())
        for file, content in result["files"].items():
            (folder / file).write_text(json.dumps(content, indent=2, ensure_ascii=False) + "\n")
        save_file(tensors, folder / name, metadata={"format": "pt"})

    if ranks.is_main:
        write_folder(path, fill)
    ranks.wait()
    return {result["folder"]: str(path)}


def summarise(lines: list[dict], result: dict[str, str], device: torch.device) -> dict:
    """The summary of a run from all lines of its log."""
    seconds = sum(line["seconds"] for line in lines)
    last = lines[-1]
    return {
        "steps": len(lines),
        "examplesPerSecond": sum(line["examples"] for line in lines) / seconds,
        "tokensPerSecond": sum(line["tokens"] for line in lines) / seconds,
        "peakMemoryBytes": max([peak_memory(device), *(line["peakMemoryBytes"] for line in lines)]),
        "finalLoss": last["loss"],
        **({"validationLoss": last["validationLoss"]} if "validationLoss" in last else {}),
        **result,
    }


def record_of(ranks: Ranks, setting: Setting) -> dict:
    """What a run used, for the events and the manifest."""
    return {
        "processes": ranks.world,
        "nodes": ranks.nodes,
        "device": ranks.device.type,
        "dtype": setting.dtype,
        "parallel": setting.parallel,
        "attention": setting.attention,
        "versions": versions(),
    }


def versions() -> dict[str, str]:
    import peft
    import transformers

    return {
        "nextquillTorch": __version__,
        "python": sys.version.split()[0],
        "torch": torch.__version__,
        "transformers": transformers.__version__,
        "peft": peft.__version__,
    }


def peak_memory(device: torch.device) -> int:
    """Of the device where it has memory of its own, else of this process."""
    if device.type in ("cuda", "xpu"):
        return getattr(torch, device.type).max_memory_allocated(device)
    try:
        import resource
    except ImportError:
        return 0  # Windows does not say.
    used = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss
    return used if sys.platform == "darwin" else used * 1024
