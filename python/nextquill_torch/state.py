"""The trained state: parameters, gradients and both moments of AdamW, whole on every process or spread over them."""

import torch
from torch import Tensor, nn
from torch.distributed.tensor import DTensor, distribute_tensor

from .parallel import Ranks

BUFFERS = ("weights", "firstMoment", "secondMoment")


class TrainedState:
    """What a checkpoint holds, by the names of files."""

    def __init__(self, trained: dict[str, nn.Parameter], ranks: Ranks, recipe, *, averages: bool):
        self.trained = trained
        self.ranks = ranks
        self.is_sharded = any(isinstance(parameter, DTensor) for parameter in trained.values())
        self.max_norm = recipe["maxGradientNorm"]
        decay = recipe["weightDecay"]
        matrices = [p for p in trained.values() if p.ndim >= 2]
        others = [p for p in trained.values() if p.ndim < 2]
        groups = [
            {"params": params, "weight_decay": rate} for params, rate in ((matrices, decay), (others, 0.0)) if len(params) > 0
        ]
        self.optimizer = torch.optim.AdamW(groups, lr=0.0, betas=(0.9, recipe.get("beta2", 0.999)), eps=1e-8, foreach=True)
        self.average = {name: _copy(parameter) for name, parameter in trained.items()} if averages else None
        self._flat = None if self.is_sharded else self._flat_gradients()

    @property
    def count(self) -> int:
        return sum(parameter.numel() for parameter in self.trained.values())

    def _flat_gradients(self) -> Tensor:
        """One buffer for all gradients, of which each parameter's is a view: summed over processes at once."""
        flat = torch.zeros(self.count, dtype=torch.float32, device=next(iter(self.trained.values())).device)
        at = 0
        for parameter in self.trained.values():
            parameter.grad = flat[at : at + parameter.numel()].view_as(parameter)
            at += parameter.numel()
        return flat

    def clear_gradients(self) -> None:
        if self._flat is not None:
            self._flat.zero_()
        else:
            self.optimizer.zero_grad(set_to_none=True)

    def gradient_norm(self) -> float:
        """√Σ g² over everything that is trained, summed in f64; gradients of all processes are summed first."""
        if self._flat is not None:
            self.ranks.sum_tensor(self._flat)
            return float(torch.linalg.vector_norm(self._flat, dtype=torch.float64))
        local = [parameter.grad.to_local() for parameter in self.trained.values() if parameter.grad is not None]
        square = sum(float(torch.linalg.vector_norm(part, dtype=torch.float64)) ** 2 for part in local if part.numel() > 0)
        return self.ranks.sums([square])[0] ** 0.5

    def update(self, learning_rate: float, norm: float) -> None:
        """AdamW with decoupled decay of matrices; gradients above the largest norm are scaled down, as clip_grad_norm_ does."""
        factor = min(1.0, self.max_norm / (norm + 1e-6))
        if factor < 1:
            for parameter in self.trained.values():
                if parameter.grad is not None:
                    parameter.grad.mul_(factor)
        for group in self.optimizer.param_groups:
            group["lr"] = learning_rate
        self.optimizer.step()

    @torch.no_grad()
    def update_average(self, decay: float) -> None:
        """θ̄ ← d θ̄ + (1 − d) θ in f64, rounded to f32."""
        for name, parameter in self.trained.items():
            average, value = _local(self.average[name]), _local(parameter)
            average.copy_(decay * average.double() + (1 - decay) * value.double())

    @torch.no_grad()
    def swap_average(self) -> None:
        """The average in the place of the weights, and the other way round."""
        for name, parameter in self.trained.items():
            average, value = _local(self.average[name]), _local(parameter)
            kept = value.clone()
            value.copy_(average)
            average.copy_(kept)

    # Whole tensors, for files.

    def whole(self, buffer: str) -> dict[str, Tensor]:
        """A buffer's tensors on the processor, f32; every process must ask at once where they are spread."""
        found = {}
        for name, parameter in self.trained.items():
            value = self._value(buffer, name, parameter)
            value = value.full_tensor() if isinstance(value, DTensor) else value
            found[name] = value.detach().to("cpu", torch.float32).contiguous() if self.ranks.is_main else torch.empty(0)
        return found

    def _value(self, buffer: str, name: str, parameter: nn.Parameter) -> Tensor:
        if buffer == "weights":
            return parameter
        if buffer == "average":
            return self.average[name]
        state = self.optimizer.state.get(parameter, {})
        key = "exp_avg" if buffer == "firstMoment" else "exp_avg_sq"
        return state[key] if key in state else torch.zeros(parameter.shape)

    @torch.no_grad()
    def restore(self, buffers: dict[str, dict[str, Tensor]], step: int) -> None:
        """Fills weights, moments and average from whole tensors; the next update is that of `step` + 1."""
        self.restore_weights(buffers["weights"])
        for name, parameter in self.trained.items():
            self.optimizer.state[parameter] = {
                "step": torch.tensor(float(step)),
                "exp_avg": _copy_of(parameter, buffers["firstMoment"][name]),
                "exp_avg_sq": _copy_of(parameter, buffers["secondMoment"][name]),
            }
            if self.average is not None:
                self.average[name].copy_(_like(parameter, buffers["average"][name]))

    @torch.no_grad()
    def restore_weights(self, weights: dict[str, Tensor]) -> None:
        for name, parameter in self.trained.items():
            parameter.copy_(_like(parameter, weights[name]))


def _local(value: Tensor) -> Tensor:
    return value.to_local() if isinstance(value, DTensor) else value


def _copy(parameter: Tensor) -> Tensor:
    return parameter.detach().clone()


def _like(parameter: Tensor, value: Tensor) -> Tensor:
    """A whole tensor on the device of a parameter, spread as that is."""
    value = value.to(parameter.device, torch.float32)
    if isinstance(parameter, DTensor):
        return distribute_tensor(value, parameter.device_mesh, parameter.placements)
    return value


def _copy_of(parameter: Tensor, value: Tensor) -> Tensor:
    return _like(parameter, value).clone()
