"""Two and three processes over gloo, replicated and sharded: the same steps as TypeScript's engine, whatever dies in between."""

import json
import multiprocessing
import os
import random
import signal
import time

import pytest
import torch
import torch.distributed as dist

from nextquill_torch.events import StopFlag
from nextquill_torch.parallel import Ranks, dealt, regrouped
from processes import run_all, start, wait
from runs import RUNS, change, check_result, check_steps, prepare, result_of, steps_of


@pytest.mark.parametrize(
    ("name", "world", "compute"),
    [
        ("code-dropout", 2, {}),
        ("full-code", 2, {}),
        ("js-gradient-masked", 2, {"tokensPerMicrobatch": 20}),
        ("average", 2, {}),
        ("user-specific", 2, {}),
        ("preference", 2, {}),
        ("evaluated", 3, {}),
        ("paper-anchor", 3, {"recompute": True}),
        ("code-dropout", 2, {"parallel": "shard"}),
        ("code-dropout", 3, {"parallel": "shard", "recompute": True, "chunk": 5}),
        ("full-code", 2, {"parallel": "shard"}),
        ("full-anchor", 2, {"parallel": "shard"}),
        ("paper-anchor", 2, {"parallel": "shard"}),
        ("average", 2, {"parallel": "shard"}),
        ("evaluated", 2, {"parallel": "shard"}),
        ("gpt2", 2, {"parallel": "shard"}),
    ],
    ids=str,
)
def test_processes_make_the_steps_of_one(name, world, compute, tmp_path):
    run = prepare(name, tmp_path, **compute)
    run_all(run, world)
    check_steps(name, steps_of(run))
    check_result(name, run)
    end = json.loads((run / "spec" / "end.json").read_text())
    assert (end["status"], end["record"]["processes"]) == ("done", world)
    assert end["record"]["parallel"] == compute.get("parallel", "replicate")
    kinds = [json.loads(line)["type"] for line in (run / "spec" / "events.jsonl").read_text().splitlines()]
    assert kinds.count("step") == len(steps_of(run))


def _kill_at(step: int, victim: int):
    """Ends a process with SIGKILL when it is about to be told whether to stop in a step."""

    def prepare_process(rank: int) -> None:
        seen = iter(range(1, 1000))
        unpatched = StopFlag.is_set

        def is_set(self):
            if rank == victim and next(seen) == step:
                os.kill(os.getpid(), signal.SIGKILL)
            return unpatched(self)

        StopFlag.is_set = is_set

    return prepare_process


@pytest.mark.parametrize("parallel", ["replicate", "shard"])
def test_a_killed_process_costs_nothing_but_time(parallel, tmp_path):
    whole = prepare("code-dropout", tmp_path / "whole", parallel=parallel)
    change(whole, lambda spec: spec["checkpoint"].update(every=2))
    run_all(whole, 2)
    run = prepare("code-dropout", tmp_path / "cut", parallel=parallel)
    change(run, lambda spec: spec["checkpoint"].update(every=2))
    # Three, one and two steps into what is left, each process in turn; torchrun ends the other one as well.
    for step, victim in ((4, 1), (1, 0), (2, 1)):
        processes = start(run, 2, _kill_at(step, victim))
        processes[victim].join(120)
        assert processes[victim].exitcode == -signal.SIGKILL
        processes[1 - victim].kill()
        wait(processes)
        assert not (run / "spec" / "end.json").exists()
    run_all(run, 2)
    assert [step["step"] for step in steps_of(run)] == [step["step"] for step in steps_of(whole)]
    a, b = result_of(run), result_of(whole)
    assert all(torch.equal(a[name], b[name]) for name in b)


def _rest_in_each_step(_: int) -> None:
    unpatched = StopFlag.is_set

    def is_set(self):
        time.sleep(0.15)
        return unpatched(self)

    StopFlag.is_set = is_set


def _wait_until(is_so) -> None:
    end = time.monotonic() + 120
    while not is_so():
        assert time.monotonic() < end
        time.sleep(0.01)


def test_killed_at_five_random_moments_the_weights_are_those_of_an_undisturbed_run(tmp_path):
    calm, run = (prepare("code-dropout", tmp_path / name, parallel="replicate") for name in ("calm", "killed"))
    for each in (calm, run):
        change(each, lambda spec: spec["checkpoint"].update(every=2))
    run_all(calm, 2)
    draws = random.Random(15)
    events = run / "spec" / "events.jsonl"
    reached = []
    for attempt in range(5):
        processes = start(run, 2, _rest_in_each_step)
        _wait_until(lambda: events.exists() and events.read_text().count('"started"') > attempt)
        first = len(steps_of(run))
        steps = draws.randrange(3)
        _wait_until(lambda: len(steps_of(run)) >= first + steps)
        # Anywhere in a step, its log, a checkpoint or the rest.
        time.sleep(draws.uniform(0, 0.2))
        victim = draws.randrange(2)
        os.kill(processes[victim].pid, signal.SIGKILL)
        processes[victim].join(60)
        assert processes[victim].exitcode == -signal.SIGKILL
        # As torchrun does with the rest.
        processes[1 - victim].kill()
        wait(processes)
        reached.append(len(steps_of(run)))
    assert not (run / "spec" / "end.json").exists() and reached[-1] > 0
    run_all(run, 2)
    told = ("step", "epoch", "loss", "parts", "learningRate", "gradientNorm", "examples", "tokens")
    assert [[step[key] for key in told] for step in steps_of(run)] == [[step[key] for key in told] for step in steps_of(calm)]
    made, wanted = result_of(run), result_of(calm)
    assert set(made) == set(wanted) and all(torch.equal(made[name], wanted[name]) for name in wanted)


