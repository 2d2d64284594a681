"""Puts a spec's model on the device: adapted or all in training, whole or spread over processes, its layers computed again or not."""

import os
from contextlib import nullcontext
from dataclasses import dataclass

import torch
from torch import nn

from .events import Events
from .faults import SpecFault
from .model import ATTENTION, DTYPES, Adapted, all_trained, open_adapter, open_model, set_first_values, with_adapter
from .noise import NoiseContext
from .parallel import Ranks
from .passes import Layout, Scored
from .spec import Spec


@dataclass(frozen=True)
class Setting:
    """How a run is computed; what the spec leaves open is decided here."""

    dtype: str
    attention: str
    parallel: str
    packing: bool
    chunk: int


def setting_of(spec: Spec, ranks: Ranks, events: Events) -> Setting:
    """Settings that fit the device. @raises SpecFault for what the device, torch or transformers cannot do"""
    compute = spec.compute
    if compute["threads"] is not None:
        torch.set_num_threads(compute["threads"])
    if compute["deterministic"]:
        os.environ.setdefault("CUBLAS_WORKSPACE_CONFIG", ":4096:8")
        torch.use_deterministic_algorithms(True, warn_only=True)
    if spec.recipe.get("baseBits") is not None:
        raise SpecFault(
            f"baseBits: expected none with --engine torch, got {spec.recipe['baseBits']}",
            code="engine/base-bits",
            hint="Leave baseBits out: the base is then f32, or bf16 with --dtype bf16.",
        )
    attention = compute["attention"]
    if attention == "auto":
        attention = "flex" if compute["packing"] and ranks.device.type == "cuda" else "sdpa"
        if compute["deterministic"] and not compute["packing"]:
            attention = "eager"
    if attention not in ATTENTION:
        raise SpecFault(f"attention: expected one of {', '.join(ATTENTION)}, got {attention}", code="engine/attention")
    if attention == "flash" and (ranks.device.type != "cuda" or compute["dtype"] == "f32"):
        raise SpecFault(
            f"attention: flash: expected cuda and bf16, got {ranks.device.type} and {compute['dtype']}",
            code="engine/attention",
            hint="Use attention auto or sdpa, or dtype bf16 on a GPU.",
        )
    if compute["packing"] and attention in ("eager", "sdpa"):
        events.warn(
            "worker/packing-mask", f"packing with {attention} attention makes a mask of tokens × tokens; flash and flex do without"
        )
    parallel = compute["parallel"]
    if parallel == "auto":
        parallel = "replicate"
    if ranks.world == 1 and parallel == "shard" and ranks.device.type != "cuda":
        parallel = "replicate"
    return Setting(compute["dtype"], attention, parallel, compute["packing"], compute["chunk"])


def layout_of(spec: Spec, ranks: Ranks, setting: Setting) -> Layout:
    return Layout(spec.model["padId"], ranks.device, setting.packing)


def check_vocabulary(spec: Spec, model: nn.Module) -> None:
    rows = model.get_input_embeddings().weight.shape[0]
    if rows < spec.model["vocabularySize"]:
        raise SpecFault(
            f"{spec.model['path']}: expected at least {spec.model['vocabularySize']} rows of embeddings, got {rows}",
            code="model/unsupported",
            hint="Name the model that the run was made for.",
        )


def build_training(spec: Spec, ranks: Ranks, setting: Setting) -> Scored:
    """The model of a training with its first values, not yet spread over processes."""
    is_adapted = spec.recipe.get("lora") is not None
    # What is trained is f32 always: updates vanish in bf16. All weights in training run in bf16 by autocast.
    dtype = DTYPES[setting.dtype] if is_adapted else torch.float32
    model = open_model(spec.model["path"], dtype=dtype, attention=setting.attention)
    check_vocabulary(spec, model)
    start = None
    if is_adapted:
        adapted = with_adapter(model, spec.recipe["lora"], spec.recipe["seed"])
        set_first_values(adapted, spec.tensors("initial.safetensors"), "initial.safetensors")
    else:
        adapted = all_trained(model)
        if spec.plan.needs_anchor:
            start = frozen_copy(spec, setting)
    if spec.recipe.get("recompute") or spec.compute["recompute"]:
        compute_layers_again(adapted)
    autocast = DTYPES["bf16"] if setting.dtype == "bf16" and not is_adapted else None
    return Scored(adapted, chunk=setting.chunk, autocast=autocast, start=start).to(ranks.device)


def frozen_copy(spec: Spec, setting: Setting, *, model: str | None = None, adapter: str | None = None) -> Adapted:
    """A model that only answers: the starting one, or one by its folder, perhaps under a saved adapter."""
    dtype = DTYPES[setting.dtype]
    opened = open_model(model or spec.model["path"], dtype=dtype, attention=setting.attention)
    check_vocabulary(spec, opened)
    adapted = open_adapter(opened, adapter) if adapter else Adapted(opened, opened, NoiseContext())
    for parameter in adapted.whole.parameters():
        parameter.requires_grad_(False)
    return adapted


def compute_layers_again(adapted: Adapted) -> None:
    """The backward pass computes each layer again, with the noise that its forward pass had."""
    noise = adapted.noise

    def contexts():
        rows = noise.rows
        return nullcontext(), noise.of(rows)

    adapted.causal.gradient_checkpointing_enable(
        {"use_reentrant": False, "preserve_rng_state": False, "context_fn": contexts}
    )


def shard(scored: Scored, ranks: Ranks, setting: Setting) -> None:
    """Spreads weights over the processes: each layer a unit, and the rest (embedding, last norm, head) one."""
    from torch.distributed.device_mesh import init_device_mesh
    from torch.distributed.fsdp import MixedPrecisionPolicy, fully_shard

    mesh = init_device_mesh(ranks.device.type, (ranks.world,))
    policy = MixedPrecisionPolicy()
    if scored.autocast is not None:
        # The blocks then get their weights in bf16: no autocast beside it.
        policy = MixedPrecisionPolicy(param_dtype=scored.autocast, reduce_dtype=torch.float32)
    for adapted in filter(None, (scored.adapted, scored.start)):
        for layer in adapted.layers:
            fully_shard(layer, mesh=mesh, mp_policy=policy)
    fully_shard(scored, mesh=mesh, mp_policy=policy, reshard_after_forward=False)
    scored.autocast = None
