"""NextQuill's loss inside TRL: `NextQuillTrainer` is an SFTTrainer whose batches hold both prompts of each example.

Its data set has the columns `with`, `without` and `response` (token ids: the prompt with the history, the prompt without, and
the text that follows either), and may have `hasHistory`, `fitted` and `copied`: what `nextquill export-pairs` writes. An objective
with `copyDiscount` needs `copied`.
"""

import warnings
from collections.abc import Mapping, Sequence

import torch
from torch import Tensor
from trl import SFTConfig, SFTTrainer

from .faults import SpecFault
from .model import Adapted
from .noise import NoiseContext
from .objective import Groups, loss_of, plan_of
from .passes import Batch, Layout, Scored, side_of

#: Objectives whose numbers TRL's own head gives: log-probabilities of both passes.
_OF_THE_HEAD = {"withHistory", "withoutHistory"}

_COLUMNS = ("with", "without", "response")


class PairCollator:
    """Rows of token ids as two padded sides: `input_ids` … with the history, `without_input_ids` … without."""

    def __init__(self, pad_token_id: int):
        self.pad_token_id = pad_token_id

    def __call__(self, rows: Sequence[Mapping]) -> dict[str, Tensor]:
        for row in rows:
            missing = next((name for name in _COLUMNS if not row.get(name)), None)
            if missing is not None:
                raise SpecFault(
                    f"data set: {missing}: expected token ids in every row, got none",
                    code="trl/columns",
                    hint="Make the data set by `nextquill export-pairs`, or with the columns with, without and response.",
                )
        batch: dict[str, Tensor] = {}
        has_copied = any(row.get("copied") is not None for row in rows)
        for i, row in enumerate(rows) if has_copied else ():
            if len(row.get("copied") or ()) != len(row["response"]):
                raise SpecFault(
                    f"data set: copied: row {i} of a batch: expected {len(row['response'])} values, as the response has tokens, "
                    f"got {len(row.get('copied') or ())}",
                    code="trl/columns",
                    hint="Say of every response token whether it is copied; `nextquill export-pairs` does.",
                )
        for prefix, name in (("", "with"), ("without_", "without")):
            width = max(len(row[name]) + len(row["response"]) for row in rows)
            ids = torch.full((len(rows), width), self.pad_token_id)
            labels = torch.full((len(rows), width), -100)
            mask = torch.zeros((len(rows), width), dtype=torch.long)
            for i, row in enumerate(rows):
                start, response = len(row[name]), torch.tensor(row["response"])
                end = start + len(response)
                ids[i, :end] = torch.tensor([*row[name], *row["response"]])
                fitted = torch.tensor(row.get("fitted") or [True] * len(response)).bool()
                labels[i, start:end] = torch.where(fitted, response, -100)
                mask[i, :end] = 1
            batch |= {f"{prefix}input_ids": ids, f"{prefix}attention_mask": mask, f"{prefix}labels": labels}
        has_history = [row.get("hasHistory", list(row["with"]) != list(row["without"])) for row in rows]
        batch["has_history"] = torch.tensor(has_history, dtype=torch.bool)
        if has_copied:
            batch["copied"] = torch.zeros(batch["labels"].shape, dtype=torch.bool)
            for i, row in enumerate(rows):
                start = len(row["with"])
                batch["copied"][i, start : start + len(row["copied"])] = torch.tensor(row["copied"], dtype=torch.bool)
        return batch


