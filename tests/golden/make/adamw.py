"""Writes tests/golden/adamw.json: ten steps of torch.optim.AdamW on given gradients, with clipping and a schedule.

Learning rates are written for each step, from transformers' schedules (whose first step of a warm-up has rate 0):
an optimizer is tested with the rates as given, a schedule against `learningRates`.
Run: python tests/golden/make/adamw.py   (needs torch, transformers)
"""

import torch
from transformers import get_cosine_schedule_with_warmup, get_linear_schedule_with_warmup

from provenance import decimals, provenance, write_golden

SHAPES = {"weight": (3, 4), "norm": (5,)}
STEPS, WARMUP, PEAK = 10, 3, 1e-2
BETAS, EPSILON, MAX_NORM = (0.9, 0.999), 1e-8, 1.0
# Weight decay of each parameter; torch itself decays all, Hugging Face's Trainer spares norms and biases.
CASES = [
    ("cosine decay, all parameters decayed", get_cosine_schedule_with_warmup, {"weight": 0.025, "norm": 0.025}),
    ("linear decay, norm not decayed", get_linear_schedule_with_warmup, {"weight": 0.025, "norm": 0.0}),
]


def trajectory(name, schedule, weight_decay, generator):
    parameters = {key: torch.nn.Parameter(torch.randn(shape, generator=generator)) for key, shape in SHAPES.items()}
    start = {key: decimals(p, 9) for key, p in parameters.items()}
    groups = [{"params": [p], "weight_decay": weight_decay[key]} for key, p in parameters.items()]
    optimizer = torch.optim.AdamW(groups, lr=PEAK, betas=BETAS, eps=EPSILON, foreach=False)
    scheduler = schedule(optimizer, WARMUP, STEPS)
    steps = []
    for step in range(STEPS):
        # Norms on both sides of 1; zero gradients (a row of an embedding that was not read) from the fourth step on.
        size = [0.05, 0.2, 1.0, 3.0][step % 4]
        gradients = {key: size * torch.randn(shape, generator=generator) for key, shape in SHAPES.items()}
        if step >= 3:
            gradients["weight"][1] = 0
        if step == 6:
            gradients = {key: torch.zeros_like(g) for key, g in gradients.items()}
        for key, p in parameters.items():
            p.grad = gradients[key].clone()
        rate = optimizer.param_groups[0]["lr"]
        norm = torch.nn.utils.clip_grad_norm_(list(parameters.values()), MAX_NORM)
        optimizer.step()
        scheduler.step()
        steps.append({
            "learningRate": rate,
            "gradients": {key: decimals(g, 9) for key, g in gradients.items()},
            "gradientNorm": decimals(norm, 9),
            "parameters": {key: decimals(p, 9) for key, p in parameters.items()},
        })
    moments = {
        key: {"first": decimals(optimizer.state[p]["exp_avg"], 9), "second": decimals(optimizer.state[p]["exp_avg_sq"], 9)}
        for key, p in parameters.items()
    }
    return {
        "name": name, "schedule": schedule.__name__, "weightDecay": weight_decay,
        "learningRates": [step["learningRate"] for step in steps],
        "start": start, "steps": steps, "moments": moments,
    }


if __name__ == "__main__":
    generator = torch.Generator().manual_seed(31)
    write_golden("adamw.json", provenance(__file__, "torch.optim.AdamW, float32", ["torch", "transformers"]) | {
        "settings": {
            "betas": list(BETAS), "epsilon": EPSILON, "maxNorm": MAX_NORM, "steps": STEPS, "warmupSteps": WARMUP,
            "peakLearningRate": PEAK,
        },
        "about": {
            "gradients": "before clipping",
            "gradientNorm": "over all parameters, before clipping; torch divides by norm + 1e-6 where that is above maxNorm",
            "parameters": "after the step",
            "moments": "after the last step",
        },
        "shapes": {key: list(shape) for key, shape in SHAPES.items()},
        "cases": [trajectory(*case, generator) for case in CASES],
    })
