"""A worker that stays: scores and logits asked of one process, a model under changing adapters, and rows of different lengths."""

import json
import os
import subprocess
import sys
from pathlib import Path

import pytest
import torch
from safetensors.torch import load_file
from transformers import AutoModelForCausalLM

from nextquill_torch.build import Setting
from nextquill_torch.generate import Sequences
from nextquill_torch.kept_model import KeptModel
from nextquill_torch.model import Adapted, open_adapter, open_model
from nextquill_torch.noise import NoiseContext
from nextquill_torch.parallel import Ranks
from nextquill_torch.spec import read_spec
from runs import GOLDEN, RUNS, change, prepare

#: Equal to a pass without a cache, in f32.
LOGITS = 1e-5

MODELS = ["tiny-llama", "tiny-llama3", "tiny-llama-tied", "tiny-qwen2", "tiny-qwen3", "tiny-gemma3", "tiny-gpt2"]


def whole(model, ids) -> torch.Tensor:
    """Logits after the last of the ids, without a cache."""
    with torch.no_grad():
        return model(input_ids=torch.tensor([ids]), use_cache=False).logits[0, -1].float()


def opened(name) -> Adapted:
    model = open_model(str(GOLDEN / name), dtype=torch.float32, attention="sdpa").eval()
    return Adapted(model, model, NoiseContext())


@pytest.mark.parametrize("name", MODELS)
def test_rows_of_different_lengths_are_passes_without_a_cache(name):
    adapted = opened(name)
    plain = AutoModelForCausalLM.from_pretrained(GOLDEN / name, dtype=torch.float32).eval()
    size = plain.config.vocab_size
    texts = [[(7 * i + j) % size for j in range(length)] for i, length in enumerate((3, 13, 8))]
    sequences = Sequences()
    for ids in texts:
        assert torch.allclose(sequences.fill(adapted, ids), whole(plain, ids), atol=LOGITS)
    # One is dropped, one is doubled, and one comes later, behind rows that have grown.
    for rows, tokens, more in (
        ([0, 1, 2], [5, 6, 7], None),
        ([2, 0, 2], [8, 9, 10], [1, 2, 3, 4, 5]),
        ([0, 3, 1, 2], [11, 12, 13, 14], None),
        ([1], [15], None),
    ):
        texts = [[*texts[row], token] for row, token in zip(rows, tokens)]
        for made, ids in zip(sequences.step(adapted, rows, tokens), texts, strict=True):
            assert torch.allclose(made, whole(plain, ids), atol=LOGITS)
        if more is not None:
            sequences.fill(adapted, more)
            texts.append(more)


def test_rows_and_ids_that_are_none_are_refused():
    adapted = opened("tiny-llama")
    sequences = Sequences()
    sequences.fill(adapted, [1, 2])
    for ask in (
        lambda: sequences.step(adapted, [1], [3]),
        lambda: sequences.step(adapted, [], []),
        lambda: sequences.step(adapted, [0], [3, 4]),
        lambda: sequences.fill(adapted, [61]),
        lambda: sequences.fill(adapted, []),
    ):
        with pytest.raises(Exception) as caught:
            ask()
        assert caught.value.code == "worker/request"


