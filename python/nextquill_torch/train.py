"""The loop: steps of microbatches, log, checkpoints, result. Order, rates and first values are the spec's; see src/method/runs/run.ts."""

import errno
import math
import time
from collections.abc import Sequence
from pathlib import Path

import torch

from .best_step import with_evaluation
from .build import Setting, build_training, layout_of, setting_of, shard
from .checkpoint import BEST, CHECKPOINTS, find_newest, prune_best, prune_checkpoints
from .checkpoint import restore_best, restore_checkpoint, write_best, write_checkpoint
from .estimate import given_estimates, of_fitted, score_pairs, score_prompts
from .events import Events, StopFlag, write_end
from .faults import Fault
from .files import remove_temporaries
from .objective import Groups, loss_of
from .parallel import Ranks, dealt, regrouped
from .passes import Scored, batch_of
from .result import peak_memory, record_of, save_result, summarise
from .spec import Spec, StepPlan
from .state import TrainedState
from .step_log import StepLog, cut_step_log


class Training:
    """A run with everything that its steps need."""

    def __init__(self, spec: Spec, ranks: Ranks, events: Events):
        self.spec, self.ranks, self.events = spec, ranks, events
        self.run = spec.run
        self.total = spec.content["totalSteps"]
        self.plan = spec.plan
        # Whatever is wrong with the spec is told before the model is opened.
        self.steps, _ = spec.steps, spec.validation
        self.parts = ["crossEntropy", "weightedCrossEntropy"]
        self.parts += ["preference"] if self.plan.preference else []
        self.parts += ["logitDifference"] if self.plan.difference != "none" else []
        self.parts += ["calibration"] if "calibration" in self.plan.effect_losses else []
        self.parts += ["effectTargets"] if "targets" in self.plan.effect_losses else []
        self.parts += ["contrast"] if self.plan.contrasts else []
        self.parts += ["anchor"] if self.plan.needs_anchor else []
        self.setting: Setting = setting_of(spec, ranks, events)
        self.layout = layout_of(spec, ranks, self.setting)
        self.scored: Scored = build_training(spec, ranks, self.setting)
        self.given = given_estimates(self.scored, spec, self.setting, ranks, events)
        if self.plan.needs_copied:
            self.given = {**self.given, "copied": spec.pairs.copied}
        if self.setting.parallel == "shard":
            shard(self.scored, ranks, self.setting)
        self.state = TrainedState(
            self.scored.adapted.trained, ranks, spec.recipe, averages=self.plan.estimator == "moving-average"
        )
        lora = spec.recipe.get("lora") or {}
        self.drops = lora.get("dropout", 0) > 0

    def share(self, examples: Sequence[int], number: int, step: StepPlan, factor: float) -> list[float]:
        """Runs a microbatch, adds its gradients, and returns its share of the loss and its parts, and its tokens."""
        noise = (self.spec.recipe["seed"], number) if self.drops else None
        batch = batch_of(self.spec.pairs, examples, self.plan.pass_names, self.layout, noise)
        given = of_fitted(self.spec, self._estimates(examples), examples, self.layout.device)
        tokens = self.scored(batch, self.plan.scores, self.plan)
        groups = Groups(batch.example_of, batch.has_history, step.examples, batch.is_compared)
        loss, parts = loss_of(self.plan, tokens, groups, given, step.effect_scale)
        (loss * factor).backward()
        if factor == 0:
            return [0.0] * (len(self.parts) + 2)
        return [float(loss.detach()), *(float(parts[name].detach()) for name in self.parts), float(batch.tokens)]

    def _estimates(self, examples: Sequence[int]) -> dict[str, torch.Tensor]:
        """Given ones, and those of the moving average as it is now."""
        if self.plan.estimator != "moving-average" or not self.plan.needs_estimate:
            return self.given
        self.state.swap_average()
        alone = _Alone()
        found = score_pairs(self.scored, self.spec, self.setting, alone, lambda *_: None, examples)
        self.state.swap_average()
        return {**found, **self.given}

    def take(self, number: int) -> list[float]:
        """The gradients of a step, and this process's shares: loss, parts, tokens."""
        step = self.steps[number - 1]
        microbatches = step.microbatches
        limit = self.spec.compute["tokensPerMicrobatch"]
        if limit is not None:
            pairs = self.spec.pairs
            examples = [example for microbatch in microbatches for example in microbatch]
            lengths = {i: int(pairs.with_history.lengths[i] + pairs.response.lengths[i]) for i in examples}
            microbatches = regrouped(examples, lengths, limit)
        mine = dealt(microbatches, self.ranks.rank, self.ranks.world)
        self.state.clear_gradients()
        sums = [0.0] * (len(self.parts) + 2)
        # FSDP2 averages over processes, and every one must take part in each gathering: idle ones run a microbatch of share 0.
        factor = float(self.ranks.world) if self.state.is_sharded else 1.0
        if self.state.is_sharded:
            most = max(len(dealt(microbatches, rank, self.ranks.world)) for rank in range(self.ranks.world))
            ghosts = most - len(mine)
        else:
            ghosts = 0
        for examples in mine:
            shares = self.share(examples, number, step, factor)
            sums = [a + b for a, b in zip(sums, shares)]
        for _ in range(ghosts):
            self.share(step.microbatches[0][:1], number, step, 0.0)
        return sums

    def validation_loss(self) -> float:
        """Mean over users of the mean negative log-likelihood of a response token with the history, nats."""
        held_out = self.spec.validation
        offsets = held_out.responses.offsets
        scores = score_prompts(
            self.scored, self.spec, self.setting, self._scoring_ranks(), lambda *_: None, held_out.prompts, held_out.responses
        )
        by_user: dict[int, list[float]] = {}
        for i, user in enumerate(held_out.users):
            rows = slice(int(offsets[i]), int(offsets[i + 1]))
            by_user.setdefault(user, []).append(-float(scores[rows][held_out.fitted[rows]].double().mean()))
        means = [sum(values) / len(values) for values in by_user.values()]
        return sum(means) / len(means)

    def _scoring_ranks(self):
        """Sharded weights are gathered by all at once: each process then scores all rows."""
        return _Alone() if self.state.is_sharded else self.ranks


