"""The error that a user meets: a stable code, what was expected and found, and one thing to do."""


class Fault(Exception):
    """An error on purpose, as the classes of src/base/errors.ts: `subject: expected X, got Y`, and a hint."""

    exit_code = 1

    def __init__(self, message: str, *, code: str, hint: str = ""):
        super().__init__(message)
        self.message = message
        self.code = code
        self.hint = hint


class SpecFault(Fault):
    """A spec, a model or a checkpoint that cannot be used: nothing has been trained. Exit code 2."""

    exit_code = 2


def fault_of(cause: Exception) -> Fault | None:
    """An error as a user meets it; None for one that nobody has thought of."""
    if isinstance(cause, Fault):
        return cause
    if isinstance(cause, ImportError):
        hint = "Install the package with its extra: pip install 'nextquill-torch[hf]'."
        fault = Fault(f"{cause.name}: expected the package, got none", code="engine/package", hint=hint)
        fault.exit_code = 2
        return fault
    import torch

    if not isinstance(cause, (torch.OutOfMemoryError, MemoryError)):
        return None
    return Fault(
        f"memory: expected enough for a microbatch, got: {str(cause).splitlines()[0] if str(cause) else 'none left'}",
        code="worker/out-of-memory",
        hint="Set training.recompute=true, lower training.batchSize and raise gradientAccumulation, use --dtype bf16, "
        "or --parallel shard over more processes.",
    )
