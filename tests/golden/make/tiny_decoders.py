"""Writes a small random model of every architecture but plain Llama, and what PyTorch makes of it: see tiny_llama.py.

For each name of MODELS: tests/golden/<name>/{config.json,model.safetensors,adapter/,expected.safetensors}, tests/golden/<name>.json.
Sequences are longer than the sliding windows and than the lengths that rotary embeddings are scaled from.
Also tests/golden/rope.json: frequencies of rotary embeddings, scaled in every way that is implemented.
Run: python tests/golden/make/tiny_decoders.py   (needs torch, transformers, peft)
"""

import json

import torch
from transformers import AutoConfig, AutoModelForCausalLM, LlamaConfig
from transformers.modeling_rope_utils import ROPE_INIT_FUNCTIONS

from provenance import GOLDEN, provenance, write_golden
from tiny_llama import LINEAR, save_model, write_model_golden

SMALL = {
    "vocab_size": 41, "hidden_size": 16, "intermediate_size": 24, "num_hidden_layers": 3, "num_attention_heads": 4,
    "num_key_value_heads": 2, "max_position_embeddings": 64, "bos_token_id": 1, "eos_token_id": 2, "pad_token_id": 0,
}
# Heads of 8 numbers without a key of their own.
WIDE = SMALL | {"hidden_size": 32, "num_hidden_layers": 2}
LLAMA3 = {
    "rope_type": "llama3", "rope_theta": 500.0, "factor": 4.0, "low_freq_factor": 1.0, "high_freq_factor": 4.0,
    "original_max_position_embeddings": 8,
}
YARN = {"rope_type": "yarn", "rope_theta": 1000.0, "factor": 4.0, "original_max_position_embeddings": 8}
MODELS = {
    "tiny-llama3": ("llama", WIDE | {
        "rope_parameters": LLAMA3, "attention_bias": True, "mlp_bias": True, "tie_word_embeddings": False,
    }),
    "tiny-qwen2": ("qwen2", WIDE | {
        "rope_parameters": YARN, "use_sliding_window": True, "sliding_window": 4, "max_window_layers": 1,
        "tie_word_embeddings": False,
    }),
    "tiny-qwen3": ("qwen3", SMALL | {"head_dim": 8, "rope_parameters": {"rope_theta": 1000.0}, "tie_word_embeddings": True}),
    "tiny-gemma3": ("gemma3_text", SMALL | {
        "head_dim": 8, "query_pre_attn_scalar": 5, "sliding_window": 4,
        "layer_types": ["sliding_attention", "full_attention", "sliding_attention"],
        "rope_parameters": {
            "full_attention": {"rope_type": "linear", "factor": 8.0, "rope_theta": 1000.0},
            "sliding_attention": {"rope_type": "default", "rope_theta": 100.0},
        },
    }),
    "tiny-gpt2": ("gpt2", {
        "vocab_size": 41, "n_positions": 16, "n_embd": 32, "n_layer": 2, "n_head": 4, "bos_token_id": 1, "eos_token_id": 2,
        "pad_token_id": 0,
    }),
}
LENGTHS = (14, 9)
GPT2_LINEAR = ["c_attn", "c_proj", "c_fc"]


def random_model(model_type, options, seed):
    """Weights are large enough that attention is far from uniform, and no norm or bias is at its neutral value."""
    config = AutoConfig.for_model(model_type, **options)
    config.dtype = torch.float32
    model = AutoModelForCausalLM.from_config(config, attn_implementation="eager").eval()
    generator = torch.Generator().manual_seed(seed)
    with torch.no_grad():
        for name, parameter in model.named_parameters():
            noise = torch.randn(parameter.shape, generator=generator)
            is_scale = parameter.dim() == 1 and name.endswith("weight")
            # Gemma's norms multiply with 1 + weight.
            centre = 1 if is_scale and model_type != "gemma3_text" else 0
            parameter.copy_(centre + (0.2 if parameter.dim() == 1 else 0.3) * noise)
    return model, generator


def rope_cases():
    """config.json keys (both ways of writing them) with the frequencies and the factor of cosines and sines."""
    top = {"model_type": "llama", "hidden_size": 64, "num_attention_heads": 4, "max_position_embeddings": 4096}
    scalings = [
        {"rope_type": "linear", "factor": 2.5},
        {
            "rope_type": "llama3", "factor": 8.0, "low_freq_factor": 1.0, "high_freq_factor": 4.0,
            "original_max_position_embeddings": 1024,
        },
        {"rope_type": "yarn", "factor": 4.0, "original_max_position_embeddings": 1024},
        {
            "rope_type": "yarn", "factor": 4.0, "original_max_position_embeddings": 1024, "beta_fast": 20, "beta_slow": 2,
            "mscale": 0.7, "mscale_all_dim": 0.9, "truncate": False,
        },
        {"rope_type": "yarn", "factor": 16.0, "attention_factor": 1.25},
    ]
    for scaling in scalings:
        for config in [
            top | {"rope_theta": 50000.0, "rope_scaling": scaling},
            top | {"rope_parameters": scaling | {"rope_theta": 50000.0}},
        ]:
            frequencies, factor = ROPE_INIT_FUNCTIONS[scaling["rope_type"]](LlamaConfig(**json.loads(json.dumps(config))))
            yield {"config": config, "frequencies": frequencies.tolist(), "factor": factor}


if __name__ == "__main__":
    torch.set_num_threads(1)
    for seed, (name, (model_type, options)) in enumerate(MODELS.items(), 21):
        model, generator = random_model(model_type, options, seed)
        save_model(model, GOLDEN / name, old_rope_key=False)
        linear = GPT2_LINEAR if model_type == "gpt2" else LINEAR
        write_model_golden(name, model, generator, seed, __file__, LENGTHS, linear)
    origin = provenance(__file__, "transformers modeling_rope_utils", ["torch", "transformers"])
    write_golden("rope.json", origin | {"cases": list(rope_cases())})
