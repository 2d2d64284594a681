"""The step with the least held-out loss, for runs that keep it (src/method/runs/best-step.ts)."""


def with_evaluation(best: dict | None, step: int, loss: float) -> dict:
    """The best step after one more evaluation: of equal losses the earlier one. One that is known already changes nothing."""
    if best is not None and step <= best["evaluatedAt"]:
        return best
    if best is None or loss < best["validationLoss"]:
        return {"step": step, "validationLoss": loss, "evaluatedAt": step, "evaluationsSince": 0}
    return {**best, "evaluatedAt": step, "evaluationsSince": best["evaluationsSince"] + 1}


def is_best(value: object) -> bool:
    """Whether it is what a checkpoint can say of the best step."""
    if not isinstance(value, dict):
        return False
    steps = (value.get(name) for name in ("step", "evaluatedAt", "evaluationsSince"))
    loss = value.get("validationLoss")
    return all(type(step) is int for step in steps) and isinstance(loss, (int, float)) and not isinstance(loss, bool)
