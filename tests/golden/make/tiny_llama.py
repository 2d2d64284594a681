"""Writes two small random Llama models and what PyTorch makes of them: logits, losses, gradients, with and without LoRA.

For each of `tiny-llama` (untied head) and `tiny-llama-tied` (tied head, head size other than hidden / heads):
  tests/golden/<name>/{config.json,model.safetensors}     the model in Hugging Face's layout, f32
  tests/golden/<name>/adapter/                            a LoRA adapter in PEFT's layout, A and B both non-zero
  tests/golden/<name>/expected.safetensors                logits and gradients (eager attention, f32)
  tests/golden/<name>.json                                the inputs, the losses, and the meaning of each tensor
Run: python tests/golden/make/tiny_llama.py   (needs torch, transformers, peft)
"""

import json
import shutil

import torch
from peft import LoraConfig, get_peft_model
from safetensors.torch import save_file
from torch.nn.functional import cross_entropy
from transformers import LlamaConfig, LlamaForCausalLM

from provenance import GOLDEN, decimals, provenance, write_golden

SIZES = {
    "tiny-llama": {"head_dim": 8, "rope_theta": 10000.0, "tie_word_embeddings": False, "seed": 11},
    "tiny-llama-tied": {"head_dim": 16, "rope_theta": 100000.0, "tie_word_embeddings": True, "seed": 12},
}
PAD = 0
LINEAR = ["q_proj", "k_proj", "v_proj", "o_proj", "gate_proj", "up_proj", "down_proj"]


def random_model(head_dim, rope_theta, tie_word_embeddings, seed):
    """A Llama whose weights are large enough that attention is far from uniform and norms are not 1."""
    config = LlamaConfig(
        vocab_size=61, hidden_size=32, intermediate_size=48, num_hidden_layers=2, num_attention_heads=4,
        num_key_value_heads=2, head_dim=head_dim, max_position_embeddings=128, rms_norm_eps=1e-5,
        rope_parameters={"rope_type": "default", "rope_theta": rope_theta}, tie_word_embeddings=tie_word_embeddings,
        bos_token_id=1, eos_token_id=2, pad_token_id=PAD, attn_implementation="eager", dtype=torch.float32,
    )
    model = LlamaForCausalLM(config).eval()
    generator = torch.Generator().manual_seed(seed)
    with torch.no_grad():
        for name, parameter in model.named_parameters():
            noise = torch.randn(parameter.shape, generator=generator)
            if "norm" in name:
                parameter.copy_(1 + 0.2 * noise)
            elif "embed_tokens" in name:
                parameter.copy_(0.5 * noise)
            else:
                parameter.copy_(0.25 * noise)
    return model, generator


def save_model(model, folder, old_rope_key):
    """Hugging Face's layout; `old_rope_key` writes rope_theta as transformers 4 did, at the top of config.json."""
    shutil.rmtree(folder, ignore_errors=True)
    model.save_pretrained(folder)
    (folder / "generation_config.json").unlink(missing_ok=True)
    path = folder / "config.json"
    config = json.loads(path.read_text())
    if old_rope_key:
        config["rope_theta"] = config.pop("rope_parameters")["rope_theta"]
        config["rope_scaling"] = None
        config["torch_dtype"] = config.pop("dtype")
    path.write_text(json.dumps(config, indent=2, sort_keys=True) + "\n")


def padded(sequences, side):
    """ids, attention mask, positions (0 at the first real token) and the column where each example starts."""
    width = max(len(sequence) for sequence in sequences)
    ids = torch.full((len(sequences), width), PAD)
    mask = torch.zeros_like(ids)
    starts = [0 if side == "right" else width - len(sequence) for sequence in sequences]
    for row, (sequence, start) in enumerate(zip(sequences, starts)):
        ids[row, start : start + len(sequence)] = torch.tensor(sequence)
        mask[row, start : start + len(sequence)] = 1
    return ids, mask, (mask.cumsum(1) - 1).clamp(min=0), starts


def gradients(model, loss):
    model.zero_grad(set_to_none=True)
    loss.backward()
    return {name: p.grad.clone() for name, p in model.named_parameters() if p.requires_grad}


def random_adapter(model, generator, folder, base, linear):
    config = LoraConfig(
        r=4, lora_alpha=8, lora_dropout=0.0, target_modules=linear, bias="none", task_type="CAUSAL_LM",
        base_model_name_or_path=base,
    )
    adapted = get_peft_model(model, config).eval()
    with torch.no_grad():
        for name, parameter in adapted.named_parameters():
            if parameter.requires_grad:
                parameter.copy_(0.2 * torch.randn(parameter.shape, generator=generator))
    adapted.peft_config["default"].base_model_name_or_path = base
    adapted.save_pretrained(folder)
    (folder / "README.md").unlink(missing_ok=True)
    path = folder / "adapter_config.json"
    saved = json.loads(path.read_text())
    saved["target_modules"] = sorted(saved["target_modules"])
    path.write_text(json.dumps(saved, indent=2, sort_keys=True) + "\n")
    return adapted


def make(name, head_dim, rope_theta, tie_word_embeddings, seed):
    model, generator = random_model(head_dim, rope_theta, tie_word_embeddings, seed)
    save_model(model, GOLDEN / name, old_rope_key=tie_word_embeddings)
    write_model_golden(name, model, generator, seed, __file__)


