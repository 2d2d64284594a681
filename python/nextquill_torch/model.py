"""The model of a spec: transformers and PEFT, with our first values, our dropout and nothing random of their own."""

import os
from collections.abc import Mapping
from pathlib import Path

import torch
import transformers
from torch import Tensor, nn
from transformers import AutoConfig, AutoModelForCausalLM

from .faults import SpecFault
from .noise import NoiseContext, StreamDropout, column_noise

os.environ.setdefault("HF_HUB_OFFLINE", "1")
transformers.utils.logging.set_verbosity_error()
transformers.utils.logging.disable_progress_bar()

ATTENTION = {"eager": "eager", "sdpa": "sdpa", "flash": "flash_attention_2", "flex": "flex_attention"}

DTYPES = {"f32": torch.float32, "bf16": torch.bfloat16}

#: Options of a config that change logits behind the head, which the worker multiplies by itself.
_BEHIND_THE_HEAD = ("final_logit_softcapping", "logits_scaling", "logit_scale")

PEFT_PREFIX = "base_model.model."


class Adapted:
    """A causal language model, perhaps under adapters, with what is trained of it."""

    def __init__(self, causal: nn.Module, whole: nn.Module, noise: NoiseContext):
        #: transformers' model; its linear layers may be PEFT's.
        self.causal = causal
        #: What a training wraps: PEFT's model, or the causal one.
        self.whole = whole
        self.noise = noise

    @property
    def trained(self) -> dict[str, nn.Parameter]:
        """What is trained, by the names of files: PEFT's without the adapter's name, or the model's own."""
        return {
            name.replace(".default.", "."): parameter
            for name, parameter in self.whole.named_parameters()
            if parameter.requires_grad
        }

    def adapter_layers(self) -> list[tuple[str, nn.Module]]:
        """Adapted layers by their names in the model."""
        return [
            (name.removeprefix(PEFT_PREFIX), module)
            for name, module in self.whole.named_modules()
            if hasattr(module, "lora_A") and hasattr(module, "base_layer")
        ]

    @property
    def decoder(self) -> nn.Module:
        return self.causal.base_model

    @property
    def layers(self) -> nn.ModuleList:
        return next(part for name, part in self.decoder.named_children() if name in ("layers", "h"))

    def set_adapters(self, enabled: bool) -> None:
        """Whether adapters have a say; without any change of what requires a gradient, which wrappers would notice."""
        for _, layer in self.adapter_layers():
            layer._disable_adapters = not enabled


def open_model(path: str, *, dtype: torch.dtype, attention: str) -> nn.Module:
    """A causal language model from a folder, without dropout of its own, its caches off."""
    try:
        config = AutoConfig.from_pretrained(path, local_files_only=True)
    except (OSError, ValueError, KeyError) as cause:
        raise SpecFault(
            f"{path}: expected a model that transformers {transformers.__version__} opens, got: {cause}",
            code="model/unsupported",
            hint="Check the folder, or install a newer transformers.",
        ) from None
    found = next((key for key in _BEHIND_THE_HEAD if getattr(config, key, None) not in (None, 1, 1.0)), None)
    if found is not None:
        raise SpecFault(
            f"{path}: config.json: {found}: expected none, got {getattr(config, found)}, which changes logits behind the head",
            code="model/unsupported",
            hint="Choose a model without it.",
        )
    for key, value in list(vars(config).items()):
        if ("dropout" in key or key.endswith("_pdrop")) and isinstance(value, (int, float)):
            setattr(config, key, 0.0)
    config.use_cache = False
    model = AutoModelForCausalLM.from_pretrained(
        path, config=config, dtype=dtype, attn_implementation=ATTENTION[attention], local_files_only=True
    )
    for module in model.modules():
        if isinstance(module, nn.Dropout):
            module.p = 0.0
    # Layers are computed again in the backward pass only by a model that is in training; nothing else asks for it.
    return model.train()


def with_adapter(model: nn.Module, lora: Mapping, seed: int | None) -> Adapted:
    """The model frozen, under adapters in f32 by PEFT; with dropout of ours where `seed` is given."""
    from peft import LoraConfig, get_peft_model

    config = LoraConfig(
        r=lora["rank"],
        lora_alpha=lora["loraAlpha"],
        target_modules=list(lora["targetModules"]),
        lora_dropout=0.0,
        use_rslora=lora.get("rsLora", False),
        bias="none",
        task_type="CAUSAL_LM",
    )
    noise = NoiseContext()
    adapted = Adapted(model, get_peft_model(model, config).train(), noise)
    rate = lora.get("dropout", 0.0)
    if rate > 0 and seed is not None:
        for name, layer in adapted.adapter_layers():
            columns = column_noise(seed, name, layer.lora_A["default"].in_features)
            layer.lora_dropout["default"] = StreamDropout(noise, columns, rate)
    return adapted


def all_trained(model: nn.Module) -> Adapted:
    """The model with all its weights in training."""
    for parameter in model.parameters():
        parameter.requires_grad_(True)
    return Adapted(model, model, NoiseContext())


def set_first_values(adapted: Adapted, values: Mapping[str, Tensor], where: str) -> None:
    """Gives every trained matrix its first value."""
    trained = adapted.trained
    if set(values) != set(trained):
        differs = sorted(set(values) ^ set(trained))[0]
        raise SpecFault(
            f"{where}: expected the matrices of {len(trained)} adapted layers as PEFT names them, got {len(values)}, of which {differs} differs",
            code="spec/content",
            hint="Install the peft and transformers that this package was tested with, or report the model.",
        )
    with torch.no_grad():
        for name, parameter in trained.items():
            if values[name].shape != parameter.shape or not bool(torch.isfinite(values[name]).all()):
                raise SpecFault(
                    f"{where}: {name}: expected finite numbers {list(parameter.shape)}, got {list(values[name].shape)}",
                    code="spec/content",
                    hint="Let `nextquill train` write the folder again.",
                )
            parameter.copy_(values[name])


def open_adapter(model: nn.Module, folder: str) -> Adapted:
    """A frozen model under a saved adapter in PEFT's layout."""
    from peft import PeftModel

    if not (Path(folder) / "adapter_config.json").exists():
        raise SpecFault(
            f"{folder}: expected an adapter in PEFT's layout, got none", code="lora/missing", hint="Name an adapter folder."
        )
    return Adapted(model, PeftModel.from_pretrained(model, folder), NoiseContext())


def head_product(head: nn.Module, rows: Tensor, adapters: bool = True) -> Tensor:
    """Logits in f32 of hidden rows, by the head as it is, under its adapter where it has one that is not switched off."""
    rows = rows.float()
    base = getattr(head, "base_layer", head)
    bias = getattr(base, "bias", None)
    logits = nn.functional.linear(rows, base.weight.float(), None if bias is None else bias.float())
    if base is head or not adapters or head.disable_adapters:
        return logits
    a, b = head.lora_A["default"], head.lora_B["default"]
    return logits + b(a(head.lora_dropout["default"](rows))) * head.scaling["default"]