def test_one_model_serves_its_base_and_adapters_in_turn(tmp_path):
    base, adapted = prepare("scores-llama", tmp_path), prepare("scores-adapter", tmp_path)
    folder = RUNS / "scores-adapter" / "spec" / "adapter"
    other = tmp_path / "other"
    other.mkdir()
    (other / "adapter_config.json").write_text((folder / "adapter_config.json").read_text())
    from safetensors.torch import save_file

    tensors = load_file(folder / "adapter_model.safetensors")
    save_file({name: -2 * value for name, value in tensors.items()}, other / "adapter_model.safetensors")
    setting = Setting("f32", "sdpa", "replicate", False, 1024)
    ids = torch.tensor([[3, 4, 5]])

    def logits(model) -> torch.Tensor:
        with torch.no_grad():
            return model(input_ids=ids, use_cache=False).logits

    def fresh(adapter) -> torch.Tensor:
        model = open_model(str(GOLDEN / "tiny-llama"), dtype=torch.float32, attention="sdpa").eval()
        return logits(model if adapter is None else open_adapter(model, str(adapter)).whole.eval())

    kept = KeptModel(Ranks("cpu"))
    wanted = {adapter: fresh(adapter) for adapter in (None, folder, other)}
    assert not torch.equal(wanted[None], wanted[folder]) and not torch.equal(wanted[folder], wanted[other])
    for adapter in (None, folder, None, other, None, folder, other):
        run = base if adapter is None else adapted
        change(run, lambda spec: spec.update(adapter=adapter and str(adapter)))
        model = kept.of(read_spec(run), setting).adapted.whole
        assert torch.equal(logits(model), wanted[adapter]), adapter


class Serving:
    """The command as a launcher starts it."""

    def __init__(self, folder: Path):
        (folder / "spec").mkdir(parents=True)
        self.process = subprocess.Popen(
            [sys.executable, "-m", "nextquill_torch", "serve", "--device", "cpu", str(folder)],
            stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True, cwd=Path(__file__).parents[1],
            env={**os.environ, "OMP_NUM_THREADS": "1"},
        )  # fmt: skip

    def ask(self, **request) -> list[dict]:
        """Its events, the answer last."""
        self.process.stdin.write(json.dumps(request) + "\n")
        self.process.stdin.flush()
        events = []
        for line in self.process.stdout:
            events.append(json.loads(line))
            if events[-1]["type"] == "answered":
                break
        return events

    def end(self) -> int:
        self.process.stdin.close()
        return self.process.wait(60)


def test_one_process_answers_many_requests_and_ends_with_its_input(tmp_path):
    runs = [prepare(name, tmp_path) for name in ("scores-llama", "scores-adapter", "scores-prompts")]
    for run in runs[1:]:
        change(run, lambda spec, run=run: spec.update(adapter=str(run / "spec" / "adapter")))
    serving = Serving(tmp_path / "home")
    for run in runs:
        events = serving.ask(do="score", run=str(run))
        assert [event["type"] for event in events] == ["progress", "done", "answered"]
        assert events[-1]["status"] == "done"
        want = json.loads((RUNS / run.name / "expected.json").read_text())["scores"]
        got = load_file(run / "spec" / "scores.safetensors")
        for key, values in want.items():
            assert float((got[key] - torch.tensor(values)).abs().max()) < 1e-4
    writer = prepare("scores-adapter", tmp_path / "writer")
    change(writer, lambda spec: spec.update(task="generate", files={}, adapter=str(runs[1] / "spec" / "adapter")))
    assert serving.ask(do="write", run=str(writer))[-1]["status"] == "done"
    plain = open_adapter(
        open_model(str(GOLDEN / "tiny-llama"), dtype=torch.float32, attention="sdpa").eval(), str(runs[1] / "spec" / "adapter")
    ).whole.eval()

    def logits() -> torch.Tensor:
        return load_file(writer / "spec" / "logits.safetensors")["logits"]

    serving.ask(do="fill", ids=[3, 4, 5])
    assert torch.allclose(logits(), whole(plain, [3, 4, 5]), atol=LOGITS)
    # A score of the base between two tokens of the adapter's text.
    serving.ask(do="score", run=str(runs[0]))
    serving.ask(do="step", rows=[0, 0], tokens=[6, 7])
    assert torch.allclose(logits(), torch.cat([whole(plain, [3, 4, 5, 6]), whole(plain, [3, 4, 5, 7])]), atol=LOGITS)
    assert serving.end() == 0


def test_a_request_that_fails_is_answered_and_ends_the_process(tmp_path):
    serving = Serving(tmp_path / "home")
    answer = serving.ask(do="score", run=str(tmp_path / "nowhere"))[-1]
    assert (answer["status"], answer["code"]) == ("failed", "spec/missing")
    assert serving.end() == 2
