"""Writes adapters that PEFT made with other ranks, alphas and layers than the plain one, and the logits that they give.

For the model tests/golden/tiny-llama (made by tiny_llama.py): adapter folders tests/golden/peft-patterns/<name>/ and
tests/golden/peft-patterns.json with the logits of one sequence. A and B are both random, in f32.
Run: python tests/golden/make/peft_patterns.py   (needs torch, transformers, peft)
"""

import json
import shutil

import torch
from peft import LoraConfig, get_peft_model
from transformers import LlamaForCausalLM

from provenance import GOLDEN, decimals, provenance, write_golden

IDS = [5, 17, 42, 3, 60, 8, 8, 21]
CONFIGS = {
    "regex": {"r": 3, "lora_alpha": 5, "target_modules": r"model\.layers\.(?P<layer>[1-9])\.(self_attn\.[qv]|mlp\.down)_proj"},
    "ranks": {
        "r": 2, "lora_alpha": 3, "target_modules": ["q_proj", "o_proj", "up_proj"], "use_rslora": True,
        "rank_pattern": {"layers.0.self_attn.q_proj": 4, "up_proj": 1}, "alpha_pattern": {r"layers\.\d.mlp.*": 7},
    },
    "all-linear": {"r": 2, "lora_alpha": 4, "target_modules": "all-linear", "exclude_modules": ["gate_proj", "0.mlp.up_proj"]},
    "dotted": {"r": 2, "lora_alpha": 4, "target_modules": ["0.self_attn.k_proj", "model.layers.1.mlp.gate_proj"]},
    "head": {"r": 2, "lora_alpha": 2, "target_modules": ["lm_head", "q_proj"]},
}

folder = GOLDEN / "peft-patterns"
shutil.rmtree(folder, ignore_errors=True)
logits = {}
for number, (name, options) in enumerate(CONFIGS.items()):
    base = LlamaForCausalLM.from_pretrained(GOLDEN / "tiny-llama", attn_implementation="eager", dtype=torch.float32)
    model = get_peft_model(base, LoraConfig(task_type="CAUSAL_LM", lora_dropout=0.0, **options)).eval()
    torch.manual_seed(number)
    for parameter_name, parameter in model.named_parameters():
        if ".lora_" in parameter_name:
            torch.nn.init.normal_(parameter, std=0.3)
    model.save_pretrained(folder / name, save_embedding_layers=False)
    (folder / name / "README.md").unlink(missing_ok=True)
    config = json.loads((folder / name / "adapter_config.json").read_text())
    config["base_model_name_or_path"] = "tiny-llama"
    (folder / name / "adapter_config.json").write_text(json.dumps(config, indent=1, sort_keys=True) + "\n")
    with torch.no_grad():
        logits[name] = decimals(model(input_ids=torch.tensor([IDS])).logits[0], 9)
made = provenance(__file__, "peft", ["torch", "transformers", "peft"])
write_golden("peft-patterns.json", made | {"ids": IDS, "logits": logits})
