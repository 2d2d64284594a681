"""The check of the PyTorch worker on one GPU, in at most eight minutes: prints one JSON object.

Parity of small runs in f32 against the goldens, the error of bf16, tokens per second padded and packed, memory with and without the
chunked head and the pass without gradient, a run that is killed and resumed, and a plain PyTorch loop on the same work.

Run in the repository: PYTHONPATH=python python bench/torch-gpu.py [--device cuda] [--model FOLDER] [--seconds 480] > result.json
--model: a folder such as SmolLM2-135M's; without it a random Llama of that size is made, which is as good for time and memory.
"""

import argparse
import json
import os
import shutil
import signal
import subprocess
import sys
import tempfile
import time
from pathlib import Path

import torch

ROOT = Path(__file__).parents[1]
RUNS = ROOT / "tests" / "golden" / "torch-runs"
sys.path[:0] = [str(ROOT / "python"), str(ROOT / "python" / "tests")]

import runs  # noqa: E402
from nextquill_torch.doctor import report  # noqa: E402
from nextquill_torch.objective import Groups, loss_of, plan_of  # noqa: E402
from nextquill_torch.parallel import device_of  # noqa: E402
from nextquill_torch.passes import Layout, Scored, batch_of  # noqa: E402
from nextquill_torch.scores import calibration_score, log_probability  # noqa: E402
from nextquill_torch.spec import Pairs, Ragged  # noqa: E402

LORA = {"rank": 16, "loraAlpha": 32, "targetModules": ["q_proj", "k_proj", "v_proj", "o_proj", "gate_proj", "up_proj", "down_proj"]}


class Budget:
    """What is left of the time: parts that do not fit are left out, and named."""

    def __init__(self, seconds: float):
        self.end = time.monotonic() + seconds
        self.left_out: list[str] = []

    def has(self, name: str, seconds: float) -> bool:
        fits = time.monotonic() + seconds < self.end
        if not fits:
            self.left_out.append(name)
        return fits


def parity(device: str) -> dict:
    """Largest difference of loss, and relative difference of the norm, from the TypeScript engine."""
    found = {}
    with tempfile.TemporaryDirectory() as folder:
        for name in ("nextquill", "code-dropout", "js-gradient-masked", "full-code", "gemma3"):
            run = runs.prepare(name, Path(folder), device=device)
            code = subprocess.run([sys.executable, "-m", "nextquill_torch", "work", str(run)], stdout=subprocess.DEVNULL).returncode
            want = json.loads((RUNS / name / "expected.json").read_text())["steps"]
            got = runs.steps_of(run)
            found[name] = {
                "exitCode": code,
                "loss": max(abs(a["loss"] - b["loss"]) for a, b in zip(got, want)),
                "norm": max(abs(a["gradientNorm"] / b["gradientNorm"] - 1) for a, b in zip(got, want)),
                "steps": len(got) == len(want),
            }
    return found


def killed(device: str) -> dict:
    """A worker that is killed after two checkpoints, and started again: its weights against an undisturbed run's."""
    with tempfile.TemporaryDirectory() as folder:
        results = []
        for name, kills in (("whole", False), ("cut", True)):
            run = runs.prepare("average", Path(folder) / name, device=device)
            runs.change(run, lambda spec: spec["checkpoint"].update(every=1))
            command = [sys.executable, "-m", "nextquill_torch", "work", str(run)]
            worker = subprocess.Popen(command, stdout=subprocess.PIPE, text=True)
            for line in worker.stdout:
                if kills and json.loads(line).get("type") == "checkpoint" and json.loads(line)["step"] == 2:
                    worker.send_signal(signal.SIGKILL)
                    break
            worker.wait()
            if kills:
                subprocess.run(command, stdout=subprocess.DEVNULL, check=True)
            results.append(runs.result_of(run))
        worst = max(float((results[0][name] - results[1][name]).abs().max()) for name in results[0])
        return {"largestDifference": worst}


def make_model(folder: Path) -> str:
    from transformers import LlamaConfig, LlamaForCausalLM

    config = LlamaConfig(
        vocab_size=49152, hidden_size=576, intermediate_size=1536, num_hidden_layers=30, num_attention_heads=9,
        num_key_value_heads=3, max_position_embeddings=8192, tie_word_embeddings=True,
    )  # fmt: skip
    torch.manual_seed(0)
    LlamaForCausalLM(config).save_pretrained(folder)
    return str(folder)


def make_pairs(vocabulary: int, count: int = 64) -> Pairs:
    """Histories of 400 to 1,200 tokens, queries of 40, responses of 60 to 160."""
    random = torch.Generator().manual_seed(0)

    def ids(least: int, most: int) -> torch.Tensor:
        size = int(torch.randint(least, most + 1, (), generator=random))
        return torch.randint(3, vocabulary, (size,), generator=random, dtype=torch.int32)

    queries = [ids(40, 40) for _ in range(count)]
    rows = [torch.cat([ids(400, 1200), query]) for query in queries]
    ragged = lambda lists: Ragged(torch.cat(lists), torch.tensor([0, *map(len, lists)]).cumsum(0))  # noqa: E731
    return Pairs(ragged(rows), ragged(queries), ragged([ids(60, 160) for _ in range(count)]), torch.ones(count, dtype=torch.bool), None)


