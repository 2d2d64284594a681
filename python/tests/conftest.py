"""One thread: the tests share two cores, and their numbers must not depend on how many."""

import os

os.environ.setdefault("HF_HUB_OFFLINE", "1")

import torch  # noqa: E402

torch.set_num_threads(1)

# Forked processes of tests then have what they need: each would take half a minute to import it by itself.
import peft  # noqa: E402, F401
import torch.distributed.fsdp  # noqa: E402, F401
from transformers.models.gpt2 import modeling_gpt2  # noqa: E402, F401
from transformers.models.llama import modeling_llama  # noqa: E402, F401

import nextquill_torch.train  # noqa: E402, F401
