"""NextQuill's objectives on PyTorch: a worker for torchrun, and the same losses inside TRL or any training loop."""

__version__ = "0.2.0"
