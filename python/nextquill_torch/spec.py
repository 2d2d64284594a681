"""RUN/spec: run.json and the files that it names, read with every claim checked (README.md describes them)."""

import hashlib
import json
from collections.abc import Mapping
from dataclasses import dataclass
from functools import cached_property
from pathlib import Path

import torch
from safetensors import SafetensorError, safe_open
from torch import Tensor

from . import schema
from .faults import SpecFault
from .objective import TABLE, Plan, checked_plan, resolve_options


@dataclass(frozen=True)
class Ragged:
    """Rows of different lengths in one tensor."""

    values: Tensor
    offsets: Tensor

    def __len__(self) -> int:
        return len(self.offsets) - 1

    def row(self, index: int) -> Tensor:
        return self.values[self.offsets[index] : self.offsets[index + 1]]

    @cached_property
    def lengths(self) -> Tensor:
        return self.offsets.diff()


@dataclass(frozen=True)
class Pairs:
    """Both prompts, and the one response that follows either."""

    with_history: Ragged
    without_history: Ragged
    response: Ragged
    #: bool[P].
    has_history: Tensor
    #: bool[response values], or None where every response token is fitted.
    fitted: Tensor | None
    #: bool[response values], which stand in runs that the shown history holds; where the objective asks.
    copied: Tensor | None = None
    #: Prompts with other users' histories by the names of their passes, and bool[P], which pairs have them; where the objective compares.
    others: Mapping[str, Ragged] | None = None
    is_compared: Tensor | None = None

    def __len__(self) -> int:
        return len(self.response)


@dataclass(frozen=True)
class HeldOut:
    """Rows that a run measures its loss on."""

    prompts: Ragged
    responses: Ragged
    #: bool[response values].
    fitted: Tensor
    #: A number for the user of each row.
    users: list[int]


@dataclass(frozen=True)
class StepPlan:
    """One step: its microbatches of rows of pairs."""

    epoch: int
    microbatches: list[list[int]]
    learning_rate: float
    effect_scale: float

    @property
    def examples(self) -> int:
        return sum(map(len, self.microbatches))


#: What `compute` is where it says nothing.
COMPUTE = {
    "device": "auto",
    "dtype": "f32",
    "parallel": "auto",
    "attention": "auto",
    "packing": False,
    "tokensPerMicrobatch": None,
    "chunk": 1024,
    "recompute": False,
    "deterministic": False,
    "threads": None,
}


