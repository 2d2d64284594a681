"""What a worker says while it runs: lines of JSON on standard output and in spec/events.jsonl, and end.json as its last word."""

import json
import os
import signal
import sys
from collections.abc import Callable
from pathlib import Path

from .files import write_json


class Events:
    """The reporter of one process; only rank 0 says what happens, and `out` (its standard output) gets the same lines."""

    def __init__(self, folder: Path, rank: int, out=None):
        self.path = folder / "events.jsonl"
        self.rank = rank
        self._out = out

    def emit(self, kind: str, **fields: object) -> None:
        if self.rank == 0:
            self._write({"type": kind, **fields})

    def warn(self, code: str, message: str) -> None:
        self.emit("warning", code=code, message=message)

    def error(self, **fields: object) -> None:
        """Of any rank: the launcher may have nothing else to go by."""
        self._write({"type": "error", "rank": self.rank, **fields})

    def _write(self, event: dict) -> None:
        line = json.dumps(event, ensure_ascii=False)
        if self._out is not None:
            self._out.write(line + "\n")
            self._out.flush()
        if self.path.parent.is_dir():
            with self.path.open("a") as file:
                file.write(line + "\n")


def take_stdout():
    """The process's standard output; whatever else is printed goes to standard error from here on."""
    sys.stdout.flush()
    out = os.fdopen(os.dup(1), "w", encoding="utf-8")
    os.dup2(2, 1)
    return out


class StopFlag:
    """Whether somebody wants the run to stop: by a signal to this process, by the file spec/stop, or in another way of the caller's."""

    def __init__(self, folder: Path, is_asked: Callable[[], bool] = lambda: False):
        self.path = folder / "stop"
        self.by_signal = False
        self._is_asked = is_asked
        self._before = {
            name: signal.signal(getattr(signal, name), self._set) for name in ("SIGTERM", "SIGINT", "SIGUSR1") if hasattr(signal, name)
        }

    def release(self) -> None:
        """Gives the signals back to whoever had them."""
        for name, handler in self._before.items():
            signal.signal(getattr(signal, name), handler)

    def _set(self, *_: object) -> None:
        self.by_signal = True

    def is_set(self) -> bool:
        return self.by_signal or self.path.exists() or self._is_asked()


def write_end(folder: Path, status: str, **fields: object) -> None:
    """The last word of a run; the first of several processes has it."""
    path = folder / "end.json"
    if not path.exists():
        write_json(path, {"status": status, **fields})


def read_end(folder: Path) -> dict | None:
    try:
        return json.loads((folder / "end.json").read_text())
    except (FileNotFoundError, ValueError):
        return None
