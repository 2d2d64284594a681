"""Versions, devices and backends as one object: what `nextquill doctor` and a manifest show."""

import importlib.metadata
import platform

import torch

from . import __version__

PACKAGES = ("torch", "safetensors", "transformers", "peft", "trl", "accelerate", "flash-attn")


def report() -> dict:
    """`versions` holds what is installed; `devices` are names, the best first; `hardware` says what they are."""
    hardware = _hardware()
    return {
        "versions": {
            "nextquillTorch": __version__,
            "python": platform.python_version(),
            **{name: version for name in PACKAGES if (version := _version(name)) is not None},
            **{key: value for key, value in (("cuda", torch.version.cuda), ("rocm", torch.version.hip)) if value},
        },
        "devices": list(dict.fromkeys(each["device"] for each in hardware)),
        "hardware": hardware,
        "backends": {
            "nccl": torch.distributed.is_available() and torch.distributed.is_nccl_available(),
            "gloo": torch.distributed.is_available() and torch.distributed.is_gloo_available(),
        },
        "bf16": torch.cuda.is_available() and torch.cuda.is_bf16_supported(),
        "threads": torch.get_num_threads(),
    }


def _version(name: str) -> str | None:
    try:
        return importlib.metadata.version(name)
    except importlib.metadata.PackageNotFoundError:
        return None


def _hardware() -> list[dict]:
    """Every device, in the order in which `auto` chooses."""
    found: list[dict] = []
    for kind in ("cuda", "xpu"):
        backend = getattr(torch, kind, None)
        for i in range(backend.device_count() if backend is not None and backend.is_available() else 0):
            properties = backend.get_device_properties(i)
            found.append({"device": kind, "name": properties.name, "memoryBytes": properties.total_memory})
    if torch.backends.mps.is_available():
        found.append({"device": "mps", "name": "Apple GPU"})
    return [*found, {"device": "cpu", "name": platform.processor() or platform.machine()}]
