"""Several processes of a worker without torchrun: forked, so that each starts in a moment, over gloo."""

import multiprocessing
import os
import socket
import sys
from pathlib import Path


def free_port() -> int:
    with socket.socket() as found:
        found.bind(("127.0.0.1", 0))
        return found.getsockname()[1]


def _be(run: Path, rank: int, world: int, port: int, prepare) -> None:
    import torch

    from nextquill_torch.__main__ import work

    torch.set_num_threads(1)
    os.environ.update(
        RANK=str(rank), LOCAL_RANK=str(rank), WORLD_SIZE=str(world), LOCAL_WORLD_SIZE=str(world),
        MASTER_ADDR="127.0.0.1", MASTER_PORT=str(port),
    )  # fmt: skip
    with (run / f"log-{rank}").open("w") as log:
        os.dup2(log.fileno(), 1)
        os.dup2(log.fileno(), 2)
    if prepare is not None:
        prepare(rank)
    code = 1
    try:
        code = work(run)
    except SystemExit as end:
        code = end.code
    except BaseException:
        import traceback

        traceback.print_exc()
    sys.stderr.flush()
    os._exit(code)


def start(run: Path, world: int, prepare=None) -> list:
    """Processes of a run, as torchrun would start them. prepare(rank): called in each, before its work."""
    port = free_port()
    context = multiprocessing.get_context("fork")
    processes = [context.Process(target=_be, args=(run, rank, world, port, prepare)) for rank in range(world)]
    for process in processes:
        process.start()
    return processes


def wait(processes: list, seconds: float = 120) -> list[int | None]:
    """Their exit codes; what has not ended by then is killed, and None."""
    codes = []
    for process in processes:
        process.join(seconds)
        codes.append(process.exitcode)
        if process.is_alive():
            process.kill()
            process.join()
    return codes


def run_all(run: Path, world: int, prepare=None) -> None:
    codes = wait(start(run, world, prepare))
    assert codes == [0] * world, "\n".join((run / f"log-{rank}").read_text()[-3000:] for rank in range(world))
