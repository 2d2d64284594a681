"""Opens what `nextquill export` wrote with each format's own reader, and prints what they see as JSON.

    python export-readers.py JOBS IDS TEXTS

JOBS, IDS and TEXTS are JSON: folders and files of each model, token ids, and texts. Needs torch, transformers, peft and gguf.
"""

import json
import sys

import gguf
import torch
from peft import PeftModel
from transformers import AutoModelForCausalLM, AutoTokenizer

jobs, ids, texts = (json.loads(text) for text in sys.argv[1:4])


def load(folder: str):
    model, info = AutoModelForCausalLM.from_pretrained(
        folder, attn_implementation="eager", dtype=torch.float32, output_loading_info=True
    )
    return model.eval(), {key: sorted(map(str, value)) for key, value in info.items() if value}


@torch.no_grad()
def logits(model: torch.nn.Module) -> list[float]:
    return model(input_ids=torch.tensor([ids])).logits[0].flatten().tolist()


def gguf_adapter(path: str, architecture: str, layers: int, names: list[str]) -> dict:
    reader = gguf.GGUFReader(path)
    arch = next(key for key, value in gguf.MODEL_ARCH_NAMES.items() if value == architecture)
    table = gguf.get_tensor_name_map(arch, layers)
    return {
        "type": reader.get_field("general.type").contents(),
        "adapter": reader.get_field("adapter.type").contents(),
        "architecture": reader.get_field("general.architecture").contents(),
        "alpha": float(reader.get_field("adapter.lora.alpha").contents()),
        "tensors": {t.name: [[int(n) for n in t.data.shape], float(t.data.astype("f8").sum())] for t in reader.tensors},
        "names": {name: table.get_name(f"{name}.weight", try_suffixes=(".weight", ".bias")) for name in names},
    }


result = {}
for name, job in jobs.items():
    merged, info = load(job["merged"])
    tokenizer = AutoTokenizer.from_pretrained(job["merged"])
    base, _ = load(job["base"])
    result[name] = {
        "merged": logits(merged),
        "loading": info,
        "base": logits(base),
        "ids": [tokenizer.encode(text, add_special_tokens=False) for text in texts],
    }
    if "peft" in job:
        result[name]["peft"] = logits(PeftModel.from_pretrained(base, job["peft"]))
        result[name]["gguf"] = gguf_adapter(job["gguf"], job["architecture"], job["layers"], job["names"])
print(json.dumps(result))
