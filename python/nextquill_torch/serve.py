"""A worker that stays for a whole command: requests are lines of JSON on standard input, answers lines on standard output.

    {"do": "score", "run": FOLDER}                    the task `score` of FOLDER/spec
    {"do": "write", "run": FOLDER}                    opens what FOLDER/spec, of the task `generate`, names; no sequences yet
    {"do": "fill", "ids": [...]}                      runs a prompt, the next sequence
    {"do": "step", "rows": [...], "tokens": [...]}    keeps these sequences, and runs a token more for each

Each is answered by `{"type": "answered", "status", ...}` behind its events; `fill` and `step` leave `logits.safetensors` in
FOLDER/spec before. It ends when its standard input does, in the middle of a score too, and after a request that failed.
The folder of the command line has `spec/`, where errors of any process are appended to events.jsonl.
"""

import json
import queue
import sys
import threading
import traceback
from pathlib import Path

from safetensors.torch import save_file

from .build import setting_of
from .events import Events, StopFlag
from .faults import Fault, fault_of
from .generate import Sequences
from .kept_model import KeptModel
from .parallel import Ranks
from .passes import Scored
from .score import score
from .spec import Spec, read_spec

#: Seconds after which the other processes are told that there is nothing yet: they wait no longer than their group allows.
IDLE = 60.0


def serve(folder: Path, device: str, out) -> int:
    """Answers requests until there are no more; returns the exit code. out: standard output, of the first process alone."""
    ranks = Ranks(device)
    events = Events(folder / "spec", ranks.rank, out)
    requests = Requests(ranks)
    worker = _Worker(ranks, requests, out)
    while True:
        try:
            request = requests.next()
            if request is None:
                ranks.close()
                return 0
            code = worker.answer(request)
        except Exception as cause:
            traceback.print_exc()
            known = fault_of(cause)
            fault = known or Fault(f"{type(cause).__name__}: {cause}", code="worker/failed", hint="See the traceback on standard error.")
            said = {"code": fault.code, "message": fault.message, "hint": fault.hint}
            # Of any process, in the file at least: another one may end them all before the first has answered.
            events.error(**said)
            events.emit("answered", status="failed", **said)
            return fault.exit_code
        events.emit("answered", status="done" if code == 0 else "stopped")
        if code != 0:
            return code


class Requests:
    """Lines of standard input as the first process reads them; all processes get each of them."""

    def __init__(self, ranks: Ranks):
        self._ranks = ranks
        #: None behind the last one.
        self._lines: queue.Queue[str | None] = queue.Queue()
        #: Whether nobody will ask any more; of the first process.
        self.is_closed = False
        if ranks.is_main:
            threading.Thread(target=self._read, daemon=True).start()

    def _read(self) -> None:
        for line in sys.stdin:
            self._lines.put(line)
        self.is_closed = True
        self._lines.put(None)

    def next(self) -> dict | None:
        """The next request; None when there are no more."""
        while True:
            request: dict | None = {}
            if self._ranks.is_main:
                try:
                    line = self._lines.get(timeout=IDLE)
                    request = None if line is None else json.loads(line)
                except queue.Empty:
                    pass
            request = self._ranks.told(request)
            if request is None or request:
                return request


class _Worker:
    """What is kept between requests: the model, and the sequences that are being written."""

    def __init__(self, ranks: Ranks, requests: Requests, out):
        self._ranks, self._requests, self._out = ranks, requests, out
        self._model = KeptModel(ranks)
        self._sequences: Sequences | None = None
        #: What writes them, which may have been put aside for a score between two tokens.
        self._writer: Spec | None = None

    def answer(self, request: dict) -> int:
        """Returns 0, or the exit code of a request that was stopped."""
        if request["do"] == "score":
            return self._score(read_spec(Path(request["run"])))
        if self._ranks.world > 1:
            raise Fault("request: expected one process for texts, whose tokens follow one another, got several", code="worker/request")
        if request["do"] == "write":
            self._writer = read_spec(Path(request["run"]))
            self._sequences = Sequences()
            self._opened(self._writer)
            return 0
        if self._writer is None or self._sequences is None:
            raise Fault("request: expected `write` before it, got none", code="worker/request")
        adapted = self._opened(self._writer).adapted
        if request["do"] == "fill":
            logits = self._sequences.fill(adapted, request["ids"])
        else:
            logits = self._sequences.step(adapted, request["rows"], request["tokens"])
        save_file({"logits": logits.flatten().cpu().contiguous()}, self._writer.folder / "logits.safetensors")
        return 0

    def _score(self, spec: Spec) -> int:
        stop = StopFlag(spec.folder, lambda: self._requests.is_closed)
        try:
            return score(spec, self._ranks, self._events(spec), stop, self._opened)
        finally:
            stop.release()

    def _opened(self, spec: Spec) -> Scored:
        return self._model.of(spec, setting_of(spec, self._ranks, self._events(spec)))

    def _events(self, spec: Spec) -> Events:
        return Events(spec.folder, self._ranks.rank, self._out)
