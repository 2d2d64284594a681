"""Where a golden file comes from, and how its numbers are written: shared by the generators of this folder."""

import datetime
import importlib.metadata
import json
import pathlib

GOLDEN = pathlib.Path(__file__).resolve().parent.parent


def provenance(script, made_by, packages):
    """The keys that every golden carries: who made it, with which versions, by which script, and when."""
    return {
        "madeBy": made_by,
        "versions": {package: importlib.metadata.version(package) for package in packages},
        "script": f"tests/golden/make/{pathlib.Path(script).name}",
        "date": datetime.date.today().isoformat(),
    }


def decimals(tensor, digits):
    """Nested lists of a tensor's values with `digits` significant digits (9 give every f32 back exactly)."""
    return rounded(tensor.detach().double().tolist(), digits)


def rounded(value, digits):
    if isinstance(value, list):
        return [rounded(item, digits) for item in value]
    return float(f"{value:.{digits}g}")


def write_golden(name, content):
    """Writes tests/golden/<name>, one line for each row of numbers."""
    path = GOLDEN / name
    path.write_text(formatted(content, "") + "\n")
    print(f"{path.relative_to(GOLDEN.parent.parent)}: {path.stat().st_size} bytes")


def formatted(value, indent):
    inner = indent + " "
    if isinstance(value, dict) and value:
        rows = [f"{inner}{json.dumps(key)}: {formatted(item, inner)}" for key, item in value.items()]
        return "{\n" + ",\n".join(rows) + f"\n{indent}}}"
    if isinstance(value, list) and any(isinstance(item, (dict, list)) for item in value):
        return "[\n" + ",\n".join(inner + formatted(item, inner) for item in value) + f"\n{indent}]"
    return json.dumps(value, allow_nan=False)