class NextQuillTrainer(SFTTrainer):
    """TRL's SFTTrainer with a NextQuill objective.

    objective: its name, such as `nextquill` (the default of the command line) or `sft`; objective_options: as in a recipe.
    Everything else is SFTTrainer's. The loss of a step is a mean over its examples, however they are accumulated.
    """

    #: Losses are divided by the examples of the whole step: Trainer must not divide again by the accumulated batches.
    loss_is_scaled_for_ga = True

    def __init__(
        self,
        model,
        args: SFTConfig | None = None,
        *,
        objective: str = "nextquill",
        objective_options: Mapping[str, object] | None = None,
        **others,
    ):
        self.plan = plan_of(objective, objective_options)
        if self.plan.needs_generic or self.plan.needs_placebo_most or self.plan.needs_others > 0:
            raise SpecFault(
                f"objective: expected one of the user's own histories inside TRL, got {objective}, which needs other users'",
                code="trl/objective",
                hint="Train it by `nextquill train --engine torch`.",
            )
        args = SFTConfig() if args is None else args
        _refuse(args)
        args.remove_unused_columns = False
        args.dataset_kwargs = {**(args.dataset_kwargs or {}), "skip_prepare_dataset": True}
        args.max_length = None
        # The tokenizer that pads is known after TRL has opened it.
        collator = others.pop("data_collator", None) or PairCollator(0)
        super().__init__(model, args, data_collator=collator, **others)
        if isinstance(collator, PairCollator):
            collator.pad_token_id = self._tokenizer.pad_token_id or 0
        self._is_of_the_head = set(self.plan.scores) <= _OF_THE_HEAD
        if not self._is_of_the_head and self.accelerator.num_processes > 1:
            raise SpecFault(
                f"objective: expected one of log-probabilities for several processes, got {objective}, whose loss needs whole distributions",
                code="trl/objective",
                hint="Use one process, an objective such as sft, or `nextquill train --engine torch`.",
            )
        step = args.per_device_train_batch_size * args.gradient_accumulation_steps * self.accelerator.num_processes
        rows = len(self.train_dataset) if hasattr(self.train_dataset, "__len__") else 0
        if self.accelerator.num_processes > 1 and rows % step != 0 and not args.dataloader_drop_last:
            warnings.warn(
                f"the last step of an epoch has {rows % step} of {step} examples, and over several processes accelerate repeats "
                "some of them; set dataloader_drop_last=True",
                stacklevel=2,
            )

    def _get_num_items_in_batch(self, batch_samples: list, device: torch.device) -> Tensor:
        """The examples of the step over all processes, in the place of label tokens."""
        count = torch.tensor(sum(len(batch["has_history"]) for batch in batch_samples), device=device)
        return self.accelerator.gather(count.reshape(1)).sum() if self.accelerator.num_processes > 1 else count

    def compute_loss(self, model, inputs, return_outputs: bool = False, num_items_in_batch: Tensor | int | None = None):
        has_history = inputs["has_history"]
        count = len(has_history) if num_items_in_batch is None else int(num_items_in_batch)
        tokens, example_of, outputs = (self._by_head if self._is_of_the_head else self._by_hidden)(model, inputs)
        loss, parts = loss_of(self.plan, tokens, Groups(example_of, has_history, count), self._given(inputs))
        mode = "train" if self.model.training else "eval"
        shown = {"plain_loss": parts["crossEntropy"].detach() * count / len(has_history)}
        if self.plan.passes == "pair" and self._is_of_the_head and self.plan.is_weighted:
            shown["mean_log_ratio"] = (tokens["withHistory"] - tokens["withoutHistory"]).detach().mean()
        for name, value in shown.items():
            self._metrics[mode][name].append(self.accelerator.gather_for_metrics(value).mean().item())
        if num_items_in_batch is not None:
            # The gradients of processes are averaged, and these are shares of one sum.
            loss = loss * self.accelerator.num_processes
        return (loss, outputs) if return_outputs else loss

    def _given(self, inputs: Mapping[str, Tensor]) -> dict[str, Tensor]:
        """What weights are made of beside the passes: which fitted tokens are copied, where the objective asks."""
        if not self.plan.needs_copied:
            return {}
        if "copied" not in inputs:
            raise SpecFault(
                "data set: copied: expected a bool for every response token, for copyDiscount, got none",
                code="trl/columns",
                hint="Export the pairs with `--objective-option copyDiscount=1`, or leave copyDiscount out.",
            )
        return {"copied": inputs["copied"][inputs["labels"] != -100]}

    def _by_head(self, model, inputs):
        """Log-probabilities of each pass by TRL's head, whose logits never are whole."""
        found = {}
        example_of = outputs = None
        for name in ("withoutHistory", "withHistory"):
            if name not in self.plan.scores:
                continue
            prefix = "without_" if name == "withoutHistory" else ""
            side = {key: inputs[f"{prefix}{key}"] for key in ("input_ids", "attention_mask", "labels")}
            needs = name == self.plan.fit or self.plan.gradient_without_history
            with torch.set_grad_enabled(needs and torch.is_grad_enabled()):
                outputs = model(**side, fused_lm_head=True)
            mask = outputs.label_mask.bool()
            found[name] = outputs.log_probs[mask].float()
            example_of = mask.nonzero()[:, 0]
        return found, example_of, outputs

    def _by_hidden(self, model, inputs):
        """Numbers of whole distributions, from hidden rows in chunks."""
        whole = self.accelerator.unwrap_model(model)
        causal = whole.get_base_model() if hasattr(whole, "get_base_model") else whole
        if self.plan.needs_anchor and causal is whole:
            raise SpecFault(
                "objective: anchorWeight: expected adapters, whose base is the starting model, got full training",
                code="trl/objective",
                hint="Pass a peft_config, or train by `nextquill train --engine torch`.",
            )
        # The model's own forward, which accelerate gives its precision, is not what runs here.
        autocast = torch.bfloat16 if self.args.bf16 else torch.float16 if self.args.fp16 else None
        scored = Scored(Adapted(causal, whole, NoiseContext()), chunk=1024, autocast=autocast)
        batch = batch_of_inputs(inputs, self.plan.pass_names)
        return scored(batch, self.plan.scores, self.plan), batch.example_of, None


def batch_of_inputs(inputs: Mapping[str, Tensor], names: Sequence[str]) -> Batch:
    """The batch of a collator as the worker's."""
    sides, targets, example_of = {}, None, None
    for name in names:
        prefix = "without_" if name == "withoutHistory" else ""
        ids, labels, mask = (inputs[f"{prefix}{key}"] for key in ("input_ids", "labels", "attention_mask"))
        rows, starts, masks = [], [], []
        for row, label, used in zip(ids, labels, mask):
            length = int(used.sum())
            places = (label != -100).nonzero()[:, 0]
            first = int(places[0])
            rows.append(row[:length].cpu())
            starts.append(first)
            masks.append((label[first:length] != -100).cpu())
        sides[name] = side_of(rows, starts, masks, Layout(0, ids.device))
        chosen = labels != -100
        targets, example_of = labels[chosen], chosen.nonzero()[:, 0]
    return Batch(sides, targets, example_of, inputs["has_history"])


def _refuse(args: SFTConfig) -> None:
    """Options that would change the loss, or lose a column."""
    for name, value, is_on in (
        ("packing", args.packing, args.packing),
        ("padding_free", args.padding_free, args.padding_free),
        ("use_liger_kernel", args.use_liger_kernel, args.use_liger_kernel),
        ("loss_type", args.loss_type, args.loss_type != "nll"),
        ("label_smoothing_factor", args.label_smoothing_factor, args.label_smoothing_factor > 0),
    ):
        if is_on:
            raise SpecFault(
                f"SFTConfig: {name}: expected none with NextQuillTrainer, got {value!r}", code="trl/option", hint=f"Remove {name}."
            )