def scored_model(path: str, device: torch.device, dtype: torch.dtype, attention: str, *, chunk: int = 1024, recompute: bool = False) -> Scored:
    from nextquill_torch.build import compute_layers_again
    from nextquill_torch.model import open_model, with_adapter

    adapted = with_adapter(open_model(path, dtype=dtype, attention=attention), LORA, None)
    torch.manual_seed(1)
    with torch.no_grad():
        for name, parameter in adapted.trained.items():
            parameter.copy_(torch.randn(parameter.shape) * 0.02)
    if recompute:
        compute_layers_again(adapted)
    return Scored(adapted, chunk=chunk).to(device)


def peak(device: torch.device, work) -> int | None:
    if device.type != "cuda":
        work()
        return None
    torch.cuda.empty_cache()
    torch.cuda.reset_peak_memory_stats(device)
    work()
    return torch.cuda.max_memory_allocated(device)


def step_of(scored: Scored, plan, batch) -> float:
    for parameter in scored.adapted.trained.values():
        parameter.grad = None
    groups = Groups(batch.example_of, batch.has_history, len(batch.has_history))
    loss, _ = loss_of(plan, scored(batch, plan.scores, plan), groups)
    loss.backward()
    return float(loss.detach())


def plain_step(scored: Scored, plan, batch) -> float:
    """The same loss as a careful loop without our passes has it: all logits of both prompts at once, gradients through both."""
    for parameter in scored.adapted.trained.values():
        parameter.grad = None
    rows, tokens = {}, {}
    for name, side in batch.sides.items():
        logits = scored.adapted.whole(input_ids=side.ids, use_cache=False).logits.float()
        rows[name] = logits.reshape(-1, logits.shape[-1])[side.rows]
        tokens[name] = log_probability(rows[name], batch.targets)
    spread = plan.options["strengthSpread"]
    tokens["calibration"] = calibration_score(rows["withHistory"], rows["withoutHistory"], batch.targets, spread)
    groups = Groups(batch.example_of, batch.has_history, len(batch.has_history))
    loss, _ = loss_of(plan, tokens, groups)
    loss.backward()
    return float(loss.detach())


def speed(device: torch.device, work, tokens: int, seconds: float = 6.0) -> dict:
    def wait() -> None:
        if device.type == "cuda":
            torch.cuda.synchronize(device)

    for _ in range(2):
        work()
    wait()
    began, count = time.monotonic(), 0
    while time.monotonic() - began < seconds:
        work()
        wait()
        count += 1
    return {"steps": count, "tokensPerSecond": count * tokens / (time.monotonic() - began)}


def measure(path: str, device: torch.device, budget: Budget) -> dict:
    plan = plan_of("nextquill")
    found: dict[str, dict] = {}
    vocabulary = json.loads((Path(path) / "config.json").read_text())["vocab_size"]
    pairs = make_pairs(vocabulary)
    examples = list(range(8))
    wanted = ("withHistory", "withoutHistory")
    scores = {}
    cases = [
        ("f32, padded", torch.float32, "sdpa", {}, False),
        ("bf16, padded", torch.bfloat16, "sdpa", {}, False),
        ("bf16, all logits at once", torch.bfloat16, "sdpa", {"chunk": 10**9}, False),
        ("bf16, layers computed again", torch.bfloat16, "sdpa", {"recompute": True}, False),
        ("bf16, packed, flex", torch.bfloat16, "flex", {}, True),
        ("bf16, packed, flash", torch.bfloat16, "flash", {}, True),
    ]
    for name, dtype, attention, options, packing in cases:
        if not budget.has(name, 40):
            continue
        try:
            scored = scored_model(path, device, dtype, attention, **options)
            batch = batch_of(pairs, examples, wanted, Layout(0, device, packing))
            with torch.no_grad():
                scores[name] = {key: value.cpu() for key, value in scored(batch, wanted).items()}
            entry: dict = {"loss": step_of(scored, plan, batch)}
            entry["peakBytes"] = peak(device, lambda: step_of(scored, plan, batch))
            entry |= speed(device, lambda: step_of(scored, plan, batch), batch.tokens)
            if name == "bf16, padded" and budget.has("plain loop", 30):
                entry["plainLoop"] = {"peakBytes": peak(device, lambda: plain_step(scored, plan, batch))}
                entry["plainLoop"] |= {"loss": plain_step(scored, plan, batch)} | speed(device, lambda: plain_step(scored, plan, batch), batch.tokens)
            found[name] = entry
        except Exception as cause:
            found[name] = {"error": f"{type(cause).__name__}: {cause}"[:300]}
    reference = scores.get("f32, padded")
    for name, values in scores.items():
        if reference is None or name == "f32, padded":
            continue
        ratio = lambda of: of["withHistory"] - of["withoutHistory"]  # noqa: E731
        difference = (ratio(values) - ratio(reference)).abs()
        found[name]["logRatioError"] = {"mean": float(difference.mean()), "largest": float(difference.max())}
    return found


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--device", default="auto")
    parser.add_argument("--model")
    parser.add_argument("--seconds", type=float, default=480)
    given = parser.parse_args()
    os.environ["PYTHONPATH"] = str(ROOT / "python")
    budget = Budget(given.seconds)
    device = device_of(given.device, 0)
    result: dict = {"doctor": report(), "device": device.type}
    result["parity"] = parity(device.type) if budget.has("parity", 60) else None
    result["killed"] = killed(device.type) if budget.has("killed", 60) else None
    folder = Path(tempfile.mkdtemp())
    try:
        result["speed"] = measure(given.model or make_model(folder), device, budget)
    finally:
        shutil.rmtree(folder, ignore_errors=True)
    result["leftOut"] = budget.left_out
    print(json.dumps(result))


if __name__ == "__main__":
    main()