class Spec:
    """A spec folder whose files are what run.json says; tensors are mapped when they are asked for."""

    def __init__(self, run: Path, content: dict):
        self.run = run
        self.folder = run / "spec"
        self.content = content
        self.task: str = content["task"]
        self.model: Mapping = content["model"]
        self.recipe: Mapping = content.get("recipe", {})
        self.compute = {**COMPUTE, **content["compute"]}

    def has(self, name: str) -> bool:
        return name in self.content["files"]

    def tensors(self, name: str) -> dict[str, Tensor]:
        return read_tensors(self.folder / name)

    @cached_property
    def plan(self) -> Plan:
        """The objective; what follows from its rules must be what the spec says."""
        rules = self.content["objective"]
        options = resolve_options(self.recipe["objectiveOptions"])
        preference = rules.get("preference", False)
        row = TABLE["objectives"].get(self.recipe["objective"])
        if row is not None and row["preference"] != preference:
            raise SpecFault(
                f"run.json: objective.preference: expected {json.dumps(row['preference'])}, as {self.recipe['objective']} has it, "
                f"got {json.dumps(preference)}",
                code="spec/objective",
                hint="Install the nextquill-torch of the same version as NextQuill.",
            )
        estimator = self.content["estimator"]["kind"]
        plan = checked_plan(rules["fit"], rules["weights"], rules["difference"], options, estimator, preference)
        for key, derived in (("passes", plan.passes), ("gradientWithoutHistory", plan.gradient_without_history)):
            if rules[key] != derived:
                raise SpecFault(
                    f"run.json: objective.{key}: expected {json.dumps(derived)}, which follows from the rules and options, "
                    f"got {json.dumps(rules[key])}",
                    code="spec/objective",
                    hint="Install the nextquill-torch of the same version as NextQuill.",
                )
        return plan

    @cached_property
    def pairs(self) -> Pairs:
        name = "pairs.safetensors"
        tensors = self.tensors(name)
        response = self._ragged(name, tensors, "response")
        sides = [self._ragged(name, tensors, side) for side in ("withHistory", "withoutHistory")]
        has_history = self._column(name, tensors, "hasHistory", torch.uint8, len(response)).bool()
        for side in sides:
            if len(side) != len(response):
                raise self._fault(name, "withHistory", f"{len(response)} rows, as the responses have", len(side))
            if len(side) > 0 and int(side.lengths.min()) == 0:
                raise self._fault(name, "prompts", "at least one token each", "an empty one")
        fitted = tensors.get("fitted")
        if fitted is not None:
            fitted = self._column(name, tensors, "fitted", torch.uint8, len(response.values)).bool()
            ends = torch.cat([torch.zeros(1, dtype=torch.long), fitted.long().cumsum(0)])[response.offsets]
            if bool((ends.diff() == 0).any()):
                raise self._fault(name, "fitted", "a fitted token in each response", "a response without one")
        elif len(response) > 0 and int(response.lengths.min()) == 0:
            raise self._fault(name, "response", "at least one token each", "an empty one")
        if self.task != "train":
            return Pairs(*sides, response, has_history, fitted)
        copied = None
        if self.plan.needs_copied:
            copied = self._column(name, tensors, "copied", torch.uint8, len(response.values)).bool()
        if self.plan.needs_others == 0:
            return Pairs(*sides, response, has_history, fitted, copied)
        others = {key: self._ragged(name, tensors, key) for key in self.plan.other_passes}
        is_compared = self._column(name, tensors, "isCompared", torch.uint8, len(response)).bool()
        for key, other in others.items():
            if len(other) != len(response) or int(other.lengths.min()) == 0:
                raise self._fault(name, key, f"{len(response)} rows of at least one token each", "others")
        return Pairs(*sides, response, has_history, fitted, copied, others, is_compared)

    @cached_property
    def steps(self) -> list[StepPlan]:
        name = "plan.safetensors"
        tensors = self.tensors(name)
        total = self.content["totalSteps"]
        rows = len(tensors["step"]) if "step" in tensors else 0
        step, epoch, microbatch, example = (
            self._column(name, tensors, key, torch.int32, rows).tolist() for key in ("step", "epoch", "microbatch", "example")
        )
        rate, scale = (self._column(name, tensors, key, torch.float64, total) for key in ("learningRate", "effectScale"))
        if not bool((torch.isfinite(rate) & (rate >= 0)).all()) or not bool(torch.isfinite(scale).all()):
            raise self._fault(name, "learningRate", "finite numbers of at least 0", "others")
        if example and not 0 <= min(example) <= max(example) < len(self.pairs):
            raise self._fault(name, "example", f"rows of {len(self.pairs)} pairs", f"{min(example)} … {max(example)}")
        grouped: list[dict[int, list[int]]] = [{} for _ in range(total)]
        epochs = [0] * total
        before = 1
        for at, (number, row) in enumerate(zip(step, example)):
            if not before <= number <= total:
                raise self._fault(name, f"step[{at}]", f"{before} … {total}, ascending", number)
            before = number
            epochs[number - 1] = epoch[at]
            grouped[number - 1].setdefault(microbatch[at], []).append(row)
        empty = next((i + 1 for i, microbatches in enumerate(grouped) if not microbatches), None)
        if empty is not None:
            raise self._fault(name, "step", f"examples for each of {total} steps", f"none for step {empty}")
        return [
            StepPlan(epochs[i], [microbatches[key] for key in sorted(microbatches)], float(rate[i]), float(scale[i]))
            for i, microbatches in enumerate(grouped)
        ]

    def estimates(self, names: tuple[str, ...]) -> dict[str, Tensor] | None:
        """Numbers of all response tokens by name, f32; None where the worker has to compute them."""
        name = "estimates.safetensors"
        if not self.has(name) and not (self.folder / name).exists():
            return None
        tensors = self.tensors(name)
        count = len(self.pairs.response.values)
        found = {key: self._column(name, tensors, key, torch.float32, count) for key in names}
        for key, values in found.items():
            if not bool(torch.isfinite(values).all()):
                raise self._fault(name, key, "finite numbers", "others")
        return found

    def placebos(self) -> tuple[Ragged, Tensor]:
        """Prompts with other users' histories, and the pair of each."""
        name = "placebos.safetensors"
        if not self.has(name):
            raise SpecFault(
                f"{self.folder / name}: expected other users' histories, for weightsFrom userSpecific, got none",
                code="spec/missing",
                hint=schema.HINT,
            )
        tensors = self.tensors(name)
        prompts = self._ragged(name, tensors, "prompt")
        pair = self._column(name, tensors, "pair", torch.int32, len(prompts)).long()
        if len(pair) > 0 and not 0 <= int(pair.min()) <= int(pair.max()) < len(self.pairs):
            raise self._fault(name, "pair", f"rows of {len(self.pairs)} pairs", "others")
        return prompts, pair

    @cached_property
    def validation(self) -> "HeldOut | None":
        """Held-out rows, where the run measures its loss on them."""
        name = "validation.safetensors"
        if self.recipe.get("evalEvery", 0) == 0 or not self.has(name):
            return None
        prompts, responses, tensors = self.prompts(name)
        users = self._column(name, tensors, "user", torch.int32, len(prompts))
        fitted = torch.ones(len(responses.values), dtype=torch.bool)
        if "fitted" in tensors:
            fitted = self._column(name, tensors, "fitted", torch.uint8, len(responses.values)).bool()
        return HeldOut(prompts, responses, fitted, users.tolist())

    def prompts(self, name: str) -> tuple[Ragged, Ragged, dict[str, Tensor]]:
        """Prompts, their responses, and the other tensors of a file."""
        tensors = self.tensors(name)
        prompts, responses = (self._ragged(name, tensors, key) for key in ("prompt", "response"))
        if len(prompts) != len(responses):
            raise self._fault(name, "prompt", f"{len(responses)} rows, as the responses have", len(prompts))
        return prompts, responses, tensors

    def column(self, name: str, tensors: Mapping[str, Tensor], key: str, dtype: torch.dtype, length: int) -> Tensor:
        return self._column(name, tensors, key, dtype, length)

    def _ragged(self, name: str, tensors: Mapping[str, Tensor], key: str) -> Ragged:
        values, offsets = (tensors.get(f"{key}.{part}") for part in ("values", "offsets"))
        if values is None or offsets is None or values.dtype != torch.int32 or offsets.dtype != torch.int64:
            raise self._fault(name, key, f"{key}.values I32 and {key}.offsets I64", "others")
        is_list = offsets.ndim == 1 and len(offsets) > 0 and values.ndim == 1
        if not is_list or int(offsets[0]) != 0 or int(offsets[-1]) != len(values) or bool((offsets.diff() < 0).any()):
            raise self._fault(name, f"{key}.offsets", f"0 … {len(values)}, ascending", "others")
        vocabulary = self.model["vocabularySize"]
        if len(values) > 0 and not 0 <= int(values.min()) <= int(values.max()) < vocabulary:
            raise self._fault(name, f"{key}.values", f"token ids below {vocabulary}", f"{int(values.min())} … {int(values.max())}")
        return Ragged(values, offsets)

    def _column(self, name: str, tensors: Mapping[str, Tensor], key: str, dtype: torch.dtype, length: int) -> Tensor:
        tensor = tensors.get(key)
        if tensor is None or tensor.dtype != dtype or tensor.shape != (length,):
            got = "none" if tensor is None else f"{tensor.dtype} {list(tensor.shape)}"
            raise self._fault(name, key, f"{dtype} [{length}]", got)
        return tensor

    def _fault(self, name: str, key: str, expected: str, got: object) -> SpecFault:
        return SpecFault(f"{self.folder / name}: {key}: expected {expected}, got {got}", code="spec/content", hint=schema.HINT)