class _Alone:
    """In the place of the processes of a run, for what each of them computes by itself."""

    rank, world, is_main = 0, 1, True

    def __init__(self):
        self.device = None

    def sum_on_cpu(self, tensor):
        return tensor


def train(spec: Spec, ranks: Ranks, events: Events) -> int:
    """Takes the steps that are left; returns the exit code of a run without torchrun."""
    stop = StopFlag(spec.folder)
    training = Training(spec, ranks, events)
    step, lines, best = _resume(training)
    state, total, run = training.state, training.total, training.run
    log = StepLog(run) if ranks.is_main else None
    checkpointed = [step, time.monotonic()]
    record = record_of(ranks, training.setting)
    events.emit(
        "started",
        run=str(run),
        steps=total,
        startStep=step,
        isResumed=step > 0,
        examples=len(spec.pairs),
        trainedParameters=state.count,
        **record,
    )

    def checkpoint() -> None:
        if log is not None:
            log.sync()
        path = write_checkpoint(run, step, state, best)
        checkpointed[:] = [step, time.monotonic()]
        if ranks.is_main:
            prune_checkpoints(run, spec.content["checkpoint"]["keep"])
            if best is not None:
                prune_best(run, best)
        events.emit("checkpoint", step=step, path=str(path))

    every = spec.recipe.get("evalEvery", 0)
    keeps_best = spec.recipe.get("keepBest", False)
    patience = spec.recipe.get("patience", math.inf)

    def consider(loss: float) -> None:
        """Takes note of the loss of this step, whose weights are still in place."""
        nonlocal best
        if not keeps_best:
            return
        before = best
        # Every process must find the same, whatever the last digit of its own loss is.
        best = ranks.told(with_evaluation(before, step, loss))
        # The last step's weights are written right away, as the result.
        if step == total or (before is not None and best["step"] == before["step"]):
            return
        write_best(run, step, state)
        if ranks.is_main:
            prune_best(run, best)

    def is_patient() -> bool:
        return best is None or best["evaluationsSince"] < patience

    def is_evaluated(at: int) -> bool:
        return spec.validation is not None and (at % every == 0 or at == total)

    def tell_evaluation(loss: float) -> None:
        users = spec.validation.users
        found = {"isBest": best is not None and best["step"] == step} if keeps_best else {}
        events.emit("evaluation", step=step, validationLoss=loss, examples=len(users), users=len(set(users)), **found)

    if step > 0 and is_evaluated(step):
        # Stopped between the step and its evaluation, or before the checkpoint knew of it: the weights are still those of the step.
        line = ranks.told(lines[-1] if lines and lines[-1]["step"] == step else None)
        if line is not None:
            is_new = "validationLoss" not in line
            loss = training.validation_loss() if is_new else line["validationLoss"]
            if is_new and log is not None:
                lines[-1]["validationLoss"] = loss
                log.replace_last(lines[-1])
            consider(loss)
            if is_new:
                tell_evaluation(loss)
    begin = time.monotonic()
    try:
        while step < total and is_patient():
            began = time.monotonic()
            number = step + 1
            shares = training.take(number)
            limit = spec.content["checkpoint"].get("minutes")
            is_due = limit is not None and time.monotonic() - checkpointed[1] >= limit * 60
            flags = [float(stop.is_set()), float(is_due and ranks.is_main)]
            *sums, stopping, due = ranks.sums([*shares, *flags])
            loss, parts, tokens = sums[0], dict(zip(training.parts, sums[1:-1])), int(sums[-1])
            if not math.isfinite(loss):
                raise _not_finite("loss", loss, "training/nan-loss", number, run)
            norm = state.gradient_norm()
            if not math.isfinite(norm):
                raise _not_finite("gradient norm", norm, "training/nan-gradient", number, run)
            planned = training.steps[step]
            state.update(planned.learning_rate, norm)
            if state.average is not None:
                state.update_average(spec.content["estimator"]["decay"])
            step = number
            seconds = time.monotonic() - began
            line = {
                "step": step,
                "epoch": planned.epoch,
                "loss": loss,
                "parts": parts,
                "learningRate": planned.learning_rate,
                "gradientNorm": norm,
                "examples": planned.examples,
                "tokens": tokens,
                "seconds": seconds,
                "tokensPerSecond": tokens / seconds,
                "peakMemoryBytes": peak_memory(ranks.device),
            }
            validation = training.validation_loss() if is_evaluated(step) else None
            if validation is not None:
                line["validationLoss"] = validation
            if log is not None:
                log.append(line)
                lines.append(line)
            if validation is not None:
                consider(validation)
            events.emit("step", totalSteps=total, **line, elapsedSeconds=time.monotonic() - begin)
            if validation is not None:
                tell_evaluation(validation)
            if stopping > 0:
                if checkpointed[0] < step:
                    checkpoint()
                if ranks.is_main:
                    said = {"code": "aborted", "message": f"{run}: stopped after step {step} of {total}"}
                    hint = "Resume the run to continue from there."
                    write_end(spec.folder, "stopped", step=step, **said, hint=hint, record=record)
                return 130
            if step < total and (step % spec.content["checkpoint"]["every"] == 0 or due > 0):
                checkpoint()
        if best is not None and best["step"] < step:
            restore_best(run, best["step"], state)
        result = save_result(spec, state)
        if ranks.is_main:
            summary = {**summarise(lines, result, ranks.device), **_ending(best, step, total)}
            write_end(spec.folder, "done", step=step, summary=summary, record=record)
            events.emit("done", summary={"run": str(run), **summary})
        return 0
    except OSError as cause:
        if cause.errno != errno.ENOSPC:
            raise
        raise Fault(
            f"{run}: the disk is full after step {step}: {cause}",
            code="training/disk-full",
            hint="Free some space, then resume the run: it continues from its newest checkpoint, or else from the start.",
        ) from None
    finally:
        if log is not None:
            log.close()


