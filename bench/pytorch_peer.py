"""The PyTorch side of `npm run bench -- step`: one training step at a time, on request, so that both sides interleave.

Usage: python bench/pytorch_peer.py '{"mode": "lora", "batch": 1, "length": 512, "dtype": "f32", "threads": 2, "seed": 0}'
  mode   full | lora (PEFT, rank 16, alpha 32, all seven linear layers of a block)
  dtype  f32 | bf16 (weights stay f32; autocast is entered anew at every step, else its cached casts never learn)
  shape  optional; the default is SmolLM2-135M's

A step is forward, cross-entropy at every position, backward, clipping to norm 1, AdamW, zero_grad(set_to_none=True), on one
batch of random ids, in a transformers Llama with random weights and scaled_dot_product_attention.

Protocol: one JSON object a line on stdout, the first when ready; then one answer for each line of stdin:
  step    {"seconds": …, "loss": …, "gradientNorm": …}
  memory  {"peakRssBytes": …, "rssBytes": …, "rssFileBytes": …, "rssAnonBytes": …}   (VmHWM, VmRSS, RssFile, RssAnon; Linux)
  quit    ends the process, as the end of stdin does
The ready line holds memoryAfterImport too: what Python's libraries take before there is a model.
An unknown command is answered by {"error": …}; a failure answers so too and ends with status 1 (a missing package: Python's own traceback).
"""

import contextlib
import json
import os
import platform
import sys
import time

os.environ.setdefault("HF_HUB_OFFLINE", "1")
os.environ.setdefault("TRANSFORMERS_VERBOSITY", "error")

import peft
import torch
import transformers
from peft import LoraConfig, get_peft_model
from transformers import LlamaConfig, LlamaForCausalLM

SMOLLM2_135M = {
    "vocabularySize": 49152, "hiddenSize": 576, "layers": 30, "heads": 9, "kvHeads": 3, "headSize": 64,
    "feedForwardSize": 1536, "tiedHead": True, "ropeTheta": 100000.0, "normEpsilon": 1e-5,
}
DEFAULTS = {"mode": "lora", "batch": 1, "length": 512, "dtype": "f32", "threads": 2, "seed": 0, "shape": SMOLLM2_135M}
LINEAR = ["q_proj", "k_proj", "v_proj", "o_proj", "gate_proj", "up_proj", "down_proj"]
LEARNING_RATE, WEIGHT_DECAY, MAX_NORM = 2e-4, 0.025, 1.0


def read_settings(argument):
    given = json.loads(argument)
    unknown = sorted(set(given) - set(DEFAULTS))
    if unknown:
        raise ValueError(f"settings: unknown {', '.join(unknown)}; expected {', '.join(DEFAULTS)}")
    settings = DEFAULTS | given
    settings["shape"] = SMOLLM2_135M | settings["shape"]
    for key, choices in (("mode", ("full", "lora")), ("dtype", ("f32", "bf16"))):
        if settings[key] not in choices:
            raise ValueError(f"settings: {key}: expected {' or '.join(choices)}, got {settings[key]!r}")
    return settings


def build_model(shape, length, mode):
    config = LlamaConfig(
        vocab_size=shape["vocabularySize"], hidden_size=shape["hiddenSize"], num_hidden_layers=shape["layers"],
        num_attention_heads=shape["heads"], num_key_value_heads=shape["kvHeads"], head_dim=shape["headSize"],
        intermediate_size=shape["feedForwardSize"], tie_word_embeddings=shape["tiedHead"],
        rope_parameters={"rope_type": "default", "rope_theta": shape["ropeTheta"]}, rms_norm_eps=shape["normEpsilon"],
        max_position_embeddings=max(8192, length), use_cache=False, attn_implementation="sdpa",
    )
    model = LlamaForCausalLM(config).float()
    if mode == "lora":
        model = get_peft_model(model, LoraConfig(r=16, lora_alpha=32, lora_dropout=0.0, target_modules=LINEAR, task_type="CAUSAL_LM"))
    return model.train()


