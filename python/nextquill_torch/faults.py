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