def _ending(best: dict | None, step: int, total: int) -> dict:
    """Which step's weights the result holds, and why the run ended before its last planned step."""
    kept = {} if best is None else {"best": {key: best[key] for key in ("step", "validationLoss")}}
    return {**kept, **({"endedBy": "patience"} if step < total else {})}


def _resume(training: Training) -> tuple[int, list[dict], dict | None]:
    """Restores the newest whole checkpoint and cuts the log back to it. Returns its step, the lines kept (rank 0's), and its best step."""
    run, ranks, events = training.run, training.ranks, training.events
    step, lines, best = 0, [], None
    if ranks.is_main:
        (run / CHECKPOINTS).mkdir(parents=True, exist_ok=True)
        remove_temporaries(run)
        remove_temporaries(run / CHECKPOINTS)
        remove_temporaries(run / BEST)
        step, best, damaged = find_newest(run, training.state)
        lines = cut_step_log(run, step)
        for notice in damaged:
            events.emit("notice", notice=notice)
        if len(lines) < step:
            events.emit("notice", notice={"code": "run/step-log-cut", "run": str(run), "lines": len(lines), "step": step})
    step, best = ranks.told((step, best))
    if step > 0:
        restore_checkpoint(run, step, training.state)
    return step, lines, best


def _not_finite(what: str, got: float, code: str, number: int, run: Path) -> Fault:
    return Fault(
        f"step {number}: {what}: expected a finite number, got {got}",
        code=code,
        hint=f"Start a new run with a lower learning rate; the last checkpoint is in {run / CHECKPOINTS}.",
    )
