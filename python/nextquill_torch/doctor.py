"""Versions, devices and backends as one object: what `nextquill doctor` and a manifest show."""

import importlib.metadata
import platform

import torch

from . import __version__

PACKAGES = ("torch", "safetensors", "transformers", "peft", "trl", "accelerate", "flash-attn")


def report() -> dict:
    return {
        "nextquillTorch": __version__,
        "python": platform.python_version(),
        "platform": f"{platform.system().lower()}-{platform.machine()}",
        "packages": {name: _version(name) for name in PACKAGES},
        "cuda": torch.version.cuda,
        "rocm": torch.version.hip,
        "devices": _devices(),
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


def _devices() -> list[dict]:
    devices: list[dict] = [{"device": "cpu", "name": platform.processor() or platform.machine()}]
    for i in range(torch.cuda.device_count()):
        found = torch.cuda.get_device_properties(i)
        devices.append({"device": "cuda", "name": found.name, "memoryBytes": found.total_memory})
    if hasattr(torch, "xpu") and torch.xpu.is_available():
        for i in range(torch.xpu.device_count()):
            found = torch.xpu.get_device_properties(i)
            devices.append({"device": "xpu", "name": found.name, "memoryBytes": found.total_memory})
    if torch.backends.mps.is_available():
        devices.append({"device": "mps", "name": "Apple GPU"})
    return devices