def write_model_golden(name, model, generator, seed, script, lengths=(9, 6), linear=LINEAR):
    """What the model makes of two random sequences, unpadded (both as long as the first) and padded to the first's length."""
    folder, vocabulary = GOLDEN / name, model.config.vocab_size
    width, short = lengths
    # Rows of the loss as (example, position); the target is the next token. The last token of each example has no target.
    unpadded_loss_rows = [(0, t) for t in range(width - 5, width - 1)] + [(1, t) for t in range(width - 3, width - 1)]
    padded_loss_rows = [(0, t) for t in range(width - 5, width - 1)] + [(1, t) for t in range(short - 4, short - 1)]
    expected = {}

    ids = torch.randint(3, vocabulary, (2, width), generator=generator)
    rows = [example * width + position for example, position in unpadded_loss_rows]
    targets = [int(ids[example, position + 1]) for example, position in unpadded_loss_rows]
    unpadded = {"ids": ids.tolist(), "rows": rows, "targets": targets}

    def unpadded_logits(of):
        return of(input_ids=ids).logits

    def unpadded_loss(logits):
        return cross_entropy(logits.reshape(-1, vocabulary)[rows], torch.tensor(targets))

    logits = unpadded_logits(model)
    loss = unpadded_loss(logits)
    expected["unpadded.logits"] = logits
    unpadded["loss"] = decimals(loss, 9)
    expected |= {f"grad.{key}": value for key, value in gradients(model, loss).items()}

    sequences = [ids[row, :length].tolist() for row, length in enumerate(lengths)]
    sides, by_side = {}, {}
    for side in ["right", "left"]:
        batch, mask, positions, starts = padded(sequences, side)
        real = [row * width + starts[row] + t for row, length in enumerate(lengths) for t in range(length)]
        rows_of_side = [example * width + starts[example] + t for example, t in padded_loss_rows]
        targets_of_side = [sequences[example][t + 1] for example, t in padded_loss_rows]
        flat = model(input_ids=batch, attention_mask=mask, position_ids=positions).logits.reshape(-1, vocabulary)
        loss = cross_entropy(flat[rows_of_side], torch.tensor(targets_of_side))
        expected[f"padded.{side}.logits"] = flat[real]
        by_side[side] = gradients(model, loss)
        sides[side] = {
            "ids": batch.tolist(), "attentionMask": mask.tolist(), "positionIds": positions.tolist(),
            "realRows": real, "rows": rows_of_side, "targets": targets_of_side, "loss": decimals(loss, 9),
        }
    sides_differ = max(float((by_side["left"][key] - by_side["right"][key]).abs().max()) for key in by_side["left"])
    assert sides_differ < 2e-6, sides_differ
    expected |= {f"padded.grad.{key}": value for key, value in by_side["right"].items()}

    adapted = random_adapter(model, generator, folder / "adapter", f"tests/golden/{name}", linear)
    logits = unpadded_logits(adapted)
    loss = unpadded_loss(logits)
    expected["lora.logits"] = logits
    for key, value in gradients(adapted, loss).items():
        expected[f"lora.grad.{key.replace('.default', '')}"] = value
    merged = unpadded_logits(adapted.merge_and_unload())
    assert float((merged - logits).detach().abs().max()) < 2e-5
    expected["merged.logits"] = merged

    expected = {key: value.detach().contiguous() for key, value in sorted(expected.items())}
    origin = provenance(script, f"transformers {type(model).__name__}, peft", ["torch", "transformers", "peft", "safetensors"])
    save_file(expected, folder / "expected.safetensors", metadata={"format": "pt"})
    write_golden(f"{name}.json", origin | {
        "seed": seed,
        "model": f"tests/golden/{name}",
        "adapter": f"tests/golden/{name}/adapter",
        "arrays": f"tests/golden/{name}/expected.safetensors",
        "about": {
            "rows": "flat rows of logits [B * T, V] whose mean cross-entropy with `targets` is `loss`",
            "realRows": "flat rows of the batch that hold a real token, in the order of padded.<side>.logits",
            "unpadded.logits": "[B, T, V] of unpadded.ids",
            "grad.*": "gradients of unpadded.loss, named as the model's tensors",
            "padded.<side>.logits": "[real rows, V]",
            "padded.grad.*": "gradients of padded.right.loss; those of padded.left differ by rounding only",
            "lora.logits": "[B, T, V] of unpadded.ids with the adapter",
            "lora.grad.*": "gradients of lora.loss (the rows and targets of unpadded), named as the adapter's tensors",
            "merged.logits": "[B, T, V] of unpadded.ids with the adapter merged into the weights",
        },
        "unpadded": unpadded,
        "padded": sides,
        "lora": {"rank": 4, "loraAlpha": 8, "targetModules": linear, "loss": decimals(loss, 9)},
    })
    for tensor, value in expected.items():
        print(f"  {tensor} {list(value.shape)} max {float(value.abs().max()):.3g}")


if __name__ == "__main__":
    torch.set_num_threads(1)
    for name, sizes in SIZES.items():
        make(name, **sizes)