def read_spec(run: Path) -> Spec:
    """The spec of a run, checked against its schema, and each of its files against size and hash."""
    path = run / "spec" / "run.json"
    try:
        content = json.loads(path.read_text())
    except FileNotFoundError:
        raise SpecFault(f"{path}: expected a RunSpec, got none", code="spec/missing", hint=schema.HINT) from None
    except ValueError as cause:
        raise SpecFault(f"{path}: expected JSON, got {cause}", code="spec/invalid", hint=schema.HINT) from None
    schema.check(content, schema.run_spec_schema())
    for name, record in content["files"].items():
        file = path.parent / name
        size = file.stat().st_size if file.exists() else None
        if size != record["bytes"]:
            got = "no file" if size is None else size
            raise SpecFault(f"{file}: expected {record['bytes']} bytes, got {got}", code="spec/changed", hint=schema.HINT)
        if sha256_of(file) != record["sha256"]:
            raise SpecFault(
                f"{file}: expected content of hash {record['sha256'][:12]}…, got another", code="spec/changed", hint=schema.HINT
            )
    return Spec(run, content)


def read_tensors(path: Path) -> dict[str, Tensor]:
    """All tensors of a safetensors file, mapped."""
    try:
        with safe_open(path, framework="pt") as file:
            return {key: file.get_tensor(key) for key in file.keys()}
    except FileNotFoundError:
        raise SpecFault(f"{path}: expected a file, got none", code="spec/missing", hint=schema.HINT) from None
    except SafetensorError as cause:
        raise SpecFault(f"{path}: expected a safetensors file, got {cause}", code="spec/changed", hint=schema.HINT) from None


def sha256_of(path: Path) -> str:
    with path.open("rb") as file:
        return hashlib.file_digest(file, "sha256").hexdigest() if hasattr(hashlib, "file_digest") else _digest(file)


def _digest(file) -> str:
    found = hashlib.sha256()
    while piece := file.read(1 << 20):
        found.update(piece)
    return found.hexdigest()
