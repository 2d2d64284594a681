"""steps.jsonl: one line a step, appended; cut back to a checkpoint when a run continues from there (src/method/runs/step-log.ts)."""

import json
import os
from pathlib import Path

#: What every line has; a line without is damaged.
NUMBERS = (
    *("step", "epoch", "loss", "learningRate", "gradientNorm", "examples", "tokens"),
    *("seconds", "tokensPerSecond", "peakMemoryBytes"),
)


class StepLog:
    """The log of a run, opened at its end."""

    def __init__(self, run: Path):
        self.path = run / "steps.jsonl"
        self._file = self.path.open("ab", buffering=0)

    def append(self, line: dict) -> None:
        start = self._file.seek(0, os.SEEK_END)
        rest = (json.dumps(line) + "\n").encode()
        try:
            while rest:
                rest = rest[self._file.write(rest) :]
        except OSError:
            # Part of the line may have found room.
            self._file.truncate(start)
            raise

    def replace_last(self, line: dict) -> None:
        """Writes `line` in the place of the last line."""
        text = self.path.read_bytes()
        self._file.truncate(text[:-1].rfind(b"\n") + 1)
        self.append(line)

    def sync(self) -> None:
        """So that no checkpoint is ever ahead of the log."""
        os.fsync(self._file.fileno())

    def close(self) -> None:
        self._file.close()


def cut_step_log(run: Path, step: int) -> list[dict]:
    """Cuts the log back to the lines of steps 1 … `step`; a torn last line goes too. Returns the lines kept."""
    path = run / "steps.jsonl"
    text = path.read_bytes() if path.exists() else b""
    lines: list[dict] = []
    length = 0
    while len(lines) < step:
        end = text.find(b"\n", length)
        line = _parse(text[length:end]) if end >= 0 else None
        if line is None or line["step"] != len(lines) + 1:
            break
        lines.append(line)
        length = end + 1
    if length != len(text) or not path.exists():
        temporary = path.with_name("steps.jsonl.cut.tmp")
        with temporary.open("wb") as file:
            file.write(text[:length])
            file.flush()
            os.fsync(file.fileno())
        temporary.replace(path)
    return lines


def _parse(text: bytes) -> dict | None:
    try:
        line = json.loads(text)
    except ValueError:
        return None
    if not isinstance(line, dict) or not all(_is_number(line.get(name)) for name in NUMBERS):
        return None
    return line if "validationLoss" not in line or _is_number(line["validationLoss"]) else None


def _is_number(value: object) -> bool:
    return isinstance(value, (int, float)) and not isinstance(value, bool)