def test_two_one_and_three_processes_continue_one_run(tmp_path):
    run = prepare("nextquill", tmp_path)
    for world, steps, parallel in ((2, 2, "shard"), (1, 1, "replicate"), (3, 1, "replicate")):
        change(run, lambda spec, parallel=parallel: spec["compute"].update(parallel=parallel))

        def stop_after(rank, steps=steps):
            flags = iter([False] * (steps - 1))
            StopFlag.is_set = lambda self: rank == 0 and next(flags, True)

        run_all(run, world, stop_after)
        end = run / "spec" / "end.json"
        assert json.loads(end.read_text())["status"] == "stopped"
        end.unlink()
    run_all(run, 2)
    check_steps("nextquill", steps_of(run))
    check_result("nextquill", run)


def test_the_stop_file_and_a_signal_to_any_process_stop_all_after_the_same_step(tmp_path):
    run = prepare("nextquill", tmp_path)
    (run / "spec" / "stop").touch()
    run_all(run, 2)
    end = json.loads((run / "spec" / "end.json").read_text())
    assert (end["status"], end["step"]) == ("stopped", 1)
    (run / "spec" / "end.json").unlink()
    (run / "spec" / "stop").unlink()

    def signalled(rank):
        unpatched = StopFlag.is_set

        def is_set(self):
            if rank == 1:
                os.kill(os.getpid(), signal.SIGTERM)
            return unpatched(self)

        StopFlag.is_set = is_set

    run_all(run, 2, signalled)
    end = json.loads((run / "spec" / "end.json").read_text())
    assert end["status"] == "stopped" and end["step"] in (2, 3)
    assert (run / "checkpoints" / f"step-{end['step']}" / "state.json").exists()


def test_a_run_that_has_ended_ends_at_once(tmp_path):
    run = prepare("nextquill", tmp_path)
    (run / "spec" / "end.json").write_text('{"status": "failed", "code": "training/nan-loss"}')
    run_all(run, 2)
    assert not (run / "steps.jsonl").exists()


def test_microbatches_are_dealt_and_cut():
    microbatches = [[0, 1], [2, 3], [4]]
    assert [dealt(microbatches, rank, 2) for rank in range(2)] == [[[0, 1], [4]], [[2, 3]]]
    for world in range(1, 7):
        shares = [dealt(microbatches, rank, world) for rank in range(world)]
        assert sorted(example for share in shares for row in share for example in row) == [0, 1, 2, 3, 4]
        assert sum(map(bool, shares)) == min(world, 5)
    assert regrouped([0, 1, 2, 3], [10, 4, 5, 4], 10) == [[0], [2, 1], [3]]


def test_every_golden_run_is_here():
    assert len(list(RUNS.iterdir())) >= 17


def _join(rank: int, attempt: int, port: int, seconds: float) -> None:
    os.environ.update(
        RANK=str(rank), LOCAL_RANK=str(rank), WORLD_SIZE="2", LOCAL_WORLD_SIZE="2", MASTER_ADDR="127.0.0.1", MASTER_PORT=str(port),
        TORCHELASTIC_USE_AGENT_STORE="True", TORCHELASTIC_RESTART_COUNT=str(attempt),
    )  # fmt: skip
    time.sleep(seconds)
    found = Ranks("cpu").sums([1.0])
    # As killed: nothing is closed.
    os._exit(0 if found == [2.0] else 1)


def test_processes_that_are_started_again_find_each_other_and_not_those_that_died():
    # Restarts hung or failed with "connection refused": a process read the address of its neighbour's predecessor out of the
    # store of torchrun, which is one for all restarts.
    store = dist.TCPStore("127.0.0.1", 0, is_master=True, wait_for_workers=False)
    context = multiprocessing.get_context("fork")
    for attempt in range(3):
        # The second process comes late enough for the first to look before it.
        joining = [context.Process(target=_join, args=(rank, attempt, store.port, attempt * rank * 1.0)) for rank in range(2)]
        for process in joining:
            process.start()
        assert wait(joining, 60) == [0, 0], attempt
