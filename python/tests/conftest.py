"""One thread: the tests share two cores, and their numbers must not depend on how many."""

import os

os.environ.setdefault("HF_HUB_OFFLINE", "1")

import torch  # noqa: E402

torch.set_num_threads(1)
