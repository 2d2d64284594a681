"""The PyTorch side of bench/jobs.ts: a careful loop, one whole job at a time, on request, by the protocol of pytorch_peer.py.

Usage: python bench/jobs_peer.py FILE.json   with {"job", "config", "weights", "threads", "dtype", "pairs" or "prompts"}
  train     a step over all pairs, one at a time (no padding, nothing shared): both passes with gradients, logits at response tokens
            alone; the loss of `nextquill` (cross-entropy, and .3 of calibration at strengths .75 and 1.25); then clipping and AdamW on LoRA of rank 16 on all seven linear layers (PEFT)
  evaluate, audit
            log-probabilities of the response tokens of all prompts, one at a time, under inference_mode, logits at them alone
"""

import contextlib
import json
import os
import sys
import time

os.environ.setdefault("HF_HUB_OFFLINE", "1")
os.environ.setdefault("TRANSFORMERS_VERBOSITY", "error")

import peft
import torch
import transformers
from peft import LoraConfig, get_peft_model
from pytorch_peer import LINEAR, MAX_NORM, answer_commands, build_optimizer, run_peer, say
from safetensors.torch import load_file
from transformers import LlamaConfig, LlamaForCausalLM

CALIBRATION, SPREAD = 0.3, 0.25


def build_model(settings):
    config = LlamaConfig(**settings["config"], use_cache=False, attn_implementation="sdpa")
    model = LlamaForCausalLM(config).float()
    missing, unexpected = model.load_state_dict(load_file(settings["weights"]), strict=False)
    if unexpected or set(missing) - {"lm_head.weight"}:
        raise ValueError(f"weights: missing {missing}, unexpected {unexpected}")
    model.tie_weights()
    if settings["job"] == "train":
        lora = LoraConfig(r=16, lora_alpha=32, lora_dropout=0.0, target_modules=LINEAR, task_type="CAUSAL_LM")
        model = get_peft_model(model, lora)
    return model.train() if settings["job"] == "train" else model.eval()


def logits_of(model, prompt, response):
    """At the response tokens: f32[S, V]."""
    inner = model.base_model.model if isinstance(model, peft.PeftModel) else model
    ids = torch.tensor([prompt + response[:-1]])
    return inner.lm_head(inner.model(input_ids=ids).last_hidden_state[0, len(prompt) - 1 :]).float()


def selected(logits, response):
    """log p of the response tokens: f32[S]."""
    return torch.log_softmax(logits, -1).gather(1, torch.tensor(response)[:, None])[:, 0]


def log_probabilities(model, prompt, response):
    return selected(logits_of(model, prompt, response), response)


def training_step(model, optimizer, parameters, pairs):
    total = 0.0
    for pair in pairs:
        response = pair["response"]
        z_0, z_h = (logits_of(model, pair[name], response) for name in ("without", "with"))
        change = SPREAD * (z_h - z_0)
        calibration = (selected(z_h - change, response) + selected(z_h + change, response)).mean() / 2
        loss = -(selected(z_h, response).mean() + CALIBRATION * calibration) / len(pairs)
        loss.backward()
        total += loss.item()
    norm = torch.nn.utils.clip_grad_norm_(parameters, MAX_NORM)
    optimizer.step()
    optimizer.zero_grad(set_to_none=True)
    return {"loss": total, "gradientNorm": norm.item()}


def evaluation(model, prompts):
    with torch.inference_mode():
        means = [log_probabilities(model, one["prompt"], one["response"]).mean().item() for one in prompts]
    return {"loss": -sum(means) / len(means), "gradientNorm": 0.0}


def main():
    with open(sys.argv[1], encoding="utf-8") as file:
        settings = json.load(file)
    torch.set_num_threads(settings["threads"])
    torch.manual_seed(0)
    model = build_model(settings)
    parameters = [p for p in model.parameters() if p.requires_grad]
    optimizer = build_optimizer(parameters)[0] if settings["job"] == "train" else None
    say({"ready": True, "versions": {"torch": torch.__version__, "transformers": transformers.__version__, "peft": peft.__version__},
         "trainable": sum(p.numel() for p in parameters)})

    def step():
        cast = torch.autocast("cpu", dtype=torch.bfloat16) if settings["dtype"] == "bf16" else contextlib.nullcontext()
        start, cpu = time.perf_counter(), time.process_time()
        with cast:
            if settings["job"] == "train":
                answer = training_step(model, optimizer, parameters, settings["pairs"])
            else:
                answer = evaluation(model, settings["prompts"])
        return {"seconds": time.perf_counter() - start, "cpuSeconds": time.process_time() - cpu} | answer

    answer_commands(step)


if __name__ == "__main__":
    run_peer(main)
