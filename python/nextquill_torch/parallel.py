"""Processes that work on one run: what each does of a step, and sums over all of them.

`replicate`: every process has all weights; the flat gradient is summed once a step. `shard`: weights, gradients and moments are
spread over the processes by FSDP2, which averages gradients, so that the loss is multiplied by the number of processes.
A step is a sum over examples, so that the number of processes is no part of what a run is.
"""

import os
from collections.abc import Sequence
from datetime import timedelta

import torch
import torch.distributed as dist
from torch import Tensor

from .faults import SpecFault

#: A process that has not connected to the others by then never will: it ends, and torchrun starts all of them again.
CONNECT_TIMEOUT = timedelta(minutes=2)
#: A process that is not heard of for so long has died, or hangs.
STEP_TIMEOUT = timedelta(minutes=10)
#: Rank 0 writes checkpoints while the others wait.
BOOKKEEPING_TIMEOUT = timedelta(minutes=30)


class Ranks:
    """The processes of a run; one of them without torchrun."""

    def __init__(self, device: str):
        self.rank = int(os.environ.get("RANK", 0))
        self.world = int(os.environ.get("WORLD_SIZE", 1))
        self.local = int(os.environ.get("LOCAL_RANK", 0))
        self.nodes = self.world // int(os.environ.get("LOCAL_WORLD_SIZE", self.world))
        self.is_launched = "RANK" in os.environ
        self.device = device_of(device, self.local)
        self._bookkeeping = None
        if self.world == 1:
            return
        if self.device.type == "mps":
            raise SpecFault("device: mps: expected one process, got several", code="engine/device", hint="Use --processes 1.")
        if self.device.type in ("cuda", "xpu"):
            backend = "nccl" if self.device.type == "cuda" else "xccl"
            getattr(torch, self.device.type).set_device(self.device)
            _connect(backend, STEP_TIMEOUT)
            self._bookkeeping = dist.new_group(backend="gloo", timeout=CONNECT_TIMEOUT)
            _set_timeout(BOOKKEEPING_TIMEOUT, self._bookkeeping)
        else:
            _connect("gloo", BOOKKEEPING_TIMEOUT)

    @property
    def is_main(self) -> bool:
        return self.rank == 0

    def sums(self, values: Sequence[float]) -> list[float]:
        """Of each number over all processes, f64."""
        vector = torch.tensor(values, dtype=torch.float64)
        if self.world > 1:
            dist.all_reduce(vector, group=self._bookkeeping)
        return vector.tolist()

    def sum_tensor(self, tensor: Tensor) -> None:
        """In place, on the device."""
        if self.world > 1:
            dist.all_reduce(tensor)

    def sum_on_cpu(self, tensor: Tensor) -> Tensor:
        if self.world > 1:
            dist.all_reduce(tensor, group=self._bookkeeping)
        return tensor

    def told(self, value: object) -> object:
        """What the first process says, in all of them."""
        if self.world == 1:
            return value
        box = [value]
        dist.broadcast_object_list(box, src=0, group=self._bookkeeping)
        return box[0]

    def wait(self) -> None:
        """Until all processes have come here; others may be writing meanwhile."""
        self.sums([0.0])

    def close(self) -> None:
        if self.world > 1 and dist.is_initialized():
            dist.destroy_process_group()


def _connect(backend: str, timeout: timedelta) -> None:
    """Joins the processes that torchrun has started together."""
    store, rank, world = next(dist.rendezvous("env://", timeout=CONNECT_TIMEOUT))
    if os.environ.get("TORCHELASTIC_USE_AGENT_STORE") == "True":
        # torchrun's own store outlives a restart, with the addresses of processes that have died (torch 2.15, rendezvous.py).
        store = dist.PrefixStore(f"attempt/{os.environ['TORCHELASTIC_RESTART_COUNT']}", store)
    dist.init_process_group(backend, store=store, rank=rank, world_size=world, timeout=CONNECT_TIMEOUT)
    _set_timeout(timeout)


def _set_timeout(timeout: timedelta, group: dist.ProcessGroup | None = None) -> None:
    """Of everything that follows."""
    # The name of torch before there was a public one.
    setter = getattr(dist, "set_timeout", None) or dist.distributed_c10d._set_pg_timeout
    setter(timeout, group)


def device_of(name: str, local: int) -> torch.device:
    """The device of a process; `auto` is the first of cuda, xpu and mps that is there, else the processor."""
    there = {
        "cuda": torch.cuda.is_available(),
        "xpu": hasattr(torch, "xpu") and torch.xpu.is_available(),
        "mps": torch.backends.mps.is_available(),
        "cpu": True,
    }
    chosen = next(kind for kind, is_there in there.items() if is_there) if name == "auto" else name
    if not there.get(chosen, False):
        raise SpecFault(
            f"device: expected one of {', '.join(kind for kind in there if there[kind])}, got {chosen}, "
            f"which torch {torch.__version__} does not find",
            code="engine/device",
            hint="Choose another --device, or install the torch that is made for it: nextquill setup torch --backend …",
        )
    return torch.device(chosen, local) if chosen in ("cuda", "xpu") else torch.device(chosen)


def dealt(microbatches: Sequence[Sequence[int]], rank: int, world: int) -> list[list[int]]:
    """A process's microbatches of a step: by index modulo the number of processes, cut where there are fewer than processes."""
    cut = [list(microbatch) for microbatch in microbatches]
    while len(cut) < world and max(map(len, cut)) > 1:
        widest = max(range(len(cut)), key=lambda i: (len(cut[i]), -i))
        row = cut[widest]
        half = (len(row) + 1) // 2
        cut[widest : widest + 1] = [row[:half], row[half:]]
    return cut[rank::world]


def regrouped(examples: Sequence[int], lengths: Sequence[int], tokens: int) -> list[list[int]]:
    """Examples of a step in microbatches of at most `tokens` padded tokens each, or of one example: longest first."""
    groups: list[list[int]] = []
    for example in sorted(examples, key=lambda i: (-lengths[i], i)):
        last = groups[-1] if groups else None
        if last is not None and lengths[last[0]] * (len(last) + 1) <= tokens:
            last.append(example)
        else:
            groups.append([example])
    return groups