def build_optimizer(parameters):
    """AdamW in its fastest form on this machine, with the name of the form."""
    options = {"lr": LEARNING_RATE, "betas": (0.9, 0.999), "eps": 1e-8, "weight_decay": WEIGHT_DECAY}
    try:
        return torch.optim.AdamW(parameters, fused=True, **options), "AdamW fused"
    except (RuntimeError, TypeError):
        return torch.optim.AdamW(parameters, foreach=True, **options), "AdamW foreach"


def memory():
    """Resident sizes from /proc/self/status, in bytes; pages of mapped files apart."""
    names = {"VmHWM": "peakRssBytes", "VmRSS": "rssBytes", "RssFile": "rssFileBytes", "RssAnon": "rssAnonBytes"}
    sizes = dict.fromkeys(names.values())
    with open("/proc/self/status", encoding="ascii") as status:
        for line in status:
            key, _, value = line.partition(":")
            if key in names:
                sizes[names[key]] = int(value.split()[0]) * 1024
    return sizes


def training_step(model, optimizer, parameters, ids, labels, dtype):
    start = time.perf_counter()
    cast = torch.autocast("cpu", dtype=torch.bfloat16) if dtype == "bf16" else contextlib.nullcontext()
    with cast:
        logits = model(input_ids=ids).logits
        loss = torch.nn.functional.cross_entropy(logits.view(-1, logits.shape[-1]), labels.view(-1))
    del logits
    loss.backward()
    norm = torch.nn.utils.clip_grad_norm_(parameters, MAX_NORM)
    optimizer.step()
    optimizer.zero_grad(set_to_none=True)
    result = {"loss": loss.item(), "gradientNorm": norm.item()}
    return {"seconds": time.perf_counter() - start} | result


def say(answer):
    print(json.dumps(answer), flush=True)


def answer_commands(step):
    """Answers `step` and `memory`, each on a line, until `quit`."""
    for line in sys.stdin:
        command = line.strip()
        if command == "quit":
            return
        if command == "memory":
            say(memory())
        elif command == "step":
            say(step())
        elif command:
            say({"error": f"command: expected step, memory or quit, got {command!r}"})


def run_peer(main):
    """Runs a peer; what it fails of is its last answer."""
    try:
        main()
    except Exception as error:
        say({"error": f"{type(error).__name__}: {error}"})
        sys.exit(1)


def main():
    settings = read_settings(sys.argv[1] if len(sys.argv) > 1 else "{}")
    torch.set_num_threads(settings["threads"])
    torch.manual_seed(settings["seed"])
    after_import = memory()
    shape, batch, length = settings["shape"], settings["batch"], settings["length"]
    model = build_model(shape, length, settings["mode"])
    parameters = [p for p in model.parameters() if p.requires_grad]
    optimizer, optimizer_name = build_optimizer(parameters)
    tokens = torch.randint(0, shape["vocabularySize"], (batch, length + 1))
    ids, labels = tokens[:, :-1].contiguous(), tokens[:, 1:].contiguous()
    versions = {
        "python": platform.python_version(), "torch": torch.__version__,
        "transformers": transformers.__version__, "peft": peft.__version__,
    }
    say({
        "ready": True, "versions": versions, "settings": settings, "threads": torch.get_num_threads(),
        "parameters": sum(p.numel() for p in model.parameters()), "trainable": sum(p.numel() for p in parameters),
        "optimizer": optimizer_name, "attention": "sdpa", "cpuCapability": torch.backends.cpu.get_cpu_capability(),
        "memoryAfterImport": after_import, "memory": memory(),
    })
    answer_commands(lambda: training_step(model, optimizer, parameters, ids, labels, settings["dtype"]))


if __name__ == "__main__":
    run_peer(main)
