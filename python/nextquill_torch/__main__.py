"""The command line of the worker; the only place that reads what the command line and torchrun's environment say."""

import argparse
import json
import sys
import traceback
from pathlib import Path

from .faults import Fault, SpecFault, fault_of


def main(arguments: list[str] | None = None) -> int:
    parser = argparse.ArgumentParser(prog="nextquill_torch", description="Trains and scores from the spec folder of a NextQuill run.")
    commands = parser.add_subparsers(dest="command", required=True)
    for name, text in (
        ("work", "trains or scores what RUN/spec says"),
        ("check", "reads and verifies RUN/spec, and runs its longest microbatch; trains nothing"),
    ):
        command = commands.add_parser(name, help=text, description=text)
        command.add_argument("run", type=Path, metavar="RUN", help="the folder of a run")
    stays = commands.add_parser("serve", help="answers requests on standard input until it ends")
    stays.add_argument("folder", type=Path, metavar="FOLDER", help="a folder of the caller's own")
    stays.add_argument("--device", default="auto", help="as compute.device of a spec")
    commands.add_parser("doctor", help="versions and devices as one JSON object")
    given = parser.parse_args(arguments)
    if given.command == "doctor":
        from .doctor import report

        print(json.dumps(report()))
        return 0
    if given.command == "serve":
        from .events import take_stdout
        from .serve import serve

        return serve(given.folder.resolve(), given.device, take_stdout() if _environment_rank() in (None, 0) else None)
    return work(given.run.resolve(), checks_only=given.command == "check")


def work(run: Path, *, checks_only: bool = False) -> int:
    """Does what the spec says, and leaves end.json; returns the exit code."""
    from .events import Events, read_end, take_stdout
    from .parallel import Ranks

    folder = run / "spec"
    rank = _environment_rank()
    ended = None if checks_only else read_end(folder)
    if ended is not None:
        print(f"{folder / 'end.json'}: this run has ended before ({ended['status']}); nothing is done", file=sys.stderr)
        return 0
    events = Events(folder, rank or 0, take_stdout() if rank in (None, 0) else None)
    ranks = None
    try:
        from .spec import read_spec

        spec = read_spec(run)
        ranks = Ranks(spec.compute["device"])
        if checks_only:
            from .check import check

            events.emit("checked", **check(spec, ranks, events))
            return 0
        if spec.task == "generate":
            raise SpecFault("run.json: task: expected train or score, got generate", code="spec/task", hint="Ask it of `serve`.")
        if spec.task == "train":
            from .train import train

            code = train(spec, ranks, events)
        else:
            from .score import score

            code = score(spec, ranks, events)
        # torchrun would start a process again that ends with anything but 0; end.json says what it was.
        return 0 if rank is not None else code
    except Exception as cause:
        fault = fault_of(cause)
        if fault is not None:
            return _fail(folder, events, fault, rank, checks_only)
        traceback.print_exc()
        message = f"{type(cause).__name__}: {cause}"
        events.error(code="worker/failed", message=message, hint="See the traceback on standard error, and resume the run.")
        if rank is None and not checks_only:
            _end(folder, Fault(message, code="worker/failed", hint="See the traceback on standard error."))
            return 1
        # Under torchrun all processes are started again from the newest checkpoint: the reason may pass.
        raise
    finally:
        if ranks is not None and sys.exc_info()[0] is None:
            ranks.close()


def _fail(folder: Path, events, fault: Fault, rank: int | None, checks_only: bool) -> int:
    """An error that another try would only repeat: end.json keeps torchrun from it."""
    print(f"{fault.message}\n{fault.hint}", file=sys.stderr)
    if not checks_only:
        _end(folder, fault)
    if rank in (None, 0) or fault.code == "worker/out-of-memory":
        events.error(code=fault.code, message=fault.message, hint=fault.hint)
    return fault.exit_code


def _end(folder: Path, fault: Fault) -> None:
    from .events import write_end

    if not folder.is_dir():
        return
    try:
        write_end(folder, "failed", code=fault.code, message=fault.message, hint=fault.hint, exitCode=fault.exit_code)
    except OSError as cause:
        # On a full disk the last word may not fit either; the error that stopped the run says more.
        print(f"{folder / 'end.json'}: {cause}", file=sys.stderr)


def _environment_rank() -> int | None:
    import os

    return int(os.environ["RANK"]) if "RANK" in os.environ else None


def entry() -> None:
    from torch.distributed.elastic.multiprocessing.errors import record

    sys.exit(record(main)())


if __name__ == "__main__":
    entry()
